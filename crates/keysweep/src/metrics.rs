//! What Prometheus is told.
//!
//! [`Metrics`] counts what this process did, and [`inventory`] shows what the records say, computed fresh at each
//! scrape. Names, labels and help texts are those of the catalogue in the documentation, and a test compares them.

mod calls;
mod family;
pub mod inventory;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use keysweep_aws::{FaultKind, Observer};
use keysweep_core::plan::Reason;
use keysweep_core::state::Actor;
use keysweep_core::ticket::{Action, Planned};
use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, IntCounter, IntCounterVec, Opts, Registry, TextEncoder};

use self::calls::Calls;
use self::family::Family;

/// The content type of what [`render`] gives.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Transitions of the lifecycle that exist, so that each is counted from zero.
const TRANSITIONS: [(&str, &str); 17] = [
    ("active", "flagged"),
    ("active", "gone"),
    ("flagged", "active"),
    ("flagged", "deactivating"),
    ("flagged", "deactivated"),
    ("flagged", "gone"),
    ("deactivating", "deactivated"),
    ("deactivating", "flagged"),
    ("deactivating", "gone"),
    ("deactivated", "active"),
    ("deactivated", "deleting"),
    ("deactivated", "gone"),
    ("deleting", "deleted"),
    ("deleting", "deactivated"),
    ("deleting", "active"),
    ("deleting", "gone"),
    ("gone", "active"),
];

/// Why changes fail: those that AWS certainly refused, and `unclear`.
const FAILURES: [&str; 5] = ["denied", "throttled", "gone", "unclear", "other"];

/// Signs that a key in the lifecycle is still wanted.
const SIGNALS: [&str; 4] = ["used_again", "reactivated", "last_use_moved", "self_exempted"];

/// Why a due change is not sent. A grace period that runs is not among them.
const SUPPRESSIONS: [Reason; 14] = [
    Reason::Observe,
    Reason::Notice,
    Reason::Approval,
    Reason::Window,
    Reason::Cap,
    Reason::Breaker,
    Reason::Paused,
    Reason::Hold,
    Reason::Exempt,
    Reason::Unknown,
    Reason::Recheck,
    Reason::Protected,
    Reason::Reference,
    Reason::Evidence,
];

/// What is known of the backups that the configuration asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastBackup {
    /// There is none yet.
    Never,
    /// When the newest was made.
    At(Timestamp),
}

/// Counters and histograms of this process. They live in a registry of their own, never in the global one.
pub struct Metrics {
    registry: Registry,
    calls: Calls,
    skew: Mutex<Option<SignedDuration>>,
    transitions: IntCounterVec,
    actions: IntCounterVec,
    action_failures: IntCounterVec,
    suppressed: IntCounterVec,
    signals: IntCounterVec,
    incidents: IntCounter,
    scans: IntCounter,
    scan_failures: IntCounter,
    approvals: IntCounterVec,
    audit_events: IntCounter,
    audit_failures: IntCounter,
    store_errors: IntCounterVec,
    /// What the store itself had counted when it was last asked: reads and writes.
    store_counted: Mutex<(u64, u64)>,
    /// `None` where no backup is configured.
    backup: Mutex<Option<LastBackup>>,
    config_successful: Gauge,
    config_loaded: Gauge,
    log_messages: IntCounterVec,
    progress: AtomicU64,
}

