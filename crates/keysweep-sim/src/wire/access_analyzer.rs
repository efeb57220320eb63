//! IAM Access Analyzer: GetAnalyzer, ListFindingsV2, and GetFindingV2, in REST and JSON (Access Analyzer API reference).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::authorize::authorize;
use super::params::Params;
use super::{Call, Service};
use crate::world::{Analyzer, AnalyzerFinding, Refusal, World};

/// What a finding can be filtered by here (Access Analyzer user guide, "Filter keys for unused access findings").
const FILTERS: &[&str] = &["findingType", "resource", "status"];

/// The operation that a path names, and its parameters: those of a GET are in the path.
pub(super) fn operation(path: &str, body: &[u8]) -> (Params, String) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut params: Map<String, Value> = form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
        .collect();
    let mut named = |name: &str, value: &str| {
        let value = form_urlencoded::parse(value.as_bytes()).map(|(value, _)| value.into_owned()).collect();
        params.insert(name.to_owned(), Value::String(value));
    };
    let name = match path.trim_matches('/').split('/').collect::<Vec<_>>()[..] {
        ["findingv2"] => return (Params::json(body), "ListFindingsV2".to_owned()),
        ["findingv2", id] => {
            named("id", id);
            "GetFindingV2"
        }
        ["analyzer", name] => {
            named("analyzerName", name);
            "GetAnalyzer"
        }
        _ => "",
    };
    (Params::Json(Value::Object(params)), name.to_owned())
}

pub(crate) fn answer(world: &World, call: &Call<'_>) -> Result<String, Refusal> {
    match call.action {
        "access-analyzer:GetAnalyzer" => get_analyzer(world, call),
        "access-analyzer:GetFindingV2" => get_finding(world, call),
        _ => list_findings(world, call),
    }
}

fn get_analyzer(world: &World, call: &Call<'_>) -> Result<String, Refusal> {
    let name = call.params.get("analyzerName").unwrap_or_default();
    let partition = &world.settings.partition;
    let (region, account) = (call.region, &call.principal.account);
    let arn = format!("arn:{partition}:access-analyzer:{region}:{account}:analyzer/{name}");
    let analyzer = analyzer(world, call, &arn)?;
    let body = json!({ "analyzer": {
        "arn": arn,
        "name": name,
        "type": analyzer.kind,
        "createdAt": world.now().to_string(),
        "status": analyzer.status,
        "configuration": { "unusedAccess": { "unusedAccessAge": analyzer.age_days } },
    } });
    Ok(body.to_string())
}

fn list_findings(world: &World, call: &Call<'_>) -> Result<String, Refusal> {
    let arn = required(call.params, "analyzerArn")?;
    let analyzer = analyzer(world, call, arn)?;
    let filters = filters(call.params)?;
    let size = call.params.number("maxResults", 100, 1, 100).map_err(|refusal| invalid(refusal.message))?;
    let size = if call.empty_page { 0 } else { usize::try_from(size).unwrap_or(100) };
    let from = match call.params.get("nextToken") {
        None => 0,
        Some(token) => token.parse::<usize>().map_err(|_| invalid("The token is not valid"))?,
    };
    let wanted = |finding: &&AnalyzerFinding| {
        filters.iter().all(|(name, values)| values.contains(&finding.shown(name)))
    };
    let found: Vec<&AnalyzerFinding> = analyzer.findings.iter().filter(wanted).collect();
    let page: Vec<Value> = found.iter().skip(from).take(size).map(|finding| summary(finding)).collect();
    let mut body = json!({ "findings": page });
    if let (true, Some(body)) = (found.len() > from + size, body.as_object_mut()) {
        body.insert("nextToken".to_owned(), json!((from + size).to_string()));
    }
    Ok(body.to_string())
}

fn get_finding(world: &World, call: &Call<'_>) -> Result<String, Refusal> {
    let (arn, id) = (required(call.params, "analyzerArn")?, required(call.params, "id")?);
    let analyzer = analyzer(world, call, arn)?;
    let finding = analyzer.findings.iter().find(|finding| finding.id == id);
    let finding = finding.ok_or_else(|| not_found(format!("Finding {id} does not exist")))?;
    let mut body = summary(finding);
    if let Some(body) = body.as_object_mut() {
        let mut details = json!({ "accessKeyId": finding.key_id });
        if let (Some(at), Some(details)) = (finding.last_accessed, details.as_object_mut()) {
            details.insert("lastAccessed".to_owned(), json!(at.to_string()));
        }
        body.insert("findingDetails".to_owned(), json!([{ "unusedIamUserAccessKeyDetails": details }]));
    }
    Ok(body.to_string())
}

/// What a listing shows of a finding: no key.
fn summary(finding: &AnalyzerFinding) -> Value {
    json!({
        "id": finding.id,
        "findingType": "UnusedIAMUserAccessKey",
        "resource": finding.resource,
        "resourceType": "AWS::IAM::User",
        "resourceOwnerAccount": finding.resource.split(':').nth(4),
        "status": finding.status,
        "analyzedAt": finding.updated_at.to_string(),
        "createdAt": finding.updated_at.to_string(),
        "updatedAt": finding.updated_at.to_string(),
    })
}

/// An analyzer of the caller's account and Region. Permissions come first.
fn analyzer<'w>(world: &'w World, call: &Call<'_>, arn: &str) -> Result<&'w Analyzer, Refusal> {
    // Both versions of an operation have one action in policies.
    let action = call.action.trim_end_matches("V2");
    authorize(world, call.principal, action, arn, &BTreeMap::new())
        .map_err(|refusal| Service::AccessAnalyzer.denied(refusal.message))?;
    let here = format!(":access-analyzer:{}:{}:", call.region, call.principal.account);
    let found = world.analyzers.get(arn).filter(|_| arn.contains(&here));
    found.ok_or_else(|| not_found(format!("Analyzer {arn} does not exist")))
}

fn filters(params: &Params) -> Result<Vec<(&str, Vec<&str>)>, Refusal> {
    let Some(filter) = params.member("filter") else { return Ok(Vec::new()) };
    let refused = || invalid("filter is not valid");
    let mut found = Vec::new();
    for (name, criterion) in filter.as_object().ok_or_else(refused)? {
        let name = FILTERS.iter().find(|known| *known == name).ok_or_else(refused)?;
        let values = criterion.get("eq").and_then(Value::as_array).ok_or_else(refused)?.iter();
        let values = values.map(|value| value.as_str().ok_or_else(refused)).collect::<Result<_, _>>()?;
        found.push((*name, values));
    }
    Ok(found)
}

fn required<'p>(params: &'p Params, name: &str) -> Result<&'p str, Refusal> {
    params.get(name).filter(|value| !value.is_empty()).ok_or_else(|| invalid(format!("{name} is missing")))
}

fn not_found(message: String) -> Refusal {
    Refusal::new(404, "ResourceNotFoundException", message)
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(400, "ValidationException", message)
}
