//! A Slack of our own: the methods of its Web API that keysweep calls, and Socket Mode.
//!
//! Slack's own clients prove it: the test `channels` has them ask it the same as keysweep does, and compares.

mod blocks;
mod people;
mod socket;

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, header};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The token that the stub accepts.
pub const TOKEN: &str = "xoxb-000000000000-stub";

/// The app-level token that the stub accepts.
pub const APP_TOKEN: &str = "xapp-1-A0STUB-0-stub";

pub use socket::Acknowledgement;
use socket::Sockets;

/// What the next call gets in place of an answer.
#[derive(Debug, Clone, Copy)]
pub enum Trouble {
    /// An error code, with status 200.
    Code(&'static str),
    /// Status 429, to be tried again after so many seconds.
    RateLimited(u64),
    /// A status and a page, as from a gateway.
    Status(u16),
}

/// A call that was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Such as `chat.postMessage`.
    pub method: String,
    /// Its arguments without the token, whether they came as JSON, as a form or in the query.
    pub arguments: Map<String, Value>,
}

/// The stub. It stops when it is dropped.
pub struct SlackStub {
    /// URL of the Web API, with a slash at its end.
    pub url: String,
    workspace: Arc<Mutex<Workspace>>,
    _server: JoinSet<()>,
}

#[derive(Default)]
struct Workspace {
    users: BTreeMap<String, String>,
    /// By conversation and timestamp.
    messages: BTreeMap<(String, String), Value>,
    calls: Vec<Call>,
    called: watch::Sender<()>,
    troubles: VecDeque<Trouble>,
    /// Triggers, and whether each was exchanged for a modal.
    triggers: BTreeMap<String, bool>,
    /// Open modals by their ID.
    views: BTreeMap<String, Value>,
    interactions: u64,
    /// Host and port, for the addresses of WebSockets.
    authority: String,
    sockets: Sockets,
}

impl SlackStub {
    /// A workspace with a channel `C0TEAM`, and users by their email addresses with their IDs.
    ///
    /// # Errors
    /// No port of loopback can be listened on.
    pub async fn start(users: &[(&str, &str)]) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let authority = listener.local_addr()?.to_string();
        let url = format!("http://{authority}/api/");
        let users = users.iter().map(|(email, id)| ((*email).to_owned(), (*id).to_owned())).collect();
        let workspace = Arc::new(Mutex::new(Workspace { users, authority, ..Workspace::default() }));
        let mut server = JoinSet::new();
        server.spawn(listen(listener, Arc::clone(&workspace)));
        Ok(Self { url, workspace, _server: server })
    }

    /// Makes the next calls fail, one each.
    pub fn trouble(&self, troubles: &[Trouble]) {
        self.workspace().troubles.extend(troubles);
    }

    /// The calls since the last time, in order.
    pub fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.workspace().calls)
    }

    /// The first call of a method that was not taken yet. Waits for it.
    pub async fn next_call(&self, method: &str) -> Call {
        let mut called = self.workspace().called.subscribe();
        loop {
            called.borrow_and_update();
            let taken = {
                let calls = &mut self.workspace().calls;
                calls.iter().position(|call| call.method == method).map(|place| calls.remove(place))
            };
            if let Some(call) = taken {
                return call;
            }
            // The sender is in the workspace, which lives as long as the stub.
            let _ = called.changed().await;
        }
    }

    /// A message as it reads now.
    pub fn message(&self, channel: &str, ts: &str) -> Option<Value> {
        self.workspace().messages.get(&(channel.to_owned(), ts.to_owned())).cloned()
    }

    fn workspace(&self) -> MutexGuard<'_, Workspace> {
        self.workspace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SlackStub {
    fn drop(&mut self) {
        // These tasks hold the workspace that holds them.
        self.workspace().sockets.abort();
    }
}

async fn listen(listener: TcpListener, workspace: Arc<Mutex<Workspace>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, Arc::clone(&workspace)));
    }
}

async fn serve(stream: TcpStream, workspace: Arc<Mutex<Workspace>>) {
    let service = service_fn(move |request| answer(request, Arc::clone(&workspace)));
    // An error means that the client left.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await;
}

async fn answer(
    request: Request<Incoming>,
    workspace: Arc<Mutex<Workspace>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.uri().path() == "/link/" {
        return Ok(socket::upgrade(request, &workspace));
    }
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let arguments = arguments(parts.uri.query(), content_type.unwrap_or_default(), &body);
    let method = parts.uri.path().trim_start_matches("/api/").to_owned();
    let bearer = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned);
    let mut workspace = workspace.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(workspace.respond(method, bearer, arguments))
}

/// Values of forms are texts, and those that Slack documents as arrays or booleans are JSON in them.
fn arguments(query: Option<&str>, content_type: &str, body: &[u8]) -> Map<String, Value> {
    if content_type.starts_with("application/json") {
        return serde_json::from_slice(body).unwrap_or_default();
    }
    let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let pairs = pairs.chain(form_urlencoded::parse(body));
    let decoded = pairs.map(|(name, value)| {
        let is_json = matches!(&*name, "blocks" | "unfurl_links" | "unfurl_media" | "view");
        let json = if is_json { serde_json::from_str(&value).ok() } else { None };
        (name.into_owned(), json.unwrap_or_else(|| Value::from(&*value)))
    });
    decoded.collect()
}

