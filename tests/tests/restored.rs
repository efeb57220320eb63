//! Backups by the program and by schedule, and life after a restoration: what came after the backup is forgotten, and
//! nothing comes of that.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use keysweep::daemon::keep_backups;
use keysweep::engine::Engine;
use keysweep::metrics::render;
use keysweep_api::Decision;
use keysweep_store::{Disk, NewBackup, OpenOptions, Restoration, back_up, inspect, restore};
use keysweep_tests::company::{Company, DAY, DELETE, ask, decide, held, state_of, swept};
use keysweep_tests::site::Site;
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::task::JoinSet;

const PROD: &str = "111122223333";

/// A company in which keysweep goes all the way, with two stale keys.
async fn mk_company() -> (Company, Arc<Engine>, [String; 2]) {
    let company = Company::new(DELETE);
    let prod = company.account(PROD);
    let keys = ["svc-one", "svc-two"].map(|name| company.stale_user(&prod, name, 200).keys[0].clone());
    let engine = company.begin().await;
    (company, engine, keys)
}

/// A backup beside the engine that runs.
fn backed_up(company: &Company, engine: &Engine) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("backup.jsonl");
    let new = NewBackup {
        data_dir: company.data_dir.path(),
        view: Some(engine.store().view().unwrap()),
        file: &file,
        writer: "unfinished",
        created_at: company.clock.now(),
        version: "0.1.0",
        stop: &|| false,
        files: &Disk,
    };
    back_up(&new).unwrap();
    (dir, file)
}

/// The engine ends, the backup is restored, and an engine begins.
async fn restored(company: &Company, engine: Arc<Engine>, file: &Path) -> Arc<Engine> {
    engine.close().await.unwrap();
    drop(engine);
    let (data_dir, at, files) = (company.data_dir.path(), company.clock.now(), Arc::new(Disk));
    restore(&Restoration {
        data_dir,
        file,
        replace: true,
        at,
        actor: &keysweep_core::state::Actor::local("ann"),
        files,
    })
    .unwrap();
    company.open_with(OpenOptions::default()).await
}

async fn resume(engine: &Engine) {
    ask(engine, keysweep_tests::company::resume("looked through")).await.expect("it is paused");
}

