//! Logins at oidc-provider-mock.

use std::collections::BTreeSet;

use keysweep_oidc::{LoginError, Settings};
use keysweep_tests::provider::Program;

use crate::logins::stage::{Stage, settings, with_parameter};

/// It refuses scopes that it does not know.
fn settings_of(program: &Program) -> Settings {
    let mut settings = settings(&program.issuer, "keysweep");
    settings.scopes.retain(|scope| scope != "groups");
    settings
}

#[tokio::test]
async fn people_log_in() {
    let program = Program::python("provider.py").await;
    let stage = Stage::new(settings_of(&program));
    let anna = stage.log_in("anna").await.unwrap();
    assert_eq!((&*anna.subject, &*anna.name), ("anna", "anna@example.com"));
    assert_eq!(anna.email.as_deref(), Some("anna@example.com"));
    assert_eq!(anna.groups, BTreeSet::from(["ops".to_owned(), "security".to_owned()]));
    let stranger = stage.log_in("stranger@example.com").await.unwrap();
    assert_eq!((&*stranger.subject, &*stranger.name), ("stranger@example.com", "stranger@example.com"));
    assert_eq!((stranger.email, stranger.groups), (None, BTreeSet::new()));
}

#[tokio::test]
async fn another_nonce_or_an_expired_token_is_refused() {
    let program = Program::python("provider.py").await;
    let stage = Stage::new(settings_of(&program));
    let change = |url: &str| with_parameter(url, "nonce", "of-another-login");
    let error = stage.log_in_with("anna", change, 0).await.unwrap_err();
    assert!(matches!(&error, LoginError::IdToken { cause, .. } if cause.contains("nonce")), "{error}");
    let error = stage.log_in_with("anna", ToOwned::to_owned, 125).await.unwrap_err();
    assert!(matches!(&error, LoginError::IdToken { cause, .. } if cause.contains("Expired")), "{error}");
}
