//! A journal that is cut, flipped or missing.

use std::fs;

use keysweep_store::{OpenOptions, Store};
use rustix::process::Signal;

use super::stage::{Stage, mk_stage, named_command, names};

/// Where a line of the journal begins.
fn line_start(bytes: &[u8], line: usize) -> usize {
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(ends).nth(line).unwrap()
}

/// Breaks the one segment, sees the refusal, and that neither the daemon, nor a command, nor the named repair takes
/// the journal for whole; then does what is said, and the key is known again.
async fn broken_in_the_middle(stage: &Stage, damage: impl Fn(&mut Vec<u8>)) {
    let (segment, backup) = (stage.segment(), stage.backup());
    let mut bytes = fs::read(&segment).unwrap();
    damage(&mut bytes);
    fs::write(&segment, &bytes).unwrap();

    let message = stage.refuses().await;
    names(&message, &segment);
    assert!(message.contains(" line 3: ") || message.contains(" line 4: "), "{message}");
    assert!(message.contains("restore the file from a backup"), "{message}");
    assert!(message.contains("move data_dir away"), "there is no later segment: {message}");
    for command in [&["keys", "list"][..], &["journal", "verify"], &named_command(&message)] {
        let (code, _, messages) = stage.site.run(command).await;
        assert_eq!(code, 1, "{command:?}");
        names(&messages, &segment);
    }
    assert!(!stage.data().join("records.replaced-1").exists(), "the records are still the witness");

    fs::copy(backup.path().join("journal").join(segment.file_name().unwrap()), &segment).unwrap();
    stage.repairs(&message).await;
    stage.starts().await;
    stage.knows_its_key().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_cut_in_the_middle_names_its_file_and_is_restored() {
    let stage = mk_stage("").await;
    broken_in_the_middle(&stage, |bytes| {
        let (from, to) = (line_start(bytes, 2) + 20, line_start(bytes, 3) + 20);
        bytes.drain(from..to);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bit_flipped_in_the_journal_names_its_file_and_is_restored() {
    let stage = mk_stage("").await;
    broken_in_the_middle(&stage, |bytes| {
        let at = line_start(bytes, 2) + 12;
        bytes[at] ^= 1;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_backup_a_broken_journal_is_moved_away_and_keysweep_begins_anew_and_paused() {
    let stage = mk_stage("[policy]\nmode = \"delete\"\n[notices]\nrequired = false\n").await;
    let mut bytes = fs::read(stage.segment()).unwrap();
    let at = line_start(&bytes, 2) + 12;
    bytes[at] ^= 1;
    fs::write(stage.segment(), bytes).unwrap();
    assert!(stage.refuses().await.contains("begins anew, and paused"));
    fs::rename(stage.data(), stage.site.at("data.broken")).unwrap();
    let log = stage.starts().await;
    assert!(log.contains("keysweep resume"), "{log}");
    assert!(stage.site.sim.changes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_last_line_that_nobody_was_told_of_is_cut_off() {
    let stage = mk_stage("").await;
    let mut bytes = fs::read(stage.segment()).unwrap();
    bytes.extend_from_slice(b"{\"seq\":99,\"at\":\"2026-");
    fs::write(stage.segment(), bytes).unwrap();
    let log = stage.starts().await;
    names(&log, &stage.segment());
    assert!(log.contains("cut off"), "{log}");
    assert!(stage.segment().with_extension("jsonl.torn").exists(), "and kept");
    stage.knows_its_key().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_lost_its_end_or_had_it_altered_is_refused_until_it_is_trusted() {
    let stage = mk_stage("").await;
    // What comes last is not about the key.
    stage.starts().await;
    let backup = stage.backup();
    let whole = fs::read(stage.segment()).unwrap();
    let last = line_start(&whole, whole.iter().filter(|byte| **byte == b'\n').count() - 1);
    let mut flipped = whole.clone();
    let digit = last + whole[last..].windows(7).position(|found| found == b"\"secs\":").unwrap() + 7;
    flipped[digit] ^= 1;
    let mut no_json = whole.clone();
    no_json[last] ^= 1;
    for (what, bytes, says) in [
        ("cut in its last line", whole[..whole.len() - 30].to_vec(), "the journal ends at"),
        ("cut after a line", whole[..last].to_vec(), "the journal ends at"),
        ("its last line is none", no_json, "the journal ends at"),
        ("a bit of its last line flipped", flipped, "the records know another entry"),
    ] {
        stage.put_back(backup.path());
        fs::write(stage.segment(), bytes).unwrap();
        let message = stage.refuses().await;
        assert!(message.contains(says), "{what}: {message}");
        names(&message, &stage.segment());
        stage.repairs(&message).await;
        stage.starts().await;
        stage.knows_its_key().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_journal_is_no_new_data_dir() {
    let stage = mk_stage("").await;
    let backup = stage.backup();
    fs::remove_dir_all(stage.data().join("journal")).unwrap();
    let message = stage.refuses().await;
    assert!(message.contains("the journal ends at 0"), "{message}");
    names(&message, &stage.segment());
    stage.put_back(backup.path());
    stage.starts().await;
    stage.knows_its_key().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_segment_that_another_follows_is_moved_out() {
    let stage = mk_stage("").await;
    // The program begins a segment every 64 MiB; here it is every few entries.
    let options = OpenOptions { segment_bytes: 1, ..OpenOptions::default() };
    for number in 0..6 {
        let (store, _) = Store::open(&stage.data(), options.clone()).await.unwrap();
        let paused =
            keysweep_core::state::Body::Paused { reason: format!("pause {number}{}", " and on".repeat(600)) };
        store
            .record(stage.site.sim.now(), &keysweep_core::state::Actor::local("ann"), vec![paused])
            .await
            .unwrap();
        store.close().await.unwrap();
    }
    let journal = stage.data().join("journal");
    let mut segments: Vec<_> = fs::read_dir(&journal).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.sort();
    assert!(segments.len() > 2, "{segments:?}");
    let mut bytes = fs::read(&segments[1]).unwrap();
    bytes[30] ^= 1;
    fs::write(&segments[1], bytes).unwrap();

    let message = stage.refuses().await;
    names(&message, &segments[1]);
    assert!(message.contains("move it and all segments before it out of the journal"), "{message}");
    let archive = stage.site.at("archive");
    fs::create_dir(&archive).unwrap();
    for segment in &segments[..2] {
        fs::rename(segment, archive.join(segment.file_name().unwrap())).unwrap();
    }
    stage.repairs(&message).await;
    stage.starts().await;
    let (code, data, _) = stage.site.run(&["keys", "list", "--format", "csv"]).await;
    assert!(code == 0 && data.contains(&stage.key), "{data}");
    let (code, _, messages) = stage.site.run(&["resume", "--all", "6", "--reason", "repaired"]).await;
    assert_eq!(code, 0, "the pause is in the snapshot: {messages}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_was_killed_leaves_a_data_dir_that_needs_no_repair() {
    let stage = mk_stage("").await;
    let mut daemon = stage.site.daemon();
    daemon.says("sweep finished").await;
    daemon.signal(Signal::KILL);
    daemon.ends().await;
    stage.starts().await;
    stage.knows_its_key().await;
}
