//! Faults on demand.

use std::time::Duration;

use crate::support::*;
use keysweep_sim::{ConnectionLost, Fault, FaultKind, Rule, Sim};

const KEY: &str = "AKIASVCA000000000001";

fn mk_update(caller: &Credentials) -> http::Request<bytes::Bytes> {
    let form = format!("Action=UpdateAccessKey&UserName=svc-a&AccessKeyId={KEY}&Status=Inactive");
    mk_request(caller, "iam", None, &form)
}

async fn mk_caller() -> (Sim, Credentials) {
    let (sim, _) = mk_sim(&mk_clock());
    let caller = session(&sim).await;
    (sim, caller)
}

#[tokio::test]
async fn a_reset_before_the_effect_leaves_the_world_alone() {
    let (sim, caller) = mk_caller().await;
    sim.fault(Rule::new(Fault::ResetBefore).action("iam:UpdateAccessKey"));
    assert_eq!(sim.answer(mk_update(&caller)).await.err(), Some(ConnectionLost));
    assert_eq!(sim.key_status(KEY).as_deref(), Some("Active"));
    let changes = sim.changes();
    assert_eq!((changes[0].applied, changes[0].delivered), (false, false));
}

#[tokio::test]
async fn an_answer_can_be_lost_after_its_effect() {
    let (sim, caller) = mk_caller().await;
    sim.fault(Rule::new(Fault::AnswerLost).action("iam:UpdateAccessKey"));
    assert_eq!(sim.answer(mk_update(&caller)).await.err(), Some(ConnectionLost));
    assert_eq!(sim.key_status(KEY).as_deref(), Some("Inactive"));
    let changes = sim.changes();
    assert_eq!((changes[0].applied, changes[0].delivered), (true, false));
    assert_eq!(sim.fault_count(FaultKind::AnswerLost), 1);
}

#[tokio::test]
async fn refusals_have_no_effect_and_are_in_the_ledger() {
    let (sim, caller) = mk_caller().await;
    for (fault, status, code) in [
        (Fault::Throttle, 400, "Throttling"),
        (Fault::AccessDenied, 403, "AccessDenied"),
        (Fault::ServiceFailure, 500, "ServiceFailure"),
        (Fault::Unavailable, 503, "ServiceUnavailable"),
    ] {
        sim.clear_faults();
        sim.fault(Rule::new(fault).account(PROD).action("iam:Update*"));
        let reply = send(&sim, mk_update(&caller)).await;
        assert_eq!(reply.refusal(), (status, code));
        let change = sim.changes().pop().expect("a change");
        assert_eq!((change.error.as_deref(), change.applied, change.delivered), (Some(code), false, true));
    }
    assert_eq!(sim.key_status(KEY).as_deref(), Some("Active"));
}

#[tokio::test]
async fn a_rule_strikes_the_first_calls_after_some() {
    let (sim, caller) = mk_caller().await;
    sim.fault(Rule::new(Fault::Throttle).action("iam:ListUsers").after(1).first(2));
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(iam(&sim, &caller, "ListUsers").await.status);
    }
    assert_eq!(statuses, [200, 400, 400, 200, 200]);
    assert_eq!(sim.call_count(PROD, "iam:ListUsers"), 5, "struck calls count");
}

#[tokio::test]
async fn probabilities_follow_the_seed() {
    let run = async |seed: u64| {
        let (sim, caller) = mk_caller().await;
        sim.seed_faults(seed);
        sim.fault(Rule::new(Fault::Throttle).action("iam:ListUsers").probability(0.5));
        let mut struck = String::new();
        for _ in 0..40 {
            struck.push(if iam(&sim, &caller, "ListUsers").await.status == 200 { '.' } else { 'x' });
        }
        struck
    };
    assert_eq!(run(1).await, run(1).await);
    assert_ne!(run(1).await, run(2).await);
    assert!(run(1).await.contains('x') && run(1).await.contains('.'));
}

