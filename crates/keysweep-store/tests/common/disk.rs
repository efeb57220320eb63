//! A disk that counts syncs, is full on demand, fails to sync on demand, and loses what was not synced.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use keysweep_store::{Disk, Files, JournalFile, OpenOptions};

#[derive(Debug, Default)]
struct Inner {
    /// Bytes that may still be written; `None` for no limit.
    room: Option<usize>,
    syncs: u64,
    failing_syncs: bool,
    failing_truncates: bool,
    failing_dir_syncs: bool,
    /// Length of each file as of its last sync.
    synced: BTreeMap<PathBuf, u64>,
}

#[derive(Debug, Clone, Default)]
pub struct TestDisk(Arc<Mutex<Inner>>);

impl TestDisk {
    pub fn options(&self) -> OpenOptions {
        OpenOptions { files: Arc::new(self.clone()), ..OpenOptions::default() }
    }

    /// Only this many bytes fit from now on.
    pub fn leave_room(&self, room: Option<usize>) {
        self.0.lock().unwrap().room = room;
    }

    pub fn fail_syncs(&self, fail: bool) {
        self.0.lock().unwrap().failing_syncs = fail;
    }

    pub fn fail_truncates(&self, fail: bool) {
        self.0.lock().unwrap().failing_truncates = fail;
    }

    pub fn fail_dir_syncs(&self, fail: bool) {
        self.0.lock().unwrap().failing_dir_syncs = fail;
    }

    pub fn syncs(&self) -> u64 {
        self.0.lock().unwrap().syncs
    }

    /// Cuts every file to what was synced, as the loss of power does at its worst.
    pub fn lose_unsynced(&self) {
        for (path, length) in &self.0.lock().unwrap().synced {
            if path.exists() {
                std::fs::OpenOptions::new().write(true).open(path).unwrap().set_len(*length).unwrap();
            }
        }
    }
}

struct TestFile {
    disk: TestDisk,
    path: PathBuf,
    file: Box<dyn JournalFile>,
}

impl Files for TestDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn JournalFile>> {
        let file = Disk.create(path)?;
        self.0.lock().unwrap().synced.insert(path.into(), 0);
        Ok(Box::new(TestFile { disk: self.clone(), path: path.into(), file }))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn JournalFile>> {
        let file = Disk.append(path)?;
        self.0.lock().unwrap().synced.entry(path.into()).or_insert(std::fs::metadata(path)?.len());
        Ok(Box::new(TestFile { disk: self.clone(), path: path.into(), file }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Disk.rename(from, to)?;
        let mut inner = self.0.lock().unwrap();
        let length = inner.synced.remove(from).unwrap();
        inner.synced.insert(to.into(), length);
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        if self.0.lock().unwrap().failing_dir_syncs {
            return Err(io::Error::other("input/output error"));
        }
        Disk.sync_dir(dir)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let length = std::fs::metadata(path)?.len();
        Disk.remove(path)?;
        let mut inner = self.0.lock().unwrap();
        inner.synced.remove(path);
        if let Some(room) = &mut inner.room {
            *room += usize::try_from(length).unwrap();
        }
        Ok(())
    }

    fn free(&self, dir: &Path) -> io::Result<u64> {
        match self.0.lock().unwrap().room {
            Some(room) => Ok(u64::try_from(room).unwrap()),
            None => Disk.free(dir),
        }
    }
}

impl JournalFile for TestFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let room = self.disk.0.lock().unwrap().room;
        let fits = room.unwrap_or(usize::MAX).min(bytes.len());
        self.file.write_all(&bytes[..fits])?;
        if let Some(room) = &mut self.disk.0.lock().unwrap().room {
            *room -= fits;
        }
        if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync_data(&mut self) -> io::Result<()> {
        if self.disk.0.lock().unwrap().failing_syncs {
            return Err(io::Error::other("input/output error"));
        }
        self.file.sync_data()?;
        let mut inner = self.disk.0.lock().unwrap();
        inner.syncs += 1;
        // A file that was renamed while open is known by its new name.
        let path = if self.path.exists() { self.path.clone() } else { self.path.with_extension("") };
        if let Ok(metadata) = std::fs::metadata(&path) {
            inner.synced.insert(path, metadata.len());
        }
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        if self.disk.0.lock().unwrap().failing_truncates {
            return Err(io::Error::other("input/output error"));
        }
        self.file.truncate(length)
    }
}
