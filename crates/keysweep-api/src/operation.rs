//! What one operation is, and how it goes over HTTP.

use std::fmt::Debug;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Refusal, once};

/// What every path begins with.
pub const BASE: &str = "/api/v1";

/// Path of the OpenAPI document, beneath [`BASE`].
pub const OPENAPI: &str = "/openapi.json";

/// One operation: its fields are the parameters of its path, and the others those of the query of a [`Verb::Get`] or of the
/// JSON body of a [`Verb::Post`].
pub trait Operation: Serialize + DeserializeOwned + JsonSchema + Debug + Send + 'static {
    /// What is answered if it is done.
    type Reply: Serialize + DeserializeOwned + JsonSchema + Send + 'static;

    /// Its name in OpenAPI.
    const NAME: &'static str;
    /// How it is asked for.
    const VERB: Verb;
    /// Its path beneath [`BASE`], with parameters as `{field}`.
    const PATH: &'static str;
    /// What its asker must be allowed to do.
    const ROLE: Role = Self::VERB.role();
}

/// An array with `$look::<O>` for every operation that looks, and `$act::<O>` for every one that decides.
#[macro_export]
macro_rules! operations {
    ($look:ident, $act:ident) => {
        [
            $look::<$crate::ShowStatus>,
            $look::<$crate::ListFindings>,
            $look::<$crate::ShowPlan>,
            $look::<$crate::ShowCalendar>,
            $look::<$crate::ListAccounts>,
            $look::<$crate::ListApprovals>,
            $act::<$crate::DecideApprovals>,
            $look::<$crate::ListHolds>,
            $look::<$crate::ListExemptions>,
            $act::<$crate::GrantExemption>,
            $act::<$crate::EndExemption>,
            $look::<$crate::ListJournal>,
            $look::<$crate::ListSessions>,
            $act::<$crate::RevokeSessions>,
            $look::<$crate::ListKeys>,
            $look::<$crate::ShowKey>,
            $look::<$crate::ShowEvidence>,
            $act::<$crate::GatherEvidence>,
            $act::<$crate::Decide>,
            $act::<$crate::Pause>,
            $act::<$crate::Resume>,
            $look::<$crate::ListRules>,
            $act::<$crate::AcknowledgeRule>,
            $look::<$crate::ShowBreaker>,
            $act::<$crate::ResetBreaker>,
            $act::<$crate::UnparkAccount>,
            $look::<$crate::ListNotices>,
            $look::<$crate::PreviewNotice>,
            $act::<$crate::RetryNotice>,
            $look::<$crate::ViewJournal>,
        ]
    };
}

/// Whether an operation looks or decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Looks.
    Get,
    /// Decides.
    Post,
}

impl Verb {
    const fn role(self) -> Role {
        match self {
            Self::Get => Role::Viewer,
            Self::Post => Role::Operator,
        }
    }
}

/// What a person or token may do. Each role includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[derive(strum::Display, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Role {
    /// Look.
    Viewer,
    /// Look, decide on requests for approval, hold keys, release them, and undo.
    Approver,
    /// Everything: also pause and resume, close the circuit breaker, exempt keys, change them by name, and reload.
    Operator,
}

