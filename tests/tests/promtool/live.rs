//! A real Prometheus that scrapes a demo: every expression of rules and dashboards is put to it, and returns data.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;
use std::time::Duration;

use keysweep_tests::conformance::keysweep_binary;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

use super::dashboards::targets;
use super::files::{CONFIGURATION, DASHBOARDS, RULES, alerts, dashboard, prometheus, read, rules};
use super::promql::Expression;

/// Time for all data to be there. It takes some 20 s on two cores that do nothing else.
const LIMIT: Duration = Duration::from_secs(150);
/// How often what has not returned data is asked again.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// Alerts that the demo has no reason for, and why. The series that they look at have to be there all the same.
const QUIET: [(&str, &[&str]); 8] = [
    ("the demo runs, and is scraped", &["KeysweepDown", "KeysweepAbsent", "KeysweepRestarting"]),
    (
        "its configuration, its disk and its journal are well",
        &[
            "KeysweepConfigReloadFailed",
            "KeysweepJournalFailing",
            "KeysweepStoreFailing",
            "KeysweepBackupStale",
            "KeysweepEvidenceFull",
            "KeysweepErrorsLogged",
        ],
    ),
    (
        "it sweeps without end, and the policy time of its sweeps is ahead of Prometheus's",
        &[
            "KeysweepSweepStalled",
            "KeysweepNeverSwept",
            "KeysweepSweepsFailing",
            "KeysweepSweepSlow",
            "KeysweepApprovalStuck",
            "KeysweepNoticesDelayed",
        ],
    ),
    (
        "AWS is well there, but for one account",
        &[
            "KeysweepCoverageLow",
            "KeysweepUnknownKeys",
            "KeysweepKeysOutOfReach",
            "KeysweepEvidenceMissing",
            "KeysweepAwsFailing",
            "KeysweepActionsFailing",
            "KeysweepActionUnclear",
            "KeysweepQuarantineNotEnded",
        ],
    ),
    ("every rule there names what exists", &["KeysweepRuleWithoutEffect"]),
    ("failures of every kind are counted from zero, and none is of this kind", &["KeysweepAwsThrottled"]),
    ("a key that was deactivated is woken there, and not used", &["KeysweepDeactivatedKeyInUse"]),
    (
        "they come and go with the caps, the pause of a new data_dir and the number of keys",
        &["KeysweepKeysOverdue", "KeysweepStaleKeys", "KeysweepPausedTooLong", "KeysweepBreakerOpen"],
    ),
];

/// An expression that has to return data.
struct Question {
    place: String,
    expr: String,
}

fn questions() -> Vec<Question> {
    let quiet: BTreeSet<&str> = QUIET.iter().flat_map(|(_, alerts)| *alerts).copied().collect();
    let mut questions = Vec::new();
    for rule in rules() {
        let (place, expr) = (rule.alert.or(rule.record).unwrap(), rule.expr);
        if quiet.contains(place.as_str()) {
            for selector in Expression::parse(&expr).selectors {
                questions.push(Question { place: place.clone(), expr: selector.text });
            }
        } else {
            questions.push(Question { place, expr });
        }
    }
    for target in DASHBOARDS.iter().flat_map(|name| targets(&dashboard(name))) {
        questions.push(Question { expr: target.filled_in(), place: target.place });
    }
    questions
}

#[test]
fn alerts_without_a_reason_in_the_demo_exist_and_are_listed_once() {
    let known = alerts();
    let mut seen = BTreeSet::new();
    for name in QUIET.iter().flat_map(|(_, alerts)| *alerts) {
        assert!(known.contains_key(*name) && seen.insert(name), "{name}");
    }
    assert!(known.len() > seen.len());
}

#[tokio::test]
async fn every_expression_returns_data_from_a_prometheus_that_scrapes_the_demo() {
    let mut readers = JoinSet::new();
    let (_demo, _folder, target) = mk_demo(&mut readers).await;
    let prometheus = Prometheus::start(&target, &mut readers).await;
    let mut open = questions();
    assert!(open.len() > 100);
    let all_answered = async {
        let mut rounds = interval(ASK_EVERY);
        while !open.is_empty() {
            rounds.tick().await;
            let mut left = Vec::new();
            for question in std::mem::take(&mut open) {
                if !prometheus.has_data(&question).await {
                    left.push(question);
                }
            }
            open = left;
        }
    };
    if timeout(LIMIT, all_answered).await.is_err() {
        let told = open.iter().map(|question| format!("{}: {}\n", question.place, question.expr));
        panic!("no data for\n{}", told.collect::<String>());
    }
    prometheus.evaluates_every_rule().await;
}

