//! Who is calling, and may they?

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Incoming, Service};
use crate::policy::{Ask, Decision};
use crate::world::{Principal, Refusal, World};

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
        if session.expires.is_some_and(|expires| expires <= world.wall()) {
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

/// Evaluates everything that limits the caller: denials from above, the role's policy, the session's policy.
pub(crate) fn authorize(
    world: &World,
    principal: &Principal,
    action: &str,
    resource: &str,
    resource_tags: &BTreeMap<String, String>,
) -> Result<(), Refusal> {
    if world.denied_from_above(&principal.account, action) {
        return Err(denied(principal, action, resource, "service control policy", false));
    }
    let Some(role) = &principal.role else { return Ok(()) };
    let ask = Ask { action, resource, resource_tags };
    for (policy, implicit, explicit) in [
        (&role.role_policy, "no identity-based policy allows", "identity-based policy"),
        (&role.session_policy, "no session policy allows", "session policy"),
    ] {
        let Some(policy) = policy else { continue };
        match policy.decide(&ask) {
            Decision::Allow => {}
            Decision::ImplicitDeny => return Err(denied(principal, action, resource, implicit, true)),
            Decision::ExplicitDeny => return Err(denied(principal, action, resource, explicit, false)),
            Decision::Unsupported(what) => {
                let text = format!("keysweep-sim cannot judge {what} in a policy, and so denies {action}");
                return Err(Refusal::new(403, "AccessDenied", text));
            }
        }
    }
    Ok(())
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
