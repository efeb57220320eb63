//! How this AWS behaves where the real one varies, or where tests want it to.

use std::time::Duration;

use jiff::SignedDuration;

use crate::origin::Origin;

/// Which of the two account state fields ListAccounts carries.
///
/// `Status` was retired on 2026-09-09 in favour of `State` (Organizations API reference, Account).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AccountFields {
    /// `State` alone, as AWS answers now.
    #[default]
    State,
    /// `Status` alone, as AWS answered before `State` came.
    Status,
    /// Both, as AWS answered in between.
    Both,
    /// Neither: an answer that AWS does not document.
    Neither,
}

/// What the credentials of [`crate::Sim::hub_credentials`] belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hub {
    /// An IAM user of this name: long-lived credentials, no session token, no role chaining.
    User(String),
    /// A role of this name, already assumed: a session token, and whatever it assumes is role chaining (1 h at most).
    Role(String),
}

/// The settings of a [`crate::Sim`]; change them at any time by [`crate::Sim::configure`].
#[derive(Debug, Clone)]
pub struct Settings {
    /// The partition in ARNs: `aws`, `aws-us-gov`, `aws-cn`.
    pub partition: String,
    /// The account that owns the organization.
    pub management_account: String,
    /// The account the hub credentials belong to.
    pub hub_account: String,
    /// What the hub credentials belong to.
    pub hub: Hub,
    /// Member accounts that may read Organizations beside the management account.
    pub delegated_administrators: Vec<String>,
    /// Without it every Organizations call answers AWSOrganizationsNotInUseException.
    pub organizations_in_use: bool,
    /// `State`, the retired `Status`, or both.
    pub account_fields: AccountFields,
    /// Whether accounts carry `Paths`.
    pub account_paths: bool,
    /// The largest page of an Organizations list; AWS stops at 20.
    pub organizations_page: usize,
    /// Puts an empty page with a NextToken before each page of an Organizations list, which AWS documents as legal.
    pub empty_pages: bool,
    /// The largest page of an IAM list whatever MaxItems asks, which AWS documents as legal. None: up to MaxItems.
    pub iam_page: Option<usize>,
    /// Calls of GenerateCredentialReport between STARTED and COMPLETE, counting the one that answers COMPLETE.
    /// 0: a new report is ready in the first answer.
    pub report_polls: u32,
    /// A report younger than this is not remade (AWS: four hours).
    pub report_interval: SignedDuration,
    /// GetCredentialReport answers ReportExpired for a report older than this.
    pub report_lifetime: SignedDuration,
    /// How long a use stays unseen by GetAccessKeyLastUsed and the report. AWS gives no bound; minutes are common.
    pub last_used_lag: SignedDuration,
    /// Whether a call with an Inactive key moves its last use. Nobody outside AWS knows; the default says no.
    pub inactive_use_counts: bool,
    /// How long LookupEvents does not show an event. AWS: about five minutes, without a promise.
    pub trail_lag: SignedDuration,
    /// How many calls of LookupEvents pass in a second of operational time, by account and Region. None: all.
    pub lookups_per_second: Option<u32>,
    /// Where people of the organization call from, unless [`crate::Sim::set_origin`] says otherwise.
    pub people: Origin,
    /// The source address of callers on the wire.
    pub caller_address: String,
    /// Waited (tokio time) before each answer, for benchmarks.
    pub latency: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            partition: "aws".to_owned(),
            management_account: "100000000000".to_owned(),
            hub_account: "100000000000".to_owned(),
            hub: Hub::User("keysweep-hub".to_owned()),
            delegated_administrators: Vec::new(),
            organizations_in_use: true,
            account_fields: AccountFields::default(),
            account_paths: false,
            organizations_page: 20,
            empty_pages: false,
            iam_page: None,
            report_polls: 1,
            report_interval: SignedDuration::from_hours(4),
            report_lifetime: SignedDuration::from_hours(24),
            last_used_lag: SignedDuration::ZERO,
            inactive_use_counts: false,
            trail_lag: SignedDuration::from_mins(5),
            lookups_per_second: Some(2),
            people: Origin::console(),
            caller_address: "192.0.2.10".to_owned(),
            latency: Duration::ZERO,
        }
    }
}
