//! The HTTP server over a real engine, asked over real sockets.

use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;
use keysweep::clock::Clock;
use keysweep::config::{Sources, load};
use keysweep::connect::Given;
use keysweep::engine::Engine;
use keysweep::health::Health;
use keysweep::metrics::Metrics;
use keysweep::reload;
use keysweep::serve::{Serving, serve_address};
use keysweep_store::OpenOptions;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

struct Served {
    address: SocketAddr,
    engine: Arc<Engine>,
    health: Health,
    stop: CancellationToken,
    tasks: JoinSet<std::io::Result<()>>,
    _dir: TempDir,
}

impl Served {
    /// On a loopback address, or on one that is not.
    async fn on(bind: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let began: Timestamp = crate::organization::now();
        let sources = Sources::default().with_flag("--data-dir", "data_dir", dir.path().to_str().unwrap());
        let config = load(&sources, began).unwrap();
        let (metrics, clock) = (Metrics::new(), Clock::scaled(began, 1.0));
        let opened =
            Engine::open(Arc::new(config), clock, metrics, Given::default(), OpenOptions::default()).await;
        let (engine, _) = opened.unwrap();
        let listener = TcpListener::bind((bind, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (health, stop) = (Health::new(), CancellationToken::new());
        let mut tasks = JoinSet::new();
        let serving = Serving::new(Arc::clone(&engine), health.clone(), reload::channel().0);
        tasks.spawn(serve_address(listener, serving, None, stop.clone()));
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        Self { address, engine, health, stop, tasks, _dir: dir }
    }

    async fn local() -> Self {
        Self::on("127.0.0.1").await
    }

    /// Tells the engine of the made-up organization.
    async fn fill(&self) {
        for (at, body) in crate::organization::entries() {
            self.engine.store().record(at, &keysweep_core::state::Actor::Keysweep, vec![body]).await.unwrap();
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address)).await
    }

    async fn ask(&self, request: &str) -> Answer {
        Answer(String::from_utf8(self.ask_bytes(request).await).unwrap())
    }

    async fn ask_bytes(&self, request: &str) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        bytes
    }

    async fn stop(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap().unwrap();
        }
    }
}

#[derive(Debug)]
struct Answer(String);

impl Answer {
    fn status(&self) -> u16 {
        self.0.split(' ').nth(1).unwrap().parse().unwrap()
    }

    fn head(&self) -> String {
        self.0.split_once("\r\n\r\n").unwrap().0.to_ascii_lowercase()
    }

    fn body(&self) -> &str {
        self.0.split_once("\r\n\r\n").unwrap().1
    }
}

#[tokio::test]
async fn metrics_come_in_the_text_format_with_the_gauges_of_the_records() {
    let served = Served::local().await;
    served.fill().await;
    let answer = served.get("/metrics").await;
    assert_eq!(answer.status(), 200);
    assert!(answer.head().contains("content-type: text/plain; version=0.0.4; charset=utf-8"));
    for series in [
        "keysweep_scan_last_duration_seconds 93.5",
        "keysweep_keys{account_id=\"111122223333\",state=\"deactivated\"} 2",
        "keysweep_paused 0",
        "keysweep_audit_events_total{sink=\"file\"} 1",
    ] {
        assert!(answer.body().lines().any(|line| line == series), "{series} in {}", answer.body());
    }
    assert!(answer.body().contains("keysweep_state_store_size_bytes "));
    served.stop().await;
}

