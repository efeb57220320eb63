//! The API under requests that schemathesis makes from its OpenAPI document: valid ones, and ones that are not.

use std::process::Stdio;

use keysweep_tests::conformance::{ensure_venv, target_dir, tool};
use tokio::process::Command;

use crate::stage::{Door, OPERATOR, Stage};

/// Requests for each operation and phase; the variable `API_EXAMPLES` asks for more.
const EXAMPLES: &str = "15";

#[tokio::test(start_paused = true)]
async fn the_api_is_what_its_document_says() {
    let stage = Stage::new().await;
    let running = stage.daemon(Door::Closed).await;
    let venv = tokio::task::spawn_blocking(|| ensure_venv(&target_dir()?)).await.unwrap().unwrap();
    let examples = std::env::var("API_EXAMPLES").unwrap_or_else(|_| EXAMPLES.to_owned());
    let mut command = Command::new(tool(&venv, "schemathesis"));
    let folder = tempfile::tempdir().unwrap();
    command.args(["run", &format!("{}/api/v1/openapi.json", running.origin)]);
    command.args(["--header", &format!("Authorization: Bearer {OPERATOR}")]);
    command.args(["--checks", "all", "--max-examples", &examples, "--seed", "1", "--continue-on-failure"]);
    command.args(["--no-color", "--warnings", "off"]).current_dir(folder.path());
    command.env("NO_PROXY", "*").stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    println!("{examples} requests for each operation and phase; API_EXAMPLES=500 asks for more\n{said}");
    running.stop().await;
}
