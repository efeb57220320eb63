//! Findings and plans.

use std::collections::BTreeMap;

use jiff::Timestamp;
use keysweep_core::lifecycle::INCIDENT_REMEDY;
use keysweep_core::render::{Coverage, FindingRow, NextAction, NotScanned, ScanDocument};

use super::{account, tone};
use crate::cli::console::Screen;
use crate::cli::table::{Text, Tone, table};
use crate::cli::text::{count, safe, when};
use keysweep_api::PlanDocument;

/// How many accounts or users are named before the rest is only counted: a screen of them is read by nobody.
const NAMED: usize = 20;

/// The findings of a scan.
#[must_use]
pub fn scan_table(document: &ScanDocument, screen: Screen) -> String {
    let now = document.generated_at;
    let rows = document.findings.iter().map(|row| {
        [
            account(&row.account_id, row.account_name.as_deref()).into(),
            (&row.user_name).into(),
            row.access_key_id.as_deref().unwrap_or_default().into(),
            Text::new(row.finding.map_or("unknown", |finding| finding.as_str()), tone(row.severity)),
            last_used(now, row).into(),
            row.created_at.map(|at| when(now, at)).unwrap_or_default().into(),
            Text::new(notes(row), Tone::Faint),
        ]
    });
    let header = ["ACCOUNT", "USER", "KEY", "FINDING", "LAST USED", "CREATED", "NOTE"];
    table(screen, header, rows.collect())
}

/// What a scan came to, in words: coverage first, since what was not looked at may hold anything.
#[must_use]
pub fn scan_summary(document: &ScanDocument) -> String {
    let mut lines = coverage(&document.coverage);
    let mut kinds: BTreeMap<_, u64> = BTreeMap::new();
    let (mut exempt, mut undecided) = (0, 0);
    for row in &document.findings {
        match row.finding {
            Some(finding) => *kinds.entry(finding).or_default() += 1,
            None => undecided += 1,
        }
        exempt += u64::from(row.finding.is_some() && is_exempt(row));
    }
    let kinds: Vec<String> = kinds.iter().map(|(finding, n)| format!("{n} {finding}")).collect();
    let mut found = match (kinds.is_empty(), document.coverage.scanned) {
        // Where nothing was seen, there may be anything.
        (true, 0) => "findings unknown: no account was scanned".into(),
        (true, _) => "no findings".into(),
        (false, _) => format!("findings: {}", kinds.join(", ")),
    };
    let incidents = document.findings.iter().filter(|row| is_incident(row)).count();
    if incidents > 0 {
        lines.push(format!(
            "incidents: {}: AWS considers them compromised; {INCIDENT_REMEDY}",
            count(u64::try_from(incidents).unwrap_or(u64::MAX), "key", "keys")
        ));
    }
    if exempt > 0 {
        found += &format!(", of which exempt: {exempt}");
    }
    if undecided > 0 {
        found += &format!("; undecided because facts are unknown: {}", count(undecided, "key", "keys"));
    }
    lines.push(found);
    lines.join("\n")
}

/// Whether an exemption covers a finding.
pub(in crate::cli) fn is_exempt(row: &FindingRow) -> bool {
    row.overlays.iter().any(|overlay| overlay == "exempt")
}

/// Whether AWS considers the key compromised.
fn is_incident(row: &FindingRow) -> bool {
    row.overlays.iter().any(|overlay| overlay == "incident")
}

/// What would be done now and next.
#[must_use]
pub fn plan_table(document: &PlanDocument, screen: Screen) -> String {
    let now = document.generated_at;
    let rows = document.keys.iter().map(|row| {
        [
            account(&row.account_id, row.account_name.as_deref()).into(),
            (&row.user_name).into(),
            row.access_key_id.as_deref().unwrap_or_default().into(),
            state(&row.state, &row.overlays).into(),
            Text::new(row.finding.map_or("", |finding| finding.as_str()), tone(row.severity)),
            last_used(now, row).into(),
            next(now, row.next_action, row.next_action_at),
            row.next_action_reason.as_str().into(),
        ]
    });
    let header = ["ACCOUNT", "USER", "KEY", "STATE", "FINDING", "LAST USED", "NEXT", "WHY"];
    table(screen, header, rows.collect())
}

