//! The program against the simulator over loopback: exit codes, a daemon and its commands, signals, nonsense.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use keysweep_tests::site::{Daemon, Site};
use rustix::process::Signal;
use tokio::net::UnixDatagram;
use tokio::time::timeout;

const PROD: &str = "111122223333";

/// A site with one stale key.
async fn mk_site(toml: &str) -> (Site, String) {
    let site = Site::new(toml).await;
    site.account(PROD);
    let stale = site.stale_key(PROD, "svc-old");
    site.sim.make_reports();
    (site, stale)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_says_by_its_exit_code_what_it_found() {
    let (site, stale) = mk_site("").await;
    let (code, data, _) = site.run(&["scan", "--format", "csv"]).await;
    assert_eq!(code, 0);
    assert!(data.contains(&stale), "{data}");
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
    let (site, _) = mk_site("").await;
    let (code, _, messages) = site.run(&["--set", "aws.allow_endpoint_override=false", "scan"]).await;
    assert_eq!(code, 1);
    assert!(
        messages.contains("AWS_ENDPOINT_URL") && messages.contains("allow_endpoint_override"),
        "{messages}"
    );
    assert_eq!(site.sim.total_calls(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_shows_the_request_first_and_can_name_it() {
    let toml = "[notices]\nrequired = false\n[policy]\nmode = \"deactivate\"\napproval = \"deactivate\"\napprovals_needed = 2\n";
    let (site, stale) = mk_site(toml).await;
    let mut daemon = site.daemon();
    daemon.says("sweep finished").await;
    let other = site.stale_key(PROD, "svc-older");
    site.sim.make_reports();
    assert_eq!(site.run(&["resume", "--reason", "the story begins"]).await.0, 0);
    daemon.says("sweep finished").await;

    let (code, table, _) = site.run(&["approvals", "list"]).await;
    assert_eq!(code, 0);
    assert!(table.contains(&stale) && table.contains("0 of 2"), "{table}");
    // The command looks, and then decides.
    let approve = ["keys", "approve", &stale, "--action", "deactivate", "--reason", "looked"];
    let (code, _, messages) = site.run(&approve).await;
    assert_eq!(code, 0, "{messages}");
    assert!(messages.contains("1 of 2 approvals"), "{messages}");
    let (code, _, messages) = site.run(&approve).await;
    assert_eq!(code, 1);
    assert!(messages.contains("2 different people have to approve"), "{messages}");

    let (_, csv, _) = site.run(&["approvals", "list", "--format", "json"]).await;
    let listed: serde_json::Value = serde_json::from_str(&csv).unwrap();
    let request = listed["approvals"][0]["approval"]["request"].as_str().unwrap();
    assert_eq!(listed["approvals"][0]["approval"]["approved_by"].as_array().unwrap().len(), 1);
    let (code, _, messages) =
        site.run(&["approvals", "deny", "999999", request, "999998", "--reason", "needed"]).await;
    assert_eq!(code, 1);
    assert!(
        messages.contains("no request 999999 is pending") && messages.contains("no request 999998"),
        "{messages}"
    );
    assert!(
        messages.contains("denied the deactivation of"),
        "one that is not there keeps none from its decision: {messages}"
    );
    let (_, table, _) = site.run(&["approvals", "list"]).await;
    assert!(!table.contains(&stale), "{table}");
    assert_eq!(site.sim.key_status(&other).as_deref(), Some("Active"));
    daemon.signal(Signal::TERM);
    assert!(daemon.ends().await.0.success());
    // Without a daemon, too.
    let (code, _, messages) = site.run(&["approvals", "list"]).await;
    assert_eq!(code, 0, "{messages}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_is_asked_over_its_socket_reloads_and_drains() {
    let (site, stale) = mk_site("[notices]\nrequired = false\n").await;
    let mut daemon = site.daemon();
    daemon.says("sweep finished").await;

    let (code, _, messages) = site.run(&["run"]).await;
    assert_eq!(code, 1, "a second daemon");
    assert!(messages.contains("is in use by process"), "{messages}");

    let (code, data, _) = site.run(&["keys", "list", "--format", "json"]).await;
    assert_eq!(code, 0);
    let keys: serde_json::Value = serde_json::from_str(&data).unwrap();
    assert_eq!(keys["keys"][0]["access_key_id"], serde_json::json!(stale));
    assert_eq!(keys["keys"][0]["state"], "flagged");

    let order = ["keys", "deactivate", &stale, "--reason", "by name"];
    assert_eq!(site.run(&order).await.0, 0);
    assert_eq!(site.sim.key_status(&stale).as_deref(), Some("Inactive"));
    let delete = ["keys", "delete", &stale, "--reason", "too early", "--confirm", &stale];
    let (code, _, messages) = site.run(&delete).await;
    assert_eq!(code, 1);
    assert!(messages.contains("seen Inactive"), "{messages}");
    assert_eq!(site.run(&["pause", "--reason", "freeze"]).await.0, 0);
    assert_eq!(site.run(&["keys", "reactivate", &stale]).await.0, 0);
    assert_eq!(site.sim.key_status(&stale).as_deref(), Some("Active"));

    let file = site.at("keysweep.toml");
    let good = fs::read_to_string(&file).unwrap();
    fs::write(&file, good.replace("required = false", "required = maybe")).unwrap();
    daemon.signal(Signal::HUP);
    let line = daemon.says("configuration not reloaded").await;
    assert!(line.contains("SIGHUP"), "{line}");
    assert!(line.contains("notices.required") || line.contains("keysweep.toml"), "{line}");
    fs::write(&file, good).unwrap();
    daemon.signal(Signal::HUP);
    daemon.says("configuration unchanged").await;

    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends().await.0.code(), Some(0));
    let (code, data, _) = site.run(&["journal", "verify"]).await;
    assert_eq!(code, 0, "{data}");
    let (_, data, _) = site.run(&["keys", "show", &stale]).await;
    assert!(data.contains("reactivated by an operator"), "offline it is the same: {data}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_in_the_file_stands_before_no_undo_while_a_daemon_runs() {
    let (site, stale) = mk_site("[notices]\nrequired = false\n").await;
    let mut daemon = site.daemon();
    daemon.says("sweep finished").await;
    assert_eq!(site.run(&["keys", "deactivate", &stale, "--reason", "by name"]).await.0, 0);

    let file = site.at("keysweep.toml");
    let good = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("polcy = 1\n{good}")).unwrap();
    let (code, _, messages) = site.run(&["keys", "reactivate", &stale]).await;
    assert_eq!(code, 0, "{messages}");
    assert!(
        messages.contains("did you mean policy?") && messages.contains("keeps its current configuration"),
        "{messages}"
    );
    assert_eq!(site.sim.key_status(&stale).as_deref(), Some("Active"));
    for look in [&["plan"][..], &["journal", "verify"], &["state", "backup", site.at("b").to_str().unwrap()]]
    {
        let (code, _, messages) = site.run(look).await;
        assert_eq!(code, 0, "{look:?}: {messages}");
        assert!(messages.contains("polcy"), "{look:?}: {messages}");
    }

    // In what is no TOML nobody knows where the state is, unless it is said.
    fs::write(&file, format!("[policy\n{good}")).unwrap();
    let pause = ["pause", "--reason", "freeze"];
    assert_eq!(site.run(&pause).await.0, 2);
    let set = format!("data_dir={}", site.data_dir().display());
    let (code, _, messages) = site.run(&[&["--set", &set][..], &pause].concat()).await;
    assert_eq!(code, 0, "{messages}");

    fs::write(&file, &good).unwrap();
    let (_, _, messages) = site.run(&["--set", "policy.mode=delete", "plan"]).await;
    assert!(messages.contains("--set policy.mode is ignored"), "{messages}");
    daemon.signal(Signal::TERM);
    daemon.ends().await;
    fs::write(&file, format!("polcy = 1\n{good}")).unwrap();
    let (code, _, messages) = site.run(&["keys", "reactivate", &stale]).await;
    assert_eq!(code, 2, "without a daemon the file is what counts: {messages}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_killed_begins_again_where_it_was() {
    let (site, stale) = mk_site("[notices]\nrequired = false\n").await;
    let mut daemon = site.daemon();
    daemon.says("sweep finished").await;
    daemon.signal(Signal::KILL);
    assert_eq!(daemon.ends().await.0.signal(), Some(Signal::KILL.as_raw()));
    let mut daemon = site.daemon();
    daemon.says("sweep finished").await;
    let (code, data, _) = site.run(&["keys", "list", "--format", "csv"]).await;
    assert_eq!(code, 0);
    assert!(data.contains(&stale), "{data}");
    daemon.signal(Signal::INT);
    assert_eq!(daemon.ends().await.0.code(), Some(0));
    assert_eq!(site.run(&["journal", "verify"]).await.0, 0);
}

/// The next message to the service manager that holds this text.
async fn told(manager: &UnixDatagram, text: &str) -> String {
    let mut buffer = vec![0; 4096];
    loop {
        let received = timeout(Duration::from_secs(120), manager.recv(&mut buffer)).await;
        let length = received.unwrap_or_else(|_| panic!("{text:?} was never told")).unwrap();
        let message = String::from_utf8(buffer[..length].to_vec()).unwrap();
        if message.contains(text) {
            return message;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_manager_is_told_of_start_work_reload_and_stop() {
    let (site, _) = mk_site("[notices]\nrequired = false\n").await;
    let manager = UnixDatagram::bind(site.at("manager")).unwrap();
    let mut command = site.command(&["run"]);
    command.env("NOTIFY_SOCKET", site.at("manager"));
    let mut daemon = Daemon::start(command);
    assert!(told(&manager, "STATUS=").await.contains("STATUS=opening "));
    assert!(told(&manager, "READY=1\n").await.contains("STATUS=observe"));
    daemon.says("sweep finished").await;
    let message = told(&manager, "STATUS=observe; next sweep at ").await;
    assert!(message.starts_with("WATCHDOG=1\n"), "{message}");
    assert!(message.contains("1 scanned, 0 failed"), "{message}");

    daemon.signal(Signal::HUP);
    assert!(told(&manager, "RELOADING=1\n").await.contains("\nMONOTONIC_USEC="));
    told(&manager, "READY=1\n").await;
    let file = site.at("keysweep.toml");
    fs::write(&file, "mode = ").unwrap();
    daemon.signal(Signal::HUP);
    told(&manager, "RELOADING=1\n").await;
    let message = told(&manager, "READY=1\n").await;
    assert!(message.contains("the previous one stays in effect"), "{message}");

    daemon.signal(Signal::TERM);
    told(&manager, "STOPPING=1\n").await;
    assert_eq!(daemon.ends().await.0.code(), Some(0));
}
