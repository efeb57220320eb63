//! What the journal and the store keep can be read back, byte for byte the same.

use std::collections::BTreeSet;
use std::time::Duration;

use keysweep_core::evidence::{Creation, TracedCall, UserChange};
use keysweep_core::facts::{Fact, IdleHistogram, Inventory, LastUse, Place};
use keysweep_core::finding::{Counts, FindingKind};
use keysweep_core::lifecycle::event::{Change, Consent, Note, Overlay, Purpose, Seen};
use keysweep_core::lifecycle::{ClearedWhy, KeyEvent, Named, NoticeTerms, Record, RefusedKind, Shown};
use keysweep_core::notice::{Address, Audience, ItemId, Posted, Recipient};
use keysweep_core::owner::{Confidence, Contact, Listed, Owner, OwnerSource};
use keysweep_core::quarantine::{QuarantinePolicy, UserBefore};
use keysweep_core::references::{Reference, ReferenceCleared};
use keysweep_core::state::{Actor, Body, Configuration, Entry, State, Term, TripReason};
use keysweep_core::ticket::{Action, Attachment, Origin, Planned};
use proptest::prelude::*;
use strum::VariantArray as _;

use crate::mk::*;

/// Values that events are filled with.
#[derive(Debug, Clone)]
pub(crate) struct Fill {
    pub(crate) hour: i64,
    pub(crate) action: Action,
    pub(crate) text: String,
    pub(crate) flag: bool,
    pub(crate) number: u32,
    pub(crate) last_use: LastUse,
}

pub(crate) fn fills() -> impl Strategy<Value = Fill> {
    let action = prop::sample::select(Action::VARIANTS);
    let last_use = prop_oneof![
        Just(LastUse::Never),
        (-200..40i64).prop_map(|at| used_at(day(at))),
        (-200..40i64).prop_map(|at| LastUse::At {
            at: day(at),
            service: Some("ses".into()),
            region: Some("eu-west-1".into())
        }),
    ];
    let text = "[ -~äß\\u{1F511}\n\"]{0,12}";
    (-100..900i64, action, text, any::<bool>(), 0..5u32, last_use).prop_map(
        |(hour, action, text, flag, number, last_use)| Fill { hour, action, text, flag, number, last_use },
    )
}

pub(crate) fn mk_named(key: usize) -> Named {
    let facts = mk_key(key);
    Named {
        user_id: facts.user_id.known().unwrap().clone(),
        user_name: facts.user_name,
        created: facts.created,
    }
}

pub(crate) const EVENTS: usize = 52;

