//! What the operator wants, validated, and resolved for one key.
//!
//! Rules are matched in three values: a rule matches, does not match, or cannot tell because a fact that it reads is
//! unknown. A key for which any rule cannot tell has no policy, and waits.

mod likeness;
mod matching;
mod terms;
mod window;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

pub(crate) use self::likeness::wide;
pub(crate) use self::matching::is_surely_at;
pub use self::matching::{Match, Subject};
pub use self::terms::{ApprovalBy, ApprovalFor, IncompleteEvidence, Mode, Terms, TermsPatch};
pub use self::window::{DayOfWeek, Hours, ParseHoursError, Window};
use crate::facts::{AccountFacts, Collection, KeyFacts, Outcome, Tags};
use crate::ids::UserName;
use crate::notice::Notices;
use crate::owner::Owners;
use crate::quarantine::QuarantinePolicy;
use crate::ticket::ExemptTag;

/// One day, the unit of most periods.
pub const DAY: Duration = Duration::from_secs(86_400);

/// Which rule of the configuration, or of an operator, set something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// `[policy]`.
    Base,
    /// The n-th `[[policy.override]]`, from 1.
    Override(usize),
    /// The n-th `[[policy.exempt]]`, from 1.
    Exempt(usize),
    /// An exemption that an operator granted, by its number.
    Granted(u64),
}

impl Rule {
    /// Whether a name is that of an exemption that an operator granted, as the journal has it.
    #[must_use]
    pub fn is_granted(name: &str) -> bool {
        name.strip_prefix("exemption ").is_some_and(|number| number.parse::<u64>().is_ok())
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Base => f.write_str("policy"),
            Self::Override(n) => write!(f, "policy.override[{n}]"),
            Self::Exempt(n) => write!(f, "policy.exempt[{n}]"),
            Self::Granted(number) => write!(f, "exemption {number}"),
        }
    }
}

/// `[[policy.override]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    /// For which keys.
    pub matches: Match,
    /// What differs for them.
    pub terms: TermsPatch,
}

/// `[[policy.exempt]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemption {
    /// For which keys.
    pub matches: Match,
    /// Why.
    pub reason: String,
    /// Last day on which it holds, in the time zone of the base policy.
    pub until: Date,
}

/// `[limits]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Deactivations in any 24 hours, whole organization; and as many quarantines.
    pub deactivations_per_day: u32,
    /// Deletions in any 24 hours, whole organization.
    pub deletions_per_day: u32,
    /// Quarantines, deactivations, and deletions in any 24 hours in one account.
    pub changes_per_account_per_day: u32,
    /// Newly due keys in one sweep, as a share of all active keys, above which the breaker trips.
    pub surge: f64,
    /// Newly due keys in one sweep up to which the breaker never trips.
    pub surge_keys: u32,
    /// Share of accounts that may vanish between two sweeps before the breaker trips.
    pub shrink: f64,
    /// Accounts with failed changes in 24 hours at which the breaker trips.
    pub failed_accounts: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deactivations_per_day: 50,
            deletions_per_day: 50,
            changes_per_account_per_day: 5,
            surge: 0.10,
            surge_keys: 20,
            shrink: 0.10,
            failed_accounts: 3,
        }
    }
}

/// The whole policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// `[policy]`.
    pub base: Terms,
    /// `[[policy.override]]`, in order; a later match wins term by term.
    pub overrides: Vec<Override>,
    /// `[[policy.exempt]]`.
    pub exemptions: Vec<Exemption>,
    /// `[limits]`.
    pub limits: Limits,
    /// `[notices]`: whether a change needs a delivered notice, who is notified, and how.
    pub notices: Notices,
    /// Whether a change needs a look into CloudTrail right before it.
    pub cloudtrail: bool,
    /// The policy that is attached to users in quarantine.
    pub quarantine_policy: QuarantinePolicy,
    /// `protect.honeytokens`: globs for names, paths, and tags of users whose keys may be decoys.
    pub honeytokens: Vec<String>,
    /// Whether keys of the management account are only read: it is entered without a role, and nothing narrows what the
    /// hub's own credentials may do there.
    pub management_read_only: bool,
    /// `[owners]`: where the owners of keys are looked for.
    pub owners: Owners,
    /// Time zone of the base policy: that of `until`.
    pub time_zone: TimeZone,
    /// Scopes of roles. They decide nothing about keys; the facts of accounts that they need are read as well.
    pub scopes: Vec<Match>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            base: Terms::default(),
            overrides: Vec::new(),
            exemptions: Vec::new(),
            limits: Limits::default(),
            notices: Notices::default(),
            cloudtrail: true,
            quarantine_policy: QuarantinePolicy::default(),
            honeytokens: ["*canary*", "*honey*"].map(str::to_owned).to_vec(),
            management_read_only: false,
            owners: Owners::default(),
            time_zone: TimeZone::UTC,
            scopes: Vec::new(),
        }
    }
}

