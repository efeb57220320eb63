//! Exemptions that operators grant at run time, beside those of the configuration.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::actor::Actor;
use crate::ids::{AccessKeyId, AccountId, UserId, UserName};
use crate::policy::{ExemptBy, Rule, wide};

/// How long a lapsed exemption stays listed.
const LISTED_AFTER: SignedDuration = SignedDuration::from_hours(90 * 24);

/// An exemption of a key, or of a user with every key that they have and will have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantedExemption {
    /// Names it for good: the number of its entry in the journal.
    pub number: u64,
    /// The account of the user.
    #[serde(rename = "account_id")]
    pub account: AccountId,
    /// The user's ID; absent where it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// The user's name when it was granted.
    pub user_name: UserName,
    /// The key; absent for the whole user.
    #[serde(rename = "access_key_id", default, skip_serializing_if = "Option::is_none")]
    pub key: Option<AccessKeyId>,
    /// Who granted it.
    pub by: Actor,
    /// Why.
    pub reason: String,
    /// When it was granted.
    pub since: Timestamp,
    /// The instant at which it ends.
    pub until: Timestamp,
}

/// What a granted exemption is matched against.
#[derive(Debug, Clone, Copy)]
pub struct ExemptSubject<'a> {
    /// The account.
    pub account: AccountId,
    /// The key.
    pub key: &'a AccessKeyId,
    /// The user's ID, if known.
    pub user_id: Option<&'a UserId>,
    /// The user's name.
    pub user_name: &'a UserName,
}

impl GrantedExemption {
    /// The exemption as a rule.
    #[must_use]
    pub fn rule(&self) -> Rule {
        Rule::Granted(self.number)
    }

    /// Whether it has not ended.
    #[must_use]
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        now < self.until
    }

    /// Whether it covers a key, if only possibly: a user matches by ID, which outlasts a new name, and by name, because
    /// the ID may be unknown and a user may be created again.
    #[must_use]
    pub fn matches(&self, subject: ExemptSubject<'_>) -> bool {
        let ExemptSubject { account, key, user_id, user_name } = subject;
        if let Some(exempt) = &self.key {
            return exempt == key;
        }
        let same_id = || user_id.is_some() && self.user_id.as_ref() == user_id;
        let same_name = || wide(self.user_name.as_str()) == wide(user_name.as_str());
        account == self.account && (same_id() || same_name())
    }

    /// Whether it ended so long ago that it is no longer listed.
    pub(super) fn is_outdated(&self, now: Timestamp) -> bool {
        now.duration_since(self.until) >= LISTED_AFTER
    }

    pub(crate) fn as_rule(&self) -> ExemptBy {
        ExemptBy { rule: self.rule(), reason: self.reason.clone(), until: self.until }
    }
}

/// What it covers.
impl fmt::Display for GrantedExemption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "key {key} of user {} in {}", self.user_name, self.account),
            None => write!(f, "every key of user {} in {}", self.user_name, self.account),
        }
    }
}
