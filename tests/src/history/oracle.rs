//! The oracle: it sees the wire, the durable lines of the journal and what operators were told, and holds keysweep to
//! its promises. It shares no code with keysweep: not its policy, not its planner, not its records.

mod access;
mod bundles;
mod consent;
mod journal;
mod judge;
mod mail;
mod quarantine;
mod seen;
mod watch;
mod wire;
mod xml;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use keysweep_sim::Sim;

pub(super) use self::access::May;
use self::seen::Seen;
use self::watch::Watched;
use super::answers::Sent;
use super::death::Death;
use super::disk::PowerDisk;
use super::rules::Rules;
use super::tally::Tally;
use super::time::TrueTime;

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// `P1` to `P14`.
    pub promise: &'static str,
    /// How.
    pub what: String,
}

/// At which call the process dies.
#[derive(Debug, Clone, Copy)]
pub(super) struct CallFuse {
    /// Calls before it.
    pub(super) calls: u32,
    /// Whether the call is carried out and only its answer is lost.
    pub(super) carried_out: bool,
}

/// The oracle. Clones share it.
#[derive(Clone)]
pub(super) struct Oracle {
    sim: Sim,
    time: TrueTime,
    death: Death,
    disk: PowerDisk,
    inner: Arc<Mutex<Inner>>,
}

/// Something an operator was promised about a key.
#[derive(Debug, Clone, Copy)]
struct Held {
    since: Timestamp,
    until: Option<Timestamp>,
    promise: &'static str,
    why: &'static str,
}

