//! What each answer of Slack means. What the real API answers is proven elsewhere, by Slack's own clients.

use std::time::Duration;

use keysweep_notify::Failure;
use keysweep_notify::FailureKind::{Misconfigured, Rejected, Temporary};
use keysweep_notify::slack::{Posted, Slack, SlackMessage, SlackOptions};
use serde_json::{Value, json};

use crate::http_server::{HttpServer, Then, json as json_answer, status};

const TOKEN: &str = "xoxb-1234-t0ken";

fn options(port: u16) -> SlackOptions {
    let api_url = Some(format!("http://127.0.0.1:{port}/api/"));
    SlackOptions { token: TOKEN.into(), api_url, timeout: Duration::from_secs(20) }
}

fn mk_message() -> SlackMessage {
    SlackMessage {
        text: "Hello".to_owned(),
        blocks: vec![json!({ "type": "divider", "new": 1 })],
        thread: None,
    }
}

async fn answered(answer: &str, then: Then) -> Result<Posted, Failure> {
    let server = HttpServer::answering(answer, then).await;
    let outcome = Slack::new(options(server.port)).unwrap().post("U1", &mk_message()).await;
    if let Err(failure) = &outcome {
        assert!(!failure.detail.contains("t0ken"), "{failure}");
    }
    outcome
}

