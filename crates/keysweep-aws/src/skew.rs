//! How far our clock is from that of AWS, from the `Date` header of every answer.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::{DateTime, Format};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::settings::{Observer, Wall};

/// A date is used to reckon by for at most this long: the monotonic clock stands still while the machine sleeps.
const GOOD_FOR: Duration = Duration::from_secs(60);

/// What time it is at AWS, by the `Date` of its latest answer and the time that has passed since. Our own clock has no
/// part in it.
#[derive(Debug, Default)]
pub(crate) struct TimeAtAws(Mutex<Option<Told>>);

/// What an answer told.
#[derive(Debug, Clone, Copy)]
struct Told {
    date: Timestamp,
    at: Instant,
    /// Its date minus what our clock showed.
    skew: SignedDuration,
}

impl TimeAtAws {
    fn is(&self, date: Timestamp, ours: Timestamp) {
        let told = Told { date, at: Instant::now(), skew: date.duration_since(ours) };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
    }

    fn told(&self) -> Option<Told> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What AWS's clock showed minus what ours did, as of the latest answer.
    pub(crate) fn skew(&self) -> Option<SignedDuration> {
        self.told().map(|told| told.skew)
    }

    /// The time, unless no answer told it lately. It is at most a second and the way of an answer behind, which makes
    /// a deadline that is reckoned from it come earlier and never later.
    pub(crate) fn now(&self) -> Option<Timestamp> {
        let Told { date, at, .. } = self.told()?;
        let passed = at.elapsed();
        if passed > GOOD_FOR { None } else { date.checked_add(passed).ok() }
    }

    /// How much is left until then, by whatever answer told the time last.
    pub(crate) fn left_until(&self, deadline: Timestamp) -> Duration {
        let Some(Told { date, at, .. }) = self.told() else { return Duration::ZERO };
        let now = date.checked_add(at.elapsed()).unwrap_or(Timestamp::MAX);
        Duration::try_from(deadline.duration_since(now)).unwrap_or(Duration::ZERO)
    }
}

/// Reads each answer's `Date` and tells the observer.
pub(crate) struct ReadDate {
    pub(crate) time: Arc<TimeAtAws>,
    pub(crate) wall: Wall,
    pub(crate) observer: Arc<dyn Observer>,
}

impl fmt::Debug for ReadDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReadDate")
    }
}

#[dyn_dispatch_hint]
impl Intercept for ReadDate {
    fn name(&self) -> &'static str {
        "ReadDate"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // An answer without a readable date says nothing about the clock, and is no reason to fail the call.
        if let Some(theirs) = context.response().headers().get("date").and_then(parse_date) {
            let ours = (self.wall)();
            self.observer.skew(theirs.duration_since(ours));
            // What stands between us and AWS answers errors of its own, with a clock of its own.
            if context.response().status().is_success() {
                self.time.is(theirs, ours);
            }
        }
        Ok(())
    }
}

fn parse_date(text: &str) -> Option<Timestamp> {
    let date = DateTime::from_str(text, Format::HttpDate).ok()?;
    Timestamp::new(date.secs(), 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_time_at_aws_goes_on_after_an_answer() {
        let time = TimeAtAws::default();
        let date: Timestamp = "2026-11-21T22:01:02Z".parse().unwrap();
        assert_eq!((time.now(), time.left_until(date)), (None, Duration::ZERO));
        time.is(date, date - SignedDuration::from_secs(3));
        assert_eq!(time.skew(), Some(SignedDuration::from_secs(3)));
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(time.now(), Some(date + SignedDuration::from_secs(5)));
        assert_eq!(time.left_until(date + SignedDuration::from_secs(7)), Duration::from_secs(2));
        assert_eq!(time.left_until(date), Duration::ZERO);
        tokio::time::advance(GOOD_FOR).await;
        assert_eq!(time.now(), None, "an old date is asked for again");
    }

    #[test]
    fn the_date_of_an_answer_is_read_and_nonsense_is_not() {
        let expected: Timestamp = "2026-11-21T22:01:02Z".parse().unwrap();
        assert_eq!(parse_date("Sat, 21 Nov 2026 22:01:02 GMT"), Some(expected));
        assert_eq!(parse_date("yesterday"), None);
    }
}
