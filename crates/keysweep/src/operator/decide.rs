//! Operators' decisions: each is journaled with who and why before it counts.

use std::time::Duration;

use futures_util::FutureExt;
use jiff::Timestamp;
use keysweep_core::ids::AccessKeyId;
use keysweep_core::lifecycle::{Approval, Hold, KeyEvent, Record, State};
use keysweep_core::plan::{newly_due, ordered};
use keysweep_core::planted;
use keysweep_core::policy::Subject;
use keysweep_core::render::undo_by_hand;
use keysweep_core::state::{Actor, Body, TripReason};
use keysweep_core::ticket::Action;
use keysweep_store::AppendError;

use super::{BreakerDocument, BreakerKey, Decision, Reply, Request};
use crate::engine::Engine;
use crate::sweep::{Acted, act, in_words, settle_key};

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
            Request::Resume { reason } => self.resume(actor, reason).await,
            Request::RulesList => self.show_rules(),
            Request::AcknowledgeRule { id, reason } => self.acknowledge_rule(actor, &id, reason).await,
            Request::JournalView => self.view_journal().await,
            Request::BreakerReset { reason, confirm } => self.reset_breaker(actor, reason, confirm).await,
        }
    }

    async fn decide(&self, actor: &Actor, key: &AccessKeyId, decision: Decision, reason: String) -> Reply {
        let found = self.store().read(|state| match state.record(key) {
            Some(Record { identity, .. }) if planted!(SiblingKey) => {
                state.records().find(|other| other.identity.user_id == identity.user_id).cloned()
            }
            record => record.cloned(),
        });
        let Some(record) = found else {
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
            Decision::Approve => match asked(&record) {
                Some(Approval { action, granted: None, expires, .. }) if now >= *expires => refused(format!(
                    "the request to {action} {key} expired at {expires}; the next sweep asks again, or holds it"
                )),
                Some(Approval { action, granted: None, .. }) => {
                    let action = *action;
                    let event = KeyEvent::Approved { action, reason };
                    let reply =
                        self.write(actor, &record, event, format!("approved: {action} of {key}")).await;
                    self.decided(&reply, "approved");
                    reply
                }
                Some(Approval { action, granted: Some(granted), .. }) => {
                    refused(format!("{action} of {key} was approved by {} already", granted.by))
                }
                None => {
                    refused(format!("nobody asked for approval of {key}, which is {}", record.state.as_str()))
                }
            },
            Decision::Deny => match asked(&record) {
                Some(Approval { action, .. }) => {
                    let action = *action;
                    let hold_until = after(now, self.hold_after_denial(&record));
                    let event = KeyEvent::Denied { action, reason, hold_until };
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
                None => {
                    refused(format!("nobody asked for approval of {key}, which is {}", record.state.as_str()))
                }
            },
            Decision::Hold { length } => {
                let until = length.map(|length| after(now, length));
                let outlasts =
                    |hold: &&Hold| hold.until.is_none_or(|stands| until.is_some_and(|until| stands > until));
                if let Some(hold) = record.hold.as_ref().filter(outlasts) {
                    let ends = hold.until.map_or("it is released".to_owned(), |until| until.to_string());
                    return refused(format!(
                        "{key} is on hold until {ends} already ({}); release it first if that is to be shorter",
                        hold.reason
                    ));
                }
                let done = match until {
                    Some(until) => format!("{key} is on hold until {until}"),
                    None => format!("{key} is on hold until it is released"),
                };
                self.write(actor, &record, KeyEvent::HoldPlaced { reason, until }, done).await
            }
            Decision::Release if record.hold.is_none() => refused(format!("{key} is not on hold")),
            Decision::Release => {
                let done = format!("{key} is released; what comes next is decided by the next sweep");
                let reply = self.write(actor, &record, KeyEvent::HoldReleased { reason }, done).await;
                self.request_sweep();
                reply
            }
            Decision::Forget => self.forget(actor, &record, reason).await,
        }
    }

    async fn forget(&self, actor: &Actor, record: &Record, reason: String) -> Reply {
        let key = &record.identity.key;
        let out_of_reach = self.store().read(|state| state.out_of_reach(record.identity.account).is_some());
        if record.state.is_tracked() && !out_of_reach {
            let state = record.state.as_str();
            return refused(format!(
                "{key} is {state}: only a key that is deleted, gone or out of reach can be forgotten"
            ));
        }
        let event = KeyEvent::Forgotten { reason };
        self.write(actor, record, event, format!("{key} is forgotten")).await
    }

    /// A change by name: it takes the way of the automatic ones.
    async fn order(&self, actor: &Actor, record: &Record, action: Action, reason: &str) -> Reply {
        let (key, config) = (&record.identity.key, self.config());
        let aws = match self.aws().await {
            Ok(aws) => aws,
            Err(error) => return refused(in_words(&error)),
        };
        let mut ticket = ordered(record, action, actor, reason);
        if ticket.is_err() && record.state.in_flight() {
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
                Reply::Done { message: done(key, action) }
            }
            Acted::NotSent(wait) => refused(format!("{key} was not changed: {}", wait.why)),
            Acted::Failed(why) => refused(format!("{action} of {key} failed: {why}")),
        }
    }

    async fn pause(&self, actor: &Actor, reason: String) -> Reply {
        // Nobody who holds the door is writing an intent; whoever comes after us finds the pause.
        let door = self.changes.door.lock().await;
        let written = self.append(actor, vec![Body::Paused { reason }]).await;
        drop(door);
        if let Err(error) = written {
            return refused(in_words(&error));
        }
        let sent = if planted!(PauseDoesNotWait) { 0 } else { self.changes.drained().await };
        let message = match sent {
            0 => "paused: no change starts until `keysweep resume`; undo still works".to_owned(),
            1 => "paused: no change starts until `keysweep resume`; one call was under way and has ended"
                .to_owned(),
            n => format!(
                "paused: no change starts until `keysweep resume`; {n} calls were under way and have ended"
            ),
        };
        Reply::Done { message }
    }

    async fn resume(&self, actor: &Actor, reason: String) -> Reply {
        if self.store().read(|state| state.control().paused.is_none()) {
            return refused("nothing is paused".into());
        }
        match self.append(actor, vec![Body::Resumed { reason }]).await {
            Ok(_) => {
                self.request_sweep();
                Reply::Done { message: "resumed: changes may go on".into() }
            }
            Err(error) => refused(in_words(&error)),
        }
    }

    async fn reset_breaker(&self, actor: &Actor, reason: String, confirm: Option<u64>) -> Reply {
        let _door = self.changes.door.lock().await;
        // What a process without a sweep of its own accepts is what tripped it.
        let shrunk_to = self.store().read(|state| match state.control().breaker.as_ref()?.reason {
            TripReason::Shrink { now, .. } => Some(now),
            TripReason::Surge { .. } | TripReason::Failures { .. } | TripReason::ClockSkew { .. } => None,
        });
        let document = self.store().read(|state| {
            let open = state
                .control()
                .breaker
                .as_ref()
                .map(|trip| format!("{} (since {})", trip.reason, trip.since));
            let due = newly_due(state);
            let keys = due.iter().filter_map(|key| state.record(key)).filter_map(|record| {
                Some(BreakerKey {
                    account_id: record.identity.account.to_string(),
                    user_name: record.user_name.to_string(),
                    access_key_id: record.identity.key.to_string(),
                    action: record.due.as_ref()?.action,
                })
            });
            BreakerDocument { open, keys: keys.collect() }
        });
        let count = u64::try_from(document.keys.len()).unwrap_or(u64::MAX);
        if document.open.is_none() {
            return refused("the breaker is closed".into());
        }
        match confirm {
            None => Reply::Breaker(document),
            Some(confirmed) if confirmed != count => refused(format!(
                "{count} keys would be accepted and not {confirmed}: look at them again, and confirm their count"
            )),
            Some(_) => {
                let seen = self.latest().map(|latest| latest.collection.accounts.len());
                let accounts = seen.and_then(|n| u64::try_from(n).ok()).or(shrunk_to);
                let body = Body::BreakerReset { reason, keys: count, accounts };
                match self.append(actor, vec![body]).await {
                    Ok(_) => {
                        self.request_sweep();
                        Reply::Done {
                            message: format!("the breaker is closed; {count} newly due keys are accepted"),
                        }
                    }
                    Err(error) => refused(in_words(&error)),
                }
            }
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

fn refused(message: String) -> Reply {
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

/// The approval that was asked for.
fn asked(record: &Record) -> Option<&Approval> {
    match &record.state {
        State::Flagged(data) => data.approval.as_ref(),
        State::Deactivated(data) => data.approval.as_ref(),
        State::Active | State::Deactivating(_) | State::Deleting(_) | State::Deleted(_) | State::Gone(_) => {
            None
        }
    }
}

fn cannot(key: &AccessKeyId, state: &str, action: Action) -> String {
    let wants = match action {
        Action::Deactivate => "flagged",
        Action::Reactivate | Action::Delete => "deactivated",
    };
    format!("{key} is {state}: only a key that is {wants} can be {}d", action.as_str())
}

fn done(key: &AccessKeyId, action: Action) -> String {
    match action {
        Action::Deactivate => format!("{key} is Inactive; `keysweep keys reactivate {key}` undoes it"),
        Action::Reactivate => format!("{key} is Active again and on hold"),
        Action::Delete => format!("{key} is deleted"),
    }
}
