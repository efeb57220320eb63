//! What is valid and cannot do what it seems to say.

use std::time::Duration;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};
use keysweep_aws::{MAX_SESSION_POLICY, Partition, session_policy_length};
use keysweep_core::policy::{ApprovalFor, DAY, Mode, Policy, Window};

use super::Review;
use crate::config::model::{Model, OverrideSection};
use crate::config::path::KeyPath;
use crate::config::period::Period;

/// A sweep that begins when a window opens takes minutes before its first change.
const SHORTEST_WINDOW: Duration = Duration::from_secs(15 * 60);

/// IAM API reference, `pathType`.
const LONGEST_PATH: usize = 512;

/// How far ahead changes of the clocks are looked for.
const A_YEAR: SignedDuration = SignedDuration::from_hours(366 * 24);

pub(super) fn warn(policy: &Policy, model: &Model, now: Timestamp, review: &mut Review) {
    let base = KeyPath::of("policy");
    periods(&base, &(&model.policy).into(), model, review);
    for (index, rule) in model.policy.overrides.iter().enumerate() {
        let at = base.key("override").index(index);
        periods(&at, rule, model, review);
        accounts(&at, &rule.matches.accounts, model, review);
        prefixes(&at, &rule.matches.paths, review);
    }
    for (index, rule) in model.policy.exempt.iter().enumerate() {
        let at = base.key("exempt").index(index);
        accounts(&at, &rule.matches.accounts, model, review);
        prefixes(&at, &rule.matches.paths, review);
    }
    windows(policy, now, review);
    limits(policy, review);
    modes(policy, review);
    if model.scan.report_max_age.get() > DAY {
        let problem = format!(
            "{} old reports miss what was used since, so that keys are flagged that are in use",
            model.scan.report_max_age
        );
        review.questionable(&KeyPath::of("scan.report_max_age"), problem);
    }
    session_policies(policy, model, now, review);
}

fn periods(at: &KeyPath, rule: &OverrideSection, model: &Model, review: &mut Review) {
    let interval = model.scan.interval;
    if let Some(grace) = rule.grace.filter(|grace| grace.get() < interval.get() * 2) {
        let problem = format!(
            "{grace} is less than two scan intervals ({interval} each): a key is deleted after keysweep has seen it \
             Inactive two or three times"
        );
        review.questionable(&at.key("grace"), problem);
    }
    let quarantine = rule.quarantine.and_then(|span| span.get());
    if let Some(span) = quarantine.filter(|span| *span < interval.get() * 2) {
        let problem = format!(
            "{} is less than two scan intervals ({interval} each): keysweep looks for clients once per sweep",
            Period::from(span)
        );
        review.questionable(&at.key("quarantine"), problem);
    }
    if let Some(expires) = rule.approval_expires.filter(|expires| expires.get() < interval.get()) {
        let problem = format!("{expires} is over before the next sweep, which comes after {interval}");
        review.questionable(&at.key("approval_expires"), problem);
    }
    for (key, hold) in [
        ("hold_after_reactivation", rule.hold_after_reactivation),
        ("hold_after_denial", rule.hold_after_denial),
    ] {
        let Some(hold) = hold.filter(|hold| hold.get() < DAY.max(interval.get())) else { continue };
        let problem =
            format!("a hold of {hold} is over within a day or by the next sweep: it protects nothing");
        review.questionable(&at.key(key), problem);
    }
}

/// Accounts in which nothing is done anyway.
pub(super) fn accounts(at: &KeyPath, accounts: &[String], model: &Model, review: &mut Review) {
    let organization = &model.organization;
    for (index, account) in accounts.iter().enumerate() {
        let unlisted = !organization.accounts.is_empty() && !organization.accounts.contains(account);
        let problem = if organization.exclude_accounts.contains(account) {
            format!("{account} is in organization.exclude_accounts: nothing is done there anyway")
        } else if unlisted {
            format!("{account} is not in organization.accounts: nothing is done there anyway")
        } else {
            continue;
        };
        review.questionable(&at.key("match").key("accounts").index(index), problem);
    }
}

fn prefixes(at: &KeyPath, paths: &[String], review: &mut Review) {
    for (index, path) in paths.iter().enumerate().filter(|(_, path)| !path.ends_with('/')) {
        let problem = format!("{path:?} is a prefix, and also matches paths such as \"{path}-old/\"");
        review.questionable(&at.key("match").key("paths").index(index), problem);
    }
}

