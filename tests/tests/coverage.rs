//! What was not seen is said by everybody who is asked: commands, gauges, readiness and the journal.

use std::time::Duration;

use jiff::SignedDuration;
use keysweep::engine::Engine;
use keysweep::health::{Health, LastSweep};
use keysweep::metrics::inventory::{Observed, families};
use keysweep::metrics::render;
use keysweep_api::{PlanDocument, ShowPlan};
use keysweep_sim::{AccountFields, Fault, Rule};
use keysweep_tests::company::{Company, DELETE, look, state_of, swept};
use keysweep_tests::site::Site;
use serde_json::Value;

const PROD: &str = "111122223333";
const TEST: &str = "222233334444";
const OLD: &str = "333344445555";

fn gauges(engine: &Engine) -> String {
    let (now, config, latest) = (engine.clock().now(), engine.config(), engine.latest());
    engine.store().read(|state| {
        let observed = Observed {
            now,
            state,
            policy: &config.policy,
            scan_interval: Duration::from_secs(86_400),
            seen: latest.as_ref().map(|latest| &latest.collection),
            store_bytes: None,
            evidence_bytes: None,
            idle_rules: None,
        };
        render(families(&observed)).unwrap()
    })
}

/// The value of a gauge of an account; `None` without a series.
fn gauge(engine: &Engine, family: &str, labels: &str) -> Option<u64> {
    let text = gauges(engine);
    let found = text.lines().find_map(|line| line.strip_prefix(&format!("{family}{{{labels}}} ")));
    found.map(|value| value.parse().unwrap())
}

fn of_prod(engine: &Engine, family: &str) -> Option<u64> {
    gauge(engine, family, &format!("account_id=\"{PROD}\""))
}

fn stale(engine: &Engine) -> Option<u64> {
    gauge(engine, "keysweep_stale_keys", &format!("account_id=\"{PROD}\",reason=\"unused\""))
}

fn missing(engine: &Engine) -> Vec<String> {
    Health::new().missing(LastSweep::of(engine))
}

async fn planned(engine: &Engine) -> PlanDocument {
    look(engine, ShowPlan {}).await
}

fn denied(action: &str) -> Rule {
    Rule::new(Fault::AccessDenied).action(action)
}

