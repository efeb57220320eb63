//! Keys that AWS considers compromised: an incident, not staleness.

use keysweep::engine::Engine;
use keysweep::metrics::render;
use keysweep_api::{Decision, KeyRow, ListKeys, PlanDocument, ShowPlan};
use keysweep_core::finding::Severity;
use keysweep_core::render::NextAction;
use keysweep_sim::{Fault, Rule};
use keysweep_tests::company::{Company, DELETE, decide, delete, look, state_of, swept};

const PROD: &str = "111122223333";
const DEV: &str = "444455556666";
const MARKS: [&str; 3] = [
    "AWSCompromisedKeyQuarantineV3",
    "AWSCompromisedKeyQuarantine",
    "AWSExposedCredentialPolicy_DO_NOT_REMOVE",
];

fn attach(company: &Company, user: &str, policy: &str) {
    company.sim.attach_policy(PROD, user, &format!("arn:aws:iam::aws:policy/{policy}"));
}

async fn plan(engine: &Engine) -> PlanDocument {
    look(engine, ShowPlan {}).await
}

async fn records(engine: &Engine) -> Vec<KeyRow> {
    look(engine, ListKeys {}).await.keys
}

/// How often an event of a key is in the journal.
fn told(engine: &Engine, key: &str, event: &str) -> usize {
    let history = engine.store().history(&key.parse().unwrap()).unwrap();
    history.iter().filter(|entry| entry.body.name() == event).count()
}

fn incidents_counted(engine: &Engine) -> bool {
    render(engine.metrics().families()).unwrap().contains("\nkeysweep_incidents_total 1\n")
}

/// Two stale keys, of which the second in every order is an incident from the start.
fn mk_company(toml: &str, mark: &str) -> (Company, String) {
    let company = Company::new(toml);
    for account in [DEV, PROD] {
        company.account(account);
    }
    company.stale_user(DEV, "a-stale", 400);
    company.stale_user(PROD, "b-stale", 400);
    let leaked = company.stale_user(PROD, "z-leaked", 100).keys[0].clone();
    attach(&company, "z-leaked", mark);
    (company, leaked)
}

