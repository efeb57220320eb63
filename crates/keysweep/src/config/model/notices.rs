//! `[notices]` with its channels and routes.

use std::collections::BTreeMap;

use keysweep_core::notice::{ChannelKind, NoticeKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::channels::{MailSecurity, SlackApprovals, WebhookFormat};
use crate::config::period::Period;

/// `[notices]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NoticesSection {
    /// Whether a change requires a delivered notice. If true, a mode that permits changes requires a channel: e-mail, Slack,
    /// or a webhook. If false, keysweep makes the change even if it could not deliver the notice.
    pub required: bool,
    /// The security team: recipients of approval requests, their outcomes, and messages about reactivated keys, keys
    /// without an owner, and notices that keysweep could not deliver. E-mail addresses, Slack channels such as "#security",
    /// IDs of Slack users or channels, and webhooks as "webhook:NAME".
    pub notify: Vec<String>,
    /// How long before a deactivation or deletion keysweep sends reminders: at most 5, each at least 1h.
    pub remind_before: Vec<Period>,
    /// How long keysweep tries to deliver a message: 1h to 7d. After that, it notifies the security team.
    pub give_up: Period,
    /// Directory with templates that replace the built-in ones: subject.txt, mail.txt, mail.html, slack.txt. Jinja syntax;
    /// `keysweep notices preview` prints the result. Empty: the built-in templates.
    pub template_dir: String,
    /// File that contains the secret that signs the links in notices to owners: at least 32 characters, such as the output
    /// of `openssl rand -hex 32`. With these links, an owner can hold or reactivate a key without logging
    /// in. A new secret revokes all links. Requires http.public_url, unless http.listen is a loopback
    /// address. Empty: no links.
    pub link_secret_file: String,
    /// The longest hold that an owner can place through a link, twice in a row: 1d to 90d.
    pub owner_hold_max: Period,
    /// Time zone of quiet hours and of the dates in messages, such as "Europe/Berlin", unless a contact or a route has its
    /// own. Empty: policy.time_zone.
    pub time_zone: String,
    /// E-mail, sent through a mail server (SMTP).
    pub email: EmailSection,
    /// Slack, through the bot user of a Slack app.
    pub slack: SlackSection,
    /// Webhooks: HTTPS endpoints such as those of a ticket system, or of a Microsoft Teams workflow.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub webhook: Vec<WebhookSection>,
    /// Different recipients, channels, or hours for some notices. The first matching route applies.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub route: Vec<RouteSection>,
}

impl Default for NoticesSection {
    fn default() -> Self {
        Self {
            required: true,
            notify: Vec::new(),
            remind_before: vec![Period::days(3), Period::days(1)],
            give_up: Period::hours(24),
            template_dir: String::new(),
            link_secret_file: String::new(),
            owner_hold_max: Period::days(30),
            time_zone: String::new(),
            email: EmailSection::default(),
            slack: SlackSection::default(),
            webhook: Vec::new(),
            route: Vec::new(),
        }
    }
}

/// `[notices.email]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EmailSection {
    /// Name or IP address of the mail server. Empty: no e-mail.
    pub host: String,
    /// Port of the mail server. 0: 587 for "starttls", 465 for "tls", 25 for "none".
    pub port: u32,
    /// Encryption: "starttls" (keysweep sends nothing to a server without it), "tls" (from the start), or "none" (only for a
    /// mail server on a loopback address).
    pub security: MailSecurity,
    /// User name at the mail server. Empty: no login.
    pub username: String,
    /// File that contains the password of that user.
    pub password_file: String,
    /// Sender, such as "keysweep <keysweep@example.com>".
    pub from: String,
    /// Where replies go, such as "security@example.com". Empty: to the sender.
    pub reply_to: String,
    /// PEM file with certificates of authorities to trust in addition to those of the system. Empty: none.
    pub ca_file: String,
}

