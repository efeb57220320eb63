//! What the hub may ask of Organizations, and which accounts are entered.

use keysweep::doctor::{CheckName, Problem, Verdict};
use keysweep::iam;
use serde_json::json;

use super::company::{
    DELETE, DEV, MANAGEMENT, PROD, examined, examined_only, mk_company, of, remove_action, verdict,
};

#[tokio::test(start_paused = true)]
async fn without_organizations_the_statement_is_named_and_a_named_account_is_examined_all_the_same() {
    let company = mk_company("").await;
    let hub = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Resource": "*",
        "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"] }] });
    company.sim.set_hub_policy(Some(&hub.to_string())).unwrap();
    let document = examined(&company).await;
    let missing: Vec<_> =
        of(&document, CheckName::Organization).iter().flat_map(|one| &one.actions).collect();
    assert_eq!(missing, ["organizations:DescribeOrganization", "organizations:ListAccounts"]);
    for problem in of(&document, CheckName::Organization) {
        let statement = problem.statement.as_ref().unwrap();
        assert_eq!(
            (statement.sid.as_str(), statement.command.as_str()),
            ("ListAccounts", "keysweep iam hub")
        );
        assert_eq!(problem.verdict, Verdict::Gap);
    }
    assert!(document.has_gaps());
    assert_eq!(verdict(&document, CheckName::ScanRole), Verdict::CannotTell);
    let document = examined_only(&company, &[PROD.parse().unwrap()]).await.unwrap();
    assert_eq!(document.accounts.examined, 1);
    assert_eq!(verdict(&document, CheckName::ScanRole), Verdict::Ok);
}

#[tokio::test(start_paused = true)]
async fn an_account_in_no_organization_is_told_so_and_a_static_list_needs_none() {
    let company = mk_company("").await;
    company.sim.configure(|settings| settings.organizations_in_use = false);
    let document = examined(&company).await;
    for problem in of(&document, CheckName::Organization) {
        assert_eq!((problem.verdict, &problem.statement), (Verdict::Gap, &None));
        assert!(problem.remedy.contains("organization.accounts"), "{}", problem.remedy);
    }
    assert!(document.has_gaps());
    let company = mk_company(&format!("organization.accounts = [\"{PROD}\", \"{DEV}\"]")).await;
    company.sim.configure(|settings| settings.organizations_in_use = false);
    let document = examined(&company).await;
    assert_eq!((document.accounts.examined, &document.problems[..]), (2, &[][..]));
}

#[tokio::test(start_paused = true)]
async fn what_rules_ask_of_organizations_is_asked_for_too() {
    let rules = "[[policy.override]]\nmatch = { account_tags = { env = \"prod\" }, ous = [\"r-swp1\"] }\n\
                 unused_after = \"60d\"\n";
    let company = mk_company(rules).await;
    assert_eq!(of(&examined(&company).await, CheckName::Organization), Vec::<&Problem>::new());
    for (action, sid) in [
        ("organizations:ListRoots", "ListOrganizationalUnits"),
        ("organizations:ListOrganizationalUnitsForParent", "ListOrganizationalUnits"),
        ("organizations:ListAccountsForParent", "ListOrganizationalUnits"),
        ("organizations:ListParents", "ListOrganizationalUnits"),
        ("organizations:ListTagsForResource", "ReadAccountTags"),
    ] {
        let mut hub = serde_json::to_value(iam::hub(&company.config()).unwrap()).unwrap();
        remove_action(&mut hub, action);
        company.sim.set_hub_policy(Some(&hub.to_string())).unwrap();
        let document = examined(&company).await;
        let [problem] = of(&document, CheckName::Organization)[..] else { panic!("{:?}", document.problems) };
        assert_eq!(problem.actions, [action]);
        assert_eq!(problem.statement.as_ref().unwrap().sid, sid);
    }
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_names_nothing_is_a_gap() {
    let rules = "organization.exclude_accounts = [\"123123123123\"]\n[[policy.override]]\nmatch = { ous = [\"ou-abcd-12345678\"] }\n\
                 unused_after = \"60d\"\n";
    let document = examined(&mk_company(rules).await).await;
    let found = of(&document, CheckName::Organization);
    let gaps: Vec<_> = found.iter().filter(|p| p.verdict == Verdict::Gap).map(|p| p.what.as_str()).collect();
    assert_eq!(
        gaps,
        [
            "OU ou-abcd-12345678 of policy.override { ous = [\"ou-abcd-12345678\"] } does not exist",
            "account 123123123123 of organization.exclude_accounts does not exist",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn accounts_that_are_not_entered_are_named_and_are_no_problem() {
    let company = mk_company("").await;
    company.sim.account("222233334444").state("SUSPENDED").add();
    let document = examined(&company).await;
    assert_eq!(document.problems, []);
    let skipped: Vec<_> =
        document.accounts.skipped.iter().map(|one| (one.account_id.as_str(), one.reason.as_str())).collect();
    assert!(skipped.contains(&("222233334444", "its state is SUSPENDED")), "{skipped:?}");
    let unknown = examined_only(&company, &["999999999999".parse().unwrap()]).await;
    assert_eq!(unknown.unwrap_err().to_string(), "account 999999999999 is not in the organization");
}

#[tokio::test(start_paused = true)]
async fn the_management_account_is_entered_by_whoever_is_at_home_there() {
    let toml = format!("organization.management_account = \"direct\"\n{DELETE}");
    let company = mk_company(&toml).await;
    company.stale_user(MANAGEMENT, "svc-old", 200);
    let document = examined(&company).await;
    assert_eq!((document.accounts.examined, &document.problems[..]), (3, &[][..]));

    let mut hub = serde_json::to_value(iam::hub(&company.config()).unwrap()).unwrap();
    remove_action(&mut hub, "iam:GetUser");
    company.sim.set_hub_policy(Some(&hub.to_string())).unwrap();
    let document = examined(&company).await;
    let [problem] = of(&document, CheckName::ScanRole)[..] else { panic!("{:?}", document.problems) };
    assert_eq!(
        (&problem.actions[..], &problem.accounts[..]),
        (&["iam:GetUser".to_owned()][..], &[MANAGEMENT.to_owned()][..])
    );
    assert_eq!(problem.statement.as_ref().unwrap().command, "keysweep iam hub");
    assert!(of(&document, CheckName::EnforceRole).is_empty(), "it is only read: {:?}", document.problems);
    company.sim.set_hub_policy(None).unwrap();

    company.sim.configure(|settings| {
        settings.hub_account = PROD.into();
        settings.delegated_administrators = vec![PROD.into()];
    });
    let document = examined(&company).await;
    let [problem] = of(&document, CheckName::ScanRole)[..] else { panic!("{:?}", document.problems) };
    assert_eq!((problem.verdict, &problem.accounts[..]), (Verdict::Gap, &[MANAGEMENT.to_owned()][..]));
    assert!(problem.remedy.contains("organization.management_account"), "{problem:?}");
}
