//! The policy as it applies to one key: each term by its name in the configuration, and the rule that set it.

use std::time::Duration;

use keysweep_api::PolicyTerm;
use keysweep_core::facts::{AccountFacts, KeyFacts};
use keysweep_core::plan::{Context, resolve};
use keysweep_core::policy::{Rule, Terms};

use crate::config::period::Period;

/// Terms and exemption, or every rule that cannot tell whether it matches.
pub(crate) type Effective = Result<(Vec<PolicyTerm>, Option<String>), Vec<String>>;

/// The terms that apply to a key, and the exemption that matches it.
///
/// # Errors
/// Every rule that cannot tell whether it matches, with the fact that it lacks.
pub(crate) fn effective(context: &Context<'_>, account: &AccountFacts, facts: &KeyFacts) -> Effective {
    let resolution = resolve(context, account, facts)?;
    let set_by = |term: &str| {
        let parts: &[&str] = if term == "window" { &["hours", "days", "time_zone"] } else { &[term] };
        let rules: Vec<_> = parts.iter().filter_map(|part| resolution.origins.get(part)).collect();
        rules.first().copied().unwrap_or(&Rule::Base).to_string()
    };
    let mk_term =
        |(term, value): (&str, String)| PolicyTerm { term: term.into(), value, set_by: set_by(term) };
    let of_key = terms(&resolution.terms).into_iter().map(mk_term).collect();
    let exempt = resolution.exempt.as_ref().map(|e| format!("{} until {}: {}", e.rule, e.until, e.reason));
    Ok((of_key, exempt))
}

/// Each term by its name in the configuration, with its value as it is written there.
fn terms(terms: &Terms) -> Vec<(&'static str, String)> {
    let period = |duration: Duration| Period::from(duration).to_string();
    // Every term, so that a new one cannot be left out.
    let Terms {
        mode,
        unused_after,
        never_used_after,
        max_age,
        notice,
        quarantine,
        grace,
        approval,
        approvals_needed,
        approval_by,
        approval_expires,
        approval_repeats,
        hold_after_reactivation,
        hold_after_denial,
        adopt_inactive,
        incomplete_evidence,
        days,
        hours,
        time_zone,
    } = terms;
    let on = days.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let zone = time_zone.iana_name().unwrap_or("UTC");
    let window = match (hours, days.is_empty()) {
        (None, true) => "always".to_owned(),
        (Some(hours), true) => format!("{hours} every day ({zone})"),
        (Some(hours), false) => format!("{hours} on {on} ({zone})"),
        (None, false) => format!("{on} ({zone})"),
    };
    vec![
        ("mode", mode.as_str().into()),
        ("unused_after", period(*unused_after)),
        ("never_used_after", period(*never_used_after)),
        ("max_age", max_age.map_or_else(|| "off".into(), period)),
        ("notice", period(*notice)),
        ("quarantine", quarantine.map_or_else(|| "off".into(), period)),
        ("grace", period(*grace)),
        ("approval", approval.as_str().into()),
        ("approvals_needed", approvals_needed.to_string()),
        ("approval_by", approval_by.iter().map(|by| by.as_str()).collect::<Vec<_>>().join(", ")),
        ("approval_expires", period(*approval_expires)),
        ("approval_repeats", approval_repeats.to_string()),
        ("hold_after_reactivation", period(*hold_after_reactivation)),
        ("hold_after_denial", period(*hold_after_denial)),
        ("adopt_inactive", adopt_inactive.to_string()),
        ("incomplete_evidence", incomplete_evidence.as_str().into()),
        ("window", window),
    ]
}
