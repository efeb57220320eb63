//! The directory of a company, and what becomes of it when it changes.

use std::fs;

use crate::http::stage::{Running, Stage, within_minutes};

fn put(stage: &Stage, people: &[&str]) {
    let rows: String = people.iter().map(|name| format!("{name},{name}@corp.example,true\n")).collect();
    fs::write(stage.at("people.csv.new"), format!("name,email,active\n{rows}")).unwrap();
    fs::rename(stage.at("people.csv.new"), stage.at("people.csv")).unwrap();
}

fn owners(stage: &Stage) -> String {
    format!("owners = {{ default = \"ann\", directory_file = {:?} }}\n", stage.at("people.csv"))
}

/// Whether the directory in effect lists somebody.
fn lists(running: &Running, name: &str) -> bool {
    let directory = running.daemon.engine().config().policy.owners.directory.clone().unwrap().unwrap();
    directory.find(name).is_some()
}

#[tokio::test(start_paused = true)]
async fn a_changed_directory_is_taken_up_and_nothing_else_of_the_configuration() {
    let stage = Stage::new();
    put(&stage, &["ann", "bo"]);
    let running = stage.daemon("127.0.0.1", &owners(&stage)).await;
    assert!(lists(&running, "bo@corp.example"));

    // Somebody is at work on the configuration.
    stage.configure("127.0.0.1", &format!("{}limits.surge = 1.5\n", owners(&stage)));
    put(&stage, &["ann", "cy"]);
    assert!(within_minutes(|| async { lists(&running, "cy") }).await);
    assert!(!lists(&running, "bo"));
    assert!(running.accepted());

    // What is the same again is loaded once.
    let config = running.daemon.engine().config();
    put(&stage, &["ann", "cy"]);
    assert!(
        !within_minutes(|| async { !std::sync::Arc::ptr_eq(&config, &running.daemon.engine().config()) })
            .await
    );
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_directory_that_lost_people_or_itself_is_not_taken_up() {
    let stage = Stage::new();
    let people = ["ann", "bo", "cy", "di", "ed", "fay", "gus", "hal"];
    put(&stage, &people);
    let running = stage.daemon("127.0.0.1", &owners(&stage)).await;
    let refused = async || {
        assert!(within_minutes(|| async { !running.accepted() }).await);
        assert!(people.iter().all(|name| lists(&running, name)));
        put(&stage, &people);
        assert!(within_minutes(|| async { running.accepted() }).await);
    };
    put(&stage, &["ann"]);
    refused().await;
    fs::remove_file(stage.at("people.csv")).unwrap();
    refused().await;
    fs::write(stage.at("people.csv"), "name,active\nann,true\nbo,tr").unwrap();
    refused().await;

    // Nor does a reload take it up.
    put(&stage, &["ann"]);
    running.daemon.reload();
    assert!(within_minutes(|| async { !running.accepted() }).await);
    put(&stage, &people);
    running.daemon.reload();
    assert!(within_minutes(|| async { running.accepted() }).await);
    assert!(lists(&running, "ed"));
    put(&stage, &["ann", "bo", "cy", "di"]);
    assert!(within_minutes(|| async { !lists(&running, "ed") }).await, "who left one after the other");
    running.stop().await;
}
