//! The base state after an event that concerns it: one function per state, each naming every event.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    Approval, ClearedWhy, Deactivated, DeactivatedBy, Deactivating, Deleted, Deleting, Flagged, Gone,
    Granted, Hold, KeyEvent, Notice, OpenIntent, Record, Setback, State, Watch, When,
};
use crate::planted;
use crate::state::Actor;
use crate::ticket::Action;

/// How long a key is held whose deactivation was sent and did not show.
const UNCLEAR_HOLD: Duration = Duration::from_secs(24 * 3600);

/// Why it is held, and how its setback begins.
const SENT_AND_NOT_SHOWN: &str = "a deactivation was sent and does not show";

/// The setback of a flagged key after the restoration of a backup.
pub(super) const RESTORED: &str = "a backup was restored: whether it was deactivated since is not known";

impl Record {
    /// Whether a deactivation of ours may still show: the fate of its call was never told, whatever an operator has made
    /// of the hold since; or it was forgotten when a backup was restored, as long as no notice has gone out, which goes
    /// only to a key that was seen Active.
    pub(crate) fn deactivation_may_show(&self) -> bool {
        let State::Flagged(data) = &self.state else { return false };
        let may_show =
            |setback: &Setback| unclear(setback) || (data.notice.is_none() && setback.why == RESTORED);
        data.setback.as_ref().is_some_and(may_show)
    }
}

/// Whether a deactivation was sent whose fate was never told.
fn unclear(setback: &Setback) -> bool {
    setback.action == Action::Deactivate && setback.why.starts_with(SENT_AND_NOT_SHOWN)
}

/// The base state after an event that concerns it, with the hold that the event brings.
pub(super) fn step(state: State, when: When<'_>, event: &KeyEvent) -> Option<(State, Option<Hold>)> {
    match state {
        State::Active => active(when, event),
        State::Flagged(data) => flagged(data, when, event),
        State::Deactivating(data) => deactivating(data, when, event),
        State::Deactivated(data) => deactivated(data, when, event),
        State::Deleting(data) => deleting(data, when, event),
        State::Deleted(data) => deleted(data, event),
        State::Gone(data) => gone(&data, event),
    }
}

type Step = Option<(State, Option<Hold>)>;

fn stay(state: State) -> Step {
    Some((state, None))
}

fn our_hold(when: When<'_>, reason: &str, until: Option<Timestamp>) -> Option<Hold> {
    Some(Hold { by: Actor::Keysweep, reason: reason.into(), since: when.at, until })
}

fn active(when: When<'_>, event: &KeyEvent) -> Step {
    match event {
        KeyEvent::Flagged { finding, last_use, .. } => stay(State::Flagged(Flagged {
            finding: *finding,
            since: when.at,
            last_use: last_use.clone(),
            notice: None,
            approval: None,
            setback: None,
        })),
        KeyEvent::Absent => stay(State::Gone(Gone { since: when.at })),
        KeyEvent::Cleared { .. }
        | KeyEvent::Adopted { .. }
        | KeyEvent::Noticed { .. }
        | KeyEvent::NoticeVoided { .. }
        | KeyEvent::ApprovalAsked { .. }
        | KeyEvent::Approved { .. }
        | KeyEvent::Denied { .. }
        | KeyEvent::ApprovalUnanswered { .. }
        | KeyEvent::ApprovalVoided { .. }
        | KeyEvent::BecameDue { .. }
        | KeyEvent::NotDue
        | KeyEvent::Intent { .. }
        | KeyEvent::Deactivated { .. }
        | KeyEvent::Undone { .. }
        | KeyEvent::Deleted { .. }
        | KeyEvent::Refused { .. }
        | KeyEvent::Unclear { .. }
        | KeyEvent::Reactivated { .. }
        | KeyEvent::LastUseMoved { .. }
        | KeyEvent::SeenAgain
        | KeyEvent::ListedAfterDeletion
        | KeyEvent::Renamed { .. }
        | KeyEvent::HoldPlaced { .. }
        | KeyEvent::HoldReleased { .. }
        | KeyEvent::HoldExpired
        | KeyEvent::ExemptBegan { .. }
        | KeyEvent::ExemptEnded
        | KeyEvent::Forgotten { .. } => None,
    }
}

