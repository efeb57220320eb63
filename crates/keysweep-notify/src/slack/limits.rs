//! Slack's limits, and texts cut to them.
//!
//! Sources, all in the Slack developer documentation: "Modal views", "Views", "Button element", "Actions block", "Input
//! block", "Plain-text input element", "Section block", "Text object".

use serde_json::{Value, json};

use crate::plain::one_line;

/// Title and buttons of a modal, in characters ("Modal views").
pub const MAX_MODAL_TITLE: usize = 24;
/// `private_metadata` of a view, in characters ("Modal views").
pub const MAX_PRIVATE_METADATA: usize = 3_000;
/// `action_id`, `block_id` and `callback_id`, in characters ("Button element", "Actions block", "Modal views").
pub const MAX_ID: usize = 255;
/// `value` of a button, in characters ("Button element").
pub const MAX_BUTTON_VALUE: usize = 2_000;
/// Text of a button, in characters ("Button element").
pub const MAX_BUTTON_TEXT: usize = 75;
/// Elements of one `actions` block ("Actions block").
pub const MAX_BUTTONS: usize = 25;
/// Text of a section, in characters ("Section block").
pub const MAX_SECTION_TEXT: usize = 3_000;
/// Label and hint of an input, in characters ("Input block").
pub const MAX_LABEL: usize = 2_000;
/// The largest `max_length` of an input, in characters ("Plain-text input element").
pub const MAX_INPUT: u16 = 3_000;

/// Something opaque does not fit into Slack's limits; cut, it would mean something else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// It is empty, or has more characters than Slack accepts.
    #[error("{what}: expected 1 to {max} characters, found {found}")]
    Length {
        /// Which part.
        what: &'static str,
        /// The most characters that Slack accepts.
        max: usize,
        /// How many it has.
        found: usize,
    },
    /// A block has no buttons, or more than Slack accepts.
    #[error("expected 1 to {MAX_BUTTONS} buttons, found {0}")]
    Buttons(usize),
    /// Two buttons of a block have the same action ID.
    #[error("two buttons have the same action ID")]
    SameAction,
    /// The lengths that an input allows contradict each other or Slack's limit.
    #[error("an input cannot have {min} to {max} characters: Slack allows at most {MAX_INPUT}")]
    Input {
        /// The shortest text, in characters.
        min: u16,
        /// The longest text, in characters.
        max: u16,
    },
}

/// Something that is sent as it is, or not at all.
pub(super) fn opaque<'a>(what: &'static str, text: &'a str, max: usize) -> Result<&'a str, LimitError> {
    let found = text.chars().count();
    if (1..=max).contains(&found) { Ok(text) } else { Err(LimitError::Length { what, max, found }) }
}

/// Text for people, cut to `max` characters, without characters that reorder or hide text. `plain_text` has no markup, so
/// that nothing in it becomes a mention or a link; Slack requires at least one character.
pub(super) fn plain_text(text: &str, max: usize) -> Value {
    let lines: Vec<_> = text.lines().map(one_line).collect();
    let text = lines.join("\n");
    let text = match text.trim() {
        "" => "-".to_owned(),
        text if text.chars().count() <= max => text.to_owned(),
        text => text.chars().take(max.saturating_sub(1)).chain(['…']).collect(),
    };
    json!({ "type": "plain_text", "text": text, "emoji": false })
}

/// Text that Slack parses, with nothing in it that Slack would take for a mention or a link ("Formatting message text",
/// section "Escaping text").
pub(super) fn escaped(text: &str) -> String {
    one_line(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_cleaned_and_never_empty() {
        let text = |given: &str, max| plain_text(given, max)["text"].as_str().unwrap().to_owned();
        assert_eq!(text("Approve the deactivation", MAX_MODAL_TITLE), "Approve the deactivation");
        assert_eq!(text("Approve the deactivation.", MAX_MODAL_TITLE), "Approve the deactivatio…");
        assert_eq!(text("üüü", 2), "ü…");
        assert_eq!(text("a\u{202E}b\n\u{0}\n<!channel> c", 100), "a b\n\n<!channel> c");
        assert_eq!(text(" \u{200B}\n ", 10), "-");
        assert_eq!(plain_text("x", 1)["emoji"], false);
    }

    #[test]
    fn nothing_opaque_is_cut() {
        assert_eq!(opaque("value", "ü", 1), Ok("ü"));
        let error = opaque("value", "xx", 1).unwrap_err();
        assert_eq!(error.to_string(), "value: expected 1 to 1 characters, found 2");
        assert!(opaque("value", "", 1).is_err());
    }

    #[test]
    fn mentions_in_parsed_text_are_text() {
        assert_eq!(escaped("<!channel> & <@U1>\n"), "&lt;!channel&gt; &amp; &lt;@U1&gt;");
    }
}
