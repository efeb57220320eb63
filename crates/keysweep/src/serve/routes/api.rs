//! The API: one path for each operation.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::body::{Bytes, to_bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequestParts, RawPathParams, RawQuery, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use keysweep_api::{
    AcknowledgeRule, BASE, Decide, ListKeys, ListRules, OPENAPI, Operation, PROBLEM_JSON, Pause, Problem,
    Refusal, ResetBreaker, Resume, Role, ShowBreaker, ShowKey, ShowPlan, UnparkAccount, ViewJournal, decode,
};

use crate::operator::{Act, Look};
use crate::serve::app::App;
use crate::serve::auth::{Operator, Refused, Viewer};

/// Most that a refusal says.
const WORDS: usize = 64 * 1024;

/// Every operation, beneath [`BASE`].
pub(in crate::serve) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route(OPENAPI, get(openapi))
        .merge(look::<ShowPlan>())
        .merge(look::<ListKeys>())
        .merge(look::<ShowKey>())
        .merge(act::<Decide>())
        .merge(act::<Pause>())
        .merge(act::<Resume>())
        .merge(look::<ListRules>())
        .merge(act::<AcknowledgeRule>())
        .merge(look::<ShowBreaker>())
        .merge(act::<ResetBreaker>())
        .merge(act::<UnparkAccount>())
        .merge(look::<ViewJournal>())
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
}

fn look<O: Look>() -> Router<Arc<App>> {
    Router::new().route(O::PATH, get(answer_look::<O>))
}

fn act<O: Act>() -> Router<Arc<App>> {
    Router::new().route(O::PATH, post(answer_act::<O>))
}

/// Proof that who asks may look in this way.
struct MayLook<O>(PhantomData<fn() -> O>);

impl<O: Operation> FromRequestParts<Arc<App>> for MayLook<O> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refused> {
        match O::ROLE {
            Role::Viewer => Viewer::from_request_parts(parts, app).await.map(|_| Self(PhantomData)),
            Role::Operator => Operator::from_request_parts(parts, app).await.map(|_| Self(PhantomData)),
        }
    }
}

async fn answer_look<O: Look>(
    _: MayLook<O>,
    State(app): State<Arc<App>>,
    parameters: RawPathParams,
    RawQuery(query): RawQuery,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let looked = async {
        let asked: O = decode(parameters.iter(), &query.unwrap_or_default(), &read(body)?)?;
        let _place = app.place().await;
        asked.look(app.engine()).await
    };
    answer(looked.await)
}

async fn answer_act<O: Act>(
    Operator(actor): Operator,
    State(app): State<Arc<App>>,
    parameters: RawPathParams,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let acted = async {
        is_json(&headers)?;
        let asked: O = decode(parameters.iter(), &query.unwrap_or_default(), &read(body)?)?;
        let engine = Arc::clone(app.engine());
        let acting = async move { asked.act(&engine, &actor).await };
        let cut_off = || Refusal::Internal("what was asked was cut off: see the log".into());
        app.decide(acting).await.unwrap_or_else(|| Err(cut_off()))
    };
    answer(acted.await)
}

fn read(body: Result<Bytes, BytesRejection>) -> Result<Bytes, Refusal> {
    body.map_err(|rejection| Refusal::of_status(rejection.status(), rejection.body_text()))
}

/// No page of another site can send this type without asking first.
fn is_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let sent = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = sent.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Refusal::Malformed("expected the header Content-Type: application/json".into()))
}

fn answer<T: serde::Serialize>(answered: Result<T, Refusal>) -> Response {
    match answered {
        Ok(reply) => Json(reply).into_response(),
        Err(refusal) => {
            let status = refusal.status();
            ([(CONTENT_TYPE, PROBLEM_JSON)], (status, Json(Problem::from(refusal)))).into_response()
        }
    }
}

async fn openapi() -> Response {
    Json(keysweep_api::openapi(env!("CARGO_PKG_VERSION"))).into_response()
}

async fn not_found(uri: Uri) -> Response {
    let path: String = uri.path().chars().take(200).collect();
    answer::<()>(Err(Refusal::NotFound(format!(
        "there is no operation at {BASE}{path}; {BASE}{OPENAPI} describes every operation"
    ))))
}

async fn not_allowed(method: Method) -> Response {
    answer::<()>(Err(Refusal::NotAllowed(format!(
        "{method} is not possible here; {BASE}{OPENAPI} describes every operation"
    ))))
}

/// Gives refusals of the layers beneath the form of the API, on its paths.
pub(in crate::serve) async fn problems(request: Request, next: Next) -> Response {
    let is_ours = request.uri().path().strip_prefix(BASE).is_some_and(|rest| rest.starts_with('/'));
    let response = next.run(request).await;
    if !is_ours {
        return response;
    }
    let status = response.status();
    let is_problem = response.headers().get(CONTENT_TYPE).is_some_and(|value| value == PROBLEM_JSON);
    if is_problem || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let words = to_bytes(body, WORDS).await.unwrap_or_default();
    let refusal = Refusal::of_status(status, String::from_utf8_lossy(&words).trim().to_owned());
    let mut problem = Problem::from(refusal);
    problem.status = status.as_u16();
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    (parts, serde_json::to_vec(&problem).unwrap_or_default()).into_response()
}
