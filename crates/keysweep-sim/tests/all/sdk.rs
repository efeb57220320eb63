//! The real AWS SDK through the in-process connector.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_iam::error::ProvideErrorMetadata as _;
use aws_sdk_iam::types::{ReportStateType, StatusType};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};

use crate::support::*;
use keysweep_sim::{Fault, Hub, RoleSpec, Rule, Sim, seed};

pub(crate) fn mk_config(sim: &Sim, credentials: Credentials) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .http_client(sim.connector())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(RetryConfig::disabled())
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(10)).build())
        .build()
}

pub(crate) fn mk_hub_config(sim: &Sim) -> SdkConfig {
    let (id, secret, token) = sim.hub_credentials();
    mk_config(sim, Credentials::new(id, secret, token, None, "hub"))
}

/// That of a session of the role.
pub(crate) async fn mk_session_config(sim: &Sim, policy: Option<&str>) -> SdkConfig {
    let sts = aws_sdk_sts::Client::new(&mk_hub_config(sim));
    let answer = sts
        .assume_role()
        .role_arn(ROLE_ARN)
        .role_session_name("test")
        .external_id("x1")
        .source_identity("keysweep")
        .set_policy(policy.map(str::to_owned))
        .send()
        .await
        .expect("a session");
    let session = answer.credentials().expect("credentials");
    let credentials = Credentials::new(
        session.access_key_id(),
        session.secret_access_key(),
        Some(session.session_token().to_owned()),
        None,
        "session",
    );
    mk_config(sim, credentials)
}

async fn mk_iam(sim: &Sim, policy: Option<&str>) -> aws_sdk_iam::Client {
    aws_sdk_iam::Client::new(&mk_session_config(sim, policy).await)
}

#[tokio::test]
async fn the_sdk_pages_through_accounts_with_empty_pages() {
    let sim = seed::demo(1, mk_clock().clock()).sim;
    sim.configure(|settings| settings.empty_pages = true);
    let client = aws_sdk_organizations::Client::new(&mk_hub_config(&sim));
    let pages = client.list_accounts().into_paginator().send().collect::<Result<Vec<_>, _>>().await;
    let pages = pages.expect("pages");
    assert_eq!(pages.len(), 4, "two empty ones and two with accounts");
    let accounts: Vec<_> = pages.iter().flat_map(|page| page.accounts()).collect();
    let ids: Vec<_> = accounts.iter().filter_map(|account| account.id()).collect();
    assert_eq!(ids, sim.account_ids());
    let state = |account: &aws_sdk_organizations::types::Account| {
        account.state().map(|state| state.as_str().to_owned())
    };
    assert!(accounts.iter().any(|account| state(account).as_deref() == Some("SUSPENDED")));
}

#[tokio::test]
async fn the_sdk_reads_users_and_keys() {
    let (sim, user) = mk_sim(&mk_clock());
    for number in 0..5 {
        sim.user(PROD, format!("user-{number}")).add();
    }
    let client = mk_iam(&sim, None).await;
    let users =
        client.list_users().max_items(2).into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    assert_eq!(users.expect("users").len(), 6);
    let keys = client.list_access_keys().user_name("svc-a").send().await.expect("keys");
    let key = &keys.access_key_metadata()[0];
    assert_eq!((key.access_key_id(), key.status()), (Some(user.keys[0].as_str()), Some(&StatusType::Active)));
    let used = client.get_access_key_last_used().access_key_id(&user.keys[0]).send().await.expect("last use");
    let used = used.access_key_last_used().expect("last use");
    let at = used.last_used_date().expect("a date").secs();
    assert_eq!(at, mk_time("2026-01-10T08:03:00Z").as_second());
    let read = client.get_user().user_name("svc-a").send().await.expect("a user");
    let read = read.user().expect("a user");
    assert_eq!((read.user_id(), read.tags()[0].value()), (user.user_id.as_str(), "ci"));
}

#[tokio::test]
async fn the_sdk_hears_access_denied_for_an_unknown_key() {
    let (sim, _) = mk_sim(&mk_clock());
    let client = mk_iam(&sim, None).await;
    let error = client.get_access_key_last_used().access_key_id("AKIAIOSFODNN7EXAMPLE").send().await;
    let error = error.expect_err("a refusal");
    assert_eq!(error.code(), Some("AccessDenied"));
    assert_eq!(error.raw_response().map(|raw| raw.status().as_u16()), Some(403));
}

#[tokio::test]
async fn the_sdk_sees_a_report_through() {
    let (sim, _) = mk_sim(&mk_clock());
    let client = mk_iam(&sim, None).await;
    let error = client.get_credential_report().send().await.expect_err("a refusal").into_service_error();
    assert!(error.is_credential_report_not_present_exception());
    let state = async || {
        let answer = client.generate_credential_report().send().await.expect("a state");
        answer.state().cloned()
    };
    assert_eq!(state().await, Some(ReportStateType::Started));
    let error = client.get_credential_report().send().await.expect_err("a refusal").into_service_error();
    assert!(error.is_credential_report_not_ready_exception());
    assert_eq!(state().await, Some(ReportStateType::Complete));
    let report = client.get_credential_report().send().await.expect("a report");
    let content = String::from_utf8(report.content().expect("content").as_ref().to_vec()).expect("text");
    assert_eq!(Some(content), sim.report(PROD));
    assert_eq!(report.generated_time().map(|at| at.secs()), Some(sim.now().as_second()));
}

