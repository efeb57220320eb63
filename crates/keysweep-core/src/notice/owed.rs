//! What an event owes to people.

use jiff::Timestamp;

use super::{Audience, Item, ItemId, NoticeKind};
use crate::lifecycle::event::{Change, Consent, KeyEvent, Note, Overlay, Seen};
use crate::lifecycle::{Approval, ClearedWhy, DeactivatedBy, Notice, Record, State};
use crate::state::{Actor, Entry};
use crate::ticket::Planned;

/// What people are to be told of an event of a key: pure, so that a replay of the journal owes the same.
pub(crate) fn owed(
    entry: &Entry,
    before: Option<&Record>,
    after: Option<&Record>,
    event: &KeyEvent,
) -> Vec<Item> {
    let Some(record) = before.or(after) else { return Vec::new() };
    let mut items = of_event(&Make { entry, record, after }, before, after, event);
    for (place, item) in items.iter_mut().enumerate() {
        item.id = ItemId(entry.seq, u8::try_from(place).unwrap_or(u8::MAX));
    }
    items
}

fn of_event(mk: &Make<'_>, before: Option<&Record>, after: Option<&Record>, event: &KeyEvent) -> Vec<Item> {
    let record = mk.record;
    match event {
        KeyEvent::Consent(event) => of_consent(mk, before, after, event),
        KeyEvent::Change(Change::Deactivated { .. }) => {
            let ours = after.is_some_and(
                |after| matches!(&after.state, State::Deactivated(data) if data.origin == DeactivatedBy::Keysweep),
            );
            if ours { vec![mk.item(NoticeKind::Deactivated, Audience::Owner)] } else { Vec::new() }
        }
        KeyEvent::Change(Change::Deleted { .. }) => vec![mk.item(NoticeKind::Deleted, Audience::Owner)],
        KeyEvent::Change(Change::Undone { hold_until, .. }) => {
            let item = Item { ends: Some(*hold_until), ..mk.item(NoticeKind::Reactivated, Audience::Team) };
            [item].into_iter().chain(mk.closed_request("the key was reactivated")).collect()
        }
        KeyEvent::Seen(Seen::Reactivated { hold_until }) => {
            let why = Some("keysweep found the key Active again".to_owned());
            let item =
                Item { ends: Some(*hold_until), why, ..mk.item(NoticeKind::Reactivated, Audience::Team) };
            [item].into_iter().chain(mk.closed_request("the key was reactivated")).collect()
        }
        KeyEvent::Seen(Seen::Cleared { why }) => {
            let why = match why {
                ClearedWhy::UsedAgain => "the key was used again",
                ClearedWhy::NoLongerStale => "the key is no longer stale",
                ClearedWhy::InactiveElsewhere => "the key is Inactive, and keysweep did not deactivate it",
            };
            mk.called_off(before, why)
        }
        KeyEvent::Seen(Seen::UsedInQuarantine { hold_until, .. }) => {
            let items = mk.called_off(before, "the key was used during its quarantine");
            items.into_iter().map(|item| Item { ends: Some(*hold_until), ..item }).collect()
        }
        KeyEvent::Seen(Seen::Absent) => mk.called_off(before, "the key no longer exists"),
        KeyEvent::Overlay(Overlay::HoldPlaced { reason, until }) => {
            let items = mk.called_off(before, &format!("the key is on hold: {reason}"));
            items.into_iter().map(|item| Item { ends: *until, ..item }).collect()
        }
        KeyEvent::Overlay(Overlay::ExemptBegan { reason, until, .. }) => {
            let items = mk.called_off(before, &format!("the key is exempt: {reason}"));
            items.into_iter().map(|item| Item { ends: Some(*until), ..item }).collect()
        }
        KeyEvent::Overlay(Overlay::HoldEnding { hold }) => {
            let Some(hold) = record.holds.iter().find(|known| known.number == *hold) else {
                return Vec::new();
            };
            let item = mk.item(NoticeKind::HoldEnding, Audience::Owner);
            vec![Item { ends: hold.until, why: Some(hold.reason.clone()), by: Some(hold.by.clone()), ..item }]
        }
        KeyEvent::Overlay(Overlay::ExemptEnding) => {
            let Some(mark) = &record.exempt else { return Vec::new() };
            let item = mk.item(NoticeKind::ExemptionEnding, Audience::Team);
            let why = Some(format!("{}: {}", mark.rule, mark.reason));
            vec![Item { ends: Some(mark.until), why, by: None, ..item }]
        }
        KeyEvent::Record(Note::Forgotten { .. }) => mk.called_off(before, "an operator removed the record"),
        KeyEvent::Seen(
            Seen::Flagged { .. }
            | Seen::Adopted { .. }
            | Seen::LastUseMoved { .. }
            | Seen::QuarantineRemoved
            | Seen::SeenAgain
            | Seen::ListedAfterDeletion,
        )
        | KeyEvent::Change(
            Change::Intent { .. }
            | Change::Accepted { .. }
            | Change::Quarantined { .. }
            | Change::QuarantineEnded { .. }
            | Change::Refused { .. }
            | Change::Unclear { .. },
        )
        | KeyEvent::Overlay(
            Overlay::HoldReleased { .. }
            | Overlay::HoldExpired { .. }
            | Overlay::ExemptEnded
            | Overlay::IncidentBegan { .. }
            | Overlay::IncidentEnded
            | Overlay::QuarantineInterrupted { .. },
        )
        | KeyEvent::Record(
            Note::Renamed { .. }
            | Note::OwnerFound { .. }
            | Note::NoLongerNeeded
            | Note::ReactivationsCleared { .. }
            | Note::ActivitySeen { .. }
            | Note::ReactivationTraced { .. }
            | Note::UserChanged { .. }
            | Note::BundleWritten { .. }
            | Note::BecameDue { .. }
            | Note::NotDue,
        ) => Vec::new(),
    }
}

