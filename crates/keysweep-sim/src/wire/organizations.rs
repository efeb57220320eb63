//! Organizations: JSON 1.1, pages of at most twenty, empty pages on demand.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::authorize::authorize;
use super::{Call, Service};
use crate::settings::AccountFields;
use crate::world::{Account, ORGANIZATION_ID, ROOT_ID, Refusal, Unit, World};

pub(crate) fn answer(world: &mut World, call: &Call<'_>) -> Result<String, Refusal> {
    if !world.settings.organizations_in_use {
        let text = "Your account is not a member of an organization.";
        return Err(Refusal::new(400, "AWSOrganizationsNotInUseException", text));
    }
    let account = &*call.principal.account;
    let settings = &world.settings;
    let may_read = account == settings.management_account
        || settings.delegated_administrators.iter().any(|other| other == account)
        || call.action == "organizations:DescribeOrganization";
    if !may_read {
        return Err(no_permission());
    }
    let resource = resource(world, call);
    authorize(world, call.principal, call.action, &resource, &BTreeMap::new())
        .map_err(|refusal| Service::Organizations.denied(refusal.message))?;
    let body = match call.action {
        "organizations:DescribeOrganization" => describe_organization(world),
        "organizations:DescribeAccount" => {
            let id = call.params.require("AccountId")?;
            let account = world.accounts.get(id).ok_or_else(|| {
                Refusal::new(400, "AccountNotFoundException", "You specified an account that doesn't exist.")
            })?;
            json!({ "Account": account_json(world, account) })
        }
        "organizations:DescribeOrganizationalUnit" => {
            let id = call.params.require("OrganizationalUnitId")?;
            let unit = world.tree.units.get(id).ok_or_else(|| {
                let text = "You specified an organizational unit that doesn't exist.";
                Refusal::new(400, "OrganizationalUnitNotFoundException", text)
            })?;
            json!({ "OrganizationalUnit": unit_json(world, id, unit) })
        }
        "organizations:ListAccounts" => list(world, call, "Accounts", accounts_where(world, |_| true))?,
        "organizations:ListAccountsForParent" => {
            let parent = parent(world, call)?;
            list(world, call, "Accounts", accounts_where(world, |account| account.parent == parent))?
        }
        "organizations:ListRoots" => list(world, call, "Roots", vec![Entry::Root])?,
        "organizations:ListOrganizationalUnitsForParent" => {
            let parent = parent(world, call)?;
            list(world, call, "OrganizationalUnits", units_below(world, &parent))?
        }
        "organizations:ListChildren" => list_children(world, call)?,
        "organizations:ListParents" => list_parents(world, call)?,
        _ => list_tags(world, call)?,
    };
    Ok(body.to_string())
}

pub(crate) fn no_permission() -> Refusal {
    Refusal::new(400, "AccessDeniedException", "You don't have permissions to access this resource.")
}

/// What a call is about, as policies name it (service authorization reference, AWS Organizations).
fn resource(world: &World, call: &Call<'_>) -> String {
    let id = match call.action {
        "organizations:ListTagsForResource" => call.params.get("ResourceId"),
        "organizations:ListAccountsForParent"
        | "organizations:ListOrganizationalUnitsForParent"
        | "organizations:ListChildren" => call.params.get("ParentId"),
        "organizations:ListParents" => call.params.get("ChildId"),
        "organizations:DescribeAccount" => call.params.get("AccountId"),
        "organizations:DescribeOrganizationalUnit" => call.params.get("OrganizationalUnitId"),
        _ => None,
    };
    let Some(id) = id else { return "*".to_owned() };
    let kind = match id.get(..2) {
        Some("r-") => "root",
        Some("ou") => "ou",
        _ => "account",
    };
    organizations_arn(world, &format!("{kind}/{ORGANIZATION_ID}/{id}"))
}

/// One row of a list, worded only if it is on the page.
enum Entry<'w> {
    Root,
    Account(&'w Account),
    Unit(&'w str, &'w Unit),
    Child(&'w str, &'static str),
    Tag(&'w str, &'w str),
}

