//! The ConfigMap holds a configuration that keysweep takes, with every value as it was given.

use std::{env, fs};

use keysweep::config::{self, Config, Sources};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::Value;

use super::charts::{Chart, chart, charts};

/// The texts of keysweep.toml.
fn configurations(chart: &Chart) -> impl Iterator<Item = &str> {
    chart.all("ConfigMap").filter_map(|map| map["data"]["keysweep.toml"].as_str())
}

/// What Secrets of notice channels contain, by the names of files.
const NOTICE_SECRETS: [(&str, &str); 5] = [
    ("smtp-password", "a password"),
    ("slack-token", "xoxb-1"),
    ("tickets-url", "https://tickets.example.org/hook"),
    ("tickets-secret", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
    ("teams-url", "https://teams.example.org/workflow"),
];

/// Where a fixture mounts the certificate of the port. keysweep reads it by its path, not as a credential.
const CERTIFICATE: &str = "/run/secrets/keysweep-tls";

/// What `keysweep config check` does in the container, but for the folders in which the secrets are.
fn checked(toml: &str) -> Config {
    let folder = tempfile::tempdir().unwrap();
    let (file, external_id) = (folder.path().join("keysweep.toml"), folder.path().join("external-id"));
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["keysweep.example.org".to_owned()]).unwrap();
    for (name, pem) in
        [("tls.crt", cert.pem()), ("ca.crt", cert.pem()), ("tls.key", signing_key.serialize_pem())]
    {
        fs::write(folder.path().join(name), pem).unwrap();
    }
    fs::write(&file, toml.replace(CERTIFICATE, folder.path().to_str().unwrap())).unwrap();
    fs::write(&external_id, "open-sesame_4711").unwrap();
    let client_secret = folder.path().join("client-secret");
    fs::write(&client_secret, "of the provider").unwrap();
    let secrets = folder.path().join("secrets");
    fs::create_dir(&secrets).unwrap();
    for (name, content) in NOTICE_SECRETS {
        fs::write(secrets.join(name), content).unwrap();
    }
    let env = vec![
        ("KEYSWEEP__HTTP__LISTEN".to_owned(), "[::]:9853".to_owned()),
        ("KEYSWEEP__ROLE__EXTERNAL_ID_FILE".to_owned(), external_id.to_str().unwrap().to_owned()),
        ("KEYSWEEP__HTTP__OIDC__CLIENT_SECRET_FILE".to_owned(), client_secret.to_str().unwrap().to_owned()),
    ];
    let now = "2026-07-15T12:00:00Z".parse().unwrap();
    let sources = Sources { file: Some(file), env, credentials: Some(secrets), ..Sources::default() };
    let config = config::load_to_serve(&sources, now).map(|(config, _)| config);
    config.unwrap_or_else(|error| panic!("{error}\n{toml}"))
}

#[test]
fn keysweep_takes_every_configuration_without_a_warning() {
    let mut seen = 0;
    for (name, chart) in charts() {
        for toml in configurations(chart) {
            seen += 1;
            let config = checked(toml);
            assert!(config.warnings.is_empty(), "{name}: {:?}", config.warnings);
        }
    }
    assert!(seen >= 4);
}

/// Every value with its key as keysweep shows it, such as `policy.override[1].mode`. A match is one value.
fn settings(value: &Value, key: &str, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(members) if !key.ends_with(".match") => {
            for (name, inner) in members {
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                settings(inner, &key, found);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (index, inner) in items.iter().enumerate() {
                settings(inner, &format!("{key}[{}]", index + 1), found);
            }
        }
        Value::Object(_)
        | Value::Array(_)
        | Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_) => {
            found.push((key.to_owned(), value.clone()));
        }
    }
}

/// A path of the folder of `checked`, as the chart gives it.
fn where_it_is_mounted(value: Value) -> Value {
    let name = value.as_str().and_then(|path| path.strip_prefix(env::temp_dir().to_str()?)?.rsplit_once('/'));
    name.map(|(_, name)| format!("{CERTIFICATE}/{name}").into()).unwrap_or(value)
}

#[test]
fn every_value_arrives_as_it_was_given() {
    let mut seen = 0;
    for (name, chart) in charts() {
        for toml in configurations(chart) {
            let mut given = Vec::new();
            settings(&chart.given["config"], "", &mut given);
            let effective = checked(toml).effective.settings;
            for (key, value) in given.into_iter().filter(|(_, value)| !value.is_null()) {
                seen += 1;
                let setting = effective.iter().find(|setting| setting.key == key);
                let setting = setting.unwrap_or_else(|| panic!("{name}: no {key}\n{toml}"));
                let found = where_it_is_mounted(serde_json::to_value(&setting.value).unwrap());
                // The hash of a token is shown to nobody.
                let hidden = key.ends_with(".sha256") && found == "(hidden)";
                let same =
                    hidden || found == value || found.as_f64().is_some_and(|f| Some(f) == value.as_f64());
                assert!(same, "{name}: {key} is {found} and not {value}\n{toml}");
            }
        }
    }
    assert!(seen > 30);
}

#[test]
fn rules_arrive_with_what_they_match() {
    let toml = configurations(chart("irsa")).next().unwrap();
    let policy = checked(toml).policy;
    assert_eq!((policy.overrides.len(), policy.exemptions.len()), (1, 1));
    assert!(toml.contains(r#"match = { user_tags = { "keysweep:exempt" = "*" } }"#), "{toml}");
    assert!(toml.contains(r#"match = { ous = ["ou-ab12-sandbox01"] }"#), "{toml}");
}

#[test]
fn notice_channels_arrive_with_their_secrets() {
    let toml = configurations(chart("everything")).next().unwrap();
    let config = checked(toml);
    assert_eq!(config.channels.email.unwrap().port, 2525);
    assert!(config.channels.slack.is_some());
    assert_eq!(config.channels.webhooks.len(), 2);
    assert_eq!(config.policy.notices.routes.len(), 1);
}

#[test]
fn the_hook_checks_the_configuration_that_the_pod_gets() {
    let chart = chart("everything");
    let texts: Vec<&str> = configurations(chart).collect();
    assert_eq!(texts.len(), 2);
    assert_eq!(texts[0], texts[1]);
    let hook = chart.one("Job");
    for key in ["env", "volumeMounts"] {
        let checked = &hook["spec"]["template"]["spec"]["containers"][0][key];
        for item in checked.as_array().unwrap() {
            assert!(chart.container()[key].as_array().unwrap().contains(item), "{item}");
        }
    }
    assert_eq!(hook["spec"]["template"]["spec"]["containers"][0]["image"], chart.container()["image"]);
    assert_eq!(hook["metadata"]["annotations"]["helm.sh/hook"], "pre-install,pre-upgrade");
}

#[test]
fn a_changed_configuration_starts_the_pod_anew_unless_that_is_switched_off() {
    let sum = |name: &str| chart(name).pod()["metadata"]["annotations"]["checksum/config"].clone();
    assert!(sum("default").is_string());
    assert_ne!(sum("default"), sum("irsa"));
    assert!(sum("everything").is_null());
    // A ConfigMap of somebody else's is not looked into.
    assert!(sum("trial").is_null());
    let volumes = chart("trial").pod()["spec"]["volumes"].as_array().unwrap();
    assert!(volumes.iter().any(|volume| volume["configMap"]["name"] == "my-keysweep"));
    assert_eq!(configurations(chart("trial")).count(), 0);
}
