//! The rules, one by one.

use axum::http::HeaderValue;
use axum::http::header::AUTHORIZATION;

use super::*;
use crate::token::{Digest, Token};

const LOOPBACK: Address = Address { loopback: true, tls: false };
const LOOPBACK_TLS: Address = Address { loopback: true, tls: true };
const OPEN: Address = Address { loopback: false, tls: false };
const OPEN_TLS: Address = Address { loopback: false, tls: true };

#[test]
fn what_it_takes_follows_from_listener_role_and_whether_there_are_tokens() {
    use Closed::{NoTokens, PlainHttp};
    use Role::{Operator, Viewer};
    use Wanted::{Never, Nothing, Token};
    let mk = |role: Role| crate::token::Token { name: "x".into(), role, digest: Digest::of("x") };
    for (listener, role, any_token, expected) in [
        (LOOPBACK, Viewer, false, Nothing),
        (LOOPBACK, Viewer, true, Nothing),
        (LOOPBACK, Operator, false, Never(NoTokens)),
        (LOOPBACK, Operator, true, Token),
        (LOOPBACK_TLS, Viewer, false, Nothing),
        (LOOPBACK_TLS, Viewer, true, Nothing),
        (LOOPBACK_TLS, Operator, false, Never(NoTokens)),
        (LOOPBACK_TLS, Operator, true, Token),
        (OPEN, Viewer, false, Never(PlainHttp)),
        (OPEN, Viewer, true, Never(PlainHttp)),
        (OPEN, Operator, false, Never(PlainHttp)),
        (OPEN, Operator, true, Never(PlainHttp)),
        (OPEN_TLS, Viewer, false, Never(NoTokens)),
        (OPEN_TLS, Viewer, true, Token),
        (OPEN_TLS, Operator, false, Never(NoTokens)),
        (OPEN_TLS, Operator, true, Token),
    ] {
        let tokens = if any_token { vec![mk(Operator)] } else { Vec::new() };
        assert_eq!(listener.wants(role, &tokens), expected, "{listener:?} {role} {any_token}");
    }
}

#[test]
fn a_viewer_token_closes_the_page_on_loopback() {
    let tokens = mk_http().tokens;
    assert_eq!(LOOPBACK.wants(Role::Viewer, &tokens), Wanted::Token);
    assert_eq!(LOOPBACK_TLS.wants(Role::Viewer, &tokens), Wanted::Token);
}

#[test]
fn a_proxied_request_is_known_by_headers_or_host() {
    let public: Authority = "keysweep.example.com".parse().unwrap();
    let local = ("host", "127.0.0.1:9853");
    assert!(!is_proxied(&mk_headers(&[local]), Some(&public)));
    assert!(!is_proxied(&mk_headers(&[("host", "keysweep.example.com")]), None));
    for host in ["keysweep.example.com", "KEYSWEEP.example.com:443"] {
        assert!(is_proxied(&mk_headers(&[("host", host)]), Some(&public)), "{host}");
    }
    assert!(!is_proxied(&mk_headers(&[("host", "keysweep.example.com:8443")]), Some(&public)));
    for name in FORWARDING {
        assert!(is_proxied(&mk_headers(&[local, (name, "x")]), None), "{name}");
    }
}

fn mk_http() -> Http {
    let token = |name: &str, role| Token { name: name.into(), role, digest: Digest::of(name) };
    Http {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        tls: None,
        public: None,
        tokens: vec![token("looker", Role::Viewer), token("boss", Role::Operator)],
    }
}

fn who(token: &str, role: Role) -> Result<String, Refused> {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
    known(&headers, &mk_http(), role).map(|actor| actor.to_string())
}

#[test]
fn a_token_opens_what_its_role_may_and_nothing_above() {
    assert_eq!(who("looker", Role::Viewer), Ok("token looker".into()));
    assert_eq!(who("boss", Role::Viewer), Ok("token boss".into()));
    assert_eq!(who("boss", Role::Operator), Ok("token boss".into()));
    let weak = Refused::Weak { name: "looker".into(), has: Role::Viewer, wants: Role::Operator };
    assert_eq!(who("looker", Role::Operator), Err(weak));
    assert_eq!(who("nobody", Role::Viewer), Err(Refused::Unknown));
    assert_eq!(known(&HeaderMap::new(), &mk_http(), Role::Viewer), Err(Refused::Missing));
}

fn mk_headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

#[test]
fn what_a_page_of_another_site_has_a_browser_ask_is_known() {
    let host = ("host", "keysweep.example:9853");
    for own in [
        &[host][..],
        &[host, ("sec-fetch-site", "none")],
        &[host, ("sec-fetch-site", "same-origin"), ("origin", "https://keysweep.example:9853")],
        &[host, ("origin", "https://KEYSWEEP.example:9853")],
    ] {
        assert!(!from_elsewhere(&mk_headers(own), OPEN_TLS, None), "{own:?}");
    }
    for others in [
        &[host, ("sec-fetch-site", "cross-site")][..],
        &[host, ("sec-fetch-site", "same-site")],
        &[host, ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
        &[host, ("sec-fetch-site", "nonsense")],
        &[host, ("origin", "https://evil.example")],
        &[host, ("origin", "https://keysweep.example")],
        &[host, ("origin", "http://keysweep.example:9853")],
        &[host, ("origin", "null")],
        &[host, ("origin", "")],
        &[host, ("origin", "https://keysweep.example:9853"), ("origin", "https://evil.example")],
        &[("origin", "https://keysweep.example:9853")],
    ] {
        assert!(from_elsewhere(&mk_headers(others), OPEN_TLS, None), "{others:?}");
    }
    assert!(!from_elsewhere(
        &mk_headers(&[host, ("origin", "http://keysweep.example:9853")]),
        LOOPBACK,
        None
    ));
}

#[tokio::test(start_paused = true)]
async fn failures_are_noted_up_to_a_bound_and_again_after_a_while() {
    let failures = Failures::new();
    for _ in 0..WRONG_AT_ONCE {
        assert_eq!(failures.note(), Ok(0));
    }
    assert_eq!(failures.note(), Err(WRONG_EVERY));
    assert_eq!(failures.note(), Err(WRONG_EVERY));
    tokio::time::advance(WRONG_EVERY).await;
    assert_eq!(failures.note(), Ok(2), "what was not logged is counted");
    assert_eq!(failures.note(), Err(WRONG_EVERY));
}

#[test]
fn no_refusal_repeats_a_token() {
    for token in ["keysweep_token_5ec7e7", "5ec7e7\"", "5ec7e7, 5ec7e7"] {
        let refused = who(token, Role::Operator).unwrap_err();
        let said = format!("{refused:?} {}", refused.why());
        assert!(!said.contains("5ec7e7"), "{said}");
    }
}
