//! Asking for the credential report.

use aws_sdk_iam::types::ReportStateType;
use jiff::{SignedDuration, Timestamp};

use super::{Report, ReportError};
use crate::convert::{age, timestamp};
use crate::fault::{Cause, Fault};
use crate::reader::Reader;

/// How far AWS is with the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportState {
    /// It can be fetched.
    Ready,
    /// It is being made: ask again later. Real accounts take seconds to minutes.
    Pending,
}

/// Why there is no report to use. Every one of these leaves the live way open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportFault {
    /// A call failed; denied, for example.
    #[error(transparent)]
    Call(#[from] Fault),
    /// IAM has no capacity to make one now (`LimitExceeded`).
    #[error("no capacity to make a credential report")]
    NoCapacity(#[source] Fault),
    /// There is none at the moment, though it was said to be ready.
    #[error("credential report is not there")]
    NotThere(#[source] Fault),
    /// The one there is was made too long ago; IAM makes a new one every four hours at most.
    #[error("credential report of {generated_at} is too old")]
    TooOld {
        /// When it was made.
        generated_at: Timestamp,
    },
    /// It cannot be read.
    #[error("credential report cannot be read")]
    Unreadable(#[from] ReportError),
}

impl Reader {
    /// Asks for the report to be made, and how far it is; `iam:GenerateCredentialReport`.
    ///
    /// One call. While it is [`ReportState::Pending`] the caller sleeps and asks again, so that it can give up its
    /// place to another account meanwhile. A report that is ready costs this call and [`Reader::fetch_report`].
    ///
    /// # Errors
    /// If the call fails, or there is no capacity.
    pub async fn request_report(&self) -> Result<ReportState, ReportFault> {
        let operation = || format!("generate credential report of {}", self.account());
        let call = |iam: &aws_sdk_iam::Client| iam.generate_credential_report().send();
        let answer =
            self.call("iam:GenerateCredentialReport", operation, call).await.map_err(
                |fault| match code_of(&fault) {
                    Some("LimitExceeded" | "LimitExceededException") => ReportFault::NoCapacity(fault),
                    Some(_) | None => ReportFault::Call(fault),
                },
            )?;
        match answer.state() {
            Some(ReportStateType::Complete) => Ok(ReportState::Ready),
            Some(ReportStateType::Started | ReportStateType::Inprogress) => Ok(ReportState::Pending),
            // The SDK's enum is open, and a state that is missing is as good as an unknown one.
            other => {
                let what = format!("answer's State is {:?}", other.map(ReportStateType::as_str));
                Err(ReportFault::Call(Fault::bug("iam:GenerateCredentialReport", operation(), what)))
            }
        }
    }

    /// Fetches the report, if it is not older than `max_age`; `iam:GetCredentialReport`.
    ///
    /// `now` is policy time: the report's age, and every date in it, is held against it.
    ///
    /// # Errors
    /// If there is none, or it is too old or cannot be read.
    pub async fn fetch_report(&self, now: Timestamp, max_age: SignedDuration) -> Result<Report, ReportFault> {
        let operation = || format!("get credential report of {}", self.account());
        let call = |iam: &aws_sdk_iam::Client| iam.get_credential_report().send();
        let answer = self.call("iam:GetCredentialReport", operation, call).await.map_err(|fault| {
            match code_of(&fault) {
                Some(
                    "ReportNotPresent"
                    | "ReportExpired"
                    | "ReportInProgress"
                    | "CredentialReportNotPresentException"
                    | "CredentialReportExpiredException"
                    | "CredentialReportNotReadyException",
                ) => ReportFault::NotThere(fault),
                Some(_) | None => ReportFault::Call(fault),
            }
        })?;
        let generated_at = timestamp("GeneratedTime", answer.generated_time())
            .map_err(|what| ReportFault::Call(Fault::bug("iam:GetCredentialReport", operation(), what)))?;
        if age(generated_at, now) > max_age {
            return Err(ReportFault::TooOld { generated_at });
        }
        let content = answer.content.map(aws_sdk_iam::primitives::Blob::into_inner).unwrap_or_default();
        Ok(Report::parse(content, self.account(), generated_at, now)?)
    }
}

fn code_of(fault: &Fault) -> Option<&str> {
    match fault.cause() {
        Cause::Answer { code, .. } => Some(code),
        Cause::Timeout
        | Cause::Connection(_)
        | Cause::NotSent(_)
        | Cause::Unreadable { .. }
        | Cause::Contract(_) => None,
    }
}
