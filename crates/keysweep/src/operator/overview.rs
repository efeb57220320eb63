//! How things stand: the overview, accounts, the calendar, the audit log.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use keysweep_api::{
    AccountRow, AccountsDocument, CalendarDay, CalendarDocument, CalendarEvent, CountRow, JournalDocument,
    JournalRow, ListAccounts, ListJournal, Refusal, ShowCalendar, ShowStatus, StatusDocument, StopRow,
    SweepRow, TrendPoint,
};
use keysweep_core::finding::FindingKind;
use keysweep_core::ids::AccountId;
use keysweep_core::lifecycle::Record;
use keysweep_core::notice::{Status, stands};
use keysweep_core::policy::{Mode, Policy};
use keysweep_core::render::{NextAction, next_step};
use keysweep_core::state::{AccountRecord, Body, Entry, Reach, State};
use keysweep_core::words::{remedy, title, why};

use super::Look;
use super::decide::pending;
use super::find::page;
use super::show::pause_row;
use crate::access::Sight;
use crate::causes::in_words;
use crate::engine::Engine;
use crate::health::{Health, LastSweep};
use crate::metrics::inventory::{AccountTally, Tally};

/// Events of a day that are listed.
const EVENTS_OF_A_DAY: usize = 100;

/// Entries of the journal that one page looks at: a filter that matches little must not read years.
const ENTRIES_READ: usize = 50_000;

impl Look for ShowStatus {
    async fn look(self, engine: &Engine, sight: &Sight) -> Result<StatusDocument, Refusal> {
        let (now, config) = (engine.clock().now(), engine.config());
        let policy = &config.policy;
        let missing = engine.health().map(|health| health.missing(LastSweep::of(engine))).unwrap_or_default();
        let next_sweep_at = engine.health().and_then(Health::next_sweep);
        Ok(engine.store().read(|state| {
            let tally = Tally::seen(state, now, |account| sight.account(account));
            let control = state.control();
            let whole = sight.is_whole();
            let unknown = visible_accounts(state, sight).map(|(_, account)| account.unknown_keys).sum();
            let sweep = control.last_sweep.as_ref().map(|sweep| SweepRow {
                at: sweep.at,
                took_seconds: sweep.took.as_secs(),
                scanned: tally.reaches.scanned,
                failed: tally.reaches.failed,
                skipped: tally.reaches.skipped,
                unknown_keys: unknown,
            });
            let trend = control.trend.iter().filter(|_| whole);
            StatusDocument {
                generated_at: now,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                mode: policy.base.mode.as_str().to_owned(),
                mode_means: mode_means(policy),
                stops: stop_rows(state, policy),
                pauses: control.pauses.iter().map(pause_row).collect(),
                missing,
                sweep,
                sweeping: engine.is_sweeping(),
                next_sweep_at,
                data_dir: whole.then(|| config.data_dir.display().to_string()),
                states: states(&tally),
                findings: findings(&tally),
                idle: idle(&tally),
                approvals: tally.approvals_pending,
                without_owner: tally.owners.none,
                undeliverable: if whole { undeliverable(state) } else { 0 },
                trend: trend.map(|point| TrendPoint { day: point.day, stale: point.stale }).collect(),
            }
        }))
    }
}

/// Messages that keysweep gave up, and whose notices still apply.
fn undeliverable(state: &State) -> u64 {
    let outbox = state.outbox();
    let given_up = outbox.messages().filter(|message| matches!(message.status, Status::Undeliverable { .. }));
    let needed = given_up.filter(|message| outbox.items_of(message).any(|item| stands(state, item)));
    u64::try_from(needed.count()).unwrap_or(u64::MAX)
}

fn visible_accounts<'a>(
    state: &'a State,
    sight: &'a Sight,
) -> impl Iterator<Item = (AccountId, &'a AccountRecord)> {
    let present = state.accounts().filter(|(_, account)| !matches!(account.reach, Reach::Left { .. }));
    present.filter(|(id, _)| sight.account(*id))
}

/// What stops all automatic changes.
pub(crate) fn stop_rows(state: &State, policy: &Policy) -> Vec<StopRow> {
    let stops = state.control().stops(policy).map(|stop| StopRow {
        title: title(stop).to_owned(),
        reason: why(stop),
        since: stop.since(),
        remedy: remedy(stop),
    });
    stops.collect()
}

