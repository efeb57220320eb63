//! What a scan or a fresh look showed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::facts::LastUse;
use crate::finding::FindingKind;
use crate::ids::{UserId, UserName};
use crate::lifecycle::Sighting;

/// What a scan or a fresh look showed of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(tag = "event", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Seen {
    /// It is stale under its policy.
    Flagged {
        /// Why.
        finding: FindingKind,
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
    /// The user is gone, and with it what keysweep had attached to it.
    QuarantineRemoved,
    /// It was used while its user was in quarantine: what uses it fails meanwhile. It is held.
    UsedInQuarantine {
        /// The use.
        last_use: LastUse,
        /// Until when it is held.
        hold_until: Timestamp,
    },
    /// A complete listing lacks it.
    Absent,
    /// A key thought gone is listed.
    SeenAgain,
    /// A key that keysweep deleted is listed, more than ten minutes later.
    ListedAfterDeletion,
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
