//! What a change needs from people: the mode, a notice, an approval.

use jiff::Timestamp;

use super::Reason;
use super::decide::{By, Look, One, later};
use crate::facts::LastUse;
use crate::lifecycle::{Approval, KeyEvent, Notice, Record};
use crate::planted;
use crate::policy::Terms;
use crate::ticket::Action;

/// What notice and approval of one action look like in either base state.
pub(super) struct Consent<'a> {
    pub(super) action: Action,
    pub(super) notice: Option<&'a Notice>,
    pub(super) approval: Option<&'a Approval>,
}

impl Look<'_> {
    /// Mode, notice and approval: `None` when all of them are given.
    pub(super) fn consent(&self, record: &Record, consent: &Consent<'_>) -> Option<One> {
        let action = consent.action;
        let terms = self.terms_or_base();
        let mode = if planted!(ModeOfBase) { self.context.policy.base.mode } else { terms.mode };
        let ordered = self.by == By::Operator(action);
        // A notice of what the mode no longer permits is void: raising the mode again needs a new one.
        if !ordered && consent.notice.is_some_and(|notice| !mode.permits(notice.covers)) {
            let why = format!("mode {} does not permit what it announces", mode.as_str());
            return Some(One::Event(KeyEvent::NoticeVoided { why }));
        }
        if !ordered && !mode.permits(action) {
            let why = format!("mode {}: would {action} it", mode.as_str());
            return Some(self.not_due(record, later(action, Reason::Observe, why, None)));
        }
        let noticed = match consent.notice.filter(|n| announces(n, action)) {
            _ if ordered => None,
            None if self.context.policy.notices_required => {
                let why = "a notice is required and there is no channel for it";
                return Some(self.not_due(record, later(action, Reason::Notice, why, None)));
            }
            None => {
                let covers = if mode.permits(Action::Delete) { Action::Delete } else { Action::Deactivate };
                let not_before = self.context.now.checked_add(terms.notice).unwrap_or(Timestamp::MAX);
                return Some(One::Event(KeyEvent::Noticed { covers, not_before }));
            }
            Some(notice) => {
                let period_over = notice.at.checked_add(terms.notice).unwrap_or(Timestamp::MAX);
                Some(notice.not_before.max(period_over))
            }
        };
        let approved = self.approval(consent, terms);
        if let Some(One::Event(event)) = approved {
            return Some(One::Event(event));
        }
        if let Some(until) =
            noticed.filter(|until| self.context.now < *until && !planted!(NoticePeriodSkipped))
        {
            let why = format!("noticed; the period ends {until}");
            return Some(self.not_due(record, later(action, Reason::Notice, why, Some(until))));
        }
        approved.map(|one| self.not_due(record, one))
    }

    /// What approval still lacks; `None` when it is given or not wanted.
    fn approval(&self, consent: &Consent<'_>, terms: &Terms) -> Option<One> {
        let (action, now) = (consent.action, self.context.now);
        let protection = self.protection();
        let wanted = !planted!(ApprovalNotRequired) && (terms.approval.wants(action) || protection.is_some());
        let last_use = self.view.facts.last_use.known()?;
        let ask = |repeats| {
            let expires = now.checked_add(terms.approval_expires).unwrap_or(Timestamp::MAX);
            Some(One::Event(KeyEvent::ApprovalAsked { action, expires, repeats, last_use: last_use.clone() }))
        };
        let void = |why: &str| Some(One::Event(KeyEvent::ApprovalVoided { why: why.into() }));
        match consent.approval {
            None if wanted => ask(0),
            None => None,
            Some(_) if !wanted => void("approval is not wanted any more"),
            // Only the time: report and live answer name service and Region differently (S3 has none in the report).
            Some(approval) if approval.last_use.at() != last_use.at() => void("last use changed"),
            Some(approval) if approval.granted.is_some() => None,
            Some(approval) if now >= approval.expires && approval.repeats < terms.approval_repeats => {
                ask(approval.repeats + 1)
            }
            Some(approval) if now >= approval.expires => {
                Some(One::Event(KeyEvent::ApprovalUnanswered { action }))
            }
            Some(approval) => {
                let why = match protection {
                    Some(protection) => format!("{protection}: waits for approval"),
                    None => "waits for approval".into(),
                };
                Some(later(action, Reason::Approval, why, Some(approval.expires)))
            }
        }
    }

    /// Why a person has to look at this key whatever the policy says.
    fn protection(&self) -> Option<String> {
        let facts = self.view.facts;
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

/// Whether a notice announces a change at least as far-reaching as `action`.
fn announces(notice: &Notice, action: Action) -> bool {
    match action {
        Action::Deactivate => true,
        Action::Delete => notice.covers == Action::Delete,
        Action::Reactivate => false,
    }
}
