//! A daemon with many keys, owners who are notified, and people who have the page open, beside one that nobody visits.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use tempfile::TempDir;
use wait4::Wait4 as _;

use super::mail::MailServer;
use super::measure::judged;
use super::organization::{Organization, now, text};
use super::visits::{People, VIEWS, View, get};
use crate::bench::milliseconds;
use crate::command::{output, say};

/// Keys of each account, all stale.
const KEYS: u64 = 5;
/// How often each view is asked for to measure its processor time.
const ASKED: u32 = 40;
/// Processor time of a filtered list.
const CPU_OF_LIST: Duration = Duration::from_millis(50);
/// How much longer sweeps may take while people look.
const SLOWER: f64 = 1.05;
/// Memory, in MiB.
const PEAK_MIB: f64 = 256.0;
/// As Prometheus does.
const SCRAPED_EVERY: Duration = Duration::from_secs(15);
/// A sweep that takes longer does not end.
const PATIENCE: Duration = Duration::from_secs(1800);

/// What is measured.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Member accounts
    #[arg(long)]
    accounts: u64,
    /// Owners, each with a digest
    #[arg(long)]
    owners: u64,
    /// People with the page open
    #[arg(long)]
    people: u32,
    /// Time before each answer of AWS
    #[arg(long, value_parser = milliseconds)]
    latency: Duration,
    /// Accounts side by side
    #[arg(long)]
    concurrency: u64,
    /// The keysweep that is measured
    #[arg(long)]
    program: PathBuf,
}

/// One daemon, from its first sweep to the delivery of every digest.
struct Life {
    /// The sweep that finds every key, the one that gives notice, and one that finds nothing new.
    sweeps: [Duration; 3],
    /// From the end of that sweep to the last digest.
    delivery: Duration,
    digests: u64,
    /// Views that were answered while people looked, and those that were not.
    visits: (u64, u64),
    /// Processor time of each view afterwards.
    views: Vec<(View, Duration)>,
    peak_mib: f64,
}

/// Measures, prints, and fails if a gate does.
pub(super) fn measure(options: &Options) -> anyhow::Result<ExitCode> {
    let keys = options.accounts * KEYS;
    say(&format!("{} accounts, {keys} keys, {} owners; nobody looks", options.accounts, options.owners));
    let alone = live(options, 0).context("measure a daemon that nobody visits")?;
    say(&format!("the same, with {} people", options.people));
    let visited = live(options, options.people).context("measure a daemon with people")?;
    let total = |life: &Life| life.sweeps.iter().sum::<Duration>().as_secs_f64();
    let ratio = total(&visited) / total(&alone);
    let mut failures = Vec::new();
    for (View { name, is_list, .. }, cpu) in &visited.views {
        if *is_list && *cpu > CPU_OF_LIST {
            failures.push(format!(
                "{name}: {} ms of CPU, above {}",
                cpu.as_millis(),
                CPU_OF_LIST.as_millis()
            ));
        }
    }
    if ratio > SLOWER {
        failures.push(format!("sweeps take {ratio:.3} times as long, above {SLOWER}"));
    }
    for life in [&alone, &visited] {
        if life.peak_mib > PEAK_MIB {
            failures.push(format!("{:.0} MiB, above {PEAK_MIB:.0}", life.peak_mib));
        }
        if life.digests != options.owners || life.visits.1 != 0 {
            let (digests, (_, failed)) = (life.digests, life.visits);
            failures.push(format!("{digests} digests were delivered, and {failed} views failed"));
        }
    }
    write!(io::stdout().lock(), "{}", table(options, &alone, &visited, ratio)).context("write to stdout")?;
    Ok(judged(&failures))
}