#[tokio::test]
async fn metrics_come_as_openmetrics_and_compressed_to_those_who_ask_for_it() {
    let served = Served::local().await;
    served.fill().await;
    let ask = |headers: &str| format!("GET /metrics HTTP/1.0\r\nhost: {}\r\n{headers}\r\n", served.address);
    let open = served.ask(&ask("accept: application/openmetrics-text;version=1.0.0\r\n")).await;
    assert!(open.head().contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"));
    assert!(open.body().ends_with("\n# EOF\n"), "{}", open.body());
    assert!(open.body().contains("# TYPE keysweep_scans counter\n"));
    assert!(open.body().contains("\nprocess_resident_memory_bytes "));

    let compressed = served.ask_bytes(&ask("accept-encoding: gzip\r\n")).await;
    let end = compressed.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(compressed[..end].to_vec()).unwrap().to_ascii_lowercase();
    assert!(head.contains("content-encoding: gzip") && head.contains("vary: accept"), "{head}");
    let mut text = String::new();
    flate2::read::GzDecoder::new(&compressed[end + 4..]).read_to_string(&mut text).unwrap();
    assert!(text.contains("\nkeysweep_scan_last_duration_seconds 93.5\n"), "{text}");
    served.stop().await;
}

#[tokio::test]
async fn the_page_is_served_with_headers_that_allow_nothing_but_its_style() {
    let served = Served::local().await;
    served.fill().await;
    let answer = served.get("/").await;
    assert_eq!(answer.status(), 200);
    let head = answer.head();
    for header in [
        "content-type: text/html; charset=utf-8",
        "content-security-policy: default-src 'none'; style-src 'sha256-",
        "x-content-type-options: nosniff",
        "cache-control: no-store",
        "referrer-policy: no-referrer",
    ] {
        assert!(head.contains(header), "{header} in {head}");
    }
    assert!(!head.contains("unsafe"));
    assert!(answer.body().contains("<h2>Last sweep</h2>"));
    served.stop().await;
}

#[tokio::test]
async fn ready_lists_what_is_missing_and_then_nothing() {
    let served = Served::local().await;
    served.health.store_failed("no space left on device");
    let answer = served.get("/-/ready").await;
    assert_eq!(answer.status(), 503);
    assert!(answer.body().contains("- no sweep has completed yet\n"), "{answer:?}");
    assert!(answer.body().contains("- the store takes no more entries: no space left on device\n"));
    served.stop().await;

    let served = Served::local().await;
    served.fill().await;
    let answer = served.get("/-/ready").await;
    assert_eq!((answer.status(), answer.body()), (200, "keysweep is ready\n"));
    served.stop().await;
}

#[tokio::test]
async fn healthy_turns_when_the_work_loop_stands_still() {
    let served = Served::local().await;
    assert_eq!(served.get("/-/healthy").await.status(), 200);
    let long_ago = served.engine.clock().instant().checked_sub(Health::SILENCE * 2).unwrap();
    served.health.beat(long_ago);
    let answer = served.get("/-/healthy").await;
    assert_eq!(answer.status(), 503);
    assert!(answer.body().contains("the work loop has not moved"));
    served.stop().await;
}

#[tokio::test]
async fn a_site_of_somebody_else_that_resolves_to_this_machine_is_refused() {
    let served = Served::local().await;
    let port = served.address.port();
    for (host, status) in [
        ("localhost", 200),
        ("LOCALHOST", 200),
        ("127.0.0.1", 200),
        ("[::1]", 200),
        ("evil.example", 403),
        ("localhost.evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("10.0.0.1", 403),
        ("", 403),
    ] {
        for path in ["/", "/metrics"] {
            let request = format!("GET {path} HTTP/1.1\r\nhost: {host}:{port}\r\nconnection: close\r\n\r\n");
            assert_eq!(served.ask(&request).await.status(), status, "{host} {path}");
        }
    }
    let none = served.ask("GET / HTTP/1.0\r\n\r\n").await;
    assert_eq!(none.status(), 403);
    let absolute =
        format!("GET http://evil.example/ HTTP/1.1\r\nhost: localhost:{port}\r\nconnection: close\r\n\r\n");
    assert_eq!(served.ask(&absolute).await.status(), 403);
    let probe = "GET /-/healthy HTTP/1.1\r\nhost: kubelet.example\r\nconnection: close\r\n\r\n";
    assert_eq!(served.ask(probe).await.status(), 200);
    served.stop().await;
}

#[tokio::test]
async fn on_other_than_a_loopback_address_there_are_only_metrics_and_health() {
    let served = Served::on("0.0.0.0").await;
    served.fill().await;
    let page = served.get("/").await;
    assert_eq!(page.status(), 403);
    assert!(page.body().contains("loopback address only"));
    assert!(!page.0.contains("111122223333"));
    let metrics = "GET /metrics HTTP/1.1\r\nhost: keysweep.monitoring.svc:9853\r\nconnection: close\r\n\r\n";
    assert_eq!(served.ask(metrics).await.status(), 200);
    assert_eq!(served.get("/-/healthy").await.status(), 200);
    assert_eq!(served.get("/-/ready").await.status(), 200);
    served.stop().await;
}

#[tokio::test]
async fn what_is_not_there_or_not_possible_is_said_in_words() {
    let served = Served::local().await;
    let missing = served.get("/nothing?x=%3Cscript%3E").await;
    assert_eq!(missing.status(), 404);
    assert!(missing.body().starts_with("There is nothing at /nothing."), "{missing:?}");
    assert!(missing.head().contains("content-type: text/plain") && missing.head().contains("nosniff"));
    for method in ["POST", "DELETE", "PUT"] {
        let host = served.address;
        let request =
            format!("{method} / HTTP/1.1\r\nhost: {host}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        let answer = served.ask(&request).await;
        assert_eq!(answer.status(), 405);
        assert!(answer.body().contains("decisions are made by the forms of the page"), "{answer:?}");
    }
    served.stop().await;
}

#[tokio::test]
async fn a_body_or_a_head_beyond_reason_is_not_read() {
    let served = Served::local().await;
    let host = served.address;
    let body = format!(
        "GET /metrics HTTP/1.1\r\nhost: {host}\r\ncontent-length: 1000000\r\nconnection: close\r\n\r\n"
    );
    assert_eq!(served.ask(&body).await.status(), 413);
    let long = "a".repeat(15_000);
    let head = format!("GET /metrics HTTP/1.1\r\nhost: {host}\r\nx: {long}\r\ny: {long}\r\n\r\n");
    let mut stream = TcpStream::connect(host).await.unwrap();
    // The server may hang up before it has read everything.
    let _ = stream.write_all(head.as_bytes()).await;
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes).await;
    let told = String::from_utf8_lossy(&bytes);
    assert!(read.is_err() || told.is_empty() || told.starts_with("HTTP/1.1 431"), "{told}");
    assert_eq!(served.get("/-/healthy").await.status(), 200);
    served.stop().await;
}

#[tokio::test]
async fn stopping_ends_connections_that_say_nothing() {
    let served = Served::local().await;
    let mut idle = TcpStream::connect(served.address).await.unwrap();
    // An answer proves that this connection was accepted.
    let request = format!("GET /-/healthy HTTP/1.1\r\nhost: {}\r\n\r\n", served.address);
    idle.write_all(request.as_bytes()).await.unwrap();
    let mut first = [0; 15];
    idle.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    served.stop().await;
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.unwrap();
}
