//! Buttons in messages.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::limits::{LimitError, MAX_BUTTON_TEXT, MAX_BUTTON_VALUE, MAX_BUTTONS, MAX_ID, opaque, plain_text};

/// How a button looks ("Button element": `style`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ButtonStyle {
    /// Without a color.
    Plain,
    /// Green.
    Primary,
    /// Red.
    Danger,
}

/// A button. A click on it arrives as a [`Click`](super::socket::Click).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button<'a> {
    /// What it says; more than [`MAX_BUTTON_TEXT`] characters are cut.
    pub text: &'a str,
    /// What it does, at most [`MAX_ID`] characters; differs from that of the other buttons of the block.
    pub action_id: &'a str,
    /// What it is about, at most [`MAX_BUTTON_VALUE`] characters. Everybody in the conversation can read it.
    pub value: &'a str,
    /// How it looks.
    pub style: ButtonStyle,
}

/// An `actions` block with these buttons.
///
/// # Errors
/// No or too many buttons, an action ID that repeats, or an ID or a value that is empty or too long.
pub fn buttons(buttons: &[Button<'_>]) -> Result<Value, LimitError> {
    if buttons.is_empty() || buttons.len() > MAX_BUTTONS {
        return Err(LimitError::Buttons(buttons.len()));
    }
    let ids: BTreeSet<_> = buttons.iter().map(|button| button.action_id).collect();
    if ids.len() < buttons.len() {
        return Err(LimitError::SameAction);
    }
    let elements = buttons.iter().map(element).collect::<Result<Vec<_>, _>>()?;
    Ok(json!({ "type": "actions", "elements": elements }))
}

fn element(button: &Button<'_>) -> Result<Value, LimitError> {
    let mut element = json!({
        "type": "button",
        "text": plain_text(button.text, MAX_BUTTON_TEXT),
        "action_id": opaque("action ID of a button", button.action_id, MAX_ID)?,
        "value": opaque("value of a button", button.value, MAX_BUTTON_VALUE)?,
    });
    let style = match button.style {
        ButtonStyle::Plain => None,
        ButtonStyle::Primary => Some("primary"),
        ButtonStyle::Danger => Some("danger"),
    };
    if let (Some(fields), Some(style)) = (element.as_object_mut(), style) {
        fields.insert("style".to_owned(), Value::from(style));
    }
    Ok(element)
}

/// The action IDs of the buttons under an approval request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApprovalActions<'a> {
    /// Of "Approve…".
    pub approve: &'a str,
    /// Of "Deny…".
    pub deny: &'a str,
    /// Of "I am looking at it".
    pub claim: &'a str,
}

/// The buttons under an approval request: "Approve…" and "Deny…", which should open a modal, and "I am looking at it".
/// All three carry `value`.
///
/// # Errors
/// An action ID or the value is empty, too long, or repeats.
pub fn approval_buttons(actions: &ApprovalActions<'_>, value: &str) -> Result<Value, LimitError> {
    let button = |text, action_id, style| Button { text, action_id, value, style };
    buttons(&[
        button("Approve…", actions.approve, ButtonStyle::Primary),
        button("Deny…", actions.deny, ButtonStyle::Danger),
        button("I am looking at it", actions.claim, ButtonStyle::Plain),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACTIONS: ApprovalActions<'_> = ApprovalActions { approve: "a", deny: "d", claim: "c" };

    #[test]
    fn approval_buttons_carry_ids_and_value() {
        let block = approval_buttons(&ACTIONS, "v<&").unwrap();
        let element = |text: &str, id: &str| {
            json!({ "type": "button", "text": { "type": "plain_text", "text": text, "emoji": false },
                "action_id": id, "value": "v<&" })
        };
        let (mut approve, mut deny) = (element("Approve…", "a"), element("Deny…", "d"));
        approve["style"] = json!("primary");
        deny["style"] = json!("danger");
        let elements = [approve, deny, element("I am looking at it", "c")];
        assert_eq!(block, json!({ "type": "actions", "elements": elements }));
    }

    #[test]
    fn buttons_that_slack_would_refuse_are_refused() {
        let (value, too_long) = ("v".repeat(MAX_BUTTON_VALUE), "v".repeat(MAX_BUTTON_VALUE + 1));
        assert!(approval_buttons(&ACTIONS, &value).is_ok());
        for value in ["", &too_long] {
            assert!(matches!(approval_buttons(&ACTIONS, value), Err(LimitError::Length { .. })));
        }
        let long_id = "i".repeat(MAX_ID + 1);
        for approve in ["", &long_id] {
            assert!(approval_buttons(&ApprovalActions { approve, ..ACTIONS }, "v").is_err());
        }
        let same = ApprovalActions { approve: "d", ..ACTIONS };
        assert_eq!(approval_buttons(&same, "v"), Err(LimitError::SameAction));
        let button = Button { text: "x", action_id: "a", value: "v", style: ButtonStyle::Plain };
        assert_eq!(buttons(&[]), Err(LimitError::Buttons(0)));
        assert_eq!(buttons(&vec![button; MAX_BUTTONS + 1]), Err(LimitError::Buttons(26)));
    }
}
