//! An HTTP server for one handler.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    /// By name in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    /// Of a form.
    pub(crate) form: BTreeMap<String, String>,
}

/// What is sent back.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Json(u16, String),
    /// To this URL.
    Redirect(String),
    /// A body that never ends.
    Flood,
    /// Nothing, on an open connection.
    Silence,
}

type Handler = dyn Fn(Request) -> Reply + Send + Sync;

/// The server. It stops when it is dropped.
pub(crate) struct Server {
    pub(crate) port: u16,
    _tasks: JoinSet<()>,
}

impl Server {
    /// The handler is made for the port.
    pub(crate) async fn start(
        tls: Option<Arc<ServerConfig>>,
        handler: impl FnOnce(u16) -> Arc<Handler>,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, tls, handler(port)));
        Self { port, _tasks: tasks }
    }
}

async fn serve(listener: TcpListener, tls: Option<Arc<ServerConfig>>, handler: Arc<Handler>) {
    let mut connections = JoinSet::new();
    while let Ok((tcp, _)) = listener.accept().await {
        let (tls, handler) = (tls.clone(), handler.clone());
        connections.spawn(async move {
            match tls {
                None => exchange(tcp, &*handler).await,
                Some(tls) => exchange(TlsAcceptor::from(tls).accept(tcp).await.ok()?, &*handler).await,
            }
        });
    }
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(stream: S, handler: &Handler) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let mut words = line.split_whitespace().map(ToOwned::to_owned);
    let (method, path) = (words.next()?, words.next()?);
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
    let form = form_urlencoded::parse(&body).into_owned().collect();
    match handler(Request { method, path, headers, form }) {
        Reply::Json(status, body) => {
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
            );
            stream.write_all((head + &body).as_bytes()).await.ok()?;
            stream.shutdown().await.ok()
        }
        Reply::Redirect(url) => {
            let head = format!("HTTP/1.1 302 x\r\nlocation: {url}\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(head.as_bytes()).await.ok()?;
            stream.shutdown().await.ok()
        }
        Reply::Flood => {
            stream.write_all(b"HTTP/1.1 200 x\r\ncontent-type: application/json\r\n\r\n").await.ok()?;
            loop {
                stream.write_all(&[b' '; 4096]).await.ok()?;
            }
        }
        Reply::Silence => std::future::pending().await,
    }
}
