//! What is kept of accounts and restraints, as the journal tells it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use keysweep_core::facts::Inventory;
use keysweep_core::finding::{Counts, FindingKind};
use keysweep_core::lifecycle::event::{Change, Note, Purpose, Seen};
use keysweep_core::lifecycle::{KeyEvent, RefusedKind, StateName};
use keysweep_core::policy::Mode;
use keysweep_core::state::{
    Actor, Body, Configuration, Delta, Draft, Entry, Reach, Receipt, State, Stop, SweepSummary, Term,
    TripReason, Weight,
};
use keysweep_core::ticket::{Action, Origin};

use crate::mk::*;

fn mk_world() -> World {
    World::new(mk_policy(Mode::Delete), vec![mk_key(0)])
}

fn scanned(world: &mut World, at: Timestamp) {
    let collection = world.collection(at);
    world.observe(&collection);
}

fn failed(reason: &str) -> Body {
    Body::AccountFailed { account: mk_account_id(0), name: "prod".into(), reason: reason.into() }
}

fn reach(world: &World) -> Reach {
    world.state.account(mk_account_id(0)).unwrap().reach.clone()
}

#[test]
fn an_account_is_out_of_reach_since_the_first_failure_and_for_the_last_reason() {
    let mut world = mk_world();
    world.write(day(0), failed("denied"));
    world.write(day(1), failed("throttled"));
    assert_eq!(reach(&world), Reach::Failed { since: day(0), reason: "throttled".into() });
    let account = world.state.account(mk_account_id(0)).unwrap();
    assert_eq!((account.name.as_str(), account.last_success), ("prod", None));
    let why = world.state.out_of_reach(mk_account_id(0));
    assert_eq!(why.as_deref(), Some("account could not be scanned: throttled"));
    scanned(&mut world, day(2));
    assert_eq!((reach(&world), world.state.out_of_reach(mk_account_id(0))), (Reach::Scanned, None));
    world.write(day(3), failed("denied"));
    assert_eq!(reach(&world), Reach::Failed { since: day(3), reason: "denied".into() });
    let (account, name, reason) = (mk_account_id(0), String::new(), "excluded".into());
    world.write(day(4), Body::AccountSkipped { account, name, reason });
    assert_eq!(reach(&world), Reach::Skipped { since: day(4), reason: "excluded".into() });
    world.write(day(5), failed("denied"));
    assert_eq!(reach(&world), Reach::Failed { since: day(5), reason: "denied".into() });
    world.write(day(6), Body::AccountLeft { account });
    assert_eq!(reach(&world), Reach::Left { since: day(6) });
    let why = format!("account left the organization by {}", day(6));
    assert_eq!(world.state.out_of_reach(account), Some(why));
    assert_eq!(world.state.account(account).unwrap().last_success, Some(day(2)));
}

#[test]
fn what_is_told_of_an_account_that_nobody_knows_makes_no_record_of_it() {
    let mut world = mk_world();
    let (account, findings) = (mk_account_id(5), Counts::new([(FindingKind::Unused, 1)], 0));
    world.write(day(0), Body::AccountFindings { account, findings: findings.clone() });
    world.write(day(0), Body::AccountLeft { account });
    assert!(world.state.records().next().is_none() && world.state.account(account).is_none());
    // What was found stays until something else is told.
    let account = mk_account_id(0);
    scanned(&mut world, day(1));
    world.write(day(1), Body::AccountFindings { account, findings: findings.clone() });
    scanned(&mut world, day(2));
    assert_eq!(world.state.account(account).unwrap().findings, findings);
    assert_eq!(
        world.state.account(account).unwrap().inventory,
        Inventory { active_keys: 1, ..Inventory::default() }
    );
}

fn swept(complete: bool) -> Body {
    let (took, scanned, failed, skipped) = (INTERVAL, 7, 2, 4);
    Body::SweepFinished {
        took,
        scanned,
        failed,
        skipped,
        complete,
        keys: 5,
        unknown_keys: 3,
        stale: Some(4),
        idle_exemptions: std::collections::BTreeSet::from(["users = [\"ci-*\"]".to_owned()]),
        busy_exemptions: std::collections::BTreeSet::new(),
    }
}

