//! What the mail server saw: whom keysweep told, and when.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::judge::{CLOSE, Case, Verdict};
use super::{Held, Inner, Oracle, Rules};
use crate::history::answers::Sent;

/// A message about a key that a channel accepted.
#[derive(Debug, Clone)]
pub(super) struct Received {
    pub(super) at: Timestamp,
    pub(super) to: String,
}

/// Kinds that announce a change.
const AHEAD: [&str; 2] = ["deactivation_ahead", "deletion_ahead"];

/// So many links are remembered.
const LINKS: usize = 200;

/// And so many that reactivate, which people keep for months.
const REACTIVATIONS: usize = 2000;

/// So long a link is valid.
const VALID_FOR: SignedDuration = SignedDuration::from_hours(90 * 24);

fn number(message: &Value) -> u64 {
    message.get("message").and_then(Value::as_u64).unwrap_or_default()
}

impl Oracle {
    /// keysweep asks a channel to take a message: never one whose delivery it knows of.
    pub(crate) fn carried(&self, message: &Value) {
        let number = number(message);
        let mut inner = self.locked();
        if inner.delivered.contains(&number) || inner.acknowledged.contains(&number) {
            inner.broken("P13", format!("message {number} was delivered and is sent again"));
        }
        if message.get("items").and_then(Value::as_array).is_none_or(Vec::is_empty) {
            inner.broken("P13", format!("message {number} says nothing: {message}"));
        }
    }

    /// A channel accepted a message, whether keysweep hears of it or not.
    pub(crate) fn received(&self, to: &str, message: &Value) {
        let now = self.time.now();
        // As the machine believes, which makes links by it.
        let expires = self.time.wall() + VALID_FOR;
        let mut inner = self.locked();
        inner.tally.add("message received");
        for item in message.get("items").and_then(Value::as_array).into_iter().flatten() {
            let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            inner.tally.add(&format!("notice {}", text("kind")));
            if AHEAD.contains(&text("kind").as_str()) {
                let received = Received { at: now, to: to.to_owned() };
                inner.received.entry(text("access_key_id")).or_default().push(received);
            }
            for (purpose, url) in item.get("links").and_then(Value::as_object).into_iter().flatten() {
                let Some(url) = url.as_str() else { continue };
                let (key, purpose, url) = (text("access_key_id"), purpose.clone(), url.to_owned());
                let sent = Sent { key, purpose, url, to: to.to_owned(), expires };
                if sent.purpose == "reactivate" {
                    inner.reactivations.push(sent.clone());
                }
                inner.links.push(sent);
            }
            let most = inner.links.len().saturating_sub(LINKS);
            inner.links.drain(..most);
            let most = inner.reactivations.len().saturating_sub(REACTIVATIONS);
            inner.reactivations.drain(..most);
        }
    }

    /// Links that people have.
    pub(crate) fn links(&self) -> Vec<Sent> {
        self.locked().links.clone()
    }

    /// Links that must not reactivate any more, or never could: the owner is another, a person ordered the deactivation, AWS
    /// marked the user, or they are too old. Only those of keys that are Inactive.
    pub(crate) fn doubtful_links(&self) -> Vec<Sent> {
        let wall = self.time.wall();
        let inner = self.locked();
        let doubtful = |sent: &&Sent| {
            let owner = inner.owner_of.get(&sent.key).and_then(Option::as_ref);
            let inactive = self.sim.key_status(&sent.key).as_deref() == Some("Inactive");
            let refused = inner.by_name.contains(&sent.key) || inner.marked.contains(&sent.key);
            inactive && (refused || wall > sent.expires || owner.is_none_or(|owner| *owner != sent.to))
        };
        inner.reactivations.iter().filter(doubtful).cloned().collect()
    }

    /// Links that reactivate a key that is Inactive.
    pub(crate) fn undoing_links(&self) -> Vec<Sent> {
        let inactive = |sent: &&Sent| self.sim.key_status(&sent.key).as_deref() == Some("Inactive");
        self.locked().reactivations.iter().filter(inactive).cloned().collect()
    }

    /// An owner holds a key through a link: whatever else, it is not changed until then.
    pub(crate) fn held_by_owner(&self, key: &str, until: Timestamp) {
        let held =
            Held { since: self.time.now(), until: Some(until), promise: "P13", why: "its owner holds it" };
        self.locked().held.entry(key.into()).or_default().push(held);
    }

    /// keysweep heard that a message was accepted.
    pub(crate) fn acknowledged(&self, message: &Value) {
        self.locked().acknowledged.insert(number(message));
    }
}

impl Inner {
    /// P13: a channel accepted a notice of the change to those who were to be told, the whole notice period before it.
    pub(super) fn heard_first(&self, case: &Case<'_>, rules: &Rules) -> Verdict {
        let told = self.told.get(case.key).and_then(Option::as_ref);
        let told = told.ok_or(("P13", "nobody was to be told".to_owned()))?;
        let received = self.received.get(case.key).into_iter().flatten();
        let noticed = self.noticed.get(case.key).map_or(Timestamp::MIN, |notice| notice.at);
        let of_owner: Vec<_> =
            received.filter(|mail| mail.to == *told && mail.at + CLOSE >= noticed).collect();
        let first = of_owner.first().ok_or(("P13", format!("no channel accepted a notice to {told}")))?;
        let since = case.now.duration_since(first.at);
        if since + CLOSE < Rules::days(rules.notice) {
            return Err(("P13", format!("a channel accepted the notice to {told} {since:#} ago only")));
        }
        Ok(())
    }
}
