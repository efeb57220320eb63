//! `rules`: references of the configuration that do not exist.

use super::args::{Format, Global, RulesCommand};
use super::console::Console;
use super::error::CliError;
use super::keys::done;
use super::operator::ask;
use super::{Exit, export, view};
use crate::operator::{MissingRow, Reply, Request, RulesDocument};

/// `rules list` as CSV.
const MISSING: [export::Column<MissingRow>; 6] = [
    ("id", |row| row.id.clone()),
    ("what", |row| row.what.clone()),
    ("rule", |row| row.rule.clone()),
    ("since", |row| row.since.to_string()),
    ("stops", |row| row.stops.to_string()),
    ("acknowledged", |row| row.acknowledged.clone().unwrap_or_default()),
];

/// `rules list` and `rules acknowledge`.
pub(super) async fn rules(
    global: &Global,
    command: RulesCommand,
    console: &Console,
) -> Result<Exit, CliError> {
    let (request, format) = match command {
        RulesCommand::List { format } => (Request::RulesList, format.format),
        RulesCommand::Acknowledge { id, reason } => {
            (Request::AcknowledgeRule { id, reason: reason.reason }, Format::Table)
        }
    };
    match ask(global, request, console).await? {
        Reply::Rules(document) => {
            show(&document, format, console)?;
            Ok(Exit::Done)
        }
        reply @ (Reply::Plan(_)
        | Reply::Keys(_)
        | Reply::Key(_)
        | Reply::Done { .. }
        | Reply::Breaker(_)
        | Reply::JournalView { .. }
        | Reply::Refused { .. }) => done(reply, console),
    }
}

fn show(document: &RulesDocument, format: Format, console: &Console) -> Result<(), CliError> {
    console.print_until_closed(|out| match format {
        Format::Table => {
            let text = view::rules_text(document, console.screen);
            write!(out, "{text}").map_err(|source| CliError::Output { source })
        }
        Format::Json => export::json(out, document),
        Format::Jsonl => export::json_lines(out, &document.missing),
        Format::Csv => export::csv(out, &MISSING, &document.missing),
    })
}