impl Metrics {
    /// Every known counter at zero.
    #[must_use]
    pub fn new() -> Arc<Self> {
        let registry = Registry::new();
        let counters = |name: &str, help: &str, labels: &[&str]| {
            register(&registry, IntCounterVec::new(Opts::new(name, help), labels))
        };
        let audit = |name: &str, help: &str| {
            register(&registry, IntCounter::with_opts(Opts::new(name, help).const_label("sink", "file")))
        };
        let counter = |name: &str, help: &str| register(&registry, IntCounter::new(name, help));
        let gauge = |name: &str, help: &str| register(&registry, Gauge::new(name, help));
        let metrics = Self {
            calls: Calls::new(&registry),
            skew: Mutex::new(None),
            transitions: counters(
                "keysweep_transitions_total",
                "Lifecycle transitions, by the state left and the state entered.",
                &["from", "to"],
            ),
            actions: counters("keysweep_actions_total", "Changes sent to AWS.", &["action"]),
            action_failures: counters(
                "keysweep_action_failures_total",
                "Changes that AWS refused or whose fate stayed unclear.",
                &["action", "reason"],
            ),
            suppressed: counters(
                "keysweep_actions_suppressed_total",
                "Changes that were due and deliberately not sent, counted once per key and sweep.",
                &["action", "reason"],
            ),
            signals: counters(
                "keysweep_key_signals_total",
                "Reuse signals: signs that a key in the lifecycle is still needed.",
                &["signal"],
            ),
            incidents: counter(
                "keysweep_incidents_total",
                "Incidents that began: keys whose user AWS marked as compromised.",
            ),
            scans: counter("keysweep_scans_total", "Organization scans started."),
            scan_failures: counter(
                "keysweep_scan_failures_total",
                "Organization scans that failed as a whole.",
            ),
            approvals: counters(
                "keysweep_approval_decisions_total",
                "Approval decisions.",
                &["decision", "channel"],
            ),
            audit_events: audit("keysweep_audit_events_total", "Audit events written."),
            audit_failures: audit("keysweep_audit_failures_total", "Audit events that could not be written."),
            store_errors: counters(
                "keysweep_state_store_errors_total",
                "State store operations that failed.",
                &["operation"],
            ),
            store_counted: Mutex::default(),
            backup: Mutex::default(),
            config_successful: gauge(
                "keysweep_config_last_reload_successful",
                "Whether the last configuration load succeeded.",
            ),
            config_loaded: gauge(
                "keysweep_config_last_reload_success_timestamp_seconds",
                "Unix time of the last successful configuration load.",
            ),
            log_messages: counters("keysweep_log_messages_total", "Log messages by level.", &["level"]),
            progress: AtomicU64::new(0),
            registry: registry.clone(),
        };
        metrics.begin_at_zero();
        Arc::new(metrics)
    }

    /// A rate over a counter that appears with its first increment would miss that one.
    fn begin_at_zero(&self) {
        for (from, to) in TRANSITIONS {
            self.transitions.with_label_values(&[from, to]);
        }
        for action in Action::ALL {
            self.actions.with_label_values(&[action.as_str()]);
            for reason in FAILURES {
                self.action_failures.with_label_values(&[action.as_str(), reason]);
            }
        }
        // An undo is held back by nothing of ours.
        for action in Planned::ALL {
            for reason in SUPPRESSIONS {
                self.suppressed.with_label_values(&[action.as_str(), reason.as_str()]);
            }
        }
        for signal in SIGNALS {
            self.signals.with_label_values(&[signal]);
        }
        for decision in ["approved", "denied"] {
            for channel in ["cli", "api"] {
                self.approvals.with_label_values(&[decision, channel]);
            }
        }
        for operation in ["read", "write"] {
            self.store_errors.with_label_values(&[operation]);
        }
        for level in ["error", "warn", "info", "debug", "trace"] {
            self.log_messages.with_label_values(&[level]);
        }
    }

    /// A key went from one base state to another.
    pub fn transition(&self, from: &str, to: &str) {
        self.transitions.with_label_values(&[from, to]).inc();
    }

    /// A change was sent.
    pub fn action(&self, action: Action) {
        self.actions.with_label_values(&[action.as_str()]).inc();
    }

    /// A change failed: `denied`, `throttled`, `gone`, `unclear` or `other`.
    pub fn action_failed(&self, action: Action, reason: &str) {
        self.action_failures.with_label_values(&[action.as_str(), reason]).inc();
    }

    /// A change was due and deliberately not sent. Counted once per key and sweep, and not at all for a reason that
    /// [does not suppress](Reason::suppresses).
    pub fn suppressed(&self, action: impl Into<Action>, reason: Reason) {
        if reason.suppresses() {
            let action: Action = action.into();
            self.suppressed.with_label_values(&[action.as_str(), reason.as_str()]).inc();
        }
    }

    /// A key turned out to be wanted: `used_again`, `reactivated`, `last_use_moved` or `self_exempted`.
    pub fn signal(&self, signal: &str) {
        self.signals.with_label_values(&[signal]).inc();
    }

    /// AWS considers a key compromised.
    pub fn incident(&self) {
        self.incidents.inc();
    }

    /// A scan of the organization began.
    pub fn scan_started(&self) {
        self.scans.inc();
    }

