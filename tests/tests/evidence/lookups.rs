//! CloudTrail right before a change: a use that it alone shows prevents the change, a Region that cannot be read makes
//! it wait, and nothing is looked up for keys that are not about to change.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use keysweep::engine::Engine;
use keysweep_api::{Decision, Pause, ShowKey, ShowPlan};
use keysweep_core::evidence::Activity;
use keysweep_sim::{Fault, KeyUse, Rule};
use keysweep_tests::company::{Company, DELETE, ask, decide, look, state_of, swept};
use serde_json::json;

const PROD: &str = "111122223333";
const LOOK_UP: &str = "cloudtrail:LookupEvents";
const LIST_REGIONS: &str = "account:ListRegions";

/// Goes on where a Region cannot be read.
const IGNORE: &str =
    "[[policy.override]]\nmatch = { users = [\"svc-*\"] }\nincomplete_evidence = \"ignore\"\n";

/// What IAM tells of last uses is a day old.
fn let_iam_lag(company: &Company) {
    let stale = Fault::Stale(SignedDuration::from_hours(24));
    company.sim.fault(Rule::new(stale).action("iam:GetAccessKeyLastUsed"));
}

/// A key on the day before its deactivation is due.
async fn mk_due(toml: &str) -> (Company, Arc<Engine>, String) {
    mk_due_of(&format!("{DELETE}{toml}")).await
}

async fn mk_due_of(toml: &str) -> (Company, Arc<Engine>, String) {
    let company = Company::new(toml);
    company.account(PROD);
    let key = company.stale_user(PROD, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 6).await;
    (company, engine, key)
}

async fn activity(engine: &Engine, key: &str) -> Option<Activity> {
    let document = look(engine, ShowKey { key: key.parse().unwrap() }).await;
    document.record.and_then(|row| row.activity)
}

