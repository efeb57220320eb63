//! Who is calling, and may they?

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Incoming, Service};
use crate::policy::{Ask, AssumeKeys, Caller, Context, Decision, Policy};
use crate::world::{Principal, Refusal, World, account_of_arn};

/// Finds the caller by key id and token. The signature itself is not verified.
pub(crate) fn authenticate(world: &mut World, incoming: &Incoming) -> Result<Arc<Principal>, Refusal> {
    let json = incoming.service == Service::Organizations;
    let Some(key_id) = incoming.key_id.as_deref() else {
        let status = if json { 400 } else { 403 };
        return Err(Refusal::new(
            status,
            "MissingAuthenticationToken",
            "Request is missing Authentication Token",
        ));
    };
    let invalid = || match json {
        true => Refusal::new(
            400,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ),
        false => Refusal::new(
            403,
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
        ),
    };
    if let Some(session) = world.sessions.get(key_id) {
        if incoming.token.as_deref().unwrap_or_default() != session.token {
            return Err(invalid());
        }
        if session.expires.is_some_and(|expires| expires <= world.time_of_requests()) {
            let text = "The security token included in the request is expired";
            return Err(match json {
                true => Refusal::new(400, "ExpiredTokenException", text),
                false => Refusal::new(403, "ExpiredToken", text),
            });
        }
        let open = world.accounts.get(&session.principal.account).is_some_and(|account| account.is_open());
        return if open { Ok(session.principal.clone()) } else { Err(invalid()) };
    }
    let partition = &world.settings.partition;
    let Some((home, key)) = world.find_key(key_id) else { return Err(invalid()) };
    if !key.is_active() {
        return Err(invalid());
    }
    let user = world.find_user(&home.account, &home.user).map_err(|_| invalid())?;
    let principal = Principal {
        account: home.account.clone(),
        arn: user.arn(partition, &home.account),
        user_id: user.id.to_string(),
        role: None,
        powerless: true,
        policy: None,
    };
    let service = match incoming.service {
        Service::Iam => "iam",
        Service::Sts => "sts",
        Service::Organizations => "organizations",
    };
    let now = world.now();
    world.use_key(key_id, now, service, &incoming.region);
    Ok(Arc::new(principal))
}

/// Evaluates everything that limits the caller: denials from above, its own policy, the session's policy.
pub(crate) fn authorize(
    world: &World,
    principal: &Principal,
    action: &str,
    resource: &str,
    resource_tags: &BTreeMap<String, String>,
) -> Result<(), Refusal> {
    let context = context(world, principal, resource, resource_tags, AssumeKeys::default());
    authorize_in(world, principal, action, resource, &context)
}

/// The same where the request brings more along.
pub(crate) fn authorize_in(
    world: &World,
    principal: &Principal,
    action: &str,
    resource: &str,
    context: &Context<'_>,
) -> Result<(), Refusal> {
    if world.denied_from_above(&principal.account, action) {
        return Err(denied(principal, action, resource, "service control policy", false));
    }
    if principal.role.as_ref().is_some_and(|role| role.revoked) {
        return Err(denied(principal, action, resource, "identity-based policy", false));
    }
    let ask = Ask { action, resource, context };
    let role_arn = principal.role.as_ref().map(|role| role.role_arn.as_str());
    if let Some(own) = &principal.policy {
        match judge(world, &own.policy, &ask, || own.name.to_string()) {
            Decision::Allow => {}
            Decision::ImplicitDeny => {
                return Err(denied(principal, action, resource, "no identity-based policy allows", true));
            }
            Decision::ExplicitDeny => {
                return Err(denied(principal, action, resource, "identity-based policy", false));
            }
        }
    }
    if let Some(policy) = principal.role.as_ref().and_then(|role| role.session_policy.as_ref()) {
        let name = || format!("session of {}", role_arn.unwrap_or_default());
        let told = match &principal.policy {
            // Sessions are only told of where roles have policies: nobody asks otherwise, and it costs.
            Some(_) => judge(world, policy, &ask, name),
            None => policy.decide(&ask),
        };
        match told {
            Decision::Allow => {}
            Decision::ImplicitDeny => {
                return Err(denied(principal, action, resource, "no session policy allows", true));
            }
            Decision::ExplicitDeny => {
                return Err(denied(principal, action, resource, "session policy", false));
            }
        }
    }
    Ok(())
}

/// Asks a policy, and writes down what it said.
pub(crate) fn judge(
    world: &World,
    policy: &Policy,
    ask: &Ask<'_>,
    name: impl FnOnce() -> String,
) -> Decision {
    let decision = policy.decide(ask);
    let mut judged = world.judged.borrow_mut();
    let answers = judged.entry((name(), ask.action.to_owned())).or_default();
    match decision {
        Decision::Allow => answers.allowed += 1,
        Decision::ImplicitDeny | Decision::ExplicitDeny => answers.denied += 1,
    }
    decision
}

/// What conditions may look at.
pub(crate) fn context<'a>(
    world: &World,
    principal: &'a Principal,
    resource: &'a str,
    resource_tags: &'a BTreeMap<String, String>,
    assume: AssumeKeys<'a>,
) -> Context<'a> {
    let resource_account = account_of_arn(resource);
    Context {
        now: world.time_of_requests(),
        caller: Caller {
            arn: &principal.arn,
            role_arn: principal.role.as_ref().map(|role| role.role_arn.as_str()),
            account: &principal.account,
            organization: world.organization_of(&principal.account),
        },
        resource_account,
        resource_organization: resource_account.and_then(|account| world.organization_of(account)),
        resource_tags,
        assume,
    }
}

/// AccessDenied in the words of AWS (IAM user guide, access denied error messages).
pub(crate) fn denied(
    principal: &Principal,
    action: &str,
    resource: &str,
    because: &str,
    implicit: bool,
) -> Refusal {
    let arn = &principal.arn;
    let reason = match implicit {
        true => format!("because {because} the {action} action"),
        false => format!("with an explicit deny in a {because}"),
    };
    let text = format!("User: {arn} is not authorized to perform: {action} on resource: {resource} {reason}");
    Refusal::new(403, "AccessDenied", text)
}