/// Markdown, so that it can go into docs/PERFORMANCE.md.
fn table(options: &Options, alone: &Life, visited: &Life, ratio: f64) -> String {
    let seconds = |time: Duration| format!("{:.2}", time.as_secs_f64());
    let [first, second, third] =
        ["the first sweep, s", "a sweep without news, s", "the sweep that gives notice, s"];
    let row =
        |name: &str, of: &dyn Fn(&Life) -> String| format!("| {name} | {} | {} |\n", of(alone), of(visited));
    let mut text = format!(
        "| {} accounts | nobody looks | {} people |\n|---|--:|--:|\n",
        options.accounts, options.people
    );
    for (index, name) in [first, second, third].into_iter().enumerate() {
        text += &row(name, &|life| life.sweeps.get(index).copied().map(seconds).unwrap_or_default());
    }
    text += &row("all digests delivered after, s", &|life| seconds(life.delivery));
    text += &row("digests", &|life| life.digests.to_string());
    text += &row("views while it swept", &|life| life.visits.0.to_string());
    text += &row("peak memory, MiB", &|life| format!("{:.1}", life.peak_mib));
    for (index, View { name, .. }) in VIEWS.iter().enumerate() {
        let cpu =
            |life: &Life| life.views.get(index).map(|(_, cpu)| format!("{:.1}", cpu.as_secs_f64() * 1e3));
        text += &row(&format!("CPU of a view, ms: {name}"), &|life| cpu(life).unwrap_or_default());
    }
    text + &format!("\nwith people, the sweeps take {ratio:.3} times as long\n")
}

fn live(options: &Options, people: u32) -> anyhow::Result<Life> {
    let Options { accounts, owners, latency, concurrency, .. } = options;
    let organization = Organization::start(
        &[
            ("--accounts", accounts.to_string()),
            ("--users", KEYS.to_string()),
            ("--stale-percent", "100".to_owned()),
            ("--owners", owners.to_string()),
            ("--latency", format!("{}ms", latency.as_millis())),
        ]
        .map(|(name, value)| format!("{name}={value}")),
    )?;
    let mail = MailServer::start().context("start a mail server")?;
    let mut daemon = Daemon::start(options, &organization, &mail, *concurrency)?;
    let first = daemon.sweep_ends(Duration::ZERO)?;
    let visitors = People::come(daemon.address, people);
    daemon.command(&["resume", "--reason", "bench"])?;
    let second = daemon.sweep_ends(first.1)?;
    let began = now();
    while mail.taken() < *owners && began.elapsed() < PATIENCE {
        thread::park_timeout(Duration::from_millis(100));
    }
    let delivery = began.elapsed();
    // The end of the last pause begins a sweep.
    daemon.command(&["pause", "--reason", "bench"])?;
    daemon.command(&["resume", "--reason", "bench"])?;
    let third = daemon.sweep_ends(second.1)?;
    let visits = visitors.leave();
    let views = VIEWS.iter().map(|view| Ok((*view, daemon.cpu_of(view.path)?)));
    let views = views.collect::<anyhow::Result<Vec<_>>>()?;
    let digests = mail.taken();
    let peak_mib = daemon.stop()?;
    organization.stop()?;
    Ok(Life { sweeps: [first.0, second.0, third.0], delivery, digests, visits, views, peak_mib })
}

/// The daemon's process.
struct Daemon {
    folder: TempDir,
    program: PathBuf,
    config: PathBuf,
    process: Child,
    address: SocketAddr,
}

impl Daemon {
    fn start(
        options: &Options,
        organization: &Organization,
        mail: &MailServer,
        concurrency: u64,
    ) -> anyhow::Result<Self> {
        let folder = TempDir::with_prefix("keysweep-bench-").context("make a folder")?;
        let free =
            TcpListener::bind(("127.0.0.1", 0)).and_then(|it| it.local_addr()).context("find a port")?;
        let config = configuration(folder.path(), organization, mail, free, concurrency)?;
        let log = File::create(folder.path().join("log")).context("make a log")?;
        let mut command = Command::new(&options.program);
        command.env_clear().arg("--config").arg(&config).arg("run");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        organization.give_to(command.env("HOME", folder.path()))?;
        let process = command.spawn().with_context(|| format!("start {}", options.program.display()))?;
        Ok(Self { folder, program: options.program.clone(), config, process, address: free })
    }

