//! A command that runs in the daemon's place.

use clap::CommandFactory as _;
use keysweep::cli::Cli;
use serde_json::{Value, json};

use super::charts::{SOURCE, chart, charts, read};

#[test]
fn as_long_as_a_command_runs_there_is_no_daemon() {
    for (name, chart) in charts() {
        let daemons = usize::from(name != "maintenance");
        assert_eq!(chart.one("StatefulSet")["spec"]["replicas"], daemons, "{name}");
    }
}

#[test]
fn the_command_has_what_the_daemon_would_have() {
    let chart = chart("maintenance");
    let job = &chart.one("Job")["spec"]["template"]["spec"];
    let (command, daemon) = (&job["containers"][0], chart.container());
    for key in ["env", "image", "resources", "securityContext", "volumeMounts"] {
        assert_eq!(command[key], daemon[key], "{key}");
    }
    for key in ["ports", "startupProbe", "livenessProbe", "readinessProbe"] {
        assert!(command[key].is_null() && !daemon[key].is_null(), "{key}");
    }
    for key in ["serviceAccountName", "securityContext"] {
        assert_eq!(job[key], chart.pod()["spec"][key], "{key}");
    }
    assert_eq!(job["restartPolicy"], "Never");
    let set = chart.one("StatefulSet");
    let claim = &set["spec"]["volumeClaimTemplates"][0]["metadata"]["name"];
    let pod = format!("{}-{}-0", claim.as_str().unwrap(), set["metadata"]["name"].as_str().unwrap());
    let data = json!({ "name": claim, "persistentVolumeClaim": { "claimName": pod } });
    assert!(job["volumes"].as_array().unwrap().contains(&data), "{}", job["volumes"]);
}

#[test]
fn the_command_can_be_typed() {
    let args = |value: &Value| -> Vec<String> { serde_json::from_value(value.clone()).unwrap() };
    let command = &chart("maintenance").one("Job")["spec"]["template"]["spec"]["containers"][0]["args"];
    let readme = read(&format!("{SOURCE}/README.md"));
    let typed: Vec<Vec<String>> = readme
        .split("--set 'maintenance.args={")
        .skip(1)
        .map(|rest| rest.split('}').next().unwrap().split(',').map(str::to_owned).collect())
        .collect();
    assert!(!typed.is_empty());
    for args in typed.into_iter().chain([args(command)]) {
        let words = std::iter::once("keysweep".to_owned()).chain(args);
        if let Err(error) = Cli::command().try_get_matches_from(words) {
            panic!("{error}");
        }
    }
}
