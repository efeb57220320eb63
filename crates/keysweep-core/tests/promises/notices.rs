//! P13: no key is changed before its owner was notified, and the whole notice period has passed since.

mod askers;
mod dead;
mod readers;
mod routes;

use std::collections::BTreeSet;

use jiff::Timestamp;
use keysweep_core::facts::{Fact, KeyStatus};
use keysweep_core::lifecycle::Delivery;
use keysweep_core::lifecycle::event::{Change, KeyEvent, Overlay, Seen};
use keysweep_core::notice::{
    self, Address, Audience, ChannelKind, Item, Message, NoticeKind, Route, RouteMatch, Status, stands,
};
use keysweep_core::plan::Next;
use keysweep_core::policy::{ApprovalFor, Mode};
use keysweep_core::state::{Body, State};
use keysweep_core::ticket::Planned;

use crate::mk::*;

const DANA: &str = "dana@example.com";
const TEAM: &str = "security@example.com";

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

/// A world in which notices are required and e-mail can be sent. Every key is Dana's.
fn mk_world(mode: Mode, keys: usize) -> World {
    let mut policy = mk_policy(mode);
    policy.notices.required = true;
    policy.notices.channels = vec![ChannelKind::Email];
    policy.notices.notify = vec![address(TEAM)];
    policy.owners.default = Some(DANA.into());
    World::new(policy, (0..keys).map(mk_key).collect())
}

impl World {
    /// Composes messages, and gives those that are to be sent by then.
    fn post(&mut self, at: Timestamp) -> Vec<Message> {
        for body in notice::compose(at, &self.policy.notices, &self.state) {
            self.write(at, body);
        }
        let due = |message: &&Message| message.is_open() && message.send_from <= at;
        self.state.outbox().messages().filter(due).cloned().collect()
    }

    fn standing(&self, message: &Message) -> Vec<Item> {
        let items = self.state.outbox().items_of(message);
        items.filter(|item| stands(&self.state, item)).cloned().collect()
    }

    /// The channel accepts a message.
    fn accept(&mut self, at: Timestamp, message: &Message) {
        let sent: BTreeSet<_> = self.standing(message).iter().map(|item| item.id).collect();
        for body in notice::delivered(&self.state, message, &sent, &message.to.addresses[0], None) {
            self.write(at, body);
        }
    }

    fn give_up(&mut self, at: Timestamp, message: &Message) {
        for body in notice::undelivered(&self.state, message, "550 no such user") {
            self.write(at, body);
        }
    }

    /// Delivers everything that is due, and gives what it said: recipient, kind, and key.
    fn deliver(&mut self, at: Timestamp) -> Vec<(String, NoticeKind, usize)> {
        let mut said = Vec::new();
        for message in self.post(at) {
            for item in self.standing(&message) {
                let key = (0..99).find(|n| mk_key_id(*n) == item.key).unwrap();
                said.push((message.to.name.clone(), item.kind, key));
            }
            self.accept(at, &message);
        }
        said
    }

    fn delivery(&self, key: usize) -> Delivery {
        self.record(key).unwrap().notice().unwrap().delivery.clone()
    }

    fn wait_of(&self, at: Timestamp, key: usize) -> String {
        let plan = keysweep_core::plan::plan(at, &self.policy, &self.state, &self.collection(at));
        let planned = plan.keys.iter().find(|planned| planned.facts.key == mk_key_id(key));
        match &planned.unwrap().next {
            Next::Wait { wait, .. } => wait.to_string(),
            other => panic!("{other:?}"),
        }
    }
}

fn said(to: &str, kind: NoticeKind, key: usize) -> (String, NoticeKind, usize) {
    (to.to_owned(), kind, key)
}

#[test]
fn the_notice_period_begins_when_a_channel_accepts_the_notice() {
    let mut world = mk_world(Mode::Delete, 1);
    assert_eq!(world.run(0, 29), 0, "nobody was told");
    assert!(matches!(world.delivery(0), Delivery::Pending { .. }));
    assert!(
        world.wait_of(day(29), 0).contains("for a channel to accept the notice"),
        "{}",
        world.wait_of(day(29), 0)
    );

    assert_eq!(world.deliver(day(30)), [said(DANA, NoticeKind::DeactivationAhead, 0)]);
    let notice = world.record(0).unwrap().notice().unwrap().clone();
    assert_eq!((notice.at, notice.deactivation, notice.deletion), (day(30), Some(day(37)), Some(day(51))));
    assert_eq!(world.run(30, 36), 0);
    assert_eq!(world.sweep_and_act(day(37)), 1);
    assert_eq!(world.state_of(0), "deactivated");
    assert_eq!(world.deliver(day(37)), [said(DANA, NoticeKind::Deactivated, 0)]);
}

