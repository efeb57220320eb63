//! Who may ask what.
//!
//! Metrics and health are open to all who reach the listener. The rest goes by what the listener can promise: on the Unix
//! socket the kernel says who asks; on a loopback address only this machine asks, and with TLS nobody else hears a token.
//! What a route requires is an argument of its handler, [`Asker`], [`Viewer`] or [`Operator`], so that none can forget it.
//! A session counts on the page only: no other site can have a browser send a token.

mod bearer;
pub(super) mod cookie;
mod refusal;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use keysweep_core::state::Actor;
use leaky_bucket::RateLimiter;

pub(super) use self::refusal::Refused;
use super::app::App;
use super::socket::LocalPeer;
use crate::access::{Caller, Grant, Holder, Holding, Live};
use crate::config::{Config, Http};
use crate::socket::user_name;
use crate::token::{self, Role, Token};

/// Browsers say by it where a request comes from (Fetch Metadata Request Headers, section 2.3).
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Wrong tokens in a row that are still answered and logged one by one: somebody tries which of a few it was.
const WRONG_AT_ONCE: usize = 10;

/// After these, one more in this time. What is over is answered without a word in the log, which would fill the disk.
const WRONG_EVERY: Duration = Duration::from_secs(6);

/// Where requests come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listener {
    /// The Unix socket in data_dir, which only the daemon's user and root can open.
    Socket,
    /// The Unix socket of `http.socket`, which every user of this machine can open.
    SharedSocket,
    /// An address.
    Address(Address),
}

/// What an address can promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Address {
    /// Only this machine can ask.
    pub(super) loopback: bool,
    /// Nobody else hears what is asked and answered.
    pub(super) tls: bool,
}

/// The address at the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Someone who asks, with the session that they ask by, if it is one.
#[derive(Debug)]
pub(super) struct Asker {
    /// Who, with their roles.
    pub(super) caller: Caller,
    /// The session of a page.
    pub(super) live: Option<Live>,
    /// Nobody had to prove anything: looking is open on this listener.
    pub(super) anonymous: bool,
}

/// How someone can prove who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// By a token that comes with the request.
    Token,
    /// By a token, or by the cookie of a session.
    TokenOrSession,
}

/// Counts what was refused for its token, in constant memory. A right token is never looked for here, so that nobody
/// is locked out by the failures of another.
pub(super) struct Failures {
    bounds: RateLimiter,
    unlogged: AtomicU64,
}

impl Failures {
    pub(super) fn new() -> Self {
        let bounds = RateLimiter::builder()
            .initial(WRONG_AT_ONCE)
            .max(WRONG_AT_ONCE)
            .refill(1)
            .interval(WRONG_EVERY)
            .build();
        Self { bounds, unlogged: AtomicU64::new(0) }
    }

    /// Notes a failure: how many were not logged before it, or, where there are too many, when to try again.
    fn note(&self) -> Result<u64, Duration> {
        if self.bounds.try_acquire(1) {
            return Ok(self.unlogged.swap(0, Ordering::Relaxed));
        }
        self.unlogged.fetch_add(1, Ordering::Relaxed);
        Err(WRONG_EVERY)
    }
}

/// Refuses what a page of another site has a browser ask.
pub(super) fn same_site(parts: &Parts, app: &App) -> Result<(), Refused> {
    match app.listener() {
        Listener::Address(address)
            if from_elsewhere(&parts.headers, address, app.config().http.public.as_ref()) =>
        {
            Err(Refused::CrossSite)
        }
        Listener::Address(_) | Listener::Socket | Listener::SharedSocket => Ok(()),
    }
}

/// Someone who may look, by a token.
#[derive(Debug)]
pub(super) struct Viewer;

impl FromRequestParts<Arc<App>> for Viewer {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refused> {
        ask(parts, app, By::Token, Role::Viewer).map(|_| Self)
    }
}

/// Someone who may change how keysweep runs.
#[derive(Debug)]
pub(super) struct Operator(pub(super) Actor);

impl FromRequestParts<Arc<App>> for Operator {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refused> {
        same_site(parts, app)?;
        let asker = ask(parts, app, By::Token, Role::Operator)?;
        if !asker.caller.is(Role::Operator) {
            return Err(Refused::Weak {
                name: asker.caller.actor().to_string(),
                has: asker.caller.best_role(),
                wants: Role::Operator,
            });
        }
        Ok(Self(asker.caller.actor().clone()))
    }
}

/// Finds out who asks. `wants` is the least role that what they ask for requires in some account; where exactly it has to
/// be held is [authorized](Caller::authorize) later, and owners of keys need none.
pub(super) fn ask(parts: &Parts, app: &App, by: By, wants: Role) -> Result<Asker, Refused> {
    let asker = match app.listener() {
        Listener::Socket | Listener::SharedSocket => local(parts, app)?,
        Listener::Address(address) => admitted(parts, app, address, by, wants)?,
    };
    let has = asker.caller.best_role();
    if has < Some(wants) && !asker.caller.owns_keys(app.engine()) {
        if asker.anonymous {
            return Err(nobody(&app.config().http, wants));
        }
        return Err(Refused::Weak { name: asker.caller.actor().to_string(), has, wants });
    }
    Ok(asker)
}

