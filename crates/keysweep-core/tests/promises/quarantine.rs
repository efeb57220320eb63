//! Quarantine: when a user is put in it, how long, and every way out of it.

use keysweep_core::evidence::RegionTrail;
use keysweep_core::facts::{Fact, KeyFacts, KeyStatus, LastUse, OtherKey};
use keysweep_core::lifecycle::event::{Change, Overlay, Seen};
use keysweep_core::lifecycle::{HoldKind, KeyEvent, RefusedKind};
use keysweep_core::plan::{self, Next, Reason, Recheck, Wait};
use keysweep_core::policy::{Mode, Policy};
use keysweep_core::state::{Actor, Body, TripReason};
use keysweep_core::ticket::{Action, Attachment};

use crate::mk::*;

fn mk_quarantining() -> Policy {
    let mut policy = mk_policy(Mode::Delete);
    policy.base.quarantine = Some(days(3));
    policy
}

/// A world in which the notice period of `keys` stale keys is over on day 7.
fn mk_world(keys: usize) -> World {
    let mut world = World::new(mk_quarantining(), (0..keys).map(mk_key).collect());
    for key in &mut world.keys {
        (key.policies, key.password) = (Fact::Known(Vec::new()), Fact::Known(false));
    }
    world.run(0, 6);
    world
}

/// The action that a sweep at this time would make of key `n`, or why it waits.
pub(crate) fn next(world: &mut World, at: jiff::Timestamp, n: usize) -> Next {
    let plan = world.sweep(at);
    let key = world.keys[n].key.clone();
    plan.keys
        .into_iter()
        .find(|planned| planned.facts.key == key)
        .map_or(Next::Nothing, |planned| planned.next)
}

pub(crate) fn action_of(next: &Next) -> Option<Action> {
    match next {
        Next::Step { action, .. } => Some(*action),
        Next::Wait { .. } | Next::Nothing => None,
    }
}

/// Ends what is to end, as a sweep does; the reasons.
pub(crate) fn end_quarantines(world: &mut World, at: jiff::Timestamp) -> Vec<String> {
    let tickets = plan::quarantines_to_end(&world.context(at));
    let ended = tickets.into_iter().map(|ticket| {
        let why = ticket.why().to_owned();
        let warrant = world.recheck(at, ticket).expect("nothing stands in the way of an undo");
        world.carry_out(at, &warrant);
        why
    });
    ended.collect()
}

/// A world in which the user of key 0 is in quarantine since day 7.
fn quarantined(keys: usize) -> World {
    let mut world = mk_world(keys);
    assert_eq!(world.sweep_and_act(day(7)), keys);
    assert!(world.record(0).unwrap().in_quarantine(), "{:?}", world.record(0));
    world
}

#[test]
fn a_client_has_the_whole_span_to_show_itself() {
    let mut world = quarantined(1);
    assert_eq!(world.keys[0].status, KeyStatus::Active, "the key itself is not changed");
    for at in [hours(7 * 24 + 1), day(9), hours(10 * 24 - 1)] {
        let Next::Wait { wait, .. } = next(&mut world, at, 0) else { panic!("{at}") };
        assert_eq!((wait.reason(), wait.until()), (Reason::Quarantine, Some(day(10))));
        assert!(end_quarantines(&mut world, at).is_empty());
    }
    let step = next(&mut world, day(10), 0);
    assert_eq!(action_of(&step), Some(Action::Deactivate));
    let Next::Step { why, .. } = step else { unreachable!() };
    assert!(why.contains("no use seen in quarantine since"), "{why}");
    assert_eq!(world.sweep_and_act(day(10)), 1);
    assert_eq!(end_quarantines(&mut world, day(10)), ["the key is deactivated"]);
    let record = world.record(0).unwrap();
    assert!(record.quarantine.is_none());
    assert_eq!(
        record.past.quarantined.as_ref().map(|past| (past.attached, past.until)),
        Some((Some(day(7)), day(10)))
    );
}

