//! The API under requests that schemathesis makes from its OpenAPI document: valid ones, and ones that are not.

use std::process::Stdio;

use keysweep_tests::conformance::{ensure_venv, target_dir, tool};
use tokio::process::Command;

use crate::browser::stage::{Door, OPERATOR, Stage};

/// Random requests for each operation; the variable `API_EXAMPLES` asks for more.
const EXAMPLES: &str = "15";

#[tokio::test(start_paused = true)]
async fn the_api_is_what_its_document_says() {
    let stage = Stage::new().await;
    let running = stage.daemon(Door::Closed).await;
    let examples = std::env::var("API_EXAMPLES").unwrap_or_else(|_| EXAMPLES.to_owned());
    eprintln!("{examples} random requests for each operation; API_EXAMPLES=500 asks for more");
    // Each bound of each field in turn.
    judge(&running.origin, &["--phases", "examples,coverage", "--checks", "all"]).await;
    // No schema can say that a deletion repeats the key of the path, or which cursors there are.
    let random = ["--phases", "fuzzing", "--checks", "all", "--exclude-checks", "positive_data_acceptance"];
    judge(&running.origin, &[random.as_slice(), &["--max-examples", &examples]].concat()).await;
    running.stop().await;
}

/// Has schemathesis ask with an operator's token, and find nothing.
async fn judge(origin: &str, arguments: &[&str]) {
    let venv = tokio::task::spawn_blocking(|| ensure_venv(&target_dir()?)).await.unwrap().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(tool(&venv, "schemathesis"));
    command.args(["run", &format!("{origin}/api/v1/openapi.json")]).args(arguments);
    command.args(["--header", &format!("Authorization: Bearer {OPERATOR}"), "--seed", "1"]);
    command.args(["--continue-on-failure", "--no-color", "--warnings", "off"]).current_dir(folder.path());
    command.env("NO_PROXY", "*").stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
