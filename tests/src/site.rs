//! An organization on loopback, a configuration that points to it, and the real program as processes of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot be set up fails"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use keysweep::clock::Clock;
use keysweep_sim::{KeySpec, Server, Sim};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::timeout;

use crate::conformance::keysweep_binary;

/// External ID of every role.
pub const EXTERNAL_ID: &str = "keysweep-site";

/// Time for anything on a machine that does other things too.
const LIMIT: Duration = Duration::from_secs(120);

/// An organization on loopback and a configuration that points to it.
#[derive(Debug)]
pub struct Site {
    /// The organization, on the time of the machine.
    pub sim: Sim,
    server: Server,
    folder: TempDir,
    binary: PathBuf,
}

impl Site {
    /// An organization with nothing but its management account, and this configuration beside what every site has.
    ///
    /// # Panics
    /// If the program cannot be built, a port not be had, or a file not be written.
    pub async fn new(toml: &str) -> Self {
        Self::off_by(toml, SignedDuration::ZERO).await
    }

    /// The same with an AWS whose clock differs from that of this machine.
    ///
    /// # Panics
    /// As [`Site::new`].
    pub async fn off_by(toml: &str, aws_minus_ours: SignedDuration) -> Self {
        let clock = Clock::system();
        let sim = Sim::new(Arc::new(move || clock.now() + aws_minus_ours));
        let server = sim.serve().await.expect("a loopback port");
        let folder = TempDir::with_prefix("keysweep-").expect("a temporary directory");
        let binary = keysweep_binary().await.unwrap_or_else(|why| panic!("{why}"));
        let site = Self { sim, server, folder, binary };
        fs::write(site.at("external-id"), EXTERNAL_ID).unwrap();
        site.configure(toml);
        site
    }

    /// Writes the configuration: `toml` begins with keys of the root, if it has any.
    ///
    /// # Panics
    /// If the file cannot be written.
    pub fn configure(&self, toml: &str) {
        let text = format!(
            "data_dir = {:?}\naws.allow_endpoint_override = true\nrole.external_id_file = {:?}\nhttp.listen = \
             \"127.0.0.1:0\"\n{toml}",
            self.data_dir(),
            self.at("external-id")
        );
        self.replace_configuration(&text);
    }

    /// Replaces the configuration as one step: a daemon that reads it meanwhile sees the old or the new one, whole.
    fn replace_configuration(&self, text: &str) {
        fs::write(self.at("keysweep.toml.new"), text).unwrap();
        fs::rename(self.at("keysweep.toml.new"), self.at("keysweep.toml")).unwrap();
    }

    /// An account with both roles.
    pub fn account(&self, id: &str) {
        let (scan, enforce) = ("keysweep/KeysweepScan", "keysweep/KeysweepEnforce");
        let account = self.sim.account(id).name(format!("account-{id}"));
        account.role(scan, EXTERNAL_ID).role(enforce, EXTERNAL_ID).add();
    }

    /// The key of a user that nobody has used for 200 days.
    #[must_use]
    pub fn stale_key(&self, account: &str, user: &str) -> String {
        let (now, day) = (self.sim.now(), SignedDuration::from_hours(24));
        let key = KeySpec::new().created(now - day * 400).used(now - day * 200, "s3", "us-east-1");
        self.sim.user(account, user).key(key).add().keys.swap_remove(0)
    }

    /// Makes the configuration another one that does nothing else, so that a reload starts a sweep.
    ///
    /// # Panics
    /// If the file cannot be read or written.
    pub fn alter(&self) {
        const MARK: &str = "log.level = \"info,altered=";
        let file = self.at("keysweep.toml");
        let text = fs::read_to_string(&file).unwrap();
        // Another value each time, so that two that are read as one still are a change.
        let levels = ["trace", "debug", "info", "warn", "error", "off"];
        let last = text.strip_prefix(MARK).and_then(|rest| rest.split('"').next());
        let at = last.and_then(|last| levels.iter().position(|level| *level == last));
        let next = levels[at.map_or(0, |at| (at + 1) % levels.len())];
        let rest = if last.is_some() { text.split_once('\n').unwrap().1 } else { &text };
        let other = format!("{MARK}{next}\"\n{rest}");
        self.replace_configuration(&other);
    }

