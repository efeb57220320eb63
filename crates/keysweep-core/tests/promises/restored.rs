//! After the restoration of a backup, what came between is not known: everything that it could have stopped waits.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use keysweep_core::facts::KeyStatus;
use keysweep_core::lifecycle::event::{Change, Overlay};
use keysweep_core::lifecycle::{KeyEvent, State};
use keysweep_core::plan::{self, Reason};
use keysweep_core::policy::{ApprovalFor, Mode};
use keysweep_core::state::{Actor, Body, Control};
use keysweep_core::ticket::Action;

use crate::mk::*;

fn restore(world: &mut World, at: Timestamp) {
    let (created_at, version, sha256) =
        (at - SignedDuration::from_hours(48), "0.1.0".into(), "ab".repeat(32));
    world.write(at, Body::Restored { created_at, version, last_seq: 9, sha256 });
}

fn mk_world() -> World {
    World::new(mk_policy(Mode::Delete), vec![mk_key(0)])
}

fn watched(world: &World) -> Duration {
    match &world.record(0).unwrap().state {
        State::Deactivated(data) => data.watch.total,
        state => panic!("{}", state.as_str()),
    }
}

/// Why an operator's order is refused, if it is.
fn order(world: &World, at: Timestamp, action: Action) -> Option<Reason> {
    let ticket = plan::ordered(world.record(0).unwrap(), action, &Actor::local("ada"), "asked for").unwrap();
    world.recheck(at, ticket).err().map(|refusal| refusal.wait.reason())
}

#[test]
fn p3_grace_starts_over() {
    let mut world = mk_world();
    world.run(0, 15);
    assert!(watched(&world) > days(7));
    restore(&mut world, day(16));
    assert_eq!(watched(&world), Duration::ZERO);
    // Though the process seems to be the same: nobody watched the span across.
    world.sweep(day(16));
    assert_eq!(watched(&world), Duration::ZERO);
    assert_eq!(world.run(16, 29), 0, "fourteen days more");
    assert!(world.run(30, 31) > 0, "and then it goes on");
    assert_eq!(world.state_of(0), "deleted");
}

#[test]
fn p10_what_was_announced_and_approved_is_announced_and_asked_for_again() {
    let mut world = mk_world();
    world.policy.base.approval = ApprovalFor::Both;
    world.sweep(day(0));
    world.run(0, 1);
    world.approve(day(2), 0);
    restore(&mut world, day(8));
    let State::Flagged(data) = &world.record(0).unwrap().state else { panic!("not flagged") };
    assert_eq!((&data.notice, &data.approval), (&None, &None));
    world.policy.base.approval = ApprovalFor::None;
    assert_eq!(world.run(8, 14), 0, "a whole period of notice");
    assert_eq!(world.run(15, 15), 1);
}

#[test]
fn p8_the_caps_count_as_used_up_for_a_day_and_an_undo_is_under_none() {
    let mut world = mk_world();
    world.sweep(day(0));
    restore(&mut world, day(1));
    assert_eq!(order(&world, hours(24), Action::Deactivate), Some(Reason::Cap));
    assert_eq!(order(&world, hours(47), Action::Deactivate), Some(Reason::Cap));
    assert_eq!(order(&world, hours(48), Action::Deactivate), None);
    // A clock that went back forgives nothing.
    assert_eq!(order(&world, hours(10), Action::Deactivate), Some(Reason::Cap));

    world.run(2, 15);
    assert_eq!(world.state_of(0), "deactivated");
    restore(&mut world, day(16));
    assert_eq!(order(&world, day(16), Action::Reactivate), None);
}

#[test]
fn p7_a_flagged_key_that_was_deactivated_after_the_backup_is_not_disowned() {
    let mut world = mk_world();
    world.run(0, 1);
    world.keys[0].status = KeyStatus::Inactive;
    restore(&mut world, day(9));
    world.sweep(day(9));
    assert_eq!(world.state_of(0), "deactivated");
    assert_eq!(order(&world, day(9), Action::Reactivate), None);
}

#[test]
fn a_key_that_was_seen_active_since_and_is_deactivated_by_its_owner_is_his_again() {
    let mut world = mk_world();
    world.run(0, 1);
    restore(&mut world, day(2));
    world.sweep(day(2));
    world.keys[0].status = KeyStatus::Inactive;
    world.sweep(day(3));
    assert_eq!(world.state_of(0), "active");
}

#[test]
fn holds_and_open_intents_stay() {
    let mut world = mk_world();
    world.run(0, 6);
    world.happen(day(7), 0, KeyEvent::Overlay(Overlay::HoldPlaced { reason: "wait".into(), until: None }));
    restore(&mut world, day(8));
    assert_eq!(world.record(0).unwrap().held().unwrap().reason, "wait");

    let mut world = mk_world();
    world.run(0, 6);
    let origin = keysweep_core::ticket::Origin::Policy;
    world.happen(
        day(7),
        0,
        KeyEvent::Change(Change::Intent {
            action: Action::Deactivate,
            origin,
            why: "unused".into(),
            deadline: mk_deadline(day(7)),
            quarantine: None,
        }),
    );
    restore(&mut world, day(8));
    assert_eq!(world.state_of(0), "deactivating", "it is settled by reading AWS");
    let State::Deactivating(data) = &world.record(0).unwrap().state else { panic!("not deactivating") };
    assert_eq!(data.flagged.notice, None);
}

#[test]
fn control_that_was_written_before_there_were_backups_is_read() {
    let json = serde_json::to_value(Control::default()).unwrap();
    assert!(json.get("restored").is_none());
    assert_eq!(serde_json::from_value::<Control>(json).unwrap(), Control::default());
}
