//! What may be typed.

mod examples;
mod keys;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use keysweep_core::ids::AccountId;
use keysweep_core::lifecycle::Finding;

use crate::iam::{HubArn, OrganizationId};
use crate::token::{self, Role};

use self::examples::{
    BACKUP_EXAMPLES, BREAKER_EXAMPLES, DOCTOR_EXAMPLES, IAM_EXAMPLES, KEYS_EXAMPLES, RESTORE_EXAMPLES,
    SCAN_EXAMPLES, TOKEN_EXAMPLES,
};
pub(super) use self::keys::{DecisionArgs, KeysCommand, StateName};

/// Finds IAM access keys that nobody needs across an AWS Organization, and takes each through a recorded lifecycle
#[derive(Debug, Parser)]
#[command(name = "keysweep", version, max_term_width = 100, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// Configuration file [default: $KEYSWEEP_CONFIG, else /etc/keysweep/keysweep.toml]
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) config: Option<PathBuf>,
    /// Set a key of the configuration, such as policy.mode=observe
    #[arg(long, value_name = "KEY=VALUE", global = true, value_parser = setting)]
    pub(super) set: Vec<(String, String)>,
    /// Say more on stderr; twice for debugging
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the daemon
    Run,
    /// Look at the organization once and list findings; changes nothing
    #[command(after_help = SCAN_EXAMPLES)]
    Scan(ScanArgs),
    /// Show what would be done now and next, key by key
    Plan(FormatArgs),
    /// Show and decide about keys in the lifecycle
    #[command(after_help = KEYS_EXAMPLES)]
    Keys {
        #[command(subcommand)]
        command: KeysCommand,
    },
    /// Stop every automatic change; undo still works
    Pause(ReasonArgs),
    /// Let changes go on after a pause
    Resume(ReasonArgs),
    /// The breaker, which stops changes when something is out of proportion
    Breaker {
        #[command(subcommand)]
        command: BreakerCommand,
    },
    /// The audit trail
    Journal {
        #[command(subcommand)]
        command: JournalCommand,
    },
    /// The records in data_dir
    State {
        #[command(subcommand)]
        command: StateCommand,
    },
    /// The configuration
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Say what is missing in credentials, organization, roles and data_dir; changes nothing
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(DoctorArgs),
    /// Print the IAM policies that this configuration needs, as JSON
    #[command(after_help = IAM_EXAMPLES)]
    Iam {
        #[command(subcommand)]
        command: IamCommand,
    },
    /// Tokens, by which people and programs prove over HTTP who they are
    #[command(after_help = TOKEN_EXAMPLES)]
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// Run the daemon on a made-up organization with time sped up; needs no AWS account
    #[cfg(feature = "demo")]
    Demo(crate::demo::DemoOptions),
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the man page, or write all of them
    Man {
        /// Directory for one page per command
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

/// The form of data on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A table for people
    Table,
    /// One JSON document
    Json,
    /// One JSON object a line
    Jsonl,
    /// Comma-separated values
    Csv,
}

#[derive(Debug, Clone, Copy, Args)]
pub(super) struct FormatArgs {
    /// Form of the output: table, json, jsonl or csv
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "table", hide_possible_values = true)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct ReasonArgs {
    /// Why; it stands in the journal
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(super) reason: String,
}

#[derive(Debug, Args)]
pub(super) struct ScanArgs {
    /// Look at this account alone; may be given more than once
    #[arg(long, value_name = "ID")]
    pub(super) account: Vec<AccountId>,
    /// End with exit code 3 if there are such findings that are not exempt: unused, never_used, over_age, root_key or
    /// any, separated by commas
    #[arg(long, value_name = "LIST", value_enum, value_delimiter = ',', hide_possible_values = true)]
    pub(super) fail_on: Vec<FailOn>,
    #[command(flatten)]
    pub(super) format: FormatArgs,
}

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Examine this account alone; may be given more than once
    #[arg(long, value_name = "ID")]
    pub(super) account: Vec<AccountId>,
    #[command(flatten)]
    pub(super) format: FormatArgs,
}

/// A finding that fails a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum FailOn {
    /// Used once, idle for longer than unused_after
    Unused,
    /// Never used, older than never_used_after
    NeverUsed,
    /// In use, older than max_age
    OverAge,
    /// A key of the root user
    RootKey,
    /// All of them
    Any,
}

