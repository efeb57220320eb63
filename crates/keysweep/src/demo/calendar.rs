//! Days of the demo, which its people count from the start.

use jiff::{SignedDuration, Timestamp};

/// Policy time of the demo: when it began, and how fast it runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Calendar {
    began: Timestamp,
    days_a_minute: u32,
}

impl Calendar {
    pub(super) fn new(began: Timestamp, days_a_minute: u32) -> Self {
        Self { began, days_a_minute }
    }

    /// How many times as fast as operational time.
    pub(super) fn factor(self) -> f64 {
        f64::from(self.days_a_minute) * 24.0 * 60.0
    }

    /// The speed, in words.
    pub(super) fn speed(self) -> String {
        let seconds = (60.0 / f64::from(self.days_a_minute) * 10.0).round() / 10.0;
        format!("a day passes every {seconds} s")
    }

    /// The day of an instant: whole days since the start, which is in day 0.
    pub(super) fn day(self, at: Timestamp) -> i64 {
        days(at.duration_since(self.began))
    }
}

/// Whole days of a length.
pub(super) fn days(length: SignedDuration) -> i64 {
    length.as_hours() / 24
}

/// The date of an instant, in UTC.
pub(super) fn date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_from_the_start() {
        let calendar = Calendar::new("2026-01-01T12:00:00Z".parse().unwrap(), 30);
        assert_eq!(calendar.day("2026-01-02T11:59:59Z".parse().unwrap()), 0);
        assert_eq!(calendar.day("2026-01-02T12:00:00Z".parse().unwrap()), 1);
        assert_eq!(calendar.speed(), "a day passes every 2 s");
        assert_eq!(Calendar::new(Timestamp::UNIX_EPOCH, 50).speed(), "a day passes every 1.2 s");
    }
}
