//! The projection: records, accounts, control and histories in sled, as of one entry of the journal.
//!
//! It is a cache of the journal and never decides. sled 0.34.7 stands a power loss if no value is larger than 4 KB
//! and its file is synced by us after each flush (its own flush does not fsync); it panics on some damaged files,
//! so every call runs under `catch_unwind`.

mod load;
mod pieces;
mod schema;

use std::borrow::Cow;
use std::fs::{self, File, TryLockError};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use keysweep_core::ids::AccessKeyId;
use keysweep_core::state::{Body, Delta, Entry};
use sled::transaction::{TransactionError, TransactionalTree};
use sled::{Batch, Transactional, Tree};

pub(crate) use self::load::Loaded;
use self::pieces::Pieces;
pub(crate) use self::schema::{Applied, SCHEMA};
use crate::files::create_private_dir;

/// Name of its directory in data_dir.
pub(crate) const DIR: &str = "records";

/// The inner nodes, and histories of a few hundred keys; records themselves are in memory as state. sled takes twice as much.
const CACHE_BYTES: u64 = 4 * 1024 * 1024;

/// Updates in one transaction: measured as enough to make the sync cheap, and small beside the cache.
pub(crate) const BATCH: usize = 500;

/// How often it is looked whether sled has let go of its file, and the pause in between: five seconds in all.
const LOOKS: u32 = 500;
const PAUSE: Duration = Duration::from_millis(10);

/// Key in `meta` under which the schema version stands.
const SCHEMA_KEY: &[u8] = b"schema";

/// Key in `meta` under which the last applied entry stands.
const APPLIED_KEY: &[u8] = b"applied";

/// Key in `control` of its one value.
const CONTROL_KEY: &[u8] = b"control";

