//! From the SDK's values to ours, where a missing or impossible value is an error and never a default.
//!
//! The SDK fills required members that an answer lacks with empty strings and 1970; both are refused here.

use std::fmt::Display;
use std::str::FromStr;

use aws_smithy_types::DateTime;
use jiff::{SignedDuration, Timestamp};
use keysweep_core::facts::{KeyStatus, MAX_SKEW};

/// A named member of an answer, parsed.
pub(crate) fn parsed<T>(what: &str, text: Option<&str>) -> Result<T, String>
where
    T: FromStr,
    T::Err: Display,
{
    match text {
        Some(text) => text.parse().map_err(|error| format!("answer's {what}: {error}")),
        None => Err(format!("answer lacks {what}")),
    }
}

/// A list of an answer, which AWS tells even where it is empty: an answer without it is none, and no empty list.
pub(crate) fn told<'a, T>(what: &str, list: Option<&'a [T]>) -> Result<&'a [T], String> {
    list.ok_or_else(|| format!("answer lacks {what}"))
}

/// A tag of an answer. One without a key could be the one that exempts.
pub(crate) fn named(key: &str, value: &str) -> Result<(String, String), String> {
    if key.is_empty() {
        Err("answer shows a tag without a key".into())
    } else {
        Ok((key.into(), value.into()))
    }
}

/// A date of an answer.
pub(crate) fn timestamp(what: &str, date: Option<&DateTime>) -> Result<Timestamp, String> {
    let date = date.filter(|date| date.secs() != 0).ok_or_else(|| format!("answer lacks {what}"))?;
    let nanos = i32::try_from(date.subsec_nanos()).unwrap_or(0);
    Timestamp::new(date.secs(), nanos).map_err(|_| format!("answer's {what} is out of range"))
}

/// A date of an answer that must not lie in the future, `now` being policy time.
pub(crate) fn past_timestamp(
    what: &str,
    date: Option<&DateTime>,
    now: Timestamp,
) -> Result<Timestamp, String> {
    let at = timestamp(what, date)?;
    if in_future(at, now) { Err(format!("answer's {what} {at} lies in the future")) } else { Ok(at) }
}

/// Whether a date lies further ahead than clocks may differ.
pub(crate) fn in_future(at: Timestamp, now: Timestamp) -> bool {
    now.checked_add(MAX_SKEW).is_ok_and(|latest| at > latest)
}

/// How old something is; never negative.
pub(crate) fn age(at: Timestamp, now: Timestamp) -> SignedDuration {
    now.duration_since(at).max(SignedDuration::ZERO)
}

pub(crate) fn key_status(status: &aws_sdk_iam::types::StatusType) -> KeyStatus {
    match status {
        aws_sdk_iam::types::StatusType::Active => KeyStatus::Active,
        aws_sdk_iam::types::StatusType::Inactive => KeyStatus::Inactive,
        // The SDK's enum is open.
        other => KeyStatus::Other(other.as_str().to_owned()),
    }
}

/// IAM writes `N/A` where there is nothing to tell.
pub(crate) fn unless_not_applicable<'a, T: From<&'a str>>(text: &'a str) -> Option<T> {
    if text == "N/A" || text.is_empty() { None } else { Some(text.into()) }
}
