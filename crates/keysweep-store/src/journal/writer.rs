//! Writing: groups of requests with one fdatasync, and new segments.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use keysweep_core::state::{Entry, State};

use super::line::{FORMAT, Own, VERSION, write_line};
use super::scan::{Scanned, Snapshots, scan};
use super::segment::{Segment, list};
use crate::error::{AppendError, JournalError};
use crate::files::{Files, JournalFile};
use crate::hash::Hash;

/// The open end of the journal.
pub(crate) struct Journal {
    files: Arc<dyn Files>,
    dir: PathBuf,
    path: PathBuf,
    file: Box<dyn JournalFile>,
    /// Length of what is good; a failed write is cut back to it.
    good: u64,
    /// Where in the segment the entries begin.
    entries_from: u64,
    head: Hash,
    next_seq: u64,
    segment_bytes: u64,
    /// After a rotation that failed: from which length on it is tried again.
    rotate_from: u64,
    poisoned: Option<Poison>,
}

/// Why the journal takes no more entries.
enum Poison {
    /// What is on disk behind the last good entry is not known. The segment can be opened and cut again.
    Tail(String),
    /// A new segment has its name, which may not be on disk. Its directory can be synced again.
    Begun(Box<Made>),
    /// Memory may lag behind the disk: only opening the store again tells.
    Behind,
}

impl Poison {
    fn reason(&self) -> String {
        match self {
            Self::Tail(reason) => reason.clone(),
            Self::Begun(_) => "a new segment was begun and its directory could not be synced".into(),
            Self::Behind => "making entries visible was cut off".into(),
        }
    }
}

/// Lines that are to be written together.
#[derive(Debug)]
pub(crate) struct Group {
    bytes: Vec<u8>,
    head: Hash,
    next_seq: u64,
}

impl Group {
    /// Number of the next entry.
    pub(crate) fn next_seq(&self) -> u64 {
        self.next_seq
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Adds the entries of one request, all or none; the hash of each.
    pub(crate) fn push(&mut self, entries: &[Entry]) -> Result<Vec<Hash>, serde_json::Error> {
        let (length, mut head) = (self.bytes.len(), self.head);
        let mut hashes = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            let more = u32::try_from(entries.len() - index - 1).unwrap_or(u32::MAX);
            match write_line(&mut self.bytes, entry, more, head) {
                Ok(hash) => {
                    head = hash;
                    hashes.push(hash);
                }
                Err(error) => {
                    self.bytes.truncate(length);
                    return Err(error);
                }
            }
        }
        self.head = head;
        self.next_seq += entries.len() as u64;
        Ok(hashes)
    }
}

impl Journal {
    /// Opens the last segment at the end that a scan found. What was torn must be cut off already.
    pub(crate) fn open(
        files: Arc<dyn Files>,
        dir: &Path,
        segment: &Segment,
        scanned: &Scanned,
        segment_bytes: u64,
    ) -> io::Result<Self> {
        Ok(Self {
            file: files.append(&segment.path)?,
            files,
            dir: dir.into(),
            path: segment.path.clone(),
            good: scanned.good,
            entries_from: scanned.entries_from,
            head: scanned.head,
            next_seq: scanned.last_seq + 1,
            segment_bytes,
            rotate_from: 0,
            poisoned: None,
        })
    }

    /// Makes the first segment of a new journal.
    pub(crate) fn create(files: &dyn Files, dir: &Path) -> io::Result<()> {
        make_segment(files, dir, 1, Hash::ZERO, None)?;
        Ok(())
    }

    /// What is good: length of the segment that is being written, hash of the last line, number of the last entry.
    pub(crate) fn end(&self) -> (u64, Hash, u64) {
        (self.good, self.head, self.next_seq.saturating_sub(1))
    }

    /// An empty group that follows the last entry.
    ///
    /// # Errors
    /// If the journal is poisoned.
    pub(crate) fn group(&self) -> Result<Group, AppendError> {
        match &self.poisoned {
            Some(poison) => Err(AppendError::Poisoned { reason: poison.reason() }),
            None => Ok(self.following()),
        }
    }

    fn following(&self) -> Group {
        Group { bytes: Vec::new(), head: self.head, next_seq: self.next_seq }
    }

    /// The same for an entry that an undo needs: it is taken by a poisoned journal too, once that was repaired as a
    /// restart would do it. For all other entries the journal stays poisoned.
    ///
    /// # Errors
    /// If the journal is poisoned and could not be repaired.
    pub(crate) fn urgent_group(&mut self) -> Result<Group, AppendError> {
        let poison = match self.poisoned.take() {
            None => return Ok(self.following()),
            Some(Poison::Behind) => Poison::Behind,
            Some(Poison::Tail(reason)) => {
                let repaired = self.cut_again();
                self.poisoned = Some(Poison::Tail(reason));
                return repaired.map(|()| self.following()).map_err(|source| self.failed(source));
            }
            Some(Poison::Begun(made)) => match self.files.sync_dir(&self.dir) {
                Ok(()) => {
                    self.adopt(*made);
                    // Nothing is left open, but one sync of this disk failed.
                    self.poisoned = Some(Poison::Tail(format!("a sync of {} failed", self.dir.display())));
                    return Ok(self.following());
                }
                Err(error) => {
                    tracing::error!(%error, path = %self.dir.display(), "the journal's directory could not be synced");
                    Poison::Begun(made)
                }
            },
        };
        let reason = poison.reason();
        self.poisoned = Some(poison);
        Err(AppendError::Poisoned { reason })
    }

