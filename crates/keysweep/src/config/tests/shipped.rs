//! Every configuration that is shipped is one that works.

use std::path::PathBuf;

use keysweep_core::policy::{DAY, Mode};

use super::*;
use crate::config::reference::{
    CONTACT_EXAMPLE, EXEMPT_EXAMPLE, OVERRIDE_EXAMPLE, ROUTE_EXAMPLE, TOKEN_EXAMPLE, WEBHOOK_EXAMPLE,
};
use crate::config::{reference_toml, schema};

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config").join(name)
}

fn load_shipped(name: &str) -> Config {
    load(&mk_sources(&shipped(name), &[]), mk_now()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_reference_is_what_the_model_says() {
    let file = std::fs::read_to_string(shipped("keysweep.toml")).unwrap_or_default();
    assert!(file == reference_toml(), "config/keysweep.toml is out of date: run cargo xtask gen-config");
}

#[test]
fn the_reference_gives_the_defaults() {
    let written = load_text(&reference_toml()).unwrap();
    let defaults = load(&Sources::default(), mk_now()).unwrap();
    assert_eq!(written.policy, mk_default_policy());
    let values = |config: &Config| {
        config.effective.settings.iter().map(|s| (s.key.clone(), s.value.clone())).collect::<Vec<_>>()
    };
    assert_eq!(values(&written), values(&defaults));
    assert!(written.warnings.is_empty());
}

#[test]
fn every_key_of_the_reference_has_a_comment() {
    let text = reference_toml();
    let mut before = "";
    for line in text.lines() {
        if line.contains(" = ") && !line.starts_with('#') {
            assert!(before.starts_with('#'), "{line}");
        }
        before = line;
    }
}

#[test]
fn the_lists_of_the_reference_are_examples_that_work() {
    let channels = "notices.slack.token_file = \"/nonexistent/token\"\nnotices.email = { host = \"localhost\", from = \"a@example.com\" }\n";
    let examples =
        [OVERRIDE_EXAMPLE, EXEMPT_EXAMPLE, CONTACT_EXAMPLE, WEBHOOK_EXAMPLE, ROUTE_EXAMPLE, TOKEN_EXAMPLE];
    let config = load_text(&format!("{channels}{}", examples.join("\n"))).unwrap();
    assert_eq!(config.policy.notices.webhooks.len(), 1);
    assert_eq!(config.policy.notices.routes.len(), 1);
    assert_eq!(config.http.tokens.len(), 1);
    assert_eq!(config.policy.overrides.len(), 1);
    assert_eq!(config.policy.exemptions.len(), 1);
    assert_eq!(config.policy.owners.contacts.len(), 1);
    for line in examples.iter().flat_map(|example| example.lines()) {
        assert!(reference_toml().contains(&format!("#{line}")), "{line}");
    }
}

#[test]
fn every_example_loads_without_a_word_and_changes_nothing() {
    let mut names: Vec<_> = std::fs::read_dir(shipped("examples"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["aws-config-90d.toml", "cautious-start.toml", "cis-45d.toml", "sentasity-90d.toml"]);
    for name in names {
        let config = load_shipped(&format!("examples/{name}"));
        assert!(config.warnings.is_empty(), "{name}: {:?}", config.warnings);
        assert!(!config.policy.changes_anything(), "{name}");
    }
}

#[test]
fn the_examples_say_what_their_names_say() {
    assert_eq!(load_shipped("examples/cis-45d.toml").policy.base.unused_after, 45 * DAY);
    assert_eq!(load_shipped("examples/aws-config-90d.toml").policy.base.never_used_after, 90 * DAY);
    let sentasity = load_shipped("examples/sentasity-90d.toml").policy.base;
    assert_eq!((sentasity.grace, sentasity.max_age), (7 * DAY, Some(90 * DAY)));
    let cautious = load_shipped("examples/cautious-start.toml").policy.base;
    assert!(cautious.hours.is_some() && cautious.mode == Mode::Observe);
}

#[test]
fn the_next_steps_of_the_cautious_start_work_when_uncommented() {
    let text = std::fs::read_to_string(shipped("examples/cautious-start.toml")).unwrap();
    let text: String =
        text.lines().map(|line| format!("{}\n", line.strip_prefix("#>").unwrap_or(line))).collect();
    let config = load_text(&text).unwrap();
    assert!(config.policy.changes_anything());
}

#[test]
fn the_schema_describes_every_key_and_knows_no_null() {
    let text = serde_json::to_string_pretty(&schema()).unwrap();
    assert!(!text.contains("null"), "{text}");
    assert!(text.contains("Time after which a request for approval expires."));
    assert!(text.contains("\"additionalProperties\": false"));
    let exempt = &serde_json::to_value(schema()).unwrap()["$defs"]["ExemptSection"];
    assert_eq!(exempt["required"], serde_json::json!(["match", "reason", "until"]));
}
