//! Whether the process works, and whether what it shows can be relied on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::config::period::Period;
use crate::engine::Engine;

/// Sweeps that may fail in a row before the process is no longer ready. One or two failures are a bad moment of AWS.
const FAILURES: u32 = 3;

/// Intervals without a sweep that came to its end, after which what is shown is old: one that fails now and then is
/// tried again within minutes.
const INTERVALS: u32 = 3;

/// The last sweep that came to its end, in this process or an earlier one.
#[derive(Debug, Clone, Copy)]
pub struct LastSweep {
    /// Accounts that it scanned.
    pub scanned: u64,
    /// Accounts that failed.
    pub failed: u64,
    /// Accounts that it was not to scan.
    pub skipped: u64,
    /// Whether any account was ever scanned.
    pub scanned_before: bool,
    /// Keys that were findings, recorded or unknown.
    pub keys: u64,
    /// How many of them were unknown.
    pub unknown_keys: u64,
    /// How long ago it ended, in operational time.
    pub ago: Duration,
    /// How often sweeps begin, in operational time.
    pub interval: Duration,
}

impl LastSweep {
    /// By the records, if there ever was one.
    #[must_use]
    pub fn of(engine: &Engine) -> Option<Self> {
        let (clock, interval) = (engine.clock(), engine.config().scan.interval);
        let now = clock.now();
        engine.store().read(|state| {
            let sweep = state.control().last_sweep.as_ref()?;
            // A clock that was put back says nothing.
            let ago = Duration::try_from(now.duration_since(sweep.at)).unwrap_or_default();
            Some(Self {
                scanned: sweep.scanned,
                failed: sweep.failed,
                skipped: sweep.skipped,
                scanned_before: state.accounts().any(|(_, account)| account.last_success.is_some()),
                keys: sweep.keys,
                unknown_keys: sweep.unknown_keys,
                ago: clock.operational_span(ago),
                interval: clock.operational_span(interval),
            })
        })
    }
}

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
    /// When the next sweep begins at the latest, in policy time.
    next_sweep: Option<Timestamp>,
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

    /// A sweep begins at this time at the latest; `None` while one is under way.
    pub fn sweeps_at(&self, next: Option<Timestamp>) {
        self.signs().next_sweep = next;
    }

    /// When the next sweep begins at the latest, in policy time, if that is known.
    #[must_use]
    pub fn next_sweep(&self) -> Option<Timestamp> {
        self.signs().next_sweep
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

    /// What is missing before what is shown can be relied on.
    #[must_use]
    pub fn missing(&self, last: Option<LastSweep>) -> Vec<String> {
        self.signs_of_trouble(last, FAILURES, false)
    }

    /// What is not as it should be: what is [missing](Self::missing), and a single sweep that failed.
    #[must_use]
    pub fn trouble(&self, last: Option<LastSweep>) -> Vec<String> {
        self.signs_of_trouble(last, 1, true)
    }

    /// With `all`, what is as the configuration asks for and worth a look all the same is told, too.
    fn signs_of_trouble(&self, last: Option<LastSweep>, failures: u32, all: bool) -> Vec<String> {
        let signs = self.signs();
        let mut missing = Vec::new();
        if signs.draining {
            missing.push("the process is stopping".to_owned());
        }
        if let Some(why) = &signs.store {
            missing.push(format!("the store takes no more entries: {why}"));
        }
        match last {
            None => missing.push("no sweep has completed yet".to_owned()),
            Some(LastSweep { scanned: 0, failed: failed @ 1.., .. }) => {
                missing
                    .push(format!("none of {failed} accounts could be scanned; `keysweep doctor` shows why"));
            }
            Some(LastSweep { scanned: 0, skipped, scanned_before: true, .. }) => {
                missing.push(format!(
                    "all {skipped} accounts were skipped, and accounts were scanned before; `keysweep scan` says why"
                ));
            }
            Some(LastSweep { scanned: 0, skipped, .. }) if all => {
                missing.push(format!("all {skipped} accounts were skipped; `keysweep scan` says why"));
            }
            Some(LastSweep { keys: keys @ 1.., unknown_keys, .. }) if unknown_keys >= keys => {
                missing.push(format!(
                    "no facts about any of {keys} keys could be read; `keysweep scan` shows which and why"
                ));
            }
            Some(LastSweep { ago, interval, .. })
                if ago > interval.saturating_mul(INTERVALS) + Self::SILENCE =>
            {
                missing.push(format!(
                    "the last sweep ended {} ago and one is due every {}",
                    in_minutes(ago),
                    in_minutes(interval)
                ));
            }
            Some(_) => {}
        }
        if let Some(why) = signs.failure.as_ref().filter(|_| signs.failures >= failures || last.is_none()) {
            missing.push(format!("sweeps fail, {} in a row: {why}", times(signs.failures)));
        }
        missing
    }

    fn signs(&self) -> MutexGuard<'_, Signs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn in_minutes(span: Duration) -> Period {
    Period::from_secs(span.as_secs() / 60 * 60)
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

    fn mk_sweep() -> LastSweep {
        let hour = Duration::from_secs(3600);
        LastSweep {
            scanned: 3,
            failed: 1,
            skipped: 0,
            scanned_before: true,
            keys: 8,
            unknown_keys: 2,
            ago: hour,
            interval: hour * 6,
        }
    }

    #[test]
    fn one_failed_sweep_after_a_good_one_does_not_unready_and_three_do() {
        let health = Health::new();
        for _ in 0..2 {
            health.sweep_failed("list accounts: throttled");
            assert_eq!(health.missing(Some(mk_sweep())), Vec::<String>::new());
            assert_eq!(health.trouble(Some(mk_sweep())).len(), 1, "who looks is told at once");
        }
        health.sweep_failed("list accounts: throttled");
        assert_eq!(
            health.missing(Some(mk_sweep())),
            ["sweeps fail, 3 times in a row: list accounts: throttled"]
        );
        health.sweep_succeeded();
        assert_eq!(health.trouble(Some(mk_sweep())), Vec::<String>::new());
    }

    #[test]
    fn everything_that_is_missing_is_named_at_once() {
        let health = Health::new();
        health.store_failed("no space left on device");
        health.sweep_failed("no credentials");
        health.draining();
        let missing = health.missing(None);
        assert_eq!(missing.len(), 4, "{missing:?}");
    }

    #[test]
    fn a_sweep_that_saw_no_account_and_one_that_is_long_ago_leave_nothing_to_rely_on() {
        let health = Health::new();
        let blind = LastSweep { scanned: 0, failed: 40, ..mk_sweep() };
        let told = ["none of 40 accounts could be scanned; `keysweep doctor` shows why"];
        assert_eq!(health.missing(Some(blind)), told);
        // A configuration that has left every account out from the beginning asks for it.
        let none =
            LastSweep { scanned: 0, failed: 0, skipped: 16, scanned_before: false, keys: 0, ..mk_sweep() };
        assert_eq!(health.missing(Some(none)), [""; 0]);
        assert_eq!(health.trouble(Some(none)), ["all 16 accounts were skipped; `keysweep scan` says why"]);
        let suddenly = LastSweep { scanned_before: true, ..none };
        let told =
            ["all 16 accounts were skipped, and accounts were scanned before; `keysweep scan` says why"];
        assert_eq!(health.missing(Some(suddenly)), told);
        let undecided = LastSweep { unknown_keys: 8, ..mk_sweep() };
        let told = ["no facts about any of 8 keys could be read; `keysweep scan` shows which and why"];
        assert_eq!(health.missing(Some(undecided)), told);
        let limit = Duration::from_secs(18 * 3600) + Health::SILENCE;
        assert_eq!(health.missing(Some(LastSweep { ago: limit, ..mk_sweep() })), [""; 0]);
        let old = LastSweep { ago: Duration::from_secs(20 * 3600), ..mk_sweep() };
        assert_eq!(health.missing(Some(old)), ["the last sweep ended 20h ago and one is due every 6h"]);
    }
}
