//! Stores, backups of them, and the way back.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use keysweep_core::state::Actor;
use keysweep_store::{
    Backup, BackupError, Disk, Files, JournalView, NewBackup, OpenOptions, Restoration, RestoreError,
    Restored, Store, back_up, export, restore,
};
use sha2::{Digest, Sha256};

use crate::common::{mk_at, mk_story, segments, tell};

/// Evidence bundles, as far as a store knows: lines. In the order of their hashes.
pub(crate) const BUNDLES: [&[u8]; 2] = [b"{\"bundle\":2}\n", b"{\"bundle\":1}\n"];

/// A store with a life of two keys in several segments, and two bundles.
pub(crate) async fn mk_store(dir: &Path) -> Store {
    let options = OpenOptions { segment_bytes: 900, ..OpenOptions::default() };
    let store = Store::open(dir, options).await.unwrap().0;
    tell(&store, mk_story()).await;
    for bundle in BUNDLES {
        store.write_bundle(bundle.to_vec(), u64::MAX).await.unwrap();
    }
    assert!(segments(dir).len() > 2);
    store
}

pub(crate) fn made(
    data_dir: &Path,
    file: &Path,
    view: Option<JournalView>,
    files: &dyn Files,
) -> Result<Backup, BackupError> {
    back_up(&NewBackup {
        data_dir,
        view,
        file,
        writer: "unfinished",
        created_at: mk_at(5000),
        version: "0.1.0",
        stop: &|| false,
        files,
    })
}

pub(crate) fn mk_backup(data_dir: &Path, file: &Path) -> Backup {
    made(data_dir, file, None, &Disk).unwrap()
}

/// A backup in a folder of its own, and its bytes.
pub(crate) async fn mk_file() -> (tempfile::TempDir, PathBuf, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    mk_store(&dir.path().join("data")).await.close().await.unwrap();
    let file = dir.path().join("backup.jsonl");
    mk_backup(&dir.path().join("data"), &file);
    let bytes = fs::read(&file).unwrap();
    (dir, file, bytes)
}

pub(crate) fn restored(data_dir: &Path, file: &Path, replace: bool) -> Result<Restored, RestoreError> {
    restored_on(data_dir, file, replace, Arc::new(Disk))
}

pub(crate) fn restored_on(
    data_dir: &Path,
    file: &Path,
    replace: bool,
    files: Arc<dyn Files>,
) -> Result<Restored, RestoreError> {
    restore(&Restoration { data_dir, file, replace, at: mk_at(9000), actor: &Actor::local("ann"), files })
}

pub(crate) async fn opened(dir: &Path) -> Store {
    crate::common::mk_store(dir).await
}

pub(crate) fn in_words(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}

pub(crate) fn entries(dir: &Path) -> Vec<u8> {
    let mut out = Vec::new();
    export(dir, 1, &mut out).unwrap();
    out
}

/// Writes what may be a lie, with a checksum that fits.
pub(crate) fn forge(file: &Path, bytes: &[u8]) {
    let end = bytes[..bytes.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    let sum = hex::encode(Sha256::digest(&bytes[..end]));
    let last = format!("{{\"kind\":\"backup_end\",\"sha256\":\"{sum}\"}}\n");
    fs::write(file, [&bytes[..end], last.as_bytes()].concat()).unwrap();
}

pub(crate) fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
