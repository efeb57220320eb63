//! Reads segments from the oldest on, checks all that can be checked, and hands the lines to a visitor.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use keysweep_core::evidence::Creation;
use keysweep_core::ids::{AccessKeyId, AccountId};
use keysweep_core::notice::Outbox;
use keysweep_core::state::State;

use super::line::{FORMAT, FormatPeek, Own, Peek, VERSION};
use super::segment::Segment;
use crate::error::{JournalError, Problem};
use crate::hash::Hash;

/// Large enough that a system call costs nothing beside the hashing.
pub(crate) const BUFFER: usize = 256 * 1024;

/// What a scan meets.
pub(crate) enum Visit<'a> {
    /// A segment begins; `last_entry` is the hash of the line before it.
    Segment { first_seq: u64, last_entry: Hash, path: &'a Path },
    /// The state as it stood before the first entry of the segment.
    Snapshot(Box<State>),
    /// An entry; its request is complete.
    Entry { seq: u64, kind: &'a str, line: &'a [u8], hash: Hash, place: Place<'a> },
}

/// Where a line stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) path: &'a Path,
    pub(crate) line: u64,
    /// Whether no segment follows.
    pub(crate) last: bool,
}

impl Place<'_> {
    pub(crate) fn broken(self, problem: Problem) -> JournalError {
        JournalError::Broken { path: self.path.into(), line: self.line, problem, last: self.last }
    }
}

/// What a scan found.
#[derive(Debug, Clone)]
pub(crate) struct Scanned {
    /// Entries read.
    pub(crate) entries: u64,
    /// Number of the first entry, or of the one that will be first.
    pub(crate) first_seq: u64,
    /// Number of the last entry; `first_seq - 1` where there is none.
    pub(crate) last_seq: u64,
    /// Hash of the last good line.
    pub(crate) head: Hash,
    /// Hash of the last entry, be it in an archived segment: headers and snapshots do not count.
    pub(crate) last_entry: Hash,
    /// Length of what is good in the last segment.
    pub(crate) good: u64,
    /// Where in the last segment the entries begin.
    pub(crate) entries_from: u64,
    /// Bytes after `good`: a line or request that was never acknowledged.
    pub(crate) torn: u64,
}

/// Which snapshots a scan takes apart for its visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Snapshots {
    /// None; they are still checked.
    Skip,
    /// That of the last segment.
    Last,
}

/// An entry whose request is not complete yet.
struct Pending {
    seq: u64,
    kind: String,
    line: Vec<u8>,
    hash: Hash,
    number: u64,
}

/// Opens a segment for reading.
pub(crate) type OpenSegment<'a> = dyn Fn(&Segment) -> io::Result<Box<dyn BufRead>> + 'a;

