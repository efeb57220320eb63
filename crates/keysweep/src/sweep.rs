//! One sweep: settle, collect, plan, act. It takes no input: timer, signal, operator and restart run the same code.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use keysweep_aws::Aws;
use keysweep_core::facts::{AccountFacts, AccountScan, Collection, KeyFacts, KeyStatus, Outcome};
use keysweep_core::ids::AccessKeyId;
use keysweep_core::plan::{
    Context, Next, Plan, View, granted_matches, is_another, plan_part, quarantines_to_end, unknown_keys,
};
use keysweep_core::references::{self, Choice, Reference};
use keysweep_core::render::coverage;
use keysweep_core::state::{Actor, Body, Reach, State};
use keysweep_core::ticket::Ticket;
use keysweep_store::AppendError;
use tracing::Instrument as _;

use crate::change::{all, settle_open_intents};
use crate::collect::{Inputs, OrganizationError, gather, ou_path, tracked};
use crate::config::Config;
use crate::engine::{Engine, EngineFault, Latest};
use crate::people::announce;
use crate::trace::trace_reactivations;

/// Why a sweep failed as a whole.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// There is no way to AWS.
    #[error(transparent)]
    Engine(#[from] EngineFault),
    /// There is no list of accounts.
    #[error(transparent)]
    Organization(#[from] OrganizationError),
    /// What was seen could not be journaled: nothing is done then.
    #[error("what was seen could not be journaled")]
    Append(#[from] AppendError),
    /// Nothing was wrong: keysweep is to end.
    #[error("keysweep is stopping")]
    Stopped,
}

/// So many entries of a plan are written together: each takes several times its size in memory until it is on disk.
pub(crate) const ENTRIES_AT_ONCE: usize = 2_000;

/// So often all accounts are planned in parts: for what is found, and for what follows from what people were told of it.
const PASSES: usize = 2;

/// Plans of one sweep: people are told of a key's change, and asked for approval of it, and each is followed by another
/// plan. More would be a loop in the rules.
const ROUNDS: usize = 8;

/// What a sweep came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Accounts scanned.
    pub scanned: usize,
    /// Accounts that failed.
    pub failed: usize,
    /// Accounts skipped.
    pub skipped: usize,
    /// Changes that came to be.
    pub changed: usize,
    /// Changes that the re-check, AWS or a restraint stopped.
    pub stopped: usize,
}

/// Runs one sweep.
///
/// # Errors
/// If it failed as a whole; a failure in one account is part of what it came to.
pub async fn sweep(engine: &Engine) -> Result<Swept, SweepError> {
    let started = engine.clock().instant();
    let config = engine.config();
    engine.metrics().scans.started();
    // Boxed, and its type forgotten: it is the deepest of all futures here.
    engine.set_sweeping(true);
    let result = steps(engine, started).boxed().instrument(tracing::debug_span!("sweep")).await;
    engine.set_sweeping(false);
    let failed = result.as_ref().is_err_and(|error| !matches!(error, SweepError::Stopped));
    if failed {
        engine.metrics().scans.failed();
    }
    engine.sweep_ended(&config, failed);
    result
}

/// What a sweep acts on.
struct Looked {
    aws: Aws,
    config: Arc<Config>,
    swept: Swept,
    keys: usize,
    tickets: Vec<Ticket>,
    spare: Vec<Ticket>,
}

async fn steps(engine: &Engine, started: tokio::time::Instant) -> Result<Swept, SweepError> {
    // Looking can be broken off anywhere. A change whose intent is on disk is brought to its end.
    let looked = engine.stopping().run_until_cancelled(look(engine, started)).await;
    let Looked { aws, config, mut swept, keys, tickets, spare } = looked.ok_or(SweepError::Stopped)??;
    let mut ended = end_quarantines(engine, &aws, &config).await;
    // Keys that are planned and never changed, an incident's for instance, must not use up the caps of the others.
    for tickets in [tickets, spare] {
        let acted = all(engine, &aws, &config, tickets).await;
        swept.changed += acted.changed;
        swept.stopped += acted.stopped;
    }
    // A key that is deactivated now needs no quarantine any more.
    ended += end_quarantines(engine, &aws, &config).await;
    swept.changed += ended;
    // Last: it changes nothing, and nothing waits for it.
    engine.stopping().run_until_cancelled(trace_reactivations(engine, &aws, &config)).await;
    let took = engine.clock().elapsed_since(started);
    tracing::info!(
        scanned = swept.scanned,
        failed = swept.failed,
        skipped = swept.skipped,
        keys,
        changed = swept.changed,
        stopped = swept.stopped,
        seconds = took.as_secs_f64(),
        "sweep finished"
    );
    Ok(swept)
}

/// Ends every quarantine that is to end; how many did.
async fn end_quarantines(engine: &Engine, aws: &Aws, config: &Arc<Config>) -> usize {
    let tickets = engine.with_context(&config.policy, quarantines_to_end);
    all(engine, aws, config, tickets).await.changed
}

/// Settles, collects, plans, and writes what the plan says.
async fn look(engine: &Engine, started: tokio::time::Instant) -> Result<Looked, SweepError> {
    let config = engine.config();
    let aws = engine.aws().await?;
    settle_open_intents(engine, &aws).await?;
    // What gives access back waits for nothing, and needs nothing of the organization.
    let ended = end_quarantines(engine, &aws, &config).await;

    let organization = engine.organization();
    let inputs = Inputs {
        aws: &aws,
        config: &config,
        clock: engine.clock(),
        cache: &organization,
        only: &[],
        list_inactive: engine.lists_inactive(),
    };
    let tracked = engine.store().read(tracked);
    let collection = {
        let before = engine.latest();
        gather(inputs, tracked, before.as_deref().map(|latest| &latest.collection), &()).await?
    };
    // Without an answer of AWS, nobody knows.
    if collection.skew.is_some() && collection.skewed().is_none() {
        engine.confirm_clock();
    }
    let mut swept = count(&collection);
    swept.changed += ended;
    let observed = |state: &State, now| {
        let context = Context { now, policy: &config.policy, state };
        Ok::<_, Infallible>((observations(&context, &collection), ()))
    };
    engine.decide(&Actor::Keysweep, observed).await.map_err(AppendError::from)?;
    let idle_rules = watch_references(engine, &config, &collection).await?;
    for (rule, exemption) in config.policy.lapsed_exemptions(engine.clock().now()) {
        tracing::warn!(%rule, until = %exemption.until, reason = exemption.reason, "exemption has lapsed");
    }
    // Many records are about to change, and it would keep them as they were.
    engine.forget_outlook();
    let mut plan = planned(engine, &config, &collection).await?;
    let (tickets, _) = plan.take_effects();
    let spare = std::mem::take(&mut plan.spare);
    tell(engine, &plan);
    tell_unknown(&plan);
    let covered = coverage(&collection, &plan.keys);
    if covered.scanned == 0 {
        tracing::error!(
            accounts = covered.accounts,
            failed = swept.failed,
            skipped = swept.skipped,
            "no account was scanned: nothing is known of any key"
        );
    }
    let hidden = hidden_users(&collection);
    let unknown = plan.keys.iter().filter(|key| !key.unknown.is_empty()).count();
    let (idle_exemptions, busy_exemptions) =
        engine.with_context(&config.policy, |context| exemptions_that_changed(context, &collection));
    let finished = Body::SweepFinished {
        took: engine.clock().elapsed_since(started),
        scanned: as_u64(swept.scanned),
        failed: as_u64(swept.failed),
        skipped: as_u64(swept.skipped),
        complete: collection.complete,
        keys: as_u64(plan.keys.len() + hidden),
        unknown_keys: as_u64(unknown + hidden),
        stale: Some(engine.store().read(stale_keys)),
        idle_exemptions,
        busy_exemptions,
    };
    engine.set_latest(Latest { collection, idle_rules });
    // Scanning is over; what is acted on from here is read again key by key.
    engine.record(&Actor::Keysweep, vec![finished]).await?;
    Ok(Looked { aws, config, swept, keys: plan.keys.len(), tickets, spare })
}

/// Stale keys, as the last successful scan of each account counted them.
fn stale_keys(state: &State) -> u64 {
    let present = state.accounts().filter(|(_, account)| !matches!(account.reach, Reach::Left { .. }));
    present.map(|(_, account)| account.findings.stale()).sum()
}

/// Exemptions that match no finding any more, and those that do again. Where the collection is not complete, or facts are
/// missing, nothing is said: an exemption may match what was not seen.
fn exemptions_that_changed(
    context: &Context<'_>,
    collection: &Collection,
) -> (BTreeSet<String>, BTreeSet<String>) {
    let Context { now, policy, state } = *context;
    let known = &state.control().idle_exemptions;
    let configured = policy.exempted(now, collection).into_iter();
    let configured = configured.map(|(rule, found)| (rule.matches.to_string(), found.is_empty()));
    let granted = granted_matches(context, collection).into_iter();
    let granted = granted.map(|(exemption, found)| (exemption.rule().to_string(), found.is_empty()));
    let matches: Vec<_> = configured.chain(granted).collect();
    let granted = state.control().exemptions_in_force(now).map(|exemption| exemption.rule().to_string());
    let in_force: BTreeSet<_> =
        policy.exemptions.iter().map(|rule| rule.matches.to_string()).chain(granted).collect();
    let whole = collection.complete
        && collection.accounts.iter().all(|(_, outcome)| !matches!(outcome, Outcome::Failed { .. }));
    let (idle, busy): (Vec<_>, Vec<_>) = matches.into_iter().partition(|(_, is_idle)| *is_idle);
    let idle: BTreeSet<_> = idle.into_iter().map(|(rule, _)| rule).filter(|_| whole).collect();
    let busy: BTreeSet<_> = busy.into_iter().map(|(rule, _)| rule).collect();
    let began = idle.iter().filter(|rule| !known.contains_key(*rule) && !busy.contains(*rule)).cloned();
    let ended = known.keys().filter(|rule| busy.contains(*rule) || !in_force.contains(*rule)).cloned();
    (began.collect(), ended.collect())
}

/// The plan whose entries are journaled, and for which people have been told what they are to be told first.
async fn planned(engine: &Engine, config: &Arc<Config>, collection: &Collection) -> Result<Plan, SweepError> {
    let (mut passes, mut from, mut round) = (0, 0, 1);
    loop {
        let planned = |state: &State, now| {
            let (from, most) = if passes < PASSES { (from, ENTRIES_AT_ONCE) } else { (0, usize::MAX) };
            let plan = plan_part(from, most, now, &config.policy, state, collection);
            Ok::<_, Infallible>((plan.entries.clone(), plan))
        };
        let (_, plan) = engine.decide(&Actor::Keysweep, planned).await.map_err(AppendError::from)?;
        tell_entries(&plan.entries);
        for body in &plan.left_out {
            tracing::error!(
                ?body,
                "planned entry cannot happen: a bug in keysweep; its key is left to the next sweep"
            );
        }
        if let Some(next) = plan.goes_on_from {
            announce(engine, config, collection, &plan, tell_entries).await?;
            // Each part ends an account. Whether the parts of a sweep end does not depend on what was written.
            passes += usize::from(next == 0);
            from = next;
            continue;
        }
        let wanted = plan.announcements().count();
        if wanted == 0 {
            return Ok(plan);
        }
        // Keys of which people are to be told something are not changed by this plan.
        if round == ROUNDS {
            tracing::error!(
                keys = wanted,
                "people are told about keys without end: a bug in keysweep; the next sweep goes on"
            );
            return Ok(plan);
        }
        announce(engine, config, collection, &plan, tell_entries).await?;
        round += 1;
    }
}

fn count(collection: &Collection) -> Swept {
    let mut swept = Swept::default();
    for (account, outcome) in &collection.accounts {
        match outcome {
            Outcome::Scanned(scan) => {
                swept.scanned += 1;
                if let Some(why) = &scan.fallback {
                    tracing::warn!(account = %account.id, why, "scanned without its credential report");
                }
                for (user, why) in &scan.unread_users {
                    tracing::warn!(account = %account.id, user = %user, why, "keys of a user are unknown");
                }
                for why in &scan.unread_rows {
                    tracing::warn!(account = %account.id, why, "row of the credential report names nobody");
                }
                if let Some(why) = &scan.root_keys_unknown {
                    tracing::warn!(account = %account.id, why, "keys of the root user are unknown");
                }
            }
            Outcome::Failed { reason } => {
                swept.failed += 1;
                tracing::warn!(account = %account.id, reason, "account could not be scanned");
            }
            Outcome::Skipped { .. } => swept.skipped += 1,
        }
    }
    swept
}

/// What the collection tells the journal: one entry per account, and only what is new of accounts that were not
/// scanned.
fn observations(context: &Context<'_>, collection: &Collection) -> Vec<Body> {
    let accounts = collection.accounts.iter();
    accounts.filter_map(|(account, outcome)| observation(context, account, outcome)).collect()
}

fn observation(context: &Context<'_>, account: &AccountFacts, outcome: &Outcome) -> Option<Body> {
    let reach = context.state.account(account.id).map(|record| &record.reach);
    match outcome {
        Outcome::Scanned(scan) => Some(scanned(context, account, scan)),
        Outcome::Failed { reason } => {
            let known = matches!(reach, Some(Reach::Failed { reason: known, .. }) if known == reason);
            (!known).then(|| Body::AccountFailed {
                account: account.id,
                name: account.name.clone(),
                reason: reason.clone(),
            })
        }
        Outcome::Skipped { reason } => {
            let known = matches!(reach, Some(Reach::Skipped { reason: known, .. }) if known == reason);
            (!known).then(|| Body::AccountSkipped {
                account: account.id,
                name: account.name.clone(),
                reason: reason.clone(),
            })
        }
    }
}

fn scanned(context: &Context<'_>, account: &AccountFacts, scan: &AccountScan) -> Body {
    let state = context.state;
    let inactive = |facts: &&Arc<KeyFacts>| {
        let view = View { account, facts, sighting: &scan.sighting };
        let recorded = state.record(&facts.key).is_some_and(|record| !is_another(record, &view));
        recorded && facts.status == KeyStatus::Inactive
    };
    let inactive: BTreeSet<AccessKeyId> =
        scan.keys.iter().filter(inactive).map(|key| key.key.clone()).collect();
    Body::AccountScanned {
        account: account.id,
        name: account.name.clone(),
        ou_path: ou_path(account),
        sighting: scan.sighting.clone(),
        inactive,
        inventory: scan.inventory.clone(),
        untold: scan.untold(),
        unknown_keys: unknown_keys(context, account, scan),
        report_generated_at: scan.report_generated_at,
        place: context.policy.notices.place(account),
    }
}

/// Journals which references of rules exist and which do not; gives those that match nothing and stop nothing.
async fn watch_references(
    engine: &Engine,
    config: &Config,
    collection: &Collection,
) -> Result<Option<BTreeSet<Reference>>, SweepError> {
    let now = engine.clock().now();
    let Some(report) = references::check(&config.policy, now, &choice(config), collection) else {
        return Ok(None);
    };
    let known = |state: &State, _| {
        let entries = references::entries(state.control(), &report);
        Ok::<_, Infallible>((entries.clone(), entries))
    };
    let (_, entries) = engine.decide(&Actor::Keysweep, known).await.map_err(AppendError::from)?;
    for entry in &entries {
        if let Body::ReferenceMissing { reference: Reference { rule, what } } = entry {
            tracing::error!(rule, what, "a rule names what does not exist: see `keysweep rules list`");
        } else if let Body::ReferenceCleared { reference: Reference { rule, what }, why } = entry {
            tracing::info!(rule, what, ?why, "no longer missing");
        }
    }
    let before = engine.latest().and_then(|latest| latest.idle_rules.clone()).unwrap_or_default();
    for idle in report.idle.difference(&before) {
        tracing::warn!(rule = idle.rule, what = idle.what, "a rule matches nothing");
    }
    Ok(Some(report.idle))
}

/// How the configuration chooses accounts.
pub(crate) fn choice(config: &Config) -> Choice<'_> {
    let organization = &config.organization;
    Choice {
        include_ous: &organization.include_ous,
        exclude_ous: &organization.exclude_ous,
        exclude_accounts: &organization.exclude_accounts,
    }
}