    /// Waits for a sweep that ended after this moment; gives how long it took, and when it ended.
    fn sweep_ends(&mut self, after: Duration) -> anyhow::Result<(Duration, Duration)> {
        let began = now();
        while began.elapsed() < PATIENCE {
            thread::park_timeout(SCRAPED_EVERY);
            if let Some(status) = self.process.try_wait().context("look after keysweep")? {
                bail!("keysweep ended with {status}: {}", said(&self.folder));
            }
            let Ok(metrics) = get(self.address, "/metrics") else { continue };
            let ended = sample(&metrics, "keysweep_scan_last_success_timestamp_seconds");
            let took = sample(&metrics, "keysweep_scan_last_duration_seconds");
            if let (Some(ended), Some(took)) = (ended, took)
                && ended > after
            {
                return Ok((took, ended));
            }
        }
        bail!("no sweep ends; the daemon says:\n{}", said(&self.folder))
    }

    fn command(&self, arguments: &[&str]) -> anyhow::Result<()> {
        output(Command::new(&self.program).arg("--config").arg(&self.config).args(arguments))?;
        Ok(())
    }

    /// Processor time of one view.
    fn cpu_of(&self, path: &str) -> anyhow::Result<Duration> {
        // Once before: what is made for the first who asks is shared by all.
        get(self.address, path)?;
        let before = self.cpu()?;
        for _ in 0..ASKED {
            get(self.address, path)?;
        }
        Ok((self.cpu()? - before) / ASKED)
    }

    /// Processor time so far: `utime` and `stime` of proc_pid_stat(5), in ticks of 10 ms.
    fn cpu(&self) -> anyhow::Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id())).context("read /proc")?;
        // The name of the program before it may hold anything.
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
        let ticks: Vec<u64> = fields.skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
        match ticks[..] {
            [user, system] => Ok(Duration::from_millis(10 * (user + system))),
            _ => bail!("no processor time in /proc"),
        }
    }

    /// Stops it; gives the largest resident set, in MiB.
    fn stop(self) -> anyhow::Result<f64> {
        output(Command::new("kill").arg(self.process.id().to_string()))?;
        let Self { folder, process, .. } = self;
        let used = process.wait4().context("wait for keysweep")?;
        if !used.status.success() {
            bail!("keysweep ended with {}: {}", used.status, said(&folder));
        }
        Ok(used.rusage.maxrss as f64 / f64::from(1 << 20))
    }
}

/// What the daemon logged.
fn said(folder: &TempDir) -> String {
    fs::read_to_string(folder.path().join("log")).unwrap_or_default()
}

/// The value of a series without labels, in seconds.
fn sample(metrics: &str, name: &str) -> Option<Duration> {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    Duration::try_from_secs_f64(line.trim().parse().ok()?).ok()
}

fn configuration(
    folder: &Path,
    organization: &Organization,
    mail: &MailServer,
    listen: SocketAddr,
    concurrency: u64,
) -> anyhow::Result<PathBuf> {
    let (external_id, links) = (folder.join("external-id"), folder.join("link-secret"));
    fs::write(&external_id, text(&organization.hub, "external_id")?).context("write the external ID")?;
    fs::write(&links, "0123456789abcdef0123456789abcdef").context("write the secret of links")?;
    let config = folder.join("keysweep.toml");
    let (host, port) = (mail.address.ip(), mail.address.port());
    let settings = format!(
        r#"
data_dir = {data:?}
[aws]
allow_endpoint_override = true
[role]
external_id_file = {external_id:?}
[scan]
concurrency = {concurrency}
interval = "24h"
[policy]
mode = "deactivate"
[owners]
sources = ["user_tags"]
allowed_domains = ["example.com"]
[notices]
link_secret_file = {links:?}
[notices.email]
host = "{host}"
port = {port}
security = "none"
from = "keysweep@example.com"
[http]
listen = "{listen}"
"#,
        data = folder.join("data"),
    );
    fs::write(&config, settings).context("write the configuration")?;
    Ok(config)
}
