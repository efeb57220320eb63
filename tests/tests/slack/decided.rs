//! What counts.

use keysweep_core::notice::Ending;
use serde_json::Value;

use crate::slack::stage::{ANNA, APPROVE, BEN, CLAIM, DANA, DENY, Stage, in_slack, soon, view_of};

#[tokio::test]
async fn a_click_a_reason_and_the_journal_has_the_approval() {
    let mut stage = Stage::new("").await;
    let before = stage.message().to_string();
    assert!(before.contains(&stage.key) && before.contains("/keys/"), "{before}");
    let view = stage.open_modal(ANNA, APPROVE).await;
    assert!(stage.journaled("approved").await.is_empty(), "nothing is journaled before the reason");
    stage.submit(ANNA, &view, "unused for\n two years");
    let after = stage.until_it_says("Approved by u0anna0001").await;
    assert!(!after.to_string().contains(APPROVE), "no button is left: {after:#}");
    let approval = stage.approval().unwrap();
    assert!(approval.is_granted());
    assert_eq!(approval.granted[0].by, in_slack(ANNA));
    assert_eq!(approval.granted[0].reason, "unused for two years", "on one line");
    assert_eq!(stage.journaled("approved").await, [in_slack(ANNA)]);
    assert!(stage.metric("keysweep_slack_connections 2"));
    assert!(stage.metric("keysweep_slack_events_total{event=\"click\"} 1"));
    assert!(stage.metric("keysweep_slack_events_total{event=\"submission\"} 1"));
}

#[tokio::test]
async fn a_denial_names_who_and_why() {
    let mut stage = Stage::new("").await;
    let view = stage.open_modal(BEN, DENY).await;
    stage.submit(BEN, &view, "ours <!channel>");
    let message = stage.until_it_says("Denied by u0ben00001: ours").await.to_string();
    assert!(!message.contains("<!channel>") && !message.contains(DENY), "{message}");
    assert_eq!(stage.journaled("denied").await, [in_slack(BEN)]);
}

#[tokio::test]
async fn i_am_looking_at_it_claims_without_a_modal() {
    let mut stage = Stage::new("").await;
    let claim = stage.click(ANNA, CLAIM);
    stage.send(&claim);
    let message = stage.until_it_says("u0anna0001 is looking at it").await.to_string();
    assert!(message.contains(APPROVE), "others can still decide");
    assert_eq!(stage.journaled("claimed").await, [in_slack(ANNA)]);
    // A double click is one claim. The modal that follows shows that keysweep has handled the click.
    let again = stage.click(ANNA, CLAIM);
    stage.send(&again);
    stage.open_modal(BEN, APPROVE).await;
    assert_eq!(stage.journaled("claimed").await, [in_slack(ANNA)]);
}

#[tokio::test]
async fn two_people_have_to_approve_and_the_message_counts_them() {
    let mut stage = Stage::new("approvals_needed = 2").await;
    let view = stage.open_modal(ANNA, APPROVE).await;
    stage.submit(ANNA, &view, "fine");
    let message = stage.until_it_says("Approved by u0anna0001 (1 of 2)").await;
    assert!(message.to_string().contains(APPROVE));
    // The same person again.
    let view = stage.open_modal(ANNA, APPROVE).await;
    stage.submit(ANNA, &view, "fine");
    let (user, text) = stage.whispered().await;
    assert_eq!(user, ANNA);
    assert!(text.contains("2 different people have to approve"), "{text}");
    let view = stage.open_modal(BEN, APPROVE).await;
    stage.submit(BEN, &view, "fine");
    stage.until_it_says("Approved by u0anna0001 and u0ben00001").await;
    assert_eq!(stage.journaled("approved").await, [in_slack(ANNA), in_slack(BEN)]);
}

#[tokio::test]
async fn an_owner_approves_only_where_owners_may() {
    let mut stage = Stage::new("approval_by = [\"approver\", \"owner\"]").await;
    let view = stage.open_modal(DANA, APPROVE).await;
    stage.submit(DANA, &view, "mine, and unused");
    stage.until_it_says("Approved by u0dana0001").await;
    let approval = stage.approval().unwrap();
    assert_eq!((&approval.granted[0].by, approval.granted[0].as_owner), (&in_slack(DANA), true));

    let mut stage = Stage::new("").await;
    let view = stage.open_modal(DANA, APPROVE).await;
    stage.submit(DANA, &view, "mine, and unused");
    let (user, text) = stage.whispered().await;
    assert_eq!(user, DANA);
    assert!(text.contains("the owner of"), "{text}");
    assert!(stage.journaled("approved").await.is_empty());
}

#[tokio::test]
async fn redelivery_and_two_people_at_once_decide_once() {
    let mut stage = Stage::new("").await;
    let (anna, ben) = (stage.open_modal(ANNA, APPROVE).await, stage.open_modal(BEN, APPROVE).await);
    let first = stage.stub.submission(ANNA, &anna, "fine").unwrap();
    // Slack repeats the envelope, then the payload in another one.
    let connections = stage.stub.connections().borrow().clone();
    assert!(connections.iter().all(|open| stage.stub.send(*open, "repeated", &first)));
    stage.send(&first);
    stage.submit(BEN, &ben, "fine, too");
    let (user, text) = stage.whispered().await;
    assert!(text.contains("already"), "{user}: {text}");
    let approved = stage.journaled("approved").await;
    assert_eq!(approved.len(), 1, "{approved:?}");

    // After a restart nobody remembers the envelope: the journal decides.
    let Value::Object(_) = &first else { panic!("no payload") };
    stage.restart().await;
    stage.listen().await;
    stage.send(&first);
    let (_, text) = stage.whispered().await;
    assert!(text.contains("already"), "{text}");
    assert_eq!(stage.journaled("approved").await.len(), 1);
}

#[tokio::test]
async fn a_deletion_can_be_denied_in_slack_but_not_approved() {
    let mut stage = Stage::set("").await;
    assert!(keysweep_tests::company::approve(&stage.engine, &stage.key).await.0);
    stage.days(8).await;
    assert_eq!(stage.company.status(&stage.key), "Inactive");
    stage.post().await;
    stage.listen().await;
    let message = stage.message().to_string();
    assert!(!message.contains(APPROVE) && message.contains("Approve on the page"), "{message}");
    let view = stage.open_modal(BEN, DENY).await;
    stage.submit(BEN, &view, "wait for the audit");
    stage.until_it_says("Denied by u0ben00001").await;
    assert_eq!(stage.journaled("denied").await, [in_slack(BEN)]);
    let ending = stage.engine.store().read(|state| {
        let last = state.outbox().messages().filter_map(|message| message.replaceable.as_ref()).next_back();
        last.and_then(|of| of.closings.values().next().map(|closing| closing.ending))
    });
    assert_eq!(ending, Some(Ending::Denied));
}

#[tokio::test]
async fn a_reload_ends_and_begins_the_connections() {
    let mut stage = Stage::new("").await;
    stage.reload("", "link").await;
    let mut connections = stage.stub.connections();
    soon(connections.wait_for(Vec::is_empty)).await.unwrap();
    let message = stage.until_it_says("Decide on the page").await.to_string();
    assert!(!message.contains(APPROVE), "{message}");
    stage.reload(crate::slack::stage::BOTH, "native").await;
    stage.connected().await;
    stage.until_it_says(APPROVE).await;
    let click = stage.click(ANNA, APPROVE);
    stage.send(&click);
    soon(stage.stub.next_call("views.open")).await;
    stage.submit(ANNA, &view_of(&click), "fine");
    stage.until_it_says("Approved by u0anna0001").await;
}
