//! Ways in which a promise once broke, or could have: each test tells one of them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::SignedDuration;
use keysweep::config::Sources;
use keysweep::daemon::{Daemon, Parts};
use keysweep::engine::Engine;
use keysweep::metrics::{Metrics, render};
use keysweep_api::{Decision, ResetBreaker, ShowBreaker, ShowPlan};
use keysweep_core::lifecycle::HoldKind;
use keysweep_core::state::{Actor, TripReason};
use keysweep_sim::{Fault, Rule};
use keysweep_store::OpenOptions;
use keysweep_tests::company::{Company, DAY, DELETE, approve, ask, decide, held, look, state_of, swept};

const PROD: &str = "111122223333";
const OTHER: &str = "444455556666";
const UPDATE: &str = "iam:UpdateAccessKey";

/// Goes on with `work` until so many calls were made, and leaves it there.
async fn until_called<T>(
    company: &Company,
    account: &str,
    call: &str,
    times: u64,
    work: &mut Pin<Box<impl Future<Output = T>>>,
) {
    while company.sim.call_count(account, call) < times {
        tokio::select! {
            _ = &mut *work => panic!("it ended before {call}"),
            () = tokio::time::sleep(Duration::from_millis(10)) => {}
        }
    }
}

fn answers_late() -> Rule {
    Rule::new(Fault::LateAnswer(Duration::from_secs(2))).action(UPDATE)
}

/// A stale key whose deactivation was sent and then not shown by any listing.
async fn a_call_that_does_not_show(company: &Company, engine: &Engine, unseen: Fault) {
    company.days(engine, 6).await;
    tokio::time::advance(DAY).await;
    company.sim.fault(answers_late());
    let mut sweep = Box::pin(swept(engine));
    until_called(company, PROD, UPDATE, 1, &mut sweep).await;
    company.sim.fault(Rule::new(unseen).action("iam:ListAccessKeys"));
    sweep.await;
    company.sim.clear_faults();
}

