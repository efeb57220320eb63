//! How a call failed: one [`Fault`] per failed operation, with its kind, what was asked for, and the cause.

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_types::request_id::RequestId;
use strum::{Display, IntoStaticStr, VariantArray};

use crate::connect::unreadable_files;
use crate::discreet::{discreet, message_of};
use crate::whole::{ERROR_TYPE, is_error_of_aws};

/// What a failure means for whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum FaultKind {
    /// AWS asked us to slow down, and the retries were used up.
    Throttled,
    /// We may not. For `GetAccessKeyLastUsed` also the answer for a key that is unknown.
    Denied,
    /// What was asked for does not exist: AWS said so itself, by an error code of its own. A status of a proxy never
    /// comes to this.
    Gone,
    /// It may work another time: no answer, a broken connection, an error on the side of AWS.
    Transient,
    /// The call or the answer was wrong, and will be again: one of us has a bug.
    Bug,
}

impl FaultKind {
    /// Its name in metrics and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A failed operation, such as `list access keys of user ci-deploy in 111122223333: throttled`.
///
/// Its source says what AWS answered. Neither holds a secret, a token or a policy, in `Debug` too: that is why the
/// error of the SDK, which carries the whole answer, is not kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {kind}")]
pub struct Fault {
    kind: FaultKind,
    api: Option<&'static str>,
    operation: String,
    /// Boxed, since a fault is part of many results.
    #[source]
    cause: Box<Cause>,
}

impl Fault {
    pub(crate) fn new(api: &'static str, operation: String, (kind, cause): (FaultKind, Cause)) -> Self {
        Self { kind, api: Some(api), operation, cause: Box::new(cause) }
    }

    /// A failure before any call of AWS.
    pub(crate) fn without_call(operation: String, (kind, cause): (FaultKind, Cause)) -> Self {
        Self { kind, api: None, operation, cause: Box::new(cause) }
    }

    /// An answer that breaks AWS's own contract, or a call that we must not make.
    pub(crate) fn bug(api: &'static str, operation: String, what: impl Into<String>) -> Self {
        Self::new(api, operation, (FaultKind::Bug, Cause::Contract(what.into())))
    }

    /// Whether AWS no longer takes the session that signed the call: it expired, or somebody revoked it.
    #[must_use]
    pub fn is_of_session(&self) -> bool {
        const CODES: [&str; 4] =
            ["ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"];
        matches!(&*self.cause, Cause::Answer { code, .. } if CODES.contains(&code.as_str()))
    }

    /// What the failure means.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        self.kind
    }

    /// The call that failed, in IAM's notation, such as `iam:ListAccessKeys`; absent if there was none.
    #[must_use]
    pub fn api(&self) -> Option<&'static str> {
        self.api
    }

    /// Whether AWS itself denied the call. A new session may be allowed what an older one is denied: IAM's "Revoke
    /// active sessions" denies everything to sessions that were made before.
    pub(crate) fn is_denial(&self) -> bool {
        self.kind == FaultKind::Denied && matches!(&*self.cause, Cause::Answer { .. })
    }

    /// What was asked for, such as `list access keys of user ci-deploy in 111122223333`.
    #[must_use]
    pub fn operation(&self) -> &str {
        &self.operation
    }

    /// What happened.
    #[must_use]
    pub fn cause(&self) -> &Cause {
        &self.cause
    }
}

/// What happened, in AWS's words where it answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// AWS answered with an error.
    #[error("{code}: {message}")]
    Answer {
        /// HTTP status.
        status: u16,
        /// Error code, such as `AccessDenied`.
        code: String,
        /// The first line of the message.
        message: String,
        /// Request ID, for AWS's support.
        request_id: Option<String>,
    },
    /// No answer within the limit of the attempt or of the operation.
    #[error("no answer within the time limit")]
    Timeout,
    /// The connection could not be made, or broke.
    #[error("connection failed: {0}")]
    Connection(String),
    /// The request was certainly never sent: it could not be built, or there were no credentials.
    #[error("not sent: {0}")]
    NotSent(String),
    /// There was an answer, and it is not one of AWS.
    #[error("response {status} did not come from AWS (proxy?)")]
    Unreadable {
        /// HTTP status.
        status: u16,
    },
    /// A readable answer that contradicts AWS's documentation or the question.
    #[error("{0}")]
    Contract(String),
}

