//! Stored forms, by version. Append only: a variant that was ever released keeps its place and its bytes.
//!
//! postcard writes fields in order and without names, so that any change of a type within a variant changes its
//! bytes: `testdata/` holds bytes of every version, and a test reads them. What changed becomes the next variant,
//! the old form is kept beside it with a conversion, and [`SCHEMA`] goes up where a version before could not read it.
//!
//! What is tagged inside in JSON (entries, and the trip reason within control) has no postcard form and is kept as
//! JSON text.

use keysweep_core::lifecycle::Record;
use keysweep_core::state::{AccountRecord, Control};
use serde::{Deserialize, Serialize};

use super::Damage;
use crate::hash::Hash;

/// The schema written. A version reads this and every one before it.
pub(crate) const SCHEMA: u32 = 1;

/// The last entry that the projection covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Applied {
    pub(crate) seq: u64,
    pub(crate) hash: Hash,
}

#[derive(Serialize, Deserialize)]
enum StoredRecord<R = Record> {
    V1(R),
}

#[derive(Serialize, Deserialize)]
enum StoredAccount<A = AccountRecord> {
    V1(A),
}

/// JSON of [`Control`].
#[derive(Serialize, Deserialize)]
enum StoredControl {
    V1(String),
}

/// JSON of an entry.
#[derive(Serialize, Deserialize)]
enum StoredEntry<S = String> {
    V1(S),
}

#[derive(Serialize, Deserialize)]
enum StoredApplied {
    V1 { seq: u64, hash: [u8; 32] },
}

pub(super) fn encode_record(record: &Record) -> Result<Vec<u8>, Damage> {
    encode(&StoredRecord::V1(record), "records")
}

pub(super) fn decode_record(bytes: &[u8]) -> Result<Record, Damage> {
    let StoredRecord::V1(record) = decode(bytes, "records")?;
    Ok(record)
}

pub(super) fn encode_account(account: &AccountRecord) -> Result<Vec<u8>, Damage> {
    encode(&StoredAccount::V1(account), "accounts")
}

pub(super) fn decode_account(bytes: &[u8]) -> Result<AccountRecord, Damage> {
    let StoredAccount::V1(account) = decode(bytes, "accounts")?;
    Ok(account)
}

pub(super) fn encode_control(control: &Control) -> Result<Vec<u8>, Damage> {
    let json = serde_json::to_string(control);
    encode(&StoredControl::V1(json.map_err(|_| unencodable("control"))?), "control")
}

pub(super) fn decode_control(bytes: &[u8]) -> Result<Control, Damage> {
    let StoredControl::V1(json) = decode(bytes, "control")?;
    serde_json::from_str(&json).map_err(|_| undecodable("control"))
}

pub(super) fn encode_entry(json: &str) -> Result<Vec<u8>, Damage> {
    encode(&StoredEntry::V1(json), "history")
}

pub(super) fn decode_entry(bytes: &[u8]) -> Result<String, Damage> {
    let StoredEntry::V1(json) = decode(bytes, "history")?;
    Ok(json)
}

pub(super) fn encode_applied(applied: &Applied) -> Result<Vec<u8>, Damage> {
    encode(&StoredApplied::V1 { seq: applied.seq, hash: applied.hash.bytes() }, "meta")
}

pub(super) fn decode_applied(bytes: &[u8]) -> Result<Applied, Damage> {
    let StoredApplied::V1 { seq, hash } = decode(bytes, "meta")?;
    Ok(Applied { seq, hash: Hash::from_bytes(hash) })
}

/// The schema version with its checksum: in a form that no later version may change, since it is read first.
pub(super) fn encode_version(version: u32) -> [u8; 8] {
    let mut bytes = [0; 8];
    let (number, crc) = bytes.split_at_mut(4);
    number.copy_from_slice(&version.to_be_bytes());
    crc.copy_from_slice(&crc32fast::hash(number).to_be_bytes());
    bytes
}

pub(super) fn decode_version(bytes: &[u8]) -> Result<u32, Damage> {
    let whole = <[u8; 8]>::try_from(bytes).ok();
    let number = whole.and_then(|bytes| bytes.first_chunk::<4>().map(|number| u32::from_be_bytes(*number)));
    number.filter(|number| encode_version(*number) == bytes).ok_or(undecodable("meta"))
}

fn encode<T: Serialize>(value: &T, tree: &'static str) -> Result<Vec<u8>, Damage> {
    postcard::to_stdvec(value).map_err(|_| unencodable(tree))
}

fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8], tree: &'static str) -> Result<T, Damage> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok(_) | Err(_) => Err(undecodable(tree)),
    }
}

fn unencodable(tree: &'static str) -> Damage {
    Damage::Value { tree, problem: "cannot be encoded" }
}

fn undecodable(tree: &'static str) -> Damage {
    Damage::Value { tree, problem: "has a form that this version does not know" }
}
