//! Opening a data_dir, and rebuilding its projection.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use keysweep_core::state::State;

use super::OpenOptions;
use super::project::{self, Projecting};
use super::replay::Replay;
use crate::backup::refuse_unfinished;
use crate::bundles;
use crate::error::{JournalError, OpenError};
use crate::files::{create_private_dir, set_aside};
use crate::journal::{self, Journal, Scanned, Segment, Snapshots, cut_tail, list, remove_unfinished, scan};
use crate::lock::Lock;
use crate::projection::{Applied, Damage, Loaded, Projection, SCHEMA};
use crate::reserve::Reserve;

/// What opening found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The journal has no entry: the data_dir is new, or empty.
    pub new: bool,
    /// Bytes that were cut off the end of the journal: entries that nobody was told of.
    pub torn_tail: Option<u64>,
    /// Why the projection was rebuilt, if it was.
    pub rebuilt: Option<String>,
    /// Entries that were replayed on top of the projection or, in a rebuild, of the last snapshot.
    pub caught_up: u64,
}

/// What [`rebuild`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// Entries in the journal.
    pub entries: u64,
    /// Records that follow from them.
    pub records: u64,
}

/// What an open store is made of.
pub(super) struct Parts {
    pub(super) data_dir: PathBuf,
    pub(super) lock: Lock,
    pub(super) journal: Journal,
    pub(super) state: State,
    pub(super) head: u64,
    pub(super) projecting: Projecting,
    pub(super) reserve: Reserve,
}

/// Sets the projection aside and builds a new one from the journal, which is trusted as it is.
///
/// # Errors
/// As [`super::Store::open`], and if the new projection does not reach the disk.
pub fn rebuild(data_dir: &Path) -> Result<Rebuilt, OpenError> {
    let options = OpenOptions::default();
    let lock = Lock::take(data_dir)?;
    refuse_unfinished(data_dir)?;
    let segments = prepare_journal(data_dir, &options)?;
    // Before anything is set aside: the records are what tells whether the journal has lost its end.
    scan::<JournalError>(&segments, Snapshots::Skip, &mut |_| Ok(()))?;
    let dir = project::dir(data_dir);
    if dir.exists() {
        set_aside(&dir, "replaced").map_err(|source| OpenError::SetAside { path: dir.clone(), source })?;
    }
    let projection =
        Projection::open(&dir).map_err(|damage| OpenError::Projection { detail: damage.to_string() })?;
    let found = Found::Lost { projection: Ok(projection), reason: "asked for".into(), damaged: false };
    let (replay, scanned) = replay(&segments, found, &options)?;
    let (state, projection) = replay.finish(Applied { seq: scanned.last_seq, hash: scanned.last_entry });
    projection.map_err(|detail| OpenError::Projection { detail })?.close();
    drop(lock);
    Ok(Rebuilt { entries: scanned.entries, records: state.records().count() as u64 })
}

/// The state that a journal leads to which nobody opens, every segment of it read and every entry understood.
pub(crate) fn read_all(segments: &[Segment]) -> Result<(State, Scanned), OpenError> {
    let found =
        Found::Lost { projection: Err("none is wanted".into()), reason: String::new(), damaged: false };
    let (replay, scanned) = replay(segments, found, &OpenOptions::default())?;
    Ok((replay.state, scanned))
}

pub(super) fn open(data_dir: &Path, options: &OpenOptions) -> Result<(Parts, Opened), OpenError> {
    let create = |path: &Path, source| OpenError::Create { path: path.into(), source };
    create_private_dir(data_dir).map_err(|source| create(data_dir, source))?;
    let lock = Lock::take(data_dir)?;
    refuse_unfinished(data_dir)?;
    let segments = prepare_journal(data_dir, options)?;
    let found = find_projection(&project::dir(data_dir), &segments)?;
    let (rebuilt, read_errors) = match &found {
        Found::Sound(..) => (None, 0),
        Found::Lost { reason, damaged, .. } => (Some(reason.clone()), u64::from(*damaged)),
    };
    let (replay, scanned) = replay(&segments, found, options)?;
    let last = Applied { seq: scanned.last_seq, hash: scanned.last_entry };
    let caught_up = replay.replayed;
    let last_segment = segments.last().ok_or(OpenError::Interrupted)?;
    if scanned.torn > 0 {
        cut_tail(&*options.files, last_segment, &scanned)
            .map_err(|source| OpenError::Repair { path: last_segment.path.clone(), source })?;
    }
    let (state, projection) = replay.finish(last);
    let dir = data_dir.join(journal::DIR);
    let journal = Journal::open(options.files.clone(), &dir, last_segment, &scanned, options.segment_bytes)
        .map_err(|source| create(&last_segment.path, source))?;
    let new = last.seq == 0;
    let opened = Opened {
        new,
        torn_tail: (scanned.torn > 0).then_some(scanned.torn),
        rebuilt: rebuilt.filter(|_| !new),
        caught_up,
    };
    let applied = if projection.is_ok() { last.seq } else { 0 };
    let projecting = Projecting::new(projection, applied, read_errors);
    bundles::sweep_up(&*options.files, data_dir);
    let reserve = Reserve::open(Arc::clone(&options.files), data_dir);
    let data_dir = data_dir.into();
    Ok((Parts { data_dir, lock, journal, state, head: last.seq, projecting, reserve }, opened))
}

