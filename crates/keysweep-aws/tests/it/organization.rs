use std::time::Duration;

use keysweep_aws::{AccountState, FaultKind, Rate};
use keysweep_sim::{AccountFields, Fault, Rule};
use tokio::time::Instant;

use crate::support::{DEV, PROD, id, list_accounts, mk_account, mk_world};

#[tokio::test(start_paused = true)]
async fn every_page_is_read_and_an_empty_one_is_not_the_end() {
    let world = mk_world();
    for n in 0..45 {
        mk_account(&world.sim, &format!("2{n:011}"), "more");
    }
    world.sim.configure(|settings| settings.empty_pages = true);
    let accounts = list_accounts(&world.aws().await).await.unwrap();
    let listed = accounts.iter().map(|account| account.id.to_string()).collect::<Vec<_>>();
    assert_eq!(listed, world.sim.account_ids());
    assert!(world.sim.call_count("100000000000", "organizations:ListAccounts") >= 6);
}

#[tokio::test(start_paused = true)]
async fn state_is_read_and_status_only_where_there_is_no_state() {
    let world = mk_world();
    world.sim.set_account_state(PROD, "SUSPENDED");
    for (fields, expected) in [
        (AccountFields::State, AccountState::Suspended),
        (AccountFields::Status, AccountState::Suspended),
        (AccountFields::Both, AccountState::Suspended),
    ] {
        world.sim.configure(|settings| settings.account_fields = fields);
        let accounts = list_accounts(&world.aws().await).await.unwrap();
        let state =
            |wanted: &str| accounts.iter().find(|account| account.id == id(wanted)).unwrap().state.clone();
        assert_eq!(state(PROD), expected, "{fields:?}");
        assert_eq!(state(DEV), AccountState::Active, "{fields:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_state_of_tomorrow_is_kept_and_is_not_active() {
    let world = mk_world();
    world.sim.set_account_state(PROD, "HIBERNATING");
    let accounts = list_accounts(&world.aws().await).await.unwrap();
    let prod = accounts.iter().find(|account| account.id == id(PROD)).unwrap();
    assert_eq!(prod.state, AccountState::Other("HIBERNATING".to_owned()));
    assert_eq!((prod.name.as_str(), prod.state.as_str()), ("prod", "HIBERNATING"));
}

#[tokio::test(start_paused = true)]
async fn the_tree_tells_what_stands_above_each_account_from_the_root_down() {
    let world = mk_world();
    world.sim.account(DEV).ou("Workloads/Dev").add();
    world.sim.move_account(DEV, "Workloads/Dev");
    let aws = world.aws().await;
    let tree = aws.tree().await.unwrap();
    let names = |account: &str| tree.above[&id(account)].iter().map(|ou| ou.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(PROD), ["Root", "Workloads"]);
    assert_eq!(names(DEV), ["Root", "Workloads", "Dev"]);
    assert_eq!(aws.management_account().await.unwrap(), id("100000000000"));
    // An OU without accounts exists as well.
    world.sim.move_account(DEV, "Workloads");
    assert!(aws.tree().await.unwrap().ous.len() > tree.above[&id(PROD)].len());
}

#[tokio::test(start_paused = true)]
async fn the_parents_of_an_account_are_read_as_they_are() {
    let world = mk_world();
    let aws = world.aws().await;
    let tree = aws.tree().await.unwrap();
    let ids = |above: &[keysweep_core::facts::Ou]| above.iter().map(|ou| ou.id.clone()).collect::<Vec<_>>();
    let before = aws.parents(id(PROD)).await.unwrap();
    assert_eq!(ids(&before), ids(&tree.above[&id(PROD)]));
    world.sim.move_account(PROD, "");
    let after = aws.parents(id(PROD)).await.unwrap();
    assert_eq!(ids(&after), ids(&tree.above[&id(PROD)])[..1]);
    assert!(aws.parents(id("999999999999")).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn tags_of_an_account_are_read() {
    let world = mk_world();
    world.sim.tag_account(PROD, "owner", "team-a");
    let tags = world.aws().await.account_tags(id(PROD)).await.unwrap();
    assert_eq!(tags.iter().collect::<Vec<_>>(), [("owner", "team-a")]);
}

#[tokio::test(start_paused = true)]
async fn calls_to_organizations_are_spread_over_time() {
    let world = mk_world();
    for n in 0..200 {
        mk_account(&world.sim, &format!("2{n:011}"), "more");
    }
    let mut settings = world.settings();
    settings.rates.organizations = Rate { per_second: 2, burst: 1 };
    let start = Instant::now();
    list_accounts(&keysweep_aws::Aws::connect(settings).await.unwrap()).await.unwrap();
    // 203 accounts are eleven pages: ten waits of half a second.
    let waited = start.elapsed();
    assert!((Duration::from_millis(4900)..=Duration::from_millis(5600)).contains(&waited), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn throttling_for_the_whole_time_of_an_operation_is_a_fault_that_says_so() {
    let world = mk_world();
    world.sim.fault(Rule::new(Fault::Throttle).action("organizations:*"));
    let start = Instant::now();
    let fault = list_accounts(&world.aws().await).await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Throttled);
    assert_eq!(fault.to_string(), "list accounts of the organization: throttled");
    let took = start.elapsed();
    assert!((Duration::from_secs(25)..=Duration::from_secs(30)).contains(&took), "{took:?}");
    let calls = world.sim.call_count("100000000000", "organizations:ListAccounts");
    assert!((8..=12).contains(&calls), "{calls}");
}

#[tokio::test(start_paused = true)]
async fn what_the_organization_depends_on_outlasts_what_passes() {
    let page = Fault::Page { status: 404, body: "<html>not here</html>".to_owned() };
    for (fault, times) in
        [(Fault::Throttle, 8), (Fault::Unavailable, 8), (Fault::ResetBefore, 8), (Fault::Hang, 2), (page, 8)]
    {
        for action in [
            "organizations:ListAccounts",
            "organizations:DescribeOrganization",
            "organizations:ListRoots",
            "organizations:ListOrganizationalUnitsForParent",
            "organizations:ListAccountsForParent",
            "organizations:ListTagsForResource",
            "sts:GetCallerIdentity",
        ] {
            let world = mk_world();
            let aws = world.aws().await;
            world.sim.fault(Rule::new(fault.clone()).action(action).first(times));
            let failed = match action {
                "organizations:ListAccounts" => list_accounts(&aws).await.err(),
                "organizations:DescribeOrganization" => aws.management_account().await.err(),
                "organizations:ListTagsForResource" => aws.account_tags(id(PROD)).await.err(),
                "sts:GetCallerIdentity" => aws.caller().await.err(),
                _ => aws.tree().await.err(),
            };
            assert_eq!(failed, None, "{action} {fault:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_denial_is_not_waited_out() {
    let world = mk_world();
    world.sim.fault(Rule::new(Fault::AccessDenied).action("organizations:*"));
    let fault = world.aws().await.management_account().await.unwrap_err();
    assert_eq!((fault.kind(), fault.api()), (FaultKind::Denied, Some("organizations:DescribeOrganization")));
    assert_eq!(world.sim.total_calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_list_of_which_a_page_is_missing_is_no_list() {
    let world = mk_world();
    for n in 0..45 {
        mk_account(&world.sim, &format!("2{n:011}"), "more");
    }
    world.sim.fault(Rule::new(Fault::AccessDenied).action("organizations:ListAccounts").after(1));
    assert_eq!(list_accounts(&world.aws().await).await.unwrap_err().kind(), FaultKind::Denied);
}
