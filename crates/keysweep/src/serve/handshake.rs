//! The beginning of a connection over TLS.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What is said to who speaks plain HTTP here, as most who do are people.
const PLAIN_ANSWER: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    content-type: text/plain; charset=utf-8\r\n\
    content-length: 95\r\n\
    connection: close\r\n\
    \r\n\
    This port requires TLS: use https. Replace any token that you sent here: it was not encrypted.\n";

/// Most that is read of a plain request before the connection is closed.
const PLAIN_BYTES: usize = 16 * 1024;

/// Shakes hands.
///
/// # Errors
/// If the client speaks something else, or nothing that both understand.
pub(super) async fn shake(
    mut stream: TcpStream,
    server: Arc<ServerConfig>,
) -> io::Result<TlsStream<TcpStream>> {
    let mut first = [0];
    stream.peek(&mut first).await?;
    // Methods are words in capitals; a handshake begins with 0x16 (RFC 8446, section 5.1).
    if first.iter().all(u8::is_ascii_uppercase) {
        refuse(&mut stream).await?;
        return Err(io::Error::new(io::ErrorKind::InvalidData, "plain http on a port that speaks tls"));
    }
    TlsAcceptor::from(server).accept(stream).await
}

/// Tells a client that it speaks plain HTTP. What it still sends is read first, up to a bound: closing a connection
/// with something unread would take the answer back.
async fn refuse(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(PLAIN_ANSWER).await?;
    stream.shutdown().await?;
    let mut rest = [0; 1024];
    let mut read = 0;
    while read < PLAIN_BYTES {
        match stream.read(&mut rest).await? {
            0 => break,
            n => read += n,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_plain_http_is_as_long_as_it_says() {
        let text = std::str::from_utf8(PLAIN_ANSWER).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{}", body.len());
    }
}
