//! Tables and texts, word for word.

use crate::cli_support::assert_golden;
use keysweep::cli::view::{
    Screen, Width, breaker_text, doctor_summary, doctor_text, entries_table, exemptions_table, key_text,
    keys_table, plan_summary, plan_table, scan_summary, scan_table,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const PLAIN: Screen = Screen { colour: false, width: Width::Any };
const NARROW: Screen = Screen { colour: false, width: Width::Columns(100) };

fn mk<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// A finding, with what differs laid over it.
fn mk_row(differs: Value) -> Value {
    let mut row = json!({
        "account_id": "111122223333", "account_name": "billing-prod", "user_name": "ci-deploy",
        "subject": "key", "user_id": "AIDACKCEVSQ6C2EXAMPLE", "access_key_id": "AKIAIOSFODNN7EXAMPLE", "status": "Active",
        "created_at": "2025-01-10T09:00:00Z", "last_used_at": "2026-03-01T11:00:00Z", "last_used_service": "s3",
        "last_used_region": "eu-west-1", "idle_days": 266, "age_days": 681, "finding": "unused",
        "severity": "medium", "compliance": ["CIS 1.12"],
        "remediation": ["aws iam update-access-key --user-name ci-deploy --access-key-id AKIAIOSFODNN7EXAMPLE --status Inactive"],
        "state": "active", "overlays": [], "unknown": [], "next_action": "notice", "next_action_at": null,
        "next_action_reason": "notice is due", "owner": null, "source": "report",
        "report_generated_at": "2026-11-22T10:00:00Z", "warnings": [],
    });
    for (name, value) in differs.as_object().unwrap() {
        row[name] = value.clone();
    }
    row
}

fn mk_rows() -> Value {
    json!([
        mk_row(json!({})),
        mk_row(json!({ "user_name": "evil\u{202e}user\n", "access_key_id": "AKIAI44QH8DHBEXAMPLE",
            "last_used_at": null, "last_used_service": null, "finding": "never_used", "severity": "high",
            "overlays": ["exempt"] })),
        mk_row(json!({ "account_id": "444455556666", "account_name": null, "user_name": "=cmd()",
            "last_used_at": null, "idle_days": null, "finding": null, "severity": null,
            "unknown": ["last use: throttled"], "next_action": "wait" })),
        mk_row(
            json!({ "subject": "root_key", "user_name": "<root_account>", "access_key_id": null, "created_at": null,
            "last_used_at": null, "idle_days": null, "finding": "root_key", "severity": "critical",
            "next_action": "none" })
        ),
        mk_row(
            json!({ "user_name": "old-batch", "state": "deactivated", "overlays": ["hold", "out_of_reach"],
            "next_action": "delete", "next_action_at": "2026-12-01T12:00:00Z",
            "next_action_reason": "grace is watched until then",
            "warnings": ["tag terraform=yes: managed as code, may come back at the next apply"] })
        ),
        mk_row(json!({ "user_name": "nightly", "state": "flagged", "next_action": "deactivate",
            "next_action_at": "2026-11-22T12:00:00Z", "next_action_reason": "notice is over" })),
    ])
}

fn mk_coverage() -> Value {
    let skipped: Vec<Value> = (0..22)
        .map(|n| json!({ "account_id": format!("9000000000{n:02}"), "reason": "its state is SUSPENDED" }))
        .collect();
    json!({
        "accounts": 26, "scanned": 3, "unknown_keys": 2,
        "failed": [{ "account_id": "777788889999", "reason": "assume role: denied\u{1b}[2J" }],
        "skipped": skipped,
        "unread_users": [{ "account_id": "111122223333", "user_name": "ghost", "reason": "list access keys: throttled" }],
    })
}

#[test]
fn findings_of_a_scan() {
    let document = mk(json!({
        "generated_at": "2026-11-22T12:00:00Z", "coverage": mk_coverage(), "findings": mk_rows(),
    }));
    assert_golden("scan.txt", &scan_table(&document, PLAIN));
    assert_golden("scan-100-columns.txt", &scan_table(&document, NARROW));
    assert_golden("scan-summary.txt", &(scan_summary(&document) + "\n"));
}

#[test]
fn a_scan_without_findings_says_so() {
    let coverage = json!({
        "accounts": 1, "scanned": 1, "unknown_keys": 0, "failed": [], "skipped": [], "unread_users": [],
    });
    let document =
        mk(json!({ "generated_at": "2026-11-22T12:00:00Z", "coverage": coverage, "findings": [] }));
    assert_eq!(scan_summary(&document), "1 of 1 account scanned\nno findings");
    assert_eq!(scan_table(&document, PLAIN), "");
}

#[test]
fn exemptions_configured_and_granted() {
    let row = |differs: Value| {
        let mut row = json!({
            "rule": "policy.exempt[1]", "matches": "users = [\"break-glass\"]", "reason": "break glass",
            "until": "2026-12-31", "lapsed": false, "findings": 1, "examples": ["AKIAIOSFODNN7EXAMPLE"],
            "idle_since": null, "number": null, "by": null, "since": null,
        });
        for (name, value) in differs.as_object().unwrap() {
            row[name] = value.clone();
        }
        row
    };
    let granted = |number: u64, until: &str, lapsed: bool| {
        row(json!({
            "rule": format!("exemption {number}"), "number": number, "by": "mara", "reason": "year end",
            "matches": "key AKIAIOSFODNN7EXAMPLE of user ci-deploy in 111122223333", "until": until,
            "since": "2026-11-01T12:00:00Z", "lapsed": lapsed,
        }))
    };
    let idle = json!({ "rule": "policy.exempt[2]", "findings": 0, "idle_since": "2026-07-25T02:30:00Z" });
    let document = mk(json!({
        "generated_at": "2026-11-22T12:00:00Z",
        "exemptions": [
            row(json!({})), row(idle), granted(120, "2027-03-02T00:00:00Z", false),
            granted(98, "2026-11-20T12:00:00Z", true),
        ],
    }));
    assert_golden("exemptions.txt", &exemptions_table(&document, PLAIN));
}

#[test]
fn steps_and_waits_of_a_plan() {
    let document = mk(json!({
        "generated_at": "2026-11-22T12:00:00Z", "collected_at": "2026-11-22T11:20:00Z", "stopped": null,
        "pauses": [], "parked": [],
        "coverage": mk_coverage(), "keys": mk_rows(), "inactive_of_unknown_origin": [],
    }));
    assert_golden("plan.txt", &plan_table(&document, PLAIN));
    assert_golden("plan-summary.txt", &(plan_summary(&document) + "\n"));
}

fn mk_record() -> Value {
    json!({
        "account_id": "111122223333", "account_name": "billing-prod", "user_name": "ci-deploy",
        "user_id": "AIDACKCEVSQ6C2EXAMPLE", "access_key_id": "AKIAIOSFODNN7EXAMPLE",
        "created_at": "2025-01-10T09:00:00Z", "state": "deactivated", "since": "2026-11-20T12:00:00Z",
        "overlays": ["hold"], "finding": "unused", "hold": "by mara until 2026-12-01: migration",
        "holds": [{ "number": 9, "kind": "operator", "by": "mara", "reason": "migration",
            "since": "2026-11-21T12:00:00Z", "until": "2026-12-01T00:00:00Z" }],
        "deactivated_by": "keysweep", "reactivations": 0, "reactivations_need_approval": false,
        "watched_seconds": 165_600, "approval_pending": "delete", "next_action": "wait",
        "next_action_at": "2026-12-01T00:00:00Z", "next_action_reason": "held by mara: migration",
    })
}

fn mk_history() -> Value {
    json!([
        { "seq": 4, "at": "2026-11-10T12:00:00Z", "actor": "keysweep", "kind": "key", "event": "flagged",
          "account_id": "111122223333", "access_key_id": "AKIAIOSFODNN7EXAMPLE", "finding": "unused",
          "last_use": { "at": { "at": "2026-03-01T11:00:00Z", "service": "s3", "region": "eu-west-1" } },
          "named": { "user_id": "AIDACKCEVSQ6C2EXAMPLE", "user_name": "ci-deploy", "created": "2025-01-10T09:00:00Z" } },
        { "seq": 9, "at": "2026-11-21T12:00:00Z", "actor": { "local": { "user": "mara", "login": null } }, "kind": "key", "event": "hold_placed",
          "account_id": "111122223333", "access_key_id": "AKIAIOSFODNN7EXAMPLE",
          "reason": "migration", "until": "2026-12-01T00:00:00Z" },
    ])
}

#[test]
fn records_of_keys() {
    let document = mk(json!({ "generated_at": "2026-11-22T12:00:00Z", "keys": [mk_record()] }));
    assert_golden("keys.txt", &keys_table(&document, PLAIN));
}

#[test]
fn everything_about_one_key() {
    let document = json!({
        "generated_at": "2026-11-22T12:00:00Z", "record": mk_record(), "facts": mk_row(json!({ "status": "Inactive" })),
        "policy": [
            { "term": "mode", "value": "delete", "set_by": "policy" },
            { "term": "grace", "value": "30d", "set_by": "policy.override[2]" },
        ],
        "exempt": null, "history": mk_history(), "caveats": ["calls with an inactive key are in no AWS log"],
    });
    assert_golden("key.txt", &key_text(&mk(document), PLAIN));
    let unrecorded = json!({
        "generated_at": "2026-11-22T12:00:00Z", "record": null, "facts": mk_row(json!({})), "policy": [], "exempt": null, "history": [], "caveats": [],
    });
    assert_golden("key-without-record.txt", &key_text(&mk(unrecorded), PLAIN));
}

#[test]
fn a_last_use_that_cloudtrail_showed_is_not_said_to_be_from_the_report() {
    let text = |last_used_at: &str, source: &str| {
        let mut record = mk_record();
        record["activity"] = json!({
            "at": "2026-11-20T08:00:00Z", "region": "eu-west-1", "source": "ec2.amazonaws.com", "name": "DescribeInstances",
            "address": null, "user_agent": null, "error": null, "event_id": null,
        });
        let facts = mk_row(json!({ "last_used_at": last_used_at, "source": source }));
        key_text(
            &mk(json!({
                "generated_at": "2026-11-22T12:00:00Z", "record": record, "facts": facts, "policy": [], "exempt": null,
                "history": [], "caveats": [],
            })),
            PLAIN,
        )
    };
    assert!(text("2026-11-20T08:00:00Z", "cloudtrail").contains("; read from CloudTrail\n"));
    // IAM reports a newer use by now.
    assert!(text("2026-11-21T08:00:00Z", "report").contains("; read from report\n"));
}

#[test]
fn what_the_breaker_stopped_for() {
    let key = json!({
        "account_id": "111122223333", "user_name": "ci-deploy", "access_key_id": "AKIAIOSFODNN7EXAMPLE",
        "action": "deactivate",
    });
    let document = mk(json!({ "open": "34 keys became due at once (since 2026-11-22T10:00:00Z)",
        "count": 1, "confirm": "1-9f2c01ab", "keys": [key] }));
    assert_golden("breaker.txt", &breaker_text(&document, PLAIN));
}

#[test]
fn entries_of_the_journal() {
    let mut entries = mk_history();
    entries.as_array_mut().unwrap().push(json!({
        "seq": 10, "at": "2026-11-21T12:00:05Z", "actor": "keysweep", "kind": "sweep_finished",
        "took": { "secs": 61, "nanos": 480_448_444 }, "scanned": 28, "failed": 1, "skipped": 2, "complete": true,
    }));
    assert_golden("journal.txt", &entries_table(&mk::<Vec<_>>(entries), PLAIN));
}

#[test]
fn what_doctor_found_stays_readable_with_ten_thousand_accounts() {
    let accounts: Vec<String> = (0..1203).map(|n| format!("{:012}", 200_000_000_000_u64 + n)).collect();
    let problem = |check: &str, verdict: &str, what: &str, remedy: &str, accounts: &[String]| {
        json!({ "check": check, "verdict": verdict, "what": what, "actions": [], "statement": null, "reason": null,
            "remedy": remedy, "accounts": accounts })
    };
    let mut missing = problem(
        "scan_role",
        "gap",
        "the role keysweep/KeysweepScan may not iam:GetUser, iam:ListUsers",
        "add ReadUsersAndKeys of `keysweep iam scan` to the role keysweep/KeysweepScan",
        &accounts[..2],
    );
    missing["statement"] = json!({ "command": "keysweep iam scan", "sid": "ReadUsersAndKeys" });
    missing["reason"] =
        json!("AccessDenied: User: arn:aws:sts::200000000000:assumed-role/KeysweepScan/keysweep\u{1b}[2J");
    let mut refused = problem(
        "scan_role",
        "gap",
        "the role keysweep/KeysweepScan cannot be assumed",
        "AWS does not say which it is: the role is not there, or it does not trust the hub",
        &accounts,
    );
    refused["reason"] =
        json!("AccessDenied: User: arn:aws:iam::100000000000:user/keysweep-hub is not authorized");
    let document = mk(json!({
        "generated_at": "2026-11-22T12:00:00Z", "version": "0.1.0", "credentials": null, "caller": null,
        "clock_skew_seconds": 0, "accounts": { "listed": 10_000, "examined": 9_990, "skipped": [] },
        "data_dir": { "path": "/var/lib/keysweep", "exists": true, "owner": "keysweep", "writable": true,
            "held_by": "process 812", "daemon": true, "journal": null },
        "checks": [
            { "name": "credentials", "verdict": "ok", "detail": "arn:aws:iam::100000000000:user/keysweep-hub" },
            { "name": "scan_role", "verdict": "gap",
              "detail": "keysweep/KeysweepScan: 8785 of 9990 accounts are as they should be" },
            { "name": "enforce_role", "verdict": "cannot_tell", "detail": "keysweep/KeysweepEnforce" },
        ],
        "problems": [
            refused,
            missing,
            problem("data_dir", "note", "data_dir has no journal", "nothing, if it is new", &[]),
            problem("enforce_role", "cannot_tell", "whether it may change keys", "nothing has to be done",
                &accounts[..1]),
        ],
    }));
    assert_golden("doctor.txt", &doctor_text(&document, PLAIN));
    assert_golden("doctor-summary.txt", &(doctor_summary(&document) + "\n"));
}
