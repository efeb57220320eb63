//! The base state after an event that concerns it: one function per state. Each names the groups of events, and every
//! event of a group that concerns it.

mod consent;

use std::time::Duration;

use jiff::Timestamp;

use self::consent::Given;
use super::event::{Change, ClearedWhy, KeyEvent, Seen};
use super::{
    Deactivated, DeactivatedBy, Deactivating, Deleted, Deleting, Flagged, Gone, Hold, HoldKind, OpenIntent,
    Setback, SetbackKind, State, Watch, When,
};
use crate::state::Actor;
use crate::ticket::{Action, Origin, Planned};

/// How long a key is held whose deactivation was sent and did not show.
const UNCLEAR_HOLD: Duration = Duration::from_secs(24 * 3600);

/// The base state after an event that concerns it, with the hold that the event brings.
pub(super) fn step(state: State, when: When<'_>, event: &KeyEvent) -> Option<(State, Option<Hold>)> {
    match state {
        State::Active => active(when, event),
        State::Flagged(data) => flagged(data, when, event),
        State::Deactivating(data) => deactivating(*data, when, event),
        State::Deactivated(data) => deactivated(data, when, event),
        State::Deleting(data) => deleting(*data, when, event),
        State::Deleted(data) => deleted(data, event),
        State::Gone(Gone { .. }) => gone(event),
    }
}

type Step = Option<(State, Option<Hold>)>;

fn stay(state: State) -> Step {
    Some((state, None))
}

/// A hold of keysweep's own.
pub(super) fn our_hold(when: When<'_>, kind: HoldKind, reason: &str, until: Option<Timestamp>) -> Hold {
    let (by, reason) = (Actor::Keysweep, reason.into());
    Hold { number: when.seq, kind, by, reason, since: when.at, until, ending: false }
}

fn active(when: When<'_>, event: &KeyEvent) -> Step {
    match event {
        KeyEvent::Seen(Seen::Flagged { finding, last_use, .. }) => stay(State::Flagged(Flagged {
            finding: *finding,
            since: when.at,
            last_use: last_use.clone(),
            notice: None,
            approval: None,
            setback: None,
            team_told: false,
        })),
        KeyEvent::Seen(Seen::Absent) => absent(when),
        KeyEvent::Seen(
            Seen::Cleared { .. }
            | Seen::Adopted { .. }
            | Seen::Reactivated { .. }
            | Seen::LastUseMoved { .. }
            | Seen::UsedInQuarantine { .. }
            | Seen::QuarantineRemoved
            | Seen::SeenAgain
            | Seen::ListedAfterDeletion,
        )
        | KeyEvent::Consent(_)
        | KeyEvent::Change(_)
        | KeyEvent::Overlay(_)
        | KeyEvent::Record(_) => None,
    }
}

fn flagged(mut data: Flagged, when: When<'_>, event: &KeyEvent) -> Step {
    match event {
        KeyEvent::Seen(Seen::Cleared {
            why: ClearedWhy::UsedAgain | ClearedWhy::NoLongerStale | ClearedWhy::InactiveElsewhere,
        }) => stay(State::Active),
        KeyEvent::Seen(Seen::UsedInQuarantine { hold_until, .. }) => {
            let hold = our_hold(when, HoldKind::Quarantine, "used in quarantine", Some(*hold_until));
            Some((State::Active, Some(hold)))
        }
        KeyEvent::Seen(Seen::Adopted { last_use, sighting }) => {
            // Whatever else it may be, what AWS accepted from us is our doing.
            let origin = match data.setback.as_ref().map(|setback| setback.kind) {
                Some(SetbackKind::Late) => DeactivatedBy::Keysweep,
                Some(SetbackKind::Refused | SetbackKind::Unclear | SetbackKind::Restored) | None => {
                    DeactivatedBy::External
                }
            };
            stay(State::Deactivated(Box::new(Deactivated {
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
                bundle: None,
                team_told: false,
            })))
        }
        // AWS had set it Inactive, so that somebody set it Active again.
        KeyEvent::Seen(Seen::Reactivated { hold_until })
            if data.setback.as_ref().is_some_and(|setback| setback.kind == SetbackKind::Late) =>
        {
            woken(when, *hold_until)
        }
        KeyEvent::Seen(Seen::Absent) => absent(when),
        KeyEvent::Consent(event) => {
            let Flagged { notice, approval, team_told, .. } = &mut data;
            let hold = Given { to: Planned::Deactivate, notice, approval, team_told }.apply(when, event)?;
            Some((State::Flagged(data), hold))
        }
        KeyEvent::Change(Change::Intent { action: Action::Deactivate, deadline, origin, .. }) => {
            let (intent, ordered) = (open(when, *deadline), *origin != Origin::Policy);
            stay(State::Deactivating(Box::new(Deactivating { flagged: data, intent, ordered })))
        }
        KeyEvent::Seen(
            Seen::Flagged { .. }
            | Seen::Reactivated { .. }
            | Seen::LastUseMoved { .. }
            | Seen::QuarantineRemoved
            | Seen::SeenAgain
            | Seen::ListedAfterDeletion,
        )
        | KeyEvent::Change(
            Change::Intent {
                action: Action::Quarantine | Action::EndQuarantine | Action::Delete | Action::Reactivate,
                ..
            }
            | Change::Accepted { .. }
            | Change::Quarantined { .. }
            | Change::QuarantineEnded { .. }
            | Change::Deactivated { .. }
            | Change::Undone { .. }
            | Change::Deleted { .. }
            | Change::Refused { .. }
            | Change::Unclear { .. },
        )
        | KeyEvent::Overlay(_)
        | KeyEvent::Record(_) => None,
    }
}

