//! Socket Mode against a server that drops, repeats, reorders, and lies. What Slack's own clients make of the same
//! protocol is proven elsewhere.

use std::collections::BTreeMap;
use std::time::Duration;

use keysweep_notify::FailureKind::Misconfigured;
use keysweep_notify::slack::socket::{Click, Event, Pace, Person, Socket, SocketOptions, SocketState};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::authority::Authority;
use crate::socket_server::{PATIENCE, Peer, SocketServer};

const TOKEN: &str = "xapp-1-t0ken";

/// Quick to retry, and otherwise as patient as the tests.
const PACE: Pace = Pace {
    hello: PATIENCE,
    ping: Duration::from_secs(3_600),
    silence: Duration::from_secs(3_600),
    answer: PATIENCE,
    backoff_min: Duration::from_millis(1),
    backoff_max: Duration::from_millis(1),
    steady: Duration::ZERO,
};

fn options(api_url: String) -> SocketOptions {
    SocketOptions {
        app_token: TOKEN.into(),
        api_url: Some(api_url),
        timeout: PATIENCE,
        ca_pem: None,
        queue: 16,
        pace: PACE,
    }
}

/// A socket that runs until it is dropped.
struct Running {
    events: mpsc::Receiver<Event>,
    state: watch::Receiver<SocketState>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinSet<()>,
}

impl Running {
    fn start(options: SocketOptions) -> Self {
        let (socket, events) = Socket::new(options).unwrap();
        assert!(!format!("{socket:?}").contains("t0ken"));
        let state = socket.state();
        let (stop, stopped) = oneshot::channel();
        let mut task = JoinSet::new();
        task.spawn(socket.run(async move {
            let _ = stopped.await;
        }));
        Self { events, state, stop: Some(stop), task }
    }

    async fn until(&mut self, is: impl FnMut(&SocketState) -> bool) -> SocketState {
        let reached = timeout(PATIENCE, self.state.wait_for(is)).await;
        reached.unwrap_or_else(|_| panic!("the state was not reached")).unwrap().clone()
    }

    async fn event(&mut self) -> Event {
        timeout(PATIENCE, self.events.recv()).await.unwrap_or_else(|_| panic!("no event came")).unwrap()
    }

    async fn click(&mut self) -> String {
        match self.event().await {
            Event::Click(click) => click.value,
            other => panic!("{other:?}"),
        }
    }

    async fn stopped(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        timeout(PATIENCE, self.task.join_next())
            .await
            .unwrap_or_else(|_| panic!("the socket did not stop"))
            .unwrap()
            .unwrap();
    }
}

/// A server and a socket with a connection for each slot.
async fn mk_pair(change: impl FnOnce(&mut SocketOptions)) -> (SocketServer, Running, [Peer; 2]) {
    let mut server = SocketServer::start().await;
    let mut options = options(api(&server));
    change(&mut options);
    let running = Running::start(options);
    let peers = [server.greeted().await, server.greeted().await];
    (server, running, peers)
}

fn api(server: &SocketServer) -> String {
    format!("http://127.0.0.1:{}/api/", server.api.port)
}

fn interactive(id: &str, payload: Value) -> Value {
    json!({ "type": "interactive", "envelope_id": id, "accepts_response_payload": true, "payload": payload })
}

fn click_payload(value: &str) -> Value {
    json!({
        "type": "block_actions",
        "user": { "id": "U1", "username": "anna\u{202E}\n", "team_id": "T1" },
        "team": { "id": "T0", "domain": "acme" },
        "container": { "type": "message", "message_ts": "1.2", "channel_id": "C1", "is_ephemeral": false },
        "channel": { "id": "C1" },
        "trigger_id": format!("1.2.{}", value.len()),
        "actions": [{ "type": "button", "action_id": "approve", "block_id": "b", "value": value, "action_ts": "3" }],
    })
}

fn click(id: &str, value: &str) -> Value {
    interactive(id, click_payload(value))
}

