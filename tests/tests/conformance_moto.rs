//! keysweep against moto, an AWS that we did not write: does it find what is there, and change only what it must?

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use keysweep_tests::conformance::{
    Call, Daemon, KeyStatus, Keysweep, Organization, Truth, ensure_venv, python, scripts, target_dir,
};
use serde::Deserialize;

/// Coverage is incomplete, because one account has no role for us.
const INCOMPLETE: i32 = 4;
/// From `resume` to the last deletion it takes about fifteen seconds.
const LIFECYCLE: Duration = Duration::from_secs(240);
/// Between two looks at the organization.
const LOOK: Duration = Duration::from_millis(200);
const TERMINATION: Duration = Duration::from_secs(30);
const ENFORCE: &str = "role/keysweep/KeysweepEnforce";
const KEY_FINDINGS: [&str; 3] = ["unused", "never_used", "over_age"];

#[derive(Debug, Deserialize)]
struct Report {
    generated_at: Timestamp,
    coverage: Coverage,
    findings: Vec<Finding>,
}

#[derive(Debug, Deserialize)]
struct Coverage {
    accounts: usize,
    scanned: usize,
    unknown_keys: usize,
    failed: Vec<Missed>,
    skipped: Vec<Missed>,
}

#[derive(Debug, Deserialize)]
struct Missed {
    account_id: String,
    reason: String,
}

/// The fields of a finding that the other side knows the truth of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Finding {
    account_id: String,
    account_name: Option<String>,
    user_name: Option<String>,
    user_id: Option<String>,
    access_key_id: Option<String>,
    status: Option<String>,
    created_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
    finding: String,
    #[serde(default)]
    unknown: Vec<String>,
}

async fn mk_organization() -> Result<Organization, String> {
    let target = target_dir()?;
    let venv = tokio::task::spawn_blocking(move || ensure_venv(&target)).await;
    Organization::start(&venv.map_err(|error| format!("make the environment: {error}"))??).await
}

fn mk_scan_settings(source: &str) -> String {
    format!("[scan]\nsource = {source:?}\n\n[policy]\nunused_after = \"90d\"\nnever_used_after = \"90d\"\n")
}

/// Policy time is short, but each part of the lifecycle is there: a notice, a grace of several observations.
fn mk_daemon_settings() -> &'static str {
    r#"
[scan]
interval = "2s"

[policy]
mode = "delete"
unused_after = "90d"
never_used_after = "90d"
notice = "1s"
grace = "3s"

[evidence]
cloudtrail = false # moto has no event history
[notices]
required = false

[limits]
deactivations_per_day = 1000
deletions_per_day = 1000
changes_per_account_per_day = 1000
surge_keys = 1000

[dev]
allow_short_periods = true
"#
}

fn expected_findings(truth: &Truth) -> BTreeSet<Finding> {
    let keys =
        truth.keys().filter(|(account, _, _)| truth.expected_accounts.scanned.contains(&account.account_id));
    let findings = keys.filter_map(|(account, user, key)| {
        Some(Finding {
            account_id: account.account_id.clone(),
            account_name: Some(account.account_name.clone()),
            user_name: Some(user.user_name.clone()),
            user_id: Some(user.user_id.clone()),
            access_key_id: Some(key.access_key_id.clone()),
            status: Some(key.status.clone()),
            created_at: Some(key.created_at),
            last_used_at: key.last_used_at,
            finding: key.finding.clone()?,
            unknown: Vec::new(),
        })
    });
    findings.collect()
}

/// Compares a scan with the truth, key by key and in both directions.
fn check_report(report: &Report, truth: &Truth) {
    let coverage = &report.coverage;
    let accounts = &truth.expected_accounts;
    let ids =
        |missed: &[Missed]| missed.iter().map(|account| account.account_id.clone()).collect::<BTreeSet<_>>();
    assert_eq!(ids(&coverage.failed), accounts.failed);
    assert_eq!(ids(&coverage.skipped), accounts.skipped);
    assert_eq!(coverage.scanned, accounts.scanned.len());
    assert_eq!(coverage.accounts, truth.accounts.len(), "every account ends as scanned, failed or skipped");
    assert_eq!(coverage.unknown_keys, 0);
    let reasons = coverage.failed.iter().chain(&coverage.skipped).map(|account| account.reason.as_str());
    assert!(reasons.clone().all(|reason| !reason.is_empty()), "each says why");

    let expected = expected_findings(truth);
    let keys = report.findings.iter().filter(|finding| KEY_FINDINGS.contains(&finding.finding.as_str()));
    let found: BTreeSet<Finding> = keys.clone().cloned().collect();
    assert_eq!(keys.count(), found.len(), "no key is listed twice");
    let missed: Vec<_> = expected.difference(&found).collect();
    let invented: Vec<_> = found.difference(&expected).collect();
    assert!(missed.is_empty() && invented.is_empty(), "missed: {missed:#?}\ninvented: {invented:#?}");
    let youngest_use = report.findings.iter().filter_map(|finding| finding.last_used_at).max();
    assert!(youngest_use.is_some_and(|used| used < report.generated_at));
}