#[test]
fn a_notice_that_cannot_be_delivered_never_leads_to_a_change() {
    let mut world = mk_world(Mode::Delete, 1);
    for start in [0, 3, 6, 9, 12] {
        world.run(start, start + 2);
        for message in world.post(day(start + 2)) {
            world.give_up(day(start + 2), &message);
        }
        assert_eq!(world.state_of(0), "flagged");
    }
    assert!(world.wait_of(hours(14 * 24 + 6), 0).ends_with("could not be delivered: 550 no such user"));
    let names = world.names_of(0);
    assert_eq!(names.iter().filter(|name| **name == "notice_undelivered").count(), 5);
    assert_eq!(
        names.iter().filter(|name| **name == "notice_voided").count(),
        4,
        "one more notice a day later"
    );
    assert!(!names.contains(&"intent"));
}

#[test]
fn a_notice_that_is_delivered_after_all_begins_then() {
    let mut world = mk_world(Mode::Deactivate, 1);
    world.sweep(day(0));
    let message = world.post(day(0)).remove(0);
    world.give_up(day(1), &message);
    let (number, reason, give_up) = (message.number, "the server is back".into(), day(3));
    world.write(hours(30), Body::MessageRetried { message: number, reason, give_up });
    let again = world.post(hours(30)).remove(0);
    assert_eq!(again.number, number);
    world.accept(hours(31), &again);
    assert!(matches!(world.delivery(0), Delivery::Delivered { .. }));
    assert_eq!(world.record(0).unwrap().notice().unwrap().deactivation, Some(hours(31 + 7 * 24)));
}

#[test]
fn one_message_per_recipient_and_sweep() {
    let mut world = mk_world(Mode::Deactivate, 5);
    world.keys[4].account = mk_account_id(1);
    world.sweep(day(0));
    let messages = world.post(day(0));
    assert_eq!(messages.len(), 1);
    assert_eq!((messages[0].to.name.as_str(), messages[0].items.len()), (DANA, 5));
    assert_eq!(world.post(hours(1)), messages, "composing again adds nothing");
    world.sweep(hours(6));
    assert_eq!(world.post(hours(6)).len(), 1, "nor does another sweep");
}

#[test]
fn what_became_void_before_it_was_sent_is_not_sent() {
    let mut world = mk_world(Mode::Deactivate, 2);
    world.sweep(day(0));
    let message = world.post(day(0)).remove(0);
    world.keys[0].last_use = Fact::Known(used_at(hours(3)));
    world.sweep(hours(6));
    let standing = world.standing(&message);
    assert_eq!(standing.iter().map(|item| item.key.clone()).collect::<Vec<_>>(), [mk_key_id(1)]);
    world.accept(hours(7), &message);
    assert_eq!(world.state_of(0), "active");
    assert!(matches!(world.delivery(1), Delivery::Delivered { .. }));
    assert_eq!(world.deliver(hours(8)), [], "nobody was told of it, so nobody learns that it is over");
}

#[test]
fn a_late_delivery_does_not_count_for_a_newer_notice() {
    let mut world = mk_world(Mode::Deactivate, 1);
    world.sweep(day(0));
    let message = world.post(day(0)).remove(0);
    let sent: BTreeSet<_> = message.items.clone();
    // While it is on its way, the key turns out to belong to somebody else.
    world.policy.owners.default = Some("eve@example.com".into());
    world.sweep(hours(6));
    for body in notice::delivered(&world.state, &message, &sent, &address(DANA), None) {
        world.write(hours(7), body);
    }
    assert!(matches!(world.delivery(0), Delivery::Pending { .. }), "eve was not told");
    assert_eq!(world.deliver(hours(8)), [said("eve@example.com", NoticeKind::DeactivationAhead, 0)]);
    assert_eq!(world.record(0).unwrap().notice().unwrap().at, hours(8));
}

