//! What the operator wants, read from file, environment and flags, and validated as a whole.
//!
//! [`load`] goes in one visible order: defaults, file, environment, flags, derived values, validation. Every mistake
//! that can be found is reported at once, each with where it stands, what was found and what was expected. A
//! [`Config`] that exists is valid; nothing of it is global, so loading again is simply another value.

mod channels;
mod directory;
mod file;
mod layers;
mod load;
mod locate;
mod manual;
mod mistake;
pub mod model;
mod path;
pub mod period;
mod reference;
mod schema;
mod show;
mod sources;
mod starter;
mod validate;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use http::uri::Authority;
use ipnet::IpNet;
use keysweep_aws::{Analyzer, RoleName};
use keysweep_core::ids::{AccountId, OuId};
use keysweep_core::policy::Policy;
use secrecy::{ExposeSecret as _, SecretString};

pub use self::channels::{
    Channels, Email, MailSecurity, Mailbox, SlackApprovals, SlackBot, WebhookFormat, WebhookTarget,
};
pub(crate) use self::directory::read_directory;
pub use self::load::{load, load_to_serve};
pub use self::locate::data_dir;
pub use self::manual::reference_markdown;
pub use self::mistake::{ConfigError, Mistake, Origin};
pub use self::model::{LogFormat, ManagementAccount, ScanSource};
pub use self::reference::reference_toml;
pub use self::schema::schema;
pub use self::show::{Effective, Setting};
pub use self::sources::{CREDENTIALS_VARIABLE, DEFAULT_FILE, FILE_VARIABLE, Flag, Sources, VARIABLE_PREFIX};
pub use self::starter::{Starter, starter_toml};
use crate::access::Holding;
use crate::token::Token;

/// A valid configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where journal, records and socket are kept.
    pub data_dir: PathBuf,
    /// `[aws]`.
    pub aws: Aws,
    /// `[organization]`.
    pub organization: Organization,
    /// `[role]`.
    pub role: Role,
    /// `[scan]`.
    pub scan: Scan,
    /// `[policy]`, `[limits]` and `[notices]`.
    pub policy: Policy,
    /// The channels of `[notices]`, with their secrets.
    pub channels: Channels,
    /// `[evidence]`; whether a change needs it is in the policy.
    pub evidence: Evidence,
    /// `owners.directory_file`; what it lists is in the policy.
    pub directory_file: Option<PathBuf>,
    /// `[backup]`; `None` where none is asked for.
    pub backup: Option<Backup>,
    /// `[http]`.
    pub http: Http,
    /// `[[access]]`.
    pub access: Vec<Holding>,
    /// `[log]`.
    pub log: Log,
    /// `[dev]`.
    pub dev: Dev,
    /// What is valid and still questionable.
    pub warnings: Vec<Mistake>,
    /// Every value with where it comes from, for `keysweep config show`.
    pub effective: Effective,
}

impl Config {
    /// Whether another configuration does the same: every value is equal, what is read from files included. Where
    /// values come from, and warnings, do not count.
    #[must_use]
    pub fn does_the_same(&self, other: &Self) -> bool {
        let Self {
            data_dir,
            aws,
            organization,
            role,
            scan,
            policy,
            channels,
            evidence,
            directory_file,
            backup,
            http,
            access,
            log,
            dev,
            warnings: _,
            effective: _,
        } = self;
        let Role { scan: scanner, enforce, external_id, session_name, duration } = role;
        let secret = |id: &Option<SecretString>| id.as_ref().map(|id| id.expose_secret().to_owned());
        *data_dir == other.data_dir
            && *aws == other.aws
            && *organization == other.organization
            && scanner.to_string() == other.role.scan.to_string()
            && enforce.to_string() == other.role.enforce.to_string()
            && secret(external_id) == secret(&other.role.external_id)
            && *session_name == other.role.session_name
            && *duration == other.role.duration
            && *scan == other.scan
            && *policy == other.policy
            && *channels == other.channels
            && *evidence == other.evidence
            && *directory_file == other.directory_file
            && *backup == other.backup
            && *http == other.http
            && *access == other.access
            && *log == other.log
            && *dev == other.dev
    }
}

/// How AWS is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aws {
    /// Region of STS; it decides the partition too.
    pub region: String,
    /// Whether `AWS_ENDPOINT_URL*` may redirect calls.
    pub allow_endpoint_override: bool,
    /// Limit of a call with its retries.
    pub operation_timeout: Duration,
    /// Limit of one attempt; at most that of the call.
    pub attempt_timeout: Duration,
}

