//! Grace counts only what keysweep itself saw.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use keysweep_core::facts::KeyStatus;
use keysweep_core::lifecycle::event::Change;
use keysweep_core::lifecycle::{KeyEvent, OpenIntent, Sighting, State, Watch};
use keysweep_core::plan::{Next, Wait};
use keysweep_core::policy::{DayOfWeek, Mode};
use proptest::prelude::*;

use crate::mk::*;

const HOUR: Duration = Duration::from_secs(3600);

fn sighting(at: Timestamp, monotonic_hours: u32) -> Sighting {
    Sighting { at, run: 1, monotonic: monotonic_hours * HOUR, interval: INTERVAL }
}

fn watched(world: &World) -> Duration {
    match world.record(0).map(|record| &record.state) {
        Some(State::Deactivated(data)) => data.watch.total,
        Some(_) | None => panic!("not deactivated"),
    }
}

fn mk_deactivated() -> World {
    let mut world = World::new(mk_policy(Mode::Delete), vec![mk_key(0)]);
    world.run(0, 6);
    world.sweep_and_act(day(7));
    assert_eq!(watched(&world), Duration::ZERO);
    world
}

#[test]
fn a_span_is_the_smaller_of_what_both_clocks_say() {
    assert_eq!(sighting(hours(0), 0).span_to(&sighting(hours(5), 3)), 3 * HOUR);
    assert_eq!(sighting(hours(0), 0).span_to(&sighting(hours(3), 5)), 3 * HOUR);
}

#[test]
fn a_span_is_never_negative() {
    assert_eq!(sighting(hours(5), 0).span_to(&sighting(hours(0), 5)), Duration::ZERO);
    assert_eq!(sighting(hours(0), 5).span_to(&sighting(hours(5), 0)), Duration::ZERO);
}

#[test]
fn a_span_of_two_intervals_counts_and_a_longer_one_does_not() {
    assert_eq!(sighting(hours(0), 0).span_to(&sighting(hours(12), 12)), 12 * HOUR);
    let later = Sighting { at: hours(12) + SignedDuration::from_secs(1), ..sighting(hours(12), 13) };
    assert_eq!(sighting(hours(0), 0).span_to(&later), Duration::ZERO);
}

#[test]
fn the_longer_of_two_intervals_is_the_measure() {
    let long = Sighting { interval: 24 * HOUR, ..sighting(hours(0), 0) };
    assert_eq!(long.span_to(&sighting(hours(48), 48)), 48 * HOUR);
    let long = Sighting { interval: 24 * HOUR, ..sighting(hours(48), 48) };
    assert_eq!(sighting(hours(0), 0).span_to(&long), 48 * HOUR);
}

#[test]
fn what_another_process_saw_begins_anew() {
    let other = Sighting { run: 2, ..sighting(hours(3), 3) };
    assert_eq!(sighting(hours(0), 0).span_to(&other), Duration::ZERO);
}

#[test]
fn a_sighting_older_than_the_last_adds_nothing_and_moves_nothing_back() {
    let watch = Watch::begin(sighting(hours(4), 4)).see(&sighting(hours(1), 1));
    assert_eq!(watch.last, Some(sighting(hours(4), 4)));
    assert_eq!(watch.see(&sighting(hours(6), 6)).total, 2 * HOUR);
}

#[test]
fn downtime_never_counts() {
    let mut world = mk_deactivated();
    world.run(7, 10);
    let before = watched(&world);
    assert_eq!(before, days(3) + 18 * HOUR);
    world.sweep(day(40));
    assert_eq!(watched(&world), before, "thirty days away were not watched");
    world.run(40, 41);
    assert_eq!(watched(&world), before + days(1) + 18 * HOUR);
}

#[test]
fn a_reactivation_starts_over() {
    let mut world = mk_deactivated();
    world.run(8, 20);
    world.keys[0].status = KeyStatus::Active;
    world.run(20, 50);
    world.approve(day(51), 0);
    world.run(51, 58);
    assert_eq!(world.state_of(0), "deactivated");
    assert!(watched(&world) < days(2), "{:?}", watched(&world));
    assert_eq!(world.names_of(0).iter().filter(|name| **name == "deactivated").count(), 2);
}

#[test]
fn only_a_deactivated_key_is_watched() {
    let mut world = World::new(mk_policy(Mode::Observe), vec![mk_key(0)]);
    world.sweep(day(0));
    let before = world.record(0).cloned();
    world.keys[0].status = KeyStatus::Inactive;
    let collection = world.collection(day(1));
    world.observe(&collection);
    assert_eq!(world.record(0).cloned(), before);
}

#[test]
fn another_accounts_scan_watches_nothing() {
    let mut world = mk_deactivated();
    let mut collection = world.collection(hours(7 * 24 + 6));
    collection.accounts[0].0.id = mk_account_id(1);
    world.observe(&collection);
    assert_eq!(watched(&world), Duration::ZERO);
}

