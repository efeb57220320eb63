//! The template and the module for member accounts hold what `keysweep iam` prints, and linters find nothing in them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use keysweep::config::{self, Config, Sources};
use keysweep::iam::{self, Deletion, Document};
use keysweep_tests::conformance::{ensure_venv, target_dir, tool};
use serde_json::{Map, Value, json};

const HUB: &str = "arn:aws:iam::111122223333:role/keysweep-hub";
const EXTERNAL_ID: &str = "open-sesame_4711";

/// A configuration with every statement there is.
const RULES: &str = r#"
[policy]
quarantine = "3d"
[organization]
management_account = "direct"
include_ous = ["ou-abcd-12345678"]
[[policy.override]]
match = { account_tags = { env = "prod" } }
unused_after = "60d"
[[policy.exempt]]
match = { user_tags = { "keysweep:exempt" = "*" }, accounts = ["111122223333"] }
reason = "break glass"
until = "2027-06-30"
"#;

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/iam").join(name)
}

fn template() -> Value {
    serde_json::from_str(&fs::read_to_string(deploy("member-roles.template.json")).unwrap()).unwrap()
}

fn mk_now() -> jiff::Timestamp {
    "2026-07-15T12:00:00Z".parse().unwrap()
}

fn mk_config(toml: &str) -> Config {
    let folder = tempfile::tempdir().unwrap();
    let (file, external_id) = (folder.path().join("keysweep.toml"), folder.path().join("external-id"));
    fs::write(&external_id, EXTERNAL_ID).unwrap();
    fs::write(&file, format!("role.external_id_file = {external_id:?}\n{toml}")).unwrap();
    let sources = Sources { file: Some(file), ..Sources::default() };
    config::load(&sources, mk_now()).unwrap_or_else(|error| panic!("{error}"))
}

fn json_of(document: &Document) -> Value {
    serde_json::to_value(document).unwrap()
}

/// What CloudFormation makes of a part of the template; None for `AWS::NoValue`.
fn resolved(part: &Value, parameters: &Value, conditions: &Value) -> Option<Value> {
    let resolve = |part: &Value| resolved(part, parameters, conditions);
    Some(match part {
        Value::Object(members) if members.len() == 1 && members.contains_key("Ref") => {
            match members["Ref"].as_str().unwrap() {
                "AWS::NoValue" => return None,
                name => parameters[name].clone(),
            }
        }
        Value::Object(members) if members.len() == 1 && members.contains_key("Fn::Sub") => {
            Value::from(members["Fn::Sub"].as_str().unwrap().replace("${AWS::Partition}", "aws"))
        }
        Value::Object(members) if members.len() == 1 && members.contains_key("Fn::If") => {
            let holds = conditions[members["Fn::If"][0].as_str().unwrap()].as_bool().unwrap();
            return resolve(&members["Fn::If"][if holds { 1 } else { 2 }]);
        }
        Value::Object(members) => members
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), resolve(value)?)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(list) => list.iter().filter_map(resolve).collect::<Vec<_>>().into(),
        Value::String(text) => {
            assert!(!text.contains("AWS::Partition"), "{text} is not substituted");
            part.clone()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => part.clone(),
    })
}

#[test]
fn the_template_makes_the_roles_with_the_printed_policies() {
    let plain = mk_config("");
    let quarantining = mk_config("policy.quarantine = \"3d\"");
    let template = template();
    let parameters = json!({ "HubArn": HUB, "ExternalId": EXTERNAL_ID });
    let trust = json_of(&iam::trust(&plain, &HUB.parse().unwrap(), None).unwrap());
    let (allowed, never) = ((Deletion::Allowed, true), (Deletion::Never, false));
    let cases = [allowed, never].map(|case| [(&plain, false, case), (&quarantining, true, case)]);
    for (config, quarantines, (deletion, allows)) in cases.into_iter().flatten() {
        let conditions = json!({ "AllowsDeletion": allows, "AllowsQuarantine": quarantines });
        let properties = |role: &str| {
            resolved(&template["Resources"][role]["Properties"], &parameters, &conditions).unwrap()
        };
        let (scan, enforce) = (properties("KeysweepScan"), properties("KeysweepEnforce"));
        assert_eq!(scan["Policies"][0]["PolicyDocument"], json_of(&iam::scan(config).unwrap()));
        let expected = json_of(&iam::enforce(config, mk_now(), deletion).unwrap());
        assert_eq!(enforce["Policies"][0]["PolicyDocument"], expected);
        for (role, of) in [(&scan, &config.role.scan), (&enforce, &config.role.enforce)] {
            assert_eq!(role["AssumeRolePolicyDocument"], trust);
            assert_eq!(role["Policies"].as_array().unwrap().len(), 1);
            let path = role["Path"].as_str().unwrap().trim_start_matches('/');
            assert_eq!(format!("{path}{}", role["RoleName"].as_str().unwrap()), of.to_string());
            // Sessions are at most as long as the role admits.
            assert!(role["MaxSessionDuration"].as_u64().unwrap() >= config.role.duration.as_secs());
        }
    }
}

