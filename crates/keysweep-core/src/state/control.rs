//! What restrains changes: pauses, breaker, caps and parked accounts. All of it follows from the journal.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::actor::Actor;
use super::entry::{Body, Configuration, Entry};
use super::exemption::{ExemptSubject, GrantedExemption};
use super::failure::{Failure, FailureCause, Park, Weight};
use crate::ids::{AccessKeyId, AccountId};
use crate::lifecycle::{RefusedKind, event};
use crate::policy::Rule;
use crate::references::Reference;
use crate::ticket::Action;

/// The span over which caps and failures are counted.
pub(super) const ROLLING: Duration = Duration::from_secs(24 * 3600);

/// How long past changes are remembered: well over [`ROLLING`], so that a clock that jumped ahead and came back has
/// not emptied the caps.
const REMEMBERED: Duration = Duration::from_secs(14 * 24 * 3600);

/// How many days of the trend are kept.
pub const TREND_DAYS: usize = 90;

/// What restrains changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Control {
    /// What stops every automatic change: operators, a new data_dir, a restoration. By number.
    pub pauses: Vec<Pause>,
    /// Set while the breaker is open.
    pub breaker: Option<Trip>,
    /// Quarantines, deactivations, and deletions of late, by their intents.
    pub changes: Vec<Change>,
    /// Changes of late that failed.
    pub failures: Vec<Failure>,
    /// Accounts without automatic changes, each for a day after its failure.
    pub parks: BTreeMap<AccountId, Park>,
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
    /// When the journal began: the time of its first entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<Timestamp>,
    /// Stale keys at the end of each day with a sweep, oldest first: at most [`TREND_DAYS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trend: Vec<StaleOfDay>,
    /// Exemptions that match no finding, by their match, or by their name where an operator granted them, each with the sweep since which it has been so.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub idle_exemptions: BTreeMap<String, Timestamp>,
    /// Exemptions that operators granted, oldest first: a lapsed one stays for a while.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exemptions: Vec<GrantedExemption>,
    /// Whether keysweep paused itself once, as it does in a new journal, or an operator resumed.
    pub introduced: bool,
    /// The configuration that was last in force.
    pub configuration: Configuration,
}

/// Stale keys at the end of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaleOfDay {
    /// The day, UTC.
    pub day: Date,
    /// How many.
    pub stale: u64,
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

/// One of the pauses in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Names it for good: the number of its entry in the journal.
    pub number: u64,
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