    /// Opens the segment again, cuts off what follows the last good entry, and checks that every line before it is
    /// as it was written. What is appended then follows it in the chain, or is a torn end at the next start.
    fn cut_again(&mut self) -> io::Result<()> {
        let mut file = self.files.append(&self.path)?;
        file.truncate(self.good)?;
        file.sync_data()?;
        let segments: Vec<Segment> = list(&self.dir).map_err(io::Error::other)?;
        let last = segments.split_last().map(|(last, _)| std::slice::from_ref(last)).unwrap_or_default();
        let scanned =
            scan::<JournalError>(last, Snapshots::Skip, &mut |_| Ok(())).map_err(io::Error::other)?;
        let found = (scanned.good, scanned.torn, scanned.head, scanned.last_seq.saturating_add(1));
        if found != (self.good, 0, self.head, self.next_seq) {
            return Err(io::Error::other("the journal on disk is not what was written"));
        }
        self.file = file;
        tracing::warn!(path = %self.path.display(), "opened the journal again for an undo");
        Ok(())
    }

    /// Writes a group and waits until it is on disk, then lets `publish` make it visible.
    ///
    /// # Errors
    /// Nothing of the group is in the journal then, or the journal is poisoned.
    pub(crate) fn write(&mut self, group: &Group, publish: impl FnOnce()) -> Result<(), AppendError> {
        // An urgent group leaves a poisoned journal as it is for the others.
        let before = self.poisoned.take();
        if let Err(source) = self.file.write_all(&group.bytes) {
            self.poisoned = before;
            self.cut_back();
            return Err(self.failed(source));
        }
        if let Err(source) = self.file.sync_data() {
            self.cut_back();
            // The kernel may have dropped the pages and forgotten about it: no later sync can be believed.
            self.poisoned = Some(Poison::Tail(format!("a sync of {} failed", self.path.display())));
            return Err(self.failed(source));
        }
        // Should `publish` panic, memory would lag behind the disk; nothing more is written then.
        self.poisoned = Some(Poison::Behind);
        self.good += group.bytes.len() as u64;
        (self.head, self.next_seq) = (group.head, group.next_seq);
        publish();
        self.poisoned = before;
        Ok(())
    }

    /// Begins a new segment if the present one is long enough. Failing to is no failure of an append: the present
    /// one just grows.
    pub(crate) fn rotate_if_full(&mut self, state: &State) {
        let entries = self.good - self.entries_from;
        // Not before there is as much news as there was snapshot, or a large state would be copied all the time.
        let full = entries >= self.segment_bytes.max(self.entries_from) && entries > 0;
        if !full || self.good < self.rotate_from || self.poisoned.is_some() {
            return;
        }
        match make_segment(&*self.files, &self.dir, self.next_seq, self.head, Some(state)) {
            Ok(made) => {
                tracing::info!(path = %made.segment.path.display(), "began a new journal segment");
                self.adopt(made);
            }
            Err(RotateError::Before(error)) => {
                tracing::warn!(%error, "new journal segment not made; the present one grows");
                self.rotate_from = self.good.saturating_add(self.segment_bytes / 4);
            }
            Err(RotateError::Named(made, error)) => {
                tracing::error!(%error, "the name of a new journal segment may not be on disk");
                self.poisoned = Some(Poison::Begun(made));
            }
        }
    }

    /// Goes on in a segment that was made.
    fn adopt(&mut self, made: Made) {
        (self.file, self.path, self.head) = (made.file, made.segment.path, made.head);
        (self.good, self.entries_from, self.rotate_from) = (made.length, made.length, 0);
    }

    /// What an append is answered when nothing but an undo may use what is left of the disk.
    pub(crate) fn full(&self) -> AppendError {
        self.failed(io::ErrorKind::StorageFull.into())
    }

    fn failed(&self, source: io::Error) -> AppendError {
        AppendError::Io { path: self.path.clone(), source: Arc::new(source) }
    }

    fn cut_back(&mut self) {
        if let Err(error) = self.file.truncate(self.good) {
            tracing::error!(%error, path = %self.path.display(), "a failed write could not be cut off");
            let reason = format!("a failed write could not be cut off {}", self.path.display());
            self.poisoned = Some(Poison::Tail(reason));
        }
    }
}

