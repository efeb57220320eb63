//! Help texts, word for word: they are what operators read first.

use std::path::Path;

use crate::cli_support::{assert_golden, keysweep};
use clap::CommandFactory as _;
use clap::error::ErrorKind;
use keysweep::cli::Cli;

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
    let commands: [&[&str]; 26] = [
        &[],
        &["run"],
        &["scan"],
        &["plan"],
        &["keys"],
        &["keys", "list"],
        &["keys", "hold"],
        &["keys", "delete"],
        &["keys", "reactivate"],
        &["exemptions"],
        &["exemptions", "add"],
        &["pause"],
        &["breaker", "reset"],
        &["journal"],
        &["journal", "tail"],
        &["state"],
        &["state", "backup"],
        &["state", "restore"],
        &["config"],
        &["config", "show"],
        &["doctor"],
        &["iam"],
        &["iam", "enforce"],
        &["iam", "quarantine"],
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
    for command in [
        &[][..],
        &["scan"],
        &["doctor"],
        &["token"],
        &["keys"],
        &["breaker", "reset"],
        &["state", "restore"],
        &["keys", "delete"],
    ] {
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

/// Commands of keysweep in a document: lines of their own and parts between backticks, up to a pipe, a redirection or a
/// comment.
fn commands(text: &str) -> impl Iterator<Item = &str> {
    let parts = text.split(['`', '\n']).map(|part| part.trim().trim_start_matches("sudo "));
    let is_prose = |part: &&str| ["keysweep ...", ": "].iter().any(|sign| part.contains(sign));
    let ours = parts.filter(move |part| part.starts_with("keysweep ") && !is_prose(part));
    ours.map(|part| {
        let ends = [" | ", " > ", " #", " && "].iter().filter_map(|end| part.find(end));
        part.get(..ends.min().unwrap_or(part.len())).unwrap_or(part).trim()
    })
}

/// Words as a shell would make them of quoted text.
fn words(command: &str) -> Vec<String> {
    let parts = command.split('"').enumerate();
    let words = parts.flat_map(|(n, part)| match n % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    });
    words
        .map(|word| match word.as_str() {
            "KEY" | "AKIA..." => "AKIAIOSFODNN7EXAMPLE".to_owned(),
            "COUNT" | "NUMBER" => "3".to_owned(),
            "REQUEST" => "120-1f2e3d4c".to_owned(),
            "ACCOUNT" => "111122223333".to_owned(),
            "SHELL" => "bash".to_owned(),
            "$HUB" | "HUB_ARN" => "arn:aws:iam::111122223333:role/keysweep-hub".to_owned(),
            _ => word,
        })
        .collect()
}

#[test]
fn every_command_of_the_documents_can_be_typed() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (document, least) in [
        ("README.md", 10),
        ("deploy/README.md", 1),
        ("docs/RUNBOOK.md", 30),
        ("docs/FIRST-WEEKS.md", 12),
        ("docs/ACCESS.md", 6),
        ("docs/FAQ.md", 5),
        ("docs/NOTICES.md", 4),
        ("docs/UPGRADING.md", 2),
    ] {
        let text = std::fs::read_to_string(top.join(document)).unwrap();
        let mut seen = 0;
        for command in commands(&text) {
            seen += 1;
            if let Err(error) = Cli::command().try_get_matches_from(words(command)) {
                // What is named in the middle of a sentence may lack what it works on.
                let named = matches!(
                    error.kind(),
                    ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
                        | ErrorKind::MissingRequiredArgument
                        | ErrorKind::MissingSubcommand
                );
                assert!(named && !text.contains(&format!("\n{command}")), "{document}: {command}: {error}");
            }
        }
        assert!(seen >= least, "{document} has {seen} commands");
    }
}
