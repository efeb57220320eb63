//! The way back: a backup becomes the journal of a data_dir.
//!
//! The new journal is made complete beside the old one, with the entries that tell of the restoration and pause
//! keysweep, and is read through and replayed. Only then a marker says that journals are being exchanged; until it is
//! gone again nobody opens this data_dir.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use keysweep_core::state::{Actor, Body, Entry, State};

use super::error::{BackupError, RestoreError};
use super::read::{Backup, Opened, agrees, open};
use super::write::remove_if_there;
use crate::bundles;
use crate::error::{AppendError, OpenError};
use crate::files::{Files, create_private_dir, free_name};
use crate::journal::{self, Journal, Scanned, Segment, list};
use crate::lock::Lock;
use crate::projection;
use crate::store::read_all;

/// Where the new journal is made.
const STAGING: &str = "journal.restoring";

/// There while journals are exchanged; it holds the name of the backup.
const MARKER: &str = "restore-unfinished";

/// How much is in memory at once.
const CHUNK: usize = 1 << 20;

/// A backup that is to be restored.
#[derive(Debug, Clone)]
pub struct Restoration<'a> {
    /// Where. Made if it is missing.
    pub data_dir: &'a Path,
    /// The backup.
    pub file: &'a Path,
    /// Whether a journal that is there is set aside.
    pub replace: bool,
    /// Policy time.
    pub at: Timestamp,
    /// Who orders it.
    pub actor: &'a Actor,
    /// How files are written.
    pub files: Arc<dyn Files>,
}

/// What a restoration did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The backup.
    pub backup: Backup,
    /// Records of keys that follow from it.
    pub records: u64,
    /// Under which names what was there before is kept.
    pub aside: Vec<PathBuf>,
}

/// Makes a backup the journal of a data_dir, paused, and with everything waiting that something after the backup could
/// have stopped. The records follow at the next start.
///
/// # Errors
/// [`RestoreError`]; data_dir is then as it was, unless the error says otherwise.
pub fn restore(order: &Restoration<'_>) -> Result<Restored, RestoreError> {
    let opened = open(order.file, &|| false)?;
    let dir = order.data_dir;
    create_private_dir(dir).map_err(|source| RestoreError::Write { path: dir.into(), source })?;
    let lock = Lock::take(dir).map_err(|error| match error {
        OpenError::Locked { dir, holder } => RestoreError::Locked { dir, holder },
        source => RestoreError::Open { source },
    })?;
    let unfinished = marker(dir).exists();
    if let Some(found) = occupied(dir).filter(|_| !order.replace && !unfinished) {
        return Err(RestoreError::Occupied { dir: dir.into(), found });
    }
    let staging = dir.join(STAGING);
    let prepared = prepare(order, &opened, &staging).inspect_err(|_| remove_staging(&staging))?;
    restore_bundles(order, &opened).inspect_err(|_| remove_staging(&staging))?;
    let aside = exchange(order, &staging, unfinished)?;
    drop(lock);
    Ok(Restored { backup: opened.backup, records: prepared.records().count() as u64, aside })
}

/// On a full disk its bytes are wanted. At the next try it would be removed, too.
fn remove_staging(staging: &Path) {
    if let Err(error) = fs::remove_dir_all(staging) {
        tracing::debug!(%error, path = %staging.display(), "unfinished journal not removed");
    }
}

/// Named by what is in them, bundles stand in nobody's way, whatever becomes of the restoration.
fn restore_bundles(order: &Restoration<'_>, opened: &Opened) -> Result<(), BackupError> {
    for bundle in opened.bundles() {
        let bundle = bundle.map_err(|source| BackupError::Read { path: order.file.into(), source })?;
        if bundles::read_bundle(order.data_dir, &bundles::bundle_id(&bundle))
            .is_ok_and(|found| found.is_some())
        {
            continue;
        }
        bundles::write(&order.files, order.data_dir, &bundle)?;
    }
    Ok(())
}

/// The backup whose restoration into this data_dir was cut off while journals were exchanged, if one was.
#[must_use]
pub fn unfinished_restoration(data_dir: &Path) -> Option<String> {
    let marker = marker(data_dir);
    let named = fs::read_to_string(&marker).map(|text| text.trim().to_owned());
    // Whoever emptied it: that it is there is what counts.
    marker.exists().then(|| named.ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "FILE".into()))
}

/// Refuses a data_dir whose journal may be the old or the new one, or none.
pub(crate) fn refuse_unfinished(data_dir: &Path) -> Result<(), OpenError> {
    match unfinished_restoration(data_dir) {
        Some(backup) => Err(OpenError::RestoreUnfinished { path: marker(data_dir), backup }),
        None => Ok(()),
    }
}

fn marker(data_dir: &Path) -> PathBuf {
    data_dir.join(MARKER)
}

/// What is there already, in words.
fn occupied(data_dir: &Path) -> Option<String> {
    let held = [journal::DIR, projection::DIR].map(|name| data_dir.join(name));
    let held =
        held.iter().find(|path| fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some()))?;
    Some(held.display().to_string())
}

