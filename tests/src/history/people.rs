//! People with roles, scopes, or keys of their own: what they do on a day, and what they try although they may not.

use keysweep::access::{Caller, Grant, Holder};
use keysweep::engine::Engine;
use keysweep::operator::{act, look};
use keysweep_api::{
    Decision, GatherEvidence, KeyRow, ListKeys, Pause, RequestRef, ResetBreaker, Resume, ShowKey,
    UnparkAccount, Which,
};
use keysweep_core::state::{Actor, TokenUse};
use keysweep_core::ticket::Planned;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::Shared;
use super::cast::{Cast, Person, Role};
use super::decisions::{MADE_UP, decide, note};
use super::operators::{self, pick};
use super::oracle::May;
use super::rules::Rules;

/// How somebody reaches keysweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Through the identity provider.
    Page,
    /// The same, under the other name.
    Alias,
    Token,
    Slack,
}

/// Somebody who asks, and how.
pub(super) struct Asker {
    pub(super) person: Person,
    pub(super) caller: Caller,
}

/// A key as a colleague shows it, with the request that is asked of it.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) account: String,
    pub(super) key: String,
    request: Option<(Planned, RequestRef)>,
    pub(super) holds: Vec<u64>,
}

impl Way {
    fn of(person: &Person, rng: &mut ChaCha8Rng) -> Self {
        // Slack and tokens know nobody by another name, and no address.
        let ways: &[Self] = match person.alias {
            Some(_) => &[Self::Page, Self::Page, Self::Alias],
            None => &[Self::Page, Self::Token, Self::Slack],
        };
        *pick(rng, ways).unwrap_or(&Self::Page)
    }
}

impl Asker {
    fn new(engine: &Engine, person: &Person, way: Way) -> Self {
        let name = person.name.clone();
        let actor = match (way, person.alias) {
            (Way::Alias, Some(alias)) => Actor::Oidc { subject: person.subject(), name: alias.into() },
            (Way::Page | Way::Alias, _) => Actor::Oidc { subject: person.subject(), name },
            (Way::Token, _) => Actor::Token { name: name.to_uppercase(), by: TokenUse::Page },
            (Way::Slack, _) => Actor::Slack { id: person.slack_id(), name },
        };
        let subject = Holder::OidcSubject(person.subject());
        let config = engine.config();
        let held = config.access.iter().filter(|holding| holding.holder == subject);
        let grants: Vec<Grant> = held.map(|holding| holding.grant.clone()).collect();
        let caller = Caller::new(actor, grants).with_email(person.email.clone());
        Self { person: person.clone(), caller }
    }

    fn any(cast: &Cast, engine: &Engine, rng: &mut ChaCha8Rng) -> Option<Self> {
        let person = cast.any(rng)?;
        Some(Self::new(engine, person, Way::of(person, rng)))
    }
}

impl Target {
    fn of(row: &KeyRow) -> Self {
        let request = row.approval.as_ref();
        let request = request.and_then(|asked| Some((asked.action, asked.request.parse().ok()?)));
        let holds = row.holds.iter().map(|hold| hold.number).collect();
        Self { account: row.account_id.clone(), key: row.access_key_id.clone(), request, holds }
    }
}

/// Somebody who may undo a deactivation in this account.
pub(super) fn undoer(shared: &Shared, engine: &Engine, account: &str) -> Caller {
    let cast = shared.oracle.rules().cast;
    let mut rng = shared.rng(60);
    let may = |person: &&Person| shared.oracle.holds(person, Role::Approver, account) == May::Yes;
    let people: Vec<&Person> = cast.people().iter().filter(may).collect();
    match pick(&mut rng, &people) {
        Some(person) if person.name != "alice" => {
            Asker::new(engine, person, Way::of(person, &mut rng)).caller
        }
        _ => Caller::unrestricted(operators::alice()),
    }
}

/// Some people do something.
pub(super) async fn visit(shared: &mut Shared, engine: &Engine, rng: &mut ChaCha8Rng) {
    for _ in 0..rng.random_range(0..4) {
        somebody(shared, engine, rng).await;
    }
    if shared.oracle.rules().mail {
        super::answers::reactivate(shared, engine, rng).await;
    }
}