/// What was looked at for a plan, in words.
#[must_use]
pub fn plan_summary(document: &PlanDocument) -> String {
    let seen = when(document.generated_at, document.collected_at);
    format!("{}\nas seen {seen}", coverage(&document.coverage).join("\n"))
}

/// What was looked at, in words.
fn coverage(coverage: &Coverage) -> Vec<String> {
    let Coverage {
        accounts,
        scanned,
        unknown_keys,
        failed,
        skipped,
        unread_users,
        unread_rows,
        root_keys_unknown,
        fallback,
        incomplete: _,
    } = coverage;
    let mut head = format!("{scanned} of {} scanned", count(*accounts, "account", "accounts"));
    for (list, word) in [(failed, "failed"), (skipped, "skipped")] {
        if !list.is_empty() {
            head += &format!(", {} {word}", list.len());
        }
    }
    if *unknown_keys > 0 {
        head += &format!("; {} with unknown facts", count(*unknown_keys, "key", "keys"));
    }
    let mut lines = vec![head];
    let of_account =
        |word: &'static str| move |a: &NotScanned| format!("  {word} {}: {}", a.account_id, safe(&a.reason));
    named(&mut lines, failed.iter().map(of_account("failed")));
    named(&mut lines, skipped.iter().map(of_account("skipped")));
    let unread = unread_users.iter().map(|user| {
        let (name, reason) = (safe(&user.user_name), safe(&user.reason));
        format!("  unread user {name} in {}: {reason}", user.account_id)
    });
    named(&mut lines, unread);
    for (list, what) in [
        (unread_rows, "unknown user in"),
        (root_keys_unknown, "root keys unknown in"),
        (fallback, "no credential report used in"),
    ] {
        named(&mut lines, list.iter().map(of_account(what)));
    }
    lines
}

/// Adds lines up to the bound, and how many more there are.
fn named(lines: &mut Vec<String>, all: impl ExactSizeIterator<Item = String>) {
    let more = all.len().saturating_sub(NAMED);
    lines.extend(all.take(NAMED));
    if more > 0 {
        lines.push(format!("  and {more} more; --format json names all"));
    }
}

/// When a key was last used, with the service.
fn last_used(now: Timestamp, row: &FindingRow) -> String {
    match (row.last_used_at, &row.last_used_service) {
        (Some(at), Some(service)) => format!("{}, {service}", when(now, at)),
        (Some(at), None) => when(now, at),
        // A key whose last use was read, and that has none, has idle days all the same.
        (None, _) if row.idle_days.is_some() => "never".into(),
        (None, _) if row.access_key_id.is_none() => String::new(),
        (None, _) => "unknown".into(),
    }
}

fn notes(row: &FindingRow) -> String {
    let unknown = row.unknown.iter().map(|why| format!("unknown {why}"));
    let exempt = is_exempt(row).then(|| "exempt".to_owned());
    exempt.into_iter().chain(unknown).chain(row.warnings.iter().cloned()).collect::<Vec<_>>().join("; ")
}

/// A base state with its overlays.
pub(super) fn state(state: &str, overlays: &[String]) -> String {
    if overlays.is_empty() { state.into() } else { format!("{state} ({})", overlays.join(", ")) }
}

/// What comes next, and when.
pub(super) fn next(now: Timestamp, action: NextAction, at: Option<Timestamp>) -> Text {
    let tone = match action {
        NextAction::Delete => Tone::Bad,
        NextAction::Quarantine | NextAction::Deactivate => Tone::Worth,
        NextAction::None | NextAction::Notice | NextAction::Approval | NextAction::Wait => Tone::Plain,
    };
    let text = match at {
        None => action.as_str().to_owned(),
        Some(at) if at <= now => format!("{} now", action.as_str()),
        Some(at) => format!("{} {}", action.as_str(), when(now, at)),
    };
    Text::new(text, tone)
}
