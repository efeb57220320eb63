//! What can go wrong, one variant per operation.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use keysweep_core::lifecycle::Illegal;

use crate::ownership::Exposed;

/// Why a store did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A directory or file could not be made.
    #[error("create {}{}", path.display(), remedy(source))]
    Create {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The lock file could not be opened or locked.
    #[error("lock {}{}", path.display(), remedy(source))]
    Lock {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others could write to it.
    #[error(
        "could not open data_dir: {} {} `{}`; others could alter what keysweep knows and its audit log",
        .0.path.display(), .0.problem, .0.command
    )]
    Exposed(Exposed),
    /// Whether others could write to it cannot be told.
    #[error("could not read the permissions of {}", path.display())]
    Inspect {
        /// The data_dir.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process has it open.
    #[error("data_dir {} is in use by {holder}: stop it, or let it do this", dir.display())]
    Locked {
        /// The data_dir.
        dir: PathBuf,
        /// Who, as the lock file says.
        holder: String,
    },
    /// The journal cannot be read or is damaged.
    #[error("open the journal")]
    Journal(#[from] JournalError),
    /// The torn end of the journal could not be cut off.
    #[error("cut the torn end off {}{}", path.display(), remedy(source))]
    Repair {
        /// Segment.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The projection knows entries that the journal lacks.
    #[error(
        "{}: the records know entry {applied}, the journal ends at {journal}: restore the journal from a backup, or, \
         if it is to be trusted as it is, run `keysweep state rebuild`", path.display()
    )]
    Ahead {
        /// Last segment of the journal.
        path: PathBuf,
        /// Last entry that the projection knows.
        applied: u64,
        /// Last entry of the journal.
        journal: u64,
    },
    /// The projection and the journal know different entries under the same number.
    #[error(
        "{}: the records know another entry {seq} than the journal: restore the journal from a backup, or, if it is \
         to be trusted as it is, run `keysweep state rebuild`", path.display()
    )]
    Diverged {
        /// Segment.
        path: PathBuf,
        /// Which.
        seq: u64,
    },
    /// The projection was written by a newer keysweep.
    #[error(
        "records in {} have schema {found}, this keysweep knows up to {known}: install a newer one, or run `keysweep \
         state rebuild`", path.display()
    )]
    NewerSchema {
        /// Directory of the projection.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The newest we know.
        known: u32,
    },
    /// The damaged projection could not be moved away.
    #[error("set aside {}{}", path.display(), remedy(source))]
    SetAside {
        /// Directory of the projection.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A restoration was cut off while journals were exchanged.
    #[error(
        "{}: a backup was being restored and that was cut off: run `keysweep state restore {backup}` again",
        path.display()
    )]
    RestoreUnfinished {
        /// What says so.
        path: PathBuf,
        /// The backup.
        backup: String,
    },
    /// A rebuild did not reach the disk.
    #[error("write the records: {detail}")]
    Projection {
        /// What failed.
        detail: String,
    },
    /// The work was cut off, by a panic or by the end of the runtime.
    #[error("opening the store was cut off")]
    Interrupted,
}

/// Why the journal could not be read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The directory could not be listed.
    #[error("list segments in {}", dir.display())]
    List {
        /// Directory of the journal.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is none.
    #[error("no journal in {}", dir.display())]
    Missing {
        /// Directory of the journal.
        dir: PathBuf,
    },
    /// A segment could not be read.
    #[error("read {}", path.display())]
    Read {
        /// Segment.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A segment is damaged.
    #[error("{} line {line}: {problem}; {}", path.display(), repair(*last))]
    Broken {
        /// Segment.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// What is wrong.
        problem: Problem,
        /// Whether no segment follows, whose snapshot would tell what this one led to.
        last: bool,
    },
    /// A segment was written by a newer keysweep.
    #[error("{} has journal format {found}, this keysweep knows up to {known}: install a newer one", path.display())]
    NewerFormat {
        /// Segment.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The newest we know.
        known: u64,
    },
    /// An entry has a kind or form that this version does not know.
    #[error("decode an entry in {}", path.display())]
    Decode {
        /// Segment.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// An entry does not fit the state that the entries before it lead to.
    #[error("{} line {line}: replay entry {seq}", path.display())]
    Replay {
        /// Segment.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// Entry.
        seq: u64,
        /// Why.
        source: Illegal,
    },
    /// What was read could not be handed on.
    #[error("write the export")]
    Write {
        /// Why.
        source: io::Error,
    },
}

/// What can be done about a disk that does not take what is written: no command of ours helps there.
pub(crate) fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; make room on its disk",
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            "; data_dir must be writable for the user that keysweep runs as"
        }
        _ => "",
    }
}

/// What can be done about a broken segment.
fn repair(last: bool) -> &'static str {
    if last {
        "restore the file from a backup, then run `keysweep state rebuild`; without a backup, move data_dir away: \
         keysweep then begins anew, and paused where it may change keys"
    } else {
        "restore the file from a backup, or move it and all segments before it out of the journal (their entries are \
         then only in your archive), then run `keysweep state rebuild`"
    }
}

/// What is wrong with a line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It cannot be read.
    #[error("not a journal line: {0}")]
    Unreadable(String),
    /// The segment does not begin as one.
    #[error("the segment does not begin with its header")]
    NoHeader,
    /// The line before it is not the one it was written after.
    #[error("the hash chain is broken: this line, or the one before it, was altered or is missing")]
    Chain,
    /// The numbers of entries do not follow each other.
    #[error("expected entry {expected}, found {found}")]
    Gap {
        /// What should be here.
        expected: u64,
        /// What is.
        found: u64,
    },
    /// The snapshot with which the segment begins has no end, or other counts than its end says.
    #[error("the snapshot at the head of the segment is not complete")]
    Snapshot,
    /// The segment ends within a line or request although another one follows.
    #[error("the segment is cut short")]
    CutShort,
}

/// Why entries were not appended. None of them is in the journal, or visible.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// One of them cannot happen.
    #[error("append to the journal")]
    Illegal(#[from] Illegal),
    /// An entry has no JSON form.
    #[error("encode an entry")]
    Encode {
        /// Why.
        source: Arc<serde_json::Error>,
    },
    /// The disk did not take them. A later append may succeed.
    #[error("write to {}{}", path.display(), remedy(source))]
    Io {
        /// Segment.
        path: PathBuf,
        /// Why.
        source: Arc<io::Error>,
    },
    /// An earlier failure left it open what is on disk.
    #[error("the journal takes no entries until keysweep is restarted, since {reason}")]
    Poisoned {
        /// What failed.
        reason: String,
    },
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
    /// The work was cut off by the end of the runtime or by a panic; the journal tells at the next start.
    #[error("appending was cut off")]
    Interrupted,
}

impl AppendError {
    /// Whether the disk, or the quota on it, has no room.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if is_full(source))
    }
}

/// Whether a disk, or the quota on it, has no room.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Why entries could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The journal is damaged or cannot be read.
    #[error("read entries")]
    Journal(#[from] JournalError),
    /// The work was cut off.
    #[error("reading entries was cut off")]
    Interrupted,
}

/// Why a store did not close cleanly. The journal is whole all the same.
#[derive(Debug, thiserror::Error)]
pub enum CloseError {
    /// The projection did not get everything; the next start catches up.
    #[error("write the records: {detail}")]
    Projection {
        /// What failed.
        detail: String,
    },
    /// The work was cut off.
    #[error("closing the store was cut off")]
    Interrupted,
}
