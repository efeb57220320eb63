//! Why a role cannot be assumed.

use keysweep_aws::{Cause, Fault, FaultKind};

use super::account::Examination;
use super::answer::{By, denied_action};
use super::document::{CheckName, Problem, Verdict};
use super::group::Raised;
use super::policies::{Policies, Whose, grant};
use keysweep_core::ids::AccountId;

const ASSUME: &str = "sts:AssumeRole";
const SET_SOURCE: &str = "sts:SetSourceIdentity";
const TAG_SESSION: &str = "sts:TagSession";

/// A role that cannot be assumed in an account; `needed` if keysweep has use for it there.
pub(super) fn not_assumed(
    examination: &Examination<'_>,
    whose: Whose,
    account: AccountId,
    needed: bool,
    fault: &Fault,
) -> Raised {
    let reason = fault.cause().to_string();
    let Examination { config, policies, .. } = examination;
    let (check, role) = match whose {
        Whose::Hub | Whose::Scan => (CheckName::ScanRole, &config.role.scan),
        Whose::Enforce => (CheckName::EnforceRole, &config.role.enforce),
    };
    let found = Found::of(fault, &reason);
    let verdict = match (found, needed) {
        (Found::Unanswered, true) => Verdict::Failed,
        (Found::Unanswered, false) => Verdict::CannotTell,
        (_, true) => Verdict::Gap,
        (_, false) => Verdict::Note,
    };
    let action = match found {
        Found::OtherAction => denied_action(&reason).unwrap_or(ASSUME).to_owned(),
        _ => ASSUME.to_owned(),
    };
    let by_hub = matches!(found, Found::HubMayNot);
    let problem = Problem {
        check,
        verdict,
        what: format!("the role {role} cannot be assumed"),
        actions: if found.is_permission() { vec![action.clone()] } else { Vec::new() },
        statement: if by_hub { policies.statement(Whose::Hub, &action) } else { None },
        remedy: remedy(examination, whose, found, &action, needed),
        reason: Some(reason),
        accounts: Vec::new(),
    };
    // What the account itself lacks is rarely lacking in every account.
    let everywhere = (found == Found::Unsaid).then(|| {
        format!(
            "all accounts are affected: check the external ID, and AssumeRoles of `{}`, first",
            Whose::Hub.command()
        )
    });
    Raised { everywhere, ..Raised::of(account, problem) }
}

/// What AWS's answer tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// The hub's own policy does not allow it.
    HubMayNot,
    /// An action that comes with it is denied: to say who is behind the session, or to bring session tags along.
    OtherAction,
    /// The session policy and the session tags are too long together.
    TooPacked,
    /// Something denies it expressly.
    Forbidden(By),
    /// Denied, and AWS does not say why.
    Unsaid,
    /// The session would last too long.
    TooLong,
    /// Something else is wrong with the request.
    Refused,
    /// There was no answer that tells.
    Unanswered,
}

impl Found {
    fn of(fault: &Fault, message: &str) -> Self {
        let Cause::Answer { code, .. } = fault.cause() else {
            // Whatever it is, it was not AWS that said no.
            return Self::Unanswered;
        };
        if code.starts_with("PackedPolicyTooLarge") {
            return Self::TooPacked;
        }
        match fault.kind() {
            FaultKind::Throttled | FaultKind::Transient => Self::Unanswered,
            FaultKind::Bug | FaultKind::Gone => {
                let of_length =
                    ["MaxSessionDuration", "session limit"].iter().any(|text| message.contains(text));
                if of_length { Self::TooLong } else { Self::Refused }
            }
            FaultKind::Denied if !code.starts_with("AccessDenied") => Self::Refused,
            FaultKind::Denied => match By::of(message) {
                by @ (By::Denial | By::Boundary | By::Above) => Self::Forbidden(by),
                By::NoPolicy => match denied_action(message) {
                    Some(action) if action != ASSUME => Self::OtherAction,
                    _ if message.contains("no identity-based policy allows") => Self::HubMayNot,
                    Some(_) | None => Self::Unsaid,
                },
            },
        }
    }

    fn is_permission(self) -> bool {
        match self {
            Self::HubMayNot | Self::OtherAction | Self::Forbidden(_) | Self::Unsaid => true,
            Self::TooLong | Self::TooPacked | Self::Refused | Self::Unanswered => false,
        }
    }
}

fn remedy(examination: &Examination<'_>, whose: Whose, found: Found, action: &str, needed: bool) -> String {
    let Examination { config, caller, policies, .. } = examination;
    let hub = trusted(&caller.arn);
    let trust = format!("`{} --trust {hub}`", whose.command());
    let text = match found {
        Found::HubMayNot => of_hub(policies, &caller.arn),
        Found::OtherAction if action == SET_SOURCE => format!(
            "allow {SET_SOURCE} in the role's trust policy: SetSourceIdentity of {trust}; and to {}: AssumeRoles of \
             `{}`",
            caller.arn,
            Whose::Hub.command()
        ),
        Found::OtherAction if action == TAG_SESSION => format!(
            "keysweep's own credentials carry session tags, which go along to the role: add {TAG_SESSION} to \
             AssumeRole in the role's trust policy and to AssumeRoles in the policy of {}, or take the tags off the \
             credentials (EKS Pod Identity sets them unless disableSessionTags is true)",
            caller.arn
        ),
        Found::OtherAction => format!("allow {action} in the role's trust policy, and to {}", caller.arn),
        Found::TooPacked => {
            "shorten the user_tags of [[policy.exempt]], or take session tags off keysweep's own credentials: AWS \
             packs both into one session"
                .into()
        }
        Found::Forbidden(by) => by.remedy(&format!("{} or the role", caller.arn), ""),
        Found::Unsaid => {
            let external_id = if config.role.external_id.is_some() {
                "expects another external ID than that of role.external_id_file"
            } else {
                "expects an external ID, and role.external_id_file is empty"
            };
            format!(
                "AWS does not say which it is: the role is not there, does not trust {hub}, or {external_id}; make it \
                 with the policies that `{}` and {trust} print",
                whose.command()
            )
        }
        Found::TooLong => {
            "shorten role.duration, or raise the role's maximum session duration (an hour is the most for a hub that \
             is a role itself)"
                .into()
        }
        Found::Refused => "see what AWS answered".into(),
        Found::Unanswered => "run doctor again, with --account for this one alone".into(),
    };
    if needed { text } else { format!("nothing, as long as policy.mode changes no keys here; then: {text}") }
}

fn of_hub(policies: &Policies, hub: &str) -> String {
    let statement = policies.statement(Whose::Hub, ASSUME);
    format!("{} to {hub}", grant(statement.as_ref(), Whose::Hub))
}

/// The hub as `--trust` takes it; a session does not show the path of its role.
fn trusted(arn: &str) -> &str {
    if arn.contains(":assumed-role/") { "HUB_ARN" } else { arn }
}
