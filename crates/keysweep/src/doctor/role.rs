//! Why a role cannot be assumed.

use keysweep_aws::{Cause, Fault, FaultKind};

use super::account::Examination;
use super::answer::By;
use super::document::{CheckName, Problem, Verdict};
use super::group::Raised;
use super::policies::{Policies, Whose, grant};
use keysweep_core::ids::AccountId;

const ASSUME: &str = "sts:AssumeRole";
const SET_SOURCE: &str = "sts:SetSourceIdentity";

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
    let action = if found == Found::NoSourceIdentity { SET_SOURCE } else { ASSUME };
    let by_hub = matches!(found, Found::HubMayNot);
    let problem = Problem {
        check,
        verdict,
        what: format!("the role {role} cannot be assumed"),
        actions: if found.is_permission() { vec![action.to_owned()] } else { Vec::new() },
        statement: if by_hub { policies.statement(Whose::Hub, action) } else { None },
        reason: Some(reason),
        remedy: remedy(examination, whose, found, needed),
        accounts: Vec::new(),
    };
    // What the account itself lacks is rarely lacking in every account.
    let everywhere = (found == Found::Unsaid).then(|| {
        format!(
            "it is so in every account: look at the external ID, and at AssumeRoles of `{}`, first",
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
    /// The session may not say who is behind it.
    NoSourceIdentity,
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
            return match fault.kind() {
                FaultKind::Denied => Self::Unsaid,
                FaultKind::Throttled | FaultKind::Gone | FaultKind::Transient | FaultKind::Bug => {
                    Self::Unanswered
                }
            };
        };
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
                By::NoPolicy if message.contains("no identity-based policy allows") => Self::HubMayNot,
                By::NoPolicy if message.contains(SET_SOURCE) => Self::NoSourceIdentity,
                By::NoPolicy => Self::Unsaid,
            },
        }
    }

    fn is_permission(self) -> bool {
        match self {
            Self::HubMayNot | Self::NoSourceIdentity | Self::Forbidden(_) | Self::Unsaid => true,
            Self::TooLong | Self::Refused | Self::Unanswered => false,
        }
    }
}

fn remedy(examination: &Examination<'_>, whose: Whose, found: Found, needed: bool) -> String {
    let Examination { config, caller, policies, .. } = examination;
    let hub = trusted(&caller.arn);
    let trust = format!("`{} --trust {hub}`", whose.command());
    let text = match found {
        Found::HubMayNot => of_hub(policies, &caller.arn),
        Found::NoSourceIdentity => {
            format!("let the role's trust policy allow {SET_SOURCE}: SetSourceIdentity of {trust}")
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
