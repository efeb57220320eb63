//! The breaker, parked accounts, the pause and the caps.

use keysweep_core::lifecycle::{KeyEvent, RefusedKind};
use keysweep_core::plan::{Next, Plan, Reason, newly_due};
use keysweep_core::policy::Mode;
use keysweep_core::state::{Body, TripReason};
use keysweep_core::ticket::{Action, Origin};

use crate::mk::*;

/// A world of so many stale keys, ten to an account, whose caps are wide open.
fn mk_world(keys: usize) -> World {
    let of_account = |n| {
        let mut key = mk_key(n);
        key.account = mk_account_id(n / 10);
        key
    };
    let mut world = World::new(mk_policy(Mode::Delete), (0..keys).map(of_account).collect());
    world.policy.limits.deactivations_per_day = 1000;
    world.policy.limits.deletions_per_day = 1000;
    world.policy.limits.changes_per_account_per_day = 1000;
    world
}

fn waits(plan: &Plan, reason: Reason) -> usize {
    plan.keys.iter().filter(|key| matches!(&key.next, Next::Wait(wait) if wait.reason == reason)).count()
}

fn fail(world: &mut World, key: usize) {
    let intent = KeyEvent::Intent {
        action: Action::Deactivate,
        origin: Origin::Policy,
        why: String::new(),
        deadline: mk_deadline(day(7)),
    };
    world.happen(day(7), key, intent);
    let detail = "AccessDenied".into();
    world.happen(
        day(7),
        key,
        KeyEvent::Refused { action: Action::Deactivate, kind: RefusedKind::Denied, detail },
    );
}

#[test]
fn more_newly_due_keys_than_the_limit_trip_the_breaker_and_none_is_changed() {
    let mut world = mk_world(21);
    world.run(0, 6);
    let plan = world.sweep(day(7));
    assert_eq!(plan.steps.len(), 0);
    let tripped = &world.state.control().breaker.as_ref().unwrap().reason;
    assert_eq!(*tripped, TripReason::Surge { newly_due: 21, limit: 20 });
    assert_eq!(waits(&plan, Reason::Breaker), 21);
    assert_eq!(world.run(8, 30), 0, "it stays open until somebody closes it");
}

#[test]
fn as_many_newly_due_keys_as_the_limit_pass() {
    let mut world = mk_world(20);
    world.run(0, 6);
    assert_eq!(world.sweep(day(7)).steps.len(), 20);
    assert_eq!(world.state.control().breaker, None);
}

#[test]
fn the_share_of_active_keys_within_reach_counts_where_it_is_larger() {
    let mut world = mk_world(30);
    world.policy.limits.surge = 1.0;
    let mut gone = world.clone();
    gone.policy.limits.surge = 0.1;
    let inventory = keysweep_core::facts::Inventory { active_keys: 5000, ..Default::default() };
    let body = Body::AccountScanned {
        account: mk_account_id(50),
        name: String::new(),
        ou_path: String::new(),
        sighting: mk_sighting(day(0)),
        inactive: std::collections::BTreeSet::new(),
        inventory,
        untold: std::collections::BTreeSet::new(),
        unknown_keys: 0,
        report_generated_at: None,
    };
    gone.write(day(0), body);
    world.run(0, 6);
    gone.run(0, 6);
    assert_eq!(world.sweep(day(7)).steps.len(), 30, "30 are not more than all of 30");
    assert_eq!(gone.sweep(day(7)).steps.len(), 0, "an account that left has no say");
}

#[test]
fn a_reset_accepts_what_tripped_the_breaker() {
    let mut world = mk_world(21);
    world.run(0, 7);
    assert_eq!(newly_due(&world.state).len(), 21);
    world.write(day(8), Body::BreakerReset { reason: "known".into(), keys: 21, accounts: None });
    assert!(newly_due(&world.state).is_empty());
    assert_eq!(world.sweep(day(8)).steps.len(), 21);
}

#[test]
fn an_organization_that_shrank_trips_the_breaker_until_a_reset_names_its_new_size() {
    let mut world = mk_world(20);
    world.run(0, 6);
    let body = |accounts| Body::SweepFinished {
        took: INTERVAL,
        scanned: accounts,
        failed: 0,
        skipped: 0,
        complete: true,
        keys: 0,
        unknown_keys: 0,
    };
    world.write(day(6), body(3));
    assert_eq!(world.sweep(day(7)).steps.len(), 0);
    let tripped = world.state.control().breaker.clone().unwrap().reason;
    assert_eq!(tripped, TripReason::Shrink { before: 3, now: 2 });
    world.write(day(7), body(2));
    assert_eq!(world.state.control().accounts, Some(3), "a sweep under an open breaker is no baseline");
    world.write(day(8), Body::BreakerReset { reason: "sold".into(), keys: 20, accounts: Some(2) });
    assert_eq!(world.sweep(day(8)).steps.len(), 20);
}

