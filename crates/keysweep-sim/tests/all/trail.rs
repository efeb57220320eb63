//! CloudTrail as AWS's own client sees it: paging, attributes, windows, limits, refusals.

use std::sync::{Arc, Mutex};

use aws_config::{Region, SdkConfig};
use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::error::ProvideErrorMetadata as _;
use aws_sdk_cloudtrail::primitives::DateTime;
use aws_sdk_cloudtrail::types::{Event, LookupAttribute, LookupAttributeKey};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::sdk::{mk_hub_config, mk_session_config};
use crate::support::*;
use keysweep_sim::watch::{Call, Outcome};
use keysweep_sim::{Fault, HandClock, KeyUse, Rule, Sim, Watcher};

const KEY: &str = "AKIASVCA000000000001";

/// The account with one user and one key, and no limit on lookups.
pub(crate) fn mk_looked_at(clock: &HandClock) -> Sim {
    let (sim, _) = mk_sim(clock);
    sim.configure(|settings| settings.lookups_per_second = None);
    sim
}

pub(crate) fn mk_client(config: &SdkConfig, region: &'static str) -> Client {
    let config = aws_sdk_cloudtrail::config::Builder::from(config).region(Region::new(region));
    Client::from_conf(config.build())
}

pub(crate) fn mk_attribute(key: LookupAttributeKey, value: &str) -> LookupAttribute {
    LookupAttribute::builder().attribute_key(key).attribute_value(value).build().expect("an attribute")
}

/// Every event of a Region with this attribute, newest first.
pub(crate) async fn look_up(
    sim: &Sim,
    region: &'static str,
    key: LookupAttributeKey,
    value: &str,
) -> Vec<Event> {
    let client = mk_client(&mk_session_config(sim, None).await, region);
    let pages = client.lookup_events().lookup_attributes(mk_attribute(key, value)).into_paginator().send();
    let pages = pages.collect::<Result<Vec<_>, _>>().await.expect("pages");
    pages.into_iter().flat_map(|page| page.events.unwrap_or_default()).collect()
}

async fn of_key(sim: &Sim, region: &'static str) -> Vec<Event> {
    look_up(sim, region, LookupAttributeKey::AccessKeyId, KEY).await
}

pub(crate) fn record(event: &Event) -> Value {
    serde_json::from_str(event.cloud_trail_event().expect("a record")).expect("json")
}

fn names(events: &[Event]) -> Vec<&str> {
    events.iter().filter_map(Event::event_name).collect()
}

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

#[tokio::test]
async fn events_come_newest_first_in_pages_of_fifty() {
    let clock = mk_clock();
    let sim = mk_looked_at(&clock);
    for _ in 0..120 {
        sim.use_key(KEY, "ec2", "eu-west-1");
        clock.advance(minutes(1));
    }
    clock.advance(minutes(5));
    let client = mk_client(&mk_session_config(&sim, None).await, "eu-west-1");
    let lookup = client.lookup_events().lookup_attributes(mk_attribute(LookupAttributeKey::AccessKeyId, KEY));
    let pages = lookup.into_paginator().send().collect::<Result<Vec<_>, _>>().await.expect("pages");
    let sizes: Vec<_> = pages.iter().map(|page| page.events().len()).collect();
    assert_eq!(sizes, [50, 50, 20]);
    let times: Vec<_> =
        pages.iter().flat_map(|page| page.events()).filter_map(|event| event.event_time()).collect();
    assert!(times.is_sorted_by(|newer, older| newer > older), "{times:?}");
    let three = client.lookup_events().max_results(3).send().await.expect("a page");
    assert_eq!((three.events().len(), three.next_token().is_some()), (3, true));
}

#[tokio::test]
async fn a_token_is_good_for_its_own_request_only() {
    let clock = mk_clock();
    let sim = mk_looked_at(&clock);
    for _ in 0..3 {
        sim.use_key(KEY, "ec2", "eu-west-1");
    }
    clock.advance(minutes(10));
    let config = mk_session_config(&sim, None).await;
    let client = mk_client(&config, "eu-west-1");
    let first = client.lookup_events().max_results(1).send().await.expect("a page");
    let token = first.next_token().expect("a token");
    let second = client.lookup_events().max_results(1).next_token(token).send().await.expect("a page");
    assert_ne!(first.events()[0].event_id(), second.events()[0].event_id());

    let elsewhere = mk_client(&config, "us-east-1");
    let by_name = mk_attribute(LookupAttributeKey::EventName, "DescribeInstances");
    for lookup in [
        client.lookup_events().max_results(1).next_token("nonsense"),
        client.lookup_events().max_results(1).next_token(token).lookup_attributes(by_name),
        elsewhere.lookup_events().max_results(1).next_token(token),
    ] {
        let error = lookup.send().await.expect_err("a refusal").into_service_error();
        assert!(error.is_invalid_next_token_exception(), "{error:?}");
    }
}