async fn scanned(organization: &Organization, source: &str) -> Result<Report, String> {
    let keysweep = Keysweep::configured(organization.truth(), &mk_scan_settings(source)).await?;
    let finished = keysweep.run(&["scan", "--format", "json"]).await?;
    assert_eq!(finished.status.code(), Some(INCOMPLETE), "{}", finished.stderr);
    let secrets = [&organization.truth().hub.secret_access_key, &organization.truth().external_id];
    for secret in secrets {
        assert!(
            !finished.stdout.contains(secret) && !finished.stderr.contains(secret),
            "a secret was printed"
        );
    }
    serde_json::from_str(&finished.stdout)
        .map_err(|error| format!("read the scan: {error}\n{}", finished.stdout))
}

#[tokio::test]
async fn a_scan_of_moto_finds_exactly_what_is_there() -> Result<(), String> {
    let mut organization = mk_organization().await?;
    let report = scanned(&organization, "auto").await?;
    check_report(&report, organization.truth());
    let calls = organization.calls().await?;
    assert!(
        calls.contains_key("iam:GetCredentialReport"),
        "auto takes the report where there is one: {calls:?}"
    );
    assert!(!calls.contains_key("iam:ListUsers"), "users without candidates cost nothing: {calls:?}");
    assert_eq!(organization.changes().await?, [], "a scan changes nothing");
    organization.quit().await
}

#[tokio::test]
async fn a_live_scan_of_moto_finds_the_same() -> Result<(), String> {
    let mut organization = mk_organization().await?;
    let report = scanned(&organization, "live").await?;
    check_report(&report, organization.truth());
    let calls = organization.calls().await?;
    assert!(!calls.contains_key("iam:GenerateCredentialReport"), "live means live: {calls:?}");
    assert_eq!(organization.changes().await?, [], "a scan changes nothing");
    organization.quit().await
}

#[tokio::test]
async fn the_stand_in_for_aws_refuses_what_aws_refuses() -> Result<(), String> {
    let target = target_dir()?;
    let venv = tokio::task::spawn_blocking(move || ensure_venv(&target)).await;
    let venv = venv.map_err(|error| format!("make the environment: {error}"))??;
    let organization = Organization::start(&venv).await?;
    let checked = tokio::process::Command::new(python(&venv))
        .arg(scripts().join("selfcheck.py"))
        .arg(organization.introduction())
        .env_clear()
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .kill_on_drop(true)
        .output();
    let checked = tokio::time::timeout(Duration::from_secs(120), checked).await;
    let checked = checked.map_err(|_| "selfcheck.py did not end")?.map_err(|error| error.to_string())?;
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    organization.quit().await
}

/// The keys that the daemon must take to their end.
fn due_keys(truth: &Truth) -> BTreeSet<String> {
    let keys = truth.keys().filter(|(account, user, key)| {
        truth.expected_accounts.scanned.contains(&account.account_id)
            && user.kept.is_none()
            && key.finding.is_some()
    });
    keys.map(|(_, _, key)| key.access_key_id.clone()).collect()
}

/// No key but those in `may_change` is in any other state than at first, and no key is new.
fn check_others(
    before: &BTreeMap<String, KeyStatus>,
    now: &BTreeMap<String, KeyStatus>,
    may_change: &BTreeSet<String>,
) {
    let others = |keys: &BTreeMap<String, KeyStatus>| {
        keys.values().filter(|key| !may_change.contains(&key.access_key_id)).cloned().collect::<Vec<_>>()
    };
    assert_eq!(others(before), others(now));
}

fn status_of<'a>(keys: &'a BTreeMap<String, KeyStatus>, key: &str) -> Option<&'a str> {
    keys.get(key).map(|key| key.status.as_str())
}

