//! Made-up organizations.

use jiff::SignedDuration;

use crate::support::*;
use keysweep_sim::seed::{self, Bench, Shape};
use keysweep_sim::{KeyTruth, Sim};

fn idle_days(sim: &Sim, key: &KeyTruth) -> i64 {
    let since = key.last_use.as_ref().map_or(key.created, |used| used.at);
    sim.now().duration_since(since).as_hours() / 24
}

#[test]
fn the_same_seed_gives_the_same_organization() {
    let mk = |seed| seed::organization(seed, &Shape::default(), mk_clock().clock()).keys();
    assert_eq!(mk(7), mk(7));
    assert_ne!(mk(7), mk(8));
}

#[test]
fn a_made_up_organization_has_keys_of_every_kind() {
    let shape = Shape { accounts: 10, users_per_account: 30, ..Shape::default() };
    let sim = seed::organization(3, &shape, mk_clock().clock());
    let keys = sim.keys();
    let active = |key: &&KeyTruth| key.status == "Active";
    assert!(keys.iter().filter(active).any(|key| key.last_use.is_some() && idle_days(&sim, key) >= 100));
    assert!(keys.iter().filter(active).any(|key| key.last_use.is_none() && idle_days(&sim, key) >= 100));
    assert!(keys.iter().filter(active).any(|key| idle_days(&sim, key) < 20));
    assert!(keys.iter().any(|key| key.status == "Inactive"));
    assert!(keys.iter().any(|key| key.user_name.contains(',')));
}

#[test]
fn keys_in_use_stay_in_use_as_time_passes() {
    let clock = mk_clock();
    let sim = seed::organization(3, &Shape { accounts: 2, ..Shape::default() }, clock.clock());
    let healthy = |sim: &Sim| {
        let keys = sim.keys();
        keys.iter().filter(|key| key.status == "Active" && idle_days(sim, key) < 25).count()
    };
    let before = healthy(&sim);
    clock.advance(days(120));
    assert!(before > 5);
    assert_eq!(healthy(&sim), before);
}

#[test]
fn the_demo_tells_its_stories() {
    let clock = mk_clock();
    let demo = seed::demo(1, clock.clock());
    let sim = &demo.sim;
    assert_eq!(sim.account_ids().len(), 31);
    let keys = sim.keys();
    let users: std::collections::BTreeSet<_> = keys.iter().map(|key| &key.user_id).collect();
    assert!((300..=420).contains(&users.len()), "{}", users.len());
    let stale = keys.iter().filter(|key| key.status == "Active" && idle_days(sim, key) >= 90).count();
    assert!((15..=40).contains(&stale), "{stale}");
    assert!(sim.changes().is_empty(), "making it up is no change");

    assert_eq!(sim.account_state(&demo.suspended_account).as_deref(), Some("SUSPENDED"));
    let exempt = sim.key(&demo.exempt_key).expect("a key");
    assert!(sim.user_tags(&exempt.account, &exempt.user_name).expect("tags").contains_key("keysweep:exempt"));

    sim.set_key_status(&demo.missed_key, "Inactive");
    let fading = |sim: &Sim| sim.keys().iter().filter(|key| idle_days(sim, key) == 90).count();
    clock.advance(days(1));
    assert!(fading(sim) >= 1, "one turns stale every day");
    clock.advance(days(3));
    assert!(fading(sim) >= 1);
    assert_eq!(sim.key_status(&demo.missed_key).as_deref(), Some("Active"));
    let rescued = sim.key(&demo.rescued_key).expect("a key");
    assert!(idle_days(sim, &rescued) <= 1);
    assert!(idle_days(sim, &sim.key(&demo.forgotten_key).expect("a key")) > 400);
}

#[test]
fn stale_keys_of_the_demo_are_too_few_for_a_surge() {
    for seed in 0..50 {
        let sim = seed::demo(seed, mk_clock().clock()).sim;
        let keys = sim.keys();
        let active = keys.iter().filter(|key| key.status == "Active").count();
        let stale = keys.iter().filter(|key| key.status == "Active" && idle_days(&sim, key) >= 90).count();
        // A tenth of the active keys becoming due at once stops keysweep by default.
        assert!(stale * 10 <= active, "seed {seed}: {stale} of {active}");
    }
}

#[tokio::test]
async fn a_bench_has_its_reports_ready_and_as_many_stale_keys_as_asked_for() {
    let size = Bench { accounts: 4, users: 50, stale_percent: 6, owners: 7 };
    let sim = seed::bench(mk_clock().clock(), size);
    let keys = sim.keys();
    assert_eq!(keys.len(), 200);
    assert_eq!(keys.iter().filter(|key| idle_days(&sim, key) > 90).count(), 12);
    let account = sim.account_ids().pop().expect("an account");
    let form = format!(
        "AssumeRole&RoleArn=arn:aws:iam::{account}:role/{}&RoleSessionName=bench&ExternalId={}",
        seed::SCAN_ROLE,
        seed::EXTERNAL_ID
    );
    let reply = sts(&sim, &mk_hub(&sim), &form).await;
    let caller = Credentials {
        key_id: reply.field("AccessKeyId").expect("a key id").to_owned(),
        token: reply.field("SessionToken").map(str::to_owned),
    };
    assert_eq!(iam(&sim, &caller, "GenerateCredentialReport").await.field("State"), Some("COMPLETE"));
    assert_eq!(iam(&sim, &caller, "GetCredentialReport").await.status, 200);
    assert_eq!(sim.report(&account).expect("a report").lines().count(), 52);
}

#[test]
fn a_year_of_the_demo_is_lived_through_in_one_step() {
    let clock = mk_clock();
    let demo = seed::demo(2, clock.clock());
    clock.advance(SignedDuration::from_hours(24 * 365));
    demo.sim.settle();
    assert!(demo.sim.missed_uses().is_empty());
}
