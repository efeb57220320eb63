//! How many requests each caller can make.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keysweep_core::state::Actor;
use leaky_bucket::RateLimiter;

use crate::access::Client;

/// Callers that are told apart. More than one organization has tokens and people; beyond, all are forgotten.
const CALLERS: usize = 4_000;

/// How much each caller can ask.
#[derive(Debug, Clone, Copy)]
struct Rate {
    at_once: usize,
    /// After these, one more in this time.
    one_every: Duration,
    /// When a caller with nothing left is to try again.
    again: Duration,
}

/// The API: a script that walks every page of a large list, then fifty requests in a second. How many are answered at once
/// is bounded besides.
const API: Rate =
    Rate { at_once: 1_000, one_every: Duration::from_millis(20), again: Duration::from_secs(1) };

/// Logins through a provider: a team behind one address, in the morning. Who goes on gets one in two seconds.
const LOGINS: Rate = Rate { at_once: 30, one_every: Duration::from_secs(2), again: Duration::from_secs(2) };

/// What each caller has left.
pub(super) struct Budgets<K> {
    rate: Rate,
    left: Mutex<HashMap<K, Arc<RateLimiter>>>,
}

impl Budgets<Actor> {
    /// Requests of the API.
    pub(super) fn of_api() -> Self {
        Self { rate: API, left: Mutex::default() }
    }
}

impl Budgets<Client> {
    /// Logins through a provider that were begun, and those that failed.
    pub(super) fn of_logins() -> Self {
        Self { rate: LOGINS, left: Mutex::default() }
    }
}

impl<K: Clone + Eq + Hash> Budgets<K> {
    /// Takes one request from the budget of a caller.
    ///
    /// # Errors
    /// When to try again, if nothing is left.
    pub(super) fn spend(&self, caller: &K) -> Result<(), Duration> {
        let Rate { at_once, one_every, again } = self.rate;
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if left.len() >= CALLERS && !left.contains_key(caller) {
            left.clear();
        }
        let limiter = left.entry(caller.clone()).or_insert_with(|| {
            let mut limiter = RateLimiter::builder();
            Arc::new(limiter.initial(at_once).max(at_once).refill(1).interval(one_every).build())
        });
        if limiter.try_acquire(1) { Ok(()) } else { Err(again) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn exhaust<K: Clone + Eq + Hash>(budgets: Budgets<K>, busy: K, other: K) {
        for _ in 0..budgets.rate.at_once {
            assert_eq!(budgets.spend(&busy), Ok(()));
        }
        assert!(budgets.spend(&busy).is_err());
        assert_eq!(budgets.spend(&other), Ok(()));
        tokio::time::advance(budgets.rate.one_every).await;
        assert_eq!(budgets.spend(&busy), Ok(()));
        assert!(budgets.spend(&busy).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_asks_too_much_waits_and_others_do_not() {
        exhaust(Budgets::of_api(), Actor::token("busy"), Actor::token("other")).await;
        let client = |last: u8| Client::of(Some([198, 51, 100, last].into()));
        exhaust(Budgets::of_logins(), client(1), client(2)).await;
    }
}
