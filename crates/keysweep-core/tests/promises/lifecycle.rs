//! The rows of the lifecycle, one by one.

use std::sync::Arc;

use keysweep_core::facts::{Fact, KeyStatus, LastUse};
use keysweep_core::lifecycle::event::{Change, Note, Overlay, Seen};
use keysweep_core::lifecycle::{
    ClearedWhy, DeactivatedBy, KeyEvent, RefusedKind, Setback, SetbackKind, State, When, next,
};
use keysweep_core::plan;
use keysweep_core::policy::Mode;
use keysweep_core::state::{Actor, Body};
use keysweep_core::ticket::{Action, Origin};

use crate::mk::*;

fn mk_world(mode: Mode) -> World {
    World::new(mk_policy(mode), vec![mk_key(0)])
}

/// A key that was deactivated on day 7 and is still Inactive.
fn mk_deactivated() -> World {
    let mut world = mk_world(Mode::Delete);
    world.run(0, 7);
    assert_eq!(world.state_of(0), "deactivated");
    world
}

fn mk_intent(action: Action) -> KeyEvent {
    KeyEvent::Change(Change::Intent {
        action,
        origin: Origin::Policy,
        why: "stale".into(),
        deadline: mk_deadline(day(7)),
        quarantine: None,
    })
}

#[test]
fn a_stale_key_is_flagged_and_a_fresh_one_is_not() {
    let mut world = mk_world(Mode::Observe);
    world.keys.push(mk_key(1));
    world.keys[1].last_use = Fact::Known(used_at(day(-89)));
    world.sweep(day(0));
    assert_eq!((world.state_of(0), world.state_of(1)), ("flagged", "active"));
}

#[test]
fn a_key_is_stale_at_the_exact_end_of_its_threshold_and_not_before() {
    let mut world = mk_world(Mode::Observe);
    world.keys[0].last_use = Fact::Known(used_at(day(-90)));
    world.sweep(hours(-1));
    assert_eq!(world.state_of(0), "active");
    world.sweep(hours(0));
    assert_eq!(world.state_of(0), "flagged");
}

#[test]
fn a_key_never_used_is_judged_by_its_age() {
    let mut world = mk_world(Mode::Observe);
    world.policy.base.never_used_after = days(30);
    world.keys[0].last_use = Fact::Known(LastUse::Never);
    world.keys[0].created = day(-29);
    world.sweep(day(0));
    assert_eq!(world.state_of(0), "active");
    world.sweep(day(1));
    assert_eq!(world.state_of(0), "flagged");
}

#[test]
fn a_last_use_before_the_creation_counts_from_the_creation() {
    let mut world = mk_world(Mode::Observe);
    world.keys[0].created = day(-10);
    world.sweep(day(0));
    assert_eq!(world.state_of(0), "active");
}

#[test]
fn a_key_in_use_and_over_age_is_a_finding_but_never_flagged() {
    let mut world = mk_world(Mode::Delete);
    world.policy.base.max_age = Some(days(90));
    world.keys[0].last_use = Fact::Known(used_at(day(-1)));
    let plan = world.sweep(day(0));
    assert_eq!(plan.keys[0].finding.map(|f| f.as_str()), Some("over_age"));
    assert_eq!(world.state_of(0), "active");
}

#[test]
fn a_flagged_key_that_is_used_again_is_active() {
    let mut world = mk_world(Mode::Observe);
    world.sweep(day(0));
    world.keys[0].last_use = Fact::Known(used_at(day(1)));
    world.sweep(day(2));
    assert_eq!(world.names_of(0), ["flagged", "cleared"]);
    assert_eq!(world.record(0), None);
}

#[test]
fn a_flagged_key_that_a_changed_policy_spares_is_active_and_a_lowered_threshold_flags_and_notices_anew() {
    let mut world = mk_world(Mode::Deactivate);
    world.sweep(day(0));
    world.policy.base.unused_after = days(365);
    world.sweep(day(1));
    assert_eq!(world.state_of(0), "active");
    world.policy.base.unused_after = days(90);
    world.sweep(day(6));
    assert_eq!(world.names_of(0), ["flagged", "noticed", "cleared", "flagged", "noticed"]);
    assert_eq!(world.run(7, 12), 0, "the first notice counts no more");
    assert_eq!(world.run(13, 13), 1);
}

