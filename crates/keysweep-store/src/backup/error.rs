//! What can go wrong with backups.

use std::io;
use std::path::PathBuf;

use crate::bundles::BundleError;
use crate::error::{AppendError, JournalError, OpenError, Problem, remedy};

/// Why there is no backup, or why a file is none that can be relied on.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is a file of that name.
    #[error("{} exists already and is not overwritten: name another file", path.display())]
    Exists {
        /// Which.
        path: PathBuf,
    },
    /// It could not be written.
    #[error("write the backup {}{}", path.display(), remedy(source))]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It could not be read.
    #[error("read the backup {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The directory of backups could not be read.
    #[error("list backups in {}", path.display())]
    List {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The journal cannot be read, or is broken: what is broken is not backed up.
    #[error("read the journal")]
    Journal(#[from] JournalError),
    /// An evidence bundle cannot be read, or was altered.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A segment ended before what was in it a moment ago.
    #[error("{} was cut or moved away while it was read: try again", path.display())]
    Vanished {
        /// Which.
        path: PathBuf,
    },
    /// Whoever wanted it wants it no more.
    #[error("the backup was broken off")]
    Stopped,
    /// It is something else.
    #[error("{} is no backup of keysweep: its first line is not that of one", path.display())]
    NoBackup {
        /// Which.
        path: PathBuf,
    },
    /// A newer keysweep wrote it.
    #[error(
        "the backup {} was written by keysweep {version} and has format {found}; this keysweep knows up to {known}: \
         install that version", path.display()
    )]
    Newer {
        /// Which.
        path: PathBuf,
        /// Who wrote it.
        version: String,
        /// Its format, or that of the journal in it.
        found: u64,
        /// The newest that is known.
        known: u64,
    },
    /// It ends too early.
    #[error("the backup {} is cut short: it has {found} of {expected} bytes; use another one", path.display())]
    CutShort {
        /// Which.
        path: PathBuf,
        /// How many bytes it should have.
        expected: u64,
        /// How many it has.
        found: u64,
    },
    /// A byte is not what was written.
    #[error("the backup {} was altered: {why}; use another one", path.display())]
    Altered {
        /// Which.
        path: PathBuf,
        /// How that shows.
        why: &'static str,
    },
    /// The journal in it is broken.
    #[error("the journal in the backup {} is broken at line {line} of {segment}: {problem}; use another one", path.display())]
    Broken {
        /// Which.
        path: PathBuf,
        /// Segment in it.
        segment: String,
        /// Line of that segment, from 1.
        line: u64,
        /// What is wrong.
        problem: Problem,
    },
}

/// Why a backup was not restored. Nothing was touched then, unless [`RestoreError::SetAside`] says so.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The backup cannot be relied on.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// A daemon runs.
    #[error("data_dir {} is in use by {holder}: stop it first, a backup is restored only while no daemon runs", dir.display())]
    Locked {
        /// data_dir.
        dir: PathBuf,
        /// Who, as the lock file says.
        holder: String,
    },
    /// data_dir cannot be opened.
    #[error("open data_dir")]
    Open {
        /// Why not.
        source: OpenError,
    },
    /// There is a journal.
    #[error(
        "data_dir {} is not empty: it holds {found}; with --force that is set aside, not deleted, and what came after \
         the backup is forgotten", dir.display()
    )]
    Occupied {
        /// data_dir.
        dir: PathBuf,
        /// What is in it, in words.
        found: String,
    },
    /// An entry has a kind or form that this version does not know, or does not follow from those before it.
    #[error(
        "the journal in the backup {}, which keysweep {version} wrote, cannot be replayed by this version: install \
         that one", path.display()
    )]
    Replay {
        /// The backup.
        path: PathBuf,
        /// Who wrote it.
        version: String,
        /// Why.
        source: Box<OpenError>,
    },
    /// The new journal could not be written. data_dir is as it was.
    #[error("write {}{}; nothing of data_dir was changed", path.display(), remedy(source))]
    Write {
        /// File or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What happened could not be written into the new journal. data_dir is as it was.
    #[error("write the new journal; nothing of data_dir was changed")]
    Append(#[from] AppendError),
    /// The old journal could not be moved away, or the new one not into its place.
    #[error(
        "move {}{}; keysweep does not start there until `keysweep state restore` completes", path.display(),
        remedy(source)
    )]
    SetAside {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}
