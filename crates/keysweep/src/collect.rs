//! Collect: look at every account, and return what was seen with its own failures.

mod account;
mod identities;
mod lanes;
mod organization;
mod scope;
mod trail;
mod user;

use std::collections::BTreeMap;
use std::sync::Arc;

use keysweep_aws::{Access, Aws};
use keysweep_core::facts::{AccountFacts, Collection, Outcome};
use keysweep_core::ids::AccountId;
use keysweep_core::lifecycle::Record;
use keysweep_core::state::State;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::Instrument as _;

use self::account::{AccountScanner, Progressed, Task};
use self::lanes::{Lanes, Slot};
use self::organization::Listing;
pub use self::organization::{OrganizationCache, OrganizationError};
pub(crate) use self::organization::{above, ou_path};
pub(crate) use self::scope::{NotEntered, Scope, Target, mk_account};
pub(crate) use self::trail::trail;
use crate::clock::Clock;
use crate::config::Config;

/// Receives the progress of a collection.
pub trait Progress: Send + Sync {
    /// So many accounts will be looked at or skipped, as far as they are listed.
    fn total(&self, accounts: usize);
    /// One of them is done.
    fn done(&self, account: &AccountFacts, outcome: &Outcome);
}

/// Ignores progress.
impl Progress for () {
    fn total(&self, _accounts: usize) {}

    fn done(&self, _account: &AccountFacts, _outcome: &Outcome) {}
}

/// What a collection needs to know.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// The way to AWS.
    pub aws: &'a Aws,
    /// What the operator wants.
    pub config: &'a Arc<Config>,
    /// The clock.
    pub clock: &'a Clock,
    /// What was read of the organization before.
    pub cache: &'a OrganizationCache,
    /// Accounts to look at; empty for all.
    pub only: &'a [AccountId],
    /// Whether keys that are Inactive are looked at where nothing of ours asks for it: to list those of unknown
    /// origin.
    pub list_inactive: bool,
}

/// Looks at every account.
///
/// # Errors
/// If there is no list of accounts. A failure in one account is part of the collection.
pub async fn collect(
    inputs: Inputs<'_>,
    state: &State,
    progress: &dyn Progress,
) -> Result<Collection, OrganizationError> {
    gather(inputs, tracked(state), None, progress).await
}

/// Records of keys that exist as far as keysweep knows, by account.
pub(crate) fn tracked(state: &State) -> BTreeMap<AccountId, Vec<Arc<Record>>> {
    let mut tracked: BTreeMap<AccountId, Vec<Arc<Record>>> = BTreeMap::new();
    for record in state.shared_records().filter(|record| record.state.is_tracked()) {
        tracked.entry(record.identity.account).or_default().push(record);
    }
    tracked
}

/// As [`collect`], with nothing of the state but what it needs: there may be tens of thousands of records. Facts that are the
/// same as before are not kept twice.
pub(crate) async fn gather(
    inputs: Inputs<'_>,
    mut tracked: BTreeMap<AccountId, Vec<Arc<Record>>>,
    before: Option<&Collection>,
    progress: &dyn Progress,
) -> Result<Collection, OrganizationError> {
    let (to, mut targets) = mpsc::unbounded_channel();
    let listing = Listing { inputs, progress, to }.run();
    let Inputs { aws, config, clock, only, list_inactive, .. } = inputs;
    let scanning = async {
        let lanes = Lanes::new(config.scan.concurrency);
        let mut running = JoinSet::new();
        let mut done = Vec::new();
        let finish = |done: &mut Vec<_>, account: AccountFacts, mut outcome: Outcome| {
            progress.done(&account, &outcome);
            if let (Outcome::Scanned(scan), Some(before)) = (&mut outcome, before) {
                scan.share(before.scan(account.id));
            }
            done.push((account, outcome));
        };
        while let Some(target) = targets.recv().await {
            let access = match target.entry {
                Ok(access) => access,
                Err(not) => {
                    finish(&mut done, target.account, not.into_outcome());
                    continue;
                }
            };
            // A task is made when there is a slot for it, so that memory goes with concurrency and not with accounts.
            let Some(slot) = lanes.slot().await else { break };
            let task = Task {
                aws: aws.clone(),
                config: Arc::clone(config),
                clock: clock.clone(),
                tracked: tracked.remove(&target.account.id).unwrap_or_default(),
                list_inactive,
            };
            let span = tracing::debug_span!("scan", account = %target.account.id);
            running.spawn(scan(lanes.clone(), slot, target.account, access, task).instrument(span));
            while let Some(ended) = running.try_join_next() {
                let (account, outcome) = joined(ended);
                finish(&mut done, account, outcome);
            }
        }
        while let Some(ended) = running.join_next().await {
            let (account, outcome) = joined(ended);
            finish(&mut done, account, outcome);
        }
        Ok(done)
    };
    // A list that breaks off ends the scans that it has started: part of an organization is none.
    let (ous, mut accounts) = tokio::try_join!(listing, scanning)?;
    accounts.sort_by_key(|(account, _)| account.id);
    Ok(Collection { at: clock.now(), accounts, complete: only.is_empty(), ous, skew: aws.skew() })
}

/// A task that panicked brings its panic here: a bug ends the sweep loudly, it is not an account that failed.
fn joined(ended: Result<(AccountFacts, Outcome), tokio::task::JoinError>) -> (AccountFacts, Outcome) {
    match ended {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Scans one account, giving up the slot while AWS makes a report.
async fn scan(
    lanes: Lanes,
    slot: Slot,
    account: AccountFacts,
    access: Access,
    task: Task,
) -> (AccountFacts, Outcome) {
    let mut scanner = AccountScanner::new(task, account.clone(), access);
    let mut slot = Some(slot);
    loop {
        let Some(mine) = slot.take() else { break };
        // Boxed, so that an account which waits for its report holds on to little.
        match lanes.work(mine, Box::pin(scanner.go_on())).await {
            Progressed::Done(outcome) => return (account, outcome),
            Progressed::Wait(delay) => tokio::time::sleep(delay).await,
        }
        slot = lanes.slot().await;
    }
    (account, Outcome::Failed { reason: "the sweep ended first".into() })
}
