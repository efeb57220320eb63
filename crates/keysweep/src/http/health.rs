//! Whether the process works, and whether what it shows can be relied on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Sweeps that may fail in a row before the process is no longer ready. One or two failures are a bad moment of AWS.
const FAILURES: u32 = 3;

/// What the daemon knows of itself, for [`healthy`](Self::unhealthy) and [`ready`](Self::missing). Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Mutex<Signs>>);

#[derive(Debug, Default)]
struct Signs {
    beat: Option<Instant>,
    failures: u32,
    failure: Option<String>,
    store: Option<String>,
    draining: bool,
}

impl Health {
    /// How often the work loop is to [beat](Self::beat), while a sweep runs too.
    pub const BEAT: Duration = Duration::from_secs(10);

    /// Silence after which the process counts as stuck. Long: a machine may be busy, and a restart for nothing costs
    /// watched grace.
    pub const SILENCE: Duration = Duration::from_secs(300);

    /// Nothing is known yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The work loop moves, and what it does gets on. Until the first beat the process counts as starting.
    pub fn beat(&self, now: Instant) {
        self.signs().beat = Some(now);
    }

    /// A sweep came to its end, whatever it found.
    pub fn sweep_succeeded(&self) {
        let mut signs = self.signs();
        signs.failures = 0;
        signs.failure = None;
    }

    /// A sweep failed as a whole.
    pub fn sweep_failed(&self, why: impl Into<String>) {
        let mut signs = self.signs();
        signs.failures = signs.failures.saturating_add(1);
        signs.failure = Some(why.into());
    }

    /// The store takes no more entries: nothing can be changed until the process starts anew.
    pub fn store_failed(&self, why: impl Into<String>) {
        self.signs().store = Some(why.into());
    }

    /// The process was told to stop.
    pub fn draining(&self) {
        self.signs().draining = true;
    }

    /// Why the process does not work, if it does not: a restart is then the remedy.
    #[must_use]
    pub fn unhealthy(&self, now: Instant) -> Option<String> {
        let silence = now.saturating_duration_since(self.signs().beat?);
        (silence > Self::SILENCE).then(|| format!("the work loop has not moved for {} s", silence.as_secs()))
    }

    /// What is missing before what is shown can be relied on. `swept` tells whether any sweep ever came to its end,
    /// in this process or an earlier one.
    #[must_use]
    pub fn missing(&self, swept: bool) -> Vec<String> {
        self.signs_of_trouble(swept, FAILURES)
    }

    /// What is not as it should be: what is [missing](Self::missing), and a single sweep that failed.
    #[must_use]
    pub fn trouble(&self, swept: bool) -> Vec<String> {
        self.signs_of_trouble(swept, 1)
    }

    fn signs_of_trouble(&self, swept: bool, failures: u32) -> Vec<String> {
        let signs = self.signs();
        let mut missing = Vec::new();
        if signs.draining {
            missing.push("the process is stopping".to_owned());
        }
        if let Some(why) = &signs.store {
            missing.push(format!("the store takes no more entries: {why}"));
        }
        if !swept {
            missing.push("no sweep has come to its end yet".to_owned());
        }
        if let Some(why) = signs.failure.as_ref().filter(|_| signs.failures >= failures || !swept) {
            missing.push(format!("sweeps fail, {} in a row: {why}", times(signs.failures)));
        }
        missing
    }

    fn signs(&self) -> MutexGuard<'_, Signs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn times(count: u32) -> String {
    if count == 1 { "1 time".to_owned() } else { format!("{count} times") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_work_loop_that_stands_still_is_unhealthy_and_one_that_never_ran_is_starting() {
        let clock = crate::clock::Clock::system();
        let health = Health::new();
        let began = clock.instant();
        assert_eq!(health.unhealthy(began + Health::SILENCE * 2), None);
        health.beat(began);
        assert_eq!(health.unhealthy(began + Health::SILENCE), None);
        let why = health.unhealthy(began + Health::SILENCE + Duration::from_secs(1)).unwrap();
        assert_eq!(why, "the work loop has not moved for 301 s");
        health.beat(began + Health::SILENCE);
        assert_eq!(health.unhealthy(began + Health::SILENCE * 2), None);
    }

    #[test]
    fn one_failed_sweep_after_a_good_one_does_not_unready_and_three_do() {
        let health = Health::new();
        for _ in 0..2 {
            health.sweep_failed("list accounts: throttled");
            assert_eq!(health.missing(true), Vec::<String>::new());
            assert_eq!(health.trouble(true).len(), 1, "who looks is told at once");
        }
        health.sweep_failed("list accounts: throttled");
        assert_eq!(health.missing(true), ["sweeps fail, 3 times in a row: list accounts: throttled"]);
        health.sweep_succeeded();
        assert_eq!(health.trouble(true), Vec::<String>::new());
    }

    #[test]
    fn everything_that_is_missing_is_named_at_once() {
        let health = Health::new();
        health.store_failed("no space left on device");
        health.sweep_failed("no credentials");
        health.draining();
        let missing = health.missing(false);
        assert_eq!(missing.len(), 4, "{missing:?}");
    }
}