#[test]
fn without_the_term_nothing_is_attached() {
    let mut world = mk_world(1);
    world.policy.base.quarantine = None;
    assert_eq!(action_of(&next(&mut world, day(7), 0)), Some(Action::Deactivate));
}

#[test]
fn an_order_by_name_needs_no_quarantine_and_ends_one() {
    for mut world in [mk_world(1), quarantined(1)] {
        let at = hours(7 * 24 + 6);
        world.sweep(at);
        let record = world.record(0).unwrap().clone();
        let ticket = plan::ordered(&record, Action::Deactivate, &Actor::local("ada"), "leaving").unwrap();
        let warrant = world.recheck(at, ticket).unwrap();
        world.carry_out(at, &warrant);
        let expected = if record.in_quarantine() { vec!["the key is deactivated"] } else { vec![] };
        assert_eq!(end_quarantines(&mut world, at), expected);
    }
}

#[test]
fn a_use_in_quarantine_ends_it_and_holds_the_key() {
    let seen: [fn(&mut World); 3] = [
        |world| world.keys[0].last_use = Fact::Known(used_at(day(8))),
        |world| {
            let event = RegionTrail::Read(vec![mk_activity(day(8))]);
            world.keys[0].trail = Fact::Known(mk_trail(vec![("us-east-1", event)]));
        },
        |world| {
            let activity = mk_activity(day(8));
            world.keys[0].last_use = Fact::Known(activity.as_last_use());
            let event = RegionTrail::Read(vec![activity]);
            world.keys[0].trail = Fact::Known(mk_trail(vec![("us-east-1", event)]));
        },
    ];
    for (n, show) in seen.into_iter().enumerate() {
        let mut world = quarantined(1);
        show(&mut world);
        world.sweep(day(9));
        let record = world.record(0).unwrap();
        assert_eq!((record.state.as_str(), record.past.activity.is_some()), ("active", n > 0));
        assert_eq!(record.holds.iter().map(|hold| hold.kind).collect::<Vec<_>>(), [HoldKind::Quarantine]);
        assert_eq!(end_quarantines(&mut world, day(9)), ["the key is active"]);
        assert!(world.record(0).unwrap().quarantine.is_none());
    }
}

#[test]
fn a_use_from_before_the_quarantine_that_shows_late_holds_nothing() {
    let mut world = quarantined(1);
    world.keys[0].last_use = Fact::Known(used_at(day(6)));
    world.sweep(day(8));
    let record = world.record(0).unwrap();
    assert_eq!((record.state.as_str(), record.holds.len()), ("active", 0));
    assert_eq!(end_quarantines(&mut world, day(8)), ["the key is active"]);
}

