//! What happened: calls counted, changes written down one by one, uses that failed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

/// How often a policy was asked for one action, and how it answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Judged {
    /// Yes.
    pub allowed: u64,
    /// No: expressly, or because nothing allows it.
    pub denied: u64,
}

/// Who made a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// A caller on the wire with credentials from AssumeRole.
    Session {
        /// The role's ARN, with its path.
        role_arn: String,
        /// The RoleSessionName.
        session_name: String,
        /// The SourceIdentity, if one was set.
        source_identity: Option<String>,
    },
    /// A caller on the wire with credentials of its own (the hub), by ARN.
    Direct(String),
    /// Somebody within the simulated organization, by the name the script or setter gave.
    Script(String),
}

/// One attempt to alter the world, whether it succeeded or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Counts up from 1 over all changes.
    pub seq: u64,
    /// World time.
    pub at: Timestamp,
    /// The account that was altered.
    pub account: String,
    /// The user's name at that time.
    pub user_name: Option<String>,
    /// The user's unique id.
    pub user_id: Option<String>,
    /// The access key.
    pub key_id: Option<String>,
    /// `iam:UpdateAccessKey`, `organizations:MoveAccount`, ...
    pub action: String,
    /// Key status, user name, OU or account state before.
    pub old: Option<String>,
    /// The same afterwards; for a refused change, what was asked for if it is known.
    pub new: Option<String>,
    /// Who did it.
    pub who: Who,
    /// The request id in the answer; None for scripts.
    pub request_id: Option<String>,
    /// Whether the world was altered.
    pub applied: bool,
    /// Whether an answer reached the caller. Always true for scripts.
    pub delivered: bool,
    /// AWS's error code where the change was refused.
    pub error: Option<String>,
}

/// A use of a key that failed because the key was not Active any more: somebody's production broke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissedUse {
    /// World time.
    pub at: Timestamp,
    /// The key's account, where the key still exists.
    pub account: Option<String>,
    /// The key that was refused.
    pub key_id: String,
    /// The service it was to be used with.
    pub service: String,
    /// The key's status, or None where it does not exist any more.
    pub status: Option<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    calls: HashMap<Arc<str>, HashMap<&'static str, u64>>,
    changes: Vec<Change>,
    missed: Vec<MissedUse>,
    in_flight: HashMap<Arc<str>, u64>,
    in_flight_all: u64,
    peak: HashMap<Arc<str>, u64>,
    peak_all: u64,
}

impl Ledger {
    pub(crate) fn enter(&mut self, account: &Arc<str>, action: &'static str) {
        *self.calls.entry(account.clone()).or_default().entry(action).or_default() += 1;
        let now = self.in_flight.entry(account.clone()).or_default();
        *now += 1;
        let peak = self.peak.entry(account.clone()).or_default();
        *peak = (*peak).max(*now);
        self.in_flight_all += 1;
        self.peak_all = self.peak_all.max(self.in_flight_all);
    }

    pub(crate) fn leave(&mut self, account: &Arc<str>) {
        if let Some(now) = self.in_flight.get_mut(account) {
            *now = now.saturating_sub(1);
        }
        self.in_flight_all = self.in_flight_all.saturating_sub(1);
    }

    pub(crate) fn record(&mut self, mut change: Change) -> u64 {
        change.seq = self.changes.len() as u64 + 1;
        let seq = change.seq;
        self.changes.push(change);
        seq
    }

    pub(crate) fn delivered(&mut self, seq: u64) {
        let found = usize::try_from(seq).ok().and_then(|seq| self.changes.get_mut(seq.checked_sub(1)?));
        if let Some(change) = found {
            change.delivered = true;
        }
    }

    pub(crate) fn miss(&mut self, use_: MissedUse) {
        self.missed.push(use_);
    }

    pub(crate) fn reset_calls(&mut self) {
        self.calls.clear();
        self.peak.clone_from(&self.in_flight);
        self.peak_all = self.in_flight_all;
    }

    pub(crate) fn calls(&self) -> BTreeMap<(String, String), u64> {
        self.calls
            .iter()
            .flat_map(|(account, by_action)| {
                by_action.iter().map(|(action, n)| ((account.to_string(), (*action).to_owned()), *n))
            })
            .collect()
    }

    pub(crate) fn call_count(&self, account: &str, action: &str) -> u64 {
        self.calls.get(account).and_then(|by_action| by_action.get(action)).copied().unwrap_or_default()
    }

    pub(crate) fn account_calls(&self, account: &str) -> u64 {
        self.calls.get(account).map(|by_action| by_action.values().sum()).unwrap_or_default()
    }

    pub(crate) fn total_calls(&self) -> u64 {
        self.calls.values().flat_map(HashMap::values).sum()
    }

    pub(crate) fn changes(&self) -> &[Change] {
        &self.changes
    }

    pub(crate) fn missed(&self) -> &[MissedUse] {
        &self.missed
    }

    pub(crate) fn peak(&self, account: &str) -> u64 {
        self.peak.get(account).copied().unwrap_or_default()
    }

    pub(crate) fn peak_all(&self) -> u64 {
        self.peak_all
    }
}