#[tokio::test(start_paused = true)]
async fn a_stop_during_a_change_call_writes_its_outcome_and_begins_no_other() {
    let company = Company::new(DELETE);
    let prod = company.account(PROD);
    let first = company.stale_user(&prod, "svc-a", 200).keys[0].clone();
    let second = company.stale_user(&prod, "svc-b", 200).keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 6).await;
    tokio::time::advance(DAY).await;
    company.sim.fault(answers_late());
    let mut sweep = Box::pin(swept(&engine));
    until_called(&company, PROD, UPDATE, 1, &mut sweep).await;
    engine.stopping().cancel();
    let swept = sweep.await;
    assert_eq!(swept.changed, 1);
    let mut states = [state_of(&engine, &first), state_of(&engine, &second)];
    states.sort();
    assert_eq!(states, ["deactivated", "flagged"]);
    assert_eq!(company.changes().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_drains_during_a_change_call_writes_its_outcome() {
    let company = Company::new(&format!("{DELETE}\n[http]\nlisten = \"127.0.0.1:0\"\n"));
    company.account(PROD);
    let key = company.stale_user(PROD, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 6).await;
    engine.close().await.expect("it closes");
    drop(engine);
    tokio::time::advance(DAY).await;
    company.sim.fault(answers_late());
    let parts = Parts {
        config: company.config(),
        sources: Sources::default(),
        clock: company.clock.clone(),
        metrics: Metrics::new(),
        given: company.given(),
        open: OpenOptions::default(),
    };
    let daemon = Daemon::start(parts).await.expect("it starts");
    while company.sim.call_count(PROD, UPDATE) == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    daemon.drain().await.expect("in time");
    let engine = company.open().await;
    assert_eq!(state_of(&engine, &key), "deactivated");
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_looking_ends_the_sweep_at_once() {
    let company = Company::new(DELETE);
    company.account(PROD);
    company.stale_user(PROD, "svc-a", 200);
    let engine = company.open().await;
    company.sim.fault(Rule::new(Fault::Hang).action("iam:ListAccessKeys"));
    let mut sweep = Box::pin(keysweep::sweep::sweep(&engine));
    until_called(&company, PROD, "iam:ListAccessKeys", 1, &mut sweep).await;
    engine.stopping().cancel();
    let begun = company.clock.now();
    let error = sweep.await.expect_err("it was broken off");
    assert_eq!(error.to_string(), "keysweep is stopping");
    assert_eq!(company.clock.now(), begun);
}

#[tokio::test(start_paused = true)]
async fn an_undo_reads_first_what_became_of_a_call_whose_outcome_was_never_seen() {
    let company = Company::new(DELETE);
    company.account(PROD);
    let key = company.stale_user(PROD, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    a_call_that_does_not_show(&company, &engine, Fault::AccessDenied).await;
    assert_eq!(
        (state_of(&engine, &key).as_str(), company.status(&key).as_str()),
        ("deactivating", "Inactive")
    );
    let (done, why) = decide(&engine, &key, Decision::Reactivate {}).await;
    assert!(done, "{why}");
    assert_eq!(company.status(&key), "Active");
    assert!(held(&engine, &key));
}

#[tokio::test(start_paused = true)]
async fn an_undo_waits_for_a_deactivation_under_way_and_takes_it_back() {
    let company = Company::new(DELETE);
    company.account(PROD);
    let key = company.stale_user(PROD, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 6).await;
    tokio::time::advance(DAY).await;
    company.sim.fault(answers_late().first(1));
    let mut sweep = Box::pin(swept(&engine));
    until_called(&company, PROD, UPDATE, 1, &mut sweep).await;
    let (_, (done, why)) = tokio::join!(sweep, decide(&engine, &key, Decision::Reactivate {}));
    assert!(done, "{why}");
    assert_eq!(company.status(&key), "Active");
}

#[tokio::test(start_paused = true)]
async fn a_deactivation_that_shows_late_is_not_disowned_and_can_be_undone() {
    let company = Company::new(DELETE);
    company.account(PROD);
    let key = company.stale_user(PROD, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    a_call_that_does_not_show(&company, &engine, Fault::Stale(SignedDuration::from_hours(1))).await;
    assert_eq!(state_of(&engine, &key), "flagged");
    assert!(held(&engine, &key));
    assert_eq!(company.status(&key), "Inactive", "it was applied after all");
    company.days(&engine, 1).await;
    assert_eq!(state_of(&engine, &key), "deactivated");
    let (done, why) = decide(&engine, &key, Decision::Reactivate {}).await;
    assert!(done, "{why}");
    assert_eq!(company.status(&key), "Active");
}

#[tokio::test(start_paused = true)]
async fn direct_changes_nothing_in_the_management_account() {
    let company = Company::new(&format!("{DELETE}\n[organization]\nmanagement_account = \"direct\"\n"));
    let mut management = String::new();
    company.sim.configure(|settings| management = settings.management_account.clone());
    let key = company.stale_user(&management, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 30).await;
    assert_eq!(state_of(&engine, &key), "flagged", "it is read, and a finding");
    let (done, why) = decide(&engine, &key, Decision::Deactivate {}).await;
    assert!(!done && why.contains("set it to \"assume\""), "{why}");
    engine.close().await.expect("it closes");
    drop(engine);
    // The same before any sweep of the process, and where nobody can tell who the management account is.
    company.sim.fault(Rule::new(Fault::AccessDenied).action("organizations:DescribeOrganization"));
    let engine = company.open().await;
    let (done, why) = decide(&engine, &key, Decision::Deactivate {}).await;
    assert!(!done, "{why}");
    assert!(company.changes().is_empty());
    assert_eq!(company.status(&key), "Active");
}

#[tokio::test(start_paused = true)]
async fn a_change_by_name_works_before_any_sweep_where_rules_read_the_account() {
    let rules = format!(
        "{DELETE}\n[[policy.override]]\nmatch = {{ account_tags = {{ stage = \"dev\" }} }}\ngrace = \"1d\"\n"
    );
    let company = Company::new(&rules);
    company.account(PROD);
    company.sim.tag_account(PROD, "stage", "dev");
    let key = company.stale_user(PROD, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 2).await;
    engine.close().await.expect("it closes");
    drop(engine);
    let engine = company.open().await;
    let (done, why) = decide(&engine, &key, Decision::Deactivate {}).await;
    assert!(done, "{why}");
}

#[tokio::test(start_paused = true)]
async fn an_order_hears_the_tags_of_the_account_anew_and_waits_where_they_cannot_be_read() {
    let rules = format!(
        "{DELETE}\n[[policy.exempt]]\nmatch = {{ account_tags = {{ stage = \"prod\" }} }}\nreason = \"prod\"\nuntil = \
         \"2099-01-01\"\n"
    );
    let company = Company::new(&rules);
    company.account(PROD);
    let key = company.stale_user(PROD, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    company.sim.tag_account(PROD, "stage", "prod");
    // Longer than organization.refresh, and no sweep comes.
    tokio::time::advance(DAY).await;
    let denied = company.sim.fault(Rule::new(Fault::AccessDenied).action("organizations:*"));
    let (done, why) = decide(&engine, &key, Decision::Deactivate {}).await;
    assert!(!done && why.contains("tags"), "{why}");
    company.sim.remove_fault(denied);
    let (done, why) = decide(&engine, &key, Decision::Deactivate {}).await;
    assert!(!done && why.contains("exempt"), "{why}");
    assert_eq!(company.by_keysweep().count(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_order_changes_nothing_in_an_account_that_is_or_was_excluded_but_for_the_undo() {
    for admitted_again in [false, true] {
        let mut company = Company::new(DELETE);
        company.account(PROD);
        company.account(OTHER);
        let keys = ["svc-one", "svc-two"].map(|user| company.stale_user(PROD, user, 200).keys[0].clone());
        let engine = company.begin().await;
        let (done, why) = decide(&engine, &keys[0], Decision::Deactivate {}).await;
        assert!(done, "{why}");
        let admitting = Arc::new(company.config());
        company.configure(&format!("{DELETE}\n[organization]\nexclude_accounts = [\"{PROD}\"]\n"));
        engine.replace_config(&Actor::Keysweep, Arc::new(company.config())).await.unwrap();
        if admitted_again {
            // The last sweep has left it out, and none has looked at it since.
            swept(&engine).await;
            engine.replace_config(&Actor::Keysweep, admitting).await.unwrap();
        }
        let (done, why) = decide(&engine, &keys[1], Decision::Deactivate {}).await;
        assert!(!done, "{why}");
        assert!(why.contains("excluded"), "{why}");
        assert_eq!(company.status(&keys[1]), "Active");
        let (done, why) = decide(&engine, &keys[0], Decision::Reactivate {}).await;
        assert!(done, "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_that_was_renamed_is_met_once_and_not_under_either_name() {
    for source in ["report", "live"] {
        let company = Company::new(&DELETE.replace("[scan]", &format!("[scan]\nsource = \"{source}\"")));
        company.account(PROD);
        let key = company.stale_user(PROD, "svc-old", 200).keys[0].clone();
        let engine = company.begin().await;
        company.sim.rename_user(PROD, "svc-old", "svc-moved");
        tokio::time::advance(DAY).await;
        company.sim.make_reports();
        swept(&engine).await;
        let plan = look(&engine, ShowPlan {}).await;
        let rows = plan.keys.iter().filter(|row| row.access_key_id.as_ref() == Some(&key)).count();
        assert_eq!(rows, 1, "{source}");
        let id = PROD.parse().expect("an ID");
        let counted = engine.store().read(|state| {
            let account = state.account(id).expect("it was scanned");
            (account.inventory.active_keys, account.findings.of(keysweep_core::finding::FindingKind::Unused))
        });
        assert_eq!(counted, (1, 1), "{source}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_that_a_reload_excludes_during_a_sweep_is_not_changed() {
    let mut company = Company::new(DELETE);
    company.account(PROD);
    let key = company.stale_user(PROD, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 6).await;
    tokio::time::advance(DAY).await;
    let calls = company.sim.call_count(PROD, "iam:ListAccessKeys");
    company.configure(&format!("{DELETE}\n[organization]\nexclude_accounts = [\"{PROD}\"]\n"));
    let excluding = Arc::new(company.config());
    // The first listing is the scan's, the second the re-check's: the reload comes between plan and call.
    let mut sweep = Box::pin(swept(&engine));
    company.sim.fault(Rule::new(Fault::LateAnswer(Duration::from_secs(2))).action("iam:ListAccessKeys"));
    until_called(&company, PROD, "iam:ListAccessKeys", calls + 2, &mut sweep).await;
    engine.replace_config(&Actor::Keysweep, excluding).await.unwrap();
    sweep.await;
    assert_eq!(company.changes(), Vec::<String>::new());
    assert_eq!(company.status(&key), "Active");
}

#[tokio::test(start_paused = true)]
async fn a_reload_is_over_when_nothing_of_the_old_configuration_is_under_way() {
    let mut company = Company::new(DELETE);
    company.account(PROD);
    company.stale_user(PROD, "svc-old", 200);
    let engine = company.begin().await;
    company.days(&engine, 6).await;
    tokio::time::advance(DAY).await;
    company.configure("");
    company.sim.fault(Rule::new(Fault::LateAnswer(Duration::from_secs(2))).action(UPDATE));
    let mut sweep = Box::pin(swept(&engine));
    until_called(&company, PROD, UPDATE, 1, &mut sweep).await;
    let mut reload = Box::pin(engine.replace_config(&Actor::Keysweep, Arc::new(company.config())));
    let at_once = tokio::time::timeout(Duration::from_millis(100), &mut reload).await;
    assert!(at_once.is_err(), "a change of the old one is under way");
    let (_, reloaded) = tokio::join!(sweep, reload);
    reloaded.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_key_whose_user_cannot_be_read_is_counted_as_unknown() {
    for denied in [true, false] {
        let company = Company::new(DELETE);
        company.account(PROD);
        let young = company.used(1);
        company.sim.user(PROD, "two-keys").key(company.used(200)).key(young).add();
        if denied {
            company.sim.fault(Rule::new(Fault::AccessDenied).action("iam:GetUser"));
        }
        let engine = company.begin().await;
        let id = PROD.parse().expect("an ID");
        let unknown = engine.store().read(|state| state.account(id).map(|account| account.unknown_keys));
        assert_eq!(unknown.is_some_and(|keys| keys > 0), denied, "{unknown:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reload_during_the_scan_lets_no_change_through_that_the_old_one_planned() {
    let mut company = Company::new(DELETE);
    company.account(PROD);
    company.stale_user(PROD, "svc-old", 200);
    let engine = company.begin().await;
    company.days(&engine, 6).await;
    tokio::time::advance(DAY).await;
    let calls = company.sim.call_count(PROD, "iam:ListAccessKeys");
    company.configure(&format!("{DELETE}\n[organization]\nexclude_accounts = [\"{PROD}\"]\n"));
    let excluding = Arc::new(company.config());
    company.sim.fault(Rule::new(Fault::LateAnswer(Duration::from_secs(2))).action("iam:ListAccessKeys"));
    let mut sweep = Box::pin(swept(&engine));
    until_called(&company, PROD, "iam:ListAccessKeys", calls + 1, &mut sweep).await;
    engine.replace_config(&Actor::Keysweep, excluding).await.unwrap();
    sweep.await;
    assert_eq!(company.changes(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_decision_that_does_not_apply_is_no_failure_of_the_journal() {
    let company = Company::new(DELETE);
    company.account(PROD);
    let key = company.stale_user(PROD, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    company.sim.delete_key(&key);
    company.days(&engine, 1).await;
    let (done, why) = decide(&engine, &key, Decision::Hold { length: None }).await;
    assert!(!done && why.contains("gone"), "{why}");
    let text = render(engine.metrics().families()).expect("metrics");
    let failures = text.lines().find(|line| line.starts_with("keysweep_audit_failures_total"));
    assert!(failures.is_some_and(|line| line.ends_with(" 0")), "{failures:?}");
}

#[tokio::test(start_paused = true)]
async fn inactive_keys_of_unknown_origin_are_listed_after_a_restart_too() {
    let company = Company::new(DELETE);
    company.account(PROD);
    let key = company.sim.user(PROD, "svc-off").key(company.used(200).inactive()).add().keys[0].clone();
    let engine = company.open_with(OpenOptions::default()).await;
    engine.close().await.expect("it closes");
    drop(engine);
    let engine = company.open_with(OpenOptions::default()).await;
    swept(&engine).await;
    let plan = look(&engine, ShowPlan {}).await;
    assert!(plan.inactive_of_unknown_origin.iter().any(|unknown| unknown.access_key_id == key));
}

#[tokio::test(start_paused = true)]
async fn a_reset_before_the_first_sweep_accepts_the_shrink_that_tripped_the_breaker() {
    let company = Company::new(DELETE);
    let accounts: Vec<String> =
        (1..=10_u64).map(|n| company.account(&format!("{:012}", 100_000_000_000 + n))).collect();
    let engine = company.begin().await;
    for account in &accounts[6..] {
        company.sim.remove_account(account);
    }
    company.days(&engine, 1).await;
    engine.close().await.expect("it closes");
    drop(engine);
    let engine = company.open().await;
    let shown = look(&engine, ShowBreaker {}).await;
    let reset = ResetBreaker { reason: "sold".into(), confirm: shown.confirm.expect("open") };
    ask(&engine, reset).await.expect("it is reset");
    company.days(&engine, 2).await;
    let open = engine.store().read(|state| state.control().breaker.clone());
    assert!(open.is_none(), "{open:?}");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_wrong_dates_no_notice() {
    let mut company = Company::new(DELETE);
    let hand = company.clock.clone();
    let aws = move || hand.now() + SignedDuration::from_hours(24 * 30);
    company.sim = company.sim.clone().with_wall_clock(Arc::new(aws));
    company.account(OTHER);
    let key = company.stale_user(OTHER, "svc-good", 200).keys[0].clone();
    let engine = company.begin().await;
    assert_eq!(state_of(&engine, &key), "active", "nothing is recorded by a clock that is wrong");
    let why = engine.store().read(|state| state.control().breaker.as_ref().map(|trip| trip.reason.clone()));
    assert!(matches!(why, Some(TripReason::ClockSkew { .. })), "{why:?}");
}

#[tokio::test(start_paused = true)]
async fn approving_a_request_that_expired_says_so() {
    let company = Company::new(&DELETE.replace("[policy]", "[policy]\napproval = \"deactivate\""));
    company.account(PROD);
    let key = company.stale_user(PROD, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    tokio::time::advance(DAY * 15).await;
    let (done, why) = approve(&engine, &key).await;
    assert!(!done && why.contains("expired at"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_never_changed_does_not_use_up_the_cap_of_the_others() {
    let company = Company::new(&format!("{DELETE}\n[limits]\nchanges_per_account_per_day = 1\n"));
    company.account(PROD);
    let mut users =
        ["svc-a", "svc-b"].map(|name| (company.stale_user(PROD, name, 200).keys[0].clone(), name));
    users.sort();
    // Both are due since the same sweep, and the lower key ID comes first.
    let [(incident, exposed), (stale, _)] = users;
    company.sim.attach_policy(PROD, exposed, "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3");
    let engine = company.begin().await;
    company.days(&engine, 7).await;
    assert_eq!((company.status(&incident).as_str(), company.status(&stale).as_str()), ("Active", "Inactive"));
    assert_eq!(company.changes().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_undo_that_is_settled_later_holds_the_key_as_long_as_its_override_says() {
    let longer = format!(
        "{DELETE}\n[[policy.override]]\nmatch = {{ users = [\"svc-*\"] }}\nhold_after_reactivation = \"90d\"\n"
    );
    let company = Company::new(&longer);
    company.account(PROD);
    let key = company.stale_user(PROD, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 7).await;
    company.sim.fault(answers_late());
    let mut undo = Box::pin(decide(&engine, &key, Decision::Reactivate {}));
    until_called(&company, PROD, UPDATE, 2, &mut undo).await;
    company.sim.fault(Rule::new(Fault::AccessDenied).action("iam:ListAccessKeys"));
    let (done, _) = undo.await;
    assert!(!done, "its outcome could not be read");
    company.sim.clear_faults();
    company.days(&engine, 40).await;
    assert!(held(&engine, &key), "it is held for 90 days and not for 30");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_woken_while_the_clock_was_wrong_starts_over() {
    let mut company = Company::new(DELETE);
    let (hand, wrong) = (company.clock.clone(), Arc::new(AtomicBool::new(false)));
    let seen = Arc::clone(&wrong);
    let aws = move || match seen.load(Ordering::Relaxed) {
        true => hand.now() + SignedDuration::from_mins(10),
        false => hand.now(),
    };
    company.sim = company.sim.clone().with_wall_clock(Arc::new(aws));
    company.account(PROD);
    let key = company.stale_user(PROD, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 10).await;
    assert_eq!(state_of(&engine, &key), "deactivated");
    company.sim.set_key_status(&key, "Active");
    wrong.store(true, Ordering::Relaxed);
    company.days(&engine, 1).await;
    wrong.store(false, Ordering::Relaxed);
    company.sim.set_key_status(&key, "Inactive");
    company.days(&engine, 1).await;
    assert!(held(&engine, &key), "it was seen Active");
    assert_eq!(state_of(&engine, &key), "active");
}

#[tokio::test(start_paused = true)]
async fn p7_an_undo_needs_one_command_though_the_session_of_the_scan_was_revoked() {
    let company = Company::new(DELETE);
    let prod = company.account(PROD);
    let key = company.stale_user(&prod, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 8).await;
    assert_eq!(company.status(&key), "Inactive");
    company.sim.expire_sessions();
    let (done, message) = decide(&engine, &key, Decision::Reactivate {}).await;
    assert!(done, "{message}");
    assert_eq!(company.status(&key), "Active");
}

#[tokio::test(start_paused = true)]
async fn p7_an_operators_hold_ends_without_the_one_after_a_reactivation() {
    let company = Company::new(DELETE);
    let prod = company.account(PROD);
    let key = company.stale_user(&prod, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 8).await;
    let (done, message) = decide(&engine, &key, Decision::Reactivate {}).await;
    assert!(done, "{message}");
    let (done, message) = decide(&engine, &key, Decision::Hold { length: Some(DAY) }).await;
    assert!(done, "{message}");
    let (done, message) = decide(&engine, &key, Decision::Release { hold: None }).await;
    assert!(!done && message.contains("--hold NUMBER"), "{message}");
    let number = |kind: HoldKind| {
        let id = key.parse().unwrap();
        engine.store().read(|state| {
            let record = state.record(&id).unwrap();
            record.holds.iter().find(|hold| hold.kind == kind).map(|hold| hold.number)
        })
    };
    let (done, message) = decide(&engine, &key, Decision::Release { hold: number(HoldKind::Operator) }).await;
    assert!(done, "{message}");
    assert_eq!(number(HoldKind::Operator), None);
    let (done, message) = decide(&engine, &key, Decision::Release { hold: None }).await;
    assert!(!done && message.contains("reactivated"), "{message}");
    company.days(&engine, 20).await;
    assert_eq!(company.status(&key), "Active", "the hold lasts thirty days");
    assert!(held(&engine, &key));
}
