//! The JSON of a scan is a promise: fields are added, never renamed.

use std::path::Path;

use keysweep_core::facts::{Fact, KeyStatus, LastUse, Outcome};
use keysweep_core::lifecycle::KeyEvent;
use keysweep_core::lifecycle::event::Overlay;
use keysweep_core::policy::{Exemption, Match, Mode};
use keysweep_core::render::{self, ScanDocument};

use crate::mk::*;

/// Compares with a file beside the tests; `UPDATE_GOLDEN=1` writes it anew.
pub(crate) fn assert_golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == text, "{name} changed; if that is meant, run with UPDATE_GOLDEN=1:\n{text}");
}

/// One key in each state that a scan can show.
fn mk_document() -> ScanDocument {
    let mut world = World::new(mk_policy(Mode::Delete), (0..8).map(mk_key).collect());
    world.keys[1].last_use = Fact::Known(LastUse::Never);
    world.keys[2].user_name = "break-glass".parse().unwrap();
    world.keys[3].user_name = "o'neil".parse().unwrap();
    world.keys[4].last_use = Fact::Unknown("get access key last used: throttled".into());
    world.keys[5].last_use = Fact::Known(used_at(day(-1)));
    world.keys[6].account = mk_account_id(1);
    world.keys[6].status = KeyStatus::Other("Expired".into());
    world.keys[7].other_keys = mk_others(2);
    world.keys[7].tags = Fact::Known([("aws:cloudformation:stack-name".into(), "ci".into())].into());
    world.policy.base.max_age = Some(days(365));
    let matches = Match { users: vec!["break-*".into()], ..Match::default() };
    let until = "2026-12-31".parse().unwrap();
    world.policy.exemptions.push(Exemption { matches, reason: "break glass".into(), until });
    world.run(0, 7);
    let hold = KeyEvent::Overlay(Overlay::HoldPlaced { reason: "ask first".into(), until: None });
    world.happen(day(7), 3, hold);
    let plan = world.sweep(day(8));
    let mut collection = world.collection(day(8));
    let Outcome::Scanned(scan) = &mut collection.accounts[1].1 else { panic!() };
    scan.inventory.root_keys = Some(1);
    scan.unread_users.insert("ghost".parse().unwrap(), "list access keys: denied".into());
    scan.report_generated_at = Some(day(7));
    let outcomes = [
        Outcome::Failed { reason: "assume role: access denied".into() },
        Outcome::Skipped { reason: "state SUSPENDED".into() },
    ];
    for (n, outcome) in outcomes.into_iter().enumerate() {
        collection.accounts.push((mk_account(n + 2), outcome));
    }
    ScanDocument {
        generated_at: day(8),
        coverage: render::coverage(&collection, &plan.keys),
        findings: render::rows(day(8), &collection, &plan, &world.state),
    }
}

#[test]
fn the_document_of_a_scan_keeps_its_form() {
    let document = mk_document();
    let json = serde_json::to_string_pretty(&document).unwrap() + "\n";
    assert_golden("scan.json", &json);
    assert_eq!(serde_json::from_str::<ScanDocument>(&json).unwrap(), document);
}

#[test]
fn the_schema_of_the_document_keeps_its_form() {
    let schema = schemars::schema_for!(ScanDocument);
    assert_golden("scan.schema.json", &(serde_json::to_string_pretty(&schema).unwrap() + "\n"));
}

#[test]
fn absent_values_are_null_and_times_are_utc() {
    let json = serde_json::to_value(mk_document()).unwrap();
    let rows = json["findings"].as_array().unwrap();
    let promised = "account_id, account_name, user_name, user_id, access_key_id, status, created_at, \
        last_used_at, last_used_service, last_used_region, idle_days, age_days, finding, severity, compliance, \
        remediation, state, overlays, unknown, next_action, next_action_at, owner, source, report_generated_at";
    for row in rows {
        for field in promised.split(',') {
            assert!(row.as_object().unwrap().contains_key(field.trim()), "{field} in {row}");
        }
        let created = &row["created_at"];
        assert!(created.is_null() || created.as_str().is_some_and(|at| at.ends_with('Z')), "{created}");
    }
    assert!(rows.iter().any(|row| row["last_used_at"].is_null()));
}

#[test]
fn a_user_name_cannot_break_out_of_the_remediation() {
    let document = mk_document();
    let row = document.findings.iter().find(|row| row.user_name == "o'neil").unwrap();
    assert!(row.remediation[0].contains(r"--user-name 'o'\''neil' --access-key-id"), "{row:?}");
}
