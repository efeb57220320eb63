//! Why a change waits, or was not made. [`words`](crate::words) says it in sentences.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::evidence::Gap;
use crate::ids::{AccessKeyId, AccountId};
use crate::lifecycle::{Hold, Illegal, Incident};
use crate::policy::{ApprovalFor, Mode, Rule};
use crate::quarantine::QuarantinePolicy;
use crate::references::Reference;
use crate::state::{Park, Pause, Reach, TripReason};
use crate::ticket::{Action, Planned};

/// Why a change waits, by kind.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Reason {
    /// The mode does not permit it.
    Observe,
    /// Notice is missing, or its period is not over.
    Notice,
    /// Approval is missing.
    Approval,
    /// The window is closed.
    Window,
    /// A cap is reached.
    Cap,
    /// The breaker is open, or the account is parked after a failed change.
    Breaker,
    /// Everything is paused.
    Paused,
    /// The key is on hold.
    Hold,
    /// An exemption matches.
    Exempt,
    /// A fact is unknown.
    Unknown,
    /// The facts right before the change said something else.
    Recheck,
    /// A built-in protection.
    Protected,
    /// A rule names something that does not exist.
    Reference,
    /// CloudTrail could not be read in full.
    Evidence,
    /// The grace period is not fully watched.
    Grace,
    /// The user is in quarantine, and clients have time to show themselves.
    Quarantine,
}

impl Reason {
    /// Its name in metrics, JSON and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether a change that was due is deliberately not sent: a grace period or a quarantine that runs is not that.
    #[must_use]
    pub fn suppresses(self) -> bool {
        !matches!(self, Self::Grace | Self::Quarantine)
    }
}

/// Why a change waits, or was not made, with all that a sentence about it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    /// The mode permits less.
    Mode {
        /// The mode in force.
        mode: Mode,
        /// What it does not permit.
        action: Planned,
    },
    /// The management account is only read.
    ReadOnly,
    /// Somebody else may have set the key Inactive, and `adopt_inactive` is off.
    MaybeNotOurs,
    /// The policy in force would not have deactivated the key.
    NotStale,
    /// A notice is required, and nothing can send one.
    NoChannel,
    /// A notice is required, and there is no owner whom keysweep can notify.
    NoOwner,
    /// No channel has accepted the notice yet.
    Delivery {
        /// Since when it is to be sent.
        since: Timestamp,
    },
    /// keysweep gave up delivering the notice.
    Undeliverable {
        /// Why.
        why: String,
    },
    /// The notice period is not over.
    Notice {
        /// When it ends.
        ends: Timestamp,
        /// When the change could start.
        until: Timestamp,
    },
    /// A person has not approved yet.
    Approval {
        /// Why one has to.
        need: Need,
        /// How many people have approved so far.
        given: u32,
        /// How many have to.
        needed: u32,
        /// When the request expires. Nothing happens then, so that it is no date of a change.
        expires: Timestamp,
    },
    /// The change window is closed.
    Window {
        /// When it opens.
        opens: Option<Timestamp>,
    },
    /// As many changes of this kind as a day may have.
    Cap {
        /// Which kind.
        action: Action,
        /// How many.
        limit: u32,
    },
    /// As many changes as a day may have in one account.
    AccountCap {
        /// How many.
        limit: u32,
    },
    /// A backup was restored: how many changes there were is not known.
    CapUnknown {
        /// Until when.
        until: Timestamp,
    },
    /// The breaker is open.
    Breaker(TripReason),
    /// Changes failed in so many accounts that the next sweep trips the breaker.
    Failing(TripReason),
    /// A change failed in the account.
    Parked {
        /// The account.
        account: AccountId,
        /// Why.
        park: Park,
        /// Until when.
        until: Timestamp,
    },
    /// Newly due, and not in the breaker's baseline yet.
    NotAccepted,
    /// keysweep is paused.
    Paused(Vec<Pause>),
    /// keysweep is stopping.
    Stopping,
    /// The key is on hold.
    Held {
        /// Every hold of the key.
        holds: Vec<Hold>,
        /// When the last of them ends.
        until: Option<Timestamp>,
    },
    /// The last change of the key failed for a reason that passes.
    Resting {
        /// Until when it is left alone.
        until: Timestamp,
    },
    /// An exemption matches.
    Exempt {
        /// Which rule.
        rule: Rule,
        /// Its reason.
        reason: String,
        /// When it ends.
        until: Timestamp,
    },
    /// AWS considers the key compromised.
    Incident(Incident),
    /// A rule names something that does not exist.
    Reference(Reference),
    /// CloudTrail does not show all that it should.
    Evidence(Gap),
    /// The grace period is not watched in full.
    Grace {
        /// How much of it is.
        watched: Duration,
        /// How long it is.
        grace: Duration,
        /// When it could be over.
        over: Option<Timestamp>,
    },
    /// The user is in quarantine, and clients have time to show themselves.
    Quarantine {
        /// Since when.
        since: Timestamp,
        /// When the deactivation could start.
        until: Timestamp,
    },
    /// Another key of the same user comes first.
    OtherKey(AccessKeyId),
    /// The policy of a quarantine is attached to the user, and not by keysweep as far as it knows.
    PolicyAttached(QuarantinePolicy),
    /// Something is not known.
    Unknown(Unknown),
    /// Right before the change something was different.
    Recheck(Recheck),
}

