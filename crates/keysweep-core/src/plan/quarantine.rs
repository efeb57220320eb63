//! Whether the user of a key that is due is put in quarantine first, how long, and when that ends.

use jiff::{SignedDuration, Timestamp};

use super::decide::{Look, One, later, subject};
use super::exempt::granted_to;
use super::{Context, Next, Unknown, Wait};
use crate::facts::{Fact, KeyStatus};
use crate::ids::AccessKeyId;
use crate::lifecycle::event::{KeyEvent, Overlay};
use crate::lifecycle::{PastQuarantine, Quarantine, Record, State};
use crate::quarantine::MAX_ATTACHED;
use crate::state::{Actor, Reach, State as StateOfAll};
use crate::ticket::{Action, Origin, Planned, Ticket};

/// How long a quarantine without a client says that there is none.
const STILL_SAYS: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How long an account with a user in quarantine may fail to be scanned: nobody sees whom the policy stops meanwhile.
const LONGEST_UNSEEN: SignedDuration = SignedDuration::from_hours(24);

/// How the user of a due key stands.
pub(super) enum Clients {
    /// Something comes before the deactivation.
    First(One),
    /// A client had time to show itself, or a quarantine is not wanted or not possible: why, in words.
    Asked(String),
}

impl Look<'_> {
    /// What the policy wants done before a key that is due is deactivated. An order by name is carried out at once.
    pub(super) fn clients(&self, record: &Record) -> Clients {
        let span = self.terms_or_base().quarantine;
        if let Some(quarantine) = &record.quarantine {
            return self.watched(quarantine, span.unwrap_or_default());
        }
        let Some(span) = span else { return Clients::Asked(String::new()) };
        if let Some(past) =
            record.past.quarantined.as_ref().filter(|past| self.was_enough(record, past, span))
        {
            // A deactivation that AWS refused must not begin it anew, again and again.
            return Clients::Asked(format!("no use seen in quarantine until {}", past.until));
        }
        if let Some(other) = self.others().find(|other| other.quarantine.is_some()) {
            return Clients::First(later(Planned::Deactivate, Wait::OtherKey(other.identity.key.clone())));
        }
        let policy = &self.context.policy.quarantine_policy;
        let Fact::Known(attached) = &self.view.facts.policies else {
            return Clients::First(later(Planned::Deactivate, Unknown::PoliciesNotRead));
        };
        if policy.is_attached(self.view.account.id, attached) {
            return Clients::First(later(Planned::Deactivate, Wait::PolicyAttached(policy.clone())));
        }
        if attached.len() >= MAX_ATTACHED {
            return Clients::Asked(format!(
                "no quarantine: {} policies are attached to the user",
                attached.len()
            ));
        }
        match self.others_in_the_way(record) {
            Some(InTheWay::Never(why)) => Clients::Asked(format!("no quarantine: {why}")),
            Some(InTheWay::Now(wait)) => Clients::First(later(Planned::Deactivate, wait)),
            None => Clients::First(One::Next(Next::Step {
                action: Action::Quarantine,
                why: "quarantine first, to reveal clients that still use the key".to_owned(),
            })),
        }
    }

    /// Whether a quarantine that is over was as long as it is to be now, since the key was flagged, and not long ago.
    fn was_enough(&self, record: &Record, past: &PastQuarantine, span: std::time::Duration) -> bool {
        let State::Flagged(data) = &record.state else { return false };
        let lasted = past.attached.map(|attached| past.until.duration_since(attached));
        let since = self.context.now.duration_since(past.until);
        past.completed
            && past.policy == self.context.policy.quarantine_policy
            && lasted.is_some_and(|lasted| lasted.unsigned_abs() >= span && lasted.is_positive())
            && past.attached >= Some(data.since)
            && (SignedDuration::ZERO..=STILL_SAYS).contains(&since)
    }

    fn watched(&self, quarantine: &Quarantine, span: std::time::Duration) -> Clients {
        let Some(attached) = quarantine.attached else {
            return Clients::First(later(Planned::Deactivate, Unknown::Outcome { accepted: None }));
        };
        let until = attached.checked_add(span).unwrap_or(Timestamp::MAX);
        if self.context.now < until {
            let wait = Wait::Quarantine { since: attached, until: self.first_opening(until) };
            return Clients::First(later(Planned::Deactivate, wait));
        }
        Clients::Asked(format!("no use seen in quarantine since {attached}"))
    }

    /// Records of the other keys of the user.
    fn others(&self) -> impl Iterator<Item = &Record> {
        self.view.facts.other_keys.iter().filter_map(|other| {
            let record = self.context.state.record(&other.key);
            record.filter(|record| record.identity.account == self.view.account.id)
        })
    }

    /// The quarantine stops every key of the user: each that works has to be due as well, and one is taken after the
    /// other.
    fn others_in_the_way(&self, record: &Record) -> Option<InTheWay> {
        let key = &record.identity.key;
        for other in self.view.facts.other_keys.iter().filter(|other| other.status != KeyStatus::Inactive) {
            if !self.is_due(&other.key) {
                return Some(InTheWay::Never(format!(
                    "key {} of the same user is not due for deactivation",
                    other.key
                )));
            }
            // The plan that makes one of them due does not know of the other yet.
            if record.due.as_ref().is_none_or(|due| due.since >= self.context.now) {
                return Some(InTheWay::Now(Wait::NotAccepted));
            }
            if other.key < *key {
                return Some(InTheWay::Now(Wait::OtherKey(other.key.clone())));
            }
        }
        None
    }

    fn is_due(&self, key: &AccessKeyId) -> bool {
        let Context { state, now, .. } = *self.context;
        let exempt = |record: &Record| granted_to(state, record, now).is_some();
        state.record(key).is_some_and(|record| record.is_to_be_deactivated() && !exempt(record))
    }

    /// What a look at the user says about its quarantine: somebody ended it, or it has to end.
    pub(super) fn quarantine(&self, record: &Record) -> Option<KeyEvent> {
        // What AWS attaches to a user with a compromised key is no objection, and the rest is left to people.
        if record.incident.is_some() {
            return None;
        }
        let quarantine =
            record.quarantine.as_ref().filter(|it| it.open.is_none() && it.interrupted.is_none())?;
        let (facts, attached) = (self.view.facts, quarantine.attached?);
        // A read from before is no evidence for the time after.
        if self.view.sighting.at <= attached {
            return None;
        }
        if let Fact::Known(policies) = &facts.policies
            && !quarantine.policy.is_attached(self.view.account.id, policies)
        {
            // The call that detaches it tells whether it is: a read may be behind.
            let why = "someone detached the quarantine policy".to_owned();
            return Some(Overlay::QuarantineInterrupted { why, hold_until: Some(self.hold_until()) }.into());
        }
        if let Some(why) = quarantine.user_before.change_to(facts, &quarantine.policy) {
            // Somebody works on the user: what they are about is not known.
            return Some(Overlay::QuarantineInterrupted { why, hold_until: Some(self.hold_until()) }.into());
        }
        let unwanted = self.resolution.as_ref().is_ok_and(|of| of.terms.quarantine.is_none());
        unwanted.then(|| {
            let why = "policy.quarantine is now off for this key".to_owned();
            Overlay::QuarantineInterrupted { why, hold_until: None }.into()
        })
    }

    /// Until when a key is held after somebody has shown that it is needed.
    pub(super) fn hold_until(&self) -> Timestamp {
        let hold = self.context.policy.hold_after_reactivation(self.context.now, &subject(self.view));
        self.context.now.checked_add(hold).unwrap_or(Timestamp::MAX)
    }
}

