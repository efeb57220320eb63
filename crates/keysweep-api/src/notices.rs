//! Notices: the outbox, one message as it would be sent, and another attempt.

use jiff::Timestamp;
use keysweep_core::ids::AccessKeyId;
use keysweep_core::notice::NoticeKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Done, Operation, Verb};

/// Pending messages, and messages of the last seven days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListNotices {}

impl Operation for ListNotices {
    type Reply = NoticesDocument;
    const NAME: &'static str = "list_notices";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/notices";
}

/// A notice about a key as keysweep would send it now. Nothing is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviewNotice {
    /// Key ID.
    #[schemars(schema_with = "crate::pattern::access_key")]
    pub key: AccessKeyId,
    /// Kind of notice.
    pub kind: NoticeKind,
}

impl Operation for PreviewNotice {
    type Reply = NoticePreview;
    const NAME: &'static str = "preview_notice";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/keys/{key}/notices/{kind}";
}

/// Retry an undeliverable message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryNotice {
    /// Number of the message.
    #[serde(deserialize_with = "crate::number::required")]
    pub message: u64,
    /// Why, for the audit log: one line of at most 500 characters.
    #[serde(deserialize_with = "crate::reason::read")]
    #[schemars(schema_with = "crate::pattern::reason")]
    pub reason: String,
}

impl Operation for RetryNotice {
    type Reply = Done;
    const NAME: &'static str = "retry_notice";
    const VERB: Verb = Verb::Post;
    const PATH: &'static str = "/notices/{message}/retry";
}

/// The output of `keysweep notices list --format json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NoticesDocument {
    /// When this document was generated.
    pub generated_at: Timestamp,
    /// Whether a channel is configured.
    pub can_send: bool,
    /// Notices that no message contains yet.
    pub waiting: u64,
    /// Messages, newest first.
    pub messages: Vec<MessageRow>,
}

/// A message to one recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MessageRow {
    /// Its number in the audit log.
    pub message: u64,
    /// What became of it.
    pub status: MessageStatus,
    /// Name of the recipient.
    pub recipient: String,
    /// Where keysweep sends it, in this order, until a channel accepts it.
    pub addresses: Vec<String>,
    /// When it was composed.
    pub composed_at: Timestamp,
    /// keysweep does not send it earlier.
    pub send_from: Timestamp,
    /// When keysweep gives up.
    pub give_up_at: Timestamp,
    /// When a channel accepted it, or keysweep gave up.
    pub closed_at: Option<Timestamp>,
    /// The address that it was delivered to.
    pub delivered_to: Option<String>,
    /// Why keysweep gave up.
    pub why: Option<String>,
    /// What it contains; empty once it is delivered.
    pub items: Vec<MessageItem>,
    /// Number of notices in it.
    pub count: u64,
}

/// One notice of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MessageItem {
    /// What it is about.
    pub kind: NoticeKind,
    /// Account ID.
    pub account_id: String,
    /// Name of the user.
    pub user_name: String,
    /// Access key ID.
    pub access_key_id: String,
    /// Whether the notice still applies; if not, keysweep does not send it.
    pub stands: bool,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum MessageStatus {
    /// No channel has accepted it yet.
    Pending,
    /// A channel accepted it.
    Delivered,
    /// keysweep gave up.
    Undeliverable,
}

impl MessageStatus {
    /// Its name in JSON and tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A message as it reads in each channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NoticePreview {
    /// Subject of the e-mail.
    pub subject: String,
    /// Text of the e-mail.
    pub text: String,
    /// HTML of the e-mail.
    pub html: String,
    /// Blocks of the Slack message.
    pub slack_blocks: Vec<serde_json::Value>,
    /// Adaptive Card for Microsoft Teams.
    pub card: serde_json::Value,
    /// Body of the webhook request.
    pub webhook: serde_json::Value,
}
