//! What has happened so far, read from the journal as it grows.

use std::collections::BTreeMap;

use jiff::Timestamp;
use keysweep_core::ids::AccessKeyId;
use keysweep_core::lifecycle::event::{Change, Seen};
use keysweep_core::lifecycle::{ClearedWhy, KeyEvent};
use keysweep_core::state::{Body, Entry, State};
use keysweep_store::{ReadError, Store};

use super::DemoError;
use super::calendar::Calendar;
use super::words::{Event, event};

/// What has happened so far.
pub(super) struct Chronicle {
    store: Store,
    /// Days of the demo.
    pub(super) calendar: Calendar,
    /// Number of the last entry that was read.
    seen: u64,
    /// Sweeps that came to their end.
    pub(super) sweeps: u64,
    /// Messages that were delivered.
    pub(super) messages: usize,
    keys: BTreeMap<AccessKeyId, Past>,
}

/// What has happened to one key, and when first.
#[derive(Debug, Default)]
pub(super) struct Past {
    who: String,
    /// Flagged as stale.
    pub(super) flagged: Option<Timestamp>,
    /// Used again while it was flagged.
    pub(super) used_again: Option<Timestamp>,
    /// Used while its user was in quarantine.
    pub(super) showed: Option<Timestamp>,
    /// Deactivated by keysweep.
    pub(super) deactivated: Option<Timestamp>,
    /// Reactivated by somebody.
    pub(super) reactivated: Option<Timestamp>,
    /// Deleted by keysweep.
    pub(super) deleted: Option<Timestamp>,
}

impl Chronicle {
    pub(super) fn new(store: Store, calendar: Calendar) -> Self {
        Self { store, calendar, seen: 0, sweeps: 0, messages: 0, keys: BTreeMap::new() }
    }

    /// Reads what is new, and tells what of it is worth telling.
    pub(super) async fn look(&mut self) -> Result<Vec<Event>, DemoError> {
        let (store, seen) = (self.store.clone(), self.seen);
        let reading = tokio::task::spawn_blocking(move || newer(&store, seen));
        let entries = reading.await.map_err(DemoError::Interrupted)??;
        let store = self.store.clone();
        Ok(store.read(|state| entries.iter().filter_map(|entry| self.note(entry, state)).collect()))
    }

    /// What has happened to a key.
    pub(super) fn of(&self, key: &AccessKeyId) -> Option<&Past> {
        self.keys.get(key)
    }

    /// To how many keys something has happened.
    pub(super) fn count(&self, what: impl Fn(&Past) -> bool) -> usize {
        self.keys.values().filter(|past| what(past)).count()
    }

    fn note(&mut self, entry: &Entry, state: &State) -> Option<Event> {
        self.seen = entry.seq;
        let who = match &entry.body {
            Body::Key { key, event, .. } => {
                let past = self.keys.entry(key.clone()).or_default();
                past.note(event, entry.at);
                past.name(&entry.body, state);
                past.who.clone()
            }
            Body::ChangeFailed { key, .. } => {
                self.keys.get(key).map(|past| past.who.clone()).unwrap_or_default()
            }
            Body::SweepFinished { .. } => {
                self.sweeps += 1;
                String::new()
            }
            Body::MessageDelivered { .. } => {
                self.messages += 1;
                String::new()
            }
            Body::Started { .. }
            | Body::Configured { .. }
            | Body::AccountUnparked { .. }
            | Body::AccountScanned { .. }
            | Body::AccountFindings { .. }
            | Body::AccountFailed { .. }
            | Body::AccountSkipped { .. }
            | Body::KeyCreated { .. }
            | Body::AccountLeft { .. }
            | Body::DueAccepted { .. }
            | Body::BreakerTripped { .. }
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
            | Body::MessageUndeliverable { .. }
            | Body::MessageWithdrawn { .. }
            | Body::MessageRetried { .. } => String::new(),
        };
        event(entry, &who, state, self.calendar)
    }
}

impl Past {
    fn note(&mut self, event: &KeyEvent, at: Timestamp) {
        let when = match event {
            KeyEvent::Seen(Seen::Flagged { .. }) => &mut self.flagged,
            KeyEvent::Seen(Seen::Cleared { why: ClearedWhy::UsedAgain }) => &mut self.used_again,
            KeyEvent::Seen(Seen::UsedInQuarantine { .. }) => &mut self.showed,
            KeyEvent::Change(Change::Deactivated { .. }) => &mut self.deactivated,
            KeyEvent::Seen(Seen::Reactivated { .. }) | KeyEvent::Change(Change::Undone { .. }) => {
                &mut self.reactivated
            }
            KeyEvent::Change(Change::Deleted { .. }) => &mut self.deleted,
            _ => return,
        };
        when.get_or_insert(at);
    }

    /// Learns whose key it is. A record that ends takes the name along, so it is kept.
    fn name(&mut self, body: &Body, state: &State) {
        let Body::Key { account, key, event } = body else { return };
        let user = match event {
            KeyEvent::Seen(Seen::Flagged { named, .. }) => Some(&named.user_name),
            _ => state.record(key).map(|record| &record.user_name),
        };
        if let Some(user) = user {
            let account =
                state.account(*account).map_or_else(|| account.to_string(), |known| known.name.clone());
            self.who = format!("{user} in {account}");
        }
    }
}

/// Every entry after number `seen`, oldest first.
fn newer(store: &Store, seen: u64) -> Result<Vec<Entry>, ReadError> {
    let mut wanted = usize::try_from(store.last_seq().saturating_sub(seen)).unwrap_or(usize::MAX);
    loop {
        let mut entries = store.tail(wanted)?;
        // Entries that came since push others out of the tail.
        let all = entries.len() < wanted || entries.first().is_none_or(|first| first.seq <= seen + 1);
        if all {
            entries.retain(|entry| entry.seq > seen);
            return Ok(entries);
        }
        wanted = wanted.saturating_mul(2);
    }
}
