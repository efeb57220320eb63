//! Records that are cut, flipped, missing or of another version: the journal has everything, and the repair is made by
//! itself wherever nothing can be lost by it.

use std::fs;
use std::path::Path;

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::stage::{Stage, mk_stage, names};

/// Files of the records, in the order of their names.
fn files(records: &Path) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = walk(records);
    files.sort();
    files
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

/// Damages each file of the records in turn; the key is known all the same, and the journal whole.
async fn damaged(stage: &Stage, damage: &mut dyn FnMut(&mut Vec<u8>)) {
    let backup = stage.backup();
    for file in files(&backup.path().join("records")) {
        stage.put_back(backup.path());
        let mut bytes = fs::read(&file).unwrap();
        if bytes.is_empty() {
            continue;
        }
        damage(&mut bytes);
        fs::write(stage.data().join(file.strip_prefix(backup.path()).unwrap()), bytes).unwrap();
        stage.knows_its_key().await;
    }
    let (code, _, messages) = stage.site.run(&["journal", "verify"]).await;
    assert_eq!(code, 0, "{messages}");
    stage.starts().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_are_cut_anywhere_are_made_anew() {
    let stage = mk_stage("").await;
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..4 {
        damaged(&stage, &mut |bytes| bytes.truncate(rng.random_range(0..bytes.len()))).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_with_a_bit_flipped_anywhere_are_made_anew_or_say_the_same() {
    let stage = mk_stage("").await;
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for _ in 0..8 {
        damaged(&stage, &mut |bytes| {
            let at = rng.random_range(0..bytes.len());
            bytes[at] ^= 1 << rng.random_range(0..8);
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_records_are_named_when_they_are_set_aside_and_kept() {
    let stage = mk_stage("").await;
    for file in files(&stage.data().join("records")) {
        let length = fs::metadata(&file).unwrap().len();
        fs::write(&file, vec![0xa5; usize::try_from(length).unwrap()]).unwrap();
    }
    let log = stage.starts().await;
    let aside = stage.data().join("records.damaged-1");
    names(&log, &aside);
    assert!(log.contains("rebuilt from the journal"), "{log}");
    assert!(aside.is_dir());
    stage.knows_its_key().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_records_are_made_anew_at_the_next_start() {
    let stage = mk_stage("").await;
    fs::remove_dir_all(stage.data().join("records")).unwrap();
    let log = stage.starts().await;
    assert!(log.contains("built from the journal") && log.contains("there was none"), "{log}");
    stage.knows_its_key().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_in_the_place_of_the_records_is_set_aside() {
    let stage = mk_stage("").await;
    fs::remove_dir_all(stage.data().join("records")).unwrap();
    fs::write(stage.data().join("records"), "a note to self").unwrap();
    let log = stage.starts().await;
    names(&log, &stage.data().join("records.damaged-1"));
    stage.knows_its_key().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_a_newer_version_are_refused_until_they_are_rebuilt() {
    let stage = mk_stage("").await;
    {
        let db = sled::open(stage.data().join("records")).unwrap();
        let mut version = 9_u32.to_be_bytes().to_vec();
        version.extend_from_slice(&crc32fast::hash(&version).to_be_bytes());
        db.open_tree("meta").unwrap().insert("schema", version).unwrap();
        db.flush().unwrap();
    }
    let message = stage.refuses().await;
    names(&message, &stage.data().join("records"));
    stage.repairs(&message).await;
    stage.starts().await;
    stage.knows_its_key().await;
}