fn submission(id: &str, reason: Value) -> Value {
    let input = json!({ "type": "input", "block_id": "reason", "optional": false,
        "element": { "type": "plain_text_input", "action_id": "reason", "min_length": 1, "max_length": 500 } });
    interactive(
        id,
        json!({
            "type": "view_submission",
            "user": { "id": "U1", "name": "anna", "team_id": "T1" },
            "trigger_id": format!("t.{id}"),
            "view": { "id": "V1", "type": "modal", "callback_id": "approve", "private_metadata": "{opaque}",
                "blocks": [{ "type": "section" }, input],
                "state": { "values": { "reason": { "reason": { "type": "plain_text_input", "value": reason } } } } },
        }),
    )
}

#[tokio::test]
async fn a_click_says_who_what_and_where() {
    let (server, mut running, [mut peer, _other]) = mk_pair(|_| {}).await;
    peer.acknowledged(&click("e1", "v & <v>")).await;
    let Event::Click(click) = running.event().await else { panic!("not a click") };
    let expected = Click {
        user: Person { id: "U1".to_owned(), name: "anna".to_owned() },
        team: "T1".to_owned(),
        action_id: "approve".to_owned(),
        value: "v & <v>".to_owned(),
        channel: "C1".to_owned(),
        message_ts: "1.2".to_owned(),
        trigger_id: "1.2.7".to_owned(),
    };
    assert_eq!(click, expected);
    let request = server.api.requests().remove(0);
    assert_eq!(request.line, "POST /api/apps.connections.open HTTP/1.1");
    assert_eq!(request.headers.get("authorization").unwrap(), &format!("Bearer {TOKEN}"));
}

#[tokio::test]
async fn an_event_is_acknowledged_before_the_consumer_looks_at_it() {
    let (_server, mut running, [mut one, mut two]) = mk_pair(|_| {}).await;
    // Nobody takes an event meanwhile.
    for n in 0..8 {
        one.acknowledged(&click(&format!("a{n}"), &format!("a{n}"))).await;
        two.acknowledged(&click(&format!("b{n}"), &format!("b{n}"))).await;
    }
    for n in 0..8 {
        assert_eq!([running.click().await, running.click().await], [format!("a{n}"), format!("b{n}")]);
    }
}

#[tokio::test]
async fn a_waiting_reply_holds_up_nothing_else() {
    let (_server, mut running, [mut peer, _other]) = mk_pair(|_| {}).await;
    peer.json(&submission("s1", json!("because"))).await;
    let Event::Submitted(submission, reply) = running.event().await else { panic!("not a submission") };
    assert_eq!(
        (submission.callback_id.as_str(), submission.private_metadata.as_str()),
        ("approve", "{opaque}")
    );
    assert_eq!(submission.fields, BTreeMap::from([("reason".to_owned(), "because".to_owned())]));
    peer.acknowledged(&click("c1", "meanwhile")).await;
    let errors = BTreeMap::from([("reason".to_owned(), "Somebody was faster.".to_owned())]);
    assert!(reply.refuse(&errors));
    let payload = json!({ "response_action": "errors", "errors": { "reason": "Somebody was faster." } });
    assert_eq!(peer.acknowledgement().await, json!({ "envelope_id": "s1", "payload": payload }));
}

#[tokio::test]
async fn a_submission_is_accepted_by_reply_by_drop_and_by_timeout() {
    let (_server, mut running, [mut peer, _other]) =
        mk_pair(|options| options.pace.answer = Duration::from_millis(100)).await;
    for how in ["accept", "drop", "timeout"] {
        peer.json(&submission(how, json!(how))).await;
        let Event::Submitted(_, reply) = running.event().await else { panic!("not a submission") };
        let late = match how {
            "accept" => {
                reply.accept();
                None
            }
            "drop" => None,
            _ => Some(reply),
        };
        assert_eq!(peer.acknowledgement().await, json!({ "envelope_id": how }));
        if let Some(reply) = late {
            assert!(!reply.refuse(&BTreeMap::from([("reason".to_owned(), "x".to_owned())])), "too late");
        }
    }
}

