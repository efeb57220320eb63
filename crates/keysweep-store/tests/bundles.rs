//! Evidence bundles: under their name and complete, or not there.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use keysweep_core::ids::BundleId;
use keysweep_core::lifecycle::KeyEvent;
use keysweep_core::lifecycle::event::{Change, Note, Purpose};
use keysweep_core::state::{Actor, Body};
use keysweep_core::ticket::Action;
use keysweep_store::{BundleError, OpenOptions, Store, bundle_id, read_bundle, witness};

use crate::common::disk::TestDisk;
use crate::common::{mk_account, mk_at, mk_held, mk_intent, mk_key_id, mk_store, mk_story, segments, tell};

const BUNDLE: &[u8] = b"{\"bundle\":1}\n";

fn file(dir: &Path, id: &BundleId) -> std::path::PathBuf {
    dir.join("evidence").join(format!("{id}.json"))
}

#[tokio::test]
async fn a_bundle_is_named_by_its_bytes_and_private() {
    let dir = tempfile::tempdir().unwrap();
    let store = mk_store(dir.path()).await;
    let id = store.write_bundle(BUNDLE.to_vec(), 1000).await.unwrap();
    // `printf '{"bundle":1}\n' | sha256sum`
    assert_eq!(id.as_str(), "ff8c3b29b528157fc61ea64abf763d5b13412299ea02827855e07d9082f16239");
    assert_eq!(store.bundle(&id).await.unwrap().as_deref(), Some(BUNDLE));
    assert_eq!(read_bundle(dir.path(), &id).unwrap().as_deref(), Some(BUNDLE));
    assert_eq!(fs::metadata(file(dir.path(), &id)).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(dir.path().join("evidence")).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(store.write_bundle(BUNDLE.to_vec(), 1000).await.unwrap(), id, "the same twice is one file");
    assert_eq!(fs::read_dir(dir.path().join("evidence")).unwrap().count(), 1);
    assert_eq!(store.bundle(&bundle_id(b"another")).await.unwrap(), None);
}

#[tokio::test]
async fn an_altered_bundle_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let store = mk_store(dir.path()).await;
    let id = store.write_bundle(BUNDLE.to_vec(), 1000).await.unwrap();
    fs::write(file(dir.path(), &id), "{\"bundle\":2}\n").unwrap();
    let error = store.bundle(&id).await.unwrap_err();
    assert!(matches!(&error, BundleError::Altered { .. }), "{error}");
    assert!(error.to_string().contains(id.as_str()), "{error}");
    // What was asked to be written is on disk afterwards, whatever was there.
    assert_eq!(store.write_bundle(BUNDLE.to_vec(), 1000).await.unwrap(), id);
    assert_eq!(store.bundle(&id).await.unwrap().as_deref(), Some(BUNDLE));
}

#[tokio::test]
async fn all_of_them_together_have_a_limit_and_none_is_removed_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = mk_store(dir.path()).await;
    let first = store.write_bundle(BUNDLE.to_vec(), 13).await.unwrap();
    let error = store.write_bundle(b"{}\n".to_vec(), 15).await.unwrap_err();
    assert!(matches!(&error, BundleError::TooMuch { bytes: 13, most: 15, .. }), "{error}");
    assert!(store.write_bundle(b"{}\n".to_vec(), 16).await.is_ok());
    assert!(store.bundle(&first).await.unwrap().is_some());
}

#[tokio::test]
async fn only_a_line_is_a_bundle() {
    let dir = tempfile::tempdir().unwrap();
    let store = mk_store(dir.path()).await;
    for bytes in [&b""[..], b"{}", b"{}\n{}\n", b"{\n}\n"] {
        assert!(store.write_bundle(bytes.to_vec(), 1000).await.is_err(), "{bytes:?}");
    }
}

