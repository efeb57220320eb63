//! `[notices]`: who is notified, through which channels, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use wildmatch::WildMatch;

use super::{Address, Audience, ChannelKind, Item, NoticeKind};
use crate::facts::{AccountFacts, Fact, Place};
use crate::ids::{AccountId, OuId};
use crate::owner::Owner;
use crate::policy::{Hours, Window, is_surely_at};

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
    /// Time zone of quiet hours and of the dates in messages, where neither a contact nor a route has another.
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
    /// Time zone of the quiet hours, and of the dates in messages to the team; `None` for that of `[notices]`.
    pub time_zone: Option<TimeZone>,
}

/// Which notices a route is for: all conditions that are set apply. Names are compared without regard to case, tags as in
/// [`Match`](crate::policy::Match).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RouteMatch {
    /// OUs or roots of accounts, descendants included; empty for all.
    pub ous: Vec<OuId>,
    /// Tags of accounts: key, and a glob for the value; empty for all.
    pub account_tags: BTreeMap<String, String>,
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
    /// Whether the route surely is for a notice, or surely is not; an error names the fact that is missing.
    fn applies(&self, item: &Item, account_name: &str, place: &Place) -> Result<bool, String> {
        let among = |globs: &[WildMatch], name: &str| {
            let name = name.to_lowercase();
            globs.is_empty() || globs.iter().any(|glob| glob.matches(&name))
        };
        let owner = item.owner.as_ref().map_or("", |owner| owner.name.as_str());
        let others = (self.accounts.is_empty() || self.accounts.contains(&item.account))
            && among(&self.account_names, account_name)
            && among(&self.owners, owner)
            && (self.kinds.is_empty() || self.kinds.contains(&item.kind));
        if others { is_surely_at(place, &self.ous, &self.account_tags) } else { Ok(false) }
    }
}

/// The routes that may apply to a notice.
#[derive(Debug)]
pub(crate) struct Routing<'a> {
    /// Those before the sure one of which a fact is missing, and why.
    maybe: Vec<(&'a Route, String)>,
    /// The first that surely matches, with its position; `None` if none does: the notice then goes as `[notices]` says.
    sure: Option<(usize, &'a Route)>,
}

impl<'a> Routing<'a> {
    /// The first route that surely matches.
    pub(crate) fn sure(&self) -> Option<(usize, &'a Route)> {
        self.sure
    }

    /// Why the route is not known, if it makes a difference for `what` is asked of it: a notice must not reach people or
    /// channels of another route.
    pub(crate) fn doubt<T: PartialEq>(&self, what: impl Fn(Option<&Route>) -> T) -> Option<&str> {
        let sure = what(self.sure.map(|(_, route)| route));
        let other = self.maybe.iter().find(|(route, _)| what(Some(route)) != sure);
        other.map(|(_, why)| why.as_str())
    }
}

impl Notices {
    /// Whether keysweep can send anything.
    #[must_use]
    pub fn can_send(&self) -> bool {
        !self.channels.is_empty()
    }

    /// The routes that may apply to a notice: the first that surely matches, and those before it that may match.
    pub(crate) fn route(&self, item: &Item, account_name: &str, place: &Place) -> Routing<'_> {
        let mut routing = Routing { maybe: Vec::new(), sure: None };
        for (position, route) in self.routes.iter().enumerate() {
            match route.matches.applies(item, account_name, place) {
                Ok(true) => {
                    routing.sure = Some((position, route));
                    return routing;
                }
                Ok(false) => {}
                Err(why) => routing.maybe.push((route, why)),
            }
        }
        routing
    }

    /// What routes match of an account beside its name: the rest is not read.
    #[must_use]
    pub fn place(&self, account: &AccountFacts) -> Place {
        let place = account.place();
        Place {
            ous: if self.reads_ous() { place.ous } else { Fact::NotRead },
            tags: if self.reads_account_tags() { place.tags } else { Fact::NotRead },
        }
    }

    /// Whether any route reads the OUs of accounts.
    #[must_use]
    pub fn reads_ous(&self) -> bool {
        self.routes.iter().any(|route| !route.matches.ous.is_empty())
    }

    /// Whether any route reads the tags of accounts.
    #[must_use]
    pub fn reads_account_tags(&self) -> bool {
        self.routes.iter().any(|route| !route.matches.account_tags.is_empty())
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
        let time_zone = route.and_then(|route| route.time_zone.as_ref()).unwrap_or(&self.time_zone).clone();
        let loud = Window { days: BTreeSet::new(), hours: Some(quiet.rest()), time_zone };
        if loud.is_open(now) { now } else { loud.next_opening(now).unwrap_or(now) }
    }
}
