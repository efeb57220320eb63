//! A mail server that takes everything and counts it.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// A mail server on a loopback address. It ends with the process.
pub(super) struct MailServer {
    pub(super) address: SocketAddr,
    taken: Arc<AtomicU64>,
}

impl MailServer {
    pub(super) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let (address, taken) = (listener.local_addr()?, Arc::new(AtomicU64::new(0)));
        let counter = Arc::clone(&taken);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counter = Arc::clone(&counter);
                // A connection that breaks off is one that its client gave up.
                thread::spawn(move || converse(&stream, &counter));
            }
        });
        Ok(Self { address, taken })
    }

    /// Messages that were taken so far.
    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Acquire)
    }
}

/// RFC 5321, as far as a client needs it that asks for no extension.
fn converse(stream: &TcpStream, taken: &AtomicU64) -> io::Result<()> {
    let mut out = stream;
    let mut lines = BufReader::new(stream).lines();
    out.write_all(b"220 bench\r\n")?;
    while let Some(line) = lines.next() {
        let verb = line?.to_ascii_uppercase();
        let reply: &[u8] = match verb.get(..4) {
            Some("DATA") => {
                out.write_all(b"354 go on\r\n")?;
                for line in lines.by_ref() {
                    if line? == "." {
                        break;
                    }
                }
                taken.fetch_add(1, Ordering::AcqRel);
                b"250 taken\r\n"
            }
            Some("QUIT") => return out.write_all(b"221 bye\r\n"),
            Some(_) | None => b"250 ok\r\n",
        };
        out.write_all(reply)?;
    }
    Ok(())
}
