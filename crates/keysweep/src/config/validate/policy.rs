//! `[policy]`, `[notices]` and `[limits]`, with the rules for some keys.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use keysweep_core::policy::{
    ApprovalBy, DAY, DayOfWeek, Exemption, Hours, Limits, Match, Mode, Override, Policy, Rule, Terms,
    TermsPatch,
};

use super::notices::{self, Configured};
use super::{Review, meaning, names, owners};
use crate::config::ManagementAccount;
use crate::config::model::{Day, ExemptSection, LimitsSection, MatchSection, Model, OverrideSection};
use crate::config::path::KeyPath;
use crate::config::period::Period;

pub(super) fn build(model: &Model, now: Timestamp, review: &mut Review) -> Policy {
    let section = &model.policy;
    let at = KeyPath::of("policy");
    let check = Check {
        short: model.dev.allow_short_periods,
        notices_required: model.notices.required,
        channels: Configured::of(model).any() || Configured::is_in_doubt(review),
        owners: !model.owners.sources.is_empty() || !model.owners.default.is_empty(),
    };
    let base = Terms::default().with(&check.terms(&section.into(), &at, review));
    let overrides = section.overrides.iter().enumerate().map(|(index, rule)| {
        let at = at.key("override").index(index);
        check.rule(rule, &at, review)
    });
    let overrides = overrides.collect();
    let exemptions = section.exempt.iter().enumerate().filter_map(|(index, rule)| {
        let at = at.key("exempt").index(index);
        exemption(rule, &at, review)
    });
    let exemptions = exemptions.collect();
    refuse_ous_of_a_list(model, &at, review);
    let time_zone = base.time_zone.clone();
    for (index, glob) in model.protect.honeytokens.iter().enumerate() {
        if glob.is_empty() {
            let at = KeyPath::of("protect").key("honeytokens").index(index);
            review.unexpected(&at, glob, "a name or a glob such as \"*canary*\"");
        }
    }
    let expected = "\"AWSDenyAll\", or a name that begins with \"keysweep-quarantine\"";
    let at_quarantine = KeyPath::of("evidence").key("quarantine_policy");
    let quarantine_policy = review.parse(&at_quarantine, &model.evidence.quarantine_policy, expected);
    let policy = Policy {
        scopes: Vec::new(),
        base,
        overrides,
        exemptions,
        limits: limits(&model.limits, review),
        notices: notices::build(model, &time_zone, review),
        cloudtrail: model.evidence.cloudtrail,
        quarantine_policy: quarantine_policy.unwrap_or_default(),
        honeytokens: model.protect.honeytokens.clone(),
        owners: owners::build(model, review),
        management_read_only: model.organization.management_account == ManagementAccount::Direct,
        time_zone,
    };
    if policy.management_read_only && policy.changes_anything() {
        let problem = "only reads the management account: no key there is changed, whatever policy.mode says. Set \
                       \"assume\", and make both roles there, to have them changed";
        review.questionable(&KeyPath::of("organization.management_account"), problem.to_owned());
    }
    warn(&policy, model, now, review);
    notices::warn_of_reminders(&policy, model, review);
    meaning::warn(&policy, model, now, review);
    policy
}

/// The OUs above the accounts of a static list are never read, so that a rule that needs them could never tell.
fn refuse_ous_of_a_list(model: &Model, at: &KeyPath, review: &mut Review) {
    if model.organization.accounts.is_empty() {
        return;
    }
    let overrides = model.policy.overrides.iter().map(|rule| &rule.matches.ous);
    let exemptions = model.policy.exempt.iter().map(|rule| &rule.matches.ous);
    let routes = model.notices.route.iter().map(|route| &route.matches.ous);
    for (list, rules) in [
        (at.key("override"), overrides.collect::<Vec<_>>()),
        (at.key("exempt"), exemptions.collect()),
        (KeyPath::of("notices.route"), routes.collect()),
    ] {
        for (index, ous) in rules.iter().enumerate() {
            if !ous.is_empty() {
                let problem = "cannot be told where organization.accounts lists the accounts, since Organizations is \
                               then not asked: name the accounts with accounts = [...]";
                review.wrong(&list.index(index).key("match").key("ous"), problem.to_owned());
            }
        }
    }
}

