//! What is in a policy follows from the configuration. Whether it is enough is tried in `tests/tests/privilege.rs`.

use std::collections::BTreeSet;
use std::io::Write as _;

use serde_json::{Value, json};

use super::*;
use crate::config::{self, Sources};

fn mk_now() -> Timestamp {
    "2026-07-15T12:00:00Z".parse().unwrap()
}

fn mk_config(toml: &str) -> Config {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(toml.as_bytes()).unwrap();
    let sources = Sources { file: Some(file.path().to_owned()), ..Sources::default() };
    config::load(&sources, mk_now()).unwrap_or_else(|error| panic!("{error}"))
}

fn mk_hub() -> HubArn {
    "arn:aws:iam::111122223333:role/keysweep-hub".parse().unwrap()
}

fn sids(document: &Document) -> Vec<String> {
    let json = serde_json::to_value(document).unwrap();
    let sids =
        json["Statement"].as_array().unwrap().iter().map(|one| one["Sid"].as_str().unwrap().to_owned());
    sids.collect()
}

fn statement(document: &Document, sid: &str) -> Value {
    let json = serde_json::to_value(document).unwrap();
    let found = json["Statement"].as_array().unwrap().iter().find(|one| one["Sid"] == sid).cloned();
    found.unwrap_or_else(|| panic!("no statement {sid} in {json}"))
}

#[test]
fn the_hub_reads_of_organizations_only_what_the_configuration_names() {
    let of = |toml: &str| sids(&hub(&mk_config(toml)).unwrap());
    assert_eq!(of(""), ["ListAccounts", "AssumeRoles"]);
    assert_eq!(
        of("organization.include_ous = [\"ou-abcd-12345678\"]"),
        ["ListAccounts", "ListOrganizationalUnits", "AssumeRoles"]
    );
    let by_ou = "[[policy.override]]\nmatch = { ous = [\"ou-abcd-12345678\"] }\nmode = \"observe\"\n";
    assert_eq!(of(by_ou), ["ListAccounts", "ListOrganizationalUnits", "AssumeRoles"]);
    let ous = hub(&mk_config(by_ou)).unwrap();
    let actions = statement(&ous, "ListOrganizationalUnits")["Action"].to_string();
    assert!(actions.contains("organizations:ListParents"), "{actions}");
    let by_tag = "[[policy.override]]\nmatch = { account_tags = { env = \"prod\" } }\nmode = \"observe\"\n";
    assert_eq!(of(by_tag), ["ListAccounts", "ReadAccountTags", "AssumeRoles"]);
    assert_eq!(of("organization.accounts = [\"111122223333\"]"), ["AssumeRoles"]);
}

#[test]
fn a_hub_that_enters_the_management_account_only_reads_there() {
    let document = hub(&mk_config("organization.management_account = \"direct\"")).unwrap();
    let expected = ["ListAccounts", "AssumeRoles", "ReadCredentialReport", "ReadUsersAndKeys"];
    assert_eq!(sids(&document), expected);
    for mode in ["observe", "deactivate", "delete"] {
        for management in ["skip", "direct", "assume"] {
            let toml = format!(
                "organization.management_account = {management:?}\n[notices]\nrequired = false\n[policy]\nmode = {mode:?}\n"
            );
            let hub = serde_json::to_string(&hub(&mk_config(&toml)).unwrap()).unwrap();
            assert!(!hub.contains("UpdateAccessKey") && !hub.contains("DeleteAccessKey"), "{toml}: {hub}");
        }
    }
}

#[test]
fn the_hub_assumes_the_configured_roles_within_its_organization_or_the_accounts_that_are_listed() {
    let roles = "role.scan = \"audit/Scan\"\nrole.enforce = \"arn:aws-cn:iam::{account}:role/Enforce\"\naws.region = \"cn-north-1\"\n";
    let document = hub(&mk_config(roles)).unwrap();
    let assume = statement(&document, "AssumeRoles");
    assert_eq!(
        assume["Resource"],
        json!(["arn:aws-cn:iam::*:role/audit/Scan", "arn:aws-cn:iam::*:role/Enforce"])
    );
    assert_eq!(
        assume["Condition"],
        json!({ "StringEquals": { "aws:ResourceOrgID": ["${aws:PrincipalOrgID}"] } })
    );
    let listed = mk_config("organization.accounts = [\"111122223333\", \"444455556666\"]");
    let document = hub(&listed).unwrap();
    assert_eq!(
        statement(&document, "AssumeRoles")["Condition"],
        json!({ "StringEquals": { "aws:ResourceAccount": ["111122223333", "444455556666"] } })
    );
}

