//! A client: one operation over one connection.

use std::time::Duration;

use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::operation::encode;
use crate::{Operation, Problem, Refusal, Verb};

/// Longer than a pause takes to wait for calls in flight, and an undo to be seen in AWS: a minute each, and their
/// retries.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(300);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
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
    #[error("the connection to the daemon broke; the outcome is unknown, see `keysweep journal tail`")]
    Broken {
        /// Why.
        source: hyper::Error,
    },
    /// There was no answer in time. What was asked may still be done.
    #[error(
        "the daemon did not answer within {} s; it continues anyway, see `keysweep journal tail`",
        ANSWER_WITHIN.as_secs()
    )]
    Timeout,
    /// The answer is none that this version knows, as that of another version might not be.
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

/// Asks the daemon at the other end of `stream`, and gives its reply or its refusal.
///
/// # Errors
/// If there is no answer, or one that makes no sense.
pub async fn call<O: Operation>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send,
    operation: &O,
) -> Result<Result<O::Reply, Refusal>, ClientError> {
    let (path, body) = encode(operation).map_err(|source| ClientError::Encode { source })?;
    let answer = tokio::time::timeout(ANSWER_WITHIN, exchange(stream, O::VERB, &path, body)).await;
    let (status, answer) = answer.map_err(|_| ClientError::Timeout)??;
    if status == StatusCode::OK {
        return serde_json::from_slice(&answer).map(Ok).map_err(|source| ClientError::Decode { source });
    }
    if let Ok(problem) = serde_json::from_slice::<Problem>(&answer) {
        return Ok(Err(problem.refusal));
    }
    // One of a later version says more than this one knows.
    let loose: Option<Loose> = serde_json::from_slice(&answer).ok();
    match loose {
        Some(Loose { detail }) => Ok(Err(Refusal::of_status(status, detail))),
        None => {
            Err(ClientError::NotUnderstood { status, text: String::from_utf8_lossy(&answer).into_owned() })
        }
    }
}

/// What every refusal says.
#[derive(Deserialize)]
struct Loose {
    detail: String,
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send,
    verb: Verb,
    path: &str,
    body: Vec<u8>,
) -> Result<(StatusCode, Bytes), ClientError> {
    let broken = |source| ClientError::Broken { source };
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let request = Request::builder().uri(path).header(header::HOST, "localhost");
    let request = match verb {
        Verb::Get => request.method(http::Method::GET),
        Verb::Post => request.method(http::Method::POST).header(header::CONTENT_TYPE, "application/json"),
    };
    let request = request.body(Full::<Bytes>::from(body)).map_err(|source| ClientError::Build { source })?;
    let conversation = async move {
        let response = sender.send_request(request).await?;
        let status = response.status();
        Ok::<_, hyper::Error>((status, response.into_body().collect().await?.to_bytes()))
    };
    // The connection works only while it is polled, and ends by itself once the conversation is over.
    let (answer, _) = tokio::join!(conversation, connection);
    answer.map_err(broken)
}
