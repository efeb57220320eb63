//! What the record of a key notes beside its base state and its overlays.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::evidence::{Activity, TracedCall, UserChange};
use crate::ids::{BundleId, UserName};
use crate::owner::Owner;
use crate::ticket::{Action, Planned};

/// What the record of a key notes, whatever its base state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(tag = "event", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Note {
    /// The user was renamed.
    Renamed {
        /// To what.
        user_name: UserName,
    },
    /// To whom the key belongs is known now, or is another person.
    OwnerFound {
        /// The owner; null where no source names one any more.
        owner: Option<Arc<Owner>>,
    },
    /// CloudTrail shows a use of the key that is newer than the last use that IAM reports.
    ActivitySeen {
        /// The use.
        activity: Activity,
    },
    /// CloudTrail shows which call set the key Active after its deactivation.
    ReactivationTraced {
        /// The call.
        reactivation: TracedCall,
    },
    /// CloudTrail shows a change of the user since keysweep deactivated the key or quarantined the user.
    UserChanged {
        /// The change.
        change: UserChange,
    },
    /// An evidence bundle of the key is on disk. Its hash names it, so that it cannot be altered afterwards.
    BundleWritten {
        /// Which.
        bundle: BundleId,
        /// What it was made for.
        purpose: Purpose,
    },
    /// Everything but caps, window, pause and breaker is met.
    BecameDue {
        /// For what.
        action: Planned,
    },
    /// The change that was due is not due any more.
    NotDue,
    /// The owner says that the key is not needed any more. It is shown to approvers, and nothing happens earlier for it.
    NoLongerNeeded,
    /// An operator cleared the reactivations of a key: they no longer make its changes need approval.
    ReactivationsCleared {
        /// Why.
        reason: String,
    },
    /// An operator drops the record.
    Forgotten {
        /// A change that is under way and of which nobody will learn what became of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unsettled: Option<Action>,
        /// Why.
        reason: String,
    },
}

/// What an evidence bundle is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Purpose {
    /// The deletion that follows, and no other: the intent of a deletion needs the bundle of this attempt.
    Deletion,
    /// Someone asked for it. It permits nothing.
    Request,
}
