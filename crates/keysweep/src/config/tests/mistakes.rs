//! What is wrong is said at once, in words, and without secrets.

use super::*;
use crate::config::mistake::describe;
use crate::config::path::KeyPath;
use crate::config::schema::Known;

/// The message with the path of the temporary file replaced.
fn message(file: &NamedTempFile, error: &ConfigError) -> String {
    error.to_string().replace(&file.path().display().to_string(), "keysweep.toml")
}

#[test]
fn five_mistakes_at_once_are_five_messages() {
    let file = mk_file(
        r#"[policy]
grase = "14d"
unused_after = "fortnight"
mode = "delete"

[[policy.exempt]]
match = { users = ["break-glass"] }
until = 2027-06-30
"#,
    );
    let sources = mk_sources(file.path(), &[("KEYSWEEP__SCAN__CONCURRENCY", "many")]);
    let error = load(&sources, mk_now()).unwrap_err();
    insta::assert_snapshot!(message(&file, &error), @r#"
    5 errors in the configuration:
      keysweep.toml:2: policy.grase: no such key; did you mean policy.grace?
      keysweep.toml:3: policy.unused_after: found "fortnight", expected a duration such as "90d", "12h", "30s" or "1h30m"
      keysweep.toml:4: policy.mode: found "delete", but no notice channel is configured: configure [notices.email], [notices.slack], or a [[notices.webhook]], or set notices.required = false to change keys without a delivered notice
      keysweep.toml:6: policy.exempt[1].reason: missing: expected why these keys are exempt
      environment variable KEYSWEEP__SCAN__CONCURRENCY: scan.concurrency: found "many", expected a whole number, 0 or more
    "#);
}

#[test]
fn an_invalid_analyzer_setting_is_an_error() {
    let wrong = |toml: &str| {
        let file = mk_file(toml);
        message(&file, &load(&mk_sources(file.path(), &[]), mk_now()).unwrap_err())
    };
    let told = wrong("evidence.access_analyzer = \"unused\"\n");
    assert!(
        told.contains("evidence.access_analyzer: found \"unused\", expected the ARN of an analyzer, such as"),
        "{told}"
    );
    let china = "arn:aws-cn:access-analyzer:cn-north-1:111122223333:analyzer/unused";
    let told = wrong(&format!("evidence.access_analyzer = \"{china}\"\n"));
    assert!(
        told.contains("found Region \"cn-north-1\", expected a Region in partition aws, like aws.region = "),
        "{told}"
    );
    let arn = "arn:aws:access-analyzer:us-east-1:111122223333:analyzer/unused";
    let told = wrong(&format!("evidence.access_analyzer = \"{arn}\"\nevidence.cloudtrail = false\n"));
    assert!(told.contains("evidence.access_analyzer: requires evidence.cloudtrail = true"), "{told}");
}

#[test]
fn every_bad_value_says_what_was_found_and_what_was_expected() {
    let file = mk_file(
        r#"[aws]
region = "Frankfurt"
attempt_timeout = "1m"

[organization]
accounts = ["42", "111122223333", "111122223333"]
exclude_accounts = ["111122223333"]
include_ous = ["ou-abcd-11111111"]
management_account = "root"

[role]
scan = "arn:aws:iam::111122223333:role/Fixed"
enforce = "arn:aws-cn:iam::{account}:role/Enforce"
session_name = "x"
duration = "12h"
external_id_file = "/nonexistent/external-id"

[scan]
interval = "10s"
concurrency = 0
report_max_age = "-1h"

[policy]
unused_after = "12h"
max_age = "0s"
notice = "0s"
grace = "1mo"
hold_after_denial = "0s"
days = ["monday"]
hours = "09:00-09:00"
time_zone = "Mars/Olympus"
approval_repeats = -1
adopt_inactive = "yes"

[[policy.override]]
mode = "observe"

[[policy.override]]
match = { paths = ["ci/"], users = [""] }

[[policy.exempt]]
match = { user_tagz = { a = "*" } }
until = "someday"

[limits]
surge = 1.5
shrink = "a lot"
failed_accounts = 0

[http]
listen = "localhost"

[log]
level = "inof"
format = 3
"#,
    );
    let error = load(&mk_sources(file.path(), &[]), mk_now()).unwrap_err();
    insta::assert_snapshot!(message(&file, &error), @r#"
    35 errors in the configuration:
      keysweep.toml:2: aws.region: found "Frankfurt", expected a Region such as "eu-central-1"
      keysweep.toml:3: aws.attempt_timeout: found "1m", expected at most aws.operation_timeout, which is "30s"
      keysweep.toml:6: organization.accounts[1]: found "42", expected an account ID of 12 digits
      keysweep.toml:6: organization.accounts[3]: 111122223333 is listed twice
      keysweep.toml:7: organization.exclude_accounts: 111122223333 is also in organization.accounts
      keysweep.toml:8: organization.include_ous: selects nothing where organization.accounts lists the accounts: set one of the two
      keysweep.toml:9: organization.management_account: found "root", expected "skip", "direct" or "assume"
      keysweep.toml:12: role.scan: found "arn:aws:iam::111122223333:role/Fixed", expected a role name, with its path if it has one, or "arn:PARTITION:iam::{account}:role/NAME"
      keysweep.toml:14: role.session_name: found "x", expected 2 to 64 letters, digits or _+=,.@-
      keysweep.toml:15: role.duration: found "12h", expected 15m to 1h: AWS grants no more to a role that is assumed from a role
      keysweep.toml:16: role.external_id_file: read /nonexistent/external-id: No such file or directory (os error 2)
      keysweep.toml:19: scan.interval: found "10s", expected at least 1m unless dev.allow_short_periods is true
      keysweep.toml:20: scan.concurrency: found 0, expected a whole number from 1 to 1024
      keysweep.toml:21: scan.report_max_age: found "-1h", expected a duration that is not negative
      keysweep.toml:24: policy.unused_after: found "12h", expected at least 24 hours unless dev.allow_short_periods is true
      keysweep.toml:25: policy.max_age: found "0s", expected more than zero
      keysweep.toml:26: policy.notice: found "0s", expected more than zero
      keysweep.toml:27: policy.grace: found "1mo", expected a duration in weeks, days, hours, minutes and seconds: months and years differ in length
      keysweep.toml:28: policy.hold_after_denial: found "0s", expected more than zero
      keysweep.toml:29: policy.days[1]: found "monday", expected "mon", "tue", "wed", "thu", "fri", "sat" or "sun"
      keysweep.toml:30: policy.hours: found "09:00-09:00", expected two different times such as "09:00-16:00"
      keysweep.toml:31: policy.time_zone: found "Mars/Olympus", expected a name of the IANA time zone database, such as "Europe/Berlin"
      keysweep.toml:32: policy.approval_repeats: found -1, expected a whole number, 0 or more
      keysweep.toml:33: policy.adopt_inactive: found "yes", expected true or false
      keysweep.toml:35: policy.override[1].match: matches nothing in particular: expected at least one of ous, accounts, account_tags, users, paths and user_tags
      keysweep.toml:38: policy.override[2]: sets nothing: expected a match and at least one key of [policy]
      keysweep.toml:41: policy.exempt[1].reason: missing: expected why these keys are exempt
      keysweep.toml:42: policy.exempt[1].match.user_tagz: no such key; did you mean policy.exempt[1].match.user_tags?
      keysweep.toml:43: policy.exempt[1].until: found "someday", expected the last day on which it holds, such as "2027-06-30"
      keysweep.toml:46: limits.surge: found 1.5, expected a share from 0.0 to 1.0
      keysweep.toml:47: limits.shrink: found "a lot", expected a number
      keysweep.toml:48: limits.failed_accounts: found 0, expected at least 1: the breaker would never close
      keysweep.toml:51: http.listen: found "localhost", expected an IP address and a port, such as "127.0.0.1:9853" or "[::1]:9853"
      keysweep.toml:54: log.level: found "inof", expected off, error, warn, info, debug or trace, or a list such as "info,keysweep_aws=debug"
      keysweep.toml:55: log.format: found 3, expected a text in quotes
    "#);
}

#[test]
fn an_unknown_key_is_a_mistake_in_every_section() {
    let sections = [
        "",
        "aws",
        "organization",
        "role",
        "scan",
        "policy",
        "protect",
        "owners",
        "notices",
        "notices.email",
        "notices.slack",
        "limits",
        "http",
        "http.tls",
        "log",
        "dev",
    ];
    let mut text = String::new();
    for section in sections {
        if !section.is_empty() {
            text.push_str(&format!("[{section}]\n"));
        }
        text.push_str("zzz = 1\n");
    }
    text.push_str("[[http.token]]\nzzz = 1\n[[policy.override]]\nzzz = 1\nmatch.zzz = 1\n[[policy.exempt]]\nzzz = 1\nmatch.zzz = 1\n\
                   [[owners.contact]]\nzzz = 1\n[[notices.webhook]]\nzzz = 1\n[[notices.route]]\nzzz = 1\nmatch.zzz = 1\n");
    let found = problems(&text).iter().filter(|problem| problem.contains("zzz: no such key")).count();
    assert_eq!(found, sections.len() + 9);
}

#[test]
fn an_unknown_key_is_answered_with_the_nearest_one() {
    assert_eq!(problems("grace = \"14d\""), ["grace: no such key; did you mean policy.grace?"]);
    assert_eq!(problems("[polcy]\n"), ["polcy: no such key; did you mean policy?"]);
    let external_id = problems("[role]\nexternal_id = \"hunter2\"");
    assert_eq!(external_id, ["role.external_id: no such key; did you mean role.external_id_file?"]);
    assert_eq!(problems("[scan]\nqqqq = 1"), ["scan.qqqq: no such key"]);
}

#[test]
fn a_number_is_never_taken_for_a_mode() {
    assert_eq!(problems("[policy]\nmode = 2"), ["policy.mode: found 2, expected a text in quotes"]);
    assert_eq!(
        problems("[policy]\nmode = { delete = 1 }\n[notices]\nrequired = false"),
        ["policy.mode: found a table, expected a text in quotes"]
    );
}

#[test]
fn a_mode_that_changes_keys_contradicts_required_notices_wherever_it_stands() {
    let rule = "[[policy.override]]\nmatch.users = [\"x\"]\nmode = \"delete\"\n";
    let found = problems(&format!("policy.mode = \"deactivate\"\n{rule}"));
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found.iter().all(|problem| problem.contains("set notices.required = false")), "{found:#?}");
    assert!(problems(&format!("policy.mode = \"deactivate\"\nnotices.required = false\n{rule}")).is_empty());
}

#[test]
fn short_periods_are_refused_everywhere_unless_allowed() {
    let short = |key: &str| {
        format!("policy.{key} = \"23h\"\n[[policy.override]]\nmatch.users = [\"x\"]\n{key} = \"23h\"\n")
    };
    for key in ["unused_after", "never_used_after", "max_age", "notice", "grace"] {
        let found = problems(&short(key));
        assert_eq!(found.len(), 2, "{key}: {found:#?}");
        assert!(problems(&format!("dev.allow_short_periods = true\n{}", short(key))).is_empty(), "{key}");
    }
}

#[test]
fn what_does_not_stand_is_not_blamed_twice() {
    // The misspelled value is replaced by a default, which contradicts nothing.
    assert_eq!(problems("policy.mode = \"delete\"\nnotices.required = \"no\"").len(), 1);
    assert_eq!(problems("aws.operation_timeout = \"soon\"\naws.attempt_timeout = \"1m\"").len(), 1);
}

#[test]
fn a_file_that_is_no_toml_names_the_line_and_quotes_nothing() {
    let file = mk_file("data_dir = \"/tmp\"\n[role]\nexternal_id_file = hunter2\n");
    let error = load(&mk_sources(file.path(), &[]), mk_now()).unwrap_err();
    let message = message(&file, &error);
    assert!(message.contains("keysweep.toml:3: not TOML: "), "{message}");
    assert!(!message.contains("hunter2"), "{message}");
    let file = mk_file(b"data_dir = \"/tmp\"\n# \xff\xfe\n");
    let error = load(&mk_sources(file.path(), &[]), mk_now()).unwrap_err();
    assert!(error.to_string().ends_with(":2: not UTF-8 text"), "{error}");
}

#[test]
fn a_missing_file_says_what_to_do() {
    let error = load(&mk_sources(Path::new("/nonexistent/keysweep.toml"), &[]), mk_now()).unwrap_err();
    assert!(matches!(error, ConfigError::Missing { .. }));
    assert!(error.to_string().contains("--config"), "{error}");
}

#[test]
fn what_could_be_a_secret_is_never_echoed() {
    let file = mk_file("[role]\nsecret = \"hunter2\"\ntoken_value = 5\n[http]\npassword = [\"hunter2\"]\n");
    let env = [("KEYSWEEP__ROLE__EXTERNAL_ID", "hunter2"), ("KEYSWEEP__HTTP__PASSWORD", "hunter2")];
    let error = load(&mk_sources(file.path(), &env), mk_now()).unwrap_err();
    assert_eq!(mistakes_of(Err(error)).len(), 5);
    let error = load(&mk_sources(file.path(), &env), mk_now()).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
}

#[test]
fn the_value_of_a_key_that_names_a_secret_is_hidden_wherever_values_are_shown() {
    use figment::error::{Actual, Kind};
    let known = Known::new();
    let found = || Actual::Str("hunter2".to_owned());
    for key in ["http.token", "slack.bot_token", "mail.password", "webhook.secret", "x.SecretKey"] {
        let path = KeyPath::of(key);
        for kind in [
            Kind::InvalidType(found(), "a sequence".to_owned()),
            Kind::InvalidValue(found(), "something else".to_owned()),
            Kind::UnknownVariant("hunter2".to_owned(), &["a", "b"]),
            Kind::Unsupported(found()),
        ] {
            let text = describe(&kind, &path, &known);
            assert!(text.contains("not shown") && !text.contains("hunter2"), "{key}: {text}");
        }
    }
    // Where a secret is kept is no secret.
    assert!(!KeyPath::of("slack.token_file").is_secret());
}

#[test]
fn the_external_id_is_read_from_its_file_and_shown_nowhere() {
    use secrecy::ExposeSecret as _;
    let external_id = mk_file("open-sesame_4711\n");
    let toml = format!("role.external_id_file = {:?}\n", external_id.path().display().to_string());
    let config = load_text(&toml).unwrap();
    assert_eq!(config.role.external_id.as_ref().unwrap().expose_secret(), "open-sesame_4711");
    assert!(!format!("{config:?}").contains("sesame"));
    assert!(!config.effective.to_toml().contains("sesame"));

    let too_short = mk_file("x\n");
    let toml = format!("role.external_id_file = {:?}\n", too_short.path().display().to_string());
    let found = problems(&toml);
    assert!(found[0].contains("holds no external ID: expected 2 to 1224"), "{found:?}");
}

#[test]
fn a_service_reads_the_credential_that_is_called_as_the_file_and_not_the_file() {
    use secrecy::ExposeSecret as _;
    let file = mk_file("role.external_id_file = \"/nonexistent/external-id\"\n");
    let handed_in = tempfile::tempdir().unwrap();
    let directory = Some(handed_in.path().to_owned());
    let sources = Sources { credentials: directory, ..mk_sources(file.path(), &[]) };
    let external_id = || {
        let config = load(&sources, mk_now()).unwrap();
        config.role.external_id.as_ref().unwrap().expose_secret().to_owned()
    };
    let wrong = mistakes_of(load(&sources, mk_now()));
    assert!(wrong[0].problem.contains("nor is there a credential external-id"), "{wrong:?}");
    // As a directory is handed in, and by itself: what is named for this alone goes first.
    std::fs::write(handed_in.path().join("keysweep_external-id"), "of-the-directory\n").unwrap();
    assert_eq!(external_id(), "of-the-directory");
    std::fs::write(handed_in.path().join("external-id"), "of-its-own").unwrap();
    assert_eq!(external_id(), "of-its-own");
}

#[test]
fn a_service_signs_with_the_credential_that_is_called_as_the_file() {
    let file = mk_file("evidence.signing_key_file = \"/nonexistent/signing.pem\"\n");
    let handed_in = tempfile::tempdir().unwrap();
    let directory = Some(handed_in.path().to_owned());
    let sources = Sources { credentials: directory, ..mk_sources(file.path(), &[]) };
    let signing_key = || load(&sources, mk_now()).unwrap().evidence.signing_key.unwrap();
    assert_eq!(signing_key(), std::path::Path::new("/nonexistent/signing.pem"));
    for name in ["keysweep_signing.pem", "signing.pem"] {
        std::fs::write(handed_in.path().join(name), "a key").unwrap();
        assert_eq!(signing_key(), handed_in.path().join(name));
    }
}

#[test]
fn a_lapsed_exemption_is_a_warning_from_the_day_after_on() {
    let exempt = |until: &str| {
        format!("[[policy.exempt]]\nmatch.users = [\"x\"]\nreason = \"r\"\nuntil = \"{until}\"\n")
    };
    let config = load_text(&exempt("2026-07-14")).unwrap();
    assert_eq!(config.policy.exemptions.len(), 1);
    let warning = config.warnings.first().unwrap();
    assert_eq!(warning.key, "policy.exempt[1].until");
    assert_eq!(warning.problem, "2026-07-14 is past: policy.exempt[1] no longer holds");
    assert!(load_text(&exempt("2026-07-15")).unwrap().warnings.is_empty());
    assert!(!problems(&exempt("2026-07-15T10:00:00Z")).is_empty());
}

#[test]
fn a_log_level_that_names_nothing_is_refused() {
    for level in ["inof", "", "info,keysweep", "3", "info,,warn", "keysweep=loud"] {
        assert_eq!(problems(&format!("log.level = {level:?}")).len(), 1, "{level}");
    }
    for level in ["info", "off", "warn,keysweep_aws=debug", "keysweep::sweep=trace"] {
        assert!(problems(&format!("log.level = {level:?}")).is_empty(), "{level}");
    }
}

#[test]
fn thousands_of_mistakes_are_answered_briefly() {
    let text: String = (0..10_000).map(|n| format!("k{n} = 1\n")).collect();
    assert!(problems(&text).len() <= 100);
}

#[test]
fn backups_want_an_absolute_directory_that_is_not_lost_with_data_dir() {
    assert_eq!(load_text("").unwrap().backup, None);
    assert_eq!(
        problems("[backup]\ndirectory = \"backups\"\nevery = \"10s\"\nkeep = 0\n"),
        [
            "backup.directory: found \"backups\", expected an absolute path, or \"\" for no backups",
            "backup.every: found \"10s\", expected at least 1m",
            "backup.keep: found 0, expected a whole number from 1 on",
        ]
    );
    let config =
        load_text("data_dir = \"/srv/keysweep\"\n[backup]\ndirectory = \"/srv/keysweep/backups\"\n").unwrap();
    assert_eq!(config.backup.unwrap().keep, 7);
    let warning = config.warnings.first().unwrap();
    assert_eq!(warning.key, "backup.directory");
    assert!(warning.problem.contains("losing data_dir would also lose the backups"), "{warning}");
}

#[test]
fn a_rule_with_ous_beside_a_list_of_accounts_is_refused() {
    for rule in ["override]]\nunused_after = \"180d\"", "exempt]]\nreason = \"test\"\nuntil = \"2030-01-01\""]
    {
        let text = format!(
            "[organization]\naccounts = [\"111122223333\"]\n[[policy.{rule}\nmatch = {{ ous = [\"ou-ab12-00000001\"] }}\n"
        );
        let file = mk_file(&text);
        let error = load(&mk_sources(file.path(), &[]), mk_now()).unwrap_err();
        let told = message(&file, &error);
        assert!(told.contains("[1].match.ous: cannot be told where organization.accounts"), "{told}");
        let listed = mk_file(text.replace("accounts = [\"111122223333\"]", ""));
        load(&mk_sources(listed.path(), &[]), mk_now()).unwrap();
    }
}
