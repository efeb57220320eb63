//! The API: one path for each operation.

use std::convert::Infallible;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{self, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::extract::{FromRequestParts, OriginalUri, RawPathParams, RawQuery, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH, TRANSFER_ENCODING};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http_body_util::Full;
use hyper::body::{Frame, SizeHint};
use keysweep_api::{BASE, OPENAPI, Operation, PROBLEM_JSON, Problem, Refusal, decode, operations};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::access::Caller;
use crate::operator::{Act, Look, act as act_as, look as look_as};
use crate::serve::app::App;
use crate::serve::auth::{By, Listener, Refused, Viewer, ask, same_site};
use crate::serve::replay::Turn;
use crate::serve::router::{ANSWER_WITHIN, BODY_BYTES};

/// What is said of work whose task ended before it.
const CUT_OFF: &str = "what was asked was cut off: see the log";

/// How long a client may take to send a request.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// Most that a refusal says.
const WORDS: usize = 64 * 1024;

/// Every operation, beneath [`BASE`].
pub(in crate::serve) fn routes() -> Router<Arc<App>> {
    let operations = operations!(look, act).into_iter().map(|routes| routes());
    operations
        .fold(Router::new(), Router::merge)
        .route(OPENAPI, get(openapi))
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
}

fn look<O: Look>() -> Router<Arc<App>> {
    Router::new().route(O::PATH, get(answer_look::<O>))
}

fn act<O: Act>() -> Router<Arc<App>> {
    Router::new().route(O::PATH, post(answer_act::<O>))
}

/// Someone who may ask for this operation somewhere.
struct Asked<O> {
    caller: Caller,
    operation: PhantomData<fn() -> O>,
}

impl<O: Operation> FromRequestParts<Arc<App>> for Asked<O> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refused> {
        same_site(parts, app)?;
        let asker = ask(parts, app, By::Token, O::ROLE)?;
        // A command on this machine is a person, or a script of the operator's own.
        if !matches!(app.listener(), Listener::Socket) {
            let spent = app.budgets().spend(asker.caller.actor());
            spent.map_err(|after| Refused::TooManyRequests { after })?;
        }
        Ok(Self { caller: asker.caller, operation: PhantomData })
    }
}

async fn answer_look<O: Look>(
    Asked { caller, .. }: Asked<O>,
    State(app): State<Arc<App>>,
    parameters: RawPathParams,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let looked = async {
        // It would have to be waited for.
        let sized = headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
        if sized || headers.contains_key(TRANSFER_ENCODING) {
            return Err(Refusal::Malformed("a GET takes no body".into()));
        }
        let asked: O = decode(parameters.iter(), query.as_deref(), b"")?;
        match app.listener() {
            Listener::Socket => look_for_command(&app, &caller, asked)
                .await
                .map(|json| Document { bytes: json.into(), place: None }),
            Listener::SharedSocket | Listener::Address(_) => look_for_network(&app, caller, asked).await,
        }
    };
    match looked.await {
        Ok(json) => with_tag(&headers, json),
        Err(refusal) => answer(Err(refusal)),
    }
}

/// A document with its entity tag, or the news that the caller has it already.
fn with_tag(headers: &HeaderMap, json: Document) -> Response {
    let tag = tag_of(&json.bytes);
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut known = known.flat_map(|value| value.split(',')).map(str::trim);
    let (header, tag_value) = (ETAG, HeaderValue::try_from(tag.as_str()));
    let mut response = if known.any(|known| known == tag || known == "*") {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(CONTENT_TYPE, "application/json")], json.into_body()).into_response()
    };
    response.headers_mut().extend(tag_value.ok().map(|value| (header, value)));
    response
}

/// A weak entity tag (RFC 9110, section 8.8.3): two documents that differ only in when they were made are the same.
fn tag_of(json: &[u8]) -> String {
    const MADE: &[u8] = b"{\"generated_at\":\"";
    let rest = json.strip_prefix(MADE).and_then(|rest| {
        let end = rest.iter().position(|byte| *byte == b'"')?;
        rest.get(end..)
    });
    let digest = hex::encode(Sha256::digest(rest.unwrap_or(json)));
    format!("W/\"{}\"", digest.get(..32).unwrap_or(&digest))
}

/// A document, with the place that it was made in.
struct Document {
    bytes: Bytes,
    place: Option<OwnedSemaphorePermit>,
}

impl Document {
    fn into_body(self) -> Body {
        Body::new(Placed { json: Full::from(self.bytes), _place: self.place })
    }
}

/// A command waits for nobody else, and for AWS if it has to: who hangs up is no longer looked for.
async fn look_for_command<O: Look>(app: &App, caller: &Caller, asked: O) -> Result<Vec<u8>, Refusal> {
    let stopping = app.engine().stopping();
    let looked = stopping.run_until_cancelled(look_as(app.engine(), caller, asked)).await;
    let stopped = || Refusal::Unavailable("keysweep is stopping".into());
    to_json(looked.ok_or_else(stopped)?)
}

/// Away from the tasks of the runtime, from what is at hand, and a few at a time until they are read.
async fn look_for_network<O: Look>(app: &Arc<App>, caller: Caller, asked: O) -> Result<Document, Refusal> {
    asked.is_at_hand(app.engine())?;
    let (engine, runtime) = (Arc::clone(app.engine()), Handle::current());
    let made = async {
        let place = app.place().await;
        let making = spawn_blocking(move || to_json(runtime.block_on(look_as(&engine, &caller, asked))));
        let cut_off = |_| Refusal::Internal(CUT_OFF.into());
        let json = making.await.map_err(cut_off)??;
        Ok(Document { bytes: json.into(), place })
    };
    let late = |_| Refusal::Unavailable("there was no answer in time; try again later".into());
    timeout(ANSWER_WITHIN, made).await.map_err(late)?
}

