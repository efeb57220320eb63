//! Which person the claims describe.

use std::collections::BTreeSet;

use keysweep_oidc::{LoginError, Person};
use serde_json::{Value, json};

use crate::server::Reply;
use crate::stage::Stage;

/// The outcome of a login with claims in the ID token and in userinfo, and whether userinfo was asked.
async fn login(claims: Value, userinfo: Value) -> (Result<Person, LoginError>, bool) {
    let stage = Stage::new().await;
    stage.op.state().claims = claims;
    stage.op.state().userinfo = userinfo;
    let result = stage.login().await;
    (result, stage.op.count("/op/userinfo") > 0)
}

async fn person(claims: Value) -> Person {
    login(claims, json!({ "sub": "anna" })).await.0.unwrap()
}

async fn fault(claims: Value) -> String {
    let shown = claims.to_string();
    let error = login(claims, json!({ "sub": "anna" })).await.0;
    error.expect_err(&shown).to_string()
}

fn groups(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[tokio::test]
async fn the_name_is_the_first_that_exists() {
    let email = json!({ "email": "anna@example.org", "email_verified": true });
    let with = |more: Value| {
        let mut claims = email.clone();
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        claims
    };
    assert_eq!(person(with(json!({ "name": "Anna A." }))).await.name, "anna@example.com");
    let claims = with(json!({ "name": "Anna A.", "preferred_username": null }));
    assert_eq!(person(claims).await.name, "Anna A.");
    assert_eq!(person(with(json!({ "preferred_username": " \u{202E}\n" }))).await.name, "anna@example.org");
    let unverified = json!({ "preferred_username": null, "email": "root@example.org" });
    assert_eq!(person(unverified).await.name, "anna");
}

#[tokio::test]
async fn a_name_is_one_short_line() {
    let claims = json!({ "preferred_username": format!("a\r\n\u{202E}b\u{0}{}", "c".repeat(500)) });
    let name = person(claims).await.name;
    assert_eq!(name, format!("a b {}...", "c".repeat(96)));
}

#[tokio::test]
async fn only_a_verified_address_counts() {
    let cases = [
        (json!(true), Some("a@example.org")),
        (json!("true"), Some("a@example.org")),
        (json!(false), None),
        (json!("false"), None),
        (Value::Null, None),
    ];
    for (verified, expected) in cases {
        let claims = json!({ "email": "a@example.org", "email_verified": verified });
        assert_eq!(person(claims).await.email.as_deref(), expected, "{verified}");
    }
    let long = format!("{}@example.org", "a".repeat(250));
    for email in ["a@example.org\n", "a b@example.org", "a@example\u{202E}.org", "a", &long] {
        let claims = json!({ "email": email, "email_verified": true });
        assert_eq!(person(claims).await.email, None, "{email:?}");
    }
    assert!(
        fault(json!({ "email": "a@example.org", "email_verified": 1 }))
            .await
            .contains("claims of the ID token are invalid")
    );
}

#[tokio::test]
async fn groups_are_a_string_or_an_array_of_strings() {
    assert_eq!(person(json!({ "groups": "a,b c" })).await.groups, groups(&["a,b c"]));
    assert_eq!(person(json!({ "groups": ["b", "a", "b"] })).await.groups, groups(&["a", "b"]));
    assert_eq!(person(json!({ "groups": [] })).await.groups, groups(&[]));
    for value in [json!(1), json!(true), json!({ "a": "b" }), json!(["a", 1]), json!([["a"]]), json!([null])]
    {
        let fault = fault(json!({ "groups": value })).await;
        assert!(fault.starts_with("unusable claim groups: "), "{value}: {fault}");
    }
}

#[tokio::test]
async fn names_of_groups_are_bounded() {
    let many = |count: usize| (0..count).map(|i| format!("group-{i}")).collect::<Vec<_>>();
    assert_eq!(person(json!({ "groups": many(500) })).await.groups.len(), 500);
    assert!(fault(json!({ "groups": many(501) })).await.contains("501 groups; at most 500"));
    assert_eq!(person(json!({ "groups": ["ä".repeat(256)] })).await.groups.len(), 1);
    for group in [String::new(), "a".repeat(257), "a\nb".to_owned(), "adm\u{200B}in".to_owned()] {
        let fault = fault(json!({ "groups": ["fine", group] })).await;
        assert!(fault.starts_with("unusable claim groups: a group "), "{fault}");
    }
}

#[tokio::test]
async fn subjects_are_bounded() {
    let subject = "a".repeat(255);
    assert_eq!(person(json!({ "sub": subject })).await.subject, subject);
    for subject in [String::new(), "a".repeat(256), "an\u{0}na".to_owned(), "anna\u{200D}".to_owned()] {
        let fault = fault(json!({ "sub": subject })).await;
        assert!(fault.starts_with("unusable claim sub: it "), "{fault}");
    }
    assert!(fault(json!({ "sub": null })).await.contains("claims of the ID token are invalid"));
}

#[tokio::test]
async fn too_many_groups_for_a_token_are_an_error() {
    let elsewhere = json!({ "groups": "src1", "other": "src1" });
    let overages = [
        json!({ "groups": null, "_claim_names": elsewhere, "_claim_sources": { "src1": { "endpoint": "https://x" } } }),
        json!({ "groups": null, "hasgroups": true }),
        json!({ "groups": null, "hasgroups": "true" }),
        json!({ "_claim_names": elsewhere }),
    ];
    for claims in overages {
        let (result, _) = login(claims.clone(), json!({ "sub": "anna", "groups": ["a"] })).await;
        assert_eq!(result, Err(LoginError::GroupsOverage { claim: "groups".to_owned() }), "{claims}");
    }
    let mut userinfo = json!({ "sub": "anna", "_claim_names": elsewhere });
    let (result, _) = login(json!({ "groups": null }), userinfo.clone()).await;
    assert_eq!(result, Err(LoginError::GroupsOverage { claim: "groups".to_owned() }));
    // The same of another claim is no concern of ours.
    userinfo["_claim_names"] = json!({ "roles": "src1" });
    assert_eq!(login(json!({ "groups": null }), userinfo).await.0.unwrap().groups, groups(&[]));
}

#[tokio::test]
async fn userinfo_supplies_what_the_token_lacks() {
    let userinfo = json!({
        "sub": "anna",
        "groups": ["from-userinfo"],
        "preferred_username": "anna-from-userinfo",
        "email": "anna@example.org",
        "email_verified": "true",
    });
    let (result, asked) = login(json!({}), userinfo.clone()).await;
    assert_eq!((result.unwrap().groups, asked), (groups(&["security"]), false));
    let (result, asked) = login(json!({ "groups": null }), userinfo.clone()).await;
    let person = result.unwrap();
    assert!(asked);
    assert_eq!(person.groups, groups(&["from-userinfo"]));
    assert_eq!((&*person.name, person.email.as_deref()), ("anna@example.com", Some("anna@example.org")));
    let (result, asked) = login(json!({ "preferred_username": null }), userinfo).await;
    let person = result.unwrap();
    assert!(asked);
    assert_eq!((person.groups, &*person.name), (groups(&["security"]), "anna-from-userinfo"));
}

#[tokio::test]
async fn userinfo_of_another_person_is_refused() {
    for userinfo in [json!({ "sub": "bert", "groups": ["admins"] }), json!({ "groups": ["admins"] })] {
        let (result, _) = login(json!({ "groups": null }), userinfo).await;
        let error = result.unwrap_err();
        assert!(matches!(error, LoginError::UserInfo { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_failure_of_userinfo_is_not_a_person_without_groups() {
    let stage = Stage::new().await;
    stage.op.state().claims = json!({ "groups": null });
    stage.op.state().replies.insert("/op/userinfo", Reply::Json(403, "{}".to_owned()));
    let expected = format!(
        "could not read claims at {}/userinfo: 403 Forbidden: unexpected HTTP status code",
        stage.op.issuer
    );
    assert_eq!(stage.fault().await, expected);
    // Whatever the access token is, it does not break the request in two.
    for token in ["a\r\nx: y".to_owned(), "ä".to_owned(), "a".repeat(20_000)] {
        let stage = Stage::new().await;
        stage.op.state().claims = json!({ "groups": null });
        stage.op.state().response = json!({ "access_token": token });
        assert!(stage.fault().await.contains("invalid characters"));
        assert_eq!(stage.op.count("/op/userinfo"), 0);
    }
}

#[tokio::test]
async fn a_provider_without_userinfo_is_asked_for_nothing_more() {
    let stage = Stage::new().await;
    stage.op.state().discovery.as_object_mut().unwrap().remove("userinfo_endpoint");
    stage.op.state().claims = json!({ "groups": null, "preferred_username": null });
    let person = stage.login().await.unwrap();
    assert_eq!((&*person.name, person.groups), ("anna", groups(&[])));
}

#[tokio::test]
async fn the_groups_claim_can_have_any_name() {
    let stage = Stage::with(|settings| settings.groups_claim = "https://example.com/roles".to_owned()).await;
    stage.op.state().claims = json!({ "https://example.com/roles": ["a"] });
    assert_eq!(stage.login().await.unwrap().groups, groups(&["a"]));
}
