//! What is generated of the Helm chart: the schema of its values and their table.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use super::values;
use crate::command::root;

const CHART: &str = "deploy/helm/keysweep";
const ALERTS: &str = "deploy/prometheus/alerts.rules.yml";
/// What the chart sets itself, as section and key; a section of "" is the top.
const SET_BY_THE_CHART: [(&str, &str); 3] =
    [("", "data_dir"), ("HttpSection", "listen"), ("RoleSection", "external_id_file")];
/// Where the generated part of the schema begins.
const GENERATED: &str = "\n    \"alerts\": ";

/// Path and text of each file.
pub(super) fn files(config: Value) -> anyhow::Result<Vec<(String, String)>> {
    let path = format!("{CHART}/values.schema.json");
    let schema = schema(&read(&path)?, &read(ALERTS)?, config)?;
    let readme = format!("{CHART}/README.md");
    let table = values::table(&read(&format!("{CHART}/values.yaml"))?);
    let text = values::with_table(&read(&readme)?, &table).context("deploy/helm: README.md")?;
    Ok(vec![(path, schema), (readme, text)])
}

fn read(path: &str) -> anyhow::Result<String> {
    let file: PathBuf = root().join(path);
    fs::read_to_string(&file).with_context(|| format!("read {path}"))
}

/// The schema of the values: what is written by hand, followed by the names of the alerts and by the schema of
/// keysweep's own configuration.
fn schema(found: &str, alerts: &str, config: Value) -> anyhow::Result<String> {
    let (by_hand, _) = found.split_once(GENERATED).context("no definition alerts in values.schema.json")?;
    let names: Vec<&str> =
        alerts.lines().filter_map(|line| line.trim_start().strip_prefix("- alert: ")).collect();
    let own = |name: &str| (name.to_owned(), json!({ "$ref": "#/definitions/alert" }));
    let properties: Map<_, _> = names.into_iter().map(own).collect();
    let alerts = json!({ "type": "object", "additionalProperties": false, "properties": properties });
    let config = pretty(&embedded(config))?;
    Ok(format!("{by_hand}{GENERATED}{},\n    \"config\": {config}\n  }}\n}}\n", pretty(&alerts)?))
}

/// As it stands four spaces deep.
fn pretty(value: &Value) -> anyhow::Result<String> {
    let text = serde_json::to_string_pretty(value).context("write a schema as JSON")?;
    Ok(text.replace('\n', "\n    "))
}

/// The schema of the configuration, as a part of another that is of an older draft, which older Helms read.
fn embedded(mut config: Value) -> Value {
    for (section, key) in SET_BY_THE_CHART {
        let pointer = if section.is_empty() {
            "/properties".to_owned()
        } else {
            format!("/$defs/{section}/properties")
        };
        if let Some(Value::Object(properties)) = config.pointer_mut(&pointer) {
            properties.remove(key);
        }
    }
    if let Some(top) = config.as_object_mut() {
        top.remove("$schema");
        top.remove("title");
        if let Some(definitions) = top.remove("$defs") {
            top.insert("definitions".into(), definitions);
        }
    }
    converted(config)
}

fn converted(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            // A property may be called "format", too; its value is a schema and no text.
            .filter(|(key, value)| {
                !(key == "format" && value.is_string() || key == "default" && value.is_object())
            })
            .map(|(key, value)| match value {
                Value::String(reference) if key == "$ref" => {
                    (key, Value::from(reference.replace("#/$defs/", "#/definitions/config/definitions/")))
                }
                Value::Array(choices) if key == "oneOf" => match constants(&choices) {
                    // One message that lists them, in place of one for each.
                    Some(constants) => ("enum".to_owned(), constants),
                    None => (key, converted(Value::Array(choices))),
                },
                value => (key, converted(value)),
            })
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.into_iter().map(converted).collect::<Vec<_>>().into(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

/// The values of a choice between constants; nothing if it is another.
fn constants(choices: &[Value]) -> Option<Value> {
    choices.iter().map(|choice| choice.get("const").cloned()).collect::<Option<Vec<_>>>().map(Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_of_the_configuration_becomes_a_part_without_what_the_chart_sets() {
        let config = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "properties": { "data_dir": {}, "http": { "$ref": "#/$defs/HttpSection", "default": {} } },
            "$defs": {
                "HttpSection": { "properties": { "listen": {}, "format": { "format": "uint32", "default": 1 } } },
                "Choice": { "oneOf": [{ "const": "a" }, { "const": "b" }] },
            },
        });
        let expected = json!({
            "properties": { "http": { "$ref": "#/definitions/config/definitions/HttpSection" } },
            "definitions": {
                "HttpSection": { "properties": { "format": { "default": 1 } } },
                "Choice": { "enum": ["a", "b"] },
            },
        });
        assert_eq!(embedded(config), expected);
    }

    #[test]
    fn what_is_written_by_hand_stays_as_it_is() {
        let by_hand = "{\n  \"definitions\": {\n    \"name\": {},";
        let found = format!("{by_hand}\n    \"alerts\": {{}},\n    \"config\": {{}}\n  }}\n}}\n");
        let written = schema(&found, "      - alert: One\n", json!({ "type": "object" })).unwrap();
        assert!(written.starts_with(by_hand));
        let parsed: Value = serde_json::from_str(&written).unwrap();
        let expected = json!({ "One": { "$ref": "#/definitions/alert" } });
        assert_eq!(parsed["definitions"]["alerts"]["properties"], expected);
        assert_eq!(parsed["definitions"]["config"], json!({ "type": "object" }));
        assert_eq!(schema(&written, "- alert: One\n", json!({ "type": "object" })).unwrap(), written);
    }
}
