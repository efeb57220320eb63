//! E-mail addresses, as far as a notice may be sent to one that somebody wrote into a tag.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An e-mail address in its common form: no quotes, no comments, ASCII only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EmailAddress(String);

/// A text that is no e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an e-mail address such as \"dana@example.com\"")]
pub struct NotAnAddress;

impl EmailAddress {
    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }

    /// Whether it is in one of these domains itself; a subdomain is another one.
    #[must_use]
    pub fn is_in(&self, domains: &[Domain]) -> bool {
        domains.iter().any(|domain| domain.0.eq_ignore_ascii_case(self.domain()))
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for EmailAddress {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address: email_address::EmailAddress = text.parse().map_err(|_| NotAnAddress)?;
        // RFC 5322 allows more: quoted names, slashes, and addresses of hosts in brackets.
        let common = |c: char| c.is_ascii_alphanumeric() || ".+-_'@".contains(c);
        let domain: Result<Domain, _> = address.domain().parse();
        if !text.chars().all(common) || domain.is_err() {
            return Err(NotAnAddress);
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for EmailAddress {
    type Error = NotAnAddress;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<EmailAddress> for String {
    fn from(address: EmailAddress) -> Self {
        address.0
    }
}

/// The domain of e-mail addresses: of ASCII letters, digits, and hyphens, with a dot. One of a tag that looks like
/// another in some script is therefore not it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain(String);

impl Domain {
    /// The domain.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Domain {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let label = |label: &str| {
            let edges = label.starts_with('-') || label.ends_with('-');
            let chars = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            // RFC 1035, 2.3.4.
            (1..=63).contains(&label.len()) && chars && !edges
        };
        if text.contains('.') && text.len() <= 253 && text.split('.').all(label) {
            Ok(Self(text.to_owned()))
        } else {
            Err("a domain such as \"example.com\"")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_what_a_mail_server_takes_without_quotes() {
        for good in ["dana@example.com", "d.o+keys@sub.example.co.uk", "o'brien@example.com", "a@b-c.de"] {
            assert_eq!(good.parse::<EmailAddress>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "dana",
            "@example.com",
            "dana@",
            "dana@localhost",
            "dana@@example.com",
            "\"da na\"@example.com",
            "dana@[127.0.0.1]",
            "dana@example.com\r\nBcc: eve@evil.example",
            "dana <dana@example.com>",
            " dana@example.com",
            "d\u{e4}na@example.com",
            "dana@ex\u{430}mple.com",
            "dana@-example.com",
            "dana@example..com",
            ".dana@example.com",
            "team/dana@example.com",
            "mailto:dana@example.com",
        ] {
            assert!(bad.parse::<EmailAddress>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_domain_is_itself_and_no_other() {
        let allowed: Vec<Domain> = vec!["example.com".parse().unwrap()];
        let is_in = |text: &str| text.parse::<EmailAddress>().unwrap().is_in(&allowed);
        assert!(is_in("dana@example.com"));
        assert!(is_in("dana@EXAMPLE.com"));
        for other in ["dana@sub.example.com", "dana@notexample.com", "dana@example.com.evil.example"] {
            assert!(!is_in(other), "{other}");
        }
    }
}
