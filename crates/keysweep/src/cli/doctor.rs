//! `doctor`: whether everything that keysweep needs is there.

use std::sync::Arc;

use super::args::{DoctorArgs, Format, Global};
use super::config::{form, log, quiet_level, read_or_defaults};
use super::console::Console;
use super::error::CliError;
use super::export;
use super::progress::Bar;
use super::{Exit, view};
use crate::clock::Clock;
use crate::connect::{Given, connect};
use crate::doctor::{Inputs, Problem, examine};
use crate::logging::Beside;
use crate::metrics::Metrics;

/// A problem as CSV.
const PROBLEM: [export::Column<Problem>; 9] = [
    ("check", |problem| problem.check.as_str().into()),
    ("verdict", |problem| problem.verdict.as_str().into()),
    ("what", |problem| problem.what.clone()),
    ("actions", |problem| problem.actions.join("; ")),
    ("statement", |problem| problem.statement.as_ref().map(|one| one.sid.clone()).unwrap_or_default()),
    ("policy", |problem| problem.statement.as_ref().map(|one| one.command.clone()).unwrap_or_default()),
    ("reason", |problem| problem.reason.clone().unwrap_or_default()),
    ("remedy", |problem| problem.remedy.clone()),
    ("accounts", |problem| problem.accounts.join("; ")),
];

/// `doctor`.
pub(super) async fn doctor(global: &Global, args: &DoctorArgs, console: &Console) -> Result<Exit, CliError> {
    let metrics = Metrics::new();
    let config = read_or_defaults(global, console)?;
    let bar = Bar::of_accounts(console.stderr_terminal, Arc::clone(&metrics));
    log(quiet_level(console), form(&config, console), &metrics, Beside::new(bar.bar()), None)?;
    for warning in &config.warnings {
        console.warn(&warning.to_string());
    }
    let clock = Clock::system();
    let aws = connect(&config, &clock, bar.observer(), Given::default()).await;
    let inputs = Inputs { config: &config, clock: &clock, metrics: &metrics, only: &args.account };
    let examined = examine(inputs, aws, &bar).await;
    bar.clear();
    let document = examined.map_err(|error| CliError::Doctor(error.to_string()))?;
    console.print_until_closed(|out| match args.format.format {
        Format::Table => {
            let text = view::doctor_text(&document, console.screen);
            write!(out, "{text}").map_err(|source| CliError::Output { source })
        }
        Format::Json => export::json(out, &document),
        Format::Jsonl => export::json_lines(out, &document.problems),
        Format::Csv => export::csv(out, &PROBLEM, &document.problems),
    })?;
    console.say(&view::doctor_summary(&document));
    Ok(if document.has_gaps() { Exit::Incomplete } else { Exit::Done })
}
