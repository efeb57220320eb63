//! `[owners]` with its contacts.

use keysweep_core::owner::{OwnerSource, Owners};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[owners]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OwnersSection {
    /// Sources to search for the owner of a key, in this order: "user_tags", "key_description" (a tag of the user whose key
    /// is the access key ID, which the console writes), "creator" (the caller of CreateAccessKey, from CloudTrail),
    /// "account_tags", "account_email" (the address that AWS Organizations lists). The first source that names a person
    /// whom keysweep can reach determines the owner. Empty: keysweep does not search for owners.
    pub sources: Vec<SourceName>,
    /// Keys of the tags that name an owner, on users and on accounts, in this order.
    pub tags: Vec<String>,
    /// Domains of e-mail addresses that keysweep accepts from a tag, a description, or CloudTrail, such as ["example.com"].
    /// Subdomains are separate domains. Other addresses must be in the directory: anyone who can tag a user
    /// could otherwise redirect its notices.
    pub allowed_domains: Vec<String>,
    /// CSV file that lists the people of the company, with a header. Columns: name, email, slack (user ID), active (true
    /// or false), manager (name or e-mail address). keysweep loads changes within a minute. If an owner is not active, or
    /// no longer in the directory, the manager takes over, then the owner of the account. Empty: no directory.
    pub directory_file: String,
    /// Owner of keys for which no source names one: an e-mail address, or a name from [[owners.contact]] or the
    /// directory. Empty: none.
    pub default: String,
    /// How to reach the people and teams that tags name. The first entry that matches applies.
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
    /// What the tag says, as a glob such as "payments*". Case does not matter.
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    pub matches: Option<String>,
    /// E-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Slack channel, such as "#payments", or the ID of a Slack user or channel, such as "U024BE7LH".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slack: Option<String>,
}
