//! Which events were seen already.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::watch;

/// How many events are remembered, each by its envelope and its payload.
const EVENTS: usize = 4_096;

/// How far an event has got.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Stage {
    /// It waits for space in the queue.
    Waiting,
    /// The consumer has it.
    Delivered,
    /// It was acknowledged, with this payload.
    Answered(Option<Value>),
}

/// What makes two deliveries the same event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// The ID of the envelope.
    Envelope(String),
    /// The digest of the payload.
    Payload([u8; 32]),
}

/// What is known of an event.
pub(super) enum Claim {
    /// Nothing: the holder of the ticket delivers it.
    New(Ticket),
    /// It was seen.
    Seen(watch::Receiver<Stage>),
}

#[derive(Default)]
struct Entries {
    events: HashMap<Key, (u64, watch::Receiver<Stage>)>,
    /// Oldest first. A key that was forgotten and came back has a newer number elsewhere.
    order: VecDeque<(u64, Key)>,
    number: u64,
}

/// The last events. Those beyond a limit are forgotten, oldest first.
#[derive(Default)]
pub(super) struct Memory {
    entries: Mutex<Entries>,
}

impl Memory {
    /// Notes an event, unless one of its keys is known.
    pub(super) fn claim(self: &Arc<Self>, keys: [Key; 2]) -> Claim {
        let mut entries = self.entries();
        if let Some((_, stage)) = keys.iter().find_map(|key| entries.events.get(key)) {
            return Claim::Seen(stage.clone());
        }
        let (stage, seen) = watch::channel(Stage::Waiting);
        entries.number = entries.number.wrapping_add(1);
        let number = entries.number;
        for key in &keys {
            entries.events.insert(key.clone(), (number, seen.clone()));
            entries.order.push_back((number, key.clone()));
        }
        while entries.order.len() > EVENTS * keys.len() {
            if let Some((number, key)) = entries.order.pop_front() {
                entries.forget(&key, number);
            }
        }
        Claim::New(Ticket { memory: Arc::clone(self), keys, number, stage })
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn forget(&mut self, key: &Key, number: u64) {
        if self.events.get(key).is_some_and(|(found, _)| *found == number) {
            self.events.remove(key);
        }
    }
}

/// An event that is being delivered. Dropped before the consumer has it, the event counts as new again.
pub(super) struct Ticket {
    memory: Arc<Memory>,
    keys: [Key; 2],
    number: u64,
    stage: watch::Sender<Stage>,
}

impl Ticket {
    pub(super) fn reached(&self, stage: Stage) {
        self.stage.send_replace(stage);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if *self.stage.borrow() == Stage::Waiting {
            let mut entries = self.memory.entries();
            self.keys.iter().for_each(|key| entries.forget(key, self.number));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(envelope: usize, payload: usize) -> [Key; 2] {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&payload.to_be_bytes());
        [Key::Envelope(envelope.to_string()), Key::Payload(digest)]
    }

    fn deliver(memory: &Arc<Memory>, keys: [Key; 2]) -> bool {
        match memory.claim(keys) {
            Claim::New(ticket) => {
                ticket.reached(Stage::Delivered);
                true
            }
            Claim::Seen(_) => false,
        }
    }

    #[test]
    fn the_same_envelope_or_payload_is_the_same_event() {
        let memory = Arc::new(Memory::default());
        assert!(deliver(&memory, keys(1, 1)));
        assert!(!deliver(&memory, keys(1, 2)));
        assert!(!deliver(&memory, keys(2, 1)));
        assert!(deliver(&memory, keys(2, 2)));
    }

    #[test]
    fn an_event_that_was_not_delivered_counts_as_new() {
        let memory = Arc::new(Memory::default());
        let Claim::New(ticket) = memory.claim(keys(1, 1)) else { panic!("claimed already") };
        assert!(!deliver(&memory, keys(1, 1)));
        drop(ticket);
        assert!(deliver(&memory, keys(1, 1)));
        assert!(!deliver(&memory, keys(1, 1)));
    }

    #[test]
    fn only_the_last_events_are_remembered() {
        let memory = Arc::new(Memory::default());
        // One that is never delivered leaves its place in the order behind.
        drop(memory.claim(keys(0, 0)));
        assert!((0..EVENTS * 3).all(|n| deliver(&memory, keys(n, n))));
        let entries = memory.entries();
        assert_eq!((entries.events.len(), entries.order.len()), (EVENTS * 2, EVENTS * 2));
        drop(entries);
        assert!(!deliver(&memory, keys(EVENTS * 2, EVENTS * 2)), "one of the last");
        assert!(deliver(&memory, keys(0, 0)), "one of the first");
    }
}
