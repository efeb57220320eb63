//! Operators' decisions: each is journaled with who and why before it counts.

use std::time::Duration;

use futures_util::FutureExt;
use jiff::Timestamp;
use keysweep_core::ids::AccessKeyId;
use keysweep_core::lifecycle::{Approval, HoldKind, INCIDENT_REMEDY, Incident, KeyEvent, Record, State};
use keysweep_core::plan::ordered;
use keysweep_core::policy::Subject;
use keysweep_core::render::undo_by_hand;
use keysweep_core::state::{Actor, Body, Reach};
use keysweep_core::ticket::Action;
use keysweep_store::AppendError;

use super::{Decision, Reply, Request, RequestRef};
use crate::engine::Engine;
use crate::sweep::{Acted, act, in_words, settle_key};

/// More holds of one key than this help nobody.
const MOST_HOLDS: usize = 16;

impl Engine {
    /// Answers an operator. `actor` is who asks, as the journal will name him.
    pub async fn answer(&self, actor: &Actor, request: Request) -> Reply {
        match request {
            Request::Plan => self.show_plan().boxed().await,
            Request::KeysList => self.show_keys(),
            Request::KeysShow { key } => match parse(&key) {
                Ok(key) => self.show_key(&key).await,
                Err(reply) => reply,
            },
            Request::Decide { key, decision, reason } => match parse(&key) {
                Ok(key) => self.decide(actor, &key, decision, reason).boxed().await,
                Err(reply) => reply,
            },
            Request::Pause { reason } => self.pause(actor, reason).await,
            Request::Resume { which, reason } => self.resume(actor, which, reason).await,
            Request::RulesList => self.show_rules(),
            Request::AcknowledgeRule { id, reason } => self.acknowledge_rule(actor, &id, reason).await,
            Request::JournalView => self.view_journal().await,
            Request::BreakerShow => Reply::Breaker(self.breaker()),
            Request::BreakerReset { reason, confirm } => self.reset_breaker(actor, reason, &confirm).await,
            Request::AccountUnpark { account, reason } => self.unpark(actor, &account, reason).await,
        }
    }

    async fn decide(&self, actor: &Actor, key: &AccessKeyId, decision: Decision, reason: String) -> Reply {
        let Some(record) = self.store().read(|state| state.record(key).cloned()) else {
            return refused(super::show::unknown_key(key));
        };
        let now = self.clock().now();
        match decision {
            Decision::Reactivate => {
                let reply = self.order(actor, &record, Action::Reactivate, &reason).await;
                with_undo_by_hand(reply, &record)
            }
            Decision::Deactivate => self.order(actor, &record, Action::Deactivate, &reason).await,
            Decision::Delete => self.order(actor, &record, Action::Delete, &reason).await,
            Decision::Approve { .. } if record.incident.is_some() => {
                let why = record.incident.as_ref().map(Incident::words).unwrap_or_default();
                refused(format!("no change of {key} can be approved: {why}"))
            }
            Decision::Approve { action, request } => match asked(&record, action, &request) {
                Ok(approval) if now >= approval.expires => refused(format!(
                    "request {request} to {action} {key} expired at {}; the next sweep asks again, or holds the key",
                    approval.expires
                )),
                Ok(Approval { granted: Some(granted), .. }) => {
                    refused(format!("{} approved request {request} to {action} {key} already", granted.by))
                }
                Ok(Approval { granted: None, number, .. }) => {
                    let event = KeyEvent::Approved { action, request: *number, reason };
                    let done = format!("approved: {action} of {key} (request {number})");
                    let reply = self.write(actor, &record, event, done).await;
                    self.decided(&reply, "approved");
                    reply
                }
                Err(why) => refused(why),
            },
            Decision::Deny { action, request } => match asked(&record, action, &request) {
                Ok(approval) => {
                    let hold_until = after(now, self.hold_after_denial(&record));
                    let event = KeyEvent::Denied { action, request: approval.number, reason, hold_until };
                    let inactive = match action {
                        Action::Delete => format!(
                            "; it stays Inactive: `keysweep keys reactivate {key}` sets it Active again"
                        ),
                        Action::Deactivate | Action::Reactivate => String::new(),
                    };
                    let done = format!("denied: {action} of {key}; held until {hold_until}{inactive}");
                    let reply = self.write(actor, &record, event, done).await;
                    self.decided(&reply, "denied");
                    reply
                }
                Err(why) => refused(why),
            },
            Decision::Hold { length } => {
                if record.holds.len() >= MOST_HOLDS {
                    return refused(format!("{key} has {MOST_HOLDS} holds already: release one first"));
                }
                let until = length.map(|length| after(now, length));
                let done = match until {
                    Some(until) => format!("{key} is on hold until {until}"),
                    None => format!("{key} is on hold until it is released"),
                };
                self.write(actor, &record, KeyEvent::HoldPlaced { reason, until }, done).await
            }
            Decision::Release { hold } => match to_release(&record, hold) {
                Ok(hold) => {
                    let left = record.holds.len().saturating_sub(1);
                    let done = match left {
                        0 => format!("{key} is released; the next sweep decides what comes next"),
                        n => format!(
                            "hold {hold} of {key} is released; {n} more stay: `keysweep keys show {key}`"
                        ),
                    };
                    let event = KeyEvent::HoldReleased { hold, reason };
                    let reply = self.write(actor, &record, event, done).await;
                    self.request_sweep();
                    reply
                }
                Err(why) => refused(why),
            },
            Decision::ClearReactivations => {
                if record.past.reactivations().is_none() {
                    return refused(format!("no reactivation of {key} makes its changes need approval"));
                }
                let done = format!(
                    "reactivations of {key} are cleared: they no longer make its changes need approval"
                );
                self.write(actor, &record, KeyEvent::ReactivationsCleared { reason }, done).await
            }
            Decision::Forget => self.forget(actor, &record, reason).await,
        }
    }

