//! Decisions by forms of the page: the same operations as in the API.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::Response;
use keysweep_api::{
    Decide, DecideApprovals, DecidedApprovals, Decision, Done, EndExemption, GrantExemption, KeyFilter,
    Pause, Refusal, RequestRef, ResetBreaker, Resume, RetryNotice, RevokeSessions, UnparkAccount, Which,
    reason,
};
use keysweep_core::ids::AccessKeyId;
use keysweep_core::ticket::Planned;

use super::form::{Fields, Form, see_other};
use crate::access::Said;
use crate::operator::{Act, act};
use crate::serve::app::App;

const DAY: Duration = Duration::from_secs(86_400);

pub(in crate::serve) async fn decide(
    State(app): State<Arc<App>>,
    Path(key): Path<String>,
    form: Form,
) -> Response {
    let asked = decision(&key, &form.fields);
    run(app, form, asked, |done: Done| said(true, &done.message)).await
}

pub(in crate::serve) async fn decide_many(State(app): State<Arc<App>>, form: Form) -> Response {
    let asked = many(&form.fields);
    run(app, form, asked, outcome).await
}

pub(in crate::serve) async fn grant_exemption(
    State(app): State<Arc<App>>,
    Path(key): Path<String>,
    form: Form,
) -> Response {
    let asked = exemption(&key, &form.fields);
    run(app, form, asked, |done: Done| said(true, &done.message)).await
}

pub(in crate::serve) async fn end_exemption(
    State(app): State<Arc<App>>,
    Path(number): Path<u64>,
    form: Form,
) -> Response {
    let asked = why(&form.fields).map(|reason| EndExemption { number, reason });
    run(app, form, asked, |done: Done| said(true, &done.message)).await
}

pub(in crate::serve) async fn pause(State(app): State<Arc<App>>, form: Form) -> Response {
    let asked = why(&form.fields).map(|reason| Pause { reason });
    run(app, form, asked, |done: Done| said(true, &done.message)).await
}

pub(in crate::serve) async fn resume(State(app): State<Arc<App>>, form: Form) -> Response {
    let asked = why(&form.fields)
        .and_then(|reason| Ok(Resume { which: Which::Number(number(&form.fields, "pause")?), reason }));
    run(app, form, asked, |done: Done| said(true, &done.message)).await
}

pub(in crate::serve) async fn reset_breaker(State(app): State<Arc<App>>, form: Form) -> Response {
    let confirm = form.fields.get("confirm").trim().to_owned();
    let asked = why(&form.fields).map(|reason| ResetBreaker { reason, confirm });
    run(app, form, asked, |done: Done| said(true, &done.message)).await
}

pub(in crate::serve) async fn unpark(
    State(app): State<Arc<App>>,
    Path(account): Path<String>,
    form: Form,
) -> Response {
    let account = account.parse().map_err(|_| Refusal::Malformed("unknown account".to_owned()));
    let asked = account.and_then(|account| Ok(UnparkAccount { account, reason: why(&form.fields)? }));
    run(app, form, asked, |done: Done| said(true, &done.message)).await
}

pub(in crate::serve) async fn retry_notice(
    State(app): State<Arc<App>>,
    Path(message): Path<u64>,
    form: Form,
) -> Response {
    let asked = why(&form.fields).map(|reason| RetryNotice { message, reason });
    run(app, form, asked, |done: Done| said(true, &done.message)).await
}

pub(in crate::serve) async fn revoke_session(State(app): State<Arc<App>>, form: Form) -> Response {
    let asked = why(&form.fields).and_then(|reason| {
        // Without a number: all of them.
        let chosen = form.fields.filled("number").map(|_| number(&form.fields, "number")).transpose()?;
        Ok(RevokeSessions { number: chosen, reason })
    });
    run(app, form, asked, |done: Done| said(true, &done.message)).await
}

/// Carries out what a form asks for, and leads back to its page, which says what came of it.
async fn run<O: Act>(
    app: Arc<App>,
    form: Form,
    asked: Result<O, Refusal>,
    words: impl FnOnce(O::Reply) -> Said,
) -> Response {
    let Form { caller, live, fields } = form;
    let done = match asked {
        Ok(operation) => {
            let engine = Arc::clone(app.engine());
            let acting = async move { act(&engine, &caller, operation).await };
            app.decide(acting).await.unwrap_or_else(|| {
                Err(Refusal::Internal("reload the page to see whether this was done".to_owned()))
            })
        }
        Err(refusal) => Err(refusal),
    };
    let outcome = match done {
        Ok(reply) => words(reply),
        Err(refusal) => said(false, &refusal.to_string()),
    };
    app.engine().sessions().say(&live, outcome);
    see_other(&fields.next())
}

fn said(good: bool, message: &str) -> Said {
    let mut chars = message.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    Said { good, text: format!("{first}{}", chars.as_str()) }
}

