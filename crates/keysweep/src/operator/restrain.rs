//! What restrains all keys together: pauses, the breaker, parked accounts.

use std::collections::BTreeSet;

use jiff::Timestamp;
use keysweep_core::ids::{AccessKeyId, AccountId};
use keysweep_core::plan::newly_due;
use keysweep_core::state::{Actor, Body, Pause, State, Trip, TripReason};
use keysweep_core::words::until_resumed;
use sha2::{Digest as _, Sha256};

use super::decide::refused;
use super::{BreakerDocument, BreakerKey, Reply, Which};
use crate::causes::in_words;
use crate::engine::Engine;

/// Hexadecimal digits of the hash that names a set: enough that no other set is confirmed by a mistake, and few enough
/// to be typed.
const HASH_DIGITS: usize = 8;

impl Engine {
    pub(super) async fn pause(&self, actor: &Actor, reason: String) -> Reply {
        // An intent that is decided after this finds the pause; the calls of those before it are waited for.
        let number = match self.record(actor, vec![Body::Paused { reason }]).await {
            Ok(receipts) => receipts.first().map_or(0, keysweep_core::state::Receipt::seq),
            Err(error) => return refused(in_words(&error)),
        };
        let calls = match self.changes.drained().await {
            0 => String::new(),
            1 => "; one call was under way and has ended".to_owned(),
            n => format!("; {n} calls were under way and have ended"),
        };
        let message = format!("{}; undo still works{calls}", until_resumed(number));
        Reply::Done { message }
    }

    pub(super) async fn resume(&self, actor: &Actor, which: Which, reason: String) -> Reply {
        let resumed = |state: &State, _| {
            let pauses = &state.control().pauses;
            let ended = chosen(pauses, actor, &which)?;
            let (over, left): (Vec<_>, Vec<_>) =
                pauses.iter().cloned().partition(|pause| ended.contains(&pause.number));
            let message = if left.is_empty() {
                format!("resumed, changes may go on; this is over:\n{}", list(&over))
            } else {
                format!("this pause is over:\n{}\nstill paused:\n{}", list(&over), list(&left))
            };
            Ok((vec![Body::Resumed { pauses: ended, reason: reason.clone() }], message))
        };
        let reply = self.decide_for(actor, resumed).await;
        if matches!(reply, Reply::Done { .. }) && self.store().read(|state| state.control().pauses.is_empty())
        {
            self.request_sweep();
        }
        reply
    }

    /// Decides for an operator, and asks for a sweep to follow: more may be done now than before.
    pub(super) async fn decide_and_sweep(
        &self,
        actor: &Actor,
        decide: impl FnMut(&State, Timestamp) -> Result<(Vec<Body>, String), String>,
    ) -> Reply {
        let reply = self.decide_for(actor, decide).await;
        if matches!(reply, Reply::Done { .. }) {
            self.request_sweep();
        }
        reply
    }

    /// What the breaker stopped for, and the set that a reset accepts.
    pub(super) fn breaker(&self) -> BreakerDocument {
        self.store().read(breaker)
    }

    pub(super) async fn reset_breaker(&self, actor: &Actor, reason: String, confirm: &str) -> Reply {
        let reset = |state: &State, _| {
            let expected = breaker(state).confirm.ok_or("the breaker is closed")?;
            if confirm != expected {
                return Err(format!(
                    "the breaker is open for another set than {confirm}: look again with `keysweep breaker show`"
                ));
            }
            let shrunk_to = state.control().breaker.as_ref().and_then(|trip| match trip.reason {
                TripReason::Shrink { now, .. } => Some(now),
                TripReason::Surge { .. } | TripReason::Failures { .. } | TripReason::ClockSkew { .. } => None,
            });
            let keys = newly_due(state);
            let baseline =
                shrunk_to.map(|now| format!("; {now} accounts are the new baseline")).unwrap_or_default();
            let message = format!("the breaker is closed; newly due keys accepted: {}{baseline}", keys.len());
            let body = Body::BreakerReset { reason: reason.clone(), keys, accounts: shrunk_to };
            Ok((vec![body], message))
        };
        self.decide_and_sweep(actor, reset).await
    }

