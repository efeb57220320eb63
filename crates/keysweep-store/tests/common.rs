//! Builders and a disk that fails on demand.
#![allow(dead_code, unused_imports, unreachable_pub, missing_docs, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code outside of test functions")]

pub mod disk;

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use keysweep_core::facts::{Inventory, LastUse};
use keysweep_core::finding::FindingKind;
use keysweep_core::ids::{AccessKeyId, AccountId};
use keysweep_core::lifecycle::event::{Change, Consent, Note, Overlay, Purpose, Seen};
use keysweep_core::lifecycle::{KeyEvent, Named, NoticeTerms, Sighting};
use keysweep_core::state::{Actor, Body, State};
use keysweep_core::ticket::{Action, Origin};
use keysweep_store::{OpenOptions, Opened, Store};

pub fn mk_at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

pub fn mk_account(number: u64) -> AccountId {
    format!("{:012}", 111_122_223_000 + number).parse().unwrap()
}

pub fn mk_key_id(number: u64) -> AccessKeyId {
    format!("AKIAEXAMPLE{number:09}").parse().unwrap()
}

pub fn mk_last_use() -> LastUse {
    LastUse::At { at: mk_at(-9_000_000), service: Some("s3".into()), region: Some("eu-central-1".into()) }
}

pub fn mk_sighting(seconds: i64) -> Sighting {
    Sighting {
        at: mk_at(seconds),
        run: 1,
        monotonic: Duration::from_secs(seconds.unsigned_abs()),
        interval: Duration::from_secs(3600),
    }
}

pub fn mk_event(key: u64, event: KeyEvent) -> Body {
    Body::Key { account: mk_account(key % 2), key: mk_key_id(key), event }
}

pub fn mk_flagged(key: u64) -> Body {
    let named = Named {
        user_id: format!("AIDAEXAMPLE{key:09}").parse().unwrap(),
        user_name: format!("ci-{key}").parse().unwrap(),
        created: mk_at(-20_000_000),
    };
    mk_event(
        key,
        KeyEvent::Seen(Seen::Flagged { finding: FindingKind::Unused, named, last_use: mk_last_use() }),
    )
}

pub fn mk_noticed(key: u64) -> Body {
    let days = |n: u64| std::time::Duration::from_secs(n * 86_400);
    let terms = NoticeTerms { threshold: days(90), notice: days(7), grace: days(14), approval: false };
    let (deactivation, deletion) = (Some(mk_at(600_000)), Some(mk_at(1_000_000)));
    let (owner, send, decoy) = (None, false, false);
    mk_event(key, KeyEvent::Consent(Consent::Noticed { deactivation, deletion, terms, owner, send, decoy }))
}

pub fn mk_intent(key: u64, action: Action) -> Body {
    mk_event(
        key,
        KeyEvent::Change(Change::Intent {
            action,
            origin: Origin::Policy,
            why: "unused for 104 days".into(),
            deadline: mk_at(1_000_000),
            quarantine: None,
        }),
    )
}

/// The evidence bundle of a deletion was written.
pub fn mk_bundled(key: u64) -> Body {
    let (bundle, purpose) = ([7; 32].into(), Purpose::Deletion);
    mk_event(key, KeyEvent::Record(Note::BundleWritten { bundle, purpose }))
}

pub fn mk_deactivated(key: u64, seconds: i64) -> Body {
    let request_id = Some("a1b2".into());
    let (last_use, sighting) = (mk_last_use(), mk_sighting(seconds));
    mk_event(key, KeyEvent::Change(Change::Deactivated { request_id, last_use, sighting }))
}

pub fn mk_held(key: u64, reason: &str) -> Body {
    mk_event(key, KeyEvent::Overlay(Overlay::HoldPlaced { reason: reason.into(), until: None }))
}

pub fn mk_scanned(account: u64, seconds: i64, inactive: &[u64]) -> Body {
    Body::AccountScanned {
        account: mk_account(account),
        name: format!("team-{account}"),
        ou_path: "Root/Teams".into(),
        sighting: mk_sighting(seconds),
        inactive: inactive.iter().map(|key| mk_key_id(*key)).collect(),
        inventory: Inventory { users: 7, active_keys: 3, ..Inventory::default() },
        untold: std::collections::BTreeSet::new(),
        unknown_keys: 1,
        report_generated_at: Some(mk_at(seconds)),
        place: keysweep_core::facts::Place::default(),
    }
}

