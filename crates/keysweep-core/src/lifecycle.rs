//! The life of one key as keysweep records it.
//!
//! [`Record`] holds a base state, with exactly the data valid in it, and the overlays that stop every automatic
//! change. [`next`] is the one transition function: live events and replay of the journal go through it alike.

mod consent;
pub mod event;
mod hold;
mod quarantine;
mod step;
mod transition;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::consent::{Approval, Claim, Delivery, Granted, Notice, NoticeTerms, Shown};
pub use self::event::{ClearedWhy, KeyEvent, Named, RefusedKind};
pub use self::hold::{Hold, HoldKind};
pub use self::quarantine::{OpenQuarantine, PastQuarantine, Quarantine};
pub use self::transition::{Illegal, When, next};
use crate::evidence::{Activity, TracedCall, UserChange};
use crate::facts::LastUse;
use crate::finding::FindingKind;
use crate::ids::{BundleId, KeyIdentity, UserName};
use crate::owner::Owner;
use crate::state::Actor;
use crate::ticket::{Action, Planned};

/// Everything keysweep keeps of one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Which key.
    pub identity: KeyIdentity,
    /// The user's name when it was last seen.
    pub user_name: UserName,
    /// To whom it belongs, as far as anybody says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Arc<Owner>>,
    /// Base state.
    pub state: State,
    /// Overlay: nothing automatic until all of them have ended. In the order of their numbers.
    pub holds: Vec<Hold>,
    /// Overlay: an exemption holds the key back.
    pub exempt: Option<Box<ExemptMark>>,
    /// Overlay: AWS considers the user's keys compromised.
    pub incident: Option<Incident>,
    /// Since when a change is due, and whether the breaker's baseline covers it.
    pub due: Option<Due>,
    /// An undo whose outcome is not on disk yet. It may be under way in any state: an undo waits for nothing of ours.
    pub undo: Option<Box<OpenIntent>>,
    /// The policy that is attached to the user, or may be. It outlives base states: it is there until it is detached.
    #[serde(default)]
    pub quarantine: Option<Box<Quarantine>>,
    /// What is remembered of a key whatever its base state becomes.
    pub past: Past,
}

/// What outlives base states: none of it is forgotten while the key exists, unless an operator says so by name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Past {
    /// The last deactivation that keysweep sent, whatever became of it: while there is one, the undo is offered.
    pub sent: Option<Sent>,
    /// How often the key was set Active after keysweep had deactivated it, or may have.
    pub reactivated: u32,
    /// How many of these an operator cleared by name. The others make each further change need approval.
    pub cleared: u32,
    /// Whether AWS accepted a deletion that did not show at the time.
    pub deletion_accepted: bool,
    /// The newest use of the key that CloudTrail showed, where IAM did not tell one as late.
    pub activity: Option<Box<Activity>>,
    /// The last reactivation, unless it was an operator's undo.
    #[serde(default)]
    pub woken: Option<Box<Woken>>,
    /// Changes of the user since the last deactivation or quarantine began, newest first: the last few.
    #[serde(default)]
    pub user_changes: Vec<UserChange>,
    /// The last quarantine that is over.
    #[serde(default)]
    pub quarantined: Option<Box<PastQuarantine>>,
    /// How often the owner held the key in a row, through links in notices.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub owner_holds: u32,
    /// Whether only `protect.notify` was told of it, as of a honeytoken.
    #[serde(default, skip_serializing_if = "is_false")]
    pub decoy: bool,
    /// What the owner said of it: that it is not needed any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_needed: Option<Box<NotNeeded>>,
    /// The date that a voided notice had announced, where the next one must not announce an earlier one.
    pub announced: Option<Timestamp>,
}

impl Past {
    /// How often the key was reactivated, unless an operator has cleared that: any change then needs approval.
    #[must_use]
    pub fn reactivations(&self) -> Option<u32> {
        (self.reactivated > self.cleared).then_some(self.reactivated)
    }
}

/// A reactivation that keysweep did not make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Woken {
    /// When the key was first seen Active again.
    pub since: Timestamp,
    /// The call, once CloudTrail has shown it.
    pub call: Option<TracedCall>,
}

/// A deactivation that was sent, or may have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Sequence number of its intent.
    pub seq: u64,
    /// When the intent was written.
    pub at: Timestamp,
    /// Whether somebody ordered it by name.
    #[serde(default)]
    pub ordered: bool,
}

/// The owner of a key said that it is not needed any more. Nothing happens earlier for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotNeeded {
    /// Who: the recipient of the link.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// The base state with exactly the data valid in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, strum::EnumDiscriminants)]
#[serde(rename_all = "snake_case")]
#[strum_discriminants(
    name(StateName),
    derive(strum::IntoStaticStr),
    strum(serialize_all = "snake_case"),
    doc = "A base state without its data."
)]
pub enum State {
    /// In no lifecycle; recorded only while an overlay needs remembering.
    Active,
    /// Stale; on its way to deactivation.
    Flagged(Flagged),
    /// The intent to deactivate is on disk; the outcome is not.
    Deactivating(Box<Deactivating>),
    /// Inactive, under watch.
    Deactivated(Box<Deactivated>),
    /// The intent to delete is on disk; the outcome is not.
    Deleting(Box<Deleting>),
    /// Deleted by keysweep.
    Deleted(Deleted),
    /// A complete listing lacked it, and it was not keysweep that deleted it.
    Gone(Gone),
}

