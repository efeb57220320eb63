//! What comes next for one key.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::consent::Consent;
use super::{Context, Next, Reason, Wait, join, note_unknown};
use crate::facts::{AccountFacts, Fact, KeyFacts, KeyStatus, LastUse};
use crate::lifecycle::{
    ClearedWhy, Deactivated, DeactivatedBy, Finding, Flagged, Hold, KeyEvent, Named, Record, SetbackKind,
    Sighting, State, When, next,
};
use crate::policy::{Resolution, Subject, Terms};
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
    /// The record after these events.
    pub record: Option<Record>,
    /// Why it is a finding, if it is.
    pub finding: Option<Finding>,
    /// The exemption that matches.
    pub exempt: Option<String>,
    /// Facts that the decision needed and that could not be read.
    pub unknown: Vec<String>,
    /// What comes next.
    pub next: Next,
}

/// More events than this for one key at one time would be a loop in the rules; the key then waits.
const MAX_EVENTS: usize = 12;

/// Why no key of the management account is changed.
const MANAGEMENT_IS_READ: &str = "the management account is only read, since organization.management_account is \
                                  \"direct\"; set it to \"assume\" to have its keys changed by a role";

/// A key that keysweep deleted may show for a few seconds; after this it is an alert: IAM is eventually consistent.
const LISTED_AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// Decides about one key: the events that bring its record up to date, and what comes next.
#[must_use]
pub fn decide(context: &Context<'_>, record: Option<&Record>, view: &View<'_>, by: By) -> Decision {
    let resolution = context.policy.resolve(context.now, &subject(view));
    let finding = finding(context.now, &resolution, view.facts);
    let mut unknown = resolution.as_ref().err().cloned().unwrap_or_default();
    note_unknown(&mut unknown, "last use", &view.facts.last_use);
    note_unknown(&mut unknown, "user ID", &view.facts.user_id);

    let decided = unknown.clone();
    let look = Look { context, view, by, resolution: &resolution, finding, unknown: &decided };
    let mut events = Vec::new();
    let mut record = record.cloned();
    let next = loop {
        let event = match look.one(record.as_ref()) {
            One::Next(next) => break next,
            One::Event(event) => event,
        };
        let when = When { at: context.now, seq: 0, actor: &Actor::Keysweep };
        match next(view.account.id, &view.facts.key, record.as_ref(), when, &event) {
            Ok(after) if events.len() < MAX_EVENTS => {
                record = after;
                events.push(event);
            }
            Ok(_) => {
                break wait(
                    Planned::Deactivate,
                    Reason::Unknown,
                    "its events repeat: a bug in keysweep".into(),
                    None,
                );
            }
            Err(illegal) => {
                break wait(
                    Planned::Deactivate,
                    Reason::Unknown,
                    format!("a bug in keysweep: {illegal}"),
                    None,
                );
            }
        }
    };
    // What is attached decides about changes alone: everything else goes on without it.
    if let Fact::Unknown(_) = &view.facts.quarantine_policies {
        note_unknown(&mut unknown, "policies of the user", &view.facts.quarantine_policies);
    }
    let exempt =
        resolution.as_ref().ok().and_then(|r| r.exempt.as_ref()).map(|e| format!("{}: {}", e.rule, e.reason));
    Decision { events, record, finding, exempt, unknown, next }
}

fn subject<'a>(view: &View<'a>) -> Subject<'a> {
    let View { account, facts, .. } = *view;
    Subject { account, user_name: &facts.user_name, path: &facts.path, tags: &facts.tags }
}

/// Why the key is a finding under its policy; `None` also where that cannot be told.
fn finding(
    now: Timestamp,
    resolution: &Result<Resolution, Vec<String>>,
    facts: &KeyFacts,
) -> Option<Finding> {
    let terms = &resolution.as_ref().ok()?.terms;
    let at_least = |then: Timestamp, period: Duration| {
        SignedDuration::try_from(period).is_ok_and(|period| now.duration_since(then) >= period)
    };
    match facts.last_use.known()? {
        LastUse::At { at, .. } if at_least((*at).max(facts.created), terms.unused_after) => {
            Some(Finding::Unused)
        }
        LastUse::Never if at_least(facts.created, terms.never_used_after) => Some(Finding::NeverUsed),
        LastUse::At { .. } | LastUse::Never => {
            let active = facts.status == KeyStatus::Active;
            let old = terms.max_age.is_some_and(|age| at_least(facts.created, age));
            (active && old).then_some(Finding::OverAge)
        }
    }
}

