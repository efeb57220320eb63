//! The configuration file as serde reads it: every section, key and default.
//!
//! The comments of the keys become the comments of `config/keysweep.toml` and the descriptions of the JSON schema,
//! so they are written for operators. Every key has a default; what a rule must have (`until`) is optional here and
//! asked for in validation, so that its lack is one mistake among others.

mod access;
mod http;
mod notices;
mod owners;
mod policy;

use std::path::PathBuf;

use keysweep_core::quarantine::QuarantinePolicy;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::access::{AccessSection, ScopeSection};
pub use self::http::{HttpSection, OidcSection, SessionSection, TlsSection, TokenSection};
pub use self::notices::{
    EmailSection, NoticesSection, RouteMatchSection, RouteSection, SlackSection, WebhookSection,
};
pub use self::owners::{ContactSection, OwnersSection, SourceName};
pub use self::policy::{Day, ExemptSection, MatchSection, OverrideSection, PolicySection};
use super::period::Period;

/// Configuration of keysweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "keysweep.toml")]
pub struct Model {
    /// Directory for the journal, the records, and the daemon's socket. Use a local disk, for one daemon only.
    pub data_dir: PathBuf,
    /// Calls to AWS.
    pub aws: AwsSection,
    /// Accounts to scan.
    pub organization: OrganizationSection,
    /// Roles that keysweep assumes in each account.
    pub role: RoleSection,
    /// Scans of accounts.
    pub scan: ScanSection,
    /// Rules for changing keys.
    pub policy: PolicySection,
    /// Evidence that keysweep checks immediately before it deactivates or deletes a key, in addition to IAM.
    pub evidence: EvidenceSection,
    /// Keys that look unused and require approval for every change.
    pub protect: ProtectSection,
    /// Where keysweep looks for the owner of a key.
    pub owners: OwnersSection,
    /// Notices to owners of keys and to the security team: recipients, reminders, and channels.
    pub notices: NoticesSection,
    /// Limits for automatic changes: daily caps, and the thresholds of the circuit breaker, which stops all automatic
    /// changes.
    pub limits: LimitsSection,
    /// Scheduled backups of the journal.
    pub backup: BackupSection,
    /// Metrics, health, the page, the API, and reloads.
    pub http: HttpSection,
    /// Roles of people: who may look, who may approve, and who may do everything; in the whole organization, or in some
    /// accounts. Tokens have their own role.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub access: Vec<AccessSection>,
    /// Log messages on stderr.
    pub log: LogSection,
    /// Settings for trials. Never use them for a real organization.
    pub dev: DevSection,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            data_dir: "/var/lib/keysweep".into(),
            aws: AwsSection::default(),
            organization: OrganizationSection::default(),
            role: RoleSection::default(),
            scan: ScanSection::default(),
            policy: PolicySection::default(),
            evidence: EvidenceSection::default(),
            protect: ProtectSection::default(),
            owners: OwnersSection::default(),
            notices: NoticesSection::default(),
            limits: LimitsSection::default(),
            backup: BackupSection::default(),
            http: HttpSection::default(),
            access: Vec::new(),
            log: LogSection::default(),
            dev: DevSection::default(),
        }
    }
}

/// `[aws]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AwsSection {
    /// Region of STS. It also determines the partition (aws, aws-cn, aws-us-gov).
    pub region: String,
    /// Permits AWS_ENDPOINT_URL and similar settings, which redirect calls. If false, keysweep rejects them.
    pub allow_endpoint_override: bool,
    /// Timeout of one call to AWS, including retries.
    pub operation_timeout: Period,
    /// Timeout of one attempt of a call.
    pub attempt_timeout: Period,
}

impl Default for AwsSection {
    fn default() -> Self {
        Self {
            region: "us-east-1".to_owned(),
            allow_endpoint_override: false,
            operation_timeout: Period::from_secs(30),
            attempt_timeout: Period::from_secs(10),
        }
    }
}

/// How keysweep handles the management account of the organization, which does not have the roles of member accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ManagementAccount {
    /// Do not scan it.
    Skip,
    /// Read it with keysweep's own credentials, and change nothing in it.
    Direct,
    /// Assume the roles in it, as in member accounts.
    Assume,
}

