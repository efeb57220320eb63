//! Messages with requests for approval that can be replaced in place, and how each request ended.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Item, NoticeKind};
use crate::lifecycle::event::{Consent, KeyEvent};
use crate::lifecycle::{Approval, Record};
use crate::state::{Actor, Entry};

/// Where Slack keeps a message: what it takes to replace it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    /// ID of the conversation. For a message to a user, that of the direct message.
    pub channel: String,
    /// Timestamp that identifies the message within its conversation.
    pub ts: String,
}

/// A delivered message that asks for approvals and can be replaced, with all that it takes to write it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaceable {
    /// Where it is.
    pub place: Posted,
    /// What it said.
    pub items: Vec<Item>,
    /// Requests that are closed, by number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub closings: BTreeMap<u64, Closing>,
}

/// How a request for approval ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// When.
    pub at: Timestamp,
    /// How.
    pub ending: Ending,
    /// Who decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<Actor>,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// The ways in which a request for approval ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Everybody approved who had to, and the change began.
    Approved,
    /// Somebody denied it.
    Denied,
    /// Nobody answered in time.
    Expired,
    /// What it asked no longer applies.
    Void,
}

impl Replaceable {
    /// A message that can be replaced, if it asks for approval: nothing else in a message is replaced.
    pub(crate) fn new(place: Posted, items: Vec<Item>) -> Option<Self> {
        let asks = items.iter().any(|item| item.kind == NoticeKind::ApprovalRequest);
        asks.then(|| Self { place, items, closings: BTreeMap::new() })
    }

    /// The numbers of its requests: those of the entries that asked.
    pub fn requests(&self) -> impl Iterator<Item = u64> {
        let asked = self.items.iter().filter(|item| item.kind == NoticeKind::ApprovalRequest);
        asked.map(|item| item.id.0)
    }

    /// Whether a request in it is not closed.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.requests().any(|number| !self.closings.contains_key(&number))
    }

    /// When the last of its requests was closed.
    pub(super) fn last_closed(&self) -> Option<Timestamp> {
        self.closings.values().map(|closing| closing.at).max()
    }
}

/// The request that an event closes, by number, and how. `owed` are the notices about the event: they say why.
pub(crate) fn closing(
    entry: &Entry,
    before: Option<&Record>,
    after: Option<&Record>,
    event: &KeyEvent,
    owed: &[Item],
) -> Option<(u64, Closing)> {
    let asked = before?.approval()?;
    if after.and_then(Record::approval).is_some_and(|now| now.number == asked.number) {
        return None;
    }
    let (ending, by, why) = match event {
        KeyEvent::Consent(Consent::Denied { reason, .. }) => {
            (Ending::Denied, vec![entry.actor.clone()], Some(reason.clone()))
        }
        KeyEvent::Consent(Consent::ApprovalUnanswered { .. } | Consent::ApprovalAsked { .. }) => {
            (Ending::Expired, Vec::new(), None)
        }
        KeyEvent::Consent(Consent::ApprovalVoided { why } | Consent::NoticeVoided { why, .. }) => {
            (Ending::Void, Vec::new(), Some(why.clone()))
        }
        KeyEvent::Change(_) if asked.is_granted() => (Ending::Approved, approvers(asked), None),
        KeyEvent::Consent(_)
        | KeyEvent::Change(_)
        | KeyEvent::Seen(_)
        | KeyEvent::Overlay(_)
        | KeyEvent::Record(_) => {
            let outcome = owed.iter().find(|item| item.kind == NoticeKind::Outcome);
            (Ending::Void, Vec::new(), outcome.and_then(|item| item.why.clone()))
        }
    };
    Some((asked.number, Closing { at: entry.at, ending, by, why }))
}

fn approvers(approval: &Approval) -> Vec<Actor> {
    approval.granted.iter().map(|granted| granted.by.clone()).collect()
}
