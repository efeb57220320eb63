//! Exemptions that operators grant at run time: as good as those of the configuration, on every path to a change.

use jiff::Timestamp;
use keysweep_core::facts::{Fact, KeyStatus};
use keysweep_core::lifecycle::KeyEvent;
use keysweep_core::plan::{self, Next, PlannedKey, Reason, Wait};
use keysweep_core::policy::{ApprovalFor, Exemption, Match, Mode, Rule};
use keysweep_core::state::{Actor, Body};
use keysweep_core::ticket::{Action, Ticket};

use crate::mk::*;
use crate::orders::ordered;
use crate::quarantine::{action_of, end_quarantines, mk_siblings, next};

const FAR: i64 = 300;

/// Exempts key `n`, or its user; the number of the exemption.
fn grant(world: &mut World, at: Timestamp, n: usize, whole_user: bool, until: Timestamp) -> u64 {
    let facts = world.keys[n].clone();
    let body = Body::ExemptionGranted {
        account: facts.account,
        user_id: facts.user_id.known().cloned(),
        user_name: facts.user_name,
        key: (!whole_user).then_some(facts.key),
        reason: "year end".into(),
        until,
    };
    world.write_as(Actor::local("ada"), at, body);
    world.journal.len() as u64
}

fn end(world: &mut World, at: Timestamp, number: u64) {
    let body = Body::ExemptionEnded { account: mk_account_id(0), number, reason: "over".into() };
    world.write_as(Actor::local("ada"), at, body);
}

fn mk_world(keys: usize) -> World {
    World::new(mk_policy(Mode::Delete), (0..keys).map(mk_key).collect())
}

/// A key whose change is due, with the ticket of a plan that was made before anything was exempted.
fn mk_due(action: Action) -> (World, Ticket, i64) {
    let mut world = mk_world(1);
    let at = if action == Action::Delete { 21 } else { 7 };
    world.run(0, at - 1);
    let ticket = world.sweep(day(at)).take_effects().0.remove(0);
    assert_eq!(ticket.action(), action);
    (world, ticket, at)
}

fn planned(world: &mut World, at: Timestamp, n: usize) -> Option<PlannedKey> {
    let plan = world.sweep(at);
    let key = world.keys[n].key.clone();
    plan.keys.into_iter().find(|planned| planned.facts.key == key)
}

/// The exemption for which key `n` waits.
fn exempt_by(world: &mut World, at: Timestamp, n: usize) -> Option<Rule> {
    match planned(world, at, n)?.next {
        Next::Wait { wait: Wait::Exempt { rule, .. }, .. } => Some(rule),
        Next::Wait { .. } | Next::Nothing | Next::Step { .. } => None,
    }
}

#[test]
fn an_exempt_key_or_user_is_never_changed_by_a_plan() {
    for whole_user in [false, true] {
        let mut world = mk_world(2);
        let number = grant(&mut world, day(0), 0, whole_user, day(FAR));
        assert_eq!(exempt_by(&mut world, day(0), 0), Some(Rule::Granted(number)));
        let plan = world.sweep(day(0));
        assert_eq!(plan.keys[0].exempt.as_deref(), Some(&*format!("exemption {number}: year end")));
        world.run(1, 60);
        assert_eq!((world.state_of(0), world.keys.len()), ("active", 1), "the other key is deleted");
        assert!(world.names_of(0).is_empty(), "an exempt key is not even flagged");
    }
}

#[test]
fn what_is_exempted_after_the_plan_is_refused_by_the_recheck() {
    for action in [Action::Deactivate, Action::Delete] {
        for whole_user in [false, true] {
            let (mut world, ticket, at) = mk_due(action);
            grant(&mut world, day(at), 0, whole_user, day(FAR));
            let refusal = world.recheck(day(at), ticket).unwrap_err();
            let names: Vec<_> = refusal.events.iter().map(KeyEvent::name).collect();
            assert_eq!(names[0], "exempt_began", "{action} {whole_user}: {refusal:?}");
            assert!(refusal.wait.reason().suppresses());
        }
    }
}

