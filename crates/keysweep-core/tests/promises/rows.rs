//! What a scan shows: one row for each key, and what was not looked at.

use keysweep_core::facts::{AccountFacts, Collection, Fact, Inventory, KeyFacts, Outcome, Source};
use keysweep_core::finding::{FindingKind, Severity};
use keysweep_core::lifecycle::INCIDENT_REMEDY;
use keysweep_core::plan::{self, Need, Next, Recheck, Unknown, Wait};
use keysweep_core::policy::{ApprovalFor, Mode};
use keysweep_core::render::{self, FindingRow, NextAction};
use keysweep_core::state::{Body, TripReason};
use keysweep_core::ticket::{Action, Planned};

use crate::mk::*;

fn rows(world: &World, collection: &Collection) -> Vec<FindingRow> {
    let plan = plan::plan(collection.at, &world.policy, &world.state, collection);
    render::rows(collection.at, collection, &plan, &world.state)
}

/// Stale keys, one to an account.
fn mk_world(keys: usize) -> World {
    let keys = (0..keys).map(|n| KeyFacts { account: mk_account_id(n), ..mk_key(n) });
    World::new(mk_policy(Mode::Delete), keys.collect())
}

#[test]
fn incidents_come_first_and_say_what_aws_attached() {
    let mut world = mk_world(3);
    world.keys[2].policies = Fact::Known(mk_compromise());
    let mut collection = world.collection(day(0));
    let Outcome::Scanned(scan) = &mut collection.accounts[0].1 else { panic!("it was scanned") };
    scan.inventory = Inventory { root_keys: Some(1), ..scan.inventory.clone() };
    let rows = rows(&world, &collection);
    let subjects: Vec<_> = rows.iter().map(|row| (row.user_name.as_str(), row.account_id.clone())).collect();
    let account = |n| mk_account_id(n).to_string();
    let expected = [
        ("user-2", account(2)),
        ("user-0", account(0)),
        ("<root_account>", account(0)),
        ("user-1", account(1)),
    ];
    assert_eq!(subjects, expected);
    let incident = &rows[0];
    assert_eq!((incident.severity, incident.finding), (Some(Severity::Critical), Some(FindingKind::Unused)));
    assert_eq!(incident.overlays, ["incident"]);
    assert_eq!(incident.remediation, [INCIDENT_REMEDY]);
    assert_eq!(
        incident.warnings,
        [
            "incident: AWS attached AWSCompromisedKeyQuarantineV3 to the user, whose keys it considers compromised"
        ]
    );
    assert_eq!(
        (&rows[1].overlays, &rows[1].warnings, rows[1].severity),
        (&vec![], &vec![], Some(Severity::Medium))
    );
}

#[test]
fn an_incident_is_shown_as_recorded_though_the_key_is_no_finding() {
    let mut world = mk_world(1);
    world.sweep(day(0));
    world.keys[0].policies = Fact::Known(mk_compromise());
    world.sweep(day(1));
    world.keys[0].policies = Fact::NotRead;
    world.keys[0].last_use = Fact::Known(used_at(day(1)));
    world.sweep(day(2));
    let row = rows(&world, &world.collection(day(3))).remove(0);
    assert_eq!((row.finding, row.severity), (None, Some(Severity::Critical)));
    assert_eq!(
        (row.remediation, row.overlays),
        (vec![INCIDENT_REMEDY.to_owned()], vec!["incident".to_owned()])
    );
    assert_eq!((row.compliance, row.state.as_str()), (vec![], "active"));
}

#[test]
fn a_request_for_approval_is_shown_while_it_waits_for_a_decision() {
    let mut world = mk_world(1);
    world.policy.base.approval = ApprovalFor::Both;
    let request = |world: &World, at| rows(world, &world.collection(at)).remove(0).approval_request;
    // What the next sweep asks has no number yet.
    assert_eq!(request(&world, day(0)), None);
    world.sweep(day(0));
    let record = world.record(0).unwrap();
    let approval = world.asked(0).unwrap();
    let shown = format!("{}-{}", approval.number, approval.hash(&record.identity));
    assert_eq!(request(&world, day(1)), Some(shown));
    world.approve(day(1), 0);
    assert_eq!(request(&world, day(1)), None);
    assert_eq!(world.run(2, 7), 1);
    assert!(request(&world, day(8)).is_some(), "of the deletion");
}

