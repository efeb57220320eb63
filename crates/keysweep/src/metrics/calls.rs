//! Calls to AWS.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use jiff::SignedDuration;
use keysweep_aws::FaultKind;
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry};
use strum::VariantArray as _;

use super::counters::register;

/// Upper bounds in seconds. IAM answers in 50 to 300 ms; retries of a throttled call take seconds, and no call takes
/// longer than the `operation_timeout` of 30 s.
const BUCKETS: [f64; 9] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Counters and the histogram of every API.
pub struct Calls {
    requests: IntCounterVec,
    failures: IntCounterVec,
    durations: HistogramVec,
    /// What belongs to one API, so that a call hashes no labels: a sweep makes tens of thousands of calls.
    handles: RwLock<BTreeMap<&'static str, Arc<Handles>>>,
    /// Calls that have come to an end, well or not.
    ended: AtomicU64,
    skew: Mutex<Option<SignedDuration>>,
}

struct Handles {
    requests: IntCounter,
    failures: BTreeMap<FaultKind, IntCounter>,
    durations: Histogram,
}

impl Calls {
    pub(super) fn new(registry: &Registry) -> Self {
        let requests = Opts::new("keysweep_aws_requests_total", "AWS API requests attempted.");
        let failures = Opts::new("keysweep_aws_request_failures_total", "AWS API requests that failed.");
        let durations = HistogramOpts::new(
            "keysweep_aws_request_duration_seconds",
            "AWS API request latency including retries.",
        );
        let durations = durations.buckets(BUCKETS.to_vec());
        Self {
            requests: register(registry, IntCounterVec::new(requests, &["api"])),
            failures: register(registry, IntCounterVec::new(failures, &["api", "reason"])),
            durations: register(registry, HistogramVec::new(durations, &["api"])),
            handles: RwLock::default(),
            ended: AtomicU64::new(0),
            skew: Mutex::default(),
        }
    }

    pub(super) fn count(&self, api: &'static str, result: Result<(), FaultKind>, elapsed: Duration) {
        let handles = self.handles(api);
        handles.requests.inc();
        handles.durations.observe(elapsed.as_secs_f64());
        if let Some(failures) = result.err().and_then(|kind| handles.failures.get(&kind)) {
            failures.inc();
        }
        self.ended.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn ended(&self) -> u64 {
        self.ended.load(Ordering::Relaxed)
    }

    pub(super) fn skewed(&self, aws_minus_ours: SignedDuration) {
        *self.skew.lock().unwrap_or_else(PoisonError::into_inner) = Some(aws_minus_ours);
    }

    /// What AWS's clock shows minus what ours does, as of the last answer.
    #[must_use]
    pub fn skew(&self) -> Option<SignedDuration> {
        *self.skew.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handles(&self, api: &'static str) -> Arc<Handles> {
        let known = self.handles.read().unwrap_or_else(PoisonError::into_inner).get(api).cloned();
        known.unwrap_or_else(|| {
            let mut handles = self.handles.write().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(handles.entry(api).or_insert_with(|| Arc::new(self.new_handles(api))))
        })
    }

    /// Failures of every kind begin at zero with the first call.
    fn new_handles(&self, api: &str) -> Handles {
        let failure = |kind: &FaultKind| (*kind, self.failures.with_label_values(&[api, kind.as_str()]));
        Handles {
            requests: self.requests.with_label_values(&[api]),
            failures: FaultKind::VARIANTS.iter().map(failure).collect(),
            durations: self.durations.with_label_values(&[api]),
        }
    }
}