/// The n-th kind of event of a key. [`index`] keeps the list complete.
pub(crate) fn mk_event(n: usize, key: usize, fill: &Fill) -> KeyEvent {
    let Fill { hour, action, text, flag, number, last_use } = fill.clone();
    let at = hours(hour);
    let finding = if flag { FindingKind::Unused } else { FindingKind::NeverUsed };
    let sighting = mk_sighting(at);
    let request_id = flag.then(|| text.clone());
    let planned = action.planned().unwrap_or(Planned::Deactivate);
    let kinds = [RefusedKind::Denied, RefusedKind::Throttled, RefusedKind::Transient, RefusedKind::Other];
    let whys = [ClearedWhy::UsedAgain, ClearedWhy::NoLongerStale, ClearedWhy::InactiveElsewhere];
    let origin = if flag {
        Origin::Policy
    } else {
        Origin::Operator { actor: Actor::local("ada"), reason: text.clone() }
    };
    match n {
        0 => KeyEvent::Seen(Seen::Flagged { finding, named: mk_named(key), last_use }),
        1 => KeyEvent::Seen(Seen::Cleared { why: whys[number as usize % 3] }),
        2 => KeyEvent::Seen(Seen::Adopted { last_use, sighting }),
        3 => KeyEvent::Consent(Consent::Noticed {
            deactivation: flag.then_some(at),
            deletion: (action == Action::Delete).then_some(at),
            terms: NoticeTerms {
                threshold: days(90 * number),
                notice: days(7 * number),
                grace: days(14 * number),
                approval: !flag,
            },
            owner: flag.then_some(text),
            send: number == 1,
            decoy: number == 2,
        }),
        4 => KeyEvent::Consent(Consent::NoticeVoided { why: text, keeps: flag.then_some(at) }),
        5 => {
            let user_name = mk_key(key).user_name;
            let owner = flag.then(|| text.clone());
            let shown = Shown { user_name, finding, last_use, keys_of_user: 1, reactivated: number, owner };
            KeyEvent::Consent(Consent::ApprovalAsked {
                action: planned,
                expires: at,
                repeats: number,
                why: text,
                needed: number,
                by_owner: flag,
                shown,
            })
        }
        6 => {
            KeyEvent::Consent(Consent::Approved { action: planned, request: 1, reason: text, as_owner: flag })
        }
        7 => KeyEvent::Consent(Consent::Denied { action: planned, request: 1, reason: text, hold_until: at }),
        8 => KeyEvent::Consent(Consent::ApprovalUnanswered { action: planned }),
        9 => KeyEvent::Consent(Consent::ApprovalVoided { why: text }),
        10 => KeyEvent::Record(Note::BecameDue { action: planned }),
        11 => KeyEvent::Record(Note::NotDue),
        12 => KeyEvent::Change(Change::Intent {
            action,
            origin,
            why: text,
            deadline: mk_deadline(at),
            quarantine: flag.then(|| mk_attachment(key)),
        }),
        13 => KeyEvent::Change(Change::Deactivated { request_id, last_use, sighting }),
        14 => KeyEvent::Change(Change::Undone { request_id, hold_until: at }),
        15 => KeyEvent::Change(Change::Deleted { request_id }),
        16 => KeyEvent::Change(Change::Refused { action, kind: kinds[number as usize % 4], detail: text }),
        17 => KeyEvent::Change(Change::Unclear { action, accepted: flag, detail: text }),
        18 => KeyEvent::Seen(Seen::Reactivated { hold_until: at }),
        19 => KeyEvent::Seen(Seen::LastUseMoved { last_use }),
        20 => KeyEvent::Seen(Seen::Absent),
        21 => KeyEvent::Seen(Seen::SeenAgain),
        22 => KeyEvent::Seen(Seen::ListedAfterDeletion),
        23 => KeyEvent::Record(Note::Renamed { user_name: mk_key(key).user_name }),
        24 => KeyEvent::Overlay(Overlay::HoldPlaced { reason: text, until: flag.then_some(at) }),
        25 => KeyEvent::Overlay(Overlay::HoldReleased { hold: 1, reason: text }),
        26 => KeyEvent::Overlay(Overlay::HoldExpired { hold: 1 }),
        27 => KeyEvent::Overlay(Overlay::ExemptBegan {
            rule: "policy.exempt[1]".into(),
            reason: text,
            until: at,
        }),
        28 => KeyEvent::Overlay(Overlay::ExemptEnded),
        29 => KeyEvent::Record(Note::Forgotten { unsettled: flag.then_some(action), reason: text }),
        30 => KeyEvent::Change(Change::Accepted { action, request_id: text }),
        31 => KeyEvent::Record(Note::ReactivationsCleared { reason: text }),
        32 => KeyEvent::Overlay(Overlay::IncidentBegan { policies: vec![text] }),
        33 => KeyEvent::Overlay(Overlay::IncidentEnded),
        34 => KeyEvent::Record(Note::ActivitySeen { activity: mk_activity(at) }),
        36 => KeyEvent::Record(Note::ReactivationTraced { reactivation: mk_call(fill) }),
        35 => KeyEvent::Record(Note::BundleWritten {
            bundle: format!("{number:064x}").parse().unwrap(),
            purpose: if flag { Purpose::Deletion } else { Purpose::Request },
        }),
        37 => KeyEvent::Change(Change::Quarantined { request_id }),
        38 => KeyEvent::Change(Change::QuarantineEnded { request_id, hold_until: (!flag).then_some(at) }),
        39 => KeyEvent::Seen(Seen::UsedInQuarantine { last_use, hold_until: at }),
        40 => KeyEvent::Seen(Seen::QuarantineRemoved),
        41 => KeyEvent::Overlay(Overlay::QuarantineInterrupted { why: text, hold_until: flag.then_some(at) }),
        42 => KeyEvent::Record(Note::UserChanged {
            change: UserChange { name: "AttachUserPolicy".into(), call: mk_call(fill) },
        }),
        43 => KeyEvent::Record(Note::OwnerFound { owner: flag.then(|| mk_owner(fill).into()) }),
        44 => KeyEvent::Consent(Consent::NoticeDelivered {
            notice: 1,
            message: u64::from(number),
            to: text,
            via: mk_address(flag),
        }),
        45 => KeyEvent::Consent(Consent::NoticeUndelivered {
            notice: 1,
            message: flag.then_some(u64::from(number)),
            why: text,
        }),
        46 => KeyEvent::Consent(Consent::ReminderDue { action: planned }),
        47 => KeyEvent::Consent(Consent::OwnerMissing { decoy: flag }),
        48 => KeyEvent::Overlay(Overlay::HoldEnding { hold: 1 }),
        49 => KeyEvent::Overlay(Overlay::ExemptEnding),
        50 => KeyEvent::Record(Note::NoLongerNeeded),
        51 => KeyEvent::Consent(Consent::Claimed { action: planned, request: 1, until: at }),
        _ => panic!("no such event"),
    }
}

