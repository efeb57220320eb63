//! A key that was reactivated is never changed again without a person; and whose doing a change was.

use jiff::{SignedDuration, Timestamp};
use keysweep_core::facts::{Fact, KeyStatus, LastUse};
use keysweep_core::lifecycle::event::{Change, Consent, Note, Overlay, Seen};
use keysweep_core::lifecycle::{DeactivatedBy, HoldKind, KeyEvent, State, When, next};
use keysweep_core::plan::{Next, Reason};
use keysweep_core::policy::Mode;
use keysweep_core::state::Actor;
use keysweep_core::ticket::{Action, Origin, Planned};

use crate::mk::*;
use crate::orders::ordered;

fn mk_world() -> World {
    World::new(mk_policy(Mode::Delete), vec![mk_key(0)])
}

/// A key that keysweep deactivated on day 7, and whose owner set it Active on day 8.
fn mk_woken() -> World {
    let mut world = mk_world();
    assert_eq!(world.run(0, 7), 1);
    world.keys[0].status = KeyStatus::Active;
    world.sweep(day(8));
    world
}

fn why(world: &mut World, at: Timestamp) -> (Reason, String) {
    let plan = world.sweep(at);
    match &plan.keys[0].next {
        Next::Wait { wait, .. } => (wait.reason(), wait.to_string()),
        next => panic!("{next:?}"),
    }
}

#[test]
fn each_change_after_a_reactivation_needs_approval() {
    let mut world = mk_woken();
    assert_eq!(world.run(8, 60), 0);
    assert_eq!(why(&mut world, day(60)).0, Reason::Approval);
    world.approve(day(61), 0);
    assert_eq!(world.run(61, 61), 1);
    assert_eq!(world.run(62, 90), 0, "its deletion needs another one");
    world.approve(day(90), 0);
    assert_eq!(world.run(91, 91), 1);
    assert_eq!(world.state_of(0), "deleted");
}

#[test]
fn a_reactivation_survives_whatever_becomes_of_the_record() {
    let mut world = mk_woken();
    world.run(8, 37);
    // In use again: without the past there would be no record.
    world.keys[0].last_use = Fact::Known(used_at(day(38)));
    world.sweep(day(39));
    assert_eq!(world.state_of(0), "active");
    // Renamed, gone, there again, and replayed.
    world.keys[0].user_name = "renamed".parse().unwrap();
    world.sweep(day(40));
    world.happen(day(41), 0, KeyEvent::Seen(Seen::Absent));
    world.sweep(day(42));
    let mut state = keysweep_core::state::State::default();
    world.journal.iter().for_each(|entry| {
        state.replay(entry).unwrap();
    });
    world.state = state;
    assert_eq!(world.record(0).unwrap().past.reactivations(), Some(1));
    assert_eq!(world.run(129, 160), 0);
    assert_eq!(world.state_of(0), "flagged");
    assert_eq!(why(&mut world, day(160)).0, Reason::Approval);
}

#[test]
fn an_operator_clears_reactivations_by_name() {
    let mut world = mk_woken();
    world.happen(day(9), 0, KeyEvent::Record(Note::ReactivationsCleared { reason: "it was a test".into() }));
    assert_eq!(world.record(0).unwrap().past.reactivations(), None);
    assert_eq!(world.record(0).unwrap().holds.len(), 1, "the hold stays");
    assert_eq!(world.run(9, 45), 1);
    assert_eq!(world.state_of(0), "deactivated");
    world.keys[0].status = KeyStatus::Active;
    world.sweep(day(46));
    assert_eq!(world.record(0).unwrap().past.reactivations(), Some(2), "what came later was not cleared");
}

#[test]
fn a_key_that_is_woken_again_and_again_is_named_as_a_loop() {
    let mut world = mk_woken();
    world.run(8, 60);
    world.approve(day(61), 0);
    assert_eq!(world.run(61, 61), 1);
    world.keys[0].status = KeyStatus::Active;
    world.run(62, 92);
    let (reason, why) = why(&mut world, day(93));
    assert_eq!(reason, Reason::Approval);
    assert!(why.contains("2 times") && why.contains("Terraform"), "{why}");
    assert!(world.asked(0).unwrap().why.contains("2 times"));
}

fn intent() -> KeyEvent {
    let deadline = mk_deadline(day(7));
    KeyEvent::Change(Change::Intent {
        action: Action::Deactivate,
        origin: Origin::Policy,
        why: "stale".into(),
        deadline,
        quarantine: None,
    })
}

fn deactivated(read: Timestamp) -> KeyEvent {
    KeyEvent::Change(Change::Deactivated {
        request_id: None,
        last_use: used_at(day(-100)),
        sighting: mk_sighting(read),
    })
}

