//! The journal as keysweep writes it: everything that is written is counted, and what needs somebody at once is said.

use std::sync::Arc;

use jiff::Timestamp;
use keysweep_core::ids::{AccessKeyId, AccountId};
use keysweep_core::lifecycle::event::{Overlay, Seen};
use keysweep_core::lifecycle::{ClearedWhy, INCIDENT_REMEDY, KeyEvent};
use keysweep_core::policy::Rule;
use keysweep_core::state::{Actor, Body, Receipt, State};
use keysweep_store::{AppendError, Store, Undecided};
use tokio::sync::watch;

use crate::causes::in_words;
use crate::clock::Clock;
use crate::metrics::{Metrics, Signal};

/// The only way to write.
#[derive(Debug)]
pub(crate) struct Ledger {
    store: Store,
    clock: Clock,
    metrics: Arc<Metrics>,
    entries: watch::Sender<()>,
}

/// Whether entries may use what is reserved for undos.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// They may not.
    Common,
    /// They are what an undo needs, or the outcome of a call: a full disk or a poisoned journal stops them only if the
    /// reserve and a repair do not help.
    Reserved,
}

impl Ledger {
    pub(crate) fn new(store: Store, clock: Clock, metrics: Arc<Metrics>) -> Self {
        Self { store, clock, metrics, entries: watch::Sender::default() }
    }

    /// Changes whenever entries are written.
    pub(crate) fn entries(&self) -> watch::Receiver<()> {
        self.entries.subscribe()
    }

    /// The store, to read.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Decides on exactly the state that the entries will follow: see [`Store::decide`].
    ///
    /// # Errors
    /// What `decide` said instead of entries, or why they are not on disk.
    pub(crate) async fn decide<T, E>(
        &self,
        actor: &Actor,
        room: Room,
        mut decide: impl FnMut(&State, Timestamp) -> Result<(Vec<Body>, T), E>,
    ) -> Result<(Vec<Receipt>, T), Undecided<E>> {
        let mut written = Written::default();
        let noting = |state: &State, now| {
            let (bodies, value) = decide(state, now)?;
            written = Written::of(&bodies);
            Ok((bodies, value))
        };
        let now = || self.clock.now();
        let decided = match room {
            Room::Common => self.store.decide(now, actor, noting).await,
            Room::Reserved => self.store.decide_urgent(now, actor, noting).await,
        };
        match &decided {
            Ok((receipts, _)) => self.tell(&written, receipts),
            Err(Undecided::No(_)) => {}
            Err(Undecided::Append(error)) => self.failed(error),
        }
        decided
    }

    /// Writes what has happened.
    ///
    /// # Errors
    /// If it is not on disk.
    pub(crate) async fn record(
        &self,
        actor: &Actor,
        room: Room,
        bodies: Vec<Body>,
    ) -> Result<Vec<Receipt>, AppendError> {
        let written = Written::of(&bodies);
        let now = self.clock.now();
        let recorded = match room {
            Room::Common => self.store.record(now, actor, bodies).await,
            Room::Reserved => self.store.record_urgent(now, actor, bodies).await,
        };
        match &recorded {
            Ok(receipts) => self.tell(&written, receipts),
            Err(error) => self.failed(error),
        }
        recorded
    }

    fn tell(&self, written: &Written, receipts: &[Receipt]) {
        if !receipts.is_empty() {
            self.entries.send_replace(());
        }
        self.metrics.store.written(u64::try_from(receipts.len()).unwrap_or(u64::MAX));
        for (from, to) in receipts.iter().filter_map(Receipt::transition) {
            self.metrics.lifecycle.transition(from, to);
        }
        written.signals.iter().for_each(|signal| self.metrics.lifecycle.signal(*signal));
        // Once, when it is recorded: later sweeps find it in the record.
        for Incident { account, key, policies } in &written.incidents {
            self.metrics.lifecycle.incident();
            tracing::error!(%account, %key, policies, "incident: AWS considers this key compromised; {INCIDENT_REMEDY}");
        }
    }

    fn failed(&self, error: &AppendError) {
        // Where an entry cannot happen in the present state of its key, the journal is well.
        if !matches!(error, AppendError::Illegal(_)) {
            self.metrics.store.not_written();
            tracing::error!(error = %in_words(error), "entries were not journaled");
        }
    }
}

/// What is told of entries once they are on disk.
#[derive(Debug, Default)]
struct Written {
    signals: Vec<Signal>,
    incidents: Vec<Incident>,
}

#[derive(Debug)]
struct Incident {
    account: AccountId,
    key: AccessKeyId,
    policies: String,
}

impl Written {
    fn of(bodies: &[Body]) -> Self {
        let mut written = Self::default();
        for body in bodies {
            let Body::Key { account, key, event } = body else { continue };
            written.signals.extend(signal(event));
            if let KeyEvent::Overlay(Overlay::IncidentBegan { policies }) = event {
                let policies = policies.join(", ");
                written.incidents.push(Incident { account: *account, key: key.clone(), policies });
            }
        }
        written
    }
}

/// The sign of life that an event tells of.
fn signal(event: &KeyEvent) -> Option<Signal> {
    let signals = [
        (Signal::UsedAgain, matches!(event, KeyEvent::Seen(Seen::Cleared { why: ClearedWhy::UsedAgain }))),
        (Signal::Reactivated, matches!(event, KeyEvent::Seen(Seen::Reactivated { .. }))),
        (Signal::LastUseMoved, matches!(event, KeyEvent::Seen(Seen::LastUseMoved { .. }))),
        (Signal::UsedInQuarantine, matches!(event, KeyEvent::Seen(Seen::UsedInQuarantine { .. }))),
        (
            Signal::QuarantineInterrupted,
            matches!(event, KeyEvent::Overlay(Overlay::QuarantineInterrupted { hold_until: Some(_), .. })),
        ),
        // What an operator decides is no sign of the owner.
        (
            Signal::SelfExempted,
            matches!(event, KeyEvent::Overlay(Overlay::ExemptBegan { rule, .. }) if !Rule::is_granted(rule)),
        ),
    ];
    signals.into_iter().find(|(_, seen)| *seen).map(|(signal, _)| signal)
}
