//! The chart, rendered with every values file that there is, by one process of Helm's library for all tests.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use keysweep_tests::conformance::{ensure_venv, python, scripts, target_dir};
use serde::Deserialize;
use serde_json::{Value, json};

use super::folder;

/// What the release is called, and the namespace of the Kustomize base's objects too.
pub(crate) const RELEASE: &str = "keysweep";
pub(crate) const NAMESPACE: &str = "security";
/// The chart before it is packaged.
pub(crate) const SOURCE: &str = "deploy/helm/keysweep";
/// The oldest Kubernetes that the chart admits, and the newest of which there are schemas.
const VERSIONS: [&str; 2] = ["1.27", "1.37"];
/// Kinds of the Prometheus Operator and of Traefik, of which there are no schemas.
const WITHOUT_SCHEMA: [&str; 4] = ["PodMonitor", "PrometheusRule", "ServersTransport", "ServiceMonitor"];
/// Values that render into an object which Kubernetes would refuse.
const WRONG: &str = "extraObjects: [{ apiVersion: v1, kind: ConfigMap, metadata: { name: wrong }, dta: {} }]";

/// What one values file leads to.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Rendered(Chart),
    Refused { error: String },
}

/// A chart that was rendered.
#[derive(Deserialize)]
pub(crate) struct Chart {
    /// The values, without the defaults.
    pub(crate) given: Value,
    /// What Helm tells whoever installed it.
    pub(crate) notes: String,
    pub(crate) objects: Vec<Value>,
    lint: Vec<Message>,
}

/// A remark of `helm lint`.
#[derive(Deserialize)]
struct Message {
    /// 1 is for information, 2 a warning, 3 an error.
    severity: u8,
    error: String,
}

#[derive(Deserialize)]
pub(crate) struct Judged {
    /// What is in Chart.yaml.
    pub(crate) metadata: Value,
    /// What is in values.yaml.
    pub(crate) defaults: Value,
    charts: BTreeMap<String, Answer>,
    /// What becomes of the chart that was not packaged.
    source: Answer,
    wrong: Vec<String>,
    unknown: Vec<String>,
}

impl Chart {
    /// The objects of a kind.
    pub(crate) fn all<'c>(&'c self, kind: &str) -> impl Iterator<Item = &'c Value> {
        self.objects.iter().filter(move |object| object["kind"] == kind)
    }

    /// The one object of a kind.
    pub(crate) fn one(&self, kind: &str) -> &Value {
        let mut all = self.all(kind);
        let (Some(one), None) = (all.next(), all.next()) else { panic!("there is not one {kind}") };
        one
    }

    /// The pod of the daemon.
    pub(crate) fn pod(&self) -> &Value {
        &self.one("StatefulSet")["spec"]["template"]
    }

    /// Its container.
    pub(crate) fn container(&self) -> &Value {
        &self.pod()["spec"]["containers"][0]
    }
}

/// A file of the repository.
pub(crate) fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Its text.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The chart with the values of a file in its folder `ci`.
pub(crate) fn chart(name: &str) -> &'static Chart {
    match judged().charts.get(&format!("ci/{name}-values.yaml")) {
        Some(Answer::Rendered(chart)) => chart,
        Some(Answer::Refused { error }) => panic!("{name}: {error}"),
        None => panic!("there are no values {name}"),
    }
}

/// Every chart that is to be rendered, by the name of its values.
pub(crate) fn charts() -> impl Iterator<Item = (&'static str, &'static Chart)> {
    let names = judged().charts.keys().filter_map(|name| name.strip_prefix("ci/"));
    names.map(|name| name.strip_suffix("-values.yaml").unwrap()).map(|name| (name, chart(name)))
}

