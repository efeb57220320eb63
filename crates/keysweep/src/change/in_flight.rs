//! Who may change what right now: one change per key at a time, and calls under way that a pause waits for.

use std::collections::BTreeSet;
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
    sent: Mutex<usize>,
    freed: Notify,
}

/// The only right to change a key; given back when dropped.
#[derive(Debug)]
pub(crate) struct KeyGuard {
    keys: Arc<Keys>,
    key: AccessKeyId,
}

/// A call under way; over when dropped.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<Keys>);

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

    /// Marks a call as under way, from the decision to make it until it has ended. Whoever writes a restraint and then
    /// [waits](Self::drained) knows that no call comes any more which was decided without it.
    pub(crate) fn send(&self) -> InFlight {
        *self.keys.sent() += 1;
        InFlight(Arc::clone(&self.keys))
    }

    /// Waits until no call is under way; says how many there were.
    pub(crate) async fn drained(&self) -> usize {
        let before = *self.keys.sent();
        loop {
            let freed = self.keys.freed.notified();
            if *self.keys.sent() == 0 {
                return before;
            }
            freed.await;
        }
    }
}

impl Keys {
    fn busy(&self) -> MutexGuard<'_, BTreeSet<AccessKeyId>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sent(&self) -> MutexGuard<'_, usize> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for KeyGuard {
    fn drop(&mut self) {
        self.keys.busy().remove(&self.key);
        self.keys.freed.notify_waiters();
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        *self.0.sent() -= 1;
        self.0.freed.notify_waiters();
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
    async fn draining_waits_for_calls_that_are_under_way() {
        let changes = Changes::default();
        let call = changes.send();
        let mut drained = Box::pin(changes.drained());
        assert!(futures_util::poll!(&mut drained).is_pending());
        drop(call);
        assert_eq!(drained.await, 1);
    }
}
