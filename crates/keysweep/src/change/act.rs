//! Act: carry out tickets, one change at a time per key.
//!
//! ```text
//! ticket -> read again -> decide again -> session for this one change -> decide once more and write the intent
//!        -> one call -> read back -> outcome on disk
//! ```

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use keysweep_aws::{AccountState, Aws, Prepared, Reader};
use keysweep_core::evidence::{Gap, Opinion, Trail};
use keysweep_core::facts::{AccountFacts, Fact, KeyFacts, KeyStatus, OtherKey};
use keysweep_core::ids::{AccessKeyId, AccountId};
use keysweep_core::lifecycle::event;
use keysweep_core::lifecycle::{OpenIntent, Quarantine, Record};
use keysweep_core::plan::{By, Context, Recheck, Refusal, Unknown, View, Wait, gate, recheck};
use keysweep_core::state::{Actor, Body, State};
use keysweep_core::ticket::{Action, Agreement, Origin, Ticket, Warrant};
use keysweep_store::{AppendError, Undecided};
use tracing::Instrument as _;

use super::account::account_facts;
use super::in_flight::InFlight;
use super::outcome::{Change, failed_before, mk_entry};
use super::reread::{Fresh, RereadError, reread};
use crate::causes::in_words;
use crate::collect::{NotEntered, Scope, trail};
use crate::config::Config;
use crate::engine::{Engine, Room};
use crate::evidence::{self, FileError, Filed, Occasion, Subject};

/// Accounts in which changes are made at the same time. A change takes a handful of calls, and the caps leave few
/// changes a day: more would only make a mistake faster.
const ACCOUNTS_AT_ONCE: usize = 4;

/// What became of one ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Acted {
    /// AWS shows the effect.
    Done,
    /// AWS accepted the call, and the effect does not show yet. It is read again by the next sweep.
    Late(String),
    /// No call was made: the reason.
    NotSent(Wait),
    /// A call was made and refused, or its fate is unclear.
    Failed(String),
}

/// Counts over many tickets.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) changed: usize,
    pub(crate) stopped: usize,
}

/// Carries out tickets: those of one account one after the other, a few accounts at a time.
pub(crate) async fn all(engine: &Engine, aws: &Aws, config: &Arc<Config>, tickets: Vec<Ticket>) -> Counts {
    let mut by_account: BTreeMap<AccountId, Vec<Ticket>> = BTreeMap::new();
    for ticket in tickets {
        by_account.entry(ticket.identity().account).or_default().push(ticket);
    }
    let accounts = by_account.into_values().map(|tickets| async move {
        let mut counts = Counts::default();
        for ticket in tickets {
            if engine.stopping().is_cancelled() {
                break;
            }
            // Costs no call where a cap is used up, or the account is parked since the last change.
            if stopped_already(engine, config, &ticket) {
                continue;
            }
            match act(engine, aws, config, ticket).await {
                Acted::Done | Acted::Late(_) => counts.changed += 1,
                // What could not be read for one key cannot be read for the next one: every look costs many calls.
                Acted::NotSent(Wait::Evidence(Gap::Regions(_) | Gap::Unread { .. } | Gap::Analyzer(_))) => {
                    counts.stopped += 1;
                    break;
                }
                Acted::NotSent(_) | Acted::Failed(_) => counts.stopped += 1,
            }
        }
        counts
    });
    let done = stream::iter(accounts).buffer_unordered(ACCOUNTS_AT_ONCE);
    done.fold(Counts::default(), |sum, counts| async move {
        Counts { changed: sum.changed + counts.changed, stopped: sum.stopped + counts.stopped }
    })
    .await
}

/// Whether what restrains all keys together stops this ticket before anything is read.
fn stopped_already(engine: &Engine, config: &Config, ticket: &Ticket) -> bool {
    // An undo is restrained by nothing.
    let action = ticket.action();
    if action.is_undo() {
        return false;
    }
    engine.with_context(&config.policy, |context| {
        let record = context.state.record(&ticket.identity().key);
        record.is_some_and(|record| gate(context, record, action, By::Policy).is_err())
    })
}

/// Carries out one ticket that was made under `config`.
///
/// When keysweep stops, a change is given up until its intent is about to be written, and from then on brought to its
/// end.
pub(crate) async fn act(engine: &Engine, aws: &Aws, config: &Arc<Config>, ticket: Ticket) -> Acted {
    let (action, identity) = (ticket.action(), ticket.identity());
    let (account, key) = (identity.account, &identity.key);
    let span = tracing::debug_span!("change", otel.name = action.as_str(), %action, %account, %key);
    one(engine, aws, config, ticket).instrument(span).await
}