fn flagged(mut data: Flagged, when: When<'_>, event: &KeyEvent) -> Step {
    match event {
        KeyEvent::Cleared {
            why: ClearedWhy::UsedAgain | ClearedWhy::NoLongerStale | ClearedWhy::InactiveElsewhere,
        } => {
            return stay(State::Active);
        }
        KeyEvent::Adopted { last_use, sighting } => {
            return stay(State::Deactivated(Deactivated {
                origin: DeactivatedBy::External,
                since: when.at,
                finding: data.finding,
                last_use: last_use.clone(),
                last_use_moved: false,
                watch: Watch::begin(sighting.clone()),
                // What was announced was a deactivation at some time to come, not this.
                notice: None,
                approval: None,
                setback: None,
                undo: None,
            }));
        }
        KeyEvent::Noticed { covers, not_before } => {
            data.notice = Some(Notice { at: when.at, covers: *covers, not_before: *not_before });
        }
        KeyEvent::NoticeVoided { .. } => {
            data.notice.take()?;
            data.approval = None;
        }
        KeyEvent::ApprovalAsked { action: Action::Deactivate, expires, repeats, last_use } => {
            data.approval = Some(asked(Action::Deactivate, when, *expires, *repeats, last_use.clone()));
        }
        KeyEvent::Approved { action: Action::Deactivate, reason } => {
            grant(data.approval.as_mut(), when, reason)?;
        }
        KeyEvent::Denied { action: Action::Deactivate, reason, hold_until } => {
            data.approval.take()?;
            let hold = denied(when, reason, *hold_until);
            return Some((State::Flagged(data), hold));
        }
        KeyEvent::ApprovalUnanswered { action: Action::Deactivate } => {
            data.approval.take()?;
            return Some((
                State::Flagged(data),
                our_hold(when, "nobody answered the request for approval", None),
            ));
        }
        KeyEvent::ApprovalVoided { .. } => {
            data.approval.take()?;
        }
        KeyEvent::Intent { action: Action::Deactivate, .. } => {
            let intent = OpenIntent { seq: when.seq, at: when.at };
            return stay(State::Deactivating(Deactivating { flagged: data, intent }));
        }
        KeyEvent::Absent => return stay(State::Gone(Gone { since: when.at })),
        KeyEvent::ApprovalAsked { action: Action::Delete | Action::Reactivate, .. }
        | KeyEvent::Approved { action: Action::Delete | Action::Reactivate, .. }
        | KeyEvent::Denied { action: Action::Delete | Action::Reactivate, .. }
        | KeyEvent::ApprovalUnanswered { action: Action::Delete | Action::Reactivate }
        | KeyEvent::Intent { action: Action::Delete | Action::Reactivate, .. }
        | KeyEvent::Flagged { .. }
        | KeyEvent::BecameDue { .. }
        | KeyEvent::NotDue
        | KeyEvent::Deactivated { .. }
        | KeyEvent::Undone { .. }
        | KeyEvent::Deleted { .. }
        | KeyEvent::Refused { .. }
        | KeyEvent::Unclear { .. }
        | KeyEvent::Reactivated { .. }
        | KeyEvent::LastUseMoved { .. }
        | KeyEvent::SeenAgain
        | KeyEvent::ListedAfterDeletion
        | KeyEvent::Renamed { .. }
        | KeyEvent::HoldPlaced { .. }
        | KeyEvent::HoldReleased { .. }
        | KeyEvent::HoldExpired
        | KeyEvent::ExemptBegan { .. }
        | KeyEvent::ExemptEnded
        | KeyEvent::Forgotten { .. } => return None,
    }
    stay(State::Flagged(data))
}

