//! The records of all keys, and what restrains changes, as the journal tells it.
//!
//! [`State`] is a pure projection of the journal. A [`Draft`] tries entries on top of it, so that an entry which
//! cannot happen is refused before it is written; what the draft changed becomes visible only when the journal has
//! it on disk.

mod actor;
mod control;
mod entry;
mod exemption;
mod failure;
mod owners;
mod post;
mod receipt;
mod stop;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use self::actor::{Actor, TokenUse};
pub use self::control::{
    Acknowledged, Change, Control, MissingReference, Pause, StaleOfDay, SweepSummary, TREND_DAYS, Trip,
    TripReason,
};
pub use self::entry::{Body, Configuration, Entry, Term};
pub use self::exemption::{ExemptSubject, GrantedExemption};
pub use self::failure::{Failure, FailureCause, Park, ParkReason, Weight};
use self::owners::Owners;
pub use self::receipt::{Receipt, Unwritten};
pub use self::stop::Stop;
use crate::evidence::Creation;
use crate::facts::{Inventory, Place};
use crate::finding::Counts;
use crate::ids::{AccessKeyId, AccountId};
use crate::lifecycle::event::{self, Note, Purpose};
use crate::lifecycle::{Illegal, KeyEvent, Record, Sighting, State as KeyState, StateName, When, next};
use crate::notice::{Outbox, Parcel, ParcelId, closing, owed};
use crate::owner::Owner;

/// What is known of one account between sweeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRecord {
    /// Its name when it was last seen.
    pub name: String,
    /// Names of the OUs above it, from the root down, joined by `/`; empty where they are not read.
    pub ou_path: String,
    /// Whether its last scan reached it.
    pub reach: Reach,
    /// When it was last scanned.
    pub last_success: Option<Timestamp>,
    /// When it came back into reach after it had been away for long: what was announced and approved before is void.
    #[serde(default)]
    pub back_since: Option<Timestamp>,
    /// Counts of the last successful scan.
    pub inventory: Inventory,
    /// Keys of which the last successful scan could not read a fact that the policy needs, and users that it could not
    /// read at all.
    pub unknown_keys: u64,
    /// Findings among what the last successful scan saw.
    pub findings: Counts,
    /// Where it was and how it was tagged at the last successful scan, as far as a route of notices needs it.
    #[serde(default, skip_serializing_if = "Place::is_unread")]
    pub place: Place,
}

/// Whether an account can be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// The last scan reached it.
    Scanned,
    /// The last scan failed.
    Failed {
        /// Since when no scan succeeded.
        since: Timestamp,
        /// How the last one failed.
        reason: String,
    },
    /// It is not to be scanned.
    Skipped {
        /// Since when.
        since: Timestamp,
        /// Why.
        reason: String,
    },
    /// It left the organization.
    Left {
        /// Since when.
        since: Timestamp,
    },
}

/// How many scan intervals an account may fail before its return counts as the end of an overlay. Grace counts a span
/// of two intervals between two looks: one failed scan, or two in a row, is weather, and its keys lose nothing that
/// they were promised. From the third failure on, keysweep did not see for days what owners did, and starts over. An
/// account that was skipped or had left was out of reach by somebody's decision: its return always starts over.
const INTERVALS_AWAY: u32 = 2;

impl Reach {
    /// Whether a scan that succeeds now ends an absence, and not a moment's failure.
    fn was_away(&self, now: &Sighting) -> bool {
        match self {
            Self::Scanned => false,
            Self::Failed { since, .. } => {
                let longest = now.interval.saturating_mul(INTERVALS_AWAY);
                SignedDuration::try_from(longest).is_ok_and(|longest| now.at.duration_since(*since) > longest)
            }
            Self::Skipped { .. } | Self::Left { .. } => true,
        }
    }

    /// Why keys of this account are out of reach, if they are.
    #[must_use]
    pub fn out_of_reach(&self) -> Option<String> {
        match self {
            Self::Scanned => None,
            Self::Failed { reason, .. } => Some(format!("account could not be scanned: {reason}")),
            Self::Skipped { reason, .. } => Some(format!("account skipped: {reason}")),
            Self::Left { since } => Some(format!("account left the organization by {since}")),
        }
    }
}

