//! The protocols: requests in, answers out. Query and XML for IAM and STS, JSON 1.1 for Organizations.

mod authorize;
mod iam;
mod iam_changes;
mod iam_simulate;
mod organizations;
mod params;
mod request;
mod sts;
mod xml;

use std::sync::Arc;

use bytes::Bytes;
use jiff::SignedDuration;

pub(crate) use authorize::authenticate;
pub(crate) use request::{Head, Incoming, Service};

use crate::faults::{Fault, Verdict};
use crate::world::{Actor, Principal, Refusal, World};
use params::Params;

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) request_id: String,
    pub(crate) date: String,
    pub(crate) body: Bytes,
}

/// One authenticated call on its way through a service.
pub(crate) struct Call<'a> {
    pub(crate) principal: &'a Arc<Principal>,
    /// `iam:GetUser`.
    pub(crate) action: &'static str,
    pub(crate) params: &'a Params,
    pub(crate) actor: Actor,
    pub(crate) stale: Option<SignedDuration>,
    pub(crate) empty_page: bool,
}

/// Carries out a call that got through, and words the answer.
pub(crate) fn carry_out(
    world: &mut World,
    incoming: &Incoming,
    caller: Result<&Arc<Principal>, &Refusal>,
    request_id: &str,
    verdict: &Verdict,
) -> Answer {
    let service = incoming.service;
    let outcome = match struck(verdict.fault.as_ref(), incoming, caller) {
        Some(refusal) => {
            record_refused(world, incoming, caller, request_id, &refusal);
            Err(refusal)
        }
        None => match caller {
            Err(refusal) => Err(refusal.clone()),
            Ok(principal) => {
                let call = Call {
                    principal,
                    action: incoming.action,
                    params: &incoming.params,
                    actor: Actor { who: principal.who(), request_id: Some(request_id.to_owned()) },
                    stale: verdict.stale,
                    empty_page: matches!(verdict.fault, Some(Fault::EmptyPage)),
                };
                dispatch(world, incoming, &call)
            }
        },
    };
    let (status, mut body) = match outcome {
        Ok(result) => (200, service.wrap(incoming.action, &result, request_id)),
        Err(refusal) => (refusal.status, service.error(&refusal, request_id)),
    };
    match verdict.fault {
        Some(Fault::MalformedBody) => body.truncate(body.floor_char_boundary(body.len() / 2)),
        Some(Fault::Page { body: ref page, .. }) => body.clone_from(page),
        Some(Fault::GarbageBody) => body = "<!doctype html><title>captive portal".to_owned(),
        _ => {}
    }
    Answer {
        status,
        content_type: service.content_type(),
        request_id: request_id.to_owned(),
        date: world.http_date(),
        body: body.into(),
    }
}

fn dispatch(world: &mut World, incoming: &Incoming, call: &Call<'_>) -> Result<String, Refusal> {
    if !incoming.known {
        return Err(incoming.service.unknown_action(&incoming.operation));
    }
    if call.principal.powerless && call.action != "sts:GetCallerIdentity" {
        return Err(authorize::denied(
            call.principal,
            call.action,
            "*",
            "no identity-based policy allows",
            true,
        ));
    }
    match incoming.service {
        Service::Iam => iam::answer(world, call),
        Service::Sts => sts::answer(world, call),
        Service::Organizations => organizations::answer(world, call),
    }
}

/// The refusal that a fault stands for, in the words of the service.
fn struck(
    fault: Option<&Fault>,
    incoming: &Incoming,
    caller: Result<&Arc<Principal>, &Refusal>,
) -> Option<Refusal> {
    let organizations = incoming.service == Service::Organizations;
    Some(match fault? {
        Fault::Throttle if organizations => Refusal::new(
            400,
            "TooManyRequestsException",
            "AWS Organizations can't complete your request because another request is already in progress. \
             Try again later.",
        ),
        Fault::Throttle => Refusal::new(400, "Throttling", "Rate exceeded"),
        Fault::AccessDenied if organizations => organizations::no_permission(),
        Fault::AccessDenied => {
            let arn = caller.map_or("anonymous", |principal| principal.arn.as_str());
            let text = format!("User: {arn} is not authorized to perform: {}", incoming.action);
            Refusal::new(403, "AccessDenied", text)
        }
        Fault::ServiceFailure if organizations => Refusal::new(500, "ServiceException", "Internal failure"),
        Fault::ServiceFailure => Refusal::new(500, "ServiceFailure", "Internal failure"),
        Fault::Unavailable => Refusal::new(503, "ServiceUnavailable", "Service is unable to handle request."),
        Fault::Refuse { status, code, message } => Refusal::new(*status, code, message.clone()),
        Fault::Page { status, .. } => Refusal::new(*status, "Page", ""),
        Fault::Echo { status, code } => Refusal::new(*status, code, incoming.repeated()),
        Fault::ResetBefore
        | Fault::AnswerLost
        | Fault::Delay(_)
        | Fault::LateAnswer(_)
        | Fault::LateArrival(_)
        | Fault::Hang
        | Fault::Stale(_)
        | Fault::MalformedBody
        | Fault::GarbageBody
        | Fault::EmptyPage => return None,
    })
}

/// A change that a fault kept from the world is still an attempt, and the ledger has all attempts.
pub(crate) fn record_refused(
    world: &mut World,
    incoming: &Incoming,
    caller: Result<&Arc<Principal>, &Refusal>,
    request_id: &str,
    refusal: &Refusal,
) {
    let Ok(principal) = caller else { return };
    if !iam_changes::CHANGES.contains(&incoming.action) {
        return;
    }
    let actor = Actor { who: principal.who(), request_id: Some(request_id.to_owned()) };
    let user = incoming.params.get("UserName").unwrap_or_default();
    let mut change = world.user_change(&principal.account, user, incoming.action, &actor);
    change.key_id = incoming.params.get("AccessKeyId").map(str::to_owned);
    change.new = incoming.params.get("Status").map(str::to_owned);
    // The outcome is the refusal that the caller already holds.
    let _refused: Result<(), Refusal> = world.finish(change, Err(refusal.clone()));
}
