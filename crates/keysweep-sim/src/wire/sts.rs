//! STS: GetCallerIdentity and AssumeRole.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;

use super::Call;
use super::authorize::{authorize_in, context, judge};
use super::xml::Xml;
use crate::policy::{Ask, Decision, Policy, RequestKeys};
use crate::world::{
    Attached, Principal, Refusal, Role, RoleSession, Session, World, account_of_arn, mint_session_key_id,
    whole_second,
};

/// Plain text of a session policy (STS API reference, AssumeRole).
const POLICY_CHARACTERS: usize = 2048;
/// Role chaining caps a session at one hour (IAM user guide, roles terms and concepts).
const CHAINED_SECONDS: i64 = 3600;
/// How many sessions pile up before expired ones are dropped.
const SESSIONS_KEPT: usize = 4096;

pub(crate) fn answer(world: &mut World, call: &Call<'_>) -> Result<String, Refusal> {
    match call.action {
        "sts:AssumeRole" => assume_role(world, call),
        // GetCallerIdentity needs no permission; nothing can deny it.
        _ => Ok(caller_identity(call.principal)),
    }
}

fn caller_identity(principal: &Principal) -> String {
    let mut xml = Xml::with_capacity(256);
    xml.text("Arn", &principal.arn);
    xml.text("UserId", &principal.user_id);
    xml.text("Account", &principal.account);
    xml.finish()
}

fn assume_role(world: &mut World, call: &Call<'_>) -> Result<String, Refusal> {
    let params = call.params;
    let role_arn = params.require("RoleArn")?;
    let session_name = named(params.require("RoleSessionName")?, "roleSessionName", 2, 64)?;
    let source_identity =
        params.get("SourceIdentity").map(|text| named(text, "sourceIdentity", 2, 64)).transpose()?;
    let external_id = params.get("ExternalId");
    if let Some(id) = external_id {
        length(id, "externalId", 2, 1224)?;
    }
    let policy = params.get("Policy").map(session_policy).transpose()?;
    let seconds = params.number("DurationSeconds", 3600, 900, 43_200)?;

    let denied = || {
        let arn = &call.principal.arn;
        let text =
            format!("User: {arn} is not authorized to perform: sts:AssumeRole on resource: {role_arn}");
        Refusal::new(403, "AccessDenied", text)
    };
    let none = BTreeMap::new();
    let keys =
        RequestKeys { external_id, session_name: Some(session_name), source_identity, policy_arn: None };
    let context = context(world, call.principal, role_arn, &none, keys);
    authorize_in(world, call.principal, call.action, role_arn, &context)?;
    if source_identity.is_some() {
        authorize_in(world, call.principal, "sts:SetSourceIdentity", role_arn, &context)?;
    }
    let account_id = account_of_arn(role_arn).ok_or_else(denied)?;
    let role_name = role_arn.split_once(":role/").map(|(_, name)| name).ok_or_else(denied)?;
    let account = world.accounts.get(account_id).filter(|account| account.is_open()).ok_or_else(denied)?;
    let role = account.roles.get(role_name).ok_or_else(denied)?;
    let inherited = call.principal.role.as_ref().and_then(|role| role.source_identity.clone());
    let changes_source = inherited.is_some() && inherited.as_deref() != source_identity;
    let (may_assume, may_set_source) = match &role.trust_policy {
        Some(trust) => {
            let asks = |action| {
                let ask = Ask { action, resource: role_arn, context: &context };
                judge(world, trust, &ask, || format!("trust of {role_arn}")) == Decision::Allow
            };
            (asks(call.action), source_identity.is_none() || asks("sts:SetSourceIdentity"))
        }
        None => (
            trusts(world, role, call.principal)
                && (role.external_id.is_none() || role.external_id.as_deref() == external_id),
            role.allows_source_identity,
        ),
    };
    if !may_assume {
        return Err(denied());
    }
    if source_identity.is_some() && (!may_set_source || changes_source) {
        let arn = &call.principal.arn;
        let text = format!(
            "User: {arn} is not authorized to perform: sts:SetSourceIdentity on resource: {role_arn}"
        );
        return Err(Refusal::new(403, "AccessDenied", text));
    }
    if seconds > role.max_session_seconds {
        let text = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
        return Err(Refusal::validation(text));
    }
    if call.principal.role.is_some() && seconds > CHAINED_SECONDS {
        let text = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining";
        return Err(Refusal::validation(text));
    }

    let short_name = role_name.rsplit('/').next().unwrap_or(role_name);
    let arn = format!(
        "arn:{}:sts::{account_id}:assumed-role/{short_name}/{session_name}",
        world.settings.partition
    );
    let user_id = format!("{}:{session_name}", role.id);
    let principal = Principal {
        account: account.id.clone(),
        arn: arn.clone(),
        user_id: user_id.clone(),
        role: Some(RoleSession {
            role_arn: role_arn.to_owned(),
            session_name: session_name.to_owned(),
            source_identity: source_identity.map(str::to_owned).or(inherited),
            session_policy: policy.clone(),
            revoked: false,
        }),
        powerless: false,
        policy: role.policy.clone().map(|policy| Attached { name: role_arn.into(), policy }),
    };
    let packed = params.get("Policy").map(|text| text.len() * 100 / POLICY_CHARACTERS);
    issue(world, principal, seconds, packed)
}

