//! Operators' decisions: each is journaled with who and why before it counts.

use std::time::Duration;

use futures_util::FutureExt;
use jiff::Timestamp;
use keysweep_api::{Decide, Decision, Done, Refusal, RequestRef};
use keysweep_core::ids::AccessKeyId;
use keysweep_core::lifecycle::event::{Consent, Note, Overlay};
use keysweep_core::lifecycle::{Approval, HoldKind, KeyEvent, Record, State as KeyState};
use keysweep_core::policy::Subject;
use keysweep_core::state::{Actor, Body, Reach, Receipt, State};
use keysweep_core::ticket::{Action, Planned};
use keysweep_store::{AppendError, Undecided};

use super::Act;
use super::show::{find, unknown_key};
use crate::access::{Need, Permit};
use crate::causes::in_words;
use crate::engine::Engine;
use crate::metrics::ApprovalDecision;

/// More holds of one key than this help nobody.
const MOST_HOLDS: usize = 16;

/// The longest claim of a request, in minutes: a day.
const LONGEST_CLAIM: u32 = 1_440;

impl Act for Decide {
    fn need(&self) -> Need {
        let need = Need::key(self.decision.role(), &self.key);
        if self.decision.is_for_owners() { need.or_owner() } else { need }
    }

    async fn act(self, engine: &Engine, permit: &Permit<'_>) -> Result<Done, Refusal> {
        engine.decide_on(permit, self).boxed().await
    }
}

impl Engine {
    async fn decide_on(&self, permit: &Permit<'_>, asked: Decide) -> Result<Done, Refusal> {
        let actor = permit.actor();
        let Decide { key, decision, reason } = asked;
        if let Decision::Approve { request, .. }
        | Decision::Deny { request, .. }
        | Decision::Claim { request, .. } = &decision
        {
            shown_in_full(actor, request)?;
        }
        let action = match decision {
            Decision::Reactivate {} => Action::Reactivate,
            Decision::Deactivate {} => Action::Deactivate,
            Decision::Delete { confirm } if confirm == key => Action::Delete,
            Decision::Delete { confirm } => {
                return Err(Refusal::Malformed(format!("`confirm` names {confirm} and not {key}")));
            }
            Decision::Approve { action, request } => {
                let approve = |record: &Record, now| approved(record, now, permit, action, &request, &reason);
                let done = self.write(actor, &key, approve).await?;
                self.metrics().lifecycle.decided(ApprovalDecision::Approved, actor);
                return Ok(done);
            }
            Decision::Deny { action, request } => {
                let hold = self.hold_after_denial(&key);
                let deny = |record: &Record, now| {
                    denied(record, after(now, hold), permit, action, &request, &reason)
                };
                let done = self.write(actor, &key, deny).await?;
                self.metrics().lifecycle.decided(ApprovalDecision::Denied, actor);
                self.end_quarantine_soon(&key);
                return Ok(done);
            }
            Decision::Claim { action, request, minutes } => {
                if !(1..=LONGEST_CLAIM).contains(&minutes) {
                    return Err(Refusal::Malformed(format!("`minutes` must be 1 to {LONGEST_CLAIM}")));
                }
                let length = Duration::from_secs(60 * u64::from(minutes));
                let claim =
                    |record: &Record, now| claimed(record, after(now, length), now, permit, action, &request);
                return self.write(actor, &key, claim).await;
            }
            Decision::Hold { length } => {
                let hold =
                    |record: &Record, now| held(record, length.map(|length| after(now, length)), &reason);
                let done = self.write(actor, &key, hold).await?;
                self.end_quarantine_soon(&key);
                return Ok(done);
            }
            Decision::Release { hold } => {
                let done = self.write(actor, &key, |record, _| released(record, hold, &reason)).await?;
                self.request_sweep();
                return Ok(done);
            }
            Decision::ClearReactivations {} => {
                return self.write(actor, &key, |record, _| reactivations_cleared(record, &reason)).await;
            }
            Decision::Forget {} => {
                // A change in flight is settled first.
                let _only_one = self.changes.key(&key).await;
                return self
                    .decide_record(actor, &key, |state, record, _| forgotten(state, record, &reason))
                    .await;
            }
        };
        self.order_by_name(actor, &key, action, &reason).await
    }

    /// A key on hold is no reason for a quarantine any more: the next sweep ends it.
    pub(super) fn end_quarantine_soon(&self, key: &AccessKeyId) {
        if self.store().read(|state| state.record(key).is_some_and(|record| record.quarantine.is_some())) {
            self.request_sweep();
        }
    }

