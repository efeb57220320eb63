//! The one transition function.

use jiff::Timestamp;

use super::event::{Change, Consent, KeyEvent, Note, Overlay, Purpose, Seen};
use super::step::{open, our_hold, set_back_to, step};
use super::{
    Deactivated, Deleted, Due, ExemptMark, Hold, HoldKind, Incident, NotNeeded, OpenIntent, OpenQuarantine,
    Past, PastQuarantine, Quarantine, Record, SETTLED_AFTER_DEADLINE, Sent, Setback, SetbackKind, State,
    Watch, Woken,
};
use crate::evidence::UserChange;
use crate::ids::{AccessKeyId, AccountId, KeyIdentity};
use crate::state::Actor;
use crate::ticket::{Action, Attachment, Origin, Planned};

/// An event that cannot happen in this state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("key {key} is {state}: {event} does not apply")]
pub struct Illegal {
    /// Which key.
    pub key: AccessKeyId,
    /// Its state.
    pub state: &'static str,
    /// The event.
    pub event: &'static str,
}

/// When, and as which entry of the journal, an event happened.
#[derive(Debug, Clone, Copy)]
pub struct When<'a> {
    /// Policy time.
    pub at: Timestamp,
    /// Sequence number.
    pub seq: u64,
    /// Who wrote the entry.
    pub actor: &'a Actor,
}

/// What becomes of a key: its record afterwards, or `None` if nothing is left to remember.
///
/// `before` is `None` for a key without a record.
///
/// # Errors
/// [`Illegal`] where the event cannot happen in that state: such an event is not written.
pub fn next(
    account: AccountId,
    key: &AccessKeyId,
    before: Option<&Record>,
    when: When<'_>,
    event: &KeyEvent,
) -> Result<Option<Record>, Illegal> {
    let Some(before) = before else {
        return first(account, key, when, event).map(Some);
    };
    let illegal = || Illegal { key: key.clone(), state: before.state.as_str(), event: event.name() };
    if before.identity.account != account || before.identity.key != *key {
        return Err(illegal());
    }
    let mut after = before.clone();
    let kept = apply(&mut after, when, event).ok_or_else(illegal)?;
    Ok((kept && after.is_worth_keeping()).then_some(after))
}

/// So many changes of a user are kept.
const USER_CHANGES: usize = 5;

/// A key that has no record is active; only being flagged gives it one.
fn first(account: AccountId, key: &AccessKeyId, when: When<'_>, event: &KeyEvent) -> Result<Record, Illegal> {
    let KeyEvent::Seen(Seen::Flagged { named, .. }) = event else {
        return Err(Illegal { key: key.clone(), state: State::Active.as_str(), event: event.name() });
    };
    let mut record = Record {
        identity: KeyIdentity {
            account,
            user_id: named.user_id.clone(),
            key: key.clone(),
            created: named.created,
        },
        user_name: named.user_name.clone(),
        owner: None,
        state: State::Active,
        holds: Vec::new(),
        exempt: None,
        incident: None,
        due: None,
        undo: None,
        quarantine: None,
        past: Past::default(),
    };
    apply(&mut record, when, event);
    Ok(record)
}

