//! What happened to keys, and who decided about them.

use keysweep_core::lifecycle::StateName::{
    self, Active, Deactivated, Deactivating, Deleted, Deleting, Flagged, Gone,
};
use keysweep_core::lifecycle::event::Purpose;
use keysweep_core::state::Actor;
use prometheus::{IntCounter, Registry};
use strum::VariantArray as _;

use super::counters::{Counters, register};

/// Transitions that exist, so that each is counted from zero.
const TRANSITIONS: [(StateName, StateName); 17] = [
    (Active, Flagged),
    (Active, Gone),
    (Flagged, Active),
    (Flagged, Deactivating),
    (Flagged, Deactivated),
    (Flagged, Gone),
    (Deactivating, Deactivated),
    (Deactivating, Flagged),
    (Deactivating, Gone),
    (Deactivated, Active),
    (Deactivated, Deleting),
    (Deactivated, Gone),
    (Deleting, Deleted),
    (Deleting, Deactivated),
    (Deleting, Active),
    (Deleting, Gone),
    (Gone, Active),
];

/// Channels through which people can decide so far.
const CHANNELS: [&str; 4] = ["cli", "api", "page", "slack"];

/// A sign that a key in the lifecycle is still needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Signal {
    /// It was used.
    UsedAgain,
    /// Somebody set it Active.
    Reactivated,
    /// Its last use moved after its deactivation.
    LastUseMoved,
    /// Its owner exempted it.
    SelfExempted,
    /// It was used while its user was in quarantine.
    UsedInQuarantine,
    /// Somebody detached the policy of a quarantine, or worked on its user otherwise.
    QuarantineInterrupted,
}

/// The answer to a request for approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum ApprovalDecision {
    /// Yes.
    Approved,
    /// No.
    Denied,
}

/// Counters of what happened to keys.
pub struct Lifecycle {
    transitions: Counters<2>,
    signals: Counters<1>,
    incidents: IntCounter,
    bundles: Counters<1>,
    decisions: Counters<2>,
}

impl Lifecycle {
    pub(super) fn new(registry: &Registry) -> Self {
        let decisions = ApprovalDecision::VARIANTS.iter();
        Self {
            transitions: Counters::new(
                registry,
                "keysweep_transitions_total",
                "Lifecycle transitions, by the state left and the state entered.",
                ["from", "to"],
                TRANSITIONS.map(|(from, to)| [from.into(), to.into()]),
            ),
            signals: Counters::new(
                registry,
                "keysweep_key_signals_total",
                "Reuse signals: signs that a key in the lifecycle is still needed.",
                ["signal"],
                Signal::VARIANTS.iter().map(|signal| [signal.into()]),
            ),
            incidents: register(
                registry,
                IntCounter::new(
                    "keysweep_incidents_total",
                    "Incidents that began: keys whose user AWS marked as compromised.",
                ),
            ),
            bundles: Counters::new(
                registry,
                "keysweep_evidence_bundles_total",
                "Evidence bundles written.",
                ["purpose"],
                Purpose::VARIANTS.iter().map(|purpose| [purpose.into()]),
            ),
            decisions: Counters::new(
                registry,
                "keysweep_approval_decisions_total",
                "Approval decisions.",
                ["decision", "channel"],
                decisions.flat_map(|decision| CHANNELS.map(|channel| [decision.into(), channel])),
            ),
        }
    }

    /// A key went from one base state to another.
    pub fn transition(&self, from: StateName, to: StateName) {
        self.transitions.count([from.into(), to.into()]);
    }

    /// A key turned out to be needed.
    pub fn signal(&self, signal: Signal) {
        self.signals.count([signal.into()]);
    }

    /// AWS considers a key compromised.
    pub fn incident(&self) {
        self.incidents.inc();
    }

    /// The evidence bundle of a key is on disk and in the journal.
    pub fn bundle(&self, purpose: Purpose) {
        self.bundles.count([purpose.into()]);
    }

    /// Somebody answered a request for approval.
    pub fn decided(&self, decision: ApprovalDecision, by: &Actor) {
        self.decisions.count([decision.into(), by.channel()]);
    }
}