/// A quarantine, deactivation, or deletion, counted from its intent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// When.
    pub at: Timestamp,
    /// Where.
    pub account: AccountId,
    /// What.
    pub action: Action,
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
    /// Quarantines, deactivations, and deletions within the rolling day.
    pub fn changes_of_a_day(&self, now: Timestamp) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(move |change| within_a_day(change.at, now))
    }

    /// The first reference of a rule that does not exist and that nobody has acknowledged.
    #[must_use]
    pub fn unacknowledged(&self) -> Option<&MissingReference> {
        self.references.iter().find(|known| known.acknowledged.is_none())
    }

    /// Until when the changes of the rolling day are not all known, because a backup was restored within it.
    #[must_use]
    pub fn caps_unknown_until(&self, now: Timestamp) -> Option<Timestamp> {
        let restored = self.restored.filter(|at| within_a_day(*at, now))?;
        Some(day_after(restored))
    }

    /// Exemptions that operators granted and that have not ended.
    pub fn exemptions_in_force(&self, now: Timestamp) -> impl Iterator<Item = &GrantedExemption> {
        self.exemptions.iter().filter(move |exemption| exemption.is_in_force(now))
    }

    /// The exemption that an operator granted to a key, or to its user: the one that lasts longest.
    #[must_use]
    pub fn exempting(&self, now: Timestamp, subject: ExemptSubject<'_>) -> Option<&GrantedExemption> {
        let matching = self.exemptions_in_force(now).filter(|exemption| exemption.matches(subject));
        matching.max_by_key(|exemption| (exemption.until, Reverse(exemption.number)))
    }

    /// Whether keysweep itself has paused, because what restrained it before may be lost.
    #[must_use]
    pub fn paused_by_keysweep(&self) -> bool {
        self.pauses.iter().any(|pause| pause.by.is_keysweep())
    }

    /// Accounts in which a change failed within the rolling day, as far as that counts for the breaker.
    #[must_use]
    pub fn failed_accounts(&self, now: Timestamp) -> BTreeSet<AccountId> {
        let counts = |failure: &&Failure| failure.weight.counts() && within_a_day(failure.at, now);
        self.failures.iter().filter(counts).map(|failure| failure.account).collect()
    }

    /// Why no automatic change is made in an account, and until when.
    #[must_use]
    pub fn parked(&self, account: AccountId, now: Timestamp) -> Option<(&Park, Timestamp)> {
        let park = self.parks.get(&account).filter(|park| within_a_day(park.since, now))?;
        Some((park, day_after(park.since)))
    }

    /// Every parked account.
    pub fn all_parked(&self, now: Timestamp) -> impl Iterator<Item = (AccountId, &Park)> {
        self.parks.iter().filter(move |(_, park)| within_a_day(park.since, now)).map(|(id, park)| (*id, park))
    }

    /// Until when a key is left alone after its change failed for a reason that passes.
    #[must_use]
    pub fn resting(&self, key: &AccessKeyId, now: Timestamp) -> Option<Timestamp> {
        let rests =
            |failure: &&Failure| failure.rests && failure.key == *key && within_a_day(failure.at, now);
        self.failures.iter().filter(rests).map(|failure| day_after(failure.at)).max()
    }

    pub(super) fn apply(&mut self, entry: &Entry) {
        match &entry.body {
            Body::Paused { reason } => {
                self.introduced |= entry.actor.is_keysweep();
                self.pauses.push(Pause {
                    number: entry.seq,
                    by: entry.actor.clone(),
                    reason: reason.clone(),
                    since: entry.at,
                });
            }
            Body::Resumed { pauses, .. } => {
                self.introduced = true;
                self.pauses.retain(|pause| !pauses.contains(&pause.number));
            }
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
            Body::ExemptionGranted { account, user_id, user_name, key, reason, until } => {
                self.exemptions.retain(|exemption| !exemption.is_outdated(entry.at));
                self.exemptions.push(GrantedExemption {
                    number: entry.seq,
                    account: *account,
                    user_id: user_id.clone(),
                    user_name: user_name.clone(),
                    key: key.clone(),
                    by: entry.actor.clone(),
                    reason: reason.clone(),
                    since: entry.at,
                    until: *until,
                });
            }
            Body::ExemptionEnded { number, .. } => {
                self.exemptions
                    .retain(|exemption| exemption.number != *number && !exemption.is_outdated(entry.at));
                self.idle_exemptions.remove(&Rule::Granted(*number).to_string());
            }
            Body::Restored { .. } => self.restored = Some(entry.at),
            Body::ChangeFailed { account, key, action, kind, why } => {
                let cause = FailureCause::before_any_call(*kind);
                self.failed(entry.at, *account, key, *action, cause, why);
            }
            Body::AccountUnparked { account, .. } => {
                self.parks.remove(account);
                for failure in self.failures.iter_mut().filter(|failure| failure.account == *account) {
                    (failure.in_a_row, failure.rests) = (false, false);
                }
            }
            Body::BreakerTripped { reason } => {
                self.breaker = Some(Trip { reason: reason.clone(), since: entry.at });
            }
            Body::SweepFinished {
                took,
                scanned,
                failed,
                skipped,
                complete,
                keys,
                unknown_keys,
                stale,
                idle_exemptions,
                busy_exemptions,
            } => {
                if let Some(stale) = stale {
                    self.count_stale(entry.at, *stale);
                }
                self.idle_exemptions.retain(|exemption, _| !busy_exemptions.contains(exemption));
                for exemption in idle_exemptions {
                    self.idle_exemptions.entry(exemption.clone()).or_insert(entry.at);
                }
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
            Body::Started { configuration, .. } | Body::Configured { configuration, .. } => {
                self.configuration = configuration.clone();
            }
            Body::Key { .. }
            | Body::AccountScanned { .. }
            | Body::AccountFindings { .. }
            | Body::AccountFailed { .. }
            | Body::AccountSkipped { .. }
            | Body::KeyCreated { .. }
            | Body::AccountLeft { .. }
            | Body::DueAccepted { .. }
            | Body::BreakerReset { .. }
            | Body::MessageComposed { .. }
            | Body::MessageDelivered { .. }
            | Body::MessageUndeliverable { .. }
            | Body::MessageWithdrawn { .. }
            | Body::MessageRetried { .. } => {}
        }
    }

    /// The last sweep of a day counts.
    fn count_stale(&mut self, at: Timestamp, stale: u64) {
        let day = TimeZone::UTC.to_datetime(at).date();
        self.trend.retain(|point| point.day < day);
        self.trend.push(StaleOfDay { day, stale });
        let over = self.trend.len().saturating_sub(TREND_DAYS);
        self.trend.drain(..over);
    }

    pub(super) fn reset_breaker(&mut self, accounts: Option<u64>) {
        // Accounts stay parked, whatever was accepted: where changes fail, they would fail again.
        if let Some(Trip { reason: TripReason::Failures { .. }, .. }) = self.breaker.take() {
            self.failures.iter_mut().for_each(|failure| failure.weight = Weight::None);
        }
        self.accounts = accounts.or(self.accounts);
    }

    /// Counts a step of a change towards caps and failures.
    pub(super) fn count(
        &mut self,
        at: Timestamp,
        account: AccountId,
        key: &AccessKeyId,
        event: &event::Change,
    ) {
        self.forget_old(at);
        match event {
            event::Change::Intent { action, .. } => {
                // An undo is under no cap.
                if !action.is_undo() {
                    self.changes.push(Change { at, account, action: *action });
                }
            }
            // It is tried again in each sweep, and says nothing of changes.
            event::Change::Refused { action: Action::EndQuarantine, .. }
            | event::Change::Unclear { action: Action::EndQuarantine, .. } => {}
            event::Change::Refused { action, kind, detail } => {
                let cause = match (action, kind) {
                    // The policy is not there.
                    (Action::Quarantine, RefusedKind::Gone) => FailureCause::Precondition,
                    _ => FailureCause::of_call(*kind),
                };
                self.failed(at, account, key, *action, cause, detail);
            }
            event::Change::Unclear { action, detail, accepted: false } => {
                self.failed(at, account, key, *action, FailureCause::Transient, detail);
            }
            event::Change::Quarantined { .. }
            | event::Change::QuarantineEnded { .. }
            | event::Change::Deactivated { .. }
            | event::Change::Undone { .. }
            | event::Change::Deleted { .. } => {
                self.succeeded(account);
            }
            // What AWS accepted has not failed, though it does not show yet.
            event::Change::Accepted { .. } | event::Change::Unclear { accepted: true, .. } => {}
        }
    }

    fn failed(
        &mut self,
        at: Timestamp,
        account: AccountId,
        key: &AccessKeyId,
        action: Action,
        cause: FailureCause,
        detail: &str,
    ) {
        self.forget_old(at);
        let repeated = self.failures.iter().any(|failure| failure.account == account && failure.in_a_row);
        self.failures.push(Failure {
            at,
            account,
            key: key.clone(),
            weight: cause.weight(repeated),
            in_a_row: true,
            rests: cause.passes(),
        });
        if let Some(reason) = cause.parks(repeated) {
            let park = Park { since: at, reason, key: key.clone(), action, detail: detail.into() };
            self.parks.insert(account, park);
        }
    }

    /// A change that came to be ends the row of failures in its account, and shows that AWS carries out changes.
    fn succeeded(&mut self, account: AccountId) {
        for failure in &mut self.failures {
            failure.in_a_row &= failure.account != account;
            failure.weight = failure.weight.after_success();
        }
    }

    fn forget_old(&mut self, at: Timestamp) {
        let old = |then: &Timestamp| at.duration_since(*then).unsigned_abs() > REMEMBERED && *then < at;
        self.changes.retain(|change| !old(&change.at));
        self.failures.retain(|failure| !old(&failure.at));
        self.parks.retain(|_, park| !old(&park.since));
    }
}

/// Whether `then` lies within the rolling day before `now`, or after it: a clock that went back forgives nothing.
fn within_a_day(then: Timestamp, now: Timestamp) -> bool {
    then > now || now.duration_since(then).unsigned_abs() < ROLLING
}

fn day_after(at: Timestamp) -> Timestamp {
    at.checked_add(ROLLING).unwrap_or(Timestamp::MAX)
}
