//! A directory of backups: which are ours, which is the newest, which are too old.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::error::BackupError;
use super::read::{Backup, inspect_until, is_backup};

/// The end of the names of backups.
pub const EXTENSION: &str = "jsonl";

/// How the time of a backup stands in its name.
const STAMP: &str = "%Y%m%dT%H%M%SZ";

/// A directory of backups.
#[derive(Debug, Clone, Copy)]
pub struct Shelf<'a> {
    /// Where.
    pub dir: &'a Path,
}

/// The name of a backup that is made at this time: `keysweep-20261122T031500Z.jsonl`.
#[must_use]
pub fn file_name(at: Timestamp) -> String {
    format!("keysweep-{}.{EXTENSION}", at.strftime(STAMP))
}

/// The time that a name tells, if it is exactly such a name.
fn time_of(name: &str) -> Option<Timestamp> {
    let stamp = name.strip_prefix("keysweep-")?.strip_suffix(EXTENSION)?.strip_suffix('.')?;
    let at = DateTime::strptime(STAMP, stamp).ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp();
    (file_name(at) == name).then_some(at)
}

impl Shelf<'_> {
    /// The newest backup that is whole and not of a time to come, after which a clock that was ahead would wait for
    /// ever. Damaged ones are logged and passed over. `stop` is asked now and then whether to break off.
    ///
    /// # Errors
    /// If the directory cannot be read, or it was broken off.
    pub fn newest(&self, now: Timestamp, stop: &dyn Fn() -> bool) -> Result<Option<Backup>, BackupError> {
        for (path, at) in self.ours()? {
            if at > now {
                continue;
            }
            match inspect_until(&path, stop) {
                Ok(backup) => return Ok(Some(backup)),
                Err(BackupError::Stopped) => return Err(BackupError::Stopped),
                Err(error) => tracing::error!(%error, "a backup cannot be relied on"),
            }
        }
        Ok(None)
    }

    /// Removes backups that are older than `newest`, but for the latest `keep` with it, and says which. Files of other
    /// names, or that do not begin as a backup, are somebody else's.
    ///
    /// # Errors
    /// If the directory cannot be read, or a backup not be removed.
    pub fn prune(&self, newest: &Path, keep: usize) -> Result<Vec<PathBuf>, BackupError> {
        let mut removed = Vec::new();
        let from = newest.file_name().and_then(|name| time_of(&name.to_string_lossy()));
        let older = self.ours()?.into_iter().filter(|(path, at)| Some(*at) < from && path != newest);
        for (path, _) in older.skip(keep.saturating_sub(1)) {
            fs::remove_file(&path).map_err(|source| BackupError::Write { path: path.clone(), source })?;
            removed.push(path);
        }
        Ok(removed)
    }

    /// Removes what a backup by this writer left behind that was never finished.
    ///
    /// # Errors
    /// If the directory cannot be read, or a file not be removed.
    pub fn sweep_up(&self, writer: &str) -> Result<(), BackupError> {
        for name in self.names()? {
            let inner = name.strip_prefix('.').and_then(|name| name.strip_suffix(writer)?.strip_suffix('.'));
            if inner.is_some_and(|name| time_of(name).is_some()) {
                let path = self.dir.join(&name);
                tracing::warn!(path = %path.display(), "removed a backup that was never finished");
                fs::remove_file(&path).map_err(|source| BackupError::Write { path, source })?;
            }
        }
        Ok(())
    }

    /// Backups of any version, newest first.
    fn ours(&self) -> Result<Vec<(PathBuf, Timestamp)>, BackupError> {
        let mut ours = Vec::new();
        for name in self.names()? {
            let path = self.dir.join(&name);
            if let Some(at) = time_of(&name)
                && path.symlink_metadata().is_ok_and(|found| found.is_file())
                && is_backup(&path)
            {
                ours.push((path, at));
            }
        }
        ours.sort_by_key(|(_, at)| std::cmp::Reverse(*at));
        Ok(ours)
    }

    /// Names that are text; others are none of ours.
    fn names(&self) -> Result<Vec<String>, BackupError> {
        let failed = |source| BackupError::List { path: self.dir.into(), source };
        let mut names = Vec::new();
        for entry in fs::read_dir(self.dir).map_err(failed)? {
            names.extend(entry.map_err(failed)?.file_name().into_string().ok());
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_that_we_would_write_tells_a_time() {
        let at: Timestamp = "2026-11-22T03:15:00Z".parse().unwrap();
        assert_eq!(file_name(at), "keysweep-20261122T031500Z.jsonl");
        assert_eq!(time_of("keysweep-20261122T031500Z.jsonl"), Some(at));
        for other in [
            "keysweep-20261122T031500Z.json",
            "keysweep-20261122T031500Z.jsonl.bak",
            "keysweep-2026-11-22T03:15:00Z.jsonl",
            "keysweep-20261322T031500Z.jsonl",
            "keysweep-20261122T031500.jsonl",
            "keysweep-20261122T31500Z.jsonl",
            "old-keysweep-20261122T031500Z.jsonl",
            "keysweep-.jsonl",
            "",
        ] {
            assert_eq!(time_of(other), None, "{other}");
        }
    }
}
