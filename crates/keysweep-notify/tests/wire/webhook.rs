//! What each answer of a webhook means.

use std::time::Duration;

use jiff::Timestamp;
use keysweep_notify::Failure;
use keysweep_notify::FailureKind::{Misconfigured, Rejected, Temporary};
use keysweep_notify::webhook::{Webhook, WebhookOptions};
use serde_json::json;
use tokio::net::TcpListener;

use crate::http_server::{HttpServer, Then, status};

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

pub(crate) fn options(url: String) -> WebhookOptions {
    WebhookOptions {
        url: url.into(),
        secrets: vec![SECRET.into()],
        allow_private: true,
        timeout: Duration::from_secs(20),
        ca_pem: None,
    }
}

fn at() -> Timestamp {
    Timestamp::from_second(1_614_265_330).unwrap()
}

pub(crate) async fn post(options: WebhookOptions) -> Result<String, Failure> {
    Webhook::new(options)
        .unwrap()
        .post(at(), "msg_p5jXN8AQM9LWM0D4loKWxJek", &json!({ "test": 2432232314_u32 }))
        .await
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}/hook/t0ken?key=s3cret")
}

async fn answered(answer: &str, then: Then) -> Result<String, Failure> {
    let server = HttpServer::answering(answer, then).await;
    let outcome = post(options(url(server.port))).await;
    if let Err(failure) = &outcome {
        assert!(failure.detail.starts_with(&format!("http://127.0.0.1:{}: ", server.port)), "{failure}");
        for secret in ["t0ken", "s3cret", "echo"] {
            assert!(!failure.detail.contains(secret), "{failure}");
        }
    }
    outcome
}

