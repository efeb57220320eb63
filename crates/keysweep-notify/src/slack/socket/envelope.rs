//! Messages of Slack's WebSocket ("Using Socket Mode", sections "Connecting" and "Receiving events").

use std::collections::BTreeMap;

use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::interaction::{Interaction, Unfit, read};

/// A message of Slack's.
pub(super) enum Message {
    /// The connection works.
    Hello,
    /// Slack is about to close the connection, or refuses it.
    Disconnect(Reason),
    /// Something to acknowledge.
    Envelope(Envelope),
    /// Not a message, and why. There is nothing to acknowledge.
    Malformed(&'static str),
}

/// Why Slack closes a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// The connection gets old, or its server is going away.
    Refresh,
    /// Somebody turned Socket Mode off.
    LinkDisabled,
    /// The app has too many connections.
    TooMany,
}

/// Something to acknowledge.
pub(super) struct Envelope {
    pub(super) id: String,
    pub(super) content: Content,
}

/// What an envelope contains.
pub(super) enum Content {
    /// Something for the consumer, and the digest of its payload.
    Interaction(Box<Interaction>, [u8; 32]),
    /// A submission that its modal does not allow, with an error for each input.
    Refused(BTreeMap<String, String>),
    /// Something that Slack sends to every app, or for which this app has no use.
    Unused,
    /// It makes no sense, and why.
    Malformed(&'static str),
}

/// Reads a message.
pub(super) fn parse(text: &str) -> Message {
    let Ok(message) = serde_json::from_str::<Value>(text) else {
        return Message::Malformed("it is not JSON");
    };
    let field = |name: &str| message.get(name).and_then(Value::as_str);
    let kind = field("type").unwrap_or_default();
    match kind {
        "hello" => return Message::Hello,
        "disconnect" => return Message::Disconnect(reason(field("reason").unwrap_or_default())),
        _ => {}
    }
    let Some(id) = field("envelope_id").filter(|id| is_id(id)) else {
        return Message::Malformed("it has no envelope ID");
    };
    let content = match (kind, message.get("payload")) {
        ("interactive", Some(payload)) => content(payload),
        ("interactive", None) => Content::Malformed("an interactive envelope has no payload"),
        ("", _) => Content::Malformed("the envelope has no type"),
        _ => Content::Unused,
    };
    Message::Envelope(Envelope { id: id.to_owned(), content })
}

fn content(payload: &Value) -> Content {
    match read(payload) {
        Ok(interaction) => {
            let mut key = [0; 32];
            // The same payload has the same text, because its fields are sorted.
            key.copy_from_slice(digest(&SHA256, payload.to_string().as_bytes()).as_ref());
            Content::Interaction(Box::new(interaction), key)
        }
        Err(Unfit::Refused(errors)) => Content::Refused(errors),
        Err(Unfit::Unused) => Content::Unused,
        Err(Unfit::Malformed(why)) => Content::Malformed(why),
    }
}

fn reason(reason: &str) -> Reason {
    match reason {
        "link_disabled" => Reason::LinkDisabled,
        "too_many_websockets" => Reason::TooMany,
        // `warning`, `refresh_requested`, and what Slack may add: in each case the connection will end.
        _ => Reason::Refresh,
    }
}

/// Whether a text looks like an ID of Slack's.
pub(super) fn is_id(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// An acknowledgement.
pub(super) fn acknowledgement(id: &str, payload: Option<&Value>) -> String {
    match payload {
        Some(payload) => json!({ "envelope_id": id, "payload": payload }).to_string(),
        None => json!({ "envelope_id": id }).to_string(),
    }
}
