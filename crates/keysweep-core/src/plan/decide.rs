//! What comes next for one key.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::exempt::{self, resolve};
use super::owner::find_owner;
use super::{Context, Next, Unknown, Wait, note_unknown};
use crate::facts::{AccountFacts, Fact, KeyFacts, KeyStatus, LastUse};
use crate::finding::FindingKind;
use crate::lifecycle::event::{Consent, KeyEvent, Note, Overlay, Seen};
use crate::lifecycle::{Hold, Record, Sighting, State, When, next};
use crate::owner::Found;
use crate::policy::{Resolution, Subject};
use crate::state::Actor;
use crate::ticket::Planned;

/// One key as somebody just saw it.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Its account.
    pub account: &'a AccountFacts,
    /// What was read.
    pub facts: &'a KeyFacts,
    /// When reading began, on both clocks.
    pub sighting: &'a Sighting,
}

/// On whose behalf a decision is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The policy alone.
    Policy,
    /// An operator who names the key and the action: mode, notice and window do not apply.
    Operator(Planned),
}

/// What was decided for one key.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What happened or is to be recorded, in order.
    pub events: Vec<KeyEvent>,
    /// What people are to be told after that. What follows is decided once they are.
    pub announcement: Option<Consent>,
    /// The record after these events, once people are told.
    pub record: Option<Record>,
    /// Why it is a finding, if it is.
    pub finding: Option<FindingKind>,
    /// The exemption that matches.
    pub exempt: Option<String>,
    /// Facts that the decision needed and that could not be read.
    pub unknown: Vec<String>,
    /// The owner; if it cannot be determined now, the last known one.
    pub owner: Found,
    /// What comes next, once people are told.
    pub next: Next,
}

/// More events than this for one key at one time would be a loop in the rules; the key then waits.
const MAX_EVENTS: usize = 12;

/// A key that keysweep deleted may show for a few seconds; after this it is an alert: IAM is eventually consistent.
const LISTED_AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// Decides about one key: the events that bring its record up to date, and what comes next.
#[must_use]
pub fn decide(context: &Context<'_>, record: Option<&Record>, view: &View<'_>, by: By) -> Decision {
    let resolution = resolve(context, view.account, view.facts);
    let mut unknown = resolution.as_ref().err().cloned().unwrap_or_default();
    note_unknown(&mut unknown, "last use", &view.facts.last_use);
    note_unknown(&mut unknown, "user ID", &view.facts.user_id);

    let decided = unknown.clone();
    let owner = find_owner(context, record, view);
    let (mut events, mut announcement, mut rounds) = (Vec::new(), None, 0);
    let mut record = record.cloned();
    let (next, finding) = loop {
        // What CloudTrail showed counts as a use from the event on that says so.
        let facts =
            view.facts.with_activity(record.as_ref().and_then(|record| record.past.activity.as_deref()));
        let view = &View { facts: &facts, ..*view };
        let finding = finding(context.now, &resolution, view.facts);
        let look =
            Look { context, view, by, resolution: &resolution, finding, unknown: &decided, owner: &owner };
        let (event, told) = match look.one(record.as_ref()) {
            One::Next(next) => break (next, finding),
            One::Event(event) => (event, None),
            One::Announce(consent) => (consent.clone().into(), Some(consent)),
        };
        let when = When { at: context.now, seq: 0, actor: &Actor::Keysweep };
        match next(view.account.id, &view.facts.key, record.as_ref(), when, &event) {
            Ok(after) if rounds < MAX_EVENTS => {
                record = after;
                rounds += 1;
                match told {
                    // What comes after an announcement is shown, and decided again when it was made.
                    _ if announcement.is_some() => {}
                    Some(consent) => announcement = Some(consent),
                    None => events.push(event),
                }
            }
            Ok(_) => {
                // What would be said to people without end is not said.
                announcement = None;
                let wait = Unknown::Bug("its events repeat".into()).into();
                break (Next::Wait { action: Planned::Deactivate, wait }, finding);
            }
            Err(illegal) => {
                announcement = None;
                let wait = Unknown::Illegal(illegal).into();
                break (Next::Wait { action: Planned::Deactivate, wait }, finding);
            }
        }
    };
    // What is attached decides about changes alone: everything else goes on without it.
    if let Fact::Unknown(_) = &view.facts.policies {
        note_unknown(&mut unknown, "policies of the user", &view.facts.policies);
    }
    let exempt =
        resolution.as_ref().ok().and_then(|r| r.exempt.as_ref()).map(|e| format!("{}: {}", e.rule, e.reason));
    let owner = owner.unwrap_or_else(|why| {
        // What is not found stale is nobody's business.
        if finding.is_some() || record.is_some() {
            unknown.push(format!("owner: {why}"));
        }
        let owner = record.as_ref().and_then(|record| record.owner.clone());
        Found { owner, passed_over: Vec::new() }
    });
    Decision { events, announcement, record, finding, exempt, unknown, owner, next }
}

pub(super) fn subject<'a>(view: &View<'a>) -> Subject<'a> {
    exempt::subject(view.account, view.facts)
}

/// Why the key is a finding under its policy; `None` also where that cannot be told.
fn finding(
    now: Timestamp,
    resolution: &Result<Resolution, Vec<String>>,
    facts: &KeyFacts,
) -> Option<FindingKind> {
    let terms = &resolution.as_ref().ok()?.terms;
    let at_least = |then: Timestamp, period: Duration| {
        SignedDuration::try_from(period).is_ok_and(|period| now.duration_since(then) >= period)
    };
    match facts.last_use.known()? {
        LastUse::At { at, .. } if at_least((*at).max(facts.created), terms.unused_after) => {
            Some(FindingKind::Unused)
        }
        LastUse::Never if at_least(facts.created, terms.never_used_after) => Some(FindingKind::NeverUsed),
        LastUse::At { .. } | LastUse::Never => {
            let active = facts.status == KeyStatus::Active;
            let old = terms.max_age.is_some_and(|age| at_least(facts.created, age));
            (active && old).then_some(FindingKind::OverAge)
        }
    }
}

