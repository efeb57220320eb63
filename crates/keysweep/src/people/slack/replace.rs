//! Messages that ask for approvals, replaced in place: everybody who was asked sees what was decided, and by whom.
//!
//! What a message should say follows from the state. What Slack shows is kept in memory alone: after a restart, each
//! message is replaced once more. Replacing is best effort, and no notice waits for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use keysweep_core::notice::{self, Item, ItemId, Message, NoticeKind, Status};
use keysweep_core::state::State;
use keysweep_notify::FailureKind;
use tokio::time::{Instant, sleep};

use crate::config::SlackBot;
use crate::engine::Engine;
use crate::people::post::{Text, write};
use crate::people::request::Request;

/// How often it is looked whether a claim or a request has expired.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Time between two rounds: a sweep writes many entries. Slack permits about one update per second.
const REST: Duration = Duration::from_secs(1);

/// Intervals between attempts: the first and the longest.
const RETRY: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(3600));

/// Replaces messages.
#[derive(Debug, Default)]
pub struct Replacer {
    messages: BTreeMap<u64, Shown>,
    /// Whether it has looked before: what it finds at first may say something else in Slack.
    has_looked: bool,
}

/// What is known of one message.
#[derive(Debug, Default)]
struct Shown {
    /// What Slack shows; `None` if that is not known.
    requests: Option<BTreeMap<ItemId, Request>>,
    failures: u32,
    next: Option<Instant>,
}

/// A message as it should be.
struct Due {
    message: Message,
    at: Timestamp,
    text: Text,
}

impl Replacer {
    pub(super) async fn work(&mut self, engine: &Arc<Engine>) {
        let stop = engine.stopping();
        let mut entries = engine.journal_entries();
        loop {
            entries.borrow_and_update();
            let turn = async {
                self.round(engine).await;
                sleep(REST).await;
                // An error means that the engine is gone, and then this is cancelled.
                let _ = tokio::time::timeout(LOOK_EVERY, entries.changed()).await;
            };
            if stop.run_until_cancelled(turn).await.is_none() {
                return;
            }
        }
    }

    /// Replaces each message that should say something else, once. Failures are logged and tried again later.
    pub async fn round(&mut self, engine: &Engine) {
        let Some(bot) = engine.config().channels.slack.clone() else { return };
        let now = engine.clock().now();
        let requests: BTreeMap<u64, BTreeMap<ItemId, Request>> = engine.store().read(|state| {
            let all = state.outbox().messages();
            all.filter_map(|message| Some((message.number, requests(&bot, state, message, now)?))).collect()
        });
        self.messages.retain(|number, _| requests.contains_key(number));
        for (number, requests) in requests {
            let has_looked = self.has_looked;
            let shown = self.messages.entry(number).or_insert_with(|| {
                // This process has just posted it.
                let fresh = has_looked && requests.values().all(|request| request.standing.is_untouched());
                Shown { requests: fresh.then(|| requests.clone()), ..Shown::default() }
            });
            let rests = shown.next.is_some_and(|next| engine.clock().instant() < next);
            if !rests && shown.requests.as_ref() != Some(&requests) {
                replace(engine, number, requests, shown).await;
            }
        }
        self.has_looked = true;
    }
}

/// The requests of a message that can be replaced, as they stand.
fn requests(
    bot: &SlackBot,
    state: &State,
    message: &Message,
    now: Timestamp,
) -> Option<BTreeMap<ItemId, Request>> {
    let replaceable = message.replaceable.as_deref()?;
    let asked = replaceable.items.iter().filter(|item| item.kind == NoticeKind::ApprovalRequest);
    let request = |item: &Item| {
        let closing = replaceable.closings.get(&item.id.0);
        (item.id, Request::of(bot, state, item, closing, now))
    };
    Some(asked.map(request).collect())
}

async fn replace(engine: &Engine, number: u64, requests: BTreeMap<ItemId, Request>, shown: &mut Shown) {
    let config = engine.config();
    let due = engine.store().read(|state| {
        let message = state.outbox().message(number)?.clone();
        let Status::Delivered { at, .. } = message.status else { return None };
        let items = message.replaceable.as_ref()?.items.clone();
        let names = items.iter().filter_map(|item| {
            state.account(item.account).map(|account| (item.account, account.name.clone()))
        });
        let names = names.collect();
        let zone = items
            .first()
            .map(|item| notice::time_zone(&config.policy, state, message.to.audience, item).clone());
        Some(Due { message, at, text: Text { items, names, requests, zone } })
    });
    let Some(Due { message, at, text }) = due else { return };
    let (Some(zone), Some(replaceable)) = (&text.zone, &message.replaceable) else { return };
    // The time of delivery: what it says of the past stays.
    let letter = engine.dispatch(|dispatch| write(&config, dispatch, &message, &text, (at, zone)));
    let letter = match letter {
        Ok(letter) => letter,
        Err(why) => {
            tracing::warn!(message = number, why, "a message to Slack could not be written again");
            shown.requests = Some(text.requests);
            return;
        }
    };
    let carrier = engine.dispatch(|dispatch| Arc::clone(&dispatch.carrier));
    match carrier.replace(&replaceable.place, &letter).await {
        Ok(()) => {
            tracing::debug!(message = number, "message replaced");
            *shown = Shown { requests: Some(text.requests), ..Shown::default() };
        }
        // It is deleted, or too old to be changed.
        Err(failure) if failure.kind == FailureKind::Rejected => {
            tracing::warn!(message = number, error = %failure, "message not replaced");
            *shown = Shown { requests: Some(text.requests), ..Shown::default() };
        }
        Err(failure) => {
            tracing::warn!(message = number, error = %failure, "message not replaced; retrying");
            let (first, longest) = RETRY;
            let doubled = first.saturating_mul(1_u32.checked_shl(shown.failures).unwrap_or(u32::MAX));
            let pause = doubled.max(failure.retry_after.unwrap_or_default()).min(longest);
            shown.failures = shown.failures.saturating_add(1);
            shown.next = Some(engine.clock().instant() + pause);
        }
    }
}
