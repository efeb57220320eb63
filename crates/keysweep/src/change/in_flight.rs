//! Who may change what right now: one change per key at a time, and calls under way that a pause waits for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keysweep_core::ids::AccessKeyId;
use tokio::sync::Notify;

/// Changes under way.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    keys: Arc<Keys>,
}

#[derive(Debug, Default)]
struct Keys {
    busy: Mutex<BTreeSet<AccessKeyId>>,
    /// Undos that are asked for and not made yet.
    undos: Mutex<BTreeMap<AccessKeyId, usize>>,
    undo_asked: Notify,
    sent: Mutex<Sent>,
    freed: Notify,
}

#[derive(Debug, Default, Clone, Copy)]
struct Sent {
    under_way: usize,
    /// Calls that ended in this process.
    ended: usize,
}

/// The only right to change a key; given back when dropped.
#[derive(Debug)]
pub(crate) struct KeyGuard {
    keys: Arc<Keys>,
    key: AccessKeyId,
}

/// An undo that is asked for: no other change of the key begins before it is dropped.
#[derive(Debug)]
pub(crate) struct AskedUndo {
    keys: Arc<Keys>,
    key: AccessKeyId,
}

/// A call under way; over when dropped.
#[derive(Debug)]
pub(crate) struct InFlight {
    keys: Arc<Keys>,
    calls: bool,
}

impl InFlight {
    /// The call is made now.
    pub(crate) fn calls(&mut self) {
        self.calls = true;
    }
}

impl Changes {
    /// Waits for the only right to change a key.
    pub(crate) async fn key(&self, key: &AccessKeyId) -> KeyGuard {
        loop {
            let freed = self.keys.freed.notified();
            if self.keys.busy().insert(key.clone()) {
                return KeyGuard { keys: Arc::clone(&self.keys), key: key.clone() };
            }
            freed.await;
        }
    }

    /// Asks for an undo: it waits for no change of the key that is only being made ready.
    pub(crate) fn ask_undo(&self, key: &AccessKeyId) -> AskedUndo {
        *self.keys.undos().entry(key.clone()).or_default() += 1;
        self.keys.undo_asked.notify_waiters();
        AskedUndo { keys: Arc::clone(&self.keys), key: key.clone() }
    }

    /// Whether an undo of the key is asked for.
    pub(crate) fn undo_is_asked(&self, key: &AccessKeyId) -> bool {
        self.keys.undos().contains_key(key)
    }

    /// Waits until an undo of the key is asked for.
    pub(crate) async fn undo_asked(&self, key: &AccessKeyId) {
        loop {
            let asked = self.keys.undo_asked.notified();
            if self.undo_is_asked(key) {
                return;
            }
            asked.await;
        }
    }

    /// Marks a change as in flight, from the decision to make its call until the call has ended. A caller that journals
    /// a restraint and then [waits](Self::drained) knows that no call decided without it follows.
    pub(crate) fn begin(&self) -> InFlight {
        self.keys.sent().under_way += 1;
        InFlight { keys: Arc::clone(&self.keys), calls: false }
    }

    /// Waits until nothing is in flight. Returns how many calls ended meanwhile; a change that was refused after all is
    /// not counted.
    pub(crate) async fn drained(&self) -> usize {
        let before = self.keys.sent().ended;
        loop {
            let freed = self.keys.freed.notified();
            let Sent { under_way, ended } = *self.keys.sent();
            if under_way == 0 {
                return ended - before;
            }
            freed.await;
        }
    }
}

impl Keys {
    fn busy(&self) -> MutexGuard<'_, BTreeSet<AccessKeyId>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn undos(&self) -> MutexGuard<'_, BTreeMap<AccessKeyId, usize>> {
        self.undos.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sent(&self) -> MutexGuard<'_, Sent> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for KeyGuard {
    fn drop(&mut self) {
        self.keys.busy().remove(&self.key);
        self.keys.freed.notify_waiters();
    }
}

impl Drop for AskedUndo {
    fn drop(&mut self) {
        let mut undos = self.keys.undos();
        if let Some(asked) = undos.get_mut(&self.key) {
            *asked -= 1;
            if *asked == 0 {
                undos.remove(&self.key);
            }
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        {
            let mut sent = self.keys.sent();
            sent.under_way -= 1;
            sent.ended += usize::from(self.calls);
        }
        self.keys.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_is_changed_by_one_at_a_time() {
        let changes = Changes::default();
        let key: AccessKeyId = "AKIAIOSFODNN7EXAMPLE".parse().unwrap();
        let first = changes.key(&key).await;
        let mut second = Box::pin(changes.key(&key));
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        second.await;
    }

    #[tokio::test]
    async fn an_undo_that_is_asked_for_is_known_until_it_is_over() {
        let changes = Changes::default();
        let key: AccessKeyId = "AKIAIOSFODNN7EXAMPLE".parse().unwrap();
        let mut asked = Box::pin(changes.undo_asked(&key));
        assert!(futures_util::poll!(&mut asked).is_pending());
        let undos = (changes.ask_undo(&key), changes.ask_undo(&key));
        asked.await;
        drop(undos.0);
        assert!(changes.undo_is_asked(&key));
        drop(undos.1);
        assert!(!changes.undo_is_asked(&key));
    }

    #[tokio::test]
    async fn draining_waits_for_calls_that_are_under_way() {
        let changes = Changes::default();
        let (mut call, refused) = (changes.begin(), changes.begin());
        call.calls();
        let mut drained = Box::pin(changes.drained());
        assert!(futures_util::poll!(&mut drained).is_pending());
        drop(call);
        assert!(futures_util::poll!(&mut drained).is_pending());
        drop(refused);
        assert_eq!(drained.await, 1);
        assert_eq!(changes.drained().await, 0);
    }
}
