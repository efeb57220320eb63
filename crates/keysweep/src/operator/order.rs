//! Changes that an operator orders by name, the undo among them.

use keysweep_api::{Done, Refusal};
use keysweep_aws::Partition;
use keysweep_core::finding::{detach_by_hand, undo_by_hand};
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
            return self.give_back(actor, &record, reason).await;
        }
        self.order(actor, &record, action, reason).await
    }

    /// Undoes what keysweep has done: the deactivation of the key, and the quarantine of its user, whichever of the user's
    /// keys it is recorded with. Neither waits for the other to work.
    async fn give_back(&self, actor: &Actor, record: &Record, reason: &str) -> Result<Done, Refusal> {
        let quarantined = |state: &keysweep_core::state::State| {
            let of_user = |other: &&Record| {
                let (theirs, ours) = (&other.identity, &record.identity);
                (theirs.account, &theirs.user_id) == (ours.account, &ours.user_id)
            };
            state.records().filter(of_user).find(|other| other.quarantine.is_some()).cloned()
        };
        let Some(quarantined) = self.store().read(quarantined) else {
            let undone = self.order(actor, record, Action::Reactivate, reason).await;
            return undone.map_err(|refusal| with_undo_by_hand(refusal, record));
        };
        let works = matches!(record.state, State::Active | State::Flagged(_));
        let undone = match record.may_undo() {
            true => Some(self.order(actor, record, Action::Reactivate, reason).await),
            false => None,
        };
        let ended = match self.order(actor, &quarantined, Action::EndQuarantine, reason).await {
            // A sweep may have ended it meanwhile.
            Err(Refusal::Conflict(_)) if !self.in_quarantine(&quarantined) => {
                Ok(Done { message: done(&quarantined.identity.key, Action::EndQuarantine) })
            }
            ended => ended.map_err(|refusal| self.with_detachment_by_hand(refusal, &quarantined)),
        };
        match (undone, ended) {
            (None, ended) => ended,
            (Some(Ok(undone)), Ok(ended)) => {
                Ok(Done { message: format!("{}; {}", undone.message, ended.message) })
            }
            // It was in quarantine only.
            (Some(Err(Refusal::Conflict(_))), ended) if works => ended,
            (Some(Err(refusal)), Ok(Done { message })) => {
                Err(with_undo_by_hand(refusal, record).with(&format!("\n{message}")))
            }
            (Some(Ok(Done { message })), Err(refusal)) => Err(refusal.with(&format!("\n{message}"))),
            (Some(Err(refusal)), Err(another)) => {
                Err(with_undo_by_hand(refusal, record).with(&format!("\n{another}")))
            }
        }
    }

    /// The end of a quarantine is one command away as well.
    fn with_detachment_by_hand(&self, refusal: Refusal, record: &Record) -> Refusal {
        let Some(quarantine) = &record.quarantine else { return refusal };
        let account = record.identity.account;
        let partition = Partition::of_region(&self.config().aws.region);
        let arn = format!("arn:{partition}{}", quarantine.policy.resource(account));
        let command = detach_by_hand(&record.user_name, &arn);
        refusal.with(&format!(
            "\nto end the quarantine without keysweep, run this with credentials of account {account}: `{command}`"
        ))
    }

    fn in_quarantine(&self, record: &Record) -> bool {
        let key = &record.identity.key;
        self.store().read(|state| state.record(key).is_some_and(|record| record.quarantine.is_some()))
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
        Action::Quarantine | Action::EndQuarantine => {
            format!("{key} is {state}: its user is not in quarantine")
        }
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
        Action::EndQuarantine => format!("quarantine ended for the user of {key}; the key is on hold"),
    }
}
