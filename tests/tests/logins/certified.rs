//! Logins at oidc-provider.

use std::collections::BTreeSet;

use keysweep_oidc::{Answer, LoginError};
use keysweep_tests::provider::Program;
use serde_json::json;

use crate::logins::browser::Act;
use crate::logins::stage::{REDIRECT_URL, SECRET, Stage, settings, visit, with_parameter};

async fn start() -> Program {
    Program::node("provider.mjs", &[REDIRECT_URL, SECRET]).await
}

fn groups() -> BTreeSet<String> {
    BTreeSet::from(["ops".to_owned(), "security".to_owned()])
}

#[tokio::test]
async fn people_log_in_with_every_kind_of_signature() {
    let program = start().await;
    for client in ["RS256", "PS256", "ES256", "EdDSA", "unusual"] {
        let stage = Stage::new(settings(&program.issuer, client));
        let person = stage.log_in("anna").await.unwrap_or_else(|error| panic!("{client}: {error}"));
        assert_eq!(person.subject, "anna", "{client}");
        assert_eq!(person.name, "anna@example.com", "{client}");
        assert_eq!(person.email.as_deref(), Some("anna@example.com"), "{client}");
        assert_eq!(person.groups, groups(), "{client}");
    }
}

#[tokio::test]
async fn a_token_signed_with_the_client_secret_is_refused() {
    let program = start().await;
    let error = Stage::new(settings(&program.issuer, "HS256")).log_in("anna").await.unwrap_err();
    assert!(matches!(&error, LoginError::IdToken { cause, .. } if cause.contains("Disallowed")), "{error}");
}

#[tokio::test]
async fn new_keys_and_claims_in_the_token_are_accepted() {
    let mut program = start().await;
    let stage = Stage::new(settings(&program.issuer, "ES256"));
    stage.log_in("anna").await.unwrap();
    program.ask(&json!("rotate")).await;
    assert_eq!(stage.log_in("bert").await.unwrap().groups, groups());
}

#[tokio::test]
async fn groups_that_are_named_elsewhere_are_an_error() {
    let program = start().await;
    let error = Stage::new(settings(&program.issuer, "RS256")).log_in("many").await.unwrap_err();
    assert_eq!(error, LoginError::GroupsOverage { claim: "groups".to_owned() });
}

#[tokio::test]
async fn another_nonce_is_refused() {
    let program = start().await;
    let stage = Stage::new(settings(&program.issuer, "RS256"));
    let change = |url: &str| with_parameter(url, "nonce", "of-another-login");
    let error = stage.log_in_with("anna", change, 0).await.unwrap_err();
    assert!(matches!(&error, LoginError::IdToken { cause, .. } if cause.contains("nonce")), "{error}");
}

#[tokio::test]
async fn another_challenge_is_refused() {
    let program = start().await;
    let stage = Stage::new(settings(&program.issuer, "RS256"));
    let change = |url: &str| with_parameter(url, "code_challenge", &"A".repeat(43));
    let error = stage.log_in_with("anna", change, 0).await.unwrap_err();
    assert!(error.to_string().contains("/token: invalid_grant: grant request is invalid"), "{error}");
}

#[tokio::test]
async fn an_expired_token_is_refused() {
    let program = start().await;
    let stage = Stage::new(settings(&program.issuer, "RS256"));
    let error = stage.log_in_with("anna", ToOwned::to_owned, 125).await.unwrap_err();
    assert!(matches!(&error, LoginError::IdToken { cause, .. } if cause.contains("Expired")), "{error}");
}

#[tokio::test]
async fn a_code_works_once() {
    let program = start().await;
    let stage = Stage::new(settings(&program.issuer, "RS256"));
    let (first, second) = (stage.provider.begin().await.unwrap(), stage.provider.begin().await.unwrap());
    let query = visit(&first.authorize_url, Act::LogIn("anna")).await;
    stage.provider.finish(first.pending, Answer::parse(&query).unwrap()).await.unwrap();
    // The state of the second login, to get as far as the provider.
    let (_, asked) = second.authorize_url.split_once('?').unwrap();
    let state =
        form_urlencoded::parse(asked.as_bytes()).find(|(name, _)| name == "state").unwrap().1.into_owned();
    let query = with_parameter(&format!("?{query}"), "state", &state);
    let answer = Answer::parse(query.trim_start_matches('?')).unwrap();
    let error = stage.provider.finish(second.pending, answer).await.unwrap_err();
    assert!(error.to_string().contains("invalid_grant"), "{error}");
}

#[tokio::test]
async fn a_canceled_login_is_refused() {
    let program = start().await;
    let stage = Stage::new(settings(&program.issuer, "RS256"));
    let begun = stage.provider.begin().await.unwrap();
    let query = visit(&begun.authorize_url, Act::Cancel).await;
    let error = stage.provider.finish(begun.pending, Answer::parse(&query).unwrap()).await.unwrap_err();
    let expected =
        "the OpenID Connect provider refused the login: access_denied: End-User aborted interaction";
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn a_response_without_its_issuer_is_refused() {
    let program = start().await;
    let stage = Stage::new(settings(&program.issuer, "RS256"));
    let begun = stage.provider.begin().await.unwrap();
    let query = visit(&begun.authorize_url, Act::LogIn("anna")).await;
    assert!(query.contains("&iss="), "the provider announces the parameter: {query}");
    let without = query.split('&').filter(|pair| !pair.starts_with("iss=")).collect::<Vec<_>>().join("&");
    let error = stage.provider.finish(begun.pending, Answer::parse(&without).unwrap()).await.unwrap_err();
    assert!(matches!(&error, LoginError::Answer(cause) if cause.contains("issuer")), "{error}");
}

#[tokio::test]
async fn a_wrong_client_secret_is_not_shown() {
    let program = start().await;
    let mut settings = settings(&program.issuer, "RS256");
    settings.client_secret = Some("wrong-but-hidden".into());
    let error = Stage::new(settings).log_in("anna").await.unwrap_err().to_string();
    assert!(error.contains("/token: invalid_client: ") && !error.contains("wrong-but-hidden"), "{error}");
}

#[tokio::test]
async fn another_name_of_the_same_provider_is_another_issuer() {
    let program = start().await;
    let issuer = program.issuer.replace("127.0.0.1", "localhost");
    let error = Stage::new(settings(&issuer, "RS256")).log_in("anna").await.unwrap_err();
    assert!(error.to_string().contains("the document is of issuer http://127.0.0.1"), "{error}");
}