#[test]
fn a_sweep_counts_every_account_and_is_a_baseline_only_if_its_list_is_complete() {
    let mut world = mk_world();
    world.write(day(0), swept(false));
    let (took, at) = (INTERVAL, day(0));
    let summary = SweepSummary { at, took, scanned: 7, failed: 2, skipped: 4, keys: 5, unknown_keys: 3 };
    assert_eq!(world.state.control().last_sweep, Some(summary));
    assert_eq!(world.state.control().accounts, None);
    world.write(day(1), swept(true));
    assert_eq!(world.state.control().accounts, Some(13));
}

#[test]
fn a_new_journal_is_introduced_when_keysweep_paused_or_somebody_resumed() {
    let pause = || Body::Paused { reason: "a new data_dir".into() };
    let mut world = mk_world();
    assert!(!world.state.control().introduced);
    world.write_as(Actor::local("ada"), day(0), pause());
    assert!(!world.state.control().introduced && !world.state.control().paused_by_keysweep());
    world.write(day(0), pause());
    assert!(world.state.control().introduced && world.state.control().paused_by_keysweep());
    world.write_as(Actor::local("bob"), day(0), pause());
    assert!(world.state.control().introduced, "another pause forgets nothing");
    let mut world = mk_world();
    let resumed = Body::Resumed { pauses: [7].into(), reason: "none is there".into() };
    world.write_as(Actor::local("ada"), day(0), resumed);
    assert!(world.state.control().introduced);
}

fn intent(action: Action, at: Timestamp) -> KeyEvent {
    let (origin, why, deadline) = (Origin::Policy, String::new(), mk_deadline(at));
    KeyEvent::Change(Change::Intent { action, origin, why, deadline, quarantine: None })
}

/// A world of flagged keys, one to an account.
fn mk_flagged(keys: usize) -> World {
    let keys = (0..keys).map(|n| keysweep_core::facts::KeyFacts { account: mk_account_id(n), ..mk_key(n) });
    let mut world = World::new(mk_policy(Mode::Delete), keys.collect());
    world.sweep(day(0));
    world
}

fn refuse(world: &mut World, at: Timestamp, key: usize, kind: RefusedKind) {
    world.happen(at, key, intent(Action::Deactivate, at));
    let (action, detail) = (Action::Deactivate, "503".into());
    world.happen(at, key, KeyEvent::Change(Change::Refused { action, kind, detail }));
}

#[test]
fn changes_count_for_a_day_and_are_remembered_for_a_fortnight() {
    let mut world = mk_flagged(3);
    let second = SignedDuration::from_secs(1);
    refuse(&mut world, day(1), 0, RefusedKind::Denied);
    let counted = |world: &World, now| {
        let control = world.state.control();
        assert_eq!(control.failed_accounts(now).len(), control.all_parked(now).count());
        assert_eq!(control.parked(mk_account_id(0), now).is_some(), control.all_parked(now).count() > 0);
        (control.changes_of_a_day(now).count(), control.failed_accounts(now).len())
    };
    assert_eq!(counted(&world, day(1)), (1, 1));
    assert_eq!(counted(&world, day(2) - second), (1, 1));
    assert_eq!(counted(&world, day(2)), (0, 0));
    assert_eq!(counted(&world, day(0)), (1, 1), "a clock that went back forgives nothing");
    refuse(&mut world, day(15), 1, RefusedKind::Transient);
    let remembered = |world: &World| {
        let control = world.state.control();
        (control.changes.len(), control.failures.len(), control.parks.len())
    };
    assert_eq!(remembered(&world), (2, 2, 1));
    refuse(&mut world, day(15) + second, 2, RefusedKind::Transient);
    assert_eq!(remembered(&world), (2, 2, 0));
    // A clock that is far behind forgets nothing either.
    refuse(&mut world, day(-300), 2, RefusedKind::Transient);
    assert_eq!(remembered(&world), (3, 3, 1));
    let actions = world.state.control().changes.iter().map(|change| change.action);
    assert_eq!(actions.collect::<Vec<_>>(), [Action::Deactivate; 3]);
}

