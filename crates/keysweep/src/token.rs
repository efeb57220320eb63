//! Tokens, by which keysweep knows over HTTP who asks.
//!
//! A token is 256 random bits. Only its digest is configured, so that nothing that keysweep reads or holds is of use to
//! whoever sees it; a plain SHA-256 does, since nobody can try so many tokens.

use std::fmt;
use std::str::FromStr;

pub use keysweep_api::Role;
use keysweep_core::policy::Match;

use crate::access::Grant;
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// How every token begins, so that scanners for secrets, and people, know one when they see it.
pub const PREFIX: &str = "keysweep_token_";

/// What the name of a token is, in words.
pub const NAME: &str = "1 to 64 letters, digits or ._@-, such as \"dana\" or \"ci-deploy\"";

/// Longer than any name that a person reads, and short enough for a line of the log.
const NAME_BYTES: usize = 64;

/// Random bytes in a token.
const BYTES: usize = 32;

/// A token as it is configured.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// Whose it is, in the log.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// What it is known by.
    pub digest: Digest,
    /// The accounts in which it has its role; `None` for the whole organization.
    pub scope: Option<Match>,
}

impl Token {
    /// The role of its holder.
    #[must_use]
    pub fn grant(&self) -> Grant {
        Grant { role: self.role, scope: self.scope.clone() }
    }
}

/// The SHA-256 of a token. Compared in constant time, and never shown.
#[derive(Clone, Copy)]
pub struct Digest([u8; 32]);

/// A text that is no [`Digest`]. It is not repeated: it may be the token itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("64 hexadecimal digits: the SHA-256 of a token, as `keysweep token new` prints it")]
pub struct ParseDigestError;

impl Digest {
    /// The digest of a token.
    #[must_use]
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// As it is configured: 64 hexadecimal digits.
    #[must_use]
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Digest {}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(..)")
    }
}

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| ParseDigestError)?;
        Ok(Self(bytes))
    }
}

/// A new token.
///
/// # Errors
/// If the system has no random numbers to give.
pub fn make() -> Result<SecretString, getrandom::Error> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(SecretString::from(format!("{PREFIX}{}", hex::encode(bytes))))
}

/// The configured token that is this one. Every one is compared, whichever it is.
#[must_use]
pub fn find<'t>(tokens: &'t [Token], presented: &str) -> Option<&'t Token> {
    let digest = Digest::of(presented);
    tokens.iter().fold(None, |found, token| if token.digest == digest { Some(token) } else { found })
}

/// Whether a text can be the [name](NAME) of a token. A token itself cannot.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._@-".contains(&b);
    (1..=NAME_BYTES).contains(&text.len()) && text.bytes().all(allowed) && !is_in(text)
}

/// Whether a text has a token in it, and must not be repeated.
#[must_use]
pub fn is_in(text: &str) -> bool {
    text.contains(PREFIX)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn mk_token(name: &str, role: Role, token: &str) -> Token {
        Token { name: name.into(), role, digest: Digest::of(token), scope: None }
    }

    #[test]
    fn a_new_token_is_known_by_its_prefix_and_no_two_are_the_same() {
        let (one, other) = (make().unwrap(), make().unwrap());
        let digits = one.expose_secret().strip_prefix(PREFIX).unwrap();
        assert_eq!(digits.len(), 64);
        assert!(digits.bytes().all(|b| b.is_ascii_hexdigit()));
        assert_ne!(one.expose_secret(), other.expose_secret());
        assert!(is_in(&format!("role = {:?}", one.expose_secret())));
        assert!(!format!("{one:?}").contains(digits));
    }

    #[test]
    fn a_digest_is_that_of_the_usual_tools_and_is_read_as_it_is_written() {
        // printf %s abc | sha256sum
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Digest::of("abc").to_hex(), known);
        assert_eq!(known.parse(), Ok(Digest::of("abc")));
        assert_eq!(known.to_uppercase().parse(), Ok(Digest::of("abc")));
        for text in ["", "abc", &known[1..], &format!("{known}0"), &known.replace('b', "g"), &"é".repeat(32)]
        {
            assert_eq!(text.parse::<Digest>(), Err(ParseDigestError), "{text}");
        }
        assert!(!format!("{:?}", Digest::of("abc")).contains("ba78"));
    }

    #[test]
    fn a_token_is_found_wherever_it_stands_and_only_whole() {
        let tokens = [
            mk_token("first", Role::Viewer, "aaa"),
            mk_token("second", Role::Operator, "bbb"),
            mk_token("third", Role::Viewer, "ccc"),
        ];
        for (token, name) in [("aaa", "first"), ("bbb", "second"), ("ccc", "third")] {
            assert_eq!(find(&tokens, token).map(|found| found.name.as_str()), Some(name));
        }
        for token in ["", "a", "aa", "aaaa", "AAA", "aaa ", &Digest::of("aaa").to_hex()] {
            assert_eq!(find(&tokens, token), None, "{token}");
        }
        assert_eq!(find(&[], "aaa"), None);
    }

    #[test]
    fn an_operator_may_do_what_a_viewer_may() {
        assert!(Role::Operator >= Role::Viewer);
        assert!(Role::Viewer < Role::Approver && Role::Approver < Role::Operator);
    }
}
