//! One of every event.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use keysweep_core::facts::LastUse;
use keysweep_core::ids::{AccessKeyId, AccountId};
use keysweep_core::lifecycle::{
    ClearedWhy, Finding, KeyEvent, Named, NoticeTerms, RefusedKind, Shown, Sighting, When,
};
use keysweep_core::state::Actor;
use keysweep_core::ticket::{Action, Origin, Planned};

/// The number of every entry of the table, and so of every hold and request.
const SEQ: u64 = 1;

/// What every record and event of the table is made of.
pub(crate) struct Samples {
    pub(crate) account: AccountId,
    pub(crate) key: AccessKeyId,
    named: Named,
}

impl Samples {
    pub(crate) fn new() -> Self {
        Self {
            account: "111122223333".parse().unwrap(),
            key: "AKIAIOSFODNN7EXAMPLE".parse().unwrap(),
            named: Named {
                user_id: "AIDACKCEVSQ6C2EXAMPLE".parse().unwrap(),
                user_name: "ci-deploy".parse().unwrap(),
                created: Timestamp::UNIX_EPOCH,
            },
        }
    }

    pub(crate) fn flagged(&self) -> KeyEvent {
        KeyEvent::Flagged { finding: Finding::Unused, named: self.named.clone(), last_use: LastUse::Never }
    }

    pub(crate) fn asked(&self, action: Planned) -> KeyEvent {
        let shown = Shown {
            user_name: self.named.user_name.clone(),
            finding: Finding::Unused,
            last_use: LastUse::Never,
            keys_of_user: 1,
            reactivated: 0,
        };
        KeyEvent::ApprovalAsked { action, expires: hour(20), repeats: 0, why: "policy".into(), shown }
    }

    pub(crate) fn intent(&self, action: Action) -> KeyEvent {
        KeyEvent::Intent { action, origin: Origin::Policy, why: "stale".into(), deadline: hour(2) }
    }

    pub(crate) fn deactivated(&self) -> KeyEvent {
        KeyEvent::Deactivated { request_id: None, last_use: LastUse::Never, sighting: sighting() }
    }

