//! True time, over the lives of processes that each have a paused clock of their own.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// What time it is, and how far off the machine's clock is. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct TrueTime(Arc<Mutex<Hands>>);

#[derive(Debug)]
struct Hands {
    base: Timestamp,
    since: Option<Instant>,
    off: SignedDuration,
    slept: SignedDuration,
}

impl TrueTime {
    pub(super) fn at(base: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(Hands {
            base,
            since: None,
            off: SignedDuration::ZERO,
            slept: SignedDuration::ZERO,
        })))
    }

    pub(super) fn now(&self) -> Timestamp {
        self.with(|hands| hands.now())
    }

    /// What the machine that keysweep runs on believes.
    pub(super) fn wall(&self) -> Timestamp {
        self.with(|hands| hands.now() + hands.off)
    }

    /// How far the machine's clock is off.
    pub(super) fn off(&self) -> SignedDuration {
        self.with(|hands| hands.off)
    }

    pub(super) fn set_off(&self, off: SignedDuration) {
        self.with(|hands| hands.off = off);
    }

    /// A life begins: time follows the runtime's clock.
    pub(super) fn begin_life(&self) {
        let now = Instant::now();
        self.with(|hands| hands.since = Some(now));
    }

    /// It is over: time stands still until [`TrueTime::pass`] or the next life.
    pub(super) fn end_life(&self) {
        self.with(|hands| {
            hands.base = hands.now();
            hands.since = None;
        });
    }

    /// The machine sleeps, and the process with it: its monotonic clock stands still.
    pub(super) fn sleep(&self, span: SignedDuration) {
        self.with(|hands| {
            hands.base += span;
            hands.slept += span;
        });
    }

    /// Now, without the time in which the machine slept.
    pub(super) fn awake(&self) -> Timestamp {
        self.with(|hands| hands.now() - hands.slept)
    }

    /// Time passes while no process runs.
    pub(super) fn pass(&self, span: SignedDuration) {
        self.with(|hands| hands.base += span);
    }

    fn with<T>(&self, use_: impl FnOnce(&mut Hands) -> T) -> T {
        use_(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Hands {
    fn now(&self) -> Timestamp {
        let since = self.since.map(|since| since.elapsed()).unwrap_or_default();
        self.base + SignedDuration::try_from(since).unwrap_or(SignedDuration::MAX)
    }
}
