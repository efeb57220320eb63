//! Operators: what they ask of a daemon that is about to die, and what they were told before it did.

use std::path::PathBuf;
use std::time::Duration;

use keysweep::operator::{Decision, Reply, Request};
use keysweep::socket;

use super::journal::Journal;

/// What somebody was told is done: it must never be lost again.
#[derive(Debug, Clone)]
pub(super) enum Acknowledged {
    /// An entry about a key, with its reason.
    Entry { key: String, event: &'static str, reason: String },
    /// An entry about no key, with its reason.
    Kind { kind: &'static str, reason: String },
    /// The n-th entry of its name about a key.
    Nth { key: String, event: &'static str, nth: usize },
}

impl Acknowledged {
    /// Whether the journal has it.
    pub(super) fn is_in(&self, journal: &Journal) -> bool {
        match self {
            Self::Entry { key, event, reason } => journal.has(key, event, Some(reason)),
            Self::Kind { kind, reason } => journal.has_kind(kind, reason),
            Self::Nth { key, event, nth } => journal.times(key, event) >= *nth,
        }
    }
}

/// What is asked.
#[derive(Debug, Clone)]
pub(super) enum Ask {
    Resume,
    Hold(String),
    Release(String),
    Undo(String),
}

/// Asks, and gives what was acknowledged: nothing where it was refused, or the daemon died over it.
pub(super) async fn ask(data_dir: PathBuf, what: Ask, reason: String) -> Option<Acknowledged> {
    let decide =
        |key: &String, decision| Request::Decide { key: key.clone(), decision, reason: reason.clone() };
    let entry = |key: &String, event| Acknowledged::Entry { key: key.clone(), event, reason: reason.clone() };
    let (request, acknowledged) = match &what {
        Ask::Resume => (
            Request::Resume { which: keysweep::operator::Which::Own, reason: reason.clone() },
            Acknowledged::Kind { kind: "resumed", reason: reason.clone() },
        ),
        Ask::Hold(key) => {
            let length = Some(Duration::from_secs(1));
            (decide(key, Decision::Hold { length }), entry(key, "hold_placed"))
        }
        Ask::Release(key) => (decide(key, Decision::Release { hold: None }), entry(key, "hold_released")),
        Ask::Undo(key) => {
            let before = Journal::read(&data_dir).ok()?.times(key, "undone");
            let undone = Acknowledged::Nth { key: key.clone(), event: "undone", nth: before + 1 };
            (decide(key, Decision::Reactivate), undone)
        }
    };
    match socket::ask(&socket::path(&data_dir), &request).await {
        Ok(Some(Reply::Done { .. })) => Some(acknowledged),
        Ok(_) | Err(_) => None,
    }
}
