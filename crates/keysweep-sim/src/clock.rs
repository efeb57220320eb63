//! Clocks: the simulator has none of its own and is handed the ones it needs.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// Answers what time it is.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A clock that moves only by hand, for tests. Clones show the same time.
#[derive(Clone)]
pub struct HandClock {
    now: Arc<Mutex<Timestamp>>,
}

impl HandClock {
    /// A clock standing at `now`.
    pub fn at(now: Timestamp) -> Self {
        Self { now: Arc::new(Mutex::new(now)) }
    }

    /// What the clock shows.
    pub fn now(&self) -> Timestamp {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves the hands by `span`, backwards if it is negative. A result outside of jiff's range leaves them.
    pub fn advance(&self, span: SignedDuration) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(moved) = now.checked_add(span) {
            *now = moved;
        }
    }

    /// Sets the hands to `now`.
    pub fn set(&self, now: Timestamp) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// The clock as the function that [`crate::Sim`] takes.
    pub fn clock(&self) -> Clock {
        let hand = self.clone();
        Arc::new(move || hand.now())
    }
}

impl fmt::Debug for HandClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HandClock").field(&self.now()).finish()
    }
}