fn windows(policy: &Policy, now: Timestamp, review: &mut Review) {
    let base = KeyPath::of("policy.hours");
    let of_rules = policy.overrides.iter().enumerate().filter(|(_, rule)| rule.terms.hours.is_some());
    let rules = of_rules.map(|(index, rule)| {
        let mut terms = policy.base.clone();
        terms.hours = rule.terms.hours.unwrap_or_default();
        terms.time_zone = rule.terms.time_zone.clone().unwrap_or(terms.time_zone);
        (KeyPath::of("policy.override").index(index).key("hours"), terms.window())
    });
    for (path, window) in [(base, policy.base.window())].into_iter().chain(rules) {
        let Some(hours) = window.hours else { continue };
        if hours.length() < SHORTEST_WINDOW {
            let problem =
                format!("{hours} is shorter than 15m: a sweep that begins then may find it closed again");
            review.questionable(&path, problem);
        }
        if let Some(day) = skipped_day(&window, now) {
            let problem =
                format!("{hours} does not come on {day}, when the clocks of its time zone go forward");
            review.questionable(&path, problem);
        }
    }
}

/// The first day of the coming year on which a change of the clocks skips the hours altogether.
fn skipped_day(window: &Window, now: Timestamp) -> Option<Date> {
    let every_day = Window { days: std::collections::BTreeSet::new(), ..window.clone() };
    let end = now.checked_add(A_YEAR).ok()?;
    let zone = &window.time_zone;
    let shifts = zone.following(now).map(|shift| shift.timestamp()).take_while(|at| *at <= end);
    shifts.map(|at| at.to_zoned(zone.clone()).date()).find(|day| {
        let Ok(start) = day.to_zoned(zone.clone()) else { return false };
        let Ok(length) = start.tomorrow().map(|next| next.duration_since(&start)) else { return false };
        let minutes = 0..length.as_mins();
        let at = |minute: i64| start.timestamp().checked_add(minute.minutes()).ok();
        !minutes.filter_map(at).any(|at| every_day.is_open(at))
    })
}

fn limits(policy: &Policy, review: &mut Review) {
    let (limits, at) = (&policy.limits, KeyPath::of("limits"));
    if !policy.changes_anything() {
        return;
    }
    if limits.deletions_per_day == 0 && has_mode(policy, Mode::Delete) {
        review.questionable(&at.key("deletions_per_day"), "0 lets no key ever be deleted".to_owned());
    }
    if limits.surge == 0.0 && limits.surge_keys == 0 {
        review.questionable(
            &at.key("surge_keys"),
            "0 with a surge of 0.0 opens the circuit breaker at the first key".to_owned(),
        );
    }
    if limits.shrink == 0.0 {
        review.questionable(
            &at.key("shrink"),
            "0.0 opens the circuit breaker whenever an account is closed".to_owned(),
        );
    }
}

fn has_mode(policy: &Policy, mode: Mode) -> bool {
    policy.base.mode == mode || policy.overrides.iter().any(|rule| rule.terms.mode == Some(mode))
}

/// Terms that no mode reads.
fn modes(policy: &Policy, review: &mut Review) {
    let at = KeyPath::of("policy");
    if policy.base.adopt_inactive && policy.changes_anything() && !has_mode(policy, Mode::Delete) {
        let problem = "no mode deletes keys, so that those that are taken over stay as they are".to_owned();
        review.questionable(&at.key("adopt_inactive"), problem);
    }
    if policy.base.approval == ApprovalFor::Delete
        && policy.base.mode == Mode::Deactivate
        && !has_mode(policy, Mode::Delete)
    {
        let problem = "no mode deletes keys, and deactivations are not asked about".to_owned();
        review.questionable(&at.key("approval"), problem);
    }
}

/// The tags of exemptions become a condition of each change's session, which AWS limits.
fn session_policies(policy: &Policy, model: &Model, now: Timestamp, review: &mut Review) {
    let at = KeyPath::of("policy.exempt");
    let Some(partition) = Partition::known(&model.aws.region) else { return };
    let quarantine = policy.may_quarantine().then_some(&policy.quarantine_policy);
    let longest = |path: usize| {
        let lengths = policy.exempt_tag_sets(now).into_iter();
        lengths.map(|tags| session_policy_length(partition, &tags, path, quarantine)).max().unwrap_or(0)
    };
    let least = longest(1);
    let shorten =
        "shorten the keys and values of user_tags, give several rules one tag, or limit them to accounts";
    if least > MAX_SESSION_POLICY {
        let problem = format!(
            "user_tags need a session policy of {least} characters, and AWS takes {MAX_SESSION_POLICY}, so that no key \
             could be changed: {shorten}"
        );
        if policy.changes_anything() {
            review.wrong(&at, problem);
        } else {
            review.questionable(&at, problem);
        }
    } else if longest(LONGEST_PATH) > MAX_SESSION_POLICY {
        let problem = format!(
            "user_tags need a session policy of {least} characters, and AWS takes {MAX_SESSION_POLICY}: keys of users \
             with a long path could not be changed; {shorten}"
        );
        review.questionable(&at, problem);
    }
}
