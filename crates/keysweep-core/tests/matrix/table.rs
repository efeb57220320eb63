//! The whole of [`next`] as a table: every base state and every event.

use keysweep_core::lifecycle::event::{Change, Consent, Note, Overlay, Seen};
use keysweep_core::lifecycle::{KeyEvent, Record, State, next};

use crate::events::{Samples, at};

const BASE_STATES: [&str; 7] =
    ["active", "flagged", "deactivating", "deactivated", "deleting", "deleted", "gone"];

/// A Markdown table of every event against every base state, made by running [`next`].
///
/// A cell names the state that follows and, after a sign, the overlays that come or go with it; "-" means that the
/// event cannot happen in that state, whatever else is recorded of the key. An event that leaves the state as it is
/// may still change what is recorded in it, such as its notice.
pub(crate) fn matrix() -> String {
    let samples = Samples::new();
    let mut table = format!("| event | {} |\n", BASE_STATES.join(" | "));
    table.push_str(&format!("|---|{}\n", "---|".repeat(BASE_STATES.len())));
    let mut event = samples.following(None);
    while let Some(present) = event {
        let cells = BASE_STATES.map(|state| cell(&samples, state, &present));
        table.push_str(&format!("| {} | {} |\n", title(&present), cells.join(" | ")));
        event = samples.following(Some(present));
    }
    table
}

/// What follows in the first of the sample records of a state in which the event can happen.
fn cell(samples: &Samples, state: &str, event: &KeyEvent) -> String {
    let befores = samples.befores(state);
    let mut outcomes = befores.iter().filter_map(|before| {
        let after = next(samples.account, &samples.key, before.as_ref(), at(9), event).ok()?;
        Some(effect(before.as_ref(), after.as_ref(), event))
    });
    outcomes.next().unwrap_or_else(|| "-".into())
}

fn title(event: &KeyEvent) -> String {
    match event {
        KeyEvent::Consent(Consent::ApprovalAsked { action, .. })
        | KeyEvent::Consent(Consent::Claimed { action, .. })
        | KeyEvent::Consent(Consent::Approved { action, .. })
        | KeyEvent::Consent(Consent::Denied { action, .. })
        | KeyEvent::Consent(Consent::ApprovalUnanswered { action })
        | KeyEvent::Consent(Consent::ReminderDue { action })
        | KeyEvent::Record(Note::BecameDue { action }) => format!("{} ({action})", event.name()),
        KeyEvent::Change(Change::Intent { action, .. })
        | KeyEvent::Change(Change::Accepted { action, .. })
        | KeyEvent::Change(Change::Refused { action, .. })
        | KeyEvent::Change(Change::Unclear { action, .. }) => format!("{} ({action})", event.name()),
        KeyEvent::Record(Note::BundleWritten { .. }) => format!("{} (deletion)", event.name()),
        KeyEvent::Seen(Seen::Flagged { .. })
        | KeyEvent::Seen(Seen::Cleared { .. })
        | KeyEvent::Seen(Seen::Adopted { .. })
        | KeyEvent::Consent(Consent::Noticed { .. })
        | KeyEvent::Consent(Consent::NoticeDelivered { .. } | Consent::NoticeUndelivered { .. })
        | KeyEvent::Consent(Consent::OwnerMissing { .. })
        | KeyEvent::Overlay(Overlay::HoldEnding { .. } | Overlay::ExemptEnding)
        | KeyEvent::Consent(Consent::NoticeVoided { .. })
        | KeyEvent::Consent(Consent::ApprovalVoided { .. })
        | KeyEvent::Record(Note::NoLongerNeeded)
        | KeyEvent::Record(Note::NotDue)
        | KeyEvent::Change(Change::Quarantined { .. } | Change::QuarantineEnded { .. })
        | KeyEvent::Change(Change::Deactivated { .. })
        | KeyEvent::Change(Change::Undone { .. })
        | KeyEvent::Change(Change::Deleted { .. })
        | KeyEvent::Seen(Seen::Reactivated { .. })
        | KeyEvent::Seen(Seen::LastUseMoved { .. })
        | KeyEvent::Seen(Seen::UsedInQuarantine { .. } | Seen::QuarantineRemoved)
        | KeyEvent::Seen(Seen::Absent)
        | KeyEvent::Seen(Seen::SeenAgain)
        | KeyEvent::Seen(Seen::ListedAfterDeletion)
        | KeyEvent::Record(Note::Renamed { .. })
        | KeyEvent::Overlay(Overlay::HoldPlaced { .. })
        | KeyEvent::Overlay(Overlay::HoldReleased { .. })
        | KeyEvent::Overlay(Overlay::HoldExpired { .. })
        | KeyEvent::Record(
            Note::ReactivationsCleared { .. }
            | Note::ActivitySeen { .. }
            | Note::ReactivationTraced { .. }
            | Note::UserChanged { .. }
            | Note::OwnerFound { .. },
        )
        | KeyEvent::Overlay(Overlay::ExemptBegan { .. })
        | KeyEvent::Overlay(Overlay::ExemptEnded)
        | KeyEvent::Overlay(Overlay::IncidentBegan { .. })
        | KeyEvent::Overlay(Overlay::IncidentEnded | Overlay::QuarantineInterrupted { .. })
        | KeyEvent::Record(Note::Forgotten { .. }) => event.name().into(),
    }
}

fn effect(before: Option<&Record>, after: Option<&Record>, event: &KeyEvent) -> String {
    if matches!(event, KeyEvent::Record(Note::Forgotten { .. })) {
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
    let quarantine = |record: Option<&Record>| record.is_some_and(|r| r.quarantine.is_some());
    note("quarantine", quarantine(before), quarantine(after), quarantine(before) != quarantine(after));
    // A change of state always ends what was due; the table says it only where the state stays.
    if name(before) == name(after) {
        let changed = due(before) != due(after);
        note("due", due(before).is_some(), due(after).is_some(), changed);
    }
    cell
}
