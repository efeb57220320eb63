//! `docs/METRICS.md` is the catalogue, in words. `UPDATE_GOLDEN=1` writes it anew.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code outside of test functions"
)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

#[path = "http_support/described.rs"]
mod described;

use described::{Described, described};

const CATALOGUE: &str = include_str!("golden/metrics-catalogue.prom");

/// Labels whose values depend on the organization, the machine or the version.
const OPEN: [&str; 7] =
    ["account_id", "account_name", "ou_path", "api", "version", "revision", "rust_version"];

/// Where a family, or one of its series, is left out.
const ABSENT: [(&str, &str); 16] = [
    ("keysweep_account_info", "for accounts that left the organization"),
    ("keysweep_account_scan_last_success_timestamp_seconds", "until the account was scanned once"),
    ("keysweep_account_scan_success", "for accounts that are skipped: no scan, no result"),
    ("keysweep_accounts", "until a sweep came to its end"),
    ("keysweep_approval_oldest_pending_timestamp_seconds", "while nothing waits for approval"),
    ("keysweep_aws_request_duration_seconds", "until that API is called"),
    ("keysweep_aws_request_failures_total", "until that API is called; then every reason begins at zero"),
    ("keysweep_aws_requests_total", "until that API is called"),
    (
        "keysweep_backup_last_success_timestamp_seconds",
        "where no backups are configured; 0 until there is one",
    ),
    ("keysweep_exempt_keys", "until the account was scanned once"),
    ("keysweep_keys", "where the count is zero"),
    ("keysweep_oldest_key_created_timestamp_seconds", "where no key is active"),
    ("keysweep_root_keys", "where no credential report told of the root user"),
    ("keysweep_scan_last_duration_seconds", "until a sweep came to its end"),
    ("keysweep_scan_last_success_timestamp_seconds", "until a sweep came to its end"),
    ("keysweep_stale_keys", "until the account was scanned once"),
];

const INTRODUCTION: &str = "\
# Metrics

Everything at `/metrics`, in the text format 0.0.4. This page is made from the catalogue that the tests hold the program to.

- Gauges of accounts and keys come from the records: what the last successful scan of an account showed stays, over failures and restarts, beside `keysweep_account_scan_success 0`. They are made anew for each scrape; what left the organization leaves here too.
- Counters begin at zero with the process. Those whose label values are known show every one of them at once, so that the first increase is not lost.
- Times are Unix timestamps: subtract them from `time()`.
- What is not known has no series. An account that was never scanned has no stale keys at all, rather than none.
- A series per account is the finest there is: about 15 for each account, and some 200 besides, so that 10,000 accounts make 150,000. Who needs fewer drops families of the first table when scraping (`metric_relabel_configs`).

[deploy/prometheus/](../deploy/prometheus/) asks these for its alerts, and [deploy/grafana/](../deploy/grafana/) for its dashboards.
";

/// Titles of the tables.
const PARTS: [&str; 3] = [
    "A series for each account, or some",
    "The whole organization, and keysweep itself",
    "What this process did",
];

/// In which table a family is.
fn part(family: &Described) -> usize {
    match family.kind.as_str() {
        _ if family.labels.contains_key("account_id") => 0,
        "gauge" => 1,
        _ => 2,
    }
}

fn reference() -> String {
    let families = described(CATALOGUE);
    let mut text = INTRODUCTION.to_owned();
    for (n, title) in PARTS.into_iter().enumerate() {
        write!(text, "\n## {title}\n\n| metric | labels | meaning | left out |\n|---|---|---|---|\n")
            .unwrap();
        for (name, family) in families.iter().filter(|(_, family)| part(family) == n) {
            let absent = ABSENT.iter().find(|(of, _)| of == name).map_or("", |(_, when)| *when);
            let (kind, help, labels) = (&family.kind, &family.help, labels(family));
            writeln!(text, "| `{name}`<br>{kind} | {labels} | {help} | {absent} |").unwrap();
        }
    }
    text
}

fn labels(family: &Described) -> String {
    let label = |(name, values): (&String, &BTreeSet<String>)| {
        // The catalogue gives one example where it does not list them all.
        if OPEN.contains(&name.as_str()) || (values.len() == 1 && name != "sink") {
            return format!("`{name}`");
        }
        let values: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
        format!("`{name}`: {}", values.join(" "))
    };
    family.labels.iter().map(label).collect::<Vec<_>>().join("<br>")
}

#[test]
fn every_gate_is_of_a_family_that_exists() {
    let families = described(CATALOGUE);
    for (name, _) in ABSENT {
        assert!(families.contains_key(name), "{name}");
    }
}

#[test]
fn the_reference_of_metrics_is_the_catalogue_in_words() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/METRICS.md");
    let text = reference();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let found = std::fs::read_to_string(&file).unwrap();
    assert!(found == text, "docs/METRICS.md differs from the catalogue; UPDATE_GOLDEN=1 writes it anew");
}