/// Applies a legal event; `None` if it is not. `Some(false)` drops the record.
fn apply(record: &mut Record, when: When<'_>, event: &KeyEvent) -> Option<bool> {
    match event {
        // What is in flight has an outcome to come, which needs the record, unless it is named and given up.
        KeyEvent::Record(Note::Forgotten { unsettled, .. }) => {
            return (record.under_way() == *unsettled).then_some(false);
        }
        KeyEvent::Record(Note::Renamed { user_name }) => record.user_name = user_name.clone(),
        KeyEvent::Record(Note::OwnerFound { owner }) => {
            if !record.state.is_tracked() {
                return None;
            }
            record.owner = owner.clone();
        }
        KeyEvent::Record(Note::NoLongerNeeded) => {
            if !record.state.is_tracked() || record.past.not_needed.is_some() {
                return None;
            }
            record.past.not_needed = Some(Box::new(NotNeeded { by: when.actor.clone(), at: when.at }));
        }
        KeyEvent::Record(Note::ReactivationsCleared { .. }) => {
            record.past.reactivations()?;
            record.past.cleared = record.past.reactivated;
        }
        KeyEvent::Record(Note::ActivitySeen { activity }) => {
            let newer = record.past.activity.as_deref().is_none_or(|known| known.at < activity.at);
            if !newer || !record.state.is_tracked() {
                return None;
            }
            record.past.activity = Some(Box::new(activity.clone()));
        }
        KeyEvent::Record(Note::ReactivationTraced { reactivation }) => {
            let woken = record.past.woken.as_mut().filter(|woken| woken.call.is_none())?;
            woken.call = Some(reactivation.clone());
        }
        KeyEvent::Record(Note::UserChanged { change }) => {
            if !record.is_news_of_user(change) {
                return None;
            }
            record.past.user_changes.push(change.clone());
            record.past.user_changes.sort_by_key(|change| std::cmp::Reverse(change.call.at));
            record.past.user_changes.truncate(USER_CHANGES);
        }
        KeyEvent::Record(Note::BundleWritten { bundle, purpose }) => match (purpose, &mut record.state) {
            (Purpose::Deletion, State::Deactivated(data)) => data.bundle = Some(bundle.clone()),
            (Purpose::Deletion, _) => return None,
            (Purpose::Request, state) if !state.is_tracked() => return None,
            (Purpose::Request, _) => {}
        },
        KeyEvent::Record(Note::BecameDue { action }) => {
            let fits = match &record.state {
                State::Flagged(_) => *action == Planned::Deactivate,
                State::Deactivated(_) => *action == Planned::Delete,
                State::Active
                | State::Deactivating(_)
                | State::Deleting(_)
                | State::Deleted(_)
                | State::Gone(_) => false,
            };
            if !fits {
                return None;
            }
            record.due = Some(Due { action: *action, since: when.at, accepted: false });
        }
        KeyEvent::Record(Note::NotDue) => {
            record.due.take()?;
        }
        KeyEvent::Overlay(event) => overlay(record, when, event)?,
        KeyEvent::Change(Change::Accepted { action, request_id }) => {
            record.open_intent_of(*action)?.accepted = Some(request_id.clone());
        }
        // An undo may be under way in any base state.
        KeyEvent::Change(Change::Intent { action: Action::Reactivate, deadline, .. }) => {
            if !record.may_undo() {
                return None;
            }
            record.undo = Some(Box::new(open(when, *deadline)));
        }
        KeyEvent::Change(Change::Undone { hold_until, .. }) => {
            record.undo.take()?;
            let hold = our_hold(when, HoldKind::Reactivated, "reactivated by an operator", Some(*hold_until));
            record.past.sent = record.past.sent.or(sent_by(&record.state));
            record.state = State::Active;
            record.due = None;
            record.past.reactivated = record.past.reactivated.saturating_add(1);
            record.past.woken = None;
            record.past.not_needed = None;
            record.place(hold);
        }
        KeyEvent::Change(Change::Refused { action: Action::Reactivate, detail, .. }) => {
            record.undo_failed(when, SetbackKind::Refused, detail)?;
        }
        KeyEvent::Change(Change::Unclear { action: Action::Reactivate, detail, .. }) => {
            record.undo_failed(when, SetbackKind::Unclear, detail)?;
        }
        // One change of a key or its user at a time, and an undo that is under way goes before a change.
        KeyEvent::Change(Change::Intent { action, .. })
            if !action.is_undo() && (record.undo.is_some() || record.attachment().is_some()) =>
        {
            return None;
        }
        KeyEvent::Change(Change::Intent { action: Action::Quarantine, deadline, quarantine, .. }) => {
            let flagged = matches!(record.state, State::Flagged(_)) && record.quarantine.is_none();
            let Attachment { policy, user_before } = quarantine.as_deref().filter(|_| flagged)?;
            let intent = open(when, *deadline);
            record.past.user_changes.clear();
            record.quarantine = Some(Box::new(Quarantine {
                policy: policy.clone(),
                user_before: user_before.clone(),
                since: when.at,
                attached: None,
                settled_from: Some(intent.settled_from()),
                interrupted: None,
                completed: false,
                open: Some(OpenQuarantine::Attach(intent)),
            }));
        }
        KeyEvent::Change(Change::Intent { action: Action::EndQuarantine, deadline, .. }) => {
            // An undo waits for nothing of ours: the call that attaches it, or another undo, may be under way.
            let quarantine = record.quarantine.as_mut()?;
            quarantine.open = Some(OpenQuarantine::Detach(open(when, *deadline)));
        }
        KeyEvent::Change(Change::Quarantined { .. }) => {
            let quarantine = record.opened(Action::Quarantine)?;
            (quarantine.attached, quarantine.settled_from, quarantine.open) = (Some(when.at), None, None);
        }
        KeyEvent::Change(Change::QuarantineEnded { hold_until, .. }) => {
            record.opened(Action::EndQuarantine)?;
            record.quarantine_ended(when, *hold_until);
        }
        // It is certainly not attached.
        KeyEvent::Change(Change::Refused { action: Action::Quarantine, .. }) => {
            record.opened(Action::Quarantine)?;
            record.quarantine = None;
        }
        // Nobody knows whether it is: it is detached in any case.
        KeyEvent::Change(Change::Unclear { action: Action::Quarantine, .. }) => {
            let quarantine = record.opened(Action::Quarantine)?;
            (quarantine.settled_from, quarantine.open) = (None, None);
        }
        KeyEvent::Change(
            Change::Refused { action: Action::EndQuarantine, .. }
            | Change::Unclear { action: Action::EndQuarantine, .. },
        ) => record.opened(Action::EndQuarantine)?.open = None,
        KeyEvent::Seen(Seen::QuarantineRemoved) => {
            record.quarantine.as_mut()?.completed = false;
            record.out_of_quarantine(when, "", None);
        }
        KeyEvent::Seen(_)
        | KeyEvent::Consent(_)
        | KeyEvent::Change(
            Change::Intent { action: Action::Deactivate | Action::Delete, .. }
            | Change::Deactivated { .. }
            | Change::Deleted { .. }
            | Change::Refused { action: Action::Deactivate | Action::Delete, .. }
            | Change::Unclear { action: Action::Deactivate | Action::Delete, .. },
        ) => base_state(record, when, event)?,
    }
    Some(true)
}

