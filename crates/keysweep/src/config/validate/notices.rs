//! `[notices]`: who is notified, through which channels, and when.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::tz::TimeZone;
use keysweep_core::notice::{Address, ChannelKind, NotAnAddress, Notices, Route, RouteMatch};
use keysweep_core::policy::{DAY, Policy};
use wildmatch::WildMatch;

use super::policy::{tags_of, time_zone};
use super::{HOUR, Review, meaning};
use crate::config::Origin;
use crate::config::model::{Model, RouteSection};
use crate::config::path::KeyPath;
use crate::config::period::Period;

/// More reminders than this are a nuisance.
const MOST_REMINDERS: usize = 5;

/// The order in which keysweep tries channels by default: the faster one first.
const CHANNELS: [ChannelKind; 3] = [ChannelKind::Slack, ChannelKind::Email, ChannelKind::Webhook];

/// Which channels are configured. One with a mistake counts, too.
pub(super) struct Configured<'m> {
    email: bool,
    slack: bool,
    webhooks: BTreeSet<&'m str>,
    any_webhook: bool,
}

impl<'m> Configured<'m> {
    pub(super) fn of(model: &'m Model) -> Self {
        let section = &model.notices;
        Self {
            email: !section.email.host.is_empty(),
            slack: !section.slack.token_file.is_empty(),
            webhooks: section.webhook.iter().filter_map(|webhook| webhook.name.as_deref()).collect(),
            any_webhook: !section.webhook.is_empty(),
        }
    }

    pub(super) fn has(&self, channel: ChannelKind) -> bool {
        match channel {
            ChannelKind::Email => self.email,
            ChannelKind::Slack => self.slack,
            ChannelKind::Webhook => self.any_webhook,
        }
    }

    pub(super) fn any(&self) -> bool {
        CHANNELS.into_iter().any(|channel| self.has(channel))
    }

    /// Whether a channel is missing only because the key that would configure it is wrong.
    pub(super) fn is_in_doubt(review: &Review) -> bool {
        CHANNELS.into_iter().any(|channel| review.has_mistakes_below(&key_of(channel)))
    }
}

/// The key that configures a channel.
fn key_of(channel: ChannelKind) -> KeyPath {
    KeyPath::of(match channel {
        ChannelKind::Email => "notices.email.host",
        ChannelKind::Slack => "notices.slack.token_file",
        ChannelKind::Webhook => "notices.webhook",
    })
}

/// How the configuration calls a channel.
pub(super) fn section_of(channel: ChannelKind) -> &'static str {
    match channel {
        ChannelKind::Email => "[notices.email]",
        ChannelKind::Slack => "[notices.slack]",
        ChannelKind::Webhook => "[[notices.webhook]]",
    }
}

pub(super) fn build(model: &Model, policy_zone: &TimeZone, review: &mut Review) -> Notices {
    let section = &model.notices;
    let at = KeyPath::of("notices");
    let configured = Configured::of(model);
    let zone = match section.time_zone.as_str() {
        "" => policy_zone.clone(),
        name => time_zone(name, &at, review),
    };
    let give_up = section.give_up.get();
    let short = model.dev.allow_short_periods;
    let least = if short { Duration::from_secs(1) } else { HOUR };
    if !(least..=7 * DAY).contains(&give_up) {
        review.unexpected(&at.key("give_up"), &section.give_up, "1h to 7d");
    }
    if !(DAY..=90 * DAY).contains(&section.owner_hold_max.get()) {
        review.unexpected(&at.key("owner_hold_max"), &section.owner_hold_max, "1d to 90d");
    }
    let routes = section.route.iter().enumerate().map(|(index, route)| {
        let at = at.key("route").index(index);
        self::route(route, &at, &configured, review)
    });
    let routes = routes.collect();
    let notify = addresses(&section.notify, &at.key("notify"), &configured, review);
    let protect = &model.protect.notify;
    let protect = addresses(protect, &KeyPath::of("protect.notify"), &configured, review);
    let remind_before = reminders(&section.remind_before, &at.key("remind_before"), least, review);
    warn(model, &configured, review);
    Notices {
        required: section.required,
        channels: CHANNELS.into_iter().filter(|channel| configured.has(*channel)).collect(),
        webhooks: configured.webhooks.iter().map(|name| (*name).to_owned()).collect(),
        remind_before,
        give_up,
        owner_hold_max: section.owner_hold_max.get(),
        notify,
        protect,
        routes,
        time_zone: zone,
    }
}

