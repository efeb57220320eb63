//! A key that AWS considers compromised is a case for a person, and no change of ours.

use jiff::{SignedDuration, Timestamp};
use keysweep_core::facts::{Fact, KeyFacts, KeyStatus};
use keysweep_core::lifecycle::event::Seen;
use keysweep_core::lifecycle::{Incident, KeyEvent};
use keysweep_core::plan::{self, Next, Reason, Wait};
use keysweep_core::policy::{Exemption, Match, Mode};
use keysweep_core::state::{Actor, Body};
use keysweep_core::ticket::Action;

use crate::mk::*;
use crate::worlds::events_of;

const POLICY: &str = "AWSCompromisedKeyQuarantineV3";

fn mk_world() -> World {
    World::new(mk_policy(Mode::Delete), vec![mk_key(0)])
}

fn attach(world: &mut World, policies: &[&str]) {
    let policies = policies.iter().map(|policy| mk_attached(policy)).collect();
    world.keys[0].policies = Fact::Known(policies);
}

/// A key that is due on day 7, when AWS has just attached a policy to its user.
fn mk_incident() -> World {
    let mut world = mk_world();
    world.write(day(0), Body::Paused { reason: "freeze".into() });
    world.run(0, 7);
    world.resume(day(7));
    assert!(world.record(0).unwrap().due.is_some());
    attach(&mut world, &[POLICY]);
    world.sweep(hours(7 * 24 + 20));
    world
}

/// What a plan records of the key by a look that began then.
fn recorded(world: &World, began: Timestamp, policies: Fact<Vec<String>>) -> Vec<&'static str> {
    let policies = match policies {
        Fact::Known(names) => Fact::Known(names.iter().map(|name| mk_attached(name)).collect()),
        Fact::Unknown(why) => Fact::Unknown(why),
        Fact::NotRead => Fact::NotRead,
    };
    let facts = KeyFacts { policies, ..world.keys[0].clone() };
    let collection = mk_collection(day(8), vec![(mk_account(0), mk_scan(began, vec![facts]))]);
    let plan = plan::plan(day(8), &world.policy, &world.state, &collection);
    events_of(&plan, &world.keys[0]).iter().map(KeyEvent::name).collect()
}

#[test]
fn a_key_that_aws_considers_compromised_is_changed_neither_by_policy_nor_by_order() {
    let mut world = mk_incident();
    assert_eq!(world.names_of(0), ["flagged", "noticed", "became_due", "incident_began"]);
    let record = world.record(0).unwrap();
    let incident = Incident { policies: vec![POLICY.into()], since: hours(7 * 24 + 20) };
    assert_eq!((record.incident.as_ref(), record.due.as_ref()), (Some(&incident), None));
    assert_eq!(world.run(8, 60), 0);
    let plan = world.sweep(day(61));
    assert!(matches!(&plan.keys[0].next, Next::Wait { wait: Wait::Incident(seen), .. } if *seen == incident));
    // A look that does not see it does not end it.
    world.keys[0].policies = Fact::NotRead;
    world.sweep(day(62));
    assert!(world.record(0).unwrap().incident.is_some());
    let facts = KeyFacts { policies: Fact::Known(vec![mk_attached(POLICY)]), ..fresh(&world.keys[0]) };
    let actor = Actor::local("ada");
    let order = plan::ordered(world.record(0).unwrap(), Action::Deactivate, &actor, "now").unwrap();
    let refusal = world.recheck_with(day(62), order, &facts).unwrap_err();
    assert_eq!(refusal.wait.reason(), Reason::Protected);
}

#[test]
fn an_incident_ends_when_a_later_look_shows_that_its_policies_are_gone() {
    let world = mk_incident();
    let (began, second) = (hours(7 * 24 + 20), SignedDuration::from_secs(1));
    let none = || Fact::Known(Vec::new());
    for (at, policies) in [
        (began + second, Fact::NotRead),
        (began + second, Fact::Unknown("denied".into())),
        (began + second, Fact::Known(vec![POLICY.into(), "AWSExposedCredentialPolicy_DO_NOT_REMOVE".into()])),
        (began - second, none()),
        (began, none()),
    ] {
        assert_eq!(recorded(&world, at, policies.clone()), Vec::<&str>::new(), "{at} {policies:?}");
    }
    assert_eq!(recorded(&world, began + second, none()), ["incident_ended"]);
}

#[test]
fn after_an_incident_what_was_announced_before_is_announced_again() {
    let mut world = mk_incident();
    attach(&mut world, &[]);
    assert_eq!(world.run(9, 15), 0);
    assert_eq!(&world.names_of(0)[4..], ["incident_ended", "noticed"]);
    assert_eq!(world.run(16, 16), 1);
}

#[test]
fn an_incident_outlasts_every_base_state_in_which_the_key_exists() {
    let mut world = mk_incident();
    // In use again, it is no finding any more.
    world.keys[0].last_use = Fact::Known(used_at(day(8)));
    let plan = world.sweep(day(9));
    assert_eq!(world.state_of(0), "active");
    assert!(world.record(0).is_some_and(|record| record.incident.is_some()));
    assert!(
        matches!(&plan.keys[0].next, Next::Wait { wait: Wait::Incident(_), .. }),
        "{:?}",
        plan.keys[0].next
    );
    world.happen(day(10), 0, KeyEvent::Seen(Seen::Absent));
    let record = world.record(0);
    assert_eq!(
        record.map(|record| (record.state.as_str(), record.incident.is_some())),
        Some(("gone", false))
    );
}

#[test]
fn a_deactivated_key_of_an_incident_is_not_deleted() {
    let mut world = mk_world();
    world.run(0, 7);
    attach(&mut world, &[POLICY]);
    assert_eq!(world.run(8, 60), 0);
    assert_eq!((world.state_of(0), &world.keys[0].status), ("deactivated", &KeyStatus::Inactive));
}

#[test]
fn a_record_follows_the_exemption_that_holds_its_key_back() {
    let exemption = |until: &str| {
        let matches = Match { users: vec!["user-0".into()], ..Match::default() };
        Exemption { matches, reason: "ours".into(), until: until.parse().unwrap() }
    };
    let mark = |world: &World| {
        let mark = world.record(0).and_then(|record| record.exempt.clone()).unwrap();
        (mark.rule, mark.until)
    };
    let mut world = mk_world();
    world.sweep(day(0));
    world.policy.exemptions = vec![exemption("2026-01-31")];
    world.sweep(day(1));
    assert_eq!(mark(&world), ("policy.exempt[1]".into(), day(31)));
    world.policy.exemptions = vec![exemption("2026-02-28")];
    world.sweep(day(2));
    assert_eq!(mark(&world), ("policy.exempt[1]".into(), day(59)));
    // Another rule comes before it.
    world.policy.exemptions.insert(0, exemption("2026-01-15"));
    world.sweep(day(3));
    assert_eq!(mark(&world), ("policy.exempt[2]".into(), day(59)));
    let began = world.names_of(0).into_iter().filter(|name| *name == "exempt_began").count();
    world.sweep(day(4));
    assert_eq!((began, world.names_of(0).len()), (3, 5), "{:?}", world.names_of(0));
}
