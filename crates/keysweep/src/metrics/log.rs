//! Messages in the log.

use prometheus::Registry;
use tracing::Level;

use super::counters::Counters;

const LEVELS: [Level; 5] = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];

/// Counters of messages.
pub struct Log {
    messages: Counters<1>,
}

impl Log {
    pub(super) fn new(registry: &Registry) -> Self {
        let messages = Counters::new(
            registry,
            "keysweep_log_messages_total",
            "Log messages by level.",
            ["level"],
            LEVELS.map(|level| [name(level)]),
        );
        Self { messages }
    }

    /// A message was logged.
    pub fn message(&self, level: Level) {
        self.messages.count([name(level)]);
    }
}

fn name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}