#[tokio::test(start_paused = true)]
async fn accounts_without_a_known_state_are_unknown_and_not_skipped() {
    let company = Company::new(DELETE);
    company.account(PROD);
    company.account(TEST);
    company.account(OLD);
    company.sim.set_account_state(OLD, "SUSPENDED");
    let engine = company.begin().await;
    assert_eq!(missing(&engine), [""; 0]);
    for blind in ["no state", "a state that nobody knows"] {
        if blind == "no state" {
            company.sim.configure(|settings| settings.account_fields = AccountFields::Neither);
        } else {
            company.sim.configure(|settings| settings.account_fields = AccountFields::State);
            company.sim.set_account_state(PROD, "RESTING");
            company.sim.set_account_state(TEST, "RESTING");
        }
        let swept = swept(&engine).await;
        assert_eq!(swept.scanned, 0, "{blind}");
        assert!(swept.failed >= 2, "{blind}: {swept:?}");
        let out_of_reach = engine.store().read(|state| state.out_of_reach(PROD.parse().unwrap()));
        assert!(out_of_reach.unwrap().contains("state"), "{blind}");
        assert!(missing(&engine)[0].contains("could be scanned"), "{blind}: {:?}", missing(&engine));
        let coverage = planned(&engine).await.coverage;
        assert!(coverage.incomplete[0].starts_with("0 of "), "{blind}: {:?}", coverage.incomplete);
    }
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_suddenly_scans_nothing_is_not_ready() {
    let mut company = Company::new(DELETE);
    company.sim.account(PROD).ou("Workloads").add();
    company.sim.account(OLD).state("SUSPENDED").add();
    company.configure(&format!("{DELETE}\n[organization]\ninclude_ous = [\"ou-0000-nobody00\"]\n"));
    let engine = company.begin().await;
    // As configured from the beginning, and said all the same.
    assert_eq!(missing(&engine), [""; 0]);
    assert!(Health::new().trouble(LastSweep::of(&engine))[0].contains("skipped"));
    assert_eq!(planned(&engine).await.coverage.incomplete, ["0 of 3 accounts scanned"]);
    drop(engine);

    let mut company = Company::new(DELETE);
    company.account(PROD);
    let engine = company.begin().await;
    assert_eq!(missing(&engine), [""; 0]);
    company.configure(&format!("{DELETE}\n[organization]\ninclude_ous = [\"ou-0000-nobody00\"]\n"));
    engine
        .replace_config(&keysweep_core::state::Actor::Keysweep, std::sync::Arc::new(company.config()))
        .await
        .unwrap();
    swept(&engine).await;
    assert!(missing(&engine)[0].contains("skipped"), "{:?}", missing(&engine));
}

#[tokio::test(start_paused = true)]
async fn facts_that_a_rule_lacks_are_unknown_everywhere() {
    let rules = [
        ("ous", "match = { ous = [\"ou-0000-nobody00\"] }", &["organizations:ListRoots"][..]),
        (
            "account tags",
            "match = { account_tags = { stage = \"test\" } }",
            &["organizations:ListTagsForResource"],
        ),
        (
            "user tags",
            "match = { user_tags = { keep = \"*\" } }",
            &["iam:GetUser", "iam:GetAccountAuthorizationDetails"],
        ),
    ];
    for (what, rule, actions) in rules {
        let exempt =
            format!("{DELETE}\n[[policy.exempt]]\n{rule}\nreason = \"test\"\nuntil = \"2030-01-01\"\n");
        let company = Company::new(&exempt);
        company.account(PROD);
        let key = company.stale_user(PROD, "svc-old", 200).keys[0].clone();
        company.stale_user(PROD, "svc-older", 300);
        let engine = company.begin().await;
        assert_eq!((stale(&engine), of_prod(&engine, "keysweep_unknown_keys")), (Some(2), Some(0)), "{what}");
        assert_eq!(missing(&engine), [""; 0], "{what}");

        for action in actions {
            company.sim.fault(denied(action));
        }
        company.days(&engine, 1).await;
        let coverage = planned(&engine).await.coverage;
        assert_eq!(coverage.unknown_keys, 2, "{what}");
        assert_eq!(of_prod(&engine, "keysweep_unknown_keys"), Some(2), "{what}");
        assert_eq!(stale(&engine), Some(2), "{what}: the last known number stays");
        assert!(missing(&engine)[0].contains("any of 2 keys"), "{what}: {:?}", missing(&engine));
        assert_eq!(state_of(&engine, &key), "flagged", "{what}");

        company.sim.clear_faults();
        company.days(&engine, 1).await;
        assert_eq!((stale(&engine), of_prod(&engine, "keysweep_unknown_keys")), (Some(2), Some(0)), "{what}");
        assert_eq!(missing(&engine), [""; 0], "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_scan_that_sees_less_keeps_the_last_known_counts() {
    let company = Company::new(DELETE);
    company.account(PROD);
    company.sim.set_root_keys(PROD, 1);
    for name in ["svc-old", "svc-older"] {
        company.stale_user(PROD, name, 200);
    }
    company.stale_user(PROD, "in-use", 1);
    let engine = company.begin().await;
    let shown = |engine: &Engine| {
        let active = format!("account_id=\"{PROD}\",state=\"active\"");
        (
            of_prod(engine, "keysweep_root_keys"),
            stale(engine),
            gauge(engine, "keysweep_keys", &active),
            of_prod(engine, "keysweep_oldest_key_created_timestamp_seconds"),
            gauge(engine, "keysweep_active_keys_by_idle", "bucket=\"180-365d\""),
        )
    };
    let before = shown(&engine);
    assert_eq!((before.0, before.1, before.2, before.4), (Some(1), Some(2), Some(1), Some(2)));

    // No report, so that the account is read live; and of that only a part.
    for action in ["iam:GenerateCredentialReport", "iam:GetAccountSummary", "iam:ListAccessKeys"] {
        company.sim.fault(denied(action));
    }
    swept(&engine).await;
    assert_eq!(shown(&engine), before);
    assert!(of_prod(&engine, "keysweep_unknown_keys").unwrap() >= 3);

    company.sim.clear_faults();
    company.sim.set_root_keys(PROD, 0);
    company.days(&engine, 1).await;
    assert_eq!(of_prod(&engine, "keysweep_root_keys"), Some(0), "what is known again counts again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_of_no_account_ends_with_4_and_says_so() {
    let site = Site::new("").await;
    site.sim.account(OLD).state("SUSPENDED").add();
    for fail_on in [&["scan"][..], &["scan", "--fail-on", "any"], &["scan", "--account", OLD]] {
        let (code, _, messages) = site.run(fail_on).await;
        assert_eq!(code, 4, "{fail_on:?}: {messages}");
        assert!(messages.contains("warning: 0 of "), "{fail_on:?}: {messages}");
        assert!(!messages.contains("no findings"), "{fail_on:?}: {messages}");
    }
    let (_, _, messages) = site.run(&["scan", "--account", OLD]).await;
    assert!(messages.contains(&format!("account {OLD} was asked for and skipped")), "{messages}");
    // Beside one that was scanned, too.
    site.account(PROD);
    let (code, _, messages) = site.run(&["scan"]).await;
    assert_eq!(code, 0, "{messages}");
    let (code, json, messages) =
        site.run(&["scan", "--format", "json", "--account", OLD, "--account", PROD]).await;
    assert_eq!(code, 4, "{messages}");
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["coverage"]["incomplete"].as_array().unwrap().len(), 1, "{json}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_off_by_more_than_five_minutes_ends_with_4() {
    for (seconds, code) in [(-40 * 86_400, 4), (-301 - 30, 4), (40 * 86_400, 4), (60, 0)] {
        let site = Site::off_by("", SignedDuration::from_secs(seconds)).await;
        site.account(PROD);
        let key = site.stale_key(PROD, "svc-old");
        for command in [&["scan"][..], &["plan"]] {
            let (exit, _, messages) = site.run(command).await;
            assert_eq!(exit, code, "{command:?} at {seconds} s: {messages}");
            assert_eq!(messages.contains("this machine's clock is"), code == 4, "{messages}");
            assert!(!messages.contains(&key), "{messages}");
        }
        let (exit, _, messages) = site.run(&["doctor"]).await;
        assert_eq!(exit == 4, code == 4 || messages.contains("cannot"), "{messages}");
    }
}

/// More entries and notices than a sweep writes at once.
#[tokio::test(start_paused = true)]
async fn a_sweep_that_finds_very_much_writes_it_in_parts_and_plans_for_all_of_it() {
    const USERS: usize = 350;
    let accounts = [PROD, TEST, OLD];
    let company = Company::new(DELETE);
    for account in accounts {
        company.account(account);
        for user in 0..USERS {
            company.stale_user(account, &format!("svc-{user}"), 200);
        }
    }
    let engine = company.begin().await;
    let all = accounts.len() * USERS;
    let noticed =
        || engine.store().read(|state| state.records().filter(|record| record.notice().is_some()).count());
    assert_eq!(noticed(), all);
    assert!(engine.store().last_seq() > 2_000, "{} entries", engine.store().last_seq());
    // Once, and not again by the next.
    let after = engine.store().last_seq();
    company.days(&engine, 1).await;
    let more = usize::try_from(engine.store().last_seq() - after).unwrap();
    assert!(more <= accounts.len() + 2, "{more} entries");
    assert_eq!(planned(&engine).await.keys.len(), all);
}
