//! A disk that keeps account of what power loss would take, and that can die in the middle of a write. Journal and
//! evidence bundles are on it.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keysweep_store::{Disk, Files, JournalFile};

use super::death::Death;

/// Files on the real file system, with a memory of what was synced. Clones share everything.
#[derive(Debug, Clone)]
pub(super) struct PowerDisk {
    death: Death,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    /// By the name they have now; open files keep theirs through a rename.
    files: BTreeMap<PathBuf, Arc<Mutex<Lengths>>>,
    /// What happened to names since the directory was last synced.
    names: VecDeque<NameChange>,
    fuse: Option<Fuse>,
    full: bool,
    /// The space that is reserved for undos was given up since the disk is full.
    released: bool,
    /// Lines that became durable and that nobody took yet.
    durable: Vec<u8>,
}

#[derive(Debug, Default)]
struct Lengths {
    written: u64,
    synced: u64,
    unsynced: Vec<u8>,
}

#[derive(Debug, Clone)]
enum NameChange {
    Created(PathBuf),
    Renamed(PathBuf, PathBuf),
}

impl NameChange {
    /// The name that it made.
    fn path(&self) -> &Path {
        match self {
            Self::Created(path) | Self::Renamed(_, path) => path,
        }
    }
}

/// When the process dies at the disk: at the operation after so many.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fuse {
    /// Operations before it burns.
    pub(super) operations: u32,
    /// Of a write, so much of 256 is still written.
    pub(super) part: u8,
}

struct PowerFile {
    lengths: Arc<Mutex<Lengths>>,
    file: Box<dyn JournalFile>,
    disk: PowerDisk,
    /// Whether what is written are lines of the journal.
    lines: bool,
}

/// The file in data_dir whose space is kept for undos.
const RESERVE: &str = "reserve";

/// The directory in data_dir of the journal.
const JOURNAL: &str = "journal";

fn is_of_journal(path: &Path) -> bool {
    path.parent().is_some_and(|parent| parent.ends_with(JOURNAL))
}

impl PowerDisk {
    pub(super) fn new(death: Death) -> Self {
        Self { death, kept: Arc::default() }
    }

    /// Lights or puts out a fuse.
    pub(super) fn fuse(&self, fuse: Option<Fuse>) {
        self.kept().fuse = fuse;
    }

    /// Leaves no room for another byte, or makes room again.
    pub(super) fn fill(&self, full: bool) {
        let mut kept = self.kept();
        (kept.full, kept.released) = (full, false);
    }

    /// Takes the whole lines that became durable since last asked.
    pub(super) fn durable_lines(&self) -> Vec<u8> {
        let mut kept = self.kept();
        let end = kept.durable.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        kept.durable.drain(..end).collect()
    }

    /// The machine loses power: of what was not synced, `part` of 256 is left.
    ///
    /// # Errors
    /// As the operating system says.
    pub(super) fn lose_power(&self, part: u8) -> io::Result<()> {
        let mut kept = self.kept();
        let survive = kept.names.len() * usize::from(part) / 256;
        while kept.names.len() > survive {
            match kept.names.pop_back() {
                Some(NameChange::Created(path)) if path.exists() => {
                    fs::remove_file(&path)?;
                    kept.files.remove(&path);
                }
                Some(NameChange::Renamed(from, to)) if to.exists() => {
                    fs::rename(&to, &from)?;
                    if let Some(lengths) = kept.files.remove(&to) {
                        kept.files.insert(from, lengths);
                    }
                }
                Some(NameChange::Created(_) | NameChange::Renamed(..)) | None => {}
            }
        }
        for (path, lengths) in &kept.files {
            let lengths = lock(lengths);
            if path.exists() && lengths.written > lengths.synced {
                let left = lengths.synced + (lengths.written - lengths.synced) * u64::from(part) / 256;
                fs::OpenOptions::new().write(true).open(path)?.set_len(left)?;
            }
        }
        kept.forget();
        Ok(())
    }

