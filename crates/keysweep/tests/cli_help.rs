//! Help texts, word for word: they are what operators read first.

mod cli_support;

use cli_support::{assert_golden, keysweep};

fn help(args: &[&str]) -> String {
    let ran = keysweep(&[args, &["--help"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(ran.stderr, "");
    // Whether there is a demo is the choice of whoever builds.
    let lines = ran.stdout.lines().filter(|line| !line.starts_with("  demo "));
    lines.map(|line| line.trim_end().to_owned() + "\n").collect()
}

#[test]
fn help_of_each_command_is_as_it_was_written() {
    let commands: [&[&str]; 21] = [
        &[],
        &["run"],
        &["scan"],
        &["plan"],
        &["keys"],
        &["keys", "list"],
        &["keys", "hold"],
        &["keys", "delete"],
        &["keys", "reactivate"],
        &["pause"],
        &["breaker", "reset"],
        &["journal"],
        &["journal", "tail"],
        &["state"],
        &["config"],
        &["config", "show"],
        &["doctor"],
        &["iam"],
        &["iam", "enforce"],
        &["token"],
        &["token", "new"],
    ];
    for command in commands {
        let name = ["help"].iter().chain(command).copied().collect::<Vec<_>>().join("-");
        assert_golden(&format!("{name}.txt"), &help(command));
    }
}

#[test]
fn no_help_text_is_wider_than_a_hundred_columns() {
    for command in
        [&[][..], &["scan"], &["token"], &["doctor"], &["keys"], &["breaker", "reset"], &["keys", "delete"]]
    {
        let text = help(command);
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    }
}

#[test]
fn completions_and_man_pages_name_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let script = keysweep(&["completions", shell]);
        assert_eq!(script.code, 0, "{}", script.stderr);
        assert!(script.stdout.contains("breaker") && script.stdout.contains("reactivate"), "{shell}");
    }
    let page = keysweep(&["man"]);
    assert_eq!(page.code, 0);
    assert!(page.stdout.contains(".TH keysweep 1"), "{}", page.stdout);
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("man");
    assert_eq!(keysweep(&["man", "--out", out.to_str().unwrap()]).code, 0);
    for name in ["keysweep.1", "keysweep-scan.1", "keysweep-keys-delete.1"] {
        assert!(out.join(name).is_file(), "{name}");
    }
}