#[tokio::test(start_paused = true)]
async fn a_call_that_iam_does_not_report_yet_prevents_deactivation() {
    let (company, engine, key) = mk_due_of(&DELETE.replace("[scan]", "[scan]\nsource = \"live\"")).await;
    tokio::time::advance(Duration::from_secs(20 * 3600)).await;
    let used = KeyUse::new(&key, "ec2", "eu-west-1").address("203.0.113.7").user_agent("aws-cli/2.31");
    company.sim.use_key_with(used.error("Client.UnauthorizedOperation"));
    let_iam_lag(&company);
    tokio::time::advance(Duration::from_secs(4 * 3600)).await;
    swept(&engine).await;
    assert_eq!(company.changes(), Vec::<String>::new());
    assert_eq!(state_of(&engine, &key), "active");
    let seen = activity(&engine, &key).await.unwrap();
    assert_eq!(
        seen.to_string(),
        "DescribeInstances (ec2.amazonaws.com) in eu-west-1 at 2026-01-07T20:00:00Z from 203.0.113.7 with aws-cli/2.31: \
         Client.UnauthorizedOperation"
    );
    // IAM lags on: it is not flagged anew.
    company.days(&engine, 30).await;
    assert_eq!((company.changes().len(), state_of(&engine, &key).as_str()), (0, "active"));
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lookup_costs_one_call_per_region_and_one_for_the_list() {
    let (company, engine, key) = mk_due("").await;
    company.sim.reset_calls();
    company.days(&engine, 1).await;
    assert_eq!(company.status(&key), "Inactive");
    assert_eq!((company.sim.call_count(PROD, LOOK_UP), company.sim.call_count(PROD, LIST_REGIONS)), (17, 1));
    // Watched, and not about to be changed.
    company.sim.reset_calls();
    company.days(&engine, 13).await;
    assert_eq!((company.sim.call_count(PROD, LOOK_UP), company.sim.call_count(PROD, LIST_REGIONS)), (0, 0));
    company.days(&engine, 1).await;
    assert_eq!(company.status(&key), "deleted");
    assert_eq!((company.sim.call_count(PROD, LOOK_UP), company.sim.call_count(PROD, LIST_REGIONS)), (17, 1));
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn nobody_looks_for_a_key_that_is_not_changed_anyway() {
    let (company, engine, key) = mk_due("").await;
    ask(&engine, Pause { reason: "freeze".into() }).await.unwrap();
    company.days(&engine, 1).await;
    assert!(!decide(&engine, &key, Decision::Deactivate {}).await.0);
    assert_eq!((company.sim.call_count(PROD, LOOK_UP), company.sim.call_count(PROD, LIST_REGIONS)), (0, 0));
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_a_look_lacked_is_shown_with_the_key_until_it_is_complete() {
    let (company, engine, key) = mk_due("").await;
    company.sim.fault(Rule::new(Fault::AccessDenied).action(LOOK_UP).region("sa-east-1"));
    company.days(&engine, 1).await;
    let next = async || {
        let plan = look(&engine, ShowPlan {}).await;
        let row = plan.keys.into_iter().find(|row| row.access_key_id.as_deref() == Some(&key)).unwrap();
        (row.next_action.as_str().to_owned(), row.next_action_reason)
    };
    let (action, why) = next().await;
    assert_eq!(action, "wait");
    assert!(why.starts_with("could not read CloudTrail in 1 of 17 Regions; sa-east-1: "), "{why}");
    let (done, why) = decide(&engine, &key, Decision::Deactivate {}).await;
    assert!(!done && why.contains("1 of 17 Regions"), "{why}");
    company.sim.clear_faults();
    company.days(&engine, 1).await;
    assert!(!next().await.1.contains("CloudTrail"));
    assert_eq!(company.status(&key), "Inactive");
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn one_key_is_looked_for_where_the_account_cannot_be_read() {
    let company = Company::new(DELETE);
    company.account(PROD);
    for n in 0..5 {
        company.stale_user(PROD, &format!("svc-{n}"), 200);
    }
    let engine = company.begin().await;
    company.days(&engine, 6).await;
    company.sim.deny(Some(PROD), LIST_REGIONS);
    company.sim.reset_calls();
    company.days(&engine, 1).await;
    // Denied under the session that there was, and under a new one.
    assert_eq!((company.sim.call_count(PROD, LIST_REGIONS), company.changes().len()), (2, 0));
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_happens_during_a_look_is_seen_before_the_change() {
    let (company, engine, key) = mk_due("").await;
    let slow = Fault::Delay(Duration::from_secs(8));
    company.sim.fault(Rule::new(slow).action(LOOK_UP).region("eu-west-1"));
    tokio::time::advance(keysweep_tests::company::DAY).await;
    let owner = async {
        while company.sim.call_count(PROD, LOOK_UP) == 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let user = company.sim.key(&key).unwrap().user_id;
        company.sim.attach_policy(PROD, &user, "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3");
    };
    tokio::join!(swept(&engine), owner);
    assert_eq!(company.status(&key), "Active");
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_undo_waits_for_no_look_and_no_deletion_follows_it() {
    let (company, engine, key) = mk_due("").await;
    company.days(&engine, 14).await;
    assert_eq!(company.status(&key), "Inactive");
    company.sim.fault(Rule::new(Fault::Hang).action(LOOK_UP).region("eu-west-1"));
    tokio::time::advance(keysweep_tests::company::DAY).await;
    company.sim.reset_calls();
    let began = tokio::time::Instant::now();
    let operator = async {
        while company.sim.call_count(PROD, LOOK_UP) == 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(decide(&engine, &key, Decision::Reactivate {}).await.0);
        began.elapsed()
    };
    let (_, waited) = tokio::join!(swept(&engine), operator);
    assert!(waited < Duration::from_secs(5), "{waited:?}");
    assert_eq!(
        (company.status(&key).as_str(), company.sim.call_count(PROD, "iam:DeleteAccessKey")),
        ("Active", 0)
    );
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn lookups_that_aws_throttles_are_repeated_until_there_is_a_turn() {
    let (company, engine, key) = mk_due("").await;
    company.sim.fault(Rule::new(Fault::Throttle).action(LOOK_UP).region("us-west-2").first(5));
    company.days(&engine, 1).await;
    assert_eq!(company.status(&key), "Inactive");
    assert_eq!(company.sim.call_count(PROD, LOOK_UP), 17 + 5);
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn regions_may_be_listed_and_an_undo_looks_nowhere() {
    let listed =
        "[evidence]\nregions = [\"us-east-1\", \"eu-central-1\", \"af-south-1\"]\nlookback = \"30d\"\n";
    let (company, engine, key) = mk_due(listed).await;
    company.sim.reset_calls();
    company.days(&engine, 1).await;
    // af-south-1 is not enabled.
    assert_eq!((company.sim.call_count(PROD, LOOK_UP), company.sim.call_count(PROD, LIST_REGIONS)), (2, 1));
    company.sim.reset_calls();
    assert!(decide(&engine, &key, Decision::Reactivate {}).await.0);
    assert_eq!(company.sim.call_count(PROD, LOOK_UP), 0);
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_unread_region_makes_the_key_wait_unless_ignored() {
    for (ignore, status) in [(false, "Active"), (true, "Inactive")] {
        let (company, engine, key) = mk_due(if ignore { IGNORE } else { "" }).await;
        company.sim.fault(Rule::new(Fault::AccessDenied).action(LOOK_UP).region("sa-east-1"));
        company.days(&engine, 1).await;
        assert_eq!(company.status(&key), status, "ignore: {ignore}");
        let metrics = keysweep::metrics::render(engine.metrics().families()).unwrap();
        let counted = format!(
            "keysweep_actions_suppressed_total{{action=\"deactivate\",reason=\"evidence\"}} {}",
            u8::from(!ignore)
        );
        assert!(metrics.contains(&counted), "{metrics}");
        company.sim.clear_faults();
        company.days(&engine, 1).await;
        assert_eq!(company.status(&key), "Inactive");
        engine.close().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn without_the_list_of_regions_the_key_waits() {
    let (company, engine, key) = mk_due("").await;
    company.sim.deny(Some(PROD), LIST_REGIONS);
    company.days(&engine, 2).await;
    assert_eq!((company.status(&key).as_str(), company.sim.call_count(PROD, LOOK_UP)), ("Active", 0));
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_unclear_event_always_makes_the_key_wait() {
    let second = |days: i64| Company::new("").days_ago(days).as_second();
    for (what, entry) in [
        ("without a time", json!({"EventId": "1", "EventName": "GetObject"})),
        ("of 1970", json!({"EventId": "1", "EventTime": 0})),
        ("from the future", json!({"EventId": "1", "EventTime": second(-30)})),
        ("of another key", json!({"EventTime": second(1), "AccessKeyId": "AKIAIOSFODNN7EXAMPLE"})),
        ("empty", json!({})),
    ] {
        let (company, engine, key) = mk_due(IGNORE).await;
        company.sim.add_event(PROD, "eu-north-1", entry);
        company.days(&engine, 2).await;
        assert_eq!(company.status(&key), "Active", "an event {what}");
        assert_eq!(state_of(&engine, &key), "flagged", "an event {what}");
        engine.close().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_event_lacks_beside_its_time_only_describes_it() {
    let at = Company::new("").days_ago(1).as_second();
    for record in ["", "no JSON", "[]", "{\"sourceIPAddress\": 7, \"userAgent\": null}"] {
        let (company, engine, key) = mk_due("").await;
        company.sim.add_event(
            PROD,
            "us-west-2",
            json!({"EventTime": at, "CloudTrailEvent": record, "New": {}}),
        );
        company.days(&engine, 1).await;
        assert_eq!((company.status(&key).as_str(), state_of(&engine, &key).as_str()), ("Active", "active"));
        let seen = activity(&engine, &key).await.unwrap();
        assert_eq!(seen.to_string(), "a call in us-west-2 at 2025-12-31T00:00:00Z");
        engine.close().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn calls_on_data_leave_no_event_and_only_iam_shows_them() {
    let (company, engine, key) = mk_due_of(&DELETE.replace("[scan]", "[scan]\nsource = \"live\"")).await;
    tokio::time::advance(Duration::from_secs(20 * 3600)).await;
    company.sim.use_key(&key, "s3", "us-east-1");
    let_iam_lag(&company);
    tokio::time::advance(Duration::from_secs(4 * 3600)).await;
    swept(&engine).await;
    // Silence proves nothing: the grace period has to show it.
    assert_eq!(company.status(&key), "Inactive");
    company.sim.clear_faults();
    company.days(&engine, 20).await;
    assert_eq!(company.status(&key), "Inactive", "its last use moved: a person decides");
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn evidence_can_be_switched_off() {
    let (company, engine, key) = mk_due("[evidence]\ncloudtrail = false\n").await;
    company.sim.deny(None, "cloudtrail:*");
    company.sim.deny(None, "account:*");
    company.days(&engine, 1).await;
    assert_eq!((company.status(&key).as_str(), company.sim.call_count(PROD, LOOK_UP)), ("Inactive", 0));
    engine.close().await.unwrap();
}
