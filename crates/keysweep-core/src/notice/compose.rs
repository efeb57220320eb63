//! From items to messages, and from what became of a message to entries.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::rules::Routing;
use super::{Address, Audience, ChannelKind, Item, ItemId, Message, NoticeKind, Notices, Posted, Recipient};
use crate::facts::Place;
use crate::lifecycle::Record;
use crate::lifecycle::event::Consent;
use crate::lifecycle::{Approval, State as KeyState};
use crate::policy::Policy;
use crate::state::{Body, State};
use crate::ticket::Planned;

/// How long a notice that no change waits for is held back while its route is not known: longer than two scans by default,
/// and shorter than the time for which news is worth sending.
const WAITS_FOR_ROUTE: Duration = Duration::from_secs(13 * 3600);

/// The entries that put every item that still stands, and that no message contains yet, into one message per recipient. An
/// announcement that nobody can receive is undelivered at once. While keysweep is paused, nobody is told of changes to come:
/// an operator who reviews a new configuration reads the list before thousands of owners do.
#[must_use]
pub fn compose(now: Timestamp, notices: &Notices, state: &State) -> Vec<Body> {
    let mut groups: BTreeMap<(Recipient, Option<usize>, bool), Group> = BTreeMap::new();
    let mut entries = Vec::new();
    for item in due(state) {
        let routing = routing(notices, state, item);
        let doubt = routing.doubt(|route| recipients(notices, item, route));
        if doubt.is_some() && waits_for_route(now, item) {
            continue;
        }
        let route = routing.sure();
        let recipients = recipients(notices, item, route.map(|(_, route)| route));
        if recipients.is_empty() && item.kind.announces() {
            let why = "no configured channel can reach the owner".to_owned();
            entries.push(undelivered_item(item, None, &why));
        }
        // Other people read the same message at another time.
        let urgent = item.kind.is_urgent();
        let wait = route.map(|(_, route)| route.group_wait).filter(|_| !urgent).unwrap_or_default();
        for recipient in recipients {
            let group = groups.entry((recipient, route.map(|(position, _)| position), urgent)).or_default();
            group.items.insert(item.id);
            let ready = item.at.checked_add(wait).unwrap_or(Timestamp::MAX);
            group.ready = Some(group.ready.map_or(ready, |first| first.min(ready)));
        }
    }
    let give_up = |from: Timestamp| from.checked_add(notices.give_up).unwrap_or(Timestamp::MAX);
    for ((to, position, urgent), group) in groups {
        if group.ready.is_some_and(|ready| now < ready) {
            continue;
        }
        let route = position.and_then(|position| notices.routes.get(position));
        let send_from = notices.send_from(now, route, urgent);
        let items: Vec<ItemId> = group.items.into_iter().collect();
        let asks = |id: &ItemId| {
            state.outbox().item(*id).is_some_and(|item| item.kind == NoticeKind::ApprovalRequest)
        };
        let most = most_items(&to, items.iter().any(asks));
        entries.extend(items.chunks(most).map(|items| Body::MessageComposed {
            to: to.clone(),
            items: items.iter().copied().collect(),
            send_from,
            give_up: give_up(send_from),
        }));
    }
    entries
}

/// The routes that may apply to an item, by what the last scan of its account knew.
fn routing<'n>(notices: &'n Notices, state: &State, item: &Item) -> Routing<'n> {
    let unread = Place::default();
    let account = state.account(item.account);
    let (name, place) = account.map_or(("", &unread), |account| (account.name.as_str(), &account.place));
    notices.route(item, name, place)
}

/// The time zone of the dates that readers of an item see: that of the owner's contact, or that of the route for the team.
#[must_use]
pub fn time_zone<'p>(policy: &'p Policy, state: &State, reader: Audience, item: &Item) -> &'p TimeZone {
    let own = match reader {
        Audience::Owner => item.owner.as_deref().and_then(|owner| policy.owners.time_zone(owner)),
        Audience::Team => {
            let route = routing(&policy.notices, state, item).sure();
            route.and_then(|(_, route)| route.time_zone.as_ref())
        }
        Audience::Protect => None,
    };
    own.unwrap_or(&policy.notices.time_zone)
}

