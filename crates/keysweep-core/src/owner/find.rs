//! The search for the owner of a key.

use std::sync::Arc;

use super::{Confidence, Contact, EmailAddress, Listed, Owner, OwnerSource, Owners};
use crate::evidence::Creation;
use crate::facts::{AccountFacts, Fact, Tags};
use crate::ids::AccessKeyId;

/// What says to whom a key belongs.
#[derive(Debug, Clone, Copy)]
pub struct Traces<'a> {
    /// Its account.
    pub account: &'a AccountFacts,
    /// Tags of its user.
    pub user_tags: &'a Fact<Tags>,
    /// The key.
    pub key: &'a AccessKeyId,
    /// Who created it, where that is known.
    pub creation: Option<&'a Creation>,
    /// The owner that was found before.
    pub before: Option<&'a Owner>,
}

/// What the search found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The owner; `None` if no source names one.
    pub owner: Option<Arc<Owner>>,
    /// What a tag says and nobody can be reached by, in sentences.
    pub passed_over: Vec<String>,
}

/// A manager may have left as well, and the directory may name two people as each other's managers.
const MOST_MANAGERS: usize = 8;

/// What one source says.
struct Claim {
    /// Where it is said, in words.
    what: String,
    /// What is said.
    text: String,
    /// Whether it can be nothing but an owner: a description of a key may say anything.
    is_meant: bool,
    /// Whether an address may be used that nobody lists.
    is_trusted: bool,
}

/// What becomes of a text that may name somebody.
enum Answer {
    /// Somebody who can be reached.
    Reached(Reached),
    /// Somebody who has left.
    Left(Listed),
    /// Nobody who may be told, with the reason.
    Nobody(String),
}

struct Reached {
    name: String,
    contact: Contact,
    listed: Option<Listed>,
    /// Whether a contact or the directory lists them.
    known: bool,
}

impl Owners {
    /// The owner of a key.
    ///
    /// # Errors
    /// The directory, or which source could not be read, if none before it answers: whom that one names is not known.
    pub fn find(&self, of: &Traces<'_>) -> Result<Found, String> {
        if let Some(Err(why)) = self.directory.as_ref().filter(|_| self.is_configured()) {
            return Err(format!("owners.directory_file: {why}"));
        }
        let (mut found, mut named, mut left) = (Found::default(), None, None);
        for source in self.in_order() {
            let of_account = match source {
                OwnerSource::UserTags | OwnerSource::KeyDescription | OwnerSource::Creator => false,
                OwnerSource::AccountTags | OwnerSource::AccountEmail | OwnerSource::Default => true,
            };
            // Who takes over from somebody who has left is said of the account.
            if left.is_some() && !of_account {
                continue;
            }
            for claim in self.claims(source, of)? {
                match self.answer(&claim, of.before) {
                    Answer::Reached(reached) => {
                        found.owner = Some(owner(source, reached, left.map(|(_, person)| person)).into());
                        return Ok(found);
                    }
                    Answer::Left(person) => {
                        if let Some(manager) = self.manager_of(&person) {
                            found.owner = Some(owner(source, manager, Some(person)).into());
                            return Ok(found);
                        }
                        left = left.or(Some((source, person)));
                    }
                    Answer::Nobody(why) if claim.is_meant => {
                        named = named.or(Some((source, claim.text)));
                        found.passed_over.push(format!("{}: {why}", claim.what));
                    }
                    Answer::Nobody(_) => {}
                }
            }
        }
        // Someone who has left, or has no contact details, is still worth showing.
        found.owner = match (left, named) {
            (Some((source, left)), _) => Some(nobody(source, left.name.clone(), Some(left)).into()),
            (None, Some((source, name))) => Some(nobody(source, name, None).into()),
            (None, None) => None,
        };
        Ok(found)
    }

