//! Who created keys, and who changes users of deactivated or quarantined keys: asked about once a day, between sweeps.

use std::sync::Arc;

use keysweep::engine::Engine;
use keysweep::trace::Idle;
use keysweep_api::{KeyRow, ShowKey};
use keysweep_sim::{Fault, Happening, Origin, Rule};
use keysweep_tests::company::{Company, DELETE, look, state_of};

const PROD: &str = "111122223333";
const TEST: &str = "222233334444";
const LOOK_UP: &str = "cloudtrail:LookupEvents";

async fn row(engine: &Engine, key: &str) -> KeyRow {
    look(engine, ShowKey { key: key.parse().unwrap() }).await.record.unwrap()
}

fn lookups(company: &Company) -> (u64, u64) {
    (company.sim.call_count(PROD, LOOK_UP), company.sim.call_count(TEST, LOOK_UP))
}

fn create_key(company: &Company, who: &str, user: &str) -> String {
    let before: Vec<_> = keys_of(company, user);
    let (account, user_name) = (PROD.to_owned(), user.to_owned());
    company.sim.happen(who, Happening::CreateKey { account, user: user_name, key_id: None });
    let created = keys_of(company, user).into_iter().find(|key| !before.contains(key));
    created.expect("a key was created")
}

fn keys_of(company: &Company, user: &str) -> Vec<String> {
    let of_user = company.sim.keys().into_iter().filter(|key| key.user_name == user);
    of_user.map(|key| key.key_id).collect()
}

/// A day, its sweep, and what is looked up after it.
async fn day(company: &Company, engine: &Engine, idle: &mut Idle) {
    company.days(engine, 1).await;
    idle.look(engine).await;
}

/// Two accounts, in the first of which Ann creates a key for the user `ci`.
async fn mk_created() -> (Company, Arc<Engine>, String) {
    let company = Company::new(DELETE);
    company.account(PROD);
    company.account(TEST);
    company.sim.user(PROD, "ann").add();
    company.sim.user(PROD, "ci").add();
    company.stale_user(TEST, "svc-other", 20);
    let engine = company.begin().await;
    company.sim.set_origin("ann", Origin::console());
    let key = create_key(&company, "ann", "ci");
    (company, engine, key)
}

