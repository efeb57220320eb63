//! The program against the simulator over loopback: exit codes, a daemon and its commands, signals, nonsense.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::fs;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use keysweep::clock::Clock;
use keysweep_sim::{KeySpec, Server, Sim};
use keysweep_tests::conformance::keysweep_binary;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::timeout;

const PROD: &str = "111122223333";
const EXTERNAL_ID: &str = "daemon-tests";

/// Time for anything on a machine that does other things too.
const LIMIT: Duration = Duration::from_secs(60);

/// An organization on loopback and a configuration that points to it.
struct Site {
    sim: Sim,
    server: Server,
    folder: TempDir,
    stale: String,
}

async fn mk_site(toml: &str) -> Site {
    let clock = Clock::system();
    let now = clock.now();
    let sim = Sim::new(Arc::new(move || clock.now()));
    let roles = ["keysweep/KeysweepScan", "keysweep/KeysweepEnforce"];
    sim.account(PROD).name("prod").role(roles[0], EXTERNAL_ID).role(roles[1], EXTERNAL_ID).add();
    let day = jiff::SignedDuration::from_hours(24);
    let key = KeySpec::new().created(now - day * 400).used(now - day * 200, "s3", "us-east-1");
    let stale = sim.user(PROD, "svc-old").key(key).add().keys[0].clone();
    sim.make_reports();
    let server = sim.serve().await.unwrap();
    let folder = TempDir::with_prefix("keysweep-").unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("external-id"), EXTERNAL_ID).unwrap();
    let text = format!(
        "data_dir = {:?}\naws.allow_endpoint_override = true\nrole.external_id_file = {:?}\nhttp.listen = \"127.0.0.1:0\"\nlog.format = \"text\"\n{toml}",
        at("data"),
        at("external-id")
    );
    fs::write(at("keysweep.toml"), text).unwrap();
    Site { sim, server, folder, stale }
}

