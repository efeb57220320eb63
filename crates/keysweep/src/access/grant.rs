//! Roles as they are configured.

use keysweep_api::Role;
use keysweep_core::policy::Match;

/// A role in some accounts.
#[derive(Debug, Clone, PartialEq)]
pub struct Grant {
    /// The role.
    pub role: Role,
    /// The accounts in which it is held; `None` for the organization as a whole. Only fields about accounts are set.
    pub scope: Option<Match>,
}

/// `[[access]]`: people and the role that they hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Holding {
    /// Who.
    pub holder: Holder,
    /// What they hold.
    pub grant: Grant,
}

/// Who holds a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// Everyone in a group of the identity provider.
    OidcGroup(String),
    /// One person, by the `sub` of the identity provider.
    OidcSubject(String),
    /// A user of the machine, who asks through `http.socket`.
    LocalUser(String),
    /// A user of Slack, by ID.
    SlackUser(String),
}

impl Grant {
    /// The role in the organization as a whole.
    #[must_use]
    pub fn everywhere(role: Role) -> Self {
        Self { role, scope: None }
    }
}

impl Holder {
    /// Its key in `[[access]]`, and the value.
    #[must_use]
    pub fn setting(&self) -> (&'static str, &str) {
        match self {
            Self::OidcGroup(name) => ("oidc_group", name),
            Self::OidcSubject(subject) => ("oidc_subject", subject),
            Self::LocalUser(user) => ("local_user", user),
            Self::SlackUser(id) => ("slack_user", id),
        }
    }
}
