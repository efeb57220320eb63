//! The `match` of a rule, in three values.

use std::collections::BTreeMap;

use wildmatch::WildMatch;

use crate::facts::{AccountFacts, Fact};
use crate::ids::{AccountId, OuId, UserName};
use crate::ticket::ExemptTag;

/// Which keys a rule is for. Fields are ANDed, entries of a list ORed, an empty field matches all.
///
/// User names and tag keys are compared without regard to case, as IAM itself does; tag values and paths are not.
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
    pub tags: &'a Fact<BTreeMap<String, String>>,
}

impl Match {
    /// Whether every field is empty: such a rule would match everything and is refused as a mistake.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the rule matches; an error names the fact that it lacks.
    ///
    /// A field that surely does not match decides, whatever else is unknown.
    pub(super) fn verdict(&self, subject: &Subject<'_>) -> Result<bool, String> {
        let fields = [
            Ok(self.accounts.is_empty() || self.accounts.contains(&subject.account.id)),
            Ok(self.users.is_empty() || self.users.iter().any(|glob| matches_name(glob, subject.user_name))),
            self.ous_match(subject.account),
            self.account_tags_match(subject.account),
            when(!self.paths.is_empty(), "path of the user", subject.path, |path| {
                self.paths.iter().any(|prefix| path.starts_with(prefix))
            }),
            when(!self.user_tags.is_empty(), "tags of the user", subject.tags, |tags| {
                tags_match(&self.user_tags, tags)
            }),
        ];
        conjunction(fields)
    }

    /// Whether the rule could match some user of the account: unknown counts as possible.
    pub(super) fn possible_in(&self, account: &AccountFacts) -> bool {
        let fields = [
            Ok(self.accounts.is_empty() || self.accounts.contains(&account.id)),
            self.ous_match(account),
            self.account_tags_match(account),
        ];
        conjunction(fields).unwrap_or(true)
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
        let name_matches = self.users.is_empty() || self.users.iter().any(|glob| matches_name(glob, user));
        // A path is not known here, so a rule with paths is left to the re-check as well.
        let decides =
            self.user_tags.len() == 1 && self.paths.is_empty() && name_matches && self.possible_in(account);
        let tags = self.user_tags.iter().filter(|_| decides);
        tags.map(|(key, value)| ExemptTag { key: key.clone(), value: value.clone() }).collect()
    }

    fn ous_match(&self, account: &AccountFacts) -> Result<bool, String> {
        when(!self.ous.is_empty(), "OUs of the account", &account.ous, |above| {
            above.iter().any(|ou| self.ous.contains(&ou.id))
        })
    }

    fn account_tags_match(&self, account: &AccountFacts) -> Result<bool, String> {
        when(!self.account_tags.is_empty(), "tags of the account", &account.tags, |tags| {
            self.account_tags
                .iter()
                .all(|(key, glob)| tags.get(key).is_some_and(|v| WildMatch::new(glob).matches(v)))
        })
    }
}

/// Matches if the field is not asked for; otherwise needs the fact.
fn when<T>(asked: bool, what: &str, fact: &Fact<T>, test: impl FnOnce(&T) -> bool) -> Result<bool, String> {
    match fact {
        _ if !asked => Ok(true),
        Fact::Known(value) => Ok(test(value)),
        Fact::Unknown(why) => Err(format!("{what}: {why}")),
        Fact::NotRead => Err(format!("{what}: not read")),
    }
}

/// AND in three values: a sure "no" wins over any "cannot tell".
fn conjunction(fields: impl IntoIterator<Item = Result<bool, String>>) -> Result<bool, String> {
    let mut unknown = None;
    for field in fields {
        match field {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(why) => unknown = unknown.or(Some(why)),
        }
    }
    unknown.map_or(Ok(true), Err)
}

fn matches_name(glob: &str, name: &UserName) -> bool {
    WildMatch::new_case_insensitive(glob).matches(name.as_str())
}

fn tags_match(wanted: &BTreeMap<String, String>, tags: &BTreeMap<String, String>) -> bool {
    wanted.iter().all(|(key, glob)| {
        let same_key = tags.iter().filter(|(k, _)| k.eq_ignore_ascii_case(key));
        let glob = WildMatch::new(glob);
        same_key.map(|(_, value)| value).any(|value| glob.matches(value))
    })
}