/// The projection of the whole journal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Shared with plans and their drafts, which change few of them.
    records: BTreeMap<AccessKeyId, Arc<Record>>,
    accounts: BTreeMap<AccountId, Arc<AccountRecord>>,
    creations: BTreeMap<AccountId, BTreeMap<AccessKeyId, Creation>>,
    outbox: Outbox,
    control: Control,
    owners: Owners,
}

/// So many creations are kept of an account: the newest, and those of every key with a record. Programs that create a key
/// for each job would fill the memory.
const CREATIONS: usize = 100;

impl State {
    /// A state from its parts, as a store loads them.
    #[must_use]
    pub fn from_parts(
        records: BTreeMap<AccessKeyId, Record>,
        accounts: BTreeMap<AccountId, AccountRecord>,
        control: Control,
    ) -> Self {
        let mut owners = Owners::default();
        let share = |(key, mut record): (AccessKeyId, Record)| {
            record.owner = record.owner.map(|owner| owners.keep(owner));
            (key, Arc::new(record))
        };
        let records = records.into_iter().map(share).collect();
        let accounts = accounts.into_iter().map(|(id, account)| (id, Arc::new(account))).collect();
        Self { records, accounts, creations: BTreeMap::new(), outbox: Outbox::default(), control, owners }
    }

    /// The same, with what is known of the creation of keys.
    #[must_use]
    pub fn with_creations(self, creations: BTreeMap<AccountId, BTreeMap<AccessKeyId, Creation>>) -> Self {
        Self { creations, ..self }
    }

    /// The same, with what people are still to be told.
    #[must_use]
    pub fn with_outbox(self, mut outbox: Outbox) -> Self {
        outbox.share_owners(|owner| self.owners.known(owner));
        Self { outbox, ..self }
    }

    /// The record of a key, if it has one.
    #[must_use]
    pub fn record(&self, key: &AccessKeyId) -> Option<&Record> {
        self.records.get(key).map(Arc::as_ref)
    }

    /// The same, to keep.
    #[must_use]
    pub fn shared_record(&self, key: &AccessKeyId) -> Option<Arc<Record>> {
        self.records.get(key).map(Arc::clone)
    }

    /// The same owner, as records have it: so that each is kept once.
    pub(crate) fn shared_owner(&self, owner: Arc<Owner>) -> Arc<Owner> {
        self.owners.known(owner)
    }

    /// Every record, by key ID, to keep.
    pub fn shared_records(&self) -> impl Iterator<Item = Arc<Record>> {
        self.records.values().map(Arc::clone)
    }

    /// Every record, by key ID.
    pub fn records(&self) -> impl ExactSizeIterator<Item = &Record> {
        self.records.values().map(Arc::as_ref)
    }

    /// What is known of an account.
    #[must_use]
    pub fn account(&self, id: AccountId) -> Option<&AccountRecord> {
        self.accounts.get(&id).map(Arc::as_ref)
    }

    /// Every account, by ID.
    pub fn accounts(&self) -> impl Iterator<Item = (AccountId, &AccountRecord)> {
        self.accounts.iter().map(|(id, account)| (*id, account.as_ref()))
    }

    /// Every account, by ID, to keep.
    pub fn shared_accounts(&self) -> impl Iterator<Item = (AccountId, Arc<AccountRecord>)> {
        self.accounts.iter().map(|(id, account)| (*id, Arc::clone(account)))
    }

    /// Who created a key, where that is known.
    #[must_use]
    pub fn creation(&self, account: AccountId, key: &AccessKeyId) -> Option<&Creation> {
        self.creations.get(&account)?.get(key)
    }

    /// Every creation that is known, by account and key.
    pub fn creations(&self) -> impl Iterator<Item = (AccountId, &AccessKeyId, &Creation)> {
        let of = |(account, creations): (&AccountId, _)| {
            let account = *account;
            BTreeMap::iter(creations).map(move |(key, creation)| (account, key, creation))
        };
        self.creations.iter().flat_map(of)
    }

    /// What people are still to be told.
    #[must_use]
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// What restrains changes.
    #[must_use]
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Why the key is out of reach, if it is.
    #[must_use]
    pub fn out_of_reach(&self, account: AccountId) -> Option<String> {
        self.account(account).and_then(|record| record.reach.out_of_reach())
    }

    /// Whether the keys of an account are out of reach.
    #[must_use]
    pub fn is_out_of_reach(&self, account: AccountId) -> bool {
        self.account(account).is_some_and(|record| !matches!(record.reach, Reach::Scanned))
    }

