//! Who set a key Active again: CloudTrail is asked once it can know, for that account alone, and only while it can help.

use std::sync::Arc;

use keysweep::engine::Engine;
use keysweep_api::{Decision, KeyRow, ShowKey};
use keysweep_core::evidence::Tool;
use keysweep_sim::{Fault, Origin, Rule};
use keysweep_tests::company::{Company, DELETE, decide, look, state_of};

const PROD: &str = "111122223333";
const TEST: &str = "222233334444";
const LOOK_UP: &str = "cloudtrail:LookupEvents";

/// A key that was deactivated on day 7, beside an account in which nothing happens.
async fn mk_deactivated() -> (Company, Arc<Engine>, String) {
    let company = Company::new(DELETE);
    company.account(PROD);
    company.account(TEST);
    company.stale_user(TEST, "svc-other", 200);
    let key = company.stale_user(PROD, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 8).await;
    assert_eq!(company.status(&key), "Inactive");
    company.sim.reset_calls();
    (company, engine, key)
}

async fn row(engine: &Engine, key: &str) -> KeyRow {
    look(engine, ShowKey { key: key.parse().unwrap() }).await.record.unwrap()
}

fn lookups(company: &Company) -> (u64, u64) {
    (company.sim.call_count(PROD, LOOK_UP), company.sim.call_count(TEST, LOOK_UP))
}

#[tokio::test(start_paused = true)]
async fn the_call_and_the_tool_behind_it_are_shown() {
    let (company, engine, key) = mk_deactivated().await;
    company.sim.set_origin("owner", Origin::terraform());
    company.sim.set_key_status(&key, "Active");
    company.days(&engine, 1).await;
    assert_eq!(
        (state_of(&engine, &key).as_str(), lookups(&company)),
        ("active", (0, 0)),
        "it need not show yet"
    );
    company.days(&engine, 1).await;
    let call = row(&engine, &key).await.reactivated_by.unwrap();
    assert_eq!(call.tool(), Some(Tool::Terraform));
    assert!(call.at.to_string().starts_with("2026-01-09T00:00:"), "{call:?}");
    assert!(call.by.starts_with("arn:aws:"), "{call:?}");
    assert!(call.to_string().contains("aws_iam_access_key"), "{call}");
    assert_eq!(lookups(&company), (1, 0));
    company.days(&engine, 5).await;
    assert_eq!(lookups(&company), (1, 0), "once it is known, nobody asks again");
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_cloudtrail_does_not_show_is_looked_for_during_a_day() {
    let (company, engine, key) = mk_deactivated().await;
    company.sim.fault(Rule::new(Fault::AccessDenied).action(LOOK_UP));
    company.sim.set_key_status(&key, "Active");
    company.days(&engine, 4).await;
    let asked = lookups(&company).0;
    // Each denial is asked about again under another session.
    assert!((3..=6).contains(&asked), "{asked}");
    company.days(&engine, 4).await;
    assert_eq!(lookups(&company).0, asked);
    assert_eq!(row(&engine, &key).await.reactivated_by, None);
    company.sim.clear_faults();
    company.days(&engine, 1).await;
    assert_eq!(lookups(&company).0, asked, "nobody looks for what happened long ago");
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_denied_call_and_that_of_another_key_are_not_the_one() {
    let (company, engine, key) = mk_deactivated().await;
    let other = company.stale_user(PROD, "svc-new", 3).keys[0].clone();
    company.sim.set_key_status(&other, "Inactive");
    company.sim.set_key_status(&key, "Active");
    company.sim.set_origin("owner", Origin::console());
    company.sim.set_key_status(&other, "Active");
    company.sim.set_key_status(&key, "Inactive");
    company.sim.set_origin("owner", Origin::cloudformation());
    company.sim.set_key_status(&key, "Active");
    company.sim.set_origin("owner", Origin::console());
    company.days(&engine, 2).await;
    let call = row(&engine, &key).await.reactivated_by.unwrap();
    assert_eq!(call.tool(), Some(Tool::CloudFormation), "the newest of this key: {call:?}");
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_before_the_deactivation_is_not_the_one() {
    let (company, engine, key) = mk_deactivated().await;
    assert!(decide(&engine, &key, Decision::Reactivate {}).await.0);
    let hold = row(&engine, &key).await.holds[0].number;
    assert!(decide(&engine, &key, Decision::ClearReactivations {}).await.0);
    assert!(decide(&engine, &key, Decision::Release { hold: Some(hold) }).await.0);
    company.days(&engine, 1).await;
    assert!(decide(&engine, &key, Decision::Deactivate {}).await.0);
    company.sim.set_origin("owner", Origin::terraform());
    company.sim.set_key_status(&key, "Active");
    company.days(&engine, 3).await;
    assert_eq!(row(&engine, &key).await.reactivated_by.unwrap().tool(), Some(Tool::Terraform));
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_undo_is_no_riddle() {
    let (company, engine, key) = mk_deactivated().await;
    assert!(decide(&engine, &key, Decision::Reactivate {}).await.0);
    company.days(&engine, 2).await;
    assert_eq!(lookups(&company), (0, 0));
    assert_eq!(row(&engine, &key).await.reactivated_by, None);
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn without_cloudtrail_nobody_looks() {
    let company = Company::new(&format!("{DELETE}[evidence]\ncloudtrail = false\n"));
    company.account(PROD);
    let key = company.stale_user(PROD, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 8).await;
    company.sim.set_key_status(&key, "Active");
    company.days(&engine, 2).await;
    assert_eq!((lookups(&company).0, state_of(&engine, &key).as_str()), (0, "active"));
    engine.close().await.unwrap();
}
