//! Puts what the journal owes into messages, and delivers them.
//!
//! A message is in the journal before it is sent, and what came of it afterwards. If the process ends in between, it is sent
//! again, under the same ID.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use keysweep_core::ids::AccountId;
use keysweep_core::notice::{self, Address, Audience, ChannelKind, Item, ItemId, Message, Posted, stands};
use keysweep_core::state::{Actor, Body, State};
use keysweep_notify::FailureKind;
use keysweep_store::AppendError;
use tokio::time::{Instant, sleep};

use super::letter::Draft;
use super::request::Request;
use super::{Carrier, Dispatch, Letter, Outgoing};
use crate::causes::in_words;
use crate::config::Config;
use crate::engine::Engine;

/// Messages that are sent in parallel: mail servers and chat systems limit connections and requests per second.
const IN_PARALLEL: usize = 4;

/// Interval after the first failed attempt. It doubles with each further one.
const FIRST_INTERVAL: Duration = Duration::from_secs(60);

/// Longest interval between two attempts, whatever a server asks for.
const LONGEST_INTERVAL: Duration = Duration::from_secs(3600);

/// So many attempts a message gets, even if its time is over: keysweep may have been stopped for long.
const FEWEST_ATTEMPTS: u32 = 3;

/// After so many failures in a row, the other messages of a round do not wait for the same server.
const FAILURES_IN_A_ROW: u32 = 3;

/// How often it is looked whether a message is due.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// How long a stop waits for a message that is being sent. If no server answers by then, it is sent again after the start.
const STOP_WITHIN: Duration = Duration::from_secs(15);

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
    accepted: Option<Accepted>,
}

/// What a channel accepted.
#[derive(Debug, Clone)]
struct Accepted {
    via: Address,
    items: BTreeSet<ItemId>,
    posted: Option<Posted>,
}

/// What the attempts of a round have in common.
#[derive(Debug, Default)]
struct Round {
    /// No further message is sent: the journal could not record what came of one.
    halted: AtomicBool,
    /// How often each server has failed in a row.
    failures: Mutex<BTreeMap<String, u32>>,
}

impl Round {
    fn is_down(&self, to: &Address) -> bool {
        self.failures().get(&server(to)).is_some_and(|failures| *failures >= FAILURES_IN_A_ROW)
    }

    fn failed(&self, to: &Address) {
        *self.failures().entry(server(to)).or_default() += 1;
    }

    fn answered(&self, to: &Address) {
        self.failures().remove(&server(to));
    }

