//! How a backup is made.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use keysweep_core::state::Actor;
use keysweep_store::{BackupError, Disk, NewBackup, OpenOptions, Store, back_up, verify};

use crate::backup::support::{BUNDLES, entries, made, mk_backup, mk_file, mk_store, names, restored};
use crate::common::{mk_at, mk_flagged, mk_held, segments, tell};

#[tokio::test]
async fn what_a_crash_tore_is_in_no_backup() {
    let (dir, _, whole) = mk_file().await;
    let data = dir.path().join("data");
    let segment = segments(&data).pop().unwrap();
    let torn = [fs::read(&segment).unwrap(), b"{\"seq\":14,\"at\":\"2026-".to_vec()].concat();
    fs::write(&segment, &torn).unwrap();
    let file = dir.path().join("second.jsonl");
    mk_backup(&data, &file);
    assert_eq!(fs::read(&file).unwrap(), whole);
    assert_eq!(fs::read(&segment).unwrap(), torn, "a backup changes nothing");
}

#[tokio::test]
async fn a_backup_is_broken_off_wherever_it_is_and_leaves_nothing() {
    let (dir, _, _) = mk_file().await;
    let (data, file) = (dir.path().join("data"), dir.path().join("second.jsonl"));
    let mut asked = 0;
    loop {
        let left = AtomicUsize::new(asked);
        let new = NewBackup {
            data_dir: &data,
            view: None,
            file: &file,
            writer: "unfinished",
            created_at: mk_at(5000),
            version: "0.1.0",
            stop: &|| left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_err(),
            files: &Disk,
        };
        match back_up(&new) {
            Ok(_) => break,
            Err(BackupError::Stopped) => assert_eq!(names(dir.path()), ["backup.jsonl", "data"]),
            Err(error) => panic!("{error}"),
        }
        asked += 1;
    }
    assert!(asked > 20, "while it is written, hashed and gone through");
}

#[tokio::test]
async fn a_damaged_evidence_bundle_is_left_out_and_stops_no_backup() {
    let (dir, _, _) = mk_file().await;
    let data = dir.path().join("data");
    let bundle = data.join("evidence").join(format!("{}.json", keysweep_store::bundle_id(BUNDLES[0])));
    fs::write(&bundle, "{\"bundle\":3}\n").unwrap();
    let file = dir.path().join("second.jsonl");
    assert_eq!(made(&data, &file, None, &Disk).unwrap().manifest.bundles.count, 1);
    let new = dir.path().join("new");
    restored(&new, &file, false).unwrap();
    assert_eq!(names(&new.join("evidence")), [format!("{}.json", keysweep_store::bundle_id(BUNDLES[1]))]);
}

#[tokio::test]
async fn nothing_is_overwritten() {
    let (dir, file, bytes) = mk_file().await;
    let message = made(&dir.path().join("data"), &file, None, &Disk).unwrap_err().to_string();
    assert!(message.contains("is not overwritten"), "{message}");
    assert_eq!(fs::read(&file).unwrap(), bytes);
}

#[tokio::test]
async fn a_last_line_that_was_altered_under_a_daemon_is_noticed_by_its_backup() {
    let dir = tempfile::tempdir().unwrap();
    let store = mk_store(dir.path()).await;
    let segment = segments(dir.path()).pop().unwrap();
    let text = fs::read_to_string(&segment).unwrap();
    fs::write(&segment, text.replace("\"purpose\":\"deletion\"", "\"purpose\":\"Deletion\"")).unwrap();
    verify(dir.path()).expect("no hash follows it");
    let file = dir.path().join("backup.jsonl");
    let view = Some(store.view().unwrap());
    made(dir.path(), &file, view, &Disk).map(|_| ()).expect_err("it is not what was written");
    assert!(!file.exists());
    assert_eq!(names(dir.path()), ["evidence", "journal", "lock", "records", "reserve"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_beside_a_store_that_is_written_is_its_journal_at_one_moment() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let options = OpenOptions { segment_bytes: 4000, ..OpenOptions::default() };
    let store = Store::open(&data, options).await.unwrap().0;
    tell(&store, vec![mk_flagged(1)]).await;
    let writing = {
        let store = store.clone();
        let mut set = tokio::task::JoinSet::new();
        set.spawn(async move {
            for number in 0..400 {
                // Two in one request, which is in a backup as a whole or not at all.
                let bodies = vec![mk_held(1, &format!("reason {number}")), mk_flagged(1000 + number)];
                store.record(mk_at(10), &Actor::Keysweep, bodies).await.unwrap();
            }
        });
        set
    };
    let mut seen = Vec::new();
    for number in 0..8 {
        let (store, data, file) = (store.clone(), data.clone(), dir.path().join(format!("{number}.jsonl")));
        // Every other one is made without asking who writes.
        let backup = tokio::task::spawn_blocking(move || {
            let view = (number % 2 == 0).then(|| store.view().unwrap());
            made(&data, &file, view, &Disk).unwrap()
        });
        let backup = backup.await.unwrap();
        assert_eq!(backup.manifest.entries, backup.manifest.last_seq);
        assert_eq!(backup.manifest.entries % 2, 1, "no half of a request");
        seen.push(backup.manifest.last_seq);
    }
    writing.join_all().await;
    assert!(seen.is_sorted());
    let whole = entries(&data);
    for (number, last_seq) in seen.into_iter().enumerate() {
        let new = dir.path().join(format!("new-{number}"));
        restored(&new, &dir.path().join(format!("{number}.jsonl")), false).unwrap();
        let lines = entries(&new);
        let lines: Vec<_> = lines.split_inclusive(|byte| *byte == b'\n').collect();
        let of_backup = lines[..usize::try_from(last_seq).unwrap()].concat();
        assert!(whole.starts_with(&of_backup));
    }
}