#[test]
fn an_undo_is_no_change_under_a_cap() {
    let mut world = mk_world();
    assert_eq!(world.run(0, 7), 1);
    let changes = world.state.control().changes.len();
    world.happen(day(8), 0, intent(Action::Reactivate, day(8)));
    assert_eq!((changes, world.state.control().changes.len()), (1, 1));
}

#[test]
fn an_operator_who_ends_a_park_lets_the_keys_of_that_account_go_on_and_no_others() {
    let mut world = mk_flagged(2);
    for key in 0..2 {
        refuse(&mut world, day(1), key, RefusedKind::Transient);
    }
    let resting = |world: &World| [0, 1].map(|n| world.state.control().resting(&mk_key_id(n), day(1)));
    assert_eq!(resting(&world), [Some(day(2)); 2]);
    world.write(day(1), Body::AccountUnparked { account: mk_account_id(0), reason: "fixed".into() });
    assert_eq!(resting(&world), [None, Some(day(2))]);
    // The next failure in that account is the first of a row again, and elsewhere it is the second.
    for (key, parked) in [(0, false), (1, true)] {
        refuse(&mut world, day(1), key, RefusedKind::Transient);
        assert_eq!(world.state.control().parked(mk_account_id(key), day(1)).is_some(), parked, "{key}");
    }
}

#[test]
fn a_reset_forgives_failures_where_they_were_what_tripped_the_breaker() {
    for (reason, forgiven) in [
        (TripReason::Failures { accounts: 3, limit: 3 }, true),
        (TripReason::Surge { newly_due: 40, limit: 20 }, false),
    ] {
        let mut world = mk_flagged(1);
        refuse(&mut world, day(1), 0, RefusedKind::Denied);
        world.write(day(1), Body::BreakerTripped { reason });
        world.reset_breaker(day(1), None);
        let weights = world.state.control().failures.iter().map(|failure| failure.weight);
        let expected = if forgiven { Weight::None } else { Weight::Full };
        assert_eq!(weights.collect::<Vec<_>>(), [expected]);
        assert_eq!(world.state.control().failed_accounts(day(1)).is_empty(), forgiven);
        assert!(world.state.control().breaker.is_none());
    }
}

#[test]
fn a_reset_keeps_the_size_of_the_organization_unless_it_names_another() {
    let mut world = mk_world();
    world.write(day(0), swept(true));
    world.reset_breaker(day(1), None);
    assert_eq!(world.state.control().accounts, Some(13));
    world.reset_breaker(day(1), Some(4));
    assert_eq!(world.state.control().accounts, Some(4));
}

#[test]
fn terms_that_changed_are_told_with_both_values() {
    let of = |terms: &[(&str, &str)]| {
        let terms = terms.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Configuration { hash: "6b86b273".into(), terms }
    };
    let term = |before: Option<&str>, now: Option<&str>| Term {
        before: before.map(str::to_owned),
        now: now.map(str::to_owned),
    };
    let (before, now) =
        (of(&[("a", "1"), ("b", "2"), ("c", "3")]), of(&[("b", "2"), ("c", "4"), ("d", "5")]));
    let expected: BTreeMap<_, _> = [
        ("a".to_owned(), term(Some("1"), None)),
        ("c".to_owned(), term(Some("3"), Some("4"))),
        ("d".to_owned(), term(None, Some("5"))),
    ]
    .into();
    assert_eq!(now.changed_since(&before), expected);
    assert_eq!(now.changed_since(&now), BTreeMap::new());
}

