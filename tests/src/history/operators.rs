//! What operators do to keysweep on a day.

use std::time::Duration;

use jiff::SignedDuration;
use keysweep::access::Caller;
use keysweep::engine::Engine;
use keysweep::operator::{Act, act, look};
use keysweep_api::{
    AcknowledgeRule, Decide, Decision, GatherEvidence, KeyRow, ListKeys, ListRules, Pause, RequestRef,
    ResetBreaker, Resume, ShowBreaker, ShowPlan, UnparkAccount, Which,
};
use keysweep_core::state::Actor;
use keysweep_core::ticket::Planned;
use keysweep_sim::{RoleSpec, Sim, Who};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::Shared;
use super::oracle::{DEACTIVATE, DELETE, REACTIVATE};
use super::organization::{ENFORCE_ROLE, EXTERNAL_ID, QUARANTINE_POLICY, SCAN_ROLE};
use super::people;
use super::rules::{Mode, Rules};

/// Keys that are Inactive because keysweep made them so.
pub(super) fn deactivated_by_us(sim: &Sim) -> Vec<String> {
    let mut last = std::collections::BTreeMap::new();
    for change in sim.changes().into_iter().filter(|change| change.applied) {
        if let Some(key) = change.key_id {
            last.insert(key, (change.who, change.new));
        }
    }
    let ours = last
        .into_iter()
        .filter(|(_, (who, new))| !matches!(who, Who::Script(_)) && new.as_deref() == Some("Inactive"));
    ours.map(|(key, _)| key).filter(|key| sim.key_exists(key)).collect()
}

pub(super) fn pick<'a, T>(rng: &mut ChaCha8Rng, from: &'a [T]) -> Option<&'a T> {
    if from.is_empty() { None } else { from.get(rng.random_range(0..from.len())) }
}

/// Something at keysweep.
pub(super) async fn operator(shared: &mut Shared, engine: &Engine, rng: &mut ChaCha8Rng) {
    acknowledge_rules(engine).await;
    let (tracked, asked) = tracked(engine).await;
    let key = pick(rng, &tracked).cloned();
    for (key, request) in asked {
        // What is remembered may be older.
        shared.shown.entry(key).or_insert(request);
    }
    let what = rng.random_range(0..29);
    let deed = match (what, key) {
        (0 | 20 | 21, _) => {
            pause(shared, engine).await;
            "pauses"
        }
        (24, _) => {
            if ask_as(engine, &bob(), Pause { reason: "bob has an incident".into() }).await {
                shared.oracle.restrained("a pause");
                shared.oracle.paused(true);
            }
            "pauses beside another"
        }
        (25, _) => {
            resume_own(shared, engine).await;
            "resumes what is his own"
        }
        (26 | 27, _) => {
            answer_late(shared, engine, rng).await;
            "answers a request of some day"
        }
        (28, Some((key, _))) => {
            if let Ok(key) = key.parse()
                && ask(engine, GatherEvidence { key }).await
            {
                shared.oracle.count("evidence gathered");
            }
            "asks for evidence"
        }
        (22 | 23, _) => {
            unpark(engine).await;
            "lets changes go on in a parked account"
        }
        (1..5, _) => {
            resume(shared, engine).await;
            "resumes"
        }
        (5 | 6, _) => {
            reset_breaker(engine).await;
            "resets the breaker"
        }
        (7, _) => {
            change_rules(shared, engine, rng).await;
            "changes the configuration"
        }
        (8..13, _) => {
            for (key, _) in tracked.iter().filter(|(_, action)| !action.is_empty()) {
                approve(engine, key).await;
            }
            "approves"
        }
        (13, Some((key, _))) => {
            if deny(engine, &key).await {
                let until = shared.time.now() + Rules::days(shared.oracle.rules().hold_after_denial);
                let until = until - SignedDuration::from_mins(10);
                shared.oracle.held(&key, Some(until), "P10", "it was denied");
            }
            "denies"
        }
        (14, Some((key, _))) => {
            let length = rng.random_bool(0.5).then(|| Duration::from_secs(86_400 * rng.random_range(1..10)));
            if decide(engine, &key, Decision::Hold { length }).await {
                let until = length.and_then(|length| SignedDuration::try_from(length).ok());
                let until = until.map(|length| shared.time.now() + length - SignedDuration::from_mins(10));
                shared.oracle.held(&key, until, "P10", "an operator holds it");
            }
            "holds"
        }
        (15, Some((key, _))) => {
            if release(engine, &key).await {
                shared.oracle.released(&key);
            }
            "releases"
        }
        (16 | 17, _) => {
            undo(shared, engine, rng).await;
            "undoes"
        }
        (18, Some((key, _))) => {
            // They look into what did not work.
            let unsure = shared.oracle.unsure();
            let key = pick(rng, &unsure).filter(|_| rng.random_bool(0.5)).cloned().unwrap_or(key);
            shared.oracle.ordered(Some((key.clone(), DEACTIVATE)));
            decide(engine, &key, Decision::Deactivate {}).await;
            shared.oracle.ordered(None);
            "orders a deactivation"
        }
        (19, Some((key, _))) => {
            shared.oracle.ordered(Some((key.clone(), DELETE)));
            delete(engine, &key).await;
            shared.oracle.ordered(None);
            "orders a deletion"
        }
        _ => "looks",
    };
    shared.oracle.read_journal();
    shared.oracle.count(&format!("operator {deed}"));
    shared.tell(&format!("an operator {deed}"));
}

