//! The life of a credential report.

use base64::Engine as _;
use jiff::SignedDuration;

use crate::support::*;
use keysweep_sim::{Fault, KeySpec, Rule, Sim};

async fn state(sim: &Sim, caller: &Credentials) -> String {
    let reply = iam(sim, caller, "GenerateCredentialReport").await;
    reply.field("State").expect("a state").to_owned()
}

async fn content(sim: &Sim, caller: &Credentials) -> String {
    let reply = iam(sim, caller, "GetCredentialReport").await;
    let bytes = base64::prelude::BASE64_STANDARD.decode(reply.field("Content").expect("content"));
    String::from_utf8(bytes.expect("base64")).expect("text")
}

#[tokio::test]
async fn a_report_is_started_made_and_fetched() {
    let (sim, _) = mk_sim(&mk_clock());
    sim.configure(|settings| settings.report_polls = 3);
    let caller = session(&sim).await;
    assert_eq!(iam(&sim, &caller, "GetCredentialReport").await.refusal(), (410, "ReportNotPresent"));
    assert_eq!(state(&sim, &caller).await, "STARTED");
    assert_eq!(iam(&sim, &caller, "GetCredentialReport").await.refusal(), (404, "ReportInProgress"));
    assert_eq!(state(&sim, &caller).await, "INPROGRESS");
    assert_eq!(state(&sim, &caller).await, "INPROGRESS");
    assert_eq!(state(&sim, &caller).await, "COMPLETE");
    let reply = iam(&sim, &caller, "GetCredentialReport").await;
    assert_eq!(reply.field("GeneratedTime"), Some("2026-06-01T12:00:00Z"));
    assert_eq!(reply.field("ReportFormat"), Some("text/csv"));
}

#[tokio::test]
async fn the_bytes_stay_for_four_hours_whatever_happens() {
    let clock = mk_clock();
    let (sim, user) = mk_sim(&clock);
    sim.make_report(PROD);
    let before = content(&sim, &session(&sim).await).await;
    assert!(before.ends_with("false,N/A,false,N/A"), "no newline at the end");
    sim.set_key_status(&user.keys[0], "Inactive");
    sim.user(PROD, "svc-b").add();
    clock.advance(SignedDuration::from_mins(239));
    let caller = session(&sim).await;
    assert_eq!(state(&sim, &caller).await, "COMPLETE");
    assert_eq!(content(&sim, &caller).await, before);
    clock.advance(SignedDuration::from_mins(1));
    let caller = session(&sim).await;
    assert_eq!(state(&sim, &caller).await, "STARTED");
    assert_eq!(state(&sim, &caller).await, "COMPLETE");
    let after = content(&sim, &caller).await;
    assert!(after.contains("svc-b"));
    assert_ne!(after, before);
}

#[tokio::test]
async fn an_old_report_has_expired() {
    let clock = mk_clock();
    let (sim, _) = mk_sim(&clock);
    sim.make_report(PROD);
    clock.advance(SignedDuration::from_hours(25));
    let caller = session(&sim).await;
    assert_eq!(iam(&sim, &caller, "GetCredentialReport").await.refusal(), (410, "ReportExpired"));
}

#[tokio::test]
async fn rows_hold_what_aws_writes() {
    let (sim, _) = mk_sim(&mk_clock());
    sim.user(PROD, "o'neil,sean")
        .created(mk_time("2025-02-01T00:00:00Z"))
        .password(None)
        .mfa()
        .key(KeySpec::new().inactive())
        .key(KeySpec::new().created(mk_time("2025-03-01T00:00:00Z")).used(
            mk_time("2026-05-01T00:00:00Z"),
            "ec2",
            "eu-west-1",
        ))
        .add();
    sim.make_report(PROD);
    let report = content(&sim, &session(&sim).await).await;
    let lines: Vec<&str> = report.split('\n').collect();
    assert!(lines[0].starts_with("user,arn,user_creation_time,password_enabled,"));
    assert_eq!(lines[0].split(',').count(), 22);
    assert!(lines[1].starts_with("<root_account>,arn:aws:iam::111122223333:root,"));
    assert_eq!(
        lines[2],
        "\"o'neil,sean\",\"arn:aws:iam::111122223333:user/o'neil,sean\",2025-02-01T00:00:00Z,true,no_information,\
         2025-02-01T00:00:00Z,N/A,true,false,2025-02-01T00:00:00Z,N/A,N/A,N/A,true,2025-03-01T00:00:00Z,\
         2026-05-01T00:00:00Z,eu-west-1,ec2,false,N/A,false,N/A"
    );
    assert_eq!(
        lines[3],
        "svc-a,arn:aws:iam::111122223333:user/ci/svc-a,2025-01-01T00:00:00Z,false,N/A,N/A,N/A,false,true,\
         2025-01-01T00:00:00Z,2026-01-10T08:03:00Z,N/A,s3,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A"
    );
}

#[tokio::test]
async fn more_than_two_keys_add_a_column() {
    let (sim, _) = mk_sim(&mk_clock());
    sim.user(PROD, "many").key(KeySpec::new()).key(KeySpec::new()).key(KeySpec::new()).add();
    sim.make_report(PROD);
    let report = content(&sim, &session(&sim).await).await;
    let mut lines = report.split('\n');
    assert!(lines.next().is_some_and(|header| header.ends_with(",additional_credentials_info")));
    assert!(lines.all(|line| line.split(',').count() == 23), "{report}");
}

#[tokio::test]
async fn any_bytes_can_be_served_in_place_of_a_report() {
    let (sim, _) = mk_sim(&mk_clock());
    sim.override_report(PROD, Some("nonsense".into()));
    let caller = session(&sim).await;
    assert_eq!(state(&sim, &caller).await, "COMPLETE");
    assert_eq!(content(&sim, &caller).await, "nonsense");
}

#[tokio::test]
async fn report_capacity_can_run_out() {
    let (sim, _) = mk_sim(&mk_clock());
    sim.fault(Rule::new(Fault::report_capacity()).action("iam:GenerateCredentialReport").first(1));
    let caller = session(&sim).await;
    let reply = iam(&sim, &caller, "GenerateCredentialReport").await;
    assert_eq!(reply.refusal(), (409, "LimitExceeded"));
    assert_eq!(state(&sim, &caller).await, "STARTED");
}
