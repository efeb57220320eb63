//! Users, their keys, and every way they can be altered.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::{Actor, Attempt, Key, KeyHome, Refusal, World, mint_key_id, mint_user_id};

/// Two, by AWS's quota AccessKeysPerUser. More come about only through races (and builders).
const KEYS_PER_USER: usize = 2;

#[derive(Debug)]
pub(crate) struct User {
    pub(crate) name: Arc<str>,
    pub(crate) id: Arc<str>,
    pub(crate) path: Arc<str>,
    pub(crate) created: Timestamp,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) password: Option<Password>,
    pub(crate) mfa: bool,
    /// ARNs of managed policies.
    pub(crate) attached: Vec<String>,
    pub(crate) keys: Vec<Key>,
    /// Deleted keys, for reads that are behind.
    pub(crate) gone: Vec<Key>,
}

/// A login profile.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Password {
    pub(crate) created: Timestamp,
    pub(crate) used: Option<Timestamp>,
}

impl User {
    pub(crate) fn new(name: Arc<str>, id: Arc<str>, created: Timestamp) -> Self {
        Self {
            name,
            id,
            path: "/".into(),
            created,
            tags: BTreeMap::new(),
            password: None,
            mfa: false,
            attached: Vec::new(),
            keys: Vec::new(),
            gone: Vec::new(),
        }
    }

    pub(crate) fn arn(&self, partition: &str, account: &str) -> String {
        user_arn(partition, account, &self.path, &self.name)
    }
}

pub(crate) fn user_arn(partition: &str, account: &str, path: &str, name: &str) -> String {
    let slash = if path.starts_with('/') { "" } else { "/" };
    format!("arn:{partition}:iam::{account}:user{slash}{path}{name}")
}

/// What a policy that denies everything is called here.
const DENIES: [&str; 2] = [":iam::aws:policy/AWSDenyAll", ":policy/keysweep-quarantine"];

impl User {
    /// Whether everything is denied to it that AWS can deny.
    pub(crate) fn is_denied(&self) -> bool {
        self.attached.iter().any(|arn| DENIES.iter().any(|deny| arn.contains(deny)))
    }
}

impl World {
    /// Whether a managed policy exists: those of AWS do in every account.
    pub(crate) fn knows_policy(&self, account: &str, arn: &str) -> bool {
        let of_aws = format!("arn:{}:iam::aws:policy/", self.settings.partition);
        arn.starts_with(&of_aws) || self.document_of(account, arn).is_some()
    }

    /// What a customer managed policy says.
    pub(crate) fn document_of(&self, account: &str, arn: &str) -> Option<&str> {
        let of_account = format!("arn:{}:iam::{account}:policy/", self.settings.partition);
        self.policies.get(arn.strip_prefix(&of_account)?).map(String::as_str)
    }

    pub(crate) fn find_user(&self, account: &str, name: &str) -> Result<&User, Refusal> {
        self.accounts
            .get(account)
            .and_then(|account| account.users.get(name).map(Box::as_ref))
            .ok_or_else(|| Refusal::no_such_user(name))
    }

    pub(crate) fn find_key(&self, id: &str) -> Option<(&KeyHome, &Key)> {
        let home = self.keys.get(id)?;
        let user = self.accounts.get(&home.account)?.users.get(&home.user)?;
        Some((home, user.keys.iter().find(|key| &*key.id == id)?))
    }

    pub(crate) fn set_key_status(
        &mut self,
        account: &str,
        user: &str,
        key: &str,
        status: &str,
        actor: &Actor,
    ) -> Result<(), Refusal> {
        let mut attempt = self.user_change(account, user, "iam:UpdateAccessKey", actor);
        attempt.change.key_id = Some(key.to_owned());
        attempt.change.new = Some(status.to_owned());
        let (now, word) = (self.now(), self.word(status));
        let outcome = self.user_to_alter(account, user).and_then(|user| {
            let found =
                user.keys.iter_mut().find(|own| &*own.id == key).ok_or_else(|| Refusal::no_such_key(key))?;
            attempt.change.old = Some(found.status.to_string());
            if &*found.status != status {
                found.set_status(word, now);
            }
            Ok(())
        });
        self.finish(attempt, outcome)
    }

    pub(crate) fn delete_key(
        &mut self,
        account: &str,
        user: &str,
        key: &str,
        actor: &Actor,
    ) -> Result<(), Refusal> {
        let mut attempt = self.user_change(account, user, "iam:DeleteAccessKey", actor);
        attempt.change.key_id = Some(key.to_owned());
        let now = self.now();
        let outcome = self.user_to_alter(account, user).and_then(|user| {
            let at =
                user.keys.iter().position(|own| &*own.id == key).ok_or_else(|| Refusal::no_such_key(key))?;
            let mut gone = user.keys.remove(at);
            attempt.change.old = Some(gone.status.to_string());
            gone.deleted = Some(now);
            user.gone.push(gone);
            Ok(())
        });
        if outcome.is_ok() {
            self.keys.remove(key);
        }
        self.finish(attempt, outcome)
    }

