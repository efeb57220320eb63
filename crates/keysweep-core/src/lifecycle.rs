//! The life of one key as keysweep records it.
//!
//! [`Record`] holds a base state, with exactly the data valid in it, and the overlays that stop every automatic
//! change. [`next`] is the one transition function: live events and replay of the journal go through it alike.

mod event;
mod matrix;
mod step;
mod transition;

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::event::{ClearedWhy, KeyEvent, Named, RefusedKind};
pub use self::matrix::matrix;
pub use self::transition::{Illegal, When, next};
use crate::facts::LastUse;
use crate::ids::{KeyIdentity, UserName};
use crate::planted;
use crate::state::Actor;
use crate::ticket::Action;

/// Why a key is stale, or otherwise a finding.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// Was used; idle past `unused_after`.
    Unused,
    /// No use since creation, past `never_used_after`.
    NeverUsed,
    /// In use, older than `max_age`. Never leads to a change: deactivating a key in use would break what uses it.
    OverAge,
    /// An active key of the root user.
    RootKey,
}

impl Finding {
    /// Its name in JSON, metrics and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unused => "unused",
            Self::NeverUsed => "never_used",
            Self::OverAge => "over_age",
            Self::RootKey => "root_key",
        }
    }

    /// Whether it is a reason to take the key through the lifecycle.
    #[must_use]
    pub fn is_stale(self) -> bool {
        match self {
            Self::Unused | Self::NeverUsed => true,
            Self::OverAge | Self::RootKey => false,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Everything keysweep keeps of one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Which key.
    pub identity: KeyIdentity,
    /// The user's name when it was last seen.
    pub user_name: UserName,
    /// Base state.
    pub state: State,
    /// Overlay: nothing automatic until it ends.
    pub hold: Option<Hold>,
    /// Overlay: an exemption holds the key back.
    pub exempt: Option<ExemptMark>,
    /// Since when a change is due, and whether the breaker's baseline covers it.
    pub due: Option<Due>,
}

/// The base state with exactly the data valid in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// In no lifecycle; recorded only while an overlay needs remembering.
    Active,
    /// Stale; on its way to deactivation.
    Flagged(Flagged),
    /// The intent to deactivate is on disk; the outcome is not.
    Deactivating(Deactivating),
    /// Inactive, under watch.
    Deactivated(Deactivated),
    /// The intent to delete is on disk; the outcome is not.
    Deleting(Deleting),
    /// Deleted by keysweep.
    Deleted(Deleted),
    /// A complete listing lacked it, and it was not keysweep that deleted it.
    Gone(Gone),
}

impl State {
    /// Its name in JSON, metrics and messages.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Flagged(_) => "flagged",
            Self::Deactivating(_) => "deactivating",
            Self::Deactivated(_) => "deactivated",
            Self::Deleting(_) => "deleting",
            Self::Deleted(_) => "deleted",
            Self::Gone(_) => "gone",
        }
    }

    /// Whether the key still exists as far as keysweep knows, so that scans look for it.
    #[must_use]
    pub fn is_tracked(&self) -> bool {
        match self {
            Self::Active
            | Self::Flagged(_)
            | Self::Deactivating(_)
            | Self::Deactivated(_)
            | Self::Deleting(_) => true,
            Self::Deleted(_) | Self::Gone(_) => false,
        }
    }
}

/// Data of [`State::Flagged`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flagged {
    /// Why it is stale.
    pub finding: Finding,
    /// Since when it is flagged.
    pub since: Timestamp,
    /// Last use when it was flagged.
    pub last_use: LastUse,
    /// The notice that was sent, or recorded.
    pub notice: Option<Notice>,
    /// Approval of the deactivation.
    pub approval: Option<Approval>,
    /// The last deactivation that did not come to be.
    pub setback: Option<Setback>,
}

/// Data of [`State::Deactivating`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deactivating {
    /// What it was before.
    pub flagged: Flagged,
    /// The open intent.
    pub intent: OpenIntent,
}

/// Data of [`State::Deactivated`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deactivated {
    /// Who deactivated it.
    pub origin: DeactivatedBy,
    /// Since when it is known to be Inactive.
    pub since: Timestamp,
    /// Why it was stale.
    pub finding: Finding,
    /// Last use as it was last seen.
    pub last_use: LastUse,
    /// Whether last use moved after the deactivation.
    pub last_use_moved: bool,
    /// Grace watched so far.
    pub watch: Watch,
    /// The notice that announces the deletion.
    pub notice: Option<Notice>,
    /// Approval of the deletion.
    pub approval: Option<Approval>,
    /// The last deletion or undo that did not come to be.
    pub setback: Option<Setback>,
    /// An undo whose outcome is not on disk yet.
    pub undo: Option<OpenIntent>,
}

/// Data of [`State::Deleting`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deleting {
    /// What it was before.
    pub deactivated: Deactivated,
    /// The open intent.
    pub intent: OpenIntent,
}

