//! Views of the page: each shows the reply of an operation, to the person who asks.

use std::sync::Arc;

use axum::extract::{FromRequestParts, OriginalUri, Path, RawQuery, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use keysweep_api::{
    KeyOrder, ListAccounts, ListApprovals, ListExemptions, ListFindings, ListHolds, ListJournal, ListNotices,
    ListSessions, Operation, Refusal, Role, ShowBreaker, ShowCalendar, ShowEvidence, ShowKey, ShowStatus,
    decode,
};
use tokio::runtime::Handle;

use super::form::{Fields, login_path, see_other, shows_html};
use super::login;
use crate::access::Caller;
use crate::engine::Engine;
use crate::operator::{Look, find, look, mode_means, stop_rows};
use crate::serve::app::App;
use crate::serve::auth::{Asker, By, Refused, ask};
#[cfg(feature = "demo")]
use crate::serve::page::WALL;
use crate::serve::page::{
    Can, Denied, Frame, Group, Grouped, Groups, Keys, KeysQuery, Overview, Person, Refresh, SCRIPT, Said,
    accounts, approvals, audit, calendar, denied, holds, key, keys, notices, overview, sessions, view_policy,
};
use crate::serve::router::failed;

/// Rows of the overview.
const NEXT: u32 = 20;

/// Someone who looks at a view.
#[derive(Debug)]
pub(in crate::serve) struct Visitor {
    pub(super) asker: Asker,
    /// Path and query of the view.
    here: String,
}

impl FromRequestParts<Arc<App>> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |uri| &uri.0);
        let here = uri.path_and_query().map_or("/", |it| it.as_str()).to_owned();
        match ask(parts, app, By::TokenOrSession, Role::Viewer) {
            Ok(asker) => Ok(Self { asker, here }),
            Err(Refused::Missing) if is_browser(parts) => Err(see_other(&login_path(&here))),
            Err(refused @ Refused::Weak { .. }) if is_browser(parts) => {
                let why = refused.to_string();
                Err(login::form(app, &here, Some(why.trim()), StatusCode::FORBIDDEN))
            }
            Err(refused) => Err(refused.into_response()),
        }
    }
}

fn is_browser(parts: &Parts) -> bool {
    parts.method == Method::GET && shows_html(&parts.headers)
}

/// The script of the page.
pub(in crate::serve) async fn script() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/javascript; charset=utf-8")], SCRIPT)
}

pub(in crate::serve) async fn show_overview(visitor: Visitor, State(app): State<Arc<App>>) -> Response {
    view(app, visitor, |at| {
        let status = at.at(ShowStatus {})?;
        let list = ListFindings { sort: KeyOrder::Next, limit: Some(NEXT), ..ListFindings::default() };
        let next = at.at(list)?;
        let breaker = match at.frame.can.operate {
            true => Some(at.at(ShowBreaker {})?),
            false => None,
        };
        let breaker = breaker.filter(|breaker| breaker.open.is_some());
        Ok(overview(at.frame, Overview { status: &status, next: &next, breaker: breaker.as_ref() }))
    })
    .await
}

pub(in crate::serve) async fn show_keys(
    visitor: Visitor,
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Response {
    let query = match keys_query(query.as_deref()) {
        Ok(query) => query,
        Err(refusal) => return refused(&app, &visitor, &refusal),
    };
    view(app, visitor, move |at| {
        let found = at.at(query.list.clone())?;
        let groups: Vec<Grouped> = match query.group {
            Some(group) => {
                let ListFindings { filter, sort, .. } = &query.list;
                let all = find(at.engine, at.caller, filter, *sort)?;
                let mut groups = Groups::new(group, &query);
                all.each(at.engine, |it| groups.add(it));
                groups.finish()
            }
            None => Vec::new(),
        };
        Ok(keys(at.frame, Keys { query: &query, found: &found, groups: &groups }))
    })
    .await
}

pub(super) fn keys_query(query: Option<&str>) -> Result<KeysQuery, Refusal> {
    let group = Fields::parse(query.unwrap_or_default().as_bytes()).filled("group");
    let unknown = |_| Refusal::Malformed("`group` must be account, owner, finding, or ou".to_owned());
    let group = group.map(|group| group.parse::<Group>().map_err(unknown)).transpose()?;
    Ok(KeysQuery { list: from_query(query, &["group"])?, group })
}

/// An operation from the query of a view. An empty field of a form asks for nothing.
fn from_query<O: Operation>(query: Option<&str>, not: &[&str]) -> Result<O, Refusal> {
    let mut given = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        if !value.trim().is_empty() && !not.contains(&name.as_ref()) {
            given.append_pair(&name, value.trim());
        }
    }
    decode(std::iter::empty(), Some(&given.finish()), b"")
}

