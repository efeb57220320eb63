//! Values of the projection.

use std::path::PathBuf;

use keysweep_core::ids::AccessKeyId;
use keysweep_core::state::State;
use proptest::prelude::*;
use proptest::sample::select;

use super::damage::{check, mk_damage};
use super::journal::journal;
use super::stage::{Stage, mk_stage};

/// The key of the golden record.
const KEY: &str = "AKIAEXAMPLE000000001";

/// A value, with the tree and the name that it has its place under.
#[derive(Debug, Clone)]
struct Stored {
    tree: &'static str,
    name: Vec<u8>,
    bytes: Vec<u8>,
}

/// The samples of the store.
fn golden() -> Vec<Stored> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../crates/keysweep-store/testdata/values");
    let mk = |tree, name: &[u8], file: &str| {
        let bytes = std::fs::read(folder.join(file)).unwrap().trim_ascii_end().to_vec();
        Stored { tree, name: name.to_vec(), bytes }
    };
    let history = [KEY.as_bytes(), &[0], &7_u64.to_be_bytes()].concat();
    vec![
        mk("records", KEY.as_bytes(), "record.json"),
        mk("accounts", b"000000000042", "account.json"),
        mk("control", b"control", "control.json"),
        mk("meta", b"applied", "applied.json"),
        mk("history", &history, "entry.json"),
    ]
}

/// Puts a value into a projection as one piece with the right checksum: what decodes it must stand it.
fn put(folder: &std::path::Path, Stored { tree, name, bytes }: &Stored) {
    let key = [name.as_slice(), &[0, 0, 0]].concat();
    let body = [&1_u16.to_le_bytes(), bytes.as_slice()].concat();
    let checksum = crc32fast::hash(&[key.as_slice(), &body].concat());
    let db = sled::open(folder.join("records")).unwrap();
    db.open_tree(tree).unwrap().insert(key, [&checksum.to_le_bytes(), body.as_slice()].concat()).unwrap();
    db.flush().unwrap();
}

/// Opens a projection with this value in it; what came of the record of [`KEY`] where it was not rebuilt.
fn open(stage: &Stage, value: &Stored) -> Option<Option<keysweep_core::lifecycle::Record>> {
    let folder = stage.copy();
    put(folder.path(), value);
    let key: AccessKeyId = KEY.parse().unwrap();
    let seen = stage.open(folder.path(), |store, opened| {
        let _ = store.history(&key);
        if opened.rebuilt.is_some() {
            assert!(store.read(|state| *state == stage.state), "rebuilt from the journal: {opened:?}");
            return None;
        }
        for record in store.read(State::clone).records() {
            let found = store.read(|state| state.record(&record.identity.key).cloned());
            assert_eq!(found.as_ref(), Some(record), "under another name");
        }
        Some(store.read(|state| state.record(&key).cloned()))
    });
    // What cannot be told from a journal that lost its end is refused, and only that.
    seen.unwrap_or_else(|error| {
        assert_eq!(value.tree, "meta", "{error}");
        None
    })
}

fn mk() -> Stage {
    mk_stage(&journal("story", u64::MAX))
}

#[test]
fn golden_values_are_read() {
    let stage = mk();
    for value in golden() {
        let record = open(&stage, &value);
        assert_eq!(record.is_some(), value.tree != "meta", "{value:?}");
        let read = record.flatten().map(|record| record.identity.key.to_string());
        assert_eq!(read.as_deref(), (value.tree == "records").then_some(KEY));
    }
}

#[test]
fn a_record_under_the_name_of_another_is_not_believed() {
    let stage = mk();
    let mut value = golden().swap_remove(0);
    value.name = b"AKIAEXAMPLE000000002".to_vec();
    assert_eq!(open(&stage, &value), None);
}

#[test]
fn a_damaged_value_is_rebuilt_or_a_value_of_its_own_name() {
    let stage = mk();
    check(64, &(select(golden()), mk_damage()), |(mut value, damage)| {
        value.bytes = damage.done_to(&value.bytes);
        // A value of more than one piece is no longer this one.
        value.bytes.truncate(4_000);
        open(&stage, &value);
    });
}

#[test]
fn bytes_that_are_no_value_are_rebuilt_over() {
    let stage = mk();
    check(24, &(select(golden()), prop::collection::vec(any::<u8>(), 0..64)), |(mut value, bytes)| {
        value.bytes = bytes;
        open(&stage, &value);
    });
}