/// Either one more event, or what comes next.
pub(super) enum One {
    Event(KeyEvent),
    Next(Next),
}

fn wait(action: Planned, reason: Reason, why: String, until: Option<Timestamp>) -> Next {
    Next::Wait { action, wait: Wait { reason, why, until } }
}

pub(super) fn later(
    action: Planned,
    reason: Reason,
    why: impl Into<String>,
    until: Option<Timestamp>,
) -> One {
    One::Next(wait(action, reason, why.into(), until))
}

/// Everything a decision looks at.
pub(super) struct Look<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) view: &'a View<'a>,
    pub(super) by: By,
    resolution: &'a Result<Resolution, Vec<String>>,
    finding: Option<Finding>,
    unknown: &'a [String],
}

impl Look<'_> {
    fn one(&self, record: Option<&Record>) -> One {
        let facts = self.view.facts;
        let Some(record) = record else { return self.active(None) };
        if let Some(event) = self.identity(record) {
            return event;
        }
        match &record.state {
            State::Gone(_) if self.unknown.is_empty() => return One::Event(KeyEvent::SeenAgain),
            State::Gone(_) => return later(Planned::Deactivate, Reason::Unknown, join(self.unknown), None),
            State::Deleted(data) => {
                let late = self.view.sighting.at.duration_since(data.since) > LISTED_AGAIN_AFTER;
                return if late && !data.listed_again {
                    One::Event(KeyEvent::ListedAfterDeletion)
                } else {
                    One::Next(Next::Nothing)
                };
            }
            State::Deactivating(_) => return in_flight(record, Planned::Deactivate),
            State::Deleting(_) => return in_flight(record, Planned::Delete),
            State::Active | State::Flagged(_) | State::Deactivated(_) => {}
        }
        if record.undo.is_some() {
            return in_flight(record, next_action(&record.state));
        }
        if facts.user_name != record.user_name && facts.user_id.known().is_some() {
            return One::Event(KeyEvent::Renamed { user_name: facts.user_name.clone() });
        }
        if let Some(event) = self.reality(record) {
            return event;
        }
        if let Some(event) = self.incident(record) {
            return One::Event(event);
        }
        // The end of an overlay resets clocks, so it waits for the facts as everything else does.
        if self.unknown.is_empty() {
            // One that this very plan places has no number yet: it ends with the next.
            let over = |hold: &&Hold| hold.number != 0 && hold.until.is_some_and(|at| at <= self.context.now);
            if let Some(hold) = record.holds.iter().find(over) {
                return One::Event(KeyEvent::HoldExpired { hold: hold.number });
            }
            if let Some(event) = self.exemption(record) {
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
        is_another(record, self.view).then(|| {
            let why = "account, user ID or creation date is not that of the recorded key";
            later(next_action(&record.state), Reason::Unknown, why, None)
        })
    }

    /// Brings the record in line with what is seen. What makes a deactivated key a case for a person needs no policy,
    /// but for the length of a hold; a flagged key with an unknown fact stays flagged.
    fn reality(&self, record: &Record) -> Option<One> {
        let facts = self.view.facts;
        match (&record.state, &facts.status) {
            (State::Deactivated(data), KeyStatus::Active) => {
                // What was read before the deactivation tells nothing of the time after it.
                if self.view.sighting.at < data.since {
                    return Some(One::Next(Next::Nothing));
                }
                Some(One::Event(self.reactivated()))
            }
            (State::Deactivated(data), KeyStatus::Inactive) => {
                let last_use = facts.last_use.known()?;
                let moved = last_use.is_later_than(&data.last_use, data.since);
                moved.then(|| One::Event(KeyEvent::LastUseMoved { last_use: last_use.clone() }))
            }
            // AWS accepted its deactivation, and long after that it is Active: somebody set it so.
            (State::Flagged(Flagged { setback: Some(setback), .. }), KeyStatus::Active)
                if setback.kind == SetbackKind::Late && !setback.may_show_at(self.view.sighting.at) =>
            {
                Some(One::Event(self.reactivated()))
            }
            (State::Flagged(_), KeyStatus::Active | KeyStatus::Inactive) if !self.unknown.is_empty() => None,
            (State::Flagged(data), KeyStatus::Active) => {
                let last_use = facts.last_use.known()?;
                if last_use.is_later_than(&data.last_use, data.since) {
                    return Some(One::Event(KeyEvent::Cleared { why: ClearedWhy::UsedAgain }));
                }
                let stale = self.finding == Some(data.finding);
                (!stale).then_some(One::Event(KeyEvent::Cleared { why: ClearedWhy::NoLongerStale }))
            }
            (State::Flagged(data), KeyStatus::Inactive) => {
                if self.view.sighting.at < data.since {
                    return Some(One::Next(Next::Nothing));
                }
                let terms = &self.resolution.as_ref().ok()?.terms;
                let last_use = facts.last_use.known()?.clone();
                let adopts = terms.adopt_inactive && self.finding.is_some_and(Finding::is_stale);
                // What keysweep may have deactivated itself is never disowned: an operator could not undo it.
                let event = if adopts || record.deactivation_may_show() {
                    KeyEvent::Adopted { last_use, sighting: self.view.sighting.clone() }
                } else {
                    KeyEvent::Cleared { why: ClearedWhy::InactiveElsewhere }
                };
                Some(One::Event(event))
            }
            (
                State::Active
                | State::Flagged(_)
                | State::Deactivating(_)
                | State::Deactivated(_)
                | State::Deleting(_)
                | State::Deleted(_)
                | State::Gone(_),
                KeyStatus::Active | KeyStatus::Inactive | KeyStatus::Other(_),
            ) => None,
        }
    }

    fn reactivated(&self) -> KeyEvent {
        let hold = self.context.policy.hold_after_reactivation(self.context.now, &subject(self.view));
        KeyEvent::Reactivated { hold_until: self.context.now.checked_add(hold).unwrap_or(Timestamp::MAX) }
    }

    /// Keeps the overlay in line with the exemptions; where one cannot tell, the overlay stays.
    fn exemption(&self, record: &Record) -> Option<KeyEvent> {
        let resolution = self.resolution.as_ref().ok()?;
        match (&resolution.exempt, &record.exempt) {
            (Some(by), Some(mark)) if mark.rule == by.rule.to_string() && mark.until == by.until => None,
            (Some(by), _) => Some(KeyEvent::ExemptBegan {
                rule: by.rule.to_string(),
                reason: by.reason.clone(),
                until: by.until,
            }),
            (None, Some(_)) => Some(KeyEvent::ExemptEnded),
            (None, None) => None,
        }
    }

    /// Keeps the overlay in line with what is attached to the user; where one cannot tell, the overlay stays.
    fn incident(&self, record: &Record) -> Option<KeyEvent> {
        let Fact::Known(policies) = &self.view.facts.quarantine_policies else { return None };
        match (policies.is_empty(), &record.incident) {
            (false, None) => Some(KeyEvent::IncidentBegan { policies: policies.clone() }),
            // What was read before it began tells nothing of its end.
            (true, Some(incident)) => {
                (self.view.sighting.at > incident.since).then_some(KeyEvent::IncidentEnded)
            }
            (false, Some(_)) | (true, None) => None,
        }
    }

    /// What stops every step towards `action`, whatever else is true.
    fn stopped(&self, record: Option<&Record>, action: Planned) -> Option<One> {
        let facts = self.view.facts;
        if let Some(incident) = record.and_then(|r| r.incident.as_ref()) {
            return Some(later(action, Reason::Protected, incident.words(), None));
        }
        if !self.unknown.is_empty() {
            return Some(later(action, Reason::Unknown, join(self.unknown), None));
        }
        if let KeyStatus::Other(status) = &facts.status {
            return Some(later(
                action,
                Reason::Unknown,
                format!("status {status} is not known to keysweep"),
                None,
            ));
        }
        if let Fact::Unknown(why) = &facts.quarantine_policies {
            return Some(later(action, Reason::Unknown, format!("policies of the user: {why}"), None));
        }
        if let Some(record) = record
            && let (Some(holds), Some(longest)) = (record.holds_in_words(), record.held())
        {
            return Some(later(action, Reason::Hold, format!("held {holds}"), longest.until));
        }
        let exempt = self.resolution.as_ref().ok().and_then(|r| r.exempt.as_ref());
        exempt.map(|e| {
            later(action, Reason::Exempt, format!("exempt by {}: {}", e.rule, e.reason), Some(e.until))
        })
    }

    fn active(&self, record: Option<&Record>) -> One {
        let facts = self.view.facts;
        let adopts = self.resolution.as_ref().is_ok_and(|r| r.terms.adopt_inactive);
        let in_question = match facts.status {
            KeyStatus::Active => true,
            KeyStatus::Inactive => adopts,
            KeyStatus::Other(_) => false,
        };
        let stale = self.finding.filter(|f| f.is_stale());
        let incident = record.is_some_and(|record| record.incident.is_some());
        if !incident && (!in_question || (stale.is_none() && self.unknown.is_empty())) {
            return One::Next(Next::Nothing);
        }
        if let Some(stop) = self.stopped(record, Planned::Deactivate) {
            return stop;
        }
        let (Some(finding), Some(user_id), Some(last_use)) =
            (stale, facts.user_id.known(), facts.last_use.known())
        else {
            return One::Next(Next::Nothing);
        };
        One::Event(KeyEvent::Flagged {
            finding,
            named: Named {
                user_id: user_id.clone(),
                user_name: facts.user_name.clone(),
                created: facts.created,
            },
            last_use: last_use.clone(),
        })
    }

    fn flagged(&self, record: &Record, data: &Flagged) -> One {
        let consent = Consent {
            action: Planned::Deactivate,
            finding: data.finding,
            notice: data.notice.as_ref(),
            approval: data.approval.as_ref(),
        };
        if let Some(one) = self
            .stopped(Some(record), Planned::Deactivate)
            .or_else(|| self.read_only(record, Planned::Deactivate))
            .or_else(|| self.consent(record, &consent))
        {
            return one;
        }
        let created = record.identity.created;
        let idle_since = data.last_use.at().map_or(created, |at| at.max(created));
        self.due(record, Planned::Deactivate, || format!("{} since {idle_since}", data.finding))
    }

    fn deactivated(&self, record: &Record, data: &Deactivated) -> One {
        let consent = Consent {
            action: Planned::Delete,
            finding: data.finding,
            notice: data.notice.as_ref(),
            approval: data.approval.as_ref(),
        };
        if let Some(one) = self
            .stopped(Some(record), Planned::Delete)
            .or_else(|| self.read_only(record, Planned::Delete))
            .or_else(|| self.not_meant(record, data))
            .or_else(|| self.consent(record, &consent))
        {
            return one;
        }
        let grace = self.terms_or_base().grace;
        if data.watch.total < grace {
            let why = format!("seen Inactive for {:#} of {:#}", friendly(data.watch.total), friendly(grace));
            let over = self.grace_over(record).map(|over| self.first_opening(over));
            return self.not_due(record, later(Planned::Delete, Reason::Grace, why, over));
        }
        self.due(record, Planned::Delete, || format!("seen Inactive for {:#}", friendly(data.watch.total)))
    }

    /// Nothing is changed in an account that is only read, by an order neither.
    fn read_only(&self, record: &Record, action: Planned) -> Option<One> {
        let read_only = self.context.policy.management_read_only && self.view.account.management;
        read_only.then(|| self.not_due(record, later(action, Reason::Observe, MANAGEMENT_IS_READ, None)))
    }

    /// A key that the configuration in force would not have deactivated is not deleted by it either. What was announced
    /// and approved under another is void.
    fn not_meant(&self, record: &Record, data: &Deactivated) -> Option<One> {
        let ordered = self.by == By::Operator(Planned::Delete);
        let theirs = data.origin == DeactivatedBy::External && !self.terms_or_base().adopt_inactive;
        let why = if theirs {
            "it is not sure that keysweep set it Inactive, and adopt_inactive is off"
        } else if !self.finding.is_some_and(Finding::is_stale) {
            "it is not stale by the policy in force"
        } else {
            return None;
        };
        if ordered {
            return None;
        }
        if data.notice.is_some() {
            return Some(One::Event(KeyEvent::NoticeVoided { why: why.into(), keeps: None }));
        }
        if data.approval.is_some() {
            return Some(One::Event(KeyEvent::ApprovalVoided { why: why.into() }));
        }
        Some(self.not_due(record, later(Planned::Delete, Reason::Observe, why, None)))
    }

    /// When the grace period of a deactivated key ends if it is watched without a gap from the last look on.
    pub(super) fn grace_over(&self, record: &Record) -> Option<Timestamp> {
        let State::Deactivated(data) = &record.state else { return None };
        let left = self.terms_or_base().grace.saturating_sub(data.watch.total);
        let from = data.watch.last.as_ref().map_or(data.since, |last| last.at);
        Some(from.checked_add(left).unwrap_or(Timestamp::MAX))
    }

    /// The first time from `at` on at which changes may start.
    pub(super) fn first_opening(&self, at: Timestamp) -> Timestamp {
        let window = self.terms_or_base().window();
        if window.is_open(at) { at } else { window.next_opening(at).unwrap_or(at) }
    }

    /// Everything is met but what restrains all keys together.
    fn due(&self, record: &Record, action: Planned, why: impl FnOnce() -> String) -> One {
        let ordered = self.by == By::Operator(action);
        if !ordered && record.due.as_ref().is_none_or(|due| due.action != action) {
            return One::Event(KeyEvent::BecameDue { action });
        }
        let window = self.terms_or_base().window();
        if !ordered && !window.is_open(self.context.now) {
            let opens = window.next_opening(self.context.now);
            return later(action, Reason::Window, "the window is closed", opens);
        }
        One::Next(Next::Step { action, why: why() })
    }

    /// A record that is marked as due and is not takes the mark off first.
    pub(super) fn not_due(&self, record: &Record, otherwise: One) -> One {
        let ordered = matches!(self.by, By::Operator(_));
        if record.due.is_some() && !ordered { One::Event(KeyEvent::NotDue) } else { otherwise }
    }

    pub(super) fn terms_or_base(&self) -> &Terms {
        self.resolution.as_ref().map_or(&self.context.policy.base, |r| &r.terms)
    }
}

/// Whether the key that was read is surely not the recorded one. An unknown user ID is no proof of that.
#[must_use]
pub fn is_another(record: &Record, view: &View<'_>) -> bool {
    let (facts, identity) = (view.facts, &record.identity);
    let other_user = facts.user_id.known().is_some_and(|id| *id != identity.user_id);
    let other_key = facts.key != identity.key;
    let other_age = facts.created != identity.created;
    let other_account = facts.account != identity.account || view.account.id != identity.account;
    other_user || other_key || other_age || other_account
}

fn in_flight(record: &Record, action: Planned) -> One {
    let intent = match &record.state {
        _ if record.undo.is_some() => record.undo.as_ref(),
        State::Deactivating(data) => Some(&data.intent),
        State::Deleting(data) => Some(&data.intent),
        State::Active | State::Flagged(_) | State::Deactivated(_) | State::Deleted(_) | State::Gone(_) => {
            None
        }
    };
    let why = match intent.and_then(|intent| intent.accepted.as_ref()) {
        Some(request_id) => format!("AWS accepted the call (request {request_id}); it does not show yet"),
        None => "waiting for the outcome of the previous call".to_owned(),
    };
    later(action, Reason::Unknown, why, None)
}

fn next_action(state: &State) -> Planned {
    match state {
        State::Active | State::Flagged(_) | State::Deactivating(_) => Planned::Deactivate,
        State::Deactivated(_) | State::Deleting(_) | State::Deleted(_) | State::Gone(_) => Planned::Delete,
    }
}

pub(super) fn friendly(duration: Duration) -> SignedDuration {
    // Fractions of a second say nothing here.
    SignedDuration::from_secs(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX))
}