/// A demo, the folder for its temporary files, and the address of its metrics.
async fn mk_demo(readers: &mut JoinSet<()>) -> (Child, TempDir, String) {
    let folder = TempDir::with_prefix("demo-").unwrap();
    let mut demo = Command::new(keysweep_binary().await.unwrap())
        .arg("demo")
        .env("TMPDIR", folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let line = until(BufReader::new(demo.stdout.take().unwrap()), "metrics: http://", readers).await;
    let address = line.split("http://").nth(1).unwrap().trim_end_matches("/metrics").to_owned();
    (demo, folder, address)
}

/// Reads on until a line holds this text, and lets what comes after it pass.
async fn until(
    reader: impl AsyncBufRead + Unpin + Send + 'static,
    text: &str,
    readers: &mut JoinSet<()>,
) -> String {
    let mut lines = reader.lines();
    let mut said = Vec::new();
    let reading = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            said.push(line.clone());
            if line.contains(text) {
                return Some(line);
            }
        }
        None
    };
    let found = timeout(LIMIT, reading).await.unwrap_or_default();
    let line = found.unwrap_or_else(|| panic!("never said {text:?}:\n{}", said.join("\n")));
    // A full pipe would stop the process.
    readers.spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    line
}

/// A Prometheus with the rules, and with the configuration of the documentation but for its times and its target.
struct Prometheus {
    _process: Child,
    _folder: TempDir,
    address: String,
}

impl Prometheus {
    async fn start(target: &str, readers: &mut JoinSet<()>) -> Self {
        let folder = TempDir::with_prefix("prometheus-").unwrap();
        for name in RULES {
            fs::copy(prometheus().join(name), folder.path().join(name)).unwrap();
        }
        let text = read(&prometheus().join(CONFIGURATION));
        let hurried = text.replace("_interval: 30s", "_interval: 1s").replace("127.0.0.1:9853", target);
        assert!(hurried.contains("_interval: 1s") && hurried.contains(target), "{text}");
        fs::write(folder.path().join(CONFIGURATION), hurried).unwrap();
        let mut process = Command::new("prometheus")
            .current_dir(folder.path())
            .arg(format!("--config.file={CONFIGURATION}"))
            .args(["--storage.tsdb.path=data", "--web.listen-address=127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("prometheus runs: on Debian `apt-get install prometheus`");
        // It says so twice: first with the port that was asked for, then with the one that it got.
        let line =
            until(BufReader::new(process.stderr.take().unwrap()), "msg=\"Listening on\"", readers).await;
        let address = line.rsplit_once("address=").unwrap().1.trim().to_owned();
        Self { _process: process, _folder: folder, address }
    }

    /// Whether an expression returns anything that is a number.
    async fn has_data(&self, question: &Question) -> bool {
        let query: String = form_urlencoded::byte_serialize(question.expr.as_bytes()).collect();
        let answer = self.get(&format!("/api/v1/query?query={query}")).await;
        let told = || format!("{}: {}\n{answer}", question.place, question.expr);
        // It answers before it is ready.
        if answer.is_null() {
            return false;
        }
        assert_eq!(answer["status"], "success", "{}", told());
        assert!(answer["warnings"].is_null(), "{}", told());
        let results = answer["data"]["result"].as_array().unwrap_or_else(|| panic!("{}", told()));
        results.iter().any(|result| result["value"][1] != "NaN")
    }

    async fn evaluates_every_rule(&self) {
        let answer = self.get("/api/v1/rules").await;
        let groups = answer["data"]["groups"].as_array().unwrap();
        let evaluated: Vec<&Value> =
            groups.iter().flat_map(|group| group["rules"].as_array().unwrap()).collect();
        assert_eq!(evaluated.len(), rules().len());
        for rule in evaluated {
            assert_eq!(rule["health"], "ok", "{rule}");
        }
    }

    /// The answer as JSON, or null if it is none.
    async fn get(&self, path: &str) -> Value {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        // HTTP/1.0: one answer, in one piece, until the end.
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap_or_default()
    }
}
