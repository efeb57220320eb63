//! Decisions: what is written follows exactly the state on which it was decided.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use crate::common::{mk_at, mk_flagged, mk_intent, mk_store};
use keysweep_core::state::{Actor, Body, Receipt, State};
use keysweep_core::ticket::Action;
use keysweep_store::{AppendError, Undecided};

fn mk_pause(reason: &str) -> Body {
    Body::Paused { reason: reason.into() }
}

fn pauses(state: &State) -> usize {
    state.control().pauses.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_decisions_see_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let store = mk_store(dir.path()).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let store = store.clone();
        tasks.spawn(async move {
            let at_most_three = |state: &State, _| match pauses(state) {
                0..3 => Ok((vec![mk_pause("one of three")], ())),
                many => Err(many),
            };
            store.decide(|| mk_at(0), &Actor::Keysweep, at_most_three).await
        });
    }
    let mut refused = 0;
    while let Some(decided) = tasks.join_next().await {
        match decided.unwrap() {
            Ok((receipts, ())) => assert_eq!(receipts.len(), 1),
            Err(Undecided::No(many)) => {
                assert_eq!(many, 3);
                refused += 1;
            }
            Err(Undecided::Append(error)) => panic!("{error}"),
        }
    }
    assert_eq!((store.read(pauses), refused, store.last_seq()), (3, 29, 3));
}

#[tokio::test]
async fn an_overtaken_decision_is_made_again_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = mk_store(dir.path()).await;
    let mut recording = pin!(store.record(mk_at(1), &Actor::Keysweep, vec![mk_flagged(1)]));
    let mut seen = Vec::new();
    let decide = |state: &State, at| {
        assert_eq!(at, mk_at(2));
        seen.push(state.records().count());
        if seen.len() == 1 {
            // The request to record is in the queue before that of the decision.
            let asked = recording.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(asked.is_pending());
        }
        Ok::<_, ()>((vec![mk_pause("decided")], state.records().count()))
    };
    let (receipts, value) = store.decide(|| mk_at(2), &Actor::Keysweep, decide).await.unwrap();
    assert_eq!((seen.as_slice(), value), ([0, 1].as_slice(), 1));
    assert_eq!(receipts.iter().map(Receipt::seq).collect::<Vec<_>>(), [2]);
    recording.await.unwrap();
    assert_eq!(store.last_seq(), 2);
}

#[tokio::test]
async fn a_refusal_and_an_empty_decision_write_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = mk_store(dir.path()).await;
    let no = store.decide(|| mk_at(0), &Actor::Keysweep, |_, _| Err::<(Vec<Body>, ()), _>("no")).await;
    assert!(matches!(no, Err(Undecided::No("no"))));
    let nothing = store.decide(|| mk_at(0), &Actor::Keysweep, |_, _| Ok::<_, ()>((vec![], 7))).await.unwrap();
    assert!(nothing.0.is_empty() && nothing.1 == 7);
    assert_eq!(store.last_seq(), 0);
}

#[tokio::test]
async fn an_illegal_decision_does_not_block_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let store = mk_store(dir.path()).await;
    let intent = |_: &State, _| Ok::<_, ()>((vec![mk_intent(1, Action::Delete)], ()));
    let refused = store.decide(|| mk_at(0), &Actor::Keysweep, intent).await;
    assert!(matches!(refused, Err(Undecided::Append(AppendError::Illegal(_)))));
    let pause = |_: &State, _| Ok::<_, ()>((vec![mk_pause("now")], ()));
    store.decide(|| mk_at(0), &Actor::Keysweep, pause).await.unwrap();
    assert_eq!(store.read(pauses), 1);
}

#[tokio::test]
async fn an_abandoned_decision_is_seen_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let store = mk_store(dir.path()).await;
    let pause = |state: &State, _| Ok::<_, ()>((vec![mk_pause("now")], pauses(state)));
    {
        let mut given_up = pin!(store.decide(|| mk_at(0), &Actor::Keysweep, pause));
        assert!(given_up.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    let (receipts, before) = store.decide(|| mk_at(1), &Actor::Keysweep, pause).await.unwrap();
    assert_eq!((before, receipts.iter().map(Receipt::seq).collect::<Vec<_>>()), (1, vec![2]));
}
