//! The store: one journal, one projection, one state in memory.

mod append;
mod ledger;
mod open;
mod project;
mod replay;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use keysweep_core::ids::{AccessKeyId, BundleId};
use keysweep_core::state::{Entry, State};
use tokio::sync::{Mutex as AsyncMutex, oneshot};
use tokio_util::task::TaskTracker;

use self::append::Queue;
pub use self::ledger::Undecided;
use self::open::Parts;
pub(crate) use self::open::read_all;
pub use self::open::{Opened, Rebuilt, rebuild};
use self::project::Projecting;
use crate::backup::JournalView;
use crate::bundles::{self, BundleError};
use crate::error::{CloseError, OpenError, ReadError};
use crate::files::{Disk, Files, size_below};
use crate::journal::{self, Journal, backwards};
use crate::lock::Lock;
use crate::projection::by_key;
use crate::reserve::Reserve;

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Bytes of entries after which a new segment begins; more where the state itself is larger. Default 64 MiB.
    pub segment_bytes: u64,
    /// Whether opening reads every segment and checks every hash, as `keysweep journal verify` does; otherwise only
    /// the segments that are needed. Default true.
    pub verify_all: bool,
    /// How journal files are written. Default: by the operating system.
    pub files: Arc<dyn Files>,
    /// Where jobs that write run. Default: on blocking threads.
    pub jobs: Jobs,
    /// Whether it is opened to undo a change: its first entry may then use the reserved disk space. Default false.
    pub for_undo: bool,
}

/// Where jobs that write run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Jobs {
    /// On the runtime's blocking threads.
    #[default]
    Blocking,
    /// On the runtime itself, in turn with its other tasks. A single-threaded runtime then does the same things in the
    /// same order in every run, so simulated time can be repeated exactly.
    InTurn,
}

impl Jobs {
    #[expect(
        clippy::disallowed_methods,
        reason = "a job holds a token of the tracker that `close` waits for"
    )]
    fn run(self, job: impl FnOnce() + Send + 'static) {
        match self {
            Self::Blocking => drop(tokio::task::spawn_blocking(job)),
            Self::InTurn => drop(tokio::spawn(async move {
                // Other tasks get a turn first, as they do while a blocking thread starts.
                tokio::task::yield_now().await;
                job();
            })),
        }
    }
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            segment_bytes: 64 * 1024 * 1024,
            verify_all: true,
            files: Arc::new(Disk),
            jobs: Jobs::default(),
            for_undo: false,
        }
    }
}

/// How often the projection failed since the store was opened. The journal is whole all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ErrorCounts {
    /// Updates that were not stored.
    pub write: u64,
    /// Reads that failed, those at opening included.
    pub read: u64,
}

/// About as large as an evidence bundle is.
const USUAL_BUNDLE: u64 = 10_000;

/// What the journal tells of one key at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// The entries about it, oldest first, as [`Store::history`] gives them.
    pub history: Vec<Entry>,
    /// Number of the last entry of the journal, whatever it is about.
    pub last_seq: u64,
    /// SHA-256 of the last line, in hexadecimal, as `keysweep journal verify` prints it.
    pub head_hash: String,
}

/// Journal, projection and state of one data_dir. A handle: clones share them.
///
/// Methods that are not async and touch files ([`Store::history`], [`Store::tail`], [`Store::view`], [`Store::size_on_disk`],
/// [`Store::bundles_on_disk`]) belong
/// into `spawn_blocking`.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    data_dir: PathBuf,
    files: Arc<dyn Files>,
    state: RwLock<State>,
    /// Last visible entry.
    head: AtomicU64,
    journal: Mutex<Journal>,
    queue: Mutex<Queue>,
    /// Whose turn it is to decide.
    turn: AsyncMutex<()>,
    projecting: Projecting,
    reserve: Mutex<Reserve>,
    /// Held while an evidence bundle is written.
    bundling: Mutex<()>,
    /// Every blocking job holds a token of it and is awaited by `close`.
    jobs: TaskTracker,
    run_jobs: Jobs,
    /// Last, so that it is released last.
    lock: Mutex<Option<Lock>>,
}