/// Somebody does something, or tries to.
pub(super) async fn somebody(shared: &mut Shared, engine: &Engine, rng: &mut ChaCha8Rng) {
    shared.oracle.read_journal();
    let cast = shared.oracle.rules().cast;
    let Some(asker) = Asker::any(&cast, engine, rng) else { return };
    let everything = look(engine, &Caller::unrestricted(operators::alice()), ListKeys {}).await;
    let rows = everything.map(|document| document.keys).unwrap_or_default();
    let seen = sees(shared, engine, &asker).await;
    let all: Vec<Target> = rows.iter().map(Target::of).collect();
    let asked: Vec<Target> = all.iter().filter(|target| target.request.is_some()).cloned().collect();
    let what = rng.random_range(0..24);
    if what < 6 {
        for target in seen.iter().map(Target::of) {
            if let Some((action, request)) = target.request.clone() {
                let _ = decide(shared, engine, &asker, &target, Decision::Approve { action, request }).await;
            }
        }
    }
    if what < 12 {
        let Some(target) = pick(rng, &asked).cloned() else { return };
        let Some((action, request)) = target.request.clone() else { return };
        // Often those who were told.
        let owner = shared.oracle.owner_of(&target.key).filter(|_| rng.random_bool(0.4));
        let owner = owner.and_then(|email| cast.owner(&email).cloned());
        let asker = owner.map_or(asker, |owner| Asker::new(engine, &owner, Way::of(&owner, rng)));
        return answer(shared, engine, &asker, &target, action, request, rng).await;
    }
    if what >= 20 {
        return of_organization(shared, engine, &asker, rng).await;
    }
    let Some(target) = pick(rng, &all).cloned() else { return };
    about_key(shared, engine, &asker, &target, rng).await;
}

/// The keys that somebody is shown, and none that is not theirs to see.
async fn sees(shared: &Shared, engine: &Engine, asker: &Asker) -> Vec<KeyRow> {
    let rows = look(engine, &asker.caller, ListKeys {}).await;
    let rows = rows.map(|document| document.keys).unwrap_or_default();
    shared.oracle.read_journal();
    for row in &rows {
        if shared.oracle.sees(&asker.person, &row.account_id, &row.access_key_id) == May::No {
            let (name, key) = (&asker.person.name, &row.access_key_id);
            shared.oracle.broken("access", format!("{name} is shown {key} of {}", row.account_id));
        }
    }
    rows
}

/// Decides on a request: as it is asked, as it was asked some day, twice, or by what another request showed.
async fn answer(
    shared: &mut Shared,
    engine: &Engine,
    asker: &Asker,
    target: &Target,
    action: Planned,
    request: RequestRef,
    rng: &mut ChaCha8Rng,
) {
    let approve = |request: RequestRef| Decision::Approve { action, request };
    match rng.random_range(0..12) {
        0..3 => {
            let _ = decide(shared, engine, asker, target, approve(request.clone())).await;
            // The same person by another way.
            let again = Asker::new(engine, &asker.person, Way::of(&asker.person, rng));
            if decide(shared, engine, &again, target, approve(request)).await.is_err() {
                shared.oracle.count("person approves twice in vain");
            }
        }
        3..5 => {
            let other = RequestRef { hash: Some(other_hash(request.hash.as_deref())), ..request.clone() };
            if decide(shared, engine, asker, target, approve(other)).await.is_ok() {
                let what = format!("{request} of {} was approved by what another request showed", target.key);
                shared.oracle.broken("P2", what);
            } else {
                shared.oracle.count("person approves what was not shown");
            }
        }
        5..7 => {
            let Some((action, request)) = shared.shown.get(&target.key).cloned() else { return };
            if target.request.as_ref() != Some(&(action, request.clone())) {
                shared.oracle.count("person approves what is void");
            }
            let _ = decide(shared, engine, asker, target, Decision::Approve { action, request }).await;
        }
        7..10 => {
            let minutes = rng.random_range(1..1440);
            let _ = decide(shared, engine, asker, target, Decision::Claim { action, request, minutes }).await;
        }
        // Too many denials, and nothing happens any more.
        10 if rng.random_bool(0.5) => {
            let _ = decide(shared, engine, asker, target, Decision::Deny { action, request }).await;
        }
        _ => {
            let _ = decide(shared, engine, asker, target, approve(request)).await;
        }
    }
}

/// The hash of other facts.
fn other_hash(hash: Option<&str>) -> String {
    let turned = |digit: char| if digit == '0' { '1' } else { '0' };
    hash.unwrap_or("00000000").chars().map(turned).collect()
}

