//! The `match` of a rule, in three values.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Not as _;

use super::likeness::{self, Likeness};
use crate::facts::{AccountFacts, Fact, Place, Tags};
use crate::ids::{AccountId, OuId, UserName};
use crate::ticket::ExemptTag;

/// Which keys a rule is for. Fields are ANDed, entries of a list ORed, an empty field matches all.
///
/// User names and tag keys are compared without regard to case, as IAM itself does; tag values and paths are not. How far
/// IAM goes beyond ASCII is not documented: where it may take two names for one, an exemption matches, and a key that an
/// override would then match waits.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Match {
    /// OUs or roots, descendants included.
    pub ous: Vec<OuId>,
    /// Accounts.
    pub accounts: Vec<AccountId>,
    /// Account tags: key, and a glob for the value.
    pub account_tags: BTreeMap<String, String>,
    /// Globs for user names.
    pub users: Vec<String>,
    /// Prefixes of user paths.
    pub paths: Vec<String>,
    /// User tags: key, and a glob for the value.
    pub user_tags: BTreeMap<String, String>,
}

/// What a rule is matched against.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The account.
    pub account: &'a AccountFacts,
    /// The user's name.
    pub user_name: &'a UserName,
    /// The user's path.
    pub path: &'a Fact<String>,
    /// The user's tags.
    pub tags: &'a Fact<Tags>,
}

impl Match {
    /// Whether every field is empty: such a rule would match everything and is refused as a mistake.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the rule surely matches; an error names the fact that it lacks, or what AWS may take for the same.
    ///
    /// A field that surely does not match decides, whatever else is unknown.
    pub(super) fn surely(&self, subject: &Subject<'_>) -> Result<bool, String> {
        surely(self.verdict(subject)?)
    }

    /// As [`Match::surely`], for a rule that holds back: it matches also where AWS only may take names for the same.
    pub(super) fn possibly(&self, subject: &Subject<'_>) -> Result<bool, String> {
        Ok(self.verdict(subject)? != Likeness::No)
    }

    fn verdict(&self, subject: &Subject<'_>) -> Result<Likeness, String> {
        let fields = [
            Ok((self.accounts.is_empty() || self.accounts.contains(&subject.account.id)).into()),
            Ok(self.name_matches(subject.user_name)),
            self.ous_match(subject.account),
            self.account_tags_match(subject.account),
            when(!self.paths.is_empty(), "path of the user", subject.path, |path| {
                self.paths.iter().any(|prefix| path.starts_with(prefix)).into()
            }),
            when(!self.user_tags.is_empty(), "tags of the user", subject.tags, |tags| {
                tags_match(&self.user_tags, tags, likeness::tag_key)
            }),
        ];
        conjunction(fields)
    }

    /// Whether the rule could match some user of the account: unknown counts as possible.
    pub(crate) fn possible_in(&self, account: &AccountFacts) -> bool {
        let fields = [
            Ok((self.accounts.is_empty() || self.accounts.contains(&account.id)).into()),
            self.ous_match(account),
            self.account_tags_match(account),
        ];
        conjunction(fields).is_ok_and(|verdict| verdict == Likeness::No).not()
    }

    /// Whether no other fact about an account than its ID is needed.
    #[must_use]
    pub fn names_accounts_only(&self) -> bool {
        !self.accounts.is_empty() && self.ous.is_empty() && self.account_tags.is_empty()
    }

    /// Whether the account surely matches: a fact that is unknown, or that AWS only may take for the same, does not count.
    /// Fields about users are not considered.
    #[must_use]
    pub fn surely_has(&self, account: &AccountFacts) -> bool {
        let fields = [
            Ok((self.accounts.is_empty() || self.accounts.contains(&account.id)).into()),
            self.ous_match(account),
            self.account_tags_match(account),
        ];
        conjunction(fields).is_ok_and(|verdict| verdict == Likeness::Yes)
    }

    fn name_matches(&self, name: &UserName) -> Likeness {
        if self.users.is_empty() {
            return Likeness::Yes;
        }
        let globs = self.users.iter();
        globs.fold(Likeness::No, |found, glob| found.or(|| likeness::name(glob, name.as_str())))
    }

    pub(super) fn reads_user_tags(&self) -> bool {
        !self.user_tags.is_empty()
    }

    pub(super) fn reads_ous(&self) -> bool {
        !self.ous.is_empty()
    }

    pub(super) fn reads_account_tags(&self) -> bool {
        !self.account_tags.is_empty()
    }

    /// The tags that would exempt this user: those of a rule whose other fields could match and that asks for one
    /// tag only. IAM conditions cannot say "both tags present" in a way that denies, so rules with more tags are
    /// left to the re-check.
    pub(super) fn tags_deciding_for(&self, account: &AccountFacts, user: &UserName) -> Vec<ExemptTag> {
        let name_matches = self.name_matches(user) != Likeness::No;
        // A path is not known here, so a rule with paths is left to the re-check as well.
        let decides = name_matches && self.possible_in(account);
        self.deciding_tags().filter(|_| decides).collect()
    }

    /// The tag of a rule that asks for one only, whoever else it is for.
    pub(super) fn deciding_tags(&self) -> impl Iterator<Item = ExemptTag> {
        let decides = self.user_tags.len() == 1 && self.paths.is_empty();
        let tags = self.user_tags.iter().filter(move |_| decides);
        tags.map(|(key, value)| ExemptTag { key: key.clone(), value: value.clone() })
    }

