//! A daemon with a configuration that can change, certificates that can be renewed, and clients.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use keysweep::config::{Sources, load_to_serve};
use keysweep::daemon::{Daemon, Parts};
use keysweep::metrics::{Metrics, render};
use keysweep::token::{Digest, Role};
use keysweep_store::OpenOptions;
use keysweep_tests::company::Company;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// No connection lives longer. Where time is paused it jumps, so that this is not waited for.
const LIMIT: Duration = Duration::from_secs(3_600);

/// What goes before a daemon.
pub(crate) struct Stage {
    company: Company,
    folder: TempDir,
}

/// A certificate, its key, and who trusts it.
pub(crate) struct Made {
    pub(crate) cert: String,
    pub(crate) key: String,
    der: CertificateDer<'static>,
}

/// A daemon that runs.
pub(crate) struct Running {
    pub(crate) daemon: Daemon,
    /// Where it is reached on this machine.
    pub(crate) address: SocketAddr,
}

/// What was answered, from the status line on.
#[derive(Debug)]
pub(crate) struct Answer(pub(crate) String);

/// A certificate for this machine, made for this test alone.
pub(crate) fn mk_certificate() -> Made {
    mk_certificate_until(2090)
}

/// A certificate that ends with the beginning of a year.
pub(crate) fn mk_certificate_until(year: i32) -> Made {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(year, 1, 1));
    let key = KeyPair::generate().unwrap();
    let cert = params.self_signed(&key).unwrap();
    Made { cert: cert.pem(), key: key.serialize_pem(), der: cert.der().clone() }
}

/// An entry of the configuration for a token.
pub(crate) fn mk_token(name: &str, role: Role, token: &str) -> String {
    let digest = Digest::of(token).to_hex();
    format!("[[http.token]]\nname = {name:?}\nrole = \"{role}\"\nsha256 = {digest:?}\n")
}

impl Made {
    /// A client that trusts this certificate and no other, and speaks these protocols.
    pub(crate) fn client(&self, versions: &[&'static rustls::SupportedProtocolVersion]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
        builder.with_root_certificates(roots).with_no_client_auth()
    }

    /// Shakes hands as a client that trusts this certificate and no other.
    pub(crate) async fn connect(&self, address: SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
        connect(address, self.client(rustls::ALL_VERSIONS)).await
    }

    /// Asks over TLS.
    pub(crate) async fn ask(&self, address: SocketAddr, request: &str) -> Answer {
        exchange(self.connect(address).await.unwrap(), request.as_bytes()).await
    }
}

/// Shakes hands.
pub(crate) async fn connect(
    address: SocketAddr,
    client: ClientConfig,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let shaken = timeout(LIMIT, TlsConnector::from(Arc::new(client)).connect(name, stream)).await;
    shaken.expect("a handshake or its end in time")
}

/// Waits, in time that jumps, for what happens within a few looks at the files.
pub(crate) async fn within_minutes<F: Future<Output = bool>>(mut happened: impl FnMut() -> F) -> bool {
    for _ in 0..60 {
        if happened().await {
            return true;
        }
        sleep(Duration::from_secs(5)).await;
    }
    false
}

/// Sends a request, and reads to the end of the connection.
pub(crate) async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &[u8]) -> Answer {
    let mut bytes = Vec::new();
    let talk = async {
        // The server may hang up before it has read everything.
        let _ = stream.write_all(request).await;
        let _ = stream.read_to_end(&mut bytes).await;
    };
    timeout(LIMIT, talk).await.expect("an answer or the end in time");
    Answer(String::from_utf8(bytes).unwrap())
}

/// A request without a body, with these headers.
pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> String {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\nconnection: close\r\n{headers}\r\n"
    )
}