/// What becomes of each values file that is to be refused: its first line, and the error if there is one.
pub(crate) fn refused() -> impl Iterator<Item = (String, Option<&'static str>)> {
    judged().charts.iter().filter(|(name, _)| name.starts_with("refused/")).map(|(name, answer)| {
        let text = read(&format!("tests/testdata/chart/{name}"));
        let error = match answer {
            Answer::Refused { error } => Some(error.as_str()),
            Answer::Rendered(_) => None,
        };
        (text.lines().next().unwrap().to_owned(), error)
    })
}

/// What Helm and the schemas say of everything.
pub(crate) fn judged() -> &'static Judged {
    static JUDGED: LazyLock<Judged> = LazyLock::new(judge);
    &JUDGED
}

fn judge() -> Judged {
    let mut values = BTreeMap::from([("wrong".to_owned(), WRONG.to_owned())]);
    for (prefix, folder) in [("ci", &*format!("{SOURCE}/ci")), ("refused", "tests/testdata/chart/refused")] {
        for entry in fs::read_dir(file(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            values.insert(format!("{prefix}/{name}"), fs::read_to_string(&path).unwrap());
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let packaged = folder.path().join("keysweep");
    folder::write(&file(""), &packaged).unwrap();
    let asked = json!({
        "chart": packaged,
        "source": file(SOURCE),
        "release": RELEASE,
        "namespace": NAMESPACE,
        "values": values,
        "versions": VERSIONS,
    });
    let venv = ensure_venv(&target_dir().unwrap()).unwrap();
    let mut helm = Command::new(python(&venv))
        .arg(scripts().join("chart.py"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    helm.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
    let output = helm.wait_with_output().unwrap();
    assert!(output.status.success(), "chart.py failed, and said why on stderr");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn helm_renders_every_fixture_and_lint_warns_of_nothing() {
    let mut seen = 0;
    for (name, chart) in charts() {
        seen += 1;
        let warnings = chart.lint.iter().filter(|message| message.severity > 1);
        let warnings: Vec<&str> = warnings.map(|message| message.error.as_str()).collect();
        assert_eq!(warnings, [""; 0], "{name}");
    }
    assert!(seen >= 5);
}

#[test]
fn the_chart_is_refused_before_it_is_packaged() {
    let Answer::Refused { error } = &judged().source else { panic!("it was rendered") };
    assert!(error.contains("run `cargo xtask chart`, and use target/chart/keysweep"), "{error}");
}

#[test]
fn documented_commands_use_the_packaged_chart() {
    let mut seen = 0;
    for document in ["README.md", "deploy/README.md", &format!("{SOURCE}/README.md"), "docs/RUNBOOK.md"] {
        let text = read(document);
        let is_helm = |line: &&str| ["helm install ", "helm upgrade "].iter().any(|verb| line.contains(verb));
        for line in text.lines().filter(is_helm) {
            seen += 1;
            assert!(line.contains(" keysweep target/chart/keysweep "), "{document}: {line}");
            let before = text.split(line).next().unwrap();
            assert!(before.contains("cargo xtask chart"), "{document}: {line}");
        }
    }
    assert!(seen >= 4);
}

#[test]
fn kubernetes_takes_every_object_and_would_refuse_a_wrong_one() {
    let judged = judged();
    assert_eq!(judged.unknown, WITHOUT_SCHEMA);
    assert_eq!(judged.wrong.len(), VERSIONS.len(), "{:#?}", judged.wrong);
    for (complaint, version) in judged.wrong.iter().zip(VERSIONS) {
        assert!(complaint.starts_with(&format!("ConfigMap/wrong ({version})")), "{complaint}");
        assert!(complaint.contains("dta"), "{complaint}");
    }
}

#[test]
fn the_chart_is_of_the_version_of_the_program() {
    assert_eq!(judged().metadata["appVersion"], env!("CARGO_PKG_VERSION"));
    let image = chart("default").container()["image"].as_str().unwrap();
    assert_eq!(image, format!("keysweep:{}", env!("CARGO_PKG_VERSION")));
    let admitted = judged().metadata["kubeVersion"].as_str().unwrap();
    assert_eq!(admitted, format!(">={}.0-0", VERSIONS[0]));
}
