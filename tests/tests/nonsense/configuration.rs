//! Configuration files.

use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use keysweep::config::{Sources, load};
use proptest::prelude::*;
use proptest::sample::select;

use super::damage::{check, corpus, files_of, mk_damage};

/// Far more than any file here takes in a debug build on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);

/// Loads a file on the stack of an ordinary thread; whether it is a configuration. Every mistake has words.
fn loads(text: &[u8]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keysweep.toml");
    std::fs::write(&file, text).unwrap();
    let (tell, told) = mpsc::channel();
    let loading = thread::spawn(move || {
        let sources = Sources { file: Some(file), ..Sources::default() };
        let loaded = load(&sources, "2026-07-15T12:00:00Z".parse().unwrap());
        let problem = loaded.as_ref().err().map(ToString::to_string);
        let _ = tell.send((loaded.is_ok(), problem));
    });
    let (loaded, problem) = told.recv_timeout(LIMIT).expect("it loads or is refused in time");
    loading.join().unwrap();
    assert_ne!(problem.as_deref(), Some(""));
    loaded
}

fn shipped() -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config");
    [files_of(&root), files_of(&root.join("examples"))].concat()
}

#[test]
fn a_file_of_the_corpus_is_refused_with_words() {
    for (name, text) in corpus("configuration") {
        assert!(!loads(&text), "{name}");
    }
}

#[test]
fn a_damaged_file_is_a_configuration_or_refused() {
    check(300, &(select(shipped()), mk_damage()), |((_, text), damage)| {
        loads(&damage.done_to(&text));
    });
}

#[test]
fn a_file_that_nests_or_repeats_without_end_is_refused_in_time() {
    let many = |part: &str| part.repeat(100_000);
    for (what, text) in [
        ("arrays", format!("x = {}", many("["))),
        ("closed arrays", format!("x = {}{}", many("["), many("]"))),
        ("tables", format!("x = {}", many("{a="))),
        ("dotted keys", format!("{}a = 1", many("a."))),
        ("headers", format!("[{}a]", many("a."))),
        // Each of them is a mistake of its own.
        ("overrides", "[[policy.override]]\n".repeat(20_000)),
        ("quotes", many("\"")),
        ("the same key", many("data_dir = \"/x\"\n")),
        ("one long name", format!("data_dir = \"{}\"\nscan.interval = 7", many("x"))),
        ("one glob", format!("[[policy.override]]\nmatch = {{ users = [\"{}\"] }}\nmode = 7", many("*"))),
    ] {
        assert!(!loads(text.as_bytes()), "{what}");
    }
}

#[test]
fn bytes_that_are_no_configuration_are_refused_or_empty() {
    check(100, &prop::collection::vec(any::<u8>(), 0..500), |bytes| {
        loads(&bytes);
    });
}