    /// Decides about one key on exactly the record that the entry will follow.
    async fn write(
        &self,
        actor: &Actor,
        key: &AccessKeyId,
        mut decide: impl FnMut(&Record, Timestamp) -> Decided,
    ) -> Result<Done, Refusal> {
        self.decide_record(actor, key, |_, record, now| decide(record, now)).await
    }

    async fn decide_record(
        &self,
        actor: &Actor,
        key: &AccessKeyId,
        mut decide: impl FnMut(&State, &Record, Timestamp) -> Decided,
    ) -> Result<Done, Refusal> {
        self.decide_for(actor, |state, now| {
            let record = state.record(key).ok_or_else(|| unknown_key(key))?;
            let (event, message) = decide(state, record, now)?;
            let (account, key) = (record.identity.account, record.identity.key.clone());
            Ok((vec![Body::Key { account, key, event }], message))
        })
        .await
    }

    /// Decides for an operator: the message says what was decided, or why nothing was.
    pub(super) async fn decide_for(
        &self,
        actor: &Actor,
        decide: impl FnMut(&State, Timestamp) -> Result<(Vec<Body>, String), Refusal>,
    ) -> Result<Done, Refusal> {
        self.decide_with_receipts(actor, decide).await.map(|(_, message)| Done { message })
    }

    /// The same, with the receipts of the entries.
    pub(super) async fn decide_with_receipts(
        &self,
        actor: &Actor,
        decide: impl FnMut(&State, Timestamp) -> Result<(Vec<Body>, String), Refusal>,
    ) -> Result<(Vec<Receipt>, String), Refusal> {
        match self.decide(actor, decide).await {
            Ok(decided) => Ok(decided),
            Err(Undecided::No(refusal)) => Err(refusal),
            Err(Undecided::Append(AppendError::Illegal(illegal))) => {
                Err(Refusal::Conflict(illegal.to_string()))
            }
            Err(Undecided::Append(error)) => Err(Refusal::Unavailable(in_words(&error))),
        }
    }

    /// How long a key is left alone whose change was denied, as the last sweep saw its user.
    fn hold_after_denial(&self, key: &AccessKeyId) -> Duration {
        let latest = self.latest();
        let found = latest.as_ref().and_then(|latest| find(&latest.collection, key));
        let subject = found.map(|(account, facts)| Subject {
            account,
            user_name: &facts.user_name,
            path: &facts.path,
            tags: &facts.tags,
        });
        self.config().policy.hold_after_denial(self.clock().now(), subject.as_ref())
    }
}

/// On the machine of the daemon, a person types the number of a request that a command has just shown. All others repeat
/// what they were shown.
fn shown_in_full(actor: &Actor, request: &RequestRef) -> Result<(), Refusal> {
    let typed = matches!(actor, Actor::Local { .. });
    if typed || request.hash.is_some() {
        return Ok(());
    }
    Err(Refusal::Malformed(format!("`request` {request} has no hash: send it as shown, NUMBER-HASH")))
}

fn after(now: Timestamp, length: Duration) -> Timestamp {
    now.checked_add(length).unwrap_or(Timestamp::MAX)
}

/// The request that is asked now, if it is the one that was shown.
fn asked<'a>(record: &'a Record, action: Planned, request: &RequestRef) -> Result<&'a Approval, Refusal> {
    let key = &record.identity.key;
    let Some(approval) = pending(record) else {
        return Err(Refusal::Conflict(format!(
            "request {request} to {action} {key} is not open: no request is pending for {key}, which is {}",
            record.state.as_str()
        )));
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
    Err(Refusal::Conflict(format!(
        "{differs}: pending now is to {} {key} (request {now}, requested at {}: {}). Nothing was decided; see \
         `keysweep keys show {key}`",
        approval.action, approval.asked_at, approval.why
    )))
}

/// Whether this is still asked as it was shown, and not decided.
///
/// # Errors
/// What is asked now instead, or who decided.
pub(crate) fn is_asked(
    engine: &Engine,
    key: &AccessKeyId,
    action: Planned,
    request: &RequestRef,
) -> Result<(), Refusal> {
    let now = engine.clock().now();
    engine.store().read(|state| {
        let record = state.record(key).ok_or_else(|| unknown_key(key))?;
        let approval = asked(record, action, request)?;
        not_expired(key, approval, action, request, now)?;
        not_granted(key, approval, action, request)
    })
}

fn not_expired(
    key: &AccessKeyId,
    approval: &Approval,
    action: Planned,
    request: &RequestRef,
    now: Timestamp,
) -> Result<(), Refusal> {
    if now < approval.expires {
        return Ok(());
    }
    Err(Refusal::Conflict(format!(
        "request {request} to {action} {key} expired at {}; the next sweep asks again, or holds the key",
        approval.expires
    )))
}

