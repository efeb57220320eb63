//! A change in AWS, from its intent to its outcome.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::facts::LastUse;
use crate::lifecycle::Sighting;
use crate::ticket::{Action, Attachment, Origin};

/// A step of a change that keysweep makes in AWS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(tag = "event", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Change {
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
        /// The policy to attach, where the user is put in quarantine.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quarantine: Option<Box<Attachment>>,
    },
    /// AWS accepted the call. Written before anything is read, so that it survives whatever comes then.
    Accepted {
        /// Of what.
        action: Action,
        /// AWS's request ID.
        request_id: String,
    },
    /// AWS was read after the call and shows the policy attached.
    Quarantined {
        /// The request ID of the call, where there was an answer.
        request_id: Option<String>,
    },
    /// AWS was read after the call and does not show the policy.
    QuarantineEnded {
        /// The request ID of the call, where there was an answer.
        request_id: Option<String>,
        /// Until when the key is held; absent where nobody ordered the end of the quarantine.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hold_until: Option<Timestamp>,
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
