//! What people did.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::plain::excerpt;

/// What somebody did in Slack.
#[derive(Debug)]
pub enum Event {
    /// Pressed a button of a message.
    Click(Click),
    /// Submitted a modal. The modal stays open until the reply is used or dropped.
    Submitted(Submission, Reply),
    /// Closed a modal without submitting it.
    Closed(Closed),
}

/// Who did it. Slack vouches for the ID; the name is for display only, because people choose it themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Such as `U012AB3CD`.
    pub id: String,
    /// Their user name in one line, or the ID.
    pub name: String,
}

/// A click on a button of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Click {
    /// Who clicked.
    pub user: Person,
    /// ID of their workspace: check it, because people of other workspaces can be in a shared channel.
    pub team: String,
    /// The button's action ID.
    pub action_id: String,
    /// The button's value; empty for a button that is a link.
    pub value: String,
    /// ID of the conversation with the message.
    pub channel: String,
    /// Timestamp that identifies the message within its conversation.
    pub message_ts: String,
    /// Opens one modal, within three seconds.
    pub trigger_id: String,
}

/// A submitted modal, whose texts have the lengths that it declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// Who submitted it.
    pub user: Person,
    /// ID of their workspace.
    pub team: String,
    /// The modal's callback ID.
    pub callback_id: String,
    /// The modal's private metadata.
    pub private_metadata: String,
    /// The texts by the ID of their input, as they were typed. Empty for an optional input without text.
    pub fields: BTreeMap<String, String>,
}

/// A modal that was closed without a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// Who closed it.
    pub user: Person,
    /// ID of their workspace.
    pub team: String,
    /// The modal's callback ID.
    pub callback_id: String,
    /// The modal's private metadata.
    pub private_metadata: String,
}

/// The answer to a submission. Dropped, or not used within [`Pace::answer`](super::Pace::answer), it accepts.
#[derive(Debug)]
pub struct Reply {
    sender: oneshot::Sender<Option<Value>>,
}

impl Reply {
    pub(super) fn new() -> (Self, oneshot::Receiver<Option<Value>>) {
        let (sender, receiver) = oneshot::channel();
        (Self { sender }, receiver)
    }

    /// Accepts the submission: the modal closes. Returns whether that was in time to close it at once.
    pub fn accept(self) -> bool {
        self.sender.send(None).is_ok()
    }

    /// Keeps the modal open, with an error below each of these inputs, by their IDs. At least one.
    ///
    /// Returns whether that was in time. If not, the modal has closed already, and the person has to learn of the
    /// refusal in another way.
    #[must_use = "a refusal that is too late is not shown"]
    pub fn refuse(self, errors: &BTreeMap<String, String>) -> bool {
        !errors.is_empty() && self.sender.send(Some(refusal(errors))).is_ok()
    }
}

/// The answer that shows errors in a modal ("Modals", section "Displaying errors in views").
pub(super) fn refusal(errors: &BTreeMap<String, String>) -> Value {
    let errors: BTreeMap<_, _> = errors.iter().map(|(id, text)| (id, excerpt(text, 200))).collect();
    json!({ "response_action": "errors", "errors": errors })
}
