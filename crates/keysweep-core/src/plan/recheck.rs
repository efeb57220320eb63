//! The same decision again, with fresh facts, right before a change; and the undo, which nothing of ours blocks.

use super::decide::{is_another, is_of_another_user};
use super::exempt::resolve;
use super::quarantine::{end_quarantine, quarantine_ends_because};
use super::{By, Context, Decision, Next, Recheck, Unknown, View, Wait, decide, gate, note_unknown};
use crate::effect::Announcement;
use crate::evidence::{Activity, Gap};
use crate::facts::{Fact, KeyStatus, LastUse, Source};
use crate::lifecycle::{KeyEvent, Record, State};
use crate::policy::IncompleteEvidence;
use crate::quarantine::UserBefore;
use crate::state::Actor;
use crate::ticket::{Action, Agreement, Attachment, Origin, Ticket};

/// A ticket that the re-check did not agree to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why there is no change.
    pub wait: Wait,
    /// What the fresh facts say happened, to be recorded.
    pub events: Box<[KeyEvent]>,
    /// What people are to be told after that.
    pub announcement: Option<Box<Announcement>>,
}

impl From<Wait> for Refusal {
    fn from(wait: Wait) -> Self {
        Self { wait, events: Box::default(), announcement: None }
    }
}

fn refuse<T>(wait: impl Into<Wait>) -> Result<T, Refusal> {
    Err(wait.into().into())
}

/// Decides again with what was read right before the change. It is asked twice: before the session for the change is
/// opened, and on exactly the state that its intent follows.
///
/// # Errors
/// The reason why the change is not made: an unknown fact, a changed answer, a restraint.
pub fn recheck(context: &Context<'_>, ticket: &Ticket, view: &View<'_>) -> Result<Agreement, Refusal> {
    let record = context.state.record(&ticket.identity().key);
    let Some(record) = record.filter(|r| r.identity == *ticket.identity()) else {
        return refuse(Recheck::NoRecord);
    };
    if let Some(other) = other_subject(record, ticket.action(), view) {
        return refuse(other);
    }
    let Some(action) = ticket.action().planned() else {
        return match ticket.action() {
            Action::EndQuarantine => recheck_end_of_quarantine(context, record, ticket, view),
            Action::Quarantine | Action::Deactivate | Action::Reactivate | Action::Delete => {
                recheck_undo(context, record, ticket, view)
            }
        };
    };
    if view.facts.source != Source::Live {
        return refuse(Recheck::NotLive);
    }
    if !matches!(view.facts.policies, Fact::Known(_)) {
        return refuse(Unknown::PoliciesNotRead);
    }
    let by = match ticket.origin() {
        Origin::Policy => By::Policy,
        Origin::Operator { .. } => By::Operator(action),
    };
    let decision = decide(context, Some(record), view, by);
    let (account, key) = (record.identity.account, &record.identity.key);
    let announcement =
        decision.announcement.map(|told| Box::new(Announcement::new(account, key.clone(), told)));
    match decision.next {
        // The operator sees what to do about it.
        Next::Wait { wait: wait @ Wait::Incident(_), .. } => {
            Err(Refusal { wait, events: decision.events.into(), announcement })
        }
        _ if !decision.events.is_empty() => {
            let names = decision.events.iter().map(KeyEvent::name).collect();
            Err(Refusal { wait: Recheck::Events(names).into(), events: decision.events.into(), announcement })
        }
        _ if let Some(announcement) = announcement => {
            let wait = if announcement.asks() { Recheck::NotAsked } else { Recheck::NotNoticed };
            Err(Refusal { announcement: Some(announcement), ..Refusal::from(Wait::from(wait)) })
        }
        Next::Step { action: agreed, .. } if agreed == ticket.action() => {
            gate(context, record, agreed, by)?;
            // Last, so that nobody looks for a key that is not changed anyway.
            if let Some(gap) = evidence_gap(context, view) {
                return refuse(Wait::Evidence(gap));
            }
            let tags = context.policy.exempt_tags(context.now, view.account, &view.facts.user_name);
            let agreement = Agreement::to(ticket, view.facts.user_name.clone(), tags);
            if agreed != Action::Quarantine {
                return Ok(agreement);
            }
            if let Some(refusal) = not_stopped(context, view) {
                return Err(refusal);
            }
            match UserBefore::of(view.facts) {
                Some(user_before) => Ok(agreement
                    .with(Attachment { policy: context.policy.quarantine_policy.clone(), user_before })),
                None => refuse(Unknown::Facts(unread(view))),
            }
        }
        Next::Wait { wait, .. } => refuse(wait),
        Next::Nothing | Next::Step { .. } => refuse(Recheck::AnotherAnswer),
    }
}

