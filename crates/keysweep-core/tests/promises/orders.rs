//! What an operator orders by name, and the undo.

use jiff::Timestamp;
use keysweep_core::lifecycle::event::{Change, Overlay};
use keysweep_core::lifecycle::{KeyEvent, When, next};
use keysweep_core::plan::{self, Reason, Recheck, Refusal, Wait};
use keysweep_core::policy::{ApprovalFor, Mode};
use keysweep_core::state::{Actor, Body};
use keysweep_core::ticket::{Action, Planned, Warrant};
use strum::VariantArray as _;

use crate::mk::*;

/// A flagged key in the default policy: observe, notices required, none sent.
fn mk_world() -> World {
    let mut world = World::new(mk_policy(Mode::Observe), vec![mk_key(0)]);
    world.policy.notices.required = true;
    world.sweep(day(0));
    world
}

/// What comes of the order of an operator.
pub(crate) fn ordered(world: &World, at: Timestamp, action: Action) -> Result<Warrant, Refusal> {
    let ticket =
        plan::ordered(world.record(0).unwrap(), action, &Actor::local("ada"), "left the company").unwrap();
    world.recheck(at, ticket)
}

fn order(world: &World, at: i64, action: Action) -> Result<Warrant, Refusal> {
    ordered(world, day(at), action)
}

fn reason(result: Result<Warrant, Refusal>) -> Reason {
    result.unwrap_err().wait.reason()
}

#[test]
fn an_order_needs_neither_mode_nor_notice_nor_window() {
    let mut world = mk_world();
    world.policy.base.hours = Some("03:00-04:00".parse().unwrap());
    let warrant = order(&world, 1, Action::Deactivate).unwrap();
    assert_eq!(warrant.identity().key, mk_key_id(0));
    world.carry_out(day(1), &warrant);
    assert_eq!(world.state_of(0), "deactivated");
}

#[test]
fn an_order_is_stopped_by_pause_breaker_parking_and_caps() {
    let mut world = mk_world();
    world.write(day(0), Body::Paused { reason: "freeze".into() });
    assert_eq!(reason(order(&world, 1, Action::Deactivate)), Reason::Paused);
    world.resume(day(0));
    let tripped = keysweep_core::state::TripReason::ClockSkew { seconds: 900 };
    world.write(day(0), Body::BreakerTripped { reason: tripped });
    assert_eq!(reason(order(&world, 1, Action::Deactivate)), Reason::Breaker);
    world.reset_breaker(day(0), None);
    world.policy.limits.changes_per_account_per_day = 0;
    assert_eq!(reason(order(&world, 1, Action::Deactivate)), Reason::Cap);
}

#[test]
fn an_order_needs_approval_where_the_policy_wants_it() {
    let mut world = mk_world();
    world.policy.base.approval = ApprovalFor::Deactivate;
    let refusal = order(&world, 1, Action::Deactivate).unwrap_err();
    assert_eq!((refusal.wait, refusal.events), (Wait::Recheck(Recheck::NotAsked), Box::default()));
    let asked = refusal.announcement.unwrap().told();
    assert_eq!(asked.name(), "approval_asked");
    world.write(day(1), asked);
    assert_eq!(reason(order(&world, 1, Action::Deactivate)), Reason::Approval);
    world.approve(day(1), 0);
    assert!(order(&world, 1, Action::Deactivate).is_ok());
}

#[test]
fn an_ordered_deletion_needs_the_whole_grace() {
    let mut world = mk_world();
    let warrant = order(&world, 1, Action::Deactivate).unwrap();
    world.carry_out(day(1), &warrant);
    world.run(1, 14);
    assert_eq!(reason(order(&world, 14, Action::Delete)), Reason::Grace);
    world.sweep(day(15));
    let warrant = order(&world, 15, Action::Delete).unwrap();
    assert_eq!(warrant.action(), Action::Delete);
}

#[test]
fn an_order_does_not_override_a_hold_or_an_exemption() {
    let mut world = mk_world();
    let until = None;
    world.happen(day(0), 0, KeyEvent::Overlay(Overlay::HoldPlaced { reason: "mine".into(), until }));
    assert_eq!(reason(order(&world, 1, Action::Deactivate)), Reason::Hold);
}

#[test]
fn only_a_flagged_key_can_be_ordered_deactivated_and_only_a_deactivated_one_deleted() {
    let mut world = mk_world();
    assert_eq!(
        plan::ordered(world.record(0).unwrap(), Action::Delete, &Actor::local("ada"), ""),
        Err("flagged")
    );
    assert_eq!(plan::undo(world.record(0).unwrap(), &Actor::local("ada"), ""), Err("flagged"));
    let warrant = order(&world, 1, Action::Deactivate).unwrap();
    world.carry_out(day(1), &warrant);
    let record = world.record(0).unwrap();
    assert_eq!(plan::ordered(record, Action::Deactivate, &Actor::local("ada"), ""), Err("deactivated"));
    assert!(plan::ordered(record, Action::Reactivate, &Actor::local("ada"), "").is_ok());
}