/// How to configure a channel, or where to look for owners, in messages.
const CHANNELS: &str = "configure [notices.email], [notices.slack], or a [[notices.webhook]]";
const OWNERS: &str = "set owners.sources or owners.default";

/// What the rest of the configuration says about terms.
struct Check {
    short: bool,
    notices_required: bool,
    /// Whether a channel is configured.
    channels: bool,
    /// Whether keysweep looks for owners.
    owners: bool,
}

impl Check {
    fn rule(&self, rule: &OverrideSection, at: &KeyPath, review: &mut Review) -> Override {
        let terms = self.terms(rule, at, review);
        // Something below that is already known to be wrong was meant to be set.
        if terms == TermsPatch::default() && !review.has_mistakes_below(at) {
            review.wrong(at, "sets nothing: expected a match and at least one key of [policy]".to_owned());
        }
        Override { matches: matches(&rule.matches, &at.key("match"), review), terms }
    }

    fn terms(&self, rule: &OverrideSection, at: &KeyPath, review: &mut Review) -> TermsPatch {
        self.mode(rule.mode, at, review);
        for (key, period) in [
            ("unused_after", rule.unused_after.map(Period::get)),
            ("never_used_after", rule.never_used_after.map(Period::get)),
            ("max_age", rule.max_age.and_then(|age| age.get())),
            ("notice", rule.notice.map(Period::get)),
            ("quarantine", rule.quarantine.and_then(|span| span.get())),
            ("grace", rule.grace.map(Period::get)),
        ] {
            self.not_short(&at.key(key), period, review);
        }
        for (key, period) in [
            ("approval_expires", rule.approval_expires),
            ("hold_after_reactivation", rule.hold_after_reactivation),
            ("hold_after_denial", rule.hold_after_denial),
        ] {
            if let Some(period) = period {
                review.positive(&at.key(key), period);
            }
        }
        if let Some(needed) = rule.approvals_needed.filter(|needed| !(1..=10).contains(needed)) {
            review.unexpected(&at.key("approvals_needed"), &needed, "a whole number from 1 to 10");
        }
        if rule.approval_by.as_ref().is_some_and(|by| !by.contains(&ApprovalBy::Approver)) {
            let problem = "missing \"approver\": expected [\"approver\"] or [\"approver\", \"owner\"]";
            review.wrong(&at.key("approval_by"), problem.to_owned());
        }
        TermsPatch {
            mode: rule.mode,
            unused_after: rule.unused_after.map(Period::get),
            never_used_after: rule.never_used_after.map(Period::get),
            max_age: rule.max_age.map(|age| age.get()),
            notice: rule.notice.map(Period::get),
            quarantine: rule.quarantine.map(|span| span.get()),
            grace: rule.grace.map(Period::get),
            approval: rule.approval,
            approvals_needed: rule.approvals_needed,
            approval_by: rule.approval_by.as_ref().map(|by| by.iter().copied().collect()),
            approval_expires: rule.approval_expires.map(Period::get),
            approval_repeats: rule.approval_repeats,
            hold_after_reactivation: rule.hold_after_reactivation.map(Period::get),
            hold_after_denial: rule.hold_after_denial.map(Period::get),
            adopt_inactive: rule.adopt_inactive,
            incomplete_evidence: rule.incomplete_evidence,
            days: rule.days.as_deref().map(days),
            hours: rule.hours.as_deref().map(|text| hours(text, at, review)),
            time_zone: rule.time_zone.as_deref().map(|name| time_zone(name, at, review)),
        }
    }