impl Store {
    /// Opens the data_dir, which is made if it is missing, and takes its lock.
    ///
    /// A torn end of the journal is cut off. A projection that is missing, damaged or behind is rebuilt or caught up.
    ///
    /// # Errors
    /// [`OpenError`]: in use, not writable, a broken journal, or a projection that knows more than the journal.
    pub async fn open(dir: &Path, options: OpenOptions) -> Result<(Self, Opened), OpenError> {
        let (dir, run_jobs, files) = (dir.to_path_buf(), options.jobs, Arc::clone(&options.files));
        let opening = tokio::task::spawn_blocking(move || open::open(&dir, &options));
        let (Parts { data_dir, lock, journal, state, head, projecting, reserve }, opened) =
            opening.await.map_err(|_| OpenError::Interrupted)??;
        let inner = Inner {
            data_dir,
            files,
            state: RwLock::new(state),
            head: AtomicU64::new(head),
            journal: Mutex::new(journal),
            queue: Mutex::new(Queue::default()),
            turn: AsyncMutex::new(()),
            projecting,
            reserve: Mutex::new(reserve),
            bundling: Mutex::new(()),
            jobs: TaskTracker::new(),
            run_jobs,
            lock: Mutex::new(Some(lock)),
        };
        Ok((Self { inner: Arc::new(inner) }, opened))
    }

