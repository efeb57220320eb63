//! The Slack stub asked by Slack's clients and by our own: all must say the same, and understand the same.

use std::time::Duration;

use keysweep_notify::FailureKind::{Misconfigured, Rejected, Temporary};
use keysweep_notify::slack::{
    ApprovalActions, Modal, Posted, Slack, SlackMessage, SlackOptions, TextInput, approval_buttons,
};
use keysweep_tests::slack_stub::{Call, SlackStub, TOKEN, Trouble};
use serde_json::{Value, json};

use crate::channels::program::Program;

const ANNA: &str = "anna+keys@example.com";

pub(crate) async fn mk_stub() -> SlackStub {
    SlackStub::start(&[(ANNA, "U0ANNA")]).await.unwrap()
}

pub(crate) fn mk_slack(stub: &SlackStub, token: &str) -> Slack {
    let timeout = Duration::from_secs(60);
    Slack::new(SlackOptions { token: token.into(), api_url: Some(stub.url.clone()), timeout }).unwrap()
}

fn mk_message(text: &str) -> SlackMessage {
    let section = json!({ "type": "section", "text": { "type": "mrkdwn", "text": format!("*{text}* & <https://x.example|ü>") } });
    SlackMessage { text: text.to_owned(), blocks: vec![section, json!({ "type": "divider" })], thread: None }
}

/// An approval request with its buttons.
pub(crate) fn mk_request() -> SlackMessage {
    let actions = ApprovalActions { approve: "approve", deny: "deny", claim: "claim" };
    let buttons = approval_buttons(&actions, "opaque & <value>").unwrap();
    SlackMessage { blocks: vec![buttons], ..mk_message("Approve?") }
}

pub(crate) fn mk_modal() -> Modal {
    Modal {
        title: "Approve a deactivation of a key".to_owned(),
        context: "AKIAIOSFODNN7EXAMPLE & <!channel>".to_owned(),
        submit: "Approve".to_owned(),
        input: TextInput::reason("reason", "Why?"),
        callback_id: "approve".to_owned(),
        private_metadata: "opaque & <metadata>".to_owned(),
    }
}

/// The trigger of a click on "Approve…".
fn trigger(stub: &SlackStub, ts: &str) -> String {
    let click = stub.click("U0ANNA", "D0ANNA", ts, "approve").unwrap();
    click["trigger_id"].as_str().unwrap().to_owned()
}

/// What our client does, as a call that another can make.
fn post(to: &str, message: &SlackMessage) -> Value {
    let mut arguments = json!({ "channel": to, "text": message.text, "blocks": message.blocks,
        "unfurl_links": false, "unfurl_media": false });
    if let Some(thread) = &message.thread {
        arguments["thread_ts"] = json!(thread);
    }
    json!({ "method": "chat.postMessage", "arguments": arguments })
}

async fn ask(client: &mut Program, call: Value) -> Value {
    client.say(&call).await;
    client.json().await
}

/// Has a client of Slack's do all that ours does, and gives the calls that the stub saw.
async fn conversation_of(client: &mut Program, stub: &SlackStub) -> Vec<Call> {
    let team = ask(client, json!({ "method": "auth.test", "arguments": {} })).await;
    assert_eq!(
        (&team["ok"], &team["team"], &team["user"]),
        (&json!(true), &json!("acme"), &json!("keysweep"))
    );
    let lookup = |email: &str| json!({ "method": "users.lookupByEmail", "arguments": { "email": email } });
    assert_eq!(ask(client, lookup(ANNA)).await["user"]["id"], "U0ANNA");
    assert_eq!(ask(client, lookup("nobody@example.com")).await["error"], "users_not_found");
    let posted = ask(client, post("U0ANNA", &mk_message("Hello"))).await;
    assert_eq!(posted["channel"], "D0ANNA");
    let ts = posted["ts"].as_str().unwrap().to_owned();
    let reply = SlackMessage { thread: Some(ts.clone()), ..mk_message("Again") };
    assert_eq!(ask(client, post("U0ANNA", &reply)).await["message"]["thread_ts"], json!(ts));
    let update = mk_message("Done");
    let update = json!({ "channel": "D0ANNA", "ts": ts, "text": update.text, "blocks": update.blocks });
    assert_eq!(ask(client, json!({ "method": "chat.update", "arguments": update })).await["ts"], json!(ts));
    assert_eq!(ask(client, post("C0NOWHERE", &mk_message("x"))).await["error"], "channel_not_found");
    let request = ask(client, post("U0ANNA", &mk_request())).await;
    let trigger = trigger(stub, request["ts"].as_str().unwrap());
    let open = json!({ "trigger_id": trigger, "view": mk_modal().view().unwrap() });
    let open = json!({ "method": "views.open", "arguments": open });
    assert!(ask(client, open.clone()).await["view"]["id"].is_string());
    assert_eq!(ask(client, open).await["error"], "exchanged_trigger_id");
    let section =
        json!({ "type": "section", "text": { "type": "plain_text", "text": "Not <you>.", "emoji": false } });
    let whisper = |user: &str| {
        let arguments =
            json!({ "channel": "C0TEAM", "user": user, "text": "Not &lt;you&gt;.", "blocks": [section] });
        json!({ "method": "chat.postEphemeral", "arguments": arguments })
    };
    assert!(ask(client, whisper("U0ANNA")).await["message_ts"].is_string());
    assert_eq!(ask(client, whisper("U0OTHER")).await["error"], "user_not_in_channel");
    stub.take_calls()
}

