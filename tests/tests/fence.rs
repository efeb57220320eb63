//! A change that arrives late: its process was stopped between intent and call, or a packet took its time. AWS refuses
//! it by the deadline in the policy of its session.

use jiff::SignedDuration;
use keysweep_api::Decision;
use keysweep_sim::{Fault, Rule};
use keysweep_tests::company::{Company, DAY, DELETE, decide, state_of, swept};

const PROD: &str = "111122223333";
const UPDATE: &str = "iam:UpdateAccessKey";

/// What became of a key whose deactivation arrives so late, when another process has lived since; and how many changes
/// took effect.
async fn deactivated(late: SignedDuration) -> (String, String, usize) {
    let company = Company::new(DELETE);
    company.account(PROD);
    let key = company.stale_user(PROD, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 6).await;
    company.sim.fault(Rule::new(Fault::LateArrival(late)).action(UPDATE).first(1));
    company.days(&engine, 1).await;
    assert_eq!(company.sim.call_count(PROD, UPDATE), 1);
    engine.close().await.unwrap();
    drop(engine);
    let engine = company.open().await;
    swept(&engine).await;
    tokio::time::advance(DAY / 2).await;
    swept(&engine).await;
    // Something else is asked of AWS by then: the call has arrived.
    let arrived = company.sim.changes().iter().any(|change| change.applied || change.error.is_some());
    assert!(arrived, "{late:#}: {:?}", company.sim.changes());
    let applied = company.by_keysweep().count();
    let outcome = (company.status(&key), state_of(&engine, &key), applied);
    engine.close().await.unwrap();
    outcome
}

async fn undone(late: SignedDuration) -> String {
    let company = Company::new(DELETE);
    company.account(PROD);
    let key = company.stale_user(PROD, "svc-old", 200).keys[0].clone();
    let engine = company.begin().await;
    company.days(&engine, 7).await;
    assert_eq!(company.status(&key), "Inactive");
    company.sim.fault(Rule::new(Fault::LateArrival(late)).action(UPDATE).first(1));
    assert!(!decide(&engine, &key, Decision::Reactivate {}).await.0);
    tokio::time::advance(DAY / 2).await;
    swept(&engine).await;
    let status = company.status(&key);
    assert!(decide(&engine, &key, Decision::Reactivate {}).await.0, "the undo is had again at once");
    engine.close().await.unwrap();
    status
}

#[tokio::test(start_paused = true)]
async fn aws_refuses_a_change_after_its_deadline() {
    // Within the deadline it takes effect, and is seen.
    let (status, state, applied) = deactivated(SignedDuration::from_secs(25)).await;
    assert_eq!((status.as_str(), state.as_str(), applied), ("Inactive", "deactivated", 1));
    // The session itself lives for 15 minutes.
    for late in [SignedDuration::from_secs(45), SignedDuration::from_mins(5), SignedDuration::from_mins(14)] {
        let (status, state, applied) = deactivated(late).await;
        assert_eq!((status.as_str(), state.as_str(), applied), ("Active", "flagged", 0), "{late:#}");
    }
    assert_eq!(undone(SignedDuration::from_mins(5)).await, "Inactive");
}