/// `[organization]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OrganizationSection {
    /// IDs of the accounts to scan instead of the list from AWS Organizations. Empty: the whole organization.
    pub accounts: Vec<String>,
    /// IDs of OUs or roots to scan, including descendants. Empty: all.
    pub include_ous: Vec<String>,
    /// IDs of OUs to exclude, including descendants.
    pub exclude_ous: Vec<String>,
    /// IDs of accounts to exclude.
    pub exclude_accounts: Vec<String>,
    /// How to access the management account: "skip" (do not scan it), "direct" (read it with keysweep's own
    /// credentials, and change nothing in it), or "assume" (assume the roles in it, as in member accounts).
    pub management_account: ManagementAccount,
    /// How long OUs and account tags stay cached for plans: at most 24h.
    pub refresh: Period,
}

impl Default for OrganizationSection {
    fn default() -> Self {
        Self {
            accounts: Vec::new(),
            include_ous: Vec::new(),
            exclude_ous: Vec::new(),
            exclude_accounts: Vec::new(),
            management_account: ManagementAccount::Skip,
            refresh: Period::hours(1),
        }
    }
}

/// `[role]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RoleSection {
    /// Role to assume for scans: a name, including its path if it has one, or an ARN that contains {account}.
    pub scan: String,
    /// Role to assume for changes, in the same format.
    pub enforce: String,
    /// File that contains the external ID that the trust policies require. Empty: no external ID.
    pub external_id_file: String,
    /// Session name and source identity, shown by CloudTrail in each account.
    pub session_name: String,
    /// Duration of a session: 15m to 1h. AWS permits at most 1h for a role that is assumed from a role.
    pub duration: Period,
}

impl Default for RoleSection {
    fn default() -> Self {
        Self {
            scan: "keysweep/KeysweepScan".to_owned(),
            enforce: "keysweep/KeysweepEnforce".to_owned(),
            external_id_file: String::new(),
            session_name: "keysweep".to_owned(),
            duration: Period::hours(1),
        }
    }
}

/// Source of facts about keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScanSource {
    /// The credential report, or live reads for an account without one.
    Auto,
    /// The credential report; an account without one fails.
    Report,
    /// Lists of users and keys.
    Live,
}

/// `[scan]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ScanSection {
    /// Time between sweeps.
    pub interval: Period,
    /// Number of accounts to scan in parallel: 1 to 1024.
    pub concurrency: u32,
    /// Source of facts: "report" (the credential report), "live" (users and keys one by one), or "auto" (the report;
    /// live for an account without one).
    pub source: ScanSource,
    /// Maximum age of a credential report. AWS generates a new one at most every four hours.
    pub report_max_age: Period,
}

impl Default for ScanSection {
    fn default() -> Self {
        Self {
            interval: Period::hours(6),
            concurrency: 64,
            source: ScanSource::Auto,
            report_max_age: Period::hours(6),
        }
    }
}

/// `[evidence]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EvidenceSection {
    /// Whether keysweep looks up the key in CloudTrail event history immediately before it deactivates or deletes the key.
    /// An event newer than the last use that IAM reports prevents the change.
    pub cloudtrail: bool,
    /// Whether keysweep looks up in CloudTrail, once a day in each account, who created access keys. CloudTrail event history
    /// covers 90 days; keysweep stores what it finds. Requires cloudtrail = true.
    pub creators: bool,
    /// ARN of an organization-wide IAM Access Analyzer for unused access, in the account of keysweep's own credentials and in
    /// any Region. keysweep reads its findings immediately before it quarantines a user or deactivates or deletes a key. A
    /// newer use prevents the change, and so does a resolved finding about an Active key that no use explains. A finding that the key is unused
    /// permits nothing. Requires cloudtrail = true. Empty: keysweep does not use an analyzer.
    pub access_analyzer: String,
    /// Regions to search, such as ["us-east-1", "eu-central-1"], as far as they are enabled in the account. Empty: all
    /// enabled Regions.
    pub regions: Vec<String>,
    /// How far to look back: 1d to 90d. CloudTrail event history covers 90 days.
    pub lookback: Period,
    /// Managed policy for quarantine: "AWSDenyAll", or the name of a customer managed policy in each account that begins
    /// with "keysweep-quarantine".
    pub quarantine_policy: String,
    /// PEM file with an Ed25519 private key that signs evidence bundles, as `openssl genpkey -algorithm ed25519` creates it.
    /// Empty: bundles are not signed.
    pub signing_key_file: String,
    /// Maximum size of data_dir/evidence, in megabytes. If there is no room for a bundle, the deletion waits: keysweep never
    /// deletes a bundle.
    pub max_megabytes: u32,
}

