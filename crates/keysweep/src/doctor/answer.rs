//! What an answer of AWS says about a permission.

use keysweep_aws::{Cause, Fault, FaultKind, Simulated};

/// Whether something is permitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is, whatever else was wrong with the call.
    Permitted,
    /// It is not.
    Missing(Refusal),
    /// This call does not tell.
    Failed(String),
}

/// A permission that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) by: By,
    /// In AWS's words.
    pub(super) reason: String,
}

/// What stands in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum By {
    /// Nothing allows it, or AWS does not say what denies it.
    NoPolicy,
    /// A policy of the role denies it.
    Denial,
    /// The role's permissions boundary.
    Boundary,
    /// A policy of the organization.
    Above,
}

impl Answer {
    /// Of a call. AWS looks at permissions first: that a user is not there is told only to those who may ask.
    pub(super) fn of<T>(result: Result<T, &Fault>) -> Self {
        let Err(fault) = result else { return Self::Permitted };
        let reason = fault.cause().to_string();
        let refused = match fault.cause() {
            Cause::Answer { code, .. } => code.starts_with("AccessDenied"),
            // What did not come from AWS, or is not what AWS would answer, tells nothing of its permissions.
            Cause::Unreadable { .. }
            | Cause::Contract(_)
            | Cause::Timeout
            | Cause::Connection(_)
            | Cause::NotSent(_) => false,
        };
        if refused {
            return Self::Missing(Refusal { by: By::of(&reason), reason });
        }
        match fault.kind() {
            FaultKind::Gone => Self::Permitted,
            FaultKind::Throttled | FaultKind::Denied | FaultKind::Transient | FaultKind::Bug => {
                Self::Failed(reason)
            }
        }
    }

    /// Of a simulation.
    pub(super) fn simulated(told: Simulated) -> Self {
        let missing = |by, reason: &str| Self::Missing(Refusal { by, reason: reason.to_owned() });
        match told {
            Simulated::Allowed => Self::Permitted,
            Simulated::NotAllowed => missing(By::NoPolicy, "simulated: no policy allows it"),
            Simulated::Denied => missing(By::Denial, "simulated: a policy denies it"),
            Simulated::DeniedFromAbove => missing(By::Above, "simulated: the organization denies it"),
        }
    }
}

/// The action that a message of AWS says was denied, such as `sts:TagSession`: it need not be the one of the call.
pub(super) fn denied_action(message: &str) -> Option<&str> {
    let after = message.split_once("not authorized to perform: ")?.1;
    let action = after.split_whitespace().next()?.trim_end_matches(['.', ',', ';']);
    let is_word =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let (service, name) = action.split_once(':')?;
    (is_word(service) && is_word(name)).then_some(action)
}

impl By {
    /// From the message (IAM user guide, "Troubleshoot access denied error messages").
    pub(super) fn of(message: &str) -> Self {
        if message.contains("service control policy") || message.contains("resource control policy") {
            Self::Above
        } else if message.contains("permissions boundary") {
            Self::Boundary
        } else if message.contains("explicit deny") {
            Self::Denial
        } else {
            Self::NoPolicy
        }
    }

    /// What to do so that `whom` may.
    pub(super) fn remedy(self, whom: &str, grant: &str) -> String {
        match self {
            Self::NoPolicy => format!("{grant} to {whom}"),
            Self::Denial => format!("a policy of {whom} denies it: take the denial away"),
            Self::Boundary => format!("widen the permissions boundary of {whom}"),
            Self::Above => format!(
                "a policy of the organization forbids it: exempt {whom} there, or leave the account out by \
                 organization.exclude_accounts"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_action_that_was_denied_is_read_from_the_message() {
        for (message, action) in [
            ("User: x is not authorized to perform: sts:TagSession on resource: y", Some("sts:TagSession")),
            ("AccessDenied: User: x is not authorized to perform: iam:GetUser", Some("iam:GetUser")),
            ("is not authorized to perform: iam:GetUser.", Some("iam:GetUser")),
            ("You don't have permissions to access this resource.", None),
            ("is not authorized to perform: <b>", None),
            ("", None),
        ] {
            assert_eq!(denied_action(message), action, "{message}");
        }
    }

    #[test]
    fn aws_says_what_stands_in_the_way() {
        for (message, by) in [
            ("User: x is not authorized to perform: iam:GetUser on resource: y", By::NoPolicy),
            ("... because no identity-based policy allows the iam:GetUser action", By::NoPolicy),
            ("... with an explicit deny in a service control policy", By::Above),
            ("... because no service control policy allows the iam:GetUser action", By::Above),
            ("... because no permissions boundary allows the iam:GetUser action", By::Boundary),
            ("... with an explicit deny in an identity-based policy", By::Denial),
        ] {
            assert_eq!(By::of(message), by, "{message}");
        }
    }
}
