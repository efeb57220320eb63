//! IAM: everything that only reads.

use std::collections::BTreeMap;
use std::ops::Bound;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;

use super::Call;
use super::authorize::{authorize, authorize_in, context, denied};
use super::xml::Xml;
use super::{iam_changes, iam_simulate};
use crate::policy::RequestKeys;
use crate::world::{Account, Refusal, User, World, user_arn};

pub(crate) fn answer(world: &mut World, call: &Call<'_>) -> Result<String, Refusal> {
    match call.action {
        "iam:GenerateCredentialReport" => generate_report(world, call),
        "iam:GetCredentialReport" => get_report(world, call),
        "iam:GetAccountAuthorizationDetails" => authorization_details(world, call),
        "iam:GetAccountSummary" => account_summary(world, call),
        "iam:ListUsers" => list_users(world, call),
        "iam:GetAccessKeyLastUsed" => key_last_used(world, call),
        "iam:ListAccessKeys" => list_keys(world, call),
        "iam:GetUser" => get_user(world, call),
        "iam:ListUserTags" => list_tags(world, call),
        "iam:ListAttachedUserPolicies" => list_attached(world, call),
        "iam:GetLoginProfile" => login_profile(world, call),
        "iam:GetPolicy" => get_policy(world, call),
        "iam:GetPolicyVersion" => get_policy_version(world, call),
        "iam:SimulatePrincipalPolicy" => iam_simulate::answer(world, call),
        _ => iam_changes::answer(world, call),
    }
}

/// The name of the user that a call is about.
///
/// With credentials of a role it cannot be left out, since there is no user to fall back on.
pub(crate) fn user_name(call: &Call<'_>) -> Result<String, Refusal> {
    match call.params.get("UserName") {
        Some(name) if !name.is_empty() => Ok(name.to_owned()),
        _ if call.principal.role.is_some() => {
            Err(Refusal::validation("Must specify userName when calling with non-User credentials"))
        }
        _ => Ok(call.principal.arn.rsplit('/').next().unwrap_or_default().to_owned()),
    }
}

/// Authorizes a call about one user. A user who does not exist is refused only after that, as by AWS.
pub(crate) fn authorize_user(world: &World, call: &Call<'_>, name: &str) -> Result<(), Refusal> {
    let account = &call.principal.account;
    let partition = &world.settings.partition;
    match world.find_user(account, name) {
        Ok(user) => {
            let (arn, policy_arn) = (user.arn(partition, account), call.params.get("PolicyArn"));
            let request = RequestKeys { policy_arn, ..RequestKeys::default() };
            let context = context(world, call.principal, &arn, &user.tags, request);
            authorize_in(world, call.principal, call.action, &arn, &context)
        }
        Err(_) => {
            let arn = user_arn(partition, account, "/", name);
            authorize(world, call.principal, call.action, &arn, &BTreeMap::new())
        }
    }
}

/// Authorizes a call about the account as a whole.
fn authorize_account<'w>(world: &'w World, call: &Call<'_>) -> Result<&'w Account, Refusal> {
    authorize(world, call.principal, call.action, "*", &BTreeMap::new())?;
    own_account(world, call)
}

pub(crate) fn own_account<'w>(world: &'w World, call: &Call<'_>) -> Result<&'w Account, Refusal> {
    world
        .accounts
        .get(&call.principal.account)
        .ok_or_else(|| Refusal::new(500, "ServiceFailure", "the caller's account is not in this world"))
}

fn checked_user<'w>(world: &'w World, call: &Call<'_>) -> Result<&'w User, Refusal> {
    let name = user_name(call)?;
    authorize_user(world, call, &name)?;
    world.find_user(&call.principal.account, &name)
}