impl Default for EvidenceSection {
    fn default() -> Self {
        Self {
            cloudtrail: true,
            creators: true,
            access_analyzer: String::new(),
            regions: Vec::new(),
            lookback: Period::days(90),
            quarantine_policy: QuarantinePolicy::default().into(),
            signing_key_file: String::new(),
            max_megabytes: 4096,
        }
    }
}

/// `[protect]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProtectSection {
    /// Names, paths, and tags (keys or values) of users whose keys may be honeytokens: decoys that raise an alarm when someone
    /// uses them. `*` and `?` are wildcards. Every change of such a key requires approval.
    pub honeytokens: Vec<String>,
    /// Recipients of every message about such keys, in the format of notices.notify: the few people who know about them.
    /// keysweep does not notify the owner or the security team about them. Empty: keysweep notifies nobody about them.
    pub notify: Vec<String>,
}

impl Default for ProtectSection {
    fn default() -> Self {
        Self { honeytokens: ["*canary*", "*honey*"].map(str::to_owned).to_vec(), notify: Vec::new() }
    }
}

/// `[limits]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsSection {
    /// Maximum number of deactivations in any 24 hours, in the whole organization.
    pub deactivations_per_day: u32,
    /// Maximum number of deletions in any 24 hours, in the whole organization.
    pub deletions_per_day: u32,
    /// Maximum number of changes in any 24 hours in one account.
    pub changes_per_account_per_day: u32,
    /// Maximum share of all active keys that may become due in one sweep before the circuit breaker opens: 0.0 to 1.0.
    pub surge: f64,
    /// Number of keys that may become due in one sweep regardless of their share.
    pub surge_keys: u32,
    /// Maximum share of accounts that may disappear between two sweeps before the circuit breaker opens: 0.0 to 1.0.
    pub shrink: f64,
    /// Number of accounts with failed changes in 24 hours at which the circuit breaker opens.
    pub failed_accounts: u32,
}

impl Default for LimitsSection {
    fn default() -> Self {
        Self {
            deactivations_per_day: 50,
            deletions_per_day: 50,
            changes_per_account_per_day: 5,
            surge: 0.10,
            surge_keys: 20,
            shrink: 0.10,
            failed_accounts: 3,
        }
    }
}

/// `[backup]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BackupSection {
    /// Directory for backups of this instance only, preferably on another disk. It must exist and be writable by the
    /// user that keysweep runs as. Empty: no backups.
    pub directory: String,
    /// Time between backups. After a failure, keysweep retries in ten minutes.
    pub every: Period,
    /// Number of backups to keep. keysweep deletes its own older backups and no other files.
    pub keep: u32,
}

impl Default for BackupSection {
    fn default() -> Self {
        Self { directory: String::new(), every: Period::hours(24), keep: 7 }
    }
}

/// Format of log messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// JSON for a daemon whose stderr is not a terminal; otherwise text.
    Auto,
    /// Text.
    Text,
    /// JSON, one object per line.
    Json,
}

/// `[log]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogSection {
    /// Format: "text", "json", or "auto" (JSON for a daemon whose stderr is not a terminal; otherwise text).
    pub format: LogFormat,
    /// Level: "off", "error", "warn", "info", "debug", or "trace"; optionally per module, such as
    /// "info,keysweep_aws=debug".
    pub level: String,
}

impl Default for LogSection {
    fn default() -> Self {
        Self { format: LogFormat::Auto, level: "info".to_owned() }
    }
}

/// `[dev]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DevSection {
    /// Permits thresholds, notice periods, and grace periods of less than 24 hours, and sweeps less than a minute
    /// apart.
    pub allow_short_periods: bool,
}
