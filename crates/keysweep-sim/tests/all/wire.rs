//! IAM by hand-built requests.

use crate::support::*;

#[tokio::test]
async fn lists_page_by_marker_until_nothing_is_truncated() {
    let (sim, _) = mk_sim(&mk_clock());
    for number in 0..7 {
        sim.user(PROD, format!("user-{number}")).add();
    }
    let caller = session(&sim).await;
    let (mut names, mut marker, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let reply = iam(&sim, &caller, &format!("ListUsers&MaxItems=3{marker}")).await;
        names.extend(reply.fields("UserName").into_iter().map(str::to_owned));
        pages += 1;
        if reply.field("IsTruncated") == Some("false") {
            break;
        }
        marker = format!("&Marker={}", reply.field("Marker").expect("a marker"));
    }
    assert_eq!(pages, 3);
    assert_eq!(names, ["svc-a", "user-0", "user-1", "user-2", "user-3", "user-4", "user-5", "user-6"]);
    let bad = iam(&sim, &caller, "ListUsers&Marker=!").await;
    assert_eq!(bad.refusal(), (400, "ValidationError"));
    assert_eq!(iam(&sim, &caller, "ListUsers&MaxItems=1001").await.refusal(), (400, "ValidationError"));
}

#[tokio::test]
async fn an_empty_page_with_a_marker_loses_nothing() {
    let (sim, user) = mk_sim(&mk_clock());
    sim.fault(keysweep_sim::Rule::new(keysweep_sim::Fault::EmptyPage).action("iam:List*").first(1));
    let caller = session(&sim).await;
    let empty = iam(&sim, &caller, "ListAccessKeys&UserName=svc-a").await;
    assert_eq!((empty.fields("AccessKeyId").len(), empty.field("IsTruncated")), (0, Some("true")));
    let marker = empty.field("Marker").expect("a marker");
    let rest = iam(&sim, &caller, &format!("ListAccessKeys&UserName=svc-a&Marker={marker}")).await;
    assert_eq!(rest.fields("AccessKeyId"), [user.keys[0].as_str()]);
    assert_eq!(rest.field("IsTruncated"), Some("false"));
}

#[tokio::test]
async fn a_service_may_answer_shorter_pages_than_asked_for() {
    let (sim, _) = mk_sim(&mk_clock());
    sim.user(PROD, "svc-b").add();
    sim.configure(|settings| settings.iam_page = Some(1));
    let caller = session(&sim).await;
    let reply = iam(&sim, &caller, "ListUsers&MaxItems=100").await;
    assert_eq!(reply.fields("UserName").len(), 1);
    assert_eq!(reply.field("IsTruncated"), Some("true"));
}

#[tokio::test]
async fn users_are_listed_without_tags_and_read_with_them() {
    let (sim, _) = mk_sim(&mk_clock());
    let caller = session(&sim).await;
    assert!(!iam(&sim, &caller, "ListUsers").await.body.contains("<Tags>"));
    let reply = iam(&sim, &caller, "GetUser&UserName=svc-a").await;
    assert_eq!((reply.field("Key"), reply.field("Value")), (Some("team"), Some("ci")));
    assert_eq!(reply.field("Arn"), Some("arn:aws:iam::111122223333:user/ci/svc-a"));
    assert!(reply.body.starts_with(
        r#"<GetUserResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><GetUserResult><User><Path>/ci/</Path>"#
    ));
}

#[tokio::test]
async fn the_last_use_of_an_unknown_a_deleted_and_a_foreign_key_is_denied() {
    let (sim, user) = mk_sim(&mk_clock());
    let foreign = sim.user("444455556666", "svc-b").key(keysweep_sim::KeySpec::new()).add();
    let caller = session(&sim).await;
    let ask = |key: &str| format!("GetAccessKeyLastUsed&AccessKeyId={key}");
    assert_eq!(iam(&sim, &caller, &ask(&user.keys[0])).await.status, 200);
    assert_eq!(iam(&sim, &caller, &ask("AKIAIOSFODNN7EXAMPLE")).await.refusal(), (403, "AccessDenied"));
    assert_eq!(iam(&sim, &caller, &ask(&foreign.keys[0])).await.refusal(), (403, "AccessDenied"));
    sim.delete_key(&user.keys[0]);
    assert_eq!(iam(&sim, &caller, &ask(&user.keys[0])).await.refusal(), (403, "AccessDenied"));
}

