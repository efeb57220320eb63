//! Entries of the journal in plain words.

use jiff::Timestamp;
use keysweep_core::facts::LastUse;
use keysweep_core::finding::FindingKind;
use keysweep_core::lifecycle::event::{Change, Consent, Note, Overlay, Seen};
use keysweep_core::lifecycle::{ClearedWhy, KeyEvent, State as KeyState};
use keysweep_core::state::{Body, Entry, State};

use super::calendar::{Calendar, days};

/// Something that happened, in plain words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    /// When, in policy time.
    pub(super) at: Timestamp,
    /// What.
    pub(super) text: String,
    /// How it is to be taken.
    pub(super) tone: Tone,
}

/// How an event is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// The usual course.
    Usual,
    /// A key was changed.
    Change,
    /// A key turned out to be wanted.
    Wanted,
    /// Something is in the way.
    Trouble,
}

/// What an entry tells, if a newcomer wants to know it. `who` is the user in his account.
pub(super) fn event(entry: &Entry, who: &str, state: &State, calendar: Calendar) -> Option<Event> {
    let (tone, text) = match &entry.body {
        Body::Key { key, event, .. } => {
            let record = state.record(key);
            let since = record.map(|record| record.identity.created);
            let (tone, what) = of_key(entry, event, since.unwrap_or(entry.at), calendar)?;
            (tone, format!("{who} {what}"))
        }
        Body::AccountFailed { name, reason, .. } => {
            (Tone::Trouble, format!("account {name} could not be scanned: {reason}"))
        }
        Body::AccountSkipped { name, reason, .. } => {
            (Tone::Usual, format!("account {name} is skipped: {reason}"))
        }
        Body::AccountLeft { account } => (Tone::Trouble, format!("account {account} left the organization")),
        Body::ChangeFailed { action, why, .. } => {
            (Tone::Trouble, format!("{who} could not be changed ({action}): {why}"))
        }
        Body::BreakerTripped { reason } => (Tone::Trouble, format!("the circuit breaker opened: {reason}")),
        Body::BreakerReset { reason, .. } => {
            (Tone::Usual, format!("{} reset the breaker: {reason}", entry.actor))
        }
        Body::Paused { reason } => (Tone::Trouble, format!("paused: {reason}")),
        Body::Resumed { reason, .. } => (Tone::Usual, format!("resumed by {}: {reason}", entry.actor)),
        Body::ReferenceMissing { reference } => {
            (Tone::Trouble, format!("{reference} does not exist: no change starts"))
        }
        Body::ReferenceCleared { reference, .. } => {
            (Tone::Usual, format!("{reference} is no longer missing"))
        }
        Body::RuleAcknowledged { reference, reason } => {
            (Tone::Usual, format!("{} acknowledged that {reference} is missing: {reason}", entry.actor))
        }
        Body::ExemptionGranted { user_name, key, reason, .. } => {
            let what = if key.is_some() { "a key" } else { "every key" };
            (Tone::Usual, format!("{} exempted {what} of {user_name}: {reason}", entry.actor))
        }
        Body::ExemptionEnded { number, reason, .. } => {
            (Tone::Usual, format!("{} ended exemption {number}: {reason}", entry.actor))
        }
        Body::Restored { created_at, .. } => {
            (Tone::Trouble, format!("{} restored the backup of {created_at}", entry.actor))
        }
        Body::AccountUnparked { account, reason } => {
            (Tone::Usual, format!("account {account} unparked by {}: {reason}", entry.actor))
        }
        Body::MessageUndeliverable { message, why } => {
            (Tone::Trouble, format!("message {message} could not be delivered: {why}"))
        }
        Body::MessageRetried { message, reason, .. } => {
            (Tone::Usual, format!("{} has message {message} sent again: {reason}", entry.actor))
        }
        Body::MessageComposed { .. }
        | Body::MessageDelivered { .. }
        | Body::MessageWithdrawn { .. }
        | Body::KeyCreated { .. }
        | Body::Started { .. }
        | Body::Configured { .. }
        | Body::AccountScanned { .. }
        | Body::AccountFindings { .. }
        | Body::DueAccepted { .. }
        | Body::SweepFinished { .. } => return None,
    };
    Some(Event { at: entry.at, text, tone })
}

