//! What was announced and approved holds for what would happen then, and for nothing sooner.

use keysweep_core::facts::{Fact, KeyStatus, LastUse, Outcome};
use keysweep_core::lifecycle::event::{Consent, Note, Overlay};
use keysweep_core::lifecycle::{KeyEvent, State};
use keysweep_core::plan::{self, Next, Reason};
use keysweep_core::policy::{
    ApprovalBy, ApprovalFor, DayOfWeek, IncompleteEvidence, Match, Mode, Override, Terms, TermsPatch,
};
use keysweep_core::state::Body;
use keysweep_core::ticket::Planned;

use crate::mk::*;

fn mk_world(mode: Mode) -> World {
    World::new(mk_policy(mode), vec![mk_key(0)])
}

fn count(world: &World, name: &str) -> usize {
    world.names_of(0).into_iter().filter(|n| *n == name).count()
}

/// A change of one term, in words, and whether it would act sooner on a key that is idle for 100 days: flagged, and
/// deactivated.
type Case = (&'static str, fn(&mut Terms), bool, bool);

/// Every term of [`Terms`]: the pattern does not compile until a new one has its place here.
fn cases() -> Vec<Case> {
    let Terms {
        mode: _,
        unused_after: _,
        never_used_after: _,
        max_age: _,
        notice: _,
        quarantine: _,
        grace: _,
        approval: _,
        approvals_needed: _,
        approval_by: _,
        approval_expires: _,
        approval_repeats: _,
        hold_after_reactivation: _,
        hold_after_denial: _,
        adopt_inactive: _,
        incomplete_evidence: _,
        days: _,
        hours: _,
        time_zone: _,
    } = Terms::default();
    vec![
        ("mode", |terms| terms.mode = Mode::Delete, true, true),
        ("unused_after", |terms| terms.unused_after = days(45), true, true),
        ("never_used_after", |terms| terms.never_used_after = days(45), false, false),
        ("max_age", |terms| terms.max_age = Some(days(1)), false, false),
        ("notice", |terms| terms.notice = days(3), true, true),
        ("grace", |terms| terms.grace = days(5), true, true),
        ("quarantine", |terms| terms.quarantine = Some(days(3)), false, false),
        ("longer notice", |terms| terms.notice = days(9), false, false),
        ("longer grace", |terms| terms.grace = days(20), false, false),
        ("approval", |terms| terms.approval = ApprovalFor::Both, false, false),
        ("approvals_needed", |terms| terms.approvals_needed = 3, false, false),
        (
            "approval_by",
            |terms| {
                terms.approval_by.insert(ApprovalBy::Owner);
            },
            false,
            false,
        ),
        ("approval_expires", |terms| terms.approval_expires = days(1), false, false),
        ("approval_repeats", |terms| terms.approval_repeats = 9, false, false),
        ("hold_after_reactivation", |terms| terms.hold_after_reactivation = days(1), false, false),
        ("hold_after_denial", |terms| terms.hold_after_denial = days(1), false, false),
        ("adopt_inactive", |terms| terms.adopt_inactive = true, false, false),
        ("incomplete_evidence", |terms| terms.incomplete_evidence = IncompleteEvidence::Ignore, false, false),
        ("days", |terms| terms.days = [DayOfWeek::from(jiff::civil::Weekday::Monday)].into(), false, false),
        ("hours", |terms| terms.hours = Some("01:00-23:00".parse().unwrap()), false, false),
        ("time_zone", |terms| terms.time_zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(3)), false, false),
    ]
}

#[test]
fn every_term_that_would_act_sooner_voids_the_notice() {
    for (term, change, flagged, _) in cases() {
        let mut world = mk_world(if term == "mode" { Mode::Deactivate } else { Mode::Delete });
        world.run(0, 1);
        change(&mut world.policy.base);
        world.sweep(day(2));
        assert_eq!(count(&world, "notice_voided"), usize::from(flagged), "{term}: {:?}", world.names_of(0));
        assert_eq!(count(&world, "noticed"), 1 + usize::from(flagged), "{term}");
    }
}

#[test]
fn every_term_that_would_delete_sooner_voids_the_notice() {
    for (term, change, _, deactivated) in cases() {
        let mut world = mk_world(if term == "mode" { Mode::Deactivate } else { Mode::Delete });
        assert_eq!(world.run(0, 7), 1);
        change(&mut world.policy.base);
        world.sweep(day(8));
        assert_eq!(
            count(&world, "notice_voided"),
            usize::from(deactivated),
            "{term}: {:?}",
            world.names_of(0)
        );
    }
}

