//! Names that people choose, through everything that shows them: the real program against the simulator.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use keysweep::clock::Clock;
use keysweep_sim::{KeySpec, Server, Sim};
use keysweep_tests::conformance::keysweep_binary;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::timeout;

const PROD: &str = "111122223333";
const EXTERNAL_ID: &str = "names-tests";

/// Time for anything on a machine that does other things too.
const LIMIT: Duration = Duration::from_secs(60);

/// Users. IAM itself takes less; whatever is short and free of control characters is a name to keysweep.
const USERS: [&str; 18] = [
    "=HYPERLINK(\"http://evil.example\",\"x\")",
    "+1+1",
    "-2+3",
    "--profile=evil",
    "@SUM(A1)",
    "\u{ff1d}1+1",
    "<script>alert(1)</script>",
    "\"onmouseover=\"alert(1)",
    "a'b&amp;c;`$(id)`",
    "user\u{202e}gpj.exe",
    "ad\u{200b}min",
    "tag\u{e0041}ged",
    "e\u{301}\u{301}\u{301}",
    "\u{6771}\u{4eac}",
    "line\u{2028}forged",
    "back\\slash\\n\\u0000",
    "{{7*7}}${7*7}",
    "\u{feff}\u{2066}isolate",
];

/// An account's name: Organizations answers in JSON, which holds anything.
const ACCOUNT: &str = "=1+1\u{1b}[2J\n2026-01-01T00:00:00Z ERROR forged\r\t<script>alert('x')</script> \"a\"=\u{202e}\u{9b}31m\\\0";

/// An account's state, told as the reason why it is not looked at.
const STATE: &str = "SHUT\n  failed 999999999999: forged\u{1b}[2J\u{202e}";

/// A tag's value, which stands in a warning.
const TAG: &str = "<img src=x onerror=alert(1)>\u{2067}\n=cmd";

/// What an operator types, who may type no control characters.
const REASON: &str = "=audit <b> \u{202e}forged";

/// An organization of such names on loopback and a configuration that points to it.
struct Site {
    sim: Sim,
    server: Server,
    folder: TempDir,
    /// Key of the first user.
    key: String,
}

async fn mk_site(form: &str) -> Site {
    let clock = Clock::system();
    let now = clock.now();
    let day = jiff::SignedDuration::from_hours(24);
    let sim = Sim::new(Arc::new(move || clock.now()));
    let stale =
        || KeySpec::new().created(now - day * 400).used(now - day * 200, "s3\u{202e}<i>", "us-east-1");
    sim.account(PROD)
        .name(ACCOUNT)
        .ou("<b>\u{202e}\u{1b}[2J")
        .role("keysweep/KeysweepScan", EXTERNAL_ID)
        .add();
    sim.account("444455556666").name(ACCOUNT).add();
    sim.account("555566667777").name(ACCOUNT).state(STATE).add();
    let user = |name: &str| sim.user(PROD, name).tag("managed-by", TAG).key(stale()).add();
    let key = USERS.map(user)[0].keys[0].clone();
    sim.make_reports();
    let server = sim.serve().await.unwrap();
    let folder = TempDir::with_prefix("keysweep-").unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("external-id"), EXTERNAL_ID).unwrap();
    let text = format!(
        "data_dir = {:?}\naws.allow_endpoint_override = true\nrole.external_id_file = {:?}\n\
         http.listen = \"127.0.0.1:0\"\nlog.format = {form:?}\n\
         [policy]\nmode = \"deactivate\"\n[notices]\nrequired = false\n\
         [[policy.override]]\nmatch = {{ user_tags = {{ x = \"y\" }} }}\ngrace = \"30d\"\n\
         [[policy.override]]\nmatch = {{ ous = [\"{}\"] }}\ngrace = \"30d\"\n",
        at("data"),
        at("external-id"),
        sim.ou_id("<b>\u{202e}\u{1b}[2J"),
    );
    fs::write(at("keysweep.toml"), text).unwrap();
    Site { sim, server, folder, key }
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

    /// Data of a command, whose messages must be harmless.
    async fn run(&self, arguments: &[&str]) -> String {
        let output = timeout(LIMIT, self.command(arguments).await.output()).await.expect("in time").unwrap();
        let (data, messages) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert_harmless(&messages);
        assert!(!messages.contains("\n  failed 999999999999"), "{messages}");
        assert!(!data.is_empty(), "{arguments:?}: {messages}");
        data
    }

    /// A command in every format, each of them taken apart.
    async fn everything(&self, arguments: &[&str], rows_of: &str) -> Rows {
        let of = |format: &'static str| [arguments, &["--format", format]].concat();
        let table = self.run(&of("table")).await;
        assert_harmless(&table);
        let json: Value = serde_json::from_str(&self.run(&of("json")).await).unwrap();
        let rows = if rows_of.is_empty() { &json } else { &json[rows_of] };
        let json: Vec<Value> = rows.as_array().unwrap_or_else(|| panic!("{arguments:?}: {json}")).clone();
        assert!(!json.is_empty(), "{arguments:?}");
        let lines = self.run(&of("jsonl")).await;
        let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), json.len(), "{arguments:?}: one object a line");
        assert_eq!(table.lines().count(), json.len() + 1, "{arguments:?}: one line a row:\n{table}");
        let csv = self.run(&of("csv")).await;
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let header = reader.headers().unwrap().clone();
        let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(records.len(), json.len(), "{arguments:?}: one record a row");
        for cell in records.iter().flatten() {
            let formula =
                ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];
            assert!(!cell.starts_with(formula), "{cell:?} is a formula");
        }
        let column = header.iter().position(|name| name == "user_name");
        let csv_users = records.iter().filter_map(|record| Some(record.get(column?)?.to_owned())).collect();
        Rows { json, csv_users }
    }
}