fn mk_call(fill: &Fill) -> TracedCall {
    let text = || fill.text.clone();
    TracedCall {
        at: hours(fill.hour),
        by: text(),
        address: fill.flag.then(text),
        user_agent: fill.flag.then(text),
        event_id: None,
    }
}

fn mk_owner(fill: &Fill) -> Owner {
    let text = || fill.text.clone();
    let listed = Listed { says: text(), name: text(), manager: (fill.number == 1).then(text) };
    let (low, high) = (fill.number == 0, fill.number == 2);
    Owner {
        name: text(),
        source: if low { OwnerSource::Default } else { OwnerSource::UserTags },
        confidence: if low { Confidence::Low } else { Confidence::High },
        contact: Contact {
            email: high.then(|| "dana@example.com".parse().unwrap()),
            slack: low.then(text),
            webhook: None,
        },
        listed: high.then(|| listed.clone()),
        left: low.then_some(listed),
    }
}

fn mk_attachment(key: usize) -> Box<Attachment> {
    let user_before = UserBefore {
        user_name: mk_key(key).user_name,
        path: "/ci/".into(),
        keys: [(mk_key_id(90), true)].into(),
        policies: ["arn:aws:iam::aws:policy/ReadOnlyAccess".into()].into(),
        password: true,
    };
    Box::new(Attachment { policy: QuarantinePolicy::default(), user_before })
}

fn mk_actor(fill: &Fill) -> Actor {
    let name = || fill.text.clone();
    match fill.number % 6 {
        0 => Actor::Keysweep,
        1 => Actor::Local { user: name(), login: fill.flag.then(name) },
        2 => Actor::token(name()),
        3 => Actor::Oidc { subject: name(), name: name() },
        4 => Actor::Slack { id: name(), name: name() },
        _ => Actor::Link { owner: name() },
    }
}