fn describe_organization(world: &World) -> Value {
    let settings = &world.settings;
    let management = &settings.management_account;
    let email = world.accounts.get(management.as_str()).map(|account| account.email.as_str());
    let arn = |what: &str| format!("arn:{}:organizations::{management}:{what}", settings.partition);
    json!({ "Organization": {
        "Id": ORGANIZATION_ID,
        "Arn": arn(&format!("organization/{ORGANIZATION_ID}")),
        "FeatureSet": "ALL",
        "MasterAccountArn": arn(&format!("account/{ORGANIZATION_ID}/{management}")),
        "MasterAccountId": management,
        "MasterAccountEmail": email,
        "AvailablePolicyTypes": [{ "Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED" }],
    }})
}

fn accounts_where<'w>(world: &'w World, keep: impl Fn(&Account) -> bool) -> Vec<Entry<'w>> {
    let ours = world.accounts.values().filter(|account| !account.foreign);
    ours.filter(|account| keep(account)).map(Entry::Account).collect()
}

fn units_below<'w>(world: &'w World, parent: &str) -> Vec<Entry<'w>> {
    let below = world.tree.units.iter().filter(|(_, unit)| unit.parent == parent);
    below.map(|(id, unit)| Entry::Unit(id, unit)).collect()
}

fn list_children(world: &World, call: &Call<'_>) -> Result<Value, Refusal> {
    let parent = parent(world, call)?;
    let children = match call.params.require("ChildType")? {
        "ACCOUNT" => {
            let below =
                world.accounts.values().filter(|account| account.parent == parent && !account.foreign);
            below.map(|account| Entry::Child(&account.id, "ACCOUNT")).collect()
        }
        "ORGANIZATIONAL_UNIT" => {
            let below = world.tree.units.iter().filter(|(_, unit)| unit.parent == parent);
            below.map(|(id, _)| Entry::Child(id, "ORGANIZATIONAL_UNIT")).collect()
        }
        _ => return Err(invalid_input("INVALID_ENUM")),
    };
    list(world, call, "Children", children)
}

fn list_parents(world: &World, call: &Call<'_>) -> Result<Value, Refusal> {
    let id = call.params.require("ChildId")?;
    let parent = world
        .accounts
        .get(id)
        .map(|account| account.parent.as_str())
        .or_else(|| world.tree.units.get(id).map(|unit| unit.parent.as_str()));
    let Some(parent) = parent else {
        let text = "You specified a child that doesn't exist.";
        return Err(Refusal::new(400, "ChildNotFoundException", text));
    };
    let kind = if parent == ROOT_ID { "ROOT" } else { "ORGANIZATIONAL_UNIT" };
    list(world, call, "Parents", vec![Entry::Child(parent, kind)])
}

fn list_tags(world: &World, call: &Call<'_>) -> Result<Value, Refusal> {
    static NONE: BTreeMap<String, String> = BTreeMap::new();
    let id = call.params.require("ResourceId")?;
    let account = world.accounts.get(id).map(|account| &account.tags);
    let unit = || world.tree.units.get(id).map(|unit| &unit.tags);
    let root = || (id == ROOT_ID).then_some(&NONE);
    let Some(tags) = account.or_else(unit).or_else(root) else {
        let text = "You specified a target that doesn't exist.";
        return Err(Refusal::new(400, "TargetNotFoundException", text));
    };
    list(world, call, "Tags", tags.iter().map(|(key, value)| Entry::Tag(key, value)).collect())
}

fn parent(world: &World, call: &Call<'_>) -> Result<String, Refusal> {
    let id = call.params.require("ParentId")?;
    if !world.tree.exists(id) {
        let text = "You specified a root or OU that doesn't exist.";
        return Err(Refusal::new(400, "ParentNotFoundException", text));
    }
    Ok(id.to_owned())
}

