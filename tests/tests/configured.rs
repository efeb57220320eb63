//! The configuration means what it says: a rule that names nothing, and an account that has just moved.

use keysweep_api::{AcknowledgeRule, Decision, Done, ListRules, Refusal, RulesDocument};
use keysweep_core::ids::AccountId;
use keysweep_tests::company::{Company, DELETE, ask, decide, look, state_of, swept};

const PROD: &str = "111122223333";

fn mk_exempt(matches: &str) -> String {
    format!(
        "\n[[policy.exempt]]\nmatch = {{ {matches} }}\nreason = \"never touch\"\nuntil = \"2099-01-01\"\n"
    )
}

async fn rules(engine: &keysweep::engine::Engine) -> RulesDocument {
    look(engine, ListRules {}).await
}

async fn acknowledge(engine: &keysweep::engine::Engine, id: &str) -> Result<Done, Refusal> {
    ask(engine, AcknowledgeRule { id: id.into(), reason: "known".into() }).await
}

#[tokio::test(start_paused = true)]
async fn a_mistyped_user_stops_every_change() {
    for source in ["report", "live"] {
        let text = DELETE.replace("[scan]", &format!("[scan]\nsource = \"{source}\""));
        let company = Company::new(&format!("{text}{}", mk_exempt("users = [\"break-glas\"]")));
        company.account(PROD);
        let key = company.stale_user(PROD, "break-glass", 200).keys[0].clone();
        let engine = company.begin().await;
        company.days(&engine, 12).await;
        assert_eq!(
            (state_of(&engine, &key).as_str(), company.by_keysweep().count()),
            ("flagged", 0),
            "{source}"
        );
        let (done, why) = decide(&engine, &key, Decision::Deactivate {}).await;
        assert!(!done && why.contains("user break-glas of policy.exempt"), "{why}");
        engine.close().await.expect("it closes");
        drop(engine);

        // It outlives the process, and needs no sweep.
        let engine = company.open().await;
        let (done, why) = decide(&engine, &key, Decision::Deactivate {}).await;
        assert!(!done && why.contains("does not exist"), "{why}");
        let missing = rules(&engine).await.missing;
        assert_eq!((missing.len(), missing[0].what.as_str(), missing[0].stops), (1, "user break-glas", true));
        assert!(matches!(acknowledge(&engine, "00000000").await, Err(Refusal::NotFound(_))));
        assert!(acknowledge(&engine, &missing[0].id).await.is_ok());
        let (done, why) = decide(&engine, &key, Decision::Deactivate {}).await;
        assert!(done, "{why}");
        assert!(!rules(&engine).await.missing[0].stops);
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_that_exists_by_now_stops_nothing() {
    let company = Company::new(&format!("{DELETE}{}", mk_exempt("users = [\"break-glass\"]")));
    company.account(PROD);
    let key = company.stale_user(PROD, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    swept(&engine).await;
    assert_eq!(rules(&engine).await.missing.len(), 1);
    company.sim.user(PROD, "break-glass").add();
    company.days(&engine, 9).await;
    assert_eq!(rules(&engine).await.missing, []);
    assert_eq!(state_of(&engine, &key), "deactivated");
}

#[tokio::test(start_paused = true)]
async fn an_account_that_cannot_be_read_concludes_nothing() {
    let company = Company::new(&format!("{DELETE}{}", mk_exempt("users = [\"break-glass\"]")));
    company.account(PROD);
    company.stale_user(PROD, "svc-old", 200);
    // Without the roles it cannot be entered; the user may be there.
    company.sim.account("444455556666").add();
    let engine = company.begin().await;
    swept(&engine).await;
    assert_eq!(rules(&engine).await.missing, []);
}

#[tokio::test(start_paused = true)]
async fn an_ou_or_account_that_is_not_there_stops_every_change() {
    for rule in [
        mk_exempt("ous = [\"ou-ab12-zzzzzzzz\"]"),
        mk_exempt("accounts = [\"123123123123\"]"),
        "\n[[policy.override]]\nmatch = { ous = [\"r-ab12\"] }\nmode = \"observe\"\n".into(),
        "\n[organization]\nexclude_ous = [\"ou-ab12-zzzzzzzz\"]\n".into(),
        "\n[organization]\nexclude_accounts = [\"123123123123\"]\n".into(),
    ] {
        let company = Company::new(&format!("{DELETE}{rule}"));
        company.account(PROD);
        let key = company.stale_user(PROD, "svc-old", 200).keys[0].clone();
        let engine = company.begin().await;
        company.days(&engine, 9).await;
        assert_eq!(
            (state_of(&engine, &key).as_str(), rules(&engine).await.missing.len()),
            ("flagged", 1),
            "{rule}"
        );
        let id = rules(&engine).await.missing[0].id.clone();
        assert!(acknowledge(&engine, &id).await.is_ok());
        company.days(&engine, 1).await;
        assert_eq!(state_of(&engine, &key), "deactivated", "{rule}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pattern_that_matches_nothing_only_warns() {
    let rule = mk_exempt("users = [\"old-*\"], paths = [\"/ops/\"]");
    let company = Company::new(&format!("{DELETE}{rule}"));
    company.account(PROD);
    let key = company.stale_user(PROD, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 9).await;
    assert_eq!(state_of(&engine, &key), "deactivated");
    let shown = rules(&engine).await;
    let idle: Vec<_> = shown.matching_nothing.unwrap_or_default().into_iter().map(|one| one.what).collect();
    assert_eq!((shown.missing.len(), idle), (0, vec!["path /ops/".to_owned(), "user old-*".to_owned()]));
}

/// The account is moved or tagged between the sweep and the change, within `organization.refresh`.
#[tokio::test(start_paused = true)]
async fn a_change_is_judged_by_where_the_account_is() {
    for what in ["exempt ou", "excluded ou", "not included", "exempt tag"] {
        let mut company = Company::new(DELETE);
        company.sim.account(PROD).ou("Work").add();
        company.account(PROD);
        company.sim.account("444455556666").ou("Frozen").add();
        company.sim.move_account(PROD, "Work");
        let (work, frozen) = (company.sim.ou_id("Work"), company.sim.ou_id("Frozen"));
        let rule = match what {
            "exempt ou" => mk_exempt(&format!("ous = [\"{frozen}\"]")),
            "excluded ou" => format!("\n[organization]\nexclude_ous = [\"{frozen}\"]\n"),
            "not included" => format!("\n[organization]\ninclude_ous = [\"{work}\"]\n"),
            _ => mk_exempt("account_tags = { stage = \"frozen\" }"),
        };
        company.configure(&format!("{DELETE}{rule}"));
        let key = company.stale_user(PROD, "svc-old", 200).keys[0].clone();
        let engine = company.begin().await;
        swept(&engine).await;
        assert_eq!(state_of(&engine, &key), "flagged", "{what}");
        if what == "exempt tag" {
            company.sim.tag_account(PROD, "stage", "frozen");
        } else {
            company.sim.move_account(PROD, "Frozen");
        }
        let (done, why) = decide(&engine, &key, Decision::Deactivate {}).await;
        assert!(!done, "{what}: {why}");
        assert_eq!(company.by_keysweep().count(), 0, "{what}");
        // And back: nothing that was read before stands in the way.
        if what != "exempt tag" {
            company.sim.move_account(PROD, "Work");
            assert!(PROD.parse::<AccountId>().is_ok());
            let (done, why) = decide(&engine, &key, Decision::Deactivate {}).await;
            assert!(done || why.contains("the re-check found"), "{what}: {why}");
        }
    }
}
