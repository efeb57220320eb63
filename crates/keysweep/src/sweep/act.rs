//! Act: carry out tickets, one change at a time per key.
//!
//! ```text
//! ticket -> read again -> decide again -> session for this one change -> [door] restraints -> intent on disk
//!        -> one call -> read back -> outcome on disk
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use keysweep_aws::{Aws, CallOutcome, FaultKind, Prepared, Reader};
use keysweep_core::facts::{AccountFacts, Fact, KeyStatus, LastUse};
use keysweep_core::ids::AccountId;
use keysweep_core::lifecycle::{KeyEvent, Record, RefusedKind};
use keysweep_core::plan::{By, Reason, Refusal, View, Wait, gate, recheck};
use keysweep_core::planted;
use keysweep_core::policy::Subject;
use keysweep_core::state::{Body, TripReason};
use keysweep_core::ticket::{Action, Origin, Ticket, Warrant};
use tracing::Instrument as _;

use super::account::in_words;
use super::organization::{access, look_up};
use super::reread::{Fresh, RereadError, Shown, reread, until_it_shows};
use crate::config::Config;
use crate::engine::{Engine, OURSELVES};

/// Accounts in which changes are made at the same time. A change takes a handful of calls, and the caps leave few
/// changes a day: more would only make a mistake faster.
const ACCOUNTS_AT_ONCE: usize = 4;

/// Why nothing is begun any more.
const STOPPING: &str = "keysweep is stopping";

/// Why a change that was decided is not made.
const OTHER_CONFIG: &str = "another configuration came first";

/// What became of one ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Acted {
    /// AWS shows the effect.
    Done,
    /// No call was made: the reason.
    NotSent(Wait),
    /// A call was made and refused, or its fate is unclear.
    Failed(String),
}

/// Counts over many tickets.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) changed: usize,
    pub(super) stopped: usize,
}

