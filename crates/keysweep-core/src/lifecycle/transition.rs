//! The one transition function.

use jiff::Timestamp;

use super::step::{RESTORED, step};
use super::{Deactivated, Due, ExemptMark, Hold, KeyEvent, Record, Setback, State, Watch};
use crate::ids::{AccessKeyId, AccountId, KeyIdentity};
use crate::planted;
use crate::state::Actor;
use crate::ticket::Action;

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
    let remembers = !matches!(after.state, State::Active) || after.hold.is_some() || after.exempt.is_some();
    Ok((kept && remembers).then_some(after))
}

/// A key that has no record is active; only being flagged gives it one.
fn first(account: AccountId, key: &AccessKeyId, when: When<'_>, event: &KeyEvent) -> Result<Record, Illegal> {
    let KeyEvent::Flagged { named, .. } = event else {
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
        state: State::Active,
        hold: None,
        exempt: None,
        due: None,
    };
    apply(&mut record, when, event);
    Ok(record)
}

/// Applies a legal event; `None` if it is not. `Some(false)` drops the record.
fn apply(record: &mut Record, when: When<'_>, event: &KeyEvent) -> Option<bool> {
    match event {
        // What is in flight has an outcome to come, which needs the record.
        KeyEvent::Forgotten { .. } => return (!record.state.in_flight()).then_some(false),
        KeyEvent::Renamed { user_name } => record.user_name = user_name.clone(),
        KeyEvent::HoldPlaced { reason, until } => {
            if !record.state.is_tracked() {
                return None;
            }
            // Who wants a hold shortened releases it first: another wish for caution never does.
            let hold = Hold { by: when.actor.clone(), reason: reason.clone(), since: when.at, until: *until };
            record.hold = Some(hold.stricter(record.hold.take()));
        }
        KeyEvent::HoldReleased { .. } | KeyEvent::HoldExpired => {
            record.hold.take()?;
            // What was announced before the hold is stale news after it.
            if !planted!(NoticeOutlivesHold) {
                record.state.forget_notice();
            }
            record.due = None;
        }
        KeyEvent::ExemptBegan { rule, reason, until } => {
            if !record.state.is_tracked() {
                return None;
            }
            record.exempt = Some(ExemptMark { rule: rule.clone(), reason: reason.clone(), until: *until });
            record.due = None;
        }
        KeyEvent::ExemptEnded => {
            record.exempt.take()?;
            record.state.forget_notice();
            record.due = None;
        }
        KeyEvent::BecameDue { action } => {
            let fits = match &record.state {
                State::Flagged(_) => *action == Action::Deactivate,
                State::Deactivated(_) => *action == Action::Delete,
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
        KeyEvent::NotDue => {
            record.due.take()?;
        }
        KeyEvent::Flagged { .. }
        | KeyEvent::Cleared { .. }
        | KeyEvent::Adopted { .. }
        | KeyEvent::Noticed { .. }
        | KeyEvent::NoticeVoided { .. }
        | KeyEvent::ApprovalAsked { .. }
        | KeyEvent::Approved { .. }
        | KeyEvent::Denied { .. }
        | KeyEvent::ApprovalUnanswered { .. }
        | KeyEvent::ApprovalVoided { .. }
        | KeyEvent::Intent { .. }
        | KeyEvent::Deactivated { .. }
        | KeyEvent::Undone { .. }
        | KeyEvent::Deleted { .. }
        | KeyEvent::Refused { .. }
        | KeyEvent::Unclear { .. }
        | KeyEvent::Reactivated { .. }
        | KeyEvent::LastUseMoved { .. }
        | KeyEvent::Absent
        | KeyEvent::SeenAgain
        | KeyEvent::ListedAfterDeletion => {
            let before = std::mem::replace(&mut record.state, State::Active);
            let name = before.as_str();
            let (state, hold) = step(before, when, event)?;
            if state.as_str() != name {
                record.due = None;
            }
            record.state = state;
            if let Some(hold) = hold {
                record.hold = Some(hold.stricter(record.hold.take()));
                record.due = None;
            }
        }
    }
    Some(true)
}

impl Record {
    /// After the restoration of a backup: what was announced, approved and watched before says nothing of the time in
    /// between, in which owners may have objected and woken keys. Holds, exemptions and open intents stay.
    pub(crate) fn start_over(&mut self, at: Timestamp) {
        self.due = None;
        match &mut self.state {
            State::Flagged(data) => {
                (data.notice, data.approval) = (None, None);
                data.setback = Some(Setback { action: Action::Deactivate, at, why: RESTORED.into() });
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

impl Deactivated {
    fn start_over(&mut self) {
        (self.notice, self.approval) = (None, None);
        self.watch = Watch::default();
    }
}

impl State {
    /// Whether an intent is on disk whose outcome is not.
    #[must_use]
    pub fn in_flight(&self) -> bool {
        match self {
            Self::Deactivating(_) | Self::Deleting(_) => true,
            Self::Deactivated(data) => data.undo.is_some(),
            Self::Active | Self::Flagged(_) | Self::Deleted(_) | Self::Gone(_) => false,
        }
    }

    /// Drops notice and approval, so that both are needed again.
    fn forget_notice(&mut self) {
        match self {
            Self::Flagged(data) => (data.notice, data.approval) = (None, None),
            Self::Deactivated(data) => (data.notice, data.approval) = (None, None),
            Self::Active | Self::Deactivating(_) | Self::Deleting(_) | Self::Deleted(_) | Self::Gone(_) => {}
        }
    }
}
