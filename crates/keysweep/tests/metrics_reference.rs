//! `docs/METRICS.md` is the catalogue, in words. `UPDATE_GOLDEN=1` rewrites it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use crate::described::{Described, described};

const CATALOGUE: &str = include_str!("golden/metrics-catalogue.prom");

/// Labels whose values depend on the organization, the machine or the version.
const OPEN: [&str; 7] =
    ["account_id", "account_name", "ou_path", "api", "version", "revision", "rust_version"];

/// Where a family, or one of its series, is left out.
const ABSENT: [(&str, &str); 17] = [
    ("keysweep_account_info", "if the account left the organization"),
    ("keysweep_account_scan_last_success_timestamp_seconds", "until the first scan of the account"),
    ("keysweep_account_scan_success", "if the account is skipped"),
    ("keysweep_accounts", "until the first sweep has ended"),
    ("keysweep_approval_oldest_pending_timestamp_seconds", "while nothing waits for approval"),
    ("keysweep_aws_request_duration_seconds", "until that API is called"),
    ("keysweep_aws_request_failures_total", "until that API is called; then every reason starts at zero"),
    ("keysweep_aws_requests_total", "until that API is called"),
    (
        "keysweep_backup_last_success_timestamp_seconds",
        "if no backups are configured; 0 before the first backup",
    ),
    ("keysweep_exempt_keys", "until the first scan of the account"),
    ("keysweep_keys", "if the count is zero"),
    ("keysweep_oldest_key_created_timestamp_seconds", "if no key is active"),
    ("keysweep_root_keys", "if no credential report contained the root user"),
    ("keysweep_scan_last_duration_seconds", "until the first sweep has ended"),
    ("keysweep_scan_last_success_timestamp_seconds", "until the first sweep has ended"),
    ("keysweep_slack_connections", "unless `notices.slack.approvals` is \"native\""),
    ("keysweep_stale_keys", "until the first scan of the account"),
];

const INTRODUCTION: &str = "\
# Metrics

This page lists everything that `/metrics` exposes, in the Prometheus text format 0.0.4, or in OpenMetrics 1.0 if the scraper asks for it, and compressed with gzip if it accepts that. It is generated from the catalogue that the tests compare with a scrape.

- Gauges of accounts and keys come from the records. The result of the last successful scan of an account stays across failures and restarts, next to `keysweep_account_scan_success 0`. Each scrape renders them anew, and an account that left the organization has no series.
- Counters start at zero with the process. A counter whose label values are known exposes all of its series from the start, so that `rate()` and `increase()` see the first increment.
- Times are Unix timestamps; subtract them from `time()`.
- An unknown value has no series. An account that was never scanned has no series for stale keys, which is different from zero.
- The highest cardinality is a series per account: about 15 per account and 200 in addition, so 10,000 accounts result in 150,000 series. If that is too many, drop families of the first table with `metric_relabel_configs`.

[deploy/prometheus/](../deploy/prometheus/) uses these metrics for its alerts, [deploy/grafana/](../deploy/grafana/) for its dashboards.
";

/// Titles of the tables.
const PARTS: [&str; 3] = ["Series per account", "The organization and keysweep", "What this process did"];

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
