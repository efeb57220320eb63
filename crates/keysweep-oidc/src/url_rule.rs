//! Which URLs are safe to use: HTTPS, or HTTP on this machine.

use reqwest::Url;

/// The host without the brackets of IPv6.
fn host(url: &Url) -> Option<&str> {
    url.host_str().map(|host| host.trim_start_matches('[').trim_end_matches(']'))
}

/// Whether the host of a URL is this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    // `Url` has normalized every notation of an address.
    host(url).is_some_and(|host| {
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    })
}

/// Whether a URL is HTTP on this machine, which is only for development and tests.
pub(crate) fn is_plain_loopback(url: &Url) -> bool {
    url.scheme() == "http" && is_loopback(url)
}

/// Checks that a URL is HTTPS or, if `plain`, HTTP on this machine.
pub(crate) fn check(url: &Url, plain: bool) -> Result<(), String> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the URL must not contain a user name or password".to_owned());
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if plain && is_loopback(url) => Ok(()),
        _ if plain => Err("the URL must begin with https:// (http:// only for localhost)".to_owned()),
        _ => Err("the URL must begin with https://".to_owned()),
    }
}

/// A URL without query and fragment, for messages.
pub(crate) fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_only_for_this_machine() {
        for url in ["http://localhost:1/", "http://127.0.0.1/", "http://127.1/", "http://[::1]:1/"] {
            let url = Url::parse(url).unwrap();
            assert!(is_plain_loopback(&url), "{url}");
            assert_eq!(check(&url, true), Ok(()), "{url}");
            assert!(check(&url, false).is_err(), "{url}");
        }
        for url in [
            "http://example.com/",
            "http://10.0.0.1/",
            "http://localhost.example.com/",
            "http://127.0.0.1.example.com/",
            "ftp://localhost/",
            "https://user@localhost/",
            "https://:password@localhost/",
        ] {
            assert!(check(&Url::parse(url).unwrap(), true).is_err(), "{url}");
        }
        assert_eq!(check(&Url::parse("https://example.com/").unwrap(), false), Ok(()));
    }
}
