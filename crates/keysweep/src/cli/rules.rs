//! `rules`: references of the configuration that do not exist.

use keysweep_api::{AcknowledgeRule, ListRules, MissingRow, RulesDocument};

use super::args::{Format, Global, RulesCommand};
use super::console::Console;
use super::error::CliError;
use super::export;
use super::operator::{act, look};
use super::{Exit, view};

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
    match command {
        RulesCommand::List { format } => {
            show(&look(global, ListRules {}, console).await?, format.format, console)?;
            Ok(Exit::Done)
        }
        RulesCommand::Acknowledge { id, reason } => {
            act(global, AcknowledgeRule { id, reason: reason.reason }, console).await
        }
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
