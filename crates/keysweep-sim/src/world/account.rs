//! One account and its roles.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Actor, Refusal, Report, Trail, User, World};
use crate::policy::Policy;

/// An account's state in the organization (Organizations API reference, Account.State).
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum AccountState {
    PendingActivation,
    Active,
    Suspended,
    PendingClosure,
    Closed,
}

#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) id: Arc<str>,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) state: AccountState,
    /// Owned by somebody else: in no list of this organization.
    pub(crate) foreign: bool,
    /// A state AWS has not invented yet, shown in place of `state`.
    pub(crate) odd_state: Option<String>,
    pub(crate) joined: Timestamp,
    pub(crate) tags: BTreeMap<String, String>,
    /// The root or OU above.
    pub(crate) parent: String,
    /// By name with path, without leading slash: `keysweep/KeysweepScan`.
    pub(crate) roles: BTreeMap<String, Role>,
    pub(crate) users: BTreeMap<Arc<str>, Box<User>>,
    pub(crate) report: Report,
    pub(crate) root_keys: u32,
    pub(crate) root_password_used: Option<Timestamp>,
    /// Opt-in statuses that differ from those of a new account, by Region.
    pub(crate) regions: BTreeMap<String, String>,
    /// What CloudTrail has, by Region.
    pub(crate) trails: BTreeMap<Arc<str>, Trail>,
}

#[derive(Debug, Clone)]
pub(crate) struct Role {
    pub(crate) id: String,
    pub(crate) external_id: Option<String>,
    /// ARN of the one caller that may assume it; None: any caller known here.
    pub(crate) trusts: Option<String>,
    pub(crate) policy: Option<Arc<Policy>>,
    /// Who may assume it, in place of `external_id`, `trusts` and `allows_source_identity`.
    pub(crate) trust_policy: Option<Arc<Policy>>,
    pub(crate) max_session_seconds: i64,
    pub(crate) allows_source_identity: bool,
}

impl AccountState {
    /// The word in the retired field, which knew three.
    pub(crate) fn as_status(self) -> &'static str {
        match self {
            Self::PendingActivation | Self::Active => "ACTIVE",
            Self::Suspended | Self::Closed => "SUSPENDED",
            Self::PendingClosure => "PENDING_CLOSURE",
        }
    }
}

impl Account {
    pub(crate) fn new(id: Arc<str>, joined: Timestamp) -> Self {
        Self {
            name: format!("account-{id}"),
            email: format!("aws+{id}@example.com"),
            state: AccountState::Active,
            foreign: false,
            odd_state: None,
            joined,
            tags: BTreeMap::new(),
            parent: super::organization::ROOT_ID.to_owned(),
            roles: BTreeMap::new(),
            users: BTreeMap::new(),
            report: Report::default(),
            root_keys: 0,
            root_password_used: None,
            regions: BTreeMap::new(),
            trails: BTreeMap::new(),
            id,
        }
    }

    /// Whether calls by its credentials work at all.
    pub(crate) fn is_open(&self) -> bool {
        match self.state {
            AccountState::Active | AccountState::PendingActivation | AccountState::PendingClosure => true,
            AccountState::Suspended | AccountState::Closed => false,
        }
    }

    /// By name, or by unique id, which a rename leaves alone.
    pub(crate) fn user_name(&self, name_or_id: &str) -> Option<Arc<str>> {
        if let Some((name, _)) = self.users.get_key_value(name_or_id) {
            return Some(name.clone());
        }
        self.users.values().find(|user| &*user.id == name_or_id).map(|user| user.name.clone())
    }
}

impl World {
    /// Removes a role, given by name with path. Sessions it issued live on, as at AWS.
    pub(crate) fn remove_role(&mut self, account: &str, role: &str, actor: &Actor) -> Result<(), Refusal> {
        let mut attempt = self.blank_change(account, "iam:DeleteRole", actor);
        attempt.change.old = Some(role.to_owned());
        let removed = self.accounts.get_mut(account).and_then(|account| account.roles.remove(role));
        let missing =
            || Refusal::new(404, "NoSuchEntity", format!("The role with name {role} cannot be found."));
        self.finish(attempt, removed.map(|_| ()).ok_or_else(missing))
    }
}
