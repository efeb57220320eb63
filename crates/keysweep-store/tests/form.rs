//! The form of records: JSON as in the snapshots of the journal, of one schema.

use std::path::Path;

use crate::common::{
    copy, mk_account, mk_flagged, mk_held, mk_key_id, mk_started, mk_store, mk_story, open, put, put_schema,
    refused, segments, state, tell, values,
};
use keysweep_core::state::State;
use keysweep_store::{OpenOptions, Store};
use serde_json::Value;

/// A closed data_dir with a story in it, and what it told.
async fn mk_closed(dir: &Path) -> State {
    let store = mk_store(dir).await;
    tell(&store, mk_story()).await;
    let state = state(&store);
    store.close().await.unwrap();
    state
}

/// Changes the fields of a record in the records.
fn edit(dir: &Path, key: u64, edit: impl Fn(&mut serde_json::Map<String, Value>)) {
    let name = mk_key_id(key).to_string();
    let (_, json) = values(dir, "records").into_iter().find(|(found, _)| found == name.as_bytes()).unwrap();
    let mut record: Value = serde_json::from_str(&json).unwrap();
    edit(record.as_object_mut().unwrap());
    put(dir, "records", name.as_bytes(), &record.to_string());
}

#[tokio::test]
async fn records_hold_the_same_json_as_a_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    mk_closed(dir.path()).await;
    // The journal is full at once, and begins a segment with a snapshot of all that the story told.
    let options = OpenOptions { segment_bytes: 1, ..OpenOptions::default() };
    let store = Store::open(dir.path(), options).await.unwrap().0;
    tell(&store, vec![mk_started()]).await;
    store.close().await.unwrap();
    let snapshot = std::fs::read_to_string(segments(dir.path()).last().unwrap()).unwrap();
    let said = |start: &str| snapshot.lines().filter(|line| line.starts_with(start)).count();
    let holds = |form: &str| assert!(snapshot.contains(form), "{form} is not in {snapshot}");
    let records = values(dir.path(), "records");
    assert_eq!((records.len(), said(r#"{"kind":"snapshot_record","#)), (2, 2));
    for (_, json) in records {
        holds(&format!(r#"{{"kind":"snapshot_record","record":{json},"prev":"#));
    }
    let accounts = values(dir.path(), "accounts");
    assert_eq!((accounts.len(), said(r#"{"kind":"snapshot_account","#)), (1, 1));
    for (name, json) in accounts {
        assert_eq!(name, mk_account(1).to_string().as_bytes());
        holds(&format!(
            r#"{{"kind":"snapshot_account","account_id":"{}","account":{json},"prev":"#,
            mk_account(1)
        ));
    }
    let control = values(dir.path(), "control");
    holds(&format!(r#"{{"kind":"snapshot_control","control":{},"prev":"#, control[0].1));
}

#[tokio::test]
async fn histories_hold_the_entries_of_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    mk_closed(dir.path()).await;
    let journal = std::fs::read_to_string(&segments(dir.path())[0]).unwrap();
    let mut found = 0;
    for (_, json) in values(dir.path(), "history") {
        // An entry about several keys is narrowed to each.
        if !json.contains("due_accepted") {
            let line = format!(r#"{},"prev":"#, json.strip_suffix('}').unwrap());
            assert!(journal.contains(&line), "{json} is not in {journal}");
            found += 1;
        }
    }
    assert_eq!(found, 7);
}

#[tokio::test]
async fn a_field_with_a_default_needs_no_migration() {
    let dir = tempfile::tempdir().unwrap();
    let before = mk_closed(dir.path()).await;
    // As a version before the field `incident` wrote it, and as a later one with a field more.
    edit(dir.path(), 1, |record| assert!(record.remove("incident").is_some()));
    edit(dir.path(), 2, |record| assert!(record.insert("since_then".into(), true.into()).is_none()));
    let (store, opened) = open(dir.path()).await;
    assert_eq!((state(&store), opened.rebuilt, opened.caught_up), (before, None, 0));
}

#[tokio::test]
async fn a_value_without_a_field_that_it_needs_is_rebuilt() {
    let dir = tempfile::tempdir().unwrap();
    let before = mk_closed(dir.path()).await;
    edit(dir.path(), 1, |record| assert!(record.remove("state").is_some()));
    let (store, opened) = open(dir.path()).await;
    assert_eq!(
        opened.rebuilt.as_deref(),
        Some("value in records: has a form that this version does not know")
    );
    assert_eq!(state(&store), before);
    assert_eq!(store.errors().read, 1);
}

#[tokio::test]
async fn an_older_schema_is_rebuilt_without_an_alert() {
    let dir = tempfile::tempdir().unwrap();
    let before = mk_closed(dir.path()).await;
    // What an older schema holds is not believed, however well it reads.
    edit(dir.path(), 2, |record| assert!(record.insert("holds".into(), Value::Array(Vec::new())).is_some()));
    put_schema(dir.path(), 1);
    let (store, opened) = open(dir.path()).await;
    assert_eq!(opened.rebuilt.as_deref(), Some("it has schema 1, and this version writes 2"));
    assert_eq!((state(&store), store.errors().read), (before.clone(), 0));
    assert_eq!(store.history(&mk_key_id(1)).unwrap().len(), 6);
    assert!(dir.path().join("records.replaced-1/db").exists());
    store.close().await.unwrap();
    let (store, opened) = open(dir.path()).await;
    assert_eq!((state(&store), opened.rebuilt, opened.caught_up), (before, None, 0));
}

#[tokio::test]
async fn an_older_schema_still_shows_that_the_journal_lost_its_end() {
    let dir = tempfile::tempdir().unwrap();
    mk_closed(dir.path()).await;
    let old = tempfile::tempdir().unwrap();
    copy(&dir.path().join("journal"), &old.path().join("journal"));
    let store = mk_store(dir.path()).await;
    tell(&store, vec![mk_flagged(3)]).await;
    store.close().await.unwrap();
    put_schema(dir.path(), 1);
    std::fs::remove_dir_all(dir.path().join("journal")).unwrap();
    copy(&old.path().join("journal"), &dir.path().join("journal"));
    // Once more: a refusal removes nothing that it rests on.
    for _ in 0..2 {
        let message = refused(dir.path()).await;
        assert!(message.contains("the records know entry 14, the journal ends at 13"), "{message}");
    }
    // Nor is a journal that went another way taken for this one.
    let store = mk_store(&dir.path().join("elsewhere")).await;
    tell(&store, mk_story().into_iter().chain([mk_held(1, "another way")]).collect()).await;
    store.close().await.unwrap();
    std::fs::remove_dir_all(dir.path().join("journal")).unwrap();
    copy(&dir.path().join("elsewhere/journal"), &dir.path().join("journal"));
    let message = refused(dir.path()).await;
    assert!(message.contains("the records know another entry 14 than the journal"), "{message}");
}

#[tokio::test]
async fn a_newer_schema_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    mk_closed(dir.path()).await;
    put_schema(dir.path(), 3);
    let message = refused(dir.path()).await;
    assert!(message.contains("have schema 3, this keysweep knows up to 2"), "{message}");
}
