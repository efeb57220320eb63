//! IAM Access Analyzer as a second opinion: it may keep a key, and permits nothing.

use std::sync::Arc;

use keysweep::engine::Engine;
use keysweep_api::{Bundle, BundleFact, BundleFile, Decision, ShowEvidence, ShowKey, ShowPlan};
use keysweep_sim::{AnalyzerFinding, Fault, Rule};
use keysweep_tests::company::{Company, DELETE, decide, look, state_of};

const HUB: &str = "100000000000";
const PROD: &str = "111122223333";
const ANALYZER: &str = "arn:aws:access-analyzer:eu-west-1:100000000000:analyzer/unused";
/// When the key was last used, as IAM says.
const LAST_USE: &str = "2025-06-15";
const LIST: &str = "access-analyzer:ListFindingsV2";
const GET: &str = "access-analyzer:GetFindingV2";

/// A key on the day before its deactivation is due, in a company that asks its analyzer.
async fn mk_due(toml: &str) -> (Company, Arc<Engine>, String) {
    let company = Company::new(&format!("{DELETE}[evidence]\naccess_analyzer = \"{ANALYZER}\"\n{toml}"));
    company.account(PROD);
    let key = company.stale_user(PROD, "svc-old", 200).keys[0].clone();
    company.sim.set_analyzer(ANALYZER, "ORGANIZATION_UNUSED_ACCESS", "ACTIVE");
    let engine = company.begin().await;
    company.days(&engine, 6).await;
    (company, engine, key)
}

/// The analyzer finds the key unused since that day.
fn unused(company: &Company, key: &str, since: &str) -> AnalyzerFinding {
    AnalyzerFinding {
        id: format!("finding-of-{key}"),
        resource: format!("arn:aws:iam::{PROD}:user/svc-old"),
        key_id: key.to_owned(),
        status: "ACTIVE".to_owned(),
        last_accessed: Some(format!("{since}T00:00:00Z").parse().unwrap()),
        updated_at: company.days_ago(1),
    }
}

fn resolved(company: &Company, key: &str) -> AnalyzerFinding {
    AnalyzerFinding { status: "RESOLVED".to_owned(), ..unused(company, key, LAST_USE) }
}

fn find(company: &Company, finding: AnalyzerFinding) {
    company.sim.set_analyzer_finding(ANALYZER, finding);
}

async fn next(engine: &Engine, key: &str) -> String {
    let plan = look(engine, ShowPlan {}).await;
    let row = plan.keys.into_iter().find(|row| row.access_key_id.as_deref() == Some(key)).unwrap();
    row.next_action_reason
}