fn of_key(entry: &Entry, event: &KeyEvent, created: Timestamp, calendar: Calendar) -> Option<(Tone, String)> {
    let (at, by) = (entry.at, &entry.actor);
    let idle = |last: Option<Timestamp>, since: Timestamp| match last {
        Some(last) => format!("unused for {} days", days(at.duration_since(last))),
        None => format!("never used in {} days", days(at.duration_since(since))),
    };
    Some(match event {
        KeyEvent::Seen(Seen::Flagged { finding, named, last_use }) => {
            let why = match finding {
                FindingKind::Unused | FindingKind::NeverUsed => idle(last_use.at(), named.created),
                FindingKind::OverAge | FindingKind::RootKey => finding.to_string(),
            };
            (Tone::Usual, format!("flagged: {why}"))
        }
        KeyEvent::Seen(Seen::Cleared { why }) => match why {
            ClearedWhy::UsedAgain => (Tone::Wanted, "used again in time: left alone".into()),
            ClearedWhy::NoLongerStale => (Tone::Usual, "no longer stale: left alone".into()),
            ClearedWhy::InactiveElsewhere => (Tone::Usual, "deactivated by somebody else: left alone".into()),
        },
        KeyEvent::Seen(Seen::Adopted { .. }) => (Tone::Usual, "found Inactive and taken over".into()),
        KeyEvent::Change(Change::Quarantined { .. }) => {
            (Tone::Change, "user quarantined: clients that still use the key are denied".into())
        }
        KeyEvent::Change(Change::QuarantineEnded { hold_until: Some(_), .. }) => {
            (Tone::Wanted, "quarantine ended by an operator: on hold".into())
        }
        KeyEvent::Change(Change::QuarantineEnded { hold_until: None, .. }) => {
            (Tone::Usual, "quarantine ended".into())
        }
        KeyEvent::Seen(Seen::UsedInQuarantine { last_use, .. }) => {
            let service = match last_use {
                LastUse::At { service: Some(service), .. } => format!(" with {service}"),
                LastUse::At { service: None, .. } | LastUse::Never => String::new(),
            };
            (Tone::Wanted, format!("used in quarantine{service}: quarantine ends, on hold"))
        }
        KeyEvent::Seen(Seen::QuarantineRemoved) => {
            (Tone::Usual, "quarantine ended: the user was deleted".into())
        }
        KeyEvent::Overlay(Overlay::QuarantineInterrupted { why, .. }) => {
            (Tone::Usual, format!("ending quarantine: {why}"))
        }
        KeyEvent::Change(Change::Deactivated { last_use, .. }) => {
            (Tone::Change, format!("deactivated ({})", idle(last_use.at(), created)))
        }
        KeyEvent::Change(Change::Deleted { .. }) => {
            (Tone::Change, "deleted after a watched grace period, with its evidence on file".into())
        }
        KeyEvent::Change(Change::Undone { hold_until, .. }) => (
            Tone::Wanted,
            format!("reactivated by an operator: on hold until day {}", calendar.day(*hold_until)),
        ),
        KeyEvent::Seen(Seen::Reactivated { hold_until }) => (
            Tone::Wanted,
            format!("reactivated by its owner: on hold until day {}", calendar.day(*hold_until)),
        ),
        KeyEvent::Seen(Seen::LastUseMoved { .. }) => {
            (Tone::Wanted, "last use moved after its deactivation: on hold".into())
        }
        KeyEvent::Record(Note::ReactivationTraced { reactivation }) => {
            (Tone::Usual, format!("CloudTrail shows who reactivated it: {}", reactivation.by))
        }
        KeyEvent::Record(Note::UserChanged { change }) => (
            Tone::Usual,
            format!("CloudTrail shows a change of its user: {} by {}", change.name, change.call.by),
        ),
        KeyEvent::Record(Note::ActivitySeen { activity }) => {
            let name = activity.name.as_deref().unwrap_or("a call");
            let shown = match activity.is_of_analyzer() {
                true => activity.to_string(),
                false => format!("CloudTrail shows {name} in {}", activity.region),
            };
            (Tone::Wanted, shown)
        }
        KeyEvent::Consent(Consent::ApprovalAsked { action, why, .. }) => {
            (Tone::Usual, format!("a person has to decide whether to {action} it ({why})"))
        }
        KeyEvent::Consent(Consent::Claimed { .. }) => {
            (Tone::Usual, format!("{by} is looking at the request"))
        }
        KeyEvent::Consent(Consent::Approved { action, .. }) => {
            (Tone::Usual, format!("approved by {by}: {action}"))
        }
        KeyEvent::Consent(Consent::Denied { .. }) => (Tone::Wanted, format!("denied by {by}: on hold")),
        KeyEvent::Consent(Consent::ApprovalUnanswered { .. }) => {
            (Tone::Usual, "nobody approved: on hold".into())
        }
        KeyEvent::Consent(Consent::NoticeDelivered { to, .. }) => {
            (Tone::Usual, format!("notice delivered to {to}"))
        }
        KeyEvent::Consent(Consent::NoticeUndelivered { why, .. }) => {
            (Tone::Trouble, format!("notice not delivered: {why}"))
        }
        KeyEvent::Consent(Consent::OwnerMissing { .. }) => {
            (Tone::Usual, "has no owner whom keysweep can notify".into())
        }
        KeyEvent::Consent(Consent::NoticeVoided { why, .. }) => {
            (Tone::Usual, format!("needs a new notice: {why}"))
        }
        KeyEvent::Consent(Consent::ApprovalVoided { why }) => {
            (Tone::Usual, format!("needs a new approval: {why}"))
        }
        KeyEvent::Change(Change::Refused { action, detail, .. }) => {
            (Tone::Trouble, format!("refused by AWS ({action}): {detail}"))
        }
        KeyEvent::Change(Change::Unclear { action, detail, .. }) => {
            (Tone::Trouble, format!("unclear whether done ({action}): {detail}"))
        }
        KeyEvent::Seen(Seen::Absent) => (Tone::Usual, "deleted by somebody else".into()),
        KeyEvent::Seen(Seen::SeenAgain) => (Tone::Usual, "there again: judged afresh".into()),
        KeyEvent::Seen(Seen::ListedAfterDeletion) => (Tone::Trouble, "listed although it was deleted".into()),
        KeyEvent::Record(Note::Renamed { user_name }) => (Tone::Usual, format!("renamed to {user_name}")),
        KeyEvent::Overlay(Overlay::HoldPlaced { reason, .. }) => {
            (Tone::Wanted, format!("put on hold by {by}: {reason}"))
        }
        KeyEvent::Overlay(Overlay::HoldReleased { reason, .. }) => {
            (Tone::Usual, format!("released by {by}: {reason}"))
        }
        KeyEvent::Overlay(Overlay::HoldExpired { .. }) => (Tone::Usual, "no longer on hold".into()),
        KeyEvent::Record(Note::ReactivationsCleared { .. }) => {
            (Tone::Usual, "its reactivations are cleared".into())
        }
        KeyEvent::Overlay(Overlay::ExemptBegan { reason, .. }) => (Tone::Usual, format!("exempt: {reason}")),
        KeyEvent::Overlay(Overlay::ExemptEnded) => (Tone::Usual, "no longer exempt".into()),
        KeyEvent::Overlay(Overlay::IncidentBegan { policies }) => {
            (Tone::Trouble, format!("incident: AWS attached {}; not touched", policies.join(", ")))
        }
        KeyEvent::Overlay(Overlay::IncidentEnded) => {
            (Tone::Usual, "incident over: AWS's policy was taken off".into())
        }
        KeyEvent::Record(Note::NoLongerNeeded) => (Tone::Usual, format!("no longer needed, says {by}")),
        KeyEvent::Record(Note::Forgotten { .. }) => (Tone::Usual, format!("forgotten by {by}")),
        // Steps between two of the above.
        KeyEvent::Consent(Consent::Noticed { .. } | Consent::ReminderDue { .. })
        | KeyEvent::Overlay(Overlay::HoldEnding { .. } | Overlay::ExemptEnding)
        | KeyEvent::Record(
            Note::BecameDue { .. } | Note::NotDue | Note::BundleWritten { .. } | Note::OwnerFound { .. },
        )
        | KeyEvent::Change(Change::Accepted { .. } | Change::Intent { .. }) => {
            return None;
        }
    })
}

