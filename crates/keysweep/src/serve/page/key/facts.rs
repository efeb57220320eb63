//! What is known of a key, each fact with its source.

use jiff::Timestamp;
use keysweep_api::{KeyDocument, KeyRow};
use keysweep_core::render::FindingRow;

use super::{finding, joined, severity};
use crate::serve::page::frame::Frame;
use crate::serve::page::rows::source_in_words;
use crate::serve::page::timeline::call as traced;
use crate::serve::page::words::{When, counted, instant};

/// One fact.
pub(super) struct Fact {
    pub(super) name: &'static str,
    /// Its value, unless that is a time.
    pub(super) text: Option<String>,
    pub(super) at: Option<When>,
    /// Where it comes from, and how old it is.
    pub(super) source: Option<String>,
}

/// Every fact.
pub(super) fn facts(frame: &Frame, document: &KeyDocument) -> Vec<Fact> {
    let (record, row) = (document.record.as_ref(), document.facts.as_ref());
    let mut all = Vec::new();
    let text = |name, text: Option<String>, source: Option<String>| {
        text.map(|text| Fact { name, text: Some(text), at: None, source })
    };
    let time = |name, at: Option<Timestamp>, source: Option<String>| {
        at.map(|at| Fact { name, text: None, at: Some(frame.when(at)), source })
    };
    let why = match (finding(document), severity(document)) {
        (Some(finding), Some(severity)) => Some(format!("{finding} (severity: {severity})")),
        (finding, severity) => finding.or(severity.map(|severity| format!("severity: {severity}"))),
    };
    all.extend(text("Finding", why, row.and_then(|row| joined(&row.compliance))));
    all.extend(row.map(|row| last_used(frame, row)));
    all.extend(text("Status in AWS", row.map(|row| row.status.clone()), Some("last sweep".into())));
    let created = row.and_then(|row| row.created_at).or(record.map(|record| record.created_at));
    let creator = record.and_then(|record| record.created_by.as_ref()).map(|call| {
        let other = if record.is_some_and(|record| record.created_by_another_user) {
            "; another user created the key"
        } else {
            ""
        };
        format!("{}, according to CloudTrail{other}", traced(call))
    });
    all.extend(time("Created", created, creator));
    let id = row.and_then(|row| row.user_id.clone()).or(record.map(|record| record.user_id.clone()));
    all.extend(text("User ID", id, None));
    all.extend(record.into_iter().flat_map(|record| recorded(frame, record)));
    all
}

fn last_used(frame: &Frame, row: &FindingRow) -> Fact {
    let source = match (source_in_words(row.source), row.report_generated_at) {
        (source, Some(at)) => format!("{source}; credential report of {}", instant(at)),
        (source, None) => source.to_owned(),
    };
    let idle = row.idle_days.and_then(|days| u64::try_from(days).ok());
    let idle = idle.map(|days| format!("{} idle; ", counted(days, "day", "days"))).unwrap_or_default();
    let unread = row.unknown.iter().any(|fact| fact.contains("last use"));
    let (text, at) = match (row.last_used_at, unread) {
        (Some(at), _) => {
            let with = [row.last_used_service.as_deref(), row.last_used_region.as_deref()];
            let with: Vec<&str> = with.into_iter().flatten().collect();
            ((!with.is_empty()).then(|| with.join(", ")), Some(frame.when(at)))
        }
        (None, false) => (Some("never".to_owned()), None),
        (None, true) => (Some("unknown".to_owned()), None),
    };
    Fact { name: "Last used", text, at, source: Some(format!("{idle}{source}")) }
}

/// What the record adds.
fn recorded(frame: &Frame, record: &KeyRow) -> Vec<Fact> {
    let fact = |name, text: String| Fact { name, text: Some(text), at: None, source: None };
    let mut all = Vec::new();
    all.extend(record.activity.as_ref().map(|activity| fact("Newest call", activity.to_string())));
    all.extend(record.deactivated_by.as_ref().map(|by| fact("Deactivated by", by.clone())));
    all.extend(record.watched_seconds.map(|seconds| {
        let watched = counted(seconds / 86_400, "day", "days");
        fact("Seen Inactive for", format!("{watched}; the grace period counts only observed time"))
    }));
    all.extend(record.not_needed_at.map(|at| Fact {
        name: "No longer needed",
        text: None,
        at: Some(frame.when(at)),
        source: Some("the owner said so through a link".to_owned()),
    }));
    if record.reactivations > 0 {
        let need =
            if record.reactivations_need_approval { "; every further change requires approval" } else { "" };
        let times = counted(u64::from(record.reactivations), "time", "times");
        all.push(fact("Reactivated", format!("{times} after keysweep had deactivated it{need}")));
    }
    all.extend(record.reactivated_by.as_ref().map(|call| fact("Reactivated by", call.to_string())));
    if let Some(quarantine) = &record.quarantine {
        let since = quarantine.attached_at.map(|at| format!(" since {}", instant(at))).unwrap_or_default();
        let ends =
            quarantine.ends_because.as_ref().map(|why| format!("; it ends: {why}")).unwrap_or_default();
        all.push(fact(
            "Quarantine",
            format!("policy {} is attached to the user{since}{ends}", quarantine.policy),
        ));
    }
    if let Some(past) = &record.past_quarantine {
        let from = past.attached.map(|at| format!(" from {}", instant(at))).unwrap_or_default();
        all.push(fact(
            "Past quarantine",
            format!("policy {}{from} until {}", past.policy, instant(past.until)),
        ));
    }
    for change in &record.user_changes {
        all.push(fact("Change of the user", format!("{} {}", change.name, traced(&change.call))));
    }
    all
}
