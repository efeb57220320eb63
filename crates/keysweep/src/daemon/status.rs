//! What the daemon is doing, in the one line that `systemctl status` shows.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use keysweep_core::policy::Mode;
use keysweep_core::state::SweepSummary;
use keysweep_core::words::brief;

use super::strongest_mode;
use crate::engine::Engine;
use crate::health::{Health, LastSweep};

/// What the work loop is doing. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Activity(Arc<Mutex<Now>>);

#[derive(Debug, Clone, Copy, Default)]
struct Now {
    doing: Doing,
    /// The file holds another configuration than the one in force, and it was refused.
    reload_failed: bool,
}

/// What the work loop is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Doing {
    /// Nothing yet.
    #[default]
    Starting,
    /// A sweep, since then.
    Sweeping(Timestamp),
    /// It waits for the next sweep, which is then at the latest.
    Waiting(Timestamp),
}

impl Activity {
    pub(super) fn set(&self, doing: Doing) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).doing = doing;
    }

    pub(super) fn reloaded(&self, ok: bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).reload_failed = !ok;
    }

    fn now(&self) -> Now {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The line, such as `observe; next sweep at 2026-11-22 17:00 UTC; last sweep at ...: 30 scanned, ...`.
pub(super) fn status(engine: &Engine, health: &Health, activity: &Activity) -> String {
    let time = engine.clock().now();
    let config = engine.config();
    let (stops, parked, last) = engine.store().read(|state| {
        let control = state.control();
        (brief(control.stops(&config.policy)), control.all_parked(time).count(), control.last_sweep.clone())
    });
    let trouble = health.trouble(LastSweep::of(engine));
    Standing { mode: strongest_mode(&config), stops, parked, now: activity.now(), last, trouble }.words()
}

struct Standing {
    mode: Mode,
    stops: Vec<String>,
    parked: usize,
    now: Now,
    last: Option<SweepSummary>,
    trouble: Vec<String>,
}

impl Standing {
    fn words(&self) -> String {
        let Self { mode, stops, parked, now, last, trouble } = self;
        let mut words = mode.as_str().to_owned();
        for stop in stops {
            words.push_str(&format!(", {stop}"));
        }
        match parked {
            0 => {}
            1 => words.push_str(", 1 account parked"),
            n => words.push_str(&format!(", {n} accounts parked")),
        }
        match now.doing {
            Doing::Starting => {}
            Doing::Sweeping(since) => words.push_str(&format!("; sweeping since {}", at(since))),
            Doing::Waiting(until) => words.push_str(&format!("; next sweep at {}", at(until))),
        }
        if let Some(last) = last {
            words.push_str(&format!(
                "; last sweep at {}: {} scanned, {} failed, {} skipped",
                at(last.at),
                last.scanned,
                last.failed,
                last.skipped
            ));
        }
        if now.reload_failed {
            words.push_str("; configuration not reloaded, the previous one stays in effect: see the log");
        }
        // Last, since it may be long and the line is cut.
        for trouble in trouble {
            words.push_str(&format!("; {trouble}"));
        }
        words
    }
}

fn at(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn mk_time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn mk_standing() -> Standing {
        Standing {
            mode: Mode::Observe,
            stops: Vec::new(),
            parked: 0,
            now: Now::default(),
            last: None,
            trouble: Vec::new(),
        }
    }

    #[test]
    fn the_line_tells_mode_next_sweep_and_last_sweep() {
        let last = SweepSummary {
            at: mk_time("2026-11-22T11:00:12Z"),
            took: Duration::from_secs(12),
            scanned: 30,
            failed: 1,
            skipped: 2,
            keys: 0,
            unknown_keys: 0,
        };
        let activity = Activity::default();
        activity.set(Doing::Waiting(mk_time("2026-11-22T17:00:00Z")));
        let standing = Standing { last: Some(last), now: activity.now(), ..mk_standing() };
        assert_eq!(
            standing.words(),
            "observe; next sweep at 2026-11-22 17:00 UTC; last sweep at 2026-11-22 11:00 UTC: 30 scanned, 1 failed, 2 \
             skipped"
        );
    }

    #[test]
    fn the_line_tells_what_restrains_and_what_is_wrong() {
        let activity = Activity::default();
        activity.set(Doing::Sweeping(mk_time("2026-11-22T17:00:00Z")));
        activity.reloaded(false);
        let standing = Standing {
            mode: Mode::Delete,
            stops: vec!["paused 2 times".into(), "circuit breaker open".into()],
            parked: 1,
            now: activity.now(),
            trouble: vec!["sweeps fail, 3 times in a row: no credentials".into()],
            ..mk_standing()
        };
        assert_eq!(
            standing.words(),
            "delete, paused 2 times, circuit breaker open, 1 account parked; sweeping since 2026-11-22 17:00 UTC; configuration not reloaded, \
             the previous one stays in effect: see the log; sweeps fail, 3 times in a row: no credentials"
        );
        activity.reloaded(true);
        assert!(!activity.now().reload_failed);
    }
}
