//! Operators: what they ask of a daemon that is about to die, and what they were told before it did.

use std::path::{Path, PathBuf};
use std::time::Duration;

use keysweep::socket;
use keysweep_api::{Decide, Decision, Operation, Resume, Which};

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
    let entry = |key: &String, event| Acknowledged::Entry { key: key.clone(), event, reason: reason.clone() };
    let (key, decision, acknowledged) = match &what {
        Ask::Resume => {
            let acknowledged = Acknowledged::Kind { kind: "resumed", reason: reason.clone() };
            return call(&data_dir, &Resume { which: Which::Own, reason }).await.then_some(acknowledged);
        }
        Ask::Hold(key) => {
            let length = Some(Duration::from_secs(1));
            (key, Decision::Hold { length }, entry(key, "hold_placed"))
        }
        Ask::Release(key) => (key, Decision::Release { hold: None }, entry(key, "hold_released")),
        Ask::Undo(key) => {
            let before = Journal::read(&data_dir).ok()?.times(key, "undone");
            let undone = Acknowledged::Nth { key: key.clone(), event: "undone", nth: before + 1 };
            (key, Decision::Reactivate {}, undone)
        }
    };
    let decide = Decide { key: key.parse().ok()?, decision, reason };
    call(&data_dir, &decide).await.then_some(acknowledged)
}

/// Whether it was done, as far as was said.
async fn call<O: Operation>(data_dir: &Path, asked: &O) -> bool {
    matches!(socket::ask(&socket::path(data_dir), asked).await, Ok(Some(Ok(_))))
}