#[test]
fn the_outbox_follows_from_the_journal() {
    let mut world = mk_world(Mode::Delete, 3);
    world.policy.base.approval = ApprovalFor::Deactivate;
    world.sweep(day(0));
    world.deliver(day(0));
    world.sweep(hours(6));
    world.approve(day(1), 0);
    world.post(day(1));
    world.run(1, 9);
    world.post(day(9));
    let mut replayed = State::default();
    for entry in &world.journal {
        replayed.replay(entry).unwrap();
    }
    assert!(world.state.outbox().messages().count() > 2);
    assert_eq!(replayed.outbox(), world.state.outbox());
    let parcels = keysweep_core::notice::Outbox::from_parcels(world.state.outbox().parcels());
    assert_eq!(&parcels, world.state.outbox());
}

#[test]
fn reminders_come_before_the_date_and_each_once() {
    let mut world = mk_world(Mode::Delete, 1);
    world.policy.notices.remind_before = vec![days(3), days(1)];
    world.sweep(day(0));
    world.deliver(day(0));
    let mut reminded = Vec::new();
    for quarter in 1..40 {
        world.sweep_and_act(hours(quarter * 6));
        for (_, kind, _) in world.deliver(hours(quarter * 6)) {
            reminded.push((quarter * 6, kind));
        }
    }
    use NoticeKind::{Deactivated, Reminder};
    assert_eq!(reminded, [(96, Reminder), (144, Reminder), (168, Deactivated)]);
    let mut later = Vec::new();
    for quarter in 40..100 {
        world.sweep_and_act(hours(quarter * 6));
        for (_, kind, _) in world.deliver(hours(quarter * 6)) {
            later.push((quarter * 6 / 24, kind));
        }
    }
    assert_eq!(
        later,
        [(18, Reminder), (20, Reminder), (21, NoticeKind::Deleted)],
        "days before the deletion"
    );
}

#[test]
fn a_reminder_whose_time_was_before_the_notice_is_not_sent() {
    let mut world = mk_world(Mode::Deactivate, 1);
    world.policy.base.notice = days(2);
    world.policy.notices.remind_before = vec![days(3), days(1)];
    world.sweep(day(0));
    world.deliver(day(0));
    world.sweep(hours(6));
    assert_eq!(world.deliver(hours(6)), []);
    world.sweep(day(1));
    assert_eq!(world.deliver(day(1)), [said(DANA, NoticeKind::Reminder, 0)]);
}

#[test]
fn a_key_without_an_owner_waits_and_the_team_learns_it_once() {
    let mut world = mk_world(Mode::Deactivate, 1);
    world.policy.owners.default = None;
    world.sweep(day(0));
    assert_eq!(world.deliver(day(0)), [said(TEAM, NoticeKind::OwnerMissing, 0)]);
    assert_eq!(world.run(0, 20), 0);
    assert_eq!(world.deliver(day(20)), []);
    assert_eq!(
        world.wait_of(day(21), 0),
        "a notice is required, but keysweep knows no owner whom it can notify"
    );

    world.policy.owners.default = Some(DANA.into());
    world.sweep(day(21));
    assert_eq!(world.deliver(day(21)), [said(DANA, NoticeKind::DeactivationAhead, 0)]);
}

#[test]
fn an_optional_notice_is_sent_and_its_failure_stops_nothing() {
    let mut world = mk_world(Mode::Deactivate, 2);
    world.policy.notices.required = false;
    world.sweep(day(0));
    let message = world.post(day(0)).remove(0);
    world.give_up(day(1), &message);
    assert_eq!(world.run(1, 7), 2);

    let mut world = mk_world(Mode::Deactivate, 1);
    (world.policy.notices.required, world.policy.owners.default) = (false, None);
    assert_eq!(world.run(0, 7), 1, "it is recorded, as nobody can be told");
    assert_eq!(world.names_of(0)[..3], ["flagged", "owner_missing", "noticed"]);
}

#[test]
fn a_recorded_notice_is_void_once_a_delivered_one_is_required() {
    let mut world = mk_world(Mode::Deactivate, 1);
    (world.policy.notices.required, world.policy.notices.channels) = (false, Vec::new());
    world.run(0, 5);
    world.policy.notices.required = true;
    assert_eq!(world.run(6, 20), 0);
    assert_eq!(world.wait_of(day(21), 0), "a notice is required, but no notice channel is configured");
    world.policy.notices.channels = vec![ChannelKind::Email];
    world.sweep(day(21));
    assert_eq!(world.deliver(day(21)), [said(DANA, NoticeKind::DeactivationAhead, 0)]);
    assert_eq!(world.run(21, 27), 0);
    assert_eq!(world.run(28, 28), 1);
}

