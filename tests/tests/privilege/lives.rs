//! Lives in which keysweep does everything it can, and what came of it.

use std::collections::{BTreeMap, BTreeSet};

use keysweep::engine::Engine;
use keysweep::sweep::sweep;
use keysweep_api::Decision;
use keysweep_core::facts::Outcome;
use keysweep_sim::{Fault, Judged, Rule, Sim, Who};
use keysweep_tests::company::{Company, DAY, DELETE, approve, decide, state_of};

use crate::privilege::policies::Policies;

/// The account whose report can be had.
pub(crate) const PROD: &str = "111122223333";
/// The account where AWS has no capacity for a report.
pub(crate) const LIVE: &str = "444455556666";
/// The management account, which is the hub's own.
pub(crate) const MANAGEMENT: &str = "100000000000";

/// Longer than notice and grace together, with some days for approvals.
const DAYS: usize = 26;

/// What came of a life.
#[derive(Debug)]
pub(crate) struct Lived {
    /// What did not work, by name.
    pub(crate) failed: BTreeSet<&'static str>,
    /// What this configuration printed.
    pub(crate) printed: Policies,
    /// What policies were asked for.
    pub(crate) judged: BTreeMap<(String, String), Judged>,
}

impl Lived {
    /// Calls that a policy denied: the policy, and the action.
    pub(crate) fn denied(&self) -> Vec<&(String, String)> {
        self.judged.iter().filter(|(_, judged)| judged.denied > 0).map(|(asked, _)| asked).collect()
    }
}

/// Changes what is printed before it is given.
pub(crate) type Alter<'a> = &'a dyn Fn(&Policies) -> Policies;

/// OUs and account tags in the configuration, a report and a live scan, approvals, an undo, a rename, an incident, an
/// exemption; everything by the two roles.
pub(crate) async fn by_roles(alter: Alter<'_>) -> Lived {
    let mut company = Company::new("");
    let sim = company.sim.clone();
    let (prod, live) = (company.account(PROD), company.account(LIVE));
    sim.account(&prod).ou("Workloads/Prod").tag("env", "prod").add();
    sim.account(&live).ou("Workloads/Live").add();
    let full =
        Fault::Refuse { status: 409, code: "LimitExceeded".into(), message: "No more capacity".into() };
    sim.fault(Rule::new(full).account(&live).action("iam:GenerateCredentialReport"));
    company.configure(&format!(
        r#"{DELETE}
[[policy.override]]
match = {{ account_tags = {{ env = "prod" }} }}
approval = "both"
[[policy.override]]
match = {{ ous = ["{}"] }}
unused_after = "60d"
[[policy.override]]
match = {{ users = ["svc-quarantined"] }}
quarantine = "2d"
[[policy.exempt]]
match = {{ user_tags = {{ "keysweep:exempt" = "*" }} }}
reason = "break glass"
until = "2026-12-31"
"#,
        sim.ou_id("Workloads/Live"),
    ));
    let key = |name: &str| company.stale_user(&prod, name, 200).keys[0].clone();
    let (old, undone, renamed, incident) =
        (key("svc-old"), key("svc-undone"), key("svc-renamed"), key("svc-incident"));
    sim.attach_policy(&prod, "svc-incident", "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV2");
    let quarantined = key("svc-quarantined");
    sim.ship_policy("keysweep-quarantine-ask-security");
    let spared = key("break-glass");
    sim.tag_user(&prod, "break-glass", "keysweep:exempt", "yes");
    let by_ou = company.stale_user(&live, "svc-live", 70).keys[0].clone();
    let printed = Policies::printed(&company.config(), company.clock.now());
    alter(&printed).give(&sim, &[&prod, &live]);

    let engine = company.open().await;
    let mut failed = BTreeSet::new();
    let (mut approvals, mut reactivated) = (0, false);
    for day in 0..DAYS {
        if sweep(&engine).await.is_err() {
            failed.insert("list the organization");
        }
        let (by_report, live_instead) = (scanned(&engine, PROD), scanned(&engine, LIVE));
        if by_report != Some(Source::Report) {
            failed.insert("scan by the report");
        }
        if live_instead != Some(Source::Live) {
            failed.insert("scan live");
        }
        if day == 0 && state_of(&engine, &by_ou) != "flagged" {
            failed.insert("follow a rule of an ou");
        }
        for key in [&old, &undone, &renamed, &incident, &quarantined] {
            approvals += usize::from(approve(&engine, key).await.0 && *key == old);
        }
        if !reactivated && company.status(&undone) == "Inactive" {
            reactivated = decide(&engine, &undone, Decision::Reactivate {}).await.0;
        }
        if day == 3 {
            sim.rename_user(&prod, "svc-renamed", "svc-with-another-name");
        }
        tokio::time::advance(DAY).await;
    }
    let shown = |key: &String| company.status(key);
    for (what, works) in [
        ("ask where an account tag says so", approvals == 2),
        ("delete with approval", shown(&old) == "deleted"),
        ("delete after a live scan", shown(&by_ou) == "deleted"),
        ("undo", reactivated && shown(&undone) == "Active"),
        ("quarantine", changed(&sim, "iam:AttachUserPolicy") && changed(&sim, "iam:DetachUserPolicy")),
        ("deactivate after a quarantine", shown(&quarantined) != "Active"),
        ("follow a renamed user", shown(&renamed) == "deleted"),
        ("leave an incident alone", shown(&incident) == "Active"),
        ("spare an exempt user", shown(&spared) == "Active"),
    ] {
        if !works {
            failed.insert(what);
        }
    }
    engine.close().await.unwrap();
    Lived { failed, printed, judged: sim.judged() }
}