impl Site {
    async fn command(&self, arguments: &[&str]) -> Command {
        let (id, secret, _) = self.sim.hub_credentials();
        let mut command = Command::new(keysweep_binary().await.unwrap());
        command
            .arg("--config")
            .arg(self.folder.path().join("keysweep.toml"))
            .args(arguments)
            .env_clear()
            .env("AWS_ENDPOINT_URL", self.server.endpoint())
            .env("AWS_ACCESS_KEY_ID", id)
            .env("AWS_SECRET_ACCESS_KEY", secret)
            .env("HOME", self.folder.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    async fn output(&self, arguments: &[&str]) -> Output {
        timeout(LIMIT, self.command(arguments).await.output()).await.expect("it ends in time").unwrap()
    }

    /// Exit code, data and messages.
    async fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = self.output(arguments).await;
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    async fn daemon(&self) -> Daemon {
        let mut process = self.command(&["run"]).await.stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(process.stderr.take().unwrap()).lines();
        Daemon { process, log, seen: Vec::new() }
    }
}

struct Daemon {
    process: Child,
    log: Lines<BufReader<ChildStderr>>,
    seen: Vec<String>,
}

impl Daemon {
    /// Reads its log on until a line holds this text.
    async fn says(&mut self, text: &str) -> String {
        let reading = async {
            while let Some(line) = self.log.next_line().await.unwrap() {
                self.seen.push(line.clone());
                if line.contains(text) {
                    return Some(line);
                }
            }
            None
        };
        let found = timeout(LIMIT, reading).await.unwrap_or_default();
        found.unwrap_or_else(|| panic!("the daemon never said {text:?}:\n{}", self.seen.join("\n")))
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.process.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    async fn ends(mut self) -> i32 {
        let ending = async {
            while self.log.next_line().await.unwrap().is_some() {}
            self.process.wait().await.unwrap()
        };
        timeout(LIMIT, ending).await.expect("it ends in time").code().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_says_by_its_exit_code_what_it_found() {
    let site = mk_site("").await;
    let (code, data, _) = site.run(&["scan", "--format", "csv"]).await;
    assert_eq!(code, 0);
    assert!(data.contains(&site.stale), "{data}");
    assert_eq!(site.run(&["scan", "--fail-on", "never_used"]).await.0, 0);
    assert_eq!(site.run(&["scan", "--fail-on", "unused,root_key"]).await.0, 3);
    // An account that cannot be read goes before findings.
    site.sim.account("444455556666").name("closed to us").add();
    let (code, _, messages) = site.run(&["scan", "--fail-on", "any"]).await;
    assert_eq!(code, 4);
    assert!(messages.contains("444455556666") && messages.contains("assume role"), "{messages}");
    site.sim.deny(None, "organizations:*");
    let (code, _, messages) = site.run(&["scan"]).await;
    assert_eq!(code, 1);
    assert!(messages.contains("describe the organization: denied"), "{messages}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_in_the_environment_is_refused_unless_it_is_allowed() {
    let site = mk_site("").await;
    let (code, _, messages) = site.run(&["--set", "aws.allow_endpoint_override=false", "scan"]).await;
    assert_eq!(code, 1);
    assert!(
        messages.contains("AWS_ENDPOINT_URL") && messages.contains("allow_endpoint_override"),
        "{messages}"
    );
    assert_eq!(site.sim.total_calls(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_is_asked_over_its_socket_reloads_and_drains() {
    let site = mk_site("[notices]\nrequired = false\n").await;
    let mut daemon = site.daemon().await;
    daemon.says("sweep finished").await;

    let (code, _, messages) = site.run(&["run"]).await;
    assert_eq!(code, 1, "a second daemon");
    assert!(messages.contains("is in use by process"), "{messages}");

    let (code, data, _) = site.run(&["keys", "list", "--format", "json"]).await;
    assert_eq!(code, 0);
    let keys: serde_json::Value = serde_json::from_str(&data).unwrap();
    assert_eq!(keys["keys"][0]["access_key_id"], serde_json::json!(site.stale));
    assert_eq!(keys["keys"][0]["state"], "flagged");

    let order = ["keys", "deactivate", &site.stale, "--reason", "by name"];
    assert_eq!(site.run(&order).await.0, 0);
    assert_eq!(site.sim.key_status(&site.stale).as_deref(), Some("Inactive"));
    let delete = ["keys", "delete", &site.stale, "--reason", "too early", "--confirm", &site.stale];
    let (code, _, messages) = site.run(&delete).await;
    assert_eq!(code, 1);
    assert!(messages.contains("seen Inactive"), "{messages}");
    assert_eq!(site.run(&["pause", "--reason", "freeze"]).await.0, 0);
    assert_eq!(site.run(&["keys", "reactivate", &site.stale]).await.0, 0);
    assert_eq!(site.sim.key_status(&site.stale).as_deref(), Some("Active"));

    let file = site.folder.path().join("keysweep.toml");
    let good = fs::read_to_string(&file).unwrap();
    fs::write(&file, good.replace("required = false", "required = maybe")).unwrap();
    daemon.signal(Signal::HUP);
    let line = daemon.says("configuration not reloaded").await;
    assert!(line.contains("notices.required") || line.contains("keysweep.toml"), "{line}");
    fs::write(&file, good).unwrap();
    daemon.signal(Signal::HUP);
    daemon.says("limits").await;

    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends().await, 0);
    let (code, data, _) = site.run(&["journal", "verify"]).await;
    assert_eq!(code, 0, "{data}");
    let (_, data, _) = site.run(&["keys", "show", &site.stale]).await;
    assert!(data.contains("reactivated by an operator"), "offline it is the same: {data}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_killed_begins_again_where_it_was() {
    let site = mk_site("[notices]\nrequired = false\n").await;
    let mut daemon = site.daemon().await;
    daemon.says("sweep finished").await;
    daemon.signal(Signal::KILL);
    daemon.process.wait().await.unwrap();
    let mut daemon = site.daemon().await;
    daemon.says("sweep finished").await;
    let (code, data, _) = site.run(&["keys", "list", "--format", "csv"]).await;
    assert_eq!(code, 0);
    assert!(data.contains(&site.stale), "{data}");
    daemon.signal(Signal::INT);
    assert_eq!(daemon.ends().await, 0);
    assert_eq!(site.run(&["journal", "verify"]).await.0, 0);
}
