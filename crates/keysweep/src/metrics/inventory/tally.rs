//! One pass over records and accounts, counted for gauges and page alike.

use std::collections::BTreeMap;

use jiff::Timestamp;
use keysweep_core::facts::IdleHistogram;
use keysweep_core::finding::Counts;
use keysweep_core::ids::AccountId;
use keysweep_core::lifecycle::{Approval, Deactivated, DeactivatedBy, Record, State as KeyState};
use keysweep_core::owner::{Owner, OwnerSource};
use keysweep_core::plan::quarantine_ends_because;
use keysweep_core::state::{AccountRecord, Reach, State};
use keysweep_core::ticket::Planned;

/// The organization, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// By account. Of those that left only the keys that nobody can reach are counted.
    pub accounts: BTreeMap<AccountId, AccountTally>,
    /// Accounts of the organization by how they can be reached.
    pub reaches: Reaches,
    /// Keys whose deactivation is due.
    pub overdue_deactivations: u64,
    /// Keys whose deletion is due.
    pub overdue_deletions: u64,
    /// Requests for approval that wait for a decision.
    pub approvals_pending: u64,
    /// When the oldest of them was made.
    pub oldest_approval: Option<Timestamp>,
    /// Active keys of the organization by idle time.
    pub idle: IdleHistogram,
    /// Findings of the organization.
    pub findings: Counts,
    /// Active keys of root users, where known.
    pub root_keys: u64,
    /// Keys with a record, by who says to whom they belong.
    pub owners: Owners,
}

/// Keys by the source of their owner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owners {
    /// By source, those that can be reached.
    pub reached: BTreeMap<OwnerSource, u64>,
    /// Those that a source names and nobody can reach.
    pub unreachable: u64,
    /// Those that no source names.
    pub none: u64,
    /// How many of all of them belonged to somebody who has left.
    pub left: u64,
}

impl Owners {
    fn add(&mut self, owner: Option<&Owner>) {
        match owner {
            None => self.none += 1,
            Some(owner) if owner.contact.is_reachable() => {
                *self.reached.entry(owner.source).or_default() += 1;
            }
            Some(_) => self.unreachable += 1,
        }
        self.left += u64::from(owner.is_some_and(|owner| owner.left.is_some()));
    }
}

/// Accounts by how they can be reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reaches {
    /// The last scan reached them.
    pub scanned: u64,
    /// The last scan failed.
    pub failed: u64,
    /// They are not to be scanned.
    pub skipped: u64,
}

/// The keys of one account, each counted in one state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AccountTally {
    /// Active keys in no lifecycle.
    pub active: u64,
    /// Stale keys on their way to deactivation.
    pub flagged: u64,
    /// Keys whose deactivation is under way.
    pub deactivating: u64,
    /// Deactivated keys.
    pub deactivated: u64,
    /// Keys whose deletion is under way.
    pub deleting: u64,
    /// Keys under a hold.
    pub on_hold: u64,
    /// Keys that AWS considers compromised.
    pub in_incident: u64,
    /// Keys whose user is in quarantine, or may be.
    pub in_quarantine: u64,
    /// Keys whose user is in quarantine, or may be, and should not be any more.
    pub to_end: u64,
    /// Tracked keys whose account cannot be read.
    pub out_of_reach: u64,
    /// Deactivated keys whose last use moved.
    pub in_use: u64,
    /// Keys that the inventory of the account counts as active and a record counts elsewhere.
    elsewhere: u64,
}