#[test]
fn a_live_scan_needs_no_report() {
    let all = ["ReadCredentialReport", "ReadUsersAndKeys", "ReadCloudTrail"];
    assert_eq!(sids(&scan(&mk_config("")).unwrap()), all);
    assert_eq!(sids(&scan(&mk_config("scan.source = \"live\"")).unwrap()), all[1..]);
}

#[test]
fn cloudtrail_is_read_where_the_configuration_wants_it_and_never_by_the_hub_itself() {
    let off = scan(&mk_config("evidence.cloudtrail = false")).unwrap();
    assert_eq!(sids(&off), ["ReadCredentialReport", "ReadUsersAndKeys"]);
    let anywhere = statement(&scan(&mk_config("")).unwrap(), "ReadCloudTrail")["Action"].clone();
    assert_eq!(anywhere, json!(["account:ListRegions", "cloudtrail:LookupEvents"]));
    // The management account is only read then: nothing in it is about to be changed.
    let direct = hub(&mk_config("organization.management_account = \"direct\"")).unwrap();
    assert!(direct.allows("iam:ListUsers").is_some() && direct.allows("cloudtrail:LookupEvents").is_none());
}

#[test]
fn the_hub_may_ask_the_analyzer_that_is_named_and_no_other() {
    assert!(hub(&mk_config("")).unwrap().allows("access-analyzer:GetFinding").is_none());
    let arn = "arn:aws:access-analyzer:us-east-1:111122223333:analyzer/unused";
    let asks = hub(&mk_config(&format!("evidence.access_analyzer = \"{arn}\""))).unwrap();
    let statement = statement(&asks, "ReadAccessAnalyzer");
    let actions = ["GetAnalyzer", "GetFinding", "ListFindings"].map(|name| format!("access-analyzer:{name}"));
    assert_eq!((&statement["Action"], &statement["Resource"]), (&json!(actions), &json!([arn])));
}

#[test]
fn deletion_spares_whom_a_tag_exempts_until_the_exemption_ends_and_an_update_spares_nobody() {
    let exempt = |matches: &str, until: &str| {
        format!("[[policy.exempt]]\nmatch = {{ {matches} }}\nreason = \"test\"\nuntil = \"{until}\"\n")
    };
    let mut config = mk_config(
        &[
            exempt("user_tags = { \"keysweep:exempt\" = \"*\" }", "2027-06-30"),
            exempt("user_tags = { a = \"x*\", b = \"1\" }, accounts = [\"111122223333\"]", "2026-12-31"),
            exempt("user_tags = { old = \"*\" }", "2026-07-14"),
            exempt("user_tags = { t = \"*\" }, users = [\"svc-*\"]", "2027-06-30"),
            exempt("paths = [\"/ci/\"]", "2027-06-30"),
        ]
        .concat(),
    );
    // No configuration has it, and a variable of IAM it must not become.
    config.policy.exemptions[1].matches.user_tags.insert("b".into(), "$1".into());
    let document = enforce(&config, mk_now(), Deletion::Allowed).unwrap();
    assert_eq!(
        sids(&document),
        ["UpdateKeys", "DeleteKeys", "DetachQuarantinePolicy", "SpareExempt1", "SpareExempt2"]
    );
    for sid in ["UpdateKeys", "DeleteKeys"] {
        assert!(statement(&document, sid).get("Condition").is_none());
    }
    assert_eq!(
        statement(&document, "SpareExempt1"),
        json!({
            "Sid": "SpareExempt1", "Effect": "Deny", "Action": ["iam:DeleteAccessKey"],
            "Resource": ["arn:aws:iam::*:user/*"],
            "Condition": {
                "StringLike": { "aws:ResourceTag/keysweep:exempt": ["*"] },
                "DateLessThan": { "aws:CurrentTime": ["2027-07-01T00:00:00Z"] },
            },
        })
    );
    assert_eq!(
        statement(&document, "SpareExempt2")["Condition"],
        json!({
            "StringEquals": { "aws:ResourceAccount": ["111122223333"] },
            "StringLike": { "aws:ResourceTag/a": ["x*"], "aws:ResourceTag/b": ["${$}1"] },
            "DateLessThan": { "aws:CurrentTime": ["2027-01-01T00:00:00Z"] },
        })
    );
    assert_eq!(
        sids(&enforce(&config, mk_now(), Deletion::Never).unwrap()),
        ["UpdateKeys", "DetachQuarantinePolicy"]
    );
}

