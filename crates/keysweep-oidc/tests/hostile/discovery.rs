//! Configuration documents and key sets that must be refused, and how long they stay cached.

use serde_json::{Value, json};

use crate::authority::Authority;
use crate::op::Op;
use crate::server::Reply;
use crate::stage::{Stage, start_time};

const DOCUMENT: &str = "/op/.well-known/openid-configuration";

async fn with_discovery(name: &str, value: Value) -> String {
    let stage = Stage::new().await;
    stage.op.state().discovery[name] = value;
    let fault = stage.fault().await;
    let prefix =
        format!("could not read the configuration of the OpenID Connect provider at {}", stage.op.issuer);
    assert!(fault.starts_with(&prefix), "{fault}");
    fault
}

#[tokio::test]
async fn a_document_of_another_issuer_is_refused() {
    let fault = with_discovery("issuer", json!("https://other.example.com")).await;
    assert!(
        fault.contains("the document is of issuer https://other.example.com, not http://127.0.0.1"),
        "{fault}"
    );
    let stage = Stage::new().await;
    let with_slash = format!("{}/", stage.op.issuer);
    stage.op.state().discovery["issuer"] = json!(with_slash);
    assert!(stage.fault().await.contains("the document is of issuer"));
}

#[tokio::test]
async fn endpoints_must_be_https_or_on_this_machine() {
    for name in ["authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"] {
        for url in
            ["http://192.0.2.1/x", "ftp://127.0.0.1/x", "javascript:alert(1)", "https://a:b@example.com/"]
        {
            let fault = with_discovery(name, json!(url)).await;
            assert!(fault.contains(name) && fault.contains("the URL must"), "{fault}");
        }
    }
}

#[tokio::test]
async fn a_provider_with_https_has_no_endpoint_without() {
    let authority = Authority::issuing("127.0.0.1");
    let op = Op::start(start_time(), Some(authority.server)).await;
    let stage = Stage::at(op, |settings| settings.ca_pem = Some(authority.ca_pem));
    stage.login().await.unwrap();
    stage.pass(4 * 3600);
    stage.op.state().discovery["token_endpoint"] = json!("http://127.0.0.1:1/token");
    let fault = stage.fault().await;
    assert!(
        fault.ends_with("token_endpoint http://127.0.0.1:1/token: the URL must begin with https://"),
        "{fault}"
    );
}

#[tokio::test]
async fn an_incomplete_document_is_refused() {
    let fault = with_discovery("token_endpoint", Value::Null).await;
    assert!(fault.contains("no token_endpoint"), "{fault}");
    let stage = Stage::new().await;
    stage.op.state().discovery.as_object_mut().unwrap().remove("jwks_uri");
    assert!(stage.fault().await.contains("missing field `jwks_uri`"));
    for reply in ["", "<html>", "[]", "{}", "null"] {
        let stage = Stage::new().await;
        stage.op.state().replies.insert(DOCUMENT, Reply::Json(200, reply.to_owned()));
        assert!(stage.fault().await.contains("invalid document"), "{reply}");
    }
}

#[tokio::test]
async fn a_failure_names_its_url() {
    let stage = Stage::new().await;
    stage.op.state().replies.insert(DOCUMENT, Reply::Json(404, String::new()));
    let expected = format!(
        "could not read the configuration of the OpenID Connect provider at {}/.well-known/openid-configuration: \
         404 Not Found",
        stage.op.issuer
    );
    assert_eq!(stage.fault().await, expected);
    let stage = Stage::new().await;
    stage.op.state().replies.insert("/op/jwks", Reply::Json(503, String::new()));
    let expected = format!(
        "could not read the signing keys of the OpenID Connect provider at {}/jwks: 503 Service Unavailable",
        stage.op.issuer
    );
    assert_eq!(stage.fault().await, expected);
}

#[tokio::test]
async fn the_document_stays_cached_for_four_hours() {
    let stage = Stage::new().await;
    stage.login().await.unwrap();
    stage.pass(4 * 3600 - 1);
    stage.login().await.unwrap();
    assert_eq!((stage.op.count(DOCUMENT), stage.op.count("/op/jwks")), (1, 1));
    stage.pass(1);
    stage.login().await.unwrap();
    assert_eq!((stage.op.count(DOCUMENT), stage.op.count("/op/jwks")), (2, 2));
}

#[tokio::test]
async fn a_failure_answers_those_who_wait_and_is_then_forgotten() {
    let stage = Stage::new().await;
    stage.op.state().replies.insert(DOCUMENT, Reply::Json(503, String::new()));
    let (first, second) = tokio::join!(stage.fault(), stage.fault());
    assert_eq!(first, second);
    assert_eq!(stage.op.count(DOCUMENT), 1);
    stage.op.state().replies.clear();
    stage.pass(5);
    stage.login().await.unwrap();
}
