//! Sentences for people, one for each thing that is said in more than one place: commands, page, log, service manager,
//! and demo show the same.

mod overlay;
mod stop;
mod wait;

use std::time::Duration;

use jiff::SignedDuration;

pub use self::stop::{breaker_open, brief, remedy, title, until_lifted, until_resumed, why};

/// A period as people read it. Fractions of a second say nothing.
pub(crate) fn friendly(duration: Duration) -> SignedDuration {
    SignedDuration::from_secs(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX))
}

/// Several things in one sentence.
pub(crate) fn listed<T: ToString>(all: &[T]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