#[test]
fn only_those_who_know_of_honeytokens_hear_of_one() {
    let mut world = mk_world(Mode::Delete, 1);
    world.keys[0].user_name = "prod-canary".parse().unwrap();
    world.policy.notices.protect = vec![address("decoys@example.com"), address("cert@example.com")];
    world.sweep(day(0));
    let mut heard = BTreeSet::new();
    let (mut told, mut approved) = (Vec::new(), 0);
    for quarter in 0..140 {
        let at = hours(quarter * 6);
        world.sweep_and_act(at);
        if world.asked(0).is_some_and(|asked| !asked.is_granted()) {
            world.approve(at, 0);
            approved += 1;
        }
        for message in world.post(at) {
            heard.extend(message.to.addresses.iter().map(ToString::to_string));
            assert_eq!(message.to.audience, Audience::Protect);
            told.extend(world.standing(&message).iter().map(|item| item.kind));
            world.accept(at, &message);
        }
    }
    assert_eq!((world.state_of(0), approved), ("deleted", 2));
    assert_eq!(heard, ["cert@example.com", "decoys@example.com"].map(str::to_owned).into());
    assert!(told.contains(&NoticeKind::DeactivationAhead) && told.contains(&NoticeKind::Deleted), "{told:?}");
}

#[test]
fn a_notified_owner_learns_that_the_change_is_called_off() {
    let mut world = mk_world(Mode::Deactivate, 2);
    world.sweep(day(0));
    world.deliver(day(0));
    world.keys[0].last_use = Fact::Known(used_at(hours(30)));
    world.happen(
        hours(30),
        1,
        KeyEvent::Overlay(Overlay::HoldPlaced { reason: "backup job".into(), until: Some(day(9)) }),
    );
    world.sweep(day(2));
    let messages = world.post(day(2));
    let items = world.standing(&messages[0]);
    let mut whys: Vec<_> = items.iter().map(|item| (item.kind, item.why.clone().unwrap())).collect();
    whys.sort();
    assert_eq!(
        whys,
        [
            (NoticeKind::Outcome, "the key is on hold: backup job".to_owned()),
            (NoticeKind::Outcome, "the key was used again".to_owned()),
        ]
    );
    assert!(items.iter().all(|item| item.change == Some(Planned::Deactivate)));
}

#[test]
fn a_new_notice_replaces_the_news_that_the_last_one_is_void() {
    let mut world = mk_world(Mode::Deactivate, 1);
    world.policy.base.notice = days(14);
    world.sweep(day(0));
    world.deliver(day(0));
    world.policy.base.notice = days(7);
    world.sweep(day(1));
    assert_eq!(world.names_of(0)[3..], ["notice_delivered", "notice_voided", "noticed"]);
    assert_eq!(world.deliver(day(1)), [said(DANA, NoticeKind::DeactivationAhead, 0)]);
}

#[test]
fn each_member_of_the_team_is_asked_and_learns_the_outcome() {
    let mut world = mk_world(Mode::Deactivate, 2);
    world.policy.base.approval = ApprovalFor::Deactivate;
    world.policy.notices.notify = vec![address(TEAM), address("#security")];
    world.policy.notices.channels = vec![ChannelKind::Slack, ChannelKind::Email];
    world.sweep(day(0));
    world.deliver(day(0));
    world.sweep(hours(6));
    let messages = world.post(hours(6));
    let recipients: Vec<_> = messages.iter().map(|message| message.to.name.as_str()).collect();
    assert_eq!(recipients, ["#security", TEAM]);
    world.accept(hours(6), &messages[0]);
    assert_eq!(
        world.standing(&messages[1]).len(),
        2,
        "what one has received is still to be sent to the other"
    );
    world.accept(hours(6), &messages[1]);
    assert_eq!(world.state.outbox().items().count(), 0);

    world.approve(day(1), 0);
    let said = world.deliver(day(1));
    assert_eq!(
        said.iter().map(|(_, kind, key)| (*kind, *key)).collect::<BTreeSet<_>>(),
        [(NoticeKind::Outcome, 0)].into()
    );
    assert_eq!(said.len(), 2);
    // A request that nobody needs to answer any more is closed where it was made.
    world.keys[1].last_use = Fact::Known(used_at(hours(30)));
    world.sweep(day(2));
    let said = world.deliver(day(2));
    let of_team =
        said.iter().filter(|(to, kind, key)| to != DANA && (*kind, *key) == (NoticeKind::Outcome, 1));
    assert_eq!(of_team.count(), 2, "{said:?}");
}