#[test]
fn a_key_is_deactivated_when_its_notice_period_is_over_and_not_before() {
    let mut world = mk_world(Mode::Deactivate);
    assert_eq!(world.run(0, 6), 0);
    assert_eq!(world.sweep_and_act(day(7)), 1);
    let Some(State::Deactivated(data)) = world.record(0).map(|r| &r.state) else { panic!() };
    assert_eq!(data.origin, DeactivatedBy::Keysweep);
}

#[test]
fn a_flagged_key_found_inactive_is_adopted_only_where_the_policy_says_so() {
    for adopt in [false, true] {
        let mut world = mk_world(Mode::Observe);
        world.policy.base.adopt_inactive = adopt;
        world.sweep(day(0));
        world.keys[0].status = KeyStatus::Inactive;
        world.sweep(day(1));
        assert_eq!(world.state_of(0), if adopt { "deactivated" } else { "active" });
        if let Some(State::Deactivated(data)) = world.record(0).map(|r| &r.state) {
            assert_eq!(data.origin, DeactivatedBy::External);
        }
    }
}

#[test]
fn a_deactivation_that_aws_refused_leaves_the_key_flagged_with_the_reason() {
    let mut world = mk_world(Mode::Deactivate);
    world.sweep(day(0));
    world.happen(day(7), 0, mk_intent(Action::Deactivate));
    assert_eq!(world.state_of(0), "deactivating");
    let detail = "AccessDenied".to_owned();
    world.happen(
        day(7),
        0,
        KeyEvent::Change(Change::Refused { action: Action::Deactivate, kind: RefusedKind::Denied, detail }),
    );
    let Some(State::Flagged(data)) = world.record(0).map(|r| &r.state) else { panic!() };
    assert_eq!(data.setback.as_ref().unwrap().why, "AccessDenied");
}

#[test]
fn a_deactivation_of_unclear_fate_is_held_for_a_day_and_needs_a_fresh_notice() {
    let mut world = mk_world(Mode::Deactivate);
    world.sweep(day(0));
    world.happen(day(7), 0, mk_intent(Action::Deactivate));
    world.happen(
        day(7),
        0,
        KeyEvent::Change(Change::Unclear {
            action: Action::Deactivate,
            accepted: false,
            detail: "timeout".into(),
        }),
    );
    assert_eq!(world.state_of(0), "flagged");
    assert_eq!(world.record(0).unwrap().held().unwrap().until, Some(day(8)));
    assert_eq!(world.run(7, 14), 0);
    assert_eq!(world.run(15, 15), 1);
}

#[test]
fn a_deactivated_key_seen_active_is_held_and_nothing_is_done_to_it() {
    let mut world = mk_deactivated();
    world.keys[0].status = KeyStatus::Active;
    world.sweep(day(8));
    assert_eq!(world.state_of(0), "active");
    assert_eq!(world.record(0).unwrap().held().unwrap().until, Some(day(38)));
    // It is as stale as ever: without the hold it would be flagged again at once.
    assert_eq!(world.run(8, 37), 0);
    world.sweep(day(38));
    assert_eq!(
        world.names_of(0)[5..],
        ["reactivated", "hold_expired", "flagged", "noticed", "approval_asked"]
    );
    assert_eq!(world.run(38, 60), 0, "and never changed again without a person's approval");
    world.approve(day(61), 0);
    assert_eq!(world.run(61, 61), 1);
}

#[test]
fn a_scan_that_began_before_the_deactivation_does_not_make_the_key_reactivated() {
    let world = mk_deactivated();
    let mut collection = world.collection(hours(7 * 24 - 1));
    collection.at = day(8);
    for (_, outcome) in &mut collection.accounts {
        let keysweep_core::facts::Outcome::Scanned(scan) = outcome else { continue };
        Arc::make_mut(&mut scan.keys[0]).status = KeyStatus::Active;
    }
    let plan = plan::plan(day(8), &world.policy, &world.state, &collection);
    let of_key = |body: &Body| matches!(body, Body::Key { .. });
    assert!(!plan.entries.iter().any(of_key), "{:?}", plan.entries);
}