    async fn forget(&self, actor: &Actor, record: &Record, reason: String) -> Reply {
        let key = &record.identity.key;
        // Whoever is changing it right now settles it first.
        let _only_one = self.changes.key(key).await;
        let found = self.store().read(|state| state.record(key).cloned());
        let Some(record) = &found else { return refused(super::show::unknown_key(key)) };
        let account = record.identity.account;
        let (out_of_reach, for_good) = self.store().read(|state| {
            let reach = state.account(account).map(|account| &account.reach);
            let for_good = matches!(reach, Some(Reach::Left { .. } | Reach::Skipped { .. }));
            (state.out_of_reach(account).is_some(), for_good)
        });
        let unsettled = record.under_way();
        if let Some(action) = unsettled.filter(|_| !for_good) {
            return refused(format!(
                "what became of the last call to {action} {key} is not known yet: it can be forgotten only once account \
                 {account} is skipped or has left the organization"
            ));
        }
        if record.state.is_tracked() && !out_of_reach {
            let state = record.state.as_str();
            return refused(format!(
                "{key} is {state}: only a key that is deleted, gone or out of reach can be forgotten"
            ));
        }
        let event = KeyEvent::Forgotten { unsettled, reason };
        let done = match unsettled {
            None => format!("{key} is forgotten"),
            Some(action) => format!(
                "{key} is forgotten; keysweep may have sent a call to {action} it, and whether that took effect is not \
                 known: look in account {account}"
            ),
        };
        self.write(actor, record, event, done).await
    }

    /// A change by name: it takes the way of the automatic ones.
    async fn order(&self, actor: &Actor, record: &Record, action: Action, reason: &str) -> Reply {
        let (key, config) = (&record.identity.key, self.config());
        let aws = match self.aws().await {
            Ok(aws) => aws,
            Err(error) => return refused(in_words(&error)),
        };
        let mut ticket = ordered(record, action, actor, reason);
        if ticket.is_err() && record.in_flight() {
            // A change is under way, or was when a process ended: what became of it is told first.
            if let Err(error) = settle_key(self, &aws, key).await {
                return refused(in_words(&error));
            }
            let settled = self.store().read(|state| state.record(key).cloned());
            ticket = settled.as_ref().map_or(ticket, |record| ordered(record, action, actor, reason));
        }
        let ticket = match ticket {
            Ok(ticket) => ticket,
            Err(state) => return refused(cannot(key, state, action)),
        };
        match act(self, &aws, &config, ticket).await {
            Acted::Done => {
                self.request_sweep();
                let incident =
                    self.store().read(|state| state.record(key).is_some_and(|r| r.incident.is_some()));
                let mut message = done(key, action);
                if incident && action == Action::Reactivate {
                    message += &format!("; warning: {}; {INCIDENT_REMEDY}", super::show::GIVES_BACK);
                }
                Reply::Done { message }
            }
            Acted::Late(why) => {
                self.request_sweep();
                Reply::Done { message: format!("{action} of {key}: {why}") }
            }
            Acted::NotSent(wait) => refused(format!("{key} was not changed: {}", wait.why)),
            Acted::Failed(why) => refused(format!("{action} of {key} failed: {why}")),
        }
    }

    async fn write(&self, actor: &Actor, record: &Record, event: KeyEvent, message: String) -> Reply {
        // Whoever is about to change this key looks again behind the same door.
        let _door = self.changes.door.lock().await;
        let body = Body::Key { account: record.identity.account, key: record.identity.key.clone(), event };
        match self.append(actor, vec![body]).await {
            Ok(_) => Reply::Done { message },
            Err(AppendError::Illegal(illegal)) => refused(illegal.to_string()),
            Err(error) => refused(in_words(&error)),
        }
    }

    fn decided(&self, reply: &Reply, decision: &str) {
        if matches!(reply, Reply::Done { .. }) {
            self.metrics().approval(decision, "cli");
        }
    }