    /// A new process looks at the same files: what the last one wrote and did not sync is on its way to the disk.
    pub(super) fn reborn(&self) {
        self.kept().forget();
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an operation may go on; how much of it happens where the process dies in it.
    fn operation(&self) -> Result<(), u8> {
        if self.death.is_dead() {
            return Err(0);
        }
        let mut kept = self.kept();
        match &mut kept.fuse {
            Some(Fuse { operations: 0, part }) => {
                let part = *part;
                kept.fuse = None;
                drop(kept);
                self.death.die();
                Err(part)
            }
            Some(fuse) => {
                fuse.operations -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Kept {
    fn forget(&mut self) {
        self.files.clear();
        self.names.clear();
        self.fuse = None;
        (self.full, self.released) = (false, false);
        self.durable.clear();
    }
}

fn dead<T>(_part: u8) -> io::Result<T> {
    Err(io::Error::other("the process is dead"))
}

impl Files for PowerDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn JournalFile>> {
        self.operation().or_else(dead)?;
        let file = Disk.create(path)?;
        if path.ends_with(RESERVE) {
            // Its bytes say nothing, and are no part of the journal.
            return Ok(file);
        }
        let lengths = Arc::<Mutex<Lengths>>::default();
        let mut kept = self.kept();
        kept.files.insert(path.into(), Arc::clone(&lengths));
        kept.names.push_back(NameChange::Created(path.into()));
        drop(kept);
        Ok(Box::new(PowerFile { lengths, file, disk: self.clone(), lines: is_of_journal(path) }))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn JournalFile>> {
        self.operation().or_else(dead)?;
        let file = Disk.append(path)?;
        let length = fs::metadata(path)?.len();
        let found =
            || Arc::new(Mutex::new(Lengths { written: length, synced: length, unsynced: Vec::new() }));
        let lengths = Arc::clone(self.kept().files.entry(path.into()).or_insert_with(found));
        Ok(Box::new(PowerFile { lengths, file, disk: self.clone(), lines: is_of_journal(path) }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.operation().or_else(dead)?;
        Disk.rename(from, to)?;
        let mut kept = self.kept();
        if let Some(lengths) = kept.files.remove(from) {
            kept.files.insert(to.into(), lengths);
        }
        kept.names.push_back(NameChange::Renamed(from.into(), to.into()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.operation().or_else(dead)?;
        Disk.remove(path)?;
        let mut kept = self.kept();
        kept.files.remove(path);
        kept.names.retain(|change| change.path() != path);
        drop(kept);
        if path.ends_with(RESERVE) {
            self.kept().released = true;
        }
        Ok(())
    }

    fn free(&self, dir: &Path) -> io::Result<u64> {
        if self.kept().full { Ok(0) } else { Disk.free(dir) }
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        // Nothing here reaches a platter: what a sync would make durable is what is accounted for.
        self.operation().or_else(dead)?;
        self.kept().names.retain(|change| change.path().parent() != Some(dir));
        Ok(())
    }
}

impl JournalFile for PowerFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let full = {
            let kept = self.disk.kept();
            kept.full && !kept.released
        };
        let (bytes, result) = match self.disk.operation() {
            Ok(()) if full => {
                let half = bytes.get(..bytes.len() / 2).unwrap_or_default();
                (half, Err(io::Error::from(io::ErrorKind::StorageFull)))
            }
            Ok(()) => (bytes, Ok(())),
            Err(part) => {
                let left = bytes.len() * usize::from(part) / 256;
                (bytes.get(..left).unwrap_or_default(), dead(part))
            }
        };
        self.file.write_all(bytes)?;
        let mut lengths = lock(&self.lengths);
        lengths.written += u64::try_from(bytes.len()).unwrap_or_default();
        lengths.unsynced.extend_from_slice(bytes);
        result
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.disk.operation().or_else(dead)?;
        let mut lengths = lock(&self.lengths);
        lengths.synced = lengths.written;
        let lines = std::mem::take(&mut lengths.unsynced);
        drop(lengths);
        if self.lines {
            self.disk.kept().durable.extend(lines);
        }
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.disk.operation().or_else(dead)?;
        self.file.truncate(length)?;
        let mut lengths = lock(&self.lengths);
        let cut = lengths.written.saturating_sub(length);
        let left = lengths.unsynced.len().saturating_sub(usize::try_from(cut).unwrap_or(usize::MAX));
        lengths.unsynced.truncate(left);
        lengths.written = length;
        lengths.synced = lengths.synced.min(length);
        Ok(())
    }
}

fn lock(lengths: &Mutex<Lengths>) -> MutexGuard<'_, Lengths> {
    lengths.lock().unwrap_or_else(PoisonError::into_inner)
}
