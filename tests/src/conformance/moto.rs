//! The other side's organization: `organization.py`, driven line by line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::venv::python;

/// Seeding takes about three seconds; the rest is room for a machine that does other things too.
const START: Duration = Duration::from_secs(120);
/// A snapshot of all keys takes half a second.
const ANSWER: Duration = Duration::from_secs(30);

/// A running organization. Dropping it ends it.
#[derive(Debug)]
pub struct Organization {
    process: Child,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    introduction: String,
    truth: Truth,
}

/// What is true in the organization at its start, written by hand or chosen by the seeding.
#[derive(Debug, Clone, Deserialize)]
pub struct Truth {
    /// Where it listens: `http://127.0.0.1:PORT`.
    pub endpoint: String,
    /// What the roles' trust policies ask for.
    pub external_id: String,
    /// Role names with paths.
    pub roles: Roles,
    /// Credentials of the hub: may read Organizations and assume roles, nothing else.
    pub hub: Hub,
    /// Every account, the management account included.
    pub accounts: Vec<Account>,
    /// How a sweep must account for each of them.
    pub expected_accounts: ExpectedAccounts,
}

/// Role names with paths, as in keysweep's configuration.
#[derive(Debug, Clone, Deserialize)]
pub struct Roles {
    /// May read users and keys.
    pub scan: String,
    /// May change keys.
    pub enforce: String,
}

/// The hub's credentials.
#[derive(Debug, Clone, Deserialize)]
pub struct Hub {
    /// Its access key ID.
    pub access_key_id: String,
    /// Its secret, made up by moto.
    pub secret_access_key: String,
}

/// Account IDs by what becomes of them in a sweep.
#[derive(Debug, Clone, Deserialize)]
pub struct ExpectedAccounts {
    /// Read in full.
    pub scanned: BTreeSet<String>,
    /// Without the role.
    pub failed: BTreeSet<String>,
    /// Closed, and the management account.
    pub skipped: BTreeSet<String>,
}

/// An account and its users.
#[derive(Debug, Clone, Deserialize)]
pub struct Account {
    /// Twelve digits.
    pub account_id: String,
    /// Its name in Organizations.
    pub account_name: String,
    /// Names of the OUs above it, from below the root down, joined by `/`; empty right below the root.
    pub ou_path: String,
    /// Its users.
    pub users: Vec<User>,
}

/// A user and its keys.
#[derive(Debug, Clone, Deserialize)]
pub struct User {
    /// The name, unique in the account.
    pub user_name: String,
    /// The ID that a rename leaves alone.
    pub user_id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// `/ci/`, with both slashes.
    pub path: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The name of its one attached policy.
    pub managed_policy: Option<String>,
    /// Whether it has a console password.
    pub password: bool,
    /// Why its keys are left alone although they have a finding: `exempt` or `protected`.
    pub kept: Option<String>,
    /// Its keys.
    pub keys: Vec<Key>,
}

/// An access key.
#[derive(Debug, Clone, Deserialize)]
pub struct Key {
    /// `AKIA...`.
    pub access_key_id: String,
    /// `Active` or `Inactive`.
    pub status: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last used.
    pub last_used_at: Option<Timestamp>,
    /// With which service, where it was used.
    pub service: String,
    /// In which Region, where it was used; `N/A` for some services.
    pub region: String,
    /// The finding that it must get.
    pub finding: Option<String>,
}

/// The present status of a key, read with boto3.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct KeyStatus {
    /// The account that holds it.
    pub account_id: String,
    /// The user that owns it.
    pub user_name: String,
    /// Its ID.
    pub access_key_id: String,
    /// `Active` or `Inactive`.
    pub status: String,
}

/// A change that this AWS was asked for, granted or not.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Call {
    /// The account it was asked in.
    pub account: String,
    /// The ARN of the role, or the key ID of the user, that asked.
    pub actor: String,
    /// `iam:UpdateAccessKey`.
    pub action: String,
    /// The user it names.
    pub user: Option<String>,
    /// The key it names.
    pub key: Option<String>,
    /// The status it asks for.
    pub status: Option<String>,
}

/// Credentials that may do everything in one account.
#[derive(Debug, Clone, Deserialize)]
pub struct Session {
    /// `ASIA...`.
    pub access_key_id: String,
    /// Its secret, made up by moto.
    pub secret_access_key: String,
    /// What goes with them.
    pub session_token: String,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blank = "-".to_owned();
        let [user, key, status] =
            [&self.user, &self.key, &self.status].map(|part| part.as_ref().unwrap_or(&blank));
        write!(f, "{} {} {user} {key} {status} by {}", self.account, self.action, self.actor)
    }
}

impl Truth {
    /// Every key with its account and user.
    pub fn keys(&self) -> impl Iterator<Item = (&Account, &User, &Key)> {
        let users =
            self.accounts.iter().flat_map(|account| account.users.iter().map(move |user| (account, user)));
        users.flat_map(|(account, user)| user.keys.iter().map(move |key| (account, user, key)))
    }

