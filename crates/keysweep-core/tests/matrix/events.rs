//! One of every event.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use keysweep_core::evidence::{Activity, TracedCall, UserChange};
use keysweep_core::facts::LastUse;
use keysweep_core::finding::FindingKind;
use keysweep_core::ids::{AccessKeyId, AccountId};
use keysweep_core::lifecycle::event::{Change, Consent, Note, Overlay, Purpose, Seen};
use keysweep_core::lifecycle::{
    ClearedWhy, KeyEvent, Named, NoticeTerms, RefusedKind, Shown, Sighting, When,
};
use keysweep_core::quarantine::{QuarantinePolicy, UserBefore};
use keysweep_core::state::Actor;
use keysweep_core::ticket::{Action, Attachment, Origin, Planned};

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
        KeyEvent::Seen(Seen::Flagged {
            finding: FindingKind::Unused,
            named: self.named.clone(),
            last_use: LastUse::Never,
        })
    }

    pub(crate) fn asked(&self, action: Planned) -> KeyEvent {
        let shown = Shown {
            user_name: self.named.user_name.clone(),
            finding: FindingKind::Unused,
            last_use: LastUse::Never,
            keys_of_user: 1,
            reactivated: 0,
            owner: None,
        };
        KeyEvent::Consent(Consent::ApprovalAsked {
            action,
            needed: 1,
            by_owner: false,
            expires: hour(20),
            repeats: 0,
            why: "policy".into(),
            shown,
        })
    }

    pub(crate) fn intent(&self, action: Action) -> KeyEvent {
        let user_before = UserBefore {
            user_name: self.named.user_name.clone(),
            path: "/".into(),
            keys: BTreeMap::new(),
            policies: BTreeSet::new(),
            password: false,
        };
        let attachment = Attachment { policy: QuarantinePolicy::default(), user_before };
        KeyEvent::Change(Change::Intent {
            action,
            origin: Origin::Policy,
            why: "stale".into(),
            deadline: hour(2),
            quarantine: (action == Action::Quarantine).then(|| Box::new(attachment)),
        })
    }

    pub(crate) fn deactivated(&self) -> KeyEvent {
        KeyEvent::Change(Change::Deactivated {
            request_id: None,
            last_use: LastUse::Never,
            sighting: sighting(),
        })
    }

    /// The event after this one in the table. Every variant names its successor, so that a new one does not compile
    /// until it has its place; an event that names an action stands once for each.
    pub(crate) fn following(&self, event: Option<KeyEvent>) -> Option<KeyEvent> {
        let reason = || "known".to_owned();
        let last_use = || LastUse::At { at: hour(3), service: None, region: None };
        let noticed = noticed(12);
        let Some(event) = event else { return Some(self.flagged()) };
        Some(match event {
            KeyEvent::Seen(Seen::Flagged { .. }) => {
                KeyEvent::Seen(Seen::Cleared { why: ClearedWhy::UsedAgain })
            }
            KeyEvent::Seen(Seen::Cleared { .. }) => {
                KeyEvent::Seen(Seen::Adopted { last_use: last_use(), sighting: sighting() })
            }
            KeyEvent::Seen(Seen::Adopted { .. }) => noticed,
            KeyEvent::Consent(Consent::Noticed { .. }) => delivered(),
            KeyEvent::Consent(Consent::NoticeDelivered { .. }) => {
                let why = "550 no such user".to_owned();
                KeyEvent::Consent(Consent::NoticeUndelivered { notice: SEQ, message: Some(SEQ), why })
            }
            KeyEvent::Consent(Consent::NoticeUndelivered { .. }) => {
                KeyEvent::Consent(Consent::ReminderDue { action: Planned::Deactivate })
            }
            KeyEvent::Consent(Consent::ReminderDue { action }) => match after_planned(action) {
                Some(action) => KeyEvent::Consent(Consent::ReminderDue { action }),
                None => KeyEvent::Consent(Consent::OwnerMissing { decoy: false }),
            },
            KeyEvent::Consent(Consent::OwnerMissing { .. }) => {
                KeyEvent::Consent(Consent::NoticeVoided { why: reason(), keeps: None })
            }
            KeyEvent::Consent(Consent::NoticeVoided { .. }) => self.asked(Planned::Deactivate),
            KeyEvent::Consent(Consent::ApprovalAsked { action, .. }) => match after_planned(action) {
                Some(action) => self.asked(action),
                None => claimed(Planned::Deactivate),
            },
            KeyEvent::Consent(Consent::Claimed { action, .. }) => match after_planned(action) {
                Some(action) => claimed(action),
                None => approved(Planned::Deactivate),
            },
            KeyEvent::Consent(Consent::Approved { action, .. }) => match after_planned(action) {
                Some(action) => approved(action),
                None => self.denied(Planned::Deactivate),
            },
            KeyEvent::Consent(Consent::Denied { action, .. }) => match after_planned(action) {
                Some(action) => self.denied(action),
                None => KeyEvent::Consent(Consent::ApprovalUnanswered { action: Planned::Deactivate }),
            },
            KeyEvent::Consent(Consent::ApprovalUnanswered { action }) => match after_planned(action) {
                Some(action) => KeyEvent::Consent(Consent::ApprovalUnanswered { action }),
                None => KeyEvent::Consent(Consent::ApprovalVoided { why: reason() }),
            },
            KeyEvent::Consent(Consent::ApprovalVoided { .. }) => {
                KeyEvent::Record(Note::BecameDue { action: Planned::Deactivate })
            }
            KeyEvent::Record(Note::BecameDue { action }) => match after_planned(action) {
                Some(action) => KeyEvent::Record(Note::BecameDue { action }),
                None => KeyEvent::Record(Note::NotDue),
            },
            KeyEvent::Record(Note::NotDue) => self.intent(Action::Quarantine),
            KeyEvent::Change(Change::Intent { action, .. }) => match after(action) {
                Some(action) => self.intent(action),
                None => accepted(Action::Quarantine),
            },
            KeyEvent::Change(Change::Accepted { action, .. }) => match after(action) {
                Some(action) => accepted(action),
                None => quarantined(),
            },
            KeyEvent::Change(Change::Quarantined { .. }) => quarantine_ended(),
            KeyEvent::Change(Change::QuarantineEnded { .. }) => self.deactivated(),
            KeyEvent::Change(Change::Deactivated { .. }) => {
                KeyEvent::Change(Change::Undone { request_id: None, hold_until: hour(40) })
            }
            KeyEvent::Change(Change::Undone { .. }) => KeyEvent::Change(Change::Deleted { request_id: None }),
            KeyEvent::Change(Change::Deleted { .. }) => refused(Action::Quarantine),
            KeyEvent::Change(Change::Refused { action, .. }) => match after(action) {
                Some(action) => refused(action),
                None => unclear(Action::Quarantine),
            },
            KeyEvent::Change(Change::Unclear { action, .. }) => match after(action) {
                Some(action) => unclear(action),
                None => KeyEvent::Seen(Seen::Reactivated { hold_until: hour(40) }),
            },
            KeyEvent::Seen(Seen::Reactivated { .. }) => {
                KeyEvent::Seen(Seen::LastUseMoved { last_use: last_use() })
            }
            KeyEvent::Seen(Seen::LastUseMoved { .. }) => {
                KeyEvent::Seen(Seen::UsedInQuarantine { last_use: last_use(), hold_until: hour(40) })
            }
            KeyEvent::Seen(Seen::UsedInQuarantine { .. }) => KeyEvent::Seen(Seen::QuarantineRemoved),
            KeyEvent::Seen(Seen::QuarantineRemoved) => KeyEvent::Seen(Seen::Absent),
            KeyEvent::Seen(Seen::Absent) => KeyEvent::Seen(Seen::SeenAgain),
            KeyEvent::Seen(Seen::SeenAgain) => KeyEvent::Seen(Seen::ListedAfterDeletion),
            KeyEvent::Seen(Seen::ListedAfterDeletion) => {
                KeyEvent::Record(Note::Renamed { user_name: self.named.user_name.clone() })
            }
            KeyEvent::Record(Note::Renamed { .. }) => {
                KeyEvent::Overlay(Overlay::HoldPlaced { reason: reason(), until: Some(hour(40)) })
            }
            KeyEvent::Overlay(Overlay::HoldPlaced { .. }) => {
                KeyEvent::Overlay(Overlay::HoldEnding { hold: SEQ })
            }
            KeyEvent::Overlay(Overlay::HoldEnding { .. }) => {
                KeyEvent::Overlay(Overlay::HoldReleased { hold: SEQ, reason: reason() })
            }
            KeyEvent::Overlay(Overlay::HoldReleased { .. }) => {
                KeyEvent::Overlay(Overlay::HoldExpired { hold: SEQ })
            }
            KeyEvent::Overlay(Overlay::HoldExpired { .. }) => KeyEvent::Overlay(Overlay::ExemptBegan {
                rule: "policy.exempt[2]".into(),
                reason: reason(),
                until: hour(40),
            }),
            KeyEvent::Overlay(Overlay::ExemptBegan { .. }) => KeyEvent::Overlay(Overlay::ExemptEnding),
            KeyEvent::Overlay(Overlay::ExemptEnding) => KeyEvent::Overlay(Overlay::ExemptEnded),
            KeyEvent::Overlay(Overlay::ExemptEnded) => {
                KeyEvent::Record(Note::ReactivationsCleared { reason: reason() })
            }
            KeyEvent::Record(Note::ReactivationsCleared { .. }) => {
                KeyEvent::Overlay(Overlay::IncidentBegan {
                    policies: vec!["AWSCompromisedKeyQuarantineV3".into()],
                })
            }
            KeyEvent::Overlay(Overlay::IncidentBegan { .. }) => KeyEvent::Overlay(Overlay::IncidentEnded),
            KeyEvent::Overlay(Overlay::IncidentEnded) => KeyEvent::Overlay(Overlay::QuarantineInterrupted {
                why: reason(),
                hold_until: Some(hour(40)),
            }),
            KeyEvent::Overlay(Overlay::QuarantineInterrupted { .. }) => {
                KeyEvent::Record(Note::ActivitySeen {
                    activity: Activity {
                        at: hour(2),
                        region: "us-east-1".into(),
                        source: None,
                        name: None,
                        address: None,
                        user_agent: None,
                        error: None,
                        event_id: None,
                    },
                })
            }
            KeyEvent::Record(Note::ActivitySeen { .. }) => bundled(),
            KeyEvent::Record(Note::BundleWritten { .. }) => traced(),
            KeyEvent::Record(Note::ReactivationTraced { .. }) => user_changed(),
            KeyEvent::Record(Note::UserChanged { .. }) => KeyEvent::Record(Note::OwnerFound { owner: None }),
            KeyEvent::Record(Note::OwnerFound { .. }) => KeyEvent::Record(Note::NoLongerNeeded),
            KeyEvent::Record(Note::NoLongerNeeded) => {
                KeyEvent::Record(Note::Forgotten { unsettled: None, reason: reason() })
            }
            KeyEvent::Record(Note::Forgotten { .. }) => return None,
        })
    }

    fn denied(&self, action: Planned) -> KeyEvent {
        KeyEvent::Consent(Consent::Denied {
            action,
            request: SEQ,
            reason: "in use".into(),
            hold_until: hour(40),
        })
    }
}