fn not_granted(
    key: &AccessKeyId,
    approval: &Approval,
    action: Planned,
    request: &RequestRef,
) -> Result<(), Refusal> {
    if !approval.is_granted() {
        return Ok(());
    }
    let by: Vec<String> = approval.granted.iter().map(|granted| granted.by.to_string()).collect();
    Err(Refusal::Conflict(format!(
        "{} approved request {request} to {action} {key} already",
        by.join(" and ")
    )))
}

/// The approval that is asked for, granted or not.
pub(super) fn pending(record: &Record) -> Option<&Approval> {
    match &record.state {
        KeyState::Flagged(data) => data.approval.as_deref(),
        KeyState::Deactivated(data) => data.approval.as_deref(),
        KeyState::Active
        | KeyState::Deactivating(_)
        | KeyState::Deleting(_)
        | KeyState::Deleted(_)
        | KeyState::Gone(_) => None,
    }
}

/// How a decision names a request.
pub(super) fn request_of(record: &Record, approval: &Approval) -> RequestRef {
    RequestRef { number: approval.number, hash: Some(approval.hash(&record.identity)) }
}

/// Which hold a release ends. Only a hold that an operator placed is released without its number, and only where it is
/// the only one: who means his own never ends another.
fn to_release(record: &Record, number: Option<u64>) -> Result<u64, Refusal> {
    let key = &record.identity.key;
    let listed = || {
        let holds =
            record.holds.iter().map(|hold| format!("  {}: {} ({hold})", hold.number, hold.kind.as_str()));
        holds.collect::<Vec<_>>().join("\n")
    };
    match (number, record.holds.as_slice()) {
        (_, []) => Err(Refusal::Conflict(format!("{key} is not on hold"))),
        (None, [hold]) if hold.kind == HoldKind::Operator => Ok(hold.number),
        (None, _) => Err(Refusal::Conflict(format!(
            "say which hold of {key} to release: `keysweep keys release {key} --hold NUMBER --reason TEXT`\n{}",
            listed()
        ))),
        (Some(number), holds) if holds.iter().any(|hold| hold.number == number) => Ok(number),
        (Some(number), _) => {
            Err(Refusal::Conflict(format!("{key} has no hold {number}; it has\n{}", listed())))
        }
    }
}

/// What is written, and what its operator is told; or why nothing is.
type Decided = Result<(KeyEvent, String), Refusal>;

fn approved(
    record: &Record,
    now: Timestamp,
    permit: &Permit<'_>,
    action: Planned,
    request: &RequestRef,
    reason: &str,
) -> Decided {
    let key = &record.identity.key;
    if let Some(incident) = &record.incident {
        return Err(Refusal::Conflict(format!("no change of {key} can be approved: {incident}")));
    }
    let approval = asked(record, action, request)?;
    not_expired(key, approval, action, request, now)?;
    if action == Planned::Delete && matches!(permit.actor(), Actor::Slack { .. }) {
        // Whoever holds somebody's unlocked phone must not be able to do what cannot be undone.
        return Err(Refusal::Forbidden(format!(
            "the deletion of {key} cannot be approved in Slack: approve it on the page or with `keysweep approvals approve`"
        )));
    }
    if permit.as_owner() && !approval.by_owner {
        return Err(Refusal::Forbidden(format!(
            "the owner of {key} cannot approve request {request}: {}",
            approval.why
        )));
    }
    still_permitted(record, permit)?;
    let (number, needed) = (approval.number, approval.needed);
    not_granted(key, approval, action, request)?;
    if let Some(granted) = approval.given_by(permit.actor()) {
        return Err(Refusal::Conflict(format!(
            "{} approved request {request} to {action} {key} already: {needed} different people have to approve",
            granted.by
        )));
    }
    let as_owner = permit.as_owner();
    let event = Consent::Approved { action, request: number, reason: reason.into(), as_owner };
    let (given, change) = (approval.granted.len() + 1, noun(action));
    let message = match needed {
        0 | 1 => format!("approved the {change} of {key} (request {number})"),
        _ => format!("approved the {change} of {key} (request {number}), {given} of {needed} approvals"),
    };
    Ok((event.into(), message))
}

/// A change as a thing.
fn noun(action: Planned) -> &'static str {
    match action {
        Planned::Deactivate => "deactivation",
        Planned::Delete => "deletion",
    }
}

/// An owner could have changed since the permit was given.
fn still_permitted(record: &Record, permit: &Permit<'_>) -> Result<(), Refusal> {
    if permit.as_owner() && !permit.owns(record) {
        return Err(unknown_key(&record.identity.key));
    }
    Ok(())
}

