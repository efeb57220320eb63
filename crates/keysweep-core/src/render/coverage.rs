//! What was looked at, and what was not.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::facts::{Collection, Outcome};
use crate::ids::AccountId;
use crate::plan::PlannedKey;

/// What was looked at, and what was not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Coverage {
    /// Accounts in the organization or the static list.
    pub accounts: u64,
    /// How many were scanned.
    pub scanned: u64,
    /// Candidate keys of which a fact could not be read; users, rows of reports and root users that could not be read
    /// count as one each.
    pub unknown_keys: u64,
    /// Accounts that could not be scanned.
    pub failed: Vec<NotScanned>,
    /// Accounts that were not to be scanned.
    pub skipped: Vec<NotScanned>,
    /// Users whose keys could not be listed.
    pub unread_users: Vec<UnreadUser>,
    /// Rows of credential reports that name nobody: somebody's keys are unknown.
    #[serde(default)]
    pub unread_rows: Vec<NotScanned>,
    /// Accounts of which it is unknown whether the root user has keys.
    #[serde(default)]
    pub root_keys_unknown: Vec<NotScanned>,
    /// Accounts that were read user by user because there was no credential report to use. Nothing is missing.
    #[serde(default)]
    pub fallback: Vec<NotScanned>,
    /// Why this is not everything that was asked for, in words; empty if it is. The findings may then not be all.
    #[serde(default)]
    pub incomplete: Vec<String>,
}

impl Coverage {
    /// Whether everything that was asked for was scanned and read.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.incomplete.is_empty()
    }

    fn find_gaps(&mut self, asked_by_name: bool) {
        let mut gaps = Vec::new();
        let of = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
        if self.scanned == 0 {
            // Also where the configuration leaves every account out: nothing is known of any key.
            gaps.push(format!(
                "0 of {} scanned",
                of(usize::try_from(self.accounts).unwrap_or(usize::MAX), "account", "accounts")
            ));
        }
        if !self.failed.is_empty() {
            gaps.push(format!("{} could not be scanned", of(self.failed.len(), "account", "accounts")));
        }
        if asked_by_name {
            let not = |one: &NotScanned| {
                format!("account {} was asked for and skipped: {}", one.account_id, one.reason)
            };
            gaps.extend(self.skipped.iter().map(not));
        }
        if self.unknown_keys > 0 {
            let keys = usize::try_from(self.unknown_keys).unwrap_or(usize::MAX);
            gaps.push(format!("facts about {} could not be read", of(keys, "key", "keys")));
        }
        self.incomplete = gaps;
    }
}

/// An account that was not scanned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotScanned {
    /// Account.
    pub account_id: String,
    /// Why.
    pub reason: String,
}

/// A user whose keys could not be listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnreadUser {
    /// Account.
    pub account_id: String,
    /// User.
    pub user_name: String,
    /// Why.
    pub reason: String,
}

/// What was looked at.
#[must_use]
pub fn coverage(collection: &Collection, keys: &[PlannedKey]) -> Coverage {
    coverage_in(collection, keys, |_| true)
}

/// As [`coverage`], of the accounts that `sees` admits.
#[must_use]
pub fn coverage_in(
    collection: &Collection,
    keys: &[PlannedKey],
    sees: impl Fn(AccountId) -> bool,
) -> Coverage {
    let mut coverage = Coverage::default();
    let accounts = || collection.accounts.iter().filter(|(account, _)| sees(account.id));
    for (account, outcome) in accounts() {
        coverage.accounts += 1;
        let not_scanned =
            |reason: &String| NotScanned { account_id: account.id.to_string(), reason: reason.clone() };
        match outcome {
            Outcome::Scanned(scan) => {
                coverage.scanned += 1;
                coverage.unread_users.extend(scan.unread_users.iter().map(|(user, reason)| UnreadUser {
                    account_id: account.id.to_string(),
                    user_name: user.to_string(),
                    reason: reason.clone(),
                }));
                coverage.unread_rows.extend(scan.unread_rows.iter().map(not_scanned));
                coverage.root_keys_unknown.extend(scan.root_keys_unknown.iter().map(not_scanned));
                coverage.fallback.extend(scan.fallback.iter().map(not_scanned));
            }
            Outcome::Failed { reason } => coverage.failed.push(not_scanned(reason)),
            Outcome::Skipped { reason } => coverage.skipped.push(not_scanned(reason)),
        }
    }
    let unread = |outcome: &Outcome| match outcome {
        Outcome::Scanned(scan) => scan.unread(),
        Outcome::Failed { .. } | Outcome::Skipped { .. } => 0,
    };
    // As `plan::unknown_keys` counts, which gave the plan its keys.
    let unknown = keys.iter().filter(|key| sees(key.facts.account) && !key.unknown.is_empty()).count()
        + accounts().map(|(_, outcome)| unread(outcome)).sum::<usize>();
    coverage.unknown_keys = u64::try_from(unknown).unwrap_or(u64::MAX);
    // Only `scan --account` looks at a part of the organization.
    coverage.find_gaps(!collection.complete);
    coverage
}