/// One planned change after the other.
fn after_planned(action: Planned) -> Option<Planned> {
    match action {
        Planned::Deactivate => Some(Planned::Delete),
        Planned::Delete => None,
    }
}

pub(crate) fn quarantined() -> KeyEvent {
    KeyEvent::Change(Change::Quarantined { request_id: None })
}

pub(crate) fn quarantine_ended() -> KeyEvent {
    KeyEvent::Change(Change::QuarantineEnded { request_id: None, hold_until: Some(hour(40)) })
}

/// One call after the other: a change, its undo, the end.
fn after(action: Action) -> Option<Action> {
    match action {
        Action::Quarantine => Some(Action::EndQuarantine),
        Action::EndQuarantine => Some(Action::Deactivate),
        Action::Deactivate => Some(Action::Reactivate),
        Action::Reactivate => Some(Action::Delete),
        Action::Delete => None,
    }
}

pub(crate) fn noticed(hours: i64) -> KeyEvent {
    let days = |n: u64| Duration::from_secs(n * 86_400);
    let terms = NoticeTerms { threshold: days(90), notice: days(7), grace: days(14), approval: false };
    KeyEvent::Consent(Consent::Noticed {
        deactivation: Some(hour(hours)),
        deletion: Some(hour(hours + 1)),
        terms,
        owner: None,
        send: true,
        decoy: false,
    })
}

