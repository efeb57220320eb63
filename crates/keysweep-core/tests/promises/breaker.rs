//! The breaker, parked accounts, the pause and the caps.

use keysweep_core::lifecycle::event::Change;
use keysweep_core::lifecycle::{KeyEvent, RefusedKind};
use keysweep_core::plan::{Next, Plan, Reason, newly_due, trips_on_failures};
use keysweep_core::policy::{Match, Mode, Override, TermsPatch};
use keysweep_core::state::{Actor, Body, ParkReason, TripReason};
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
    plan.keys
        .iter()
        .filter(|key| matches!(&key.next, Next::Wait { wait, .. } if wait.reason() == reason))
        .count()
}

fn fail(world: &mut World, key: usize) {
    let intent = KeyEvent::Change(Change::Intent {
        action: Action::Deactivate,
        origin: Origin::Policy,
        why: String::new(),
        deadline: mk_deadline(day(7)),
        quarantine: None,
    });
    world.happen(day(7), key, intent);
    let detail = "AccessDenied".into();
    world.happen(
        day(7),
        key,
        KeyEvent::Change(Change::Refused { action: Action::Deactivate, kind: RefusedKind::Denied, detail }),
    );
}

fn fail_by(world: &mut World, key: usize, event: KeyEvent) {
    let (action, deadline) = (Action::Deactivate, mk_deadline(day(7)));
    let intent = KeyEvent::Change(Change::Intent {
        action,
        origin: Origin::Policy,
        why: String::new(),
        deadline,
        quarantine: None,
    });
    world.happen(day(7), key, intent);
    world.happen(day(7), key, event);
}

fn succeed(world: &mut World, key: usize) {
    let (last_use, sighting) = (world.keys[key].last_use.known().unwrap().clone(), mk_sighting(day(7)));
    fail_by(world, key, KeyEvent::Change(Change::Deactivated { request_id: None, last_use, sighting }));
    world.keys[key].status = keysweep_core::facts::KeyStatus::Inactive;
}

/// Failures of changes that were certainly not applied, for reasons that pass.
fn mk_passing() -> Vec<KeyEvent> {
    let (action, detail) = (Action::Deactivate, || "503".to_owned());
    vec![
        KeyEvent::Change(Change::Unclear { action, detail: detail(), accepted: false }),
        KeyEvent::Change(Change::Refused { action, kind: RefusedKind::Throttled, detail: detail() }),
        KeyEvent::Change(Change::Refused { action, kind: RefusedKind::Transient, detail: detail() }),
    ]
}

fn change_failed(world: &mut World, key: usize, kind: RefusedKind) {
    let facts = &world.keys[key];
    let (account, key, action) = (facts.account, facts.key.clone(), Action::Deactivate);
    world.write(day(7), Body::ChangeFailed { account, key, action, kind, why: "no role".into() });
}

#[test]
fn more_newly_due_keys_than_the_limit_trip_the_breaker_and_none_is_changed() {
    let mut world = mk_world(21);
    world.run(0, 6);
    let plan = world.sweep(day(7));
    assert_eq!(plan.changes().count(), 0);
    let tripped = &world.state.control().breaker.as_ref().unwrap().reason;
    assert_eq!(*tripped, TripReason::Surge { newly_due: 21, limit: 20 });
    assert_eq!(waits(&plan, Reason::Breaker), 21);
    assert_eq!(world.run(8, 30), 0, "it stays open until somebody closes it");
}

#[test]
fn as_many_newly_due_keys_as_the_limit_pass() {
    let mut world = mk_world(20);
    world.run(0, 6);
    assert_eq!(world.sweep(day(7)).changes().count(), 20);
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
        place: keysweep_core::facts::Place::default(),
    };
    gone.write(day(0), body);
    world.run(0, 6);
    gone.run(0, 6);
    assert_eq!(world.sweep(day(7)).changes().count(), 30, "30 are not more than all of 30");
    assert_eq!(gone.sweep(day(7)).changes().count(), 0, "an account that left has no say");
}