#[tokio::test]
async fn requests_out_of_bounds_are_refused() {
    let sim = mk_looked_at(&mk_clock());
    let client = mk_client(&mk_session_config(&sim, None).await, "us-east-1");
    let refused =
        async |lookup: aws_sdk_cloudtrail::operation::lookup_events::builders::LookupEventsFluentBuilder| {
            lookup.send().await.expect_err("a refusal").into_service_error()
        };
    let lookup = || client.lookup_events();
    let two = lookup()
        .lookup_attributes(mk_attribute(LookupAttributeKey::AccessKeyId, KEY))
        .lookup_attributes(mk_attribute(LookupAttributeKey::EventName, "CreateUser"));
    assert!(refused(two).await.is_invalid_lookup_attributes_exception());
    let unknown = lookup().lookup_attributes(mk_attribute(LookupAttributeKey::from("Color"), "red"));
    assert!(refused(unknown).await.is_invalid_lookup_attributes_exception());
    assert!(refused(lookup().max_results(51)).await.is_invalid_max_results_exception());
    assert!(refused(lookup().max_results(0)).await.is_invalid_max_results_exception());
    let backwards = lookup().start_time(DateTime::from_secs(2000)).end_time(DateTime::from_secs(1000));
    assert!(refused(backwards).await.is_invalid_time_range_exception());
}

#[tokio::test]
async fn each_attribute_finds_its_events() {
    let clock = mk_clock();
    let sim = mk_looked_at(&clock);
    sim.use_key(KEY, "ec2", "us-east-1");
    sim.set_key_status(KEY, "Inactive");
    clock.advance(minutes(10));
    let client = mk_client(&mk_session_config(&sim, None).await, "us-east-1");
    let all = client.lookup_events().send().await.expect("a page");
    assert_eq!(names(all.events()), ["UpdateAccessKey", "DescribeInstances"]);
    let (update, used) = (&all.events()[0], &all.events()[1]);
    assert_eq!((update.read_only(), used.read_only()), (Some("false"), Some("true")));
    for (key, value, found) in [
        (LookupAttributeKey::EventId, used.event_id().expect("an id"), "DescribeInstances"),
        (LookupAttributeKey::EventName, "UpdateAccessKey", "UpdateAccessKey"),
        (LookupAttributeKey::ReadOnly, "true", "DescribeInstances"),
        (LookupAttributeKey::Username, "svc-a", "DescribeInstances"),
        (LookupAttributeKey::ResourceType, "AWS::IAM::AccessKey", "UpdateAccessKey"),
        (LookupAttributeKey::ResourceName, KEY, "UpdateAccessKey"),
        (LookupAttributeKey::EventSource, "iam.amazonaws.com", "UpdateAccessKey"),
        (LookupAttributeKey::AccessKeyId, KEY, "DescribeInstances"),
    ] {
        let name = key.to_string();
        assert_eq!(names(&look_up(&sim, "us-east-1", key, value).await), [found], "{name}");
    }
}

#[tokio::test]
async fn each_region_has_its_own_events_and_global_ones_are_at_home() {
    let clock = mk_clock();
    let sim = mk_looked_at(&clock);
    for (service, region) in
        [("ec2", "eu-west-1"), ("sts", "eu-central-1"), ("sts", "aws-global"), ("iam", "eu-west-1")]
    {
        sim.use_key(KEY, service, region);
        clock.advance(minutes(1));
    }
    clock.advance(minutes(5));
    assert_eq!(names(&of_key(&sim, "eu-west-1").await), ["DescribeInstances"]);
    assert_eq!(names(&of_key(&sim, "eu-central-1").await), ["GetCallerIdentity"]);
    assert_eq!(names(&of_key(&sim, "us-east-1").await), ["ListUsers", "GetCallerIdentity"]);
    assert_eq!(names(&of_key(&sim, "us-west-2").await), [""; 0]);
}