enum InTheWay {
    Never(String),
    Now(Wait),
}

/// Tickets to detach what is attached to users and is not wanted there any more. No pause, breaker, cap, window or mode
/// restrains them: they give access back.
#[must_use]
pub fn quarantines_to_end(context: &Context<'_>) -> Vec<Ticket> {
    let ticket = |record: &Record| {
        let why = quarantine_ends_because(context.state, record, context.now)?;
        Some(Ticket::mint(record.identity.clone(), Action::EndQuarantine, Origin::Policy, why))
    };
    context.state.records().filter_map(ticket).collect()
}

/// Why the quarantine of this key's user is to end now.
#[must_use]
pub fn quarantine_ends_because(state: &StateOfAll, record: &Record, now: Timestamp) -> Option<String> {
    record.quarantine_ends_because().or_else(|| {
        let quarantine = record.quarantine.as_ref().filter(|quarantine| quarantine.open.is_none())?;
        if record.incident.is_some() {
            return None;
        }
        // The next plan records it, after AWS has been read.
        if matches!(record.state, State::Flagged(_))
            && let Some(exemption) = granted_to(state, record, now)
        {
            return Some(format!("the key is exempt by {}: {}", exemption.rule(), exemption.reason));
        }
        // It stops every key of the user: each that worked is still to be deactivated, or has been.
        let stopped = quarantine.user_before.keys.iter().filter(|(_, worked)| **worked).map(|(key, _)| key);
        if let Some(wanted) = stopped.into_iter().find(|key| is_wanted(state, state.record(key), now)) {
            return Some(format!("key {wanted} of the same user is not due for deactivation"));
        }
        let reach = state.account(record.identity.account).map(|account| &account.reach);
        let away = reach.filter(|reach| match reach {
            Reach::Scanned => false,
            Reach::Failed { since, .. } => now.duration_since(*since) >= LONGEST_UNSEEN,
            Reach::Skipped { .. } | Reach::Left { .. } => true,
        })?;
        Some(away.out_of_reach().unwrap_or_default())
    })
}

/// Whether another key of a user in quarantine may be needed, by its record.
fn is_wanted(state: &StateOfAll, record: Option<&Record>, now: Timestamp) -> bool {
    record.is_none_or(|record| match &record.state {
        State::Active | State::Flagged(_) => {
            !record.is_to_be_deactivated() || granted_to(state, record, now).is_some()
        }
        State::Deactivating(_)
        | State::Deactivated(_)
        | State::Deleting(_)
        | State::Deleted(_)
        | State::Gone(_) => false,
    })
}

/// A ticket to end the quarantine of a key's user, by an operator.
#[must_use]
pub fn end_quarantine(record: &Record, actor: &Actor, reason: &str) -> Option<Ticket> {
    record.quarantine.as_ref()?;
    let origin = Origin::Operator { actor: actor.clone(), reason: reason.into() };
    Some(Ticket::mint(
        record.identity.clone(),
        Action::EndQuarantine,
        origin,
        format!("ordered by {actor}: {reason}"),
    ))
}
