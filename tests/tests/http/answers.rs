//! Links in notices, followed by browsers, mail scanners, and people who should not have them.

use std::time::Duration;

use keysweep::access::Caller;
use keysweep::operator::act;
use keysweep::people::LinkMaker;
use keysweep_api::{Resume, Which};
use keysweep_core::state::Actor;
use keysweep_sim::KeySpec;
use keysweep_tests::letters::Received;
use tokio::time::sleep;

use crate::http::stage::{Answer, Running, Stage, mk_certificate, post_as, request, within_minutes};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

fn settings(stage: &Stage, rest: &str) -> String {
    let secret = stage.company().link_secret();
    format!(
        r#"
role.external_id_file = {external_id:?}
scan.report_max_age = "24h"
http.public_url = "https://keysweep.example.com"
[policy]
mode = "deactivate"
[owners]
default = "dana@example.com"
[notices]
notify = ["security@example.com"]
link_secret_file = {secret:?}
[notices.email]
host = "127.0.0.1"
security = "none"
from = "keysweep@example.com"
{rest}"#,
        external_id = stage.company().external_id(),
    )
}

/// A daemon that has notified the owner of a key, with the message.
async fn notified(stage: &Stage, listen: &str) -> (Running, Received) {
    let company = stage.company();
    company.account("111122223333");
    let used = KeySpec::new().created(company.days_ago(400)).used(company.days_ago(200), "s3", "us-east-1");
    company.sim.user("111122223333", "ci").key(used).add();
    let running = stage.daemon(listen, &settings(stage, "")).await;
    // Nobody is told anything while a new data_dir waits for an operator.
    let engine = running.daemon.engine();
    let swept = || async { engine.store().read(|state| state.control().last_sweep.is_some()) };
    assert!(within_minutes(swept).await);
    sleep(Duration::from_secs(60)).await;
    let letters = &company.letters;
    assert_eq!(letters.tried(), 0);
    let resume = Resume { which: Which::All(1), reason: "the list is right".into() };
    act(engine, &Caller::unrestricted(Actor::local("ada")), resume).await.unwrap();
    assert!(within_minutes(|| async { !letters.received().is_empty() }).await, "a message");
    let message = letters.received().remove(0);
    (running, message)
}

fn path(message: &Received, purpose: &str) -> String {
    let url = message.link(purpose).unwrap_or_else(|| panic!("{:#}", message.letter.json));
    let path = url.strip_prefix("https://keysweep.example.com").unwrap_or_else(|| panic!("{url}"));
    assert!(path.starts_with("/answer/"), "{url}");
    path.to_owned()
}

fn holds(running: &Running) -> usize {
    running.daemon.engine().store().read(|state| state.records().map(|record| record.holds.len()).sum())
}

async fn get(running: &Running, path: &str) -> Answer {
    running.ask(&request("GET", path, &[])).await
}

async fn send(running: &Running, path: &str, body: &str) -> Answer {
    running.ask(&post_as(path, &[FORM], body)).await
}

