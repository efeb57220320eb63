//! What people are told: after the entries of the plan, and as far as it still holds.

use jiff::{SignedDuration, Timestamp};
use keysweep_core::effect::{Announcement, Effect};
use keysweep_core::facts::{Collection, Fact};
use keysweep_core::lifecycle::event::Overlay;
use keysweep_core::plan::{self, Next, Plan, Reason, Recheck, Wait};
use keysweep_core::policy::{ApprovalFor, Mode};
use keysweep_core::state::{Body, Reach};

use crate::mk::*;

/// A world in which the entries of a plan are written, and nobody has been told anything yet.
fn mk_planned(world: &mut World, at: Timestamp) -> (Collection, Plan) {
    let collection = world.collection(at);
    world.observe(&collection);
    let plan = plan::plan(at, &world.policy, &world.state, &collection);
    plan.entries.iter().for_each(|body| drop(world.write(at, body.clone())));
    (collection, plan)
}

fn told(world: &World, at: Timestamp, collection: &Collection, plan: &Plan) -> Vec<String> {
    let told = plan::still_to_tell(&world.context(at), collection, plan);
    told.into_iter().map(Announcement::told).map(|body| body.name().to_owned()).collect()
}

#[test]
fn a_plan_wants_people_told_and_records_nothing_of_it() {
    let mut world = World::new(mk_policy(Mode::Delete), vec![mk_key(0)]);
    let (collection, plan) = mk_planned(&mut world, day(0));
    assert_eq!(world.names_of(0), ["flagged"]);
    assert_eq!(told(&world, day(0), &collection, &plan), ["noticed"]);
    assert!(plan.changes().next().is_none());
}

#[test]
fn no_change_is_planned_before_people_are_told_whatever_the_periods_are() {
    let mut world = World::new(mk_policy(Mode::Delete), vec![mk_key(0)]);
    world.policy.base.notice = std::time::Duration::ZERO;
    let (collection, plan) = mk_planned(&mut world, day(0));
    assert!(plan.changes().next().is_none());
    assert_eq!(told(&world, day(0), &collection, &plan), ["noticed"]);
    assert_eq!(world.sweep(day(0)).changes().count(), 1, "the plan that follows makes it");
    assert_eq!(world.names_of(0), ["flagged", "noticed", "became_due"]);
}

#[test]
fn what_was_decided_meanwhile_comes_first() {
    let mut world = World::new(mk_policy(Mode::Delete), vec![mk_key(0), mk_key(1)]);
    let (collection, plan) = mk_planned(&mut world, day(0));
    world.happen(day(0), 0, Overlay::HoldPlaced { reason: "ours".into(), until: None }.into());
    let told = plan::still_to_tell(&world.context(day(0)), &collection, &plan);
    let keys: Vec<_> = told.iter().map(Announcement::key).collect();
    assert_eq!(keys, [&world.keys[1].key]);
}

#[test]
fn a_key_that_became_stale_meanwhile_is_left_to_the_next_plan() {
    let (mut stale, mut later) = (mk_key(0), mk_key(1));
    stale.other_keys = mk_others(1);
    later.last_use = Fact::Known(used_at(day(-90) + SignedDuration::from_secs(5)));
    let mut world = World::new(mk_policy(Mode::Delete), vec![stale, later]);
    let (collection, plan) = mk_planned(&mut world, day(0));
    let after = day(0) + SignedDuration::from_secs(10);
    assert_eq!(told(&world, after, &collection, &plan), ["noticed"], "of the one that is flagged");
    assert_eq!(world.names_of(1), Vec::<&str>::new());
}

#[test]
fn a_request_for_approval_follows_the_notice_in_the_same_sweep() {
    let mut world = World::new(mk_policy(Mode::Delete), vec![mk_key(0)]);
    world.policy.base.approval = ApprovalFor::Both;
    world.sweep(day(0));
    assert_eq!(world.names_of(0), ["flagged", "noticed", "approval_asked"]);
}

#[test]
fn a_clock_that_was_ahead_voids_no_notice_once_it_is_right_again() {
    let mut world = World::new(mk_policy(Mode::Delete), vec![mk_key(0)]);
    world.sweep(day(0));
    let account = world.keys[0].account;
    let body = Body::AccountSkipped { account, name: String::new(), reason: "excluded".into() };
    world.write(day(1), body);
    assert!(matches!(world.state.account(account).unwrap().reach, Reach::Skipped { .. }));
    // It returns while the clock is a year ahead, so that nothing is planned.
    let ahead = world.collection(day(366));
    world.observe(&ahead);
    world.sweep(day(20));
    let plan = world.sweep(day(21));
    let next = &plan.keys[0].next;
    assert!(matches!(next, Next::Wait { wait, .. } if wait.reason() == Reason::Notice), "{next:?}");
    let names = world.names_of(0);
    assert_eq!(names.iter().filter(|name| **name == "noticed").count(), 2, "{names:?}");
}

#[test]
fn a_notice_and_a_request_for_approval_are_told_apart() {
    let mut world = World::new(mk_policy(Mode::Delete), vec![mk_key(0)]);
    world.policy.base.approval = ApprovalFor::Both;
    let (collection, plan) = mk_planned(&mut world, day(0));
    assert!(matches!(plan.effects.as_slice(), [Effect::Notify(_)]), "{:?}", plan.effects);
    let told = plan::still_to_tell(&world.context(day(0)), &collection, &plan);
    told.into_iter().map(Announcement::told).for_each(|body| drop(world.write(day(0), body)));
    let (_, plan) = mk_planned(&mut world, day(0));
    assert!(matches!(plan.effects.as_slice(), [Effect::AskApproval(_)]), "{:?}", plan.effects);
}

#[test]
fn a_change_whose_notice_became_void_meanwhile_waits_for_a_new_notice() {
    let mut world = World::new(mk_policy(Mode::Delete), vec![mk_key(0)]);
    world.run(0, 6);
    let ticket = world.sweep(day(7)).take_effects().0.remove(0);
    world.happen(day(7), 0, Overlay::HoldPlaced { reason: "ours".into(), until: None }.into());
    let hold = world.hold_number(0);
    world.happen(day(7), 0, Overlay::HoldReleased { hold, reason: "done".into() }.into());
    let refusal = world.recheck(day(7), ticket).unwrap_err();
    assert_eq!(refusal.wait, Recheck::NotNoticed.into());
    assert_eq!(refusal.announcement.map(|told| told.told().name()), Some("noticed"));
}

#[test]
fn a_newly_due_key_waits_for_the_last_plan_of_the_sweep() {
    let mut world = World::new(mk_policy(Mode::Delete), vec![mk_key(0), mk_key(1)]);
    world.keys[1].last_use = Fact::Known(used_at(day(-83)));
    world.run(0, 6);
    let (collection, plan) = mk_planned(&mut world, day(7));
    assert_eq!(told(&world, day(7), &collection, &plan), ["noticed"], "of the one that became stale");
    assert_eq!(
        plan.keys[0].record.as_ref().and_then(|record| record.due.as_ref()).map(|due| due.accepted),
        Some(false)
    );
    let next = &plan.keys[0].next;
    assert!(matches!(next, Next::Wait { wait: Wait::NotAccepted, .. }), "{next:?}");
    assert_eq!(world.sweep(day(7)).changes().count(), 1);
}
