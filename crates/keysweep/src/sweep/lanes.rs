//! Bounded concurrency over accounts, with a slow lane: an account that has held its slot for long goes on in a few
//! slots of its own, so that accounts which hang do not hold up the others.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// A healthy account is scanned in well under a second; ten are an account that hangs or is throttled.
const SLOW_AFTER: Duration = Duration::from_secs(10);

/// One slow slot for so many fast ones: enough to get on, too few to matter to the others.
const FAST_PER_SLOW: usize = 8;

/// The lanes of one sweep.
#[derive(Debug, Clone)]
pub(super) struct Lanes {
    fast: Arc<Semaphore>,
    slow: Arc<Semaphore>,
}

/// The right to work on one account.
#[derive(Debug)]
pub(super) struct Slot(
    #[expect(dead_code, reason = "held, and given back when dropped")] OwnedSemaphorePermit,
);

impl Lanes {
    pub(super) fn new(concurrency: usize) -> Self {
        let slow = concurrency.div_ceil(FAST_PER_SLOW);
        Self { fast: Arc::new(Semaphore::new(concurrency)), slow: Arc::new(Semaphore::new(slow)) }
    }

    /// Waits for a slot. `None` if the sweep is over, which does not happen while anybody waits.
    pub(super) async fn slot(&self) -> Option<Slot> {
        Arc::clone(&self.fast).acquire_owned().await.ok().map(Slot)
    }

    /// Works in a slot, and after [`SLOW_AFTER`] in the slow lane.
    pub(super) async fn work<T>(&self, slot: Slot, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        match timeout(SLOW_AFTER, &mut work).await {
            Ok(done) => done,
            Err(_) => {
                drop(slot);
                let _slow = self.slow.acquire().await;
                work.await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;
    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn accounts_that_hang_do_not_hold_up_the_others() {
        let lanes = Lanes::new(8);
        let mut tasks = JoinSet::new();
        // As many accounts that hang as there are slots, and then a healthy one.
        for _ in 0..8 {
            let slot = lanes.slot().await.unwrap();
            let lanes = lanes.clone();
            tasks.spawn(async move { lanes.work(slot, sleep(Duration::from_secs(600))).await });
        }
        let start = Instant::now();
        let slot = lanes.slot().await.unwrap();
        lanes.work(slot, async {}).await;
        assert!(start.elapsed() <= SLOW_AFTER + Duration::from_millis(10), "{:?}", start.elapsed());
        tasks.abort_all();
    }
}