/// What a command told.
struct Rows {
    json: Vec<Value>,
    csv_users: BTreeSet<String>,
}

impl Rows {
    /// Whether every user and its account is told exactly in JSON, and with nothing but an apostrophe more in CSV.
    fn assert_names(&self) {
        let users: BTreeSet<&str> = self.json.iter().map(|row| row["user_name"].as_str().unwrap()).collect();
        assert_eq!(users, BTreeSet::from(USERS));
        assert!(self.json.iter().all(|row| row["account_name"] == ACCOUNT), "{:?}", self.json);
        let plain: BTreeSet<&str> = self.csv_users.iter().map(|cell| cell.trim_start_matches('\'')).collect();
        assert_eq!(plain, BTreeSet::from(USERS));
    }
}

/// Nothing that moves a cursor, turns the reading order, or cannot be seen.
fn assert_harmless(text: &str) {
    let harmful = |c: char| {
        (c.is_control() && c != '\n')
            || ('\u{200b}'..='\u{200f}').contains(&c)
            || ('\u{2028}'..='\u{202e}').contains(&c)
            || ('\u{2060}'..='\u{206f}').contains(&c)
            || ('\u{e0000}'..='\u{e007f}').contains(&c)
            || c == '\u{feff}'
    };
    let found: Vec<char> = text.chars().filter(|c| harmful(*c)).collect();
    assert!(found.is_empty(), "{found:?} in {text:?}");
}

struct Daemon {
    process: Child,
    log: Lines<BufReader<ChildStderr>>,
    seen: Vec<String>,
}

impl Daemon {
    async fn of(site: &Site) -> Self {
        let mut process = site.command(&["run"]).await.stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(process.stderr.take().unwrap()).lines();
        Self { process, log, seen: Vec::new() }
    }

    /// Reads its log on until a line holds this text.
    async fn says(&mut self, text: &str) -> String {
        while let Some(line) = timeout(LIMIT, self.log.next_line()).await.expect("in time").unwrap() {
            self.seen.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
        panic!("never said {text:?}:\n{}", self.seen.join("\n"));
    }

    /// Ends it and reads the rest of its log.
    async fn ends(mut self) -> Vec<String> {
        let id = i32::try_from(self.process.id().unwrap()).unwrap();
        let id = rustix::process::Pid::from_raw(id).unwrap();
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        while let Some(line) = timeout(LIMIT, self.log.next_line()).await.expect("in time").unwrap() {
            self.seen.push(line);
        }
        self.process.wait().await.unwrap();
        self.seen
    }
}

async fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.0\r\nhost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.0 200 "), "{head}");
    body.to_owned()
}

/// Where the daemon serves, from the line with which it introduces itself.
fn address_in(line: &str) -> String {
    let from = line.find("127.0.0.1:").unwrap();
    line[from..].chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect()
}

