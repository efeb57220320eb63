//! A modal that asks for one text.

use serde_json::{Value, json};

use super::limits::{
    LimitError, MAX_ID, MAX_INPUT, MAX_LABEL, MAX_MODAL_TITLE, MAX_PRIVATE_METADATA, MAX_SECTION_TEXT,
    opaque, plain_text,
};
use super::{Slack, api};
use crate::failure::Failure;

/// A text that a modal asks for, in several lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextInput {
    /// Its name in [`Submission::fields`](super::socket::Submission::fields), at most [`MAX_ID`] characters.
    pub id: String,
    /// What is asked, as plain text.
    pub label: String,
    /// What to consider, as plain text below the input.
    pub hint: Option<String>,
    /// The shortest text that is accepted, in characters, without white space at both ends. With 0 it is optional.
    pub min: u16,
    /// The longest text that is accepted, in characters, at most [`MAX_INPUT`].
    pub max: u16,
}

impl TextInput {
    /// A reason, of 1 to 500 characters.
    #[must_use]
    pub fn reason(id: &str, label: &str) -> Self {
        Self { id: id.to_owned(), label: label.to_owned(), hint: None, min: 1, max: 500 }
    }
}

/// A modal. Its submission arrives as a [`Submission`](super::socket::Submission), and if it is closed without one, that
/// arrives as a [`Closed`](super::socket::Closed).
///
/// All text is plain: mentions, links and markup in it have no effect. Text that is too long is cut; what is opaque
/// ([`callback_id`](Self::callback_id), [`private_metadata`](Self::private_metadata), IDs) is refused instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Modal {
    /// At most [`MAX_MODAL_TITLE`] characters are shown.
    pub title: String,
    /// What the modal is about, above the input.
    pub context: String,
    /// Text of the button that submits, such as `Approve`; at most [`MAX_MODAL_TITLE`] characters are shown.
    pub submit: String,
    /// What it asks for.
    pub input: TextInput,
    /// Which modal it is, at most [`MAX_ID`] characters.
    pub callback_id: String,
    /// What it is about, at most [`MAX_PRIVATE_METADATA`] characters. Not shown, but not hidden from the user's client.
    pub private_metadata: String,
}

impl Modal {
    /// The view, as `views.open` takes it.
    ///
    /// # Errors
    /// Something opaque is empty or too long, or the lengths of the input are impossible.
    pub fn view(&self) -> Result<Value, LimitError> {
        let TextInput { id, label, hint, min, max } = &self.input;
        if min > max || *max == 0 || *max > MAX_INPUT {
            return Err(LimitError::Input { min: *min, max: *max });
        }
        let id = opaque("ID of an input", id, MAX_ID)?;
        let mut input = json!({
            "type": "input",
            "block_id": id,
            "optional": *min == 0,
            "label": plain_text(label, MAX_LABEL),
            "element": {
                "type": "plain_text_input",
                "action_id": id,
                "multiline": true,
                "min_length": min,
                "max_length": max,
                "focus_on_load": true,
            },
        });
        if let (Some(fields), Some(hint)) = (input.as_object_mut(), hint) {
            fields.insert("hint".to_owned(), plain_text(hint, MAX_LABEL));
        }
        Ok(json!({
            "type": "modal",
            "title": plain_text(&self.title, MAX_MODAL_TITLE),
            "submit": plain_text(&self.submit, MAX_MODAL_TITLE),
            "close": plain_text("Cancel", MAX_MODAL_TITLE),
            "callback_id": opaque("callback ID of a modal", &self.callback_id, MAX_ID)?,
            "private_metadata":
                opaque("private metadata of a modal", &self.private_metadata, MAX_PRIVATE_METADATA)?,
            "notify_on_close": true,
            "blocks": [
                { "type": "section", "text": plain_text(&self.context, MAX_SECTION_TEXT) },
                input,
            ],
        }))
    }
}

impl Slack {
    /// Opens a modal for the person behind a [`Click`](super::socket::Click), and returns the ID of its view.
    ///
    /// A trigger is valid for three seconds and for one modal ("Modals", section "Opening a modal"): open it first, then
    /// do what takes longer.
    ///
    /// # Errors
    /// The modal does not fit into Slack's limits, the trigger has expired or was used, or Slack refused the token or
    /// did not answer.
    pub async fn open_modal(&self, trigger_id: &str, modal: &Modal) -> Result<String, Failure> {
        let view =
            modal.view().map_err(|error| Failure::rejected(format!("slack {}: {error}", api::VIEWS_OPEN)))?;
        let answer = self.json(api::VIEWS_OPEN, &json!({ "trigger_id": trigger_id, "view": view })).await?;
        self.text(&answer, "/view/id")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_modal() -> Modal {
        Modal {
            title: "Approve".to_owned(),
            context: "AKIAIOSFODNN7EXAMPLE of <@U1>".to_owned(),
            submit: "Approve".to_owned(),
            input: TextInput::reason("reason", "Why?"),
            callback_id: "approve".to_owned(),
            private_metadata: "opaque".to_owned(),
        }
    }

    #[test]
    fn a_modal_declares_what_it_requires() {
        let view = mk_modal().view().unwrap();
        let text = |text: &str| json!({ "type": "plain_text", "text": text, "emoji": false });
        let element = json!({ "type": "plain_text_input", "action_id": "reason", "multiline": true,
            "min_length": 1, "max_length": 500, "focus_on_load": true });
        let input = json!({ "type": "input", "block_id": "reason", "optional": false,
            "label": text("Why?"), "element": element });
        assert_eq!(
            view,
            json!({ "type": "modal", "title": text("Approve"), "submit": text("Approve"), "close": text("Cancel"),
                "callback_id": "approve", "private_metadata": "opaque", "notify_on_close": true,
                "blocks": [{ "type": "section", "text": text("AKIAIOSFODNN7EXAMPLE of <@U1>") }, input] })
        );
    }

    #[test]
    fn modals_that_slack_would_refuse_are_refused() {
        let long = "x".repeat(MAX_PRIVATE_METADATA + 1);
        assert!(Modal { private_metadata: long, ..mk_modal() }.view().is_err());
        assert!(Modal { callback_id: "x".repeat(MAX_ID + 1), ..mk_modal() }.view().is_err());
        assert!(Modal { title: "x".repeat(100), ..mk_modal() }.view().is_ok());
        for (min, max) in [(2, 1), (0, 0), (0, MAX_INPUT + 1)] {
            let input = TextInput { min, max, ..mk_modal().input };
            assert_eq!(Modal { input, ..mk_modal() }.view(), Err(LimitError::Input { min, max }));
        }
        let input = TextInput { min: 0, hint: Some("h".to_owned()), ..mk_modal().input };
        let view = Modal { input, ..mk_modal() }.view().unwrap();
        assert_eq!(
            (&view["blocks"][1]["optional"], &view["blocks"][1]["hint"]["text"]),
            (&json!(true), &json!("h"))
        );
    }
}
