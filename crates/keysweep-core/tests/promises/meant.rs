//! A key is deleted only if it is meant to be: by who deactivated it, and by the policy in force.

use keysweep_core::facts::{AccountFacts, Fact, KeyStatus};
use keysweep_core::lifecycle::event::{Change, Overlay};
use keysweep_core::lifecycle::{DeactivatedBy, KeyEvent, State};
use keysweep_core::plan::{self, By, Next, View, Wait};
use keysweep_core::policy::Mode;
use keysweep_core::ticket::{Action, Origin};

use crate::mk::*;
use crate::orders::ordered;

fn mk_world(mode: Mode) -> World {
    World::new(mk_policy(mode), vec![mk_key(0)])
}

/// A key that its owner has set Inactive while it was flagged.
fn mk_adopted() -> World {
    let mut world = mk_world(Mode::Delete);
    world.policy.base.adopt_inactive = true;
    world.sweep(day(0));
    world.keys[0].status = KeyStatus::Inactive;
    world.sweep(day(1));
    assert_eq!(origin(&world), DeactivatedBy::External);
    world
}

/// One whose deactivation was sent on day 7, and is not told of.
fn mk_unclear() -> World {
    let mut world = mk_world(Mode::Delete);
    world.sweep(day(0));
    let intent = KeyEvent::Change(Change::Intent {
        action: Action::Deactivate,
        origin: Origin::Policy,
        why: "stale".into(),
        deadline: mk_deadline(day(7)),
        quarantine: None,
    });
    world.happen(day(7), 0, intent);
    world.happen(
        day(7),
        0,
        KeyEvent::Change(Change::Unclear {
            action: Action::Deactivate,
            accepted: false,
            detail: "timeout".into(),
        }),
    );
    world
}

fn origin(world: &World) -> DeactivatedBy {
    let Some(State::Deactivated(data)) = world.record(0).map(|record| &record.state) else {
        panic!("{:?}", world.record(0));
    };
    data.origin
}

#[test]
fn a_key_that_was_adopted_is_not_deleted_once_adoption_is_switched_off() {
    let mut world = mk_adopted();
    assert_eq!(world.run(1, 6), 0);
    world.policy.base.adopt_inactive = false;
    assert_eq!(world.run(7, 60), 0, "{:?}", world.names_of(0));
    assert_eq!(world.state_of(0), "deactivated", "and it can be undone");
    assert_eq!(world.names_of(0).last(), Some(&"notice_voided"));
    world.policy.base.adopt_inactive = true;
    assert_eq!(world.run(61, 67), 0, "what was announced before is announced again");
    assert_eq!(world.run(68, 68), 1);
    assert_eq!(world.state_of(0), "deleted");
}

#[test]
fn an_operator_may_delete_by_name_what_was_adopted() {
    let mut world = mk_adopted();
    world.policy.base.adopt_inactive = false;
    world.run(1, 40);
    let ticket = ordered(&world, day(40), Action::Delete);
    assert!(ticket.is_ok(), "{ticket:?}");
}

#[test]
fn a_deactivation_that_shows_late_can_be_undone_whatever_became_of_its_hold() {
    for release in [false, true] {
        let mut world = mk_unclear();
        let reason = "looking".to_owned();
        let event = if release {
            KeyEvent::Overlay(Overlay::HoldReleased { hold: world.hold_number(0), reason })
        } else {
            KeyEvent::Overlay(Overlay::HoldPlaced { reason, until: None })
        };
        world.happen(hours(7 * 24 + 1), 0, event);
        world.sweep(hours(7 * 24 + 2));
        world.keys[0].status = KeyStatus::Inactive;
        world.sweep(hours(7 * 24 + 8));
        assert_eq!(world.state_of(0), "deactivated", "release: {release}");
        let undo = ordered(&world, hours(7 * 24 + 9), Action::Reactivate);
        assert!(undo.is_ok(), "release: {release}: {undo:?}");
        assert_eq!(world.run(8, 60), 0, "whose doing it was is not sure");
    }
}

#[test]
fn what_turns_inactive_days_after_an_unclear_deactivation_can_be_undone_and_is_not_deleted() {
    let mut world = mk_unclear();
    world.run(7, 9);
    world.keys[0].status = KeyStatus::Inactive;
    assert_eq!(world.run(10, 60), 0);
    assert_eq!(origin(&world), DeactivatedBy::External);
}