impl Default for EmailSection {
    fn default() -> Self {
        Self {
            host: String::new(),
            port: 0,
            security: MailSecurity::Starttls,
            username: String::new(),
            password_file: String::new(),
            from: String::new(),
            reply_to: String::new(),
            ca_file: String::new(),
        }
    }
}

/// `[notices.slack]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SlackSection {
    /// File that contains the bot token of the Slack app, "xoxb-...", with the scopes chat:write,
    /// chat:write.public, users:read, and users:read.email. Empty: no Slack.
    pub token_file: String,
    /// URL of the Slack Web API for GovSlack: `https://slack-gov.com/api`. Empty: Slack's standard URL.
    pub api_url: String,
    /// How people decide on approval requests: "link" (the message leads to the page), or "native" (buttons in the
    /// message, for the users that `[[access]]` lists as slack_user; deletions are never approved in Slack). "native"
    /// requires app_token_file.
    pub approvals: SlackApprovals,
    /// File that contains the app-level token of the Slack app, "xapp-...", with the scope connections:write. Through
    /// it, clicks arrive (Socket Mode). Required for approvals = "native".
    pub app_token_file: String,
}

/// `[[notices.webhook]]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["name", "url_file"]))]
pub struct WebhookSection {
    /// Name of the webhook: letters, digits, "-", and "_". Addresses refer to it as "webhook:NAME".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// File that contains the https URL, which is a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_file: Option<String>,
    /// File that contains the secret that signs messages as Standard Webhooks describes: "whsec_" and the base64 of 24 to 64
    /// bytes. While you rotate it, the file contains both secrets, each on its own line. Required for "json"; "teams" has
    /// none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<String>,
    /// Format of messages: "json" (the default), or "teams" (Adaptive Cards for a Microsoft Teams workflow).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<WebhookFormat>,
    /// Whether the host of the URL may have an address that is not public. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_private: Option<bool>,
    /// PEM file with certificates of authorities to trust in addition to those of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
}

/// `[[notices.route]]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RouteSection {
    /// The notices that the route applies to. Without it, all.
    #[serde(rename = "match", skip_serializing_if = "RouteMatchSection::is_empty")]
    pub matches: RouteMatchSection,
    /// Channels in the order in which keysweep tries them: "slack", "email", "webhook". Owners are not notified through
    /// other channels. Default: all configured channels, in this order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<ChannelKind>,
    /// Recipients instead of those in notices.notify.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<String>,
    /// How long keysweep collects notices to the same recipient before it sends one message: at most 24h. Default: 0s, one
    /// message per recipient and sweep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_wait: Option<Period>,
    /// Hours without messages, such as "22:00-07:00", in time_zone. keysweep sends messages about keys that were
    /// deactivated or reactivated at any hour. A notice period begins when the notice is delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quiet_hours: Option<String>,
    /// Time zone of the quiet hours, and of the dates in messages to the security team, such as "America/New_York". Messages
    /// to owners have the time zone of their contact. Default: notices.time_zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
}

/// The notices that a route applies to. All given fields must match; in a list, one matching entry is enough.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RouteMatchSection {
    /// IDs of OUs or roots, including descendants. A notice waits if keysweep could not read the OUs of the account and the
    /// route depends on them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ous: Vec<String>,
    /// Account IDs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<String>,
    /// Tags of the account: a tag key, and a glob for the value. A notice waits if keysweep could not read the tags and the
    /// route depends on them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub account_tags: BTreeMap<String, String>,
    /// Account names, as globs such as "prod-*"; not case-sensitive.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub account_names: Vec<String>,
    /// Names of owners, as globs such as "payments*"; not case-sensitive.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<String>,
    /// Kinds of notices: "deactivation_ahead", "deletion_ahead", "reminder", "deactivated", "deleted", "approval_request",
    /// "outcome", "hold_ending", "exemption_ending", "reactivated", "owner_missing", "undeliverable".
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<NoticeKind>,
}

impl RouteMatchSection {
    /// Whether it names nothing, and therefore matches every notice.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