fn of_consent(mk: &Make<'_>, before: Option<&Record>, after: Option<&Record>, event: &Consent) -> Vec<Item> {
    match event {
        Consent::Noticed { send: false, .. } | Consent::NoticeDelivered { .. } => Vec::new(),
        Consent::Noticed { send: true, deactivation, deletion, terms, decoy, .. } => {
            let (kind, change) = match deactivation {
                Some(_) => (NoticeKind::DeactivationAhead, Planned::Deactivate),
                None => (NoticeKind::DeletionAhead, Planned::Delete),
            };
            let (deactivation, deletion, period) = (*deactivation, *deletion, Some(terms.notice));
            // Whatever the notice before this one said of the key.
            let audience = if *decoy { Audience::Protect } else { Audience::Owner };
            let item = Item { audience, ..mk.item(kind, audience) };
            vec![Item { change: Some(change), deactivation, deletion, period, ..item }]
        }
        Consent::ReminderDue { action } => {
            let Some(notice) = after.and_then(Record::notice) else { return Vec::new() };
            let (deactivation, deletion) = (notice.deactivation, notice.deletion);
            let item = mk.item(NoticeKind::Reminder, Audience::Owner);
            vec![Item { change: Some(*action), deactivation, deletion, ..item }]
        }
        // Once, and not each day until somebody corrects the address.
        Consent::NoticeUndelivered { .. } if before.is_some_and(Record::team_told) => Vec::new(),
        Consent::NoticeUndelivered { why, .. } => {
            let item = mk.item(NoticeKind::Undeliverable, Audience::Team);
            vec![Item { why: Some(why.clone()), ..item }]
        }
        Consent::OwnerMissing { decoy } => {
            let audience = if *decoy { Audience::Protect } else { Audience::Team };
            vec![Item { audience, ..mk.item(NoticeKind::OwnerMissing, audience) }]
        }
        Consent::NoticeVoided { why, .. } => mk.called_off(before, why),
        Consent::ApprovalAsked { action, expires, why, by_owner, .. } => {
            let asked = |audience| {
                let item = mk.item(NoticeKind::ApprovalRequest, audience);
                Item { change: Some(*action), ends: Some(*expires), why: Some(why.clone()), ..item }
            };
            let owner = mk.has_owner_to_ask(*by_owner).then(|| asked(Audience::Owner));
            [asked(Audience::Team)].into_iter().chain(owner).collect()
        }
        Consent::Claimed { .. } => Vec::new(),
        Consent::Approved { action, reason, .. } => {
            let granted = after.and_then(Record::approval).is_some_and(Approval::is_granted);
            let why = format!("approved: {reason}");
            let told = [Audience::Team].into_iter().chain(mk.owner_was_asked().then_some(Audience::Owner));
            told.filter(|_| granted).map(|audience| mk.outcome(audience, Some(*action), &why)).collect()
        }
        Consent::Denied { action, reason, hold_until, .. } => {
            let why = format!("approval denied: {reason}");
            let team = mk.outcome(Audience::Team, Some(*action), &why);
            let told = mk.told(before) || mk.owner_was_asked();
            let owner = told.then(|| mk.outcome(Audience::Owner, Some(*action), &why));
            let items = [team].into_iter().chain(owner);
            items.map(|item| Item { ends: Some(*hold_until), ..item }).collect()
        }
        Consent::ApprovalUnanswered { action } => {
            let why = "nobody answered the request for approval; the key is on hold";
            let told = [Audience::Team].into_iter().chain(mk.owner_was_asked().then_some(Audience::Owner));
            told.map(|audience| mk.outcome(audience, Some(*action), why)).collect()
        }
        Consent::ApprovalVoided { why } => {
            let owner = mk.closes_owners_request().then(|| mk.outcome(Audience::Owner, None, why));
            mk.closed_request(why).into_iter().chain(owner).collect()
        }
    }
}

struct Make<'a> {
    entry: &'a Entry,
    /// As it was before the event, where there was one.
    record: &'a Record,
    after: Option<&'a Record>,
}

