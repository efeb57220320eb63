//! Builders: an organization put together line by line.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::policy::{Policy, PolicyError};
use crate::sim::Sim;
use crate::world::{
    Key, KeyHome, LastUse, Password, Role, User, World, mint_key_id, mint_role_id, mint_user_id, whole_second,
};

/// A role that can be assumed.
#[derive(Debug, Clone)]
pub struct RoleSpec {
    name: String,
    external_id: Option<String>,
    trusts: Option<String>,
    policy: Option<Arc<Policy>>,
    trust_policy: Option<Arc<Policy>>,
    max_session_seconds: i64,
    allows_source_identity: bool,
}

/// An account under construction.
#[derive(Debug)]
#[must_use = "nothing is added before add()"]
pub struct AccountBuilder {
    sim: Sim,
    id: String,
    name: Option<String>,
    email: Option<String>,
    state: Option<String>,
    ou: Option<String>,
    tags: BTreeMap<String, String>,
    roles: Vec<RoleSpec>,
    root_keys: u32,
    foreign: bool,
    joined: Option<Timestamp>,
    regions: BTreeMap<String, String>,
}

/// A user under construction.
#[derive(Debug)]
#[must_use = "nothing is added before add()"]
pub struct UserBuilder {
    sim: Sim,
    account: String,
    name: String,
    path: String,
    user_id: Option<String>,
    created: Option<Timestamp>,
    tags: BTreeMap<String, String>,
    password: Option<Option<Timestamp>>,
    mfa: bool,
    attached: Vec<String>,
    keys: Vec<KeySpec>,
}

/// An access key to be: Active, never used, as old as its user unless said otherwise.
#[derive(Debug, Clone, Default)]
pub struct KeySpec {
    id: Option<String>,
    created: Option<Timestamp>,
    status: Option<String>,
    used: Option<(Timestamp, String, String)>,
}

/// A user that was added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRef {
    /// The account's id.
    pub account: String,
    /// The name it was added under.
    pub name: String,
    /// The unique id, which a rename leaves alone.
    pub user_id: String,
    /// Ids of its keys, in the order they were given.
    pub keys: Vec<String>,
}

impl RoleSpec {
    /// A role by name with path, without leading slash: `keysweep/KeysweepScan`. Anybody known may assume it, it may do
    /// everything, and sessions last an hour at most, which is AWS's default.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            external_id: None,
            trusts: None,
            policy: None,
            trust_policy: None,
            max_session_seconds: 3600,
            allows_source_identity: true,
        }
    }

    /// Callers must bring this ExternalId.
    #[must_use]
    pub fn external_id(mut self, id: impl Into<String>) -> Self {
        self.external_id = Some(id.into());
        self
    }

    /// Only this caller may assume it: the ARN of a user, a role, a session, or an account's root.
    #[must_use]
    pub fn trusts(mut self, arn: impl Into<String>) -> Self {
        self.trusts = Some(arn.into());
        self
    }

    /// MaxSessionDuration in seconds.
    #[must_use]
    pub fn max_session(mut self, seconds: i64) -> Self {
        self.max_session_seconds = seconds;
        self
    }

    /// The trust policy lacks sts:SetSourceIdentity.
    #[must_use]
    pub fn refuses_source_identity(mut self) -> Self {
        self.allows_source_identity = false;
        self
    }

    /// What the role may do.
    ///
    /// # Errors
    /// When the document is no policy.
    pub fn policy(mut self, document: &str) -> Result<Self, PolicyError> {
        self.policy = Some(Arc::new(Policy::parse(document)?));
        Ok(self)
    }

    /// Who may assume it, in place of the external ID, [`RoleSpec::trusts`] and
    /// [`RoleSpec::refuses_source_identity`].
    ///
    /// # Errors
    /// When the document is no trust policy.
    pub fn trust_policy(mut self, document: &str) -> Result<Self, PolicyError> {
        self.trust_policy = Some(Arc::new(Policy::parse_trust(document)?));
        Ok(self)
    }

    pub(crate) fn build(self, number: u64) -> (String, Role) {
        let role = Role {
            id: mint_role_id(number),
            external_id: self.external_id,
            trusts: self.trusts,
            policy: self.policy,
            trust_policy: self.trust_policy,
            max_session_seconds: self.max_session_seconds,
            allows_source_identity: self.allows_source_identity,
        };
        (self.name, role)
    }
}