    /// Whether a glob for user names matches this one, as far as AWS may take them for the same.
    pub(crate) fn matches_user(glob: &str, name: &UserName) -> bool {
        likeness::name(glob, name.as_str()) != Likeness::No
    }

    /// Whether a glob matches a path or a tag, as far as AWS may take them for the same.
    pub(super) fn matches_text(glob: &str, text: &str) -> bool {
        likeness::name(glob, text) != Likeness::No
    }

    pub(crate) fn user_tags_match(&self, tags: &Tags) -> bool {
        tags_match(&self.user_tags, tags, likeness::tag_key) != Likeness::No
    }

    fn ous_match(&self, account: &AccountFacts) -> Result<Likeness, String> {
        when(!self.ous.is_empty(), "OUs of the account", &account.ous, |above| {
            above.iter().any(|ou| self.ous.contains(&ou.id)).into()
        })
    }

    fn account_tags_match(&self, account: &AccountFacts) -> Result<Likeness, String> {
        account_tags_match(&self.account_tags, &account.tags)
    }
}

/// Whether an account surely is below one of these OUs and surely has all of these tags, as [`Match`] compares them. An
/// empty condition matches. An error names the fact that is missing.
pub(crate) fn is_surely_at(
    place: &Place,
    ous: &[OuId],
    account_tags: &BTreeMap<String, String>,
) -> Result<bool, String> {
    let below = when(!ous.is_empty(), "OUs of the account", &place.ous, |above| {
        ous.iter().any(|ou| above.contains(ou)).into()
    });
    surely(conjunction([below, account_tags_match(account_tags, &place.tags)])?)
}

fn account_tags_match(wanted: &BTreeMap<String, String>, tags: &Fact<Tags>) -> Result<Likeness, String> {
    when(!wanted.is_empty(), "tags of the account", tags, |tags| {
        tags_match(wanted, tags, likeness::account_tag_key)
    })
}

fn surely(verdict: Likeness) -> Result<bool, String> {
    match verdict {
        Likeness::Yes => Ok(true),
        Likeness::No => Ok(false),
        Likeness::Maybe(why) => Err(why),
    }
}

/// As a configuration writes it.
impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = Vec::new();
        let list = |texts: Vec<String>| format!("[{}]", texts.join(", "));
        let quoted = |text: &str| format!("{text:?}");
        let map = |tags: &BTreeMap<String, String>| {
            let tags: Vec<_> = tags.iter().map(|(key, value)| format!("{key:?} = {value:?}")).collect();
            format!("{{ {} }}", tags.join(", "))
        };
        if !self.ous.is_empty() {
            fields.push(("ous", list(self.ous.iter().map(|id| quoted(id.as_str())).collect())));
        }
        if !self.accounts.is_empty() {
            fields.push(("accounts", list(self.accounts.iter().map(|id| quoted(&id.to_string())).collect())));
        }
        for (name, tags) in [("account_tags", &self.account_tags), ("user_tags", &self.user_tags)] {
            if !tags.is_empty() {
                fields.push((name, map(tags)));
            }
        }
        for (name, texts) in [("users", &self.users), ("paths", &self.paths)] {
            if !texts.is_empty() {
                fields.push((name, list(texts.iter().map(|text| quoted(text)).collect())));
            }
        }
        let fields: Vec<_> = fields.into_iter().map(|(name, value)| format!("{name} = {value}")).collect();
        f.write_str(&fields.join(", "))
    }
}

/// Matches if the field is not asked for; otherwise needs the fact.
fn when<T>(
    asked: bool,
    what: &str,
    fact: &Fact<T>,
    test: impl FnOnce(&T) -> Likeness,
) -> Result<Likeness, String> {
    match fact {
        _ if !asked => Ok(Likeness::Yes),
        Fact::Known(value) => Ok(test(value)),
        Fact::Unknown(why) => Err(format!("{what}: {why}")),
        Fact::NotRead => Err(format!("{what}: not read")),
    }
}

/// AND in three values: a sure "no" wins over any "cannot tell".
fn conjunction(fields: impl IntoIterator<Item = Result<Likeness, String>>) -> Result<Likeness, String> {
    let (mut unknown, mut all) = (None, Likeness::Yes);
    for field in fields {
        match field {
            Ok(likeness) => all = all.and(|| likeness),
            Err(why) => unknown = unknown.or(Some(why)),
        }
    }
    match (unknown, all) {
        (_, Likeness::No) => Ok(Likeness::No),
        (Some(why), Likeness::Yes | Likeness::Maybe(_)) => Err(why),
        (None, all) => Ok(all),
    }
}

/// Whether every tag that is wanted is there.
fn tags_match(
    wanted: &BTreeMap<String, String>,
    tags: &Tags,
    same_key: fn(&str, &str) -> Likeness,
) -> Likeness {
    wanted.iter().fold(Likeness::Yes, |all, (key, glob)| {
        all.and(|| {
            tags.iter().fold(Likeness::No, |found, (theirs, value)| {
                found.or(|| same_key(key, theirs).and(|| likeness::value(glob, value)))
            })
        })
    })
}