/// Applies the begin or the end of what stops every automatic change.
fn overlay(record: &mut Record, when: When<'_>, event: &Overlay) -> Option<()> {
    match event {
        Overlay::HoldPlaced { reason, until } => {
            if !record.state.is_tracked() {
                return None;
            }
            // A hold is ended by its number alone: another wish for caution never shortens one.
            record.place(Hold {
                number: when.seq,
                kind: if let Actor::Link { .. } = when.actor { HoldKind::Owner } else { HoldKind::Operator },
                by: when.actor.clone(),
                reason: reason.clone(),
                since: when.at,
                until: *until,
                ending: false,
            });
        }
        Overlay::HoldEnding { .. } | Overlay::ExemptEnding if !record.state.is_tracked() => return None,
        Overlay::HoldEnding { hold } => {
            let known = |known: &&mut Hold| known.number == *hold && known.until.is_some() && !known.ending;
            record.holds.iter_mut().find(known)?.ending = true;
        }
        Overlay::ExemptEnding => {
            record.exempt.as_mut().filter(|mark| !mark.ending)?.ending = true;
        }
        Overlay::HoldReleased { hold, .. } | Overlay::HoldExpired { hold } => {
            if !record.end_hold(*hold) {
                return None;
            }
            // What was announced before the hold is stale news after it.
            record.state.forget_notice();
            record.due = None;
        }
        Overlay::ExemptBegan { rule, reason, until } => {
            if !record.state.is_tracked() {
                return None;
            }
            let (rule, reason, until) = (rule.clone(), reason.clone(), *until);
            record.exempt = Some(Box::new(ExemptMark { rule, reason, until, ending: false }));
            record.due = None;
        }
        Overlay::ExemptEnded => {
            record.exempt.take()?;
            record.state.forget_notice();
            record.due = None;
        }
        Overlay::IncidentBegan { policies } => {
            if !record.state.is_tracked() || record.incident.is_some() {
                return None;
            }
            record.incident = Some(Incident { policies: policies.clone(), since: when.at });
            record.due = None;
        }
        Overlay::IncidentEnded => {
            record.incident.take()?;
            record.state.forget_notice();
            record.due = None;
        }
        Overlay::QuarantineInterrupted { why, hold_until } => {
            let quarantine =
                record.quarantine.as_mut().filter(|quarantine| quarantine.interrupted.is_none())?;
            quarantine.interrupted = Some(why.clone());
            record.hold_after_quarantine(when, why, *hold_until);
        }
    }
    Some(())
}