impl AccountBuilder {
    pub(crate) fn new(sim: Sim, id: String) -> Self {
        Self {
            sim,
            id,
            name: None,
            email: None,
            state: None,
            ou: None,
            tags: BTreeMap::new(),
            roles: Vec::new(),
            root_keys: 0,
            foreign: false,
            joined: None,
            regions: BTreeMap::new(),
        }
    }

    /// The account's name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The account's e-mail address.
    pub fn email(mut self, email: impl Into<String>) -> Self {
        self.email = Some(email.into());
        self
    }

    /// The OU it lies in, by names: `Workloads/Prod`. Made as needed.
    pub fn ou(mut self, path: impl Into<String>) -> Self {
        self.ou = Some(path.into());
        self
    }

    /// `ACTIVE` (the default), `SUSPENDED`, `CLOSED`, ...
    pub fn state(mut self, state: impl Into<String>) -> Self {
        self.state = Some(state.into());
        self
    }

    /// A tag of the account.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }

    /// A role with an ExternalId ("" for none) that may do everything.
    pub fn role(self, name: impl Into<String>, external_id: &str) -> Self {
        let role = RoleSpec::new(name);
        self.role_with(if external_id.is_empty() { role } else { role.external_id(external_id) })
    }

    /// A role in every detail.
    pub fn role_with(mut self, role: RoleSpec) -> Self {
        self.roles.push(role);
        self
    }

    /// When it joined the organization; otherwise now.
    pub fn joined(mut self, at: Timestamp) -> Self {
        self.joined = Some(whole_second(at));
        self
    }

    /// It belongs to another organization: no list of this one has it.
    pub fn of_another_organization(mut self) -> Self {
        self.foreign = true;
        self
    }

    /// Access keys of the root user.
    pub fn root_keys(mut self, keys: u32) -> Self {
        self.root_keys = keys;
        self
    }

    /// The opt-in status of a Region: `ENABLED`, `ENABLING`, `DISABLING`, `DISABLED`, `ENABLED_BY_DEFAULT`. Otherwise
    /// seventeen Regions are enabled by default, and a few more are disabled.
    pub fn region(mut self, name: impl Into<String>, status: impl Into<String>) -> Self {
        self.regions.insert(name.into(), status.into());
        self
    }

    /// Adds the account and gives its id.
    pub fn add(self) -> String {
        let mut world = self.sim.locked();
        let parent = self.ou.as_deref().map(|path| world.tree.unit_at(path));
        let roles: Vec<_> = self.roles.into_iter().map(|role| role.build(world.next_number())).collect();
        let account = world.account_or_new(&self.id);
        if let Some(name) = self.name {
            account.name = name;
        }
        if let Some(email) = self.email {
            account.email = email;
        }
        if let Some(parent) = parent {
            account.parent = parent;
        }
        match self.state.as_deref().map(str::parse) {
            Some(Ok(state)) => account.state = state,
            Some(Err(_)) => account.odd_state = self.state,
            None => {}
        }
        account.tags.extend(self.tags);
        account.roles.extend(roles);
        account.joined = self.joined.unwrap_or(account.joined);
        account.foreign |= self.foreign;
        account.regions.extend(self.regions);
        account.root_keys = account.root_keys.max(self.root_keys);
        self.id
    }
}

impl KeySpec {
    /// An Active key without a use.
    pub fn new() -> Self {
        Self::default()
    }

    /// An id of the test's choice; otherwise one is minted.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// When it was made; otherwise with its user.
    #[must_use]
    pub fn created(mut self, at: Timestamp) -> Self {
        self.created = Some(at);
        self
    }

    /// Its last use.
    #[must_use]
    pub fn used(mut self, at: Timestamp, service: &str, region: &str) -> Self {
        self.used = Some((whole_second(at), service.to_owned(), region.to_owned()));
        self
    }

    /// Makes it Inactive.
    #[must_use]
    pub fn inactive(self) -> Self {
        self.status("Inactive")
    }

