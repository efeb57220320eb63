//! `keysweep token new`, and what the configuration takes of it.

use crate::cli_support::keysweep;

#[test]
fn a_new_token_is_shown_once_beside_the_lines_that_make_it_known() {
    let made = keysweep(&["token", "new", "--name", "ci-deploy", "--role", "operator"]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let token = made.stdout.strip_suffix('\n').unwrap();
    assert!(token.starts_with("keysweep_token_") && !token.contains(char::is_whitespace), "{token}");
    assert!(!made.stderr.contains(token), "stderr goes into logs of pipelines");
    assert!(made.stderr.contains("the only time that the token is shown"), "{}", made.stderr);

    let from = made.stderr.find("[[http.token]]").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("keysweep.toml");
    std::fs::write(&file, &made.stderr[from..]).unwrap();
    let file = file.to_str().unwrap();
    let checked = keysweep(&["--config", file, "config", "check"]);
    assert_eq!((checked.code, checked.stderr.as_str()), (0, ""));
    let shown = keysweep(&["--config", file, "config", "show"]).stdout;
    assert!(shown.contains("name = \"ci-deploy\"") && shown.contains("role = \"operator\""), "{shown}");
    assert!(shown.contains("sha256 = \"(hidden)\""), "{shown}");

    let other = keysweep(&["token", "new", "--name", "ci-deploy"]);
    assert_ne!(other.stdout, made.stdout);
    assert!(other.stderr.contains("role = \"viewer\""), "the least is the default: {}", other.stderr);
}

#[test]
fn a_token_is_not_made_for_a_name_or_a_role_that_would_be_refused() {
    for line in [&["--name", "two words"][..], &["--name", ""], &["--name", "a", "--role", "admin"]] {
        let refused = keysweep(&[&["token", "new"], line].concat());
        assert_eq!(refused.code, 2, "{line:?}");
        assert_eq!(refused.stdout, "", "{line:?}");
    }
}
