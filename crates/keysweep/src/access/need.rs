//! What an operation requires of its caller.

use keysweep_api::Role;
use keysweep_core::ids::{AccessKeyId, AccountId};

/// What an operation requires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The least role.
    pub role: Role,
    /// Where it has to be held.
    pub about: About,
    /// Whether the owner of the key suffices, too, after login.
    pub owner_suffices: bool,
}

/// What an operation concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// The organization as a whole: a role with a scope does not suffice.
    Organization,
    /// Whatever the caller may see: the reply contains nothing else.
    Visible,
    /// One account.
    Account(AccountId),
    /// One key.
    Key(AccessKeyId),
}

impl Need {
    /// A role in the organization as a whole.
    #[must_use]
    pub fn organization(role: Role) -> Self {
        Self { role, about: About::Organization, owner_suffices: false }
    }

    /// A role anywhere; the reply contains what the caller may see.
    #[must_use]
    pub fn visible() -> Self {
        Self { role: Role::Viewer, about: About::Visible, owner_suffices: true }
    }

    /// A role in one account.
    #[must_use]
    pub fn account(role: Role, account: AccountId) -> Self {
        Self { role, about: About::Account(account), owner_suffices: false }
    }

    /// A role in the account of a key.
    #[must_use]
    pub fn key(role: Role, key: &AccessKeyId) -> Self {
        Self { role, about: About::Key(key.clone()), owner_suffices: false }
    }

    /// The same, for the owner of the key, too.
    #[must_use]
    pub fn or_owner(self) -> Self {
        Self { owner_suffices: true, ..self }
    }
}
