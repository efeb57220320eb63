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