#[tokio::test]
async fn an_event_shows_five_minutes_late_and_for_ninety_days() {
    let clock = mk_clock();
    let sim = mk_looked_at(&clock);
    sim.use_key(KEY, "ec2", "eu-west-1");
    clock.advance(minutes(4));
    assert!(of_key(&sim, "eu-west-1").await.is_empty());
    clock.advance(minutes(1));
    assert_eq!(of_key(&sim, "eu-west-1").await.len(), 1);
    clock.advance(days(90) - minutes(5));
    assert_eq!(of_key(&sim, "eu-west-1").await.len(), 1);
    clock.advance(minutes(1));
    assert!(of_key(&sim, "eu-west-1").await.is_empty());
}

#[tokio::test]
async fn start_and_end_bound_the_events_and_belong_to_them() {
    let clock = mk_clock();
    let sim = mk_looked_at(&clock);
    for _ in 0..3 {
        sim.use_key(KEY, "ec2", "eu-west-1");
        clock.advance(minutes(10));
    }
    let start = mk_clock().now().as_second();
    let client = mk_client(&mk_session_config(&sim, None).await, "eu-west-1");
    let count = async |from: i64, to: i64| {
        let lookup = client.lookup_events();
        let lookup = lookup.start_time(DateTime::from_secs(from)).end_time(DateTime::from_secs(to));
        lookup.send().await.expect("a page").events().len()
    };
    assert_eq!(count(start, start + 1200).await, 3);
    assert_eq!(count(start + 1, start + 600).await, 1);
    assert_eq!(count(start + 1, start + 599).await, 0);
}

#[tokio::test]
async fn a_third_lookup_in_a_second_is_throttled() {
    let clock = mk_clock();
    let (sim, _) = mk_sim(&clock);
    let config = mk_session_config(&sim, None).await;
    let (here, there) = (mk_client(&config, "eu-west-1"), mk_client(&config, "us-east-1"));
    for _ in 0..2 {
        here.lookup_events().send().await.expect("a page");
    }
    let error = here.lookup_events().send().await.expect_err("a refusal");
    assert_eq!((error.code(), error.message()), (Some("ThrottlingException"), Some("Rate exceeded")));
    assert_eq!(error.raw_response().map(|raw| raw.status().as_u16()), Some(400));
    there.lookup_events().send().await.expect("a page of another Region");
    clock.advance(SignedDuration::from_secs(1));
    here.lookup_events().send().await.expect("a page a second later");
}

#[tokio::test]
async fn a_data_event_moves_the_last_use_and_does_not_show() {
    let clock = mk_clock();
    let sim = mk_looked_at(&clock);
    sim.use_key(KEY, "s3", "eu-west-1");
    assert_eq!(sim.key(KEY).and_then(|key| key.last_use).map(|used| used.at), Some(clock.now()));
    clock.advance(minutes(20));
    assert!(of_key(&sim, "eu-west-1").await.is_empty());
    sim.use_key_with(KeyUse::new(KEY, "s3", "eu-west-1").event("ListBuckets"));
    clock.advance(minutes(20));
    assert_eq!(names(&of_key(&sim, "eu-west-1").await), ["ListBuckets"]);
}

#[tokio::test]
async fn a_use_of_a_key_that_does_not_work_leaves_no_event() {
    let clock = mk_clock();
    let sim = mk_looked_at(&clock);
    sim.configure(|settings| settings.inactive_use_counts = true);
    sim.set_key_status(KEY, "Inactive");
    sim.use_key(KEY, "ec2", "eu-west-1");
    sim.delete_key(KEY);
    sim.use_key(KEY, "ec2", "eu-west-1");
    clock.advance(minutes(20));
    assert!(of_key(&sim, "eu-west-1").await.is_empty());
    assert_eq!(sim.missed_uses().len(), 2);
}