#[test]
fn an_order_does_not_override_an_exemption() {
    for (action, until) in [(Action::Deactivate, 6), (Action::Delete, 20)] {
        for whole_user in [false, true] {
            let mut world = mk_world(1);
            world.run(0, until);
            let at = day(until + 1);
            world.sweep(at);
            grant(&mut world, at, 0, whole_user, day(FAR));
            assert!(ordered(&world, at, action).is_err(), "before the record shows it");
            world.sweep(at);
            let refused = ordered(&world, at, action).unwrap_err();
            assert_eq!(refused.wait.reason(), Reason::Exempt, "{action} {whole_user}");
        }
    }
    // The undo is under no exemption.
    let mut world = mk_world(1);
    world.run(0, 8);
    grant(&mut world, day(9), 0, true, day(FAR));
    world.sweep(day(9));
    assert!(ordered(&world, day(9), Action::Reactivate).is_ok());
}

#[test]
fn an_exemption_lapses_at_its_end_and_the_key_is_noticed_afresh() {
    let mut world = mk_world(1);
    world.run(0, 6);
    grant(&mut world, day(6), 0, false, day(40));
    assert_eq!(world.run(7, 39), 0);
    assert!(world.record(0).unwrap().exempt.is_some() && world.record(0).unwrap().due.is_none());
    assert_eq!(world.run(40, 46), 0, "the notice period begins anew");
    assert!(world.record(0).unwrap().exempt.is_none());
    assert!(world.run(47, 47) > 0);
    assert_eq!(world.state_of(0), "deactivated");
}

#[test]
fn an_exemption_that_an_operator_ends_has_no_effect_from_then_on() {
    let mut world = mk_world(1);
    world.run(0, 6);
    let number = grant(&mut world, day(6), 0, true, day(FAR));
    world.run(7, 8);
    let rule = world.record(0).unwrap().exempt.as_ref().unwrap().rule.clone();
    assert_eq!(rule, format!("exemption {number}"));
    assert!(Rule::is_granted(&rule) && !Rule::is_granted(&Rule::Exempt(1).to_string()));
    end(&mut world, day(9), number + 1000);
    assert_eq!(exempt_by(&mut world, day(9), 0), Some(Rule::Granted(number)), "that was another one");
    end(&mut world, day(9), number);
    assert_eq!(exempt_by(&mut world, day(9), 0), None);
    assert!(world.record(0).unwrap().exempt.is_none() && world.state.control().exemptions.is_empty());
    assert_eq!(world.run(9, 15), 0, "a fresh notice comes first");
    assert!(world.run(16, 17) > 0);
}

#[test]
fn a_user_is_exempt_with_keys_that_are_created_later() {
    let mut world = mk_world(1);
    let number = grant(&mut world, day(0), 0, true, day(FAR));
    let user = world.keys[0].clone();
    world.keys.push(keysweep_core::facts::KeyFacts {
        user_name: user.user_name,
        user_id: user.user_id,
        ..mk_key(7)
    });
    assert_eq!(exempt_by(&mut world, day(1), 1), Some(Rule::Granted(number)));
    assert_eq!(world.run(1, 60), 0);
    // A key alone says nothing of the others.
    let mut world = mk_world(2);
    world.keys[1].user_name = world.keys[0].user_name.clone();
    world.keys[1].user_id = world.keys[0].user_id.clone();
    grant(&mut world, day(0), 0, false, day(FAR));
    assert_eq!(exempt_by(&mut world, day(1), 1), None);
}

