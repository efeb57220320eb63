//! Full disks, failed syncs, lost writes, callers that go away.

use std::time::Duration;

use crate::common::disk::TestDisk;
use crate::common::{
    mk_at, mk_flagged, mk_held, mk_intent, mk_key_id, mk_noticed, mk_story, open, segments, state, tell,
};
use keysweep_core::lifecycle::event::Change;
use keysweep_core::state::Actor;
use keysweep_core::ticket::Action;
use keysweep_store::{AppendError, OpenOptions, Store, verify};

#[tokio::test]
async fn a_disk_that_fills_up_within_a_line_loses_nothing_and_recovers() {
    let dir = tempfile::tempdir().unwrap();
    let disk = TestDisk::default();
    let store = Store::open(dir.path(), disk.options()).await.unwrap().0;
    tell(&store, vec![mk_flagged(1)]).await;
    let before = state(&store);
    let bytes = std::fs::read(&segments(dir.path())[0]).unwrap();
    for room in [0, 1, 40, 300, 500] {
        disk.leave_room(Some(room));
        let two = vec![mk_noticed(1), mk_held(1, "wait")];
        let error = store.record(mk_at(1), &Actor::Keysweep, two).await.unwrap_err();
        assert!(matches!(error, AppendError::Io { .. }), "room for {room}: {error}");
        assert_eq!(state(&store), before, "room for {room}");
        assert_eq!(std::fs::read(&segments(dir.path())[0]).unwrap(), bytes, "room for {room}");
    }
    disk.leave_room(None);
    assert_eq!(store.record(mk_at(2), &Actor::Keysweep, vec![mk_noticed(1)]).await.unwrap()[0].seq(), 2);
    let after = state(&store);
    store.close().await.unwrap();
    assert_eq!(verify(dir.path()).unwrap().entries, 2);
    assert_eq!(state(&open(dir.path()).await.0), after);
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_taken_until_reopened() {
    let dir = tempfile::tempdir().unwrap();
    let disk = TestDisk::default();
    let store = Store::open(dir.path(), disk.options()).await.unwrap().0;
    tell(&store, vec![mk_flagged(1)]).await;
    let before = state(&store);
    disk.fail_syncs(true);
    let error = store.record(mk_at(1), &Actor::Keysweep, vec![mk_noticed(1)]).await.unwrap_err();
    assert!(matches!(error, AppendError::Io { .. }), "{error}");
    disk.fail_syncs(false);
    let error = store.record(mk_at(1), &Actor::Keysweep, vec![mk_noticed(1)]).await.unwrap_err().to_string();
    assert!(
        error.starts_with("the journal takes no entries until keysweep is restarted, since a sync of"),
        "{error}"
    );
    assert_eq!(state(&store), before);
    store.close().await.unwrap();
    let (store, _) = open(dir.path()).await;
    assert_eq!(state(&store), before);
    tell(&store, vec![mk_noticed(1)]).await;
}

#[tokio::test]
async fn a_failed_write_that_cannot_be_cut_off_poisons_and_is_torn_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let disk = TestDisk::default();
    let store = Store::open(dir.path(), disk.options()).await.unwrap().0;
    tell(&store, vec![mk_flagged(1)]).await;
    let before = state(&store);
    disk.leave_room(Some(100));
    disk.fail_truncates(true);
    store.record(mk_at(1), &Actor::Keysweep, vec![mk_noticed(1)]).await.unwrap_err();
    disk.leave_room(None);
    let error = store.record(mk_at(1), &Actor::Keysweep, vec![mk_noticed(1)]).await.unwrap_err();
    assert!(matches!(error, AppendError::Poisoned { .. }), "{error}");
    store.close().await.unwrap();
    let (store, opened) = open(dir.path()).await;
    assert_eq!((opened.torn_tail, state(&store)), (Some(100), before));
}

/// A data_dir with a deactivated key, on this disk.
async fn mk_deactivated(dir: &std::path::Path, disk: &TestDisk) -> Store {
    let store = Store::open(dir, disk.options()).await.unwrap().0;
    tell(&store, vec![mk_flagged(1), mk_intent(1, Action::Deactivate), crate::common::mk_deactivated(1, 3)])
        .await;
    store
}

async fn undo(store: &Store) -> Result<(), AppendError> {
    let undone = crate::common::mk_event(
        1,
        keysweep_core::lifecycle::KeyEvent::Change(Change::Undone {
            request_id: None,
            hold_until: mk_at(9_000_000),
        }),
    );
    store.record_urgent(mk_at(4), &Actor::local("ann"), vec![mk_intent(1, Action::Reactivate)]).await?;
    store.record_urgent(mk_at(5), &Actor::Keysweep, vec![undone]).await.map(drop)
}

