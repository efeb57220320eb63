//! What a plan counts of an account, which keys it lists, and whom it tells nothing.

use jiff::SignedDuration;
use keysweep_core::facts::{Collection, Fact, KeyFacts, KeyStatus, Outcome};
use keysweep_core::finding::{Counts, FindingKind};
use keysweep_core::plan;
use keysweep_core::policy::{Exemption, Match, Mode};
use keysweep_core::state::{Body, TripReason};

use crate::mk::*;

/// A world in whose only account ten unused keys were counted the last time.
fn mk_counted(keys: Vec<KeyFacts>) -> World {
    let mut world = World::new(mk_policy(Mode::Observe), keys);
    let collection = mk_collection(day(-1), vec![(mk_account(0), mk_scan(day(-1), vec![]))]);
    world.observe(&collection);
    let findings = Counts::new([(FindingKind::Unused, 10)], 0);
    world.write(day(-1), Body::AccountFindings { account: mk_account_id(0), findings });
    world
}

/// The unused keys of the account as counted now, with so many users unread.
fn counted(world: &World, unread: usize) -> u64 {
    let mut collection = world.collection(day(0));
    if world.keys.is_empty() {
        collection = mk_collection(day(0), vec![(mk_account(0), mk_scan(day(0), vec![]))]);
    }
    let Outcome::Scanned(scan) = &mut collection.accounts[0].1 else { panic!("it was scanned") };
    for n in 0..unread {
        scan.unread_users.insert(format!("unread-{n}").parse().unwrap(), "denied".into());
    }
    let plan = plan::plan(day(0), &world.policy, &world.state, &collection);
    let counts = plan.entries.iter().find_map(|body| match body {
        Body::AccountFindings { findings, .. } => Some(findings.of(FindingKind::Unused)),
        _ => None,
    });
    counts.unwrap_or(10)
}

#[test]
fn a_user_that_was_not_read_may_have_two_of_the_keys_of_last_time() {
    let world = mk_counted(vec![]);
    assert_eq!([0, 1, 3, 5, 6].map(|unread| counted(&world, unread)), [0, 2, 6, 10, 10]);
}

#[test]
fn an_active_key_that_was_not_judged_may_be_one_of_last_time_and_an_inactive_one_is_none() {
    let unknown =
        |n: usize, status| KeyFacts { status, last_use: Fact::Unknown("denied".into()), ..mk_key(n) };
    let keys =
        vec![unknown(0, KeyStatus::Active), unknown(1, KeyStatus::Active), unknown(2, KeyStatus::Inactive)];
    assert_eq!(counted(&mk_counted(keys), 0), 2);
    // Neither is a key in use.
    let used = KeyFacts { last_use: Fact::Known(used_at(day(-1))), ..mk_key(0) };
    assert_eq!(counted(&mk_counted(vec![used]), 0), 0);
}

#[test]
fn only_active_keys_are_counted_as_findings() {
    let inactive = |n: usize| KeyFacts { status: KeyStatus::Inactive, ..mk_key(n) };
    assert_eq!(counted(&mk_counted(vec![mk_key(0), mk_key(1), inactive(2)]), 0), 2);
}

#[test]
fn inactive_keys_without_a_record_are_of_unknown_origin_and_in_no_plan() {
    let mut world = World::new(mk_policy(Mode::Observe), vec![mk_key(0), mk_key(1), mk_key(2)]);
    world.keys[1].status = KeyStatus::Inactive;
    world.keys[2].last_use = Fact::Known(used_at(day(-1)));
    let plan = plan::plan(day(0), &world.policy, &world.state, &world.collection(day(0)));
    assert_eq!(plan.inactive_of_unknown_origin, [(mk_account_id(0), mk_key_id(1))]);
    let listed: Vec<_> = plan.keys.iter().map(|key| key.facts.key.clone()).collect();
    assert_eq!(listed, [mk_key_id(0)]);
    // One that keysweep knows is of no unknown origin.
    world.sweep(day(0));
    world.keys[0].status = KeyStatus::Inactive;
    let plan = plan::plan(day(1), &world.policy, &world.state, &world.collection(day(1)));
    assert_eq!(plan.inactive_of_unknown_origin, [(mk_account_id(0), mk_key_id(1))]);
}

