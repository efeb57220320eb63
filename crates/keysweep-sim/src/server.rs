//! The same wire over loopback HTTP/1.1, for clients in other processes.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming as Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::sim::{ConnectionLost, Sim};

/// No request of the services here comes near this size.
const BODY_LIMIT: usize = 1 << 20;
/// How long calls under way may take to end when the server stops.
const GRACE: Duration = Duration::from_secs(2);

/// A running server. Dropping it stops it without waiting.
#[derive(Debug)]
pub struct Server {
    addr: SocketAddr,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Server {
    pub(crate) async fn start(sim: Sim) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, sim, stopped));
        Ok(Self { addr, stop, tasks })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://127.0.0.1:PORT`, as `AWS_ENDPOINT_URL` wants it.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Takes no more connections, lets calls under way end for two seconds, cuts off the rest and joins every task.
    pub async fn shutdown(mut self) {
        // Nobody listening any more is as good as told.
        let _ = self.stop.send(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

async fn accept(listener: TcpListener, sim: Sim, mut stopped: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = stopped.changed() => break,
            accepted = listener.accept() => {
                // An accept that fails (a client gone again, no descriptors) says nothing about the next one.
                if let Ok((stream, _)) = accepted {
                    connections.spawn(serve(stream, sim.clone(), stopped.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, drained).await.is_err() {
        connections.shutdown().await;
    }
}

async fn serve(stream: TcpStream, sim: Sim, mut stopped: watch::Receiver<bool>) {
    // Small answers must not wait for acknowledgements; where it cannot be set they merely do.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| answer(sim.clone(), request));
    let connection =
        http1::Builder::new().auto_date_header(false).serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // A connection ends in an error whenever its client leaves or a fault breaks it: that is its purpose here.
        _ = connection.as_mut() => return,
        _ = stopped.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// An error from here makes hyper drop the connection without an answer, which is what a reset looks like.
async fn answer(
    sim: Sim,
    request: http::Request<Body>,
) -> Result<http::Response<Full<Bytes>>, ConnectionLost> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, BODY_LIMIT).collect().await.map_err(|_| ConnectionLost)?.to_bytes();
    let response = sim.answer(http::Request::from_parts(parts, body)).await?;
    Ok(response.map(Full::new))
}
