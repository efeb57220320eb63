//! The daemon's side.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request as HttpRequest, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{ROUTE, peer_actor};
use crate::engine::Engine;
use crate::operator::{Reply, Request};
use keysweep_core::state::Actor;

/// A request is a key ID and a reason; a longer one is a mistake.
const MAX_REQUEST: usize = 64 * 1024;

/// How long a peer may take to send its request. The answer may take as long as it needs.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Commands of a few operators at a time; whoever comes on top of that waits in the listener's queue.
const MAX_CONNECTIONS: usize = 64;

/// Pause after an `accept` that failed for want of file descriptors: they come free by and by.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What answers operators.
pub trait Answer: Send + Sync + 'static {
    /// Does what is asked and tells the outcome.
    fn answer(&self, actor: &Actor, request: Request) -> impl Future<Output = Reply> + Send;
}

impl Answer for Engine {
    fn answer(&self, actor: &Actor, request: Request) -> impl Future<Output = Reply> + Send {
        Self::answer(self, actor, request)
    }
}

/// Serves operators until `stop`, then answers what was asked before, and removes the socket.
///
/// A socket that a dead daemon left behind is replaced.
///
/// # Errors
/// A live daemon listens at `path`, `path` is something else than a socket, or it cannot be bound.
pub async fn serve<A: Answer>(path: &Path, engine: Arc<A>, stop: CancellationToken) -> io::Result<()> {
    let listener = bind(path).await?;
    let mut connections = JoinSet::new();
    // What was begun is finished even if its asker hangs up: an undo must not stop between intent and outcome.
    let answers = TaskTracker::new();
    loop {
        let full = connections.len() >= MAX_CONNECTIONS;
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept(), if !full => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, Arc::clone(&engine), answers.clone(), stop.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, path = %path.display(), "a command could not connect");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    let removed = std::fs::remove_file(path);
    drop(listener);
    while connections.join_next().await.is_some() {}
    answers.close();
    answers.wait().await;
    removed
}

/// Binds under another name and moves into place, so that the socket is never there with wider permissions, and a
/// dead one is replaced in one step.
async fn bind(path: &Path) -> io::Result<UnixListener> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            let message = format!("{} is in the way and no socket", path.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
        }
        Ok(_) if UnixStream::connect(path).await.is_ok() => {
            let message = format!("another daemon listens at {}", path.display());
            return Err(io::Error::new(io::ErrorKind::AddrInUse, message));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let new = path.with_extension("new");
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(&new)?;
    std::fs::set_permissions(&new, Permissions::from_mode(0o600))?;
    std::fs::rename(&new, path)?;
    Ok(listener)
}

/// One request of one peer.
async fn connection<A: Answer>(
    stream: UnixStream,
    engine: Arc<A>,
    answers: TaskTracker,
    stop: CancellationToken,
) {
    let actor = match stream.peer_cred() {
        Ok(peer) => peer_actor(peer.uid(), peer.pid()),
        Err(error) => {
            tracing::warn!(%error, "a command was turned away: its user is not known");
            return;
        }
    };
    let service = service_fn(move |request| {
        let (actor, engine, answers) = (actor.clone(), Arc::clone(&engine), answers.clone());
        async move { Ok::<_, std::convert::Infallible>(handle(request, actor, engine, &answers).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(READ_TIMEOUT)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a command hung up");
    }
}

async fn handle<A: Answer>(
    request: HttpRequest<Incoming>,
    actor: Actor,
    engine: Arc<A>,
    answers: &TaskTracker,
) -> Response<Full<Bytes>> {
    if request.uri().path() != ROUTE {
        return refusal(StatusCode::NOT_FOUND, format!("requests are posted to {ROUTE}"));
    }
    if request.method() != Method::POST {
        return refusal(StatusCode::METHOD_NOT_ALLOWED, format!("requests are posted to {ROUTE}"));
    }
    let body = Limited::new(request.into_body(), MAX_REQUEST).collect();
    let body = match tokio::time::timeout(READ_TIMEOUT, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) => {
            return refusal(StatusCode::PAYLOAD_TOO_LARGE, format!("read the request: {error}"));
        }
        Err(_) => return refusal(StatusCode::REQUEST_TIMEOUT, "the request did not arrive in time".into()),
    };
    let request: Request = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(error) => return refusal(StatusCode::BAD_REQUEST, format!("not a request: {error}")),
    };
    let answer = answers.spawn(async move { engine.answer(&actor, request).await });
    match answer.await.map(|reply| serde_json::to_vec(&reply)) {
        Ok(Ok(json)) => Response::new(Full::new(json.into())),
        Ok(Err(error)) => refusal(StatusCode::INTERNAL_SERVER_ERROR, format!("write the reply: {error}")),
        Err(error) => refusal(StatusCode::INTERNAL_SERVER_ERROR, format!("answering was cut off: {error}")),
    }
}

fn refusal(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    response
}
