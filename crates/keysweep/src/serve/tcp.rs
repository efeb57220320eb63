//! The TCP listener, with TLS or without.
//!
//! A client can hold no more than one of a few connections for a few minutes, and send no more than a few kilobytes.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::auth::{Address, Listener, Peer};
use super::connection::answer;
use super::places::{Place, Places};
use super::{Serving, handshake, router};
use crate::tls::Live;

/// Prometheus keeps one connection, a browser opens six. Beyond this a connection that waits for a request is closed
/// for each new one, so that health is always answered.
const CONNECTIONS: usize = 64;

/// A handshake is two messages of a client, which are small and come at once.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);

/// How long accepting pauses after it failed: without file descriptors it would fail again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Serves until `stop`, and then lets the answers that are under way go out. Without a certificate HTTP is plain.
///
/// # Errors
/// If the address of the listener cannot be told. A connection that fails is the client's affair.
pub async fn serve(
    listener: TcpListener,
    serving: Serving,
    tls: Option<Arc<Live>>,
    stop: CancellationToken,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    let promises = Address { loopback: address.ip().is_loopback(), tls: tls.is_some() };
    let router = router::router(serving.clone(), Listener::Address(promises));
    let mut connections = JoinSet::new();
    let places = Places::new(CONNECTIONS);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let server = tls.as_ref().map(|live| live.server());
                    let place = places.take(peer.ip());
                    connections.spawn(connection(stream, peer, server, router.clone(), place, stop.clone()));
                }
                Err(error) => {
                    tracing::warn!(%address, %error, "an http connection could not be accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
    serving.finished().await;
    Ok(())
}

/// One connection, over TLS where there is a `server`.
async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    server: Option<Arc<ServerConfig>>,
    router: Router,
    place: Place,
    stop: CancellationToken,
) {
    let lost = place.lost();
    let served = async {
        let Some(server) = server else {
            return answer(stream, Peer(peer), router, Some(&place), stop).await;
        };
        shake_and_answer(stream, peer, server, router, &place, stop).await;
    };
    // What is cut off here waited for a request, or for a client that reads slowly.
    if lost.run_until_cancelled(served).await.is_none() {
        tracing::debug!(%peer, "a quiet http connection was closed for another");
    }
}

async fn shake_and_answer(
    stream: TcpStream,
    peer: SocketAddr,
    server: Arc<ServerConfig>,
    router: Router,
    place: &Place,
    stop: CancellationToken,
) {
    let shaking = timeout(HANDSHAKE_WITHIN, handshake::shake(stream, server));
    match stop.run_until_cancelled(shaking).await {
        Some(Ok(Ok(stream))) => answer(stream, Peer(peer), router, Some(place), stop).await,
        Some(Ok(Err(error))) => tracing::debug!(%peer, %error, "a tls handshake failed"),
        Some(Err(_)) => tracing::debug!(%peer, "a tls handshake took too long"),
        None => {}
    }
}
