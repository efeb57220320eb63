//! The promises, each by the breach that a daemon in trouble would commit.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use keysweep::trace::Idle;
use keysweep_api::{Decision, Pause, ResetBreaker, ShowBreaker, ShowPlan};
use keysweep_sim::{Fault, Happening, Rule};
use keysweep_store::{Disk, Files, JournalFile, OpenError, OpenOptions, Store};
use keysweep_tests::company::{
    Company, DAY, DELETE, approve, ask, decide, delete, held, look, resume, state_of, swept,
};

const PROD: &str = "111122223333";

fn with_limits(limits: &str) -> String {
    format!("{DELETE}\n[limits]\n{limits}\n")
}

#[tokio::test(start_paused = true)]
async fn p5_an_answer_lost_after_its_effect_is_one_effect() {
    let company = Company::new(DELETE);
    let prod = company.account(PROD);
    let key = company.stale_user(&prod, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 6).await;
    company.sim.fault(Rule::new(Fault::AnswerLost).action("iam:UpdateAccessKey"));
    company.days(&engine, 2).await;
    assert_eq!(company.sim.call_count(&prod, "iam:UpdateAccessKey"), 1);
    assert_eq!(state_of(&engine, &key), "deactivated");
    company.sim.clear_faults();
    company.sim.fault(Rule::new(Fault::AnswerLost).action("iam:DeleteAccessKey"));
    company.days(&engine, 16).await;
    assert_eq!(company.sim.call_count(&prod, "iam:DeleteAccessKey"), 1);
    assert_eq!(state_of(&engine, &key), "deleted");
}

#[tokio::test(start_paused = true)]
async fn p5_a_call_that_hangs_is_sent_once_and_the_key_is_held() {
    let company = Company::new(DELETE);
    let prod = company.account(PROD);
    let key = company.stale_user(&prod, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 6).await;
    company.sim.fault(Rule::new(Fault::Hang).action("iam:UpdateAccessKey").first(1));
    company.days(&engine, 1).await;
    assert_eq!(company.sim.call_count(&prod, "iam:UpdateAccessKey"), 1);
    assert_eq!((state_of(&engine, &key).as_str(), held(&engine, &key)), ("flagged", true));
    assert_eq!(company.status(&key), "Active");
}

#[tokio::test(start_paused = true)]
async fn p4_an_intent_left_open_by_a_crash_is_settled_by_reading() {
    for applied in [false, true] {
        let company = Company::new(DELETE);
        let prod = company.account(PROD);
        let key = company.stale_user(&prod, "svc-old", 200).keys[0].clone();
        let engine = company.begin().await;
        company.days(&engine, 6).await;
        // The process dies while it waits for the answer.
        let fault = if applied { Fault::LateAnswer(DAY) } else { Fault::Hang };
        company.sim.fault(Rule::new(fault).action("iam:UpdateAccessKey").first(1));
        tokio::time::advance(DAY).await;
        {
            let mut sweep = Box::pin(swept(&engine));
            while company.sim.call_count(&prod, "iam:UpdateAccessKey") == 0 {
                tokio::select! {
                    _ = &mut sweep => panic!("the sweep did not wait for the answer"),
                    () = tokio::time::sleep(std::time::Duration::from_millis(10)) => {}
                }
            }
        }
        assert_eq!(state_of(&engine, &key), "deactivating");
        engine.close().await.expect("it closes");
        drop(engine);

        let engine = company.open().await;
        assert_eq!(state_of(&engine, &key), "deactivating", "the intent is in the journal");
        swept(&engine).await;
        if !applied {
            assert_eq!(state_of(&engine, &key), "deactivating", "the call could still arrive");
            tokio::time::advance(std::time::Duration::from_secs(16 * 60)).await;
            swept(&engine).await;
        }
        let expected = if applied { "deactivated" } else { "flagged" };
        assert_eq!(state_of(&engine, &key), expected);
        assert_eq!(held(&engine, &key), !applied);
        assert_eq!(company.sim.call_count(&prod, "iam:UpdateAccessKey"), 1, "never retried blindly");
    }
}

/// A disk on which nothing more can be written once it is full.
#[derive(Debug, Clone, Default)]
struct FullDisk(Arc<AtomicBool>);

struct FullFile(Box<dyn JournalFile>, Arc<AtomicBool>);

