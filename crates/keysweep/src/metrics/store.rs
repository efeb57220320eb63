//! What is written to the journal, and where the store failed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use keysweep_store::ErrorCounts;
use prometheus::{IntCounter, Opts, Registry};
use strum::VariantArray as _;

use super::counters::{Counters, register};

/// What the store can fail to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
enum Operation {
    Read,
    Write,
}

/// Counters of the store.
pub struct Store {
    written: IntCounter,
    failed: IntCounter,
    errors: Counters<1>,
    /// What the store itself had counted when it was last asked.
    counted: Mutex<ErrorCounts>,
    /// Writes that have come to an end, well or not.
    ended: AtomicU64,
}

impl Store {
    pub(super) fn new(registry: &Registry) -> Self {
        let audit = |name: &str, help: &str| {
            register(registry, IntCounter::with_opts(Opts::new(name, help).const_label("sink", "file")))
        };
        Self {
            written: audit("keysweep_audit_events_total", "Audit events written."),
            failed: audit("keysweep_audit_failures_total", "Audit events that could not be written."),
            errors: Counters::new(
                registry,
                "keysweep_state_store_errors_total",
                "State store operations that failed.",
                ["operation"],
                Operation::VARIANTS.iter().map(|operation| [operation.into()]),
            ),
            counted: Mutex::default(),
            ended: AtomicU64::new(0),
        }
    }

    /// Entries are in the journal and on disk.
    pub fn written(&self, entries: u64) {
        self.written.inc_by(entries);
        self.ended.fetch_add(1, Ordering::Relaxed);
    }

    /// An entry could not be written.
    pub fn not_written(&self) {
        self.failed.inc();
        self.ended.fetch_add(1, Ordering::Relaxed);
    }

    /// The store has counted so many failures itself since it was opened.
    pub fn errors_so_far(&self, now: ErrorCounts) {
        let mut before = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        self.errors.add([Operation::Read.into()], now.read.saturating_sub(before.read));
        self.errors.add([Operation::Write.into()], now.write.saturating_sub(before.write));
        *before = now;
    }

    pub(super) fn ended(&self) -> u64 {
        self.ended.load(Ordering::Relaxed)
    }
}