#[test]
fn a_user_moved_under_a_shorter_override_gets_a_new_notice() {
    let mut world = mk_world(Mode::Delete);
    let matches = Match { paths: vec!["/ci/".into()], ..Match::default() };
    let terms = TermsPatch { grace: Some(days(2)), ..TermsPatch::default() };
    world.policy.overrides.push(Override { matches, terms });
    assert_eq!(world.run(0, 10), 1);
    world.keys[0].path = keysweep_core::facts::Fact::Known("/ci/".into());
    assert_eq!(world.run(11, 17), 0, "a whole period of notice after the move");
    assert_eq!(world.run(18, 18), 1);
    assert_eq!(world.state_of(0), "deleted");
}

#[test]
fn a_lower_grace_deletes_after_a_new_notice_only() {
    let mut world = mk_world(Mode::Delete);
    world.policy.base.grace = days(200);
    assert_eq!(world.run(0, 60), 1);
    world.policy.base.grace = days(5);
    assert_eq!(world.run(61, 67), 0);
    assert_eq!(world.run(68, 68), 1);
}

#[test]
fn a_shorter_notice_never_acts_before_the_date_announced_first() {
    let mut world = mk_world(Mode::Delete);
    world.policy.base.approval = ApprovalFor::Deactivate;
    world.sweep(day(0));
    world.approve(day(0), 0);
    world.policy.base.notice = days(1);
    world.sweep(day(1));
    assert_eq!((count(&world, "notice_voided"), count(&world, "approval_asked")), (1, 2));
    world.approve(day(1), 0);
    assert_eq!(world.run(1, 6), 0);
    assert_eq!(world.run(7, 7), 1);
}

#[test]
fn a_key_that_waited_for_approval_gets_a_new_notice_when_none_is_needed_any_more() {
    let mut world = mk_world(Mode::Delete);
    world.policy.base.approval = ApprovalFor::Deactivate;
    world.run(0, 10);
    world.policy.base.approval = ApprovalFor::None;
    assert_eq!(world.run(11, 17), 0);
    assert_eq!(world.run(18, 18), 1);
}

/// The account cannot be scanned at these quarters of a day, and then it can again.
fn away(world: &mut World, quarters: std::ops::Range<i64>, skipped: bool) {
    for quarter in quarters {
        let (account, name, reason) = (mk_account_id(0), "account-0".into(), "denied".into());
        let body = if skipped {
            Body::AccountSkipped { account, name, reason }
        } else {
            Body::AccountFailed { account, name, reason }
        };
        world.write(hours(quarter * 6), body);
    }
}

#[test]
fn the_return_of_an_account_voids_what_was_announced_and_approved() {
    // Three days of failures, or of anything that was decided.
    for (quarters, skipped, voided) in
        [(60..72, false, true), (70..72, true, true), (71..72, false, false), (70..72, false, false)]
    {
        let mut world = mk_world(Mode::Delete);
        world.policy.base.approval = ApprovalFor::Delete;
        world.run(0, quarters.start / 4 - 1);
        world.approve(hours(quarters.start * 6 - 1), 0);
        away(&mut world, quarters.clone(), skipped);
        world.sweep(hours(quarters.end * 6));
        assert_eq!(count(&world, "notice_voided"), usize::from(voided), "{quarters:?} {skipped}");
        assert_eq!(count(&world, "approval_asked"), 1 + usize::from(voided), "{quarters:?} {skipped}");
        let back = world.state.account(mk_account_id(0)).unwrap().back_since;
        assert_eq!(back.is_some(), voided, "{quarters:?} {skipped}");
    }
}

#[test]
fn no_account_returns_that_was_never_away() {
    let mut world = mk_world(Mode::Delete);
    assert_eq!(world.run(0, 21), 2);
    assert_eq!(world.state.account(mk_account_id(0)).unwrap().back_since, None);
}

