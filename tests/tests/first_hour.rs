//! What somebody meets who has the program, credentials, and nothing else.

use keysweep_tests::site::{Site, finished};
use serde_json::Value;

/// The account of the hub's credentials.
const OWN: &str = "100000000000";
const PROD: &str = "111122223333";

/// The program with the environment of a shell, and no configuration file.
async fn run(site: &Site, arguments: &[&str], unset: &[&str]) -> (i32, String, String) {
    let mut command = site.bare_command(arguments);
    for variable in unset {
        command.env_remove(variable);
    }
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    command.env("KEYSWEEP__AWS__ALLOW_ENDPOINT_OVERRIDE", "true");
    finished(command).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_own_account_is_scanned_without_a_file_or_a_role() {
    let site = Site::new("").await;
    site.account(PROD);
    let (key, other) = (site.stale_key(OWN, "forgotten"), site.stale_key(PROD, "elsewhere"));
    let (code, json, messages) = run(&site, &["scan", "--here", "--format", "json"], &[]).await;
    assert_eq!(code, 0, "{messages}");
    assert!(
        messages.contains("No configuration file /etc/keysweep/keysweep.toml: using the defaults."),
        "{messages}"
    );
    let document: Value = serde_json::from_str(&json).unwrap();
    let found: Vec<&str> = document["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|row| row["access_key_id"].as_str())
        .collect();
    assert_eq!(found, [key.as_str()]);
    assert!(!json.contains(&other));
    assert!(!site.sim.calls().keys().any(|(_, action)| action == "sts:AssumeRole"), "no role");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_configuration_file_is_what_the_next_command_needs() {
    let site = Site::new("").await;
    let key = site.stale_key(OWN, "forgotten");
    let file = site.at("new.toml");
    let file = file.to_str().unwrap();
    let (code, text, messages) = run(&site, &["--config", file, "config", "init", "--here"], &[]).await;
    assert_eq!((code, messages.as_str()), (0, ""), "{text}");
    assert!(text.contains(&format!("`keysweep --config {file} scan` shows findings")), "{text}");
    let (code, table, messages) = run(&site, &["--config", file, "scan"], &[]).await;
    assert_eq!(code, 0, "{messages}");
    assert!(table.contains(&key), "{table}");
    let (code, _, messages) = run(&site, &["--config", file, "config", "init"], &[]).await;
    assert_eq!(code, 1);
    assert!(messages.contains("name a file that does not exist yet"), "{messages}");
    assert!(std::fs::read_to_string(file).unwrap().contains(OWN), "the file is left alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_credentials_it_is_said_where_they_were_looked_for() {
    let site = Site::new("").await;
    let (id, secret) = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY");
    for command in [&["scan", "--here"][..], &["scan"], &["plan"]] {
        let (code, _, messages) = run(&site, command, &[id, secret]).await;
        assert_eq!(code, 1, "{messages}");
        assert!(messages.contains("error: no AWS credentials in the environment"), "{messages}");
        assert!(!messages.contains("IMDS") && !messages.contains("caused by"), "{messages}");
        let (_, _, messages) = run(&site, command, &[secret]).await;
        assert!(messages.contains("AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not"), "{messages}");
    }
}
