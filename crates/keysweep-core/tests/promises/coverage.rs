//! What could not be read is counted alike by everybody, and hides nothing that was known.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use keysweep_core::facts::{Collection, Count, Fact, Inventory, KeyStatus, Outcome};
use keysweep_core::finding::{Counts, FindingKind};
use keysweep_core::plan::{Context, plan, unknown_keys};
use keysweep_core::policy::{Exemption, Match, Mode};
use keysweep_core::render::coverage;
use keysweep_core::state::Body;

use crate::mk::*;

/// Unknown keys as the journal counts them, and as a scan does.
fn counted(world: &World, collection: &Collection) -> (u64, u64) {
    let context = Context { now: collection.at, policy: &world.policy, state: &world.state };
    let of_account = |(account, outcome): &(_, Outcome)| match outcome {
        Outcome::Scanned(scan) => unknown_keys(&context, account, scan),
        Outcome::Failed { .. } | Outcome::Skipped { .. } => 0,
    };
    let planned = plan(collection.at, &world.policy, &world.state, collection);
    let in_journal = collection.accounts.iter().map(of_account).sum();
    (in_journal, coverage(collection, &planned.keys).unknown_keys)
}

#[test]
fn journal_and_scan_count_unknown_keys_alike() {
    let mut world = World::new(mk_policy(Mode::Delete), (0..4).map(mk_key).collect());
    let denied = || Fact::Unknown("denied".into());
    world.keys[0].last_use = denied();
    // Nothing follows from a key that is Inactive, unless it could be taken over.
    world.keys[1].status = KeyStatus::Inactive;
    world.keys[1].last_use = denied();
    world.keys[2].status = KeyStatus::Other("Expired".into());
    world.keys[2].last_use = denied();
    assert_eq!(counted(&world, &world.collection(day(0))), (2, 2));
    world.policy.base.adopt_inactive = true;
    assert_eq!(counted(&world, &world.collection(day(0))), (3, 3));

    // A rule that cannot tell makes every key unknown; facts that nobody needs make none.
    world.policy.exemptions.push(Exemption {
        matches: Match { ous: vec!["ou-ab12-00000001".parse().unwrap()], ..Match::default() },
        reason: "test".into(),
        until: "2030-01-01".parse().unwrap(),
    });
    for ous in [Fact::NotRead, Fact::Unknown("throttled".into())] {
        let mut collection = world.collection(day(0));
        collection.accounts.iter_mut().for_each(|(account, _)| account.ous = ous.clone());
        assert_eq!(counted(&world, &collection), (4, 4), "{ous:?}");
    }
    let mut collection = world.collection(day(0));
    for (account, outcome) in &mut collection.accounts {
        account.ous = Fact::Known(Vec::new());
        let Outcome::Scanned(scan) = outcome else { continue };
        for facts in &mut scan.keys {
            let facts = Arc::make_mut(facts);
            (facts.path, facts.tags) = (Fact::NotRead, Fact::NotRead);
        }
    }
    assert_eq!(counted(&world, &collection), (3, 3));
}

#[test]
fn findings_fall_by_no_more_than_is_known() {
    let mk = |[unused, never_used, over_age]: [u64; 3], exempt| {
        Counts::new(
            [
                (FindingKind::Unused, unused),
                (FindingKind::NeverUsed, never_used),
                (FindingKind::OverAge, over_age),
            ],
            exempt,
        )
    };
    let (last, now) = (mk([5, 2, 1], 3), mk([3, 0, 4], 0));
    assert_eq!(now.clone().or_last_known(&last, 0), now);
    assert_eq!(now.or_last_known(&last, 3), mk([5, 1, 4], 3));
    assert_eq!(Counts::default().or_last_known(&last, 100), last);
}