/// P5: a key whose deactivation is unclear is held for a day.
pub(super) async fn look_at_unclear(shared: &Shared, engine: &Engine) {
    for key in shared.oracle.became_unclear() {
        let Some(row) = shown(engine, &key).await else { continue };
        if row.holds.is_empty() {
            shared
                .oracle
                .broken("P5", format!("nobody knows whether {key} was deactivated, and it is not held"));
        }
    }
}

pub(super) async fn pause(shared: &Shared, engine: &Engine) -> bool {
    let done = ask(engine, Pause { reason: "what is it doing?".into() }).await;
    if done {
        shared.oracle.restrained("a pause");
        shared.oracle.paused(true);
    }
    done
}

/// Takes back the right to change keys and gives it again, every few seconds.
pub(super) async fn to_and_fro(shared: &mut Shared, engine: &Engine, rng: &mut ChaCha8Rng) {
    let rules = shared.oracle.rules();
    for _ in 0..rng.random_range(1..4) {
        put_in_force(shared, engine, Rules { mode: Mode::Observe, ..rules.clone() }).await;
        tokio::time::sleep(Duration::from_millis(rng.random_range(0..5000))).await;
        put_in_force(shared, engine, rules.clone()).await;
        tokio::time::sleep(Duration::from_millis(rng.random_range(0..5000))).await;
    }
    shared.oracle.count("operator takes the mode back and forth");
}

pub(super) async fn resume(shared: &Shared, engine: &Engine) {
    resume_as(shared, engine, &Caller::unrestricted(alice())).await;
}

/// Somebody who may ends every pause.
pub(super) async fn resume_as(shared: &Shared, engine: &Engine, caller: &Caller) {
    // Before the answer, as from the entry on changes may start.
    let was = shared.oracle.is_paused();
    shared.oracle.paused(false);
    let pauses = engine.store().read(|state| state.control().pauses.len());
    let own = pauses == 1 && *caller.actor() == alice();
    let which = if own { Which::Own } else { Which::All(u64::try_from(pauses).unwrap_or(u64::MAX)) };
    if act(engine, caller, Resume { which, reason: "the operator says so".into() }).await.is_err() {
        shared.oracle.paused(was && paused(engine).await);
    }
}

async fn paused(engine: &Engine) -> bool {
    look(engine, &Caller::unrestricted(alice()), ShowPlan {}).await.is_ok_and(|plan| plan.stopped.is_some())
}

