//! To whom keys belong, from AWS to what people see.

use keysweep::engine::Engine;
use keysweep::metrics::inventory::{Observed, families};
use keysweep::metrics::render;
use keysweep_api::{KeyRow, OwnerRow, ShowKey, ShowPlan};
use keysweep_core::owner::{Confidence, OwnerSource};
use keysweep_core::state::State;
use keysweep_sim::{Fault, Rule};
use keysweep_tests::company::{Company, DELETE, look, state_of};

const PROD: &str = "111122223333";

const OWNERS: &str = r##"
[owners]
sources = ["user_tags", "key_description", "creator", "account_tags", "account_email"]
allowed_domains = ["example.com"]
[[owners.contact]]
match = "payments"
email = "payments@example.com"
slack = "#payments"
"##;

fn mk_company() -> Company {
    let company = Company::new(&format!("{DELETE}{OWNERS}"));
    company.account(PROD);
    company
}

fn mk_stale(company: &Company, name: &str, tags: &[(&str, &str)]) -> String {
    let user = company.sim.user(PROD, name).key(company.used(200));
    let user = tags.iter().fold(user, |user, (key, value)| user.tag(*key, *value));
    user.add().keys.swap_remove(0)
}

async fn row(engine: &Engine, key: &str) -> KeyRow {
    look(engine, ShowKey { key: key.parse().unwrap() }).await.record.unwrap()
}

async fn owner(engine: &Engine, key: &str) -> Option<(String, OwnerSource)> {
    row(engine, key).await.owner.map(|owner| (owner.name, owner.source))
}

fn scraped(company: &Company, engine: &Engine) -> String {
    let config = engine.config();
    let observed = |state: &State| {
        let gauges = families(&Observed {
            now: company.clock.now(),
            state,
            policy: &config.policy,
            scan_interval: config.scan.interval,
            seen: None,
            idle_rules: None,
            store_bytes: None,
            evidence_bytes: None,
        });
        render(gauges).unwrap()
    };
    engine.store().read(observed)
}

#[tokio::test(start_paused = true)]
async fn the_owner_is_in_findings_records_and_gauges() {
    let company = mk_company();
    let tagged = mk_stale(&company, "svc-pay", &[("Owner", "Payments")]);
    let untagged = mk_stale(&company, "svc-other", &[]);
    let stray = mk_stale(&company, "svc-stray", &[("Team", "eve@evil.example")]);
    let engine = company.begin().await;

    let owner = row(&engine, &tagged).await.owner.unwrap();
    let expected = OwnerRow {
        name: "Payments".into(),
        source: OwnerSource::UserTags,
        confidence: Confidence::High,
        email: Some("payments@example.com".into()),
        slack: Some("#payments".into()),
        webhook: None,
        left: None,
    };
    assert_eq!(owner, expected);
    let of_account = row(&engine, &untagged).await.owner.unwrap();
    assert_eq!((of_account.source, of_account.confidence), (OwnerSource::AccountEmail, Confidence::Low));
    assert_eq!(of_account.email.as_deref(), Some(of_account.name.as_str()));

    let plan = look(&engine, ShowPlan {}).await;
    let finding = |key: &str| plan.keys.iter().find(|row| row.access_key_id.as_deref() == Some(key)).unwrap();
    assert_eq!(finding(&tagged).owner.as_deref(), Some("Payments"));
    assert_eq!(finding(&tagged).owner_source, Some(OwnerSource::UserTags));
    assert_eq!(finding(&stray).owner, Some(of_account.name));
    assert_eq!(
        finding(&stray).warnings,
        ["owner: tag Team of the user: the domain of \"eve@evil.example\" is not in owners.allowed_domains"]
    );

    let scraped = scraped(&company, &engine);
    for line in [
        "keysweep_keys_by_owner_source{source=\"user_tags\"} 1",
        "keysweep_keys_by_owner_source{source=\"account_email\"} 2",
        "keysweep_keys_by_owner_source{source=\"creator\"} 0",
        "keysweep_keys_by_owner_source{source=\"none\"} 0",
        "keysweep_keys_by_owner_source{source=\"unreachable\"} 0",
        "keysweep_keys_of_departed_owners 0",
    ] {
        assert!(scraped.contains(line), "{line}\n{scraped}");
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_looks_for_owners_unless_asked_to() {
    let company = Company::new(DELETE);
    company.account(PROD);
    let key = mk_stale(&company, "svc-pay", &[("Owner", "payments")]);
    let engine = company.begin().await;
    assert_eq!(owner(&engine, &key).await, None);
    assert_eq!(company.sim.call_count("100000000000", "organizations:ListTagsForResource"), 0);
    assert!(!scraped(&company, &engine).contains("owner"));
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_is_set_later_changes_the_owner_and_gives_a_whole_notice() {
    let company = mk_company();
    let key = mk_stale(&company, "svc-pay", &[]);
    let engine = company.begin().await;
    company.days(&engine, 6).await;
    company.sim.tag_user(PROD, "svc-pay", "Owner", "dana@example.com");
    company.days(&engine, 7).await;
    assert_eq!(owner(&engine, &key).await, Some(("dana@example.com".into(), OwnerSource::UserTags)));
    assert_eq!(state_of(&engine, &key), "flagged", "seven days after the tag");
    company.days(&engine, 1).await;
    assert_eq!(state_of(&engine, &key), "deactivated");
    let noticed = engine.store().read(|state| state.record(&key.parse().unwrap()).cloned()).unwrap();
    assert_eq!(noticed.owner.unwrap().name, "dana@example.com");
}

#[tokio::test(start_paused = true)]
async fn tags_that_cannot_be_read_leave_the_owner_as_it_was_and_the_key_waits() {
    let company = mk_company();
    let key = mk_stale(&company, "svc-pay", &[]);
    company.sim.tag_account(PROD, "Team", "payments");
    let engine = company.begin().await;
    company.sim.fault(Rule::new(Fault::AccessDenied).action("organizations:ListTagsForResource"));
    company.days(&engine, 20).await;
    assert_eq!(owner(&engine, &key).await, Some(("payments".into(), OwnerSource::AccountTags)));
    assert_eq!(state_of(&engine, &key), "flagged");
    let waits = row(&engine, &key).await.next_action_reason;
    assert!(waits.starts_with("owner: tags of the account: "), "{waits}");
}
