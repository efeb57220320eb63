//! Which call set a key Active again: CloudTrail tells, some minutes later, who made it and with what.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use keysweep_aws::{Aws, Fault, Partition};
use keysweep_core::evidence::Reactivation;
use keysweep_core::facts::{AccountFacts, Collection, Outcome};
use keysweep_core::ids::{AccessKeyId, AccountId};
use keysweep_core::lifecycle::event::Note;
use keysweep_core::state::{Actor, Body, State};
use keysweep_store::AppendError;

use crate::causes::in_words;
use crate::collect::Scope;
use crate::config::Config;
use crate::engine::Engine;

/// Accounts asked at the same time.
const ACCOUNTS_AT_ONCE: usize = 4;

/// How long after a reactivation was seen the call is looked for. CloudTrail shows it within minutes, or never.
const LOOKED_FOR: SignedDuration = SignedDuration::from_hours(24);

/// Keys that were seen Active again lately, whose call is not known yet.
struct Untraced {
    keys: BTreeSet<AccessKeyId>,
    /// When the first of them can have been set Active.
    since: Timestamp,
}

/// Looks up the calls of new reactivations, and journals those that CloudTrail shows: one lookup for each account in which
/// there is one. What cannot be looked up now is looked up by the next sweep.
///
/// # Errors
/// If what was found cannot be journaled.
pub(crate) async fn trace_reactivations(
    engine: &Engine,
    aws: &Aws,
    config: &Config,
    collection: &Collection,
) -> Result<(), AppendError> {
    let home = Partition::of_region(&config.aws.region).home();
    let Some(home) = home.filter(|_| config.policy.cloudtrail) else { return Ok(()) };
    let mut untraced = engine.store().read(|state| untraced(state, engine.clock().now(), config));
    if untraced.is_empty() {
        return Ok(());
    }
    let mut looks = Vec::new();
    for (account, outcome) in &collection.accounts {
        if let (Outcome::Scanned(_), Some(untraced)) = (outcome, untraced.remove(&account.id)) {
            looks.push(async move { (account.id, look(aws, config, account, home, &untraced).await) });
        }
    }
    let found: Vec<_> = stream::iter(looks).buffer_unordered(ACCOUNTS_AT_ONCE).collect().await;
    let mut entries = Vec::new();
    for (account, found) in found {
        match found {
            Ok(calls) => entries.extend(calls.into_iter().map(|(key, reactivation)| {
                tracing::info!(%account, %key, %reactivation, "reactivation traced");
                let event = Note::ReactivationTraced { reactivation }.into();
                Body::Key { account, key, event }
            })),
            Err(fault) => {
                let why = in_words(&fault);
                tracing::warn!(%account, why, "could not look up who reactivated keys; the next sweep tries again");
            }
        }
    }
    // Nothing but this writes it, so that each is legal.
    engine.record(&Actor::Keysweep, entries).await.map(drop)
}

async fn look(
    aws: &Aws,
    config: &Config,
    account: &AccountFacts,
    home: &str,
    untraced: &Untraced,
) -> Result<BTreeMap<AccessKeyId, Reactivation>, Fault> {
    let reader = aws.reader(account.id, Scope::of(config).access(account)).await?;
    reader.reactivations(&untraced.keys, home, untraced.since).await
}

/// By account.
fn untraced(state: &State, now: Timestamp, config: &Config) -> BTreeMap<AccountId, Untraced> {
    let mut untraced: BTreeMap<AccountId, Untraced> = BTreeMap::new();
    // A scan sees a reactivation up to two intervals after it came, or it does not know of it.
    let before =
        SignedDuration::try_from(config.scan.interval.saturating_mul(2)).unwrap_or(SignedDuration::MAX);
    for record in state.records().filter(|record| record.state.is_tracked()) {
        let Some(woken) = record.past.woken.as_ref().filter(|woken| woken.call.is_none()) else { continue };
        if now.duration_since(woken.since) > LOOKED_FOR {
            continue;
        }
        let since = woken.since.checked_sub(before).unwrap_or(Timestamp::MIN);
        let of = untraced
            .entry(record.identity.account)
            .or_insert_with(|| Untraced { keys: BTreeSet::new(), since });
        of.since = of.since.min(since);
        of.keys.insert(record.identity.key.clone());
    }
    untraced
}
