//! Which messages and modals Slack accepts, by the limits in its documentation of Block Kit.

use serde_json::{Map, Value};

/// The text and the blocks of a message.
pub(super) fn check_message(given: &Map<String, Value>) -> Result<(&str, Vec<Value>), &'static str> {
    let text = given.get("text").and_then(Value::as_str).unwrap_or_default();
    let blocks = given.get("blocks").and_then(Value::as_array).cloned().unwrap_or_default();
    if text.is_empty() && blocks.is_empty() {
        return Err("no_text");
    }
    if text.chars().count() > 40_000 {
        return Err("msg_too_long");
    }
    if blocks.len() > 50 || !blocks.iter().all(is_block) {
        return Err("invalid_blocks");
    }
    Ok((text, blocks))
}

/// Fails unless Slack would open the modal.
pub(super) fn check_view(view: &Value) -> Result<(), &'static str> {
    let blocks = view.get("blocks").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let has_input = blocks.iter().any(|block| is(block, "input"));
    let fits = is(view, "modal")
        && plain_text(view.get("title"), 24)
        && (plain_text(view.get("submit"), 24) || (!has_input && view.get("submit").is_none()))
        && (view.get("close").is_none() || plain_text(view.get("close"), 24))
        && length(view.get("private_metadata")) <= 3_000
        && length(view.get("callback_id")) <= 255
        && (1..=100).contains(&blocks.len())
        && blocks.iter().all(is_block);
    if fits { Ok(()) } else { Err("invalid_arguments") }
}

fn is_block(block: &Value) -> bool {
    let elements = block.get("elements").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if is(block, "actions") {
        let ids = elements.iter().filter_map(|element| element.get("action_id")?.as_str());
        let mut ids: Vec<_> = ids.collect();
        ids.sort_unstable();
        ids.dedup();
        let distinct = ids.len() == elements.len();
        return distinct && (1..=25).contains(&elements.len()) && elements.iter().all(is_button);
    }
    if is(block, "input") {
        return plain_text(block.get("label"), 2_000)
            && length(block.get("block_id")) <= 255
            && block.get("element").is_some_and(|element| is(element, "plain_text_input"));
    }
    block.get("type").is_some()
}

fn is_button(button: &Value) -> bool {
    is(button, "button")
        && plain_text(button.get("text"), 75)
        && (1..=255).contains(&length(button.get("action_id")))
        && length(button.get("value")) <= 2_000
        && button.get("style").is_none_or(|style| style == "primary" || style == "danger")
}

fn is(value: &Value, kind: &str) -> bool {
    value.get("type").and_then(Value::as_str) == Some(kind)
}

fn plain_text(text: Option<&Value>, max: usize) -> bool {
    text.is_some_and(|text| is(text, "plain_text") && (1..=max).contains(&length(text.get("text"))))
}

fn length(text: Option<&Value>) -> usize {
    text.and_then(Value::as_str).unwrap_or_default().chars().count()
}