    /// The ID of the first key of the user with that name.
    ///
    /// # Errors
    /// If there is no such user, or it has no key.
    pub fn first_key_of(&self, user_name: &str) -> Result<String, String> {
        self.keys()
            .find(|(_, user, _)| user.user_name == user_name)
            .map(|(_, _, key)| key.access_key_id.clone())
            .ok_or_else(|| format!("the organization has no user {user_name} with a key"))
    }
}

impl Organization {
    /// Starts it in the given environment, and waits until it is seeded and serves.
    ///
    /// # Errors
    /// If it does not come up; what it said is on the test's stderr.
    pub async fn start(venv: &Path) -> Result<Self, String> {
        let mut process = Command::new(python(venv))
            .arg(super::scripts().join("organization.py"))
            .env_clear()
            // boto3 looks for these; whatever the machine has must not reach a test.
            .envs([("AWS_EC2_METADATA_DISABLED", "true"), ("PYTHONDONTWRITEBYTECODE", "1")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("start organization.py: {error}"))?;
        let (Some(commands), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            return Err("start organization.py: it has no pipes".to_owned());
        };
        let mut answers = BufReader::new(answers).lines();
        let introduction = line(&mut answers, START).await?;
        let truth = serde_json::from_str(&introduction)
            .map_err(|error| format!("read the introduction of organization.py: {error}"))?;
        Ok(Self { process, commands, answers, introduction, truth })
    }

    /// What is true at the start.
    #[must_use]
    pub fn truth(&self) -> &Truth {
        &self.truth
    }

    /// The same as the JSON that it came as.
    #[must_use]
    pub fn introduction(&self) -> &str {
        &self.introduction
    }

    /// The status of every key that is there, by ID.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn keys(&mut self) -> Result<BTreeMap<String, KeyStatus>, String> {
        let keys: Vec<KeyStatus> = self.ask(&json!({ "cmd": "keys" })).await?;
        Ok(keys.into_iter().map(|key| (key.access_key_id.clone(), key)).collect())
    }

    /// Every change that was asked for since the start, in order, by whomever.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn changes(&mut self) -> Result<Vec<Call>, String> {
        self.ask(&json!({ "cmd": "changes" })).await
    }

    /// How often each action was called since the start, our own reading of the truth left out.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn calls(&mut self) -> Result<BTreeMap<String, usize>, String> {
        self.ask(&json!({ "cmd": "calls" })).await
    }

    /// Signs a call with a user's key, which counts as its use.
    ///
    /// # Errors
    /// If it does not answer, or AWS refuses the key.
    pub async fn use_key(&mut self, access_key_id: &str) -> Result<(), String> {
        let _arn: String = self.ask(&json!({ "cmd": "use", "access_key_id": access_key_id })).await?;
        Ok(())
    }

    /// Switches a key on, as its owner would.
    ///
    /// # Errors
    /// If it does not answer, or AWS refuses.
    pub async fn activate(&mut self, access_key_id: &str) -> Result<(), String> {
        self.ask(&json!({ "cmd": "activate", "access_key_id": access_key_id })).await
    }

    /// Credentials of an administrator of that account.
    ///
    /// # Errors
    /// If it does not answer, or there is no such account.
    pub async fn session(&mut self, account_id: &str) -> Result<Session, String> {
        self.ask(&json!({ "cmd": "session", "account_id": account_id })).await
    }

    /// Ends it and waits for that.
    ///
    /// # Errors
    /// If it does not end well.
    pub async fn quit(mut self) -> Result<(), String> {
        drop(self.commands);
        match tokio::time::timeout(ANSWER, self.process.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(format!("organization.py ended with {status}")),
            Ok(Err(error)) => Err(format!("wait for organization.py: {error}")),
            Err(_) => Err("organization.py did not end after its input was closed".to_owned()),
        }
    }

    async fn ask<T: DeserializeOwned>(&mut self, command: &Value) -> Result<T, String> {
        let asked = format!("{command}\n");
        let sent = self.commands.write_all(asked.as_bytes()).await;
        sent.map_err(|error| format!("send {command} to organization.py: {error}"))?;
        let answer = line(&mut self.answers, ANSWER).await?;
        let mut answer: Value = serde_json::from_str(&answer)
            .map_err(|error| format!("read the answer of organization.py to {command}: {error}"))?;
        if let Some(fault) = answer.get("error") {
            return Err(format!("organization.py could not do {command}: {fault}"));
        }
        let value = answer.get_mut("ok").map(Value::take).unwrap_or_default();
        serde_json::from_value(value)
            .map_err(|error| format!("understand the answer of organization.py to {command}: {error}"))
    }
}

async fn line(lines: &mut Lines<BufReader<ChildStdout>>, limit: Duration) -> Result<String, String> {
    match tokio::time::timeout(limit, lines.next_line()).await {
        Ok(Ok(Some(line))) => Ok(line),
        Ok(Ok(None)) => Err("organization.py ended by itself; why is above, on stderr".to_owned()),
        Ok(Err(error)) => Err(format!("read from organization.py: {error}")),
        Err(_) => Err(format!("organization.py said nothing for {limit:?}")),
    }
}
