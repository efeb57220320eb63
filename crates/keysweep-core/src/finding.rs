//! What is found in an account: what it is about, what is wrong, and how bad that is.
//!
//! A finding is no state: keysweep takes access keys through a lifecycle, and only some findings are a reason for it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::facts::{AccountScan, KeyFacts, KeyStatus};
use crate::ids::{AccessKeyId, UserName};
use crate::lifecycle::INCIDENT_REMEDY;

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject<'a> {
    /// An access key of a user.
    Key(&'a KeyFacts),
    /// An access key of the root user, of which AWS tells others only that it exists.
    RootKey,
}

/// What kind of thing a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum SubjectKind {
    /// An access key of a user.
    Key,
    /// An access key of the root user.
    RootKey,
}

impl SubjectKind {
    /// Its name in JSON and CSV.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Severity {
    /// In use and old.
    Low,
    /// Unused.
    Medium,
    /// Unused, or never used, for a year.
    High,
    /// A key of the root user, or one that AWS considers compromised.
    Critical,
}

impl Severity {
    /// Its name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What is wrong with the subject of a finding.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[derive(strum::Display, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum FindingKind {
    /// Was used; idle past `unused_after`.
    Unused,
    /// No use since creation, past `never_used_after`.
    NeverUsed,
    /// In use, older than `max_age`. Never leads to a change: deactivating a key in use would break what uses it.
    OverAge,
    /// An active key of the root user.
    RootKey,
}

impl FindingKind {
    /// Every kind of which access keys of users are.
    pub const OF_KEYS: [Self; 3] = [Self::Unused, Self::NeverUsed, Self::OverAge];

    /// Its name in JSON, metrics and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether it is a reason to take the key through the lifecycle.
    #[must_use]
    pub fn is_stale(self) -> bool {
        match self {
            Self::Unused | Self::NeverUsed => true,
            Self::OverAge | Self::RootKey => false,
        }
    }
}

/// One finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding<'a> {
    /// What it is about.
    pub subject: Subject<'a>,
    /// What is wrong.
    pub kind: FindingKind,
    /// Whether AWS considers the subject compromised.
    pub incident: bool,
}

impl<'a> Finding<'a> {
    /// About an access key of a user.
    #[must_use]
    pub fn of_key(facts: &'a KeyFacts, kind: FindingKind, incident: bool) -> Self {
        Self { subject: Subject::Key(facts), kind, incident }
    }

    /// How bad it is.
    #[must_use]
    pub fn severity(&self, now: Timestamp) -> Severity {
        match self.kind {
            _ if self.incident => Severity::Critical,
            FindingKind::Unused | FindingKind::NeverUsed if self.idle_days(now) >= 365 => Severity::High,
            FindingKind::Unused | FindingKind::NeverUsed => Severity::Medium,
            FindingKind::OverAge => Severity::Low,
            FindingKind::RootKey => Severity::Critical,
        }
    }

    /// Controls of the CIS AWS Foundations Benchmark and of Security Hub's IAM controls that it fails.
    #[must_use]
    pub fn compliance(&self, now: Timestamp) -> Vec<String> {
        let root = self.kind == FindingKind::RootKey;
        let idle = match self.kind {
            FindingKind::Unused | FindingKind::NeverUsed => self.idle_days(now),
            FindingKind::OverAge | FindingKind::RootKey => 0,
        };
        let age = match self.subject {
            Subject::Key(facts) => facts.age_days(now),
            Subject::RootKey => 0,
        };
        let controls = [
            ("CIS 1.4", root),
            ("IAM.4", root),
            ("CIS 1.12", idle >= 45),
            ("IAM.22", idle >= 45),
            ("IAM.8", idle >= 90),
            ("CIS 1.14", age >= 90),
            ("IAM.3", age >= 90),
        ];
        controls.into_iter().filter(|(_, fails)| *fails).map(|(name, _)| name.into()).collect()
    }

    /// What remedies it: AWS CLI commands, or words where no command does.
    #[must_use]
    pub fn remediation(&self) -> Vec<String> {
        let facts = match self.subject {
            // To deactivate or delete it is not all that an incident needs.
            _ if self.incident => return vec![INCIDENT_REMEDY.into()],
            Subject::Key(facts) => facts,
            Subject::RootKey => {
                let by_hand =
                    "sign in as the root user and delete its access keys under Security credentials";
                return vec![by_hand.into()];
            }
        };
        let of_key = options(&facts.user_name, &facts.key);
        match facts.status {
            KeyStatus::Active => vec![
                format!("aws iam update-access-key {of_key} --status Inactive"),
                format!("aws iam delete-access-key {of_key}"),
            ],
            KeyStatus::Inactive => vec![format!("aws iam delete-access-key {of_key}")],
            KeyStatus::Other(_) => Vec::new(),
        }
    }