async fn one(engine: &Engine, aws: &Aws, config: &Arc<Config>, ticket: Ticket) -> Acted {
    let (action, identity) = (ticket.action(), ticket.identity().clone());
    let stop = engine.stopping();
    let undo = action.is_undo();
    let _asked = undo.then(|| engine.changes.ask_undo(&identity.key));
    let Some(_only_one) = stop.run_until_cancelled(engine.changes.key(&identity.key)).await else {
        return not_sent(Wait::Stopping);
    };
    let made_ready = async {
        tokio::select! {
            biased;
            () = engine.changes.undo_asked(&identity.key), if !undo => Err(not_sent(Recheck::Undo)),
            ready = Box::pin(make_ready(engine, aws, config, ticket)) => ready,
        }
    };
    let acted = match stop.run_until_cancelled(made_ready).await {
        Some(Ok(ready)) => Box::pin(carry_out(engine, aws, *ready)).await,
        Some(Err(acted)) => acted,
        None => not_sent(Wait::Stopping),
    };
    match &acted {
        Acted::Done => {
            tracing::info!(account = %identity.account, key = %identity.key, %action, "changed");
        }
        Acted::Late(why) => {
            tracing::warn!(account = %identity.account, key = %identity.key, %action, why, "not confirmed yet");
        }
        Acted::NotSent(wait) => {
            engine.metrics().changes.suppressed(action, wait.reason());
            let reason = wait.reason().as_str();
            tracing::info!(account = %identity.account, key = %identity.key, %action, reason, why = %wait, "not changed");
        }
        Acted::Failed(why) => {
            tracing::error!(account = %identity.account, key = %identity.key, %action, why, "change failed");
        }
    }
    acted
}

fn not_sent(wait: impl Into<Wait>) -> Acted {
    Acted::NotSent(wait.into())
}

fn bug(what: &str) -> Unknown {
    Unknown::Bug(what.to_owned())
}

/// A change that lacks nothing but its intent.
struct Ready {
    config: Arc<Config>,
    account: AccountFacts,
    record: Record,
    reader: Reader,
    fresh: Fresh,
    warrant: Warrant,
    prepared: Prepared,
}

/// Reads again, decides again, and gets the session for this one change.
async fn make_ready(
    engine: &Engine,
    aws: &Aws,
    config: &Arc<Config>,
    ticket: Ticket,
) -> Result<Box<Ready>, Acted> {
    let (action, config) = (ticket.action(), Arc::clone(config));
    if !in_force(engine, &config, action) {
        return Err(not_sent(Recheck::AnotherConfiguration));
    }
    let identity = ticket.identity().clone();
    let Some(record) = engine.store().read(|state| state.record(&identity.key).cloned()) else {
        return Err(not_sent(Recheck::NoRecord));
    };
    let mut seen = match see(engine, aws, &config, &record, action).await {
        Ok(seen) => seen,
        // Nothing is attached to nobody.
        Err(Wait::Recheck(Recheck::UserGone)) if action == Action::EndQuarantine => {
            return Err(ended_with_user(engine, &record).await);
        }
        Err(wait) => return Err(Acted::NotSent(wait)),
    };
    if !config.policy.cloudtrail {
        look_beside(engine, &config, action, &seen).await.note_in(&mut seen.fresh.facts);
    }
    let agreement = loop {
        match decide_again(engine, &config, &record, &ticket, &seen).await {
            Ok(agreement) => {
                engine.gaps.closed(&identity.key);
                break agreement;
            }
            // Nothing but evidence is missing. A lookup makes many calls, so it comes last.
            Err(Wait::Evidence(Gap::NotRead)) if seen.fresh.facts.trail == Fact::NotRead => {
                if action == Action::Delete {
                    evidence::ready(engine, &config)
                        .await
                        .map_err(|error| no_bundle(engine, &record, &error))?;
                }
                let trail = look_up(engine, &config, &seen, &identity.key).await;
                let beside = look_beside(engine, &config, action, &seen).await;
                // Looking takes seconds: what decides is read again after it.
                seen = see(engine, aws, &config, &record, action).await.map_err(Acted::NotSent)?;
                seen.fresh.facts.trail = trail;
                beside.note_in(&mut seen.fresh.facts);
            }
            Err(wait) => {
                if let Wait::Evidence(gap) = &wait {
                    engine.gaps.found(&identity.key, gap.clone());
                }
                return Err(not_sent(wait));
            }
        }
    };
    let mut warrant =
        ticket.agreed(agreement).map_err(|_| not_sent(bug("the re-check agreed to another change")))?;
    if action == Action::Delete {
        warrant = with_bundle(engine, &config, &record, &seen, warrant).await?;
    }
    let Seen { account, reader, fresh } = seen;
    let prepared = match aws.prepare(&warrant, &fresh.path).await {
        Ok(prepared) => prepared,
        Err(fault) => {
            return Err(failed_before(engine, &record, &warrant, &fault).await);
        }
    };
    Ok(Box::new(Ready { config, account, record, reader, fresh, warrant, prepared }))
}