#[tokio::test]
async fn a_message_is_posted_once_and_signed() {
    let server = HttpServer::answering(&status("202 Accepted"), Then::Close).await;
    assert_eq!(post(options(url(server.port))).await.unwrap(), "202 Accepted");
    let requests = server.requests();
    let [request] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!(request.line, "POST /hook/t0ken?key=s3cret HTTP/1.1");
    let header = |name: &str| request.headers.get(name).unwrap().as_str();
    assert_eq!(header("webhook-id"), "msg_p5jXN8AQM9LWM0D4loKWxJek");
    assert_eq!(header("webhook-timestamp"), "1614265330");
    // Made with Python's hmac module over the compact body.
    assert_eq!(header("webhook-signature"), "v1,Vif40peJBP7Iyl0XGmu61n4MwdrcHov5CFREBpE0svs=");
    assert_eq!(header("content-type"), "application/json");
    assert!(header("user-agent").starts_with("keysweep/"));
    assert_eq!(request.body, br#"{"test":2432232314}"#);
}

#[tokio::test]
async fn statuses_sort_into_kinds() {
    for accepted in ["200 OK", "201 Created", "202 Accepted", "204 No Content"] {
        assert_eq!(answered(&status(accepted), Then::Close).await.unwrap(), accepted);
    }
    let cases = [
        (Temporary, vec!["408 Request Timeout", "425 Too Early", "429 Too Many Requests"]),
        (Temporary, vec!["500 Internal Server Error", "502 Bad Gateway", "503 Service Unavailable", "599 x"]),
        (Misconfigured, vec!["401 Unauthorized", "403 Forbidden"]),
        (Rejected, vec!["400 Bad Request", "404 Not Found", "405 Method Not Allowed", "410 Gone"]),
        (Rejected, vec!["413 Payload Too Large", "418 I'm a teapot", "422 Unprocessable Entity"]),
    ];
    for (kind, statuses) in cases {
        for status_line in statuses {
            let failure = answered(&status(status_line), Then::Close).await.unwrap_err();
            assert_eq!(failure.kind, kind, "{status_line}");
            assert!(failure.detail.contains(&status_line[..3]), "{failure}");
            assert_eq!(failure.retry_after, None);
        }
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = HttpServer::answering(&status("200 OK"), Then::Close).await;
    for code in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let location = format!("location: http://127.0.0.1:{}/echo\r\n", elsewhere.port);
        let answer = format!("HTTP/1.1 {code}\r\n{location}content-length: 0\r\n\r\n");
        let failure = answered(&answer, Then::Close).await.unwrap_err();
        assert_eq!(failure.kind, Rejected);
        assert!(failure.detail.contains("redirects are not followed"), "{failure}");
    }
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn retry_after_is_handed_on() {
    for (code, header, seconds) in [
        ("429 Too Many Requests", "30", Some(30)),
        ("503 Service Unavailable", "7200", Some(3600)),
        ("503 Service Unavailable", "soon", None),
    ] {
        let answer = format!("HTTP/1.1 {code}\r\nretry-after: {header}\r\ncontent-length: 0\r\n\r\n");
        let failure = answered(&answer, Then::Close).await.unwrap_err();
        assert_eq!((failure.kind, failure.retry_after), (Temporary, seconds.map(Duration::from_secs)));
    }
}

#[tokio::test]
async fn the_body_of_an_answer_does_not_matter() {
    // Neither one that never ends, nor one that is long, nor one that repeats the request.
    for then in [Then::Hang, Then::Flood] {
        let accepted = "HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\nx";
        assert_eq!(answered(accepted, then).await.unwrap(), "200 OK");
        let refused = "HTTP/1.1 400 Bad Request\r\ncontent-length: 1000000000\r\n\r\necho";
        assert_eq!(answered(refused, then).await.unwrap_err().kind, Rejected);
    }
}

#[tokio::test]
async fn no_answer_and_nonsense_are_temporary() {
    for answer in ["", "HTTP/1.1 2", "220 test ESMTP\r\n", "HTTP/1.1 200 OK\r\nbroken"] {
        let failure = answered(answer, Then::Close).await.unwrap_err();
        assert_eq!(failure.kind, Temporary, "{answer:?}: {failure}");
    }
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let failure = post(options(url(port))).await.unwrap_err();
    assert_eq!(failure.kind, Temporary);
    assert!(failure.detail.contains("could not connect: connection refused"), "{failure}");
}

#[tokio::test]
async fn a_silent_receiver_is_given_up_after_the_timeout() {
    let server = HttpServer::answering("", Then::Hang).await;
    let failure =
        post(WebhookOptions { timeout: Duration::from_millis(200), ..options(url(server.port)) }).await;
    let failure = failure.unwrap_err();
    assert_eq!(failure.kind, Temporary);
    assert!(failure.detail.contains("no response within the timeout"), "{failure}");
}

#[tokio::test]
async fn an_id_that_could_end_a_header_is_rejected() {
    let server = HttpServer::answering(&status("200 OK"), Then::Close).await;
    let webhook = Webhook::new(options(url(server.port))).unwrap();
    let failure = webhook.post(at(), "a\r\nx: y", &json!({})).await.unwrap_err();
    assert_eq!(failure.kind, Rejected);
    assert!(server.requests().is_empty());
}

#[test]
fn options_that_cannot_work_are_refused_without_repeating_them() {
    let good = || options("https://example.com/t0ken".to_owned());
    assert!(Webhook::new(good()).is_ok());
    let cases = [
        WebhookOptions { url: "t0ken".into(), ..good() },
        WebhookOptions { url: "https:///t0ken:x".into(), ..good() },
        WebhookOptions { url: "http://example.com/t0ken".into(), ..good() },
        WebhookOptions { url: "http://127.0.0.1/t0ken".into(), allow_private: false, ..good() },
        WebhookOptions { url: "https://169.254.169.254/t0ken".into(), allow_private: false, ..good() },
        WebhookOptions { secrets: Vec::new(), ..good() },
        WebhookOptions { secrets: vec![SECRET.into(), "whsec_t0ken".into()], ..good() },
        WebhookOptions { ca_pem: Some(b"t0ken".to_vec()), ..good() },
    ];
    for options in cases {
        let error = Webhook::new(options).unwrap_err();
        assert!(!error.contains("t0ken"), "{error}");
    }
}

#[test]
fn debug_output_has_no_secret() {
    let debug = format!("{:?} {:?}", options(url(1)), Webhook::new(options(url(1))).unwrap());
    for secret in ["t0ken", "s3cret", "MfKQ9r8G"] {
        assert!(!debug.contains(secret), "{debug}");
    }
}
