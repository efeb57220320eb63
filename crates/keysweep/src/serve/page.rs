//! The page for people: what stands still and why, what was looked at, what is there, and what comes next.
//!
//! It holds no script and asks for nothing else: one style sheet stands in it, and the browser is told its hash.

mod accounts;
mod actions;
mod answer;
mod approvals;
mod audit;
mod calendar;
mod filter;
mod frame;
mod holds;
mod key;
mod keys;
mod login;
mod notices;
mod overview;
mod query;
mod rows;
#[cfg(test)]
mod samples;
mod sessions;
mod timeline;
mod trend;
#[cfg(test)]
mod views;
mod words;

use askama::Template;
use axum::http::HeaderValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use keysweep_core::facts::Collection;
use keysweep_core::finding::FindingKind;
use keysweep_core::plan::Plan;
use keysweep_core::policy::{Mode, Policy};
use keysweep_core::state::{Reach, State, Stop};
use keysweep_core::words::{remedy, title, why};
use sha2::{Digest, Sha256};

use self::actions::{Actions, actions};
pub(super) use self::answer::{Told, answer_page, answer_policy};
use self::words::{days, moment, number, span};
use crate::engine::Engine;
use crate::metrics::inventory::Tally;
use crate::safe::safe_lines;

const STYLE: &str = include_str!("../../templates/page.css");

/// Rows of accounts that failed: the rest are counted, and listed by `keysweep plan`.
const FAILED_ACCOUNTS: usize = 20;

/// What browsers are told to load: the style sheet of the page, known by its hash, and nothing else.
pub(super) fn content_policy() -> HeaderValue {
    policy_of(STYLE, "'none'")
}

/// The policy of a page with this style sheet whose forms go there.
fn policy_of(style: &str, forms: &str) -> HeaderValue {
    let hash = STANDARD.encode(Sha256::digest(style));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action {forms}; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

/// The page as it is now.
///
/// # Errors
/// If the template cannot be written out.
pub(super) fn render(engine: &Engine, missing: &[String]) -> Result<String, askama::Error> {
    let (config, latest, now) = (engine.config(), engine.latest(), engine.clock().now());
    let page = engine.store().read(|state| {
        let seen = latest.as_ref().map(|latest| &latest.collection);
        let plan = seen.map(|collection| engine.plan(now, &config.policy, state, collection));
        Page::of(now, state, &config.policy, seen.zip(plan.as_ref()), missing)
    });
    // A name that turns the order of what is read would do so here as well.
    page.render().map(|html| safe_lines(&html).into_owned())
}

#[derive(Template)]
#[template(path = "page.html")]
struct Page {
    style: &'static str,
    version: &'static str,
    now: String,
    mode: &'static str,
    mode_means: String,
    alarms: Vec<Alarm>,
    notes: Vec<String>,
    coverage: Option<Coverage>,
    failed: Vec<FailedAccount>,
    more_failed: usize,
    states: Vec<Bar>,
    findings: Vec<Count>,
    idle: Vec<Bar>,
    actions: Option<Actions>,
}

/// Something that stops every automatic change.
struct Alarm {
    what: &'static str,
    why: String,
    since: String,
    remedy: String,
}

struct Coverage {
    accounts: String,
    scanned: String,
    failed: u64,
    skipped: String,
    unknown: u64,
    at: String,
    took: String,
}

struct FailedAccount {
    id: String,
    name: String,
    since: String,
    reason: String,
}

/// A count with its share of the largest, in percent.
struct Bar {
    label: String,
    count: String,
    share: u64,
}

struct Count {
    label: &'static str,
    means: &'static str,
    count: String,
    /// Whether somebody should look at it now.
    bad: bool,
}

impl Page {
    fn of(
        now: Timestamp,
        state: &State,
        policy: &Policy,
        seen: Option<(&Collection, &Plan)>,
        missing: &[String],
    ) -> Self {
        let tally = Tally::of(state, now);
        let (failed, more_failed) = failed_accounts(now, state);
        Self {
            style: STYLE,
            version: env!("CARGO_PKG_VERSION"),
            now: words::instant(now),
            mode: policy.base.mode.as_str(),
            mode_means: mode_means(policy),
            alarms: alarms(now, state, policy),
            notes: missing.to_vec(),
            coverage: coverage(now, state, &tally),
            failed,
            more_failed,
            states: states(&tally),
            findings: findings(&tally),
            idle: bars(tally.idle.buckets().map(|(label, count)| (days(label), count)).collect()),
            actions: seen.map(|(collection, plan)| actions(now, plan, collection)),
        }
    }
}

fn mode_means(policy: &Policy) -> String {
    let overrides = policy.overrides.iter().filter_map(|rule| rule.terms.mode);
    let strongest = overrides.max().filter(|mode| *mode > policy.base.mode);
    let means = match policy.base.mode {
        Mode::Observe => "shows what it would do and changes nothing by itself",
        Mode::Deactivate => "deactivates stale keys, and deletes none",
        Mode::Delete => "deactivates stale keys, and deletes them after their grace period",
    };
    match strongest {
        Some(mode) => format!("{means}; overrides go up to {}", mode.as_str()),
        None => means.to_owned(),
    }
}

fn alarms(now: Timestamp, state: &State, policy: &Policy) -> Vec<Alarm> {
    let alarm = |stop: Stop<'_>| Alarm {
        what: title(stop),
        why: why(stop),
        since: moment(now, stop.since()),
        remedy: remedy(stop),
    };
    state.control().stops(policy).map(alarm).collect()
}

