//! Holds: each stops every automatic change until it ends, and each ends alone.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Record;
use crate::state::Actor;
use crate::words::listed;

/// Overlay: no automatic change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The sequence number of the entry that placed it; 0 in a plan that is not journaled yet.
    pub number: u64,
    /// What it is about.
    pub kind: HoldKind,
    /// Who placed it.
    pub by: Actor,
    /// Why.
    pub reason: String,
    /// When it was placed.
    pub since: Timestamp,
    /// When it ends; `None` until an operator releases it.
    pub until: Option<Timestamp>,
    /// Whether people were told that it ends soon.
    #[serde(default)]
    pub ending: bool,
}

/// What a hold is about.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum HoldKind {
    /// An operator placed it.
    Operator,
    /// The owner of the key placed it through a link in a notice.
    Owner,
    /// The key was set Active after a deactivation.
    Reactivated,
    /// A deactivation was sent and its outcome is unclear.
    Unclear,
    /// The last use moved after the deactivation.
    LastUseMoved,
    /// An operator denied a request for approval.
    Denied,
    /// Nobody answered the request for approval.
    Unanswered,
    /// A change failed for a temporary reason.
    Transient,
    /// The key was used in quarantine, or somebody ended its quarantine.
    Quarantine,
}

impl HoldKind {
    /// Its name in JSON and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl Hold {
    /// Whether it lasts at least as long as another.
    fn outlasts(&self, other: &Self) -> bool {
        match (self.until, other.until) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(mine), Some(theirs)) => mine >= theirs,
        }
    }
}

impl Record {
    /// The hold that lasts longest, if there is any.
    #[must_use]
    pub fn held(&self) -> Option<&Hold> {
        self.holds.iter().reduce(|longest, hold| if longest.outlasts(hold) { longest } else { hold })
    }

    /// Every hold in words; `None` if there is none.
    #[must_use]
    pub fn holds_in_words(&self) -> Option<String> {
        (!self.holds.is_empty()).then(|| listed(&self.holds))
    }

    /// Adds a hold. One of keysweep's own replaces an earlier one of its kind, and never one that lasts longer.
    pub(super) fn place(&mut self, hold: Hold) {
        if hold.kind != HoldKind::Operator {
            if self.holds.iter().any(|other| other.kind == hold.kind && !hold.outlasts(other)) {
                return;
            }
            self.holds.retain(|other| other.kind != hold.kind);
        }
        if hold.kind == HoldKind::Owner {
            self.past.owner_holds = self.past.owner_holds.saturating_add(1);
        }
        self.holds.push(hold);
    }

    /// Ends one hold; whether it was there.
    pub(super) fn end_hold(&mut self, number: u64) -> bool {
        let before = self.holds.len();
        self.holds.retain(|hold| hold.number != number);
        self.holds.len() < before
    }
}
