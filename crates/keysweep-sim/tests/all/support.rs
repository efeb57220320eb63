//! Small makers that the tests share.

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use keysweep_sim::{HandClock, KeySpec, Sim, UserRef};

/// The account most tests play in.
pub(crate) const PROD: &str = "111122223333";
/// The role there.
pub(crate) const ROLE_ARN: &str = "arn:aws:iam::111122223333:role/keysweep/KeysweepScan";

pub(crate) struct Credentials {
    pub(crate) key_id: String,
    pub(crate) token: Option<String>,
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) headers: http::HeaderMap,
}

pub(crate) fn mk_time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

pub(crate) fn mk_clock() -> HandClock {
    HandClock::at(mk_time("2026-06-01T12:00:00Z"))
}

pub(crate) fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

/// One account with the role, one user with one key that was used in January.
pub(crate) fn mk_sim(clock: &HandClock) -> (Sim, UserRef) {
    let sim = Sim::new(clock.clock());
    sim.account(PROD).name("prod").ou("Workloads/Prod").role("keysweep/KeysweepScan", "x1").add();
    let key =
        KeySpec::new().id("AKIASVCA000000000001").used(mk_time("2026-01-10T08:03:00Z"), "s3", "us-east-1");
    let user =
        sim.user(PROD, "svc-a").path("/ci/").tag("team", "ci").created(mk_time("2025-01-01T00:00:00Z"));
    let user = user.key(key).add();
    (sim, user)
}

pub(crate) fn mk_hub(sim: &Sim) -> Credentials {
    let (key_id, _, token) = sim.hub_credentials();
    Credentials { key_id, token }
}

pub(crate) fn mk_request(
    credentials: &Credentials,
    service: &str,
    target: Option<&str>,
    body: &str,
) -> http::Request<Bytes> {
    let scope = format!("{}/20260601/us-east-1/{service}/aws4_request", credentials.key_id);
    let mut request = http::Request::post("/").header(
        "authorization",
        format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00"),
    );
    if let Some(token) = &credentials.token {
        request = request.header("x-amz-security-token", token);
    }
    if let Some(target) = target {
        request = request.header("x-amz-target", format!("AWSOrganizationsV20161128.{target}"));
    }
    request.body(Bytes::copy_from_slice(body.as_bytes())).expect("a request")
}

pub(crate) async fn send(sim: &Sim, request: http::Request<Bytes>) -> Reply {
    let response = sim.answer(request).await.expect("an answer");
    let (parts, body) = response.into_parts();
    let body = String::from_utf8(body.to_vec()).expect("text");
    Reply { status: parts.status.as_u16(), body, headers: parts.headers }
}

/// A call of IAM, with the fields as they stand in the form.
pub(crate) async fn iam(sim: &Sim, credentials: &Credentials, form: &str) -> Reply {
    send(sim, mk_request(credentials, "iam", None, &format!("Version=2010-05-08&Action={form}"))).await
}

pub(crate) async fn sts(sim: &Sim, credentials: &Credentials, form: &str) -> Reply {
    send(sim, mk_request(credentials, "sts", None, &format!("Version=2011-06-15&Action={form}"))).await
}

pub(crate) async fn organizations(sim: &Sim, credentials: &Credentials, target: &str, body: &str) -> Reply {
    send(sim, mk_request(credentials, "organizations", Some(target), body)).await
}

/// A session of the role, with more fields of AssumeRole ("&Policy=...").
pub(crate) async fn session_with(sim: &Sim, more: &str) -> Credentials {
    let form = format!("AssumeRole&RoleArn={ROLE_ARN}&RoleSessionName=test&ExternalId=x1{more}");
    let reply = sts(sim, &mk_hub(sim), &form).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    Credentials {
        key_id: reply.field("AccessKeyId").expect("a key id").to_owned(),
        token: reply.field("SessionToken").map(str::to_owned),
    }
}

pub(crate) async fn session(sim: &Sim) -> Credentials {
    session_with(sim, "").await
}

pub(crate) fn encode(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

impl Reply {
    /// The text of the first element of that name.
    pub(crate) fn field(&self, tag: &str) -> Option<&str> {
        let (_, rest) = self.body.split_once(&format!("<{tag}>"))?;
        rest.split_once(&format!("</{tag}>")).map(|(text, _)| text)
    }

    /// The texts of all elements of that name.
    pub(crate) fn fields(&self, tag: &str) -> Vec<&str> {
        let open = format!("<{tag}>");
        let close = format!("</{tag}>");
        self.body
            .split(&open)
            .skip(1)
            .filter_map(|rest| rest.split_once(&close))
            .map(|(text, _)| text)
            .collect()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("json")
    }

    pub(crate) fn refusal(&self) -> (u16, &str) {
        (self.status, self.field("Code").unwrap_or_default())
    }
}
