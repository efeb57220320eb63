//! What people read is plain English, in the words of the glossary (CONTRIBUTING.md, "English").

use std::fs;
use std::path::Path;

use clap::{Command, CommandFactory as _};
use keysweep::cli::Cli;

/// Files that people read. To widen the scope, add a file here.
const FILES: &[&str] = &[
    "README.md",
    "CONTRIBUTING.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "config/keysweep.toml",
    "deploy/README.md",
    "deploy/grafana/account.json",
    "deploy/grafana/operations.json",
    "deploy/grafana/organization.json",
    "deploy/grafana/people.json",
    "deploy/helm/keysweep/README.md",
    "deploy/helm/keysweep/templates/NOTES.txt",
    "deploy/helm/keysweep/values.yaml",
    "deploy/iam/README.md",
    "deploy/prometheus/alerts.rules.yml",
    "deploy/prometheus/recording.rules.yml",
    "docs/ACCESS.md",
    "docs/CONFIGURATION.md",
    "docs/EVIDENCE.md",
    "docs/FAQ.md",
    "docs/FIRST-WEEKS.md",
    "docs/INSTALL-systemd.md",
    "docs/NOTICES.md",
    "docs/PERFORMANCE.md",
    "docs/REVERSE-PROXY.md",
    "docs/RUNBOOK.md",
    "docs/SECURITY-MODEL.md",
    "docs/TRUST.md",
    "docs/UPGRADING.md",
    "docs/trust-log.md",
];

/// Literal translations and archaic phrases, with what to write instead.
const PHRASES: &[(&str, &str)] = &[
    ("tells who", "shows who"),
    ("tells what", "shows what"),
    ("tells whoever", "shows"),
    ("tells how", "shows how"),
    ("tells of", "reports"),
    ("wears a", "has a"),
    ("wears the", "has the"),
    ("stands in the", "is in the"),
    ("stands in its way", "blocks it"),
    ("stand in the way", "block"),
    ("what stands", "what is"),
    ("stands nowhere", "is not stored"),
    ("stands still", "does not count"),
    ("side by side", "in parallel"),
    ("believed for", "cached for"),
    ("are believed", "stay cached"),
    ("come to its end", "completed"),
    ("comes to its end", "ends"),
    ("came to its end", "ended"),
    ("brought nothing to an end", "made no progress"),
    ("nothing of this", "none of this"),
    ("nothing of it", "none of it"),
    ("not one of ours", "unknown"),
    ("is none of", "is not one of"),
    ("gets on", "makes progress"),
    ("whoever", "anyone who"),
    ("is to be had", "is available"),
    ("could be had", "was available"),
    ("wants a", "needs a"),
    ("want a", "need a"),
    ("wanted after all", "used after deactivation"),
    ("signs of life", "reuse signals"),
    ("gives no sign of life", "is unresponsive"),
    ("lives through", "runs for"),
    ("is looked at", "is scanned"),
    ("are looked at", "are scanned"),
    ("was looked at", "was scanned"),
    ("not looked at", "not scanned"),
    ("looks into", "scans"),
    ("is mended", "is fixed"),
    ("are mended", "are fixed"),
    ("woken", "reactivated"),
    ("anew", "again"),
    ("made-up", "simulated"),
    ("made up", "created"),
    ("hands in", "passes"),
    ("handed in", "passed"),
    ("handed to", "passed to"),
    ("is no gap", "is not a gap"),
    ("is no terminal", "is not a terminal"),
    ("is no fault", "is not a fault"),
];

/// Synonyms of terms in the glossary. One thing has one name.
const SYNONYMS: &[(&str, &str)] = &[
    ("audit trail", "audit log"),
    ("in force", "in effect"),
    ("watched grace", "observed grace"),
    ("safe-listed", "exempt"),
    ("whitelisted", "exempt"),
    ("allowlisted", "exempt"),
    ("kill switch", "pause"),
    ("dead key", "stale key"),
    ("dead keys", "stale keys"),
    ("grace time", "grace period"),
    ("cool-down", "grace period"),
    ("roll back", "undo"),
];

/// Terms that the glossary must define.
const TERMS: &[&str] = &[
    "approval",
    "audit log",
    "cap",
    "change",
    "circuit breaker",
    "exemption",
    "finding",
    "flagged",
    "grace period",
    "hold",
    "hub",
    "notice",
    "out of reach",
    "pause",
    "record",
    "scan",
    "stale",
    "sweep",
    "undo",
];

/// Everything in the scope: a name and a text.
fn texts() -> Vec<(String, String)> {
    let mut texts: Vec<(String, String)> =
        FILES.iter().map(|file| ((*file).to_owned(), read(file))).collect();
    help(&Cli::command(), "keysweep", &mut texts);
    texts
}

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
    fs::read_to_string(path).expect(file)
}

