//! Reading a backup: nothing in it is believed before all of it was checked.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::error::BackupError;
use super::manifest::{MAX_FIRST_LINE, Manifest, Part, Peek, VERSION, last_line};
use crate::error::JournalError;
use crate::hash::Hash;
use crate::journal::{BUFFER, Scanned, Segment, Snapshots, Visit, scan_with};

/// A backup that was found to be whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// The file.
    pub path: PathBuf,
    /// What it says of itself, which is true.
    pub manifest: Manifest,
    /// SHA-256 of the file without its last line, in hexadecimal.
    pub sha256: String,
    /// Its length.
    pub bytes: u64,
}

/// Checks a backup from its first byte to its last: length, checksum, every number and hash of the journal in it.
///
/// # Errors
/// What is wrong with it.
pub fn inspect(path: &Path) -> Result<Backup, BackupError> {
    inspect_until(path, &|| false)
}

/// The same; `stop` is asked now and then whether to break off.
pub(super) fn inspect_until(path: &Path, stop: &dyn Fn() -> bool) -> Result<Backup, BackupError> {
    open(path, stop).map(|opened| opened.backup)
}

/// A backup that was checked, and its segments.
pub(super) struct Opened {
    pub(super) backup: Backup,
    file: Arc<File>,
    parts: Vec<(Part, u64)>,
    /// Where the evidence bundles begin.
    bundles_at: u64,
}

/// As [`inspect_until`].
pub(super) fn open(path: &Path, stop: &dyn Fn() -> bool) -> Result<Opened, BackupError> {
    let failed = |source| BackupError::Read { path: path.into(), source };
    let file = File::open(path).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    let first = first_line(&file).map_err(failed)?;
    let manifest = manifest(path, &first)?;
    let end = last_line(Hash::ZERO).len() as u64;
    let body_from = first.len() as u64;
    let whole = manifest.body_bytes().and_then(|body| body.checked_add(body_from)?.checked_add(end));
    match whole {
        None => return Err(BackupError::Altered { path: path.into(), why: "its first line cannot be true" }),
        Some(expected) if bytes < expected => {
            return Err(BackupError::CutShort { path: path.into(), expected, found: bytes });
        }
        Some(expected) if bytes > expected => {
            return Err(BackupError::Altered { path: path.into(), why: "it is longer than it was" });
        }
        Some(_) => {}
    }
    let sha256 = checksum(&file, bytes - end, stop).map_err(failed)?.ok_or(BackupError::Stopped)?;
    let mut last = Vec::new();
    (&file).read_to_end(&mut last).map_err(failed)?;
    if last != last_line(sha256).as_bytes() {
        return Err(BackupError::Altered { path: path.into(), why: "its checksum is another" });
    }
    let mut at = body_from;
    let mut parts = Vec::with_capacity(manifest.segments.len());
    for part in &manifest.segments {
        parts.push((*part, at));
        at = at.saturating_add(part.bytes);
    }
    let backup = Backup { path: path.into(), manifest, sha256: sha256.to_string(), bytes };
    let opened = Opened { backup, file: Arc::new(file), parts, bundles_at: at };
    opened.check(stop)?;
    Ok(opened)
}

impl Opened {
    /// The segments with the bytes of each.
    pub(super) fn segments(&self) -> impl Iterator<Item = (Part, Section)> {
        self.parts.iter().map(|(part, at)| (*part, self.section(*at, part.bytes)))
    }

    /// The evidence bundles, one after the other.
    pub(super) fn bundles(&self) -> impl Iterator<Item = io::Result<Vec<u8>>> {
        let mut section = BufReader::new(self.section(self.bundles_at, self.backup.manifest.bundles.bytes));
        std::iter::from_fn(move || {
            let mut line = Vec::new();
            match section.read_until(b'\n', &mut line) {
                Ok(0) => None,
                Ok(_) => Some(Ok(line)),
                Err(error) => Some(Err(error)),
            }
        })
    }

    fn section(&self, at: u64, bytes: u64) -> Section {
        Section { file: Arc::clone(&self.file), at, end: at.saturating_add(bytes) }
    }

