//! Changes of IAM as CloudTrail shows them: by whom, from where, with what.

use aws_sdk_cloudtrail::types::{Event, LookupAttributeKey};
use aws_sdk_iam::types::StatusType;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::sdk::mk_session_config;
use crate::support::*;
use crate::trail::{look_up, mk_looked_at, record};
use keysweep_sim::{Fault, HandClock, Happening, Origin, Rule, Sim};

const KEY: &str = "AKIASVCA000000000001";

/// The newest event of that name, and its record.
async fn newest(sim: &Sim, clock: &HandClock, name: &str) -> Option<(Event, Value)> {
    clock.advance(SignedDuration::from_mins(6));
    let event = look_up(sim, "us-east-1", LookupAttributeKey::EventName, name).await.into_iter().next()?;
    let record = record(&event);
    Some((event, record))
}

fn assert_fields(record: &Value, fields: &[(&str, Value)]) {
    for (pointer, value) in fields {
        assert_eq!(record.pointer(pointer), Some(value), "{pointer} of {record}");
    }
}

#[tokio::test]
async fn the_creator_of_a_key_is_in_the_trail() {
    let clock = mk_clock();
    let sim = mk_looked_at(&clock);
    sim.user(PROD, "alice").path("/people/").add();
    let create = Happening::CreateKey { account: PROD.into(), user: "svc-a".into(), key_id: None };
    sim.happen("alice", create);
    let made = sim.keys_of(PROD, "svc-a").pop().expect("a key").key_id;
    let (event, record) = newest(&sim, &clock, "CreateAccessKey").await.expect("an event");
    assert_eq!(event.username(), Some("alice"));
    let resources: Vec<_> =
        event.resources().iter().filter_map(|resource| resource.resource_name()).collect();
    assert_eq!(resources, [made.as_str(), "svc-a"]);
    assert_fields(
        &record,
        &[
            ("/userIdentity/type", json!("IAMUser")),
            ("/userIdentity/arn", json!("arn:aws:iam::111122223333:user/people/alice")),
            ("/userAgent", json!(Origin::console().user_agent)),
            ("/requestParameters", json!({ "userName": "svc-a" })),
            ("/responseElements/accessKey/accessKeyId", json!(made)),
            ("/responseElements/accessKey/userName", json!("svc-a")),
            ("/readOnly", json!(false)),
        ],
    );
    let by_key = look_up(&sim, "us-east-1", LookupAttributeKey::ResourceName, &made).await;
    assert_eq!(by_key.len(), 1, "the key made is a resource, and did not sign");
}

#[tokio::test]
async fn terraform_shows_by_its_user_agent() {
    let clock = mk_clock();
    let sim = mk_looked_at(&clock);
    sim.set_key_status(KEY, "Inactive");
    sim.set_origin("terraform", Origin::terraform());
    let what = Happening::SetKeyStatus { key_id: KEY.into(), status: "Active".into() };
    sim.happen("terraform", what);
    let (_, record) = newest(&sim, &clock, "UpdateAccessKey").await.expect("an event");
    let parameters = json!({ "userName": "svc-a", "accessKeyId": KEY, "status": "Active" });
    assert_fields(
        &record,
        &[
            ("/requestParameters", parameters),
            ("/userAgent", json!(Origin::terraform().user_agent)),
            ("/sourceIPAddress", json!("198.51.100.80")),
            ("/userIdentity/type", json!("AssumedRole")),
        ],
    );
}

#[tokio::test]
async fn a_caller_on_the_wire_shows_with_session_address_and_client() {
    let clock = mk_clock();
    let sim = mk_looked_at(&clock);
    let iam = aws_sdk_iam::Client::new(&mk_session_config(&sim, None).await);
    let update = iam.update_access_key().user_name("svc-a").access_key_id(KEY);
    update.status(StatusType::Inactive).send().await.expect("a change");
    let request_id = sim.changes()[0].request_id.clone();
    let (event, record) = newest(&sim, &clock, "UpdateAccessKey").await.expect("an event");
    assert!(event.access_key_id().is_some_and(|id| id.starts_with("ASIA")));
    assert_eq!(event.username(), Some("test"));
    let parameters = json!({ "userName": "svc-a", "accessKeyId": KEY, "status": "Inactive" });
    assert_fields(
        &record,
        &[
            ("/userIdentity/type", json!("AssumedRole")),
            ("/userIdentity/arn", json!("arn:aws:sts::111122223333:assumed-role/KeysweepScan/test")),
            ("/userIdentity/sessionContext/sessionIssuer/arn", json!(ROLE_ARN)),
            ("/sourceIPAddress", json!("192.0.2.10")),
            ("/requestParameters", parameters),
            ("/responseElements", Value::Null),
            ("/requestID", json!(request_id)),
        ],
    );
    assert!(record["userAgent"].as_str().is_some_and(|agent| agent.contains("aws-sdk-rust")), "{record}");
    assert_eq!(record.get("errorCode"), None);
}

