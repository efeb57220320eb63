//! What `keysweep doctor` says of the tokens.

use keysweep::connect::connect;
use keysweep::doctor::{CheckName, DoctorDocument, Inputs, Verdict, examine};
use keysweep::metrics::Metrics;
use keysweep_tests::slack_stub::Trouble;

use crate::slack::stage::Stage;

async fn examined(stage: &Stage) -> DoctorDocument {
    let (config, metrics) = (stage.company.config(), Metrics::new());
    let aws = connect(&config, &stage.company.clock, metrics.clone(), stage.company.given()).await;
    let inputs = Inputs { config: &config, clock: &stage.company.clock, metrics: &metrics, only: &[] };
    examine(inputs, aws, &()).await.unwrap()
}

fn found(document: &DoctorDocument) -> (Verdict, Vec<(&str, &str)>) {
    let check = document.checks.iter().find(|check| check.name == CheckName::Slack).unwrap();
    let problems = document.problems.iter().filter(|problem| problem.check == CheckName::Slack);
    let told = problems.map(|problem| (problem.what.as_str(), problem.reason.as_deref().unwrap()));
    (check.verdict, told.collect())
}

#[tokio::test]
async fn doctor_asks_slack_about_both_tokens() {
    let mut stage = Stage::set("").await;
    assert_eq!(found(&examined(&stage).await), (Verdict::Ok, Vec::new()));
    std::fs::write(stage.files.path().join("token"), "xoxb-revoked").unwrap();
    std::fs::write(stage.files.path().join("app-token"), "xapp-revoked").unwrap();
    let document = examined(&stage).await;
    let expected = [
        ("Slack does not accept the app-level token", "slack apps.connections.open: invalid_auth"),
        ("Slack does not accept the bot token", "slack auth.test: invalid_auth"),
    ];
    assert_eq!(found(&document), (Verdict::Gap, expected.to_vec()));
    stage.reload("", "link").await;
    stage.stub.trouble(&[Trouble::Status(502)]);
    let document = examined(&stage).await;
    let (verdict, problems) = found(&document);
    assert_eq!((verdict, problems.len()), (Verdict::Failed, 1), "{problems:?}");
    assert_eq!(problems[0].0, "Slack did not say whether it accepts the bot token");
}