#[tokio::test(start_paused = true)]
async fn who_created_a_key_is_kept_for_good() {
    let (company, engine, key) = mk_created().await;
    let mut idle = Idle::default();
    day(&company, &engine, &mut idle).await;
    let known = |engine: &Engine| {
        engine.store().read(|state| state.creation(PROD.parse().unwrap(), &key.parse().unwrap()).cloned())
    };
    let creation = known(&engine).expect("it was looked up");
    assert_eq!(creation.user_name.as_str(), "ci");
    assert_eq!(creation.call.by, format!("arn:aws:iam::{PROD}:user/ann"));
    assert!(creation.call.user_agent.as_ref().unwrap().contains("Firefox"), "{creation:?}");

    // Never used, it becomes stale; by then CloudTrail has forgotten its creation, and a restart has gone by.
    engine.close().await.unwrap();
    drop(engine);
    let engine = company.open().await;
    for _ in 0..120 {
        day(&company, &engine, &mut idle).await;
    }
    assert_eq!(known(&engine), Some(creation.clone()));
    let row = row(&engine, &key).await;
    assert_eq!((row.created_by, row.created_by_another_user), (Some(creation.call), true));
    let history = look(&engine, ShowKey { key: key.parse().unwrap() }).await.history;
    let created = history.iter().filter(|entry| entry.body.name() == "key_created").count();
    assert_eq!(created, 1, "journaled once");
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_account_is_asked_once_a_day_and_never_in_a_sweep() {
    let (company, engine, _) = mk_created().await;
    company.sim.reset_calls();
    let mut idle = Idle::default();
    for (day_of_test, expected) in (1..=5).zip(1..=5) {
        company.days(&engine, 1).await;
        assert_eq!(lookups(&company), (expected - 1, expected - 1), "day {day_of_test}: by the sweep");
        for _ in 0..3 {
            idle.look(&engine).await;
        }
        assert_eq!(lookups(&company), (expected, expected), "day {day_of_test}");
    }
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn lookups_can_be_turned_off() {
    for off in ["[evidence]\ncreators = false\n", "[evidence]\ncloudtrail = false\n"] {
        let company = Company::new(&format!("{DELETE}{off}"));
        company.account(PROD);
        let engine = company.begin().await;
        let mut idle = Idle::default();
        day(&company, &engine, &mut idle).await;
        assert_eq!(company.sim.call_count(PROD, LOOK_UP), 0, "{off}");
        engine.close().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_lookup_is_retried_the_next_day() {
    let (company, engine, key) = mk_created().await;
    let mut idle = Idle::default();
    company.sim.fault(Rule::new(Fault::AccessDenied).action(LOOK_UP));
    day(&company, &engine, &mut idle).await;
    let known = |engine: &Engine| {
        engine.store().read(|state| state.creation(PROD.parse().unwrap(), &key.parse().unwrap()).is_some())
    };
    assert!(!known(&engine));
    company.sim.clear_faults();
    idle.look(&engine).await;
    assert!(!known(&engine), "not before the next day");
    day(&company, &engine, &mut idle).await;
    assert!(known(&engine));
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_entered_directly_is_not_asked() {
    let company = Company::new(&format!("{DELETE}[organization]\nmanagement_account = \"direct\"\n"));
    company.account(PROD);
    let engine = company.begin().await;
    let mut idle = Idle::default();
    day(&company, &engine, &mut idle).await;
    assert!(company.sim.call_count("100000000000", "iam:GetCredentialReport") > 0, "it is scanned");
    assert_eq!(company.sim.call_count("100000000000", LOOK_UP), 0, "the hub may not look up events");
    assert_eq!(company.sim.call_count(PROD, LOOK_UP), 1);
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_user_that_changes_itself_need_not_name_itself() {
    let company = Company::new(DELETE);
    company.account(PROD);
    let key = company.stale_user(PROD, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    let mut idle = Idle::default();
    for _ in 0..8 {
        day(&company, &engine, &mut idle).await;
    }
    let by = |kind: &str, name: &str| {
        serde_json::json!({ "requestParameters": null, "userIdentity":
            { "type": kind, "userName": name, "arn": format!("arn:aws:iam::{PROD}:user/{name}") } })
    };
    let event = |id: &str, record: serde_json::Value| {
        serde_json::json!({ "EventId": id, "EventName": "CreateAccessKey", "EventSource": "iam.amazonaws.com",
            "EventTime": 1_767_960_000, "CloudTrailEvent": record.to_string() })
    };
    for (id, record) in [
        ("own", by("IAMUser", "svc-old")),
        ("another", by("IAMUser", "svc-new")),
        ("role", by("AssumedRole", "svc-old")),
    ] {
        company.sim.add_event(PROD, "us-east-1", event(id, record));
    }
    day(&company, &engine, &mut idle).await;
    let changes = row(&engine, &key).await.user_changes;
    let ids: Vec<_> = changes.iter().filter_map(|change| change.call.event_id.as_deref()).collect();
    assert_eq!(ids, ["own"]);
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn events_that_tell_too_little_are_left_out_and_the_others_count() {
    let (company, engine, key) = mk_created().await;
    let event = |record: &str| serde_json::json!({ "EventId": "x", "EventName": "CreateAccessKey", "EventTime": 1_767_225_600, "CloudTrailEvent": record });
    for record in [
        "no JSON",
        "{}",
        r#"{"userIdentity":{"arn":"arn:aws:iam::111122223333:user/ann"},"responseElements":null}"#,
        r#"{"userIdentity":{},"responseElements":{"accessKey":{"accessKeyId":"AKIAEXAMPLE000000001","userName":"ci"}}}"#,
        r#"{"userIdentity":{"arn":"x"},"responseElements":{"accessKey":{"accessKeyId":"not a key","userName":"ci"}}}"#,
        r#"{"userIdentity":{"arn":"x"},"errorCode":"LimitExceededException","responseElements":{"accessKey":{"accessKeyId":"AKIAEXAMPLE000000001","userName":"ci"}}}"#,
    ] {
        company.sim.add_event(PROD, "us-east-1", event(record));
    }
    let mut idle = Idle::default();
    day(&company, &engine, &mut idle).await;
    let known: Vec<String> =
        engine.store().read(|state| state.creations().map(|(_, key, _)| key.to_string()).collect());
    assert_eq!(known, [key]);
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn changes_of_the_user_of_a_deactivated_key_are_shown() {
    let company = Company::new(DELETE);
    company.account(PROD);
    company.account(TEST);
    company.stale_user(TEST, "svc-other", 20);
    let key = company.stale_user(PROD, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    let mut idle = Idle::default();
    for _ in 0..8 {
        day(&company, &engine, &mut idle).await;
    }
    assert_eq!(state_of(&engine, &key), "deactivated");
    assert_eq!(row(&engine, &key).await.user_changes, [], "keysweep's own call is none");

    company.sim.attach_policy(PROD, "svc-old", "arn:aws:iam::aws:policy/ReadOnlyAccess");
    create_key(&company, "owner", "svc-old");
    company.sim.attach_policy(TEST, "svc-other", "arn:aws:iam::aws:policy/ReadOnlyAccess");
    company.sim.reset_calls();
    day(&company, &engine, &mut idle).await;
    let changes = row(&engine, &key).await.user_changes;
    let names: Vec<_> = changes.iter().map(|change| change.name.as_str()).collect();
    assert_eq!(names, ["CreateAccessKey", "AttachUserPolicy"], "newest first");
    assert!(changes.iter().all(|change| change.call.by.contains("assumed-role")), "{changes:?}");
    assert_eq!(lookups(&company), (2, 1), "the user, and once for each account who created keys");
    day(&company, &engine, &mut idle).await;
    assert_eq!(row(&engine, &key).await.user_changes, changes, "nothing is told twice");
    let history = look(&engine, ShowKey { key: key.parse().unwrap() }).await.history;
    assert_eq!(history.iter().filter(|entry| entry.body.name() == "user_changed").count(), 2);
    engine.close().await.unwrap();
}
