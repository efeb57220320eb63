//! Clients that begin well, otherwise, or never.

use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::http::stage::{Stage, connect, exchange, mk_certificate, request};

fn healthy() -> String {
    request("GET", "/-/healthy", &[])
}

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_of_tls_are_spoken_with_http_1_1_inside() {
    let (stage, made) = (Stage::new(), mk_certificate());
    stage.put(&made.cert, &made.key);
    let running = stage.daemon("127.0.0.1", &stage.tls()).await;
    for version in [&TLS12, &TLS13] {
        let mut client = made.client(&[version]);
        client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let stream = connect(running.address, client).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        exchange(stream, healthy().as_bytes()).await.is(200, "keysweep works");
    }
    let mut client = made.client(&[&TLS13]);
    client.alpn_protocols = vec![b"h2".to_vec()];
    assert!(connect(running.address, client).await.is_err());
    // The page is for whoever trusts the certificate, by whatever name.
    let named = request("GET", "/", &[]).replace("host: localhost", "host: keysweep.example");
    made.ask(running.address, &named).await.is(200, "<html");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_plain_http_to_a_port_with_tls_is_told_so() {
    let (stage, made) = (Stage::new(), mk_certificate());
    stage.put(&made.cert, &made.key);
    let running = stage.daemon("127.0.0.1", &stage.tls()).await;
    for text in [healthy(), request("POST", "/-/reload", &[("authorization", "Bearer right")])] {
        let answer = running.ask(&text).await;
        answer.is(400, "This port requires TLS: use https.");
        assert!(answer.0.ends_with('\n'));
    }
    for nonsense in [&b""[..], b"\x00\x01\x02", b"\x16\x03\x01\x00\x05hello", b"\x16\x03\x01\xff\xff", b"ssh"]
    {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        stream.write_all(nonsense).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        assert!(rest.len() < 64, "{}", rest.escape_ascii());
    }
    made.ask(running.address, &healthy()).await.is(200, "keysweep works");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_tls_to_a_plain_port_is_turned_away() {
    let running = Stage::new().daemon("127.0.0.1", "").await;
    assert!(mk_certificate().connect(running.address).await.is_err());
    running.ask(&healthy()).await.is(200, "keysweep works");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn clients_that_never_finish_a_handshake_give_their_places_back() {
    let (stage, made) = (Stage::new(), mk_certificate());
    stage.put(&made.cert, &made.key);
    let running = stage.daemon("127.0.0.1", &stage.tls()).await;
    // As many as there are places: some silent, some in the middle of a word, some in the middle of plain HTTP.
    let mut slow = Vec::new();
    for number in 0..64 {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        let said: &[u8] = [&b""[..], b"\x16\x03\x01\x01\x00\x01", b"GET /"][number % 3];
        stream.write_all(said).await.unwrap();
        slow.push(stream);
    }
    made.ask(running.address, &healthy()).await.is(200, "keysweep works");
    // The server has hung up on every one.
    for mut stream in slow {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 400"), "{}", rest.escape_ascii());
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_without_its_certificate_does_not_start() {
    let (stage, made) = (Stage::new(), mk_certificate());
    stage.configure("127.0.0.1", &stage.tls());
    let error = keysweep::config::load_to_serve(&stage.sources(), jiff::Timestamp::UNIX_EPOCH).unwrap_err();
    assert!(error.to_string().contains("http.tls.cert_file: read"), "{error}");
    stage.put(&made.cert, "");
    let error = keysweep::config::load_to_serve(&stage.sources(), jiff::Timestamp::UNIX_EPOCH).unwrap_err();
    assert!(error.to_string().contains("http.tls.key_file:"), "{error}");
}

/// Opens many connections that never say a word, and more of them than fit.
async fn quiet(address: std::net::SocketAddr) -> Vec<TcpStream> {
    let mut quiet = Vec::new();
    for _ in 0..70 {
        quiet.push(TcpStream::connect(address).await.unwrap());
    }
    quiet
}

#[tokio::test(flavor = "multi_thread")]
async fn quiet_connections_do_not_starve_health() {
    let running = Stage::new().daemon("127.0.0.1", "").await;
    let mut quiet = quiet(running.address).await;
    for path in ["/-/healthy", "/metrics"] {
        running.ask(&request("GET", path, &[])).await.is(200, "");
    }
    // The oldest was closed, and no time limit: the newest still is answered.
    assert_eq!(quiet[0].read(&mut [0]).await.unwrap_or(0), 0);
    exchange(quiet.pop().unwrap(), healthy().as_bytes()).await.is(200, "keysweep works");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_handshakes_do_not_starve_health() {
    let (stage, made) = (Stage::new(), mk_certificate());
    stage.put(&made.cert, &made.key);
    let running = stage.daemon("127.0.0.1", &stage.tls()).await;
    let mut quiet = quiet(running.address).await;
    made.ask(running.address, &healthy()).await.is(200, "keysweep works");
    let newest = quiet.pop().unwrap();
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let client = std::sync::Arc::new(made.client(rustls::ALL_VERSIONS));
    let stream = tokio_rustls::TlsConnector::from(client).connect(name, newest).await.unwrap();
    exchange(stream, healthy().as_bytes()).await.is(200, "keysweep works");
    running.stop().await;
}
