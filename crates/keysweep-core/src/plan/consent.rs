//! What a change needs from people: the mode, a notice, an approval.

use std::time::Duration;

use jiff::Timestamp;

use super::decide::{By, Look, One, later};
use super::owner::{name, told};
use super::{Need, Unknown, Wait};
use crate::facts::LastUse;
use crate::finding::FindingKind;
use crate::lifecycle::event::{Consent, KeyEvent, Overlay};
use crate::lifecycle::{Approval, Delivery, Notice, NoticeTerms, Record, Shown, State};
use crate::notice::{Audience, EXEMPTION_ENDS_IN, HOLD_ENDS_IN, Item, ItemId, Message, NoticeKind, Route};
use crate::owner::Owner;
use crate::policy::{ApprovalBy, DAY, Mode, Terms};
use crate::ticket::Planned;
use crate::words::friendly;

/// How long after keysweep gave up a notice the next one is given.
const AGAIN_AFTER: Duration = DAY;

/// What notice and approval of one action look like in either base state.
pub(super) struct Standing<'a> {
    pub(super) action: Planned,
    pub(super) finding: FindingKind,
    pub(super) notice: Option<&'a Notice>,
    pub(super) approval: Option<&'a Approval>,
}

impl Look<'_> {
    /// Mode, notice and approval: `None` when all of them are given.
    pub(super) fn consent(&self, record: &Record, consent: &Standing<'_>) -> Option<One> {
        let action = consent.action;
        let terms = self.terms_or_base();
        let mode = terms.mode;
        let ordered = self.by == By::Operator(action);
        let wanted = self.approval_wanted(record, action, terms);
        if !ordered
            && let Some(notice) = consent.notice
            && let Some(why) = self.sooner(notice, mode, consent, terms, wanted.is_some())
        {
            let keeps = notice.not_before(action).filter(|_| terms.grace >= notice.terms.grace);
            return Some(One::event(Consent::NoticeVoided { why, keeps }));
        }
        if !ordered && let Some(why) = consent.notice.and_then(|notice| self.told_another(record, notice)) {
            return Some(One::event(Consent::NoticeVoided { why, keeps: None }));
        }
        if !ordered && !mode.permits(action) {
            return Some(self.not_due(record, later(action, Wait::Mode { mode, action })));
        }
        if !ordered && let Some(why) = consent.notice.and_then(|notice| self.told_nobody(record, notice)) {
            return Some(One::event(Consent::NoticeVoided { why, keeps: None }));
        }
        let notices = &self.context.policy.notices;
        let noticed = match consent.notice {
            _ if ordered => None,
            None if notices.required && !notices.can_send() => {
                return Some(self.not_due(record, later(action, Wait::NoChannel)));
            }
            // The owner would have to be told, and nobody else. As with every fact that is unknown, what is due stays due.
            _ if let Err(why) = self.owner => {
                return Some(later(action, Unknown::Facts(vec![format!("owner: {why}")])));
            }
            None => return Some(self.give_notice(record, consent, mode, terms, wanted.is_some())),
            Some(notice) => {
                if let Some(wait) = self.not_delivered(notice) {
                    return Some(self.not_due(record, later(action, wait)));
                }
                if let Some(event) = self.reminder(notice, action) {
                    return Some(One::Event(event));
                }
                let period_over = after(notice.at, terms.notice);
                Some(notice.not_before(action).unwrap_or(period_over).max(period_over))
            }
        };
        // What a person has not approved has no date: it would be one on which nothing happens.
        match self.approval(record, consent, terms, wanted) {
            Some(One::Next(next)) => return Some(self.not_due(record, One::Next(next))),
            Some(first) => return Some(first),
            None => {}
        }
        if let Some(until) = noticed.filter(|until| self.context.now < *until) {
            let at = self.first_opening(self.grace_over(record).map_or(until, |over| over.max(until)));
            let wait = Wait::Notice { ends: until, until: at };
            return Some(self.not_due(record, later(action, wait)));
        }
        None
    }

    /// Notice to those whom keysweep can reach. Where it can reach nobody, the team learns that once, and the key waits
    /// unless a recorded notice is enough.
    fn give_notice(
        &self,
        record: &Record,
        consent: &Standing<'_>,
        mode: Mode,
        terms: &Terms,
        approval: bool,
    ) -> One {
        let notices = &self.context.policy.notices;
        let decoy = self.is_for_protect(record);
        let reachable = match decoy {
            true => notices.protect.iter().any(|address| notices.serves(address)),
            false => {
                let change = Some(consent.action);
                let kind = match consent.action {
                    Planned::Deactivate => NoticeKind::DeactivationAhead,
                    Planned::Delete => NoticeKind::DeletionAhead,
                };
                let item = Item { change, ..Item::about(record, kind, Audience::Owner, self.context.now) };
                let account = self.view.account;
                let routing = notices.route(&item, &account.name, &notices.place(account));
                let addresses = |route: Option<&Route>| notices.addresses(record.owner.as_deref(), route);
                // The message would wait as well. What is due stays due.
                if let Some(why) = routing.doubt(addresses) {
                    let why = format!("route of the notice: {why}");
                    return later(consent.action, Unknown::Facts(vec![why]));
                }
                !addresses(routing.sure().map(|(_, route)| route)).is_empty()
            }
        };
        let notice = |send| One::Announce(self.notice(record, consent, mode, terms, approval, send));
        if reachable || !notices.can_send() {
            return notice(reachable);
        }
        if !record.team_told() {
            return One::event(Consent::OwnerMissing { decoy });
        }
        if notices.required {
            self.not_due(record, later(consent.action, Wait::NoOwner))
        } else {
            notice(false)
        }
    }

    /// Whether only `protect.notify` is told of the key.
    pub(super) fn is_for_protect(&self, record: &Record) -> bool {
        !self.context.policy.notices.protect.is_empty() && self.may_be_honeytoken(record)
    }

    /// Why a notice tells nobody, if it does not: a new one is given.
    fn told_nobody(&self, record: &Record, notice: &Notice) -> Option<String> {
        let notices = &self.context.policy.notices;
        let waiting = notice.undelivered().is_some();
        if notice.delivery == Delivery::Recorded && notices.required {
            Some("it was only recorded, and a delivered notice is required now".to_owned())
        } else if waiting && !notices.can_send() {
            Some("no notice channel is configured any more".to_owned())
        } else if waiting && notice.decoy != self.is_for_protect(record) {
            Some("it is for other recipients now".to_owned())
        } else if let Delivery::Pending { notice: number } = &notice.delivery
            && let Some(why) = self.never_arrives(record, *number)
        {
            Some(why)
        } else if let Delivery::Undelivered { at, .. } = &notice.delivery
            && notices.required
            && after(*at, AGAIN_AFTER) <= self.context.now
        {
            Some("it could not be delivered".to_owned())
        } else {
            None
        }
    }

    /// Why a notice that is on its way is not going to reach the owner: no message contains it any more, such as after an
    /// order by name that AWS refused, or the contact of the owner has changed since.
    fn never_arrives(&self, record: &Record, number: u64) -> Option<String> {
        // One that this very plan gives has no number yet.
        if number == 0 {
            return None;
        }
        let outbox = self.context.state.outbox();
        let lost = || Some("the message with it was closed".to_owned());
        let Some(item) = outbox.item(ItemId(number, 0)) else { return lost() };
        let open = |message: &u64| outbox.message(*message).is_some_and(Message::is_open);
        if !item.messages.is_empty() && !item.messages.iter().any(open) {
            return lost();
        }
        let contact = |owner: Option<&Owner>| owner.map(|owner| owner.contact.clone());
        let same = item.audience != Audience::Owner
            || contact(item.owner.as_deref()) == contact(record.owner.as_deref());
        (!same).then(|| "the contact of the owner changed".to_owned())
    }

    /// What a change waits for until its notice is delivered.
    fn not_delivered(&self, notice: &Notice) -> Option<Wait> {
        let required = self.context.policy.notices.required;
        match &notice.delivery {
            Delivery::Pending { .. } if required => Some(Wait::Delivery { since: notice.at }),
            Delivery::Undelivered { why, .. } if required => Some(Wait::Undeliverable { why: why.clone() }),
            Delivery::Pending { .. }
            | Delivery::Undelivered { .. }
            | Delivery::Recorded
            | Delivery::Delivered { .. } => None,
        }
    }

    /// A reminder that is due. Where several are, one says it.
    fn reminder(&self, notice: &Notice, action: Planned) -> Option<KeyEvent> {
        if self.by != By::Policy || !notice.was_delivered() {
            return None;
        }
        let (now, date) = (self.context.now, notice.not_before(action)?);
        let due = |before: &Duration| {
            let moment = date.checked_sub(*before).unwrap_or(Timestamp::MIN);
            let said = notice.reminded.is_some_and(|at| moment <= at);
            notice.at < moment && moment <= now && now < date && !said
        };
        let due = self.context.policy.notices.remind_before.iter().any(due);
        due.then(|| Consent::ReminderDue { action }.into())
    }

    /// People are told that a hold or an exemption ends soon: after that, the key goes on where it stopped.
    pub(super) fn ending(&self, record: &Record) -> Option<KeyEvent> {
        let stale = self.finding.is_some_and(FindingKind::is_stale);
        // Of a honeytoken, nobody hears but those who know of it.
        let secret = self.may_be_honeytoken(record);
        if self.by != By::Policy || !stale || secret || !self.context.policy.notices.can_send() {
            return None;
        }
        let soon = |until: Timestamp, ahead: Duration| {
            let from = until.checked_sub(ahead).unwrap_or(Timestamp::MIN);
            from <= self.context.now && self.context.now < until
        };
        let hold = record.holds.iter().find(|hold| {
            let until = hold.until.filter(|until| after(hold.since, HOLD_ENDS_IN) < *until);
            hold.number != 0 && !hold.ending && until.is_some_and(|until| soon(until, HOLD_ENDS_IN))
        });
        if let Some(hold) = hold {
            return Some(Overlay::HoldEnding { hold: hold.number }.into());
        }
        let exempt = record.exempt.as_ref();
        let exempt = exempt.filter(|mark| !mark.ending && soon(mark.until, EXEMPTION_ENDS_IN));
        exempt.map(|_| Overlay::ExemptEnding.into())
    }

    /// A notice of what could come under the terms in force.
    fn notice(
        &self,
        record: &Record,
        consent: &Standing<'_>,
        mode: Mode,
        terms: &Terms,
        approval: bool,
        send: bool,
    ) -> Consent {
        let announced =
            after(self.context.now, terms.notice).max(record.past.announced.unwrap_or(Timestamp::MIN));
        let deletes = mode.permits(Planned::Delete);
        let (deactivation, deletion) = match consent.action {
            // The quarantine begins when the deactivation was announced to come: from then on the key does not work.
            Planned::Deactivate => {
                let inactive = after(announced, terms.quarantine.unwrap_or_default());
                (Some(announced), deletes.then(|| after(inactive, terms.grace)))
            }
            Planned::Delete => (None, self.grace_over(record).map(|over| over.max(announced))),
        };
        let threshold = threshold(terms, consent.finding);
        let terms = NoticeTerms { threshold, notice: terms.notice, grace: terms.grace, approval };
        let decoy = send && self.is_for_protect(record);
        let owner = if decoy { None } else { told(record.owner.as_deref()) };
        Consent::Noticed { deactivation, deletion, terms, owner, send, decoy }
    }

    /// Why a notice does not cover what would be done now: the one rule for every term that could make a change come
    /// sooner than the notice says, whatever changed it (the policy, an override, another user name or account), and
    /// for the return of an account from out of reach. Holds and exemptions take the notice along when they end.
    fn sooner(
        &self,
        notice: &Notice,
        mode: Mode,
        consent: &Standing<'_>,
        terms: &Terms,
        approval: bool,
    ) -> Option<String> {
        let NoticeTerms {
            threshold: threshold_then,
            notice: notice_then,
            grace: grace_then,
            approval: approval_then,
        } = &notice.terms;
        let shorter = |term: &str, then: Duration, now: Duration| {
            (now < then).then(|| format!("{term} is {:#} now, and was {:#}", friendly(now), friendly(then)))
        };
        // A mode that permits less than was announced: raising it again needs a new notice.
        if !mode.permits(notice.covers()) {
            return Some(format!("mode {} does not permit what it announces", mode.as_str()));
        }
        if mode.permits(Planned::Delete) && notice.deletion.is_none() {
            return Some(format!("mode {} deletes, and the notice does not say so", mode.as_str()));
        }
        if let Some(back) = self.back_since().filter(|back| notice.at < *back) {
            return Some(format!("its account was out of reach until {back}"));
        }
        let (term, threshold_now) = (threshold_term(consent.finding), threshold(terms, consent.finding));
        let grace_now = if notice.deletion.is_some() { terms.grace } else { *grace_then };
        shorter(term, *threshold_then, threshold_now)
            .or_else(|| shorter("notice", *notice_then, terms.notice))
            .or_else(|| shorter("grace", *grace_then, grace_now))
            .or_else(|| {
                // It waited for a person when its time had come: that wait was no announcement.
                let waited = notice.not_before(consent.action).is_some_and(|at| at <= self.context.now);
                (*approval_then && !approval && waited && consent.approval.is_some())
                    .then(|| "approval is not needed any more".to_owned())
            })
    }

    /// When the account of the key came back into reach, after keysweep could not see it for long.
    fn back_since(&self) -> Option<Timestamp> {
        self.context.state.account(self.view.account.id).and_then(|account| account.back_since)
    }

    /// Why a person has to approve `action`; `None` if nobody has to.
    fn approval_wanted(&self, record: &Record, action: Planned, terms: &Terms) -> Option<Need> {
        let by_policy = || Need::Policy(terms.approval);
        self.protection(record).or_else(|| terms.approval.wants(action).then(by_policy))
    }

    /// What approval still lacks; `None` when it is given or not wanted.
    fn approval(
        &self,
        record: &Record,
        consent: &Standing<'_>,
        terms: &Terms,
        wanted: Option<Need>,
    ) -> Option<One> {
        let (action, now) = (consent.action, self.context.now);
        let shown = Shown {
            user_name: self.view.facts.user_name.clone(),
            finding: consent.finding,
            last_use: self.view.facts.last_use.known()?.clone(),
            keys_of_user: u64::try_from(self.view.facts.keys_of_user()).unwrap_or(u64::MAX),
            reactivated: record.past.reactivated,
            owner: name(record.owner.as_deref()),
        };
        let void = |why: String| Some(One::event(Consent::ApprovalVoided { why }));
        let Some(need) = wanted else {
            return consent.approval.and_then(|_| void("approval is not needed any more".into()));
        };
        // Protections that are built in need somebody other than the owner.
        let by_owner = matches!(need, Need::Policy(_)) && terms.approval_by.contains(&ApprovalBy::Owner);
        let ask = |repeats| {
            let (expires, shown) = (after(now, terms.approval_expires), shown.clone());
            Some(One::Announce(Consent::ApprovalAsked {
                action,
                expires,
                repeats,
                why: need.to_string(),
                needed: terms.approvals_needed,
                by_owner,
                shown,
            }))
        };
        let Some(approval) = consent.approval else { return ask(0) };
        if need == Need::Honeytoken && approval.why != need.to_string() {
            // The one who approved it, or is asked, was not told.
            ask(0)
        } else if let Some(changed) = approval.shown.change_to(&shown) {
            void(changed)
        } else if let Some(back) = self.back_since().filter(|back| approval.asked_at < *back) {
            void(format!("its account was out of reach until {back}"))
        } else if approval.needed < terms.approvals_needed {
            let (then, now) = (approval.needed, terms.approvals_needed);
            void(format!("approvals_needed is {now} now, and was {then}"))
        } else if approval.by_owner && !by_owner {
            void("the owner may not approve it any more".to_owned())
        } else if approval.is_granted() {
            None
        } else if now < approval.expires {
            let given = u32::try_from(approval.granted.len()).unwrap_or(u32::MAX);
            let (needed, expires) = (approval.needed, approval.expires);
            Some(later(action, Wait::Approval { need, given, needed, expires }))
        } else if approval.repeats < terms.approval_repeats {
            ask(approval.repeats + 1)
        } else {
            Some(One::event(Consent::ApprovalUnanswered { action }))
        }
    }

    /// Scans need not read path and tags: what an earlier look saw in them counts until another one has read them.
    fn may_be_honeytoken(&self, record: &Record) -> bool {
        let facts = self.view.facts;
        let seen_before = || {
            let unread = facts.path.known().is_none() || facts.tags.known().is_none();
            let approval = match &record.state {
                State::Flagged(data) => data.approval.as_deref(),
                State::Deactivated(data) => data.approval.as_deref(),
                State::Active
                | State::Deactivating(_)
                | State::Deleting(_)
                | State::Deleted(_)
                | State::Gone(_) => None,
            };
            unread && approval.is_some_and(|approval| approval.why == Need::Honeytoken.to_string())
        };
        self.context.policy.may_be_honeytoken(facts) || seen_before()
    }

    /// Why a person has to look at this key whatever the policy says.
    fn protection(&self, record: &Record) -> Option<Need> {
        let facts = self.view.facts;
        if self.may_be_honeytoken(record) {
            return Some(Need::Honeytoken);
        }
        if let Some(times) = record.past.reactivations() {
            return Some(Need::Reactivated(times));
        }
        let service = match facts.last_use.known() {
            Some(LastUse::At { service: Some(service), .. }) => service.as_str(),
            Some(LastUse::At { service: None, .. } | LastUse::Never) | None => "",
        };
        // SES SMTP passwords are derived from access keys: mail stops with them.
        if crate::policy::wide(facts.user_name.as_str()).starts_with("ses-smtp-user.") {
            Some(Need::SesUser)
        } else if service == "ses" || service == "ses-smtp" {
            Some(Need::UsedWith(service.to_owned()))
        } else if facts.keys_of_user() > 2 {
            Some(Need::Keys(facts.keys_of_user()))
        } else {
            None
        }
    }
}

/// How long the key may be idle under the terms, by what makes it stale.
fn threshold(terms: &Terms, finding: FindingKind) -> Duration {
    match finding {
        FindingKind::NeverUsed => terms.never_used_after,
        FindingKind::Unused | FindingKind::OverAge | FindingKind::RootKey => terms.unused_after,
    }
}

fn threshold_term(finding: FindingKind) -> &'static str {
    match finding {
        FindingKind::NeverUsed => "never_used_after",
        FindingKind::Unused | FindingKind::OverAge | FindingKind::RootKey => "unused_after",
    }
}

fn after(at: Timestamp, period: Duration) -> Timestamp {
    at.checked_add(period).unwrap_or(Timestamp::MAX)
}
