//! What only this module can see. What is promised of plans is tested in `tests/promises`.

use super::*;
use crate::facts::{Inventory, LastUse};
use crate::ids::KeyIdentity;
use crate::lifecycle::Sighting;
use crate::lifecycle::event::Seen;
use crate::lifecycle::{Deactivating, Flagged, OpenIntent};
use crate::references::Met;

fn mk_record(account: &str) -> Record {
    let flagged = Flagged {
        finding: FindingKind::Unused,
        since: Timestamp::UNIX_EPOCH,
        last_use: LastUse::Never,
        notice: None,
        approval: None,
        setback: None,
        team_told: false,
    };
    Record {
        identity: KeyIdentity {
            account: account.parse().unwrap(),
            user_id: "AIDACKCEVSQ6C2EXAMPLE".parse().unwrap(),
            key: "AKIAIOSFODNN7EXAMPLE".parse().unwrap(),
            created: Timestamp::UNIX_EPOCH,
        },
        user_name: "ci-deploy".parse().unwrap(),
        owner: None,
        state: KeyState::Flagged(flagged),
        holds: Vec::new(),
        quarantine: None,
        exempt: None,
        incident: None,
        due: None,
        undo: None,
        past: crate::lifecycle::Past::default(),
    }
}

fn mk_scan() -> AccountScan {
    let interval = std::time::Duration::from_secs(3600);
    AccountScan {
        sighting: Sighting { at: Timestamp::UNIX_EPOCH, run: 1, monotonic: interval, interval },
        keys: Vec::new(),
        absent: BTreeSet::new(),
        unread_users: std::collections::BTreeMap::new(),
        unread_rows: Vec::new(),
        root_keys_unknown: None,
        inventory: Inventory::default(),
        report_generated_at: None,
        fallback: None,
        met: Met::default(),
    }
}

#[test]
fn a_plan_takes_from_every_cap_that_a_change_counts_towards() {
    let (policy, state) = (Policy::default(), State::default());
    let context = Context { now: Timestamp::UNIX_EPOCH, policy: &policy, state: &state };
    let mut caps = gate::Caps::new(&context);
    let record = mk_record("111122223333");
    for action in
        [Planned::Deactivate, Planned::Delete, Planned::Deactivate, Planned::Delete, Planned::Delete]
    {
        assert_eq!(caps.take(&record, action.into()), Ok(()));
    }
    assert_eq!(caps.take(&record, Action::Deactivate).map_err(|wait| wait.reason()), Err(Reason::Cap));
    for n in 0..9 {
        let elsewhere = mk_record(&format!("44445555666{n}"));
        for _ in 0..5 {
            assert_eq!(caps.take(&elsewhere, Action::Deactivate), Ok(()));
        }
    }
    let elsewhere = mk_record("777788889999");
    let left = (0..9).filter(|_| caps.take(&elsewhere, Action::Deactivate).is_ok()).count();
    assert_eq!(left, 3, "50 in all, 47 of them taken");
}

#[test]
fn only_what_is_tracked_can_be_missed() {
    let mut record = mk_record("111122223333");
    assert_eq!(absent(&record, &mk_scan()), Some(KeyEvent::Seen(Seen::Absent)));
    let KeyState::Flagged(flagged) = record.state else { panic!() };
    let intent =
        OpenIntent { seq: 1, at: Timestamp::UNIX_EPOCH, deadline: Timestamp::UNIX_EPOCH, accepted: None };
    record.state = KeyState::Deactivating(Deactivating { flagged, intent, ordered: false }.into());
    assert_eq!(absent(&record, &mk_scan()), Some(KeyEvent::Seen(Seen::Absent)));
    for state in [
        KeyState::Gone(crate::lifecycle::Gone { since: Timestamp::UNIX_EPOCH }),
        KeyState::Deleted(crate::lifecycle::Deleted { since: Timestamp::UNIX_EPOCH, listed_again: false }),
    ] {
        record.state = state;
        assert_eq!(absent(&record, &mk_scan()), None);
    }
}

#[test]
fn a_grace_period_that_runs_suppresses_nothing() {
    assert!(!Reason::Grace.suppresses());
    assert!(Reason::Notice.suppresses() && Reason::Unknown.suppresses());
}

#[test]
fn a_planned_entry_that_cannot_happen_takes_no_other_with_it() {
    let (policy, state) = (Policy::default(), State::default());
    let context = Context { now: Timestamp::UNIX_EPOCH, policy: &policy, state: &state };
    let account = "111122223333".parse().unwrap();
    let of_key = |event: KeyEvent| Body::Key { account, key: "AKIAIOSFODNN7EXAMPLE".parse().unwrap(), event };
    // Nothing is recorded of the key yet, so that nothing can be deleted.
    let impossible = of_key(Seen::ListedAfterDeletion.into());
    let possible = Body::Paused { reason: "for the test".into() };
    let mut plan = Plan { entries: vec![impossible.clone(), possible.clone()], ..Plan::default() };
    let collection =
        Collection { at: Timestamp::UNIX_EPOCH, accounts: vec![], complete: false, ous: None, skew: None };
    let after = plan.breaker(&context, &collection);
    assert_eq!((plan.entries, plan.left_out), (vec![possible], vec![impossible]));
    assert_eq!(after.control().pauses.len(), 1);
}

#[test]
fn a_key_whose_planned_entry_cannot_happen_is_shown_as_it_is_recorded() {
    let (policy, state) = (Policy::default(), State::default());
    let context = Context { now: Timestamp::UNIX_EPOCH, policy: &policy, state: &state };
    let record = mk_record("111122223333");
    let facts = KeyFacts {
        account: record.identity.account,
        user_name: record.user_name.clone(),
        user_id: Fact::Known(record.identity.user_id.clone()),
        path: Fact::NotRead,
        tags: Fact::NotRead,
        key: record.identity.key.clone(),
        created: record.identity.created,
        status: KeyStatus::Active,
        last_use: Fact::Known(LastUse::Never),
        source: crate::facts::Source::Report,
        other_keys: Vec::new(),
        policies: Fact::NotRead,
        password: Fact::NotRead,
        policy_denies: Fact::NotRead,
        trail: Fact::NotRead,
    };
    let (account, key) = (record.identity.account, record.identity.key.clone());
    let impossible = Body::Key { account, key, event: Seen::ListedAfterDeletion.into() };
    let shown = PlannedKey {
        account: 0,
        facts: facts.into(),
        finding: None,
        record: Some(record.into()),
        exempt: None,
        unknown: Vec::new(),
        owner: Found::default(),
        announces: false,
        next: Next::Nothing,
    };
    let mut plan = Plan { entries: vec![impossible], keys: vec![shown], ..Plan::default() };
    let collection =
        Collection { at: Timestamp::UNIX_EPOCH, accounts: vec![], complete: false, ous: None, skew: None };
    plan.breaker(&context, &collection);
    assert_eq!(plan.keys.iter().map(|key| key.record.as_ref()).collect::<Vec<_>>(), [None]);
}
