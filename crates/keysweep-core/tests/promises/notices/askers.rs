//! Who is asked for an approval, and who learns the outcome.

use keysweep_core::facts::Fact;
use keysweep_core::notice::NoticeKind;
use keysweep_core::policy::{ApprovalBy, ApprovalFor, Mode};

use super::{DANA, TEAM, mk_world, said};
use crate::mk::*;

/// A world in which owners may approve deactivations. Dana has been told of them, and the requests are to be sent.
fn mk_asked(keys: usize) -> World {
    let mut world = mk_world(Mode::Deactivate, keys);
    world.policy.base.approval = ApprovalFor::Deactivate;
    world.policy.base.approval_by.insert(ApprovalBy::Owner);
    world.sweep(day(0));
    world.deliver(day(0));
    world.sweep(hours(6));
    world
}

#[test]
fn an_owner_who_may_approve_is_asked_and_learns_the_outcome() {
    let mut world = mk_asked(2);
    let asked = |to, key| said(to, NoticeKind::ApprovalRequest, key);
    assert_eq!(world.deliver(hours(6)), [asked(DANA, 0), asked(DANA, 1), asked(TEAM, 0), asked(TEAM, 1)]);
    world.approve(day(1), 0);
    let outcome = |to, key| said(to, NoticeKind::Outcome, key);
    assert_eq!(world.deliver(day(1)), [outcome(DANA, 0), outcome(TEAM, 0)]);
    world.keys[1].last_use = Fact::Known(used_at(hours(30)));
    world.sweep(day(2));
    assert_eq!(world.deliver(day(2)), [outcome(DANA, 1), outcome(TEAM, 1)]);
}

#[test]
fn an_owner_learns_that_nobody_answered() {
    let mut world = mk_asked(1);
    world.deliver(hours(6));
    let mut heard = Vec::new();
    for at in 1..60 {
        world.sweep(day(at));
        heard.extend(world.deliver(day(at)));
    }
    for to in [DANA, TEAM] {
        let outcomes = heard.iter().filter(|it| **it == said(to, NoticeKind::Outcome, 0));
        assert!(outcomes.count() > 0, "{to}: {heard:?}");
    }
}

#[test]
fn an_owner_who_may_not_approve_is_not_asked() {
    let protected: [fn(&mut World); 3] = [
        |world| world.policy.base.approval_by = [ApprovalBy::Approver].into(),
        // Some keys only an approver lets go, whatever the policy says.
        |world| world.keys[0].other_keys = mk_others(2),
        |world| world.policy.owners.default = None,
    ];
    for protect in protected {
        let mut world = mk_world(Mode::Deactivate, 1);
        world.policy.notices.required = false;
        world.policy.base.approval = ApprovalFor::Deactivate;
        world.policy.base.approval_by.insert(ApprovalBy::Owner);
        protect(&mut world);
        world.sweep(day(0));
        let mut heard = world.deliver(day(0));
        world.sweep(hours(6));
        heard.extend(world.deliver(hours(6)));
        let asked: Vec<_> =
            heard.iter().filter(|(_, kind, _)| *kind == NoticeKind::ApprovalRequest).collect();
        assert_eq!(asked, [&said(TEAM, NoticeKind::ApprovalRequest, 0)]);
    }
}

#[test]
fn an_owner_is_not_asked_about_a_key_that_may_be_a_honeytoken() {
    let mut world = mk_world(Mode::Deactivate, 1);
    world.policy.base.approval_by.insert(ApprovalBy::Owner);
    world.policy.notices.protect = vec!["decoys@example.com".parse().unwrap()];
    world.keys[0].user_name = "svc-Canary-1".parse().unwrap();
    for at in 0..20 {
        world.sweep(day(at));
        let heard = world.deliver(day(at));
        assert!(heard.iter().all(|(to, ..)| to == "decoys@example.com"), "{heard:?}");
    }
}
