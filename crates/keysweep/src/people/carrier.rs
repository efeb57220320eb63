//! Hands a message to a channel.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, ready};
use jiff::Timestamp;
use keysweep_core::notice::{Address, Posted};
use keysweep_notify::mail::{self, MailOptions, Mailer, Security};
use keysweep_notify::slack::{self, Slack, SlackMessage, SlackOptions};
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
    fn carry<'a>(&'a self, to: &'a Address, message: &'a Outgoing) -> BoxFuture<'a, Carried>;

    /// Replaces a message in place. The default is for carriers whose messages never say where they are.
    fn replace<'a>(&'a self, _: &'a Posted, _: &'a Letter) -> BoxFuture<'a, Result<(), Failure>> {
        let detail = "this channel cannot replace messages".to_owned();
        ready(Err(Failure { kind: FailureKind::Rejected, detail, retry_after: None })).boxed()
    }
}

/// What came of a message that a channel was asked to carry; if it accepted the message and can replace it, where it is.
pub type Carried = Result<Option<Posted>, Failure>;

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
            slack: config.slack.as_ref().map(|bot| slack(bot, ATTEMPT)),
            webhooks: config.webhooks.iter().map(hook).collect(),
        }
    }

    async fn send(&self, to: &Address, message: &Outgoing) -> Carried {
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
                usable(self.mail.as_ref(), to)?.send(*at, address.as_str(), &letter).await.map(|_| None)
            }
            Address::Slack(name) => {
                let posted = usable(self.slack.as_ref(), to)?.post(name, &in_slack(letter)).await;
                posted.map(|slack::Posted { channel, ts }| Some(Posted { channel, ts }))
            }
            Address::Webhook(name) => match usable(self.webhooks.get(name), to)? {
                Hook::Json(webhook) => webhook.post(*at, id, &letter.json).await.map(|_| None),
                Hook::Teams(teams) => teams.post(&letter.card).await.map(|_| None),
            },
        }
    }

    async fn update(&self, posted: &Posted, letter: &Letter) -> Result<(), Failure> {
        let slack = usable(self.slack.as_ref(), &posted.channel)?;
        let posted = slack::Posted { channel: posted.channel.clone(), ts: posted.ts.clone() };
        slack.update(&posted, &in_slack(letter)).await.map(drop)
    }
}

impl Carrier for Channels {
    fn carry<'a>(&'a self, to: &'a Address, message: &'a Outgoing) -> BoxFuture<'a, Carried> {
        self.send(to, message).boxed()
    }

    fn replace<'a>(&'a self, posted: &'a Posted, letter: &'a Letter) -> BoxFuture<'a, Result<(), Failure>> {
        self.update(posted, letter).boxed()
    }
}

/// The sender for an address, if its channel is configured and can be used.
fn usable<'a, T>(
    sender: Option<&'a Result<T, String>>,
    to: &dyn std::fmt::Display,
) -> Result<&'a T, Failure> {
    let misconfigured =
        |detail: String| Failure { kind: FailureKind::Misconfigured, detail, retry_after: None };
    match sender {
        Some(Ok(sender)) => Ok(sender),
        Some(Err(why)) => Err(misconfigured(why.clone())),
        None => Err(misconfigured(format!("no channel for {to} is configured"))),
    }
}

fn in_slack(letter: &Letter) -> SlackMessage {
    let (text, blocks) = (letter.slack_text.clone(), letter.slack_blocks.clone());
    SlackMessage { text, blocks, thread: None }
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

/// The Web API, with this timeout for each call.
pub(crate) fn slack(config: &SlackBot, timeout: Duration) -> Result<Slack, String> {
    Slack::new(SlackOptions { token: config.token.clone(), api_url: config.api_url.clone(), timeout })
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
