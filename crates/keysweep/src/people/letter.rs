//! What a message says, for every channel.
//!
//! [`Writer::write`] is a pure function of a [`Draft`]. Names of users and accounts, tags, and reasons are text of others:
//! none of it reaches a channel as markup, as a mention, as a link, or with a line break. The JSON of a webhook, which
//! programs read, has every value as it is.
//!
//! Operators can override `subject.txt`, `mail.txt`, `mail.html`, and `slack.txt`. These are Jinja templates with the
//! variables of [`view::Context`], escaped for where the text goes. Blocks of Slack, cards, and JSON have no templates: they
//! depend on limits and formats of others. Where `slack.txt` is overridden, its text takes the place of the blocks.

mod advice;
mod asked;
mod card;
mod clean;
mod facts;
mod json;
mod kinds;
pub(super) mod sample;
mod slack;
mod subject;
mod templates;
#[cfg(test)]
mod tests;
mod view;
mod when;

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use keysweep_core::ids::AccountId;
use keysweep_core::notice::{Item, Message};
use serde_json::Value;

use self::templates::{HTML, SLACK, SUBJECT, TEXT, Templates};
use self::view::View;
use super::request::Request;

/// How many keys a mail shows in full, and how many accounts it lists with the others.
const KEYS: usize = 50;
const ACCOUNTS: usize = 50;

/// The longest subject that a template may make, in characters. That of the built-in one is at most 100.
const LONGEST_SUBJECT: usize = 150;

/// What a message says, ready for each channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Letter {
    /// Subject of a mail, on one line.
    pub subject: String,
    /// Plain text of a mail.
    pub text: String,
    /// HTML of a mail.
    pub html: String,
    /// Text of a Slack message, in mrkdwn: what its notification shows.
    pub slack_text: String,
    /// Blocks of a Slack message.
    pub slack_blocks: Vec<Value>,
    /// Adaptive Card for Microsoft Teams.
    pub card: Value,
    /// Body of a webhook.
    pub json: Value,
}

/// What a letter is written from.
pub(crate) struct Draft<'a> {
    /// The message.
    pub(crate) message: &'a Message,
    /// Its items that still stand, in any order.
    pub(crate) items: Vec<&'a Item>,
    /// Names of accounts.
    pub(crate) account_name: &'a dyn Fn(AccountId) -> Option<String>,
    /// The time of this attempt: a notice period begins then if the message is delivered.
    pub(crate) at: Timestamp,
    /// Time zone of the dates.
    pub(crate) time_zone: &'a TimeZone,
    /// Links about an item.
    pub(crate) links: &'a dyn Fn(&Item) -> Option<Links>,
    /// Public URL of the page.
    pub(crate) page: Option<&'a str>,
    /// How the request for approval stands that an item asks, in a message to Slack.
    pub(crate) requests: &'a dyn Fn(&Item) -> Option<Request>,
}

/// URLs about one item. One that is neither `https` nor `http` on this machine is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Links {
    /// To say that the key is still needed.
    pub(crate) still_needed: Option<String>,
    /// To say that the key is no longer needed.
    pub(crate) no_longer_needed: Option<String>,
    /// To see the key.
    pub(crate) show: Option<String>,
    /// To reactivate the key.
    pub(crate) reactivate: Option<String>,
}

/// What the templates make.
struct Texts {
    subject: String,
    text: String,
    html: String,
    slack: String,
}

/// Writes letters.
#[derive(Debug)]
pub(crate) struct Writer {
    templates: Templates,
}

impl Writer {
    /// With these templates in the place of the built-in ones. If there are any, they are tried with samples of every kind.
    ///
    /// # Errors
    /// If a name is unknown or a template fails; the text names template and line.
    pub(crate) fn new(overrides: &BTreeMap<String, String>) -> Result<Self, String> {
        let writer = Self { templates: Templates::new(overrides)? };
        if !overrides.is_empty() {
            sample::for_each(|draft| writer.texts(&View::new(draft)).map(drop))?;
        }
        Ok(writer)
    }

    /// Writes a letter.
    ///
    /// # Errors
    /// If no item is left, or a template fails.
    pub(crate) fn write(&self, draft: &Draft<'_>) -> Result<Letter, String> {
        if draft.items.is_empty() {
            return Err("nothing in the message is still true".to_owned());
        }
        let view = View::new(draft);
        let Texts { subject, text, html, slack } = self.texts(&view)?;
        let (slack_text, slack_blocks) = match self.templates.overrides(SLACK) {
            true => (slack::cut(&slack), slack::of_text(&slack, &view)),
            false => (slack, slack::blocks(&view)),
        };
        let json = serde_json::to_value(json::Notice::new(draft, &view.items, &subject, &text));
        Ok(Letter {
            slack_text,
            slack_blocks,
            card: card::card(&view),
            json: json.map_err(|error| error.to_string())?,
            subject,
            text,
            html,
        })
    }

    fn texts(&self, view: &View<'_>) -> Result<Texts, String> {
        let context = view.context(KEYS, ACCOUNTS);
        let render = |name| self.templates.render(name, &context);
        let subject = clean::line(&render(SUBJECT)?, LONGEST_SUBJECT);
        if subject.is_empty() {
            return Err(format!("template {SUBJECT}: the subject is empty"));
        }
        let slack = render(SLACK)?.trim().to_owned();
        if slack.is_empty() {
            return Err(format!("template {SLACK}: the text is empty"));
        }
        Ok(Texts { subject, text: render(TEXT)?, html: render(HTML)?, slack })
    }
}
