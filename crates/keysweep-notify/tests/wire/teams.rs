//! Cards to a Teams workflow.

use std::time::Duration;

use keysweep_notify::FailureKind::{Rejected, Temporary};
use keysweep_notify::teams::{Teams, TeamsOptions};
use serde_json::{Value, json};

use crate::http_server::{HttpServer, Then, status};

fn mk_teams(port: u16) -> Teams {
    let options = TeamsOptions {
        url: format!("http://127.0.0.1:{port}/workflows/t0ken?sig=s3cret").into(),
        allow_private: true,
        timeout: Duration::from_secs(20),
        ca_pem: None,
    };
    assert!(!format!("{options:?}").contains("s3cret"));
    Teams::new(options).unwrap()
}

#[tokio::test]
async fn a_card_is_wrapped_as_workflows_expect() {
    let server = HttpServer::answering(&status("202 Accepted"), Then::Close).await;
    let card = json!({ "type": "AdaptiveCard", "version": "1.4", "body": [{ "type": "TextBlock", "text": "Hello" }] });
    assert_eq!(mk_teams(server.port).post(&card).await.unwrap(), "202 Accepted");
    let request = server.requests().remove(0);
    assert_eq!(request.line, "POST /workflows/t0ken?sig=s3cret HTTP/1.1");
    let sent: Value = serde_json::from_slice(&request.body).unwrap();
    let content_type = "application/vnd.microsoft.card.adaptive";
    let attachment = json!({ "contentType": content_type, "contentUrl": null, "content": card });
    assert_eq!(sent, json!({ "type": "message", "attachments": [attachment] }));
}

#[tokio::test]
async fn a_card_that_is_too_large_is_never_sent() {
    let server = HttpServer::answering(&status("202 Accepted"), Then::Close).await;
    let teams = mk_teams(server.port);
    let failure = teams.post(&json!({ "text": "x".repeat(28 * 1024) })).await.unwrap_err();
    assert_eq!(failure.kind, Rejected);
    assert!(failure.detail.contains("Teams accepts at most 28672"), "{failure}");
    assert!(server.requests().is_empty());
    assert!(teams.post(&json!({ "text": "x".repeat(28 * 1024 - 200) })).await.is_ok());
}

#[tokio::test]
async fn a_throttled_card_is_temporary() {
    let answer = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 17\r\ncontent-length: 0\r\n\r\n";
    let server = HttpServer::answering(answer, Then::Close).await;
    let failure = mk_teams(server.port).post(&json!({})).await.unwrap_err();
    assert_eq!((failure.kind, failure.retry_after), (Temporary, Some(Duration::from_secs(17))));
    assert!(!failure.detail.contains("t0ken") && !failure.detail.contains("s3cret"), "{failure}");
}
