//! `[http]`: tokens, certificate, and what of them is shown.

use super::*;
use crate::config::load_to_serve;
use crate::token::{Digest, PREFIX, Role};

fn mk_token(name: &str, role: &str, token: &str) -> String {
    let digest = Digest::of(token).to_hex();
    format!("[[http.token]]\nname = {name:?}\nrole = {role:?}\nsha256 = {digest:?}\n")
}

fn mk_secret() -> String {
    format!("{PREFIX}{}", "0badcafe".repeat(8))
}

#[test]
fn tokens_are_read_with_name_role_and_digest() {
    let text = format!("{}{}", mk_token("dana", "operator", "a"), mk_token("ci", "viewer", "b"));
    let tokens = load_text(&text).unwrap().http.tokens;
    let read: Vec<_> = tokens.iter().map(|token| (token.name.as_str(), token.role)).collect();
    assert_eq!(read, [("dana", Role::Operator), ("ci", Role::Viewer)]);
    assert_eq!(tokens[0].digest, Digest::of("a"));
}

#[test]
fn every_mistake_in_tokens_and_certificate_is_told_at_once() {
    let empty = Digest::of("").to_hex();
    let text = format!(
        "http.tls.cert_file = \"/etc/keysweep/tls.crt\"\n{}{}{}[[http.token]]\n[[http.token]]\nname = \"two words\"\n\
         role = \"admin\"\nsha256 = \"abc\"\n[[http.token]]\nname = \"nobody\"\nrole = \"viewer\"\nsha256 = {empty:?}\n",
        mk_token("dana", "operator", "a"),
        mk_token("Dana", "viewer", "b"),
        mk_token("eve", "viewer", "a"),
    );
    insta::assert_snapshot!(problems(&text).join("\n"), @r#"
    http.tls.key_file: missing: expected the file with the private key of http.tls.cert_file
    http.token[2].name: the same name as that of http.token[1]
    http.token[3].sha256: the same token as that of "dana": expected one for each
    http.token[4].name: missing: expected 1 to 64 letters, digits or ._@-, such as "dana" or "ci-deploy"
    http.token[4].role: missing: expected "viewer", "approver", or "operator"
    http.token[4].sha256: missing: expected 64 hexadecimal digits: the SHA-256 of a token, as `keysweep token new` prints it
    http.token[5].name: found "two words", expected 1 to 64 letters, digits or ._@-, such as "dana" or "ci-deploy"
    http.token[5].role: found "admin", expected "viewer", "approver" or "operator"
    http.token[5].sha256: found a value that is not shown, expected 64 hexadecimal digits: the SHA-256 of a token, as `keysweep token new` prints it
    http.token[6].sha256: the SHA-256 of an empty text: expected that of a token
    "#);
}

#[test]
fn a_token_in_place_of_anything_else_is_not_repeated() {
    let secret = mk_secret();
    for text in [
        format!("[[http.token]]\nname = \"a\"\nrole = \"viewer\"\nsha256 = {secret:?}\n"),
        format!("[[http.token]]\nname = {secret:?}\nrole = \"viewer\"\nsha256 = \"{}\"\n", "0".repeat(64)),
        format!("[[http.token]]\nname = \"a\"\nrole = {secret:?}\nsha256 = \"{}\"\n", "0".repeat(64)),
        format!("[[http.token]]\nname = [{secret:?}]\n"),
        format!("[http]\ntoken = {secret:?}\n"),
        format!("[http]\ntoken = [{secret:?}]\n"),
        format!("[http]\nlisten = {secret:?}\n"),
        format!("log.format = {secret:?}\nscan.interval = {secret:?}\n"),
    ] {
        let error = load_text(&text).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("0badcafe"), "{error}");
    }
    let file = mk_file("");
    for variable in ["KEYSWEEP__HTTP__TOKEN", "KEYSWEEP__HTTP__LISTEN", "KEYSWEEP__HTTP__TOKENS"] {
        let error = load(&mk_sources(file.path(), &[(variable, &secret)]), mk_now()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("0badcafe"), "{error}");
    }
}

#[test]
fn whose_tokens_there_are_is_shown_and_their_digests_are_not() {
    let digest = Digest::of("hunter2").to_hex();
    let config = load_text(&mk_token("dana", "operator", "hunter2")).unwrap();
    let shown = config.effective.to_toml();
    let json = serde_json::to_string(&config.effective).unwrap();
    for text in [shown.as_str(), &json, &format!("{config:?}")] {
        assert!(text.contains("dana") && !text.contains(&digest[..8]), "{text}");
    }
    assert!(
        shown.contains("[[http.token]]\nname = \"dana\"") && shown.contains("role = \"operator\""),
        "{shown}"
    );
}

#[test]
fn what_no_token_will_open_is_a_warning() {
    let token = mk_token("dana", "operator", "a");
    let tls = "http.tls = { cert_file = \"a\", key_file = \"b\" }\n";
    let warned = |listen: &str, rest: &str| {
        let config = load_text(&format!("http.listen = \"{listen}:9853\"\n{rest}")).unwrap();
        config.warnings.iter().map(|warning| warning.key.clone()).collect::<Vec<_>>()
    };
    for local in ["127.0.0.1", "127.0.0.2", "[::1]"] {
        assert!(warned(local, &token).is_empty() && warned(local, tls).is_empty());
    }
    for open in ["0.0.0.0", "10.1.2.3", "[::]"] {
        assert_eq!(warned(open, &token), ["http.token"]);
        assert_eq!(warned(open, tls), ["http.tls"]);
        assert!(warned(open, &format!("{tls}{token}")).is_empty());
        assert!(warned(open, "").is_empty());
    }
}

#[test]
fn a_certificate_is_read_by_who_serves_and_nobody_else() {
    let text = "http.tls = { cert_file = \"/nonexistent/tls.crt\", key_file = \"/nonexistent/tls.key\" }\nscan.interval = \"never\"";
    let (file, good) = (mk_file(text), mk_file(text.split_once('\n').unwrap().0));
    assert!(load(&mk_sources(good.path(), &[]), mk_now()).is_ok());
    let error = load_to_serve(&mk_sources(file.path(), &[]), mk_now()).unwrap_err().to_string();
    assert!(error.starts_with("3 errors in the configuration:"), "{error}");
    assert!(error.contains(":1: http.tls.cert_file: read /nonexistent/tls.crt: No such file"), "{error}");
    assert!(error.contains(":1: http.tls.key_file: read /nonexistent/tls.key: No such file"), "{error}");
    let (_, identity) = load_to_serve(&mk_sources(mk_file("").path(), &[]), mk_now()).unwrap();
    assert!(identity.is_none());
}
