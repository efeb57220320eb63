//! What stops every automatic change of a key: holds, exemptions, incidents.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The begin or the end of something that stops every automatic change of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(tag = "event", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Overlay {
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
    /// A hold ends soon: people are told.
    HoldEnding {
        /// Its number.
        hold: u64,
    },
    /// A hold is over.
    HoldExpired {
        /// Its number.
        hold: u64,
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
    /// The exemption ends soon: people are told.
    ExemptEnding,
    /// No exemption matches any more: a fresh notice is needed.
    ExemptEnded,
    /// Policies are attached to the user that mark its keys as compromised.
    IncidentBegan {
        /// Which.
        policies: Vec<String>,
    },
    /// No such policy is attached any more: a fresh notice is needed.
    IncidentEnded,
    /// The quarantine of the user is to end without a deactivation.
    QuarantineInterrupted {
        /// Why.
        why: String,
        /// Until when the key is held; absent where its deactivation goes on without a quarantine.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hold_until: Option<Timestamp>,
    },
}
