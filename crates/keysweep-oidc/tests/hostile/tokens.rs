//! ID tokens that must be refused.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::jwt::{Key, Sign, encode};
use crate::op::{ACCESS_TOKEN, SECRET, State};
use crate::stage::{Stage, start_time};

/// The error of a login with a changed provider; nothing if it succeeds.
async fn outcome(change: impl FnOnce(&mut State)) -> Option<String> {
    let stage = Stage::new().await;
    change(&mut stage.op.state());
    stage.login().await.err().map(|error| error.to_string())
}

async fn with_claims(claims: Value) -> Option<String> {
    outcome(|op| op.claims = claims).await
}

async fn assert_refused(claims: Value, expected: &str) {
    let shown = claims.to_string();
    let fault = with_claims(claims).await.unwrap_or_else(|| panic!("accepted: {shown}"));
    assert!(fault.contains(expected), "{shown}: {fault}");
}

#[tokio::test]
async fn another_nonce_is_refused() {
    assert_refused(json!({ "nonce": "another" }), "nonce").await;
    assert_refused(json!({ "nonce": null }), "nonce").await;
}

#[tokio::test]
async fn another_issuer_is_refused() {
    assert_refused(json!({ "iss": "https://other.example.com" }), "Invalid issuer").await;
    assert_refused(json!({ "iss": null }), "missing field iss").await;
    let stage = Stage::new().await;
    stage.op.state().claims = json!({ "iss": format!("{}/", stage.op.issuer) });
    assert!(stage.fault().await.contains("Invalid issuer"));
}

#[tokio::test]
async fn another_audience_or_authorized_party_is_refused() {
    assert_refused(json!({ "aud": "another" }), "Invalid audiences").await;
    assert_refused(json!({ "aud": [] }), "Invalid audiences").await;
    assert_refused(json!({ "aud": null }), "Invalid audiences").await;
    assert_refused(json!({ "aud": ["another", "project"], "azp": "keysweep" }), "Invalid audiences").await;
    assert_refused(json!({ "azp": "another" }), "azp is another").await;
    assert_refused(json!({ "aud": ["keysweep", "another"] }), "no azp").await;
    assert_refused(json!({ "aud": ["keysweep", "another"], "azp": "another" }), "azp is another").await;
    assert_eq!(with_claims(json!({ "aud": ["keysweep"] })).await, None);
    assert_eq!(with_claims(json!({ "azp": "keysweep" })).await, None);
    assert_eq!(with_claims(json!({ "aud": ["another", "keysweep"], "azp": "keysweep" })).await, None);
}

#[tokio::test]
async fn a_token_is_valid_in_its_time_only() {
    let now = start_time().as_second();
    assert_refused(json!({ "exp": now - 60 }), "Expired").await;
    assert_eq!(with_claims(json!({ "exp": now - 59 })).await, None);
    assert_refused(json!({ "exp": null }), "missing field exp").await;
    assert_refused(json!({ "iat": now + 61 }), "issued in the future").await;
    assert_eq!(with_claims(json!({ "iat": now + 60 })).await, None);
    assert_refused(json!({ "iat": now - 61 }), "before the login began").await;
    assert_eq!(with_claims(json!({ "iat": now - 60 })).await, None);
    assert_refused(json!({ "iat": null }), "missing field iat").await;
    assert_refused(json!({ "exp": 1e300 }), "claims of the ID token are invalid").await;
}

#[tokio::test]
async fn an_unsigned_token_is_refused() {
    let fault = outcome(|op| op.sign = Sign::None).await.unwrap();
    assert!(fault.contains("signature: No signature found"), "{fault}");
    // A signature does not help a token that says it has none.
    let fault = outcome(|op| op.header = json!({ "alg": "none" })).await.unwrap();
    assert!(fault.contains("signature: No signature found"), "{fault}");
    let fault = outcome(|op| op.response = json!({ "id_token": null })).await.unwrap();
    assert!(fault.contains("no ID token"), "{fault}");
}