fn deactivating(data: Deactivating, when: When<'_>, event: &KeyEvent) -> Step {
    match event {
        KeyEvent::Deactivated { last_use, sighting, .. } => {
            let Flagged { finding, notice, .. } = data.flagged;
            stay(State::Deactivated(Deactivated {
                origin: DeactivatedBy::Keysweep,
                since: when.at,
                finding,
                last_use: last_use.clone(),
                last_use_moved: false,
                watch: Watch::begin(sighting.clone()),
                notice,
                approval: None,
                setback: None,
                undo: None,
            }))
        }
        KeyEvent::Refused { action: Action::Deactivate, detail, .. } => {
            stay(State::Flagged(set_back(data.flagged, when, detail)))
        }
        KeyEvent::Unclear { action: Action::Deactivate, detail } => {
            let hold = our_hold(when, SENT_AND_NOT_SHOWN, when.at.checked_add(UNCLEAR_HOLD).ok());
            let hold = hold.filter(|_| !planted!(NoHoldAfterUnclear));
            let why = format!("{SENT_AND_NOT_SHOWN}: {detail}");
            Some((State::Flagged(set_back(data.flagged, when, &why)), hold))
        }
        KeyEvent::Absent => stay(State::Gone(Gone { since: when.at })),
        KeyEvent::Refused { action: Action::Delete | Action::Reactivate, .. }
        | KeyEvent::Unclear { action: Action::Delete | Action::Reactivate, .. }
        | KeyEvent::Flagged { .. }
        | KeyEvent::Cleared { .. }
        | KeyEvent::Adopted { .. }
        | KeyEvent::Noticed { .. }
        | KeyEvent::NoticeVoided { .. }
        | KeyEvent::ApprovalAsked { .. }
        | KeyEvent::Approved { .. }
        | KeyEvent::Denied { .. }
        | KeyEvent::ApprovalUnanswered { .. }
        | KeyEvent::ApprovalVoided { .. }
        | KeyEvent::BecameDue { .. }
        | KeyEvent::NotDue
        | KeyEvent::Intent { .. }
        | KeyEvent::Undone { .. }
        | KeyEvent::Deleted { .. }
        | KeyEvent::Reactivated { .. }
        | KeyEvent::LastUseMoved { .. }
        | KeyEvent::SeenAgain
        | KeyEvent::ListedAfterDeletion
        | KeyEvent::Renamed { .. }
        | KeyEvent::HoldPlaced { .. }
        | KeyEvent::HoldReleased { .. }
        | KeyEvent::HoldExpired
        | KeyEvent::ExemptBegan { .. }
        | KeyEvent::ExemptEnded
        | KeyEvent::Forgotten { .. } => None,
    }
}

