//! Notices: what people are told about keys, and the outbox through which it reaches them.
//!
//! An event in the journal can owe people an [`Item`]: that a key is about to be deactivated, that somebody
//! reactivated it, that a request for approval was denied. [`compose`] groups items into one [`Message`] per recipient.
//! Both are part of the [`Outbox`], which follows from the journal alone, so that a restart neither loses nor repeats
//! anything. A message stays open until a channel accepts it, or until keysweep gives up.

mod address;
mod compose;
mod dead;
mod outbox;
mod owed;
mod request;
mod rules;

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::address::{Address, ChannelKind, NotAnAddress, is_slack};
pub use self::compose::{compose, delivered, oldest_due, stands, time_zone, undelivered};
pub(crate) use self::compose::{is_current, stands_for};
pub use self::dead::dead_recipients;
pub use self::outbox::{Message, Outbox, Parcel, ParcelId, Recipient, Status};
pub(crate) use self::owed::owed;
pub(crate) use self::request::closing;
pub use self::request::{Closing, Ending, Posted, Replaceable};
pub(crate) use self::rules::{EXEMPTION_ENDS_IN, HOLD_ENDS_IN};
pub use self::rules::{Notices, Route, RouteMatch};
use crate::facts::LastUse;
use crate::finding::FindingKind;
use crate::ids::{AccessKeyId, AccountId, UserName};
use crate::owner::Owner;
use crate::state::Actor;
use crate::ticket::Planned;

/// What a notice is about.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum NoticeKind {
    /// keysweep will deactivate the key. The notice period begins when a channel accepts this notice.
    DeactivationAhead,
    /// keysweep will delete the key. The notice period begins when a channel accepts this notice.
    DeletionAhead,
    /// A change that was announced is a few days away.
    Reminder,
    /// keysweep deactivated the key.
    Deactivated,
    /// keysweep deleted the key.
    Deleted,
    /// A change requires approval.
    ApprovalRequest,
    /// An announced change will not happen, or a request for approval is closed.
    Outcome,
    /// A hold is about to end.
    HoldEnding,
    /// An exemption is about to end.
    ExemptionEnding,
    /// A key is Active again after keysweep deactivated it.
    Reactivated,
    /// No source names an owner whom keysweep can notify.
    OwnerMissing,
    /// A notice could not be delivered.
    Undeliverable,
}

impl NoticeKind {
    /// Its name in JSON, metrics, and the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether a change depends on its delivery.
    #[must_use]
    pub fn announces(self) -> bool {
        matches!(self, Self::DeactivationAhead | Self::DeletionAhead)
    }

    /// Whether it says that a change is to come. While keysweep is paused, nobody knows whether it is.
    #[must_use]
    pub fn foretells(self) -> bool {
        self.announces() || self == Self::Reminder
    }

    /// Whether it is sent during quiet hours: what has already happened to a key may be an outage.
    #[must_use]
    pub fn is_urgent(self) -> bool {
        matches!(self, Self::Deactivated | Self::Reactivated)
    }
}

/// For whom a notice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// The owner of the key.
    Owner,
    /// The security team: `notify` of the route, or `notices.notify`.
    Team,
    /// `protect.notify`: the few who know about honeytokens.
    Protect,
}

/// Names an item: the sequence number of the entry that it is about, and its place among the items of that entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ItemId(pub u64, pub u8);

/// One notice about one key, with the facts as they were when the event happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Names it.
    pub id: ItemId,
    /// When that happened.
    pub at: Timestamp,
    /// What it is about.
    pub kind: NoticeKind,
    /// For whom it is.
    pub audience: Audience,
    /// Account of the key.
    pub account: AccountId,
    /// The key.
    pub key: AccessKeyId,
    /// User of the key.
    pub user_name: UserName,
    /// Owner of the key at that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Arc<Owner>>,
    /// Why the key is stale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<FindingKind>,
    /// Last use of the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_use: Option<LastUse>,
    /// The change that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Planned>,
    /// The earliest time of the deactivation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deactivation: Option<Timestamp>,
    /// The earliest time of the deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion: Option<Timestamp>,
    /// The notice period, counted from delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<std::time::Duration>,
    /// When a hold, an exemption, or a request for approval ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<Timestamp>,
    /// Who caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Actor>,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The messages that contain it and that no channel has accepted yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<u64>,
}

impl Item {
    /// The earliest times of deactivation and deletion if the notice is delivered at `delivered`: the notice period
    /// begins then.
    #[must_use]
    pub fn dates(&self, delivered: Timestamp) -> (Option<Timestamp>, Option<Timestamp>) {
        match self.period.filter(|_| self.kind.announces()) {
            Some(period) => postponed(self.deactivation, self.deletion, delivered, period),
            None => (self.deactivation, self.deletion),
        }
    }
}

/// The dates of a notice that is delivered at this time: none is earlier than the end of the notice period, and the time
/// between both dates stays.
pub(crate) fn postponed(
    deactivation: Option<Timestamp>,
    deletion: Option<Timestamp>,
    delivered: Timestamp,
    period: std::time::Duration,
) -> (Option<Timestamp>, Option<Timestamp>) {
    let earliest = delivered.checked_add(period).unwrap_or(Timestamp::MAX);
    let Some(announced) = deactivation else { return (None, deletion.map(|at| at.max(earliest))) };
    let later = announced.max(earliest);
    let shift = later.duration_since(announced);
    let deletion = deletion.map(|at| at.checked_add(shift).unwrap_or(Timestamp::MAX));
    (Some(later), deletion)
}