/// What the mode means, overrides included.
pub(crate) fn mode_means(policy: &Policy) -> String {
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

fn row(name: &str, meaning: &str, count: u64) -> CountRow {
    CountRow { name: name.to_owned(), meaning: meaning.to_owned(), count, urgent: false }
}

fn states(tally: &Tally) -> Vec<CountRow> {
    let means = |state: &str| match state {
        "active" => "Active, not stale",
        "flagged" => "stale, and still Active",
        "deactivating" => "being deactivated",
        "deactivated" => "Inactive, in the grace period",
        "deleting" => "being deleted",
        _ => "",
    };
    let mut counts: Vec<CountRow> =
        AccountTally::default().states().into_iter().map(|(name, _)| row(name, means(name), 0)).collect();
    for keys in tally.accounts.values() {
        for (total, (_, count)) in counts.iter_mut().zip(keys.states()) {
            total.count += count;
        }
    }
    counts
}

fn findings(tally: &Tally) -> Vec<CountRow> {
    let sum = |count: fn(&AccountTally) -> u64| tally.accounts.values().map(count).sum::<u64>();
    let bad = |name, means, count: u64| CountRow { urgent: count > 0, ..row(name, means, count) };
    let found = &tally.findings;
    vec![
        row("unused", "used before, and idle past the threshold", found.of(FindingKind::Unused)),
        row("never_used", "not used since creation, past the threshold", found.of(FindingKind::NeverUsed)),
        row(
            "over_age",
            "in use, and older than the policy permits; never changed",
            found.of(FindingKind::OverAge),
        ),
        bad("incident", "AWS considers the key compromised; not changed", sum(|keys| keys.in_incident)),
        bad("root_key", "active keys of root users; never changed by keysweep", tally.root_keys),
        row("exempt", "stale, and exempt from changes", found.exempt),
        row("hold", "not changed until a person or a date ends the hold", sum(|keys| keys.on_hold)),
        row("approval", "waiting for an approval", tally.approvals_pending),
        bad("out_of_reach", "tracked, and the account cannot be read", sum(|keys| keys.out_of_reach)),
        bad("in_use", "deactivated, and used since: someone needs it", sum(|keys| keys.in_use)),
    ]
}

fn idle(tally: &Tally) -> Vec<CountRow> {
    let of = |(label, count): (&str, u64)| row(label, "days since last use or creation", count);
    tally.idle.buckets().map(of).collect()
}

impl Look for ListAccounts {
    async fn look(self, engine: &Engine, sight: &Sight) -> Result<AccountsDocument, Refusal> {
        let Self { q, reach, limit, cursor } = self;
        let now = engine.clock().now();
        let q = q.map(|q| q.trim().to_lowercase()).unwrap_or_default();
        let reach = reach.filter(|reach| !reach.is_empty());
        let rows = engine.store().read(|state| {
            let tally = Tally::seen(state, now, |account| sight.account(account));
            let visible = state.accounts().filter(|(id, _)| sight.account(*id));
            let mut rows: Vec<_> =
                visible.map(|(id, account)| account_row(now, state, &tally, id, account)).collect();
            let found = |row: &AccountRow| {
                let texts = [row.account_id.as_str(), row.name.as_deref().unwrap_or_default(), &row.ou_path];
                q.is_empty() || texts.iter().any(|text| text.to_lowercase().contains(&q))
            };
            rows.retain(|row| found(row) && reach.as_ref().is_none_or(|reach| row.reach == *reach));
            rows
        });
        let mut rows = rows;
        let rank = |row: &AccountRow| match row.reach.as_str() {
            "failed" => 0,
            _ if row.parked_until.is_some() => 1,
            "scanned" => 2,
            "skipped" => 3,
            _ => 4,
        };
        rows.sort_by_cached_key(|row| (rank(row), std::cmp::Reverse(row.stale), row.account_id.clone()));
        let page = page(rows, limit, cursor.as_deref(), |row| Cow::Owned(row.account_id.clone()))?;
        Ok(AccountsDocument {
            generated_at: now,
            total: page.total,
            accounts: page.rows,
            next_cursor: page.next,
        })
    }
}

fn account_row(
    now: Timestamp,
    state: &State,
    tally: &Tally,
    id: AccountId,
    account: &AccountRecord,
) -> AccountRow {
    let (reach, reason, since) = match &account.reach {
        Reach::Scanned => ("scanned", None, None),
        Reach::Failed { since, reason } => ("failed", Some(reason.clone()), Some(*since)),
        Reach::Skipped { since, reason } => ("skipped", Some(reason.clone()), Some(*since)),
        Reach::Left { since } => ("left", None, Some(*since)),
    };
    let keys = tally.accounts.get(&id).copied().unwrap_or_default();
    let parked = state.control().parked(id, now);
    AccountRow {
        account_id: id.to_string(),
        name: Some(account.name.clone()).filter(|name| !name.is_empty()),
        ou_path: account.ou_path.clone(),
        reach: reach.to_owned(),
        reason,
        since,
        scanned_at: account.last_success,
        unknown_keys: account.unknown_keys,
        stale: account.findings.stale(),
        deactivated: keys.deactivated,
        parked_until: parked.as_ref().map(|(_, until)| *until),
        parked_because: parked.as_ref().map(|(park, _)| park.to_string()),
    }
}

impl Look for ShowCalendar {
    async fn look(self, engine: &Engine, sight: &Sight) -> Result<CalendarDocument, Refusal> {
        let (now, outlook) = (engine.clock().now(), engine.outlook());
        let zone = engine.config().policy.time_zone.clone();
        let mut events = engine.store().read(|state| {
            let visible = state.records().filter(|record| sight.record(record));
            let events = visible.flat_map(|record| {
                let next = outlook.key(&record.identity.key).map(|key| next_step(now, &key.next));
                of_record(now, record, next).into_iter().map(|(at, what)| event(state, record, at, what))
            });
            events.collect::<Vec<_>>()
        });
        events.sort_by(|one, other| {
            let key = |event: &CalendarEvent| (event.at, event.access_key_id.clone(), event.what.clone());
            key(one).cmp(&key(other))
        });
        let mut days: BTreeMap<Date, CalendarDay> = BTreeMap::new();
        for event in events {
            let day = zone.to_datetime(event.at).date();
            let of_day = days.entry(day).or_insert_with(|| CalendarDay { day, events: Vec::new(), more: 0 });
            if of_day.events.len() < EVENTS_OF_A_DAY {
                of_day.events.push(event);
            } else {
                of_day.more += 1;
            }
        }
        Ok(CalendarDocument {
            generated_at: now,
            time_zone: zone.iana_name().unwrap_or("UTC").to_owned(),
            days: days.into_values().collect(),
        })
    }
}

/// What happens to a key, and when, if nobody acts.
fn of_record(
    now: Timestamp,
    record: &Record,
    next: Option<(NextAction, Option<Timestamp>)>,
) -> Vec<(Timestamp, &'static str)> {
    let mut events = Vec::new();
    let planned = next.and_then(|(action, at)| match action {
        NextAction::Quarantine | NextAction::Deactivate | NextAction::Delete => Some((at?, action.as_str())),
        NextAction::None | NextAction::Notice | NextAction::Approval | NextAction::Wait => None,
    });
    events.extend(planned);
    let held = !record.holds.is_empty() || record.exempt.is_some() || record.incident.is_some();
    let ahead = matches!(planned, Some((_, "quarantine" | "deactivate")));
    // The deletion after it was announced as well.
    let deletion = record.notice().and_then(|notice| notice.deletion).filter(|_| !held && ahead);
    events.extend(deletion.map(|at| (at, "delete")));
    let asked = pending(record).filter(|approval| !approval.is_granted() && now < approval.expires);
    events.extend(asked.map(|approval| (approval.expires, "approval_expires")));
    let tracked = record.state.is_tracked();
    let ends = record.holds.iter().filter(|_| tracked).filter_map(|hold| hold.until).max();
    events.extend(
        ends.filter(|_| record.holds.iter().all(|hold| hold.until.is_some())).map(|at| (at, "hold_ends")),
    );
    events.extend(record.exempt.as_ref().filter(|_| tracked).map(|mark| (mark.until, "exemption_ends")));
    events
}

fn event(state: &State, record: &Record, at: Timestamp, what: &str) -> CalendarEvent {
    let identity = &record.identity;
    let name = state.account(identity.account).map(|account| account.name.clone());
    CalendarEvent {
        at,
        what: what.to_owned(),
        account_id: identity.account.to_string(),
        account_name: name.filter(|name| !name.is_empty()),
        user_name: record.user_name.to_string(),
        access_key_id: identity.key.to_string(),
    }
}

impl Look for ListJournal {
    async fn look(self, engine: &Engine, sight: &Sight) -> Result<JournalDocument, Refusal> {
        let Self { event, actor, key, account, people, limit, cursor } = self;
        let limit = limit.unwrap_or(100);
        if !(1..=1_000).contains(&limit) {
            return Err(Refusal::Malformed("`limit` must be 1 to 1000".into()));
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let newest = match cursor.as_deref().filter(|cursor| !cursor.is_empty()) {
            None => engine.store().last_seq(),
            Some(cursor) => cursor.parse().map_err(|_| Refusal::Malformed("unknown `cursor`".into()))?,
        };
        let asked = |text: Option<String>| {
            text.map(|text| text.trim().to_lowercase()).filter(|text| !text.is_empty())
        };
        let (event, actor, key, account) = (asked(event), asked(actor), asked(key), asked(account));
        let people = asked(people).is_some_and(|people| people == "true");
        let sight = sight.clone();
        let owned = engine.store().read(|state| sight.owned_keys(state));
        let wants = move |row: &JournalRow| {
            let has = |text: &str, asked: &Option<String>| {
                asked.as_ref().is_none_or(|asked| text.to_lowercase().contains(asked.as_str()))
            };
            let is = |text: &Option<String>, asked: &Option<String>| {
                asked
                    .as_ref()
                    .is_none_or(|asked| text.as_ref().is_some_and(|text| text.to_lowercase() == *asked))
            };
            let visible = sight.is_whole()
                || row.account_id.as_ref().and_then(|id| id.parse().ok()).is_some_and(|id| sight.account(id))
                || row.access_key_id.as_ref().is_some_and(|key| owned.contains(key));
            visible
                && has(&row.event, &event)
                && has(&row.actor, &actor)
                && is(&row.access_key_id, &key)
                && is(&row.account_id, &account)
                && (!people || row.channel != "keysweep")
        };
        let read = engine.store().newest_where(newest, limit, ENTRIES_READ, move |entry| {
            let row = journal_row(entry);
            wants(&row).then_some(row)
        });
        let (entries, next) = read.await.map_err(|error| Refusal::Unavailable(in_words(&error)))?;
        Ok(JournalDocument {
            generated_at: engine.clock().now(),
            entries,
            next_cursor: next.map(|seq| seq.to_string()),
        })
    }
}

fn journal_row(entry: Entry) -> JournalRow {
    let (account, key) = match &entry.body {
        Body::Key { account, key, .. }
        | Body::KeyCreated { account, key, .. }
        | Body::ChangeFailed { account, key, .. } => (Some(*account), Some(key.to_string())),
        Body::ExemptionGranted { account, key, .. } => {
            (Some(*account), key.as_ref().map(ToString::to_string))
        }
        Body::AccountScanned { account, .. }
        | Body::AccountFindings { account, .. }
        | Body::AccountFailed { account, .. }
        | Body::AccountSkipped { account, .. }
        | Body::AccountLeft { account, .. }
        | Body::AccountUnparked { account, .. }
        | Body::ExemptionEnded { account, .. } => (Some(*account), None),
        Body::Started { .. }
        | Body::Configured { .. }
        | Body::DueAccepted { .. }
        | Body::Paused { .. }
        | Body::Resumed { .. }
        | Body::ReferenceMissing { .. }
        | Body::ReferenceCleared { .. }
        | Body::RuleAcknowledged { .. }
        | Body::Restored { .. }
        | Body::BreakerTripped { .. }
        | Body::BreakerReset { .. }
        | Body::MessageComposed { .. }
        | Body::MessageDelivered { .. }
        | Body::MessageUndeliverable { .. }
        | Body::MessageWithdrawn { .. }
        | Body::MessageRetried { .. }
        | Body::SweepFinished { .. } => (None, None),
    };
    JournalRow {
        channel: entry.actor.channel().to_owned(),
        actor: entry.actor.to_string(),
        event: entry.body.name().to_owned(),
        account_id: account.map(|account| account.to_string()),
        access_key_id: key,
        entry,
    }
}
