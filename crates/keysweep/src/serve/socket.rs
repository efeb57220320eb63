//! The listeners on Unix sockets: the one in data_dir, and the one of `http.socket`.

use std::io;
use std::path::Path;
use std::time::Duration;

use axum::Router;
use keysweep_core::state::Actor;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::auth::Listener;
use super::connection::answer;
use super::{Serving, router};
use crate::socket::peer_actor;

/// Commands of a few operators at a time; what comes on top of that waits in the listener's queue.
const CONNECTIONS: usize = 64;

/// Pause after an `accept` that failed for want of file descriptors: they come free by and by.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Who is at the other end, as the kernel says.
#[derive(Debug, Clone)]
pub(super) struct LocalPeer {
    /// As the journal names them.
    pub(super) actor: Actor,
    /// The user ID.
    pub(super) uid: u32,
}

/// Serves on the socket in data_dir until `stop`, then answers what was asked before, and removes the socket at `path`.
///
/// # Errors
/// The socket cannot be removed.
pub async fn serve(
    listener: UnixListener,
    path: &Path,
    serving: Serving,
    stop: CancellationToken,
) -> io::Result<()> {
    serve_as(Listener::Socket, listener, path, serving, stop).await
}

/// The same on `http.socket`, which every user of this machine can open.
///
/// # Errors
/// As [`serve`].
pub async fn serve_shared(
    listener: UnixListener,
    path: &Path,
    serving: Serving,
    stop: CancellationToken,
) -> io::Result<()> {
    serve_as(Listener::SharedSocket, listener, path, serving, stop).await
}

async fn serve_as(
    promises: Listener,
    listener: UnixListener,
    path: &Path,
    serving: Serving,
    stop: CancellationToken,
) -> io::Result<()> {
    let router = router::router(serving.clone(), promises);
    let mut connections = JoinSet::new();
    loop {
        let full = connections.len() >= CONNECTIONS;
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept(), if !full => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, router.clone(), stop.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, path = %path.display(), "a command could not connect");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    let removed = std::fs::remove_file(path);
    drop(listener);
    while connections.join_next().await.is_some() {}
    serving.finished().await;
    removed
}

async fn connection(stream: UnixStream, router: Router, stop: CancellationToken) {
    match stream.peer_cred() {
        Ok(peer) => {
            let actor = peer_actor(peer.uid(), peer.pid());
            answer(stream, LocalPeer { actor, uid: peer.uid() }, router, None, stop).await;
        }
        Err(error) => tracing::warn!(%error, "a command was turned away: its user is not known"),
    }
}
