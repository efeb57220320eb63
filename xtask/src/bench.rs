//! `cargo xtask bench`.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use crate::command::{cargo, run, target_dir};

/// What is measured.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Sizes of the organization in member accounts, one scan each; 10000 needs a gigabyte for the simulator
    #[arg(long, value_name = "COUNT", value_delimiter = ',', default_values_t = [100, 1000])]
    pub(crate) accounts: Vec<u64>,
    /// How long the simulator waits before each answer: 50ms
    #[arg(long, value_name = "TIME", default_value = "50ms", value_parser = milliseconds)]
    pub(crate) latency: Duration,
    /// Accounts scanned at the same time
    #[arg(long, value_name = "COUNT", default_value_t = 64)]
    pub(crate) concurrency: u64,
    /// Instead, compare with a scan in which 5 in 100 accounts fail, 5 are throttled and 1 hangs
    #[arg(long)]
    pub(crate) trouble: bool,
    /// Instead, measure a daemon with 10000 accounts, 50000 stale keys, and 2000 owners, while 200 people have the page
    /// open, beside one that nobody visits
    #[arg(long, conflicts_with = "trouble")]
    pub(crate) people: bool,
}

/// Builds what is measured and what measures in release mode, and measures.
pub(crate) fn bench(options: &Options) -> anyhow::Result<ExitCode> {
    // In one command, so that what both depend on is built once.
    run(cargo().args(["build", "--release", "--locked", "--package", "keysweep"]).args([
        "--package",
        "xtask",
        "--features",
        "xtask/product",
    ]))?;
    let release = target_dir()?.join("release");
    if options.people {
        return with_people(options, &release);
    }
    let accounts = options.accounts.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
    let status = Command::new(release.join("xtask"))
        .args(["product", "measure", "--accounts", &accounts])
        .args(["--latency", &format!("{}ms", options.latency.as_millis())])
        .args(["--concurrency", &options.concurrency.to_string()])
        .args(options.trouble.then_some("--trouble"))
        .arg("--program")
        .arg(release.join("keysweep"))
        .status()
        .context("start the measuring program")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn with_people(options: &Options, release: &Path) -> anyhow::Result<ExitCode> {
    let status = Command::new(release.join("xtask"))
        .args(["product", "people", "--accounts", "10000", "--owners", "2000", "--people", "200"])
        .args(["--latency", &format!("{}ms", options.latency.as_millis())])
        .args(["--concurrency", &options.concurrency.to_string()])
        .arg("--program")
        .arg(release.join("keysweep"))
        .status()
        .context("start the measuring program")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reads a latency.
pub(crate) fn milliseconds(text: &str) -> Result<Duration, String> {
    let number = text.strip_suffix("ms").and_then(|number| number.parse().ok());
    number.map(Duration::from_millis).ok_or_else(|| "expected milliseconds, such as 50ms".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_is_a_number_of_milliseconds() {
        assert_eq!(milliseconds("50ms"), Ok(Duration::from_millis(50)));
        for text in ["50", "ms", "-1ms", "1s", "1.5ms"] {
            assert!(milliseconds(text).is_err(), "{text}");
        }
    }
}