#[tokio::test]
async fn a_denied_use_shows_where_it_came_from() {
    let clock = mk_clock();
    let sim = mk_looked_at(&clock);
    let denied = KeyUse::new(KEY, "rds", "eu-west-1").event("StopDBInstance").address("203.0.113.9");
    sim.use_key_with(denied.user_agent("aws-cli/2.31.0").error("AccessDenied"));
    clock.advance(minutes(20));
    let events = of_key(&sim, "eu-west-1").await;
    let record = record(&events[0]);
    for (pointer, value) in [
        ("/userIdentity/type", json!("IAMUser")),
        ("/userIdentity/userName", json!("svc-a")),
        ("/userIdentity/arn", json!("arn:aws:iam::111122223333:user/ci/svc-a")),
        ("/userIdentity/accountId", json!(PROD)),
        ("/userIdentity/accessKeyId", json!(KEY)),
        ("/userIdentity/principalId", json!(sim.user_id(PROD, "svc-a"))),
        ("/eventTime", json!("2026-06-01T12:00:00Z")),
        ("/eventSource", json!("rds.amazonaws.com")),
        ("/eventName", json!("StopDBInstance")),
        ("/awsRegion", json!("eu-west-1")),
        ("/sourceIPAddress", json!("203.0.113.9")),
        ("/userAgent", json!("aws-cli/2.31.0")),
        ("/errorCode", json!("AccessDenied")),
        ("/eventID", json!(events[0].event_id())),
        ("/readOnly", json!(false)),
        ("/eventType", json!("AwsApiCall")),
        ("/managementEvent", json!(true)),
        ("/recipientAccountId", json!(PROD)),
        ("/eventCategory", json!("Management")),
    ] {
        assert_eq!(record.pointer(pointer), Some(&value), "{pointer}");
    }
    assert!(record.get("eventVersion").is_some() && record.get("requestID").is_some());
    let last = sim.key(KEY).and_then(|key| key.last_use).expect("a last use");
    assert_eq!((&*last.service, &*last.region), ("rds", "eu-west-1"));
}

#[tokio::test]
async fn a_call_on_the_wire_is_a_use_of_its_key() {
    let clock = mk_clock();
    let sim = mk_looked_at(&clock);
    let credentials = Credentials { key_id: KEY.to_owned(), token: None };
    assert_eq!(sts(&sim, &credentials, "GetCallerIdentity").await.status, 200);
    assert_eq!(iam(&sim, &credentials, "ListUsers").await.status, 403);
    clock.advance(minutes(20));
    let events = of_key(&sim, "us-east-1").await;
    assert_eq!(names(&events), ["ListUsers", "GetCallerIdentity"]);
    assert_eq!(record(&events[0]).get("errorCode"), Some(&json!("AccessDenied")));
    assert_eq!(record(&events[1]).get("errorCode"), None);
}

#[tokio::test]
async fn raw_entries_are_shown_as_they_are() {
    let clock = mk_clock();
    let sim = mk_looked_at(&clock);
    let tomorrow = clock.now().as_second() + 86_400;
    sim.use_key(KEY, "ec2", "eu-west-1");
    sim.add_event(PROD, "eu-west-1", json!({}));
    sim.add_event(PROD, "eu-west-1", json!({ "EventName": "Broken", "CloudTrailEvent": "{no json" }));
    let stray = json!({ "EventId": "x", "AccessKeyId": "AKIAOTHER", "EventTime": tomorrow });
    sim.add_event(PROD, "eu-west-1", stray);
    clock.advance(minutes(20));
    let events = of_key(&sim, "eu-west-1").await;
    let shown: Vec<_> = events.iter().map(|event| (event.access_key_id(), event.event_name())).collect();
    assert_eq!(
        shown,
        [
            (Some("AKIAOTHER"), None),
            (None, Some("Broken")),
            (None, None),
            (Some(KEY), Some("DescribeInstances"))
        ]
    );
    assert_eq!(events[0].event_time().map(DateTime::secs), Some(tomorrow));
    assert_eq!(events[1].cloud_trail_event(), Some("{no json"));
}

