//! What Prometheus's own tool says of our metrics.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code outside of test functions"
)]

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use keysweep::metrics::inventory::{Observed, families};
use keysweep::metrics::{Metrics, render};
use keysweep_aws::{FaultKind, Observer};

#[path = "../../crates/keysweep/tests/http_support/organization.rs"]
mod organization;

use organization::{collection, days_ago, now, policy, state};

fn exposition() -> String {
    let metrics = Metrics::new();
    metrics.call("iam:ListAccessKeys", Err(FaultKind::Throttled), Duration::from_millis(80));
    metrics.config_loaded(days_ago(3), true);
    let (policy, seen, state) = (policy(), collection(), state());
    let mut all = metrics.families();
    all.extend(families(&Observed {
        now: now(),
        state: &state,
        policy: &policy,
        scan_interval: Duration::from_secs(6 * 3600),
        seen: Some(&seen),
        store_bytes: Some(123_456),
    }));
    render(all).unwrap()
}

#[test]
fn promtool_finds_nothing_to_complain_about() {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool runs: it comes with prometheus, on Debian `apt-get install prometheus`");
    promtool.stdin.take().unwrap().write_all(exposition().as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
}
