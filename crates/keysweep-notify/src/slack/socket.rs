//! Clicks and submissions through Socket Mode: Slack's WebSocket, which needs no inbound port.
//!
//! A [`Socket`] keeps two connections open, and replaces each one that Slack is about to close before it closes ("Using
//! Socket Mode", section "Disconnecting"). It hands events to its consumer through a bounded queue:
//!
//! * It acknowledges an envelope as soon as the event is in the queue. If the queue stays full, it does not, and
//!   Slack shows the person an error or delivers again; no acknowledged event is lost while the process lives.
//! * It delivers an event once, however often and through whichever connection Slack repeats it, as long as both
//!   repeats are among the last few thousand events.
//! * It checks submissions against what their modal declared, and answers a missing or too long text itself.
//! * It acknowledges what it does not understand, and drops it, because Slack would repeat it.
//!
//! Nothing here knows what an event means: action IDs, values and metadata come back as they were sent. Slack vouches
//! for the person and their workspace, not for their permissions.

mod backoff;
mod connection;
mod envelope;
mod event;
mod inbox;
mod interaction;
mod memory;
mod rules;
mod slot;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{mpsc, watch};

use super::{Slack, SlackOptions};
use crate::failure::Failure;
use crate::tls::client_config;
use inbox::Inbox;

pub use event::{Click, Closed, Event, Person, Reply, Submission};

/// How many connections are open at the same time. Slack allows ten per app ("Using Socket Mode", section "Using
/// multiple connections").
pub const CONNECTIONS: usize = 2;

/// Which app, and how it behaves.
#[derive(Debug)]
pub struct SocketOptions {
    /// The app-level token, `xapp-...`. Needs the scope `connections:write`.
    pub app_token: SecretString,
    /// Another address of the Web API, as in [`SlackOptions::api_url`]. With it, the WebSocket may be on a private
    /// address too, and without TLS on loopback.
    pub api_url: Option<String>,
    /// For opening a connection: once for the call of the Web API, and once for the WebSocket.
    pub timeout: Duration,
    /// PEM certificates to trust in addition to those of the system.
    pub ca_pem: Option<Vec<u8>>,
    /// How many events wait for the consumer, at least 1.
    pub queue: usize,
    /// Intervals and timeouts.
    pub pace: Pace,
}

/// Intervals and timeouts of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How long Slack may take to greet (`hello`) on a new connection.
    pub hello: Duration,
    /// How often the socket sends a ping.
    pub ping: Duration,
    /// A connection on which nothing arrives for so long, not even a pong, is replaced.
    pub silence: Duration,
    /// How long an event waits for space in the queue and a [`Reply`] for its answer, together. Slack expects the
    /// acknowledgement within three seconds ("Using Socket Mode", section "Acknowledging events").
    pub answer: Duration,
    /// The wait after the first failure. It doubles with each further failure, and varies by half.
    pub backoff_min: Duration,
    /// The longest wait.
    pub backoff_max: Duration,
    /// A connection that lasted so long counts as a success: the next wait is short again.
    pub steady: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            hello: Duration::from_secs(10),
            ping: Duration::from_secs(10),
            silence: Duration::from_secs(30),
            answer: Duration::from_secs(2),
            backoff_min: Duration::from_millis(500),
            backoff_max: Duration::from_secs(120),
            steady: Duration::from_secs(10),
        }
    }
}

/// What a socket is doing, for metrics and diagnosis. The counters begin with the socket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SocketState {
    /// Connections that Slack has greeted: [`CONNECTIONS`], more while one is being replaced, fewer after a failure.
    pub open: usize,
    /// Why there are fewer connections than there should be; `None` while there are enough.
    pub last_error: Option<Failure>,
    /// Events given to the consumer.
    pub delivered: u64,
    /// Repeats that were acknowledged and not delivered again.
    pub duplicates: u64,
    /// Messages that were dropped because they made no sense.
    pub malformed: u64,
    /// Envelopes that were not acknowledged because the queue was full.
    pub unacknowledged: u64,
}

/// A client of Slack's Socket Mode.
pub struct Socket {
    context: Arc<Context>,
}

/// What all connections share.
struct Context {
    slack: Slack,
    allow_private: bool,
    timeout: Duration,
    tls: Arc<ClientConfig>,
    pace: Pace,
    inbox: Arc<Inbox>,
}

impl Context {
    /// Changes the observable state.
    fn note(&self, change: impl FnOnce(&mut SocketState)) {
        self.inbox.note(change);
    }
}

impl Socket {
    /// Checks the options, and returns the socket and the events that it will deliver; nothing is sent.
    ///
    /// # Errors
    /// The token is not one of an app, the URL is invalid or not allowed, a certificate cannot be used, or the queue
    /// has no space. The message does not repeat the token.
    pub fn new(options: SocketOptions) -> Result<(Self, mpsc::Receiver<Event>), String> {
        let SocketOptions { app_token, api_url, timeout, ca_pem, queue, pace } = options;
        if !app_token.expose_secret().trim().starts_with("xapp-") {
            return Err("Socket Mode needs an app-level token, which begins with xapp-".to_owned());
        }
        if queue == 0 {
            return Err("a socket needs space for at least one event".to_owned());
        }
        let allow_private = api_url.is_some();
        let tls = Arc::new(client_config(ca_pem.as_deref())?);
        let options = SlackOptions { token: app_token, api_url, timeout };
        let slack = Slack::trusting(options, ca_pem.as_deref())?;
        let (sender, events) = mpsc::channel(queue);
        let inbox = Arc::new(Inbox::new(sender, pace.answer));
        let context = Context { slack, allow_private, timeout, tls, pace, inbox };
        Ok((Self { context: Arc::new(context) }, events))
    }

    /// What the socket is doing, now and whenever it changes.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<SocketState> {
        self.context.inbox.state()
    }

    /// Checks that Slack accepts the token and that Socket Mode is enabled, without opening a connection.
    ///
    /// # Errors
    /// Slack refused the token, or did not answer.
    pub async fn check(&self) -> Result<(), Failure> {
        connection::address(&self.context).await.map(drop)
    }

    /// Connects, and stays connected until `stop` completes or the receiver of the events is dropped. Then it answers
    /// what it has accepted, for some seconds at most, and closes the connections.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let (stopping, stopped) = watch::channel(false);
        let watching = async {
            tokio::select! {
                () = stop => {}
                () = self.context.inbox.abandoned() => {}
            }
            stopping.send_replace(true);
        };
        // One for each of `CONNECTIONS`.
        let (one, two) = (stopped.clone(), stopped);
        tokio::join!(watching, slot::keep(&self.context, one), slot::keep(&self.context, two));
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("slack", &self.context.slack).finish_non_exhaustive()
    }
}
