//! The program itself: its exit codes and the forms of its answer.

use std::fs;
use std::path::Path;

use keysweep::doctor::{DoctorDocument, Problem};
use keysweep_tests::site::Site;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::company::{DEV, PROD};

/// Holds a value against the part of JSON schema that ours use, and knows every name.
fn assert_fits(value: &Value, schema: &Value, root: &Value, at: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.strip_prefix("#/$defs/").unwrap();
        return assert_fits(value, &root["$defs"][name], root, at);
    }
    for either in ["anyOf", "oneOf"] {
        if let Some(all) = schema[either].as_array() {
            let constant = |one: &Value| one["const"] == *value;
            let null = |one: &Value| one["type"] == "null" && value.is_null();
            if all.iter().any(|one| constant(one) || null(one)) {
                return;
            }
            let of_use = all.iter().find(|one| one["type"] != "null" && one.get("const").is_none());
            return assert_fits(
                value,
                of_use.unwrap_or_else(|| panic!("{at}: {value} fits nothing")),
                root,
                at,
            );
        }
    }
    match value {
        Value::Object(members) => {
            let known = schema["properties"].as_object().unwrap_or_else(|| panic!("{at} is no object"));
            for required in schema["required"].as_array().unwrap() {
                assert!(members.contains_key(required.as_str().unwrap()), "{at} lacks {required}");
            }
            for (name, member) in members {
                let of_member = known.get(name).unwrap_or_else(|| panic!("{at} has {name}"));
                assert_fits(member, of_member, root, &format!("{at}.{name}"));
            }
        }
        Value::Array(items) => {
            items.iter().for_each(|item| assert_fits(item, &schema["items"], root, &format!("{at}[]")));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            let kind = match value {
                Value::Null => "null",
                Value::Bool(_) => "boolean",
                Value::Number(_) => "integer",
                _ => "string",
            };
            let kinds = &schema["type"];
            let fits = kinds == kind || kinds.as_array().is_some_and(|all| all.contains(&json!(kind)));
            assert!(fits, "{at}: {value} is no {kinds}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_tells_by_its_exit_code_and_in_every_form() {
    let site = Site::new("[notices]\nrequired = false\n").await;
    site.account(PROD);
    site.sim.make_reports();
    let (code, data, messages) = site.run(&["doctor"]).await;
    assert_eq!(code, 0, "{data}{messages}");
    assert!(data.contains("there is no data_dir"), "{data}");
    assert!(!site.data_dir().exists(), "doctor made a data_dir");

    let mut daemon = site.daemon();
    daemon.says("sweep finished").await;
    site.sim.account(DEV).add();
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schemas/doctor.json");
    let schema: Value = serde_json::from_str(&fs::read_to_string(schema).unwrap()).unwrap();
    let (code, data, _) = site.run(&["doctor", "--format", "json"]).await;
    assert_eq!(code, 4, "{data}");
    let value: Value = serde_json::from_str(&data).unwrap();
    assert_fits(&value, &schema, &schema, "document");
    let document: DoctorDocument = serde_json::from_value(value).unwrap();
    assert!(document.data_dir.daemon && document.data_dir.held_by.is_some(), "{:?}", document.data_dir);
    assert_eq!(document.credentials.unwrap().origin, "the environment (AWS_ACCESS_KEY_ID)");
    assert_eq!(of_account(&document.problems, DEV), 2, "{data}");

    let (code, data, messages) = site.run(&["doctor", "--account", DEV]).await;
    assert_eq!(code, 4);
    assert!(
        data.contains(&format!("gap: {DEV}: the role keysweep/KeysweepScan cannot be assumed")),
        "{data}"
    );
    assert!(messages.contains("nothing was changed"), "{messages}");
    let (code, data, _) = site.run(&["doctor", "--format", "csv"]).await;
    assert_eq!(code, 4);
    assert!(
        data.starts_with("check,verdict,what,actions,statement,policy,reason,remedy,accounts\n"),
        "{data}"
    );
    assert_eq!(site.run(&["doctor", "--account", "999999999999"]).await.0, 1);
    assert_eq!(site.run(&["--set", "aws.allow_endpoint_override=false", "doctor"]).await.0, 4);
    assert_eq!(site.run(&["doctor", "--account", "nonsense"]).await.0, 2);

    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends().await.0.code(), Some(0), "doctor disturbed the daemon");
}

fn of_account(problems: &[Problem], account: &str) -> usize {
    problems.iter().filter(|problem| problem.accounts == [account]).count()
}