#[test]
fn a_key_that_waits_for_approval_shows_no_date() {
    let mut world = mk_world(Mode::Delete);
    world.policy.base.approval = ApprovalFor::Both;
    for at in [0, 5, 9] {
        let plan = world.sweep(day(at));
        let Next::Wait { wait, .. } = &plan.keys[0].next else { panic!("{:?}", plan.keys[0].next) };
        assert_eq!((wait.reason(), wait.until()), (Reason::Approval, None), "day {at}");
    }
}

#[test]
fn the_date_shown_is_one_on_which_the_change_can_happen() {
    let mut world = mk_world(Mode::Delete);
    world.policy.base.days = [DayOfWeek::from(jiff::civil::Weekday::Monday)].into();
    let plan = world.sweep(day(0));
    let Next::Wait { wait, .. } = &plan.keys[0].next else { panic!() };
    // Day 7 is Thursday, 2026-01-08.
    assert_eq!(wait.until(), Some(day(11)), "the Monday after the notice period");
    assert_eq!(world.run(0, 10), 0);
    assert_eq!(world.run(11, 11), 1);
    let plan = world.sweep(day(12));
    let Next::Wait { wait, .. } = &plan.keys[0].next else { panic!() };
    assert_eq!(wait.until(), Some(day(25)), "grace ends on a Sunday or on that Monday");
}

#[test]
fn the_end_of_an_overlay_needs_a_new_notice() {
    let mut world = mk_world(Mode::Delete);
    assert_eq!(world.run(0, 7), 1);
    world.happen(
        day(8),
        0,
        KeyEvent::Overlay(Overlay::HoldPlaced { reason: "wait".into(), until: Some(day(20)) }),
    );
    world.happen(
        day(8),
        0,
        KeyEvent::Overlay(Overlay::HoldPlaced { reason: "so do I".into(), until: Some(day(22)) }),
    );
    assert_eq!(world.run(8, 28), 0);
    assert_eq!(count(&world, "hold_expired"), 2);
    assert_eq!(world.run(29, 29), 1);
}

#[test]
fn a_failed_scan_is_no_collection_of_the_account() {
    let mut world = mk_world(Mode::Delete);
    world.run(0, 20);
    let mut collection = world.collection(day(21));
    collection.accounts[0].1 = Outcome::Failed { reason: "denied".into() };
    let plan = plan::plan(day(21), &world.policy, &world.state, &collection);
    assert!(plan.changes().next().is_none() && plan.entries.is_empty());
    assert_eq!(world.keys[0].status, KeyStatus::Inactive);
    let Some(State::Deactivated(data)) = world.record(0).map(|record| &record.state) else { panic!() };
    assert_eq!(data.notice.as_ref().map(|notice| notice.covers()), Some(Planned::Delete));
}

#[test]
fn a_voided_notice_names_the_term_that_changed() {
    for (last_use, term) in [(used_at(day(-100)), "unused_after"), (LastUse::Never, "never_used_after")] {
        let mut world = mk_world(Mode::Deactivate);
        world.keys[0].last_use = Fact::Known(last_use);
        world.sweep(day(0));
        (world.policy.base.unused_after, world.policy.base.never_used_after) = (days(45), days(45));
        world.sweep(day(1));
        let why = world.journal.iter().find_map(|entry| match &entry.body {
            Body::Key { event: KeyEvent::Consent(Consent::NoticeVoided { why, .. }), .. } => {
                Some(why.clone())
            }
            _ => None,
        });
        assert_eq!(why, Some(format!("{term} is 1080h now, and was 2160h")));
    }
}

#[test]
fn a_key_that_left_the_lifecycle_is_bound_by_no_date_announced_before() {
    let mut world = mk_world(Mode::Deactivate);
    world.sweep(day(0));
    (world.policy.base.mode, world.policy.base.notice) = (Mode::Observe, days(1));
    world.sweep(day(1));
    assert_eq!((count(&world, "notice_voided"), count(&world, "noticed")), (1, 1));
    // Something else is remembered of it.
    world.happen(day(1), 0, KeyEvent::Record(Note::ActivitySeen { activity: mk_activity(day(-100)) }));
    world.policy.base.unused_after = days(365);
    world.sweep(day(2));
    assert_eq!(world.record(0).map(|record| record.state.as_str()), Some("active"));
    (world.policy.base.mode, world.policy.base.unused_after) = (Mode::Deactivate, days(90));
    assert_eq!(world.run(3, 3), 0);
    assert_eq!(world.run(4, 4), 1, "a day after the notice of day 3");
}
