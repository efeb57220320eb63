//! The two roles and their permissions.

use keysweep::config::Config;
use keysweep::doctor::{CheckName, Problem, Verdict};
use keysweep::iam;
use keysweep_sim::RoleSpec;
use keysweep_tests::company::{Company, EXTERNAL_ID};
use serde_json::json;
use strum::VariantArray as _;

use super::company::{
    DELETE, DEV, ENFORCE, HUB, PROD, SCAN, allow_simulation, examined, give_printed, mk_company, of,
    remove_action, verdict,
};

#[tokio::test(start_paused = true)]
async fn nothing_is_found_where_nothing_is_missing() {
    let company = mk_company(DELETE).await;
    let document = examined(&company).await;
    assert_eq!(document.problems, []);
    assert!(document.checks.iter().all(|check| check.verdict == Verdict::Ok), "{:?}", document.checks);
    let missing =
        CheckName::VARIANTS.iter().filter(|name| document.checks.iter().all(|one| one.name != **name));
    let not_asked = [&CheckName::AccessAnalyzer, &CheckName::Slack];
    assert_eq!(missing.collect::<Vec<_>>(), not_asked, "neither is configured");
    let accounts = &document.accounts;
    assert_eq!((accounts.listed, accounts.examined, accounts.skipped.len()), (3, 2, 1));
    assert_eq!(document.caller.unwrap().arn, HUB);
    assert_eq!(document.credentials.unwrap().origin, "the settings of this connection");
    let journal = document.data_dir.journal.unwrap();
    assert_eq!(journal.written_by.as_deref(), Some(env!("CARGO_PKG_VERSION")));
}

#[tokio::test(start_paused = true)]
async fn with_the_printed_policies_what_cannot_be_told_is_no_gap() {
    for toml in [DELETE, "[policy]\nmode = \"observe\"\n"] {
        let company = mk_company(toml).await;
        give_printed(&company, |_, _| {});
        let document = examined(&company).await;
        assert!(!document.has_gaps(), "{:?}", document.problems);
        let [problem] = of(&document, CheckName::EnforceRole)[..] else { panic!("{:?}", document.problems) };
        assert_eq!(problem.verdict, Verdict::CannotTell);
        assert_eq!(problem.accounts, [PROD, DEV]);
        assert!(problem.remedy.contains("iam:SimulatePrincipalPolicy"), "{}", problem.remedy);
        assert_eq!(verdict(&document, CheckName::ScanRole), Verdict::Ok);
    }
}

#[tokio::test(start_paused = true)]
async fn with_one_more_permission_everything_can_be_told() {
    let company = mk_company(DELETE).await;
    give_printed(&company, allow_simulation);
    let document = examined(&company).await;
    assert_eq!(document.problems, []);
}

#[tokio::test(start_paused = true)]
async fn an_account_without_any_key_leaves_one_read_open_unless_it_is_simulated() {
    let company = Company::new("");
    company.account(PROD);
    company.account(DEV);
    give_printed(&company, |_, _| {});
    let document = examined(&company).await;
    let [problem] = of(&document, CheckName::ScanRole)[..] else { panic!("{:?}", document.problems) };
    assert_eq!(
        (problem.verdict, &problem.actions[..]),
        (Verdict::CannotTell, &["iam:GetAccessKeyLastUsed".to_owned()][..])
    );
    give_printed(&company, allow_simulation);
    assert_eq!(of(&examined(&company).await, CheckName::ScanRole), Vec::<&Problem>::new());
}

#[tokio::test(start_paused = true)]
async fn a_role_that_some_accounts_lack_is_one_problem_with_their_names() {
    let company = mk_company(DELETE).await;
    for id in ["222233334444", "333344445555"] {
        company.sim.account(id).name("bare").add();
    }
    let document = examined(&company).await;
    let [scan] = of(&document, CheckName::ScanRole)[..] else { panic!("{:?}", document.problems) };
    assert_eq!(scan.accounts, ["222233334444", "333344445555"]);
    assert_eq!(scan.verdict, Verdict::Gap);
    assert_eq!(scan.what, "the role keysweep/KeysweepScan cannot be assumed");
    let trust = format!("keysweep iam scan --trust {HUB}");
    assert!(scan.remedy.contains("the role is not there") && scan.remedy.contains(&trust), "{}", scan.remedy);
    assert!(!scan.remedy.contains("in every account"), "{}", scan.remedy);
    let [enforce] = of(&document, CheckName::EnforceRole)[..] else { panic!("{:?}", document.problems) };
    assert_eq!((enforce.verdict, enforce.accounts.len()), (Verdict::Gap, 2));
}

#[tokio::test(start_paused = true)]
async fn a_role_for_changes_is_no_gap_while_nothing_is_to_be_changed() {
    let company = mk_company("").await;
    company.sim.remove_role(PROD, ENFORCE);
    let document = examined(&company).await;
    let [problem] = of(&document, CheckName::EnforceRole)[..] else { panic!("{:?}", document.problems) };
    assert_eq!(problem.verdict, Verdict::Note);
    assert!(problem.remedy.starts_with("nothing, as long as policy.mode"), "{}", problem.remedy);
    assert!(!document.has_gaps());
}