/// One more event, something that people are told first, or what comes next.
pub(super) enum One {
    Event(KeyEvent),
    Announce(Consent),
    Next(Next),
}

impl One {
    pub(super) fn event(event: impl Into<KeyEvent>) -> Self {
        Self::Event(event.into())
    }
}

pub(super) fn later(action: Planned, wait: impl Into<Wait>) -> One {
    One::Next(Next::Wait { action, wait: wait.into() })
}

/// Everything a decision looks at.
pub(super) struct Look<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) view: &'a View<'a>,
    pub(super) by: By,
    pub(super) resolution: &'a Result<Resolution, Vec<String>>,
    pub(super) finding: Option<FindingKind>,
    pub(super) unknown: &'a [String],
    pub(super) owner: &'a Result<Found, String>,
}

impl Look<'_> {
    fn one(&self, record: Option<&Record>) -> One {
        let facts = self.view.facts;
        let Some(record) = record else { return self.active(None) };
        if let Some(event) = self.identity(record) {
            return event;
        }
        match &record.state {
            State::Gone(_) if self.unknown.is_empty() => {
                return One::event(Seen::SeenAgain);
            }
            State::Gone(_) => return later(Planned::Deactivate, Unknown::Facts(self.unknown.to_vec())),
            State::Deleted(data) => {
                let late = self.view.sighting.at.duration_since(data.since) > LISTED_AGAIN_AFTER;
                return if late && !data.listed_again {
                    One::event(Seen::ListedAfterDeletion)
                } else {
                    One::Next(Next::Nothing)
                };
            }
            State::Deactivating(_) => return in_flight(record, Planned::Deactivate),
            State::Deleting(_) => return in_flight(record, Planned::Delete),
            State::Active | State::Flagged(_) | State::Deactivated(_) => {}
        }
        if record.in_flight() {
            return in_flight(record, next_action(&record.state));
        }
        if facts.user_name != record.user_name && facts.user_id.known().is_some() {
            return One::event(Note::Renamed { user_name: facts.user_name.clone() });
        }
        if let Some(event) = self.owner(record) {
            return One::Event(event);
        }
        if let Some(activity) = self.activity(record) {
            return One::event(Note::ActivitySeen { activity });
        }
        if let Some(event) = self.reality(record) {
            return event;
        }
        if let Some(event) = self.incident(record).or_else(|| self.quarantine(record)) {
            return One::Event(event);
        }
        // The end of an overlay resets clocks, so it waits for the facts as everything else does.
        if self.unknown.is_empty() {
            // One that this very plan places has no number yet: it ends with the next.
            let over = |hold: &&Hold| hold.number != 0 && hold.until.is_some_and(|at| at <= self.context.now);
            if let Some(hold) = record.holds.iter().find(over) {
                return One::event(Overlay::HoldExpired { hold: hold.number });
            }
            if let Some(event) = self.exemption(record).or_else(|| self.ending(record)) {
                return One::Event(event);
            }
        }
        match &record.state {
            State::Active => self.active(Some(record)),
            State::Flagged(data) => self.flagged(record, data),
            State::Deactivated(data) => self.deactivated(record, data),
            State::Deactivating(_) | State::Deleting(_) | State::Deleted(_) | State::Gone(_) => {
                One::Next(Next::Nothing)
            }
        }
    }

    /// Refuses a key that is not the one that was recorded.
    fn identity(&self, record: &Record) -> Option<One> {
        is_another(record, self.view).then(|| later(next_action(&record.state), Unknown::Identity))
    }
}

/// Whether the key that was read is surely not the recorded one. An unknown user ID is no proof of that.
#[must_use]
pub fn is_another(record: &Record, view: &View<'_>) -> bool {
    let (facts, identity) = (view.facts, &record.identity);
    let other_key = facts.key != identity.key;
    let other_age = facts.created != identity.created;
    other_key || other_age || is_of_another_user(record, view)
}

/// Whether what was read is surely of another user than the recorded one. An unknown user ID is no proof of that.
pub(super) fn is_of_another_user(record: &Record, view: &View<'_>) -> bool {
    let (facts, identity) = (view.facts, &record.identity);
    let other_user = facts.user_id.known().is_some_and(|id| *id != identity.user_id);
    let other_account = facts.account != identity.account || view.account.id != identity.account;
    other_user || other_account
}

fn in_flight(record: &Record, action: Planned) -> One {
    let intent = match &record.state {
        _ if record.undo.is_some() => record.undo.as_deref(),
        State::Deactivating(data) => Some(&data.intent),
        State::Deleting(data) => Some(&data.intent),
        State::Active | State::Flagged(_) | State::Deactivated(_) | State::Deleted(_) | State::Gone(_) => {
            record.attachment().map(|open| open.parts().1)
        }
    };
    later(action, Unknown::Outcome { accepted: intent.and_then(|intent| intent.accepted.clone()) })
}

fn next_action(state: &State) -> Planned {
    match state {
        State::Active | State::Flagged(_) | State::Deactivating(_) => Planned::Deactivate,
        State::Deactivated(_) | State::Deleting(_) | State::Deleted(_) | State::Gone(_) => Planned::Delete,
    }
}