/// Why a person has to approve a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// The policy says so.
    Policy(ApprovalFor),
    /// The key was set Active so often after keysweep had deactivated it.
    Reactivated(u32),
    /// It may be a decoy that must never be used.
    Honeytoken,
    /// SES SMTP passwords are derived from it.
    SesUser,
    /// It was last used with a service that sends mail.
    UsedWith(String),
    /// The user has so many keys.
    Keys(usize),
}

/// What is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unknown {
    /// Facts that could not be read, each with its reason.
    Facts(Vec<String>),
    /// The status of the key is one that keysweep does not know.
    Status(String),
    /// The policies of the user could not be read: why.
    Policies(String),
    /// The policies of the user were not read.
    PoliciesNotRead,
    /// Whether the key that was read is the recorded one.
    Identity,
    /// What became of the last call; its request ID where AWS accepted it.
    Outcome {
        /// The request ID.
        accepted: Option<String>,
    },
    /// Something failed on the way: what.
    Failed(String),
    /// A mistake in keysweep: what happened.
    Bug(String),
    /// A mistake in keysweep: an event that cannot happen.
    Illegal(Illegal),
}

/// What was different right before a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recheck {
    /// The account is not to be scanned, or has left.
    Away(Reach),
    /// The account is not to be entered any more: why.
    NotEntered {
        /// The account.
        account: AccountId,
        /// Why.
        why: String,
    },
    /// The record is gone.
    NoRecord,
    /// The user ID could not be read.
    NoUserId,
    /// Another key than the recorded one was read.
    AnotherKey,
    /// Last use was not read live.
    NotLive,
    /// The user of the key is not there any more.
    UserGone,
    /// The key could not be read again: why.
    Unread(String),
    /// The fresh facts tell of events, by their names. They are recorded.
    Events(Vec<&'static str>),
    /// People have not been told that the change is to come.
    NotNoticed,
    /// People have not been asked for approval.
    NotAsked,
    /// The fresh facts give another answer.
    AnotherAnswer,
    /// Another decision about the key came first.
    AnotherDecision,
    /// Another configuration came first.
    AnotherConfiguration,
    /// An undo of the key is asked for.
    Undo,
    /// The change waited until its deadline.
    Late,
    /// keysweep sent no deactivation of the key, which is in this base state.
    NothingToUndo(&'static str),
    /// The quarantine would stop another key of the user, which was used.
    OtherKeyUsed(AccessKeyId),
    /// The policy of the quarantine grants something.
    PolicyGrants,
    /// keysweep has attached nothing to the user, or has reason to leave it there.
    NotInQuarantine,
    /// A link may not undo this deactivation.
    NotByLink,
    /// The key is Active already.
    Active,
    /// The status of the key is one that keysweep does not know.
    Status(String),
}

impl From<Unknown> for Wait {
    fn from(unknown: Unknown) -> Self {
        Self::Unknown(unknown)
    }
}

impl From<Recheck> for Wait {
    fn from(recheck: Recheck) -> Self {
        Self::Recheck(recheck)
    }
}

impl Wait {
    /// Its kind, for counting.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Mode { .. } | Self::ReadOnly | Self::MaybeNotOurs | Self::NotStale => Reason::Observe,
            Self::NoChannel
            | Self::NoOwner
            | Self::Delivery { .. }
            | Self::Undeliverable { .. }
            | Self::Notice { .. } => Reason::Notice,
            Self::Approval { .. } => Reason::Approval,
            Self::Window { .. } => Reason::Window,
            Self::Cap { .. } | Self::AccountCap { .. } | Self::CapUnknown { .. } => Reason::Cap,
            Self::Breaker(_) | Self::Failing(_) | Self::Parked { .. } | Self::NotAccepted => Reason::Breaker,
            Self::Paused(_) | Self::Stopping => Reason::Paused,
            Self::Held { .. } | Self::Resting { .. } => Reason::Hold,
            Self::Exempt { .. } => Reason::Exempt,
            Self::Incident(_) | Self::PolicyAttached(_) => Reason::Protected,
            Self::Reference(_) => Reason::Reference,
            Self::Evidence(_) => Reason::Evidence,
            Self::Grace { .. } => Reason::Grace,
            Self::Quarantine { .. } | Self::OtherKey(_) => Reason::Quarantine,
            Self::Unknown(_) => Reason::Unknown,
            Self::Recheck(_) => Reason::Recheck,
        }
    }

    /// When the change could go on, where that is known.
    #[must_use]
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Notice { until, .. }
            | Self::CapUnknown { until }
            | Self::Parked { until, .. }
            | Self::Resting { until }
            | Self::Quarantine { until, .. }
            | Self::Exempt { until, .. } => Some(*until),
            Self::Window { opens: until } | Self::Held { until, .. } | Self::Grace { over: until, .. } => {
                *until
            }
            Self::Mode { .. }
            | Self::ReadOnly
            | Self::MaybeNotOurs
            | Self::NotStale
            | Self::NoChannel
            | Self::NoOwner
            | Self::Delivery { .. }
            | Self::Undeliverable { .. }
            | Self::Approval { .. }
            | Self::Cap { .. }
            | Self::AccountCap { .. }
            | Self::Breaker(_)
            | Self::Failing(_)
            | Self::NotAccepted
            | Self::Paused(_)
            | Self::Stopping
            | Self::Incident(_)
            | Self::Reference(_)
            | Self::Evidence(_)
            | Self::OtherKey(_)
            | Self::PolicyAttached(_)
            | Self::Unknown(_)
            | Self::Recheck(_) => None,
        }
    }
}