    /// Makes a delta part of the state.
    pub fn commit(&mut self, delta: Delta) {
        for (key, record) in delta.records {
            if let Some(owner) = record.as_ref().and_then(|record| record.owner.as_ref()) {
                self.owners.keep(Arc::clone(owner));
            }
            match record {
                Some(record) => self.records.insert(key, record),
                None => self.records.remove(&key),
            };
        }
        for (id, account) in delta.accounts {
            match account {
                Some(account) => self.accounts.insert(id, account),
                None => self.accounts.remove(&id),
            };
        }
        for ((account, key), creation) in delta.creations {
            let of_account = self.creations.entry(account).or_default();
            match creation {
                Some(creation) => of_account.insert(key, creation),
                None => of_account.remove(&key),
            };
        }
        for (id, parcel) in delta.outbox {
            self.outbox.put(id, parcel);
        }
        if let Some(control) = delta.control {
            self.control = control;
        }
    }

    /// Applies one entry at once, as replay does.
    ///
    /// # Errors
    /// As [`Draft::apply`]; the state is then unchanged.
    pub fn replay(&mut self, entry: &Entry) -> Result<Delta, Illegal> {
        let nothing = Delta::default();
        let mut draft = Draft::new(self, &nothing);
        draft.apply(entry)?;
        let delta = draft.into_delta();
        self.commit(delta.clone());
        Ok(delta)
    }
}

/// What entries changed: new values, `None` for what is dropped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delta {
    /// Records by key ID. Whoever stores them shares them with the state.
    pub records: BTreeMap<AccessKeyId, Option<Arc<Record>>>,
    /// Accounts by ID.
    pub accounts: BTreeMap<AccountId, Option<Arc<AccountRecord>>>,
    /// Creations by account and key.
    pub creations: BTreeMap<(AccountId, AccessKeyId), Option<Creation>>,
    /// Parts of the outbox.
    pub outbox: BTreeMap<ParcelId, Option<Parcel>>,
    /// What restrains changes.
    pub control: Option<Control>,
}

impl Delta {
    /// Lays a later delta over this one.
    pub fn extend(&mut self, later: Self) {
        self.records.extend(later.records);
        self.accounts.extend(later.accounts);
        self.creations.extend(later.creations);
        self.outbox.extend(later.outbox);
        self.control = later.control.or(self.control.take());
    }
}

/// Entries tried on top of a state and of an earlier delta that is not committed yet.
#[derive(Debug)]
pub struct Draft<'a> {
    base: &'a State,
    earlier: &'a Delta,
    delta: Delta,
}

impl<'a> Draft<'a> {
    /// An empty draft.
    #[must_use]
    pub fn new(base: &'a State, earlier: &'a Delta) -> Self {
        Self { base, earlier, delta: Delta::default() }
    }

    /// What the entries changed.
    #[must_use]
    pub fn into_delta(self) -> Delta {
        self.delta
    }

