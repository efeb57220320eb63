//! The outbox after an entry.

use jiff::Timestamp;

use super::{Body, Draft, Entry};
use crate::notice::{Item, ItemId, Message, Parcel, ParcelId, Status, is_current};

impl Draft<'_> {
    /// Notes what people are to be told.
    pub(super) fn owe(&mut self, items: Vec<Item>) {
        for item in items {
            self.delta.outbox.insert(ParcelId::Item(item.id), Some(Parcel::Item(item)));
        }
    }

    /// Applies a step of a message.
    pub(super) fn post(&mut self, entry: &Entry) {
        match &entry.body {
            Body::MessageComposed { to, items, send_from, give_up } => {
                for id in items {
                    if let Some(mut item) = self.item(*id) {
                        item.messages.insert(entry.seq);
                        self.delta.outbox.insert(ParcelId::Item(*id), Some(Parcel::Item(item)));
                    }
                }
                self.put_message(Message {
                    number: entry.seq,
                    at: entry.at,
                    to: to.clone(),
                    items: items.clone(),
                    send_from: *send_from,
                    give_up: *give_up,
                    status: Status::Open,
                });
            }
            Body::MessageDelivered { message, via } => {
                let Some(message) = self.message(*message) else { return };
                self.drop_items(&message);
                let status = Status::Delivered { at: entry.at, via: via.clone() };
                self.put_message(Message { status, ..message });
            }
            Body::MessageUndeliverable { message, why } => {
                let Some(message) = self.message(*message) else { return };
                let status = Status::Undeliverable { at: entry.at, why: why.clone() };
                self.put_message(Message { status, ..message });
            }
            Body::MessageWithdrawn { message } => {
                let Some(message) = self.message(*message) else { return };
                self.drop_items(&message);
                self.delta.outbox.insert(ParcelId::Message(message.number), None);
            }
            Body::MessageRetried { message, give_up, .. } => {
                let Some(message) = self.message(*message) else { return };
                let (status, send_from, give_up) = (Status::Open, entry.at, *give_up);
                self.put_message(Message { status, send_from, give_up, ..message });
            }
            Body::Started { .. }
            | Body::Configured { .. }
            | Body::Key { .. }
            | Body::KeyCreated { .. }
            | Body::AccountScanned { .. }
            | Body::AccountFindings { .. }
            | Body::AccountFailed { .. }
            | Body::AccountSkipped { .. }
            | Body::AccountLeft { .. }
            | Body::ChangeFailed { .. }
            | Body::AccountUnparked { .. }
            | Body::DueAccepted { .. }
            | Body::BreakerTripped { .. }
            | Body::BreakerReset { .. }
            | Body::Paused { .. }
            | Body::Resumed { .. }
            | Body::ReferenceMissing { .. }
            | Body::ReferenceCleared { .. }
            | Body::RuleAcknowledged { .. }
            | Body::Restored { .. }
            | Body::SweepFinished { .. } => {}
        }
    }

    /// Drops what is not worth keeping any more.
    pub(super) fn tidy_outbox(&mut self, now: Timestamp) {
        let outdated = self.base.outbox.outdated(now, |item| is_current(self.record(&item.key), item));
        for id in outdated {
            // What an entry that is not committed yet made of it stays.
            if self.pending(id).is_none() {
                self.delta.outbox.insert(id, None);
            }
        }
    }

    /// After the restoration of a backup: nobody knows what people were told since.
    pub(super) fn clear_outbox(&mut self) {
        let known = self.base.outbox.parcels().map(|parcel| parcel.id());
        let pending = self.earlier.outbox.keys().chain(self.delta.outbox.keys()).copied();
        for id in known.chain(pending).collect::<Vec<_>>() {
            self.delta.outbox.insert(id, None);
        }
    }

    fn put_message(&mut self, message: Message) {
        let id = ParcelId::Message(message.number);
        self.delta.outbox.insert(id, Some(Parcel::Message(message)));
    }

    /// Drops the items that no other message contains.
    fn drop_items(&mut self, message: &Message) {
        for id in &message.items {
            let Some(mut item) = self.item(*id) else { continue };
            item.messages.remove(&message.number);
            let left = (!item.messages.is_empty()).then_some(Parcel::Item(item));
            self.delta.outbox.insert(ParcelId::Item(*id), left);
        }
    }

    fn item(&self, id: ItemId) -> Option<Item> {
        let pending = self.pending(ParcelId::Item(id));
        match pending {
            Some(Some(Parcel::Item(item))) => Some(item.clone()),
            Some(_) => None,
            None => self.base.outbox.item(id).cloned(),
        }
    }

    fn message(&self, number: u64) -> Option<Message> {
        match self.pending(ParcelId::Message(number)) {
            Some(Some(Parcel::Message(message))) => Some(message.clone()),
            Some(_) => None,
            None => self.base.outbox.message(number).cloned(),
        }
    }

    fn pending(&self, id: ParcelId) -> Option<&Option<Parcel>> {
        self.delta.outbox.get(&id).or_else(|| self.earlier.outbox.get(&id))
    }
}
