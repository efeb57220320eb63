//! What a change needs from people: the mode, a notice, an approval.

use std::time::Duration;

use jiff::Timestamp;

use super::Reason;
use super::decide::{By, Look, One, later};
use super::next::friendly;
use crate::facts::LastUse;
use crate::lifecycle::event::{Consent, KeyEvent};
use crate::lifecycle::{Approval, Finding, Notice, NoticeTerms, Record, Shown};
use crate::policy::{Mode, Terms};
use crate::ticket::Planned;

/// What notice and approval of one action look like in either base state.
pub(super) struct Standing<'a> {
    pub(super) action: Planned,
    pub(super) finding: Finding,
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
        if !ordered && !mode.permits(action) {
            let why = format!("mode {}: would {action} it", mode.as_str());
            return Some(self.not_due(record, later(action, Reason::Observe, why, None)));
        }
        let noticed = match consent.notice {
            _ if ordered => None,
            None if self.context.policy.notices_required => {
                let why = "a notice is required and there is no channel for it";
                return Some(self.not_due(record, later(action, Reason::Notice, why, None)));
            }
            None => return Some(One::Event(self.notice(record, consent, mode, terms, wanted.is_some()))),
            Some(notice) => {
                let period_over = after(notice.at, terms.notice);
                Some(notice.not_before(action).unwrap_or(period_over).max(period_over))
            }
        };
        // What a person has not approved has no date: it would be one on which nothing happens.
        match self.approval(record, consent, terms, wanted) {
            Some(One::Event(event)) => return Some(One::Event(event)),
            Some(One::Next(next)) => return Some(self.not_due(record, One::Next(next))),
            None => {}
        }
        if let Some(until) = noticed.filter(|until| self.context.now < *until) {
            let at = self.first_opening(self.grace_over(record).map_or(until, |over| over.max(until)));
            let why = format!("noticed; the period ends {until}");
            return Some(self.not_due(record, later(action, Reason::Notice, why, Some(at))));
        }
        None
    }

    /// A notice of what could come under the terms in force.
    fn notice(
        &self,
        record: &Record,
        consent: &Standing<'_>,
        mode: Mode,
        terms: &Terms,
        approval: bool,
    ) -> KeyEvent {
        let announced =
            after(self.context.now, terms.notice).max(record.past.announced.unwrap_or(Timestamp::MIN));
        let deletes = mode.permits(Planned::Delete);
        let (deactivation, deletion) = match consent.action {
            Planned::Deactivate => (Some(announced), deletes.then(|| after(announced, terms.grace))),
            Planned::Delete => (None, self.grace_over(record).map(|over| over.max(announced))),
        };
        let threshold = threshold(terms, consent.finding);
        let terms = NoticeTerms { threshold, notice: terms.notice, grace: terms.grace, approval };
        Consent::Noticed { deactivation, deletion, terms }.into()
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
    fn approval_wanted(&self, record: &Record, action: Planned, terms: &Terms) -> Option<String> {
        let by_policy = || format!("policy: approval = {}", terms.approval.as_str());
        self.protection(record).or_else(|| terms.approval.wants(action).then(by_policy))
    }

    /// What approval still lacks; `None` when it is given or not wanted.
    fn approval(
        &self,
        record: &Record,
        consent: &Standing<'_>,
        terms: &Terms,
        wanted: Option<String>,
    ) -> Option<One> {
        let (action, now) = (consent.action, self.context.now);
        let shown = Shown {
            user_name: self.view.facts.user_name.clone(),
            finding: consent.finding,
            last_use: self.view.facts.last_use.known()?.clone(),
            keys_of_user: u64::try_from(self.view.facts.keys_of_user).unwrap_or(u64::MAX),
            reactivated: record.past.reactivated,
        };
        let void = |why: String| Some(One::event(Consent::ApprovalVoided { why }));
        let Some(why) = wanted else {
            return consent.approval.and_then(|_| void("approval is not needed any more".into()));
        };
        let ask = |repeats| {
            let (expires, shown) = (after(now, terms.approval_expires), shown.clone());
            Some(One::event(Consent::ApprovalAsked { action, expires, repeats, why: why.clone(), shown }))
        };
        let Some(approval) = consent.approval else { return ask(0) };
        if let Some(changed) = approval.shown.change_to(&shown) {
            void(changed)
        } else if let Some(back) = self.back_since().filter(|back| approval.asked_at < *back) {
            void(format!("its account was out of reach until {back}"))
        } else if approval.granted.is_some() {
            None
        } else if now < approval.expires {
            // When the request ends nothing happens, so that it is no date to show.
            let why = format!("{why}: waits for approval until {}", approval.expires);
            Some(later(action, Reason::Approval, why, None))
        } else if approval.repeats < terms.approval_repeats {
            ask(approval.repeats + 1)
        } else {
            Some(One::event(Consent::ApprovalUnanswered { action }))
        }
    }

    /// Why a person has to look at this key whatever the policy says.
    fn protection(&self, record: &Record) -> Option<String> {
        let facts = self.view.facts;
        match record.past.reactivations() {
            Some(1) => return Some("reactivated after keysweep had deactivated it".into()),
            Some(times) => {
                return Some(format!(
                    "reactivated {times} times after keysweep had deactivated it: does Terraform or another tool set \
                     it Active?"
                ));
            }
            None => {}
        }
        let service = match facts.last_use.known() {
            Some(LastUse::At { service: Some(service), .. }) => service.as_str(),
            Some(LastUse::At { service: None, .. } | LastUse::Never) | None => "",
        };
        // SES SMTP passwords are derived from access keys: mail stops with them.
        if crate::policy::wide(facts.user_name.as_str()).starts_with("ses-smtp-user.") {
            Some("an SES SMTP user".into())
        } else if service == "ses" || service == "ses-smtp" {
            Some(format!("last used with {service}"))
        } else if facts.keys_of_user > 2 {
            Some(format!("the user has {} keys", facts.keys_of_user))
        } else {
            None
        }
    }
}

/// How long the key may be idle under the terms, by what makes it stale.
fn threshold(terms: &Terms, finding: Finding) -> Duration {
    match finding {
        Finding::NeverUsed => terms.never_used_after,
        Finding::Unused | Finding::OverAge | Finding::RootKey => terms.unused_after,
    }
}

fn threshold_term(finding: Finding) -> &'static str {
    match finding {
        Finding::NeverUsed => "never_used_after",
        Finding::Unused | Finding::OverAge | Finding::RootKey => "unused_after",
    }
}

fn after(at: Timestamp, period: Duration) -> Timestamp {
    at.checked_add(period).unwrap_or(Timestamp::MAX)
}
