//! Login and logout.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequestParts, RawQuery, State};
use axum::http::header::{RETRY_AFTER, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use keysweep_api::Role;
use keysweep_oidc::{LoginError, Person};
use secrecy::ExposeSecret as _;

use super::form::{Fields, Form, local_path, see_other};
use super::pages::{html, outside, sentence};
use crate::access::{Client, LoginFault, Started, Who};
use crate::causes::in_words;
use crate::serve::app::App;
use crate::serve::auth::{Listener, Refused, client, client_address, cookie, count, same_site, transport};
use crate::serve::page::{Login, login as login_page};
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
            Listener::Socket | Listener::SharedSocket => false,
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
    // The session of the previous cookie ends: someone else who knows that cookie gains nothing.
    let now = engine.clock().operational();
    for value in cookie::all(&door.parts.headers, cookie::SESSION, door.secure) {
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

/// Begins a login through the provider. A link leads here, not a form: browsers would hold the way to the provider against
/// the `form-action` of our policy.
pub(in crate::serve) async fn at_provider(
    door: Door,
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Response {
    let next = Fields::parse(query.unwrap_or_default().as_bytes()).next();
    let config = app.config();
    let client = match within_budget(&door, &app) {
        Ok(client) => client,
        Err(after) => return too_many(&app, &next, after),
    };
    let public = config.http.public.as_ref().map(Authority::as_str);
    match app.logins().begin(config.http.oidc.as_ref(), public, client, &next).await {
        Ok(Started { url, cookie }) => {
            let mut response = see_other(&url);
            let set = cookie::set(cookie::LOGIN, cookie.expose_secret(), door.secure);
            response.headers_mut().extend(set.map(|cookie: HeaderValue| (SET_COOKIE, cookie)));
            response
        }
        Err(fault) => failed_login(&app, &next, &fault),
    }
}

/// Ends a login through the provider, which sends the browser here.
pub(in crate::serve) async fn callback(
    door: Door,
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Response {
    let config = app.config();
    let public = config.http.public.as_ref().map(Authority::as_str);
    let cookies = cookie::all(&door.parts.headers, cookie::LOGIN, door.secure);
    let query = query.unwrap_or_default();
    let finished = app.logins().finish(config.http.oidc.as_ref(), public, cookies, &query).await;
    let (issuer, person, next) = match finished {
        Ok(finished) => finished,
        // What is over the budget is answered without a word in the log, which would fill the disk.
        Err(fault) => match within_budget(&door, &app) {
            Ok(_) => return failed_login(&app, "/", &fault),
            Err(after) => return too_many(&app, "/", after),
        },
    };
    let Person { subject, name, email, groups } = person;
    let who = Who::Oidc { issuer, subject, name, email, groups };
    let mut response = enter(&door, &app, who, &next);
    let cleared = cookie::clear(cookie::LOGIN, door.secure);
    response.headers_mut().extend(cleared.map(|cookie: HeaderValue| (SET_COOKIE, cookie)));
    response
}

/// Counts a login that a client begins, or that fails, against the budget of that client.
fn within_budget(door: &Door, app: &App) -> Result<Client, Duration> {
    match Client::of(client_address(&door.parts, &app.config().http)) {
        Client::Unknown => Ok(Client::Unknown),
        client @ Client::Network(_) => app.login_budgets().spend(&client).map(|()| client),
    }
}

fn too_many(app: &App, next: &str, after: Duration) -> Response {
    let seconds = after.as_secs().max(1);
    let why = format!("Too many logins were begun from your address. Try again in {seconds} seconds.");
    let mut response = form(app, next, Some(&why), StatusCode::TOO_MANY_REQUESTS);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// The log has what went wrong; the page says what the person can do.
fn failed_login(app: &App, next: &str, fault: &LoginFault) -> Response {
    let why = in_words(fault);
    tracing::warn!(why, "a login through the identity provider failed");
    let (status, text) = match fault {
        LoginFault::NoProvider => (StatusCode::NOT_FOUND, sentence(&fault.to_string())),
        LoginFault::Unknown => (StatusCode::BAD_REQUEST, sentence(&fault.to_string())),
        LoginFault::Login(
            LoginError::Refused { .. } | LoginError::TooLate | LoginError::GroupsOverage { .. },
        ) => (StatusCode::FORBIDDEN, sentence(&why)),
        LoginFault::Settings(_) | LoginFault::Login(_) | LoginFault::Random(_) => {
            (StatusCode::BAD_GATEWAY, "The login failed; the log of keysweep says why.".to_owned())
        }
    };
    form(app, next, Some(&text), status)
}

/// The login page.
pub(super) fn form(app: &App, next: &str, failure: Option<&str>, status: StatusCode) -> Response {
    let config = app.config();
    let issuer = config.http.oidc.as_ref().map(|oidc| oidc.issuer.as_str());
    let provider = issuer.map(|issuer| issuer.trim_start_matches("https://").trim_end_matches('/'));
    let login = Login { provider, tokens: !config.http.tokens.is_empty(), failure, next };
    html(status, login_page(&outside(app, "/login"), login))
}