#[test]
fn the_configuration_in_force_is_the_last_one_that_was_told() {
    let mut world = mk_world();
    let configuration = |hash: &str| Configuration { hash: hash.into(), terms: BTreeMap::new() };
    let (version, run, changed) = ("0.1.0".into(), 1, BTreeMap::new());
    world.write(day(0), Body::Started { version, run, configuration: configuration("a"), changed });
    assert_eq!(world.state.control().configuration.hash, "a");
    world.write(day(1), Body::Configured { configuration: configuration("b"), changed: BTreeMap::new() });
    assert_eq!(world.state.control().configuration.hash, "b");
}

#[test]
fn stops_are_told_with_the_pauses_first_and_since_when() {
    let mut world = mk_world();
    world.write(day(1), Body::BreakerTripped { reason: TripReason::ClockSkew { seconds: 900 } });
    let reference =
        keysweep_core::references::Reference { rule: "policy.exempt".into(), what: "user a".into() };
    world.write(day(2), Body::ReferenceMissing { reference: reference.clone() });
    world.write(day(3), Body::ReferenceMissing { reference });
    world.write(day(4), Body::Paused { reason: "freeze".into() });
    let stops: Vec<_> = world.state.control().stops(&world.policy).collect();
    assert!(matches!(stops[..], [Stop::Paused(_), Stop::Breaker(_), Stop::Reference(_)]), "{stops:?}");
    assert_eq!(stops.iter().map(Stop::since).collect::<Vec<_>>(), [day(4), day(1), day(2)]);
    assert_eq!(world.state.control().references.len(), 1, "it is told once");
}

/// The receipt of what is written as entry 77.
#[allow(clippy::disallowed_methods, reason = "a journal in memory")]
fn receipt_of(world: &World, body: Body) -> Receipt {
    let entry = Entry { seq: 77, at: day(9), actor: Actor::Keysweep, body };
    Draft::new(&world.state, &Delta::default()).apply(&entry).unwrap().written()
}

/// That of an event of key 0.
fn receipt(world: &World, event: KeyEvent) -> Receipt {
    receipt_of(world, Body::Key { account: mk_account_id(0), key: mk_key_id(0), event })
}

#[test]
fn a_receipt_tells_which_entry_it_is_of_and_from_which_state_it_led_to_which() {
    let mut world = mk_world();
    let flagged = KeyEvent::Seen(Seen::Flagged {
        finding: FindingKind::Unused,
        named: crate::journal::mk_named(0),
        last_use: used_at(day(-100)),
    });
    let of = receipt(&world, flagged);
    assert_eq!((of.seq(), of.transition()), (77, Some((StateName::Active, StateName::Flagged))));
    world.sweep(day(0));
    let user_name = "renamed".parse().unwrap();
    assert_eq!(receipt(&world, KeyEvent::Record(Note::Renamed { user_name })).transition(), None);
    let absent = receipt(&world, KeyEvent::Seen(Seen::Absent));
    assert_eq!(absent.transition(), Some((StateName::Flagged, StateName::Gone)));
    // What is forgotten goes nowhere.
    let forgotten = KeyEvent::Record(Note::Forgotten { unsettled: None, reason: "tidy".into() });
    assert_eq!(receipt(&world, forgotten).transition(), None);
}

#[test]
fn each_actor_comes_by_a_channel_of_its_own() {
    let name = || "ada".to_owned();
    let actors = [
        Actor::Keysweep,
        Actor::local("ada"),
        Actor::token(name()),
        Actor::Oidc { subject: "00u1".into(), name: name() },
        Actor::Slack { id: "U012".into(), name: name() },
        Actor::Link { owner: name() },
    ];
    assert_eq!(actors.each_ref().map(Actor::channel), ["keysweep", "cli", "api", "page", "slack", "link"]);
    let shown = ["keysweep", "ada", "token ada", "ada (OIDC 00u1)", "ada (Slack U012)", "link to ada"];
    assert_eq!(actors.map(|actor| actor.to_string()), shown);
    let sudo = |login: &str| Actor::Local { user: "root".into(), login: Some(login.into()) }.to_string();
    assert_eq!((sudo("ada").as_str(), sudo("root").as_str()), ("root (login ada)", "root"));
}