impl FailOn {
    /// Whether this finding is meant.
    pub(super) fn covers(self, finding: Finding) -> bool {
        match self {
            Self::Unused => finding == Finding::Unused,
            Self::NeverUsed => finding == Finding::NeverUsed,
            Self::OverAge => finding == Finding::OverAge,
            Self::RootKey => finding == Finding::RootKey,
            Self::Any => true,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum BreakerCommand {
    /// Show what the breaker stopped for and, with --confirm, accept it and close the breaker
    #[command(after_help = BREAKER_EXAMPLES)]
    Reset {
        /// Why; it stands in the journal
        #[arg(long, value_name = "TEXT", value_parser = reason)]
        reason: Option<String>,
        /// How many keys you have seen and accept
        #[arg(long, value_name = "COUNT", requires = "reason")]
        confirm: Option<u64>,
        #[command(flatten)]
        format: FormatArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum JournalCommand {
    /// Print entries as they are stored, one JSON object a line
    Export {
        /// Number of the first entry
        #[arg(long, value_name = "SEQ", default_value_t = 1)]
        from: u64,
    },
    /// Check every line, number and hash
    Verify {
        #[command(flatten)]
        format: FormatArgs,
    },
    /// Show the last entries
    Tail {
        /// How many
        #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20)]
        number: usize,
        #[command(flatten)]
        format: FormatArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum StateCommand {
    /// Make the records anew from the journal, which must be whole; not while a daemon runs
    Rebuild,
    /// Write the whole journal to one file, and read it back; a daemon may run
    #[command(after_help = BACKUP_EXAMPLES)]
    Backup {
        /// File that does not exist yet, or a directory in which a name is made up
        #[arg(value_name = "FILE|DIR")]
        to: PathBuf,
    },
    /// Put the journal of a backup in the place of what is in data_dir, and pause; not while a daemon runs
    #[command(after_help = RESTORE_EXAMPLES)]
    Restore {
        /// The backup
        file: PathBuf,
        /// Set aside what is in data_dir, without deleting it
        #[arg(long)]
        force: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Check everything, and say all that is wrong at once
    Check,
    /// Print every value in force with where it comes from
    Show {
        #[command(flatten)]
        format: ShowFormatArgs,
    },
    /// Print the JSON schema of the configuration file
    Schema,
}

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Make a token: print it once on stdout, and on stderr what to put into the configuration
    New(NewTokenArgs),
}

#[derive(Debug, Args)]
pub(super) struct NewTokenArgs {
    /// Whose it is, in the log [default: your user name]
    #[arg(long, value_name = "NAME", value_parser = token_name)]
    pub(super) name: Option<String>,
    /// What it may do: viewer (look) or operator (also reload the configuration)
    #[arg(long, value_enum, value_name = "ROLE", default_value = "viewer", hide_possible_values = true)]
    pub(super) role: Role,
}

#[derive(Debug, Subcommand)]
pub(super) enum IamCommand {
    /// Print what keysweep's own identity may do
    Hub,
    /// Print what the role that scans may do
    Scan(TrustArgs),
    /// Print what the role that changes keys may do
    Enforce {
        /// Leave deletion out: AWS then forbids it, whatever the configuration says
        #[arg(long, conflicts_with = "trust")]
        no_delete: bool,
        #[command(flatten)]
        trust: TrustArgs,
    },
}

#[derive(Debug, Args)]
pub(super) struct TrustArgs {
    /// Print the role's trust policy instead, for a hub of this ARN (a role or a user); it holds the external ID, if
    /// one is configured
    #[arg(long, value_name = "HUB_ARN")]
    pub(super) trust: Option<HubArn>,
    /// Name the organization in the trust policy [default: the one that the account itself is in]
    #[arg(long, value_name = "ID", requires = "trust")]
    pub(super) organization: Option<OrganizationId>,
}

#[derive(Debug, Clone, Copy, Args)]
pub(super) struct ShowFormatArgs {
    /// Form of the output: toml, table, json, jsonl or csv
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "toml", hide_possible_values = true)]
    pub(super) format: ShowFormat,
}

/// The form of `config show`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ShowFormat {
    /// TOML that can be loaded again, origins as comments
    Toml,
    /// A table for people
    Table,
    /// One JSON document
    Json,
    /// One JSON object a line
    Jsonl,
    /// Comma-separated values
    Csv,
}

/// A reason is read by people in audits: some text, on one line, and not a novel.
fn reason(text: &str) -> Result<String, String> {
    /// Enough for a sentence and a ticket number; the journal keeps it for ever.
    const MAX_CHARS: usize = 500;
    let text = text.trim();
    if text.is_empty() {
        return Err("say why, in a few words".into());
    }
    if text.chars().count() > MAX_CHARS {
        return Err(format!("at most {MAX_CHARS} characters"));
    }
    if text.chars().any(char::is_control) {
        return Err("a text on one line, without control characters".into());
    }
    Ok(text.into())
}

fn token_name(text: &str) -> Result<String, String> {
    if token::is_name(text) { Ok(text.into()) } else { Err(format!("expected {}", token::NAME)) }
}

fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().into(), value.into())),
        Some(_) | None => Err("expected KEY=VALUE, such as scan.interval=12h".into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn config_may_stand_before_or_after_the_command() {
        for line in [["keysweep", "--config", "a.toml", "plan"], ["keysweep", "plan", "--config", "a.toml"]] {
            assert_eq!(Cli::try_parse_from(line).unwrap().global.config, Some("a.toml".into()));
        }
    }

    #[test]
    fn a_reason_is_some_text_on_one_line() {
        assert_eq!(reason("  left the company "), Ok("left the company".into()));
        for text in ["", "   ", "a\nb", "\u{1b}[31m", &"x".repeat(501)] {
            assert!(reason(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn fail_on_any_covers_every_finding() {
        for finding in [Finding::Unused, Finding::NeverUsed, Finding::OverAge, Finding::RootKey] {
            assert!(FailOn::Any.covers(finding));
            let named = FailOn::from_str(finding.as_str(), false).unwrap();
            assert!(named.covers(finding), "{finding}");
        }
        assert!(!FailOn::Unused.covers(Finding::NeverUsed));
    }
}
