//! The rules, one by one.

use super::*;
use crate::config::SessionLife;

const LOOPBACK: Address = Address { loopback: true, tls: false };
const OPEN_TLS: Address = Address { loopback: false, tls: true };

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

fn mk_http(proxies: &[&str]) -> Http {
    Http {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        tls: None,
        public: Some("keysweep.example.com".parse().unwrap()),
        tokens: Vec::new(),
        socket: None,
        trusted_proxies: proxies.iter().map(|network| network.parse().unwrap()).collect(),
        oidc: None,
        session: SessionLife { idle: Duration::from_secs(60), lifetime: Duration::from_secs(60) },
    }
}

#[test]
fn local_users_have_the_roles_of_their_own_name() {
    let holding =
        |user: &str, role| Holding { holder: Holder::LocalUser(user.into()), grant: Grant::everywhere(role) };
    let group =
        Holding { holder: Holder::OidcGroup("dana".into()), grant: Grant::everywhere(Role::Operator) };
    let access = [holding("dana", Role::Viewer), holding("nobody", Role::Operator), group];
    for (uid, name, role) in [
        (0, "root", Some(Role::Operator)),
        (998, "keysweep", Some(Role::Operator)),
        (1000, "dana", Some(Role::Viewer)),
        (1001, "Dana", None),
        (1002, "erik", None),
        (1003, "uid 1003", None),
        // In a user namespace, everybody who is not mapped.
        (65_534, "nobody", None),
    ] {
        let caller = local_caller(&Actor::local(name), uid, 998, name, &access);
        assert_eq!(caller.best_role(), role, "{name}");
    }
}

fn mk_parts(peer: &str, pairs: &[(&'static str, &str)]) -> Parts {
    let (mut parts, ()) = axum::http::Request::new(()).into_parts();
    parts.headers = mk_headers(pairs);
    parts.extensions.insert(Peer(SocketAddr::new(peer.parse().unwrap(), 4711)));
    parts
}

#[test]
fn only_a_trusted_proxy_that_speaks_https_counts_as_tls() {
    let http = mk_http(&["10.42.0.0/16", "fd00::/8"]);
    let (host, https) = (("host", "keysweep.example.com"), ("x-forwarded-proto", "https"));
    for (peer, headers, trusted) in [
        ("10.42.3.7", &[host, https][..], true),
        ("::ffff:10.42.3.7", &[host, https], true),
        ("fd00::1", &[host, https], true),
        ("10.43.0.1", &[host, https], false),
        ("192.0.2.1", &[host, https], false),
        ("10.42.3.7", &[host], false),
        ("10.42.3.7", &[https], false),
        ("10.42.3.7", &[host, ("x-forwarded-proto", "http")], false),
        ("10.42.3.7", &[host, https, ("x-forwarded-proto", "http")], false),
        ("10.42.3.7", &[host, ("x-forwarded-proto", "https,http")], false),
        ("10.42.3.7", &[("host", "other.example.com"), https], false),
    ] {
        assert_eq!(is_from_trusted_proxy(&mk_parts(peer, headers), &http), trusted, "{peer} {headers:?}");
    }
    assert!(!is_from_trusted_proxy(&mk_parts("10.42.3.7", &[host, https]), &mk_http(&[])));
}

#[test]
fn the_address_of_a_client_is_what_trusted_proxies_say() {
    let http = mk_http(&["10.42.0.0/16"]);
    let forwarded = |value| ("x-forwarded-for", value);
    for (peer, headers, expected) in [
        ("192.0.2.1", &[forwarded("203.0.113.9")][..], "192.0.2.1"),
        ("10.42.0.1", &[forwarded("203.0.113.9")], "203.0.113.9"),
        ("10.42.0.1", &[forwarded("198.51.100.1, 203.0.113.9")], "203.0.113.9"),
        ("10.42.0.1", &[forwarded("203.0.113.9, 10.42.0.2")], "203.0.113.9"),
        ("10.42.0.1", &[forwarded("198.51.100.1"), forwarded("203.0.113.9")], "203.0.113.9"),
        ("10.42.0.1", &[forwarded("nonsense")], "10.42.0.1"),
        ("10.42.0.1", &[], "10.42.0.1"),
    ] {
        assert_eq!(client(&mk_parts(peer, headers), &http), expected, "{peer} {headers:?}");
    }
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
        &[host, ("sec-fetch-site", "same-origin"), ("origin", "null")],
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
        &[host, ("sec-fetch-site", "none"), ("origin", "null")],
        &[host, ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "none"), ("origin", "null")],
        &[host, ("sec-fetch-site", "cross-site"), ("origin", "null")],
        &[host, ("sec-fetch-site", "same-origin"), ("origin", "null"), ("origin", "https://evil.example")],
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
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
        let refused = bearer::token(&headers).err().unwrap_or(Refused::Unknown);
        let said = format!("{refused:?} {}", refused.why());
        assert!(!said.contains("5ec7e7"), "{said}");
    }
}
