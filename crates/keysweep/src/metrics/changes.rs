//! Changes in AWS: sent, failed, and held back.

use keysweep_core::lifecycle::RefusedKind;
use keysweep_core::plan::Reason;
use keysweep_core::ticket::{Action, Planned};
use prometheus::Registry;
use strum::VariantArray as _;

use super::counters::Counters;

/// Why a change failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum ChangeFailure {
    /// Not allowed.
    Denied,
    /// Too many requests.
    Throttled,
    /// The key or the user does not exist.
    Gone,
    /// Its outcome is not known.
    Unclear,
    /// Anything else.
    Other,
}

impl From<RefusedKind> for ChangeFailure {
    fn from(kind: RefusedKind) -> Self {
        match kind {
            RefusedKind::Denied => Self::Denied,
            RefusedKind::Throttled => Self::Throttled,
            RefusedKind::Gone => Self::Gone,
            // The catalogue of metrics knows no finer name.
            RefusedKind::Transient | RefusedKind::Other => Self::Other,
        }
    }
}

/// Counters of changes.
pub struct Changes {
    sent: Counters<1>,
    failed: Counters<2>,
    suppressed: Counters<2>,
}

impl Changes {
    pub(super) fn new(registry: &Registry) -> Self {
        let failed = Action::VARIANTS.iter().flat_map(|action| {
            let failures = ChangeFailure::VARIANTS.iter();
            failures.map(move |why| [action.into(), why.into()])
        });
        // An undo is held back by nothing of ours.
        let suppressed = Planned::VARIANTS.iter().flat_map(|action| {
            let reasons = Reason::VARIANTS.iter().filter(|reason| reason.suppresses());
            reasons.map(move |reason| [action.into(), reason.into()])
        });
        Self {
            sent: Counters::new(
                registry,
                "keysweep_actions_total",
                "Changes sent to AWS.",
                ["action"],
                Action::VARIANTS.iter().map(|action| [action.into()]),
            ),
            failed: Counters::new(
                registry,
                "keysweep_action_failures_total",
                "Changes that AWS refused or whose fate stayed unclear.",
                ["action", "reason"],
                failed,
            ),
            suppressed: Counters::new(
                registry,
                "keysweep_actions_suppressed_total",
                "Changes that were due and deliberately not sent, counted once per key and sweep.",
                ["action", "reason"],
                suppressed,
            ),
        }
    }

    /// A change was sent.
    pub fn sent(&self, action: Action) {
        self.sent.count([action.into()]);
    }

    /// A change failed.
    pub fn failed(&self, action: Action, why: ChangeFailure) {
        self.failed.count([action.into(), why.into()]);
    }

    /// A change was due and deliberately not sent. Counted once per key and sweep, and not at all for a reason that
    /// [does not suppress](Reason::suppresses).
    pub fn suppressed(&self, action: impl Into<Action>, reason: Reason) {
        if reason.suppresses() {
            let action: Action = action.into();
            self.suppressed.count([action.into(), reason.into()]);
        }
    }
}
