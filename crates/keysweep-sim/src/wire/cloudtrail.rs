//! CloudTrail: LookupEvents, in JSON 1.1 (CloudTrail API reference, LookupEvents).

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::authorize::authorize;
use super::params::Params;
use super::{Call, Service};
use crate::world::{Entry, Event, Identity, Position, Refusal, World};

/// Characters of an attribute's value (CloudTrail API reference, LookupAttribute).
const VALUE_CHARACTERS: usize = 2000;
/// The place before the newest event.
const START: Position = (i64::MAX, u64::MAX);

/// What a call looks up.
struct Query<'c> {
    attribute: Option<(Attribute, &'c str)>,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    size: usize,
    /// Insights events in place of management events: there are none.
    insights: bool,
    /// The last entry of the page before.
    after: Position,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attribute {
    EventId,
    EventName,
    ReadOnly,
    Username,
    ResourceType,
    ResourceName,
    EventSource,
    AccessKeyId,
}

pub(crate) fn answer(world: &mut World, call: &Call<'_>) -> Result<String, Refusal> {
    let account = &*call.principal.account;
    // Credentials are not valid in a Region that the account has not enabled.
    if !world.is_enabled(account, call.region) {
        return Err(Service::CloudTrail.invalid_token());
    }
    if !world.admits_lookup(account, call.region) {
        return Err(Service::CloudTrail.throttled());
    }
    authorize(world, call.principal, call.action, "*", &BTreeMap::new())
        .map_err(|refusal| Service::CloudTrail.denied(refusal.message))?;
    let query = Query::of(call)?;
    Ok(page(world, call, &query).to_string())
}

fn page(world: &World, call: &Call<'_>, query: &Query<'_>) -> Value {
    let (oldest, newest) = world.trail_window();
    let from = query.start.map_or(oldest, |start| start.max(oldest));
    let until = query.end.map_or(newest, |end| end.min(newest));
    let trail = world.trail(&call.principal.account, call.region).filter(|_| !query.insights);
    let found = trail.map(|trail| trail.entries(from, until, |event| query.wants(event))).unwrap_or_default();
    let mut rest = found.into_iter().skip_while(|(position, _)| *position >= query.after).peekable();
    let size = if call.empty_page { 0 } else { query.size };
    let mut last = query.after;
    let mut rows = Vec::new();
    for (position, entry) in rest.by_ref().take(size) {
        last = position;
        rows.push(row(entry));
    }
    let mut body = json!({ "Events": rows });
    if let (Some(_), Some(body)) = (rest.peek(), body.as_object_mut()) {
        body.insert("NextToken".to_owned(), json!(encode(call, last)));
    }
    body
}

impl<'c> Query<'c> {
    fn of(call: &Call<'c>) -> Result<Self, Refusal> {
        let params = call.params;
        let (start, end) = (time(params, "StartTime")?, time(params, "EndTime")?);
        if matches!((start, end), (Some(start), Some(end)) if start > end) {
            return Err(invalid("TimeRange", "The start time must be before the end time."));
        }
        let size = params.number("MaxResults", 50, 1, 50);
        let size = size.map_err(|refusal| invalid("MaxResults", refusal.message))?;
        let insights = match params.member("EventCategory") {
            None => false,
            Some(category) if category == "insight" => true,
            Some(_) => return Err(invalid("EventCategory", "The event category is not valid.")),
        };
        let after = params.get("NextToken").map_or(Ok(START), |token| decode(call, token))?;
        let attribute = attribute(params)?;
        Ok(Self { attribute, start, end, size: usize::try_from(size).unwrap_or(50), insights, after })
    }

    fn wants(&self, event: &Event) -> bool {
        self.attribute.is_none_or(|(attribute, value)| attribute.is(event, value))
    }
}

/// At most one.
fn attribute(params: &Params) -> Result<Option<(Attribute, &str)>, Refusal> {
    let refused =
        || invalid("LookupAttributes", "Exactly one lookup attribute with a valid key and value is allowed.");
    let list = match params.member("LookupAttributes") {
        None => return Ok(None),
        Some(list) => list.as_array().ok_or_else(refused)?,
    };
    let one = match list.as_slice() {
        [] => return Ok(None),
        [one] => one,
        _ => return Err(refused()),
    };
    let text = |name| one.get(name).and_then(Value::as_str).ok_or_else(refused);
    let (key, value) = (text("AttributeKey")?, text("AttributeValue")?);
    if value.is_empty() || value.chars().count() > VALUE_CHARACTERS {
        return Err(refused());
    }
    Ok(Some((Attribute::parse(key).ok_or_else(refused)?, value)))
}

impl Attribute {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "EventId" => Self::EventId,
            "EventName" => Self::EventName,
            "ReadOnly" => Self::ReadOnly,
            "Username" => Self::Username,
            "ResourceType" => Self::ResourceType,
            "ResourceName" => Self::ResourceName,
            "EventSource" => Self::EventSource,
            "AccessKeyId" => Self::AccessKeyId,
            _ => return None,
        })
    }

    /// Whether an event has this value.
    fn is(self, event: &Event, value: &str) -> bool {
        match self {
            Self::EventId => event.id() == value,
            Self::EventName => *event.name == *value,
            Self::ReadOnly => event.is_read_only().to_string() == value,
            Self::Username => *event.identity.name == *value,
            Self::ResourceType => event.resources.iter().any(|(kind, _)| *kind == value),
            Self::ResourceName => event.resources.iter().any(|(_, name)| name == value),
            Self::EventSource => event.source() == value,
            Self::AccessKeyId => *event.identity.key_id == *value,
        }
    }
}

