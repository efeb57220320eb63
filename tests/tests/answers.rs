//! What AWS answers, what only seems to come from AWS, and what keysweep concludes from either.

use std::sync::Arc;

use keysweep::collect::{Inputs, OrganizationCache, collect};
use keysweep::metrics::Metrics;
use keysweep_api::Decision;
use keysweep_core::facts::{AccountScan, Outcome};
use keysweep_core::plan::plan;
use keysweep_core::render::{Coverage, coverage};
use keysweep_core::state::State;
use keysweep_sim::{Fault, Happening, KeySpec, Rule};
use keysweep_tests::company::{Company, DELETE, decide, state_of, swept};

const PROD: &str = "111122223333";

const HEADER: &str = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,\
password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,\
access_key_1_last_used_region,access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,\
access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,\
cert_1_last_rotated,cert_2_active,cert_2_last_rotated";

/// As AWS's guide writes it.
const ROOT: &str = "<root_account>,arn:aws:iam::111122223333:root,2019-01-01T00:00:00+00:00,not_supported,\
2020-06-01T00:00:00+00:00,not_supported,not_supported,TRUE,TRUE,2020-06-01T00:00:00+00:00,N/A,N/A,N/A,\
FALSE,N/A,N/A,N/A,N/A,FALSE,N/A,FALSE,N/A";

/// One scan without any record, as `keysweep scan` does it, of PROD alone.
async fn scanned(company: &Company) -> (AccountScan, Coverage) {
    let config = Arc::new(company.config());
    let aws = keysweep::connect::connect(&config, &company.clock, Metrics::new(), company.given()).await;
    let aws = aws.expect("the simulator is there");
    let inputs = Inputs {
        aws: &aws,
        config: &config,
        clock: &company.clock,
        cache: &OrganizationCache::default(),
        only: &[PROD.parse().unwrap()],
        list_inactive: false,
    };
    let collection = collect(inputs, &State::default(), &()).await.expect("there are accounts");
    let planned = plan(collection.at, &config.policy, &State::default(), &collection);
    let told = coverage(&collection, &planned.keys);
    let outcome = collection.accounts.into_iter().next().expect("there is one").1;
    let Outcome::Scanned(scan) = outcome else { panic!("{outcome:?}") };
    (*scan, told)
}

fn keys_of(scan: &AccountScan) -> Vec<String> {
    scan.keys.iter().map(|key| key.key.to_string()).collect()
}

fn row(user: &str, arn: &str, key: &str) -> String {
    format!(
        "{user},{arn},2019-01-01T00:00:00Z,false,N/A,N/A,N/A,false,{key},false,N/A,N/A,N/A,N/A,false,N/A,false,N/A"
    )
}

