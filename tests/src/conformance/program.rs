//! keysweep itself, as a program: built, configured, run.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;

use super::moto::Truth;

/// Building from nothing takes minutes on two cores.
const BUILD: Duration = Duration::from_secs(1200);
/// A command against this organization takes a few seconds.
const COMMAND: Duration = Duration::from_secs(120);
/// How much of a log an error shows: its end tells why.
const LOG_LINES: usize = 60;

/// What every configuration here has: the organization's roles, and the policy that its cast was written for.
const SETTINGS: &str = r#"
[aws]
region = "us-east-1"
allow_endpoint_override = true

[http]
listen = "127.0.0.1:0"

[log]
format = "text"

[[policy.override]]
match = { users = ["slow-*"] }
unused_after = "180d"

[[policy.exempt]]
match = { user_tags = { "keysweep:exempt" = "*" } }
reason = "break glass"
until = "2099-12-31"
"#;

/// keysweep with a configuration and a folder of its own, pointed at an organization.
#[derive(Debug)]
pub struct Keysweep {
    binary: PathBuf,
    folder: TempDir,
    environment: Vec<(&'static str, String)>,
}

/// A command that ended.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Its data.
    pub stdout: String,
    /// Its messages.
    pub stderr: String,
}

/// A running daemon. Dropping it kills it.
#[derive(Debug)]
pub struct Daemon {
    process: Child,
    log: PathBuf,
}

/// The program: what the variable `KEYSWEEP_BIN` names, else this workspace's, built as the running program is, and made
/// (or found fresh) once per test process.
///
/// # Errors
/// If it cannot be built.
pub async fn keysweep_binary() -> Result<PathBuf, String> {
    static BUILT: OnceCell<PathBuf> = OnceCell::const_new();
    BUILT.get_or_try_init(build).await.cloned()
}

async fn build() -> Result<PathBuf, String> {
    if let Some(given) = std::env::var_os("KEYSWEEP_BIN") {
        return Ok(given.into());
    }
    let (target, profile) = super::built_in()?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        // Naming this package too gives dependencies the features that they have in the running test, so that cargo
        // finds them built.
        .args([
            "build",
            "--quiet",
            "--package",
            "keysweep",
            "--package",
            "keysweep-tests",
            "--bin",
            "keysweep",
            "--profile",
            // The one profile whose folder has another name.
            if profile == "debug" { "dev" } else { &profile },
        ])
        .arg("--target-dir")
        .arg(&target)
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    // What cargo told the running test about its package would have build scripts run anew that look there, and half of
    // the program compiled after them.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    let finished = finish(command, BUILD).await.map_err(|why| format!("build keysweep: {why}"))?;
    if !finished.status.success() {
        return Err(format!("build keysweep: cargo ended with {}\n{}", finished.status, finished.stderr));
    }
    let binary = target.join(&profile).join("keysweep");
    if binary.is_file() { Ok(binary) } else { Err(format!("build keysweep: no {}", binary.display())) }
}