fn deactivating(data: Deactivating, when: When<'_>, event: &KeyEvent) -> Step {
    match event {
        KeyEvent::Change(Change::Deactivated { request_id, last_use, sighting }) => {
            let Flagged { finding, notice, .. } = data.flagged;
            let ours = request_id.is_some() || data.intent.explains(sighting.at);
            let origin = if ours { DeactivatedBy::Keysweep } else { DeactivatedBy::External };
            stay(State::Deactivated(Box::new(Deactivated {
                origin,
                since: when.at,
                finding,
                last_use: last_use.clone(),
                last_use_moved: false,
                watch: Watch::begin(sighting.clone()),
                // What somebody else did is not what was announced, and an order does not wait for its delivery.
                notice: notice.filter(|notice| ours && notice.undelivered().is_none()),
                approval: None,
                setback: None,
                bundle: None,
                team_told: false,
            })))
        }
        KeyEvent::Change(Change::Refused { action: Action::Deactivate, detail, .. }) => {
            stay(State::Flagged(set_back(data.flagged, when, SetbackKind::Refused, detail)))
        }
        KeyEvent::Change(Change::Unclear { action: Action::Deactivate, accepted, detail }) => {
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
        KeyEvent::Seen(Seen::Reactivated { hold_until }) if data.intent.accepted.is_some() => {
            woken(when, *hold_until)
        }
        KeyEvent::Seen(Seen::Absent) => absent(when),
        KeyEvent::Seen(
            Seen::Flagged { .. }
            | Seen::Cleared { .. }
            | Seen::Adopted { .. }
            | Seen::Reactivated { .. }
            | Seen::LastUseMoved { .. }
            | Seen::UsedInQuarantine { .. }
            | Seen::QuarantineRemoved
            | Seen::SeenAgain
            | Seen::ListedAfterDeletion,
        )
        | KeyEvent::Change(
            Change::Refused {
                action: Action::Quarantine | Action::EndQuarantine | Action::Delete | Action::Reactivate,
                ..
            }
            | Change::Unclear {
                action: Action::Quarantine | Action::EndQuarantine | Action::Delete | Action::Reactivate,
                ..
            }
            | Change::Quarantined { .. }
            | Change::QuarantineEnded { .. }
            | Change::Intent { .. }
            | Change::Accepted { .. }
            | Change::Undone { .. }
            | Change::Deleted { .. },
        )
        | KeyEvent::Consent(_)
        | KeyEvent::Overlay(_)
        | KeyEvent::Record(_) => None,
    }
}

fn deactivated(mut data: Box<Deactivated>, when: When<'_>, event: &KeyEvent) -> Step {
    match event {
        KeyEvent::Seen(Seen::Reactivated { hold_until }) => woken(when, *hold_until),
        KeyEvent::Seen(Seen::LastUseMoved { last_use }) => {
            data.last_use = last_use.clone();
            data.last_use_moved = true;
            data.approval = None;
            let hold = our_hold(when, HoldKind::LastUseMoved, "last use moved after the deactivation", None);
            Some((State::Deactivated(data), Some(hold)))
        }
        KeyEvent::Seen(Seen::Absent) => absent(when),
        KeyEvent::Consent(event) => {
            let Deactivated { notice, approval, team_told, .. } = &mut *data;
            let hold = Given { to: Planned::Delete, notice, approval, team_told }.apply(when, event)?;
            Some((State::Deactivated(data), hold))
        }
        KeyEvent::Change(Change::Intent { action: Action::Delete, deadline, .. }) => {
            data.bundle.take()?;
            let intent = open(when, *deadline);
            stay(State::Deleting(Box::new(Deleting { deactivated: *data, intent })))
        }
        KeyEvent::Seen(
            Seen::Flagged { .. }
            | Seen::Cleared { .. }
            | Seen::Adopted { .. }
            | Seen::UsedInQuarantine { .. }
            | Seen::QuarantineRemoved
            | Seen::SeenAgain
            | Seen::ListedAfterDeletion,
        )
        | KeyEvent::Change(
            Change::Intent {
                action: Action::Quarantine | Action::EndQuarantine | Action::Deactivate | Action::Reactivate,
                ..
            }
            | Change::Quarantined { .. }
            | Change::QuarantineEnded { .. }
            | Change::Accepted { .. }
            | Change::Deactivated { .. }
            | Change::Undone { .. }
            | Change::Deleted { .. }
            | Change::Refused { .. }
            | Change::Unclear { .. },
        )
        | KeyEvent::Overlay(_)
        | KeyEvent::Record(_) => None,
    }
}

fn deleting(data: Deleting, when: When<'_>, event: &KeyEvent) -> Step {
    match event {
        KeyEvent::Change(Change::Deleted { .. }) => {
            stay(State::Deleted(Deleted { since: when.at, listed_again: false }))
        }
        KeyEvent::Change(Change::Refused { action: Action::Delete, detail, .. }) => {
            let setback = set_back_to(Action::Delete, when, SetbackKind::Refused, detail);
            stay(State::Deactivated(Box::new(Deactivated { setback, ..data.deactivated })))
        }
        KeyEvent::Change(Change::Unclear { action: Action::Delete, detail, .. }) => {
            let setback = set_back_to(Action::Delete, when, SetbackKind::Unclear, detail);
            stay(State::Deactivated(Box::new(Deactivated { setback, ..data.deactivated })))
        }
        KeyEvent::Seen(Seen::Reactivated { hold_until }) => woken(when, *hold_until),
        KeyEvent::Seen(Seen::Absent) => absent(when),
        KeyEvent::Seen(
            Seen::Flagged { .. }
            | Seen::Cleared { .. }
            | Seen::Adopted { .. }
            | Seen::LastUseMoved { .. }
            | Seen::UsedInQuarantine { .. }
            | Seen::QuarantineRemoved
            | Seen::SeenAgain
            | Seen::ListedAfterDeletion,
        )
        | KeyEvent::Change(
            Change::Refused {
                action: Action::Quarantine | Action::EndQuarantine | Action::Deactivate | Action::Reactivate,
                ..
            }
            | Change::Unclear {
                action: Action::Quarantine | Action::EndQuarantine | Action::Deactivate | Action::Reactivate,
                ..
            }
            | Change::Quarantined { .. }
            | Change::QuarantineEnded { .. }
            | Change::Intent { .. }
            | Change::Accepted { .. }
            | Change::Deactivated { .. }
            | Change::Undone { .. },
        )
        | KeyEvent::Consent(_)
        | KeyEvent::Overlay(_)
        | KeyEvent::Record(_) => None,
    }
}

fn deleted(data: Deleted, event: &KeyEvent) -> Step {
    match event {
        KeyEvent::Seen(Seen::ListedAfterDeletion) => {
            stay(State::Deleted(Deleted { listed_again: true, ..data }))
        }
        KeyEvent::Seen(
            Seen::Flagged { .. }
            | Seen::Cleared { .. }
            | Seen::Adopted { .. }
            | Seen::Reactivated { .. }
            | Seen::LastUseMoved { .. }
            | Seen::UsedInQuarantine { .. }
            | Seen::QuarantineRemoved
            | Seen::Absent
            | Seen::SeenAgain,
        )
        | KeyEvent::Consent(_)
        | KeyEvent::Change(_)
        | KeyEvent::Overlay(_)
        | KeyEvent::Record(_) => None,
    }
}

fn gone(event: &KeyEvent) -> Step {
    match event {
        KeyEvent::Seen(Seen::SeenAgain) => stay(State::Active),
        KeyEvent::Seen(
            Seen::Flagged { .. }
            | Seen::Cleared { .. }
            | Seen::Adopted { .. }
            | Seen::Reactivated { .. }
            | Seen::LastUseMoved { .. }
            | Seen::UsedInQuarantine { .. }
            | Seen::QuarantineRemoved
            | Seen::Absent
            | Seen::ListedAfterDeletion,
        )
        | KeyEvent::Consent(_)
        | KeyEvent::Change(_)
        | KeyEvent::Overlay(_)
        | KeyEvent::Record(_) => None,
    }
}

fn set_back(data: Flagged, when: When<'_>, kind: SetbackKind, why: &str) -> Flagged {
    Flagged { setback: set_back_to(Action::Deactivate, when, kind, why), ..data }
}

pub(super) fn set_back_to(
    action: Action,
    when: When<'_>,
    kind: SetbackKind,
    why: &str,
) -> Option<Box<Setback>> {
    Some(Box::new(Setback { action, at: when.at, kind, why: why.into() }))
}

pub(super) fn open(when: When<'_>, deadline: Timestamp) -> OpenIntent {
    OpenIntent { seq: when.seq, at: when.at, deadline, accepted: None }
}

fn absent(when: When<'_>) -> Step {
    stay(State::Gone(Gone { since: when.at }))
}

/// Active again, by someone else.
fn woken(when: When<'_>, until: Timestamp) -> Step {
    let hold = our_hold(when, HoldKind::Reactivated, "reactivated by somebody else", Some(until));
    Some((State::Active, Some(hold)))
}