fn coverage(now: Timestamp, state: &State, tally: &Tally) -> Option<Coverage> {
    let sweep = state.control().last_sweep.as_ref()?;
    let present = state.accounts().filter(|(_, account)| !matches!(account.reach, Reach::Left { .. }));
    let reaches = &tally.reaches;
    Some(Coverage {
        accounts: number(reaches.scanned + reaches.failed + reaches.skipped),
        scanned: number(reaches.scanned),
        failed: reaches.failed,
        skipped: number(reaches.skipped),
        unknown: present.map(|(_, account)| account.unknown_keys).sum(),
        at: moment(now, sweep.at),
        took: span(sweep.took),
    })
}

/// Those that failed the longest come first.
fn failed_accounts(now: Timestamp, state: &State) -> (Vec<FailedAccount>, usize) {
    let mut failed: Vec<_> = state
        .accounts()
        .filter_map(|(id, account)| match &account.reach {
            Reach::Failed { since, reason } => Some((*since, id, account, reason)),
            Reach::Scanned | Reach::Skipped { .. } | Reach::Left { .. } => None,
        })
        .collect();
    failed.sort_by_key(|(since, id, ..)| (*since, *id));
    let more = failed.len().saturating_sub(FAILED_ACCOUNTS);
    let rows = failed.into_iter().take(FAILED_ACCOUNTS).map(|(since, id, account, reason)| FailedAccount {
        id: id.to_string(),
        name: account.name.clone(),
        since: moment(now, since),
        reason: reason.clone(),
    });
    (rows.collect(), more)
}

fn states(tally: &Tally) -> Vec<Bar> {
    let mut counts: Vec<(String, u64)> = Vec::new();
    for keys in tally.accounts.values() {
        for (index, (state, count)) in keys.states().into_iter().enumerate() {
            match counts.get_mut(index) {
                Some((_, sum)) => *sum += count,
                None => counts.push((state.to_owned(), count)),
            }
        }
    }
    bars(counts)
}

fn findings(tally: &Tally) -> Vec<Count> {
    let sum = |count: fn(&crate::metrics::inventory::AccountTally) -> u64| {
        tally.accounts.values().map(count).sum::<u64>()
    };
    let of = |label, means, count: u64| Count { label, means, count: number(count), bad: false };
    let bad = |label, means, count: u64| Count { label, means, count: number(count), bad: count > 0 };
    let found = &tally.findings;
    vec![
        of("unused", "was used, and is idle past the threshold", found.of(FindingKind::Unused)),
        of("never used", "not used since creation, past the threshold", found.of(FindingKind::NeverUsed)),
        of(
            "over age",
            "in use, and older than the policy wants; never changed",
            found.of(FindingKind::OverAge),
        ),
        bad("incidents", "AWS considers the key compromised; not changed", sum(|keys| keys.in_incident)),
        bad("root keys", "active keys of root users; never changed by keysweep", tally.root_keys),
        of("exempt", "stale, and held back by an exemption", found.exempt),
        of("on hold", "not changed until an operator or a date ends the hold", sum(|keys| keys.on_hold)),
        of("waiting for approval", "a person decides", tally.approvals_pending),
        bad(
            "out of reach",
            "in the lifecycle, and the account cannot be read",
            sum(|keys| keys.out_of_reach),
        ),
        bad("deactivated, in use", "last use changed afterwards: someone needs it", sum(|keys| keys.in_use)),
    ]
}

fn bars(counts: Vec<(String, u64)>) -> Vec<Bar> {
    let largest = counts.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1);
    // What is there must be seen: a share is at least one percent.
    let share = |count: u64| if count == 0 { 0 } else { (count * 100 / largest).max(1) };
    let bar = |(label, count): (String, u64)| Bar { label, count: number(count), share: share(count) };
    counts.into_iter().map(bar).collect()
}

#[cfg(test)]
mod tests;
