//! Dates and times as a reader in one time zone writes them.

use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

/// A reader's clock: dates are shown in its time zone, and the past is counted from `now`.
pub(super) struct Clock<'a> {
    pub(super) now: Timestamp,
    pub(super) zone: &'a TimeZone,
}

impl Clock<'_> {
    /// `Mon 7 Dec 2026, 09:00 CET`.
    pub(super) fn time(&self, at: Timestamp) -> String {
        self.format("%a %-d %b %Y, %H:%M %Z", at)
    }

    /// `7 Dec 2026`.
    pub(super) fn date(&self, at: Timestamp) -> String {
        self.format("%-d %b %Y", at)
    }

    /// `14 Mar 2026 (261 days ago)`.
    pub(super) fn past(&self, at: Timestamp) -> String {
        let date = self.date(at);
        match self.now.duration_since(at).as_hours() / 24 {
            ..=0 => date,
            1 => format!("{date} (1 day ago)"),
            days => format!("{date} ({days} days ago)"),
        }
    }

    /// The name of the time zone.
    pub(super) fn zone(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    fn format(&self, format: &str, at: Timestamp) -> String {
        // Every directive of ours has a value for every time.
        strtime::format(format, &at.to_zoned(self.zone.clone())).unwrap_or_else(|_| at.to_string())
    }
}
