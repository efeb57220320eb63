//! What came of a call: AWS is read, and what it shows is written.

use jiff::Timestamp;
use keysweep_aws::{CallOutcome, Fault, FaultKind, Reader};
use keysweep_core::facts::{AccountFacts, Fact, KeyStatus, LastUse};
use keysweep_core::ids::UserName;
use keysweep_core::lifecycle::event::{self, Seen};
use keysweep_core::lifecycle::{KeyEvent, Record, RefusedKind};
use keysweep_core::plan::{Context, trips_on_failures};
use keysweep_core::policy::Subject;
use keysweep_core::quarantine::QuarantinePolicy;
use keysweep_core::state::{Actor, Body, State};
use keysweep_core::ticket::{Action, Warrant};

use super::act::Acted;
use super::reread::{Fresh, Shown, until_it_shows};
use crate::causes::in_words;
use crate::config::Config;
use crate::engine::{Engine, Room};
use crate::metrics::ChangeFailure;

/// The session for a change could not be had: no intent, no call. Its account is parked, and the breaker does not count
/// it: what is missing there says nothing of the other accounts.
pub(super) async fn failed_before(
    engine: &Engine,
    record: &Record,
    warrant: &Warrant,
    fault: &Fault,
) -> Acted {
    let (action, kind, why) = (warrant.action(), refused_kind(fault.kind()), in_words(fault));
    engine.metrics().changes.failed(action, kind.into());
    let body = Body::ChangeFailed {
        account: record.identity.account,
        key: record.identity.key.clone(),
        action,
        kind,
        why: why.clone(),
    };
    if let Err(error) = engine.record(&Actor::Keysweep, vec![body]).await {
        return Acted::Failed(format!("{why}; and {}", in_words(&error)));
    }
    Acted::Failed(why)
}

/// A change whose call has been made.
pub(super) struct Change<'a> {
    pub(super) engine: &'a Engine,
    pub(super) reader: &'a Reader,
    pub(super) record: &'a Record,
    pub(super) fresh: &'a Fresh,
    pub(super) config: &'a Config,
    pub(super) account: &'a AccountFacts,
    /// The policy that was to be attached or detached.
    pub(super) policy: Option<QuarantinePolicy>,
    /// Whether the key is held once the quarantine of its user has ended.
    pub(super) holds: bool,
}