#[tokio::test]
async fn the_sdk_is_denied_by_a_session_policy() {
    let (sim, user) = mk_sim(&mk_clock());
    let policy =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:List*","Resource":"*"}}"#;
    let client = mk_iam(&sim, Some(policy)).await;
    client.list_access_keys().user_name("svc-a").send().await.expect("keys");
    let update = client.update_access_key().user_name("svc-a").access_key_id(&user.keys[0]);
    let error = update.status(StatusType::Inactive).send().await.expect_err("a refusal");
    assert_eq!(error.code(), Some("AccessDenied"));
    assert!(error.message().is_some_and(|text| text.contains("no session policy allows")));
    assert_eq!(sim.key_status(&user.keys[0]).as_deref(), Some("Active"));
}

#[tokio::test]
async fn the_sdk_cannot_tell_a_lost_answer_from_a_reset() {
    let (sim, user) = mk_sim(&mk_clock());
    let client = mk_iam(&sim, None).await;
    let update = || {
        let update = client.update_access_key().user_name("svc-a").access_key_id(&user.keys[0]);
        update.status(StatusType::Inactive).send()
    };
    sim.fault(Rule::new(Fault::ResetBefore).action("iam:UpdateAccessKey").first(1));
    sim.fault(Rule::new(Fault::AnswerLost).action("iam:UpdateAccessKey").first(1));
    let reset = update().await.expect_err("no answer");
    assert_eq!(sim.key_status(&user.keys[0]).as_deref(), Some("Active"));
    let lost = update().await.expect_err("no answer");
    assert_eq!(sim.key_status(&user.keys[0]).as_deref(), Some("Inactive"));
    let kind = |error: &aws_sdk_iam::error::SdkError<_>| match error {
        aws_sdk_iam::error::SdkError::DispatchFailure(failure) => failure.is_io(),
        _ => false,
    };
    assert!(kind(&reset) && kind(&lost));
}

#[tokio::test(start_paused = true)]
async fn the_sdk_gives_up_on_a_hanging_call() {
    let (sim, _) = mk_sim(&mk_clock());
    let client = mk_iam(&sim, None).await;
    sim.fault(Rule::new(Fault::Hang).action("iam:ListUsers"));
    let error = client.list_users().send().await.expect_err("no answer");
    assert!(matches!(error, aws_sdk_iam::error::SdkError::TimeoutError(_)), "{error:?}");
}

#[tokio::test]
async fn the_sdk_chains_roles_for_an_hour_at_most() {
    let (sim, _) = mk_sim(&mk_clock());
    sim.set_role(PROD, RoleSpec::new("keysweep/KeysweepScan").external_id("x1").max_session(43_200));
    sim.configure(|settings| settings.hub = Hub::Role("Hub".to_owned()));
    let sts = aws_sdk_sts::Client::new(&mk_hub_config(&sim));
    let assume = |seconds| {
        sts.assume_role()
            .role_arn(ROLE_ARN)
            .role_session_name("test")
            .external_id("x1")
            .duration_seconds(seconds)
            .send()
    };
    let error = assume(3601).await.expect_err("a refusal");
    assert_eq!(error.code(), Some("ValidationError"));
    let answer = assume(3600).await.expect("a session");
    let arn = answer.assumed_role_user().map(|user| user.arn().to_owned());
    assert_eq!(arn.as_deref(), Some("arn:aws:sts::111122223333:assumed-role/KeysweepScan/test"));
    let identity = sts.get_caller_identity().send().await.expect("an identity");
    assert_eq!(identity.account(), Some("100000000000"));
}

#[tokio::test]
async fn the_sdk_follows_a_rename() {
    let (sim, user) = mk_sim(&mk_clock());
    let client = mk_iam(&sim, None).await;
    sim.rename_user(PROD, "svc-a", "svc-z");
    let error =
        client.get_user().user_name("svc-a").send().await.expect_err("a refusal").into_service_error();
    assert!(error.is_no_such_entity_exception());
    let read = client.get_user().user_name("svc-z").send().await.expect("a user");
    assert_eq!(read.user().map(|user| user.user_id().to_owned()), Some(user.user_id));
}

#[tokio::test]
async fn a_simulation_tells_what_a_role_may_do_and_does_nothing() {
    let (sim, _) = mk_sim(&mk_clock());
    let iam = mk_iam(&sim, None).await;
    let policy = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":["iam:UpdateAccessKey","iam:DeleteAccessKey","iam:TagUser"],"Resource":"arn:aws:iam::*:user/*"},
        {"Effect":"Deny","Action":"iam:DeleteAccessKey","Resource":"*"}]}"#;
    sim.set_role(PROD, RoleSpec::new("simulated").policy(policy).unwrap());
    sim.deny(Some(PROD), "iam:TagUser");
    let role = ROLE_ARN.replace("keysweep/KeysweepScan", "simulated");
    let ask = |source: &str, resource: &str| {
        let call = iam.simulate_principal_policy().policy_source_arn(source).resource_arns(resource);
        call.action_names("iam:UpdateAccessKey")
            .action_names("iam:DeleteAccessKey")
            .action_names("iam:TagUser")
            .send()
    };
    let told = ask(&role, "arn:aws:iam::111122223333:user/somebody").await.unwrap();
    let told: Vec<_> = told
        .evaluation_results()
        .iter()
        .map(|one| {
            let above = one.organizations_decision_detail().unwrap().allowed_by_organizations();
            (one.eval_decision().as_str().to_owned(), above)
        })
        .collect();
    assert_eq!(
        told,
        [("allowed", true), ("explicitDeny", true), ("explicitDeny", false)].map(|(a, b)| (a.to_owned(), b))
    );
    let elsewhere = ask(&role, "*").await.unwrap();
    assert_eq!(elsewhere.evaluation_results()[0].eval_decision().as_str(), "implicitDeny");
    let nobody = ask("arn:aws:iam::444455556666:role/simulated", "*").await.unwrap_err();
    assert_eq!(nobody.code(), Some("NoSuchEntity"));
    assert_eq!(sim.changes().len(), 0);
}
