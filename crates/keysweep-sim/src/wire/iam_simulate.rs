//! IAM: what a user or role would be allowed.

use std::collections::BTreeMap;

use super::Call;
use super::authorize::{authorize, context};
use super::iam::own_account;
use super::xml::Xml;
use crate::policy::{Ask, Decision, RequestKeys};
use crate::world::{Attached, Principal, Refusal, RoleSession, World};

/// SimulatePrincipalPolicy for roles of the caller's account, and for the caller itself. Conditions on tags find none:
/// the policy to attach is the only context that is taken.
pub(crate) fn answer(world: &World, call: &Call<'_>) -> Result<String, Refusal> {
    let source = call.params.require("PolicySourceArn")?;
    let actions = call.params.list("ActionNames");
    if actions.is_empty() {
        let text = "1 validation error detected: Value at 'actionNames' failed to satisfy constraint: Member must not be null";
        return Err(Refusal::validation(text));
    }
    let policy_arn = call.params.context("iam:PolicyARN");
    let none = BTreeMap::new();
    authorize(world, call.principal, call.action, source, &none)?;
    let request = RequestKeys { policy_arn: policy_arn.as_deref(), ..RequestKeys::default() };
    let principal = source_principal(world, call, source)?;
    let mut resources = call.params.list("ResourceArns");
    if resources.is_empty() {
        resources.push("*".to_owned());
    }
    let mut xml = Xml::with_capacity(512 * actions.len() * resources.len());
    xml.nest("EvaluationResults", |xml| {
        for (action, resource) in
            actions.iter().flat_map(|action| resources.iter().map(move |one| (action, one)))
        {
            let above = !world.denied_from_above(&principal.account, action);
            let context = context(world, &principal, resource, &none, request);
            let ask = Ask { action, resource, context: &context };
            let own = principal.policy.as_ref().map_or(Decision::Allow, |own| own.policy.decide(&ask));
            let decision = match (above, own) {
                (true, Decision::Allow) => "allowed",
                (true, Decision::ImplicitDeny) => "implicitDeny",
                (true, Decision::ExplicitDeny)
                | (false, Decision::Allow | Decision::ImplicitDeny | Decision::ExplicitDeny) => {
                    "explicitDeny"
                }
            };
            xml.nest("member", |xml| {
                xml.text("EvalActionName", action);
                xml.text("EvalResourceName", resource);
                xml.text("EvalDecision", decision);
                xml.nest("MatchedStatements", |_| {});
                xml.nest("MissingContextValues", |_| {});
                xml.nest("OrganizationsDecisionDetail", |xml| xml.plain("AllowedByOrganizations", above));
            });
        }
    });
    xml.plain("IsTruncated", false);
    Ok(xml.finish())
}

/// Whoever is behind the ARN, as if it called.
fn source_principal(world: &World, call: &Call<'_>, source: &str) -> Result<Principal, Refusal> {
    let account = own_account(world, call)?;
    let missing = || Refusal::new(404, "NoSuchEntity", format!("The entity {source} cannot be found."));
    let mk = |role, policy| Principal {
        account: account.id.clone(),
        arn: source.to_owned(),
        user_id: String::new(),
        role,
        powerless: false,
        policy,
    };
    if source == call.principal.arn {
        return Ok(mk(None, call.principal.policy.clone()));
    }
    let prefix = format!("arn:{}:iam::{}:role/", world.settings.partition, account.id);
    let name = source.strip_prefix(&prefix).ok_or_else(missing)?;
    let role = account.roles.get(name).ok_or_else(missing)?;
    let session = RoleSession {
        role_arn: source.to_owned(),
        session_name: String::new(),
        source_identity: None,
        session_policy: None,
        revoked: false,
    };
    let policy = role.policy.clone().map(|policy| Attached { name: source.into(), policy });
    Ok(mk(Some(session), policy))
}
