//! What can happen to one key.

mod change;
mod consent;
mod overlay;
mod record;
mod seen;

use serde::{Deserialize, Serialize};

pub use self::change::{Change, RefusedKind};
pub use self::consent::Consent;
pub use self::overlay::Overlay;
pub use self::record::{Note, Purpose};
pub use self::seen::{ClearedWhy, Named, Seen};

/// Something that happened to one key. In the journal the groups do not show: an event is named by its tag alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, try_from = "Stored")]
pub enum KeyEvent {
    /// A scan or a fresh look showed something.
    Seen(Seen),
    /// People were told or asked, or decided.
    Consent(Consent),
    /// A change went a step further.
    Change(Change),
    /// Something that stops every automatic change began or ended.
    Overlay(Overlay),
    /// The record notes something, whatever the base state.
    Record(Note),
}

impl KeyEvent {
    /// Its name in the journal.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Seen(event) => event.into(),
            Self::Consent(event) => event.into(),
            Self::Change(event) => event.into(),
            Self::Overlay(event) => event.into(),
            Self::Record(event) => event.into(),
        }
    }
}

/// An event as it was written. No two groups share a tag.
#[derive(Deserialize)]
#[serde(untagged)]
enum Stored {
    Seen(Seen),
    Consent(Consent),
    Change(Change),
    Overlay(Overlay),
    Record(Note),
    Unreadable { event: String },
}

/// An event that this version cannot read.
#[derive(Debug, thiserror::Error)]
#[error("event `{event}` is unknown or not complete")]
struct UnreadableEvent {
    event: String,
}

impl TryFrom<Stored> for KeyEvent {
    type Error = UnreadableEvent;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        match stored {
            Stored::Seen(event) => Ok(Self::Seen(event)),
            Stored::Consent(event) => Ok(Self::Consent(event)),
            Stored::Change(event) => Ok(Self::Change(event)),
            Stored::Overlay(event) => Ok(Self::Overlay(event)),
            Stored::Record(note) => Ok(Self::Record(note)),
            Stored::Unreadable { event } => Err(UnreadableEvent { event }),
        }
    }
}

impl From<Seen> for KeyEvent {
    fn from(event: Seen) -> Self {
        Self::Seen(event)
    }
}

impl From<Consent> for KeyEvent {
    fn from(event: Consent) -> Self {
        Self::Consent(event)
    }
}

impl From<Change> for KeyEvent {
    fn from(event: Change) -> Self {
        Self::Change(event)
    }
}

impl From<Overlay> for KeyEvent {
    fn from(event: Overlay) -> Self {
        Self::Overlay(event)
    }
}

impl From<Note> for KeyEvent {
    fn from(note: Note) -> Self {
        Self::Record(note)
    }
}
