//! What is planned, and what is not.

use keysweep_core::facts::{Fact, KeyStatus, Outcome};
use keysweep_core::lifecycle::KeyEvent;
use keysweep_core::lifecycle::event::{Change, Overlay};
use keysweep_core::plan::{self, Next, PlannedKey, Reason, Unknown, Wait};
use keysweep_core::policy::{Exemption, Match, Mode, Override, TermsPatch};
use keysweep_core::state::{Body, Reach};
use keysweep_core::ticket::{Action, Origin};

use crate::mk::*;

fn mk_world(mode: Mode) -> World {
    World::new(mk_policy(mode), vec![mk_key(0)])
}

fn waits_for(key: &PlannedKey) -> Option<Reason> {
    match &key.next {
        Next::Wait { wait, .. } => Some(wait.reason()),
        Next::Nothing | Next::Step { .. } => None,
    }
}

fn mk_exemption(user: &str, until: &str) -> Exemption {
    let matches = Match { users: vec![user.into()], ..Match::default() };
    Exemption { matches, reason: "break glass".into(), until: until.parse().unwrap() }
}

#[test]
fn in_observe_no_clock_starts_and_raising_the_mode_needs_a_notice_period() {
    let mut world = mk_world(Mode::Observe);
    assert_eq!(world.run(0, 100), 0);
    assert_eq!(world.names_of(0), ["flagged"]);
    world.policy.base.mode = Mode::Deactivate;
    assert_eq!(world.run(101, 107), 0);
    assert_eq!(world.run(108, 108), 1);
}

#[test]
fn lowering_and_raising_the_mode_voids_the_notice() {
    let mut world = mk_world(Mode::Deactivate);
    world.run(0, 5);
    world.policy.base.mode = Mode::Observe;
    world.sweep(day(6));
    world.policy.base.mode = Mode::Deactivate;
    assert_eq!(world.run(7, 13), 0);
    assert_eq!(world.names_of(0), ["flagged", "noticed", "notice_voided", "noticed"]);
    assert_eq!(world.run(14, 14), 1);
}

#[test]
fn a_key_deactivated_under_mode_deactivate_needs_a_notice_of_its_deletion_when_the_mode_is_raised() {
    let mut world = mk_world(Mode::Deactivate);
    world.run(0, 100);
    assert_eq!(world.state_of(0), "deactivated");
    world.policy.base.mode = Mode::Delete;
    assert_eq!(world.run(101, 107), 0, "its grace is long watched, but its deletion was never announced");
    assert_eq!(world.run(108, 108), 1);
    assert_eq!(world.state_of(0), "deleted");
}

#[test]
fn a_notice_of_a_deactivation_does_not_announce_the_deletion() {
    let mut world = mk_world(Mode::Deactivate);
    world.policy.base.grace = days(1);
    world.run(0, 6);
    assert_eq!(world.sweep_and_act(day(7)), 1);
    world.policy.base.mode = Mode::Delete;
    assert_eq!(world.run(7, 13), 0);
    assert_eq!(world.run(14, 14), 1);
}

#[test]
fn where_a_notice_is_required_the_planner_does_not_pretend_one() {
    let mut world = mk_world(Mode::Delete);
    world.policy.notices.required = true;
    assert_eq!(world.run(0, 60), 0);
    assert_eq!(world.names_of(0), ["flagged"]);
}

#[test]
fn a_longer_notice_period_holds_for_keys_already_noticed_and_a_shorter_one_does_not() {
    for (notice, due) in [(10, 10), (3, 7)] {
        let mut world = mk_world(Mode::Deactivate);
        world.sweep(day(0));
        world.policy.base.notice = days(notice);
        assert_eq!(world.run(1, due - 1), 0, "{notice}");
        assert_eq!(world.run(due, due), 1, "what was announced is kept");
    }
}

#[test]
fn an_exempt_key_is_neither_flagged_nor_changed_and_noticed_afresh_when_the_exemption_ends() {
    let mut world = mk_world(Mode::Delete);
    world.policy.exemptions.push(mk_exemption("USER-*", "2026-02-09"));
    let plan = world.sweep(day(0));
    assert_eq!(waits_for(&plan.keys[0]), Some(Reason::Exempt));
    assert_eq!(world.run(0, 39), 0);
    assert!(world.names_of(0).is_empty());
    assert_eq!(world.run(40, 46), 0, "2026-02-09 is day 39, the last on which it holds");
    assert_eq!(world.names_of(0), ["flagged", "noticed", "became_due"][..2]);
    assert_eq!(world.run(47, 47), 1);
}

