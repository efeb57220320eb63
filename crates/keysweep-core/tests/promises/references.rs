//! A rule that names nothing protects nothing (P9).

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::civil::date;
use keysweep_core::facts::{Collection, Fact, Ou, Outcome};
use keysweep_core::plan::{Next, Plan, Reason};
use keysweep_core::policy::{Exemption, Match, Mode, Policy};
use keysweep_core::references::{Choice, Met, Patterns, Reference, ReferenceCleared, Report, check, entries};
use keysweep_core::state::{Actor, Body, Control};

use crate::mk::*;

fn mk_exempting(matches: Match) -> Policy {
    let mut policy = mk_policy(Mode::Delete);
    policy.exemptions.push(Exemption { matches, reason: "never touch".into(), until: date(2030, 1, 1) });
    policy
}

fn mk_users(users: &[&str]) -> Match {
    Match { users: users.iter().map(|user| (*user).to_owned()).collect(), ..Match::default() }
}

/// An organization whose only account has these users, under `/ci/`.
fn mk_seen(policy: &Policy, users: &[&str]) -> Collection {
    let mut scan = mk_scan(day(0), vec![]);
    for user in users {
        Patterns::of(policy).see(&mut scan.met, &user.parse().unwrap(), "/ci/");
    }
    mk_collection(day(0), vec![(mk_account(0), scan)])
}

fn looked(policy: &Policy, collection: &Collection) -> Report {
    check(policy, day(0), &Choice::default(), collection).unwrap()
}

fn names(references: &BTreeSet<Reference>) -> Vec<&str> {
    references.iter().map(|reference| reference.what.as_str()).collect()
}

fn mk_missing(what: &str) -> Reference {
    Reference { rule: "policy.exempt { users = [\"break-glass\"] }".into(), what: what.into() }
}

fn waits(plan: &Plan) -> usize {
    let stopped = |key: &&keysweep_core::plan::PlannedKey| matches!(&key.next, Next::Wait { wait, .. } if wait.reason() == Reason::Reference);
    plan.keys.iter().filter(stopped).count()
}

#[test]
fn a_missing_user_stops_changes_until_acknowledged() {
    let mut world = World::new(mk_policy(Mode::Delete), vec![mk_key(0)]);
    let reference = mk_missing("user break-glass");
    world.write(day(0), Body::ReferenceMissing { reference: reference.clone() });
    assert_eq!(world.run(0, 9), 0);
    let plan = world.sweep(day(10));
    assert_eq!((plan.changes().count(), waits(&plan)), (0, 1));
    // Another value of the rule is another reference.
    let other = mk_missing("user break-glas");
    world.write(day(10), Body::RuleAcknowledged { reference: other, reason: "gone".into() });
    assert_eq!(world.sweep(day(11)).changes().count(), 0);
    world.write(day(11), Body::RuleAcknowledged { reference, reason: "she left".into() });
    assert_eq!(world.sweep_and_act(day(11)), 1);
    assert_eq!(world.state_of(0), "deactivated");
}

#[test]
fn a_missing_user_stops_no_undo() {
    let mut world = World::new(mk_policy(Mode::Delete), vec![mk_key(0)]);
    world.run(0, 7);
    assert_eq!(world.state_of(0), "deactivated");
    world.write(day(8), Body::ReferenceMissing { reference: mk_missing("user break-glass") });
    let undo = keysweep_core::plan::undo(world.record(0).unwrap(), &Actor::local("ada"), "needed").unwrap();
    assert!(world.recheck(day(8), undo).is_ok());
}

#[test]
fn what_is_missing_stops_only_a_mode_that_changes_keys() {
    let mut world = World::new(mk_policy(Mode::Observe), vec![mk_key(0)]);
    world.write(day(0), Body::ReferenceMissing { reference: mk_missing("user break-glass") });
    assert_eq!(waits(&world.sweep(day(1))), 0);
}