/// Something that happens, in words, and how.
type Way = (&'static str, fn(&mut World));

#[test]
fn every_way_out_ends_the_quarantine() {
    let ways: [Way; 9] = [
        ("the mode permits less", |world| world.policy.base.mode = Mode::Observe),
        ("a hold", |world| {
            world.happen(
                day(8),
                0,
                KeyEvent::Overlay(Overlay::HoldPlaced { reason: "no".into(), until: None }),
            );
        }),
        ("somebody set the key Inactive", |world| world.keys[0].status = KeyStatus::Inactive),
        ("the policy wants no quarantine", |world| world.policy.base.quarantine = None),
        ("a new key", |world| {
            world.keys[0].other_keys.push(OtherKey::listed(mk_key_id(50), KeyStatus::Inactive));
        }),
        ("another key that works again", |world| {
            world.keys[0].other_keys = vec![OtherKey::listed(mk_key_id(51), KeyStatus::Active)];
        }),
        ("a password", |world| world.keys[0].password = Fact::Known(true)),
        ("another policy", |world| {
            world.keys[0].policies = Fact::Known(vec![mk_quarantine(), mk_attached("ReadOnlyAccess")]);
        }),
        ("a longer threshold", |world| world.policy.base.unused_after = days(500)),
    ];
    for (way, change) in ways {
        let mut world = mk_world(1);
        world.keys[0].other_keys = vec![OtherKey::listed(mk_key_id(51), KeyStatus::Inactive)];
        assert_eq!(world.sweep_and_act(day(7)), 1);
        change(&mut world);
        world.sweep(day(8));
        assert_eq!(end_quarantines(&mut world, day(8)).len(), 1, "{way}: {:?}", world.record(0));
        let left = world.record(0).and_then(|record| record.quarantine.clone());
        assert_eq!(left, None, "{way}");
    }
}

#[test]
fn a_key_that_is_gone_leaves_no_policy_behind() {
    let mut world = quarantined(1);
    world.happen(day(8), 0, KeyEvent::Seen(Seen::Absent));
    assert_eq!(end_quarantines(&mut world, day(8)), ["the key is gone"]);
}

#[test]
fn a_quarantine_that_nobody_can_watch_for_a_day_ends() {
    let mut world = quarantined(1);
    let account = world.record(0).unwrap().identity.account;
    let failed = |reason: &str| Body::AccountFailed { account, name: "prod".into(), reason: reason.into() };
    world.write(day(8), failed("throttled"));
    let almost = day(9) - jiff::SignedDuration::from_secs(1);
    assert!(end_quarantines(&mut world.clone(), almost).is_empty(), "one sweep that fails is no reason");
    let mut seen_again = world.clone();
    let soon = day(8) + jiff::SignedDuration::from_hours(6);
    seen_again.sweep(soon);
    assert!(end_quarantines(&mut seen_again, day(9)).is_empty());
    world.write(day(9), failed("the role is gone"));
    assert_eq!(end_quarantines(&mut world, day(9)), ["account could not be scanned: the role is gone"]);
}

#[test]
fn what_restrains_changes_does_not_keep_a_quarantine_from_ending() {
    let mut world = quarantined(1);
    world.write(day(8), Body::Paused { reason: "audit".into() });
    world.write(day(8), Body::BreakerTripped { reason: TripReason::Failures { accounts: 3, limit: 3 } });
    world.policy.limits.deactivations_per_day = 0;
    world.policy.limits.changes_per_account_per_day = 0;
    assert!(end_quarantines(&mut world, day(8)).is_empty(), "a pause alone is no way out");
    world.keys[0].last_use = Fact::Known(used_at(day(8)));
    world.sweep(day(9));
    assert_eq!(end_quarantines(&mut world, day(9)), ["the key is active"]);
}

#[test]
fn somebody_who_works_on_the_user_is_not_disturbed() {
    let mut world = quarantined(1);
    world.keys[0].password = Fact::Known(true);
    world.sweep(day(8));
    assert_eq!(end_quarantines(&mut world, day(8)), ["a console password was set for the user"]);
    let held = world.record(0).unwrap().held().cloned().unwrap();
    assert_eq!((held.kind, held.until), (HoldKind::Quarantine, Some(day(38))));
    assert_eq!(
        next(&mut world, day(11), 0),
        Next::Wait {
            action: keysweep_core::ticket::Planned::Deactivate,
            wait: Wait::Held { holds: vec![held.clone()], until: held.until },
        }
    );
}

#[test]
fn somebody_who_detaches_the_policy_objects() {
    let mut world = quarantined(1);
    world.keys[0].policies = Fact::Known(Vec::new());
    world.sweep(day(8));
    assert_eq!(world.record(0).unwrap().holds.len(), 1);
    // A read may be behind: the call that detaches it tells.
    assert_eq!(end_quarantines(&mut world, day(8)), ["someone detached the quarantine policy"]);
    assert_eq!(world.record(0).unwrap().quarantine, None);
}

#[test]
fn a_client_that_shows_itself_waits_for_no_other_fact() {
    let mut world = quarantined(1);
    world.keys[0].last_use = Fact::Known(used_at(day(8)));
    let user_id = std::mem::replace(&mut world.keys[0].user_id, Fact::Unknown("denied".into()));
    world.sweep(day(9));
    world.keys[0].user_id = user_id;
    assert_eq!(end_quarantines(&mut world, day(9)), ["the key is active"]);
    // Nor for clocks that agree.
    let mut world = quarantined(1);
    world.keys[0].last_use = Fact::Known(used_at(day(8)));
    let mut collection = world.collection(day(9));
    collection.skew = Some(jiff::SignedDuration::from_hours(1));
    let plan = plan::plan(day(9), &world.policy, &world.state, &collection);
    for body in plan.entries {
        world.write(day(9), body);
    }
    assert_eq!(end_quarantines(&mut world, day(9)), ["the key is active"]);
}

/// What is seen of the other key, in words.
type Case = (&'static str, fn(&mut OtherKey));

#[test]
fn a_quarantine_begins_only_if_no_other_key_of_the_user_is_in_use() {
    let cases: [Case; 5] = [
        ("used", |other| other.last_use = Fact::Known(used_at(day(7)))),
        ("its last use is unknown", |other| other.last_use = Fact::Unknown("denied".into())),
        ("its last use was not read", |other| other.last_use = Fact::NotRead),
        ("not looked up", |other| other.trail = Fact::NotRead),
        ("used by what CloudTrail shows", |other| {
            let event = RegionTrail::Read(vec![mk_activity(day(7))]);
            other.trail = Fact::Known(mk_trail(vec![("us-east-1", event)]));
        }),
    ];
    let at = hours(7 * 24 + 6);
    for (case, change) in cases {
        let mut world = mk_siblings();
        world.sweep_and_act(day(7));
        let ticket = world.sweep(at).take_effects().0.remove(0);
        assert_eq!(ticket.action(), Action::Quarantine);
        let mut facts = fresh(&world.keys[0]);
        change(&mut facts.other_keys[0]);
        assert!(world.recheck_with(at, ticket, &facts).is_err(), "{case}");
    }
}

#[test]
fn a_policy_that_grants_something_is_not_attached() {
    for denies in [Fact::Known(false), Fact::Unknown("denied".into()), Fact::NotRead] {
        let mut world = mk_world(1);
        let ticket = world.sweep(day(7)).take_effects().0.remove(0);
        let mut facts = fresh(&world.keys[0]);
        facts.policy_denies = denies;
        assert!(world.recheck_with(day(7), ticket, &facts).is_err());
    }
}

#[test]
fn an_incident_that_the_last_look_shows_keeps_the_policy() {
    let mut world = quarantined(1);
    world.keys[0].last_use = Fact::Known(used_at(day(8)));
    world.sweep(day(9));
    let ticket = plan::quarantines_to_end(&world.context(day(9))).remove(0);
    let mut facts = fresh(&world.keys[0]);
    facts.policies = Fact::Known([mk_compromise(), vec![mk_quarantine()]].concat());
    assert!(world.recheck_with(day(9), ticket, &facts).is_err());
}

#[test]
fn an_undo_may_follow_another_whose_outcome_is_not_known() {
    let mut world = quarantined(1);
    let record = world.record(0).unwrap().clone();
    for minute in 0..2 {
        let at = day(8) + jiff::SignedDuration::from_mins(minute);
        let ticket = plan::end_quarantine(&record, &Actor::local("ada"), "now").unwrap();
        let warrant = world.recheck(at, ticket).unwrap();
        let (origin, why) = (warrant.origin().clone(), String::new());
        let deadline = mk_deadline(at);
        let intent =
            Change::Intent { action: Action::EndQuarantine, origin, why, deadline, quarantine: None };
        world.happen(at, 0, KeyEvent::Change(intent));
    }
}

#[test]
fn what_could_not_be_read_of_the_user_ends_nothing_and_permits_nothing() {
    let mut world = quarantined(1);
    (world.keys[0].policies, world.keys[0].password) =
        (Fact::Unknown("denied".into()), Fact::Unknown("denied".into()));
    let Next::Wait { wait, .. } = next(&mut world, day(12), 0) else { panic!() };
    assert_eq!(wait.reason(), Reason::Unknown);
    assert!(end_quarantines(&mut world, day(12)).is_empty());
    assert!(world.record(0).unwrap().in_quarantine());
}

#[test]
fn a_user_whose_other_key_works_is_not_quarantined() {
    let mut world = mk_world(1);
    world.keys[0].other_keys = vec![OtherKey::listed(mk_key_id(50), KeyStatus::Active)];
    let Next::Step { action, why } = next(&mut world, day(7), 0) else { panic!() };
    assert_eq!(action, Action::Deactivate);
    assert!(why.contains("no quarantine: ") && why.contains("is not due for deactivation"), "{why}");
    world.keys[0].other_keys[0].status = KeyStatus::Inactive;
    assert_eq!(
        action_of(&next(&mut world, day(7), 0)),
        Some(Action::Quarantine),
        "an Inactive one does not count"
    );
    world.keys[0].other_keys[0].status = KeyStatus::Other("Expired".into());
    assert_eq!(action_of(&next(&mut world, day(7), 0)), Some(Action::Deactivate));
}

/// Two stale keys of one user.
pub(crate) fn mk_siblings() -> World {
    let (mut one, two) = (mk_key(0), mk_key(1));
    one.other_keys = vec![OtherKey::listed(two.key.clone(), KeyStatus::Active)];
    let mut two = keysweep_core::facts::KeyFacts {
        user_name: one.user_name.clone(),
        user_id: one.user_id.clone(),
        ..two
    };
    two.other_keys = vec![OtherKey::listed(one.key.clone(), KeyStatus::Active)];
    let mut world = World::new(mk_quarantining(), vec![one, two]);
    for key in &mut world.keys {
        (key.policies, key.password) = (Fact::Known(Vec::new()), Fact::Known(false));
    }
    world.run(0, 6);
    world
}

#[test]
fn two_stale_keys_of_one_user_come_one_after_the_other() {
    let mut world = mk_siblings();
    // The plan that makes both of them due does not know it of both.
    assert_eq!(world.sweep_and_act(day(7)), 0);
    let at = hours(7 * 24 + 6);
    assert_eq!(action_of(&next(&mut world, at, 0)), Some(Action::Quarantine));
    let first = world.keys[0].key.clone();
    let waits = |wait: &Next| matches!(wait, Next::Wait { wait: Wait::OtherKey(key), .. } if *key == first);
    assert!(waits(&next(&mut world, at, 1)), "{:?}", next(&mut world, at, 1));
    assert_eq!(world.sweep_and_act(at), 1);
    world.keys[1].policies = world.keys[0].policies.clone();
    let at = hours(10 * 24 + 6);
    assert!(waits(&next(&mut world, at, 1)));
    assert_eq!(world.sweep_and_act(at), 1, "the first is deactivated");
    assert_eq!(end_quarantines(&mut world, at), ["the key is deactivated"]);
    world.keys[1].policies = Fact::Known(Vec::new());
    world.keys[1].other_keys[0].status = KeyStatus::Inactive;
    assert_eq!(action_of(&next(&mut world, at, 1)), Some(Action::Quarantine));
}

#[test]
fn a_key_of_the_same_user_that_comes_to_life_ends_the_quarantine() {
    let mut world = mk_siblings();
    world.run(7, 7);
    assert!(world.record(0).unwrap().in_quarantine());
    world.keys[1].last_use = Fact::Known(used_at(day(8)));
    world.sweep(day(9));
    let why = end_quarantines(&mut world, day(9));
    assert!(why.len() == 1 && why[0].contains("is not due for deactivation"), "{why:?}");
}

#[test]
fn a_key_of_the_same_user_that_is_held_is_not_stopped() {
    let hold = || KeyEvent::Overlay(Overlay::HoldPlaced { reason: "in use".into(), until: None });
    let mut world = mk_siblings();
    world.sweep_and_act(day(7));
    world.happen(day(7), 1, hold());
    let step = next(&mut world, hours(7 * 24 + 6), 0);
    assert_eq!(action_of(&step), Some(Action::Deactivate), "{step:?}");
    // The same while the user is in quarantine.
    let mut world = mk_siblings();
    world.run(7, 7);
    assert!(world.record(0).unwrap().in_quarantine());
    world.happen(day(8), 1, hold());
    world.sweep(day(8));
    assert_eq!(end_quarantines(&mut world, day(8)).len(), 1);
}

#[test]
fn ten_attached_policies_leave_no_room() {
    let mut world = mk_world(1);
    let attached = |count: usize| (0..count).map(|n| mk_attached(&format!("p{n}"))).collect::<Vec<_>>();
    world.keys[0].policies = Fact::Known(attached(10));
    let Next::Step { action, why } = next(&mut world, day(7), 0) else { panic!() };
    assert_eq!(action, Action::Deactivate);
    assert!(why.contains("no quarantine: 10 policies are attached"), "{why}");
    world.keys[0].policies = Fact::Known(attached(9));
    assert_eq!(action_of(&next(&mut world, day(7), 0)), Some(Action::Quarantine));
}

#[test]
fn a_policy_that_somebody_else_attached_is_left_where_it_is() {
    let mut world = mk_world(1);
    world.keys[0].policies = Fact::Known(vec![mk_quarantine()]);
    let Next::Wait { wait, .. } = next(&mut world, day(7), 0) else { panic!() };
    assert_eq!(wait, Wait::PolicyAttached(world.policy.quarantine_policy.clone()));
    assert!(end_quarantines(&mut world, day(7)).is_empty());
}

#[test]
fn an_incident_keeps_the_policy_until_an_operator_ends_it() {
    let mut world = quarantined(1);
    let policies = [mk_compromise(), vec![mk_quarantine()]].concat();
    world.keys[0].policies = Fact::Known(policies);
    world.sweep(day(8));
    assert!(world.record(0).unwrap().incident.is_some());
    assert!(end_quarantines(&mut world, day(8)).is_empty());
    let record = world.record(0).unwrap().clone();
    let ticket = plan::end_quarantine(&record, &Actor::local("ada"), "ours").unwrap();
    assert!(world.recheck(day(8), ticket).is_ok());
}

#[test]
fn a_link_ends_a_quarantine_but_not_that_of_a_user_whom_aws_marked() {
    let mut world = quarantined(1);
    world.sweep(day(8));
    let record = world.record(0).unwrap().clone();
    let order = |actor: &Actor| plan::end_quarantine(&record, actor, "it is needed").unwrap();
    let link = Actor::Link { owner: "dana@example.com".into() };
    assert!(world.recheck(day(8), order(&link)).is_ok());
    // Since the scan, so that the record knows of no incident.
    let marked = Fact::Known([mk_compromise(), vec![mk_quarantine()]].concat());
    for policies in [marked, Fact::Unknown("denied".into()), Fact::NotRead] {
        let facts = KeyFacts { policies, ..fresh(&world.keys[0]) };
        let refusal = world.recheck_with(day(8), order(&link), &facts).unwrap_err();
        assert_eq!(refusal.wait, Wait::from(Recheck::NotByLink), "{:?}", facts.policies);
        let ada = Actor::local("ada");
        assert!(world.recheck_with(day(8), order(&ada), &facts).is_ok(), "{:?}", facts.policies);
    }
}

#[test]
fn quarantines_have_a_cap_of_their_own_as_high_as_that_of_deactivations() {
    let mut world = mk_world(3);
    world.policy.limits.deactivations_per_day = 2;
    assert_eq!(world.sweep_and_act(day(7)), 2);
    let waiting = (0..3).map(|n| next(&mut world, day(7), n)).find_map(|next| match next {
        Next::Wait { wait: wait @ Wait::Cap { .. }, .. } => Some(wait),
        Next::Wait { .. } | Next::Step { .. } | Next::Nothing => None,
    });
    assert_eq!(waiting, Some(Wait::Cap { action: Action::Quarantine, limit: 2 }));
}

#[test]
fn a_call_whose_outcome_is_not_known_is_undone_until_it_certainly_is() {
    let mut world = mk_world(1);
    let warrant = quarantine_warrant(&mut world, day(7));
    let quarantine = warrant.quarantine().cloned().map(Box::new);
    let deadline = mk_deadline(day(7));
    let intent = |action, quarantine| {
        let (origin, why) = (warrant.origin().clone(), String::new());
        KeyEvent::Change(Change::Intent { action, origin, why, deadline, quarantine })
    };
    world.happen(day(7), 0, intent(Action::Quarantine, quarantine));
    assert!(end_quarantines(&mut world, day(7)).is_empty(), "its outcome is to come");
    // An operator does not wait for it. What the call does later is undone again.
    let soon = day(7) + jiff::SignedDuration::from_mins(1);
    world.happen(soon, 0, intent(Action::EndQuarantine, None));
    world.happen(
        soon,
        0,
        KeyEvent::Change(Change::QuarantineEnded { request_id: None, hold_until: Some(day(30)) }),
    );
    let record = world.record(0).unwrap();
    assert!(record.quarantine.is_some() && !record.in_quarantine() && record.held().is_some());
    let later = day(7) + jiff::SignedDuration::from_mins(30);
    assert_eq!(end_quarantines(&mut world, later), ["the call that was to attach it can still take effect"]);
    assert!(world.record(0).unwrap().quarantine.is_none());
}

#[test]
fn a_refused_call_leaves_nothing_and_an_unclear_one_is_undone() {
    let action = Action::Quarantine;
    let refused = Change::Refused { action, kind: RefusedKind::Denied, detail: "no".into() };
    let unclear = Change::Unclear { action, accepted: false, detail: "no answer".into() };
    for (outcome, ends) in [(KeyEvent::Change(refused), 0), (KeyEvent::Change(unclear), 1)] {
        let mut world = mk_world(1);
        let warrant = quarantine_warrant(&mut world, day(7));
        let intent = KeyEvent::Change(Change::Intent {
            action: Action::Quarantine,
            origin: warrant.origin().clone(),
            why: String::new(),
            deadline: mk_deadline(day(7)),
            quarantine: warrant.quarantine().cloned().map(Box::new),
        });
        world.happen(day(7), 0, intent);
        world.happen(day(7), 0, outcome);
        assert_eq!(end_quarantines(&mut world, day(7)).len(), ends);
        assert!(world.record(0).unwrap().quarantine.is_none());
    }
}

#[test]
fn a_key_that_was_never_used_is_quarantined_as_well() {
    let mut world = World::new(mk_quarantining(), vec![mk_key(0)]);
    world.keys[0].last_use = Fact::Known(LastUse::Never);
    (world.keys[0].policies, world.keys[0].password) = (Fact::Known(Vec::new()), Fact::Known(false));
    world.run(0, 7);
    assert!(world.record(0).unwrap().in_quarantine());
}

/// What the first sweep after the notice period wants.
fn quarantine_warrant(world: &mut World, at: jiff::Timestamp) -> keysweep_core::ticket::Warrant {
    let mut plan = world.sweep(at);
    let ticket = plan.take_effects().0.remove(0);
    assert_eq!(ticket.action(), Action::Quarantine);
    let warrant = world.recheck(at, ticket).unwrap();
    let Some(Attachment { policy, user_before }) = warrant.quarantine() else { panic!() };
    assert_eq!((policy, user_before.password), (&world.policy.quarantine_policy, false));
    warrant
}

#[test]
fn a_refused_deactivation_does_not_begin_another_quarantine() {
    let refused = |world: &mut World, at| {
        let key = world.keys[0].key.clone();
        let plan = world.sweep(at);
        let ticket = plan.effects.into_iter().find_map(|effect| match effect {
            keysweep_core::effect::Effect::Change(ticket) if ticket.identity().key == key => Some(ticket),
            _ => None,
        });
        let warrant = world.recheck(at, ticket.expect("it is due")).unwrap();
        assert_eq!(warrant.action(), Action::Deactivate);
        let (origin, why) = (warrant.origin().clone(), warrant.why().to_owned());
        let (action, deadline) = (Action::Deactivate, mk_deadline(at));
        let intent = Change::Intent { action, origin, why, deadline, quarantine: None };
        world.happen(at, 0, KeyEvent::Change(intent));
        let (kind, detail) = (RefusedKind::Denied, "AccessDenied".to_owned());
        world.happen(at, 0, KeyEvent::Change(Change::Refused { action, kind, detail }));
    };
    let again = |world: &mut World, at| {
        world.sweep(at);
        action_of(&next(world, at + jiff::SignedDuration::from_hours(6), 0))
    };
    let mut world = quarantined(1);
    refused(&mut world, day(10));
    assert_eq!(end_quarantines(&mut world, day(10)), ["deactivation is no longer due"]);
    assert_eq!(again(&mut world, day(11)), Some(Action::Deactivate), "it had three days to show itself");
    let Next::Step { why, .. } = next(&mut world, day(12), 0) else { panic!() };
    assert!(why.contains("no use seen in quarantine until"), "{why}");
    assert_eq!(again(&mut world, day(18)), Some(Action::Quarantine), "what was quiet a week ago says little");

    // An operator who ended it had a reason, and nobody decided to deactivate after it.
    let mut world = quarantined(1);
    world.sweep(day(10));
    let ticket =
        plan::end_quarantine(world.record(0).unwrap(), &Actor::local("ada"), "it is needed").unwrap();
    let warrant = world.recheck(day(10), ticket).unwrap();
    let (origin, why, deadline) = (warrant.origin().clone(), String::new(), mk_deadline(day(10)));
    let intent = Change::Intent { action: Action::EndQuarantine, origin, why, deadline, quarantine: None };
    world.happen(day(10), 0, KeyEvent::Change(intent));
    let ended = Change::QuarantineEnded { request_id: None, hold_until: Some(day(11)) };
    world.happen(day(10), 0, KeyEvent::Change(ended));
    let past = world.record(0).unwrap().past.quarantined.clone().unwrap();
    assert!(!past.completed && past.attached.is_some(), "{past:?}");

    // Longer now, or not as long as it was to be, or somebody came between: it begins anew.
    for change in
        [(|world: &mut World| world.policy.base.quarantine = Some(days(4))) as fn(&mut World), |world| {
            world.happen(
                day(9),
                0,
                Overlay::QuarantineInterrupted { why: "x".into(), hold_until: None }.into(),
            );
        }]
    {
        let mut world = quarantined(1);
        world.sweep(day(9));
        let at = if world.policy.base.quarantine == Some(days(3)) { day(10) } else { day(11) };
        refused(&mut world, at);
        let mut other = world.clone();
        change(&mut other);
        end_quarantines(&mut other, at);
        assert_eq!(again(&mut other, day(12)), Some(Action::Quarantine));
    }
}

#[test]
fn a_quarantine_ends_whatever_became_of_the_key_and_never_on_another_user() {
    let mut world = quarantined(1);
    world.sweep(day(8));
    let record = world.record(0).unwrap().clone();
    let order = || plan::end_quarantine(&record, &Actor::local("ada"), "no").unwrap();
    world.keys[0].created = day(8);
    assert!(world.recheck(day(8), order()).is_ok(), "made again");
    world.keys[0].user_id = Fact::Known("AIDAEXAMPLE000000999".parse().unwrap());
    assert!(world.recheck(day(8), order()).is_err(), "another user of that name");
    world.keys[0].user_id = Fact::NotRead;
    world.keys[0].created = record.identity.created;
    assert!(world.recheck(day(8), order()).is_err(), "nobody knows which user");
}
