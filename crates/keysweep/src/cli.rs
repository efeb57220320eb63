//! The command line: what may be typed, and what each command does with configuration, daemon and data_dir.
//!
//! Data goes to stdout, everything else to stderr. The exit codes are those of [`Exit`].

mod approvals;
mod args;
mod config;
mod console;
mod credentials;
mod doctor;
mod error;
mod evidence;
mod export;
mod generate;
mod harden;
mod iam;
mod init;
mod journal;
mod keys;
mod notices;
mod operator;
mod people;
mod progress;
mod rules;
mod run;
mod scan;
pub mod schemas;
mod state;
mod status;
mod stop;
mod table;
mod text;
mod token;
pub mod view;

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

pub use self::args::Cli;
use self::args::{Command, JournalCommand, KeysCommand, StateCommand};
use self::console::Console;
pub use self::error::CliError;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It did what it says.
    Done,
    /// It failed, or nothing such exists, or the state does not allow it.
    Failed,
    /// The command line or the configuration is wrong.
    Usage,
    /// Findings are present and were asked about.
    Findings,
    /// Not everything could be looked at.
    Incomplete,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Findings => 3,
            Exit::Incomplete => 4,
        })
    }
}

impl Exit {
    /// The exit of a process that could not even start, which is told on stderr.
    #[must_use]
    pub fn of_start(error: &io::Error) -> Self {
        Console::of_process(0).error(error);
        Self::Failed
    }
}

impl Cli {
    /// The command line of this process.
    ///
    /// # Errors
    /// The exit, where there is nothing to run: help was asked for and is shown, or the command line is wrong.
    pub fn of_process() -> Result<Self, Exit> {
        Self::parse_line(std::env::args_os()).map_err(|error| {
            // A closed pipe is nobody's error.
            let _ = error.print();
            if error.use_stderr() { Exit::Usage } else { Exit::Done }
        })
    }

    /// Reads a command line, which begins with the name of the program.
    fn parse_line(line: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        Self::try_parse_from(settings_first(line))
    }

    /// The definition of the command line, for help texts, completions and man pages.
    #[must_use]
    pub fn definition() -> clap::Command {
        Self::command()
    }

    /// Runs the command and tells its errors.
    pub async fn run(self) -> Exit {
        let console = Console::of_process(self.global.verbose);
        let done = match harden::no_core_dumps() {
            Ok(()) => self.dispatch(&console).await,
            Err(error) => Err(error),
        };
        done.unwrap_or_else(|error| {
            if error.is_closed_pipe() {
                return Exit::Done;
            }
            console.error(&error);
            error.exit()
        })
    }

    async fn dispatch(self, console: &Console) -> Result<Exit, CliError> {
        let global = &self.global;
        match self.command {
            Command::Run => run::run(global, console).await,
            Command::Status(args) => status::status(global, &args, console).await,
            Command::Scan(args) => scan::scan(global, &args, console).await,
            Command::Plan(args) => operator::plan(global, args, console).await,
            Command::Undo(args) => keys::keys(global, KeysCommand::Reactivate(args), console).await,
            Command::Keys { command } => keys::keys(global, command, console).await,
            Command::Approvals { command } => approvals::approvals(global, command, console).await,
            Command::Holds { command } => people::holds(global, command, console).await,
            Command::Exemptions { command } => people::exemptions(global, command, console).await,
            Command::Sessions { command } => people::sessions(global, command, console).await,
            Command::Notices { command } => notices::notices(global, command, console).await,
            Command::Evidence(args) => evidence::evidence(global, args, console).await,
            Command::Pause(args) => stop::pause(global, args.reason, console).await,
            Command::Resume(args) => stop::resume(global, args, console).await,
            Command::Rules { command } => rules::rules(global, command, console).await,
            Command::Breaker { command } => stop::breaker(global, command, console).await,
            Command::Accounts { command } => stop::accounts(global, command, console).await,
            Command::Journal { command: JournalCommand::Export { from } } => {
                journal::export(global, from, console)
            }
            Command::Journal { command: JournalCommand::Verify { format } } => {
                journal::verify(global, format, console)
            }
            Command::Journal { command: JournalCommand::Tail { number, format } } => {
                journal::tail(global, number, format, console)
            }
            Command::State { command: StateCommand::Rebuild } => state::rebuild(global, console),
            Command::State { command: StateCommand::Backup { to } } => {
                state::backup(global, &to, console).await
            }
            Command::State { command: StateCommand::Restore { file, force } } => {
                state::restore(global, &file, force, console).await
            }
            Command::Config { command } => config::config(global, &command, console).await,
            Command::Doctor(args) => doctor::doctor(global, &args, console).await,
            Command::Iam { command } => iam::iam(global, &command, console),
            Command::Token { command } => token::token(command, console),
            #[cfg(feature = "demo")]
            Command::Demo(options) => run::demo(options).await,
            Command::Completions { shell } => generate::completions(shell, console),
            Command::Man { out } => generate::man(out.as_deref(), console),
        }
    }
}

/// Moves every `--set` to the front: of a flag that is given both before and after the command, clap keeps only the
/// latter.
fn settings_first(line: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    const FLAG: &str = "--set";
    let mut line = line.into_iter();
    let (mut front, mut rest) = (Vec::from_iter(line.next()), Vec::new());
    while let Some(word) = line.next() {
        if word == "--" {
            rest.push(word);
            rest.extend(line.by_ref());
        } else if word == FLAG {
            front.push(word);
            front.extend(line.next());
        } else if word.to_string_lossy().strip_prefix(FLAG).is_some_and(|tail| tail.starts_with('=')) {
            front.push(word);
        } else {
            rest.push(word);
        }
    }
    front.append(&mut rest);
    front
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_before_and_after_the_command_all_count() {
        let line = [
            "keysweep",
            "--set",
            "log.level=keysweep=debug",
            "plan",
            "--set",
            "policy.mode=observe",
            "--set=a=b",
        ];
        let set = Cli::parse_line(line.map(OsString::from)).unwrap().global.set;
        let expected = [("log.level", "keysweep=debug"), ("policy.mode", "observe"), ("a", "b")];
        assert_eq!(set, expected.map(|(key, value)| (key.into(), value.into())));
    }

    #[test]
    fn a_setting_without_a_value_is_still_a_mistake() {
        let error = Cli::parse_line(["keysweep", "plan", "--set"].map(OsString::from)).unwrap_err();
        assert!(error.use_stderr(), "{error}");
    }
}