#[test]
fn a_user_is_missing_only_where_all_were_seen() {
    let policy = mk_exempting(mk_users(&["break-glass", "svc-*", "old-*"]));
    let report = looked(&policy, &mk_seen(&policy, &["svc-a", "Break-Glas"]));
    assert_eq!(names(&report.missing), ["user break-glass"]);
    assert_eq!(names(&report.idle), ["user old-*"]);
    // IAM compares names without regard to case.
    assert_eq!(names(&looked(&policy, &mk_seen(&policy, &["BREAK-GLASS"])).found), ["user break-glass"]);

    let mut partly = mk_seen(&policy, &["svc-a"]);
    let Outcome::Scanned(scan) = &mut partly.accounts[0].1 else { panic!("it was scanned") };
    scan.met = Met { every_user: false, ..scan.met.clone() };
    let report = looked(&policy, &partly);
    assert_eq!((names(&report.missing), names(&report.unknown)), (vec![], vec!["user break-glass"]));
    assert_eq!(names(&report.idle), Vec::<&str>::new());

    let mut failed = mk_seen(&policy, &["svc-a"]);
    let other = keysweep_core::facts::AccountFacts { id: mk_account_id(1), ..mk_account(0) };
    failed.accounts.push((other, Outcome::Failed { reason: "throttled".into() }));
    assert_eq!(names(&looked(&policy, &failed).unknown), ["user break-glass"]);

    let mut of_one = mk_seen(&policy, &[]);
    of_one.complete = false;
    assert_eq!(check(&policy, day(0), &Choice::default(), &of_one), None);
}

#[test]
fn accounts_and_ous_are_looked_up_in_the_listing() {
    let (here, gone) = (mk_account_id(0), mk_account_id(9));
    let ou = |text: &str| text.parse::<keysweep_core::ids::OuId>().unwrap();
    let (prod, empty, made_anew) = (ou("ou-ab12-00000001"), ou("ou-ab12-00000002"), ou("ou-ab12-00000003"));
    let ous = vec![prod.clone(), empty.clone(), made_anew.clone()];
    let policy = mk_exempting(Match { ous, accounts: vec![here, gone], ..Match::default() });
    let mut collection = mk_seen(&policy, &[]);
    collection.accounts[0].0.ous = Fact::Known(vec![Ou { id: prod.clone(), name: "prod".into() }]);
    collection.ous = Some(Fact::Known([prod, empty.clone()].into()));
    let report = looked(&policy, &collection);
    assert_eq!(names(&report.missing), [format!("OU {made_anew}"), format!("account {gone}")]);
    assert_eq!(names(&report.idle), [format!("OU {empty}, in which there is no account")]);

    // A tree that could not be read tells nothing.
    collection.ous = Some(Fact::Unknown("throttled".into()));
    assert_eq!(names(&looked(&policy, &collection).missing), [format!("account {gone}")]);
    assert_eq!(looked(&policy, &collection).unknown.len(), 3);
}

#[test]
fn exclusions_are_looked_up_as_rules_are() {
    let policy = mk_policy(Mode::Delete);
    let mut collection = mk_seen(&policy, &[]);
    collection.ous = Some(Fact::Known(BTreeSet::new()));
    let (ous, accounts) = (["ou-ab12-zzzzzzzz".parse().unwrap()], ["123123123123".parse().unwrap()]);
    let choice = Choice { exclude_ous: &ous, exclude_accounts: &accounts, include_ous: &ous };
    let report = check(&policy, day(0), &choice, &collection).unwrap();
    assert_eq!(names(&report.missing), ["account 123123123123", "OU ou-ab12-zzzzzzzz"]);
    // Where the scan is limited to what is not there, nothing is changed that should not be.
    assert_eq!(names(&report.idle), ["OU ou-ab12-zzzzzzzz"]);
}

#[test]
fn a_lapsed_exemption_is_not_looked_up() {
    let mut policy = mk_exempting(mk_users(&["break-glass"]));
    policy.exemptions[0].until = date(2020, 1, 1);
    assert_eq!(looked(&policy, &mk_seen(&policy, &[])), Report::default());
}

#[test]
fn paths_and_tags_that_match_nothing_stop_nothing() {
    let tags = [("keep".to_owned(), "yes".to_owned())].into();
    let paths = vec!["/ci/".to_owned(), "/ops/".to_owned()];
    let policy = mk_exempting(Match { paths, user_tags: tags, ..Match::default() });
    let mut collection = mk_seen(&policy, &["a"]);
    let report = looked(&policy, &collection);
    assert_eq!((report.missing.len(), names(&report.idle)), (0, vec!["path /ops/"]));
    let Outcome::Scanned(scan) = &mut collection.accounts[0].1 else { panic!("it was scanned") };
    scan.keys.push(mk_key(0).into());
    Arc::make_mut(&mut scan.keys[0]).tags = Fact::Unknown("denied".into());
    assert_eq!(names(&looked(&policy, &collection).idle), ["path /ops/"]);
    let Outcome::Scanned(scan) = &mut collection.accounts[0].1 else { panic!("it was scanned") };
    Arc::make_mut(&mut scan.keys[0]).tags = Fact::Known([("keep".to_owned(), "no".to_owned())].into());
    assert_eq!(names(&looked(&policy, &collection).idle), ["path /ops/", "user tag keep = \"yes\""]);
    let Outcome::Scanned(scan) = &mut collection.accounts[0].1 else { panic!("it was scanned") };
    Arc::make_mut(&mut scan.keys[0]).tags = Fact::Known([("Keep".to_owned(), "yes".to_owned())].into());
    assert_eq!(names(&looked(&policy, &collection).idle), ["path /ops/"]);
}

