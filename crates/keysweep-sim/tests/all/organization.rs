//! Organizations by hand-built requests.

use serde_json::json;

use crate::support::*;
use keysweep_sim::{AccountFields, Fault, Rule, Sim};

fn mk_organization(accounts: usize) -> Sim {
    let sim = Sim::new(mk_clock().clock());
    for number in 1..accounts {
        sim.account(format!("2000000000{number:02}")).ou("Workloads").add();
    }
    sim
}

async fn all_accounts(sim: &Sim) -> (Vec<String>, Vec<usize>) {
    let (mut ids, mut pages, mut body) = (Vec::new(), Vec::new(), json!({}));
    loop {
        let page = organizations(sim, &mk_hub(sim), "ListAccounts", &body.to_string()).await.json();
        let accounts = page["Accounts"].as_array().expect("accounts");
        pages.push(accounts.len());
        ids.extend(accounts.iter().filter_map(|account| account["Id"].as_str()).map(str::to_owned));
        match page["NextToken"].as_str() {
            Some(token) => body = json!({ "NextToken": token }),
            None => return (ids, pages),
        }
    }
}

#[tokio::test]
async fn pages_hold_twenty_at_most() {
    let sim = mk_organization(45);
    let (ids, pages) = all_accounts(&sim).await;
    assert_eq!(ids, sim.account_ids());
    assert_eq!(pages, [20, 20, 5]);
}

#[tokio::test]
async fn empty_pages_with_a_token_lose_nothing() {
    let sim = mk_organization(45);
    sim.configure(|settings| settings.empty_pages = true);
    let (ids, pages) = all_accounts(&sim).await;
    assert_eq!(ids, sim.account_ids());
    assert_eq!(pages, [0, 20, 0, 20, 0, 5]);
}

#[tokio::test]
async fn an_empty_page_can_be_a_fault_of_one_call() {
    let sim = mk_organization(3);
    sim.fault(Rule::new(Fault::EmptyPage).action("organizations:ListAccounts").first(1));
    let (ids, pages) = all_accounts(&sim).await;
    assert_eq!((ids.len(), pages), (3, vec![0, 3]));
}

#[tokio::test]
async fn the_state_field_can_be_the_old_the_new_or_both() {
    let sim = mk_organization(2);
    sim.close_account("200000000001");
    let read = async |fields| {
        sim.configure(|settings| settings.account_fields = fields);
        let page = organizations(&sim, &mk_hub(&sim), "ListAccounts", "{}").await.json();
        (page["Accounts"][1]["State"].clone(), page["Accounts"][1]["Status"].clone())
    };
    assert_eq!(read(AccountFields::State).await, (json!("CLOSED"), json!(null)));
    assert_eq!(read(AccountFields::Status).await, (json!(null), json!("SUSPENDED")));
    assert_eq!(read(AccountFields::Both).await, (json!("CLOSED"), json!("SUSPENDED")));
}

#[tokio::test]
async fn the_tree_can_be_walked_down_and_up() {
    let sim = Sim::new(mk_clock().clock());
    sim.account(PROD).ou("Workloads/Prod").tag("env", "prod").add();
    let hub = mk_hub(&sim);
    let ask = async |target: &str, body: serde_json::Value| {
        organizations(&sim, &hub, target, &body.to_string()).await.json()
    };
    let root = ask("ListRoots", json!({})).await["Roots"][0]["Id"].clone();
    let workloads = ask("ListOrganizationalUnitsForParent", json!({ "ParentId": root })).await;
    assert_eq!(workloads["OrganizationalUnits"][0]["Name"], "Workloads");
    let workloads = workloads["OrganizationalUnits"][0]["Id"].clone();
    let children =
        ask("ListChildren", json!({ "ParentId": workloads, "ChildType": "ORGANIZATIONAL_UNIT" })).await;
    let prod = children["Children"][0]["Id"].clone();
    let accounts = ask("ListAccountsForParent", json!({ "ParentId": prod })).await;
    assert_eq!(accounts["Accounts"][0]["Id"], PROD);
    let parents = ask("ListParents", json!({ "ChildId": PROD })).await;
    assert_eq!(parents["Parents"][0], json!({ "Id": prod, "Type": "ORGANIZATIONAL_UNIT" }));
    let tags = ask("ListTagsForResource", json!({ "ResourceId": PROD })).await;
    assert_eq!(tags["Tags"], json!([{ "Key": "env", "Value": "prod" }]));
    sim.configure(|settings| settings.account_paths = true);
    let accounts = ask("ListAccountsForParent", json!({ "ParentId": prod })).await;
    let path = format!(
        "o-keysweepsim/{}/{}/{}/{PROD}/",
        root.as_str().expect("root"),
        workloads.as_str().expect("ou"),
        prod.as_str().expect("ou")
    );
    assert_eq!(accounts["Accounts"][0]["Paths"], json!([path]));
    let missing = ask("ListParents", json!({ "ChildId": "999999999999" })).await;
    assert_eq!(missing["__type"], "ChildNotFoundException");
}

#[tokio::test]
async fn only_the_management_account_and_delegates_may_read() {
    let (sim, _) = mk_sim(&mk_clock());
    let member = session(&sim).await;
    let reply = organizations(&sim, &member, "ListAccounts", "{}").await;
    assert_eq!((reply.status, reply.json()["__type"].as_str()), (400, Some("AccessDeniedException")));
    assert_eq!(organizations(&sim, &member, "DescribeOrganization", "{}").await.status, 200);
    sim.configure(|settings| settings.delegated_administrators.push(PROD.to_owned()));
    assert_eq!(organizations(&sim, &member, "ListAccounts", "{}").await.status, 200);
}

#[tokio::test]
async fn refusals_come_in_the_services_own_words() {
    let sim = mk_organization(2);
    let hub = mk_hub(&sim);
    let rule = sim.fault(Rule::new(Fault::Throttle).action("organizations:*"));
    let reply = organizations(&sim, &hub, "ListRoots", "{}").await;
    assert_eq!((reply.status, reply.json()["__type"].as_str()), (400, Some("TooManyRequestsException")));
    sim.remove_fault(rule);
    sim.configure(|settings| settings.organizations_in_use = false);
    let reply = organizations(&sim, &hub, "DescribeOrganization", "{}").await;
    assert_eq!(reply.json()["__type"], "AWSOrganizationsNotInUseException");
}