/// The exemption that holds a key back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExemptBy {
    /// Which rule.
    pub rule: Rule,
    /// Its reason.
    pub reason: String,
    /// The instant at which it ends.
    pub until: Timestamp,
}

/// The policy as it applies to one key.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolution {
    /// The terms.
    pub terms: Terms,
    /// Which rule set each term that is not the base's.
    pub origins: BTreeMap<&'static str, Rule>,
    /// The exemption that matches, if one does.
    pub exempt: Option<ExemptBy>,
}

impl Policy {
    /// What the configuration alone says about one key. It does not know the exemptions that operators granted:
    /// everything that decides goes through [`crate::plan::resolve`].
    ///
    /// # Errors
    /// Every rule that cannot tell whether it matches, with the fact that it lacks.
    pub(crate) fn resolve(&self, now: Timestamp, subject: &Subject<'_>) -> Result<Resolution, Vec<String>> {
        let mut unknown = Vec::new();
        let mut resolution = Resolution { terms: self.base.clone(), origins: BTreeMap::new(), exempt: None };
        for (index, rule) in self.overrides.iter().enumerate() {
            let name = Rule::Override(index + 1);
            match rule.matches.surely(subject) {
                Ok(true) => {
                    resolution.terms = resolution.terms.with(&rule.terms);
                    resolution.origins.extend(rule.terms.names().map(|term| (term, name.clone())));
                }
                Ok(false) => {}
                Err(why) => unknown.push(format!("{name} cannot tell: {why}")),
            }
        }
        for (index, rule) in self.exemptions.iter().enumerate() {
            let until = self.end_of(rule);
            if now >= until {
                continue;
            }
            let name = Rule::Exempt(index + 1);
            match rule.matches.possibly(subject) {
                // The exemption that lasts longest is the one that counts.
                Ok(true) if resolution.exempt.as_ref().is_none_or(|e| e.until < until) => {
                    resolution.exempt = Some(ExemptBy { rule: name, reason: rule.reason.clone(), until });
                }
                Ok(_) => {}
                Err(why) => unknown.push(format!("{name} cannot tell: {why}")),
            }
        }
        if unknown.is_empty() { Ok(resolution) } else { Err(unknown) }
    }

    /// Whether the keys of a user may be decoys that raise an alarm when somebody uses them: they are never used, and must
    /// not be removed for that. What was not read does not match.
    #[must_use]
    pub fn may_be_honeytoken(&self, facts: &KeyFacts) -> bool {
        let path = facts.path.known().map(String::as_str);
        let tags = facts.tags.known().into_iter().flat_map(Tags::iter);
        let texts: Vec<&str> = path.into_iter().chain(tags.flat_map(|(k, v)| [k, v])).collect();
        self.honeytokens.iter().any(|glob| {
            Match::matches_user(glob, &facts.user_name)
                || texts.iter().any(|text| Match::matches_text(glob, text))
        })
    }

    /// How long a key is held that was reactivated: the longest that could apply where the policy cannot be told.
    #[must_use]
    pub fn hold_after_reactivation(&self, now: Timestamp, subject: &Subject<'_>) -> Duration {
        match self.resolve(now, subject) {
            Ok(resolution) => resolution.terms.hold_after_reactivation,
            Err(_) => {
                let patched =
                    self.terms_possible_in(subject.account).filter_map(|p| p.hold_after_reactivation);
                patched.fold(self.base.hold_after_reactivation, Duration::max)
            }
        }
    }

    /// How long a key is held whose change was denied: the longest that any rule could set where its user is not known,
    /// or the policy cannot be told.
    #[must_use]
    pub fn hold_after_denial(&self, now: Timestamp, subject: Option<&Subject<'_>>) -> Duration {
        let resolved = subject.and_then(|subject| self.resolve(now, subject).ok());
        let longest = || {
            let patched = self.overrides.iter().filter_map(|rule| rule.terms.hold_after_denial);
            patched.fold(self.base.hold_after_denial, Duration::max)
        };
        resolved.map_or_else(longest, |resolution| resolution.terms.hold_after_denial)
    }