#[tokio::test]
async fn a_text_that_the_modal_does_not_allow_is_refused_at_once() {
    let (_server, mut running, [mut peer, _other]) = mk_pair(|_| {}).await;
    let long = "x".repeat(501);
    for (n, text) in [json!(null), json!(""), json!(" \n "), json!(long)].into_iter().enumerate() {
        let id = format!("s{n}");
        peer.json(&submission(&id, text)).await;
        let answer = peer.acknowledgement().await;
        assert_eq!(
            (&answer["envelope_id"], &answer["payload"]["response_action"]),
            (&json!(id), &json!("errors"))
        );
        assert!(answer["payload"]["errors"]["reason"].is_string(), "{answer}");
    }
    // The consumer saw none of them.
    peer.acknowledged(&click("c", "sentinel")).await;
    assert_eq!(running.click().await, "sentinel");
}

#[tokio::test]
async fn a_closed_modal_is_an_event() {
    let (_server, mut running, [mut peer, _other]) = mk_pair(|_| {}).await;
    let view = json!({ "callback_id": "deny", "private_metadata": "m" });
    let payload =
        json!({ "type": "view_closed", "user": { "id": "U1" }, "team": { "id": "T0" }, "view": view });
    peer.acknowledged(&interactive("v1", payload)).await;
    let Event::Closed(closed) = running.event().await else { panic!("not closed") };
    assert_eq!((closed.user.name.as_str(), closed.team.as_str()), ("U1", "T0"));
    assert_eq!((closed.callback_id.as_str(), closed.private_metadata.as_str()), ("deny", "m"));
}

#[tokio::test]
async fn a_repeated_event_is_acknowledged_and_delivered_once() {
    let (_server, mut running, [mut one, mut two]) = mk_pair(|_| {}).await;
    one.acknowledged(&click("e1", "once")).await;
    // The same envelope, on either connection, and the same payload in another envelope.
    one.acknowledged(&click("e1", "once")).await;
    two.acknowledged(&click("e1", "once")).await;
    two.acknowledged(&click("e2", "once")).await;
    two.acknowledged(&click("e3", "sentinel")).await;
    assert_eq!([running.click().await, running.click().await], ["once", "sentinel"]);
    let state = running.until(|state| state.delivered == 2).await;
    assert_eq!(state.duplicates, 3);
}

#[tokio::test]
async fn a_repeated_submission_gets_the_first_answer() {
    let (_server, mut running, [mut one, mut two]) = mk_pair(|_| {}).await;
    one.json(&submission("s1", json!("because"))).await;
    let Event::Submitted(_, reply) = running.event().await else { panic!("not a submission") };
    two.json(&submission("s1", json!("because"))).await;
    running.until(|state| state.duplicates == 1).await;
    two.nothing_is_acknowledged().await;
    assert!(reply.refuse(&BTreeMap::from([("reason".to_owned(), "No.".to_owned())])));
    let answer = one.acknowledgement().await;
    assert_eq!(answer["payload"]["errors"]["reason"], "No.");
    assert_eq!(two.acknowledgement().await, answer);
}

#[tokio::test]
async fn a_full_queue_loses_nothing() {
    let (_server, mut running, [mut one, mut two]) = mk_pair(|options| {
        options.queue = 1;
        options.pace.answer = Duration::from_millis(100);
    })
    .await;
    one.acknowledged(&click("e1", "first")).await;
    one.json(&click("e2", "second")).await;
    running.until(|state| state.unacknowledged == 1).await;
    one.nothing_is_acknowledged().await;
    assert_eq!(running.click().await, "first");
    // Slack delivers again, elsewhere.
    two.acknowledged(&click("e2", "second")).await;
    assert_eq!(running.click().await, "second");
}