    fn mode(&self, mode: Option<Mode>, at: &KeyPath, review: &mut Review) {
        let Some(mode) = mode.filter(|mode| *mode != Mode::Observe) else { return };
        if !self.notices_required {
            return;
        }
        let (missing, configure, keys) = if !self.channels {
            ("no notice channel is configured", CHANNELS, ["notices.required"].as_slice())
        } else if !self.owners {
            (
                "no key has an owner to notify",
                OWNERS,
                ["notices.required", "owners.sources", "owners.default"].as_slice(),
            )
        } else {
            return;
        };
        if keys.iter().any(|key| review.has_mistakes_below(&KeyPath::of(key))) {
            return;
        }
        let problem = format!(
            "found {:?}, but {missing}: {configure}, or set notices.required = false to change keys without a delivered \
             notice",
            mode.as_str()
        );
        review.wrong(&at.key("mode"), problem);
    }

    fn not_short(&self, path: &KeyPath, period: Option<Duration>, review: &mut Review) {
        let Some(period) = period else { return };
        let shown = Period::from(period);
        review.positive(path, shown);
        if period < DAY && !self.short {
            review.unexpected(path, &shown, "at least 24 hours unless dev.allow_short_periods is true");
        }
    }
}

fn days(days: &[Day]) -> BTreeSet<DayOfWeek> {
    days.iter().map(|day| Weekday::from(*day).into()).collect()
}

fn hours(hours: &str, at: &KeyPath, review: &mut Review) -> Option<Hours> {
    if hours.is_empty() {
        return None;
    }
    review.parse(&at.key("hours"), hours, "two different times such as \"09:00-16:00\"")
}

pub(super) fn time_zone(name: &str, at: &KeyPath, review: &mut Review) -> TimeZone {
    TimeZone::get(name).unwrap_or_else(|_| {
        let expected = "a name of the IANA time zone database, such as \"Europe/Berlin\"";
        review.unexpected(&at.key("time_zone"), name, expected);
        TimeZone::UTC
    })
}

fn matches(section: &MatchSection, at: &KeyPath, review: &mut Review) -> Match {
    let matches = Match {
        ous: review.ou_ids(&at.key("ous"), &section.ous),
        accounts: review.account_ids(&at.key("accounts"), &section.accounts),
        account_tags: section.account_tags.clone(),
        users: section.users.clone(),
        paths: section.paths.clone(),
        user_tags: section.user_tags.clone(),
    };
    if *section == MatchSection::default() && !review.has_mistakes_below(at) {
        let expected = "at least one of ous, accounts, account_tags, users, paths and user_tags";
        review.wrong(at, format!("matches nothing in particular: expected {expected}"));
    }
    each(&at.key("users"), &section.users, names::user_glob, review);
    each(&at.key("paths"), &section.paths, names::path_prefix, review);
    for (key, tags) in [("account_tags", &section.account_tags), ("user_tags", &section.user_tags)] {
        tags_of(&at.key(key), tags, review);
    }
    let user_tags = at.key("user_tags");
    for (key, other) in same_but_for_case(&section.user_tags) {
        let problem =
            format!("{key:?} and {other:?} are one key for IAM, which ignores case: set one of them");
        review.wrong(&user_tags.key(key), problem);
    }
    matches
}

fn each(at: &KeyPath, texts: &[String], check: fn(&str) -> Result<(), &'static str>, review: &mut Review) {
    for (index, text) in texts.iter().enumerate() {
        if let Err(expected) = check(text) {
            review.unexpected(&at.index(index), text, expected);
        }
    }
}

pub(super) fn tags_of(at: &KeyPath, tags: &BTreeMap<String, String>, review: &mut Review) {
    for (key, glob) in tags {
        for (text, checked) in [(key, names::tag_key(key)), (glob, names::tag_glob(glob))] {
            if let Err(expected) = checked {
                review.unexpected(&at.key(key), text, expected);
            }
        }
    }
}

