//! `holds`, `exemptions`, and `sessions`.

use keysweep_api::{
    EndExemption, ExemptionRow, GrantExemption, HeldKey, ListExemptions, ListHolds, ListSessions,
    RevokeSessions, SessionRow,
};

use super::args::{ExemptionsCommand, Format, Global, HoldsCommand, SessionsCommand};
use super::console::Console;
use super::error::CliError;
use super::export;
use super::operator::{act, look};
use super::{Exit, view};

/// `holds list` as CSV.
const HOLD: [export::Column<HeldKey>; 12] = [
    ("account_id", |row| row.account_id.clone()),
    ("account_name", |row| row.account_name.clone().unwrap_or_default()),
    ("user_name", |row| row.user_name.clone()),
    ("access_key_id", |row| row.access_key_id.clone()),
    ("state", |row| row.state.clone()),
    ("owner", |row| row.owner.clone().unwrap_or_default()),
    ("hold", |row| row.number.to_string()),
    ("kind", |row| row.kind.as_str().into()),
    ("by", |row| row.by.clone()),
    ("reason", |row| row.reason.clone()),
    ("since", |row| row.since.to_string()),
    ("until", |row| row.until.map(|at| at.to_string()).unwrap_or_default()),
];

/// `exemptions list` as CSV.
const EXEMPTION: [export::Column<ExemptionRow>; 10] = [
    ("rule", |row| row.rule.clone()),
    ("match", |row| row.matches.clone()),
    ("reason", |row| row.reason.clone()),
    ("until", |row| row.until.clone()),
    ("lapsed", |row| row.lapsed.to_string()),
    ("findings", |row| row.findings.map(|count| count.to_string()).unwrap_or_default()),
    ("idle_since", |row| row.idle_since.map(|at| at.to_string()).unwrap_or_default()),
    ("exemption", |row| row.number.map(|number| number.to_string()).unwrap_or_default()),
    ("by", |row| row.by.clone().unwrap_or_default()),
    ("since", |row| row.since.map(|at| at.to_string()).unwrap_or_default()),
];

/// `sessions list` as CSV.
const SESSION: [export::Column<SessionRow>; 6] = [
    ("session", |row| row.number.to_string()),
    ("person", |row| row.person.clone()),
    ("role", |row| row.role.map(|role| role.to_string()).unwrap_or_default()),
    ("since", |row| row.since.to_string()),
    ("seen", |row| row.seen.to_string()),
    ("client", |row| row.client.clone()),
];

/// `holds ...`
pub(super) async fn holds(
    global: &Global,
    command: HoldsCommand,
    console: &Console,
) -> Result<Exit, CliError> {
    let HoldsCommand::List { filter, format } = command;
    let document = look(global, ListHolds { filter: filter.into() }, console).await?;
    console.print_until_closed(|out| match format.format {
        Format::Table => {
            let text = view::holds_table(&document, console.screen);
            write!(out, "{text}").map_err(|source| CliError::Output { source })
        }
        Format::Json => export::json(out, &document),
        Format::Jsonl => export::json_lines(out, &document.holds),
        Format::Csv => export::csv(out, &HOLD, &document.holds),
    })?;
    if format.format == Format::Table {
        console.say(match document.holds.is_empty() {
            true => "no key is on hold",
            false => "to end a hold: keysweep keys release KEY --hold NUMBER --reason TEXT",
        });
    }
    Ok(Exit::Done)
}

/// `exemptions ...`
pub(super) async fn exemptions(
    global: &Global,
    command: ExemptionsCommand,
    console: &Console,
) -> Result<Exit, CliError> {
    let format = match command {
        ExemptionsCommand::List { format } => format,
        ExemptionsCommand::Add { key, until, reason, whole_user } => {
            let grant = GrantExemption { key, whole_user, until, reason: reason.reason };
            return act(global, grant, console).await;
        }
        ExemptionsCommand::End { number, reason } => {
            return act(global, EndExemption { number, reason: reason.reason }, console).await;
        }
    };
    let document = look(global, ListExemptions {}, console).await?;
    console.print_until_closed(|out| match format.format {
        Format::Table => {
            let text = view::exemptions_table(&document, console.screen);
            write!(out, "{text}").map_err(|source| CliError::Output { source })
        }
        Format::Json => export::json(out, &document),
        Format::Jsonl => export::json_lines(out, &document.exemptions),
        Format::Csv => export::csv(out, &EXEMPTION, &document.exemptions),
    })?;
    if format.format == Format::Table && document.exemptions.is_empty() {
        console.say("nothing is exempt: see [[policy.exempt]] and `keysweep exemptions add`");
    }
    Ok(Exit::Done)
}

/// `sessions ...`
pub(super) async fn sessions(
    global: &Global,
    command: SessionsCommand,
    console: &Console,
) -> Result<Exit, CliError> {
    let format = match command {
        SessionsCommand::List { format } => format.format,
        SessionsCommand::Revoke { number, all: _, reason } => {
            return act(global, RevokeSessions { number, reason: reason.reason }, console).await;
        }
    };
    let document = look(global, ListSessions {}, console).await?;
    console.print_until_closed(|out| match format {
        Format::Table => {
            let text = view::sessions_table(&document, console.screen);
            write!(out, "{text}").map_err(|source| CliError::Output { source })
        }
        Format::Json => export::json(out, &document),
        Format::Jsonl => export::json_lines(out, &document.sessions),
        Format::Csv => export::csv(out, &SESSION, &document.sessions),
    })?;
    if format == Format::Table && document.sessions.is_empty() {
        console.say("nobody is logged in");
    }
    Ok(Exit::Done)
}