fn deactivated(mut data: Deactivated, when: When<'_>, event: &KeyEvent) -> Step {
    match event {
        KeyEvent::Noticed { covers, not_before } => {
            data.notice = Some(Notice { at: when.at, covers: *covers, not_before: *not_before });
        }
        KeyEvent::NoticeVoided { .. } => {
            data.notice.take()?;
            data.approval = None;
        }
        KeyEvent::ApprovalAsked { action: Action::Delete, expires, repeats, last_use } => {
            data.approval = Some(asked(Action::Delete, when, *expires, *repeats, last_use.clone()));
        }
        KeyEvent::Approved { action: Action::Delete, reason } => {
            grant(data.approval.as_mut(), when, reason)?;
        }
        KeyEvent::Denied { action: Action::Delete, reason, hold_until } => {
            data.approval.take()?;
            let hold = denied(when, reason, *hold_until);
            return Some((State::Deactivated(data), hold));
        }
        KeyEvent::ApprovalUnanswered { action: Action::Delete } => {
            data.approval.take()?;
            let hold = our_hold(when, "nobody answered the request for approval", None);
            return Some((State::Deactivated(data), hold));
        }
        KeyEvent::ApprovalVoided { .. } => {
            data.approval.take()?;
        }
        KeyEvent::Intent { action: Action::Delete, .. } => {
            // An undo that is under way goes before a deletion.
            if data.undo.is_some() {
                return None;
            }
            let intent = OpenIntent { seq: when.seq, at: when.at };
            return stay(State::Deleting(Deleting { deactivated: data, intent }));
        }
        KeyEvent::Intent { action: Action::Reactivate, .. } => {
            data.undo = Some(OpenIntent { seq: when.seq, at: when.at });
        }
        KeyEvent::Undone { hold_until, .. } => {
            data.undo.take()?;
            let hold = our_hold(when, "reactivated by an operator", Some(*hold_until));
            return Some((State::Active, hold.filter(|_| !planted!(NoHoldAfterUndo))));
        }
        KeyEvent::Refused { action: Action::Reactivate, detail, .. }
        | KeyEvent::Unclear { action: Action::Reactivate, detail } => {
            data.undo.take()?;
            data.setback = Some(Setback { action: Action::Reactivate, at: when.at, why: detail.clone() });
        }
        KeyEvent::Reactivated { hold_until } => {
            let hold = our_hold(when, "reactivated by somebody else", Some(*hold_until));
            return Some((State::Active, hold.filter(|_| !planted!(NoHoldAfterReactivation))));
        }
        KeyEvent::LastUseMoved { last_use } => {
            data.last_use = last_use.clone();
            data.last_use_moved = true;
            data.approval = None;
            return Some((
                State::Deactivated(data),
                our_hold(when, "its last use moved after the deactivation", None),
            ));
        }
        KeyEvent::Absent => return stay(State::Gone(Gone { since: when.at })),
        KeyEvent::ApprovalAsked { action: Action::Deactivate | Action::Reactivate, .. }
        | KeyEvent::Approved { action: Action::Deactivate | Action::Reactivate, .. }
        | KeyEvent::Denied { action: Action::Deactivate | Action::Reactivate, .. }
        | KeyEvent::ApprovalUnanswered { action: Action::Deactivate | Action::Reactivate }
        | KeyEvent::Intent { action: Action::Deactivate, .. }
        | KeyEvent::Refused { action: Action::Deactivate | Action::Delete, .. }
        | KeyEvent::Unclear { action: Action::Deactivate | Action::Delete, .. }
        | KeyEvent::Flagged { .. }
        | KeyEvent::Cleared { .. }
        | KeyEvent::Adopted { .. }
        | KeyEvent::BecameDue { .. }
        | KeyEvent::NotDue
        | KeyEvent::Deactivated { .. }
        | KeyEvent::Deleted { .. }
        | KeyEvent::SeenAgain
        | KeyEvent::ListedAfterDeletion
        | KeyEvent::Renamed { .. }
        | KeyEvent::HoldPlaced { .. }
        | KeyEvent::HoldReleased { .. }
        | KeyEvent::HoldExpired
        | KeyEvent::ExemptBegan { .. }
        | KeyEvent::ExemptEnded
        | KeyEvent::Forgotten { .. } => return None,
    }
    stay(State::Deactivated(data))
}