/// Rules name an OU that is not there, and accounts that left.
async fn acknowledge_rules(engine: &Engine) {
    let Ok(document) = look(engine, &Caller::unrestricted(alice()), ListRules {}).await else { return };
    for row in document.missing.into_iter().filter(|row| row.stops) {
        ask(engine, AcknowledgeRule { id: row.id, reason: "known".into() }).await;
    }
}

async fn unpark(engine: &Engine) {
    let now = engine.clock().now();
    let parked = engine.store().read(|state| state.control().all_parked(now).next().map(|(id, _)| id));
    if let Some(account) = parked {
        let reason = "the operator says so".to_owned();
        ask(engine, UnparkAccount { account, reason }).await;
    }
}

async fn reset_breaker(engine: &Engine) {
    let reason = "the operator says so".to_owned();
    let shown = look(engine, &Caller::unrestricted(alice()), ShowBreaker {}).await;
    if let Some(confirm) = shown.ok().and_then(|document| document.confirm) {
        ask(engine, ResetBreaker { reason, confirm }).await;
    }
}

async fn change_rules(shared: &mut Shared, engine: &Engine, rng: &mut ChaCha8Rng) {
    let mut rules = shared.oracle.rules();
    match rng.random_range(0..7) {
        6 => rules.adopt_inactive = !rules.adopt_inactive,
        0 => rules.unused_after = rng.random_range(3..20),
        1 => rules.never_used_after = rng.random_range(3..20),
        2 => {
            rules.mode = [Mode::Observe, Mode::Deactivate, Mode::Delete, Mode::Delete][rng.random_range(0..4)]
        }
        3 => rules.grace_hours = Rules::some_grace(rng),
        4 => rules.interval_hours = if rules.interval_hours == 24 { 12 } else { 24 },
        _ => rules.notice = rng.random_range(1..4),
    }
    put_in_force(shared, engine, rules).await;
}

pub(super) async fn put_in_force(shared: &mut Shared, engine: &Engine, rules: Rules) {
    let config = shared.configuration(&rules);
    if let Err(error) = engine.replace_config(&alice(), std::sync::Arc::new(config)).await {
        // A journal that takes no entry takes no reload.
        shared.oracle.count(&format!("operator's reload is refused: {}", error.to_string().len().min(1)));
        return;
    }
    // The first configuration that changes keys pauses a journal that has only seen others.
    if engine.store().read(|state| state.control().paused_by_keysweep()) {
        shared.oracle.paused(true);
    }
    if rules != shared.oracle.rules() {
        shared.oracle.restrained("another configuration");
    }
    shared.oracle.rules_changed(rules);
}

/// P7: where AWS is well, one command reactivates, whatever else is the matter.
async fn undo(shared: &Shared, engine: &Engine, rng: &mut ChaCha8Rng) {
    let ours = deactivated_by_us(&shared.sim);
    let Some(key) = pick(rng, &ours).cloned() else { return };
    let Some(account) = shared.sim.key(&key).map(|truth| truth.account) else { return };
    // Whoever may decide there: it need not be an operator.
    let caller = people::undoer(shared, engine, &account);
    undo_by(shared, engine, &caller, &key, rng).await;
}

/// Somebody who may reactivates a key.
pub(super) async fn undo_by(
    shared: &Shared,
    engine: &Engine,
    caller: &Caller,
    key: &str,
    rng: &mut ChaCha8Rng,
) {
    let (sim, key) = (&shared.sim, key.to_owned());
    let Some(truth) = sim.key(&key) else { return };
    // A key that was made again under the same ID right before the change is another than the recorded one.
    let created = truth.created.to_string();
    let row = shown(engine, &key).await.and_then(|row| serde_json::to_value(row).ok());
    let known = row.is_some_and(|row| {
        let is = |name: &str, value: &str| row.get(name).is_some_and(|found| found == value);
        is("state", "deactivated") && is("created_at", &created) && is("user_id", &truth.user_id)
    });
    let well = rng.random_bool(0.7);
    if well {
        sim.clear_faults();
        sim.clear_denials();
        sim.set_account_state(&truth.account, "ACTIVE");
        sim.set_role(&truth.account, RoleSpec::new(ENFORCE_ROLE).external_id(EXTERNAL_ID));
        sim.set_role(&truth.account, RoleSpec::new(SCAN_ROLE).external_id(EXTERNAL_ID));
    }
    shared.oracle.ordered(Some((key.clone(), REACTIVATE)));
    let Ok(id) = key.parse() else { return };
    let decision = Decision::Reactivate {};
    let undo = Decide { key: id, decision, reason: "it is needed".into() };
    let reply = act(engine, caller, undo).await;
    shared.oracle.ordered(None);
    let active = sim.key_status(&key).as_deref() == Some("Active");
    // Until deletion, which may have been on its way.
    if well && sim.key_exists(&key) && known && !shared.death.is_dead() && !shared.disk_is_full && !active {
        shared.oracle.broken("P7", format!("{key} was not reactivated by {}: {reply:?}", caller.actor()));
    }
    if active {
        shared.oracle.count("undone");
    }
}