/// What a quarantine needs to know besides the key: the other keys of the user, which it stops as well, and what the
/// policy says.
struct Beside {
    trails: BTreeMap<AccessKeyId, Fact<Box<Trail>>>,
    policy_denies: Fact<bool>,
}

impl Beside {
    fn note_in(self, facts: &mut KeyFacts) {
        let Self { mut trails, policy_denies } = self;
        for other in &mut facts.other_keys {
            other.trail = trails.remove(&other.key).unwrap_or(Fact::NotRead);
        }
        facts.policy_denies = policy_denies;
    }
}

async fn look_beside(engine: &Engine, config: &Config, action: Action, seen: &Seen) -> Beside {
    let mut beside = Beside { trails: BTreeMap::new(), policy_denies: Fact::NotRead };
    if action != Action::Quarantine {
        return beside;
    }
    let works = |other: &&OtherKey| other.status != KeyStatus::Inactive;
    for other in seen.fresh.facts.other_keys.iter().filter(works).filter(|_| config.policy.cloudtrail) {
        let trail = look_up(engine, config, seen, &other.key).await;
        beside.trails.insert(other.key.clone(), trail);
    }
    let denies = seen.reader.policy_denies(&config.policy.quarantine_policy).await;
    beside.policy_denies = denies.map_or_else(|fault| Fact::Unknown(in_words(&fault)), Fact::Known);
    beside
}

/// What CloudTrail shows of a key of the user, and what IAM Access Analyzer says of it, where it is asked.
async fn look_up(engine: &Engine, config: &Config, seen: &Seen, key: &AccessKeyId) -> Fact<Box<Trail>> {
    let Seen { reader, fresh, .. } = seen;
    let mut looked = trail(reader, key, &config.evidence, engine.clock()).await;
    if let (Fact::Known(trail), Some(analyzer)) = (&mut looked, &config.evidence.access_analyzer) {
        let user = (fresh.path.as_str(), &fresh.facts.user_name);
        let opinion = reader.opinion(analyzer, user, key, engine.clock().now()).await;
        trail.analyzer = Some(opinion.unwrap_or_else(|fault| Opinion::Unread(in_words(&fault))));
    }
    looked
}

/// Notes that a quarantine ended with its user.
async fn ended_with_user(engine: &Engine, record: &Record) -> Acted {
    let removed = mk_entry(record, event::Seen::QuarantineRemoved.into());
    match engine.record(&Actor::Keysweep, vec![removed]).await {
        Ok(_) => Acted::Done,
        Err(error) => not_sent(Unknown::Failed(in_words(&error))),
    }
}

/// Makes the evidence bundle of a deletion: without it on disk and in the journal, there is no intent.
async fn with_bundle(
    engine: &Engine,
    config: &Config,
    record: &Record,
    seen: &Seen,
    warrant: Warrant,
) -> Result<Warrant, Acted> {
    let subject = seen.subject(config, record);
    let occasion = Occasion::Deletion { origin: warrant.origin(), why: warrant.why() };
    let filed = evidence::file(engine, occasion, subject).await;
    let filed = filed.map_err(|error| no_bundle(engine, record, &error))?;
    let evidenced = filed.receipt.and_then(|receipt| warrant.evidenced(&receipt).ok());
    evidenced.ok_or_else(|| not_sent(bug("the journal's receipt is not that of the evidence bundle")))
}

/// Without a bundle, there is no deletion; plans show why.
fn no_bundle(engine: &Engine, record: &Record, error: &FileError) -> Acted {
    let gap = Gap::NoBundle(in_words(error));
    engine.gaps.found(&record.identity.key, gap.clone());
    not_sent(Wait::Evidence(gap))
}