/// What the newest bundle of a key says of the analyzer.
async fn said(engine: &Engine, key: &str) -> BundleFact {
    let file = look(engine, ShowEvidence { key: key.parse().unwrap() }).await.file;
    let file: BundleFile = serde_json::from_str(&file).unwrap();
    let bundle: Bundle = serde_json::from_str(file.bundle.get()).unwrap();
    bundle.facts.into_iter().find(|fact| fact.fact == "access_analyzer").unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_use_that_only_the_analyzer_shows_prevents_the_change() {
    let (company, engine, key) = mk_due("").await;
    find(&company, unused(&company, &key, "2026-01-04"));
    company.days(&engine, 1).await;
    assert_eq!((company.changes().len(), state_of(&engine, &key).as_str()), (0, "active"));
    let record = look(&engine, ShowKey { key: key.parse().unwrap() }).await.record.unwrap();
    let seen = record.activity.unwrap().to_string();
    assert_eq!(seen, "IAM Access Analyzer shows a use at 2026-01-04T00:00:00Z");
    // It is as if IAM had told of the use: not flagged again for 90 days.
    company.days(&engine, 30).await;
    assert_eq!((company.changes().len(), state_of(&engine, &key).as_str()), (0, "active"));
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_resolved_finding_prevents_a_deactivation() {
    // Nothing that is missing may be ignored here: nothing is.
    let ignore = "[[policy.override]]\nmatch = { users = [\"svc-*\"] }\nincomplete_evidence = \"ignore\"\n";
    let (company, engine, key) = mk_due(ignore).await;
    find(&company, resolved(&company, &key));
    company.days(&engine, 1).await;
    assert_eq!(company.changes(), Vec::<String>::new());
    let why = next(&engine, &key).await;
    assert!(
        why.starts_with("IAM Access Analyzer resolved its finding that the key is unused at 2026-01-06T"),
        "{why}"
    );
    assert!(!decide(&engine, &key, Decision::Deactivate {}).await.0, "an order does not overrule it");
    find(&company, unused(&company, &key, LAST_USE));
    company.days(&engine, 1).await;
    assert_eq!(company.status(&key), "Inactive");
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_resolved_finding_does_not_prevent_a_deletion() {
    let (company, engine, key) = mk_due("").await;
    find(&company, unused(&company, &key, LAST_USE));
    company.days(&engine, 1).await;
    assert_eq!(company.status(&key), "Inactive");
    // AWS resolves it, since a key that is Inactive is not unused any more.
    find(&company, resolved(&company, &key));
    company.days(&engine, 14).await;
    assert_eq!(company.status(&key), "deleted");
    let fact = said(&engine, &key).await;
    assert_eq!((fact.source.as_str(), fact.unknown), (GET, None));
    let value = fact.value.unwrap();
    assert!(value.starts_with("finding resolved at 2026-01-0"), "{value}");
    assert!(value.contains("last accessed 2025-06-15T00:00:00Z"), "{value}");
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_finding_that_a_known_use_resolved_prevents_nothing() {
    let (company, engine, key) = mk_due("").await;
    // A day after the last use that IAM tells of.
    let updated_at = "2025-06-16T00:00:00Z".parse().unwrap();
    find(&company, AnalyzerFinding { updated_at, ..resolved(&company, &key) });
    company.days(&engine, 1).await;
    assert_eq!(company.status(&key), "Inactive");
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn neither_a_finding_nor_its_absence_changes_a_decision() {
    let (company, engine, key) = mk_due("").await;
    company.days(&engine, 16).await;
    assert_eq!(company.status(&key), "deleted", "the analyzer may not watch it at all");
    assert_eq!(said(&engine, &key).await.value.as_deref(), Some("no finding about the key"));

    let company = Company::new(&format!("{DELETE}[evidence]\naccess_analyzer = \"{ANALYZER}\"\n"));
    company.account(PROD);
    let key = company.stale_user(PROD, "svc-old", 20).keys[0].clone();
    company.sim.set_analyzer(ANALYZER, "ORGANIZATION_UNUSED_ACCESS", "ACTIVE");
    find(&company, unused(&company, &key, "2025-06-15"));
    let engine = company.begin().await;
    company.days(&engine, 30).await;
    assert_eq!((company.changes().len(), state_of(&engine, &key).as_str()), (0, "active"));
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_finding_about_another_key_or_user_says_nothing_of_this_one() {
    let (company, engine, key) = mk_due("").await;
    find(&company, resolved(&company, "AKIASOMEOTHERKEY0001"));
    let other = AnalyzerFinding {
        id: "of-another-user".to_owned(),
        resource: format!("arn:aws:iam::{PROD}:user/svc-old2"),
        ..resolved(&company, &key)
    };
    find(&company, other);
    company.days(&engine, 1).await;
    assert_eq!(company.status(&key), "Inactive");
    assert_eq!(company.sim.call_count(HUB, GET), 1, "the other user's is not even read");
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_analyzer_that_cannot_be_asked_makes_the_change_wait() {
    for fault in [
        Fault::AccessDenied,
        Fault::GarbageBody,
        Fault::Refuse { status: 404, code: "ResourceNotFoundException".to_owned(), message: "no".to_owned() },
    ] {
        let (company, engine, key) = mk_due("").await;
        find(&company, unused(&company, &key, LAST_USE));
        company.sim.fault(Rule::new(fault).action(LIST));
        company.days(&engine, 1).await;
        assert_eq!(company.changes(), Vec::<String>::new());
        let why = next(&engine, &key).await;
        assert!(why.starts_with("could not read findings of IAM Access Analyzer about the key: "), "{why}");
        company.sim.clear_faults();
        company.days(&engine, 1).await;
        assert_eq!(company.status(&key), "Inactive");
        engine.close().await.unwrap();
    }
    // A status that nobody knows is not taken for one of those that are known.
    let (company, engine, key) = mk_due("").await;
    find(&company, AnalyzerFinding { status: "SNOOZED".to_owned(), ..unused(&company, &key, LAST_USE) });
    company.days(&engine, 1).await;
    let why = next(&engine, &key).await;
    assert!(why.contains("a status that keysweep does not know: SNOOZED"), "{why}");
    engine.close().await.unwrap();

    let ignore = "[[policy.override]]\nmatch = { users = [\"svc-*\"] }\nincomplete_evidence = \"ignore\"\n";
    let (company, engine, key) = mk_due(ignore).await;
    company.sim.fault(Rule::new(Fault::AccessDenied).action(LIST));
    company.days(&engine, 1).await;
    assert_eq!(company.status(&key), "Inactive", "the configuration goes on without it");
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn it_is_asked_right_before_a_change_and_at_no_other_time() {
    let (company, engine, key) = mk_due("").await;
    find(&company, unused(&company, &key, LAST_USE));
    assert_eq!((company.sim.call_count(HUB, LIST), company.sim.call_count(HUB, GET)), (0, 0));
    company.days(&engine, 1).await;
    assert_eq!((company.sim.call_count(HUB, LIST), company.sim.call_count(HUB, GET)), (1, 1));
    company.days(&engine, 13).await;
    assert_eq!((company.sim.call_count(HUB, LIST), company.sim.call_count(HUB, GET)), (1, 1));
    company.days(&engine, 1).await;
    assert_eq!((company.sim.call_count(HUB, LIST), company.sim.call_count(HUB, GET)), (2, 2));
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn of_many_findings_every_page_is_read() {
    let (company, engine, key) = mk_due("").await;
    for n in 0..105 {
        find(&company, resolved(&company, &format!("AKIAANOTHERKEY{n:06}")));
    }
    find(&company, unused(&company, &key, "2026-01-04"));
    company.days(&engine, 1).await;
    assert_eq!(company.changes(), Vec::<String>::new());
    assert_eq!((company.sim.call_count(HUB, LIST), company.sim.call_count(HUB, GET)), (2, 106));
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_sibling_that_the_analyzer_shows_in_use_prevents_a_quarantine() {
    let toml = DELETE.replace("[policy]", "[policy]\nquarantine = \"3d\"");
    let company = Company::new(&format!("{toml}[evidence]\naccess_analyzer = \"{ANALYZER}\"\n"));
    company.sim.ship_policy("keysweep-quarantine-ask-security");
    company.account(PROD);
    let user = company.sim.user(PROD, "svc-old").key(company.used(200)).key(company.used(200)).add();
    company.sim.set_analyzer(ANALYZER, "ORGANIZATION_UNUSED_ACCESS", "ACTIVE");
    let engine = company.begin().await;
    company.days(&engine, 6).await;
    find(&company, AnalyzerFinding { id: "sibling".into(), ..unused(&company, &user.keys[1], "2026-01-04") });
    company.days(&engine, 1).await;
    assert!(company.changes().is_empty(), "{:?}", company.changes());
    engine.close().await.unwrap();
}
