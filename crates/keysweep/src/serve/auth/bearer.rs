//! The `Authorization` header (RFC 9110, section 11.6.2; RFC 6750, section 2.1).

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use super::refusal::Refused;

/// Far more than a token has. Longer ones are not even hashed.
const MAX_BYTES: usize = 512;

/// The one bearer token in the headers.
pub(super) fn token(headers: &HeaderMap) -> Result<&str, Refused> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let one = match (all.next(), all.next()) {
        (None, _) => return Err(Refused::Missing),
        (Some(one), None) => one,
        (Some(_), Some(_)) => return Err(Refused::Malformed("there is more than one Authorization header")),
    };
    let text = one.to_str().map_err(|_| Refused::Malformed("the Authorization header is not ASCII text"))?;
    let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Refused::OtherScheme);
    }
    let token = rest.trim_start_matches(' ');
    if token.is_empty() {
        return Err(Refused::Malformed("there is no token after Bearer"));
    }
    if token.len() > MAX_BYTES {
        return Err(Refused::Malformed("the token is longer than any of ours"));
    }
    if !is_b64token(token) {
        return Err(Refused::Malformed("the token has characters that no token has"));
    }
    Ok(token)
}

/// `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`.
fn is_b64token(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !body.is_empty() && body.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn mk_headers(values: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    #[test]
    fn one_bearer_token_is_taken_as_the_standard_writes_it() {
        for (value, expected) in [
            (&b"Bearer abc"[..], "abc"),
            (b"bearer abc", "abc"),
            (b"BEARER   a-b._~+/c==", "a-b._~+/c=="),
            (b"Bearer keysweep_token_00ff", "keysweep_token_00ff"),
        ] {
            assert_eq!(token(&mk_headers(&[value])).unwrap(), expected);
        }
    }

    #[test]
    fn anything_else_is_refused_by_its_name() {
        let long = format!("Bearer {}", "a".repeat(MAX_BYTES + 1));
        for value in [
            &b"Bearer"[..],
            b"Bearer ",
            b"Bearer a b",
            b"Bearer a,b",
            b"Bearer a, Bearer b",
            b"Bearer \"abc\"",
            b"Bearer =",
            b"Bearer a=b",
            b"Bearer \tabc",
            b"Bearer abc ",
            b"Bearer \xff\xfe",
            b"Bearer caf\xc3\xa9",
            long.as_bytes(),
        ] {
            let headers = mk_headers(&[value]);
            let refused = token(&headers);
            assert!(matches!(refused, Err(Refused::Malformed(_))), "{} {refused:?}", value.escape_ascii());
        }
        for value in [&b""[..], b"Basic YTpi", b"abc", b"Bearerabc", b"Token abc", b"Bearer\tabc"] {
            let headers = mk_headers(&[value]);
            let refused = token(&headers);
            assert!(matches!(refused, Err(Refused::OtherScheme)), "{} {refused:?}", value.escape_ascii());
        }
        assert!(matches!(token(&mk_headers(&[])), Err(Refused::Missing)));
        let headers = mk_headers(&[b"Bearer abc", b"Bearer abc"]);
        let twice = token(&headers);
        assert!(matches!(twice, Err(Refused::Malformed(_))), "{twice:?}");
    }
}
