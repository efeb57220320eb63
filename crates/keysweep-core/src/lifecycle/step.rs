//! The base state after an event that concerns it: one function per state, each naming every event.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    Approval, ClearedWhy, Deactivated, DeactivatedBy, Deactivating, Deleted, Deleting, Flagged, Gone,
    Granted, Hold, HoldKind, KeyEvent, Notice, NoticeTerms, OpenIntent, Setback, SetbackKind, State, Watch,
    When,
};
use crate::state::Actor;
use crate::ticket::{Action, Planned};

/// How long a key is held whose deactivation was sent and did not show.
const UNCLEAR_HOLD: Duration = Duration::from_secs(24 * 3600);

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

/// A hold of keysweep's own.
pub(super) fn our_hold(when: When<'_>, kind: HoldKind, reason: &str, until: Option<Timestamp>) -> Hold {
    let (by, reason) = (Actor::Keysweep, reason.into());
    Hold { number: when.seq, kind, by, reason, since: when.at, until }
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
        | KeyEvent::Accepted { .. }
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
        | KeyEvent::HoldExpired { .. }
        | KeyEvent::ReactivationsCleared { .. }
        | KeyEvent::ExemptBegan { .. }
        | KeyEvent::ExemptEnded
        | KeyEvent::IncidentBegan { .. }
        | KeyEvent::IncidentEnded
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
            // Whatever else it may be, what AWS accepted from us is our doing.
            let origin = match data.setback.as_ref().map(|setback| setback.kind) {
                Some(SetbackKind::Late) => DeactivatedBy::Keysweep,
                Some(SetbackKind::Refused | SetbackKind::Unclear | SetbackKind::Restored) | None => {
                    DeactivatedBy::External
                }
            };
            return stay(State::Deactivated(Deactivated {
                origin,
                since: when.at,
                finding: data.finding,
                last_use: last_use.clone(),
                last_use_moved: false,
                watch: Watch::begin(sighting.clone()),
                // What was announced was a deactivation at some time to come, not this.
                notice: None,
                approval: None,
                setback: None,
            }));
        }
        KeyEvent::Noticed { deactivation, deletion, terms } => {
            data.notice = Some(noticed(when, *deactivation, *deletion, terms));
        }
        KeyEvent::NoticeVoided { .. } => {
            data.notice.take()?;
            data.approval = None;
        }
        KeyEvent::ApprovalAsked { action: Planned::Deactivate, .. } => data.approval = asked(when, event),
        KeyEvent::Approved { action: Planned::Deactivate, request, reason } => {
            grant(data.approval.as_mut(), when, *request, reason)?;
        }
        KeyEvent::Denied { action: Planned::Deactivate, request, reason, hold_until } => {
            data.approval.take().filter(|approval| approval.number == *request)?;
            let hold = denied(when, reason, *hold_until);
            return Some((State::Flagged(data), Some(hold)));
        }
        KeyEvent::ApprovalUnanswered { action: Planned::Deactivate } => {
            data.approval.take()?;
            return Some((State::Flagged(data), Some(unanswered(when))));
        }
        KeyEvent::ApprovalVoided { .. } => {
            data.approval.take()?;
        }
        KeyEvent::Intent { action: Action::Deactivate, deadline, .. } => {
            let intent = open(when, *deadline);
            return stay(State::Deactivating(Deactivating { flagged: data, intent }));
        }
        // AWS had set it Inactive, so that somebody set it Active again.
        KeyEvent::Reactivated { hold_until }
            if data.setback.as_ref().is_some_and(|setback| setback.kind == SetbackKind::Late) =>
        {
            return woken(when, *hold_until);
        }
        KeyEvent::Absent => return stay(State::Gone(Gone { since: when.at })),
        KeyEvent::ApprovalAsked { action: Planned::Delete, .. }
        | KeyEvent::Approved { action: Planned::Delete, .. }
        | KeyEvent::Denied { action: Planned::Delete, .. }
        | KeyEvent::ApprovalUnanswered { action: Planned::Delete }
        | KeyEvent::Intent { action: Action::Delete | Action::Reactivate, .. }
        | KeyEvent::Flagged { .. }
        | KeyEvent::BecameDue { .. }
        | KeyEvent::NotDue
        | KeyEvent::Accepted { .. }
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
        | KeyEvent::HoldExpired { .. }
        | KeyEvent::ReactivationsCleared { .. }
        | KeyEvent::ExemptBegan { .. }
        | KeyEvent::ExemptEnded
        | KeyEvent::IncidentBegan { .. }
        | KeyEvent::IncidentEnded
        | KeyEvent::Forgotten { .. } => return None,
    }
    stay(State::Flagged(data))
}