#[test]
fn by_a_clock_that_is_wrong_nobody_is_told_anything() {
    let mut world = World::new(mk_policy(Mode::Delete), vec![mk_key(0)]);
    let told = |world: &World, collection: &Collection| {
        plan::plan(day(0), &world.policy, &world.state, collection).announcements().count()
    };
    let mut collection = world.collection(day(0));
    world.observe(&collection);
    for body in plan::plan(day(0), &world.policy, &world.state, &collection).entries {
        world.write(day(0), body);
    }
    assert_eq!(world.state_of(0), "flagged");
    assert_eq!(told(&world, &collection), 1);
    collection.skew = Some(SignedDuration::from_mins(6));
    assert_eq!(told(&world, &collection), 0);
}

#[test]
fn by_a_clock_that_is_wrong_nothing_is_recorded_but_what_ends_a_watch() {
    let mut world = World::new(mk_policy(Mode::Delete), (0..4).map(mk_key).collect());
    world.keys[3].last_use = Fact::Known(used_at(day(-82)));
    world.run(0, 0);
    assert_eq!(world.run(7, 7), 3);
    world.keys[0].status = KeyStatus::Active;
    world.keys[1].last_use = Fact::Known(used_at(day(-90)));
    // The last of them is stale now, and nobody knows by which clock.
    world.write(day(8), Body::BreakerTripped { reason: TripReason::ClockSkew { seconds: 900 } });
    let mut collection = world.collection(day(8));
    collection.skew = Some(SignedDuration::from_mins(15));
    let plan = plan::plan(day(8), &world.policy, &world.state, &collection);
    let of_keys = plan.entries.iter().filter_map(|body| match body {
        Body::Key { key, event, .. } => Some((key.clone(), event.name())),
        _ => None,
    });
    let expected = [(mk_key_id(0), "reactivated"), (mk_key_id(1), "last_use_moved")];
    assert_eq!(of_keys.collect::<Vec<_>>(), expected);
    assert_eq!(plan.entries.len(), 2);
    // What is shown of a key is what is recorded of it.
    let states = plan.keys.iter().map(|key| key.record.as_ref().map(|record| record.state.as_str()));
    assert_eq!(states.collect::<Vec<_>>(), [Some("active"), Some("deactivated"), Some("deactivated"), None]);
    collection.skew = None;
    let plan = plan::plan(day(8), &world.policy, &world.state, &collection);
    assert_eq!(plan.keys[3].record.as_ref().map(|record| record.state.as_str()), Some("flagged"));
}

#[test]
fn only_stale_keys_are_counted_as_exempt() {
    let used = |n: usize| KeyFacts { last_use: Fact::Known(used_at(day(-1))), ..mk_key(n) };
    let mut world = mk_counted(vec![mk_key(0), mk_key(1), used(2), mk_key(3), mk_key(4)]);
    world.policy.base.max_age = Some(days(90));
    let matches = Match { users: (0..4).map(|n| format!("user-{n}")).collect(), ..Match::default() };
    let until = "2030-01-01".parse().unwrap();
    world.policy.exemptions.push(Exemption { matches, reason: "ours".into(), until });
    let plan = plan::plan(day(0), &world.policy, &world.state, &world.collection(day(0)));
    let expected = Counts::new([(FindingKind::Unused, 4), (FindingKind::OverAge, 1)], 3);
    let account = mk_account_id(0);
    assert!(
        plan.entries.contains(&Body::AccountFindings { account, findings: expected }),
        "{:?}",
        plan.entries
    );
}
