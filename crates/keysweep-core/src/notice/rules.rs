//! `[notices]`: who is notified, through which channels, and when.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use wildmatch::WildMatch;

use super::{Address, Audience, ChannelKind, Item, NoticeKind};
use crate::ids::AccountId;
use crate::owner::Owner;
use crate::policy::{Hours, Window};

/// How many days before its end people are told of an exemption or a hold.
pub(crate) const EXEMPTION_ENDS_IN: Duration = Duration::from_secs(14 * 86_400);
pub(crate) const HOLD_ENDS_IN: Duration = Duration::from_secs(3 * 86_400);

/// `[notices]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Notices {
    /// Whether a change requires a delivered notice. If false, keysweep makes the change even if the notice about it could
    /// not be delivered.
    pub required: bool,
    /// Channels that are configured, in the order in which keysweep tries them.
    pub channels: Vec<ChannelKind>,
    /// Names of the configured webhooks.
    pub webhooks: BTreeSet<String>,
    /// How long before a change keysweep sends reminders, longest first.
    pub remind_before: Vec<Duration>,
    /// How long keysweep tries to deliver a message.
    pub give_up: Duration,
    /// The security team: requests for approval, outcomes, and what has no other recipient.
    pub notify: Vec<Address>,
    /// The longest hold that an owner may place through a link.
    pub owner_hold_max: Duration,
    /// `protect.notify`: recipients of everything about suspected honeytokens.
    pub protect: Vec<Address>,
    /// `[[notices.route]]`; the first that matches applies.
    pub routes: Vec<Route>,
    /// Time zone of quiet hours and of the dates in messages.
    pub time_zone: TimeZone,
}

impl Default for Notices {
    fn default() -> Self {
        Self {
            required: true,
            channels: Vec::new(),
            webhooks: BTreeSet::new(),
            remind_before: Vec::new(),
            give_up: Duration::from_secs(86_400),
            notify: Vec::new(),
            owner_hold_max: Duration::from_secs(30 * 86_400),
            protect: Vec::new(),
            routes: Vec::new(),
            time_zone: TimeZone::UTC,
        }
    }
}

/// `[[notices.route]]`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Route {
    /// For which notices.
    pub matches: RouteMatch,
    /// Channels in the order in which keysweep tries them; empty for those of `[notices]`.
    pub channels: Vec<ChannelKind>,
    /// The team for these notices; empty for that of `[notices]`.
    pub notify: Vec<Address>,
    /// How long keysweep waits for further notices to the same recipient before it sends a message.
    pub group_wait: Duration,
    /// Hours in which keysweep sends nothing that can wait.
    pub quiet_hours: Option<Hours>,
}

/// Which notices a route is for: all conditions that are set apply. Text is compared without regard to case.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RouteMatch {
    /// Accounts by ID; empty for all.
    pub accounts: BTreeSet<AccountId>,
    /// Globs for names of accounts; empty for all.
    pub account_names: Vec<WildMatch>,
    /// Globs for names of owners; empty for all.
    pub owners: Vec<WildMatch>,
    /// Kinds of notices; empty for all.
    pub kinds: BTreeSet<NoticeKind>,
}

impl RouteMatch {
    fn applies(&self, item: &Item, account_name: &str) -> bool {
        let among = |globs: &[WildMatch], name: &str| {
            let name = name.to_lowercase();
            globs.is_empty() || globs.iter().any(|glob| glob.matches(&name))
        };
        let owner = item.owner.as_ref().map_or("", |owner| owner.name.as_str());
        (self.accounts.is_empty() || self.accounts.contains(&item.account))
            && among(&self.account_names, account_name)
            && among(&self.owners, owner)
            && (self.kinds.is_empty() || self.kinds.contains(&item.kind))
    }
}

impl Notices {
    /// Whether keysweep can send anything.
    #[must_use]
    pub fn can_send(&self) -> bool {
        !self.channels.is_empty()
    }

    /// The route of a notice, with its position; `None` if none matches.
    pub(crate) fn route(&self, item: &Item, account_name: &str) -> Option<(usize, &Route)> {
        self.routes.iter().enumerate().find(|(_, route)| route.matches.applies(item, account_name))
    }

    /// Where the owner can be notified, in the order in which keysweep tries it.
    #[must_use]
    pub fn addresses(&self, owner: Option<&Owner>, route: Option<&Route>) -> Vec<Address> {
        let Some(owner) = owner else { return Vec::new() };
        let contact = &owner.contact;
        let on = |channel: &ChannelKind| match channel {
            ChannelKind::Email => contact.email.clone().map(Address::Email),
            ChannelKind::Slack => contact.slack.clone().map(Address::Slack),
            ChannelKind::Webhook => contact.webhook.clone().map(Address::Webhook),
        };
        let order = route.map(|route| &route.channels).filter(|order| !order.is_empty());
        let order = order.unwrap_or(&self.channels);
        order.iter().filter_map(on).filter(|address| self.serves(address)).collect()
    }

    /// The addresses of an audience other than the owner, each a recipient of its own.
    pub(crate) fn team(&self, audience: Audience, route: Option<&Route>) -> Vec<Address> {
        let addresses = match audience {
            Audience::Protect => &self.protect,
            Audience::Owner | Audience::Team => {
                route.map(|route| &route.notify).filter(|notify| !notify.is_empty()).unwrap_or(&self.notify)
            }
        };
        addresses.iter().filter(|address| self.serves(address)).cloned().collect()
    }

    /// Whether a channel for this address is configured.
    #[must_use]
    pub fn serves(&self, address: &Address) -> bool {
        let named = match address {
            Address::Webhook(name) => self.webhooks.contains(name),
            Address::Email(_) | Address::Slack(_) => true,
        };
        named && self.channels.contains(&address.channel())
    }

    /// When a message that is composed now is to be sent: not in quiet hours unless it is urgent.
    pub(crate) fn send_from(&self, now: Timestamp, route: Option<&Route>, urgent: bool) -> Timestamp {
        let Some(quiet) = route.and_then(|route| route.quiet_hours).filter(|_| !urgent) else { return now };
        let loud =
            Window { days: BTreeSet::new(), hours: Some(quiet.rest()), time_zone: self.time_zone.clone() };
        if loud.is_open(now) { now } else { loud.next_opening(now).unwrap_or(now) }
    }
}
