//! The file operations that write the journal, behind a seam: tests put a full disk or lost writes in between.
//!
//! Reading is not behind it: what is read is what is on the disk.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Only the user keysweep runs as may read what it keeps.
const PRIVATE_FILE: u32 = 0o600;

/// Opening a symbolic link fails.
#[allow(clippy::cast_possible_wrap, reason = "a flag of open(2), which is a C int")]
pub(crate) const NO_FOLLOW: i32 = rustix::fs::OFlags::NOFOLLOW.bits() as i32;

/// How journal files are made and made durable.
pub trait Files: fmt::Debug + Send + Sync + 'static {
    /// Makes a new empty file, mode 0600.
    ///
    /// # Errors
    /// As the operating system says; also if the file exists.
    fn create(&self, path: &Path) -> io::Result<Box<dyn JournalFile>>;

    /// Opens a file so that what is written goes to its end.
    ///
    /// # Errors
    /// As the operating system says; also if the file does not exist.
    fn append(&self, path: &Path) -> io::Result<Box<dyn JournalFile>>;

    /// Gives a file its final name.
    ///
    /// # Errors
    /// As the operating system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Makes names in a directory durable.
    ///
    /// # Errors
    /// As the operating system says.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Removes a file, which frees its space.
    ///
    /// # Errors
    /// As the operating system says; also if the file does not exist.
    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    /// Bytes that may still be written to the file system of a directory.
    ///
    /// # Errors
    /// As the operating system says.
    fn free(&self, dir: &Path) -> io::Result<u64> {
        let found = rustix::fs::statvfs(dir)?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }
}

/// One open journal file.
pub trait JournalFile: Send {
    /// Writes all of it to the end; after an error part of it may be there.
    ///
    /// # Errors
    /// As the operating system says.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes everything written durable (`fdatasync`).
    ///
    /// # Errors
    /// As the operating system says. What was not synced before may then be lost even if a later call succeeds.
    fn sync_data(&mut self) -> io::Result<()>;

    /// Cuts the file.
    ///
    /// # Errors
    /// As the operating system says.
    fn truncate(&mut self, length: u64) -> io::Result<()>;
}

/// The files of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl Files for Disk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn JournalFile>> {
        let file = fs::OpenOptions::new().append(true).create_new(true).mode(PRIVATE_FILE).open(path)?;
        Ok(Box::new(file))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn JournalFile>> {
        // A symbolic link would have another file written to.
        let file = fs::OpenOptions::new().append(true).custom_flags(NO_FOLLOW).open(path)?;
        Ok(Box::new(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }
}

impl JournalFile for File {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        Write::write_all(self, bytes)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        File::sync_data(self)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

/// Makes a directory that only its owner may enter, with what is missing above it; leaves an existing one as it is.
pub(crate) fn create_private_dir(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Bytes of all files below a directory, but for one of its directories. What cannot be read counts as nothing: this is a
/// gauge, not a decision.
pub(crate) fn size_below(dir: &Path, except: Option<&str>) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    entries
        .filter_map(Result::ok)
        .filter(|entry| except.is_none_or(|except| entry.file_name() != *except))
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size_below(&entry.path(), None),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

/// Renames a directory to the first free of `<name>.<why>-1`, `-2` and so on.
pub(crate) fn set_aside(dir: &Path, why: &str) -> io::Result<PathBuf> {
    let aside = free_name(dir, why)?;
    fs::rename(dir, &aside)?;
    Ok(aside)
}

/// The first free of `<name>.<why>-1`, `-2` and so on, beside a directory.
pub(crate) fn free_name(dir: &Path, why: &str) -> io::Result<PathBuf> {
    let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut number = 1_u32;
    loop {
        let aside = dir.with_file_name(format!("{name}.{why}-{number}"));
        if !aside.try_exists()? {
            return Ok(aside);
        }
        number = number.checked_add(1).ok_or_else(|| io::Error::from(io::ErrorKind::AlreadyExists))?;
    }
}
