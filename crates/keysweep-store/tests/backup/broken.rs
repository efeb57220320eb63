//! What is refused.

use std::fs;
use std::os::unix::fs::FileExt;

use keysweep_store::inspect;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use crate::backup::support::{BUNDLES, entries, forge, in_words, mk_file, names, restored};

#[tokio::test]
async fn a_backup_that_is_cut_anywhere_is_refused() {
    let (_dir, file, bytes) = mk_file().await;
    let cut = fs::OpenOptions::new().write(true).open(&file).unwrap();
    for length in (0..bytes.len()).rev() {
        cut.set_len(length as u64).unwrap();
        let message = inspect(&file).unwrap_err().to_string();
        assert!(message.contains("is cut short") || message.contains("is no backup"), "{length}: {message}");
        assert!(message.contains(file.to_str().unwrap()), "{message}");
    }
    fs::write(&file, [&bytes[..], b"\n"].concat()).unwrap();
    assert!(inspect(&file).unwrap_err().to_string().contains("longer"));
}

#[tokio::test]
async fn a_bit_that_is_flipped_anywhere_in_a_backup_is_noticed() {
    let (_dir, file, bytes) = mk_file().await;
    let first = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    // Every bit of the first and of the last line, and any others.
    let ends = (0..first).chain(bytes.len() - 94..bytes.len());
    let bits: Vec<usize> = ends.flat_map(|byte| (0..8).map(move |bit| byte * 8 + bit)).collect();
    let open = fs::OpenOptions::new().write(true).open(&file).unwrap();
    let refused = |bit: usize| {
        let at = bit / 8;
        open.write_all_at(&[bytes[at] ^ (1 << (bit % 8))], at as u64).unwrap();
        let message = inspect(&file).map(|_| ()).expect_err("noticed").to_string();
        open.write_all_at(&bytes[at..=at], at as u64).unwrap();
        message
    };
    for bit in bits {
        refused(bit);
    }
    let config = ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(bit in first * 8..bytes.len() * 8)| {
        let message = refused(bit);
        prop_assert!(message.contains("altered"), "{}", message);
    });
}

#[tokio::test]
async fn a_backup_with_a_fitting_checksum_and_a_broken_journal_is_refused() {
    let (_dir, file, bytes) = mk_file().await;
    let text = String::from_utf8(bytes.clone()).unwrap();
    forge(&file, &bytes);
    inspect(&file).unwrap();
    forge(&file, text.replacen("looked through", "looked througH", 1).as_bytes());
    let message = inspect(&file).unwrap_err().to_string();
    assert!(message.contains("is broken at line") && message.contains("hash chain"), "{message}");
    // The last line, which no other names: the first line of the backup does.
    let last = text.rfind("0707\",\"purpose\"").unwrap();
    forge(&file, [&text[..last], "0708", &text[last + 4..]].concat().as_bytes());
    let message = inspect(&file).unwrap_err().to_string();
    assert!(message.contains("ends otherwise than its first line says"), "{message}");
}

#[tokio::test]
async fn a_backup_of_a_newer_keysweep_is_refused_by_its_name() {
    let (dir, file, bytes) = mk_file().await;
    let text = String::from_utf8(bytes).unwrap();
    let newer = text.replacen("\"v\":1,\"keysweep\":\"0.1.0\"", "\"v\":2,\"keysweep\":\"3.1.4\"", 1);
    forge(&file, newer.as_bytes());
    let message = restored(&dir.path().join("new"), &file, false).unwrap_err().to_string();
    assert!(message.contains("keysweep 3.1.4") && message.contains("format 2"), "{message}");
    assert!(!dir.path().join("new").exists());

    fs::write(&file, "{\"kind\":\"segment\"}\n").unwrap();
    assert!(inspect(&file).unwrap_err().to_string().contains("is no backup of keysweep"));
}

#[tokio::test]
async fn a_backup_with_an_entry_that_is_not_known_is_refused_and_nothing_is_touched() {
    let (dir, file, bytes) = mk_file().await;
    let text = String::from_utf8(bytes).unwrap();
    // One more entry, written as a newer version would, with every hash and number in order.
    let (body, _) = text.trim_end().rsplit_once('\n').unwrap();
    let bundles = String::from_utf8(BUNDLES.concat()).unwrap();
    let body = body.strip_suffix(bundles.trim_end()).unwrap().trim_end();
    let (_, head) = body.rsplit_once('\n').unwrap();
    let entry = format!(
        "{{\"seq\":14,\"at\":\"2026-01-01T00:00:00Z\",\"actor\":\"keysweep\",\"kind\":\"rotated\",\"prev\":\"{}\"}}",
        hex::encode(Sha256::digest(head))
    );
    let mut first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let last = first["segments"].as_array_mut().unwrap().last_mut().unwrap();
    last["bytes"] = (last["bytes"].as_u64().unwrap() + entry.len() as u64 + 1).into();
    (first["entries"], first["last_seq"]) = (14.into(), 14.into());
    first["head_hash"] = hex::encode(Sha256::digest(&entry)).into();
    first["keysweep"] = "0.9.0".into();
    let (_, rest) = body.split_once('\n').unwrap();
    forge(&file, format!("{first}\n{rest}\n{entry}\n{bundles}{{}}\n").as_bytes());
    inspect(&file).unwrap();
    let data = dir.path().join("data");
    let before = (names(&data), entries(&data));
    let message = in_words(&restored(&data, &file, true).unwrap_err());
    assert!(message.contains("keysweep 0.9.0") && message.contains("rotated"), "{message}");
    assert_eq!((names(&data), entries(&data)), before);
}
