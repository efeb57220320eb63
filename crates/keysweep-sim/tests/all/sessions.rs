//! AssumeRole, and what sessions may do.

use jiff::SignedDuration;

use crate::support::*;
use keysweep_sim::{Hub, RoleSpec};

fn mk_policy(statement: &str) -> String {
    format!("&Policy={}", encode(&format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#)))
}

#[tokio::test]
async fn the_answer_names_account_role_and_session() {
    let (sim, _) = mk_sim(&mk_clock());
    let form = format!("AssumeRole&RoleArn={ROLE_ARN}&RoleSessionName=keysweep&ExternalId=x1");
    let reply = sts(&sim, &mk_hub(&sim), &form).await;
    let arn = "arn:aws:sts::111122223333:assumed-role/KeysweepScan/keysweep";
    assert_eq!(reply.field("Arn"), Some(arn));
    assert_eq!(reply.field("Expiration"), Some("2026-06-01T13:00:00Z"));
    let caller = session(&sim).await;
    let reply = sts(&sim, &caller, "GetCallerIdentity").await;
    assert_eq!(reply.field("Account"), Some(PROD));
}

#[tokio::test]
async fn a_missing_role_and_a_wrong_external_id_look_the_same() {
    let (sim, _) = mk_sim(&mk_clock());
    let hub = mk_hub(&sim);
    for form in [
        format!("AssumeRole&RoleArn={ROLE_ARN}&RoleSessionName=test&ExternalId=wrong"),
        format!("AssumeRole&RoleArn={ROLE_ARN}&RoleSessionName=test"),
        format!("AssumeRole&RoleArn={ROLE_ARN}X&RoleSessionName=test&ExternalId=x1"),
        "AssumeRole&RoleArn=arn:aws:iam::999900009999:role/x&RoleSessionName=test".to_owned(),
    ] {
        assert_eq!(sts(&sim, &hub, &form).await.refusal(), (403, "AccessDenied"), "{form}");
    }
    sim.remove_role(PROD, "keysweep/KeysweepScan");
    let form = format!("AssumeRole&RoleArn={ROLE_ARN}&RoleSessionName=test&ExternalId=x1");
    assert_eq!(sts(&sim, &hub, &form).await.refusal(), (403, "AccessDenied"));
}

#[tokio::test]
async fn a_role_may_trust_one_caller_only() {
    let (sim, _) = mk_sim(&mk_clock());
    sim.set_role(PROD, RoleSpec::new("r").trusts("arn:aws:iam::100000000000:role/other"));
    sim.set_role(PROD, RoleSpec::new("h").trusts("arn:aws:iam::100000000000:root"));
    let form =
        |role: &str| format!("AssumeRole&RoleArn=arn:aws:iam::{PROD}:role/{role}&RoleSessionName=test");
    assert_eq!(sts(&sim, &mk_hub(&sim), &form("r")).await.refusal(), (403, "AccessDenied"));
    assert_eq!(sts(&sim, &mk_hub(&sim), &form("h")).await.status, 200);
}

#[tokio::test]
async fn durations_have_three_bounds() {
    let (sim, _) = mk_sim(&mk_clock());
    sim.set_role(PROD, RoleSpec::new("keysweep/KeysweepScan").external_id("x1").max_session(7200));
    let form = |seconds: u32| {
        format!("AssumeRole&RoleArn={ROLE_ARN}&RoleSessionName=test&ExternalId=x1&DurationSeconds={seconds}")
    };
    let hub = mk_hub(&sim);
    assert_eq!(sts(&sim, &hub, &form(899)).await.refusal(), (400, "ValidationError"));
    assert_eq!(sts(&sim, &hub, &form(43_201)).await.refusal(), (400, "ValidationError"));
    assert_eq!(
        sts(&sim, &hub, &form(7201)).await.refusal(),
        (400, "ValidationError"),
        "over the role's maximum"
    );
    assert_eq!(sts(&sim, &hub, &form(7200)).await.status, 200);
    sim.configure(|settings| settings.hub = Hub::Role("Hub".to_owned()));
    let hub = mk_hub(&sim);
    assert_eq!(
        sts(&sim, &hub, &form(7200)).await.refusal(),
        (400, "ValidationError"),
        "chained: an hour at most"
    );
    assert_eq!(sts(&sim, &hub, &form(3600)).await.status, 200);
}

#[tokio::test]
async fn names_and_policies_have_lengths() {
    let (sim, _) = mk_sim(&mk_clock());
    let hub = mk_hub(&sim);
    let form = |name: &str, more: &str| {
        format!("AssumeRole&RoleArn={ROLE_ARN}&RoleSessionName={name}&ExternalId=x1{more}")
    };
    let long = "x".repeat(65);
    let policy = format!("&Policy={}", "x".repeat(2049));
    for (name, more) in [
        ("x", ""),
        (long.as_str(), ""),
        ("a%20b", ""),
        ("test", "&SourceIdentity=x"),
        ("test", policy.as_str()),
    ] {
        assert_eq!(
            sts(&sim, &hub, &form(name, more)).await.refusal(),
            (400, "ValidationError"),
            "{name} {more}"
        );
    }
    let reply = sts(&sim, &hub, &form("test", "&Policy=%7B")).await;
    assert_eq!(reply.refusal(), (400, "MalformedPolicyDocument"));
}

#[tokio::test]
async fn credentials_expire_and_unknown_ones_are_invalid() {
    let (wall, clock) = (mk_clock(), mk_clock());
    let (sim, _) = mk_sim(&clock);
    let sim = sim.with_wall_clock(wall.clock());
    let caller = session(&sim).await;
    clock.advance(days(30));
    assert_eq!(iam(&sim, &caller, "ListUsers").await.status, 200, "policy time does not end sessions");
    wall.advance(SignedDuration::from_hours(1));
    assert_eq!(iam(&sim, &caller, "ListUsers").await.refusal(), (403, "ExpiredToken"));
    let body = organizations(&sim, &caller, "ListAccounts", "{}").await.json();
    assert_eq!(body["__type"], "ExpiredTokenException");

    let wrong = Credentials { token: Some("other".to_owned()), ..session(&sim).await };
    assert_eq!(iam(&sim, &wrong, "ListUsers").await.refusal(), (403, "InvalidClientTokenId"));
    let nobody = Credentials { key_id: "AKIANOBODY".to_owned(), token: None };
    assert_eq!(iam(&sim, &nobody, "ListUsers").await.refusal(), (403, "InvalidClientTokenId"));
}

#[tokio::test]
async fn a_session_policy_allows_one_action_on_one_user_and_no_more() {
    let (sim, user) = mk_sim(&mk_clock());
    sim.user(PROD, "svc-b").path("/ci/").key(keysweep_sim::KeySpec::new().id("AKIAB")).add();
    let policy = mk_policy(
        r#"{"Effect":"Allow","Action":"iam:UpdateAccessKey","Resource":"arn:aws:iam::111122223333:user/ci/svc-a",
            "Condition":{"Null":{"aws:ResourceTag/keysweep:exempt":"true"}}}"#,
    );
    let caller = session_with(&sim, &policy).await;
    let update = format!("UpdateAccessKey&UserName=svc-a&AccessKeyId={}&Status=Inactive", user.keys[0]);
    assert_eq!(iam(&sim, &caller, "GetUser&UserName=svc-a").await.refusal(), (403, "AccessDenied"));
    let other = iam(&sim, &caller, "UpdateAccessKey&UserName=svc-b&AccessKeyId=AKIAB&Status=Inactive").await;
    assert_eq!(
        other.field("Message"),
        Some(
            "User: arn:aws:sts::111122223333:assumed-role/KeysweepScan/test is not authorized to perform: \
             iam:UpdateAccessKey on resource: arn:aws:iam::111122223333:user/ci/svc-b because no session policy \
             allows the iam:UpdateAccessKey action"
        )
    );
    sim.tag_user(PROD, "svc-a", "keysweep:exempt", "yes");
    assert_eq!(iam(&sim, &caller, &update).await.refusal(), (403, "AccessDenied"), "the tag is a condition");
    assert_eq!(sim.key_status(&user.keys[0]).as_deref(), Some("Active"));
    sim.untag_user(PROD, "svc-a", "keysweep:exempt");
    assert_eq!(iam(&sim, &caller, &update).await.status, 200);
    assert_eq!(sim.key_status(&user.keys[0]).as_deref(), Some("Inactive"));
}

#[tokio::test]
async fn a_session_policy_that_cannot_be_judged_is_refused_and_says_so() {
    let (sim, _) = mk_sim(&mk_clock());
    let policy = mk_policy(
        r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}"#,
    );
    let form = format!("AssumeRole&RoleArn={ROLE_ARN}&RoleSessionName=test&ExternalId=x1{policy}");
    let reply = sts(&sim, &mk_hub(&sim), &form).await;
    assert_eq!(reply.refusal(), (400, "MalformedPolicyDocument"));
    assert!(reply.body.contains("cannot judge condition IpAddress on aws:SourceIp"), "{}", reply.body);
}

