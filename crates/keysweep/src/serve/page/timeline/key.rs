//! What happened to one key.

use keysweep_core::lifecycle::KeyEvent;
use keysweep_core::lifecycle::event::{Change, ClearedWhy, Consent, Note, Overlay, Purpose, Seen};
use keysweep_core::ticket::Origin;

use super::Sentence::{self, By, ByOther, Plain};
use super::{call, change, doing, last_use, quoted};
use crate::serve::page::words::{instant, spaced};

/// The sentence of an event.
pub(super) fn sentence(event: &KeyEvent) -> Sentence {
    match event {
        KeyEvent::Seen(event) => seen(event),
        KeyEvent::Consent(event) => consent(event),
        KeyEvent::Change(event) => changed(event),
        KeyEvent::Overlay(event) => overlay(event),
        KeyEvent::Record(note) => noted(note),
    }
}

fn seen(event: &Seen) -> Sentence {
    Plain(match event {
        Seen::Flagged { finding, named, last_use: used } => {
            let (finding, used) = (spaced(finding.as_str()), last_use(used));
            let what = if finding == used { finding } else { format!("{finding}, {used}") };
            format!("keysweep flagged the key of {}: {what}", named.user_name)
        }
        Seen::Cleared { why } => {
            let why = match why {
                ClearedWhy::UsedAgain => "it was used",
                ClearedWhy::NoLongerStale => "it is not stale under the current policy",
                ClearedWhy::InactiveElsewhere => {
                    "someone else set it Inactive, and policy.adopt_inactive is off"
                }
            };
            format!("the key is no longer flagged: {why}")
        }
        Seen::Adopted { last_use: used, .. } => {
            format!("keysweep found the key Inactive and tracks it from here on; {}", last_use(used))
        }
        Seen::Reactivated { hold_until } => {
            format!("someone set the key Active again in AWS; it is on hold until {}", instant(*hold_until))
        }
        Seen::LastUseMoved { last_use: used } => {
            format!("the deactivated key shows a new use: {}; it is on hold until released", last_use(used))
        }
        Seen::QuarantineRemoved => "the user no longer exists, and the quarantine ended with it".to_owned(),
        Seen::UsedInQuarantine { last_use: used, hold_until } => format!(
            "the key was used while its user was in quarantine: {}; it is on hold until {}",
            last_use(used),
            instant(*hold_until)
        ),
        Seen::Absent => "AWS no longer lists the key, and keysweep did not delete it".to_owned(),
        Seen::SeenAgain => "AWS lists the key again".to_owned(),
        Seen::ListedAfterDeletion => {
            "AWS still lists the key more than 10 minutes after its deletion".to_owned()
        }
    })
}

fn consent(event: &Consent) -> Sentence {
    match event {
        Consent::Noticed { deactivation, deletion, owner, send, .. } => {
            let dates = [("deactivation", deactivation), ("deletion", deletion)];
            let dates: Vec<_> = dates
                .into_iter()
                .filter_map(|(what, at)| Some(format!("{what} {} at the earliest", instant((*at)?))))
                .collect();
            let dates = if dates.is_empty() { "no date".to_owned() } else { dates.join(", ") };
            let whom = owner.as_ref().map(|owner| format!(" to {owner}")).unwrap_or_default();
            Plain(if *send {
                format!("keysweep prepared the notice{whom}: {dates}")
            } else {
                format!("keysweep recorded the notice{whom}: {dates}; no message was required")
            })
        }
        Consent::NoticeDelivered { to, via, .. } => {
            let to = if *to == via.to_string() { to.clone() } else { format!("{to} ({via})") };
            Plain(format!("the notice was delivered to {to}; the notice period begins"))
        }
        Consent::NoticeUndelivered { why, .. } => {
            Plain(format!("keysweep could not deliver the notice: {why}"))
        }
        Consent::ReminderDue { action } => Plain(format!("a reminder of the {} became due", change(*action))),
        Consent::OwnerMissing { .. } => {
            Plain("keysweep knows no owner whom it can notify, so the key waits".to_owned())
        }
        Consent::NoticeVoided { why, .. } => Plain(format!("the notice became void: {why}")),
        Consent::ApprovalAsked { action, expires, why, needed, .. } => {
            let people = if *needed > 1 { format!(" by {needed} people") } else { String::new() };
            Plain(format!(
                "keysweep requested approval{people} of the {} until {}: {why}",
                change(*action),
                instant(*expires)
            ))
        }
        Consent::Claimed { action, until, .. } => {
            By(format!("is looking at the request for the {} until {}", change(*action), instant(*until)))
        }
        Consent::Approved { action, reason, as_owner, .. } => {
            let role = if *as_owner { " as the owner of the key" } else { "" };
            By(format!("approved the {}{role}: {}", change(*action), quoted(reason)))
        }
        Consent::Denied { action, reason, hold_until, .. } => By(format!(
            "denied the {}: {}; the key is on hold until {}",
            change(*action),
            quoted(reason),
            instant(*hold_until)
        )),
        Consent::ApprovalUnanswered { action } => {
            Plain(format!("nobody decided on the {}; the key is on hold until released", change(*action)))
        }
        Consent::ApprovalVoided { why } => Plain(format!("the request for approval became void: {why}")),
    }
}

