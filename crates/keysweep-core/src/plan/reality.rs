//! Brings the record of a key in line with what was seen.

use super::Next;
use super::decide::{Look, One};
use crate::evidence::Activity;
use crate::facts::{Fact, KeyStatus};
use crate::finding::FindingKind;
use crate::lifecycle::event::{ClearedWhy, KeyEvent, Overlay, Seen};
use crate::lifecycle::{Flagged, Record, SetbackKind, State};

impl Look<'_> {
    /// Brings the record in line with what is seen. What makes a deactivated key a case for a person needs no policy,
    /// but for the length of a hold; a flagged key with an unknown fact stays flagged.
    pub(super) fn reality(&self, record: &Record) -> Option<One> {
        let facts = self.view.facts;
        match (&record.state, &facts.status) {
            (State::Deactivated(data), KeyStatus::Active) => {
                // A read from before the deactivation is no evidence for the time after it.
                if self.view.sighting.at < data.since {
                    return Some(One::Next(Next::Nothing));
                }
                Some(One::Event(self.reactivated()))
            }
            (State::Deactivated(data), KeyStatus::Inactive) => {
                let last_use = facts.last_use.known()?;
                let moved = last_use.is_later_than(&data.last_use, data.since);
                moved.then(|| One::event(Seen::LastUseMoved { last_use: last_use.clone() }))
            }
            // AWS accepted its deactivation, and long after that it is Active: somebody set it so.
            (State::Flagged(Flagged { setback: Some(setback), .. }), KeyStatus::Active)
                if setback.kind == SetbackKind::Late && !setback.may_show_at(self.view.sighting.at) =>
            {
                Some(One::Event(self.reactivated()))
            }
            // A client that shows itself waits for no other fact: it is denied meanwhile.
            (State::Flagged(data), KeyStatus::Active) if self.is_used_in_quarantine(record, data) => {
                let (last_use, hold_until) = (facts.last_use.known()?.clone(), self.hold_until());
                Some(One::event(Seen::UsedInQuarantine { last_use, hold_until }))
            }
            (State::Flagged(_), KeyStatus::Active | KeyStatus::Inactive) if !self.unknown.is_empty() => None,
            (State::Flagged(data), KeyStatus::Active) => {
                let last_use = facts.last_use.known()?;
                if last_use.is_later_than(&data.last_use, data.since) {
                    return Some(One::event(Seen::Cleared { why: ClearedWhy::UsedAgain }));
                }
                let stale = self.finding == Some(data.finding);
                (!stale).then_some(One::event(Seen::Cleared { why: ClearedWhy::NoLongerStale }))
            }
            (State::Flagged(data), KeyStatus::Inactive) => {
                if self.view.sighting.at < data.since {
                    return Some(One::Next(Next::Nothing));
                }
                let terms = &self.resolution.as_ref().ok()?.terms;
                let last_use = facts.last_use.known()?.clone();
                let adopts = terms.adopt_inactive && self.finding.is_some_and(FindingKind::is_stale);
                // What keysweep may have deactivated itself is never disowned: an operator could not undo it.
                Some(One::event(if adopts || record.deactivation_may_show() {
                    Seen::Adopted { last_use, sighting: self.view.sighting.clone() }
                } else {
                    Seen::Cleared { why: ClearedWhy::InactiveElsewhere }
                }))
            }
            (
                State::Active
                | State::Flagged(_)
                | State::Deactivating(_)
                | State::Deactivated(_)
                | State::Deleting(_)
                | State::Deleted(_)
                | State::Gone(_),
                KeyStatus::Active | KeyStatus::Inactive | KeyStatus::Other(_),
            ) => None,
        }
    }

    /// Whether the key was used since its user was put in quarantine.
    fn is_used_in_quarantine(&self, record: &Record, data: &Flagged) -> bool {
        let (Some(quarantine), Some(last_use)) = (&record.quarantine, self.view.facts.last_use.known())
        else {
            return false;
        };
        last_use.is_later_than(&data.last_use, data.since) && last_use.at() >= Some(quarantine.since)
    }

    /// The newest event of CloudTrail, if it is later than every use that is known. IAM records one use for a span. In
    /// quarantine, it names the client of a use that IAM shows as well.
    pub(super) fn activity(&self, record: &Record) -> Option<Activity> {
        let (known, newest) = (self.view.facts.last_use.known()?, self.view.facts.trail.known()?.newest()?);
        let later = known.at() < Some(newest.at) && !known.is_same_use(&newest.as_last_use());
        let quarantine = record.quarantine.as_ref();
        let newer = later || quarantine.is_some_and(|quarantine| quarantine.since <= newest.at);
        let newer = newer && record.past.activity.as_deref().is_none_or(|activity| activity.at < newest.at);
        newer.then(|| newest.clone())
    }

    fn reactivated(&self) -> KeyEvent {
        Seen::Reactivated { hold_until: self.hold_until() }.into()
    }

    /// Keeps the overlay in line with the exemptions; where one cannot tell, the overlay stays.
    pub(super) fn exemption(&self, record: &Record) -> Option<KeyEvent> {
        let resolution = self.resolution.as_ref().ok()?;
        match (&resolution.exempt, &record.exempt) {
            (Some(by), Some(mark)) if mark.rule == by.rule.to_string() && mark.until == by.until => None,
            (Some(by), _) => Some(
                Overlay::ExemptBegan {
                    rule: by.rule.to_string(),
                    reason: by.reason.clone(),
                    until: by.until,
                }
                .into(),
            ),
            (None, Some(_)) => Some(Overlay::ExemptEnded.into()),
            (None, None) => None,
        }
    }

    /// Keeps the overlay in line with what is attached to the user; where one cannot tell, the overlay stays.
    pub(super) fn incident(&self, record: &Record) -> Option<KeyEvent> {
        let Fact::Known(policies) = self.view.facts.compromise() else { return None };
        match (policies.is_empty(), &record.incident) {
            (false, None) => Some(Overlay::IncidentBegan { policies: policies.clone() }.into()),
            // A read from before it began is no evidence that it ended.
            (true, Some(incident)) => {
                (self.view.sighting.at > incident.since).then_some(Overlay::IncidentEnded.into())
            }
            (false, Some(_)) | (true, None) => None,
        }
    }
}