fn reminders(periods: &[Period], at: &KeyPath, least: Duration, review: &mut Review) -> Vec<Duration> {
    if periods.len() > MOST_REMINDERS {
        let problem = format!("found {} entries, expected at most {MOST_REMINDERS}", periods.len());
        review.wrong(at, problem);
    }
    for (index, period) in periods.iter().enumerate() {
        let path = at.index(index);
        if period.get() < least {
            review.unexpected(&path, period, "at least 1h");
        }
        if periods.iter().take(index).any(|before| before == period) {
            review.wrong(&path, format!("{period} is listed twice"));
        }
    }
    let mut reminders: Vec<Duration> = periods.iter().map(|period| period.get()).collect();
    reminders.sort_unstable_by(|a, b| b.cmp(a));
    reminders
}

fn addresses(
    texts: &[String],
    at: &KeyPath,
    configured: &Configured<'_>,
    review: &mut Review,
) -> Vec<Address> {
    let mut addresses = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let path = at.index(index);
        let Some(address) = review.parse::<Address>(&path, text, &NotAnAddress.to_string()) else { continue };
        if addresses.contains(&address) {
            review.wrong(&path, format!("{address} is listed twice"));
            continue;
        }
        match &address {
            Address::Webhook(name) => webhook_exists(name, &path, text, configured, review),
            Address::Email(_) | Address::Slack(_) => {
                exists(address.channel(), &path, text, configured, review);
            }
        }
        addresses.push(address);
    }
    addresses
}

/// A channel that something refers to.
fn exists(channel: ChannelKind, at: &KeyPath, found: &str, configured: &Configured<'_>, review: &mut Review) {
    if !configured.has(channel) {
        let problem = format!("found {found:?}, but {} is not configured", section_of(channel));
        review.contradiction(at, &key_of(channel), problem);
    }
}

/// A webhook that something refers to.
pub(super) fn webhook_exists(
    name: &str,
    at: &KeyPath,
    found: &str,
    configured: &Configured<'_>,
    review: &mut Review,
) {
    let webhooks = key_of(ChannelKind::Webhook);
    if !configured.webhooks.contains(name) && !review.has_mistakes_below(&webhooks) {
        review.wrong(at, format!("found {found:?}, but no [[notices.webhook]] has that name"));
    }
}

fn route(section: &RouteSection, at: &KeyPath, configured: &Configured<'_>, review: &mut Review) -> Route {
    for (index, channel) in section.channels.iter().enumerate() {
        let path = at.key("channels").index(index);
        if section.channels.iter().take(index).any(|before| before == channel) {
            review.wrong(&path, format!("{} is listed twice", channel.as_str()));
        }
        exists(*channel, &path, channel.as_str(), configured, review);
    }
    let group_wait = section.group_wait.unwrap_or(Period::from_secs(0));
    if group_wait.get() > DAY {
        review.unexpected(&at.key("group_wait"), &group_wait, "at most 24h");
    }
    let quiet_hours = section.quiet_hours.as_ref().filter(|hours| !hours.is_empty()).and_then(|hours| {
        let expected = "two different times such as \"22:00-07:00\"";
        review.parse(&at.key("quiet_hours"), hours, expected)
    });
    Route {
        matches: matches(section, &at.key("match"), review),
        channels: section.channels.clone(),
        notify: addresses(&section.notify, &at.key("notify"), configured, review),
        group_wait: group_wait.get(),
        quiet_hours,
        time_zone: section.time_zone.as_deref().map(|name| time_zone(name, at, review)),
    }
}

