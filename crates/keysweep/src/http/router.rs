//! Who gets which answer.

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
use tokio::sync::Semaphore;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

use super::auth::{Failures, Listener, Operator, Viewer, names};
use super::page;
use crate::config::Config;
use crate::engine::Engine;
use crate::health::{Health, LastSweep};
use crate::metrics::inventory::{Observed, families};
use crate::metrics::{self, render};
use crate::reload::{By, ReloadError, Reloads};

/// Within this an answer is there, or it is too late for Prometheus, which gives up after ten seconds by default.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Nothing here reads a body.
const BODY_BYTES: usize = 4 * 1024;

/// Whether the process works.
const HEALTHY: &str = "/-/healthy";

/// Whether what it shows can be relied on.
const READY: &str = "/-/ready";

/// Where the configuration is loaded again.
const RELOAD: &str = "/-/reload";

/// Scrapes and pages that are made at the same time: each walks all records.
const AT_ONCE: usize = 2;

/// What the answers are made from.
pub(super) struct App {
    engine: Arc<Engine>,
    health: Health,
    reloads: Reloads,
    listener: Listener,
    failures: Failures,
    policy: HeaderValue,
    at_once: Arc<Semaphore>,
}

/// An answer in one sentence.
pub(super) type Told = (StatusCode, [(HeaderName, &'static str); 1], String);

/// Every route, with its bounds and the headers that all answers carry.
pub(super) fn router(engine: Arc<Engine>, health: Health, reloads: Reloads, listener: Listener) -> Router {
    let app = Arc::new(App {
        engine,
        health,
        reloads,
        listener,
        failures: Failures::new(),
        policy: page::content_policy(),
        at_once: Arc::new(Semaphore::new(AT_ONCE)),
    });
    let shown = Router::new()
        .route("/", get(landing))
        .route("/metrics", get(scrape))
        .route(RELOAD, post(reload))
        .route_layer(from_fn_with_state(Arc::clone(&app), only_by_local_names));
    Router::new()
        .merge(shown)
        .route(HEALTHY, get(healthy))
        .route(READY, get(ready))
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
        .layer(RequestBodyLimitLayer::new(BODY_BYTES))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, ANSWER_WITHIN))
        .layer(from_fn(in_words))
        .layer(map_response_with_state(Arc::clone(&app), with_headers))
        .with_state(app)
}

/// Whether a path is one that orchestrators ask.
pub(super) fn is_health(path: &str) -> bool {
    path == HEALTHY || path == READY
}

/// What is answered where too much is asked at the same time.
pub(super) fn busy() -> Response {
    let text = "Too many requests are being answered; try again in a few seconds.\n";
    (told(StatusCode::SERVICE_UNAVAILABLE, text)).into_response()
}

async fn healthy(State(app): State<Arc<App>>) -> Told {
    match app.health.unhealthy(app.engine.clock().instant()) {
        None => told(StatusCode::OK, "keysweep works\n"),
        Some(why) => told(StatusCode::SERVICE_UNAVAILABLE, format!("keysweep does not work: {why}\n")),
    }
}

async fn ready(State(app): State<Arc<App>>) -> Told {
    let missing = app.missing();
    if missing.is_empty() {
        return told(StatusCode::OK, "keysweep is ready\n");
    }
    let list: String = missing.iter().map(|what| format!("- {what}\n")).collect();
    told(StatusCode::SERVICE_UNAVAILABLE, format!("keysweep is not ready:\n{list}"))
}

async fn scrape(State(app): State<Arc<App>>) -> Response {
    let text = app.work(App::scrape).await;
    match text.map(|rendered| rendered.map_err(|error| error.to_string())) {
        Some(Ok(text)) => ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Some(Err(error)) => failed("metrics", &error).into_response(),
        None => failed("metrics", "the work was broken off").into_response(),
    }
}

async fn landing(_: Viewer, State(app): State<Arc<App>>) -> Response {
    match app.work(|app| page::render(&app.engine, &app.missing())).await {
        Some(Ok(html)) => ([(CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response(),
        Some(Err(error)) => failed("the page", &error.to_string()).into_response(),
        None => failed("the page", "the work was broken off").into_response(),
    }
}

async fn reload(Operator(actor): Operator, State(app): State<Arc<App>>) -> Told {
    match app.reloads.ask(By::Token { name: actor.name }).await {
        Ok(in_force) => told(StatusCode::OK, in_force),
        Err(error) => {
            let status = match error {
                ReloadError::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
                ReloadError::Unreadable(_) => StatusCode::INTERNAL_SERVER_ERROR,
                ReloadError::Busy | ReloadError::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            };
            told(status, format!("The old configuration stays in force.\n{error}\n"))
        }
    }
}

async fn not_found(uri: Uri) -> Told {
    let path: String = uri.path().chars().take(200).collect();
    told(
        StatusCode::NOT_FOUND,
        format!("There is nothing at {path}. There are /, /metrics, /-/healthy, /-/ready and {RELOAD}.\n"),
    )
}

async fn not_allowed(method: Method, uri: Uri) -> Told {
    let why = if uri.path() == RELOAD {
        "it takes POST"
    } else {
        "everything is read-only but /-/reload. Decisions are made on the command line"
    };
    told(StatusCode::METHOD_NOT_ALLOWED, format!("{method} is not possible here: {why}.\n"))
}

impl App {
    /// What the listener can promise.
    pub(super) fn listener(&self) -> Listener {
        self.listener
    }

    /// The configuration in force.
    pub(super) fn config(&self) -> Arc<Config> {
        self.engine.config()
    }

    /// What was refused for its token.
    pub(super) fn failures(&self) -> &Failures {
        &self.failures
    }

    fn missing(&self) -> Vec<String> {
        self.health.missing(LastSweep::of(&self.engine))
    }

    fn scrape(&self) -> Result<String, prometheus::Error> {
        let engine = &self.engine;
        let (config, latest, store) = (engine.config(), engine.latest(), engine.store());
        let (now, store_bytes, errors) = (engine.clock().now(), store.size_on_disk(), store.errors());
        engine.metrics().store_errors_so_far(errors.read, errors.write);
        let mut all = engine.metrics().families();
        all.extend(store.read(|state| {
            families(&Observed {
                now,
                state,
                policy: &config.policy,
                scan_interval: config.scan.interval,
                seen: latest.as_ref().map(|latest| &latest.collection),
                idle_rules: latest
                    .as_ref()
                    .and_then(|latest| latest.idle_rules.as_ref())
                    .and_then(|idle| u64::try_from(idle.len()).ok()),
                store_bytes: Some(store_bytes),
            })
        }));
        render(all)
    }

    /// Does work that walks all records, away from the tasks of the runtime. The place is given back when the work is
    /// done, even if nobody waits for it any more.
    async fn work<T: Send + 'static>(
        self: Arc<Self>,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Option<T> {
        let place = Arc::clone(&self.at_once).acquire_owned().await.ok()?;
        let done = tokio::task::spawn_blocking(move || {
            let result = work(&self);
            drop(place);
            result
        });
        done.await.ok()
    }
}

/// Against DNS rebinding: a name of somebody else's that resolves to 127.0.0.1 would make the page part of his site.
/// Whoever is not on this machine reaches a loopback listener only through a proxy, whose name is `http.public_url`.
/// With TLS the certificate says which names are ours.
async fn only_by_local_names(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let Listener { loopback, tls } = app.listener;
    let config = app.config();
    if loopback && !tls && !asks_by_our_names(request.headers(), request.uri(), config.http.public.as_ref()) {
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

async fn with_headers(State(app): State<Arc<App>>, mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, app.policy.clone());
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

fn failed(what: &str, error: &str) -> Told {
    tracing::error!(what, error, "an http answer could not be made");
    told(StatusCode::INTERNAL_SERVER_ERROR, format!("{what} could not be made: {error}\n"))
}

pub(super) fn told(status: StatusCode, text: impl Into<String>) -> Told {
    (status, [(CONTENT_TYPE, "text/plain; charset=utf-8")], text.into())
}