/// Cuts off what a scan found torn, and keeps it beside the segment.
pub(crate) fn cut_tail(files: &dyn Files, segment: &Segment, scanned: &Scanned) -> io::Result<()> {
    let mut torn = Vec::new();
    let mut end = std::fs::File::open(&segment.path)?;
    end.seek(SeekFrom::Start(scanned.good))?;
    end.read_to_end(&mut torn)?;
    // Nobody was told that these bytes are there: not being able to keep them stops nothing.
    let kept = match files.append(&segment.torn()) {
        Ok(file) => Ok(file),
        Err(_) => files.create(&segment.torn()),
    };
    if let Err(error) = kept.and_then(|mut file| file.write_all(&torn).and_then(|()| file.sync_data())) {
        tracing::warn!(%error, path = %segment.torn().display(), "torn bytes not kept");
    }
    let mut file = files.append(&segment.path)?;
    file.truncate(scanned.good)?;
    file.sync_data()?;
    tracing::warn!(path = %segment.path.display(), bytes = scanned.torn, "cut off the torn end of the journal");
    Ok(())
}

struct Made {
    segment: Segment,
    file: Box<dyn JournalFile>,
    length: u64,
    head: Hash,
}

/// How far a new segment came.
enum RotateError {
    /// It does not exist.
    Before(io::Error),
    /// It has its name, which may not be durable.
    Named(Box<Made>, io::Error),
}

impl From<io::Error> for RotateError {
    fn from(error: io::Error) -> Self {
        Self::Before(error)
    }
}

impl From<RotateError> for io::Error {
    fn from(error: RotateError) -> Self {
        match error {
            RotateError::Before(error) | RotateError::Named(_, error) => error,
        }
    }
}

/// Makes a segment with header and snapshot. It gets its name when all of it is on disk.
fn make_segment(
    files: &dyn Files,
    dir: &Path,
    first_seq: u64,
    prev: Hash,
    state: Option<&State>,
) -> Result<Made, RotateError> {
    let segment = Segment::new(dir, first_seq);
    let unfinished = segment.unfinished();
    let made = fill_segment(files, &unfinished, first_seq, prev, state).and_then(|made| {
        files.rename(&unfinished, &segment.path)?;
        Ok(made)
    });
    let (file, length, head) = made.inspect_err(|_| {
        // On a full disk its bytes are wanted for entries. At the next start it would be removed, too.
        if let Err(error) = std::fs::remove_file(&unfinished) {
            tracing::debug!(%error, path = %unfinished.display(), "unfinished segment not removed");
        }
    })?;
    let made = Made { segment, file, length, head };
    match files.sync_dir(dir) {
        Ok(()) => Ok(made),
        Err(error) => Err(RotateError::Named(Box::new(made), error)),
    }
}

/// Writes header and snapshot, and waits until they are on disk.
fn fill_segment(
    files: &dyn Files,
    path: &Path,
    first_seq: u64,
    prev: Hash,
    state: Option<&State>,
) -> io::Result<(Box<dyn JournalFile>, u64, Hash)> {
    let mut file = files.create(path)?;
    let mut out = Out { file: &mut *file, buffer: Vec::new(), length: 0, head: prev };
    out.line(&Own::Segment { format: FORMAT.into(), v: VERSION, first_seq })?;
    if let Some(state) = state {
        out.snapshot(state)?;
    }
    out.flush()?;
    let (length, head) = (out.length, out.head);
    file.sync_data()?;
    Ok((file, length, head))
}

/// Lines on their way to a file, a megabyte at a time.
struct Out<'a> {
    file: &'a mut dyn JournalFile,
    buffer: Vec<u8>,
    length: u64,
    head: Hash,
}

impl Out<'_> {
    fn snapshot(&mut self, state: &State) -> io::Result<()> {
        use std::borrow::Cow::{Borrowed, Owned};
        let (mut records, mut accounts, mut creations, mut parcels) = (0, 0, 0, 0);
        for record in state.records() {
            self.line(&Own::SnapshotRecord { record: Borrowed(record) })?;
            records += 1;
        }
        for (account_id, account) in state.accounts() {
            self.line(&Own::SnapshotAccount { account_id, account: Borrowed(account) })?;
            accounts += 1;
        }
        for (account_id, key, creation) in state.creations() {
            let (access_key_id, creation) = (Borrowed(key), Borrowed(creation));
            self.line(&Own::SnapshotCreation { account_id, access_key_id, creation })?;
            creations += 1;
        }
        for parcel in state.outbox().parcels() {
            self.line(&Own::SnapshotParcel { parcel: Owned(parcel) })?;
            parcels += 1;
        }
        self.line(&Own::SnapshotControl { control: Borrowed(state.control()) })?;
        self.line(&Own::SnapshotEnd { records, accounts, creations, parcels })
    }

    fn line(&mut self, own: &Own<'_>) -> io::Result<()> {
        self.head = write_line(&mut self.buffer, own, 0, self.head)?;
        if self.buffer.len() >= 1 << 20 { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all(&self.buffer)?;
        self.length += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}
