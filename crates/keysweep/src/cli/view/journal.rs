//! Entries of the journal.

use keysweep_core::state::{Body, Entry};
use serde_json::Value;

use crate::cli::console::Screen;
use crate::cli::table::{Text, Tone, table};

/// Fields that have a column of their own.
const TOLD: [&str; 7] = ["seq", "at", "actor", "kind", "event", "account_id", "access_key_id"];

/// The longest text of details: what is longer is in `--format json`.
const MAX_DETAILS: usize = 200;

/// Entries, oldest first.
#[must_use]
pub fn entries_table(entries: &[Entry], screen: Screen) -> String {
    let rows = entries.iter().map(|entry| {
        let (account, key) = whom(&entry.body);
        [
            entry.seq.to_string().into(),
            entry.at.strftime("%Y-%m-%d %H:%M:%S").to_string().into(),
            entry.actor.to_string().into(),
            entry.body.name().into(),
            account.into(),
            key.into(),
            Text::new(details(entry), Tone::Faint),
        ]
    });
    table(screen, ["SEQ", "AT (UTC)", "WHO", "WHAT", "ACCOUNT", "KEY", "DETAILS"], rows.collect())
}

/// Account and key that an entry is about.
fn whom(body: &Body) -> (String, String) {
    match body {
        Body::Key { account, key, .. }
        | Body::KeyCreated { account, key, .. }
        | Body::ChangeFailed { account, key, .. } => (account.to_string(), key.to_string()),
        Body::ExemptionGranted { account, key, .. } => {
            (account.to_string(), key.as_ref().map(ToString::to_string).unwrap_or_default())
        }
        Body::AccountScanned { account, .. }
        | Body::AccountFindings { account, .. }
        | Body::AccountFailed { account, .. }
        | Body::AccountSkipped { account, .. }
        | Body::AccountUnparked { account, .. }
        | Body::ExemptionEnded { account, .. }
        | Body::AccountLeft { account } => (account.to_string(), String::new()),
        Body::Started { .. }
        | Body::Configured { .. }
        | Body::DueAccepted { .. }
        | Body::BreakerTripped { .. }
        | Body::BreakerReset { .. }
        | Body::Paused { .. }
        | Body::Resumed { .. }
        | Body::ReferenceMissing { .. }
        | Body::ReferenceCleared { .. }
        | Body::RuleAcknowledged { .. }
        | Body::Restored { .. }
        | Body::MessageComposed { .. }
        | Body::MessageDelivered { .. }
        | Body::MessageUndeliverable { .. }
        | Body::MessageWithdrawn { .. }
        | Body::MessageRetried { .. }
        | Body::SweepFinished { .. } => (String::new(), String::new()),
    }
}

/// What an entry says beyond who, when and what, as `name=value`.
pub(in crate::cli) fn details(entry: &Entry) -> String {
    let text = all_details(entry);
    if text.chars().count() <= MAX_DETAILS {
        return text;
    }
    text.chars().take(MAX_DETAILS).chain(['…']).collect()
}

/// The same to its end.
pub(super) fn all_details(entry: &Entry) -> String {
    let Ok(Value::Object(fields)) = serde_json::to_value(entry) else { return String::new() };
    let mut words = Vec::new();
    for (name, value) in fields.iter().filter(|(name, _)| !TOLD.contains(&name.as_str())) {
        flatten(&mut words, name, value);
    }
    words.join(" ")
}

/// Tables within tables become names with dots; lengths of time are seconds.
fn flatten(words: &mut Vec<String>, name: &str, value: &Value) {
    match value {
        Value::Null => {}
        Value::String(text) if text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:".contains(c)) => {
            words.push(format!("{name}={text}"));
        }
        Value::String(text) => words.push(format!("{name}={text:?}")),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) => words.push(format!("{name}={value}")),
        Value::Object(fields) => match (fields.get("secs"), fields.get("nanos")) {
            (Some(seconds), Some(_)) if fields.len() == 2 => words.push(format!("{name}={seconds}s")),
            _ => fields.iter().for_each(|(inner, value)| flatten(words, &format!("{name}.{inner}"), value)),
        },
    }
}