    fn claims(&self, source: OwnerSource, of: &Traces<'_>) -> Result<Vec<Claim>, String> {
        let claim = |what: String, text: &str, is_meant, is_trusted| Claim {
            what,
            text: text.trim().to_owned(),
            is_meant,
            is_trusted,
        };
        let claims: Vec<Claim> = match source {
            OwnerSource::UserTags => {
                let tags = read("tags of the user", of.user_tags)?;
                let mut seen = Vec::new();
                // IAM keeps one tag for all spellings of a key.
                let said = self.tags.iter().filter_map(|key| {
                    let (theirs, text) = tags.iter().find(|(theirs, _)| theirs.eq_ignore_ascii_case(key))?;
                    (!seen.contains(&theirs)).then(|| seen.push(theirs))?;
                    Some(claim(format!("tag {theirs} of the user"), text, true, false))
                });
                said.collect()
            }
            OwnerSource::KeyDescription => {
                let tags = read("tags of the user", of.user_tags)?;
                let description =
                    tags.iter().find(|(theirs, _)| theirs.eq_ignore_ascii_case(of.key.as_str()));
                let said =
                    |(_, text): (_, &str)| claim("description of the key".to_owned(), text, false, false);
                description.map(said).into_iter().collect()
            }
            OwnerSource::Creator => {
                let caller = of.creation.and_then(|creation| caller(&creation.call.by));
                caller
                    .map(|text| claim("creator of the key".to_owned(), text, false, false))
                    .into_iter()
                    .collect()
            }
            OwnerSource::AccountTags => {
                let tags = read("tags of the account", &of.account.tags)?;
                let said = self.tags.iter().filter_map(|key| Some((key, tags.get(key)?)));
                said.map(|(key, text)| claim(format!("tag {key} of the account"), text, true, false))
                    .collect()
            }
            OwnerSource::AccountEmail => {
                let text = read("e-mail address of the account", &of.account.email)?;
                vec![claim("e-mail address of the account".to_owned(), text, false, true)]
            }
            OwnerSource::Default => {
                let text = self.default.iter();
                text.map(|text| claim("owners.default".to_owned(), text, false, true)).collect()
            }
        };
        Ok(claims.into_iter().filter(|claim| !claim.text.is_empty()).collect())
    }

    /// Whom a claim names: the text as a whole, or else an address within it.
    fn answer(&self, claim: &Claim, before: Option<&Owner>) -> Answer {
        let whole = self.who(&claim.text, claim.is_trusted, before);
        let Answer::Nobody(why) = whole else { return whole };
        let parts = claim.text.split(|c: char| c.is_whitespace() || "/:,;<>()".contains(c));
        let addresses = parts.filter(|part| part.contains('@') && *part != claim.text);
        let mut others = addresses.map(|part| self.who(part, claim.is_trusted, before));
        others.find(|answer| !matches!(answer, Answer::Nobody(_))).unwrap_or(Answer::Nobody(why))
    }