fn deleting(data: Deleting, when: When<'_>, event: &KeyEvent) -> Step {
    match event {
        KeyEvent::Deleted { .. } => stay(State::Deleted(Deleted { since: when.at, listed_again: false })),
        KeyEvent::Refused { action: Action::Delete, detail, .. }
        | KeyEvent::Unclear { action: Action::Delete, detail } => {
            let setback = Some(Setback { action: Action::Delete, at: when.at, why: detail.clone() });
            stay(State::Deactivated(Deactivated { setback, ..data.deactivated }))
        }
        KeyEvent::Reactivated { hold_until } => {
            Some((State::Active, our_hold(when, "reactivated by somebody else", Some(*hold_until))))
        }
        KeyEvent::Absent => stay(State::Gone(Gone { since: when.at })),
        KeyEvent::Refused { action: Action::Deactivate | Action::Reactivate, .. }
        | KeyEvent::Unclear { action: Action::Deactivate | Action::Reactivate, .. }
        | KeyEvent::Flagged { .. }
        | KeyEvent::Cleared { .. }
        | KeyEvent::Adopted { .. }
        | KeyEvent::Noticed { .. }
        | KeyEvent::NoticeVoided { .. }
        | KeyEvent::ApprovalAsked { .. }
        | KeyEvent::Approved { .. }
        | KeyEvent::Denied { .. }
        | KeyEvent::ApprovalUnanswered { .. }
        | KeyEvent::ApprovalVoided { .. }
        | KeyEvent::BecameDue { .. }
        | KeyEvent::NotDue
        | KeyEvent::Intent { .. }
        | KeyEvent::Deactivated { .. }
        | KeyEvent::Undone { .. }
        | KeyEvent::LastUseMoved { .. }
        | KeyEvent::SeenAgain
        | KeyEvent::ListedAfterDeletion
        | KeyEvent::Renamed { .. }
        | KeyEvent::HoldPlaced { .. }
        | KeyEvent::HoldReleased { .. }
        | KeyEvent::HoldExpired
        | KeyEvent::ExemptBegan { .. }
        | KeyEvent::ExemptEnded
        | KeyEvent::Forgotten { .. } => None,
    }
}

fn deleted(data: Deleted, event: &KeyEvent) -> Step {
    match event {
        KeyEvent::ListedAfterDeletion => stay(State::Deleted(Deleted { listed_again: true, ..data })),
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
        | KeyEvent::BecameDue { .. }
        | KeyEvent::NotDue
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
        | KeyEvent::Renamed { .. }
        | KeyEvent::HoldPlaced { .. }
        | KeyEvent::HoldReleased { .. }
        | KeyEvent::HoldExpired
        | KeyEvent::ExemptBegan { .. }
        | KeyEvent::ExemptEnded
        | KeyEvent::Forgotten { .. } => None,
    }
}

fn gone(_: &Gone, event: &KeyEvent) -> Step {
    match event {
        KeyEvent::SeenAgain => stay(State::Active),
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
        | KeyEvent::BecameDue { .. }
        | KeyEvent::NotDue
        | KeyEvent::Intent { .. }
        | KeyEvent::Deactivated { .. }
        | KeyEvent::Undone { .. }
        | KeyEvent::Deleted { .. }
        | KeyEvent::Refused { .. }
        | KeyEvent::Unclear { .. }
        | KeyEvent::Reactivated { .. }
        | KeyEvent::LastUseMoved { .. }
        | KeyEvent::Absent
        | KeyEvent::ListedAfterDeletion
        | KeyEvent::Renamed { .. }
        | KeyEvent::HoldPlaced { .. }
        | KeyEvent::HoldReleased { .. }
        | KeyEvent::HoldExpired
        | KeyEvent::ExemptBegan { .. }
        | KeyEvent::ExemptEnded
        | KeyEvent::Forgotten { .. } => None,
    }
}

fn set_back(data: Flagged, when: When<'_>, why: &str) -> Flagged {
    let setback = Some(Setback { action: Action::Deactivate, at: when.at, why: why.into() });
    Flagged { setback, ..data }
}

fn asked(
    action: Action,
    when: When<'_>,
    expires: Timestamp,
    repeats: u32,
    last_use: crate::facts::LastUse,
) -> Approval {
    Approval { action, asked_at: when.at, expires, repeats, last_use, granted: None }
}

fn grant(approval: Option<&mut Approval>, when: When<'_>, reason: &str) -> Option<()> {
    let approval = approval?;
    // The first decision wins, and none counts after the request expired.
    if approval.granted.is_some() || when.at >= approval.expires {
        return None;
    }
    approval.granted = Some(Granted { by: when.actor.clone(), reason: reason.into(), at: when.at });
    Some(())
}

fn denied(when: When<'_>, reason: &str, until: Timestamp) -> Option<Hold> {
    (!planted!(DenialForgotten)).then(|| Hold {
        by: when.actor.clone(),
        reason: format!("approval denied: {reason}"),
        since: when.at,
        until: Some(until),
    })
}
