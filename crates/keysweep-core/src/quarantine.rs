//! Quarantine: a managed policy that denies everything, attached to a user for some days before a key of the user is
//! deactivated. A client that still uses the key then shows itself: its calls fail with `AccessDenied`, which CloudTrail
//! records with address and user agent, and the error message names the policy.
//!
//! Attaching acts on a user, and so on every key of the user. It is undone by detaching, which nothing of ours blocks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::facts::{Fact, KeyFacts, KeyStatus, OtherKey};
use crate::ids::{AccessKeyId, AccountId, UserName};

/// The AWS managed policy that denies everything. It exists in every account (AWS managed policy reference).
pub const DENY_ALL: &str = "AWSDenyAll";

/// How every customer managed policy for quarantine begins: a mistake in the configuration must not attach a policy that
/// grants something.
pub const PREFIX: &str = "keysweep-quarantine";

/// Managed policies that a user can have, unless a quota increase was granted (IAM user guide, "IAM and AWS STS quotas").
pub const MAX_ATTACHED: usize = 10;

/// The managed policy that is attached in quarantine: [`DENY_ALL`], or a customer managed policy whose name begins with
/// [`PREFIX`].
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct QuarantinePolicy(String);

/// A text that names no policy for quarantine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected \"{DENY_ALL}\", or the name of a customer managed policy that begins with \"{PREFIX}\" and has at most 128 \
     letters, digits, and `+=,.@_-`, got {0:?}"
)]
pub struct ParseQuarantinePolicyError(String);

impl QuarantinePolicy {
    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether AWS manages it.
    #[must_use]
    pub fn is_of_aws(&self) -> bool {
        self.0 == DENY_ALL
    }

    /// Its ARN without the partition: what follows `arn:aws`.
    #[must_use]
    pub fn resource(&self, account: AccountId) -> String {
        if self.is_of_aws() {
            format!(":iam::aws:policy/{self}")
        } else {
            format!(":iam::{account}:policy/{self}")
        }
    }

    /// Whether it is among the policies that are attached to a user of this account.
    #[must_use]
    pub fn is_attached(&self, account: AccountId, attached: &[AttachedPolicy]) -> bool {
        let resource = self.resource(account);
        attached.iter().any(|policy| policy.arn.ends_with(&resource))
    }
}

impl Default for QuarantinePolicy {
    fn default() -> Self {
        Self(format!("{PREFIX}-ask-security"))
    }
}

impl fmt::Display for QuarantinePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for QuarantinePolicy {
    type Err = ParseQuarantinePolicyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // IAM API reference, `policyNameType`.
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b);
        let own = text.starts_with(PREFIX) && text.len() <= 128 && text.bytes().all(allowed);
        if own || text == DENY_ALL {
            Ok(Self(text.into()))
        } else {
            Err(ParseQuarantinePolicyError(text.into()))
        }
    }
}

impl TryFrom<String> for QuarantinePolicy {
    type Error = ParseQuarantinePolicyError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<QuarantinePolicy> for String {
    fn from(policy: QuarantinePolicy) -> Self {
        policy.0
    }
}

/// A managed policy that is attached to a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachedPolicy {
    /// `PolicyName`.
    pub name: String,
    /// `PolicyArn`.
    pub arn: String,
}

/// How the names of managed policies begin that AWS attaches to the user of a key it saw exposed, in lower case:
/// `AWSCompromisedKeyQuarantine`, `...V2`, `...V3`, and before these `AWSExposedCredentialPolicy_DO_NOT_REMOVE`.
const MARKS: [&str; 2] = ["awscompromisedkeyquarantine", "awsexposedcredentialpolicy"];

impl AttachedPolicy {
    /// Whether AWS attached it because it considers the user's keys compromised. IAM knows no two names that differ in
    /// case alone.
    #[must_use]
    pub fn marks_a_compromise(&self) -> bool {
        let name = self.name.to_ascii_lowercase();
        MARKS.iter().any(|mark| name.starts_with(mark))
    }
}

