//! Approval: one action on one key, on the facts that were shown.

use keysweep_core::facts::{Fact, LastUse};
use keysweep_core::lifecycle::event::Consent;
use keysweep_core::lifecycle::{KeyEvent, State, When, next};
use keysweep_core::plan::{Next, Reason};
use keysweep_core::policy::{ApprovalFor, Mode};
use keysweep_core::state::Actor;
use keysweep_core::ticket::Planned;

use crate::mk::*;

fn mk_world(approval: ApprovalFor) -> World {
    let mut world = World::new(mk_policy(Mode::Delete), vec![mk_key(0)]);
    world.policy.base.approval = approval;
    world
}

fn approved(world: &World, action: Planned) -> KeyEvent {
    let request = world.asked(0).map(|approval| approval.number).unwrap();
    KeyEvent::Consent(Consent::Approved { action, request, reason: "looked".into() })
}

fn count(world: &World, name: &str) -> usize {
    world.names_of(0).into_iter().filter(|n| *n == name).count()
}

#[test]
fn without_approval_nothing_is_done_where_it_is_wanted() {
    let mut world = mk_world(ApprovalFor::Deactivate);
    assert_eq!(world.run(0, 13), 0);
    let plan = world.sweep(hours(13 * 24 + 7));
    assert!(matches!(&plan.keys[0].next, Next::Wait { wait, .. } if wait.reason() == Reason::Approval));
}

#[test]
fn an_approved_key_goes_on_when_its_notice_period_is_over() {
    let mut world = mk_world(ApprovalFor::Deactivate);
    world.sweep(day(0));
    world.approve(day(1), 0);
    assert_eq!(world.run(1, 6), 0);
    assert_eq!(world.run(7, 7), 1);
}

#[test]
fn an_approval_to_deactivate_does_not_cover_the_deletion() {
    let mut world = mk_world(ApprovalFor::Both);
    world.sweep(day(0));
    world.approve(day(1), 0);
    world.run(1, 10);
    assert_eq!(world.state_of(0), "deactivated");
    assert_eq!(world.run(11, 24), 0);
    world.approve(day(24), 0);
    assert_eq!(world.run(25, 25), 1);
    assert_eq!(world.state_of(0), "deleted");
}

#[test]
fn a_denied_key_is_held_and_then_asked_about_anew() {
    let mut world = mk_world(ApprovalFor::Deactivate);
    world.sweep(day(0));
    let request = world.asked(0).unwrap().number;
    let denied = KeyEvent::Consent(Consent::Denied {
        action: Planned::Deactivate,
        request,
        reason: "backup job".into(),
        hold_until: day(91),
    });
    world.happen(day(1), 0, denied);
    assert_eq!(world.state_of(0), "flagged");
    assert_eq!(world.run(1, 90), 0);
    assert_eq!(count(&world, "approval_asked"), 1);
    world.sweep(day(91));
    assert_eq!((count(&world, "approval_asked"), count(&world, "noticed")), (2, 2));
}

#[test]
fn a_request_nobody_answers_is_repeated_as_often_as_the_policy_says_and_then_held_for_good() {
    let mut world = mk_world(ApprovalFor::Deactivate);
    assert_eq!(world.run(0, 200), 0);
    assert_eq!(count(&world, "approval_asked"), 3);
    assert_eq!(count(&world, "approval_unanswered"), 1);
    assert_eq!(world.record(0).unwrap().held().unwrap().until, None);
}

#[test]
fn an_expired_request_cannot_be_approved_any_more() {
    let mut world = mk_world(ApprovalFor::Deactivate);
    world.sweep(day(0));
    let try_at = |at| {
        let when = When { at, seq: 9, actor: &Actor::Keysweep };
        next(mk_account_id(0), &mk_key_id(0), world.record(0), when, &approved(&world, Planned::Deactivate))
    };
    assert!(try_at(hours(14 * 24 - 1)).is_ok());
    assert!(try_at(day(14)).is_err());
}

#[test]
fn the_first_decision_wins() {
    let mut world = mk_world(ApprovalFor::Deactivate);
    world.sweep(day(0));
    world.approve(day(1), 0);
    let when = When { at: day(1), seq: 9, actor: &Actor::Keysweep };
    let again =
        next(mk_account_id(0), &mk_key_id(0), world.record(0), when, &approved(&world, Planned::Deactivate));
    assert!(again.is_err());
}

#[test]
fn an_approval_is_void_when_the_last_use_differs_from_what_was_shown() {
    let mut world = mk_world(ApprovalFor::Deactivate);
    world.sweep(day(0));
    world.approve(day(1), 0);
    // AWS corrects the last use to an earlier one: not a use, but not what was shown either.
    world.keys[0].last_use = Fact::Known(used_at(day(-120)));
    assert_eq!(world.run(2, 12), 0);
    assert_eq!((count(&world, "approval_voided"), count(&world, "approval_asked")), (1, 2));
}

#[test]
fn an_approval_that_is_not_wanted_any_more_is_void() {
    let mut world = mk_world(ApprovalFor::Deactivate);
    world.sweep(day(0));
    world.policy.base.approval = ApprovalFor::None;
    world.sweep(day(1));
    assert_eq!(count(&world, "approval_voided"), 1);
    assert_eq!(world.run(2, 7), 1);
}

#[test]
fn mail_users_and_users_with_many_keys_need_approval_whatever_the_policy_says() {
    let protected: [fn(&mut World); 4] = [
        |world| world.keys[0].user_name = "SES-smtp-user.20240101".parse().unwrap(),
        |world| world.keys[0].other_keys = mk_others(2),
        |world| world.keys[0].last_use = mk_used_with("ses"),
        |world| world.keys[0].last_use = mk_used_with("ses-smtp"),
    ];
    for protect in protected {
        let mut world = mk_world(ApprovalFor::None);
        protect(&mut world);
        assert_eq!(world.run(0, 13), 0, "{:?}", world.keys[0]);
        world.approve(day(13), 0);
        assert_eq!(world.run(13, 13), 1);
        assert_eq!(world.run(14, 40), 0, "its deletion needs another one");
    }
}

fn mk_used_with(service: &str) -> Fact<LastUse> {
    Fact::Known(LastUse::At { at: day(-100), service: Some(service.into()), region: None })
}

#[test]
fn a_user_with_two_keys_needs_no_approval() {
    let mut world = mk_world(ApprovalFor::None);
    world.keys[0].other_keys = mk_others(1);
    assert_eq!(world.run(0, 7), 1);
    let Some(State::Deactivated(_)) = world.record(0).map(|r| &r.state) else { panic!() };
}
