//! The configuration file as serde reads it: every section, key and default.
//!
//! The comments of the keys become the comments of `config/keysweep.toml` and the descriptions of the JSON schema,
//! so they are written for operators. Every key has a default; what a rule must have (`until`) is optional here and
//! asked for in validation, so that its lack is one mistake among others.

mod http;
mod policy;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::http::{HttpSection, TlsSection, TokenSection};
pub use self::policy::{Day, ExemptSection, MatchSection, OverrideSection, PolicySection};
use super::period::Period;

/// Configuration of keysweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "keysweep.toml")]
pub struct Model {
    /// Where the journal, the records and the socket of the daemon are kept. On a local disk, for one daemon alone.
    pub data_dir: PathBuf,
    /// How AWS is called.
    pub aws: AwsSection,
    /// Which accounts are looked at.
    pub organization: OrganizationSection,
    /// The roles that are assumed in each account.
    pub role: RoleSection,
    /// How often and how accounts are scanned.
    pub scan: ScanSection,
    /// What happens to which key, and when.
    pub policy: PolicySection,
    /// Notices to the owners of keys.
    pub notices: NoticesSection,
    /// How much may change at once. Beyond it the breaker stops every automatic change.
    pub limits: LimitsSection,
    /// Backups of the journal, which the daemon makes by itself.
    pub backup: BackupSection,
    /// Metrics, health, the page and reloads.
    pub http: HttpSection,
    /// Log messages, on stderr.
    pub log: LogSection,
    /// For trying things out. Never for an organization that matters.
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
            notices: NoticesSection::default(),
            limits: LimitsSection::default(),
            backup: BackupSection::default(),
            http: HttpSection::default(),
            log: LogSection::default(),
            dev: DevSection::default(),
        }
    }
}

/// `[aws]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AwsSection {
    /// Region whose STS is called; it decides the partition too (aws, aws-cn, aws-us-gov).
    pub region: String,
    /// Whether AWS_ENDPOINT_URL and its kind may redirect calls. They are refused unless this is true.
    pub allow_endpoint_override: bool,
    /// Limit of one call to AWS with its retries.
    pub operation_timeout: Period,
    /// Limit of one attempt of a call.
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

/// What is done with the management account of the organization, in which roles of members do not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ManagementAccount {
    /// It is not looked at.
    Skip,
    /// It is read with keysweep's own credentials.
    Direct,
    /// It has the roles too.
    Assume,
}

/// `[organization]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OrganizationSection {
    /// Account IDs to scan instead of asking AWS Organizations; empty for the whole organization.
    pub accounts: Vec<String>,
    /// IDs of OUs or roots to which the scan is limited, descendants included; empty for all.
    pub include_ous: Vec<String>,
    /// IDs of OUs that are left out, descendants included.
    pub exclude_ous: Vec<String>,
    /// IDs of accounts that are left out.
    pub exclude_accounts: Vec<String>,
    /// The management account: "skip", "direct" (entered with keysweep's own credentials, for changes too) or "assume"
    /// (it has the roles too).
    pub management_account: ManagementAccount,
    /// How long OUs and account tags, once read, are believed.
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
    /// Role that scans assume: a name, with its path if it has one, or an ARN with {account} in it.
    pub scan: String,
    /// Role that changes assume, written in the same way.
    pub enforce: String,
    /// File that holds the external ID which the trust policies ask for; empty for none.
    pub external_id_file: String,
    /// Session name and source identity, as CloudTrail shows them in each account.
    pub session_name: String,
    /// Life of a session: 15m to 1h, the most that AWS grants to a role assumed from a role.
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

/// Where facts about keys are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScanSource {
    /// From the credential report, or live where there is none.
    Auto,
    /// From the credential report; an account without one fails.
    Report,
    /// By listing users and keys.
    Live,
}

/// `[scan]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ScanSection {
    /// Time from one sweep to the next.
    pub interval: Period,
    /// Accounts that are scanned at the same time: 1 to 1024.
    pub concurrency: u32,
    /// Where facts are read: "report" (the credential report), "live" (users and keys one by one) or "auto" (the
    /// report, live where an account has none).
    pub source: ScanSource,
    /// Age above which a credential report is not used. AWS makes a new one at most every four hours.
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

/// `[notices]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NoticesSection {
    /// Whether a change needs a notice that was delivered; a mode that changes keys then needs a channel. If false,
    /// notices are recorded in the journal only.
    pub required: bool,
}

impl Default for NoticesSection {
    fn default() -> Self {
        Self { required: true }
    }
}

/// `[limits]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsSection {
    /// Deactivations in any 24 hours, in the whole organization.
    pub deactivations_per_day: u32,
    /// Deletions in any 24 hours, in the whole organization.
    pub deletions_per_day: u32,
    /// Changes in any 24 hours in one account.
    pub changes_per_account_per_day: u32,
    /// Share of all active keys that may become due in one sweep before the breaker trips: 0.0 to 1.0.
    pub surge: f64,
    /// Number of keys that may become due in one sweep, whatever their share.
    pub surge_keys: u32,
    /// Share of the accounts that may vanish between two sweeps before the breaker trips: 0.0 to 1.0.
    pub shrink: f64,
    /// Accounts with failed changes in 24 hours at which the breaker trips.
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
    /// Directory for backups of this keysweep alone, best on another disk; it must be there, and writable for the user
    /// that keysweep runs as. Empty for no backups.
    pub directory: String,
    /// Time from one backup to the next. One that fails is tried again after ten minutes.
    pub every: Period,
    /// How many backups are kept. Older ones of keysweep's own are removed, and nothing else.
    pub keep: u32,
}

impl Default for BackupSection {
    fn default() -> Self {
        Self { directory: String::new(), every: Period::hours(24), keep: 7 }
    }
}

/// The form of log messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Text, but for a daemon whose log is read by programs: JSON where stderr is no terminal.
    Auto,
    /// Text.
    Text,
    /// JSON, one object a line.
    Json,
}

/// `[log]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogSection {
    /// "text", "json" or "auto": text, but JSON for a daemon whose stderr is no terminal.
    pub format: LogFormat,
    /// "off", "error", "warn", "info", "debug" or "trace"; also by module, as in "info,keysweep_aws=debug".
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
    /// Whether thresholds, notice and grace may be under 24 hours, and sweeps less than a minute apart.
    pub allow_short_periods: bool,
}
