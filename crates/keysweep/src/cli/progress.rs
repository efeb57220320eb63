//! How far a scan is, on stderr.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::SignedDuration;
use keysweep_aws::{FaultKind, Observer};
use keysweep_core::facts::{AccountFacts, Outcome};

use crate::collect::Progress;
use crate::doctor;
use crate::metrics::Metrics;

/// Accounts done and in all, failed ones, keys found, calls and time left.
const TEMPLATE: &str = "{bar:24} {pos}/{len} accounts, {msg}, {eta} left";

/// Twice a second is enough for a person, and costs nothing.
const REDRAW_HZ: u8 = 2;

/// A progress bar. It shows only on a terminal.
pub(super) struct Bar {
    bar: ProgressBar,
    failed: AtomicU64,
    /// Absent where none are looked for.
    keys: Option<AtomicU64>,
    calls: Arc<Calls>,
}

impl Bar {
    /// Of a scan, which finds keys.
    pub(super) fn new(terminal: bool, metrics: Arc<Metrics>) -> Self {
        Self { keys: Some(AtomicU64::new(0)), ..Self::of_accounts(terminal, metrics) }
    }

    /// Of what looks at accounts alone.
    pub(super) fn of_accounts(terminal: bool, metrics: Arc<Metrics>) -> Self {
        let target = if terminal {
            ProgressDrawTarget::stderr_with_hz(REDRAW_HZ)
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style);
        }
        let calls = Arc::new(Calls { made: AtomicU64::new(0), metrics });
        Self { bar, failed: AtomicU64::new(0), keys: None, calls }
    }

    /// The bar itself, for what must step around it.
    pub(super) fn bar(&self) -> ProgressBar {
        self.bar.clone()
    }

    /// Who is to be told of calls.
    pub(super) fn observer(&self) -> Arc<dyn Observer> {
        Arc::clone(&self.calls) as Arc<dyn Observer>
    }

    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }

    fn message(&self) -> String {
        let count = |n: &AtomicU64| n.load(Ordering::Relaxed);
        let keys = self.keys.as_ref().map(|keys| format!("{} keys, ", count(keys))).unwrap_or_default();
        format!("{} failed, {keys}{} calls", count(&self.failed), count(&self.calls.made))
    }
}

impl Bar {
    fn expects(&self, accounts: usize) {
        self.bar.set_length(u64::try_from(accounts).unwrap_or(u64::MAX));
        self.bar.set_message(self.message());
    }

    fn one_more(&self) {
        self.bar.set_message(self.message());
        self.bar.inc(1);
    }
}

impl doctor::Progress for Bar {
    fn total(&self, accounts: usize) {
        self.expects(accounts);
    }

    fn done(&self, gap: bool) {
        self.failed.fetch_add(u64::from(gap), Ordering::Relaxed);
        self.one_more();
    }
}

impl Progress for Bar {
    fn total(&self, accounts: usize) {
        self.expects(accounts);
    }

    fn done(&self, _account: &AccountFacts, outcome: &Outcome) {
        match outcome {
            Outcome::Scanned(scan) => {
                let keys = u64::try_from(scan.keys.len()).unwrap_or(u64::MAX);
                if let Some(found) = &self.keys {
                    found.fetch_add(keys, Ordering::Relaxed);
                }
            }
            Outcome::Failed { .. } => {
                self.failed.fetch_add(1, Ordering::Relaxed);
            }
            Outcome::Skipped { .. } => {}
        }
        self.one_more();
    }
}

/// Counts calls on their way to the metrics.
struct Calls {
    made: AtomicU64,
    metrics: Arc<Metrics>,
}

impl Observer for Calls {
    fn call(&self, api: &'static str, result: Result<(), FaultKind>, elapsed: Duration) {
        self.made.fetch_add(1, Ordering::Relaxed);
        self.metrics.call(api, result, elapsed);
    }

    fn skew(&self, aws_minus_ours: SignedDuration) {
        self.metrics.skew(aws_minus_ours);
    }
}
