//! Texts for people.

use std::time::Duration;

use jiff::Timestamp;

pub(super) use crate::safe::safe;

/// A time as people read it: `2026-03-01, 266 d ago`, or with the hour where it is within a day.
pub(super) fn when(now: Timestamp, at: Timestamp) -> String {
    let seconds = at.duration_since(now).as_secs();
    let (span, ahead) = (seconds.unsigned_abs(), seconds > 0);
    let date = if span < DAY { at.strftime("%Y-%m-%d %H:%M UTC") } else { at.strftime("%Y-%m-%d") };
    let length = rough(Duration::from_secs(span));
    if ahead { format!("{date}, in {length}") } else { format!("{date}, {length} ago") }
}

const DAY: u64 = 86_400;

/// A length in its largest unit: `266 d`, `3 h`, `12 min`, `40 s`.
pub(super) fn rough(length: Duration) -> String {
    match length.as_secs() {
        seconds @ DAY.. => format!("{} d", seconds / DAY),
        seconds @ 3_600.. => format!("{} h", seconds / 3_600),
        seconds @ 60.. => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

/// `1 account`, `2 accounts`.
pub(super) fn count(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn times_are_read_as_dates_and_distances() {
        let now = mk_time("2026-11-22T12:00:00Z");
        assert_eq!(when(now, mk_time("2026-03-01T11:00:00Z")), "2026-03-01, 266 d ago");
        assert_eq!(when(now, mk_time("2026-12-01T12:00:00Z")), "2026-12-01, in 9 d");
        assert_eq!(when(now, mk_time("2026-11-22T09:30:00Z")), "2026-11-22 09:30 UTC, 2 h ago");
        assert_eq!(when(now, now), "2026-11-22 12:00 UTC, 0 s ago");
    }
}
