//! Bounded concurrency over accounts. An account holds its slot while AWS answers it. While a call of it is stuck the
//! slot goes to another, and one that has held its slot for long goes on in a small slow lane: accounts that hang or
//! are throttled do not hold up the others.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use keysweep_aws::Pulse;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;

/// A healthy account is scanned in well under a second; ten are an account that hangs or is throttled.
const SLOW_AFTER: Duration = Duration::from_secs(10);

/// One slow slot for so many fast ones: enough to get on, too few to matter to the others.
const FAST_PER_SLOW: usize = 8;

/// For each slot, so many accounts may have a call that is stuck before the others wait with them. Such an account is
/// a few dozen kilobytes and sends nothing.
const STUCK_PER_SLOT: usize = 4;

/// The lanes of one sweep.
#[derive(Debug, Clone)]
pub(super) struct Lanes {
    fast: Arc<Semaphore>,
    slow: Arc<Semaphore>,
    stuck: Arc<Semaphore>,
}

/// The right to work on one account.
#[derive(Debug)]
pub(super) struct Slot(
    #[expect(dead_code, reason = "held, and given back when dropped")] OwnedSemaphorePermit,
);

impl Lanes {
    pub(super) fn new(concurrency: usize) -> Self {
        let slots = |count| Arc::new(Semaphore::new(count));
        Self {
            fast: slots(concurrency),
            slow: slots(concurrency.div_ceil(FAST_PER_SLOW)),
            stuck: slots(concurrency * STUCK_PER_SLOT),
        }
    }

    /// Waits for a slot. `None` if the sweep is over, which does not happen while anybody waits.
    pub(super) async fn slot(&self) -> Option<Slot> {
        Arc::clone(&self.fast).acquire_owned().await.ok().map(Slot)
    }

    /// Works in a slot; without one while a call is stuck; and in the slow lane after [`SLOW_AFTER`].
    pub(super) async fn work<T>(&self, slot: Slot, work: impl Future<Output = T>) -> T {
        let pulse = Pulse::default();
        let mut work = pin!(pulse.of(work));
        let mut slot = Some(slot);
        loop {
            let stuck = async {
                pulse.is_stuck().await;
                self.stuck.acquire().await
            };
            let _stuck = tokio::select! {
                biased;
                done = &mut work => return done,
                stuck = stuck => stuck,
                _slow = async { sleep(SLOW_AFTER).await; self.slow.acquire().await } => {
                    drop(slot);
                    return work.await;
                }
            };
            drop(slot);
            // What was stuck goes on at once, and takes the next slot that is free.
            let next = async {
                pulse.goes_on().await;
                self.slot().await
            };
            slot = tokio::select! {
                biased;
                done = &mut work => return done,
                next = next => next,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;
    use tokio::time::Instant;

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
