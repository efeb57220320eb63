//! `pause`, `resume`, `breaker` and `accounts`.

use keysweep_api::{
    BreakerDocument, BreakerKey, Pause, ResetBreaker, Resume, ShowBreaker, UnparkAccount, Which,
};

use super::args::{AccountsCommand, BreakerCommand, Format, Global, ResumeArgs};
use super::console::Console;
use super::error::CliError;
use super::export;
use super::operator::{act, look};
use super::{Exit, view};

/// `breaker show` as CSV.
const DUE: [export::Column<BreakerKey>; 4] = [
    ("account_id", |key| key.account_id.clone()),
    ("user_name", |key| key.user_name.clone()),
    ("access_key_id", |key| key.access_key_id.clone()),
    ("action", |key| key.action.to_string()),
];

/// `pause`.
pub(super) async fn pause(global: &Global, reason: String, console: &Console) -> Result<Exit, CliError> {
    act(global, Pause { reason }, console).await
}

/// `resume`.
pub(super) async fn resume(global: &Global, args: ResumeArgs, console: &Console) -> Result<Exit, CliError> {
    let which = match (args.number, args.all) {
        (Some(number), _) => Which::Number(number),
        (None, Some(count)) => Which::All(count),
        (None, None) => Which::Own,
    };
    act(global, Resume { which, reason: args.reason }, console).await
}

/// `accounts unpark`.
pub(super) async fn accounts(
    global: &Global,
    command: AccountsCommand,
    console: &Console,
) -> Result<Exit, CliError> {
    let AccountsCommand::Unpark { account, reason } = command;
    act(global, UnparkAccount { account, reason }, console).await
}

/// `breaker show` and `breaker reset`.
pub(super) async fn breaker(
    global: &Global,
    command: BreakerCommand,
    console: &Console,
) -> Result<Exit, CliError> {
    match command {
        BreakerCommand::Show { format } => {
            show(&look(global, ShowBreaker {}, console).await?, format.format, console)?;
            Ok(Exit::Done)
        }
        BreakerCommand::Reset { reason, confirm } => {
            act(global, ResetBreaker { reason, confirm }, console).await
        }
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
