//! Socket Mode of the Slack stub with Slack's clients and with our own: all must see the same, and answer the same.

use std::collections::BTreeMap;
use std::time::Duration;

use keysweep_notify::FailureKind::Misconfigured;
use keysweep_notify::slack::socket::{Event, Pace, Socket, SocketOptions};
use keysweep_notify::slack::{Posted, SlackMessage};
use keysweep_tests::slack_stub::{APP_TOKEN, SlackStub, TOKEN};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::channels::program::Program;
use crate::channels::slack::{mk_modal, mk_request, mk_slack, mk_stub};

const PATIENCE: Duration = Duration::from_secs(60);

fn options(stub: &SlackStub, app_token: &str) -> SocketOptions {
    SocketOptions {
        app_token: app_token.into(),
        api_url: Some(stub.url.clone()),
        timeout: PATIENCE,
        ca_pem: None,
        queue: 16,
        pace: Pace { answer: PATIENCE, ..Pace::default() },
    }
}

enum Client {
    Theirs(Box<Program>),
    Ours { events: mpsc::Receiver<Event>, _task: JoinSet<()> },
}

impl Client {
    fn ours(stub: &SlackStub) -> Self {
        let (socket, events) = Socket::new(options(stub, APP_TOKEN)).unwrap();
        let mut task = JoinSet::new();
        task.spawn(socket.run(std::future::pending()));
        Self::Ours { events, _task: task }
    }

    /// What the client received next. Each refuses the reason `refuse me`.
    async fn saw(&mut self) -> Value {
        match self {
            Self::Theirs(program) => read(&program.json().await),
            Self::Ours { events, .. } => {
                seen(timeout(PATIENCE, events.recv()).await.expect("no event came").unwrap())
            }
        }
    }
}

/// The parts of a payload that our client hands over.
fn read(payload: &Value) -> Value {
    let kind = &payload["type"];
    let user = [&payload["user"]["id"], &payload["user"]["username"], &payload["user"]["team_id"]];
    let view = &payload["view"];
    let view = [&view["callback_id"], &view["private_metadata"]];
    match kind.as_str().unwrap() {
        "block_actions" => {
            let action = [&payload["actions"][0]["action_id"], &payload["actions"][0]["value"]];
            let message = [&payload["channel"]["id"], &payload["message"]["ts"], &payload["trigger_id"]];
            json!([kind, user, action, message])
        }
        "view_submission" => {
            let reason = &payload["view"]["state"]["values"]["reason"]["reason"]["value"];
            json!([kind, user, view, { "reason": reason }])
        }
        _ => json!([kind, user, view]),
    }
}

/// The same of an event.
fn seen(event: Event) -> Value {
    match event {
        Event::Click(click) => {
            let user = [click.user.id, click.user.name, click.team];
            let message = [click.channel, click.message_ts, click.trigger_id];
            json!(["block_actions", user, [click.action_id, click.value], message])
        }
        Event::Submitted(submission, reply) => {
            if submission.fields["reason"] == "refuse me" {
                assert!(reply.refuse(&BTreeMap::from([("reason".to_owned(), "No.".to_owned())])));
            }
            let user = [submission.user.id, submission.user.name, submission.team];
            let view = [submission.callback_id, submission.private_metadata];
            json!(["view_submission", user, view, submission.fields])
        }
        Event::Closed(closed) => {
            let user = [closed.user.id, closed.user.name, closed.team];
            json!(["view_closed", user, [closed.callback_id, closed.private_metadata]])
        }
    }
}

async fn until(connections: &mut watch::Receiver<Vec<u64>>, is: impl FnMut(&Vec<u64>) -> bool) -> Vec<u64> {
    let reached = timeout(PATIENCE, connections.wait_for(is)).await;
    reached.expect("the connections did not come").unwrap().clone()
}

/// The acknowledgement of an envelope that went through a connection.
async fn answer(stub: &SlackStub, connection: u64, envelope: &str) -> Option<Value> {
    let answer = timeout(PATIENCE, stub.acknowledgement()).await.expect("no acknowledgement came").unwrap();
    assert_eq!((answer.connection, answer.envelope_id.as_str()), (connection, envelope));
    answer.payload
}

/// Has a client receive one of each, and gives what it saw and how it answered.
async fn conversation(stub: &SlackStub, client: &mut Client) -> Vec<(Value, Option<Value>)> {
    let slack = mk_slack(stub, TOKEN);
    let mut connections = stub.connections();
    let first = until(&mut connections, |open| !open.is_empty()).await[0];
    let Posted { channel, ts } = slack.post("U0ANNA", &mk_request()).await.unwrap();
    let click = stub.click("U0ANNA", &channel, &ts, "approve").unwrap();
    let mut all = Vec::new();
    assert!(stub.send(first, "click", &click));
    all.push((client.saw().await, answer(stub, first, "click").await));
    let view = slack.open_modal(click["trigger_id"].as_str().unwrap(), &mk_modal()).await.unwrap();
    for (envelope, reason) in [("refused", "refuse me"), ("accepted", "because\n\"ü\"")] {
        assert!(stub.send(first, envelope, &stub.submission("U0ANNA", &view, reason).unwrap()));
        all.push((client.saw().await, answer(stub, first, envelope).await));
    }
    assert!(stub.send(first, "closed", &stub.close("U0ANNA", &view).unwrap()));
    all.push((client.saw().await, answer(stub, first, "closed").await));
    // A client that is told to reconnect does.
    assert!(stub.disconnect(first, "warning"));
    let open = until(&mut connections, |open| !open.contains(&first) && !open.is_empty()).await;
    let again = *open.last().unwrap();
    let click = stub.click("U0ANNA", &channel, &ts, "claim").unwrap();
    assert!(stub.send(again, "again", &click));
    all.push((client.saw().await, answer(stub, again, "again").await));
    all
}

