//! The overview: how things stand, and who has to do what.

use askama::Template;
use keysweep_api::{BreakerDocument, BreakerKey, CountRow, FindingsDocument, PauseRow, StatusDocument};

use keysweep_core::render::NextAction;

use super::frame::{Frame, Shell, View, html};
use super::query::{key_path, keys_with};
use super::rows::{Row, rows};
use super::trend::{Trend, trend};
use super::words::{When, counted, days, number, spaced, span};

/// Keys of which something comes next that are listed.
const NEXT: usize = 15;

/// Keys of the circuit breaker that are listed; the others are counted.
const BREAKER_KEYS: usize = 20;

/// What the overview shows.
#[derive(Debug, Clone, Copy)]
pub(in crate::serve) struct Overview<'a> {
    /// How things stand.
    pub(in crate::serve) status: &'a StatusDocument,
    /// The first keys in the order of what comes next; those of which nothing comes next are left out.
    pub(in crate::serve) next: &'a FindingsDocument,
    /// The circuit breaker, for operators.
    pub(in crate::serve) breaker: Option<&'a BreakerDocument>,
}

#[derive(Template)]
#[template(path = "overview.html")]
struct Page<'a> {
    shell: Shell<'a>,
    status: &'a StatusDocument,
    observes: bool,
    stale: String,
    approvals: String,
    without_owner: String,
    undeliverable: String,
    sweep: Option<Sweep>,
    trend: Option<Trend<'a>>,
    states: Vec<Bar>,
    findings: Vec<Count<'a>>,
    idle: Vec<Bar>,
    next: Vec<Row<'a>>,
    collected: bool,
    pauses: Vec<(&'a PauseRow, When)>,
    breaker: Option<Breaker<'a>>,
}

struct Sweep {
    at: When,
    took: String,
    accounts: String,
    scanned: String,
    failed: Option<String>,
    skipped: Option<String>,
    unknown: Option<String>,
}

/// A count with its share of the largest, in percent.
struct Bar {
    label: String,
    href: Option<String>,
    count: String,
    share: u64,
}

struct Count<'a> {
    row: &'a CountRow,
    label: String,
    href: Option<String>,
    count: String,
    urgent: bool,
}

struct Breaker<'a> {
    why: &'a str,
    confirm: Option<&'a str>,
    count: String,
    keys: Vec<(String, &'a BreakerKey)>,
    more: usize,
}

/// The overview.
///
/// # Errors
/// If the template cannot be written out.
pub(in crate::serve) fn overview(frame: &Frame, shown: Overview<'_>) -> Result<String, askama::Error> {
    let Overview { status, next, breaker } = shown;
    let shell = frame.shell(View::Overview, "Overview", Some(status.generated_at), false);
    let fields = shell.operate;
    html(&Page {
        shell: Shell { fields, ..shell },
        observes: frame.observes(),
        stale: number(stale(status)),
        approvals: number(status.approvals),
        without_owner: number(status.without_owner),
        undeliverable: number(status.undeliverable),
        sweep: sweep(frame, status),
        trend: trend(&status.trend),
        states: bars(&status.states, spaced, |name| Some(keys_with("state", name))),
        findings: status.findings.iter().map(count).collect(),
        idle: bars(&status.idle, days, |_| None),
        next: rows(frame, &next.findings)
            .into_iter()
            .filter(|row| row.row.next_action != NextAction::None)
            .take(NEXT)
            .collect(),
        collected: next.collected_at.is_some(),
        pauses: status.pauses.iter().map(|pause| (pause, frame.when(pause.since))).collect(),
        breaker: breaker.and_then(opened),
        status,
    })
}

/// How many keys are stale now: the end of the trend, or the findings where there is none yet.
fn stale(status: &StatusDocument) -> u64 {
    let found = |row: &&CountRow| matches!(row.name.as_str(), "unused" | "never_used");
    let found: Vec<u64> = status.findings.iter().filter(found).map(|row| row.count).collect();
    if found.is_empty() { status.trend.last().map_or(0, |point| point.stale) } else { found.iter().sum() }
}

fn sweep(frame: &Frame, status: &StatusDocument) -> Option<Sweep> {
    let sweep = status.sweep.as_ref()?;
    let more_than_none = |count: u64| (count > 0).then(|| number(count));
    Some(Sweep {
        at: frame.when(sweep.at),
        took: span(std::time::Duration::from_secs(sweep.took_seconds)),
        accounts: number(sweep.scanned + sweep.failed + sweep.skipped),
        scanned: number(sweep.scanned),
        failed: more_than_none(sweep.failed),
        skipped: more_than_none(sweep.skipped),
        unknown: (sweep.unknown_keys > 0).then(|| counted(sweep.unknown_keys, "key", "keys")),
    })
}

fn bars(
    counts: &[CountRow],
    label: impl Fn(&str) -> String,
    href: impl Fn(&str) -> Option<String>,
) -> Vec<Bar> {
    let largest = counts.iter().map(|row| row.count).max().unwrap_or(0).max(1);
    // What is there must be seen: a share is at least one percent.
    let share = |count: u64| if count == 0 { 0 } else { (count * 100 / largest).max(1) };
    let bar = |row: &CountRow| Bar {
        label: label(&row.name),
        href: href(&row.name),
        count: number(row.count),
        share: share(row.count),
    };
    counts.iter().map(bar).collect()
}

fn count(row: &CountRow) -> Count<'_> {
    let href = match row.name.as_str() {
        "unused" | "never_used" | "over_age" | "root_key" => Some(keys_with("finding", &row.name)),
        "incident" | "hold" | "exempt" | "out_of_reach" | "quarantine" => {
            Some(keys_with("overlay", &row.name))
        }
        "approval" => Some("/approvals".to_owned()),
        _ => None,
    };
    let urgent = row.urgent && row.count > 0;
    Count { row, label: spaced(&row.name), href, count: number(row.count), urgent }
}

fn opened(breaker: &BreakerDocument) -> Option<Breaker<'_>> {
    let why = breaker.open.as_deref()?;
    let keys =
        breaker.keys.iter().take(BREAKER_KEYS).map(|key| (key_path(&key.access_key_id), key)).collect();
    Some(Breaker {
        why,
        confirm: breaker.confirm.as_deref(),
        count: counted(breaker.count, "newly due key", "newly due keys"),
        keys,
        more: breaker.keys.len().saturating_sub(BREAKER_KEYS),
    })
}
