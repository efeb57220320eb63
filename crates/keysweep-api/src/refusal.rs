//! Why something is not done.

use http::StatusCode;
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
    /// What it is over HTTP, the exit code of a command that was refused, and the reason in words.
    fn parts(&self) -> (StatusCode, u8, &str) {
        match self {
            Self::Malformed(detail) => (StatusCode::BAD_REQUEST, 2, detail),
            Self::Unauthenticated(detail) => (StatusCode::UNAUTHORIZED, 1, detail),
            Self::Forbidden(detail) => (StatusCode::FORBIDDEN, 1, detail),
            Self::NotFound(detail) => (StatusCode::NOT_FOUND, 1, detail),
            Self::NotAllowed(detail) => (StatusCode::METHOD_NOT_ALLOWED, 2, detail),
            Self::Conflict(detail) => (StatusCode::CONFLICT, 1, detail),
            Self::TooLarge(detail) => (StatusCode::PAYLOAD_TOO_LARGE, 2, detail),
            Self::TooMany(detail) => (StatusCode::TOO_MANY_REQUESTS, 1, detail),
            Self::Internal(detail) => (StatusCode::INTERNAL_SERVER_ERROR, 1, detail),
            Self::Aws(detail) => (StatusCode::BAD_GATEWAY, 1, detail),
            Self::Unavailable(detail) => (StatusCode::SERVICE_UNAVAILABLE, 1, detail),
        }
    }

    /// The HTTP status: each refusal has its own.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.parts().0
    }

    /// The exit code of a command that was refused.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.parts().1
    }

    /// The reason in words.
    #[must_use]
    pub fn detail(&self) -> &str {
        self.parts().2
    }

    /// The same with more to read.
    #[must_use]
    pub fn with(self, more: &str) -> Self {
        Self::of_status(self.status(), self.detail().to_owned() + more)
    }

    /// The refusal that an answer with this status means.
    #[must_use]
    pub fn of_status(status: StatusCode, detail: String) -> Self {
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
            let status = StatusCode::from_u16(code).unwrap();
            let refusal = Refusal::of_status(status, "why".into());
            let again = Refusal::of_status(refusal.status(), "why".into());
            assert_eq!(again, refusal, "{code}");
        }
    }
}