impl Change<'_> {
    /// Writes that AWS accepted the call, before anything is read: a crash after this does not lose whose doing it was.
    async fn accepted(&self, action: Action, request_id: Option<&String>) {
        let Some(request_id) = request_id.cloned() else { return };
        if let Err(error) = self.write(event::Change::Accepted { action, request_id }.into()).await {
            // What is read tells the rest, and is written if the journal can be written by then.
            tracing::error!(key = %self.record.identity.key, %action, error, "accepted call not journaled");
        }
    }

    /// Reads back, and writes what became of it.
    pub(super) async fn settle(&self, action: Action, user_name: &UserName, outcome: CallOutcome) -> Acted {
        let identity = &self.record.identity;
        let accepted = matches!(outcome, CallOutcome::Accepted { .. });
        let (request_id, said) = match outcome {
            CallOutcome::Refused {
                kind:
                    kind @ (FaultKind::Throttled | FaultKind::Denied | FaultKind::Bug | FaultKind::Transient),
                detail,
                ..
            } => {
                let kind = refused_kind(kind);
                let event = event::Change::Refused { action, kind, detail };
                return self.failed(action, kind.into(), event.into()).await;
            }
            // There is no such policy, or no such user: certainly nothing is attached.
            CallOutcome::Refused { kind: FaultKind::Gone, detail, .. } if action == Action::Quarantine => {
                let event = event::Change::Refused { action, kind: RefusedKind::Gone, detail };
                return self.failed(action, ChangeFailure::Gone, event.into()).await;
            }
            // The key or its user is not there: a complete listing tells what that means.
            CallOutcome::Refused { kind: FaultKind::Gone, detail, request_id } => (request_id, detail),
            CallOutcome::Accepted { request_id } => {
                self.accepted(action, request_id.as_ref()).await;
                (request_id, "AWS accepted it, and it does not show".to_owned())
            }
            CallOutcome::Unclear { detail } => (None, detail),
        };
        let (policy, clock) = (self.policy.as_ref(), self.engine.clock());
        let shown = until_it_shows(self.reader, identity, user_name, action, policy, clock).await;
        let late = match &shown {
            Shown::Status(status) if accepted => Some(format!(
                "AWS accepted the call (request {}), and still lists the key as {status:?}; the next sweep reads it again",
                request_id.as_deref().unwrap_or("unknown")
            )),
            Shown::Unchanged if accepted => Some(format!(
                "AWS accepted the call (request {}), and it does not show yet; the next sweep reads it again",
                request_id.as_deref().unwrap_or("unknown")
            )),
            Shown::Status(_) | Shown::Unchanged | Shown::Effect | Shown::Absent | Shown::Nothing(_) => None,
        };
        if let Some(why) = late {
            return self.late(action, why).await;
        }
        let attempt = Attempt {
            action,
            said,
            request_id,
            accepted,
            last_use: self.last_use(),
            hold_until: self.hold_until(),
            holds: self.holds,
            is_settled: false,
        };
        match attempt.settled(self.engine, self.config, shown) {
            Settled::Event(event) if is_failure(&event) => {
                let refused = matches!(event, KeyEvent::Change(event::Change::Refused { .. }));
                let failure = if refused { ChangeFailure::Gone } else { ChangeFailure::Unclear };
                self.failed(action, failure, event).await
            }
            Settled::Event(event) => match self.write(event).await {
                Ok(()) => Acted::Done,
                Err(why) => Acted::Failed(why),
            },
            // The intent stays open and is settled by the next sweep.
            Settled::Open(why) => {
                self.engine.metrics().changes.failed(action, ChangeFailure::Unclear);
                Acted::Failed(why)
            }
        }
    }

    /// An accepted change that does not show yet has not failed. A key that was to be deactivated is held until it is
    /// seen otherwise; the intent of another change stays open, and the next sweep settles it.
    async fn late(&self, action: Action, why: String) -> Acted {
        if action == Action::Deactivate {
            let event = event::Change::Unclear { action, accepted: true, detail: why.clone() }.into();
            if let Err(error) = self.write(event).await {
                return Acted::Failed(format!("{why}; and {error}"));
            }
        }
        Acted::Late(why)
    }

    async fn failed(&self, action: Action, failure: ChangeFailure, event: KeyEvent) -> Acted {
        self.engine.metrics().changes.failed(action, failure);
        let why = match &event {
            KeyEvent::Change(
                event::Change::Refused { detail, .. } | event::Change::Unclear { detail, .. },
            ) => detail.clone(),
            KeyEvent::Seen(Seen::Absent) => {
                "the key is not there any more, and it was not keysweep that deleted it".into()
            }
            KeyEvent::Seen(Seen::Reactivated { .. }) => "somebody had set it Active".into(),
            event => event.name().to_owned(),
        };
        if let Err(error) = self.write(event).await {
            return Acted::Failed(format!("{why}; and {error}"));
        }
        trip_on_failures(self.engine).await;
        Acted::Failed(why)
    }

    async fn write(&self, event: KeyEvent) -> Result<(), String> {
        let entry = vec![mk_entry(self.record, event)];
        let written = self.engine.ledger().record(&Actor::Keysweep, Room::Reserved, entry).await;
        written.map(drop).map_err(|error| in_words(&error))
    }

    fn last_use(&self) -> LastUse {
        // What CloudTrail showed counts as a use here, too.
        match &self.fresh.facts.with_activity(self.record.past.activity.as_deref()).last_use {
            Fact::Known(last_use) => last_use.clone(),
            Fact::Unknown(_) | Fact::NotRead => LastUse::Never,
        }
    }

    fn hold_until(&self) -> Timestamp {
        let facts = &self.fresh.facts;
        let (path, tags) = (&facts.path, &facts.tags);
        let subject = Subject { account: self.account, user_name: &facts.user_name, path, tags };
        hold_until(self.engine, self.config, &subject)
    }
}

/// What is to be written of a change after AWS was read.
pub(super) enum Settled {
    /// This.
    Event(KeyEvent),
    /// Nothing yet: nobody could look.
    Open(String),
}

/// A change whose call has been made, as far as it is known without AWS.
pub(super) struct Attempt {
    pub(super) action: Action,
    /// What is known about its call, shown if the outcome is unclear.
    pub(super) said: String,
    pub(super) request_id: Option<String>,
    /// Whether AWS accepted the call.
    pub(super) accepted: bool,
    /// As read right before the call.
    pub(super) last_use: LastUse,
    /// Until when the key is held if somebody has set it Active.
    pub(super) hold_until: Timestamp,
    /// Whether the key is held once the quarantine of its user has ended.
    pub(super) holds: bool,
    /// Whether the call can have no effect any more.
    pub(super) is_settled: bool,
}

