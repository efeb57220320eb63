//! What a restored journal is, and what becomes of what was there.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use keysweep_core::state::{Actor, Body};
use keysweep_store::{Disk, bundle_id, inspect, read_bundle, verify};

use crate::backup::support::{BUNDLES, entries, made, mk_backup, mk_file, mk_store, names, opened, restored};
use crate::common::{mk_at, mk_held, mk_key_id, segments, state, tell};

#[tokio::test]
async fn a_restored_journal_is_the_one_that_was_backed_up_and_paused() {
    let dir = tempfile::tempdir().unwrap();
    let (data, file, new) =
        (dir.path().join("data"), dir.path().join("backup.jsonl"), dir.path().join("new"));
    let store = mk_store(&data).await;
    let backup = made(&data, &file, Some(store.view().unwrap()), &Disk).unwrap();
    assert_eq!(inspect(&file).unwrap(), backup);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(names(dir.path()), ["backup.jsonl", "data"]);
    let manifest = &backup.manifest;
    let whole = verify(&data).unwrap();
    assert_eq!((manifest.entries, manifest.first_seq, manifest.last_seq), (13, 1, 13));
    assert_eq!(manifest.head_hash(), whole.head_hash);

    let done = restored(&new, &file, false).unwrap();
    assert_eq!((done.records, &done.aside, done.backup.manifest.last_seq), (2, &vec![], 13));
    assert!(entries(&new).starts_with(&entries(&data)));
    assert_eq!(backup.manifest.bundles.count, 2);
    for bundle in BUNDLES {
        assert_eq!(read_bundle(&new, &bundle_id(bundle)).unwrap().as_deref(), Some(bundle));
    }
    let tail = opened(&new).await.tail(2).unwrap();
    let told = Body::Restored {
        created_at: mk_at(5000),
        version: "0.1.0".into(),
        last_seq: 13,
        sha256: backup.sha256.clone(),
    };
    assert_eq!((&tail[0].actor, tail[0].at, &tail[0].body), (&Actor::local("ann"), mk_at(9000), &told));
    assert!(
        matches!(&tail[1].body, Body::Paused { reason } if reason.contains("restored from the backup of"))
    );

    let mut expected = state(&store);
    for entry in &tail {
        expected.replay(entry).unwrap();
    }
    assert!(expected.control().paused_by_keysweep());
    assert_eq!(state(&opened(&new).await), expected);
    for segment in segments(&new) {
        assert_eq!(fs::metadata(segment).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_restored_journal_is_backed_up_and_restored_in_turn() {
    let (dir, file, _) = mk_file().await;
    let (new, again) = (dir.path().join("new"), dir.path().join("again"));
    restored(&new, &file, false).unwrap();
    let store = opened(&new).await;
    tell(&store, vec![mk_held(2, "after")]).await;
    store.close().await.unwrap();
    let second = dir.path().join("second.jsonl");
    assert_eq!(mk_backup(&new, &second).manifest.entries, 16);
    restored(&again, &second, false).unwrap();
    assert_eq!(verify(&again).unwrap().entries, 18);
    let pauses = opened(&again).await.read(|state| state.control().pauses.clone());
    assert_eq!(pauses.iter().map(|pause| pause.number).collect::<Vec<_>>(), [15, 18], "{pauses:?}");
}

#[tokio::test]
async fn a_data_dir_in_use_is_not_restored_into() {
    let (dir, file, _) = mk_file().await;
    let store = opened(&dir.path().join("data")).await;
    let before = names(&dir.path().join("data"));
    let message = restored(&dir.path().join("data"), &file, true).unwrap_err().to_string();
    assert!(message.contains("in use by process") && message.contains("stop it first"), "{message}");
    assert_eq!(names(&dir.path().join("data")), before);
    drop(store);
}

#[tokio::test]
async fn what_is_there_is_set_aside_only_by_force_and_never_deleted() {
    let (dir, file, _) = mk_file().await;
    let data = dir.path().join("data");
    let store = opened(&data).await;
    tell(&store, vec![mk_held(2, "after the backup")]).await;
    store.close().await.unwrap();
    let later = entries(&data);
    let message = restored(&data, &file, false).unwrap_err().to_string();
    assert!(message.contains("--force") && message.contains("is not empty"), "{message}");
    assert_eq!(entries(&data), later);

    let done = restored(&data, &file, true).unwrap();
    let kept: Vec<_> = done.aside.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(kept, ["records.replaced-1", "journal.replaced-1"]);
    assert_eq!(
        names(&data),
        ["evidence", "journal", "journal.replaced-1", "lock", "records.replaced-1", "reserve"],
        "and nothing else is left"
    );
    let old = tempfile::tempdir().unwrap();
    crate::common::copy(&data.join("journal.replaced-1"), &old.path().join("journal"));
    assert_eq!(entries(old.path()), later);
    let store = opened(&data).await;
    assert!(store.history(&mk_key_id(2)).unwrap().iter().all(|entry| entry.seq <= 13));
    store.close().await.unwrap();
    assert_eq!(restored(&data, &file, true).unwrap().aside[1].file_name().unwrap(), "journal.replaced-2");
}