/// A decision about a key whose change nobody need be asked about.
async fn about_key(
    shared: &mut Shared,
    engine: &Engine,
    asker: &Asker,
    target: &Target,
    rng: &mut ChaCha8Rng,
) {
    let key = target.key.parse().ok();
    let restrained = rng.random_bool(0.4);
    let decision = match rng.random_range(0..12) {
        0 => {
            let days = rng.random_range(1..10);
            Decision::Hold { length: restrained.then(|| super::DAY * days) }
        }
        1 | 2 => Decision::Release { hold: target.holds.first().copied() },
        3..6 => {
            let of_us = operators::deactivated_by_us(&shared.sim);
            let Some(key) = pick(rng, &of_us) else { return };
            let Some(account) = shared.sim.key(key).map(|truth| truth.account) else { return };
            let target = Target { account, key: key.clone(), request: None, holds: Vec::new() };
            return undo(shared, engine, asker, &target, rng).await;
        }
        6 | 7 => Decision::Deactivate {},
        8 => match target.key.parse() {
            Ok(confirm) => Decision::Delete { confirm },
            Err(_) => return,
        },
        9 => Decision::ClearReactivations {},
        10 => Decision::Forget {},
        _ => {
            let Some(key) = key else { return };
            let may = shared.oracle.holds(&asker.person, Role::Approver, &target.account);
            let gathered = act(engine, &asker.caller, GatherEvidence { key }).await;
            return note(shared, asker, "gathers evidence", may, &gathered);
        }
    };
    // Without a limit, what may be held is held soon.
    if matches!(decision, Decision::Hold { .. }) && !restrained {
        return;
    }
    let _ = decide(shared, engine, asker, target, decision).await;
}

/// Somebody reactivates a key; whoever may has to succeed where AWS is well.
async fn undo(shared: &mut Shared, engine: &Engine, asker: &Asker, target: &Target, rng: &mut ChaCha8Rng) {
    match shared.oracle.holds(&asker.person, Role::Approver, &target.account) {
        May::Yes => {
            shared.oracle.count(&format!("{} reactivates", asker.person.calling()));
            operators::undo_by(shared, engine, &asker.caller, &target.key, rng).await;
        }
        May::Perhaps | May::No => {
            let _ = decide(shared, engine, asker, target, Decision::Reactivate {}).await;
        }
    }
}

/// What concerns all keys.
async fn of_organization(shared: &mut Shared, engine: &Engine, asker: &Asker, rng: &mut ChaCha8Rng) {
    let may = if asker.person.holds(Role::Operator) { May::Yes } else { May::No };
    let reason = || "because".to_owned();
    match rng.random_range(0..8) {
        0 | 1 if may == May::Yes && rng.random_bool(0.7) => {}
        0 | 1 => {
            let paused = act(engine, &asker.caller, Pause { reason: reason() }).await;
            if paused.is_ok() && may == May::Yes {
                shared.oracle.restrained("a pause");
                shared.oracle.paused(true);
            }
            note(shared, asker, "pauses", may, &paused);
        }
        2 | 3 if may == May::Yes => {
            operators::resume_as(shared, engine, &asker.caller).await;
            shared.oracle.count("operator resumes what others paused");
        }
        2 | 3 => {
            let pauses = engine.store().read(|state| state.control().pauses.len());
            let which = Which::All(u64::try_from(pauses).unwrap_or(u64::MAX));
            let resumed = act(engine, &asker.caller, Resume { which, reason: reason() }).await;
            note(shared, asker, "resumes", may, &resumed);
        }
        4 => {
            let reset = ResetBreaker { reason: reason(), confirm: "0-00000000".into() };
            let reset = act(engine, &asker.caller, reset).await;
            note(shared, asker, "resets the breaker", may, &reset);
        }
        5 => {
            let Some(account) = pick(rng, &shared.accounts).cloned() else { return };
            let may = shared.oracle.holds(&asker.person, Role::Operator, &account);
            let Ok(id) = account.parse() else { return };
            let unparked = act(engine, &asker.caller, UnparkAccount { account: id, reason: reason() }).await;
            note(shared, asker, "lets an account go on", may, &unparked);
        }
        // Whoever writes the configuration may do everything.
        6 if may == May::Yes => {
            let rules = shared.oracle.rules();
            let rules = match rng.random_bool(0.5) {
                true => Rules { approvals_needed: 3 - rules.approvals_needed, ..rules },
                false => Rules { owner_approves: !rules.owner_approves, ..rules },
            };
            operators::put_in_force(shared, engine, rules).await;
            shared.oracle.count("operator changes who approves");
        }
        _ => {
            let Ok(key) = MADE_UP.parse() else { return };
            let shown = look(engine, &asker.caller, ShowKey { key }).await;
            if shown.is_ok() {
                shared.oracle.broken("access", format!("{MADE_UP} is shown, and nobody has it"));
            }
        }
    }
}
