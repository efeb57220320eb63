//! Every call that keysweep makes, answered by moto, which we did not write, and by our simulator, with the same
//! organization in both: keysweep must understand the same, errors included. Where the two differ, a table says how,
//! which of them is right, and why.

use std::collections::BTreeSet;
use std::path::Path;

use keysweep_tests::conformance::{
    Answers, Organization, Side, ask_everything, ensure_venv, target_dir, twin,
};

/// A way in which moto and the simulator differ. In each it is the simulator that answers as AWS does: where it is not,
/// it is mended and not listed.
struct Difference {
    /// What the question begins with.
    question: &'static str,
    /// What moto's answer holds.
    moto: &'static str,
    /// What the simulator's answer holds.
    simulator: &'static str,
    /// Why the simulator is right, by AWS's own documentation where it says so.
    why: &'static str,
}

/// moto says no in the form of EC2, `ErrorResponse/Errors/Error`, in which a client of IAM or STS finds no code. AWS's
/// query protocol has `ErrorResponse/Error/Code` (IAM API reference, Common Errors: AccessDenied, 403). What is not in
/// that form keysweep does not take for AWS's word: a read failed for now, and the fate of a change is unclear.
const NO_CODE: &str = "response 403 did not come from AWS (proxy?)";
const IN_THE_FORM_OF_EC2: &str = "moto's refusal is not in the form of the query protocol, and has no code";

const fn refused(question: &'static str, simulator: &'static str) -> Difference {
    Difference { question, moto: NO_CODE, simulator, why: IN_THE_FORM_OF_EC2 }
}

const DIFFERENCES: &[Difference] = &[
    refused("who a stranger is", "denied: 403 InvalidClientTokenId"),
    refused("the role in legacy", "denied: 403 AccessDenied"),
    refused("the role in an account that is none", "denied: 403 AccessDenied"),
    refused("a role with another external ID", "denied: 403 AccessDenied"),
    refused("last use of no key of ", "denied: 403 AccessDenied"),
    refused("last use of a foreign key in ", "denied: 403 AccessDenied"),
    refused("6 delete what is Active: its last use", "denied: 403 AccessDenied"),
    refused("7 delete what is deleted: its last use", "denied: 403 AccessDenied"),
    refused("8 deactivate what is deleted: its last use", "denied: 403 AccessDenied"),
    refused("9 reactivate what is deleted: its last use", "denied: 403 AccessDenied"),
    refused("1 deactivate, with a session for another path", "refused, denied: AccessDenied"),
    refused("1 attach, with a session for another path", "refused, denied: AccessDenied"),
    refused("delete without a role", "denied: 403 AccessDenied"),
    Difference {
        question: "the role in closed",
        moto: "a session",
        simulator: "denied: 403 AccessDenied",
        why: "nobody gets into a closed account any more (Account Management Reference Guide, Close an account); moto \
              keeps it open",
    },
    Difference {
        question: "the role in management",
        moto: NO_CODE,
        simulator: "a session",
        why: "whose policy allows sts:AssumeRole may assume a role of its own account that trusts that account (IAM User \
              Guide, Roles terms and concepts); moto refuses it there and nowhere else",
    },
    Difference {
        question: "deactivate a key of nobody",
        moto: NO_CODE,
        simulator: "refused, gone: NoSuchEntity",
        why: "the session allows this change of this name, so that IAM goes on to look for the user (IAM API reference, \
              UpdateAccessKey: NoSuchEntity, 404); moto knows no ARN of a user that is not there",
    },
    Difference {
        question: "delete a key of nobody",
        moto: NO_CODE,
        simulator: "refused, gone: NoSuchEntity",
        why: "as with UpdateAccessKey (IAM API reference, DeleteAccessKey: NoSuchEntity, 404)",
    },
    refused("what would be allowed in ", "[Allowed, Allowed]"),
    Difference {
        question: "account ",
        moto: "state: Suspended",
        simulator: "state: Closed",
        why: "an account that was closed has the State CLOSED; SUSPENDED is what the retired Status said of it \
              (Organizations API reference, Account)",
    },
    Difference {
        question: "the report of ",
        moto: "a report",
        simulator: "not there, transient: 404 ReportInProgress",
        why: "a report takes seconds to minutes to make, and until then there is none (IAM API reference, \
              GetCredentialReport: ReportInProgress, 404); moto makes it while it is asked for",
    },
    Difference {
        question: "place of use of key ",
        moto: "None None",
        simulator: "Some(",
        why: "the report names service and Region of the last use (IAM User Guide, Get credential reports: \
              access_key_1_last_used_service); moto fills in not_supported",
    },
    Difference {
        question: "more than two keys of three-keys ",
        moto: "false",
        simulator: "true",
        why: "users with more than two keys have them counted in a 23rd column, additional_credentials_info (IAM User \
              Guide, Get credential reports); moto leaves the third key out",
    },
    Difference {
        question: "password use of ",
        moto: "credential report says not_supported",
        simulator: "Known(None)",
        why: "without a password password_last_used is N/A (IAM User Guide, Get credential reports); moto says \
              not_supported, which AWS has for the root user only",
    },
];

