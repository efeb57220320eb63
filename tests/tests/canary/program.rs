//! The program, with secrets in its environment, its files and the answers it gets, and calls that fail in every way.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use keysweep::clock::Clock;
use keysweep::token::Digest;
use keysweep_sim::{Fault, FaultKind, Hub, KeySpec, Rule, Server, Sim};
use keysweep_tests::conformance::keysweep_binary;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::timeout;

use crate::canary::heard::files_below;
use crate::canary::search::{EXTERNAL_ID, TOKEN};

/// Time for anything on a machine that does other things too.
const LIMIT: Duration = Duration::from_secs(90);

/// Where everything works.
const PROD: &str = "111122223333";
/// Where a change is refused by a message that repeats what was sent.
const REFUSING: &str = "222233334444";

/// A program and its organization.
pub(crate) struct Site {
    pub(crate) sim: Sim,
    /// A stale key that can be changed.
    pub(crate) key: String,
    /// One whose change is refused.
    pub(crate) refused: String,
    server: Server,
    folder: TempDir,
}

/// A command that ended.
pub(crate) struct Ran {
    pub(crate) command: String,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Site {
    pub(crate) async fn new(form: &str) -> Self {
        let clock = Clock::system();
        let now = clock.now();
        let day = jiff::SignedDuration::from_hours(24);
        let sim = Sim::new(Arc::new(move || clock.now()));
        // A role has a session token of its own.
        sim.configure(|settings| settings.hub = Hub::Role("keysweep-hub".into()));
        let stale = || KeySpec::new().created(now - day * 400).used(now - day * 200, "s3", "us-east-1");
        let account = |id: &str| {
            sim.account(id)
                .role("keysweep/KeysweepScan", EXTERNAL_ID)
                .role("keysweep/KeysweepEnforce", EXTERNAL_ID)
                .add();
            sim.user(id, format!("svc-of-{id}")).key(stale()).add().keys[0].clone()
        };
        let (key, refused) = (account(PROD), account(REFUSING));
        let echo = |status, code: &str| Fault::Echo { status, code: code.into() };
        for (id, fault, action) in [
            (REFUSING, echo(409, "LimitExceeded"), "iam:UpdateAccessKey"),
            ("300000000001", echo(403, "SignatureDoesNotMatch"), "sts:AssumeRole"),
            ("300000000002", echo(400, "ValidationError"), "sts:AssumeRole"),
            ("300000000003", echo(403, "AccessDenied"), "sts:AssumeRole"),
            ("300000000004", echo(403, "InvalidClientTokenId"), "iam:*"),
            ("300000000005", echo(403, "SignatureDoesNotMatch"), "iam:*"),
            ("300000000006", echo(403, "AccessDenied"), "iam:List*"),
            ("300000000007", echo(500, "InternalFailure"), "iam:ListAccessKeys"),
            ("300000000008", Fault::MalformedBody, "sts:AssumeRole"),
            ("300000000009", Fault::GarbageBody, "sts:AssumeRole"),
            ("300000000010", Fault::AnswerLost, "sts:AssumeRole"),
            ("300000000011", Fault::MalformedBody, "iam:*"),
            ("300000000012", Fault::AccessDenied, "sts:AssumeRole"),
        ] {
            if id != REFUSING {
                account(id);
            }
            sim.fault(Rule::new(fault).account(id).action(action));
        }
        sim.make_reports();
        let server = sim.serve().await.unwrap();
        let folder = TempDir::with_prefix("keysweep-canary-").unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("external-id"), EXTERNAL_ID).unwrap();
        let text = format!(
            "data_dir = {:?}\naws.allow_endpoint_override = true\naws.operation_timeout = \"3s\"\n\
             aws.attempt_timeout = \"2s\"\nrole.external_id_file = {:?}\nhttp.listen = \"127.0.0.1:0\"\n\
             log.format = {form:?}\nlog.level = \"trace\"\n[notices]\nrequired = false\n\
             [[http.token]]\nname = \"dana\"\nrole = \"operator\"\nsha256 = \"{}\"\n",
            at("data"),
            at("external-id"),
            Digest::of(TOKEN).to_hex(),
        );
        fs::write(at("keysweep.toml"), text).unwrap();
        Self { sim, key, refused, server, folder }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What the configuration file holds.
    pub(crate) fn configuration(&self) -> String {
        fs::read_to_string(self.folder.path().join("keysweep.toml")).unwrap()
    }

    /// Writes the configuration file.
    pub(crate) fn configure(&self, text: &str) {
        // As one step: the daemon may be reading it.
        let (new, file) =
            (self.folder.path().join("keysweep.toml.new"), self.folder.path().join("keysweep.toml"));
        fs::write(&new, text).unwrap();
        fs::rename(new, file).unwrap();
    }

    async fn command(&self, arguments: &[&str]) -> Command {
        let (id, secret, token) = self.sim.hub_credentials();
        let mut command = Command::new(keysweep_binary().await.unwrap());
        command
            .arg("--config")
            .arg(self.folder.path().join("keysweep.toml"))
            .args(arguments)
            .env_clear()
            .env("AWS_ENDPOINT_URL", self.server.endpoint())
            .env("AWS_ACCESS_KEY_ID", id)
            .env("AWS_SECRET_ACCESS_KEY", secret)
            .env("AWS_SESSION_TOKEN", token.unwrap())
            // Whoever debugs sets these, and a backtrace is an output too.
            .env("RUST_LOG", "trace")
            .env("RUST_BACKTRACE", "full")
            .env("HOME", self.folder.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Runs a command to its end, however it ends.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ran {
        let output = timeout(LIMIT, self.command(arguments).await.output()).await.expect("in time").unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { command: arguments.join(" "), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    pub(crate) async fn daemon(&self) -> Daemon {
        let mut process = self.command(&["run"]).await.stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(process.stderr.take().unwrap()).lines();
        Daemon { process, log, seen: String::new() }
    }

    /// Whether every kind of failure struck.
    pub(crate) fn mistakes_were_made(&self) -> bool {
        let kinds = [
            FaultKind::Echo,
            FaultKind::MalformedBody,
            FaultKind::GarbageBody,
            FaultKind::AnswerLost,
            FaultKind::AccessDenied,
        ];
        kinds.into_iter().all(|kind| self.sim.fault_count(kind) > 0)
            && self.sim.call_count(REFUSING, "iam:UpdateAccessKey") > 0
    }
}

/// A running daemon, and its log so far.
pub(crate) struct Daemon {
    process: Child,
    log: Lines<BufReader<ChildStderr>>,
    seen: String,
}

impl Daemon {
    /// Reads its log on until a line holds this text.
    pub(crate) async fn says(&mut self, text: &str) -> String {
        while let Some(line) = timeout(LIMIT, self.log.next_line()).await.expect("in time").unwrap() {
            self.seen = format!("{}{line}\n", self.seen);
            if line.contains(text) {
                return line;
            }
        }
        panic!("never said {text:?}:\n{}", self.seen);
    }

    /// Its address.
    pub(crate) async fn serves_at(&mut self) -> String {
        let line = self.says("127.0.0.1:").await;
        let from = line.find("127.0.0.1:").unwrap();
        line[from..].chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect()
    }

    /// Whether the system was told to write no dump of it.
    pub(crate) fn no_core_dumps(&self) -> bool {
        let limits = fs::read_to_string(format!("/proc/{}/limits", self.process.id().unwrap())).unwrap();
        let line = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        line.split_whitespace().rev().skip(1).take(2).all(|limit| limit == "0")
    }

    /// Ends it; its whole log.
    pub(crate) async fn ends(mut self) -> String {
        let id = i32::try_from(self.process.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), Signal::TERM).unwrap();
        while let Some(line) = timeout(LIMIT, self.log.next_line()).await.expect("in time").unwrap() {
            self.seen = format!("{}{line}\n", self.seen);
        }
        timeout(LIMIT, self.process.wait()).await.expect("in time").unwrap();
        self.seen
    }
}

/// A page with its head, whatever its status.
pub(crate) async fn get(address: &str, path: &str) -> String {
    ask(address, "GET", path, "").await
}

/// The answer to a request with more headers, with its head, whatever its status.
pub(crate) async fn ask(address: &str, method: &str, path: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request =
        format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    timeout(LIMIT, stream.read_to_string(&mut text)).await.expect("in time").unwrap();
    text
}

/// What the demo says in its whole life, and its files near the end of it, but for the one that holds its external ID.
pub(crate) async fn demo(length: Duration) -> (String, Vec<(String, Vec<u8>)>) {
    let folder = TempDir::with_prefix("keysweep-canary-").unwrap();
    let mut process = Command::new(keysweep_binary().await.unwrap())
        .args(["demo", "-vv", "--for", &format!("{}s", length.as_secs())])
        .env("TMPDIR", folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut messages = process.stderr.take().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let (mut said, mut told, mut files) = (String::new(), String::new(), Vec::new());
    let watching = async {
        while let Some(line) = timeout(LIMIT, lines.next_line()).await.expect("in time").unwrap() {
            said = format!("{said}{line}\n");
            // What is there at the end is removed: each line is an occasion to look, and the last look counts.
            let found = files_below(folder.path());
            if found.len() >= files.len() {
                files = found;
            }
        }
    };
    let (_, read) = tokio::join!(watching, messages.read_to_string(&mut told));
    read.unwrap();
    assert!(process.wait().await.unwrap().success(), "{said}{told}");
    said.push_str(&told);
    files.retain(|(path, _)| !path.ends_with("external-id"));
    assert!(!files.is_empty(), "the demo had no files: {said}");
    (said, files)
}
