//! The whole of [`next`] as a table: every base state and every event.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{
    ClearedWhy, Finding, KeyEvent, Named, NoticeTerms, Record, RefusedKind, Shown, Sighting, State, When,
    next,
};
use crate::facts::LastUse;
use crate::ids::{AccessKeyId, AccountId, ParseIdError};
use crate::state::Actor;
use crate::ticket::{Action, Origin};

/// A Markdown table of every event against every base state, made by running [`next`].
///
/// A cell names the state that follows and, after a sign, the overlays that come or go with it; "-" means that the
/// event cannot happen in that state, whatever else is recorded of the key. An event that leaves the state as it is
/// may still change what is recorded in it, such as its notice.
#[must_use]
pub fn matrix() -> String {
    match Samples::new() {
        Ok(samples) => samples.table(),
        // The names of the samples are constants that parse; a test reads the table.
        Err(error) => error.to_string(),
    }
}

/// The number of every entry of the table, and so of every hold and request.
const SEQ: u64 = 1;

const BASE_STATES: [&str; 7] =
    ["active", "flagged", "deactivating", "deactivated", "deleting", "deleted", "gone"];

/// What every record and event of the table is made of.
struct Samples {
    account: AccountId,
    key: AccessKeyId,
    named: Named,
}

impl Samples {
    fn new() -> Result<Self, ParseIdError> {
        Ok(Self {
            account: "111122223333".parse()?,
            key: "AKIAIOSFODNN7EXAMPLE".parse()?,
            named: Named {
                user_id: "AIDACKCEVSQ6C2EXAMPLE".parse()?,
                user_name: "ci-deploy".parse()?,
                created: Timestamp::UNIX_EPOCH,
            },
        })
    }

    fn table(&self) -> String {
        let mut table = format!("| event | {} |\n", BASE_STATES.join(" | "));
        table.push_str(&format!("|---|{}\n", "---|".repeat(BASE_STATES.len())));
        let mut event = self.following(None);
        while let Some(present) = event {
            let cells = BASE_STATES.map(|state| self.cell(state, &present));
            table.push_str(&format!("| {} | {} |\n", title(&present), cells.join(" | ")));
            event = self.following(Some(present));
        }
        table
    }

    /// What follows in the first of the sample records of a state in which the event can happen.
    fn cell(&self, state: &str, event: &KeyEvent) -> String {
        let befores = self.befores(state);
        let mut outcomes = befores.iter().filter_map(|before| {
            let after = next(self.account, &self.key, before.as_ref(), at(9), event).ok()?;
            Some(effect(before.as_ref(), after.as_ref(), event))
        });
        outcomes.next().unwrap_or_else(|| "-".into())
    }

    /// Records in a state, each the outcome of events; the richest first. `None` is a key without a record.
    fn befores(&self, state: &str) -> Vec<Option<Record>> {
        let overlays = [
            KeyEvent::ExemptBegan {
                rule: "policy.exempt[1]".into(),
                reason: "break glass".into(),
                until: hour(2),
            },
            KeyEvent::HoldPlaced { reason: "asks".into(), until: Some(hour(2)) },
        ];
        let incident = [KeyEvent::IncidentBegan { policies: vec!["AWSCompromisedKeyQuarantineV3".into()] }];
        let due = |action| KeyEvent::BecameDue { action };
        let noticed = noticed(2);
        let flagged = [self.flagged()];
        let with_consent = |action| [noticed.clone(), self.asked(action)];
        let intent = |action| self.intent(action);
        let deactivated = [self.flagged(), noticed.clone(), intent(Action::Deactivate), self.deactivated()];
        let cleared = KeyEvent::Cleared { why: ClearedWhy::UsedAgain };
        let of = |parts: &[&[KeyEvent]]| parts.concat();
        // Whatever its state is now: it was deactivated and woken before, and an undo may be under way.
        let woken = of(&[&deactivated, &[KeyEvent::Reactivated { hold_until: hour(3) }]]);
        let undo = [intent(Action::Reactivate)];
        let again = of(&[&woken, &flagged]);
        let histories: Vec<Vec<KeyEvent>> = match state {
            "active" => {
                vec![of(&[&flagged, &overlays, &[cleared]]), vec![], woken.clone(), of(&[&woken, &undo])]
            }
            "flagged" => vec![
                of(&[&flagged, &with_consent(Action::Deactivate), &overlays, &[due(Action::Deactivate)]]),
                again.clone(),
                of(&[&again, &undo]),
                of(&[&again, &[intent(Action::Deactivate), unclear(Action::Deactivate)]]),
            ],
            "deactivating" => {
                let rich = of(&[&again, &overlays, &[intent(Action::Deactivate)]]);
                let accepted = of(&[&rich, &[accepted(Action::Deactivate)]]);
                vec![rich.clone(), accepted, of(&[&rich, &undo])]
            }
            "deactivated" => {
                let consent = with_consent(Action::Delete);
                let rich = of(&[&deactivated, &consent, &overlays, &[due(Action::Delete)]]);
                let undoing = of(&[&rich, &undo]);
                vec![rich, undoing, of(&[&again, &[intent(Action::Deactivate), self.deactivated()]])]
            }
            "deleting" => {
                let rich = of(&[&deactivated, &overlays, &[intent(Action::Delete)]]);
                let woken =
                    of(&[&again, &[intent(Action::Deactivate), self.deactivated(), intent(Action::Delete)]]);
                vec![rich.clone(), of(&[&rich, &undo]), woken]
            }
            "deleted" => vec![
                of(&[
                    &deactivated,
                    &overlays,
                    &[intent(Action::Delete), KeyEvent::Deleted { request_id: None }],
                ]),
                of(&[&deactivated, &[intent(Action::Delete), KeyEvent::Deleted { request_id: None }]]),
            ],
            "gone" => {
                let gone = |before: &[KeyEvent]| of(&[before, &[KeyEvent::Absent]]);
                vec![
                    gone(&of(&[&flagged, &overlays])),
                    gone(&flagged),
                    gone(&again),
                    of(&[&gone(&again), &undo]),
                ]
            }
            _ => vec![],
        };
        // Each also under an incident, so that every event finds a record in which it can happen.
        let under = |history: &Vec<KeyEvent>| history.iter().chain(&incident).cloned().collect::<Vec<_>>();
        let incidents: Vec<Vec<KeyEvent>> = histories.iter().map(under).collect();
        histories.iter().chain(&incidents).map(|history| self.replay(history)).collect()
    }

