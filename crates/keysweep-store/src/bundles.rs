//! Evidence bundles: `<data_dir>/evidence/<SHA-256>.json`, one file each, named by the hash of its bytes.
//!
//! A bundle is one line of JSON. keysweep never removes one: each is the proof of a deletion, and how long proofs are
//! kept is not its decision.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use keysweep_core::ids::BundleId;

use crate::error::remedy;
use crate::files::{Files, create_private_dir};
use crate::hash::Hash;

/// Name of the directory in data_dir.
pub(crate) const DIR: &str = "evidence";

/// How a bundle's name ends.
const EXTENSION: &str = ".json";

/// What a bundle has as its name until it is on disk.
const UNFINISHED: &str = "unfinished";

/// Why a bundle was not written, or cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// It could not be written.
    #[error("write evidence bundle {}{}", path.display(), remedy(source))]
    Write {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It could not be read.
    #[error("read {}", path.display())]
    Read {
        /// Which file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The bytes in it are not those that it was named for.
    #[error("evidence bundle {} does not match its name: its SHA-256 is {found}", path.display())]
    Altered {
        /// Which.
        path: PathBuf,
        /// The hash of what is in it now.
        found: String,
    },
    /// The work was cut off.
    #[error("interrupted while reading or writing an evidence bundle")]
    Interrupted,
    /// What is free on the disk is kept for undoing changes.
    #[error("the disk of {} is full: make room on it; what is left is reserved for undoing changes", dir.display())]
    Reserved {
        /// The directory.
        dir: PathBuf,
    },
    /// All of them together would be more than is allowed.
    #[error(
        "{} holds {bytes} bytes, and evidence.max_megabytes allows {most}: move old bundles to another place, or raise \
         the limit", dir.display()
    )]
    TooMuch {
        /// The directory.
        dir: PathBuf,
        /// What is in it.
        bytes: u64,
        /// What is allowed.
        most: u64,
    },
}

/// The name of the bundle with these bytes.
#[must_use]
pub fn bundle_id(bytes: &[u8]) -> BundleId {
    Hash::of(bytes).into()
}

/// Reads the bundle of a data_dir that nobody needs to have open; `None` if it is not there.
///
/// # Errors
/// [`BundleError`] if it cannot be read, or was altered.
pub fn read_bundle(data_dir: &Path, id: &BundleId) -> Result<Option<Vec<u8>>, BundleError> {
    let path = path(&data_dir.join(DIR), id);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(BundleError::Read { path, source }),
    };
    let found = bundle_id(&bytes);
    if found == *id { Ok(Some(bytes)) } else { Err(BundleError::Altered { path, found: found.to_string() }) }
}

/// Every bundle of a data_dir with its length in bytes, in the order of names; none where there is no directory.
pub(crate) fn list(data_dir: &Path) -> Result<Vec<(BundleId, u64)>, BundleError> {
    let dir = data_dir.join(DIR);
    let failed = |source| BundleError::Read { path: dir.clone(), source };
    let entries = match fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(failed(source)),
    };
    let mut bundles = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // Other names are somebody else's, or of a bundle that was never finished.
        if let Some(id) = name.strip_suffix(EXTENSION).and_then(|id| id.parse().ok()) {
            bundles.push((id, entry.metadata().map_err(failed)?.len()));
        }
    }
    bundles.sort();
    Ok(bundles)
}

/// Where a bundle is in the directory of bundles.
pub(crate) fn path(dir: &Path, id: &BundleId) -> PathBuf {
    dir.join(format!("{id}{EXTENSION}"))
}

/// Refuses another bundle where all of them may not have `bytes` more.
pub(crate) fn check_room(data_dir: &Path, bytes: u64, most: u64) -> Result<(), BundleError> {
    let held: u64 = list(data_dir)?.iter().map(|(_, bytes)| bytes).sum();
    if held.saturating_add(bytes) > most {
        return Err(BundleError::TooMuch { dir: data_dir.join(DIR), bytes: held, most });
    }
    Ok(())
}

/// Removes what was never finished.
pub(crate) fn sweep_up(files: &dyn Files, data_dir: &Path) {
    for entry in fs::read_dir(data_dir.join(DIR)).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == UNFINISHED)
            && let Err(error) = files.remove(&path)
        {
            tracing::warn!(%error, path = %path.display(), "unfinished evidence bundle not removed");
        }
    }
}

/// Removes a bundle that the journal does not name after all.
pub(crate) fn remove(files: &dyn Files, data_dir: &Path, id: &BundleId) {
    let path = path(&data_dir.join(DIR), id);
    if let Err(error) = files.remove(&path) {
        tracing::warn!(%error, path = %path.display(), "evidence bundle that the journal does not name not removed");
    }
}

/// Makes a bundle durable, under its name and complete, or not at all. The same bundle twice is one file.
pub(crate) fn write(files: &Arc<dyn Files>, data_dir: &Path, bytes: &[u8]) -> Result<BundleId, BundleError> {
    let (dir, id) = (data_dir.join(DIR), bundle_id(bytes));
    // In a backup, a bundle is a line.
    let end = bytes.iter().position(|byte| *byte == b'\n');
    if end.is_none_or(|end| end + 1 < bytes.len()) {
        let source = io::Error::new(io::ErrorKind::InvalidData, "it is not one line");
        return Err(BundleError::Write { path: path(&dir, &id), source });
    }
    let (path, unfinished) = (path(&dir, &id), dir.join(format!("{id}.{UNFINISHED}")));
    let written = put(&**files, data_dir, &dir, &unfinished, bytes).and_then(|()| {
        files.rename(&unfinished, &path)?;
        files.sync_dir(&dir)
    });
    match written {
        Ok(()) => Ok(id),
        Err(source) => {
            // On a full disk, its bytes are wanted. At the next try, it would be overwritten.
            if let Err(error) = files.remove(&unfinished) {
                tracing::debug!(%error, path = %unfinished.display(), "unfinished evidence bundle not removed");
            }
            Err(BundleError::Write { path, source })
        }
    }
}

fn put(files: &dyn Files, data_dir: &Path, dir: &Path, to: &Path, bytes: &[u8]) -> io::Result<()> {
    create_private_dir(dir)?;
    // Each time: who made the directory may have died before this.
    files.sync_dir(data_dir)?;
    match files.remove(to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = files.create(to)?;
    file.write_all(bytes)?;
    file.sync_data()
}
