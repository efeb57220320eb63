//! What CloudTrail's event history shows of a key.
//!
//! The event history of a Region has the management events of the last 90 days, about five minutes late (CloudTrail user
//! guide, "Working with CloudTrail event history"). Calls on data are not in it, and neither are calls that fail
//! authentication, such as those signed with an Inactive key.

use std::collections::BTreeMap;

use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::types::{Event, LookupAttribute, LookupAttributeKey};
use aws_smithy_types::DateTime;
use jiff::Timestamp;
use keysweep_core::evidence::{Activity, Creation, RegionTrail, TracedCall, UserChange};
use keysweep_core::ids::{AccessKeyId, UserName};
use serde_json::Value;

use crate::aws::{Hub, passes};
use crate::convert::{in_future, timestamp, told};
use crate::fault::Fault;
use crate::pages::{Pages, paged};
use crate::reader::Reader;
use crate::session::Account;

const LOOK_UP: &str = "cloudtrail:LookupEvents";
const LIST_REGIONS: &str = "account:ListRegions";

/// The most that AWS gives in a page (CloudTrail API reference, `MaxResults` of `LookupEvents`).
const PAGE: i32 = 50;

/// A page without events may be followed by others that have some: so many are turned.
const EMPTY_PAGES: usize = 5;

/// Pages of all calls of one name in an account: 250 calls.
const PAGES: usize = 5;

/// Pages of all creations of keys in an account: 2,000, within 20 seconds at the quota of AWS.
const PAGES_OF_CREATIONS: usize = 40;

/// Changes of a user that are enough: as many as records keep.
const USER_CHANGES: usize = 5;

/// What is kept of a text that a caller may choose, such as its user agent: records hold it.
const KEPT: usize = 200;

impl Reader {
    /// The Regions in which calls of this account can be made; `account:ListRegions`, every page.
    ///
    /// A Region that is being enabled or disabled is among them: a key may have been used there.
    ///
    /// # Errors
    /// If any page cannot be read, or shows a Region without a name.
    pub async fn enabled_regions(&self) -> Result<Vec<String>, Fault> {
        let operation = || format!("list Regions of {}", self.account());
        let mut names = Vec::new();
        let ask = async |token: Option<String>| {
            self.call_by(LIST_REGIONS, operation, Hub::account_client, |client| {
                client.list_regions().max_results(PAGE).set_next_token(token.clone()).send()
            })
            .await
        };
        paged(LIST_REGIONS, operation, ask, |page| {
            for region in told("Regions", page.regions.as_deref())? {
                let name = region.region_name().filter(|name| !name.is_empty());
                let name = name.ok_or("answer shows a Region without a name")?;
                let status = region.region_opt_status().map(|status| status.as_str());
                if status != Some("DISABLED") {
                    names.push(name.to_owned());
                }
            }
            Ok(())
        })
        .await?;
        Ok(names)
    }

    /// The newest events of a key in one Region, at most 50; `cloudtrail:LookupEvents`, the first page that has any.
    ///
    /// `since` is at most 90 days ago, and `now` is policy time. An event that cannot be understood makes the whole
    /// answer [unclear](RegionTrail::Unclear).
    ///
    /// # Errors
    /// If the call fails, or the answer has no list of events.
    pub async fn activity(
        &self,
        key: &AccessKeyId,
        region: &str,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<RegionTrail, Fault> {
        let of = || format!("key {key}");
        let mut lookup =
            Lookup::new(self, region, since, (LookupAttributeKey::AccessKeyId, key.as_str()), &of)?;
        for _ in 0..EMPTY_PAGES {
            let events = lookup.page().await?;
            if !events.is_empty() || lookup.is_at_its_end() {
                let read: Result<Vec<_>, _> =
                    events.iter().map(|event| activity(event, key, region, now)).collect();
                return Ok(read.map_or_else(RegionTrail::Unclear, RegionTrail::Read));
            }
        }
        Ok(RegionTrail::Unread(format!("{EMPTY_PAGES} empty pages in a row, and more pages follow")))
    }

    /// The newest call that set each of these keys Active in the span given for it; `cloudtrail:LookupEvents` by `EventName`,
    /// the newest pages. `region` is where CloudTrail records calls to IAM. A key without such a call in there is not in the
    /// answer.
    ///
    /// # Errors
    /// If a call fails, or an answer has no list of events.
    pub async fn reactivations(
        &self,
        keys: &BTreeMap<AccessKeyId, (Timestamp, Timestamp)>,
        region: &str,
    ) -> Result<BTreeMap<AccessKeyId, TracedCall>, Fault> {
        let of = || "UpdateAccessKey".to_owned();
        let Some(since) = keys.values().map(|(from, _)| *from).min() else { return Ok(BTreeMap::new()) };
        let mut lookup =
            Lookup::new(self, region, since, (LookupAttributeKey::EventName, "UpdateAccessKey"), &of)?;
        let mut found = BTreeMap::new();
        for _ in 0..PAGES {
            for event in lookup.page().await? {
                let Some((key, reactivation)) = reactivation(&event) else { continue };
                // CloudTrail tells the second.
                let within = |(from, until): &(Timestamp, Timestamp)| {
                    from.as_second() <= reactivation.at.as_second() && reactivation.at <= *until
                };
                if keys.get(&key).is_some_and(within) {
                    // Newest first.
                    found.entry(key).or_insert(reactivation);
                }
            }
            if lookup.is_at_its_end() || found.len() == keys.len() {
                break;
            }
        }
        Ok(found)
    }
}

impl Reader {
    /// Who created access keys of this account since then; `cloudtrail:LookupEvents` by `EventName`, the newest pages.
    /// `region` is where CloudTrail records calls to IAM. An event that does not tell key, user, or caller is left out. With
    /// them, whether there are older ones that were not read.
    ///
    /// # Errors
    /// If a call fails, or an answer has no list of events.
    pub async fn creations(
        &self,
        region: &str,
        since: Timestamp,
    ) -> Result<(BTreeMap<AccessKeyId, Creation>, bool), Fault> {
        let of = || "CreateAccessKey".to_owned();
        let mut lookup =
            Lookup::new(self, region, since, (LookupAttributeKey::EventName, "CreateAccessKey"), &of)?;
        let mut found = BTreeMap::new();
        for _ in 0..PAGES_OF_CREATIONS {
            found.extend(lookup.page().await?.iter().filter_map(creation));
            if lookup.is_at_its_end() {
                return Ok((found, false));
            }
        }
        Ok((found, true))
    }