/// Data of [`State::Deleted`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deleted {
    /// When a complete listing first lacked it.
    pub since: Timestamp,
    /// Whether it was listed again more than ten minutes later: an alert, never acted on.
    pub listed_again: bool,
}

/// Data of [`State::Gone`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    /// When a complete listing first lacked it.
    pub since: Timestamp,
}

/// Who deactivated a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeactivatedBy {
    /// keysweep.
    Keysweep,
    /// Somebody else, or a change of keysweep's own whose fate was never told. It is deleted under `adopt_inactive`
    /// alone, and can be undone in any case.
    External,
}

/// An intent whose outcome is not on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenIntent {
    /// Its sequence number in the journal.
    pub seq: u64,
    /// When it was written.
    pub at: Timestamp,
}

/// A notice that was sent or recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// When.
    pub at: Timestamp,
    /// The furthest change it announces.
    pub covers: Action,
    /// The earliest time of that change that it announces.
    pub not_before: Timestamp,
}

/// A person's approval of one action on one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// What is to be approved.
    pub action: Action,
    /// When it was first asked for.
    pub asked_at: Timestamp,
    /// When the request expires.
    pub expires: Timestamp,
    /// How often it was asked again.
    pub repeats: u32,
    /// Last use as shown with the request: the approval is void when it changes.
    pub last_use: LastUse,
    /// Who approved, and when.
    pub granted: Option<Granted>,
}

/// Who approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// Who.
    pub by: Actor,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// A change that did not come to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setback {
    /// Which.
    pub action: Action,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub why: String,
}

/// Overlay: no automatic change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Who placed it.
    pub by: Actor,
    /// Why.
    pub reason: String,
    /// When it was placed.
    pub since: Timestamp,
    /// When it ends; `None` until an operator releases it.
    pub until: Option<Timestamp>,
}

impl Hold {
    /// The stricter of two holds: the one that lasts longer.
    #[must_use]
    fn stricter(self, other: Option<Self>) -> Self {
        match other {
            Some(other) if other.until.is_none() => other,
            Some(other) if self.until.is_some() && other.until > self.until => other,
            Some(_) | None => self,
        }
    }
}

/// Overlay: an exemption matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExemptMark {
    /// The rule, such as `policy.exempt[1]`.
    pub rule: String,
    /// Its reason.
    pub reason: String,
    /// When it ends.
    pub until: Timestamp,
}

/// A change is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// Which.
    pub action: Action,
    /// Since when.
    pub since: Timestamp,
    /// Whether the breaker's baseline covers it; until then nothing happens.
    pub accepted: bool,
}

/// Time in which keysweep itself saw the key Inactive.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Watch {
    /// Sum of the spans that count.
    pub total: Duration,
    /// The last observation.
    pub last: Option<Sighting>,
}

/// One successful observation, on two clocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// Policy time.
    pub at: Timestamp,
    /// The process that looked: monotonic readings of two processes cannot be compared.
    pub run: u64,
    /// Monotonic time since that process started.
    pub monotonic: Duration,
    /// The scan interval in force.
    pub interval: Duration,
}

impl Watch {
    /// A watch that begins with this sighting.
    #[must_use]
    pub fn begin(sighting: Sighting) -> Self {
        Self { total: Duration::ZERO, last: Some(sighting) }
    }

    /// Counts the span since the last sighting, if it counts, and remembers this one. A sighting that is older than
    /// the last one, such as that of a scan which began before an operator's deactivation, tells nothing new.
    #[must_use]
    pub fn see(&self, sighting: &Sighting) -> Self {
        let older = |last: &Sighting| last.run == sighting.run && last.monotonic > sighting.monotonic;
        if self.last.as_ref().is_some_and(older) {
            return self.clone();
        }
        let span = self.last.as_ref().map_or(Duration::ZERO, |last| last.span_to(sighting));
        Self { total: self.total.saturating_add(span), last: Some(sighting.clone()) }
    }
}

impl Sighting {
    /// The time between two sightings that counts as watched: the smaller of what the wall clock and the monotonic
    /// clock say; zero where that is negative, longer than two scan intervals, or where another process looked.
    #[must_use]
    pub fn span_to(&self, later: &Self) -> Duration {
        let wall = Duration::try_from(later.at.duration_since(self.at)).unwrap_or(Duration::ZERO);
        if self.run != later.run {
            return if planted!(DowntimeCounts) { wall } else { Duration::ZERO };
        }
        let monotonic = later.monotonic.saturating_sub(self.monotonic);
        let span = if planted!(WallClockAlone) { wall } else { wall.min(monotonic) };
        let longest = self.interval.max(later.interval).saturating_mul(2);
        if span <= longest || planted!(LongSpansCount) { span } else { Duration::ZERO }
    }
}
