//! No secret reaches a log, the journal, a record, an answer, an error or a metric (promise P12): the real program is
//! made to say everything it can, and everything it says is searched for secrets that it was given.

mod chain;
mod heard;
mod program;
mod search;

use std::time::Duration;

use heard::Heard;
use keysweep_sim::{Fault, Rule};
use program::{Site, ask, get};
use search::TOKEN;

/// Formats of what commands print.
const FORMATS: [&str; 4] = ["table", "json", "jsonl", "csv"];

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_and_every_command_tell_no_secret() {
    let site = Site::new("text").await;
    let mut heard = Heard::default();
    for format in FORMATS {
        heard.ran(site.run(&["scan", "-vv", "--format", format]).await);
    }
    let mut daemon = site.daemon().await;
    let address = daemon.serves_at().await;
    daemon.says("sweep finished").await;
    assert!(daemon.no_core_dumps(), "a core dump would hold every secret");
    decide(&site, &mut heard).await;
    for command in [
        &["plan"][..],
        &["doctor"],
        &["keys", "list"],
        &["keys", "show", &site.key],
        &["keys", "show", &site.refused],
        &["journal", "tail"],
    ] {
        for format in FORMATS {
            heard.ran(site.run(&[command, &["--format", format]].concat()).await);
        }
    }
    for path in ["/", "/metrics", "/-/healthy", "/-/ready", "/nothing"] {
        heard.note(path, get(&address, path).await);
    }
    reload(&site, &address, &mut heard).await;
    let log = daemon.ends().await;
    assert!(log.contains("by=\"token dana\""), "{log}");
    heard.note("log of the daemon", log);

    for command in [
        &["journal", "export"][..],
        &["journal", "verify"],
        &["state", "rebuild"],
        &["keys", "list"],
        &["config", "check"],
        &["config", "show"],
        &["config", "show", "--format", "json"],
        &["config", "show", "--format", "table"],
        &["config", "show", "--format", "csv"],
        &["--set", "role.external_id=canary", "config", "check"],
        &["--set", &format!("http.token={TOKEN}"), "config", "check"],
        &["--set", &format!("http.listen={TOKEN}"), "config", "show"],
        &[
            "--set",
            &format!("http.token=[{{ name = \"a\", role = \"{TOKEN}\", sha256 = \"{TOKEN}\" }}]"),
            "config",
            "check",
        ],
        &["--set", &format!("policy.mode={TOKEN}"), "scan"],
        &["--set", "scan.interval=never", "config", "show"],
        &["iam", "hub"],
        &["iam", "scan"],
        &["iam", "enforce"],
        &["--help"],
    ] {
        heard.ran(site.run(&[command, &["-vv"]].concat()).await);
    }
    judge(&site, heard).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_logs_json_tells_no_secret() {
    let site = Site::new("json").await;
    let mut heard = Heard::default();
    let mut daemon = site.daemon().await;
    let address = daemon.serves_at().await;
    daemon.says("sweep finished").await;
    decide(&site, &mut heard).await;
    heard.note("metrics", get(&address, "/metrics").await);
    reload(&site, &address, &mut heard).await;
    let log = daemon.ends().await;
    assert!(log.contains("\"by\":\"token dana\""), "{log}");
    heard.note("log of the daemon", log);
    judge(&site, heard).await;
}

/// Reloads as the owner of a token, well and badly, and as somebody who sends it in every wrong way.
async fn reload(site: &Site, address: &str, heard: &mut Heard) {
    let right = format!("authorization: Bearer {TOKEN}\r\n");
    for (headers, status) in [
        (right.clone(), "200"),
        (right.repeat(2), "400"),
        (format!("authorization: Bearer {TOKEN}0\r\n"), "401"),
        (format!("authorization: Bearer {TOKEN}\"\r\n"), "400"),
        (format!("authorization: Basic {TOKEN}\r\n"), "401"),
        (format!("cookie: token={TOKEN}\r\n"), "401"),
        (format!("{right}origin: https://{TOKEN}\r\n"), "403"),
        (format!("{right}sec-fetch-site: cross-site\r\n"), "403"),
    ] {
        let answer = ask(address, "POST", "/-/reload", &headers).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {answer}");
        heard.note("a reload", answer);
    }
    let good = site.configuration();
    site.configure(&format!("{good}[limits]\nsurge = \"{TOKEN}\"\n"));
    let refused = ask(address, "POST", "/-/reload", &right).await;
    assert!(refused.starts_with("HTTP/1.1 422 "), "{refused}");
    heard.note("a refused reload", refused);
    site.configure(&good);
    heard.note("a last reload", ask(address, "POST", "/-/reload", &right).await);
}

/// Everything that an operator decides; some of it is refused, by us and by AWS.
async fn decide(site: &Site, heard: &mut Heard) {
    let key = site.key.as_str();
    for command in [
        &["keys", "deactivate", key, "--reason", "by name"][..],
        &["keys", "reactivate", key],
        &["keys", "hold", key, "--reason", "wait"],
        &["keys", "release", key, "--reason", "go on"],
        // AWS repeats what was sent, and the refusal is journaled.
        &["keys", "deactivate", &site.refused, "--reason", "by name"],
        &["keys", "approve", key, "--reason", "nobody asked"],
        &["pause", "--reason", "freeze"],
        &["resume", "--reason", "go on"],
        &["breaker", "reset"],
    ] {
        heard.ran(site.run(&[command, &["-vv"]].concat()).await);
    }
}

/// Adds what is left on disk, and a scan whose credentials AWS does not take; then searches everything.
async fn judge(site: &Site, mut heard: Heard) {
    site.sim.fault(Rule::new(Fault::Echo { status: 403, code: "SignatureDoesNotMatch".into() }));
    heard.ran(site.run(&["scan", "-vv"]).await);
    heard.files(&site.data());
    assert!(site.mistakes_were_made(), "not every failing call came to pass");
    heard.holds(&[&site.key, "sweep finished", "keysweep_keys", "SignatureDoesNotMatch", "InternalFailure"]);
    heard.assert_no_secret();
}

/// The one output that holds a secret because it is asked for it: the trust policy, which has to hold the external ID.
#[tokio::test(flavor = "multi_thread")]
async fn only_a_trust_policy_holds_the_external_id_and_nothing_else() {
    let site = Site::new("text").await;
    let hub = "arn:aws:iam::100000000000:role/keysweep-hub";
    let ran = site.run(&["iam", "scan", "--trust", hub, "-vv"]).await;
    assert!(ran.stdout.contains(search::EXTERNAL_ID));
    let mut heard = Heard::default();
    heard.note("messages", ran.stderr);
    heard.note("policy", ran.stdout.replace(search::EXTERNAL_ID, ""));
    heard.holds(&["sts:ExternalId"]);
    heard.assert_no_secret();
}

/// The demo has credentials too, though nothing is behind them.
#[tokio::test(flavor = "multi_thread")]
async fn the_demo_tells_no_secret() {
    let (said, files) = program::demo(Duration::from_secs(12)).await;
    let mut heard = Heard::default();
    heard.note("demo", said);
    for (path, bytes) in files {
        heard.note(&path, bytes);
    }
    heard.holds(&["keysweep", "sweep_finished"]);
    heard.assert_no_secret();
}
