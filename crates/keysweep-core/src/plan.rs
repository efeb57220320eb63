//! From facts, records and policy to steps and waits: a pure function, and a value that leaves nothing to choose.
//!
//! [`plan`] looks at the whole organization; [`decide`] looks at one key and is the same function that the re-check
//! right before a change asks again ([`recheck`]).

mod consent;
mod decide;
mod exempt;
mod gate;
mod next;
mod owner;
mod quarantine;
mod reality;
mod recheck;
mod wait;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

pub use self::decide::{By, Decision, View, decide, is_another};
pub use self::exempt::{granted_matches, resolve};
pub use self::gate::{gate, newly_due, trips_on_failures};
pub use self::quarantine::{end_quarantine, quarantine_ends_because, quarantines_to_end};
pub use self::recheck::{Refusal, ordered, recheck, undo};
pub use self::wait::{Need, Reason, Recheck, Unknown, Wait};
use crate::effect::{Announcement, Effect};
use crate::facts::{AccountFacts, AccountScan, Collection, Fact, KeyFacts, KeyStatus, Outcome};
use crate::finding::{Counts, FindingKind};
use crate::ids::{AccessKeyId, AccountId};
use crate::lifecycle::event::{Change, Overlay, Seen};
use crate::lifecycle::{Due, KeyEvent, Record, State as KeyState};
use crate::owner::Found;
use crate::policy::Policy;
use crate::state::{Actor, Body, Entry, State};
use crate::ticket::{Action, Origin, Planned, Ticket};

/// What a decision rests on beside the facts of the key.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Policy time.
    pub now: Timestamp,
    /// What the operator wants.
    pub policy: &'a Policy,
    /// Records and restraints.
    pub state: &'a State,
}

/// What comes next for a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Nothing: it is in no lifecycle, or at its end.
    Nothing,
    /// A change would, but not now.
    Wait {
        /// Which.
        action: Planned,
        /// Why not now.
        wait: Wait,
    },
    /// A change, now.
    Step {
        /// Which; never an undo.
        action: Action,
        /// Why.
        why: String,
    },
}

/// One key as the plan sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedKey {
    /// Index into the accounts of the collection.
    pub account: usize,
    /// What was read.
    pub facts: Arc<KeyFacts>,
    /// Why it is a finding, if it is.
    pub finding: Option<FindingKind>,
    /// The record as it will be once the plan's entries are written.
    pub record: Option<Arc<Record>>,
    /// The exemption that matches, recorded or not.
    pub exempt: Option<String>,
    /// Facts that a decision would need and that could not be read.
    pub unknown: Vec<String>,
    /// To whom it belongs, and what a tag says of that and leads to nobody.
    pub owner: Found,
    /// Whether people are to be told something first.
    pub announces: bool,
    /// What comes next, once they are told.
    pub next: Next,
}

/// What is to be written and done.
#[derive(Debug, Default)]
pub struct Plan {
    /// Entries for the journal, in this order, before anything is done.
    pub entries: Vec<Body>,
    /// What was planned and cannot happen: a bug of the planner, which costs only the keys concerned.
    pub left_out: Vec<Body>,
    /// What to do after that, in this order.
    pub effects: Vec<Effect>,
    /// Changes that only the caps keep back, in this order: some of the others may not be made after all. The
    /// gate applies to them as to the others.
    pub spare: Vec<Ticket>,
    /// Every key that is a finding or has a record, in the order of the collection.
    pub keys: Vec<PlannedKey>,
    /// Keys found Inactive of which nothing is recorded.
    pub inactive_of_unknown_origin: Vec<(AccountId, AccessKeyId)>,
    /// Set if this is a part: its entries are to be written and its announcements made, and then it is planned again, from
    /// this account on.
    pub goes_on_from: Option<usize>,
}

/// More changes than this in reserve would only cost reads: the next sweep plans again.
const MAX_SPARE: usize = 500;

/// Plans over everything that was collected.
#[must_use]
pub fn plan(now: Timestamp, policy: &Policy, state: &State, collection: &Collection) -> Plan {
    plan_part(0, usize::MAX, now, policy, state, collection)
}

