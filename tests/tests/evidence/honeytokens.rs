//! Decoys: keys that nobody uses because that is their purpose are not removed without a person.

use keysweep::engine::Engine;
use keysweep_api::ShowKey;
use keysweep_core::state::{Body, Entry};
use keysweep_tests::company::{Company, DELETE, approve, asked, look, state_of};

const PROD: &str = "111122223333";

async fn approval(engine: &Engine, key: &str) -> Option<String> {
    let row = look(engine, ShowKey { key: key.parse().unwrap() }).await.record?;
    row.approval.map(|approval| approval.reason)
}

async fn count(engine: &Engine, key: &str, name: &str) -> usize {
    let history: Vec<Entry> = engine.store().told(&key.parse().unwrap()).await.unwrap().history;
    history
        .iter()
        .filter(|entry| matches!(&entry.body, Body::Key { event, .. } if event.name() == name))
        .count()
}

#[tokio::test(start_paused = true)]
async fn each_change_of_a_key_with_such_a_name_needs_approval() {
    let company = Company::new(DELETE);
    company.account(PROD);
    let names = ["db-Canary-7", "HONEYPOT", "svc-old"];
    let keys = names.map(|name| company.stale_user(PROD, name, 200).keys[0].clone());
    let engine = company.begin().await;
    company.days(&engine, 8).await;
    let [canary, honey, plain] = &keys;
    assert_eq!(company.status(plain), "Inactive");
    for key in [canary, honey] {
        assert_eq!((company.status(key).as_str(), state_of(&engine, key).as_str()), ("Active", "flagged"));
        assert!(approval(&engine, key).await.unwrap().contains("protect.honeytokens"));
    }
    assert!(approve(&engine, canary).await.0);
    company.days(&engine, 2).await;
    assert_eq!((company.status(canary).as_str(), company.status(honey).as_str()), ("Inactive", "Active"));
    // Its deletion is another change.
    company.days(&engine, 20).await;
    assert_eq!(company.status(canary), "Inactive");
    assert!(asked(&engine, canary).await.is_some());
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_only_the_last_look_reads_is_asked_about_once() {
    let company = Company::new(&format!("{DELETE}[protect]\nhoneytokens = [\"decoy\"]\n"));
    company.account(PROD);
    let user = company.sim.user(PROD, "svc-old").tag("purpose", "Decoy").key(company.used(200)).add();
    let key = user.keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 12).await;
    assert_eq!((company.status(&key).as_str(), state_of(&engine, &key).as_str()), ("Active", "flagged"));
    assert!(approval(&engine, &key).await.unwrap().contains("protect.honeytokens"));
    assert_eq!(
        (count(&engine, &key, "approval_asked").await, count(&engine, &key, "approval_voided").await),
        (1, 0)
    );
    assert!(approve(&engine, &key).await.0);
    company.days(&engine, 2).await;
    assert_eq!(company.status(&key), "Inactive");
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_approval_of_somebody_who_was_not_told_does_not_count() {
    let with_approval = DELETE.replace("[policy]", "[policy]\napproval = \"both\"");
    let company = Company::new(&format!("{with_approval}[protect]\nhoneytokens = [\"decoy\"]\n"));
    company.account(PROD);
    let key = company.stale_user(PROD, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 1).await;
    assert!(approval(&engine, &key).await.unwrap().contains("approval = both"));
    assert!(approve(&engine, &key).await.0);
    company.sim.tag_user(PROD, "svc-old", "purpose", "decoy");
    company.days(&engine, 8).await;
    assert_eq!(company.status(&key), "Active");
    assert!(approval(&engine, &key).await.unwrap().contains("protect.honeytokens"));
    assert!(approve(&engine, &key).await.0);
    company.days(&engine, 2).await;
    assert_eq!(company.status(&key), "Inactive");
    // The third is for the deletion.
    let counts =
        (count(&engine, &key, "approval_asked").await, count(&engine, &key, "approval_voided").await);
    assert_eq!(counts, (3, 0));
    engine.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_empty_list_protects_nobody() {
    let company = Company::new(&format!("{DELETE}[protect]\nhoneytokens = []\n"));
    company.account(PROD);
    let key = company.stale_user(PROD, "canary", 200).keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 8).await;
    assert_eq!(company.status(&key), "Inactive");
    engine.close().await.unwrap();
}
