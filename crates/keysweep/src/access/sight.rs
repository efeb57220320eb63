//! What a caller may see.

use std::collections::BTreeSet;

use keysweep_api::Role;
use keysweep_core::ids::AccountId;
use keysweep_core::lifecycle::Record;
use keysweep_core::owner::Owner;
use keysweep_core::state::State;

use super::{Caller, Grant};
use crate::engine::Engine;

/// What a caller may see: accounts, and keys that are their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    /// `None` for all.
    accounts: Option<BTreeSet<AccountId>>,
    /// The verified e-mail address of the caller.
    email: Option<String>,
}

impl Sight {
    /// Everything.
    #[must_use]
    pub fn everything() -> Self {
        Self { accounts: None, email: None }
    }

    /// What these grants show, by the latest facts about accounts.
    pub(super) fn of(caller: &Caller, engine: &Engine) -> Self {
        let email = caller.email().map(str::to_owned);
        let sees = || caller.grants().iter().filter(|grant| grant.role >= Role::Viewer);
        if sees().any(|grant| grant.scope.is_none()) {
            return Self { accounts: None, email };
        }
        let scopes: Vec<_> = sees().filter_map(|grant: &Grant| grant.scope.as_ref()).collect();
        let latest = engine.latest();
        let facts = latest.iter().flat_map(|latest| latest.collection.accounts.iter());
        let matched = facts
            .map(|(account, _)| account)
            .filter(|account| scopes.iter().any(|scope| scope.surely_has(account)));
        let matched = matched.map(|account| account.id);
        // Known without any fact about the account.
        let named = scopes.iter().filter(|scope| scope.names_accounts_only());
        let named = named.flat_map(|scope| scope.accounts.iter().copied());
        Self { accounts: Some(matched.chain(named).collect()), email }
    }

    /// Whether the organization as a whole is visible.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.accounts.is_none()
    }

    /// Whether an account is visible.
    #[must_use]
    pub fn account(&self, account: AccountId) -> bool {
        self.accounts.as_ref().is_none_or(|accounts| accounts.contains(&account))
    }

    /// Whether a key is visible: its account is, or it is the caller's own.
    #[must_use]
    pub fn key(&self, account: AccountId, record: Option<&Record>) -> bool {
        self.account(account) || record.is_some_and(|record| self.owns(record))
    }

    /// Whether a record is visible.
    #[must_use]
    pub fn record(&self, record: &Record) -> bool {
        self.key(record.identity.account, Some(record))
    }

    /// The IDs of keys that are the caller's own.
    #[must_use]
    pub fn owned_keys(&self, state: &State) -> BTreeSet<String> {
        if self.email.is_none() {
            return BTreeSet::new();
        }
        let owned = state.records().filter(|record| self.owns(record));
        owned.map(|record| record.identity.key.to_string()).collect()
    }

    /// Whether the key is the caller's own.
    #[must_use]
    pub fn owns(&self, record: &Record) -> bool {
        self.email.as_deref().is_some_and(|email| is_owner(record.owner.as_deref(), email))
    }
}

/// Whether messages about the key go to this address.
pub(super) fn is_owner(owner: Option<&Owner>, email: &str) -> bool {
    let address = owner.and_then(|owner| owner.contact.email.as_ref());
    address.is_some_and(|address| address.to_string().eq_ignore_ascii_case(email))
}
