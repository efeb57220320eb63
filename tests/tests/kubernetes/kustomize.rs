//! The Kustomize base is what the chart renders with its default values.

use serde_json::Value;

use super::charts::{chart, read};

const BASE: &str = "deploy/kustomize/base";
/// What tells that Helm made it, and when the pod has to start anew: Kustomize puts a hash into the ConfigMap's name.
const OF_HELM: [&str; 4] =
    ["app.kubernetes.io/managed-by", "app.kubernetes.io/version", "checksum/config", "helm.sh/chart"];

fn without_helm(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.iter().filter(|(key, _)| !OF_HELM.contains(&key.as_str()));
            members
                .map(|(key, inner)| (key.clone(), without_helm(inner)))
                .collect::<serde_json::Map<_, _>>()
                .into()
        }
        Value::Array(items) => items.iter().map(without_helm).collect::<Vec<_>>().into(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn yaml(name: &str) -> Value {
    let text = read(&format!("{BASE}/{name}"));
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What a configuration says, without its comments.
fn said(toml: &str) -> Vec<&str> {
    toml.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect()
}

#[test]
fn the_base_is_what_the_chart_renders_by_default() {
    let kustomization = yaml("kustomization.yaml");
    let resources = kustomization["resources"].as_array().unwrap();
    let mut base: Vec<Value> = resources.iter().map(|name| yaml(name.as_str().unwrap())).collect();
    let mut rendered: Vec<Value> = chart("default")
        .objects
        .iter()
        .filter(|object| object["kind"] != "ConfigMap")
        .map(without_helm)
        .map(|mut object| {
            object["metadata"].as_object_mut().unwrap().remove("namespace").unwrap();
            object
        })
        .collect();
    for objects in [&mut base, &mut rendered] {
        objects.sort_by_key(|object| object["kind"].to_string());
    }
    assert_eq!(base, rendered);
}

#[test]
fn the_base_generates_the_configuration_of_the_chart() {
    let map = without_helm(chart("default").one("ConfigMap"));
    let kustomization = yaml("kustomization.yaml");
    let generator = &kustomization["configMapGenerator"][0];
    assert_eq!(generator["name"], map["metadata"]["name"]);
    assert_eq!(generator["options"]["labels"], map["metadata"]["labels"]);
    assert_eq!(generator["files"], serde_json::json!(["keysweep.toml"]));
    let toml = map["data"]["keysweep.toml"].as_str().unwrap();
    assert_eq!(said(&read(&format!("{BASE}/keysweep.toml"))), said(toml));
}
