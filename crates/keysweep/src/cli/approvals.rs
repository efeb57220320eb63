//! `approvals`: what waits for a decision, and decisions by request.

use keysweep_api::{Decide, Decision, KeyRow, KeysDocument, ListKeys, Refusal, RequestRef};
use keysweep_core::ids::{AccessKeyId, AccountId};
use keysweep_core::ticket::Planned;

use super::args::{ApprovalsCommand, Format, Global, ReasonArgs, RequestsArgs};
use super::console::Console;
use super::error::CliError;
use super::keys::print_rows;
use super::operator::{act, look};
use super::{Exit, view};

/// `approvals ...`
pub(super) async fn approvals(
    global: &Global,
    command: ApprovalsCommand,
    console: &Console,
) -> Result<Exit, CliError> {
    match command {
        ApprovalsCommand::List { account, format } => list(global, &account, format.format, console).await,
        ApprovalsCommand::Approve(args) => {
            decide(global, args, |action, request| Decision::Approve { action, request }, console).await
        }
        ApprovalsCommand::Deny(args) => {
            decide(global, args, |action, request| Decision::Deny { action, request }, console).await
        }
    }
}

async fn list(
    global: &Global,
    accounts: &[AccountId],
    format: Format,
    console: &Console,
) -> Result<Exit, CliError> {
    let mut document = look(global, ListKeys {}, console).await?;
    select(&mut document, accounts);
    let none = "no request for approval is pending";
    print_rows(&document, view::approvals_table, none, format, console)
}

/// Keeps the keys of these accounts that wait for approval, what was asked first before the rest.
fn select(document: &mut KeysDocument, accounts: &[AccountId]) {
    let accounts: Vec<String> = accounts.iter().map(ToString::to_string).collect();
    document.keys.retain(|row| {
        row.approval_pending.is_some() && (accounts.is_empty() || accounts.contains(&row.account_id))
    });
    document.keys.sort_by_key(|row| row.approval.as_ref().map(|approval| approval.asked_at));
}

/// Decides about one request after the other. One that cannot be decided keeps none of the others from it.
async fn decide(
    global: &Global,
    args: RequestsArgs,
    decision: fn(Planned, RequestRef) -> Decision,
    console: &Console,
) -> Result<Exit, CliError> {
    let RequestsArgs { requests, reason: ReasonArgs { reason } } = args;
    let document = look(global, ListKeys {}, console).await?;
    let mut failed = None;
    for request in requests {
        let decided = match asked(&document.keys, &request) {
            Ok((key, action)) => {
                let decision = decision(action, request);
                act(global, Decide { key, decision, reason: reason.clone() }, console).await
            }
            Err(refusal) => Err(refusal.into()),
        };
        // The caller prints the last error.
        if let Err(error) = decided
            && let Some(before) = failed.replace(error)
        {
            console.error(&before);
        }
    }
    failed.map_or(Ok(Exit::Done), Err)
}

/// The key and the change that a request asks about. Whether it is still what was shown is decided with it.
fn asked(rows: &[KeyRow], request: &RequestRef) -> Result<(AccessKeyId, Planned), Refusal> {
    let is_meant = |row: &&KeyRow| {
        let shown = row.approval.as_ref().and_then(|approval| approval.request.parse::<RequestRef>().ok());
        shown.is_some_and(|shown| shown.number == request.number)
    };
    let found = rows
        .iter()
        .find(is_meant)
        .and_then(|row| Some((row.access_key_id.parse().ok()?, row.approval.as_ref()?.action)));
    found.ok_or_else(|| {
        Refusal::NotFound(format!("no request {request} is pending: `keysweep approvals list` shows what is"))
    })
}