#[test]
fn people_hear_before_a_hold_or_an_exemption_ends() {
    let mut world = mk_world(Mode::Deactivate, 1);
    world.sweep(day(0));
    world.deliver(day(0));
    let hold = Overlay::HoldPlaced { reason: "migration".into(), until: Some(day(10)) };
    world.happen(day(1), 0, KeyEvent::Overlay(hold));
    world.deliver(day(1));
    for (at, ends) in [(6, false), (7, true), (8, false)] {
        world.sweep(day(at));
        let said_now = world.deliver(day(at));
        assert_eq!(said_now == [said(DANA, NoticeKind::HoldEnding, 0)], ends, "day {at}: {said_now:?}");
    }
    world.run(9, 10);
    assert!(world.record(0).unwrap().holds.is_empty());

    let mut world = mk_world(Mode::Deactivate, 1);
    world.policy.exemptions = vec![keysweep_core::policy::Exemption {
        matches: keysweep_core::policy::Match { users: vec!["user-0".into()], ..Default::default() },
        reason: "year end".into(),
        until: "2026-02-28".parse().unwrap(),
    }];
    world.sweep(day(0));
    // Only a key that is recorded can say so.
    let mut world = mk_world(Mode::Deactivate, 1);
    world.sweep(day(0));
    world.deliver(day(0));
    world.policy.exemptions = vec![keysweep_core::policy::Exemption {
        matches: keysweep_core::policy::Match { users: vec!["user-0".into()], ..Default::default() },
        reason: "year end".into(),
        until: "2026-02-28".parse().unwrap(),
    }];
    world.sweep(day(1));
    world.deliver(day(1));
    world.sweep(day(40));
    assert_eq!(world.deliver(day(40)), []);
    world.sweep(day(46));
    assert_eq!(world.deliver(day(46)), [said(TEAM, NoticeKind::ExemptionEnding, 0)]);
    world.sweep(day(47));
    assert_eq!(world.deliver(day(47)), []);
}

#[test]
fn people_hear_before_a_granted_exemption_ends_and_of_what_it_calls_off() {
    let mut world = mk_world(Mode::Deactivate, 1);
    world.policy.base.approval = ApprovalFor::Deactivate;
    world.sweep(day(0));
    world.deliver(day(0));
    world.sweep(hours(6));
    assert_eq!(world.deliver(hours(6)), [said(TEAM, NoticeKind::ApprovalRequest, 0)]);
    let facts = world.keys[0].clone();
    let body = Body::ExemptionGranted {
        account: facts.account,
        user_id: facts.user_id.known().cloned(),
        user_name: facts.user_name,
        key: None,
        reason: "year end".into(),
        until: day(60),
    };
    world.write(day(1), body);
    world.sweep(day(1));
    assert_eq!(
        world.names_of(0).iter().rev().take(2).collect::<Vec<_>>(),
        [&"approval_voided", &"exempt_began"]
    );
    let mut heard = world.deliver(day(1));
    heard.sort_unstable_by_key(|(to, _, _)| to.clone());
    assert_eq!(heard, [said(DANA, NoticeKind::Outcome, 0), said(TEAM, NoticeKind::Outcome, 0)]);
    for (at, ends) in [(45, false), (46, true), (47, false)] {
        world.sweep(day(at));
        let heard = world.deliver(day(at));
        assert_eq!(heard == [said(TEAM, NoticeKind::ExemptionEnding, 0)], ends, "day {at}: {heard:?}");
    }
}

#[test]
fn quiet_hours_hold_back_what_can_wait() {
    let mut world = mk_world(Mode::Deactivate, 1);
    let quiet = Some("22:00-07:00".parse().unwrap());
    world.policy.notices.routes = vec![Route {
        group_wait: std::time::Duration::from_secs(600),
        quiet_hours: quiet,
        ..Route::default()
    }];
    world.policy.notices.time_zone = jiff::tz::TimeZone::get("Europe/Berlin").unwrap();
    // 23:00 in Berlin.
    world.sweep(hours(22));
    assert_eq!(world.post(hours(22)), []);
    assert_eq!(world.post(hours(29)), []);
    assert_eq!(world.post(hours(30)).len(), 1, "07:00 in Berlin");
    world.deliver(hours(30));
    world.run(2, 9);
    assert_eq!(world.state_of(0), "deactivated");
    let deactivated = world.state.outbox().items().find(|item| item.kind == NoticeKind::Deactivated);
    assert!(deactivated.is_some());
    assert_eq!(world.deliver(hours(10 * 24 + 1)).len(), 1, "02:00 in Berlin: the key does not work any more");
}