#[test]
fn an_incomplete_listing_is_no_shrinking() {
    let mut world = mk_world(20);
    world.run(0, 6);
    let body = Body::SweepFinished {
        took: INTERVAL,
        scanned: 9,
        failed: 0,
        skipped: 0,
        complete: true,
        keys: 0,
        unknown_keys: 0,
    };
    world.write(day(6), body);
    let mut collection = world.collection(day(7));
    collection.complete = false;
    let plan = keysweep_core::plan::plan(day(7), &world.policy, &world.state, &collection);
    assert_eq!(plan.steps.len(), 20);
}

#[test]
fn an_account_in_which_a_change_failed_is_parked_alone_for_a_day() {
    let mut world = mk_world(20);
    world.run(0, 6);
    world.sweep(day(7));
    fail(&mut world, 0);
    let plan = world.sweep(hours(7 * 24 + 23));
    assert_eq!(plan.steps.len(), 10);
    assert!(plan.steps.iter().all(|ticket| ticket.identity().account == mk_account_id(1)));
    let plan = world.sweep(day(8));
    assert_eq!(plan.steps.len(), 20, "and then it goes on");
}

#[test]
fn failures_in_as_many_accounts_as_the_limit_trip_the_breaker() {
    let mut world = mk_world(40);
    world.policy.limits.surge_keys = 100;
    world.run(0, 6);
    world.sweep(day(7));
    for key in [0, 1, 10] {
        fail(&mut world, key);
    }
    assert!(!world.sweep(day(7)).steps.is_empty(), "two accounts are not three");
    fail(&mut world, 20);
    assert!(world.sweep(day(7)).steps.is_empty());
    assert_eq!(
        world.state.control().breaker.as_ref().unwrap().reason,
        TripReason::Failures { accounts: 3, limit: 3 }
    );
    world.write(day(7), Body::BreakerReset { reason: "role fixed".into(), keys: 0, accounts: None });
    assert!(!world.sweep(day(7)).steps.is_empty());
}

#[test]
fn a_reset_for_another_reason_leaves_an_account_parked() {
    let mut world = mk_world(21);
    world.run(0, 6);
    assert!(world.sweep(day(7)).steps.is_empty(), "a surge");
    fail(&mut world, 0);
    world.write(day(7), Body::BreakerReset { reason: "known".into(), keys: 21, accounts: None });
    let plan = world.sweep(day(7));
    assert!(!plan.steps.is_empty());
    assert!(plan.steps.iter().all(|ticket| ticket.identity().account != mk_account_id(0)));
}

#[test]
fn while_it_is_paused_nothing_starts() {
    let mut world = mk_world(3);
    world.run(0, 6);
    let before = world.sweep(day(7));
    world.write(day(7), Body::Paused { reason: "release day".into() });
    let plan = world.sweep(day(7));
    assert_eq!((plan.steps.len(), waits(&plan, Reason::Paused)), (0, 3));
    for ticket in before.steps {
        let refusal = world.recheck(day(7), ticket).unwrap_err();
        assert_eq!(refusal.wait.reason, Reason::Paused, "not even with a ticket of before");
    }
    world.write(day(8), Body::Resumed { reason: "done".into() });
    assert_eq!(world.sweep(day(8)).steps.len(), 3);
}

#[test]
fn what_has_been_due_the_longest_goes_first_when_a_cap_is_short() {
    let mut world = mk_world(6);
    world.policy.limits.deactivations_per_day = 2;
    world.keys[5].last_use = keysweep_core::facts::Fact::Known(used_at(day(-120)));
    for key in 0..5 {
        world.keys[key].last_use = keysweep_core::facts::Fact::Known(used_at(day(-89)));
    }
    world.run(0, 7);
    assert_eq!(world.state_of(5), "deactivated");
    let plan = world.sweep(day(8));
    assert_eq!(plan.steps.len(), 2, "yesterday's is not counted after 24 hours");
    let keys: Vec<_> = plan.steps.iter().map(|ticket| ticket.identity().key.clone()).collect();
    assert_eq!(keys, [mk_key_id(0), mk_key_id(1)]);
    assert_eq!(waits(&plan, Reason::Cap), 3);
}

#[test]
fn the_cap_of_an_account_counts_deactivations_and_deletions_together() {
    let mut world = mk_world(20);
    world.policy.limits.changes_per_account_per_day = 3;
    world.run(0, 6);
    let plan = world.sweep(day(7));
    assert_eq!((plan.steps.len(), waits(&plan, Reason::Cap)), (6, 14));
}

#[test]
fn a_clock_that_went_back_does_not_empty_the_caps() {
    let mut world = mk_world(4);
    world.policy.limits.deactivations_per_day = 2;
    world.run(0, 6);
    assert_eq!(world.sweep_and_act(day(30)), 2);
    assert_eq!(world.sweep_and_act(day(29)), 0);
    let control = world.state.control();
    assert_eq!(control.changes_since_yesterday(day(29), Some(Action::Deactivate), None), 2);
}
