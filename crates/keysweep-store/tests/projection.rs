//! The projection: lost, damaged or behind costs time; ahead of the journal is refused.

use std::path::Path;

use crate::common::{
    copy, mk_at, mk_flagged, mk_held, mk_key_id, mk_noticed, mk_store, mk_story, open, refused, state, tell,
};
use keysweep_core::state::{Actor, State};

/// A closed data_dir with a story in it, and what it told.
async fn mk_closed(dir: &Path) -> State {
    let store = mk_store(dir).await;
    tell(&store, mk_story()).await;
    let state = state(&store);
    store.close().await.unwrap();
    state
}

#[tokio::test]
async fn a_lost_projection_is_rebuilt() {
    let dir = tempfile::tempdir().unwrap();
    let before = mk_closed(dir.path()).await;
    std::fs::remove_dir_all(dir.path().join("records")).unwrap();
    let (store, opened) = open(dir.path()).await;
    assert_eq!((opened.rebuilt.as_deref(), opened.caught_up), (Some("there was none"), 13));
    assert_eq!(state(&store), before);
    assert_eq!(store.history(&mk_key_id(1)).unwrap().len(), 6);
    store.close().await.unwrap();
    let (store, opened) = open(dir.path()).await;
    assert_eq!((state(&store), opened.rebuilt, opened.caught_up), (before, None, 0));
    assert_eq!(store.history(&mk_key_id(1)).unwrap().len(), 6);
}

#[tokio::test]
async fn a_request_of_many_entries_is_stored_as_many_small_ones_are() {
    let keys = 1..=300;
    let bodies: Vec<_> = keys.clone().map(mk_flagged).chain(keys.clone().map(mk_noticed)).collect();
    let (one, many) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (at_once, by_and_by) = (mk_store(one.path()).await, mk_store(many.path()).await);
    at_once.record(mk_at(0), &Actor::Keysweep, bodies.clone()).await.unwrap();
    for bodies in bodies.chunks(7) {
        by_and_by.record(mk_at(0), &Actor::Keysweep, bodies.to_vec()).await.unwrap();
    }
    let before = state(&by_and_by);
    assert_eq!(state(&at_once), before);
    at_once.close().await.unwrap();
    let (store, opened) = open(one.path()).await;
    assert_eq!((state(&store), opened.rebuilt, opened.caught_up), (before, None, 0));
    for key in keys {
        assert_eq!(store.history(&mk_key_id(key)).unwrap().len(), 2);
    }
}

#[tokio::test]
async fn a_damaged_projection_is_set_aside_and_rebuilt() {
    let dir = tempfile::tempdir().unwrap();
    let before = mk_closed(dir.path()).await;
    let db = dir.path().join("records/db");
    let whole = std::fs::read(&db).unwrap();
    let needle = b"team-1";
    let at = whole.windows(needle.len()).position(|window| window == needle).unwrap();
    let mut flipped = whole.clone();
    flipped[at] ^= 1;
    let damages: [(&str, Vec<u8>); 4] = [
        ("cut in half", whole[..whole.len() / 2].to_vec()),
        ("overwritten", vec![0xa5; whole.len()]),
        ("all zeros", vec![0; whole.len()]),
        ("one bit flipped", flipped),
    ];
    for (index, (damage, bytes)) in damages.into_iter().enumerate() {
        let data = dir.path().join(format!("copy-{index}"));
        copy(&dir.path().join("journal"), &data.join("journal"));
        copy(&dir.path().join("records"), &data.join("records"));
        // Without its snapshot sled reads the whole file.
        for entry in std::fs::read_dir(data.join("records")).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_string_lossy().starts_with("snap.") {
                std::fs::remove_file(path).unwrap();
            }
        }
        std::fs::write(data.join("records/db"), bytes).unwrap();
        let (store, opened) = open(&data).await;
        assert_eq!(state(&store), before, "{damage}: {opened:?}");
        // Cut in half, sled may give back an earlier transaction, whole.
        assert!(opened.rebuilt.is_some() || opened.caught_up > 0, "{damage}: {opened:?}");
        store.close().await.unwrap();
        let (store, opened) = open(&data).await;
        assert_eq!((state(&store), opened.rebuilt), (before.clone(), None), "{damage}");
    }
}