/// What an operator wants to know of a key: the key and its account as they are, and what CloudTrail shows of it.
pub(crate) async fn gather(
    engine: &Engine,
    aws: &Aws,
    config: &Config,
    record: &Record,
    actor: &Actor,
) -> Result<Filed, GatherError> {
    let mut seen = see(engine, aws, config, record, Action::Deactivate).await?;
    if config.policy.cloudtrail {
        seen.fresh.facts.trail = look_up(engine, config, &seen, &record.identity.key).await;
    }
    Ok(evidence::file(engine, Occasion::Request { actor }, seen.subject(config, record)).await?)
}

/// Why there is no evidence of a key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GatherError {
    /// The key or its account cannot be read.
    #[error("{0}")]
    Unseen(Wait),
    /// It cannot be kept.
    #[error(transparent)]
    File(#[from] FileError),
}

impl From<Wait> for GatherError {
    fn from(wait: Wait) -> Self {
        Self::Unseen(wait)
    }
}

/// A key and its account as they are right now.
struct Seen {
    account: AccountFacts,
    reader: Reader,
    fresh: Fresh,
}

impl Seen {
    fn subject<'a>(&'a self, config: &'a Config, record: &'a Record) -> Subject<'a> {
        let Self { account, fresh, .. } = self;
        Subject { config, account, record, facts: &fresh.facts, sighting: &fresh.sighting }
    }
}

/// Reads where the account of a key is, and the key.
async fn see(
    engine: &Engine,
    aws: &Aws,
    config: &Config,
    record: &Record,
    action: Action,
) -> Result<Seen, Wait> {
    let id = record.identity.account;
    let account = account_facts(engine, aws, config, id, action).await;
    if !action.is_undo() {
        let excluded = |not: NotEntered| Recheck::NotEntered { account: id, why: not.why().to_owned() };
        Scope::of(config).entry(&account, &AccountState::Active).map_err(excluded)?;
    }
    let open = || aws.reader(id, Scope::of(config).access(&account));
    let mut reader = open().await.map_err(|fault| Unknown::Failed(in_words(&fault)))?;
    let mut fresh = reread(&reader, record, action, engine.clock(), config.scan.interval).await;
    // A session that was revoked since it was made must not stand in the way of an undo: another is had at once.
    if matches!(&fresh, Err(RereadError::Call(fault)) if fault.is_of_session()) {
        reader = open().await.map_err(|fault| Unknown::Failed(in_words(&fault)))?;
        fresh = reread(&reader, record, action, engine.clock(), config.scan.interval).await;
    }
    let fresh = fresh.map_err(|error| match error {
        RereadError::UserGone(_) => Recheck::UserGone,
        error @ (RereadError::Call(_) | RereadError::NotListed(_)) => Recheck::Unread(in_words(&error)),
    })?;
    Ok(Seen { account, reader, fresh })
}

/// The same decision with fresh facts. What they say has happened is recorded, whether or not anything is done.
async fn decide_again(
    engine: &Engine,
    config: &Config,
    record: &Record,
    ticket: &Ticket,
    seen: &Seen,
) -> Result<Agreement, Wait> {
    let view = View { account: &seen.account, facts: &seen.fresh.facts, sighting: &seen.fresh.sighting };
    let checked = |state: &State, now| {
        Ok::<_, Infallible>(match recheck(&Context { now, policy: &config.policy, state }, ticket, &view) {
            Ok(agreement) => (vec![], Ok(agreement)),
            Err(Refusal { wait, events, announcement }) => {
                let told = announcement.map(|announcement| announcement.told());
                let happened = events.into_iter().map(|event| mk_entry(record, event));
                (happened.chain(told).collect(), Err(wait))
            }
        })
    };
    let decided = engine.decide(&Actor::Keysweep, checked).await;
    let (_, verdict) =
        decided.map_err(|undecided| Unknown::Failed(in_words(&AppendError::from(undecided))))?;
    verdict
}

/// Whether a change may still be made that was decided under this configuration. An undo is blocked by none.
fn in_force(engine: &Engine, config: &Arc<Config>, action: Action) -> bool {
    action.is_undo() || Arc::ptr_eq(config, &engine.config())
}

/// Why no intent is written.
enum NoIntent {
    /// The session's deadline is too near. What was read for the change is as old.
    Late,
    /// A restraint, or another answer.
    Wait(Wait),
}