#[test]
fn a_key_that_is_no_longer_stale_by_the_policy_is_not_deleted() {
    let mut world = mk_world(Mode::Delete);
    assert_eq!(world.run(0, 7), 1);
    let [unused, never_used] = [world.policy.base.unused_after, world.policy.base.never_used_after];
    (world.policy.base.unused_after, world.policy.base.never_used_after) = (days(4000), days(4000));
    assert_eq!(world.run(8, 60), 0);
    assert_eq!(world.state_of(0), "deactivated");
    (world.policy.base.unused_after, world.policy.base.never_used_after) = (unused, never_used);
    assert_eq!(world.run(61, 67), 0, "what was announced before is announced again");
    assert_eq!(world.run(68, 68), 1);
}

/// A key of the management account, which is only read.
fn mk_read_only() -> World {
    let mut world = mk_world(Mode::Delete);
    world.policy.management_read_only = true;
    world
}

/// Why its change waits, for the policy and for an operator.
fn reasons(world: &World, management: bool, action: Action) -> [Option<Wait>; 2] {
    let now = day(60);
    let account = AccountFacts { management, ..mk_account(0) };
    let facts = fresh(&world.keys[0]);
    let view = View { account: &account, facts: &facts, sighting: &mk_sighting(now) };
    let by = |by| match plan::decide(&world.context(now), world.record(0), &view, by).next {
        Next::Wait { wait, .. } => Some(wait),
        Next::Nothing | Next::Step { .. } => None,
    };
    [by(By::Policy), by(By::Operator(action.planned().unwrap()))]
}

#[test]
fn nothing_is_changed_in_a_management_account_that_is_only_read_by_an_order_neither() {
    let mut world = mk_read_only();
    world.sweep(day(0));
    let both = [Some(Wait::ReadOnly), Some(Wait::ReadOnly)];
    assert_eq!(reasons(&world, true, Action::Deactivate), both);
    assert_eq!(reasons(&world, false, Action::Deactivate), [None, None], "another account");
    // It became the management account after a deactivation.
    world.run(1, 20);
    assert_eq!(world.state_of(0), "deactivated");
    assert_eq!(reasons(&world, true, Action::Delete), both);
    world.policy.management_read_only = false;
    let writable = reasons(&world, true, Action::Delete);
    assert!(writable.iter().all(|wait| *wait != Some(Wait::ReadOnly)), "{writable:?}");
}

fn release(world: &mut World, at: jiff::Timestamp) {
    let (hold, reason) = (world.hold_number(0), "looked".into());
    world.happen(at, 0, KeyEvent::Overlay(Overlay::HoldReleased { hold, reason }));
}

#[test]
fn a_key_whose_deactivation_may_have_been_sent_is_remembered_though_it_is_in_use() {
    let mut world = mk_unclear();
    release(&mut world, day(8));
    world.keys[0].last_use = Fact::Known(used_at(day(8)));
    world.sweep(day(9));
    let record = world.record(0).unwrap();
    assert_eq!((record.state.as_str(), record.held(), record.may_undo()), ("active", None, true));
}

#[test]
fn a_key_that_somebody_else_deactivated_and_reactivated_is_remembered_though_it_is_in_use() {
    let mut world = mk_adopted();
    world.keys[0].status = KeyStatus::Active;
    world.sweep(day(2));
    release(&mut world, day(3));
    world.keys[0].last_use = Fact::Known(used_at(day(4)));
    world.sweep(day(5));
    let record = world.record(0).unwrap();
    assert_eq!(
        (record.state.as_str(), record.held(), record.past.reactivations()),
        ("active", None, Some(1))
    );
    assert!(!record.may_undo(), "keysweep sent nothing");
}

#[test]
fn what_is_in_flight_is_a_change_whose_outcome_is_not_on_disk() {
    let in_flight = |world: &World| world.record(0).map(|record| record.in_flight());
    let mut world = mk_world(Mode::Delete);
    world.sweep(day(0));
    assert_eq!(in_flight(&world), Some(false));
    let (action, origin, why) = (Action::Deactivate, Origin::Policy, "stale".into());
    world.happen(
        day(7),
        0,
        KeyEvent::Change(Change::Intent {
            action,
            origin,
            why,
            deadline: mk_deadline(day(7)),
            quarantine: None,
        }),
    );
    assert_eq!(in_flight(&world), Some(true));
    let sighting = mk_sighting(day(7));
    let done = Change::Deactivated { request_id: None, last_use: used_at(day(-100)), sighting };
    world.happen(day(7), 0, KeyEvent::Change(done));
    assert_eq!(in_flight(&world), Some(false));
}