fn origin(world: &World) -> DeactivatedBy {
    match world.record(0).map(|record| &record.state) {
        Some(State::Deactivated(data)) => data.origin,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_open_intent_explains_only_what_it_can_have_done() {
    let late = mk_deadline(day(7));
    let second = SignedDuration::from_secs(1);
    for (read, accepted, ours) in [
        (day(7), false, true),
        (late - second, false, true),
        (late, false, false),
        (day(10), false, false),
        (day(6), false, false),
        (day(10), true, true),
    ] {
        let mut world = mk_world();
        world.run(0, 6);
        world.happen(day(7), 0, intent());
        if accepted {
            let request_id = "1-2-3".into();
            world.happen(
                day(7),
                0,
                KeyEvent::Change(Change::Accepted { action: Action::Deactivate, request_id }),
            );
        }
        world.happen(day(10), 0, deactivated(read));
        world.keys[0].status = KeyStatus::Inactive;
        let by = if ours { DeactivatedBy::Keysweep } else { DeactivatedBy::External };
        assert_eq!(origin(&world), by, "{read} {accepted}");
        assert!(ordered(&world, day(11), Action::Reactivate).is_ok(), "the undo is offered");
        assert_eq!(world.run(11, 60), usize::from(ours), "deleted only if it was ours");
    }
}

#[test]
fn a_deletion_that_aws_accepted_and_that_shows_late_is_deleted() {
    for accepted in [false, true] {
        let mut world = mk_world();
        world.run(0, 20);
        let (action, deadline) = (Action::Delete, mk_deadline(day(21)));
        let (origin, why) = (Origin::Policy, "watched".into());
        world.happen(
            day(21),
            0,
            KeyEvent::Change(Change::Intent { action, origin, why, deadline, quarantine: None }),
        );
        if accepted {
            world.happen(
                day(21),
                0,
                KeyEvent::Change(Change::Accepted { action, request_id: "1-2-3".into() }),
            );
        }
        world.happen(
            day(21),
            0,
            KeyEvent::Change(Change::Unclear { action, accepted, detail: "listed".into() }),
        );
        assert_eq!(world.state_of(0), "deactivated");
        world.happen(day(22), 0, KeyEvent::Seen(Seen::Absent));
        assert_eq!(world.state_of(0), if accepted { "deleted" } else { "gone" });
    }
}

#[test]
fn an_accepted_deactivation_that_shows_late_is_ours() {
    let mut world = mk_world();
    world.run(0, 6);
    world.happen(day(7), 0, intent());
    let detail = "listed as Active".to_owned();
    world.happen(
        day(7),
        0,
        KeyEvent::Change(Change::Unclear { action: Action::Deactivate, accepted: true, detail }),
    );
    let record = world.record(0).unwrap();
    assert_eq!((record.state.as_str(), record.holds[0].kind), ("flagged", HoldKind::Unclear));
    assert!(ordered(&world, day(7), Action::Reactivate).is_ok(), "though AWS lists it as Active still");
    world.keys[0].status = KeyStatus::Inactive;
    assert!(ordered(&world, hours(7 * 24 + 1), Action::Reactivate).is_ok(), "before any sweep");
    world.sweep(hours(7 * 24 + 6));
    assert_eq!(origin(&world), DeactivatedBy::Keysweep);
}

#[test]
fn an_accepted_deactivation_that_never_shows_was_undone_by_somebody() {
    let mut world = mk_world();
    world.run(0, 6);
    world.happen(day(7), 0, intent());
    let detail = "listed as Active".to_owned();
    world.happen(
        day(7),
        0,
        KeyEvent::Change(Change::Unclear { action: Action::Deactivate, accepted: true, detail }),
    );
    world.sweep(hours(7 * 24 + 6));
    assert_eq!(world.state_of(0), "active");
    assert_eq!(world.record(0).unwrap().past.reactivations(), Some(1));
    assert_eq!(world.record(0).unwrap().held().unwrap().until, Some(hours(37 * 24 + 6)));
}

#[test]
fn an_undo_is_offered_for_every_key_that_keysweep_ever_deactivated() {
    let mut world = mk_woken();
    world.keys[0].status = KeyStatus::Inactive;
    for at in [9, 20, 45] {
        assert!(ordered(&world, day(at), Action::Reactivate).is_ok(), "day {at}: {:?}", world.record(0));
        world.sweep(day(at));
    }
    let refused = mk_world();
    assert!(refused.record(0).is_none());
}

#[test]
fn a_refused_deactivation_offers_no_undo() {
    let mut world = mk_world();
    world.run(0, 6);
    world.happen(day(7), 0, intent());
    let (action, kind) = (Action::Deactivate, keysweep_core::lifecycle::RefusedKind::Denied);
    world.happen(
        day(7),
        0,
        KeyEvent::Change(Change::Refused { action, kind, detail: "AccessDenied".into() }),
    );
    assert!(!world.record(0).unwrap().may_undo());
}

#[test]
fn a_decision_about_another_request_is_not_written() {
    let mut world = mk_woken();
    world.run(8, 40);
    let request = world.asked(0).unwrap().number;
    let (actor, key) = (Actor::local("ada"), mk_key_id(0));
    let grant = |request, action| {
        let when = When { at: day(41), seq: 9000, actor: &actor };
        let event = KeyEvent::Consent(Consent::Approved {
            action,
            request,
            reason: "looked".into(),
            as_owner: false,
        });
        next(mk_account_id(0), &key, world.record(0), when, &event)
    };
    assert!(grant(request, Planned::Deactivate).is_ok());
    assert!(grant(request - 1, Planned::Deactivate).is_err());
    assert!(grant(request, Planned::Delete).is_err());
}

#[test]
fn releasing_one_hold_leaves_the_others() {
    let mut world = mk_woken();
    world.happen(day(9), 0, KeyEvent::Overlay(Overlay::HoldPlaced { reason: "audit".into(), until: None }));
    let holds = world.record(0).unwrap().holds.clone();
    assert_eq!(
        holds.iter().map(|hold| hold.kind).collect::<Vec<_>>(),
        [HoldKind::Reactivated, HoldKind::Operator]
    );
    world.happen(
        day(10),
        0,
        KeyEvent::Overlay(Overlay::HoldReleased { hold: holds[1].number, reason: "done".into() }),
    );
    assert_eq!(world.record(0).unwrap().holds, holds[..1]);
    assert_eq!(world.run(10, 37), 0);
}

#[test]
fn report_and_live_answer_within_a_quarter_of_an_hour_are_one_use() {
    let minutes = |n: i64| used_at(day(-100) + SignedDuration::from_mins(n));
    for (shown, now, same) in [
        (0, 0, true),
        (0, 7, true),
        (0, 14, true),
        (0, 15, false),
        (0, 20, false),
        (7, 0, true),
        (7, 5, false),
        (15, 0, false),
    ] {
        assert_eq!(minutes(shown).is_same_use(&minutes(now)), same, "{shown} {now}");
    }
    assert!(LastUse::Never.is_same_use(&LastUse::Never) && !LastUse::Never.is_same_use(&minutes(0)));
    let mut world = mk_world();
    world.policy.base.approval = keysweep_core::policy::ApprovalFor::Deactivate;
    world.sweep(day(0));
    world.approve(day(1), 0);
    world.keys[0].last_use = Fact::Known(minutes(7));
    assert_eq!(world.run(1, 7), 1, "{:?}", world.names_of(0));
    world.keys[0].last_use = Fact::Known(minutes(23));
    world.sweep(day(8));
    assert_eq!(world.names_of(0).last(), Some(&"last_use_moved"));
}

#[test]
fn a_use_after_the_key_was_flagged_counts_however_close() {
    let known = used_at(day(1));
    let close = used_at(day(1) + SignedDuration::from_mins(5));
    assert!(close.is_later_than(&known, day(1) + SignedDuration::from_mins(2)));
    assert!(!close.is_later_than(&known, day(2)));
    assert!(
        !close.is_later_than(&known, day(1) + SignedDuration::from_mins(5)),
        "it is not after that moment"
    );
    // The same use is no later one, whenever it was told first.
    assert!(!known.is_later_than(&known, day(0)));
}

#[test]
fn an_accepted_deactivation_may_show_within_a_quarter_of_an_hour_and_not_later() {
    let mut world = mk_world();
    world.run(0, 6);
    world.happen(day(7), 0, intent());
    let (action, detail) = (Action::Deactivate, "listed as Active".to_owned());
    world.happen(day(7), 0, KeyEvent::Change(Change::Unclear { action, accepted: true, detail }));
    let shows_until = day(7) + SignedDuration::from_mins(15);
    world.sweep(shows_until - SignedDuration::from_secs(1));
    assert_eq!(world.state_of(0), "flagged");
    world.sweep(shows_until);
    assert_eq!(world.state_of(0), "active");
    assert_eq!(world.names_of(0).last(), Some(&"reactivated"));
}

#[test]
fn a_hold_of_keysweep_replaces_only_one_of_its_kind_that_ends_sooner() {
    let mut world = mk_world();
    world.run(0, 6);
    assert_eq!(world.record(0).unwrap().holds_in_words(), None);
    let placed = Overlay::HoldPlaced { reason: "audit".into(), until: None };
    world.happen(day(7), 0, KeyEvent::Overlay(placed));
    let wake = |world: &mut World, at: i64, until: i64| {
        world.happen(day(at), 0, intent());
        world.happen(day(at), 0, deactivated(day(7)));
        world.happen(day(at), 0, KeyEvent::Seen(Seen::Reactivated { hold_until: day(until) }));
        world.happen(
            day(at),
            0,
            KeyEvent::Seen(Seen::Flagged {
                finding: keysweep_core::finding::FindingKind::Unused,
                named: crate::journal::mk_named(0),
                last_use: used_at(day(-100)),
            }),
        );
        let holds = &world.record(0).unwrap().holds;
        holds.iter().map(|hold| (hold.kind, hold.until)).collect::<Vec<_>>()
    };
    let audit = (HoldKind::Operator, None);
    assert_eq!(wake(&mut world, 8, 38), [audit, (HoldKind::Reactivated, Some(day(38)))]);
    assert_eq!(wake(&mut world, 9, 20), [audit, (HoldKind::Reactivated, Some(day(38)))]);
    assert_eq!(wake(&mut world, 10, 40), [audit, (HoldKind::Reactivated, Some(day(40)))]);
    let until = day(40);
    let words =
        format!("by ada until released: audit; by keysweep until {until}: reactivated by somebody else");
    assert_eq!(world.record(0).unwrap().holds_in_words(), Some(words));
}

#[test]
fn a_hold_that_is_not_there_cannot_end() {
    let world = mk_woken();
    let hold = world.hold_number(0);
    let ends = |event| {
        let when = When { at: day(60), seq: 9000, actor: &Actor::local("ada") };
        next(mk_account_id(0), &mk_key_id(0), world.record(0), when, &KeyEvent::Overlay(event)).is_ok()
    };
    let released = |hold| Overlay::HoldReleased { hold, reason: "done".into() };
    assert!(ends(released(hold)) && ends(Overlay::HoldExpired { hold }));
    assert!(!ends(released(hold + 1)) && !ends(Overlay::HoldExpired { hold: hold + 1 }));
}

#[test]
fn only_a_deactivation_that_aws_accepted_can_have_been_undone_by_somebody_before_it_showed() {
    let woken = |world: &World| {
        let when = When { at: day(8), seq: 9000, actor: &Actor::Keysweep };
        let event = KeyEvent::Seen(Seen::Reactivated { hold_until: day(38) });
        next(mk_account_id(0), &mk_key_id(0), world.record(0), when, &event).is_ok()
    };
    let action = Action::Deactivate;
    let mut world = mk_world();
    world.run(0, 6);
    assert!(!woken(&world), "flagged, and nothing was sent");
    world.happen(day(7), 0, intent());
    assert!(!woken(&world), "nothing is accepted yet");
    let mut accepted = world.clone();
    accepted.happen(day(7), 0, KeyEvent::Change(Change::Accepted { action, request_id: "1-2-3".into() }));
    assert!(woken(&accepted));
    for (accepted, may) in [(true, true), (false, false)] {
        let mut world = world.clone();
        let detail = "listed as Active".into();
        world.happen(day(7), 0, KeyEvent::Change(Change::Unclear { action, accepted, detail }));
        assert_eq!(woken(&world), may);
    }
    let kind = keysweep_core::lifecycle::RefusedKind::Denied;
    world.happen(
        day(7),
        0,
        KeyEvent::Change(Change::Refused { action, kind, detail: "AccessDenied".into() }),
    );
    assert!(!woken(&world));
}

#[test]
fn a_deactivation_is_ours_where_aws_answered_whatever_was_read_when() {
    for (request_id, ours) in [(Some("1-2-3".to_owned()), true), (None, false)] {
        let mut world = mk_world();
        world.run(0, 6);
        assert!(world.record(0).is_some());
        world.happen(day(7), 0, intent());
        let (last_use, sighting) = (used_at(day(-100)), mk_sighting(day(9)));
        world.happen(day(9), 0, KeyEvent::Change(Change::Deactivated { request_id, last_use, sighting }));
        let by = if ours { DeactivatedBy::Keysweep } else { DeactivatedBy::External };
        assert_eq!(origin(&world), by);
        let State::Deactivated(data) = &world.record(0).unwrap().state else { panic!("not deactivated") };
        assert_eq!(data.notice.is_some(), ours, "what somebody else did was not announced");
    }
}
