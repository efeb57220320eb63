//! A random walk through the page by Bombadil, with the properties of `tests/page/walk.ts`.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::browser::driver::{Browser, chromium, packages, scripts};
use crate::browser::stage::{Door, OPERATOR, Stage};

/// How long it walks; the variable `WALK_TIME` asks for more.
const TIME: &str = "25s";

/// Starts the program for this machine.
const PROGRAM: &str = "node_modules/@antithesishq/bombadil/bin/bombadil.js";

/// Paths that a walk went through.
fn paths(trace: &str) -> BTreeSet<String> {
    let lines = trace.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let urls = lines.filter_map(|line| Some(line.pointer("/state/url")?.as_str()?.to_owned()));
    urls.map(|url| url.split('/').skip(3).collect::<Vec<_>>().join("/")).collect()
}

#[tokio::test(start_paused = true)]
async fn what_holds_on_every_page_holds_wherever_a_random_walk_leads() {
    let stage = Stage::new().await;
    let running = stage.daemon(Door::Loopback).await;
    let mut browser = Browser::as_(&running, OPERATOR).await;
    let cookie = browser.cookie("keysweep_session").await.unwrap();
    drop(browser);

    let folder = tempfile::tempdir().unwrap();
    let (spec, traces) = (folder.path().join("walk.ts"), folder.path().join("trace"));
    fs::copy(scripts().join("walk.ts"), &spec).unwrap();
    let secrets: Vec<&String> = running.secrets.iter().chain([&cookie]).collect();
    let secrets = format!("export const SECRETS: string[] = {};\n", json!(secrets));
    fs::write(folder.path().join("secrets.ts"), secrets).unwrap();

    let before = running.daemon.engine().store().last_seq();
    let time = std::env::var("WALK_TIME").unwrap_or_else(|_| TIME.to_owned());
    let mut command = Command::new("node");
    command.arg(packages().await.join(PROGRAM)).args(["browser", "test", &running.origin]).arg(&spec);
    command.args(["--headless", "--no-sandbox", "--exit-on-violation", "--time-limit", &time]);
    command.args(["--width", "1280", "--height", "1600"]);
    command.args(["--cookie", &format!("keysweep_session={cookie}")]).arg("--output-path").arg(&traces);
    command
        .env("CHROME", chromium())
        .env("NO_PROXY", "*")
        .env("RUST_LOG", "error")
        .current_dir(folder.path());
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let paths = paths(&fs::read_to_string(traces.join("trace.jsonl")).unwrap());
    assert!(paths.len() >= 4, "the walk led nowhere: {paths:?}\n{said}");
    let entries = running.daemon.engine().store().last_seq() - before;
    eprintln!(
        "{time} through {} pages, with {entries} entries in the journal; WALK_TIME=10m asks for more",
        paths.len()
    );
    running.stop().await;
}
