//! Lines of the journal.

use std::path::{Path, PathBuf};

use keysweep_core::state::State;
use keysweep_store::verify;
use proptest::prelude::*;
use proptest::sample::Index;

use super::damage::{check, corpus, mk_damage};
use super::stage::{mk_stage, write_journal};

/// The journals of the corpus: one in a single segment, one in several.
const JOURNALS: [(&str, u64); 2] = [("story", u64::MAX), ("segments", 4_000)];

/// Segments of a journal, by name. `KEYSWEEP_WRITE_CORPUS=1` writes a journal that is missing, never another.
pub(crate) fn journal(name: &str, segment_bytes: u64) -> Vec<(String, Vec<u8>)> {
    let kind = format!("journal/{name}");
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/corpus").join(&kind);
    if !folder.exists() && std::env::var_os("KEYSWEEP_WRITE_CORPUS").is_some() {
        write_journal(&folder, segment_bytes);
    }
    corpus(&kind)
}

fn lines(segments: &[Vec<u8>]) -> Vec<Vec<u8>> {
    segments.concat().split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

fn write(folder: &Path, segments: &[(String, Vec<u8>)]) {
    std::fs::create_dir_all(folder.join("journal")).unwrap();
    for (name, bytes) in segments {
        std::fs::write(folder.join("journal").join(name), bytes).unwrap();
    }
}

#[test]
fn a_journal_of_the_corpus_is_whole() {
    for (name, segment_bytes) in JOURNALS {
        let segments = journal(name, segment_bytes);
        assert_eq!(segments.len() > 1, name == "segments", "{name}");
        let stage = mk_stage(&segments);
        assert_eq!(verify(stage.folder.path()).unwrap().torn_bytes, 0, "{name}");
        assert_eq!(stage.state, crate::organization::state(), "{name}");
    }
}

#[test]
fn a_damaged_journal_is_refused_or_whole_up_to_its_torn_end() {
    for (name, segment_bytes) in JOURNALS {
        let segments = journal(name, segment_bytes);
        let whole: Vec<Vec<u8>> = segments.iter().map(|(_, bytes)| bytes.clone()).collect();
        check(300, &(any::<Index>(), mk_damage()), |(which, damage)| {
            let (folder, mut segments) = (tempfile::tempdir().unwrap(), segments.clone());
            let which = which.index(segments.len());
            segments[which].1 = damage.done_to(&segments[which].1);
            write(folder.path(), &segments);
            let Ok(verified) = verify(folder.path()) else { return };
            let mut read: Vec<Vec<u8>> = segments.into_iter().map(|(_, bytes)| bytes).collect();
            let last = read.last_mut().unwrap();
            last.truncate(last.len() - usize::try_from(verified.torn_bytes).unwrap());
            // Nothing in the journal itself stands after its last line and tells what that was: the records do.
            let (read, whole) = (lines(&read), lines(&whole));
            assert!(whole.starts_with(&read[..read.len() - 1]), "{damage:?}");
        });
    }
}

#[test]
fn a_damaged_journal_beside_its_records_opens_with_the_same_state_or_not_at_all() {
    for (name, segment_bytes) in JOURNALS {
        let segments = journal(name, segment_bytes);
        let stage = mk_stage(&segments);
        check(32, &(any::<Index>(), mk_damage()), |(which, damage)| {
            let folder = stage.copy();
            let (name, bytes) = &segments[which.index(segments.len())];
            let damaged = damage.done_to(bytes);
            std::fs::write(folder.path().join("journal").join(name), &damaged).unwrap();
            match stage.open(folder.path(), |store, _| store.read(State::clone)) {
                Ok(state) => assert!(state == stage.state, "another state opened: {damage:?}"),
                Err(error) => assert!(damaged != *bytes, "{error}"),
            }
        });
    }
}

#[test]
fn bytes_that_are_no_journal_are_refused() {
    check(100, &prop::collection::vec(any::<u8>(), 1..500), |bytes| {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &[("00000000000000000001.jsonl".into(), bytes)]);
        assert!(verify(folder.path()).is_err());
    });
}
