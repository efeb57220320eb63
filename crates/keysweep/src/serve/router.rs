//! Which path leads where, with the bounds and the headers of all answers.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn, from_fn_with_state, map_response_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use keysweep_api::{BASE, OPENAPI};
use tower_http::compression::CompressionLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

use super::app::{App, Serving};
use super::auth::{Address, Listener, names};
use super::page::{self, SCRIPT_PATH};
use super::routes::{answer, api, decisions, health, login, metrics, pages, reload, saved};
#[cfg(feature = "demo")]
use super::routes::{mailbox, wall};
use crate::access::CALLBACK;
use crate::people::ANSWER_PATH;

/// Within this an answer is there, or it is too late for Prometheus, which gives up after ten seconds by default.
/// Decisions may take longer: an undo is waited for.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// A request is a key ID and a reason; a longer one is a mistake.
pub(super) const BODY_BYTES: usize = 64 * 1024;

/// Whether the process works.
const HEALTHY: &str = "/-/healthy";

/// Whether what it shows can be relied on.
const READY: &str = "/-/ready";

/// Where the configuration is loaded again.
const RELOAD: &str = "/-/reload";

/// An answer in one sentence.
pub(super) type Told = (StatusCode, [(HeaderName, &'static str); 1], String);

/// Every path, for one listener.
pub(super) fn router(serving: Serving, listener: Listener) -> Router {
    let app = Arc::new(App::new(serving, listener));
    let policy = page::view_policy();
    let by_name = from_fn_with_state(Arc::clone(&app), only_by_local_names);
    let shown = Router::new()
        .route("/metrics", get(metrics::scrape).layer(CompressionLayer::new().gzip(true)))
        .route(RELOAD, post(reload::reload))
        .merge(views())
        .route_layer(by_name.clone());
    // An undo is waited for.
    let answers = Router::new()
        .route(&format!("{ANSWER_PATH}/{{token}}"), get(answer::show).post(answer::answer))
        .merge(decisions())
        .route_layer(by_name.clone());
    let answered_soon = Router::new()
        .merge(shown)
        .route(HEALTHY, get(health::healthy))
        .route(READY, get(health::ready))
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, ANSWER_WITHIN))
        .layer(from_fn(in_words));
    answered_soon
        .nest(BASE, api::routes().layer(by_name))
        .merge(answers)
        .layer(RequestBodyLimitLayer::new(BODY_BYTES))
        .layer(from_fn(api::problems))
        .layer(map_response_with_state(policy, with_headers))
        .with_state(app)
}

/// Views of the page, and the login.
fn views() -> Router<Arc<App>> {
    let views = Router::new();
    #[cfg(feature = "demo")]
    let views = views
        .route(mailbox::MAILBOX, get(mailbox::show_mailbox))
        .route("/mailbox/{number}", get(mailbox::show_letter))
        .route(page::WALL, get(wall::show_wall));
    views
        .route("/", get(pages::show_overview))
        .route("/keys", get(pages::show_keys))
        .route("/keys.csv", get(saved::save_keys))
        .route("/keys.json", get(saved::save_keys))
        .route("/keys/{key}", get(pages::show_key))
        .route("/keys/{key}/evidence", get(pages::show_evidence))
        .route("/approvals", get(pages::show_approvals))
        .route("/holds", get(pages::show_holds))
        .route("/accounts", get(pages::show_accounts))
        .route("/audit", get(pages::show_audit))
        .route("/calendar", get(pages::show_calendar))
        .route("/notices", get(pages::show_notices))
        .route("/sessions", get(pages::show_sessions))
        .route(SCRIPT_PATH, get(pages::script))
        .route("/login", get(login::show).post(login::by_token))
        .route("/login/provider", get(login::at_provider))
        .route(CALLBACK, get(login::callback))
        .route("/logout", post(login::logout))
}

/// Decisions by forms. Some wait for AWS.
fn decisions() -> Router<Arc<App>> {
    Router::new()
        .route("/keys/{key}/decide", post(decisions::decide))
        .route("/keys/{key}/exempt", post(decisions::grant_exemption))
        .route("/exemptions/{number}/end", post(decisions::end_exemption))
        .route("/approvals/decide", post(decisions::decide_many))
        .route("/pause", post(decisions::pause))
        .route("/resume", post(decisions::resume))
        .route("/breaker/reset", post(decisions::reset_breaker))
        .route("/accounts/{account}/unpark", post(decisions::unpark))
        .route("/notices/{message}/retry", post(decisions::retry_notice))
        .route("/sessions/revoke", post(decisions::revoke_session))
}

/// Whether a path is one that orchestrators ask.
pub(super) fn is_health(path: &str) -> bool {
    path == HEALTHY || path == READY
}

/// What is answered where too much is asked at the same time.
pub(super) fn busy(path: &str) -> Response {
    let text = "Too many requests are being answered; try again in a few seconds.\n";
    let busy = told(StatusCode::SERVICE_UNAVAILABLE, text);
    if api::is_path(path) {
        api::problem(StatusCode::SERVICE_UNAVAILABLE, text)
    } else {
        busy.into_response()
    }
}

async fn not_found(uri: Uri) -> Told {
    let path: String = uri.path().chars().take(200).collect();
    told(
        StatusCode::NOT_FOUND,
        format!(
            "There is nothing at {path}. There are /, /keys, /metrics, /-/healthy, /-/ready, {RELOAD} and {BASE}{OPENAPI}.\n"
        ),
    )
}

async fn not_allowed(method: Method, uri: Uri) -> Told {
    let why = if uri.path() == RELOAD {
        "it takes POST"
    } else {
        "decisions are made by the forms of the page, the command line, or the API beneath /api/v1"
    };
    told(StatusCode::METHOD_NOT_ALLOWED, format!("{method} is not possible here: {why}.\n"))
}

/// Against DNS rebinding: a name of somebody else's that resolves to 127.0.0.1 would make the page part of his site.
/// Whoever is not on this machine reaches a loopback listener only through a proxy, whose name is `http.public_url`.
/// With TLS the certificate says which names are ours.
async fn only_by_local_names(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let config = app.config();
    if matches!(app.listener(), Listener::Address(Address { loopback: true, tls: false }))
        && !asks_by_our_names(request.headers(), request.uri(), config.http.public.as_ref())
    {
        let text = "Ask for this by the name localhost, by the address 127.0.0.1 or [::1], or by the name in \
                    http.public_url.\n";
        return told(StatusCode::FORBIDDEN, text).into_response();
    }
    next.run(request).await
}

/// Whether the request names this machine or the public URL: in `Host`, and in the target where that is absolute.
fn asks_by_our_names(headers: &HeaderMap, uri: &Uri, public: Option<&Authority>) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    if names(host, public) && uri.authority().is_none() {
        return true;
    }
    let host = host.to_str().ok().and_then(|text| text.parse::<Authority>().ok());
    host.is_some_and(|host| is_local(&host)) && uri.authority().is_none_or(is_local)
}

fn is_local(authority: &Authority) -> bool {
    let host = authority.host();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// Answers of the layers beneath have no body.
async fn in_words(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    match response.status() {
        StatusCode::SERVICE_UNAVAILABLE if !response.headers().contains_key(CONTENT_TYPE) => {
            let text = "There was no answer in time; try again later.\n";
            told(StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
        _ => response,
    }
}

async fn with_headers(State(policy): State<HeaderValue>, mut response: Response) -> Response {
    let headers = response.headers_mut();
    // A page with a form has its own.
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(policy);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

pub(super) fn failed(what: &str, error: &str) -> Told {
    tracing::error!(what, error, "an http answer could not be made");
    told(StatusCode::INTERNAL_SERVER_ERROR, format!("{what} could not be made: {error}\n"))
}

pub(super) fn told(status: StatusCode, text: impl Into<String>) -> Told {
    (status, [(CONTENT_TYPE, "text/plain; charset=utf-8")], text.into())
}
