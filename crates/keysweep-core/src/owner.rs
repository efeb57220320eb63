//! The owner of a key: source, confidence, and contact details.
//!
//! [`Owners::find`] checks the sources in order. The first that names someone whom keysweep can contact determines the
//! owner. If a source cannot be read, the search stops: the next source could name the wrong person.

mod address;
mod directory;
mod find;

use std::sync::Arc;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use wildmatch::WildMatch;

pub use self::address::{Domain, EmailAddress, NotAnAddress};
pub use self::directory::{Directory, Person};
pub use self::find::{Found, Traces};

/// Source that names the owner of a key.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum OwnerSource {
    /// A tag of the user, such as `Owner`.
    UserTags,
    /// The description of the key, which the console stores as a user tag with the access key ID as the tag key.
    KeyDescription,
    /// Caller of `CreateAccessKey`, according to CloudTrail.
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
            Self::AccountEmail => "the e-mail address of the account",
            Self::Default => "owners.default",
        }
    }
}

/// Confidence that this is the owner of the key.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Confidence {
    /// The owner comes from the account's e-mail address or `owners.default`, or keysweep has no contact details for them.
    Low,
    /// The owner comes from a tag of the account or from the creator of the key; or is an address that is neither a contact
    /// nor in the directory; or takes over from an owner who has left.
    Medium,
    /// The owner comes from a tag of the user or the description of the key, and is a contact or in the directory.
    High,
}

impl Confidence {
    /// Its name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Contact details.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Contact {
    /// E-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<EmailAddress>,
    /// ID of a Slack user, or a Slack channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slack: Option<String>,
    /// Name of a webhook in the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<String>,
}

impl Contact {
    /// Whether there is any way to reach somebody.
    #[must_use]
    pub fn is_reachable(&self) -> bool {
        let Self { email, slack, webhook } = self;
        email.is_some() || slack.is_some() || webhook.is_some()
    }
}

/// The owner of a key, or the person who takes over from an owner who has left.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Owner {
    /// Owner to whom notices about the key are addressed: the name in the directory, or what the source says.
    pub name: String,
    /// Source that determined the owner.
    pub source: OwnerSource,
    /// Confidence that this is the owner.
    pub confidence: Confidence,
    /// Contact details; empty if keysweep has none for this owner.
    #[serde(default)]
    pub contact: Contact,
    /// What the directory lists of this person. Once it does not list the person any more, the person has left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<Listed>,
    /// The original owner, if that person has left; the same person if no one took over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<Listed>,
}

/// What is remembered of somebody whom the directory lists, or listed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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
    /// The name of the owner who has left, if one has.
    #[must_use]
    pub fn left(&self) -> Option<&str> {
        self.left.as_ref().map(|left| left.name.as_str())
    }
}

/// `[[owners.contact]]`: how those are reached whom a tag names.
#[derive(Debug, Clone, PartialEq)]
pub struct ContactRule {
    name: WildMatch,
    contact: Contact,
    time_zone: Option<TimeZone>,
}

impl ContactRule {
    /// `name` is a glob for what the source says, without regard to case.
    #[must_use]
    pub fn new(name: &str, contact: Contact) -> Self {
        Self { name: WildMatch::new(&name.to_lowercase()), contact, time_zone: None }
    }

    /// The same, for readers in another time zone than that of `[notices]`.
    #[must_use]
    pub fn in_time_zone(self, time_zone: Option<TimeZone>) -> Self {
        Self { time_zone, ..self }
    }

    /// How they are reached.
    #[must_use]
    pub fn contact(&self) -> &Contact {
        &self.contact
    }

    /// Whether the rule is for a name in lower case.
    fn matches(&self, name: &str) -> bool {
        self.name.matches(name)
    }
}

/// `[owners]`: where owners are looked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Owners {
    /// Sources to search, in this order; empty if only the default applies.
    pub sources: Vec<OwnerSource>,
    /// Keys of tags, of users and of accounts alike, in the order in which they answer.
    pub tags: Vec<String>,
    /// Contacts for the people and teams that sources name; the first match applies.
    pub contacts: Vec<ContactRule>,
    /// Domains of addresses that keysweep accepts from tags: otherwise, anyone who can tag a user could redirect notices.
    pub allowed_domains: Vec<Domain>,
    /// The people of the company, or why their list could not be read.
    pub directory: Option<Result<Arc<Directory>, String>>,
    /// Owner if no source names anyone whom keysweep can contact: a contact, a person in the directory, or an address.
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
    /// Whether keysweep looks for owners.
    #[must_use]
    pub fn is_configured(&self) -> bool {
        !self.sources.is_empty() || self.default.is_some()
    }

    /// Every source, in the order in which they answer.
    pub fn in_order(&self) -> impl Iterator<Item = OwnerSource> {
        self.sources.iter().copied().chain(self.default.iter().map(|_| OwnerSource::Default))
    }

    /// The time zone of an owner, if the contact through which keysweep reaches the owner has one.
    #[must_use]
    pub fn time_zone(&self, owner: &Owner) -> Option<&TimeZone> {
        let name = owner.name.to_lowercase();
        let rule = self.contacts.iter().find(|rule| rule.matches(&name))?;
        // The directory may list somebody of the same name.
        rule.time_zone.as_ref().filter(|_| rule.contact == owner.contact)
    }

    /// Why `default` names nobody, if it does not.
    #[must_use]
    pub fn default_names_nobody(&self) -> Option<String> {
        find::default_names_nobody(self)
    }

    /// Whether a source reads user tags.
    #[must_use]
    pub fn reads_user_tags(&self) -> bool {
        let reads =
            |source: &OwnerSource| matches!(source, OwnerSource::UserTags | OwnerSource::KeyDescription);
        self.sources.iter().any(reads)
    }

    /// Whether a source reads account tags.
    #[must_use]
    pub fn reads_account_tags(&self) -> bool {
        self.sources.contains(&OwnerSource::AccountTags)
    }
}