/// Applies an event that the base state decides about.
fn base_state(record: &mut Record, when: When<'_>, event: &KeyEvent) -> Option<()> {
    let before = std::mem::replace(&mut record.state, State::Active);
    let (name, sent, deleting) = (before.as_str(), sent_by(&before), deletion_accepted(&before));
    let (state, hold) = step(before, when, event)?;
    let noticed = matches!(event, KeyEvent::Consent(Consent::Noticed { .. }));
    if let KeyEvent::Consent(Consent::Noticed { decoy, .. } | Consent::OwnerMissing { decoy }) = event {
        record.past.decoy = *decoy;
    }
    if let KeyEvent::Consent(Consent::NoticeVoided { keeps, .. }) = event {
        record.past.announced = *keeps;
    } else if state.as_str() != name || noticed {
        record.past.announced = None;
    }
    if state.as_str() != name {
        record.due = None;
    }
    record.state = state;
    record.remember(when.at, event, sent, deleting);
    if let (KeyEvent::Seen(Seen::Absent), true) = (event, record.past.deletion_accepted) {
        record.state = State::Deleted(Deleted { since: when.at, listed_again: false });
    }
    if !record.state.is_tracked() {
        // A key that is not there any more is nobody's emergency.
        record.incident = None;
    }
    if let Some(hold) = hold {
        record.place(hold);
        record.due = None;
    }
    Some(())
}

/// The deactivation that is under way in this state.
fn sent_by(state: &State) -> Option<Sent> {
    match state {
        State::Deactivating(data) => {
            Some(Sent { seq: data.intent.seq, at: data.intent.at, ordered: data.ordered })
        }
        State::Active
        | State::Flagged(_)
        | State::Deactivated(_)
        | State::Deleting(_)
        | State::Deleted(_)
        | State::Gone(_) => None,
    }
}

/// Whether AWS has accepted a deletion that is under way in this state.
fn deletion_accepted(state: &State) -> bool {
    match state {
        State::Deleting(data) => data.intent.accepted.is_some(),
        State::Active
        | State::Flagged(_)
        | State::Deactivating(_)
        | State::Deactivated(_)
        | State::Deleted(_)
        | State::Gone(_) => false,
    }
}

