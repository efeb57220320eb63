//! The journal: what is acknowledged stays, what is damaged is named.

use crate::common::{
    copy, mk_at, mk_deactivated, mk_flagged, mk_held, mk_intent, mk_key_id, mk_noticed, mk_store, mk_story,
    open, refused, segments, state, tell,
};
use keysweep_core::lifecycle::StateName;
use keysweep_core::state::{Actor, Body};
use keysweep_core::ticket::Action;
use keysweep_store::{AppendError, JournalError, OpenOptions, Store, export, verify};

#[tokio::test]
async fn a_new_data_dir_says_so_until_something_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("var/keysweep");
    let (store, opened) = open(&data).await;
    assert!(opened.new);
    assert_eq!((opened.rebuilt, opened.torn_tail, opened.caught_up), (None, None, 0));
    assert_eq!(store.errors(), keysweep_store::ErrorCounts::default());
    store.close().await.unwrap();
    let (store, opened) = open(&data).await;
    assert!(opened.new, "nothing was written yet");
    tell(&store, mk_story()).await;
    store.close().await.unwrap();
    let (_store, opened) = open(&data).await;
    assert!(!opened.new);
}

#[tokio::test]
async fn what_is_made_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let _store = mk_store(&data).await;
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join("records")), 0o700);
    assert_eq!(mode(&data.join("lock")), 0o600);
    assert_eq!(mode(&segments(&data)[0]), 0o600);
}

#[tokio::test]
async fn a_receipt_names_the_entry_and_its_transition() {
    let dir = tempfile::tempdir().unwrap();
    let store = mk_store(dir.path()).await;
    let receipts =
        store.record(mk_at(0), &Actor::Keysweep, vec![mk_flagged(1), mk_noticed(1)]).await.unwrap();
    assert_eq!(receipts.iter().map(|r| r.seq()).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(receipts[0].transition(), Some((StateName::Active, StateName::Flagged)));
    assert_eq!(store.last_seq(), 2);
    assert_eq!(store.read(|state| state.records().count()), 1);
}

#[tokio::test]
async fn an_illegal_entry_takes_its_whole_request_with_it_and_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let store = mk_store(dir.path()).await;
    let before = std::fs::read(&segments(dir.path())[0]).unwrap();
    let error = store
        .record(mk_at(0), &Actor::Keysweep, vec![mk_flagged(1), mk_deactivated(1, 5)])
        .await
        .unwrap_err();
    assert!(matches!(error, AppendError::Illegal(_)), "{error}");
    assert_eq!(std::fs::read(&segments(dir.path())[0]).unwrap(), before);
    assert_eq!(store.read(|state| state.records().count()), 0);
    assert_eq!(store.record(mk_at(1), &Actor::Keysweep, vec![mk_flagged(1)]).await.unwrap()[0].seq(), 1);
}

#[tokio::test]
async fn everything_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let store = mk_store(dir.path()).await;
    tell(&store, mk_story()).await;
    let before = state(&store);
    store.close().await.unwrap();
    let (store, opened) = open(dir.path()).await;
    assert_eq!((opened.rebuilt, opened.caught_up), (None, 0));
    assert_eq!(state(&store), before);
    assert_eq!(store.last_seq(), mk_story().len() as u64);
}

#[tokio::test]
async fn a_journal_cut_at_any_byte_of_its_end_reopens_with_all_that_was_whole() {
    let dir = tempfile::tempdir().unwrap();
    let store = mk_store(dir.path()).await;
    tell(&store, vec![mk_flagged(1), mk_flagged(2)]).await;
    let at_two = state(&store);
    // One request of two entries: both or none.
    store.record(mk_at(2), &Actor::Keysweep, vec![mk_noticed(1), mk_held(2, "needed")]).await.unwrap();
    let at_four = state(&store);
    store.close().await.unwrap();
    let segment = segments(dir.path())[0].clone();
    let whole = std::fs::read(&segment).unwrap();
    let ends: Vec<usize> =
        whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
    let (&[_, _, two, _, four], copies) = (&ends[..], tempfile::tempdir().unwrap()) else {
        panic!("{ends:?}")
    };
    for cut in (two..=four).step_by(7).chain([two + 1, four - 1, four]) {
        let data = copies.path().join(cut.to_string());
        copy(&dir.path().join("journal"), &data.join("journal"));
        std::fs::write(&segments(&data)[0], &whole[..cut]).unwrap();
        let (store, opened) = open(&data).await;
        let expected = if cut == four { &at_four } else { &at_two };
        assert_eq!(&state(&store), expected, "cut at {cut}");
        let torn = if cut == four { 0 } else { cut - two };
        assert_eq!(opened.torn_tail, (torn > 0).then_some(torn as u64), "cut at {cut}");
        tell(&store, vec![mk_flagged(3)]).await;
        store.close().await.unwrap();
        let verified = verify(&data).unwrap();
        assert_eq!((verified.torn_bytes, verified.last_seq), (0, if cut == four { 5 } else { 3 }));
        if torn > 0 {
            let kept = std::fs::read(segments(&data)[0].with_extension("jsonl.torn")).unwrap();
            assert_eq!(kept, &whole[two..cut]);
        }
        // Many stores on a small disk.
        std::fs::remove_dir_all(&data).unwrap();
    }
}

