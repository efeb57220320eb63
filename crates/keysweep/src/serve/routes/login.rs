//! Login and logout.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequestParts, RawQuery, State};
use axum::http::header::SET_COOKIE;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use keysweep_api::Role;
use secrecy::ExposeSecret as _;

use super::form::{Fields, Form, local_path, see_other};
use super::view;
use crate::access::Who;
use crate::serve::app::App;
use crate::serve::auth::{Listener, Refused, client, cookie, count, same_site, transport};
use crate::serve::page::login::Login;
use crate::serve::router::told;
use crate::token;

/// How someone who wants to log in is connected.
#[derive(Debug)]
pub(in crate::serve) struct Door {
    parts: Parts,
    /// Whether the browser speaks https.
    secure: bool,
}

impl FromRequestParts<Arc<App>> for Door {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        let secure = match app.listener() {
            Listener::Socket => false,
            Listener::Address(address) => {
                transport(parts, app, address, Role::Operator).map_err(IntoResponse::into_response)?.tls
            }
        };
        Ok(Self { parts: parts.clone(), secure })
    }
}

/// The form.
pub(in crate::serve) async fn show(
    _: Door,
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Response {
    let next = Fields::parse(query.unwrap_or_default().as_bytes()).next();
    form(&app, &next, None, StatusCode::OK)
}

/// Login by a token.
pub(in crate::serve) async fn by_token(door: Door, State(app): State<Arc<App>>, body: Bytes) -> Response {
    if let Err(refused) = same_site(&door.parts, &app) {
        return refused.into_response();
    }
    let (fields, config) = (Fields::parse(&body), app.config());
    let next = fields.next();
    let presented = fields.get("token").trim();
    let Some(found) = token::find(&config.http.tokens, presented) else {
        return match count(&door.parts, &app, Refused::Unknown) {
            Refused::TooMany { after } => Refused::TooMany { after }.into_response(),
            _ => form(&app, &next, Some("Unknown or revoked token."), StatusCode::UNAUTHORIZED),
        };
    };
    let who = Who::Token { name: found.name.clone(), sha256: found.digest.to_hex() };
    enter(&door, &app, who, &next)
}

/// Logout. Its form has what every form has, so that no other page can log someone out.
pub(in crate::serve) async fn logout(State(app): State<Arc<App>>, form: Form) -> Response {
    let number = form.live.session.number;
    if let Err(error) = app.engine().sessions().end(|session| session.number == number) {
        tracing::warn!(%error, "the end of a session could not be saved");
    }
    let person = form.caller.actor();
    tracing::info!(%person, session = number, "logged out");
    let mut response = see_other("/login");
    for cleared in [cookie::clear(cookie::SESSION, true), cookie::clear(cookie::SESSION, false)] {
        cleared.and_then(|cookie| response.headers_mut().append(SET_COOKIE, cookie).then_some(()));
    }
    response
}

/// Begins a session, and leads to the page that was asked for.
pub(super) fn enter(door: &Door, app: &App, who: Who, next: &str) -> Response {
    let (config, engine) = (app.config(), app.engine());
    // What the cookie named before ends: whoever else knows it gains nothing.
    let now = engine.clock().operational();
    for value in cookie::all(&door.parts.headers, cookie::SESSION) {
        if let Some(live) = engine.sessions().find(value, config.http.session, now) {
            let old = live.session.number;
            let _ = engine.sessions().end(|session| session.number == old);
        }
    }
    let client = client(&door.parts, &config.http);
    match engine.sessions().begin(who, client, now) {
        Ok((value, session)) => {
            let person = session.who.actor();
            tracing::info!(%person, session = session.number, client = session.client, "logged in");
            let mut response = see_other(local_path(next));
            let set = cookie::set(cookie::SESSION, value.expose_secret(), door.secure);
            response.headers_mut().extend(set.map(|cookie: HeaderValue| (SET_COOKIE, cookie)));
            response
        }
        Err(error) => {
            tracing::error!(%error, "a session could not be begun");
            let text = "The login could not be saved; see the log of keysweep.\n";
            told(StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
        }
    }
}

/// The login page.
pub(super) fn form(app: &App, next: &str, failure: Option<&str>, status: StatusCode) -> Response {
    let config = app.config();
    let provider = config.http.oidc.as_ref().map(|oidc| oidc.issuer.clone());
    let login = Login {
        provider,
        tokens: !config.http.tokens.is_empty(),
        failure: failure.map(str::to_owned),
        next: next.to_owned(),
    };
    view::html(status, &login.render())
}
