//! What the rules of the configuration name, and whether it exists.
//!
//! A rule that names nothing protects nothing. An account, OU, root or user that is named as it is and is in no
//! complete listing stops every automatic change ([`crate::plan::gate`]) until an operator acknowledges that rule; a
//! pattern or tag that matches nothing is a warning. Where a listing is not complete nothing is concluded.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::facts::{AccountFacts, AccountScan, Collection, Fact, Outcome};
use crate::ids::{AccountId, OuId, UserName};
use crate::policy::{Match, Policy};
use crate::state::{Body, Control};

/// More missing references than this are not journaled: one is enough to stop.
const MAX_MISSING: usize = 100;

/// Something that a rule names.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct Reference {
    /// The rule, by its text and not by its place, which changes when another rule is added.
    pub rule: String,
    /// What it names, such as `user break-glass`.
    pub what: String,
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {}", self.what, self.rule)
    }
}

/// Why a reference is not missing any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferenceCleared {
    /// It exists.
    Found,
    /// No rule names it any more, or its exemption has lapsed.
    Removed,
}

/// How the configuration chooses accounts, beside its rules.
#[derive(Debug, Clone, Copy, Default)]
pub struct Choice<'a> {
    /// OUs or roots to which everything is limited.
    pub include_ous: &'a [OuId],
    /// OUs that are left out.
    pub exclude_ous: &'a [OuId],
    /// Accounts that are left out.
    pub exclude_accounts: &'a [AccountId],
}

/// What became of every reference.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Accounts, OUs, roots and users that a complete listing lacks.
    pub missing: BTreeSet<Reference>,
    /// Those that exist.
    pub found: BTreeSet<Reference>,
    /// Those of which nobody knows.
    pub unknown: BTreeSet<Reference>,
    /// What matches nothing and stops nothing: patterns, paths, tags, OUs without accounts, and OUs to which the scan
    /// is limited.
    pub idle: BTreeSet<Reference>,
}

/// What rules compare with users: each once, in one order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Pattern {
    User(String),
    Path(String),
}

/// The patterns of a policy.
#[derive(Debug, Clone, Default)]
pub struct Patterns(Vec<Pattern>);

/// What the users of one account told of the patterns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Met {
    /// Whether every user of the account was seen.
    pub every_user: bool,
    /// Which patterns matched one, by their place in [`Patterns`].
    pub patterns: BTreeSet<usize>,
}

impl Patterns {
    /// The patterns of every rule.
    #[must_use]
    pub fn of(policy: &Policy) -> Self {
        let users = policy.matches().flat_map(|m| m.users.iter().cloned().map(Pattern::User));
        let paths = policy.matches().flat_map(|m| m.paths.iter().cloned().map(Pattern::Path));
        Self(users.chain(paths).collect::<BTreeSet<_>>().into_iter().collect())
    }

    /// Notes which patterns a user matches.
    pub fn see(&self, met: &mut Met, name: &UserName, path: &str) {
        for (place, pattern) in self.0.iter().enumerate() {
            let matches = match pattern {
                Pattern::User(_) | Pattern::Path(_) if met.patterns.contains(&place) => false,
                Pattern::User(glob) => Match::matches_user(glob, name),
                Pattern::Path(prefix) => path.starts_with(prefix.as_str()),
            };
            if matches {
                met.patterns.insert(place);
            }
        }
    }

    fn is_met(&self, met: &Met, pattern: &Pattern) -> bool {
        self.0.binary_search(pattern).is_ok_and(|place| met.patterns.contains(&place))
    }
}

/// Looks every reference up; `None` where the listing of accounts is not complete.
#[must_use]
pub fn check(
    policy: &Policy,
    now: Timestamp,
    choice: &Choice<'_>,
    collection: &Collection,
) -> Option<Report> {
    let look = Look { collection, patterns: Patterns::of(policy) };
    if !collection.complete {
        return None;
    }
    let mut report = Report::default();
    for account in choice.exclude_accounts {
        look.account(&mut report, "organization.exclude_accounts", *account);
    }
    for ou in choice.exclude_ous {
        look.ou(&mut report, "organization.exclude_ous", ou);
    }
    for ou in choice.include_ous {
        // Less is scanned, and nothing is changed that should not be.
        if look.ou_exists(ou) == Some(false) {
            report.idle.insert(mk("organization.include_ous", format!("OU {ou}")));
        }
    }
    for (kind, matches) in policy.rules_in_force(now) {
        look.rule(&mut report, &format!("{kind} {{ {matches} }}"), matches);
    }
    Some(report)
}

