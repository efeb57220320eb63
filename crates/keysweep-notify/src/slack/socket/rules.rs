//! What a modal requires of its texts.
//!
//! Slack's clients check the same, except that they accept white space for a text. The payload repeats the modal as it
//! was opened, so that this works for modals that were opened before a restart too.

use std::collections::BTreeMap;

use serde_json::Value;

/// What the person has to change, by the ID of the input.
pub(super) fn violations(blocks: &[Value], fields: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let inputs = blocks.iter().filter(|block| block.get("type").and_then(Value::as_str) == Some("input"));
    let errors = inputs.filter_map(|input| {
        let id = input.get("block_id").and_then(Value::as_str)?;
        let text = fields.get(id).map(String::as_str).unwrap_or_default();
        Some((id.to_owned(), violation(input, text)?))
    });
    errors.collect()
}

fn violation(input: &Value, text: &str) -> Option<String> {
    let length = |name: &str| {
        let limit = input.get("element")?.get(name)?.as_u64()?;
        usize::try_from(limit).ok()
    };
    let optional = input.get("optional").and_then(Value::as_bool).unwrap_or_default();
    let (typed, all) = (text.trim().chars().count(), text.chars().count());
    let max = length("max_length").filter(|max| all > *max);
    let min = length("min_length").filter(|min| typed < *min);
    match (typed, min, max) {
        (0, ..) if optional => None,
        (0, ..) => Some("This is required.".to_owned()),
        (_, Some(min), _) => Some(format!("Enter at least {min} characters.")),
        (_, None, Some(max)) => Some(format!("Enter at most {max} characters; this has {all}.")),
        (_, None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_have_the_declared_lengths() {
        let input = |optional: bool, min: u64, max: u64| {
            json!({ "type": "input", "block_id": "reason", "optional": optional,
                "element": { "type": "plain_text_input", "min_length": min, "max_length": max } })
        };
        let cases = [
            (input(false, 1, 500), "ok", None),
            (input(false, 1, 500), "", Some("This is required.")),
            (input(false, 0, 500), " \n\u{a0}", Some("This is required.")),
            (input(true, 0, 500), "", None),
            (input(true, 3, 500), " ", None),
            (input(true, 3, 500), "  ab ", Some("Enter at least 3 characters.")),
            (input(false, 1, 3), "üüü", None),
            (input(false, 1, 3), "üüü ", Some("Enter at most 3 characters; this has 4.")),
            (json!({ "type": "input", "block_id": "reason" }), "", Some("This is required.")),
            (json!({ "type": "input", "block_id": "reason" }), "x", None),
            (json!({ "type": "section", "block_id": "reason" }), "", None),
        ];
        for (block, text, expected) in cases {
            let fields = BTreeMap::from([("reason".to_owned(), text.to_owned())]);
            let errors = violations(std::slice::from_ref(&block), &fields);
            assert_eq!(errors.get("reason").map(String::as_str), expected, "{block} {text:?}");
        }
        // An input that Slack left out has no text.
        assert_eq!(violations(&[input(false, 1, 5)], &BTreeMap::new()).len(), 1);
    }
}
