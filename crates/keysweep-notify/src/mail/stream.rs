//! A connection whose greeting was read already.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::dial::Wire;

/// A stream from which a greeting is read before all else.
///
/// A mail server greets once, and not again after `STARTTLS`; the library waits for a greeting on each connection that
/// it is given.
#[derive(Debug)]
pub(super) struct Greeted {
    /// What is left of it.
    greeting: &'static [u8],
    wire: Box<dyn Wire>,
    peer: SocketAddr,
}

impl Greeted {
    /// A connection from its first byte.
    pub(super) fn new(wire: Box<dyn Wire>, peer: SocketAddr) -> Self {
        Self { greeting: b"", wire, peer }
    }

    /// A connection on which the server has nothing to say before it is asked.
    pub(super) fn already(wire: Box<dyn Wire>, peer: SocketAddr) -> Self {
        Self { greeting: b"220 TLS\r\n", wire, peer }
    }
}

impl AsyncTokioStream for Greeted {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

impl AsyncRead for Greeted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.greeting.is_empty() {
            return Pin::new(&mut self.wire).poll_read(cx, buf);
        }
        let (now, later) = self.greeting.split_at(self.greeting.len().min(buf.remaining()));
        buf.put_slice(now);
        self.greeting = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Greeted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(cx)
    }
}
