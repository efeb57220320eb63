//! Enough: a life of everything without one denied call. Not more: every action is used, and without any one of them
//! something fails that has a name.

use std::collections::BTreeSet;

use crate::privilege::lives::{self, Lived};
use crate::privilege::policies::{ALL, Policies, Which, is};

/// What asks for all users at once.
const DETAILS: &str = "iam:GetAccountAuthorizationDetails";

#[tokio::test(start_paused = true)]
async fn everything_works_with_the_printed_policies_and_no_call_is_denied() {
    for lived in [lives::by_roles(&Policies::clone).await, lives::direct(&Policies::clone).await] {
        assert_eq!(lived.failed, BTreeSet::new());
        assert_eq!(lived.denied(), Vec::<&(String, String)>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn every_action_that_a_policy_allows_is_used() {
    for lived in [lives::by_roles(&Policies::clone).await, lives::direct(&Policies::clone).await] {
        for (which, sid, action) in allowed(&lived.printed) {
            // No role is assumed in a life that has nothing but the management account.
            let roles_exist = lived.judged.keys().any(|(policy, _)| is(Which::Scan, policy));
            // Root keys are asked for where there is no report, which the life by roles tries.
            if !roles_exist && action == "iam:GetAccountSummary" {
                continue;
            }
            // Three users are read one by one.
            if !roles_exist && action == DETAILS {
                continue;
            }
            if roles_exist || (which == Which::Hub && !action.starts_with("sts:")) {
                assert!(used(&lived, which, &action), "{action} in {sid} of {which:?} is never asked for");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn without_any_one_action_of_the_hub_something_fails() {
    for (which, sid, action) in allowed_by_roles(|which| which == Which::Hub).await {
        without(which, &sid, &action).await;
    }
}

#[tokio::test(start_paused = true)]
async fn without_any_one_action_of_the_role_that_scans_something_fails() {
    let ours = |which| matches!(which, Which::Scan | Which::ScanTrust);
    for (which, sid, action) in allowed_by_roles(ours).await {
        without(which, &sid, &action).await;
    }
}

#[tokio::test(start_paused = true)]
async fn without_any_one_action_of_the_role_that_enforces_something_fails() {
    let ours = |which| matches!(which, Which::Enforce | Which::EnforceTrust);
    for (which, sid, action) in allowed_by_roles(ours).await {
        without(which, &sid, &action).await;
    }
}

#[tokio::test(start_paused = true)]
async fn without_any_one_action_a_hub_that_enters_the_management_account_itself_fails() {
    let printed = lives::direct(&Policies::clone).await.printed;
    for (which, sid, action) in allowed(&printed) {
        // Root keys are asked for where there is no report, which the life by roles tries.
        if which != Which::Hub || sid == "AssumeRoles" || action == "iam:GetAccountSummary" {
            continue;
        }
        let lived = lives::direct(&|printed| printed.without_action(which, &sid, &action)).await;
        let expected: &[&str] = match action.as_str() {
            "organizations:DescribeOrganization" | "organizations:ListAccounts" => {
                &["list the organization", "scan by the report", "find"]
            }
            "iam:GenerateCredentialReport" | "iam:GetCredentialReport" => &["scan by the report"],
            "iam:ListUsers" => &["scan by the report"],
            "iam:ListAccessKeys" => &["scan by the report", "find"],
            // Only the read before a change asks for these, and an undo goes on without.
            "iam:GetAccessKeyLastUsed" | "iam:ListAttachedUserPolicies" => continue,
            // Where the one is denied, users are read by the other.
            DETAILS | "iam:GetUser" => continue,
            _ => &["find"],
        };
        assert_eq!(lived.failed, expected.iter().copied().collect(), "without {action} in {sid}");
        assert!(!lived.denied().is_empty(), "without {action} in {sid} no call was denied");
    }
}

async fn allowed_by_roles(ours: impl Fn(Which) -> bool) -> Vec<(Which, String, String)> {
    let printed = lives::by_roles(&Policies::clone).await.printed;
    allowed(&printed).into_iter().filter(|(which, _, _)| ours(*which)).collect()
}

/// A life by roles without one action: exactly what it is for fails, and because a call was denied.
async fn without(which: Which, sid: &str, action: &str) {
    let lived = lives::by_roles(&|printed| printed.without_action(which, sid, action)).await;
    let expected: BTreeSet<&str> = needed_for(which, action).into_iter().collect();
    assert!(!expected.is_empty() || action == DETAILS);
    assert_eq!(lived.failed, expected, "without {action} in {sid} of {which:?}");
    assert!(!lived.denied().is_empty(), "without {action} in {sid} of {which:?} no call was denied");
}

/// What cannot be done without an action.
fn needed_for(which: Which, action: &str) -> Vec<&'static str> {
    const DELETE: [&str; 3] = ["delete with approval", "delete after a live scan", "follow a renamed user"];
    const QUARANTINE: [&str; 2] = ["quarantine", "deactivate after a quarantine"];
    const UNDO: [&str; 2] = ["ask where an account tag says so", "undo"];
    const CHANGE: [&[&str]; 3] = [&DELETE, &QUARANTINE, &UNDO];
    const DECIDE: [&[&str]; 4] = [CHANGE[0], CHANGE[1], CHANGE[2], &["follow a rule of an ou"]];
    const SCAN: [&[&str]; 5] =
        [DECIDE[0], DECIDE[1], DECIDE[2], DECIDE[3], &["scan by the report", "scan live"]];
    const LIST: [&[&str]; 6] = [SCAN[0], SCAN[1], SCAN[2], SCAN[3], SCAN[4], &["list the organization"]];
    match (which, action) {
        (Which::Hub, "organizations:DescribeOrganization" | "organizations:ListAccounts") => LIST.concat(),
        // What a rule needs and cannot be read makes every key wait.
        // Scans read the whole tree; only a change asks where its account is.
        (Which::Hub, "organizations:ListParents") => CHANGE.concat(),
        (Which::Hub, action) if action.starts_with("organizations:") => DECIDE.concat(),
        (Which::Hub | Which::ScanTrust, "sts:AssumeRole" | "sts:SetSourceIdentity") => SCAN.concat(),
        (Which::Scan, "iam:GenerateCredentialReport" | "iam:GetCredentialReport") => {
            vec!["scan by the report"]
        }
        // There is no live scan without it; and where a user is whose name is gone, nobody can tell.
        (Which::Scan, "iam:ListUsers") => {
            vec!["delete after a live scan", "follow a rule of an ou", "scan by the report", "scan live"]
        }
        // Without a report, nothing else tells whether there are root keys.
        (Which::Scan, "iam:GetAccountSummary") => vec!["scan live"],
        (Which::Scan, "iam:ListAccessKeys") => SCAN.concat(),
        // Nothing is deactivated without a look into CloudTrail, so that there is nothing to undo either.
        (Which::Scan, "account:ListRegions" | "cloudtrail:LookupEvents") => CHANGE.concat(),
        // Users are read one by one without it.
        (Which::Scan, DETAILS) => Vec::new(),
        (Which::Scan, "iam:GetUser" | "iam:GetAccessKeyLastUsed" | "iam:ListAttachedUserPolicies") => {
            DECIDE.concat()
        }
        (Which::EnforceTrust, "sts:AssumeRole" | "sts:SetSourceIdentity") => CHANGE.concat(),
        // A quarantine begins, and ends when the deactivation is refused.
        (Which::Enforce, "iam:UpdateAccessKey") => {
            [&DELETE[..], &UNDO, &["deactivate after a quarantine"]].concat()
        }
        (Which::Enforce, "iam:DeleteAccessKey") => DELETE.to_vec(),
        (Which::Scan, "iam:GetLoginProfile" | "iam:GetPolicy" | "iam:GetPolicyVersion") => {
            QUARANTINE.to_vec()
        }
        // A refused change parks its account.
        (Which::Enforce, "iam:AttachUserPolicy") => {
            [&["delete with approval", "follow a renamed user"], &UNDO[..], &QUARANTINE].concat()
        }
        // The key is deactivated, and its user stays in quarantine.
        (Which::Enforce, "iam:DetachUserPolicy") => vec!["quarantine"],
        _ => panic!("nothing is known to need {action} of {which:?}"),
    }
}

/// Everything that is allowed, action by action.
fn allowed(policies: &Policies) -> Vec<(Which, String, String)> {
    let of = |which| policies.allowed(which).into_iter().map(move |(sid, actions)| (which, sid, actions));
    let each = |(which, sid, actions): (Which, String, Vec<String>)| {
        actions.into_iter().map(move |action| (which, sid.clone(), action))
    };
    ALL.into_iter().flat_map(of).flat_map(each).collect()
}

fn used(lived: &Lived, which: Which, action: &str) -> bool {
    let asked = |(policy, asked): &(String, String)| is(which, policy) && asked == action;
    lived.judged.iter().any(|(key, judged)| asked(key) && judged.allowed > 0)
}
