//! What `keysweep doctor` finds in an organization, and that it changes nothing there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::SignedDuration;
use keysweep::config::Config;
use keysweep::connect::connect;
use keysweep::doctor::{CheckName, DoctorDocument, Inputs, NotInOrganization, Problem, Verdict, examine};
use keysweep::iam::{self, Deletion};
use keysweep::metrics::Metrics;
use keysweep_core::ids::AccountId;
use keysweep_sim::{Fault, Hub, RoleSpec, Rule};
use keysweep_tests::company::{Company, EXTERNAL_ID};
use keysweep_tests::site::Site;
use rustix::process::Signal;
use serde_json::{Value, json};

const PROD: &str = "111122223333";
const DEV: &str = "444455556666";
const MANAGEMENT: &str = "100000000000";
const SCAN: &str = "keysweep/KeysweepScan";
const ENFORCE: &str = "keysweep/KeysweepEnforce";
const HUB: &str = "arn:aws:iam::100000000000:user/keysweep-hub";

/// Everything but these alters something, or belongs to somebody else.
const READS: [&str; 15] = [
    "iam:GenerateCredentialReport",
    "iam:GetAccessKeyLastUsed",
    "iam:GetCredentialReport",
    "iam:GetUser",
    "iam:ListAccessKeys",
    "iam:ListAttachedUserPolicies",
    "iam:ListUsers",
    "iam:SimulatePrincipalPolicy",
    "organizations:DescribeOrganization",
    "organizations:ListAccounts",
    "organizations:ListAccountsForParent",
    "organizations:ListOrganizationalUnitsForParent",
    "organizations:ListRoots",
    "organizations:ListTagsForResource",
    "sts:GetCallerIdentity",
];

const DELETE: &str = "[policy]\nmode = \"delete\"\n[notices]\nrequired = false\n";

/// Two accounts with a key in each, and a data_dir that has been opened.
async fn mk_company(toml: &str) -> Company {
    let company = Company::new(toml);
    for id in [PROD, DEV] {
        company.account(id);
        company.stale_user(id, "svc-old", 200);
    }
    company.open().await.close().await.unwrap();
    company
}

async fn examined(company: &Company) -> DoctorDocument {
    examined_only(company, &[]).await.unwrap()
}

/// Every file with what is in it; of the records, which whoever has them open writes when he pleases, none.
fn files_of(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "records") {
                files.extend(files_of(&path));
            }
        } else {
            files.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    files
}

async fn examined_only(company: &Company, only: &[AccountId]) -> Result<DoctorDocument, NotInOrganization> {
    let (config, metrics) = (company.config(), Metrics::new());
    let (before, files) = (company.sim.changes().len(), files_of(company.data_dir.path()));
    let aws = connect(&config, &company.clock, metrics.clone(), company.given()).await;
    let inputs = Inputs { config: &config, clock: &company.clock, metrics: &metrics, only };
    let document = examine(inputs, aws, &()).await?;
    assert_eq!(company.sim.changes().len(), before, "doctor changed something");
    assert_eq!(files_of(company.data_dir.path()), files, "doctor wrote into data_dir");
    for ((_, action), _) in company.sim.calls() {
        assert!(READS.contains(&action.as_str()) || action == "sts:AssumeRole", "doctor called {action}");
    }
    Ok(document)
}

/// Gives the hub and the roles what this configuration prints, and no more; `alter` may change the policies of the
/// roles.
fn give_printed(company: &Company, alter: impl Fn(&str, &mut Value)) {
    let (config, now) = (company.config(), company.clock.now());
    let json = |document: iam::Document| serde_json::to_value(document).unwrap();
    let trust = json(iam::trust(&config, &HUB.parse().unwrap(), None).unwrap()).to_string();
    company.sim.set_hub_policy(Some(&json(iam::hub(&config, now).unwrap()).to_string())).unwrap();
    for account in [PROD, DEV] {
        for (role, document) in
            [(SCAN, iam::scan(&config)), (ENFORCE, iam::enforce(&config, now, Deletion::Allowed))]
        {
            let mut policy = json(document.unwrap());
            alter(role, &mut policy);
            company.sim.set_role_policy(account, role, Some(&policy.to_string())).unwrap();
            company.sim.set_trust_policy(account, role, &trust).unwrap();
        }
    }
}

/// Lets the role that scans ask for simulations.
fn allow_simulation(role: &str, policy: &mut Value) {
    if role == SCAN {
        let statement =
            json!({ "Effect": "Allow", "Action": "iam:SimulatePrincipalPolicy", "Resource": "*" });
        policy["Statement"].as_array_mut().unwrap().push(statement);
    }
}