/// Whether an item whose route is not known waits for the next scan: one that goes by the wrong route shows a key to the
/// wrong people. A change waits for its announcement. Other news would be lost, so it goes by the first route that surely
/// matches in the end.
fn waits_for_route(now: Timestamp, item: &Item) -> bool {
    let until = item.at.checked_add(WAITS_FOR_ROUTE).unwrap_or(Timestamp::MAX);
    item.kind.announces() || now < until
}

/// Items that go to one recipient together.
#[derive(Debug, Default)]
struct Group {
    items: BTreeSet<ItemId>,
    /// When the oldest of them has waited for further ones long enough.
    ready: Option<Timestamp>,
}

/// Items that are to be put into a message.
fn due(state: &State) -> impl Iterator<Item = &Item> {
    let paused = !state.control().pauses.is_empty();
    state.outbox().items().filter(move |item| {
        let waits = paused && item.kind.foretells();
        item.messages.is_empty() && !waits && is_current(state.record(&item.key), item)
    })
}

/// When the oldest item that is to be put into a message came up.
#[must_use]
pub fn oldest_due(state: &State) -> Option<Timestamp> {
    due(state).map(|item| item.at).min()
}

/// Whether an item that no message contains yet is to be sent. An announcement that keysweep gave up is given again by the
/// next plan, with new dates.
pub(crate) fn is_current(record: Option<&Record>, item: &Item) -> bool {
    let pending = || {
        let number = record.and_then(Record::notice).and_then(crate::lifecycle::Notice::pending);
        number == Some(item.id.0)
    };
    stands_for(record, item) && (!item.kind.announces() || pending())
}

/// So many keys a message shows in full, whichever of its addresses it goes to: someone who is only told a number is not
/// told of a key. Slack and Microsoft Teams limit the size of a message, and requests for approval have buttons in Slack.
fn most_items(to: &Recipient, asks: bool) -> usize {
    let has = |channel| to.addresses.iter().any(|address: &Address| address.channel() == channel);
    match (has(ChannelKind::Slack), has(ChannelKind::Webhook)) {
        (true, _) if asks => 8,
        (true, _) | (_, true) => 12,
        (false, false) => 50,
    }
}

/// Who receives a notice. One that a change depends on goes to one recipient, whose channel must accept it.
fn recipients(notices: &Notices, item: &Item, route: Option<&super::Route>) -> Vec<Recipient> {
    let each = |audience: Audience| {
        let of = |address: Address| {
            let (name, addresses) = (address.to_string(), vec![address]);
            Recipient { name, addresses, audience }
        };
        notices.team(audience, route).into_iter().map(of).collect::<Vec<_>>()
    };
    let together = |audience: Audience| {
        let addresses = notices.team(audience, route);
        let name = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let some = (!addresses.is_empty()).then_some(Recipient { name, addresses, audience });
        some.into_iter().collect()
    };
    match item.audience {
        Audience::Owner => {
            let addresses = notices.addresses(item.owner.as_deref(), route);
            let name = item.owner.as_ref().map_or_else(String::new, |owner| owner.name.clone());
            match addresses.is_empty() {
                false => vec![Recipient { name, addresses, audience: Audience::Owner }],
                // What a change depends on is for the owner alone; the team is asked for approvals besides.
                true if item.kind.announces() || item.kind == NoticeKind::ApprovalRequest => Vec::new(),
                true => each(Audience::Team),
            }
        }
        Audience::Protect if item.kind.announces() => together(Audience::Protect),
        Audience::Team | Audience::Protect => each(item.audience),
    }
}

/// Whether an item is still true. What became void in the meantime is not sent.
#[must_use]
pub fn stands(state: &State, item: &Item) -> bool {
    stands_for(state.record(&item.key), item)
}