    /// Reads the state. Everything in it is in the journal and on disk.
    ///
    /// `f` holds up commits while it runs.
    pub fn read<R>(&self, f: impl FnOnce(&State) -> R) -> R {
        f(&self.inner.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Number of the last entry; 0 where there is none.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.inner.head.load(Ordering::Acquire)
    }

    /// The entries about one key, oldest first. An entry about many keys (`due_accepted`) is narrowed to this one;
    /// scans of whole accounts are left out.
    ///
    /// # Errors
    /// If the projection does not have all of them and the journal cannot be read.
    pub fn history(&self, key: &AccessKeyId) -> Result<Vec<Entry>, ReadError> {
        let head = self.last_seq();
        let (applied, stored) = self.inner.projecting.history(key);
        let mut entries: BTreeMap<u64, Entry> = stored.into_iter().map(|entry| (entry.seq, entry)).collect();
        // What the projection does not have yet, or will not get before the next start.
        if applied < head {
            let journal = self.inner.data_dir.join(journal::DIR);
            backwards(&journal, head, &mut |entry| {
                let newer = entry.seq > applied;
                if newer {
                    let about = by_key(&entry).into_iter().filter(|(about, _)| about == key);
                    entries.extend(about.map(|(_, entry)| (entry.seq, entry.into_owned())));
                }
                newer
            })?;
        }
        Ok(entries.into_values().collect())
    }

    /// What the journal tells of a key right now.
    ///
    /// # Errors
    /// As [`history`](Self::history).
    pub async fn told(&self, key: &AccessKeyId) -> Result<Told, ReadError> {
        let key = key.clone();
        let told = self.in_job(move |store| {
            let (_, head, last_seq) = lock(&store.inner.journal).end();
            Ok(Told { history: store.history(&key)?, last_seq, head_hash: head.to_string() })
        });
        told.await.unwrap_or(Err(ReadError::Interrupted))
    }

    /// Whether there is room for another evidence bundle: all of them may have `most` bytes together.
    ///
    /// # Errors
    /// [`BundleError`] if there is not.
    pub async fn bundle_room(&self, most: u64) -> Result<(), BundleError> {
        let checked = self.in_job(move |store| store.admits_bundle(USUAL_BUNDLE, most));
        checked.await.unwrap_or(Err(BundleError::Interrupted))
    }

    /// Makes an evidence bundle durable: one line of JSON with its end, which is then named by its hash. `most` is how
    /// many bytes all bundles of the data_dir may have together.
    ///
    /// # Errors
    /// [`BundleError`]: then there is no such file.
    pub async fn write_bundle(&self, bytes: Vec<u8>, most: u64) -> Result<BundleId, BundleError> {
        let written = self.in_job(move |store| {
            let inner = &store.inner;
            // One at a time, so that they keep within the limit together.
            let _one = lock(&inner.bundling);
            store.admits_bundle(bytes.len() as u64, most)?;
            bundles::write(&inner.files, &inner.data_dir, &bytes)
        });
        written.await.unwrap_or(Err(BundleError::Interrupted))
    }

    /// Removes an evidence bundle that is certainly not in the journal.
    pub async fn discard_bundle(&self, id: &BundleId) {
        let id = id.clone();
        self.in_job(move |Self { inner }| bundles::remove(&*inner.files, &inner.data_dir, &id)).await;
    }

    fn admits_bundle(&self, bytes: u64, most: u64) -> Result<(), BundleError> {
        let inner = &self.inner;
        // Without it on the disk, what is free there is for undoing changes.
        if !lock(&inner.reserve).admits_others() {
            return Err(BundleError::Reserved { dir: inner.data_dir.join(bundles::DIR) });
        }
        bundles::check_room(&inner.data_dir, bytes, most)
    }

    /// An evidence bundle; `None` if it is not there.
    ///
    /// # Errors
    /// [`BundleError`] if it cannot be read, or was altered.
    pub async fn bundle(&self, id: &BundleId) -> Result<Option<Vec<u8>>, BundleError> {
        let id = id.clone();
        let read = self.in_job(move |Self { inner }| bundles::read_bundle(&inner.data_dir, &id));
        read.await.unwrap_or(Err(BundleError::Interrupted))
    }

    /// Does something with files where jobs run, and holds up `close` for as long; `None` if it was cut off.
    async fn in_job<T: Send + 'static>(&self, job: impl FnOnce(&Self) -> T + Send + 'static) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        let (store, token) = (self.clone(), self.inner.jobs.token());
        self.inner.run_jobs.run(move || {
            drop(reply.send(job(&store)));
            drop(token);
        });
        answer.await.ok()
    }

    /// The last `n` entries, oldest first.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub fn tail(&self, n: usize) -> Result<Vec<Entry>, ReadError> {
        let mut entries = Vec::new();
        if n > 0 {
            let journal = self.inner.data_dir.join(journal::DIR);
            backwards(&journal, self.last_seq(), &mut |entry| {
                entries.push(entry);
                entries.len() < n
            })?;
        }
        entries.reverse();
        Ok(entries)
    }

    /// Up to `n` entries for which `pick` gives something, newest first, beginning with the entry `newest`. Looks at no more
    /// than `most` entries. Also gives the number of the entry to continue with, unless the journal begins there.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub async fn newest_where<T: Send + 'static>(
        &self,
        newest: u64,
        n: usize,
        most: usize,
        mut pick: impl FnMut(Entry) -> Option<T> + Send + 'static,
    ) -> Result<(Vec<T>, Option<u64>), ReadError> {
        let read = self.in_job(move |store| {
            let journal = store.inner.data_dir.join(journal::DIR);
            let (mut found, mut seen, mut last) = (Vec::new(), 0_usize, None);
            backwards(&journal, newest.min(store.last_seq()), &mut |entry| {
                seen += 1;
                last = Some(entry.seq);
                found.extend(pick(entry));
                found.len() < n && seen < most
            })?;
            Ok((found, last.filter(|last| *last > 1).map(|last| last - 1)))
        });
        read.await.unwrap_or(Err(ReadError::Interrupted))
    }

    /// The journal as it stands now, for a [backup](crate::back_up) that reads it while it goes on. Holds up appends for
    /// as long as it takes to list the segments.
    ///
    /// # Errors
    /// If they cannot be listed.
    pub fn view(&self) -> Result<JournalView, ReadError> {
        let journal = lock(&self.inner.journal);
        Ok(JournalView::of_open(&self.inner.data_dir, journal.end())?)
    }

    /// Bytes of all files in the data_dir, but for evidence bundles.
    #[must_use]
    pub fn size_on_disk(&self) -> u64 {
        size_below(&self.inner.data_dir, Some(bundles::DIR))
    }

    /// Bytes of all evidence bundles.
    #[must_use]
    pub fn bundles_on_disk(&self) -> u64 {
        size_below(&self.inner.data_dir.join(bundles::DIR), None)
    }

    /// How often the projection failed.
    #[must_use]
    pub fn errors(&self) -> ErrorCounts {
        self.inner.projecting.errors()
    }

    /// Takes no more entries, waits for those that were asked for, brings the projection up to date and releases the
    /// lock. Clones of this handle can still read the state.
    ///
    /// # Errors
    /// If the projection could not be brought up to date; the next start does that.
    pub async fn close(self) -> Result<(), CloseError> {
        lock(&self.inner.queue).close();
        self.inner.jobs.close();
        self.inner.jobs.wait().await;
        let closing = tokio::task::spawn_blocking(move || {
            let drained = self.inner.projecting.close();
            drop(lock(&self.inner.lock).take());
            drained
        });
        closing.await.map_err(|_| CloseError::Interrupted)?
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("data_dir", &self.inner.data_dir).finish_non_exhaustive()
    }
}

/// Locks; a panic elsewhere while it was held is dealt with where it matters, by the journal.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