#[tokio::test]
async fn an_event_waits_for_space_in_the_queue() {
    let (_server, mut running, [mut one, _two]) = mk_pair(|options| options.queue = 1).await;
    one.acknowledged(&click("e1", "first")).await;
    one.json(&click("e2", "second")).await;
    one.nothing_is_acknowledged().await;
    assert_eq!(running.click().await, "first");
    assert_eq!(one.acknowledgement().await, json!({ "envelope_id": "e2" }));
    assert_eq!(running.click().await, "second");
}

#[tokio::test]
async fn an_event_whose_connection_broke_while_it_waited_is_delivered_when_repeated() {
    let (_server, mut running, [mut one, mut two]) = mk_pair(|options| options.queue = 1).await;
    one.acknowledged(&click("e1", "first")).await;
    one.json(&click("e2", "second")).await;
    one.nothing_is_acknowledged().await;
    drop(one);
    running.until(|state| state.last_error.is_some()).await;
    assert_eq!(running.click().await, "first");
    two.acknowledged(&click("e2", "second")).await;
    assert_eq!(running.click().await, "second");
}

#[tokio::test]
async fn malformed_envelopes_are_acknowledged_and_dropped() {
    let (_server, mut running, [mut peer, _other]) = mk_pair(|_| {}).await;
    let broken = |pointer: &str, value: Value| {
        let mut payload = click_payload("x");
        *payload.pointer_mut(pointer).unwrap() = value;
        payload
    };
    let payloads = [
        json!(null),
        json!([]),
        json!("block_actions"),
        json!({ "type": 7 }),
        json!({ "type": "block_actions" }),
        broken("/actions", json!([])),
        broken("/actions/0/action_id", json!("")),
        broken("/actions/0/value", json!("v".repeat(2_001))),
        broken("/user", json!("U1")),
        broken("/user/id", json!("U 1")),
        broken("/container/channel_id", json!("x".repeat(300))),
        broken("/container/message_ts", json!({})),
        broken("/trigger_id", json!(null)),
        json!({ "type": "view_submission", "user": { "id": "U1", "team_id": "T1" } }),
        json!({ "type": "view_closed", "view": { "callback_id": "c" } }),
    ];
    let count = payloads.len();
    for (n, payload) in payloads.into_iter().enumerate() {
        peer.acknowledged(&interactive(&format!("m{n}"), payload)).await;
    }
    peer.acknowledged(&json!({ "type": "interactive", "envelope_id": "m" })).await;
    peer.acknowledged(&json!({ "envelope_id": "m" })).await;
    let state = running.until(|state| state.malformed == count as u64 + 2).await;
    assert_eq!((state.delivered, state.open), (0, 2));
    peer.acknowledged(&click("c", "sentinel")).await;
    assert_eq!(running.click().await, "sentinel");
}

#[tokio::test]
async fn what_the_app_has_no_use_for_is_acknowledged() {
    let (_server, mut running, [mut peer, _other]) = mk_pair(|_| {}).await;
    peer.acknowledged(&json!({ "type": "slash_commands", "envelope_id": "u1", "payload": {} })).await;
    peer.acknowledged(&json!({ "type": "events_api", "envelope_id": "u2", "payload": {} })).await;
    peer.acknowledged(&interactive("u3", json!({ "type": "shortcut" }))).await;
    let mut in_view = click_payload("x");
    in_view["container"] = json!({ "type": "view", "view_id": "V1" });
    peer.acknowledged(&interactive("u4", in_view)).await;
    peer.acknowledged(&click("c", "sentinel")).await;
    assert_eq!(running.click().await, "sentinel");
    assert_eq!(running.until(|_| true).await.malformed, 0);
}

