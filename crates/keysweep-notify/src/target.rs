//! What a URL may lead to, decided before a connection is made.

use std::net::{IpAddr, SocketAddr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::address::Reach;

/// What a URL may lead to.
pub(crate) fn reach(url: &Url, allow_private: bool) -> Result<Reach, String> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the URL must not contain a user name or password".to_owned());
    }
    let Some(host) = url.host_str() else { return Err("the URL has no host".to_owned()) };
    // The client connects to a literal address without asking the resolver. `Url` has normalized every notation.
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
    let reach = match (url.scheme(), allow_private) {
        ("https", true) => Reach::Any,
        ("https", false) => Reach::Global,
        ("http", true) if host == "localhost" || literal.is_some() => Reach::Loopback,
        ("http", _) => {
            return Err(
                "the URL must begin with https:// (http:// only for localhost, with allow_private)".into()
            );
        }
        _ => return Err("the URL must begin with https://".to_owned()),
    };
    match literal {
        Some(address) if !reach.allows(address) => Err(forbidden(reach, address)),
        _ => Ok(reach),
    }
}

fn forbidden(reach: Reach, address: IpAddr) -> String {
    match reach {
        Reach::Loopback => format!("http:// is only for this machine, and {address} is not"),
        _ => format!("{address} is not a public address; set allow_private = true to allow it"),
    }
}

/// A name has an address that must not be reached.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Forbidden(String);

/// The system's resolver. Names with a single address out of reach are refused as a whole: the connection is made to the
/// addresses that were checked, so that a name that changes between check and connection gains nothing.
pub(crate) struct CheckedResolver(pub(crate) Reach);

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let addresses = checked(reach, found.collect())?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

pub(crate) fn checked(reach: Reach, addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Forbidden> {
    match addresses.iter().map(SocketAddr::ip).find(|address| !reach.allows(*address)) {
        Some(address) => Err(Forbidden(forbidden(reach, address))),
        None => Ok(addresses),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach_of(url: &str, allow_private: bool) -> Result<Reach, String> {
        reach(&Url::parse(url).unwrap(), allow_private)
    }

    #[test]
    fn https_is_required_off_loopback() {
        assert_eq!(reach_of("https://example.com/x", false), Ok(Reach::Global));
        assert_eq!(reach_of("https://example.com/x", true), Ok(Reach::Any));
        for url in ["http://localhost:1/", "http://127.0.0.1:1/", "http://[::1]:1/", "http://127.1/"] {
            assert_eq!(reach_of(url, true), Ok(Reach::Loopback), "{url}");
            assert!(reach_of(url, false).is_err(), "{url}");
        }
        for url in
            ["http://example.com/", "http://10.0.0.1/", "http://localhost.example.com/", "ftp://localhost/"]
        {
            assert!(reach_of(url, true).is_err(), "{url}");
        }
    }

    #[test]
    fn literal_private_addresses_are_refused_in_every_notation() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "169.254.169.254",
            "0xa9fea9fe",
            "10.0.0.1",
            "[::1]",
            "[::ffff:169.254.169.254]",
            "[fd00:ec2::254]",
            "[64:ff9b::a9fe:a9fe]",
            "0",
        ] {
            let url = format!("https://{host}/hook");
            assert!(reach_of(&url, false).unwrap_err().contains("not a public address"), "{url}");
            assert_eq!(reach_of(&url, true), Ok(Reach::Any), "{url}");
        }
    }

    #[test]
    fn credentials_in_a_url_are_refused() {
        for url in ["https://a@example.com/", "https://a:b@example.com/", "https://:b@example.com/"] {
            assert!(reach_of(url, true).is_err(), "{url}");
        }
    }

    #[test]
    fn one_private_address_of_a_name_refuses_the_name() {
        let mk =
            |all: &[&str]| all.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0)).collect::<Vec<_>>();
        let public = mk(&["1.1.1.1", "2606:4700:4700::1111"]);
        assert_eq!(checked(Reach::Global, public.clone()).unwrap(), public);
        let mixed = mk(&["1.1.1.1", "169.254.169.254"]);
        assert!(checked(Reach::Global, mixed.clone()).unwrap_err().0.contains("169.254.169.254"));
        assert_eq!(checked(Reach::Any, mixed.clone()).unwrap(), mixed);
        assert!(checked(Reach::Loopback, mk(&["127.0.0.1", "10.0.0.1"])).is_err());
    }
}
