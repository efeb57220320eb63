//! What an examination found, as data.

use jiff::Timestamp;
use keysweep_aws::{Caller, HubCredentials};
use keysweep_core::render::NotScanned;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::slack;
use crate::config::Config;

/// The output of `keysweep doctor --format json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DoctorDocument {
    /// When the examination ended.
    pub generated_at: Timestamp,
    /// Version of this keysweep.
    pub version: String,
    /// Credentials of the hub; absent where none were found.
    pub credentials: Option<CredentialsSeen>,
    /// Whose they are; absent where AWS did not tell.
    pub caller: Option<CallerSeen>,
    /// AWS's clock minus that of this machine; absent where AWS did not answer.
    pub clock_skew_seconds: Option<i64>,
    /// How many accounts were examined, and which were not.
    pub accounts: AccountsSeen,
    /// Where the daemon keeps its state.
    pub data_dir: DataDirSeen,
    /// One row per thing that was examined, in order.
    pub checks: Vec<Check>,
    /// What is not well, the worst first; the same problem in many accounts is one.
    pub problems: Vec<Problem>,
}

/// Credentials of the hub, without what is secret in them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CredentialsSeen {
    /// Access key ID.
    pub access_key_id: String,
    /// Where they came from, in words.
    pub origin: String,
    /// When they end, where that is known.
    pub expires_at: Option<Timestamp>,
}

/// Whose credentials the hub runs under.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CallerSeen {
    /// Account.
    pub account_id: String,
    /// User or session.
    pub arn: String,
}

/// How many accounts were examined, and which were not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct AccountsSeen {
    /// Accounts in the organization or the static list.
    pub listed: u64,
    /// How many of them were examined.
    pub examined: u64,
    /// Accounts that keysweep does not enter.
    pub skipped: Vec<NotScanned>,
}

/// Where the daemon keeps its state.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct DataDirSeen {
    /// The directory.
    pub path: String,
    /// Whether it is there.
    pub exists: bool,
    /// Its owner, where it is there.
    pub owner: Option<String>,
    /// Whether this user could write to it, where that can be told.
    pub writable: Option<bool>,
    /// The process that has it open; absent where none has, or it cannot be told.
    pub held_by: Option<String>,
    /// Whether a daemon listens on its socket.
    pub daemon: bool,
    /// Its journal, where there is one that is whole.
    pub journal: Option<JournalSeen>,
}

/// A journal whose hash chain is whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JournalSeen {
    /// Entries.
    pub entries: u64,
    /// Number of the last entry.
    pub last_seq: u64,
    /// Bytes at the end that are being written, or were torn by a crash.
    pub torn_bytes: u64,
    /// Version of the keysweep that opened it last.
    pub written_by: Option<String>,
}

/// What is examined.
// In the order in which it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum CheckName {
    /// Credentials of the hub, and whose they are.
    Credentials,
    /// Whether this machine and AWS agree about the time.
    Clock,
    /// The list of accounts, and what rules ask of Organizations.
    Organization,
    /// IAM Access Analyzer, where it is asked.
    AccessAnalyzer,
    /// The role that scans, in each account.
    ScanRole,
    /// The role that changes keys, in each account.
    EnforceRole,
    /// Where the daemon keeps its state.
    DataDir,
    /// The tokens of the Slack app, where there is one.
    Slack,
}

impl CheckName {
    /// Whether there is anything to examine.
    pub(super) fn is_examined(self, config: &Config) -> bool {
        match self {
            Self::AccessAnalyzer => config.evidence.access_analyzer.is_some(),
            Self::Slack => config.channels.slack.is_some(),
            Self::Credentials
            | Self::Clock
            | Self::Organization
            | Self::ScanRole
            | Self::EnforceRole
            | Self::DataDir => true,
        }
    }

    /// Its name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// How well something is, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Worth knowing; nothing has to be done.
    Note,
    /// Neither a read nor a simulation can tell.
    CannotTell,
    /// It could not be asked this time.
    Failed,
    /// Something is missing or wrong.
    Gap,
}

impl Verdict {
    /// Its name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// One thing that was examined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// What.
    pub name: CheckName,
    /// The worst of what was found.
    pub verdict: Verdict,
    /// What was found, in words.
    pub detail: String,
}

/// Something that is not well, in one place or in many accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// Where it belongs.
    pub check: CheckName,
    /// How bad it is.
    pub verdict: Verdict,
    /// What is the matter; `{account}` stands for each of the accounts.
    pub what: String,
    /// Permissions that are missing, or of which nobody can tell.
    pub actions: Vec<String>,
    /// The statement that grants them.
    pub statement: Option<StatementSeen>,
    /// What was answered; in many accounts, in the first of them.
    pub reason: Option<String>,
    /// What to do.
    pub remedy: String,
    /// The accounts in which it is so; empty where it is of no account.
    pub accounts: Vec<String>,
}

