//! What does not count, and what the person is told.

use keysweep_tests::company::approve;
use serde_json::json;

use crate::slack::stage::{ANNA, APPROVE, BEN, BEN_ALONE, CLAIM, DENY, EVE, Stage, in_slack, soon, view_of};

/// The number of entries in the journal.
fn entries(stage: &Stage) -> u64 {
    stage.engine.store().last_seq()
}

#[tokio::test]
async fn a_stranger_is_refused_and_nothing_is_journaled() {
    let mut stage = Stage::new("").await;
    let before = entries(&stage);
    for button in [APPROVE, DENY, CLAIM] {
        let click = stage.click(EVE, button);
        stage.send(&click);
        let (user, text) = stage.whispered().await;
        assert_eq!(user, EVE);
        assert!(text.contains("Nothing was decided") && text.contains("no role"), "{text}");
    }
    assert_eq!(entries(&stage), before);
    assert!(stage.stub.take_calls().iter().all(|call| call.method != "views.open"));
    assert!(stage.metric("keysweep_slack_refusals_total{reason=\"forbidden\"} 3"));
}

#[tokio::test]
async fn a_submission_of_somebody_else_is_refused() {
    let mut stage = Stage::new("").await;
    let view = stage.open_modal(ANNA, APPROVE).await;
    let before = entries(&stage);
    stage.submit(EVE, &view, "mine now");
    assert_eq!(stage.whispered().await.0, EVE);
    assert_eq!(entries(&stage), before);
}

#[tokio::test]
async fn a_forged_approval_of_a_deletion_is_refused() {
    let mut stage = Stage::set("").await;
    assert!(approve(&stage.engine, &stage.key).await.0);
    stage.days(8).await;
    stage.post().await;
    stage.listen().await;
    let before = entries(&stage);
    // The value of another button, under the ID of the approval.
    let mut click = stage.click(ANNA, DENY);
    click["actions"][0]["action_id"] = json!(APPROVE);
    stage.send(&click);
    let (user, text) = stage.whispered().await;
    assert!(user == ANNA && text.contains("A deletion cannot be approved in Slack"), "{text}");
    // A modal under another ID.
    let view = stage.open_modal(ANNA, DENY).await;
    let mut submission = stage.stub.submission(ANNA, &view, "delete it").unwrap();
    submission["view"]["callback_id"] = json!(APPROVE);
    stage.send(&submission);
    let (_, text) = stage.whispered().await;
    assert!(text.contains("A deletion cannot be approved in Slack"), "{text}");
    assert_eq!(entries(&stage), before);
    assert_eq!(stage.approval().unwrap().granted, []);
    assert!(stage.metric("keysweep_slack_refusals_total{reason=\"deletion\"} 2"));
}

#[tokio::test]
async fn a_deletion_under_the_name_of_a_deactivation_is_refused() {
    let mut stage = Stage::set("").await;
    assert!(approve(&stage.engine, &stage.key).await.0);
    stage.days(8).await;
    stage.post().await;
    stage.listen().await;
    let before = entries(&stage);
    let mut click = stage.click(ANNA, DENY);
    let value = click["actions"][0]["value"].as_str().unwrap().replace(" delete ", " deactivate ");
    click["actions"][0]["action_id"] = json!(APPROVE);
    click["actions"][0]["value"] = json!(value);
    stage.send(&click);
    let (_, text) = stage.whispered().await;
    assert!(text.contains("was decided on as one to deactivate"), "{text}");
    assert_eq!(entries(&stage), before);
}

#[tokio::test]
async fn the_journal_refuses_a_deletion_that_is_approved_in_slack() {
    use keysweep::access::{Caller, Grant};
    use keysweep_api::{Decide, Decision, Role};
    let stage = Stage::set("").await;
    assert!(approve(&stage.engine, &stage.key).await.0);
    stage.days(8).await;
    let (action, request) = keysweep_tests::company::asked(&stage.engine, &stage.key).await.unwrap();
    let caller = Caller::new(in_slack(ANNA), vec![Grant::everywhere(Role::Operator)]);
    let decision = Decision::Approve { action, request };
    let decide = Decide { key: stage.key.parse().unwrap(), decision, reason: "delete it".to_owned() };
    let refusal = keysweep::operator::act(&stage.engine, &caller, decide).await.unwrap_err();
    assert!(refusal.to_string().contains("cannot be approved in Slack"), "{refusal}");
}

#[tokio::test]
async fn a_request_that_has_changed_is_refused() {
    let mut stage = Stage::new("").await;
    let before = entries(&stage);
    let mut click = stage.click(ANNA, APPROVE);
    let value = click["actions"][0]["value"].as_str().unwrap().to_owned();
    let (rest, _) = value.rsplit_once('-').unwrap();
    click["actions"][0]["value"] = json!(format!("{rest}-00000000"));
    stage.send(&click);
    let (_, text) = stage.whispered().await;
    assert!(text.contains("has changed"), "{text}");

    // It changes between the click and the reason: the key is used again.
    let view = stage.open_modal(ANNA, APPROVE).await;
    assert_eq!(entries(&stage), before);
    stage.company.sim.use_key(&stage.key, "s3", "us-east-1");
    stage.days(2).await;
    stage.submit(ANNA, &view, "unused");
    let (_, text) = stage.whispered().await;
    assert!(text.contains("no longer open"), "{text}");
    assert!(stage.journaled("approved").await.is_empty());
    stage.until_it_says("No decision is needed any more: the key was used again").await;
}

#[tokio::test]
async fn a_role_that_is_removed_before_the_submission_does_not_count() {
    let mut stage = Stage::new("").await;
    let view = stage.open_modal(ANNA, APPROVE).await;
    stage.reload(BEN_ALONE, "native").await;
    let before = entries(&stage);
    stage.submit(ANNA, &view, "quickly");
    let (user, text) = stage.whispered().await;
    assert!(user == ANNA && text.contains("no role"), "{text}");
    assert_eq!(entries(&stage), before);
    let view = stage.open_modal(BEN, APPROVE).await;
    stage.submit(BEN, &view, "fine");
    stage.until_it_says("Approved by u0ben00001").await;
}

#[tokio::test]
async fn another_workspace_is_refused() {
    let mut stage = Stage::new("").await;
    let before = entries(&stage);
    let mut click = stage.click(ANNA, APPROVE);
    click["user"]["team_id"] = json!("T0OTHER");
    stage.send(&click);
    let (_, text) = stage.whispered().await;
    assert!(text.contains("only members of the workspace"), "{text}");
    let click = stage.click(ANNA, APPROVE);
    stage.send(&click);
    soon(stage.stub.next_call("views.open")).await;
    let mut submission = stage.stub.submission(ANNA, &view_of(&click), "fine").unwrap();
    submission["user"]["team_id"] = json!("T0OTHER");
    stage.send(&submission);
    let (_, text) = stage.whispered().await;
    assert!(text.contains("only members of the workspace"), "{text}");
    assert_eq!(entries(&stage), before);
    assert!(stage.metric("keysweep_slack_refusals_total{reason=\"workspace\"} 2"));
}

#[tokio::test]
async fn a_click_that_makes_no_sense_is_refused() {
    let mut stage = Stage::new("").await;
    let before = entries(&stage);
    for value in ["", "nonsense", "AKIAIOSFODNN7EXAMPLE deactivate 1"] {
        let mut click = stage.click(BEN, APPROVE);
        click["actions"][0]["value"] = json!(value);
        stage.send(&click);
        let (_, text) = stage.whispered().await;
        assert!(text.contains("does not understand"), "{text}");
    }
    assert_eq!(entries(&stage), before);
}
