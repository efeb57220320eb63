//! The steps of a login.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use keysweep_oidc::{Answer, LoginError, Person};
use serde_json::json;

use crate::op::{CLIENT, SECRET};
use crate::server::Reply;
use crate::stage::{Stage, answer};

#[tokio::test]
async fn a_login_returns_the_person() {
    let stage = Stage::new().await;
    let begun = stage.provider.begin().await.unwrap();
    let (_, query) = begun.authorize_url.split_once('?').unwrap();
    let asked: BTreeMap<_, _> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    assert_eq!(asked["scope"], "openid profile email");
    assert_eq!(asked["redirect_uri"], "https://keysweep.example.com/login/done?from=op");
    let (code, state) = stage.op.authorize(&begun.authorize_url);
    let person = stage.provider.finish(begun.pending, answer(&code, &state, "")).await.unwrap();
    let expected = Person {
        subject: "anna".to_owned(),
        name: "anna@example.com".to_owned(),
        email: None,
        groups: BTreeSet::from(["security".to_owned()]),
    };
    assert_eq!(person, expected);
    let requests = stage.op.state().requests.clone();
    let paths: Vec<_> = requests.iter().map(|request| request.path.as_str()).collect();
    assert_eq!(paths, ["/op/.well-known/openid-configuration", "/op/jwks", "/op/token"]);
    let credentials = format!("{CLIENT}:{}", SECRET.replace('+', "%2B").replace(' ', "+"));
    let expected = format!("Basic {}", BASE64_STANDARD.encode(credentials));
    assert_eq!(requests[2].headers["authorization"], expected);
    assert!(!requests[2].form.contains_key("client_secret"));
}

#[tokio::test]
async fn each_login_has_its_own_secrets() {
    let stage = Stage::new().await;
    let mut seen = BTreeSet::new();
    for _ in 0..3 {
        let begun = stage.provider.begin().await.unwrap();
        let (_, query) = begun.authorize_url.split_once('?').unwrap();
        let asked: BTreeMap<_, _> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        for name in ["state", "nonce", "code_challenge"] {
            assert!(asked[name].len() >= 22, "{name} has less than 128 bits");
            assert!(seen.insert(asked[name].clone()), "{name} occurs twice");
        }
        let expected = "Begun { pending: Pending { started: 2026-11-30T10:00:00Z, .. }, .. }";
        assert_eq!(format!("{begun:?}"), expected);
    }
}

#[tokio::test]
async fn a_client_authenticates_as_the_provider_supports() {
    let stage = Stage::with(|settings| settings.client_secret = None).await;
    stage.login().await.unwrap();
    let form = stage.op.state().requests.pop().unwrap().form;
    assert_eq!(form["client_id"], CLIENT);
    assert!(!form.contains_key("client_secret"));

    let stage = Stage::new().await;
    stage.op.state().discovery["token_endpoint_auth_methods_supported"] = json!(["client_secret_post"]);
    stage.login().await.unwrap();
    let request = stage.op.state().requests.pop().unwrap();
    assert_eq!(request.form["client_secret"], SECRET);
    assert!(!request.headers.contains_key("authorization"));
}

#[tokio::test]
async fn another_state_is_refused_before_any_request() {
    let stage = Stage::new().await;
    for wrong in
        [|state: &str| format!("{state}x"), |state: &str| state[1..].to_owned(), |_: &str| String::new()]
    {
        let begun = stage.provider.begin().await.unwrap();
        let (code, state) = stage.op.authorize(&begun.authorize_url);
        let answer = answer(&code, &wrong(&state), "");
        let error = stage.provider.finish(begun.pending, answer).await.unwrap_err();
        assert!(error.to_string().contains("state"), "{error}");
    }
    assert_eq!(stage.op.count("/op/token"), 0);
}

#[tokio::test]
async fn a_login_expires_after_ten_minutes() {
    for (seconds, expired) in [(600, false), (601, true), (-1, true)] {
        let stage = Stage::new().await;
        let begun = stage.provider.begin().await.unwrap();
        let (code, state) = stage.op.authorize(&begun.authorize_url);
        stage.pass(seconds);
        let result = stage.provider.finish(begun.pending, answer(&code, &state, "")).await;
        assert_eq!(matches!(result, Err(LoginError::TooLate)), expired, "{seconds}: {result:?}");
        assert_eq!(result.is_ok(), !expired, "{seconds}");
    }
}

