//! IAM: every call that alters something. Each one, refused or not, ends in the ledger.

use serde_json::{Value, json};

use super::Call;
use super::authorize::authorize;
use super::iam::{authorize_user, login_profile_fields, user_fields, user_name};
use super::params::Params;
use super::xml::Xml;
use crate::world::{Actor, Attempt, Password, Refusal, World, user_arn};

/// By AWS's quota "Managed policies attached to an IAM user" (IAM user guide, "IAM and AWS STS quotas").
const POLICIES_PER_USER: usize = 10;

/// The actions here, for the ledger of attempts that never got this far.
pub(crate) const CHANGES: &[&str] = &[
    "iam:AttachUserPolicy",
    "iam:CreateAccessKey",
    "iam:CreateLoginProfile",
    "iam:CreateUser",
    "iam:DeleteAccessKey",
    "iam:DeleteLoginProfile",
    "iam:DeleteUser",
    "iam:DetachUserPolicy",
    "iam:TagUser",
    "iam:UntagUser",
    "iam:UpdateAccessKey",
    "iam:UpdateUser",
];

pub(crate) fn answer(world: &mut World, call: &Call<'_>) -> Result<String, Refusal> {
    let before = world.ledger.changes().len();
    let outcome = act(world, call);
    if let Err(refusal) = &outcome
        && world.ledger.changes().len() == before
    {
        // Refused before the world was asked: still an attempt.
        let attempt = attempt(world, &call.principal.account, call.action, call.params, &call.actor);
        let _refused: Result<(), Refusal> = world.finish(attempt, Err(refusal.clone()));
    }
    outcome
}

/// What was asked for, as far as the request says it.
pub(crate) fn attempt(world: &World, account: &str, action: &str, params: &Params, actor: &Actor) -> Attempt {
    let user = params.get("UserName").unwrap_or_default();
    let mut attempt = world.user_change(account, user, action, actor).with(shown(action, params));
    attempt.change.key_id = params.get("AccessKeyId").map(str::to_owned);
    attempt.change.new = params.get("Status").map(str::to_owned);
    attempt
}

/// The parameters that CloudTrail shows, beside the user, the key and its status.
fn shown(action: &str, params: &Params) -> Value {
    match action {
        "iam:AttachUserPolicy" | "iam:DetachUserPolicy" => json!({ "policyArn": params.get("PolicyArn") }),
        "iam:TagUser" => {
            let tag = |(key, value)| json!({ "key": key, "value": value });
            json!({ "tags": params.tags().into_iter().map(tag).collect::<Vec<_>>() })
        }
        "iam:UntagUser" => json!({ "tagKeys": params.list("TagKeys") }),
        _ => Value::Null,
    }
}

fn act(world: &mut World, call: &Call<'_>) -> Result<String, Refusal> {
    let (account, actor, params) = (call.principal.account.to_string(), &call.actor, call.params);
    let name = match call.action {
        "iam:CreateUser" => params.require("UserName")?.to_owned(),
        _ => user_name(call)?,
    };
    if call.action != "iam:CreateUser" {
        authorize_user(world, call, &name)?;
    }
    let done = |()| String::new();
    match call.action {
        "iam:UpdateAccessKey" => {
            let key = params.require("AccessKeyId")?;
            let status = params.require("Status")?;
            if status != "Active" && status != "Inactive" {
                return Err(Refusal::validation(format!(
                    "1 validation error detected: Value '{status}' at 'status' failed to satisfy constraint: Member \
                     must satisfy enum value set: [Active, Inactive]"
                )));
            }
            world.set_key_status(&account, &name, key, status, actor).map(done)
        }
        "iam:DeleteAccessKey" => {
            world.delete_key(&account, &name, params.require("AccessKeyId")?, actor).map(done)
        }
        "iam:CreateAccessKey" => create_key(world, call, &account, &name),
        "iam:CreateUser" => create_user(world, call, &account, &name),
        "iam:DeleteUser" => world.delete_user(&account, &name, actor).map(done),
        "iam:UpdateUser" => {
            let (new_name, new_path) = (params.get("NewUserName"), params.get("NewPath"));
            world.update_user(&account, &name, new_name, new_path, actor).map(done)
        }
        "iam:CreateLoginProfile" => {
            params.require("Password")?;
            let created = world.now();
            world.alter_user(&account, &name, (call.action, Value::Null), actor, |user| {
                if user.password.is_some() {
                    let text = format!("Login Profile for user {} already exists.", user.name);
                    return Err(Refusal::new(409, "EntityAlreadyExists", text));
                }
                user.password = Some(Password { created, used: None });
                Ok(())
            })?;
            let mut xml = Xml::default();
            login_profile_fields(&mut xml, &name, created);
            Ok(xml.finish())
        }
        _ => alter(world, call, &account, &name, params).map(done),
    }
}