#[tokio::test]
async fn an_undo_is_recorded_on_a_full_disk() {
    let dir = tempfile::tempdir().unwrap();
    let disk = TestDisk::default();
    let store = mk_deactivated(dir.path(), &disk).await;
    let reserve = dir.path().join("reserve");
    assert!(std::fs::metadata(&reserve).unwrap().len() >= 1024 * 1024);
    disk.leave_room(Some(10));
    store.record(mk_at(4), &Actor::Keysweep, vec![mk_held(1, "wait")]).await.unwrap_err();
    assert!(reserve.exists(), "only an undo uses it");
    undo(&store).await.unwrap();
    assert!(!reserve.exists());
    let error = store.record(mk_at(6), &Actor::Keysweep, vec![mk_flagged(2)]).await.unwrap_err();
    assert!(error.to_string().contains("make room"), "nothing else uses up what was released: {error}");
    disk.leave_room(None);
    tell(&store, vec![mk_flagged(2)]).await;
    assert!(reserve.exists(), "with room it is there again");
    let before = state(&store);
    store.close().await.unwrap();
    assert_eq!(verify(dir.path()).unwrap().entries, 6);
    assert_eq!(state(&open(dir.path()).await.0), before);
}

#[tokio::test]
async fn a_reserve_with_holes_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let reserve = dir.path().join("reserve");
    std::fs::File::create(&reserve).unwrap().set_len(1024 * 1024).unwrap();
    let store = open(dir.path()).await.0;
    store.close().await.unwrap();
    let content = std::fs::read(&reserve).unwrap();
    assert!(content.len() == 1024 * 1024 && content.iter().any(|byte| *byte != 0));
}

#[tokio::test]
async fn an_undo_is_recorded_after_a_failed_sync() {
    let dir = tempfile::tempdir().unwrap();
    let disk = TestDisk::default();
    let store = mk_deactivated(dir.path(), &disk).await;
    disk.fail_syncs(true);
    store.record(mk_at(4), &Actor::Keysweep, vec![mk_held(1, "wait")]).await.unwrap_err();
    undo(&store).await.unwrap_err();
    disk.fail_syncs(false);
    undo(&store).await.unwrap();
    let error = store.record(mk_at(6), &Actor::Keysweep, vec![mk_flagged(2)]).await.unwrap_err();
    assert!(matches!(error, AppendError::Poisoned { .. }), "poisoned for all others: {error}");
    let before = state(&store);
    store.close().await.unwrap();
    assert_eq!(verify(dir.path()).unwrap().entries, 5);
    assert_eq!(state(&open(dir.path()).await.0), before);
}

#[tokio::test]
async fn an_undo_is_recorded_where_a_torn_write_stayed() {
    let dir = tempfile::tempdir().unwrap();
    let disk = TestDisk::default();
    let store = mk_deactivated(dir.path(), &disk).await;
    disk.leave_room(Some(100));
    disk.fail_truncates(true);
    store.record(mk_at(4), &Actor::Keysweep, vec![mk_held(1, "wait")]).await.unwrap_err();
    undo(&store).await.unwrap_err();
    disk.fail_truncates(false);
    // Still full.
    undo(&store).await.unwrap();
    let before = state(&store);
    store.close().await.unwrap();
    assert_eq!(verify(dir.path()).unwrap().entries, 5);
    let (store, opened) = open(dir.path()).await;
    assert_eq!((opened.torn_tail, state(&store)), (None, before));
}

#[tokio::test]
async fn an_undo_is_recorded_in_a_segment_half_begun() {
    let dir = tempfile::tempdir().unwrap();
    let disk = TestDisk::default();
    let store = mk_deactivated(dir.path(), &disk).await;
    store.close().await.unwrap();
    let options = OpenOptions { segment_bytes: 1, ..disk.options() };
    let store = Store::open(dir.path(), options).await.unwrap().0;
    disk.fail_dir_syncs(true);
    store.record(mk_at(4), &Actor::Keysweep, vec![mk_held(1, "wait")]).await.unwrap_err();
    undo(&store).await.unwrap_err();
    disk.fail_dir_syncs(false);
    undo(&store).await.unwrap();
    assert_eq!(segments(dir.path()).len(), 2);
    let before = state(&store);
    store.close().await.unwrap();
    assert_eq!(verify(dir.path()).unwrap().entries, 5);
    assert_eq!(state(&open(dir.path()).await.0), before);
}

#[tokio::test]
async fn an_altered_journal_is_not_repaired_for_an_undo() {
    let dir = tempfile::tempdir().unwrap();
    let disk = TestDisk::default();
    let store = mk_deactivated(dir.path(), &disk).await;
    disk.fail_syncs(true);
    store.record(mk_at(4), &Actor::Keysweep, vec![mk_held(1, "wait")]).await.unwrap_err();
    disk.fail_syncs(false);
    let mut bytes = std::fs::read(&segments(dir.path())[0]).unwrap();
    let at = bytes.len() - 40;
    bytes[at] ^= 1;
    std::fs::write(&segments(dir.path())[0], &bytes).unwrap();
    undo(&store).await.unwrap_err();
    assert_eq!(std::fs::read(&segments(dir.path())[0]).unwrap(), bytes);
}