impl Attempt {
    /// From what AWS shows to what is written.
    pub(super) fn settled(self, engine: &Engine, config: &Config, shown: Shown) -> Settled {
        let Self { action, said, request_id, accepted, last_use, hold_until, holds, is_settled } = self;
        let event = match (shown, action) {
            // The request ID of a refusal makes nothing ours.
            (Shown::Effect, Action::Deactivate) => KeyEvent::Change(event::Change::Deactivated {
                request_id: request_id.filter(|_| accepted),
                last_use,
                sighting: engine.clock().sighting(config.scan.interval),
            }),
            (Shown::Effect, Action::Reactivate) => {
                KeyEvent::Change(event::Change::Undone { request_id, hold_until })
            }
            (Shown::Effect, Action::Delete) => KeyEvent::Change(event::Change::Deleted { request_id }),
            (Shown::Effect, Action::Quarantine) => {
                KeyEvent::Change(event::Change::Quarantined { request_id: request_id.filter(|_| accepted) })
            }
            (Shown::Effect, Action::EndQuarantine) => KeyEvent::Change(event::Change::QuarantineEnded {
                request_id,
                hold_until: holds.then_some(hold_until),
            }),
            // What may be attached later must not be forgotten.
            (Shown::Unchanged, Action::Quarantine) if !is_settled => {
                return Settled::Open(format!("{said}; after a minute it is not attached"));
            }
            (
                Shown::Unchanged,
                Action::Quarantine
                | Action::EndQuarantine
                | Action::Deactivate
                | Action::Reactivate
                | Action::Delete,
            ) => {
                let detail = format!("{said}; after a minute, the policies of the user are as they were");
                KeyEvent::Change(event::Change::Unclear { action, accepted, detail })
            }
            (Shown::Absent, _) => KeyEvent::Seen(Seen::Absent),
            // Somebody set a key Active that was to be deleted, or that AWS had set Inactive for us.
            (Shown::Status(KeyStatus::Active), Action::Delete) => {
                KeyEvent::Seen(Seen::Reactivated { hold_until })
            }
            (Shown::Status(KeyStatus::Active), Action::Deactivate) if accepted => {
                KeyEvent::Seen(Seen::Reactivated { hold_until })
            }
            (Shown::Status(status), _) => KeyEvent::Change(event::Change::Unclear {
                action,
                accepted,
                detail: format!("{said}; after a minute it is {status:?}"),
            }),
            (Shown::Nothing(why), _) => {
                return Settled::Open(format!("{said}; and it could not be read back: {why}"));
            }
        };
        Settled::Event(event)
    }
}

/// Until when a key is held that somebody sets Active now.
pub(super) fn hold_until(engine: &Engine, config: &Config, subject: &Subject<'_>) -> Timestamp {
    let now = engine.clock().now();
    let hold = config.policy.hold_after_reactivation(now, subject);
    now.checked_add(hold).unwrap_or(Timestamp::MAX)
}

fn is_failure(event: &KeyEvent) -> bool {
    matches!(
        event,
        KeyEvent::Change(event::Change::Refused { .. } | event::Change::Unclear { .. })
            | KeyEvent::Seen(Seen::Absent | Seen::Reactivated { .. })
    )
}

fn refused_kind(kind: FaultKind) -> RefusedKind {
    match kind {
        FaultKind::Denied => RefusedKind::Denied,
        FaultKind::Throttled => RefusedKind::Throttled,
        FaultKind::Gone => RefusedKind::Gone,
        FaultKind::Transient => RefusedKind::Transient,
        FaultKind::Bug => RefusedKind::Other,
    }
}

/// Trips the breaker at once where changes failed in too many accounts, without waiting for the next plan.
async fn trip_on_failures(engine: &Engine) {
    let config = engine.config();
    let trip = |state: &State, now| match trips_on_failures(&Context { now, policy: &config.policy, state }) {
        Some(reason) => Ok((vec![Body::BreakerTripped { reason: reason.clone() }], reason)),
        None => Err(()),
    };
    // A journal that cannot be written stops every change anyway.
    if let Ok((_, reason)) = engine.decide(&Actor::Keysweep, trip).await {
        tracing::error!(%reason, "the circuit breaker opened");
    }
}

pub(super) fn mk_entry(record: &Record, event: KeyEvent) -> Body {
    Body::Key { account: record.identity.account, key: record.identity.key.clone(), event }
}
