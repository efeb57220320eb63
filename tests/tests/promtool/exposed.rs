//! What the program exposes: the names, labels and values that rules and dashboards may ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use keysweep::metrics::inventory::{Observed, families};
use keysweep::metrics::{LastBackup, Metrics, render};
use keysweep_aws::{FaultKind, Observer};

use super::promql::{Expression, Matcher, Selector};
use crate::organization::{collection, days_ago, now, policy_with_owners, state};

/// Labels that Prometheus adds to every series of a target.
pub(crate) const TARGET: [&str; 2] = ["job", "instance"];

/// Labels whose values depend on the organization, the machine or the version, so that no list of them is complete.
const OPEN: [&str; 10] = [
    "account_id",
    "account_name",
    "ou_path",
    "api",
    "le",
    "version",
    "revision",
    "rust_version",
    "job",
    "instance",
];

/// A scrape of an organization with one of everything.
pub(crate) fn exposition() -> String {
    let metrics = Metrics::new();
    metrics.call("iam:ListAccessKeys", Err(FaultKind::Throttled), Duration::from_millis(80));
    metrics.config.loaded(days_ago(3));
    metrics.backups.set(Some(LastBackup::At(days_ago(1))));
    let (policy, seen, state) = (policy_with_owners(), collection(), state());
    let mut all = metrics.families();
    all.extend(families(&Observed {
        now: now(),
        state: &state,
        policy: &policy,
        scan_interval: Duration::from_secs(6 * 3600),
        seen: Some(&seen),
        idle_rules: Some(0),
        store_bytes: Some(123_456),
        evidence_bytes: Some((65_432, 4_096_000_000)),
    }));
    render(all).unwrap()
}

/// The series of a scrape by name: their labels, and the values of each.
pub(crate) struct Exposed(BTreeMap<String, BTreeMap<String, BTreeSet<String>>>);

impl Exposed {
    /// What the program exposes, and what Prometheus knows by itself of a target and its alerts.
    pub(crate) fn by_the_program() -> Self {
        let mut exposed = Self(BTreeMap::new());
        for line in exposition().lines().filter(|line| !line.starts_with('#')) {
            let expression = Expression::parse(line);
            let [series] = expression.selectors.as_slice() else { panic!("not one series: {line}") };
            let labels = exposed.0.entry(series.name.clone()).or_default();
            for matcher in &series.matchers {
                labels.entry(matcher.label.clone()).or_default().insert(matcher.value.clone());
            }
        }
        exposed.add("up", &[]);
        exposed.add("ALERTS", &["alertname", "alertstate", "severity"]);
        exposed
    }

    /// Adds a series with labels whose values are not known.
    pub(crate) fn add(&mut self, name: &str, labels: &[&str]) {
        let labels = labels.iter().map(|label| ((*label).to_owned(), BTreeSet::new())).collect();
        self.0.insert(name.to_owned(), labels);
    }

    /// The labels of a series, without those of its target.
    pub(crate) fn labels(&self, name: &str) -> Option<BTreeSet<&str>> {
        self.0.get(name).map(|labels| labels.keys().map(String::as_str).collect())
    }

    /// What an expression asks for in vain.
    pub(crate) fn complaints(&self, expression: &Expression) -> Vec<String> {
        let mut complaints: Vec<String> =
            expression.selectors.iter().flat_map(|selector| self.unknown_in(selector)).collect();
        let known: BTreeSet<&str> =
            self.0.values().flat_map(BTreeMap::keys).map(String::as_str).chain(TARGET).collect();
        for label in expression.labels.iter().filter(|label| !known.contains(label.as_str())) {
            complaints.push(format!("no series has the label {label}"));
        }
        complaints
    }

    fn unknown_in(&self, selector: &Selector) -> Vec<String> {
        let name = &selector.name;
        let Some(labels) = self.0.get(name) else { return vec![format!("there is no {name}")] };
        let mut complaints = Vec::new();
        for Matcher { label, value, .. } in &selector.matchers {
            match labels.get(label) {
                None if TARGET.contains(&label.as_str()) => {}
                None => complaints.push(format!("{name} has no label {label}")),
                Some(values) if values.is_empty() || OPEN.contains(&label.as_str()) => {}
                Some(values) => complaints.extend(
                    value
                        .split('|')
                        .filter(|wanted| !values.contains(*wanted))
                        .map(|wanted| format!("{name} has no {label} {wanted:?}")),
                ),
            }
        }
        complaints
    }
}

#[test]
fn what_is_asked_for_in_vain_is_noticed() {
    let exposed = Exposed::by_the_program();
    let complaints = |text: &str| exposed.complaints(&Expression::parse(text));
    assert_eq!(
        complaints("sum by (job, reason) (keysweep_stale_keys{reason=~\"unused|never_used\"})"),
        [""; 0]
    );
    assert_eq!(complaints("keysweep_backup_age"), ["there is no keysweep_backup_age"]);
    assert_eq!(complaints("keysweep_paused{why=\"x\"}"), ["keysweep_paused has no label why"]);
    assert_eq!(
        complaints("keysweep_stale_keys{reason=~\"unused|never\"}"),
        ["keysweep_stale_keys has no reason \"never\""]
    );
    assert_eq!(complaints("sum by (acount) (up)"), ["no series has the label acount"]);
}
