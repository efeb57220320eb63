//! `status`.

use std::time::Duration;

use keysweep_api::{ShowStatus, StatusDocument};
use tokio::time::sleep;

use super::args::{DocumentFormat, Global, StatusArgs};
use super::console::Console;
use super::error::CliError;
use super::operator::look;
use super::{Exit, export, view};

/// Clears a terminal, and goes to its first line.
const CLEAR: &str = "\x1b[2J\x1b[H";

/// Shows how things stand, once or until it is interrupted.
pub(super) async fn status(global: &Global, args: &StatusArgs, console: &Console) -> Result<Exit, CliError> {
    loop {
        let document = look(global, ShowStatus {}, console).await?;
        let Some(seconds) = args.watch else {
            show(&document, args.format, "", console)?;
            return Ok(Exit::Done);
        };
        let clear = if console.is_on_terminal() { CLEAR } else { "" };
        show(&document, args.format, clear, console)?;
        sleep(Duration::from_secs(seconds)).await;
    }
}

fn show(
    document: &StatusDocument,
    format: DocumentFormat,
    before: &str,
    console: &Console,
) -> Result<(), CliError> {
    console.print(|out| match format {
        DocumentFormat::Table => {
            let text = view::status_text(document, console.screen);
            write!(out, "{before}{text}").map_err(|source| CliError::Output { source })
        }
        DocumentFormat::Json => export::json(out, document),
    })
}
