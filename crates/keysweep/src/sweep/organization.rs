//! Which accounts there are, which of them are scanned, and how they are entered.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use keysweep_aws::{Access, AccountState, Aws, Fault, Tree};
use keysweep_core::facts::{AccountFacts, Fact, Ou, Outcome};
use keysweep_core::ids::{AccountId, OuId};
use keysweep_core::ticket::Action;
use tokio::sync::Mutex;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use super::account::in_words;
use super::collect::{Inputs, Progress};
use crate::clock::Clock;
use crate::config::{Config, ManagementAccount};
use crate::engine::Engine;

/// An account and what is to be done with it.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) account: AccountFacts,
    pub(crate) visit: Result<Access, NotVisited>,
}

/// Why an account is not entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotVisited {
    /// The configuration leaves it out, or AWS documents its state as one without access.
    Skipped(String),
    /// Something that decides it is unknown: it counts as an account that could not be scanned.
    Unknown(String),
}

impl NotVisited {
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

/// Gives every account to whoever scans, as soon as it is known: by a static list of the configuration, or by the
/// organization. A large organization is listed for as long as it is scanned.
pub(super) struct Listing<'a> {
    pub(super) inputs: Inputs<'a>,
    pub(super) progress: &'a dyn Progress,
    /// Unbounded, so that the pages follow each other at their own pace: an account is small.
    pub(super) to: UnboundedSender<Target>,
}

impl Listing<'_> {
    /// Lists to the end; gives every OU and root there is, where a rule or the choice of accounts reads them.
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

    /// Notes an account as there, and gives it away if it is asked for.
    async fn give(&self, there: &mut HashSet<AccountId>, mut target: Target) {
        let Inputs { aws, config, clock, cache, only, .. } = self.inputs;
        let id = target.account.id;
        if !there.insert(id) || !(only.is_empty() || only.contains(&id)) {
            return;
        }
        self.progress.total(if only.is_empty() { there.len() } else { only.len() });
        if target.visit.is_ok() && config.policy.reads_account_tags() {
            let tags = cache.account_tags(aws, clock, config.organization.refresh, id).await;
            target.account.tags = tags;
        }
        // Nobody listens any more once the scan was given up.
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
        for target in static_targets(self.inputs.config, own) {
            self.give(&mut there, target).await;
        }
        there
    }

    async fn organization(
        &self,
    ) -> Result<(HashSet<AccountId>, Option<Fact<BTreeSet<OuId>>>), OrganizationError> {
        let Inputs { aws, config, clock, cache, .. } = self.inputs;
        let settings = &config.organization;
        let management = aws.management_account().await.map_err(OrganizationError::List)?;
        let tree = if chooses_by_ou(config) || config.policy.reads_ous() {
            Some(cache.tree(aws, clock, settings.refresh).await)
        } else {
            None
        };
        let tree = match tree {
            // Whom to scan is not guessed.
            Some(Err(fault)) if chooses_by_ou(config) => return Err(OrganizationError::Tree(fault)),
            tree => tree,
        };
        let (mut pages, mut there) = (aws.accounts(), HashSet::new());
        while let Some(page) = pages.next().await.map_err(OrganizationError::List)? {
            for listed in page {
                let mut account = mk_account(listed.id, listed.name, listed.email, listed.id == management);
                account.ous = tree.as_ref().map_or(Fact::NotRead, |tree| above(tree, listed.id));
                let visit = visit(&account, &listed.state, config);
                self.give(&mut there, Target { account, visit }).await;
            }
        }
        let ous = tree.map(|tree| match tree {
            Ok(tree) => Fact::Known(tree.ous),
            Err(fault) => Fact::Unknown(in_words(&fault)),
        });
        Ok((there, ous))
    }
}

