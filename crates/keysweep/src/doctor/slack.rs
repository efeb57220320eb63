//! Whether Slack accepts the tokens of the app.

use std::time::Duration;

use keysweep_notify::slack::socket::{Pace, Socket, SocketOptions};
use keysweep_notify::{Failure, FailureKind};

use super::document::{CheckName, Problem, Verdict};
use super::group::Raised;
use crate::config::{Config, SlackBot};
use crate::people::slack_client;

/// How long Slack may take to answer.
const CALL: Duration = Duration::from_secs(10);

/// What is wrong with the tokens of the app that the configuration names, if it names one.
pub(super) async fn examine(config: &Config) -> Vec<Raised> {
    let Some(bot) = &config.channels.slack else { return Vec::new() };
    let of_bot = match slack_client(bot, CALL) {
        Ok(slack) => slack.identity().await.err(),
        Err(why) => Some(unusable(why)),
    };
    let bot_token = of_bot.map(|failure| {
        let remedy = "copy the bot token of the app (\"OAuth & Permissions\") into notices.slack.token_file";
        problem("the bot token", &failure, remedy)
    });
    let app_token = listens(bot).await.err().map(|failure| {
        let remedy = "enable Socket Mode for the app, and copy an app-level token with the scope connections:write \
                      (\"Basic Information\") into notices.slack.app_token_file";
        problem("the app-level token", &failure, remedy)
    });
    bot_token.into_iter().chain(app_token).map(Raised::once).collect()
}

/// How people decide in Slack.
pub(super) fn in_words(config: &Config) -> String {
    match config.channels.slack.as_ref().map(|bot| bot.native().is_some()) {
        Some(true) => "bot token and app-level token; people decide in Slack".to_owned(),
        Some(false) => "bot token; people decide on the page".to_owned(),
        None => "not configured".to_owned(),
    }
}

async fn listens(bot: &SlackBot) -> Result<(), Failure> {
    let Some(app_token) = bot.native().cloned() else { return Ok(()) };
    let opened = Socket::new(SocketOptions {
        app_token,
        api_url: bot.api_url.clone(),
        timeout: CALL,
        ca_pem: None,
        queue: 1,
        pace: Pace::default(),
    });
    let (socket, _events) = opened.map_err(unusable)?;
    socket.check().await
}

fn unusable(detail: String) -> Failure {
    Failure { kind: FailureKind::Misconfigured, detail, retry_after: None }
}

fn problem(token: &str, failure: &Failure, remedy: &str) -> Problem {
    let (verdict, what, remedy) = match failure.kind {
        FailureKind::Misconfigured | FailureKind::Rejected => {
            (Verdict::Gap, format!("Slack does not accept {token}"), remedy)
        }
        FailureKind::Temporary => {
            let remedy = "run doctor again; if Slack stays unreachable, permit connections to slack.com";
            (Verdict::Failed, format!("Slack did not say whether it accepts {token}"), remedy)
        }
    };
    Problem {
        check: CheckName::Slack,
        verdict,
        what,
        actions: Vec::new(),
        statement: None,
        reason: Some(failure.to_string()),
        remedy: remedy.to_owned(),
        accounts: Vec::new(),
    }
}