/// The user ID that the kernel gives for every user who does not exist in the user namespace of the daemon (user_namespaces(7)).
const OVERFLOW_UID: u32 = 65_534;

/// A user of this machine.
fn local(parts: &Parts, app: &App) -> Result<Asker, Refused> {
    let LocalPeer { actor, uid } = parts.extensions.get::<LocalPeer>().ok_or(Refused::UnknownPeer)?;
    let own = rustix::process::geteuid().as_raw();
    let caller = local_caller(actor, *uid, own, &user_name(*uid), &app.config().access);
    Ok(Asker { caller, live: None, anonymous: false })
}

/// Root and the daemon's own user may do everything: they can read and write data_dir.
fn local_caller(actor: &Actor, uid: u32, own: u32, name: &str, access: &[Holding]) -> Caller {
    if uid == 0 || uid == own {
        return Caller::unrestricted(actor.clone());
    }
    let holds = |holding: &&Holding| matches!(&holding.holder, Holder::LocalUser(user) if user == name);
    let grants = access.iter().filter(holds).filter(|_| uid != OVERFLOW_UID);
    Caller::new(actor.clone(), grants.map(|holding| holding.grant.clone()).collect())
}

/// Headers by which proxies say for whom they ask.
const FORWARDING: [&str; 13] = [
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-port",
    "x-forwarded-server",
    "x-forwarded",
    "x-original-host",
    "x-real-ip",
    "x-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
];

/// Whether a request came through a proxy: its headers say so, or it names the public URL, which only a proxy serves.
pub(super) fn is_proxied(headers: &HeaderMap, public: Option<&Authority>) -> bool {
    let named = headers.get_all(HOST).iter().any(|host| names(host, public));
    named || FORWARDING.iter().any(|name| headers.contains_key(*name))
}

/// Whether a `Host` header is that of the public URL.
pub(super) fn names(host: &HeaderValue, public: Option<&Authority>) -> bool {
    let host = host.to_str().ok().and_then(|text| text.parse::<Authority>().ok());
    let port = |of: &Authority| of.port_u16().unwrap_or(443);
    host.zip(public).is_some_and(|(host, public)| {
        host.host().eq_ignore_ascii_case(public.host()) && port(&host) == port(public)
    })
}

/// Whether a request comes from a proxy that is trusted to have received it over https.
pub(super) fn is_from_trusted_proxy(parts: &Parts, http: &Http) -> bool {
    let peer = parts.extensions.get::<Peer>().map(|peer| peer.0.ip().to_canonical());
    let trusted = |ip: IpAddr| http.trusted_proxies.iter().any(|network| network.contains(&ip));
    let mut schemes = parts.headers.get_all("x-forwarded-proto").iter().peekable();
    schemes.peek().is_some()
        && schemes.all(|scheme| scheme.as_bytes().eq_ignore_ascii_case(b"https"))
        && parts.headers.get_all(HOST).iter().any(|host| names(host, http.public.as_ref()))
        && peer.is_some_and(trusted)
}

/// The address of the client in words, as far as it is known.
pub(super) fn client(parts: &Parts, http: &Http) -> String {
    client_address(parts, http).map_or_else(|| "local socket".to_owned(), |address| address.to_string())
}

/// The address of the client: that of the connection, or what trusted proxies say. A local socket has none.
pub(super) fn client_address(parts: &Parts, http: &Http) -> Option<IpAddr> {
    let peer = parts.extensions.get::<Peer>()?.0.ip().to_canonical();
    let trusted = |ip: &IpAddr| http.trusted_proxies.iter().any(|network| network.contains(ip));
    let forwarded = parts.headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let mut hops: Vec<IpAddr> =
        forwarded.flat_map(|value| value.split(',')).filter_map(|hop| hop.trim().parse().ok()).collect();
    // Each proxy appends the address that it was asked by: only what a trusted one wrote counts.
    let mut client = peer;
    while trusted(&client)
        && let Some(hop) = hops.pop()
    {
        client = hop.to_canonical();
    }
    Some(client)
}

/// Why someone who has proven nothing is not answered.
fn nobody(http: &Http, role: Role) -> Refused {
    if http.tokens.is_empty() && http.oidc.is_none() { Refused::NoTokens { role } } else { Refused::Missing }
}

/// What an address can promise about one request: less than usual if it came through a proxy.
pub(super) fn transport(
    parts: &Parts,
    app: &App,
    mut address: Address,
    role: Role,
) -> Result<Address, Refused> {
    let config = app.config();
    let public = config.http.public.as_ref();
    // Not every proxy says that it is one: where there is one, a request through it may look like any other.
    if address.loopback && (public.is_some() || is_proxied(&parts.headers, public)) {
        if public.is_none() && !address.tls {
            return Err(Refused::Proxied);
        }
        // Who asks may be on another machine, and the proxy speaks https with it.
        address = Address { loopback: false, tls: true };
    }
    if !address.loopback && !address.tls {
        if !is_from_trusted_proxy(parts, &config.http) {
            return Err(Refused::PlainHttp { role });
        }
        address.tls = true;
    }
    Ok(address)
}