impl Keysweep {
    /// Writes the configuration: `settings` (TOML tables of their own, `[policy]` among them) and what all have.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub async fn configured(truth: &Truth, settings: &str) -> Result<Self, String> {
        let binary = keysweep_binary().await?;
        let told = |error: std::io::Error| format!("write the configuration of keysweep: {error}");
        let folder = TempDir::with_prefix("keysweep-").map_err(told)?;
        let at = |name: &str| folder.path().join(name);
        fs::write(at("external-id"), &truth.external_id).map_err(told)?;
        let roles = format!(
            "\n[role]\nscan = {:?}\nenforce = {:?}\nexternal_id_file = {:?}\n",
            truth.roles.scan,
            truth.roles.enforce,
            at("external-id"),
        );
        let text = format!("data_dir = {:?}\n{settings}{roles}{SETTINGS}", at("data"));
        fs::create_dir(at("data")).map_err(told)?;
        fs::write(at("keysweep.toml"), text).map_err(told)?;
        let environment = vec![
            ("AWS_ENDPOINT_URL", truth.endpoint.clone()),
            ("AWS_ACCESS_KEY_ID", truth.hub.access_key_id.clone()),
            ("AWS_SECRET_ACCESS_KEY", truth.hub.secret_access_key.clone()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("HOME", folder.path().display().to_string()),
            ("PATH", std::env::var("PATH").unwrap_or_default()),
        ];
        Ok(Self { binary, folder, environment })
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// If it does not start, or does not end in two minutes.
    pub async fn run(&self, arguments: &[&str]) -> Result<Finished, String> {
        let mut command = self.command();
        command.args(arguments);
        finish(command, COMMAND).await.map_err(|why| format!("keysweep {}: {why}", arguments.join(" ")))
    }

    /// Runs a command to its end, which must be a success, and gives its data.
    ///
    /// # Errors
    /// If it fails in any way.
    pub async fn done(&self, arguments: &[&str]) -> Result<String, String> {
        let finished = self.run(arguments).await?;
        if finished.status.success() {
            return Ok(finished.stdout);
        }
        Err(format!("keysweep {} ended with {}:\n{}", arguments.join(" "), finished.status, finished.stderr))
    }

    /// Starts the daemon.
    ///
    /// # Errors
    /// If it does not start.
    pub fn daemon(&self) -> Result<Daemon, String> {
        let log = self.folder.path().join("daemon.log");
        let told = |error: std::io::Error| format!("start the daemon: {error}");
        let file = File::create(&log).map_err(told)?;
        let both = file.try_clone().map_err(told)?;
        let process = self.command().arg("run").stdout(both).stderr(file).spawn().map_err(told)?;
        Ok(Daemon { process, log })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .arg("--config")
            .arg(self.folder.path().join("keysweep.toml"))
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }
}

impl Daemon {
    /// Fails if the daemon is no longer there.
    ///
    /// # Errors
    /// If it has ended.
    pub fn still_runs(&mut self) -> Result<(), String> {
        match self.process.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(format!("the daemon ended by itself with {status}")),
            Err(error) => Err(format!("look after the daemon: {error}")),
        }
    }

    /// Sends SIGTERM and gives how it ended.
    ///
    /// # Errors
    /// If it does not end within `limit`.
    pub async fn terminate(&mut self, limit: Duration) -> Result<ExitStatus, String> {
        let id = self.process.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        let id = id.ok_or("stop the daemon: it has ended already")?;
        kill_process(id, Signal::TERM).map_err(|error| format!("stop the daemon: {error}"))?;
        match tokio::time::timeout(limit, self.process.wait()).await {
            Ok(ended) => ended.map_err(|error| format!("wait for the daemon: {error}")),
            Err(_) => Err(format!("the daemon did not end within {limit:?} of SIGTERM")),
        }
    }

    /// The end of its log, for a failure's message.
    #[must_use]
    pub fn log(&self) -> String {
        tail(&self.log)
    }
}

/// A failed assertion cannot take the log along as an error does: it is shown here.
impl Drop for Daemon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Nothing is left to be done about a stderr that is gone.
            let _ = writeln!(std::io::stderr(), "the daemon's log ends with:\n{}", self.log());
        }
    }
}

fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_else(|error| format!("no log: {error}"));
    let skipped = text.lines().count().saturating_sub(LOG_LINES);
    text.lines().skip(skipped).collect::<Vec<_>>().join("\n")
}

async fn finish(mut command: Command, limit: Duration) -> Result<Finished, String> {
    let output = tokio::time::timeout(limit, command.stdin(Stdio::null()).kill_on_drop(true).output());
    let output = output.await.map_err(|_| format!("did not end within {limit:?}"))?;
    let output = output.map_err(|error| format!("did not start: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Finished { status: output.status, stdout: text(&output.stdout), stderr: text(&output.stderr) })
}