fn deactivating(data: Deactivating, when: When<'_>, event: &KeyEvent) -> Step {
    match event {
        KeyEvent::Deactivated { request_id, last_use, sighting } => {
            let Flagged { finding, notice, .. } = data.flagged;
            let ours = request_id.is_some() || data.intent.explains(sighting.at);
            let origin = if ours { DeactivatedBy::Keysweep } else { DeactivatedBy::External };
            stay(State::Deactivated(Deactivated {
                origin,
                since: when.at,
                finding,
                last_use: last_use.clone(),
                last_use_moved: false,
                watch: Watch::begin(sighting.clone()),
                // What somebody else did is not what was announced.
                notice: notice.filter(|_| ours),
                approval: None,
                setback: None,
            }))
        }
        KeyEvent::Refused { action: Action::Deactivate, detail, .. } => {
            stay(State::Flagged(set_back(data.flagged, when, SetbackKind::Refused, detail)))
        }
        KeyEvent::Unclear { action: Action::Deactivate, accepted, detail } => {
            let until = when.at.checked_add(UNCLEAR_HOLD).ok();
            let (kind, reason) = if *accepted {
                (SetbackKind::Late, "AWS accepted the deactivation, and it does not show yet")
            } else {
                (SetbackKind::Unclear, "deactivation sent, not confirmed by AWS")
            };
            let hold = our_hold(when, HoldKind::Unclear, reason, until);
            Some((State::Flagged(set_back(data.flagged, when, kind, detail)), Some(hold)))
        }
        // AWS had set it Inactive, so that somebody set it Active again.
        KeyEvent::Reactivated { hold_until } if data.intent.accepted.is_some() => woken(when, *hold_until),
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
        | KeyEvent::Accepted { .. }
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
        | KeyEvent::HoldExpired { .. }
        | KeyEvent::ReactivationsCleared { .. }
        | KeyEvent::ExemptBegan { .. }
        | KeyEvent::ExemptEnded
        | KeyEvent::IncidentBegan { .. }
        | KeyEvent::IncidentEnded
        | KeyEvent::Forgotten { .. } => None,
    }
}

fn deactivated(mut data: Deactivated, when: When<'_>, event: &KeyEvent) -> Step {
    match event {
        KeyEvent::Noticed { deactivation, deletion, terms } => {
            data.notice = Some(noticed(when, *deactivation, *deletion, terms));
        }
        KeyEvent::NoticeVoided { .. } => {
            data.notice.take()?;
            data.approval = None;
        }
        KeyEvent::ApprovalAsked { action: Planned::Delete, .. } => data.approval = asked(when, event),
        KeyEvent::Approved { action: Planned::Delete, request, reason } => {
            grant(data.approval.as_mut(), when, *request, reason)?;
        }
        KeyEvent::Denied { action: Planned::Delete, request, reason, hold_until } => {
            data.approval.take().filter(|approval| approval.number == *request)?;
            let hold = denied(when, reason, *hold_until);
            return Some((State::Deactivated(data), Some(hold)));
        }
        KeyEvent::ApprovalUnanswered { action: Planned::Delete } => {
            data.approval.take()?;
            return Some((State::Deactivated(data), Some(unanswered(when))));
        }
        KeyEvent::ApprovalVoided { .. } => {
            data.approval.take()?;
        }
        KeyEvent::Intent { action: Action::Delete, deadline, .. } => {
            let intent = open(when, *deadline);
            return stay(State::Deleting(Deleting { deactivated: data, intent }));
        }
        KeyEvent::Reactivated { hold_until } => return woken(when, *hold_until),
        KeyEvent::LastUseMoved { last_use } => {
            data.last_use = last_use.clone();
            data.last_use_moved = true;
            data.approval = None;
            let hold = our_hold(when, HoldKind::LastUseMoved, "last use moved after the deactivation", None);
            return Some((State::Deactivated(data), Some(hold)));
        }
        KeyEvent::Absent => return stay(State::Gone(Gone { since: when.at })),
        KeyEvent::ApprovalAsked { action: Planned::Deactivate, .. }
        | KeyEvent::Approved { action: Planned::Deactivate, .. }
        | KeyEvent::Denied { action: Planned::Deactivate, .. }
        | KeyEvent::ApprovalUnanswered { action: Planned::Deactivate }
        | KeyEvent::Intent { action: Action::Deactivate | Action::Reactivate, .. }
        | KeyEvent::Refused { .. }
        | KeyEvent::Unclear { .. }
        | KeyEvent::Flagged { .. }
        | KeyEvent::Cleared { .. }
        | KeyEvent::Adopted { .. }
        | KeyEvent::BecameDue { .. }
        | KeyEvent::NotDue
        | KeyEvent::Accepted { .. }
        | KeyEvent::Deactivated { .. }
        | KeyEvent::Undone { .. }
        | KeyEvent::Deleted { .. }
        | KeyEvent::SeenAgain
        | KeyEvent::ListedAfterDeletion
        | KeyEvent::Renamed { .. }
        | KeyEvent::HoldPlaced { .. }
        | KeyEvent::HoldReleased { .. }
        | KeyEvent::HoldExpired { .. }
        | KeyEvent::ReactivationsCleared { .. }
        | KeyEvent::ExemptBegan { .. }
        | KeyEvent::ExemptEnded
        | KeyEvent::IncidentBegan { .. }
        | KeyEvent::IncidentEnded
        | KeyEvent::Forgotten { .. } => return None,
    }
    stay(State::Deactivated(data))
}