#[tokio::test(start_paused = true)]
async fn p10_holds_that_are_forgotten_come_to_nothing_before_an_operator_resumes() {
    let (company, engine, [one, two]) = mk_company().await;
    company.days(&engine, 6).await;
    let (_dir, file) = backed_up(&company, &engine);
    company.days(&engine, 2).await;
    assert_eq!(company.status(&one), "Inactive");
    assert!(decide(&engine, &one, Decision::Reactivate {}).await.0);
    assert!(held(&engine, &one));
    let before = company.changes();

    let engine = restored(&company, engine, &file).await;
    assert!(!held(&engine, &one), "the hold came after the backup");
    assert!(engine.store().read(|state| !state.control().pauses.is_empty()));
    company.days(&engine, 40).await;
    assert_eq!(company.changes(), before, "nothing moves");
    // The other was deactivated after the backup, which knows it as flagged: it is not disowned.
    assert_eq!(
        (state_of(&engine, &two).as_str(), company.status(&two).as_str()),
        ("deactivated", "Inactive")
    );
    let (done, words) = decide(&engine, &two, Decision::Reactivate {}).await;
    assert!(done, "P7: an undo is blocked by nothing: {words}");
    assert_eq!(company.status(&two), "Active");
    keysweep_store::verify(company.data_dir.path()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn p10_a_notice_from_before_the_backup_covers_nothing_after_it() {
    let (company, engine, [one, two]) = mk_company().await;
    company.days(&engine, 6).await;
    let (_dir, file) = backed_up(&company, &engine);
    company.days(&engine, 1).await;
    assert_eq!(company.status(&one), "Inactive");
    // Both owners object.
    for key in [&one, &two] {
        assert!(decide(&engine, key, Decision::Reactivate {}).await.0);
    }
    let before = company.changes();
    let engine = restored(&company, engine, &file).await;
    resume(&engine).await;
    swept(&engine).await;
    company.days(&engine, 6).await;
    assert_eq!(company.changes(), before, "they have a whole period of notice to object again");
    company.days(&engine, 2).await;
    assert_eq!(company.changes().len(), before.len() + 2);
}

#[tokio::test(start_paused = true)]
async fn p3_grace_starts_over_after_a_restoration() {
    let (company, engine, [one, _]) = mk_company().await;
    company.days(&engine, 17).await;
    assert_eq!(state_of(&engine, &one), "deactivated");
    let (_dir, file) = backed_up(&company, &engine);
    company.days(&engine, 1).await;
    let before = company.changes();
    let engine = restored(&company, engine, &file).await;
    resume(&engine).await;
    swept(&engine).await;
    company.days(&engine, 13).await;
    assert_eq!(company.changes(), before);
    assert_eq!(company.status(&one), "Inactive");
    company.days(&engine, 3).await;
    assert_eq!(company.status(&one), "deleted", "and then it goes on");
}

#[tokio::test(start_paused = true)]
async fn p8_no_cap_is_free_for_a_day_after_a_restoration() {
    let (company, engine, [one, two]) = mk_company().await;
    let (_dir, file) = backed_up(&company, &engine);
    assert!(decide(&engine, &one, Decision::Deactivate {}).await.0);
    let engine = restored(&company, engine, &file).await;
    resume(&engine).await;
    let (done, words) = decide(&engine, &two, Decision::Deactivate {}).await;
    assert!(!done && words.contains("a backup was restored"), "{words}");
    tokio::time::advance(DAY).await;
    let (done, words) = decide(&engine, &two, Decision::Deactivate {}).await;
    assert!(done, "{words}");
}

/// A company whose daemon backs up daily and keeps three.
fn mk_kept() -> (Company, TempDir) {
    let shelf = tempfile::tempdir().unwrap();
    let backup = format!("\n[backup]\ndirectory = {:?}\nevery = \"1d\"\nkeep = 3\n", shelf.path());
    (Company::new(&(DELETE.to_owned() + &backup)), shelf)
}

fn keep(engine: &Arc<Engine>) -> JoinSet<()> {
    let (engine, mut tasks) = (Arc::clone(engine), JoinSet::new());
    tasks.spawn(async move { keep_backups(&engine).await });
    tasks
}

/// Names in a directory, sorted.
fn names(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

fn gauge(engine: &Engine) -> Option<String> {
    let text = render(engine.metrics().families()).unwrap();
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix("keysweep_backup_last_success_timestamp_seconds "));
    value.map(ToOwned::to_owned)
}

/// Waits, in simulated time, and then for what is on its way.
async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn the_schedule_keeps_as_many_as_it_says_and_touches_nothing_else() {
    let (company, shelf) = mk_kept();
    let prod = company.account(PROD);
    let _ = company.stale_user(&prod, "svc-one", 200);
    fs::write(shelf.path().join("keysweep-20250101T000000Z.jsonl"), "somebody else's").unwrap();
    let engine = company.begin().await;
    let mut tasks = keep(&engine);
    pass(Duration::ZERO).await;
    assert_eq!(names(shelf.path()).len(), 2, "the first at once");
    for days in 1..6 {
        pass(DAY).await;
        swept(&engine).await;
        assert_eq!(names(shelf.path()).len(), 1 + 3.min(days + 1));
    }
    let kept = names(shelf.path());
    assert_eq!(kept[0], "keysweep-20250101T000000Z.jsonl");
    assert!(kept[3].starts_with("keysweep-20260106T0000"), "{kept:?}");
    let newest = inspect(&shelf.path().join(&kept[3])).unwrap();
    let created = newest.manifest.created_at.as_second();
    assert!(gauge(&engine).unwrap().starts_with(&created.to_string()), "{:?}", gauge(&engine));

    // A restart is no reason for another one, and forgets nothing.
    engine.stopping().cancel();
    while tasks.join_next().await.is_some() {}
    engine.close().await.unwrap();
    drop(engine);
    let engine = company.open().await;
    assert_eq!(gauge(&engine), None, "nobody has looked yet");
    let mut tasks = keep(&engine);
    pass(Duration::from_secs(3600)).await;
    assert_eq!(names(shelf.path()), kept);
    assert!(gauge(&engine).unwrap().starts_with(&created.to_string()), "{:?}", gauge(&engine));
    pass(DAY).await;
    assert_ne!(names(shelf.path()), kept);
    engine.stopping().cancel();
    while tasks.join_next().await.is_some() {}
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_fails_is_tried_again_soon_and_stops_nothing() {
    let (company, shelf) = mk_kept();
    company.account(PROD);
    let engine = company.begin().await;
    let (there, away) = (shelf.path().join("."), shelf.path().with_extension("away"));
    fs::rename(shelf.path(), &away).unwrap();
    let mut tasks = keep(&engine);
    pass(DAY).await;
    swept(&engine).await;
    assert_eq!(gauge(&engine).as_deref(), Some("0"), "there is none");
    fs::rename(&away, shelf.path()).unwrap();
    pass(Duration::from_secs(600)).await;
    assert_eq!(names(&there).len(), 1);
    // Switched off while it runs: nothing is made any more, and nothing has an age.
    let mut config = company.config();
    config.backup = None;
    engine.replace_config(&keysweep_core::state::Actor::Keysweep, Arc::new(config)).await.unwrap();
    pass(3 * DAY).await;
    assert_eq!((names(&there).len(), gauge(&engine)), (1, None));
    engine.stopping().cancel();
    while tasks.join_next().await.is_some() {}
}

/// A site whose daemon has run and flagged a key.
async fn mk_site(toml: &str) -> (Site, String) {
    let site = Site::new(toml).await;
    site.account(PROD);
    let key = site.stale_key(PROD, "svc-old");
    site.sim.make_reports();
    (site, key)
}

async fn ends(mut daemon: keysweep_tests::site::Daemon) {
    daemon.says("sweep finished").await;
    daemon.signal(Signal::TERM);
    let (status, log) = daemon.ends().await;
    assert!(status.success(), "{}", log.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_backs_up_beside_a_daemon_and_restores_only_without_one() {
    let (site, key) = mk_site("").await;
    let mut daemon = site.daemon();
    daemon.says("sweep finished").await;
    let hold =
        |reason: &'static str| ["keys", "hold", key.as_str(), "--reason", reason].map(ToOwned::to_owned);
    let run = async |words: &[String]| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        site.run(&words).await
    };
    assert_eq!(run(&hold("before the backup")).await.0, 0);
    let exempt = ["exemptions", "add", &key, "--until", "90d", "--whole-user", "--reason", "year end"];
    let (code, _, messages) = site.run(&exempt).await;
    assert!(code == 0 && messages.contains("is exempt with every key until"), "{messages}");
    let number =
        messages.split("keysweep exemptions end ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    let shelf = site.at("shelf");
    fs::create_dir(&shelf).unwrap();
    let (code, data, messages) = site.run(&["state", "backup", shelf.to_str().unwrap()]).await;
    assert_eq!((code, data.as_str()), (0, ""), "{messages}");
    let file = shelf.join(&names(&shelf)[0]).display().to_string();
    assert!(messages.contains("backed up") && messages.contains(&file), "{messages}");
    assert!(messages.contains("keysweep state restore"), "{messages}");
    let (code, _, messages) = site.run(&["state", "backup", &file]).await;
    assert!(code == 1 && messages.contains("not overwritten"), "{messages}");

    let (code, _, messages) = site.run(&["state", "restore", &file, "--force"]).await;
    assert_eq!(code, 1);
    assert!(messages.contains("stop it first") && messages.contains("in use by process"), "{messages}");
    assert_eq!(run(&["keys", "release", key.as_str(), "--reason", "done"].map(ToOwned::to_owned)).await.0, 0);
    assert_eq!(run(&hold("after the backup")).await.0, 0);
    let end = ["exemptions", "end", &number, "--reason", "after the backup"];
    assert_eq!(site.run(&end).await.0, 0);
    assert_eq!(site.run(&end).await.0, 1, "it has ended");
    daemon.signal(Signal::TERM);
    assert!(daemon.ends().await.0.success());

    let (code, _, messages) = site.run(&["state", "restore", &file]).await;
    assert!(code == 1 && messages.contains("--force"), "{messages}");
    let (code, _, messages) = site.run(&["state", "restore", &file, "--force"]).await;
    assert_eq!(code, 0, "{messages}");
    for told in ["restored", "journal.replaced-1", "no longer knows", "keysweep resume --reason"] {
        assert!(messages.contains(told), "{told}: {messages}");
    }
    let (_, data, _) = site.run(&["keys", "show", &key]).await;
    assert!(data.contains("before the backup") && !data.contains("after the backup"), "{data}");
    let (_, data, _) = site.run(&["exemptions", "list"]).await;
    assert!(data.contains(&format!("exemption {number}")) && data.contains("year end"), "{data}");
    let mut daemon = site.daemon();
    let line = daemon.says("paused: no change starts").await;
    assert!(line.contains("restored from the backup of"), "{line}");
    ends(daemon).await;
    assert_eq!(site.run(&["journal", "verify"]).await.0, 0);
    // Without a daemon, too.
    let last = site.at("offline.jsonl").display().to_string();
    assert_eq!(site.run(&["state", "backup", &last]).await.0, 0);
    inspect(Path::new(&last)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restoration_that_was_cut_off_is_told_and_the_named_command_ends_it() {
    let (site, key) = mk_site("").await;
    ends(site.daemon()).await;
    let file = site.at("backup.jsonl").display().to_string();
    assert_eq!(site.run(&["state", "backup", &file]).await.0, 0);
    // As it is left behind between two renames.
    let data = site.data_dir();
    fs::write(data.join("restore-unfinished"), format!("{file}\n")).unwrap();
    fs::rename(data.join("journal"), data.join("journal.replaced-1")).unwrap();
    let (status, log) = site.daemon().ends().await;
    let message = log.join("\n");
    assert_eq!(status.code(), Some(1), "{message}");
    let command = message.split('`').nth(1).unwrap().strip_prefix("keysweep ").unwrap().to_owned();
    let (code, doctor, _) = site.run(&["doctor"]).await;
    assert!(code == 4 && doctor.contains(&command), "{doctor}");
    for words in [&["keys", "list"][..], &["state", "rebuild"]] {
        let (code, _, messages) = site.run(words).await;
        assert!(code == 1 && messages.contains(&command), "{messages}");
    }
    let (code, _, messages) = site.run(&command.split(' ').collect::<Vec<_>>()).await;
    assert_eq!(code, 0, "{messages}");
    ends(site.daemon()).await;
    let (_, data, _) = site.run(&["keys", "list", "--format", "csv"]).await;
    assert!(data.contains(&key), "{data}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_backs_up_by_itself() {
    let shelf = tempfile::tempdir().unwrap();
    let (site, _) = mk_site(&format!("[backup]\ndirectory = {:?}\n", shelf.path())).await;
    let mut daemon = site.daemon();
    let line = daemon.says("backed up the journal").await;
    let name = names(shelf.path()).remove(0);
    assert!(line.contains(&name), "{line}");
    inspect(&shelf.path().join(name)).unwrap();
    daemon.signal(Signal::TERM);
    assert!(daemon.ends().await.0.success());
}
