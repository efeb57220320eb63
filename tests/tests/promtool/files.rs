//! What lies in `deploy/` and `docs/`, read.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Files of rules, the recording ones first.
pub(crate) const RULES: [&str; 2] = ["recording.rules.yml", "alerts.rules.yml"];
/// Files of unit tests for rules.
pub(crate) const CASES: [&str; 2] = ["tests/minutes.test.yml", "tests/days.test.yml"];
/// The configuration that the documentation recommends.
pub(crate) const CONFIGURATION: &str = "prometheus.example.yml";
/// The dashboards.
pub(crate) const DASHBOARDS: [&str; 4] =
    ["organization.json", "operations.json", "people.json", "account.json"];

/// A rule that records a series, or an alert.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    pub(crate) record: Option<String>,
    pub(crate) alert: Option<String>,
    pub(crate) expr: String,
    #[serde(rename = "for")]
    _lasts: Option<String>,
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) annotations: BTreeMap<String, String>,
}

/// The unit test of an alert.
#[derive(Debug, Deserialize)]
pub(crate) struct Case {
    pub(crate) input_series: Vec<Series>,
    pub(crate) alert_rule_test: Vec<Moment>,
}

/// Made-up data.
#[derive(Debug, Deserialize)]
pub(crate) struct Series {
    pub(crate) series: String,
}

/// What is expected of an alert at a time.
#[derive(Debug, Deserialize)]
pub(crate) struct Moment {
    pub(crate) alertname: String,
    pub(crate) exp_alerts: Vec<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct RuleFile {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct CaseFile {
    tests: Vec<Case>,
}

/// Where the files for Prometheus are.
pub(crate) fn prometheus() -> PathBuf {
    root().join("deploy/prometheus")
}

/// Every rule, in the order of the files.
pub(crate) fn rules() -> Vec<Rule> {
    let files = RULES.map(|name| yaml::<RuleFile>(&prometheus().join(name)));
    files.into_iter().flat_map(|file| file.groups).flat_map(|group| group.rules).collect()
}

/// Every alert.
pub(crate) fn alerts() -> BTreeMap<String, Rule> {
    rules().into_iter().filter_map(|rule| Some((rule.alert.clone()?, rule))).collect()
}

/// Every unit test.
pub(crate) fn cases() -> Vec<Case> {
    CASES
        .map(|name| yaml::<CaseFile>(&prometheus().join(name)))
        .into_iter()
        .flat_map(|file| file.tests)
        .collect()
}

/// A dashboard.
pub(crate) fn dashboard(name: &str) -> serde_json::Value {
    serde_json::from_str(&read(&root().join("deploy/grafana").join(name))).unwrap()
}

/// The runbook.
pub(crate) fn runbook() -> String {
    read(&root().join("docs/RUNBOOK.md"))
}

/// The text of a file.
pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn yaml<T: DeserializeOwned>(path: &Path) -> T {
    serde_saphyr::from_str(&read(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