fn deleting(data: Deleting, when: When<'_>, event: &KeyEvent) -> Step {
    match event {
        KeyEvent::Deleted { .. } => stay(State::Deleted(Deleted { since: when.at, listed_again: false })),
        KeyEvent::Refused { action: Action::Delete, detail, .. } => {
            let setback = set_back_to(Action::Delete, when, SetbackKind::Refused, detail);
            stay(State::Deactivated(Deactivated { setback, ..data.deactivated }))
        }
        KeyEvent::Unclear { action: Action::Delete, detail, .. } => {
            let setback = set_back_to(Action::Delete, when, SetbackKind::Unclear, detail);
            stay(State::Deactivated(Deactivated { setback, ..data.deactivated }))
        }
        KeyEvent::Reactivated { hold_until } => woken(when, *hold_until),
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
        | KeyEvent::Accepted { .. }
        | KeyEvent::Deactivated { .. }
        | KeyEvent::Undone { .. }
        | KeyEvent::LastUseMoved { .. }
        | KeyEvent::SeenAgain
        | KeyEvent::ListedAfterDeletion
        | KeyEvent::Renamed { .. }
        | KeyEvent::HoldPlaced { .. }
        | KeyEvent::HoldReleased { .. }
        | KeyEvent::HoldExpired { .. }
        | KeyEvent::ReactivationsCleared { .. }
        | KeyEvent::ExemptBegan { .. }
        | KeyEvent::ExemptEnded
        | KeyEvent::IncidentBegan { .. }
        | KeyEvent::IncidentEnded
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
        | KeyEvent::Accepted { .. }
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
        | KeyEvent::HoldExpired { .. }
        | KeyEvent::ReactivationsCleared { .. }
        | KeyEvent::ExemptBegan { .. }
        | KeyEvent::ExemptEnded
        | KeyEvent::IncidentBegan { .. }
        | KeyEvent::IncidentEnded
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
        | KeyEvent::Accepted { .. }
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
        | KeyEvent::HoldExpired { .. }
        | KeyEvent::ReactivationsCleared { .. }
        | KeyEvent::ExemptBegan { .. }
        | KeyEvent::ExemptEnded
        | KeyEvent::IncidentBegan { .. }
        | KeyEvent::IncidentEnded
        | KeyEvent::Forgotten { .. } => None,
    }
}

fn set_back(data: Flagged, when: When<'_>, kind: SetbackKind, why: &str) -> Flagged {
    Flagged { setback: set_back_to(Action::Deactivate, when, kind, why), ..data }
}

pub(super) fn set_back_to(action: Action, when: When<'_>, kind: SetbackKind, why: &str) -> Option<Setback> {
    Some(Setback { action, at: when.at, kind, why: why.into() })
}

pub(super) fn open(when: When<'_>, deadline: Timestamp) -> OpenIntent {
    OpenIntent { seq: when.seq, at: when.at, deadline, accepted: None }
}

fn noticed(
    when: When<'_>,
    deactivation: Option<Timestamp>,
    deletion: Option<Timestamp>,
    terms: &NoticeTerms,
) -> Notice {
    Notice { at: when.at, deactivation, deletion, terms: terms.clone() }
}

fn asked(when: When<'_>, event: &KeyEvent) -> Option<Approval> {
    let KeyEvent::ApprovalAsked { action, expires, repeats, why, shown } = event else { return None };
    Some(Approval {
        number: when.seq,
        action: *action,
        asked_at: when.at,
        expires: *expires,
        repeats: *repeats,
        why: why.clone(),
        shown: shown.clone(),
        granted: None,
    })
}

fn grant(approval: Option<&mut Approval>, when: When<'_>, request: u64, reason: &str) -> Option<()> {
    let approval = approval.filter(|approval| approval.number == request)?;
    // The first decision wins, and none counts after the request expired.
    if approval.granted.is_some() || when.at >= approval.expires {
        return None;
    }
    approval.granted = Some(Granted { by: when.actor.clone(), reason: reason.into(), at: when.at });
    Some(())
}

fn denied(when: When<'_>, reason: &str, until: Timestamp) -> Hold {
    Hold {
        number: when.seq,
        kind: HoldKind::Denied,
        by: when.actor.clone(),
        reason: format!("approval denied: {reason}"),
        since: when.at,
        until: Some(until),
    }
}

fn unanswered(when: When<'_>) -> Hold {
    our_hold(when, HoldKind::Unanswered, "nobody answered the request for approval", None)
}

/// Active again, by someone else.
fn woken(when: When<'_>, until: Timestamp) -> Step {
    let hold = our_hold(when, HoldKind::Reactivated, "reactivated by somebody else", Some(until));
    Some((State::Active, Some(hold)))
}
