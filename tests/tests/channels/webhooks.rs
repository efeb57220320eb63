//! Messages to a webhook, verified by the reference libraries of Standard Webhooks.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use jiff::SignedDuration;
use keysweep::clock::Clock;
use keysweep_notify::webhook::{Webhook, WebhookOptions};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use crate::channels::program::Program;

const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD+yMkZAWvzkM=";
const OTHER: &str = "whsec_plJ3nmyCDGBKInavdOK15jsl8fQzVqkZk3sNtNwLhAg=";

/// What the webhook sent: headers and body.
async fn sent(back: SignedDuration, body: &Value) -> (Map<String, Value>, String) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let received = Arc::new(Mutex::new(None));
    let service = service_fn(|request: Request<Incoming>| {
        let received = Arc::clone(&received);
        async move {
            let (parts, body) = request.into_parts();
            let headers = parts.headers.iter();
            let headers =
                headers.map(|(name, value)| (name.to_string(), Value::from(value.to_str().unwrap())));
            let headers: Map<String, Value> = headers.collect();
            let body = body.collect().await.unwrap().to_bytes();
            *received.lock().unwrap() = Some((headers, String::from_utf8(body.to_vec()).unwrap()));
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let serve = async {
        let (stream, _) = listener.accept().await.unwrap();
        // The client leaves as soon as it knows the status.
        let _ =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    };
    let webhook = Webhook::new(WebhookOptions {
        url: url.into(),
        secrets: vec![NEW.into(), OLD.into()],
        allow_private: true,
        timeout: Duration::from_secs(60),
        ca_pem: None,
    })
    .unwrap();
    let at = Clock::system().now() - back;
    let (_, status) = tokio::join!(serve, webhook.post(at, "msg_01JEXAMPLE", body));
    assert_eq!(status.unwrap(), "200 OK");
    let received = received.lock().unwrap().take();
    received.unwrap()
}

/// What a verifier must say of what we sent, and of the same with one thing changed.
async fn judge(mut verifier: Program) {
    let body = json!({ "type": "notice", "keys": ["AKIAIOSFODNN7EXAMPLE"], "user": "Jürgen \u{2028} \"x\" </script>" });
    let (headers, body) = sent(SignedDuration::ZERO, &body).await;
    let (old_headers, old_body) = sent(SignedDuration::from_mins(10), &json!({})).await;
    let with = |name: &str, value: &str| {
        let mut headers = headers.clone();
        assert!(headers.insert(name.to_owned(), Value::from(value)).is_some(), "{name}");
        headers
    };
    let signature = headers["webhook-signature"].as_str().unwrap();
    let (by_new, by_old) = signature.split_once(' ').unwrap();
    let cases = [
        ("by the new secret", true, NEW, headers.clone(), body.clone()),
        ("by the old secret", true, OLD, headers.clone(), body.clone()),
        ("the new signature alone", true, NEW, with("webhook-signature", by_new), body.clone()),
        ("the old signature alone", true, OLD, with("webhook-signature", by_old), body.clone()),
        ("another secret", false, OTHER, headers.clone(), body.clone()),
        ("the signature of the other secret", false, NEW, with("webhook-signature", by_old), body.clone()),
        ("another body", false, NEW, headers.clone(), body.replace("AKIA", "AKIB")),
        ("a space in the body", false, NEW, headers.clone(), format!("{body} ")),
        ("another id", false, NEW, with("webhook-id", "msg_01JOTHER"), body.clone()),
        ("another time", false, NEW, with("webhook-timestamp", &moved(&headers)), body.clone()),
        ("ten minutes old", false, NEW, old_headers, old_body),
    ];
    for (_, _, secret, headers, body) in &cases {
        verifier.say(&json!({ "secret": secret, "headers": headers, "body": body })).await;
    }
    verifier.close();
    for (what, valid, ..) in &cases {
        let verdict = verifier.line().await;
        assert_eq!(verdict == "ok", *valid, "{what}: {verdict}");
        // A verifier that fails for another reason has judged nothing.
        assert!(*valid || verdict.contains("WebhookVerificationError"), "{what}: {verdict}");
    }
}

fn moved(headers: &Map<String, Value>) -> String {
    let timestamp: i64 = headers["webhook-timestamp"].as_str().unwrap().parse().unwrap();
    (timestamp + 1).to_string()
}

#[tokio::test]
async fn the_reference_library_for_python_verifies_our_signatures() {
    judge(Program::python("verify_webhook.py", &[]).await).await;
}

#[tokio::test]
async fn the_reference_library_for_javascript_verifies_our_signatures() {
    judge(Program::node("verify_webhook.mjs", &[]).await).await;
}
