//! The API: the same operations on every listener, which decides only how it is proven who asks.

use keysweep::socket;
use keysweep::token::Role;
use keysweep_api::{Done, Pause, ShowBreaker, ShowKey, ShowPlan};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;

use crate::http::stage::{Answer, Running, Stage, exchange, mk_token, post, post_as, request, with_token};

const LOOKER: &str = "keysweep_token_looker";
const BOSS: &str = "keysweep_token_boss";
const KEY: &str = "AKIAIOSFODNN7EXAMPLE";

fn mk_tokens() -> String {
    mk_token("looker", Role::Viewer, LOOKER) + &mk_token("boss", Role::Operator, BOSS)
}

/// Checks a refusal: status, code, and words.
fn refuses(answer: &Answer, status: u16, code: &str, words: &str) {
    answer.is(status, words);
    assert_eq!(answer.header("content-type").as_deref(), Some("application/problem+json"), "{answer:?}");
    let problem: Value = serde_json::from_str(answer.body()).unwrap();
    assert_eq!((&problem["status"], &problem["code"]), (&json!(status), &json!(code)), "{answer:?}");
}

/// Who paused, in the order of the pauses.
fn pausers(running: &Running) -> Vec<String> {
    let engine = running.daemon.engine();
    engine.store().read(|state| state.control().pauses.iter().map(|pause| pause.by.to_string()).collect())
}

