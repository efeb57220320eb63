//! What refers to something else in the chart refers to something that is there.

use std::collections::BTreeSet;

use serde_json::Value;

use super::charts::{Chart, NAMESPACE, charts};

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn texts<'v>(items: &'v [Value], key: &'v str) -> BTreeSet<&'v str> {
    items.iter().map(|item| item[key].as_str().unwrap()).collect()
}

/// Whether labels are among those of something.
fn selects(wanted: &Value, labels: &Value) -> bool {
    let wanted = wanted.as_object().unwrap();
    assert!(!wanted.is_empty(), "an empty selector takes everything");
    wanted.iter().all(|(key, value)| labels[key] == *value)
}

#[test]
fn every_selector_finds_the_pod_and_none_finds_the_hook() {
    let selectors: [(&str, &str); 6] = [
        ("StatefulSet", "/spec/selector/matchLabels"),
        ("Service", "/spec/selector"),
        ("NetworkPolicy", "/spec/podSelector/matchLabels"),
        ("PodDisruptionBudget", "/spec/selector/matchLabels"),
        ("PodMonitor", "/spec/selector/matchLabels"),
        ("ServiceMonitor", "/spec/selector/matchLabels"),
    ];
    let mut seen = BTreeSet::new();
    for (name, chart) in charts() {
        for (kind, pointer) in selectors {
            for object in chart.all(kind) {
                seen.insert(kind);
                let selector = object.pointer(pointer).unwrap();
                let found = if kind == "ServiceMonitor" { chart.one("Service") } else { chart.pod() };
                assert!(selects(selector, &found["metadata"]["labels"]), "{name}: {kind}");
                for hook in chart.all("Job") {
                    let labels = &hook["spec"]["template"]["metadata"]["labels"];
                    assert!(!selects(selector, labels), "{name}: {kind} takes the hook's pod");
                }
            }
        }
    }
    assert_eq!(seen.len(), selectors.len(), "{seen:?}");
}

#[test]
fn ports_and_the_service_are_called_what_they_are_asked_for() {
    for (name, chart) in charts() {
        let ports = list(&chart.container()["ports"]);
        assert_eq!(ports.len(), 1);
        let (called, number) = (&ports[0]["name"], &ports[0]["containerPort"]);
        let listen = environment(chart, "KEYSWEEP__HTTP__LISTEN").unwrap();
        assert!(listen.ends_with(&format!(":{number}")), "{name}: {listen}");
        let service = chart.one("Service");
        assert_eq!(chart.one("StatefulSet")["spec"]["serviceName"], service["metadata"]["name"]);
        assert_eq!(service["spec"]["ports"][0]["targetPort"], *called, "{name}");
        assert_eq!(service["spec"]["clusterIP"], "None", "{name}");
        assert_eq!(service["spec"]["publishNotReadyAddresses"], true, "{name}");
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            assert_eq!(chart.container()[probe]["httpGet"]["port"], *called, "{name}: {probe}");
        }
        for (kind, endpoints) in [("PodMonitor", "podMetricsEndpoints"), ("ServiceMonitor", "endpoints")] {
            for monitor in chart.all(kind) {
                assert_eq!(monitor["spec"][endpoints][0]["port"], service["spec"]["ports"][0]["name"]);
                assert_eq!(monitor["spec"]["namespaceSelector"]["matchNames"][0], NAMESPACE);
            }
        }
    }
}

/// A variable of the container.
fn environment<'c>(chart: &'c Chart, name: &str) -> Option<&'c str> {
    let variables = list(&chart.container()["env"]);
    variables.iter().find(|variable| variable["name"] == name)?["value"].as_str()
}

#[test]
fn every_mount_has_its_volume_and_every_volume_is_mounted() {
    for (name, chart) in charts() {
        let owners = ["StatefulSet", "Job"].iter().flat_map(|kind| chart.all(kind));
        for owner in owners {
            let spec = &owner["spec"]["template"]["spec"];
            let mut volumes = texts(list(&spec["volumes"]), "name");
            for claim in list(&owner["spec"]["volumeClaimTemplates"]) {
                assert!(volumes.insert(claim["metadata"]["name"].as_str().unwrap()), "{name}");
            }
            let mounts = list(&spec["containers"][0]["volumeMounts"]);
            assert_eq!(texts(mounts, "name"), volumes, "{name}");
            assert_eq!(texts(mounts, "mountPath").len(), mounts.len(), "{name}: two mounts in one place");
        }
    }
}