/// Who asks on an address, or why they are not answered.
fn admitted(parts: &Parts, app: &App, address: Address, by: By, role: Role) -> Result<Asker, Refused> {
    let config = app.config();
    let address = transport(parts, app, address, role)?;
    let presented = match by {
        // A request with both is that of a script.
        By::Token | By::TokenOrSession if parts.headers.contains_key(AUTHORIZATION) => {
            bearer::token(&parts.headers)
        }
        By::Token => Err(Refused::Missing),
        By::TokenOrSession => {
            if let Some((caller, live)) = session(&parts.headers, app, address.tls) {
                return Ok(Asker { caller, live: Some(live), anonymous: false });
            }
            Err(Refused::Missing)
        }
    };
    let closed = is_closed(&config);
    let refusal = match presented
        .and_then(|presented| token::find(&config.http.tokens, presented).ok_or(Refused::Unknown))
    {
        Ok(token) => {
            let caller = Caller::new(Actor::token(&token.name), vec![token.grant()]);
            return Ok(Asker { caller, live: None, anonymous: false });
        }
        // Most who have no token do not know that they need one.
        Err(Refused::Missing) if address.loopback && !closed => {
            let caller = Caller::new(Actor::local("anonymous"), vec![Grant::everywhere(Role::Viewer)]);
            return Ok(Asker { caller, live: None, anonymous: true });
        }
        Err(_) if config.http.tokens.is_empty() && config.http.oidc.is_none() => {
            return Err(nobody(&config.http, role));
        }
        Err(Refused::Missing) => return Err(nobody(&config.http, role)),
        Err(refusal) => refusal,
    };
    Err(count(parts, app, refusal))
}

/// Counts an attempt with a wrong token, and gives the refusal to answer with.
pub(super) fn count(parts: &Parts, app: &App, refusal: Refused) -> Refused {
    match app.failures().note() {
        Ok(unlogged) => {
            let peer = client(parts, &app.config().http);
            let asked = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |uri| &uri.0);
            let (path, why) = (asked.path(), refusal.why());
            tracing::warn!(peer, path, why, unlogged, "an http request was refused for its token");
            refusal
        }
        Err(after) => Refused::TooMany { after },
    }
}

/// Whether looking takes a proof on a loopback address, too: a viewer's token, a scope, a provider, or a role of a local
/// user would mean nothing if everybody on this machine saw everything.
fn is_closed(config: &Config) -> bool {
    let by_token = |token: &Token| token.role == Role::Viewer || token.scope.is_some();
    let by_user = |holding: &Holding| matches!(holding.holder, Holder::LocalUser(_));
    config.http.oidc.is_some() || config.http.tokens.iter().any(by_token) || config.access.iter().any(by_user)
}

/// The session of a cookie, with the roles that its person has now.
fn session(headers: &HeaderMap, app: &App, secure: bool) -> Option<(Caller, Live)> {
    let (config, engine) = (app.config(), app.engine());
    let (http, now) = (&config.http, engine.clock().operational());
    cookie::all(headers, cookie::SESSION, secure).find_map(|value| {
        let live = engine.sessions().find(value, http.session, now)?;
        let caller = live.session.who.caller(http, &config.access)?;
        Some((caller, live))
    })
}

/// Whether a browser says that a page of somebody else's had it ask. A page cannot make it send a token either, so
/// this is a second line.
fn from_elsewhere(headers: &HeaderMap, address: Address, public: Option<&Authority>) -> bool {
    let mut sites = headers.get_all(SEC_FETCH_SITE).iter().peekable();
    let mut own = sites.peek().is_some();
    for site in sites {
        if site != "same-origin" && site != "none" {
            return true;
        }
        own &= site == "same-origin";
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let scheme = if address.tls { "https" } else { "http" };
    let ours = |origin: &str| {
        let origin = origin.parse::<Uri>().ok();
        origin.is_some_and(|origin| {
            let by_proxy = origin.authority().and_then(|name| HeaderValue::from_str(name.as_str()).ok());
            if origin.scheme_str() == Some("https") && by_proxy.is_some_and(|name| names(&name, public)) {
                return true;
            }
            let authority = origin.authority().map(axum::http::uri::Authority::as_str);
            origin.scheme_str() == Some(scheme)
                && authority.zip(host).is_some_and(|(theirs, ours)| theirs.eq_ignore_ascii_case(ours))
        })
    };
    // Our pages send no referrer, and browsers then hide the origin of a form, too (Fetch, "append a request `Origin` header").
    let hidden = |origin: &HeaderValue| own && origin == "null";
    headers.get_all(ORIGIN).iter().any(|origin| !hidden(origin) && !origin.to_str().is_ok_and(ours))
}

#[cfg(test)]
mod tests;
