//! `approvals`: what waits for a decision, and decisions by request.

use keysweep_api::{
    ApprovalsDocument, Decide, DecideApprovals, Decision, KeyFilter, ListApprovals, PendingApproval, Refusal,
    RequestRef,
};
use keysweep_core::ids::AccessKeyId;
use keysweep_core::ticket::Planned;

use super::args::{ApprovalsCommand, Format, Global, ReasonArgs, RequestsArgs};
use super::console::Console;
use super::error::CliError;
use super::export;
use super::operator::{act, look, order};
use super::text::count;
use super::{Exit, view};

/// Recorded for a claim, which needs no reason.
const CLAIMED: &str = "claimed";

/// `approvals list` as CSV.
const REQUEST: [export::Column<PendingApproval>; 13] = [
    ("request", |row| row.approval.request.clone()),
    ("action", |row| row.approval.action.as_str().into()),
    ("account_id", |row| row.account_id.clone()),
    ("account_name", |row| row.account_name.clone().unwrap_or_default()),
    ("user_name", |row| row.user_name.clone()),
    ("access_key_id", |row| row.access_key_id.clone()),
    ("owner", |row| row.owner.clone().unwrap_or_default()),
    ("finding", |row| row.finding.clone()),
    ("approved_by", |row| row.approval.approved_by.join("; ")),
    ("approvals_needed", |row| row.approval.approvals_needed.to_string()),
    ("claimed_by", |row| row.approval.claimed_by.clone().unwrap_or_default()),
    ("expires_at", |row| row.approval.expires_at.to_string()),
    ("reason", |row| row.approval.reason.clone()),
];

/// `approvals ...`
pub(super) async fn approvals(
    global: &Global,
    command: ApprovalsCommand,
    console: &Console,
) -> Result<Exit, CliError> {
    let approve = |action, request| Decision::Approve { action, request };
    let deny = |action, request| Decision::Deny { action, request };
    match command {
        ApprovalsCommand::List { filter, format } => {
            list(global, filter.into(), format.format, console).await
        }
        ApprovalsCommand::Approve(args) if args.all.is_some() => {
            decide_all(global, args, true, console).await
        }
        ApprovalsCommand::Deny(args) if args.all.is_some() => decide_all(global, args, false, console).await,
        ApprovalsCommand::Approve(args) => {
            decide(global, args.requests, &args.reason, approve, console).await
        }
        ApprovalsCommand::Deny(args) => decide(global, args.requests, &args.reason, deny, console).await,
        ApprovalsCommand::Claim { requests, minutes } => {
            let reason = ReasonArgs { reason: CLAIMED.to_owned() };
            let claim = |action, request| Decision::Claim { action, request, minutes };
            decide(global, requests, &reason, claim, console).await
        }
    }
}

async fn list(
    global: &Global,
    filter: KeyFilter,
    format: Format,
    console: &Console,
) -> Result<Exit, CliError> {
    let document = look(global, ListApprovals { filter }, console).await?;
    console.print_until_closed(|out| match format {
        Format::Table => {
            let text = view::approvals_table(&document, console.screen);
            write!(out, "{text}").map_err(|source| CliError::Output { source })
        }
        Format::Json => export::json(out, &document),
        Format::Jsonl => export::json_lines(out, &document.approvals),
        Format::Csv => export::csv(out, &REQUEST, &document.approvals),
    })?;
    if format == Format::Table && document.approvals.is_empty() {
        console.say("no request for approval is pending");
    }
    Ok(Exit::Done)
}

/// Decides about one request after the other. One that cannot be decided keeps none of the others from it.
async fn decide(
    global: &Global,
    requests: Vec<RequestRef>,
    reason: &ReasonArgs,
    decision: impl Fn(Planned, RequestRef) -> Decision,
    console: &Console,
) -> Result<Exit, CliError> {
    let document = look(global, ListApprovals::default(), console).await?;
    let mut failed = None;
    for request in requests {
        let decided = match asked(&document, &request) {
            Ok((key, action)) => {
                let decision = decision(action, request);
                act(global, Decide { key, decision, reason: reason.reason.clone() }, console).await
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

/// Decides about all requests that match, if there are as many as were typed.
async fn decide_all(
    global: &Global,
    args: RequestsArgs,
    approve: bool,
    console: &Console,
) -> Result<Exit, CliError> {
    let RequestsArgs { requests: _, all, filter, reason } = args;
    let filter = KeyFilter::from(filter);
    let shown = look(global, ListApprovals { filter: filter.clone() }, console).await?;
    let requests = shown.approvals.into_iter().map(|row| row.approval.request).collect();
    let asked = DecideApprovals { filter, approve, count: all.unwrap_or(0), requests, reason: reason.reason };
    let outcome = order(global, asked, console).await?;
    let verb = if approve { "approved" } else { "denied" };
    console.say(&format!("{verb} {}", count(u64::from(outcome.decided), "request", "requests")));
    for refused in &outcome.refused {
        console.warn(&format!("{}: {}", refused.access_key_id, refused.reason));
    }
    Ok(if outcome.refused.is_empty() { Exit::Done } else { Exit::Incomplete })
}

/// The key and the change that a request asks about. Whether it is still what was shown is decided with it.
fn asked(document: &ApprovalsDocument, request: &RequestRef) -> Result<(AccessKeyId, Planned), Refusal> {
    let is_meant = |row: &&PendingApproval| {
        let shown = row.approval.request.parse::<RequestRef>().ok();
        shown.is_some_and(|shown| shown.number == request.number)
    };
    let found = document.approvals.iter().find(is_meant);
    let found = found.and_then(|row| Some((row.access_key_id.parse().ok()?, row.approval.action)));
    found.ok_or_else(|| {
        Refusal::NotFound(format!("no request {request} is pending: `keysweep approvals list` shows what is"))
    })
}
