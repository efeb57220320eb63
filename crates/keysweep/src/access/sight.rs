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
    /// The verified addresses of the caller.
    addresses: Addresses,
}

/// Verified addresses of one person, by which keysweep recognizes the owner of a key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Addresses {
    /// E-mail address.
    pub(super) email: Option<String>,
    /// ID of a Slack user.
    pub(super) slack: Option<String>,
}

impl Addresses {
    pub(super) fn any(&self) -> bool {
        self.email.is_some() || self.slack.is_some()
    }

    /// Whether messages about a key of this owner go to one of them.
    pub(super) fn own(&self, owner: Option<&Owner>) -> bool {
        let Some(contact) = owner.map(|owner| &owner.contact) else { return false };
        let by_mail = contact.email.as_ref().zip(self.email.as_deref());
        let by_slack = contact.slack.as_ref().zip(self.slack.as_ref());
        by_mail.is_some_and(|(address, email)| address.to_string().eq_ignore_ascii_case(email))
            || by_slack.is_some_and(|(address, id)| address == id)
    }
}

impl Sight {
    /// Everything.
    #[must_use]
    pub fn everything() -> Self {
        Self { accounts: None, addresses: Addresses::default() }
    }

    /// What these grants show, by the latest facts about accounts.
    pub(super) fn of(caller: &Caller, engine: &Engine) -> Self {
        let addresses = caller.addresses().clone();
        let sees = || caller.grants().iter().filter(|grant| grant.role >= Role::Viewer);
        if sees().any(|grant| grant.scope.is_none()) {
            return Self { accounts: None, addresses };
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
        Self { accounts: Some(matched.chain(named).collect()), addresses }
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
        if !self.addresses.any() {
            return BTreeSet::new();
        }
        let owned = state.records().filter(|record| self.owns(record));
        owned.map(|record| record.identity.key.to_string()).collect()
    }

    /// Whether the key is the caller's own.
    #[must_use]
    pub fn owns(&self, record: &Record) -> bool {
        self.addresses.own(record.owner.as_deref())
    }
}