#[test]
fn the_first_route_that_matches_applies() {
    let mut world = mk_world(Mode::Deactivate, 3);
    world.policy.notices.channels = vec![ChannelKind::Email, ChannelKind::Webhook];
    world.policy.notices.webhooks = ["tickets".to_owned()].into();
    world.keys[1].account = mk_account_id(1);
    world.keys[2].account = mk_account_id(2);
    let names = vec![wildmatch::WildMatch::new("account-2")];
    world.policy.notices.routes = vec![
        Route {
            matches: RouteMatch { accounts: [mk_account_id(1)].into(), ..RouteMatch::default() },
            notify: vec![address("webhook:tickets")],
            ..Route::default()
        },
        Route {
            matches: RouteMatch { account_names: names, ..RouteMatch::default() },
            channels: vec![ChannelKind::Webhook],
            notify: vec![address("nobody@example.com"), address("webhook:unknown")],
            ..Route::default()
        },
    ];
    world.policy.owners.default = None;
    // The breaker would stop nothing here; it is about who hears.
    for n in 0..3 {
        let account = mk_account(n);
        assert_eq!(account.name, format!("account-{n}"));
    }
    let mut collection = world.collection(day(0));
    for (n, (account, _)) in collection.accounts.iter_mut().enumerate() {
        account.name = format!("account-{n}");
    }
    world.observe(&collection);
    let plan = keysweep_core::plan::plan(day(0), &world.policy, &world.state, &collection);
    for body in plan.entries {
        world.write(day(0), body);
    }
    let mut heard: Vec<_> = world.deliver(day(0)).into_iter().map(|(to, _, key)| (to, key)).collect();
    heard.sort();
    let expected = [("nobody@example.com", 2), (TEAM, 0), ("webhook:tickets", 1)];
    assert_eq!(heard, expected.map(|(to, key)| (to.to_owned(), key)), "an unknown webhook hears nothing");
}

#[test]
fn a_restored_backup_sends_nothing_of_what_was_owed_before() {
    let mut world = mk_world(Mode::Deactivate, 2);
    world.sweep(day(0));
    world.post(day(0));
    world.write(
        day(1),
        Body::Restored { created_at: day(0), version: "0.1.0".into(), last_seq: 9, sha256: "6b86".into() },
    );
    assert_eq!(world.state.outbox().parcels().count(), 0);
    world.sweep(day(1));
    assert_eq!(world.deliver(day(1)).len(), 2, "they are given notice anew");
}

#[test]
fn news_that_nobody_heard_within_a_day_is_not_sent() {
    let mut world = mk_world(Mode::Deactivate, 1);
    (world.policy.notices.required, world.policy.notices.channels) = (false, Vec::new());
    world.run(0, 7);
    assert_eq!(world.state_of(0), "deactivated");
    assert_eq!(world.state.outbox().items().count(), 1);
    let finished = || Body::SweepFinished {
        took: days(0),
        scanned: 1,
        failed: 0,
        skipped: 0,
        complete: true,
        keys: 1,
        unknown_keys: 0,
        stale: None,
        idle_exemptions: std::collections::BTreeSet::new(),
        busy_exemptions: std::collections::BTreeSet::new(),
    };
    world.write(day(8), finished());
    assert_eq!(world.state.outbox().items().count(), 1);
    world.write(day(9), finished());
    assert_eq!(world.state.outbox().items().count(), 0);
}

#[test]
fn a_closed_message_is_remembered_for_a_week() {
    let mut world = mk_world(Mode::Deactivate, 2);
    world.sweep(day(0));
    world.deliver(day(0));
    let message = world.state.outbox().messages().next().unwrap().clone();
    assert_eq!(message.status, Status::Delivered { at: day(0), via: address(DANA) });
    let finished = Body::SweepFinished {
        took: days(0),
        scanned: 1,
        failed: 0,
        skipped: 0,
        complete: true,
        keys: 1,
        unknown_keys: 0,
        stale: None,
        idle_exemptions: std::collections::BTreeSet::new(),
        busy_exemptions: std::collections::BTreeSet::new(),
    };
    world.write(day(7), finished.clone());
    assert_eq!(world.state.outbox().messages().count(), 1);
    world.write(day(8), finished);
    assert_eq!(world.state.outbox().messages().count(), 0);
    assert!(matches!(world.delivery(0), Delivery::Delivered { .. }), "the notice stays delivered");
}