fn claimed(
    record: &Record,
    until: Timestamp,
    now: Timestamp,
    permit: &Permit<'_>,
    action: Planned,
    request: &RequestRef,
) -> Decided {
    still_permitted(record, permit)?;
    let key = &record.identity.key;
    let approval = asked(record, action, request)?;
    if approval.is_granted() {
        return Err(Refusal::Conflict(format!("request {request} to {action} {key} is already approved")));
    }
    let before = approval.claimed(now).filter(|claim| claim.by != *permit.actor());
    let before = before.map(|claim| format!("; {} was looking at it, too", claim.by)).unwrap_or_default();
    let message = format!("claimed request {request} to {action} {key} until {until}{before}");
    Ok((Consent::Claimed { action, request: approval.number, until }.into(), message))
}

fn denied(
    record: &Record,
    hold_until: Timestamp,
    permit: &Permit<'_>,
    action: Planned,
    request: &RequestRef,
    reason: &str,
) -> Decided {
    still_permitted(record, permit)?;
    let key = &record.identity.key;
    let request = asked(record, action, request)?.number;
    let inactive = match action {
        Planned::Delete => {
            format!("; it stays Inactive: `keysweep keys reactivate {key}` sets it Active again")
        }
        Planned::Deactivate => String::new(),
    };
    let event = Consent::Denied { action, request, reason: reason.into(), hold_until };
    Ok((event.into(), format!("denied the {} of {key}; held until {hold_until:.0}{inactive}", noun(action))))
}

fn held(record: &Record, until: Option<Timestamp>, reason: &str) -> Decided {
    let key = &record.identity.key;
    if record.holds.len() >= MOST_HOLDS {
        return Err(Refusal::Conflict(format!("{key} has {MOST_HOLDS} holds already: release one first")));
    }
    let message = match until {
        Some(until) => format!("{key} is on hold until {until:.0}"),
        None => format!("{key} is on hold until it is released"),
    };
    Ok((Overlay::HoldPlaced { reason: reason.into(), until }.into(), message))
}

fn released(record: &Record, hold: Option<u64>, reason: &str) -> Decided {
    let key = &record.identity.key;
    let hold = to_release(record, hold)?;
    let message = match record.holds.len().saturating_sub(1) {
        0 => format!("{key} is released; the next sweep decides what comes next"),
        n => format!("hold {hold} of {key} is released; {n} more stay: `keysweep keys show {key}`"),
    };
    Ok((Overlay::HoldReleased { hold, reason: reason.into() }.into(), message))
}

fn reactivations_cleared(record: &Record, reason: &str) -> Decided {
    let key = &record.identity.key;
    if record.past.reactivations().is_none() {
        return Err(Refusal::Conflict(format!(
            "no change of {key} requires approval because of a reactivation"
        )));
    }
    let message =
        format!("cleared the reactivations of {key}: its changes no longer require approval because of them");
    Ok((Note::ReactivationsCleared { reason: reason.into() }.into(), message))
}

fn forgotten(state: &State, record: &Record, reason: &str) -> Decided {
    let (account, key) = (record.identity.account, &record.identity.key);
    let reach = state.account(account).map(|account| &account.reach);
    let for_good = matches!(reach, Some(Reach::Left { .. } | Reach::Skipped { .. }));
    let unsettled = record.under_way();
    if let Some(action) = unsettled.filter(|_| !for_good) {
        return Err(Refusal::Conflict(format!(
            "the outcome of the last call to {action} {key} is unknown: the key can be forgotten only after account \
             {account} is skipped or has left the organization"
        )));
    }
    let quarantine = record.quarantine.as_ref();
    if quarantine.is_some() && !for_good {
        return Err(Refusal::Conflict(format!(
            "the user of {key} may still be in quarantine, which `keysweep keys reactivate {key}` ends: until then the key \
             can be forgotten only after account {account} is skipped or has left the organization"
        )));
    }
    if record.state.is_tracked() && state.out_of_reach(account).is_none() {
        let is = record.state.as_str();
        return Err(Refusal::Conflict(format!(
            "{key} is {is}: only a key that is deleted, gone or out of reach can be forgotten"
        )));
    }
    let message = match (unsettled, quarantine) {
        (None, None) => format!("{key} is forgotten"),
        (_, Some(quarantine)) => format!(
            "{key} is forgotten; policy {} may still be attached to user {}: look in account {account}",
            quarantine.policy, record.user_name
        ),
        (Some(action), None) => format!(
            "{key} is forgotten; keysweep may have sent a call to {action} it, and whether that took effect is not \
             known: look in account {account}"
        ),
    };
    Ok((Note::Forgotten { unsettled, reason: reason.into() }.into(), message))
}
