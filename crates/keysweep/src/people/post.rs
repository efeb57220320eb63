//! Puts what the journal owes into messages, and delivers them.
//!
//! A message is in the journal before it is sent, and what came of it afterwards. If the process ends in between, it is sent
//! again, under the same ID.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use keysweep_core::ids::AccountId;
use keysweep_core::notice::{self, Address, Item, ItemId, Message, stands};
use keysweep_core::state::{Actor, Body, State};
use keysweep_notify::FailureKind;
use keysweep_store::AppendError;
use tokio::time::{Instant, sleep};

use super::letter::Draft;
use super::{Carrier, Dispatch, Letter, Outgoing};
use crate::causes::in_words;
use crate::config::Config;
use crate::engine::Engine;

/// Messages that are sent in parallel: mail servers and chat systems limit connections and requests per second.
const IN_PARALLEL: usize = 4;

/// Pause after the first failed attempt. It doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(60);

/// Longest pause between two attempts, whatever a server asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// How often it is looked whether a message is due.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// How long a sweep may go on before what it owes so far is put into messages: the digest of a sweep is one message, and
/// the news of an undo does not wait for hours.
const COMPOSE_WITHIN: Duration = Duration::from_secs(300);

/// Delivers messages. What it knows beside the journal is when to try again.
#[derive(Debug, Default)]
pub struct Postman {
    attempts: BTreeMap<u64, Attempts>,
}

/// What was tried for a message.
#[derive(Debug, Clone)]
struct Attempts {
    count: u32,
    next: Instant,
    /// A channel accepted it, and the journal could not say so yet: it is not sent again.
    accepted: Option<(Address, BTreeSet<ItemId>)>,
}

/// What an attempt came to.
enum Outcome {
    Delivered(Address, BTreeSet<ItemId>),
    /// Nothing in it is true any more.
    Void,
    /// No channel accepted it: why, when to try again at the earliest, and whether that is of use at all.
    Failed {
        why: String,
        pause: Option<Duration>,
        for_good: bool,
    },
}

impl Postman {
    /// Composes and delivers until keysweep stops.
    pub(crate) async fn work(mut self, engine: &Engine) {
        let stop = engine.stopping();
        loop {
            if stop.run_until_cancelled(self.round(engine)).await.is_none() {
                return;
            }
            let waiting = async {
                tokio::select! {
                    () = sleep(LOOK_EVERY) => {}
                    () = engine.post_requested() => {}
                }
            };
            if stop.run_until_cancelled(waiting).await.is_none() {
                return;
            }
        }
    }

    /// Puts what is owed into messages, and tries each that is due once. Failures are logged and counted.
    pub async fn round(&mut self, engine: &Engine) {
        if let Err(error) = compose(engine).await {
            // The ledger has logged it; nothing is sent that is not in the journal.
            tracing::debug!(error = %in_words(&error), "messages were not composed");
            return;
        }
        let now = (engine.clock().now(), engine.clock().instant());
        let trusted = engine.clock_is_trusted();
        let open: Vec<Message> = engine.store().read(|state| {
            let paused = !state.control().pauses.is_empty();
            let waits = |message: &Message| {
                let items = || state.outbox().items_of(message);
                // The next sweep confirms the clock.
                let clock = !trusted && items().any(|item| item.kind.announces());
                clock || (paused && items().any(|item| item.kind.foretells()))
            };
            let open = state.outbox().messages().filter(|message| message.is_open());
            open.filter(|message| !waits(message)).cloned().collect()
        });
        let messages: BTreeSet<u64> = engine.store().read(|state| {
            state
                .outbox()
                .messages()
                .filter(|message| message.is_open())
                .map(|message| message.number)
                .collect()
        });
        self.attempts.retain(|number, _| messages.contains(number));
        let due = open.into_iter().filter(|message| self.is_due(message, now));
        let due: Vec<_> = due.map(|message| (self.accepted(message.number), message)).collect();
        let mut outcomes = stream::iter(due)
            .map(|(accepted, message)| async move {
                let outcome = match accepted {
                    Some((via, items)) => Outcome::Delivered(via, items),
                    None => attempt(engine, &message).await,
                };
                (message, outcome)
            })
            .buffer_unordered(IN_PARALLEL);
        while let Some((message, outcome)) = outcomes.next().await {
            self.settle(engine, &message, outcome).await;
        }
    }

    fn is_due(&self, message: &Message, (policy, instant): (Timestamp, Instant)) -> bool {
        let rested = self.attempts.get(&message.number).is_none_or(|attempts| attempts.next <= instant);
        message.send_from <= policy && rested
    }

    fn accepted(&self, number: u64) -> Option<(Address, BTreeSet<ItemId>)> {
        self.attempts.get(&number).and_then(|attempts| attempts.accepted.clone())
    }

    /// Journals what an attempt came to.
    async fn settle(&mut self, engine: &Engine, message: &Message, outcome: Outcome) {
        let number = message.number;
        let (journaled, accepted) = match outcome {
            Outcome::Delivered(via, items) => {
                let entries = |state: &State| notice::delivered(state, message, &items, &via);
                let journaled = journal(engine, message, entries).await;
                if journaled.is_ok() {
                    let to = &message.to.name;
                    tracing::info!(message = number, %to, %via, items = items.len(), "message delivered");
                }
                (journaled, Some((via, items)))
            }
            Outcome::Void => {
                let entries = |_: &State| vec![Body::MessageWithdrawn { message: number }];
                tracing::info!(message = number, "message withdrawn: nothing in it is true any more");
                (journal(engine, message, entries).await, None)
            }
            Outcome::Failed { why, pause, for_good } => {
                if !for_good && engine.clock().now() < message.give_up {
                    tracing::warn!(message = number, why, "message not delivered; retrying");
                    return self.rest(engine, number, pause, None);
                }
                tracing::error!(message = number, to = message.to.name, why, "message undeliverable");
                let entries = |state: &State| notice::undelivered(state, message, &why);
                (journal(engine, message, entries).await, None)
            }
        };
        match journaled {
            Ok(()) => drop(self.attempts.remove(&number)),
            Err(_) => self.rest(engine, number, None, accepted),
        }
    }