fn remove_action(policy: &mut Value, action: &str) {
    for statement in policy["Statement"].as_array_mut().unwrap() {
        statement["Action"].as_array_mut().unwrap().retain(|one| one != action);
    }
    policy["Statement"].as_array_mut().unwrap().retain(|one| one["Action"] != json!([]));
}

fn verdict(document: &DoctorDocument, name: CheckName) -> Verdict {
    document.checks.iter().find(|check| check.name == name).unwrap().verdict
}

fn of(document: &DoctorDocument, name: CheckName) -> Vec<&Problem> {
    document.problems.iter().filter(|problem| problem.check == name).collect()
}

#[tokio::test(start_paused = true)]
async fn nothing_is_found_where_nothing_is_missing() {
    let company = mk_company(DELETE).await;
    let document = examined(&company).await;
    assert_eq!(document.problems, []);
    assert!(document.checks.iter().all(|check| check.verdict == Verdict::Ok), "{:?}", document.checks);
    assert_eq!(document.checks.len(), CheckName::ALL.len());
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
    let rules = "[[policy.override]]\nmatch = { account_tags = { env = \"prod\" }, ous = [\"ou-abcd-12345678\"] }\n\
                 unused_after = \"60d\"\n";
    let company = mk_company(rules).await;
    assert_eq!(of(&examined(&company).await, CheckName::Organization), Vec::<&Problem>::new());
    for (action, sid) in [
        ("organizations:ListRoots", "ListOrganizationalUnits"),
        ("organizations:ListOrganizationalUnitsForParent", "ListOrganizationalUnits"),
        ("organizations:ListAccountsForParent", "ListOrganizationalUnits"),
        ("organizations:ListTagsForResource", "ReadAccountTags"),
    ] {
        let mut hub =
            serde_json::to_value(iam::hub(&company.config(), company.clock.now()).unwrap()).unwrap();
        remove_action(&mut hub, action);
        company.sim.set_hub_policy(Some(&hub.to_string())).unwrap();
        let document = examined(&company).await;
        let [problem] = of(&document, CheckName::Organization)[..] else { panic!("{:?}", document.problems) };
        assert_eq!(problem.actions, [action]);
        assert_eq!(problem.statement.as_ref().unwrap().sid, sid);
    }
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
        problem.remedy.starts_with("it is so in every account: look at the external ID"),
        "{}",
        problem.remedy
    );
    assert!(problem.remedy.contains("expects another external ID"), "{}", problem.remedy);
    assert!(!serde_json::to_string(&document).unwrap().contains(EXTERNAL_ID));
}