/// A request with a token.
pub(crate) fn with_token(method: &str, path: &str, token: &str) -> String {
    request(method, path, &[("authorization", &format!("Bearer {token}"))])
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self { company: Company::new(""), folder: tempfile::tempdir().unwrap() }
    }

    /// A file of the stage.
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a certificate and a key where the configuration says they are.
    pub(crate) fn put(&self, cert: &str, key: &str) {
        fs::write(self.at("tls.crt"), cert).unwrap();
        fs::write(self.at("tls.key"), key).unwrap();
    }

    /// `[http.tls]`.
    pub(crate) fn tls(&self) -> String {
        format!("[http.tls]\ncert_file = {:?}\nkey_file = {:?}\n", self.at("tls.crt"), self.at("tls.key"))
    }

    /// Writes the configuration.
    pub(crate) fn configure(&self, listen: &str, rest: &str) {
        let text = format!(
            "data_dir = {:?}\nscan.interval = \"1d\"\nhttp.listen = \"{listen}:0\"\n{rest}",
            self.company.data_dir.path()
        );
        // As one step: the daemon may be reading it.
        fs::write(self.at("keysweep.toml.new"), text).unwrap();
        fs::rename(self.at("keysweep.toml.new"), self.at("keysweep.toml")).unwrap();
    }

    /// What AWS is.
    pub(crate) fn company(&self) -> &Company {
        &self.company
    }

    pub(crate) fn sources(&self) -> Sources {
        Sources { file: Some(self.at("keysweep.toml")), ..Sources::default() }
    }

    /// Starts a daemon on an address, with this configuration.
    pub(crate) async fn daemon(&self, listen: &str, rest: &str) -> Running {
        self.configure(listen, rest);
        let sources = self.sources();
        let loaded = load_to_serve(&sources, self.company.clock.now());
        let (config, _) = loaded.unwrap_or_else(|error| panic!("{error}"));
        let parts = Parts {
            config,
            sources,
            clock: self.company.clock.clone(),
            metrics: Metrics::new(),
            given: self.company.given(),
            open: OpenOptions::default(),
        };
        let daemon = Daemon::start(parts).await.unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], daemon.http_address().port()));
        Running { daemon, address }
    }
}

/// Posts JSON with a token.
pub(crate) fn post(path: &str, token: &str, json: &str) -> String {
    post_as(
        path,
        &[("authorization", &format!("Bearer {token}")), ("content-type", "application/json")],
        json,
    )
}

/// Posts with these headers.
pub(crate) fn post_as(path: &str, headers: &[(&str, &str)], body: &str) -> String {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}"
    )
}

impl Running {
    /// Asks without TLS.
    pub(crate) async fn ask(&self, request: &str) -> Answer {
        exchange(TcpStream::connect(self.address).await.unwrap(), request.as_bytes()).await
    }

    /// Whether the configuration and the certificate were accepted when they were last loaded, as Prometheus is told.
    pub(crate) fn accepted(&self) -> bool {
        let text = render(self.daemon.engine().metrics().families()).unwrap();
        let line = text.lines().find(|line| line.starts_with("keysweep_config_last_reload_successful "));
        line.unwrap().ends_with(" 1")
    }

    pub(crate) async fn stop(self) {
        self.daemon.drain().await.unwrap();
    }
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        let status = self.0.split(' ').nth(1).and_then(|status| status.parse().ok());
        status.unwrap_or_else(|| panic!("no answer: {:?}", self.0))
    }

    /// The value of a header, if it is there once.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let (head, _) = self.0.split_once("\r\n\r\n").unwrap();
        let mut values = head.lines().filter_map(|line| line.split_once(": "));
        let found = values.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned());
        assert!(values.all(|(key, _)| !key.eq_ignore_ascii_case(name)), "{name} twice in {head}");
        found
    }

    /// Every value of a header.
    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        let (head, _) = self.0.split_once("\r\n\r\n").unwrap();
        let values = head.lines().filter_map(|line| line.split_once(": "));
        values.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }

    pub(crate) fn body(&self) -> &str {
        self.0.split_once("\r\n\r\n").unwrap().1
    }

    /// Checks the status and that the words hold a text.
    pub(crate) fn is(&self, status: u16, text: &str) {
        assert_eq!(self.status(), status, "{self:?}");
        assert!(self.body().contains(text), "{text:?} in {self:?}");
    }
}
