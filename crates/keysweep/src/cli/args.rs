//! Command-line arguments.

mod examples;
mod keys;
mod notices;
mod people;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use keysweep_api::reason;
use keysweep_core::finding::FindingKind;
use keysweep_core::ids::{AccessKeyId, AccountId};

use crate::iam::{HubArn, OrganizationId};
use crate::token::{self, Role};

use self::examples::{
    APPROVALS_EXAMPLES, BACKUP_EXAMPLES, BREAKER_EXAMPLES, DOCTOR_EXAMPLES, EVIDENCE_EXAMPLES,
    EXEMPTIONS_EXAMPLES, IAM_EXAMPLES, KEYS_EXAMPLES, NOTICES_EXAMPLES, RESTORE_EXAMPLES, SCAN_EXAMPLES,
    TOKEN_EXAMPLES,
};
pub(super) use self::keys::{DecisionArgs, KeysCommand, RequestArgs, StateName, UndoArgs};
pub(super) use self::notices::{NoticesCommand, PreviewArgs, PreviewFormat, StatusName};
pub(super) use self::people::{
    ApprovalsCommand, ExemptionsCommand, HoldsCommand, RequestsArgs, SessionsCommand,
};

/// Finds stale IAM access keys in every account of an AWS Organization and removes them safely
#[derive(Debug, Parser)]
#[command(name = "keysweep", version, max_term_width = 100, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// Configuration file [default: $KEYSWEEP_CONFIG, else /etc/keysweep/keysweep.toml]
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) config: Option<PathBuf>,
    /// Ask the daemon at this socket (http.socket), without reading the configuration [default: $KEYSWEEP_SOCKET]
    #[arg(long, value_name = "PATH", global = true)]
    pub(super) socket: Option<PathBuf>,
    /// Set a configuration key, such as policy.mode=observe
    #[arg(long, value_name = "KEY=VALUE", global = true, value_parser = setting)]
    pub(super) set: Vec<(String, String)>,
    /// Log more on stderr; use twice for debug output
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the daemon
    Run,
    /// Show how things stand: mode, what stops changes, sweeps, counts, and what waits for somebody
    Status(StatusArgs),
    /// Scan the organization once and print findings; changes nothing
    #[command(after_help = SCAN_EXAMPLES)]
    Scan(ScanArgs),
    /// Show what keysweep would do now and next for each key
    Plan(FormatArgs),
    /// Show tracked keys, and record decisions about them
    #[command(after_help = KEYS_EXAMPLES)]
    Keys {
        #[command(subcommand)]
        command: KeysCommand,
    },
    /// Reactivate a key immediately, and hold it; the same as `keysweep keys reactivate`
    Undo(UndoArgs),
    /// Show pending requests for approval, and decide about them
    #[command(after_help = APPROVALS_EXAMPLES)]
    Approvals {
        #[command(subcommand)]
        command: ApprovalsCommand,
    },
    /// Show keys on hold
    Holds {
        #[command(subcommand)]
        command: HoldsCommand,
    },
    /// Show exemptions and what they match now, exempt keys, and end exemptions
    #[command(after_help = EXEMPTIONS_EXAMPLES)]
    Exemptions {
        #[command(subcommand)]
        command: ExemptionsCommand,
    },
    /// Show messages to owners and the security team, preview them, and test channels
    #[command(after_help = NOTICES_EXAMPLES)]
    Notices {
        #[command(subcommand)]
        command: NoticesCommand,
    },
    /// Print the newest evidence bundle of a key, or verify one
    #[command(args_conflicts_with_subcommands = true, arg_required_else_help = true, after_help = EVIDENCE_EXAMPLES)]
    Evidence(EvidenceArgs),
    /// Stop all automatic changes; undo still works
    Pause(ReasonArgs),
    /// End a pause; changes resume when none is left
    Resume(ResumeArgs),
    /// Show why the circuit breaker is open, or reset it
    Breaker {
        #[command(subcommand)]
        command: BreakerCommand,
    },
    /// Rules of the configuration that name what does not exist
    Rules {
        #[command(subcommand)]
        command: RulesCommand,
    },
    /// Allow changes again in accounts that are parked after failed changes
    Accounts {
        #[command(subcommand)]
        command: AccountsCommand,
    },
    /// Export, verify, or show the audit log
    Journal {
        #[command(subcommand)]
        command: JournalCommand,
    },
    /// Rebuild, back up, or restore the state in data_dir
    State {
        #[command(subcommand)]
        command: StateCommand,
    },
    /// Check or show the configuration
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Check credentials, organization, roles, and data_dir; changes nothing
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(DoctorArgs),
    /// Print the IAM policies that this configuration needs, as JSON
    #[command(after_help = IAM_EXAMPLES)]
    Iam {
        #[command(subcommand)]
        command: IamCommand,
    },
    /// Show who is logged in to the page, and end sessions
    Sessions {
        #[command(subcommand)]
        command: SessionsCommand,
    },
    /// Create tokens for authentication over HTTP
    #[command(after_help = TOKEN_EXAMPLES)]
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// Run the daemon on a simulated organization; needs no AWS account
    #[cfg(feature = "demo")]
    Demo(crate::demo::DemoOptions),
    /// Print shell completions
    Completions {
        /// Name of the shell
        shell: clap_complete::Shell,
    },
    /// Print the man page, or write all man pages
    Man {
        /// Write one page per command to this directory
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

/// Format of data on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A readable table
    Table,
    /// One JSON document
    Json,
    /// One JSON object per line
    Jsonl,
    /// Comma-separated values
    Csv,
}