impl AccountTally {
    /// Name and count of each state.
    #[must_use]
    pub fn states(&self) -> [(&'static str, u64); 5] {
        [
            ("active", self.active),
            ("flagged", self.flagged),
            ("deactivating", self.deactivating),
            ("deactivated", self.deactivated),
            ("deleting", self.deleting),
        ]
    }

    fn add(&mut self, record: &Record, account: Option<&AccountRecord>, to_end: bool) {
        // A policy stays attached whatever becomes of the key.
        self.in_quarantine += u64::from(record.quarantine.is_some());
        self.to_end += u64::from(to_end);
        if !record.state.is_tracked() {
            return;
        }
        self.on_hold += u64::from(!record.holds.is_empty());
        self.in_incident += u64::from(record.incident.is_some());
        self.out_of_reach += u64::from(account.is_some_and(|a| a.reach.out_of_reach().is_some()));
        let last_scan = account.and_then(|a| a.last_success);
        match &record.state {
            KeyState::Active | KeyState::Deleted(_) | KeyState::Gone(_) => {}
            KeyState::Flagged(_) => {
                self.flagged += 1;
                self.elsewhere += 1;
            }
            KeyState::Deactivating(_) => {
                self.deactivating += 1;
                self.elsewhere += 1;
            }
            KeyState::Deactivated(data) => {
                self.deactivated += 1;
                self.deactivated(data, last_scan);
            }
            KeyState::Deleting(data) => {
                self.deleting += 1;
                self.deactivated(&data.deactivated, last_scan);
            }
        }
    }

    /// The last scan saw a key Active that we deactivated after it. One that somebody else had deactivated was
    /// found Inactive by the scan itself.
    fn deactivated(&mut self, data: &Deactivated, last_scan: Option<Timestamp>) {
        self.in_use += u64::from(data.last_use_moved);
        let since_scan = last_scan.is_some_and(|scan| data.since > scan);
        self.elsewhere += u64::from(data.origin == DeactivatedBy::Keysweep && since_scan);
    }
}

impl Tally {
    /// Counts a state as it is now.
    #[must_use]
    pub fn of(state: &State, now: Timestamp) -> Self {
        Self::seen(state, now, |_| true)
    }

    /// As [`of`](Self::of), of the accounts that `sees` admits.
    #[must_use]
    pub fn seen(state: &State, now: Timestamp, sees: impl Fn(AccountId) -> bool) -> Self {
        let mut tally = Self::default();
        for record in state.records().filter(|record| sees(record.identity.account)) {
            let account = state.account(record.identity.account);
            let to_end = quarantine_ends_because(state, record, now).is_some();
            tally.accounts.entry(record.identity.account).or_default().add(record, account, to_end);
            tally.due(record);
            tally.approval(record, now);
            if record.state.is_tracked() {
                tally.owners.add(record.owner.as_deref());
            }
        }
        for (id, account) in state.accounts().filter(|(id, _)| sees(*id)) {
            tally.account(id, account);
        }
        tally
    }

    fn account(&mut self, id: AccountId, account: &AccountRecord) {
        match &account.reach {
            Reach::Scanned => self.reaches.scanned += 1,
            Reach::Failed { .. } => self.reaches.failed += 1,
            Reach::Skipped { .. } => self.reaches.skipped += 1,
            Reach::Left { .. } => {
                // Its keys are not of this organization any more.
                if let Some(keys) = self.accounts.get_mut(&id) {
                    *keys = AccountTally { out_of_reach: keys.out_of_reach, ..AccountTally::default() };
                }
                return;
            }
        }
        let keys = self.accounts.entry(id).or_default();
        keys.active = account.inventory.active_keys.saturating_sub(keys.elsewhere);
        self.idle.merge(&account.inventory.idle);
        self.findings.merge(&account.findings);
        self.root_keys += account.inventory.root_keys.unwrap_or(0);
    }

    fn due(&mut self, record: &Record) {
        match record.due.as_ref().map(|due| due.action) {
            Some(Planned::Deactivate) => self.overdue_deactivations += 1,
            Some(Planned::Delete) => self.overdue_deletions += 1,
            None => {}
        }
    }

    fn approval(&mut self, record: &Record, now: Timestamp) {
        let Some(approval) = approval(record).filter(|a| !a.is_granted() && now < a.expires) else {
            return;
        };
        self.approvals_pending += 1;
        let asked = approval.asked_at;
        self.oldest_approval = Some(self.oldest_approval.map_or(asked, |oldest| oldest.min(asked)));
    }
}

/// The request for approval that stands, granted or not.
fn approval(record: &Record) -> Option<&Approval> {
    match &record.state {
        KeyState::Flagged(data) => data.approval.as_deref(),
        KeyState::Deactivated(data) => data.approval.as_deref(),
        KeyState::Active
        | KeyState::Deactivating(_)
        | KeyState::Deleting(_)
        | KeyState::Deleted(_)
        | KeyState::Gone(_) => None,
    }
}