#[tokio::test]
async fn a_key_never_used_has_no_date_and_not_applicable_twice() {
    let (sim, _) = mk_sim(&mk_clock());
    let user = sim.user(PROD, "svc-new").key(keysweep_sim::KeySpec::new()).add();
    let caller = session(&sim).await;
    let reply = iam(&sim, &caller, &format!("GetAccessKeyLastUsed&AccessKeyId={}", user.keys[0])).await;
    assert_eq!(reply.field("LastUsedDate"), None);
    assert_eq!((reply.field("ServiceName"), reply.field("Region")), (Some("N/A"), Some("N/A")));
    assert_eq!(reply.field("UserName"), Some("svc-new"));
}

#[tokio::test]
async fn a_use_is_seen_only_after_the_lag() {
    let clock = mk_clock();
    let (sim, user) = mk_sim(&clock);
    sim.configure(|settings| settings.last_used_lag = jiff::SignedDuration::from_hours(4));
    let caller = session(&sim).await;
    sim.use_key(&user.keys[0], "ec2", "eu-west-1");
    let ask = format!("GetAccessKeyLastUsed&AccessKeyId={}", user.keys[0]);
    assert_eq!(iam(&sim, &caller, &ask).await.field("LastUsedDate"), Some("2026-01-10T08:03:00Z"));
    clock.advance(jiff::SignedDuration::from_hours(4));
    let caller = session(&sim).await;
    let reply = iam(&sim, &caller, &ask).await;
    assert_eq!(reply.field("LastUsedDate"), Some("2026-06-01T12:00:00Z"));
    assert_eq!(reply.field("ServiceName"), Some("ec2"));
}

