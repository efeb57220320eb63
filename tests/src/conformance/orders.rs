//! Orders for one change each, as a re-check and a journal would give them.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use keysweep_aws::{Aws, CallOutcome, Fault};
use keysweep_core::facts::{AccountFacts, Fact, KeyFacts, KeyStatus, LastUse, Source};
use keysweep_core::finding::FindingKind;
use keysweep_core::ids::{BundleId, KeyIdentity, UserName};
use keysweep_core::lifecycle::event::{Change, Note, Purpose};
use keysweep_core::lifecycle::{
    Deactivated, DeactivatedBy, Flagged, KeyEvent, Record, Sighting, State as KeyState, Watch,
};
use keysweep_core::plan::{Context, View, ordered, recheck};
use keysweep_core::policy::Policy;
use keysweep_core::state::{Actor, Body, Control, Delta, Draft, Entry, State, Unwritten};
use keysweep_core::ticket::{Action, Origin, Warrant};

/// One change, from its session to its answer.
///
/// # Errors
/// If no session is to be had.
pub(super) async fn change(
    aws: &Aws,
    identity: &KeyIdentity,
    user: &UserName,
    path: &str,
    action: Action,
    now: Timestamp,
) -> Result<CallOutcome, Fault> {
    let (warrant, state) = witness(identity, user, path, action, now);
    let prepared = aws.prepare(&warrant, path).await?;
    let origin = Origin::Operator { actor: Actor::local("ada"), reason: "conformance".to_owned() };
    let event = KeyEvent::Change(Change::Intent {
        action,
        origin,
        why: "conformance".to_owned(),
        deadline: Timestamp::MAX,
        quarantine: None,
    });
    #[allow(clippy::disallowed_methods, reason = "a journal in memory")]
    let receipt = |event| {
        let body = Body::Key { account: identity.account, key: identity.key.clone(), event };
        let entry = Entry { seq: 1, at: now, actor: Actor::local("ada"), body };
        Draft::new(&state, &Delta::default()).apply(&entry).ok().map(Unwritten::written)
    };
    let bundle = Note::BundleWritten { bundle: BundleId::from([0; 32]), purpose: Purpose::Deletion };
    let warrant = match receipt(KeyEvent::Record(bundle)) {
        Some(bundle) => warrant.evidenced(&bundle).ok(),
        None => Some(warrant),
    };
    let order = warrant.zip(receipt(event)).and_then(|(warrant, intent)| warrant.recorded(intent).ok());
    Ok(match order {
        Some(order) => prepared.send(order).await,
        None => CallOutcome::Unclear { detail: "no order was made".to_owned() },
    })
}

#[allow(clippy::expect_used, reason = "a test that cannot be set up fails")]
fn witness(
    identity: &KeyIdentity,
    user: &UserName,
    path: &str,
    action: Action,
    now: Timestamp,
) -> (Warrant, State) {
    let deactivated = action != Action::Deactivate;
    let last_use = LastUse::Never;
    let sighting =
        Sighting { at: now, run: 1, monotonic: Duration::ZERO, interval: Duration::from_secs(21_600) };
    let record = Record {
        identity: identity.clone(),
        user_name: user.clone(),
        state: mk_state(deactivated, now, &sighting),
        holds: Vec::new(),
        exempt: None,
        incident: None,
        due: None,
        undo: None,
        quarantine: None,
        past: keysweep_core::lifecycle::Past::default(),
    };
    let ticket = ordered(&record, action, &Actor::local("ada"), "conformance").expect("the state allows it");
    let records = BTreeMap::from([(identity.key.clone(), record)]);
    let state = State::from_parts(records, BTreeMap::default(), Control::default());
    let account = AccountFacts {
        id: identity.account,
        name: String::new(),
        email: String::new(),
        management: false,
        ous: Fact::NotRead,
        tags: Fact::NotRead,
    };
    let facts = KeyFacts {
        account: identity.account,
        user_name: user.clone(),
        user_id: Fact::Known(identity.user_id.clone()),
        path: Fact::Known(path.to_owned()),
        tags: Fact::Known(BTreeMap::new()),
        key: identity.key.clone(),
        created: identity.created,
        status: if deactivated { KeyStatus::Inactive } else { KeyStatus::Active },
        last_use: Fact::Known(last_use),
        source: Source::Live,
        other_keys: Vec::new(),
        policies: Fact::Known(Vec::new()),
        password: Fact::NotRead,
        policy_denies: Fact::NotRead,
        trail: Fact::NotRead,
    };
    // moto has no event history.
    let policy = Policy { cloudtrail: false, ..Policy::default() };
    let context = Context { now, policy: &policy, state: &state };
    let view = View { account: &account, facts: &facts, sighting: &sighting };
    let agreement = recheck(&context, &ticket, &view).expect("nothing stands in its way");
    let warrant = ticket.agreed(agreement).expect("it agreed to this ticket");
    (warrant, state)
}

fn mk_state(deactivated: bool, now: Timestamp, sighting: &Sighting) -> KeyState {
    let (finding, last_use) = (FindingKind::NeverUsed, LastUse::Never);
    let since = now - SignedDuration::from_hours(24 * 30);
    if deactivated {
        KeyState::Deactivated(Deactivated {
            origin: DeactivatedBy::Keysweep,
            since,
            finding,
            last_use,
            watch: Watch { total: Duration::from_secs(86_400 * 30), last: Some(sighting.clone()) },
            notice: None,
            approval: None,
            setback: None,
            last_use_moved: false,
            bundle: Some(BundleId::from([0; 32])),
        })
    } else {
        KeyState::Flagged(Flagged { finding, since, last_use, notice: None, approval: None, setback: None })
    }
}
