//! Why something is decided, as the audit log keeps it.

use serde::{Deserialize, Deserializer};

/// Enough for a sentence and a ticket number; the journal keeps it forever.
pub(crate) const MAX_CHARS: usize = 500;

/// A reason as auditors read it: one line of text with a limited length, without blanks at its ends.
///
/// # Errors
/// What is expected instead, in words.
pub fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("expected a reason, in a few words".into());
    }
    if text.chars().count() > MAX_CHARS {
        return Err(format!("expected at most {MAX_CHARS} characters"));
    }
    if text.chars().any(char::is_control) {
        return Err("expected one line of text without control characters".into());
    }
    Ok(text.into())
}

/// Reads a reason from a request.
pub(crate) fn read<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    reason(&text).map_err(|expected| serde::de::Error::custom(format!("`reason`: {expected}")))
}
