//! Messages that are replaced in place.

use keysweep::people::slack::Replacer;
use keysweep_core::notice::Posted;
use keysweep_tests::company::approve;
use keysweep_tests::slack_stub::Trouble;

use crate::slack::stage::{APPROVE, Stage};

fn updates(stage: &Stage) -> usize {
    stage.stub.take_calls().iter().filter(|call| call.method == "chat.update").count()
}

#[tokio::test]
async fn a_decision_elsewhere_shows_in_the_message() {
    let stage = Stage::new("").await;
    assert!(approve(&stage.engine, &stage.key).await.0);
    let message = stage.until_it_says("Approved by alice").await;
    assert!(!message.to_string().contains(APPROVE), "{message:#}");
    assert!(message["text"].as_str().unwrap().contains("This request for approval is closed"), "{message:#}");
}

#[tokio::test]
async fn a_message_is_replaced_when_it_should_say_something_else() {
    let stage = Stage::set("").await;
    let mut replacer = Replacer::default();
    replacer.round(&stage.engine).await;
    stage.post().await;
    for _ in 0..3 {
        replacer.round(&stage.engine).await;
    }
    assert_eq!(updates(&stage), 0, "it says already what it should");
    assert!(approve(&stage.engine, &stage.key).await.0);
    for _ in 0..3 {
        replacer.round(&stage.engine).await;
    }
    assert_eq!(updates(&stage), 1);
}

#[tokio::test]
async fn a_restart_knows_where_the_message_is() {
    let mut stage = Stage::new("").await;
    let place: Posted = stage.place();
    stage.restart().await;
    assert_eq!(stage.place(), place);
    assert!(approve(&stage.engine, &stage.key).await.0);
    updates(&stage);
    let mut replacer = Replacer::default();
    replacer.round(&stage.engine).await;
    assert!(stage.message().to_string().contains("Approved by alice"));
    replacer.round(&stage.engine).await;
    assert_eq!(updates(&stage), 1);
}

#[tokio::test]
async fn an_update_that_fails_is_tried_again_unless_it_never_works() {
    for (trouble, tries) in [(Trouble::Status(502), 2), (Trouble::Code("message_not_found"), 1)] {
        let stage = Stage::set("").await;
        let mut replacer = Replacer::default();
        replacer.round(&stage.engine).await;
        stage.post().await;
        assert!(approve(&stage.engine, &stage.key).await.0);
        updates(&stage);
        stage.stub.trouble(&[trouble]);
        replacer.round(&stage.engine).await;
        // It rests first.
        replacer.round(&stage.engine).await;
        assert_eq!(updates(&stage), 1);
        tokio::time::pause();
        tokio::time::advance(std::time::Duration::from_secs(11)).await;
        tokio::time::resume();
        replacer.round(&stage.engine).await;
        assert_eq!(1 + updates(&stage), tries, "{trouble:?}");
    }
}

#[tokio::test]
async fn the_message_keeps_its_outcome_until_it_is_forgotten() {
    let stage = Stage::set("").await;
    stage.post().await;
    assert!(approve(&stage.engine, &stage.key).await.0);
    let place = stage.place();
    let known = |stage: &Stage| {
        stage.engine.store().read(|state| {
            let mut of = state.outbox().messages().filter_map(|message| message.replaceable.as_ref());
            of.any(|of| of.place == place)
        })
    };
    stage.days(8).await;
    assert_eq!(stage.company.status(&stage.key), "Inactive");
    let mut replacer = Replacer::default();
    replacer.round(&stage.engine).await;
    let message = stage.stub.message(&place.channel, &place.ts).unwrap().to_string();
    assert!(message.contains("Approved by alice"), "the change that it asked for is made: {message}");
    assert!(known(&stage));
    stage.days(9).await;
    assert!(!known(&stage), "a week after it was closed");
}

#[tokio::test]
async fn a_request_that_nobody_answers_says_so() {
    let stage = Stage::set("approval_expires = \"2d\"").await;
    let mut replacer = Replacer::default();
    replacer.round(&stage.engine).await;
    stage.post().await;
    let place = stage.place();
    stage.days(3).await;
    replacer.round(&stage.engine).await;
    let message = stage.stub.message(&place.channel, &place.ts).unwrap().to_string();
    assert!(message.contains("Expired: nobody decided in time") && !message.contains(APPROVE), "{message}");
}
