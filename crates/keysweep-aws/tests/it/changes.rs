use std::time::Duration;

use keysweep_aws::{Aws, CallOutcome, FaultKind, Prepared};
use keysweep_core::ticket::Action;
use keysweep_sim::{Fault, KeySpec, Rule, UserRef, Who};
use tokio::time::Instant;

use crate::rewriting::mk_rewriting;
use crate::support::{PROD, World, mk_world};

async fn mk_prepared(world: &World, user: &UserRef, action: Action, tags: &[(&str, &str)]) -> Prepared {
    let warrant = world.warrant(user, action, tags);
    world.aws().await.prepare(&warrant, "/ci/").await.unwrap()
}

/// Prepares a change and sends it over a network that replaces one text by another.
async fn send_rewritten(
    world: &World,
    user: &UserRef,
    action: Action,
    from: &'static str,
    to: &str,
) -> CallOutcome {
    let mut settings = world.settings();
    settings.http = Some(mk_rewriting(world.sim.connector(), from, to));
    let aws = Aws::connect(settings).await.unwrap();
    let prepared = aws.prepare(&world.warrant(user, action, &[]), "/ci/").await.unwrap();
    prepared.send(world.order(user, action)).await
}

fn refused(outcome: &CallOutcome) -> Option<FaultKind> {
    match outcome {
        CallOutcome::Refused { kind, .. } => Some(*kind),
        CallOutcome::Accepted { .. } | CallOutcome::Unclear { .. } => None,
    }
}

