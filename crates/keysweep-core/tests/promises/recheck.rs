//! Right before a change: fresh facts, the same decision, or none.

use keysweep_core::evidence::RegionTrail;
use keysweep_core::facts::{Fact, KeyFacts, KeyStatus, LastUse, Source};
use keysweep_core::lifecycle::event::Note;
use keysweep_core::plan::{self, Reason, View};
use keysweep_core::policy::{Exemption, Match, Mode};
use keysweep_core::state::Actor;
use keysweep_core::ticket::{Action, Planned, Ticket};

use crate::mk::*;

/// Makes fresh facts something that a change must not rest on.
type Spoiler = fn(&mut KeyFacts);

/// A key whose deactivation is due on day 7, with its ticket.
fn mk_due() -> (World, Ticket) {
    let mut world = World::new(mk_policy(Mode::Delete), vec![mk_key(0)]);
    world.run(0, 6);
    let mut plan = world.sweep(day(7));
    assert_eq!(plan.changes().count(), 1);
    (world, plan.take_effects().0.remove(0))
}

/// A key whose deletion is due on day 21, with its ticket.
fn mk_due_for_deletion() -> (World, Ticket) {
    let mut world = World::new(mk_policy(Mode::Delete), vec![mk_key(0)]);
    world.run(0, 20);
    let mut plan = world.sweep(day(21));
    assert_eq!(plan.changes().count(), 1);
    (world, plan.take_effects().0.remove(0))
}

fn refusal(mk: fn() -> (World, Ticket), at: i64, what: &str, spoil: Spoiler) -> Reason {
    let (world, ticket) = mk();
    let mut facts = fresh(&world.keys[0]);
    spoil(&mut facts);
    world.recheck_with(day(at), ticket, &facts).expect_err(what).wait.reason()
}

#[test]
fn fresh_facts_that_say_the_same_give_a_warrant_for_that_key_and_action() {
    for (mk, at) in [(mk_due as fn() -> (World, Ticket), 7), (mk_due_for_deletion, 21)] {
        let (world, ticket) = mk();
        let (identity, action) = (ticket.identity().clone(), ticket.action());
        let warrant = world.recheck(day(at), ticket).unwrap();
        assert_eq!((warrant.identity(), warrant.action()), (&identity, action));
        assert_eq!(*warrant.user_name(), world.keys[0].user_name);
    }
}

#[test]
fn anything_but_fresh_known_and_unchanged_facts_is_refused() {
    let spoilers: [(&str, Spoiler); 24] = [
        ("last use from the report", |facts| facts.source = Source::Report),
        ("unknown last use", |facts| facts.last_use = Fact::Unknown("denied".into())),
        ("unknown user ID", |facts| facts.user_id = Fact::Unknown("denied".into())),
        ("a use", |facts| facts.last_use = Fact::Known(used_at(day(6)))),
        ("a use long ago that was not known", |facts| facts.last_use = Fact::Known(used_at(day(-99)))),
        ("another user", |facts| {
            facts.user_id = Fact::Known("AIDAEXAMPLE999999999".parse().unwrap());
        }),
        ("another account", |facts| facts.account = mk_account_id(1)),
        ("another key", |facts| facts.key = mk_key_id(1)),
        ("another creation date", |facts| facts.created = day(-999)),
        ("a status unheard of", |facts| facts.status = KeyStatus::Other("Expired".into())),
        ("the other status", |facts| {
            facts.status = match facts.status {
                KeyStatus::Active => KeyStatus::Inactive,
                KeyStatus::Inactive | KeyStatus::Other(_) => KeyStatus::Active,
            };
        }),
        ("CloudTrail not read", |facts| facts.trail = Fact::NotRead),
        ("Regions that are not known", |facts| facts.trail = Fact::Unknown("denied".into())),
        ("a Region that was not read", |facts| {
            let regions = vec![
                ("eu-west-1", RegionTrail::Unread("throttled".into())),
                ("us-east-1", RegionTrail::Read(vec![])),
            ];
            facts.trail = Fact::Known(mk_trail(regions));
        }),
        ("an event that is not understood", |facts| {
            let unclear = RegionTrail::Unclear("answer lacks EventTime".into());
            facts.trail = Fact::Known(mk_trail(vec![("us-east-1", unclear)]));
        }),
        ("a use in CloudTrail", |facts| {
            let read = RegionTrail::Read(vec![mk_activity(day(6))]);
            facts.trail = Fact::Known(mk_trail(vec![("us-east-1", read)]));
        }),
        ("policies not read", |facts| facts.policies = Fact::NotRead),
        ("unknown policies", |facts| facts.policies = Fact::Unknown("denied".into())),
        ("a quarantine policy", |facts| {
            facts.policies = Fact::Known(mk_compromise());
        }),
        ("a mail user", |facts| facts.user_name = "ses-smtp-user.1".parse().unwrap()),
        ("a third key", |facts| facts.other_keys = mk_others(2)),
        ("a renamed user", |facts| facts.user_name = "renamed".parse().unwrap()),
        ("never used after all", |facts| {
            facts.last_use = Fact::Known(LastUse::Never);
            facts.created = day(-10);
        }),
        ("mail", |facts| {
            facts.last_use =
                Fact::Known(LastUse::At { at: day(-100), service: Some("ses".into()), region: None });
        }),
    ];
    for (what, spoil) in spoilers {
        for (mk, at) in [(mk_due as fn() -> (World, Ticket), 7), (mk_due_for_deletion, 21)] {
            let reason = refusal(mk, at, what, spoil);
            assert!(reason.suppresses(), "{what}: {reason:?}");
        }
    }
}