/// Where an event stands in [`mk_event`]: a new variant does not compile until it has its place in both.
fn index(event: &KeyEvent) -> usize {
    match event {
        KeyEvent::Seen(Seen::Flagged { .. }) => 0,
        KeyEvent::Seen(Seen::Cleared { .. }) => 1,
        KeyEvent::Seen(Seen::Adopted { .. }) => 2,
        KeyEvent::Consent(Consent::Noticed { .. }) => 3,
        KeyEvent::Consent(Consent::NoticeVoided { .. }) => 4,
        KeyEvent::Consent(Consent::ApprovalAsked { .. }) => 5,
        KeyEvent::Consent(Consent::Approved { .. }) => 6,
        KeyEvent::Consent(Consent::Denied { .. }) => 7,
        KeyEvent::Consent(Consent::ApprovalUnanswered { .. }) => 8,
        KeyEvent::Consent(Consent::ApprovalVoided { .. }) => 9,
        KeyEvent::Record(Note::BecameDue { .. }) => 10,
        KeyEvent::Record(Note::NotDue) => 11,
        KeyEvent::Change(Change::Intent { .. }) => 12,
        KeyEvent::Change(Change::Deactivated { .. }) => 13,
        KeyEvent::Change(Change::Undone { .. }) => 14,
        KeyEvent::Change(Change::Deleted { .. }) => 15,
        KeyEvent::Change(Change::Refused { .. }) => 16,
        KeyEvent::Change(Change::Unclear { .. }) => 17,
        KeyEvent::Seen(Seen::Reactivated { .. }) => 18,
        KeyEvent::Seen(Seen::LastUseMoved { .. }) => 19,
        KeyEvent::Seen(Seen::Absent) => 20,
        KeyEvent::Seen(Seen::SeenAgain) => 21,
        KeyEvent::Seen(Seen::ListedAfterDeletion) => 22,
        KeyEvent::Record(Note::Renamed { .. }) => 23,
        KeyEvent::Overlay(Overlay::HoldPlaced { .. }) => 24,
        KeyEvent::Overlay(Overlay::HoldReleased { .. }) => 25,
        KeyEvent::Overlay(Overlay::HoldExpired { .. }) => 26,
        KeyEvent::Overlay(Overlay::ExemptBegan { .. }) => 27,
        KeyEvent::Overlay(Overlay::ExemptEnded) => 28,
        KeyEvent::Record(Note::Forgotten { .. }) => 29,
        KeyEvent::Change(Change::Accepted { .. }) => 30,
        KeyEvent::Record(Note::ReactivationsCleared { .. }) => 31,
        KeyEvent::Overlay(Overlay::IncidentBegan { .. }) => 32,
        KeyEvent::Overlay(Overlay::IncidentEnded) => 33,
        KeyEvent::Record(Note::ActivitySeen { .. }) => 34,
        KeyEvent::Record(Note::BundleWritten { .. }) => 35,
        KeyEvent::Record(Note::ReactivationTraced { .. }) => 36,
        KeyEvent::Change(Change::Quarantined { .. }) => 37,
        KeyEvent::Change(Change::QuarantineEnded { .. }) => 38,
        KeyEvent::Seen(Seen::UsedInQuarantine { .. }) => 39,
        KeyEvent::Seen(Seen::QuarantineRemoved) => 40,
        KeyEvent::Overlay(Overlay::QuarantineInterrupted { .. }) => 41,
        KeyEvent::Record(Note::UserChanged { .. }) => 42,
        KeyEvent::Record(Note::OwnerFound { .. }) => 43,
        KeyEvent::Consent(Consent::NoticeDelivered { .. }) => 44,
        KeyEvent::Consent(Consent::NoticeUndelivered { .. }) => 45,
        KeyEvent::Consent(Consent::ReminderDue { .. }) => 46,
        KeyEvent::Consent(Consent::OwnerMissing { .. }) => 47,
        KeyEvent::Overlay(Overlay::HoldEnding { .. }) => 48,
        KeyEvent::Overlay(Overlay::ExemptEnding) => 49,
        KeyEvent::Record(Note::NoLongerNeeded) => 50,
        KeyEvent::Consent(Consent::Claimed { .. }) => 51,
    }
}

const BODIES: usize = 31;

fn mk_address(flag: bool) -> Address {
    if flag { "dana@example.com" } else { "webhook:tickets" }.parse().unwrap()
}

fn mk_configuration(fill: &Fill) -> Configuration {
    let terms = [("policy.mode".to_owned(), fill.text.clone())].into();
    Configuration { hash: "6b86b273".into(), terms }
}

fn mk_changed(fill: &Fill) -> std::collections::BTreeMap<String, Term> {
    let term = Term { before: fill.flag.then(|| fill.text.clone()), now: Some(fill.text.clone()) };
    [("policy.mode".to_owned(), term)].into()
}

