//! What restrains changes: pause, breaker, caps and parked accounts. All of it follows from the journal.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::actor::Actor;
use super::entry::{Body, Entry};
use crate::ids::AccountId;
use crate::lifecycle::KeyEvent;
use crate::planted;
use crate::references::Reference;
use crate::ticket::Action;

/// The span over which caps and failures are counted.
pub(super) const ROLLING: Duration = Duration::from_secs(24 * 3600);

/// How long past changes are remembered: well over [`ROLLING`], so that a clock that jumped ahead and came back has
/// not emptied the caps.
const REMEMBERED: Duration = Duration::from_secs(14 * 24 * 3600);

/// What restrains changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Control {
    /// Set while an operator, a new data_dir or a restoration stops every automatic change.
    pub paused: Option<Pause>,
    /// Set while the breaker is open.
    pub breaker: Option<Trip>,
    /// Deactivations and deletions of late, by their intents.
    pub changes: Vec<Change>,
    /// Changes of late that were refused or stayed unclear.
    pub failures: Vec<Failure>,
    /// Accounts of the organization at the last sweep that the breaker let pass.
    pub accounts: Option<u64>,
    /// The last sweep that came to its end.
    pub last_sweep: Option<SweepSummary>,
    /// Accounts, OUs, roots and users that rules name and that do not exist.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<MissingReference>,
    /// When the journal was last put back from a backup: changes made before may not be among [`changes`](Self::changes).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<Timestamp>,
}

/// Something that a rule names and that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingReference {
    /// The rule, and what it names.
    pub reference: Reference,
    /// Since when.
    pub since: Timestamp,
    /// Who lets changes go on all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Acknowledged>,
}

/// Who accepts that a rule names something that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// Who.
    pub by: Actor,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// Why and since when everything is paused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Who.
    pub by: Actor,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// Why and since when the breaker is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trip {
    /// Why.
    pub reason: TripReason,
    /// Since when.
    pub since: Timestamp,
}

/// What tripped the breaker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum TripReason {
    /// Too many keys became due in one sweep.
    Surge {
        /// How many.
        newly_due: u64,
        /// How many would have passed.
        limit: u64,
    },
    /// Too many accounts vanished.
    Shrink {
        /// How many there were.
        before: u64,
        /// How many there are.
        now: u64,
    },
    /// Changes failed in too many accounts.
    Failures {
        /// In how many, within 24 hours.
        accounts: u64,
        /// At how many it trips.
        limit: u64,
    },
    /// Our clock and AWS's differ by too much.
    ClockSkew {
        /// AWS's minus ours, in seconds.
        seconds: i64,
    },
}

impl fmt::Display for TripReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Surge { newly_due, limit } => {
                write!(f, "{newly_due} keys became due in one sweep, more than the {limit} that may")
            }
            Self::Shrink { before, now } => {
                write!(f, "the organization shrank from {before} to {now} accounts")
            }
            Self::Failures { accounts, limit } => {
                write!(f, "changes failed in {accounts} accounts within 24 hours; {limit} trip the breaker")
            }
            Self::ClockSkew { seconds } => write!(f, "our clock differs from that of AWS by {seconds} s"),
        }
    }
}

/// A deactivation or deletion, counted from its intent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// When.
    pub at: Timestamp,
    /// Where.
    pub account: AccountId,
    /// What.
    pub action: Action,
}

/// A change that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// When.
    pub at: Timestamp,
    /// Where.
    pub account: AccountId,
}

/// How the last sweep ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepSummary {
    /// When.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// Accounts scanned.
    pub scanned: u64,
    /// Accounts that failed.
    pub failed: u64,
    /// Accounts skipped.
    pub skipped: u64,
    /// Keys that were findings, recorded or unknown.
    #[serde(default)]
    pub keys: u64,
    /// How many of them were unknown, users that could not be read included.
    #[serde(default)]
    pub unknown_keys: u64,
}

