//! Disk space kept back for undoing changes: the file `<data_dir>/reserve`.
//!
//! On a full disk nothing may be changed, because nothing can be recorded. Undoing a change is different: it must be
//! possible while the disk is full. The file is given up when an entry that an undo needs does not fit, and made again
//! once there is room.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::is_full;
use crate::files::Files;

/// Name of the file in data_dir.
pub(crate) const NAME: &str = "reserve";

/// An undo takes two entries of less than 1 KiB each: enough for hundreds.
const BYTES: usize = 1024 * 1024;

/// Free space from which on it is made: it must not be what fills the disk.
const ROOM: u64 = 3 * BYTES as u64;

/// The reserve of one data_dir.
#[derive(Debug)]
pub(crate) struct Reserve {
    files: Arc<dyn Files>,
    dir: PathBuf,
    held: bool,
    /// It was released and is not back: what is free on the disk is for undoing changes.
    spent: bool,
}

impl Reserve {
    /// Finds the reserve of a data_dir, or makes it if there is room.
    pub(crate) fn open(files: Arc<dyn Files>, dir: &Path) -> Self {
        let held = is_whole(&dir.join(NAME));
        let mut reserve = Self { files, dir: dir.into(), held, spent: false };
        reserve.restore();
        reserve
    }

    /// Whether entries that no undo needs may be written. Once the reserve was released they may not until it is back:
    /// they would use up what was released.
    pub(crate) fn admits_others(&mut self) -> bool {
        if self.spent {
            self.restore();
        }
        !self.spent
    }

    fn path(&self) -> PathBuf {
        self.dir.join(NAME)
    }

    /// Makes the reserve again if it is missing and there is room for it. Failing to is not an error: the next entry
    /// tries again.
    pub(crate) fn restore(&mut self) {
        if self.held || self.files.free(&self.dir).is_ok_and(|free| free < ROOM) {
            return;
        }
        match self.make() {
            Ok(()) => (self.held, self.spent) = (true, false),
            Err(error) => {
                // With room on the disk, there is nothing to be kept for undos.
                self.spent &= is_full(&error);
                let path = self.path();
                tracing::warn!(%error, path = %path.display(), "could not reserve disk space for undoing changes");
                // A part of it would only take room away from the journal.
                drop(self.files.remove(&path));
            }
        }
    }

    /// Gives the space back to the disk. False if there was none to give.
    pub(crate) fn release(&mut self) -> bool {
        if !std::mem::take(&mut self.held) {
            return false;
        }
        let path = self.path();
        self.spent = true;
        match self.files.remove(&path) {
            Ok(()) => {
                tracing::warn!(path = %path.display(), "the disk is full: released the space reserved for undoing changes");
                true
            }
            Err(error) => {
                tracing::error!(%error, path = %path.display(), "could not release the reserved disk space");
                false
            }
        }
    }

    fn make(&self) -> io::Result<()> {
        let path = self.path();
        match self.files.remove(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = self.files.create(&path)?;
        file.write_all(&noise())?;
        file.sync_data()
    }
}

/// Whether the file is there in full, with its blocks allocated: a copy of data_dir may have left holes in it.
fn is_whole(path: &Path) -> bool {
    let Ok(found) = std::fs::symlink_metadata(path) else { return false };
    let bytes = BYTES as u64;
    found.is_file() && found.len() >= bytes && found.blocks().saturating_mul(512) >= bytes
}

/// Bytes that cannot be compressed: a file system that compresses would keep no space for zeros.
fn noise() -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = std::iter::repeat_with(|| {
        // Marsaglia's xorshift.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take(BYTES / 8).flatten().collect()
}
