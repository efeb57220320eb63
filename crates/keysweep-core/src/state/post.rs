//! The outbox after an entry.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Body, Draft, Entry};
use crate::notice::{
    Closing, Ending, Item, ItemId, Message, NoticeKind, Parcel, ParcelId, Replaceable, Status, is_current,
    stands_for,
};

impl Draft<'_> {
    /// Notes what people are to be told.
    pub(super) fn owe(&mut self, items: Vec<Item>) {
        for item in items {
            self.delta.outbox.insert(ParcelId::Item(item.id), Some(Parcel::Item(Arc::new(item))));
        }
    }

    /// Applies a step of a message.
    pub(super) fn post(&mut self, entry: &Entry) {
        match &entry.body {
            Body::MessageComposed { to, items, send_from, give_up } => {
                for id in items {
                    if let Some(mut item) = self.item(*id) {
                        item.messages.push(entry.seq);
                        self.delta.outbox.insert(ParcelId::Item(*id), Some(Parcel::Item(Arc::new(item))));
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
                    replaceable: None,
                });
            }
            Body::MessageDelivered { message, via, posted } => {
                let Some(message) = self.message(*message) else { return };
                let items = || message.items.iter().filter_map(|id| self.item(*id));
                // A request that was closed meanwhile shows its outcome; of the rest, only what still applies was sent.
                let shown = |item: &Item| {
                    item.kind == NoticeKind::ApprovalRequest || stands_for(self.record(&item.key), item)
                };
                let replaceable =
                    posted.clone().and_then(|place| Replaceable::new(place, items().filter(shown).collect()));
                self.drop_items(&message);
                let status = Status::Delivered { at: entry.at, via: via.clone() };
                let replaceable = replaceable.map(|of| Box::new(self.with_known_closings(of, entry.at)));
                self.put_message(Message { status, replaceable, ..message });
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
            | Body::ExemptionGranted { .. }
            | Body::ExemptionEnded { .. }
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

    /// Requests that were closed before their message was delivered.
    fn with_known_closings(&self, mut replaceable: Replaceable, at: Timestamp) -> Replaceable {
        let asked = replaceable.items.iter().filter(|item| item.kind == NoticeKind::ApprovalRequest);
        let is_pending = |item: &&Item| {
            let approval = self.record(&item.key).and_then(crate::lifecycle::Record::approval);
            approval.is_some_and(|approval| approval.number == item.id.0)
        };
        let closed: Vec<u64> = asked.filter(|item| !is_pending(item)).map(|item| item.id.0).collect();
        let closing = || Closing { at, ending: Ending::Void, by: Vec::new(), why: None };
        replaceable.closings.extend(closed.into_iter().map(|number| (number, closing())));
        replaceable
    }

    /// Notes in each message that asked how the request ended.
    pub(super) fn close_request(&mut self, number: u64, closing: &Closing) {
        let asks = |message: &Message| {
            message.replaceable.as_ref().is_some_and(|of| of.requests().any(|request| request == number))
        };
        let known = self.base.outbox.messages().filter(|message| asks(message)).map(|message| message.number);
        let pending = self.earlier.outbox.values().chain(self.delta.outbox.values());
        let pending = pending.filter_map(|parcel| match parcel {
            Some(Parcel::Message(message)) if asks(message) => Some(message.number),
            Some(Parcel::Message(_) | Parcel::Item(_)) | None => None,
        });
        let numbers: BTreeSet<u64> = known.chain(pending).collect();
        for message in numbers {
            let Some(mut message) = self.message(message) else { continue };
            if let Some(replaceable) = &mut message.replaceable {
                replaceable.closings.insert(number, closing.clone());
            }
            self.put_message(message);
        }
    }

    fn put_message(&mut self, message: Message) {
        let id = ParcelId::Message(message.number);
        self.delta.outbox.insert(id, Some(Parcel::Message(Arc::new(message))));
    }

    /// Drops the items that no other message contains.
    fn drop_items(&mut self, message: &Message) {
        for id in &message.items {
            let Some(mut item) = self.item(*id) else { continue };
            item.messages.retain(|number| *number != message.number);
            let left = (!item.messages.is_empty()).then(|| Parcel::Item(Arc::new(item)));
            self.delta.outbox.insert(ParcelId::Item(*id), left);
        }
    }

    fn item(&self, id: ItemId) -> Option<Item> {
        let pending = self.pending(ParcelId::Item(id));
        match pending {
            Some(Some(Parcel::Item(item))) => Some(Item::clone(item)),
            Some(_) => None,
            None => self.base.outbox.item(id).cloned(),
        }
    }

    fn message(&self, number: u64) -> Option<Message> {
        match self.pending(ParcelId::Message(number)) {
            Some(Some(Parcel::Message(message))) => Some(Message::clone(message)),
            Some(_) => None,
            None => self.base.outbox.message(number).cloned(),
        }
    }

    fn pending(&self, id: ParcelId) -> Option<&Option<Parcel>> {
        self.delta.outbox.get(&id).or_else(|| self.earlier.outbox.get(&id))
    }
}
