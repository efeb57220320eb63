//! `keysweep demo` as a newcomer meets it: the program, a minute, and nothing left afterwards.

use std::path::Path;

use keysweep_tests::demo::{Demo, LIMIT};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child;
use tokio::time::timeout;

/// What the closing words say.
trait Closing {
    fn number(&self, what: &str) -> u64;
    fn story(&self, title: &str) -> &str;
}

impl Closing for Demo {
    /// The number before a line of the closing words.
    fn number(&self, what: &str) -> u64 {
        let line = self.seen.iter().find(|line| line.trim_start().contains(&format!("  {what}")));
        let number = line.and_then(|line| line.split_whitespace().next()).and_then(|word| word.parse().ok());
        number.unwrap_or_else(|| panic!("no number of {what:?}:\n{}", self.seen.join("\n")))
    }

    /// The line of the closing words about a story.
    fn story(&self, title: &str) -> &str {
        let line = self.seen.iter().find(|line| line.starts_with(&format!("  {title} ")));
        line.unwrap_or_else(|| panic!("no story {title:?}:\n{}", self.seen.join("\n")))
    }
}

fn left_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

fn interrupt(process: &Child) {
    let id = process.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)).unwrap();
    kill_process(id, Signal::INT).unwrap();
}

#[tokio::test]
async fn within_a_minute_keys_are_flagged_deactivated_and_deleted_and_those_that_are_missed_are_left_alone() {
    let mut demo = Demo::start(&["--for", "60s", "--seed", "1"]).await;
    let join = demo.tells("from another terminal: ").await;
    let hint = demo.says("the evidence bundle of the first deletion").await;
    let (_, command) = hint.split_once("KEYSWEEP_CONFIG: ").unwrap();
    // As it is printed, in a terminal that has joined in.
    let typed = format!("{} && {command}", join.split_once(" && ").unwrap().0);
    let here = tempfile::tempdir().unwrap();
    let mut shell = tokio::process::Command::new("sh");
    assert!(shell.args(["-c", &typed]).current_dir(here.path()).status().await.unwrap().success());
    let page = std::fs::read_to_string(here.path().join("evidence.html")).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains("deletion"), "{page}");
    assert!(demo.ends().await.success());
    assert!(demo.number("flagged") >= 1);
    assert!(demo.number("deactivated") >= 1);
    assert!(demo.number("deleted") >= 1);
    assert_eq!(demo.number("used again in time"), 2);
    assert_eq!(demo.number("reactivated"), 1);
    assert!(demo.story("rescued").ends_with(": active"), "{}", demo.story("rescued"));
    assert!(demo.story("seen").contains("seen in CloudTrail"), "{}", demo.story("seen"));
    assert!(demo.story("quarantine").contains("from 198.51.100.23"), "{}", demo.story("quarantine"));
    assert!(demo.story("missed").contains("active, on hold until"), "{}", demo.story("missed"));
    assert!(demo.story("forgotten").contains("on day"), "{}", demo.story("forgotten"));
    assert!(demo.story("exempt").contains("left alone"), "{}", demo.story("exempt"));
    assert!(demo.story("no role").contains("failed"), "{}", demo.story("no role"));
    assert!(demo.story("suspended").contains("SUSPENDED"), "{}", demo.story("suspended"));
    assert!(!demo.seen.iter().any(|line| line.contains("the circuit breaker opened")));
    assert!(demo.seen.iter().any(|line| line.contains("Nothing is left behind")));
    assert_eq!(left_in(demo.folder.path()), Vec::<String>::new());
}

#[tokio::test]
async fn an_interrupt_ends_the_demo_cleanly_and_it_leaves_nothing_behind() {
    let mut demo = Demo::start(&[]).await;
    let metrics = demo.says("metrics: http://127.0.0.1:").await;
    assert!(metrics.ends_with("/metrics"), "{metrics}");
    demo.says("flagged: unused for").await;
    assert_eq!(left_in(demo.folder.path()).len(), 1, "its directory");
    interrupt(&demo.process);
    assert!(demo.ends().await.success());
    assert!(demo.seen.iter().any(|line| line.contains("Nothing is left behind")));
    assert_eq!(left_in(demo.folder.path()), Vec::<String>::new());
}

#[tokio::test]
async fn a_demo_whose_reader_has_gone_ends_by_itself_and_leaves_nothing_behind() {
    let mut demo = Demo::start(&[]).await;
    demo.says("metrics:").await;
    let Demo { mut process, output, folder, .. } = demo;
    drop(output);
    let status = timeout(LIMIT, process.wait()).await.expect("the demo ends").unwrap();
    assert!(status.success());
    assert_eq!(left_in(folder.path()), Vec::<String>::new());
}
