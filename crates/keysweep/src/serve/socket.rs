//! The listener on the Unix socket in data_dir.

use std::io;
use std::path::Path;

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use keysweep_core::state::Actor;
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

use super::auth::Listener;
use super::{Serving, router};
use crate::socket::peer_actor;

/// Who is at the other end, as the kernel says; `None` if it does not.
#[derive(Debug, Clone)]
pub(super) struct LocalPeer(pub(super) Option<Actor>);

impl Connected<IncomingStream<'_, UnixListener>> for LocalPeer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        Self(stream.io().peer_cred().ok().map(|peer| peer_actor(peer.uid(), peer.pid())))
    }
}

/// Serves until `stop`, then answers what was asked before, and removes the socket at `path`.
///
/// # Errors
/// The socket cannot be removed.
pub async fn serve(
    listener: UnixListener,
    path: &Path,
    serving: Serving,
    stop: CancellationToken,
) -> io::Result<()> {
    let router = router::router(serving.clone(), Listener::Socket);
    axum::serve(listener, router.into_make_service_with_connect_info::<LocalPeer>())
        .with_graceful_shutdown(stop.cancelled_owned())
        .await?;
    serving.finished().await;
    std::fs::remove_file(path)
}
