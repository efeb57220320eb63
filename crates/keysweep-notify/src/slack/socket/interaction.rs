//! Payloads of `block_actions`, `view_submission` and `view_closed` ("Interaction payloads").

use std::collections::BTreeMap;

use serde_json::Value;

use super::envelope::is_id;
use super::event::{Click, Closed, Person, Submission};
use super::rules;
use crate::plain::excerpt;
use crate::slack::limits::{MAX_BUTTON_VALUE, MAX_INPUT, MAX_PRIVATE_METADATA};

/// A modal has at most so many blocks ("Modal views").
const MAX_FIELDS: usize = 100;

/// What somebody did.
pub(super) enum Interaction {
    Click(Click),
    Submitted(Submission),
    Closed(Closed),
}

/// Why a payload is not for the consumer.
pub(super) enum Unfit {
    /// The person has to change the texts of these inputs.
    Refused(BTreeMap<String, String>),
    /// An interaction that this client does not know.
    Unused,
    /// What is missing or too long.
    Malformed(&'static str),
}

/// Reads a payload.
pub(super) fn read(payload: &Value) -> Result<Interaction, Unfit> {
    match payload.get("type").and_then(Value::as_str) {
        Some("block_actions") => click(payload).map(Interaction::Click),
        Some("view_submission") => submission(payload).map(Interaction::Submitted),
        Some("view_closed") => closed(payload).map(Interaction::Closed),
        Some(_) => Err(Unfit::Unused),
        None => Err(Unfit::Malformed("the payload has no type")),
    }
}

fn click(payload: &Value) -> Result<Click, Unfit> {
    let actions = payload.get("actions").and_then(Value::as_array).map(Vec::as_slice);
    let Some([action]) = actions else { return Err(Unfit::Malformed("expected one action")) };
    let in_message = payload.pointer("/container/type").and_then(Value::as_str) == Some("message");
    if !in_message || action.get("type").and_then(Value::as_str) != Some("button") {
        return Err(Unfit::Unused);
    }
    let value = action.get("value").and_then(Value::as_str).unwrap_or_default();
    Ok(Click {
        user: person(payload)?,
        team: team(payload)?,
        action_id: id(action, "/action_id").ok_or(Unfit::Malformed("no action ID"))?,
        value: bounded(value, MAX_BUTTON_VALUE).ok_or(Unfit::Malformed("the value is too long"))?,
        channel: id(payload, "/container/channel_id").ok_or(Unfit::Malformed("no channel"))?,
        message_ts: id(payload, "/container/message_ts").ok_or(Unfit::Malformed("no message"))?,
        trigger_id: id(payload, "/trigger_id").ok_or(Unfit::Malformed("no trigger ID"))?,
    })
}

fn submission(payload: &Value) -> Result<Submission, Unfit> {
    let (callback_id, private_metadata) = view(payload)?;
    let fields = fields(payload).ok_or(Unfit::Malformed("the modal's texts are missing or too long"))?;
    let submission =
        Submission { user: person(payload)?, team: team(payload)?, callback_id, private_metadata, fields };
    let blocks = payload.pointer("/view/blocks").and_then(Value::as_array);
    let blocks = blocks.ok_or(Unfit::Malformed("the modal has no blocks"))?;
    let errors = rules::violations(blocks, &submission.fields);
    if errors.is_empty() { Ok(submission) } else { Err(Unfit::Refused(errors)) }
}

fn closed(payload: &Value) -> Result<Closed, Unfit> {
    let (callback_id, private_metadata) = view(payload)?;
    Ok(Closed { user: person(payload)?, team: team(payload)?, callback_id, private_metadata })
}

/// Callback ID and private metadata.
fn view(payload: &Value) -> Result<(String, String), Unfit> {
    let callback_id = id(payload, "/view/callback_id").ok_or(Unfit::Malformed("no callback ID"))?;
    let metadata = payload.pointer("/view/private_metadata").and_then(Value::as_str).unwrap_or_default();
    let metadata =
        bounded(metadata, MAX_PRIVATE_METADATA).ok_or(Unfit::Malformed("the metadata is too long"))?;
    Ok((callback_id, metadata))
}

/// The texts of all inputs. An input has one element, so that its block names it.
fn fields(payload: &Value) -> Option<BTreeMap<String, String>> {
    let blocks = payload.pointer("/view/state/values")?.as_object()?;
    if blocks.len() > MAX_FIELDS {
        return None;
    }
    let texts = blocks.iter().map(|(block, elements)| {
        let element = elements.as_object()?.values().next()?;
        let text = element.get("value").and_then(Value::as_str).unwrap_or_default();
        // Slack may count differently, and an input that is a little too long is the person's to correct.
        Some((block.clone(), bounded(text, usize::from(MAX_INPUT) * 4)?))
    });
    texts.collect()
}

fn person(payload: &Value) -> Result<Person, Unfit> {
    let id = id(payload, "/user/id").ok_or(Unfit::Malformed("no user"))?;
    let name = ["/user/username", "/user/name"].iter().find_map(|path| payload.pointer(path)?.as_str());
    let name = name.map(|name| excerpt(name, 80)).filter(|name| !name.is_empty());
    Ok(Person { name: name.unwrap_or_else(|| id.clone()), id })
}

/// The person's workspace. The payload has none of its own where an app is installed for a whole organization.
fn team(payload: &Value) -> Result<String, Unfit> {
    let team = id(payload, "/user/team_id").or_else(|| id(payload, "/team/id"));
    team.ok_or(Unfit::Malformed("no workspace"))
}

fn id(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer)?.as_str().filter(|text| is_id(text)).map(str::to_owned)
}

fn bounded(text: &str, max: usize) -> Option<String> {
    (text.chars().count() <= max).then(|| text.to_owned())
}