/// Kind and cause of an error of the SDK. `sent` is what a request holds that nobody is to read: an external ID.
pub(crate) fn classify<E>(error: &SdkError<E, HttpResponse>, sent: Option<&str>) -> (FaultKind, Cause)
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match error {
        SdkError::ServiceError(context) => {
            let status = context.raw().status().as_u16();
            let meta = context.err().meta();
            // A proxy may answer with a status and a page of its own. Only AWS's own form carries AWS's word.
            let body = context.raw().body().bytes().unwrap_or_default();
            let error_type = context.raw().headers().get(ERROR_TYPE);
            match meta.code().filter(|code| is_error_of_aws(error_type, body, code)) {
                Some(code) => (
                    kind_of(status, code),
                    Cause::Answer {
                        status,
                        code: short(&discreet(code, sent)),
                        message: with_advice(
                            code,
                            message_of(code, meta.message().unwrap_or_default(), sent),
                        ),
                        request_id: error
                            .request_id()
                            .or_else(|| meta.request_id())
                            .map(|id| short(&discreet(id, sent))),
                    },
                ),
                None if status == 429 => (FaultKind::Throttled, Cause::Unreadable { status }),
                None => (FaultKind::Transient, Cause::Unreadable { status }),
            }
        }
        SdkError::TimeoutError(_) => (FaultKind::Transient, Cause::Timeout),
        SdkError::DispatchFailure(failure) => {
            // Credentials are looked for right before sending, and the SDK files that under dispatch.
            if let Some((kind, why)) = without_credentials(error, sent) {
                (kind, Cause::NotSent(why))
            } else if failure.is_timeout() {
                (FaultKind::Transient, Cause::Timeout)
            } else {
                (FaultKind::Transient, Cause::Connection(short(&discreet(&innermost(error), sent))))
            }
        }
        SdkError::ResponseError(context) => {
            (FaultKind::Transient, Cause::Unreadable { status: context.raw().status().as_u16() })
        }
        SdkError::ConstructionFailure(_) => {
            // A request that could not be built is our bug, unless it was the credentials that were missing.
            let found = without_credentials(error, sent);
            let (kind, why) =
                found.unwrap_or_else(|| (FaultKind::Bug, short(&discreet(&innermost(error), sent))));
            (kind, Cause::NotSent(why))
        }
        // The SDK's enum is open; of what it may add later nobody knows whether it was sent.
        _ => (FaultKind::Transient, Cause::Connection("unknown failure of the SDK".to_owned())),
    }
}

/// Codes by which AWS services ask callers to slow down: those of the SDK's own throttling classifier.
const THROTTLED: [&str; 14] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottledException",
    "TooManyRequestsException",
    "ProvisionedThroughputExceededException",
    "TransactionInProgressException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "RequestThrottled",
    "SlowDown",
    "PriorRequestNotComplete",
    "EC2ThrottledException",
];

/// Codes that come with a 4xx status and yet are about the moment, not about the request. A session that expired
/// is replaced by the next one; IAM's `EntityTemporarilyUnmodifiable` asks to wait some minutes.
const TRANSIENT: [&str; 9] = [
    "ConcurrentModification",
    "ConcurrentModificationException",
    "EntityTemporarilyUnmodifiable",
    "ExpiredToken",
    "ExpiredTokenException",
    "LimitExceeded",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "ReportInProgress",
];

/// Codes by which AWS refuses what is too long together: nothing about it changes by itself.
const TOO_LONG: [&str; 2] = ["PackedPolicyTooLarge", "PackedPolicyTooLargeException"];

/// Codes that mean "not there". The account that is in no organization has nothing to list.
const GONE: [&str; 9] = [
    "NoSuchEntity",
    "NoSuchEntityException",
    // IAM Access Analyzer.
    "ResourceNotFoundException",
    "AccountNotFoundException",
    "AWSOrganizationsNotInUseException",
    "ChildNotFoundException",
    "ParentNotFoundException",
    "TargetNotFoundException",
    "OrganizationalUnitNotFoundException",
];

fn kind_of(status: u16, code: &str) -> FaultKind {
    let refused = (400..500).contains(&status);
    if THROTTLED.contains(&code) {
        FaultKind::Throttled
    } else if TRANSIENT.contains(&code) {
        FaultKind::Transient
    } else if refused && GONE.contains(&code) {
        FaultKind::Gone
    } else if refused && (code.starts_with("AccessDenied") || TOO_LONG.contains(&code)) {
        FaultKind::Denied
    } else {
        match status {
            401 | 403 => FaultKind::Denied,
            429 => FaultKind::Throttled,
            // A 404 with a code that means something else says nothing about what was asked for.
            400..=499 => FaultKind::Bug,
            _ => FaultKind::Transient,
        }
    }
}

