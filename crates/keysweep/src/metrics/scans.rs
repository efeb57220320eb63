//! Scans of the organization.

use prometheus::{IntCounter, Registry};

use super::counters::register;

/// Counters of scans.
pub struct Scans {
    started: IntCounter,
    failed: IntCounter,
}

impl Scans {
    pub(super) fn new(registry: &Registry) -> Self {
        let counter = |name: &str, help: &str| register(registry, IntCounter::new(name, help));
        Self {
            started: counter("keysweep_scans_total", "Organization scans started."),
            failed: counter("keysweep_scan_failures_total", "Organization scans that failed as a whole."),
        }
    }

    /// A scan began.
    pub fn started(&self) {
        self.started.inc();
    }

    /// A scan failed as a whole.
    pub fn failed(&self) {
        self.failed.inc();
    }
}