fn mk_body(n: usize, event: usize, fill: &Fill) -> Body {
    let Fill { hour, text, flag, number, .. } = fill.clone();
    let (account, name, reason) = (mk_account_id(number as usize), text.clone(), text.clone());
    let count = u64::from(number);
    let mut idle = IdleHistogram::default();
    idle.add(Duration::from_secs(count * 5_000_000), flag);
    match n {
        0 => Body::Started {
            version: text,
            run: u64::MAX,
            configuration: mk_configuration(fill),
            changed: mk_changed(fill),
        },
        1 => Body::Key {
            account,
            key: mk_key_id(number as usize),
            event: mk_event(event, number as usize, fill),
        },
        2 => Body::AccountScanned {
            account,
            name,
            ou_path: "root/prod".into(),
            sighting: mk_sighting(hours(hour)),
            inactive: (0..number as usize).map(mk_key_id).collect(),
            inventory: Inventory {
                root_keys: flag.then_some(count),
                oldest_active_key: flag.then(|| hours(hour)),
                idle,
                ..Inventory::default()
            },
            untold: std::collections::BTreeSet::new(),
            unknown_keys: count,
            report_generated_at: flag.then(|| hours(hour)),
            place: match flag {
                true => Place {
                    ous: Fact::Known(["ou-ab12-12345678".parse().unwrap()].into()),
                    tags: Fact::Unknown(reason),
                },
                false => Place::default(),
            },
        },
        3 => Body::AccountFindings { account, findings: Counts::new([(FindingKind::Unused, count)], 0) },
        4 => Body::AccountFailed { account, name, reason },
        5 => Body::AccountSkipped { account, name, reason },
        6 => Body::AccountLeft { account },
        7 => Body::DueAccepted { keys: BTreeSet::from([mk_key_id(1), mk_key_id(2)]) },
        8 => Body::BreakerTripped { reason: TripReason::Surge { newly_due: count, limit: 1 } },
        9 => Body::BreakerTripped { reason: TripReason::Shrink { before: count, now: 1 } },
        10 => Body::BreakerTripped { reason: TripReason::Failures { accounts: count, limit: 3 } },
        11 => Body::BreakerTripped { reason: TripReason::ClockSkew { seconds: -hour } },
        12 => Body::BreakerReset { reason, keys: [mk_key_id(1)].into(), accounts: flag.then_some(count) },
        13 => Body::Paused { reason },
        14 => Body::Resumed { pauses: [count, count + 1].into(), reason },
        15 => Body::SweepFinished {
            took: Duration::from_millis(1500),
            scanned: count,
            failed: 1,
            skipped: 2,
            complete: flag,
            keys: 0,
            unknown_keys: 0,
            stale: None,
            idle_exemptions: std::collections::BTreeSet::new(),
            busy_exemptions: std::collections::BTreeSet::new(),
        },
        16 => Body::ChangeFailed {
            account,
            key: mk_key_id(number as usize),
            action: fill.action,
            kind: RefusedKind::Denied,
            why: text,
        },
        17 => Body::Restored {
            created_at: hours(hour),
            version: "0.1.0".into(),
            last_seq: count,
            sha256: "6b86b273ff34fce19d6b804eff5a3f57".into(),
        },
        18 => Body::ReferenceMissing { reference: mk_reference(text) },
        19 => Body::ReferenceCleared { reference: mk_reference(text), why: ReferenceCleared::Found },
        20 => Body::RuleAcknowledged { reference: mk_reference(text), reason },
        21 => Body::Configured { configuration: mk_configuration(fill), changed: mk_changed(fill) },
        22 => Body::AccountUnparked { account, reason },
        23 => Body::KeyCreated {
            account,
            key: mk_key_id(number as usize),
            creation: Creation { user_name: mk_key(0).user_name, call: mk_call(fill) },
        },
        24 => Body::MessageComposed {
            to: Recipient {
                name: text,
                addresses: vec![mk_address(flag), "#security".parse().unwrap()],
                audience: if flag { Audience::Owner } else { Audience::Protect },
            },
            items: [ItemId(count, 0), ItemId(count, 1)].into(),
            send_from: hours(hour),
            give_up: hours(hour + 24),
        },
        25 => {
            let posted = flag.then(|| Posted { channel: "C024BE7LH".into(), ts: "1775000000.000100".into() });
            Body::MessageDelivered { message: count, via: mk_address(flag), posted }
        }
        26 => Body::MessageUndeliverable { message: count, why: text },
        27 => Body::MessageWithdrawn { message: count },
        28 => Body::MessageRetried { message: count, reason, give_up: hours(hour) },
        29 => Body::ExemptionGranted {
            account,
            user_id: mk_key(number as usize).user_id.known().filter(|_| flag).cloned(),
            user_name: mk_key(number as usize).user_name,
            key: flag.then(|| mk_key_id(number as usize)),
            reason,
            until: hours(hour),
        },
        30 => Body::ExemptionEnded { account, number: count, reason },
        _ => panic!("no such body"),
    }
}