/// The help of a command and of its subcommands.
fn help(command: &Command, name: &str, texts: &mut Vec<(String, String)>) {
    texts.push((format!("{name} --help"), command.clone().render_long_help().to_string()));
    for subcommand in command.get_subcommands() {
        help(subcommand, &format!("{name} {}", subcommand.get_name()), texts);
    }
}

/// Without the table in which CONTRIBUTING.md quotes phrases to avoid.
fn without_quotations(text: &str) -> String {
    let Some((before, rest)) = text.split_once("| instead of | write |") else { return text.to_owned() };
    let after = rest.split_once("\n\n").map_or("", |(_, after)| after);
    format!("{before}\n\n{after}")
}

/// Without blocks of code, code between backticks, and targets of links.
fn prose(text: &str) -> String {
    let outside = text.split("```").step_by(2).collect::<Vec<_>>().join("\n");
    let words = outside.split('`').step_by(2).collect::<Vec<_>>().join("_");
    let mut parts = words.split("](");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |joined, part| joined + "] " + part.split_once(')').map_or("", |(_, rest)| rest))
}

/// Lower case, with single spaces between words and none around.
fn normalized(text: &str) -> String {
    let words = text.split_whitespace().filter(|word| !matches!(*word, "#" | "///"));
    words.collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Where a phrase occurs as whole words, with some text around it.
fn occurrences<'a>(text: &'a str, phrase: &'a str) -> impl Iterator<Item = &'a str> {
    let is_word = |character: char| character.is_alphanumeric() || matches!(character, '-' | '_');
    text.match_indices(phrase).filter_map(move |(at, _)| {
        let (before, after) = (&text[..at], &text[at + phrase.len()..]);
        let whole = !before.ends_with(is_word) && !after.starts_with(is_word);
        let start = before.char_indices().rev().nth(30).map_or(0, |(start, _)| start);
        let end = at + phrase.len() + after.char_indices().nth(30).map_or(after.len(), |(end, _)| end);
        whole.then(|| &text[start..end])
    })
}

fn assert_none(found: &[String]) {
    assert!(found.is_empty(), "{} places:\n{}", found.len(), found.join("\n"));
}

#[test]
fn texts_have_no_literal_translations() {
    let mut found = Vec::new();
    for (name, text) in texts() {
        let text = normalized(&without_quotations(&text));
        for (phrase, instead) in PHRASES {
            let places = occurrences(&text, phrase);
            found.extend(places.map(|place| format!("{name}: ...{place}...: write \"{instead}\"")));
        }
    }
    assert_none(&found);
}

#[test]
fn texts_use_one_word_per_thing() {
    let mut found = Vec::new();
    for (name, text) in texts() {
        let text = normalized(&prose(&without_quotations(&text)));
        for (synonym, term) in SYNONYMS {
            let places = occurrences(&text, synonym);
            found.extend(places.map(|place| format!("{name}: ...{place}...: write \"{term}\"")));
        }
    }
    assert_none(&found);
}

#[test]
fn the_breaker_is_called_circuit_breaker() {
    let mut found = Vec::new();
    for (name, text) in texts() {
        if name.ends_with("--help") || !(name.ends_with(".md") || name.ends_with(".yml")) {
            continue; // There, `breaker` is also the name of the command or of a metric.
        }
        let text = normalized(&prose(&text));
        let places = occurrences(&text, "breaker").chain(occurrences(&text, "breakers"));
        found.extend(
            places
                .filter(|place| !place.contains("circuit breaker"))
                .map(|place| format!("{name}: ...{place}...")),
        );
    }
    assert_none(&found);
}

#[test]
fn the_glossary_defines_every_term_in_alphabetical_order() {
    let readme = read("README.md");
    let glossary = readme.split("\n## Glossary\n").nth(1).expect("a glossary").split("\n## ").next().unwrap();
    let rows = glossary.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | "));
    let rows: Vec<(&str, &str)> = rows.filter(|(term, _)| *term != "term").collect();
    let terms: Vec<&str> = rows.iter().map(|(term, _)| *term).collect();
    assert!(terms.is_sorted(), "{terms:?}");
    for term in TERMS {
        assert!(terms.contains(term), "{term} is not in the glossary");
    }
    for (term, meaning) in rows {
        assert!(meaning.len() > 20 && meaning.ends_with(". |"), "{term}: {meaning}");
    }
}

#[test]
fn phrases_are_found_as_whole_words_in_any_case() {
    let text = normalized("# Whoever\n# looks: a user wears\n# A tag. She renews. Unwanted anewly.");
    assert_eq!(occurrences(&text, "whoever").count(), 1);
    assert_eq!(occurrences(&text, "wears a").count(), 1);
    assert_eq!(occurrences(&text, "anew").count(), 0);
    assert_eq!(
        prose("say `breaker reset` ([a](b#breaker))\n```\nbreaker\n```\nend").matches("breaker").count(),
        0
    );
}
