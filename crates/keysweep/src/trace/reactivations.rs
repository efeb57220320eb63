//! Which call set a key Active again: CloudTrail tells, some minutes later, who made it and with what.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use keysweep_aws::{Aws, Fault, Partition};
use keysweep_core::evidence::TracedCall;
use keysweep_core::facts::{AccountFacts, Outcome};
use keysweep_core::ids::{AccessKeyId, AccountId};
use keysweep_core::lifecycle::event::Note;
use keysweep_core::state::{Actor, Body, State};
use keysweep_store::AppendError;
use tokio::time::timeout;

use crate::causes::in_words;
use crate::collect::Scope;
use crate::config::Config;
use crate::engine::Engine;

/// Accounts asked at the same time.
const ACCOUNTS_AT_ONCE: usize = 4;

/// How long all of it may take: a sweep ends without it.
const AT_MOST: Duration = Duration::from_secs(60);

/// How long after a reactivation was seen its call is not looked for yet: an older one would be taken for it.
const DELIVERED_AFTER: SignedDuration = SignedDuration::from_mins(15);

/// How long its call is looked for: so long, or three scan intervals if that is longer.
const LOOKED_FOR: SignedDuration = SignedDuration::from_hours(24);

/// The clocks of AWS and of this machine may differ by so much.
const SKEW: SignedDuration = keysweep_core::facts::MAX_SKEW;

/// Keys of one account that were seen Active again, whose call is not known yet: in which span it was made.
type Untraced = BTreeMap<AccessKeyId, (Timestamp, Timestamp)>;

/// Looks up the calls of new reactivations, and journals those that CloudTrail shows: one lookup for each account in which
/// there is one. What cannot be looked up now is looked up by the next sweep.
pub(crate) async fn trace_reactivations(engine: &Engine, aws: &Aws, config: &Config) {
    let home = Partition::of_region(&config.aws.region).home();
    let Some(home) = home.filter(|_| config.policy.cloudtrail) else { return };
    let mut untraced = engine.store().read(|state| untraced(state, engine.clock().now(), config));
    let Some(latest) = engine.latest().filter(|_| !untraced.is_empty()) else { return };
    let mut due = Vec::new();
    for (account, outcome) in &latest.collection.accounts {
        if let (Outcome::Scanned(_), Some(untraced)) = (outcome, untraced.remove(&account.id)) {
            due.push((account.clone(), untraced));
        }
    }
    // Not a list of lookups: one that has not begun takes kilobytes.
    let looks = due.into_iter().map(|(account, untraced): (AccountFacts, Untraced)| async move {
        (account.id, look(aws, config, &account, home, &untraced).await)
    });
    let looking = stream::iter(looks).buffer_unordered(ACCOUNTS_AT_ONCE).for_each(async |(account, found)| {
        match found {
            Ok(calls) => note(engine, account, calls).await,
            Err(fault) => {
                let why = in_words(&fault);
                tracing::warn!(%account, why, "could not look up who reactivated keys; the next sweep tries again");
            }
        }
    });
    if timeout(AT_MOST, looking).await.is_err() {
        tracing::warn!("looking up who reactivated keys took too long; the next sweep goes on");
    }
}

/// Journals what is still news.
async fn note(engine: &Engine, account: AccountId, calls: BTreeMap<AccessKeyId, TracedCall>) {
    let news = |state: &State, _| {
        let wanted = |key: &AccessKeyId| {
            let woken = state.record(key).and_then(|record| record.past.woken.as_deref());
            woken.is_some_and(|woken| woken.call.is_none())
        };
        let entry = |(key, call): (&AccessKeyId, &TracedCall)| {
            let event = Note::ReactivationTraced { reactivation: call.clone() }.into();
            Body::Key { account, key: key.clone(), event }
        };
        let entries: Vec<_> = calls.iter().filter(|(key, _)| wanted(key)).map(entry).collect();
        Ok::<_, Infallible>((entries, ()))
    };
    match engine.decide(&Actor::Keysweep, news).await.map_err(AppendError::from) {
        Ok(_) => {
            for (key, reactivation) in &calls {
                tracing::info!(%account, %key, %reactivation, "reactivation traced");
            }
        }
        Err(error) => {
            tracing::error!(%account, error = %in_words(&error), "who reactivated keys was not journaled");
        }
    }
}

async fn look(
    aws: &Aws,
    config: &Config,
    account: &AccountFacts,
    home: &str,
    untraced: &Untraced,
) -> Result<BTreeMap<AccessKeyId, TracedCall>, Fault> {
    let reader = aws.reader(account.id, Scope::of(config).access(account)).await?;
    reader.reactivations(untraced, home).await
}

/// By account.
fn untraced(state: &State, now: Timestamp, config: &Config) -> BTreeMap<AccountId, Untraced> {
    let mut untraced: BTreeMap<AccountId, Untraced> = BTreeMap::new();
    let intervals = |n: u32| {
        SignedDuration::try_from(config.scan.interval.saturating_mul(n)).unwrap_or(SignedDuration::MAX)
    };
    for record in state.records().filter(|record| record.state.is_tracked()) {
        let Some(woken) = record.past.woken.as_deref().filter(|woken| woken.call.is_none()) else { continue };
        let age = now.duration_since(woken.since);
        if age < DELIVERED_AFTER || age > LOOKED_FOR.max(intervals(3)) {
            continue;
        }
        // Between the deactivation and the moment in which it was seen Active: an earlier call was undone by the former.
        let from = record.past.sent.as_ref().map(|sent| sent.at);
        let from = from.or_else(|| woken.since.checked_sub(intervals(2)).ok()).unwrap_or(Timestamp::MIN);
        let until = woken.since.checked_add(SKEW).unwrap_or(Timestamp::MAX);
        let of = untraced.entry(record.identity.account).or_default();
        of.insert(record.identity.key.clone(), (from, until));
    }
    untraced
}
