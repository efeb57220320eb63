//! `[owners]` with its contacts.

use keysweep_core::owner::{OwnerSource, Owners};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[owners]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OwnersSection {
    /// Sources to search for the owner of a key, in this order: "user_tags", "key_description" (the description of the access
    /// key, which the IAM console stores as a user tag with the access key ID as the tag key), "creator" (the caller of
    /// CreateAccessKey, from CloudTrail), "account_tags", "account_email" (the address that AWS Organizations lists). The
    /// first source that names a person or team whom keysweep can contact determines the owner. Empty: keysweep uses only
    /// owners.default.
    pub sources: Vec<SourceName>,
    /// Tag keys that name an owner, on users and accounts, in order of precedence. Keys of account tags are case-sensitive;
    /// keys of user tags are not.
    pub tags: Vec<String>,
    /// Domains of the e-mail addresses that keysweep accepts from tags, key descriptions, and CloudTrail, such as
    /// ["example.com"]. A domain does not include its subdomains. keysweep ignores any other address unless the directory
    /// lists it or [[owners.contact]] matches it: otherwise, anyone who can tag a user could redirect notices about that
    /// user's keys.
    pub allowed_domains: Vec<String>,
    /// CSV file with the company directory. It needs a header row. Columns: name, email, slack (user ID), active (true or
    /// false), manager (name or e-mail address). keysweep reloads the file within a minute. If the directory marks an owner as
    /// not active, or no longer lists them, their manager takes over, or else the owner of the account. Empty: no directory.
    pub directory_file: String,
    /// Owner of keys for which no source names anyone whom keysweep can contact: an e-mail address, or a name from
    /// [[owners.contact]] or the directory. Empty: none.
    pub default: String,
    /// How to contact the people and teams that sources name: email, slack, and webhook (the name of a
    /// [[notices.webhook]]), and optionally the time_zone of the dates in messages to them. The first matching entry applies.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contact: Vec<ContactSection>,
}

impl Default for OwnersSection {
    fn default() -> Self {
        Self {
            sources: Vec::new(),
            tags: Owners::default().tags,
            allowed_domains: Vec::new(),
            directory_file: String::new(),
            default: String::new(),
            contact: Vec::new(),
        }
    }
}

/// A source of owners.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceName {
    /// Tags of the user.
    UserTags,
    /// Description of the key.
    KeyDescription,
    /// Caller of `CreateAccessKey`.
    Creator,
    /// Tags of the account.
    AccountTags,
    /// E-mail address of the account.
    AccountEmail,
}

impl From<SourceName> for OwnerSource {
    fn from(name: SourceName) -> Self {
        match name {
            SourceName::UserTags => Self::UserTags,
            SourceName::KeyDescription => Self::KeyDescription,
            SourceName::Creator => Self::Creator,
            SourceName::AccountTags => Self::AccountTags,
            SourceName::AccountEmail => Self::AccountEmail,
        }
    }
}

/// `[[owners.contact]]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["match"]))]
pub struct ContactSection {
    /// Name of the person or team in the source, such as the value of a tag. A glob, such as "payments*"; not case-sensitive.
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    pub matches: Option<String>,
    /// E-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Slack channel, such as "#payments", or the ID of a Slack user or channel, such as "U024BE7LH".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slack: Option<String>,
    /// Name of a webhook in [[notices.webhook]].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<String>,
    /// Time zone of the dates in messages to this contact, such as "America/New_York". Default: notices.time_zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
}