    fn replay(&self, events: &[KeyEvent]) -> Option<Record> {
        events.iter().fold(None, |record, event| {
            next(self.account, &self.key, record.as_ref(), at(1), event).unwrap_or(record)
        })
    }

    fn flagged(&self) -> KeyEvent {
        KeyEvent::Flagged { finding: Finding::Unused, named: self.named.clone(), last_use: LastUse::Never }
    }

    fn asked(&self, action: Action) -> KeyEvent {
        let shown = Shown {
            user_name: self.named.user_name.clone(),
            finding: Finding::Unused,
            last_use: LastUse::Never,
            keys_of_user: 1,
            reactivated: 0,
        };
        KeyEvent::ApprovalAsked { action, expires: hour(20), repeats: 0, why: "policy".into(), shown }
    }

    fn intent(&self, action: Action) -> KeyEvent {
        KeyEvent::Intent { action, origin: Origin::Policy, why: "stale".into(), deadline: hour(2) }
    }

    fn deactivated(&self) -> KeyEvent {
        KeyEvent::Deactivated { request_id: None, last_use: LastUse::Never, sighting: sighting() }
    }

    /// The event after this one in the table. Every variant names its successor, so that a new one does not compile
    /// until it has its place; an event that names an action stands once for each.
    fn following(&self, event: Option<KeyEvent>) -> Option<KeyEvent> {
        let reason = || "known".to_owned();
        let last_use = || LastUse::At { at: hour(3), service: None, region: None };
        let noticed = noticed(12);
        let Some(event) = event else { return Some(self.flagged()) };
        Some(match event {
            KeyEvent::Flagged { .. } => KeyEvent::Cleared { why: ClearedWhy::UsedAgain },
            KeyEvent::Cleared { .. } => KeyEvent::Adopted { last_use: last_use(), sighting: sighting() },
            KeyEvent::Adopted { .. } => noticed,
            KeyEvent::Noticed { .. } => KeyEvent::NoticeVoided { why: reason(), keeps: None },
            KeyEvent::NoticeVoided { .. } => self.asked(Action::Deactivate),
            KeyEvent::ApprovalAsked { action, .. } => match after(action) {
                Some(action) => self.asked(action),
                None => approved(Action::Deactivate),
            },
            KeyEvent::Approved { action, .. } => match after(action) {
                Some(action) => approved(action),
                None => self.denied(Action::Deactivate),
            },
            KeyEvent::Denied { action, .. } => match after(action) {
                Some(action) => self.denied(action),
                None => KeyEvent::ApprovalUnanswered { action: Action::Deactivate },
            },
            KeyEvent::ApprovalUnanswered { action } => match after(action) {
                Some(action) => KeyEvent::ApprovalUnanswered { action },
                None => KeyEvent::ApprovalVoided { why: reason() },
            },
            KeyEvent::ApprovalVoided { .. } => KeyEvent::BecameDue { action: Action::Deactivate },
            KeyEvent::BecameDue { action } => match after(action) {
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

    fn denied(&self, action: Action) -> KeyEvent {
        KeyEvent::Denied { action, request: SEQ, reason: "in use".into(), hold_until: hour(40) }
    }
}

/// One action after the other: a change, its undo, the end.
fn after(action: Action) -> Option<Action> {
    match action {
        Action::Deactivate => Some(Action::Reactivate),
        Action::Reactivate => Some(Action::Delete),
        Action::Delete => None,
    }
}

fn noticed(hours: i64) -> KeyEvent {
    let days = |n: u64| Duration::from_secs(n * 86_400);
    let terms = NoticeTerms { threshold: days(90), notice: days(7), grace: days(14), approval: false };
    KeyEvent::Noticed { deactivation: Some(hour(hours)), deletion: Some(hour(hours + 1)), terms }
}

fn approved(action: Action) -> KeyEvent {
    KeyEvent::Approved { action, request: SEQ, reason: "known".into() }
}

fn accepted(action: Action) -> KeyEvent {
    KeyEvent::Accepted { action, request_id: "11111111-2222-3333-4444-555555555555".into() }
}

fn unclear(action: Action) -> KeyEvent {
    KeyEvent::Unclear { action, accepted: true, detail: "timeout".into() }
}

fn refused(action: Action) -> KeyEvent {
    KeyEvent::Refused { action, kind: RefusedKind::Denied, detail: "AccessDenied".into() }
}

fn title(event: &KeyEvent) -> String {
    match event {
        KeyEvent::ApprovalAsked { action, .. }
        | KeyEvent::Approved { action, .. }
        | KeyEvent::Denied { action, .. }
        | KeyEvent::ApprovalUnanswered { action }
        | KeyEvent::BecameDue { action }
        | KeyEvent::Intent { action, .. }
        | KeyEvent::Accepted { action, .. }
        | KeyEvent::Refused { action, .. }
        | KeyEvent::Unclear { action, .. } => format!("{} ({action})", event.name()),
        KeyEvent::Flagged { .. }
        | KeyEvent::Cleared { .. }
        | KeyEvent::Adopted { .. }
        | KeyEvent::Noticed { .. }
        | KeyEvent::NoticeVoided { .. }
        | KeyEvent::ApprovalVoided { .. }
        | KeyEvent::NotDue
        | KeyEvent::Deactivated { .. }
        | KeyEvent::Undone { .. }
        | KeyEvent::Deleted { .. }
        | KeyEvent::Reactivated { .. }
        | KeyEvent::LastUseMoved { .. }
        | KeyEvent::Absent
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
        | KeyEvent::Forgotten { .. } => event.name().into(),
    }
}

fn effect(before: Option<&Record>, after: Option<&Record>, event: &KeyEvent) -> String {
    if matches!(event, KeyEvent::Forgotten { .. }) {
        return "no record".into();
    }
    let name = |record: Option<&Record>| record.map_or(State::Active.as_str(), |r| r.state.as_str());
    let mut cell = name(after).to_owned();
    let mut note = |what: &str, had: bool, has: bool, changed: bool| {
        if has && changed {
            cell.push_str(&format!(" + {what}"));
        } else if had && !has {
            cell.push_str(&format!(" − {what}"));
        }
    };
    let hold = |record: Option<&Record>| record.filter(|r| !r.holds.is_empty()).map(|r| r.holds.clone());
    let exempt = |record: Option<&Record>| record.and_then(|r| r.exempt.clone());
    let incident = |record: Option<&Record>| record.is_some_and(|r| r.incident.is_some());
    let due = |record: Option<&Record>| record.and_then(|r| r.due.clone());
    let changed = hold(before) != hold(after);
    note("hold", hold(before).is_some(), hold(after).is_some(), changed);
    let changed = exempt(before) != exempt(after);
    note("exempt", exempt(before).is_some(), exempt(after).is_some(), changed);
    note("incident", incident(before), incident(after), incident(before) != incident(after));
    // A change of state always ends what was due; the table says it only where the state stays.
    if name(before) == name(after) {
        let changed = due(before) != due(after);
        note("due", due(before).is_some(), due(after).is_some(), changed);
    }
    cell
}

fn sighting() -> Sighting {
    Sighting { at: hour(1), run: 1, monotonic: Duration::ZERO, interval: Duration::from_secs(6 * 3600) }
}

fn hour(hours: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH.saturating_add(SignedDuration::from_hours(hours)).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn at(hours: i64) -> When<'static> {
    When { at: hour(hours), seq: SEQ, actor: &Actor::Keysweep }
}
