//! A small organization, examined.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use keysweep::connect::connect;
use keysweep::doctor::{CheckName, DoctorDocument, Inputs, NotInOrganization, Problem, Verdict, examine};
use keysweep::iam::{self, Deletion};
use keysweep::metrics::Metrics;
use keysweep_core::ids::AccountId;
use keysweep_tests::company::Company;
use serde_json::{Value, json};

pub(crate) const PROD: &str = "111122223333";
pub(crate) const DEV: &str = "444455556666";
pub(crate) const MANAGEMENT: &str = "100000000000";
pub(crate) const SCAN: &str = "keysweep/KeysweepScan";
pub(crate) const ENFORCE: &str = "keysweep/KeysweepEnforce";
pub(crate) const HUB: &str = "arn:aws:iam::100000000000:user/keysweep-hub";

/// Everything but these alters something, or belongs to somebody else.
const READS: [&str; 22] = [
    "access-analyzer:GetAnalyzer",
    "access-analyzer:ListFindingsV2",
    "account:ListRegions",
    "cloudtrail:LookupEvents",
    "iam:GenerateCredentialReport",
    "iam:GetAccessKeyLastUsed",
    "iam:GetAccountAuthorizationDetails",
    "iam:GetAccountSummary",
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
    "organizations:ListParents",
    "organizations:ListRoots",
    "organizations:ListTagsForResource",
    "sts:GetCallerIdentity",
];

pub(crate) const DELETE: &str = "[policy]\nmode = \"delete\"\n[notices]\nrequired = false\n";

/// Two accounts with a key in each, and a data_dir that has been opened.
pub(crate) async fn mk_company(toml: &str) -> Company {
    let company = Company::new(toml);
    for id in [PROD, DEV] {
        company.account(id);
        company.stale_user(id, "svc-old", 200);
    }
    company.open().await.close().await.unwrap();
    company
}

pub(crate) async fn examined(company: &Company) -> DoctorDocument {
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

pub(crate) async fn examined_only(
    company: &Company,
    only: &[AccountId],
) -> Result<DoctorDocument, NotInOrganization> {
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
pub(crate) fn give_printed(company: &Company, alter: impl Fn(&str, &mut Value)) {
    let (config, now) = (company.config(), company.clock.now());
    let json = |document: iam::Document| serde_json::to_value(document).unwrap();
    let trust = json(iam::trust(&config, &HUB.parse().unwrap(), None).unwrap()).to_string();
    company.sim.set_hub_policy(Some(&json(iam::hub(&config).unwrap()).to_string())).unwrap();
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
pub(crate) fn allow_simulation(role: &str, policy: &mut Value) {
    if role == SCAN {
        let statement =
            json!({ "Effect": "Allow", "Action": "iam:SimulatePrincipalPolicy", "Resource": "*" });
        policy["Statement"].as_array_mut().unwrap().push(statement);
    }
}

pub(crate) fn remove_action(policy: &mut Value, action: &str) {
    for statement in policy["Statement"].as_array_mut().unwrap() {
        statement["Action"].as_array_mut().unwrap().retain(|one| one != action);
    }
    policy["Statement"].as_array_mut().unwrap().retain(|one| one["Action"] != json!([]));
}

pub(crate) fn verdict(document: &DoctorDocument, name: CheckName) -> Verdict {
    document.checks.iter().find(|check| check.name == name).unwrap().verdict
}

pub(crate) fn of(document: &DoctorDocument, name: CheckName) -> Vec<&Problem> {
    document.problems.iter().filter(|problem| problem.check == name).collect()
}
