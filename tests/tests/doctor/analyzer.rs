//! Whether IAM Access Analyzer can give its opinion, where the configuration asks it.

use keysweep::doctor::{CheckName, Verdict};
use keysweep_sim::{Fault, Rule};
use keysweep_tests::company::Company;

use super::company::{examined, give_printed, mk_company, of, verdict};

const ANALYZER: &str = "arn:aws:access-analyzer:eu-west-1:100000000000:analyzer/unused";

async fn mk_asking(analyzer: &str) -> Company {
    mk_company(&format!("evidence.access_analyzer = \"{analyzer}\"\n")).await
}

#[tokio::test(start_paused = true)]
async fn nothing_is_said_of_an_analyzer_that_is_not_asked() {
    let document = examined(&mk_company("").await).await;
    assert!(document.checks.iter().all(|check| check.name != CheckName::AccessAnalyzer));
}

#[tokio::test(start_paused = true)]
async fn doctor_accepts_an_organization_analyzer() {
    let company = mk_asking(ANALYZER).await;
    company.sim.set_analyzer(ANALYZER, "ORGANIZATION_UNUSED_ACCESS", "ACTIVE");
    give_printed(&company, |_, _| {});
    let document = examined(&company).await;
    assert!(of(&document, CheckName::AccessAnalyzer).is_empty(), "{:?}", document.problems);
    assert_eq!(verdict(&document, CheckName::AccessAnalyzer), Verdict::Ok);
}

#[tokio::test(start_paused = true)]
async fn an_analyzer_that_cannot_help_is_named_with_the_reason() {
    for (kind, status, expected, what) in [
        (
            "ORGANIZATION",
            "ACTIVE",
            Verdict::Gap,
            "the analyzer has type ORGANIZATION: it has no findings about unused",
        ),
        ("ACCOUNT_UNUSED_ACCESS", "ACTIVE", Verdict::Note, "the analyzer covers only account 100000000000"),
        ("ORGANIZATION_UNUSED_ACCESS", "FAILED", Verdict::Gap, "the analyzer has status FAILED"),
    ] {
        let company = mk_asking(ANALYZER).await;
        company.sim.set_analyzer(ANALYZER, kind, status);
        let document = examined(&company).await;
        let [problem] = of(&document, CheckName::AccessAnalyzer)[..] else {
            panic!("{:?}", document.problems)
        };
        assert_eq!(problem.verdict, expected, "{kind}");
        assert!(problem.what.starts_with(what), "{}", problem.what);
    }
}

#[tokio::test(start_paused = true)]
async fn doctor_notes_an_analyzer_that_is_slower_than_the_policy() {
    let toml = format!("evidence.access_analyzer = \"{ANALYZER}\"\npolicy.unused_after = \"45d\"\n");
    let company = mk_company(&toml).await;
    company.sim.set_analyzer(ANALYZER, "ORGANIZATION_UNUSED_ACCESS", "ACTIVE");
    let document = examined(&company).await;
    let [problem] = of(&document, CheckName::AccessAnalyzer)[..] else { panic!("{:?}", document.problems) };
    assert_eq!(
        (problem.verdict, problem.what.as_str()),
        (Verdict::Note, "the analyzer finds keys unused after 90 days, and policy.unused_after is 45 days")
    );
}

#[tokio::test(start_paused = true)]
async fn doctor_reports_a_foreign_or_missing_analyzer() {
    let elsewhere = ANALYZER.replace("100000000000", "111122223333");
    let company = mk_asking(&elsewhere).await;
    let document = examined(&company).await;
    let [problem] = of(&document, CheckName::AccessAnalyzer)[..] else { panic!("{:?}", document.problems) };
    assert!(problem.what.contains("is in account 111122223333"), "{}", problem.what);
    assert_eq!(company.sim.call_count("100000000000", "access-analyzer:GetAnalyzer"), 0);

    let company = mk_asking(ANALYZER).await;
    let document = examined(&company).await;
    let problems = of(&document, CheckName::AccessAnalyzer);
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(
        problems
            .iter()
            .all(|one| one.verdict == Verdict::Gap && one.remedy.starts_with("set evidence.access_analyzer"))
    );
}

#[tokio::test(start_paused = true)]
async fn doctor_prints_the_missing_analyzer_statement() {
    let company = mk_asking(ANALYZER).await;
    company.sim.set_analyzer(ANALYZER, "ORGANIZATION_UNUSED_ACCESS", "ACTIVE");
    company.sim.fault(Rule::new(Fault::AccessDenied).action("access-analyzer:ListFindingsV2"));
    let document = examined(&company).await;
    let [problem] = of(&document, CheckName::AccessAnalyzer)[..] else { panic!("{:?}", document.problems) };
    assert_eq!(problem.actions, ["access-analyzer:ListFindings"]);
    let statement = problem.statement.as_ref().unwrap();
    assert_eq!(
        (statement.sid.as_str(), statement.command.as_str()),
        ("ReadAccessAnalyzer", "keysweep iam hub")
    );
    company.sim.clear_faults();
    company.sim.fault(Rule::new(Fault::Unavailable).action("access-analyzer:GetAnalyzer"));
    let document = examined(&company).await;
    assert_eq!(verdict(&document, CheckName::AccessAnalyzer), Verdict::Failed);
}