#[test]
fn an_order_does_not_wait_for_a_notice_and_voids_an_undelivered_one() {
    let mut world = mk_world(Mode::Delete, 1);
    world.sweep(day(0));
    let message = world.post(day(0)).remove(0);
    let at = hours(1);
    world.happen(
        at,
        0,
        KeyEvent::Change(Change::Intent {
            action: keysweep_core::ticket::Action::Deactivate,
            origin: keysweep_core::ticket::Origin::Operator {
                actor: keysweep_core::state::Actor::local("ada"),
                reason: "leaked".into(),
            },
            why: "leaked".into(),
            deadline: mk_deadline(at),
            quarantine: None,
        }),
    );
    world.keys[0].status = KeyStatus::Inactive;
    let (last_use, sighting) = (used_at(day(-100)), mk_sighting(at));
    world.happen(
        at,
        0,
        KeyEvent::Change(Change::Deactivated { request_id: Some("1".into()), last_use, sighting }),
    );
    assert_eq!(world.standing(&message), []);
    assert!(world.record(0).unwrap().notice().is_none());
    world.sweep(day(1));
    let said_now = world.deliver(day(1));
    assert!(said_now.contains(&said(DANA, NoticeKind::DeletionAhead, 0)), "{said_now:?}");
}

#[test]
fn the_team_hears_of_a_key_that_works_again() {
    let mut world = mk_world(Mode::Deactivate, 1);
    world.sweep(day(0));
    world.deliver(day(0));
    world.run(7, 7);
    world.deliver(day(7));
    world.keys[0].status = KeyStatus::Active;
    world.sweep(day(8));
    assert!(world.names_of(0).contains(&KeyEvent::Seen(Seen::Reactivated { hold_until: day(9) }).name()));
    assert_eq!(world.deliver(day(8)), [said(TEAM, NoticeKind::Reactivated, 0)]);
}

#[test]
fn the_team_hears_once_of_an_owner_who_cannot_be_reached() {
    let mut world = mk_world(Mode::Deactivate, 1);
    let mut heard = Vec::new();
    for n in 0..6 {
        world.sweep(day(2 * n));
        for message in world.post(day(2 * n)) {
            match message.to.name.as_str() {
                DANA if !(3..=4).contains(&n) => world.give_up(day(2 * n), &message),
                _ => {
                    heard.extend(world.standing(&message).iter().map(|item| (n, item.kind)));
                    world.accept(day(2 * n), &message);
                }
            }
        }
        world.policy.base.notice = days(if n == 3 { 20 } else { 21 });
    }
    use NoticeKind::{DeactivationAhead, Undeliverable};
    assert_eq!(heard[..2], [(1, Undeliverable), (3, DeactivationAhead)], "{heard:?}");
    assert!(heard[2..].iter().all(|(n, _)| *n > 3), "{heard:?}");
}

#[test]
fn an_announcement_that_was_not_composed_in_time_is_sent_all_the_same() {
    let mut world = mk_world(Mode::Deactivate, 2);
    world.sweep(day(0));
    world.keys[1].last_use = Fact::Known(used_at(hours(3)));
    world.sweep(hours(6));
    let finished = Body::SweepFinished {
        took: days(0),
        scanned: 1,
        failed: 0,
        skipped: 0,
        complete: true,
        keys: 1,
        unknown_keys: 0,
        stale: None,
        idle_exemptions: std::collections::BTreeSet::new(),
        busy_exemptions: std::collections::BTreeSet::new(),
    };
    world.write(day(3), finished);
    assert_eq!(world.state.outbox().items().count(), 1, "what is void is not kept");
    assert_eq!(world.deliver(day(3)), [said(DANA, NoticeKind::DeactivationAhead, 0)]);
}

#[test]
fn no_announcements_are_composed_while_paused() {
    let mut world = mk_world(Mode::Deactivate, 1);
    world.write_as(
        keysweep_core::state::Actor::local("ada"),
        day(0),
        Body::Paused { reason: "read the list first".into() },
    );
    world.run(0, 4);
    assert_eq!(world.deliver(day(5)), []);
    world.resume(day(5));
    assert_eq!(world.deliver(day(5)), [said(DANA, NoticeKind::DeactivationAhead, 0)]);
    assert_eq!(world.run(5, 11), 0);
    assert_eq!(world.run(12, 12), 1);
}

