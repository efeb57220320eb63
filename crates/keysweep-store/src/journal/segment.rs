//! Segments: files named by the number of their first entry.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::JournalError;

/// One file of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) path: PathBuf,
    pub(crate) first_seq: u64,
}

impl Segment {
    pub(crate) fn new(journal: &Path, first_seq: u64) -> Self {
        Self { path: journal.join(format!("{first_seq:020}.jsonl")), first_seq }
    }

    /// Under this name it is written; only when it is complete and on disk it gets its own.
    pub(super) fn unfinished(&self) -> PathBuf {
        self.path.with_extension("jsonl.new")
    }

    pub(super) fn torn(&self) -> PathBuf {
        self.path.with_extension("jsonl.torn")
    }
}

/// The segments of a journal, oldest first; empty where there is no directory. Other files are none of ours.
pub(crate) fn list(journal: &Path) -> Result<Vec<Segment>, JournalError> {
    let failed = |source| JournalError::List { dir: journal.into(), source };
    let entries = match fs::read_dir(journal) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut segments = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".jsonl"));
        let number = number.filter(|digits| digits.len() == 20).and_then(|digits| digits.parse().ok());
        if let Some(first_seq) = number {
            segments.push(Segment::new(journal, first_seq));
        }
    }
    segments.sort_by_key(|segment| segment.first_seq);
    Ok(segments)
}

/// Removes segments that a crash left half made. Nothing in them was ever part of the journal.
pub(crate) fn remove_unfinished(journal: &Path) -> io::Result<()> {
    for entry in fs::read_dir(journal)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "new") {
            tracing::warn!(path = %path.display(), "removed a segment that a crash left half made");
            fs::remove_file(path)?;
        }
    }
    Ok(())
}