/// As [`plan`], but begins with the account of this index, and ends with the one that makes so many entries and announcements
/// full: so that a sweep which finds very much does not need memory for all of it at once. A part has no changes: they depend
/// on all keys, so that after the last account it goes on from the first.
#[must_use]
pub fn plan_part(
    from: usize,
    most: usize,
    now: Timestamp,
    policy: &Policy,
    state: &State,
    collection: &Collection,
) -> Plan {
    // A part has few of them; otherwise most keys have a record.
    let known = if from == 0 { state.records().len() } else { 0 };
    let mut plan = Plan { keys: Vec::with_capacity(known), ..Plan::default() };
    let context = Context { now, policy, state };
    for (index, (account, outcome)) in collection.accounts.iter().enumerate().skip(from) {
        match outcome {
            Outcome::Scanned(scan) => plan.account(&context, index, account, scan),
            // What could not be read changes nothing.
            Outcome::Failed { .. } | Outcome::Skipped { .. } => {}
        }
        if plan.entries.len() + plan.effects.len() >= most {
            return plan.part(index + 1, &context, collection);
        }
    }
    if from > 0 {
        return plan.part(0, &context, collection);
    }
    if collection.complete {
        plan.accounts_left(state, collection);
    }
    plan.by_this_clock(collection);
    let restrained = plan.breaker(&context, collection);
    plan.mint(&restrained, now, policy);
    plan
}

impl Plan {
    /// The changes among the effects.
    pub fn changes(&self) -> impl Iterator<Item = &Ticket> {
        self.effects.iter().filter_map(|effect| match effect {
            Effect::Change(ticket) => Some(ticket),
            Effect::Notify(_) | Effect::AskApproval(_) => None,
        })
    }

    /// What people are to be told, among the effects.
    pub fn announcements(&self) -> impl Iterator<Item = &Announcement> {
        self.effects.iter().filter_map(|effect| match effect {
            Effect::Notify(announcement) | Effect::AskApproval(announcement) => Some(announcement),
            Effect::Change(_) => None,
        })
    }

    /// What was planned so far, as a part: entries, and announcements with their keys.
    fn part(mut self, goes_on_from: usize, context: &Context<'_>, collection: &Collection) -> Self {
        self.by_this_clock(collection);
        self.state_after(context);
        let Self { entries, left_out, effects, mut keys, .. } = self;
        keys.retain(|key| key.announces);
        Self { entries, left_out, effects, keys, goes_on_from: Some(goes_on_from), ..Self::default() }
    }

    /// By a clock that is wrong nothing has become stale, and a notice would be dated into the past or the future.
    fn by_this_clock(&mut self, collection: &Collection) {
        if collection.skewed().is_some() {
            self.entries.retain(is_sign_of_life);
            self.silence(|_| true);
        }
    }

    /// Tells people nothing about these keys after all.
    fn silence(&mut self, which: impl Fn(&AccessKeyId) -> bool) {
        self.effects.retain(|effect| match effect {
            Effect::Notify(announcement) | Effect::AskApproval(announcement) => !which(announcement.key()),
            Effect::Change(_) => true,
        });
    }

    /// The effects, sorted by what carries them out: changes, and what people are told.
    #[must_use]
    pub fn take_effects(&mut self) -> (Vec<Ticket>, Vec<Announcement>) {
        let (mut changes, mut announcements) = (Vec::new(), Vec::new());
        for effect in std::mem::take(&mut self.effects) {
            match effect {
                Effect::Change(ticket) => changes.push(ticket),
                Effect::Notify(announcement) | Effect::AskApproval(announcement) => {
                    announcements.push(announcement);
                }
            }
        }
        (changes, announcements)
    }

    fn account(&mut self, context: &Context<'_>, index: usize, account: &AccountFacts, scan: &AccountScan) {
        let mut findings = Counts::default();
        // A user has at most two keys.
        let mut hidden = 2 * scan.hidden_users();
        for facts in &scan.keys {
            let record = context.state.record(&facts.key);
            let decision =
                decide(context, record, &View { account, facts, sighting: &scan.sighting }, By::Policy);
            let unrecorded = record.is_none() && decision.record.is_none();
            if unrecorded && facts.status == KeyStatus::Inactive {
                self.inactive_of_unknown_origin.push((account.id, facts.key.clone()));
            }
            if facts.status == KeyStatus::Active {
                count(&mut findings, decision.finding, decision.exempt.is_some());
            }
            let unknown = waits_for_facts(context, account, facts, &decision, !unrecorded);
            let key = |event| Body::Key { account: account.id, key: facts.key.clone(), event };
            self.entries.extend(decision.events.into_iter().map(key));
            let announces = decision.announcement.is_some();
            let announced =
                decision.announcement.map(|it| Effect::announce(account.id, facts.key.clone(), it));
            self.effects.extend(announced);
            hidden += usize::from(unknown && facts.status != KeyStatus::Inactive);
            let found = decision.finding.is_some() && facts.status != KeyStatus::Inactive;
            if !unrecorded || found || unknown {
                let activity = decision.record.as_ref().and_then(|record| record.past.activity.as_deref());
                self.keys.push(PlannedKey {
                    account: index,
                    facts: match facts.with_activity(activity) {
                        Cow::Borrowed(_) => Arc::clone(facts),
                        Cow::Owned(facts) => Arc::new(facts),
                    },
                    finding: decision.finding,
                    record: match decision.record {
                        // Most keys stay as they are.
                        same if same.as_ref() == record => context.state.shared_record(&facts.key),
                        changed => changed.map(Arc::new),
                    },
                    exempt: decision.exempt,
                    unknown: decision.unknown,
                    owner: decision.owner,
                    announces,
                    next: decision.next,
                });
            }
        }
        if let Some(record) = context.state.account(account.id) {
            let findings =
                findings.or_last_known(&record.findings, u64::try_from(hidden).unwrap_or(u64::MAX));
            if record.findings != findings {
                self.entries.push(Body::AccountFindings { account: account.id, findings });
            }
        }
        for key in &scan.absent {
            let record = context.state.record(key).filter(|r| r.identity.account == account.id);
            let Some(record) = record else { continue };
            if let Some(event) = absent(record, scan) {
                self.entries.push(Body::Key { account: account.id, key: key.clone(), event });
            }
        }
    }

