//! How far our clock is from that of AWS, from the `Date` header of every answer.

use std::fmt;
use std::sync::Arc;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::{DateTime, Format};
use jiff::{SignedDuration, Timestamp};

use crate::settings::{Observer, Wall};

/// How far our clock and AWS's may differ, and how far ahead of us a date of AWS may be. AWS refuses no call because of
/// it: the SDK corrects the time it signs with by AWS's answers.
pub const MAX_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Reads each answer's `Date` and tells the observer.
pub(crate) struct ReadDate {
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
            self.observer.skew(theirs.duration_since((self.wall)()));
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

    #[test]
    fn the_date_of_an_answer_is_read_and_nonsense_is_not() {
        let expected: Timestamp = "2026-11-21T22:01:02Z".parse().unwrap();
        assert_eq!(parse_date("Sat, 21 Nov 2026 22:01:02 GMT"), Some(expected));
        assert_eq!(parse_date("yesterday"), None);
    }
}
