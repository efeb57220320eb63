//! How long to wait before the next attempt to connect.

use std::time::Duration;

use ring::rand::{SystemRandom, generate};

use super::Pace;

/// Counts failures in a row.
pub(super) struct Backoff {
    failures: u32,
    min: Duration,
    max: Duration,
}

impl Backoff {
    pub(super) fn new(pace: &Pace) -> Self {
        Self { failures: 0, min: pace.backoff_min, max: pace.backoff_max }
    }

    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
    }

    pub(super) fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// Nothing after a success. Otherwise half to all of a time that doubles with each failure, so that the clients that
    /// an outage has disconnected do not come back at the same moment.
    pub(super) fn wait(&self) -> Duration {
        let Some(doublings) = self.failures.checked_sub(1) else { return Duration::ZERO };
        jittered(self.min.saturating_mul(2_u32.saturating_pow(doublings)).min(self.max))
    }

    /// For what fails until somebody changes something.
    pub(super) fn longest(&self) -> Duration {
        jittered(self.max)
    }
}

fn jittered(wait: Duration) -> Duration {
    // Without random numbers from the system there would be no TLS either.
    let random =
        generate::<[u8; 2]>(&SystemRandom::new()).map_or(u16::MAX, |r| u16::from_be_bytes(r.expose()));
    let half = wait / 2;
    half + half.mul_f64(f64::from(random) / f64::from(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_vary() {
        let pace = Pace {
            backoff_min: Duration::from_secs(1),
            backoff_max: Duration::from_secs(60),
            ..Pace::default()
        };
        let mut backoff = Backoff::new(&pace);
        assert_eq!(backoff.wait(), Duration::ZERO);
        for full in [1, 2, 4, 8, 16, 32, 60, 60] {
            backoff.failed();
            let full = Duration::from_secs(full);
            let waits: Vec<_> = (0..50).map(|_| backoff.wait()).collect();
            assert!(waits.iter().all(|wait| (full / 2..=full).contains(wait)), "{waits:?}");
            assert!(waits.windows(2).any(|two| two[0] != two[1]), "{waits:?}");
        }
        (0..100).for_each(|_| backoff.failed());
        assert!(backoff.wait() <= pace.backoff_max && backoff.longest() >= pace.backoff_max / 2);
        backoff.succeeded();
        assert_eq!(backoff.wait(), Duration::ZERO);
    }
}