    fn accounts_left(&mut self, state: &State, collection: &Collection) {
        let listed: BTreeSet<AccountId> = collection.accounts.iter().map(|(account, _)| account.id).collect();
        for (account, record) in state.accounts() {
            let left = matches!(record.reach, crate::state::Reach::Left { .. });
            if !left && !listed.contains(&account) {
                self.entries.push(Body::AccountLeft { account });
            }
        }
    }

    /// Trips the breaker or takes what became due into its baseline; gives the state as it will be.
    fn breaker(&mut self, context: &Context<'_>, collection: &Collection) -> State {
        let mut after = self.state_after(context);
        let open = after.control().breaker.is_some();
        let entry = match gate::trips(context, &after, collection) {
            Some(_) if open => None,
            Some(reason) => Some(Body::BreakerTripped { reason }),
            // The last plan of a sweep accepts what became due in all of them.
            None if open || self.announcements().next().is_some() => None,
            None => {
                let keys = gate::newly_due(&after);
                (!keys.is_empty()).then_some(Body::DueAccepted { keys })
            }
        };
        let fewer = collection.skewed().is_some() || !self.left_out.is_empty();
        if entry.is_some() || fewer {
            if let Some(body) = entry {
                replay(&mut after, context.now, &body);
                self.entries.push(body);
            }
            for key in &mut self.keys {
                key.record = after.shared_record(&key.facts.key);
            }
        }
        after
    }

    /// The state as it will be, with every entry that can happen; one that cannot is left out, so that it does not take
    /// the others with it.
    fn state_after(&mut self, context: &Context<'_>) -> State {
        let mut after = context.state.clone();
        let (entries, left_out) = std::mem::take(&mut self.entries)
            .into_iter()
            .partition(|body| replay(&mut after, context.now, body));
        (self.entries, self.left_out) = (entries, left_out);
        let key_of = |body: &Body| if let Body::Key { key, .. } = body { Some(key.clone()) } else { None };
        let left_out: BTreeSet<AccessKeyId> = self.left_out.iter().filter_map(key_of).collect();
        self.silence(|key| left_out.contains(key));
        after
    }

    /// Turns steps into tickets as far as restraints and caps allow, and the rest into waits.
    fn mint(&mut self, state: &State, now: Timestamp, policy: &Policy) {
        let context = Context { now, policy, state };
        let mut caps = gate::Caps::new(&context);
        let mut order: Vec<usize> = (0..self.keys.len()).collect();
        // What has been due the longest goes first; the key ID makes the order complete.
        order.sort_by_key(|index| {
            let key = self.keys.get(*index);
            let since = key
                .and_then(|k| k.record.as_ref())
                .and_then(|r| r.due.as_ref())
                .map(|Due { since, .. }| *since);
            (since, key.map(|k| k.facts.key.clone()))
        });
        for index in order {
            let Some(planned) = self.keys.get_mut(index) else { continue };
            let (Next::Step { action, why }, Some(record)) = (&planned.next, &planned.record) else {
                continue;
            };
            let action = *action;
            let ticket = || {
                let (identity, why) = (record.identity.clone(), why.clone());
                Ticket::mint(identity, action, Origin::Policy, why)
            };
            let Some(to) = action.planned() else { continue };
            let may = gate::restrained(&context, record, to, By::Policy);
            let verdict = match planned.announces {
                // It is no more than shown until people are told.
                true => may.map(|()| None),
                false => may.and_then(|()| caps.take(record, action)).map(|()| Some(ticket())),
            };
            match verdict {
                Ok(ticket) => self.effects.extend(ticket.map(Effect::Change)),
                Err(wait) => {
                    if wait.reason() == Reason::Cap && self.spare.len() < MAX_SPARE {
                        self.spare.push(ticket());
                    }
                    planned.next = Next::Wait { action: to, wait };
                }
            }
        }
    }
}

