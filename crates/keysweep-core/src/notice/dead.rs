//! Recipients whom no message reaches.

use std::collections::BTreeMap;

use super::{Address, Audience, Item, Message, Notices, Outbox, Recipient, Status};
use crate::lifecycle::{Notice, Record};
use crate::state::State;

use super::compose::{is_ahead, is_stopped, stands};

/// Recipients with dead letters: keysweep gave up a message to them, no channel has accepted a later one, and they are still
/// to be notified. While keysweep tries the next message to such a recipient, they remain among these.
///
/// The outbox remembers messages for seven days, so a recipient to whom nothing more is sent leaves after that time.
#[must_use]
pub fn dead_recipients<'a>(notices: &Notices, state: &'a State) -> Vec<&'a Recipient> {
    let outbox = state.outbox();
    let dead = outbox.dead_letters().into_iter().filter(|(to, letters)| match to.audience {
        Audience::Owner => {
            letters.iter().any(|letter| outbox.items_of(letter).any(|item| is_needed(state, item)))
        }
        // The next notice goes there as long as the configuration names the address.
        Audience::Team | Audience::Protect => to.addresses.iter().any(|to| notices.names(to)),
    });
    dead.map(|(to, _)| to).collect()
}

/// Whether the owner still has to learn of it. keysweep gives an announcement again, with new dates.
fn is_needed(state: &State, item: &Item) -> bool {
    let record = state.record(&item.key);
    let contact = record.and_then(|record| record.owner.as_ref()).map(|owner| &owner.contact);
    let moved = contact.is_some() && contact != item.owner.as_ref().map(|owner| &owner.contact);
    match record {
        _ if moved => false,
        Some(record) if item.kind.announces() => {
            let delivered = record.notice().is_some_and(Notice::was_delivered);
            is_announceable(record, item) && !delivered
        }
        Some(_) | None => stands(state, item),
    }
}

fn is_announceable(record: &Record, item: &Item) -> bool {
    item.change.is_some_and(|change| is_ahead(record, change)) && !is_stopped(record)
}

impl Notices {
    /// Whether the configuration names this address for the team or for honeytokens.
    fn names(&self, address: &Address) -> bool {
        let routes = self.routes.iter().flat_map(|route| &route.notify);
        let mut all = self.notify.iter().chain(&self.protect).chain(routes);
        all.any(|known| known == address) && self.serves(address)
    }
}

impl Outbox {
    /// The messages that keysweep gave up since a channel last accepted one to the same recipient.
    pub(super) fn dead_letters(&self) -> BTreeMap<&Recipient, Vec<&Message>> {
        let mut closed: Vec<_> =
            self.messages().filter_map(|message| Some((message.closed()?, message))).collect();
        closed.sort_by_key(|(at, message)| (*at, message.number));
        let mut dead: BTreeMap<&Recipient, Vec<&Message>> = BTreeMap::new();
        for (_, message) in closed {
            match &message.status {
                Status::Delivered { .. } => drop(dead.remove(&message.to)),
                Status::Undeliverable { .. } => dead.entry(&message.to).or_default().push(message),
                Status::Open => {}
            }
        }
        dead
    }
}
