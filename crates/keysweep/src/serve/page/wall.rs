//! The Slack of the demo.

use askama::Template;
use jiff::Timestamp;
use serde_json::Value;

use super::blocks::{Block, Piece, blocks, plain};
use super::frame::{Frame, Shell, View, html};
use super::query::Query;
use super::words::When;

/// Where the wall is.
pub(in crate::serve) const WALL: &str = "/slack";

/// Messages of one channel or of all.
pub(in crate::serve) struct Wall<'a> {
    /// Channels with the number of their messages.
    pub(in crate::serve) channels: &'a [(String, usize)],
    /// The channel that is shown; `None` for all.
    pub(in crate::serve) channel: Option<&'a str>,
    /// URL of the page in messages, without a slash at its end.
    pub(in crate::serve) base: Option<&'a str>,
    /// Messages, in the order in which they are shown.
    pub(in crate::serve) messages: Vec<Posting<'a>>,
}

/// A message.
pub(in crate::serve) struct Posting<'a> {
    pub(in crate::serve) channel: &'a str,
    pub(in crate::serve) at: Timestamp,
    /// When it was replaced last.
    pub(in crate::serve) edited: Option<Timestamp>,
    pub(in crate::serve) text: &'a str,
    pub(in crate::serve) blocks: &'a [Value],
}

#[derive(Template)]
#[template(path = "wall.html")]
struct Page<'a> {
    shell: Shell<'a>,
    channels: Vec<Tab<'a>>,
    messages: Vec<Shown<'a>>,
}

/// A link to a channel.
struct Tab<'a> {
    name: &'a str,
    count: usize,
    href: String,
    current: bool,
}

struct Shown<'a> {
    channel: &'a str,
    at: When,
    edited: Option<When>,
    blocks: Vec<Block>,
}

/// The wall.
///
/// # Errors
/// If the template cannot be written out.
pub(in crate::serve) fn wall(frame: &Frame, wall: &Wall<'_>) -> Result<String, askama::Error> {
    let Wall { channels, channel, base, messages } = wall;
    let all = channels.iter().map(|(_, count)| count).sum();
    let everything =
        Tab { name: "All channels", count: all, href: WALL.to_owned(), current: channel.is_none() };
    let tabs = channels.iter().map(|(name, count)| Tab {
        name,
        count: *count,
        href: Query::default().with("channel", Some(name)).href(WALL),
        current: *channel == Some(name.as_str()),
    });
    let shown = messages.iter().map(|message| Shown {
        channel: message.channel,
        at: frame.when(message.at),
        edited: frame.maybe(message.edited),
        blocks: match message.blocks {
            [] => vec![plain(message.text, *base)],
            some => blocks(some, *base),
        },
    });
    html(&Page {
        shell: frame.shell(View::Other, "Slack", Some(frame.now), false),
        channels: std::iter::once(everything).chain(tabs).collect(),
        messages: shown.collect(),
    })
}
