//! Approvals in Slack.

use std::sync::{Mutex, PoisonError};

use prometheus::Registry;
use strum::VariantArray as _;

use super::counters::Counters;
use super::family::Gauges;

/// What a person did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum SlackEvent {
    /// Clicked a button of a request.
    Click,
    /// Submitted a reason.
    Submission,
}

/// Why nothing was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum SlackRefusal {
    /// The person belongs to another workspace.
    Workspace,
    /// The person has no role that permits it.
    Forbidden,
    /// A deletion cannot be approved in Slack.
    Deletion,
    /// The request is no longer as it was shown.
    Conflict,
    /// Button or modal make no sense.
    Malformed,
    /// keysweep or Slack could not do it.
    Unavailable,
}

/// What is counted of approvals in Slack.
pub struct Slack {
    received: Counters<1>,
    refused: Counters<1>,
    /// `None` while keysweep does not listen.
    open: Mutex<Option<usize>>,
}

impl Slack {
    pub(super) fn new(registry: &Registry) -> Self {
        Self {
            received: Counters::new(
                registry,
                "keysweep_slack_events_total",
                "Clicks and submitted reasons received from Slack.",
                ["event"],
                SlackEvent::VARIANTS.iter().map(|event| [event.into()]),
            ),
            refused: Counters::new(
                registry,
                "keysweep_slack_refusals_total",
                "Clicks and submitted reasons from Slack that keysweep refused.",
                ["reason"],
                SlackRefusal::VARIANTS.iter().map(|why| [why.into()]),
            ),
            open: Mutex::default(),
        }
    }

    /// Somebody did something.
    pub fn received(&self, event: SlackEvent) {
        self.received.count([event.into()]);
    }

    /// It was refused.
    pub fn refused(&self, why: SlackRefusal) {
        self.refused.count([why.into()]);
    }

    /// How many connections are open.
    pub fn open(&self, connections: usize) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Some(connections);
    }

    /// keysweep does not listen any more.
    pub fn closed(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(super) fn family(&self) -> Gauges {
        let mut family = Gauges::new(
            "keysweep_slack_connections",
            "Open connections to Slack, through which clicks arrive; normally 2.",
        );
        let open = *self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = open {
            family.push(&[], u64::try_from(open).unwrap_or(u64::MAX));
        }
        family
    }
}