    /// Makes a key; `id` None mints one. `quota` is what CreateAccessKey obeys and builders do not.
    pub(crate) fn create_key(
        &mut self,
        account: &str,
        user: &str,
        id: Option<&str>,
        quota: bool,
        actor: &Actor,
    ) -> Result<Arc<str>, Refusal> {
        let id: Arc<str> = match id {
            Some(id) => id.into(),
            None => mint_key_id(self.next_number()).into(),
        };
        let mut attempt = self.user_change(account, user, "iam:CreateAccessKey", actor);
        attempt.change.key_id = Some(id.to_string());
        attempt.change.new = Some("Active".to_owned());
        let (now, active) = (self.now(), self.word("Active"));
        let outcome = self.user_to_alter(account, user).and_then(|user| {
            if quota && user.keys.len() >= KEYS_PER_USER {
                let text = format!("Cannot exceed quota for AccessKeysPerUser: {KEYS_PER_USER}");
                return Err(Refusal::new(409, "LimitExceeded", text));
            }
            user.keys.push(Key::new(id.clone(), now, active));
            Ok(id.clone())
        });
        if outcome.is_ok() {
            self.keys.insert(id, KeyHome { account: account.into(), user: user.into() });
        }
        self.finish(attempt, outcome)
    }

    pub(crate) fn create_user(
        &mut self,
        account: &str,
        name: &str,
        path: &str,
        tags: BTreeMap<String, String>,
        actor: &Actor,
    ) -> Result<(), Refusal> {
        let mut attempt = self.user_change(account, name, "iam:CreateUser", actor);
        attempt.change.user_id = None;
        let now = self.now();
        let id: Arc<str> = mint_user_id(self.next_number()).into();
        let outcome = match self.account_to_alter(account) {
            None => Err(Refusal::no_such_user(name)),
            Some(account) if account.users.keys().any(|other| other.eq_ignore_ascii_case(name)) => {
                let text = format!("User with name {name} already exists.");
                Err(Refusal::new(409, "EntityAlreadyExists", text))
            }
            Some(account) => {
                let name: Arc<str> = name.into();
                let mut user = User::new(name.clone(), id.clone(), now);
                user.path = path.into();
                user.tags = tags;
                account.users.insert(name, Box::new(user));
                attempt.change.user_id = Some(id.to_string());
                Ok(())
            }
        };
        self.finish(attempt, outcome)
    }

    pub(crate) fn delete_user(&mut self, account: &str, name: &str, actor: &Actor) -> Result<(), Refusal> {
        let attempt = self.user_change(account, name, "iam:DeleteUser", actor);
        let outcome = self.user_to_alter(account, name).and_then(|user| {
            let conflict = if !user.keys.is_empty() {
                "Cannot delete entity, must delete access keys first."
            } else if user.password.is_some() {
                "Cannot delete entity, must delete login profile first."
            } else if !user.attached.is_empty() {
                "Cannot delete entity, must detach all policies first."
            } else {
                return Ok(());
            };
            Err(Refusal::new(409, "DeleteConflict", conflict))
        });
        if outcome.is_ok()
            && let Some(account) = self.accounts.get_mut(account)
        {
            account.users.remove(name);
        }
        self.finish(attempt, outcome)
    }

    /// Renames and moves a user; the unique id stays.
    pub(crate) fn update_user(
        &mut self,
        account: &str,
        name: &str,
        new_name: Option<&str>,
        new_path: Option<&str>,
        actor: &Actor,
    ) -> Result<(), Refusal> {
        let mut attempt = self.user_change(account, name, "iam:UpdateUser", actor);
        attempt.change.old = Some(name.to_owned());
        attempt.change.new = Some(new_name.unwrap_or(name).to_owned());
        let taken = new_name.is_some_and(|new| new != name && self.find_user(account, new).is_ok());
        let outcome = self.user_to_alter(account, name).and_then(|user| {
            if taken {
                let text = format!("User with name {} already exists.", new_name.unwrap_or_default());
                return Err(Refusal::new(409, "EntityAlreadyExists", text));
            }
            if let Some(path) = new_path {
                user.path = path.into();
            }
            Ok(())
        });
        if outcome.is_ok()
            && let Some(new_name) = new_name
        {
            self.rename(account, name, new_name.into());
        }
        self.finish(attempt, outcome)
    }

    fn rename(&mut self, account: &str, name: &str, new_name: Arc<str>) {
        let Some(account) = self.accounts.get_mut(account) else { return };
        let Some(mut user) = account.users.remove(name) else { return };
        user.name = new_name.clone();
        for key in &user.keys {
            if let Some(home) = self.keys.get_mut(&key.id) {
                home.user = new_name.clone();
            }
        }
        account.users.insert(new_name, user);
    }

    /// Any other alteration of one user, recorded under `action`, with the parameters that CloudTrail shows of it.
    pub(crate) fn alter_user(
        &mut self,
        account: &str,
        name: &str,
        (action, parameters): (&'static str, Value),
        actor: &Actor,
        alter: impl FnOnce(&mut User) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let attempt = self.user_change(account, name, action, actor).with(parameters);
        let outcome = self.user_to_alter(account, name).and_then(alter);
        self.finish(attempt, outcome)
    }

    pub(crate) fn user_to_alter(&mut self, account: &str, name: &str) -> Result<&mut User, Refusal> {
        self.account_to_alter(account)
            .and_then(|account| account.users.get_mut(name).map(Box::as_mut))
            .ok_or_else(|| Refusal::no_such_user(name))
    }

    pub(crate) fn user_change(&self, account: &str, user: &str, action: &str, actor: &Actor) -> Attempt {
        let mut attempt = self.blank_change(account, action, actor);
        attempt.change.user_name = Some(user.to_owned());
        attempt.change.user_id = self.find_user(account, user).ok().map(|user| user.id.to_string());
        attempt
    }
}
