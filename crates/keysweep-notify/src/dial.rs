//! A TCP or TLS connection to an allowed address, for protocols other than HTTP.

use std::sync::Arc;

use reqwest::Url;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::failure::Failure;
use crate::plain::innermost;
use crate::target::{checked, reach};
use crate::tls::{is_lasting, tls_error};

/// What a stream of either kind can do.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Sync + Unpin + std::fmt::Debug {}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin + std::fmt::Debug> Wire for S {}

/// Connects to the host of an `https` URL with TLS, or to that of an `http` URL on loopback without.
///
/// # Errors
/// The URL is not allowed, or the connection failed. The message names the host at most.
pub(crate) async fn dial(
    url: &Url,
    allow_private: bool,
    tls: &Arc<ClientConfig>,
) -> Result<Box<dyn Wire>, Failure> {
    let reach = reach(url, allow_private).map_err(Failure::misconfigured)?;
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let port = url.port_or_known_default().unwrap_or(443);
    let failed = |what: &(dyn std::error::Error + 'static)| {
        Failure::temporary(format!("{host}:{port}: {}", innermost(what)))
    };
    let found = tokio::net::lookup_host((host, port)).await.map_err(|error| failed(&error))?;
    let addresses = checked(reach, found.collect())
        .map_err(|forbidden| Failure::misconfigured(format!("{host}: {forbidden}")))?;
    let tcp = TcpStream::connect(addresses.as_slice()).await.map_err(|error| failed(&error))?;
    if url.scheme() == "http" {
        return Ok(Box::new(tcp));
    }
    let name = ServerName::try_from(host.to_owned()).map_err(|error| failed(&error))?;
    let connected = TlsConnector::from(Arc::clone(tls)).connect(name, tcp).await;
    let stream = connected.map_err(|error| match tls_error(&error) {
        Some(tls) if is_lasting(tls) => Failure::misconfigured(format!("{host}:{port}: tls: {tls}")),
        _ => failed(&error),
    })?;
    Ok(Box::new(stream))
}