#[test]
fn a_message_waits_for_further_notices_only_as_long_as_its_oldest_may() {
    let mut world = mk_world(Mode::Deactivate, 2);
    world.policy.notices.routes =
        vec![Route { group_wait: std::time::Duration::from_secs(12 * 3600), ..Route::default() }];
    let late = world.keys.pop().unwrap();
    world.sweep(hours(0));
    assert_eq!(world.post(hours(6)), []);
    world.keys.push(late);
    world.sweep(hours(11));
    assert_eq!(world.post(hours(11)), []);
    let ahead = |key| said(DANA, NoticeKind::DeactivationAhead, key);
    assert_eq!(world.deliver(hours(12)), [ahead(0), ahead(1)]);
    assert_eq!(world.deliver(hours(24)), []);
}

#[test]
fn an_undelivered_announcement_without_an_address_is_reported_once() {
    let mut world = mk_world(Mode::Deactivate, 1);
    world.sweep(day(0));
    // The channel went away between the plan and the message.
    world.policy.notices.channels = vec![ChannelKind::Slack];
    for hour in 1..9 {
        world.post(hours(hour));
    }
    let undelivered = world.names_of(0).iter().filter(|name| **name == "notice_undelivered").count();
    assert_eq!(undelivered, 1);
}

#[test]
fn a_pending_notice_to_an_address_that_has_changed_is_given_again() {
    let mut world = mk_world(Mode::Deactivate, 1);
    world.sweep(day(0));
    assert_eq!(world.post(day(0))[0].to.addresses, [address(DANA)]);
    world.policy.owners.default = Some("new@example.com".into());
    world.sweep(hours(6));
    world.sweep(hours(12));
    let open = world.post(hours(12));
    let standing: Vec<_> = open.iter().filter(|message| !world.standing(message).is_empty()).collect();
    assert_eq!(standing.len(), 1);
    assert_eq!(standing[0].to.addresses, [address("new@example.com")]);
}

#[test]
fn a_pending_notice_whose_message_is_gone_is_given_again() {
    let mut world = mk_world(Mode::Deactivate, 1);
    world.sweep(day(0));
    let message = world.post(day(0)).remove(0).number;
    world.write(hours(1), Body::MessageWithdrawn { message });
    for hour in [6, 12] {
        world.sweep(hours(hour));
    }
    assert_eq!(world.deliver(hours(12)), [said(DANA, NoticeKind::DeactivationAhead, 0)]);
    world.run(1, 6);
    assert_eq!(world.state_of(0), "flagged");
    world.run(7, 8);
    assert_eq!(world.state_of(0), "deactivated");
}

#[test]
fn an_owner_is_notified_once_a_key_is_no_longer_considered_a_honeytoken() {
    let mut world = mk_world(Mode::Deactivate, 1);
    world.keys[0].user_name = "prod-canary".parse().unwrap();
    world.policy.notices.protect = vec![address("decoys@example.com")];
    world.sweep(day(0));
    assert_eq!(world.deliver(day(0)).len(), 1);
    world.keys[0].user_name = "prod-app".parse().unwrap();
    for quarter in 1..4 {
        world.sweep(hours(quarter * 6));
    }
    assert_eq!(world.deliver(day(1)), [said(DANA, NoticeKind::DeactivationAhead, 0)]);
    assert_eq!(world.run(1, 7), 0, "the notice period of the owner has not passed");
    assert_eq!(world.run(8, 8), 1);
}

#[test]
fn an_item_stays_while_another_message_that_contains_it_is_open() {
    let mut world = mk_world(Mode::Deactivate, 1);
    world.policy.notices.notify = vec![address(TEAM), address("lead@example.com")];
    world.policy.owners.default = None;
    world.sweep(day(0));
    let messages = world.post(day(0));
    assert_eq!(messages.len(), 2, "each member of the team");
    world.accept(day(0), &messages[0]);
    let finished = Body::SweepFinished {
        took: days(0),
        scanned: 1,
        failed: 0,
        skipped: 0,
        complete: true,
        keys: 1,
        unknown_keys: 0,
        stale: None,
        idle_exemptions: std::collections::BTreeSet::new(),
        busy_exemptions: std::collections::BTreeSet::new(),
    };
    world.write(day(9), finished);
    assert!(world.state.outbox().message(messages[0].number).is_none());
    assert_eq!(world.standing(&messages[1]).len(), 1);
}
