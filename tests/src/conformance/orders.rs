//! Orders for one change each, as a re-check and a journal would give them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use keysweep_aws::{Aws, CallOutcome, Fault};
use keysweep_core::effect::Effect;
use keysweep_core::facts::{
    AccountFacts, AccountScan, Collection, Fact, Inventory, KeyFacts, KeyStatus, LastUse, Outcome, Source,
    Tags,
};
use keysweep_core::finding::FindingKind;
use keysweep_core::ids::{BundleId, KeyIdentity, UserName};
use keysweep_core::lifecycle::event::{Change, Note, Purpose};
use keysweep_core::lifecycle::{
    Deactivated, DeactivatedBy, Delivery, Due, Flagged, KeyEvent, Notice, NoticeTerms, Quarantine, Record,
    Sighting, State as KeyState, Watch,
};
use keysweep_core::plan::{Context, View, ordered, plan, recheck};
use keysweep_core::policy::{Mode, Policy, Terms};
use keysweep_core::quarantine::UserBefore;
use keysweep_core::references::Met;
use keysweep_core::state::{Actor, Body, Control, Delta, Draft, Entry, State, Unwritten};
use keysweep_core::ticket::{Action, Origin, Planned, Warrant};

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
        quarantine: warrant.quarantine().cloned().map(Box::new),
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
    let deactivated = matches!(action, Action::Reactivate | Action::Delete);
    let sighting =
        Sighting { at: now, run: 1, monotonic: Duration::ZERO, interval: Duration::from_secs(21_600) };
    let account = AccountFacts {
        id: identity.account,
        name: String::new(),
        email: Fact::Known(String::new()),
        management: false,
        ous: Fact::Known(Vec::new()),
        tags: Fact::Known(Tags::default()),
    };
    let facts = KeyFacts {
        account: identity.account,
        user_name: user.clone(),
        user_id: Fact::Known(identity.user_id.clone()),
        path: Fact::Known(path.to_owned()),
        tags: Fact::Known(Tags::default()),
        key: identity.key.clone(),
        created: identity.created,
        status: if deactivated { KeyStatus::Inactive } else { KeyStatus::Active },
        last_use: Fact::Known(LastUse::Never),
        source: Source::Live,
        other_keys: Vec::new(),
        policies: Fact::Known(Vec::new()),
        password: Fact::Known(false),
        policy_denies: Fact::Known(true),
        trail: Fact::NotRead,
    };
    let policy = mk_policy();
    let since = now - AGO;
    let user_before = UserBefore {
        user_name: user.clone(),
        path: path.to_owned(),
        keys: BTreeMap::new(),
        policies: BTreeSet::new(),
        password: false,
    };
    let quarantine = (action == Action::EndQuarantine).then(|| {
        let (policy, attached) = (policy.quarantine_policy.clone(), Some(since));
        Quarantine {
            policy,
            user_before,
            since,
            attached,
            settled_from: None,
            interrupted: None,
            completed: false,
            open: None,
        }
    });
    let record = Record {
        identity: identity.clone(),
        user_name: user.clone(),
        owner: None,
        state: if deactivated { mk_deactivated(since, &sighting) } else { mk_flagged(since) },
        holds: Vec::new(),
        exempt: None,
        incident: None,
        due: (action == Action::Quarantine).then_some(Due {
            action: Planned::Deactivate,
            since,
            accepted: true,
        }),
        undo: None,
        quarantine: quarantine.map(Box::new),
        past: keysweep_core::lifecycle::Past::default(),
    };
    let ticket = ordered(&record, action, &Actor::local("ada"), "conformance").ok();
    let records = BTreeMap::from([(identity.key.clone(), record)]);
    let state = State::from_parts(records, BTreeMap::default(), Control::default());
    // Nobody can order a quarantine: it is a step of the policy.
    let ticket = ticket.or_else(|| {
        let accounts = vec![(account.clone(), Outcome::Scanned(Box::new(mk_scan(&facts, &sighting))))];
        let collection = Collection { at: now, accounts, complete: false, ous: None, skew: None };
        plan(now, &policy, &state, &collection).effects.into_iter().find_map(|effect| match effect {
            Effect::Change(ticket) => Some(ticket),
            Effect::Notify(_) | Effect::AskApproval(_) => None,
        })
    });
    let ticket = ticket.expect("the state allows it");
    let context = Context { now, policy: &policy, state: &state };
    let view = View { account: &account, facts: &facts, sighting: &sighting };
    let agreement = recheck(&context, &ticket, &view).expect("nothing stands in its way");
    let warrant = ticket.agreed(agreement).expect("it agreed to this ticket");
    (warrant, state)
}

/// A key that was never used is due at once, and moto has no event history.
fn mk_policy() -> Policy {
    let base = Terms {
        mode: Mode::Deactivate,
        never_used_after: Duration::from_secs(86_400),
        notice: Duration::ZERO,
        quarantine: Some(Duration::from_secs(3 * 86_400)),
        ..Terms::default()
    };
    let mut policy = Policy { base, cloudtrail: false, ..Policy::default() };
    policy.notices.required = false;
    policy
}

fn mk_scan(facts: &KeyFacts, sighting: &Sighting) -> AccountScan {
    AccountScan {
        sighting: sighting.clone(),
        keys: vec![std::sync::Arc::new(facts.clone())],
        absent: BTreeSet::new(),
        unread_users: BTreeMap::new(),
        unread_rows: Vec::new(),
        root_keys_unknown: None,
        inventory: Inventory::default(),
        report_generated_at: None,
        fallback: None,
        met: Met::default(),
    }
}

/// Long enough for every term.
const AGO: SignedDuration = SignedDuration::from_hours(24 * 30);

fn mk_deactivated(since: Timestamp, sighting: &Sighting) -> KeyState {
    KeyState::Deactivated(Box::new(Deactivated {
        origin: DeactivatedBy::Keysweep,
        since,
        finding: FindingKind::NeverUsed,
        last_use: LastUse::Never,
        watch: Watch { total: Duration::from_secs(86_400 * 30), last: Some(sighting.clone()) },
        notice: None,
        approval: None,
        setback: None,
        last_use_moved: false,
        bundle: Some(BundleId::from([0; 32])),
        team_told: false,
    }))
}

fn mk_flagged(since: Timestamp) -> KeyState {
    let (finding, last_use) = (FindingKind::NeverUsed, LastUse::Never);
    let base = mk_policy().base;
    let (threshold, grace) = (base.never_used_after, base.grace);
    let terms = NoticeTerms { threshold, notice: base.notice, grace, approval: false };
    let notice = Some(Notice {
        at: since,
        deactivation: Some(since),
        deletion: None,
        terms,
        owner: None,
        delivery: Delivery::Recorded,
        reminded: None,
        decoy: false,
    });
    KeyState::Flagged(Flagged {
        finding,
        since,
        last_use,
        notice: notice.map(Box::new),
        approval: None,
        setback: None,
        team_told: false,
    })
}