/// Makes the new journal, and reads it through; gives the state that it leads to.
fn prepare(order: &Restoration<'_>, opened: &Opened, staging: &Path) -> Result<State, RestoreError> {
    let files = &order.files;
    let failed = |path: &Path, source| RestoreError::Write { path: path.into(), source };
    match fs::remove_dir_all(staging) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(failed(staging, source)),
        Ok(()) | Err(_) => {}
    }
    create_private_dir(staging).map_err(|source| failed(staging, source))?;
    for (part, section) in opened.segments() {
        let segment = Segment::new(staging, part.first_seq);
        copy(&**files, section, &segment.path).map_err(|source| failed(&segment.path, source))?;
    }
    let Backup { path, manifest, sha256, .. } = &opened.backup;
    let replayed = list(staging).map_err(OpenError::from).and_then(|segments| {
        let (state, scanned) = read_all(&segments)?;
        Ok((segments, state, scanned))
    });
    let (segments, mut state, scanned) = replayed.map_err(|source| RestoreError::Replay {
        path: path.clone(),
        version: manifest.version.clone(),
        source: Box::new(source),
    })?;
    let why = "it changed while it was restored";
    let altered = || BackupError::Altered { path: path.clone(), why };
    let last = segments.last().filter(|_| agrees(manifest, &scanned)).ok_or_else(altered)?;

    let told = Body::Restored {
        created_at: manifest.created_at,
        version: manifest.version.clone(),
        last_seq: manifest.last_seq,
        sha256: sha256.clone(),
    };
    let paused = Body::Paused { reason: why_paused(manifest.created_at) };
    let numbered =
        (scanned.last_seq.saturating_add(1)..).zip([(order.actor, told), (&Actor::Keysweep, paused)]);
    let entries: Vec<Entry> = numbered
        .map(|(seq, (actor, body))| Entry { seq, at: order.at, actor: actor.clone(), body })
        .collect();
    for entry in &entries {
        state.replay(entry).map_err(AppendError::from)?;
    }
    append(order, staging, last, &scanned, &entries)?;
    files.sync_dir(staging).map_err(|source| failed(staging, source))?;
    Ok(state)
}

fn append(
    order: &Restoration<'_>,
    staging: &Path,
    last: &Segment,
    scanned: &Scanned,
    entries: &[Entry],
) -> Result<(), RestoreError> {
    let journal = Journal::open(Arc::clone(&order.files), staging, last, scanned, u64::MAX);
    let mut journal = journal.map_err(|source| RestoreError::Write { path: last.path.clone(), source })?;
    let mut group = journal.group()?;
    group.push(entries).map_err(|source| AppendError::Encode { source: Arc::new(source) })?;
    journal.write(&group, || ())?;
    Ok(())
}

/// Why keysweep is paused after the restoration. Pauses that the backup knew of stay beside this one.
fn why_paused(created_at: Timestamp) -> String {
    format!(
        "restored from the backup of {created_at}: what was held, denied or changed since then is not known here"
    )
}

fn copy(files: &dyn Files, mut from: impl Read, to: &Path) -> io::Result<()> {
    let mut file = files.create(to)?;
    let mut chunk = vec![0; CHUNK];
    loop {
        match from.read(&mut chunk)? {
            0 => return file.sync_data(),
            read => file.write_all(chunk.get(..read).unwrap_or_default())?,
        }
    }
}

/// Sets aside what is there and moves the new journal into its place. Cut off anywhere, it is done again.
fn exchange(order: &Restoration<'_>, staging: &Path, unfinished: bool) -> Result<Vec<PathBuf>, RestoreError> {
    let (dir, files) = (order.data_dir, &order.files);
    let marker = marker(dir);
    if !unfinished {
        mark(order, &marker).map_err(|source| RestoreError::Write { path: marker.clone(), source })?;
    }
    let failed = |path: &Path, source| RestoreError::SetAside { path: path.into(), source };
    let mut aside = Vec::new();
    // The records first: beside another journal than theirs they would be witnesses against it.
    for name in [projection::DIR, journal::DIR] {
        let path = dir.join(name);
        if path.exists() {
            let free = free_name(&path, "replaced").map_err(|source| failed(&path, source))?;
            files.rename(&path, &free).map_err(|source| failed(&path, source))?;
            aside.push(free);
        }
    }
    files.rename(staging, &dir.join(journal::DIR)).map_err(|source| failed(staging, source))?;
    files.sync_dir(dir).map_err(|source| failed(dir, source))?;
    fs::remove_file(&marker).map_err(|source| failed(&marker, source))?;
    files.sync_dir(dir).map_err(|source| failed(dir, source))?;
    Ok(aside)
}

/// Makes the marker, complete from its first moment on.
fn mark(order: &Restoration<'_>, marker: &Path) -> io::Result<()> {
    let new = marker.with_extension("new");
    let marked = remove_if_there(&new).and_then(|()| {
        let mut file = order.files.create(&new)?;
        file.write_all(format!("{}\n", order.file.display()).as_bytes())?;
        file.sync_data()?;
        order.files.rename(&new, marker)?;
        order.files.sync_dir(order.data_dir)
    });
    marked.inspect_err(|_| {
        // Nothing was exchanged: data_dir is whole, and must not be taken for what it is not.
        for path in [new.as_path(), marker] {
            if let Err(error) = remove_if_there(path) {
                tracing::warn!(%error, path = %path.display(), "marker not removed");
            }
        }
    })
}