#[test]
fn a_reset_accepts_what_tripped_the_breaker() {
    let mut world = mk_world(21);
    world.run(0, 7);
    assert_eq!(newly_due(&world.state).len(), 21);
    world.reset_breaker(day(8), None);
    assert!(newly_due(&world.state).is_empty());
    assert_eq!(world.sweep(day(8)).changes().count(), 21);
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
        stale: None,
        idle_exemptions: std::collections::BTreeSet::new(),
        busy_exemptions: std::collections::BTreeSet::new(),
    };
    world.write(day(6), body(3));
    assert_eq!(world.sweep(day(7)).changes().count(), 0);
    let tripped = world.state.control().breaker.clone().unwrap().reason;
    assert_eq!(tripped, TripReason::Shrink { before: 3, now: 2 });
    world.write(day(7), body(2));
    assert_eq!(world.state.control().accounts, Some(3), "a sweep under an open breaker is no baseline");
    world.reset_breaker(day(8), Some(2));
    assert_eq!(world.sweep(day(8)).changes().count(), 20);
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
        stale: None,
        idle_exemptions: std::collections::BTreeSet::new(),
        busy_exemptions: std::collections::BTreeSet::new(),
    };
    world.write(day(6), body);
    let mut collection = world.collection(day(7));
    collection.complete = false;
    let plan = keysweep_core::plan::plan(day(7), &world.policy, &world.state, &collection);
    assert_eq!(plan.changes().count(), 20);
}

#[test]
fn an_account_in_which_a_change_failed_is_parked_alone_for_a_day() {
    let mut world = mk_world(20);
    world.run(0, 6);
    world.sweep(day(7));
    fail(&mut world, 0);
    let plan = world.sweep(hours(7 * 24 + 23));
    assert_eq!(plan.changes().count(), 10);
    assert!(plan.changes().all(|ticket| ticket.identity().account == mk_account_id(1)));
    let plan = world.sweep(day(8));
    assert_eq!(plan.changes().count(), 20, "and then it goes on");
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
    assert!(world.sweep(day(7)).changes().next().is_some(), "two accounts are not three");
    fail(&mut world, 20);
    assert!(world.sweep(day(7)).changes().next().is_none());
    assert_eq!(
        world.state.control().breaker.as_ref().unwrap().reason,
        TripReason::Failures { accounts: 3, limit: 3 }
    );
    world.reset_breaker(day(7), None);
    let plan = world.sweep(day(7));
    let accounts: Vec<_> = plan.changes().map(|ticket| ticket.identity().account).collect();
    assert_eq!(accounts, [mk_account_id(3); 10], "parked accounts stay parked");
}

#[test]
fn a_reset_for_another_reason_leaves_an_account_parked() {
    let mut world = mk_world(21);
    world.run(0, 6);
    assert!(world.sweep(day(7)).changes().next().is_none(), "a surge");
    fail(&mut world, 0);
    world.reset_breaker(day(7), None);
    let plan = world.sweep(day(7));
    assert!(plan.changes().next().is_some());
    assert!(plan.changes().all(|ticket| ticket.identity().account != mk_account_id(0)));
}

#[test]
fn a_reset_accepts_no_key_that_was_not_shown() {
    let mut world = mk_world(21);
    world.run(0, 7);
    let mut shown = newly_due(&world.state);
    let hidden = shown.pop_last().unwrap();
    world.write(day(8), Body::BreakerReset { reason: "looked".into(), keys: shown, accounts: None });
    assert_eq!(newly_due(&world.state), [hidden].into());
}

#[test]
fn a_change_that_fails_for_a_reason_that_passes_rests_its_key_alone() {
    for event in mk_passing() {
        let mut world = mk_world(20);
        world.run(0, 6);
        world.sweep(day(7));
        fail_by(&mut world, 0, event.clone());
        let control = world.state.control();
        assert_eq!(control.parked(mk_account_id(0), day(7)), None, "{event:?}");
        assert_eq!(control.resting(&mk_key_id(0), day(7)), Some(day(8)));
        let plan = world.sweep(hours(7 * 24 + 6));
        assert_eq!(plan.changes().count(), 19, "{event:?}");
        assert_eq!(world.state.control().resting(&mk_key_id(0), day(8)), None, "and then it goes on");
    }
}