    /// Goes through the journal in it.
    fn check(&self, stop: &dyn Fn() -> bool) -> Result<(), BackupError> {
        let path = &self.backup.path;
        let altered = |why| BackupError::Altered { path: path.clone(), why };
        let segments: Vec<Segment> =
            self.parts.iter().map(|(part, _)| Segment::new(path, part.first_seq)).collect();
        if segments.is_empty() {
            return Err(altered("there is no journal in it"));
        }
        let find = |segment: &Segment| -> io::Result<Box<dyn BufRead>> {
            let found = self.parts.iter().find(|(part, _)| part.first_seq == segment.first_seq);
            let (part, at) = found.ok_or(io::ErrorKind::NotFound)?;
            Ok(Box::new(BufReader::with_capacity(BUFFER, self.section(*at, part.bytes))))
        };
        let go_on = &mut |_: Visit<'_>| if stop() { Err(BackupError::Stopped) } else { Ok(()) };
        let scanned = scan_with::<BackupError>(&segments, &find, Snapshots::Skip, go_on);
        let scanned = scanned.map_err(|error| match error {
            BackupError::Journal(error) => self.in_words(error),
            error => error,
        })?;
        if !agrees(&self.backup.manifest, &scanned) {
            return Err(altered("the journal in it ends otherwise than its first line says"));
        }
        let mut count = 0;
        for bundle in self.bundles() {
            let bundle = bundle.map_err(|source| BackupError::Read { path: path.clone(), source })?;
            count += u64::from(bundle.ends_with(b"\n"));
            if stop() {
                return Err(BackupError::Stopped);
            }
        }
        if count == self.backup.manifest.bundles.count {
            Ok(())
        } else {
            Err(altered("there are other evidence bundles in it than its first line says"))
        }
    }

    /// The repair of a journal is none of a backup.
    fn in_words(&self, error: JournalError) -> BackupError {
        let path = self.backup.path.clone();
        match error {
            JournalError::Broken { path: segment, line, problem, .. } => {
                let segment = segment.file_name().unwrap_or_default().to_string_lossy().into_owned();
                BackupError::Broken { path, segment, line, problem }
            }
            JournalError::NewerFormat { found, known, .. } => {
                BackupError::Newer { path, version: self.backup.manifest.version.clone(), found, known }
            }
            JournalError::Read { source, .. } => BackupError::Read { path, source },
            error @ (JournalError::List { .. }
            | JournalError::Missing { .. }
            | JournalError::Decode { .. }
            | JournalError::Replay { .. }
            | JournalError::Write { .. }) => BackupError::Journal(error),
        }
    }
}

/// Whether a journal is the one that a manifest tells of.
pub(super) fn agrees(manifest: &Manifest, scanned: &Scanned) -> bool {
    let told = (manifest.entries, manifest.first_seq, manifest.last_seq, manifest.head_hash);
    told == (scanned.entries, scanned.first_seq, scanned.last_seq, scanned.head) && scanned.torn == 0
}

/// Whether a file begins as a backup of any version.
pub(super) fn is_backup(path: &Path) -> bool {
    let line = File::open(path).and_then(|file| first_line(&file));
    line.is_ok_and(|line| Peek::of(&line).is_some())
}

fn first_line(file: &File) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    BufReader::new(file.take(MAX_FIRST_LINE)).read_until(b'\n', &mut line)?;
    Ok(line)
}

fn manifest(path: &Path, line: &[u8]) -> Result<Manifest, BackupError> {
    let peek = Peek::of(line).ok_or_else(|| BackupError::NoBackup { path: path.into() })?;
    if peek.v > VERSION {
        let (version, found) = (peek.keysweep, peek.v);
        return Err(BackupError::Newer { path: path.into(), version, found, known: VERSION });
    }
    let why = "its first line cannot be read";
    serde_json::from_slice(line).map_err(|_| BackupError::Altered { path: path.into(), why })
}

/// SHA-256 of the first bytes of a file, which is then read up to there; `None` if it was broken off.
fn checksum(mut file: &File, bytes: u64, stop: &dyn Fn() -> bool) -> io::Result<Option<Hash>> {
    file.seek(SeekFrom::Start(0))?;
    let mut left = file.take(bytes);
    let mut buffer = vec![0; BUFFER];
    let mut sha = Sha256::new();
    while !stop() {
        match left.read(&mut buffer)? {
            0 => return Ok(Some(Hash::from_bytes(sha.finalize().into()))),
            read => sha.update(buffer.get(..read).unwrap_or_default()),
        }
    }
    Ok(None)
}

/// Part of a file, read without moving in it.
#[derive(Debug)]
pub(super) struct Section {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let room = left.min(buffer.len());
        let read = self.file.read_at(buffer.get_mut(..room).unwrap_or_default(), self.at)?;
        self.at = self.at.saturating_add(read as u64);
        Ok(read)
    }
}