/// Carries out tickets: those of one account one after the other, a few accounts at a time.
pub(super) async fn all(engine: &Engine, aws: &Aws, config: &Arc<Config>, tickets: Vec<Ticket>) -> Counts {
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
                Acted::Done => counts.changed += 1,
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
    engine.with_context(&config.policy, |context| {
        let record = context.state.record(&ticket.identity().key);
        record.is_some_and(|record| gate(context, record, ticket.action(), By::Policy).is_err())
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
    let Some(_only_one) = stop.run_until_cancelled(engine.changes.key(&identity.key)).await else {
        return not_sent(action, Reason::Paused, STOPPING);
    };
    let acted = match stop.run_until_cancelled(Box::pin(make_ready(engine, aws, config, ticket))).await {
        Some(Ok(ready)) => Box::pin(carry_out(engine, *ready)).await,
        Some(Err(acted)) => acted,
        None => not_sent(action, Reason::Paused, STOPPING),
    };
    match &acted {
        Acted::Done => {
            tracing::info!(account = %identity.account, key = %identity.key, %action, "changed");
        }
        Acted::NotSent(wait) => {
            engine.metrics().suppressed(action, wait.reason);
            let (reason, why) = (wait.reason.as_str(), &wait.why);
            if wait.reason == Reason::Protected {
                tracing::error!(account = %identity.account, key = %identity.key, %action, why, "protected");
            } else {
                tracing::info!(account = %identity.account, key = %identity.key, %action, reason, why, "not changed");
            }
        }
        Acted::Failed(why) => {
            tracing::error!(account = %identity.account, key = %identity.key, %action, why, "change failed");
        }
    }
    acted
}

fn not_sent(action: Action, reason: Reason, why: impl Into<String>) -> Acted {
    Acted::NotSent(Wait { action, reason, why: why.into(), until: None })
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
        return Err(not_sent(action, Reason::Recheck, OTHER_CONFIG));
    }
    let identity = ticket.identity().clone();
    let Some(record) = engine.store().read(|state| state.record(&identity.key).cloned()) else {
        return Err(not_sent(action, Reason::Recheck, "the record is not there any more"));
    };
    let account = account_facts(engine, aws, &config, identity.account, action).await;
    let open = || aws.reader(identity.account, access(&config, &account));
    let mut reader = open().await.map_err(|fault| not_sent(action, Reason::Unknown, in_words(&fault)))?;
    let mut fresh = reread(&reader, &record, engine.clock(), config.scan.interval).await;
    // A session that was revoked since it was made must not stand in the way of an undo: another is had at once.
    if matches!(&fresh, Err(RereadError::Call(fault)) if fault.is_of_session()) {
        reader = open().await.map_err(|fault| not_sent(action, Reason::Unknown, in_words(&fault)))?;
        fresh = reread(&reader, &record, engine.clock(), config.scan.interval).await;
    }
    let fresh = fresh.map_err(|error| not_sent(action, Reason::Recheck, in_words(&error)))?;
    let view = View { account: &account, facts: &fresh.facts, sighting: &fresh.sighting };
    // Behind the door, so that no operator decides between what is decided here and its entries.
    let door = engine.changes.door.lock().await;
    let warrant = match engine.with_context(&config.policy, |context| recheck(context, ticket, &view)) {
        Ok(warrant) => warrant,
        Err(Refusal { wait, events }) => {
            // What the fresh facts say has happened, whether or not anything is done.
            let bodies = events.into_iter().map(|event| mk_entry(&record, event)).collect();
            if let Err(error) = engine.append(OURSELVES, bodies).await {
                return Err(not_sent(action, Reason::Unknown, in_words(&error)));
            }
            return Err(Acted::NotSent(wait));
        }
    };
    drop(door);
    let prepared = match aws.prepare(&warrant, &fresh.path, access(&config, &account)).await {
        Ok(prepared) => prepared,
        Err(fault) => {
            let kind = refused_kind(fault.kind());
            return Err(failed_before(engine, &record, &warrant, kind, in_words(&fault)).await);
        }
    };
    Ok(Box::new(Ready { config, account, record, reader, fresh, warrant, prepared }))
}

/// Whether a change may still be made that was decided under this configuration. An undo is blocked by none.
fn in_force(engine: &Engine, config: &Arc<Config>, action: Action) -> bool {
    action == Action::Reactivate || Arc::ptr_eq(config, &engine.config())
}

/// Writes the intent, makes the call, and writes what became of it.
async fn carry_out(engine: &Engine, ready: Ready) -> Acted {
    let Ready { config, account, record, reader, fresh, warrant, prepared } = ready;
    let (action, identity) = (warrant.action(), warrant.identity().clone());
    // From here to the intent nobody else decides anything.
    let door = engine.changes.door.lock().await;
    if engine.stopping().is_cancelled() {
        return not_sent(action, Reason::Paused, STOPPING);
    }
    let by = match warrant.origin() {
        Origin::Policy => By::Policy,
        Origin::Operator { .. } => By::Operator(action),
    };
    let in_force = in_force(engine, &config, action);
    let gate = engine.with_context(&config.policy, |context| {
        let unchanged = context.state.record(&identity.key) == Some(&record);
        let superseded = |why: &str| Wait { action, reason: Reason::Recheck, why: why.into(), until: None };
        if !in_force {
            Err(superseded(OTHER_CONFIG))
        } else if planted!(NoLastLook) {
            Ok(())
        } else if unchanged || action == Action::Reactivate {
            gate(context, &record, action, by)
        } else {
            Err(superseded("another decision about it came first"))
        }
    });
    if let Err(wait) = gate {
        return Acted::NotSent(wait);
    }
    let actor = match warrant.origin() {
        Origin::Policy => OURSELVES.to_owned(),
        Origin::Operator { actor, .. } => actor.clone(),
    };
    let intent = KeyEvent::Intent { action, origin: warrant.origin().clone(), why: warrant.why().to_owned() };
    let receipts = match engine.append(&actor, vec![mk_entry(&record, intent)]).await {
        Ok(receipts) => receipts,
        // Without an intent on disk there is no call.
        Err(error) => {
            return not_sent(action, Reason::Unknown, format!("intent not written: {}", in_words(&error)));
        }
    };
    let order = receipts.first().and_then(|receipt| warrant.recorded(receipt).ok());
    let Some(order) = order else {
        return not_sent(
            action,
            Reason::Unknown,
            "the journal's receipt is not that of the intent: a bug in keysweep",
        );
    };
    let in_flight = engine.changes.send();
    drop(door);

    let user_name = order.user_name().clone();
    engine.metrics().action(action);
    let outcome = prepared.send(order).await;
    drop(in_flight);
    let changed = Change {
        engine,
        reader: &reader,
        record: &record,
        fresh: &fresh,
        config: &config,
        account: &account,
    };
    changed.settle(action, &user_name, outcome).await
}

/// The session for a change could not be had: no intent, no call; and still a change that failed there.
async fn failed_before(
    engine: &Engine,
    record: &Record,
    warrant: &Warrant,
    kind: RefusedKind,
    why: String,
) -> Acted {
    let action = warrant.action();
    engine.metrics().action_failed(action, kind.as_str());
    let body = Body::ChangeFailed {
        account: record.identity.account,
        key: record.identity.key.clone(),
        action,
        why: why.clone(),
    };
    if let Err(error) = engine.append(OURSELVES, vec![body]).await {
        return Acted::Failed(format!("{why}; and {}", in_words(&error)));
    }
    trip_on_failures(engine).await;
    Acted::Failed(why)
}

/// A change whose call has been made.
struct Change<'a> {
    engine: &'a Engine,
    reader: &'a Reader,
    record: &'a Record,
    fresh: &'a Fresh,
    config: &'a Config,
    account: &'a AccountFacts,
}