fn outcome(done: DecidedApprovals) -> Said {
    let DecidedApprovals { decided, refused } = done;
    let mut text = match decided {
        1 => "Decided on 1 request.".to_owned(),
        n => format!("Decided on {n} requests."),
    };
    for refusal in &refused {
        text += &format!("\n{}: {}", refusal.access_key_id, refusal.reason);
    }
    Said { good: refused.is_empty(), text }
}

fn why(fields: &Fields) -> Result<String, Refusal> {
    reason(fields.get("reason")).map_err(|expected| Refusal::Malformed(format!("enter a reason: {expected}")))
}

fn number(fields: &Fields, name: &str) -> Result<u64, Refusal> {
    fields.get(name).trim().parse().map_err(|_| Refusal::Malformed(format!("`{name}` is not a number")))
}

fn key_id(key: &str) -> Result<AccessKeyId, Refusal> {
    key.parse().map_err(|_| Refusal::NotFound("this is not the ID of a key".to_owned()))
}

fn exemption(key: &str, fields: &Fields) -> Result<GrantExemption, Refusal> {
    let whole_user = match fields.get("scope") {
        "key" => false,
        "user" => true,
        _ => return Err(Refusal::Malformed("`scope` must be key or user".to_owned())),
    };
    let until = fields.get("until").parse().map_err(Refusal::Malformed)?;
    Ok(GrantExemption { key: key_id(key)?, whole_user, until, reason: why(fields)? })
}

fn decision(key: &str, fields: &Fields) -> Result<Decide, Refusal> {
    let key = key_id(key)?;
    let request = || -> Result<(Planned, RequestRef), Refusal> {
        let action = match fields.get("action") {
            "deactivate" => Planned::Deactivate,
            "delete" => Planned::Delete,
            _ => return Err(Refusal::Malformed("`action` must be deactivate or delete".to_owned())),
        };
        let request = fields.get("request").parse();
        Ok((action, request.map_err(|_| Refusal::Malformed("`request` is not a request".to_owned()))?))
    };
    let decision = match fields.get("decision") {
        "approve" => request().map(|(action, request)| Decision::Approve { action, request }),
        "deny" => request().map(|(action, request)| Decision::Deny { action, request }),
        "claim" => request().map(|(action, request)| Decision::Claim { action, request, minutes: 60 }),
        "hold" => Ok(Decision::Hold { length: days(fields)? }),
        "release" => Ok(Decision::Release { hold: Some(number(fields, "hold")?) }),
        "clear_reactivations" => Ok(Decision::ClearReactivations {}),
        "reactivate" => Ok(Decision::Reactivate {}),
        "deactivate" => Ok(Decision::Deactivate {}),
        "delete" => {
            let typed = fields.get("confirm").trim().parse();
            let confirm =
                typed.map_err(|_| Refusal::Malformed("enter the key ID to delete the key".to_owned()))?;
            Ok(Decision::Delete { confirm })
        }
        "forget" => Ok(Decision::Forget {}),
        _ => Err(Refusal::Malformed("unknown decision".to_owned())),
    };
    // Nobody has to write down why they look at something.
    let reason = match fields.get("decision") {
        "claim" => "claimed".to_owned(),
        _ => why(fields)?,
    };
    Ok(Decide { key, decision: decision?, reason })
}

fn days(fields: &Fields) -> Result<Option<Duration>, Refusal> {
    let Some(text) = fields.filled("days") else { return Ok(None) };
    let days: u32 = text.parse().ok().filter(|days| (1..=3_650).contains(days)).ok_or_else(|| {
        Refusal::Malformed(
            "enter a number of days from 1 to 3650, or nothing for a hold without end".to_owned(),
        )
    })?;
    Ok(Some(DAY.saturating_mul(days)))
}

fn many(fields: &Fields) -> Result<DecideApprovals, Refusal> {
    let approve = match fields.get("approve") {
        "true" => true,
        "false" => false,
        _ => return Err(Refusal::Malformed("`approve` must be true or false".to_owned())),
    };
    let count = fields.get("count").trim().parse();
    Ok(DecideApprovals {
        filter: filter(fields),
        approve,
        count: count
            .map_err(|_| Refusal::Malformed("enter the number of requests that are listed".to_owned()))?,
        requests: fields.all("request").map(str::to_owned).collect(),
        reason: why(fields)?,
    })
}

/// The filter of a list, by the names of its form.
pub(super) fn filter(fields: &Fields) -> KeyFilter {
    KeyFilter {
        q: fields.filled("q"),
        account: fields.filled("account"),
        ou: fields.filled("ou"),
        owner: fields.filled("owner"),
        finding: fields.filled("finding"),
        state: fields.filled("state"),
        overlay: fields.filled("overlay"),
        next: None,
    }
}
