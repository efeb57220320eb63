//! Account Management as AWS's own client sees it.

use aws_sdk_account::Client;
use aws_sdk_account::error::ProvideErrorMetadata as _;
use aws_sdk_account::types::{Region, RegionOptStatus};

use crate::sdk::{mk_hub_config, mk_session_config};
use crate::support::*;
use keysweep_sim::{Fault, Rule, Sim};

async fn mk_client(sim: &Sim) -> Client {
    Client::new(&mk_session_config(sim, None).await)
}

async fn enabled(client: &Client) -> Vec<String> {
    let list = client
        .list_regions()
        .region_opt_status_contains(RegionOptStatus::Enabled)
        .region_opt_status_contains(RegionOptStatus::EnabledByDefault);
    let regions = list.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await.expect("regions");
    regions.iter().filter_map(Region::region_name).map(str::to_owned).collect()
}

#[tokio::test]
async fn seventeen_regions_are_enabled_and_some_are_not() {
    let (sim, _) = mk_sim(&mk_clock());
    let client = mk_client(&sim).await;
    let pages = client.list_regions().max_results(10).into_paginator().send();
    let pages = pages.collect::<Result<Vec<_>, _>>().await.expect("pages");
    assert!(pages.len() > 2);
    let count = |status: RegionOptStatus| {
        let regions = pages.iter().flat_map(|page| page.regions());
        regions.filter(|region| region.region_opt_status() == Some(&status)).count()
    };
    assert_eq!(count(RegionOptStatus::EnabledByDefault), 17);
    assert!(count(RegionOptStatus::Disabled) > 0);
    assert_eq!(enabled(&client).await.len(), 17);
}

#[tokio::test]
async fn an_account_has_statuses_of_its_own() {
    let (sim, _) = mk_sim(&mk_clock());
    sim.account(PROD).region("eu-south-1", "ENABLED").region("me-south-1", "ENABLING").add();
    sim.set_region(PROD, "af-south-1", "DISABLING");
    sim.account("444455556666").add();
    let client = mk_client(&sim).await;
    assert_eq!(enabled(&client).await.len(), 18);
    let list = client.list_regions().region_opt_status_contains(RegionOptStatus::Enabling);
    let enabling = list.send().await.expect("regions");
    let names: Vec<_> = enabling.regions().iter().filter_map(Region::region_name).collect();
    assert_eq!(names, ["me-south-1"]);

    let hub = Client::new(&mk_hub_config(&sim));
    let of = async |account| hub.list_regions().account_id(account).send().await;
    assert!(of(PROD).await.is_ok() && of("444455556666").await.is_ok());
    let stranger = of("999999999999").await.expect_err("a refusal").into_service_error();
    assert!(stranger.is_access_denied_exception());
}

#[tokio::test]
async fn a_role_without_permission_is_denied_as_rest_services_say_it() {
    let (sim, _) = mk_sim(&mk_clock());
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:*","Resource":"*"}}"#;
    let client = Client::new(&mk_session_config(&sim, Some(policy)).await);
    let error = client.list_regions().send().await.expect_err("a refusal");
    assert_eq!(error.raw_response().map(|raw| raw.status().as_u16()), Some(403));
    assert!(error.message().is_some_and(|text| text.contains("account:ListRegions")));
    assert!(error.into_service_error().is_access_denied_exception());
}

#[tokio::test]
async fn bad_requests_and_faults_have_the_errors_of_the_service() {
    let (sim, _) = mk_sim(&mk_clock());
    let client = mk_client(&sim).await;
    for list in [
        client.list_regions().max_results(51),
        client.list_regions().next_token("nonsense"),
        client.list_regions().region_opt_status_contains(RegionOptStatus::from("SOMETIMES")),
    ] {
        let error = list.send().await.expect_err("a refusal").into_service_error();
        assert!(error.is_validation_exception(), "{error:?}");
    }
    sim.fault(Rule::new(Fault::Throttle).action("account:ListRegions").first(1));
    let error = client.list_regions().send().await.expect_err("a refusal").into_service_error();
    assert!(error.is_too_many_requests_exception());
    sim.fault(Rule::new(Fault::ServiceFailure).action("account:ListRegions").first(1));
    let error = client.list_regions().send().await.expect_err("a refusal").into_service_error();
    assert!(error.is_internal_server_exception());
}
