//! Entries from the newest back, without reading all of them.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use keysweep_core::state::Entry;
use serde::Deserialize;

use super::line::parse_entry;
use super::segment::list;
use crate::error::JournalError;

/// How much is read at once.
const CHUNK: u64 = 64 * 1024;

#[derive(Deserialize)]
struct Seq {
    seq: Option<u64>,
}

/// Hands on entries numbered at most `newest`, newest first, until `wants` says no or none is left.
///
/// Lines after `newest` may be in the middle of being written and are passed over unread.
pub(crate) fn backwards(
    journal: &Path,
    newest: u64,
    wants: &mut dyn FnMut(Entry) -> bool,
) -> Result<(), JournalError> {
    for segment in list(journal)?.into_iter().rev().filter(|segment| segment.first_seq <= newest) {
        let failed = |source: io::Error| JournalError::Read { path: segment.path.clone(), source };
        let unreadable = |source| JournalError::Decode { path: segment.path.clone(), source };
        let file = File::open(&segment.path).map_err(failed)?;
        let mut from = file.metadata().map_err(failed)?.len();
        // Beginning of a line whose end was read before, to be completed by the next chunk.
        let mut rest: Vec<u8> = Vec::new();
        while from > 0 {
            let size = from.min(CHUNK);
            from -= size;
            let mut bytes = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
            file.read_exact_at(&mut bytes, from).map_err(failed)?;
            bytes.append(&mut rest);
            let mut lines = bytes.split(|byte| *byte == b'\n');
            if from > 0 {
                rest = lines.next().unwrap_or_default().to_vec();
            }
            for line in lines.rev() {
                // Cut lines and lines of our own have no number that counts.
                let Ok(Seq { seq: Some(seq) }) = serde_json::from_slice(line) else { continue };
                if seq <= newest && !wants(parse_entry(line).map_err(unreadable)?) {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}