pub fn mk_started() -> Body {
    let (configuration, changed) = Default::default();
    Body::Started { version: "0.1.0".into(), run: 1, configuration, changed }
}

/// A life of two keys, one of them about to be deleted, and what restrains changes.
pub fn mk_story() -> Vec<Body> {
    vec![
        mk_started(),
        Body::Paused { reason: "new data_dir".into() },
        mk_flagged(1),
        mk_flagged(2),
        mk_noticed(1),
        Body::DueAccepted { keys: [mk_key_id(1), mk_key_id(2)].into() },
        Body::Resumed { pauses: [2].into(), reason: "looked through".into() },
        mk_intent(1, Action::Deactivate),
        mk_deactivated(1, 100),
        mk_scanned(1, 200, &[1]),
        mk_held(2, "still needed"),
        mk_scanned(1, 3000, &[1]),
        mk_bundled(1),
    ]
}

pub async fn mk_store(dir: &Path) -> Store {
    open(dir).await.0
}

pub async fn open(dir: &Path) -> (Store, Opened) {
    Store::open(dir, OpenOptions::default()).await.unwrap()
}

pub async fn refused(dir: &Path) -> String {
    let error = Store::open(dir, OpenOptions::default()).await.map(|_| ()).unwrap_err();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Appends each body on its own, a second apart.
pub async fn tell(store: &Store, bodies: Vec<Body>) {
    let from = i64::try_from(store.last_seq()).unwrap();
    for (second, body) in (from..).zip(bodies) {
        store.record(mk_at(second), &Actor::Keysweep, vec![body]).await.unwrap();
    }
}

pub fn state(store: &Store) -> State {
    store.read(State::clone)
}

/// The segments of a data_dir, oldest first.
pub fn segments(dir: &Path) -> Vec<std::path::PathBuf> {
    let files = std::fs::read_dir(dir.join("journal")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|e| e == "jsonl")).collect();
    files.sort();
    files
}

/// The records, opened beside keysweep. A thread of a database that was closed before lets go of its file only when it
/// is next scheduled, and sled does not wait for it.
pub fn records(dir: &Path) -> sled::Db {
    let path = dir.join("records");
    if let Ok(file) = std::fs::File::open(path.join("db")) {
        file.lock().unwrap();
    }
    sled::open(path).unwrap()
}

/// Name and JSON of each value in a tree of the records; none is larger than one piece.
pub fn values(dir: &Path, tree: &str) -> Vec<(Vec<u8>, String)> {
    let db = records(dir);
    let values = db.open_tree(tree).unwrap().iter().map(|pair| {
        let (key, piece) = pair.unwrap();
        let (name, suffix) = key.split_at(key.len() - 3);
        assert_eq!((suffix, &piece[4..6]), ([0, 0, 0].as_slice(), [1, 0].as_slice()), "one piece");
        (name.to_vec(), String::from_utf8(piece[6..].to_vec()).unwrap())
    });
    values.collect()
}

/// Puts a value into a tree of the records, as one piece with the right checksum.
pub fn put(dir: &Path, tree: &str, name: &[u8], json: &str) {
    let key = [name, &[0, 0, 0]].concat();
    let body = [&1_u16.to_le_bytes(), json.as_bytes()].concat();
    let checksum = crc32fast::hash(&[key.as_slice(), &body].concat());
    let db = records(dir);
    db.open_tree(tree).unwrap().insert(key, [&checksum.to_le_bytes(), body.as_slice()].concat()).unwrap();
    db.flush().unwrap();
}

/// Says that the records have another schema.
pub fn put_schema(dir: &Path, schema: u32) {
    let mut version = schema.to_be_bytes().to_vec();
    version.extend_from_slice(&crc32fast::hash(&version).to_be_bytes());
    let db = records(dir);
    db.open_tree("meta").unwrap().insert("schema", version).unwrap();
    db.flush().unwrap();
}

/// Copies a data_dir, as a crash or a backup would leave it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