#[tokio::test]
async fn a_denied_change_shows_with_its_error() {
    let clock = mk_clock();
    let sim = mk_looked_at(&clock);
    let policy =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:Get*","Resource":"*"}}"#;
    let iam = aws_sdk_iam::Client::new(&mk_session_config(&sim, Some(policy)).await);
    iam.delete_access_key().user_name("svc-a").access_key_id(KEY).send().await.expect_err("a refusal");
    let (_, record) = newest(&sim, &clock, "DeleteAccessKey").await.expect("an event");
    assert_fields(&record, &[("/errorCode", json!("AccessDenied"))]);
    let parameters = json!({ "userName": "svc-a", "accessKeyId": KEY });
    assert_fields(&record, &[("/requestParameters", parameters), ("/responseElements", Value::Null)]);
    assert!(record["errorMessage"].as_str().is_some_and(|text| text.contains("no session policy allows")));

    let iam = aws_sdk_iam::Client::new(&mk_session_config(&sim, None).await);
    iam.delete_access_key()
        .user_name("svc-a")
        .access_key_id("AKIANOKEY")
        .send()
        .await
        .expect_err("a refusal");
    let (_, record) = newest(&sim, &clock, "DeleteAccessKey").await.expect("an event");
    assert_fields(&record, &[("/errorCode", json!("NoSuchEntityException"))]);
}

#[tokio::test]
async fn a_change_that_never_arrived_leaves_no_event() {
    let clock = mk_clock();
    let sim = mk_looked_at(&clock);
    let iam = aws_sdk_iam::Client::new(&mk_session_config(&sim, None).await);
    for (fault, shows) in [
        (Fault::ResetBefore, false),
        (Fault::Page { status: 403, body: "proxy".into() }, false),
        (Fault::AccessDenied, true),
        (Fault::AnswerLost, true),
    ] {
        let shown = format!("{fault:?}");
        sim.clear_faults();
        sim.fault(Rule::new(fault).action("iam:DeleteAccessKey"));
        iam.delete_access_key().user_name("svc-a").access_key_id(KEY).send().await.expect_err("no answer");
        let before = newest(&sim, &clock, "DeleteAccessKey").await.is_some();
        assert_eq!(before, shows, "{shown}");
    }
}

#[tokio::test]
async fn people_show_with_everything_they_change_about_a_user() {
    let clock = mk_clock();
    let sim = mk_looked_at(&clock);
    let arn = "arn:aws:iam::aws:policy/AWSDenyAll";
    sim.tag_user(PROD, "svc-a", "team", "ops");
    sim.attach_policy(PROD, "svc-a", arn);
    sim.detach_policy(PROD, "svc-a", arn);
    sim.happen(
        "owner",
        Happening::CreateUser { account: PROD.into(), name: "svc-new".into(), path: "/".into() },
    );
    sim.rename_user(PROD, "svc-new", "svc-newer");
    sim.delete_key(KEY);
    for (name, parameters) in [
        ("TagUser", json!({ "userName": "svc-a", "tags": [{ "key": "team", "value": "ops" }] })),
        ("AttachUserPolicy", json!({ "userName": "svc-a", "policyArn": arn })),
        ("DetachUserPolicy", json!({ "userName": "svc-a", "policyArn": arn })),
        ("CreateUser", json!({ "userName": "svc-new" })),
        ("UpdateUser", json!({ "userName": "svc-new", "newUserName": "svc-newer" })),
        ("DeleteAccessKey", json!({ "userName": "svc-a", "accessKeyId": KEY })),
    ] {
        let (event, record) = newest(&sim, &clock, name).await.expect("an event");
        assert_eq!(event.event_source(), Some("iam.amazonaws.com"));
        assert_eq!(record.get("requestParameters"), Some(&parameters), "{name}");
    }
}

#[tokio::test]
async fn the_same_script_leaves_the_same_events() {
    let run = async || {
        let clock = mk_clock();
        let sim = mk_looked_at(&clock);
        sim.use_key(KEY, "iam", "us-east-1");
        sim.set_key_status(KEY, "Inactive");
        let (event, record) = newest(&sim, &clock, "UpdateAccessKey").await.expect("an event");
        (event, record)
    };
    assert_eq!(run().await, run().await);
}
