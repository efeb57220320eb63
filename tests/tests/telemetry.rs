//! What a collector of OpenTelemetry is told: enough to see where a sweep spends its time, and no secret.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use keysweep_tests::site::{Daemon, EXTERNAL_ID, Site};
use rustix::process::Signal;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const PROD: &str = "111122223333";

/// A collector on loopback that remembers what it was sent, by path.
struct Collector {
    address: String,
    received: Arc<Mutex<Vec<(String, Bytes)>>>,
    // Dropped with the collector, and its connections with it.
    _server: JoinSet<()>,
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&received);
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let all = Arc::clone(&all);
                let service = service_fn(move |request: Request<Incoming>| {
                    let all = Arc::clone(&all);
                    async move {
                        let path = request.uri().path().to_owned();
                        let body = request.into_body().collect().await.unwrap().to_bytes();
                        all.lock().unwrap().push((path, body));
                        Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
                    }
                });
                let connection = hyper::server::conn::http1::Builder::new();
                connections.spawn(connection.serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, received, _server: server }
    }

    /// Everything that was sent as traces.
    fn traces(&self) -> Vec<u8> {
        let received = self.received.lock().unwrap();
        assert!(received.iter().all(|(path, _)| path == "/v1/traces"), "nothing but traces is sent");
        received.iter().flat_map(|(_, body)| body.to_vec()).collect()
    }
}

async fn mk_site() -> Site {
    let site = Site::new("").await;
    site.account(PROD);
    let _key = site.stale_key(PROD, "ci-deploy");
    site
}

/// One sweep, and an orderly end.
async fn sweeps_once(site: &Site, more: &[(&str, &str)]) {
    let mut command = site.command(&["run"]);
    command.envs(more.iter().copied());
    let mut daemon = Daemon::start(command);
    daemon.says("sweep finished").await;
    daemon.signal(Signal::TERM);
    let (status, log) = daemon.ends().await;
    assert!(status.success(), "{}", log.join("\n"));
}

fn tells(heard: &[u8], text: &str) -> bool {
    heard.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn a_collector_is_told_of_sweep_scans_and_calls_and_of_no_secret() {
    let (site, collector) = (mk_site().await, Collector::start().await);
    sweeps_once(&site, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.address)]).await;
    let heard = collector.traces();
    for text in ["keysweep", "sweep", "scan", PROD, "sts:AssumeRole", "iam:ListAccessKeys"] {
        assert!(tells(&heard, text), "{text} is not among the spans");
    }
    let (_, secret, _) = site.sim.hub_credentials();
    for text in [EXTERNAL_ID, secret.as_str(), "ci-deploy", "x-amz-security-token"] {
        assert!(!tells(&heard, text), "{text} is among the spans");
    }
}

#[tokio::test]
async fn nobody_is_told_where_the_sdk_is_disabled_and_a_collector_that_is_away_stops_nothing() {
    let (site, collector) = (mk_site().await, Collector::start().await);
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address.as_str());
    sweeps_once(&site, &[endpoint, ("OTEL_SDK_DISABLED", "true")]).await;
    assert_eq!(collector.traces(), Vec::<u8>::new());
    // Nobody listens on the port of a listener that is gone.
    let away = collector.address.clone();
    drop(collector);
    sweeps_once(&site, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &away)]).await;
}

#[tokio::test]
async fn an_address_that_is_none_is_told_before_anything_begins() {
    let site = mk_site().await;
    let mut command = site.command(&["run"]);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "not an address");
    let (code, _, messages) = keysweep_tests::site::finished(command).await;
    assert_eq!(code, 2, "{messages}");
    assert!(messages.contains("OpenTelemetry"), "{messages}");
}