/// Seconds since 1970, fractions allowed.
fn time(params: &Params, name: &str) -> Result<Option<Timestamp>, Refusal> {
    let Some(value) = params.member(name) else { return Ok(None) };
    let at = value
        .as_f64()
        .filter(|seconds| *seconds >= 0.0)
        .and_then(|seconds| SignedDuration::try_from_secs_f64(seconds).ok())
        .and_then(|since| Timestamp::UNIX_EPOCH.checked_add(since).ok());
    at.map(Some)
        .ok_or_else(|| invalid("TimeRange", format!("{name} is outside the range of possible values.")))
}

fn invalid(what: &str, message: impl Into<String>) -> Refusal {
    Refusal::new(400, &format!("Invalid{what}Exception"), message)
}

/// A token is good for the request that it came from, and for no other.
fn encode(call: &Call<'_>, (second, number): Position) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("{:016x}:{second}:{number}", fingerprint(call)))
}

fn decode(call: &Call<'_>, token: &str) -> Result<Position, Refusal> {
    let parse = || {
        let text = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let position = text.strip_prefix(&format!("{:016x}:", fingerprint(call)))?;
        let (second, number) = position.split_once(':')?;
        Some((second.parse().ok()?, number.parse().ok()?))
    };
    parse().ok_or_else(|| invalid("NextToken", "The token is not valid, or belongs to another request."))
}

/// The same for every page of one request.
fn fingerprint(call: &Call<'_>) -> u64 {
    let mut asked = call.params.body().cloned().unwrap_or_default();
    if let Some(asked) = asked.as_object_mut() {
        asked.remove("NextToken");
    }
    let mut hasher = DefaultHasher::new();
    (&call.principal.account, call.region, asked.to_string()).hash(&mut hasher);
    hasher.finish()
}

/// An entry of the answer.
fn row(entry: Entry<'_>) -> Value {
    let event = match entry {
        Entry::Raw(value) => return value.clone(),
        Entry::Event(event) => event,
    };
    let resource = |(kind, name): &(&str, String)| json!({ "ResourceType": kind, "ResourceName": name });
    json!({
        "EventId": event.id(),
        "EventName": *event.name,
        "ReadOnly": event.is_read_only().to_string(),
        "AccessKeyId": *event.identity.key_id,
        "EventTime": event.at.as_second(),
        "EventSource": event.source(),
        "Username": *event.identity.name,
        "Resources": event.resources.iter().map(resource).collect::<Vec<_>>(),
        "CloudTrailEvent": record(event).to_string(),
    })
}

/// The record as a trail delivers it (CloudTrail user guide, CloudTrail record contents).
fn record(event: &Event) -> Value {
    let request_id = event.request_id.clone().unwrap_or_else(|| event.id());
    let mut record = json!({
        "eventVersion": "1.11",
        "userIdentity": user_identity(&event.identity),
        "eventTime": event.at.to_string(),
        "eventSource": event.source(),
        "eventName": *event.name,
        "awsRegion": *event.region,
        "sourceIPAddress": event.origin.address,
        "userAgent": event.origin.user_agent,
        "requestParameters": event.parameters,
        "responseElements": event.response,
        "requestID": request_id,
        "eventID": event.id(),
        "readOnly": event.is_read_only(),
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "recipientAccountId": *event.identity.account,
        "eventCategory": "Management",
    });
    if let (Some(error), Some(record)) = (&event.error, record.as_object_mut()) {
        record.insert("errorCode".to_owned(), json!(error.code));
        if let Some(message) = &error.message {
            record.insert("errorMessage".to_owned(), json!(message));
        }
    }
    record
}

fn user_identity(identity: &Identity) -> Value {
    let Identity { account, principal_id, arn, name, key_id, role_arn } = identity;
    let mut shown = json!({
        "principalId": **principal_id,
        "arn": **arn,
        "accountId": **account,
        "accessKeyId": **key_id,
    });
    let more = match role_arn {
        None => [("type", json!("IAMUser")), ("userName", json!(**name))],
        Some(role_arn) => {
            let role_id = principal_id.split(':').next().unwrap_or_default();
            let issuer = json!({
                "type": "Role",
                "principalId": role_id,
                "arn": **role_arn,
                "accountId": **account,
                "userName": role_arn.rsplit('/').next().unwrap_or_default(),
            });
            [("type", json!("AssumedRole")), ("sessionContext", json!({ "sessionIssuer": issuer }))]
        }
    };
    if let Some(shown) = shown.as_object_mut() {
        shown.extend(more.map(|(name, value)| (name.to_owned(), value)));
    }
    shown
}
