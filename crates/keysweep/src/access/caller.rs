//! Someone who asks, and what permits it.

use keysweep_api::{Refusal, Role};
use keysweep_core::ids::{AccessKeyId, AccountId};
use keysweep_core::lifecycle::Record;
use keysweep_core::state::Actor;

use super::{About, Addresses, Grant, Need, Sight};
use crate::engine::Engine;
use crate::operator::{account_of, unknown_key};

/// A person or token that has proven its identity, with the roles that the configuration gives it.
#[derive(Debug, Clone, PartialEq)]
pub struct Caller {
    actor: Actor,
    grants: Vec<Grant>,
    addresses: Addresses,
}

/// Proof that the caller may do one operation. Only [`Caller::authorize`] and a valid link make one.
#[derive(Debug)]
pub struct Permit<'c> {
    caller: &'c Caller,
    /// The verified addresses of an owner who has no role in the account of the key that would suffice.
    owner: Option<&'c Addresses>,
}

impl Permit<'_> {
    /// Who asks, as the journal records it.
    #[must_use]
    pub fn actor(&self) -> &Actor {
        &self.caller.actor
    }

    /// Who asks, for operations that consist of others.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        self.caller
    }

    /// Whether it is given to the owner of the key, who has no role in its account that would suffice.
    #[must_use]
    pub fn as_owner(&self) -> bool {
        self.owner.is_some()
    }

    /// Whether the caller is the owner of this key.
    #[must_use]
    pub fn owns(&self, record: &Record) -> bool {
        self.owner.is_some_and(|addresses| addresses.own(record.owner.as_deref()))
    }

    /// The permit of a valid link in a notice, for the one answer that it was made for.
    pub(crate) fn by_link(caller: &Caller) -> Permit<'_> {
        Permit { caller, owner: None }
    }
}

impl Caller {
    /// Someone who may do everything: the user that data_dir belongs to, and root.
    #[must_use]
    pub fn unrestricted(actor: Actor) -> Self {
        Self::new(actor, vec![Grant::everywhere(Role::Operator)])
    }

    /// Someone with these roles.
    #[must_use]
    pub fn new(actor: Actor, grants: Vec<Grant>) -> Self {
        Self { actor, grants, addresses: Addresses::default() }
    }

    /// The same, with an address that the identity provider has verified.
    #[must_use]
    pub fn with_email(self, email: Option<String>) -> Self {
        Self { addresses: Addresses { email, ..self.addresses }, ..self }
    }

    /// The same, with the ID of a user for whom Slack vouches.
    #[must_use]
    pub fn with_slack(self, id: String) -> Self {
        Self { addresses: Addresses { slack: Some(id), ..self.addresses }, ..self }
    }

    /// Who it is.
    #[must_use]
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The roles, each with its scope.
    #[must_use]
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// The verified e-mail address.
    #[must_use]
    pub fn email(&self) -> Option<&str> {
        self.addresses.email.as_deref()
    }

    pub(super) fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The highest role held anywhere.
    #[must_use]
    pub fn best_role(&self) -> Option<Role> {
        self.grants.iter().map(|grant| grant.role).max()
    }

    /// Whether the caller is the owner of any key. Anyone with an account at the provider has an address, which alone shows
    /// nothing.
    #[must_use]
    pub fn owns_keys(&self, engine: &Engine) -> bool {
        self.addresses.any()
            && engine
                .store()
                .read(|state| state.records().any(|record| self.addresses.own(record.owner.as_deref())))
    }

    /// Whether the role is held in the organization as a whole.
    #[must_use]
    pub fn is(&self, role: Role) -> bool {
        self.grants.iter().any(|grant| grant.scope.is_none() && grant.role >= role)
    }

    /// Whether the role is held in an account. A scope whose facts are not known does not count.
    #[must_use]
    pub fn is_in(&self, role: Role, account: AccountId, engine: &Engine) -> bool {
        if self.is(role) {
            return true;
        }
        let scopes =
            || self.grants.iter().filter(|grant| grant.role >= role).filter_map(|grant| grant.scope.as_ref());
        if scopes().any(|scope| scope.names_accounts_only() && scope.accounts.contains(&account)) {
            return true;
        }
        let latest = engine.latest();
        let all = latest.iter().flat_map(|latest| latest.collection.accounts.iter().map(|(facts, _)| facts));
        let mut facts = all.filter(|facts| facts.id == account);
        facts.any(|facts| scopes().any(|scope| scope.surely_has(facts)))
    }

    /// What the caller may see.
    #[must_use]
    pub fn sight(&self, engine: &Engine) -> Sight {
        Sight::of(self, engine)
    }

    /// Permits one operation.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] with the role that is missing; [`Refusal::NotFound`] for a key that the caller may not see.
    pub fn authorize(&self, engine: &Engine, need: &Need) -> Result<Permit<'_>, Refusal> {
        let permit = || Ok(Permit { caller: self, owner: None });
        match &need.about {
            About::Organization if self.is(need.role) => permit(),
            About::Organization => Err(self.lacks(need.role, "for the whole organization")),
            About::Visible if self.best_role() >= Some(need.role) => permit(),
            About::Visible if need.owner_suffices && self.owns_keys(engine) => permit(),
            About::Visible => Err(self.lacks(need.role, "for any account")),
            About::Account(account) if self.is_in(need.role, *account, engine) => permit(),
            About::Account(account) => Err(self.lacks(need.role, &format!("for account {account}"))),
            About::Key(key) => self.authorize_key(engine, need, key),
        }
    }

    fn authorize_key(&self, engine: &Engine, need: &Need, key: &AccessKeyId) -> Result<Permit<'_>, Refusal> {
        if self.is(need.role) {
            return Ok(Permit { caller: self, owner: None });
        }
        // Nobody learns by asking whether a key that they may not see exists.
        let account = account_of(engine, key).ok_or_else(|| unknown_key(key))?;
        let sight = self.sight(engine);
        let (visible, owned) = engine.store().read(|state| {
            let record = state.record(key);
            (sight.key(account, record), record.is_some_and(|record| sight.owns(record)))
        });
        if !visible {
            return Err(unknown_key(key));
        }
        if self.is_in(need.role, account, engine) {
            return Ok(Permit { caller: self, owner: None });
        }
        if owned && need.owner_suffices {
            return Ok(Permit { caller: self, owner: Some(&self.addresses) });
        }
        Err(self.lacks(need.role, &format!("for account {account}")))
    }

    fn lacks(&self, role: Role, place: &str) -> Refusal {
        let has = match self.best_role() {
            Some(best) => format!("{} has the role {best}", self.actor),
            None => format!("{} has no role", self.actor),
        };
        Refusal::Forbidden(format!(
            "this requires the role {role} {place}; {has}: see [[access]] in the configuration"
        ))
    }
}