/// How a disk fails, and what makes it fail and mends it.
type Break = (&'static str, fn(&TestDisk, bool));

#[tokio::test]
async fn a_disk_that_fails_leaves_no_half_of_a_bundle() {
    let breaks: [Break; 3] = [
        ("full", |disk, on| disk.leave_room(on.then_some(5))),
        ("does not sync", TestDisk::fail_syncs),
        ("does not sync names", TestDisk::fail_dir_syncs),
    ];
    for (how, set) in breaks {
        let dir = tempfile::tempdir().unwrap();
        let disk = TestDisk::default();
        let store = Store::open(dir.path(), disk.options()).await.unwrap().0;
        set(&disk, true);
        let error = store.write_bundle(BUNDLE.to_vec(), 1000).await.unwrap_err().to_string();
        assert!(error.contains("write evidence bundle") && error.contains("/evidence/"), "{how}: {error}");
        assert_eq!(error.contains("make room"), how == "full", "{error}");
        let kept = store.bundle(&bundle_id(BUNDLE)).await.unwrap();
        assert!(kept.is_none_or(|kept| kept == BUNDLE), "{how}");
        set(&disk, false);
        let id = store.write_bundle(BUNDLE.to_vec(), 1000).await.unwrap();
        disk.lose_unsynced();
        assert_eq!(store.bundle(&id).await.unwrap().as_deref(), Some(BUNDLE), "{how}");
        assert_eq!(fs::read_dir(dir.path().join("evidence")).unwrap().count(), 1, "{how}");
    }
}

fn mk_written(n: u8, purpose: Purpose) -> Body {
    let (account, key) = (mk_account(1), mk_key_id(1));
    Body::Key {
        account,
        key,
        event: KeyEvent::Record(Note::BundleWritten { bundle: [n; 32].into(), purpose }),
    }
}

#[tokio::test]
async fn a_journal_bears_witness_wherever_its_segments_begin() {
    let dir = tempfile::tempdir().unwrap();
    let options = OpenOptions { segment_bytes: 900, ..OpenOptions::default() };
    let store = Store::open(dir.path(), options).await.unwrap().0;
    tell(&store, mk_story()).await;
    let files = segments(dir.path()).len();
    for n in 20..60 {
        let told = store.told(&mk_key_id(1)).await.unwrap();
        tell(&store, vec![mk_written(n, Purpose::Request)]).await;
        let seen = witness(dir.path(), &mk_key_id(1), &[n; 32].into(), &told.head_hash).unwrap();
        assert!(seen.follows, "{n}: {seen:?}");
        assert_eq!(
            seen.named.map(|(seq, _, purpose)| (seq, purpose)),
            Some((told.last_seq + 1, Purpose::Request))
        );
        assert_eq!((seen.intent, seen.deleted), (None, None));
        let elsewhere = witness(dir.path(), &mk_key_id(1), &[n; 32].into(), &"0".repeat(64)).unwrap();
        assert!(!elsewhere.follows && elsewhere.named.is_some(), "{elsewhere:?}");
        assert_eq!(witness(dir.path(), &mk_key_id(2), &[n; 32].into(), &told.head_hash).unwrap().named, None);
    }
    assert!(segments(dir.path()).len() > files + 2, "segments began in between");
}

#[tokio::test]
async fn what_follows_a_bundle_is_that_of_this_one() {
    let dir = tempfile::tempdir().unwrap();
    let store = mk_store(dir.path()).await;
    tell(&store, mk_story()).await;
    let seen = |n: u8| {
        let seen = witness(dir.path(), &mk_key_id(1), &[n; 32].into(), "").unwrap();
        (seen.named.is_some(), seen.intent, seen.deleted.map(|(seq, _)| seq))
    };
    tell(&store, vec![mk_written(1, Purpose::Deletion), mk_written(2, Purpose::Request)]).await;
    assert_eq!((seen(1), seen(2)), ((true, None, None), (true, None, None)));
    tell(&store, vec![mk_written(3, Purpose::Deletion), mk_intent(1, Action::Delete)]).await;
    let intent = store.last_seq();
    let deleted = KeyEvent::Change(Change::Deleted { request_id: None });
    tell(&store, vec![Body::Key { account: mk_account(1), key: mk_key_id(1), event: deleted }]).await;
    assert_eq!(seen(3), (true, Some(intent), Some(intent + 1)));
    assert_eq!(seen(1), (true, None, None), "another bundle came in between");
}

#[tokio::test]
async fn on_a_disk_that_is_kept_for_undos_no_bundle_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let disk = TestDisk::default();
    let store = Store::open(dir.path(), disk.options()).await.unwrap().0;
    tell(&store, mk_story()).await;
    disk.leave_room(Some(0));
    // What an undo needs takes the reserve.
    store.record_urgent(mk_at(1), &Actor::Keysweep, vec![mk_held(2, "urgent")]).await.unwrap();
    for asked in [store.bundle_room(1000).await, store.write_bundle(BUNDLE.to_vec(), 1000).await.map(drop)] {
        let error = asked.unwrap_err();
        assert!(matches!(&error, BundleError::Reserved { .. }), "{error}");
    }
    assert_eq!(fs::read_dir(dir.path().join("evidence")).map_or(0, Iterator::count), 0);
    disk.leave_room(None);
    store.write_bundle(BUNDLE.to_vec(), 1000).await.unwrap();
}

#[tokio::test]
async fn what_was_never_finished_is_removed_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let store = mk_store(dir.path()).await;
    let id = store.write_bundle(BUNDLE.to_vec(), 1000).await.unwrap();
    store.close().await.unwrap();
    fs::write(dir.path().join("evidence").join(format!("{}.unfinished", "0".repeat(64))), "{").unwrap();
    let store = mk_store(dir.path()).await;
    assert_eq!(fs::read_dir(dir.path().join("evidence")).unwrap().count(), 1);
    store.discard_bundle(&id).await;
    assert_eq!(store.bundle(&id).await.unwrap(), None);
}

#[tokio::test]
async fn what_the_journal_tells_of_a_key_comes_with_its_head() {
    let dir = tempfile::tempdir().unwrap();
    let store = mk_store(dir.path()).await;
    tell(&store, mk_story()).await;
    let told = store.told(&mk_key_id(1)).await.unwrap();
    assert_eq!(told.history, store.history(&mk_key_id(1)).unwrap());
    let whole = keysweep_store::verify(dir.path()).unwrap();
    assert_eq!((told.last_seq, told.head_hash), (whole.last_seq, whole.head_hash));
}