    /// Changes of a user since then that succeeded, newest first; `cloudtrail:LookupEvents` by `ResourceName`, until there
    /// are a few. `region` is where CloudTrail records calls to IAM.
    ///
    /// # Errors
    /// If a call fails, or an answer has no list of events.
    pub async fn user_changes(
        &self,
        user: &UserName,
        region: &str,
        since: Timestamp,
    ) -> Result<Vec<UserChange>, Fault> {
        let of = || format!("user {user}");
        let mut lookup =
            Lookup::new(self, region, since, (LookupAttributeKey::ResourceName, user.as_str()), &of)?;
        let mut found = Vec::new();
        for _ in 0..PAGES {
            found.extend(lookup.page().await?.iter().filter_map(|event| user_change(event, user)));
            // Reads, and what else has the name, may fill pages.
            if found.len() >= USER_CHANGES || lookup.is_at_its_end() {
                break;
            }
        }
        Ok(found)
    }
}

/// A lookup in the event history of one Region, page by page.
struct Lookup<'a> {
    reader: &'a Reader,
    region: &'a str,
    since: Timestamp,
    attribute: LookupAttribute,
    /// What is looked up, in words.
    of: &'a (dyn Fn() -> String + Sync),
    pages: Pages,
    /// Of the next page; none once the last was read.
    token: Option<String>,
    begun: bool,
}

impl<'a> Lookup<'a> {
    fn new(
        reader: &'a Reader,
        region: &'a str,
        since: Timestamp,
        (key, value): (LookupAttributeKey, &str),
        of: &'a (dyn Fn() -> String + Sync),
    ) -> Result<Self, Fault> {
        let attribute = LookupAttribute::builder().attribute_key(key).attribute_value(value).build();
        let (pages, token, begun) = (Pages::default(), None, false);
        let operation = || operation(reader, region, of);
        let attribute = attribute.map_err(|error| Fault::bug(LOOK_UP, operation(), error.to_string()))?;
        Ok(Self { reader, region, since, attribute, of, pages, token, begun })
    }

    fn is_at_its_end(&self) -> bool {
        self.begun && self.token.is_none()
    }

    /// The next page, of which there is one.
    async fn page(&mut self) -> Result<Vec<Event>, Fault> {
        let Self { reader, region, since, ref attribute, of, .. } = *self;
        let operation = || operation(reader, region, of);
        let token = self.token.take();
        let look = async |client: Client, token: Option<String>| {
            let attempt = || async {
                reader.account.turn_in(region).await;
                let call = client.lookup_events().lookup_attributes(attribute.clone()).max_results(PAGE);
                call.start_time(DateTime::from_secs(since.as_second()))
                    .set_next_token(token.clone())
                    .send()
                    .await
            };
            reader.hub.patiently(attempt, passes).await
        };
        let client = |hub: &Hub, _: &Account, credentials| hub.cloudtrail_client(credentials, region);
        let page =
            reader.call_by(LOOK_UP, operation, client, |client| look(client.clone(), token.clone())).await?;
        let bug = |what: String| Fault::bug(LOOK_UP, operation(), what);
        let events = told("Events", page.events.as_deref()).map_err(bug)?.to_vec();
        self.token = self.pages.next(&page).map_err(|what| bug(what.to_owned()))?;
        self.begun = true;
        Ok(events)
    }
}

