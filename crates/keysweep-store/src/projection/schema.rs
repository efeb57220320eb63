//! The form of values: JSON, written by the same serializers of core as the snapshots in the journal.
//!
//! A later version therefore reads a record wherever it reads a snapshot of one: a new field needs a default, and
//! nothing here. Values that cannot be read are no loss: the projection is then rebuilt from the journal.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Damage;
use crate::hash::Hash;

/// The schema written, and the only one read. It goes up when what an earlier version wrote must not be taken, such
/// as records without a field that a replay of the journal fills. It also goes up for every field that restrains a
/// change: an earlier version that ran in between would have dropped it. 1 was never released, and counts as damaged.
pub(crate) const SCHEMA: u32 = 2;

/// The last entry that the projection covers. Every schema from 2 on has it in this form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Applied {
    pub(crate) seq: u64,
    pub(crate) hash: Hash,
}

pub(super) fn encode<T: Serialize>(value: &T, tree: &'static str) -> Result<Vec<u8>, Damage> {
    serde_json::to_vec(value).map_err(|_| Damage::Value { tree, problem: "cannot be encoded" })
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8], tree: &'static str) -> Result<T, Damage> {
    serde_json::from_slice(bytes).map_err(|_| undecodable(tree))
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

fn undecodable(tree: &'static str) -> Damage {
    Damage::Value { tree, problem: "has a form that this version does not know" }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use jiff::Timestamp;
    use keysweep_core::evidence::{Creation, TracedCall, UserChange};
    use keysweep_core::facts::{Fact, Inventory, LastUse, Place};
    use keysweep_core::finding::{Counts, FindingKind};
    use keysweep_core::lifecycle::event::Overlay;
    use keysweep_core::lifecycle::{
        Approval, Claim, Deactivated, DeactivatedBy, Deleting, Delivery, Due, ExemptMark, Granted, Hold,
        HoldKind, Incident, KeyEvent, NotNeeded, Notice, NoticeTerms, OpenIntent, OpenQuarantine, Past,
        PastQuarantine, Quarantine, Record, Sent, Setback, SetbackKind, Shown, Sighting, State, Watch, Woken,
    };
    use keysweep_core::owner::{Confidence, Contact, Listed, Owner, OwnerSource};
    use keysweep_core::quarantine::{QuarantinePolicy, UserBefore};
    use keysweep_core::state::{
        AccountRecord, Actor, Body, Control, Entry, GrantedExemption, Pause, Reach, Trip, TripReason,
    };
    use keysweep_core::ticket::{Action, Planned};
    use serde_json::Value;

    use super::*;

    fn mk_at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    fn mk_last_use() -> LastUse {
        LastUse::At { at: mk_at(-5), service: Some("s3".into()), region: None }
    }

    fn mk_owner() -> Owner {
        let listed = |name: &str| Listed {
            says: format!("{name}@example.com"),
            name: name.into(),
            manager: Some("Dana".into()),
        };
        Owner {
            name: "Dana".into(),
            source: OwnerSource::UserTags,
            confidence: Confidence::Medium,
            contact: Contact {
                email: Some("dana@example.com".parse().unwrap()),
                slack: Some("U024BE7LH".into()),
                webhook: Some("tickets".into()),
            },
            listed: Some(listed("dana")),
            left: Some(listed("lee")),
        }
    }

    /// A record in which every field holds something.
    fn mk_record() -> Record {
        let deactivated = Deactivated {
            origin: DeactivatedBy::Keysweep,
            since: mk_at(10),
            finding: FindingKind::NeverUsed,
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
            notice: Some(
                Notice {
                    at: mk_at(12),
                    deactivation: Some(mk_at(13)),
                    deletion: Some(mk_at(14)),
                    terms: NoticeTerms {
                        threshold: Duration::from_secs(4),
                        notice: Duration::from_secs(2),
                        grace: Duration::from_secs(3),
                        approval: true,
                    },
                    owner: Some("Dana".into()),
                    delivery: Delivery::Delivered { notice: 5, message: 6 },
                    reminded: Some(mk_at(15)),
                    decoy: true,
                }
                .into(),
            ),
            team_told: true,
            approval: Some(Box::new(Approval {
                number: 14,
                action: Planned::Delete,
                asked_at: mk_at(14),
                expires: mk_at(15),
                repeats: 2,
                why: "policy".into(),
                shown: Shown {
                    user_name: "o'neil".parse().unwrap(),
                    finding: FindingKind::NeverUsed,
                    last_use: LastUse::Never,
                    keys_of_user: 2,
                    reactivated: 1,
                    owner: Some("Dana".into()),
                },
                needed: 2,
                by_owner: true,
                granted: vec![Granted {
                    by: Actor::local("ann"),
                    reason: "unused".into(),
                    at: mk_at(16),
                    as_owner: true,
                }],
                claim: Some(Claim { by: Actor::local("bob"), until: mk_at(17) }),
            })),
            bundle: Some([9; 32].into()),
            setback: Some(
                Setback {
                    action: Action::Reactivate,
                    at: mk_at(17),
                    kind: SetbackKind::Refused,
                    why: "throttled".into(),
                }
                .into(),
            ),
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
            owner: Some(mk_owner().into()),
            state: State::Deleting(Deleting { deactivated, intent: intent(19) }.into()),
            holds: vec![Hold {
                number: 20,
                kind: HoldKind::Operator,
                by: Actor::Local { user: "root".into(), login: Some("bob".into()) },
                reason: "wait".into(),
                since: mk_at(20),
                until: None,
                ending: true,
            }],
            exempt: Some(
                ExemptMark {
                    rule: "policy.exempt[1]".into(),
                    reason: "r".into(),
                    until: mk_at(21),
                    ending: true,
                }
                .into(),
            ),
            incident: Some(Incident {
                policies: vec!["AWSCompromisedKeyQuarantineV3".into()],
                since: mk_at(6),
            }),
            due: Some(Due { action: Planned::Delete, since: mk_at(22), accepted: true }),
            undo: Some(intent(18).into()),
            quarantine: Some(Box::new(Quarantine {
                policy: QuarantinePolicy::default(),
                user_before: UserBefore {
                    user_name: "o'neil".parse().unwrap(),
                    path: "/ci/".into(),
                    keys: [("AKIAEXAMPLE000000002".parse().unwrap(), true)].into(),
                    policies: ["arn:aws:iam::aws:policy/ReadOnlyAccess".into()].into(),
                    password: true,
                },
                since: mk_at(5),
                attached: Some(mk_at(6)),
                settled_from: Some(mk_at(7)),
                interrupted: Some("a console password was set for the user".into()),
                completed: true,
                open: Some(OpenQuarantine::Detach(intent(21))),
            })),
            past: Past {
                sent: Some(Sent { seq: 8, at: mk_at(8), ordered: true }),
                owner_holds: 2,
                decoy: true,
                not_needed: Some(
                    NotNeeded { by: Actor::Link { owner: "Dana".into() }, at: mk_at(25) }.into(),
                ),
                reactivated: 2,
                cleared: 1,
                deletion_accepted: true,
                activity: None,
                woken: Some(Box::new(Woken {
                    since: mk_at(24),
                    call: Some(TracedCall {
                        at: mk_at(23),
                        by: "arn:aws:iam::000000000042:user/ann".into(),
                        address: Some("203.0.113.7".into()),
                        user_agent: None,
                        event_id: Some("e1".into()),
                    }),
                })),
                user_changes: vec![UserChange {
                    name: "AttachUserPolicy".into(),
                    call: TracedCall {
                        at: mk_at(26),
                        by: "arn:aws:iam::000000000042:user/ann".into(),
                        address: None,
                        user_agent: Some("aws-cli/2.31".into()),
                        event_id: Some("e2".into()),
                    },
                }],
                quarantined: Some(
                    PastQuarantine {
                        policy: QuarantinePolicy::default(),
                        attached: Some(mk_at(3)),
                        until: mk_at(4),
                        completed: true,
                    }
                    .into(),
                ),
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
            findings: Counts::new(
                [(FindingKind::Unused, 1), (FindingKind::NeverUsed, 2), (FindingKind::OverAge, 3)],
                4,
            ),
            place: Place {
                ous: Fact::Known(["r-ab12".parse().unwrap(), "ou-ab12-12345678".parse().unwrap()].into()),
                tags: Fact::Unknown("throttled".into()),
            },
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
            exemptions: vec![GrantedExemption {
                number: 9,
                account: "111122223333".parse().unwrap(),
                user_id: Some("AIDAEXAMPLE000000001".parse().unwrap()),
                user_name: "ci-deploy".parse().unwrap(),
                key: Some("AKIAIOSFODNN7EXAMPLE".parse().unwrap()),
                by: Actor::local("ann"),
                reason: "year end".into(),
                since: mk_at(3),
                until: mk_at(4),
            }],
            ..Control::default()
        }
    }

    /// A sample that later versions must read. `KEYSWEEP_WRITE_GOLDEN=1` writes those that are missing, never others.
    fn golden(name: &str, now: &[u8]) -> Vec<u8> {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/values").join(name);
        if !path.exists() && std::env::var_os("KEYSWEEP_WRITE_GOLDEN").is_some() {
            std::fs::write(&path, [now, b"\n"].concat()).unwrap();
        }
        std::fs::read(path).unwrap().trim_ascii_end().to_vec()
    }

    /// Whether all that the sample holds is there; fields may have been added.
    fn holds(now: &Value, sample: &Value) -> bool {
        match (now, sample) {
            (Value::Object(now), Value::Object(sample)) => {
                sample.iter().all(|(name, sample)| now.get(name).is_some_and(|now| holds(now, sample)))
            }
            _ => now == sample,
        }
    }

    /// The sample is read as the value, and no field of it has gone.
    fn keeps_its_form<T>(name: &str, value: &T)
    where
        T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
    {
        let bytes = encode(value, "test").unwrap();
        let sample = golden(name, &bytes);
        assert_eq!(&decode::<T>(&sample, "test").unwrap(), value);
        let (now, sample) = [bytes, sample].map(|json| decode::<Value>(&json, "test").unwrap()).into();
        assert!(holds(&now, &sample), "{now} was {sample}");
    }

    #[test]
    fn values_keep_their_form() {
        keeps_its_form("record.json", &mk_record());
        keeps_its_form("account.json", &mk_account());
        keeps_its_form("control.json", &mk_control());
        let call = mk_record().past.user_changes.remove(0).call;
        keeps_its_form("creation.json", &Creation { user_name: mk_record().user_name, call });
        keeps_its_form("applied.json", &Applied { seq: 300, hash: Hash::of(b"line") });
        let (key, account) = (mk_record().identity.key, "000000000042".parse().unwrap());
        let event = KeyEvent::Overlay(Overlay::HoldPlaced { reason: "wait".into(), until: None });
        let body = Body::Key { account, key, event };
        keeps_its_form("entry.json", &Entry { seq: 7, at: mk_at(7), actor: Actor::local("ann"), body });
        assert_eq!(hex::encode(encode_version(1)), "000000015643ef8a");
    }

    #[test]
    fn bytes_left_over_are_an_error() {
        let mut bytes = encode(&mk_record(), "records").unwrap();
        bytes.push(b'0');
        assert!(decode::<Record>(&bytes, "records").is_err());
    }

    #[test]
    fn a_damaged_version_is_an_error() {
        let mut bytes = encode_version(7);
        assert_eq!(decode_version(&bytes).unwrap(), 7);
        bytes[3] = 1;
        assert!(decode_version(&bytes).is_err());
    }
}