/// The segments; a first one is made where there is none.
fn prepare_journal(data_dir: &Path, options: &OpenOptions) -> Result<Vec<Segment>, OpenError> {
    let dir = data_dir.join(journal::DIR);
    let create = |source| OpenError::Create { path: dir.clone(), source };
    create_private_dir(&dir).map_err(create)?;
    remove_unfinished(&dir).map_err(create)?;
    let segments = list(&dir)?;
    if !segments.is_empty() {
        return Ok(segments);
    }
    Journal::create(&*options.files, &dir).map_err(create)?;
    options.files.sync_dir(data_dir).map_err(create)?;
    Ok(list(&dir)?)
}

/// What became of the projection.
enum Found {
    Sound(Box<Loaded>, Projection),
    /// A new one is to be filled; without one, for the reason given, memory has to do.
    Lost {
        projection: Result<Projection, String>,
        reason: String,
        /// Whether there was one.
        damaged: bool,
    },
}

fn find_projection(dir: &Path, segments: &[Segment]) -> Result<Found, OpenError> {
    let oldest = segments.first().map_or(1, |segment| segment.first_seq);
    if !dir.exists() {
        let projection = Projection::open(dir).map_err(|damage| damage.to_string());
        return Ok(Found::Lost { projection, reason: "there was none".into(), damaged: false });
    }
    let loaded = Projection::open(dir).and_then(|projection| Ok((projection.load()?, projection)));
    let reason = match loaded {
        Ok((loaded, projection)) if loaded.applied.seq.saturating_add(1) >= oldest => {
            return Ok(Found::Sound(Box::new(loaded), projection));
        }
        Ok((loaded, _)) => {
            format!("it ends at entry {}, and the journal begins only at {oldest}", loaded.applied.seq)
        }
        Err(Damage::Newer(found)) => {
            return Err(OpenError::NewerSchema { path: dir.into(), found, known: SCHEMA });
        }
        Err(damage) if damage.may_be_sound() => {
            tracing::error!(error = %damage, "records not readable: going on from memory");
            let reason = damage.to_string();
            return Ok(Found::Lost { projection: Err(reason.clone()), reason, damaged: true });
        }
        Err(Damage::Incomplete) => {
            // Begun and not finished: it never held anything that the journal does not.
            let gone = std::fs::remove_dir_all(dir);
            gone.map_err(|source| OpenError::SetAside { path: dir.into(), source })?;
            let projection = Projection::open(dir).map_err(|damage| damage.to_string());
            return Ok(Found::Lost { projection, reason: Damage::Incomplete.to_string(), damaged: true });
        }
        Err(Damage::Older { version, applied }) => {
            // Before it is set aside: it is what tells whether the journal has lost its end.
            let mut check = Replay::check_only(applied);
            let scanned = scan::<OpenError>(since(segments, applied), Snapshots::Skip, &mut |visit| {
                check.visit(visit)
            })?;
            refuse_ahead(segments, applied, &scanned)?;
            set_aside(dir, "replaced").map_err(|source| OpenError::SetAside { path: dir.into(), source })?;
            let projection = Projection::open(dir).map_err(|damage| damage.to_string());
            let reason = Damage::Older { version, applied }.to_string();
            return Ok(Found::Lost { projection, reason, damaged: false });
        }
        Err(damage) => damage.to_string(),
    };
    let aside =
        set_aside(dir, "damaged").map_err(|source| OpenError::SetAside { path: dir.into(), source })?;
    tracing::warn!(%reason, aside = %aside.display(), "records set aside and rebuilt from the journal");
    let projection = Projection::open(dir).map_err(|damage| damage.to_string());
    Ok(Found::Lost { projection, reason, damaged: true })
}

/// Reads the journal. Nothing on disk has changed yet if this fails, but for histories of a projection in the making.
fn replay(segments: &[Segment], found: Found, options: &OpenOptions) -> Result<(Replay, Scanned), OpenError> {
    let newest = segments.last().map_or(1, |segment| segment.first_seq);
    let (mut replay, snapshots, known, needed) = match found {
        Found::Sound(loaded, projection) => {
            let Loaded { state, applied } = *loaded;
            let replay = Replay::catch_up(state, applied, projection);
            (replay, Snapshots::Skip, Some(applied), since(segments, applied))
        }
        Found::Lost { projection: Ok(projection), .. } => {
            (Replay::rebuild(State::default(), newest, Some(projection)), Snapshots::Last, None, segments)
        }
        Found::Lost { projection: Err(reason), .. } => {
            let mut replay = Replay::rebuild(State::default(), newest, None);
            replay.failed = Some(reason);
            let last = segments.len().saturating_sub(1);
            (replay, Snapshots::Last, None, segments.get(last..).unwrap_or_default())
        }
    };
    let needed = if options.verify_all { segments } else { needed };
    let scanned = scan::<OpenError>(needed, snapshots, &mut |visit| replay.visit(visit))?;
    if let Some(known) = known {
        refuse_ahead(segments, known, &scanned)?;
    }
    Ok((replay, scanned))
}

/// The segments from the one on that holds the entry as of which a projection stands.
fn since(segments: &[Segment], applied: Applied) -> &[Segment] {
    let needed = segments.iter().rposition(|segment| segment.first_seq <= applied.seq.saturating_add(1));
    segments.get(needed.unwrap_or(0)..).unwrap_or_default()
}

/// A projection that knows more than the journal shows that the journal has lost its end.
fn refuse_ahead(segments: &[Segment], known: Applied, scanned: &Scanned) -> Result<(), OpenError> {
    if known.seq > scanned.last_seq {
        let path = segments.last().map(|segment| segment.path.clone()).unwrap_or_default();
        return Err(OpenError::Ahead { path, applied: known.seq, journal: scanned.last_seq });
    }
    Ok(())
}
