//! Messages and modals of a Slack app, by its bot token, and what people answer, through [`socket`].
//!
//! These are a few methods of the Web API over the crate's own client. slack-morphism would send them too, but parses
//! blocks into its own types, which silently drop fields that it does not know, has no timeouts and no limit to
//! responses, and keeps whole response bodies in its errors.

mod api;
mod buttons;
pub mod limits;
mod modal;
pub mod socket;

use std::fmt;
use std::time::Duration;

use http::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::http::{Http, HttpOptions};

pub use buttons::{ApprovalActions, Button, ButtonStyle, approval_buttons, buttons};
pub use modal::{Modal, TextInput};

use limits::{MAX_SECTION_TEXT, escaped, plain_text};

const API_URL: &str = "https://slack.com/api";

/// Which workspace, and as which app.
#[derive(Debug)]
pub struct SlackOptions {
    /// The bot token, `xoxb-...`. Needs the scopes `chat:write`, `chat:write.public`, `users:read`, and
    /// `users:read.email`.
    pub token: SecretString,
    /// Another address of the Web API, such as `https://slack-gov.com/api`. Must be HTTPS, or HTTP on loopback.
    pub api_url: Option<String>,
    /// From connecting to the end of the response.
    pub timeout: Duration,
}

/// A message.
#[derive(Debug, Clone, PartialEq)]
pub struct SlackMessage {
    /// What notifications and screen readers show in place of the blocks; the message itself if there are none.
    pub text: String,
    /// Block Kit blocks, sent as they are.
    pub blocks: Vec<Value>,
    /// The `ts` of the message to reply to. An update ignores it.
    pub thread: Option<String>,
}

/// A message that Slack accepted: what an update needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// ID of the conversation. For a message to a user, that of the direct message.
    pub channel: String,
    /// Timestamp that identifies the message within its conversation.
    pub ts: String,
}

/// What the bot token belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// ID of the workspace, such as `T012AB3CD`.
    pub team_id: String,
    /// Name of the workspace.
    pub team: String,
    /// Name of the bot.
    pub user: String,
}

/// A Slack app in one workspace.
pub struct Slack {
    http: Http,
    authorization: HeaderValue,
}

impl Slack {
    /// Checks the options; nothing is sent.
    ///
    /// # Errors
    /// The token is empty or has characters that no token has, or the URL is invalid or not allowed.
    pub fn new(options: SlackOptions) -> Result<Self, String> {
        Self::trusting(options, None)
    }

    /// Trusts PEM certificates in addition to those of the system.
    fn trusting(options: SlackOptions, ca_pem: Option<&[u8]>) -> Result<Self, String> {
        let token = options.token.expose_secret().trim();
        let mut authorization = HeaderValue::from_str(&format!("Bearer {token}"))
            .ok()
            .filter(|_| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()))
            .ok_or("the Slack token is empty or has invalid characters")?;
        authorization.set_sensitive(true);
        let http = Http::new(&HttpOptions {
            url: options.api_url.as_deref().unwrap_or(API_URL),
            // Another address comes from the configuration only, never from a contact.
            allow_private: options.api_url.is_some(),
            timeout: options.timeout,
            ca_pem,
        })?;
        Ok(Self { http, authorization })
    }

    /// Checks that Slack accepts the token, and returns the names of the workspace and of the bot, such as
    /// `acme as keysweep`.
    ///
    /// # Errors
    /// Slack refused the token, or did not answer.
    pub async fn check(&self) -> Result<String, Failure> {
        let Identity { team, user, .. } = self.identity().await?;
        Ok(format!("{team} as {user}"))
    }

    /// The workspace and the bot of the token ("auth.test").
    ///
    /// # Errors
    /// Slack refused the token, or did not answer.
    pub async fn identity(&self) -> Result<Identity, Failure> {
        let answer = self.form("auth.test", &[]).await?;
        let text = |pointer| self.text(&answer, pointer);
        Ok(Identity { team_id: text("/team_id")?, team: text("/team")?, user: text("/user")? })
    }

    /// The ID of the workspace's user with this email address, if there is one.
    ///
    /// # Errors
    /// Slack refused the token, or did not answer.
    pub async fn user_by_email(&self, email: &str) -> Result<Option<String>, Failure> {
        match self.form("users.lookupByEmail", &[("email", email)]).await {
            Ok(answer) => self.text(&answer, "/user/id").map(Some),
            Err(api::Refused::Slack(code)) if code.is("users_not_found") => Ok(None),
            Err(refused) => Err(refused.into()),
        }
    }

    /// Posts a message. `to` is the ID of a user or of a channel, or `#name`.
    ///
    /// Slack offers no way to recognize a repeated message: an attempt that timed out may have been accepted.
    ///
    /// # Errors
    /// Slack refused the message or the token, or did not answer.
    pub async fn post(&self, to: &str, message: &SlackMessage) -> Result<Posted, Failure> {
        let mut body = json!({
            "channel": to,
            "text": message.text,
            "blocks": message.blocks,
            "unfurl_links": false,
            "unfurl_media": false,
        });
        if let (Some(fields), Some(thread)) = (body.as_object_mut(), &message.thread) {
            fields.insert("thread_ts".to_owned(), Value::from(thread.as_str()));
        }
        self.posted(&self.json("chat.postMessage", &body).await?)
    }

    /// Replaces a message in place.
    ///
    /// # Errors
    /// Slack refused the update or the token, or did not answer.
    pub async fn update(&self, posted: &Posted, message: &SlackMessage) -> Result<Posted, Failure> {
        // Empty blocks remove those that the message had.
        let body = json!({
            "channel": posted.channel,
            "ts": posted.ts,
            "text": message.text,
            "blocks": message.blocks,
        });
        self.posted(&self.json("chat.update", &body).await?)
    }

    /// Shows a text to one person in a conversation, such as why a click had no effect. Only that person sees it, and
    /// Slack does not promise to show it ("chat.postEphemeral": delivery is not guaranteed). `text` is plain text.
    ///
    /// # Errors
    /// The person or the app is not in the conversation, or Slack refused the token or did not answer.
    pub async fn whisper(&self, channel: &str, user: &str, text: &str) -> Result<(), Failure> {
        let body = json!({
            "channel": channel,
            "user": user,
            "text": escaped(text),
            "blocks": [{ "type": "section", "text": plain_text(text, MAX_SECTION_TEXT) }],
        });
        self.json("chat.postEphemeral", &body).await?;
        Ok(())
    }

    fn posted(&self, answer: &Value) -> Result<Posted, Failure> {
        Ok(Posted { channel: self.text(answer, "/channel")?, ts: self.text(answer, "/ts")? })
    }
}

impl fmt::Debug for Slack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slack").field("http", &self.http).finish_non_exhaustive()
    }
}