#[test]
fn the_second_failure_in_a_row_parks_its_account() {
    for event in mk_passing() {
        let mut world = mk_world(30);
        world.policy.limits.surge_keys = 100;
        world.run(0, 6);
        world.sweep(day(7));
        fail_by(&mut world, 0, event.clone());
        succeed(&mut world, 10);
        fail_by(&mut world, 1, event.clone());
        let (park, until) = world.state.control().parked(mk_account_id(0), day(7)).unwrap();
        assert_eq!((park.reason, &park.key, until), (ParkReason::Repeated, &mk_key_id(1), day(8)));
        let accounts = world.state.control().failed_accounts(day(7));
        assert_eq!(accounts, [mk_account_id(0)].into(), "it counts for the breaker");
        // A success between them in the same account, and it is no row.
        let mut world = mk_world(30);
        world.policy.limits.surge_keys = 100;
        world.run(0, 6);
        world.sweep(day(7));
        fail_by(&mut world, 0, event.clone());
        succeed(&mut world, 2);
        fail_by(&mut world, 1, event);
        assert_eq!(world.state.control().parked(mk_account_id(0), day(7)), None);
    }
}

#[test]
fn accepted_changes_that_show_late_neither_park_nor_count() {
    let mut world = mk_world(30);
    world.policy.limits.surge_keys = 100;
    world.run(0, 6);
    world.sweep(day(7));
    for key in [0, 1, 10, 20] {
        let detail = "accepted, and not shown yet".into();
        let late = KeyEvent::Change(Change::Unclear { action: Action::Deactivate, detail, accepted: true });
        fail_by(&mut world, key, late);
    }
    let control = world.state.control();
    assert_eq!(control.all_parked(day(7)).count(), 0);
    assert!(control.failures.is_empty(), "{:?}", control.failures);
    assert!(world.sweep(day(7)).changes().next().is_some());
}

#[test]
fn an_outage_trips_the_breaker_and_single_faults_do_not() {
    for event in mk_passing() {
        let mut world = mk_world(40);
        world.policy.limits.surge_keys = 100;
        world.run(0, 6);
        world.sweep(day(7));
        let mut outage = world.clone();
        for key in [0, 10, 20] {
            fail_by(&mut outage, key, event.clone());
            fail_by(&mut world, key, event.clone());
            succeed(&mut world, 30 + key / 10);
        }
        assert!(world.sweep(day(7)).changes().next().is_some(), "changes succeed between them");
        assert!(outage.sweep(day(7)).changes().next().is_none(), "nothing succeeds between them");
    }
}

#[test]
fn missing_preconditions_park_their_accounts_and_do_not_trip_the_breaker() {
    for kind in [RefusedKind::Denied, RefusedKind::Throttled, RefusedKind::Other] {
        let mut world = mk_world(40);
        world.policy.limits.surge_keys = 100;
        world.run(0, 6);
        world.sweep(day(7));
        for key in [0, 10, 20] {
            change_failed(&mut world, key, kind);
        }
        let plan = world.sweep(day(7));
        assert_eq!(world.state.control().breaker, None);
        let accounts: Vec<_> = plan.changes().map(|ticket| ticket.identity().account).collect();
        assert_eq!(accounts, [mk_account_id(3); 10], "{kind:?}");
        let (park, _) = world.state.control().parked(mk_account_id(0), day(7)).unwrap();
        assert_eq!((park.reason, park.since), (ParkReason::Precondition, day(7)));
    }
}

#[test]
fn a_session_that_fails_for_a_reason_that_passes_parks_at_the_second() {
    let mut world = mk_world(20);
    world.run(0, 6);
    world.sweep(day(7));
    change_failed(&mut world, 0, RefusedKind::Transient);
    assert_eq!(world.state.control().parked(mk_account_id(0), day(7)), None);
    change_failed(&mut world, 1, RefusedKind::Transient);
    assert!(world.state.control().parked(mk_account_id(0), day(7)).is_some());
    assert!(world.state.control().failed_accounts(day(7)).is_empty(), "no call was made");
}