impl Change<'_> {
    /// Reads back, and writes what became of it.
    async fn settle(
        &self,
        action: Action,
        user_name: &keysweep_core::ids::UserName,
        outcome: CallOutcome,
    ) -> Acted {
        let identity = &self.record.identity;
        let (request_id, said) = match outcome {
            CallOutcome::Refused {
                kind:
                    kind @ (FaultKind::Throttled | FaultKind::Denied | FaultKind::Bug | FaultKind::Transient),
                detail,
                ..
            } => {
                let kind = refused_kind(kind);
                return self.failed(action, kind.as_str(), KeyEvent::Refused { action, kind, detail }).await;
            }
            // The key or its user is not there: a complete listing tells what that means.
            CallOutcome::Refused { kind: FaultKind::Gone, detail, request_id } => (request_id, detail),
            CallOutcome::Accepted { request_id } => (request_id, "accepted, and it does not show".to_owned()),
            CallOutcome::Unclear { detail } => (None, detail),
        };
        let shown = if planted!(UnclearIsDone) {
            Shown::Effect
        } else {
            until_it_shows(self.reader, identity, user_name, action, self.engine.clock()).await
        };
        match effect(
            self.engine,
            self.config,
            shown,
            action,
            said,
            request_id,
            &self.last_use(),
            self.hold_until(),
        ) {
            Settled::Event(event) if is_failure(&event) => {
                let label = if matches!(event, KeyEvent::Refused { .. }) { "gone" } else { "unclear" };
                self.failed(action, label, event).await
            }
            Settled::Event(event) => match self.write(event).await {
                Ok(()) => Acted::Done,
                Err(why) => Acted::Failed(why),
            },
            // The intent stays open and is settled by the next sweep.
            Settled::Open(why) => {
                self.engine.metrics().action_failed(action, "unclear");
                Acted::Failed(why)
            }
        }
    }

    async fn failed(&self, action: Action, label: &str, event: KeyEvent) -> Acted {
        self.engine.metrics().action_failed(action, label);
        let why = match &event {
            KeyEvent::Refused { detail, .. } | KeyEvent::Unclear { detail, .. } => detail.clone(),
            KeyEvent::Absent => {
                "the key is not there any more, and it was not keysweep that deleted it".into()
            }
            KeyEvent::Reactivated { .. } => "somebody had set it Active".into(),
            event => event.name().to_owned(),
        };
        if let Err(error) = self.write(event).await {
            return Acted::Failed(format!("{why}; and {error}"));
        }
        trip_on_failures(self.engine).await;
        Acted::Failed(why)
    }

    async fn write(&self, event: KeyEvent) -> Result<(), String> {
        let written = self.engine.append(OURSELVES, vec![mk_entry(self.record, event)]).await;
        written.map(drop).map_err(|error| in_words(&error))
    }

    fn last_use(&self) -> LastUse {
        match &self.fresh.facts.last_use {
            Fact::Known(last_use) => last_use.clone(),
            Fact::Unknown(_) => LastUse::Never,
        }
    }

    fn hold_until(&self) -> Timestamp {
        let facts = &self.fresh.facts;
        let subject = Subject {
            account: self.account,
            user_name: &facts.user_name,
            path: &facts.path,
            tags: &facts.tags,
        };
        let now = self.engine.clock().now();
        let hold = self.config.policy.hold_after_reactivation(now, &subject);
        now.checked_add(hold).unwrap_or(Timestamp::MAX)
    }
}