/// Logs what was journaled.
fn tell_entries(entries: &[Body]) {
    for body in entries {
        match body {
            Body::Key { account, key, event } => {
                tracing::info!(%account, %key, event = event.name(), "key");
            }
            Body::BreakerTripped { reason } => tracing::error!(%reason, "the circuit breaker opened"),
            Body::AccountLeft { account } => tracing::warn!(%account, "account left the organization"),
            Body::Started { .. }
            | Body::Configured { .. }
            | Body::AccountUnparked { .. }
            | Body::AccountScanned { .. }
            | Body::AccountFindings { .. }
            | Body::AccountFailed { .. }
            | Body::AccountSkipped { .. }
            | Body::KeyCreated { .. }
            | Body::ChangeFailed { .. }
            | Body::DueAccepted { .. }
            | Body::BreakerReset { .. }
            | Body::Paused { .. }
            | Body::Resumed { .. }
            | Body::ReferenceMissing { .. }
            | Body::ReferenceCleared { .. }
            | Body::RuleAcknowledged { .. }
            | Body::ExemptionGranted { .. }
            | Body::ExemptionEnded { .. }
            | Body::Restored { .. }
            | Body::MessageComposed { .. }
            | Body::MessageDelivered { .. }
            | Body::MessageUndeliverable { .. }
            | Body::MessageWithdrawn { .. }
            | Body::MessageRetried { .. }
            | Body::SweepFinished { .. } => {}
        }
    }
}

