//! What the mail server saw: whom keysweep told, and when.

use jiff::Timestamp;
use serde_json::Value;

use super::judge::{CLOSE, Case, Verdict};
use super::{Inner, Oracle, Rules};

/// A message about a key that a channel accepted.
#[derive(Debug, Clone)]
pub(super) struct Received {
    pub(super) at: Timestamp,
    pub(super) to: String,
}

/// Kinds that announce a change.
const AHEAD: [&str; 2] = ["deactivation_ahead", "deletion_ahead"];

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
        let mut inner = self.locked();
        inner.tally.add("message received");
        for item in message.get("items").and_then(Value::as_array).into_iter().flatten() {
            let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            inner.tally.add(&format!("notice {}", text("kind")));
            if AHEAD.contains(&text("kind").as_str()) {
                let received = Received { at: now, to: to.to_owned() };
                inner.received.entry(text("access_key_id")).or_default().push(received);
            }
        }
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
