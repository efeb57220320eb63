//! Changes that failed: which key is left alone, which account is parked, and what counts for the breaker.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{AccessKeyId, AccountId};
use crate::lifecycle::RefusedKind;
use crate::ticket::Action;

/// A change that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// When.
    pub at: Timestamp,
    /// Where.
    pub account: AccountId,
    /// Of which key.
    pub key: AccessKeyId,
    /// What it counts for the breaker.
    pub weight: Weight,
    /// Whether no change in that account has succeeded since.
    pub in_a_row: bool,
    /// Whether the key is left alone for a day.
    pub rests: bool,
}

/// What a failed change counts for the breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// Nothing.
    None,
    /// Until a change succeeds anywhere: then it was a single fault, and no outage.
    UntilSuccess,
    /// For a day.
    Full,
}

impl Weight {
    /// Whether it counts.
    #[must_use]
    pub fn counts(self) -> bool {
        match self {
            Self::None => false,
            Self::UntilSuccess | Self::Full => true,
        }
    }

    pub(super) fn after_success(self) -> Self {
        match self {
            Self::None | Self::UntilSuccess => Self::None,
            Self::Full => Self::Full,
        }
    }
}

/// Why a change failed, as far as something follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureCause {
    /// What the change needs is missing, and no call was made: no session, or none so narrow.
    Precondition,
    /// No session because of something that passes; no call was made.
    NoSession,
    /// AWS refused the call.
    Refused,
    /// Something that passes kept the call from being applied.
    Transient,
}

impl FailureCause {
    /// Of a session that could not be had.
    #[must_use]
    pub fn before_any_call(kind: RefusedKind) -> Self {
        match kind {
            RefusedKind::Transient => Self::NoSession,
            RefusedKind::Denied | RefusedKind::Throttled | RefusedKind::Gone | RefusedKind::Other => {
                Self::Precondition
            }
        }
    }

    /// Of a call that was refused.
    #[must_use]
    pub fn of_call(kind: RefusedKind) -> Self {
        match kind {
            RefusedKind::Throttled | RefusedKind::Transient => Self::Transient,
            RefusedKind::Denied | RefusedKind::Gone | RefusedKind::Other => Self::Refused,
        }
    }

    pub(super) fn passes(self) -> bool {
        match self {
            Self::NoSession | Self::Transient => true,
            Self::Precondition | Self::Refused => false,
        }
    }

    pub(super) fn weight(self, repeated: bool) -> Weight {
        match self {
            Self::Precondition | Self::NoSession => Weight::None,
            Self::Transient if !repeated => Weight::UntilSuccess,
            Self::Transient | Self::Refused => Weight::Full,
        }
    }

    /// Why the account is parked, if it is.
    pub(super) fn parks(self, repeated: bool) -> Option<ParkReason> {
        match self {
            Self::Precondition => Some(ParkReason::Precondition),
            Self::Refused => Some(ParkReason::Refused),
            Self::NoSession | Self::Transient => repeated.then_some(ParkReason::Repeated),
        }
    }
}

/// No automatic change in an account for a day, or until an operator ends that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Park {
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub reason: ParkReason,
    /// The key whose change failed.
    pub key: AccessKeyId,
    /// Which change.
    pub action: Action,
    /// How it failed.
    pub detail: String,
}

/// Why an account is parked.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ParkReason {
    /// A session for a change could not be had. Does not count for the breaker.
    Precondition,
    /// AWS refused a change.
    Refused,
    /// Two changes failed without a success between them.
    Repeated,
}
