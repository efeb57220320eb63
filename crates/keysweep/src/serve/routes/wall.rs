//! The Slack of the demo: the messages that keysweep would post, as their channels would show them.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::form::Fields;
use super::pages::{Visitor, frame, html};
use crate::demo::WallMessage;
use crate::serve::app::App;
use crate::serve::page::{Posting, Wall, wall};
use crate::serve::router::told;

/// Messages on the page, newest first.
const MESSAGES: usize = 30;

pub(in crate::serve) async fn show_wall(
    visitor: Visitor,
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Response {
    let Some(posted) = app.engine().wall() else {
        return told(StatusCode::NOT_FOUND, "There is no Slack.\n").into_response();
    };
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let channel = Some(fields.get("channel")).filter(|name| !name.is_empty());
    let messages = posted.newest(channel, MESSAGES);
    let config = app.config();
    let page = Wall {
        channels: &posted.channels(),
        channel,
        base: config.channels.links.as_ref().map(|links| links.base.as_str()),
        messages: messages.iter().map(posting).collect(),
    };
    html(StatusCode::OK, wall(&frame(&app, &visitor), &page))
}

fn posting(message: &WallMessage) -> Posting<'_> {
    let WallMessage { channel, ts: _, at, edited, text, blocks } = message;
    Posting { channel, at: *at, edited: *edited, text, blocks }
}
