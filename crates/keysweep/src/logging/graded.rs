//! How grave a message is, for journald: `journalctl --priority` asks by it.

use std::io::{self, Write};

use rustix::fs::fstat;
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// Stderr with the priority of each message before it, as `sd-daemon(3)` has it. journald takes that off again.
#[derive(Debug, Clone, Copy, Default)]
pub struct Graded;

impl Graded {
    /// Whether journald reads this process's stderr: what `JOURNAL_STREAM` names is what it is; see systemd.exec(5).
    #[must_use]
    pub fn is_asked_for() -> bool {
        let named = std::env::var("JOURNAL_STREAM").ok();
        let is = fstat(io::stderr()).map(|stderr| format!("{}:{}", stderr.st_dev, stderr.st_ino)).ok();
        named.is_some() && named == is
    }
}

/// Hands messages on, each with its priority before it.
#[derive(Debug)]
pub struct Prefixed<W> {
    priority: u8,
    writer: W,
}

impl<W: Write> Write for Prefixed<W> {
    /// Takes one message. It leaves in one piece, so that no other comes between.
    fn write(&mut self, message: &[u8]) -> io::Result<usize> {
        self.writer.write_all(&[format!("<{}>", self.priority).as_bytes(), message].concat())?;
        Ok(message.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl MakeWriter<'_> for Graded {
    type Writer = Prefixed<io::Stderr>;

    fn make_writer(&self) -> Self::Writer {
        Prefixed { priority: priority(Level::INFO), writer: io::stderr() }
    }

    fn make_writer_for(&self, message: &Metadata<'_>) -> Self::Writer {
        Prefixed { priority: priority(*message.level()), writer: io::stderr() }
    }
}

/// The number that syslog(3) gives a level.
#[must_use]
pub fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_written_in_one_piece_behind_its_priority() {
        let mut prefixed = Prefixed { priority: priority(Level::ERROR), writer: Vec::new() };
        prefixed.write_all(b"sweep failed\n").unwrap();
        prefixed.write_all(b"again\n").unwrap();
        assert_eq!(prefixed.writer, b"<3>sweep failed\n<3>again\n");
    }
}
