//! Who writes to whom.

use lettre::Address;
use lettre::message::Mailbox;
use lettre::transport::smtp::extension::ClientId;

use crate::plain::one_line;

/// A person or a program with an email address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Party {
    name: Option<String>,
    /// Its domain is ASCII.
    address: Address,
}

impl Party {
    /// Reads `Anna Smith <anna@example.com>`, `"Smith, Anna" <anna@example.com>` or `anna@example.com`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        // Names are cleaned; an address with a control character is refused, not changed into another.
        let text = text.trim();
        let (name, address) = match text.strip_suffix('>').and_then(|text| text.rsplit_once('<')) {
            Some((name, address)) => (one_line(name), address.trim()),
            None => (String::new(), text),
        };
        let name = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(&name);
        let invalid = || format!("{:?} is not an email address", one_line(address));
        let (user, domain) = address.rsplit_once('@').ok_or_else(invalid)?;
        let domain = if domain.is_ascii() {
            domain.to_owned()
        } else {
            idna::domain_to_ascii(domain).map_err(|_| invalid())?
        };
        if one_line(address) != address || address.contains(['<', '>', ' ']) {
            return Err(invalid());
        }
        let address = Address::new(user, domain).map_err(|_| invalid())?;
        let name = Some(name.trim().to_owned()).filter(|name| !name.is_empty());
        Ok(Self { name, address })
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    pub(super) fn domain(&self) -> &str {
        self.address.domain()
    }

    /// Whether only a server with `SMTPUTF8` takes the address.
    pub(super) fn is_beyond_ascii(&self) -> bool {
        !self.address.user().is_ascii()
    }

    pub(super) fn mailbox(&self) -> Mailbox {
        Mailbox::new(self.name.clone(), self.address.clone())
    }
}

/// The name for `EHLO`, from a domain or an address.
pub(super) fn hello(name: &str) -> Result<ClientId, String> {
    let literal = name.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = literal.trim_start_matches("IPv6:").parse() {
        return Ok(match address {
            std::net::IpAddr::V4(v4) => ClientId::Ipv4(v4),
            std::net::IpAddr::V6(v6) => ClientId::Ipv6(v6),
        });
    }
    let valid = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if name.is_empty() || name.len() > 253 || !name.chars().all(valid) {
        return Err(format!("helo {:?}: expected a host name", one_line(name)));
    }
    Ok(ClientId::Domain(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<(Option<String>, String)> {
        Party::parse(text).ok().map(|party| (party.name, party.address.to_string()))
    }

    #[test]
    fn names_and_addresses_are_told_apart() {
        let some = |name: &str, address: &str| Some((Some(name.to_owned()), address.to_owned()));
        assert_eq!(parse(" anna@example.com "), Some((None, "anna@example.com".to_owned())));
        assert_eq!(parse("<anna@example.com>"), Some((None, "anna@example.com".to_owned())));
        assert_eq!(parse("Anna Smith <anna@example.com>"), some("Anna Smith", "anna@example.com"));
        assert_eq!(parse("\"Smith, Anna\" <a@example.com>"), some("Smith, Anna", "a@example.com"));
        assert_eq!(parse("x <b@evil.example> <a@example.com>"), some("x <b@evil.example>", "a@example.com"));
        assert_eq!(parse("Jürgen <j@bücher.example>"), some("Jürgen", "j@xn--bcher-kva.example"));
        assert_eq!(parse("a\r\nBcc: b <a@example.com>"), some("a Bcc: b", "a@example.com"));
    }

    #[test]
    fn addresses_with_line_breaks_or_more_than_one_are_refused() {
        for text in [
            "",
            "anna",
            "@example.com",
            "anna@",
            "a@example.com, b@example.com",
            "a@example.com\r\nRCPT TO:b@c.d",
            "a\n@example.com",
            "a@exam\u{202E}ple.com",
            "a\u{202E}b@example.com",
            "<a@example.com> b",
            "a b@example.com",
            "a>@example.com",
            "x <a@example.com\0>",
            "a@example.com> BODY=8BITMIME",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_name_of_the_greeting_is_a_host() {
        assert_eq!(hello("mail.example.com").unwrap().to_string(), "mail.example.com");
        assert_eq!(hello("[127.0.0.1]").unwrap().to_string(), "[127.0.0.1]");
        for name in ["", "a b", "a\r\nMAIL FROM:<x>", "ä.example"] {
            assert!(hello(name).is_err(), "{name:?}");
        }
    }
}