#[test]
fn an_exemption_that_begins_late_stops_a_due_key_and_its_end_needs_a_fresh_notice() {
    let mut world = mk_world(Mode::Delete);
    world.run(0, 6);
    world.policy.exemptions.push(mk_exemption("user-0", "2026-01-20"));
    assert_eq!(world.run(7, 19), 0);
    assert_eq!(world.names_of(0), ["flagged", "noticed", "exempt_began"]);
    assert_eq!(world.run(20, 26), 0);
    assert_eq!(&world.names_of(0)[3..], ["exempt_ended", "noticed"]);
    assert_eq!(world.run(27, 27), 1);
}

#[test]
fn an_override_that_cannot_be_judged_makes_the_key_wait_and_moves_nothing() {
    let mut world = mk_world(Mode::Deactivate);
    let matches = Match { paths: vec!["/ci/".into()], ..Match::default() };
    let terms = TermsPatch { unused_after: Some(days(180)), ..TermsPatch::default() };
    world.policy.overrides.push(Override { matches, terms });
    world.run(0, 3);
    let before = world.state.clone();
    world.keys[0].path = Fact::Unknown("GetUser: timeout".into());
    let plan = world.sweep(day(8));
    assert_eq!(waits_for(&plan.keys[0]), Some(Reason::Unknown));
    assert_eq!(plan.keys[0].unknown, ["policy.override[1] cannot tell: path of the user: GetUser: timeout"]);
    assert_eq!(world.state.record(&mk_key_id(0)), before.record(&mk_key_id(0)));
}

#[test]
fn a_fact_that_no_rule_needs_may_be_unknown() {
    let mut world = mk_world(Mode::Deactivate);
    world.keys[0].path = Fact::Unknown("not read".into());
    world.keys[0].tags = Fact::Unknown("not read".into());
    assert_eq!(world.run(0, 7), 1);
}

#[test]
fn an_account_that_failed_changes_nothing() {
    let mut world = mk_world(Mode::Deactivate);
    world.run(0, 6);
    let before = world.state.clone();
    let mut collection = world.collection(day(7));
    collection.accounts[0].1 = Outcome::Failed { reason: "AccessDenied".into() };
    let plan = plan::plan(day(7), &world.policy, &world.state, &collection);
    assert!(plan.entries.is_empty() && plan.changes().next().is_none(), "{plan:?}");
    assert_eq!(world.state, before);
}

#[test]
fn an_account_leaves_only_by_a_complete_listing() {
    let mut world = mk_world(Mode::Observe);
    world.sweep(day(0));
    let mut collection = mk_collection(day(1), vec![]);
    collection.complete = false;
    assert!(plan::plan(day(1), &world.policy, &world.state, &collection).entries.is_empty());
    collection.complete = true;
    let plan = plan::plan(day(1), &world.policy, &world.state, &collection);
    assert_eq!(plan.entries, [Body::AccountLeft { account: mk_account_id(0) }]);
    for body in plan.entries {
        world.write(day(1), body);
    }
    assert!(matches!(world.state.account(mk_account_id(0)).unwrap().reach, Reach::Left { .. }));
    assert_eq!(world.state_of(0), "flagged", "its keys keep their state");
}

#[test]
fn inactive_keys_of_which_nothing_is_recorded_are_told_apart() {
    let mut world = mk_world(Mode::Delete);
    world.keys[0].status = KeyStatus::Inactive;
    let plan = world.sweep(day(0));
    assert_eq!(plan.inactive_of_unknown_origin, [(mk_account_id(0), mk_key_id(0))]);
    assert_eq!(world.run(1, 60), 0);
}

#[test]
fn a_status_that_is_not_known_is_never_acted_on() {
    let mut world = mk_world(Mode::Delete);
    world.run(0, 6);
    world.keys[0].status = KeyStatus::Other("Expired".into());
    assert_eq!(world.run(7, 60), 0);
}