#[test]
fn a_user_is_recognized_by_id_and_by_name_in_their_account_only() {
    let mut world = mk_world(1);
    let number = Rule::Granted(grant(&mut world, day(0), 0, true, day(FAR)));
    let exempt = |change: fn(&mut keysweep_core::facts::KeyFacts)| {
        let mut world = world.clone();
        change(&mut world.keys[0]);
        // A key without a user ID waits for it, and is shown as exempt all the same.
        let exempt = planned(&mut world, day(1), 0).and_then(|planned| planned.exempt);
        exempt.map(|text| text.split(':').next().unwrap().to_owned())
    };
    let number = Some(number.to_string());
    assert_eq!(exempt(|_| {}), number);
    assert_eq!(exempt(|key| key.user_name = "renamed".parse().unwrap()), number, "by ID");
    assert_eq!(exempt(|key| key.user_id = Fact::Unknown("denied".into())), number, "by name");
    assert_eq!(exempt(|key| key.user_name = "USER-0".parse().unwrap()), number, "IAM ignores case");
    assert_eq!(
        exempt(|key| key.user_id = Fact::Known("AIDAEXAMPLE999999999".parse().unwrap())),
        number,
        "created again under the same name: possibly exempt is exempt"
    );
    assert_eq!(
        exempt(|key| {
            key.user_id = Fact::Known("AIDAEXAMPLE999999999".parse().unwrap());
            key.user_name = "someone-else".parse().unwrap();
        }),
        None
    );
    assert_eq!(
        exempt(|key| {
            key.user_id = Fact::Known("AIDAEXAMPLE999999999".parse().unwrap());
            key.account = mk_account_id(1);
        }),
        None,
        "a user of the same name in another account"
    );
}

#[test]
fn a_user_whose_id_was_not_known_is_matched_by_name_alone() {
    let mut world = mk_world(2);
    world.keys[0].user_id = Fact::Unknown("denied".into());
    grant(&mut world, day(0), 0, true, day(FAR));
    world.keys[1].user_id = Fact::Unknown("denied".into());
    let plan = world.sweep(day(1));
    assert!(plan.keys[0].exempt.is_some());
    assert_eq!(plan.keys[1].exempt, None, "two unknown IDs are not the same user");
}

#[test]
fn the_exemption_that_lasts_longest_counts_whoever_made_it() {
    let configured = |until: &str| Exemption {
        matches: Match { users: vec!["user-0".into()], ..Match::default() },
        reason: "ours".into(),
        until: until.parse().unwrap(),
    };
    let mut world = mk_world(1);
    let short = grant(&mut world, day(0), 0, false, day(20));
    let long = grant(&mut world, day(0), 0, true, day(50));
    assert_eq!(exempt_by(&mut world, day(1), 0), Some(Rule::Granted(long)));
    world.policy.exemptions = vec![configured("2026-02-01")];
    assert_eq!(exempt_by(&mut world, day(1), 0), Some(Rule::Granted(long)));
    world.policy.exemptions = vec![configured("2026-12-31")];
    assert_eq!(exempt_by(&mut world, day(1), 0), Some(Rule::Exempt(1)));
    world.policy.exemptions.clear();
    end(&mut world, day(2), long);
    assert_eq!(exempt_by(&mut world, day(2), 0), Some(Rule::Granted(short)));
}

#[test]
fn an_exemption_calls_off_what_was_announced_and_closes_a_request() {
    let mut world = mk_world(1);
    world.policy.base.approval = ApprovalFor::Both;
    world.run(0, 6);
    assert!(world.asked(0).is_some());
    let number = grant(&mut world, day(7), 0, false, day(FAR));
    world.sweep(day(7));
    assert!(world.asked(0).is_none(), "{:?}", world.record(0));
    assert!(world.names_of(0).contains(&"exempt_began"));
    end(&mut world, day(8), number);
    world.run(8, 8);
    let (noticed, began) = ("noticed", "exempt_began");
    let names = world.names_of(0);
    let at = |name| names.iter().rposition(|found| *found == name);
    assert!(at(noticed) > at(began), "it is announced again: {names:?}");
}

#[test]
fn a_quarantine_ends_for_an_exempt_key_before_anything_is_read() {
    for whole_user in [false, true] {
        let mut world = mk_siblings();
        world.run(7, 7);
        assert!(world.record(0).unwrap().in_quarantine());
        grant(&mut world, day(8), 0, whole_user, day(FAR));
        let why = end_quarantines(&mut world, day(8));
        assert!(why.len() == 1 && why[0].starts_with("the key is exempt by exemption"), "{why:?}");
    }
}