impl Role {
    /// Its name in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The name of a parameter, if this segment of a path is one.
pub(crate) fn parameter(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// The path of a request, and its body.
///
/// # Errors
/// If a field has no JSON form.
pub fn encode<O: Operation>(operation: &O) -> Result<(String, Vec<u8>), serde_json::Error> {
    let mut fields = match serde_json::to_value(operation)? {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    let segments =
        O::PATH.split('/').map(|segment| match parameter(segment).and_then(|name| fields.remove(name)) {
            Some(Value::String(text)) => utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string(),
            Some(other) => utf8_percent_encode(&other.to_string(), NON_ALPHANUMERIC).to_string(),
            None => segment.to_owned(),
        });
    let path = BASE.to_owned() + &segments.collect::<Vec<_>>().join("/");
    match O::VERB {
        Verb::Get => {
            let mut query = form_urlencoded::Serializer::new(String::new());
            for (name, value) in &fields {
                match value {
                    Value::Null => {}
                    Value::String(text) => drop(query.append_pair(name, text)),
                    Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                        query.append_pair(name, &value.to_string());
                    }
                }
            }
            let query = query.finish();
            let path = if query.is_empty() { path } else { format!("{path}?{query}") };
            Ok((path, Vec::new()))
        }
        Verb::Post => Ok((path, serde_json::to_vec(&fields)?)),
    }
}

/// The operation of a request: `parameters` are those of its path, decoded.
///
/// A field that the operation does not have is an error: what it was meant to restrict would not be. So is one that is
/// given twice.
///
/// # Errors
/// [`Refusal::Malformed`] with what is wrong.
pub fn decode<'a, O: Operation>(
    parameters: impl Iterator<Item = (&'a str, &'a str)>,
    query: Option<&str>,
    body: &[u8],
) -> Result<O, Refusal> {
    let wrong = |what: String| Refusal::Malformed(format!("{}: {what}", O::NAME));
    let query = query.filter(|query| !query.is_empty());
    let mut fields = match O::VERB {
        Verb::Get => Map::new(),
        Verb::Post if query.is_some() => return Err(wrong("it takes no query".into())),
        Verb::Post => once::object(body).map_err(|error| wrong(error.to_string()))?,
    };
    let queried = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    for (name, value) in queried {
        if fields.insert(name.to_string(), Value::String(value.into_owned())).is_some() {
            return Err(wrong(format!("`{name}` is given twice")));
        }
    }
    for (name, value) in parameters {
        if fields.insert(name.to_owned(), Value::String(value.to_owned())).is_some() {
            return Err(wrong(format!("`{name}` is given twice")));
        }
    }
    serde_json::from_value(Value::Object(fields)).map_err(|error| wrong(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Decide, Decision, ShowKey, ShowPlan, UnparkAccount};

    const KEY: &str = "AKIAIOSFODNN7EXAMPLE";

    fn hold() -> Decide {
        let length = Some(std::time::Duration::from_secs(86_400));
        Decide { key: KEY.parse().unwrap(), decision: Decision::Hold { length }, reason: "a \"test\"".into() }
    }

    #[test]
    fn fields_are_in_the_path_or_in_the_body() {
        let (path, body) = encode(&hold()).unwrap();
        assert_eq!(path, format!("/api/v1/keys/{KEY}/decisions"));
        let body: Value = serde_json::from_slice(&body).unwrap();
        let decision = serde_json::json!({ "kind": "hold", "length_seconds": 86_400 });
        assert_eq!(body, serde_json::json!({ "decision": decision, "reason": "a \"test\"" }));
        assert_eq!(encode(&ShowPlan {}).unwrap(), ("/api/v1/plan".into(), Vec::new()));
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let (_, body) = encode(&hold()).unwrap();
        let again: Decide = decode([("key", KEY)].into_iter(), None, &body).unwrap();
        assert_eq!(again, hold());
        assert_eq!(decode([("key", KEY)].into_iter(), None, b""), Ok(ShowKey { key: KEY.parse().unwrap() }));
    }

    #[test]
    fn what_the_operation_does_not_have_is_refused() {
        for body in [
            r#"{"reason":"x","force":true}"#,
            r#"{"reason":"x","account":"111122223333"}"#,
            r#"{"reason":1}"#,
            r"{}",
            "[]",
            "null",
            "",
            "{",
            r#"{"reason":"x"}{"reason":"y"}"#,
            r#"{"reason":"x","reason":"y"}"#,
        ] {
            let decoded =
                decode::<UnparkAccount>([("account", "111122223333")].into_iter(), None, body.as_bytes());
            assert!(matches!(decoded, Err(Refusal::Malformed(_))), "{body}: {decoded:?}");
        }
        assert!(decode::<ShowPlan>(std::iter::empty(), Some("state=flagged"), b"").is_err());
        assert!(decode::<ShowPlan>(std::iter::empty(), Some(""), b"").is_ok());
        let twice = r#"{"decision":{"kind":"hold","kind":"forget"},"reason":"x"}"#;
        assert!(decode::<Decide>([("key", KEY)].into_iter(), None, twice.as_bytes()).is_err());
        let misspelt = r#"{"decision":{"kind":"hold","length":3},"reason":"x"}"#;
        assert!(decode::<Decide>([("key", KEY)].into_iter(), None, misspelt.as_bytes()).is_err());
    }

    #[test]
    fn a_value_stays_in_its_segment_of_the_path() {
        let operation = crate::AcknowledgeRule { id: "../pause?x#y".into(), reason: String::new() };
        assert_eq!(encode(&operation).unwrap().0, "/api/v1/rules/%2E%2E%2Fpause%3Fx%23y/acknowledge");
    }
}