/// Whether a role without a trust policy document lets this caller in.
fn trusts(world: &World, role: &Role, principal: &Principal) -> bool {
    role.trusts.as_deref().is_none_or(|arn| {
        arn == principal.arn
            || principal.role.as_ref().is_some_and(|role| role.role_arn == arn)
            || arn == format!("arn:{}:iam::{}:root", world.settings.partition, principal.account)
    })
}

/// Makes credentials of the principal and words the answer.
fn issue(
    world: &mut World,
    principal: Principal,
    seconds: i64,
    packed: Option<usize>,
) -> Result<String, Refusal> {
    let wall = world.wall();
    if world.sessions.len() >= SESSIONS_KEPT && world.sessions.len().is_multiple_of(SESSIONS_KEPT) {
        // An hour more, so that late callers hear of expiry and not of an unknown token.
        let horizon = wall.checked_sub(SignedDuration::from_hours(1)).unwrap_or(wall);
        world.sessions.retain(|_, session| session.expires.is_none_or(|expires| expires > horizon));
    }
    let number = world.next_number();
    let key_id = mint_session_key_id(number);
    let token = format!("FwoGZXIvYXdzEKeysweepSimSessionToken{number:012x}//////////==");
    let expires = wall.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(wall);
    let expires = whole_second(expires);

    let mut xml = Xml::with_capacity(1024);
    xml.nest("AssumedRoleUser", |xml| {
        xml.text("AssumedRoleId", &principal.user_id);
        xml.text("Arn", &principal.arn);
    });
    xml.nest("Credentials", |xml| {
        xml.text("AccessKeyId", &key_id);
        xml.plain("SecretAccessKey", format_args!("simulated/secret/{number:023x}"));
        xml.text("SessionToken", &token);
        xml.plain("Expiration", expires);
    });
    if let Some(source) = principal.role.as_ref().and_then(|role| role.source_identity.as_deref()) {
        xml.text("SourceIdentity", source);
    }
    if let Some(packed) = packed {
        xml.plain("PackedPolicySize", packed);
    }
    let session = Session { token, expires: Some(expires), principal: Arc::new(principal) };
    world.sessions.insert(key_id.into(), session);
    Ok(xml.finish())
}

fn session_policy(text: &str) -> Result<Arc<Policy>, Refusal> {
    length(text, "policy", 1, POLICY_CHARACTERS)?;
    Policy::parse(text)
        .map(Arc::new)
        .map_err(|error| Refusal::new(400, "MalformedPolicyDocument", error.to_string()))
}

/// Letters, digits and `_+=,.@-` (STS API reference, RoleSessionName).
fn named<'a>(text: &'a str, field: &str, least: usize, most: usize) -> Result<&'a str, Refusal> {
    length(text, field, least, most)?;
    if text.chars().all(|c| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c)) {
        return Ok(text);
    }
    Err(Refusal::validation(format!(
        "1 validation error detected: Value '{text}' at '{field}' failed to satisfy constraint: Member must satisfy \
         regular expression pattern: [\\w+=,.@-]*"
    )))
}

fn length(text: &str, field: &str, least: usize, most: usize) -> Result<(), Refusal> {
    let characters = text.chars().count();
    let bound = if characters < least {
        format!("greater than or equal to {least}")
    } else if characters > most {
        format!("less than or equal to {most}")
    } else {
        return Ok(());
    };
    Err(Refusal::validation(format!(
        "1 validation error detected: Value at '{field}' failed to satisfy constraint: Member must have length {bound}"
    )))
}
