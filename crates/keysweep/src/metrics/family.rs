//! Gauges that are made for one scrape and forgotten after it.

use jiff::Timestamp;
use prometheus::proto::{Gauge, LabelPair, Metric, MetricFamily, MetricType};

/// A gauge family under construction. Without a series it is left out.
pub(super) struct Family {
    name: &'static str,
    help: &'static str,
    series: Vec<Metric>,
}

impl Family {
    pub(super) fn new(name: &'static str, help: &'static str) -> Self {
        Self { name, help, series: Vec::new() }
    }

    /// A family of one series without labels.
    pub(super) fn single(name: &'static str, help: &'static str, value: impl Value) -> Self {
        let mut family = Self::new(name, help);
        family.push(&[], value);
        family
    }

    /// Adds a series. Labels are given in the order in which they are to appear.
    pub(super) fn push(&mut self, labels: &[(&str, &str)], value: impl Value) {
        let mut gauge = Gauge::default();
        gauge.set_value(value.value());
        let mut series = Metric::from_gauge(gauge);
        let pair = |(name, value): &(&str, &str)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        };
        series.set_label(labels.iter().map(pair).collect());
        self.series.push(series);
    }

    /// The family, unless it is empty: the text format has no families without series.
    pub(super) fn finish(self) -> Option<MetricFamily> {
        if self.series.is_empty() {
            return None;
        }
        let mut family = MetricFamily::default();
        family.set_name(self.name.to_owned());
        family.set_help(self.help.to_owned());
        family.set_field_type(MetricType::GAUGE);
        family.set_metric(self.series);
        Some(family)
    }
}

/// What a gauge can show.
pub(super) trait Value {
    fn value(&self) -> f64;
}

impl Value for bool {
    fn value(&self) -> f64 {
        f64::from(u8::from(*self))
    }
}

impl Value for u64 {
    /// Exact up to 2^53: nothing here counts further.
    fn value(&self) -> f64 {
        *self as f64
    }
}

impl Value for f64 {
    fn value(&self) -> f64 {
        *self
    }
}

impl Value for Timestamp {
    fn value(&self) -> f64 {
        seconds(*self)
    }
}

/// Unix time in seconds, to the millisecond.
pub(super) fn seconds(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1000.0
}
