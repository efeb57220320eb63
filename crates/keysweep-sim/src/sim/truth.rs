//! What is true, whatever callers have been told.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Sim;
use crate::world::{Account, Key, LastUse, User};

/// The whole truth about one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyTruth {
    /// The account.
    pub account: String,
    /// The user's present name.
    pub user_name: String,
    /// The user's unique id.
    pub user_id: String,
    /// The key.
    pub key_id: String,
    /// `Active`, `Inactive`, or whatever was set.
    pub status: String,
    /// To the second.
    pub created: Timestamp,
    /// The newest use, without lag.
    pub last_use: Option<LastUse>,
}

impl Sim {
    /// The key's status, or None where there is no such key.
    pub fn key_status(&self, key_id: &str) -> Option<String> {
        let mut world = self.locked();
        world.settle();
        world.find_key(key_id).map(|(_, key)| key.status.to_string())
    }

    /// Whether the key exists.
    pub fn key_exists(&self, key_id: &str) -> bool {
        self.key_status(key_id).is_some()
    }

    /// Everything about one key.
    pub fn key(&self, key_id: &str) -> Option<KeyTruth> {
        let mut world = self.locked();
        world.settle();
        let (home, key) = world.find_key(key_id)?;
        let account = world.accounts.get(&home.account)?;
        Some(truth(account, account.users.get(&home.user)?, key))
    }

    /// Every key there is, by account and user.
    pub fn keys(&self) -> Vec<KeyTruth> {
        let mut world = self.locked();
        world.settle();
        let mut keys = Vec::new();
        for account in world.accounts.values() {
            for user in account.users.values() {
                keys.extend(user.keys.iter().map(|key| truth(account, user, key)));
            }
        }
        keys
    }

    /// The keys of one user, given by name or unique id.
    pub fn keys_of(&self, account: &str, user: &str) -> Vec<KeyTruth> {
        self.with_user(account, user, |account, user| {
            user.keys.iter().map(|key| truth(account, user, key)).collect()
        })
        .unwrap_or_default()
    }

    /// The unique id of a user, given by name.
    pub fn user_id(&self, account: &str, user: &str) -> Option<String> {
        self.with_user(account, user, |_, user| user.id.to_string())
    }

    /// The present name of a user, given by unique id.
    pub fn user_name(&self, account: &str, user_id: &str) -> Option<String> {
        self.with_user(account, user_id, |_, user| user.name.to_string())
    }

    /// The tags of a user, given by name or unique id.
    pub fn user_tags(&self, account: &str, user: &str) -> Option<BTreeMap<String, String>> {
        self.with_user(account, user, |_, user| user.tags.clone())
    }

    /// ARNs of the managed policies that are attached to a user; none where there is no such user.
    pub fn attached(&self, account: &str, user: &str) -> Vec<String> {
        let mut world = self.locked();
        world.settle();
        world.find_user(account, user).map(|user| user.attached.clone()).unwrap_or_default()
    }

    /// Ids of all accounts, in order, the management account among them.
    pub fn account_ids(&self) -> Vec<String> {
        self.locked().accounts.keys().map(ToString::to_string).collect()
    }

    /// The account's state as the organization shows it.
    pub fn account_state(&self, account: &str) -> Option<String> {
        let mut world = self.locked();
        world.settle();
        let account = world.accounts.get(account)?;
        Some(account.odd_state.clone().unwrap_or_else(|| account.state.to_string()))
    }

    /// The id of the OU at `path`, made if there is none; "" or "Root" is the root.
    pub fn ou_id(&self, path: &str) -> String {
        self.locked().tree.unit_at(path)
    }

    /// The credential report of the account as GetCredentialReport would answer it, whether or not one is ready.
    pub fn report(&self, account: &str) -> Option<String> {
        let mut world = self.locked();
        world.settle();
        let (settings, now) = (&world.settings, world.now());
        let bytes =
            world.accounts.get(account)?.report_bytes(&settings.partition, settings.last_used_lag, now);
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn with_user<T>(&self, account: &str, user: &str, read: impl FnOnce(&Account, &User) -> T) -> Option<T> {
        let mut world = self.locked();
        world.settle();
        let account = world.accounts.get(account)?;
        let name = account.user_name(user)?;
        Some(read(account, account.users.get(&name)?))
    }
}

fn truth(account: &Account, user: &User, key: &Key) -> KeyTruth {
    KeyTruth {
        account: account.id.to_string(),
        user_name: user.name.to_string(),
        user_id: user.id.to_string(),
        key_id: key.id.to_string(),
        status: key.status.to_string(),
        created: key.created,
        last_use: key.uses.last().cloned(),
    }
}
