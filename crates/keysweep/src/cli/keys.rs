//! `keys`: show records, and decide.

use keysweep_api::{Decide, Decision, KeysDocument, ListKeys, Refusal, RequestRef, ShowKey};
use keysweep_core::ids::{AccessKeyId, AccountId};
use keysweep_core::ticket::Planned;

use super::args::{DecisionArgs, Format, Global, KeysCommand, RequestArgs, StateName, UndoArgs};
use super::console::{Console, Screen};
use super::error::CliError;
use super::export;
use super::operator::{act, look, skew_in_words, told_of_gaps, undo};
use super::{Exit, view};

/// `keys ...`
pub(super) async fn keys(global: &Global, command: KeysCommand, console: &Console) -> Result<Exit, CliError> {
    let (DecisionArgs { key, reason }, decision) = match command {
        KeysCommand::List { state, account, format } => {
            return list(global, &state, &account, format.format, console).await;
        }
        KeysCommand::Show { key, format } => return show(global, &key, format.format, console).await,
        KeysCommand::Approve { decision, request } => {
            let (action, request) = shown(global, &decision.key, request, console).await?;
            (decision, Decision::Approve { action, request })
        }
        KeysCommand::Deny { decision, request } => {
            let (action, request) = shown(global, &decision.key, request, console).await?;
            (decision, Decision::Deny { action, request })
        }
        KeysCommand::Hold { decision, length } => {
            (decision, Decision::Hold { length: length.map(crate::config::period::Period::get) })
        }
        KeysCommand::Release { decision, hold } => (decision, Decision::Release { hold }),
        KeysCommand::ClearReactivations(args) => (args, Decision::ClearReactivations {}),
        KeysCommand::Reactivate(UndoArgs { key, reason }) => {
            (DecisionArgs { key, reason }, Decision::Reactivate {})
        }
        KeysCommand::Deactivate(args) => (args, Decision::Deactivate {}),
        KeysCommand::Delete { decision, confirm } => {
            confirmed(&decision.key, confirm.as_deref())?;
            let confirm = decision.key.clone();
            (decision, Decision::Delete { confirm })
        }
        KeysCommand::Forget(args) => (args, Decision::Forget {}),
    };
    let decide = Decide { key: key.clone(), decision, reason };
    if !decide.is_undo() {
        return act(global, decide, console).await;
    }
    let undone = undo(global, decide, console).await;
    if undone.as_ref().is_err_and(|error| !names_the_way_out(error)) {
        // Nobody looked into the record, which names the user.
        console.say(&format!(
            "to set the key Active without keysweep, run this with credentials of its account: {}",
            undo_without_record(&key)
        ));
    }
    undone
}

/// What a decision is about. Whoever names no request gets to see what is asked now, and decides about exactly that:
/// if it is another by the time of the decision, the decision is refused.
async fn shown(
    global: &Global,
    key: &AccessKeyId,
    args: RequestArgs,
    console: &Console,
) -> Result<(Planned, RequestRef), CliError> {
    let action = args.action.map(Planned::from);
    if let (Some(action), Some(request)) = (action, &args.request) {
        return Ok((action, request.clone()));
    }
    if action.is_none() && args.request.is_none() && !console.is_read() {
        return Err(CliError::Usage(format!(
            "specify the change: add --action deactivate or --action delete, or --request NUMBER as `keysweep keys \
             show {key}` shows it"
        )));
    }
    let document = look(global, ShowKey { key: key.clone() }, console).await?;
    let Some(approval) = document.record.as_ref().and_then(|row| row.approval.as_ref()) else {
        return Err(Refusal::Conflict(format!("no approval is pending for {key}")).into());
    };
    console.say(&view::approval_text(&document, approval));
    let request = match args.request {
        Some(request) => request,
        None => approval.request.parse().map_err(|why| CliError::Refused(Refusal::Internal(why)))?,
    };
    Ok((action.unwrap_or(approval.action), request))
}