fn report(rows: &[&str]) -> bytes::Bytes {
    [&[HEADER], rows].concat().join("\n").into_bytes().into()
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_finds_nothing_makes_nobody_gone() {
    for (status, body) in
        [(404, "<html>Not Found</html>"), (404, "{\"code\":\"NoSuchEntity\"}"), (403, "Forbidden"), (404, "")]
    {
        let company = Company::new(DELETE);
        let prod = company.account(PROD);
        let key = company.stale_user(&prod, "svc", 200).keys[0].clone();
        let engine = company.begin().await;
        company.days(&engine, 8).await;
        assert_eq!(state_of(&engine, &key), "deactivated");
        let page = Fault::Page { status, body: body.to_owned() };
        for action in ["iam:ListAccessKeys", "iam:GetUser", "iam:*"] {
            company.sim.clear_faults();
            company.sim.fault(Rule::new(page.clone()).action(action));
            company.days(&engine, 2).await;
            assert_eq!(state_of(&engine, &key), "deactivated", "{status} {body} {action}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_row_that_names_nobody_has_the_account_read_live() {
    let key = "true,2020-01-01T00:00:00Z,N/A,N/A,N/A";
    let arn = "arn:aws:iam::111122223333:user/svc";
    let good = row("svc", arn, key);
    for (what, bad) in [
        ("columns", row("svc", arn, "true,2020-01-01T00:00:00Z,N/A,N/A")),
        ("another name", row("busy", arn, key)),
        ("another account", row("svc", "arn:aws:iam::444455556666:user/svc", key)),
        ("twice", format!("{good}\n{good}")),
        (
            "twice, in another case",
            format!("{good}\n{}", row("SVC", "arn:aws:iam::111122223333:user/SVC", key)),
        ),
        ("impossible date", row("svc", arn, "true,2020-13-01T00:00:00Z,N/A,N/A,N/A")),
        ("future", row("svc", arn, "true,2099-01-01T00:00:00Z,N/A,N/A,N/A")),
        ("never made and used", row("svc", arn, "false,N/A,2020-01-01T00:00:00Z,us-east-1,s3")),
        ("a use without a date", row("svc", arn, "true,2020-01-01T00:00:00Z,N/A,us-east-1,s3")),
        ("older than its user", row("svc", arn, "true,2010-01-01T00:00:00Z,N/A,N/A,N/A")),
    ] {
        let mut company = Company::new("");
        company.account(PROD);
        // The row seems to be about somebody else: the one with the stale key is in no row.
        let lost = company.stale_user(PROD, "lost", 200).keys[0].clone();
        company.sim.override_report(PROD, Some(report(&[ROOT, &bad])));
        let (scan, told) = scanned(&company).await;
        assert_eq!(keys_of(&scan), vec![lost.clone()], "{what}");
        assert!(scan.fallback.as_ref().is_some_and(|why| why.starts_with("row 2 of")), "{what}: {scan:?}");
        assert_eq!((told.fallback.len(), told.unknown_keys), (1, 0), "{what}: {told:?}");
        company.configure("scan.source = \"report\"");
        let (scan, told) = scanned(&company).await;
        assert_eq!(scan.fallback, None, "{what}");
        assert!(!scan.unread_rows.is_empty() && told.unknown_keys > 0, "{what}: {told:?}");
        assert_eq!(told.unread_rows.len(), scan.unread_rows.len(), "{what}");
        assert!(scan.keys.is_empty() && scan.unread_users.is_empty(), "{what}: nobody is looked up");
    }
}

#[tokio::test(start_paused = true)]
async fn the_root_row_of_the_guide_shows_the_root_key() {
    let company = Company::new("");
    company.account(PROD);
    company.sim.override_report(PROD, Some(report(&[ROOT])));
    let (scan, told) = scanned(&company).await;
    assert_eq!((scan.inventory.root_keys, scan.inventory.users), (Some(1), 0));
    assert_eq!((told.unknown_keys, scan.fallback), (0, None));
    assert_eq!(company.sim.account_calls(PROD), 3, "no call about a user of that name");
}

#[tokio::test(start_paused = true)]
async fn root_keys_that_the_report_does_not_show_are_read_or_unknown() {
    let broken = ROOT.replacen("TRUE,TRUE", "TRUE,perhaps", 1);
    for (what, rows) in [("unreadable", vec![broken.as_str()]), ("missing", vec![])] {
        let company = Company::new("");
        company.account(PROD);
        company.sim.set_root_keys(PROD, 1);
        company.sim.override_report(PROD, Some(report(&rows)));
        let (scan, told) = scanned(&company).await;
        assert_eq!((scan.inventory.root_keys, told.unknown_keys), (Some(1), 0), "{what}");
        assert!(company.sim.call_count(PROD, "iam:ListUsers") == 0, "the root row is not that of a user");
        for fault in [Fault::AccessDenied, Fault::Page { status: 404, body: "not here".to_owned() }] {
            company.sim.clear_faults();
            company.sim.fault(Rule::new(fault).action("iam:GetAccountSummary"));
            let (scan, told) = scanned(&company).await;
            assert_eq!((scan.inventory.root_keys, told.unknown_keys), (None, 1), "{what}");
            assert_eq!(told.root_keys_unknown[0].account_id, PROD, "{what}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_live_scan_sees_root_keys_and_is_told_of() {
    let company = Company::new("");
    company.account(PROD);
    company.sim.set_root_keys(PROD, 2);
    company.sim.fault(Rule::new(Fault::AccessDenied).action("iam:GenerateCredentialReport"));
    let (scan, told) = scanned(&company).await;
    assert_eq!((scan.inventory.root_keys, told.unknown_keys), (Some(1), 0));
    assert_eq!(told.fallback[0].account_id, PROD);
    assert!(told.fallback[0].reason.contains("AccessDenied"), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_last_use_that_is_unknown_is_not_counted_as_never() {
    let company = Company::new("scan.source = \"live\"");
    company.account(PROD);
    company.stale_user(PROD, "svc", 200);
    company.sim.fault(Rule::new(Fault::AccessDenied).action("iam:GetAccessKeyLastUsed"));
    let (scan, _) = scanned(&company).await;
    assert_eq!((scan.inventory.active_keys, scan.inventory.idle.never_used), (1, 0));
    assert!(scan.inventory.idle.buckets().all(|(_, count)| count == 0));
}

#[tokio::test(start_paused = true)]
async fn keys_beyond_two_are_counted_as_they_are_listed() {
    let company = Company::new("");
    company.account(PROD);
    let key = |days: i64| KeySpec::new().created(company.days_ago(days));
    company.sim.user(PROD, "many").key(key(300)).key(key(299)).key(key(298)).key(key(2).inactive()).add();
    company.sim.make_report(PROD);
    let (scan, told) = scanned(&company).await;
    assert_eq!((scan.inventory.active_keys, scan.inventory.inactive_keys), (3, 1));
    assert_eq!((scan.keys.len(), told.unknown_keys), (3, 0));
}

fn rename(company: &Company, user: &str, to: &str) {
    let renamed = Happening::RenameUser { account: PROD.into(), user: user.into(), to: to.into() };
    company.sim.happen("an administrator", renamed);
}

#[tokio::test(start_paused = true)]
async fn a_user_renamed_since_the_report_is_looked_at_under_its_new_name() {
    let company = Company::new("");
    company.account(PROD);
    let key = company.stale_user(PROD, "before", 200).keys[0].clone();
    let left = company.stale_user(PROD, "left", 200);
    company.sim.user(PROD, "busy").created(company.days_ago(500)).key(company.used(1)).add();
    company.sim.make_report(PROD);
    rename(&company, "before", "after");
    company.sim.happen("x", Happening::DeleteKey { key_id: left.keys[0].clone() });
    company.sim.happen("x", Happening::DeleteUser { account: PROD.into(), user: "left".into() });
    let (scan, told) = scanned(&company).await;
    assert_eq!(keys_of(&scan), vec![key.clone()]);
    assert_eq!((scan.keys[0].user_name.as_str(), told.unknown_keys), ("after", 0));
    assert!(scan.fallback.is_none() && scan.unread_users.is_empty(), "a user that has left is no fault");
    // Its name now is that of another, whose keys are young.
    company.sim.user(PROD, "before").key(KeySpec::new()).add();
    let (scan, told) = scanned(&company).await;
    assert_eq!((keys_of(&scan), told.unknown_keys), (vec![key], 0));
    // Where users cannot be listed, nobody knows.
    company.sim.fault(Rule::new(Fault::AccessDenied).action("iam:ListUsers"));
    let (scan, told) = scanned(&company).await;
    assert!(scan.keys.is_empty() && told.unknown_keys == 2, "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_report_older_than_the_lowest_threshold_is_not_used() {
    let company = Company::new(
        "dev.allow_short_periods = true\nscan.report_max_age = \"24h\"\n\
         [policy]\nunused_after = \"1h\"\nnever_used_after = \"1h\"\n",
    );
    company.account(PROD);
    company.sim.make_report(PROD);
    tokio::time::advance(std::time::Duration::from_secs(2 * 3600)).await;
    let (scan, told) = scanned(&company).await;
    assert!(scan.fallback.is_some() && scan.report_generated_at.is_none(), "{scan:?}");
    assert_eq!(told.unknown_keys, 0);
}

#[tokio::test(start_paused = true)]
async fn revoked_sessions_stand_in_the_way_of_nothing() {
    let company = Company::new(DELETE);
    let prod = company.account(PROD);
    let key = company.stale_user(&prod, "svc", 200).keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 8).await;
    assert_eq!(state_of(&engine, &key), "deactivated");
    // The session of the last sweep is still good by its expiry.
    swept(&engine).await;
    company.sim.revoke_sessions();
    let last = swept(&engine).await;
    assert_eq!((last.scanned, last.failed), (1, 0));
    let scan = engine.latest().unwrap();
    let (_, outcome) =
        &scan.collection.accounts.iter().find(|(account, _)| account.id.to_string() == PROD).unwrap();
    let Outcome::Scanned(scan) = outcome else { panic!("{outcome:?}") };
    assert!(scan.fallback.is_none() && scan.unread_users.is_empty(), "{scan:?}");
    company.sim.revoke_sessions();
    let (done, told) = decide(&engine, &key, Decision::Reactivate {}).await;
    assert!(done, "{told}");
    assert_eq!(company.status(&key), "Active");
}

#[tokio::test(start_paused = true)]
async fn an_open_intent_is_settled_under_a_new_session() {
    let company = Company::new(DELETE);
    let prod = company.account(PROD);
    let key = company.stale_user(&prod, "svc", 200).keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 6).await;
    company.sim.fault(Rule::new(Fault::AnswerLost).action("iam:UpdateAccessKey"));
    // Nobody can read back, so that the intent stays open.
    let unreadable = Rule::new(Fault::Unavailable).action("iam:ListAccessKeys").after(3);
    company.sim.fault(unreadable);
    company.days(&engine, 1).await;
    assert_eq!(state_of(&engine, &key), "deactivating");
    company.sim.clear_faults();
    company.sim.revoke_sessions();
    swept(&engine).await;
    assert_eq!(state_of(&engine, &key), "deactivated");
}

#[tokio::test(start_paused = true)]
async fn an_organization_that_is_throttled_for_a_while_is_scanned() {
    let company = Company::new("");
    company.account(PROD);
    for action in ["organizations:ListAccounts", "organizations:DescribeOrganization"] {
        company.sim.clear_faults();
        company.sim.fault(Rule::new(Fault::Throttle).action(action).first(7));
        let (scan, told) = scanned(&company).await;
        assert_eq!((told.scanned, scan.unread_users.len()), (1, 0), "{action}");
    }
}