#[tokio::test(start_paused = true)]
async fn an_incident_is_known_when_the_key_is_flagged() {
    for mode in ["observe", "deactivate", "delete"] {
        for mark in MARKS {
            let (company, leaked) = mk_company(&DELETE.replace("\"delete\"", &format!("\"{mode}\"")), mark);
            let engine = company.begin().await;
            company.days(&engine, 30).await;
            let plan = plan(&engine).await;
            let row = plan.keys.first().unwrap();
            assert_eq!(
                row.access_key_id.as_deref(),
                Some(leaked.as_str()),
                "{mode} {mark}: first in the plan"
            );
            assert_eq!(row.severity, Some(Severity::Critical));
            assert_eq!((row.next_action, row.state.as_str()), (NextAction::Wait, "flagged"));
            assert_eq!(row.overlays, ["incident"]);
            assert!(row.next_action_reason.contains(mark) && row.next_action_reason.contains("rotate"));
            assert!(row.remediation.iter().all(|line| !line.contains("aws iam")), "{:?}", row.remediation);
            let record = records(&engine).await.into_iter().next().unwrap();
            assert_eq!(
                (record.access_key_id.as_str(), record.next_action),
                (leaked.as_str(), NextAction::Wait)
            );
            assert_eq!(record.overlays, ["incident"]);
            assert_eq!(told(&engine, &leaked, "incident_began"), 1, "told once");
            assert!(incidents_counted(&engine));
            assert_eq!(company.status(&leaked), "Active");
            engine.close().await.unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_for_an_incident_is_refused_and_recorded() {
    let company = Company::new(DELETE);
    company.account(PROD);
    let key = company.stale_user(PROD, "z-leaked", 200).keys[0].clone();
    let engine = company.begin().await;
    // After the scan: only the fresh look can see it.
    attach(&company, "z-leaked", MARKS[0]);
    let (done, message) = decide(&engine, &key, Decision::Deactivate {}).await;
    assert!(!done && message.contains(MARKS[0]) && message.contains("rotate"), "{message}");
    assert_eq!((told(&engine, &key, "incident_began"), told(&engine, &key, "intent")), (1, 0));
    assert_eq!(plan(&engine).await.keys[0].overlays, ["incident"]);
    let (done, message) = decide(&engine, &key, Decision::Deactivate {}).await;
    assert!(!done && message.contains("rotate"), "{message}");
    assert_eq!(told(&engine, &key, "incident_began"), 1);
    assert_eq!(company.status(&key), "Active");
}

#[tokio::test(start_paused = true)]
async fn after_an_incident_a_fresh_notice_is_needed() {
    let company = Company::new(DELETE);
    company.account(PROD);
    let key = company.stale_user(PROD, "z-leaked", 200).keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 6).await;
    attach(&company, "z-leaked", MARKS[0]);
    company.days(&engine, 10).await;
    assert_eq!(company.status(&key), "Active");
    company.sim.detach_policy(PROD, "z-leaked", &format!("arn:aws:iam::aws:policy/{}", MARKS[0]));
    company.days(&engine, 7).await;
    assert_eq!(company.status(&key), "Active", "the notice before the incident does not count");
    assert_eq!((told(&engine, &key, "incident_ended"), told(&engine, &key, "noticed")), (1, 2));
    company.days(&engine, 2).await;
    assert_eq!(company.status(&key), "Inactive");
}

#[tokio::test(start_paused = true)]
async fn the_undo_of_an_incident_works_and_warns() {
    let company = Company::new(DELETE);
    company.account(PROD);
    let key = company.stale_user(PROD, "z-leaked", 200).keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 8).await;
    assert_eq!(company.status(&key), "Inactive");
    attach(&company, "z-leaked", MARKS[1]);
    company.days(&engine, 30).await;
    assert_eq!(company.status(&key), "Inactive", "an incident is not deleted");
    let (done, message) = delete(&engine, &key).await;
    assert!(!done && message.contains(MARKS[1]), "{message}");
    let (done, message) = decide(&engine, &key, Decision::Reactivate {}).await;
    assert!(done && message.contains("warning") && message.contains("compromised"), "{message}");
    assert_eq!(company.status(&key), "Active");
}

#[tokio::test(start_paused = true)]
async fn without_its_policies_a_key_is_unknown_and_left_alone() {
    let company = Company::new(DELETE);
    company.account(PROD);
    let old = company.stale_user(PROD, "a-old", 200).keys[0].clone();
    let used = company.stale_user(PROD, "b-used", 200).keys[0].clone();
    let engine = company.begin().await;
    for api in ["iam:ListAttachedUserPolicies", "iam:GetAccountAuthorizationDetails"] {
        company.sim.fault(Rule::new(Fault::AccessDenied).action(api));
    }
    let new = company.stale_user(PROD, "c-new", 200).keys[0].clone();
    company.days(&engine, 1).await;
    company.sim.use_key(&used, "s3", "us-east-1");
    company.days(&engine, 20).await;
    for row in plan(&engine).await.keys {
        assert!(row.unknown.iter().any(|why| why.starts_with("policies of the user: ")), "{:?}", row.unknown);
        assert_eq!(row.next_action, NextAction::Wait);
        assert!(row.finding.is_some(), "what else is known is known");
    }
    assert_eq!((state_of(&engine, &old), state_of(&engine, &new)), ("flagged".into(), "active".into()));
    assert_eq!(state_of(&engine, &used), "active", "a key in use is cleared all the same");
    assert_eq!(company.status(&old), "Active");
    company.sim.clear_faults();
    company.days(&engine, 2).await;
    assert_eq!(company.status(&old), "Inactive");
    swept(&engine).await;
}