#[test]
fn a_state_that_is_put_together_from_its_parts_is_the_same() {
    let mut world = mk_world();
    world.write(day(0), Body::Paused { reason: "freeze".into() });
    world.sweep(day(0));
    let state = &world.state;
    let records = state.records().map(|record| (record.identity.key.clone(), record.clone())).collect();
    let accounts = state.accounts().map(|(id, account)| (id, account.clone())).collect();
    let again = State::from_parts(records, accounts, state.control().clone());
    assert_eq!(again, world.state);
    assert!(again.record(&mk_key_id(0)).is_some() && again.account(mk_account_id(0)).is_some());
    assert_eq!(again.control().pauses.len(), 1);
}

#[test]
fn a_key_rests_only_after_a_failure_that_passes() {
    for (kind, rests) in [
        (RefusedKind::Denied, false),
        (RefusedKind::Gone, false),
        (RefusedKind::Other, false),
        (RefusedKind::Throttled, true),
        (RefusedKind::Transient, true),
    ] {
        let mut world = mk_flagged(1);
        refuse(&mut world, day(1), 0, kind);
        let control = world.state.control();
        assert_eq!(control.resting(&mk_key_id(0), day(1)).is_some(), rests, "{kind:?}");
        assert_eq!(control.parked(mk_account_id(0), day(1)).is_some(), !rests, "{kind:?}");
    }
}

#[test]
fn a_success_elsewhere_forgives_a_single_fault_and_no_second_one() {
    for (faults, counts) in [(1, false), (2, true)] {
        let mut world = mk_flagged(2);
        for _ in 0..faults {
            refuse(&mut world, day(1), 0, RefusedKind::Transient);
        }
        assert!(world.state.control().failed_accounts(day(1)).contains(&mk_account_id(0)));
        world.happen(day(1), 1, intent(Action::Deactivate, day(1)));
        let (last_use, sighting) = (used_at(day(-100)), mk_sighting(day(1)));
        world.happen(
            day(1),
            1,
            KeyEvent::Change(Change::Deactivated { request_id: None, last_use, sighting }),
        );
        assert_eq!(!world.state.control().failed_accounts(day(1)).is_empty(), counts, "{faults}");
    }
}

#[test]
fn a_deletion_needs_the_receipt_of_its_own_bundle_and_of_its_own_intent() {
    let warrant = || {
        let mut world = World::new(mk_policy(Mode::Delete), vec![mk_key(0), mk_key(1)]);
        world.run(0, 20);
        let ticket = world.sweep(day(21)).take_effects().0.remove(0);
        assert_eq!((ticket.action(), &ticket.identity().key), (Action::Delete, &mk_key_id(0)));
        let warrant = world.recheck(day(21), ticket).unwrap();
        (world, warrant)
    };
    let bundle_for = |purpose| {
        KeyEvent::Record(Note::BundleWritten { bundle: format!("{:064x}", 1).parse().unwrap(), purpose })
    };
    let (mut world, deletion) = warrant();
    let requested = receipt(&world, bundle_for(Purpose::Request));
    let deletion = deletion.evidenced(&requested).unwrap_err();
    let written = receipt(&world, bundle_for(Purpose::Deletion));
    world.happen(day(21), 0, mk_bundle(1));
    // Without a note of the bundle, the intent alone permits nothing.
    let deletion = deletion.recorded(receipt(&world, intent(Action::Delete, day(21)))).unwrap_err();
    let deletion = deletion.evidenced(&written).unwrap();
    let order = deletion.recorded(receipt(&world, intent(Action::Delete, day(21)))).unwrap();
    assert_eq!((order.intent(), order.action()), (77, Action::Delete));
    // A bundle of another key is none of this one.
    let (world, deletion) = warrant();
    let other = Body::Key { account: mk_account_id(0), key: mk_key_id(1), event: mk_bundle(1) };
    assert!(deletion.evidenced(&receipt_of(&world, other)).is_err());
}