/// Where a recorded key stands, in a few words.
pub(super) fn standing(state: &KeyState, calendar: Calendar) -> String {
    let day = |at: Timestamp| calendar.day(at);
    match state {
        KeyState::Active => "active".into(),
        KeyState::Flagged(flagged) => {
            let date = flagged.notice.as_ref().and_then(|notice| notice.deactivation);
            match (&flagged.approval, date) {
                // Whatever was announced, nothing happens until somebody approves.
                (Some(approval), _) if !approval.is_granted() => "flagged, waits for approval".into(),
                (_, Some(date)) => format!("flagged, to be deactivated on day {}", day(date)),
                (_, None) => "flagged".into(),
            }
        }
        KeyState::Deactivating(_) => "being deactivated".into(),
        KeyState::Deactivated(data) => {
            let watched = data.watch.total.as_secs() / 86_400;
            format!("deactivated on day {}, watched for {watched} days", day(data.since))
        }
        KeyState::Deleting(_) => "being deleted".into(),
        KeyState::Deleted(data) => format!("deleted on day {}", day(data.since)),
        KeyState::Gone(_) => "deleted by somebody else".into(),
    }
}

#[cfg(test)]
mod tests {
    use keysweep_core::facts::LastUse;
    use keysweep_core::lifecycle::{Approval, Flagged, Notice, NoticeTerms, Shown, Sighting};
    use keysweep_core::state::Actor;
    use keysweep_core::ticket::Planned;