#[test]
fn a_quarantine_never_stops_another_key_that_is_exempt() {
    let at = hours(7 * 24 + 6);
    let mut world = mk_siblings();
    world.sweep_and_act(day(7));
    let mut plan = world.sweep(at);
    let ticket = plan.take_effects().0.remove(0);
    assert_eq!((ticket.action(), &ticket.identity().key), (Action::Quarantine, &mk_key_id(0)));
    grant(&mut world, at, 1, false, day(FAR));
    assert!(world.recheck(at, ticket).is_err(), "its record does not say yet that it is exempt");
    assert_eq!(action_of(&next(&mut world, at, 0)), Some(Action::Deactivate));
    // The same while the user is in quarantine.
    let mut world = mk_siblings();
    world.run(7, 7);
    grant(&mut world, day(8), 1, false, day(FAR));
    let why = end_quarantines(&mut world, day(8));
    assert!(why.len() == 1 && why[0].contains("is not due for deactivation"), "{why:?}");
}

#[test]
fn a_lapsed_exemption_is_listed_for_90_days_and_then_dropped_by_the_next_decision() {
    let mut world = mk_world(1);
    grant(&mut world, day(0), 0, false, day(10));
    let count = |world: &World| world.state.control().exemptions.len();
    assert_eq!(exempt_by(&mut world, day(10), 0), None);
    world.run(98, 101);
    assert_eq!(count(&world), 1, "nobody decided anything");
    grant(&mut world, day(99), 0, false, day(120));
    assert_eq!(count(&world), 2);
    end(&mut world, day(100), 999_999);
    assert_eq!(count(&world), 1);
}

#[test]
fn a_restored_backup_keeps_exemptions() {
    let mut world = mk_world(1);
    let number = grant(&mut world, day(0), 0, false, day(FAR));
    let (created_at, version, sha256) = (day(1), "0.1.0".into(), "ab".repeat(32));
    world.write(day(3), Body::Restored { created_at, version, last_seq: 9, sha256 });
    assert_eq!(exempt_by(&mut world, day(3), 0), Some(Rule::Granted(number)));
}

#[test]
fn an_incident_shows_on_an_exempt_key() {
    let mut world = mk_world(1);
    world.run(0, 6);
    grant(&mut world, day(6), 0, true, day(FAR));
    world.sweep(day(6));
    world.keys[0].policies = Fact::Known(mk_compromise());
    let planned = planned(&mut world, day(7), 0).unwrap();
    assert!(matches!(planned.next, Next::Wait { wait: Wait::Incident(_), .. }), "{:?}", planned.next);
    assert!(world.record(0).unwrap().exempt.is_some(), "it stays exempt");
}

#[test]
fn what_an_exemption_matches_now_is_counted_by_candidates() {
    let mut world = mk_world(3);
    grant(&mut world, day(0), 0, false, day(FAR));
    grant(&mut world, day(0), 1, true, day(FAR));
    world.keys.remove(1);
    let collection = world.collection(day(1));
    let context = world.context(day(1));
    let found = plan::granted_matches(&context, &collection);
    let keys: Vec<Vec<_>> =
        found.iter().map(|(_, keys)| keys.iter().map(|facts| facts.key.clone()).collect()).collect();
    assert_eq!(keys, [vec![mk_key_id(0)], vec![]]);
    assert!(plan::granted_matches(&world.context(day(FAR)), &collection).is_empty(), "lapsed");
}

#[test]
fn an_exempt_key_that_is_deactivated_is_not_deleted() {
    let mut world = mk_world(1);
    world.run(0, 8);
    assert_eq!(world.keys[0].status, KeyStatus::Inactive);
    grant(&mut world, day(9), 0, false, day(FAR));
    assert_eq!(world.run(9, 100), 0);
    assert!(world.names_of(0).contains(&"exempt_began"));
}