#[test]
fn an_undo_makes_the_key_active_and_held() {
    let mut world = mk_deactivated();
    let ticket = plan::undo(world.record(0).unwrap(), &Actor::local("ada"), "payroll").unwrap();
    let warrant = world.recheck(day(8), ticket).unwrap();
    world.carry_out(day(8), &warrant);
    assert_eq!(world.state_of(0), "active");
    assert_eq!(world.record(0).unwrap().held().unwrap().until, Some(day(38)));
}

#[test]
fn a_last_use_that_moves_after_the_deactivation_holds_the_key_until_somebody_releases_it() {
    let mut world = mk_deactivated();
    world.keys[0].last_use = Fact::Known(used_at(day(-95)));
    assert_eq!(world.run(8, 400), 0);
    assert_eq!(world.state_of(0), "deactivated");
    assert_eq!(world.record(0).unwrap().held().unwrap().until, None);
    let hold = world.hold_number(0);
    world.happen(day(401), 0, KeyEvent::Overlay(Overlay::HoldReleased { hold, reason: "late".into() }));
    assert_eq!(world.run(401, 407), 0, "what was announced before the hold is announced again");
    assert_eq!(world.run(408, 408), 1);
    assert_eq!(world.state_of(0), "deleted");
}

#[test]
fn a_key_is_deleted_when_its_grace_is_watched_in_full_and_not_before() {
    let mut world = mk_deactivated();
    assert_eq!(world.run(8, 20), 0);
    assert_eq!(world.run(21, 21), 1);
    assert_eq!(world.state_of(0), "deleted");
}

#[test]
fn a_refused_deletion_leaves_the_key_deactivated_and_a_woken_one_active_and_held() {
    for woken in [false, true] {
        let mut world = mk_deactivated();
        world.happen(day(21), 0, mk_intent(Action::Delete));
        assert_eq!(world.state_of(0), "deleting");
        let refused = KeyEvent::Change(Change::Refused {
            action: Action::Delete,
            kind: RefusedKind::Throttled,
            detail: "slow down".into(),
        });
        world.happen(
            day(21),
            0,
            if woken { KeyEvent::Seen(Seen::Reactivated { hold_until: day(51) }) } else { refused },
        );
        assert_eq!(world.state_of(0), if woken { "active" } else { "deactivated" });
        assert_eq!(world.record(0).unwrap().held().is_some(), woken);
    }
}

#[test]
fn a_key_that_a_complete_listing_lacks_is_gone_and_judged_afresh_when_seen_again() {
    let mut world = mk_deactivated();
    let mut collection = world.collection(day(8));
    for (_, outcome) in &mut collection.accounts {
        let keysweep_core::facts::Outcome::Scanned(scan) = outcome else { continue };
        scan.keys.clear();
        scan.absent.insert(mk_key_id(0));
    }
    let plan = plan::plan(day(8), &world.policy, &world.state, &collection);
    for body in plan.entries {
        world.write(day(8), body);
    }
    assert_eq!(world.state_of(0), "gone");
    world.keys[0].status = KeyStatus::Active;
    world.sweep(day(9));
    assert_eq!(world.state_of(0), "flagged");
    assert_eq!(&world.names_of(0)[5..], ["absent", "seen_again", "flagged", "noticed"]);
    assert_eq!(world.run(9, 15), 0);
}

#[test]
fn an_account_does_not_speak_for_the_keys_of_another() {
    let mut world = mk_deactivated();
    let mut stranger = mk_key(5);
    stranger.account = mk_account_id(1);
    world.keys.push(stranger);
    let mut collection = world.collection(day(8));
    let keysweep_core::facts::Outcome::Scanned(scan) = &mut collection.accounts[1].1 else { panic!() };
    scan.absent.insert(mk_key_id(0));
    let plan = plan::plan(day(8), &world.policy, &world.state, &collection);
    let names = |body: &Body| matches!(body, Body::Key { key, .. } if *key == mk_key_id(0));
    assert!(!plan.entries.iter().any(names));
    let before = world.record(0);
    let when = When { at: day(8), seq: 9, actor: &Actor::Keysweep };
    assert!(next(mk_account_id(1), &mk_key_id(0), before, when, &KeyEvent::Seen(Seen::Absent)).is_err());
    assert!(next(mk_account_id(0), &mk_key_id(1), before, when, &KeyEvent::Seen(Seen::Absent)).is_err());
}

