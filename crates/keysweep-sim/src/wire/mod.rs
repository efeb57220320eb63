//! The protocols: requests in, answers out. Query and XML for IAM and STS, JSON 1.1 for Organizations and CloudTrail,
//! REST and JSON for Account Management and IAM Access Analyzer.

mod access_analyzer;
mod account;
mod authorize;
mod cloudtrail;
mod iam;
mod iam_changes;
mod iam_simulate;
mod organizations;
mod params;
mod refusal;
mod request;
mod sts;
mod xml;

use std::sync::Arc;

use bytes::Bytes;
use jiff::SignedDuration;

pub(crate) use authorize::authenticate;
pub(crate) use request::{Head, Incoming, Service};

use crate::faults::{Fault, Verdict};
use crate::world::{Actor, Principal, Refusal, Signed, World};
use params::Params;

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) request_id: String,
    pub(crate) date: String,
    /// The error code where it is in a header: `x-amzn-errortype`.
    pub(crate) error_type: Option<String>,
    pub(crate) body: Bytes,
}

/// One authenticated call on its way through a service.
pub(crate) struct Call<'a> {
    pub(crate) principal: &'a Arc<Principal>,
    /// `iam:GetUser`.
    pub(crate) action: &'static str,
    /// That of the credential scope.
    pub(crate) region: &'a str,
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
            // Of the faults, these are the words of IAM itself about a call that it has judged.
            let judged = matches!(verdict.fault, Some(Fault::AccessDenied | Fault::Refuse { .. }));
            record_refused(world, incoming, caller, request_id, (&refusal, judged));
            Err(refusal)
        }
        None => match caller {
            Err(refusal) => Err(refusal.clone()),
            Ok(principal) => {
                let call = Call {
                    principal,
                    action: incoming.action,
                    region: &incoming.region,
                    params: &incoming.params,
                    actor: actor(incoming, principal, request_id),
                    stale: verdict.stale,
                    empty_page: matches!(verdict.fault, Some(Fault::EmptyPage)),
                };
                dispatch(world, incoming, &call)
            }
        },
    };
    let (status, error_type, mut body) = match outcome {
        Ok(result) => (200, None, service.wrap(incoming.action, &result, request_id)),
        Err(refusal) => {
            let body = service.error(&refusal, request_id);
            (refusal.status, service.is_rest().then_some(refusal.code), body)
        }
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
        error_type,
        body: body.into(),
    }
}

fn dispatch(world: &mut World, incoming: &Incoming, call: &Call<'_>) -> Result<String, Refusal> {
    if !incoming.known {
        return Err(incoming.service.unknown_action(&incoming.operation));
    }
    if call.principal.powerless && call.action != "sts:GetCallerIdentity" {
        let because = "no identity-based policy allows";
        let refusal = authorize::denied(call.principal, call.action, "*", because, true);
        return Err(incoming.service.denied(refusal.message));
    }
    match incoming.service {
        Service::Iam => iam::answer(world, call),
        Service::Sts => sts::answer(world, call),
        Service::Organizations => organizations::answer(world, call),
        Service::CloudTrail => cloudtrail::answer(world, call),
        Service::Account => account::answer(world, call),
        Service::AccessAnalyzer => access_analyzer::answer(world, call),
    }
}

/// The refusal that a fault stands for, in the words of the service.
fn struck(
    fault: Option<&Fault>,
    incoming: &Incoming,
    caller: Result<&Arc<Principal>, &Refusal>,
) -> Option<Refusal> {
    let service = incoming.service;
    Some(match fault? {
        Fault::Throttle => service.throttled(),
        Fault::AccessDenied if service == Service::Organizations => organizations::no_permission(),
        Fault::AccessDenied => {
            let arn = caller.map_or("anonymous", |principal| principal.arn.as_str());
            let text = format!("User: {arn} is not authorized to perform: {}", incoming.action);
            service.denied(text)
        }
        Fault::ServiceFailure => service.failed(),
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

fn actor(incoming: &Incoming, principal: &Arc<Principal>, request_id: &str) -> Actor {
    let signed = incoming.key_id.clone().map(|key_id| Signed {
        principal: principal.clone(),
        key_id,
        user_agent: incoming.user_agent.clone(),
    });
    Actor { who: principal.who(), request_id: Some(request_id.to_owned()), signed }
}

/// A change that a fault kept from the world is still an attempt, and the ledger has all attempts. CloudTrail has those
/// that IAM `judged`.
pub(crate) fn record_refused(
    world: &mut World,
    incoming: &Incoming,
    caller: Result<&Arc<Principal>, &Refusal>,
    request_id: &str,
    (refusal, judged): (&Refusal, bool),
) {
    let Ok(principal) = caller else { return };
    if !iam_changes::CHANGES.contains(&incoming.action) {
        return;
    }
    let actor = actor(incoming, principal, request_id);
    let attempt = iam_changes::attempt(world, &principal.account, incoming.action, &incoming.params, &actor);
    let attempt = if judged { attempt } else { attempt.lost() };
    // The outcome is the refusal that the caller already holds.
    let _refused: Result<(), Refusal> = world.finish(attempt, Err(refusal.clone()));
}
