//! The Slack of the demo: a wall of messages in memory, which the page shows.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use keysweep_core::notice::Posted;
use keysweep_notify::{Failure, FailureKind};
use serde_json::Value;

use crate::clock::Clock;
use crate::people::Letter;

/// Messages that are kept; the oldest is forgotten.
const MOST: usize = 500;

/// A message on the wall.
#[derive(Debug, Clone, PartialEq)]
pub struct WallMessage {
    /// Channel, such as `#payments`.
    pub channel: String,
    /// ID of the message within its channel, as Slack assigns it.
    pub ts: String,
    /// When it was posted, in policy time.
    pub at: Timestamp,
    /// When it was replaced last, in policy time.
    pub edited: Option<Timestamp>,
    /// Its text in mrkdwn, which notifications show.
    pub text: String,
    /// Its blocks.
    pub blocks: Vec<Value>,
}

/// Messages that the demo posted to Slack.
pub struct Wall {
    clock: Clock,
    posted: Mutex<Messages>,
}

#[derive(Default)]
struct Messages {
    count: u64,
    messages: VecDeque<WallMessage>,
}

impl fmt::Debug for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Messages contain links that answer without a login.
        f.debug_struct("Wall").finish_non_exhaustive()
    }
}

impl Wall {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, posted: Mutex::default() }
    }

    /// Posts a message, as `chat.postMessage` does.
    pub(super) fn post(&self, channel: &str, letter: &Letter) -> Posted {
        let mut posted = self.lock();
        posted.count += 1;
        let (at, channel) = (self.clock.now(), channel.to_owned());
        let ts = format!("{}.{:06}", at.as_second(), posted.count % 1_000_000);
        if posted.messages.len() >= MOST {
            posted.messages.pop_front();
        }
        posted.messages.push_back(WallMessage {
            channel: channel.clone(),
            ts: ts.clone(),
            at,
            edited: None,
            text: letter.slack_text.clone(),
            blocks: letter.slack_blocks.clone(),
        });
        Posted { channel, ts }
    }

    /// Replaces a message in place, as `chat.update` does.
    ///
    /// # Errors
    /// If the message is no longer there.
    pub(super) fn replace(&self, place: &Posted, letter: &Letter) -> Result<(), Failure> {
        let now = self.clock.now();
        let mut posted = self.lock();
        let found = posted
            .messages
            .iter_mut()
            .find(|message| message.ts == place.ts && message.channel == place.channel);
        let Some(message) = found else {
            let detail = "message_not_found".to_owned();
            return Err(Failure { kind: FailureKind::Rejected, detail, retry_after: None });
        };
        message.edited = Some(now);
        message.text.clone_from(&letter.slack_text);
        message.blocks.clone_from(&letter.slack_blocks);
        Ok(())
    }

    /// The newest messages, newest first: of one channel, or of all.
    #[must_use]
    pub fn newest(&self, channel: Option<&str>, most: usize) -> Vec<WallMessage> {
        let posted = self.lock();
        let wanted = |message: &&WallMessage| channel.is_none_or(|channel| message.channel == channel);
        posted.messages.iter().rev().filter(wanted).take(most).cloned().collect()
    }

    /// Channels with the number of their messages, by name.
    #[must_use]
    pub fn channels(&self) -> Vec<(String, usize)> {
        let mut channels: BTreeMap<String, usize> = BTreeMap::new();
        for message in &self.lock().messages {
            *channels.entry(message.channel.clone()).or_default() += 1;
        }
        channels.into_iter().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Messages> {
        self.posted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mk_letter(text: &str) -> Letter {
        Letter {
            subject: text.to_owned(),
            text: text.to_owned(),
            html: text.to_owned(),
            slack_text: text.to_owned(),
            slack_blocks: vec![json!({ "type": "header", "text": { "type": "plain_text", "text": text } })],
            card: Value::Null,
            json: Value::Null,
        }
    }

    fn texts(messages: &[WallMessage]) -> Vec<&str> {
        messages.iter().map(|message| message.text.as_str()).collect()
    }

    #[test]
    fn a_replaced_message_stays_in_its_place() {
        let wall = Wall::new(Clock::system());
        let first = wall.post("#security", &mk_letter("first"));
        let second = wall.post("#security", &mk_letter("second"));
        assert_ne!(first.ts, second.ts);
        assert_eq!(wall.replace(&first, &mk_letter("decided")), Ok(()));
        let messages = wall.newest(None, 10);
        assert_eq!(texts(&messages), ["second", "decided"]);
        assert!(messages[0].edited.is_none() && messages[1].edited.is_some());
        assert_eq!(messages[1].blocks, mk_letter("decided").slack_blocks);
    }

    #[test]
    fn a_message_of_another_channel_is_not_replaced() {
        let wall = Wall::new(Clock::system());
        let posted = wall.post("#security", &mk_letter("first"));
        let elsewhere = Posted { channel: "#payments".to_owned(), ..posted };
        assert!(wall.replace(&elsewhere, &mk_letter("wrong")).is_err());
        assert_eq!(texts(&wall.newest(None, 10)), ["first"]);
    }

    #[test]
    fn each_channel_has_its_messages() {
        let wall = Wall::new(Clock::system());
        for (channel, text) in [("#b", "one"), ("#a", "two"), ("#b", "three")] {
            wall.post(channel, &mk_letter(text));
        }
        assert_eq!(wall.channels(), [("#a".to_owned(), 1), ("#b".to_owned(), 2)]);
        assert_eq!(texts(&wall.newest(Some("#b"), 10)), ["three", "one"]);
        assert_eq!(texts(&wall.newest(None, 2)), ["three", "two"]);
    }

    #[test]
    fn the_oldest_messages_are_forgotten() {
        let wall = Wall::new(Clock::system());
        let first = wall.post("#a", &mk_letter("0"));
        (1..=MOST).for_each(|n| drop(wall.post("#a", &mk_letter(&n.to_string()))));
        assert_eq!(wall.newest(None, usize::MAX).len(), MOST);
        assert!(wall.replace(&first, &mk_letter("late")).is_err());
    }
}
