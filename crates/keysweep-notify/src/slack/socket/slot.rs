//! Keeps one connection open, and replaces it before Slack closes it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::Context;
use super::backoff::Backoff;
use super::connection::{Signal, WebSocket, open, serve};
use crate::failure::{Failure, FailureKind};

/// Keeps a connection open until `stop` says so.
pub(super) async fn keep(context: &Arc<Context>, mut stop: watch::Receiver<bool>) {
    let mut slot =
        Slot { context, connections: JoinSet::new(), previous: None, backoff: Backoff::new(&context.pace) };
    tokio::select! {
        () = slot.run() => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
    // A connection leaves when nobody can tell it to any more.
    slot.previous = None;
    while slot.connections.join_next().await.is_some() {}
}

struct Slot<'a> {
    context: &'a Arc<Context>,
    connections: JoinSet<()>,
    /// Tells the connection that Slack will close to leave: once there is another.
    previous: Option<oneshot::Sender<()>>,
    backoff: Backoff,
}

impl Slot<'_> {
    async fn run(&mut self) {
        loop {
            let failure = match open(self.context).await {
                Ok(socket) => self.follow(socket).await,
                Err(failure) => {
                    self.backoff.failed();
                    Some(failure)
                }
            };
            let wait = failure.map_or(Duration::ZERO, |failure| self.noted(failure));
            sleep(wait.max(self.backoff.wait())).await;
        }
    }

    /// Serves a connection until it ends or has to be replaced, and returns why it failed.
    async fn follow(&mut self, socket: WebSocket) -> Option<Failure> {
        while self.connections.try_join_next().is_some() {}
        let (leave, left) = oneshot::channel();
        let (sender, mut signals) = mpsc::unbounded_channel();
        let context = Arc::clone(self.context);
        let opened = Instant::now();
        self.connections.spawn(async move {
            let outcome = serve(&context, socket, left, &sender).await;
            // Without a receiver, the connection was replaced before it ended.
            let _ = sender.send(Signal::Ended(outcome.err()));
        });
        let failure = loop {
            match signals.recv().await {
                Some(Signal::Hello) => self.previous = None,
                Some(Signal::Retiring) => {
                    self.previous = Some(leave);
                    break None;
                }
                Some(Signal::Ended(failure)) => break failure,
                None => break None,
            }
        };
        let is_steady = opened.elapsed() >= self.context.pace.steady;
        if is_steady {
            self.backoff.succeeded();
        }
        if !is_steady || failure.is_some() {
            self.backoff.failed();
        }
        failure
    }

    /// Notes a failure, and returns how long to wait at least.
    fn noted(&self, failure: Failure) -> Duration {
        let wait = match failure.kind {
            FailureKind::Misconfigured => self.backoff.longest(),
            FailureKind::Temporary | FailureKind::Rejected => Duration::ZERO,
        };
        tracing::warn!(error = %failure, "a connection to Slack failed");
        let asked = failure.retry_after.unwrap_or_default();
        self.context.note(|state| state.last_error = Some(failure));
        wait.max(asked)
    }
}