impl State {
    /// Its name in JSON, metrics and messages.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        StateName::from(self).into()
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
    pub finding: FindingKind,
    /// Since when it is flagged.
    pub since: Timestamp,
    /// Last use when it was flagged.
    pub last_use: LastUse,
    /// The notice that was sent, or recorded.
    pub notice: Option<Box<Notice>>,
    /// Approval of the deactivation.
    pub approval: Option<Box<Approval>>,
    /// The last deactivation that did not come to be.
    pub setback: Option<Box<Setback>>,
    /// Whether the team was told that keysweep cannot notify anyone about the key.
    #[serde(default)]
    pub team_told: bool,
}

/// Data of [`State::Deactivating`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deactivating {
    /// What it was before.
    pub flagged: Flagged,
    /// The open intent.
    pub intent: OpenIntent,
    /// Whether somebody ordered it by name.
    #[serde(default)]
    pub ordered: bool,
}

/// Data of [`State::Deactivated`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deactivated {
    /// Who deactivated it.
    pub origin: DeactivatedBy,
    /// Since when it is known to be Inactive.
    pub since: Timestamp,
    /// Why it was stale.
    pub finding: FindingKind,
    /// Last use as it was last seen.
    pub last_use: LastUse,
    /// Whether last use moved after the deactivation.
    pub last_use_moved: bool,
    /// Grace watched so far.
    pub watch: Watch,
    /// The notice that announces the deletion.
    pub notice: Option<Box<Notice>>,
    /// Approval of the deletion.
    pub approval: Option<Box<Approval>>,
    /// The last deletion or undo that did not come to be.
    pub setback: Option<Box<Setback>>,
    /// The evidence bundle of the next attempt to delete the key. Without one there is no intent, which uses it up.
    #[serde(default)]
    pub bundle: Option<BundleId>,
    /// Whether the team was told that keysweep cannot notify anyone about the key.
    #[serde(default)]
    pub team_told: bool,
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

impl Record {
    /// Who deactivated the key; `None` if it is not deactivated.
    #[must_use]
    pub fn origin(&self) -> Option<DeactivatedBy> {
        match &self.state {
            State::Deactivated(data) => Some(data.origin),
            State::Deleting(data) => Some(data.deactivated.origin),
            State::Active
            | State::Flagged(_)
            | State::Deactivating(_)
            | State::Deleted(_)
            | State::Gone(_) => None,
        }
    }

    /// The same in words.
    #[must_use]
    pub fn deactivated_by(&self) -> Option<&'static str> {
        self.origin().map(|origin| match origin {
            DeactivatedBy::Keysweep => "keysweep",
            DeactivatedBy::External if self.past.sent.is_some() => "unknown, maybe keysweep",
            DeactivatedBy::External => "somebody else",
        })
    }
}

/// How long after the limit of its one attempt a call may still take effect: AWS refuses what comes later, because the
/// session of the change ends then.
pub const DEADLINE_AFTER_ATTEMPT: Duration = Duration::from_secs(30);

/// How much longer nothing is concluded from an effect that does not show. It is not known whether AWS judges the time
/// at which a call was signed or the time at which it arrives, and signatures are good for this long.
pub const SETTLED_AFTER_DEADLINE: Duration = Duration::from_secs(15 * 60);

/// An intent whose outcome is not on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenIntent {
    /// Its sequence number in the journal.
    pub seq: u64,
    /// When it was written.
    pub at: Timestamp,
    /// Until when its call can take effect.
    pub deadline: Timestamp,
    /// The request ID with which AWS accepted the call.
    pub accepted: Option<String>,
}

impl OpenIntent {
    /// How long after its intent a call may take effect whose one attempt may take so long.
    #[must_use]
    pub fn time_to_act(attempt: Duration) -> Duration {
        attempt.saturating_add(DEADLINE_AFTER_ATTEMPT)
    }

    /// From when on an effect that does not show will not show any more.
    #[must_use]
    pub fn settled_from(&self) -> Timestamp {
        self.deadline.checked_add(SETTLED_AFTER_DEADLINE).unwrap_or(Timestamp::MAX)
    }

    /// Whether what was read at this time is the doing of this intent: AWS had accepted its call, or the call could
    /// still take effect. Later, and without an accepted answer, it may be anybody's.
    #[must_use]
    pub fn explains(&self, read: Timestamp) -> bool {
        self.accepted.is_some() || (self.at <= read && read < self.deadline)
    }
}

/// A change that did not come to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setback {
    /// Which.
    pub action: Action,
    /// When.
    pub at: Timestamp,
    /// What became of it.
    pub kind: SetbackKind,
    /// What AWS said, or what is known.
    pub why: String,
}

/// What became of a change that did not come to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SetbackKind {
    /// AWS refused it: certainly not applied.
    Refused,
    /// Its call was sent, and nobody knows whether it was applied.
    Unclear,
    /// AWS accepted its call, and the effect did not show within a minute.
    Late,
    /// A backup was restored: whether the change was made since the backup is not known.
    Restored,
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
    /// Whether people were told that it ends soon.
    #[serde(default)]
    pub ending: bool,
}

/// Overlay: AWS attached a policy to the user that marks its keys as compromised. That is an incident, not staleness:
/// no change is made, by policy or by order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// The policies, as they were first seen.
    pub policies: Vec<String>,
    /// When they were first seen.
    pub since: Timestamp,
}

/// What to do about an incident, for everybody who is told of one.
pub const INCIDENT_REMEDY: &str = "treat the key as compromised: rotate it, check CloudTrail for what it did, and answer \
                                   the support case that AWS opened for the account";

/// A change is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// Which.
    pub action: Planned,
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
            return Duration::ZERO;
        }
        let monotonic = later.monotonic.saturating_sub(self.monotonic);
        let span = wall.min(monotonic);
        let longest = self.interval.max(later.interval).saturating_mul(2);
        if span <= longest { span } else { Duration::ZERO }
    }
}