/// What a user was like when the policy was attached. Any change means that somebody works on the user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserBefore {
    /// The user's name.
    pub user_name: UserName,
    /// The user's path.
    pub path: String,
    /// The other keys of the user, and whether each worked.
    pub keys: BTreeMap<AccessKeyId, bool>,
    /// ARNs of the managed policies that were attached.
    pub policies: BTreeSet<String>,
    /// Whether the user had a console password.
    pub password: bool,
}

impl UserBefore {
    /// The user of a key, if everything is known of it.
    pub(crate) fn of(facts: &KeyFacts) -> Option<Self> {
        Some(Self {
            user_name: facts.user_name.clone(),
            path: facts.path.known()?.clone(),
            keys: facts.other_keys.iter().map(|other| (other.key.clone(), works(other))).collect(),
            policies: facts.policies.known()?.iter().map(|policy| policy.arn.clone()).collect(),
            password: *facts.password.known()?,
        })
    }

    /// What has changed of the user, in words; `None` if nothing has, as far as it was read.
    pub(crate) fn change_to(&self, facts: &KeyFacts, policy: &QuarantinePolicy) -> Option<String> {
        if facts.user_name != self.user_name {
            return Some(format!("the user was renamed from {}", self.user_name));
        }
        if let Fact::Known(path) = &facts.path
            && *path != self.path
        {
            return Some(format!("the path of the user was changed from {}", self.path));
        }
        for other in &facts.other_keys {
            match self.keys.get(&other.key) {
                None => return Some(format!("the user has a new key, {}", other.key)),
                Some(false) if works(other) => {
                    return Some(format!("key {} of the same user was set Active", other.key));
                }
                Some(_) => {}
            }
        }
        if facts.password == Fact::Known(true) && !self.password {
            return Some("a console password was set for the user".to_owned());
        }
        let attached = facts.policies.known()?;
        let ours = policy.resource(facts.account);
        let now: BTreeSet<&str> =
            attached.iter().map(|policy| policy.arn.as_str()).filter(|arn| !arn.ends_with(&ours)).collect();
        let then: BTreeSet<&str> = self.policies.iter().map(String::as_str).collect();
        if let Some(new) = now.difference(&then).next() {
            return Some(format!("{new} was attached to the user"));
        }
        then.difference(&now).next().map(|gone| format!("{gone} was detached from the user"))
    }
}

fn works(other: &OtherKey) -> bool {
    other.status != KeyStatus::Inactive
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_policy_that_denies_can_be_named() {
        for name in ["AWSDenyAll", "keysweep-quarantine", "keysweep-quarantine-ask-security"] {
            assert_eq!(name.parse::<QuarantinePolicy>().map(String::from), Ok(name.to_owned()));
        }
        let long = format!("{PREFIX}{}", "x".repeat(128));
        let others = [
            "",
            "AdministratorAccess",
            "awsdenyall",
            "keysweep",
            "keysweep-quarantine/x",
            "keysweep-quarantine*",
        ];
        for name in others.into_iter().chain([long.as_str()]) {
            assert!(name.parse::<QuarantinePolicy>().is_err(), "{name}");
        }
    }

    #[test]
    fn a_policy_is_known_by_its_arn() {
        let account: AccountId = "111122223333".parse().unwrap();
        let attached = |arn: &str| [AttachedPolicy { name: "x".to_owned(), arn: arn.to_owned() }];
        let (own, aws) = (QuarantinePolicy::default(), QuarantinePolicy(DENY_ALL.to_owned()));
        let arn = "arn:aws:iam::111122223333:policy/keysweep-quarantine-ask-security";
        assert!(own.is_attached(account, &attached(arn)));
        assert!(aws.is_attached(account, &attached("arn:aws-cn:iam::aws:policy/AWSDenyAll")));
        for other in [
            "arn:aws:iam::444455556666:policy/keysweep-quarantine-ask-security",
            "arn:aws:iam::111122223333:policy/team/keysweep-quarantine-ask-security",
            "arn:aws:iam::111122223333:policy/keysweep-quarantine-ask-security-2",
            "arn:aws:iam::aws:policy/AWSDenyAll",
        ] {
            assert!(!own.is_attached(account, &attached(other)), "{other}");
        }
        assert!(!aws.is_attached(account, &attached("arn:aws:iam::111122223333:policy/AWSDenyAll")));
    }
}
