//! The wire over a socket.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use crate::support::*;
use keysweep_sim::{Fault, Rule, Server};

async fn send_to(server: &Server, request: http::Request<Bytes>) -> Result<(u16, String), ()> {
    let (mut parts, body) = request.into_parts();
    parts.uri = server.endpoint().parse().expect("an address");
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let request = http::Request::from_parts(parts, Full::new(body));
    let response = client.request(request).await.map_err(|_| ())?;
    assert!(response.headers().contains_key("date"));
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.map_err(|_| ())?.to_bytes();
    Ok((status, String::from_utf8(body.to_vec()).expect("text")))
}

#[tokio::test]
async fn the_server_speaks_the_same_wire_and_stops() {
    let (sim, _) = mk_sim(&mk_clock());
    let server = sim.serve().await.expect("a port");
    assert!(server.addr().ip().is_loopback());
    let caller = session(&sim).await;
    let (status, body) =
        send_to(&server, mk_request(&caller, "iam", None, "Action=ListUsers")).await.expect("an answer");
    assert_eq!(status, 200);
    assert!(body.contains("<UserName>svc-a</UserName>"));
    server.shutdown().await;
    assert_eq!(sim.call_count(PROD, "iam:ListUsers"), 1);
}

#[tokio::test]
async fn a_lost_answer_breaks_the_connection_after_the_effect() {
    let (sim, user) = mk_sim(&mk_clock());
    let server = sim.serve().await.expect("a port");
    let caller = session(&sim).await;
    sim.fault(Rule::new(Fault::AnswerLost).action("iam:UpdateAccessKey"));
    let form = format!("Action=UpdateAccessKey&UserName=svc-a&AccessKeyId={}&Status=Inactive", user.keys[0]);
    assert!(send_to(&server, mk_request(&caller, "iam", None, &form)).await.is_err());
    assert_eq!(sim.key_status(&user.keys[0]).as_deref(), Some("Inactive"));
    server.shutdown().await;
}

#[tokio::test]
async fn a_hanging_call_does_not_keep_the_server_from_stopping() {
    let (sim, _) = mk_sim(&mk_clock());
    let server = sim.serve().await.expect("a port");
    let caller = session(&sim).await;
    sim.fault(Rule::new(Fault::Hang).action("iam:ListUsers"));
    let request = mk_request(&caller, "iam", None, "Action=ListUsers");
    let waited = tokio::time::timeout(Duration::from_millis(200), send_to(&server, request)).await;
    assert!(waited.is_err());
    server.shutdown().await;
}
