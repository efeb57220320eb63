//! Who may ask what.
//!
//! Metrics and health are open to all who reach the listener. The rest goes by what the listener can promise: on the Unix
//! socket the kernel says who asks; on a loopback address only this machine asks, and with TLS nobody else hears a token.
//! What a route requires is an argument of its handler, [`Viewer`] or [`Operator`], so that none can forget it.

mod bearer;
mod refusal;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::header::{HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use keysweep_core::state::Actor;
use leaky_bucket::RateLimiter;

pub(super) use self::refusal::Refused;
use super::app::App;
use super::socket::LocalPeer;
use crate::config::Http;
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

/// Proof that who asks may look.
#[derive(Debug)]
pub(super) struct Viewer;

/// Proof that who asks may decide, and who it is.
#[derive(Debug)]
pub(super) struct Operator(pub(super) Actor);

/// What it takes to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// To have reached the listener.
    Nothing,
    /// A token with the role.
    Token,
    /// Nothing helps while the listener and the configuration are as they are.
    Never(Closed),
}

/// Why nothing helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closed {
    /// A token, and whatever is answered, would be known to whoever listens.
    PlainHttp,
    /// Nobody has a token.
    NoTokens,
}

/// Counts what was refused for its token, in constant memory. A right token is never looked for here, so that nobody
/// is locked out by the failures of another.
pub(super) struct Failures {
    bounds: RateLimiter,
    unlogged: AtomicU64,
}

impl Address {
    /// What whoever asks for something of this role has to show.
    fn wants(self, role: Role, tokens: &[Token]) -> Wanted {
        let any_token = !tokens.is_empty();
        // A viewer's token would open nothing if it were not asked for.
        let for_viewers = tokens.iter().any(|token| token.role == Role::Viewer);
        match (self, role) {
            (Self { loopback: true, .. }, Role::Viewer) if !for_viewers => Wanted::Nothing,
            (Self { loopback: false, tls: false }, Role::Viewer | Role::Operator) => {
                Wanted::Never(Closed::PlainHttp)
            }
            (Self { .. }, Role::Viewer | Role::Operator) if any_token => Wanted::Token,
            (Self { .. }, Role::Viewer | Role::Operator) => Wanted::Never(Closed::NoTokens),
        }
    }
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

impl FromRequestParts<Arc<App>> for Viewer {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refused> {
        match app.listener() {
            Listener::Socket => Ok(Self),
            Listener::Address(address) => admitted(parts, app, address, Role::Viewer).map(|_| Self),
        }
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
        Listener::Address(_) | Listener::Socket => Ok(()),
    }
}

impl FromRequestParts<Arc<App>> for Operator {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refused> {
        same_site(parts, app)?;
        match app.listener() {
            Listener::Socket => {
                let peer = parts.extensions.get::<LocalPeer>();
                peer.map(|peer| Self(peer.0.clone())).ok_or(Refused::UnknownPeer)
            }
            // Where looking is open nobody is asked who he is; where deciding is, everybody.
            Listener::Address(address) => {
                admitted(parts, app, address, Role::Operator)?.map(Self).ok_or(Refused::Missing)
            }
        }
    }
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

/// Who asks, if that had to be known, or why he is not answered.
fn admitted(parts: &Parts, app: &App, mut address: Address, role: Role) -> Result<Option<Actor>, Refused> {
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
    match address.wants(role, &config.http.tokens) {
        Wanted::Nothing => return Ok(None),
        Wanted::Never(Closed::PlainHttp) => return Err(Refused::PlainHttp { role }),
        Wanted::Never(Closed::NoTokens) => return Err(Refused::NoTokens { role }),
        Wanted::Token => {}
    }
    let refusal = match known(&parts.headers, &config.http, role) {
        Ok(actor) => return Ok(Some(actor)),
        // Most who have no token do not know that they need one.
        Err(Refused::Missing) => return Err(Refused::Missing),
        Err(refusal) => refusal,
    };
    match app.failures().note() {
        Ok(unlogged) => {
            let peer = parts.extensions.get::<Peer>().map(|peer| peer.0.ip().to_string());
            let asked = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |uri| &uri.0);
            let (path, why) = (asked.path(), refusal.why());
            tracing::warn!(peer, path, why, unlogged, "an http request was refused for its token");
            Err(refusal)
        }
        Err(after) => Err(Refused::TooMany { after }),
    }
}

/// The owner of the token in the headers, if he may do this.
fn known(headers: &HeaderMap, http: &Http, role: Role) -> Result<Actor, Refused> {
    let presented = bearer::token(headers)?;
    let token = token::find(&http.tokens, presented).ok_or(Refused::Unknown)?;
    if token.role < role {
        return Err(Refused::Weak { name: token.name.clone(), has: token.role, wants: role });
    }
    Ok(Actor::Token { name: token.name.clone() })
}

/// Whether a browser says that a page of somebody else's had it ask. A page cannot make it send a token either, so
/// this is a second line.
fn from_elsewhere(headers: &HeaderMap, address: Address, public: Option<&Authority>) -> bool {
    let site = headers.get_all(SEC_FETCH_SITE).iter();
    if site.into_iter().any(|site| site != "same-origin" && site != "none") {
        return true;
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
    headers.get_all(ORIGIN).iter().any(|origin| !origin.to_str().is_ok_and(ours))
}

#[cfg(test)]
mod tests;
