//! Recipients whom no message reaches: how many there are does not change until one is reached or nothing is left to say.

use super::*;

impl World {
    /// A sweep with its end, which tidies the outbox, and then the messages that are due.
    fn sweep_to_the_end(&mut self, at: Timestamp) -> Vec<Message> {
        self.sweep(at);
        let (took, complete) = (days(0), true);
        let (scanned, failed, skipped, keys, unknown_keys) = (1, 0, 0, 1, 0);
        let (idle_exemptions, busy_exemptions) = (BTreeSet::new(), BTreeSet::new());
        let finished = Body::SweepFinished {
            took,
            scanned,
            failed,
            skipped,
            complete,
            keys,
            unknown_keys,
            stale: None,
            idle_exemptions,
            busy_exemptions,
        };
        self.write(at, finished);
        self.post(at)
    }

    fn dead(&self) -> Vec<&str> {
        let dead = notice::dead_recipients(&self.policy.notices, &self.state);
        dead.into_iter().map(|to| to.name.as_str()).collect()
    }

    /// Sweeps every six hours. Messages to this recipient are given up so many hours after they were composed, others are
    /// delivered. Returns the hours in which the recipient was dead.
    fn sweep_with_dead(&mut self, name: &str, hours_to_try: i64, until: i64) -> Vec<i64> {
        let mut dead = Vec::new();
        for hour in (0..until).step_by(6) {
            for message in self.sweep_to_the_end(hours(hour)) {
                if message.to.name != name {
                    self.accept(hours(hour), &message);
                } else if message.at + jiff::SignedDuration::from_hours(hours_to_try) <= hours(hour) {
                    self.give_up(hours(hour), &message);
                }
            }
            if self.dead().contains(&name) {
                dead.push(hour);
            }
        }
        dead
    }
}

#[test]
fn an_address_that_never_works_stays_a_dead_letter() {
    for hours_to_try in [24, 7 * 24] {
        let mut world = mk_world(Mode::Deactivate, 1);
        let dead = world.sweep_with_dead(DANA, hours_to_try, 40 * 24);
        let first = hours_to_try;
        assert_eq!(dead, (first..40 * 24).step_by(6).collect::<Vec<_>>(), "given up after {hours_to_try} h");
        let given_up = world.names_of(0).iter().filter(|name| **name == "notice_undelivered").count();
        assert!(given_up > 3, "{given_up}");
        assert!(world.state.outbox().parcels().count() <= 20, "the outbox stays small");
    }
}

#[test]
fn a_team_address_that_never_works_stays_a_dead_letter() {
    let mut world = mk_world(Mode::Deactivate, 12);
    // A key a day has no owner.
    world.policy.owners.default = None;
    let keys = std::mem::take(&mut world.keys);
    let mut dead = Vec::new();
    for (day, key) in (0..12).zip(keys) {
        world.keys.push(key);
        for hour in (day * 24..day * 24 + 24).step_by(6) {
            for message in world.sweep_to_the_end(hours(hour)) {
                if message.at + jiff::SignedDuration::from_hours(12) <= hours(hour) {
                    world.give_up(hours(hour), &message);
                }
            }
            dead.push(world.dead().len());
        }
    }
    assert_eq!(dead, [[0; 2].as_slice(), &[1; 46]].concat());
    world.policy.notices.notify = vec![address("lead@example.com")];
    assert_eq!(world.dead(), [""; 0], "nothing more is sent to the old address");
}

#[test]
fn a_delivery_ends_a_dead_letter() {
    let mut world = mk_world(Mode::Deactivate, 1);
    world.sweep_with_dead(DANA, 24, 60);
    assert_eq!(world.dead(), [DANA]);
    let message = world.sweep_to_the_end(hours(60)).remove(0);
    assert_eq!(world.dead(), [DANA], "keysweep tries again");
    world.accept(hours(61), &message);
    assert_eq!(world.dead(), [""; 0]);
    // Two days later than the delivery, the message before it is no dead letter again.
    for day in 3..20 {
        world.sweep_to_the_end(hours(day * 24));
        assert_eq!(world.dead(), [""; 0], "day {day}");
    }
}

#[test]
fn what_nobody_needs_to_learn_any_more_is_no_dead_letter() {
    let mk = || {
        let mut world = mk_world(Mode::Deactivate, 1);
        world.sweep_with_dead(DANA, 24, 30);
        assert_eq!(world.dead(), [DANA]);
        world
    };
    let mut used = mk();
    used.keys[0].last_use = Fact::Known(used_at(hours(31)));
    used.sweep_to_the_end(hours(36));
    assert_eq!(used.dead(), [""; 0], "the key is in use");

    let mut moved = mk();
    moved.policy.owners.default = Some("eve@example.com".into());
    moved.sweep_to_the_end(hours(36));
    assert_eq!(moved.dead(), [""; 0], "the address was corrected");

    let mut held = mk();
    let placed = Overlay::HoldPlaced { reason: "audit".into(), until: None };
    let (account, key) = (held.keys[0].account, held.keys[0].key.clone());
    held.write(hours(31), Body::Key { account, key, event: placed.into() });
    assert_eq!(held.dead(), [""; 0], "the key is on hold");
}

#[test]
fn a_recipient_to_whom_nothing_more_is_sent_is_forgotten_after_a_week() {
    let mut world = mk_world(Mode::Deactivate, 1);
    world.sweep(day(0));
    world.deliver(day(0));
    world.run(1, 7);
    let message = world.post(day(7)).remove(0);
    assert_eq!(world.standing(&message)[0].kind, NoticeKind::Deactivated);
    world.give_up(day(8), &message);
    for day in 8..30 {
        world.sweep_to_the_end(hours(day * 24));
        let expected: &[&str] = if day <= 15 { &[DANA] } else { &[] };
        assert_eq!(world.dead(), expected, "day {day}");
    }
}
