//! What comes next for a key in its base state, once its record is in line with what was seen.

use jiff::Timestamp;

use super::consent::Standing;
use super::decide::{By, Look, One, later};
use super::quarantine::Clients;
use super::{Next, Unknown, Wait};
use crate::facts::{Fact, KeyStatus};
use crate::finding::FindingKind;
use crate::lifecycle::event::{Consent, Named, Note, Seen};
use crate::lifecycle::{Deactivated, DeactivatedBy, Flagged, Record, State};
use crate::policy::{ExemptBy, Terms};
use crate::ticket::Planned;
use crate::words::friendly;

impl Look<'_> {
    /// What stops every step towards `action`, whatever else is true.
    fn stopped(&self, record: Option<&Record>, action: Planned) -> Option<One> {
        let facts = self.view.facts;
        if let Some(incident) = record.and_then(|r| r.incident.as_ref()) {
            return Some(later(action, Wait::Incident(incident.clone())));
        }
        if !self.unknown.is_empty() {
            return Some(later(action, Unknown::Facts(self.unknown.to_vec())));
        }
        if let KeyStatus::Other(status) = &facts.status {
            return Some(later(action, Unknown::Status(status.clone())));
        }
        if let Fact::Unknown(why) = &facts.policies {
            return Some(later(action, Unknown::Policies(why.clone())));
        }
        if let Some(record) = record
            && let Some(longest) = record.held()
        {
            return Some(later(action, Wait::Held { holds: record.holds.clone(), until: longest.until }));
        }
        let exempt = self.resolution.as_ref().ok().and_then(|r| r.exempt.as_ref());
        exempt.map(|ExemptBy { rule, reason, until }| {
            let (rule, reason) = (rule.clone(), reason.clone());
            let wait = Wait::Exempt { rule, reason, until: *until };
            // Nobody has to answer what nothing can come of; once the exemption is over, it is asked anew.
            match record.and_then(Record::approval) {
                Some(_) => One::event(Consent::ApprovalVoided { why: wait.to_string() }),
                None => later(action, wait),
            }
        })
    }

    pub(super) fn active(&self, record: Option<&Record>) -> One {
        let facts = self.view.facts;
        let adopts = self.resolution.as_ref().is_ok_and(|r| r.terms.adopt_inactive);
        let in_question = match facts.status {
            KeyStatus::Active => true,
            KeyStatus::Inactive => adopts,
            KeyStatus::Other(_) => false,
        };
        let stale = self.finding.filter(|f| f.is_stale());
        let incident = record.is_some_and(|record| record.incident.is_some());
        if !incident && (!in_question || (stale.is_none() && self.unknown.is_empty())) {
            return One::Next(Next::Nothing);
        }
        if let Some(stop) = self.stopped(record, Planned::Deactivate) {
            return stop;
        }
        let (Some(finding), Some(user_id), Some(last_use)) =
            (stale, facts.user_id.known(), facts.last_use.known())
        else {
            return One::Next(Next::Nothing);
        };
        One::event(Seen::Flagged {
            finding,
            named: Named {
                user_id: user_id.clone(),
                user_name: facts.user_name.clone(),
                created: facts.created,
            },
            last_use: last_use.clone(),
        })
    }

    pub(super) fn flagged(&self, record: &Record, data: &Flagged) -> One {
        let consent = Standing {
            action: Planned::Deactivate,
            finding: data.finding,
            notice: data.notice.as_deref(),
            approval: data.approval.as_deref(),
        };
        if let Some(one) = self
            .stopped(Some(record), Planned::Deactivate)
            .or_else(|| self.read_only(record, Planned::Deactivate))
            .or_else(|| self.consent(record, &consent))
        {
            return one;
        }
        let created = record.identity.created;
        let idle_since = data.last_use.at().map_or(created, |at| at.max(created));
        self.due(record, Planned::Deactivate, || format!("{} since {idle_since}", data.finding))
    }

    pub(super) fn deactivated(&self, record: &Record, data: &Deactivated) -> One {
        let consent = Standing {
            action: Planned::Delete,
            finding: data.finding,
            notice: data.notice.as_deref(),
            approval: data.approval.as_deref(),
        };
        if let Some(one) = self
            .stopped(Some(record), Planned::Delete)
            .or_else(|| self.read_only(record, Planned::Delete))
            .or_else(|| self.not_meant(record, data))
            .or_else(|| self.consent(record, &consent))
        {
            return one;
        }
        let grace = self.terms_or_base().grace;
        if data.watch.total < grace {
            let over = self.grace_over(record).map(|over| self.first_opening(over));
            let wait = Wait::Grace { watched: data.watch.total, grace, over };
            return self.not_due(record, later(Planned::Delete, wait));
        }
        self.due(record, Planned::Delete, || format!("seen Inactive for {:#}", friendly(data.watch.total)))
    }

    /// Nothing is changed in an account that is only read, by an order neither.
    fn read_only(&self, record: &Record, action: Planned) -> Option<One> {
        let read_only = self.context.policy.management_read_only && self.view.account.management;
        read_only.then(|| self.not_due(record, later(action, Wait::ReadOnly)))
    }

    /// A key that the configuration in force would not have deactivated is not deleted by it either. What was announced
    /// and approved under another is void.
    fn not_meant(&self, record: &Record, data: &Deactivated) -> Option<One> {
        let ordered = self.by == By::Operator(Planned::Delete);
        let theirs = data.origin == DeactivatedBy::External && !self.terms_or_base().adopt_inactive;
        let wait = if theirs {
            Wait::MaybeNotOurs
        } else if !self.finding.is_some_and(FindingKind::is_stale) {
            Wait::NotStale
        } else {
            return None;
        };
        if ordered {
            return None;
        }
        if data.notice.is_some() {
            return Some(One::event(Consent::NoticeVoided { why: wait.to_string(), keeps: None }));
        }
        if data.approval.is_some() {
            return Some(One::event(Consent::ApprovalVoided { why: wait.to_string() }));
        }
        Some(self.not_due(record, later(Planned::Delete, wait)))
    }

    /// When the grace period of a deactivated key ends if it is watched without a gap from the last look on.
    pub(super) fn grace_over(&self, record: &Record) -> Option<Timestamp> {
        let State::Deactivated(data) = &record.state else { return None };
        let left = self.terms_or_base().grace.saturating_sub(data.watch.total);
        let from = data.watch.last.as_ref().map_or(data.since, |last| last.at);
        Some(from.checked_add(left).unwrap_or(Timestamp::MAX))
    }

    /// The first time from `at` on at which changes may start.
    pub(super) fn first_opening(&self, at: Timestamp) -> Timestamp {
        let window = self.terms_or_base().window();
        if window.is_open(at) { at } else { window.next_opening(at).unwrap_or(at) }
    }

    /// Everything is met but what restrains all keys together.
    fn due(&self, record: &Record, action: Planned, why: impl FnOnce() -> String) -> One {
        let ordered = self.by == By::Operator(action);
        if !ordered && record.due.as_ref().is_none_or(|due| due.action != action) {
            return One::event(Note::BecameDue { action });
        }
        let step = |why| One::Next(Next::Step { action: action.into(), why });
        let window = self.terms_or_base().window();
        if !ordered && !window.is_open(self.context.now) {
            let opens = window.next_opening(self.context.now);
            return later(action, Wait::Window { opens });
        }
        if action == Planned::Deactivate && !ordered {
            return match self.clients(record) {
                Clients::First(one) => one,
                Clients::Asked(told) if told.is_empty() => step(why()),
                Clients::Asked(told) => step(format!("{}; {told}", why())),
            };
        }
        step(why())
    }

    /// A record that is marked as due and is not takes the mark off first.
    pub(super) fn not_due(&self, record: &Record, otherwise: One) -> One {
        let ordered = matches!(self.by, By::Operator(_));
        if record.due.is_some() && !ordered { One::event(Note::NotDue) } else { otherwise }
    }

    pub(super) fn terms_or_base(&self) -> &Terms {
        self.resolution.as_ref().map_or(&self.context.policy.base, |r| &r.terms)
    }
}
