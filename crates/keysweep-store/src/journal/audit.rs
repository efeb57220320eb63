//! What an auditor asks of the journal. Needs no lock: a daemon may go on writing.

use std::io::Write;
use std::path::Path;

use jiff::Timestamp;
use keysweep_core::ids::{AccessKeyId, BundleId};
use keysweep_core::lifecycle::KeyEvent;
use keysweep_core::lifecycle::event::{Change, Note, Purpose};
use keysweep_core::state::{Body, Entry};
use keysweep_core::ticket::Action;

use super::DIR;
use super::line::parse_entry;
use super::scan::{Snapshots, Visit, scan};
use super::segment::{Segment, list};
use crate::error::JournalError;

/// The kind of entry with which every process that opens a journal begins.
const STARTED: &str = "started";

/// The kind of entry that is about one key.
const OF_KEY: &str = "key";

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

/// What a journal tells of an evidence bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Witnessed {
    /// The entry that names the bundle, when it was written, and what for; none if no entry does.
    pub named: Option<(u64, Timestamp, Purpose)>,
    /// The intent to delete the key that follows the bundle, if one does.
    pub intent: Option<u64>,
    /// The deletion that follows the bundle, if one does.
    pub deleted: Option<(u64, Timestamp)>,
    /// Whether the line that the bundle names as the last one before it is there.
    pub follows: bool,
    /// Number of the first entry that is present.
    pub first_seq: u64,
}

/// Looks for the entry that names a bundle of a key, and for the line that was the last one when the bundle was made,
/// whose hash is `head`. Checks every line, number and hash on the way.
///
/// # Errors
/// As [`verify`].
pub fn witness(
    data_dir: &Path,
    key: &AccessKeyId,
    bundle: &BundleId,
    head: &str,
) -> Result<Witnessed, JournalError> {
    let segments = present(data_dir)?;
    let mut witnessed = Witnessed { named: None, intent: None, deleted: None, follows: false, first_seq: 0 };
    // The head of a journal may be the line of a header or a snapshot, which is not visited: the next entry names it.
    let mut over = false;
    let after = format!("\"prev\":\"{head}\"}}");
    let scanned = scan::<JournalError>(&segments, Snapshots::Skip, &mut |visit| {
        let (kind, line, place) = match visit {
            // The head was that of a segment that was full.
            Visit::Segment { first_seq, last_entry, .. } => {
                let entry = first_seq > 1 && last_entry.to_string() == head;
                witnessed.follows |= entry && witnessed.named.is_none();
                return Ok(());
            }
            Visit::Snapshot(_) => return Ok(()),
            Visit::Entry { kind, line, place, .. } => (kind, line, place),
        };
        if witnessed.named.is_none() {
            witnessed.follows |= line.ends_with(after.as_bytes());
        }
        if kind != OF_KEY {
            return Ok(());
        }
        let entry =
            parse_entry(line).map_err(|source| JournalError::Decode { path: place.path.into(), source })?;
        let Body::Key { key: of, event, .. } = &entry.body else { return Ok(()) };
        if of != key {
            return Ok(());
        }
        match event {
            KeyEvent::Record(Note::BundleWritten { bundle: named, purpose }) if named == bundle => {
                witnessed.named = Some((entry.seq, entry.at, *purpose));
            }
            // Another bundle is the one of what follows.
            KeyEvent::Record(Note::BundleWritten { purpose: Purpose::Deletion, .. }) => {
                over |= witnessed.named.is_some()
            }
            KeyEvent::Change(Change::Intent { action: Action::Delete, .. })
                if witnessed.named.is_some() && !over =>
            {
                witnessed.intent = Some(entry.seq);
            }
            KeyEvent::Change(Change::Deleted { .. }) if witnessed.named.is_some() && !over => {
                witnessed.deleted = Some((entry.seq, entry.at));
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(Witnessed { first_seq: scanned.first_seq, ..witnessed })
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