#[tokio::test]
async fn role_policies_and_denials_from_above_hold_too() {
    let (sim, _) = mk_sim(&mk_clock());
    let caller = session(&sim).await;
    sim.deny(Some(PROD), "iam:List*");
    let reply = iam(&sim, &caller, "ListUsers").await;
    assert!(reply.body.contains("with an explicit deny in a service control policy"), "{}", reply.body);
    assert_eq!(iam(&sim, &caller, "GetUser&UserName=svc-a").await.status, 200);
    sim.clear_denials();
    let document = r#"{"Statement":{"Effect":"Allow","Action":"iam:Get*","Resource":"*"}}"#;
    sim.set_role_policy(PROD, "keysweep/KeysweepScan", Some(document)).expect("a policy");
    let caller = session(&sim).await;
    assert_eq!(iam(&sim, &caller, "ListUsers").await.refusal(), (403, "AccessDenied"));
    assert_eq!(iam(&sim, &caller, "GetUser&UserName=svc-a").await.status, 200);
}

#[tokio::test]
async fn a_key_of_the_world_can_only_ask_who_it_is_and_that_is_a_use() {
    let (sim, user) = mk_sim(&mk_clock());
    let own = Credentials { key_id: user.keys[0].clone(), token: None };
    let reply = sts(&sim, &own, "GetCallerIdentity").await;
    assert_eq!(reply.field("Arn"), Some("arn:aws:iam::111122223333:user/ci/svc-a"));
    assert_eq!(iam(&sim, &own, "ListUsers").await.refusal(), (403, "AccessDenied"));
    let used = sim.key(&user.keys[0]).and_then(|key| key.last_use).expect("a use");
    assert_eq!((used.at, &*used.service), (mk_time("2026-06-01T12:00:00Z"), "sts"));
    sim.set_key_status(&user.keys[0], "Inactive");
    assert_eq!(sts(&sim, &own, "GetCallerIdentity").await.refusal(), (403, "InvalidClientTokenId"));
}