/// P7: one command ends a quarantine, whatever else is the matter.
pub(super) async fn end_quarantine(shared: &mut Shared, engine: &Engine, rng: &mut ChaCha8Rng) {
    if rng.random_bool(0.3) {
        let rules = shared.oracle.rules();
        let quarantine = if rules.quarantine.is_some() { None } else { Some(rng.random_range(1..4)) };
        put_in_force(shared, engine, Rules { quarantine, ..rules }).await;
    }
    let Ok(document) = look(engine, &Caller::unrestricted(alice()), ListKeys {}).await else { return };
    let quarantined: Vec<KeyRow> = document.keys.into_iter().filter(|row| row.quarantine.is_some()).collect();
    let Some(row) = pick(rng, &quarantined) else { return };
    let well = rng.random_bool(0.7);
    if well {
        let sim = &shared.sim;
        sim.clear_faults();
        sim.clear_denials();
        sim.set_account_state(&row.account_id, "ACTIVE");
        sim.set_role(&row.account_id, RoleSpec::new(ENFORCE_ROLE).external_id(EXTERNAL_ID));
        sim.set_role(&row.account_id, RoleSpec::new(SCAN_ROLE).external_id(EXTERNAL_ID));
    }
    let key = &row.access_key_id;
    shared.oracle.ordered(Some((key.clone(), REACTIVATE)));
    let done = decide(engine, key, Decision::Reactivate {}).await;
    shared.oracle.ordered(None);
    shared.oracle.count("operator ends a quarantine");
    let user = shared.sim.user_name(&row.account_id, &row.user_id).unwrap_or_default();
    let attached = shared.sim.attached(&row.account_id, &user);
    let has_policy = attached.iter().any(|arn| arn.ends_with(QUARANTINE_POLICY));
    if well && has_policy && !shared.death.is_dead() && !shared.disk_is_full {
        shared.oracle.broken("P7", format!("the quarantine of {user} with {key} goes on, done: {done}"));
    }
}

/// A request as it is shown.
type Asked = (Planned, RequestRef);

/// Keys in the lifecycle and not at its end, with the change whose approval is asked for, and the requests.
async fn tracked(engine: &Engine) -> (Vec<(String, String)>, Vec<(String, Asked)>) {
    let Ok(document) = look(engine, &Caller::unrestricted(alice()), ListKeys {}).await else {
        return (Vec::new(), Vec::new());
    };
    let rows = serde_json::to_value(&document.keys).unwrap_or_default();
    let rows = rows.as_array().cloned().unwrap_or_default();
    let text = |row: &serde_json::Value, name: &str| {
        row.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
    };
    let ended = |state: &str| matches!(state, "gone" | "deleted");
    let alive = rows.iter().filter(|row| !ended(&text(row, "state")));
    let alive: Vec<_> =
        alive.map(|row| (text(row, "access_key_id"), text(row, "approval_pending"))).collect();
    let pending = |key: &str| alive.iter().any(|(alive, action)| alive == key && !action.is_empty());
    let asked = document.keys.iter().filter(|row| pending(&row.access_key_id)).filter_map(|row| {
        let approval = row.approval.as_ref()?;
        Some((row.access_key_id.clone(), (approval.action, approval.request.parse().ok()?)))
    });
    (alive.clone(), asked.collect())
}