#[tokio::test]
async fn a_projection_that_is_no_sled_database_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let before = mk_closed(dir.path()).await;
    std::fs::remove_file(dir.path().join("records/db")).unwrap();
    std::fs::create_dir(dir.path().join("records/db")).unwrap();
    let (store, opened) = open(dir.path()).await;
    assert!(opened.rebuilt.is_some());
    assert_eq!(state(&store), before);
    assert!(dir.path().join("records.damaged-1/db").exists());
    assert_eq!(store.errors().read, 1);
}

#[tokio::test]
async fn a_projection_that_is_behind_catches_up() {
    let dir = tempfile::tempdir().unwrap();
    mk_closed(dir.path()).await;
    let old = tempfile::tempdir().unwrap();
    copy(&dir.path().join("records"), &old.path().join("records"));
    let store = mk_store(dir.path()).await;
    tell(&store, vec![mk_flagged(3), mk_noticed(3), mk_held(1, "wait")]).await;
    let before = state(&store);
    store.close().await.unwrap();
    std::fs::remove_dir_all(dir.path().join("records")).unwrap();
    copy(&old.path().join("records"), &dir.path().join("records"));
    let (store, opened) = open(dir.path()).await;
    assert_eq!((opened.rebuilt, opened.caught_up), (None, 3));
    assert_eq!(state(&store), before);
    assert_eq!(store.history(&mk_key_id(3)).unwrap().len(), 2);
    store.close().await.unwrap();
    let (store, opened) = open(dir.path()).await;
    assert_eq!((state(&store), opened.caught_up), (before, 0));
}

#[tokio::test]
async fn a_projection_ahead_of_the_journal_is_refused_until_the_operator_rebuilds() {
    let dir = tempfile::tempdir().unwrap();
    mk_closed(dir.path()).await;
    let old = tempfile::tempdir().unwrap();
    copy(&dir.path().join("journal"), &old.path().join("journal"));
    let store = mk_store(dir.path()).await;
    tell(&store, vec![mk_flagged(3)]).await;
    store.close().await.unwrap();
    std::fs::remove_dir_all(dir.path().join("journal")).unwrap();
    copy(&old.path().join("journal"), &dir.path().join("journal"));
    let message = refused(dir.path()).await;
    assert!(message.contains("the records know entry 14, the journal ends at 13"), "{message}");
    assert!(message.contains("keysweep state rebuild"), "{message}");
    // Nor is a lost journal a new data_dir.
    std::fs::rename(dir.path().join("journal"), dir.path().join("away")).unwrap();
    assert!(refused(dir.path()).await.contains("the journal ends at 0"));
    std::fs::remove_dir_all(dir.path().join("journal")).unwrap();
    std::fs::rename(dir.path().join("away"), dir.path().join("journal")).unwrap();
    keysweep_store::rebuild(dir.path()).unwrap();
    assert_eq!(open(dir.path()).await.0.last_seq(), 13);
}

#[tokio::test]
async fn a_rewritten_last_entry_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    mk_closed(dir.path()).await;
    let segment = crate::common::segments(dir.path())[0].clone();
    let text = std::fs::read_to_string(&segment).unwrap();
    std::fs::write(&segment, text.replace("\"purpose\":\"deletion\"", "\"purpose\":\"request\"")).unwrap();
    let message = refused(dir.path()).await;
    assert!(message.contains("the records know another entry 13 than the journal"), "{message}");
}

#[tokio::test]
async fn a_left_over_of_an_interrupted_snapshot_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let before = mk_closed(dir.path()).await;
    let left_over = dir.path().join("records/snap.00000000000000AA.generating");
    std::fs::write(&left_over, b"half a snapshot").unwrap();
    let (store, opened) = open(dir.path()).await;
    assert_eq!((state(&store), opened.rebuilt), (before, None));
    assert!(!left_over.exists());
}