    /// The event after this one in the table. Every variant names its successor, so that a new one does not compile
    /// until it has its place; an event that names an action stands once for each.
    pub(crate) fn following(&self, event: Option<KeyEvent>) -> Option<KeyEvent> {
        let reason = || "known".to_owned();
        let last_use = || LastUse::At { at: hour(3), service: None, region: None };
        let noticed = noticed(12);
        let Some(event) = event else { return Some(self.flagged()) };
        Some(match event {
            KeyEvent::Flagged { .. } => KeyEvent::Cleared { why: ClearedWhy::UsedAgain },
            KeyEvent::Cleared { .. } => KeyEvent::Adopted { last_use: last_use(), sighting: sighting() },
            KeyEvent::Adopted { .. } => noticed,
            KeyEvent::Noticed { .. } => KeyEvent::NoticeVoided { why: reason(), keeps: None },
            KeyEvent::NoticeVoided { .. } => self.asked(Planned::Deactivate),
            KeyEvent::ApprovalAsked { action, .. } => match after_planned(action) {
                Some(action) => self.asked(action),
                None => approved(Planned::Deactivate),
            },
            KeyEvent::Approved { action, .. } => match after_planned(action) {
                Some(action) => approved(action),
                None => self.denied(Planned::Deactivate),
            },
            KeyEvent::Denied { action, .. } => match after_planned(action) {
                Some(action) => self.denied(action),
                None => KeyEvent::ApprovalUnanswered { action: Planned::Deactivate },
            },
            KeyEvent::ApprovalUnanswered { action } => match after_planned(action) {
                Some(action) => KeyEvent::ApprovalUnanswered { action },
                None => KeyEvent::ApprovalVoided { why: reason() },
            },
            KeyEvent::ApprovalVoided { .. } => KeyEvent::BecameDue { action: Planned::Deactivate },
            KeyEvent::BecameDue { action } => match after_planned(action) {
                Some(action) => KeyEvent::BecameDue { action },
                None => KeyEvent::NotDue,
            },
            KeyEvent::NotDue => self.intent(Action::Deactivate),
            KeyEvent::Intent { action, .. } => match after(action) {
                Some(action) => self.intent(action),
                None => accepted(Action::Deactivate),
            },
            KeyEvent::Accepted { action, .. } => match after(action) {
                Some(action) => accepted(action),
                None => self.deactivated(),
            },
            KeyEvent::Deactivated { .. } => KeyEvent::Undone { request_id: None, hold_until: hour(40) },
            KeyEvent::Undone { .. } => KeyEvent::Deleted { request_id: None },
            KeyEvent::Deleted { .. } => refused(Action::Deactivate),
            KeyEvent::Refused { action, .. } => match after(action) {
                Some(action) => refused(action),
                None => unclear(Action::Deactivate),
            },
            KeyEvent::Unclear { action, .. } => match after(action) {
                Some(action) => unclear(action),
                None => KeyEvent::Reactivated { hold_until: hour(40) },
            },
            KeyEvent::Reactivated { .. } => KeyEvent::LastUseMoved { last_use: last_use() },
            KeyEvent::LastUseMoved { .. } => KeyEvent::Absent,
            KeyEvent::Absent => KeyEvent::SeenAgain,
            KeyEvent::SeenAgain => KeyEvent::ListedAfterDeletion,
            KeyEvent::ListedAfterDeletion => KeyEvent::Renamed { user_name: self.named.user_name.clone() },
            KeyEvent::Renamed { .. } => KeyEvent::HoldPlaced { reason: reason(), until: Some(hour(40)) },
            KeyEvent::HoldPlaced { .. } => KeyEvent::HoldReleased { hold: SEQ, reason: reason() },
            KeyEvent::HoldReleased { .. } => KeyEvent::HoldExpired { hold: SEQ },
            KeyEvent::HoldExpired { .. } => {
                KeyEvent::ExemptBegan { rule: "policy.exempt[2]".into(), reason: reason(), until: hour(40) }
            }
            KeyEvent::ExemptBegan { .. } => KeyEvent::ExemptEnded,
            KeyEvent::ExemptEnded => KeyEvent::ReactivationsCleared { reason: reason() },
            KeyEvent::ReactivationsCleared { .. } => {
                KeyEvent::IncidentBegan { policies: vec!["AWSCompromisedKeyQuarantineV3".into()] }
            }
            KeyEvent::IncidentBegan { .. } => KeyEvent::IncidentEnded,
            KeyEvent::IncidentEnded => KeyEvent::Forgotten { unsettled: None, reason: reason() },
            KeyEvent::Forgotten { .. } => return None,
        })
    }

    fn denied(&self, action: Planned) -> KeyEvent {
        KeyEvent::Denied { action, request: SEQ, reason: "in use".into(), hold_until: hour(40) }
    }
}

/// One planned change after the other.
fn after_planned(action: Planned) -> Option<Planned> {
    match action {
        Planned::Deactivate => Some(Planned::Delete),
        Planned::Delete => None,
    }
}

/// One call after the other: a change, its undo, the end.
fn after(action: Action) -> Option<Action> {
    match action {
        Action::Deactivate => Some(Action::Reactivate),
        Action::Reactivate => Some(Action::Delete),
        Action::Delete => None,
    }
}

pub(crate) fn noticed(hours: i64) -> KeyEvent {
    let days = |n: u64| Duration::from_secs(n * 86_400);
    let terms = NoticeTerms { threshold: days(90), notice: days(7), grace: days(14), approval: false };
    KeyEvent::Noticed { deactivation: Some(hour(hours)), deletion: Some(hour(hours + 1)), terms }
}

fn approved(action: Planned) -> KeyEvent {
    KeyEvent::Approved { action, request: SEQ, reason: "known".into() }
}

pub(crate) fn accepted(action: Action) -> KeyEvent {
    KeyEvent::Accepted { action, request_id: "11111111-2222-3333-4444-555555555555".into() }
}

pub(crate) fn unclear(action: Action) -> KeyEvent {
    KeyEvent::Unclear { action, accepted: true, detail: "timeout".into() }
}

fn refused(action: Action) -> KeyEvent {
    KeyEvent::Refused { action, kind: RefusedKind::Denied, detail: "AccessDenied".into() }
}

fn sighting() -> Sighting {
    Sighting { at: hour(1), run: 1, monotonic: Duration::ZERO, interval: Duration::from_secs(6 * 3600) }
}

pub(crate) fn hour(hours: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH.saturating_add(SignedDuration::from_hours(hours)).unwrap()
}

pub(crate) fn at(hours: i64) -> When<'static> {
    When { at: hour(hours), seq: SEQ, actor: &Actor::Keysweep }
}