/// One page. A token says where the page starts and whether its empty predecessor was already given.
fn list(world: &World, call: &Call<'_>, name: &str, all: Vec<Entry<'_>>) -> Result<Value, Refusal> {
    let most = i64::try_from(world.settings.organizations_page.clamp(1, 20)).unwrap_or(20);
    // AWS refuses MaxResults over 20; fewer than asked for is always legal.
    let size = call.params.number("MaxResults", most, 1, 20)?.min(most);
    let size = usize::try_from(size).unwrap_or(20);
    let (start, emptied) = match call.params.get("NextToken") {
        None => (0, false),
        Some(token) => decode(token)?,
    };
    let empty = call.empty_page || world.settings.empty_pages && !emptied;
    let (page, next): (&[Entry<'_>], _) = if empty {
        (&[], Some((start, true)))
    } else {
        let end = start.saturating_add(size).min(all.len());
        let page = all.get(start..end).ok_or_else(|| invalid_input("INVALID_NEXT_TOKEN"))?;
        (page, (end < all.len()).then_some((end, false)))
    };
    let rows: Vec<Value> = page.iter().map(|entry| entry_json(world, entry)).collect();
    let mut body = json!({ name: rows });
    if let (Some((start, emptied)), Some(body)) = (next, body.as_object_mut()) {
        body.insert("NextToken".to_owned(), Value::String(encode(start, emptied)));
    }
    Ok(body)
}

fn encode(start: usize, emptied: bool) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("t:{start}:{}", u8::from(emptied)))
}

fn decode(token: &str) -> Result<(usize, bool), Refusal> {
    let parse = || {
        let text = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let (start, emptied) = text.strip_prefix("t:")?.split_once(':')?;
        Some((start.parse().ok()?, emptied == "1"))
    };
    parse().ok_or_else(|| invalid_input("INVALID_NEXT_TOKEN"))
}

fn invalid_input(reason: &str) -> Refusal {
    let text = format!("You provided a value that does not match the required pattern. ({reason})");
    Refusal::new(400, "InvalidInputException", text)
}

fn entry_json(world: &World, entry: &Entry<'_>) -> Value {
    match entry {
        Entry::Root => json!({
            "Id": ROOT_ID,
            "Arn": organizations_arn(world, &format!("root/{ORGANIZATION_ID}/{ROOT_ID}")),
            "Name": "Root",
            "PolicyTypes": [{ "Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED" }],
        }),
        Entry::Account(account) => account_json(world, account),
        Entry::Unit(id, unit) => unit_json(world, id, unit),
        Entry::Child(id, kind) => json!({ "Id": id, "Type": kind }),
        Entry::Tag(key, value) => json!({ "Key": key, "Value": value }),
    }
}

fn account_json(world: &World, account: &Account) -> Value {
    let id: &Arc<str> = &account.id;
    let state = account.odd_state.as_deref().unwrap_or(account.state.into());
    let status = account.odd_state.as_deref().unwrap_or(account.state.as_status());
    let mut body = json!({
        "Id": &**id,
        "Arn": organizations_arn(world, &format!("account/{ORGANIZATION_ID}/{id}")),
        "Email": account.email,
        "Name": account.name,
        "JoinedMethod": "CREATED",
        "JoinedTimestamp": account.joined.as_second(),
    });
    if let Some(body) = body.as_object_mut() {
        let (shows_state, shows_status) = match world.settings.account_fields {
            AccountFields::State => (true, false),
            AccountFields::Status => (false, true),
            AccountFields::Both => (true, true),
            AccountFields::Neither => (false, false),
        };
        if shows_state {
            body.insert("State".to_owned(), json!(state));
        }
        if shows_status {
            body.insert("Status".to_owned(), json!(status));
        }
        if world.settings.account_paths {
            let path = format!("{}{id}/", world.tree.path(&account.parent));
            body.insert("Paths".to_owned(), json!([path]));
        }
    }
    body
}

fn unit_json(world: &World, id: &str, unit: &Unit) -> Value {
    json!({
        "Id": id,
        "Arn": organizations_arn(world, &format!("ou/{ORGANIZATION_ID}/{id}")),
        "Name": unit.name,
        "Path": world.tree.path(id),
    })
}

fn organizations_arn(world: &World, what: &str) -> String {
    let settings = &world.settings;
    format!("arn:{}:organizations::{}:{what}", settings.partition, settings.management_account)
}