/// The accounts of a static list; `own` is the one whose credentials we have, where that is known.
pub(crate) fn static_targets(config: &Config, own: Option<AccountId>) -> impl Iterator<Item = Target> {
    let settings = &config.organization;
    settings.accounts.iter().map(move |id| {
        let direct = settings.management_account == ManagementAccount::Direct && own == Some(*id);
        let account = mk_account(*id, String::new(), String::new(), direct);
        let visit = if settings.exclude_accounts.contains(id) {
            Err(NotVisited::Skipped("excluded by organization.exclude_accounts".into()))
        } else {
            Ok(if direct { Access::Direct } else { Access::Assume })
        };
        Target { account, visit }
    })
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

/// One account, looked up without listing all: for a change before the first sweep of this process. Where it cannot
/// be told who the management account is, it is taken for another, but for a change.
async fn look_up(aws: &Aws, config: &Config, id: AccountId, for_change: bool) -> AccountFacts {
    let settings = &config.organization;
    let management = match settings.management_account {
        ManagementAccount::Skip | ManagementAccount::Assume => None,
        ManagementAccount::Direct if settings.accounts.is_empty() => aws.management_account().await.ok(),
        ManagementAccount::Direct => aws.caller().await.ok().map(|caller| caller.account),
    };
    // For a change, an account that may be the management account is taken for it: there "direct" only reads.
    let unknown = for_change && management.is_none() && config.policy.management_read_only;
    mk_account(id, String::new(), String::new(), unknown || management == Some(id))
}

/// Reads what rules and the choice of accounts ask of Organizations as it is now: an account that was just moved, or
/// tagged, is judged by where it is. What cannot be read is unknown, whatever it was before.
async fn read_for_rules(aws: &Aws, config: &Config, account: &mut AccountFacts) {
    let lists = config.organization.accounts.is_empty();
    if lists && (config.policy.reads_ous() || chooses_by_ou(config)) {
        account.ous = fact(aws.parents(account.id).await);
    }
    if config.policy.reads_account_tags() {
        account.tags = fact(aws.account_tags(account.id).await);
    }
}

fn fact<T>(read: Result<T, Fault>) -> Fact<T> {
    match read {
        Ok(value) => Fact::Known(value),
        Err(fault) => Fact::Unknown(in_words(&fault)),
    }
}

fn chooses_by_ou(config: &Config) -> bool {
    !config.organization.include_ous.is_empty() || !config.organization.exclude_ous.is_empty()
}

pub(crate) fn mk_account(id: AccountId, name: String, email: String, management: bool) -> AccountFacts {
    AccountFacts { id, name, email, management, ous: Fact::NotRead, tags: Fact::NotRead }
}

/// How an account is entered, or why it is not.
///
/// What the configuration leaves out is skipped even where its state is unknown.
pub(crate) fn visit(
    account: &AccountFacts,
    state: &AccountState,
    config: &Config,
) -> Result<Access, NotVisited> {
    let settings = &config.organization;
    let skipped = |why: &str| Err(NotVisited::Skipped(why.to_owned()));
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
    if settings.exclude_accounts.contains(&account.id) {
        return skipped("excluded by organization.exclude_accounts");
    }
    if account.management && settings.management_account == ManagementAccount::Skip {
        return skipped("the management account; organization.management_account is skip");
    }
    let within = |ous: &[OuId]| match &account.ous {
        Fact::Known(above) => Ok(above.iter().any(|ou| ous.contains(&ou.id))),
        Fact::Unknown(why) => {
            Err(NotVisited::Unknown(format!("its organizational units are unknown: {why}")))
        }
        Fact::NotRead => Err(NotVisited::Unknown("its organizational units were not read".to_owned())),
    };
    if !settings.include_ous.is_empty() && !within(&settings.include_ous)? {
        return skipped("not in organization.include_ous");
    }
    if !settings.exclude_ous.is_empty() && within(&settings.exclude_ous)? {
        return skipped("in organization.exclude_ous");
    }
    if let Some(why) = state_unknown {
        return Err(NotVisited::Unknown(why));
    }
    Ok(access(config, account))
}

/// Whether this configuration has changes made in an account at all.
///
/// # Errors
/// Why not.
pub(super) fn is_ours(account: &AccountFacts, config: &Config) -> Result<(), String> {
    let settings = &config.organization;
    if settings.accounts.is_empty() {
        let visit = visit(account, &AccountState::Active, config);
        return visit.map(drop).map_err(|not| not.why().to_owned());
    }
    if settings.exclude_accounts.contains(&account.id) {
        return Err("excluded by organization.exclude_accounts".into());
    }
    if settings.accounts.contains(&account.id) { Ok(()) } else { Err("not in organization.accounts".into()) }
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

/// The account as the last sweep saw it; where this process has made none, as it is looked up alone. What rules read is
/// read afresh right before each change, but for an undo, which no rule restrains.
pub(super) async fn account_facts(
    engine: &Engine,
    aws: &Aws,
    config: &Config,
    id: AccountId,
    action: Action,
) -> AccountFacts {
    let (latest, for_change) = (engine.latest(), action != Action::Reactivate);
    let seen =
        latest.as_ref().and_then(|l| l.collection.accounts.iter().find(|(account, _)| account.id == id));
    let mut account = match seen.map(|(account, _)| account.clone()) {
        Some(account) => account,
        None => look_up(aws, config, id, for_change).await,
    };
    if for_change {
        read_for_rules(aws, config, &mut account).await;
    }
    account
}