/// The small alterations of one user that answer nothing.
fn alter(
    world: &mut World,
    call: &Call<'_>,
    account: &str,
    name: &str,
    params: &Params,
) -> Result<(), Refusal> {
    let (about, actor) = ((call.action, shown(call.action, params)), &call.actor);
    match call.action {
        "iam:TagUser" => {
            let tags = checked_tags(params)?;
            world.alter_user(account, name, about, actor, |user| {
                user.tags.extend(tags);
                Ok(())
            })
        }
        "iam:UntagUser" => {
            let keys = params.list("TagKeys");
            world.alter_user(account, name, about, actor, |user| {
                user.tags.retain(|key, _| !keys.contains(key));
                Ok(())
            })
        }
        "iam:AttachUserPolicy" => {
            let arn = params.require("PolicyArn")?.to_owned();
            let known = world.knows_policy(account, &arn);
            world.alter_user(account, name, about, actor, |user| {
                if user.attached.contains(&arn) {
                    return Ok(());
                }
                if !known {
                    let text = format!("Policy {arn} does not exist or is not attachable.");
                    return Err(Refusal::new(404, "NoSuchEntity", text));
                }
                if user.attached.len() >= POLICIES_PER_USER {
                    let text = format!("Cannot exceed quota for PoliciesPerUser: {POLICIES_PER_USER}");
                    return Err(Refusal::new(409, "LimitExceeded", text));
                }
                user.attached.push(arn);
                Ok(())
            })
        }
        "iam:DetachUserPolicy" => {
            let arn = params.require("PolicyArn")?.to_owned();
            world.alter_user(account, name, about, actor, |user| {
                let before = user.attached.len();
                user.attached.retain(|own| *own != arn);
                if user.attached.len() == before {
                    return Err(Refusal::new(404, "NoSuchEntity", format!("Policy {arn} was not found.")));
                }
                Ok(())
            })
        }
        "iam:DeleteLoginProfile" => world.alter_user(account, name, about, actor, |user| {
            let missing = || {
                let text = format!("Login Profile for User {} cannot be found.", user.name);
                Refusal::new(404, "NoSuchEntity", text)
            };
            user.password.take().map(|_| ()).ok_or_else(missing)
        }),
        other => Err(Refusal::new(400, "InvalidAction", format!("{other} is not simulated"))),
    }
}

fn create_key(world: &mut World, call: &Call<'_>, account: &str, name: &str) -> Result<String, Refusal> {
    let id = world.create_key(account, name, None, true, &call.actor)?;
    let mut xml = Xml::with_capacity(512);
    let created = world.now();
    xml.nest("AccessKey", |xml| {
        xml.text("UserName", name);
        xml.text("AccessKeyId", &id);
        xml.text("Status", "Active");
        xml.plain("SecretAccessKey", format_args!("simulated/secret/of/{id}"));
        xml.plain("CreateDate", created);
    });
    Ok(xml.finish())
}

fn create_user(world: &mut World, call: &Call<'_>, account: &str, name: &str) -> Result<String, Refusal> {
    let path = call.params.get("Path").unwrap_or("/");
    let tags = checked_tags(call.params)?;
    let arn = user_arn(&world.settings.partition, account, path, name);
    authorize(world, call.principal, call.action, &arn, &std::collections::BTreeMap::new())?;
    world.create_user(account, name, path, tags.into_iter().collect(), &call.actor)?;
    let user = world.find_user(account, name)?;
    let mut xml = Xml::with_capacity(512);
    xml.nest("User", |xml| user_fields(xml, user, &world.settings.partition, account));
    Ok(xml.finish())
}

/// Tag keys of 1 to 128 characters, values of at most 256, fifty of them (IAM API reference, Tag).
fn checked_tags(params: &Params) -> Result<Vec<(String, String)>, Refusal> {
    let tags = params.tags();
    let fits = |(key, value): &(String, String)| {
        (1..=128).contains(&key.chars().count()) && value.chars().count() <= 256
    };
    if tags.len() > 50 || !tags.iter().all(fits) {
        return Err(Refusal::new(400, "InvalidInput", "Tags exceed the limits of number or length"));
    }
    Ok(tags)
}