/// Whether what refused an undo has looked into the record, and says what to do instead.
fn names_the_way_out(error: &CliError) -> bool {
    let CliError::Refused(refusal) = error else { return false };
    match refusal {
        Refusal::Conflict(_) | Refusal::Aws(_) | Refusal::Unavailable(_) => true,
        Refusal::NotFound(_)
        | Refusal::Malformed(_)
        | Refusal::Unauthenticated(_)
        | Refusal::Forbidden(_)
        | Refusal::NotAllowed(_)
        | Refusal::TooLarge(_)
        | Refusal::TooMany(_)
        | Refusal::Internal(_) => false,
    }
}

/// AWS knows whose key it is.
fn undo_without_record(key: &AccessKeyId) -> String {
    format!(
        "aws iam update-access-key --status Active --access-key-id {key} --user-name \"$(aws iam \
         get-access-key-last-used --access-key-id {key} --query UserName --output text)\""
    )
}

/// A deletion is final: the key is typed twice.
fn confirmed(key: &AccessKeyId, confirm: Option<&str>) -> Result<(), CliError> {
    let problem = match confirm {
        Some(confirm) if confirm == key.as_str() => return Ok(()),
        Some(confirm) => format!("--confirm names {confirm} and not {key}"),
        None => "a deletion cannot be undone".into(),
    };
    Err(CliError::Usage(format!("{problem}: to delete this key, add --confirm {key}")))
}

async fn list(
    global: &Global,
    states: &[StateName],
    accounts: &[AccountId],
    format: Format,
    console: &Console,
) -> Result<Exit, CliError> {
    let mut document = look(global, ListKeys {}, console).await?;
    select(&mut document, states, accounts);
    print_rows(&document, view::keys_table, "no records", format, console)
}

/// Prints rows of records; `none` is said of an empty table.
pub(super) fn print_rows(
    document: &KeysDocument,
    table: fn(&KeysDocument, Screen) -> String,
    none: &str,
    format: Format,
    console: &Console,
) -> Result<Exit, CliError> {
    console.print_until_closed(|out| match format {
        Format::Table => {
            let text = table(document, console.screen);
            write!(out, "{text}").map_err(|source| CliError::Output { source })
        }
        Format::Json => export::json(out, document),
        Format::Jsonl => export::json_lines(out, &document.keys),
        Format::Csv => export::csv(out, &export::RECORD, &document.keys),
    })?;
    if format == Format::Table && document.keys.is_empty() {
        console.say(none);
    }
    Ok(told_of_gaps(skew_in_words(document.clock_skew_seconds).into_iter().collect(), console))
}

/// Keeps the rows of these states and accounts; an empty list means all.
fn select(document: &mut KeysDocument, states: &[StateName], accounts: &[AccountId]) {
    let states: Vec<&str> = states.iter().map(Into::into).collect();
    let accounts: Vec<String> = accounts.iter().map(ToString::to_string).collect();
    document.keys.retain(|row| {
        (states.is_empty() || states.contains(&row.state.as_str()))
            && (accounts.is_empty() || accounts.contains(&row.account_id))
    });
}

async fn show(
    global: &Global,
    key: &AccessKeyId,
    format: Format,
    console: &Console,
) -> Result<Exit, CliError> {
    let document = look(global, ShowKey { key: key.clone() }, console).await?;
    console.print_until_closed(|out| match format {
        Format::Table => {
            let text = view::key_text(&document, console.screen);
            write!(out, "{text}").map_err(|source| CliError::Output { source })
        }
        Format::Json => export::json(out, &document),
        Format::Jsonl => export::json_lines(out, [&document]),
        // A key is a tree; its record is the row that a table of keys would show.
        Format::Csv => export::csv(out, &export::RECORD, document.record.as_ref()),
    })?;
    Ok(told_of_gaps(skew_in_words(document.clock_skew_seconds).into_iter().collect(), console))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deletion_wants_the_key_typed_twice_and_says_how() {
        let key: AccessKeyId = "AKIAIOSFODNN7EXAMPLE".parse().unwrap();
        assert!(confirmed(&key, Some("AKIAIOSFODNN7EXAMPLE")).is_ok());
        for wrong in [None, Some("AKIAI44QH8DHBEXAMPLE"), Some("")] {
            let error = confirmed(&key, wrong).unwrap_err();
            assert_eq!(error.exit(), Exit::Usage);
            assert!(error.to_string().ends_with("add --confirm AKIAIOSFODNN7EXAMPLE"), "{error}");
        }
    }
}