/// Which accounts are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// Accounts to scan instead of asking Organizations; empty for the whole organization.
    pub accounts: Vec<AccountId>,
    /// OUs or roots to which the scan is limited; empty for all.
    pub include_ous: Vec<OuId>,
    /// OUs that are left out.
    pub exclude_ous: Vec<OuId>,
    /// Accounts that are left out.
    pub exclude_accounts: Vec<AccountId>,
    /// What is done with the management account.
    pub management_account: ManagementAccount,
    /// How long OUs and account tags, once read, are believed.
    pub refresh: Duration,
}

/// The roles of the accounts.
#[derive(Debug, Clone)]
pub struct Role {
    /// Role that scans assume.
    pub scan: RoleName,
    /// Role that changes assume.
    pub enforce: RoleName,
    /// What the trust policies expect as `sts:ExternalId`: the content of `role.external_id_file`.
    pub external_id: Option<SecretString>,
    /// Session name and source identity.
    pub session_name: String,
    /// Life of a session: 15 minutes to an hour.
    pub duration: Duration,
}

/// How often and how accounts are scanned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// Time from one sweep to the next.
    pub interval: Duration,
    /// Accounts scanned at the same time: 1 to 1024.
    pub concurrency: usize,
    /// Where facts are read.
    pub source: ScanSource,
    /// Age above which a credential report is not used.
    pub report_max_age: Duration,
}

/// Where to look for a key in CloudTrail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Regions, as far as they are enabled in an account; empty for all that are.
    pub regions: Vec<String>,
    /// How far to look back: one day to 90.
    pub lookback: Duration,
    /// Whether to look up once a day who created access keys.
    pub creators: bool,
    /// The analyzer of unused access that is asked as well.
    pub access_analyzer: Option<Analyzer>,
    /// PEM file with the Ed25519 key that signs evidence bundles.
    pub signing_key: Option<PathBuf>,
    /// How many bytes all evidence bundles may have together.
    pub most_bytes: u64,
}

/// Backups of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// Where they are.
    pub directory: PathBuf,
    /// Time from one to the next.
    pub every: Duration,
    /// How many are kept: at least one.
    pub keep: usize,
}

/// Metrics, health, the page and reloads.
#[derive(Debug, Clone, PartialEq)]
pub struct Http {
    /// Address and port. On other than a loopback address only metrics and health are served, unless there are TLS and
    /// tokens.
    pub listen: SocketAddr,
    /// The certificate; without one HTTP is plain.
    pub tls: Option<TlsFiles>,
    /// Under which name and port a reverse proxy serves the page over https.
    pub public: Option<Authority>,
    /// Who may ask for what is not open to everybody.
    pub tokens: Vec<Token>,
    /// The Unix socket for other users of this machine.
    pub socket: Option<PathBuf>,
    /// Networks of reverse proxies.
    pub trusted_proxies: Vec<IpNet>,
    /// Login through an identity provider.
    pub oidc: Option<Oidc>,
    /// How long a session lasts without use, and at most.
    pub session: SessionLife,
}

/// How long a session lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLife {
    /// Without use.
    pub idle: Duration,
    /// After the login.
    pub lifetime: Duration,
}

/// An OpenID Connect provider.
#[derive(Debug, Clone)]
pub struct Oidc {
    /// The issuer.
    pub issuer: String,
    /// The client ID of keysweep.
    pub client_id: String,
    /// The client secret, if there is one.
    pub client_secret: Option<SecretString>,
    /// Scopes to request besides openid.
    pub scopes: Vec<String>,
    /// The claim with the groups of a person.
    pub groups_claim: String,
    /// Further root certificates, in PEM.
    pub roots: Option<String>,
}

impl PartialEq for Oidc {
    fn eq(&self, other: &Self) -> bool {
        let secret = |of: &Self| of.client_secret.as_ref().map(|secret| secret.expose_secret().to_owned());
        let Self { issuer, client_id, client_secret: _, scopes, groups_claim, roots } = self;
        *issuer == other.issuer
            && *client_id == other.client_id
            && secret(self) == secret(other)
            && *scopes == other.scopes
            && *groups_claim == other.groups_claim
            && *roots == other.roots
    }
}

/// Where a certificate and its key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and those of its issuers, in PEM.
    pub cert: PathBuf,
    /// The private key of the certificate, in PEM.
    pub key: PathBuf,
}

/// Log messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Their form.
    pub format: LogFormat,
    /// What is logged, as `tracing_subscriber::EnvFilter` reads it.
    pub level: String,
}

/// For trying things out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dev {
    /// Whether periods may be shorter than is safe.
    pub allow_short_periods: bool,
}