fn generate_report(world: &mut World, call: &Call<'_>) -> Result<String, Refusal> {
    authorize_account(world, call)?;
    let now = world.now();
    let (polls, interval) = (world.settings.report_polls, world.settings.report_interval);
    let Some(account) = world.accounts.get_mut(&call.principal.account) else {
        return Err(Refusal::new(500, "ServiceFailure", "the caller's account is not in this world"));
    };
    let report = &mut account.report;
    let fresh = report.made.is_some_and(|made| now.duration_since(made) < interval);
    let state = match report.polls_left {
        Some(0 | 1) => {
            report.complete(now);
            "COMPLETE"
        }
        Some(polls) => {
            report.polls_left = Some(polls - 1);
            "INPROGRESS"
        }
        None if fresh => "COMPLETE",
        None if polls == 0 => {
            report.complete(now);
            "COMPLETE"
        }
        None => {
            report.polls_left = Some(polls);
            "STARTED"
        }
    };
    let mut xml = Xml::with_capacity(160);
    if state == "STARTED" {
        xml.text("Description", "No report exists. Starting a new report generation task");
    }
    xml.text("State", state);
    Ok(xml.finish())
}

fn get_report(world: &World, call: &Call<'_>) -> Result<String, Refusal> {
    let account = authorize_account(world, call)?;
    let report = &account.report;
    if report.polls_left.is_some() {
        return Err(Refusal::new(404, "ReportInProgress", "Report is still being generated"));
    }
    let Some(made) = report.made else {
        return Err(Refusal::new(
            410,
            "ReportNotPresent",
            "No report exists. Call GenerateCredentialReport first",
        ));
    };
    if world.now().duration_since(made) > world.settings.report_lifetime {
        return Err(Refusal::new(
            410,
            "ReportExpired",
            "Report has expired. Call GenerateCredentialReport again",
        ));
    }
    let bytes = account.report_bytes(&world.settings.partition, world.settings.last_used_lag, made);
    let mut xml = Xml::with_capacity(bytes.len() * 4 / 3 + 256);
    xml.plain("Content", BASE64_STANDARD.encode(&bytes));
    xml.text("ReportFormat", "text/csv");
    xml.plain("GeneratedTime", made);
    Ok(xml.finish())
}

fn account_summary(world: &World, call: &Call<'_>) -> Result<String, Refusal> {
    let account = authorize_account(world, call)?;
    let entries = [
        ("Users", account.users.len()),
        ("Roles", account.roles.len()),
        ("AccountAccessKeysPresent", usize::from(account.root_keys > 0)),
        ("AccountMFAEnabled", 1),
        ("AccountPasswordPresent", 1),
        ("AccessKeysPerUserQuota", 2),
        ("UsersQuota", 5000),
    ];
    let mut xml = Xml::with_capacity(512);
    xml.nest("SummaryMap", |xml| {
        for (key, value) in entries {
            xml.nest("entry", |xml| {
                xml.text("key", key);
                xml.plain("value", value);
            });
        }
    });
    Ok(xml.finish())
}

fn list_users(world: &World, call: &Call<'_>) -> Result<String, Refusal> {
    let account_id = &call.principal.account;
    let partition = &world.settings.partition;
    let resource = format!("arn:{partition}:iam::{account_id}:user/");
    authorize(world, call.principal, call.action, &resource, &BTreeMap::new())?;
    let account = own_account(world, call)?;
    let prefix = call.params.get("PathPrefix").unwrap_or("/");
    let page = Page::of(world, call)?;
    let from = page.marker.as_deref().unwrap_or_default();
    let mut users = account
        .users
        .range::<str, _>((Bound::Excluded(from), Bound::Unbounded))
        .filter(|(_, user)| user.path.starts_with(prefix))
        .peekable();
    let mut xml = Xml::with_capacity(512 * page.items.min(account.users.len() + 1));
    let mut last = from.to_owned();
    xml.open("Users");
    for (name, user) in users.by_ref().take(page.items) {
        xml.nest("member", |xml| user_fields(xml, user, partition, account_id));
        last = name.to_string();
    }
    xml.close("Users");
    truncation(&mut xml, users.peek().is_some().then_some(last));
    Ok(xml.finish())
}

