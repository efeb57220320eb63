//! Plans of much, whose entries are written in parts.

use std::collections::BTreeSet;

use keysweep_core::facts::{Collection, KeyFacts};
use keysweep_core::plan::{self, Plan};
use keysweep_core::policy::Mode;

use crate::mk::*;

/// Three accounts with four stale keys each, as a scan has just seen them.
fn mk_found() -> World {
    let keys = (0..12).map(|n| KeyFacts { account: mk_account_id(n % 3), ..mk_key(n) }).collect();
    let mut world = World::new(mk_policy(Mode::Deactivate), keys);
    let collection = world.collection(day(0));
    world.observe(&collection);
    world
}

/// Writes what a plan says, and tells people what they are to be told.
fn write(world: &mut World, collection: &Collection, plan: &Plan) -> usize {
    for body in &plan.entries {
        world.write(day(0), body.clone());
    }
    let told = plan::still_to_tell(&world.context(day(0)), collection, plan);
    let written = plan.entries.len() + told.len();
    for announcement in told {
        world.write(day(0), announcement.told());
    }
    written
}

#[test]
fn parts_lead_to_the_same_state_and_plan_as_one_write() {
    let (mut whole, mut parts) = (mk_found(), mk_found());
    let collection = whole.collection(day(0));
    let at_once = plan::plan(day(0), &whole.policy, &whole.state, &collection);
    let all = write(&mut whole, &collection, &at_once);
    let (mut from, mut written, mut ends) = (0, 0, Vec::new());
    let last = loop {
        let plan = plan::plan_part(from, 3, day(0), &parts.policy, &parts.state, &collection);
        let Some(next) = plan.goes_on_from else { break plan };
        assert!(plan.entries.len() < at_once.entries.len());
        assert!(plan.changes().next().is_none() && plan.spare.is_empty(), "nothing is done yet");
        from = next;
        ends.push(next);
        assert!(ends.len() <= 4, "parts without end: {ends:?}");
        written += write(&mut parts, &collection, &plan);
    };
    assert_eq!(ends, [1, 2, 3, 0], "one part for each account, and all of them at the end");
    assert_eq!((written, last.entries.len(), last.announcements().count()), (all, 0, 0));
    let keys = |world: &World| world.state.records().map(|it| it.state.as_str()).collect::<Vec<_>>();
    assert_eq!(keys(&whole), keys(&parts));
    let notices =
        |world: &World| world.state.outbox().items().map(|item| item.key.clone()).collect::<BTreeSet<_>>();
    assert_eq!(notices(&whole), notices(&parts));
    let next = |world: &World| plan::plan(day(0), &world.policy, &world.state, &collection);
    let (one, other) = (next(&whole), next(&parts));
    assert_eq!((one.entries.len(), other.entries.len()), (0, 0));
    let steps = |plan: &Plan| plan.keys.iter().map(|key| format!("{:?}", key.next)).collect::<Vec<_>>();
    assert_eq!(steps(&one), steps(&other));
}
