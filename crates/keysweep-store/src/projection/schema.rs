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

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use jiff::Timestamp;
    use keysweep_core::facts::{Inventory, LastUse};
    use keysweep_core::lifecycle::{
        Approval, Deactivated, DeactivatedBy, Deleting, Due, ExemptMark, Finding, Granted, Hold, HoldKind,
        Incident, Notice, NoticeTerms, OpenIntent, Past, Sent, Setback, SetbackKind, Shown, Sighting, State,
        Watch,
    };
    use keysweep_core::state::{Actor, FindingCounts, Pause, Reach, Trip, TripReason};
    use keysweep_core::ticket::Action;

    use super::*;

    fn mk_at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    fn mk_last_use() -> LastUse {
        LastUse::At { at: mk_at(-5), service: Some("s3".into()), region: None }
    }

    /// A record in which every field holds something.
    fn mk_record() -> Record {
        let deactivated = Deactivated {
            origin: DeactivatedBy::Keysweep,
            since: mk_at(10),
            finding: Finding::NeverUsed,
            last_use: mk_last_use(),
            last_use_moved: true,
            watch: Watch {
                total: Duration::from_millis(86_400_500),
                last: Some(Sighting {
                    at: mk_at(11),
                    run: 3,
                    monotonic: Duration::from_secs(12),
                    interval: Duration::from_secs(3600),
                }),
            },
            notice: Some(Notice {
                at: mk_at(12),
                deactivation: Some(mk_at(13)),
                deletion: Some(mk_at(14)),
                terms: NoticeTerms {
                    threshold: Duration::from_secs(4),
                    notice: Duration::from_secs(2),
                    grace: Duration::from_secs(3),
                    approval: true,
                },
            }),
            approval: Some(Approval {
                number: 14,
                action: Action::Delete,
                asked_at: mk_at(14),
                expires: mk_at(15),
                repeats: 2,
                why: "policy".into(),
                shown: Shown {
                    user_name: "o'neil".parse().unwrap(),
                    finding: Finding::NeverUsed,
                    last_use: LastUse::Never,
                    keys_of_user: 2,
                    reactivated: 1,
                },
                granted: Some(Granted { by: Actor::local("ann"), reason: "unused".into(), at: mk_at(16) }),
            }),
            setback: Some(Setback {
                action: Action::Reactivate,
                at: mk_at(17),
                kind: SetbackKind::Refused,
                why: "throttled".into(),
            }),
        };
        let intent = |seq: u32| OpenIntent {
            seq: seq.into(),
            at: mk_at(seq.into()),
            deadline: mk_at(60),
            accepted: Some("a1b2".into()),
        };
        Record {
            identity: serde_json::from_str(
                r#"{"account":"000000000042","user_id":"AIDAEXAMPLE000000001","key":"AKIAEXAMPLE000000001",
                    "created":"2020-01-02T03:04:05Z"}"#,
            )
            .unwrap(),
            user_name: "o'neil,sean+x@corp".parse().unwrap(),
            state: State::Deleting(Deleting { deactivated, intent: intent(19) }),
            holds: vec![Hold {
                number: 20,
                kind: HoldKind::Operator,
                by: Actor::Local { user: "root".into(), login: Some("bob".into()) },
                reason: "wait".into(),
                since: mk_at(20),
                until: None,
            }],
            exempt: Some(ExemptMark {
                rule: "policy.exempt[1]".into(),
                reason: "r".into(),
                until: mk_at(21),
            }),
            incident: Some(Incident {
                policies: vec!["AWSCompromisedKeyQuarantineV3".into()],
                since: mk_at(6),
            }),
            due: Some(Due { action: Action::Delete, since: mk_at(22), accepted: true }),
            undo: Some(intent(18)),
            past: Past {
                sent: Some(Sent { seq: 8, at: mk_at(8) }),
                reactivated: 2,
                cleared: 1,
                deletion_accepted: true,
                announced: Some(mk_at(23)),
            },
        }
    }

    fn mk_account() -> AccountRecord {
        AccountRecord {
            name: "team-a".into(),
            ou_path: "Root/Teams".into(),
            reach: Reach::Failed { since: mk_at(1), reason: "denied".into() },
            last_success: Some(mk_at(0)),
            back_since: Some(mk_at(-1)),
            inventory: Inventory { users: 7, root_keys: Some(1), ..Inventory::default() },
            unknown_keys: 2,
            findings: FindingCounts { unused: 1, never_used: 2, over_age: 3, exempt: 4 },
        }
    }

    fn mk_control() -> Control {
        Control {
            pauses: vec![Pause {
                number: 7,
                by: Actor::local("ann"),
                reason: "new data_dir".into(),
                since: mk_at(1),
            }],
            breaker: Some(Trip { reason: TripReason::Surge { newly_due: 30, limit: 25 }, since: mk_at(2) }),
            accounts: Some(12),
            ..Control::default()
        }
    }

    /// The bytes that version 1 wrote. `KEYSWEEP_WRITE_GOLDEN=1` writes those that are missing, never others.
    fn golden(name: &str, now: &[u8]) -> Vec<u8> {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/schema-v1").join(name);
        if !path.exists() && std::env::var_os("KEYSWEEP_WRITE_GOLDEN").is_some() {
            std::fs::write(&path, hex::encode(now) + "\n").unwrap();
        }
        hex::decode(std::fs::read_to_string(path).unwrap().trim()).unwrap()
    }

    #[test]
    fn bytes_of_version_1_are_read_and_written() {
        let (record, account, control) = (mk_record(), mk_account(), mk_control());
        let bytes = encode_record(&record).unwrap();
        assert_eq!(decode_record(&golden("record.hex", &bytes)).unwrap(), record);
        assert_eq!(golden("record.hex", &bytes), bytes);
        let bytes = encode_account(&account).unwrap();
        assert_eq!(decode_account(&golden("account.hex", &bytes)).unwrap(), account);
        assert_eq!(golden("account.hex", &bytes), bytes);
        // JSON within: what is read counts, fields may have been added.
        let bytes = encode_control(&control).unwrap();
        assert_eq!(decode_control(&golden("control.hex", &bytes)).unwrap(), control);
        let bytes = encode_entry(r#"{"seq":1}"#).unwrap();
        assert_eq!(decode_entry(&golden("entry.hex", &bytes)).unwrap(), r#"{"seq":1}"#);
        let applied = Applied { seq: 300, hash: Hash::of(b"line") };
        let bytes = encode_applied(&applied).unwrap();
        assert_eq!(decode_applied(&golden("applied.hex", &bytes)).unwrap(), applied);
        let bytes = encode_version(1);
        assert_eq!(decode_version(&golden("version.hex", &bytes)).unwrap(), 1);
    }

    #[test]
    fn a_variant_of_a_later_version_is_an_error() {
        let mut bytes = encode_record(&mk_record()).unwrap();
        bytes[0] = 1;
        assert!(decode_record(&bytes).is_err());
        let mut bytes = encode_record(&mk_record()).unwrap();
        bytes.push(0);
        assert!(decode_record(&bytes).is_err(), "bytes left over");
    }

    #[test]
    fn a_damaged_version_is_an_error() {
        let mut bytes = encode_version(7);
        assert_eq!(decode_version(&bytes).unwrap(), 7);
        bytes[3] = 1;
        assert!(decode_version(&bytes).is_err());
    }
}