pub(in crate::serve) async fn show_key(
    visitor: Visitor,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Response {
    let Ok(asked) = id.parse() else {
        let refusal = Refusal::NotFound("this is not the ID of an access key".to_owned());
        return refused(&app, &visitor, &refusal);
    };
    view(app, visitor, move |at| {
        let document = at.at(ShowKey { key: asked })?;
        Ok(key(at.frame, &id, &document))
    })
    .await
}

/// The newest evidence bundle of a key, as its page.
pub(in crate::serve) async fn show_evidence(
    visitor: Visitor,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Response {
    let Ok(asked) = id.parse() else {
        let refusal = Refusal::NotFound("this is not the ID of an access key".to_owned());
        return refused(&app, &visitor, &refusal);
    };
    let (caller, runtime) = (visitor.asker.caller.clone(), Handle::current());
    let made = app
        .clone()
        .work(move |app| runtime.block_on(look(app.engine(), &caller, ShowEvidence { key: asked })))
        .await;
    match made {
        Some(Ok(document)) => {
            let name =
                HeaderValue::try_from(format!("attachment; filename=\"evidence-{}.json\"", document.sha256));
            let mut response = ([(CONTENT_TYPE, "application/json")], document.file).into_response();
            response.headers_mut().extend(name.ok().map(|name| (CONTENT_DISPOSITION, name)));
            response
        }
        Some(Err(refusal)) => refused(&app, &visitor, &refusal),
        None => failed("the evidence", "the work was broken off").into_response(),
    }
}

pub(in crate::serve) async fn show_approvals(
    visitor: Visitor,
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Response {
    let render =
        |frame: &Frame, asked: &ListApprovals, document: &_| approvals(frame, &asked.filter, document);
    list(app, visitor, query.as_deref(), render).await
}

pub(in crate::serve) async fn show_holds(visitor: Visitor, State(app): State<Arc<App>>) -> Response {
    view(app, visitor, |at| {
        let held = at.at(ListHolds::default())?;
        let exempt = at.at(ListExemptions {})?;
        Ok(holds(at.frame, &held, &exempt))
    })
    .await
}

pub(in crate::serve) async fn show_accounts(
    visitor: Visitor,
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Response {
    let render = |frame: &Frame, asked: &ListAccounts, document: &_| accounts(frame, asked, document);
    list(app, visitor, query.as_deref(), render).await
}

pub(in crate::serve) async fn show_audit(
    visitor: Visitor,
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Response {
    let render = |frame: &Frame, asked: &ListJournal, document: &_| audit(frame, asked, document);
    list(app, visitor, query.as_deref(), render).await
}

pub(in crate::serve) async fn show_calendar(visitor: Visitor, State(app): State<Arc<App>>) -> Response {
    view(app, visitor, |at| {
        let document = at.at(ShowCalendar {})?;
        Ok(calendar(at.frame, &document))
    })
    .await
}

pub(in crate::serve) async fn show_notices(visitor: Visitor, State(app): State<Arc<App>>) -> Response {
    view(app, visitor, |at| {
        let document = at.at(ListNotices {})?;
        Ok(notices(at.frame, &document))
    })
    .await
}

pub(in crate::serve) async fn show_sessions(visitor: Visitor, State(app): State<Arc<App>>) -> Response {
    view(app, visitor, |at| {
        let document = at.at(ListSessions {})?;
        Ok(sessions(at.frame, &document))
    })
    .await
}

/// What a view is made from.
struct Looking<'a> {
    engine: &'a Engine,
    caller: &'a Caller,
    frame: &'a Frame,
    runtime: Handle,
}

impl Looking<'_> {
    /// The reply of an operation, for the person who asks.
    fn at<O: Look>(&self, asked: O) -> Result<O::Reply, Refusal> {
        asked.is_at_hand(self.engine)?;
        self.runtime.block_on(look(self.engine, self.caller, asked))
    }
}

/// The view of an operation whose fields are in the query.
async fn list<O: Look + Clone>(
    app: Arc<App>,
    visitor: Visitor,
    query: Option<&str>,
    render: impl FnOnce(&Frame, &O, &O::Reply) -> Result<String, askama::Error> + Send + 'static,
) -> Response {
    let asked: O = match from_query(query, &[]) {
        Ok(asked) => asked,
        Err(refusal) => return refused(&app, &visitor, &refusal),
    };
    view(app, visitor, move |at| {
        let document = at.at(asked.clone())?;
        Ok(render(at.frame, &asked, &document))
    })
    .await
}

/// A view, made away from the tasks of the runtime: many walk all records.
async fn view(
    app: Arc<App>,
    visitor: Visitor,
    make: impl FnOnce(&Looking<'_>) -> Result<Result<String, askama::Error>, Refusal> + Send + 'static,
) -> Response {
    let (frame, caller, runtime) = (frame(&app, &visitor), visitor.asker.caller, Handle::current());
    let shown = frame.clone();
    let made = Arc::clone(&app)
        .work(move |app| make(&Looking { engine: app.engine(), caller: &caller, frame: &frame, runtime }));
    match made.await {
        Some(Ok(made)) => html(StatusCode::OK, made),
        Some(Err(refusal)) => denied_page(&shown, &refusal),
        None => failed("the page", "the work was broken off").into_response(),
    }
}

pub(super) fn refused(app: &App, visitor: &Visitor, refusal: &Refusal) -> Response {
    denied_page(&frame(app, visitor), refusal)
}

fn denied_page(frame: &Frame, refusal: &Refusal) -> Response {
    let title = match refusal {
        Refusal::Forbidden(_) | Refusal::Unauthenticated(_) => "Not permitted",
        Refusal::NotFound(_) => "Not found",
        Refusal::Malformed(_) | Refusal::NotAllowed(_) | Refusal::TooLarge(_) => "Invalid request",
        Refusal::Conflict(_) => "The list has changed",
        Refusal::TooMany(_) | Refusal::Internal(_) | Refusal::Aws(_) | Refusal::Unavailable(_) => {
            "Not available"
        }
    };
    let why = sentence(&refusal.to_string());
    let back = if frame.here == "/" { "/keys" } else { "/" };
    html(refusal.status(), denied(frame, Denied { title, why: &why, back }))
}

/// A message of a command as a sentence.
pub(super) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    let text = format!("{first}{}", chars.as_str());
    if text.ends_with(['.', '`']) { text } else { format!("{text}.") }
}

/// A page of HTML with the policy of views.
pub(super) fn html(status: StatusCode, made: Result<String, askama::Error>) -> Response {
    match made {
        Ok(html) => {
            let headers = [
                (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
                (CONTENT_SECURITY_POLICY, view_policy()),
            ];
            (status, headers, html).into_response()
        }
        Err(error) => failed("the page", &error.to_string()).into_response(),
    }
}

/// What every view shows around its own content.
pub(super) fn frame(app: &App, visitor: &Visitor) -> Frame {
    let Visitor { asker, here } = visitor;
    let (engine, caller) = (app.engine(), &asker.caller);
    let best = caller.best_role();
    let said = asker.live.as_ref().and_then(|live| engine.sessions().heard(live));
    Frame {
        person: (!asker.anonymous)
            .then(|| Person { name: caller.actor().to_string(), role: role_in_words(caller) }),
        csrf: asker.live.as_ref().map(|live| live.csrf.clone()),
        can: Can {
            approve: best >= Some(Role::Approver),
            operate: best >= Some(Role::Operator),
            own: caller.email().is_some(),
        },
        said: said.map(|said| Said { good: said.good, text: said.text }),
        ..outside(app, here)
    }
}

/// The frame of a view that shows nothing about keys, to someone unknown.
pub(super) fn outside(app: &App, here: &str) -> Frame {
    let (config, engine) = (app.config(), app.engine());
    Frame {
        now: engine.clock().now(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        mode: config.policy.base.mode.as_str().to_owned(),
        mode_means: mode_means(&config.policy),
        stops: engine.store().read(|state| stop_rows(state, &config.policy)),
        person: None,
        csrf: None,
        can: Can::default(),
        said: None,
        #[cfg(feature = "demo")]
        more: of_demo(engine),
        #[cfg(not(feature = "demo"))]
        more: Vec::new(),
        refresh: refresh(engine),
        login: !config.http.tokens.is_empty() || config.http.oidc.is_some(),
        here: here.to_owned(),
    }
}

/// Views of the demo.
#[cfg(feature = "demo")]
fn of_demo(engine: &Engine) -> Vec<(&'static str, &'static str)> {
    let mailbox = engine.mailbox().map(|_| (super::mailbox::MAILBOX, "Mailbox"));
    let wall = engine.wall().map(|_| (WALL, "Slack"));
    mailbox.into_iter().chain(wall).collect()
}

/// How often views refresh: in the demo, a day passes within seconds.
fn refresh(engine: &Engine) -> Refresh {
    #[cfg(feature = "demo")]
    if engine.wall().is_some() {
        return Refresh::SECONDS;
    }
    let _ = engine;
    Refresh::MINUTE
}

fn role_in_words(caller: &Caller) -> String {
    match caller.best_role() {
        None => "owner of keys".to_owned(),
        Some(role) if caller.is(role) => role.to_string(),
        Some(role) => format!("{role} in some accounts"),
    }
}
