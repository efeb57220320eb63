//! Metrics, health and the page, over HTTP/1.1.
//!
//! Everything here is read-only. On a loopback address the page is served too; on any other only metrics and health
//! are, since nothing proves who asks. A client can hold no more than one of a few connections for a few minutes,
//! and send no more than a request of a few kilobytes.

mod health;
mod page;
mod router;

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

pub use self::health::{Health, LastSweep};
use crate::engine::Engine;

/// Prometheus keeps one connection, a browser opens six; further clients wait in the kernel's queue.
const CONNECTIONS: usize = 64;

/// A request is one line and a handful of headers, which arrive at once. Idle connections end by it too; Prometheus
/// then connects again.
const HEAD_WITHIN: Duration = Duration::from_secs(30);

/// Most that is read of a request before its end must have come.
const HEAD_BYTES: usize = 16 * 1024;

/// A client that reads slowly cannot keep its place for longer; one that behaves connects again.
const CONNECTION_LIFE: Duration = Duration::from_secs(600);

/// How long a connection may take to end once it is asked to.
const LAST_ANSWER: Duration = Duration::from_secs(10);

/// How long accepting pauses after it failed: without file descriptors it would fail again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Serves until `stop`, and then lets the answers that are under way go out.
///
/// # Errors
/// If the address of the listener cannot be told. A connection that fails is the client's affair.
pub async fn serve(
    listener: TcpListener,
    engine: Arc<Engine>,
    health: Health,
    stop: CancellationToken,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    let router = router::router(engine, health, address.ip().is_loopback());
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, router.clone(), stop.clone()));
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
    Ok(())
}

/// One connection, ended after [`CONNECTION_LIFE`] or by `stop`.
async fn connection(stream: TcpStream, router: Router, stop: CancellationToken) {
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut served = pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = async { tokio::select! { () = stop.cancelled() => {}, () = sleep(CONNECTION_LIFE) => {} } } => {
            served.as_mut().graceful_shutdown();
            match timeout(LAST_ANSWER, served.as_mut()).await {
                Ok(ended) => ended,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an http connection broke off");
    }
}