#[test]
fn the_journal_follows_what_exists() {
    let reference = mk_missing("user break-glass");
    let only = |reference: &Reference| BTreeSet::from([reference.clone()]);
    let missing = Report { missing: only(&reference), ..Report::default() };
    let wrote = entries(&Control::default(), &missing);
    assert_eq!(wrote, [Body::ReferenceMissing { reference: reference.clone() }]);

    let mut world = World::new(mk_policy(Mode::Delete), vec![]);
    world.write(day(0), wrote[0].clone());
    world.write(day(0), Body::RuleAcknowledged { reference: reference.clone(), reason: "known".into() });
    let control = world.state.control();
    // What nobody knows ends no stop, and begins none.
    let unknown = Report { unknown: only(&reference), ..Report::default() };
    for same in [&missing, &unknown] {
        assert_eq!(entries(control, same), []);
    }
    assert_eq!(entries(&Control::default(), &unknown), []);
    let found = Report { found: only(&reference), ..Report::default() };
    for (report, why) in [(found, ReferenceCleared::Found), (Report::default(), ReferenceCleared::Removed)] {
        let cleared = entries(control, &report);
        assert_eq!(cleared, [Body::ReferenceCleared { reference: reference.clone(), why }]);
        // An acknowledgement does not outlive what it was about.
        let mut world = world.clone();
        world.write(day(1), cleared[0].clone());
        world.write(day(2), Body::ReferenceMissing { reference: reference.clone() });
        let missing = world.state.control().unacknowledged();
        assert_eq!(missing.map(|missing| &missing.reference), Some(&reference));
    }
}

#[test]
fn no_more_than_a_hundred_missing_references_are_journaled() {
    let many = |from: usize, to: usize| (from..to).map(|n| mk_missing(&format!("user {n:03}"))).collect();
    let report = |missing: BTreeSet<Reference>| Report { missing, ..Report::default() };
    assert_eq!(entries(&Control::default(), &report(many(0, 150))).len(), 100);
    let mut world = World::new(mk_policy(Mode::Delete), vec![]);
    for body in entries(&Control::default(), &report(many(0, 99))) {
        world.write(day(0), body);
    }
    let control = world.state.control();
    let added = |report: &Report| {
        let entries = entries(control, report);
        let cleared = entries.iter().filter(|body| matches!(body, Body::ReferenceCleared { .. })).count();
        (cleared, entries.len() - cleared)
    };
    assert_eq!(added(&report(many(0, 105))), (0, 1));
    assert_eq!(added(&report(many(10, 150))), (10, 11), "those that are cleared make room");
}

#[test]
fn a_rule_for_no_account_that_is_scanned_tells_nothing_of_users() {
    let gone = mk_account_id(9);
    let users = mk_users(&["break-glass", "svc-*"]);
    let policy = mk_exempting(Match { accounts: vec![gone], ..users.clone() });
    let report = looked(&policy, &mk_seen(&policy, &["break-glass"]));
    assert_eq!(names(&report.missing), [format!("account {gone}")]);
    assert_eq!((names(&report.unknown), names(&report.idle)), (vec!["user break-glass"], vec![]));

    let empty: keysweep_core::ids::OuId = "ou-ab12-00000002".parse().unwrap();
    let policy = mk_exempting(Match { ous: vec![empty.clone()], ..users });
    let mut collection = mk_seen(&policy, &["break-glass"]);
    collection.accounts[0].0.ous = Fact::Known(vec![]);
    collection.ous = Some(Fact::Known([empty.clone()].into()));
    let report = looked(&policy, &collection);
    let idle = [format!("OU {empty}, in which there is no account"), "the choice of accounts".to_owned()];
    assert_eq!(
        (names(&report.unknown), names(&report.idle)),
        (vec!["user break-glass"], idle.each_ref().map(String::as_str).to_vec())
    );
    // One of which nobody knows where it is may be in it.
    collection.accounts[0].0.ous = Fact::Unknown("throttled".into());
    collection.accounts[0].1 = Outcome::Failed { reason: "throttled".into() };
    let report = looked(&policy, &collection);
    assert_eq!((names(&report.unknown), names(&report.idle)), (vec!["user break-glass"], vec![]));
}