    fn who(&self, text: &str, is_trusted: bool, before: Option<&Owner>) -> Answer {
        let directory = self.directory.as_ref().and_then(|directory| directory.as_deref().ok());
        let find = |name: &str| directory.and_then(|directory| directory.find(name));
        let lower = text.to_lowercase();
        if let Some(rule) = self.contacts.iter().find(|rule| rule.matches(&lower)) {
            let contact = rule.contact.clone();
            let person = contact.email.as_ref().and_then(|email| find(email.as_str()));
            return match person.filter(|person| !person.active) {
                Some(person) => Answer::Left(listed(text, &person.name, person.manager.as_ref())),
                None => {
                    Answer::Reached(Reached { name: text.to_owned(), contact, listed: None, known: true })
                }
            };
        }
        if directory.is_some_and(|directory| directory.is_ambiguous(text)) {
            return Answer::Nobody(format!("the directory lists more than one {text:?}"));
        }
        if let Some(person) = find(text) {
            let (listed, contact) = (listed(text, &person.name, person.manager.as_ref()), person.contact());
            return match (person.active, contact.is_reachable()) {
                (false, _) => Answer::Left(listed),
                (true, true) => Answer::Reached(Reached {
                    name: person.name.clone(),
                    contact,
                    listed: Some(listed),
                    known: true,
                }),
                (true, false) => Answer::Nobody(format!(
                    "the directory lists neither an e-mail address nor a Slack ID for {text:?}"
                )),
            };
        }
        let remembered = before.into_iter().flat_map(|owner| [&owner.listed, &owner.left]).flatten();
        if directory.is_some()
            && let Some(person) = remembered.into_iter().find(|listed| listed.says.to_lowercase() == lower)
        {
            return Answer::Left(person.clone());
        }
        match text.parse::<EmailAddress>() {
            Ok(email) if is_trusted || email.is_in(&self.allowed_domains) => Answer::Reached(Reached {
                name: text.to_owned(),
                contact: Contact { email: Some(email), ..Contact::default() },
                listed: None,
                known: false,
            }),
            Ok(_) => Answer::Nobody(format!("the domain of {text:?} is not in owners.allowed_domains")),
            Err(_) => {
                let or = if directory.is_some() { " and is not in the directory" } else { "" };
                Answer::Nobody(format!("{text:?} matches no [[owners.contact]] entry{or}"))
            }
        }
    }

    /// The manager of someone who has left, or the manager above if that one has left as well.
    fn manager_of(&self, left: &Listed) -> Option<Reached> {
        let mut manager = left.manager.clone()?;
        for _ in 0..MOST_MANAGERS {
            match self.who(&manager, false, None) {
                // An address that nobody lists may be that of somebody who has left as well.
                Answer::Reached(reached) => return Some(reached).filter(|reached| reached.known),
                Answer::Left(person) => manager = person.manager?,
                Answer::Nobody(_) => return None,
            }
        }
        None
    }
}

/// Why `owners.default` names nobody who can be reached, as far as that is known.
pub(super) fn default_names_nobody(owners: &Owners) -> Option<String> {
    let text = owners.default.as_ref()?;
    match owners.who(text.trim(), true, None) {
        Answer::Nobody(why) => Some(why),
        Answer::Left(person) => Some(format!("{} has left, according to the directory", person.name)),
        Answer::Reached(_) => None,
    }
}

fn read<'a, T>(what: &str, fact: &'a Fact<T>) -> Result<&'a T, String> {
    match fact {
        Fact::Known(value) => Ok(value),
        Fact::Unknown(why) => Err(format!("{what}: {why}")),
        Fact::NotRead => Err(format!("{what}: not read")),
    }
}

fn listed(says: &str, name: &str, manager: Option<&String>) -> Listed {
    Listed { says: says.to_owned(), name: name.to_owned(), manager: manager.cloned() }
}

/// The name in the ARN of a caller: of a user, or of the session of a role, which people who log in through an identity
/// provider have their own of (IAM user guide, "IAM identifiers"). The root user is nobody.
fn caller(arn: &str) -> Option<&str> {
    let (_, resource) = arn.split_once(":user/").or_else(|| arn.split_once(":assumed-role/"))?;
    resource.rsplit('/').next()
}

fn owner(source: OwnerSource, reached: Reached, left: Option<Listed>) -> Owner {
    let Reached { name, contact, listed, known } = reached;
    let confidence = match source {
        OwnerSource::UserTags | OwnerSource::KeyDescription if known && left.is_none() => Confidence::High,
        OwnerSource::UserTags | OwnerSource::KeyDescription => Confidence::Medium,
        OwnerSource::Creator | OwnerSource::AccountTags => Confidence::Medium,
        OwnerSource::AccountEmail | OwnerSource::Default => Confidence::Low,
    };
    Owner { name, source, confidence, contact, listed, left }
}

fn nobody(source: OwnerSource, name: String, left: Option<Listed>) -> Owner {
    let (confidence, contact) = (Confidence::Low, Contact::default());
    Owner { name, source, confidence, contact, listed: None, left }
}
