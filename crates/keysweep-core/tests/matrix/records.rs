//! Records in every base state, each the outcome of events.

use keysweep_core::lifecycle::event::{Change, Note, Overlay, Seen};
use keysweep_core::lifecycle::{ClearedWhy, KeyEvent, Record, next};
use keysweep_core::ticket::{Action, Planned};

use crate::events::{Samples, accepted, at, bundled, delivered, hour, noticed, quarantined, unclear};

impl Samples {
    /// Records in a state, each the outcome of events; the richest first. `None` is a key without a record.
    pub(crate) fn befores(&self, state: &str) -> Vec<Option<Record>> {
        let overlays = [
            KeyEvent::Overlay(Overlay::ExemptBegan {
                rule: "policy.exempt[1]".into(),
                reason: "break glass".into(),
                until: hour(2),
            }),
            KeyEvent::Overlay(Overlay::HoldPlaced { reason: "asks".into(), until: Some(hour(2)) }),
        ];
        let incident = [KeyEvent::Overlay(Overlay::IncidentBegan {
            policies: vec!["AWSCompromisedKeyQuarantineV3".into()],
        })];
        let due = |action| KeyEvent::Record(Note::BecameDue { action });
        let noticed = noticed(2);
        let flagged = [self.flagged()];
        let with_consent = |action| [noticed.clone(), self.asked(action)];
        let intent = |action| self.intent(action);
        let deactivated = [self.flagged(), noticed.clone(), intent(Action::Deactivate), self.deactivated()];
        let cleared = KeyEvent::Seen(Seen::Cleared { why: ClearedWhy::UsedAgain });
        let of = |parts: &[&[KeyEvent]]| parts.concat();
        // Whatever its state is now: it was deactivated and woken before, and an undo may be under way.
        let woken = of(&[&deactivated, &[KeyEvent::Seen(Seen::Reactivated { hold_until: hour(3) })]]);
        let undo = [intent(Action::Reactivate)];
        let again = of(&[&woken, &flagged]);
        let attaching = [intent(Action::Quarantine)];
        let in_quarantine = [intent(Action::Quarantine), quarantined()];
        let detaching = [intent(Action::EndQuarantine)];
        // The user is in quarantine, or is to be, whatever the state of the key has become.
        let with_quarantine = |then: &[KeyEvent]| {
            let in_quarantine = of(&[&flagged, &in_quarantine, then]);
            [in_quarantine.clone(), of(&[&in_quarantine, &detaching])]
        };
        let gone_since = [KeyEvent::Seen(Seen::Absent)];
        let deactivates = [intent(Action::Deactivate), self.deactivated()];
        let histories: Vec<Vec<KeyEvent>> = match state {
            "active" => {
                let with_quarantine = with_quarantine(std::slice::from_ref(&cleared));
                let bare =
                    [of(&[&flagged, &overlays, &[cleared]]), vec![], woken.clone(), of(&[&woken, &undo])];
                [&bare[..], &with_quarantine].concat()
            }
            "flagged" => {
                let bare = [
                    of(&[
                        &flagged,
                        &with_consent(Planned::Deactivate),
                        &overlays,
                        &[due(Planned::Deactivate)],
                    ]),
                    again.clone(),
                    of(&[&again, &undo]),
                    of(&[&again, &[intent(Action::Deactivate), unclear(Action::Deactivate)]]),
                    of(&[&flagged, &attaching]),
                    of(&[&flagged, &[noticed.clone(), delivered()]]),
                ];
                [&bare[..], &with_quarantine(&[])].concat()
            }
            "deactivating" => {
                let rich = of(&[&again, &overlays, &[intent(Action::Deactivate)]]);
                let accepted = of(&[&rich, &[accepted(Action::Deactivate)]]);
                let with_quarantine = with_quarantine(&[intent(Action::Deactivate)]);
                [&[rich.clone(), accepted, of(&[&rich, &undo])][..], &with_quarantine].concat()
            }
            "deactivated" => {
                let consent = with_consent(Planned::Delete);
                let rich = of(&[&deactivated, &consent, &overlays, &[due(Planned::Delete), bundled()]]);
                let undoing = of(&[&rich, &undo]);
                let again = of(&[&again, &[intent(Action::Deactivate), self.deactivated()]]);
                let noticed = of(&[&deactivated, &[noticed.clone(), delivered()]]);
                [&[rich, undoing, again, noticed][..], &with_quarantine(&deactivates)].concat()
            }
            "deleting" => {
                let rich = of(&[&deactivated, &overlays, &[bundled(), intent(Action::Delete)]]);
                let woken = of(&[
                    &again,
                    &[intent(Action::Deactivate), self.deactivated(), bundled(), intent(Action::Delete)],
                ]);
                let deletes = of(&[&deactivates, &[bundled(), intent(Action::Delete)]]);
                [&[rich.clone(), of(&[&rich, &undo]), woken][..], &with_quarantine(&deletes)].concat()
            }
            "deleted" => {
                let deleted = KeyEvent::Change(Change::Deleted { request_id: None });
                let deletes = [bundled(), intent(Action::Delete), deleted];
                let bare = [of(&[&deactivated, &overlays, &deletes]), of(&[&deactivated, &deletes])];
                [&bare[..], &with_quarantine(&of(&[&deactivates, &deletes]))].concat()
            }
            "gone" => {
                let gone = |before: &[KeyEvent]| of(&[before, &[KeyEvent::Seen(Seen::Absent)]]);
                let bare = [
                    gone(&of(&[&flagged, &overlays])),
                    gone(&flagged),
                    gone(&again),
                    of(&[&gone(&again), &undo]),
                ];
                [&bare[..], &with_quarantine(&gone_since)].concat()
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
}
