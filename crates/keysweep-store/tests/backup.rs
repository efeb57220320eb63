//! Backups and the way back: whole or refused, and cut off anywhere.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code outside of test functions"
)]

mod common;

use std::error::Error;
use std::fs;
use std::io;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::disk::TestDisk;
use common::{mk_at, mk_flagged, mk_held, mk_key_id, mk_story, segments, state, tell};
use jiff::Timestamp;
use keysweep_core::state::{Body, State};
use keysweep_store::{
    Backup, BackupError, Disk, Files, JournalFile, JournalView, NewBackup, OpenError, OpenOptions,
    Restoration, RestoreError, Restored, Shelf, Store, back_up, backup_name, export, inspect, restore,
    verify,
};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

/// A store with a life of two keys in several segments.
async fn mk_store(dir: &Path) -> Store {
    let options = OpenOptions { segment_bytes: 900, ..OpenOptions::default() };
    let store = Store::open(dir, options).await.unwrap().0;
    tell(&store, mk_story()).await;
    assert!(segments(dir).len() > 2);
    store
}

fn made(
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

fn mk_backup(data_dir: &Path, file: &Path) -> Backup {
    made(data_dir, file, None, &Disk).unwrap()
}

/// A backup in a folder of its own, and its bytes.
async fn mk_file() -> (tempfile::TempDir, PathBuf, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    mk_store(&dir.path().join("data")).await.close().await.unwrap();
    let file = dir.path().join("backup.jsonl");
    mk_backup(&dir.path().join("data"), &file);
    let bytes = fs::read(&file).unwrap();
    (dir, file, bytes)
}

fn restored(data_dir: &Path, file: &Path, replace: bool) -> Result<Restored, RestoreError> {
    restored_on(data_dir, file, replace, Arc::new(Disk))
}

fn restored_on(
    data_dir: &Path,
    file: &Path,
    replace: bool,
    files: Arc<dyn Files>,
) -> Result<Restored, RestoreError> {
    restore(&Restoration { data_dir, file, replace, at: mk_at(9000), actor: "ann", files })
}

async fn opened(dir: &Path) -> Store {
    common::mk_store(dir).await
}

fn in_words(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}

fn entries(dir: &Path) -> Vec<u8> {
    let mut out = Vec::new();
    export(dir, 1, &mut out).unwrap();
    out
}

/// Writes what may be a lie, with a checksum that fits.
fn forge(file: &Path, bytes: &[u8]) {
    let end = bytes[..bytes.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    let sum = hex::encode(Sha256::digest(&bytes[..end]));
    let last = format!("{{\"kind\":\"backup_end\",\"sha256\":\"{sum}\"}}\n");
    fs::write(file, [&bytes[..end], last.as_bytes()].concat()).unwrap();
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

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
    let tail = opened(&new).await.tail(2).unwrap();
    let told = Body::Restored {
        created_at: mk_at(5000),
        version: "0.1.0".into(),
        last_seq: 13,
        sha256: backup.sha256.clone(),
    };
    assert_eq!((tail[0].actor.as_str(), tail[0].at, &tail[0].body), ("ann", mk_at(9000), &told));
    assert!(
        matches!(&tail[1].body, Body::Paused { reason } if reason.contains("restored from the backup of"))
    );

    let mut expected = state(&store);
    for entry in &tail {
        expected.replay(entry).unwrap();
    }
    assert!(expected.control().paused.as_ref().is_some_and(|pause| pause.by == "keysweep"));
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
    let paused = opened(&again).await.read(|state| state.control().paused.clone()).unwrap();
    assert!(paused.reason.contains("paused before that by keysweep"), "{}", paused.reason);
}

#[tokio::test]
async fn a_backup_that_is_cut_anywhere_is_refused() {
    let (_dir, file, bytes) = mk_file().await;
    let cut = fs::OpenOptions::new().write(true).open(&file).unwrap();
    for length in (0..bytes.len()).rev() {
        cut.set_len(length as u64).unwrap();
        let message = inspect(&file).unwrap_err().to_string();
        assert!(message.contains("is cut short") || message.contains("is no backup"), "{length}: {message}");
        assert!(message.contains(file.to_str().unwrap()), "{message}");
    }
    fs::write(&file, [&bytes[..], b"\n"].concat()).unwrap();
    assert!(inspect(&file).unwrap_err().to_string().contains("longer"));
}

#[tokio::test]
async fn a_bit_that_is_flipped_anywhere_in_a_backup_is_noticed() {
    let (_dir, file, bytes) = mk_file().await;
    let first = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    // Every bit of the first and of the last line, and any others.
    let ends = (0..first).chain(bytes.len() - 94..bytes.len());
    let bits: Vec<usize> = ends.flat_map(|byte| (0..8).map(move |bit| byte * 8 + bit)).collect();
    let open = fs::OpenOptions::new().write(true).open(&file).unwrap();
    let refused = |bit: usize| {
        let at = bit / 8;
        open.write_all_at(&[bytes[at] ^ (1 << (bit % 8))], at as u64).unwrap();
        let message = inspect(&file).map(|_| ()).expect_err("noticed").to_string();
        open.write_all_at(&bytes[at..=at], at as u64).unwrap();
        message
    };
    for bit in bits {
        refused(bit);
    }
    let config = ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(bit in first * 8..bytes.len() * 8)| {
        let message = refused(bit);
        prop_assert!(message.contains("altered"), "{}", message);
    });
}

#[tokio::test]
async fn a_backup_with_a_fitting_checksum_and_a_broken_journal_is_refused() {
    let (_dir, file, bytes) = mk_file().await;
    let text = String::from_utf8(bytes.clone()).unwrap();
    forge(&file, &bytes);
    inspect(&file).unwrap();
    forge(&file, text.replacen("looked through", "looked througH", 1).as_bytes());
    let message = inspect(&file).unwrap_err().to_string();
    assert!(message.contains("is broken at line") && message.contains("hash chain"), "{message}");
    // The last line, which no other names: the first line of the backup does.
    let last = text.rfind("unused for 104 days").unwrap();
    forge(&file, [&text[..last], "unused for 105 days", &text[last + 19..]].concat().as_bytes());
    let message = inspect(&file).unwrap_err().to_string();
    assert!(message.contains("ends otherwise than its first line says"), "{message}");
}

#[tokio::test]
async fn a_backup_of_a_newer_keysweep_is_refused_by_its_name() {
    let (dir, file, bytes) = mk_file().await;
    let text = String::from_utf8(bytes).unwrap();
    let newer = text.replacen("\"v\":1,\"keysweep\":\"0.1.0\"", "\"v\":2,\"keysweep\":\"3.1.4\"", 1);
    forge(&file, newer.as_bytes());
    let message = restored(&dir.path().join("new"), &file, false).unwrap_err().to_string();
    assert!(message.contains("keysweep 3.1.4") && message.contains("format 2"), "{message}");
    assert!(!dir.path().join("new").exists());

    fs::write(&file, "{\"kind\":\"segment\"}\n").unwrap();
    assert!(inspect(&file).unwrap_err().to_string().contains("is no backup of keysweep"));
}

#[tokio::test]
async fn a_backup_with_an_entry_that_is_not_known_is_refused_and_nothing_is_touched() {
    let (dir, file, bytes) = mk_file().await;
    let text = String::from_utf8(bytes).unwrap();
    // One more entry, written as a newer version would, with every hash and number in order.
    let (body, _) = text.trim_end().rsplit_once('\n').unwrap();
    let (_, head) = body.rsplit_once('\n').unwrap();
    let entry = format!(
        "{{\"seq\":14,\"at\":\"2026-01-01T00:00:00Z\",\"actor\":\"keysweep\",\"kind\":\"rotated\",\"prev\":\"{}\"}}",
        hex::encode(Sha256::digest(head))
    );
    let mut first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let last = first["segments"].as_array_mut().unwrap().last_mut().unwrap();
    last["bytes"] = (last["bytes"].as_u64().unwrap() + entry.len() as u64 + 1).into();
    (first["entries"], first["last_seq"]) = (14.into(), 14.into());
    first["head_hash"] = hex::encode(Sha256::digest(&entry)).into();
    first["keysweep"] = "0.9.0".into();
    let (_, rest) = body.split_once('\n').unwrap();
    forge(&file, format!("{first}\n{rest}\n{entry}\n{{}}\n").as_bytes());
    inspect(&file).unwrap();
    let data = dir.path().join("data");
    let before = (names(&data), entries(&data));
    let message = in_words(&restored(&data, &file, true).unwrap_err());
    assert!(message.contains("keysweep 0.9.0") && message.contains("rotated"), "{message}");
    assert_eq!((names(&data), entries(&data)), before);
}

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
    fs::write(&segment, text.replace("unused for 104 days", "unused for 904 days")).unwrap();
    verify(dir.path()).expect("no hash follows it");
    let file = dir.path().join("backup.jsonl");
    let view = Some(store.view().unwrap());
    made(dir.path(), &file, view, &Disk).map(|_| ()).expect_err("it is not what was written");
    assert!(!file.exists());
    assert_eq!(names(dir.path()), ["journal", "lock", "records"]);
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
                store.append(mk_at(10), "keysweep", bodies).await.unwrap();
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
        ["journal", "journal.replaced-1", "lock", "records.replaced-1"],
        "and nothing else is left"
    );
    let old = tempfile::tempdir().unwrap();
    common::copy(&data.join("journal.replaced-1"), &old.path().join("journal"));
    assert_eq!(entries(old.path()), later);
    let store = opened(&data).await;
    assert!(store.history(&mk_key_id(2)).unwrap().iter().all(|entry| entry.seq <= 13));
    store.close().await.unwrap();
    assert_eq!(restored(&data, &file, true).unwrap().aside[1].file_name().unwrap(), "journal.replaced-2");
}

