//! From an envelope to the consumer's queue, and to the acknowledgement.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};

use super::SocketState;
use super::envelope::{Content, Envelope, acknowledgement};
use super::event::{Event, Reply, refusal};
use super::interaction::Interaction;
use super::memory::{Claim, Key, Memory, Stage, Ticket};

/// What all connections deliver into.
pub(super) struct Inbox {
    events: mpsc::Sender<Event>,
    memory: Arc<Memory>,
    state: watch::Sender<SocketState>,
    /// How long an acknowledgement can wait.
    answer: Duration,
}

impl Inbox {
    pub(super) fn new(events: mpsc::Sender<Event>, answer: Duration) -> Self {
        Self { events, memory: Arc::default(), state: watch::Sender::default(), answer }
    }

    pub(super) fn state(&self) -> watch::Receiver<SocketState> {
        self.state.subscribe()
    }

    pub(super) fn note(&self, change: impl FnOnce(&mut SocketState)) {
        self.state.send_modify(change);
    }

    /// Completes when nobody will receive events any more.
    pub(super) async fn abandoned(&self) {
        self.events.closed().await;
    }

    /// Takes an envelope, and returns what becomes its acknowledgement, or `None` if it must not be acknowledged.
    ///
    /// Whether it is a repeat is decided at once, and not when the future is polled.
    pub(super) fn take(
        self: &Arc<Self>,
        envelope: Envelope,
    ) -> impl Future<Output = Option<String>> + Send + use<> {
        let deadline = Instant::now() + self.answer;
        let Envelope { id, content } = envelope;
        let step = match content {
            Content::Interaction(interaction, payload) => {
                match self.memory.claim([Key::Envelope(id.clone()), Key::Payload(payload)]) {
                    Claim::New(ticket) => Step::Deliver(interaction, ticket),
                    Claim::Seen(stage) => {
                        self.note(|state| state.duplicates = state.duplicates.saturating_add(1));
                        Step::Follow(stage)
                    }
                }
            }
            Content::Refused(errors) => Step::Answer(Some(refusal(&errors))),
            Content::Unused => Step::Answer(None),
            Content::Malformed(why) => {
                self.malformed(why);
                Step::Answer(None)
            }
        };
        let inbox = Arc::clone(self);
        async move {
            let payload = match step {
                Step::Deliver(interaction, ticket) => inbox.deliver(*interaction, ticket, deadline).await?,
                Step::Follow(stage) => follow(stage, deadline).await?,
                Step::Answer(payload) => payload,
            };
            Some(acknowledgement(&id, payload.as_ref()))
        }
    }

    /// Notes a message that makes no sense.
    pub(super) fn malformed(&self, why: &'static str) {
        tracing::warn!(why, "dropped a malformed message from Slack");
        self.note(|state| state.malformed = state.malformed.saturating_add(1));
    }

    /// Notes an envelope that Slack has to deliver again.
    pub(super) fn unacknowledged(&self) {
        tracing::warn!("the queue of Slack events is full; an event was not acknowledged");
        self.note(|state| state.unacknowledged = state.unacknowledged.saturating_add(1));
    }

    async fn deliver(
        &self,
        interaction: Interaction,
        ticket: Ticket,
        deadline: Instant,
    ) -> Option<Option<Value>> {
        let Ok(Ok(space)) = timeout_at(deadline, self.events.reserve()).await else {
            self.unacknowledged();
            return None;
        };
        let (event, verdict) = event(interaction);
        space.send(event);
        ticket.reached(Stage::Delivered);
        self.note(|state| state.delivered = state.delivered.saturating_add(1));
        let payload = match verdict {
            Some(verdict) => timeout_at(deadline, verdict).await.ok().and_then(Result::ok).flatten(),
            None => None,
        };
        ticket.reached(Stage::Answered(payload.clone()));
        Some(payload)
    }
}

enum Step {
    Deliver(Box<Interaction>, Ticket),
    Follow(watch::Receiver<Stage>),
    Answer(Option<Value>),
}

fn event(interaction: Interaction) -> (Event, Option<oneshot::Receiver<Option<Value>>>) {
    match interaction {
        Interaction::Click(click) => (Event::Click(click), None),
        Interaction::Closed(closed) => (Event::Closed(closed), None),
        Interaction::Submitted(submission) => {
            let (reply, verdict) = Reply::new();
            (Event::Submitted(submission, reply), Some(verdict))
        }
    }
}

/// The answer to a repeat: that of the first delivery, unless that one was given up.
async fn follow(mut stage: watch::Receiver<Stage>, deadline: Instant) -> Option<Option<Value>> {
    // An error means that the first delivery has ended, with its last stage as it is.
    let _ = timeout_at(deadline, stage.wait_for(|stage| matches!(stage, Stage::Answered(_)))).await;
    match &*stage.borrow() {
        Stage::Waiting => None,
        Stage::Delivered => Some(None),
        Stage::Answered(payload) => Some(payload.clone()),
    }
}
