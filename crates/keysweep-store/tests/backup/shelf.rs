//! The backups of a schedule, side by side.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use keysweep_store::{Shelf, backup_name};

use crate::backup::support::{mk_file, names};

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