impl Files for FullDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn JournalFile>> {
        Ok(Box::new(FullFile(Disk.create(path)?, Arc::clone(&self.0))))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn JournalFile>> {
        Ok(Box::new(FullFile(Disk.append(path)?, Arc::clone(&self.0))))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Disk.rename(from, to)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        Disk.sync_dir(dir)
    }
}

impl JournalFile for FullFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        // The disk fills up in the middle of the very entry that matters.
        let matters = [r#""event":"intent","#, r#""kind":"key_created","#];
        let text = String::from_utf8_lossy(bytes);
        if self.1.load(Ordering::SeqCst) && matters.iter().any(|entry| text.contains(entry)) {
            let half = bytes.get(..bytes.len() / 2).unwrap_or_default();
            self.0.write_all(half)?;
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        self.0.write_all(bytes)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.0.truncate(length)
    }
}

#[tokio::test(start_paused = true)]
async fn p4_an_intent_that_meets_a_full_disk_makes_no_call() {
    let company = Company::new(DELETE);
    let prod = company.account(PROD);
    let key = company.stale_user(&prod, "svc-old", 200).keys[0].clone();
    let disk = FullDisk::default();
    let options = OpenOptions { files: Arc::new(disk.clone()), ..OpenOptions::default() };
    let engine = company.open_with(options).await;
    ask(&engine, resume("begin")).await.expect("it is paused");
    swept(&engine).await;
    company.days(&engine, 6).await;
    disk.0.store(true, Ordering::SeqCst);
    company.days(&engine, 3).await;
    assert_eq!(company.sim.call_count(&prod, "iam:UpdateAccessKey"), 0);
    assert_eq!(state_of(&engine, &key), "flagged");
    disk.0.store(false, Ordering::SeqCst);
    company.days(&engine, 1).await;
    assert_eq!(company.status(&key), "Inactive", "with space again, it goes on");
    engine.close().await.expect("it closes");
    keysweep_store::verify(company.data_dir.path()).expect("the journal is whole");
}

#[tokio::test(start_paused = true)]
async fn p4_what_a_full_disk_did_not_take_is_looked_up_again() {
    let company = Company::new(DELETE);
    let prod = company.account(PROD);
    company.sim.user(&prod, "ci").add();
    let disk = FullDisk::default();
    let options = OpenOptions { files: Arc::new(disk.clone()), ..OpenOptions::default() };
    let engine = company.open_with(options).await;
    ask(&engine, resume("begin")).await.expect("it is paused");
    swept(&engine).await;
    let created = Happening::CreateKey { account: prod.clone(), user: "ci".to_owned(), key_id: None };
    company.sim.happen("ann", created);
    let mut idle = Idle::default();
    company.days(&engine, 1).await;
    let known = || engine.store().read(|state| state.creations().count());
    disk.0.store(true, Ordering::SeqCst);
    idle.look(&engine).await;
    disk.0.store(false, Ordering::SeqCst);
    assert_eq!(known(), 0);
    // By now, the call is older than what a lookup that was answered would go back to.
    company.days(&engine, 2).await;
    idle.look(&engine).await;
    assert_eq!(known(), 1);
    engine.close().await.expect("it closes");
}

#[tokio::test(start_paused = true)]
async fn p8_caps_hold_over_rolling_days_and_restarts() {
    let company = Company::new(&with_limits(
        "deactivations_per_day = 2\nchanges_per_account_per_day = 2\nsurge_keys = 100",
    ));
    let prod = company.account(PROD);
    for n in 0..6 {
        company.stale_user(&prod, &format!("svc-{n}"), 200);
    }
    let mut engine = company.begin().await;
    company.days(&engine, 6).await;
    for day in 1..=3 {
        company.days(&engine, 1).await;
        // A restart on the same day resets nothing.
        engine.close().await.expect("it closes");
        drop(engine);
        engine = company.open().await;
        swept(&engine).await;
        swept(&engine).await;
        assert_eq!(company.changes().len(), 2 * day);
    }
}

