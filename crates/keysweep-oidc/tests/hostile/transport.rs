//! Connections and responses that must be refused.

use std::time::Duration;

use crate::authority::Authority;
use crate::op::Op;
use crate::server::Reply;
use crate::stage::{Stage, start_time};

const PATIENCE: Duration = Duration::from_secs(60);
const PATHS: [&str; 4] = ["/op/.well-known/openid-configuration", "/op/jwks", "/op/token", "/op/userinfo"];

/// A stage whose provider has to be asked for userinfo too.
async fn stage(timeout: Duration) -> Stage {
    let stage = Stage::with(|settings| settings.timeout = timeout).await;
    stage.op.state().claims = serde_json::json!({ "groups": null });
    stage
}

#[tokio::test]
async fn redirects_are_not_followed() {
    for path in PATHS {
        let stage = stage(PATIENCE).await;
        let target = format!("{}/elsewhere", stage.op.issuer);
        stage.op.state().replies.insert(path, Reply::Redirect(target));
        let fault = stage.fault().await;
        assert!(fault.contains(path) && fault.contains("302 Found (redirects are not followed)"), "{fault}");
        assert_eq!(stage.op.count("/op/elsewhere"), 0);
    }
}

#[tokio::test]
async fn responses_are_bounded() {
    for path in PATHS {
        let stage = stage(PATIENCE).await;
        stage.op.state().replies.insert(path, Reply::Flood);
        let fault = stage.fault().await;
        assert!(fault.contains(path) && fault.contains("larger than 1048576 bytes"), "{fault}");
    }
}

#[tokio::test]
async fn a_response_has_at_most_a_mebibyte() {
    for (size, accepted) in [(1 << 20, true), ((1 << 20) + 1, false)] {
        let stage = Stage::new().await;
        let document = stage.op.state().discovery.to_string();
        let padded = document.clone() + &" ".repeat(size - document.len());
        stage.op.state().replies.insert(PATHS[0], Reply::Json(200, padded));
        assert_eq!(stage.login().await.is_ok(), accepted, "{size}");
    }
}

#[tokio::test]
async fn a_silent_provider_times_out() {
    let silent = |path| async move {
        // Long enough for the requests before it on a busy machine.
        let stage = stage(Duration::from_secs(3)).await;
        stage.op.state().replies.insert(path, Reply::Silence);
        let fault = stage.fault().await;
        assert!(fault.contains(path) && fault.contains("no response within the timeout"), "{fault}");
    };
    let [first, second, third, fourth] = PATHS;
    tokio::join!(silent(first), silent(second), silent(third), silent(fourth));
}

#[tokio::test]
async fn a_certificate_must_be_trusted_and_of_this_host() {
    let authority = Authority::issuing("127.0.0.1");
    let op = Op::start(start_time(), Some(authority.server.clone())).await;
    let stage = Stage::at(op, |settings| settings.ca_pem = Some(authority.ca_pem.clone()));
    stage.login().await.unwrap();

    let op = Op::start(start_time(), Some(authority.server)).await;
    let fault = Stage::at(op, |_| {}).fault().await;
    assert!(fault.contains("tls: invalid peer certificate: UnknownIssuer"), "{fault}");

    let authority = Authority::issuing("login.example.com");
    let op = Op::start(start_time(), Some(authority.server)).await;
    let fault = Stage::at(op, |settings| settings.ca_pem = Some(authority.ca_pem)).fault().await;
    assert!(fault.contains("tls: invalid peer certificate: certificate not valid for name"), "{fault}");
}

#[tokio::test]
async fn a_provider_that_does_not_listen_is_named() {
    let stage = Stage::new().await;
    let (issuer, settings) = (stage.op.issuer.clone(), crate::stage::settings(&stage.op.issuer));
    drop(stage);
    let provider = keysweep_oidc::Provider::new(settings, std::sync::Arc::new(start_time)).unwrap();
    let fault = provider.begin().await.unwrap_err().to_string();
    assert!(
        fault.contains(&format!("at {issuer}/.well-known/openid-configuration: could not connect")),
        "{fault}"
    );
}