fn mk_reference(what: String) -> Reference {
    Reference { rule: "policy.exempt { users = [\"break-glass\"] }".into(), what }
}

/// Where an entry stands in [`mk_body`].
fn body_index(body: &Body) -> usize {
    match body {
        Body::Started { .. } => 0,
        Body::Key { .. } => 1,
        Body::AccountScanned { .. } => 2,
        Body::AccountFindings { .. } => 3,
        Body::AccountFailed { .. } => 4,
        Body::AccountSkipped { .. } => 5,
        Body::AccountLeft { .. } => 6,
        Body::DueAccepted { .. } => 7,
        Body::BreakerTripped { reason: TripReason::Surge { .. } } => 8,
        Body::BreakerTripped { reason: TripReason::Shrink { .. } } => 9,
        Body::BreakerTripped { reason: TripReason::Failures { .. } } => 10,
        Body::BreakerTripped { reason: TripReason::ClockSkew { .. } } => 11,
        Body::BreakerReset { .. } => 12,
        Body::Paused { .. } => 13,
        Body::Resumed { .. } => 14,
        Body::SweepFinished { .. } => 15,
        Body::ChangeFailed { .. } => 16,
        Body::Restored { .. } => 17,
        Body::ReferenceMissing { .. } => 18,
        Body::ReferenceCleared { .. } => 19,
        Body::RuleAcknowledged { .. } => 20,
        Body::Configured { .. } => 21,
        Body::AccountUnparked { .. } => 22,
        Body::KeyCreated { .. } => 23,
        Body::MessageComposed { .. } => 24,
        Body::MessageDelivered { .. } => 25,
        Body::MessageUndeliverable { .. } => 26,
        Body::MessageWithdrawn { .. } => 27,
        Body::MessageRetried { .. } => 28,
        Body::ExemptionGranted { .. } => 29,
        Body::ExemptionEnded { .. } => 30,
    }
}

pub(crate) fn mk_fill() -> Fill {
    Fill {
        hour: 12,
        action: Action::Deactivate,
        text: "a reason".into(),
        flag: true,
        number: 1,
        last_use: used_at(day(-100)),
    }
}

/// Every kind of entry once, every kind of event once.
fn mk_every_body(fill: &Fill) -> Vec<Body> {
    let bodies = (0..BODIES).filter(|n| *n != 1).map(|n| mk_body(n, 0, fill));
    bodies.chain((0..EVENTS).map(|event| mk_body(1, event, fill))).collect()
}

/// A history in which every event that can happen after the others is tried.
pub(crate) fn mk_record(events: &[(usize, Fill)]) -> Option<Record> {
    let mut record = None;
    for (n, fill) in events {
        let when = keysweep_core::lifecycle::When { at: hours(fill.hour), seq: 1, actor: &Actor::Keysweep };
        let event = mk_event(*n, 0, fill);
        let after =
            keysweep_core::lifecycle::next(mk_account_id(0), &mk_key_id(0), record.as_ref(), when, &event);
        record = after.unwrap_or(record);
    }
    record
}

#[test]
fn the_builders_of_this_test_know_every_event_and_every_entry() {
    for n in 0..EVENTS {
        assert_eq!(index(&mk_event(n, 0, &mk_fill())), n);
    }
    let beyond = std::panic::catch_unwind(|| mk_event(EVENTS, 0, &mk_fill()));
    assert!(beyond.is_err(), "EVENTS is too small");
    for n in 0..BODIES {
        assert_eq!(body_index(&mk_body(n, 0, &mk_fill())), n);
    }
}

