//! Which accounts the configuration covers, and how each is entered.

use keysweep_aws::{Access, AccountState};
use keysweep_core::facts::{AccountFacts, Fact, Outcome};
use keysweep_core::ids::{AccountId, OuId};

use crate::config::{Config, ManagementAccount, Organization};

/// An account and how it is entered.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) account: AccountFacts,
    pub(crate) entry: Result<Access, NotEntered>,
}

/// Why an account is not entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotEntered {
    /// The configuration leaves it out, or AWS documents its state as one without access.
    Skipped(String),
    /// Something that decides it is unknown: it counts as an account that could not be scanned.
    Unknown(String),
}

impl NotEntered {
    pub(crate) fn why(&self) -> &str {
        match self {
            Self::Skipped(why) | Self::Unknown(why) => why,
        }
    }

    pub(super) fn into_outcome(self) -> Outcome {
        match self {
            Self::Skipped(reason) => Outcome::Skipped { reason },
            Self::Unknown(reason) => Outcome::Failed { reason },
        }
    }
}

/// The accounts that a configuration covers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a>(&'a Organization);

impl<'a> Scope<'a> {
    pub(crate) fn of(config: &'a Config) -> Self {
        Self(&config.organization)
    }

    /// How an account is entered, or why it is not. What the configuration leaves out is skipped even where its state
    /// is unknown.
    pub(crate) fn entry(self, account: &AccountFacts, state: &AccountState) -> Result<Access, NotEntered> {
        let Self(settings) = self;
        let skipped = |why: &str| Err(NotEntered::Skipped(why.to_owned()));
        if settings.exclude_accounts.contains(&account.id) {
            return skipped("excluded by organization.exclude_accounts");
        }
        if !settings.accounts.is_empty() {
            let listed = settings.accounts.contains(&account.id);
            return if listed { Ok(self.access(account)) } else { skipped("not in organization.accounts") };
        }
        let state_unknown = match state {
            AccountState::Active => None,
            AccountState::PendingActivation
            | AccountState::Suspended
            | AccountState::PendingClosure
            | AccountState::Closed => return skipped(&format!("its state is {}", state.as_str())),
            AccountState::Other(state) => {
                Some(format!("its state is {state}, which this version of keysweep does not know"))
            }
            AccountState::Missing => Some("AWS did not say what its state is".to_owned()),
        };
        if account.management && settings.management_account == ManagementAccount::Skip {
            return skipped("the management account; organization.management_account is skip");
        }
        if !settings.include_ous.is_empty() && !within(account, &settings.include_ous)? {
            return skipped("not in organization.include_ous");
        }
        if !settings.exclude_ous.is_empty() && within(account, &settings.exclude_ous)? {
            return skipped("in organization.exclude_ous");
        }
        match state_unknown {
            Some(why) => Err(NotEntered::Unknown(why)),
            None => Ok(self.access(account)),
        }
    }

    /// How an account is entered if it is. How it was entered in the last sweep is not remembered: it follows from the
    /// configuration.
    pub(crate) fn access(self, account: &AccountFacts) -> Access {
        match self.0.management_account {
            ManagementAccount::Direct if account.management => Access::Direct,
            ManagementAccount::Skip | ManagementAccount::Direct | ManagementAccount::Assume => Access::Assume,
        }
    }

    /// The accounts of a static list; `own` is the one whose credentials we have, where that is known.
    pub(crate) fn static_targets(self, own: Option<AccountId>) -> impl Iterator<Item = Target> {
        self.0.accounts.iter().map(move |id| {
            let direct = self.0.management_account == ManagementAccount::Direct && own == Some(*id);
            // Nobody lists its address.
            let account = AccountFacts { email: Fact::Known(String::new()), ..mk_account(*id, direct) };
            let entry = self.entry(&account, &AccountState::Active);
            Target { account, entry }
        })
    }

    /// Whether it depends on OUs.
    pub(crate) fn chooses_by_ou(self) -> bool {
        !self.0.include_ous.is_empty() || !self.0.exclude_ous.is_empty()
    }
}

fn within(account: &AccountFacts, ous: &[OuId]) -> Result<bool, NotEntered> {
    match &account.ous {
        Fact::Known(above) => Ok(above.iter().any(|ou| ous.contains(&ou.id))),
        Fact::Unknown(why) => {
            Err(NotEntered::Unknown(format!("its organizational units are unknown: {why}")))
        }
        Fact::NotRead => Err(NotEntered::Unknown("its organizational units were not read".to_owned())),
    }
}

/// An account of which nothing was read but that it is there.
pub(crate) fn mk_account(id: AccountId, management: bool) -> AccountFacts {
    let (name, email) = (String::new(), Fact::NotRead);
    AccountFacts { id, name, email, management, ous: Fact::NotRead, tags: Fact::NotRead }
}
