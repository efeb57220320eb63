//! `pause`, `resume`, `breaker` and `accounts`.

use super::args::{AccountsCommand, BreakerCommand, Format, Global, ResumeArgs};
use super::console::Console;
use super::error::CliError;
use super::keys::done;
use super::operator::ask;
use super::{Exit, export, view};
use crate::operator::{BreakerDocument, BreakerKey, Reply, Request, Which};

/// `breaker show` as CSV.
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
pub(super) async fn resume(global: &Global, args: ResumeArgs, console: &Console) -> Result<Exit, CliError> {
    let which = match (args.number, args.all) {
        (Some(number), _) => Which::Number(number),
        (None, Some(count)) => Which::All(count),
        (None, None) => Which::Own,
    };
    done(ask(global, Request::Resume { which, reason: args.reason }, console).await?, console)
}

/// `accounts unpark`.
pub(super) async fn accounts(
    global: &Global,
    command: AccountsCommand,
    console: &Console,
) -> Result<Exit, CliError> {
    let AccountsCommand::Unpark { account, reason } = command;
    done(ask(global, Request::AccountUnpark { account, reason }, console).await?, console)
}

/// `breaker show` and `breaker reset`.
pub(super) async fn breaker(
    global: &Global,
    command: BreakerCommand,
    console: &Console,
) -> Result<Exit, CliError> {
    let (request, format) = match command {
        BreakerCommand::Show { format } => (Request::BreakerShow, format.format),
        BreakerCommand::Reset { reason, confirm } => {
            (Request::BreakerReset { reason, confirm }, Format::Table)
        }
    };
    match ask(global, request, console).await? {
        Reply::Breaker(document) => {
            show(&document, format, console)?;
            Ok(Exit::Done)
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
    console.print_until_closed(|out| match format {
        Format::Table => {
            let text = view::breaker_text(document, console.screen);
            write!(out, "{text}").map_err(|source| CliError::Output { source })
        }
        Format::Json => export::json(out, document),
        Format::Jsonl => export::json_lines(out, &document.keys),
        Format::Csv => export::csv(out, &DUE, &document.keys),
    })
}
