//! When changes may start: days and hours in a time zone.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};

/// How far ahead changes of the clocks are looked for.
const SEARCHED: SignedDuration = SignedDuration::from_hours(15 * 24);

/// From one time of day to another; the end is not included. May cross midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    from: Time,
    to: Time,
}

/// A text that is not `HH:MM-HH:MM`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected two different times such as \"09:00-16:00\"")]
pub struct ParseHoursError;

impl FromStr for Hours {
    type Err = ParseHoursError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (from, to) = text.split_once('-').ok_or(ParseHoursError)?;
        let time = |t: &str| Time::strptime("%H:%M", t.trim()).map_err(|_| ParseHoursError);
        let (from, to) = (time(from)?, time(to)?);
        if from == to { Err(ParseHoursError) } else { Ok(Self { from, to }) }
    }
}

impl Hours {
    /// From the first time of day to the other, which may be on the next day.
    #[must_use]
    pub fn length(self) -> Duration {
        let seconds = |time: Time| i64::from(time.hour()) * 3_600 + i64::from(time.minute()) * 60;
        let length = (seconds(self.to) - seconds(self.from)).rem_euclid(86_400);
        Duration::from_secs(length.unsigned_abs())
    }

    /// The hours of the day that are not among these.
    #[must_use]
    pub fn rest(self) -> Self {
        Self { from: self.to, to: self.from }
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.from.strftime("%H:%M"), self.to.strftime("%H:%M"))
    }
}

/// When changes may start. No days means every day, no hours means all day.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// Days on which it opens; empty for every day.
    pub days: BTreeSet<DayOfWeek>,
    /// Hours of those days. Hours that cross midnight belong to the day on which they begin.
    pub hours: Option<Hours>,
    /// Time zone of both.
    pub time_zone: TimeZone,
}

/// A weekday with an order, Monday first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DayOfWeek(i8);

impl From<Weekday> for DayOfWeek {
    fn from(day: Weekday) -> Self {
        Self(day.to_monday_zero_offset())
    }
}

impl fmt::Display for DayOfWeek {
    /// As the configuration writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        f.write_str(usize::try_from(self.0).ok().and_then(|day| NAMES.get(day)).unwrap_or(&"?"))
    }
}

impl Window {
    /// A window that is always open.
    #[must_use]
    pub fn always() -> Self {
        Self { days: BTreeSet::new(), hours: None, time_zone: TimeZone::UTC }
    }

    /// Whether changes may start now.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        let local = now.to_zoned(self.time_zone.clone());
        let today = self.opens_on(&local);
        let Some(Hours { from, to }) = self.hours else { return today };
        let time = local.time();
        if from < to {
            today && from <= time && time < to
        } else {
            let began_yesterday = local.yesterday().is_ok_and(|day| self.opens_on(&day));
            (today && from <= time) || (began_yesterday && time < to)
        }
    }

    /// The next instant after `now` at which the window opens; `None` if it is always open.
    ///
    /// It is the first instant at which [`is_open`](Self::is_open) turns true, whatever the clocks of the zone do that
    /// day: hours that a change of the clocks skips open when it is over, hours that it repeats open twice.
    #[must_use]
    pub fn next_opening(&self, now: Timestamp) -> Option<Timestamp> {
        if self.days.is_empty() && self.hours.is_none() {
            return None;
        }
        let from = self.hours.map_or(Time::midnight(), |hours| hours.from);
        let today = now.to_zoned(self.time_zone.clone()).date();
        // Two weeks reach the same weekday again even where a change of the clocks skips one opening.
        let days = (0..=15).filter_map(|ahead: i64| today.checked_add(ahead.days()).ok());
        let regular = days.flat_map(|day| {
            let opening = || self.time_zone.to_ambiguous_timestamp(day.to_datetime(from));
            [opening().earlier(), opening().later()].into_iter().flatten()
        });
        let horizon = now.checked_add(SEARCHED).unwrap_or(Timestamp::MAX);
        let shifts = self.time_zone.following(now).map(|shift| shift.timestamp());
        let shifts = shifts.take_while(|at| *at <= horizon);
        regular.chain(shifts).filter(|at| *at > now && self.opens_at(*at)).min()
    }

    fn opens_at(&self, at: Timestamp) -> bool {
        let before = at.checked_sub(SignedDuration::from_nanos(1));
        self.is_open(at) && before.is_ok_and(|before| !self.is_open(before))
    }

    fn opens_on(&self, day: &Zoned) -> bool {
        self.days.is_empty() || self.days.contains(&day.weekday().into())
    }
}