#[test]
fn a_deleted_key_listed_again_is_told_once_and_never_acted_on() {
    let mut world = mk_deactivated();
    let back = world.keys[0].clone();
    world.run(8, 21);
    assert_eq!(world.state_of(0), "deleted");
    world.keys.push(back);
    let deleted_at = day(21);
    let soon = deleted_at + jiff::SignedDuration::from_mins(10);
    world.sweep(soon);
    assert_eq!(world.names_of(0).last(), Some(&"deleted"));
    assert_eq!(world.run(22, 60), 0);
    let told = world.names_of(0).into_iter().filter(|name| *name == "listed_after_deletion").count();
    assert_eq!((told, world.state_of(0)), (1, "deleted"));
}

#[test]
fn a_deletion_whose_key_a_later_listing_lacks_is_done() {
    let mut world = mk_deactivated();
    world.happen(day(21), 0, mk_intent(Action::Delete));
    for (at, state) in [(day(20), "deleting"), (day(21), "deleting"), (day(22), "deleted")] {
        let mut collection = world.collection(at);
        let keysweep_core::facts::Outcome::Scanned(scan) = &mut collection.accounts[0].1 else { panic!() };
        scan.keys.clear();
        scan.absent.insert(mk_key_id(0));
        let plan = plan::plan(at, &world.policy, &world.state, &collection);
        for body in plan.entries {
            world.write(at, body);
        }
        assert_eq!(world.state_of(0), state, "a listing that is not younger than the intent settles nothing");
    }
}

#[test]
fn a_key_is_not_forgotten_while_a_change_is_in_flight() {
    let mut world = mk_deactivated();
    let forget = KeyEvent::Record(Note::Forgotten { unsettled: None, reason: "tidy".into() });
    let when = When { at: day(9), seq: 99, actor: &Actor::Keysweep };
    let forgets = |world: &World| {
        next(mk_account_id(0), &mk_key_id(0), world.record(0), when, &forget).map(|record| record.is_none())
    };
    assert_eq!(forgets(&world), Ok(true));
    world.happen(day(8), 0, mk_intent(Action::Reactivate));
    assert!(forgets(&world).is_err());
    let deletion = next(mk_account_id(0), &mk_key_id(0), world.record(0), when, &mk_intent(Action::Delete));
    assert!(deletion.is_err(), "an undo under way goes before a deletion");
}

#[test]
fn no_hold_shortens_one_that_stands() {
    let mut world = mk_world(Mode::Deactivate);
    world.sweep(day(0));
    let hold =
        |until| KeyEvent::Overlay(Overlay::HoldPlaced { reason: "ask first".into(), until: Some(until) });
    let until = |world: &World| world.record(0).unwrap().held().unwrap().until;
    world.happen(day(1), 0, hold(day(90)));
    world.happen(day(1), 0, mk_intent(Action::Deactivate));
    world.happen(
        day(1),
        0,
        KeyEvent::Change(Change::Unclear {
            action: Action::Deactivate,
            accepted: false,
            detail: "reset".into(),
        }),
    );
    assert_eq!(until(&world), Some(day(90)));
    world.happen(day(1), 0, hold(day(3)));
    assert_eq!(until(&world), Some(day(90)));
    world.happen(day(1), 0, hold(day(91)));
    assert_eq!(until(&world), Some(day(91)));
}

#[test]
fn a_renamed_user_is_followed_by_its_id() {
    let mut world = mk_world(Mode::Deactivate);
    world.sweep(day(0));
    world.keys[0].user_name = "renamed".parse().unwrap();
    world.sweep(day(1));
    assert_eq!(world.record(0).unwrap().user_name.as_str(), "renamed");
    assert_eq!(world.names_of(0), ["flagged", "noticed", "renamed"]);
    assert_eq!(world.run(2, 7), 1, "the notice still holds");
}

#[test]
fn a_key_under_the_same_id_that_is_another_is_left_alone() {
    let mut world = mk_world(Mode::Deactivate);
    world.sweep(day(0));
    world.keys[0].created = day(-999);
    assert_eq!(world.run(1, 30), 0);
    assert_eq!(world.names_of(0), ["flagged", "noticed"]);
}

