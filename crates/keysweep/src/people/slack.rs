//! Approvals in Slack: clicks and modals through Socket Mode, and messages that are replaced in place.
//!
//! [`work`] runs beside the postman and never delays it. Slack vouches for the person and their workspace. What the
//! person may do follows from the configuration in force at the click, and again at the submission; the journal decides
//! what counts.

mod clicks;
mod replace;

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use keysweep_notify::slack::socket::{Event, Pace, Socket, SocketOptions, SocketState};
use keysweep_notify::slack::{Identity, Slack};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

pub use self::replace::Replacer;

use self::clicks::Desk;
use super::carrier::slack;
use crate::config::SlackBot;
use crate::engine::Engine;

/// How long a call of the Web API may take while a person waits.
const CALL: Duration = Duration::from_secs(10);

/// Events that wait while others are handled. Slack shows an error beyond that.
const QUEUE: usize = 64;

/// Events that are handled at the same time: a slow call for one person does not use up the three seconds of another.
const AT_ONCE: usize = 8;

/// Waits between attempts to learn the workspace of the bot token: the shortest and the longest.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Receives clicks where the configuration says so, and replaces messages, until keysweep stops.
pub async fn work(engine: &Arc<Engine>) {
    let mut replacer = Replacer::default();
    tokio::join!(listen(engine), replacer.work(engine));
}

/// Runs a session for as long as its settings are in force, then the next.
async fn listen(engine: &Arc<Engine>) {
    let stop = engine.stopping();
    let mut reloads = engine.config_reloads();
    while !stop.is_cancelled() {
        reloads.borrow_and_update();
        let bot = native(engine);
        let over = stop.child_token();
        let session = async {
            match &bot {
                Some(bot) => session(engine, bot, over.clone()).await,
                None => over.cancelled().await,
            }
        };
        let ending = async {
            while native(engine) == bot {
                if stop.run_until_cancelled(reloads.changed()).await.is_none_or(|changed| changed.is_err()) {
                    break;
                }
            }
            over.cancel();
        };
        tokio::join!(session, ending);
    }
}

/// The settings of Slack, where people decide on requests there.
fn native(engine: &Engine) -> Option<SlackBot> {
    engine.config().channels.slack.clone().filter(|bot| bot.native().is_some())
}

/// Receives clicks until `over`.
async fn session(engine: &Arc<Engine>, bot: &SlackBot, over: CancellationToken) {
    let (slack, socket, events) = match open(bot) {
        Ok(opened) => opened,
        Err(why) => {
            tracing::error!(why, "approvals in Slack are not available");
            over.cancelled().await;
            return;
        }
    };
    let known = over.run_until_cancelled(workspace(&slack)).await;
    let Some(Identity { team_id, team, user }) = known else { return };
    tracing::info!(%team, team_id, bot = %user, "approvals in Slack: connecting");
    let desk = Desk { engine, bot, slack: &slack, team: team_id };
    let state = socket.state();
    let running = async {
        socket.run(over.cancelled()).await;
    };
    tokio::join!(running, consume(&desk, events), observe(engine, state));
    engine.metrics().slack.closed();
}

fn open(bot: &SlackBot) -> Result<(Slack, Socket, mpsc::Receiver<Event>), String> {
    let Some(app_token) = bot.native().cloned() else { return Err("there is no app-level token".to_owned()) };
    let (socket, events) = Socket::new(SocketOptions {
        app_token,
        api_url: bot.api_url.clone(),
        timeout: CALL,
        ca_pem: None,
        queue: QUEUE,
        pace: Pace::default(),
    })?;
    Ok((slack(bot, CALL)?, socket, events))
}

/// The workspace of the bot token, asked until Slack answers: without it, nobody's click counts.
async fn workspace(slack: &Slack) -> Identity {
    let (mut wait, longest) = RETRY;
    loop {
        match slack.identity().await {
            Ok(identity) => return identity,
            Err(failure) => {
                tracing::warn!(error = %failure, "approvals in Slack: the workspace is not known; retrying");
                sleep(wait.max(failure.retry_after.unwrap_or_default())).await;
                wait = wait.saturating_mul(2).min(longest);
            }
        }
    }
}

/// Handles events until there are none.
async fn consume(desk: &Desk<'_>, mut events: mpsc::Receiver<Event>) {
    let mut running = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(()) = running.next() => {}
            event = events.recv(), if running.len() < AT_ONCE => match event {
                Some(event) => running.push(desk.handle(event)),
                None => break,
            },
        }
    }
    // What was accepted is carried out.
    while running.next().await.is_some() {}
}

/// Shows the state of the connections, until the socket is gone.
async fn observe(engine: &Engine, mut state: watch::Receiver<SocketState>) {
    let mut before = 0;
    loop {
        let open = state.borrow_and_update().open;
        engine.metrics().slack.open(open);
        match (before, open) {
            (0, 1..) => tracing::info!(connections = open, "approvals in Slack: connected"),
            (1.., 0) => tracing::warn!("approvals in Slack: not connected; reconnecting"),
            (_, _) => {}
        }
        before = open;
        if state.changed().await.is_err() {
            return;
        }
    }
}
