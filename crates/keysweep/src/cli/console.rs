//! Where the output of a command goes, and what it may look like there.

use std::error::Error;
use std::io::{self, BufWriter, IsTerminal, Write};

use tracing::Level;

use super::error::CliError;
use super::text::safe;
use crate::logging::{Graded, priority};

/// Stdout and stderr of a command.
#[derive(Debug, Clone, Copy)]
pub(super) struct Console {
    /// How stdout looks.
    pub(super) screen: Screen,
    /// Whether stderr is a terminal.
    pub(super) stderr_terminal: bool,
    /// Whether messages have colours.
    pub(super) stderr_colour: bool,
    /// Whether messages have priorities.
    pub(super) graded: bool,
    /// How often `--verbose` was given.
    pub(super) verbose: u8,
}

/// What data may look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// Whether tables have colours.
    pub colour: bool,
    /// How wide a table may be.
    pub width: Width,
}

/// How wide a table may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// As wide as the terminal.
    Terminal,
    /// So many columns.
    Columns(u16),
    /// As wide as it gets: one line a row, for files and pipes.
    Any,
}

impl Console {
    /// The console of this process. There is no colour without a terminal, or where `NO_COLOR` is set.
    pub(super) fn of_process(verbose: u8) -> Self {
        let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let (stdout, stderr) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        Self {
            screen: Screen {
                colour: colour && stdout,
                width: if stdout { Width::Terminal } else { Width::Any },
            },
            stderr_terminal: stderr,
            stderr_colour: colour && stderr,
            graded: Graded::is_asked_for(),
            verbose,
        }
    }

    /// Writes data to stdout.
    ///
    /// # Errors
    /// If stdout does not take it.
    pub(super) fn print(
        &self,
        write: impl FnOnce(&mut dyn Write) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        let mut out = BufWriter::new(io::stdout().lock());
        write(&mut out)?;
        out.flush().map_err(|source| CliError::Output { source })
    }

    /// Writes data to stdout. A reader that has seen enough and closed the pipe is no error: what follows, the exit
    /// code among it, does not depend on him.
    pub(super) fn print_until_closed(
        &self,
        write: impl FnOnce(&mut dyn Write) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        self.print(write).or_else(|error| if error.is_closed_pipe() { Ok(()) } else { Err(error) })
    }

    /// Whether stdout is a terminal.
    pub(super) fn is_on_terminal(&self) -> bool {
        self.screen.width == Width::Terminal
    }

    /// Whether somebody reads what is said before the command goes on: a script does not.
    pub(super) fn is_read(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// A message on stderr.
    pub(super) fn say(&self, text: &str) {
        text.lines().for_each(|line| self.line(Level::INFO, line));
    }

    /// A line on stderr, with its priority where journald reads it.
    fn line(&self, level: Level, line: &str) {
        let line = safe(line);
        let priority = if self.graded { format!("<{}>", priority(level)) } else { String::new() };
        // Nobody can be told that stderr is closed.
        let _ = writeln!(io::stderr(), "{priority}{line}");
    }

    /// A message on stderr for those who want to know more.
    pub(super) fn explain(&self, text: &str) {
        if self.verbose > 0 {
            self.say(text);
        }
    }

    /// A warning on stderr.
    pub(super) fn warn(&self, text: &str) {
        self.labelled(Level::WARN, "warning:", "33", text);
    }

    /// An error and its causes on stderr.
    pub(super) fn error(&self, error: &dyn Error) {
        self.labelled(Level::ERROR, "error:", "31", &error.to_string());
        let mut last = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            // Wrappers that are transparent say the same twice.
            if text != last {
                format!("caused by: {text}").lines().for_each(|line| self.line(Level::ERROR, line));
            }
            last = text;
            source = cause.source();
        }
    }

    fn labelled(&self, level: Level, label: &str, colour: &str, text: &str) {
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        if self.stderr_colour {
            let _ = writeln!(io::stderr(), "\u{1b}[1;{colour}m{label}\u{1b}[0m {}", safe(first));
        } else {
            self.line(level, &format!("{label} {first}"));
        }
        lines.for_each(|line| self.line(level, line));
    }
}