#[tokio::test]
async fn a_key_is_deactivated_and_deleted_and_the_ledger_knows_by_whom() {
    let (sim, user) = mk_sim(&mk_clock());
    let caller = session_with(&sim, "&SourceIdentity=operator").await;
    let key = &user.keys[0];
    let form = format!("UpdateAccessKey&UserName=svc-a&AccessKeyId={key}&Status=Inactive");
    let reply = iam(&sim, &caller, &form).await;
    assert_eq!(reply.status, 200);
    assert!(!reply.body.contains("Result>"), "{}", reply.body);
    assert_eq!(sim.key_status(key).as_deref(), Some("Inactive"));
    assert_eq!(iam(&sim, &caller, &form).await.status, 200, "repeating is harmless");
    let form = format!("DeleteAccessKey&UserName=svc-a&AccessKeyId={key}");
    assert_eq!(iam(&sim, &caller, &form).await.status, 200);
    assert!(!sim.key_exists(key));
    assert_eq!(iam(&sim, &caller, &form).await.refusal(), (404, "NoSuchEntity"));

    let changes = sim.changes();
    let seen: Vec<_> = changes
        .iter()
        .map(|change| {
            (
                change.action.as_str(),
                change.old.as_deref(),
                change.new.as_deref(),
                change.applied,
                change.delivered,
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("iam:UpdateAccessKey", Some("Active"), Some("Inactive"), true, true),
            ("iam:UpdateAccessKey", Some("Inactive"), Some("Inactive"), true, true),
            ("iam:DeleteAccessKey", Some("Inactive"), None, true, true),
            ("iam:DeleteAccessKey", None, None, false, true),
        ]
    );
    let first = &changes[0];
    assert_eq!(first.user_id.as_deref(), Some(user.user_id.as_str()));
    assert_eq!(first.request_id.as_deref(), reply.headers["x-amzn-requestid"].to_str().ok());
    assert_eq!(
        first.who,
        keysweep_sim::Who::Session {
            role_arn: ROLE_ARN.to_owned(),
            session_name: "test".to_owned(),
            source_identity: Some("operator".to_owned()),
        }
    );
}

#[tokio::test]
async fn role_credentials_must_name_the_user() {
    let (sim, user) = mk_sim(&mk_clock());
    let caller = session(&sim).await;
    let form = format!("UpdateAccessKey&AccessKeyId={}&Status=Inactive", user.keys[0]);
    assert_eq!(iam(&sim, &caller, &form).await.refusal(), (400, "ValidationError"));
    assert_eq!(sim.key_status(&user.keys[0]).as_deref(), Some("Active"));
    assert_eq!(sim.changes()[0].error.as_deref(), Some("ValidationError"));
}

#[tokio::test]
async fn a_key_of_another_user_is_not_found_under_this_one() {
    let (sim, user) = mk_sim(&mk_clock());
    sim.user(PROD, "svc-b").add();
    let caller = session(&sim).await;
    let form = format!("UpdateAccessKey&UserName=svc-b&AccessKeyId={}&Status=Inactive", user.keys[0]);
    assert_eq!(iam(&sim, &caller, &form).await.refusal(), (404, "NoSuchEntity"));
    assert_eq!(sim.key_status(&user.keys[0]).as_deref(), Some("Active"));
}

#[tokio::test]
async fn a_third_key_exceeds_the_quota() {
    let (sim, _) = mk_sim(&mk_clock());
    let caller = session(&sim).await;
    assert_eq!(iam(&sim, &caller, "CreateAccessKey&UserName=svc-a").await.status, 200);
    assert_eq!(iam(&sim, &caller, "CreateAccessKey&UserName=svc-a").await.refusal(), (409, "LimitExceeded"));
}

#[tokio::test]
async fn a_rename_keeps_the_unique_id_and_the_keys() {
    let (sim, user) = mk_sim(&mk_clock());
    let caller = session(&sim).await;
    assert_eq!(iam(&sim, &caller, "UpdateUser&UserName=svc-a&NewUserName=svc-z").await.status, 200);
    assert_eq!(iam(&sim, &caller, "GetUser&UserName=svc-a").await.refusal(), (404, "NoSuchEntity"));
    let reply = iam(&sim, &caller, "GetUser&UserName=svc-z").await;
    assert_eq!(reply.field("UserId"), Some(user.user_id.as_str()));
    let reply = iam(&sim, &caller, &format!("GetAccessKeyLastUsed&AccessKeyId={}", user.keys[0])).await;
    assert_eq!(reply.field("UserName"), Some("svc-z"));
    assert_eq!(sim.user_name(PROD, &user.user_id).as_deref(), Some("svc-z"));
}

#[tokio::test]
async fn an_unknown_action_is_invalid() {
    let (sim, _) = mk_sim(&mk_clock());
    let caller = session(&sim).await;
    assert_eq!(iam(&sim, &caller, "ListGroups").await.refusal(), (400, "InvalidAction"));
}

#[tokio::test]
async fn root_keys_show_in_the_account_summary() {
    let (sim, _) = mk_sim(&mk_clock());
    let caller = session(&sim).await;
    let present = "<key>AccountAccessKeysPresent</key><value>1</value>";
    assert!(!iam(&sim, &caller, "GetAccountSummary").await.body.contains(present));
    sim.set_root_keys(PROD, 1);
    assert!(iam(&sim, &caller, "GetAccountSummary").await.body.contains(present));
}

#[tokio::test]
async fn odd_names_survive_the_wire() {
    let (sim, _) = mk_sim(&mk_clock());
    let name = "o'neil,sean+x=1@corp";
    let caller = session(&sim).await;
    let tag = "&Tags.member.1.Key=who&Tags.member.1.Value=%3Ca%26b%3E";
    let form = format!("CreateUser&UserName={}&Path=/p/{tag}", encode(name));
    assert_eq!(iam(&sim, &caller, &form).await.status, 200);
    let reply = iam(&sim, &caller, &format!("GetUser&UserName={}", encode(name))).await;
    assert_eq!(reply.field("UserName"), Some("o&#39;neil,sean+x=1@corp"));
    assert_eq!(reply.field("Value"), Some("&lt;a&amp;b&gt;"));
}

#[tokio::test]
async fn calls_are_counted_by_account_and_action() {
    let (sim, _) = mk_sim(&mk_clock());
    let caller = session(&sim).await;
    iam(&sim, &caller, "ListUsers").await;
    iam(&sim, &caller, "ListUsers").await;
    assert_eq!(sim.call_count(PROD, "iam:ListUsers"), 2);
    assert_eq!(sim.call_count(PROD, "sts:AssumeRole"), 1);
    assert_eq!(sim.account_calls(PROD), 3);
    assert_eq!(sim.peak_in_flight(PROD), 1);
    sim.reset_calls();
    assert!(sim.calls().is_empty());
}