#[test]
fn the_template_makes_the_policy_of_a_quarantine_under_the_name_that_is_the_default() {
    let policy = &template()["Resources"]["KeysweepQuarantine"];
    let properties = resolved(&policy["Properties"], &json!({}), &json!({})).unwrap();
    assert_eq!(policy["Condition"], "AllowsQuarantine");
    assert_eq!(properties["ManagedPolicyName"], mk_config("").policy.quarantine_policy.as_str());
    assert_eq!(properties["PolicyDocument"], json_of(&iam::quarantine()));
    let deny = &properties["PolicyDocument"]["Statement"][0];
    assert_eq!((&deny["Effect"], &deny["Action"][0]), (&json!("Deny"), &json!("*")));
}

#[test]
fn the_template_changes_nothing_unless_it_is_told_to_and_keeps_its_secret() {
    let template = template();
    for parameter in ["EnforceRole", "AllowDeletion", "AllowQuarantine"] {
        assert_eq!(template["Parameters"][parameter]["Default"], "false");
    }
    assert_eq!(template["Resources"]["KeysweepEnforce"]["Condition"], "MakesEnforceRole");
    assert_eq!(template["Parameters"]["ExternalId"]["NoEcho"], true);
    assert!(template["Parameters"]["ExternalId"].get("Default").is_none());
}

#[test]
fn the_module_takes_policies_as_they_are_printed_and_has_none_of_its_own() {
    let text = |name: &str| fs::read_to_string(deploy("terraform").join(name)).unwrap();
    let (main, variables) = (text("main.tf"), text("variables.tf"));
    for sign in ["Action", "Effect", "sts:", "iam:", "jsonencode", "aws_iam_policy_document"] {
        assert!(!main.contains(sign), "{sign} in main.tf");
    }
    for used in main.split("var.").skip(1) {
        let name: String = used.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        assert!(variables.contains(&format!("variable \"{name}\" {{")), "{name} is not declared");
    }
    let defaults = mk_config("");
    for (role, name) in [(&defaults.role.scan, "KeysweepScan"), (&defaults.role.enforce, "KeysweepEnforce")] {
        assert_eq!(role.to_string(), format!("keysweep/{name}"));
        assert!(variables.contains(&format!("\"{name}\"")));
    }
}

/// A linter's verdict: nothing at all.
fn assert_silent(name: &str, arguments: &[&str]) {
    let venv = ensure_venv(&target_dir().unwrap()).unwrap();
    let mut command = Command::new(tool(&venv, name));
    let output = command.args(arguments).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim().is_empty(), "{name} {arguments:?}:\n{said}{told}");
}

#[test]
fn cfn_lint_finds_nothing_in_the_template() {
    assert_silent("cfn-lint", &["--", deploy("member-roles.template.json").to_str().unwrap()]);
}

#[test]
fn parliament_finds_nothing_in_any_policy() {
    for toml in ["", RULES] {
        let config = mk_config(toml);
        for document in [
            iam::hub(&config),
            iam::scan(&config),
            iam::enforce(&config, mk_now(), Deletion::Allowed),
            iam::enforce(&config, mk_now(), Deletion::Never),
            Ok(iam::quarantine()),
        ] {
            let text = json_of(&document.unwrap()).to_string();
            // Below is only that reads could name users as their resource, which are all that there is.
            assert_silent("parliament", &["--minimum_severity", "MEDIUM", "--string", &text]);
        }
    }
}
