//! Rules that must hold whatever the organization, the policy and the past look like.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use keysweep_core::facts::{AccountFacts, Fact, KeyFacts, KeyStatus, Source};
use keysweep_core::ids::{AccessKeyId, UserName};
use keysweep_core::lifecycle::event::{Note, Seen};
use keysweep_core::lifecycle::{Hold, KeyEvent, Record, State as KeyState, When, next};
use keysweep_core::plan::{self, Next, View, Wait};
use keysweep_core::policy::Mode;
use keysweep_core::state::{Actor, Body, Delta, Draft, State, TripReason};
use keysweep_core::ticket::{Action, Planned};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngSeed};

use crate::journal::{histories, mk_event};
use crate::mk::*;
use crate::worlds::{NOW, events_of, plan_now, resolve, try_entry, worlds};

#[test]
fn the_made_up_worlds_are_full_of_steps() {
    let mut runner = proptest::test_runner::TestRunner::new(config());
    let mut stepping = 0;
    for _ in 0..256 {
        let mut world = worlds().new_tree(&mut runner).unwrap().current();
        let steps = world.sweep(hours(NOW)).take_effects().0;
        stepping += usize::from(steps.iter().any(|ticket| ticket.action() == Action::Deactivate));
        stepping += usize::from(steps.iter().any(|ticket| ticket.action() == Action::Delete));
    }
    assert!(stepping > 40, "{stepping} kinds of steps in 256 worlds: too few to learn from");
}