    /// A scan of the organization failed as a whole.
    pub fn scan_failed(&self) {
        self.scan_failures.inc();
    }

    /// Somebody decided: `approved` or `denied`.
    pub fn approval(&self, decision: &str, by: &Actor) {
        self.approvals.with_label_values(&[decision, by.channel()]).inc();
    }

    /// Entries are in the journal and on disk.
    pub fn audit_written(&self, entries: u64) {
        self.audit_events.inc_by(entries);
        self.progress.fetch_add(1, Ordering::Relaxed);
    }

    /// An entry could not be written.
    pub fn audit_failed(&self) {
        self.audit_failures.inc();
        self.progress.fetch_add(1, Ordering::Relaxed);
    }

    /// Moves whenever a call to AWS or a write to the journal has come to an end, well or not. While it stands still, so
    /// does all work.
    #[must_use]
    pub fn progress(&self) -> u64 {
        self.progress.load(Ordering::Relaxed)
    }

    /// The store failed to `read` or to `write`.
    pub fn store_error(&self, operation: &str) {
        self.store_errors.with_label_values(&[operation]).inc();
    }

    /// The store has counted so many failures itself since it was opened.
    pub fn store_errors_so_far(&self, read: u64, write: u64) {
        let mut counted = self.store_counted.lock().unwrap_or_else(PoisonError::into_inner);
        self.store_errors.with_label_values(&["read"]).inc_by(read.saturating_sub(counted.0));
        self.store_errors.with_label_values(&["write"]).inc_by(write.saturating_sub(counted.1));
        *counted = (read, write);
    }

    /// The configuration was loaded at this time, or could not be.
    pub fn config_loaded(&self, at: Timestamp, ok: bool) {
        self.config_successful.set(f64::from(u8::from(ok)));
        if ok {
            self.config_loaded.set(family::seconds(at));
        }
    }

    /// What is known of the backups, or `None` where none is configured.
    pub fn backup(&self, last: Option<LastBackup>) {
        *self.backup.lock().unwrap_or_else(PoisonError::into_inner) = last;
    }

    /// A message was logged.
    pub fn log_message(&self, level: tracing::Level) {
        let level = match level {
            tracing::Level::ERROR => "error",
            tracing::Level::WARN => "warn",
            tracing::Level::INFO => "info",
            tracing::Level::DEBUG => "debug",
            tracing::Level::TRACE => "trace",
        };
        self.log_messages.with_label_values(&[level]).inc();
    }

    /// What AWS's clock shows minus what ours does, as of the last answer.
    #[must_use]
    pub fn skew(&self) -> Option<SignedDuration> {
        *self.skew.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The families of this process, to be [rendered](render) beside those of the inventory.
    #[must_use]
    pub fn families(&self) -> Vec<MetricFamily> {
        let mut families = self.registry.gather();
        families.extend(self.backup_family().finish());
        families
    }

    /// Where there never was a backup, it is as old as Unix time: an alert looks at one series alone.
    fn backup_family(&self) -> Family {
        let mut family = Family::new(
            "keysweep_backup_last_success_timestamp_seconds",
            "Unix time of the last successful state backup.",
        );
        match *self.backup.lock().unwrap_or_else(PoisonError::into_inner) {
            None => {}
            Some(LastBackup::Never) => family.push(&[], 0.0),
            Some(LastBackup::At(at)) => family.push(&[], at),
        }
        family
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
        self.progress.fetch_add(1, Ordering::Relaxed);
    }

    fn skew(&self, aws_minus_ours: SignedDuration) {
        *self.skew.lock().unwrap_or_else(PoisonError::into_inner) = Some(aws_minus_ours);
    }
}

/// Families in the text format 0.0.4, by name.
///
/// # Errors
/// A family without a name or without a series: one of ours has a bug.
pub fn render(mut families: Vec<MetricFamily>) -> Result<String, prometheus::Error> {
    families.sort_by(|a, b| a.name().cmp(b.name()));
    TextEncoder::new().encode_to_string(&families)
}

/// Registers one collector.
#[expect(clippy::expect_used, reason = "names and labels are constants: the first test that runs would fail")]
fn register<C: Collector + Clone + 'static>(registry: &Registry, collector: prometheus::Result<C>) -> C {
    let collector = collector.expect("a valid name and valid labels");
    registry.register(Box::new(collector.clone())).expect("a name that is not taken");
    collector
}