async fn mk_moto() -> Result<Organization, String> {
    let target = target_dir()?;
    let venv = tokio::task::spawn_blocking(move || ensure_venv(&target)).await;
    Organization::start(&venv.map_err(|error| format!("make the environment: {error}"))??).await
}

/// The API names that keysweep's client holds: each call is counted under one.
fn calls_of_the_client() -> BTreeSet<String> {
    let mut calls = BTreeSet::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/keysweep-aws/src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(path).unwrap();
            calls.extend(text.split('"').filter(|text| is_a_call(text)).map(str::to_owned));
        }
    }
    calls
}

/// `iam:ListUsers` and its like.
fn is_a_call(text: &str) -> bool {
    // A key of conditions, as are those of `aws:`.
    if text == "iam:PolicyARN" {
        return false;
    }
    let named = text.split_once(':').is_some_and(|(service, action)| {
        let service = service != "aws"
            && !service.is_empty()
            && service.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        service && action.starts_with(|first: char| first.is_ascii_uppercase())
    });
    named && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":-".contains(&byte))
}

/// Compares two sets of answers, question by question; what differs without being known to, and what is known to and
/// does not.
fn compare(moto: &Answers, simulator: &Answers) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut met = BTreeSet::new();
    let questions: BTreeSet<&String> = moto.keys().chain(simulator.keys()).collect();
    for question in questions {
        let missing = "no answer".to_owned();
        let [moto, simulator] = [moto, simulator].map(|answers| answers.get(question).unwrap_or(&missing));
        if moto == simulator {
            continue;
        }
        let known = DIFFERENCES.iter().position(|known| {
            question.starts_with(known.question)
                && moto.contains(known.moto)
                && simulator.contains(known.simulator)
        });
        match known {
            Some(known) => {
                met.insert(known);
            }
            None => wrong.push(format!("{question}\n  moto:      {moto}\n  simulator: {simulator}")),
        }
    }
    for (number, known) in DIFFERENCES.iter().enumerate() {
        if !met.contains(&number) {
            wrong.push(format!("no longer differs: {} ({})", known.question, known.why));
        }
    }
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn moto_and_the_simulator_are_understood_alike_in_every_call() -> Result<(), String> {
    let mut organization = mk_moto().await?;
    let truth = organization.truth().clone();
    let sim = twin(&truth)?;
    let server = sim.serve().await.map_err(|error| format!("serve: {error}"))?;
    let moto = Side {
        endpoint: truth.endpoint.clone(),
        access_key_id: truth.hub.access_key_id.clone(),
        secret_access_key: truth.hub.secret_access_key.clone(),
    };
    let (access_key_id, secret_access_key, _) = sim.hub_credentials();
    let simulator = Side { endpoint: server.endpoint(), access_key_id, secret_access_key };
    let (by_moto, by_simulator) =
        tokio::try_join!(ask_everything(&moto, &truth), ask_everything(&simulator, &truth))?;
    assert!(by_moto.len() > 300, "only {} questions were asked", by_moto.len());
    let wrong = compare(&by_moto, &by_simulator);
    assert!(wrong.is_empty(), "{} differ of {}:\n{}", wrong.len(), by_moto.len(), wrong.join("\n"));

    // moto has none of these: there, boto3 or the AWS CLI is the other client of the simulator.
    let mut known = calls_of_the_client();
    for elsewhere in [
        "access-analyzer:GetAnalyzer",
        // What policies call the two below.
        "access-analyzer:GetFinding",
        "access-analyzer:ListFindings",
        "access-analyzer:GetFindingV2",
        "access-analyzer:ListFindingsV2",
        "account:ListRegions",
        "cloudtrail:LookupEvents",
    ] {
        assert!(known.remove(elsewhere), "{elsewhere}");
    }
    let asked_of_moto: BTreeSet<String> = organization.calls().await?.into_keys().collect();
    let asked_of_simulator: BTreeSet<String> = sim.calls().into_keys().map(|(_, call)| call).collect();
    assert_eq!(asked_of_moto, known, "a call of keysweep-aws without conformance, or under another name");
    assert_eq!(asked_of_simulator, known);
    server.shutdown().await;
    organization.quit().await
}
