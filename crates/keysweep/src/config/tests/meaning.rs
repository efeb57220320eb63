//! What is valid and cannot do what it seems to say is a warning; a limit of the system is a mistake.

use super::*;

fn mk_changing(text: &str) -> String {
    format!("notices.required = false\npolicy.mode = \"delete\"\n{text}")
}

/// Key and problem of every warning about a valid configuration.
fn warnings(toml: &str) -> Vec<String> {
    super::warnings(&load_text(toml).unwrap_or_else(|error| panic!("{error}")))
}

#[test]
fn the_defaults_raise_no_question() {
    assert_eq!(warnings(""), Vec::<String>::new());
    assert_eq!(warnings(&mk_changing("")), Vec::<String>::new());
}

#[test]
fn each_combination_that_cannot_work_is_named() {
    let rule = |text: &str| format!("[[policy.override]]\nmatch.users = [\"x\"]\n{text}");
    let exempt = |matches: &str| {
        format!("[[policy.exempt]]\nmatch = {{ {matches} }}\nreason = \"r\"\nuntil = \"2027-01-01\"\n")
    };
    for (key, text) in [
        ("policy.hold_after_reactivation", "policy.hold_after_reactivation = \"1s\"".to_owned()),
        ("policy.hold_after_denial", "policy.hold_after_denial = \"23h\"".to_owned()),
        ("policy.override[1].hold_after_reactivation", rule("hold_after_reactivation = \"1h\"")),
        ("policy.grace", "scan.interval = \"10d\"".to_owned()),
        ("policy.override[1].grace", format!("scan.interval = \"1d\"\n{}", rule("grace = \"1d\""))),
        ("policy.approval_expires", "policy.approval_expires = \"1h\"".to_owned()),
        ("policy.hours", "policy.hours = \"02:10-02:50\"\npolicy.time_zone = \"Europe/Berlin\"".to_owned()),
        ("policy.hours", "policy.hours = \"23:55-00:05\"".to_owned()),
        (
            "policy.override[1].hours",
            rule("hours = \"02:10-02:50\"\ntime_zone = \"America/New_York\"\ndays = [\"mon\"]"),
        ),
        ("limits.deactivations_per_day", "limits.deactivations_per_day = 0".to_owned()),
        ("limits.deletions_per_day", "limits.deletions_per_day = 0".to_owned()),
        ("limits.surge_keys", "limits.surge_keys = 0\nlimits.surge = 0.0".to_owned()),
        ("limits.shrink", "limits.shrink = 0.0".to_owned()),
        ("scan.report_max_age", "scan.report_max_age = \"30d\"".to_owned()),
        (
            "policy.exempt[1].match.accounts[1]",
            format!(
                "organization.exclude_accounts = [\"111122223333\"]\n{}",
                exempt("accounts = [\"111122223333\"]")
            ),
        ),
        (
            "policy.exempt[1].match.accounts[1]",
            format!(
                "organization.accounts = [\"111122223333\"]\n{}",
                exempt("accounts = [\"444455556666\"]")
            ),
        ),
        ("policy.exempt[1].match.paths[1]", exempt("paths = [\"/ci\"]")),
    ] {
        let found = warnings(&mk_changing(&text));
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].starts_with(&format!("{key}: ")), "{key}: {found:?}");
    }
    let found = warnings(&mk_changing("scan.interval = \"30d\""));
    assert_eq!(found.len(), 2, "grace and approval_expires: {found:?}");
}

#[test]
fn terms_that_no_mode_reads_are_named() {
    let deactivate = "notices.required = false\npolicy.mode = \"deactivate\"\n";
    for term in ["adopt_inactive = true", "approval = \"delete\""] {
        assert_eq!(warnings(&format!("{deactivate}policy.{term}")).len(), 1, "{term}");
        assert_eq!(warnings(&mk_changing(&format!("policy.{term}"))), Vec::<String>::new());
    }
}

#[test]
fn hours_that_always_come_raise_no_question() {
    for hours in [
        "policy.hours = \"02:10-02:50\"",
        "policy.time_zone = \"Europe/Berlin\"\npolicy.hours = \"01:00-05:00\"",
    ] {
        assert_eq!(warnings(&mk_changing(hours)), Vec::<String>::new());
    }
}

#[test]
fn a_region_of_no_partition_is_refused() {
    for region in ["xx-central-1", "us-east", "eu-central-1 ", "us-isox-east-1"] {
        assert_eq!(problems(&format!("aws.region = {region:?}")).len(), 1, "{region}");
    }
    for region in ["us-iso-east-1", "eusc-de-east-1", "mx-central-1"] {
        assert!(problems(&format!("aws.region = {region:?}")).is_empty(), "{region}");
    }
}

#[test]
fn a_path_that_the_system_does_not_take_is_refused() {
    let socket = crate::socket::path(Path::new("")).as_os_str().len();
    let most = 107 - socket - 1;
    let path = |length: usize| format!("/{}", "d".repeat(length - 1));
    assert!(problems(&format!("data_dir = {:?}", path(most))).is_empty());
    let found = problems(&format!("data_dir = {:?}", path(most + 1)));
    let expected = format!("data_dir: found a path of {} bytes, expected at most {most}", most + 1);
    assert!(found[0].starts_with(&expected), "{found:?}");
    assert_eq!(problems(&format!("data_dir = {:?}", path(140))).len(), 1);
    assert_eq!(problems("data_dir = \"/a\\u0000b\"").len(), 1);
    assert_eq!(problems(&format!("backup.directory = {:?}", path(300))).len(), 1);
    assert_eq!(problems("backup.directory = \"/a\\u0000b\"").len(), 1);
}

#[test]
fn periods_beyond_what_they_are_for_are_refused() {
    assert_eq!(problems("organization.refresh = \"25h\"").len(), 1);
    assert!(problems("organization.refresh = \"24h\"").is_empty());
    assert_eq!(problems("aws.operation_timeout = \"16m\"").len(), 1);
}

#[test]
fn exempt_tags_that_no_session_takes_are_refused() {
    let exempt = |n: usize, accounts: &str| {
        let key = format!("{n:03}{}", "k".repeat(60));
        format!(
            "[[policy.exempt]]\nmatch = {{ user_tags = {{ \"{key}\" = \"*\" }}{accounts} }}\nreason = \"r\"\nuntil = \
             \"2027-01-01\"\n"
        )
    };
    let all = |count: usize, accounts: &str| (0..count).map(|n| exempt(n, accounts)).collect::<String>();
    let found = problems(&mk_changing(&all(24, "")));
    assert!(found[0].starts_with("policy.exempt: user_tags need a session policy of "), "{found:?}");
    assert!(found[0].contains("shorten the keys"), "{found:?}");
    // Nothing is changed: a warning.
    assert_eq!(warnings(&all(24, "")).len(), 1);
    // Only users with a long path.
    assert_eq!(warnings(&mk_changing(&all(16, ""))).len(), 1);
    assert_eq!(warnings(&mk_changing(&all(8, ""))), Vec::<String>::new());
    // Those of different accounts never meet.
    let apart: String = (0..24).map(|n| exempt(n, &format!(", accounts = [\"{:012}\"]", n + 1))).collect();
    assert_eq!(warnings(&mk_changing(&apart)), Vec::<String>::new());
}
