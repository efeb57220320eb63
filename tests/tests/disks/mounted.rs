//! A disk that is full, and one that may only be read.

use rustix::process::Signal;

use super::mount::mk_small_disk;
use super::stage::{mk_stage, names};

/// A mode in which an operator's order is a change, and which sweeps as often as is asked.
const ORDERS: &str =
    "[scan]\nsource = \"live\"\n[policy]\nmode = \"deactivate\"\n[notices]\nrequired = false\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_under_a_daemon_stops_changes_and_nothing_else() {
    let stage = mk_stage(ORDERS).await;
    let key = stage.site.stale_key(super::stage::ACCOUNT, "svc-other");
    let disk = mk_small_disk(&stage, 4096).await;
    let mut daemon = disk.daemon();
    daemon.says("sweep finished").await;
    let resume = ["resume", "--reason", "the test begins"];
    let (code, _, messages) = disk.run(&resume).await;
    assert_eq!(code, 0, "{messages}");
    let known = disk.run(&["keys", "list", "--format", "csv"]).await.1;
    assert!(known.contains(&key), "{known}");

    disk.fill().await;
    loop {
        stage.site.alter();
        daemon.signal(Signal::HUP);
        // Small entries go into that block.
        let line = daemon.says_one_of(&["sweep f", "configuration not reloaded"]).await;
        if !line.contains("sweep finished") {
            assert!(line.contains("No space left on device"), "{line}");
            break;
        }
    }
    // Longer than what is still left of it.
    let reason = "\u{1f511}".repeat(400);
    let order = ["keys", "deactivate", &key, "--reason", &reason];
    let (code, _, messages) = disk.run(&order).await;
    assert_eq!(code, 1, "{messages}");
    names(&messages, &stage.segment());
    assert!(messages.contains("No space left on device"), "{messages}");
    let (code, _, messages) = disk.run(&["pause", "--reason", &reason]).await;
    assert_eq!(code, 1, "{messages}");
    assert!(stage.site.sim.changes().is_empty(), "no intent, no call");
    let (code, data, _) = disk.run(&["keys", "list", "--format", "csv"]).await;
    assert_eq!((code, data.contains(&key)), (0, true), "it still answers");

    disk.free().await;
    let (code, _, messages) = disk.run(&order).await;
    assert_eq!(code, 0, "{messages}");
    assert_eq!(stage.site.sim.key_status(&key).as_deref(), Some("Inactive"));
    stage.site.alter();
    daemon.signal(Signal::HUP);
    daemon.says("sweep finished").await;
    daemon.signal(Signal::TERM);
    assert!(daemon.ends().await.0.success());
    let (code, _, messages) = disk.run(&["journal", "verify"]).await;
    assert_eq!(code, 0, "{messages}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_works_on_a_full_disk_with_and_without_a_daemon() {
    let stage = mk_stage(ORDERS).await;
    let key = stage.site.stale_key(super::stage::ACCOUNT, "svc-other");
    let disk = mk_small_disk(&stage, 6144).await;
    let mut daemon = disk.daemon();
    daemon.says("sweep finished").await;
    assert_eq!(disk.run(&["resume", "--reason", "the test begins"]).await.0, 0);
    let deactivate = ["keys", "deactivate", &key, "--reason", "unused"];
    let undo = ["keys", "reactivate", &key, "--reason", "needed after all"];
    let (code, _, messages) = disk.run(&deactivate).await;
    assert_eq!(code, 0, "{messages}");

    disk.fill().await;
    let reason = "\u{1f511}".repeat(400);
    // These use up what is left of the last block.
    let mut pauses = 0;
    while disk.run(&["pause", "--reason", &reason]).await.0 == 0 {
        pauses += 1;
    }
    disk.shell("test -s \"$1\"/reserve").await;
    let (code, _, messages) = disk.run(&["keys", "reactivate", &key, "--reason", &reason]).await;
    assert_eq!(code, 0, "{messages}");
    assert_eq!(stage.site.sim.key_status(&key).as_deref(), Some("Active"));
    disk.shell("test ! -e \"$1\"/reserve").await;
    let (code, _, messages) = disk.run(&["pause", "--reason", "x"]).await;
    assert_eq!(code, 1, "the released space is for undos: {messages}");

    disk.free().await;
    // Before the release: a sweep between the two would ask for an approval, and the order would void it.
    let clear = ["keys", "clear-reactivations", &key, "--reason", "the test goes on"];
    let (code, _, messages) = disk.run(&clear).await;
    assert_eq!(code, 0, "{messages}");
    let release = ["keys", "release", &key, "--reason", "the test goes on"];
    let (code, _, messages) = disk.run(&release).await;
    assert_eq!(code, 1, "the hold after a reactivation is named: {messages}");
    let hold = messages.lines().find(|line| line.contains("reactivated (by keysweep")).unwrap();
    let hold = hold.trim().split(':').next().unwrap();
    let (code, _, messages) = disk.run(&[&release[..], &["--hold", hold]].concat()).await;
    assert_eq!(code, 0, "{messages}");
    disk.shell("test -s \"$1\"/reserve").await;
    // Every decision above asked for a sweep, so the next one to finish need not have seen the release.
    let flagged = ["keys", "list", "--state", "flagged", "--format", "csv"];
    while !disk.run(&flagged).await.1.contains(&key) {
        daemon.says("sweep finished").await;
    }
    if pauses > 0 {
        let all = pauses.to_string();
        let (code, _, messages) = disk.run(&["resume", "--all", &all, "--reason", "the test goes on"]).await;
        assert_eq!(code, 0, "{messages}");
    }
    let (code, _, messages) = disk.run(&deactivate).await;
    assert_eq!(code, 0, "{messages}");
    daemon.signal(Signal::TERM);
    assert!(daemon.ends().await.0.success());

    disk.fill().await;
    while disk.run(&["keys", "list"]).await.0 == 0 {}
    let (code, _, messages) = disk.run(&undo).await;
    assert_eq!(code, 0, "{messages}");
    assert_eq!(stage.site.sim.key_status(&key).as_deref(), Some("Active"));
    let (code, _, messages) = disk.run(&["journal", "verify"]).await;
    assert_eq!(code, 0, "{messages}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_undo_prints_the_aws_command() {
    let stage = mk_stage(ORDERS).await;
    let disk = mk_small_disk(&stage, 4096).await;
    disk.shell("mount -o remount,ro \"$1\"").await;
    let (code, _, messages) = disk.run(&["keys", "reactivate", &stage.key, "--reason", "needed"]).await;
    assert_eq!(code, 1, "{messages}");
    let key = &stage.key;
    let command =
        format!("aws iam update-access-key --status Active --access-key-id {key} --user-name \"$(aws");
    assert!(messages.contains(&command), "{messages}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_does_not_start_on_a_full_disk_and_says_which_file_has_no_room() {
    let stage = mk_stage("").await;
    let disk = mk_small_disk(&stage, 4096).await;
    disk.fill().await;
    // Each command says in the journal that it began, which uses up what is left of its last block.
    while disk.run(&["keys", "list"]).await.0 == 0 {}
    let (status, log) = disk.daemon().ends().await;
    let log = log.join("\n");
    assert_eq!(status.code(), Some(1), "{log}");
    names(&log, &stage.segment());
    assert!(log.contains("No space left on device") && log.contains("make room"), "{log}");
    assert!(!log.contains("panicked"), "{log}");
    // Only reading needs no room.
    assert_eq!(disk.run(&["journal", "verify"]).await.0, 0);

    disk.free().await;
    let mut daemon = disk.daemon();
    daemon.says("sweep finished").await;
    daemon.signal(Signal::TERM);
    assert!(daemon.ends().await.0.success());
    stage.is_known(disk.run(&["keys", "show", &stage.key]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_data_dir_is_named_and_the_audit_trail_can_still_be_read() {
    let stage = mk_stage("").await;
    let disk = mk_small_disk(&stage, 4096).await;
    disk.shell("mount -o remount,ro \"$1\"").await;
    let lock = stage.data().join("lock");
    let (status, log) = disk.daemon().ends().await;
    assert_eq!(status.code(), Some(1));
    for message in
        [log.join("\n"), disk.run(&["keys", "list"]).await.2, disk.run(&["state", "rebuild"]).await.2]
    {
        names(&message, &lock);
        assert!(message.contains("Read-only file system") && message.contains("writable"), "{message}");
    }
    assert_eq!(disk.run(&["journal", "verify"]).await.0, 0);
    let (code, data, _) = disk.run(&["journal", "tail", "-n", "1"]).await;
    assert!(code == 0 && data.contains("hold_placed"), "{data}");

    disk.shell("mount -o remount,rw \"$1\"").await;
    let mut daemon = disk.daemon();
    daemon.says("sweep finished").await;
    daemon.signal(Signal::TERM);
    assert!(daemon.ends().await.0.success());
    stage.is_known(disk.run(&["keys", "show", &stage.key]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_and_a_restoration_on_a_full_disk_say_so_and_change_nothing() {
    let stage = mk_stage("").await;
    let backup = stage.site.at("backup.jsonl").display().to_string();
    let (code, _, messages) = stage.site.run(&["state", "backup", &backup]).await;
    assert_eq!(code, 0, "{messages}");
    let disk = mk_small_disk(&stage, 4096).await;
    disk.fill().await;
    let there = stage.data().join("backup.jsonl");
    let (code, _, messages) = disk.run(&["state", "backup", there.to_str().unwrap()]).await;
    assert_eq!(code, 1, "{messages}");
    names(&messages, &there);
    assert!(messages.contains("No space left on device") && messages.contains("make room"), "{messages}");
    let (code, _, messages) = disk.run(&["state", "restore", &backup, "--force"]).await;
    assert_eq!(code, 1, "{messages}");
    assert!(messages.contains("No space left on device") && messages.contains("make room"), "{messages}");
    assert!(messages.contains("nothing of data_dir was changed"), "{messages}");

    disk.free().await;
    disk.shell("test ! -e \"$1\"/backup.jsonl && test ! -e \"$1\"/journal.restoring").await;
    stage.is_known(disk.run(&["keys", "show", &stage.key]).await);
    let (code, _, messages) = disk.run(&["state", "restore", &backup, "--force"]).await;
    assert_eq!(code, 0, "{messages}");
    stage.is_known(disk.run(&["keys", "show", &stage.key]).await);
}