    /// How long a key is left alone whose change was denied: where the last sweep does not tell its policy, the longest
    /// that any rule could mean.
    fn hold_after_denial(&self, record: &Record) -> Duration {
        let (config, latest) = (self.config(), self.latest());
        let found =
            latest.as_ref().and_then(|latest| super::show::find(&latest.collection, &record.identity.key));
        let resolved = found.and_then(|(account, facts)| {
            let subject =
                Subject { account, user_name: &facts.user_name, path: &facts.path, tags: &facts.tags };
            config.policy.resolve(self.clock().now(), &subject).ok()
        });
        let policy = &config.policy;
        let longest = || {
            let rules = policy.overrides.iter().filter_map(|rule| rule.terms.hold_after_denial);
            rules.fold(policy.base.hold_after_denial, Duration::max)
        };
        resolved.map_or_else(longest, |resolution| resolution.terms.hold_after_denial)
    }
}

fn parse(key: &str) -> Result<AccessKeyId, Reply> {
    key.parse().map_err(|error: keysweep_core::ids::ParseIdError| refused(error.to_string()))
}

pub(super) fn refused(message: String) -> Reply {
    Reply::Refused { message }
}

/// An undo that keysweep could not make is still one command away.
fn with_undo_by_hand(reply: Reply, record: &Record) -> Reply {
    match reply {
        Reply::Refused { message } => {
            let identity = &record.identity;
            let command = undo_by_hand(&record.user_name, &identity.key);
            refused(format!(
                "{message}\nto set the key Active without keysweep, run this with credentials of account {}: `{command}`",
                identity.account
            ))
        }
        reply => reply,
    }
}

fn after(now: Timestamp, length: Duration) -> Timestamp {
    now.checked_add(length).unwrap_or(Timestamp::MAX)
}

/// The request that is asked now, if it is the one that was shown.
fn asked<'a>(record: &'a Record, action: Action, request: &RequestRef) -> Result<&'a Approval, String> {
    let key = &record.identity.key;
    let Some(approval) = pending(record) else {
        return Err(format!(
            "request {request} to {action} {key} is not open: nothing is asked of {key}, which is {}",
            record.state.as_str()
        ));
    };
    let now = request_of(record, approval);
    let same_hash = request.hash.as_ref().is_none_or(|hash| Some(hash) == now.hash.as_ref());
    if approval.number == request.number && approval.action == action && same_hash {
        return Ok(approval);
    }
    let differs = if approval.action == action {
        format!("what was shown with request {request} has changed")
    } else {
        format!("request {request} was decided on as one to {action}")
    };
    Err(format!(
        "{differs}: asked now is to {} {key} (request {now}, asked at {}: {}). Nothing was decided; look at it with \
         `keysweep keys show {key}`",
        approval.action, approval.asked_at, approval.why
    ))
}

/// The approval that is asked for, granted or not.
pub(super) fn pending(record: &Record) -> Option<&Approval> {
    match &record.state {
        State::Flagged(data) => data.approval.as_ref(),
        State::Deactivated(data) => data.approval.as_ref(),
        State::Active | State::Deactivating(_) | State::Deleting(_) | State::Deleted(_) | State::Gone(_) => {
            None
        }
    }
}

/// How a decision names a request.
pub(super) fn request_of(record: &Record, approval: &Approval) -> RequestRef {
    RequestRef { number: approval.number, hash: Some(approval.hash(&record.identity)) }
}

/// Which hold a release ends. Only a hold that an operator placed is released without its number, and only where it is
/// the only one: who means his own never ends another.
fn to_release(record: &Record, number: Option<u64>) -> Result<u64, String> {
    let key = &record.identity.key;
    let listed = || {
        let holds =
            record.holds.iter().map(|hold| format!("  {}: {} ({hold})", hold.number, hold.kind.as_str()));
        holds.collect::<Vec<_>>().join("\n")
    };
    match (number, record.holds.as_slice()) {
        (_, []) => Err(format!("{key} is not on hold")),
        (None, [hold]) if hold.kind == HoldKind::Operator => Ok(hold.number),
        (None, _) => Err(format!(
            "say which hold of {key} to release: `keysweep keys release {key} --hold NUMBER --reason TEXT`\n{}",
            listed()
        )),
        (Some(number), holds) if holds.iter().any(|hold| hold.number == number) => Ok(number),
        (Some(number), _) => Err(format!("{key} has no hold {number}; it has\n{}", listed())),
    }
}

fn cannot(key: &AccessKeyId, state: &str, action: Action) -> String {
    match action {
        Action::Deactivate => format!("{key} is {state}: only a key that is flagged can be deactivated"),
        Action::Delete => format!("{key} is {state}: only a key that is deactivated can be deleted"),
        Action::Reactivate => {
            format!("{key} is {state}, and keysweep sent no deactivation of it: there is nothing to undo")
        }
    }
}

fn done(key: &AccessKeyId, action: Action) -> String {
    match action {
        Action::Deactivate => format!("{key} is Inactive; `keysweep keys reactivate {key}` undoes it"),
        Action::Reactivate => format!("{key} is Active again and on hold"),
        Action::Delete => format!("{key} is deleted"),
    }
}