#[tokio::test]
async fn a_lookup_needs_permission_of_role_session_and_hub() {
    let clock = mk_clock();
    let sim = mk_looked_at(&clock);
    let refused = async |config: &SdkConfig| {
        let error = mk_client(config, "eu-west-1").lookup_events().send().await.expect_err("a refusal");
        assert_eq!(error.raw_response().map(|raw| raw.status().as_u16()), Some(400));
        assert!(error.message().is_some_and(|text| text.contains("cloudtrail:LookupEvents")));
        error.code().map(str::to_owned)
    };
    let allow = |action: &str| {
        json!({ "Version": "2012-10-17", "Statement": { "Effect": "Allow", "Action": action, "Resource": "*" } })
            .to_string()
    };
    let denied = Some("AccessDeniedException".to_owned());
    assert_eq!(refused(&mk_session_config(&sim, Some(&allow("iam:*"))).await).await, denied);
    let allowed = mk_session_config(&sim, Some(&allow("cloudtrail:LookupEvents"))).await;
    mk_client(&allowed, "eu-west-1").lookup_events().send().await.expect("a page");

    sim.set_role_policy(PROD, "keysweep/KeysweepScan", Some(&allow("iam:*"))).expect("a policy");
    assert_eq!(refused(&mk_session_config(&sim, None).await).await, denied);
    sim.set_role_policy(PROD, "keysweep/KeysweepScan", Some(&allow("cloudtrail:Lookup*"))).expect("a policy");
    let config = mk_session_config(&sim, None).await;
    mk_client(&config, "eu-west-1").lookup_events().send().await.expect("a page");

    sim.set_hub_policy(Some(&allow("organizations:*"))).expect("a policy");
    assert_eq!(refused(&mk_hub_config(&sim)).await, denied);
}

#[tokio::test]
async fn credentials_are_not_valid_in_a_disabled_region() {
    let sim = mk_looked_at(&mk_clock());
    let config = mk_session_config(&sim, None).await;
    let client = mk_client(&config, "eu-south-1");
    let lookup = async || client.lookup_events().send().await;
    for status in ["DISABLED", "ENABLING", "DISABLING"] {
        sim.set_region(PROD, "eu-south-1", status);
        let error = lookup().await.expect_err("a refusal");
        assert_eq!(error.code(), Some("UnrecognizedClientException"), "{status}");
        assert_eq!(error.message(), Some("The security token included in the request is invalid."));
        assert_eq!(error.raw_response().map(|raw| raw.status().as_u16()), Some(400));
    }
    sim.set_region(PROD, "eu-south-1", "ENABLED");
    lookup().await.expect("a page");
}

#[tokio::test]
async fn a_fault_can_strike_one_region() {
    let sim = mk_looked_at(&mk_clock());
    let config = mk_session_config(&sim, None).await;
    sim.fault(Rule::new(Fault::Throttle).action("cloudtrail:*").region("eu-west-1"));
    let lookup = async |region| mk_client(&config, region).lookup_events().send().await;
    let error = lookup("eu-west-1").await.expect_err("a refusal");
    assert_eq!(error.code(), Some("ThrottlingException"));
    lookup("eu-central-1").await.expect("a page");
    sim.clear_faults();
    sim.fault(Rule::new(Fault::EmptyPage).action("cloudtrail:*"));
    sim.add_event(PROD, "eu-west-1", json!({ "EventId": "x" }));
    let page = lookup("eu-west-1").await.expect("a page");
    assert_eq!((page.events().len(), page.next_token().is_some()), (0, true));
}

/// Keeps what it has seen of lookups.
#[derive(Default)]
struct Seen(Mutex<Vec<(String, String, Value)>>);

impl Watcher for Seen {
    fn comes(&self, call: &Call<'_>) -> bool {
        if let ("cloudtrail:LookupEvents", Some(body)) = (call.action, call.body()) {
            let mut seen = self.0.lock().expect("a lock");
            seen.push((call.account.to_owned(), call.region().to_owned(), body.clone()));
        }
        true
    }

    fn ends(&self, _: &Call<'_>, _: &Outcome<'_>) -> bool {
        true
    }
}

#[tokio::test]
async fn the_watcher_sees_account_region_and_body() {
    let sim = mk_looked_at(&mk_clock());
    let seen = Arc::new(Seen::default());
    sim.watch(seen.clone());
    of_key(&sim, "eu-west-1").await;
    let seen = seen.0.lock().expect("a lock");
    let body = json!({ "LookupAttributes": [{ "AttributeKey": "AccessKeyId", "AttributeValue": KEY }] });
    assert_eq!(*seen, [(PROD.to_owned(), "eu-west-1".to_owned(), body)]);
    assert_eq!(sim.call_count(PROD, "cloudtrail:LookupEvents"), 1);
}