struct Inner {
    /// Where evidence bundles are.
    evidence: PathBuf,
    /// The bundle of the next deletion of a key, as the journal names it.
    bundles: BTreeMap<String, String>,
    rules: Rules,
    /// The rules before, oldest first, and until when a call may still rest on them.
    before: Vec<(Rules, Timestamp)>,
    life: u64,
    fuse: Option<CallFuse>,
    seen: Seen,
    watched: BTreeMap<String, Watched>,
    /// Keys that keysweep may not touch by itself.
    held: BTreeMap<String, Vec<Held>>,
    paused: bool,
    /// When the pause was acknowledged.
    paused_since: Option<Timestamp>,
    /// Changes of the ledger that were looked at.
    ledger_read: u64,
    /// The last failed change in each account.
    failed: BTreeMap<String, Timestamp>,
    /// How many changes in a row were throttled in each account.
    throttled: BTreeMap<String, u32>,
    /// Keys whose change is intended and not settled, with their account, and whether that was scanned since.
    unsettled: BTreeMap<String, journal::Unsettled>,
    /// Quarantines that the journal tells of, by key.
    quarantined: BTreeMap<String, quarantine::Quarantined>,
    /// Quarantines in which nobody showed himself and that are over, by key: from when until when.
    quiet: BTreeMap<String, (Timestamp, Timestamp)>,
    /// What was attached before then may be forgotten: data_dir was lost, or an old copy was put back.
    forgotten_until: Option<Timestamp>,
    /// Who a key belongs to and when it was made, as it was flagged.
    named: BTreeMap<String, (String, Option<Timestamp>)>,
    newly_due: usize,
    /// Whether the machine's clock tells the time, give or take a minute.
    clock_is_right: bool,
    tripped: bool,
    /// The key and change that an operator orders right now.
    ordered: Option<(String, &'static str)>,
    /// Requests for approval that are asked, by key.
    requests: BTreeMap<String, consent::Request>,
    /// Whose keys are, as the journal tells.
    owner_of: BTreeMap<String, Option<String>>,
    /// Keys whose last deactivation a person ordered.
    by_name: BTreeSet<String>,
    /// Keys whose user AWS has marked, as the journal tells.
    marked: BTreeSet<String>,
    /// The key of the last undo, if a link asked for it.
    undone_by_link: Option<String>,
    /// When the last sweep ended.
    last_sweep: Option<Timestamp>,
    /// Since when accounts are where they are, and whether that is the OU that rules may exempt.
    placed: BTreeMap<String, (Timestamp, bool)>,
    /// Users, by ID, whom AWS has put under quarantine, and since when.
    incidents: BTreeMap<String, Timestamp>,
    /// Calls that change keys, sent and of an end that nobody knows.
    open: BTreeMap<u64, (String, &'static str, Timestamp)>,
    /// Calls that change keys for which this process still waits, unless its time limit has ended them.
    in_flight: BTreeMap<u64, (String, &'static str, Timestamp)>,
    /// When a change was last sent, by key and action.
    sent_at: BTreeMap<(String, &'static str), Timestamp>,
    intents: BTreeMap<(String, &'static str), u64>,
    sent: BTreeMap<(String, &'static str), u64>,
    applied: Vec<Applied>,
    /// Keys that were set Active after a deactivation, as the journal tells: each further change needs approval.
    woken: BTreeSet<String>,
    /// Keys that keysweep has deactivated at any time.
    deactivated: BTreeSet<String>,
    /// Whether the last call of that change was answered clearly.
    answered: BTreeMap<(String, &'static str), bool>,
    /// When keys were last used in a way that CloudTrail shows.
    logged: BTreeMap<String, Vec<Timestamp>>,
    /// Keys that became unclear since somebody looked.
    unclear: BTreeSet<String>,
    /// Notices on record.
    noticed: BTreeMap<String, journal::Notice>,
    /// Whom the last notice of a key was for.
    told: BTreeMap<String, Option<String>>,
    /// Announcements of changes of a key that a channel accepted.
    received: BTreeMap<String, Vec<mail::Received>>,
    /// Links in messages that a channel accepted, the newest last.
    links: Vec<Sent>,
    /// Those of them that reactivate, for longer.
    reactivations: Vec<Sent>,
    /// Messages that the journal knows to be delivered.
    delivered: BTreeSet<u64>,
    /// Messages of which this process heard that they were accepted.
    acknowledged: BTreeSet<u64>,
    /// Last use of keys when they were flagged.
    flagged: BTreeMap<String, Option<Timestamp>>,
    /// When the line of that number was first seen.
    first_seen: BTreeMap<u64, Timestamp>,
    memory_lost: bool,
    deactivated_at: BTreeMap<String, Timestamp>,
    tally: Tally,
    breach: Option<Breach>,
}

#[derive(Debug, Clone)]
struct Applied {
    at: Timestamp,
    account: String,
    action: &'static str,
}

/// So long keysweep waits for the answer to a change, less what its pace may add.
const ATTEMPT: SignedDuration = SignedDuration::from_secs(10);

/// Why a key is held that somebody set Active.
const WOKEN: &str = "it was reactivated";

pub(super) const DEACTIVATE: &str = "deactivate";
pub(super) const QUARANTINE: &str = "quarantine";
pub(super) const END_QUARANTINE: &str = "end_quarantine";
pub(super) const DELETE: &str = "delete";
pub(super) const REACTIVATE: &str = "reactivate";

/// Whether it gives access back.
fn is_undo(action: &str) -> bool {
    matches!(action, REACTIVATE | END_QUARANTINE)
}

impl Oracle {
    pub(super) fn new(
        sim: Sim,
        time: TrueTime,
        death: Death,
        disk: PowerDisk,
        rules: Rules,
        data_dir: &Path,
    ) -> Self {
        let inner = Inner {
            evidence: data_dir.join("evidence"),
            bundles: BTreeMap::new(),
            rules,
            before: Vec::new(),
            life: 0,
            fuse: None,
            seen: Seen::default(),
            watched: BTreeMap::new(),
            held: BTreeMap::new(),
            paused: false,
            paused_since: None,
            ledger_read: 0,
            failed: BTreeMap::new(),
            throttled: BTreeMap::new(),
            unsettled: BTreeMap::new(),
            quarantined: BTreeMap::new(),
            quiet: BTreeMap::new(),
            forgotten_until: None,
            named: BTreeMap::new(),
            newly_due: 0,
            clock_is_right: true,
            tripped: false,
            ordered: None,
            requests: BTreeMap::new(),
            owner_of: BTreeMap::new(),
            by_name: BTreeSet::new(),
            marked: BTreeSet::new(),
            undone_by_link: None,
            last_sweep: None,
            placed: BTreeMap::new(),
            incidents: BTreeMap::new(),
            open: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            sent_at: BTreeMap::new(),
            intents: BTreeMap::new(),
            sent: BTreeMap::new(),
            applied: Vec::new(),
            woken: BTreeSet::new(),
            deactivated: BTreeSet::new(),
            answered: BTreeMap::new(),
            logged: BTreeMap::new(),
            unclear: BTreeSet::new(),
            noticed: BTreeMap::new(),
            told: BTreeMap::new(),
            received: BTreeMap::new(),
            links: Vec::new(),
            reactivations: Vec::new(),
            delivered: BTreeSet::new(),
            acknowledged: BTreeSet::new(),
            flagged: BTreeMap::new(),
            first_seen: BTreeMap::new(),
            memory_lost: false,
            deactivated_at: BTreeMap::new(),
            tally: Tally::default(),
            breach: None,
        };
        Self { sim, time, death, disk, inner: Arc::new(Mutex::new(inner)) }
    }

    /// Looks at the wire from now on.
    pub(super) fn look(&self) {
        self.sim.watch(Arc::new(self.clone()));
    }

    /// The first promise that was broken.
    pub(super) fn breach(&self) -> Option<Breach> {
        self.locked().breach.clone()
    }

    pub(super) fn broken(&self, promise: &'static str, what: String) {
        self.locked().broken(promise, what);
    }

    pub(super) fn tally(&self) -> Tally {
        self.locked().tally.clone()
    }

    pub(super) fn count(&self, name: &str) {
        self.locked().tally.add(name);
    }

    pub(super) fn rules(&self) -> Rules {
        self.locked().rules.clone()
    }

    /// Other rules are in force; what is on its way may rest on the old ones for a moment.
    pub(super) fn rules_changed(&self, rules: Rules) {
        let until = self.time.now() + SignedDuration::from_secs(30);
        let mut inner = self.locked();
        let before = std::mem::replace(&mut inner.rules, rules);
        inner.before.push((before, until));
    }

    pub(super) fn life_began(&self) {
        let mut inner = self.locked();
        inner.life += 1;
        inner.acknowledged.clear();
        inner.fuse = None;
        inner.in_flight.clear();
        inner.seen = Seen::default();
    }

    pub(super) fn fuse(&self, fuse: Option<CallFuse>) {
        self.locked().fuse = fuse;
    }

    /// data_dir is lost, or an old copy of it was put back: what restrained keysweep may be forgotten, and so the oracle
    /// asks for nothing of it but the pause.
    pub(super) fn memory_lost(&self) {
        let now = self.time.now();
        let mut inner = self.locked();
        inner.forgotten_until = Some(now);
        inner.held.clear();
        inner.requests.clear();
        inner.first_seen.clear();
        inner.applied.clear();
        inner.open.clear();
        inner.answered.clear();
        inner.unclear.clear();
        inner.failed.clear();
        inner.throttled.clear();
        inner.deactivated_at.clear();
        inner.unsettled.clear();
        // An old copy may have the breaker open: until it is reset, nothing is known of it.
        inner.tripped = true;
        inner.newly_due = 0;
        inner.memory_lost = true;
    }

    pub(super) fn paused(&self, paused: bool) {
        let now = self.time.now();
        let mut inner = self.locked();
        inner.paused = paused;
        inner.paused_since = paused.then_some(now);
    }

    /// P8: keysweep said that a pause or another configuration is in force. No call that was decided without it is on its
    /// way any more.
    pub(super) fn restrained(&self, by: &str) {
        let now = self.time.now();
        let mut inner = self.locked();
        let waits = |sent: Timestamp| now.duration_since(sent) < ATTEMPT;
        let call = inner.in_flight.values().find(|(_, action, sent)| !is_undo(action) && waits(*sent));
        if let Some((key, action, sent)) = call {
            let what = format!("{by} was acknowledged while {action} of {key} was on its way, since {sent}");
            inner.broken("P8", what);
        }
    }

    pub(super) fn is_paused(&self) -> bool {
        self.locked().paused
    }

    pub(super) fn ordered(&self, order: Option<(String, &'static str)>) {
        self.locked().ordered = order;
    }

    /// Keys of whose change nobody heard.
    pub(super) fn unsure(&self) -> Vec<String> {
        let inner = self.locked();
        let unclear = |held: &Held| held.promise == "P5";
        inner.held.iter().filter(|(_, held)| held.iter().any(unclear)).map(|(key, _)| key.clone()).collect()
    }

    /// Keys whose deactivation became unclear since this was asked, and of which nothing was written since.
    pub(super) fn became_unclear(&self) -> BTreeSet<String> {
        std::mem::take(&mut self.locked().unclear)
    }

    /// The key of a change that is on its way.
    pub(super) fn changing(&self) -> Option<String> {
        let inner = self.locked();
        let change = inner.open.values().find(|(_, action, _)| !is_undo(action));
        change.map(|(key, ..)| key.clone())
    }

    /// Keys whose change is intended and not settled.
    pub(super) fn unsettled(&self) -> Vec<String> {
        self.locked().unsettled.keys().cloned().collect()
    }

    /// Keys that are announced to be changed.
    pub(super) fn announced(&self) -> Vec<String> {
        self.locked().noticed.keys().cloned().collect()
    }

    /// Somebody uses an Active key in a way that CloudTrail shows.
    pub(super) fn logged(&self, key: &str) {
        let now = self.time.now();
        self.locked().logged.entry(key.into()).or_default().push(now);
    }

    /// AWS saw a key of that user exposed.
    pub(super) fn incident(&self, user_id: &str) {
        let now = self.time.now();
        self.locked().incidents.entry(user_id.into()).or_insert(now);
    }

    /// An account is in the OU that rules may exempt from now on, or is not.
    pub(super) fn moved(&self, account: &str, exempt: bool) {
        let now = self.time.now();
        self.locked().placed.insert(account.into(), (now, exempt));
    }

    pub(super) fn held(&self, key: &str, until: Option<Timestamp>, promise: &'static str, why: &'static str) {
        let since = self.time.now();
        self.locked().held.entry(key.into()).or_default().push(Held { since, until, promise, why });
    }

    pub(super) fn released(&self, key: &str) {
        self.locked().held.remove(key);
    }

    /// An owner set a key Active that keysweep had deactivated, or anyone did.
    pub(super) fn woken(&self, key: &str) {
        let mut inner = self.locked();
        // A key whose deactivation is forgotten is like any other.
        if !inner.deactivated_at.contains_key(key) {
            return;
        }
        let since = self.time.now();
        let until = since + Rules::days(inner.rules.hold_after_reactivation);
        let held = Held { since, until: Some(until), promise: "P7", why: WOKEN };
        inner.held.entry(key.into()).or_default().push(held);
    }

    /// Reads the journal that a new process has opened.
    pub(super) fn read_whole_journal(&self, folder: &Path) {
        let mut segments: Vec<_> =
            fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
        segments.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
        segments.sort();
        let lines: Vec<u8> = segments.iter().filter_map(|path| fs::read(path).ok()).flatten().collect();
        self.disk.durable_lines();
        self.locked().whole_journal(&lines);
    }

    /// Reads what the journal has on disk by now.
    pub(super) fn read_journal(&self) {
        let lines = self.disk.durable_lines();
        let (now, off) = (self.time.now(), self.time.off());
        let mut inner = self.locked();
        inner.clock_is_right = off.abs() < SignedDuration::from_secs(60);
        inner.journal(&self.sim, now, &lines);
    }

    /// Settles, by what is true, the calls whose end nobody saw.
    pub(super) fn settle(&self) {
        let now = self.time.now();
        let mut inner = self.locked();
        inner.settle(&self.sim, now);
        inner.after_pause(&self.sim);
    }

    fn locked(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn broken(&mut self, promise: &'static str, what: String) {
        if self.breach.is_none() {
            self.breach = Some(Breach { promise, what });
        }
    }

    /// Whether the process dies at this call, and how.
    fn burns(&mut self) -> Option<CallFuse> {
        let fuse = self.fuse.as_mut()?;
        if fuse.calls > 0 {
            fuse.calls -= 1;
            return None;
        }
        self.fuse.take()
    }

    /// The longest span between two looks that counts.
    fn longest_span(&self, now: Timestamp) -> SignedDuration {
        // Between two sightings the rules may have changed more than once.
        let before = self.before_within(now, SignedDuration::from_hours(72)).map(Rules::interval).max();
        // And a little, as a look takes time.
        self.rules.interval().max(before.unwrap_or_default()) * 2 + SignedDuration::from_mins(20)
    }

    /// The rules that were in force within this span, besides those that are.
    fn before_within(&self, now: Timestamp, span: SignedDuration) -> impl Iterator<Item = &Rules> {
        self.before
            .iter()
            .filter(move |(_, until)| now.duration_since(*until) <= span)
            .map(|(rules, _)| rules)
    }
}