/// Tags that no user can have at once.
fn same_but_for_case(tags: &BTreeMap<String, String>) -> Vec<(&str, &str)> {
    let keys: Vec<_> = tags.keys().map(|key| (key.as_str(), key.to_lowercase())).collect();
    let mut same = Vec::new();
    for (index, (key, folded)) in keys.iter().enumerate() {
        let before = keys.iter().take(index).find(|(_, other)| other == folded);
        same.extend(before.map(|(other, _)| (*key, *other)));
    }
    same
}

fn exemption(rule: &ExemptSection, at: &KeyPath, review: &mut Review) -> Option<Exemption> {
    let matches = matches(&rule.matches, &at.key("match"), review);
    let reason = rule.reason.as_deref().map(str::trim).unwrap_or_default();
    if reason.is_empty() {
        review.wrong(&at.key("reason"), "missing: expected why these keys are exempt".to_owned());
    }
    let expected = "the last day on which it holds, such as \"2027-06-30\"";
    let until = at.key("until");
    let day = match &rule.until {
        Some(text) => day(text).or_else(|| {
            review.unexpected(&until, text, expected);
            None
        }),
        None => {
            review.wrong(&until, format!("missing: expected {expected}"));
            None
        }
    };
    Some(Exemption { matches, reason: reason.to_owned(), until: day? })
}

/// A date and nothing else: jiff would drop the time from a timestamp, and with it what somebody meant.
fn day(text: &str) -> Option<Date> {
    Date::strptime("%Y-%m-%d", text).ok()
}

fn limits(section: &LimitsSection, review: &mut Review) -> Limits {
    let at = KeyPath::of("limits");
    review.ratio(&at.key("surge"), section.surge);
    review.ratio(&at.key("shrink"), section.shrink);
    if section.failed_accounts == 0 {
        let problem = "found 0, expected at least 1: the breaker would never close".to_owned();
        review.wrong(&at.key("failed_accounts"), problem);
    }
    Limits {
        deactivations_per_day: section.deactivations_per_day,
        deletions_per_day: section.deletions_per_day,
        changes_per_account_per_day: section.changes_per_account_per_day,
        surge: section.surge,
        surge_keys: section.surge_keys,
        shrink: section.shrink,
        failed_accounts: section.failed_accounts,
    }
}

/// What is valid, but perhaps not meant.
fn warn(policy: &Policy, model: &Model, now: Timestamp, review: &mut Review) {
    for (index, rule) in model.policy.exempt.iter().enumerate() {
        let Some(until) = rule.until.as_deref().and_then(day) else { continue };
        let alone = Policy {
            exemptions: vec![Exemption { matches: Match::default(), reason: String::new(), until }],
            ..policy.clone()
        };
        if alone.lapsed_exemptions(now).next().is_some() {
            let path = KeyPath::of("policy.exempt").index(index).key("until");
            let name = Rule::Exempt(index + 1);
            review.questionable(&path, format!("{until} is past: {name} no longer holds"));
        }
    }
    let limits = KeyPath::of("limits");
    if policy.changes_anything() {
        for (key, value) in [
            ("deactivations_per_day", policy.limits.deactivations_per_day),
            ("changes_per_account_per_day", policy.limits.changes_per_account_per_day),
        ] {
            if value == 0 {
                review.questionable(&limits.key(key), "0 lets no key ever be deactivated".to_owned());
            }
        }
        for (key, value) in [("surge", policy.limits.surge), ("shrink", policy.limits.shrink)] {
            if value >= 1.0 {
                review.questionable(
                    &limits.key(key),
                    "1.0 prevents the circuit breaker from ever opening".to_owned(),
                );
            }
        }
    }
    if model.dev.allow_short_periods && policy.changes_anything() {
        let problem = "keys may be changed sooner than anybody can object".to_owned();
        review.questionable(&KeyPath::of("dev.allow_short_periods"), problem);
    }
}