#[test]
fn secrets_of_the_chart_are_files_of_secrets_and_no_variables() {
    for (value, volume_name, variable, least) in [
        ("externalId", "external-id", "KEYSWEEP__ROLE__EXTERNAL_ID_FILE", 2),
        ("signingKey", "signing-key", "KEYSWEEP__EVIDENCE__SIGNING_KEY_FILE", 1),
        ("oidcClientSecret", "oidc-client-secret", "KEYSWEEP__HTTP__OIDC__CLIENT_SECRET_FILE", 1),
    ] {
        let mut with_secret = 0;
        for (name, chart) in charts() {
            let secret = chart.given[value]["existingSecret"].as_str();
            with_secret += usize::from(secret.is_some());
            let spec = &chart.pod()["spec"];
            let volume = list(&spec["volumes"]).iter().find(|volume| volume["name"] == volume_name);
            let source = volume.map(|volume| &volume["secret"]);
            assert_eq!(source.map(|source| source["secretName"].as_str()), secret.map(Some), "{name}");
            let mounts = list(&chart.container()["volumeMounts"]);
            let mount = mounts.iter().find(|mount| mount["name"] == volume_name);
            let expected = mount.zip(source).map(|(mount, source)| {
                let [folder, file] =
                    [&mount["mountPath"], &source["items"][0]["path"]].map(|it| it.as_str().unwrap());
                format!("{folder}/{file}")
            });
            assert_eq!(environment(chart, variable), expected.as_deref(), "{name}");
            assert!(!chart.container().to_string().contains("secretKeyRef"), "{name}");
        }
        assert!(with_secret >= least, "{value}");
    }
}

/// Every value of a key whose name ends in `_file`.
fn secret_files(value: &Value) -> Vec<&str> {
    match value {
        Value::Object(members) => members
            .iter()
            .flat_map(|(key, inner)| match inner.as_str() {
                Some(file) if key.ends_with("_file") => vec![file],
                _ => secret_files(inner),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(secret_files).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

#[test]
fn the_secrets_of_notice_channels_are_mounted_where_the_configuration_says() {
    let mut seen = 0;
    for (name, chart) in charts() {
        let secret = chart.given["noticeSecrets"]["existingSecret"].as_str();
        let volumes = list(&chart.pod()["spec"]["volumes"]);
        let volume = volumes.iter().find(|volume| volume["name"] == "notice-secrets");
        assert_eq!(volume.and_then(|volume| volume["secret"]["secretName"].as_str()), secret, "{name}");
        let mounts = list(&chart.container()["volumeMounts"]);
        let mount = mounts.iter().find(|mount| mount["name"] == "notice-secrets");
        assert_eq!(mount.is_some(), secret.is_some(), "{name}");
        let folder = mount.and_then(|mount| mount["mountPath"].as_str()).unwrap_or("none");
        for file in secret_files(&chart.given["config"]["notices"]) {
            seen += 1;
            assert_eq!(file.rsplit_once('/').unwrap().0, folder, "{name}: {file}");
        }
        if let Some(volume) = volume {
            // Each key of the Secret is a file, and others on the node cannot read it.
            assert!(volume["secret"]["items"].is_null(), "{name}");
            assert_eq!(volume["secret"]["defaultMode"], 0o440, "{name}");
        }
    }
    assert!(seen >= 5, "{seen}");
}

#[test]
fn objects_have_names_of_their_own_and_a_namespace() {
    for (name, chart) in charts() {
        let mut seen = BTreeSet::new();
        for object in &chart.objects {
            let metadata = &object["metadata"];
            assert!(metadata["namespace"].is_string(), "{name}: {metadata}");
            let key = ["kind"].map(|key| object[key].to_string());
            let own = (key, metadata["namespace"].to_string(), metadata["name"].to_string());
            assert!(seen.insert(own), "{name}: {metadata}");
        }
    }
}

#[test]
fn what_cannot_be_changed_later_does_not_change_with_the_version() {
    for (name, chart) in charts() {
        let set = &chart.one("StatefulSet")["spec"];
        let fixed = [&set["selector"], &set["volumeClaimTemplates"], &chart.pod()["metadata"]["labels"]];
        for part in fixed {
            let text = part.to_string();
            assert!(!text.contains("helm.sh/chart") && !text.contains("/version"), "{name}: {text}");
        }
        assert_eq!(set["podManagementPolicy"], "Parallel", "{name}");
    }
}