    pub(super) async fn unpark(&self, actor: &Actor, account: &str, reason: String) -> Reply {
        let account: AccountId = match account.parse() {
            Ok(account) => account,
            Err(error) => return refused(format!("{error}")),
        };
        let unparked = |state: &State, now| {
            let control = state.control();
            let parked = control.parked(account, now).map(|(park, _)| park.to_string());
            let resting = control
                .failures
                .iter()
                .any(|failure| failure.account == account && control.resting(&failure.key, now).is_some());
            let waits = parked.or_else(|| resting.then(|| "keys of it were left alone for a day".to_owned()));
            let Some(was) = waits else {
                let all: Vec<_> = control.all_parked(now).map(|(id, _)| id.to_string()).collect();
                let others = if all.is_empty() {
                    "no account is".to_owned()
                } else {
                    format!("parked are {}", all.join(", "))
                };
                return Err(format!("account {account} is not parked; {others}"));
            };
            let body = Body::AccountUnparked { account, reason: reason.clone() };
            Ok((vec![body], format!("changes may go on in account {account}, which was {was}")))
        };
        self.decide_and_sweep(actor, unparked).await
    }
}

/// The pauses that a `resume` ends.
fn chosen(pauses: &[Pause], actor: &Actor, which: &Which) -> Result<BTreeSet<u64>, String> {
    if pauses.is_empty() {
        return Err("nothing is paused".into());
    }
    let numbers = || pauses.iter().map(|pause| pause.number).collect();
    match which {
        Which::Number(number) if pauses.iter().any(|pause| pause.number == *number) => Ok([*number].into()),
        Which::Number(number) => Err(format!("there is no pause {number}; in force:\n{}", list(pauses))),
        Which::All(count) if usize::try_from(*count) == Ok(pauses.len()) => Ok(numbers()),
        Which::All(count) => {
            Err(format!("there are {} pauses and not {count}; in force:\n{}", pauses.len(), list(pauses)))
        }
        Which::Own => {
            let own: Vec<_> = pauses.iter().filter(|pause| pause.by == *actor).collect();
            match (own.as_slice(), pauses) {
                ([own], _) => Ok([own.number].into()),
                (_, [only]) => Ok([only.number].into()),
                (_, pauses) => Err(format!(
                    "several pauses are in force:\n{}\nname one: `keysweep resume NUMBER --reason TEXT`, or end \
                     all: `keysweep resume --all {} --reason TEXT`",
                    list(pauses),
                    pauses.len()
                )),
            }
        }
    }
}

fn list(pauses: &[Pause]) -> String {
    let line =
        |pause: &Pause| format!("  {} by {} since {}: {}", pause.number, pause.by, pause.since, pause.reason);
    pauses.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn breaker(state: &State) -> BreakerDocument {
    let trip = state.control().breaker.as_ref();
    let due = newly_due(state);
    let keys: Vec<_> = due
        .iter()
        .filter_map(|key| state.record(key))
        .filter_map(|record| {
            Some(BreakerKey {
                account_id: record.identity.account.to_string(),
                user_name: record.user_name.to_string(),
                access_key_id: record.identity.key.to_string(),
                action: record.due.as_ref()?.action,
            })
        })
        .collect();
    BreakerDocument {
        open: trip.map(|trip| format!("{} (since {})", trip.reason, trip.since)),
        count: u64::try_from(due.len()).unwrap_or(u64::MAX),
        confirm: trip.map(|trip| confirmation(trip, state, &due)),
        keys,
    }
}

/// What names exactly this set: the count of newly due keys, and a hash over each with what is due and over why the
/// breaker is open.
fn confirmation(trip: &Trip, state: &State, due: &BTreeSet<AccessKeyId>) -> String {
    let mut hasher = Sha256::new();
    hasher.update(format!("{} {}\n", trip.since, trip.reason));
    for key in due {
        let Some(record) = state.record(key) else { continue };
        let action = record.due.as_ref().map_or("", |due| due.action.as_str());
        hasher.update(format!("{} {key} {action}\n", record.identity.account));
    }
    let hash = hex::encode(hasher.finalize());
    format!("{}-{}", due.len(), hash.get(..HASH_DIGITS).unwrap_or(&hash))
}