impl Record {
    /// Which of these changes of the user are news, the newest of them: only the last few changes are kept.
    pub fn news_of_user<'a>(&self, changes: &'a [UserChange]) -> impl Iterator<Item = &'a UserChange> {
        let mut newest: Vec<_> = changes.iter().collect();
        newest.sort_by_key(|change| std::cmp::Reverse(change.call.at));
        newest.truncate(USER_CHANGES);
        newest.into_iter().filter(|change| self.is_news_of_user(change))
    }

    fn is_news_of_user(&self, change: &UserChange) -> bool {
        let known = &self.past.user_changes;
        let oldest = known.get(USER_CHANGES - 1);
        let newer = oldest.is_none_or(|oldest| change.call.at > oldest.call.at);
        self.is_stopped() && newer && !known.contains(change)
    }

    /// Whether anything is left to remember of the key.
    fn is_worth_keeping(&self) -> bool {
        let overlaid = !self.holds.is_empty() || self.exempt.is_some() || self.incident.is_some();
        let overlaid = overlaid || self.undo.is_some() || self.quarantine.is_some();
        let past = self.past.sent.is_some() || self.past.reactivated > 0 || self.past.activity.is_some();
        !matches!(self.state, State::Active) || overlaid || past
    }

    /// Keeps of an event what outlives base states.
    fn remember(&mut self, when: Timestamp, event: &KeyEvent, sent: Option<Sent>, deletion_accepted: bool) {
        // What AWS certainly did not apply was as good as not sent.
        if !matches!(event, KeyEvent::Change(Change::Refused { .. })) {
            self.past.sent = sent.or(self.past.sent);
        }
        // Whoever said before what the key is needed for, or not: it is a new story.
        if matches!(event, KeyEvent::Seen(Seen::Cleared { .. } | Seen::Reactivated { .. })) {
            (self.past.owner_holds, self.past.not_needed) = (0, None);
        }
        if matches!(event, KeyEvent::Seen(Seen::Reactivated { .. })) {
            self.past.reactivated = self.past.reactivated.saturating_add(1);
            self.past.woken = Some(Box::new(Woken { since: when, call: None }));
        }
        self.past.deletion_accepted |= deletion_accepted;
        if let KeyEvent::Change(Change::Intent { action: Action::Deactivate, origin, .. }) = event {
            match &mut self.quarantine {
                Some(quarantine) => quarantine.completed |= *origin == Origin::Policy,
                None => self.past.user_changes.clear(),
            }
        }
    }

    /// Whether an undo may be tried: keysweep sent a deactivation of this key, or may have. AWS says what it comes to.
    #[must_use]
    pub fn may_undo(&self) -> bool {
        match &self.state {
            State::Deactivating(_) | State::Deactivated(_) | State::Deleting(_) => true,
            State::Active | State::Flagged(_) | State::Gone(_) => {
                self.past.sent.is_some() || self.deactivation_may_show()
            }
            State::Deleted(_) => false,
        }
    }

    /// Whether a deactivation of ours may still show: the fate of its call was never told, whatever an operator has made
    /// of the hold since; or it was forgotten when a backup was restored, as long as no notice has gone out, which goes
    /// only to a key that was seen Active.
    pub(crate) fn deactivation_may_show(&self) -> bool {
        let State::Flagged(data) = &self.state else { return false };
        data.setback.as_ref().is_some_and(|setback| match setback.kind {
            SetbackKind::Unclear | SetbackKind::Late => setback.action == Action::Deactivate,
            SetbackKind::Restored => data.notice.is_none(),
            SetbackKind::Refused => false,
        })
    }

    /// Whether AWS may still show the key Active though a deactivation of it was applied: then an undo is sent whatever
    /// is read.
    pub(crate) fn deactivation_is_late(&self, now: Timestamp) -> bool {
        match &self.state {
            State::Deactivating(_) => true,
            State::Flagged(data) => data.setback.as_ref().is_some_and(|setback| setback.may_show_at(now)),
            State::Active
            | State::Deactivated(_)
            | State::Deleting(_)
            | State::Deleted(_)
            | State::Gone(_) => false,
        }
    }

    /// Whether an intent is on disk whose outcome is not.
    #[must_use]
    pub fn in_flight(&self) -> bool {
        self.under_way().is_some()
    }

    /// The change whose intent is on disk and whose outcome is not; an undo goes before the change that it undoes.
    #[must_use]
    pub fn under_way(&self) -> Option<Action> {
        if self.undo.is_some() {
            return Some(Action::Reactivate);
        }
        match &self.state {
            State::Deactivating(_) => Some(Action::Deactivate),
            State::Deleting(_) => Some(Action::Delete),
            State::Active
            | State::Flagged(_)
            | State::Deactivated(_)
            | State::Deleted(_)
            | State::Gone(_) => self.attachment().map(|open| open.parts().0),
        }
    }

    /// The call under way that attaches a policy to the user, or detaches it.
    #[must_use]
    pub fn attachment(&self) -> Option<&OpenQuarantine> {
        self.quarantine.as_ref().and_then(|quarantine| quarantine.open.as_ref())
    }

    /// The quarantine, if this action of it is under way.
    fn opened(&mut self, action: Action) -> Option<&mut Quarantine> {
        let open = |quarantine: &&mut Box<Quarantine>| {
            quarantine.open.as_ref().is_some_and(|open| open.parts().0 == action)
        };
        self.quarantine.as_mut().filter(open).map(Box::as_mut)
    }

    /// Notes that the policy is detached. Where a call that was to attach it can still take effect, it is detached again.
    fn quarantine_ended(&mut self, when: When<'_>, hold_until: Option<Timestamp>) {
        let why = "its quarantine was ended before its time";
        match self.quarantine.as_mut() {
            Some(quarantine) if quarantine.settled_from.is_some_and(|at| when.at < at) => {
                let over = "the call that was to attach it can still take effect".to_owned();
                (quarantine.attached, quarantine.interrupted, quarantine.open) = (None, Some(over), None);
                self.hold_after_quarantine(when, why, hold_until);
            }
            Some(_) | None => self.out_of_quarantine(when, why, hold_until),
        }
    }

    fn hold_after_quarantine(&mut self, when: When<'_>, why: &str, until: Option<Timestamp>) {
        if let Some(until) = until.filter(|_| self.state.is_tracked()) {
            self.place(our_hold(when, HoldKind::Quarantine, why, Some(until)));
            self.due = None;
        }
    }

    /// Notes that nothing of ours is attached to the user any more.
    fn out_of_quarantine(&mut self, when: When<'_>, why: &str, hold_until: Option<Timestamp>) {
        let Some(quarantine) = self.quarantine.take() else { return };
        let Quarantine { policy, attached, interrupted, completed, .. } = *quarantine;
        let completed = completed && interrupted.is_none() && hold_until.is_none();
        let past = PastQuarantine { policy, attached, until: when.at, completed };
        self.past.quarantined = Some(Box::new(past));
        self.hold_after_quarantine(when, why, hold_until);
    }

    /// The open intent of an action.
    fn open_intent_of(&mut self, action: Action) -> Option<&mut OpenIntent> {
        if let Action::Quarantine | Action::EndQuarantine = action {
            return self.opened(action)?.open.as_mut().map(|open| match open {
                OpenQuarantine::Attach(intent) | OpenQuarantine::Detach(intent) => intent,
            });
        }
        match (action, &mut self.state) {
            (Action::Reactivate, _) => self.undo.as_deref_mut(),
            (Action::Deactivate, State::Deactivating(data)) => Some(&mut data.intent),
            (Action::Delete, State::Deleting(data)) => Some(&mut data.intent),
            (Action::Quarantine | Action::EndQuarantine | Action::Deactivate | Action::Delete, _) => None,
        }
    }

    fn undo_failed(&mut self, when: When<'_>, kind: SetbackKind, why: &str) -> Option<()> {
        self.undo.take()?;
        if let State::Deactivated(data) = &mut self.state {
            data.setback = set_back_to(Action::Reactivate, when, kind, why);
        }
        Some(())
    }

    /// After the restoration of a backup: what was announced, approved and watched before says nothing of the time in
    /// between, in which owners may have objected and woken keys. Holds, exemptions and open intents stay.
    pub(crate) fn start_over(&mut self, at: Timestamp) {
        self.due = None;
        match &mut self.state {
            State::Flagged(data) => {
                (data.notice, data.approval) = (None, None);
                let why = "whether it was deactivated since the backup is not known".into();
                let action = Action::Deactivate;
                data.setback = Some(Box::new(Setback { action, at, kind: SetbackKind::Restored, why }));
            }
            State::Deactivating(data) => {
                (data.flagged.notice, data.flagged.approval) = (None, None);
            }
            State::Deactivated(data) => data.start_over(),
            State::Deleting(data) => data.deactivated.start_over(),
            State::Active | State::Deleted(_) | State::Gone(_) => {}
        }
    }
}

impl Setback {
    /// Whether the effect of a deactivation may still begin to show.
    pub(crate) fn may_show_at(&self, now: Timestamp) -> bool {
        let late = self.at.checked_add(SETTLED_AFTER_DEADLINE).unwrap_or(Timestamp::MAX);
        let sent = matches!(self.kind, SetbackKind::Unclear | SetbackKind::Late);
        sent && self.action == Action::Deactivate && now < late
    }
}

impl Deactivated {
    fn start_over(&mut self) {
        (self.notice, self.approval, self.bundle) = (None, None, None);
        self.watch = Watch::default();
    }
}

impl State {
    /// Drops notice and approval, so that both are needed again.
    fn forget_notice(&mut self) {
        match self {
            Self::Flagged(data) => (data.notice, data.approval) = (None, None),
            Self::Deactivated(data) => (data.notice, data.approval) = (None, None),
            Self::Active | Self::Deactivating(_) | Self::Deleting(_) | Self::Deleted(_) | Self::Gone(_) => {}
        }
    }
}
