//! Whatever happens, in whatever order: the journal tells the state.

use crate::common::{
    copy, mk_account, mk_at, mk_deactivated, mk_event, mk_flagged, mk_held, mk_intent, mk_key_id, mk_noticed,
    mk_scanned, state,
};
use keysweep_core::lifecycle::event::{Change, Note, Overlay, Seen};
use keysweep_core::lifecycle::{ClearedWhy, KeyEvent, RefusedKind};
use keysweep_core::state::{Actor, Body, TripReason};
use keysweep_core::ticket::{Action, Planned};
use keysweep_store::{AppendError, OpenOptions, Store, verify};
use proptest::prelude::*;

const KEYS: u64 = 4;

fn body() -> impl Strategy<Value = Body> {
    (0..36_u8, 0..KEYS, 0..2_u64, 0..50_000_i64).prop_map(|(what, key, account, second)| {
        let text = || format!("reason {second}");
        let action = [Action::Deactivate, Action::Reactivate, Action::Delete][usize::from(what) % 3];
        match what {
            // The usual way, more often than the rest.
            0..=4 => mk_flagged(key),
            5..=7 => mk_noticed(key),
            8..=12 => mk_intent(key, action),
            13..=15 => mk_deactivated(key, second),
            16..=18 => mk_scanned(account, second, &[0, 1, 2]),
            19 => mk_held(key, &text()),
            20 => mk_event(
                key,
                KeyEvent::Overlay(Overlay::HoldReleased { hold: second.unsigned_abs() % 40, reason: text() }),
            ),
            21 => mk_event(key, KeyEvent::Seen(Seen::Cleared { why: ClearedWhy::UsedAgain })),
            22 => mk_event(
                key,
                KeyEvent::Record(Note::BecameDue { action: action.planned().unwrap_or(Planned::Delete) }),
            ),
            23 => mk_event(key, KeyEvent::Record(Note::NotDue)),
            24 => mk_event(key, KeyEvent::Seen(Seen::Absent)),
            25 => mk_event(key, KeyEvent::Seen(Seen::SeenAgain)),
            26 => mk_event(key, KeyEvent::Change(Change::Deleted { request_id: None })),
            27 => mk_event(
                key,
                KeyEvent::Change(Change::Refused { action, kind: RefusedKind::Denied, detail: text() }),
            ),
            28 => mk_event(
                key,
                KeyEvent::Change(Change::Unclear { action, accepted: second % 2 == 0, detail: text() }),
            ),
            29 => mk_event(
                key,
                KeyEvent::Change(Change::Undone { request_id: None, hold_until: mk_at(second) }),
            ),
            30 => Body::AccountFailed { account: mk_account(account), name: "a".into(), reason: text() },
            31 => Body::AccountLeft { account: mk_account(account) },
            32 => Body::DueAccepted { keys: [mk_key_id(key), mk_key_id(0)].into() },
            33 => Body::BreakerTripped { reason: TripReason::ClockSkew { seconds: second } },
            34 => Body::BreakerReset { reason: text(), keys: [mk_key_id(key)].into(), accounts: Some(2) },
            _ => Body::Paused { reason: text() },
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn replay_equals_the_live_state(
        requests in prop::collection::vec(prop::collection::vec(body(), 1..4), 1..60),
        segment_bytes in prop::sample::select(vec![500_u64, 4_000, 1 << 20]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let options = || OpenOptions { segment_bytes, ..OpenOptions::default() };
            let store = Store::open(dir.path(), options()).await.unwrap().0;
            for (second, bodies) in (0..).zip(requests) {
                let before = (state(&store), store.last_seq());
                match store.record(mk_at(second), &Actor::Keysweep, bodies).await {
                    Ok(_) => {}
                    Err(AppendError::Illegal(_)) => assert_eq!((state(&store), store.last_seq()), before),
                    Err(error) => panic!("{error}"),
                }
            }
            let live = state(&store);
            let histories: Vec<_> = (0..KEYS).map(|key| store.history(&mk_key_id(key)).unwrap()).collect();
            // From the journal alone, without closing.
            let copied = tempfile::tempdir().unwrap();
            copy(&dir.path().join("journal"), &copied.path().join("journal"));
            let (rebuilt, _) = Store::open(copied.path(), options()).await.unwrap();
            assert_eq!(state(&rebuilt), live);
            for (key, history) in (0..KEYS).zip(&histories) {
                assert_eq!(&rebuilt.history(&mk_key_id(key)).unwrap(), history);
            }
            rebuilt.close().await.unwrap();
            // From the projection.
            let last = store.last_seq();
            store.close().await.unwrap();
            let (again, opened) = Store::open(dir.path(), options()).await.unwrap();
            assert_eq!((state(&again), opened.rebuilt, opened.caught_up), (live, None, 0));
            for (key, history) in (0..KEYS).zip(&histories) {
                assert_eq!(&again.history(&mk_key_id(key)).unwrap(), history);
            }
            assert_eq!(verify(dir.path()).unwrap().last_seq, last);
        });
    }
}
