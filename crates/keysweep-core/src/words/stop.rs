//! What stops every automatic change, and what makes it trip.

use std::fmt;

use crate::references::Reference;
use crate::state::{Park, ParkReason, Pause, Stop, TripReason};

impl fmt::Display for Stop<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paused(pause) => pause.fmt(f),
            Self::Breaker(trip) => f.write_str(&breaker_open(&trip.reason)),
            Self::Reference(missing) => f.write_str(&does_not_exist(&missing.reference)),
        }
    }
}

/// Says that the breaker is open, and why.
#[must_use]
pub fn breaker_open(reason: impl fmt::Display) -> String {
    format!("the circuit breaker is open: {reason}")
}

/// Says that what a rule names does not exist, and what to do about it.
pub(super) fn does_not_exist(reference: &Reference) -> String {
    format!(
        "{reference} does not exist: `keysweep rules list` shows each; correct the rule, or acknowledge it with \
         `keysweep rules acknowledge`"
    )
}

/// A stop in two words, for a heading.
#[must_use]
pub fn title(stop: Stop<'_>) -> &'static str {
    match stop {
        Stop::Paused(_) => "Paused",
        Stop::Breaker(_) => "Circuit breaker open",
        Stop::Reference(_) => "Rule without effect",
    }
}

/// Why it stops, under its [`title`].
#[must_use]
pub fn why(stop: Stop<'_>) -> String {
    match stop {
        Stop::Paused(Pause { by, reason, .. }) => format!("by {by}: {reason}"),
        Stop::Breaker(trip) => trip.reason.to_string(),
        Stop::Reference(missing) => format!("{} does not exist", missing.reference),
    }
}

/// The command that lifts it, or that shows how.
#[must_use]
pub fn remedy(stop: Stop<'_>) -> String {
    match stop {
        Stop::Paused(Pause { number, .. }) => format!("keysweep resume {number} --reason TEXT"),
        Stop::Breaker(_) => "keysweep breaker show".to_owned(),
        Stop::Reference(_) => "keysweep rules list".to_owned(),
    }
}

/// What a stop means, how it is lifted, and why it is there.
#[must_use]
pub fn until_lifted(stop: Stop<'_>) -> String {
    match stop {
        Stop::Paused(pause @ Pause { by, reason, .. }) => {
            format!("{} (by {by}): {reason}", until_resumed(pause.number))
        }
        Stop::Breaker(trip) => {
            let what = "no automatic change starts until it is reset";
            breaker_open(format!("{what} (see `{}`): {}", remedy(stop), trip.reason))
        }
        Stop::Reference(_) => format!("no automatic change starts: {stop}"),
    }
}

/// What a pause means, by its number.
#[must_use]
pub fn until_resumed(pause: u64) -> String {
    format!("paused: no change starts until `keysweep resume {pause} --reason TEXT`")
}

/// All stops in a few words each.
pub fn brief<'a>(stops: impl IntoIterator<Item = Stop<'a>>) -> Vec<String> {
    let (mut pauses, mut others) = (0, Vec::new());
    for stop in stops {
        match stop {
            Stop::Paused(_) => pauses += 1,
            Stop::Breaker(_) => others.push("circuit breaker open".to_owned()),
            Stop::Reference(_) => others.push("stopped by a rule without effect".to_owned()),
        }
    }
    let paused = match pauses {
        0 => None,
        1 => Some("paused".to_owned()),
        n => Some(format!("paused {n} times")),
    };
    paused.into_iter().chain(others).collect()
}

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, by, reason, .. } = self;
        write!(f, "paused by {by}: {reason} (pause {number})")
    }
}

impl fmt::Display for TripReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Surge { newly_due, limit } => {
                write!(f, "{newly_due} keys became due in one sweep; the limit is {limit}")
            }
            Self::Shrink { before, now } => {
                write!(f, "the organization shrank from {before} to {now} accounts")
            }
            Self::Failures { accounts, limit } => {
                write!(
                    f,
                    "changes failed in {accounts} accounts within 24 hours; the circuit breaker opens at {limit}"
                )
            }
            Self::ClockSkew { seconds } => write!(f, "our clock differs from that of AWS by {seconds} s"),
        }
    }
}

impl fmt::Display for Park {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { since, reason, key, action, detail } = self;
        let what = match reason {
            ParkReason::Precondition => format!("no session to {action} {key}"),
            ParkReason::Refused => format!("AWS refused to {action} {key}"),
            ParkReason::Repeated => format!("two changes in a row failed, the last one to {action} {key}"),
        };
        write!(f, "parked since {since:.0}: {what}: {detail}")
    }
}