/// AWS's message, and what the operator can do where AWS does not say it.
fn with_advice(code: &str, message: String) -> String {
    if TOO_LONG.contains(&code) {
        format!(
            "{message} (the session policy and the session tags are too long together: shorten the user_tags of \
             [[policy.exempt]], or the session tags of keysweep's own credentials)"
        )
    } else {
        message
    }
}

/// What it means that there were no credentials, and why there were none, if that is what happened.
fn without_credentials(
    error: &(dyn std::error::Error + 'static),
    sent: Option<&str>,
) -> Option<(FaultKind, String)> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(credentials) = error.downcast_ref::<CredentialsError>() {
            return Some((kind_without(credentials), words_without(credentials, sent)));
        }
        next = error.source();
    }
    None
}

/// What it means that credentials could not be had.
pub(crate) fn kind_without(error: &CredentialsError) -> FaultKind {
    match error {
        CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_) => {
            FaultKind::Denied
        }
        _ if lacks_a_file(error) => FaultKind::Denied,
        // The enum is open; a provider that failed or took too long may work another time.
        _ => FaultKind::Transient,
    }
}

/// Why credentials could not be had: files that the environment names and that cannot be read, then the error and its
/// causes. The outermost says what was looked for, the innermost why it is not there.
pub(crate) fn words_without(error: &CredentialsError, sent: Option<&str>) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    let files = unreadable_files().into_iter().map(|file| format!("{file}; ")).collect::<String>();
    // Paths are of the operator's own environment, and hold no secret.
    short(&format!("{files}{}", discreet(&text, sent)))
}

/// Whether a file that is needed is not there or may not be read: that stays so until somebody mends it.
fn lacks_a_file(error: &CredentialsError) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        if matches!(kind, Some(std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied)) {
            return true;
        }
        next = error.source();
    }
    false
}

/// At most 300 characters on one line: an error is read by a person.
pub(crate) fn short(text: &str) -> String {
    text.chars().take(300).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text = error.to_string();
        next = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_reads_as_operation_and_kind_and_its_source_as_what_aws_said() {
        let cause = Cause::Answer {
            status: 400,
            code: "Throttling".to_owned(),
            message: "Rate exceeded".to_owned(),
            request_id: None,
        };
        let operation = "list access keys of user ci-deploy in 111122223333".to_owned();
        let fault = Fault::new("iam:ListAccessKeys", operation, (FaultKind::Throttled, cause));
        assert_eq!(fault.to_string(), "list access keys of user ci-deploy in 111122223333: throttled");
        assert_eq!(std::error::Error::source(&fault).unwrap().to_string(), "Throttling: Rate exceeded");
    }

    #[test]
    fn codes_win_over_statuses() {
        assert_eq!(kind_of(400, "TooManyRequestsException"), FaultKind::Throttled);
        assert_eq!(kind_of(400, "AccessDeniedException"), FaultKind::Denied);
        assert_eq!(kind_of(403, "ExpiredToken"), FaultKind::Transient);
        assert_eq!(kind_of(404, "NoSuchEntity"), FaultKind::Gone);
        assert_eq!(kind_of(400, "ValidationError"), FaultKind::Bug);
        assert_eq!(kind_of(503, "ServiceUnavailable"), FaultKind::Transient);
        assert_eq!(kind_of(400, "PackedPolicyTooLarge"), FaultKind::Denied);
    }

    #[test]
    fn absence_is_only_what_a_code_of_aws_says() {
        for (status, code) in [(404, "Unknown"), (410, "ReportNotPresent"), (404, "404"), (404, "NotFound")] {
            assert_eq!(kind_of(status, code), FaultKind::Bug, "{status} {code}");
        }
        // An error of AWS's own side says nothing about what was asked for, whatever it repeats.
        assert_eq!(kind_of(500, "NoSuchEntity"), FaultKind::Transient);
        assert_eq!(kind_of(503, "AccessDenied"), FaultKind::Transient);
    }

    #[test]
    fn a_policy_that_is_too_long_says_what_to_shorten() {
        let told =
            with_advice("PackedPolicyTooLarge", "Packed policy consumes 127% of allotted space".into());
        assert!(told.contains("127%") && told.contains("[[policy.exempt]]"), "{told}");
        assert_eq!(with_advice("AccessDenied", "no".into()), "no");
    }
}
