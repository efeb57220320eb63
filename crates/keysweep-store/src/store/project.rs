//! Brings the projection up behind the journal. Nobody waits for it, but its backlog is bounded.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use keysweep_core::ids::AccessKeyId;
use keysweep_core::state::Entry;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::{ErrorCounts, Inner, lock};
use crate::error::CloseError;
use crate::projection::{BATCH, Projection, Update};

/// Values waiting at which whoever appends lends a hand before the next group.
const BACKLOG: usize = 20 * BATCH;

/// The projection, what it is to take next, and how it fares.
pub(super) struct Projecting {
    backlog: Mutex<Backlog>,
    target: Mutex<Target>,
    /// Last entry that it has, as far as `history` may rely on.
    applied: AtomicU64,
    write_errors: AtomicU64,
    read_errors: AtomicU64,
}

#[derive(Default)]
struct Backlog {
    updates: VecDeque<Update>,
    values: usize,
    /// Whether a job runs that will look here before it ends.
    running: bool,
}

/// Where updates go.
enum Target {
    Live(Box<Projection>),
    /// A failure left it behind: it gets nothing more, and the next start catches up or rebuilds.
    Stale(String),
    Closed,
}

impl Projecting {
    pub(super) fn new(projection: Result<Projection, String>, applied: u64, read_errors: u64) -> Self {
        let (target, write_errors) = match projection {
            Ok(projection) => (Target::Live(Box::new(projection)), 0),
            Err(reason) => (Target::Stale(reason), 1),
        };
        Self {
            backlog: Mutex::new(Backlog::default()),
            target: Mutex::new(target),
            applied: AtomicU64::new(applied),
            write_errors: AtomicU64::new(write_errors),
            read_errors: AtomicU64::new(read_errors),
        }
    }

    pub(super) fn errors(&self) -> ErrorCounts {
        let (write, read) =
            (self.write_errors.load(Ordering::Relaxed), self.read_errors.load(Ordering::Relaxed));
        ErrorCounts { write, read }
    }

    /// The entries about a key, up to the entry named first. Where they cannot be read that is none, and the journal
    /// tells.
    pub(super) fn history(&self, key: &AccessKeyId) -> (u64, Vec<Entry>) {
        // Asked before reading: what is applied meanwhile is read twice and kept once.
        let applied = self.applied.load(Ordering::Acquire);
        let stored = match &*lock(&self.target) {
            Target::Live(projection) => projection.history(key),
            Target::Stale(_) | Target::Closed => return (0, Vec::new()),
        };
        match stored {
            Ok(entries) => (applied, entries),
            Err(damage) => {
                self.read_errors.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(error = %damage, %key, "history not readable from records: read from the journal");
                (0, Vec::new())
            }
        }
    }

    /// Stores what waits, in order; false where nothing did.
    fn work(&self) -> bool {
        // The target is held from before the update is taken, so that updates arrive in their order.
        let mut target = lock(&self.target);
        let Some(update) = lock(&self.backlog).take() else { return false };
        if let Target::Live(projection) = &*target {
            match projection.apply(&update).and_then(|()| projection.sync()) {
                Ok(()) => {
                    if let Some(applied) = update.applied {
                        self.applied.store(applied.seq, Ordering::Release);
                    }
                }
                Err(damage) => {
                    self.write_errors.fetch_add(1, Ordering::Relaxed);
                    let reason = damage.to_string();
                    tracing::error!(
                        error = %reason,
                        "records not stored: going on from memory, the next start rebuilds them"
                    );
                    *target = Target::Stale(reason);
                }
            }
        }
        true
    }

    /// Stores all that waits and lets go of the files.
    pub(super) fn close(&self) -> Result<(), CloseError> {
        while self.work() {}
        match std::mem::replace(&mut *lock(&self.target), Target::Closed) {
            Target::Live(projection) => {
                projection.close();
                Ok(())
            }
            Target::Closed => Ok(()),
            Target::Stale(detail) => Err(CloseError::Projection { detail }),
        }
    }
}

impl Backlog {
    /// As many updates as make a good transaction, merged.
    fn take(&mut self) -> Option<Update> {
        let mut update = self.updates.pop_front()?;
        let mut taken = update.len();
        while let Some(next) = self.updates.pop_front_if(|next| taken + next.len() <= BATCH) {
            taken += next.len();
            update.extend(next);
        }
        self.values -= taken;
        Some(update)
    }
}

/// Queues updates and sees to it that a job takes them.
pub(super) fn enqueue(inner: &Arc<Inner>, updates: Vec<Update>) {
    let job = {
        let mut backlog = lock(&inner.projecting.backlog);
        backlog.values += updates.iter().map(Update::len).sum::<usize>();
        backlog.updates.extend(updates);
        let idle = !std::mem::replace(&mut backlog.running, true);
        idle.then(|| Job { inner: Arc::clone(inner), done: false, _token: inner.jobs.token() })
    };
    // Not under the lock: where the runtime ends, the job is dropped here and now, and wants it.
    if let Some(job) = job {
        let jobs = inner.run_jobs;
        jobs.run(move || job.run());
    }
}

/// Stores updates here and now while too many wait.
pub(super) fn make_room(inner: &Inner) {
    while lock(&inner.projecting.backlog).values > BACKLOG && inner.projecting.work() {}
}

struct Job {
    inner: Arc<Inner>,
    done: bool,
    /// Keeps `close` waiting.
    _token: TaskTrackerToken,
}

impl Job {
    fn run(mut self) {
        loop {
            while self.inner.projecting.work() {}
            let mut backlog = lock(&self.inner.projecting.backlog);
            if backlog.updates.is_empty() {
                backlog.running = false;
                self.done = true;
                return;
            }
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if !self.done {
            lock(&self.inner.projecting.backlog).running = false;
        }
    }
}

/// Where the projection lives.
pub(super) fn dir(data_dir: &Path) -> PathBuf {
    data_dir.join(crate::projection::DIR)
}
