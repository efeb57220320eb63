//! Which accounts there are.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use keysweep_aws::{Aws, Fault, ListedAccount, Tree};
use keysweep_core::facts::{AccountFacts, Fact, Ou, Tags};
use keysweep_core::ids::{AccountId, OuId};
use tokio::sync::Mutex;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use super::scope::{Scope, Target, mk_account};
use super::{Inputs, Progress};
use crate::causes::in_words;
use crate::clock::Clock;
use crate::config::ManagementAccount;

/// Why there is no list of accounts: the sweep fails as a whole.
#[derive(Debug, thiserror::Error)]
pub enum OrganizationError {
    /// Organizations could not be read.
    #[error("accounts of the organization could not be listed")]
    List(#[source] Fault),
    /// An organization has at least its management account.
    #[error("the organization lists no account at all: this is a fault, not a clean organization")]
    Empty,
    /// What the configuration includes or excludes by OU cannot be told.
    #[error(
        "the tree of organizational units could not be read, and the configuration includes or excludes by it"
    )]
    Tree(#[source] Fault),
    /// An account named on the command line is not there.
    #[error("account {0} is not in the organization")]
    NotThere(AccountId),
}

/// What was read of the organization, cached for `organization.refresh`.
#[derive(Debug, Default)]
pub struct OrganizationCache {
    tree: Mutex<Option<Read<Tree>>>,
    tags: Mutex<HashMap<AccountId, Read<Tags>>>,
}

/// A cached value and when it was read.
#[derive(Debug)]
struct Read<T> {
    at: Instant,
    what: T,
}

impl<T> Read<T> {
    fn is_fresh(&self, clock: &Clock, refresh: Duration) -> bool {
        clock.elapsed_since(self.at) < refresh
    }
}

/// Lists the accounts, from the static list of the configuration or from Organizations, and sends each one to the scan
/// as soon as it is known. Listing and scanning a large organization overlap.
pub(super) struct Listing<'a> {
    pub(super) inputs: Inputs<'a>,
    pub(super) progress: &'a dyn Progress,
    /// Unbounded, so that the pages follow each other at their own pace: an account is small.
    pub(super) to: UnboundedSender<Target>,
}

impl Listing<'_> {
    /// Lists all accounts. Returns every OU and root, if a rule or the choice of accounts needs them.
    pub(super) async fn run(self) -> Result<Option<Fact<BTreeSet<OuId>>>, OrganizationError> {
        let settings = &self.inputs.config.organization;
        let (given, ous) = if settings.accounts.is_empty() {
            self.organization().await?
        } else {
            (self.static_list().await, None)
        };
        if given.is_empty() {
            return Err(OrganizationError::Empty);
        }
        match self.inputs.only.iter().find(|id| !given.contains(id)) {
            Some(missing) => Err(OrganizationError::NotThere(*missing)),
            None => Ok(ous),
        }
    }

    /// Records that an account exists, and sends it if it was asked for.
    async fn give(&self, there: &mut HashSet<AccountId>, mut target: Target) {
        let Inputs { aws, config, clock, cache, only, .. } = self.inputs;
        let id = target.account.id;
        if !there.insert(id) || !(only.is_empty() || only.contains(&id)) {
            return;
        }
        self.progress.total(if only.is_empty() { there.len() } else { only.len() });
        if target.entry.is_ok() && config.policy.reads_account_tags() {
            let tags = cache.account_tags(aws, clock, config.organization.refresh, id).await;
            target.account.tags = tags;
        }
        // The receiver is gone if the scan was cancelled.
        let _ = self.to.send(target);
    }

    async fn static_list(&self) -> HashSet<AccountId> {
        let settings = &self.inputs.config.organization;
        // Only where an account may be entered directly does it matter who we are.
        let own = match settings.management_account {
            ManagementAccount::Direct => self.inputs.aws.caller().await.ok().map(|caller| caller.account),
            ManagementAccount::Skip | ManagementAccount::Assume => None,
        };
        let mut there = HashSet::new();
        for target in Scope::of(self.inputs.config).static_targets(own) {
            self.give(&mut there, target).await;
        }
        there
    }

    async fn organization(
        &self,
    ) -> Result<(HashSet<AccountId>, Option<Fact<BTreeSet<OuId>>>), OrganizationError> {
        let Inputs { aws, config, clock, cache, .. } = self.inputs;
        let (settings, scope) = (&config.organization, Scope::of(config));
        let management = aws.management_account().await.map_err(OrganizationError::List)?;
        let tree = if scope.chooses_by_ou() || config.policy.reads_ous() {
            Some(cache.tree(aws, clock, settings.refresh).await)
        } else {
            None
        };
        let tree = match tree {
            // Without the tree, the accounts to scan are unknown.
            Some(Err(fault)) if scope.chooses_by_ou() => return Err(OrganizationError::Tree(fault)),
            tree => tree,
        };
        let (mut pages, mut there) = (aws.accounts(), HashSet::new());
        while let Some(page) = pages.next().await.map_err(OrganizationError::List)? {
            for listed in page {
                let ListedAccount { id, name, email, state } = listed;
                let ous = tree.as_ref().map_or(Fact::NotRead, |tree| above(tree, id));
                let email = Fact::Known(email);
                let account = AccountFacts { name, email, ous, ..mk_account(id, id == management) };
                let entry = scope.entry(&account, &state);
                self.give(&mut there, Target { account, entry }).await;
            }
        }
        let ous = tree.map(|tree| match tree {
            Ok(tree) => Fact::Known(tree.ous),
            Err(fault) => Fact::Unknown(in_words(&fault)),
        });
        Ok((there, ous))
    }
}

/// The OUs above an account.
pub(crate) fn above(tree: &Result<Tree, Fault>, id: AccountId) -> Fact<Vec<Ou>> {
    match tree {
        Err(fault) => Fact::Unknown(in_words(fault)),
        Ok(tree) => match tree.above.get(&id) {
            Some(ous) => Fact::Known(ous.clone()),
            None => Fact::Unknown("the account is in the list and not in the tree".into()),
        },
    }
}

/// Names of the OUs above an account, joined by `/`; empty where they are not read.
pub(crate) fn ou_path(account: &AccountFacts) -> String {
    let ous = account.ous.known();
    ous.map(|ous| ous.iter().map(|ou| ou.name.as_str()).collect::<Vec<_>>().join("/")).unwrap_or_default()
}

impl OrganizationCache {
    async fn tree(&self, aws: &Aws, clock: &Clock, refresh: Duration) -> Result<Tree, Fault> {
        let mut kept = self.tree.lock().await;
        if let Some(read) = kept.as_ref().filter(|read| read.is_fresh(clock, refresh)) {
            return Ok(read.what.clone());
        }
        let tree = aws.tree().await?;
        *kept = Some(Read { at: clock.instant(), what: tree.clone() });
        Ok(tree)
    }

    async fn account_tags(
        &self,
        aws: &Aws,
        clock: &Clock,
        refresh: Duration,
        account: AccountId,
    ) -> Fact<Tags> {
        let mut kept = self.tags.lock().await;
        if let Some(read) = kept.get(&account).filter(|read| read.is_fresh(clock, refresh)) {
            return Fact::Known(read.what.clone());
        }
        match aws.account_tags(account).await {
            Ok(tags) => {
                kept.insert(account, Read { at: clock.instant(), what: tags.clone() });
                Fact::Known(tags)
            }
            Err(fault) => Fact::Unknown(in_words(&fault)),
        }
    }
}