    /// Exemptions whose last day is past, with the day: the operator is warned of each.
    pub fn lapsed_exemptions(&self, now: Timestamp) -> impl Iterator<Item = (Rule, &Exemption)> {
        self.exemptions
            .iter()
            .enumerate()
            .filter(move |(_, rule)| now >= self.end_of(rule))
            .map(|(index, rule)| (Rule::Exempt(index + 1), rule))
    }

    /// The lowest threshold that any rule could set for a key of this account.
    #[must_use]
    pub fn lowest_threshold(&self, account: &AccountFacts) -> Duration {
        let patched = self.terms_possible_in(account).map(|patch| {
            let idle = [patch.unused_after, patch.never_used_after, patch.max_age.flatten()];
            idle.into_iter().flatten().min().unwrap_or(Duration::MAX)
        });
        patched.chain([self.base.lowest_threshold()]).min().unwrap_or(Duration::ZERO)
    }

    /// The windows of the policy, of each override alone, and of all together: when it is worth looking.
    pub fn windows(&self) -> impl Iterator<Item = Window> {
        let laid = |rules: &[Override]| {
            rules.iter().fold(self.base.clone(), |terms, rule| terms.with(&rule.terms)).window()
        };
        let alone = self.overrides.chunks(1).map(laid);
        [self.base.window(), laid(&self.overrides)].into_iter().chain(alone)
    }

    /// The strongest mode that any rule could set for a key of this account.
    #[must_use]
    pub fn strongest_mode(&self, account: &AccountFacts) -> Mode {
        self.terms_possible_in(account)
            .filter_map(|p| p.mode)
            .chain([self.base.mode])
            .max()
            .unwrap_or(self.base.mode)
    }

    /// Whether keys found Inactive could be taken over in this account.
    #[must_use]
    pub fn may_adopt_inactive(&self, account: &AccountFacts) -> bool {
        self.base.adopt_inactive || self.terms_possible_in(account).any(|p| p.adopt_inactive == Some(true))
    }

    /// Whether any rule could make the age of a key in use a finding in this account.
    #[must_use]
    pub fn may_find_over_age(&self, account: &AccountFacts) -> bool {
        self.base.max_age.is_some() || self.terms_possible_in(account).any(|p| p.max_age.flatten().is_some())
    }

    /// Whether any rule could put users in quarantine.
    #[must_use]
    pub fn may_quarantine(&self) -> bool {
        let patched = self.overrides.iter().filter_map(|rule| rule.terms.quarantine);
        patched.chain([self.base.quarantine]).any(|span| span.is_some())
    }

    /// Whether any mode that changes keys is set anywhere.
    #[must_use]
    pub fn changes_anything(&self) -> bool {
        self.base.mode != Mode::Observe
            || self.overrides.iter().any(|o| o.terms.mode.is_some_and(|m| m != Mode::Observe))
    }

    /// Whether a rule that could match in this account, or the search for owners, reads tags of users.
    #[must_use]
    pub fn reads_user_tags(&self, account: &AccountFacts) -> bool {
        let decoys = !self.honeytokens.is_empty() && !self.notices.protect.is_empty();
        decoys
            || self.owners.reads_user_tags()
            || self.matches().any(|m| m.reads_user_tags() && m.possible_in(account))
    }

    /// Whether any rule or route, or the scope of a role, reads the OUs of accounts.
    #[must_use]
    pub fn reads_ous(&self) -> bool {
        self.change_reads_ous() || self.notices.reads_ous() || self.scopes.iter().any(Match::reads_ous)
    }

    /// Whether any rule reads the OUs of accounts, so that they are read again before a change. Routes and roles do not
    /// decide about changes.
    #[must_use]
    pub fn change_reads_ous(&self) -> bool {
        self.matches().any(Match::reads_ous)
    }

    /// Whether any rule or route, the scope of a role, or the search for owners reads the tags of accounts.
    #[must_use]
    pub fn reads_account_tags(&self) -> bool {
        self.change_reads_account_tags()
            || self.notices.reads_account_tags()
            || self.scopes.iter().any(Match::reads_account_tags)
    }

    /// Whether any rule, or the search for owners, reads the tags of accounts, so that they are read again before a change.
    #[must_use]
    pub fn change_reads_account_tags(&self) -> bool {
        self.owners.reads_account_tags() || self.matches().any(Match::reads_account_tags)
    }

