//! One WebSocket connection.

use std::pin::pin;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::Url;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Bytes, Message as Frame};

use super::envelope::{Message, Reason, parse};
use super::{CONNECTIONS, Context};
use crate::dial::{Wire, dial};
use crate::failure::Failure;
use crate::plain::innermost;

/// The payload of a click repeats its message, of at most 50 blocks with 3,000 characters each.
const MAX_MESSAGE: usize = 1 << 20;
/// Envelopes of one connection that wait for space or for an answer.
const MAX_PENDING: usize = 256;
/// For the end of a connection: acknowledgements that are under way, and Slack's half of the closing handshake.
const FAREWELL: Duration = Duration::from_secs(1);

pub(super) type WebSocket = WebSocketStream<Box<dyn Wire>>;

/// What happened to a connection.
#[derive(Debug)]
pub(super) enum Signal {
    /// Slack has greeted.
    Hello,
    /// Slack will close it soon. It works until then.
    Retiring,
    /// It has ended, and why if it was not asked to.
    Ended(Option<Failure>),
}

/// Asks Slack for the address of a new connection. It contains a ticket, so that it is never shown.
pub(super) async fn address(context: &Context) -> Result<Url, Failure> {
    let answer = context.slack.form("apps.connections.open", &[]).await?;
    let url = answer.get("url").and_then(|url| Url::parse(url.as_str()?).ok());
    url.ok_or_else(|| {
        Failure::temporary("slack apps.connections.open: the answer has no valid URL".to_owned())
    })
}

/// Opens a connection.
pub(super) async fn open(context: &Context) -> Result<WebSocket, Failure> {
    let url = address(context).await?;
    match timeout(context.timeout, connect(context, url)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(failed("no response within the timeout")),
    }
}

async fn connect(context: &Context, url: Url) -> Result<WebSocket, Failure> {
    // The rules for addresses know the schemes of HTTP.
    let mut http = url.clone();
    let scheme = match url.scheme() {
        "wss" => "https",
        "ws" => "http",
        _ => return Err(failed("the address is not one of a WebSocket")),
    };
    http.set_scheme(scheme).map_err(|()| failed("the address is not one of a WebSocket"))?;
    let stream = dial(&http, context.allow_private, &context.tls).await?;
    let config =
        WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE)).max_frame_size(Some(MAX_MESSAGE));
    let opened = tokio_tungstenite::client_async_with_config(url.as_str(), stream, Some(config)).await;
    opened.map(|(socket, _)| socket).map_err(|error| broken(&error))
}

/// Counts a connection as open until it is dropped.
struct Open<'a>(&'a Context);

impl<'a> Open<'a> {
    fn new(context: &'a Context) -> Self {
        context.note(|state| {
            state.open = state.open.saturating_add(1);
            if state.open >= CONNECTIONS {
                state.last_error = None;
            }
        });
        Self(context)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.note(|state| state.open = state.open.saturating_sub(1));
    }
}

/// Serves a connection to its end: until it breaks, Slack closes it, or `leave` completes.
pub(super) async fn serve(
    context: &Context,
    mut socket: WebSocket,
    leave: oneshot::Receiver<()>,
    signals: &mpsc::UnboundedSender<Signal>,
) -> Result<(), Failure> {
    let pace = &context.pace;
    let mut open = None;
    let (mut retiring, mut leaving) = (false, false);
    let mut pending = FuturesUnordered::new();
    let mut pings = interval_at(Instant::now() + pace.ping, pace.ping);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut leave, mut silence) = (pin!(leave), pin!(sleep(pace.silence)));
    let (mut greeting, mut farewell) = (pin!(sleep(pace.hello)), pin!(sleep(pace.hello)));
    loop {
        if leaving && pending.is_empty() {
            return close(socket).await;
        }
        // In this order, a flood of messages holds up no acknowledgement, and silence is what follows the last message.
        tokio::select! {
            biased;
            _ = &mut leave, if !leaving => {
                leaving = true;
                farewell.as_mut().reset(Instant::now() + pace.answer + FAREWELL);
            }
            () = &mut farewell, if leaving => return Ok(()),
            Some(acknowledgement) = pending.next() => {
                if let Some(text) = acknowledgement {
                    send(&mut socket, Frame::text(text), pace.silence).await?;
                }
            }
            frame = socket.next() => {
                silence.as_mut().reset(Instant::now() + pace.silence);
                let message = match frame {
                    Some(Ok(Frame::Text(text))) => parse(&text),
                    Some(Ok(Frame::Binary(_))) => Message::Malformed("it is not text"),
                    Some(Ok(Frame::Ping(_) | Frame::Pong(_) | Frame::Close(_) | Frame::Frame(_))) => continue,
                    None if retiring || leaving => return Ok(()),
                    None => return Err(failed("Slack closed the connection")),
                    Some(Err(_)) if retiring || leaving => return Ok(()),
                    Some(Err(error)) => return Err(broken(&error)),
                };
                match message {
                    Message::Hello => {
                        if open.is_none() {
                            open = Some(Open::new(context));
                            let _ = signals.send(Signal::Hello);
                        }
                    }
                    Message::Disconnect(reason) => {
                        refused(reason)?;
                        if open.is_none() {
                            return Err(failed("Slack closed the connection before it greeted"));
                        }
                        retiring = true;
                        let _ = signals.send(Signal::Retiring);
                    }
                    Message::Envelope(_) if pending.len() >= MAX_PENDING => context.inbox.unacknowledged(),
                    Message::Envelope(envelope) => pending.push(context.inbox.take(envelope)),
                    Message::Malformed(why) => context.inbox.malformed(why),
                }
            }
            _ = pings.tick() => send(&mut socket, Frame::Ping(Bytes::new()), pace.silence).await?,
            () = &mut silence => return Err(failed("nothing arrived for too long")),
            () = &mut greeting, if open.is_none() => return Err(failed("Slack did not greet")),
        }
    }
}

/// Fails if Slack does not want a connection of this app.
fn refused(reason: Reason) -> Result<(), Failure> {
    match reason {
        Reason::Refresh => Ok(()),
        Reason::LinkDisabled => Err(Failure::misconfigured(
            "slack socket: Socket Mode is disabled; enable it in the settings of the Slack app".to_owned(),
        )),
        Reason::TooMany => Err(Failure::misconfigured(
            "slack socket: the Slack app has too many connections; do other programs use its token?"
                .to_owned(),
        )),
    }
}

/// Sends a frame. A peer that does not read cannot hold the connection.
async fn send(socket: &mut WebSocket, frame: Frame, within: Duration) -> Result<(), Failure> {
    match timeout(within, socket.send(frame)).await {
        Ok(sent) => sent.map_err(|error| broken(&error)),
        Err(_) => Err(failed("Slack does not read what is sent")),
    }
}

/// Closes a connection; how it ends changes nothing.
async fn close(mut socket: WebSocket) -> Result<(), Failure> {
    let closing = async {
        let _ = socket.close(None).await;
        while let Some(Ok(_)) = socket.next().await {}
    };
    let _ = timeout(FAREWELL, closing).await;
    Ok(())
}

fn failed(what: &str) -> Failure {
    Failure::temporary(format!("slack socket: {what}"))
}

fn broken(error: &tungstenite::Error) -> Failure {
    failed(&format!("the connection failed: {}", innermost(error)))
}