/// A disk under a process that dies before its n-th operation: whatever comes after that is not done.
#[derive(Debug, Clone)]
struct Dying(Arc<AtomicUsize>);

impl Dying {
    fn before(operation: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(operation)))
    }

    fn lives(&self) {
        let left = self.0.fetch_sub(1, Ordering::SeqCst);
        assert!(left > 0, "killed");
    }
}

struct DyingFile(Dying, Box<dyn JournalFile>);

impl Files for Dying {
    fn create(&self, path: &Path) -> io::Result<Box<dyn JournalFile>> {
        self.lives();
        Ok(Box::new(DyingFile(self.clone(), Disk.create(path)?)))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn JournalFile>> {
        self.lives();
        Ok(Box::new(DyingFile(self.clone(), Disk.append(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.lives();
        Disk.rename(from, to)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.lives();
        Disk.sync_dir(dir)
    }
}

impl JournalFile for DyingFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.lives();
        self.1.write_all(bytes)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.0.lives();
        self.1.sync_data()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.0.lives();
        self.1.truncate(length)
    }
}

#[tokio::test]
async fn a_restoration_that_is_killed_leaves_the_old_the_new_or_a_refusal_that_names_the_repair() {
    let (dir, file, _) = mk_file().await;
    let old = dir.path().join("old");
    common::copy(&dir.path().join("data"), &old);
    let store = opened(&old).await;
    tell(&store, vec![mk_held(2, "after the backup")]).await;
    let before: State = state(&store);
    store.close().await.unwrap();
    let after = {
        restored(&dir.path().join("new"), &file, false).unwrap();
        let store = opened(&dir.path().join("new")).await;
        state(&store)
    };
    let (mut olds, mut news, mut refusals) = (0, 0, 0);
    for operation in 0.. {
        let data = dir.path().join(format!("killed-{operation}"));
        common::copy(&old, &data);
        let disk: Arc<dyn Files> = Arc::new(Dying::before(operation));
        let ended = catch_unwind(AssertUnwindSafe(|| restored_on(&data, &file, true, disk).unwrap()));
        match Store::open(&data, OpenOptions::default()).await {
            Ok((store, _)) if state(&store) == before => olds += 1,
            Ok((store, _)) => {
                assert_eq!(state(&store), after, "killed before operation {operation}");
                news += 1;
            }
            Err(error) => {
                let OpenError::RestoreUnfinished { .. } = &error else { panic!("{operation}: {error}") };
                let repair = format!("`keysweep state restore {}`", file.display());
                assert!(error.to_string().contains(&repair), "{error}");
                assert!(matches!(keysweep_store::rebuild(&data), Err(OpenError::RestoreUnfinished { .. })));
                // As it says: without force.
                restored(&data, &file, false).unwrap();
                assert_eq!(state(&opened(&data).await), after, "killed before operation {operation}");
                refusals += 1;
            }
        }
        let lost = names(&data).into_iter().filter(|name| name.starts_with("journal")).all(|name| {
            let lines = fs::read_dir(data.join(&name)).unwrap().map(|entry| entry.unwrap().path());
            !lines
                .filter_map(|path| fs::read_to_string(path).ok())
                .any(|text| text.contains("after the backup"))
        });
        assert!(!lost, "killed before operation {operation}: the old journal is there still");
        if ended.is_ok() {
            break;
        }
    }
    assert!(olds > 10 && refusals >= 4 && news >= 2, "{olds} old, {refusals} refused, {news} new");
}

#[tokio::test]
async fn a_full_disk_is_told_and_nothing_has_changed() {
    let (dir, file, bytes) = mk_file().await;
    let (data, disk) = (dir.path().join("data"), TestDisk::default());
    for room in [0, 100, 2000, bytes.len() - 1] {
        disk.leave_room(Some(room));
        let full = dir.path().join("full.jsonl");
        let message = in_words(&made(&data, &full, None, &disk).unwrap_err());
        assert!(message.contains("full.jsonl; make room on its disk"), "{message}");

        let before = (names(&data), entries(&data));
        let error = restored_on(&data, &file, true, Arc::new(disk.clone())).unwrap_err();
        let message = in_words(&error);
        assert!(
            message.contains("make room") && message.contains("nothing of data_dir was changed"),
            "{message}"
        );
        assert_eq!((names(&data), entries(&data)), before);
    }
    assert_eq!(names(dir.path()), ["backup.jsonl", "data"]);
}

#[tokio::test]
async fn a_backup_that_is_killed_leaves_nothing_under_its_name() {
    let (dir, _, bytes) = mk_file().await;
    let (data, file) = (dir.path().join("data"), dir.path().join("second.jsonl"));
    let mut killed = 0;
    while {
        let disk = Dying::before(killed);
        catch_unwind(AssertUnwindSafe(|| made(&data, &file, None, &disk).map(|_| ()))).is_err()
    } {
        killed += 1;
        if file.exists() {
            // Only that its name is durable was left to do.
            inspect(&file).unwrap();
            fs::remove_file(&file).unwrap();
        }
    }
    assert!(killed > 5);
    assert_eq!(fs::read(&file).unwrap(), bytes);
    assert_eq!(names(dir.path()), ["backup.jsonl", "data", "second.jsonl"], "what was unfinished is used up");
}

fn mk_shelf(from: &Path, shelf: &Path, at: &str) -> PathBuf {
    let path = shelf.join(backup_name(at.parse().unwrap()));
    fs::copy(from, &path).unwrap();
    path
}

#[tokio::test]
async fn only_our_own_older_backups_are_removed_from_a_shelf() {
    let (dir, file, bytes) = mk_file().await;
    let shelf = dir.path().join("shelf");
    fs::create_dir(&shelf).unwrap();
    let day = |n: u32| format!("2026-01-{n:02}T03:00:00Z");
    let all: Vec<PathBuf> = (1..=9).map(|n| mk_shelf(&file, &shelf, &day(n))).collect();
    // Of a clock that was ahead: not older.
    let ahead = mk_shelf(&file, &shelf, "2031-01-01T00:00:00Z");
    let foreign = [
        "keysweep-20260101T040000Z.jsonl",
        "keysweep-2026.jsonl",
        "notes.txt",
        "keysweep-20260101T030000Z.jsonl.gz",
    ];
    for name in foreign {
        fs::write(shelf.join(name), "somebody else's").unwrap();
    }
    fs::create_dir(shelf.join("keysweep-20260101T050000Z.jsonl")).unwrap();
    std::os::unix::fs::symlink(&file, shelf.join("keysweep-20260101T060000Z.jsonl")).unwrap();
    fs::write(shelf.join(".keysweep-20260101T030000Z.jsonl.unfinished"), &bytes[..100]).unwrap();
    fs::write(shelf.join(".keysweep-20260101T030000Z.jsonl.unfinished-77"), &bytes[..100]).unwrap();
    let ours = Shelf { dir: &shelf };
    ours.sweep_up("unfinished").unwrap();

    let removed = ours.prune(&all[8], 3).unwrap();
    assert_eq!(removed.len(), 6);
    for (n, path) in all.iter().enumerate() {
        assert_eq!(path.exists(), n >= 6, "{}", path.display());
    }
    assert!(ahead.exists());
    for name in
        foreign.into_iter().chain(["keysweep-20260101T050000Z.jsonl", "keysweep-20260101T060000Z.jsonl"])
    {
        assert!(shelf.join(name).symlink_metadata().is_ok(), "{name}");
    }
    let hidden: Vec<_> = names(&shelf).into_iter().filter(|name| name.starts_with('.')).collect();
    assert_eq!(hidden, [".keysweep-20260101T030000Z.jsonl.unfinished-77"], "another writer's is his");
    assert_eq!(ours.prune(&all[8], 3).unwrap(), [""; 0].map(PathBuf::from));
}

#[tokio::test]
async fn the_newest_backup_is_the_last_that_is_whole_and_not_of_a_time_to_come() {
    let (dir, file, bytes) = mk_file().await;
    let shelf = dir.path().join("shelf");
    fs::create_dir(&shelf).unwrap();
    let ours = Shelf { dir: &shelf };
    let now: Timestamp = "2026-01-05T00:00:00Z".parse().unwrap();
    assert_eq!(ours.newest(now, &|| false).unwrap(), None);
    let whole = mk_shelf(&file, &shelf, "2026-01-02T03:00:00Z");
    let cut = mk_shelf(&file, &shelf, "2026-01-03T03:00:00Z");
    fs::write(cut, &bytes[..bytes.len() - 10]).unwrap();
    mk_shelf(&file, &shelf, "2026-01-06T03:00:00Z");
    assert_eq!(ours.newest(now, &|| false).unwrap().unwrap().path, whole);
    assert!(Shelf { dir: &dir.path().join("none") }.newest(now, &|| false).is_err());
}