pub(crate) fn stands_for(record: Option<&Record>, item: &Item) -> bool {
    let Some(record) = record else {
        return !matches!(
            item.kind,
            NoticeKind::DeactivationAhead
                | NoticeKind::DeletionAhead
                | NoticeKind::Reminder
                | NoticeKind::ApprovalRequest
                | NoticeKind::OwnerMissing
                | NoticeKind::HoldEnding
                | NoticeKind::ExemptionEnding
        );
    };
    let ahead = |change: Planned| is_ahead(record, change);
    match item.kind {
        NoticeKind::DeactivationAhead | NoticeKind::DeletionAhead => {
            let undelivered = record.notice().and_then(crate::lifecycle::Notice::undelivered);
            item.change.is_some_and(ahead) && undelivered == Some(item.id.0)
        }
        NoticeKind::Reminder => {
            let announced = record.notice().is_some_and(|notice| {
                notice.was_delivered()
                    && (notice.deactivation, notice.deletion) == (item.deactivation, item.deletion)
            });
            item.change.is_some_and(ahead) && announced && !is_stopped(record)
        }
        NoticeKind::ApprovalRequest => {
            let asked = |approval: &Approval| approval.number == item.id.0 && !approval.is_granted();
            record.approval().is_some_and(asked)
        }
        NoticeKind::OwnerMissing => {
            let sent = record.notice().and_then(crate::lifecycle::Notice::number);
            sent.is_none() && item.owner == record.owner
        }
        NoticeKind::HoldEnding => record.holds.iter().any(|hold| hold.ending && hold.until == item.ends),
        NoticeKind::ExemptionEnding => {
            record.exempt.as_ref().is_some_and(|mark| Some(mark.until) == item.ends)
        }
        NoticeKind::Deactivated => matches!(record.state, KeyState::Deactivated(_) | KeyState::Deleting(_)),
        // A new notice says more than the end of the one before.
        NoticeKind::Outcome if item.audience != Audience::Team => {
            record.notice().and_then(crate::lifecycle::Notice::number).is_none_or(|number| number < item.id.0)
        }
        NoticeKind::Deleted | NoticeKind::Outcome | NoticeKind::Reactivated | NoticeKind::Undeliverable => {
            true
        }
    }
}

/// Whether this is the next change of the key.
pub(super) fn is_ahead(record: &Record, change: Planned) -> bool {
    match &record.state {
        KeyState::Flagged(_) => change == Planned::Deactivate,
        KeyState::Deactivated(_) => change == Planned::Delete,
        KeyState::Active
        | KeyState::Deactivating(_)
        | KeyState::Deleting(_)
        | KeyState::Deleted(_)
        | KeyState::Gone(_) => false,
    }
}

/// Whether an overlay stops every automatic change.
pub(super) fn is_stopped(record: &Record) -> bool {
    !record.holds.is_empty() || record.exempt.is_some() || record.incident.is_some()
}

/// The entries after a channel accepted a message that contained these items. `posted` is where the channel keeps it.
#[must_use]
pub fn delivered(
    state: &State,
    message: &Message,
    sent: &BTreeSet<ItemId>,
    via: &Address,
    posted: Option<&Posted>,
) -> Vec<Body> {
    let items = sent.iter().filter_map(|id| state.outbox().item(*id));
    let announced = items.filter(|item| item.kind.announces() && stands(state, item)).map(|item| {
        let event = Consent::NoticeDelivered {
            notice: item.id.0,
            message: message.number,
            to: message.to.name.clone(),
            via: via.clone(),
        };
        Body::Key { account: item.account, key: item.key.clone(), event: event.into() }
    });
    // Nothing but requests for approval is replaced.
    let asks = sent.iter().filter_map(|id| state.outbox().item(*id));
    let asks = asks.into_iter().any(|item| item.kind == NoticeKind::ApprovalRequest);
    let posted = posted.filter(|_| asks).cloned();
    announced.chain([Body::MessageDelivered { message: message.number, via: via.clone(), posted }]).collect()
}

/// The entries after keysweep gave up a message.
#[must_use]
pub fn undelivered(state: &State, message: &Message, why: &str) -> Vec<Body> {
    let items = state.outbox().items_of(message);
    let announced = items
        .filter(|item| item.kind.announces() && stands(state, item))
        .map(|item| undelivered_item(item, Some(message.number), why));
    let gave_up = Body::MessageUndeliverable { message: message.number, why: why.to_owned() };
    announced.chain([gave_up]).collect()
}

fn undelivered_item(item: &Item, message: Option<u64>, why: &str) -> Body {
    let event = Consent::NoticeUndelivered { notice: item.id.0, message, why: why.to_owned() };
    Body::Key { account: item.account, key: item.key.clone(), event: event.into() }
}