#[tokio::test]
async fn slacks_socket_clients_and_ours_see_and_answer_the_same() {
    // A stub each, so that messages and modals get the same IDs.
    let stub = mk_stub().await;
    let ours = conversation(&stub, &mut Client::ours(&stub)).await;
    let refusal = json!({ "response_action": "errors", "errors": { "reason": "No." } });
    let answers: Vec<_> = ours.iter().map(|(_, answer)| answer.clone()).collect();
    assert_eq!(answers, [None, Some(refusal), None, None, None]);
    let stub = mk_stub().await;
    let python = Program::python("slack_socket.py", &[&stub.url, APP_TOKEN]).await;
    assert_eq!(conversation(&stub, &mut Client::Theirs(Box::new(python))).await, ours);
    let stub = mk_stub().await;
    let javascript = Program::node("slack_socket.mjs", &[&stub.url, APP_TOKEN]).await;
    assert_eq!(conversation(&stub, &mut Client::Theirs(Box::new(javascript))).await, ours);
}

#[tokio::test]
async fn ours_has_two_connections_and_takes_an_event_once() {
    let stub = mk_stub().await;
    let mut client = Client::ours(&stub);
    let Posted { channel, ts } = mk_slack(&stub, TOKEN).post("C0TEAM", &mk_request()).await.unwrap();
    let open = until(&mut stub.connections(), |open| open.len() == 2).await;
    let once = stub.click("U0ANNA", &channel, &ts, "approve").unwrap();
    let twice = stub.click("U0ANNA", &channel, &ts, "approve").unwrap();
    for (connection, envelope, click) in
        [(open[0], "e1", &once), (open[1], "e1", &once), (open[1], "e2", &once), (open[0], "e3", &twice)]
    {
        assert!(stub.send(connection, envelope, click));
        assert_eq!(answer(&stub, connection, envelope).await, None);
    }
    // Two clicks on one button are two events.
    assert_eq!([client.saw().await, client.saw().await], [read(&once), read(&twice)]);
}

#[tokio::test]
async fn an_approval_request_is_answered_and_replaced_in_place() {
    let stub = mk_stub().await;
    let slack = mk_slack(&stub, TOKEN);
    let mut client = Client::ours(&stub);
    let posted = slack.post("C0TEAM", &mk_request()).await.unwrap();
    let open = until(&mut stub.connections(), |open| !open.is_empty()).await[0];
    let click = stub.click("U0ANNA", &posted.channel, &posted.ts, "approve").unwrap();
    assert!(stub.send(open, "e1", &click));
    answer(&stub, open, "e1").await;
    client.saw().await;
    let view = slack.open_modal(click["trigger_id"].as_str().unwrap(), &mk_modal()).await.unwrap();
    // A reason that is missing never reaches the consumer.
    for (envelope, reason) in [("e2", ""), ("e3", " \n ")] {
        assert!(stub.send(open, envelope, &stub.submission("U0ANNA", &view, reason).unwrap()));
        let answer = answer(&stub, open, envelope).await.unwrap();
        assert_eq!(answer["errors"]["reason"], "This is required.");
    }
    assert!(stub.send(open, "e4", &stub.submission("U0ANNA", &view, "because").unwrap()));
    assert_eq!(client.saw().await[3]["reason"], "because");
    assert_eq!(answer(&stub, open, "e4").await, None);
    let outcome = SlackMessage { text: "Approved by anna.".to_owned(), blocks: Vec::new(), thread: None };
    assert_eq!(slack.update(&posted, &outcome).await.unwrap(), posted);
    assert_eq!(stub.message(&posted.channel, &posted.ts).unwrap()["text"], "Approved by anna.");
    assert_eq!(stub.click("U0ANNA", &posted.channel, &posted.ts, "approve"), None, "its buttons are gone");
}

#[tokio::test]
async fn a_wrong_app_token_is_for_an_operator_to_change() {
    let stub = mk_stub().await;
    let (socket, _events) = Socket::new(options(&stub, "xapp-wrong")).unwrap();
    let failure = socket.check().await.unwrap_err();
    assert_eq!(
        (failure.kind, failure.detail.as_str()),
        (Misconfigured, "slack apps.connections.open: invalid_auth")
    );
    assert!(Socket::new(options(&stub, TOKEN)).unwrap_err().contains("xapp-"));
    let (socket, _events) = Socket::new(options(&stub, APP_TOKEN)).unwrap();
    socket.check().await.unwrap();
}
