//! What Helm tells whoever installed it.

use clap::CommandFactory as _;
use keysweep::cli::Cli;

use super::charts::{chart, charts};

const LOUD: [(&str, &str); 5] = [
    ("NO DAEMON RUNS", "maintenance"),
    ("NOTHING OUTLIVES THE POD", "trial"),
    ("IT DELETES ACCESS KEYS", "everything"),
    ("It deactivates access keys", "moved irsa"),
    ("a name without a registry", "default trial rules"),
];

#[test]
fn dangerous_choices_are_told_loudly_and_others_are_not() {
    for (text, of) in LOUD {
        for (name, chart) in charts() {
            let told = chart.notes.lines().any(|line| line.starts_with("***") && line.contains(text));
            assert_eq!(told, of.split(' ').any(|loud| loud == name), "{name}: {text}\n{}", chart.notes);
        }
    }
}

#[test]
fn every_command_of_the_notes_can_be_typed() {
    for (name, chart) in charts() {
        let lines = chart.notes.lines().filter_map(|line| line.split_once(" -- "));
        let commands: Vec<&str> = lines.map(|(_, command)| command).collect();
        assert!(commands.len() >= 5, "{name}");
        for command in commands {
            let words = command.split_whitespace().map(|word| word.trim_matches('"'));
            if let Err(error) = Cli::command().try_get_matches_from(words) {
                panic!("{name}: {command}: {error}");
            }
        }
    }
}

#[test]
fn a_configuration_without_a_channel_is_told() {
    for (name, expected) in [("default", true), ("irsa", false), ("everything", false), ("trial", false)] {
        assert_eq!(chart(name).notes.contains("notifies nobody yet"), expected, "{name}");
    }
}

#[test]
fn notes_have_no_holes() {
    for (name, chart) in charts() {
        assert!(!chart.notes.contains("\n\n\n") && !chart.notes.contains("<no value>"), "{name}");
        let pod = format!("{}-0", chart.one("StatefulSet")["metadata"]["name"].as_str().unwrap());
        assert!(chart.notes.contains(&pod), "{name}");
    }
    assert!(chart("default").notes.contains("It observes"));
}

#[test]
fn an_association_for_pod_identity_is_made_without_session_tags() {
    // Transitive tags want sts:TagSession in every trust policy, which `keysweep iam` does not print.
    for (name, chart) in charts() {
        let tells = chart.notes.contains("create-pod-identity-association");
        assert_eq!(tells, !chart.given["aws"]["credentials"].is_string(), "{name}");
        assert_eq!(tells, chart.notes.contains("--disable-session-tags"), "{name}");
    }
}