fn changed(event: &Change) -> Sentence {
    match event {
        Change::Intent { action, origin: Origin::Policy, why, .. } => {
            Plain(format!("keysweep recorded the intent to {}: {why}", doing(*action)))
        }
        Change::Intent { action, origin: Origin::Operator { actor, reason }, .. } => {
            ByOther(actor.clone(), format!("ordered keysweep to {}: {}", doing(*action), quoted(reason)))
        }
        Change::Accepted { action, request_id } => {
            Plain(format!("AWS accepted the call to {} (request {request_id})", doing(*action)))
        }
        Change::Quarantined { .. } => Plain("AWS shows the user in quarantine".to_owned()),
        Change::QuarantineEnded { hold_until: Some(until), .. } => {
            Plain(format!("the quarantine of the user ended; the key is on hold until {}", instant(*until)))
        }
        Change::QuarantineEnded { hold_until: None, .. } => {
            Plain("the quarantine of the user ended".to_owned())
        }
        Change::Deactivated { last_use: used, .. } => {
            Plain(format!("keysweep deactivated the key, and AWS shows it Inactive; {}", last_use(used)))
        }
        Change::Undone { hold_until, .. } => Plain(format!(
            "keysweep reactivated the key, and AWS shows it Active; it is on hold until {}",
            instant(*hold_until)
        )),
        Change::Deleted { .. } => Plain("keysweep deleted the key, and AWS no longer lists it".to_owned()),
        Change::Refused { action, detail, .. } => {
            Plain(format!("AWS refused the call to {}: {detail}", doing(*action)))
        }
        Change::Unclear { action, accepted: true, detail } => Plain(format!(
            "AWS accepted the call to {}, but does not show the effect yet: {detail}",
            doing(*action)
        )),
        Change::Unclear { action, accepted: false, detail } => {
            Plain(format!("the outcome of the call to {} is unclear: {detail}", doing(*action)))
        }
    }
}

fn overlay(event: &Overlay) -> Sentence {
    match event {
        Overlay::HoldPlaced { reason, until: Some(until) } => {
            By(format!("placed a hold until {}: {}", instant(*until), quoted(reason)))
        }
        Overlay::HoldPlaced { reason, until: None } => {
            By(format!("placed a hold until released: {}", quoted(reason)))
        }
        Overlay::HoldReleased { hold, reason } => By(format!("released hold {hold}: {}", quoted(reason))),
        Overlay::HoldEnding { hold } => Plain(format!("hold {hold} ends soon")),
        Overlay::HoldExpired { hold } => Plain(format!("hold {hold} ended")),
        Overlay::ExemptBegan { rule, reason, until } => {
            Plain(format!("{rule} exempts the key until {}: {}", instant(*until), quoted(reason)))
        }
        Overlay::ExemptEnding => Plain("the exemption ends soon".to_owned()),
        Overlay::ExemptEnded => Plain("no exemption applies any more".to_owned()),
        Overlay::IncidentBegan { policies } => Plain(format!(
            "AWS attached {} to the user: it considers the keys compromised",
            policies.join(", ")
        )),
        Overlay::IncidentEnded => {
            Plain("the policies by which AWS marks compromised keys were detached from the user".to_owned())
        }
        Overlay::QuarantineInterrupted { why, hold_until: Some(until) } => Plain(format!(
            "keysweep decided to end the quarantine: {why}; the key is on hold until {}",
            instant(*until)
        )),
        Overlay::QuarantineInterrupted { why, hold_until: None } => {
            Plain(format!("keysweep decided to end the quarantine: {why}"))
        }
    }
}

fn noted(note: &Note) -> Sentence {
    match note {
        Note::Renamed { user_name } => Plain(format!("the user was renamed to {user_name}")),
        Note::OwnerFound { owner: Some(owner) } => Plain(format!(
            "the owner of the key is {}, according to {} (confidence: {})",
            owner.name,
            owner.source.in_words(),
            owner.confidence.as_str()
        )),
        Note::OwnerFound { owner: None } => Plain("no source names an owner of the key any more".to_owned()),
        Note::ActivitySeen { activity } => {
            Plain(format!("CloudTrail or IAM Access Analyzer shows a newer use: {activity}"))
        }
        Note::ReactivationTraced { reactivation } => {
            Plain(format!("CloudTrail shows the reactivation: {reactivation}"))
        }
        Note::UserChanged { change } => {
            Plain(format!("CloudTrail shows a change of the user: {} {}", change.name, call(&change.call)))
        }
        Note::BundleWritten { purpose: Purpose::Deletion, .. } => {
            Plain("keysweep wrote the evidence bundle for the deletion".to_owned())
        }
        Note::BundleWritten { purpose: Purpose::Request, .. } => {
            By("requested an evidence bundle, and keysweep wrote it".to_owned())
        }
        Note::BecameDue { action } => Plain(format!("the {} became due", change(*action))),
        Note::NotDue => Plain("the change is no longer due".to_owned()),
        Note::NoLongerNeeded => By("said that the key is no longer needed".to_owned()),
        Note::ReactivationsCleared { reason } => By(format!(
            "cleared the reactivations of the key, so that they no longer require approval: {}",
            quoted(reason)
        )),
        Note::Forgotten { unsettled, reason } => {
            let open = unsettled.map(|action| format!(" while a call to {} was open", doing(action)));
            By(format!("dropped the record of the key{}: {}", open.unwrap_or_default(), quoted(reason)))
        }
    }
}