#[tokio::test]
async fn a_flipped_byte_in_the_middle_is_refused_by_file_and_line() {
    let dir = tempfile::tempdir().unwrap();
    let store = mk_store(dir.path()).await;
    tell(&store, mk_story()).await;
    store.close().await.unwrap();
    let segment = segments(dir.path())[0].clone();
    let whole = std::fs::read_to_string(&segment).unwrap();
    std::fs::write(&segment, whole.replace("\"ci-1\"", "\"ci-9\"")).unwrap();
    let message = refused(dir.path()).await;
    assert!(message.contains("00000000000000000001.jsonl line 5: the hash chain is broken"), "{message}");
    assert!(message.contains("restore the file from a backup"), "{message}");
    assert!(matches!(verify(dir.path()), Err(JournalError::Broken { line: 5, .. })));
    // Not even JSON any more.
    std::fs::write(&segment, whole.replace("\"actor\":\"keysweep\",\"kind\":\"paused\"", "\"act")).unwrap();
    let message = refused(dir.path()).await;
    assert!(message.contains("line 3: not a journal line"), "{message}");
}

#[tokio::test]
async fn a_missing_line_and_a_missing_segment_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_small(dir.path()).await;
    tell(&store, mk_story()).await;
    store.close().await.unwrap();
    let files = segments(dir.path());
    assert!(files.len() > 2, "{files:?}");
    std::fs::rename(&files[1], files[1].with_extension("away")).unwrap();
    assert!(refused(dir.path()).await.contains("chain is broken"));
    std::fs::rename(files[1].with_extension("away"), &files[1]).unwrap();
    assert!(verify(dir.path()).is_ok());
}

#[tokio::test]
async fn a_newer_format_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    mk_store(dir.path()).await.close().await.unwrap();
    let segment = segments(dir.path())[0].clone();
    let newer = r#"{"format":"keysweep-journal","v":2,"something":"else"}"#;
    std::fs::write(&segment, format!("{newer}\n")).unwrap();
    let message = refused(dir.path()).await;
    assert!(message.contains("has journal format 2, this keysweep knows up to 1"), "{message}");
}

#[tokio::test]
async fn a_second_opener_is_told_who_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = mk_store(dir.path()).await;
    let message = refused(dir.path()).await;
    let pid = std::process::id();
    assert!(message.contains(&format!("is in use by process {pid}")), "{message}");
    store.close().await.unwrap();
    mk_store(dir.path()).await.close().await.unwrap();
}

#[tokio::test]
async fn export_tail_and_history_tell_what_was_stored() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_small(dir.path()).await;
    tell(&store, mk_story()).await;
    let tail = store.tail(3).unwrap();
    assert_eq!(tail.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [11, 12, 13]);
    assert_eq!(store.tail(100).unwrap().len(), 13);
    let history = store.history(&mk_key_id(1)).unwrap();
    assert_eq!(history.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [3, 5, 6, 8, 9, 13]);
    assert_eq!(history[2].body, Body::DueAccepted { keys: [mk_key_id(1)].into() });
    let clone = store.clone();
    store.close().await.unwrap();
    assert_eq!(clone.history(&mk_key_id(1)).unwrap(), history, "from the journal");
    assert!(matches!(
        clone.record(mk_at(0), &Actor::Keysweep, vec![mk_flagged(7)]).await,
        Err(AppendError::Closed)
    ));
    let mut out = Vec::new();
    assert_eq!(export(dir.path(), 12, &mut out).unwrap(), 2);
    let text = String::from_utf8(out).unwrap();
    assert!(text.starts_with("{\"seq\":12,\"at\":\"2023-"), "{text}");
    let stored: String = segments(dir.path()).iter().map(|f| std::fs::read_to_string(f).unwrap()).collect();
    assert!(text.lines().all(|line| stored.contains(line)));
}