#[test]
fn a_park_outlives_every_reset_and_an_operator_ends_it() {
    let mut world = mk_world(20);
    world.run(0, 6);
    world.sweep(day(7));
    fail(&mut world, 0);
    let tripped = Body::BreakerTripped { reason: TripReason::Failures { accounts: 3, limit: 3 } };
    world.write(day(7), tripped);
    world.reset_breaker(day(7), None);
    let plan = world.sweep(day(7));
    assert_eq!(plan.changes().count(), 10);
    let parked = plan.keys.iter().find_map(|key| match &key.next {
        Next::Wait { wait, .. } if key.facts.account == mk_account_id(0) => Some(wait.clone()),
        _ => None,
    });
    let wait = parked.unwrap();
    assert_eq!((wait.reason(), wait.until()), (Reason::Breaker, Some(day(8))));
    let why = wait.to_string();
    assert!(why.contains("AWS refused to deactivate") && why.contains("AccessDenied"), "{why}");
    let other = Body::AccountUnparked { account: mk_account_id(1), reason: "wrong one".into() };
    world.write(day(7), other);
    assert_eq!(world.sweep(day(7)).changes().count(), 10);
    let unparked = Body::AccountUnparked { account: mk_account_id(0), reason: "role fixed".into() };
    world.write(day(7), unparked);
    assert_eq!(world.sweep(day(7)).changes().count(), 20);
}

#[test]
fn a_pause_ends_by_its_number_and_leaves_the_others() {
    let mut world = mk_world(3);
    world.run(0, 6);
    world.write(day(7), Body::Paused { reason: "first start".into() });
    world.write_as(Actor::local("ada"), day(7), Body::Paused { reason: "release day".into() });
    world.write_as(Actor::local("bob"), day(7), Body::Paused { reason: "incident".into() });
    let numbers: Vec<u64> = world.state.control().pauses.iter().map(|pause| pause.number).collect();
    for (ended, left) in [(1, 2), (2, 1), (0, 0)] {
        assert_eq!(world.sweep(day(7)).changes().count(), 0, "one is enough");
        let pauses = [numbers[ended]].into();
        world.write_as(Actor::local("ada"), day(7), Body::Resumed { pauses, reason: "done".into() });
        assert_eq!(world.state.control().pauses.len(), left);
    }
    assert_eq!(world.sweep(day(7)).changes().count(), 3);
}

#[test]
fn a_person_called_keysweep_is_not_the_program() {
    for actor in [Actor::local("keysweep"), Actor::token("keysweep")] {
        let mut world = mk_world(1);
        world.write_as(actor, day(0), Body::Paused { reason: "incident".into() });
        let control = world.state.control();
        assert!(!control.paused_by_keysweep() && !control.introduced);
    }
}

#[test]
fn while_it_is_paused_nothing_starts() {
    let mut world = mk_world(3);
    world.run(0, 6);
    let mut before = world.sweep(day(7));
    world.write(day(7), Body::Paused { reason: "release day".into() });
    let plan = world.sweep(day(7));
    assert_eq!((plan.changes().count(), waits(&plan, Reason::Paused)), (0, 3));
    for ticket in before.take_effects().0 {
        let refusal = world.recheck(day(7), ticket).unwrap_err();
        assert_eq!(refusal.wait.reason(), Reason::Paused, "not even with a ticket of before");
    }
    world.resume(day(8));
    assert_eq!(world.sweep(day(8)).changes().count(), 3);
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
    assert_eq!(plan.changes().count(), 2, "yesterday's is not counted after 24 hours");
    let keys: Vec<_> = plan.changes().map(|ticket| ticket.identity().key.clone()).collect();
    assert_eq!(keys, [mk_key_id(0), mk_key_id(1)]);
    assert_eq!(waits(&plan, Reason::Cap), 3);
}

#[test]
fn the_cap_of_an_account_counts_deactivations_and_deletions_together() {
    let mut world = mk_world(20);
    world.policy.limits.changes_per_account_per_day = 3;
    world.run(0, 6);
    let plan = world.sweep(day(7));
    assert_eq!((plan.changes().count(), waits(&plan, Reason::Cap)), (6, 14));
}

#[test]
fn a_clock_that_went_back_does_not_empty_the_caps() {
    let mut world = mk_world(4);
    world.policy.limits.deactivations_per_day = 2;
    world.run(0, 6);
    assert_eq!(world.sweep_and_act(day(30)), 2);
    assert_eq!(world.sweep_and_act(day(29)), 0);
    let changes = world.state.control().changes_of_a_day(day(29)).map(|change| change.action);
    assert_eq!(changes.collect::<Vec<_>>(), [Action::Deactivate; 2]);
}

