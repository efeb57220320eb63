//! When something is to end.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::civil::Date;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

const DAY: u64 = 86_400;

/// The most days that can be asked for: a year.
const MOST_DAYS: u64 = 366;

/// When something is to end: a date, whose day is included, or a number of days. Written `2027-03-01` or `90d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Until {
    /// After this day, in the time zone of `[policy]`.
    Day(Date),
    /// After so many days of 24 hours: 1 to 366.
    Days(u64),
}

impl Until {
    /// The length, unless a day is named.
    #[must_use]
    pub fn length(self) -> Option<Duration> {
        match self {
            Self::Day(_) => None,
            Self::Days(days) => Some(Duration::from_secs(days.saturating_mul(DAY))),
        }
    }
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day(day) => write!(f, "{day}"),
            Self::Days(days) => write!(f, "{days}d"),
        }
    }
}

impl From<Until> for String {
    fn from(until: Until) -> Self {
        until.to_string()
    }
}

impl TryFrom<String> for Until {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl FromStr for Until {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let digits = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let days = text.strip_suffix('d').filter(digits).and_then(|days| days.parse().ok());
        let days = days.filter(|days| (1..=MOST_DAYS).contains(days)).map(Self::Days);
        // jiff reads more forms than this one.
        let day = || text.parse().ok().filter(|day: &Date| day.to_string() == text).map(Self::Day);
        days.or_else(day).ok_or_else(|| {
            format!("expected a date such as 2027-03-01, or 1d to {MOST_DAYS}d, and found {text:?}")
        })
    }
}

impl JsonSchema for Until {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Until".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" },
            { "type": "string", "pattern": "^([1-9]|[1-9][0-9]|[12][0-9]{2}|3[0-5][0-9]|36[0-6])d$" },
        ] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_and_a_number_of_days_are_read_as_they_are_written() {
        for text in ["2027-03-01", "1d", "90d", "366d"] {
            let until: Until = text.parse().unwrap();
            assert_eq!(until.to_string(), text);
            let json = serde_json::to_string(&until).unwrap();
            assert_eq!(serde_json::from_str::<Until>(&json).unwrap(), until);
        }
        assert_eq!("90d".parse::<Until>().unwrap().length(), Some(Duration::from_secs(90 * DAY)));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "d",
            "0d",
            "367d",
            "-1d",
            "+5d",
            "1y",
            "12h",
            "2027-02-30",
            "2027-3-1",
            "20270301",
            "P3D",
            "2027-03-01T00:00:00Z",
            "tomorrow",
        ] {
            let refused = text.parse::<Until>().unwrap_err();
            assert!(refused.contains("such as 2027-03-01"), "{text}: {refused}");
        }
    }
}
