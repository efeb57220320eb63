//! The whole way of a key, by the real engine against the simulator.

use keysweep_api::{Decision, RequestRef};
use keysweep_core::state::Actor;
use keysweep_core::ticket::Planned;
use keysweep_sim::{Fault, Rule};
use keysweep_tests::company::{Company, DAY, DELETE, approve, asked, decide, held, state_of, swept};

const PROD: &str = "111122223333";

#[tokio::test(start_paused = true)]
async fn a_stale_key_is_flagged_then_deactivated_then_deleted_and_no_other_changes() {
    let company = Company::new(DELETE);
    let prod = company.account(PROD);
    let stale = company.stale_user(&prod, "svc-old", 200);
    let pair = company.sim.user(&prod, "two-keys").key(company.used(300)).key(company.used(1)).add();
    let fresh = company.stale_user(&prod, "svc-new", 1);
    let (stale, sibling, old) = (&stale.keys[0], &pair.keys[1], &pair.keys[0]);

    let engine = company.open().await;
    swept(&engine).await;
    assert_eq!(state_of(&engine, stale), "flagged");
    company.days(&engine, 6).await;
    assert_eq!(company.changes(), Vec::<String>::new(), "notice runs for seven days");
    company.days(&engine, 1).await;
    assert_eq!((company.status(stale).as_str(), company.status(old).as_str()), ("Inactive", "Inactive"));
    company.days(&engine, 13).await;
    assert_eq!(company.status(stale), "Inactive", "grace runs for fourteen days");
    company.days(&engine, 2).await;
    assert_eq!((company.status(stale).as_str(), company.status(old).as_str()), ("deleted", "deleted"));
    company.days(&engine, 10).await;

    let mut changed: Vec<_> = company.by_keysweep().filter_map(|change| change.key_id).collect();
    changed.sort();
    let mut expected = [stale.clone(), stale.clone(), old.clone(), old.clone()];
    expected.sort();
    assert_eq!(changed, expected, "one deactivation and one deletion each, and nothing else");
    assert_eq!(company.status(sibling), "Active");
    assert_eq!(company.status(&fresh.keys[0]), "Active");
    assert_eq!(state_of(&engine, stale), "deleted");
}

