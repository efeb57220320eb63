//! Requests over HTTP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use keysweep::clock::Clock;
use keysweep::config::{Sources, load};
use keysweep::connect::Given;
use keysweep::engine::Engine;
use keysweep::health::Health;
use keysweep::metrics::Metrics;
use keysweep::reload;
use keysweep::serve::{Serving, serve_address};
use keysweep::token::Digest;
use keysweep_store::OpenOptions;
use proptest::prelude::*;
use proptest::sample::select;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::damage::{check, corpus, mk_damage};
use crate::organization;

/// No connection lives longer. Time is paused, and jumps ahead where the server waits for more than was sent.
const LIMIT: Duration = Duration::from_secs(3_600);

/// The server over a real engine that knows an organization.
struct Served {
    runtime: Runtime,
    engine: Arc<Engine>,
    address: SocketAddr,
    _tasks: JoinSet<std::io::Result<()>>,
    _folder: TempDir,
}

fn mk_served() -> Served {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (engine, address, tasks) = runtime.block_on(async {
        let now = organization::now();
        let tokens = format!(
            "[{{ name = \"dana\", role = \"operator\", sha256 = \"{}\" }}]",
            Digest::of("right").to_hex()
        );
        let sources = Sources::default()
            .with_flag("--data-dir", "data_dir", folder.path().to_str().unwrap())
            .with_flag("--token", "http.token", tokens);
        let config = Arc::new(load(&sources, now).unwrap());
        let clock = Clock::scaled(now, 1.0);
        let opened =
            Engine::open(config, clock, Metrics::new(), Given::default(), OpenOptions::default()).await;
        let (engine, _) = opened.unwrap();
        for (at, body) in organization::entries() {
            engine.store().record(at, &keysweep_core::state::Actor::Keysweep, vec![body]).await.unwrap();
        }
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        let serving = Serving::new(Arc::clone(&engine), Health::new(), reload::channel().0);
        tasks.spawn(serve_address(listener, serving, None, CancellationToken::new()));
        (engine, address, tasks)
    });
    Served { runtime, engine, address, _tasks: tasks, _folder: folder }
}

impl Served {
    /// Sends bytes and nothing more; what was answered. No answer blames the server, and nothing changes.
    fn send(&self, request: &[u8]) -> Vec<u8> {
        let before = self.engine.store().last_seq();
        let answer = self.runtime.block_on(async {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            let mut answer = Vec::new();
            // The server may hang up as soon as it has read enough, and what it said is lost with the rest.
            let talk = async {
                let _ = stream.write_all(request).await;
                let _ = stream.read_to_end(&mut answer).await;
            };
            timeout(LIMIT, talk).await.expect("an answer or the end in time");
            answer
        });
        for head in statuses(&answer) {
            assert!(head < 500, "{head} to {}", request.escape_ascii());
        }
        assert_eq!(self.engine.store().last_seq(), before, "changed by {}", request.escape_ascii());
        answer
    }
}

/// The status of each answer.
fn statuses(answer: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(answer);
    let begins = text.lines().filter_map(|line| line.strip_prefix("HTTP/1."));
    begins.filter_map(|rest| rest.get(2..5)?.parse().ok()).collect()
}

fn mk_method() -> impl Strategy<Value = String> {
    let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH", "get"];
    prop_oneof![3 => select(known.to_vec()).prop_map(str::to_owned), 1 => "[!-~]{1,30}"]
}

fn mk_path() -> impl Strategy<Value = String> {
    let known = [
        "/",
        "/metrics",
        "/-/healthy",
        "/-/ready",
        "/-/reload",
        "/api/v1/keys",
        "*",
        "//",
        "/..%2f..%2fetc/passwd",
        "/metrics/",
        "/%00",
        "/metrics?x=<script>",
        "http://127.0.0.1/metrics",
        "/\u{202e}",
    ];
    prop_oneof![3 => select(known.to_vec()).prop_map(str::to_owned), 1 => "/[!-~]{0,300}", 1 => "\\PC{1,30}"]
}

fn mk_headers() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let known = [
        "host",
        "content-length",
        "transfer-encoding",
        "expect",
        "connection",
        "upgrade",
        "accept-encoding",
        "content-type",
        "cookie",
        "authorization",
        "origin",
        "x-forwarded-for",
        "range",
        "if-none-match",
    ];
    let values: [&[u8]; 14] = [
        b"Bearer wrong",
        b"Bearer ",
        b"Bearer right, Bearer wrong",
        b"Basic cmlnaHQ6cmlnaHQ=",
        b"localhost",
        b"evil.example",
        b"chunked",
        b"100-continue",
        b"upgrade",
        b"-1",
        b"0",
        b"5",
        b"99999999999999999999",
        b"gzip",
    ];
    let name = prop_oneof![4 => select(known.to_vec()).prop_map(str::to_owned), 1 => "[a-zA-Z-]{1,40}"];
    let value = prop_oneof![
        4 => select(values.to_vec()).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..100),
    ];
    prop::collection::vec((name, value), 0..6)
}

#[test]
fn a_request_of_the_corpus_is_answered_or_refused() {
    let served = mk_served();
    for (_, request) in corpus("http") {
        served.send(&request);
    }
    assert_eq!(
        statuses(&served.send(b"GET /-/healthy HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")),
        [200]
    );
}

#[test]
fn a_damaged_request_blames_nobody_here_and_changes_nothing() {
    let served = mk_served();
    check(250, &(select(corpus("http")), mk_damage()), |((_, request), damage)| {
        served.send(&damage.done_to(&request));
    });
}

#[test]
fn any_method_path_header_and_body_is_answered_and_changes_nothing() {
    let served = mk_served();
    let body = prop::collection::vec(any::<u8>(), 0..6_000);
    check(250, &(mk_method(), mk_path(), mk_headers(), body), |(method, path, headers, body)| {
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n").into_bytes();
        for (name, value) in headers {
            request.extend([name.as_bytes(), b": ", &value, b"\r\n"].concat());
        }
        request.extend([b"\r\n".as_slice(), &body].concat());
        served.send(&request);
    });
}
