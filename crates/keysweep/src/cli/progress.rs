//! How far a scan is, on stderr.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::SignedDuration;
use keysweep_aws::{FaultKind, Observer};
use keysweep_core::facts::{AccountFacts, Outcome};

use crate::metrics::Metrics;
use crate::sweep::Progress;

/// Accounts done and in all, failed ones, keys found, calls and time left.
const TEMPLATE: &str = "{bar:24} {pos}/{len} accounts, {msg}, {eta} left";

/// Twice a second is enough for a person, and costs nothing.
const REDRAW_HZ: u8 = 2;

/// A progress bar. It shows only on a terminal.
pub(super) struct Bar {
    bar: ProgressBar,
    failed: AtomicU64,
    keys: AtomicU64,
    calls: Arc<Calls>,
}

impl Bar {
    pub(super) fn new(terminal: bool, metrics: Arc<Metrics>) -> Self {
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
        Self { bar, failed: AtomicU64::new(0), keys: AtomicU64::new(0), calls }
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
        format!(
            "{} failed, {} keys, {} calls",
            count(&self.failed),
            count(&self.keys),
            count(&self.calls.made)
        )
    }
}

impl Progress for Bar {
    fn total(&self, accounts: usize) {
        self.bar.set_length(u64::try_from(accounts).unwrap_or(u64::MAX));
        self.bar.set_message(self.message());
    }

    fn done(&self, _account: &AccountFacts, outcome: &Outcome) {
        match outcome {
            Outcome::Scanned(scan) => {
                let keys = u64::try_from(scan.keys.len()).unwrap_or(u64::MAX);
                self.keys.fetch_add(keys, Ordering::Relaxed);
            }
            Outcome::Failed { .. } => {
                self.failed.fetch_add(1, Ordering::Relaxed);
            }
            Outcome::Skipped { .. } => {}
        }
        self.bar.set_message(self.message());
        self.bar.inc(1);
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
        Observer::skew(self.metrics.as_ref(), aws_minus_ours);
    }
}