#[tokio::test(start_paused = true)]
async fn a_link_asks_before_it_does_anything() {
    let stage = Stage::new();
    let (running, message) = notified(&stage, "127.0.0.1").await;
    let needed = path(&message, "still_needed");
    for _ in 0..3 {
        // A mail scanner follows every link.
        let page = get(&running, &needed).await;
        page.is(200, "<form method=\"post\">");
        page.is(200, "account-111122223333 (111122223333)");
        assert_eq!(page.header("referrer-policy").as_deref(), Some("no-referrer"));
        let policy = page.header("content-security-policy").unwrap();
        assert!(
            policy.contains("form-action 'self'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert_eq!(page.header("cache-control").as_deref(), Some("no-store"));
    }
    assert_eq!(holds(&running), 0);
    send(&running, &needed, "days=7&reason=").await.is(400, "Enter what the key is needed for");
    send(&running, &needed, "days=7&reason=%00").await.is(400, "Enter what the key is needed for");
    assert_eq!(holds(&running), 0);
    send(&running, &needed, "days=7&reason=year-end+%3Cb%3Ejob").await.is(200, "on hold until");
    assert_eq!(holds(&running), 1);
    let shown = get(&running, &path(&message, "show")).await;
    shown.is(200, "year-end &#60;b&#62;job");
    assert!(!shown.body().contains("<form"), "{shown:?}");
    send(&running, &path(&message, "show"), "").await.is(400, "only shows the key");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn forged_links_and_cross_site_requests_are_refused() {
    let stage = Stage::new();
    let (running, message) = notified(&stage, "127.0.0.1").await;
    let needed = path(&message, "still_needed");
    let (start, end) = needed.split_at(needed.len() - 12);
    let forged = format!("{start}{}", end.chars().rev().collect::<String>());
    for wrong in [&forged, "/answer/", "/answer/x", "/answer/%2e%2e%2f", &format!("{needed}A")] {
        get(&running, wrong).await.is(404, "");
        send(&running, wrong, "reason=x").await.is(404, "");
    }
    let cross_site = post_as(&needed, &[FORM, ("sec-fetch-site", "cross-site")], "reason=x");
    running.ask(&cross_site).await.is(403, "");
    let from_elsewhere = post_as(&needed, &[FORM, ("origin", "https://evil.example")], "reason=x");
    running.ask(&from_elsewhere).await.is(403, "");
    assert_eq!(holds(&running), 0);
    // What a browser sends from the page itself.
    let own = post_as(
        &needed,
        &[FORM, ("sec-fetch-site", "same-origin"), ("origin", "https://keysweep.example.com")],
        "reason=ours",
    );
    running.ask(&own).await.is(200, "on hold until");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn another_secret_revokes_every_link() {
    let stage = Stage::new();
    let (running, message) = notified(&stage, "127.0.0.1").await;
    let needed = path(&message, "still_needed");
    get(&running, &needed).await.is(200, "Keep an access key");
    std::fs::write(stage.at("another-secret"), "another secret that is long enough").unwrap();
    let secret = format!("{:?}", stage.company().link_secret());
    let rotated = settings(&stage, "").replace(&secret, &format!("{:?}", stage.at("another-secret")));
    stage.configure("127.0.0.1", &rotated);
    running.daemon.reload();
    assert!(within_minutes(|| async { get(&running, &needed).await.status() == 404 }).await);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn links_are_answered_over_https_or_on_this_machine_only() {
    let stage = Stage::new();
    let made = mk_certificate();
    stage.put(&made.cert, &made.key);
    let (running, message) = notified(&stage, "127.0.0.1").await;
    let needed = path(&message, "still_needed");
    running.stop().await;
    let plain = stage.daemon("0.0.0.0", &settings(&stage, "")).await;
    get(&plain, &needed).await.is(403, "https");
    send(&plain, &needed, "reason=x").await.is(403, "https");
    plain.stop().await;
    // A proxy that is trusted has received it over https.
    let trusting =
        settings(&stage, "").replace("[policy]", "http.trusted_proxies = [\"127.0.0.0/8\"]\n[policy]");
    let behind = stage.daemon("0.0.0.0", &trusting).await;
    let forwarded = request("GET", &needed, &[("x-forwarded-proto", "https")]);
    let public = forwarded.replace("host: localhost", "host: keysweep.example.com");
    behind.ask(&public).await.is(200, "Keep an access key");
    behind.ask(&forwarded).await.is(403, "https");
    behind.ask(&public.replace("proto: https", "proto: http")).await.is(403, "https");
    behind.stop().await;
    let safe = stage.daemon("0.0.0.0", &settings(&stage, &stage.tls())).await;
    made.ask(safe.address, &request("GET", &needed, &[])).await.is(200, "Keep an access key");
    safe.stop().await;
}

#[test]
fn debug_output_of_links_holds_no_secret() {
    let maker =
        LinkMaker::new(&"0123456789abcdef0123456789abcdef".to_owned().into(), "https://k.example.com");
    assert!(!format!("{maker:?}").contains("0123456789abcdef"));
}
