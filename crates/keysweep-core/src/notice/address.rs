//! Where messages can be sent.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::owner::EmailAddress;

/// A kind of channel.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum ChannelKind {
    /// Slack.
    Slack,
    /// E-mail.
    Email,
    /// An HTTP endpoint, such as that of a ticket system or of a Microsoft Teams channel.
    Webhook,
}

impl ChannelKind {
    /// Its name in JSON, metrics, and the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Where a message can be sent: an e-mail address; a Slack channel, such as `#security`, or the ID of a Slack user or channel;
/// or `webhook:` and the name of a webhook in the configuration. The URL of a webhook is a secret and never part of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Address {
    /// An e-mail address.
    Email(EmailAddress),
    /// A Slack channel, or the ID of a Slack user or channel.
    Slack(String),
    /// A webhook, by its name in the configuration.
    Webhook(String),
}

impl Address {
    /// The kind of channel that it needs.
    #[must_use]
    pub fn channel(&self) -> ChannelKind {
        match self {
            Self::Email(_) => ChannelKind::Email,
            Self::Slack(_) => ChannelKind::Slack,
            Self::Webhook(_) => ChannelKind::Webhook,
        }
    }
}

/// The text before the name of a webhook.
const WEBHOOK: &str = "webhook:";

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Email(address) => address.fmt(f),
            Self::Slack(name) => f.write_str(name),
            Self::Webhook(name) => write!(f, "{WEBHOOK}{name}"),
        }
    }
}

/// A text that is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an e-mail address such as \"dana@example.com\", a Slack channel such as \"#security\" or ID such as \"C024BE7LH\", or \
     \"webhook:NAME\""
)]
pub struct NotAnAddress;

impl FromStr for Address {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(name) = text.strip_prefix(WEBHOOK) {
            let valid =
                !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
            return if valid { Ok(Self::Webhook(name.to_owned())) } else { Err(NotAnAddress) };
        }
        if is_slack(text) {
            return Ok(Self::Slack(text.to_owned()));
        }
        text.parse().map(Self::Email).map_err(|_| NotAnAddress)
    }
}

impl TryFrom<String> for Address {
    type Error = NotAnAddress;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

/// Slack: names of channels have at most 80 characters.
const LONGEST_SLACK: usize = 80;

/// Whether this is the name of a Slack channel or an ID. Slack: names of channels are lower-case letters, digits, hyphens,
/// and underscores; IDs begin with a letter for what they are the ID of.
#[must_use]
pub fn is_slack(text: &str) -> bool {
    let in_name = |c: char| (c.is_alphanumeric() && !c.is_uppercase()) || "-_".contains(c);
    let channel =
        |name: &str| (1..=LONGEST_SLACK).contains(&name.chars().count()) && name.chars().all(in_name);
    let id = || {
        let kind = text.starts_with(['U', 'W', 'C', 'G', 'D']);
        kind && (9..=21).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    };
    text.strip_prefix('#').map_or_else(id, channel)
}
