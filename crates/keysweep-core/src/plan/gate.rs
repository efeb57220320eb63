//! What restrains all keys together: pause, breaker, parked accounts, caps.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{By, Context, Recheck, Wait};
use crate::facts::Collection;
use crate::ids::{AccessKeyId, AccountId};
use crate::lifecycle::Record;
use crate::policy::Limits;
use crate::state::{Reach, State, TripReason};
use crate::ticket::{Action, Planned};

/// Whether anything of ours restrains this change now. An undo is restrained by nothing, so that nobody asks about one.
///
/// # Errors
/// The first restraint that applies.
pub fn gate(context: &Context<'_>, record: &Record, action: Action, by: By) -> Result<(), Wait> {
    let Some(to) = action.planned() else { return Ok(()) };
    restrained(context, record, to, by)?;
    Caps::new(context).take(record, action)
}

/// As [`gate`], without the caps.
pub(super) fn restrained(
    context: &Context<'_>,
    record: &Record,
    action: Planned,
    by: By,
) -> Result<(), Wait> {
    let control = context.state.control();
    // Where a scan failed the fresh look decides; these are left alone.
    let reach = context.state.account(record.identity.account).map(|account| &account.reach);
    if let Some(away) = reach.filter(|reach| matches!(reach, Reach::Skipped { .. } | Reach::Left { .. })) {
        return Err(Recheck::Away(away.clone()).into());
    }
    if !control.pauses.is_empty() {
        return Err(Wait::Paused(control.pauses.clone()));
    }
    // What restrains a mode that changes keys restrains an order under it, too, as a pause does.
    if let Some(missing) = control.unacknowledged().filter(|_| context.policy.changes_anything()) {
        return Err(Wait::Reference(missing.reference.clone()));
    }
    if let Some(trip) = &control.breaker {
        return Err(Wait::Breaker(trip.reason.clone()));
    }
    let failed = control.failed_accounts(context.now);
    if let Some(reason) = too_many_failures(context, &failed) {
        return Err(Wait::Failing(reason));
    }
    let account = record.identity.account;
    if let Some((park, until)) = control.parked(account, context.now) {
        return Err(Wait::Parked { account, park: park.clone(), until });
    }
    if let Some(until) = control.resting(&record.identity.key, context.now).filter(|_| by == By::Policy) {
        return Err(Wait::Resting { until });
    }
    let accepted = record.due.as_ref().is_some_and(|due| due.action == action && due.accepted);
    if by == By::Policy && !accepted {
        return Err(Wait::NotAccepted);
    }
    Ok(())
}

/// Why the breaker trips on this sweep, if it does.
pub(super) fn trips(context: &Context<'_>, after: &State, collection: &Collection) -> Option<TripReason> {
    let limits = &context.policy.limits;
    let control = after.control();
    if let Some(skew) = collection.skewed() {
        return Some(TripReason::ClockSkew { seconds: skew.as_secs() });
    }
    if let Some(before) = control.accounts.filter(|_| collection.complete) {
        let now = u64::try_from(collection.accounts.len()).unwrap_or(u64::MAX);
        // Shares of counts this small are exact in f64.
        if before.saturating_sub(now) as f64 > limits.shrink * before as f64 {
            return Some(TripReason::Shrink { before, now });
        }
    }
    if let Some(reason) = too_many_failures(context, &control.failed_accounts(context.now)) {
        return Some(reason);
    }
    let newly_due = u64::try_from(newly_due(after).len()).unwrap_or(u64::MAX);
    let in_reach = after.accounts().filter(|(_, account)| match account.reach {
        Reach::Scanned | Reach::Failed { .. } => true,
        Reach::Skipped { .. } | Reach::Left { .. } => false,
    });
    let active: u64 = in_reach.map(|(_, account)| account.inventory.active_keys).sum();
    let share = (limits.surge * active as f64).floor() as u64;
    let limit = share.max(u64::from(limits.surge_keys));
    (newly_due > limit).then_some(TripReason::Surge { newly_due, limit })
}

/// Why the breaker trips now, between two plans: changes failed in too many accounts.
#[must_use]
pub fn trips_on_failures(context: &Context<'_>) -> Option<TripReason> {
    let control = context.state.control();
    if control.breaker.is_some() {
        return None;
    }
    too_many_failures(context, &control.failed_accounts(context.now))
}

fn too_many_failures(context: &Context<'_>, failed: &BTreeSet<AccountId>) -> Option<TripReason> {
    let limit = u64::from(context.policy.limits.failed_accounts);
    let accounts = u64::try_from(failed.len()).unwrap_or(u64::MAX);
    (accounts >= limit).then_some(TripReason::Failures { accounts, limit })
}

/// Keys that are due and not in the breaker's baseline: what a reset of the breaker would accept.
#[must_use]
pub fn newly_due(state: &State) -> BTreeSet<AccessKeyId> {
    let due = state.records().filter(|r| r.due.as_ref().is_some_and(|due| !due.accepted));
    due.map(|record| record.identity.key.clone()).collect()
}

/// What is left of the caps, over the rolling 24 hours. Counted once: tens of thousands of keys may ask.
#[derive(Debug)]
pub(super) struct Caps<'a> {
    limits: &'a Limits,
    of_action: BTreeMap<Action, u32>,
    of_account: BTreeMap<AccountId, u32>,
    /// Until then nobody knows what is left of them.
    unknown_until: Option<Timestamp>,
}

impl<'a> Caps<'a> {
    pub(super) fn new(context: &Context<'a>) -> Self {
        let limits = &context.policy.limits;
        let control = context.state.control();
        let unknown_until = control.caps_unknown_until(context.now);
        let mut caps =
            Self { limits, of_action: BTreeMap::new(), of_account: BTreeMap::new(), unknown_until };
        for change in control.changes_of_a_day(context.now) {
            caps.count(change.action, change.account);
        }
        caps
    }

    fn count(&mut self, action: Action, account: AccountId) {
        *self.of_action.entry(action).or_default() += 1;
        *self.of_account.entry(account).or_default() += 1;
    }

    /// Takes one change of the caps, if they allow it.
    pub(super) fn take(&mut self, record: &Record, action: Action) -> Result<(), Wait> {
        let (limits, account) = (self.limits, record.identity.account);
        let everywhere = match action {
            // The quarantine is when a client stops working, and the deactivation when the key does.
            Action::Quarantine | Action::Deactivate => limits.deactivations_per_day,
            Action::Delete => limits.deletions_per_day,
            Action::EndQuarantine | Action::Reactivate => return Ok(()),
        };
        if let Some(until) = self.unknown_until {
            return Err(Wait::CapUnknown { until });
        }
        if self.of_action.get(&action).copied().unwrap_or(0) >= everywhere {
            return Err(Wait::Cap { action, limit: everywhere });
        }
        let in_account = self.of_account.get(&account).copied().unwrap_or(0);
        if in_account >= limits.changes_per_account_per_day {
            return Err(Wait::AccountCap { limit: limits.changes_per_account_per_day });
        }
        self.count(action, account);
        Ok(())
    }
}