fn matches(section: &RouteSection, at: &KeyPath, review: &mut Review) -> RouteMatch {
    let matches = &section.matches;
    for (index, kind) in matches.kinds.iter().enumerate() {
        if matches.kinds.iter().take(index).any(|before| before == kind) {
            review.wrong(&at.key("kinds").index(index), format!("{} is listed twice", kind.as_str()));
        }
    }
    let account = "the name of an account, or a glob such as \"prod-*\"";
    tags_of(&at.key("account_tags"), &matches.account_tags, review);
    RouteMatch {
        ous: review.ou_ids(&at.key("ous"), &matches.ous),
        account_tags: matches.account_tags.clone(),
        accounts: review.account_ids(&at.key("accounts"), &matches.accounts).into_iter().collect(),
        account_names: globs(&matches.account_names, &at.key("account_names"), account, review),
        owners: globs(&matches.owners, &at.key("owners"), "a name, or a glob such as \"payments*\"", review),
        kinds: matches.kinds.iter().copied().collect(),
    }
}

/// Globs for names of any characters.
fn globs(texts: &[String], at: &KeyPath, expected: &str, review: &mut Review) -> Vec<WildMatch> {
    for (index, text) in texts.iter().enumerate() {
        if text.trim().is_empty() || text.trim() != text {
            let expected = format!("{expected}, without blanks around it");
            review.unexpected(&at.index(index), text, &expected);
        }
    }
    texts.iter().map(|text| WildMatch::new(&text.to_lowercase())).collect()
}

/// Settings that are valid and have no effect, and recipients that are missing.
fn warn(model: &Model, configured: &Configured<'_>, review: &mut Review) {
    let section = &model.notices;
    let at = KeyPath::of("notices");
    let catches_all = section.route.iter().position(|route| route.matches.is_empty());
    let notified = catches_all
        .is_some_and(|last| section.route.iter().take(last + 1).all(|route| !route.notify.is_empty()));
    if configured.any() && section.notify.is_empty() && !notified {
        let problem = "is empty: nobody receives approval requests, their outcomes, and messages about reactivated keys \
                       or keys without an owner";
        review.questionable(&at.key("notify"), problem.to_owned());
    }
    for (index, route) in section.route.iter().enumerate() {
        let at = at.key("route").index(index);
        if let Some(before) = catches_all.filter(|before| *before < index) {
            let problem = format!("has no effect: notices.route[{}] matches every notice", before + 1);
            review.questionable(&at, problem);
        }
        meaning::accounts(&at, &route.matches.accounts, model, review);
    }
}

/// Reminders that come too early to be sent. Nobody asked for those of the defaults.
pub(super) fn warn_of_reminders(policy: &Policy, model: &Model, review: &mut Review) {
    let at = KeyPath::of("notices.remind_before");
    if !Configured::of(model).any() || review.layers.origin(&at) == Origin::Default {
        return;
    }
    let of_rules = policy.overrides.iter().enumerate().filter_map(|(index, rule)| {
        Some((rule.terms.notice?, KeyPath::of("policy.override").index(index).key("notice")))
    });
    let base = (policy.base.notice, KeyPath::of("policy.notice"));
    let Some((notice, key)) = [base].into_iter().chain(of_rules).min_by_key(|(notice, _)| *notice) else {
        return;
    };
    for (index, period) in model.notices.remind_before.iter().enumerate() {
        if period.get() >= notice {
            let notice = Period::from(notice);
            let problem = format!(
                "{period} is not less than {key}, which is {notice}: keysweep does not send this reminder before a \
                 deactivation"
            );
            review.questionable(&at.index(index), problem);
        }
    }
}
