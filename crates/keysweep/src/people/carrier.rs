//! Hands a message to a channel.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use keysweep_core::notice::Address;
use keysweep_notify::mail::{self, MailOptions, Mailer, Security};
use keysweep_notify::slack::{Slack, SlackMessage, SlackOptions};
use keysweep_notify::teams::{Teams, TeamsOptions};
use keysweep_notify::webhook::{Webhook, WebhookOptions};
use keysweep_notify::{Failure, FailureKind};

use super::Letter;
use crate::config::{self, MailSecurity, SlackBot, WebhookFormat, WebhookTarget};

/// How long one attempt may take: mail servers may take minutes to answer, and there are further attempts.
const ATTEMPT: Duration = Duration::from_secs(60);

/// A message on its way.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Names the message in every attempt, so that a receiver recognizes a repeated one.
    pub id: String,
    /// What it says.
    pub letter: Letter,
    /// Time of this attempt.
    pub at: Timestamp,
}

/// What carries messages to people.
pub trait Carrier: Debug + Send + Sync {
    /// Sends a message to one address. `Ok` means that the channel accepted it.
    fn carry<'a>(&'a self, to: &'a Address, message: &'a Outgoing) -> BoxFuture<'a, Result<(), Failure>>;
}

/// The channels of a configuration.
#[derive(Debug)]
pub(crate) struct Channels {
    mail: Option<Result<Mailer, String>>,
    slack: Option<Result<Slack, String>>,
    webhooks: BTreeMap<String, Result<Hook, String>>,
}

#[derive(Debug)]
enum Hook {
    Json(Webhook),
    Teams(Teams),
}

impl Channels {
    /// Nothing is sent.
    pub(crate) fn new(config: &config::Channels) -> Self {
        let hook = |target: &WebhookTarget| (target.name.clone(), webhook(target));
        Self {
            mail: config.email.as_ref().map(mailer),
            slack: config.slack.as_ref().map(slack),
            webhooks: config.webhooks.iter().map(hook).collect(),
        }
    }

    async fn send(&self, to: &Address, message: &Outgoing) -> Result<(), Failure> {
        let Outgoing { id, letter, at } = message;
        match to {
            Address::Email(address) => {
                let letter = mail::Letter {
                    id: id.clone(),
                    subject: letter.subject.clone(),
                    text: letter.text.clone(),
                    html: letter.html.clone(),
                    thread: None,
                    list_id: "keysweep notices".to_owned(),
                };
                ready(self.mail.as_ref(), to)?.send(*at, address.as_str(), &letter).await.map(drop)
            }
            Address::Slack(name) => {
                let text = letter.slack_text.clone();
                let message = SlackMessage { text, blocks: letter.slack_blocks.clone(), thread: None };
                ready(self.slack.as_ref(), to)?.post(name, &message).await.map(drop)
            }
            Address::Webhook(name) => match ready(self.webhooks.get(name), to)? {
                Hook::Json(webhook) => webhook.post(*at, id, &letter.json).await.map(drop),
                Hook::Teams(teams) => teams.post(&letter.card).await.map(drop),
            },
        }
    }
}

impl Carrier for Channels {
    fn carry<'a>(&'a self, to: &'a Address, message: &'a Outgoing) -> BoxFuture<'a, Result<(), Failure>> {
        self.send(to, message).boxed()
    }
}

/// The sender for an address, if its channel is configured and can be used.
fn ready<'a, T>(sender: Option<&'a Result<T, String>>, to: &Address) -> Result<&'a T, Failure> {
    let misconfigured =
        |detail: String| Failure { kind: FailureKind::Misconfigured, detail, retry_after: None };
    match sender {
        Some(Ok(sender)) => Ok(sender),
        Some(Err(why)) => Err(misconfigured(why.clone())),
        None => Err(misconfigured(format!("no channel for {to} is configured"))),
    }
}

fn mailer(config: &config::Email) -> Result<Mailer, String> {
    Mailer::new(MailOptions {
        host: config.host.clone(),
        port: config.port,
        security: match config.security {
            MailSecurity::Tls => Security::Tls,
            MailSecurity::Starttls => Security::StartTls,
            MailSecurity::None => Security::None,
        },
        username: config.username.clone(),
        password: config.password.clone(),
        from: config.from.to_string(),
        reply_to: config.reply_to.as_ref().map(ToString::to_string),
        timeout: ATTEMPT,
        ca_pem: config.ca_pem.clone(),
        helo: None,
    })
}

fn slack(config: &SlackBot) -> Result<Slack, String> {
    Slack::new(SlackOptions {
        token: config.token.clone(),
        api_url: config.api_url.clone(),
        timeout: ATTEMPT,
    })
}

fn webhook(target: &WebhookTarget) -> Result<Hook, String> {
    let WebhookTarget { name: _, url, format, secrets, allow_private, ca_pem } = target;
    let (url, allow_private, ca_pem) = (url.clone(), *allow_private, ca_pem.clone());
    match format {
        WebhookFormat::Json => {
            let secrets = secrets.clone();
            Webhook::new(WebhookOptions { url, secrets, allow_private, timeout: ATTEMPT, ca_pem })
                .map(Hook::Json)
        }
        WebhookFormat::Teams => {
            Teams::new(TeamsOptions { url, allow_private, timeout: ATTEMPT, ca_pem }).map(Hook::Teams)
        }
    }
}
