//! Commands that open data_dir themselves, where no daemon runs.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::cli_support::{Ran, keysweep, mk_config};

const KEY: &str = "AKIAIOSFODNN7EXAMPLE";

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    /// An empty data_dir and its configuration.
    fn mk() -> Self {
        let dir = tempfile::tempdir().unwrap();
        mk_config(dir.path());
        let place = Self { dir };
        std::fs::create_dir(place.data()).unwrap();
        std::fs::set_permissions(place.data(), PermissionsExt::from_mode(0o700)).unwrap();
        place
    }

    fn data(&self) -> std::path::PathBuf {
        self.dir.path().join("data")
    }

    fn run(&self, args: &[&str]) -> Ran {
        let config = self.dir.path().join("keysweep.toml");
        keysweep(&[args, &["--config", config.to_str().unwrap()]].concat())
    }
}

fn segment(data: &Path) -> std::path::PathBuf {
    let mut files: Vec<_> =
        std::fs::read_dir(data.join("journal")).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    files.pop().unwrap()
}

#[test]
fn a_pause_stands_in_the_journal_under_the_name_of_who_typed_it() {
    let place = Place::mk();
    let paused = place.run(&["pause", "--reason", "incident 42"]);
    assert_eq!(paused.code, 0, "{}", paused.stderr);
    assert!(paused.stderr.starts_with("paused: "), "{}", paused.stderr);
    assert_eq!(paused.stdout, "");
    let tail = place.run(&["journal", "tail", "-n", "1", "--format", "jsonl"]);
    let entry: serde_json::Value = serde_json::from_str(tail.stdout.trim()).unwrap();
    assert_eq!(entry["kind"], "paused");
    assert_eq!(entry["actor"], serde_json::to_value(keysweep::socket::own_actor()).unwrap());
    assert_eq!(entry["reason"], "incident 42");
    let table = place.run(&["journal", "tail", "-n", "1"]);
    assert!(
        table.stdout.contains("paused") && table.stdout.contains("reason=\"incident 42\""),
        "{}",
        table.stdout
    );
}

#[test]
fn of_a_key_that_is_in_no_record_nothing_is_known() {
    let place = Place::mk();
    for args in [
        &["keys", "show", KEY][..],
        &["keys", "release", KEY, "--reason", "x"],
        &["exemptions", "add", KEY, "--until", "90d", "--reason", "x"],
    ] {
        let ran = place.run(args);
        assert_eq!(ran.code, 1);
        assert!(ran.stderr.starts_with(&format!("error: unknown key {KEY}")), "{}", ran.stderr);
    }
}

#[test]
fn what_the_state_does_not_allow_ends_with_one() {
    let place = Place::mk();
    for args in [
        &["resume", "--reason", "x"][..],
        &["breaker", "reset", "--confirm", "0-e3b0c442", "--reason", "x"],
        &["accounts", "unpark", "111122223333", "--reason", "x"],
        &["exemptions", "end", "7", "--reason", "x"],
    ] {
        let ran = place.run(args);
        assert_eq!(ran.code, 1, "{args:?}");
        assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
    }
}

#[test]
fn looking_at_the_breaker_is_no_failed_reset() {
    let ran = Place::mk().run(&["breaker", "show"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "the circuit breaker is closed\n"), "{}", ran.stderr);
}

#[test]
fn a_pause_names_the_command_that_ends_it() {
    let place = Place::mk();
    let paused = place.run(&["pause", "--reason", "incident 42"]);
    let (_, command) = paused.stderr.split_once("`keysweep resume ").unwrap();
    let (number, _) = command.split_once(' ').unwrap();
    place.run(&["pause", "--reason", "incident 43"]);
    let several = place.run(&["resume", "--reason", "over"]);
    assert_eq!(several.code, 1);
    assert!(
        several.stderr.contains("incident 42") && several.stderr.contains("incident 43"),
        "{}",
        several.stderr
    );
    let ended = place.run(&["resume", number, "--reason", "over"]);
    assert!(ended.code == 0 && ended.stderr.contains("still paused"), "{}", ended.stderr);
    let ended = place.run(&["resume", "--all", "1", "--reason", "over"]);
    assert!(ended.code == 0 && ended.stderr.contains("incident 43"), "{}", ended.stderr);
}

#[test]
fn empty_lists_are_documents_too() {
    let place = Place::mk();
    let json = place.run(&["keys", "list", "--format", "json"]);
    let document: keysweep_api::KeysDocument = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(document.keys, []);
    let csv = place.run(&["keys", "list", "--format", "csv"]);
    assert!(csv.stdout.starts_with("account_id,account_name,user_name,"), "{}", csv.stdout);
    assert_eq!(place.run(&["keys", "list", "--format", "jsonl"]).stdout, "");
    let table = place.run(&["keys", "list"]);
    assert_eq!((table.code, table.stdout.as_str(), table.stderr.as_str()), (0, "", "no records\n"));
}

#[test]
fn which_way_was_taken_is_said_to_those_who_ask() {
    let place = Place::mk();
    let asked = place.run(&["keys", "list", "--verbose"]);
    assert!(asked.stderr.contains("no daemon runs: opening "), "{}", asked.stderr);
}

#[test]
fn a_journal_is_exported_checked_and_its_records_rebuilt() {
    let place = Place::mk();
    assert_eq!(place.run(&["pause", "--reason", "first"]).code, 0);
    assert_eq!(place.run(&["resume", "--reason", "second"]).code, 0);
    let export = place.run(&["journal", "export", "--from", "2"]);
    let kinds: Vec<_> = export
        .stdout
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["kind"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(kinds, ["paused", "started", "resumed"]);
    let rebuilt = place.run(&["state", "rebuild"]);
    assert_eq!(rebuilt.stderr, "rebuilt 0 records from 4 entries of the journal\n");
    let verified = place.run(&["journal", "verify"]);
    assert_eq!(verified.code, 0);
    assert!(
        verified.stdout.starts_with("the journal is intact: 4 entries (1 to 4) in 1 segment\n"),
        "{}",
        verified.stdout
    );
}

#[test]
fn a_journal_that_was_altered_ends_with_one_and_names_the_line() {
    let place = Place::mk();
    assert_eq!(place.run(&["pause", "--reason", "incident"]).code, 0);
    assert_eq!(place.run(&["resume", "--reason", "over"]).code, 0);
    let segment = segment(&place.data());
    let text = std::fs::read_to_string(&segment).unwrap();
    std::fs::write(&segment, text.replace("incident", "accident")).unwrap();
    let verified = place.run(&["journal", "verify"]);
    assert_eq!(verified.code, 1);
    assert!(verified.stderr.contains("the hash chain is broken"), "{}", verified.stderr);
}

#[test]
fn records_are_not_rebuilt_beside_a_daemon() {
    let place = Place::mk();
    let lock = std::fs::File::create(place.data().join("lock")).unwrap();
    lock.lock().unwrap();
    let ran = place.run(&["state", "rebuild"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("is in use by"), "{}", ran.stderr);
}
