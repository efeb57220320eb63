//! Scans of organizations of several sizes, measured from outside.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::Value;
use tempfile::TempDir;
use wait4::Wait4 as _;

use super::gates::{BUSY, Run, calls_per_account};
use super::organization::{Organization, now, text};
use super::table::table;
use crate::bench::milliseconds;
use crate::command::say;

/// Enough for the start of the process not to count.
const BUSY_ACCOUNTS: u64 = 1000;

/// How the accounts fare.
#[derive(Debug, Clone, Copy)]
struct Weather {
    /// Of the simulator.
    flag: Option<&'static str>,
    /// Of a scan then.
    exit_code: i32,
}

const CALM: Weather = Weather { flag: None, exit_code: 0 };
const TROUBLE: Weather = Weather { flag: Some("--trouble"), exit_code: 4 };

/// What is measured.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Sizes
    #[arg(long, value_delimiter = ',')]
    accounts: Vec<u64>,
    /// Time before each answer
    #[arg(long, value_parser = milliseconds)]
    latency: Duration,
    /// Accounts side by side
    #[arg(long)]
    concurrency: u64,
    /// With accounts in trouble beside a calm scan
    #[arg(long)]
    trouble: bool,
    /// The keysweep that is measured
    #[arg(long)]
    program: PathBuf,
}

/// Measures every size, prints the table, and fails if a gate does.
pub(super) fn measure(options: &Options) -> anyhow::Result<ExitCode> {
    if options.trouble {
        return in_trouble(options);
    }
    let mut runs = Vec::new();
    for &accounts in &options.accounts {
        say(&format!("scanning {accounts} accounts"));
        runs.push(
            one(options, accounts, options.latency, CALM)
                .with_context(|| format!("measure {accounts} accounts"))?,
        );
    }
    let what = format!("scanning {BUSY_ACCOUNTS} accounts with answers after {BUSY:?}, and the SDK alone");
    say(&format!("{what}, three times each"));
    let (mut busy, mut alone) = (None::<Run>, Duration::MAX);
    for _ in 0..3 {
        let run = one(options, BUSY_ACCOUNTS, BUSY, CALM).context("measure a busy processor")?;
        alone = alone.min(sdk_alone(options, BUSY, run.total_calls()).context("measure the SDK alone")?);
        // Whatever else the machine does only adds.
        if busy.as_ref().is_none_or(|best| run.cpu < best.cpu) {
            busy = Some(run);
        }
    }
    let busy = busy.context("nothing was measured")?;
    let ratio = busy.cpu_per_call().as_secs_f64() / alone.as_secs_f64();
    let asked = sdk_alone(options, options.latency, busy.total_calls()).context("measure the SDK alone")?;
    runs.push(busy);
    let text = format!(
        "{}\nthe SDK alone, one client: {} µs per call with answers after {:?}, {} after {BUSY:?}, where keysweep \
         needs {ratio:.2} times as much\n",
        table(&runs),
        asked.as_micros(),
        options.latency,
        alone.as_micros()
    );
    write!(io::stdout().lock(), "{text}").context("write to stdout")?;
    Ok(judged(&runs.iter().flat_map(Run::failures).collect::<Vec<_>>()))
}

/// Measures every size with and without accounts in trouble, prints both, and fails if memory or coverage does.
fn in_trouble(options: &Options) -> anyhow::Result<ExitCode> {
    let mut failures = Vec::new();
    for &accounts in &options.accounts {
        say(&format!("scanning {accounts} accounts, then again with some in trouble"));
        let calm = one(options, accounts, options.latency, CALM).context("measure a calm scan")?;
        let trouble =
            one(options, accounts, options.latency, TROUBLE).context("measure a scan in trouble")?;
        failures.extend(trouble.failures_in_trouble());
        let ratio = trouble.peak_mib() / calm.peak_mib();
        let said =
            format!("{} scanned, {} failed, {ratio:.2} times the memory", trouble.scanned, trouble.failed);
        let text = format!("{}\nin trouble: {said}\n", table(&[calm, trouble]));
        write!(io::stdout().lock(), "{text}").context("write to stdout")?;
    }
    Ok(judged(&failures))
}

