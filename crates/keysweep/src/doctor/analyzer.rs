//! Whether IAM Access Analyzer can give its opinion.

use keysweep_aws::{Analyzer, AnalyzerSeen, Aws, Caller, Fault};

use keysweep_core::policy::DAY;

use super::answer::{Answer, Refusal};
use super::document::{CheckName, Problem, Verdict};
use super::group::Raised;
use super::policies::{Policies, Whose, grant};
use crate::config::Config;

/// What is wrong with the analyzer that the configuration names, if it names one.
pub(super) async fn examine(aws: &Aws, config: &Config, caller: &Caller, policies: &Policies) -> Vec<Raised> {
    let Some(analyzer) = &config.evidence.access_analyzer else { return Vec::new() };
    if analyzer.account() != caller.account {
        return vec![elsewhere(analyzer, caller)];
    }
    let refused = |action, fault: &Fault| refused(action, fault, caller, policies);
    let seen = aws.analyzer(analyzer).await;
    let findings = aws.try_findings(analyzer).await;
    let about = match &seen {
        Ok(seen) => unfit(analyzer, seen).or_else(|| too_slow(seen, config)),
        Err(fault) => Some(refused("access-analyzer:GetAnalyzer", fault)),
    };
    let listing = findings.err().map(|fault| refused("access-analyzer:ListFindings", &fault));
    about.into_iter().chain(listing).map(Raised::once).collect()
}

fn mk_problem(verdict: Verdict, what: String, remedy: String) -> Problem {
    Problem {
        check: CheckName::AccessAnalyzer,
        verdict,
        what,
        actions: Vec::new(),
        statement: None,
        reason: None,
        remedy,
        accounts: Vec::new(),
    }
}

/// Only the account that has an analyzer is shown its findings.
fn elsewhere(analyzer: &Analyzer, caller: &Caller) -> Raised {
    let (theirs, ours) = (analyzer.account(), caller.account);
    let what =
        format!("the analyzer is in account {theirs}, but keysweep's own credentials are of account {ours}");
    let remedy = format!(
        "make {ours} a delegated administrator of IAM Access Analyzer (unless it is the management account), create an \
         analyzer of type ORGANIZATION_UNUSED_ACCESS there, and set evidence.access_analyzer to its ARN; or set \
         evidence.access_analyzer = \"\""
    );
    Raised::once(mk_problem(Verdict::Gap, what, remedy))
}

fn unfit(analyzer: &Analyzer, seen: &AnalyzerSeen) -> Option<Problem> {
    let AnalyzerSeen { kind, status, .. } = seen;
    if status != "ACTIVE" {
        let what = format!("the analyzer has status {status}, so its findings are not updated");
        let remedy = format!(
            "run `aws accessanalyzer get-analyzer --region {} --analyzer-name {}`: statusReason shows the cause",
            analyzer.region(),
            analyzer.name()
        );
        return Some(mk_problem(Verdict::Gap, what, remedy));
    }
    let remedy = "name an analyzer of type ORGANIZATION_UNUSED_ACCESS in evidence.access_analyzer".to_owned();
    match kind.as_str() {
        "ORGANIZATION_UNUSED_ACCESS" => None,
        "ACCOUNT_UNUSED_ACCESS" => {
            let what = format!("the analyzer covers only account {}", analyzer.account());
            Some(mk_problem(Verdict::Note, what, remedy))
        }
        _ => {
            let what = format!("the analyzer has type {kind}: it has no findings about unused access");
            Some(mk_problem(Verdict::Gap, what, remedy))
        }
    }
}

/// An analyzer that waits longer than the policy lets resolved findings keep keys.
fn too_slow(seen: &AnalyzerSeen, config: &Config) -> Option<Problem> {
    let age = u32::try_from(seen.age_days?).ok()?;
    let unused_after = config.policy.base.unused_after;
    (DAY * age > unused_after).then(|| {
        let what = format!(
            "the analyzer finds keys unused after {age} days, and policy.unused_after is {} days",
            unused_after.as_secs() / DAY.as_secs()
        );
        let remedy = "set the analyzer's unusedAccessAge to policy.unused_after or less: otherwise, a key with a resolved finding \
                      may wait longer than your policy requires";
        mk_problem(Verdict::Note, what, remedy.to_owned())
    })
}

fn refused(action: &str, fault: &Fault, caller: &Caller, policies: &Policies) -> Problem {
    let what = format!("keysweep could not {}", fault.operation());
    match Answer::of(Err::<(), _>(fault)) {
        Answer::Missing(Refusal { by, reason }) => {
            let statement = policies.statement(Whose::Hub, action);
            let remedy = by.remedy(&caller.arn, &grant(statement.as_ref(), Whose::Hub));
            let actions = vec![action.to_owned()];
            Problem { actions, statement, reason: Some(reason), ..mk_problem(Verdict::Gap, what, remedy) }
        }
        Answer::Permitted => {
            let remedy =
                "set evidence.access_analyzer to the ARN of an existing analyzer, or to \"\"".to_owned();
            let reason = Some(fault.cause().to_string());
            Problem { reason, ..mk_problem(Verdict::Gap, what, remedy) }
        }
        Answer::Failed(reason) => {
            let remedy =
                "run `keysweep doctor` again; if the error persists, the reason above is AWS's answer"
                    .to_owned();
            Problem { reason: Some(reason), ..mk_problem(Verdict::Failed, what, remedy) }
        }
    }
}
