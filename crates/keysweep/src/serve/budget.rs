//! How many requests of the API each caller can make.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keysweep_core::state::Actor;
use leaky_bucket::RateLimiter;

/// Requests at once: a script that walks every page of a large list.
const AT_ONCE: usize = 1_000;

/// After these, one more in this time: fifty in a second. How many are answered at once is bounded besides.
const ONE_EVERY: Duration = Duration::from_millis(20);

/// Callers that are told apart. More than one organization has tokens and people; beyond, all are forgotten.
const CALLERS: usize = 4_000;

/// What each caller has left.
#[derive(Default)]
pub(super) struct Budgets(Mutex<HashMap<Actor, Arc<RateLimiter>>>);

impl Budgets {
    /// Takes one request from the budget of a caller.
    ///
    /// # Errors
    /// When to try again, if nothing is left.
    pub(super) fn spend(&self, caller: &Actor) -> Result<(), Duration> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= CALLERS && !all.contains_key(caller) {
            all.clear();
        }
        let limiter = all.entry(caller.clone()).or_insert_with(|| {
            let mut limiter = RateLimiter::builder();
            Arc::new(limiter.initial(AT_ONCE).max(AT_ONCE).refill(1).interval(ONE_EVERY).build())
        });
        if limiter.try_acquire(1) { Ok(()) } else { Err(Duration::from_secs(1)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_asks_too_much_waits_and_others_do_not() {
        let budgets = Budgets::default();
        let (busy, other) = (Actor::token("busy"), Actor::token("other"));
        for _ in 0..AT_ONCE {
            assert_eq!(budgets.spend(&busy), Ok(()));
        }
        assert!(budgets.spend(&busy).is_err());
        assert_eq!(budgets.spend(&other), Ok(()));
        tokio::time::advance(ONE_EVERY).await;
        assert_eq!(budgets.spend(&busy), Ok(()));
        assert!(budgets.spend(&busy).is_err());
    }
}
