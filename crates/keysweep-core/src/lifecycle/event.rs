//! What can happen to one key.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Finding, NoticeTerms, Shown, Sighting};
use crate::facts::LastUse;
use crate::ids::{UserId, UserName};
use crate::ticket::{Action, Origin, Planned};

/// Something that happened to one key, as the journal tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum KeyEvent {
    /// It is stale under its policy.
    Flagged {
        /// Why.
        finding: Finding,
        /// Who it is: the first entry of a key names it in full.
        named: Named,
        /// Last use at this moment.
        last_use: LastUse,
    },
    /// It is no longer stale.
    Cleared {
        /// Why.
        why: ClearedWhy,
    },
    /// It was found Inactive, not by us, and is taken over.
    Adopted {
        /// Last use at this moment.
        last_use: LastUse,
        /// The observation with which the watch begins.
        sighting: Sighting,
    },
    /// Notice was recorded.
    Noticed {
        /// The earliest time of the deactivation; absent where the key is Inactive.
        deactivation: Option<Timestamp>,
        /// The earliest time of the deletion; absent where the mode permits none.
        deletion: Option<Timestamp>,
        /// The terms that these dates were computed by.
        terms: NoticeTerms,
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
        /// What is shown with the request.
        shown: Shown,
    },
    /// An operator approved.
    Approved {
        /// What.
        action: Planned,
        /// The request that he was shown.
        request: u64,
        /// Why.
        reason: String,
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
    /// Everything but caps, window, pause and breaker is met.
    BecameDue {
        /// For what.
        action: Planned,
    },
    /// The change that was due is not due any more.
    NotDue,
    /// The intent to change: on disk before the call.
    Intent {
        /// To do what.
        action: Action,
        /// Who wants it.
        origin: Origin,
        /// Why.
        why: String,
        /// Until when its call can take effect: AWS refuses it later.
        deadline: Timestamp,
    },
    /// AWS accepted the call. Written before anything is read, so that it survives whatever comes then.
    Accepted {
        /// Of what.
        action: Action,
        /// AWS's request ID.
        request_id: String,
    },
    /// AWS was read after the call and shows the key Inactive.
    Deactivated {
        /// The request ID of the call, where there was an answer.
        request_id: Option<String>,
        /// Last use at this moment.
        last_use: LastUse,
        /// The observation with which the watch begins.
        sighting: Sighting,
    },
    /// AWS was read after the undo and shows the key Active.
    Undone {
        /// The request ID of the call, where there was an answer.
        request_id: Option<String>,
        /// Until when the key is held.
        hold_until: Timestamp,
    },
    /// A complete listing after the call lacks the key.
    Deleted {
        /// The request ID of the call, where there was an answer.
        request_id: Option<String>,
    },
    /// AWS refused; the change was certainly not applied.
    Refused {
        /// What.
        action: Action,
        /// How it counts in metrics. Not `kind` in the journal: that names the entry.
        #[serde(rename = "refused")]
        kind: RefusedKind,
        /// What AWS said.
        detail: String,
    },
    /// The fate of the call was unclear, and AWS does not show the effect after a minute of reading.
    Unclear {
        /// Of what.
        action: Action,
        /// Whether AWS accepted the call: then it does not show yet, and has not failed.
        accepted: bool,
        /// What happened.
        detail: String,
    },
    /// A key that was to stay Inactive reads Active: somebody woke it.
    Reactivated {
        /// Until when it is held.
        hold_until: Timestamp,
    },
    /// Last use of a deactivated key moved: held until an operator releases it.
    LastUseMoved {
        /// To when.
        last_use: LastUse,
    },
    /// A complete listing lacks it.
    Absent,
    /// A key thought gone is listed.
    SeenAgain,
    /// A key that keysweep deleted is listed, more than ten minutes later.
    ListedAfterDeletion,
    /// The user was renamed.
    Renamed {
        /// To what.
        user_name: UserName,
    },
    /// An operator holds it.
    HoldPlaced {
        /// Why.
        reason: String,
        /// Until when; absent until released.
        until: Option<Timestamp>,
    },
    /// An operator ended a hold.
    HoldReleased {
        /// Its number.
        hold: u64,
        /// Why.
        reason: String,
    },
    /// A hold is over.
    HoldExpired {
        /// Its number.
        hold: u64,
    },
    /// An operator cleared the reactivations of a key: they no longer make its changes need approval.
    ReactivationsCleared {
        /// Why.
        reason: String,
    },
    /// An exemption matches.
    ExemptBegan {
        /// The rule.
        rule: String,
        /// Its reason.
        reason: String,
        /// When it ends.
        until: Timestamp,
    },
    /// No exemption matches any more: a fresh notice is needed.
    ExemptEnded,
    /// Policies are attached to the user that mark its keys as compromised.
    IncidentBegan {
        /// Which.
        policies: Vec<String>,
    },
    /// No such policy is attached any more: a fresh notice is needed.
    IncidentEnded,
    /// An operator drops the record.
    Forgotten {
        /// A change that is under way and of which nobody will learn what became of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unsettled: Option<Action>,
        /// Why.
        reason: String,
    },
}