#[tokio::test(start_paused = true)]
async fn observe_never_changes_anything() {
    let company = Company::new("scan.interval = \"24h\"");
    let prod = company.account(PROD);
    let stale = company.stale_user(&prod, "svc-old", 200);
    let engine = company.open().await;
    company.days(&engine, 60).await;
    assert_eq!(company.changes(), Vec::<String>::new());
    assert_eq!(state_of(&engine, &stale.keys[0]), "flagged");
    assert_eq!(company.sim.call_count(&prod, "iam:UpdateAccessKey"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_used_in_time_is_left_alone() {
    let company = Company::new(DELETE);
    let prod = company.account(PROD);
    let key = company.stale_user(&prod, "svc-quarterly", 95).keys[0].clone();
    let engine = company.open().await;
    company.days(&engine, 5).await;
    assert_eq!(state_of(&engine, &key), "flagged");
    company.sim.use_key(&key, "sqs", "eu-central-1");
    company.days(&engine, 20).await;
    assert_eq!(state_of(&engine, &key), "active");
    assert_eq!(company.changes(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_key_reactivated_by_its_owner_is_held() {
    let company = Company::new(DELETE);
    let prod = company.account(PROD);
    let key = company.stale_user(&prod, "svc-old", 200).keys[0].clone();
    let engine = company.open().await;
    company.days(&engine, 10).await;
    assert_eq!(company.status(&key), "Inactive");
    company.sim.set_key_status(&key, "Active");
    company.days(&engine, 1).await;
    assert!(held(&engine, &key));
    let before = company.changes().len();
    company.days(&engine, 25).await;
    assert_eq!((company.status(&key).as_str(), company.changes().len()), ("Active", before));
    // After thirty days the hold ends, and it takes a new notice.
    company.days(&engine, 6).await;
    assert_eq!(company.status(&key), "Active");
    // And from now on a person.
    company.days(&engine, 20).await;
    assert_eq!((company.status(&key).as_str(), company.changes().len()), ("Active", before));
    let (done, why) = approve(&engine, &key).await;
    assert!(done, "{why}");
    company.days(&engine, 1).await;
    assert_eq!(company.status(&key), "Inactive");
    company.days(&engine, 40).await;
    assert_eq!(company.status(&key), "Inactive", "its deletion needs another approval");
}

#[tokio::test(start_paused = true)]
async fn an_exempt_user_is_never_touched_and_an_exemption_that_ends_gives_a_fresh_notice() {
    let exempt = format!(
        "{DELETE}\n[[policy.exempt]]\nmatch = {{ user_tags = {{ \"keysweep:exempt\" = \"*\" }} }}\nreason = \"break glass\"\nuntil = \"2026-01-20\"\n"
    );
    let company = Company::new(&exempt);
    let prod = company.account(PROD);
    let key = company
        .sim
        .user(&prod, "break-glass")
        .tag("keysweep:exempt", "yes")
        .key(company.used(300))
        .add()
        .keys[0]
        .clone();
    let engine = company.open().await;
    company.days(&engine, 19).await;
    assert_eq!(state_of(&engine, &key), "active");
    // The last day is over on the 21st; notice begins then.
    company.days(&engine, 7).await;
    assert_eq!(company.status(&key), "Active");
    company.days(&engine, 2).await;
    assert_eq!(company.status(&key), "Inactive");
}

#[tokio::test(start_paused = true)]
async fn downtime_never_counts_as_grace() {
    let company = Company::new(DELETE);
    let prod = company.account(PROD);
    let key = company.stale_user(&prod, "svc-old", 200).keys[0].clone();
    let engine = company.open().await;
    swept(&engine).await;
    company.days(&engine, 10).await;
    assert_eq!(company.status(&key), "Inactive");
    engine.close().await.expect("it closes");
    tokio::time::advance(DAY * 60).await;
    let engine = company.open().await;
    swept(&engine).await;
    company.days(&engine, 10).await;
    assert_eq!(company.status(&key), "Inactive", "3 days before and 10 after are not 14");
    company.days(&engine, 2).await;
    assert_eq!(company.status(&key), "deleted");
}

#[tokio::test(start_paused = true)]
async fn undo_works_while_everything_is_paused() {
    let company = Company::new(DELETE);
    let prod = company.account(PROD);
    let key = company.stale_user(&prod, "svc-old", 200).keys[0].clone();
    let engine = company.open().await;
    company.days(&engine, 8).await;
    assert_eq!(company.status(&key), "Inactive");
    let pause = keysweep_api::Pause { reason: "incident".into() };
    keysweep_tests::company::ask(&engine, pause).await.expect("it pauses");
    let (done, why) = decide(&engine, &key, Decision::Reactivate {}).await;
    assert!(done, "{why}");
    assert_eq!(company.status(&key), "Active");
    assert!(held(&engine, &key));
}

#[tokio::test(start_paused = true)]
async fn a_user_that_is_renamed_keeps_its_place() {
    let company = Company::new(DELETE);
    let prod = company.account(PROD);
    let key = company.stale_user(&prod, "svc-old", 200).keys[0].clone();
    let engine = company.open().await;
    company.days(&engine, 8).await;
    company.sim.rename_user(&prod, "svc-old", "svc-renamed");
    company.sim.user(&prod, "svc-old").add();
    company.days(&engine, 1).await;
    assert_eq!(state_of(&engine, &key), "deactivated", "renamed is not gone");
    company.days(&engine, 16).await;
    assert_eq!(company.status(&key), "deleted");
    assert_eq!(state_of(&engine, &key), "deleted");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_somebody_else_deletes_is_gone() {
    let company = Company::new(DELETE);
    let prod = company.account(PROD);
    let key = company.stale_user(&prod, "svc-old", 200).keys[0].clone();
    let engine = company.open().await;
    company.days(&engine, 2).await;
    company.sim.delete_key(&key);
    company.days(&engine, 1).await;
    assert_eq!(state_of(&engine, &key), "gone");
}

#[tokio::test(start_paused = true)]
async fn raising_the_mode_needs_a_fresh_notice_for_what_it_makes_due() {
    let mut company = Company::new(DELETE);
    let prod = company.account(PROD);
    let key = company.stale_user(&prod, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 8).await;
    assert_eq!(company.status(&key), "Inactive");
    company.configure(&DELETE.replace("\"delete\"", "\"deactivate\""));
    engine.replace_config(&Actor::Keysweep, company.config().into()).await.unwrap();
    company.days(&engine, 20).await;
    assert_eq!(company.status(&key), "Inactive", "deactivate deletes nothing");
    company.configure(DELETE);
    engine.replace_config(&Actor::Keysweep, company.config().into()).await.unwrap();
    company.days(&engine, 7).await;
    assert_eq!(company.status(&key), "Inactive", "grace is long over, and the new notice runs");
    company.days(&engine, 1).await;
    assert_eq!(company.status(&key), "deleted");
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_never_approves_another_change() {
    let company =
        Company::new(&DELETE.replace("mode = \"delete\"", "mode = \"delete\"\napproval = \"both\""));
    let prod = company.account(PROD);
    let key = company.stale_user(&prod, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    let (action, first) = asked(&engine, &key).await.expect("a request");
    assert_eq!(action, Planned::Deactivate);
    let approve = |action, request: RequestRef| decide(&engine, &key, Decision::Approve { action, request });
    let (done, why) = approve(Planned::Delete, first.clone()).await;
    assert!(!done && why.contains("pending now is to deactivate"), "{why}");
    let wrong = RequestRef { hash: Some("00000000".into()), ..first.clone() };
    let (done, why) = approve(Planned::Deactivate, wrong).await;
    assert!(!done && why.contains("has changed"), "{why}");
    assert!(approve(Planned::Deactivate, first.clone()).await.0);
    company.days(&engine, 8).await;
    assert_eq!(state_of(&engine, &key), "deactivated");
    let (_, second) = asked(&engine, &key).await.expect("the next request");
    for action in [Planned::Deactivate, Planned::Delete] {
        let (done, why) = approve(action, first.clone()).await;
        assert!(!done && why.contains(&format!("request {second}")), "{why}");
    }
    let deny = Decision::Deny { action: Planned::Deactivate, request: first };
    assert!(!decide(&engine, &key, deny).await.0, "nor does it deny another change");
    assert!(approve(Planned::Delete, RequestRef { hash: None, ..second }).await.0, "the number names it");
}

#[tokio::test(start_paused = true)]
async fn an_undo_works_before_an_accepted_deactivation_shows() {
    for shows in [false, true] {
        let company = Company::new(DELETE);
        let prod = company.account(PROD);
        let key = company.stale_user(&prod, "svc-old", 200).keys[0].clone();
        let engine = company.begin().await;
        company.days(&engine, 6).await;
        let stale = Rule::new(Fault::Stale(jiff::SignedDuration::from_hours(1)));
        company.sim.fault(stale.action("iam:ListAccessKeys"));
        company.days(&engine, 1).await;
        assert_eq!(
            (state_of(&engine, &key).as_str(), company.status(&key).as_str()),
            ("flagged", "Inactive")
        );
        let parked = engine.store().read(|state| state.control().failures.len());
        assert_eq!(parked, 0, "what AWS accepted has not failed");
        if shows {
            company.sim.clear_faults();
        }
        let (done, why) = decide(&engine, &key, Decision::Reactivate {}).await;
        assert!(done, "shows: {shows}: {why}");
        assert_eq!(company.status(&key), "Active");
        assert!(held(&engine, &key));
    }
}

#[tokio::test(start_paused = true)]
async fn an_owners_deactivation_after_a_lost_call_is_not_ours() {
    let company = Company::new(DELETE);
    let prod = company.account(PROD);
    let key = company.stale_user(&prod, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 6).await;
    company.sim.fault(Rule::new(Fault::Hang).action("iam:UpdateAccessKey").first(1));
    tokio::time::advance(DAY).await;
    {
        let mut sweep = Box::pin(swept(&engine));
        while company.sim.call_count(&prod, "iam:UpdateAccessKey") == 0 {
            tokio::select! {
                _ = &mut sweep => panic!("the sweep did not wait for the answer"),
                () = tokio::time::sleep(std::time::Duration::from_millis(10)) => {}
            }
        }
    }
    engine.close().await.expect("it closes");
    drop(engine);
    // The process is away for two days; the owner sets the key Inactive.
    tokio::time::advance(2 * DAY).await;
    company.sim.set_key_status(&key, "Inactive");
    let engine = company.open().await;
    company.days(&engine, 60).await;
    assert_eq!(
        (state_of(&engine, &key).as_str(), company.status(&key).as_str()),
        ("deactivated", "Inactive")
    );
    let (done, why) = decide(&engine, &key, Decision::Reactivate {}).await;
    assert!(done, "the undo is offered: {why}");
    assert_eq!(company.status(&key), "Active");
}
