//! Whether a sweep gets on. One that waits for what never comes looks as busy as one that waits for AWS: only what has
//! been done tells them apart.

use std::time::Duration;

use crate::health::Health;

/// How long a sweep may bring nothing to an end, on top of the longest call. Ten times as long as its longest pause,
/// the half minute between two questions for a report: a restart for nothing costs watched grace.
const PATIENCE: Duration = Duration::from_secs(600);

/// Looks at what a sweep has done so far.
#[derive(Debug)]
pub(super) struct Watch {
    done: u64,
    idle: u32,
    allowed: u32,
}

impl Watch {
    /// A sweep whose calls may last this long.
    pub(super) fn new(operation_timeout: Duration) -> Self {
        let looks = PATIENCE.saturating_add(operation_timeout).as_secs() / Health::BEAT.as_secs();
        Self { done: 0, idle: 0, allowed: u32::try_from(looks).unwrap_or(u32::MAX) }
    }

    /// One look, [`Health::BEAT`] after the last. `done` counts what all work has brought to an end: calls to AWS, and
    /// entries of the journal.
    ///
    /// Looks are counted and not time: a machine that stood still for an hour has had no chance to get on.
    pub(super) fn gets_on(&mut self, done: u64) -> bool {
        self.idle = if done == self.done { self.idle.saturating_add(1) } else { 0 };
        self.done = done;
        self.idle <= self.allowed
    }

    /// Whether this look was the first that was one too many.
    pub(super) fn just_stopped(&self) -> bool {
        self.idle == self.allowed.saturating_add(1)
    }

    /// How long nothing has come to an end.
    pub(super) fn silence(&self) -> Duration {
        Health::BEAT.saturating_mul(self.idle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Duration = Duration::from_secs(30);

    #[test]
    fn a_sweep_without_anything_done_for_ten_minutes_and_a_call_stands_still() {
        let mut watch = Watch::new(CALL);
        assert!(watch.gets_on(7));
        assert!((0..63).all(|_| watch.gets_on(7) && !watch.just_stopped()));
        assert!(!watch.gets_on(7) && watch.just_stopped());
        assert_eq!(watch.silence(), Duration::from_secs(640));
        assert!(!watch.gets_on(7) && !watch.just_stopped(), "it is told once");
        assert!(watch.gets_on(8), "and taken back when it goes on after all");
    }

    #[test]
    fn a_slow_sweep_gets_on_for_days() {
        let mut watch = Watch::new(CALL);
        assert!((0..20_000).all(|look| watch.gets_on(look / 60)));
    }

    #[test]
    fn calls_that_may_last_long_are_waited_for() {
        let mut watch = Watch::new(Duration::from_secs(3600));
        assert!((0..420).all(|_| watch.gets_on(0)));
        assert!(!watch.gets_on(0));
    }
}
