//! Every pod fulfils the Pod Security Standard "restricted".
//!
//! <https://kubernetes.io/docs/concepts/security/pod-security-standards/>

use serde_json::{Value, json};

use super::charts::{chart, charts};

/// Kinds of volumes that are admitted.
const VOLUMES: [&str; 8] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Everything by which a pod falls short of "restricted".
fn complaints(spec: &Value) -> Vec<String> {
    let mut complaints = Vec::new();
    for host in ["hostNetwork", "hostPID", "hostIPC"] {
        if spec[host] == true {
            complaints.push(host.to_owned());
        }
    }
    for volume in list(&spec["volumes"]) {
        for kind in volume.as_object().into_iter().flat_map(|volume| volume.keys()) {
            if kind != "name" && !VOLUMES.contains(&kind.as_str()) {
                complaints.push(format!("volume {kind}"));
            }
        }
    }
    let containers = ["containers", "initContainers", "ephemeralContainers"];
    for container in containers.iter().flat_map(|kind| list(&spec[kind])) {
        complaints.extend(of_container(&spec["securityContext"], container));
    }
    complaints
}

fn of_container(pod: &Value, container: &Value) -> Vec<String> {
    let mut complaints = Vec::new();
    let own = &container["securityContext"];
    let mut want = |content: bool, what: &str| {
        if !content {
            complaints.push(what.to_owned());
        }
    };
    // What the container does not say, the pod says for it.
    let effective = |key: &str| if own[key].is_null() { &pod[key] } else { &own[key] };
    want(own["privileged"] != true, "privileged");
    want(own["allowPrivilegeEscalation"] == false, "allowPrivilegeEscalation");
    want(list(&own["capabilities"]["drop"]).contains(&json!("ALL")), "capabilities.drop");
    want(list(&own["capabilities"]["add"]).iter().all(|add| add == "NET_BIND_SERVICE"), "capabilities.add");
    want(effective("runAsNonRoot") == true, "runAsNonRoot");
    want(*effective("runAsUser") != 0, "runAsUser");
    let seccomp = effective("seccompProfile")["type"].as_str();
    want(matches!(seccomp, Some("RuntimeDefault" | "Localhost")), "seccompProfile");
    want(list(&container["ports"]).iter().all(|port| port["hostPort"].is_null()), "hostPort");
    want(own["procMount"].is_null(), "procMount");
    want(pod["sysctls"].is_null(), "sysctls");
    complaints
}

#[test]
fn every_pod_is_restricted_and_its_root_filesystem_read_only() {
    for (name, chart) in charts() {
        let pods = ["StatefulSet", "Job"].iter().flat_map(|kind| chart.all(kind));
        let specs: Vec<&Value> = pods.map(|owner| &owner["spec"]["template"]["spec"]).collect();
        assert!(!specs.is_empty());
        for spec in specs {
            assert_eq!(complaints(spec), [""; 0], "{name}");
            assert_eq!(spec["automountServiceAccountToken"], false, "{name}");
            assert_eq!(spec["enableServiceLinks"], false, "{name}");
            for container in list(&spec["containers"]) {
                assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true, "{name}");
            }
        }
    }
}

#[test]
fn the_check_sees_what_is_not_restricted() {
    let restricted = &chart("default").pod()["spec"];
    let wrong: [(&str, Value, &str); 11] = [
        ("/hostNetwork", json!(true), "hostNetwork"),
        ("/volumes/0", json!({ "name": "config", "hostPath": { "path": "/" } }), "volume hostPath"),
        ("/securityContext/runAsNonRoot", json!(false), "runAsNonRoot"),
        ("/securityContext/runAsUser", json!(0), "runAsUser"),
        ("/securityContext/seccompProfile/type", json!("Unconfined"), "seccompProfile"),
        ("/securityContext/sysctls", json!([{ "name": "kernel.shm_rmid_forced" }]), "sysctls"),
        ("/containers/0/securityContext/privileged", json!(true), "privileged"),
        ("/containers/0/securityContext/allowPrivilegeEscalation", json!(null), "allowPrivilegeEscalation"),
        ("/containers/0/securityContext/capabilities/drop", json!(["NET_RAW"]), "capabilities.drop"),
        ("/containers/0/securityContext/capabilities/add", json!(["SYS_PTRACE"]), "capabilities.add"),
        ("/containers/0/ports/0/hostPort", json!(9853), "hostPort"),
    ];
    for (path, value, complaint) in wrong {
        let mut spec = restricted.clone();
        let (parent, key) = path.rsplit_once('/').unwrap();
        match spec.pointer_mut(parent).unwrap() {
            Value::Array(items) => items[key.parse::<usize>().unwrap()] = value,
            parent => parent[key] = value,
        }
        assert_eq!(complaints(&spec), [complaint], "{path}");
    }
}

#[test]
fn there_is_time_to_open_and_time_to_end() {
    let pod = &chart("default").pod()["spec"];
    // keysweep gives itself 30 s.
    assert!(pod["terminationGracePeriodSeconds"].as_u64().unwrap() > 30);
    let probe = |name: &str| {
        let probe = &chart("default").container()[name];
        let patience = probe["periodSeconds"].as_u64().unwrap() * probe["failureThreshold"].as_u64().unwrap();
        (probe["httpGet"]["path"].as_str().unwrap(), patience)
    };
    let (path, patience) = probe("startupProbe");
    assert_eq!(path, "/-/healthy");
    assert!(patience >= 240, "opening may take two minutes");
    let (path, patience) = probe("livenessProbe");
    assert_eq!(path, "/-/healthy");
    assert!(patience >= 120, "a restart for nothing costs watched grace");
    assert_eq!(probe("readinessProbe").0, "/-/ready");
}
