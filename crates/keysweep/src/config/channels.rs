//! Channels through which notices reach people, with the secrets that they need.

use std::collections::BTreeMap;
use std::fmt;

use keysweep_core::owner::EmailAddress;
use schemars::JsonSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

/// The configured channels.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Channels {
    /// `[notices.email]`.
    pub email: Option<Email>,
    /// `[notices.slack]`.
    pub slack: Option<SlackBot>,
    /// `[[notices.webhook]]`, in order.
    pub webhooks: Vec<WebhookTarget>,
    /// Links in notices.
    pub links: Option<Links>,
    /// Templates of the operator, by name.
    pub templates: BTreeMap<String, String>,
}

/// How links in notices are made.
#[derive(Debug, Clone)]
pub struct Links {
    /// Content of `notices.link_secret_file`.
    pub secret: SecretString,
    /// URL of the page, without a slash at its end.
    pub base: String,
}

/// `[notices.email]`: a mail server that accepts messages.
#[derive(Debug, Clone)]
pub struct Email {
    /// Name or IP address of the server.
    pub host: String,
    /// Port of the server.
    pub port: u16,
    /// How the connection is encrypted.
    pub security: MailSecurity,
    /// User name, if the server requires a login.
    pub username: Option<String>,
    /// Content of `notices.email.password_file`; set if `username` is.
    pub password: Option<SecretString>,
    /// Sender of every message.
    pub from: Mailbox,
    /// Where replies go, if not to the sender.
    pub reply_to: Option<Mailbox>,
    /// PEM certificates to trust in addition to those of the system.
    pub ca_pem: Option<Vec<u8>>,
}

/// Encryption of a connection to a mail server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MailSecurity {
    /// TLS from the start.
    Tls,
    /// TLS after the command STARTTLS, without which keysweep sends nothing.
    Starttls,
    /// No encryption, for a server on the same machine.
    None,
}

impl MailSecurity {
    /// The port that mail servers use for this (RFC 8314, section 7.3; RFC 6409, section 3.1; RFC 5321, section 4.5.4.2).
    #[must_use]
    pub fn default_port(self) -> u16 {
        match self {
            Self::Tls => 465,
            Self::Starttls => 587,
            Self::None => 25,
        }
    }
}

/// An e-mail address with the name that readers see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// Name; may contain characters beyond ASCII.
    pub name: Option<String>,
    /// Address.
    pub address: EmailAddress,
}

/// `[notices.slack]`: the bot user of a Slack app.
#[derive(Debug, Clone)]
pub struct SlackBot {
    /// Content of `notices.slack.token_file`.
    pub token: SecretString,
    /// Another URL of the Web API.
    pub api_url: Option<String>,
    /// How people decide on requests for approval.
    pub approvals: SlackApprovals,
    /// Content of `notices.slack.app_token_file`; set if `approvals` is [`SlackApprovals::Native`].
    pub app_token: Option<SecretString>,
    /// URL of the page, without a slash at its end, if it is known.
    pub page: Option<String>,
}

impl SlackBot {
    /// The app-level token, where people decide on requests in Slack.
    #[must_use]
    pub fn native(&self) -> Option<&SecretString> {
        self.app_token.as_ref().filter(|_| self.approvals == SlackApprovals::Native)
    }
}

/// How people decide on requests for approval that were posted to Slack.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SlackApprovals {
    /// The message leads to the page.
    #[default]
    Link,
    /// The message has buttons.
    Native,
}

/// `[[notices.webhook]]`.
#[derive(Debug, Clone)]
pub struct WebhookTarget {
    /// Name in addresses: `webhook:NAME`.
    pub name: String,
    /// Content of `url_file`.
    pub url: SecretString,
    /// Format of the messages.
    pub format: WebhookFormat,
    /// The lines of `secret_file`, each `whsec_...`: at least one for JSON, none for Teams.
    pub secrets: Vec<SecretString>,
    /// Whether the URL may lead to an address that is not public.
    pub allow_private: bool,
    /// PEM certificates to trust in addition to those of the system.
    pub ca_pem: Option<Vec<u8>>,
}

/// Format of the messages to a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WebhookFormat {
    /// JSON, signed as Standard Webhooks describes.
    Json,
    /// Adaptive Cards for a Microsoft Teams workflow.
    Teams,
}

/// A text that is not a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an address such as \"keysweep <keysweep@example.com>\" or \"keysweep@example.com\"")]
pub struct NotAMailbox;

impl std::str::FromStr for Mailbox {
    type Err = NotAMailbox;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address = |text: &str| text.parse::<EmailAddress>().map_err(|_| NotAMailbox);
        let Some((name, rest)) = text.split_once('<') else {
            return Ok(Self { name: None, address: address(text)? });
        };
        let address = address(rest.strip_suffix('>').ok_or(NotAMailbox)?)?;
        let name = name.trim();
        let name = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name);
        // A line break would begin another header; the other characters have a meaning of their own in one.
        if name.chars().any(|c| c.is_control() || "\"\\<>".contains(c)) {
            return Err(NotAMailbox);
        }
        Ok(Self { name: (!name.is_empty()).then(|| name.to_owned()), address })
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "\"{name}\" <{}>", self.address),
            None => self.address.fmt(f),
        }
    }
}

fn same(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret() == other.expose_secret()
}

impl PartialEq for Email {
    fn eq(&self, other: &Self) -> bool {
        let Self { host, port, security, username, password, from, reply_to, ca_pem } = self;
        let same_password = match (password, &other.password) {
            (Some(one), Some(other)) => same(one, other),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        *host == other.host
            && *port == other.port
            && *security == other.security
            && *username == other.username
            && same_password
            && *from == other.from
            && *reply_to == other.reply_to
            && *ca_pem == other.ca_pem
    }
}

impl PartialEq for Links {
    fn eq(&self, other: &Self) -> bool {
        same(&self.secret, &other.secret) && self.base == other.base
    }
}

impl PartialEq for SlackBot {
    fn eq(&self, other: &Self) -> bool {
        let Self { token, api_url, approvals, app_token, page } = self;
        let same_app_token = match (app_token, &other.app_token) {
            (Some(one), Some(other)) => same(one, other),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        same(token, &other.token)
            && *api_url == other.api_url
            && *approvals == other.approvals
            && same_app_token
            && *page == other.page
    }
}

impl PartialEq for WebhookTarget {
    fn eq(&self, other: &Self) -> bool {
        let Self { name, url, format, secrets, allow_private, ca_pem } = self;
        *name == other.name
            && same(url, &other.url)
            && *format == other.format
            && secrets.len() == other.secrets.len()
            && secrets.iter().zip(&other.secrets).all(|(one, other)| same(one, other))
            && *allow_private == other.allow_private
            && *ca_pem == other.ca_pem
    }
}