#[tokio::test]
async fn the_last_segment_alone_gives_the_same_state() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_small(dir.path()).await;
    tell(&store, mk_story()).await;
    let before = state(&store);
    store.close().await.unwrap();
    let files = segments(dir.path());
    assert!(files.len() > 2, "{files:?}");
    let archive = tempfile::tempdir().unwrap();
    for file in &files[..files.len() - 1] {
        std::fs::rename(file, archive.path().join(file.file_name().unwrap())).unwrap();
    }
    let (store, opened) = open(dir.path()).await;
    assert_eq!((state(&store), opened.rebuilt), (before.clone(), None), "with the projection");
    store.close().await.unwrap();
    std::fs::remove_dir_all(dir.path().join("records")).unwrap();
    let (store, opened) = open(dir.path()).await;
    assert_eq!((state(&store), opened.rebuilt.as_deref()), (before, Some("there was none")));
    tell(&store, vec![mk_held(1, "wait")]).await;
    store.close().await.unwrap();
    let verified = verify(dir.path()).unwrap();
    assert!(verified.first_seq > 1);
    assert_eq!((verified.last_seq, verified.segments), (14, 1));
}

#[tokio::test]
async fn rebuilding_replaces_the_projection() {
    let dir = tempfile::tempdir().unwrap();
    let store = mk_store(dir.path()).await;
    tell(&store, mk_story()).await;
    let before = state(&store);
    assert!(keysweep_store::rebuild(dir.path()).unwrap_err().to_string().contains("in use"));
    store.close().await.unwrap();
    let rebuilt = keysweep_store::rebuild(dir.path()).unwrap();
    assert_eq!((rebuilt.entries, rebuilt.records), (13, 2));
    assert!(dir.path().join("records.replaced-1").exists());
    let (store, opened) = open(dir.path()).await;
    assert_eq!((state(&store), opened.rebuilt), (before, None));
    assert_eq!(store.history(&mk_key_id(1)).unwrap().len(), 6);
}

#[tokio::test]
async fn an_intent_is_proof_for_its_own_key_only_after_reopening_too() {
    let dir = tempfile::tempdir().unwrap();
    let store = mk_store(dir.path()).await;
    tell(&store, vec![mk_flagged(1)]).await;
    let receipt =
        store.record(mk_at(3), &Actor::Keysweep, vec![mk_intent(1, Action::Deactivate)]).await.unwrap();
    assert_eq!(receipt[0].seq(), 2);
    // Crash: nothing is closed. The intent is on disk all the same.
    let copied = tempfile::tempdir().unwrap();
    copy(&dir.path().join("journal"), &copied.path().join("journal"));
    let (after, _) = open(copied.path()).await;
    assert_eq!(state(&after), state(&store));
}

#[tokio::test]
async fn a_data_dir_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), b"in the way").unwrap();
    let message = refused(&dir.path().join("file/data")).await;
    assert!(message.contains("create ") && message.contains("file/data: Not a directory"), "{message}");
}

#[tokio::test]
async fn opening_without_checking_everything_still_needs_what_it_reads_to_be_whole() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_small(dir.path()).await;
    tell(&store, mk_story()).await;
    let before = state(&store);
    store.close().await.unwrap();
    let (files, options) =
        (segments(dir.path()), OpenOptions { verify_all: false, ..OpenOptions::default() });
    let damage = |file: &std::path::Path| {
        let text = std::fs::read_to_string(file).unwrap();
        std::fs::write(file, text.replacen("\"actor\":\"keysweep\"", "\"actor\":\"somebody\"", 1)).unwrap();
    };
    damage(&files[0]);
    let (store, _) = Store::open(dir.path(), options.clone()).await.unwrap();
    assert_eq!(state(&store), before);
    store.close().await.unwrap();
    assert!(verify(dir.path()).is_err());
    assert!(refused(dir.path()).await.contains("chain is broken"));
    damage(&files[files.len() - 1]);
    assert!(Store::open(dir.path(), options).await.is_err());
}

/// A store with a new segment every few entries.
async fn open_small(dir: &std::path::Path) -> Store {
    let options = OpenOptions { segment_bytes: 600, ..OpenOptions::default() };
    Store::open(dir, options).await.unwrap().0
}