#[test]
fn a_key_with_an_open_undo_is_not_deleted() {
    let mut world = mk_world(Mode::Delete);
    world.run(0, 20);
    let intent = KeyEvent::Change(Change::Intent {
        action: keysweep_core::ticket::Action::Reactivate,
        origin: keysweep_core::ticket::Origin::Policy,
        why: String::new(),
        deadline: mk_deadline(day(7)),
        quarantine: None,
    });
    world.happen(day(20), 0, intent);
    assert_eq!(world.run(21, 60), 0);
}

#[test]
fn a_closed_window_waits_for_its_opening() {
    let mut world = mk_world(Mode::Deactivate);
    world.policy.base.hours = Some("09:00-16:00".parse().unwrap());
    world.run(0, 6);
    let plan = world.sweep(day(7));
    let Next::Wait { wait, .. } = &plan.keys[0].next else { panic!() };
    assert_eq!((wait.reason(), wait.until()), (Reason::Window, Some(hours(7 * 24 + 9))));
    assert_eq!(world.sweep(hours(7 * 24 + 9)).changes().count(), 1);
    assert_eq!(world.sweep(hours(7 * 24 + 16)).changes().count(), 0);
}

#[test]
fn what_is_shown_of_a_change_under_way_is_what_became_of_its_call() {
    let wait = |world: &mut World| match world.sweep(day(8)).keys.remove(0).next {
        Next::Wait { wait: Wait::Unknown(Unknown::Outcome { accepted }), .. } => accepted,
        next => panic!("{next:?}"),
    };
    let intent = |action| {
        let (origin, why, deadline) = (Origin::Policy, String::new(), mk_deadline(day(7)));
        KeyEvent::Change(Change::Intent { action, origin, why, deadline, quarantine: None })
    };
    let accepted =
        |action, request: &str| KeyEvent::Change(Change::Accepted { action, request_id: request.into() });
    let mut world = mk_world(Mode::Delete);
    world.run(0, 6);
    world.happen(day(7), 0, intent(Action::Deactivate));
    assert_eq!(wait(&mut world), None);
    world.happen(day(7), 0, accepted(Action::Deactivate, "1-2-3"));
    assert_eq!(wait(&mut world), Some("1-2-3".into()));
    // An undo goes before the change that it undoes.
    world.happen(day(7), 0, intent(Action::Reactivate));
    assert_eq!(wait(&mut world), None);
    world.happen(day(7), 0, accepted(Action::Reactivate, "4-5-6"));
    assert_eq!(wait(&mut world), Some("4-5-6".into()));

    let mut world = mk_world(Mode::Delete);
    world.run(0, 20);
    world.happen(day(21), 0, intent(Action::Delete));
    world.happen(day(21), 0, accepted(Action::Delete, "7-8-9"));
    assert_eq!(wait(&mut world), Some("7-8-9".into()));
}

#[test]
fn of_more_holds_that_end_at_once_than_a_plan_can_record_the_next_ends_the_rest() {
    let mut world = mk_world(Mode::Deactivate);
    world.sweep(day(0));
    for n in 0..20 {
        let (reason, until) = (format!("{n}"), Some(day(1)));
        world.happen(day(0), 0, KeyEvent::Overlay(Overlay::HoldPlaced { reason, until }));
    }
    let plan = world.sweep(day(1));
    assert_eq!(waits_for(&plan.keys[0]), Some(Reason::Unknown));
    assert_eq!((plan.entries.len(), world.record(0).unwrap().holds.len()), (12, 8));
    world.sweep(day(2));
    assert_eq!(world.record(0).unwrap().holds, []);
    assert_eq!(world.names_of(0).last(), Some(&"noticed"));
}

#[test]
fn a_due_key_whose_change_has_to_wait_again_is_due_no_more() {
    let mut world = mk_world(Mode::Deactivate);
    world.write(day(0), Body::Paused { reason: "freeze".into() });
    world.run(0, 7);
    assert_eq!(world.names_of(0), ["flagged", "noticed", "became_due"]);
    world.policy.base.notice = days(10);
    let plan = world.sweep(day(8));
    assert_eq!(waits_for(&plan.keys[0]), Some(Reason::Notice));
    assert_eq!(world.names_of(0)[3..], ["not_due"]);
    assert_eq!(world.record(0).unwrap().due, None);
    world.sweep(day(10));
    assert_eq!(world.names_of(0)[4..], ["became_due"]);
    assert_eq!(world.record(0).unwrap().due.as_ref().map(|due| due.since), Some(day(10)));
}
