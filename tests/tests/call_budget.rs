//! What a scan costs, counted exactly.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::sync::Arc;

use keysweep::metrics::Metrics;
use keysweep::sweep::{Inputs, OrganizationCache, collect};
use keysweep_core::facts::Collection;
use keysweep_core::state::State;
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
async fn a_candidate_user_costs_two_calls_and_one_where_it_is_known() {
    let company = Company::new("scan.interval = \"24h\"\nscan.report_max_age = \"24h\"");
    let prod = company.account(PROD);
    for n in 0..7 {
        company.stale_user(&prod, &format!("stale-{n}"), 100);
        company.stale_user(&prod, &format!("busy-{n}"), 2);
    }
    company.sim.make_report(&prod);
    let engine = company.open().await;
    swept(&engine).await;
    assert_eq!(calls(&company, &prod), 3 + 2 * 7, "ListAccessKeys and GetUser for each candidate");
    company.sim.reset_calls();
    swept(&engine).await;
    // The session is still good, and who the users are is known.
    assert_eq!(calls(&company, &prod), 2 + 7);
}

#[tokio::test(start_paused = true)]
async fn an_ambiguous_key_costs_one_call_more() {
    let company = Company::new("");
    let prod = company.account(PROD);
    // Two keys of the same second: the report cannot tell which is which.
    company.sim.user(&prod, "twins").key(company.used(200)).key(company.used(300)).add();
    company.sim.make_report(&prod);
    let collection = scanned(&company).await;
    assert_eq!(calls(&company, &prod), 3 + 2 + 2);
    assert_eq!(company.sim.call_count(&prod, "iam:GetAccessKeyLastUsed"), 2);
    drop(collection);
}

#[tokio::test(start_paused = true)]
async fn the_re_check_reads_user_keys_last_use_and_policies() {
    let company = Company::new(DELETE);
    let prod = company.account(PROD);
    company.stale_user(&prod, "svc-old", 200);
    let engine = company.begin().await;
    company.days(&engine, 6).await;
    company.sim.reset_calls();
    company.days(&engine, 1).await;
    for api in ["iam:GetAccessKeyLastUsed", "iam:ListAttachedUserPolicies", "iam:UpdateAccessKey"] {
        assert_eq!(company.sim.call_count(&prod, api), 1, "{api}");
    }
    assert!(company.sim.call_count(&prod, "iam:GetUser") >= 1);
    assert_eq!(company.sim.call_count(&prod, "iam:ListAccessKeys"), 3, "scan, re-check, read-back");
}
