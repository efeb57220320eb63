//! Who users are and what is attached to them: asked for one by one, or for all of them at once.

use std::collections::{BTreeMap, BTreeSet};

use keysweep_aws::{Fault, Reader, UserDetail};
use keysweep_core::facts::{Fact, UserFacts};
use keysweep_core::ids::UserName;
use keysweep_core::quarantine::AttachedPolicy;

use crate::causes::in_words;

/// Users in one page of `GetAccountAuthorizationDetails` (IAM API reference, `maxItemsType`).
const PAGE: u64 = 1000;

/// Asking for all of them at once has to spare more calls than these: its answer shows every user of the account, with
/// everything that is attached, and AWS throttles it harder than the others.
const FEW: u64 = 1;

/// What is asked about users: one by one where they are few, else all of them at once.
pub(super) struct Identities {
    /// What asking for all of them costs.
    pages: u64,
    /// What asking one by one will cost, as far as that is known beforehand.
    expected: u64,
    /// What asking one by one has cost.
    spent: u64,
    /// Users to keep what is told of; empty for all.
    wanted: BTreeSet<UserName>,
    told: Told,
}

enum Told {
    /// Nobody has asked for all of them.
    NotAsked,
    /// By name. Who is not in it is asked for alone.
    All(BTreeMap<UserName, UserDetail>),
    /// Not to be had: everybody is asked for alone.
    Refused,
}

/// What is known of one user.
pub(super) struct Known {
    /// `None` where it was not asked for.
    pub(super) user: Option<Result<UserFacts, String>>,
    /// Managed policies that are attached.
    pub(super) policies: Fact<Vec<AttachedPolicy>>,
}

impl Identities {
    /// For an account with so many users, of whom `wanted` will be asked about in about `expected` calls.
    pub(super) fn new(users: u64, expected: u64, wanted: BTreeSet<UserName>) -> Self {
        Self { pages: users.div_ceil(PAGE).max(1), expected, spent: 0, wanted, told: Told::NotAsked }
    }

    /// What is attached to a user, and, if `identity` is to be had too, who it is.
    pub(super) async fn of(&mut self, reader: &Reader, name: &UserName, identity: bool) -> Known {
        let calls = 1 + u64::from(identity);
        if matches!(self.told, Told::NotAsked) && self.expected.max(self.spent + calls) > self.pages + FEW {
            self.ask_for_all(reader).await;
        }
        if let Told::All(details) = &self.told
            && let Some(detail) = details.get(name)
        {
            return Known {
                user: Some(Ok(detail.facts.clone())),
                policies: Fact::Known(detail.policies.clone()),
            };
        }
        self.spent += calls;
        let why = |fault: Fault| in_words(&fault);
        let user = if identity { Some(reader.user(name).await.map_err(why)) } else { None };
        let policies = reader.attached_policies(name).await;
        Known { user, policies: policies.map_or_else(|f| Fact::Unknown(why(f)), Fact::Known) }
    }

    async fn ask_for_all(&mut self, reader: &Reader) {
        let wanted = &self.wanted;
        let told = reader.user_details(|name| wanted.is_empty() || wanted.contains(name)).await;
        self.told = match told {
            Ok(details) => Told::All(details),
            Err(fault) => {
                let why = in_words(&fault);
                tracing::warn!(account = %reader.account(), why, "users are read one by one");
                Told::Refused
            }
        };
    }
}