    /// Tries one entry, which is in no journal yet.
    ///
    /// # Errors
    /// [`Illegal`] if it cannot happen in the present state of its key; the draft is then unchanged.
    pub fn apply(&mut self, entry: &Entry) -> Result<Unwritten, Illegal> {
        let mut unwritten = Unwritten::new(entry.seq);
        if entry.seq == 1 {
            self.control_mut().began = Some(entry.at);
        }
        match &entry.body {
            Body::Key { account, key, event } => self.key(entry, *account, key, event, &mut unwritten)?,
            Body::KeyCreated { account, key, creation } => self.created(*account, key, creation),
            Body::AccountScanned {
                account,
                name,
                ou_path,
                sighting,
                inactive,
                inventory,
                untold,
                unknown_keys,
                place,
                report_generated_at: _,
            } => {
                for key in inactive {
                    let here = |record: &&Record| record.identity.account == *account;
                    if let Some(mut record) = self.record(key).filter(here).cloned() {
                        watched(&mut record.state, sighting);
                        self.delta.records.insert(key.clone(), Some(Arc::new(record)));
                    }
                }
                let before = self.account(*account);
                let back_since = before
                    .filter(|before| before.reach.was_away(sighting))
                    .map_or_else(|| before.and_then(|before| before.back_since), |_| Some(sighting.at))
                    // A clock that was ahead and is no longer must not void every notice until then.
                    .map(|back| back.min(sighting.at));
                let last = self.account(*account).filter(|a| a.last_success.is_some());
                // Before the first complete scan, what was counted is all there is.
                let inventory = match last {
                    Some(last) => inventory.clone().or_last_known(untold, &last.inventory),
                    None => inventory.clone(),
                };
                let scanned = AccountRecord {
                    name: name.clone(),
                    ou_path: ou_path.clone(),
                    reach: Reach::Scanned,
                    last_success: Some(sighting.at),
                    back_since,
                    inventory,
                    unknown_keys: *unknown_keys,
                    // Told by the entry that follows, and the same as before until then.
                    findings: self.account(*account).map(|a| a.findings.clone()).unwrap_or_default(),
                    place: place.clone(),
                };
                self.delta.accounts.insert(*account, Some(Arc::new(scanned)));
            }
            Body::AccountFindings { account, findings } => {
                if let Some(mut record) = self.account(*account).cloned() {
                    record.findings = findings.clone();
                    self.delta.accounts.insert(*account, Some(Arc::new(record)));
                }
            }
            Body::AccountFailed { account, name, reason } => {
                let mut record = self.account_or_new(*account, name);
                let since = match record.reach {
                    Reach::Failed { since, .. } => since,
                    Reach::Scanned | Reach::Skipped { .. } | Reach::Left { .. } => entry.at,
                };
                record.reach = Reach::Failed { since, reason: reason.clone() };
                self.delta.accounts.insert(*account, Some(Arc::new(record)));
            }
            Body::AccountSkipped { account, name, reason } => {
                let mut record = self.account_or_new(*account, name);
                record.reach = Reach::Skipped { since: entry.at, reason: reason.clone() };
                self.delta.accounts.insert(*account, Some(Arc::new(record)));
            }
            Body::AccountLeft { account } => {
                if let Some(mut record) = self.account(*account).cloned() {
                    record.reach = Reach::Left { since: entry.at };
                    self.delta.accounts.insert(*account, Some(Arc::new(record)));
                }
            }
            Body::DueAccepted { keys } => self.accept_due(keys),
            Body::BreakerReset { keys, accounts, .. } => {
                self.accept_due(keys);
                let accounts = *accounts;
                self.control_mut().reset_breaker(accounts);
            }
            Body::Restored { .. } => {
                self.restored(entry);
                self.clear_outbox();
                self.control_mut().apply(entry);
            }
            Body::SweepFinished { .. } => {
                self.tidy_outbox(entry.at);
                self.control_mut().apply(entry);
            }
            Body::MessageComposed { .. }
            | Body::MessageDelivered { .. }
            | Body::MessageUndeliverable { .. }
            | Body::MessageWithdrawn { .. }
            | Body::MessageRetried { .. } => self.post(entry),
            Body::Started { .. }
            | Body::Configured { .. }
            | Body::AccountUnparked { .. }
            | Body::ChangeFailed { .. }
            | Body::Paused { .. }
            | Body::Resumed { .. }
            | Body::BreakerTripped { .. }
            | Body::ReferenceMissing { .. }
            | Body::ReferenceCleared { .. }
            | Body::RuleAcknowledged { .. }
            | Body::ExemptionGranted { .. }
            | Body::ExemptionEnded { .. } => self.control_mut().apply(entry),
        }
        Ok(unwritten)
    }

    fn key(
        &mut self,
        entry: &Entry,
        account: AccountId,
        key: &AccessKeyId,
        event: &KeyEvent,
        unwritten: &mut Unwritten,
    ) -> Result<(), Illegal> {
        let before = self.record(key);
        let left = before.map_or(StateName::Active, |r| StateName::from(&r.state));
        let identity = before.map(|r| r.identity.clone());
        let after =
            next(account, key, before, When { at: entry.at, seq: entry.seq, actor: &entry.actor }, event)?;
        let entered = after.as_ref().map_or(StateName::Active, |r| StateName::from(&r.state));
        if left != entered && !matches!(event, KeyEvent::Record(Note::Forgotten { .. })) {
            unwritten.leads(left, entered);
        }
        let items = owed(entry, before, after.as_ref(), event);
        let closed = closing(entry, before, after.as_ref(), event, &items);
        self.delta.records.insert(key.clone(), after.map(Arc::new));
        self.owe(items);
        if let Some((request, closing)) = closed {
            self.close_request(request, &closing);
        }
        if let (KeyEvent::Record(Note::BundleWritten { purpose: Purpose::Deletion, .. }), Some(identity)) =
            (event, &identity)
        {
            unwritten.is_bundle(identity.clone());
        }
        if let KeyEvent::Change(change) = event {
            if let (event::Change::Intent { action, .. }, Some(identity)) = (change, identity) {
                unwritten.is_intent(identity, *action);
            }
            // The answer of AWS alone counts for nothing.
            if !matches!(change, event::Change::Accepted { .. }) {
                self.control_mut().count(entry.at, account, key, change);
            }
        }
        Ok(())
    }

