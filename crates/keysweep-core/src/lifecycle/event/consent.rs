//! What people were told and asked, and what they decided.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::lifecycle::consent::one;
use crate::lifecycle::{NoticeTerms, Shown};
use crate::notice::Address;
use crate::ticket::Planned;

/// A step towards the consent that a change needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(tag = "event", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Consent {
    /// Notice was recorded, or is to be sent.
    Noticed {
        /// The earliest time of the deactivation; absent where the key is Inactive.
        deactivation: Option<Timestamp>,
        /// The earliest time of the deletion; absent where the mode permits none.
        deletion: Option<Timestamp>,
        /// The terms that these dates were computed by.
        terms: NoticeTerms,
        /// The owner of the key whom it is for; absent where none is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<String>,
        /// Whether it is to be sent: its period begins when a channel accepts it. Otherwise the journal is all there is.
        #[serde(default, skip_serializing_if = "is_false")]
        send: bool,
        /// Whether the key may be a decoy, so that only `protect.notify` is told.
        #[serde(default, skip_serializing_if = "is_false")]
        decoy: bool,
    },
    /// A channel accepted the notice: its period begins.
    NoticeDelivered {
        /// The entry that gave notice.
        notice: u64,
        /// The message that contained it.
        message: u64,
        /// The recipient.
        to: String,
        /// Where it was sent.
        via: Address,
    },
    /// keysweep gave up delivering the notice.
    NoticeUndelivered {
        /// The entry that gave notice.
        notice: u64,
        /// The message that contained it; absent where there was no address to send one to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<u64>,
        /// Why.
        why: String,
    },
    /// A change that was announced is near.
    ReminderDue {
        /// Which change.
        action: Planned,
    },
    /// No source names an owner whom keysweep can notify, so that the key waits.
    OwnerMissing {
        /// Whether the key may be a decoy, so that only `protect.notify` is told.
        #[serde(default, skip_serializing_if = "is_false")]
        decoy: bool,
    },
    /// The notice no longer holds, and with it any approval: a new one is needed.
    NoticeVoided {
        /// Why.
        why: String,
        /// The date that it had announced, where the next notice must not announce an earlier one.
        keeps: Option<Timestamp>,
    },
    /// Approval was asked for.
    ApprovalAsked {
        /// Of what.
        action: Planned,
        /// When the request expires.
        expires: Timestamp,
        /// How often it was asked before.
        repeats: u32,
        /// Why a person has to decide. Not `why` in the journal: other entries say there why something happened.
        #[serde(rename = "because")]
        why: String,
        /// How many different people have to approve.
        #[serde(default = "one")]
        needed: u32,
        /// Whether the owner of the key may approve, too.
        #[serde(default, skip_serializing_if = "is_false")]
        by_owner: bool,
        /// What is shown with the request.
        shown: Shown,
    },
    /// Someone is looking at the request. This restrains nobody.
    Claimed {
        /// What it asks to be approved.
        action: Planned,
        /// The request.
        request: u64,
        /// When the claim ends.
        until: Timestamp,
    },
    /// An approver, or the owner of the key, approved.
    Approved {
        /// What.
        action: Planned,
        /// The request that he was shown.
        request: u64,
        /// Why.
        reason: String,
        /// Whether it was given as the owner of the key, without the role of an approver.
        #[serde(default, skip_serializing_if = "is_false")]
        as_owner: bool,
    },
    /// An operator denied: the key is held.
    Denied {
        /// What.
        action: Planned,
        /// The request that he was shown.
        request: u64,
        /// Why.
        reason: String,
        /// Until when the key is held.
        hold_until: Timestamp,
    },
    /// The last request for approval expired undecided: the key is held until an operator releases it.
    ApprovalUnanswered {
        /// Of what.
        action: Planned,
    },
    /// What was shown with the request has changed: the approval is void.
    ApprovalVoided {
        /// Why.
        why: String,
    },
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}