#[test]
fn journal_lines_keep_their_form() {
    let lines = mk_every_body(&mk_fill()).into_iter().enumerate().map(|(n, body)| {
        let entry = Entry { seq: n as u64 + 1, at: day(0), actor: Actor::Keysweep, body };
        serde_json::to_string(&entry).unwrap()
    });
    let lines: Vec<_> = lines.collect();
    crate::scan_document::assert_golden("journal.jsonl", &(lines.join("\n") + "\n"));
}

#[test]
fn every_entry_has_a_name_of_its_own_in_the_journal() {
    let bodies = mk_every_body(&mk_fill());
    let names: BTreeSet<_> = bodies.iter().map(Body::name).collect();
    // Four reasons of the breaker share a name; no other entries do.
    assert_eq!(names.len(), bodies.len() - 3);
    for body in bodies {
        let json: serde_json::Value = serde_json::to_value(&body).unwrap();
        let named = if let Body::Key { .. } = body { &json["event"] } else { &json["kind"] };
        assert_eq!(named, body.name());
    }
}

#[test]
fn an_event_is_known_by_its_tag_wherever_that_stands() {
    for event in (0..EVENTS).map(|n| mk_event(n, 0, &mk_fill())) {
        // A tree of values sorts its fields.
        let tree = serde_json::to_value(&event).unwrap();
        assert_eq!(serde_json::from_value::<KeyEvent>(tree).unwrap(), event);
    }
}

#[test]
fn an_event_that_cannot_be_read_is_named() {
    let read = |text: &str| serde_json::from_str::<KeyEvent>(text).unwrap_err().to_string();
    let unknown = read(r#"{"event":"vanished","reason":"asked"}"#);
    assert_eq!(unknown, "event `vanished` is unknown or not complete");
    let incomplete = read(r#"{"event":"hold_released","hold":7}"#);
    assert_eq!(incomplete, "event `hold_released` is unknown or not complete");
}

proptest! {
    #![proptest_config(crate::properties::config())]

    #[test]
    fn every_entry_survives_json(fill in fills(), seq in any::<u64>()) {
        for body in mk_every_body(&fill) {
            let entry = Entry { seq, at: hours(fill.hour), actor: mk_actor(&fill), body };
            let json = serde_json::to_string(&entry).unwrap();
            prop_assert!(!json.contains('\n'));
            let back: Entry = serde_json::from_str(&json).map_err(|e| TestCaseError::fail(format!("{e}: {json}")))?;
            prop_assert_eq!(back, entry);
        }
    }

    #[test]
    fn every_record_survives_json(history in histories()) {
        if let Some(record) = mk_record(&history) {
            let json = serde_json::to_string(&record).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Record>(&json).unwrap(), &record);
        }
    }

    #[test]
    fn what_restrains_changes_survives_json(fill in fills()) {
        let mut state = State::default();
        for (n, body) in mk_every_body(&fill).into_iter().enumerate() {
            let entry = Entry { seq: n as u64, at: hours(fill.hour), actor: Actor::local("ada"), body };
            let _ = state.replay(&entry);
        }
        let json = serde_json::to_string(state.control()).unwrap();
        let back: keysweep_core::state::Control = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(&back, state.control());
        let accounts: Vec<_> = state.accounts().map(|(_, account)| account.clone()).collect();
        let json = serde_json::to_string(&accounts).unwrap();
        prop_assert_eq!(serde_json::from_str::<Vec<keysweep_core::state::AccountRecord>>(&json).unwrap(), accounts);
    }
}

pub(crate) fn histories() -> impl Strategy<Value = Vec<(usize, Fill)>> {
    let first = fills().prop_map(|fill| (0, fill));
    let rest = prop::collection::vec((0..EVENTS, fills()), 0..40);
    (first, rest).prop_map(|(first, rest)| std::iter::once(first).chain(rest).collect())
}