/// Whether keysweep has altered the user that is put in quarantine in that way.
fn changed(sim: &Sim, action: &str) -> bool {
    sim.changes()
        .iter()
        .any(|change| change.applied && change.action == action && !matches!(change.who, Who::Script(_)))
}

/// The management account, entered with the hub's own credentials: it is read, and nothing is changed there.
pub(crate) async fn direct(alter: Alter<'_>) -> Lived {
    let direct = format!("organization.management_account = \"direct\"\n{DELETE}");
    let company = Company::new(&direct);
    let key = |name: &str| company.stale_user(MANAGEMENT, name, 200).keys[0].clone();
    let old = key("svc-old");
    key("svc-renamed");
    let printed = Policies::printed(&company.config(), company.clock.now());
    alter(&printed).give(&company.sim, &[]);

    let engine = company.open().await;
    let mut failed = BTreeSet::new();
    for day in 0..DAYS {
        if sweep(&engine).await.is_err() {
            failed.insert("list the organization");
        }
        if scanned(&engine, MANAGEMENT) != Some(Source::Report) {
            failed.insert("scan by the report");
        }
        if day == 3 {
            company.sim.rename_user(MANAGEMENT, "svc-renamed", "svc-with-another-name");
        }
        tokio::time::advance(DAY).await;
    }
    let key = old.parse().unwrap();
    if !engine.store().read(|state| state.record(&key).is_some_and(|found| found.state.as_str() == "flagged"))
    {
        failed.insert("find");
    }
    if decide(&engine, &old, Decision::Deactivate {}).await.0 || company.status(&old) != "Active" {
        failed.insert("leave alone");
    }
    engine.close().await.unwrap();
    Lived { failed, printed, judged: company.sim.judged() }
}

#[derive(Debug, PartialEq, Eq)]
enum Source {
    Report,
    Live,
}

/// How an account was scanned in the last sweep that came to an end.
fn scanned(engine: &Engine, account: &str) -> Option<Source> {
    let latest = engine.latest()?;
    let of_account =
        |(facts, _): &&(keysweep_core::facts::AccountFacts, Outcome)| facts.id.to_string() == account;
    match latest.collection.accounts.iter().find(of_account) {
        Some((_, Outcome::Scanned(scan)))
            if !scan.unread_users.is_empty() || scan.root_keys_unknown.is_some() =>
        {
            None
        }
        Some((_, Outcome::Scanned(scan))) if scan.report_generated_at.is_some() => Some(Source::Report),
        Some((_, Outcome::Scanned(_))) => Some(Source::Live),
        Some((_, Outcome::Failed { .. } | Outcome::Skipped { .. })) | None => None,
    }
}