#[test]
fn a_deletion_is_refused_when_the_last_use_moved_since_the_deactivation() {
    let spoil: Spoiler = |facts| facts.last_use = Fact::Known(used_at(day(-99)));
    assert_eq!(refusal(mk_due_for_deletion, 21, "moved", spoil), Reason::Recheck);
}

#[test]
fn a_view_of_another_account_is_refused() {
    let (world, ticket) = mk_due();
    let account = mk_account(3);
    let facts = fresh(&world.keys[0]);
    let sighting = mk_sighting(day(7));
    let view = keysweep_core::plan::View { account: &account, facts: &facts, sighting: &sighting };
    assert!(keysweep_core::plan::recheck(&world.context(day(7)), &ticket, &view).is_err());
}

#[test]
fn tags_that_cannot_be_read_are_refused_where_an_exemption_reads_them() {
    let (mut world, ticket) = mk_due();
    let matches = Match { user_tags: [("keep".into(), "*".into())].into(), ..Match::default() };
    let until = "2030-01-01".parse().unwrap();
    world.policy.exemptions.push(Exemption { matches, reason: "ours".into(), until });
    let mut facts = fresh(&world.keys[0]);
    facts.tags = Fact::Unknown("ListUserTags: denied".into());
    let refusal = world.recheck_with(day(7), ticket, &facts).unwrap_err();
    assert_eq!((refusal.wait.reason(), refusal.events.len()), (Reason::Unknown, 0));
}

#[test]
fn a_warrant_carries_the_tags_under_which_iam_itself_must_refuse() {
    let (mut world, ticket) = mk_due();
    let matches = Match { user_tags: [("keep".into(), "yes*".into())].into(), ..Match::default() };
    let until = "2030-01-01".parse().unwrap();
    world.policy.exemptions.push(Exemption { matches, reason: "ours".into(), until });
    let warrant = world.recheck(day(7), ticket).unwrap();
    let tags: Vec<_> = warrant.exempt_tags().iter().map(|t| (t.key.as_str(), t.value.as_str())).collect();
    assert_eq!(tags, [("keep", "yes*")]);
}

#[test]
fn a_ticket_of_a_record_that_changed_is_refused() {
    let (mut world, ticket) = mk_due();
    let forgotten =
        keysweep_core::lifecycle::KeyEvent::Record(Note::Forgotten { unsettled: None, reason: "".into() });
    world.happen(day(7), 0, forgotten);
    assert_eq!(world.recheck(day(7), ticket).unwrap_err().wait.reason(), Reason::Recheck);
}

#[test]
fn a_window_that_closed_meanwhile_is_refused() {
    let (mut world, ticket) = mk_due();
    world.policy.base.hours = Some("09:00-16:00".parse().unwrap());
    assert_eq!(world.recheck(day(7), ticket).unwrap_err().wait.reason(), Reason::Window);
}

#[test]
fn an_agreement_is_one_to_this_change_of_this_key() {
    let mut world = World::new(mk_policy(Mode::Delete), vec![mk_key(0), mk_key(1)]);
    world.run(0, 6);
    let mut tickets = world.sweep(day(7)).take_effects().0;
    let (first, second) = (tickets.remove(0), tickets.remove(0));
    let agree = |ticket: &Ticket| {
        let facts = fresh(world.facts_of(&ticket.identity().key));
        let view = View { account: &mk_account(0), facts: &facts, sighting: &mk_sighting(day(7)) };
        plan::recheck(&world.context(day(7)), ticket, &view)
    };
    assert!(second.agreed(agree(&first).unwrap()).is_err(), "the same change of another key");
    assert!(!first.why().is_empty());
    let why = first.why().to_owned();
    let agreement = agree(&first).unwrap();
    assert_eq!(first.agreed(agreement).unwrap().why(), why);
    // A key that is due for one change cannot be ordered to another.
    assert!(plan::ordered(world.record(0).unwrap(), Action::Delete, &Actor::local("ada"), "left").is_err());
}

#[test]
fn changes_have_the_names_of_metrics_and_messages() {
    let names = [Action::Deactivate, Action::Reactivate, Action::Delete].map(Action::as_str);
    assert_eq!(names, ["deactivate", "reactivate", "delete"]);
    assert_eq!([Planned::Deactivate, Planned::Delete].map(Planned::as_str), ["deactivate", "delete"]);
}
