//! CloudTrail may veto a change, and never justifies one.

use jiff::Timestamp;
use keysweep_core::evidence::RegionTrail;
use keysweep_core::facts::{Fact, KeyFacts, LastUse};
use keysweep_core::lifecycle::event::{Change, Note, Purpose};
use keysweep_core::lifecycle::{HoldKind, KeyEvent, RefusedKind, State};
use keysweep_core::plan::{self, Reason, Refusal};
use keysweep_core::policy::{IncompleteEvidence, Mode};
use keysweep_core::state::Actor;
use keysweep_core::ticket::{Action, Ticket, Warrant};

use crate::mk::*;

/// A world on the day of its first change, and the ticket of it.
fn mk_due(until: i64) -> (World, Ticket) {
    let mut world = World::new(mk_policy(Mode::Delete), vec![mk_key(0)]);
    world.run(0, until - 1);
    let ticket = world.sweep(day(until)).take_effects().0.remove(0);
    (world, ticket)
}

fn with_trail(world: &World, regions: Vec<(&str, RegionTrail)>) -> KeyFacts {
    KeyFacts { trail: Fact::Known(mk_trail(regions)), ..fresh(&world.keys[0]) }
}

fn used_in_trail(world: &World, at: Timestamp) -> KeyFacts {
    with_trail(world, vec![("us-east-1", RegionTrail::Read(vec![mk_activity(at)]))])
}

fn record(world: &mut World, at: Timestamp, refused: Result<Warrant, Refusal>) {
    for event in refused.unwrap_err().events {
        world.happen(at, 0, event);
    }
}

#[test]
fn a_use_seen_only_in_cloudtrail_clears_a_flagged_key() {
    let (mut world, ticket) = mk_due(7);
    let facts = used_in_trail(&world, day(6));
    let refused = world.recheck_with(day(7), ticket, &facts);
    record(&mut world, day(7), refused);
    assert_eq!(world.state_of(0), "active");
    // IAM goes on telling the old last use: the event is remembered.
    assert_eq!(world.run(8, 6 + 89), 0);
    assert_eq!(world.state_of(0), "active");
    world.run(6 + 90, 6 + 91);
    assert_eq!(world.state_of(0), "flagged");
    let flagged = world.record(0).unwrap();
    let State::Flagged(data) = &flagged.state else { panic!("{flagged:?}") };
    let ec2 = LastUse::At { at: day(6), service: Some("ec2".into()), region: Some("us-east-1".into()) };
    assert_eq!(data.last_use, ec2);
    // IAM never tells it, and that is no use after the deactivation.
    assert_eq!(world.run(6 + 92, 6 + 200), 2);
    assert_eq!(world.state_of(0), "deleted", "{:?}", world.names_of(0));
}

#[test]
fn events_of_the_use_that_iam_tells_are_no_news() {
    let (world, ticket) = mk_due(7);
    let facts = used_in_trail(&world, day(-100) + jiff::SignedDuration::from_mins(14));
    assert!(world.recheck_with(day(7), ticket, &facts).is_ok());
    let (world, ticket) = mk_due(7);
    let facts = used_in_trail(&world, day(-100) + jiff::SignedDuration::from_mins(16));
    assert!(world.recheck_with(day(7), ticket, &facts).is_err());
}

#[test]
fn a_use_before_the_deactivation_that_shows_late_holds_the_key_for_a_person() {
    let (mut world, ticket) = mk_due(21);
    assert_eq!(ticket.action(), Action::Delete);
    let facts = used_in_trail(&world, day(6));
    let refused = world.recheck_with(day(21), ticket, &facts);
    record(&mut world, day(21), refused);
    assert_eq!(world.state_of(0), "deactivated");
    let holds = &world.record(0).unwrap().holds;
    assert!(matches!(holds.as_slice(), [hold] if hold.kind == HoldKind::LastUseMoved), "{holds:?}");
    assert_eq!(world.run(22, 200), 0);
}

#[test]
fn a_use_that_iam_knows_already_is_no_news() {
    for at in [day(-100), day(-101)] {
        let (world, ticket) = mk_due(7);
        let facts = used_in_trail(&world, at);
        assert!(world.recheck_with(day(7), ticket, &facts).is_ok());
    }
}

