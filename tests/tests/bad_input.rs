//! Whatever AWS answers: an error that names operation and thing, the rest goes on, nothing is lost and nothing done.

use keysweep::sweep::{SweepError, sweep};
use keysweep_api::ShowPlan;
use keysweep_core::state::Reach;
use keysweep_sim::{Fault, Rule};
use keysweep_tests::company::{Company, DELETE, look, state_of, swept};

const BAD: &str = "111122223333";
const GOOD: &str = "444455556666";

/// Two accounts with a stale key each.
fn two_accounts(toml: &str) -> (Company, String, String) {
    let company = Company::new(toml);
    let (bad, good) = (company.account(BAD), company.account(GOOD));
    let bad_key = company.stale_user(&bad, "svc-bad", 200).keys[0].clone();
    let good_key = company.stale_user(&good, "svc-good", 200).keys[0].clone();
    (company, bad_key, good_key)
}

fn reach(engine: &keysweep::engine::Engine, account: &str) -> Reach {
    let id = account.parse().expect("an account ID");
    engine.store().read(|state| state.account(id).expect("it was listed").reach.clone())
}

#[tokio::test(start_paused = true)]
async fn every_fault_at_every_call_leaves_the_other_account_alone() {
    let faults = [
        Fault::Throttle,
        Fault::AccessDenied,
        Fault::ServiceFailure,
        Fault::ResetBefore,
        Fault::Hang,
        Fault::MalformedBody,
        Fault::GarbageBody,
    ];
    let calls = [
        "sts:AssumeRole",
        "iam:GenerateCredentialReport",
        "iam:GetCredentialReport",
        "iam:ListAccessKeys",
        "iam:GetUser",
    ];
    for fault in faults {
        for call in calls {
            let (company, bad_key, good_key) = two_accounts(DELETE);
            company.sim.fault(Rule::new(fault.clone()).account(BAD).action(call));
            let engine = company.begin().await;
            company.days(&engine, 8).await;
            assert_eq!(company.status(&good_key), "Inactive", "{fault:?} at {call}");
            match call {
                // Nothing was read of it, so nothing is done to it.
                "sts:AssumeRole" | "iam:ListAccessKeys" | "iam:GetUser" => {
                    assert_eq!(company.status(&bad_key), "Active", "{fault:?} at {call}");
                    assert_eq!(state_of(&engine, &bad_key), "active", "{fault:?} at {call}");
                }
                // Without a report the live way is taken.
                _ => {}
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_last_use_that_is_denied_is_unknown_and_not_never() {
    let company = Company::new(&format!("{DELETE}\n"));
    company.account(BAD);
    let twins = company.sim.user(BAD, "twins").key(company.used(200)).key(company.used(300)).add();
    company.sim.fault(Rule::new(Fault::AccessDenied).action("iam:GetAccessKeyLastUsed"));
    let engine = company.begin().await;
    company.days(&engine, 20).await;
    assert_eq!(company.changes(), Vec::<String>::new());
    let plan = look(&engine, ShowPlan {}).await;
    assert_eq!(plan.coverage.unknown_keys, 2);
    for key in &plan.keys {
        assert!(
            key.unknown.iter().any(|why| why.contains("get last use of key") && why.contains("denied")),
            "{key:?}"
        );
        assert!(twins.keys.contains(key.access_key_id.as_ref().expect("an ID")));
    }
}

#[tokio::test(start_paused = true)]
async fn a_role_that_cannot_be_assumed_fails_its_account_alone_and_says_so() {
    let (company, bad_key, good_key) = two_accounts(DELETE);
    company.sim.remove_role(BAD, "keysweep/KeysweepScan");
    let engine = company.begin().await;
    company.days(&engine, 8).await;
    let Reach::Failed { reason, .. } = reach(&engine, BAD) else { panic!("it failed") };
    assert!(reason.contains("assume role") && reason.contains("denied"), "{reason}");
    assert_eq!(
        (company.status(&bad_key).as_str(), company.status(&good_key).as_str()),
        ("Active", "Inactive")
    );
}

#[tokio::test(start_paused = true)]
async fn an_account_that_fails_keeps_its_keys_as_they_were() {
    let (company, bad_key, _) = two_accounts(DELETE);
    let engine = company.begin().await;
    company.days(&engine, 8).await;
    assert_eq!(state_of(&engine, &bad_key), "deactivated");
    company.sim.fault(Rule::new(Fault::AccessDenied).account(BAD).action("sts:AssumeRole"));
    company.sim.expire_sessions();
    company.days(&engine, 40).await;
    assert_eq!(state_of(&engine, &bad_key), "deactivated", "grace stands still");
    assert_eq!(company.status(&bad_key), "Inactive");
}

#[tokio::test(start_paused = true)]
async fn an_organization_without_accounts_is_a_fault() {
    let (company, ..) = two_accounts(DELETE);
    let engine = company.begin().await;
    company.sim.fault(Rule::new(Fault::GarbageBody).action("organizations:ListAccounts"));
    let Err(SweepError::Organization(error)) = sweep(&engine).await else { panic!("the sweep fails") };
    assert!(error.to_string().contains("could not be listed"), "{error}");
    assert!(matches!(reach(&engine, GOOD), Reach::Scanned), "and nobody has left");
}

#[tokio::test(start_paused = true)]
async fn empty_pages_end_nothing() {
    let company = Company::new(DELETE);
    for n in 1..=50_u64 {
        company.account(&format!("{:012}", 100_000_000_000 + n));
    }
    company.sim.configure(|settings| settings.empty_pages = true);
    let engine = company.open().await;
    let swept = swept(&engine).await;
    assert_eq!(swept.scanned, 50);
}

fn report(rows: &str) -> Vec<u8> {
    let header = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_last_used_region,access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,cert_1_last_rotated,cert_2_active,cert_2_last_rotated";
    format!("{header}\n{rows}").into_bytes()
}

#[tokio::test(start_paused = true)]
async fn reports_of_every_bad_kind_fail_one_account_or_are_read_live() {
    let missing_column =
        String::from_utf8(report("")).expect("text").replace("access_key_1_active,", "").into_bytes();
    let non_utf8 = [report(""), vec![b's', 0xff, 0xfe, b',']].concat();
    let cases = [
        ("a missing column", missing_column, true),
        ("an empty body", Vec::new(), true),
        ("bytes that are no text", vec![0xff; 64], true),
        ("a row that is no text", non_utf8, false),
    ];
    for (what, bytes, fails) in cases {
        let (company, bad_key, good_key) = two_accounts(DELETE);
        company.sim.override_report(BAD, Some(bytes.into()));
        let engine = company.begin().await;
        company.days(&engine, 8).await;
        assert_eq!(company.status(&good_key), "Inactive", "{what}");
        assert_eq!(
            matches!(reach(&engine, BAD), Reach::Failed { .. }),
            fails,
            "{what}: {:?}",
            reach(&engine, BAD)
        );
        if fails {
            assert_eq!(company.status(&bad_key), "Active", "{what}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_off_by_more_than_five_minutes_opens_the_breaker() {
    let mut company = Company::new(DELETE);
    let hand = company.clock.clone();
    let ahead = move || hand.now() + jiff::SignedDuration::from_mins(6);
    company.sim = company.sim.clone().with_wall_clock(std::sync::Arc::new(ahead));
    company.account(GOOD);
    let key = company.stale_user(GOOD, "svc-good", 200).keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 10).await;
    assert_eq!(company.status(&key), "Active");
    let why =
        engine.store().read(|state| state.control().breaker.as_ref().map(|trip| trip.reason.to_string()));
    assert_eq!(why.as_deref(), Some("our clock differs from that of AWS by 360 s"));
}

#[tokio::test(start_paused = true)]
async fn an_organization_that_shrinks_opens_the_breaker() {
    let company = Company::new(DELETE);
    let accounts: Vec<String> =
        (1..=10_u64).map(|n| company.account(&format!("{:012}", 100_000_000_000 + n))).collect();
    let key = company.stale_user(&accounts[0], "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    for account in &accounts[6..] {
        company.sim.remove_account(account);
    }
    company.days(&engine, 10).await;
    assert!(engine.store().read(|state| state.control().breaker.is_some()));
    assert_eq!(company.status(&key), "Active");
}