/// What CloudTrail had to show, and did not.
fn evidence_gap(context: &Context<'_>, view: &View<'_>) -> Option<Gap> {
    if !context.policy.cloudtrail {
        return None;
    }
    let gap = match &view.facts.trail {
        Fact::NotRead => Gap::NotRead,
        Fact::Unknown(why) => Gap::Regions(why.clone()),
        Fact::Known(trail) => {
            // What does not work is unused for AWS as well, and it resolves its finding for that alone.
            let works = view.facts.status == KeyStatus::Active;
            let used = view.facts.last_use.known().and_then(LastUse::at);
            works.then(|| trail.objection(used)).flatten().or_else(|| trail.gap())?
        }
    };
    let resolved = resolve(context, view.account, view.facts);
    let ignores = resolved.is_ok_and(|of| of.terms.incomplete_evidence == IncompleteEvidence::Ignore);
    (!ignores || !gap.may_be_ignored()).then_some(gap)
}

/// Why a quarantine may not begin: it stops every key of the user, so each is looked at; and what is attached may grant
/// nothing.
fn not_stopped(context: &Context<'_>, view: &View<'_>) -> Option<Refusal> {
    for other in view.facts.other_keys.iter().filter(|other| other.status != KeyStatus::Inactive) {
        let Fact::Known(last_use) = &other.last_use else {
            let mut unknown = Vec::new();
            note_unknown(&mut unknown, &format!("last use of {}", other.key), &other.last_use);
            return Some(Wait::from(Unknown::Facts(unknown)).into());
        };
        let record = context.state.record(&other.key);
        let Some(State::Flagged(data)) = record.map(|record| &record.state) else {
            return Some(Wait::from(Recheck::AnotherAnswer).into());
        };
        if last_use.is_later_than(&data.last_use, data.since) {
            return Some(Wait::from(Recheck::OtherKeyUsed(other.key.clone())).into());
        }
        if !context.policy.cloudtrail {
            continue;
        }
        let newest = match &other.trail {
            Fact::Known(trail) => match trail.objection(last_use.at()).or_else(|| trail.gap()) {
                None => trail.newest(),
                Some(gap) => return Some(Wait::Evidence(gap).into()),
            },
            Fact::Unknown(why) => return Some(Wait::Evidence(Gap::Regions(why.clone())).into()),
            Fact::NotRead => return Some(Wait::Evidence(Gap::NotRead).into()),
        };
        let later = |newest: &Activity| {
            last_use.at() < Some(newest.at) && !last_use.is_same_use(&newest.as_last_use())
        };
        if newest.is_some_and(later) {
            return Some(Wait::from(Recheck::OtherKeyUsed(other.key.clone())).into());
        }
    }
    match &view.facts.policy_denies {
        Fact::Known(true) => None,
        Fact::Known(false) => Some(Wait::from(Recheck::PolicyGrants).into()),
        Fact::Unknown(_) | Fact::NotRead => {
            let mut unknown = Vec::new();
            note_unknown(&mut unknown, "policy of the quarantine", &view.facts.policy_denies);
            Some(Wait::from(Unknown::Facts(unknown)).into())
        }
    }
}

/// What is not known of a user that is to be put in quarantine.
fn unread(view: &View<'_>) -> Vec<String> {
    let mut unknown = Vec::new();
    note_unknown(&mut unknown, "path of the user", &view.facts.path);
    note_unknown(&mut unknown, "console password of the user", &view.facts.password);
    unknown
}

