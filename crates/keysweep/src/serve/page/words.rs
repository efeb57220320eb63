//! Numbers and times as people read them.

use std::time::Duration;

use jiff::Timestamp;

/// A number with its thousands apart: `12 345`.
pub(super) fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// An instant to the minute.
pub(super) fn instant(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// An instant with its distance: `2026-11-22 02:30 UTC (3 days ago)`.
pub(super) fn moment(now: Timestamp, at: Timestamp) -> String {
    if at.as_second() == now.as_second() {
        return format!("{} (just now)", instant(at));
    }
    let distance = span(at.duration_since(now).unsigned_abs());
    let relative = if at > now { format!("in {distance}") } else { format!("{distance} ago") };
    format!("{} ({relative})", instant(at))
}

/// A span in the largest unit that fits twice: `36 hours`, `2 days`.
pub(super) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let (count, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

/// An instant in the parts that a page lays out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct When {
    /// For programs.
    pub(super) iso: String,
    /// To the minute.
    pub(super) exact: String,
    /// How far away it is.
    pub(super) distance: String,
}

/// An instant as the page shows it.
pub(super) fn when(now: Timestamp, at: Timestamp) -> When {
    let distance = span(at.duration_since(now).unsigned_abs());
    When {
        iso: at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        exact: instant(at),
        distance: if at.as_second() == now.as_second() {
            "just now".to_owned()
        } else if at > now {
            format!("in {distance}")
        } else {
            format!("{distance} ago")
        },
    }
}

/// A label of the histogram of idle times in words: `90-180d` as `90–180 days`.
pub(super) fn days(label: &str) -> String {
    let days = label.trim_end_matches('d');
    match days.strip_suffix("d-") {
        Some(from) => format!("{from} days and more"),
        None => format!("{} days", days.replace('-', "\u{2013}")),
    }
}

/// A name of an enumeration in words: `never_used` as `never used`.
pub(super) fn spaced(name: &str) -> String {
    name.replace('_', " ")
}

/// A count and its noun: `1 key`, `2 keys`.
pub(super) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(count), if count == 1 { one } else { many })
}

/// The first letter as a capital.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_form_for_programs_and_two_for_people() {
        let now: Timestamp = "2026-11-22T02:30:10.5Z".parse().unwrap();
        let at = when(now, "2026-11-24T02:30:10Z".parse().unwrap());
        assert_eq!(
            (at.iso.as_str(), at.exact.as_str(), at.distance.as_str()),
            ("2026-11-24T02:30:10Z", "2026-11-24 02:30 UTC", "in 47 hours")
        );
        assert_eq!(when(now, now).distance, "just now");
    }

    #[test]
    fn one_key_is_not_keys() {
        assert_eq!([0, 1, 2].map(|n| counted(n, "key", "keys")), ["0 keys", "1 key", "2 keys"]);
        assert_eq!((capital("é x").as_str(), capital("").as_str()), ("É x", ""));
    }

    #[test]
    fn a_number_is_grouped_by_thousands() {
        let texts = [0, 999, 1_000, 12_345, 1_000_000].map(number);
        assert_eq!(
            texts,
            ["0", "999", "1\u{202f}000", "12\u{202f}345", "1\u{202f}000\u{202f}000"].map(ToOwned::to_owned)
        );
    }

    #[test]
    fn a_moment_says_how_far_away_it_is() {
        let now: Timestamp = "2026-11-22T02:30:10Z".parse().unwrap();
        let at = |text: &str| moment(now, text.parse().unwrap());
        assert_eq!(at("2026-11-22T02:30:09Z"), "2026-11-22 02:30 UTC (1 second ago)");
        assert_eq!(at("2026-11-22T02:30:10Z"), "2026-11-22 02:30 UTC (just now)");
        assert_eq!(at("2026-11-22T01:00:10Z"), "2026-11-22 01:00 UTC (90 minutes ago)");
        assert_eq!(at("2026-11-24T02:30:09Z"), "2026-11-24 02:30 UTC (in 47 hours)");
        assert_eq!(at("2026-11-25T02:30:10Z"), "2026-11-25 02:30 UTC (in 3 days)");
    }
}