impl Options {
    fn served(accounts: u64, latency: Duration, weather: Weather) -> Vec<String> {
        let size = ["--accounts".to_owned(), accounts.to_string()];
        let latency = ["--latency".to_owned(), format!("{}ms", latency.as_millis())];
        size.into_iter().chain(latency).chain(weather.flag.map(str::to_owned)).collect()
    }
}

pub(super) fn judged(failures: &[String]) -> ExitCode {
    for failure in failures {
        say(&format!("gate failed: {failure}"));
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Processor time per call of the SDK alone.
fn sdk_alone(options: &Options, latency: Duration, calls: u64) -> anyhow::Result<Duration> {
    let organization = Organization::start(&Options::served(1, latency, CALM))?;
    let mut command = Command::new(std::env::current_exe().context("find the running program")?);
    command.args(["product", "bare", "--calls", &calls.to_string()]);
    command.args(["--concurrency", &options.concurrency.to_string()]);
    organization.give_to(command.env_clear())?;
    let used = command.spawn().context("start the SDK alone")?.wait4().context("wait for it")?;
    organization.stop()?;
    if !used.status.success() {
        bail!("the SDK alone ended with {}", used.status);
    }
    Ok((used.rusage.utime + used.rusage.stime) / u32::try_from(calls).unwrap_or(u32::MAX))
}

fn one(options: &Options, accounts: u64, latency: Duration, weather: Weather) -> anyhow::Result<Run> {
    let mut organization = Organization::start(&Options::served(accounts, latency, weather))?;
    let folder = TempDir::with_prefix("keysweep-bench-").context("make a folder")?;
    let config = configuration(folder.path(), &organization.hub, options.concurrency)?;
    let printed = folder.path().join("scan.json");
    let messages = folder.path().join("messages");
    let create = |path: &Path| File::create(path).with_context(|| format!("make {}", path.display()));

    let mut command = Command::new(&options.program);
    command
        .env_clear()
        .arg("--config")
        .arg(config)
        .args(["scan", "--format", "json"])
        .stdin(Stdio::null())
        .stdout(create(&printed)?)
        .stderr(create(&messages)?);
    organization.give_to(command.env("HOME", folder.path()))?;
    let started = now();
    let child = command.spawn().with_context(|| format!("start {}", options.program.display()))?;
    let used = child.wait4().context("wait for keysweep")?;
    let wall = started.elapsed();
    if used.status.code() != Some(weather.exit_code) {
        bail!("keysweep ended with {}: {}", used.status, fs::read_to_string(&messages).unwrap_or_default());
    }

    let calls = organization.calls()?;
    organization.stop()?;
    let document = fs::read(&printed).context("read what keysweep printed")?;
    let document: Value = serde_json::from_slice(&document).context("parse what keysweep printed")?;
    let findings = document.get("findings").and_then(Value::as_array).context("no findings in the answer")?;
    let scanned = document.pointer("/coverage/scanned").and_then(Value::as_u64).context("no coverage")?;
    let failed = document.pointer("/coverage/failed").and_then(Value::as_array).context("no coverage")?;
    let sequence = latency.as_secs_f64() * calls_per_account() as f64;
    // An organization smaller than the concurrency still takes as long as its longest account.
    let rounds = (accounts as f64 / options.concurrency.max(1) as f64).max(1.0);
    Ok(Run {
        accounts,
        latency,
        findings: findings.len() as u64,
        scanned,
        failed: failed.len() as u64,
        calls,
        wall,
        cpu: used.rusage.utime + used.rusage.stime,
        peak_bytes: used.rusage.maxrss,
        least_wall: Duration::from_secs_f64(sequence * rounds),
    })
}

fn configuration(folder: &Path, hub: &Value, concurrency: u64) -> anyhow::Result<PathBuf> {
    let secret = folder.join("external-id");
    fs::write(&secret, text(hub, "external_id")?).context("write the external ID")?;
    let config = folder.join("keysweep.toml");
    let settings = format!(
        "data_dir = {:?}\n[aws]\nallow_endpoint_override = true\n[role]\nexternal_id_file = {secret:?}\n\
         [scan]\nconcurrency = {concurrency}\n",
        folder.join("data"),
    );
    fs::write(&config, settings).context("write the configuration")?;
    Ok(config)
}
