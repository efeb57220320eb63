//! What a connection to AWS needs to know.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use crate::SharedHttpClient;
use crate::fault::FaultKind;
use crate::limits::Rates;
use crate::role::RoleName;

/// The operational wall clock: signing, expiry of sessions, skew. Never scaled, unlike policy time.
pub type Wall = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Is told of every call. Both functions are called often and must be quick.
pub trait Observer: Send + Sync {
    /// A call ended, retries included.
    ///
    /// `api` is the operation in IAM's notation, such as `iam:ListAccessKeys`; `elapsed` leaves out the time spent
    /// waiting for a limiter of ours.
    fn call(&self, api: &'static str, result: Result<(), FaultKind>, elapsed: Duration);

    /// What an answer's `Date` header says about our clock, to the second: AWS minus ours.
    fn skew(&self, aws_minus_ours: SignedDuration);
}

/// Nobody wants to know.
impl Observer for () {
    fn call(&self, _api: &'static str, _result: Result<(), FaultKind>, _elapsed: Duration) {}

    fn skew(&self, _aws_minus_ours: SignedDuration) {}
}

/// Credentials that are given and not looked for: demo and tests.
#[derive(Clone)]
pub struct StaticCredentials {
    /// Access key ID.
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: SecretString,
    /// Session token, of temporary credentials.
    pub session_token: Option<SecretString>,
}

/// What a connection to AWS needs to know.
#[derive(Clone)]
pub struct Settings {
    /// Region of STS; it decides the partition too.
    pub region: String,
    /// Limit of one attempt of a call.
    pub attempt_timeout: Duration,
    /// Limit of a call with its retries.
    pub operation_timeout: Duration,
    /// Whether `AWS_ENDPOINT_URL*` and `endpoint_url` of a profile may redirect calls.
    pub allow_endpoint_override: bool,
    /// What the roles of the accounts expect as `sts:ExternalId`.
    pub external_id: Option<SecretString>,
    /// Session name and source identity, as CloudTrail of the accounts shows it: 2 to 64 characters.
    pub session_name: String,
    /// Life of a scan session: 15 minutes to 12 hours, at most an hour where the hub itself runs under a role.
    pub session_duration: Duration,
    /// Role that scans assume.
    pub scan_role: RoleName,
    /// Role that changes assume.
    pub enforce_role: RoleName,
    /// Tokens for retries per account: a retry takes 5 (10 after a timeout), a success gives 1 back.
    pub retry_budget: usize,
    /// How fast calls may be sent.
    pub rates: Rates,
    /// HTTP client to use instead of our own: tests and demo.
    pub http: Option<SharedHttpClient>,
    /// The operational wall clock.
    pub wall: Wall,
    /// Who is told of calls.
    pub observer: Arc<dyn Observer>,
    /// Credentials of the hub instead of the default provider chain: tests and demo.
    pub credentials: Option<StaticCredentials>,
    /// Endpoint of every service instead of AWS's: tests and demo. Nothing in the environment overrides it.
    pub endpoint: Option<String>,
}

impl Settings {
    /// The defaults of the configuration file.
    #[must_use]
    pub fn new(wall: Wall) -> Self {
        Self {
            region: "us-east-1".to_owned(),
            attempt_timeout: Duration::from_secs(10),
            operation_timeout: Duration::from_secs(30),
            allow_endpoint_override: false,
            external_id: None,
            session_name: "keysweep".to_owned(),
            session_duration: Duration::from_secs(3600),
            scan_role: RoleName::scan(),
            enforce_role: RoleName::enforce(),
            // The SDK's own default: a hundred retries in a row, then only as many as calls succeed.
            retry_budget: 500,
            rates: Rates::default(),
            http: None,
            wall,
            observer: Arc::new(()),
            credentials: None,
            endpoint: None,
        }
    }
}
