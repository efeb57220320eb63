//! What an auditor asks of the journal. Needs no lock: a daemon may go on writing.

use std::io::Write;
use std::path::Path;

use keysweep_core::state::{Body, Entry};

use super::DIR;
use super::scan::{Snapshots, Visit, scan};
use super::segment::{Segment, list};
use crate::error::JournalError;

/// The kind of entry with which every process that opens a journal begins.
const STARTED: &str = "started";

/// What a journal holds whose chain is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Entries.
    pub entries: u64,
    /// Segments.
    pub segments: u64,
    /// Number of the first entry that is present: above 1 where older segments were archived.
    pub first_seq: u64,
    /// Number of the last entry; `first_seq - 1` where there is none.
    pub last_seq: u64,
    /// SHA-256 of the last line, in hexadecimal: kept elsewhere, it proves later that nothing was rewritten.
    pub head_hash: String,
    /// Bytes at the end that are no complete request: being written right now, or torn by a crash.
    pub torn_bytes: u64,
    /// Version of the keysweep that opened it last; absent where no entry that is present tells.
    pub written_by: Option<String>,
}

/// Checks every line, number and hash of the journal in `data_dir`.
///
/// # Errors
/// The segment and line of the first break, and the repair.
pub fn verify(data_dir: &Path) -> Result<Verified, JournalError> {
    let segments = present(data_dir)?;
    let mut written_by = None;
    let scanned = scan::<JournalError>(&segments, Snapshots::Skip, &mut |visit| {
        if let Visit::Entry { kind: STARTED, line, .. } = visit {
            written_by = version_of(line).or(written_by.take());
        }
        Ok(())
    })?;
    Ok(Verified {
        written_by,
        entries: scanned.entries,
        segments: segments.len() as u64,
        first_seq: scanned.first_seq,
        last_seq: scanned.last_seq,
        head_hash: scanned.head.to_string(),
        torn_bytes: scanned.torn,
    })
}

/// Writes the entries from number `from_seq` on as they are stored, one JSON object a line, and returns how many.
/// Headers and snapshots are left out.
///
/// # Errors
/// As [`verify`], and if the writer fails.
pub fn export(data_dir: &Path, from_seq: u64, mut writer: impl Write) -> Result<u64, JournalError> {
    let segments = present(data_dir)?;
    let mut written = 0;
    scan::<JournalError>(&segments, Snapshots::Skip, &mut |visit| {
        if let Visit::Entry { seq, line, .. } = visit
            && seq >= from_seq
        {
            let done = writer.write_all(line).and_then(|()| writer.write_all(b"\n"));
            done.map_err(|source| JournalError::Write { source })?;
            written += 1;
        }
        Ok(())
    })?;
    writer.flush().map_err(|source| JournalError::Write { source })?;
    Ok(written)
}

/// The version in an entry that tells of a start.
fn version_of(line: &[u8]) -> Option<String> {
    let entry: Entry = serde_json::from_slice(line).ok()?;
    let Body::Started { version, .. } = entry.body else { return None };
    Some(version)
}

fn present(data_dir: &Path) -> Result<Vec<Segment>, JournalError> {
    let dir = data_dir.join(DIR);
    let segments = list(&dir)?;
    if segments.is_empty() { Err(JournalError::Missing { dir }) } else { Ok(segments) }
}
