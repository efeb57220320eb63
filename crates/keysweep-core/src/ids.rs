//! Names of things, parsed once and impossible to hold wrong.
//!
//! The rules are those of the IAM and Organizations API references. A name that AWS would not have issued is an
//! error at the edge and never reaches a decision.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// A text that is not the name it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {text:?}: expected {expected}")]
pub struct ParseIdError {
    what: &'static str,
    text: String,
    expected: &'static str,
}

impl ParseIdError {
    fn new(what: &'static str, text: &str, expected: &'static str) -> Self {
        // Long nonsense is cut: an error is read by a person.
        Self { what, text: text.chars().take(80).collect(), expected }
    }
}

/// Twelve digits that name an AWS account.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId(u64);

impl FromStr for AccountId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
        match text.parse() {
            Ok(number) if digits => Ok(Self(number)),
            _ => Err(ParseIdError::new("account ID", text, "12 digits")),
        }
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012}", self.0)
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for AccountId {
    type Error = ParseIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<AccountId> for String {
    fn from(id: AccountId) -> Self {
        id.to_string()
    }
}

/// Declares a name held as text: the type, its check, and the conversions that serde and `Display` need.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $expected:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(SmolStr);

        impl $name {
            /// The name as AWS writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) { Ok(Self(text.into())) } else { Err(ParseIdError::new($what, text, $expected)) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParseIdError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

text_id!(
    /// The ID of an access key, such as `AKIAIOSFODNN7EXAMPLE`. Not a secret.
    ///
    /// IAM API reference, `accessKeyIdType`: 16 to 128 word characters.
    AccessKeyId, "access key ID", "16 to 128 letters, digits or underscores",
    |text| (16..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
);

text_id!(
    /// The ID that IAM gives a user for life (`AIDA...`); it survives a rename and is never given again.
    UserId, "user ID", "16 to 128 letters, digits or underscores",
    |text| (16..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
);

text_id!(
    /// The name of an IAM user: up to 64 characters of `A-Za-z0-9+=,.@_-` today; anything short and free of control
    /// characters is accepted, since refusing a user for its name would leave its keys unseen.
    UserName, "user name", "1 to 128 characters without control characters",
    |text| !text.is_empty() && text.len() <= 512 && text.chars().count() <= 128 && !text.chars().any(char::is_control)
);

text_id!(
    /// An organizational unit or root: `ou-...` or `r-...`.
    OuId, "organizational unit ID", "ou-... or r-...",
    |text| {
        let tail = text.strip_prefix("ou-").or_else(|| text.strip_prefix("r-"));
        tail.is_some_and(|t| (4..=68).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
    }
);

text_id!(
    /// The name of an evidence bundle: the SHA-256 of its content, in hexadecimal.
    BundleId, "bundle ID", "64 lower-case hexadecimal digits",
    |text| text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
);

impl From<[u8; 32]> for BundleId {
    /// From a SHA-256.
    fn from(sha256: [u8; 32]) -> Self {
        Self(sha256.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// What makes an access key this one and no other. A change names all four and is refused if any differs.
///
/// The partition is missing because one daemon serves one partition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyIdentity {
    /// Account that holds the user.
    pub account: AccountId,
    /// The user's ID for life.
    pub user_id: UserId,
    /// The key.
    pub key: AccessKeyId,
    /// `CreateDate` of the key.
    pub created: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_id_keeps_its_leading_zeros() {
        let id: AccountId = "000000000042".parse().unwrap();
        assert_eq!(id.to_string(), "000000000042");
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"000000000042\"");
    }

    #[test]
    fn what_is_not_an_account_id_says_what_was_expected() {
        for text in ["", "42", "+11122223333", "1111222233334", "11112222333x"] {
            let error = text.parse::<AccountId>().unwrap_err().to_string();
            assert!(error.contains("expected 12 digits"), "{error}");
        }
    }

    #[test]
    fn a_bundle_is_named_by_a_sha256() {
        let id = BundleId::from([0x0f; 32]);
        assert_eq!(id.as_str().parse(), Ok(id));
        for text in ["", "0f", &"0F".repeat(32), &"0g".repeat(32), &"0".repeat(65)] {
            assert!(text.parse::<BundleId>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_user_name_may_hold_commas_and_plus_signs_but_no_newline() {
        assert!("o'neil,sean+x@corp".parse::<UserName>().is_ok());
        assert!("a\nb".parse::<UserName>().is_err());
        assert!("".parse::<UserName>().is_err());
    }
}