#[tokio::test]
async fn a_code_works_once() {
    let stage = Stage::new().await;
    let (first, second) = (stage.provider.begin().await.unwrap(), stage.provider.begin().await.unwrap());
    let (code, state) = stage.op.authorize(&first.authorize_url);
    stage.provider.finish(first.pending, answer(&code, &state, "")).await.unwrap();
    let (_, state) = stage.op.authorize(&second.authorize_url);
    let error = stage.provider.finish(second.pending, answer(&code, &state, "")).await.unwrap_err();
    let shown = error.to_string();
    assert!(shown.contains("/op/token: invalid_grant: unknown code"), "{shown}");
    assert!(!shown.contains(&code), "{shown}");
}

#[tokio::test]
async fn a_code_of_another_login_is_refused_by_pkce_and_by_nonce() {
    for (checks_pkce, expected) in [(true, "wrong code_verifier"), (false, "nonce")] {
        let stage = Stage::new().await;
        stage.op.state().checks_pkce = checks_pkce;
        let (other, own) = (stage.provider.begin().await.unwrap(), stage.provider.begin().await.unwrap());
        let (code, _) = stage.op.authorize(&other.authorize_url);
        let (_, state) = stage.op.authorize(&own.authorize_url);
        let error = stage.provider.finish(own.pending, answer(&code, &state, "")).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_refusal_of_the_provider_is_shown_in_one_line() {
    let stage = Stage::new().await;
    let begun = stage.provider.begin().await.unwrap();
    let (_, state) = stage.op.authorize(&begun.authorize_url);
    let query =
        format!("state={state}&error=access_denied&error_description=AADSTS65004%3A+User%0D%0Adeclined");
    let error = stage.provider.finish(begun.pending, Answer::parse(&query).unwrap()).await.unwrap_err();
    let expected = "the OpenID Connect provider refused the login: access_denied: AADSTS65004: User declined";
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn a_response_of_another_issuer_is_refused() {
    for announced in [false, true] {
        let stage = Stage::new().await;
        stage.op.state().discovery["authorization_response_iss_parameter_supported"] = json!(announced);
        let issuer = stage.op.issuer.clone();
        let cases = [
            (format!("&iss={issuer}"), true),
            (String::new(), !announced),
            ("&iss=https://other.example.com".to_owned(), false),
            (format!("&iss={issuer}/"), false),
            ("&iss=".to_owned(), false),
        ];
        for (more, accepted) in cases {
            let begun = stage.provider.begin().await.unwrap();
            let (code, state) = stage.op.authorize(&begun.authorize_url);
            let before = stage.op.count("/op/token");
            let result = stage.provider.finish(begun.pending, answer(&code, &state, &more)).await;
            assert_eq!(result.is_ok(), accepted, "announced {announced}, {more}: {result:?}");
            assert_eq!(stage.op.count("/op/token") - before, usize::from(accepted), "{more}");
        }
        // A refusal of another provider says nothing about this login.
        let begun = stage.provider.begin().await.unwrap();
        let (_, state) = stage.op.authorize(&begun.authorize_url);
        let query = format!("state={state}&error=access_denied&iss=https://other.example.com");
        let error = stage.provider.finish(begun.pending, Answer::parse(&query).unwrap()).await.unwrap_err();
        assert!(matches!(error, LoginError::Answer(_)), "{error}");
    }
}

#[tokio::test]
async fn errors_of_the_token_endpoint_show_no_secrets() {
    let stage = Stage::new().await;
    let begun = stage.provider.begin().await.unwrap();
    let (code, state) = stage.op.authorize(&begun.authorize_url);
    let description = format!("bad\nclient {SECRET} with {code}");
    let error = json!({ "error": "invalid_client", "error_description": description });
    stage.op.state().replies.insert("/op/token", Reply::Json(401, error.to_string()));
    let error = stage.provider.finish(begun.pending, answer(&code, &state, "")).await.unwrap_err();
    let expected = format!(
        "could not exchange the authorization code at {}/token: invalid_client: bad client [secret] with [secret]",
        stage.op.issuer
    );
    assert_eq!(error.to_string(), expected);
    // Neither do responses that cannot be read.
    for response in
        ["", "<html>", r#"{"access_token":{"hidden":"hidden"},"token_type":"Bearer"}"#, "[\"hidden\"]"]
    {
        stage.op.state().replies.insert("/op/token", Reply::Json(200, response.to_owned()));
        let fault = stage.fault().await;
        assert!(fault.contains("could not exchange") && !fault.contains("hidden"), "{fault}");
    }
}
