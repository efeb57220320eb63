//! What a scan costs, counted exactly.

use std::sync::Arc;

use keysweep::collect::{Inputs, OrganizationCache, collect};
use keysweep::metrics::Metrics;
use keysweep_core::facts::{Collection, Outcome};
use keysweep_core::state::State;
use keysweep_sim::{Fault, Rule};
use keysweep_tests::company::{Company, DELETE, swept};

const PROD: &str = "111122223333";

/// One scan without any record: as `keysweep scan` does it.
async fn scanned(company: &Company) -> Collection {
    let config = Arc::new(company.config());
    let aws = keysweep::connect::connect(&config, &company.clock, Metrics::new(), company.given()).await;
    let aws = aws.expect("the simulator is there");
    let inputs = Inputs {
        aws: &aws,
        config: &config,
        clock: &company.clock,
        cache: &OrganizationCache::default(),
        only: &[],
        list_inactive: false,
    };
    collect(inputs, &State::default(), &()).await.expect("there are accounts")
}

fn calls(company: &Company, account: &str) -> u64 {
    company.sim.account_calls(account)
}

#[tokio::test(start_paused = true)]
async fn an_account_without_candidates_costs_three_calls_whatever_its_users() {
    for users in [0, 1, 200] {
        let company = Company::new("");
        let prod = company.account(PROD);
        for n in 0..users {
            company.stale_user(&prod, &format!("busy-{n}"), 1);
        }
        company.sim.make_report(&prod);
        scanned(&company).await;
        assert_eq!(calls(&company, &prod), 3, "AssumeRole, Generate, Get for {users} users");
    }
}

#[tokio::test(start_paused = true)]
async fn a_report_that_has_to_be_made_costs_one_call_more() {
    let company = Company::new("");
    let prod = company.account(PROD);
    scanned(&company).await;
    assert_eq!(calls(&company, &prod), 4);
}

#[tokio::test(start_paused = true)]
async fn a_candidate_user_costs_one_call_and_an_account_with_candidates_one() {
    let company = Company::new("scan.interval = \"24h\"\nscan.report_max_age = \"24h\"");
    let prod = company.account(PROD);
    for n in 0..7 {
        company.stale_user(&prod, &format!("stale-{n}"), 100);
        company.stale_user(&prod, &format!("busy-{n}"), 2);
    }
    company.sim.make_report(&prod);
    let engine = company.open().await;
    swept(&engine).await;
    assert_eq!(calls(&company, &prod), 3 + 7 + 1, "ListAccessKeys for each candidate, and all users at once");
    company.sim.reset_calls();
    swept(&engine).await;
    // The session is still good, and who the users are is known: it is read what is attached to them.
    assert_eq!(calls(&company, &prod), 2 + 7 + 1);
}

const DETAILS: &str = "iam:GetAccountAuthorizationDetails";

#[tokio::test(start_paused = true)]
async fn few_candidates_are_asked_about_one_by_one() {
    let company = Company::new("scan.interval = \"24h\"\nscan.report_max_age = \"24h\"");
    let prod = company.account(PROD);
    company.stale_user(&prod, "svc-old", 100);
    company.sim.make_report(&prod);
    let engine = company.open().await;
    swept(&engine).await;
    assert_eq!(calls(&company, &prod), 3 + 3, "ListAccessKeys, GetUser, ListAttachedUserPolicies");
    company.sim.reset_calls();
    swept(&engine).await;
    assert_eq!(calls(&company, &prod), 2 + 2, "ListAccessKeys, ListAttachedUserPolicies");
    assert_eq!(company.sim.call_count(&prod, DETAILS), 0);
}

