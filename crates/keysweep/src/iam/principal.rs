//! Who is trusted, as policies name them.

use std::fmt;
use std::str::FromStr;

/// The ARN of the hub: the role or the user whose credentials keysweep runs with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubArn(String);

/// The ID of an organization, such as `o-exampleorgid`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizationId(String);

/// A text that names no such thing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}")]
pub struct ParsePrincipalError {
    expected: &'static str,
}

impl HubArn {
    /// The whole ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its partition, such as `aws`.
    #[must_use]
    pub fn partition(&self) -> &str {
        self.0.split(':').nth(1).unwrap_or_default()
    }
}

impl FromStr for HubArn {
    type Err = ParsePrincipalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = |expected| Err(ParsePrincipalError { expected });
        let parts: Vec<&str> = text.split(':').collect();
        let (account, what) = match parts.as_slice() {
            ["arn", partition, "iam", "", account, what] if partition.starts_with("aws") => (account, what),
            ["arn", _, "sts", "", _, what] if what.starts_with("assumed-role/") => {
                // A session has another name tomorrow; and IAM wants the path, which a session does not show.
                return refused("the arn of the role itself, not that of one of its sessions");
            }
            _ => {
                return refused(
                    "arn:PARTITION:iam::ACCOUNT:role/NAME or arn:PARTITION:iam::ACCOUNT:user/NAME",
                );
            }
        };
        let account_fits = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
        let name = what.strip_prefix("role/").or_else(|| what.strip_prefix("user/"));
        // A wildcard in a principal is an error to IAM, except for one that trusts everybody.
        let name_fits = name.is_some_and(|name| {
            !name.is_empty()
                && !name.ends_with('/')
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-/".contains(&b))
        });
        if !account_fits || !name_fits {
            return refused("arn:PARTITION:iam::ACCOUNT:role/NAME or arn:PARTITION:iam::ACCOUNT:user/NAME");
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for HubArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for OrganizationId {
    type Err = ParsePrincipalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Organizations API reference, Organization: o- and 10 to 32 lower-case letters or digits.
        let fits = text.strip_prefix("o-").is_some_and(|id| {
            (10..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        });
        if fits {
            return Ok(Self(text.to_owned()));
        }
        Err(ParsePrincipalError { expected: "o- and 10 to 32 lower-case letters or digits" })
    }
}

impl fmt::Display for OrganizationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