/// Waits until the daemon has looked at every account `times` more.
async fn swept(organization: &mut Organization, daemon: &mut Daemon, times: usize) -> Result<(), String> {
    const EACH_SWEEP: &str = "iam:GenerateCredentialReport";
    let count = |calls: BTreeMap<String, usize>| calls.get(EACH_SWEEP).copied().unwrap_or_default();
    let accounts = organization.truth().expected_accounts.scanned.len();
    let enough = count(organization.calls().await?) + accounts * times;
    while count(organization.calls().await?) < enough {
        daemon.still_runs()?;
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// From a paused start to the last deletion, with an owner who wakes a key and one who takes a key back.
async fn live_through(
    organization: &mut Organization,
    keysweep: &Keysweep,
    daemon: &mut Daemon,
) -> Result<(), String> {
    let truth = organization.truth().clone();
    let due = due_keys(&truth);
    let before = organization.keys().await?;

    // An empty data_dir and a mode that changes keys: paused until somebody has looked.
    swept(organization, daemon, 3).await?;
    assert_eq!(organization.changes().await?, [], "nothing happens before `resume`");

    let woken = truth.first_key_of("wakes-up")?;
    organization.use_key(&woken).await?;
    keysweep.done(&["resume", "--reason", "conformance"]).await?;

    let taken_back = truth.first_key_of("taken-back")?;
    let mut was_inactive = BTreeSet::new();
    let mut is_taken_back = false;
    loop {
        daemon.still_runs()?;
        let now = organization.keys().await?;
        check_others(&before, &now, &due);
        assert_eq!(status_of(&now, &woken), Some("Active"), "a key that was used again is left alone");
        was_inactive.extend(due.iter().filter(|key| status_of(&now, key) == Some("Inactive")).cloned());
        if is_taken_back {
            assert_eq!(status_of(&now, &taken_back), Some("Active"), "a key taken back is left alone");
        } else if was_inactive.contains(&taken_back) {
            organization.activate(&taken_back).await?;
            is_taken_back = true;
        }
        let left = due.iter().filter(|key| now.contains_key(*key)).collect::<BTreeSet<_>>();
        if is_taken_back && left == BTreeSet::from([&woken, &taken_back]) {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }

    // It is the end: further sweeps change nothing.
    let changes = organization.changes().await?;
    swept(organization, daemon, 3).await?;
    assert_eq!(organization.changes().await?, changes, "a finished organization stays as it is");
    check_changes(&changes, &due, &woken, &taken_back);
    Ok(())
}

/// What this AWS was asked for, at any time: each due key deactivated, then deleted, once each; nothing else.
fn check_changes(changes: &[Call], due: &BTreeSet<String>, woken: &str, taken_back: &str) {
    let mut asked: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for change in changes {
        let what = match (change.action.as_str(), change.status.as_deref(), change.actor.ends_with(ENFORCE)) {
            ("iam:UpdateAccessKey", Some("Inactive"), true) => "deactivated",
            ("iam:DeleteAccessKey", None, true) => "deleted",
            ("iam:UpdateAccessKey", Some("Active"), false) => "activated by its owner",
            _ => "changed otherwise",
        };
        asked.entry(change.key.as_deref().unwrap_or("no key")).or_default().push(what);
    }
    let due = due.iter().map(String::as_str).filter(|key| *key != woken);
    let expected: BTreeMap<&str, Vec<&str>> = due
        .map(|key| {
            (key, vec!["deactivated", if key == taken_back { "activated by its owner" } else { "deleted" }])
        })
        .collect();
    assert_eq!(asked, expected, "{}", changes.iter().map(|change| format!("{change}\n")).collect::<String>());
}

#[tokio::test]
async fn the_daemon_takes_due_keys_of_moto_to_their_end_and_no_other() -> Result<(), String> {
    let mut organization = mk_organization().await?;
    let keysweep = Keysweep::configured(organization.truth(), mk_daemon_settings()).await?;
    let mut daemon = keysweep.daemon()?;
    let lived = live_through(&mut organization, &keysweep, &mut daemon);
    match tokio::time::timeout(LIFECYCLE, lived).await {
        Ok(Ok(())) => {}
        Ok(Err(why)) => return Err(format!("{why}\n{}", daemon.log())),
        Err(_) => return Err(format!("not done after {LIFECYCLE:?}\n{}", daemon.log())),
    }
    let ended = daemon.terminate(TERMINATION).await?;
    assert!(ended.success(), "the daemon ended with {ended}\n{}", daemon.log());
    keysweep.done(&["journal", "verify"]).await?;
    organization.quit().await
}
