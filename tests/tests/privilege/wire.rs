//! Calls made by hand, with any credentials.

use bytes::Bytes;
use keysweep_sim::Sim;

/// Credentials of somebody.
pub(crate) struct Caller {
    pub(crate) key_id: String,
    pub(crate) token: Option<String>,
}

/// A call of IAM or STS; status and body.
pub(crate) async fn ask(sim: &Sim, caller: &Caller, service: &str, form: &[(&str, &str)]) -> (u16, String) {
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.append_pair("Version", if service == "iam" { "2010-05-08" } else { "2011-06-15" });
    body.extend_pairs(form);
    answer(sim, request(caller, service), body.finish()).await
}

/// A call of Organizations; status and body.
pub(crate) async fn ask_organizations(sim: &Sim, caller: &Caller, target: &str, body: &str) -> (u16, String) {
    let target = format!("AWSOrganizationsV20161128.{target}");
    answer(sim, request(caller, "organizations").header("x-amz-target", target), body.to_owned()).await
}

/// The simulator knows callers by key ID and token, and does not look at the signature.
fn request(caller: &Caller, service: &str) -> http::request::Builder {
    let scope = format!("{}/20260101/us-east-1/{service}/aws4_request", caller.key_id);
    let authorization = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00");
    let request = http::Request::post("/").header("authorization", authorization);
    match &caller.token {
        Some(token) => request.header("x-amz-security-token", token),
        None => request,
    }
}

async fn answer(sim: &Sim, request: http::request::Builder, body: String) -> (u16, String) {
    let answer = sim.answer(request.body(Bytes::from(body)).unwrap()).await.unwrap();
    (answer.status().as_u16(), String::from_utf8(answer.body().to_vec()).unwrap())
}
