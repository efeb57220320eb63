//! What wins, and where each value comes from.

use std::ffi::OsString;
use std::time::Duration;

use keysweep_core::policy::{DAY, Mode};

use super::*;
use crate::config::{DEFAULT_FILE, Origin};

const HOUR: Duration = Duration::from_secs(3_600);

fn mk_env(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

#[test]
fn nothing_written_is_the_policy_of_the_core() {
    let config = load(&Sources::default(), mk_now()).unwrap();
    assert_eq!(config.policy, mk_default_policy());
    assert!(config.warnings.is_empty());
    assert!(config.role.external_id.is_none());
}

#[test]
fn the_environment_wins_over_the_file_and_a_flag_over_both() {
    let file = mk_file("[scan]\ninterval = \"1h\"\nconcurrency = 1\nreport_max_age = \"5h\"\n");
    let env = [("KEYSWEEP__SCAN__INTERVAL", "2h"), ("KEYSWEEP__SCAN__CONCURRENCY", "2")];
    let sources = mk_sources(file.path(), &env).with_flag("--concurrency", "scan.concurrency", "3");
    let config = load(&sources, mk_now()).unwrap();
    assert_eq!(config.scan.concurrency, 3);
    assert_eq!(config.scan.interval, 2 * HOUR);
    assert_eq!(config.scan.report_max_age, 5 * HOUR);

    let origin = |key: &str| {
        config.effective.settings.iter().find(|setting| setting.key == key).unwrap().origin.clone()
    };
    assert_eq!(origin("scan.concurrency"), Origin::Flag { name: "--concurrency".to_owned() });
    assert_eq!(origin("scan.interval"), Origin::Env { name: "KEYSWEEP__SCAN__INTERVAL".to_owned() });
    assert_eq!(origin("scan.report_max_age"), Origin::File { path: file.path().to_owned(), line: Some(4) });
    assert_eq!(origin("scan.source"), Origin::Default);
}

#[test]
fn the_environment_speaks_texts_lists_and_numbers() {
    let env = [
        ("KEYSWEEP__ORGANIZATION__ACCOUNTS", "000000000042, 111122223333"),
        ("KEYSWEEP__ORGANIZATION__EXCLUDE_ACCOUNTS", "[\"222233334444\"]"),
        ("KEYSWEEP__ROLE__SESSION_NAME", "12345"),
        ("KEYSWEEP__AWS__REGION", "\"eu-central-1\""),
        ("KEYSWEEP__LIMITS__SURGE", "0.5"),
        ("KEYSWEEP__POLICY__ADOPT_INACTIVE", "true"),
        ("KEYSWEEP__POLICY__DAYS", "mon,tue"),
        ("KEYSWEEP__POLICY__OVERRIDE", "[{ match = { users = [\"svc-*\"] }, grace = \"30d\" }]"),
        ("KEYSWEEP__DATA_DIR", "/data"),
        ("KEYSWEEP_SERVICE_HOST", "10.0.0.1"),
        ("KEYSWEEP_PORT_9853_TCP", "tcp://10.0.0.1:9853"),
    ];
    let config = load(&mk_sources(mk_file("").path(), &env), mk_now()).unwrap();
    assert_eq!(
        config.organization.accounts.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["000000000042", "111122223333"]
    );
    assert_eq!(config.organization.exclude_accounts.len(), 1);
    assert_eq!(config.role.session_name, "12345");
    assert_eq!(config.aws.region, "eu-central-1");
    assert!((config.policy.limits.surge - 0.5).abs() < f64::EPSILON);
    assert!(config.policy.base.adopt_inactive);
    assert_eq!(config.policy.base.days.len(), 2);
    assert_eq!(config.policy.overrides[0].terms.grace, Some(30 * DAY));
    assert_eq!(config.data_dir, Path::new("/data"));
}

#[test]
fn a_variable_that_sets_nothing_is_a_mistake() {
    let env = [("KEYSWEEP__POLICY__GRASE", "1d"), ("KEYSWEEP__policy__grace", "2d"), ("KEYSWEEP__", "")];
    let found = mistakes_of(load(&mk_sources(mk_file("").path(), &env), mk_now()));
    let found: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "environment variable KEYSWEEP__POLICY__GRASE: policy.grase: no such key; did you mean policy.grace?",
            "environment variable KEYSWEEP__policy__grace: policy.grace: expected the name in capitals: \
         KEYSWEEP__POLICY__GRACE",
            "environment variable KEYSWEEP__: \"\": no such key",
        ]
    );
}