    fn created(&mut self, account: AccountId, key: &AccessKeyId, creation: &Creation) {
        self.delta.creations.insert((account, key.clone()), Some(creation.clone()));
        let pending = self.earlier.creations.iter().chain(&self.delta.creations);
        let mut known: BTreeMap<&AccessKeyId, &Creation> =
            self.base.creations.get(&account).into_iter().flatten().collect();
        for ((_, key), creation) in pending.filter(|((of, _), _)| *of == account) {
            match creation {
                Some(creation) => known.insert(key, creation),
                None => known.remove(key),
            };
        }
        let untracked = known.into_iter().filter(|(key, _)| self.record(key).is_none());
        let mut untracked: Vec<_> =
            untracked.map(|(key, creation)| (creation.call.at, key.clone())).collect();
        let over = untracked.len().saturating_sub(CREATIONS);
        untracked.sort_unstable();
        for (_, key) in untracked.into_iter().take(over) {
            self.delta.creations.insert((account, key), None);
        }
    }

    fn record(&self, key: &AccessKeyId) -> Option<&Record> {
        let pending = self.delta.records.get(key).or_else(|| self.earlier.records.get(key));
        pending.map_or_else(|| self.base.record(key), Option::as_deref)
    }

    fn account(&self, id: AccountId) -> Option<&AccountRecord> {
        let pending = self.delta.accounts.get(&id).or_else(|| self.earlier.accounts.get(&id));
        pending.map_or_else(|| self.base.account(id), Option::as_deref)
    }

    fn account_or_new(&self, id: AccountId, name: &str) -> AccountRecord {
        let known = self.account(id).cloned();
        known.unwrap_or_else(|| AccountRecord {
            name: name.into(),
            ou_path: String::new(),
            reach: Reach::Scanned,
            last_success: None,
            back_since: None,
            inventory: Inventory::default(),
            unknown_keys: 0,
            findings: Counts::default(),
            place: Place::default(),
        })
    }

    fn control_mut(&mut self) -> &mut Control {
        let (base, earlier) = (self.base, self.earlier);
        self.delta
            .control
            .get_or_insert_with(|| earlier.control.clone().unwrap_or_else(|| base.control.clone()))
    }

    /// Every key that may have a record.
    fn every_key(&self) -> BTreeSet<AccessKeyId> {
        let pending = self.earlier.records.keys().chain(self.delta.records.keys());
        self.base.records.keys().chain(pending).cloned().collect()
    }

    /// What was seen and announced before a backup leads to no change after its restoration.
    fn restored(&mut self, entry: &Entry) {
        for key in self.every_key() {
            if let Some(mut record) = self.record(&key).cloned() {
                record.start_over(entry.at);
                self.delta.records.insert(key, Some(Arc::new(record)));
            }
        }
    }

    /// Takes these due keys, and no others, into the breaker's baseline.
    fn accept_due(&mut self, keys: &BTreeSet<AccessKeyId>) {
        for key in keys {
            let Some(record) = self.record(key) else { continue };
            if record.due.as_ref().is_some_and(|due| !due.accepted) {
                let mut record = record.clone();
                if let Some(due) = &mut record.due {
                    due.accepted = true;
                }
                self.delta.records.insert(key.clone(), Some(Arc::new(record)));
            }
        }
    }
}

/// Adds an observation to the watch of a deactivated key.
fn watched(state: &mut KeyState, sighting: &Sighting) {
    match state {
        KeyState::Deactivated(data) => data.watch = data.watch.see(sighting),
        KeyState::Deleting(data) => data.deactivated.watch = data.deactivated.watch.see(sighting),
        KeyState::Active
        | KeyState::Flagged(_)
        | KeyState::Deactivating(_)
        | KeyState::Deleted(_)
        | KeyState::Gone(_) => {}
    }
}
