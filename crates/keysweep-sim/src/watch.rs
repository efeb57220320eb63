//! Watching every call from outside, as it comes and as it is answered.

use bytes::Bytes;
use jiff::Timestamp;

use crate::wire::Incoming;

/// One call on the wire.
#[derive(Debug)]
pub struct Call<'a> {
    /// Counts up from 1 over all calls.
    pub number: u64,
    /// World time when it came.
    pub at: Timestamp,
    /// The account it counts for: the caller's, and for AssumeRole the role's.
    pub account: &'a str,
    /// `iam:UpdateAccessKey`, `organizations:ListAccounts`, ...
    pub action: &'static str,
    /// The ARN of the role whose session signed it, if one did.
    pub role_arn: Option<&'a str>,
    pub(crate) incoming: &'a Incoming,
}

impl Call<'_> {
    /// The Region it is signed for.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.incoming.region
    }

    /// The whole body, where it is JSON: that of Organizations, CloudTrail, and Account Management.
    #[must_use]
    pub fn body(&self) -> Option<&serde_json::Value> {
        self.incoming.params.body()
    }

    /// A parameter that is a text: `UserName`, `AccessKeyId`, `Status`.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.incoming.params.get(name)
    }
}

/// What came of a call.
#[derive(Debug)]
pub enum Outcome<'a> {
    /// An answer is on its way.
    Answered {
        /// HTTP status.
        status: u16,
        /// XML of IAM and STS, JSON of the others.
        body: &'a Bytes,
    },
    /// The connection broke before an answer came.
    Lost,
}

/// Is told of every call, outside of the simulator's lock, so that it may ask the [`Sim`](crate::Sim) what is true.
pub trait Watcher: Send + Sync {
    /// A call comes; nothing has been carried out. Without leave the connection breaks and the call never was: the
    /// process that sent it is dead.
    fn comes(&self, call: &Call<'_>) -> bool;

    /// A call was carried out or lost. Without leave an answer is lost on its way. A call that its caller abandons
    /// has no end.
    fn ends(&self, call: &Call<'_>, outcome: &Outcome<'_>) -> bool;
}