/// Users alone, whatever is asked for: nothing here has groups, roles and policies of its own to show.
fn authorization_details(world: &World, call: &Call<'_>) -> Result<String, Refusal> {
    let account = authorize_account(world, call)?;
    let partition = &world.settings.partition;
    let asked = (1..).map_while(|n| call.params.get(&format!("Filter.member.{n}")));
    let filters: Vec<&str> = asked.collect();
    let known = ["User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy"];
    if let Some(unknown) = filters.iter().find(|filter| !known.contains(filter)) {
        return Err(Refusal::validation(format!("Value '{unknown}' at 'filter' is none")));
    }
    let shows_users = filters.is_empty() || filters.contains(&"User");
    let page = Page::of(world, call)?;
    let from = page.marker.as_deref().unwrap_or_default();
    let mut users = account
        .users
        .range::<str, _>((Bound::Excluded(from), Bound::Unbounded))
        .filter(|_| shows_users)
        .peekable();
    let mut xml = Xml::with_capacity(1024 * page.items.min(account.users.len() + 1));
    let mut last = from.to_owned();
    xml.open("UserDetailList");
    for (name, user) in users.by_ref().take(page.items) {
        xml.nest("member", |xml| user_detail_fields(xml, user, partition, &account.id));
        last = name.to_string();
    }
    xml.close("UserDetailList");
    for none in ["GroupDetailList", "RoleDetailList", "Policies"] {
        xml.open(none);
        xml.close(none);
    }
    truncation(&mut xml, users.peek().is_some().then_some(last));
    Ok(xml.finish())
}

fn user_detail_fields(xml: &mut Xml, user: &User, partition: &str, account: &str) {
    xml.text("Path", &user.path);
    xml.text("UserName", &user.name);
    xml.text("UserId", &user.id);
    xml.text("Arn", &user.arn(partition, account));
    xml.plain("CreateDate", user.created);
    xml.open("GroupList");
    xml.close("GroupList");
    xml.nest("AttachedManagedPolicies", |xml| user.attached.iter().for_each(|arn| policy_fields(xml, arn)));
    xml.nest("Tags", |xml| user.tags.iter().for_each(|tag| tag_fields(xml, tag)));
}

fn policy_fields(xml: &mut Xml, arn: &str) {
    xml.nest("member", |xml| {
        xml.text("PolicyName", arn.rsplit('/').next().unwrap_or(arn));
        xml.text("PolicyArn", arn);
    });
}

fn get_user(world: &World, call: &Call<'_>) -> Result<String, Refusal> {
    let user = checked_user(world, call)?;
    let mut xml = Xml::with_capacity(768);
    xml.nest("User", |xml| {
        user_fields(xml, user, &world.settings.partition, &call.principal.account);
        if !user.tags.is_empty() {
            xml.nest("Tags", |xml| user.tags.iter().for_each(|tag| tag_fields(xml, tag)));
        }
    });
    Ok(xml.finish())
}

pub(crate) fn user_fields(xml: &mut Xml, user: &User, partition: &str, account: &str) {
    xml.text("Path", &user.path);
    xml.text("UserName", &user.name);
    xml.text("UserId", &user.id);
    xml.text("Arn", &user.arn(partition, account));
    xml.plain("CreateDate", user.created);
    if let Some(used) = user.password.as_ref().and_then(|password| password.used) {
        xml.plain("PasswordLastUsed", used);
    }
}

fn tag_fields(xml: &mut Xml, (key, value): (&String, &String)) {
    xml.nest("member", |xml| {
        xml.text("Key", key);
        xml.text("Value", value);
    });
}

