//! What the Prometheus Operator and Grafana get.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Map, Value, json};

use super::charts::{Chart, chart, charts, read};
use crate::promtool::tool::promtool;

const RULES: [&str; 2] = ["recording", "alerts"];
const DASHBOARDS: [&str; 4] = ["account", "operations", "organization", "people"];
const PLACEHOLDER: &str = "https://example.com/keysweep";

/// The groups as they are shipped.
fn shipped() -> Vec<Value> {
    let files = RULES.map(|name| read(&format!("deploy/prometheus/{name}.rules.yml")));
    let groups = files.iter().flat_map(|text| {
        let file: Value = serde_saphyr::from_str(text).unwrap();
        file["groups"].as_array().unwrap().clone()
    });
    groups.collect()
}

fn groups(chart: &Chart) -> Vec<Value> {
    chart.one("PrometheusRule")["spec"]["groups"].as_array().unwrap().clone()
}

/// Every alert by its name.
fn alerts(groups: &[Value]) -> BTreeMap<String, Value> {
    let rules = groups.iter().flat_map(|group| group["rules"].as_array().unwrap());
    rules.filter_map(|rule| Some((rule["alert"].as_str()?.to_owned(), rule.clone()))).collect()
}

/// The same with another place of the documentation.
fn with_runbooks_at(groups: &[Value], base: &str) -> Vec<Value> {
    let text = Value::from(groups.to_vec()).to_string();
    assert!(text.contains(PLACEHOLDER));
    serde_json::from_str(&text.replace(PLACEHOLDER, base)).unwrap()
}

#[test]
fn rules_are_those_that_are_shipped_word_for_word_but_for_the_place_of_the_runbook() {
    let expected = with_runbooks_at(&shipped(), "https://git.example.org/security/keysweep");
    assert_eq!(groups(chart("irsa")), expected);
    assert!(Value::from(expected).to_string().contains("{{ $labels.instance }}"));
}

#[test]
fn promtool_takes_the_rules_after_rendering() {
    let folder = tempfile::tempdir().unwrap();
    let mut seen = 0;
    for (name, chart) in charts() {
        for rule in chart.all("PrometheusRule") {
            seen += 1;
            // JSON is YAML.
            fs::write(folder.path().join("rules.yml"), rule["spec"].to_string()).unwrap();
            let arguments = ["check", "rules", "--lint=all", "--lint-fatal", "rules.yml"];
            let (content, said) = promtool(folder.path(), &arguments, "");
            assert!(content, "{name}: {said}");
        }
    }
    assert!(seen >= 2);
}

#[test]
fn an_alert_can_differ_without_any_other() {
    let mut expected = alerts(&with_runbooks_at(&shipped(), "https://git.example.org/keysweep"));
    for alert in expected.values_mut() {
        alert["labels"]["team"] = json!("security");
        alert["annotations"]["dashboard_url"] = json!("https://grafana.example.org/d/keysweep-operations");
    }
    expected.remove("KeysweepStaleKeys").unwrap();
    expected.get_mut("KeysweepKeysOverdue").unwrap()["for"] = json!("10d");
    let paused = expected.get_mut("KeysweepPausedTooLong").unwrap();
    paused["labels"] = json!({ "severity": "info", "team": "on-call" });
    paused["annotations"]["summary"] = json!("Somebody left it paused");
    paused["annotations"]["runbook_url"] = json!("https://wiki.example.org/paused");
    assert_eq!(alerts(&groups(chart("everything"))), expected);
}

#[test]
fn an_alert_leads_to_no_runbook_rather_than_to_a_wrong_one() {
    let alerts = alerts(&groups(chart("rules")));
    assert!(alerts.len() > 20);
    for (name, alert) in alerts {
        let annotations: Vec<&String> = alert["annotations"].as_object().unwrap().keys().collect();
        assert_eq!(annotations, ["description", "summary"], "{name}");
    }
}

#[test]
fn monitors_scrape_under_the_job_that_rules_ask_for_and_name_the_instance_after_the_pod() {
    for (name, kind, endpoints) in
        [("irsa", "PodMonitor", "podMetricsEndpoints"), ("everything", "ServiceMonitor", "endpoints")]
    {
        let endpoint = &chart(name).one(kind)["spec"][endpoints][0];
        assert_eq!(endpoint["path"], "/metrics");
        let rules = endpoint["relabelings"].as_array().unwrap();
        let targets: Map<String, Value> = rules
            .iter()
            .map(|rule| (rule["targetLabel"].as_str().unwrap().to_owned(), rule.clone()))
            .collect();
        assert_eq!(targets["job"]["replacement"], "keysweep");
        let labels = json!(["__meta_kubernetes_namespace", "__meta_kubernetes_pod_name"]);
        assert_eq!(targets["instance"]["sourceLabels"], labels);
    }
}

#[test]
fn dashboards_are_those_that_are_shipped_where_the_sidecar_looks_for_them() {
    let found = |name: &str| -> Vec<&Value> {
        let named = |map: &&Value| map["metadata"]["name"].as_str().unwrap().contains("-dashboard-");
        chart(name).all("ConfigMap").filter(named).collect()
    };
    let maps = found("irsa");
    assert_eq!(maps.len(), DASHBOARDS.len());
    for (map, name) in maps.iter().zip(DASHBOARDS) {
        let data = map["data"].as_object().unwrap();
        let (file, text) = data.iter().next().unwrap();
        assert_eq!((data.len(), file.as_str()), (1, format!("keysweep-{name}.json").as_str()));
        let shown: Value = serde_json::from_str(text.as_str().unwrap()).unwrap();
        let shipped: Value = serde_json::from_str(&read(&format!("deploy/grafana/{name}.json"))).unwrap();
        assert_eq!(shown, shipped, "{name}");
        assert_eq!(map["metadata"]["labels"]["grafana_dashboard"], "1");
        assert_eq!(map["metadata"]["annotations"]["grafana_folder"], "keysweep");
        assert_eq!(map["metadata"]["namespace"], "monitoring");
    }
    let elsewhere = found("everything")[0];
    assert!(elsewhere["metadata"]["labels"]["grafana_dashboard"].is_null());
    assert_eq!(elsewhere["metadata"]["annotations"]["k8s-sidecar-target-directory"], "Security");
    assert_eq!(found("default").len(), 0);
}