#[test]
fn silence_of_cloudtrail_makes_nothing_due() {
    let mut world = World::new(mk_policy(Mode::Delete), vec![mk_key(0)]);
    world.keys[0].last_use = Fact::Known(used_at(day(-10)));
    world.keys[0].trail = Fact::Known(mk_trail(vec![("us-east-1", RegionTrail::Read(vec![]))]));
    assert_eq!(world.run(0, 30), 0);
    assert_eq!(world.state_of(0), "active");
}

#[test]
fn incomplete_evidence_waits_unless_the_policy_ignores_it() {
    let unread = || ("eu-west-1", RegionTrail::Unread("throttled".into()));
    let read = |activities| ("us-east-1", RegionTrail::Read(activities));
    let unclear = || ("sa-east-1", RegionTrail::Unclear("answer lacks EventTime".into()));
    let reason = |ignore: bool, regions| {
        let (mut world, ticket) = mk_due(7);
        if ignore {
            world.policy.base.incomplete_evidence = IncompleteEvidence::Ignore;
        }
        let facts = with_trail(&world, regions);
        world.recheck_with(day(7), ticket, &facts).map(drop).map_err(|refused| refused.wait.reason())
    };
    assert_eq!(reason(false, vec![read(vec![]), unread()]), Err(Reason::Evidence));
    assert_eq!(reason(true, vec![read(vec![]), unread()]), Ok(()));
    // What was seen counts, whatever could not be seen.
    let used = || read(vec![mk_activity(day(6))]);
    assert_eq!(reason(true, vec![used(), unread()]), Err(Reason::Recheck));
    assert_eq!(reason(false, vec![used(), unread()]), Err(Reason::Recheck));
    // Something was seen, and may be a use.
    assert_eq!(reason(true, vec![read(vec![]), unclear()]), Err(Reason::Evidence));
    // No Region at all is no look.
    assert_eq!(reason(true, vec![]), Err(Reason::Evidence));
}

#[test]
fn without_cloudtrail_in_the_policy_nobody_has_to_look() {
    let (mut world, ticket) = mk_due(7);
    world.policy.cloudtrail = false;
    let facts = KeyFacts { trail: Fact::NotRead, ..fresh(&world.keys[0]) };
    assert!(world.recheck_with(day(7), ticket, &facts).is_ok());
}

#[test]
fn an_order_needs_the_evidence_too_and_an_undo_does_not() {
    let (mut world, ticket) = mk_due(7);
    let ada = Actor::local("ada");
    let order = plan::ordered(world.record(0).unwrap(), Action::Deactivate, &ada, "left").unwrap();
    let facts = KeyFacts { trail: Fact::Unknown("denied".into()), ..fresh(&world.keys[0]) };
    let refused = world.recheck_with(day(7), order, &facts).unwrap_err();
    assert_eq!(refused.wait.reason(), Reason::Evidence);
    let warrant = world.recheck(day(7), ticket).unwrap();
    world.carry_out(day(7), &warrant);
    let undo = plan::undo(world.record(0).unwrap(), &ada, "needed").unwrap();
    let facts = KeyFacts { trail: Fact::NotRead, ..fresh(&world.keys[0]) };
    assert!(world.recheck_with(day(8), undo, &facts).is_ok());
}

#[test]
fn only_a_newer_event_is_recorded() {
    let (mut world, _) = mk_due(7);
    let seen = |at| KeyEvent::Record(Note::ActivitySeen { activity: mk_activity(at) });
    world.happen(day(7), 0, seen(day(6)));
    assert_eq!(world.record(0).unwrap().past.activity, Some(Box::new(mk_activity(day(6)))));
    let apply = |world: &World, event: &KeyEvent| {
        let when = keysweep_core::lifecycle::When { at: day(8), seq: 99, actor: &Actor::Keysweep };
        let record = world.record(0);
        keysweep_core::lifecycle::next(mk_account_id(0), &mk_key_id(0), record, when, event)
    };
    assert!(apply(&world, &seen(day(6))).is_err());
    assert!(apply(&world, &seen(day(5))).is_err());
    assert!(apply(&world, &seen(day(7))).is_ok());
}

