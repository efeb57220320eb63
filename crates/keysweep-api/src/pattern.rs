//! Schemas of texts that have a form: a client that follows the OpenAPI document is not refused for it.

use schemars::{Schema, SchemaGenerator, json_schema};

use crate::reason::MAX_CHARS;

/// The ID of an access key.
pub(crate) fn access_key(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9_]{16,128}$" })
}

/// The ID of an account.
pub(crate) fn account(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": "^[0-9]{12}$" })
}

/// A reason: one line without control characters that is not blank.
pub(crate) fn reason(_: &mut SchemaGenerator) -> Schema {
    const ANY: &str = r"[^\u0000-\u001f\u007f-\u009f]*";
    const INK: &str = r"[^\s\u0000-\u001f\u007f-\u009f]";
    json_schema!({ "type": "string", "maxLength": MAX_CHARS, "pattern": format!("^{ANY}{INK}{ANY}$") })
}