#[tokio::test]
async fn garbage_is_dropped_and_the_connection_stays() {
    let (_server, mut running, [mut peer, _other]) = mk_pair(|_| {}).await;
    let deep = "[".repeat(100_000);
    for text in
        ["", "{", "null", "[]", "\u{0}", "{\"type\":\"interactive\"}", "{\"envelope_id\":\"\"}", &deep]
    {
        peer.frame(Message::text(text)).await;
    }
    peer.frame(Message::binary(vec![0; 100])).await;
    peer.json(&interactive(&"i".repeat(256), click_payload("x"))).await;
    running.until(|state| state.malformed == 10).await;
    peer.acknowledged(&click("c", "sentinel")).await;
    assert_eq!(running.click().await, "sentinel");
}

#[tokio::test]
async fn a_message_that_is_too_large_ends_its_connection_only() {
    let (mut server, mut running, [mut one, mut two]) = mk_pair(|_| {}).await;
    one.try_frame(Message::text("x".repeat((1 << 20) + 1))).await;
    running.until(|state| state.open == 1 && state.last_error.is_some()).await;
    two.acknowledged(&click("c", "here")).await;
    assert_eq!(running.click().await, "here");
    // What comes in its place works as before.
    let mut three = server.greeted().await;
    let state = running.until(|state| state.open == 2).await;
    assert_eq!(state.last_error, None);
    three.acknowledged(&click("d", "there")).await;
    assert_eq!(running.click().await, "there");
}

#[tokio::test]
async fn a_connection_is_replaced_before_slack_closes_it() {
    let (mut server, mut running, [mut one, mut two]) = mk_pair(|_| {}).await;
    for (reason, name) in [("warning", "a"), ("refresh_requested", "b"), ("a_new_one", "c")] {
        one.disconnect(reason).await;
        let mut replacement = server.silent().await;
        // The old one works until the new one does.
        one.acknowledged(&click(&format!("old-{name}"), name)).await;
        assert_eq!(running.click().await, name);
        assert!(running.until(|_| true).await.open >= 2);
        replacement.hello().await;
        one.ended().await;
        replacement.acknowledged(&click(&format!("new-{name}"), &format!("new-{name}"))).await;
        assert_eq!(running.click().await, format!("new-{name}"));
        one = replacement;
    }
    two.acknowledged(&click("e", "still")).await;
    assert_eq!(running.click().await, "still");
    let state = running.until(|state| state.open == 2).await;
    assert_eq!(state.last_error, None);
}

#[tokio::test]
async fn one_connection_serves_while_the_other_is_down() {
    let (mut server, mut running, [one, mut two]) = mk_pair(|_| {}).await;
    drop(one);
    let unfinished = server.raw().await;
    two.acknowledged(&click("e1", "served")).await;
    assert_eq!(running.click().await, "served");
    assert_eq!(running.until(|state| state.open == 1).await.open, 1);
    drop(unfinished);
    let _three = server.greeted().await;
    running.until(|state| state.open == 2).await;
}

#[tokio::test]
async fn both_connections_come_back_at_once() {
    let (mut server, mut running, peers) = mk_pair(|_| {}).await;
    drop(peers);
    let [mut one, mut two] = [server.greeted().await, server.greeted().await];
    running.until(|state| state.open == 2).await;
    one.acknowledged(&click("e1", "one")).await;
    two.acknowledged(&click("e2", "two")).await;
    assert_eq!([running.click().await, running.click().await], ["one", "two"]);
}

#[tokio::test]
async fn a_connection_without_a_greeting_does_not_count() {
    let mut server = SocketServer::start().await;
    let mut options = options(api(&server));
    options.pace.hello = Duration::from_millis(50);
    let mut running = Running::start(options);
    let (mut one, mut two) = (server.silent().await, server.silent().await);
    one.ended().await;
    two.ended().await;
    let state = running.until(|state| state.last_error.is_some()).await;
    assert_eq!(state.open, 0);
    assert_eq!(state.last_error.unwrap().detail, "slack socket: Slack did not greet");
}