/// A statement of a policy that keysweep prints.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct StatementSeen {
    /// The command that prints the policy.
    pub command: String,
    /// Its Sid.
    pub sid: String,
}

impl From<HubCredentials> for CredentialsSeen {
    fn from(found: HubCredentials) -> Self {
        let HubCredentials { access_key_id, origin, expires } = found;
        Self { access_key_id, origin: origin.to_string(), expires_at: expires }
    }
}

impl From<Caller> for CallerSeen {
    fn from(caller: Caller) -> Self {
        Self { account_id: caller.account.to_string(), arn: caller.arn }
    }
}

impl DoctorDocument {
    /// Whether something has to be done, or could not be asked.
    #[must_use]
    pub fn has_gaps(&self) -> bool {
        self.problems.iter().any(|problem| problem.verdict >= Verdict::Failed)
    }

    /// One row.
    pub(super) fn check(&self, name: CheckName, config: &Config) -> Check {
        let worst = self.problems.iter().filter(|problem| problem.check == name).map(|one| one.verdict).max();
        let role = |role: &dyn std::fmt::Display| match (&self.caller, self.accounts.examined) {
            (None, _) => Err("not examined: it is not known who we are".to_owned()),
            (Some(_), 0) => Err("not examined: there is no account to enter".to_owned()),
            (Some(_), _) => Ok(format!("{role}: {}", self.without_problems(name))),
        };
        let told = match name {
            CheckName::Credentials => self.who(),
            CheckName::Clock => self.clock(),
            CheckName::Organization => self.organization(config),
            CheckName::AccessAnalyzer => match (&self.caller, &config.evidence.access_analyzer) {
                (Some(_), Some(analyzer)) => Ok(analyzer.to_string()),
                (None, _) | (_, None) => Err("not examined: it is not known who we are".to_owned()),
            },
            CheckName::ScanRole => role(&config.role.scan),
            CheckName::EnforceRole => role(&config.role.enforce),
            CheckName::DataDir => Ok(self.data_dir.in_words()),
            CheckName::Slack => Ok(slack::in_words(config)),
        };
        let (at_least, detail) = match told {
            Ok(detail) => (Verdict::Ok, detail),
            Err(detail) => (Verdict::CannotTell, detail),
        };
        Check { name, verdict: worst.unwrap_or(at_least).max(at_least), detail }
    }

    fn who(&self) -> Result<String, String> {
        let Some(credentials) = &self.credentials else { return Err("none found".into()) };
        let CredentialsSeen { access_key_id, origin, expires_at } = credentials;
        let ends = expires_at.map(|at| format!(", until {at}")).unwrap_or_default();
        let from = format!("{access_key_id} from {origin}{ends}");
        Ok(match &self.caller {
            Some(caller) => format!("{} by {from}", caller.arn),
            None => from,
        })
    }

    fn clock(&self) -> Result<String, String> {
        match self.clock_skew_seconds {
            None => Err("AWS did not answer".into()),
            Some(0) => Ok("as AWS's".into()),
            Some(seconds) if seconds > 0 => Ok(format!("{seconds} s behind AWS's")),
            Some(seconds) => Ok(format!("{} s ahead of AWS's", seconds.unsigned_abs())),
        }
    }

    fn organization(&self, config: &Config) -> Result<String, String> {
        let AccountsSeen { listed, examined, skipped } = &self.accounts;
        if self.caller.is_none() {
            return Err("not examined: it is not known who we are".into());
        }
        let from = if config.organization.accounts.is_empty() { "" } else { " in organization.accounts" };
        Ok(format!("{listed} accounts{from}: {examined} to enter, {} skipped", skipped.len()))
    }

    /// How many accounts a check found nothing in. Where nobody can tell, something was found.
    fn without_problems(&self, name: CheckName) -> String {
        let of_check = self.problems.iter().filter(|problem| problem.check == name);
        let hit: std::collections::BTreeSet<_> = of_check.flat_map(|problem| &problem.accounts).collect();
        let hit = u64::try_from(hit.len()).unwrap_or(u64::MAX);
        let examined = self.accounts.examined;
        format!("{} of {examined} accounts are as they should be", examined.saturating_sub(hit))
    }
}

impl DataDirSeen {
    fn in_words(&self) -> String {
        let mut text = self.path.clone();
        if !self.exists {
            return text + ": not there";
        }
        text += &match (&self.held_by, self.daemon) {
            (Some(holder), true) => format!(": open in a daemon, {holder}"),
            (Some(holder), false) => format!(": open in {holder}"),
            (None, _) => ": not open".into(),
        };
        if let Some(JournalSeen { entries, written_by, .. }) = &self.journal {
            let by = written_by.as_ref().map(|version| format!(" by keysweep {version}")).unwrap_or_default();
            text += &format!(", the journal is intact, {entries} entries{by}");
        }
        text
    }
}