impl Workspace {
    fn respond(
        &mut self,
        method: String,
        bearer: Option<String>,
        mut arguments: Map<String, Value>,
    ) -> Response<Full<Bytes>> {
        let in_form = arguments.remove("token").and_then(|token| token.as_str().map(str::to_owned));
        self.calls.push(Call { method: method.clone(), arguments: arguments.clone() });
        self.called.send_replace(());
        let is_bearer = bearer.is_some();
        let outcome = match (self.troubles.pop_front(), bearer.or(in_form).as_deref()) {
            (Some(Trouble::Status(status)), _) => return page(status),
            (Some(Trouble::RateLimited(seconds)), _) => return limited(seconds),
            (Some(Trouble::Code(code)), _) => Err(code),
            // Slack takes an app-level token from the header only.
            (None, Some(APP_TOKEN)) if method == "apps.connections.open" && is_bearer => {
                Ok(self.open_socket())
            }
            (None, Some(APP_TOKEN)) => Err("not_allowed_token_type"),
            (None, Some(TOKEN)) if method == "apps.connections.open" => Err("not_allowed_token_type"),
            (None, None | Some("")) => Err("not_authed"),
            (None, Some(token)) if token != TOKEN => Err("invalid_auth"),
            (None, Some(_)) => self.call(&method, &arguments),
        };
        let answer = match outcome {
            Ok(mut answer) => {
                if let Some(fields) = answer.as_object_mut() {
                    fields.insert("ok".to_owned(), Value::Bool(true));
                }
                answer
            }
            Err(code) => json!({ "ok": false, "error": code }),
        };
        let mut response = Response::new(Full::from(answer.to_string()));
        response.headers_mut().insert(header::CONTENT_TYPE, JSON);
        response
    }

    fn call(&mut self, method: &str, arguments: &Map<String, Value>) -> Result<Value, &'static str> {
        let text = |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or_default();
        match method {
            "auth.test" => {
                Ok(json!({ "url": "https://acme.slack.example/", "team": "acme", "user": "keysweep",
                "team_id": "T0ACME", "user_id": "U0BOT", "bot_id": "B0BOT" }))
            }
            "users.lookupByEmail" => {
                let id = self.users.get(text("email")).ok_or("users_not_found")?;
                Ok(json!({ "user": { "id": id, "profile": { "email": text("email") } } }))
            }
            "chat.postMessage" => {
                let channel = self.conversation(text("channel"))?;
                let ts = format!("1775000000.{:06}", self.messages.len() + 1);
                self.write(channel, ts, arguments)
            }
            "chat.update" => {
                let (channel, ts) = (text("channel").to_owned(), text("ts").to_owned());
                if !channel.starts_with(['C', 'D']) {
                    return Err("channel_not_found");
                }
                if !self.messages.contains_key(&(channel.clone(), ts.clone())) {
                    return Err("message_not_found");
                }
                self.write(channel, ts, arguments)
            }
            "chat.postEphemeral" => {
                if !text("channel").starts_with(['C', 'D']) {
                    return Err("channel_not_found");
                }
                if !self.users.values().any(|id| id == text("user")) {
                    return Err("user_not_in_channel");
                }
                blocks::check_message(arguments)?;
                Ok(json!({ "message_ts": "1775000000.000000" }))
            }
            "views.open" => self.open_view(text("trigger_id"), arguments.get("view")),
            _ => Err("unknown_method"),
        }
    }

    /// The conversation that a message to somebody goes to.
    fn conversation(&self, to: &str) -> Result<String, &'static str> {
        match to {
            "C0TEAM" | "#team" => Ok("C0TEAM".to_owned()),
            user if self.users.values().any(|id| id == user) => Ok(user.replacen('U', "D", 1)),
            _ => Err("channel_not_found"),
        }
    }

    fn write(
        &mut self,
        channel: String,
        ts: String,
        given: &Map<String, Value>,
    ) -> Result<Value, &'static str> {
        let (text, blocks) = blocks::check_message(given)?;
        let message = json!({ "type": "message", "user": "U0BOT", "ts": ts, "text": text, "blocks": blocks,
            "thread_ts": given.get("thread_ts") });
        self.messages.insert((channel.clone(), ts.clone()), message.clone());
        Ok(json!({ "channel": channel, "ts": ts, "text": text, "message": message }))
    }
}

const JSON: header::HeaderValue = header::HeaderValue::from_static("application/json; charset=utf-8");

fn page(status: u16) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from("<html>gateway</html>"));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    response
}

fn limited(seconds: u64) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(r#"{"ok":false,"error":"ratelimited"}"#));
    *response.status_mut() = hyper::StatusCode::TOO_MANY_REQUESTS;
    response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from(seconds));
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}
