//! What Prometheus is told.
//!
//! [`Metrics`] counts what this process did, and [`inventory`] shows what the records say, computed fresh at each
//! scrape. Names, labels and help texts are those of the catalogue in the documentation, and a test compares them.

mod backups;
mod calls;
mod changes;
mod config;
mod counters;
mod exposition;
mod family;
pub mod inventory;
mod lifecycle;
mod log;
mod notifications;
mod scans;
mod slack;
mod store;

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use keysweep_aws::{FaultKind, Observer};
use prometheus::Registry;

pub use self::backups::{Backups, LastBackup};
pub use self::calls::Calls;
pub use self::changes::{ChangeFailure, Changes};
pub use self::config::Configuration;
pub use self::exposition::{Family, Format, Later, write};
pub use self::lifecycle::{ApprovalDecision, Lifecycle, Signal};
pub use self::log::Log;
pub use self::notifications::Notifications;
pub use self::scans::Scans;
pub use self::slack::{Slack, SlackEvent, SlackRefusal};
pub use self::store::Store;

/// Counters and histograms of this process, by subject. They live in a registry of their own, never in the global one.
pub struct Metrics {
    registry: Registry,
    /// Backups.
    pub backups: Backups,
    /// Calls to AWS.
    pub calls: Calls,
    /// Changes in AWS.
    pub changes: Changes,
    /// The configuration in effect.
    pub config: Configuration,
    /// What happened to keys.
    pub lifecycle: Lifecycle,
    /// Messages in the log.
    pub log: Log,
    /// Messages to people.
    pub notifications: Notifications,
    /// Scans of the organization.
    pub scans: Scans,
    /// Approvals in Slack.
    pub slack: Slack,
    /// The journal and the records.
    pub store: Store,
}

impl Metrics {
    /// Every known counter at zero.
    #[must_use]
    pub fn new() -> Arc<Self> {
        let registry = Registry::new();
        #[cfg(target_os = "linux")]
        counters::register_process(&registry);
        Arc::new(Self {
            backups: Backups::default(),
            calls: Calls::new(&registry),
            changes: Changes::new(&registry),
            config: Configuration::new(&registry),
            lifecycle: Lifecycle::new(&registry),
            log: Log::new(&registry),
            notifications: Notifications::new(&registry),
            scans: Scans::new(&registry),
            slack: Slack::new(&registry),
            store: Store::new(&registry),
            registry,
        })
    }

    /// Moves whenever a call to AWS or a write to the journal has come to an end, well or not. While it stands still, so
    /// does all work.
    #[must_use]
    pub fn progress(&self) -> u64 {
        self.calls.ended() + self.store.ended()
    }

    /// The families of this process, to be [rendered](render) beside those of the inventory.
    #[must_use]
    pub fn families(&self) -> Vec<Family> {
        let mut families: Vec<Family> = self.registry.gather().into_iter().map(Family::from).collect();
        families.extend([self.backups.family().into(), self.slack.family().into()]);
        families
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Observer for Metrics {
    fn call(&self, api: &'static str, result: Result<(), FaultKind>, elapsed: Duration) {
        self.calls.count(api, result, elapsed);
    }

    fn skew(&self, aws_minus_ours: SignedDuration) {
        self.calls.skewed(aws_minus_ours);
    }
}

/// Families in the text format 0.0.4, by name.
///
/// # Errors
/// As [`write()`].
pub fn render(families: Vec<Family>) -> Result<String, prometheus::Error> {
    Ok(write(families, Format::Text)?.collect())
}