/// Values of a label of the text format, taken apart line by line.
fn label_values(exposition: &str, label: &str) -> BTreeSet<String> {
    let mut values = BTreeSet::new();
    for line in exposition.split('\n').filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let name_ends = line.find(['{', ' ']).unwrap_or_else(|| panic!("{line:?} is no series"));
        assert!(line[..name_ends].chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{line:?}");
        let mut rest = &line[name_ends..];
        if let Some(labels) = rest.strip_prefix('{') {
            rest = labels;
            while !rest.starts_with('}') {
                let (name, after) = rest.split_once("=\"").unwrap();
                let (value, after) = quoted(after);
                if name.trim_start_matches(',') == label {
                    values.insert(value);
                }
                rest = after;
            }
            rest = &rest[1..];
        }
        let number = rest.strip_prefix(' ').unwrap_or_else(|| panic!("{line:?} has no value"));
        assert!(number.parse::<f64>().is_ok(), "{line:?}");
    }
    values
}

/// A quoted text up to its end, unescaped, and what follows.
fn quoted(text: &str) -> (String, &str) {
    let (mut value, mut chars) = (String::new(), text.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &text[at + 1..]),
            '\\' => match chars.next().unwrap().1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    panic!("{text:?} does not end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_shows_every_name_without_harm() {
    let site = mk_site("text").await;
    site.everything(&["scan"], "findings").await.assert_names();
    // What is to be pasted into a shell stays one word, and no option.
    let json: Value = serde_json::from_str(&site.run(&["scan", "--format", "json"]).await).unwrap();
    let commands =
        json["findings"].as_array().unwrap().iter().flat_map(|row| row["remediation"].as_array().unwrap());
    let commands: Vec<&str> = commands.map(|command| command.as_str().unwrap()).collect();
    assert!(
        commands.iter().any(|c| c.contains("--user-name=--profile=evil --access-key-id")),
        "{commands:?}"
    );
    assert!(commands.iter().any(|c| c.contains("--user-name 'a'\\''b&amp;c;`$(id)`' ")), "{commands:?}");
    // A state that nobody knows is no reason to skip an account.
    let failed = json["coverage"]["failed"].as_array().unwrap();
    assert!(failed.iter().any(|fail| fail["reason"].as_str().unwrap().contains(STATE)), "{failed:?}");
}

/// Everything that a daemon shows; its log.
async fn everything_of_a_daemon(site: &Site) -> Vec<String> {
    let mut daemon = Daemon::of(site).await;
    let address = address_in(&daemon.says("127.0.0.1:").await);
    daemon.says("sweep finished").await;
    let hold = ["keys", "hold", &site.key, "--reason", REASON];
    let held = site.command(&hold).await.output().await.unwrap();
    assert!(held.status.success(), "{}", String::from_utf8_lossy(&held.stderr));
    assert_harmless(&String::from_utf8(held.stderr).unwrap());

    site.everything(&["plan"], "keys").await.assert_names();
    site.everything(&["keys", "list"], "keys").await.assert_names();
    let entries = site.everything(&["journal", "tail", "-n", "1000"], "").await.json;
    assert!(entries.iter().any(|entry| entry["name"] == ACCOUNT), "{entries:?}");
    assert!(entries.iter().any(|entry| entry["reason"] == REASON), "{entries:?}");
    assert_harmless(&site.run(&["keys", "show", &site.key]).await);
    let key: Value =
        serde_json::from_str(&site.run(&["keys", "show", &site.key, "--format", "json"]).await).unwrap();
    assert_eq!(key["record"]["user_name"], USERS[0]);

    let of_key = format!("/keys/{}", site.key);
    for path in ["/", "/keys", &of_key, "/holds", "/accounts", "/audit", "/calendar", "/notices"] {
        let page = get(&address, path).await;
        assert_harmless(&page);
        let page = page.replace("<script src=\"/page.js\" defer></script>", "");
        for raw in ["<script", "<img", "<b>\u{202e}", "<i>", "\"onmouseover", "ad\u{200b}min"] {
            assert!(!page.contains(raw), "{path}: {raw}");
        }
        if path == "/keys" {
            assert!(page.contains("&#60;script&#62;alert(&#39;x&#39;)&#60;/script&#62;"), "{page}");
        }
    }

    let names = label_values(&get(&address, "/metrics").await, "account_name");
    assert!(names.contains(ACCOUNT), "{names:?}");
    daemon.ends().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_shows_every_name_without_harm_and_logs_text_line_by_line() {
    for line in everything_of_a_daemon(&mk_site("text").await).await {
        assert_harmless(&line);
        assert!(line.starts_with("20") && line.contains("Z "), "no line of ours: {line:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_logs_json_line_by_line() {
    for line in everything_of_a_daemon(&mk_site("json").await).await {
        assert_harmless(&line);
        let value: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
        assert!(value["level"].is_string() && value["timestamp"].is_string(), "{line}");
    }
}
