//! Weeks of sweeps while others change keys, facts come and go, and the daemon restarts.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use keysweep_core::facts::{Fact, KeyFacts, KeyStatus};
use keysweep_core::lifecycle::KeyEvent;
use keysweep_core::lifecycle::event::Change;
use keysweep_core::policy::Mode;
use keysweep_core::state::{Body, State};
use keysweep_core::ticket::Action;
use proptest::prelude::*;
use proptest::test_runner::Config;

use crate::mk::*;
use crate::properties::config;

/// What somebody else does to a key between two sweeps, and what becomes of the daemon.
#[derive(Debug, Clone)]
struct Turn {
    key: usize,
    what: usize,
    away: i64,
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let away = prop_oneof![12 => Just(2i64), 6 => Just(6), 1 => Just(30)];
    let turn = (0..12usize, 0..40usize, away).prop_map(|(key, what, away)| Turn { key, what, away });
    prop::collection::vec(turn, 40..120)
}

proptest! {
    #![proptest_config(Config { cases: 64, ..config() })]

    #[test]
    fn caps_and_grace_hold_through_restarts_and_interference(
        turns in turns(), caps in (1..6u32, 1..4u32, 1..4u32), grace in 0..4u32,
    ) {
        let keys = (0..12).map(|n| KeyFacts { account: mk_account_id(n % 3), ..mk_key(n) }).collect();
        let mut world = World::new(mk_policy(Mode::Delete), keys);
        world.policy.base.notice = days(1);
        world.policy.base.grace = days(grace);
        world.policy.base.hold_after_reactivation = days(1);
        let limits = &mut world.policy.limits;
        (limits.deactivations_per_day, limits.deletions_per_day) = (caps.0, caps.1);
        limits.changes_per_account_per_day = caps.2;
        let mut inactive_since: BTreeMap<_, Timestamp> = BTreeMap::new();
        let mut hour = 0;
        for turn in turns {
            let now = hours(hour);
            if let Some(key) = world.keys.iter_mut().find(|key| key.key == mk_key_id(turn.key)) {
                match turn.what {
                    0..4 => key.status = KeyStatus::Active,
                    4..6 => key.status = KeyStatus::Inactive,
                    6 => key.last_use = Fact::Known(used_at(now)),
                    7 => key.last_use = Fact::Unknown("throttled".into()),
                    8..12 => key.last_use = Fact::Known(used_at(day(-100))),
                    _ => {}
                }
            }
            if turn.what % 5 == 0 {
                // A restart: nothing but the journal is left.
                world.state = State::default();
                for entry in &world.journal {
                    world.state.replay(entry).unwrap();
                }
            }
            for key in &world.keys {
                match key.status {
                    KeyStatus::Inactive => { inactive_since.entry(key.key.clone()).or_insert(now); }
                    KeyStatus::Active | KeyStatus::Other(_) => { inactive_since.remove(&key.key); }
                }
            }
            let written = world.journal.len();
            world.sweep_and_act(now);
            for entry in &world.journal[written..] {
                if let Body::Key { key, event: KeyEvent::Change(Change::Intent { action: Action::Delete, .. }), .. } = &entry.body {
                    let since = inactive_since.get(key).copied();
                    let lasted = since.map(|since| now.duration_since(since).unsigned_abs());
                    prop_assert!(lasted >= Some(days(grace)), "deleted after {lasted:?}");
                }
            }
            for key in &world.keys {
                if key.status == KeyStatus::Inactive {
                    inactive_since.entry(key.key.clone()).or_insert(now);
                }
            }
            hour += turn.away;
        }
        assert_caps(&world)?;
    }
}

fn assert_caps(world: &World) -> Result<(), TestCaseError> {
    let intents = world.journal.iter().filter_map(|entry| match &entry.body {
        Body::Key { account, event: KeyEvent::Change(Change::Intent { action, .. }), .. } => {
            Some((entry.at, *account, *action))
        }
        _ => None,
    });
    let intents: Vec<_> = intents.collect();
    let limits = &world.policy.limits;
    for (start, ..) in &intents {
        let window = || {
            intents.iter().filter(|(at, ..)| *at >= *start && *at < *start + SignedDuration::from_hours(24))
        };
        let of = |action| u32::try_from(window().filter(|(_, _, a)| *a == action).count()).unwrap();
        prop_assert!(of(Action::Deactivate) <= limits.deactivations_per_day);
        prop_assert!(of(Action::Delete) <= limits.deletions_per_day);
        for account in 0..3 {
            let here = window().filter(|(_, id, _)| *id == mk_account_id(account)).count();
            prop_assert!(u32::try_from(here).unwrap() <= limits.changes_per_account_per_day);
        }
    }
    Ok(())
}
