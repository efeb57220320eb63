//! The same decision again, with fresh facts, right before a change; and the undo, which nothing of ours blocks.

use super::decide::is_another;
use super::{By, Context, Decision, Next, Reason, View, Wait, decide, gate};
use crate::facts::{Fact, KeyStatus, Source};
use crate::lifecycle::{KeyEvent, Record, State};
use crate::state::Actor;
use crate::ticket::{Action, Agreement, Origin, Ticket};

/// A ticket that the re-check did not agree to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why there is no change.
    pub wait: Wait,
    /// What the fresh facts say happened, to be recorded.
    pub events: Vec<KeyEvent>,
}

/// Decides again with what was read right before the change. It is asked twice: before the session for the change is
/// opened, and on exactly the state that its intent follows.
///
/// # Errors
/// The reason why the change is not made: an unknown fact, a changed answer, a restraint.
pub fn recheck(context: &Context<'_>, ticket: &Ticket, view: &View<'_>) -> Result<Agreement, Refusal> {
    let record = context.state.record(&ticket.identity().key);
    let refuse =
        |reason, why: String| Err(Refusal { wait: Wait { reason, why, until: None }, events: vec![] });
    let Some(record) = record.filter(|r| r.identity == *ticket.identity()) else {
        return refuse(Reason::Recheck, "the record is not there any more".into());
    };
    if let Err(why) = same_key(record, view) {
        return refuse(Reason::Recheck, why);
    }
    let Some(action) = ticket.action().planned() else {
        return recheck_undo(context, record, ticket, view);
    };
    if view.facts.source != Source::Live {
        return refuse(Reason::Recheck, "last use was not read live".into());
    }
    if !matches!(view.facts.quarantine_policies, Fact::Known(_)) {
        return refuse(Reason::Unknown, "policies of the user were not read".into());
    }
    let by = match ticket.origin() {
        Origin::Policy => By::Policy,
        Origin::Operator { .. } => By::Operator(action),
    };
    let decision = decide(context, Some(record), view, by);
    match decision.next {
        // The operator sees what to do about it.
        Next::Wait { wait, .. } if wait.reason == Reason::Protected => {
            Err(Refusal { wait, events: decision.events })
        }
        _ if !decision.events.is_empty() => {
            let names: Vec<_> = decision.events.iter().map(|event| event.name().replace('_', " ")).collect();
            let why = format!("fresh facts say: {}; this is recorded now", names.join(", "));
            Err(Refusal { wait: Wait { reason: Reason::Recheck, why, until: None }, events: decision.events })
        }
        Next::Step { action: agreed, .. } if agreed == action => {
            gate(context, record, action, by).map_err(|wait| Refusal { wait, events: vec![] })?;
            let tags = context.policy.exempt_tags(context.now, view.account, &view.facts.user_name);
            Ok(Agreement::to(ticket, view.facts.user_name.clone(), tags))
        }
        Next::Wait { wait, .. } => Err(Refusal { wait, events: vec![] }),
        Next::Nothing | Next::Step { .. } => {
            refuse(Reason::Recheck, "fresh facts give another answer".into())
        }
    }
}

/// What AWS shows decides about an undo, and not the state that the record is in.
fn recheck_undo(
    context: &Context<'_>,
    record: &Record,
    ticket: &Ticket,
    view: &View<'_>,
) -> Result<Agreement, Refusal> {
    let refuse = |why: String, events| {
        let wait = Wait { reason: Reason::Recheck, why, until: None };
        Err(Refusal { wait, events })
    };
    if !record.may_undo() {
        return refuse(
            format!("it is {}, and keysweep sent no deactivation of it", record.state.as_str()),
            vec![],
        );
    }
    match &view.facts.status {
        KeyStatus::Inactive => {}
        // A deactivation that was sent may show late: setting it Active again is right in either case.
        KeyStatus::Active if record.deactivation_is_late(context.now) => {}
        KeyStatus::Active => {
            let Decision { events, .. } = decide(context, Some(record), view, By::Policy);
            return refuse("it is Active already".into(), events);
        }
        KeyStatus::Other(status) => return refuse(format!("its status in AWS is {status}"), vec![]),
    }
    Ok(Agreement::to(ticket, view.facts.user_name.clone(), Vec::new()))
}

/// A ticket for the undo of a deactivation, by an operator.
///
/// # Errors
/// What the key is, if keysweep has sent no deactivation of it.
pub fn undo(record: &Record, actor: &Actor, reason: &str) -> Result<Ticket, &'static str> {
    if record.may_undo() {
        Ok(order(record, Action::Reactivate, actor, reason))
    } else {
        Err(record.state.as_str())
    }
}

/// A ticket for a change that an operator orders by name. Everything but mode, notice and window is asked again in
/// the re-check.
///
/// # Errors
/// What the key is, if that is not a state from which the change can be made.
pub fn ordered(record: &Record, action: Action, actor: &Actor, reason: &str) -> Result<Ticket, &'static str> {
    match (&record.state, action) {
        (State::Flagged(_), Action::Deactivate) | (State::Deactivated(_), Action::Delete) => {
            Ok(order(record, action, actor, reason))
        }
        (_, Action::Reactivate) => undo(record, actor, reason),
        (state, Action::Deactivate | Action::Delete) => Err(state.as_str()),
    }
}

fn order(record: &Record, action: Action, actor: &Actor, reason: &str) -> Ticket {
    let origin = Origin::Operator { actor: actor.clone(), reason: reason.into() };
    Ticket::mint(record.identity.clone(), action, origin, format!("ordered by {actor}: {reason}"))
}

/// Whether the key that was just read is the recorded one, in all that makes it so.
fn same_key(record: &Record, view: &View<'_>) -> Result<(), String> {
    if view.facts.user_id.known().is_none() {
        return Err("the user ID could not be read".into());
    }
    if is_another(record, view) {
        Err("account, user ID, key ID or creation date differs from the recorded key".into())
    } else {
        Ok(())
    }
}
