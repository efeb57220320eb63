//! One connection, on whichever listener.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::places::Place;
use super::router;

/// A request is one line and a handful of headers, which arrive at once. Idle connections end by it too; Prometheus
/// then connects again.
const HEAD_WITHIN: Duration = Duration::from_secs(30);

/// Most that is read of a request before its end must have come.
const HEAD_BYTES: usize = 16 * 1024;

/// A client that reads slowly cannot keep its place for longer; one that behaves connects again.
const CONNECTION_LIFE: Duration = Duration::from_secs(600);

/// How long a client may take to read its last answer.
const LAST_ANSWER: Duration = Duration::from_secs(10);

/// An answer that is being made.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Answers what comes on one connection, until it ends, [`CONNECTION_LIFE`] is over, or `stop`. `peer` goes with each
/// request. What is being answered then is still answered.
pub(super) async fn answer<P: Clone + Send + Sync + 'static>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: P,
    router: Router,
    place: Option<&Place>,
    stop: CancellationToken,
) {
    let routed = TowerToHyperService::new(router);
    let answering = AtomicUsize::new(0);
    let service = service_fn(|mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        let path = request.uri().path();
        // Health takes no time, and is answered whatever else is asked.
        let bounded = place.filter(|_| !router::is_health(path));
        let busy = || router::busy(path);
        let work = match bounded.map(Place::work) {
            Some(None) => Err(busy()),
            Some(Some(work)) => Ok(Some(work)),
            None => Ok(None),
        };
        let answer = routed.call(request);
        let counted = Counted::begin(&answering);
        async move {
            let _counted = counted;
            match work {
                Ok(_work) => answer.await,
                Err(busy) => Ok(busy),
            }
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut served = pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = async { tokio::select! { () = stop.cancelled() => {}, () = sleep(CONNECTION_LIFE) => {} } } => {
            served.as_mut().graceful_shutdown();
            loop {
                // A decision may take minutes, and its answer is then to be read.
                let answers = answering.load(Ordering::Relaxed) > 0;
                match timeout(LAST_ANSWER, served.as_mut()).await {
                    Ok(ended) => break ended,
                    Err(_) if answers => {}
                    Err(_) => return,
                }
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an http connection broke off");
    }
}