#[derive(Debug, Clone, Copy, Args)]
pub(super) struct FormatArgs {
    /// Output format: table, json, jsonl, or csv
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "table", hide_possible_values = true)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// Show it again every so many seconds, until interrupted
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "5", conflicts_with = "format",
        value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(super) watch: Option<u64>,
    /// Output format: table or json
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "table", hide_possible_values = true)]
    pub(super) format: DocumentFormat,
}

/// Format of one document on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum DocumentFormat {
    /// Text for people
    Table,
    /// One JSON document
    Json,
}

#[derive(Debug, Args)]
pub(super) struct ReasonArgs {
    /// Reason, recorded in the audit log
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(super) reason: String,
}

#[derive(Debug, Args)]
pub(super) struct EvidenceArgs {
    #[command(subcommand)]
    pub(super) command: Option<EvidenceCommand>,
    /// Access key ID
    #[arg(value_name = "KEY", required = true)]
    pub(super) key: Option<AccessKeyId>,
    /// Read the key, its user, and CloudTrail now, and write a new bundle
    #[arg(long)]
    pub(super) gather: bool,
    /// Output format: json (the file itself), or html (a page for people)
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "json", hide_possible_values = true)]
    pub(super) format: BundleFormat,
}

#[derive(Debug, Subcommand)]
pub(super) enum EvidenceCommand {
    /// Verify that keysweep wrote a bundle and that nobody altered it
    #[command(after_help = EVIDENCE_EXAMPLES)]
    Verify {
        /// The bundle, as `keysweep evidence KEY` prints it
        file: PathBuf,
        /// Verify the signature with this public key instead of the journal in data_dir; needs no configuration
        #[arg(long, value_name = "PEM_FILE")]
        public_key: Option<PathBuf>,
    },
}

/// Format of an evidence bundle on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum BundleFormat {
    /// The file itself
    Json,
    /// A page for people
    Html,
}