#[tokio::test(start_paused = true)]
async fn a_wrong_external_id_everywhere_says_where_to_look_first() {
    let company = mk_company("").await;
    for account in [PROD, DEV] {
        for role in [SCAN, ENFORCE] {
            company.sim.set_role(account, RoleSpec::new(role).external_id("another-id"));
        }
    }
    let document = examined(&company).await;
    let [problem] = of(&document, CheckName::ScanRole)[..] else { panic!("{:?}", document.problems) };
    assert_eq!(problem.accounts, [PROD, DEV]);
    assert!(
        problem.remedy.starts_with("all accounts are affected: check the external ID"),
        "{}",
        problem.remedy
    );
    assert!(problem.remedy.contains("expects another external ID"), "{}", problem.remedy);
    assert!(!serde_json::to_string(&document).unwrap().contains(EXTERNAL_ID));
}

#[tokio::test(start_paused = true)]
async fn a_hub_that_may_not_assume_roles_is_told_from_roles_that_do_not_trust_it() {
    let company = mk_company("").await;
    let mut hub = serde_json::to_value(iam::hub(&company.config()).unwrap()).unwrap();
    remove_action(&mut hub, "sts:AssumeRole");
    company.sim.set_hub_policy(Some(&hub.to_string())).unwrap();
    let document = examined(&company).await;
    let [problem] = of(&document, CheckName::ScanRole)[..] else { panic!("{:?}", document.problems) };
    assert_eq!(problem.statement.as_ref().unwrap().sid, "AssumeRoles");
    company.sim.set_hub_policy(None).unwrap();
    company.sim.set_role(PROD, RoleSpec::new(SCAN).refuses_source_identity());
    let document = examined(&company).await;
    let [problem] = of(&document, CheckName::ScanRole)[..] else { panic!("{:?}", document.problems) };
    assert_eq!(problem.actions, ["sts:SetSourceIdentity"]);
}

#[tokio::test(start_paused = true)]
async fn each_permission_that_the_role_that_scans_lacks_is_named_with_its_statement() {
    let printed = |config: &Config| serde_json::to_value(iam::scan(config).unwrap()).unwrap();
    let company = mk_company(DELETE).await;
    let statements = printed(&company.config())["Statement"].as_array().unwrap().clone();
    for statement in statements {
        for action in statement["Action"].as_array().unwrap() {
            let action = action.as_str().unwrap();
            give_printed(&company, |role, policy| {
                if role == SCAN {
                    remove_action(policy, action);
                }
            });
            let document = examined(&company).await;
            let gaps: Vec<_> = of(&document, CheckName::ScanRole);
            let gaps: Vec<_> = gaps.into_iter().filter(|one| one.verdict == Verdict::Gap).collect();
            let [gap] = gaps[..] else { panic!("without {action}: {:?}", document.problems) };
            assert_eq!(gap.actions, [action]);
            assert_eq!(json!(gap.statement.as_ref().unwrap().sid), statement["Sid"]);
            assert_eq!(gap.accounts, [PROD, DEV]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_role_for_changes_lacks_is_as_bad_as_the_mode_makes_it() {
    for (mode, of_update, of_delete) in [
        ("observe", Verdict::Note, Verdict::Note),
        ("deactivate", Verdict::Gap, Verdict::Note),
        ("delete", Verdict::Gap, Verdict::Gap),
    ] {
        let company =
            mk_company(&format!("[policy]\nmode = \"{mode}\"\n[notices]\nrequired = false\n")).await;
        for (action, sid, expected) in [
            ("iam:UpdateAccessKey", "UpdateKeys", of_update),
            ("iam:DeleteAccessKey", "DeleteKeys", of_delete),
        ] {
            give_printed(&company, |role, policy| {
                allow_simulation(role, policy);
                if role == ENFORCE {
                    remove_action(policy, action);
                }
            });
            let document = examined(&company).await;
            let [problem] = of(&document, CheckName::EnforceRole)[..] else {
                panic!("{:?}", document.problems)
            };
            assert_eq!(problem.verdict, expected, "{mode} without {action}");
            assert_eq!(problem.actions, [action]);
            assert_eq!(problem.statement.as_ref().unwrap().sid, sid);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_organization_forbids_is_not_mended_in_the_role() {
    let company = mk_company(DELETE).await;
    company.sim.deny(Some(PROD), "iam:UpdateAccessKey");
    company.sim.deny(Some(PROD), "iam:ListUsers");
    let document = examined(&company).await;
    for check in [CheckName::ScanRole, CheckName::EnforceRole] {
        let [problem] = of(&document, check)[..] else { panic!("{:?}", document.problems) };
        assert!(problem.remedy.contains("a policy of the organization forbids it"), "{}", problem.remedy);
    }
}