/// Who a key belongs to: with account and key ID of the entry, its identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The user's ID.
    pub user_id: UserId,
    /// The user's name.
    pub user_name: UserName,
    /// `CreateDate` of the key.
    pub created: Timestamp,
}

/// Why a flagged key is active again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClearedWhy {
    /// It was used.
    UsedAgain,
    /// The policy changed.
    NoLongerStale,
    /// It is Inactive, not by us, and `adopt_inactive` is off.
    InactiveElsewhere,
}

/// How a change that AWS refused counts in metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusedKind {
    /// Not allowed.
    Denied,
    /// Too many requests.
    Throttled,
    /// The key or the user does not exist.
    Gone,
    /// Something that passes, such as an outage.
    Transient,
    /// Anything else.
    Other,
}

impl RefusedKind {
    /// Its name in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Throttled => "throttled",
            Self::Gone => "gone",
            // The catalogue of metrics knows no finer name.
            Self::Transient | Self::Other => "other",
        }
    }
}

impl KeyEvent {
    /// Its name in the journal.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Flagged { .. } => "flagged",
            Self::Cleared { .. } => "cleared",
            Self::Adopted { .. } => "adopted",
            Self::Noticed { .. } => "noticed",
            Self::NoticeVoided { .. } => "notice_voided",
            Self::ApprovalAsked { .. } => "approval_asked",
            Self::Approved { .. } => "approved",
            Self::Denied { .. } => "denied",
            Self::ApprovalUnanswered { .. } => "approval_unanswered",
            Self::ApprovalVoided { .. } => "approval_voided",
            Self::BecameDue { .. } => "became_due",
            Self::NotDue => "not_due",
            Self::Intent { .. } => "intent",
            Self::Accepted { .. } => "accepted",
            Self::Deactivated { .. } => "deactivated",
            Self::Undone { .. } => "undone",
            Self::Deleted { .. } => "deleted",
            Self::Refused { .. } => "refused",
            Self::Unclear { .. } => "unclear",
            Self::Reactivated { .. } => "reactivated",
            Self::LastUseMoved { .. } => "last_use_moved",
            Self::Absent => "absent",
            Self::SeenAgain => "seen_again",
            Self::ListedAfterDeletion => "listed_after_deletion",
            Self::Renamed { .. } => "renamed",
            Self::HoldPlaced { .. } => "hold_placed",
            Self::HoldReleased { .. } => "hold_released",
            Self::HoldExpired { .. } => "hold_expired",
            Self::ReactivationsCleared { .. } => "reactivations_cleared",
            Self::ExemptBegan { .. } => "exempt_began",
            Self::ExemptEnded => "exempt_ended",
            Self::IncidentBegan { .. } => "incident_began",
            Self::IncidentEnded => "incident_ended",
            Self::Forgotten { .. } => "forgotten",
        }
    }
}
