//! Changes that an operator orders by name, the undo among them.

use keysweep_api::{Done, Refusal};
use keysweep_core::finding::undo_by_hand;
use keysweep_core::ids::AccessKeyId;
use keysweep_core::lifecycle::{INCIDENT_REMEDY, Record, State};
use keysweep_core::plan::{Reason, ordered};
use keysweep_core::state::Actor;
use keysweep_core::ticket::Action;

use super::show::{GIVES_BACK, unknown_key};
use crate::causes::in_words;
use crate::change::{Acted, act, settle_key};
use crate::engine::Engine;

impl Engine {
    /// Orders a change of a key, if it is known.
    pub(super) async fn order_by_name(
        &self,
        actor: &Actor,
        key: &AccessKeyId,
        action: Action,
        reason: &str,
    ) -> Result<Done, Refusal> {
        let Some(record) = self.store().read(|state| state.record(key).cloned()) else {
            return Err(unknown_key(key));
        };
        if action.is_undo() {
            let given_back = self.give_back(actor, &record, reason).await;
            return given_back.map_err(|refusal| with_undo_by_hand(refusal, &record));
        }
        self.order(actor, &record, action, reason).await
    }

    /// Undoes what keysweep has done: the quarantine of the user, and the deactivation of the key. Neither waits for the
    /// other to work.
    async fn give_back(&self, actor: &Actor, record: &Record, reason: &str) -> Result<Done, Refusal> {
        if record.quarantine.is_none() {
            return self.order(actor, record, Action::Reactivate, reason).await;
        }
        let lifted = self.order(actor, record, Action::Lift, reason).await;
        let record = self.store().read(|state| state.record(&record.identity.key).cloned());
        let Some(record) = record.filter(Record::may_undo) else { return lifted };
        let works = matches!(record.state, State::Active | State::Flagged(_));
        match (lifted, self.order(actor, &record, Action::Reactivate, reason).await) {
            (Ok(lifted), Ok(done)) => Ok(Done { message: format!("{}; {}", lifted.message, done.message) }),
            // It was in quarantine only.
            (lifted, Err(Refusal::Conflict(_))) if works => lifted,
            (Ok(Done { message }), Err(refusal)) => Err(refusal.with(&format!("\n{message}"))),
            (Err(refusal), Ok(Done { message })) => Err(refusal.with(&format!("\n{message}"))),
            (Err(refusal), Err(another)) => Err(refusal.with(&format!("\n{another}"))),
        }
    }

    /// A change by name: it takes the way of the automatic ones.
    async fn order(
        &self,
        actor: &Actor,
        record: &Record,
        action: Action,
        reason: &str,
    ) -> Result<Done, Refusal> {
        let (key, config) = (&record.identity.key, self.config());
        let aws = match self.aws().await {
            Ok(aws) => aws,
            Err(error) => return Err(Refusal::Unavailable(in_words(&error))),
        };
        let mut ticket = ordered(record, action, actor, reason);
        if ticket.is_err() && record.in_flight() {
            // A change is under way, or was when a process ended: what became of it is told first.
            if let Err(error) = settle_key(self, &aws, key).await {
                return Err(Refusal::Unavailable(in_words(&error)));
            }
            let settled = self.store().read(|state| state.record(key).cloned());
            ticket = settled.as_ref().map_or(ticket, |record| ordered(record, action, actor, reason));
        }
        let ticket = match ticket {
            Ok(ticket) => ticket,
            Err(state) => return Err(Refusal::Conflict(cannot(key, state, action))),
        };
        match act(self, &aws, &config, ticket).await {
            Acted::Done => {
                self.request_sweep();
                let incident =
                    self.store().read(|state| state.record(key).is_some_and(|r| r.incident.is_some()));
                let mut message = done(key, action);
                if incident && action == Action::Reactivate {
                    message += &format!("; warning: {}; {INCIDENT_REMEDY}", GIVES_BACK);
                }
                Ok(Done { message })
            }
            Acted::Late(why) => {
                self.request_sweep();
                Ok(Done { message: format!("{action} of {key}: {why}") })
            }
            Acted::NotSent(wait) => {
                let why = format!("{key} was not changed: {wait}");
                // What could not be read or written may be again soon.
                Err(match wait.reason() {
                    Reason::Unknown | Reason::Evidence => Refusal::Unavailable(why),
                    _ => Refusal::Conflict(why),
                })
            }
            Acted::Failed(why) => Err(Refusal::Aws(format!("{action} of {key} failed: {why}"))),
        }
    }
}

/// An undo that keysweep could not make is still one command away.
fn with_undo_by_hand(refusal: Refusal, record: &Record) -> Refusal {
    let identity = &record.identity;
    let command = undo_by_hand(&record.user_name, &identity.key);
    refusal.with(&format!(
        "\nto set the key Active without keysweep, run this with credentials of account {}: `{command}`",
        identity.account
    ))
}

fn cannot(key: &AccessKeyId, state: &str, action: Action) -> String {
    match action {
        Action::Deactivate => format!("{key} is {state}: only a key that is flagged can be deactivated"),
        Action::Delete => format!("{key} is {state}: only a key that is deactivated can be deleted"),
        Action::Quarantine | Action::Lift => format!("{key} is {state}: its user is not in quarantine"),
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
        Action::Quarantine => {
            format!("the user of {key} is in quarantine; `keysweep keys reactivate {key}` ends it")
        }
        Action::Lift => format!("the quarantine of the user of {key} has ended, and the key is on hold"),
    }
}
