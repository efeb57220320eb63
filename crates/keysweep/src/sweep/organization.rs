//! Which accounts there are, which of them are scanned, and how they are entered.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use keysweep_aws::{Access, AccountState, Aws, Fault, ListedAccount};
use keysweep_core::facts::{AccountFacts, Fact, Ou};
use keysweep_core::ids::{AccountId, OuId};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::account::in_words;
use crate::clock::Clock;
use crate::config::{Config, ManagementAccount};

/// An account and what is to be done with it.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) account: AccountFacts,
    pub(super) visit: Result<Access, String>,
}

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

/// What was read of the organization and is believed for a while.
#[derive(Debug, Default)]
pub struct OrganizationCache {
    tree: Mutex<Option<Read<Tree>>>,
    tags: Mutex<HashMap<AccountId, Read<Tags>>>,
}

/// Root and OUs above each account.
type Tree = HashMap<AccountId, Vec<Ou>>;

/// Tags of one account.
type Tags = BTreeMap<String, String>;

/// Something that was read, and when.
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

/// Lists accounts by the configuration: a static list, or the organization.
pub(super) async fn targets(
    aws: &Aws,
    config: &Config,
    clock: &Clock,
    cache: &OrganizationCache,
    only: &[AccountId],
) -> Result<Vec<Target>, OrganizationError> {
    let settings = &config.organization;
    let mut targets = if settings.accounts.is_empty() {
        listed(aws, config, clock, cache).await?
    } else {
        static_list(aws, config).await
    };
    if targets.is_empty() {
        return Err(OrganizationError::Empty);
    }
    if !only.is_empty() {
        if let Some(missing) = only.iter().find(|id| !targets.iter().any(|t| t.account.id == **id)) {
            return Err(OrganizationError::NotThere(*missing));
        }
        targets.retain(|target| only.contains(&target.account.id));
    }
    if config.policy.reads_account_tags() {
        for target in targets.iter_mut().filter(|t| t.visit.is_ok()) {
            target.account.tags =
                Some(cache.account_tags(aws, clock, settings.refresh, target.account.id).await);
        }
    }
    Ok(targets)
}

async fn static_list(aws: &Aws, config: &Config) -> Vec<Target> {
    let settings = &config.organization;
    // Only where an account may be entered directly does it matter who we are.
    let own = match settings.management_account {
        ManagementAccount::Direct => aws.caller().await.ok().map(|caller| caller.account),
        ManagementAccount::Skip | ManagementAccount::Assume => None,
    };
    let mk_target = |id: &AccountId| {
        let direct = own == Some(*id);
        let account = mk_account(*id, String::new(), String::new(), direct);
        let excluded = settings.exclude_accounts.contains(id);
        let visit = if excluded {
            Err("excluded by organization.exclude_accounts".into())
        } else {
            Ok(if direct { Access::Direct } else { Access::Assume })
        };
        Target { account, visit }
    };
    settings.accounts.iter().map(mk_target).collect()
}

async fn listed(
    aws: &Aws,
    config: &Config,
    clock: &Clock,
    cache: &OrganizationCache,
) -> Result<Vec<Target>, OrganizationError> {
    let settings = &config.organization;
    let accounts = aws.list_accounts().await.map_err(OrganizationError::List)?;
    let management = aws.management_account().await.map_err(OrganizationError::List)?;
    let chooses_by_ou = !settings.include_ous.is_empty() || !settings.exclude_ous.is_empty();
    let tree = if chooses_by_ou || config.policy.reads_ous() {
        Some(cache.tree(aws, clock, settings.refresh).await)
    } else {
        None
    };
    let tree = match tree {
        // Whom to scan is not guessed.
        Some(Err(fault)) if chooses_by_ou => return Err(OrganizationError::Tree(fault)),
        tree => tree,
    };
    let mk_target = |listed: ListedAccount| {
        let mut account = mk_account(listed.id, listed.name, listed.email, listed.id == management);
        account.ous = tree.as_ref().map(|tree| above(tree, listed.id));
        let visit = visit(&account, &listed.state, config);
        Target { account, visit }
    };
    Ok(accounts.into_iter().map(mk_target).collect())
}

