//! Messages to people.

use keysweep_core::notice::ChannelKind;
use prometheus::Registry;
use strum::VariantArray as _;

use super::counters::Counters;

/// Counters of messages.
pub struct Notifications {
    attempted: Counters<1>,
    failed: Counters<1>,
}

impl Notifications {
    pub(super) fn new(registry: &Registry) -> Self {
        let channels = || ChannelKind::VARIANTS.iter().map(|channel| [channel.as_str()]);
        Self {
            attempted: Counters::new(
                registry,
                "keysweep_notifications_total",
                "Notifications attempted.",
                ["channel"],
                channels(),
            ),
            failed: Counters::new(
                registry,
                "keysweep_notification_failures_total",
                "Attempts to send a notification that failed; keysweep retries.",
                ["channel"],
                channels(),
            ),
        }
    }

    /// A channel was asked to carry a message, and accepted it or not.
    pub fn attempted(&self, channel: ChannelKind, accepted: bool) {
        self.attempted.count([channel.as_str()]);
        if !accepted {
            self.failed.count([channel.as_str()]);
        }
    }
}