#[derive(Debug, Args)]
pub(super) struct ScanArgs {
    /// Scan only the account of keysweep's own credentials, with these credentials; needs no role
    #[arg(long, conflicts_with = "account")]
    pub(super) here: bool,
    /// Scan only this account; repeatable
    #[arg(long, value_name = "ID")]
    pub(super) account: Vec<AccountId>,
    /// Exit with code 3 if there are findings of these kinds that are not exempt: unused, never_used, over_age,
    /// root_key, or any; comma-separated
    #[arg(long, value_name = "LIST", value_enum, value_delimiter = ',', hide_possible_values = true)]
    pub(super) fail_on: Vec<FailOn>,
    #[command(flatten)]
    pub(super) format: FormatArgs,
}

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Check only this account; repeatable
    #[arg(long, value_name = "ID")]
    pub(super) account: Vec<AccountId>,
    #[command(flatten)]
    pub(super) format: FormatArgs,
}

/// A finding that fails a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum FailOn {
    /// Used before, idle for longer than unused_after
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
    /// Whether the option covers this finding.
    pub(super) fn covers(self, finding: FindingKind) -> bool {
        match self {
            Self::Unused => finding == FindingKind::Unused,
            Self::NeverUsed => finding == FindingKind::NeverUsed,
            Self::OverAge => finding == FindingKind::OverAge,
            Self::RootKey => finding == FindingKind::RootKey,
            Self::Any => true,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    /// Number of the pause; without it, your own pause, or the only one
    pub(super) number: Option<u64>,
    /// End every pause, if there are this many
    #[arg(long, value_name = "COUNT", conflicts_with = "number")]
    pub(super) all: Option<u64>,
    /// Reason, recorded in the audit log
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(super) reason: String,
}

#[derive(Debug, Subcommand)]
pub(super) enum AccountsCommand {
    /// Allow changes again in an account that is parked after a failed change
    Unpark {
        /// Account ID
        account: AccountId,
        /// Reason, recorded in the audit log
        #[arg(long, value_name = "TEXT", value_parser = reason)]
        reason: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum BreakerCommand {
    /// Show why the circuit breaker is open, and the keys that a reset accepts
    #[command(after_help = BREAKER_EXAMPLES)]
    Show {
        #[command(flatten)]
        format: FormatArgs,
    },
    /// Accept exactly the set that `breaker show` printed, and close the breaker
    #[command(after_help = BREAKER_EXAMPLES)]
    Reset {
        /// Reason, recorded in the audit log
        #[arg(long, value_name = "TEXT", value_parser = reason)]
        reason: String,
        /// Count and hash of the set, as `breaker show` prints them
        #[arg(long, value_name = "COUNT-HASH")]
        confirm: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum RulesCommand {
    /// Show accounts, OUs and users that rules name and that do not exist
    List {
        #[command(flatten)]
        format: FormatArgs,
    },
    /// Allow changes although a rule names something that does not exist
    Acknowledge {
        /// ID, as `keysweep rules list` shows it
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        reason: ReasonArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum JournalCommand {
    /// Print entries as stored, one JSON object per line
    Export {
        /// Number of the first entry
        #[arg(long, value_name = "SEQ", default_value_t = 1)]
        from: u64,
    },
    /// Verify every line, sequence number, and hash
    Verify {
        #[command(flatten)]
        format: FormatArgs,
    },
    /// Show the last entries
    Tail {
        /// Number of entries
        #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20)]
        number: usize,
        #[command(flatten)]
        format: FormatArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum StateCommand {
    /// Rebuild the records from an intact journal; not while a daemon runs
    Rebuild,
    /// Write the whole journal to one file and verify it; a daemon may run
    #[command(after_help = BACKUP_EXAMPLES)]
    Backup {
        /// New file, or a directory in which keysweep creates one
        #[arg(value_name = "FILE|DIR")]
        to: PathBuf,
    },
    /// Restore a backup into data_dir; starts paused; not while a daemon runs
    #[command(after_help = RESTORE_EXAMPLES)]
    Restore {
        /// Backup file
        file: PathBuf,
        /// Set aside the current contents of data_dir without deleting them
        #[arg(long)]
        force: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Check everything and report all errors at once
    Check,
    /// Print every effective value and its source
    Show {
        #[command(flatten)]
        format: ShowFormatArgs,
    },
    /// Print the JSON schema of the configuration file
    Schema,
    /// Create a configuration file with the keys that need a decision: at --config, else $KEYSWEEP_CONFIG, else
    /// /etc/keysweep/keysweep.toml
    Init {
        /// For the account of keysweep's own credentials alone, without roles
        #[arg(long)]
        here: bool,
        /// For the accounts of the organization (default)
        #[arg(long, conflicts_with = "here")]
        organization: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Create a token: print it once on stdout, and its configuration on stderr
    New(NewTokenArgs),
}

#[derive(Debug, Args)]
pub(super) struct NewTokenArgs {
    /// Name of the owner, shown in the log [default: your user name]
    #[arg(long, value_name = "NAME", value_parser = token_name)]
    pub(super) name: Option<String>,
    /// Role: viewer (read-only), approver (can also approve, deny, hold, release, and undo), or operator (everything)
    #[arg(long, value_enum, value_name = "ROLE", default_value = "viewer", hide_possible_values = true)]
    pub(super) role: RoleName,
}

/// A role, as `token new --role` takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum RoleName {
    /// Look
    Viewer,
    /// Look, decide on requests for approval, hold, release, and undo
    Approver,
    /// Look, decide, and reload the configuration
    Operator,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Viewer => Self::Viewer,
            RoleName::Approver => Self::Approver,
            RoleName::Operator => Self::Operator,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum IamCommand {
    /// Print the permissions of the hub, keysweep's own identity
    Hub,
    /// Print the permissions of the role that scans
    Scan(TrustArgs),
    /// Print the permissions of the role that changes keys
    Enforce {
        /// Omit deletion: AWS then denies it, regardless of the configuration
        #[arg(long, conflicts_with = "trust")]
        no_delete: bool,
        #[command(flatten)]
        trust: TrustArgs,
    },
    /// Print the managed policy that keysweep attaches to a user in quarantine
    Quarantine,
}

#[derive(Debug, Args)]
pub(super) struct TrustArgs {
    /// Print the role's trust policy instead, for a hub with this ARN (a role or a user); it contains the external ID,
    /// if configured
    #[arg(long, value_name = "HUB_ARN")]
    pub(super) trust: Option<HubArn>,
    /// Organization ID in the trust policy [default: the account's own organization]
    #[arg(long, value_name = "ID", requires = "trust")]
    pub(super) organization: Option<OrganizationId>,
}

#[derive(Debug, Clone, Copy, Args)]
pub(super) struct ShowFormatArgs {
    /// Output format: toml, table, json, jsonl, or csv
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "toml", hide_possible_values = true)]
    pub(super) format: ShowFormat,
}

/// Format of `config show`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ShowFormat {
    /// TOML that can be loaded again, with sources as comments
    Toml,
    /// A readable table
    Table,
    /// One JSON document
    Json,
    /// One JSON object per line
    Jsonl,
    /// Comma-separated values
    Csv,
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
    fn the_command_line_definition_is_valid() {
        Cli::command().debug_assert();
    }

    #[test]
    fn config_works_before_or_after_the_command() {
        for line in [["keysweep", "--config", "a.toml", "plan"], ["keysweep", "plan", "--config", "a.toml"]] {
            assert_eq!(Cli::try_parse_from(line).unwrap().global.config, Some("a.toml".into()));
        }
    }

    #[test]
    fn a_reason_is_one_line_of_text() {
        assert_eq!(reason("  left the company "), Ok("left the company".into()));
        for text in ["", "   ", "a\nb", "\u{1b}[31m", &"x".repeat(501)] {
            assert!(reason(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn fail_on_any_covers_every_finding() {
        for finding in
            [FindingKind::Unused, FindingKind::NeverUsed, FindingKind::OverAge, FindingKind::RootKey]
        {
            assert!(FailOn::Any.covers(finding));
            let named = FailOn::from_str(finding.as_str(), false).unwrap();
            assert!(named.covers(finding), "{finding}");
        }
        assert!(!FailOn::Unused.covers(FindingKind::NeverUsed));
    }
}
