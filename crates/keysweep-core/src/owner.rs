//! To whom a key belongs, who says so, and how that person is reached.
//!
//! [`Owners::find`] asks one source after the other. The first that names somebody who can be reached answers. A source
//! that could not be read ends the search: whoever the next one names would be told what is meant for another.

mod address;
mod directory;
mod find;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wildmatch::WildMatch;

pub use self::address::{Domain, EmailAddress, NotAnAddress};
pub use self::directory::{Directory, Person};
pub use self::find::{Found, Traces};

/// Who says to whom a key belongs.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum OwnerSource {
    /// A tag of the user, such as `Owner`.
    UserTags,
    /// The description of the key: the console stores it as a tag of the user whose key is the access key ID.
    KeyDescription,
    /// Who called `CreateAccessKey`, as CloudTrail recorded it.
    Creator,
    /// A tag of the account.
    AccountTags,
    /// The e-mail address of the account's root user, as AWS Organizations lists it.
    AccountEmail,
    /// `owners.default`.
    Default,
}

impl OwnerSource {
    /// Its name in JSON, metrics, and the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Its name in sentences.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::UserTags => "a tag of the user",
            Self::KeyDescription => "the description of the key",
            Self::Creator => "the creator of the key",
            Self::AccountTags => "a tag of the account",
            Self::AccountEmail => "the address of the account",
            Self::Default => "owners.default",
        }
    }
}

/// How sure it is that this is the owner.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Confidence {
    /// Nobody said it of this key: the account's address, `owners.default`, or a name that nobody knows.
    Low,
    /// Said of the account, or of whoever created the key; or an address that neither a contact nor the directory lists;
    /// or who stands in for an owner who has left.
    Medium,
    /// Said of the user or of the key, and listed as a contact or in the directory.
    High,
}

impl Confidence {
    /// Its name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Where somebody is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// E-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<EmailAddress>,
    /// ID of a Slack user, or a Slack channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slack: Option<String>,
}

impl Contact {
    /// Whether there is any way to reach somebody.
    #[must_use]
    pub fn is_reachable(&self) -> bool {
        let Self { email, slack } = self;
        email.is_some() || slack.is_some()
    }
}

/// To whom a key belongs, or who stands in for that person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Whom notices about the key go to: the name in the directory, or what the source says.
    pub name: String,
    /// Who says so.
    pub source: OwnerSource,
    /// How sure it is.
    pub confidence: Confidence,
    /// How this person is reached; without any way, the source names somebody whom nobody knows.
    #[serde(default)]
    pub contact: Contact,
    /// What the directory lists of this person. Once it does not list the person any more, the person has left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<Listed>,
    /// The owner who has left, and for whom this one stands in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<Listed>,
}

/// What is remembered of somebody whom the directory lists, or listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// What the source says: by this the person is looked for.
    pub says: String,
    /// The person's name.
    pub name: String,
    /// The person's manager, by name or address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager: Option<String>,
}

impl Owner {
    /// Whether both are the same person: who was told once need not be told again because another source says the same.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.name == other.name
    }

    /// The name of the owner who has left, if one has.
    #[must_use]
    pub fn left(&self) -> Option<&str> {
        self.left.as_ref().map(|left| left.name.as_str())
    }
}

/// `[[owners.contact]]`: how those are reached whom a tag names.
#[derive(Debug, Clone, PartialEq)]
pub struct ContactRule {
    /// Glob for what the source says, without regard to case.
    pub name: String,
    /// How they are reached.
    pub contact: Contact,
}

impl ContactRule {
    fn matches(&self, text: &str) -> bool {
        WildMatch::new(&self.name.to_lowercase()).matches(&text.to_lowercase())
    }
}

/// `[owners]`: where owners are looked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Owners {
    /// Which sources answer, in this order; empty where nobody looks for owners.
    pub sources: Vec<OwnerSource>,
    /// Keys of tags, of users and of accounts alike, in the order in which they answer.
    pub tags: Vec<String>,
    /// How those are reached whom a source names; the first that matches counts.
    pub contacts: Vec<ContactRule>,
    /// Domains whose addresses may be used as they stand in a tag: whoever may tag a user could otherwise have notices
    /// sent anywhere.
    pub allowed_domains: Vec<Domain>,
    /// The people of the company, or why their list could not be read.
    pub directory: Option<Result<Arc<Directory>, String>>,
    /// Who answers where no source does: a contact, a person in the directory, or an address.
    pub default: Option<String>,
}

impl Default for Owners {
    fn default() -> Self {
        Self {
            sources: Vec::new(),
            tags: ["Owner", "owner", "Contact", "Email", "Team"].map(str::to_owned).to_vec(),
            contacts: Vec::new(),
            allowed_domains: Vec::new(),
            directory: None,
            default: None,
        }
    }
}

impl Owners {
    /// Whether anybody looks for owners at all.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        !self.sources.is_empty() || self.default.is_some()
    }

    /// Every source, in the order in which they answer.
    pub fn in_order(&self) -> impl Iterator<Item = OwnerSource> {
        self.sources.iter().copied().chain(self.default.iter().map(|_| OwnerSource::Default))
    }

    /// Whether tags of users say to whom a key belongs.
    #[must_use]
    pub fn reads_user_tags(&self) -> bool {
        let reads =
            |source: &OwnerSource| matches!(source, OwnerSource::UserTags | OwnerSource::KeyDescription);
        self.sources.iter().any(reads)
    }

    /// Whether tags of accounts say to whom a key belongs.
    #[must_use]
    pub fn reads_account_tags(&self) -> bool {
        self.sources.contains(&OwnerSource::AccountTags)
    }
}
