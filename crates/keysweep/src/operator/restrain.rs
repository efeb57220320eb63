//! What restrains all keys together: pauses, the breaker, parked accounts.

use std::collections::BTreeSet;

use jiff::Timestamp;
use keysweep_api::{
    BreakerDocument, BreakerKey, Done, Operation, Pause, Refusal, ResetBreaker, Resume, ShowBreaker,
    UnparkAccount, Which,
};
use keysweep_core::ids::AccessKeyId;
use keysweep_core::plan::newly_due;
use keysweep_core::state::{self, Actor, Body, State, Trip, TripReason};
use keysweep_core::words::until_resumed;
use sha2::{Digest as _, Sha256};

use super::{Act, Look};
use crate::access::{Need, Permit, Sight};
use crate::causes::in_words;
use crate::engine::Engine;

/// Hexadecimal digits of the hash that names a set: enough that no other set is confirmed by a mistake, and few enough
/// to be typed.
const HASH_DIGITS: usize = 8;

impl Act for Pause {
    fn need(&self) -> Need {
        Need::organization(Self::ROLE)
    }

    async fn act(self, engine: &Engine, permit: &Permit<'_>) -> Result<Done, Refusal> {
        let actor = permit.actor();
        // An intent that is decided after this finds the pause; the calls of those before it are waited for.
        let number = match engine.record(actor, vec![Body::Paused { reason: self.reason }]).await {
            Ok(receipts) => receipts.first().map_or(0, keysweep_core::state::Receipt::seq),
            Err(error) => return Err(Refusal::Unavailable(in_words(&error))),
        };
        let calls = match engine.changes.drained().await {
            0 => String::new(),
            1 => "; one call was under way and has ended".to_owned(),
            n => format!("; {n} calls were under way and have ended"),
        };
        Ok(Done { message: format!("{}; undo still works{calls}", until_resumed(number)) })
    }
}

impl Act for Resume {
    fn need(&self) -> Need {
        Need::organization(Self::ROLE)
    }

    async fn act(self, engine: &Engine, permit: &Permit<'_>) -> Result<Done, Refusal> {
        let actor = permit.actor();
        let Self { which, reason } = self;
        let resumed = |state: &State, _| {
            let pauses = &state.control().pauses;
            let ended = chosen(pauses, actor, which)?;
            let (over, left): (Vec<_>, Vec<_>) =
                pauses.iter().cloned().partition(|pause| ended.contains(&pause.number));
            let message = if left.is_empty() {
                format!("resumed: changes are allowed again; ended:\n{}", list(&over))
            } else {
                format!("ended:\n{}\nstill paused:\n{}", list(&over), list(&left))
            };
            Ok((vec![Body::Resumed { pauses: ended, reason: reason.clone() }], message))
        };
        let done = engine.decide_for(actor, resumed).await?;
        if engine.store().read(|state| state.control().pauses.is_empty()) {
            engine.request_sweep();
        }
        Ok(done)
    }
}

impl Look for ShowBreaker {
    async fn look(self, engine: &Engine, sight: &Sight) -> Result<BreakerDocument, Refusal> {
        let mut shown = engine.store().read(breaker);
        if !sight.is_whole() {
            // Only someone who sees the whole set can accept it.
            shown.confirm = None;
            shown.keys.retain(|key| key.account_id.parse().is_ok_and(|account| sight.account(account)));
        }
        Ok(shown)
    }
}

impl Act for ResetBreaker {
    fn need(&self) -> Need {
        Need::organization(Self::ROLE)
    }

    async fn act(self, engine: &Engine, permit: &Permit<'_>) -> Result<Done, Refusal> {
        let actor = permit.actor();
        let Self { reason, confirm } = self;
        let reset = |state: &State, _| {
            let expected = breaker(state)
                .confirm
                .ok_or_else(|| Refusal::Conflict("the circuit breaker is closed".into()))?;
            if confirm != expected {
                return Err(Refusal::Conflict(format!(
                    "{confirm} is not the current set of the circuit breaker: run `keysweep breaker show` again"
                )));
            }
            let shrunk_to = state.control().breaker.as_ref().and_then(|trip| match trip.reason {
                TripReason::Shrink { now, .. } => Some(now),
                TripReason::Surge { .. } | TripReason::Failures { .. } | TripReason::ClockSkew { .. } => None,
            });
            let keys = newly_due(state);
            let baseline =
                shrunk_to.map(|now| format!("; {now} accounts are the new baseline")).unwrap_or_default();
            let message =
                format!("closed the circuit breaker; newly due keys accepted: {}{baseline}", keys.len());
            let body = Body::BreakerReset { reason: reason.clone(), keys, accounts: shrunk_to };
            Ok((vec![body], message))
        };
        engine.decide_and_sweep(actor, reset).await
    }
}

impl Act for UnparkAccount {
    fn need(&self) -> Need {
        Need::account(Self::ROLE, self.account)
    }

    async fn act(self, engine: &Engine, permit: &Permit<'_>) -> Result<Done, Refusal> {
        let actor = permit.actor();
        let Self { account, reason } = self;
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
                return Err(Refusal::Conflict(format!("account {account} is not parked; {others}")));
            };
            let body = Body::AccountUnparked { account, reason: reason.clone() };
            Ok((vec![body], format!("changes are allowed again in account {account}, which was {was}")))
        };
        engine.decide_and_sweep(actor, unparked).await
    }
}

impl Engine {
    /// Decides for an operator, and asks for a sweep to follow: more may be done now than before.
    pub(super) async fn decide_and_sweep(
        &self,
        actor: &Actor,
        decide: impl FnMut(&State, Timestamp) -> Result<(Vec<Body>, String), Refusal> + Send,
    ) -> Result<Done, Refusal> {
        let done = self.decide_for(actor, decide).await?;
        self.request_sweep();
        Ok(done)
    }
}

/// The pauses that a `resume` ends.
fn chosen(pauses: &[state::Pause], actor: &Actor, which: Which) -> Result<BTreeSet<u64>, Refusal> {
    if pauses.is_empty() {
        return Err(Refusal::Conflict("nothing is paused".into()));
    }
    let numbers = || pauses.iter().map(|pause| pause.number).collect();
    match which {
        Which::Number(number) if pauses.iter().any(|pause| pause.number == number) => Ok([number].into()),
        Which::Number(number) => {
            Err(Refusal::Conflict(format!("there is no pause {number}; in effect:\n{}", list(pauses))))
        }
        Which::All(count) if usize::try_from(count) == Ok(pauses.len()) => Ok(numbers()),
        Which::All(count) => Err(Refusal::Conflict(format!(
            "there are {} pauses, not {count}; in effect:\n{}",
            pauses.len(),
            list(pauses)
        ))),
        Which::Own => {
            let own: Vec<_> = pauses.iter().filter(|pause| pause.by == *actor).collect();
            match (own.as_slice(), pauses) {
                ([own], _) => Ok([own.number].into()),
                (_, [only]) => Ok([only.number].into()),
                (_, pauses) => Err(Refusal::Conflict(format!(
                    "several pauses are in effect:\n{}\nname one: `keysweep resume NUMBER --reason TEXT`, or end \
                     all: `keysweep resume --all {} --reason TEXT`",
                    list(pauses),
                    pauses.len()
                ))),
            }
        }
    }
}

fn list(pauses: &[state::Pause]) -> String {
    let line = |pause: &state::Pause| {
        format!("  {} by {} since {}: {}", pause.number, pause.by, pause.since, pause.reason)
    };
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