/// Logs and counts what the plan decided.
fn tell(engine: &Engine, plan: &Plan) {
    for key in &plan.keys {
        if let Next::Wait { action, wait } = &key.next {
            engine.metrics().changes.suppressed(*action, wait.reason());
        }
    }
    if engine.lists_inactive() {
        for (account, key) in &plan.inactive_of_unknown_origin {
            tracing::warn!(%account, %key, "inactive key of unknown origin");
        }
    }
}

/// One line for each reason why facts are unknown: an organization whose tree cannot be read has one, and not one for
/// each of its keys.
fn tell_unknown(plan: &Plan) {
    let mut reasons: BTreeMap<&str, (usize, BTreeSet<usize>)> = BTreeMap::new();
    for key in &plan.keys {
        for why in &key.unknown {
            let (keys, accounts) = reasons.entry(why).or_default();
            *keys += 1;
            accounts.insert(key.account);
        }
    }
    for (why, (keys, accounts)) in reasons {
        tracing::warn!(why, keys, accounts = accounts.len(), "facts about keys could not be read: they wait");
    }
}

fn hidden_users(collection: &Collection) -> usize {
    let hidden = |(_, outcome): &(AccountFacts, Outcome)| match outcome {
        Outcome::Scanned(scan) => scan.hidden_users(),
        Outcome::Failed { .. } | Outcome::Skipped { .. } => 0,
    };
    collection.accounts.iter().map(hidden).sum()
}

fn as_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// How long to wait until the next sweep: what is left of the interval after a sweep that `took` so long, or until a
/// window opens, if that is sooner. In operational time.
///
/// Sweeps begin an interval apart and not end: grace counts no span that is longer than two intervals.
#[must_use]
pub fn until_next(engine: &Engine, took: Duration) -> Duration {
    let (config, clock) = (engine.config(), engine.clock());
    let now = clock.now();
    let opening = config.policy.windows().filter_map(|window| window.next_opening(now)).min();
    let opening = opening.and_then(|at| Duration::try_from(at.duration_since(now)).ok());
    let rest = clock.operational_span(config.scan.interval).saturating_sub(took);
    opening.map_or(rest, |opening| rest.min(clock.operational_span(opening)))
}
