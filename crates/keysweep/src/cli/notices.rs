//! `notices`: the outbox, previews, and test messages.

use keysweep_api::{
    ListNotices, MessageRow, MessageStatus, NoticePreview, NoticesDocument, PreviewNotice, RetryNotice,
};
use keysweep_core::notice::NoticeKind;
use strum::VariantArray as _;

use super::args::{Format, Global, NoticesCommand, PreviewArgs, PreviewFormat, StatusName};
use super::config::read;
use super::console::Console;
use super::error::CliError;
use super::export;
use super::operator::{act, look};
use super::{Exit, view};
use crate::clock::Clock;
use crate::people::{Subject, Trial, preview, try_channel};

/// `notices list` as CSV.
const MESSAGE: [export::Column<MessageRow>; 9] = [
    ("message", |row| row.message.to_string()),
    ("status", |row| row.status.as_str().into()),
    ("recipient", |row| row.recipient.clone()),
    ("addresses", |row| row.addresses.join("; ")),
    ("notices", |row| row.count.to_string()),
    ("composed_at", |row| row.composed_at.to_string()),
    ("closed_at", |row| row.closed_at.map(|at| at.to_string()).unwrap_or_default()),
    ("delivered_to", |row| row.delivered_to.clone().unwrap_or_default()),
    ("why", |row| row.why.clone().unwrap_or_default()),
];

/// `notices ...`
pub(super) async fn notices(
    global: &Global,
    command: NoticesCommand,
    console: &Console,
) -> Result<Exit, CliError> {
    match command {
        NoticesCommand::List { status, format } => list(global, &status, format.format, console).await,
        NoticesCommand::Preview(args) => previews(global, args, console).await,
        NoticesCommand::Send { test } => send(global, &test, console).await,
        NoticesCommand::Retry { message, reason } => {
            act(global, RetryNotice { message, reason: reason.reason }, console).await
        }
    }
}

async fn list(
    global: &Global,
    statuses: &[StatusName],
    format: Format,
    console: &Console,
) -> Result<Exit, CliError> {
    let mut document: NoticesDocument = look(global, ListNotices {}, console).await?;
    let wanted = |status: MessageStatus| {
        statuses.is_empty()
            || statuses.iter().any(|name| match name {
                StatusName::Pending => status == MessageStatus::Pending,
                StatusName::Delivered => status == MessageStatus::Delivered,
                StatusName::Undeliverable => status == MessageStatus::Undeliverable,
            })
    };
    document.messages.retain(|row| wanted(row.status));
    console.print_until_closed(|out| match format {
        Format::Table => {
            let text = view::notices_table(&document, console.screen);
            write!(out, "{text}").map_err(|source| CliError::Output { source })
        }
        Format::Json => export::json(out, &document),
        Format::Jsonl => export::json_lines(out, &document.messages),
        Format::Csv => export::csv(out, &MESSAGE, &document.messages),
    })?;
    if format == Format::Table {
        console.say(&view::notices_summary(&document));
    }
    Ok(Exit::Done)
}

async fn previews(global: &Global, args: PreviewArgs, console: &Console) -> Result<Exit, CliError> {
    let PreviewArgs { kind, key, format } = args;
    let kinds: Vec<NoticeKind> = kind.map_or_else(|| NoticeKind::VARIANTS.to_vec(), |kind| vec![kind]);
    let mut shown = Vec::new();
    match key {
        Some(key) => {
            for kind in kinds {
                shown.push(look(global, PreviewNotice { key: key.clone(), kind }, console).await?);
            }
        }
        None => {
            let (config, now) = (read(global)?, Clock::system().now());
            for kind in kinds {
                let about = Subject::invented(&config, kind).map_err(CliError::Usage)?;
                shown.push(preview(&config, &about, now).map_err(CliError::Usage)?);
            }
        }
    }
    console.print_until_closed(|out| {
        let output = |source| CliError::Output { source };
        for (n, NoticePreview { subject, text, html, slack_blocks, card, webhook }) in
            shown.iter().enumerate()
        {
            match format {
                PreviewFormat::Text if n == 0 => {
                    write!(out, "Subject: {subject}\n\n{text}").map_err(output)?
                }
                PreviewFormat::Text => {
                    let rule = "-".repeat(72);
                    write!(out, "\n{rule}\nSubject: {subject}\n\n{text}").map_err(output)?;
                }
                PreviewFormat::Html => writeln!(out, "{html}").map_err(output)?,
                PreviewFormat::Slack => export::json(out, slack_blocks)?,
                PreviewFormat::Teams => export::json(out, card)?,
                PreviewFormat::Webhook => export::json(out, webhook)?,
            }
        }
        Ok(())
    })?;
    Ok(Exit::Done)
}

async fn send(global: &Global, where_to: &str, console: &Console) -> Result<Exit, CliError> {
    let config = read(global)?;
    for warning in &config.warnings {
        console.warn(&warning.to_string());
    }
    let trials = try_channel(&config, where_to, Clock::system().now()).await.map_err(CliError::Usage)?;
    let mut failed = false;
    for Trial { to, outcome } in trials {
        match outcome {
            Ok(()) => console.say(&format!("{to}: accepted")),
            Err(failure) => {
                failed = true;
                console.warn(&format!("{to}: {failure}"));
            }
        }
    }
    Ok(if failed { Exit::Failed } else { Exit::Done })
}
