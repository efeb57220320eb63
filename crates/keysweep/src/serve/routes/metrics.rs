//! Metrics, for Prometheus.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, State};
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE, HOST, VARY};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use keysweep_api::Role;

use crate::metrics::inventory::{Observed, families};
use crate::metrics::{Format, write};
use crate::serve::app::App;
use crate::serve::auth::{By, Refused, ask, names};
use crate::serve::router::failed;

/// Someone who may scrape: anyone who reaches the listener itself; through a proxy, only with a login or a token. Metrics name
/// accounts, and more people reach a proxy than the listener.
pub(in crate::serve) struct Scraper;

impl FromRequestParts<Arc<App>> for Scraper {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refused> {
        let config = app.config();
        let public = config.http.public.as_ref();
        if parts.headers.get_all(HOST).iter().any(|host| names(host, public)) {
            return ask(parts, app, By::TokenOrSession, Role::Viewer).map(|_| Self);
        }
        Ok(Self)
    }
}

pub(in crate::serve) async fn scrape(
    _: Scraper,
    State(app): State<Arc<App>>,
    headers: HeaderMap,
) -> Response {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    let format = Format::accepted(accept.unwrap_or_default());
    let texts = app.work(move |app| families_now(app, format)).await;
    match texts.map(|texts| texts.map_err(|error| error.to_string())) {
        Some(Ok(texts)) => {
            // A family at a time: ten thousand accounts have ten megabytes of them.
            let body = Body::from_stream(stream::iter(texts.map(Ok::<_, Infallible>)));
            ([(CONTENT_TYPE, format.content_type()), (VARY, "accept")], body).into_response()
        }
        Some(Err(error)) => failed("metrics", &error).into_response(),
        None => failed("metrics", "the work was broken off").into_response(),
    }
}

/// The text of each family, as the state is now.
fn families_now(
    app: &App,
    format: Format,
) -> Result<impl Iterator<Item = String> + Send + use<>, prometheus::Error> {
    let engine = app.engine();
    let (config, latest, store) = (engine.config(), engine.latest(), engine.store());
    let (now, store_bytes) = (engine.clock().now(), store.size_on_disk());
    let evidence_bytes = (store.bundles_on_disk(), config.evidence.most_bytes);
    engine.metrics().store.errors_so_far(store.errors());
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
            evidence_bytes: Some(evidence_bytes),
        })
    }));
    write(all, format)
}
