//! Approval: one action on one key, on the facts that were shown.

use keysweep_core::facts::{Fact, KeyFacts, LastUse, Tags};
use keysweep_core::lifecycle::event::Consent;
use keysweep_core::lifecycle::{KeyEvent, State, When, next};
use keysweep_core::plan::{Next, Reason};
use keysweep_core::policy::{ApprovalBy, ApprovalFor, Mode};
use keysweep_core::state::Actor;
use keysweep_core::ticket::Planned;

use crate::mk::*;

fn mk_world(approval: ApprovalFor) -> World {
    let mut world = World::new(mk_policy(Mode::Delete), vec![mk_key(0)]);
    world.policy.base.approval = approval;
    world
}

fn approved(world: &World, action: Planned) -> KeyEvent {
    let request = world.asked(0).map(|approval| approval.number).unwrap();
    KeyEvent::Consent(Consent::Approved { action, request, reason: "looked".into(), as_owner: false })
}

fn count(world: &World, name: &str) -> usize {
    world.names_of(0).into_iter().filter(|n| *n == name).count()
}

#[test]
fn without_approval_nothing_is_done_where_it_is_wanted() {
    let mut world = mk_world(ApprovalFor::Deactivate);
    assert_eq!(world.run(0, 13), 0);
    let plan = world.sweep(hours(13 * 24 + 7));
    assert!(matches!(&plan.keys[0].next, Next::Wait { wait, .. } if wait.reason() == Reason::Approval));
}

#[test]
fn an_approved_key_goes_on_when_its_notice_period_is_over() {
    let mut world = mk_world(ApprovalFor::Deactivate);
    world.sweep(day(0));
    world.approve(day(1), 0);
    assert_eq!(world.run(1, 6), 0);
    assert_eq!(world.run(7, 7), 1);
}

#[test]
fn an_approval_to_deactivate_does_not_cover_the_deletion() {
    let mut world = mk_world(ApprovalFor::Both);
    world.sweep(day(0));
    world.approve(day(1), 0);
    world.run(1, 10);
    assert_eq!(world.state_of(0), "deactivated");
    assert_eq!(world.run(11, 24), 0);
    world.approve(day(24), 0);
    assert_eq!(world.run(25, 25), 1);
    assert_eq!(world.state_of(0), "deleted");
}

#[test]
fn a_denied_key_is_held_and_then_asked_about_anew() {
    let mut world = mk_world(ApprovalFor::Deactivate);
    world.sweep(day(0));
    let request = world.asked(0).unwrap().number;
    let denied = KeyEvent::Consent(Consent::Denied {
        action: Planned::Deactivate,
        request,
        reason: "backup job".into(),
        hold_until: day(91),
    });
    world.happen(day(1), 0, denied);
    assert_eq!(world.state_of(0), "flagged");
    assert_eq!(world.run(1, 90), 0);
    assert_eq!(count(&world, "approval_asked"), 1);
    world.sweep(day(91));
    assert_eq!((count(&world, "approval_asked"), count(&world, "noticed")), (2, 2));
}

#[test]
fn a_request_nobody_answers_is_repeated_as_often_as_the_policy_says_and_then_held_for_good() {
    let mut world = mk_world(ApprovalFor::Deactivate);
    assert_eq!(world.run(0, 200), 0);
    assert_eq!(count(&world, "approval_asked"), 3);
    assert_eq!(count(&world, "approval_unanswered"), 1);
    assert_eq!(world.record(0).unwrap().held().unwrap().until, None);
}

#[test]
fn an_expired_request_cannot_be_approved_any_more() {
    let mut world = mk_world(ApprovalFor::Deactivate);
    world.sweep(day(0));
    let try_at = |at| {
        let when = When { at, seq: 9, actor: &Actor::Keysweep };
        next(mk_account_id(0), &mk_key_id(0), world.record(0), when, &approved(&world, Planned::Deactivate))
    };
    assert!(try_at(hours(14 * 24 - 1)).is_ok());
    assert!(try_at(day(14)).is_err());
}