#[tokio::test]
async fn hmac_is_refused_even_if_the_provider_announces_it() {
    let secrets: [fn(&State) -> Vec<u8>; 3] =
        [|_| SECRET.as_bytes().to_vec(), |op| op.keys[0].public().to_vec(), |_| Vec::new()];
    for secret in secrets {
        let fault = outcome(|op| {
            op.discovery["id_token_signing_alg_values_supported"] = json!(["HS256", "ES256"]);
            op.sign = Sign::Hmac(secret(op));
        });
        let fault = fault.await.unwrap();
        assert!(fault.contains("Disallowed signature algorithm"), "{fault}");
    }
    // A key set with a symmetric key makes no difference.
    let fault = outcome(|op| {
        op.jwks = Some(json!({ "keys": [{ "kty": "oct", "kid": "key-1", "k": encode("known") }] }));
        op.sign = Sign::Hmac(b"known".to_vec());
    });
    assert!(fault.await.unwrap().contains("Disallowed signature algorithm"));
}

#[tokio::test]
async fn a_wrong_signature_is_refused() {
    let fault = outcome(|op| op.sign = Sign::Forged).await.unwrap();
    assert!(fault.contains("signature"), "{fault}");
    // Somebody else's key under a known name.
    let fault = outcome(|op| {
        op.jwks = Some(json!({ "keys": [op.keys[0].jwk()] }));
        op.keys = vec![Key::generate("key-1")];
    });
    let fault = fault.await.unwrap();
    assert!(fault.contains("signature: Crypto error"), "{fault}");
    // A key that is not for signatures.
    let fault = outcome(|op| {
        let mut jwk = op.keys[0].jwk();
        jwk["use"] = "enc".into();
        op.jwks = Some(json!({ "keys": [jwk] }));
    });
    let fault = fault.await.unwrap();
    assert!(fault.contains("no key that matches"), "{fault}");
    // A key in the token itself.
    let fault = outcome(|op| {
        op.jwks = Some(json!({ "keys": [op.keys[0].jwk()] }));
        op.keys = vec![Key::generate("own")];
        op.header = json!({ "jwk": op.keys[0].jwk() });
    });
    let fault = fault.await.unwrap();
    assert!(fault.contains("no key that matches"), "{fault}");
}

#[tokio::test]
async fn unknown_critical_headers_are_refused() {
    let fault = outcome(|op| op.header = json!({ "crit": ["b64"], "b64": false })).await.unwrap();
    assert!(fault.contains("critical"), "{fault}");
}

#[tokio::test]
async fn an_access_token_of_another_login_is_refused() {
    let hash = |token: &str| encode(&Sha256::digest(token)[..16]);
    assert_eq!(with_claims(json!({ "at_hash": hash(ACCESS_TOKEN) })).await, None);
    assert_refused(json!({ "at_hash": hash("another") }), "at_hash").await;
}

#[tokio::test]
async fn a_token_without_key_id_is_accepted_if_there_is_one_key() {
    assert_eq!(outcome(|op| op.header = json!({ "kid": null })).await, None);
    let fault = outcome(|op| {
        op.header = json!({ "kid": null });
        op.keys.push(Key::generate("key-2"));
    });
    let fault = fault.await.unwrap();
    assert!(fault.contains("Ambiguous"), "{fault}");
}

#[tokio::test]
async fn rotated_keys_are_read_once() {
    let stage = Stage::new().await;
    stage.login().await.unwrap();
    stage.op.state().keys = vec![Key::generate("key-2"), Key::generate("key-3")];
    stage.login().await.unwrap();
    stage.login().await.unwrap();
    assert_eq!(stage.op.count("/op/jwks"), 2);
    // Tokens with invented keys cause one request a minute.
    stage.op.state().jwks = Some(json!({ "keys": [] }));
    stage.op.state().keys = vec![Key::generate("key-4")];
    stage.pass(59);
    assert!(stage.fault().await.contains("no key that matches"));
    assert_eq!(stage.op.count("/op/jwks"), 2);
    stage.pass(1);
    for _ in 0..3 {
        assert!(stage.fault().await.contains("no key that matches"));
    }
    assert_eq!(stage.op.count("/op/jwks"), 3);
    assert_eq!(stage.op.count("/op/.well-known/openid-configuration"), 1);
}
