//! A WebSocket server whose connections the test serves by hand, and the Web API that leads to it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use rustls::ServerConfig;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{WebSocketStream, accept_async};

use crate::http_server::{HttpServer, Then, json as json_answer};

/// No wait of these tests is this long unless something is wrong.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// The server. It stops when it is dropped.
pub(crate) struct SocketServer {
    pub(crate) api: HttpServer,
    connections: mpsc::UnboundedReceiver<Box<dyn Stream>>,
    _tasks: JoinSet<()>,
}

impl SocketServer {
    pub(crate) async fn start() -> Self {
        Self::over(None).await
    }

    pub(crate) async fn over(tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let scheme = if tls.is_some() { "wss" } else { "ws" };
        let url = json!({ "ok": true, "url": format!("{scheme}://127.0.0.1:{port}/link/?ticket=t1cket") });
        let api =
            HttpServer::start(&json_answer("200 OK", "", &url.to_string()), Then::Close, tls.clone()).await;
        let (sender, connections) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let stream: Box<dyn Stream> = match &tls {
                    None => Box::new(tcp),
                    Some(tls) => match TlsAcceptor::from(tls.clone()).accept(tcp).await {
                        Ok(stream) => Box::new(stream),
                        Err(_) => continue,
                    },
                };
                if sender.send(stream).is_err() {
                    return;
                }
            }
        });
        Self { api, connections, _tasks: tasks }
    }

    /// The next connection, before its handshake.
    pub(crate) async fn raw(&mut self) -> Box<dyn Stream> {
        tokio::time::timeout(PATIENCE, self.connections.recv())
            .await
            .unwrap_or_else(|_| panic!("no connection came"))
            .unwrap()
    }

    /// The next connection, which was not greeted yet.
    pub(crate) async fn silent(&mut self) -> Peer {
        let raw = self.raw().await;
        Peer { socket: accept_async(raw).await.unwrap() }
    }

    /// The next connection, greeted.
    pub(crate) async fn greeted(&mut self) -> Peer {
        let mut peer = self.silent().await;
        peer.hello().await;
        peer
    }
}

/// A connection of the client's.
pub(crate) struct Peer {
    socket: WebSocketStream<Box<dyn Stream>>,
}

impl Peer {
    pub(crate) async fn hello(&mut self) {
        self.json(&json!({ "type": "hello", "num_connections": 1, "connection_info": { "app_id": "A1" } }))
            .await;
    }

    pub(crate) async fn disconnect(&mut self, reason: &str) {
        self.json(&json!({ "type": "disconnect", "reason": reason, "debug_info": {} })).await;
    }

    pub(crate) async fn json(&mut self, message: &Value) {
        self.frame(Message::text(message.to_string())).await;
    }

    pub(crate) async fn frame(&mut self, frame: Message) {
        self.socket.send(frame).await.unwrap();
    }

    /// Sends as much as the client takes.
    pub(crate) async fn try_frame(&mut self, frame: Message) {
        let _ = self.socket.send(frame).await;
    }

    /// The next message, which must be an acknowledgement.
    pub(crate) async fn acknowledgement(&mut self) -> Value {
        let Some(Message::Text(text)) = self.next().await else { panic!("the connection ended") };
        serde_json::from_str(&text).unwrap()
    }

    /// Sends an envelope and waits for its acknowledgement, which has no payload.
    pub(crate) async fn acknowledged(&mut self, envelope: &Value) {
        self.json(envelope).await;
        assert_eq!(self.acknowledgement().await, json!({ "envelope_id": envelope["envelope_id"] }));
    }

    /// Fails if the client acknowledged something that it has received already: its answer to a ping comes after.
    pub(crate) async fn nothing_is_acknowledged(&mut self) {
        self.frame(Message::Ping(Bytes::from_static(b"mark"))).await;
        loop {
            match self.any().await {
                Some(Message::Pong(mark)) if mark == "mark" => return,
                Some(Message::Ping(_) | Message::Pong(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The next message that is not a ping or pong; `None` at the end of the connection.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        loop {
            match self.any().await {
                Some(Message::Ping(_) | Message::Pong(_)) => {}
                Some(Message::Close(_)) | None => return None,
                other => return other,
            }
        }
    }

    /// Waits for so many pings, and answers them.
    pub(crate) async fn pinged(&mut self, times: usize) {
        for _ in 0..times {
            assert!(matches!(self.any().await, Some(Message::Ping(_))), "the connection ended");
        }
    }

    /// Waits for the end of the connection, and fails if the client says anything else before.
    pub(crate) async fn ended(&mut self) {
        assert_eq!(self.next().await, None);
    }

    async fn any(&mut self) -> Option<Message> {
        let next = tokio::time::timeout(PATIENCE, self.socket.next()).await;
        next.unwrap_or_else(|_| panic!("the client said nothing")).and_then(Result::ok)
    }
}
