//! The only crate that knows the AWS SDK: one function per call that keysweep makes.
//!
//! * [`Aws`]: who we are, the organization, and the way into an account;
//! * [`Reader`]: what is read of one account, under a session that can only read;
//! * [`Prepared`]: one change of one key, under a session that can do nothing else;
//! * [`report`]: the credential report, and how its slots are matched with keys;
//! * [`Fault`]: how a call failed, and [`CallOutcome`]: what is known of a change afterwards.
//!
//! Nothing is decided here. No type of the SDK is public, except the HTTP client through which tests and the demo
//! put an AWS of their own under the real clients ([`SharedHttpClient`]).

mod analyzer;
mod aws;
mod change;
mod connect;
mod convert;
mod credentials;
mod discreet;
mod fault;
mod limits;
mod org;
mod pages;
mod pulse;
mod reader;
pub mod report;
mod role;
mod session;
mod session_policy;
mod settings;
mod simulate;
mod skew;
mod trail;
mod whole;

pub use aws_smithy_runtime_api::client::http::SharedHttpClient;

pub use crate::analyzer::{ANALYZER_ACTIONS, Analyzer, AnalyzerSeen, ParseAnalyzerError};
pub use crate::aws::{Access, Aws, Caller};
pub use crate::change::{CallOutcome, Prepared};
pub use crate::connect::ConnectError;
pub use crate::credentials::{CredentialOrigin, HubCredentials};
pub use crate::fault::{Cause, Fault, FaultKind};
pub use crate::limits::{Rate, Rates};
pub use crate::org::{AccountPages, AccountState, ListedAccount, Tree};
pub use crate::pulse::Pulse;
pub use crate::reader::{ListedKey, Reader, UserDetail, UserListed};
pub use crate::report::{Report, ReportError, ReportFault, ReportState};
pub use crate::role::{ParseRoleError, Partition, RoleName};
pub use crate::session_policy::{
    EVIDENCE_ACTIONS, MAX_SESSION_POLICY, QUARANTINE_ACTIONS, READ_ACTIONS, REPORT_ACTIONS, SIMULATE_ACTION,
    api_of, session_policy_length,
};
pub use crate::settings::{Observer, Settings, StaticCredentials, Wall};
pub use crate::simulate::Simulated;