impl Control {
    /// Deactivations and deletions within the rolling day.
    pub fn changes_of_a_day(&self, now: Timestamp) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(move |change| within_a_day(change.at, now))
    }

    /// Deactivations or deletions within the rolling day, in one account or everywhere.
    #[must_use]
    pub fn changes_since_yesterday(
        &self,
        now: Timestamp,
        action: Option<Action>,
        account: Option<AccountId>,
    ) -> u32 {
        let counted = self.changes_of_a_day(now).filter(|change| {
            action.is_none_or(|a| a == change.action) && account.is_none_or(|id| id == change.account)
        });
        u32::try_from(counted.count()).unwrap_or(u32::MAX)
    }

    /// The first reference of a rule that does not exist and that nobody has acknowledged.
    #[must_use]
    pub fn unacknowledged(&self) -> Option<&Reference> {
        self.references.iter().find(|known| known.acknowledged.is_none()).map(|known| &known.reference)
    }

    /// Until when the changes of the rolling day are not all known, because a backup was restored within it.
    #[must_use]
    pub fn caps_unknown_until(&self, now: Timestamp) -> Option<Timestamp> {
        let restored = self.restored.filter(|at| within_a_day(*at, now))?;
        Some(restored.checked_add(ROLLING).unwrap_or(Timestamp::MAX))
    }

    /// Accounts in which a change failed within the rolling day.
    #[must_use]
    pub fn failed_accounts(&self, now: Timestamp) -> BTreeSet<AccountId> {
        self.failures.iter().filter(|f| within_a_day(f.at, now)).map(|f| f.account).collect()
    }

    pub(super) fn apply(&mut self, entry: &Entry) {
        match &entry.body {
            Body::Paused { reason } => {
                self.paused =
                    Some(Pause { by: entry.actor.clone(), reason: reason.clone(), since: entry.at });
            }
            Body::Resumed { .. } => self.paused = None,
            Body::ReferenceMissing { reference } => {
                if !self.references.iter().any(|known| known.reference == *reference) {
                    let reference = reference.clone();
                    self.references.push(MissingReference { reference, since: entry.at, acknowledged: None });
                }
            }
            Body::ReferenceCleared { reference, .. } => {
                self.references.retain(|known| known.reference != *reference);
            }
            Body::RuleAcknowledged { reference, reason } => {
                let by = Acknowledged { by: entry.actor.clone(), reason: reason.clone(), at: entry.at };
                for known in self.references.iter_mut().filter(|known| known.reference == *reference) {
                    known.acknowledged = Some(by.clone());
                }
            }
            Body::Restored { .. } => self.restored = Some(entry.at),
            Body::ChangeFailed { account, .. } => {
                self.forget_old(entry.at);
                self.failures.push(Failure { at: entry.at, account: *account });
            }
            Body::BreakerTripped { reason } => {
                self.breaker = Some(Trip { reason: reason.clone(), since: entry.at });
            }
            Body::SweepFinished { took, scanned, failed, skipped, complete, keys, unknown_keys } => {
                self.last_sweep = Some(SweepSummary {
                    at: entry.at,
                    took: *took,
                    scanned: *scanned,
                    failed: *failed,
                    skipped: *skipped,
                    keys: *keys,
                    unknown_keys: *unknown_keys,
                });
                if *complete && self.breaker.is_none() {
                    self.accounts = Some(scanned + failed + skipped);
                }
            }
            Body::Started { .. } if planted!(CapsForgottenAtStart) => self.changes.clear(),
            Body::Started { .. }
            | Body::Key { .. }
            | Body::AccountScanned { .. }
            | Body::AccountFindings { .. }
            | Body::AccountFailed { .. }
            | Body::AccountSkipped { .. }
            | Body::AccountLeft { .. }
            | Body::DueAccepted { .. }
            | Body::BreakerReset { .. } => {}
        }
    }

    pub(super) fn reset_breaker(&mut self, accounts: Option<u64>) {
        // Accounts stay parked unless their failures are what was accepted.
        if let Some(Trip { reason: TripReason::Failures { .. }, .. }) = self.breaker.take() {
            self.failures.clear();
        }
        self.accounts = accounts.or(self.accounts);
    }

    /// Whether an event of a key counts towards caps or failures.
    pub(super) fn concerns(event: &KeyEvent) -> bool {
        matches!(event, KeyEvent::Intent { .. } | KeyEvent::Refused { .. } | KeyEvent::Unclear { .. })
    }

    pub(super) fn count(&mut self, at: Timestamp, account: AccountId, event: &KeyEvent) {
        self.forget_old(at);
        if let KeyEvent::Intent { action, .. } = event
            && *action != Action::Reactivate
        {
            // An undo is under no cap.
            self.changes.push(Change { at, account, action: *action });
        }
        // What AWS accepted has not failed, though it does not show yet.
        let failed = matches!(event, KeyEvent::Refused { .. } | KeyEvent::Unclear { accepted: false, .. });
        if failed && !planted!(FailuresNotCounted) {
            self.failures.push(Failure { at, account });
        }
    }

    fn forget_old(&mut self, at: Timestamp) {
        let old = |then: &Timestamp| at.duration_since(*then).unsigned_abs() > REMEMBERED && *then < at;
        self.changes.retain(|change| !old(&change.at));
        self.failures.retain(|failure| !old(&failure.at));
    }
}

/// Whether `then` lies within the rolling day before `now`, or after it: a clock that went back forgives nothing.
fn within_a_day(then: Timestamp, now: Timestamp) -> bool {
    then > now || now.duration_since(then).unsigned_abs() < ROLLING
}
