//! An HTTP server that answers every request with the same bytes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// What follows the answer.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Then {
    Close,
    /// The connection stays open and silent.
    Hang,
    /// Zeros, as long as they are taken.
    Flood,
}

#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Such as `POST /hook HTTP/1.1`.
    pub(crate) line: String,
    /// By name in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// The server. It stops when it is dropped.
pub(crate) struct HttpServer {
    pub(crate) port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
    _tasks: JoinSet<()>,
}

impl HttpServer {
    /// A server whose answers have a status line, headers and a body as given.
    pub(crate) async fn answering(answer: &str, then: Then) -> Self {
        Self::start(answer, then, None).await
    }

    pub(crate) async fn start(answer: &str, then: Then, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, answer.to_owned(), then, tls, requests.clone()));
        Self { port, requests, _tasks: tasks }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(
    listener: TcpListener,
    answer: String,
    then: Then,
    tls: Option<Arc<ServerConfig>>,
    requests: Arc<Mutex<Vec<Request>>>,
) {
    let mut connections = JoinSet::new();
    while let Ok((tcp, _)) = listener.accept().await {
        let (answer, requests, tls) = (answer.clone(), requests.clone(), tls.clone());
        connections.spawn(async move {
            match tls {
                None => exchange(tcp, &answer, then, &requests).await,
                Some(tls) => {
                    let stream = TlsAcceptor::from(tls).accept(tcp).await.ok()?;
                    exchange(stream, &answer, then, &requests).await
                }
            }
        });
    }
}

async fn exchange<S>(stream: S, answer: &str, then: Then, requests: &Mutex<Vec<Request>>) -> Option<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).await.ok()?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    requests.lock().unwrap().push(Request { line: line.trim_end().to_owned(), headers, body });
    stream.write_all(answer.as_bytes()).await.ok()?;
    stream.flush().await.ok()?;
    match then {
        Then::Close => stream.shutdown().await.ok(),
        Then::Hang => std::future::pending().await,
        Then::Flood => loop {
            stream.write_all(&[b'0'; 4096]).await.ok()?;
        },
    }
}

/// A response without a body.
pub(crate) fn status(status: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n")
}

/// A response with a JSON body.
pub(crate) fn json(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )
}
