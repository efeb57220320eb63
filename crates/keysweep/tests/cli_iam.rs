//! `keysweep iam`: one JSON document on stdout and nothing else, so that it can be piped.

use crate::cli_support::{Ran, keysweep};
use serde_json::{Value, json};

const HUB: &str = "arn:aws:iam::111122223333:role/keysweep-hub";

fn mk_file(toml: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), toml).unwrap();
    file
}

/// With the configuration in front.
fn iam(toml: &str, args: &[&str]) -> Ran {
    let file = mk_file(toml);
    keysweep(&[&["--config", file.path().to_str().unwrap(), "iam"], args].concat())
}

fn document(toml: &str, args: &[&str]) -> Value {
    let ran = iam(toml, args);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{args:?}");
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn what_it_prints_by_default_is_in_the_repository() {
    for (file, args) in [
        ("hub", &["hub"][..]),
        ("scan", &["scan"]),
        ("scan-trust", &["scan", "--trust", HUB]),
        ("enforce", &["enforce"]),
        ("enforce-trust", &["enforce", "--trust", HUB]),
    ] {
        let path = format!("{}/../../deploy/iam/{file}.json", env!("CARGO_MANIFEST_DIR"));
        let shipped = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(iam("", args).stdout, shipped, "{path} is out of date: run `cargo xtask gen-config`");
    }
}

#[test]
fn it_follows_the_configuration_and_the_flags() {
    let names = |document: &Value| {
        let statements = document["Statement"].as_array().unwrap().iter();
        statements.map(|one| one["Sid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&document("", &["enforce"])), ["UpdateKeys", "DeleteKeys", "DetachQuarantinePolicy"]);
    assert_eq!(names(&document("", &["enforce", "--no-delete"])), ["UpdateKeys", "DetachQuarantinePolicy"]);
    assert_eq!(names(&document("scan.source = \"live\"", &["scan"])), ["ReadUsersAndKeys", "ReadCloudTrail"]);
    let trust = document("", &["scan", "--trust", HUB, "--organization", "o-exampleorgid"]);
    assert_eq!(trust["Statement"][0]["Principal"], json!({ "AWS": HUB }));
    let condition = &trust["Statement"][0]["Condition"]["StringEquals"];
    assert_eq!(condition["aws:PrincipalOrgID"], json!(["o-exampleorgid"]));
}

#[test]
fn what_makes_no_sense_is_told_on_stderr_and_nothing_is_printed() {
    for (toml, args, code, told) in [
        (
            "",
            &["scan", "--trust", "arn:aws:iam::111122223333:root"][..],
            2,
            "arn:PARTITION:iam::ACCOUNT:role/NAME",
        ),
        ("", &["scan", "--organization", "o-exampleorgid"], 2, "--trust"),
        ("", &["enforce", "--no-delete", "--trust", HUB], 2, "cannot be used with"),
        ("aws.region = \"cn-north-1\"", &["scan", "--trust", HUB], 1, "another partition"),
        ("policy.mode = \"everything\"", &["hub"], 2, "policy.mode"),
        ("", &[], 2, "Usage"),
    ] {
        let ran = iam(toml, args);
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(told), "{}", ran.stderr);
    }
}
