//! The command's side.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{Method, Request as HttpRequest, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use super::{ROUTE, user_name};
use crate::operator::{Reply, Request};

/// Longer than a pause takes to wait for calls in flight, and an undo to be seen in AWS: a minute each, and their
/// retries.
const TIMEOUT: Duration = Duration::from_secs(300);

/// Why the daemon did not answer.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The socket cannot be opened.
    #[error("connect to the daemon at {}", path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The socket belongs to another user.
    #[error(
        "the daemon at {} runs as another user: run this command as that user or as root",
        path.display()
    )]
    Denied {
        /// The socket.
        path: PathBuf,
    },
    /// Whoever listens may not be the daemon.
    #[error(
        "could not trust the daemon at {}: it runs as {user}, which does not own data_dir; nothing was sent. Stop that \
         process, then remove the socket",
        path.display()
    )]
    Stranger {
        /// The socket.
        path: PathBuf,
        /// Whom it runs as.
        user: String,
    },
    /// The request has no JSON form.
    #[error("encode the request")]
    Encode {
        /// Why.
        source: serde_json::Error,
    },
    /// The request could not be put together.
    #[error("build the request")]
    Build {
        /// Why.
        source: http::Error,
    },
    /// The connection broke. What was asked may have been done.
    #[error("talk to the daemon; whether it did what was asked is not known, see `keysweep journal tail`")]
    Broken {
        /// Why.
        source: hyper::Error,
    },
    /// There was no answer in time. What was asked may still be done.
    #[error("no answer of the daemon within {} s; it goes on all the same, see `keysweep journal tail`", TIMEOUT.as_secs())]
    Timeout,
    /// The daemon could not read the request, as one of another version might not.
    #[error("the daemon answered {status}: {text}")]
    NotUnderstood {
        /// Status of the answer.
        status: StatusCode,
        /// What it said.
        text: String,
    },
    /// The answer is none that this version knows.
    #[error("decode the answer of the daemon")]
    Decode {
        /// Why.
        source: serde_json::Error,
    },
}

/// Asks the daemon that listens at `path`; `None` if none does.
///
/// # Errors
/// A daemon listens, but its answer did not come or makes no sense.
pub async fn ask(path: &Path, request: &Request) -> Result<Option<Reply>, SocketError> {
    let stream = match UnixStream::connect(path).await {
        Ok(stream) => stream,
        Err(error) => {
            return match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Ok(None),
                io::ErrorKind::PermissionDenied => Err(SocketError::Denied { path: path.into() }),
                _ => Err(SocketError::Connect { path: path.into(), source: error }),
            };
        }
    };
    let peer = stream.peer_cred().map_err(|source| SocketError::Connect { path: path.into(), source })?.uid();
    if !may_answer(peer, path) {
        return Err(SocketError::Stranger { path: path.into(), user: user_name(peer) });
    }
    let body = serde_json::to_vec(request).map_err(|source| SocketError::Encode { source })?;
    let reply = tokio::time::timeout(TIMEOUT, exchange(stream, body)).await;
    reply.map_err(|_| SocketError::Timeout)?.map(Some)
}

/// Whether this user may be the daemon's: it is ours, root, or the owner of data_dir. Anybody else has put a socket
/// there, and would learn what is asked and answer what he likes.
fn may_answer(user: u32, socket: &Path) -> bool {
    let owner =
        socket.parent().and_then(|data_dir| std::fs::metadata(data_dir).ok()).map(|found| found.uid());
    is_trusted(user, rustix::process::geteuid().as_raw(), owner)
}

pub(super) fn is_trusted(user: u32, own: u32, owner: Option<u32>) -> bool {
    user == 0 || user == own || owner == Some(user)
}

async fn exchange(stream: UnixStream, body: Vec<u8>) -> Result<Reply, SocketError> {
    let broken = |source| SocketError::Broken { source };
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let request = HttpRequest::builder()
        .method(Method::POST)
        .uri(ROUTE)
        .header(header::HOST, "keysweep")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::<Bytes>::from(body))
        .map_err(|source| SocketError::Build { source })?;
    let conversation = async move {
        let response = sender.send_request(request).await?;
        let status = response.status();
        Ok::<_, hyper::Error>((status, response.into_body().collect().await?.to_bytes()))
    };
    // The connection works only while it is polled, and ends by itself once the conversation is over.
    let (answer, _) = tokio::join!(conversation, connection);
    let (status, answer) = answer.map_err(broken)?;
    if status != StatusCode::OK {
        let text = String::from_utf8_lossy(&answer).into_owned();
        return Err(SocketError::NotUnderstood { status, text });
    }
    serde_json::from_slice(&answer).map_err(|source| SocketError::Decode { source })
}