    fn failures(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, u32>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an address shares with others: mail and Slack go to one server each, a webhook has its own.
fn server(to: &Address) -> String {
    match to {
        Address::Email(_) | Address::Slack(_) => to.channel().as_str().to_owned(),
        Address::Webhook(_) => to.to_string(),
    }
}

/// What an attempt came to.
enum Outcome {
    Delivered(Accepted),
    /// Nothing in it is true any more.
    Void,
    /// It was not tried: keysweep stops or is paused, or others have just failed to reach the same server.
    Later,
    /// No channel accepted it: why, when to try again at the earliest, and whether that is of use at all.
    Failed {
        why: String,
        pause: Option<Duration>,
        for_good: bool,
    },
}

impl Postman {
    /// Composes and delivers until keysweep stops.
    pub async fn work(mut self, engine: &Engine) {
        let stop = engine.stopping();
        loop {
            // A message that is being sent is waited for: only then does the journal know that it arrived.
            self.round(engine).await;
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
        // What is urgent comes first.
        let open: Vec<(bool, Message)> = engine.store().read(|state| {
            let open = state.outbox().messages().filter(|message| message.is_open());
            let urgent = |message| state.outbox().items_of(message).any(|item| item.kind.is_urgent());
            let mut open: Vec<_> = open.map(|message| (!urgent(message), message.clone())).collect();
            open.sort_by_key(|(can_wait, _)| *can_wait);
            open
        });
        let numbers: BTreeSet<u64> = open.iter().map(|(_, message)| message.number).collect();
        self.attempts.retain(|number, _| numbers.contains(number));
        let due = open.into_iter().map(|(_, message)| message).filter(|message| self.is_due(message, now));
        let due: Vec<_> = due.map(|message| (self.accepted(message.number), message)).collect();
        let round = Round::default();
        let mut outcomes = stream::iter(due)
            .map(|(accepted, message)| {
                let round = &round;
                async move {
                    let outcome = match accepted {
                        Some(accepted) => Outcome::Delivered(accepted),
                        None => attempt(engine, round, &message).await,
                    };
                    (message, outcome)
                }
            })
            .buffer_unordered(IN_PARALLEL);
        while let Some((message, outcome)) = outcomes.next().await {
            if !self.settle(engine, &message, outcome).await {
                round.halted.store(true, Ordering::Release);
            }
        }
    }

    fn is_due(&self, message: &Message, (policy, instant): (Timestamp, Instant)) -> bool {
        let rested = self.attempts.get(&message.number).is_none_or(|attempts| attempts.next <= instant);
        message.send_from <= policy && rested
    }

    fn accepted(&self, number: u64) -> Option<Accepted> {
        self.attempts.get(&number).and_then(|attempts| attempts.accepted.clone())
    }

    /// Journals what an attempt came to. Returns whether the journal says it now.
    async fn settle(&mut self, engine: &Engine, message: &Message, outcome: Outcome) -> bool {
        let number = message.number;
        let (journaled, accepted) = match outcome {
            Outcome::Later => return true,
            Outcome::Delivered(accepted) if waits_for_clock(engine, message) => {
                tracing::warn!(
                    message = number,
                    "message delivered; its notice periods begin when the clock is confirmed"
                );
                self.rest(engine, number, None, Some(accepted));
                return true;
            }
            Outcome::Delivered(accepted) => {
                let Accepted { via, items, posted } = &accepted;
                let entries = |state: &State| notice::delivered(state, message, items, via, posted.as_ref());
                let journaled = journal(engine, message, entries).await;
                if journaled.is_ok() {
                    let to = &message.to.name;
                    tracing::info!(message = number, %to, %via, items = items.len(), "message delivered");
                }
                (journaled, Some(accepted))
            }
            Outcome::Void => {
                let entries = |_: &State| vec![Body::MessageWithdrawn { message: number }];
                tracing::info!(message = number, "message withdrawn: no notice in it applies any longer");
                (journal(engine, message, entries).await, None)
            }
            Outcome::Failed { why, pause, for_good } => {
                let attempts = self.attempts.get(&number).map_or(0, |attempts| attempts.count) + 1;
                if !for_good && (engine.clock().now() < message.give_up || attempts < FEWEST_ATTEMPTS) {
                    tracing::warn!(message = number, why, "message not delivered; retrying");
                    self.rest(engine, number, pause, None);
                    return true;
                }
                tracing::error!(message = number, to = message.to.name, why, "message undeliverable");
                let entries = |state: &State| notice::undelivered(state, message, &why);
                (journal(engine, message, entries).await, None)
            }
        };
        match &journaled {
            Ok(()) => drop(self.attempts.remove(&number)),
            Err(_) => self.rest(engine, number, None, accepted),
        }
        journaled.is_ok()
    }

    fn rest(&mut self, engine: &Engine, number: u64, asked: Option<Duration>, accepted: Option<Accepted>) {
        let count = self.attempts.get(&number).map_or(0, |attempts| attempts.count) + 1;
        let doubled = FIRST_INTERVAL.saturating_mul(1_u32.checked_shl(count - 1).unwrap_or(u32::MAX));
        let pause = asked.unwrap_or_default().max(doubled).min(LONGEST_INTERVAL);
        let next = engine.clock().instant() + pause;
        self.attempts.insert(number, Attempts { count, next, accepted });
    }
}

/// Puts what is owed into messages, unless a sweep that is under way may still add to it.
async fn compose(engine: &Engine) -> Result<(), AppendError> {
    let config = engine.config();
    let composed = |state: &State, now: Timestamp| {
        let oldest = notice::oldest_due(state);
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

/// Whether a notice period would begin by a clock that AWS has not confirmed. The next sweep confirms it.
fn waits_for_clock(engine: &Engine, message: &Message) -> bool {
    let announces = |state: &State| state.outbox().items_of(message).any(|item| item.kind.announces());
    !engine.clock_is_trusted() && engine.store().read(announces)
}

/// Whether a message is not sent for now: it says what is to come, and keysweep is paused.
fn waits_for_resume(state: &State, message: &Message) -> bool {
    !state.control().pauses.is_empty() && state.outbox().items_of(message).any(|item| item.kind.foretells())
}

/// Sends a message to the first of its addresses whose channel accepts it.
async fn attempt(engine: &Engine, round: &Round, message: &Message) -> Outcome {
    let stops = engine.stopping().is_cancelled() || round.halted.load(Ordering::Acquire);
    let paused = || engine.store().read(|state| waits_for_resume(state, message));
    if stops || waits_for_clock(engine, message) || paused() {
        return Outcome::Later;
    }
    let (config, at) = (engine.config(), engine.clock().now());
    let written = engine.store().read(|state| {
        let standing: Vec<_> =
            state.outbox().items_of(message).filter(|item| stands(state, item)).cloned().collect();
        let names = standing.iter().filter_map(|item| {
            state.account(item.account).map(|account| (item.account, account.name.clone()))
        });
        let zone = |item| notice::time_zone(&config.policy, state, message.to.audience, item).clone();
        let bot = in_slack_alone(message).then_some(config.channels.slack.as_ref()).flatten();
        let requests = bot.into_iter().flat_map(|bot| {
            standing.iter().map(move |item: &Item| (item.id, Request::of(bot, state, item, None, at)))
        });
        let requests = requests.collect::<BTreeMap<_, _>>();
        Text { names: names.collect(), requests, zone: standing.first().map(zone), items: standing }
    });
    // All of them have the same reader.
    let Some(zone) = &written.zone else { return Outcome::Void };
    let letter = engine.dispatch(|dispatch| write(&config, dispatch, message, &written, (at, zone)));
    let items = &written.items;
    let letter = match letter {
        Ok(letter) => letter,
        Err(why) => return Outcome::Failed { why, pause: None, for_good: false },
    };
    let id = format!("keysweep-{}-{:x}", message.number, message.at.as_nanosecond());
    let outgoing = Outgoing { id, letter, at: engine.clock().operational() };
    let carrier = engine.dispatch(|dispatch| Arc::clone(&dispatch.carrier));
    let items = items.iter().map(|item| item.id).collect();
    let stop = engine.stopping();
    let too_long = async {
        stop.cancelled().await;
        sleep(STOP_WITHIN).await;
    };
    tokio::select! {
        outcome = send(engine, round, &*carrier, message, &outgoing, items) => outcome,
        () = too_long => Outcome::Later,
    }
}

/// What a message is written from.
pub(super) struct Text {
    pub(super) items: Vec<Item>,
    pub(super) names: BTreeMap<AccountId, String>,
    pub(super) requests: BTreeMap<ItemId, Request>,
    /// Time zone of the reader.
    pub(super) zone: Option<TimeZone>,
}

/// Whether every reader has the buttons of Slack: a letter is the same for each of its addresses.
fn in_slack_alone(message: &Message) -> bool {
    message.to.addresses.iter().all(|address| address.channel() == ChannelKind::Slack)
}

/// The message as it is to be read at this time.
pub(super) fn write(
    config: &Config,
    dispatch: &Dispatch,
    message: &Message,
    text: &Text,
    (at, time_zone): (Timestamp, &TimeZone),
) -> Result<Letter, String> {
    let draft = Draft {
        message,
        items: text.items.iter().collect(),
        account_name: &|account| text.names.get(&account).cloned(),
        at,
        time_zone,
        // The team has the page.
        links: &|item| {
            let maker = dispatch.links.as_ref().filter(|_| message.to.audience == Audience::Owner);
            maker.and_then(|maker| maker.links(item, &message.to.name, at))
        },
        page: config.channels.links.as_ref().map(|links| links.base.as_str()),
        requests: &|item| text.requests.get(&item.id).cloned(),
    };
    dispatch.writer.as_ref().map_err(Clone::clone)?.write(&draft)
}

async fn send(
    engine: &Engine,
    round: &Round,
    carrier: &dyn Carrier,
    message: &Message,
    outgoing: &Outgoing,
    items: BTreeSet<ItemId>,
) -> Outcome {
    let (mut whys, mut pause) = (Vec::new(), None);
    // An address that is not tried now may still work.
    let mut for_good = !message.to.addresses.iter().any(|to| round.is_down(to));
    for to in message.to.addresses.iter().filter(|to| !round.is_down(to)) {
        let carried = carrier.carry(to, outgoing).await;
        engine.metrics().notifications.attempted(to.channel(), carried.is_ok());
        match carried {
            Ok(posted) => {
                round.answered(to);
                return Outcome::Delivered(Accepted { via: to.clone(), items, posted });
            }
            Err(failure) => {
                match failure.kind {
                    FailureKind::Rejected => round.answered(to),
                    FailureKind::Temporary | FailureKind::Misconfigured => round.failed(to),
                }
                // Credentials can be renewed, and servers come back; a recipient that is refused stays refused.
                for_good &= failure.kind == FailureKind::Rejected;
                pause = pause.max(failure.retry_after);
                whys.push(format!("{to}: {failure}"));
            }
        }
    }
    if whys.is_empty() {
        return Outcome::Later;
    }
    Outcome::Failed { why: whys.join("; "), pause, for_good }
}