/// The same with ours.
async fn conversation_of_ours(slack: &Slack, stub: &SlackStub) -> Vec<Call> {
    assert_eq!(slack.check().await.unwrap(), "acme as keysweep");
    assert_eq!(slack.user_by_email(ANNA).await.unwrap().as_deref(), Some("U0ANNA"));
    assert_eq!(slack.user_by_email("nobody@example.com").await.unwrap(), None);
    let posted = slack.post("U0ANNA", &mk_message("Hello")).await.unwrap();
    assert_eq!(posted.channel, "D0ANNA");
    let reply = SlackMessage { thread: Some(posted.ts.clone()), ..mk_message("Again") };
    slack.post("U0ANNA", &reply).await.unwrap();
    let updated = slack.update(&posted, &mk_message("Done")).await.unwrap();
    assert_eq!(updated, posted);
    let message = stub.message(&posted.channel, &posted.ts).unwrap();
    assert_eq!((&message["text"], &message["blocks"]), (&json!("Done"), &json!(mk_message("Done").blocks)));
    let failure = slack.post("C0NOWHERE", &mk_message("x")).await.unwrap_err();
    assert_eq!(failure.kind, Rejected, "{failure}");
    let request = slack.post("U0ANNA", &mk_request()).await.unwrap();
    let trigger = trigger(stub, &request.ts);
    assert!(slack.open_modal(&trigger, &mk_modal()).await.unwrap().starts_with('V'));
    let again = slack.open_modal(&trigger, &mk_modal()).await.unwrap_err();
    assert_eq!((again.kind, again.detail.as_str()), (Rejected, "slack views.open: exchanged_trigger_id"));
    slack.whisper("C0TEAM", "U0ANNA", "Not <you>.").await.unwrap();
    let elsewhere = slack.whisper("C0TEAM", "U0OTHER", "Not <you>.").await.unwrap_err();
    assert_eq!(elsewhere.kind, Rejected);
    stub.take_calls()
}

async fn clients(stub: &SlackStub, token: &str) -> [Program; 2] {
    let arguments = [stub.url.as_str(), token];
    [
        Program::python("slack_client.py", &arguments).await,
        Program::node("slack_client.mjs", &arguments).await,
    ]
}

#[tokio::test]
async fn slacks_clients_and_ours_make_the_same_calls() {
    // A stub each, so that messages get the same timestamps.
    let stub = mk_stub().await;
    let ours = conversation_of_ours(&mk_slack(&stub, TOKEN), &stub).await;
    assert_eq!(ours.len(), 12);
    for which in 0..2 {
        let stub = mk_stub().await;
        let [python, javascript] = &mut clients(&stub, TOKEN).await;
        let client = if which == 0 { python } else { javascript };
        assert_eq!(conversation_of(client, &stub).await, ours);
    }
}

#[tokio::test]
async fn slacks_clients_and_ours_understand_the_same_refusals() {
    let stub = mk_stub().await;
    for mut client in clients(&stub, TOKEN).await {
        let slack = mk_slack(&stub, TOKEN);
        for (code, kind) in [
            ("account_inactive", Misconfigured),
            ("missing_scope", Misconfigured),
            ("is_archived", Rejected),
            ("internal_error", Temporary),
        ] {
            stub.trouble(&[Trouble::Code(code), Trouble::Code(code)]);
            assert_eq!(ask(&mut client, post("U0ANNA", &mk_message("x"))).await["error"], code);
            let failure = slack.post("U0ANNA", &mk_message("x")).await.unwrap_err();
            assert_eq!((failure.kind, failure.detail), (kind, format!("slack chat.postMessage: {code}")));
        }
        stub.trouble(&[Trouble::RateLimited(30), Trouble::RateLimited(30)]);
        let limited = ask(&mut client, post("U0ANNA", &mk_message("x"))).await;
        assert_eq!(limited, json!({ "error": "ratelimited", "retry_after": 30 }));
        let failure = slack.post("U0ANNA", &mk_message("x")).await.unwrap_err();
        assert_eq!((failure.kind, failure.retry_after), (Temporary, Some(Duration::from_secs(30))));
        stub.trouble(&[Trouble::Status(503), Trouble::Status(503)]);
        assert!(ask(&mut client, post("U0ANNA", &mk_message("x"))).await["error"] != Value::Null);
        assert_eq!(slack.post("U0ANNA", &mk_message("x")).await.unwrap_err().kind, Temporary);
        // Neither made a second attempt by itself.
        assert_eq!(stub.take_calls().len(), 12);
    }
}

#[tokio::test]
async fn slacks_clients_and_ours_are_refused_with_a_wrong_token() {
    let stub = mk_stub().await;
    for mut client in clients(&stub, "xoxb-wrong").await {
        assert_eq!(
            ask(&mut client, json!({ "method": "auth.test", "arguments": {} })).await["error"],
            "invalid_auth"
        );
    }
    let slack = mk_slack(&stub, "xoxb-wrong");
    let failure = slack.check().await.unwrap_err();
    assert_eq!((failure.kind, failure.detail.as_str()), (Misconfigured, "slack auth.test: invalid_auth"));
    assert_eq!(slack.user_by_email(ANNA).await.unwrap_err().kind, Misconfigured);
    let posted = Posted { channel: "D0ANNA".to_owned(), ts: "1.0".to_owned() };
    assert_eq!(slack.update(&posted, &mk_message("x")).await.unwrap_err().kind, Misconfigured);
}