    /// Full days since last use, or since creation where it was never used; 0 where that is not known.
    fn idle_days(&self, now: Timestamp) -> i64 {
        match self.subject {
            Subject::Key(facts) => facts.idle_days(now).unwrap_or(0),
            Subject::RootKey => 0,
        }
    }
}

/// What is found of the root user of an account: one finding for each of its active keys.
pub fn of_root(scan: &AccountScan) -> impl Iterator<Item = Finding<'static>> {
    let keys = scan.inventory.root_keys.unwrap_or(0);
    (0..keys).map(|_| Finding { subject: Subject::RootKey, kind: FindingKind::RootKey, incident: false })
}

/// The AWS CLI command that sets a key Active, for when keysweep cannot.
#[must_use]
pub fn undo_by_hand(user: &UserName, key: &AccessKeyId) -> String {
    format!("aws iam update-access-key {} --status Active", options(user, key))
}

/// The AWS CLI command that detaches a policy from a user, for when keysweep cannot.
#[must_use]
pub fn detach_by_hand(user: &UserName, policy_arn: &str) -> String {
    format!("aws iam detach-user-policy {} --policy-arn {policy_arn}", of_user(user))
}

fn options(user: &UserName, key: &AccessKeyId) -> String {
    format!("{} --access-key-id {key}", of_user(user))
}

fn of_user(user: &UserName) -> String {
    let user = user.as_str();
    // A name that begins with a dash would be taken for an option.
    let to = if user.starts_with('-') { '=' } else { ' ' };
    format!("--user-name{to}{}", quote(user))
}

/// Quotes for a POSIX shell.
fn quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
    if text.chars().all(plain) { text.into() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Findings of one account by kind. Those of the root user are counted by the inventory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    #[serde(flatten, deserialize_with = "without_zeros")]
    by_kind: BTreeMap<FindingKind, u64>,
    /// How many of the stale keys an exemption holds back.
    pub exempt: u64,
}

/// A count of zero is the same as none.
fn without_zeros<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<FindingKind, u64>, D::Error> {
    let mut counts = BTreeMap::<FindingKind, u64>::deserialize(from)?;
    counts.retain(|_, count| *count > 0);
    Ok(counts)
}

impl Counts {
    /// These, of which so many are exempt.
    #[must_use]
    pub fn new(counts: impl IntoIterator<Item = (FindingKind, u64)>, exempt: u64) -> Self {
        let mut all = Self { exempt, ..Self::default() };
        counts.into_iter().for_each(|(kind, count)| all.add(kind, count));
        all
    }

    /// So many of a kind.
    #[must_use]
    pub fn of(&self, kind: FindingKind) -> u64 {
        self.by_kind.get(&kind).copied().unwrap_or(0)
    }

    /// Stale keys.
    #[must_use]
    pub fn stale(&self) -> u64 {
        let stale = self.by_kind.iter().filter(|(kind, _)| kind.is_stale());
        stale.map(|(_, count)| count).sum()
    }

    /// Counts some of a kind.
    pub fn add(&mut self, kind: FindingKind, count: u64) {
        if count > 0 {
            *self.by_kind.entry(kind).or_default() += count;
        }
    }

    /// Adds another account's counts.
    pub fn merge(&mut self, other: &Self) {
        other.by_kind.iter().for_each(|(kind, count)| self.add(*kind, *count));
        self.exempt += other.exempt;
    }

    /// These counts, made up towards the last known ones by as many keys as are `hidden`: a finding that could not be
    /// judged this time has not gone away.
    #[must_use]
    pub fn or_last_known(mut self, last: &Self, hidden: u64) -> Self {
        let mut left = hidden;
        for (kind, before) in &last.by_kind {
            let kept = before.saturating_sub(self.of(*kind)).min(left);
            left -= kept;
            self.add(*kind, kept);
        }
        // Exempt keys are among the others.
        self.exempt += last.exempt.saturating_sub(self.exempt).min(hidden);
        self
    }
}
