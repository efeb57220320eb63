//! The one place where clocks are read.
//!
//! A clock has three hands. *Policy time* is what thresholds, notice and grace are measured in; the demo speeds it
//! up and tests move it. *Monotonic time* measures spans that must not lie; it runs as fast as policy time.
//! *Operational time* is what timeouts, sessions and AWS's own clock are measured in; it is never scaled.
#![allow(clippy::disallowed_methods)]

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use keysweep_core::lifecycle::Sighting;
use tokio::time::Instant;

/// The clock handed down from the daemon. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Hands>);

#[derive(Debug)]
struct Hands {
    /// Names this process among all that ever looked.
    run: u64,
    started: Instant,
    policy: Policy,
}

#[derive(Debug)]
enum Policy {
    /// The wall clock of the machine.
    Wall,
    /// Begins at an instant and runs as many times as fast as tokio's clock, which tests pause.
    Scaled { from: Timestamp, factor: f64 },
    /// What somebody else says it is.
    Told(Wall),
}

/// Says what time it is.
#[derive(Clone)]
struct Wall(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl fmt::Debug for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wall")
    }
}

impl Clock {
    /// The clocks of the machine.
    #[must_use]
    pub fn system() -> Self {
        Self::new(Policy::Wall)
    }

    /// Policy time that begins at `from` and runs `factor` times as fast as operational time, which begins there too.
    #[must_use]
    pub fn scaled(from: Timestamp, factor: f64) -> Self {
        Self::new(Policy::Scaled { from, factor })
    }

    /// A wall clock that `wall` tells, and that may jump, beside a monotonic clock that does not. `run` names this
    /// process among all that ever look.
    #[must_use]
    pub fn told(run: u64, wall: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(Hands { run, started: Instant::now(), policy: Policy::Told(Wall(Arc::new(wall))) }))
    }

    fn new(policy: Policy) -> Self {
        // Nanoseconds since 1970 fit into 64 bits until 2554, and no two processes of one data_dir start in the same.
        let run = u64::try_from(Timestamp::now().as_nanosecond()).unwrap_or_default();
        Self(Arc::new(Hands { run, started: Instant::now(), policy }))
    }

    /// Policy time, in whole milliseconds: people read it, in reasons and in the journal.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let now = match &self.0.policy {
            Policy::Wall => Timestamp::now(),
            Policy::Told(wall) => wall.0(),
            Policy::Scaled { from, factor } => later(*from, self.0.started.elapsed().mul_f64(*factor)),
        };
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }

    /// Operational wall time: what AWS's clock is compared with, and what sessions expire by.
    #[must_use]
    pub fn operational(&self) -> Timestamp {
        match &self.0.policy {
            Policy::Wall => Timestamp::now(),
            Policy::Told(wall) => wall.0(),
            Policy::Scaled { from, .. } => later(*from, self.0.started.elapsed()),
        }
    }

    /// Monotonic time since the process started, as fast as policy time.
    #[must_use]
    pub fn monotonic(&self) -> Duration {
        match &self.0.policy {
            Policy::Wall | Policy::Told(_) => self.0.started.elapsed(),
            Policy::Scaled { factor, .. } => self.0.started.elapsed().mul_f64(*factor),
        }
    }

    /// Names this process among all that ever looked.
    #[must_use]
    pub fn run(&self) -> u64 {
        self.0.run
    }

    /// A look at AWS that happens now.
    #[must_use]
    pub fn sighting(&self, interval: Duration) -> Sighting {
        Sighting { at: self.now(), run: self.0.run, monotonic: self.monotonic(), interval }
    }

    /// How long to wait, in operational time, for a span of policy time to pass.
    #[must_use]
    pub fn operational_span(&self, span: Duration) -> Duration {
        match &self.0.policy {
            Policy::Wall | Policy::Told(_) => span,
            Policy::Scaled { factor, .. } => span.div_f64(*factor),
        }
    }

    /// When so much operational time will have passed, in policy time.
    #[must_use]
    pub fn after(&self, span: Duration) -> Timestamp {
        let span = match &self.0.policy {
            Policy::Wall | Policy::Told(_) => span,
            Policy::Scaled { factor, .. } => span.mul_f64(*factor),
        };
        later(self.now(), span)
    }

    /// Operational time since an instant of it.
    #[must_use]
    pub fn elapsed_since(&self, start: Instant) -> Duration {
        start.elapsed()
    }

    /// An instant of operational time, for measuring how long something takes.
    #[must_use]
    pub fn instant(&self) -> Instant {
        Instant::now()
    }
}

fn later(from: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| from.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn policy_time_runs_faster_and_operational_time_does_not() {
        let from: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let clock = Clock::scaled(from, 86_400.0);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(clock.now(), "2026-01-03T00:00:00Z".parse().unwrap());
        assert_eq!(clock.operational(), "2026-01-01T00:00:02Z".parse().unwrap());
        assert_eq!(clock.operational_span(Duration::from_secs(86_400)), Duration::from_secs(1));
    }

    #[test]
    fn policy_time_has_whole_milliseconds() {
        let wall: Timestamp = "2026-01-01T00:00:00.123987654Z".parse().unwrap();
        assert_eq!(Clock::told(1, move || wall).now(), "2026-01-01T00:00:00.123Z".parse().unwrap());
    }
}