/// The OUs above an account.
fn above(tree: &Result<Tree, Fault>, id: AccountId) -> Fact<Vec<Ou>> {
    match tree {
        Err(fault) => Fact::Unknown(in_words(fault)),
        Ok(tree) => match tree.get(&id) {
            Some(ous) => Fact::Known(ous.clone()),
            None => Fact::Unknown("the account is in the list and not in the tree".into()),
        },
    }
}

/// One account, looked up without listing all: for a change before the first sweep of this process. Where it cannot
/// be told who the management account is, it is taken for another; what `for_rules` cannot be read is unknown.
pub(super) async fn look_up(
    aws: &Aws,
    config: &Config,
    clock: &Clock,
    cache: &OrganizationCache,
    id: AccountId,
    for_rules: bool,
) -> AccountFacts {
    let settings = &config.organization;
    let management = match settings.management_account {
        ManagementAccount::Skip | ManagementAccount::Assume => None,
        ManagementAccount::Direct if settings.accounts.is_empty() => aws.management_account().await.ok(),
        ManagementAccount::Direct => aws.caller().await.ok().map(|caller| caller.account),
    };
    let mut account = mk_account(id, String::new(), String::new(), management == Some(id));
    if for_rules && settings.accounts.is_empty() && config.policy.reads_ous() {
        account.ous = Some(above(&cache.tree(aws, clock, settings.refresh).await, id));
    }
    if for_rules && config.policy.reads_account_tags() {
        account.tags = Some(cache.account_tags(aws, clock, settings.refresh, id).await);
    }
    account
}

fn mk_account(id: AccountId, name: String, email: String, management: bool) -> AccountFacts {
    AccountFacts { id, name, email, management, ous: None, tags: None }
}

/// How an account is entered, or why it is not.
fn visit(account: &AccountFacts, state: &AccountState, config: &Config) -> Result<Access, String> {
    let settings = &config.organization;
    if *state != AccountState::Active {
        return Err(format!("its state is {}", state.as_str()));
    }
    if settings.exclude_accounts.contains(&account.id) {
        return Err("excluded by organization.exclude_accounts".into());
    }
    let within = |ous: &[OuId]| match &account.ous {
        Some(Fact::Known(above)) => Ok(above.iter().any(|ou| ous.contains(&ou.id))),
        Some(Fact::Unknown(why)) => Err(format!("its organizational units are unknown: {why}")),
        None => Ok(false),
    };
    if !settings.include_ous.is_empty() && !within(&settings.include_ous)? {
        return Err("not in organization.include_ous".into());
    }
    if !settings.exclude_ous.is_empty() && within(&settings.exclude_ous)? {
        return Err("in organization.exclude_ous".into());
    }
    match settings.management_account {
        ManagementAccount::Skip if account.management => {
            Err("the management account; organization.management_account is skip".into())
        }
        ManagementAccount::Direct if account.management => Ok(Access::Direct),
        ManagementAccount::Skip | ManagementAccount::Direct | ManagementAccount::Assume => Ok(Access::Assume),
    }
}

/// How an account was entered in the last sweep is not remembered: it follows from the configuration.
pub(crate) fn access(config: &Config, account: &AccountFacts) -> Access {
    match config.organization.management_account {
        ManagementAccount::Direct if account.management => Access::Direct,
        ManagementAccount::Skip | ManagementAccount::Direct | ManagementAccount::Assume => Access::Assume,
    }
}

/// Names of the OUs above an account, joined by `/`; empty where they are not read.
pub(super) fn ou_path(account: &AccountFacts) -> String {
    let ous = account.ous.as_ref().and_then(Fact::known);
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
