//! Messages of the demo.

use serde_json::{Value, json};

use super::{Cast, ago};
use crate::serve::page::mailbox::Letter;
use crate::serve::page::wall::Posting;

/// The URL of the page in messages.
pub(in super::super) const BASE: &str = "http://127.0.0.1:9853";

/// Blocks with names that nobody has escaped, in every place that shows text.
pub(in super::super) fn message(cast: Cast, index: usize) -> Vec<Value> {
    let name = |more, usual| cast.name(index + more, usual);
    let mrkdwn = |text: String| json!({ "type": "mrkdwn", "text": text, "verbatim": true });
    let section = format!(
        "`{}`\nUser: {}\nLast used: *never*, _says_ {}\n<{BASE}/answer/AQEA|Still needed> · <{BASE}/keys|{}> · <{}|out>",
        super::key_id(index),
        name(0, "ci-deploy"),
        name(1, "IAM"),
        // A link ends with its line.
        name(3, "Show me").replace(['\r', '\n'], " "),
        name(1, "https://example.com/"),
    );
    let button = |url: String| {
        json!({ "type": "button", "url": url, "style": "primary",
                "text": { "type": "plain_text", "text": name(0, "Decide on the page") } })
    };
    vec![
        json!({ "type": "header", "text": { "type": "plain_text", "text": name(0, "2 unused access keys") } }),
        json!({ "type": "section", "text": mrkdwn(section) }),
        json!({ "type": "section", "text": mrkdwn(format!("```{}\n{}```", name(0, "a"), name(3, "b"))),
                "fields": [mrkdwn(name(1, "one")), mrkdwn(name(2, "two"))] }),
        json!({ "type": "divider" }),
        json!({ "type": "actions", "elements": [button(format!("{BASE}/keys")), button(name(1, "/keys"))] }),
        json!({ "type": "context", "elements": [mrkdwn(name(0, "keysweep, notice 4"))] }),
        json!({ "type": name(0, "video") }),
    ]
}

/// What is posted of these messages, in one channel each.
pub(in super::super) fn postings<'a>(
    channels: &'a [(String, usize)],
    messages: &'a [Vec<Value>],
    text: &'a str,
) -> Vec<Posting<'a>> {
    let posting = |(index, (blocks, (channel, _))): (usize, (&'a Vec<Value>, &'a (String, usize)))| Posting {
        channel,
        at: ago(9),
        edited: (index % 2 == 1).then(|| ago(2)),
        text,
        blocks: if index % 3 == 2 { &[] } else { blocks },
    };
    messages.iter().zip(channels).enumerate().map(posting).collect()
}

/// Channels, one for each row.
pub(in super::super) fn channels(cast: Cast) -> Vec<(String, usize)> {
    cast.indexes().map(|index| (format!("{}{index}", cast.name(index, "#team-")), 1)).collect()
}

/// E-mail.
pub(in super::super) fn letters(cast: Cast) -> Vec<Letter> {
    let letter = |index: usize| Letter {
        number: u32::try_from(index).unwrap(),
        to: cast.name(index, "dana@example.com"),
        subject: cast.name(index + 1, "Access key AKIAIOSFODNN7EXAMPLE will be deactivated"),
        text: cast.name(index + 2, "keysweep will deactivate this key."),
        more: index % 2 == 1,
    };
    cast.indexes().map(letter).collect()
}