/// Decides for the last time, on exactly the state that the intent will follow.
fn intend(
    engine: &Engine,
    ready: &Ready,
    state: &State,
    now: Timestamp,
) -> Result<(Vec<Body>, InFlight), NoIntent> {
    let Ready { config, account, record, fresh, warrant, prepared, .. } = ready;
    let action = warrant.action();
    // In flight from here on: a pause or a new configuration that follows waits until this change has ended.
    let in_flight = engine.changes.begin();
    let left = prepared.time_left();
    if left.is_some_and(|left| left < config.aws.attempt_timeout) {
        return Err(NoIntent::Late);
    }
    if engine.stopping().is_cancelled() {
        return Err(NoIntent::Wait(Wait::Stopping));
    }
    if !action.is_undo() && engine.changes.undo_is_asked(&record.identity.key) {
        return Err(NoIntent::Wait(Recheck::Undo.into()));
    }
    // Also where the journal says already what this process has not put in force yet.
    let journaled = state.control().configuration == config.effective.to_journal();
    if !in_force(engine, config, action) || (!action.is_undo() && !journaled) {
        return Err(NoIntent::Wait(Recheck::AnotherConfiguration.into()));
    }
    let view = View { account, facts: &fresh.facts, sighting: &fresh.sighting };
    let context = Context { now, policy: &config.policy, state };
    recheck(&context, warrant.ticket(), &view).map_err(superseded)?;
    // What is left by AWS's clock, as ours will show it.
    let left = left.unwrap_or(OpenIntent::time_to_act(config.aws.attempt_timeout));
    let (origin, why) = (warrant.origin().clone(), warrant.why().to_owned());
    // What is detached is known from the entry that attached it.
    let quarantine = warrant.quarantine().filter(|_| action == Action::Quarantine).cloned().map(Box::new);
    let deadline = engine.clock().after(left);
    let event = event::Change::Intent { action, origin, why, deadline, quarantine }.into();
    Ok((vec![mk_entry(record, event)], in_flight))
}

/// What was read for the change is older than the state here: what it says has happened is not written, and left to the
/// next sweep.
fn superseded(refusal: Refusal) -> NoIntent {
    let superseded = !refusal.events.is_empty() || refusal.announcement.is_some();
    NoIntent::Wait(if superseded { Recheck::AnotherDecision.into() } else { refusal.wait })
}

/// Writes the intent, makes the call, and writes what became of it.
async fn carry_out(engine: &Engine, aws: &Aws, mut ready: Ready) -> Acted {
    let action = ready.warrant.action();
    let actor = match ready.warrant.origin() {
        Origin::Policy => Actor::Keysweep,
        Origin::Operator { actor, .. } => actor.clone(),
    };
    let room = if action.is_undo() { Room::Reserved } else { Room::Common };
    let (receipts, mut in_flight) = loop {
        let decide = |state: &State, now| intend(engine, &ready, state, now);
        match engine.ledger().decide(&actor, room, decide).await {
            Ok(intended) => break intended,
            Err(Undecided::No(NoIntent::Wait(wait))) => return Acted::NotSent(wait),
            // Nothing stops an undo: another session is opened at once.
            Err(Undecided::No(NoIntent::Late)) if action.is_undo() => {
                tracing::warn!(key = %ready.record.identity.key, "undo waited until its deadline: another session");
                match aws.prepare(&ready.warrant, &ready.fresh.path).await {
                    Ok(prepared) => ready.prepared = prepared,
                    Err(fault) => return failed_before(engine, &ready.record, &ready.warrant, &fault).await,
                }
            }
            Err(Undecided::No(NoIntent::Late)) => return not_sent(Recheck::Late),
            // Without an intent on disk there is no call.
            Err(Undecided::Append(error)) => {
                let why = format!("intent not written: {}", in_words(&error));
                return not_sent(Unknown::Failed(why));
            }
        }
    };
    let Ready { config, account, record, reader, fresh, warrant, prepared } = ready;
    // Whatever ends a quarantine of a key that is still to be deactivated has a reason to hold it.
    let stands = |it: &Quarantine| it.attached.is_some() && it.interrupted.is_none();
    let ends_early = record.due.is_some() && record.quarantine.as_deref().is_some_and(stands);
    let holds = ends_early || matches!(warrant.origin(), Origin::Operator { .. });
    let policy = warrant.quarantine().map(|attachment| attachment.policy.clone());
    let order = receipts.into_iter().next().and_then(|receipt| warrant.recorded(receipt).ok());
    let Some(order) = order else {
        return not_sent(bug("the journal's receipt is not that of the intent"));
    };

    let user_name = order.user_name().clone();
    engine.metrics().changes.sent(action);
    in_flight.calls();
    let outcome = prepared.send(order).await;
    drop(in_flight);
    let changed = Change {
        engine,
        reader: &reader,
        record: &record,
        fresh: &fresh,
        config: &config,
        account: &account,
        policy,
        holds,
    };
    changed.settle(action, &user_name, outcome).await
}
