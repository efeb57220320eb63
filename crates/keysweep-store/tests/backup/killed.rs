//! Cut off anywhere.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use keysweep_core::state::State;
use keysweep_store::{Disk, Files, JournalFile, OpenError, OpenOptions, Store, inspect};

use crate::backup::support::{entries, in_words, made, mk_file, names, opened, restored, restored_on};
use crate::common::disk::TestDisk;
use crate::common::{mk_held, state, tell};

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
    crate::common::copy(&dir.path().join("data"), &old);
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
        crate::common::copy(&old, &data);
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
