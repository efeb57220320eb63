//! Why a message was not accepted.

use std::time::Duration;

use strum::{Display, IntoStaticStr, VariantArray};

/// What a failure means for the next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum FailureKind {
    /// Worth a retry: no response, a broken connection, or a server that asked to try later.
    Temporary,
    /// The server will refuse this message or this recipient on every attempt.
    Rejected,
    /// The channel does not work for anyone: credentials, permissions, a certificate, an address that is not allowed.
    /// Retries fail until an operator changes something.
    Misconfigured,
}

impl FailureKind {
    /// Name in metrics and messages, such as `temporary`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Why a message was not accepted, such as `mail server smtp.example.com:587: 550 5.1.1 no such user`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Failure {
    /// What it means for the next attempt.
    pub kind: FailureKind,
    /// Which server, and what happened, in one line. Contains no password, token, or path or query of a URL.
    pub detail: String,
    /// How long the server asked to wait before the next attempt, at most an hour.
    pub retry_after: Option<Duration>,
}

impl Failure {
    pub(crate) fn new(kind: FailureKind, detail: String) -> Self {
        Self { kind, detail, retry_after: None }
    }

    pub(crate) fn temporary(detail: String) -> Self {
        Self::new(FailureKind::Temporary, detail)
    }

    pub(crate) fn rejected(detail: String) -> Self {
        Self::new(FailureKind::Rejected, detail)
    }

    pub(crate) fn misconfigured(detail: String) -> Self {
        Self::new(FailureKind::Misconfigured, detail)
    }

    pub(crate) fn with_retry_after(self, retry_after: Option<Duration>) -> Self {
        Self { retry_after, ..self }
    }
}
