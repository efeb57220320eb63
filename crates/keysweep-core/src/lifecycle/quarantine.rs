//! The quarantine of a key's user: the policy that keysweep attached, or may have, until it is certainly detached.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{DeactivatedBy, OpenIntent, Record, State};
use crate::quarantine::{QuarantinePolicy, UserBefore};
use crate::ticket::{Action, Planned};

/// What is attached to the user of a key, or may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// The policy.
    pub policy: QuarantinePolicy,
    /// What the user was like before.
    pub user_before: UserBefore,
    /// When the intent to attach it was written.
    pub since: Timestamp,
    /// When AWS showed it attached; absent where that is not known.
    pub attached: Option<Timestamp>,
    /// Until when a call that was to attach it can take effect; absent once its outcome is known.
    #[serde(default)]
    pub settled_from: Option<Timestamp>,
    /// Why it is to be detached, where the record alone does not tell.
    pub interrupted: Option<String>,
    /// Whether its span passed without any use, so that keysweep went on to deactivate the key.
    #[serde(default)]
    pub completed: bool,
    /// The call that is under way.
    pub open: Option<OpenQuarantine>,
}

/// A call under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpenQuarantine {
    /// `AttachUserPolicy`.
    Attach(OpenIntent),
    /// `DetachUserPolicy`.
    Detach(OpenIntent),
}

impl OpenQuarantine {
    /// The action, with its intent.
    #[must_use]
    pub fn parts(&self) -> (Action, &OpenIntent) {
        match self {
            Self::Attach(intent) => (Action::Quarantine, intent),
            Self::Detach(intent) => (Action::EndQuarantine, intent),
        }
    }
}

/// A quarantine that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PastQuarantine {
    /// The policy that was attached.
    pub policy: QuarantinePolicy,
    /// When AWS showed it attached; absent where it may never have been.
    pub attached: Option<Timestamp>,
    /// When it was found detached.
    pub until: Timestamp,
    /// Whether its span passed without any use, so that keysweep went on to deactivate the key.
    pub completed: bool,
}

impl Record {
    /// Why the policy is to be detached now, as far as the record tells; `None` also where nothing is attached, or a call
    /// is under way. An incident is left to people: detaching would give a compromised key its permissions back.
    #[must_use]
    pub fn quarantine_ends_because(&self) -> Option<String> {
        let quarantine = self.quarantine.as_ref().filter(|quarantine| quarantine.open.is_none())?;
        if self.incident.is_some() {
            return None;
        }
        if let Some(why) = &quarantine.interrupted {
            return Some(why.clone());
        }
        if quarantine.attached.is_none() {
            return Some("unknown whether the policy is attached".to_owned());
        }
        match &self.state {
            State::Flagged(_) if self.held().is_some() => Some("the key is on hold".to_owned()),
            State::Flagged(_) if self.due.is_some() => None,
            State::Flagged(_) => Some("deactivation is no longer due".to_owned()),
            // It goes on until the outcome is known.
            State::Deactivating(_) => None,
            State::Active
            | State::Deactivated(_)
            | State::Deleting(_)
            | State::Deleted(_)
            | State::Gone(_) => Some(format!("the key is {}", self.state.as_str())),
        }
    }

    /// Whether the deactivation of the key is due, or under way, and nothing of its own stands in the way.
    pub(crate) fn is_to_be_deactivated(&self) -> bool {
        let due = self.due.as_ref().is_some_and(|due| due.action == Planned::Deactivate);
        let held = self.held().is_some() || self.exempt.is_some() || self.incident.is_some();
        !held && self.undo.is_none() && (due || matches!(self.state, State::Deactivating(_)))
    }

    /// Whether keysweep keeps the key from working: it deactivated it, or its user is in quarantine.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        let deactivated = match &self.state {
            State::Deactivated(data) => data.origin == DeactivatedBy::Keysweep,
            State::Deleting(data) => data.deactivated.origin == DeactivatedBy::Keysweep,
            State::Active
            | State::Flagged(_)
            | State::Deactivating(_)
            | State::Deleted(_)
            | State::Gone(_) => false,
        };
        deactivated || self.in_quarantine()
    }

    /// Whether the user of the key is in quarantine as far as is known.
    #[must_use]
    pub fn in_quarantine(&self) -> bool {
        self.quarantine.as_ref().is_some_and(|quarantine| quarantine.attached.is_some())
    }
}