#[tokio::test(start_paused = true)]
async fn p8_a_surge_trips_the_breaker_and_a_reset_wants_the_count() {
    let company = Company::new(&with_limits("surge_keys = 3\nchanges_per_account_per_day = 50"));
    let prod = company.account(PROD);
    for n in 0..4 {
        company.stale_user(&prod, &format!("svc-{n}"), 200);
    }
    let engine = company.begin().await;
    company.days(&engine, 10).await;
    assert_eq!(company.changes(), Vec::<String>::new());
    let reset = |confirm: &str| {
        let confirm = confirm.to_owned();
        ResetBreaker { reason: "looked at them".into(), confirm }
    };
    let shown = look(&engine, ShowBreaker {}).await;
    assert_eq!((shown.keys.len(), shown.count), (4, 4));
    let confirm = shown.confirm.expect("it is open");
    let hash = confirm.strip_prefix("4-").expect("the count is in it");
    for wrong in ["4", "3", &format!("3-{hash}"), hash, "4-00000000", ""] {
        assert!(ask(&engine, reset(wrong)).await.is_err(), "{wrong}");
    }
    company.days(&engine, 1).await;
    assert_eq!(company.changes(), Vec::<String>::new());
    assert!(ask(&engine, reset(&confirm)).await.is_ok());
    company.days(&engine, 1).await;
    assert_eq!(company.changes().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn p8_changes_that_fail_in_three_accounts_trip_the_breaker_and_one_account_is_parked_alone() {
    let company = Company::new(&with_limits("failed_accounts = 3"));
    let accounts: Vec<String> =
        ["100000000001", "100000000002", "100000000003", "100000000004"].map(|id| company.account(id)).into();
    for account in &accounts {
        company.stale_user(account, "svc-old", 200);
        company.stale_user(account, "svc-older", 300);
    }
    company.sim.deny(Some(&accounts[0]), "iam:UpdateAccessKey");
    let engine = company.begin().await;
    company.days(&engine, 7).await;
    assert_eq!(
        company.sim.call_count(&accounts[0], "iam:UpdateAccessKey"),
        1,
        "parked after the first failure"
    );
    assert_eq!(company.changes().len(), 6, "the others go on");
    assert!(engine.store().read(|state| state.control().breaker.is_none()));

    let company = Company::new(&with_limits("failed_accounts = 3"));
    let accounts: Vec<String> =
        ["100000000001", "100000000002", "100000000003", "100000000004"].map(|id| company.account(id)).into();
    for account in &accounts {
        company.stale_user(account, "svc-old", 200);
    }
    for account in &accounts[..3] {
        company.sim.deny(Some(account), "iam:UpdateAccessKey");
    }
    let engine = company.open().await;
    company.days(&engine, 8).await;
    assert!(engine.store().read(|state| state.control().breaker.is_some()));
}

#[tokio::test(start_paused = true)]
async fn p8_after_a_pause_is_acknowledged_no_change_starts() {
    let company = Company::new(DELETE);
    let prod = company.account(PROD);
    company.stale_user(&prod, "svc-old", 200);
    let engine = company.begin().await;
    company.days(&engine, 6).await;
    assert!(ask(&engine, Pause { reason: "freeze".into() }).await.is_ok());
    company.days(&engine, 30).await;
    assert_eq!(company.changes(), Vec::<String>::new());
    assert!(ask(&engine, resume("thaw")).await.is_ok());
    company.days(&engine, 1).await;
    assert_eq!(company.changes().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn p10_a_new_data_dir_starts_paused_and_lists_inactive_keys_of_unknown_origin() {
    let company = Company::new(DELETE);
    let prod = company.account(PROD);
    let key = company.sim.user(&prod, "svc-off").key(company.used(200).inactive()).add().keys[0].clone();
    company.stale_user(&prod, "svc-old", 200);
    let engine = company.open_with(OpenOptions::default()).await;
    company.days(&engine, 20).await;
    assert_eq!(company.changes(), Vec::<String>::new());
    let plan = look(&engine, ShowPlan {}).await;
    assert!(plan.stopped.is_some());
    assert!(plan.inactive_of_unknown_origin.iter().any(|unknown| unknown.access_key_id == key));
}

#[tokio::test(start_paused = true)]
async fn p10_holds_and_denials_survive_the_loss_of_the_records() {
    let company = Company::new(DELETE);
    let prod = company.account(PROD);
    let key = company.stale_user(&prod, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 3).await;
    let (done, why) = decide(&engine, &key, Decision::Hold { length: None }).await;
    assert!(done, "{why}");
    engine.close().await.expect("it closes");
    drop(engine);
    std::fs::remove_dir_all(company.data_dir.path().join("records")).expect("the records are lost");
    let engine = company.open().await;
    company.days(&engine, 30).await;
    assert!(held(&engine, &key));
    assert_eq!(company.changes(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn p2_a_key_used_between_scan_and_change_is_not_changed() {
    let company = Company::new(DELETE);
    let prod = company.account(PROD);
    let key = company.stale_user(&prod, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 6).await;
    // The report of the day says stale; the key is used while the sweep that reads it is under way.
    tokio::time::advance(DAY).await;
    company
        .sim
        .fault(Rule::new(Fault::Delay(std::time::Duration::from_secs(2))).action("iam:GetUser").first(1));
    let mut sweep = Box::pin(swept(&engine));
    while company.sim.call_count(&prod, "iam:GetUser") < 2 {
        tokio::select! {
            _ = &mut sweep => break,
            () = tokio::time::sleep(std::time::Duration::from_millis(50)) => {}
        }
    }
    company.sim.use_key(&key, "s3", "us-east-1");
    sweep.await;
    assert_eq!(company.status(&key), "Active");
    assert_eq!(state_of(&engine, &key), "active");
}

#[tokio::test(start_paused = true)]
async fn p6_a_change_of_a_recreated_user_is_refused() {
    let company = Company::new(DELETE);
    let prod = company.account(PROD);
    let key = company.stale_user(&prod, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 2).await;
    company.sim.rename_user(&prod, "svc-old", "svc-moved");
    let other = company.stale_user(&prod, "svc-old", 1);
    company.days(&engine, 8).await;
    assert_eq!(company.status(&key), "Inactive");
    assert_eq!(company.status(&other.keys[0]), "Active");
    let users: Vec<_> = company.by_keysweep().filter_map(|change| change.user_name).collect();
    assert_eq!(users, ["svc-moved"]);
}

#[tokio::test(start_paused = true)]
async fn p9_a_key_whose_tags_cannot_be_read_waits() {
    let exempt = format!(
        "{DELETE}\n[[policy.exempt]]\nmatch = {{ user_tags = {{ keep = \"*\" }} }}\nreason = \"tagged\"\nuntil = \"2030-01-01\"\n"
    );
    let company = Company::new(&exempt);
    let prod = company.account(PROD);
    company.stale_user(&prod, "svc-old", 200);
    company.sim.fault(Rule::new(Fault::AccessDenied).action("iam:GetUser"));
    let engine = company.begin().await;
    company.days(&engine, 30).await;
    assert_eq!(company.changes(), Vec::<String>::new());
    assert_eq!(engine.store().read(|state| state.records().count()), 0, "no transition either");
}

#[tokio::test(start_paused = true)]
async fn built_in_protections_stop_incidents_and_ask_for_ses() {
    let company = Company::new(DELETE);
    let prod = company.account(PROD);
    let exposed = company.stale_user(&prod, "exposed", 200).keys[0].clone();
    company.sim.attach_policy(&prod, "exposed", "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3");
    let mail = company.stale_user(&prod, "ses-smtp-user.20240101-000000", 200).keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 10).await;
    assert_eq!(company.changes(), Vec::<String>::new());
    let (done, why) = approve(&engine, &mail).await;
    assert!(done, "{why}");
    company.days(&engine, 1).await;
    assert_eq!(company.status(&mail), "Inactive");
    assert_eq!(company.status(&exposed), "Active");
}

#[tokio::test(start_paused = true)]
async fn a_second_daemon_on_one_data_dir_is_refused() {
    let company = Company::new(DELETE);
    company.account(PROD);
    let engine = company.open().await;
    let second = Store::open(company.data_dir.path(), OpenOptions::default()).await;
    let Err(error @ OpenError::Locked { .. }) = second.map(drop) else { panic!("refused") };
    assert!(error.to_string().contains("in use") || error.to_string().contains("another"), "{error}");
    drop(engine);
}

#[tokio::test(start_paused = true)]
async fn an_operator_deactivates_and_deletes_by_name_with_a_full_grace() {
    let company =
        Company::new("scan.interval = \"24h\"\nscan.report_max_age = \"24h\"\n[notices]\nrequired = false\n");
    let prod = company.account(PROD);
    let key = company.stale_user(&prod, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 1).await;
    let (done, why) = decide(&engine, &key, Decision::Deactivate {}).await;
    assert!(done, "ordered by name, in observe: {why}");
    let (done, why) = delete(&engine, &key).await;
    assert!(!done && why.contains("seen Inactive"), "{why}");
    company.days(&engine, 15).await;
    assert_eq!(company.status(&key), "Inactive", "observe deletes nothing by itself");
    let (done, why) = delete(&engine, &key).await;
    assert!(done, "{why}");
    assert_eq!(company.status(&key), "deleted");
}