#[test]
fn an_account_that_was_out_of_reach_is_shown_with_its_keys() {
    let mut world = mk_world(1);
    world.sweep(day(0));
    let (account, name, reason) = (mk_account_id(0), String::new(), "denied".into());
    world.write(day(1), Body::AccountFailed { account, name, reason });
    let row = rows(&world, &world.collection(day(1))).remove(0);
    assert_eq!(row.overlays, ["out_of_reach"]);
}

#[test]
fn names_of_accounts_and_sources_are_shown_where_they_are_known() {
    let world = mk_world(1);
    let mut collection = world.collection(day(0));
    let Outcome::Scanned(scan) = &mut collection.accounts[0].1 else { panic!("it was scanned") };
    scan.inventory.root_keys = Some(1);
    let shown = |collection: &Collection| {
        let rows = rows(&world, collection);
        rows.into_iter().map(|row| (row.account_name, row.source)).collect::<Vec<_>>()
    };
    let name = || Some("account-0".to_owned());
    assert_eq!(shown(&collection), [(name(), Source::Report), (name(), Source::Live)]);
    collection.accounts[0].0 = AccountFacts { name: String::new(), ..collection.accounts[0].0.clone() };
    let Outcome::Scanned(scan) = &mut collection.accounts[0].1 else { panic!("it was scanned") };
    scan.report_generated_at = Some(day(0));
    assert_eq!(shown(&collection), [(None, Source::Report), (None, Source::Report)]);
}

#[test]
fn what_code_manages_is_warned_of() {
    for (tag, managed) in [
        ("aws:cloudformation:stack-name", true),
        ("Terraform", true),
        ("ManagedBy", true),
        ("managed-by", true),
        ("terraformed", false),
        ("team", false),
    ] {
        let mut world = mk_world(1);
        world.keys[0].tags = Fact::Known([(tag.to_owned(), "x".to_owned())].into());
        let row = rows(&world, &world.collection(day(0))).remove(0);
        let warning = format!("tag {tag}=x: managed as code, may come back at the next apply");
        assert_eq!(row.warnings, if managed { vec![warning] } else { vec![] });
    }
}

#[test]
fn what_comes_next_is_one_word_with_the_time_where_it_is_known() {
    let word = |wait: Wait| {
        let (word, at, why) =
            render::next_action(day(0), &Next::Wait { action: Planned::Delete, wait: wait.clone() });
        assert_eq!((at, why), (wait.until(), wait.to_string()));
        word
    };
    assert_eq!(word(Wait::ReadOnly), NextAction::None);
    assert_eq!(word(Wait::NoChannel), NextAction::Notice);
    assert_eq!(word(Wait::Notice { ends: day(7), until: day(9) }), NextAction::Delete);
    let grace = std::time::Duration::from_secs(1);
    assert_eq!(word(Wait::Grace { watched: grace, grace, over: None }), NextAction::Delete);
    assert_eq!(word(Wait::Window { opens: None }), NextAction::Delete);
    assert_eq!(
        word(Wait::Approval { need: Need::Honeytoken, given: 0, needed: 1, expires: day(1) }),
        NextAction::Approval
    );
    for wait in [
        Wait::NotAccepted,
        Wait::AccountCap { limit: 5 },
        Wait::Stopping,
        Wait::Resting { until: day(1) },
        Wait::Breaker(TripReason::ClockSkew { seconds: 900 }),
        Unknown::Identity.into(),
        Recheck::Late.into(),
    ] {
        assert_eq!(word(wait), NextAction::Wait);
    }
    let step = Next::Step { action: Action::Deactivate, why: "unused".into() };
    assert_eq!(render::next_action(day(3), &step), (NextAction::Deactivate, Some(day(3)), "unused".into()));
    assert_eq!(render::next_action(day(3), &Next::Nothing), (NextAction::None, None, String::new()));
    let names = [NextAction::None, NextAction::Wait, NextAction::Delete].map(NextAction::as_str);
    assert_eq!(names, ["none", "wait", "delete"]);
}

