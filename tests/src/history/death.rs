//! The death of a process: nothing of it reaches disk or network any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Whether the process of this life is dead. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Death(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    dead: AtomicBool,
    notify: Notify,
}

impl Death {
    pub(super) fn is_dead(&self) -> bool {
        self.0.dead.load(Ordering::SeqCst)
    }

    pub(super) fn die(&self) {
        self.0.dead.store(true, Ordering::SeqCst);
        self.0.notify.notify_one();
    }

    /// Another process takes its place.
    pub(super) fn reborn(&self) {
        self.0.dead.store(false, Ordering::SeqCst);
    }

    /// Waits for it.
    pub(super) async fn wait(&self) {
        while !self.is_dead() {
            self.0.notify.notified().await;
        }
    }
}