#[tokio::test(start_paused = true)]
async fn bulk_is_asked_for_where_it_spares_more_than_a_few_calls() {
    // Three pages of users, and two calls for each candidate.
    for (candidates, details, alone) in [(0, 0, 0), (2, 0, 2), (3, 3, 0)] {
        let company = Company::new("");
        let prod = company.account(PROD);
        for n in 0..2001 {
            company.stale_user(&prod, &format!("svc-{n:04}"), if n < candidates { 100 } else { 1 });
        }
        company.sim.make_report(&prod);
        scanned(&company).await;
        assert_eq!(company.sim.call_count(&prod, DETAILS), details, "for {candidates} candidates");
        for api in ["iam:GetUser", "iam:ListAttachedUserPolicies"] {
            assert_eq!(company.sim.call_count(&prod, api), alone, "{api} for {candidates} candidates");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_of_the_benchmark_costs_seven_calls_and_in_a_daemon_no_more() {
    let company = Company::new("scan.interval = \"24h\"\nscan.report_max_age = \"24h\"");
    let prod = company.account(PROD);
    for n in 0..50 {
        company.stale_user(&prod, &format!("svc-{n:02}"), if n < 3 { 200 } else { 1 });
    }
    company.sim.make_report(&prod);
    scanned(&company).await;
    // `cargo xtask bench` expects as many: see `calls_per_account` there.
    assert_eq!(calls(&company, &prod), 3 + 3 + 1);
    let engine = company.open().await;
    swept(&engine).await;
    company.sim.reset_calls();
    swept(&engine).await;
    assert_eq!(calls(&company, &prod), 2 + 3 + 1, "the session is still good");
}

/// 20 accounts of 100 users, of whom 671 have a stale key.
fn mk_large() -> Company {
    let company = Company::new("");
    for account in 0..20 {
        let id = company.account(&format!("4000000000{account:02}"));
        let stale = if account < 11 { 34 } else { 33 };
        for n in 0..100 {
            company.stale_user(&id, &format!("svc-{n:03}"), if n < stale { 200 } else { 1 });
        }
    }
    company
}

fn total(company: &Company, api: &str) -> u64 {
    company.sim.calls().into_iter().filter(|((_, call), _)| call == api).map(|(_, count)| count).sum()
}

#[tokio::test(start_paused = true)]
async fn twenty_accounts_with_671_candidates_cost_771_calls() {
    let company = mk_large();
    scanned(&company).await;
    let in_accounts: u64 = (0..20).map(|n| calls(&company, &format!("4000000000{n:02}"))).sum();
    assert_eq!(in_accounts, 20 * 4 + 671 + 20);
    assert_eq!((total(&company, "iam:ListAccessKeys"), total(&company, DETAILS)), (671, 20));
    assert_eq!((total(&company, "iam:GetUser"), total(&company, "iam:ListAttachedUserPolicies")), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn where_bulk_is_denied_users_are_read_one_by_one() {
    let company = mk_large();
    company.sim.fault(Rule::new(Fault::AccessDenied).action(DETAILS));
    let by_one = scanned(&company).await;
    // Denied under the session that there was, and under a new one.
    assert_eq!((total(&company, DETAILS), total(&company, "iam:GetUser")), (40, 671));
    assert_eq!(total(&company, "iam:ListAttachedUserPolicies"), 671);
    let company = mk_large();
    let at_once = scanned(&company).await;
    let facts = |collection: Collection| {
        let scans = collection.accounts.into_iter().filter_map(|(_, outcome)| match outcome {
            Outcome::Scanned(scan) => Some(scan.keys),
            Outcome::Failed { .. } | Outcome::Skipped { .. } => None,
        });
        scans
            .flatten()
            .map(|key| (key.user_name.clone(), key.path.clone(), key.tags.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(facts(by_one), facts(at_once));
}

#[tokio::test(start_paused = true)]
async fn an_ambiguous_key_costs_one_call_more() {
    let company = Company::new("");
    let prod = company.account(PROD);
    // Two keys of the same second: the report cannot tell which is which.
    company.sim.user(&prod, "twins").key(company.used(200)).key(company.used(300)).add();
    company.sim.make_report(&prod);
    let collection = scanned(&company).await;
    assert_eq!(calls(&company, &prod), 3 + 3 + 2);
    assert_eq!(company.sim.call_count(&prod, "iam:GetAccessKeyLastUsed"), 2);
    drop(collection);
}

#[tokio::test(start_paused = true)]
async fn a_change_costs_two_re_checks_and_a_look_into_cloudtrail() {
    let company = Company::new(DELETE);
    let prod = company.account(PROD);
    company.stale_user(&prod, "svc-old", 200);
    let engine = company.begin().await;
    company.days(&engine, 6).await;
    company.sim.reset_calls();
    company.days(&engine, 1).await;
    for (api, count) in [
        ("iam:GetAccessKeyLastUsed", 2),
        ("account:ListRegions", 1),
        ("cloudtrail:LookupEvents", 17),
        ("iam:UpdateAccessKey", 1),
    ] {
        assert_eq!(company.sim.call_count(&prod, api), count, "{api}");
    }
    assert_eq!(company.sim.call_count(&prod, "iam:ListAttachedUserPolicies"), 3, "scan, re-check twice");
    assert!(company.sim.call_count(&prod, "iam:GetUser") >= 2);
    assert_eq!(company.sim.call_count(&prod, "iam:ListAccessKeys"), 4, "scan, re-check twice, read-back");
}