    /// User tags that alone exempt this user, so that IAM itself can be asked to refuse a change where they stand.
    #[must_use]
    pub fn exempt_tags(&self, now: Timestamp, account: &AccountFacts, user: &UserName) -> Vec<ExemptTag> {
        let mut tags: Vec<_> = self
            .exemptions_in_force(now)
            .flat_map(|(_, rule, _)| rule.matches.tags_deciding_for(account, user))
            .collect();
        tags.sort();
        tags.dedup();
        tags
    }

    /// The tags that may stand together in [`exempt_tags`](Self::exempt_tags) of one user: those of any account, and of
    /// each that an exemption names.
    #[must_use]
    pub fn exempt_tag_sets(&self, now: Timestamp) -> Vec<Vec<ExemptTag>> {
        let rules: Vec<&Match> = self.exemptions_in_force(now).map(|(_, rule, _)| &rule.matches).collect();
        let named: BTreeSet<_> = rules.iter().flat_map(|rule| &rule.accounts).copied().map(Some).collect();
        let sets = named.into_iter().chain([None]).map(|account| {
            let here = |rule: &&&Match| {
                let there = account.is_some_and(|account| rule.accounts.contains(&account));
                rule.accounts.is_empty() || there
            };
            let tags = rules.iter().filter(here).flat_map(|rule| rule.deciding_tags());
            tags.collect::<BTreeSet<_>>().into_iter().collect()
        });
        sets.collect()
    }

    /// Exemptions whose last day is not past, with the instant at which each ends.
    pub fn exemptions_in_force(&self, now: Timestamp) -> impl Iterator<Item = (Rule, &Exemption, Timestamp)> {
        self.exemptions
            .iter()
            .enumerate()
            .map(|(index, rule)| (Rule::Exempt(index + 1), rule, self.end_of(rule)))
            .filter(move |(_, _, end)| now < *end)
    }

    /// Every exemption in force, with the keys of candidates that it matches, if only possibly. A key can match several.
    #[must_use]
    pub fn exempted<'a>(
        &'a self,
        now: Timestamp,
        collection: &'a Collection,
    ) -> Vec<(&'a Exemption, Vec<&'a KeyFacts>)> {
        let mut exempted: Vec<_> =
            self.exemptions_in_force(now).map(|(_, rule, _)| (rule, Vec::new())).collect();
        if exempted.is_empty() {
            return exempted;
        }
        for (account, outcome) in &collection.accounts {
            let Outcome::Scanned(scan) = outcome else { continue };
            for facts in &scan.keys {
                let subject =
                    Subject { account, user_name: &facts.user_name, path: &facts.path, tags: &facts.tags };
                // What cannot be told counts as matched: nobody is to be advised to remove such a rule.
                let matching =
                    exempted.iter_mut().filter(|(rule, _)| rule.matches.possibly(&subject).unwrap_or(true));
                matching.for_each(|(_, found)| found.push(facts));
            }
        }
        exempted
    }

    /// The match of every rule that holds at `now`, with the name of its list.
    pub(crate) fn rules_in_force(&self, now: Timestamp) -> impl Iterator<Item = (&'static str, &Match)> {
        let overrides = self.overrides.iter().map(|rule| ("policy.override", &rule.matches));
        let exemptions = self.exemptions_in_force(now).map(|(_, rule, _)| ("policy.exempt", &rule.matches));
        overrides.chain(exemptions)
    }

    pub(crate) fn matches(&self) -> impl Iterator<Item = &Match> {
        self.overrides.iter().map(|o| &o.matches).chain(self.exemptions.iter().map(|e| &e.matches))
    }

    fn terms_possible_in(&self, account: &AccountFacts) -> impl Iterator<Item = &TermsPatch> {
        self.overrides.iter().filter(|o| o.matches.possible_in(account)).map(|o| &o.terms)
    }

    fn end_of(&self, rule: &Exemption) -> Timestamp {
        self.end_of_day(rule.until)
    }

    /// The instant after a day, in the time zone of the base policy. A day that has no successor never ends.
    #[must_use]
    pub fn end_of_day(&self, day: Date) -> Timestamp {
        let next_day = day.checked_add(1.day());
        let start = next_day.and_then(|day| day.to_zoned(self.time_zone.clone()));
        start.map_or(Timestamp::MAX, |zoned| zoned.timestamp())
    }
}

#[cfg(test)]
mod tests;