#[test]
fn the_file_is_that_of_the_flag_then_that_of_the_variable_then_the_default() {
    let env = || mk_env(&[("KEYSWEEP_CONFIG", "/from/env"), ("KEYSWEEP__DATA_DIR", "/d"), ("PATH", "/bin")]);
    let sources = Sources::of_process(Some("/from/flag".into()), env());
    assert_eq!(sources.file.unwrap(), Path::new("/from/flag"));
    assert_eq!(sources.env, [("KEYSWEEP__DATA_DIR".to_owned(), "/d".to_owned())]);
    assert_eq!(Sources::of_process(None, env()).file.unwrap(), Path::new("/from/env"));
    assert_eq!(Sources::of_process(None, Vec::new()).file.unwrap(), Path::new(DEFAULT_FILE));
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_utf_8_is_refused() {
    use std::os::unix::ffi::OsStringExt as _;
    let env = vec![("KEYSWEEP__DATA_DIR".into(), OsString::from_vec(b"/d\xff".to_vec()))];
    let sources = Sources { file: None, ..Sources::of_process(None, env) };
    let found = mistakes_of(load(&sources, mk_now()));
    assert_eq!(found[0].problem, "the value is not UTF-8 text");
}

#[test]
fn loading_again_sees_the_new_file_and_leaves_the_old_value_alone() {
    let file = mk_file("scan.interval = \"1h\"\n");
    let sources = mk_sources(file.path(), &[]);
    let before = load(&sources, mk_now()).unwrap();
    std::fs::write(file.path(), "scan.interval = \"3h\"\n").unwrap();
    let after = load(&sources, mk_now()).unwrap();
    std::fs::write(file.path(), "scan.interval = \"never\"\n").unwrap();
    assert!(load(&sources, mk_now()).is_err());
    assert_eq!(before.scan.interval, HOUR);
    assert_eq!(after.scan.interval, 3 * HOUR);
}

#[test]
fn an_override_takes_the_rest_of_its_window_from_the_policy() {
    let config = load_text(
        "[policy]\ndays = [\"mon\"]\nhours = \"09:00-16:00\"\ntime_zone = \"Europe/Berlin\"\n\
         [[policy.override]]\nmatch.users = [\"x\"]\nhours = \"22:00-02:00\"\n",
    )
    .unwrap();
    let terms = &config.policy.overrides[0].terms;
    assert_eq!((&terms.days, &terms.time_zone), (&None, &None));
    assert_eq!(terms.hours.unwrap().unwrap().to_string(), "22:00-02:00");
    assert_eq!(config.policy.time_zone.iana_name(), Some("Europe/Berlin"));
}

#[test]
fn overrides_lie_over_each_other_field_by_field_in_their_windows_too() {
    let config = load_text(
        "[[policy.override]]\nmatch.users = [\"svc-*\"]\ndays = [\"tue\"]\n\
         [[policy.override]]\nmatch.users = [\"*\"]\nhours = \"00:00-23:59\"\n",
    )
    .unwrap();
    // The first is that of the base, the second that of a key for which every rule is.
    let window = config.policy.windows().nth(1).unwrap();
    let open = |at: &str| window.is_open(at.parse().unwrap());
    assert!(open("2026-11-24T12:00:00Z"), "a Tuesday");
    assert!(!open("2026-11-22T12:00:00Z"), "a Sunday");
}

#[test]
fn a_rule_may_switch_max_age_off() {
    let config = load_text(
        "policy.max_age = \"90d\"\n[[policy.override]]\nmatch.users = [\"x\"]\nmax_age = \"off\"\n",
    )
    .unwrap();
    assert_eq!(config.policy.base.max_age, Some(90 * DAY));
    assert_eq!(config.policy.overrides[0].terms.max_age, Some(None));
    assert_eq!(config.policy.base.mode, Mode::Observe);
}

#[test]
fn what_is_shown_can_be_loaded_again_and_says_where_it_comes_from() {
    let file = mk_file(
        r#"[scan]
interval = "1h"
[[policy.override]]
match = { users = ["svc-*"], user_tags = { "a b" = "*" } }
unused_after = "180d"
"#,
    );
    let sources = mk_sources(file.path(), &[("KEYSWEEP__LOG__LEVEL", "debug")]);
    let config = load(&sources, mk_now()).unwrap();
    let shown = config.effective.to_toml().replace(&file.path().display().to_string(), "keysweep.toml");
    insta::assert_snapshot!(shown, @r#"
    data_dir = "/var/lib/keysweep"  # default

    [aws]
    region = "us-east-1"  # default
    allow_endpoint_override = false  # default
    operation_timeout = "30s"  # default
    attempt_timeout = "10s"  # default

    [organization]
    accounts = []  # default
    include_ous = []  # default
    exclude_ous = []  # default
    exclude_accounts = []  # default
    management_account = "skip"  # default
    refresh = "1h"  # default

    [role]
    scan = "keysweep/KeysweepScan"  # default
    enforce = "keysweep/KeysweepEnforce"  # default
    external_id_file = ""  # default
    session_name = "keysweep"  # default
    duration = "1h"  # default

    [scan]
    interval = "1h"  # keysweep.toml:2
    concurrency = 64  # default
    source = "auto"  # default
    report_max_age = "6h"  # default

    [policy]
    mode = "observe"  # default
    unused_after = "90d"  # default
    never_used_after = "90d"  # default
    max_age = "off"  # default
    notice = "7d"  # default
    quarantine = "off"  # default
    grace = "14d"  # default
    approval = "none"  # default
    approvals_needed = 1  # default
    approval_by = ["approver"]  # default
    approval_expires = "14d"  # default
    approval_repeats = 2  # default
    hold_after_reactivation = "30d"  # default
    hold_after_denial = "90d"  # default
    adopt_inactive = false  # default
    incomplete_evidence = "wait"  # default
    days = []  # default
    hours = ""  # default
    time_zone = "UTC"  # default

    [[policy.override]]
    match = { users = ["svc-*"], user_tags = { "a b" = "*" } }  # keysweep.toml:4
    unused_after = "180d"  # keysweep.toml:5

    [evidence]
    cloudtrail = true  # default
    creators = true  # default
    access_analyzer = ""  # default
    regions = []  # default
    lookback = "90d"  # default
    quarantine_policy = "keysweep-quarantine-ask-security"  # default
    signing_key_file = ""  # default
    max_megabytes = 4096  # default

    [protect]
    honeytokens = ["*canary*", "*honey*"]  # default
    notify = []  # default

    [owners]
    sources = []  # default
    tags = ["Owner", "owner", "Contact", "Email", "Team"]  # default
    allowed_domains = []  # default
    directory_file = ""  # default
    default = ""  # default

    [notices]
    required = true  # default
    notify = []  # default
    remind_before = ["3d", "1d"]  # default
    give_up = "1d"  # default
    template_dir = ""  # default
    link_secret_file = ""  # default
    owner_hold_max = "30d"  # default
    time_zone = ""  # default

    [notices.email]
    host = ""  # default
    port = 0  # default
    security = "starttls"  # default
    username = ""  # default
    password_file = ""  # default
    from = ""  # default
    reply_to = ""  # default
    ca_file = ""  # default

    [notices.slack]
    token_file = ""  # default
    api_url = ""  # default
    approvals = "link"  # default
    app_token_file = ""  # default

    [limits]
    deactivations_per_day = 50  # default
    deletions_per_day = 50  # default
    changes_per_account_per_day = 5  # default
    surge = 0.1  # default
    surge_keys = 20  # default
    shrink = 0.1  # default
    failed_accounts = 3  # default

    [backup]
    directory = ""  # default
    every = "1d"  # default
    keep = 7  # default

    [http]
    listen = "127.0.0.1:9853"  # default
    socket = ""  # default
    public_url = ""  # default
    trusted_proxies = []  # default

    [http.tls]
    cert_file = ""  # default
    key_file = ""  # default

    [http.oidc]
    issuer = ""  # default
    client_id = ""  # default
    client_secret_file = ""  # default
    scopes = ["profile", "email"]  # default
    groups_claim = "groups"  # default
    ca_file = ""  # default

    [http.session]
    idle = "1h"  # default
    lifetime = "12h"  # default

    [log]
    format = "auto"  # default
    level = "debug"  # environment variable KEYSWEEP__LOG__LEVEL

    [dev]
    allow_short_periods = false  # default
    "#);
    let again = load_text(&shown).unwrap();
    assert_eq!(again.policy, config.policy);
    assert_eq!(again.scan, config.scan);
    assert_eq!(again.log, config.log);
    let json = serde_json::to_value(&config.effective).unwrap();
    assert_eq!(json[0]["key"], "data_dir");
    assert_eq!(json[0]["value"], "/var/lib/keysweep");
    assert_eq!(json[0]["origin"], "default");
}