    use super::*;

    fn mk_words(event: KeyEvent) -> Option<(Tone, String)> {
        let began: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let created = "2025-01-01T00:00:00Z".parse().unwrap();
        let at = "2026-01-11T00:00:00Z".parse().unwrap();
        let account = "111122223333".parse().unwrap();
        let body = Body::Key { account, key: "AKIAIOSFODNN7EXAMPLE".parse().unwrap(), event: event.clone() };
        let entry = Entry { seq: 1, at, actor: Actor::Keysweep, body };
        of_key(&entry, &event, created, Calendar::new(began, 30))
    }

    fn mk_deactivated(last_use: LastUse) -> KeyEvent {
        let at = "2026-01-11T00:00:00Z".parse().unwrap();
        let sighting = Sighting { at, run: 1, monotonic: Default::default(), interval: Default::default() };
        KeyEvent::Change(Change::Deactivated { request_id: None, last_use, sighting })
    }

    #[test]
    fn a_deactivation_says_for_how_long_nobody_used_the_key() {
        let at = "2025-10-03T00:00:00Z".parse().unwrap();
        let used = mk_deactivated(LastUse::At { at, service: None, region: None });
        assert_eq!(mk_words(used), Some((Tone::Change, "deactivated (unused for 100 days)".to_owned())));
        let never = mk_deactivated(LastUse::Never);
        assert_eq!(mk_words(never), Some((Tone::Change, "deactivated (never used in 375 days)".to_owned())));
    }

    #[test]
    fn a_reactivation_says_until_which_day_the_key_is_on_hold() {
        let hold_until = "2026-02-10T00:00:00Z".parse().unwrap();
        let words = mk_words(KeyEvent::Seen(Seen::Reactivated { hold_until }));
        assert_eq!(words, Some((Tone::Wanted, "reactivated by its owner: on hold until day 40".to_owned())));
    }

    #[test]
    fn a_key_that_waits_for_approval_has_no_day() {
        let began: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let period = std::time::Duration::from_secs(86_400);
        let terms = NoticeTerms { threshold: period, notice: period, grace: period, approval: true };
        let notice = Notice {
            at: began,
            deactivation: Some(began),
            deletion: None,
            terms,
            owner: None,
            delivery: keysweep_core::lifecycle::Delivery::Recorded,
            reminded: None,
            decoy: false,
        };
        let shown = Shown {
            user_name: "ci".parse().unwrap(),
            finding: FindingKind::Unused,
            last_use: LastUse::Never,
            keys_of_user: 1,
            reactivated: 1,
            owner: None,
        };
        let approval = Approval {
            number: 7,
            action: Planned::Deactivate,
            asked_at: began,
            expires: began,
            repeats: 0,
            why: "reactivated".into(),
            shown,
            needed: 1,
            by_owner: false,
            claim: None,
            granted: Vec::new(),
        };
        let flagged = |approval| {
            KeyState::Flagged(Flagged {
                finding: FindingKind::Unused,
                since: began,
                last_use: LastUse::Never,
                notice: Some(notice.clone().into()),
                approval,
                setback: None,
                team_told: false,
            })
        };
        let calendar = Calendar::new(began, 30);
        assert_eq!(standing(&flagged(Some(Box::new(approval))), calendar), "flagged, waits for approval");
        assert_eq!(standing(&flagged(None), calendar), "flagged, to be deactivated on day 0");
    }

    #[test]
    fn steps_between_two_that_are_told_are_not() {
        assert_eq!(mk_words(KeyEvent::Record(Note::NotDue)), None);
    }
}