/// The entries that bring the journal in line with a report.
#[must_use]
pub fn entries(control: &Control, report: &Report) -> Vec<Body> {
    let known = |reference: &Reference| control.references.iter().any(|known| known.reference == *reference);
    let cleared = control.references.iter().map(|known| &known.reference).filter_map(|reference| {
        let why = if report.found.contains(reference) {
            ReferenceCleared::Found
        } else if report.missing.contains(reference) || report.unknown.contains(reference) {
            return None;
        } else {
            ReferenceCleared::Removed
        };
        Some(Body::ReferenceCleared { reference: reference.clone(), why })
    });
    let cleared: Vec<_> = cleared.collect();
    let room = MAX_MISSING.saturating_sub(control.references.len().saturating_sub(cleared.len()));
    let missing = report.missing.iter().filter(|reference| !known(reference)).take(room);
    let missing = missing.map(|reference| Body::ReferenceMissing { reference: reference.clone() });
    cleared.iter().cloned().chain(missing).collect()
}

struct Look<'a> {
    collection: &'a Collection,
    patterns: Patterns,
}

/// What is known of the accounts that a rule could match in.
struct Scope<'a> {
    scans: Vec<&'a AccountScan>,
    complete: bool,
}

impl Look<'_> {
    fn account(&self, report: &mut Report, rule: &str, id: AccountId) {
        let listed = self.collection.accounts.iter().any(|(account, _)| account.id == id);
        let to = if listed { &mut report.found } else { &mut report.missing };
        to.insert(mk(rule, format!("account {id}")));
    }

    fn ou(&self, report: &mut Report, rule: &str, id: &OuId) {
        let reference = mk(rule, format!("OU {id}"));
        match self.ou_exists(id) {
            None => {
                report.unknown.insert(reference);
            }
            Some(false) => {
                report.missing.insert(reference);
            }
            Some(true) => {
                let mut above = self.collection.accounts.iter().map(|(account, _)| &account.ous);
                let holds_any = above.any(|ous| match ous {
                    Fact::Known(ous) => ous.iter().any(|ou| ou.id == *id),
                    Fact::Unknown(_) | Fact::NotRead => true,
                });
                if !holds_any {
                    report.idle.insert(mk(rule, format!("OU {id}, in which there is no account")));
                }
                report.found.insert(reference);
            }
        }
    }

    fn ou_exists(&self, id: &OuId) -> Option<bool> {
        self.collection.ous.as_ref().and_then(Fact::known).map(|ous| ous.contains(id))
    }

    fn rule(&self, report: &mut Report, rule: &str, matches: &Match) {
        for account in &matches.accounts {
            self.account(report, rule, *account);
        }
        for ou in &matches.ous {
            self.ou(report, rule, ou);
        }
        let scope = self.scope(matches);
        if scope.scans.is_empty() {
            let told = report.missing.iter().any(|missing| missing.rule == rule);
            if scope.complete && !told {
                report.idle.insert(mk(rule, "the choice of accounts".to_owned()));
            }
            let literal = matches.users.iter().filter(|user| is_literal(user));
            report.unknown.extend(literal.map(|user| mk(rule, format!("user {user}"))));
            return;
        }
        let every_user = scope.complete && scope.scans.iter().all(|scan| scan.met.every_user);
        let met = |pattern: Pattern| scope.scans.iter().any(|scan| self.patterns.is_met(&scan.met, &pattern));
        for user in &matches.users {
            let reference = mk(rule, format!("user {user}"));
            let to = match (met(Pattern::User(user.clone())), is_literal(user)) {
                (true, true) => &mut report.found,
                (false, true) if every_user => &mut report.missing,
                (false, true) => &mut report.unknown,
                (false, false) if every_user => &mut report.idle,
                (_, false) => continue,
            };
            to.insert(reference);
        }
        for path in matches.paths.iter().filter(|_| every_user) {
            if !met(Pattern::Path(path.clone())) {
                report.idle.insert(mk(rule, format!("path {path}")));
            }
        }
        if scope.complete && !matches.user_tags.is_empty() {
            let keys = || scope.scans.iter().flat_map(|scan| &scan.keys);
            // Only users with a key that could be a finding are asked for their tags.
            let could_match = |tags: &Fact<_>| match tags {
                Fact::Known(tags) => matches.user_tags_match(tags),
                Fact::Unknown(_) | Fact::NotRead => true,
            };
            if keys().next().is_some() && !keys().any(|key| could_match(&key.tags)) {
                let tags: Vec<_> =
                    matches.user_tags.iter().map(|(key, glob)| format!("{key} = {glob:?}")).collect();
                report.idle.insert(mk(rule, format!("user tag {}", tags.join(", "))));
            }
        }
    }

    fn scope(&self, matches: &Match) -> Scope<'_> {
        let mut scope = Scope { scans: Vec::new(), complete: true };
        let possible = |account: &AccountFacts| matches.possible_in(account);
        for (_, outcome) in self.collection.accounts.iter().filter(|(account, _)| possible(account)) {
            match outcome {
                Outcome::Scanned(scan) => scope.scans.push(scan),
                Outcome::Failed { .. } => scope.complete = false,
                // Nothing is changed there.
                Outcome::Skipped { .. } => {}
            }
        }
        scope
    }
}

fn is_literal(glob: &str) -> bool {
    !glob.contains(['*', '?'])
}

fn mk(rule: &str, what: String) -> Reference {
    Reference { rule: rule.to_owned(), what }
}
