//! The conditions of a statement.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::context::{Context, Key};
use super::pattern::{Pattern, Reading};
use super::{PolicyError, strings};

/// One operator on one key.
#[derive(Debug)]
pub(super) struct Condition {
    test: Test,
    if_exists: bool,
    key: Key,
}

#[derive(Debug)]
enum Test {
    Text {
        negated: bool,
        any_case: bool,
        any: Vec<Pattern>,
    },
    /// Each part of an ARN between colons by itself (IAM user guide, "Amazon Resource Name (ARN) condition operators").
    Arn(Vec<Vec<Pattern>>),
    /// Whether the key is to be absent.
    Null {
        absent: bool,
    },
    /// Earlier than any of these.
    Before(Vec<Timestamp>),
}

impl Condition {
    /// Every condition of a `Condition` element.
    pub(super) fn parse_all(value: &Value) -> Result<Vec<Self>, PolicyError> {
        let shape = || PolicyError::Shape("Condition must hold operators, and these keys".to_owned());
        let mut conditions = Vec::new();
        for (operator, keys) in value.as_object().ok_or_else(shape)? {
            for (key, values) in keys.as_object().ok_or_else(shape)? {
                conditions.push(Self::parse(operator, key, values)?);
            }
        }
        Ok(conditions)
    }

    fn parse(operator: &str, key: &str, values: &Value) -> Result<Self, PolicyError> {
        let unsupported = || PolicyError::unsupported(format!("condition {operator} on {key}"));
        let values = strings(values).filter(|values| !values.is_empty()).ok_or_else(unsupported)?;
        let (name, if_exists) = match operator.strip_suffix("IfExists") {
            Some(name) => (name, true),
            None => (operator, false),
        };
        let text = |negated, any_case, reading| {
            let pattern = |text: &String| match any_case {
                true => Pattern::parse(&text.to_lowercase(), reading),
                false => Pattern::parse(text, reading),
            };
            Ok(Test::Text { negated, any_case, any: values.iter().map(pattern).collect::<Result<_, _>>()? })
        };
        let test = match name {
            "StringEquals" => text(false, false, Reading::Literal),
            "StringNotEquals" => text(true, false, Reading::Literal),
            "StringEqualsIgnoreCase" => text(false, true, Reading::Literal),
            "StringNotEqualsIgnoreCase" => text(true, true, Reading::Literal),
            "StringLike" => text(false, false, Reading::Wildcards),
            "StringNotLike" => text(true, false, Reading::Wildcards),
            "ArnEquals" | "ArnLike" => {
                let parts = |text: &String| {
                    parts(text).map(|part| Pattern::parse(part, Reading::Wildcards)).collect()
                };
                Ok(Test::Arn(values.iter().map(parts).collect::<Result<_, _>>()?))
            }
            "Null" if !if_exists => match values.as_slice() {
                [one] if one == "true" || one == "false" => Ok(Test::Null { absent: one == "true" }),
                _ => Err(unsupported()),
            },
            "DateLessThan" => {
                let dates = values.iter().map(|text| date(text).ok_or_else(unsupported));
                Ok(Test::Before(dates.collect::<Result<_, _>>()?))
            }
            _ => Err(unsupported()),
        }?;
        Ok(Self { test, if_exists, key: Key::parse(key).ok_or_else(unsupported)? })
    }

    pub(super) fn has_variables(&self) -> bool {
        match &self.test {
            Test::Text { any, .. } => any.iter().any(Pattern::has_variables),
            Test::Arn(any) => any.iter().flatten().any(Pattern::has_variables),
            Test::Null { .. } | Test::Before(_) => false,
        }
    }

    /// Whether it holds; None where a variable in it has no value, so that nobody can tell.
    pub(super) fn holds(&self, context: &Context<'_>) -> Option<bool> {
        let found = context.value(&self.key);
        let found = match (&self.test, found) {
            (Test::Null { absent }, found) => return Some(*absent == found.is_none()),
            (_, Some(found)) => found,
            // A key that is absent matches no positive operator and every negated one, and "IfExists" always.
            (Test::Text { negated, .. }, None) => return Some(self.if_exists || *negated),
            (Test::Arn(_) | Test::Before(_), None) => return Some(self.if_exists),
        };
        match &self.test {
            Test::Text { negated, any_case, any } => {
                let found = if *any_case { found.to_lowercase().into() } else { found };
                let mut matched = false;
                for pattern in any {
                    matched |= pattern.matches(&found, context)?;
                }
                Some(matched != *negated)
            }
            Test::Arn(any) => {
                let mut matched = false;
                for pattern in any {
                    let found: Vec<&str> = parts(&found).collect();
                    let mut all = found.len() == pattern.len();
                    for (part, pattern) in found.iter().zip(pattern) {
                        all &= pattern.matches(part, context)?;
                    }
                    matched |= all;
                }
                Some(matched)
            }
            Test::Before(limits) => {
                let found = date(&found);
                Some(limits.iter().any(|limit| found.is_some_and(|found| found < *limit)))
            }
            Test::Null { .. } => None,
        }
    }
}

/// The six parts of an ARN; the last one may hold colons of its own.
fn parts(arn: &str) -> impl Iterator<Item = &str> {
    arn.splitn(6, ':')
}

/// A moment, or the beginning of a day.
fn date(text: &str) -> Option<Timestamp> {
    let day = || text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok().map(|day| day.timestamp());
    text.parse().ok().or_else(day)
}