/// What people are to be told of what a plan wants them told, decided again on the present state: what has been decided
/// meanwhile comes first, and a key of which something is to be recorded first is left to the next plan.
#[must_use]
pub fn still_to_tell(context: &Context<'_>, collection: &Collection, plan: &Plan) -> Vec<Announcement> {
    let wanted: BTreeSet<&AccessKeyId> = plan.announcements().map(Announcement::key).collect();
    let announced = plan.keys.iter().filter(|key| wanted.contains(&key.facts.key));
    let again = announced.filter_map(|key| {
        let (account, Outcome::Scanned(scan)) = collection.accounts.get(key.account)? else { return None };
        let view = View { account, facts: &key.facts, sighting: &scan.sighting };
        let decision = decide(context, context.state.record(&key.facts.key), &view, By::Policy);
        let told = decision.announcement.filter(|_| decision.events.is_empty())?;
        Some(Announcement::new(account.id, key.facts.key.clone(), told))
    });
    again.collect()
}

/// How many keys of an account wait because a fact that the policy needs could not be read, users that could not be
/// read at all counted as one each. Scan, journal, gauges and page all count by this.
#[must_use]
pub fn unknown_keys(context: &Context<'_>, account: &AccountFacts, scan: &AccountScan) -> u64 {
    let waits = |facts: &&Arc<KeyFacts>| {
        let record = context.state.record(&facts.key);
        let decision =
            decide(context, record, &View { account, facts, sighting: &scan.sighting }, By::Policy);
        let recorded = record.is_some() || decision.record.is_some();
        waits_for_facts(context, account, facts, &decision, recorded)
    };
    let keys = scan.keys.iter().filter(waits).count() + scan.unread();
    u64::try_from(keys).unwrap_or(u64::MAX)
}

/// Whether a key that something could follow from lacks a fact that the policy needs.
fn waits_for_facts(
    context: &Context<'_>,
    account: &AccountFacts,
    facts: &KeyFacts,
    decision: &Decision,
    recorded: bool,
) -> bool {
    let in_question = match facts.status {
        KeyStatus::Active | KeyStatus::Other(_) => true,
        // Nothing follows from a key that is Inactive already, unless it could be taken over.
        KeyStatus::Inactive => recorded || context.policy.may_adopt_inactive(account),
    };
    in_question && !decision.unknown.is_empty()
}

/// Whether it ends a watch, or a quarantine, whatever the time: grace would go on over it otherwise, and a client would
/// stay denied.
fn is_sign_of_life(body: &Body) -> bool {
    matches!(
        body,
        Body::Key {
            event: KeyEvent::Seen(
                Seen::Reactivated { .. } | Seen::LastUseMoved { .. } | Seen::UsedInQuarantine { .. }
            ) | KeyEvent::Overlay(Overlay::QuarantineInterrupted { .. }),
            ..
        }
    )
}

fn count(findings: &mut Counts, finding: Option<FindingKind>, exempt: bool) {
    let Some(finding) = finding else { return };
    findings.add(finding, 1);
    findings.exempt += u64::from(exempt && finding.is_stale());
}

/// What it means that a complete listing lacks a key.
fn absent(record: &Record, scan: &AccountScan) -> Option<KeyEvent> {
    match &record.state {
        KeyState::Deleting(data) if data.intent.at < scan.sighting.at => {
            Some(Change::Deleted { request_id: None }.into())
        }
        KeyState::Active | KeyState::Flagged(_) | KeyState::Deactivated(_) | KeyState::Deactivating(_) => {
            Some(Seen::Absent.into())
        }
        // An intent that is younger than the listing is settled by the one who wrote it.
        KeyState::Deleting(_) | KeyState::Deleted(_) | KeyState::Gone(_) => None,
    }
}

/// Applies a planned entry to a copy of the state; whether it can happen. Planned entries are legal by construction, and
/// an illegal one leaves the copy as it is.
fn replay(state: &mut State, now: Timestamp, body: &Body) -> bool {
    let entry = Entry { seq: 0, at: now, actor: Actor::Keysweep, body: body.clone() };
    state.replay(&entry).is_ok()
}

/// Whether a fact is unknown, as text for a finding's `unknown`.
fn note_unknown<T>(unknown: &mut Vec<String>, what: &str, fact: &Fact<T>) {
    if let Some(why) = fact.why_unknown() {
        unknown.push(format!("{what}: {why}"));
    }
}

#[cfg(test)]
mod tests;
