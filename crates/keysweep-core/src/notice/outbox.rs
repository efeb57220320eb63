//! What people are still to be told, and the messages that tell them. All of it follows from the journal.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Address, Audience, Item, ItemId, Replaceable};
use crate::owner::Owner;

/// How long news is worth sending, such as that a key was deactivated. A daemon that was stopped for longer, or that was
/// given its first channel, does not report what happened before.
const NEWS_FOR: Duration = Duration::from_secs(24 * 3600);

/// How long the outbox remembers a message after it was delivered, or after keysweep gave up.
const REMEMBERED: Duration = Duration::from_secs(7 * 24 * 3600);

/// One thing in the outbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parcel {
    /// A notice about one key.
    Item(Arc<Item>),
    /// A message to one recipient.
    Message(Arc<Message>),
}

/// Names a thing in the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ParcelId {
    /// A notice about one key.
    Item(ItemId),
    /// A message, by the sequence number of its entry.
    Message(u64),
}

impl Parcel {
    /// Its name.
    #[must_use]
    pub fn id(&self) -> ParcelId {
        match self {
            Self::Item(item) => ParcelId::Item(item.id),
            Self::Message(message) => ParcelId::Message(message.number),
        }
    }
}

/// The recipient of a message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Recipient {
    /// Name of the owner, or the address.
    pub name: String,
    /// Where the message can be sent; the first address whose channel accepts it is enough.
    pub addresses: Vec<Address>,
    /// In which role.
    pub audience: Audience,
}

/// A message to one recipient: its intent is in the journal before it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Sequence number of its entry.
    pub number: u64,
    /// When it was composed.
    pub at: Timestamp,
    /// To whom.
    pub to: Recipient,
    /// Its items.
    pub items: BTreeSet<ItemId>,
    /// Not to be sent earlier.
    pub send_from: Timestamp,
    /// When keysweep gives up.
    pub give_up: Timestamp,
    /// What became of it.
    pub status: Status,
    /// What it takes to replace it, where its channel can do that and it asks for approvals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaceable: Option<Box<Replaceable>>,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// No channel has accepted it yet.
    Open,
    /// A channel accepted it.
    Delivered {
        /// When.
        at: Timestamp,
        /// Where it was sent.
        via: Address,
    },
    /// keysweep gave up.
    Undeliverable {
        /// When.
        at: Timestamp,
        /// Why.
        why: String,
    },
}

impl Message {
    /// Whether no channel has accepted it yet and keysweep still tries.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.status == Status::Open
    }

    /// When the last thing happened that its readers are to learn of.
    fn settled(&self) -> Option<Timestamp> {
        match &self.replaceable {
            Some(replaceable) if replaceable.is_open() => None,
            Some(replaceable) => self.closed().max(replaceable.last_closed()),
            None => self.closed(),
        }
    }

    pub(super) fn closed(&self) -> Option<Timestamp> {
        match &self.status {
            Status::Open => None,
            Status::Delivered { at, .. } | Status::Undeliverable { at, .. } => Some(*at),
        }
    }
}

/// Everything that people are still to be told, and the messages of the last days.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outbox {
    items: BTreeMap<ItemId, Arc<Item>>,
    messages: BTreeMap<u64, Arc<Message>>,
}

impl Outbox {
    /// An outbox from its parts, as a store loads them.
    #[must_use]
    pub fn from_parcels(parcels: impl IntoIterator<Item = Parcel>) -> Self {
        let mut outbox = Self::default();
        for parcel in parcels {
            outbox.put(parcel.id(), Some(parcel));
        }
        outbox
    }

    /// Replaces the owner of each item by the same one, as it is kept elsewhere.
    pub(crate) fn share_owners(&mut self, same: impl Fn(Arc<Owner>) -> Arc<Owner>) {
        for item in self.items.values_mut().filter_map(Arc::get_mut) {
            item.owner = item.owner.take().map(&same);
        }
    }

    /// Items that no message has delivered, in the order of their entries.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.items.values().map(Arc::as_ref)
    }

    /// One of them.
    #[must_use]
    pub fn item(&self, id: ItemId) -> Option<&Item> {
        self.items.get(&id).map(Arc::as_ref)
    }

    /// Messages, by number: those under way, and those of the last seven days.
    pub fn messages(&self) -> impl DoubleEndedIterator<Item = &Message> {
        self.messages.values().map(Arc::as_ref)
    }

    /// One of them.
    #[must_use]
    pub fn message(&self, number: u64) -> Option<&Message> {
        self.messages.get(&number).map(Arc::as_ref)
    }

    /// The items of a message.
    pub fn items_of<'a>(&'a self, message: &'a Message) -> impl Iterator<Item = &'a Item> {
        message.items.iter().filter_map(|id| self.item(*id))
    }

    /// Every part, as a store keeps it.
    pub fn parcels(&self) -> impl Iterator<Item = Parcel> {
        let items = self.items.values().cloned().map(Parcel::Item);
        items.chain(self.messages.values().cloned().map(Parcel::Message))
    }

    pub(crate) fn put(&mut self, id: ParcelId, parcel: Option<Parcel>) {
        match (id, parcel) {
            (_, Some(Parcel::Item(item))) => drop(self.items.insert(item.id, item)),
            (_, Some(Parcel::Message(message))) => drop(self.messages.insert(message.number, message)),
            (ParcelId::Item(id), None) => drop(self.items.remove(&id)),
            (ParcelId::Message(number), None) => drop(self.messages.remove(&number)),
        }
    }

    /// What is not worth keeping any more at `now`: news that nobody was told in time, and messages that were closed long
    /// ago, with their items. An announcement stays as long as it stands: its key waits for it. While a message to a
    /// recipient is open, the one that keysweep gave up last stays: only the outcome of the open one shows whether the
    /// recipient can be reached again. A message that can be replaced stays as long as a request in it is not closed.
    pub(crate) fn outdated(&self, now: Timestamp, is_current: impl Fn(&Item) -> bool) -> Vec<ParcelId> {
        let older = |at: Timestamp, than: Duration| at < now && now.duration_since(at).unsigned_abs() > than;
        let open = self.messages.values().filter(|message| message.is_open());
        let tried: BTreeSet<&Recipient> = open.map(|message| &message.to).collect();
        let dead = self.dead_letters().into_iter().filter(|(to, _)| tried.contains(to));
        let dead: BTreeSet<u64> =
            dead.filter_map(|(_, letters)| letters.last().map(|message| message.number)).collect();
        let closed = |message: &&Arc<Message>| {
            message.settled().is_some_and(|at| older(at, REMEMBERED)) && !dead.contains(&message.number)
        };
        // An item stays while another message contains it.
        let kept = |number: &u64| self.messages.get(number).is_some_and(|message| !closed(&message));
        let only_here = |id: &&ItemId| self.item(**id).is_none_or(|item| !item.messages.iter().any(kept));
        let messages = self.messages.values().filter(closed).flat_map(|message| {
            let items = message.items.iter().filter(only_here).copied().map(ParcelId::Item);
            items.chain([ParcelId::Message(message.number)])
        });
        let news = |item: &&Arc<Item>| {
            let waited_for = || item.kind.announces() && is_current(item);
            item.messages.is_empty() && older(item.at, NEWS_FOR) && !waited_for()
        };
        messages.chain(self.items.values().filter(news).map(|item| ParcelId::Item(item.id))).collect()
    }
}