async fn over_socket(stage: &Stage, request: &str) -> Answer {
    let path = socket::path(stage.company().data_dir.path());
    exchange(UnixStream::connect(path).await.unwrap(), request.as_bytes()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_operation_is_the_same_on_the_socket_and_on_an_address() {
    let stage = Stage::new();
    let running = stage.daemon("127.0.0.1", &mk_token("boss", Role::Operator, BOSS)).await;
    let pause = r#"{"reason":"release day"}"#;
    running.ask(&post("/api/v1/pause", BOSS, pause)).await.is(200, "undo still works");
    let headers = &[("content-type", "application/json; charset=utf-8")];
    over_socket(&stage, &post_as("/api/v1/pause", headers, pause)).await.is(200, "undo still works");
    assert_eq!(pausers(&running), ["token boss".to_owned(), socket::own_actor().to_string()]);

    let looked = [
        running.ask(&request("GET", "/api/v1/breaker", &[])).await,
        over_socket(&stage, &request("GET", "/api/v1/breaker", &[])).await,
    ];
    looked.iter().for_each(|answer| answer.is(200, r#""open":null"#));
    assert_eq!(looked[0].body(), looked[1].body());
    // So do the page, the metrics, and health.
    over_socket(&stage, &request("GET", "/-/healthy", &[])).await.is(200, "keysweep works");
    over_socket(&stage, &request("GET", "/", &[])).await.is(200, "<html");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_speaks_what_the_daemon_serves() {
    let stage = Stage::new();
    let running = stage.daemon("127.0.0.1", "").await;
    let path = socket::path(stage.company().data_dir.path());
    let done =
        socket::ask(&path, &Pause { reason: "a \u{201c}quote\u{201d}".into() }).await.unwrap().unwrap();
    let Done { message } = done.unwrap();
    assert!(message.starts_with("paused"), "{message}");
    let breaker = socket::ask(&path, &ShowBreaker {}).await.unwrap().unwrap().unwrap();
    assert_eq!(breaker.count, 0);
    let unknown = socket::ask(&path, &ShowKey { key: KEY.parse().unwrap() }).await.unwrap().unwrap();
    let refusal = unknown.unwrap_err();
    assert_eq!((refusal.status().as_u16(), refusal.exit_code()), (404, 1), "{refusal}");
    assert!(socket::ask(&path, &ShowPlan {}).await.unwrap().unwrap().is_ok());
    running.stop().await;
    assert!(socket::ask(&path, &ShowBreaker {}).await.unwrap().is_none(), "nobody listens any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn deciding_takes_the_token_of_an_operator_on_every_address() {
    let stage = Stage::new();
    let running = stage.daemon("127.0.0.1", &mk_tokens()).await;
    let (paths, body) = (decisions(), r#"{"reason":"x"}"#);
    for path in &paths {
        let json = &[("content-type", "application/json")];
        let nobody = running.ask(&post_as(path, json, body)).await;
        refuses(&nobody, 401, "unauthenticated", "Authentication required");
        assert_eq!(nobody.header("www-authenticate").as_deref(), Some("Bearer realm=\"keysweep\""));
        refuses(
            &running.ask(&post(path, LOOKER, body)).await,
            403,
            "forbidden",
            "token looker has the role viewer",
        );
        let boss = format!("Bearer {BOSS}");
        let site = &[
            ("authorization", boss.as_str()),
            ("content-type", "application/json"),
            ("origin", "https://evil.example"),
        ];
        refuses(
            &running.ask(&post_as(path, site, body)).await,
            403,
            "forbidden",
            "Cross-site requests are refused",
        );
        let form = &[("authorization", boss.as_str()), ("content-type", "text/plain")];
        refuses(&running.ask(&post_as(path, form, body)).await, 400, "malformed", "Content-Type");
    }
    assert!(pausers(&running).is_empty(), "nothing was decided");
    for path in looks() {
        refuses(
            &running.ask(&request("GET", &path, &[])).await,
            401,
            "unauthenticated",
            "Authentication required",
        );
    }
    // It names files of this machine.
    let bytes = running.ask(&with_token("GET", "/api/v1/journal/bytes", LOOKER)).await;
    refuses(&bytes, 403, "forbidden", "requires the role operator");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_understood_is_refused_in_one_form() {
    let stage = Stage::new();
    let running = stage.daemon("127.0.0.1", &mk_token("boss", Role::Operator, BOSS)).await;
    let decisions = format!("/api/v1/keys/{KEY}/decisions");
    let delete_another =
        r#"{"decision":{"kind":"delete","confirm":"AKIAI44QH8DHBEXAMPLE"},"reason":"x"}"#.to_owned();
    let by_number =
        r#"{"decision":{"kind":"approve","action":"delete","request":"3"},"reason":"x"}"#.to_owned();
    let long = format!(r#"{{"reason":"{}"}}"#, "x".repeat(100_000));
    for (path, body, status, code, words) in [
        ("/api/v1/pause", "{}", 400, "malformed", "missing field `reason`"),
        ("/api/v1/pause", "", 400, "malformed", "pause: EOF"),
        ("/api/v1/pause", r#"{"reason":" "}"#, 400, "malformed", "expected a reason"),
        ("/api/v1/pause", r#"{"reason":"two\nlines"}"#, 400, "malformed", "one line of text"),
        ("/api/v1/pause", r#"{"reason":"x","until":3}"#, 400, "malformed", "unknown field `until`"),
        ("/api/v1/pause?reason=x", "{}", 400, "malformed", "no query"),
        ("/api/v1/pause", &long, 413, "too_large", "length limit exceeded"),
        ("/api/v1/pause", r#"{"reason":"x","reason":"y"}"#, 400, "malformed", "`reason` is given twice"),
        (
            "/api/v1/keys/AKIA/decisions",
            r#"{"decision":{"kind":"hold"},"reason":"x"}"#,
            400,
            "malformed",
            "AKIA",
        ),
        (&decisions, r#"{"decision":{"kind":"explode"},"reason":"x"}"#, 400, "malformed", "`explode`"),
        (&decisions, r#"{"decision":{"kind":"hold","for":"3d"},"reason":"x"}"#, 400, "malformed", "`for`"),
        (&decisions, &delete_another, 400, "malformed", "`confirm` names AKIAI44QH8DHBEXAMPLE"),
        (&decisions, &by_number, 400, "malformed", "has no hash"),
        (&decisions, r#"{"decision":{"kind":"hold"},"reason":"x"}"#, 404, "not_found", "unknown key"),
        ("/api/v1/elsewhere", "{}", 404, "not_found", "no operation at /api/v1/elsewhere"),
        ("/api/v1/plan", "{}", 405, "not_allowed", "POST is not possible here"),
    ] {
        refuses(&running.ask(&post(path, BOSS, body)).await, status, code, words);
    }
    let query = running.ask(&request("GET", "/api/v1/keys?state=flagged", &[])).await;
    refuses(&query, 400, "malformed", "unknown field `state`");
    let body = running.ask("GET /api/v1/keys HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n").await;
    refuses(&body, 400, "malformed", "takes no body");
    let image = running.ask(&request("GET", "/api/v1/keys", &[("sec-fetch-site", "cross-site")])).await;
    refuses(&image, 403, "forbidden", "Cross-site requests are refused");
    let host =
        running.ask("GET /api/v1/keys HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n").await;
    refuses(&host, 403, "forbidden", "by the name localhost");
    running.stop().await;
}

/// The document that clients are made from.
fn openapi() -> Value {
    keysweep_api::openapi("0")
}

/// Paths of the document with this verb, with values for their parameters.
fn paths_of(verb: &str) -> Vec<String> {
    let document = openapi();
    let paths = document["paths"].as_object().unwrap();
    let with_verb = paths.iter().filter(|(_, operations)| operations.get(verb).is_some());
    let filled =
        |path: &str| path.replace("{key}", KEY).replace("{account}", "111122223333").replace("{id}", "1");
    let filled = |path: &str| filled(path).replace("{kind}", "deleted").replace("{message}", "1");
    with_verb.map(|(path, _)| filled(path)).collect()
}

fn decisions() -> Vec<String> {
    paths_of("post")
}

fn looks() -> Vec<String> {
    paths_of("get")
}

fn name_of<O: keysweep_api::Operation>() -> &'static str {
    O::NAME
}

#[tokio::test(flavor = "multi_thread")]
async fn every_path_of_the_document_is_served_and_no_other() {
    let stage = Stage::new();
    let running = stage.daemon("127.0.0.1", &mk_token("boss", Role::Operator, BOSS)).await;
    let served = running.ask(&request("GET", "/api/v1/openapi.json", &[])).await;
    let served: Value = serde_json::from_str(served.body()).unwrap();
    assert_eq!(served["paths"], openapi()["paths"]);
    for path in looks() {
        let answer = running.ask(&with_token("GET", &path, BOSS)).await;
        let statuses: &[u16] = match path.as_str() {
            // Nothing is known of it.
            path if path.contains(KEY) => &[404],
            // Whether the first sweep has ended is not known.
            "/api/v1/plan" => &[200, 503],
            _ => &[200],
        };
        assert!(statuses.contains(&answer.status()), "{path}: {answer:?}");
        assert!(!answer.body().contains("no operation"), "{path}: {answer:?}");
    }
    for path in decisions() {
        let answer = running.ask(&post(&path, BOSS, r#"{"nonsense":1}"#)).await;
        refuses(&answer, 400, "malformed", "nonsense");
    }
    let operations = keysweep_api::operations!(name_of, name_of);
    assert_eq!(looks().len() + decisions().len(), operations.len(), "as many as there are operations");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_nobody_looks_without_a_token() {
    let stage = Stage::new();
    let public = "http.public_url = \"https://keysweep.example\"\n".to_owned();
    let running = stage.daemon("127.0.0.1", &(public + &mk_token("boss", Role::Operator, BOSS))).await;
    // Not every proxy says that it is one.
    for path in ["/", "/api/v1/keys", "/api/v1/openapi.json"] {
        running.ask(&request("GET", path, &[])).await.is(401, "Authentication required");
        running.ask(&with_token("GET", path, BOSS)).await.is(200, "");
    }
    // Metrics name accounts: who reaches the proxy is not who reaches the listener.
    let public = "GET /metrics HTTP/1.1\r\nhost: keysweep.example\r\nconnection: close\r\n";
    running.ask(&format!("{public}\r\n")).await.is(401, "Authentication required");
    let token = format!("authorization: Bearer {BOSS}\r\n");
    running.ask(&format!("{public}{token}\r\n")).await.is(200, "keysweep_build_info");
    running.ask(&request("GET", "/metrics", &[])).await.is(200, "keysweep_build_info");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn half_a_request_on_the_socket_does_not_keep_the_daemon_from_stopping() {
    let stage = Stage::new();
    let running = stage.daemon("127.0.0.1", "").await;
    let path = socket::path(stage.company().data_dir.path());
    let mut stuck = UnixStream::connect(&path).await.unwrap();
    stuck.write_all(b"GET /api/v1/ke").await.unwrap();
    let idle = UnixStream::connect(&path).await.unwrap();
    over_socket(&stage, &request("GET", "/-/healthy", &[])).await.is(200, "keysweep works");
    running.stop().await;
    assert!(!path.exists());
    drop((stuck, idle));
}
