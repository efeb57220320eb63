//! One process at a time: the file `<data_dir>/lock`.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use crate::error::OpenError;
use crate::files::NO_FOLLOW;
use crate::ownership;

/// The lock, held as long as this lives. It goes with the process, so that none is ever stale.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    pub(crate) fn take(dir: &Path) -> Result<Self, OpenError> {
        ownership::check(dir)?;
        let path = dir.join("lock");
        let failed = |source| OpenError::Lock { path: path.clone(), source };
        let mut file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(NO_FOLLOW)
            .open(&path)
            .map_err(failed)?;
        let found = file.metadata().map_err(failed)?;
        if !found.is_file() || found.nlink() > 1 {
            // Its content would be replaced under the other name too.
            let problem = "it is not a file of its own; remove it while keysweep does not run";
            return Err(failed(std::io::Error::other(problem)));
        }
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::Locked { dir: dir.into(), holder: named(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        // For the next one's message only: that it cannot be written on a full disk stops nothing.
        if let Err(error) = note_pid(&mut file) {
            tracing::debug!(%error, path = %path.display(), "process ID not written into the lock");
        }
        Ok(Self { _file: file })
    }
}

/// The process that has `data_dir` open, in words; `None` if none has. Nothing is made, and nothing is waited for.
///
/// The answer is had by taking a lock that others may share, and letting go of it at once: a process that starts in
/// that very instant is told that data_dir is in use.
///
/// # Errors
/// If the lock file is there and cannot be opened or asked.
pub fn holder(data_dir: &Path) -> std::io::Result<Option<String>> {
    let opened = fs::OpenOptions::new().read(true).custom_flags(NO_FOLLOW).open(data_dir.join("lock"));
    let mut file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match file.try_lock_shared() {
        Ok(()) => file.unlock().map(|()| None),
        Err(TryLockError::WouldBlock) => Ok(Some(named(&mut file))),
        Err(TryLockError::Error(source)) => Err(source),
    }
}

fn note_pid(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

/// The process that holds the lock, in words.
fn named(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.take(32).read_to_string(&mut text);
    match (read, text.trim().parse::<u32>()) {
        (Ok(_), Ok(pid)) => format!("process {pid}"),
        _ => "another process".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_holds_a_data_dir_is_told_without_making_or_keeping_anything() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(holder(dir.path()).unwrap(), None);
        assert!(!dir.path().join("lock").exists());
        let lock = Lock::take(dir.path()).unwrap();
        assert_eq!(holder(dir.path()).unwrap(), Some(format!("process {}", std::process::id())));
        drop(lock);
        assert_eq!(holder(dir.path()).unwrap(), None);
        Lock::take(dir.path()).unwrap();
    }
}