#[tokio::test]
async fn an_event_before_the_greeting_is_an_event() {
    let mut server = SocketServer::start().await;
    let mut running = Running::start(options(api(&server)));
    let mut peer = server.silent().await;
    peer.acknowledged(&click("e1", "early")).await;
    peer.hello().await;
    assert_eq!(running.click().await, "early");
}

#[tokio::test]
async fn a_silent_connection_is_replaced() {
    let mut server = SocketServer::start().await;
    let mut options = options(api(&server));
    options.pace.silence = Duration::from_millis(200);
    let mut running = Running::start(options);
    // The server reads nothing after the greeting, so that it answers no ping either.
    let quiet = [server.greeted().await, server.greeted().await];
    let again = server.silent().await;
    let state = running.until(|state| state.last_error.is_some()).await;
    assert_eq!(state.last_error.unwrap().detail, "slack socket: nothing arrived for too long");
    drop((quiet, again));
}

#[tokio::test]
async fn pings_keep_a_connection_without_events() {
    let (_server, mut running, [mut one, mut two]) = mk_pair(|options| {
        options.pace.ping = Duration::from_millis(100);
        options.pace.silence = Duration::from_secs(3);
    })
    .await;
    // Longer than the silence that is allowed.
    tokio::join!(one.pinged(45), two.pinged(45));
    let state = running.until(|_| true).await;
    assert_eq!((state.open, state.last_error), (2, None));
}

#[tokio::test]
async fn a_disabled_socket_mode_is_for_an_operator_to_change() {
    for (reason, part) in
        [("link_disabled", "Socket Mode is disabled"), ("too_many_websockets", "too many connections")]
    {
        let (mut server, mut running, [mut one, _two]) =
            mk_pair(|options| options.pace.backoff_max = Duration::from_secs(3_600)).await;
        one.disconnect(reason).await;
        let state = running.until(|state| state.open == 1 && state.last_error.is_some()).await;
        let failure = state.last_error.unwrap();
        assert_eq!(failure.kind, Misconfigured);
        assert!(failure.detail.contains(part), "{failure}");
        running.stopped().await;
        // Nothing came back to be refused again.
        assert_eq!(server.api.requests().len(), 2);
        drop(server.raw());
    }
}

#[tokio::test]
async fn a_stopped_socket_answers_what_it_took_and_closes() {
    let (_server, mut running, [mut one, mut two]) = mk_pair(|_| {}).await;
    one.json(&submission("s1", json!("because"))).await;
    let Event::Submitted(_, reply) = running.event().await else { panic!("not a submission") };
    running.stop.take().unwrap().send(()).unwrap();
    two.ended().await;
    assert!(reply.accept());
    assert_eq!(one.acknowledgement().await, json!({ "envelope_id": "s1" }));
    one.ended().await;
    timeout(PATIENCE, running.task.join_next()).await.unwrap().unwrap().unwrap();
    assert_eq!(running.state.borrow().open, 0);
}

#[tokio::test]
async fn a_socket_without_a_consumer_stops() {
    let (_server, mut running, [mut one, mut two]) = mk_pair(|_| {}).await;
    drop(running.events);
    one.ended().await;
    two.ended().await;
    timeout(PATIENCE, running.task.join_next()).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_websocket_runs_over_tls_that_is_checked() {
    let authority = Authority::issuing("127.0.0.1");
    let mut server = SocketServer::over(Some(authority.server.clone())).await;
    let url = format!("https://127.0.0.1:{}/api/", server.api.port);
    let trusting = SocketOptions { ca_pem: Some(authority.ca_pem.clone()), ..options(url.clone()) };
    let mut running = Running::start(trusting);
    server.greeted().await.acknowledged(&click("e1", "over TLS")).await;
    assert_eq!(running.click().await, "over TLS");
    let (socket, _events) = Socket::new(options(url)).unwrap();
    let failure = socket.check().await.unwrap_err();
    assert_eq!(failure.kind, Misconfigured, "{failure}");
}
