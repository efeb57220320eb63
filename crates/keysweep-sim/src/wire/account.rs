//! Account Management: ListRegions, in REST and JSON (Account Management API reference, ListRegions).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::authorize::authorize;
use super::params::Params;
use super::{Call, Service};
use crate::world::{Refusal, World};

const STATUSES: &[&str] = &["DISABLED", "DISABLING", "ENABLED", "ENABLED_BY_DEFAULT", "ENABLING"];

pub(crate) fn answer(world: &World, call: &Call<'_>) -> Result<String, Refusal> {
    authorize(world, call.principal, call.action, "*", &BTreeMap::new())
        .map_err(|refusal| Service::Account.denied(refusal.message))?;
    let account = subject(world, call)?;
    let statuses = statuses(call.params)?;
    let size = call.params.number("MaxResults", 20, 1, 50).map_err(|refusal| invalid(refusal.message))?;
    let size = if call.empty_page { 0 } else { usize::try_from(size).unwrap_or(20) };
    let after = call.params.get("NextToken").map_or(Ok(String::new()), decode)?;

    let wanted = |status: &str| statuses.as_ref().is_none_or(|statuses| statuses.contains(&status));
    let regions = world.regions(account).into_iter();
    let mut rest = regions.filter(|(name, status)| *name > after.as_str() && wanted(status)).peekable();
    let mut last = after.as_str();
    let mut rows = Vec::new();
    for (name, status) in rest.by_ref().take(size) {
        last = name;
        rows.push(json!({ "RegionName": name, "RegionOptStatus": status }));
    }
    let mut body = json!({ "Regions": rows });
    if let (Some(_), Some(body)) = (rest.peek(), body.as_object_mut()) {
        body.insert("NextToken".to_owned(), json!(BASE64_URL_SAFE_NO_PAD.encode(format!("r:{last}"))));
    }
    Ok(body.to_string())
}

/// The account that is asked about: the caller's own, or a member account where an administrator of the organization
/// names one.
fn subject<'c>(world: &World, call: &Call<'c>) -> Result<&'c str, Refusal> {
    let own = &*call.principal.account;
    let Some(named) = call.params.get("AccountId") else { return Ok(own) };
    let settings = &world.settings;
    let administers = own == settings.management_account
        || settings.delegated_administrators.iter().any(|account| account == own);
    let is_member = world.accounts.get(named).is_some_and(|account| !account.foreign);
    if administers && is_member && named != settings.management_account {
        return Ok(named);
    }
    let (arn, action) = (&call.principal.arn, call.action);
    Err(Service::Account.denied(format!("User: {arn} is not authorized to perform: {action}")))
}

fn statuses(params: &Params) -> Result<Option<Vec<&str>>, Refusal> {
    let Some(list) = params.member("RegionOptStatusContains") else { return Ok(None) };
    let refused = || invalid("RegionOptStatusContains must be a list of opt-in statuses");
    let known = |status: &&str| STATUSES.contains(status);
    let list = list.as_array().ok_or_else(refused)?.iter();
    list.map(|status| Value::as_str(status).filter(known).ok_or_else(refused))
        .collect::<Result<_, _>>()
        .map(Some)
}

fn decode(token: &str) -> Result<String, Refusal> {
    let parse = || {
        let text = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        text.strip_prefix("r:").map(str::to_owned)
    };
    parse().ok_or_else(|| invalid("The token is not valid"))
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(400, "ValidationException", message)
}