#[tokio::test]
async fn what_was_acknowledged_survives_the_loss_of_every_unsynced_byte() {
    let dir = tempfile::tempdir().unwrap();
    let disk = TestDisk::default();
    let options = OpenOptions { segment_bytes: 900, ..disk.options() };
    let store = Store::open(dir.path(), options).await.unwrap().0;
    for body in mk_story() {
        let at = mk_at(i64::try_from(store.last_seq()).unwrap());
        store.record(at, &Actor::Keysweep, vec![body]).await.unwrap();
        let lost = tempfile::tempdir().unwrap();
        disk.lose_unsynced();
        crate::common::copy(&dir.path().join("journal"), &lost.path().join("journal"));
        let (after, opened) = open(lost.path()).await;
        assert_eq!((state(&after), opened.torn_tail), (state(&store), None));
    }
    assert!(segments(dir.path()).len() > 1);
}

#[tokio::test]
async fn a_new_segment_that_does_not_fit_only_lets_the_present_one_grow() {
    let dir = tempfile::tempdir().unwrap();
    let disk = TestDisk::default();
    let options = OpenOptions { segment_bytes: 600, ..disk.options() };
    let store = Store::open(dir.path(), options).await.unwrap().0;
    tell(&store, vec![mk_flagged(1), mk_flagged(2)]).await;
    // Enough for an entry, not for a snapshot.
    disk.leave_room(Some(700));
    let error = store.record(mk_at(3), &Actor::Keysweep, vec![mk_noticed(1)]).await;
    assert!(error.is_err(), "this disk gives nothing back for the removed segment");
    disk.leave_room(None);
    tell(&store, vec![mk_noticed(1), mk_noticed(2), mk_held(1, "wait"), mk_held(2, "wait")]).await;
    let before = state(&store);
    store.close().await.unwrap();
    assert!(
        !std::fs::read_dir(dir.path().join("journal"))
            .unwrap()
            .any(|entry| { entry.unwrap().path().extension().is_some_and(|extension| extension == "new") })
    );
    assert_eq!(verify(dir.path()).unwrap().entries, 6);
    assert_eq!(state(&open(dir.path()).await.0), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_appends_share_few_syncs() {
    let dir = tempfile::tempdir().unwrap();
    let disk = TestDisk::default();
    let store = Store::open(dir.path(), disk.options()).await.unwrap().0;
    let before = disk.syncs();
    let appends = (1..=400).map(|key| {
        let store = store.clone();
        async move { store.record(mk_at(0), &Actor::Keysweep, vec![mk_flagged(key), mk_noticed(key)]).await }
    });
    let mut tasks: tokio::task::JoinSet<_> = appends.collect();
    let mut seqs = Vec::new();
    while let Some(receipts) = tasks.join_next().await {
        seqs.extend(receipts.unwrap().unwrap().iter().map(|receipt| receipt.seq()));
    }
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=800).collect::<Vec<u64>>());
    let syncs = disk.syncs() - before;
    assert!(syncs < 200, "{syncs} syncs for 400 appends");
    assert_eq!(store.read(|state| state.records().count()), 400);
    let before = state(&store);
    store.close().await.unwrap();
    let (store, opened) = open(dir.path()).await;
    assert_eq!((opened.rebuilt, opened.caught_up), (None, 0), "close drained the projection");
    assert_eq!(state(&store), before);
    assert_eq!(store.history(&mk_key_id(400)).unwrap().len(), 2);
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_the_store_whole() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await.0;
    for key in 1..=20 {
        let append = store.record(mk_at(0), &Actor::Keysweep, vec![mk_flagged(key)]);
        let mut append = std::pin::pin!(append);
        // Asked for and not waited for.
        std::future::poll_fn(|context| {
            _ = append.as_mut().poll(context);
            std::task::Poll::Ready(())
        })
        .await;
    }
    let receipts = store.record(mk_at(1), &Actor::Keysweep, vec![mk_flagged(21)]).await.unwrap();
    assert_eq!(receipts[0].seq(), 21);
    assert_eq!(store.read(|state| state.records().count()), 21);
    store.close().await.unwrap();
    assert_eq!(verify(dir.path()).unwrap().entries, 21);
}

#[test]
fn a_runtime_that_ends_in_the_middle_neither_hangs_nor_harms() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..5 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = open(dir.path()).await.0;
            for key in 0..10 {
                let key = 1 + round * 10 + key;
                let append = store.record(mk_at(0), &Actor::Keysweep, vec![mk_flagged(key)]);
                _ = tokio::time::timeout(Duration::ZERO, append).await;
            }
        });
    }
    let verified = verify(dir.path()).unwrap();
    assert_eq!(verified.torn_bytes, 0);
}

#[tokio::test(start_paused = true)]
async fn paused_time_waits_for_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await.0;
    for key in 1..=20 {
        let append = store.record(mk_at(0), &Actor::Keysweep, vec![mk_flagged(key)]);
        tokio::time::timeout(Duration::from_secs(1), append).await.unwrap().unwrap();
    }
    tokio::time::timeout(Duration::from_secs(1), store.close()).await.unwrap().unwrap();
}
