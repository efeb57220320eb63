//! Durations as people write them: `90d`, `12h`, `1h30m`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::fmt::friendly::{Designator, Spacing, SpanPrinter};
use jiff::{SignedDuration, Span, SpanRelativeTo, SpanRound, Unit};
use serde::de::{Error as _, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest period: a hundred years, so that adding one to any date of today stays within the calendar.
const MAX: Duration = Duration::from_secs(36_500 * 86_400);

/// A length of time, not negative and at most 36,500 days. A day is 24 hours and a week seven days.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(Duration);

/// A [`Period`], or `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PeriodOrOff {
    /// Switched off.
    Off,
    /// This long.
    After(Period),
}

/// A text that is no [`Period`]. The message says what would have been one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParsePeriodError {
    /// Nothing that reads as a duration.
    #[error("a duration such as \"90d\", \"12h\", \"30s\" or \"1h30m\"")]
    NotADuration,
    /// It has months or years.
    #[error("a duration in weeks, days, hours, minutes and seconds: months and years differ in length")]
    Calendar,
    /// It is below zero.
    #[error("a duration that is not negative")]
    Negative,
    /// It is above the longest period.
    #[error("a duration of at most 36500d")]
    TooLong,
}

impl Period {
    /// A period of so many seconds, cut at the longest.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        if seconds > MAX.as_secs() { Self(MAX) } else { Self(Duration::from_secs(seconds)) }
    }

    /// A period of so many days.
    #[must_use]
    pub const fn days(days: u32) -> Self {
        Self::from_secs(days as u64 * 86_400)
    }

    /// A period of so many hours.
    #[must_use]
    pub const fn hours(hours: u32) -> Self {
        Self::from_secs(hours as u64 * 3_600)
    }

    /// The same as a [`Duration`].
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl PeriodOrOff {
    /// The period, if there is one.
    #[must_use]
    pub const fn get(self) -> Option<Duration> {
        match self {
            Self::Off => None,
            Self::After(period) => Some(period.get()),
        }
    }
}

impl From<Duration> for Period {
    /// Cut at the longest period.
    fn from(duration: Duration) -> Self {
        Self(duration.min(MAX))
    }
}

impl FromStr for Period {
    type Err = ParsePeriodError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let span: Span = text.trim().parse().map_err(|_| ParsePeriodError::NotADuration)?;
        if span.get_years() != 0 || span.get_months() != 0 {
            return Err(ParsePeriodError::Calendar);
        }
        let exact: SignedDuration =
            span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| ParsePeriodError::TooLong)?;
        let period = Duration::try_from(exact).map_err(|_| ParsePeriodError::Negative)?;
        if period > MAX { Err(ParsePeriodError::TooLong) } else { Ok(Self(period)) }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let balance = SpanRound::new().largest(Unit::Day).days_are_24_hours();
        let span = Span::try_from(self.0).and_then(|span| span.round(balance)).unwrap_or_default();
        let printer = SpanPrinter::new().spacing(Spacing::None).designator(Designator::Compact);
        f.write_str(&printer.span_to_string(&span))
    }
}

impl fmt::Debug for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error: ParsePeriodError| {
            D::Error::invalid_value(Unexpected::Str(&text), &error.to_string().as_str())
        })
    }
}

impl schemars::JsonSchema for Period {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Period".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "examples": ["90d", "12h", "30s", "1h30m"] })
    }
}

impl fmt::Display for PeriodOrOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::After(period) => period.fmt(f),
        }
    }
}

impl Serialize for PeriodOrOff {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PeriodOrOff {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "off" {
            return Ok(Self::Off);
        }
        text.parse().map(Self::After).map_err(|error: ParsePeriodError| {
            D::Error::invalid_value(Unexpected::Str(&text), &format!("\"off\" or {error}").as_str())
        })
    }
}

impl schemars::JsonSchema for PeriodOrOff {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PeriodOrOff".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "examples": ["off", "90d"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_24_hours_and_a_week_seven_days() {
        assert_eq!("90d".parse(), Ok(Period::days(90)));
        assert_eq!("2w".parse(), Ok(Period::days(14)));
        assert_eq!("1h30m".parse(), Ok(Period::from_secs(5_400)));
        assert_eq!("2 days, 12 hours".parse(), Ok(Period::hours(60)));
        assert_eq!("0s".parse(), Ok(Period::from_secs(0)));
    }

    #[test]
    fn months_and_years_are_refused_because_their_length_differs() {
        for text in ["1mo", "1y", "P1Y"] {
            assert_eq!(text.parse::<Period>(), Err(ParsePeriodError::Calendar), "{text}");
        }
    }

    #[test]
    fn what_is_no_period_says_why() {
        assert_eq!("-3d".parse::<Period>(), Err(ParsePeriodError::Negative));
        assert_eq!("3d ago".parse::<Period>(), Err(ParsePeriodError::Negative));
        assert_eq!("36501d".parse::<Period>(), Err(ParsePeriodError::TooLong));
        for text in ["", "90", "fortnight", "d", "off", "999999999999999999999d"] {
            assert_eq!(text.parse::<Period>(), Err(ParsePeriodError::NotADuration), "{text}");
        }
    }

    #[test]
    fn a_period_is_written_as_it_is_read() {
        for text in ["90d", "12h", "30s", "1h30m", "1d12h", "0s", "36500d", "250ms"] {
            assert_eq!(text.parse::<Period>().unwrap().to_string(), text);
        }
    }
}