#[test]
fn a_deletion_that_failed_keeps_what_was_watched() {
    let mut world = mk_deactivated();
    world.run(8, 12);
    let before = watched(&world);
    world.happen(
        day(12),
        0,
        KeyEvent::Change(Change::Intent {
            action: keysweep_core::ticket::Action::Delete,
            origin: keysweep_core::ticket::Origin::Policy,
            why: String::new(),
            deadline: mk_deadline(day(7)),
            quarantine: None,
        }),
    );
    world.happen(
        day(12),
        0,
        KeyEvent::Change(Change::Unclear {
            action: keysweep_core::ticket::Action::Delete,
            accepted: false,
            detail: "reset".into(),
        }),
    );
    assert_eq!(watched(&world), before);
}

/// What may happen between two looks at a key: true time passes, the wall clock jumps, the process restarts, looks
/// arrive late.
#[derive(Debug, Clone)]
struct Gap {
    passes: u32,
    jump: i32,
    restart: bool,
    late: bool,
}

fn gaps() -> impl Strategy<Value = Vec<Gap>> {
    let gap = (0..40_000u32, -100_000..100_000i32, prop::bool::weighted(0.1), prop::bool::weighted(0.2));
    let gap = gap.prop_map(|(passes, jump, restart, late)| Gap { passes, jump, restart, late });
    prop::collection::vec(gap, 1..60)
}

proptest! {
    #![proptest_config(crate::properties::config())]

    #[test]
    fn watched_time_never_exceeds_the_true_time_whatever_the_clocks_do(gaps in gaps()) {
        let (mut truth, mut wall, mut run, mut booted) = (0u64, 0i64, 1u64, 0u64);
        let look = |truth: u64, wall: i64, run: u64, booted: u64| Sighting {
            at: day(0) + SignedDuration::from_secs(wall),
            run,
            monotonic: Duration::from_secs(truth - booted),
            interval: INTERVAL,
        };
        let mut watch = Watch::begin(look(truth, wall, run, booted));
        let mut pending = None;
        for gap in gaps {
            truth += u64::from(gap.passes);
            wall += i64::from(gap.passes) + i64::from(gap.jump);
            if gap.restart {
                (run, booted, pending) = (run + 1, truth, None);
            }
            let now = look(truth, wall, run, booted);
            if gap.late {
                pending = Some(now);
                continue;
            }
            watch = watch.see(&now);
            if let Some(earlier) = pending.take() {
                watch = watch.see(&earlier);
            }
            prop_assert!(watch.total <= Duration::from_secs(truth), "{watch:?} in {truth} s");
        }
    }
}

#[test]
fn a_second_look_at_the_same_monotonic_moment_is_the_last_one() {
    let watch = Watch::begin(sighting(day(0), 0)).see(&sighting(day(0) + SignedDuration::from_hours(1), 0));
    assert_eq!(watch.total, Duration::ZERO);
    let watch = watch.see(&sighting(day(0) + SignedDuration::from_hours(2), 2));
    assert_eq!(watch.total, Duration::from_secs(3600), "the wall clock's span since the second one");
}

#[test]
fn what_does_not_show_is_concluded_from_a_quarter_of_an_hour_after_the_deadline() {
    let intent = OpenIntent { seq: 1, at: day(0), deadline: day(1), accepted: None };
    assert_eq!(intent.settled_from(), day(1) + SignedDuration::from_mins(15));
    let endless = OpenIntent { deadline: Timestamp::MAX, ..intent };
    assert_eq!(endless.settled_from(), Timestamp::MAX);
}

#[test]
fn the_date_shown_of_a_deletion_counts_what_is_left_to_watch() {
    let shown = |world: &mut World, at: i64| match world.sweep(day(at)).keys.remove(0).next {
        Next::Wait { wait: Wait::Grace { watched, grace, over }, .. } => {
            assert_eq!(grace, days(14));
            (watched, over)
        }
        next => panic!("{next:?}"),
    };
    let mut world = mk_deactivated();
    world.run(8, 9);
    // Away for the whole of what was announced.
    assert_eq!(shown(&mut world, 30), (days(1) + 18 * HOUR, Some(hours(42 * 24 + 6))));
    world.policy.base.days = [DayOfWeek::from(jiff::civil::Weekday::Monday)].into();
    assert_eq!(shown(&mut world, 30).1, Some(day(46)), "the Monday after that Thursday");
    world.policy.base.days.clear();
    assert_eq!(world.run(30, 41), 0);
    assert_eq!(world.sweep_and_act(day(42)), 0);
    assert_eq!(world.sweep_and_act(hours(42 * 24 + 6)), 1);
}