#[test]
fn counts_that_a_scan_could_not_complete_stay_as_they_were() {
    let mut world = World::new(mk_policy(Mode::Observe), Vec::new());
    let account = mk_account_id(0);
    let mut write = |inventory: Inventory, untold: &[Count]| {
        let body = Body::AccountScanned {
            account,
            name: String::new(),
            ou_path: String::new(),
            sighting: mk_sighting(day(0)),
            inactive: BTreeSet::new(),
            inventory,
            untold: untold.iter().copied().collect(),
            unknown_keys: 0,
            report_generated_at: None,
            place: keysweep_core::facts::Place::default(),
        };
        world.write(day(0), body);
        world.state.account(account).unwrap().inventory.clone()
    };
    let mut full =
        Inventory { users: 9, active_keys: 7, inactive_keys: 3, root_keys: Some(1), ..Inventory::default() };
    full.oldest_active_key = Some(day(-900));
    full.idle.add(Duration::from_secs(86_400 * 100), false);
    let partial = Inventory { users: 8, active_keys: 2, ..Inventory::default() };
    // Before anything is known, what was counted is all there is.
    assert_eq!(write(partial.clone(), &[Count::ActiveKeys, Count::RootKeys]), partial);
    assert_eq!(write(full.clone(), &[]), full);
    let untold =
        [Count::ActiveKeys, Count::InactiveKeys, Count::RootKeys, Count::OldestActiveKey, Count::Idle];
    assert_eq!(write(partial.clone(), &untold), Inventory { users: 8, ..full });
    assert_eq!(write(partial.clone(), &[]), partial, "what is known to be less is less");
}

#[test]
fn a_scan_says_which_counts_it_could_not_complete() {
    let world = World::new(mk_policy(Mode::Observe), vec![mk_key(0)]);
    let collection = world.collection(day(0));
    let Some((_, Outcome::Scanned(scan))) = collection.accounts.first() else { panic!("a scan") };
    let mut scan = scan.clone();
    scan.inventory = Inventory { users: 2, active_keys: 1, root_keys: Some(0), ..Inventory::default() };
    scan.inventory.idle.add(Duration::from_secs(86_400), false);
    let keys = [Count::ActiveKeys, Count::InactiveKeys, Count::OldestActiveKey, Count::Idle];
    assert_eq!(scan.untold(), BTreeSet::new());
    scan.unread_users.insert("svc".parse().unwrap(), "denied".into());
    assert_eq!(
        scan.untold(),
        BTreeSet::from(keys),
        "nobody counts the keys of a user that a live scan cannot read"
    );
    scan.report_generated_at = Some(day(0));
    assert_eq!(scan.untold(), BTreeSet::new(), "a report counts them all");
    scan.unread_rows.push("row 3 has 4 columns".into());
    assert_eq!(scan.untold(), BTreeSet::from(keys), "but not those of a row that cannot be read");
    scan.unread_rows.clear();
    scan.inventory.active_keys = 2;
    scan.inventory.root_keys = None;
    assert_eq!(scan.untold(), BTreeSet::from([Count::Idle, Count::RootKeys]));
}

#[test]
fn users_that_could_not_be_read_count_beside_keys_of_unknown_facts() {
    let mut world = World::new(mk_policy(Mode::Delete), vec![mk_key(0), mk_key(1)]);
    world.keys[0].last_use = Fact::Unknown("denied".into());
    let mut collection = world.collection(day(0));
    let Outcome::Scanned(scan) = &mut collection.accounts[0].1 else { panic!("it was scanned") };
    for user in ["ghost", "shadow"] {
        scan.unread_users.insert(user.parse().unwrap(), "denied".into());
    }
    assert_eq!(counted(&world, &collection), (3, 3));
}

#[test]
fn a_flagged_key_that_its_owner_deactivates_is_counted_alike_whatever_is_unknown() {
    let mut world = World::new(mk_policy(Mode::Delete), vec![mk_key(0)]);
    world.sweep(day(0));
    world.keys[0].status = KeyStatus::Inactive;
    world.keys[0].policies = Fact::Unknown("denied".into());
    let (in_journal, in_scan) = counted(&world, &world.collection(day(1)));
    assert_eq!(in_journal, in_scan);
}
