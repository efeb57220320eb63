//! A data_dir with a history in it, and copies of it.

use std::path::{Path, PathBuf};

use keysweep_core::state::{Actor, State};
use keysweep_store::{OpenError, OpenOptions, Opened, Store};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::organization;

/// A closed data_dir with journal and records.
pub(crate) struct Stage {
    pub(crate) runtime: Runtime,
    pub(crate) folder: TempDir,
    /// What it tells while it is whole.
    pub(crate) state: State,
}

/// A data_dir from segments of a journal.
pub(crate) fn mk_stage(segments: &[(String, Vec<u8>)]) -> Stage {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("journal")).unwrap();
    for (name, bytes) in segments {
        std::fs::write(folder.path().join("journal").join(name), bytes).unwrap();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let state = runtime.block_on(async {
        let (store, _) = Store::open(folder.path(), OpenOptions::default()).await.unwrap();
        let state = store.read(State::clone);
        store.close().await.unwrap();
        state
    });
    Stage { runtime, folder, state }
}

impl Stage {
    /// A copy to be damaged.
    pub(crate) fn copy(&self) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        copy(self.folder.path(), folder.path());
        folder
    }

    /// Opens a data_dir, looks, and closes it.
    pub(crate) fn open<T>(
        &self,
        folder: &Path,
        look: impl FnOnce(&Store, &Opened) -> T,
    ) -> Result<T, OpenError> {
        self.runtime.block_on(async {
            let (store, opened) = Store::open(folder, OpenOptions::default()).await?;
            let seen = look(&store, &opened);
            // Whatever there is to tell was told at opening.
            let _ = store.close().await;
            Ok(seen)
        })
    }
}

/// Makes a journal of the made-up organization, with segments of so many bytes, where there is none.
pub(crate) fn write_journal(folder: &Path, segment_bytes: u64) {
    let made = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let options = OpenOptions { segment_bytes, ..OpenOptions::default() };
        let (store, _) = Store::open(made.path(), options).await.unwrap();
        for (at, body) in organization::entries() {
            store.record(at, &Actor::Keysweep, vec![body]).await.unwrap();
        }
        store.close().await.unwrap();
    });
    copy(&made.path().join("journal"), folder);
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target: PathBuf = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