#[test]
fn an_open_breaker_trips_no_second_time_and_accepts_nothing_meanwhile() {
    let mut world = mk_world(21);
    world.run(0, 10);
    let trips =
        world.journal.iter().filter(|entry| matches!(entry.body, Body::BreakerTripped { .. })).count();
    assert_eq!(trips, 1, "though as many keys are due as before");

    // However few keys become due while it is open: an operator has not seen them.
    let mut world = mk_world(3);
    world.run(0, 6);
    world.write(day(6), Body::BreakerTripped { reason: TripReason::ClockSkew { seconds: 900 } });
    world.sweep(day(7));
    assert_eq!(newly_due(&world.state).len(), 3);
    world.reset_breaker(day(8), None);
    assert_eq!(world.sweep(day(8)).changes().count(), 3);
}

#[test]
fn keys_that_become_due_in_several_plans_of_one_sweep_count_together() {
    let mut world = mk_world(25);
    // The keys of the third account become stale a week later, and are due as soon as people are told.
    let matches = Match { accounts: vec![mk_account_id(2)], ..Match::default() };
    let terms = TermsPatch { notice: Some(days(0)), ..TermsPatch::default() };
    world.policy.overrides.push(Override { matches, terms });
    for key in 20..25 {
        world.keys[key].last_use = keysweep_core::facts::Fact::Known(used_at(day(-83)));
    }
    world.run(0, 6);
    let plan = world.sweep(day(7));
    let tripped = world.state.control().breaker.as_ref().map(|trip| &trip.reason);
    assert_eq!(tripped, Some(&TripReason::Surge { newly_due: 25, limit: 20 }));
    assert_eq!(plan.changes().count(), 0);
}

#[test]
fn what_only_the_caps_keep_back_is_in_reserve() {
    let mut world = mk_world(6);
    world.policy.limits.deactivations_per_day = 2;
    world.run(0, 6);
    let plan = world.sweep(day(7));
    let spare: Vec<_> = plan.spare.iter().map(|ticket| ticket.identity().key.clone()).collect();
    assert_eq!(spare, [2, 3, 4, 5].map(mk_key_id));
    assert!(plan.spare.iter().all(|ticket| ticket.action() == Action::Deactivate));
    // A ticket in reserve is no way around what else restrains.
    world.write(day(7), Body::Paused { reason: "freeze".into() });
    assert!(world.sweep(day(7)).spare.is_empty());
}

#[test]
fn the_reserve_is_no_larger_than_one_sweep_could_use() {
    let mut world = mk_world(503);
    world.policy.limits.surge_keys = 1000;
    world.policy.limits.deactivations_per_day = 1;
    world.sweep(day(0));
    assert_eq!(world.sweep(day(7)).spare.len(), 500);
}

#[test]
fn an_organization_may_shrink_by_its_share_and_not_by_more() {
    let mut world = mk_world(90);
    world.policy.limits.surge_keys = 100;
    world.run(0, 6);
    let (took, scanned) = (INTERVAL, 10);
    let body = Body::SweepFinished {
        took,
        scanned,
        failed: 0,
        skipped: 0,
        complete: true,
        keys: 0,
        unknown_keys: 0,
        stale: None,
        idle_exemptions: std::collections::BTreeSet::new(),
        busy_exemptions: std::collections::BTreeSet::new(),
    };
    world.write(day(6), body);
    let mut fewer = world.clone();
    fewer.keys.retain(|key| key.account != mk_account_id(8));
    assert_eq!(world.sweep(day(7)).changes().count(), 90, "nine of ten are left");
    assert_eq!(fewer.sweep(day(7)).changes().count(), 0, "eight of ten are left");
    let tripped = fewer.state.control().breaker.as_ref().map(|trip| trip.reason.clone());
    assert_eq!(tripped, Some(TripReason::Shrink { before: 10, now: 8 }));
}

#[test]
fn between_two_plans_failures_trip_the_breaker_once() {
    let mut world = mk_world(40);
    world.policy.limits.surge_keys = 100;
    world.run(0, 6);
    world.sweep(day(7));
    for key in [0, 10] {
        fail(&mut world, key);
    }
    assert_eq!(trips_on_failures(&world.context(day(7))), None);
    fail(&mut world, 20);
    let reason = TripReason::Failures { accounts: 3, limit: 3 };
    assert_eq!(trips_on_failures(&world.context(day(7))), Some(reason.clone()));
    assert_eq!(trips_on_failures(&world.context(day(8))), None, "a day later they count no more");
    world.write(day(7), Body::BreakerTripped { reason });
    assert_eq!(trips_on_failures(&world.context(day(7))), None);
}
