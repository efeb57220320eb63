//! Counters as families, each known series from zero.

use prometheus::core::Collector;
use prometheus::{IntCounterVec, Opts, Registry};

/// A family of counters with `N` labels.
pub(super) struct Counters<const N: usize>(IntCounterVec);

impl<const N: usize> Counters<N> {
    /// Registers a family with the series that are known: a rate over a counter that appears with its first increment
    /// would miss that one.
    pub(super) fn new(
        registry: &Registry,
        name: &str,
        help: &str,
        labels: [&str; N],
        known: impl IntoIterator<Item = [&'static str; N]>,
    ) -> Self {
        let family = register(registry, IntCounterVec::new(Opts::new(name, help), &labels));
        for values in known {
            family.with_label_values(&values);
        }
        Self(family)
    }

    pub(super) fn count(&self, values: [&'static str; N]) {
        self.add(values, 1);
    }

    pub(super) fn add(&self, values: [&'static str; N], more: u64) {
        self.0.with_label_values(&values).inc_by(more);
    }
}

/// Registers what every Prometheus client tells of its process: `process_cpu_seconds_total`, memory, and open files.
#[cfg(target_os = "linux")]
#[expect(clippy::expect_used, reason = "its names are constants: the first test that runs would fail")]
pub(super) fn register_process(registry: &Registry) {
    let collector = prometheus::process_collector::ProcessCollector::for_self();
    registry.register(Box::new(collector)).expect("names that are not taken");
}

/// Registers one collector.
#[expect(clippy::expect_used, reason = "names and labels are constants: the first test that runs would fail")]
pub(super) fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: prometheus::Result<C>,
) -> C {
    let collector = collector.expect("a valid name and valid labels");
    registry.register(Box::new(collector.clone())).expect("a name that is not taken");
    collector
}