/// The record decides whether something is to be detached, and an operator whenever something may be attached. A link
/// detaches nothing from a user whom AWS has marked.
fn recheck_end_of_quarantine(
    context: &Context<'_>,
    record: &Record,
    ticket: &Ticket,
    view: &View<'_>,
) -> Result<Agreement, Refusal> {
    let compromise = view.facts.compromise();
    let wanted = match ticket.origin() {
        // What AWS has marked since is left to people.
        Origin::Policy => {
            let marked = compromise.known().is_some_and(|marks| !marks.is_empty());
            quarantine_ends_because(context.state, record, context.now).is_some() && !marked
        }
        // As for the deactivation of a key: what AWS considers compromised is for a person.
        Origin::Operator { actor: Actor::Link { .. }, .. } => {
            let sound = compromise.known().is_some_and(Vec::is_empty);
            if record.incident.is_some() || !sound {
                return refuse(Recheck::NotByLink);
            }
            true
        }
        Origin::Operator { .. } => true,
    };
    let quarantine = record.quarantine.as_ref().filter(|_| wanted);
    let Some(quarantine) = quarantine else { return refuse(Recheck::NotInQuarantine) };
    let (policy, user_before) = (quarantine.policy.clone(), quarantine.user_before.clone());
    let agreement = Agreement::to(ticket, view.facts.user_name.clone(), Vec::new());
    Ok(agreement.with(Attachment { policy, user_before }))
}

/// What AWS shows decides about an undo, and not the state that the record is in.
fn recheck_undo(
    context: &Context<'_>,
    record: &Record,
    ticket: &Ticket,
    view: &View<'_>,
) -> Result<Agreement, Refusal> {
    if !record.may_undo() {
        return refuse(Recheck::NothingToUndo(record.state.as_str()));
    }
    // A link undoes what keysweep did for staleness, and nothing that a person had a reason for.
    if let Origin::Operator { actor: Actor::Link { .. }, .. } = ticket.origin() {
        let ordered = record.past.sent.is_some_and(|sent| sent.ordered);
        let sound = view.facts.compromise().known().is_some_and(Vec::is_empty);
        if ordered || record.incident.is_some() || !sound {
            return refuse(Recheck::NotByLink);
        }
    }
    match &view.facts.status {
        KeyStatus::Inactive => {}
        // A deactivation that was sent may show late: setting it Active again is right in either case.
        KeyStatus::Active if record.deactivation_is_late(context.now) => {}
        KeyStatus::Active => {
            let Decision { events, .. } = decide(context, Some(record), view, By::Policy);
            return Err(Refusal { events: events.into(), ..Refusal::from(Wait::from(Recheck::Active)) });
        }
        KeyStatus::Other(status) => return refuse(Recheck::Status(status.clone())),
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
        (state, Action::EndQuarantine) => end_quarantine(record, actor, reason).ok_or(state.as_str()),
        // Nobody orders one: an order deactivates at once.
        (state, Action::Quarantine | Action::Deactivate | Action::Delete) => Err(state.as_str()),
    }
}

fn order(record: &Record, action: Action, actor: &Actor, reason: &str) -> Ticket {
    let origin = Origin::Operator { actor: actor.clone(), reason: reason.into() };
    Ticket::mint(record.identity.clone(), action, origin, format!("ordered by {actor}: {reason}"))
}

/// Why the key that was just read may not be the recorded one, in all that makes it so.
fn other_subject(record: &Record, action: Action, view: &View<'_>) -> Option<Recheck> {
    if view.facts.user_id.known().is_none() {
        return Some(Recheck::NoUserId);
    }
    let other = match action {
        // What is attached to the user is detached from the user, whatever became of the key.
        Action::EndQuarantine => is_of_another_user(record, view),
        Action::Quarantine | Action::Deactivate | Action::Reactivate | Action::Delete => {
            is_another(record, view)
        }
    };
    other.then_some(Recheck::AnotherKey)
}