pub(crate) fn delivered() -> KeyEvent {
    KeyEvent::Consent(Consent::NoticeDelivered {
        notice: SEQ,
        message: SEQ,
        to: "Dana".into(),
        via: "dana@example.com".parse().unwrap(),
    })
}

fn claimed(action: Planned) -> KeyEvent {
    KeyEvent::Consent(Consent::Claimed { action, request: SEQ, until: hour(10) })
}

fn approved(action: Planned) -> KeyEvent {
    KeyEvent::Consent(Consent::Approved { action, request: SEQ, reason: "known".into(), as_owner: false })
}

pub(crate) fn accepted(action: Action) -> KeyEvent {
    KeyEvent::Change(Change::Accepted { action, request_id: "11111111-2222-3333-4444-555555555555".into() })
}

pub(crate) fn unclear(action: Action) -> KeyEvent {
    KeyEvent::Change(Change::Unclear { action, accepted: true, detail: "timeout".into() })
}

fn refused(action: Action) -> KeyEvent {
    KeyEvent::Change(Change::Refused { action, kind: RefusedKind::Denied, detail: "AccessDenied".into() })
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

pub(crate) fn bundled() -> KeyEvent {
    KeyEvent::Record(Note::BundleWritten {
        bundle: "0".repeat(64).parse().unwrap(),
        purpose: Purpose::Deletion,
    })
}

fn traced() -> KeyEvent {
    KeyEvent::Record(Note::ReactivationTraced { reactivation: mk_call() })
}

fn user_changed() -> KeyEvent {
    let change = UserChange { name: "AttachUserPolicy".into(), call: mk_call() };
    KeyEvent::Record(Note::UserChanged { change })
}

fn mk_call() -> TracedCall {
    TracedCall {
        at: hour(2),
        by: "arn:aws:iam::111122223333:user/ann".into(),
        address: None,
        user_agent: None,
        event_id: None,
    }
}