fn gaps(collection: &Collection, unknown: usize) -> Vec<String> {
    let mut world = mk_world(unknown);
    for key in &mut world.keys {
        key.last_use = Fact::Unknown("denied".into());
    }
    let plan = plan::plan(day(0), &world.policy, &world.state, &world.collection(day(0)));
    let coverage = render::coverage(collection, &plan.keys);
    assert_eq!(coverage.is_complete(), coverage.incomplete.is_empty());
    coverage.incomplete
}

#[test]
fn what_was_not_looked_at_is_said() {
    let collection = |outcomes: Vec<Outcome>| Collection {
        accounts: outcomes.into_iter().enumerate().map(|(n, outcome)| (mk_account(n), outcome)).collect(),
        ..mk_collection(day(0), vec![])
    };
    let scanned = || Outcome::Scanned(Box::new(mk_scan(day(0), vec![])));
    let failed = || Outcome::Failed { reason: "denied".into() };
    let skipped = || Outcome::Skipped { reason: "suspended".into() };
    assert_eq!(gaps(&collection(vec![scanned(), skipped()]), 0), Vec::<String>::new());
    assert_eq!(gaps(&collection(vec![]), 0), ["0 of 0 accounts scanned"]);
    assert_eq!(gaps(&collection(vec![skipped()]), 0), ["0 of 1 account scanned"]);
    assert_eq!(gaps(&collection(vec![scanned(), failed()]), 0), ["1 account could not be scanned"]);
    assert_eq!(
        gaps(&collection(vec![failed(), failed()]), 1),
        ["0 of 2 accounts scanned", "2 accounts could not be scanned", "facts about 1 key could not be read"]
    );
    assert_eq!(gaps(&collection(vec![scanned()]), 2), ["facts about 2 keys could not be read"]);
    // Somebody asked for this account by its name.
    let by_name = Collection { complete: false, ..collection(vec![scanned(), skipped()]) };
    let why = format!("account {} was asked for and skipped: suspended", mk_account_id(1));
    assert_eq!(gaps(&by_name, 0), [why]);
}

#[test]
fn coverage_counts_accounts_by_how_they_ended() {
    let mut scan = mk_scan(day(0), vec![]);
    scan.unread_users.insert("ghost".parse().unwrap(), "denied".into());
    scan.unread_rows.push("row 3 has 4 columns".into());
    scan.root_keys_unknown = Some("no report".into());
    scan.fallback = Some("no report".into());
    let mut collection =
        mk_collection(day(0), vec![(mk_account(0), scan), (mk_account(1), mk_scan(day(0), vec![]))]);
    collection.accounts.push((mk_account(2), Outcome::Failed { reason: "denied".into() }));
    collection.accounts.push((mk_account(3), Outcome::Skipped { reason: "suspended".into() }));
    let coverage = render::coverage(&collection, &[]);
    assert_eq!((coverage.accounts, coverage.scanned, coverage.unknown_keys), (4, 2, 3));
    let of = |accounts: &[render::NotScanned]| {
        accounts.iter().map(|one| (one.account_id.clone(), one.reason.clone())).collect::<Vec<_>>()
    };
    let one = |n, reason: &str| vec![(mk_account_id(n).to_string(), reason.to_owned())];
    assert_eq!(of(&coverage.failed), one(2, "denied"));
    assert_eq!(of(&coverage.skipped), one(3, "suspended"));
    assert_eq!(of(&coverage.unread_rows), one(0, "row 3 has 4 columns"));
    assert_eq!(of(&coverage.root_keys_unknown), one(0, "no report"));
    assert_eq!(of(&coverage.fallback), one(0, "no report"));
    assert_eq!(coverage.unread_users.len(), 1);
}
