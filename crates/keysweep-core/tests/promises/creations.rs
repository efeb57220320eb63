//! Who created a key and who changes its user: what is kept of it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use keysweep_core::evidence::{Creation, TracedCall, UserChange};
use keysweep_core::facts::KeyStatus;
use keysweep_core::ids::AccessKeyId;
use keysweep_core::lifecycle::KeyEvent;
use keysweep_core::lifecycle::event::{Change, Note};
use keysweep_core::policy::Mode;
use keysweep_core::quarantine::{QuarantinePolicy, UserBefore};
use keysweep_core::state::{Actor, Body, Entry, State};
use keysweep_core::ticket::{Action, Attachment, Origin};

use crate::mk::*;

fn mk_call(by: &str, at: Timestamp) -> TracedCall {
    TracedCall { at, by: by.to_owned(), address: None, user_agent: None, event_id: Some(at.to_string()) }
}

fn mk_creation(by: &str, at: Timestamp) -> Creation {
    Creation { user_name: "ci".parse().unwrap(), call: mk_call(by, at) }
}

fn mk_change(name: &str, at: Timestamp) -> UserChange {
    UserChange { name: name.to_owned(), call: mk_call("arn:aws:iam::111122223333:user/ann", at) }
}

#[test]
fn another_user_is_one_with_another_name() {
    let by = |arn: &str| mk_creation(arn, day(0)).is_by_another_user();
    assert!(by("arn:aws:iam::111122223333:user/ann"));
    assert!(by("arn:aws:iam::111122223333:user/team/ann"));
    assert!(by("arn:aws:iam::111122223333:user/ci/ann"), "ci is the path");
    assert!(!by("arn:aws:iam::111122223333:user/ci"));
    assert!(!by("arn:aws:iam::111122223333:user/team/ci"));
    for nobody in
        ["arn:aws:sts::111122223333:assumed-role/admin/ann", "arn:aws:iam::111122223333:root", "ann"]
    {
        assert!(!by(nobody), "{nobody}");
    }
}

fn write(state: &mut State, key: &AccessKeyId, creation: Creation) {
    let body = Body::KeyCreated { account: mk_account_id(0), key: key.clone(), creation };
    let entry = Entry { seq: 1, at: day(0), actor: Actor::Keysweep, body };
    state.replay(&entry).unwrap();
}

#[test]
fn the_newest_creations_and_those_of_tracked_keys_are_kept() {
    let mut world = World::new(mk_policy(Mode::Delete), vec![mk_key(0)]);
    world.run(0, 1);
    let tracked = world.keys[0].key.clone();
    let mut state = world.state.clone();
    assert!(state.record(&tracked).is_some());
    write(&mut state, &tracked, mk_creation("arn:aws:iam::111122223333:user/ann", day(-90)));
    for n in 0..510 {
        write(
            &mut state,
            &mk_key_id(1000 + n),
            mk_creation("arn:aws:iam::111122223333:user/vault", hours(n as i64)),
        );
    }
    let account = mk_account_id(0);
    assert_eq!(state.creations().count(), 101, "the tracked one beside them");
    assert!(state.creation(account, &tracked).is_some(), "the oldest, and tracked");
    let kept = (0..510).filter(|n| state.creation(account, &mk_key_id(1000 + n)).is_some());
    assert_eq!(kept.collect::<Vec<_>>(), (410..510).collect::<Vec<_>>());
    assert!(state.creation(mk_account_id(1), &tracked).is_none(), "of another account");
}

#[test]
fn a_creation_leads_to_no_record_and_changes_none() {
    let mut world = World::new(mk_policy(Mode::Delete), vec![mk_key(0)]);
    world.run(0, 1);
    let before = world.record(0).unwrap().clone();
    let key = world.keys[0].key.clone();
    write(&mut world.state, &key, mk_creation("arn:aws:iam::111122223333:user/ann", day(0)));
    write(&mut world.state, &mk_key_id(7), mk_creation("arn:aws:iam::111122223333:user/ann", day(0)));
    assert_eq!(world.record(0), Some(&before));
    assert!(world.state.record(&mk_key_id(7)).is_none());
}

fn deactivated() -> World {
    let mut world = World::new(mk_policy(Mode::Delete), vec![mk_key(0)]);
    world.run(0, 7);
    assert_eq!(world.record(0).unwrap().state.as_str(), "deactivated");
    world
}

fn changed(change: UserChange) -> KeyEvent {
    KeyEvent::Record(Note::UserChanged { change })
}

#[test]
fn the_last_five_changes_of_the_user_are_kept_newest_first() {
    let mut world = deactivated();
    let changes: Vec<_> = (0..7).map(|n| mk_change("AttachUserPolicy", hours(8 * 24 + n))).collect();
    for change in changes.iter().take(5).rev() {
        world.happen(day(10), 0, changed(change.clone()));
    }
    let kept = |world: &World| world.record(0).unwrap().past.user_changes.clone();
    assert_eq!(kept(&world), [4, 3, 2, 1, 0].map(|n: usize| changes[n].clone()));
    let news = |world: &World| {
        let record = world.record(0).unwrap();
        record.news_of_user(&changes).cloned().collect::<Vec<_>>()
    };
    assert_eq!(news(&world), [6, 5].map(|n: usize| changes[n].clone()), "of the newest five");
    for change in news(&world) {
        world.happen(day(11), 0, changed(change));
    }
    assert_eq!(kept(&world), [6, 5, 4, 3, 2].map(|n: usize| changes[n].clone()));
    assert_eq!(news(&world), [], "the older ones are no news again");
}

#[test]
fn a_key_that_works_has_no_such_changes_and_the_next_deactivation_forgets_them() {
    let mut world = World::new(mk_policy(Mode::Delete), vec![mk_key(0)]);
    world.run(0, 5);
    let record = world.record(0).unwrap();
    let change = mk_change("CreateAccessKey", day(4));
    assert_eq!(record.news_of_user(std::slice::from_ref(&change)).count(), 0);

    let mut world = deactivated();
    world.happen(day(9), 0, changed(mk_change("CreateAccessKey", day(8))));
    world.keys[0].status = KeyStatus::Active;
    world.run(10, 150);
    let record = world.record(0).unwrap();
    assert_eq!(record.state.as_str(), "flagged", "reactivated, held, and stale again");
    assert_eq!(record.past.user_changes.len(), 1, "still shown");
    let intent = Change::Intent {
        action: Action::Deactivate,
        origin: Origin::Policy,
        why: String::new(),
        deadline: day(151),
        quarantine: None,
    };
    let mut quarantined = world.clone();
    world.happen(day(150), 0, KeyEvent::Change(intent));
    assert_eq!(world.record(0).unwrap().past.user_changes, []);
    // So does the next quarantine, and the deactivation after it forgets nothing that came between.
    let user_before = UserBefore {
        user_name: quarantined.keys[0].user_name.clone(),
        path: "/".into(),
        keys: BTreeMap::new(),
        policies: BTreeSet::new(),
        password: false,
    };
    let intent = Change::Intent {
        action: Action::Quarantine,
        origin: Origin::Policy,
        why: String::new(),
        deadline: day(151),
        quarantine: Some(Box::new(Attachment { policy: QuarantinePolicy::default(), user_before })),
    };
    quarantined.happen(day(150), 0, KeyEvent::Change(intent));
    assert_eq!(quarantined.record(0).unwrap().past.user_changes, []);
}