#[test]
fn a_flagged_key_with_an_unknown_fact_stays_as_it_is() {
    let mut world = mk_world(Mode::Deactivate);
    world.sweep(day(0));
    world.keys[0].user_id = Fact::Unknown("GetUser: throttled".into());
    world.keys[0].last_use = Fact::Known(used_at(day(1)));
    world.sweep(day(2));
    assert_eq!(world.names_of(0), ["flagged", "noticed"], "not even cleared");
    let Some(State::Flagged(_)) = world.record(0).map(|r| &r.state) else { panic!() };
    let cleared = KeyEvent::Seen(Seen::Cleared { why: ClearedWhy::UsedAgain });
    let when = When { at: day(2), seq: 9, actor: &Actor::Keysweep };
    assert_eq!(next(mk_account_id(0), &mk_key_id(0), world.record(0), when, &cleared), Ok(None));
}

#[test]
fn a_gone_key_with_an_unknown_fact_stays_gone_until_it_is_known() {
    let mut world = mk_world(Mode::Deactivate);
    world.sweep(day(0));
    world.happen(day(1), 0, KeyEvent::Seen(Seen::Absent));
    world.keys[0].last_use = Fact::Unknown("GetAccessKeyLastUsed: denied".into());
    world.sweep(day(2));
    assert_eq!(world.state_of(0), "gone");
}

#[test]
fn a_hold_that_ends_while_a_fact_is_unknown_ends_when_it_is_known() {
    let mut world = mk_world(Mode::Deactivate);
    world.sweep(day(0));
    let until = Some(day(1));
    world.happen(day(0), 0, KeyEvent::Overlay(Overlay::HoldPlaced { reason: "wait".into(), until }));
    world.keys[0].last_use = Fact::Unknown("denied".into());
    world.sweep(day(2));
    assert_eq!(world.names_of(0).last(), Some(&"hold_placed"), "no clock is reset");
    world.keys[0].last_use = Fact::Known(used_at(day(-100)));
    world.sweep(day(3));
    assert_eq!(&world.names_of(0)[3..], ["hold_expired", "noticed"]);
}

#[test]
fn a_look_counts_from_the_moment_on_from_which_a_state_is_known_and_not_before() {
    /// What a plan on day 8 records of the key by a look that began then.
    fn recorded(world: &World, began: jiff::Timestamp, status: KeyStatus) -> Vec<&'static str> {
        let facts = keysweep_core::facts::KeyFacts { status, ..world.keys[0].clone() };
        let collection = mk_collection(day(8), vec![(mk_account(0), mk_scan(began, vec![facts]))]);
        let plan = plan::plan(day(8), &world.policy, &world.state, &collection);
        crate::worlds::events_of(&plan, &world.keys[0]).iter().map(KeyEvent::name).collect()
    }
    let second = jiff::SignedDuration::from_secs(1);
    let world = mk_deactivated();
    assert_eq!(recorded(&world, day(7) - second, KeyStatus::Active), Vec::<&str>::new());
    assert_eq!(recorded(&world, day(7), KeyStatus::Active), ["reactivated"]);
    let mut world = mk_world(Mode::Observe);
    world.sweep(day(7));
    assert_eq!(recorded(&world, day(7) - second, KeyStatus::Inactive), Vec::<&str>::new());
    assert_eq!(recorded(&world, day(7), KeyStatus::Inactive), ["cleared"]);
}

#[test]
fn what_became_of_a_change_that_failed_is_recorded_with_the_key() {
    let setback = |world: &World| match &world.record(0).unwrap().state {
        State::Deactivated(data) => data.setback.clone(),
        state => panic!("{}", state.as_str()),
    };
    let (kind, detail) = (RefusedKind::Throttled, || "slow down".to_owned());
    for (action, accepted) in [(Action::Delete, false), (Action::Delete, true), (Action::Reactivate, false)] {
        for unclear in [false, true] {
            let mut world = mk_deactivated();
            world.happen(day(21), 0, mk_intent(action));
            let event = if unclear {
                Change::Unclear { action, accepted, detail: detail() }
            } else {
                Change::Refused { action, kind, detail: detail() }
            };
            world.happen(day(22), 0, KeyEvent::Change(event));
            let kind = if unclear { SetbackKind::Unclear } else { SetbackKind::Refused };
            assert_eq!(setback(&world), Some(Setback { action, at: day(22), kind, why: detail() }.into()));
            assert_eq!(world.record(0).unwrap().under_way(), None);
        }
    }
}