impl Make<'_> {
    fn item(&self, kind: NoticeKind, audience: Audience) -> Item {
        let Self { entry, record, after } = self;
        let decoy = record.may_be_decoy() || after.is_some_and(Record::may_be_decoy);
        let audience = if decoy { Audience::Protect } else { audience };
        // The state that the key is in now knows its last use as well, if the one before does not.
        let stale = after.and_then(stale).unzip();
        let item = Item::about(record, kind, audience, entry.at);
        Item {
            id: ItemId(entry.seq, 0),
            finding: item.finding.or(stale.0),
            last_use: item.last_use.clone().or(stale.1),
            deletion: self.deletion_announced(),
            by: (entry.actor != Actor::Keysweep).then(|| entry.actor.clone()),
            ..item
        }
    }

    /// The date of the deletion, where it was announced before the key was deactivated.
    fn deletion_announced(&self) -> Option<Timestamp> {
        match &self.after?.state {
            State::Deactivated(data) => data.notice.as_ref().and_then(|notice| notice.deletion),
            State::Active
            | State::Flagged(_)
            | State::Deactivating(_)
            | State::Deleting(_)
            | State::Deleted(_)
            | State::Gone(_) => None,
        }
    }

    fn outcome(&self, audience: Audience, change: Option<Planned>, why: &str) -> Item {
        Item { change, why: Some(why.to_owned()), ..self.item(NoticeKind::Outcome, audience) }
    }

    /// Whether the present owner was told of a change that is still to come.
    fn told(&self, before: Option<&Record>) -> bool {
        let owner = self.record.owner.as_ref().map(|owner| owner.name.to_lowercase());
        let same = |notice: &Notice| notice.owner.as_ref().map(|name| name.to_lowercase()) == owner;
        let told = before.and_then(Record::notice).filter(|notice| notice.was_delivered());
        told.is_some_and(|notice| notice.decoy || same(notice))
    }

    /// What was announced or asked will not happen: those who were told learn why.
    fn called_off(&self, before: Option<&Record>, why: &str) -> Vec<Item> {
        let change = before.and_then(|record| match &record.state {
            State::Flagged(_) => Some(Planned::Deactivate),
            State::Deactivated(_) => Some(Planned::Delete),
            State::Active
            | State::Deactivating(_)
            | State::Deleting(_)
            | State::Deleted(_)
            | State::Gone(_) => None,
        });
        let told = self.told(before) || self.closes_owners_request();
        let owner = told.then(|| self.outcome(Audience::Owner, change, why));
        owner.into_iter().chain(self.closed_request(why)).collect()
    }

    /// A request for approval that nobody needs to answer any more.
    fn closed_request(&self, why: &str) -> Option<Item> {
        let closed = self.closes()?;
        Some(self.outcome(Audience::Team, Some(closed.action), why))
    }

    /// The request that the event closes before everybody approved.
    fn closes(&self) -> Option<&Approval> {
        let open = self.record.approval().filter(|approval| !approval.is_granted())?;
        let still =
            self.after.and_then(Record::approval).is_some_and(|approval| approval.number == open.number);
        (!still).then_some(open)
    }

    /// Whether there is an owner to be asked for an approval, where owners may give it. Of a honeytoken, only the few who
    /// know about it are told.
    fn has_owner_to_ask(&self, by_owner: bool) -> bool {
        let decoy = self.record.may_be_decoy() || self.after.is_some_and(Record::may_be_decoy);
        by_owner && !decoy && self.record.owner.as_ref().is_some_and(|owner| owner.contact.is_reachable())
    }

    /// Whether the owner was asked for the approval that the event is about.
    fn owner_was_asked(&self) -> bool {
        self.record.approval().is_some_and(|approval| self.has_owner_to_ask(approval.by_owner))
    }

    /// Whether the event closes a request that the owner could have answered.
    fn closes_owners_request(&self) -> bool {
        self.closes().is_some_and(|approval| self.has_owner_to_ask(approval.by_owner))
    }
}

impl Item {
    /// A notice about a key as it is recorded, without what only the event says.
    #[must_use]
    pub fn about(record: &Record, kind: NoticeKind, audience: Audience, at: Timestamp) -> Self {
        let (finding, last_use) = stale(record).unzip();
        Self {
            id: ItemId(0, 0),
            at,
            kind,
            audience,
            account: record.identity.account,
            key: record.identity.key.clone(),
            user_name: record.user_name.clone(),
            owner: record.owner.clone(),
            finding,
            last_use,
            change: None,
            deactivation: None,
            deletion: None,
            period: None,
            ends: None,
            by: None,
            why: None,
            messages: Vec::new(),
        }
    }
}

fn stale(record: &Record) -> Option<(crate::finding::FindingKind, crate::facts::LastUse)> {
    match &record.state {
        State::Flagged(data) => Some((data.finding, data.last_use.clone())),
        State::Deactivating(data) => Some((data.flagged.finding, data.flagged.last_use.clone())),
        State::Deactivated(data) => Some((data.finding, data.last_use.clone())),
        State::Deleting(data) => Some((data.deactivated.finding, data.deactivated.last_use.clone())),
        State::Active | State::Deleted(_) | State::Gone(_) => None,
    }
}