async fn decide(engine: &Engine, key: &str, decision: Decision) -> bool {
    let Ok(key) = key.parse() else { return false };
    ask(engine, Decide { key, decision, reason: "the operator says so".into() }).await
}

async fn delete(engine: &Engine, key: &str) -> bool {
    let Ok(confirm) = key.parse() else { return false };
    decide(engine, key, Decision::Delete { confirm }).await
}

/// The record of a key, as it is listed: `keys show` reads the journal on another thread, so what happens meanwhile would
/// depend on the machine.
async fn shown(engine: &Engine, key: &str) -> Option<KeyRow> {
    look(engine, &Caller::unrestricted(alice()), ListKeys {})
        .await
        .ok()?
        .keys
        .into_iter()
        .find(|row| row.access_key_id == key)
}

/// The request that is asked of a key right now.
async fn asked(engine: &Engine, key: &str) -> Option<Asked> {
    let approval = shown(engine, key).await?.approval?;
    Some((approval.action, approval.request.parse().ok()?))
}

async fn approve(engine: &Engine, key: &str) -> bool {
    let Some((action, request)) = asked(engine, key).await else { return false };
    decide(engine, key, Decision::Approve { action, request }).await
}

async fn deny(engine: &Engine, key: &str) -> bool {
    let Some((action, request)) = asked(engine, key).await else { return false };
    decide(engine, key, Decision::Deny { action, request }).await
}

/// Ends every hold of a key, one by one; whether none is left.
async fn release(engine: &Engine, key: &str) -> bool {
    let Some(row) = shown(engine, key).await else { return false };
    for hold in &row.holds {
        if !decide(engine, key, Decision::Release { hold: Some(hold.number) }).await {
            return false;
        }
    }
    !row.holds.is_empty()
}

async fn ask<O: Act>(engine: &Engine, asked: O) -> bool {
    ask_as(engine, &alice(), asked).await
}

async fn ask_as<O: Act>(engine: &Engine, who: &Actor, asked: O) -> bool {
    act(engine, &Caller::unrestricted(who.clone()), asked).await.is_ok()
}

/// An operator answers what he was shown some day. P2: it counts only if just this is still asked.
async fn answer_late(shared: &mut Shared, engine: &Engine, rng: &mut ChaCha8Rng) {
    let remembered: Vec<String> = shared.shown.keys().cloned().collect();
    let Some(key) = pick(rng, &remembered) else { return };
    let Some((action, request)) = shared.shown.remove(key) else { return };
    let now = asked(engine, key).await;
    let current = now == Some((action, request.clone()));
    if decide(engine, key, Decision::Approve { action, request: request.clone() }).await {
        shared.oracle.count("operator's late answer counts");
        // The sweep beside it may have asked anew.
        if !current && asked(engine, key).await == now {
            shared.oracle.broken("P2", format!("{key}: {request} was approved, and asked was {now:?}"));
        }
    } else if !current {
        shared.oracle.count("operator's stale answer is refused");
    }
}

/// P8: who ends his own pause does not end another's.
async fn resume_own(shared: &Shared, engine: &Engine) {
    let pauses = engine.store().read(|state| state.control().pauses.clone());
    let own = pauses.iter().filter(|pause| pause.by == alice()).count();
    // Before the answer, as from the entry on changes may start.
    let ends_all = pauses.len() == 1;
    if ends_all {
        shared.oracle.paused(false);
    }
    let request = Resume { which: Which::Own, reason: "mine is over".into() };
    let done = ask(engine, request).await;
    if done && pauses.len() > 1 && own == 1 {
        shared.oracle.count("operator leaves another's pause");
    }
    if !done && ends_all {
        shared.oracle.paused(true);
    }
}

/// Another operator.
fn bob() -> Actor {
    Actor::local("bob")
}

/// How every operator is called here.
pub(super) fn alice() -> Actor {
    Actor::local("alice")
}