/// Reads the segments, which must not be empty, from their files.
///
/// A torn end of the last segment is reported and not visited; anything else that is wrong is an error.
pub(crate) fn scan<E: From<JournalError>>(
    segments: &[Segment],
    snapshots: Snapshots,
    visit: &mut dyn FnMut(Visit<'_>) -> Result<(), E>,
) -> Result<Scanned, E> {
    let open = |segment: &Segment| -> io::Result<Box<dyn BufRead>> {
        Ok(Box::new(BufReader::with_capacity(BUFFER, File::open(&segment.path)?)))
    };
    scan_with(segments, &open, snapshots, visit)
}

/// The same from wherever `open` finds them.
pub(crate) fn scan_with<E: From<JournalError>>(
    segments: &[Segment],
    open: &OpenSegment<'_>,
    snapshots: Snapshots,
    visit: &mut dyn FnMut(Visit<'_>) -> Result<(), E>,
) -> Result<Scanned, E> {
    let first_seq = segments.first().map_or(1, |segment| segment.first_seq);
    let mut scanned = Scanned {
        entries: 0,
        first_seq,
        last_seq: first_seq.saturating_sub(1),
        head: Hash::ZERO,
        last_entry: Hash::ZERO,
        good: 0,
        entries_from: 0,
        torn: 0,
    };
    for (index, segment) in segments.iter().enumerate() {
        let last = index + 1 == segments.len();
        let anchor = index == 0 && segment.first_seq != 1;
        let mut reader = Reader::open(segment, open, &mut scanned, last, anchor)?;
        reader.wants_snapshot = last && snapshots == Snapshots::Last;
        reader.run(visit)?;
    }
    Ok(scanned)
}

struct Reader<'a> {
    segment: &'a Segment,
    scanned: &'a mut Scanned,
    /// The last segment may end torn.
    last: bool,
    /// What came before was archived: its hash cannot be checked.
    anchor: bool,
    wants_snapshot: bool,
    file: Box<dyn BufRead>,
    /// Number of the line read last, from 1.
    number: u64,
    /// Bytes read.
    offset: u64,
    /// Hash of the line read last; runs ahead of `scanned.head` within a request.
    head: Hash,
    next_seq: u64,
    pending: Vec<Pending>,
}

impl<'a> Reader<'a> {
    fn open(
        segment: &'a Segment,
        open: &OpenSegment<'_>,
        scanned: &'a mut Scanned,
        last: bool,
        anchor: bool,
    ) -> Result<Self, JournalError> {
        let file =
            open(segment).map_err(|source| JournalError::Read { path: segment.path.clone(), source })?;
        let (head, next_seq) = (scanned.head, scanned.last_seq.saturating_add(1));
        (scanned.good, scanned.entries_from) = (0, 0);
        Ok(Self {
            segment,
            scanned,
            last,
            anchor,
            wants_snapshot: false,
            file,
            number: 0,
            offset: 0,
            head,
            next_seq,
            pending: Vec::new(),
        })
    }

    fn place(&self) -> Place<'a> {
        Place { path: &self.segment.path, line: self.number, last: self.last }
    }

    fn run<E: From<JournalError>>(
        &mut self,
        visit: &mut dyn FnMut(Visit<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut line = Vec::new();
        self.header(&mut line, visit)?;
        if self.segment.first_seq != 1 {
            self.snapshot(&mut line, visit)?;
        }
        (self.scanned.good, self.scanned.entries_from, self.scanned.head) =
            (self.offset, self.offset, self.head);
        while self.next_line(&mut line)? {
            let whole = line.last() == Some(&b'\n');
            let text = line.strip_suffix(b"\n").unwrap_or(&line);
            let peek = match serde_json::from_slice::<Peek<'_>>(text) {
                Ok(peek) if whole => peek,
                // Without its newline it is the end, even if more has been written meanwhile.
                _ if self.last && (!whole || self.at_end()?) => {
                    self.torn();
                    return Ok(());
                }
                Ok(_) => return Err(self.place().broken(Problem::CutShort).into()),
                Err(error) => return Err(self.place().broken(Problem::Unreadable(error.to_string())).into()),
            };
            self.chain(peek.prev, text)?;
            let Some(seq) = peek.seq else {
                return Err(self
                    .place()
                    .broken(Problem::Unreadable("an entry without a number".into()))
                    .into());
            };
            if seq != self.next_seq {
                return Err(self.place().broken(Problem::Gap { expected: self.next_seq, found: seq }).into());
            }
            self.next_seq = seq.saturating_add(1);
            if peek.more > 0 || !self.pending.is_empty() {
                let (kind, hash, number) = (peek.kind.into_owned(), self.head, self.number);
                let more = peek.more;
                self.pending.push(Pending { seq, kind, line: text.to_vec(), hash, number });
                if more > 0 {
                    continue;
                }
                for Pending { seq, kind, line, hash, number } in std::mem::take(&mut self.pending) {
                    let place = Place { line: number, ..self.place() };
                    visit(Visit::Entry { seq, kind: &kind, line: &line, hash, place })?;
                }
            } else {
                visit(Visit::Entry {
                    seq,
                    kind: &peek.kind,
                    line: text,
                    hash: self.head,
                    place: self.place(),
                })?;
            }
            self.scanned.entries += seq - self.scanned.last_seq;
            self.scanned.last_seq = seq;
            (self.scanned.good, self.scanned.head) = (self.offset, self.head);
            self.scanned.last_entry = self.head;
        }
        if !self.pending.is_empty() {
            if !self.last {
                return Err(self.place().broken(Problem::CutShort).into());
            }
            self.torn();
        }
        Ok(())
    }

    fn header<E: From<JournalError>>(
        &mut self,
        line: &mut Vec<u8>,
        visit: &mut dyn FnMut(Visit<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.next_line(line)?;
        self.number = 1;
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        match serde_json::from_slice::<FormatPeek>(text) {
            Ok(format) if format.format == FORMAT && format.v > VERSION => {
                let (path, found) = (self.segment.path.clone(), format.v);
                return Err(JournalError::NewerFormat { path, found, known: VERSION }.into());
            }
            Ok(format) if format.format == FORMAT => {}
            Ok(_) | Err(_) => return Err(self.place().broken(Problem::NoHeader).into()),
        }
        let (peek, own) = self.own(text)?;
        let Own::Segment { first_seq, .. } = own else {
            return Err(self.place().broken(Problem::NoHeader).into());
        };
        if self.anchor {
            self.head = peek;
        }
        self.chain(peek, text)?;
        if first_seq != self.segment.first_seq || first_seq != self.next_seq {
            return Err(self
                .place()
                .broken(Problem::Gap { expected: self.next_seq, found: first_seq })
                .into());
        }
        self.scanned.last_entry = peek;
        visit(Visit::Segment { first_seq, last_entry: peek, path: &self.segment.path })
    }

    fn snapshot<E: From<JournalError>>(
        &mut self,
        line: &mut Vec<u8>,
        visit: &mut dyn FnMut(Visit<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (mut records, mut accounts, mut control) = Default::default();
        let mut creations: BTreeMap<AccountId, BTreeMap<AccessKeyId, Creation>> = BTreeMap::new();
        let mut parcels = Vec::new();
        let mut counts = (0_u64, 0_u64, 0_u64, 0_u64);
        loop {
            if !self.next_line(line)? || line.last() != Some(&b'\n') {
                return Err(self.place().broken(Problem::Snapshot).into());
            }
            let text = line.strip_suffix(b"\n").unwrap_or(line);
            let peek: Peek<'_> = serde_json::from_slice(text)
                .map_err(|error| self.place().broken(Problem::Unreadable(error.to_string())))?;
            self.chain(peek.prev, text)?;
            match peek.kind.as_ref() {
                "snapshot_record" => counts.0 += 1,
                "snapshot_account" => counts.1 += 1,
                "snapshot_creation" => counts.2 += 1,
                "snapshot_parcel" => counts.3 += 1,
                _ => {}
            }
            if !self.wants_snapshot && peek.kind != "snapshot_end" {
                continue;
            }
            match self.own(text)?.1 {
                Own::SnapshotRecord { record } => {
                    let record = record.into_owned();
                    _ = BTreeMap::insert(&mut records, record.identity.key.clone(), record);
                }
                Own::SnapshotAccount { account_id, account } => {
                    _ = BTreeMap::insert(&mut accounts, account_id, account.into_owned());
                }
                Own::SnapshotCreation { account_id, access_key_id, creation } => {
                    creations
                        .entry(account_id)
                        .or_default()
                        .insert(access_key_id.into_owned(), creation.into_owned());
                }
                Own::SnapshotParcel { parcel } => parcels.push(parcel.into_owned()),
                Own::SnapshotControl { control: found } => control = found.into_owned(),
                Own::SnapshotEnd { records, accounts, creations, parcels }
                    if (records, accounts, creations, parcels) == counts =>
                {
                    break;
                }
                Own::SnapshotEnd { .. } | Own::Segment { .. } => {
                    return Err(self.place().broken(Problem::Snapshot).into());
                }
            }
        }
        if self.wants_snapshot {
            let state = State::from_parts(records, accounts, control)
                .with_creations(creations)
                .with_outbox(Outbox::from_parcels(parcels));
            visit(Visit::Snapshot(Box::new(state)))?;
        }
        Ok(())
    }

    /// A line of the store's own, with the hash it names.
    fn own(&self, text: &[u8]) -> Result<(Hash, Own<'static>), JournalError> {
        let unreadable =
            |error: serde_json::Error| self.place().broken(Problem::Unreadable(error.to_string()));
        let peek: Peek<'_> = serde_json::from_slice(text).map_err(unreadable)?;
        let own: Own<'static> = serde_json::from_slice(text).map_err(unreadable)?;
        Ok((peek.prev, own))
    }

    /// Reads a line with its newline, if it has one; false at the end.
    fn next_line(&mut self, line: &mut Vec<u8>) -> Result<bool, JournalError> {
        line.clear();
        let read = self
            .file
            .read_until(b'\n', line)
            .map_err(|source| JournalError::Read { path: self.segment.path.clone(), source })?;
        if read == 0 {
            return Ok(false);
        }
        self.number += 1;
        self.offset += read as u64;
        Ok(true)
    }

    fn at_end(&mut self) -> Result<bool, JournalError> {
        let buffer = self.file.fill_buf();
        let buffer =
            buffer.map_err(|source| JournalError::Read { path: self.segment.path.clone(), source })?;
        Ok(buffer.is_empty())
    }

    fn chain(&mut self, prev: Hash, text: &[u8]) -> Result<(), JournalError> {
        if prev != self.head {
            return Err(self.place().broken(Problem::Chain));
        }
        self.head = Hash::of(text);
        Ok(())
    }

    /// Everything after what is good was never acknowledged.
    fn torn(&mut self) {
        self.scanned.torn = self.offset - self.scanned.good;
    }
}
