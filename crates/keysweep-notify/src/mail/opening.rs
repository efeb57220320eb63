//! The way to a protected connection.
//!
//! `STARTTLS` is done here and not by the library, whose buffer outlives the handshake: somebody on the way could put
//! responses behind the one to `STARTTLS`, in plain text, and they would pass for responses of the server under TLS.
//! Letters that the server never saw would look accepted (compare CVE-2011-0411).

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::stream::Greeted;
use super::{Mailer, Security};
use crate::failure::Failure;
use crate::plain::{excerpt, innermost};
use crate::tls::{is_lasting, tls_error};

/// RFC 5321 allows 512 bytes a line, and servers announce some tens of extensions.
const MAX_LINE: u64 = 2_000;
const MAX_LINES: usize = 100;

impl Mailer {
    /// Connects, with TLS as the options say.
    pub(super) async fn open(&self) -> Result<Greeted, Failure> {
        let (tcp, peer) = self.connect().await.map_err(|error| {
            Failure::temporary(self.detail(&format!("could not connect: {}", innermost(&error))))
        })?;
        match self.security {
            Security::None => Ok(Greeted::new(Box::new(tcp), peer)),
            Security::Tls => Ok(Greeted::new(Box::new(self.handshake(tcp).await?), peer)),
            Security::StartTls => {
                let tcp = self.start_tls(tcp).await?;
                Ok(Greeted::already(Box::new(self.handshake(tcp).await?), peer))
            }
        }
    }

    async fn connect(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await?;
        let peer = tcp.peer_addr()?;
        Ok((tcp, peer))
    }

    async fn handshake(&self, tcp: TcpStream) -> Result<tokio_rustls::client::TlsStream<TcpStream>, Failure> {
        let connector = TlsConnector::from(self.tls.clone());
        connector.connect(self.name.clone(), tcp).await.map_err(|error| match tls_error(&error) {
            Some(tls) if is_lasting(tls) => Failure::misconfigured(self.detail(&format!("tls: {tls}"))),
            _ => Failure::temporary(self.detail(&format!("tls: {}", innermost(&error)))),
        })
    }

    /// Up to the moment in which the server waits for a handshake.
    async fn start_tls(&self, tcp: TcpStream) -> Result<TcpStream, Failure> {
        let mut stream = BufReader::new(tcp);
        self.require_reply("220", response(&mut stream).await)?;
        let hello = self.ask(&mut stream, &format!("EHLO {}\r\n", self.hello)).await;
        let extensions = self.require_reply("250", hello)?;
        if !extensions.iter().skip(1).any(|extension| extension.trim().eq_ignore_ascii_case("STARTTLS")) {
            return Err(Failure::misconfigured(self.detail("the server does not offer STARTTLS")));
        }
        let ready = self.ask(&mut stream, "STARTTLS\r\n").await;
        self.require_reply("220", ready)?;
        if !stream.buffer().is_empty() {
            let what = "plain text after STARTTLS: somebody may be manipulating the connection";
            return Err(Failure::misconfigured(self.detail(what)));
        }
        Ok(stream.into_inner())
    }

    async fn ask(&self, stream: &mut BufReader<TcpStream>, command: &str) -> io::Result<Vec<String>> {
        stream.write_all(command.as_bytes()).await?;
        stream.flush().await?;
        response(stream).await
    }

    /// The lines of a response with this code, without it.
    fn require_reply(&self, code: &str, response: io::Result<Vec<String>>) -> Result<Vec<String>, Failure> {
        let lines = response.map_err(|error| {
            Failure::temporary(self.detail(&format!("the connection failed: {}", innermost(&error))))
        })?;
        let last = lines.last().map(String::as_str).unwrap_or_default();
        if last.starts_with(code) {
            return Ok(lines.iter().filter_map(|line| line.get(4..)).map(str::to_owned).collect());
        }
        let detail = self.detail(&excerpt(last, 200));
        Err(if last.starts_with('5') { Failure::misconfigured(detail) } else { Failure::temporary(detail) })
    }
}

/// The lines of one response.
async fn response(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    while lines.len() < MAX_LINES {
        let mut line = Vec::new();
        (&mut *stream).take(MAX_LINE).read_until(b'\n', &mut line).await?;
        if line.pop() != Some(b'\n') {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the response is incomplete or too long",
            ));
        }
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        let more = line.as_bytes().get(3) == Some(&b'-');
        lines.push(line);
        if !more {
            return Ok(lines);
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "the response has too many lines"))
}
