//! How fast calls may be sent, per service and account.
//!
//! A limiter in front of the SDK is needed besides its retries: against a server that takes 100 calls a second,
//! standard retries alone finished 155 of 1,500 calls, a limiter just below the cap all of them. Waiting is on
//! tokio's time and costs no task.

use std::time::Duration;

use leaky_bucket::RateLimiter;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Calls a second, with a burst, of one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Calls a second in the long run.
    pub per_second: usize,
    /// Calls that may go out at once after a rest.
    pub burst: usize,
}

/// How fast calls may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Organizations, for the whole daemon: its callers share the quota of the management account.
    pub organizations: Rate,
    /// STS, for the whole daemon: only the caller of `AssumeRole` is charged.
    pub sts: Rate,
    /// IAM, for each account: the account whose credentials sign is charged.
    pub iam_per_account: Rate,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            // AWS publishes no number. `TooManyRequestsException` is common from 160 accounts on where callers ask
            // as fast as they can, so: a burst for small organizations, then little more than a page at a time takes.
            organizations: Rate { per_second: 10, burst: 40 },
            // The published quota is 600 a second per account and Region, shared with everything else in the
            // hub account: less than half of it starts 250 accounts a second, more than 64 at a time need.
            sts: Rate { per_second: 250, burst: 500 },
            // AWS publishes no number. A scan by report stays within the burst; a live scan of a big account is
            // slowed down, because the account's own deployments live on the same quota.
            iam_per_account: Rate { per_second: 20, burst: 60 },
        }
    }
}

/// `LookupEvents` of one account in one Region: the quota of AWS, which everybody in the account shares (CloudTrail user
/// guide, "Quotas").
pub(crate) const LOOKUPS: Rate = Rate { per_second: 2, burst: 1 };

/// Organizations calls in flight: its throttling counts bursts, and the tree is walked one page at a time.
const ORGANIZATIONS_IN_FLIGHT: usize = 3;

/// Limiters shared by the whole daemon.
pub(crate) struct Limits {
    sts: RateLimiter,
    organizations: RateLimiter,
    organizations_in_flight: Semaphore,
}

impl Limits {
    pub(crate) fn new(rates: &Rates) -> Self {
        Self {
            sts: limiter(rates.sts),
            organizations: limiter(rates.organizations),
            organizations_in_flight: Semaphore::new(ORGANIZATIONS_IN_FLIGHT),
        }
    }

    pub(crate) async fn sts(&self) {
        self.sts.acquire_one().await;
    }

    /// Waits for the turn of an Organizations call; the call is in flight until the permit is dropped.
    pub(crate) async fn organizations(&self) -> Option<SemaphorePermit<'_>> {
        self.organizations.acquire_one().await;
        // Nobody closes the semaphore; if it were closed, the rate alone would limit.
        self.organizations_in_flight.acquire().await.ok()
    }
}

/// A limiter that starts with its burst and refills ten times a second, so that callers wait evenly.
pub(crate) fn limiter(rate: Rate) -> RateLimiter {
    const REFILLS: usize = 10;
    let per_second = rate.per_second.max(1);
    let (refill, interval) = if per_second >= REFILLS {
        (per_second / REFILLS, Duration::from_millis(100))
    } else {
        (1, Duration::from_secs(1) / u32::try_from(per_second).unwrap_or(1))
    };
    let burst = rate.burst.max(1);
    RateLimiter::builder().initial(burst).max(burst).refill(refill).interval(interval).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_goes_out_at_once_and_the_rest_at_the_rate() {
        let limiter = limiter(Rate { per_second: 20, burst: 40 });
        let start = tokio::time::Instant::now();
        for _ in 0..40 {
            limiter.acquire_one().await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        for _ in 0..100 {
            limiter.acquire_one().await;
        }
        let waited = start.elapsed();
        assert!((Duration::from_millis(4900)..=Duration::from_millis(5100)).contains(&waited), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_three_organizations_calls_are_in_flight() {
        let limits = Limits::new(&Rates::default());
        let held = [limits.organizations().await, limits.organizations().await, limits.organizations().await];
        let fourth = tokio::time::timeout(Duration::from_secs(60), limits.organizations()).await;
        assert!(fourth.is_err());
        drop(held);
        assert!(limits.organizations().await.is_some());
    }
}
