//! What a plan counts of an account, which keys it lists, and whom it tells nothing.

use jiff::SignedDuration;
use keysweep_core::facts::{Collection, Fact, KeyFacts, KeyStatus, Outcome};
use keysweep_core::finding::{Counts, FindingKind};
use keysweep_core::plan;
use keysweep_core::policy::Mode;
use keysweep_core::state::Body;

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
