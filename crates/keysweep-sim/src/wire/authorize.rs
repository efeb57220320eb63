//! Who is calling, and may they?

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Incoming;
use crate::key_use::KeyUse;
use crate::policy::{Ask, Caller, Context, Decision, Policy, RequestKeys};
use crate::world::{Principal, Refusal, World, account_of_arn};

/// Finds the caller by key id and token. The signature itself is not verified.
pub(crate) fn authenticate(world: &mut World, incoming: &Incoming) -> Result<Arc<Principal>, Refusal> {
    let service = incoming.service;
    let Some(key_id) = incoming.key_id.as_deref() else { return Err(service.missing_token()) };
    let invalid = || service.invalid_token();
    if let Some(session) = world.sessions.get(key_id) {
        if incoming.token.as_deref().unwrap_or_default() != session.token {
            return Err(invalid());
        }
        if session.expires.is_some_and(|expires| expires <= world.time_of_requests()) {
            return Err(service.expired_token());
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
    let used = use_by_call(world, incoming, key_id);
    let now = world.now();
    world.use_key(&used, now);
    Ok(Arc::new(principal))
}

/// A call as a use of the key that signed it. The one call that nobody can be denied is the only one that AWS allows.
fn use_by_call(world: &World, incoming: &Incoming, key_id: &str) -> KeyUse {
    let used = KeyUse::new(key_id, incoming.service.name(), incoming.region.as_str())
        .event(incoming.operation.as_str())
        .origin(world.caller_origin(incoming.user_agent.as_deref()));
    if incoming.action == "sts:GetCallerIdentity" { used } else { used.error("AccessDenied") }
}

/// Evaluates everything that limits the caller: denials from above, its own policy, the session's policy.
pub(crate) fn authorize(
    world: &World,
    principal: &Principal,
    action: &str,
    resource: &str,
    resource_tags: &BTreeMap<String, String>,
) -> Result<(), Refusal> {
    let context = context(world, principal, resource, resource_tags, RequestKeys::default());
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
    request: RequestKeys<'a>,
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
        request,
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
