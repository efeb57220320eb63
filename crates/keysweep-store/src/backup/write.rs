//! Writing a backup: under another name, on disk, read back, and only then under its own.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use keysweep_core::ids::BundleId;
use sha2::{Digest, Sha256};

use super::error::BackupError;
use super::manifest::{Bundles, Manifest, first_line, last_line};
use super::read::{Backup, inspect_until};
use super::view::JournalView;
use crate::bundles;
use crate::error::JournalError;
use crate::files::{Files, JournalFile};
use crate::hash::Hash;
use crate::journal::{self, Segment};

/// How much is in memory at once.
const CHUNK: usize = 1 << 20;

/// A backup that is to be made.
pub struct NewBackup<'a> {
    /// Whose journal.
    pub data_dir: &'a Path,
    /// What of it, as a daemon that writes it says; without one, what is on disk.
    pub view: Option<JournalView>,
    /// Its name. Nothing may be there.
    pub file: &'a Path,
    /// Tells those that may write into the same directory apart: part of the name that the file has until it is whole.
    pub writer: &'a str,
    /// When it is made.
    pub created_at: Timestamp,
    /// Version of the program.
    pub version: &'a str,
    /// Asked now and then whether to break off.
    pub stop: &'a dyn Fn() -> bool,
    /// How files are written.
    pub files: &'a dyn Files,
}

/// Makes a backup and reads it back. Takes no lock: the journal may go on being written.
///
/// # Errors
/// There is no such file then, and nothing else has changed.
pub fn back_up(new: &NewBackup<'_>) -> Result<Backup, BackupError> {
    free(new.file)?;
    let view = match &new.view {
        Some(view) => view.clone(),
        None => JournalView::of_files(new.data_dir)?,
    };
    let unfinished = unfinished(new.file, new.writer);
    let failed = |source| BackupError::Write { path: new.file.into(), source };
    // Left behind by a process of the same name that died.
    remove_if_there(&unfinished).map_err(failed)?;
    let made = fill(new, &view, &unfinished).and_then(|manifest| {
        let backup = inspect_until(&unfinished, new.stop)?;
        if backup.manifest != manifest {
            return Err(BackupError::Altered {
                path: unfinished.clone(),
                why: "it reads otherwise than it was written",
            });
        }
        free(new.file)?;
        new.files.rename(&unfinished, new.file).map_err(failed)?;
        Ok(Backup { path: new.file.into(), ..backup })
    });
    let backup = made.inspect_err(|_| {
        if let Err(error) = remove_if_there(&unfinished) {
            tracing::warn!(%error, path = %unfinished.display(), "unfinished backup not removed");
        }
    })?;
    new.files.sync_dir(&parent(new.file)).map_err(failed)?;
    Ok(backup)
}

/// The name of a backup until it is whole.
pub(super) fn unfinished(file: &Path, writer: &str) -> PathBuf {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    file.with_file_name(format!(".{name}.{writer}"))
}

fn free(file: &Path) -> Result<(), BackupError> {
    match file.symlink_metadata() {
        Ok(_) => Err(BackupError::Exists { path: file.into() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(BackupError::Write { path: file.into(), source }),
    }
}

/// Removes a file; that there is none is well.
pub(super) fn remove_if_there(file: &Path) -> io::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The directory that a name stands in.
pub(super) fn parent(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.into(),
        Some(_) | None => ".".into(),
    }
}

fn fill(new: &NewBackup<'_>, view: &JournalView, unfinished: &Path) -> Result<Manifest, BackupError> {
    let failed = |source| BackupError::Write { path: new.file.into(), source };
    // Listed after the journal's end is known: every bundle that the journal names up to there is on disk by now.
    let held = whole_bundles(new)?;
    let sum = Bundles { count: held.len() as u64, bytes: held.iter().map(|(_, bytes)| bytes).sum() };
    let manifest = Manifest::new(view, sum, new.version, new.created_at);
    let first = first_line(&manifest).map_err(|error| failed(error.into()))?;
    let mut file = new.files.create(unfinished).map_err(failed)?;
    let mut out = Out { file: &mut *file, sha: Sha256::new() };
    out.write(&first).map_err(failed)?;
    let dir = new.data_dir.join(journal::DIR);
    for part in &view.parts {
        let path = Segment::new(&dir, part.first_seq).path;
        let unreadable = |source| JournalError::Read { path: path.clone(), source };
        let mut left = File::open(&path).map_err(unreadable)?.take(part.bytes);
        let mut chunk = vec![0; CHUNK];
        loop {
            if (new.stop)() {
                return Err(BackupError::Stopped);
            }
            match left.read(&mut chunk).map_err(unreadable)? {
                0 => break,
                read => out.write(chunk.get(..read).unwrap_or_default()).map_err(failed)?,
            }
        }
        if left.limit() > 0 {
            return Err(BackupError::Vanished { path });
        }
    }
    for (id, bytes) in held {
        if (new.stop)() {
            return Err(BackupError::Stopped);
        }
        match bundles::read_bundle(new.data_dir, &id)? {
            Some(bundle) if bundle.len() as u64 == bytes => out.write(&bundle).map_err(failed)?,
            Some(_) | None => {
                let path = bundles::path(&new.data_dir.join(bundles::DIR), &id);
                return Err(BackupError::Vanished { path });
            }
        }
    }
    let sha256 = Hash::from_bytes(out.sha.clone().finalize().into());
    out.write(last_line(sha256).as_bytes()).map_err(failed)?;
    file.sync_data().map_err(failed)?;
    Ok(manifest)
}

/// The bundles that are what their names say. A damaged one is no reason to have no backup of the journal.
fn whole_bundles(new: &NewBackup<'_>) -> Result<Vec<(BundleId, u64)>, BackupError> {
    let mut whole = Vec::new();
    for (id, bytes) in bundles::list(new.data_dir)? {
        if (new.stop)() {
            return Err(BackupError::Stopped);
        }
        match bundles::read_bundle(new.data_dir, &id) {
            Ok(Some(_)) => whole.push((id, bytes)),
            // Moved away in this moment.
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "an evidence bundle is in no backup"),
        }
    }
    Ok(whole)
}

struct Out<'a> {
    file: &'a mut dyn JournalFile,
    sha: Sha256,
}

impl Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sha.update(bytes);
        self.file.write_all(bytes)
    }
}