/// What is to be written of a change after AWS was read.
pub(super) enum Settled {
    /// This.
    Event(KeyEvent),
    /// Nothing yet: nobody could look.
    Open(String),
}

/// From what AWS shows to what is written.
#[allow(
    clippy::too_many_arguments,
    reason = "each is one fact of the change, and two callers have them apart"
)]
pub(super) fn effect(
    engine: &Engine,
    config: &Config,
    shown: Shown,
    action: Action,
    said: String,
    request_id: Option<String>,
    last_use: &LastUse,
    hold_until: Timestamp,
) -> Settled {
    let event = match (shown, action) {
        (Shown::Effect, Action::Deactivate) => KeyEvent::Deactivated {
            request_id,
            last_use: last_use.clone(),
            sighting: engine.clock().sighting(config.scan.interval),
        },
        (Shown::Effect, Action::Reactivate) => KeyEvent::Undone { request_id, hold_until },
        (Shown::Effect, Action::Delete) => KeyEvent::Deleted { request_id },
        (Shown::Absent, Action::Deactivate | Action::Reactivate | Action::Delete) => KeyEvent::Absent,
        // Somebody woke a key that was to be deleted.
        (Shown::Status(KeyStatus::Active), Action::Delete) => KeyEvent::Reactivated { hold_until },
        (Shown::Status(status), Action::Deactivate | Action::Reactivate | Action::Delete) => {
            KeyEvent::Unclear { action, detail: format!("{said}; after a minute it is {status:?}") }
        }
        (Shown::Nothing(why), Action::Deactivate | Action::Reactivate | Action::Delete) => {
            return Settled::Open(format!("{said}; and it could not be read back: {why}"));
        }
    };
    Settled::Event(event)
}

fn is_failure(event: &KeyEvent) -> bool {
    matches!(
        event,
        KeyEvent::Refused { .. } | KeyEvent::Unclear { .. } | KeyEvent::Absent | KeyEvent::Reactivated { .. }
    )
}

fn refused_kind(kind: FaultKind) -> RefusedKind {
    match kind {
        FaultKind::Denied => RefusedKind::Denied,
        FaultKind::Throttled => RefusedKind::Throttled,
        FaultKind::Gone => RefusedKind::Gone,
        FaultKind::Transient | FaultKind::Bug => RefusedKind::Other,
    }
}

/// Trips the breaker at once where changes failed in too many accounts, without waiting for the next plan.
async fn trip_on_failures(engine: &Engine) {
    let config = engine.config();
    let limit = u64::from(config.policy.limits.failed_accounts);
    let now = engine.clock().now();
    let (open, accounts) = engine.store().read(|state| {
        let control = state.control();
        (control.breaker.is_some(), u64::try_from(control.failed_accounts(now).len()).unwrap_or(u64::MAX))
    });
    if !open && accounts >= limit {
        let reason = TripReason::Failures { accounts, limit };
        tracing::error!(%reason, "the breaker tripped");
        // A journal that cannot be written stops every change anyway.
        let _ = engine.append(OURSELVES, vec![Body::BreakerTripped { reason }]).await;
    }
}

pub(super) fn mk_entry(record: &Record, event: KeyEvent) -> Body {
    Body::Key { account: record.identity.account, key: record.identity.key.clone(), event }
}

/// The account as the last sweep saw it; where this process has made none, as it is looked up alone.
pub(super) async fn account_facts(
    engine: &Engine,
    aws: &Aws,
    config: &Config,
    id: AccountId,
    action: Action,
) -> AccountFacts {
    let latest = engine.latest();
    let seen =
        latest.as_ref().and_then(|l| l.collection.accounts.iter().find(|(account, _)| account.id == id));
    match seen {
        Some((account, _)) => account.clone(),
        // No rule stands before an undo.
        None => {
            let for_rules = action != Action::Reactivate;
            look_up(aws, config, engine.clock(), &engine.organization(), id, for_rules).await
        }
    }
}
