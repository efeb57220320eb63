//! What comes next for a key in its base state, once its record is in line with what was seen.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::consent::Standing;
use super::decide::{By, Look, One, later};
use super::{Next, Reason, join};
use crate::facts::{Fact, KeyStatus};
use crate::lifecycle::event::{Consent, Named, Note, Seen};
use crate::lifecycle::{Deactivated, DeactivatedBy, Finding, Flagged, Record, State};
use crate::policy::Terms;
use crate::ticket::Planned;

/// Why no key of the management account is changed.
const MANAGEMENT_IS_READ: &str = "the management account is only read, since organization.management_account is \
                                  \"direct\"; set it to \"assume\" to have its keys changed by a role";

impl Look<'_> {
    /// What stops every step towards `action`, whatever else is true.
    fn stopped(&self, record: Option<&Record>, action: Planned) -> Option<One> {
        let facts = self.view.facts;
        if let Some(incident) = record.and_then(|r| r.incident.as_ref()) {
            return Some(later(action, Reason::Protected, incident.words(), None));
        }
        if !self.unknown.is_empty() {
            return Some(later(action, Reason::Unknown, join(self.unknown), None));
        }
        if let KeyStatus::Other(status) = &facts.status {
            return Some(later(
                action,
                Reason::Unknown,
                format!("status {status} is not known to keysweep"),
                None,
            ));
        }
        if let Fact::Unknown(why) = &facts.quarantine_policies {
            return Some(later(action, Reason::Unknown, format!("policies of the user: {why}"), None));
        }
        if let Some(record) = record
            && let (Some(holds), Some(longest)) = (record.holds_in_words(), record.held())
        {
            return Some(later(action, Reason::Hold, format!("held {holds}"), longest.until));
        }
        let exempt = self.resolution.as_ref().ok().and_then(|r| r.exempt.as_ref());
        exempt.map(|e| {
            later(action, Reason::Exempt, format!("exempt by {}: {}", e.rule, e.reason), Some(e.until))
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
            notice: data.notice.as_ref(),
            approval: data.approval.as_ref(),
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
            notice: data.notice.as_ref(),
            approval: data.approval.as_ref(),
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
            let why = format!("seen Inactive for {:#} of {:#}", friendly(data.watch.total), friendly(grace));
            let over = self.grace_over(record).map(|over| self.first_opening(over));
            return self.not_due(record, later(Planned::Delete, Reason::Grace, why, over));
        }
        self.due(record, Planned::Delete, || format!("seen Inactive for {:#}", friendly(data.watch.total)))
    }

    /// Nothing is changed in an account that is only read, by an order neither.
    fn read_only(&self, record: &Record, action: Planned) -> Option<One> {
        let read_only = self.context.policy.management_read_only && self.view.account.management;
        read_only.then(|| self.not_due(record, later(action, Reason::Observe, MANAGEMENT_IS_READ, None)))
    }

    /// A key that the configuration in force would not have deactivated is not deleted by it either. What was announced
    /// and approved under another is void.
    fn not_meant(&self, record: &Record, data: &Deactivated) -> Option<One> {
        let ordered = self.by == By::Operator(Planned::Delete);
        let theirs = data.origin == DeactivatedBy::External && !self.terms_or_base().adopt_inactive;
        let why = if theirs {
            "it is not sure that keysweep set it Inactive, and adopt_inactive is off"
        } else if !self.finding.is_some_and(Finding::is_stale) {
            "it is not stale by the policy in force"
        } else {
            return None;
        };
        if ordered {
            return None;
        }
        if data.notice.is_some() {
            return Some(One::event(Consent::NoticeVoided { why: why.into(), keeps: None }));
        }
        if data.approval.is_some() {
            return Some(One::event(Consent::ApprovalVoided { why: why.into() }));
        }
        Some(self.not_due(record, later(Planned::Delete, Reason::Observe, why, None)))
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
        let window = self.terms_or_base().window();
        if !ordered && !window.is_open(self.context.now) {
            let opens = window.next_opening(self.context.now);
            return later(action, Reason::Window, "the window is closed", opens);
        }
        One::Next(Next::Step { action, why: why() })
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

pub(super) fn friendly(duration: Duration) -> SignedDuration {
    // Fractions of a second say nothing here.
    SignedDuration::from_secs(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX))
}