#[tokio::test]
async fn a_message_is_sent_as_it_is() {
    let answer = json_answer("200 OK", "", r#"{"ok":true,"channel":"D1","ts":"1.2"}"#);
    let server = HttpServer::answering(&answer, Then::Close).await;
    let slack = Slack::new(options(server.port)).unwrap();
    let message = SlackMessage { thread: Some("1.0".to_owned()), ..mk_message() };
    let posted = slack.post("U1", &message).await.unwrap();
    assert_eq!(posted, Posted { channel: "D1".to_owned(), ts: "1.2".to_owned() });
    slack.update(&posted, &mk_message()).await.unwrap();
    let requests = server.requests();
    let [post, update] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!(post.line, "POST /api/chat.postMessage HTTP/1.1");
    assert_eq!(post.headers.get("authorization").unwrap(), &format!("Bearer {TOKEN}"));
    let blocks = json!([{ "type": "divider", "new": 1 }]);
    let sent: Value = serde_json::from_slice(&post.body).unwrap();
    assert_eq!(
        sent,
        json!({ "channel": "U1", "text": "Hello", "blocks": blocks, "thread_ts": "1.0",
            "unfurl_links": false, "unfurl_media": false })
    );
    assert_eq!(update.line, "POST /api/chat.update HTTP/1.1");
    let sent: Value = serde_json::from_slice(&update.body).unwrap();
    assert_eq!(sent, json!({ "channel": "D1", "ts": "1.2", "text": "Hello", "blocks": blocks }));
}

#[tokio::test]
async fn codes_sort_into_kinds() {
    let cases = [
        (
            Misconfigured,
            vec!["invalid_auth", "account_inactive", "token_revoked", "missing_scope", "not_authed"],
        ),
        (
            Rejected,
            vec!["channel_not_found", "is_archived", "not_in_channel", "user_not_found", "msg_too_long"],
        ),
        (Rejected, vec!["invalid_blocks", "message_not_found", "cant_update_message"]),
        (Temporary, vec!["fatal_error", "internal_error", "service_unavailable", "ratelimited", "a_new_one"]),
    ];
    for (kind, codes) in cases {
        for code in codes {
            let body = json!({ "ok": false, "error": code }).to_string();
            let failure = answered(&json_answer("200 OK", "", &body), Then::Close).await.unwrap_err();
            assert_eq!(failure.kind, kind, "{code}");
            assert_eq!(failure.detail, format!("slack chat.postMessage: {code}"));
        }
    }
}

#[tokio::test]
async fn failures_say_what_is_needed_and_nothing_that_was_sent() {
    let body =
        json!({ "ok": false, "error": "missing_scope", "needed": "chat:write", "provided": "xoxb-t0ken" });
    let failure = answered(&json_answer("200 OK", "", &body.to_string()), Then::Close).await.unwrap_err();
    assert_eq!(failure.detail, "slack chat.postMessage: missing_scope (needs chat:write)");
    let messages = ["[ERROR] t0ken is invalid [json-pointer:/blocks/0/text]"];
    let body =
        json!({ "ok": false, "error": "invalid_blocks", "response_metadata": { "messages": messages } });
    let failure = answered(&json_answer("200 OK", "", &body.to_string()), Then::Close).await.unwrap_err();
    assert_eq!(failure.detail, "slack chat.postMessage: invalid_blocks (at /blocks/0/text)");
    let body = json!({ "ok": false, "error": TOKEN }).to_string();
    let failure = answered(&json_answer("200 OK", "", &body), Then::Close).await.unwrap_err();
    assert_eq!(failure.kind, Temporary);
    assert_eq!(failure.detail, "slack chat.postMessage: (an unknown code)");
}

#[tokio::test]
async fn an_unknown_address_is_no_failure() {
    for (code, expected) in [("users_not_found", Ok(None)), ("invalid_auth", Err(Misconfigured))] {
        let body = json!({ "ok": false, "error": code }).to_string();
        let server = HttpServer::answering(&json_answer("200 OK", "", &body), Then::Close).await;
        let found = Slack::new(options(server.port)).unwrap().user_by_email("a+b@example.com").await;
        assert_eq!(found.map_err(|failure| failure.kind), expected);
        let request = server.requests().remove(0);
        assert_eq!(request.line, "POST /api/users.lookupByEmail HTTP/1.1");
        assert_eq!(request.body, b"email=a%2Bb%40example.com");
    }
}

#[tokio::test]
async fn a_rate_limit_says_how_long_to_wait() {
    let body = r#"{"ok":false,"error":"ratelimited"}"#;
    let with_code = json_answer("429 Too Many Requests", "retry-after: 30\r\n", body);
    let without = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 30\r\ncontent-length: 0\r\n\r\n".to_owned();
    for answer in [with_code, without] {
        let failure = answered(&answer, Then::Close).await.unwrap_err();
        assert_eq!(
            (failure.kind, failure.retry_after),
            (Temporary, Some(Duration::from_secs(30))),
            "{failure}"
        );
    }
}

#[tokio::test]
async fn answers_that_are_not_slacks_are_told_apart() {
    let cases = [
        (status("503 Service Unavailable"), Then::Close, Temporary),
        (status("404 Not Found"), Then::Close, Misconfigured),
        (status("302 Found"), Then::Close, Misconfigured),
        (status("403 Forbidden"), Then::Close, Misconfigured),
        (status("200 OK"), Then::Close, Temporary),
        (json_answer("200 OK", "", "<html>"), Then::Close, Temporary),
        (json_answer("200 OK", "", "{}"), Then::Close, Temporary),
        (json_answer("200 OK", "", r#"{"ok":true}"#), Then::Close, Temporary),
        ("HTTP/1.1 200 OK\r\n\r\n".to_owned(), Then::Flood, Temporary),
        (
            json_answer("500 Internal Server Error", "", r#"{"ok":true,"channel":"D1","ts":"1"}"#),
            Then::Close,
            Temporary,
        ),
    ];
    for (answer, then, kind) in cases {
        let failure = answered(&answer, then).await.unwrap_err();
        assert_eq!(failure.kind, kind, "{answer}: {failure}");
        assert_eq!(then == Then::Flood, failure.detail.contains("is larger than"), "{failure}");
    }
}

#[tokio::test]
async fn a_silent_slack_is_given_up_after_the_timeout() {
    for answer in ["", "HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{"] {
        let server = HttpServer::answering(answer, Then::Hang).await;
        let options = SlackOptions { timeout: Duration::from_millis(200), ..options(server.port) };
        let failure = Slack::new(options).unwrap().check().await.unwrap_err();
        assert_eq!(failure.kind, Temporary);
        assert!(failure.detail.contains("no response within the timeout"), "{failure}");
    }
}

#[test]
fn options_that_cannot_work_are_refused() {
    for token in ["", " ", "xoxb t0ken", "xoxb-\nt0ken", "xoxb-tökén"] {
        let error = Slack::new(SlackOptions { token: token.into(), ..options(1) }).unwrap_err();
        assert!(!error.contains("xoxb"), "{error}");
    }
    for url in ["http://slack.example.com/api", "slack.com", "ftp://127.0.0.1/"] {
        assert!(Slack::new(SlackOptions { api_url: Some(url.to_owned()), ..options(1) }).is_err(), "{url}");
    }
    let slack = Slack::new(SlackOptions { api_url: None, ..options(1) }).unwrap();
    assert!(!format!("{:?} {slack:?}", options(1)).contains("t0ken"));
}
