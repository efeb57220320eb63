//! Decisions of people about keys, compared with what their roles permit.

use jiff::SignedDuration;
use keysweep::access::Caller;
use keysweep::engine::Engine;
use keysweep::operator::act;
use keysweep_api::{Decide, Decision, Refusal};
use keysweep_core::state::Actor;

use super::Shared;
use super::cast::Role;
use super::oracle::{DEACTIVATE, DELETE, May, REACTIVATE};
use super::people::{Asker, Target};
use super::rules::Rules;

/// A key that nobody has.
pub(super) const MADE_UP: &str = "AKIANOBODYHASTHISKEY";

/// Decides about a key, and compares what comes of it with what the person may.
pub(super) async fn decide(
    shared: &mut Shared,
    engine: &Engine,
    asker: &Asker,
    target: &Target,
    decision: Decision,
) -> Result<(), Refusal> {
    let Target { account, key, holds, .. } = target;
    let Ok(id) = key.parse() else { return Ok(()) };
    let may = |shared: &Shared| match &decision {
        Decision::Approve { .. } | Decision::Deny { .. } | Decision::Claim { .. } => {
            shared.oracle.decides(&asker.person, account, key)
        }
        Decision::Hold { .. } | Decision::Release { .. } | Decision::Reactivate {} => {
            shared.oracle.holds(&asker.person, Role::Approver, account)
        }
        Decision::ClearReactivations {}
        | Decision::Deactivate {}
        | Decision::Delete { .. }
        | Decision::Forget {} => shared.oracle.holds(&asker.person, Role::Operator, account),
    };
    shared.oracle.read_journal();
    let before = may(shared);
    let change = match &decision {
        Decision::Deactivate {} => Some(DEACTIVATE),
        Decision::Delete { .. } => Some(DELETE),
        Decision::Reactivate {} => Some(REACTIVATE),
        Decision::Approve { .. }
        | Decision::Deny { .. }
        | Decision::Claim { .. }
        | Decision::Hold { .. }
        | Decision::Release { .. }
        | Decision::ClearReactivations {}
        | Decision::Forget {} => None,
    };
    if before != May::No {
        shared.oracle.ordered(change.map(|change| (key.clone(), change)));
    }
    let asked = Decide { key: id, decision: decision.clone(), reason: "because".into() };
    let reply = act(engine, &asker.caller, asked).await;
    shared.oracle.ordered(None);
    shared.oracle.read_journal();
    let deed = deed(&decision, &asker.caller);
    shared.tell(&format!("{} ({}) {deed} {key}: {reply:?}", asker.person.name, asker.caller.actor()));
    note(shared, asker, deed, before.max(may(shared)), &reply);
    let hidden = |shared: &Shared| shared.oracle.sees(&asker.person, account, key) == May::No;
    match &reply {
        Ok(_) => held(shared, engine, asker, key, holds, &decision).await,
        Err(refusal) if hidden(shared) => {
            as_if_it_were_not(shared, engine, asker, key, decision, refusal).await;
        }
        Err(_) => {}
    }
    reply.map(drop)
}

/// What a decision promises for later.
async fn held(
    shared: &Shared,
    engine: &Engine,
    asker: &Asker,
    key: &str,
    holds: &[u64],
    decision: &Decision,
) {
    let now = shared.time.now() - SignedDuration::from_mins(10);
    match decision {
        Decision::Deny { .. } => {
            let until = now + Rules::days(shared.oracle.rules().hold_after_denial);
            shared.oracle.held(key, Some(until), "P10", "it was denied");
        }
        Decision::Hold { length } => {
            let length = length.and_then(|length| SignedDuration::try_from(length).ok());
            shared.oracle.held(key, length.map(|length| now + length), "P10", "somebody holds it");
        }
        Decision::Release { .. } => {
            // Any may be the one that was promised.
            shared.oracle.released(key);
            for hold in holds.iter().skip(1) {
                let Ok(key) = key.parse() else { return };
                let decision = Decision::Release { hold: Some(*hold) };
                let _ =
                    act(engine, &asker.caller, Decide { key, decision, reason: "all of them".into() }).await;
            }
        }
        Decision::Approve { .. }
        | Decision::Claim { .. }
        | Decision::ClearReactivations {}
        | Decision::Reactivate {}
        | Decision::Deactivate {}
        | Decision::Delete { .. }
        | Decision::Forget {} => {}
    }
}

/// What is refused about a key that somebody may not see is refused as about one that is not there.
async fn as_if_it_were_not(
    shared: &Shared,
    engine: &Engine,
    asker: &Asker,
    key: &str,
    decision: Decision,
    refusal: &Refusal,
) {
    let Ok(made_up) = MADE_UP.parse() else { return };
    let decision = match decision {
        Decision::Delete { .. } => match MADE_UP.parse() {
            Ok(confirm) => Decision::Delete { confirm },
            Err(_) => return,
        },
        decision => decision,
    };
    let asked = Decide { key: made_up, decision, reason: "because".into() };
    let other = act(engine, &asker.caller, asked).await.err();
    let plain = |refusal: &Refusal, key: &str| format!("{refusal:?}").replace(key, "it");
    let (is, would_be) = (plain(refusal, key), other.map(|other| plain(&other, MADE_UP)));
    if would_be.as_ref() != Some(&is) {
        let name = &asker.person.name;
        shared.oracle.broken("access", format!("{name} may not see {key}: {is}, and else {would_be:?}"));
    }
    shared.oracle.count("attempt at a key that is hidden");
}

/// Counts, and compares with what the person may.
pub(super) fn note<T: std::fmt::Debug>(
    shared: &Shared,
    asker: &Asker,
    deed: &str,
    may: May,
    reply: &Result<T, Refusal>,
) {
    let (name, calling) = (&asker.person.name, asker.person.calling());
    match reply {
        Ok(done) if may == May::No => {
            shared.oracle.broken("access", format!("{name} {deed}, and may not: {done:?}"));
        }
        Ok(_) => shared.oracle.count(&format!("{calling} {deed}")),
        Err(_) if may == May::No => shared.oracle.count(&format!("attempt: {calling} {deed}")),
        Err(_) => shared.oracle.count(&format!("refused: {calling} {deed}")),
    }
}

fn deed(decision: &Decision, caller: &Caller) -> &'static str {
    match (decision, caller.actor()) {
        (Decision::Approve { .. }, Actor::Slack { .. }) => "approves in Slack",
        (Decision::Approve { .. }, _) => "approves",
        (Decision::Deny { .. }, _) => "denies",
        (Decision::Claim { .. }, _) => "claims",
        (Decision::Hold { .. }, _) => "holds",
        (Decision::Release { .. }, _) => "releases",
        (Decision::ClearReactivations {}, _) => "clears reactivations",
        (Decision::Reactivate {}, _) => "reactivates",
        (Decision::Deactivate {}, _) => "orders a deactivation",
        (Decision::Delete { .. }, _) => "orders a deletion",
        (Decision::Forget {}, _) => "forgets",
    }
}
