//! What happened to accounts, to all changes, and to messages.

use std::collections::BTreeMap;

use keysweep_core::references::ReferenceCleared;
use keysweep_core::state::{Body, Term};

use super::Sentence::{self, By, Plain};
use super::{call, doing, quoted};
use crate::serve::page::words::{counted, instant, span};

/// Settings that are named in a sentence; the others are counted.
const NAMED: usize = 3;

/// The sentence of an entry that is not about one key's lifecycle.
pub(super) fn sentence(body: &Body) -> Sentence {
    match body {
        Body::Key { event, .. } => super::key::sentence(event),
        Body::KeyCreated { creation, .. } => Plain(format!(
            "CloudTrail shows the creation of the key of {} {}",
            creation.user_name,
            call(&creation.call)
        )),
        Body::Started { version, changed, .. } => {
            By(format!("started version {version}{}", settings(changed)))
        }
        Body::Configured { changed, .. } => By(format!("loaded another configuration{}", settings(changed))),
        Body::DueAccepted { keys } => Plain(format!(
            "{} became due within the limits of the circuit breaker",
            counted(keys.len() as u64, "key", "keys")
        )),
        Body::BreakerTripped { reason } => Plain(format!("the circuit breaker opened: {reason}")),
        Body::BreakerReset { reason, keys, .. } => By(format!(
            "reset the circuit breaker and accepted {}: {}",
            counted(keys.len() as u64, "newly due key", "newly due keys"),
            quoted(reason)
        )),
        Body::Paused { reason } => By(format!("paused all automatic changes: {}", quoted(reason))),
        Body::Resumed { pauses, reason } => {
            let numbers = pauses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let what = if pauses.len() == 1 { "pause" } else { "pauses" };
            By(format!("ended {what} {numbers}: {}", quoted(reason)))
        }
        Body::ReferenceMissing { reference } => Plain(format!("{reference} does not exist")),
        Body::ReferenceCleared { reference, why: ReferenceCleared::Found } => {
            Plain(format!("{reference} exists now"))
        }
        Body::ReferenceCleared { reference, why: ReferenceCleared::Removed } => {
            Plain(format!("no rule in effect names {reference} any more"))
        }
        Body::RuleAcknowledged { reference, reason } => {
            By(format!("acknowledged that {reference} does not exist: {}", quoted(reason)))
        }
        Body::ExemptionGranted { user_name, key, until, reason, .. } => {
            let what = match key {
                Some(key) => format!("key {key} of user {user_name}"),
                None => format!("user {user_name} with every key that they have and will have"),
            };
            By(format!("exempted {what} until {}: {}", instant(*until), quoted(reason)))
        }
        Body::ExemptionEnded { number, reason, .. } => {
            By(format!("ended exemption {number}: {}", quoted(reason)))
        }
        Body::Restored { created_at, last_seq, .. } => {
            By(format!("restored the backup of {}, which ends with entry {last_seq}", instant(*created_at)))
        }
        Body::AccountScanned { unknown_keys: 0, .. } => Plain("the account was scanned".to_owned()),
        Body::AccountScanned { unknown_keys, .. } => Plain(format!(
            "the account was scanned; facts of {} could not be read",
            counted(*unknown_keys, "key", "keys")
        )),
        Body::AccountFindings { .. } => Plain("the number of findings in the account changed".to_owned()),
        Body::AccountFailed { reason, .. } => Plain(format!("the account could not be scanned: {reason}")),
        Body::AccountSkipped { reason, .. } => Plain(format!("the account is skipped: {reason}")),
        Body::AccountLeft { .. } => Plain("the account is no longer in the organization".to_owned()),
        Body::AccountUnparked { reason, .. } => {
            By(format!("let automatic changes go on in the account: {}", quoted(reason)))
        }
        Body::ChangeFailed { action, why, .. } => {
            Plain(format!("keysweep could not try to {}: {why}", doing(*action)))
        }
        Body::MessageComposed { to, items, .. } => Plain(format!(
            "keysweep composed a message with {} to {}",
            counted(items.len() as u64, "notice", "notices"),
            to.name
        )),
        Body::MessageDelivered { message, via, .. } => {
            Plain(format!("message {message} was delivered to {via}"))
        }
        Body::MessageUndeliverable { message, why } => {
            Plain(format!("keysweep gave up on message {message}: {why}"))
        }
        Body::MessageWithdrawn { message } => {
            Plain(format!("keysweep withdrew message {message}: nothing in it still applied"))
        }
        Body::MessageRetried { message, reason, .. } => {
            By(format!("had message {message} sent again: {}", quoted(reason)))
        }
        Body::SweepFinished { took, scanned, failed, skipped, .. } => Plain(format!(
            "a sweep finished after {}: {} scanned, {failed} failed, {skipped} skipped",
            span(*took),
            counted(*scanned, "account", "accounts")
        )),
    }
}

/// Settings that changed.
fn settings(changed: &BTreeMap<String, Term>) -> String {
    if changed.is_empty() {
        return String::new();
    }
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "not set".to_owned());
    let named = changed
        .iter()
        .take(NAMED)
        .map(|(name, term)| format!("{name} is now {} (was {})", value(&term.now), value(&term.before)));
    let mut all: Vec<String> = named.collect();
    let more = changed.len().saturating_sub(NAMED);
    if more > 0 {
        all.push(counted(more as u64, "other setting", "other settings"));
    }
    format!("; {}", all.join("; "))
}