#[tokio::test(start_paused = true)]
async fn a_hub_that_may_not_assume_roles_is_told_from_roles_that_do_not_trust_it() {
    let company = mk_company("").await;
    let mut hub = serde_json::to_value(iam::hub(&company.config(), company.clock.now()).unwrap()).unwrap();
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
    let company = mk_company("").await;
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

    let mut hub = serde_json::to_value(iam::hub(&company.config(), company.clock.now()).unwrap()).unwrap();
    remove_action(&mut hub, "iam:GetUser");
    company.sim.set_hub_policy(Some(&hub.to_string())).unwrap();
    let document = examined(&company).await;
    let [problem] = of(&document, CheckName::ScanRole)[..] else { panic!("{:?}", document.problems) };
    assert_eq!(
        (&problem.actions[..], &problem.accounts[..]),
        (&["iam:GetUser".to_owned()][..], &[MANAGEMENT.to_owned()][..])
    );
    assert_eq!(problem.statement.as_ref().unwrap().command, "keysweep iam hub");
    // Nobody may ask what the hub may change.
    assert_eq!(verdict(&document, CheckName::EnforceRole), Verdict::CannotTell);

    company.sim.set_hub_policy(None).unwrap();
    company.sim.configure(|settings| settings.hub = Hub::Role("keysweep-hub".into()));
    let document = examined(&company).await;
    let [problem] = of(&document, CheckName::EnforceRole)[..] else { panic!("{:?}", document.problems) };
    assert!(problem.reason.as_ref().unwrap().contains("does not show the path of its role"), "{problem:?}");

    company.sim.configure(|settings| {
        settings.hub_account = PROD.into();
        settings.delegated_administrators = vec![PROD.into()];
    });
    let document = examined(&company).await;
    let [problem] = of(&document, CheckName::ScanRole)[..] else { panic!("{:?}", document.problems) };
    assert_eq!((problem.verdict, &problem.accounts[..]), (Verdict::Gap, &[MANAGEMENT.to_owned()][..]));
    assert!(problem.remedy.contains("organization.management_account"), "{problem:?}");
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_asked_is_neither_fine_nor_missing() {
    let company = mk_company("").await;
    company.sim.fault(Rule::new(Fault::Hang).account(PROD).action("iam:GetUser"));
    let document = examined(&company).await;
    let [problem] = of(&document, CheckName::ScanRole)[..] else { panic!("{:?}", document.problems) };
    assert_eq!((problem.verdict, &problem.accounts[..]), (Verdict::Failed, &[PROD.to_owned()][..]));
    assert!(document.has_gaps());
}

#[tokio::test(start_paused = true)]
async fn credentials_that_aws_does_not_take_end_the_questions_there() {
    let company = mk_company("").await;
    let (config, metrics) = (company.config(), Metrics::new());
    let mut given = company.given();
    given.credentials.as_mut().unwrap().access_key_id = "AKIANOBODYSKEY000000".into();
    let aws = connect(&config, &company.clock, metrics.clone(), given).await;
    let inputs = Inputs { config: &config, clock: &company.clock, metrics: &metrics, only: &[] };
    let document = examine(inputs, aws, &()).await.unwrap();
    assert_eq!(verdict(&document, CheckName::Credentials), Verdict::Gap);
    assert_eq!(document.problems.len(), 1, "{:?}", document.problems);
    for check in [CheckName::Organization, CheckName::ScanRole, CheckName::EnforceRole] {
        assert_eq!(verdict(&document, check), Verdict::CannotTell);
    }
    assert_eq!(verdict(&document, CheckName::DataDir), Verdict::Ok);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_off_is_a_gap_beyond_five_minutes() {
    for (minutes, expected) in [(4, Verdict::Ok), (-4, Verdict::Ok), (6, Verdict::Gap), (-6, Verdict::Gap)] {
        let mut company = mk_company("").await;
        let clock = company.clock.clone();
        let off = SignedDuration::from_mins(minutes);
        company.sim = company.sim.clone().with_wall_clock(Arc::new(move || clock.operational() + off));
        let document = examined(&company).await;
        assert_eq!(verdict(&document, CheckName::Clock), expected, "{minutes}");
        assert_eq!(document.clock_skew_seconds, Some(minutes * 60));
    }
}

#[tokio::test(start_paused = true)]
async fn a_data_dir_that_is_open_is_not_disturbed() {
    let company = mk_company("").await;
    let engine = company.open().await;
    let document = examined(&company).await;
    let process = format!("process {}", std::process::id());
    assert_eq!(document.data_dir.held_by.as_deref(), Some(process.as_str()));
    assert_eq!(document.data_dir.writable, Some(true));
    // No daemon listens here: that is worth knowing.
    assert_eq!(verdict(&document, CheckName::DataDir), Verdict::Note);
    company.days(&engine, 1).await;
    engine.close().await.unwrap();
    assert_eq!(examined(&company).await.data_dir.held_by, None);
    company.open().await.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_data_dir_that_is_none_or_broken_is_told_and_left_as_it_is() {
    let company = mk_company("").await;
    // The last line of a journal has nothing behind it that would tell of it.
    company.open().await.close().await.unwrap();
    let segment = company.data_dir.path().join("journal").join(format!("{:020}.jsonl", 1));
    let whole = fs::read_to_string(&segment).unwrap();
    fs::write(&segment, whole.replacen("started", "starved", 1)).unwrap();
    let document = examined(&company).await;
    let [problem] = of(&document, CheckName::DataDir)[..] else { panic!("{:?}", document.problems) };
    assert_eq!(problem.verdict, Verdict::Gap);
    assert!(problem.reason.as_ref().unwrap().contains("restore the file from a backup"), "{problem:?}");

    fs::write(&segment, &whole).unwrap();
    let torn = whole.clone() + "{\"seq\":";
    fs::write(&segment, &torn).unwrap();
    let document = examined(&company).await;
    assert_eq!(verdict(&document, CheckName::DataDir), Verdict::Note, "{:?}", document.problems);
    assert_eq!(fs::read_to_string(&segment).unwrap(), torn, "doctor changed the journal");

    let of_path = async |path: &Path| {
        let mut config = company.config();
        config.data_dir = path.to_owned();
        let metrics = Metrics::new();
        let aws = connect(&config, &company.clock, metrics.clone(), company.given()).await;
        let inputs = Inputs { config: &config, clock: &company.clock, metrics: &metrics, only: &[] };
        examine(inputs, aws, &()).await.unwrap()
    };
    let file = of_path(&segment).await;
    assert_eq!(verdict(&file, CheckName::DataDir), Verdict::Gap);
    let below = of_path(&segment.join("data")).await;
    assert_eq!(verdict(&below, CheckName::DataDir), Verdict::Gap);
    let nowhere = company.data_dir.path().join("nowhere");
    let missing = of_path(&nowhere).await;
    assert_eq!(verdict(&missing, CheckName::DataDir), Verdict::Note);
    assert!(!nowhere.exists() && !missing.has_gaps());
}

/// Holds a value against the part of JSON schema that ours use, and knows every name.
fn assert_fits(value: &Value, schema: &Value, root: &Value, at: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.strip_prefix("#/$defs/").unwrap();
        return assert_fits(value, &root["$defs"][name], root, at);
    }
    for either in ["anyOf", "oneOf"] {
        if let Some(all) = schema[either].as_array() {
            let constant = |one: &Value| one["const"] == *value;
            let null = |one: &Value| one["type"] == "null" && value.is_null();
            if all.iter().any(|one| constant(one) || null(one)) {
                return;
            }
            let of_use = all.iter().find(|one| one["type"] != "null" && one.get("const").is_none());
            return assert_fits(
                value,
                of_use.unwrap_or_else(|| panic!("{at}: {value} fits nothing")),
                root,
                at,
            );
        }
    }
    match value {
        Value::Object(members) => {
            let known = schema["properties"].as_object().unwrap_or_else(|| panic!("{at} is no object"));
            for required in schema["required"].as_array().unwrap() {
                assert!(members.contains_key(required.as_str().unwrap()), "{at} lacks {required}");
            }
            for (name, member) in members {
                let of_member = known.get(name).unwrap_or_else(|| panic!("{at} has {name}"));
                assert_fits(member, of_member, root, &format!("{at}.{name}"));
            }
        }
        Value::Array(items) => {
            items.iter().for_each(|item| assert_fits(item, &schema["items"], root, &format!("{at}[]")));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            let kind = match value {
                Value::Null => "null",
                Value::Bool(_) => "boolean",
                Value::Number(_) => "integer",
                _ => "string",
            };
            let kinds = &schema["type"];
            let fits = kinds == kind || kinds.as_array().is_some_and(|all| all.contains(&json!(kind)));
            assert!(fits, "{at}: {value} is no {kinds}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_tells_by_its_exit_code_and_in_every_form() {
    let site = Site::new("[notices]\nrequired = false\n").await;
    site.account(PROD);
    site.sim.make_reports();
    let (code, data, messages) = site.run(&["doctor"]).await;
    assert_eq!(code, 0, "{data}{messages}");
    assert!(data.contains("there is no data_dir"), "{data}");
    assert!(!site.data_dir().exists(), "doctor made a data_dir");

    let mut daemon = site.daemon();
    daemon.says("sweep finished").await;
    site.sim.account(DEV).add();
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schemas/doctor.json");
    let schema: Value = serde_json::from_str(&fs::read_to_string(schema).unwrap()).unwrap();
    let (code, data, _) = site.run(&["doctor", "--format", "json"]).await;
    assert_eq!(code, 4, "{data}");
    let value: Value = serde_json::from_str(&data).unwrap();
    assert_fits(&value, &schema, &schema, "document");
    let document: DoctorDocument = serde_json::from_value(value).unwrap();
    assert!(document.data_dir.daemon && document.data_dir.held_by.is_some(), "{:?}", document.data_dir);
    assert_eq!(document.credentials.unwrap().origin, "the environment (AWS_ACCESS_KEY_ID)");
    assert_eq!(of_account(&document.problems, DEV), 2, "{data}");

    let (code, data, messages) = site.run(&["doctor", "--account", DEV]).await;
    assert_eq!(code, 4);
    assert!(
        data.contains(&format!("gap: {DEV}: the role keysweep/KeysweepScan cannot be assumed")),
        "{data}"
    );
    assert!(messages.contains("nothing was changed"), "{messages}");
    let (code, data, _) = site.run(&["doctor", "--format", "csv"]).await;
    assert_eq!(code, 4);
    assert!(
        data.starts_with("check,verdict,what,actions,statement,policy,reason,remedy,accounts\n"),
        "{data}"
    );
    assert_eq!(site.run(&["doctor", "--account", "999999999999"]).await.0, 1);
    assert_eq!(site.run(&["--set", "aws.allow_endpoint_override=false", "doctor"]).await.0, 4);
    assert_eq!(site.run(&["doctor", "--account", "nonsense"]).await.0, 2);

    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends().await.0.code(), Some(0), "doctor disturbed the daemon");
}

fn of_account(problems: &[Problem], account: &str) -> usize {
    problems.iter().filter(|problem| problem.accounts == [account]).count()
}