fn list_keys(world: &World, call: &Call<'_>) -> Result<String, Refusal> {
    let user = checked_user(world, call)?;
    let page = Page::of(world, call)?;
    let at = seen_at(world, call);
    let shown = user.keys.iter().chain(&user.gone).filter_map(|key| Some((key, key.status_at(at)?)));
    // A page begins behind the last key of the one before, whatever became of that key meanwhile.
    let place = |key: &crate::world::Key| format!("{} {}", key.created, key.id);
    let from = page.marker.clone().unwrap_or_default();
    let mut keys: Vec<_> = shown.filter(|(key, _)| place(key) > from).collect();
    keys.sort_by_key(|(key, _)| place(key));
    let mut keys = keys.into_iter().peekable();
    let mut last = from;
    let mut xml = Xml::with_capacity(1024);
    xml.open("AccessKeyMetadata");
    for (key, status) in keys.by_ref().take(page.items) {
        xml.nest("member", |xml| {
            xml.text("UserName", &user.name);
            xml.text("AccessKeyId", &key.id);
            xml.text("Status", status);
            xml.plain("CreateDate", key.created);
        });
        last = place(key);
    }
    xml.close("AccessKeyMetadata");
    truncation(&mut xml, keys.peek().is_some().then_some(last));
    Ok(xml.finish())
}

fn key_last_used(world: &World, call: &Call<'_>) -> Result<String, Refusal> {
    let id = call.params.require("AccessKeyId")?;
    let own = world.find_key(id).filter(|(home, _)| home.account == call.principal.account);
    let Some((home, key)) = own else {
        // Unknown, deleted and foreign keys are all denied (recorded live), even to administrators.
        let (principal, action) = (call.principal, call.action);
        authorize(world, principal, action, "*", &BTreeMap::new())?;
        let resource = format!("access key {id}");
        return Err(denied(principal, action, &resource, "no identity-based policy allows", true));
    };
    authorize_user(world, call, &home.user)?;
    let lag = world.settings.last_used_lag;
    let seen_until = seen_at(world, call).checked_sub(lag).unwrap_or(Timestamp::MIN);
    let mut xml = Xml::with_capacity(512);
    xml.nest("AccessKeyLastUsed", |xml| match key.last_use(seen_until) {
        Some(used) => {
            xml.plain("LastUsedDate", used.at);
            xml.text("ServiceName", &used.service);
            xml.text("Region", &used.region);
        }
        None => {
            xml.text("ServiceName", "N/A");
            xml.text("Region", "N/A");
        }
    });
    xml.text("UserName", &home.user);
    Ok(xml.finish())
}

fn list_tags(world: &World, call: &Call<'_>) -> Result<String, Refusal> {
    let user = checked_user(world, call)?;
    let page = Page::of(world, call)?;
    let start = page.index()?;
    let mut xml = Xml::with_capacity(1024);
    xml.open("Tags");
    user.tags.iter().skip(start).take(page.items).for_each(|tag| tag_fields(&mut xml, tag));
    xml.close("Tags");
    let end = start.saturating_add(page.items);
    truncation(&mut xml, (user.tags.len() > end).then(|| end.to_string()));
    Ok(xml.finish())
}

/// The only version that a policy has.
const VERSION: &str = "v1";

/// A policy as it was shipped, URL-encoded as by AWS.
fn get_policy_version(world: &World, call: &Call<'_>) -> Result<String, Refusal> {
    let arn = call.params.require("PolicyArn")?;
    authorize(world, call.principal, call.action, arn, &BTreeMap::new())?;
    let version = call.params.require("VersionId")?;
    let document = world.document_of(&call.principal.account, arn).filter(|_| version == VERSION);
    let Some(document) = document else {
        let text = format!("Policy {arn} version {version} does not exist or is not attachable.");
        return Err(Refusal::new(404, "NoSuchEntity", text));
    };
    let encoded: String = document.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let mut xml = Xml::with_capacity(1024);
    xml.nest("PolicyVersion", |xml| {
        xml.text("Document", &encoded);
        xml.text("VersionId", VERSION);
        xml.plain("IsDefaultVersion", true);
    });
    Ok(xml.finish())
}

