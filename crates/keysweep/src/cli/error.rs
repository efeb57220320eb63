//! Why a command failed.

use std::io;
use std::path::PathBuf;

use keysweep_api::Refusal;
use keysweep_aws::{ConnectError, Fault};
use keysweep_store::{BackupError, JournalError, OpenError, RestoreError};

use super::Exit;
use super::view::HtmlError;
use crate::collect::OrganizationError;
use crate::config::ConfigError;
use crate::daemon::DaemonError;
use crate::engine::EngineError;
use crate::evidence::CheckError;
use crate::export::ExportError;
use crate::iam::IamError;
use crate::logging::LoggingError;
use crate::socket::SocketError;
use crate::telemetry::TelemetryError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The command line is wrong in a way that only the command itself can tell.
    #[error("{0}")]
    Usage(String),
    /// There is no such policy.
    #[error(transparent)]
    Iam(#[from] IamError),
    /// What was asked cannot be done.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The installation could not be examined.
    #[error("{0}")]
    Doctor(String),
    /// There is no log.
    #[error(transparent)]
    Logging(#[from] LoggingError),
    /// Traces cannot be sent.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// There is nothing to make a token from.
    #[error("ask the system for random numbers")]
    Random {
        /// Why not.
        source: getrandom::Error,
    },
    /// Core dumps could not be switched off.
    #[error("switch off core dumps")]
    Harden {
        /// Why not.
        source: io::Error,
    },
    /// There is no way to AWS.
    #[error("could not connect to AWS")]
    Connect(#[from] ConnectError),
    /// There are no credentials.
    #[error("{0}")]
    Credentials(String),
    /// AWS does not say whose the credentials are.
    #[error("could not find out to which account the credentials belong")]
    Caller(#[source] Fault),
    /// A new configuration file cannot be written.
    #[error("could not create {}: name a file that does not exist yet, in a directory that does, with --config", path.display())]
    NewConfig {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is no list of accounts.
    #[error("could not scan the organization")]
    Scan(#[from] OrganizationError),
    /// There is a daemon, and it cannot be talked to.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// No daemon listens where it was to be asked.
    #[error("no daemon listens at {}: see http.socket in its configuration", path.display())]
    NoDaemon {
        /// The socket.
        path: PathBuf,
    },
    /// There is neither a daemon nor a data_dir.
    #[error(
        "no daemon is running, and data_dir {} does not exist: start the daemon, or see data_dir in the configuration",
        path.display()
    )]
    NoDataDir {
        /// data_dir of the configuration.
        path: PathBuf,
    },
    /// data_dir is somebody else's: files made now would lock its owner out.
    #[error(
        "data_dir {} belongs to {owner}: start the daemon, or run this command as that user",
        path.display()
    )]
    NotOurs {
        /// data_dir of the configuration.
        path: PathBuf,
        /// Its owner.
        owner: String,
    },
    /// data_dir cannot be looked at.
    #[error("look at data_dir {}", path.display())]
    DataDir {
        /// data_dir of the configuration.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// data_dir cannot be opened.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The records cannot be made anew.
    #[error("could not rebuild the records")]
    Rebuild {
        /// Why not.
        source: OpenError,
    },
    /// There is no backup.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// A backup is not restored.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// The work was cut off.
    #[error("the work was cut off")]
    Interrupted,
    /// The journal cannot be read.
    #[error("could not read the journal")]
    Journal(#[from] JournalError),
    /// A file is no evidence bundle, or not the one that it says.
    #[error(transparent)]
    Evidence(#[from] CheckError),
    /// A bundle cannot be shown as a page.
    #[error(transparent)]
    Page(#[from] HtmlError),
    /// The entry that would name the bundle is not there to be read.
    #[error(
        "could not verify the bundle: it is older than entry {first_seq}, the first in the journal in {}; restore the archived \
         files of the journal, or verify the signature with --public-key", data_dir.display()
    )]
    Archived {
        /// Whose journal.
        data_dir: PathBuf,
        /// The first entry that is present.
        first_seq: u64,
    },
    /// The journal does not know the bundle.
    #[error(
        "no entry of the journal in {} names the bundle with SHA-256 {sha256}: the file was altered or reformatted, or another keysweep wrote it",
        data_dir.display()
    )]
    NotNamed {
        /// The hash of the file.
        sha256: String,
        /// Whose journal.
        data_dir: PathBuf,
    },
    /// The journal names the bundle, and has another line where the bundle was made.
    #[error(
        "the journal in {} names the bundle, but not the way the bundle says it: the journal or the bundle was altered",
        data_dir.display()
    )]
    Elsewhere {
        /// Whose journal.
        data_dir: PathBuf,
    },
    /// The daemon failed.
    #[error(transparent)]
    Daemon(#[from] DaemonError),
    /// The demo failed.
    #[cfg(feature = "demo")]
    #[error(transparent)]
    Demo(#[from] crate::demo::DemoError),
    /// The data has no JSON form.
    #[error("write json")]
    Json {
        /// Why.
        source: serde_json::Error,
    },
    /// The data has no CSV form.
    #[error("write csv")]
    Csv {
        /// Why.
        source: csv::Error,
    },
    /// Stdout does not take the data.
    #[error("write to stdout")]
    Output {
        /// Why.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("write {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl From<ExportError> for CliError {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Json { source } => Self::Json { source },
            ExportError::Csv { source } => Self::Csv { source },
            ExportError::Output { source } => Self::Output { source },
        }
    }
}

impl CliError {
    /// The exit code that it leads to.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Config(_) | Self::Usage(_) | Self::Telemetry(_) => Exit::Usage,
            Self::Refused(refusal) => match refusal.exit_code() {
                2 => Exit::Usage,
                _ => Exit::Failed,
            },
            Self::Doctor(_)
            | Self::Iam(_)
            | Self::Logging(_)
            | Self::Random { .. }
            | Self::Harden { .. }
            | Self::Connect(_)
            | Self::Credentials(_)
            | Self::Caller(_)
            | Self::NewConfig { .. }
            | Self::Scan(_)
            | Self::Socket(_)
            | Self::NoDaemon { .. }
            | Self::NoDataDir { .. }
            | Self::NotOurs { .. }
            | Self::DataDir { .. }
            | Self::Engine(_)
            | Self::Rebuild { .. }
            | Self::Backup(_)
            | Self::Restore(_)
            | Self::Interrupted
            | Self::Journal(_)
            | Self::Evidence(_)
            | Self::Page(_)
            | Self::Archived { .. }
            | Self::NotNamed { .. }
            | Self::Elsewhere { .. }
            | Self::Daemon(_)
            | Self::Json { .. }
            | Self::Csv { .. }
            | Self::Output { .. }
            | Self::File { .. } => Exit::Failed,
            #[cfg(feature = "demo")]
            Self::Demo(_) => Exit::Failed,
        }
    }

    /// Whether all that happened is that the reader of stdout has seen enough.
    #[must_use]
    pub fn is_closed_pipe(&self) -> bool {
        let kind = match self {
            Self::Output { source } | Self::Journal(JournalError::Write { source }) => Some(source.kind()),
            Self::Json { source } => source.io_error_kind(),
            Self::Csv { source } => match source.kind() {
                csv::ErrorKind::Io(source) => Some(source.kind()),
                _ => None,
            },
            _ => None,
        };
        kind == Some(io::ErrorKind::BrokenPipe)
    }
}