fn operation(reader: &Reader, region: &str, of: &dyn Fn() -> String) -> String {
    format!("look up events of {} in {region} of {}", of(), reader.account())
}

/// The key that a call set Active, and the call, if it is one that did.
fn reactivation(event: &Event) -> Option<(AccessKeyId, TracedCall)> {
    let record = successful(event)?;
    let active = text(&record, "/requestParameters/status").is_some_and(|status| status == "Active");
    let key = text(&record, "/requestParameters/accessKeyId").filter(|_| active)?.parse().ok()?;
    Some((key, traced(event, &record)?))
}

/// The key that a call created, whose it is, and the call, if it is one that did.
fn creation(event: &Event) -> Option<(AccessKeyId, Creation)> {
    let record = successful(event)?;
    let key = text(&record, "/responseElements/accessKey/accessKeyId")?.parse().ok()?;
    let user = text(&record, "/responseElements/accessKey/userName")
        .or_else(|| text(&record, "/requestParameters/userName"))?;
    Some((key, Creation { user_name: user.parse().ok()?, call: traced(event, &record)? }))
}

/// A call of IAM that changed this user, if it is one that did. Something else may have the same name.
fn user_change(event: &Event, user: &UserName) -> Option<UserChange> {
    let record = successful(event)?;
    let reads = record.get("readOnly").and_then(Value::as_bool).unwrap_or(false);
    let of_iam = event.event_source().is_some_and(|source| source == "iam.amazonaws.com");
    // Without a name, IAM acts on the caller (IAM API reference, `UserName` of `CreateAccessKey`).
    let caller = || text(&record, "/userIdentity/userName").filter(|_| is_of_user(&record));
    let of_user = text(&record, "/requestParameters/userName").or_else(caller);
    let of_user = of_user.is_some_and(|name| name == user.as_str());
    let name = kept(event.event_name().filter(|_| of_iam && of_user && !reads)?);
    Some(UserChange { name, call: traced(event, &record)? })
}

fn is_of_user(record: &Value) -> bool {
    text(record, "/userIdentity/type").is_some_and(|kind| kind == "IAMUser")
}

/// The record of a call that succeeded.
fn successful(event: &Event) -> Option<Value> {
    let record: Value = serde_json::from_str(event.cloud_trail_event()?).ok()?;
    record.get("errorCode").is_none_or(Value::is_null).then_some(record)
}

/// Who made a call, from where, and with what.
fn traced(event: &Event, record: &Value) -> Option<TracedCall> {
    let by = text(record, "/userIdentity/arn")
        .or_else(|| text(record, "/userIdentity/invokedBy"))
        .or_else(|| event.username().map(kept))?;
    Some(TracedCall {
        at: timestamp("EventTime", event.event_time()).ok()?,
        by,
        address: text(record, "/sourceIPAddress"),
        user_agent: text(record, "/userAgent"),
        event_id: event.event_id().map(kept),
    })
}

fn text(record: &Value, pointer: &str) -> Option<String> {
    record.pointer(pointer).and_then(Value::as_str).map(kept)
}

/// An event of the key that was asked for, at a time that has passed. Everything else about it only describes the use.
fn activity(event: &Event, key: &AccessKeyId, region: &str, now: Timestamp) -> Result<Activity, String> {
    let id = event.event_id().map(kept);
    let of = |what: String| match &id {
        Some(id) => format!("event {id}: {what}"),
        None => format!("event without an ID: {what}"),
    };
    if let Some(other) = event.access_key_id().filter(|other| *other != key.as_str()) {
        return Err(of(format!("answer is about key {}", kept(other))));
    }
    let at = timestamp("EventTime", event.event_time()).map_err(of)?;
    if in_future(at, now) {
        return Err(of(format!("answer's EventTime {at} lies in the future")));
    }
    // The record of the event is a text of its own, and no more than a description.
    let record: Value =
        event.cloud_trail_event().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let described = |name: &str| record.get(name).and_then(Value::as_str).map(kept);
    Ok(Activity {
        at,
        region: region.to_owned(),
        source: event.event_source().map(kept),
        name: event.event_name().map(kept),
        address: described("sourceIPAddress"),
        user_agent: described("userAgent"),
        error: described("errorCode"),
        event_id: id,
    })
}

fn kept(text: &str) -> String {
    text.chars().take(KEPT).collect()
}