    fn rest(
        &mut self,
        engine: &Engine,
        number: u64,
        asked: Option<Duration>,
        accepted: Option<(Address, BTreeSet<ItemId>)>,
    ) {
        let count = self.attempts.get(&number).map_or(0, |attempts| attempts.count) + 1;
        let doubled = FIRST_PAUSE.saturating_mul(1_u32.checked_shl(count - 1).unwrap_or(u32::MAX));
        let pause = asked.unwrap_or_default().max(doubled).min(LONGEST_PAUSE);
        let next = engine.clock().instant() + pause;
        self.attempts.insert(number, Attempts { count, next, accepted });
    }
}

/// Puts what is owed into messages, unless a sweep that is under way may still add to it.
async fn compose(engine: &Engine) -> Result<(), AppendError> {
    let config = engine.config();
    let composed = |state: &State, now: Timestamp| {
        let waiting = state.outbox().items().filter(|item| item.messages.is_empty());
        let oldest = waiting.map(|item| item.at).min();
        let long = oldest.is_some_and(|at| {
            engine.clock().operational_span(now.duration_since(at).unsigned_abs()) > COMPOSE_WITHIN
        });
        let entries = match oldest {
            Some(_) if long || !engine.is_sweeping() => notice::compose(now, &config.policy.notices, state),
            Some(_) | None => Vec::new(),
        };
        Ok::<_, Infallible>((entries, ()))
    };
    engine.decide(&Actor::Keysweep, composed).await.map(drop).map_err(AppendError::from)
}

/// Journals what became of a message, if it is still open.
async fn journal(
    engine: &Engine,
    message: &Message,
    entries: impl Fn(&State) -> Vec<Body>,
) -> Result<(), AppendError> {
    let settled = |state: &State, _| {
        let open = state.outbox().message(message.number).is_some_and(Message::is_open);
        Ok::<_, Infallible>((if open { entries(state) } else { Vec::new() }, ()))
    };
    engine.decide(&Actor::Keysweep, settled).await.map(drop).map_err(AppendError::from)
}

/// Sends a message to the first of its addresses whose channel accepts it.
async fn attempt(engine: &Engine, message: &Message) -> Outcome {
    let (config, at) = (engine.config(), engine.clock().now());
    let written = engine.store().read(|state| {
        let standing: Vec<_> =
            state.outbox().items_of(message).filter(|item| stands(state, item)).cloned().collect();
        let names = standing.iter().filter_map(|item| {
            state.account(item.account).map(|account| (item.account, account.name.clone()))
        });
        (names.collect::<BTreeMap<_, _>>(), standing)
    });
    let (names, items) = written;
    if items.is_empty() {
        return Outcome::Void;
    }
    let letter = engine.dispatch(|dispatch| write(&config, dispatch, message, &items, &names, at));
    let letter = match letter {
        Ok(letter) => letter,
        Err(why) => return Outcome::Failed { why, pause: None, for_good: false },
    };
    let id = format!("keysweep-{}-{:x}", message.number, message.at.as_nanosecond());
    let outgoing = Outgoing { id, letter, at: engine.clock().operational() };
    let carrier = engine.dispatch(|dispatch| Arc::clone(&dispatch.carrier));
    send(engine, &*carrier, message, &outgoing, items.iter().map(|item| item.id).collect()).await
}

/// The message as it is to be read at this time.
fn write(
    config: &Config,
    dispatch: &Dispatch,
    message: &Message,
    items: &[Item],
    names: &BTreeMap<AccountId, String>,
    at: Timestamp,
) -> Result<Letter, String> {
    let draft = Draft {
        message,
        items: items.iter().collect(),
        account_name: &|account| names.get(&account).cloned(),
        at,
        time_zone: &config.policy.notices.time_zone,
        links: &|item| dispatch.links.as_ref().and_then(|maker| maker.links(item, &message.to.name, at)),
        page: config.channels.links.as_ref().map(|links| links.base.as_str()),
    };
    dispatch.writer.as_ref().map_err(Clone::clone)?.write(&draft)
}

async fn send(
    engine: &Engine,
    carrier: &dyn Carrier,
    message: &Message,
    outgoing: &Outgoing,
    items: BTreeSet<ItemId>,
) -> Outcome {
    let (mut whys, mut pause, mut for_good) = (Vec::new(), None, true);
    for to in &message.to.addresses {
        let carried = carrier.carry(to, outgoing).await;
        engine.metrics().notifications.attempted(to.channel(), carried.is_ok());
        match carried {
            Ok(()) => return Outcome::Delivered(to.clone(), items),
            Err(failure) => {
                // Credentials can be renewed, and servers come back; a recipient that is refused stays refused.
                for_good &= failure.kind == FailureKind::Rejected;
                pause = pause.max(failure.retry_after);
                whys.push(format!("{to}: {failure}"));
            }
        }
    }
    Outcome::Failed { why: whys.join("; "), pause, for_good }
}
