//! Socket Mode: WebSockets through which payloads go to the app, and acknowledgements come back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::{SlackStub, Workspace};

/// What an app sent through a WebSocket.
#[derive(Debug, Clone, PartialEq)]
pub struct Acknowledgement {
    /// Number of the connection.
    pub connection: u64,
    /// Of the envelope that it acknowledges.
    pub envelope_id: String,
    /// The app's answer. The JavaScript client sends an empty one in place of none.
    pub payload: Option<Value>,
}

/// The connections of the app.
pub(super) struct Sockets {
    /// Addresses that were given out and not used.
    tickets: BTreeSet<String>,
    number: u64,
    open: BTreeMap<u64, mpsc::UnboundedSender<Message>>,
    numbers: watch::Sender<Vec<u64>>,
    sender: mpsc::UnboundedSender<Acknowledgement>,
    acknowledgements: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<Acknowledgement>>>,
    tasks: JoinSet<()>,
}

impl Default for Sockets {
    fn default() -> Self {
        let (sender, acknowledgements) = mpsc::unbounded_channel();
        Self {
            tickets: BTreeSet::new(),
            number: 0,
            open: BTreeMap::new(),
            numbers: watch::Sender::default(),
            sender,
            acknowledgements: Arc::new(tokio::sync::Mutex::new(acknowledgements)),
            tasks: JoinSet::new(),
        }
    }
}

impl SlackStub {
    /// The numbers of the connections that are open, in the order of their opening.
    pub fn connections(&self) -> watch::Receiver<Vec<u64>> {
        self.workspace().sockets.numbers.subscribe()
    }

    /// Sends the payload of an interaction to the app, and returns whether the connection was open.
    pub fn send(&self, connection: u64, envelope_id: &str, payload: &Value) -> bool {
        let answerable = payload.get("type").is_some_and(|kind| kind == "view_submission");
        let envelope = json!({ "envelope_id": envelope_id, "type": "interactive", "payload": payload,
            "accepts_response_payload": answerable });
        self.workspace().sockets.say(connection, &envelope)
    }

    /// Announces that a connection will be closed, and returns whether it was open.
    pub fn disconnect(&self, connection: u64, reason: &str) -> bool {
        let message = json!({ "type": "disconnect", "reason": reason,
            "debug_info": { "host": "applink-stub" } });
        self.workspace().sockets.say(connection, &message)
    }

    /// The next acknowledgement; `None` if there will be none.
    pub async fn acknowledgement(&self) -> Option<Acknowledgement> {
        let acknowledgements = Arc::clone(&self.workspace().sockets.acknowledgements);
        acknowledgements.lock().await.recv().await
    }
}

impl Sockets {
    pub(super) fn abort(&mut self) {
        self.tasks.abort_all();
    }

    fn say(&self, connection: u64, message: &Value) -> bool {
        let connection = self.open.get(&connection);
        connection.is_some_and(|open| open.send(Message::text(message.to_string())).is_ok())
    }

    fn opened(&mut self, messages: mpsc::UnboundedSender<Message>) -> u64 {
        self.number += 1;
        self.open.insert(self.number, messages);
        self.numbers.send_replace(self.open.keys().copied().collect());
        self.number
    }

    fn closed(&mut self, connection: u64) {
        self.open.remove(&connection);
        self.numbers.send_replace(self.open.keys().copied().collect());
    }
}

impl Workspace {
    pub(super) fn open_socket(&mut self) -> Value {
        self.sockets.number += 1;
        let ticket = format!("ticket-{}", self.sockets.number);
        let url = format!("ws://{}/link/?ticket={ticket}&app_id=stub", self.authority);
        self.sockets.tickets.insert(ticket);
        json!({ "url": url })
    }
}

/// Turns a request into a WebSocket, if its address was given out and not used yet.
pub(super) fn upgrade(
    mut request: Request<Incoming>,
    workspace: &Arc<Mutex<Workspace>>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    let query = request.uri().query().unwrap_or_default().to_owned();
    let ticket = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "ticket");
    let key = request.headers().get(header::SEC_WEBSOCKET_KEY).map(|key| derive_accept_key(key.as_bytes()));
    let mut locked = workspace.lock().unwrap_or_else(PoisonError::into_inner);
    let is_new = ticket.is_some_and(|(_, ticket)| locked.sockets.tickets.remove(&*ticket));
    let Some(accept) = key.and_then(|key| key.parse().ok()).filter(|_| is_new) else {
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    };
    let upgrading = hyper::upgrade::on(&mut request);
    let workspace = Arc::clone(workspace);
    locked.sockets.tasks.spawn(async move {
        // An error means that the client left.
        if let Ok(upgraded) = upgrading.await {
            serve(upgraded, &workspace).await;
        }
    });
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, header::HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, header::HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    response
}

async fn serve(upgraded: Upgraded, workspace: &Mutex<Workspace>) {
    let locked = || workspace.lock().unwrap_or_else(PoisonError::into_inner);
    let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
    let hello = json!({ "type": "hello", "num_connections": 1, "connection_info": { "app_id": "A0STUB" },
        "debug_info": { "host": "applink-stub", "approximate_connection_time": 3_600 } });
    if socket.send(Message::text(hello.to_string())).await.is_err() {
        return;
    }
    let (sender, mut messages) = mpsc::unbounded_channel();
    let number = locked().sockets.opened(sender);
    loop {
        tokio::select! {
            Some(message) = messages.recv() => {
                if socket.send(message).await.is_err() {
                    break;
                }
            }
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    let Some(acknowledgement) = acknowledgement(number, &text) else { break };
                    let _ = locked().sockets.sender.send(acknowledgement);
                }
                // The library answers pings.
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                _ => break,
            },
        }
    }
    locked().sockets.closed(number);
}

/// What the app said, if Slack would understand it.
fn acknowledgement(connection: u64, text: &str) -> Option<Acknowledgement> {
    let message: Value = serde_json::from_str(text).ok()?;
    let envelope_id = message.get("envelope_id")?.as_str()?.to_owned();
    let payload = message.get("payload").filter(|payload| **payload != json!({})).cloned();
    Some(Acknowledgement { connection, envelope_id, payload })
}
