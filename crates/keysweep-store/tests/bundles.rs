//! Evidence bundles: under their name and complete, or not there.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use keysweep_core::ids::BundleId;
use keysweep_store::{BundleError, Store, bundle_id, read_bundle};

use crate::common::disk::TestDisk;
use crate::common::{mk_key_id, mk_store, mk_story, tell};

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
    assert!(store.write_bundle(BUNDLE.to_vec(), 0).await.is_ok(), "it is there already");
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

#[tokio::test]
async fn a_disk_that_fails_leaves_no_half_of_a_bundle() {
    let breaks: [(&str, fn(&TestDisk, bool)); 3] = [
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