#[tokio::test]
async fn a_value_with_a_wrong_checksum_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let before = mk_closed(dir.path()).await;
    {
        let db = crate::common::records(dir.path());
        let records = db.open_tree("records").unwrap();
        let (key, value) = records.first().unwrap().unwrap();
        let mut value = value.to_vec();
        *value.last_mut().unwrap() ^= 1;
        records.insert(key, value).unwrap();
        db.flush().unwrap();
    }
    let (store, opened) = open(dir.path()).await;
    assert_eq!(opened.rebuilt.as_deref(), Some("value in records: checksum differs"));
    assert_eq!(state(&store), before);
}

#[tokio::test]
async fn values_of_any_size_survive_growing_and_shrinking() {
    let dir = tempfile::tempdir().unwrap();
    let store = mk_store(dir.path()).await;
    tell(&store, vec![mk_flagged(1)]).await;
    for size in [4_000, 4_200, 30_000, 9_000, 10] {
        tell(&store, vec![mk_held(1, &"x".repeat(size))]).await;
        store.clone().history(&mk_key_id(1)).unwrap();
        let before = state(&store);
        let copied = tempfile::tempdir().unwrap();
        // Only what is projected counts here: wait for it by closing a second store over a copy of the journal.
        copy(&dir.path().join("journal"), &copied.path().join("journal"));
        open(copied.path()).await.0.close().await.unwrap();
        let (again, opened) = open(copied.path()).await;
        assert_eq!((state(&again), opened.rebuilt), (before, None), "{size}");
    }
    let before = state(&store);
    let history = store.history(&mk_key_id(1)).unwrap();
    store.close().await.unwrap();
    let (store, opened) = open(dir.path()).await;
    assert_eq!((state(&store), opened.rebuilt, opened.caught_up), (before, None, 0));
    assert_eq!(store.history(&mk_key_id(1)).unwrap(), history);
    store.close().await.unwrap();
    let db = crate::common::records(dir.path());
    for name in db.tree_names() {
        let largest = db.open_tree(name).unwrap().iter().map(|pair| pair.unwrap().1.len()).max();
        assert!(largest.unwrap_or(0) <= 4096);
    }
}

#[tokio::test]
async fn a_projection_that_fails_while_running_stops_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = mk_store(dir.path()).await;
    std::fs::remove_file(dir.path().join("records/db")).unwrap();
    tell(&store, mk_story()).await;
    let (live, clone) = (state(&store), store.clone());
    assert_eq!(store.history(&mk_key_id(1)).unwrap().len(), 6, "from the journal");
    assert!(store.close().await.is_err());
    assert_eq!(clone.errors().write, 1, "it is not tried again");
    let (store, opened) = open(dir.path()).await;
    assert_eq!((state(&store), opened.rebuilt.is_some()), (live, true));
}

#[tokio::test]
async fn a_history_with_a_wrong_checksum_is_told_by_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    mk_closed(dir.path()).await;
    {
        let db = crate::common::records(dir.path());
        let history = db.open_tree("history").unwrap();
        let (key, value) = history.first().unwrap().unwrap();
        history.insert(key, &value[..value.len() - 1]).unwrap();
        db.flush().unwrap();
    }
    let store = mk_store(dir.path()).await;
    assert_eq!(store.history(&mk_key_id(1)).unwrap().len(), 6);
    assert_eq!(store.errors().read, 1);
}

#[tokio::test]
async fn a_projection_that_somebody_still_holds_is_waited_for_and_never_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let before = mk_closed(dir.path()).await;
    // As a thread of sled's does that has not been scheduled since its database was closed.
    let held = std::fs::File::open(dir.path().join("records/db")).unwrap();
    held.lock().unwrap();
    let (store, opened) = open(dir.path()).await;
    assert!(opened.rebuilt.is_some_and(|why| why.contains("locked")), "memory has to do");
    assert_eq!(state(&store), before);
    assert!(store.close().await.is_err(), "it is told that the records got nothing");
    assert!(!dir.path().join("records.damaged-1").exists());
    drop(held);
    let (store, opened) = open(dir.path()).await;
    assert_eq!((state(&store), opened.rebuilt), (before, None));
}