#[tokio::test(start_paused = true)]
async fn each_action_does_what_it_says_to_that_key_alone() {
    let world = mk_world();
    let sibling = KeySpec::new().created(world.ago(300));
    for (action, before, after) in [
        (Action::Deactivate, "Active", Some("Inactive")),
        (Action::Reactivate, "Inactive", Some("Active")),
        (Action::Delete, "Inactive", None),
    ] {
        let user = world.user_with(action.as_str(), |key| key.status(before));
        let user = UserRef {
            keys: [user.keys, world.sim.user(PROD, action.as_str()).key(sibling.clone()).add().keys].concat(),
            ..user
        };
        let prepared = mk_prepared(&world, &user, action, &[]).await;
        let outcome = prepared.send(world.order(&user, action)).await;
        let change = world.sim.changes().last().cloned().unwrap();
        assert_eq!(outcome, CallOutcome::Accepted { request_id: change.request_id.clone() }, "{action}");
        assert_eq!(world.sim.key_status(&user.keys[0]).as_deref(), after, "{action}");
        assert_eq!(world.sim.key_status(user.keys.last().unwrap()).as_deref(), Some("Active"), "{action}");
        let Who::Session { role_arn, source_identity, .. } = change.who else { panic!("{:?}", change.who) };
        assert_eq!(role_arn, "arn:aws:iam::111122223333:role/keysweep/KeysweepEnforce");
        assert_eq!(source_identity.as_deref(), Some("keysweep"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_whose_answer_is_lost_is_unclear_and_was_made_once() {
    let late = Fault::LateAnswer(Duration::from_secs(60));
    for fault in [Fault::AnswerLost, late, Fault::MalformedBody, Fault::GarbageBody] {
        let world = mk_world();
        let user = world.stale_user("ci-deploy");
        let prepared = mk_prepared(&world, &user, Action::Deactivate, &[]).await;
        world.sim.fault(Rule::new(fault).action("iam:UpdateAccessKey"));
        let outcome = prepared.send(world.order(&user, Action::Deactivate)).await;
        assert!(matches!(outcome, CallOutcome::Unclear { .. }), "{outcome:?}");
        assert_eq!(world.sim.call_count(PROD, "iam:UpdateAccessKey"), 1);
        assert_eq!(world.sim.changes().iter().filter(|change| change.applied).count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_without_a_clear_answer_is_unclear_and_never_sent_again() {
    let faults = [Fault::ResetBefore, Fault::ServiceFailure, Fault::Unavailable, Fault::Hang];
    for fault in faults {
        let world = mk_world();
        let user = world.stale_user("ci-deploy");
        let prepared = mk_prepared(&world, &user, Action::Deactivate, &[]).await;
        world.sim.fault(Rule::new(fault.clone()).action("iam:UpdateAccessKey"));
        let start = Instant::now();
        let outcome = prepared.send(world.order(&user, Action::Deactivate)).await;
        assert!(matches!(outcome, CallOutcome::Unclear { .. }), "{fault:?}: {outcome:?}");
        assert_eq!(world.sim.call_count(PROD, "iam:UpdateAccessKey"), 1, "{fault:?}");
        assert!(start.elapsed() <= Duration::from_secs(10), "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_clear_no_is_refused_and_never_sent_again() {
    let refuse =
        |status, code: &str| Fault::Refuse { status, code: code.to_owned(), message: "no".to_owned() };
    for (fault, kind) in [
        (Fault::Throttle, FaultKind::Throttled),
        (Fault::AccessDenied, FaultKind::Denied),
        (refuse(404, "NoSuchEntity"), FaultKind::Gone),
        (refuse(409, "LimitExceeded"), FaultKind::Transient),
        (refuse(400, "ValidationError"), FaultKind::Bug),
    ] {
        let world = mk_world();
        let user = world.stale_user("ci-deploy");
        let prepared = mk_prepared(&world, &user, Action::Deactivate, &[]).await;
        world.sim.fault(Rule::new(fault.clone()).action("iam:UpdateAccessKey"));
        let outcome = prepared.send(world.order(&user, Action::Deactivate)).await;
        assert_eq!(refused(&outcome), Some(kind), "{fault:?}: {outcome:?}");
        assert_eq!(world.sim.call_count(PROD, "iam:UpdateAccessKey"), 1, "{fault:?}");
        assert_eq!(world.sim.key_status(&user.keys[0]).as_deref(), Some("Active"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_for_one_change_permits_no_other_action() {
    let world = mk_world();
    let user = world.stale_user("ci-deploy");
    let outcome =
        send_rewritten(&world, &user, Action::Deactivate, "Action=UpdateAccessKey", "Action=DeleteAccessKey")
            .await;
    assert_eq!(refused(&outcome), Some(FaultKind::Denied), "{outcome:?}");
    assert_eq!(world.sim.call_count(PROD, "iam:DeleteAccessKey"), 1);
    assert!(world.sim.key_exists(&user.keys[0]));
}

#[tokio::test(start_paused = true)]
async fn a_session_for_one_change_permits_no_other_user() {
    let world = mk_world();
    let user = world.stale_user("ci-deploy");
    let other = world.stale_user("ci-deploy-2");
    let change = format!("UserName=ci-deploy-2&AccessKeyId={}", other.keys[0]);
    let own = format!("UserName=ci-deploy&AccessKeyId={}", user.keys[0]);
    let outcome =
        send_rewritten(&world, &user, Action::Deactivate, Box::leak(own.into_boxed_str()), &change).await;
    assert_eq!(refused(&outcome), Some(FaultKind::Denied), "{outcome:?}");
    assert_eq!(world.sim.key_status(&other.keys[0]).as_deref(), Some("Active"));
}

#[tokio::test(start_paused = true)]
async fn iam_itself_refuses_a_change_of_a_user_that_is_exempt_by_then() {
    let world = mk_world();
    for action in [Action::Deactivate, Action::Delete] {
        let status = if action == Action::Delete { "Inactive" } else { "Active" };
        let user = world.user_with(action.as_str(), |key| key.status(status));
        let prepared =
            mk_prepared(&world, &user, action, &[("keysweep:exempt", "*"), ("team", "pay-*")]).await;
        // Tagged between the re-check and the call.
        world.sim.tag_user(PROD, action.as_str(), "team", "pay-roll");
        let outcome = prepared.send(world.order(&user, action)).await;
        assert_eq!(refused(&outcome), Some(FaultKind::Denied), "{action}: {outcome:?}");
        assert_eq!(world.sim.key_status(&user.keys[0]).as_deref(), Some(status));
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_without_the_exempt_tag_is_changed() {
    let world = mk_world();
    let user = world.stale_user("ci-deploy");
    world.sim.tag_user(PROD, "ci-deploy", "team", "web");
    let tags = [("keysweep:exempt", "*"), ("team", "pay-*")];
    let prepared = mk_prepared(&world, &user, Action::Deactivate, &tags).await;
    let outcome = prepared.send(world.order(&user, Action::Deactivate)).await;
    assert!(matches!(outcome, CallOutcome::Accepted { .. }), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn an_undo_works_on_a_user_that_is_exempt() {
    let world = mk_world();
    let user = world.user_with("ci-deploy", KeySpec::inactive);
    world.sim.tag_user(PROD, "ci-deploy", "keysweep:exempt", "yes");
    let prepared = mk_prepared(&world, &user, Action::Reactivate, &[("keysweep:exempt", "*")]).await;
    let outcome = prepared.send(world.order(&user, Action::Reactivate)).await;
    assert!(matches!(outcome, CallOutcome::Accepted { .. }), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn an_order_for_another_change_is_never_sent() {
    let world = mk_world();
    let user = world.stale_user("ci-deploy");
    let other = world.stale_user("ci-other");
    let inactive = world.user_with("ci-inactive", KeySpec::inactive);
    let sibling = UserRef { keys: world.stale_user("ci-deploy").keys, ..user.clone() };
    for (prepared_for, action, order) in [
        (&user, Action::Deactivate, world.order(&other, Action::Deactivate)),
        (&user, Action::Deactivate, world.order(&sibling, Action::Deactivate)),
        (&inactive, Action::Reactivate, world.order(&inactive, Action::Delete)),
    ] {
        let prepared = mk_prepared(&world, prepared_for, action, &[]).await;
        let outcome = prepared.send(order).await;
        assert_eq!(refused(&outcome), Some(FaultKind::Bug), "{outcome:?}");
    }
    assert_eq!(world.sim.call_count(PROD, "iam:UpdateAccessKey"), 0);
    assert_eq!(world.sim.call_count(PROD, "iam:DeleteAccessKey"), 0);
}

#[tokio::test(start_paused = true)]
async fn each_change_has_a_session_of_its_own() {
    let world = mk_world();
    let user = world.stale_user("ci-deploy");
    let aws = world.aws().await;
    let warrant = world.warrant(&user, Action::Deactivate, &[]);
    for _ in 0..2 {
        aws.prepare(&warrant, "/ci/").await.unwrap();
    }
    assert_eq!(world.sim.call_count(PROD, "sts:AssumeRole"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_change_that_cannot_be_confined_is_not_prepared() {
    let world = mk_world();
    let user = world.stale_user("ci-deploy");
    let long = "x".repeat(2048);
    let warrant = world.warrant(&user, Action::Deactivate, &[("keysweep:exempt", &long)]);
    let fault = world.aws().await.prepare(&warrant, "/ci/").await.err().unwrap();
    assert_eq!(fault.to_string(), "prepare to deactivate a key of user ci-deploy in 111122223333: bug");
    assert_eq!(world.sim.call_count(PROD, "sts:AssumeRole"), 0);
}
