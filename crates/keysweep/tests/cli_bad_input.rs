//! What is typed wrong, or cannot be done, ends with the right exit code and a sentence that helps.

use crate::cli_support::{command, keysweep, mk_config, ran};

const KEY: &str = "AKIAIOSFODNN7EXAMPLE";

#[test]
fn a_wrong_command_line_ends_with_two_and_says_what_is_wrong() {
    let cases: [(&[&str], &str); 16] = [
        (&[], "Usage: keysweep"),
        (&["sweep"], "unrecognized subcommand 'sweep'"),
        (&["scan", "--now"], "unexpected argument '--now'"),
        (&["scan", "--account", "123"], "account ID \"123\": expected 12 digits"),
        (&["scan", "--account", "11112222333x"], "expected 12 digits"),
        (&["scan", "--format", "xml"], "invalid value 'xml' for '--format <FORMAT>'"),
        (&["scan", "--fail-on", "unused,everything"], "invalid value 'everything'"),
        (&["keys", "show", "nonsense"], "access key ID \"nonsense\": expected 16 to 128 letters"),
        (&["keys", "hold", KEY, "--reason", "x", "--for", "soon"], "a duration such as \"90d\""),
        (&["keys", "approve", KEY], "--reason <TEXT>"),
        (
            &["exemptions", "add", KEY, "--reason", "x", "--until", "1y"],
            "a date such as 2027-03-01, or 1d to 366d",
        ),
        (&["exemptions", "add", KEY, "--until", "90d"], "--reason <TEXT>"),
        (&["pause", "--reason", "  "], "expected a reason, in a few words"),
        (&["breaker", "reset", "--confirm", "3"], "--reason <TEXT>"),
        (&["--set", "policy.mode", "plan"], "expected KEY=VALUE"),
        (&["journal", "tail", "-n", "many"], "invalid value 'many'"),
    ];
    for (args, message) in cases {
        let ran = keysweep(args);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(message), "{args:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{args:?}");
    }
}

#[test]
fn a_configuration_that_is_wrong_ends_with_two_and_names_every_mistake() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keysweep.toml");
    std::fs::write(&path, "[policy]\nmod = \"observe\"\nunused_after = \"soon\"\n").unwrap();
    for args in [&["config", "check"][..], &["scan"], &["keys", "list"], &["run"], &["state", "rebuild"]] {
        let ran = ran(command(args).env("KEYSWEEP_CONFIG", &path));
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("did you mean policy.mode?"), "{}", ran.stderr);
        assert!(ran.stderr.contains("policy.unused_after"), "{}", ran.stderr);
    }
}

#[test]
fn a_configuration_that_is_not_there_ends_with_two() {
    let ran = keysweep(&["scan", "--config", "/nonexistent/keysweep.toml"]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr.starts_with("error: no configuration file /nonexistent/keysweep.toml"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_deletion_without_the_key_typed_twice_ends_with_two_and_shows_what_to_type() {
    for confirm in [&[][..], &["--confirm", "AKIAI44QH8DHBEXAMPLE"]] {
        let ran = keysweep(&[&["keys", "delete", KEY, "--reason", "owner left"], confirm].concat());
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains(&format!("add --confirm {KEY}")), "{}", ran.stderr);
    }
}

#[test]
fn settings_before_and_after_the_command_all_count() {
    let dir = tempfile::tempdir().unwrap();
    let config = mk_config(dir.path());
    let config = config.to_str().unwrap();
    let args =
        ["--set", "scan.interval=7h", "config", "show", "--config", config, "--set", "scan.concurrency=7"];
    let ran = keysweep(&args);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("interval = \"7h\"  # flag --set"), "{}", ran.stdout);
    assert!(ran.stdout.contains("concurrency = 7  # flag --set"), "{}", ran.stdout);
}

#[test]
fn without_daemon_and_data_dir_there_is_nothing_to_decide_about_and_nothing_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let config = mk_config(dir.path());
    for args in
        [&["keys", "list"][..], &["keys", "show", KEY], &["pause", "--reason", "x"], &["state", "rebuild"]]
    {
        let ran = keysweep(&[args, &["--config", config.to_str().unwrap()]].concat());
        assert_eq!(ran.code, 1, "{args:?}");
        assert!(ran.stderr.contains("no daemon is running, and data_dir"), "{}", ran.stderr);
    }
    assert!(!dir.path().join("data").exists());
}

#[test]
fn a_journal_that_is_not_there_ends_with_one() {
    let dir = tempfile::tempdir().unwrap();
    let config = mk_config(dir.path());
    for what in ["verify", "export", "tail"] {
        let ran = keysweep(&["journal", what, "--config", config.to_str().unwrap()]);
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        assert!(
            ran.stderr.starts_with("error: could not read the journal\ncaused by: no journal in "),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn a_named_socket_without_a_daemon_is_an_error_and_opens_no_data_dir() {
    let dir = tempfile::tempdir().unwrap();
    let config = crate::cli_support::mk_config(dir.path());
    let socket = dir.path().join("operators.sock");
    let (config, named) = (config.to_str().unwrap(), socket.to_str().unwrap());
    for command in [&["keys", "list"][..], &["plan"], &["pause", "--reason", "x"]] {
        let ran = keysweep(&[command, &["--config", config, "--socket", named]].concat());
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        assert!(ran.stderr.contains(&format!("no daemon listens at {named}")), "{}", ran.stderr);
    }
    assert!(!dir.path().join("data").exists());
}