#[test]
fn an_undo_goes_through_whatever_is_shut() {
    let mut world = mk_world();
    let warrant = order(&world, 0, Action::Deactivate).unwrap();
    world.carry_out(day(0), &warrant);
    world.write(day(0), Body::Paused { reason: "freeze".into() });
    let tripped = keysweep_core::state::TripReason::ClockSkew { seconds: 900 };
    world.write(day(0), Body::BreakerTripped { reason: tripped });
    world.policy.limits.changes_per_account_per_day = 0;
    let (context, record) = (world.context(day(1)), world.record(0).unwrap());
    for action in Planned::VARIANTS {
        assert!(plan::gate(&context, record, (*action).into(), plan::By::Operator(*action)).is_err());
    }
    assert!(order(&world, 1, Action::Reactivate).is_ok());
}

#[test]
fn an_undo_of_a_key_that_is_active_already_is_told_as_a_reactivation() {
    let mut world = mk_world();
    let warrant = order(&world, 1, Action::Deactivate).unwrap();
    world.carry_out(day(1), &warrant);
    world.keys[0].status = keysweep_core::facts::KeyStatus::Active;
    let refusal = order(&world, 2, Action::Reactivate).unwrap_err();
    assert_eq!(refusal.events.iter().map(KeyEvent::name).collect::<Vec<_>>(), ["reactivated"]);
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a journal in memory")]
fn a_warrant_becomes_an_order_only_with_the_receipt_of_its_own_intent() {
    let mut world = mk_world();
    world.keys.push(mk_key(1));
    world.sweep(day(0));
    let warrant = order(&world, 1, Action::Deactivate).unwrap();
    let intent_of = |key: usize, action| keysweep_core::state::Entry {
        seq: 77,
        at: day(1),
        actor: Actor::local("ada"),
        body: Body::Key {
            account: mk_account_id(0),
            key: mk_key_id(key),
            event: KeyEvent::Change(Change::Intent {
                action,
                origin: keysweep_core::ticket::Origin::Policy,
                why: String::new(),
                deadline: mk_deadline(day(7)),
                quarantine: None,
            }),
        },
    };
    let receipt = |entry| {
        let nothing = keysweep_core::state::Delta::default();
        keysweep_core::state::Draft::new(&world.state, &nothing).apply(&entry).unwrap().written()
    };
    let sibling = receipt(intent_of(1, Action::Deactivate));
    let warrant = *warrant.recorded(sibling).unwrap_err();
    let own = receipt(intent_of(0, Action::Deactivate));
    assert_eq!(warrant.recorded(own).unwrap().intent(), 77);
}

#[test]
fn an_order_that_has_to_wait_does_not_say_that_the_policy_would_not_act() {
    let mut world = mk_world();
    world.policy.base.mode = Mode::Deactivate;
    world.policy.notices.required = false;
    world.write(day(0), Body::Paused { reason: "freeze".into() });
    world.run(0, 7);
    assert!(world.record(0).unwrap().due.is_some());
    world.policy.base.approval = ApprovalFor::Deactivate;
    let asked = order(&world, 8, Action::Deactivate).unwrap_err().announcement.unwrap().told();
    world.write(day(8), asked);
    let refusal = order(&world, 8, Action::Deactivate).unwrap_err();
    assert_eq!((refusal.wait.reason(), refusal.events), (Reason::Approval, Box::default()));
}

#[test]
fn an_approval_of_an_order_is_void_when_its_account_was_out_of_reach_since() {
    let mut world = mk_world();
    world.policy.base.approval = ApprovalFor::Deactivate;
    let ask = |world: &mut World, at: i64| {
        let asked = order(world, at, Action::Deactivate).unwrap_err().announcement.unwrap().told();
        assert_eq!(asked.name(), "approval_asked");
        world.write(day(at), asked);
        world.approve(day(at), 0);
    };
    ask(&mut world, 1);
    assert!(order(&world, 2, Action::Deactivate).is_ok());
    let (account, name, reason) = (mk_account_id(0), String::new(), "excluded".into());
    world.write(day(3), Body::AccountSkipped { account, name, reason });
    let collection = world.collection(day(4));
    world.observe(&collection);
    let refusal = order(&world, 5, Action::Deactivate).unwrap_err();
    assert_eq!(refusal.events.iter().map(KeyEvent::name).collect::<Vec<_>>(), ["approval_voided"]);
    world.happen(day(5), 0, refusal.events[0].clone());
    ask(&mut world, 5);
    assert!(order(&world, 6, Action::Deactivate).is_ok(), "it was given after the return");
}

#[test]
fn while_an_undo_is_under_way_no_other_change_begins() {
    let intent = |action| {
        let (origin, why) = (keysweep_core::ticket::Origin::Policy, String::new());
        KeyEvent::Change(Change::Intent {
            action,
            origin,
            why,
            deadline: mk_deadline(day(9)),
            quarantine: None,
        })
    };
    let begins = |world: &World, action| {
        let mut world = world.clone();
        world.happen(day(9), 0, mk_bundle(1));
        let when = When { at: day(9), seq: 99, actor: &Actor::Keysweep };
        next(mk_account_id(0), &mk_key_id(0), world.record(0), when, &intent(action)).is_ok()
    };
    let mut world = World::new(mk_policy(Mode::Delete), vec![mk_key(0)]);
    world.run(0, 8);
    assert!(begins(&world, Action::Delete));
    world.happen(day(9), 0, intent(Action::Reactivate));
    assert!(!begins(&world, Action::Delete));
}
