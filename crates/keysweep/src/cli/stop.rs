//! `pause`, `resume` and `breaker`.

use super::args::{BreakerCommand, Format, Global};
use super::console::Console;
use super::error::CliError;
use super::keys::done;
use super::operator::ask;
use super::{Exit, export, view};
use crate::operator::{BreakerDocument, BreakerKey, Reply, Request};

/// `breaker reset` as CSV.
const DUE: [export::Column<BreakerKey>; 4] = [
    ("account_id", |key| key.account_id.clone()),
    ("user_name", |key| key.user_name.clone()),
    ("access_key_id", |key| key.access_key_id.clone()),
    ("action", |key| key.action.to_string()),
];

/// `pause`.
pub(super) async fn pause(global: &Global, reason: String, console: &Console) -> Result<Exit, CliError> {
    done(ask(global, Request::Pause { reason }, console).await?, console)
}

/// `resume`.
pub(super) async fn resume(global: &Global, reason: String, console: &Console) -> Result<Exit, CliError> {
    done(ask(global, Request::Resume { reason }, console).await?, console)
}

/// `breaker reset`: without a count it only shows what a count would accept, and has not done what its name says.
pub(super) async fn breaker(
    global: &Global,
    command: BreakerCommand,
    console: &Console,
) -> Result<Exit, CliError> {
    let BreakerCommand::Reset { reason, confirm, format } = command;
    let request = Request::BreakerReset { reason: reason.unwrap_or_default(), confirm };
    match ask(global, request, console).await? {
        Reply::Breaker(document) => {
            show(&document, format.format, console)?;
            Ok(Exit::Failed)
        }
        reply @ (Reply::Plan(_)
        | Reply::Keys(_)
        | Reply::Key(_)
        | Reply::Done { .. }
        | Reply::Rules(_)
        | Reply::JournalView { .. }
        | Reply::Refused { .. }) => done(reply, console),
    }
}

fn show(document: &BreakerDocument, format: Format, console: &Console) -> Result<(), CliError> {
    console.print_to_whoever_reads(|out| match format {
        Format::Table => {
            let text = view::breaker_text(document, console.screen);
            write!(out, "{text}").map_err(|source| CliError::Output { source })
        }
        Format::Json => export::json(out, document),
        Format::Jsonl => export::json_lines(out, &document.keys),
        Format::Csv => export::csv(out, &DUE, &document.keys),
    })
}
