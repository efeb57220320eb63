//! The journal as it stands at one moment, while it is being written.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::manifest::Part;
use crate::error::JournalError;
use crate::hash::Hash;
use crate::journal::{self, Segment, Snapshots, list, scan};

/// Which bytes of which segments are the journal at one moment. What is appended later comes after them, so that they
/// can be read in peace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalView {
    pub(crate) parts: Vec<Part>,
    pub(crate) last_seq: u64,
    pub(crate) head: Hash,
}

impl JournalView {
    /// What is on disk in a data_dir that nobody needs to have open: up to the last complete request.
    ///
    /// # Errors
    /// If there is no journal, or it is broken.
    pub fn of_files(data_dir: &Path) -> Result<Self, JournalError> {
        let dir = data_dir.join(journal::DIR);
        let segments = list(&dir)?;
        if segments.is_empty() {
            return Err(JournalError::Missing { dir });
        }
        let scanned = scan::<JournalError>(&segments, Snapshots::Skip, &mut |_| Ok(()))?;
        Self::of_segments(&segments, (scanned.good, scanned.head, scanned.last_seq))
    }

    /// What a process that writes the journal knows to be on disk.
    pub(crate) fn of_open(data_dir: &Path, end: (u64, Hash, u64)) -> Result<Self, JournalError> {
        Self::of_segments(&list(&data_dir.join(journal::DIR))?, end)
    }

    /// `end` is what is good of the last segment, the hash of the last line, and the number of the last entry.
    fn of_segments(segments: &[Segment], end: (u64, Hash, u64)) -> Result<Self, JournalError> {
        let (good, head, last_seq) = end;
        let mut parts = Vec::with_capacity(segments.len());
        for (index, segment) in segments.iter().enumerate() {
            let last = index + 1 == segments.len();
            let bytes = if last { Ok(good) } else { fs::metadata(&segment.path).map(|found| found.len()) };
            let bytes = bytes.map_err(|source| JournalError::Read { path: segment.path.clone(), source })?;
            parts.push(Part { first_seq: segment.first_seq, bytes });
        }
        Ok(Self { parts, last_seq, head })
    }
}
