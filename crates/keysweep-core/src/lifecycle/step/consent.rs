//! Notice and approval after an event that concerns them. Both base states that need consent share this.

use crate::lifecycle::event::Consent;
use crate::lifecycle::{Approval, Claim, Delivery, Granted, Hold, HoldKind, Notice, When};
use crate::ticket::Planned;

use super::our_hold;

/// The consent to one planned change.
pub(super) struct Given<'a> {
    pub(super) to: Planned,
    pub(super) notice: &'a mut Option<Box<Notice>>,
    pub(super) approval: &'a mut Option<Box<Approval>>,
    pub(super) team_told: &'a mut bool,
}

impl Given<'_> {
    /// Applies an event, and gives the hold that it brings; `None` if the event cannot happen.
    pub(super) fn apply(self, when: When<'_>, event: &Consent) -> Option<Option<Hold>> {
        let Self { to, notice, approval, team_told } = self;
        match event {
            Consent::Noticed { deactivation, deletion, terms, owner, send, decoy } => {
                let delivery =
                    if *send { Delivery::Pending { notice: when.seq } } else { Delivery::Recorded };
                *notice = Some(Box::new(Notice {
                    at: when.at,
                    deactivation: *deactivation,
                    deletion: *deletion,
                    terms: terms.clone(),
                    owner: owner.clone(),
                    delivery,
                    reminded: None,
                    decoy: *decoy,
                }));
            }
            Consent::NoticeDelivered { notice: number, message, .. } => {
                let notice = notice.as_mut().filter(|notice| notice.undelivered() == Some(*number))?;
                notice.deliver(when.at, *number, *message);
                *team_told = false;
            }
            Consent::NoticeUndelivered { notice: number, why, .. } => {
                let notice = notice.as_mut().filter(|notice| notice.undelivered() == Some(*number))?;
                notice.delivery = Delivery::Undelivered { notice: *number, at: when.at, why: why.clone() };
                *team_told = true;
            }
            Consent::ReminderDue { action } if *action == to => {
                notice.as_mut().filter(|notice| notice.was_delivered())?.reminded = Some(when.at);
            }
            Consent::OwnerMissing { .. } => *team_told = true,
            Consent::NoticeVoided { .. } => {
                notice.take()?;
                *approval = None;
            }
            Consent::ApprovalAsked { action, expires, repeats, why, needed, by_owner, shown }
                if *action == to =>
            {
                *approval = Some(Box::new(Approval {
                    number: when.seq,
                    action: *action,
                    asked_at: when.at,
                    expires: *expires,
                    repeats: *repeats,
                    why: why.clone(),
                    shown: shown.clone(),
                    needed: *needed,
                    by_owner: *by_owner,
                    granted: Vec::new(),
                    claim: None,
                }));
            }
            Consent::Claimed { action, request, until } if *action == to => {
                let approval = approval.as_mut().filter(|approval| approval.number == *request)?;
                approval.claim = Some(Claim { by: when.actor.clone(), until: *until });
            }
            Consent::Approved { action, request, reason, as_owner } if *action == to => {
                grant(approval.as_deref_mut(), when, *request, reason, *as_owner)?;
            }
            Consent::Denied { action, request, reason, hold_until } if *action == to => {
                approval.take().filter(|approval| approval.number == *request)?;
                return Some(Some(Hold {
                    number: when.seq,
                    kind: HoldKind::Denied,
                    by: when.actor.clone(),
                    reason: format!("approval denied: {reason}"),
                    since: when.at,
                    until: Some(*hold_until),
                    ending: false,
                }));
            }
            Consent::ApprovalUnanswered { action } if *action == to => {
                approval.take()?;
                let reason = "nobody answered the request for approval";
                return Some(Some(our_hold(when, HoldKind::Unanswered, reason, None)));
            }
            Consent::ApprovalVoided { .. } => {
                approval.take()?;
            }
            // Of the other change.
            Consent::ReminderDue { .. }
            | Consent::ApprovalAsked { .. }
            | Consent::Claimed { .. }
            | Consent::Approved { .. }
            | Consent::Denied { .. }
            | Consent::ApprovalUnanswered { .. } => return None,
        }
        Some(None)
    }
}

fn grant(
    approval: Option<&mut Approval>,
    when: When<'_>,
    request: u64,
    reason: &str,
    as_owner: bool,
) -> Option<()> {
    let approval = approval.filter(|approval| approval.number == request)?;
    if as_owner && !approval.by_owner {
        return None;
    }
    // Enough is enough, nobody counts twice, and nobody after the request expired.
    let twice = approval.given_by(when.actor).is_some();
    if approval.is_granted() || twice || when.at >= approval.expires {
        return None;
    }
    approval.granted.push(Granted { by: when.actor.clone(), reason: reason.into(), at: when.at, as_owner });
    Some(())
}
