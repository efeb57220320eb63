//! Why something is not done.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The content type of a [`Problem`] (RFC 9457).
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Why something was not done. Each holds the reason in words, with what to do about it where something can be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[serde(tag = "code", content = "detail", rename_all = "snake_case")]
#[error("{}", self.detail())]
pub enum Refusal {
    /// The request cannot be read.
    Malformed(String),
    /// The caller is not authenticated.
    Unauthenticated(String),
    /// The caller may not do this, or not in this way.
    Forbidden(String),
    /// Nothing is known of what the request names.
    NotFound(String),
    /// This path takes another method.
    NotAllowed(String),
    /// The present state does not allow it, or is no longer what was shown.
    Conflict(String),
    /// The request is too long.
    TooLarge(String),
    /// Too much is asked at the same time.
    TooMany(String),
    /// A bug in keysweep.
    Internal(String),
    /// AWS refused it, or its outcome is not known.
    Aws(String),
    /// It cannot be done now: AWS is out of reach, or the journal cannot be written.
    Unavailable(String),
}

/// A refusal as HTTP answers it (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// The HTTP status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What kind it is, and the reason in words.
    #[serde(flatten)]
    pub refusal: Refusal,
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = refusal.status();
        let title = status.canonical_reason().unwrap_or_default().to_owned();
        Self { title, status: status.as_u16(), refusal }
    }
}

impl Refusal {
    /// The reason in words.
    #[must_use]
    pub fn detail(&self) -> &str {
        let (Self::Malformed(detail)
        | Self::Unauthenticated(detail)
        | Self::Forbidden(detail)
        | Self::NotFound(detail)
        | Self::NotAllowed(detail)
        | Self::Conflict(detail)
        | Self::TooLarge(detail)
        | Self::TooMany(detail)
        | Self::Internal(detail)
        | Self::Aws(detail)
        | Self::Unavailable(detail)) = self;
        detail
    }

    /// The same with more to read.
    #[must_use]
    pub fn with(mut self, more: &str) -> Self {
        let (Self::Malformed(detail)
        | Self::Unauthenticated(detail)
        | Self::Forbidden(detail)
        | Self::NotFound(detail)
        | Self::NotAllowed(detail)
        | Self::Conflict(detail)
        | Self::TooLarge(detail)
        | Self::TooMany(detail)
        | Self::Internal(detail)
        | Self::Aws(detail)
        | Self::Unavailable(detail)) = &mut self;
        detail.push_str(more);
        self
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> http::StatusCode {
        use http::StatusCode;
        match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::NotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Aws(_) => StatusCode::BAD_GATEWAY,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The refusal that an answer with this status means.
    #[must_use]
    pub fn of_status(status: http::StatusCode, detail: String) -> Self {
        match status.as_u16() {
            401 => Self::Unauthenticated(detail),
            403 => Self::Forbidden(detail),
            404 => Self::NotFound(detail),
            405 => Self::NotAllowed(detail),
            409 => Self::Conflict(detail),
            413 => Self::TooLarge(detail),
            429 => Self::TooMany(detail),
            502 => Self::Aws(detail),
            503 => Self::Unavailable(detail),
            400..=499 => Self::Malformed(detail),
            _ => Self::Internal(detail),
        }
    }

    /// The exit code of a command that was refused.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Malformed(_) | Self::NotAllowed(_) | Self::TooLarge(_) => 2,
            Self::Unauthenticated(_)
            | Self::Forbidden(_)
            | Self::NotFound(_)
            | Self::Conflict(_)
            | Self::TooMany(_)
            | Self::Internal(_)
            | Self::Aws(_)
            | Self::Unavailable(_) => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_status_code_and_detail() {
        let problem = Problem::from(Refusal::Conflict("AKIAIOSFODNN7EXAMPLE is not on hold".into()));
        let json = serde_json::json!({
            "title": "Conflict",
            "status": 409,
            "code": "conflict",
            "detail": "AKIAIOSFODNN7EXAMPLE is not on hold",
        });
        assert_eq!(serde_json::to_value(&problem).unwrap(), json);
        assert_eq!(serde_json::from_value::<Problem>(json).unwrap(), problem);
    }

    #[test]
    fn every_refusal_is_known_by_its_status() {
        for code in 400..600 {
            let status = http::StatusCode::from_u16(code).unwrap();
            let refusal = Refusal::of_status(status, "why".into());
            let again = Refusal::of_status(refusal.status(), "why".into());
            assert_eq!(again, refusal, "{code}");
        }
    }
}