#[test]
fn no_intent_of_a_deletion_without_a_bundle_of_its_own() {
    let (mut world, ticket) = mk_due(21);
    let deletion = world.recheck(day(21), ticket).unwrap();
    let intent = KeyEvent::Change(Change::Intent {
        action: Action::Delete,
        origin: deletion.origin().clone(),
        why: String::new(),
        deadline: day(22),
        quarantine: None,
    });
    let apply = |world: &World, event: &KeyEvent| {
        let when = keysweep_core::lifecycle::When { at: day(21), seq: 99, actor: &Actor::Keysweep };
        keysweep_core::lifecycle::next(mk_account_id(0), &mk_key_id(0), world.record(0), when, event)
    };
    assert!(apply(&world, &intent).is_err());
    let bundle =
        |purpose| KeyEvent::Record(Note::BundleWritten { bundle: "a".repeat(64).parse().unwrap(), purpose });
    // What somebody asked for to read permits nothing.
    world.happen(day(21), 0, bundle(Purpose::Request));
    assert!(apply(&world, &intent).is_err());
    world.happen(day(21), 0, bundle(Purpose::Deletion));
    assert!(apply(&world, &intent).is_ok());
    // An attempt uses it up, whatever comes of it.
    world.happen(day(21), 0, intent.clone());
    let (action, detail) = (Action::Delete, "AccessDenied".into());
    let refused = Change::Refused { action, kind: RefusedKind::Denied, detail };
    world.happen(day(21), 0, KeyEvent::Change(refused));
    assert_eq!(world.state_of(0), "deactivated");
    assert!(apply(&world, &intent).is_err());
}

#[test]
fn a_bundle_for_a_deletion_is_one_of_a_deactivated_key() {
    let (mut world, _) = mk_due(7);
    let when = keysweep_core::lifecycle::When { at: day(7), seq: 99, actor: &Actor::Keysweep };
    let written = |world: &World, event| {
        keysweep_core::lifecycle::next(mk_account_id(0), &mk_key_id(0), world.record(0), when, &event)
    };
    assert_eq!(world.state_of(0), "flagged");
    assert!(written(&world, mk_bundle(1)).is_err());
    world.run(7, 20);
    assert_eq!(world.state_of(0), "deactivated");
    assert!(written(&world, mk_bundle(1)).is_ok());
}

#[test]
fn each_newer_event_of_cloudtrail_is_news_and_an_older_one_is_not() {
    let (mut world, ticket) = mk_due(21);
    let refused = world.recheck_with(day(21), ticket, &used_in_trail(&world, day(5)));
    record(&mut world, day(21), refused);
    let names = |world: &World, at| {
        let order =
            plan::ordered(world.record(0).unwrap(), Action::Delete, &Actor::local("ada"), "left").unwrap();
        let refusal = world.recheck_with(day(22), order, &used_in_trail(world, at)).unwrap_err();
        refusal.events.iter().map(KeyEvent::name).collect::<Vec<_>>()
    };
    assert_eq!(names(&world, day(4)), Vec::<&str>::new());
    assert_eq!(names(&world, day(5)), Vec::<&str>::new());
    assert_eq!(names(&world, day(6)), ["activity_seen", "last_use_moved"]);
}

#[test]
fn a_bundle_that_somebody_asks_for_is_of_a_key_that_is_there() {
    let apply = |world: &World| {
        let when = keysweep_core::lifecycle::When { at: day(22), seq: 99, actor: &Actor::local("ada") };
        let (bundle, purpose) = (format!("{:064x}", 7).parse().unwrap(), Purpose::Request);
        let event = KeyEvent::Record(Note::BundleWritten { bundle, purpose });
        keysweep_core::lifecycle::next(mk_account_id(0), &mk_key_id(0), world.record(0), when, &event)
    };
    let (mut world, ticket) = mk_due(21);
    assert_eq!(apply(&world).unwrap().as_ref(), world.record(0), "it is none of the deletion");
    let warrant = world.recheck(day(21), ticket).unwrap();
    world.carry_out(day(21), &warrant);
    assert_eq!(world.state_of(0), "deleted");
    assert!(apply(&world).is_err());
}
