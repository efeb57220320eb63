//! The configuration that is in effect.

use jiff::Timestamp;
use prometheus::{Gauge, Registry};

use super::counters::register;
use super::family::seconds;

/// Gauges of the configuration.
pub struct Configuration {
    successful: Gauge,
    loaded: Gauge,
}

impl Configuration {
    pub(super) fn new(registry: &Registry) -> Self {
        let gauge = |name: &str, help: &str| register(registry, Gauge::new(name, help));
        Self {
            successful: gauge(
                "keysweep_config_last_reload_successful",
                "Whether the last configuration load succeeded.",
            ),
            loaded: gauge(
                "keysweep_config_last_reload_success_timestamp_seconds",
                "Unix time of the last successful configuration load.",
            ),
        }
    }

    /// It was loaded at this time.
    pub fn loaded(&self, at: Timestamp) {
        self.successful.set(1.0);
        self.loaded.set(seconds(at));
    }

    /// It could not be loaded: the one before stays in effect.
    pub fn not_loaded(&self) {
        self.successful.set(0.0);
    }
}