    /// A file of the site's own folder.
    #[must_use]
    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where the program keeps its state.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.at("data")
    }

    /// The program with its configuration, and these arguments.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.command_behind(&[], arguments)
    }

    /// The same, run by another program: `unshare` and its like.
    #[must_use]
    pub fn command_behind(&self, before: &[&str], arguments: &[&str]) -> Command {
        let mut command = match before.split_first() {
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(&self.binary);
                command
            }
            None => Command::new(&self.binary),
        };
        self.surround(command.arg("--config").arg(self.at("keysweep.toml")).args(arguments));
        command
    }

    /// The environment of a process: AWS, and credentials of the hub.
    fn surround(&self, command: &mut Command) {
        let (id, secret, _) = self.sim.hub_credentials();
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("AWS_ENDPOINT_URL", self.server.endpoint())
            .env("AWS_ACCESS_KEY_ID", id)
            .env("AWS_SECRET_ACCESS_KEY", secret)
            .env("HOME", self.folder.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
    }

    /// The program without its configuration, with these arguments, as somebody runs it who has credentials alone.
    #[must_use]
    pub fn bare_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        self.surround(command.args(arguments));
        command
    }

    /// Exit code, data and messages of a command.
    ///
    /// # Panics
    /// If it does not end in time, or by itself.
    pub async fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        finished(self.command(arguments)).await
    }

    /// Starts the daemon.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn daemon(&self) -> Daemon {
        Daemon::start(self.command(&["run"]))
    }
}

/// Runs a command to its end: exit code, data and messages.
///
/// # Panics
/// If it does not end in time, or by itself.
pub async fn finished(mut command: Command) -> (i32, String, String) {
    let output: Output = timeout(LIMIT, command.output()).await.expect("it ends in time").unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().expect("it ends by itself"), text(output.stdout), text(output.stderr))
}

/// A running daemon. Dropping it kills it.
#[derive(Debug)]
pub struct Daemon {
    process: Child,
    pid: Pid,
    log: Lines<BufReader<ChildStderr>>,
    seen: Vec<String>,
}

impl Daemon {
    /// Starts a command that becomes a daemon.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(mut command: Command) -> Self {
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(process.stderr.take().unwrap()).lines();
        let pid = Pid::from_raw(i32::try_from(process.id().unwrap()).unwrap()).unwrap();
        Self { process, pid, log, seen: Vec::new() }
    }

    /// Its process ID, which is its own until it was waited for.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// The next line of its log; `None` once it is dead.
    ///
    /// # Panics
    /// If it says nothing for too long.
    pub async fn next_line(&mut self) -> Option<String> {
        let line = timeout(LIMIT, self.log.next_line()).await;
        let line = line.unwrap_or_else(|_| panic!("the daemon has fallen silent:\n{}", self.told())).unwrap();
        self.seen.extend(line.clone());
        line
    }

    /// Reads its log on until a line holds this text.
    ///
    /// # Panics
    /// If there is no such line.
    pub async fn says(&mut self, text: &str) -> String {
        self.says_one_of(&[text]).await
    }

    /// Reads its log on until a line holds one of these texts.
    ///
    /// # Panics
    /// If there is no such line.
    pub async fn says_one_of(&mut self, texts: &[&str]) -> String {
        while let Some(line) = self.next_line().await {
            if texts.iter().any(|text| line.contains(text)) {
                return line;
            }
        }
        panic!("the daemon never said one of {texts:?}:\n{}", self.told())
    }

    /// What it has said so far.
    #[must_use]
    pub fn told(&self) -> String {
        self.seen.join("\n")
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// If it has been waited for.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).unwrap();
    }

    /// Reads its log to the end and waits for it: how it ended, and all that it said.
    ///
    /// # Panics
    /// If it does not end in time.
    pub async fn ends(mut self) -> (ExitStatus, Vec<String>) {
        while self.next_line().await.is_some() {}
        let status = timeout(LIMIT, self.process.wait()).await.expect("it ends in time").unwrap();
        (status, self.seen)
    }
}

/// Copies a directory with all that is in it, but for sockets.
///
/// # Panics
/// If a file cannot be copied.
pub fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (kind, target) = (entry.file_type().unwrap(), to.join(entry.file_name()));
        if kind.is_dir() {
            copy_dir(&entry.path(), &target);
        } else if kind.is_file() {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
