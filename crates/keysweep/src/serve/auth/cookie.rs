//! Cookies (RFC 6265): of a session, and of a login that is under way.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};

/// The cookie of a session.
pub(in crate::serve) const SESSION: &str = "keysweep_session";

/// The cookie of a login through a provider that is under way.
pub(in crate::serve) const LOGIN: &str = "keysweep_login";

/// Browsers accept a cookie of this name only from this very host over https (RFC 6265bis, section 4.1.3.2).
const HOST_ONLY: &str = "__Host-";

/// Far longer than ours. Others are not even hashed.
const MAX_BYTES: usize = 128;

/// The values of a cookie. Other servers on this host can set one of the same name, so there may be several. Where the
/// browser speaks https, only the name with the prefix counts: any server of the domain can set the other one.
pub(in crate::serve) fn all<'h>(
    headers: &'h HeaderMap,
    name: &'static str,
    secure: bool,
) -> impl Iterator<Item = &'h str> {
    let texts = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let ours = pairs.filter(move |(found, _)| match secure {
        true => found.strip_prefix(HOST_ONLY) == Some(name),
        false => *found == name,
    });
    ours.map(|(_, value)| value).filter(|value| value.len() <= MAX_BYTES).take(4)
}

/// What sets a cookie until the browser closes. It goes to this host only, and to no script.
///
/// `SameSite=Lax`: the way back from a provider is a navigation from another site, and must find the cookie.
pub(in crate::serve) fn set(name: &str, value: &str, secure: bool) -> Option<HeaderValue> {
    header(name, value, secure, "")
}

/// What removes a cookie.
pub(in crate::serve) fn clear(name: &str, secure: bool) -> Option<HeaderValue> {
    header(name, "", secure, "; Max-Age=0")
}

fn header(name: &str, value: &str, secure: bool, more: &str) -> Option<HeaderValue> {
    let (prefix, flag) = if secure { (HOST_ONLY, "; Secure") } else { ("", "") };
    let text = format!("{prefix}{name}={value}; Path=/; HttpOnly; SameSite=Lax{flag}{more}");
    let mut header = HeaderValue::try_from(text).ok()?;
    header.set_sensitive(true);
    Some(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_bound_to_this_host_and_hidden_from_scripts() {
        let secure = set(SESSION, "abc", true).unwrap();
        let expected = "__Host-keysweep_session=abc; Path=/; HttpOnly; SameSite=Lax; Secure";
        assert_eq!(secure.to_str().unwrap(), expected);
        assert!(secure.is_sensitive());
        let plain = set(SESSION, "abc", false).unwrap();
        assert_eq!(plain.to_str().unwrap(), "keysweep_session=abc; Path=/; HttpOnly; SameSite=Lax");
        assert!(clear(SESSION, true).unwrap().to_str().unwrap().ends_with("; Max-Age=0"));
    }

    #[test]
    fn cookies_are_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(
            COOKIE,
            HeaderValue::from_static("a=b; __Host-keysweep_session=one;keysweep_session=two"),
        );
        headers.append(COOKIE, HeaderValue::from_static("keysweep_login=three; keysweep_sessions=x"));
        assert_eq!(all(&headers, SESSION, true).collect::<Vec<_>>(), ["one"]);
        assert_eq!(all(&headers, SESSION, false).collect::<Vec<_>>(), ["two"]);
        assert_eq!(all(&headers, LOGIN, false).collect::<Vec<_>>(), ["three"]);
        assert_eq!(all(&headers, LOGIN, true).count(), 0);
        let long = format!("keysweep_session={}", "a".repeat(MAX_BYTES + 1));
        headers.insert(COOKIE, HeaderValue::from_str(&long).unwrap());
        assert_eq!(all(&headers, SESSION, false).count(), 0);
    }
}
