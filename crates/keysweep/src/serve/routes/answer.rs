//! Links in notices: the page, and the answer.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use keysweep_api::{Refusal, reason};

use crate::operator::Answer;
use crate::people::{Invalid, Link, Purpose};
use crate::serve::app::App;
use crate::serve::auth::{Address, Listener, is_from_trusted_proxy, same_site};
use crate::serve::page::{Told, answer_page, answer_policy};
use crate::serve::router::{failed, told};

const DAY: Duration = Duration::from_secs(86_400);

/// Proof that nobody but the two ends reads what is asked: a link is a secret.
pub(in crate::serve) struct Private;

impl FromRequestParts<Arc<App>> for Private {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        match app.listener() {
            Listener::Address(Address { loopback: false, tls: false })
                if !is_from_trusted_proxy(parts, &app.config().http) =>
            {
                Err(told(StatusCode::FORBIDDEN, "Links require https.\n").into_response())
            }
            Listener::Address(_) | Listener::Socket | Listener::SharedSocket => Ok(Self),
        }
    }
}

/// Shows what a link is for. Nothing happens.
pub(in crate::serve) async fn show(
    _: Private,
    State(app): State<Arc<App>>,
    Path(token): Path<String>,
) -> Response {
    let Ok(link) = link(&app, &token) else { return invalid() };
    page(app, link, None, String::new(), StatusCode::OK).await
}

/// Carries out what a link is for.
pub(in crate::serve) async fn answer(
    _: Private,
    _: OwnPage,
    State(app): State<Arc<App>>,
    Path(token): Path<String>,
    body: Bytes,
) -> Response {
    let Ok(link) = link(&app, &token) else { return invalid() };
    let (mut given, mut days) = (String::new(), None);
    for (name, value) in form_urlencoded::parse(&body) {
        match name.as_ref() {
            "reason" => given = value.into_owned(),
            "days" => days = value.parse::<u32>().ok(),
            _ => {}
        }
    }
    let asks = matches!(link.purpose, Purpose::StillNeeded | Purpose::Reactivate);
    let why = match (asks, reason(&given)) {
        (true, Ok(why)) => why,
        (true, Err(expected)) => {
            let told = Told { good: false, text: format!("Enter what the key is needed for: {expected}.") };
            return page(app, link, Some(told), given, StatusCode::BAD_REQUEST).await;
        }
        (false, _) => "the owner no longer needs the key".to_owned(),
    };
    let length = DAY.saturating_mul(days.unwrap_or(u32::MAX));
    let answer = Answer { link: link.clone(), reason: why, length };
    let engine = Arc::clone(app.engine());
    let answered = app.decide(async move { engine.answer(answer).await }).await;
    let answered = answered.unwrap_or_else(|| {
        Err(Refusal::Internal("open the link again to see whether this was done".to_owned()))
    });
    let (told, status) = match answered {
        Ok(done) => (Told { good: true, text: sentence(&done.message) }, StatusCode::OK),
        Err(refusal) => {
            // What follows the first line is for operators: commands, and other keys of the user.
            let text = sentence(refusal.to_string().lines().next().unwrap_or_default());
            (Told { good: false, text }, refusal.status())
        }
    };
    page(app, link, Some(told), given, status).await
}

/// Proof that no page of another site had the browser send this.
pub(in crate::serve) struct OwnPage;

impl FromRequestParts<Arc<App>> for OwnPage {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        same_site(parts, app).map(|()| Self).map_err(IntoResponse::into_response)
    }
}

fn link(app: &App, token: &str) -> Result<Link, Invalid> {
    let engine = app.engine();
    engine.links().ok_or(Invalid)?.read(token, engine.clock().now())
}

fn invalid() -> Response {
    told(StatusCode::NOT_FOUND, "This link is invalid or has expired.\n").into_response()
}

async fn page(app: Arc<App>, link: Link, told: Option<Told>, reason: String, status: StatusCode) -> Response {
    let made = app.work(move |app| answer_page(app.engine(), &link, told, &reason)).await;
    match made {
        Some(Ok(html)) => {
            let headers = [
                (CONTENT_TYPE, axum::http::HeaderValue::from_static("text/html; charset=utf-8")),
                (CONTENT_SECURITY_POLICY, answer_policy()),
            ];
            (status, headers, html).into_response()
        }
        Some(Err(error)) => failed("the page", &error.to_string()).into_response(),
        None => failed("the page", "the work was broken off").into_response(),
    }
}

/// A message of a command as a sentence.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    // What begins with a key ID stays as it is.
    let text = format!("{first}{}", chars.as_str());
    if text.ends_with(['.', '`']) { text } else { format!("{text}.") }
}