#[test]
fn the_roles_trust_the_hub_alone_and_ask_for_the_external_id() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"open-sesame_4711\n").unwrap();
    let config = mk_config(&format!("role.external_id_file = {:?}", file.path()));
    let document = trust(&config, &mk_hub(), None).unwrap();
    assert_eq!(
        statement(&document, "AssumeRole"),
        json!({
            "Sid": "AssumeRole", "Effect": "Allow",
            "Principal": { "AWS": "arn:aws:iam::111122223333:role/keysweep-hub" },
            "Action": ["sts:AssumeRole"],
            "Condition": { "StringEquals": {
                "aws:PrincipalOrgID": ["${aws:ResourceOrgID}"], "sts:ExternalId": ["open-sesame_4711"],
            } },
        })
    );
    assert_eq!(
        statement(&document, "SetSourceIdentity")["Condition"],
        json!({ "StringEquals": { "sts:SourceIdentity": ["keysweep"] } })
    );
    let named = trust(&config, &mk_hub(), Some(&"o-exampleorgid".parse().unwrap())).unwrap();
    assert!(serde_json::to_string(&named).unwrap().contains("\"aws:PrincipalOrgID\":[\"o-exampleorgid\"]"));
    let listed = mk_config("organization.accounts = [\"111122223333\"]");
    let listed = serde_json::to_string(&trust(&listed, &mk_hub(), None).unwrap()).unwrap();
    assert!(!listed.contains("OrgID") && !listed.contains("ExternalId"), "{listed}");
}

#[test]
fn no_policy_allows_everything_of_anything() {
    let config = mk_config("organization.management_account = \"direct\"");
    let mut actions = BTreeSet::new();
    for document in [hub(&config), scan(&config), enforce(&config, mk_now(), Deletion::Allowed)] {
        let json = serde_json::to_value(document.unwrap()).unwrap();
        for one in json["Statement"].as_array().unwrap() {
            actions.extend(one["Action"].as_array().unwrap().iter().map(|a| a.as_str().unwrap().to_owned()));
        }
    }
    assert!(actions.iter().all(|action| !action.contains('*')), "{actions:?}");
    let changing: Vec<_> = actions.iter().filter(|a| !a.contains(":Get") && !a.contains(":List")).collect();
    let expected = [
        "cloudtrail:LookupEvents",
        "iam:DeleteAccessKey",
        "iam:DetachUserPolicy",
        "iam:GenerateCredentialReport",
        "iam:UpdateAccessKey",
        "organizations:DescribeOrganization",
        "sts:AssumeRole",
        "sts:SetSourceIdentity",
    ];
    assert_eq!(changing, expected);
}

#[test]
fn what_aws_would_not_take_is_an_error_that_says_what_to_do() {
    let accounts: Vec<String> = (0..600).map(|n| format!("{n:012}")).collect();
    let error = hub(&mk_config(&format!("organization.accounts = {accounts:?}"))).unwrap_err();
    assert!(error.to_string().contains("AWS takes 6144: leave the list"), "{error}");
    let exempt = |n| {
        format!(
            "[[policy.exempt]]\nmatch = {{ user_tags = {{ t{n} = \"*\" }} }}\nreason = \"r\"\nuntil = \"2027-06-30\"\n"
        )
    };
    let config = mk_config(&(0..60).map(exempt).collect::<String>());
    assert!(matches!(enforce(&config, mk_now(), Deletion::Allowed), Err(IamError::TooLong { .. })));
    let china = mk_config("aws.region = \"cn-north-1\"");
    assert!(matches!(trust(&china, &mk_hub(), None), Err(IamError::OtherPartition { .. })));
}

#[test]
fn only_a_role_or_a_user_is_a_hub() {
    for text in [
        "arn:aws:iam::111122223333:root",
        "arn:aws:iam::111122223333:role/",
        "arn:aws:iam::111122223333:role/*",
        "arn:aws:iam::1111:role/x",
        "111122223333",
        "*",
        "",
    ] {
        assert!(text.parse::<HubArn>().is_err(), "{text}");
    }
    let session = "arn:aws:sts::111122223333:assumed-role/keysweep-hub/i-1".parse::<HubArn>().unwrap_err();
    assert!(session.to_string().contains("role itself"), "{session}");
    for text in ["arn:aws-us-gov:iam::111122223333:user/a/b", "arn:aws:iam::111122223333:role/svc/hub"] {
        assert!(text.parse::<HubArn>().is_ok(), "{text}");
    }
    for text in ["o-short", "r-abcd", "o-EXAMPLEORGID", "o-*", ""] {
        assert!(text.parse::<OrganizationId>().is_err(), "{text}");
    }
}