fn to_json<T: Serialize>(reply: Result<T, Refusal>) -> Result<Vec<u8>, Refusal> {
    serde_json::to_vec(&reply?).map_err(|error| Refusal::Internal(error.to_string()))
}

/// A document that gives its place back once it is read, or its reader is gone.
struct Placed {
    json: Full<Bytes>,
    _place: Option<OwnedSemaphorePermit>,
}

impl HttpBody for Placed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.json).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.json.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.json.size_hint()
    }
}

async fn answer_act<O: Act>(
    Asked { caller, .. }: Asked<O>,
    State(app): State<Arc<App>>,
    parameters: RawPathParams,
    RawQuery(query): RawQuery,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let acted = async {
        is_json(&headers)?;
        let body = read(body).await?;
        let asked: O = decode(parameters.iter(), query.as_deref(), &body)?;
        let key = idempotency_key(&headers)?;
        if let Some(key) = &key
            && let Turn::Before(answer) = app.replays().begin(caller.actor(), key, uri.path(), &body)?
        {
            return answer.map(Body::from);
        }
        let (engine, replays) = (Arc::clone(app.engine()), Arc::clone(app.replays()));
        // The answer is kept even if nobody waits for it any more.
        let acting = async move {
            let answer = to_json(act_as(&engine, &caller, asked).await).map(Bytes::from);
            if let Some(key) = &key {
                replays.end(caller.actor(), key, &answer);
            }
            answer
        };
        let cut_off = || Refusal::Internal(CUT_OFF.into());
        app.decide(acting).await.ok_or_else(cut_off)?.map(Body::from)
    };
    answer(acted.await)
}

/// The key of a request that may be sent again.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let mut keys = headers.get_all("idempotency-key").iter();
    match (keys.next(), keys.next()) {
        (None, _) => Ok(None),
        (Some(key), None) => {
            let text =
                key.to_str().map_err(|_| Refusal::Malformed("`Idempotency-Key` is not ASCII text".into()))?;
            // The draft writes it as a string of structured fields, in quotation marks.
            let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
            let text = bare.filter(|bare| !bare.is_empty()).unwrap_or(text);
            Ok(Some(text.to_owned()))
        }
        (Some(_), Some(_)) => Err(Refusal::Malformed("there is more than one `Idempotency-Key`".into())),
    }
}

async fn read(body: Body) -> Result<Bytes, Refusal> {
    match timeout(BODY_WITHIN, to_bytes(body, BODY_BYTES)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => {
            Err(Refusal::TooLarge(format!("the request is longer than {BODY_BYTES} bytes, or broke off")))
        }
        Err(_) => Err(Refusal::Malformed("the request did not arrive in time".into())),
    }
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

fn answer(answered: Result<Body, Refusal>) -> Response {
    match answered {
        Ok(json) => ([(CONTENT_TYPE, "application/json")], json).into_response(),
        Err(refusal) => refuse(refusal.status(), refusal),
    }
}

/// A refusal with this status.
fn refuse(status: StatusCode, refusal: Refusal) -> Response {
    let problem = Problem { status: status.as_u16(), ..Problem::from(refusal) };
    (status, [(CONTENT_TYPE, PROBLEM_JSON)], Json(problem)).into_response()
}

/// Whether a path is one of the API.
pub(in crate::serve) fn is_path(path: &str) -> bool {
    path.strip_prefix(BASE).is_some_and(|rest| rest.starts_with('/'))
}

/// What is answered with this status and these words.
pub(in crate::serve) fn problem(status: StatusCode, words: &str) -> Response {
    refuse(status, Refusal::of_status(status, words.trim().to_owned()))
}

async fn openapi(_: Viewer) -> Response {
    static DOCUMENT: LazyLock<Vec<u8>> = LazyLock::new(|| {
        serde_json::to_vec(&keysweep_api::openapi(env!("CARGO_PKG_VERSION"))).unwrap_or_default()
    });
    answer(Ok(DOCUMENT.clone().into()))
}

async fn not_found(uri: Uri) -> Response {
    let path: String = uri.path().chars().take(200).collect();
    answer(Err(Refusal::NotFound(format!(
        "there is no operation at {BASE}{path}; {BASE}{OPENAPI} describes every operation"
    ))))
}

async fn not_allowed(method: Method) -> Response {
    answer(Err(Refusal::NotAllowed(format!(
        "{method} is not possible here; {BASE}{OPENAPI} describes every operation"
    ))))
}

/// Gives refusals of the layers beneath the form of the API, on its paths.
pub(in crate::serve) async fn problems(request: Request, next: Next) -> Response {
    let is_ours = is_path(request.uri().path());
    let response = next.run(request).await;
    if !is_ours {
        return response;
    }
    let status = response.status();
    let is_problem = response.headers().get(CONTENT_TYPE).is_some_and(|value| value == PROBLEM_JSON);
    if is_problem || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (parts, body) = response.into_parts();
    let words = to_bytes(body, WORDS).await.unwrap_or_default();
    let mut answer = problem(status, &String::from_utf8_lossy(&words));
    for (name, value) in parts.headers {
        if let Some(name) = name.filter(|name| name != CONTENT_TYPE && name != CONTENT_LENGTH) {
            answer.headers_mut().append(name, value);
        }
    }
    answer
}