/// The same 256 cases in every run.
pub(crate) fn config() -> Config {
    Config {
        cases: 256,
        rng_seed: RngSeed::Fixed(20_260_101),
        failure_persistence: None,
        ..Config::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn events_in_any_order_never_panic_and_replay_gives_the_same(history in histories()) {
        prop_assert_eq!(crate::journal::mk_record(&history), crate::journal::mk_record(&history));
    }

    #[test]
    fn a_key_moves_along_the_rows_of_the_lifecycle_only(history in histories()) {
        let mut record = None;
        for (n, fill) in &history {
            let when = When { at: hours(fill.hour), seq: 1, actor: &Actor::Keysweep };
            let event = mk_event(*n, 0, fill);
            let name = |r: &Option<Record>| r.as_ref().map_or("active", |r| r.state.as_str());
            let before = name(&record);
            let held = record.as_ref().and_then(|r| r.held().cloned());
            let Ok(after) = next(mk_account_id(0), &mk_key_id(0), record.as_ref(), when, &event) else { continue };
            let step = (before, name(&after));
            let allowed = step.0 == step.1 || matches!(event, KeyEvent::Record(Note::Forgotten { .. })) || matches!(
                step,
                ("active", "flagged") | ("flagged", "active" | "deactivating" | "deactivated")
                    | ("deactivating", "deactivated" | "flagged" | "active") | ("deactivated", "active" | "deleting")
                    | ("deleting", "deleted" | "deactivated" | "active")
                    | ("active" | "flagged" | "deactivating" | "deactivated" | "deleting", "gone") | ("gone", "active")
            ) || matches!((step, &event), (("active" | "flagged" | "deactivating" | "deactivated", "deleted"), KeyEvent::Seen(Seen::Absent)));
            prop_assert!(allowed, "{} leads from {} to {}", event.name(), step.0, step.1);
            if matches!(step, ("deactivated" | "deleting", "active")) && !matches!(event, KeyEvent::Record(Note::Forgotten { .. })) {
                prop_assert!(after.as_ref().is_some_and(|r| r.held().is_some()), "what was reactivated is held");
            }
            if let (Some(held), Some(after)) = (&held, &after) {
                let operator = matches!(event.name(), "hold_released" | "hold_expired" | "forgotten");
                let until = |hold: &Hold| hold.until.unwrap_or(Timestamp::MAX);
                prop_assert!(
                    operator || after.held().is_some_and(|hold| until(hold) >= until(held)),
                    "{} shortened a hold", event.name()
                );
            }
            record = after;
        }
    }

    #[test]
    fn replaying_the_journal_at_once_or_in_groups_gives_the_same_state(world in worlds(), group in 1..9usize) {
        let mut state = State::default();
        for entries in world.journal.chunks(group) {
            let mut earlier = Delta::default();
            for entry in entries {
                let mut draft = Draft::new(&state, &earlier);
                draft.apply(entry).unwrap();
                let delta = draft.into_delta();
                earlier.extend(delta);
            }
            state.commit(earlier);
        }
        prop_assert_eq!(state, world.state);
    }

    #[test]
    fn planning_a_finished_plan_changes_nothing(mut world in worlds()) {
        let first = world.sweep(hours(NOW));
        let second = plan_now(&world);
        prop_assert_eq!(&second.entries, &vec![]);
        prop_assert_eq!(second.changes().collect::<Vec<_>>(), first.changes().collect::<Vec<_>>());
        // A key that the first plan dropped is not in the second; every other one is told the same.
        for key in second.keys {
            let mut before = first.keys.iter().find(|before| before.facts == key.facts).unwrap().clone();
            // Holds and requests get their numbers when they are journaled.
            before.record = world.state.shared_record(&key.facts.key);
            if let (Next::Wait { wait: Wait::Held { holds, .. }, .. }, Some(record)) = (&mut before.next, &before.record) {
                *holds = record.holds.clone();
            }
            prop_assert_eq!(before, key);
        }
    }

    #[test]
    fn what_is_planned_is_legal_and_names_only_keys_that_were_looked_at(mut world in worlds()) {
        let known: BTreeSet<_> = world.keys.iter().map(|key| (key.account, key.key.clone())).collect();
        let plan = world.sweep(hours(NOW));
        for body in &plan.entries {
            if let Body::Key { account, key, .. } = body {
                prop_assert!(known.contains(&(*account, key.clone())));
            }
        }
        let mut named = BTreeSet::new();
        for ticket in plan.changes() {
            prop_assert!(named.insert(ticket.identity().key.clone()), "one step a key");
            let facts = world.facts_of(&ticket.identity().key);
            prop_assert_eq!(Some(&ticket.identity().user_id), facts.user_id.known());
            prop_assert_eq!((ticket.identity().account, ticket.identity().created), (facts.account, facts.created));
        }
    }

    #[test]
    fn what_happens_to_a_key_does_not_depend_on_its_siblings(world in worlds()) {
        let together = plan_now(&world);
        for key in &world.keys {
            let alone = World { keys: vec![key.clone()], ..world.clone() };
            prop_assert_eq!(events_of(&together, key), events_of(&plan_now(&alone), key));
        }
    }

    #[test]
    fn every_step_has_everything_that_it_needs(mut world in worlds()) {
        let plan = world.sweep(hours(NOW));
        let control = world.state.control().clone();
        for ticket in plan.changes() {
            let facts = world.facts_of(&ticket.identity().key);
            let record = world.state.record(&ticket.identity().key).unwrap();
            let resolution = resolve(&world, facts).unwrap();
            let terms = &resolution.terms;
            let action = ticket.action().planned().unwrap();
            prop_assert!(terms.mode.permits(action));
            prop_assert!(resolution.exempt.is_none() && record.exempt.is_none() && record.holds.is_empty());
            prop_assert!(control.pauses.is_empty() && control.breaker.is_none());
            prop_assert!(control.parked(facts.account, hours(NOW)).is_none());
            prop_assert!(control.resting(&facts.key, hours(NOW)).is_none());
            prop_assert!(facts.last_use.known().is_some() && facts.user_id.known().is_some());
            prop_assert!(terms.window().is_open(hours(NOW)));
            let period = SignedDuration::try_from(terms.notice).unwrap();
            let (notice, approval) = match &record.state {
                KeyState::Flagged(data) => {
                    prop_assert_eq!((action, &facts.status), (Planned::Deactivate, &KeyStatus::Active));
                    (data.notice.clone().unwrap(), &data.approval)
                }
                KeyState::Deactivated(data) => {
                    prop_assert_eq!((action, &facts.status), (Planned::Delete, &KeyStatus::Inactive));
                    prop_assert!(data.watch.total >= terms.grace, "grace is watched in full");
                    let notice = data.notice.clone().unwrap();
                    prop_assert_eq!(notice.covers(), Planned::Delete);
                    (notice, &data.approval)
                }
                other => panic!("a step from {}", other.as_str()),
            };
            prop_assert!(notice.at + period <= hours(NOW) && notice.not_before(action).unwrap() <= hours(NOW));
            if terms.approval.wants(action) || facts.keys_of_user() > 2 {
                let approval = approval.as_ref().unwrap();
                prop_assert!(approval.is_granted() && approval.action == action);
                prop_assert!(approval.shown.last_use.is_same_use(facts.last_use.known().unwrap()));
            }
        }
    }

    #[test]
    fn in_observe_nothing_is_done_or_announced(mut world in worlds()) {
        world.policy.base.mode = Mode::Observe;
        for rule in &mut world.policy.overrides {
            rule.terms.mode = None;
        }
        let plan = plan_now(&world);
        prop_assert!(plan.changes().next().is_none());
        prop_assert!(plan.announcements().next().is_none());
        let started = ["noticed", "became_due", "approval_asked", "intent"];
        prop_assert!(!plan.entries.iter().any(|body| started.contains(&body.name())), "{:?}", plan.entries);
        let steps = |key: &plan::PlannedKey| matches!(key.next, Next::Step { .. });
        prop_assert!(!plan.keys.iter().any(steps));
    }

    #[test]
    fn nothing_about_a_key_with_an_unknown_fact_moves(mut world in worlds()) {
        let collection = world.collection(hours(NOW));
        world.observe(&collection);
        let before = world.state.clone();
        let plan = world.sweep(hours(NOW));
        for facts in &world.keys {
            let unknown = facts.last_use.known().is_none()
                || facts.user_id.known().is_none()
                || resolve(&world, facts).is_err();
            if !unknown {
                continue;
            }
            prop_assert!(!plan.changes().any(|ticket| ticket.identity().key == facts.key));
            for event in events_of(&plan, facts) {
                // What a person must hear of at once, and what only adds to what restrains.
                let may = ["reactivated", "last_use_moved", "listed_after_deletion", "renamed"];
                prop_assert!(may.contains(&event.name()), "{} for {facts:?}", event.name());
            }
            let was = before.record(&facts.key);
            if events_of(&plan, facts).is_empty() {
                prop_assert_eq!(world.state.record(&facts.key).map(|r| &r.state), was.map(|r| &r.state));
            }
        }
    }

    #[test]
    fn exempt_and_held_keys_never_step(mut world in worlds()) {
        let plan = world.sweep(hours(NOW));
        for ticket in plan.changes() {
            let record = world.state.record(&ticket.identity().key).unwrap();
            let exempt = resolve(&world, world.facts_of(&ticket.identity().key)).unwrap().exempt;
            prop_assert!(exempt.is_none() && record.holds.is_empty());
            let granted = world.state.control().exemptions_in_force(hours(NOW));
            let of_key = |key: &AccessKeyId| *key == record.identity.key;
            let of_user = |account, user: &UserName| account == record.identity.account && *user == record.user_name;
            for exemption in granted {
                let covers = exemption.key.as_ref().map_or_else(|| of_user(exemption.account, &exemption.user_name), of_key);
                prop_assert!(!covers, "{exemption}");
            }
        }
    }

    #[test]
    fn a_step_is_refused_when_any_fact_is_not_fresh_known_and_the_same(mut world in worlds(), spoil in 0..13usize) {
        let mut plan = world.sweep(hours(NOW));
        for ticket in plan.take_effects().0 {
            let mut facts = fresh(world.facts_of(&ticket.identity().key));
            match spoil {
                0 => facts.source = Source::Report,
                1 => facts.last_use = Fact::Unknown("denied".into()),
                2 => facts.user_id = Fact::Unknown("denied".into()),
                3 => facts.user_id = Fact::Known("AIDAEXAMPLE999999999".parse().unwrap()),
                4 => facts.account = mk_account_id(77),
                5 => facts.key = mk_key_id(77),
                6 => facts.created = day(-999),
                7 => facts.status = KeyStatus::Other("Expired".into()),
                8 => facts.status = match facts.status {
                    KeyStatus::Active => KeyStatus::Inactive,
                    KeyStatus::Inactive | KeyStatus::Other(_) => KeyStatus::Active,
                },
                9 => facts.policies = Fact::NotRead,
                10 => facts.policies = Fact::Unknown("denied".into()),
                11 => facts.policies = Fact::Known(mk_compromise()),
                _ => facts.last_use = Fact::Known(used_at(hours(NOW - 1))),
            }
            prop_assert!(world.recheck_with(hours(NOW), ticket, &facts).is_err(), "{facts:?}");
        }
    }

    #[test]
    fn a_step_that_nothing_changed_for_gets_its_warrant(mut world in worlds()) {
        let mut plan = world.sweep(hours(NOW));
        for ticket in plan.take_effects().0 {
            let (identity, action) = (ticket.identity().clone(), ticket.action());
            let warrant = world.recheck(hours(NOW), ticket).map_err(|e| TestCaseError::fail(format!("{e:?}")))?;
            prop_assert_eq!((warrant.identity(), warrant.action()), (&identity, action));
        }
    }

    #[test]
    fn an_undo_is_blocked_by_nothing_of_ours(mut world in worlds(), force in any::<bool>()) {
        if force {
            try_entry(&mut world, hours(NOW), Body::Paused { reason: "freeze".into() });
            let reason = TripReason::Failures { accounts: 9, limit: 1 };
            try_entry(&mut world, hours(NOW), Body::BreakerTripped { reason });
            let limits = &mut world.policy.limits;
            (limits.deactivations_per_day, limits.deletions_per_day) = (0, 0);
            limits.changes_per_account_per_day = 0;
        }
        for record in world.state.records() {
            let KeyState::Deactivated(_) = &record.state else { continue };
            let facts = world.facts_of(&record.identity.key);
            // Status and identity must be read; everything else may be unknown.
            let facts = KeyFacts {
                user_id: Fact::Known(record.identity.user_id.clone()),
                status: KeyStatus::Inactive,
                last_use: Fact::Unknown("denied".into()),
                tags: Fact::Unknown("denied".into()),
                path: Fact::Unknown("denied".into()),
                source: Source::Report,
                policies: Fact::NotRead,
                trail: Fact::NotRead,
                ..facts.clone()
            };
            let ticket = plan::undo(record, &Actor::local("ada"), "in use").unwrap();
            let account = AccountFacts { id: facts.account, ..mk_account(0) };
            let view = View { account: &account, facts: &facts, sighting: &mk_sighting(day(-900)) };
            let agreement = plan::recheck(&world.context(hours(NOW)), &ticket, &view);
            let agreement = agreement.map_err(|e| TestCaseError::fail(format!("{e:?}")))?;
            let warrant = ticket.agreed(agreement).unwrap();
            prop_assert_eq!((warrant.action(), warrant.identity()), (Action::Reactivate, &record.identity));
            prop_assert!(warrant.exempt_tags().is_empty());
        }
    }
}