fn get_policy(world: &World, call: &Call<'_>) -> Result<String, Refusal> {
    let arn = call.params.require("PolicyArn")?;
    authorize(world, call.principal, call.action, arn, &BTreeMap::new())?;
    if !world.knows_policy(&call.principal.account, arn) {
        return Err(Refusal::new(404, "NoSuchEntity", format!("Policy {arn} was not found.")));
    }
    let mut xml = Xml::with_capacity(512);
    xml.nest("Policy", |xml| {
        xml.text("PolicyName", arn.rsplit('/').next().unwrap_or(arn));
        xml.text("Arn", arn);
        xml.text("DefaultVersionId", VERSION);
        xml.plain("IsAttachable", true);
    });
    Ok(xml.finish())
}

fn list_attached(world: &World, call: &Call<'_>) -> Result<String, Refusal> {
    let user = checked_user(world, call)?;
    let page = Page::of(world, call)?;
    let start = page.index()?;
    let mut xml = Xml::with_capacity(1024);
    xml.open("AttachedPolicies");
    user.attached.iter().skip(start).take(page.items).for_each(|arn| policy_fields(&mut xml, arn));
    xml.close("AttachedPolicies");
    let end = start.saturating_add(page.items);
    truncation(&mut xml, (user.attached.len() > end).then(|| end.to_string()));
    Ok(xml.finish())
}

fn login_profile(world: &World, call: &Call<'_>) -> Result<String, Refusal> {
    let user = checked_user(world, call)?;
    let Some(password) = &user.password else {
        let text = format!("Login Profile for User {} cannot be found.", user.name);
        return Err(Refusal::new(404, "NoSuchEntity", text));
    };
    let mut xml = Xml::with_capacity(256);
    login_profile_fields(&mut xml, &user.name, password.created);
    Ok(xml.finish())
}

pub(crate) fn login_profile_fields(xml: &mut Xml, name: &str, created: Timestamp) {
    xml.nest("LoginProfile", |xml| {
        xml.text("UserName", name);
        xml.plain("CreateDate", created);
        xml.text("PasswordResetRequired", "false");
    });
}

/// The moment a read shows: now, or earlier where a fault makes it stale.
fn seen_at(world: &World, call: &Call<'_>) -> Timestamp {
    let now = world.now();
    call.stale.and_then(|age| now.checked_sub(age).ok()).unwrap_or(now)
}

/// What a list call asks for.
struct Page {
    marker: Option<String>,
    items: usize,
}

impl Page {
    fn of(world: &World, call: &Call<'_>) -> Result<Self, Refusal> {
        let asked = call.params.number("MaxItems", 100, 1, 1000)?;
        let asked = usize::try_from(asked).unwrap_or(100);
        let items = asked.min(world.settings.iam_page.unwrap_or(asked).max(1));
        let marker = call.params.get("Marker").map(decode_marker).transpose()?;
        Ok(Self { marker, items: if call.empty_page { 0 } else { items } })
    }

    /// The marker of lists that count.
    fn index(&self) -> Result<usize, Refusal> {
        match self.marker.as_deref() {
            None | Some("") => Ok(0),
            Some(text) => text.parse().map_err(|_| bad_marker()),
        }
    }
}

fn truncation(xml: &mut Xml, marker: Option<String>) {
    xml.plain("IsTruncated", marker.is_some());
    if let Some(marker) = marker {
        xml.plain("Marker", BASE64_URL_SAFE_NO_PAD.encode(format!("m:{marker}")));
    }
}

fn decode_marker(text: &str) -> Result<String, Refusal> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| bad_marker())?;
    let text = String::from_utf8(bytes).map_err(|_| bad_marker())?;
    text.strip_prefix("m:").map(str::to_owned).ok_or_else(bad_marker)
}

fn bad_marker() -> Refusal {
    Refusal::validation("Invalid Marker")
}