/// Why the projection cannot be used, or did not take an update.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Damage {
    /// From sled.
    #[error("sled: {0}")]
    Sled(#[from] sled::Error),
    /// sled panicked.
    #[error("sled panicked: {0}")]
    Panicked(String),
    /// Around sled.
    #[error("{what}: {source}")]
    Io {
        /// What was done.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// A value is not what was written.
    #[error("value in {tree}: {problem}")]
    Value {
        /// Tree.
        tree: &'static str,
        /// What is wrong.
        problem: &'static str,
    },
    /// It has no schema version or applied entry: a rebuild did not come to its end.
    #[error("it was never completed")]
    Incomplete,
    /// Somebody has its file open.
    #[error("its file db is locked, though no other keysweep has data_dir open")]
    Held,
    /// Written by a newer version.
    #[error("schema {0} is newer than {SCHEMA}")]
    Newer(u32),
    /// Written by an older version.
    #[error("it has schema {version}, and this version writes {SCHEMA}")]
    Older {
        /// Its schema.
        version: u32,
        /// The entry as of which it stands.
        applied: Applied,
    },
}

impl Damage {
    /// Whether the files may be sound, and only the disk is not or somebody has them open: setting them aside would
    /// lose them for nothing.
    pub(crate) fn may_be_sound(&self) -> bool {
        let io = match self {
            Self::Held => return true,
            Self::Sled(sled::Error::Io(error)) | Self::Io { source: error, .. } => error,
            Self::Sled(_)
            | Self::Panicked(_)
            | Self::Value { .. }
            | Self::Incomplete
            | Self::Newer(_)
            | Self::Older { .. } => return false,
        };
        matches!(
            io.kind(),
            io::ErrorKind::StorageFull
                | io::ErrorKind::ReadOnlyFilesystem
                | io::ErrorKind::QuotaExceeded
                | io::ErrorKind::PermissionDenied
        )
    }
}

/// What changed since the last update.
#[derive(Debug, Default)]
pub(crate) struct Update {
    pub(crate) delta: Delta,
    /// Key, number of the entry, and the entry as JSON.
    pub(crate) history: Vec<(AccessKeyId, u64, String)>,
    /// The last entry covered; `None` within a rebuild, which counts only when it is complete.
    pub(crate) applied: Option<Applied>,
}

impl Update {
    /// How many values it touches.
    pub(crate) fn len(&self) -> usize {
        let Delta { records, accounts, creations, outbox, control: _ } = &self.delta;
        records.len() + accounts.len() + creations.len() + outbox.len() + self.history.len()
    }

    /// Lays a later update over this one.
    pub(crate) fn extend(&mut self, later: Self) {
        self.delta.extend(later.delta);
        self.history.extend(later.history);
        self.applied = later.applied.or(self.applied);
    }

    /// Adds what an entry says about single keys.
    pub(crate) fn remember(&mut self, entry: &Entry) -> Result<(), serde_json::Error> {
        for (key, entry) in by_key(entry) {
            self.history.push((key, entry.seq, serde_json::to_string(&*entry)?));
        }
        Ok(())
    }
}

/// What an entry says about single keys. One about many keys is narrowed to each: in full it would be stored as
/// often as it names keys.
pub(crate) fn by_key(entry: &Entry) -> Vec<(AccessKeyId, Cow<'_, Entry>)> {
    match &entry.body {
        Body::Key { key, .. } | Body::KeyCreated { key, .. } | Body::ChangeFailed { key, .. } => {
            vec![(key.clone(), Cow::Borrowed(entry))]
        }
        Body::ExemptionGranted { key, .. } => {
            key.iter().map(|key| (key.clone(), Cow::Borrowed(entry))).collect()
        }
        Body::DueAccepted { keys } => {
            let narrow = |key: &AccessKeyId| {
                let body = Body::DueAccepted { keys: [key.clone()].into() };
                (key.clone(), Cow::Owned(Entry { body, actor: entry.actor.clone(), ..*entry }))
            };
            keys.iter().map(narrow).collect()
        }
        Body::BreakerReset { reason, keys, accounts } => {
            let narrow = |key: &AccessKeyId| {
                let (reason, keys) = (reason.clone(), [key.clone()].into());
                let body = Body::BreakerReset { reason, keys, accounts: *accounts };
                (key.clone(), Cow::Owned(Entry { body, actor: entry.actor.clone(), ..*entry }))
            };
            keys.iter().map(narrow).collect()
        }
        Body::Started { .. }
        | Body::Configured { .. }
        | Body::AccountUnparked { .. }
        | Body::AccountScanned { .. }
        | Body::AccountFindings { .. }
        | Body::AccountFailed { .. }
        | Body::AccountSkipped { .. }
        | Body::AccountLeft { .. }
        | Body::BreakerTripped { .. }
        | Body::Paused { .. }
        | Body::Resumed { .. }
        | Body::ReferenceMissing { .. }
        | Body::ReferenceCleared { .. }
        | Body::RuleAcknowledged { .. }
        | Body::ExemptionEnded { .. }
        | Body::Restored { .. }
        | Body::MessageComposed { .. }
        | Body::MessageDelivered { .. }
        | Body::MessageUndeliverable { .. }
        | Body::MessageWithdrawn { .. }
        | Body::MessageRetried { .. }
        | Body::SweepFinished { .. } => Vec::new(),
    }
}

/// The open projection.
#[derive(Debug)]
pub(crate) struct Projection {
    dir: PathBuf,
    db: sled::Db,
    records: Tree,
    accounts: Tree,
    creations: Tree,
    outbox: Tree,
    control: Tree,
    history: Tree,
    meta: Tree,
}

impl Projection {
    /// Opens it, or makes an empty one.
    pub(crate) fn open(dir: &Path) -> Result<Self, Damage> {
        create_private_dir(dir).map_err(|source| Damage::Io { what: "create directory", source })?;
        remove_generating(dir).map_err(|source| Damage::Io { what: "remove left-over files", source })?;
        wait_until_let_go(dir)?;
        let dir = dir.to_path_buf();
        guarded(move || {
            let config = sled::Config::new().path(&dir).cache_capacity(CACHE_BYTES).flush_every_ms(None);
            let db = config.open()?;
            Ok(Self {
                records: db.open_tree("records")?,
                accounts: db.open_tree("accounts")?,
                creations: db.open_tree("creations")?,
                outbox: db.open_tree("outbox")?,
                control: db.open_tree("control")?,
                history: db.open_tree("history")?,
                meta: db.open_tree("meta")?,
                db,
                dir,
            })
        })
    }

    /// Applies an update, all or nothing. It is durable only after [`Projection::sync`].
    pub(crate) fn apply(&self, update: &Update) -> Result<(), Damage> {
        guarded(|| self.apply_unguarded(update))
    }

    fn apply_unguarded(&self, update: &Update) -> Result<(), Damage> {
        let mut records = Pieces::new(&self.records, "records");
        for (key, record) in &update.delta.records {
            match record {
                Some(record) => records.put(key.as_str().as_bytes(), &schema::encode(record, "records")?)?,
                None => records.remove(key.as_str().as_bytes())?,
            }
        }
        let mut accounts = Pieces::new(&self.accounts, "accounts");
        for (id, account) in &update.delta.accounts {
            match account {
                Some(account) => {
                    accounts.put(id.to_string().as_bytes(), &schema::encode(account, "accounts")?)?
                }
                None => accounts.remove(id.to_string().as_bytes())?,
            }
        }
        let mut creations = Pieces::new(&self.creations, "creations");
        for ((account, key), creation) in &update.delta.creations {
            let name = load::creation_name(*account, key);
            match creation {
                Some(creation) => creations.put(&name, &schema::encode(creation, "creations")?)?,
                None => creations.remove(&name)?,
            }
        }
        let mut outbox = Pieces::new(&self.outbox, "outbox");
        for (id, parcel) in &update.delta.outbox {
            let name = load::parcel_name(*id);
            match parcel {
                Some(parcel) => outbox.put(&name, &schema::encode(parcel, "outbox")?)?,
                None => outbox.remove(&name)?,
            }
        }
        let mut control = Pieces::new(&self.control, "control");
        if let Some(value) = &update.delta.control {
            control.put(CONTROL_KEY, &schema::encode(value, "control")?)?;
        }
        let mut history = Pieces::new(&self.history, "history");
        for (key, seq, json) in &update.history {
            history.put(&load::history_name(key, *seq), json.as_bytes())?;
        }
        let mut meta = Pieces::new(&self.meta, "meta");
        if let Some(applied) = &update.applied {
            meta.put(APPLIED_KEY, &schema::encode(applied, "meta")?)?;
            meta.raw(SCHEMA_KEY, &schema::encode_version(SCHEMA));
        }
        let batches = [records, accounts, creations, outbox, control, history, meta].map(Pieces::into_batch);
        let trees = (
            &self.records,
            &self.accounts,
            &self.creations,
            &self.outbox,
            &self.control,
            &self.history,
            &self.meta,
        );
        let done = trees.transaction(|(records, accounts, creations, outbox, control, history, meta)| {
            let trees: [&TransactionalTree; 7] =
                [records, accounts, creations, outbox, control, history, meta];
            trees
                .into_iter()
                .zip(&batches)
                .try_for_each(|(tree, batch): (_, &Batch)| tree.apply_batch(batch))?;
            Ok::<_, sled::transaction::ConflictableTransactionError<()>>(())
        });
        match done {
            Ok(()) => Ok(()),
            Err(TransactionError::Storage(error)) => Err(error.into()),
            // We never abort.
            Err(TransactionError::Abort(())) => Err(Damage::Panicked("transaction aborted".into())),
        }
    }

    /// Makes everything applied durable: sled's flush only hands it to the kernel.
    pub(crate) fn sync(&self) -> Result<(), Damage> {
        guarded(|| {
            self.db.flush()?;
            let file = File::open(self.dir.join("db"));
            let synced = file.and_then(|file| file.sync_all());
            synced.map_err(|source| Damage::Io { what: "sync db", source })
        })
    }

    /// Lets go of the files: afterwards they may be opened again, copied or moved.
    pub(crate) fn close(self) {
        let dir = self.dir.clone();
        drop(self);
        if let Err(damage) = wait_until_let_go(&dir) {
            tracing::debug!(error = %damage, "records closed, and not let go of yet");
        }
    }
}

/// Waits until nobody holds sled's own lock. A thread of sled's that wrote for a database that was closed meanwhile
/// lets go of the file only when it is next scheduled, and sled does not wait for it: opened again too soon, a sound
/// database looks like one that cannot be opened.
#[allow(
    clippy::disallowed_methods,
    reason = "a blocking job, and what it waits for is a thread of the machine"
)]
fn wait_until_let_go(dir: &Path) -> Result<(), Damage> {
    // Where there is none, or it cannot be locked at all, sled says what is wrong.
    let Ok(file) = File::open(dir.join("db")) else { return Ok(()) };
    for _ in 0..LOOKS {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            // Not kept: sled takes the lock again by itself, and nobody else may, while data_dir is ours.
            Ok(()) | Err(TryLockError::Error(_)) => return Ok(()),
        }
    }
    Err(Damage::Held)
}

/// Removes what an interrupted snapshot of sled leaves behind: with it in place sled answers `Corruption`, without
/// it everything is there.
fn remove_generating(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            tracing::warn!(path = %path.display(), "removed a left-over file of an interrupted snapshot");
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Runs sled's code; its panics become errors.
fn guarded<T>(work: impl FnOnce() -> Result<T, Damage>) -> Result<T, Damage> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(Damage::Panicked(text.unwrap_or("no message").into()))
    })
}