#[tokio::test(start_paused = true)]
async fn a_hanging_call_ends_only_by_its_callers_patience_and_leaves_the_count() {
    let (sim, caller) = mk_caller().await;
    sim.fault(Rule::new(Fault::Hang).action("iam:UpdateAccessKey"));
    let waited = tokio::time::timeout(Duration::from_secs(60), sim.answer(mk_update(&caller))).await;
    assert!(waited.is_err());
    assert_eq!(sim.key_status(KEY).as_deref(), Some("Active"));
    sim.reset_calls();
    assert_eq!(sim.peak_in_flight_overall(), 0);
}

#[tokio::test(start_paused = true)]
async fn delays_come_before_the_effect_and_late_answers_after_it() {
    let (sim, caller) = mk_caller().await;
    let patience = Duration::from_secs(10);
    let rule = sim.fault(Rule::new(Fault::Delay(Duration::from_secs(30))));
    assert!(tokio::time::timeout(patience, sim.answer(mk_update(&caller))).await.is_err());
    assert_eq!(sim.key_status(KEY).as_deref(), Some("Active"));
    sim.remove_fault(rule);
    sim.fault(Rule::new(Fault::LateAnswer(Duration::from_secs(30))));
    assert!(tokio::time::timeout(patience, sim.answer(mk_update(&caller))).await.is_err());
    assert_eq!(sim.key_status(KEY).as_deref(), Some("Inactive"));
    assert!(!sim.changes()[0].delivered);
}

#[tokio::test]
async fn stale_reads_answer_as_of_then() {
    let clock = mk_clock();
    let (sim, user) = mk_sim(&clock);
    let caller = session(&sim).await;
    clock.advance(jiff::SignedDuration::from_mins(20));
    sim.set_key_status(KEY, "Inactive");
    sim.user(PROD, "svc-a").key(keysweep_sim::KeySpec::new().id("AKIANEW").created(sim.now())).add();
    let list = "ListAccessKeys&UserName=svc-a";
    assert_eq!(iam(&sim, &caller, list).await.fields("Status"), ["Inactive", "Active"]);
    sim.fault(Rule::new(Fault::Stale(jiff::SignedDuration::from_mins(10))));
    let reply = iam(&sim, &caller, list).await;
    assert_eq!(
        (reply.fields("Status"), reply.fields("AccessKeyId")),
        (vec!["Active"], vec![user.keys[0].as_str()])
    );
    sim.delete_key(KEY);
    assert_eq!(iam(&sim, &caller, list).await.fields("AccessKeyId"), [KEY], "deleted only just now");
}

#[tokio::test]
async fn bodies_can_be_cut_off_or_be_garbage() {
    let (sim, caller) = mk_caller().await;
    sim.fault(Rule::new(Fault::MalformedBody).first(1));
    sim.fault(Rule::new(Fault::GarbageBody).first(1));
    let reply = iam(&sim, &caller, "ListUsers").await;
    assert_eq!(reply.status, 200);
    assert!(!reply.body.contains("</ListUsersResponse>"));
    assert!(iam(&sim, &caller, "ListUsers").await.body.starts_with("<!doctype"));
}

#[tokio::test(start_paused = true)]
async fn calls_under_way_are_counted_at_their_peak() {
    let (sim, caller) = mk_caller().await;
    sim.configure(|settings| settings.latency = Duration::from_millis(50));
    let one = || iam(&sim, &caller, "ListUsers");
    tokio::join!(one(), one(), one());
    assert_eq!((sim.peak_in_flight(PROD), sim.peak_in_flight_overall()), (3, 3));
}

#[tokio::test]
async fn an_echo_repeats_what_was_sent() {
    let (sim, _) = mk_sim(&mk_clock());
    let caller = session(&sim).await;
    sim.fault(Rule::new(Fault::Echo { status: 500, code: "InternalFailure".into() }));
    let reply = iam(&sim, &caller, "GetUser&UserName=svc-a").await;
    assert_eq!(reply.refusal(), (500, "InternalFailure"));
    assert!(reply.body.contains(caller.token.as_deref().expect("a token")), "{}", reply.body);
    assert!(reply.body.contains("UserName=svc-a"), "{}", reply.body);
    let form = format!("AssumeRole&RoleArn={ROLE_ARN}&RoleSessionName=test&ExternalId=open-sesame");
    assert!(sts(&sim, &mk_hub(&sim), &form).await.body.contains("open-sesame"));
}