    /// Any status, known to AWS or not.
    #[must_use]
    pub fn status(mut self, status: impl Into<String>) -> Self {
        self.status = Some(status.into());
        self
    }

    fn build(self, world: &mut World, user_created: Timestamp) -> Key {
        let id = self.id.unwrap_or_else(|| mint_key_id(world.next_number()));
        let status = world.word(self.status.as_deref().unwrap_or("Active"));
        let mut key = Key::new(id.into(), self.created.map_or(user_created, whole_second), status);
        if let Some((at, service, region)) = self.used {
            key.uses = vec![LastUse { at, service: world.word(&service), region: world.word(&region) }];
        }
        key
    }
}

impl UserBuilder {
    pub(crate) fn new(sim: Sim, account: String, name: String) -> Self {
        Self {
            sim,
            account,
            name,
            path: "/".to_owned(),
            user_id: None,
            created: None,
            tags: BTreeMap::new(),
            password: None,
            mfa: false,
            attached: Vec::new(),
            keys: Vec::new(),
        }
    }

    /// `/ci/`, with both slashes.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// A unique id of the test's choice; otherwise one is minted.
    pub fn user_id(mut self, id: impl Into<String>) -> Self {
        self.user_id = Some(id.into());
        self
    }

    /// When it was made; otherwise now.
    pub fn created(mut self, at: Timestamp) -> Self {
        self.created = Some(at);
        self
    }

    /// A tag.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }

    /// A login profile that was last used then, or never.
    pub fn password(mut self, used: Option<Timestamp>) -> Self {
        self.password = Some(used.map(whole_second));
        self
    }

    /// A second factor.
    pub fn mfa(mut self) -> Self {
        self.mfa = true;
        self
    }

    /// An attached managed policy, by ARN.
    pub fn attached(mut self, arn: impl Into<String>) -> Self {
        self.attached.push(arn.into());
        self
    }

    /// An access key. More than two are allowed here, as parallel creates allow them at AWS.
    pub fn key(mut self, key: KeySpec) -> Self {
        self.keys.push(key);
        self
    }

    /// Adds the user, or its keys and tags to the one of that name.
    pub fn add(self) -> UserRef {
        let mut world = self.sim.locked();
        // Nobody has a key that is older, or was used earlier, than the user itself.
        let earliest = self.keys.iter().flat_map(|key| [key.created, key.used.as_ref().map(|(at, ..)| *at)]);
        let earliest = earliest.flatten().min().map(whole_second);
        let earliest = earliest.map_or_else(|| world.now(), |at| at.min(world.now()));
        let created = self.created.map_or(earliest, whole_second);
        let user_id = self.user_id.unwrap_or_else(|| mint_user_id(world.next_number()));
        let keys: Vec<Key> = self.keys.into_iter().map(|key| key.build(&mut world, created)).collect();
        let ids = keys.iter().map(|key| key.id.to_string()).collect();
        world.account_or_new(&self.account);
        let name: Arc<str> = self.name.as_str().into();
        let path = world.word(&self.path);
        let Some(account) = world.account_to_alter(&self.account) else {
            return UserRef { account: self.account, name: self.name, user_id, keys: ids };
        };
        let account_id = account.id.clone();
        let user = account.users.entry(name.clone()).or_insert_with(|| {
            let mut user = User::new(name.clone(), user_id.into(), created);
            user.path = path;
            Box::new(user)
        });
        if self.created.is_none() {
            user.created = user.created.min(created);
        }
        user.tags.extend(self.tags);
        user.mfa |= self.mfa;
        user.attached.extend(self.attached);
        if let Some(used) = self.password {
            user.password = Some(Password { created, used });
        }
        let homes: Vec<Arc<str>> = keys.iter().map(|key| key.id.clone()).collect();
        user.keys.reserve_exact(keys.len());
        user.keys.extend(keys);
        let user_id = user.id.to_string();
        for id in homes {
            world.keys.insert(id, KeyHome { account: account_id.clone(), user: name.clone() });
        }
        UserRef { account: self.account, name: self.name, user_id, keys: ids }
    }
}