#[test]
fn the_first_decision_wins() {
    let mut world = mk_world(ApprovalFor::Deactivate);
    world.sweep(day(0));
    world.approve(day(1), 0);
    let when = When { at: day(1), seq: 9, actor: &Actor::Keysweep };
    let again =
        next(mk_account_id(0), &mk_key_id(0), world.record(0), when, &approved(&world, Planned::Deactivate));
    assert!(again.is_err());
}

/// An approval of what is asked, by this person.
fn approve_as(world: &World, actor: &Actor, at: i64) -> Result<(), keysweep_core::lifecycle::Illegal> {
    let when = When { at: day(at), seq: 9, actor };
    let event = approved(world, Planned::Deactivate);
    next(mk_account_id(0), &mk_key_id(0), world.record(0), when, &event).map(drop)
}

fn approve_by(world: &mut World, actor: Actor, at: i64) {
    let event = approved(world, Planned::Deactivate);
    let (account, key) = (mk_account_id(0), mk_key_id(0));
    world.write_as(actor, day(at), keysweep_core::state::Body::Key { account, key, event });
}

fn waits(world: &World, at: i64) -> String {
    let plan = keysweep_core::plan::plan(day(at), &world.policy, &world.state, &world.collection(day(at)));
    match &plan.keys[0].next {
        Next::Wait { wait, .. } => wait.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn as_many_different_people_approve_as_the_policy_asks() {
    let mut world = mk_world(ApprovalFor::Deactivate);
    world.policy.base.approvals_needed = 2;
    world.sweep(day(0));
    assert!(waits(&world, 0).starts_with("waits for approval by 2 people (0 so far) until "));
    approve_by(&mut world, Actor::local("ada"), 1);
    assert_eq!(world.run(1, 8), 0, "one is not enough");
    assert!(waits(&world, 8).starts_with("waits for approval by 2 people (1 so far) until "));
    approve_by(&mut world, Actor::local("bob"), 9);
    assert_eq!(world.run(9, 9), 1);
}

#[test]
fn nobody_approves_twice_by_whatever_way_it_comes() {
    let mut world = mk_world(ApprovalFor::Deactivate);
    world.policy.base.approvals_needed = 2;
    world.sweep(day(0));
    let sudo = |login: Option<&str>| Actor::Local { user: "root".into(), login: login.map(str::to_owned) };
    approve_by(&mut world, sudo(Some("ada")), 1);
    for same in [
        sudo(Some("ada")),
        Actor::local("Ada"),
        Actor::token("ada"),
        Actor::Slack { id: "U1".into(), name: "ADA".into() },
    ] {
        assert!(approve_as(&world, &same, 1).is_err(), "{same:?}");
    }
    // Another login behind the same user is another person; a login that is not known may be anybody's.
    assert!(approve_as(&world, &sudo(Some("bob")), 1).is_ok());
    approve_by(&mut world, sudo(Some("bob")), 1);
    assert!(approve_as(&world, &sudo(Some("cy")), 1).is_err(), "it is granted");
}

#[test]
fn one_identity_counts_once_under_two_names() {
    let oidc = |subject: &str, name: &str| Actor::Oidc { subject: subject.into(), name: name.into() };
    assert!(oidc("1", "ada").may_be(&oidc("1", "Ada Lovelace")));
    assert!(oidc("1", "ada").may_be(&oidc("2", "ada")));
    assert!(!oidc("1", "ada").may_be(&oidc("2", "bob")));
    assert!(!oidc("1", "ada").may_be(&Actor::Slack { id: "1".into(), name: "bob".into() }));
}

#[test]
fn one_denial_closes_a_request_that_others_have_approved() {
    let mut world = mk_world(ApprovalFor::Deactivate);
    world.policy.base.approvals_needed = 2;
    world.sweep(day(0));
    approve_by(&mut world, Actor::local("ada"), 1);
    let request = world.asked(0).unwrap().number;
    let (action, reason) = (Planned::Deactivate, "backup job".to_owned());
    world.happen(day(1), 0, Consent::Denied { action, request, reason, hold_until: day(91) }.into());
    assert_eq!(world.asked(0), None);
    assert_eq!(world.run(1, 90), 0);
}

#[test]
fn more_approvals_are_asked_anew_and_fewer_change_nothing_for_what_is_asked() {
    let mut world = mk_world(ApprovalFor::Deactivate);
    world.sweep(day(0));
    world.approve(day(1), 0);
    world.policy.base.approvals_needed = 2;
    assert_eq!(world.run(1, 8), 0, "it was approved by one, and two have to");
    assert_eq!(count(&world, "approval_voided"), 1);
    approve_by(&mut world, Actor::local("ada"), 9);
    world.policy.base.approvals_needed = 1;
    assert_eq!(world.run(9, 12), 0, "whoever approved first knew that another would look");
    approve_by(&mut world, Actor::local("bob"), 13);
    assert_eq!(world.run(13, 13), 1);
}

#[test]
fn an_approval_is_void_when_the_last_use_differs_from_what_was_shown() {
    let mut world = mk_world(ApprovalFor::Deactivate);
    world.sweep(day(0));
    world.approve(day(1), 0);
    // AWS corrects the last use to an earlier one: not a use, but not what was shown either.
    world.keys[0].last_use = Fact::Known(used_at(day(-120)));
    assert_eq!(world.run(2, 12), 0);
    assert_eq!((count(&world, "approval_voided"), count(&world, "approval_asked")), (1, 2));
}

#[test]
fn an_approval_that_is_not_wanted_any_more_is_void() {
    let mut world = mk_world(ApprovalFor::Deactivate);
    world.sweep(day(0));
    world.policy.base.approval = ApprovalFor::None;
    world.sweep(day(1));
    assert_eq!(count(&world, "approval_voided"), 1);
    assert_eq!(world.run(2, 7), 1);
}

#[test]
fn mail_users_and_users_with_many_keys_need_approval_whatever_the_policy_says() {
    let protected: [fn(&mut World); 4] = [
        |world| world.keys[0].user_name = "SES-smtp-user.20240101".parse().unwrap(),
        |world| world.keys[0].other_keys = mk_others(2),
        |world| world.keys[0].last_use = mk_used_with("ses"),
        |world| world.keys[0].last_use = mk_used_with("ses-smtp"),
    ];
    for protect in protected {
        let mut world = mk_world(ApprovalFor::None);
        protect(&mut world);
        assert_eq!(world.run(0, 13), 0, "{:?}", world.keys[0]);
        world.approve(day(13), 0);
        assert_eq!(world.run(13, 13), 1);
        assert_eq!(world.run(14, 40), 0, "its deletion needs another one");
    }
}

fn mk_used_with(service: &str) -> Fact<LastUse> {
    Fact::Known(LastUse::At { at: day(-100), service: Some(service.into()), region: None })
}

#[test]
fn a_user_with_two_keys_needs_no_approval() {
    let mut world = mk_world(ApprovalFor::None);
    world.keys[0].other_keys = mk_others(1);
    assert_eq!(world.run(0, 7), 1);
    let Some(State::Deactivated(_)) = world.record(0).map(|r| &r.state) else { panic!() };
}

const HONEYTOKEN: &str = "its user matches protect.honeytokens: the key may be a honeytoken";

#[test]
fn a_key_that_may_be_a_honeytoken_needs_approval_whatever_the_policy_says() {
    let tags = |key: &str, value: &str| Fact::Known([(key.to_owned(), value.to_owned())].into());
    let decoys: [fn(&mut KeyFacts); 3] = [
        |facts| facts.user_name = "svc-Canary-1".parse().unwrap(),
        |facts| facts.path = Fact::Known("/honey/".into()),
        |facts| facts.path = Fact::Known("/ops/Canary/".into()),
    ];
    let mut worlds: Vec<World> = Vec::new();
    for decoy in decoys {
        let mut world = mk_world(ApprovalFor::None);
        decoy(&mut world.keys[0]);
        worlds.push(world);
    }
    for tags in [tags("honeytoken", "yes"), tags("kind", "a canary")] {
        let mut world = mk_world(ApprovalFor::None);
        world.keys[0].tags = tags;
        worlds.push(world);
    }
    for mut world in worlds {
        assert_eq!(world.run(0, 13), 0, "{:?}", world.keys[0]);
        assert_eq!(world.asked(0).unwrap().why, HONEYTOKEN);
        world.approve(day(13), 0);
        assert_eq!(world.run(13, 13), 1);
    }
    let mut world = mk_world(ApprovalFor::None);
    world.policy.honeytokens.clear();
    world.keys[0].user_name = "svc-canary-1".parse().unwrap();
    assert_eq!(world.run(0, 7), 1, "nothing is a honeytoken by itself");
}

#[test]
fn what_one_look_shows_of_a_honeytoken_counts_until_another_look_shows_the_contrary() {
    let decoy = || Fact::Known([("honeytoken".to_owned(), "yes".to_owned())].into());
    // Scans read neither path nor tags; the look right before the change does.
    let mut world = mk_world(ApprovalFor::None);
    (world.keys[0].path, world.keys[0].tags) = (Fact::NotRead, Fact::NotRead);
    world.run(0, 6);
    let ticket = world.sweep(day(7)).take_effects().0.remove(0);
    let path = Fact::Known("/".to_owned());
    let facts = KeyFacts { path: path.clone(), tags: decoy(), ..fresh(&world.keys[0]) };
    let refusal = world.recheck_with(day(7), ticket, &facts).unwrap_err();
    world.write(day(7), refusal.announcement.unwrap().told());
    assert_eq!(world.asked(0).unwrap().why, HONEYTOKEN);

    for (path, tags, stays) in [
        (Fact::NotRead, Fact::NotRead, true),
        (path.clone(), Fact::NotRead, true),
        (Fact::NotRead, Fact::Known(Tags::default()), true),
        (path.clone(), decoy(), true),
        (path, Fact::Known(Tags::default()), false),
    ] {
        let mut world = world.clone();
        (world.keys[0].path, world.keys[0].tags) = (path, tags);
        assert_eq!(world.sweep(day(8)).changes().count(), usize::from(!stays), "{:?}", world.keys[0]);
        assert_eq!(count(&world, "approval_voided"), usize::from(!stays));
        assert_eq!(count(&world, "approval_asked"), 1);
    }
    // The same for the deletion.
    world.approve(day(8), 0);
    assert_eq!(world.run(8, 8), 1);
    world.keys[0].tags = decoy();
    world.run(9, 9);
    assert_eq!(world.asked(0).unwrap().why, HONEYTOKEN);
    world.keys[0].tags = Fact::NotRead;
    world.run(10, 30);
    assert_eq!(
        (count(&world, "approval_voided"), count(&world, "approval_asked")),
        (0, 3),
        "asked again once"
    );
}

#[test]
fn who_approved_was_told_that_the_key_may_be_a_honeytoken() {
    let mut world = mk_world(ApprovalFor::Deactivate);
    world.keys[0].tags = Fact::NotRead;
    world.sweep(day(0));
    world.approve(day(1), 0);
    world.keys[0].tags = Fact::Known([("honeytoken".to_owned(), "yes".to_owned())].into());
    assert_eq!(world.run(2, 8), 0, "the approval was given to something else");
    assert_eq!(count(&world, "approval_asked"), 2);
    let approval = world.asked(0).unwrap();
    assert_eq!((approval.why.as_str(), approval.repeats, approval.is_granted()), (HONEYTOKEN, 0, false));
    world.approve(day(8), 0);
    assert_eq!(world.run(9, 9), 1);
}

#[test]
fn a_request_is_asked_again_at_the_moment_from_which_on_it_cannot_be_answered() {
    let mut world = mk_world(ApprovalFor::Deactivate);
    world.sweep(day(0));
    world.sweep(hours(14 * 24 - 1));
    assert_eq!(count(&world, "approval_asked"), 1);
    world.sweep(day(14));
    assert_eq!(count(&world, "approval_asked"), 2);
    assert_eq!(world.asked(0).map(|approval| (approval.repeats, approval.expires)), Some((1, day(28))));
}

fn owner_world(approval: ApprovalFor) -> World {
    let mut world = mk_world(approval);
    world.policy.base.approval_by.insert(ApprovalBy::Owner);
    world
}

fn approve_as_owner(
    world: &World,
    actor: &Actor,
    at: i64,
) -> Result<Option<keysweep_core::lifecycle::Record>, keysweep_core::lifecycle::Illegal> {
    let asked = world.asked(0).unwrap();
    let (action, request) = (asked.action, asked.number);
    let event =
        KeyEvent::Consent(Consent::Approved { action, request, reason: "mine".into(), as_owner: true });
    let when = When { seq: 1_000, at: day(at), actor };
    next(mk_account_id(0), &mk_key_id(0), world.record(0), when, &event)
}

#[test]
fn an_owner_approves_only_where_the_policy_lets_owners_approve() {
    let dana = Actor::Oidc { subject: "00u1".into(), name: "dana".into() };
    let mut world = mk_world(ApprovalFor::Deactivate);
    world.sweep(day(0));
    assert!(approve_as_owner(&world, &dana, 1).is_err(), "the policy names approvers only");
    let mut world = owner_world(ApprovalFor::Deactivate);
    world.sweep(day(0));
    let after = approve_as_owner(&world, &dana, 1).unwrap().unwrap();
    assert!(after.approval().unwrap().is_granted());
}

#[test]
fn an_owner_never_approves_a_change_of_a_protected_key() {
    let dana = Actor::Oidc { subject: "00u1".into(), name: "dana".into() };
    type Protect = fn(&mut World);
    let protected: [Protect; 4] = [
        |world| world.keys[0].user_name = "aws-canary-1".parse().unwrap(),
        |world| world.keys[0].user_name = "ses-smtp-user.20240101".parse().unwrap(),
        |world| world.keys[0].last_use = mk_used_with("ses"),
        |world| world.keys[0].other_keys = mk_others(2),
    ];
    for (n, protect) in protected.into_iter().enumerate() {
        let mut world = owner_world(ApprovalFor::Both);
        protect(&mut world);
        world.sweep(day(0));
        assert!(world.asked(0).is_some(), "{n}");
        assert!(approve_as_owner(&world, &dana, 1).is_err(), "{n}");
    }
}

#[test]
fn an_approval_by_an_owner_is_void_once_owners_may_not_approve() {
    let mut world = owner_world(ApprovalFor::Deactivate);
    world.sweep(day(0));
    let asked = world.asked(0).unwrap();
    let (action, request) = (asked.action, asked.number);
    let event =
        KeyEvent::Consent(Consent::Approved { action, request, reason: "mine".into(), as_owner: true });
    let dana = Actor::Oidc { subject: "00u1".into(), name: "dana".into() };
    let (account, key) = (mk_account_id(0), mk_key_id(0));
    world.write_as(dana, day(1), keysweep_core::state::Body::Key { account, key, event });
    world.policy.base.approval_by.remove(&ApprovalBy::Owner);
    assert_eq!(world.run(1, 13), 0, "nothing is done on an approval that would not be accepted now");
    assert_eq!(count(&world, "approval_voided"), 1);
}

#[test]
fn a_claim_restrains_nobody_and_counts_for_nothing() {
    let mut world = mk_world(ApprovalFor::Deactivate);
    world.sweep(day(0));
    let asked = world.asked(0).unwrap();
    let (action, request) = (asked.action, asked.number);
    let until = day(2);
    let event = KeyEvent::Consent(Consent::Claimed { action, request, until });
    let (account, key) = (mk_account_id(0), mk_key_id(0));
    world.write_as(Actor::local("ann"), day(1), keysweep_core::state::Body::Key { account, key, event });
    let approval = world.asked(0).unwrap();
    assert_eq!(approval.claimed(day(1)).map(|claim| claim.by.clone()), Some(Actor::local("ann")));
    assert_eq!(approval.claimed(day(2)), None, "it ends");
    assert!(!approval.is_granted());
    assert!(approve_as(&world, &Actor::local("bob"), 1).is_ok(), "anyone else can still decide");
    assert_eq!(world.run(1, 13), 0, "a claim is no approval");
}
