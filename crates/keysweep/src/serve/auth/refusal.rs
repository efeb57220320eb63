//! Why a request is not answered, in words and in the terms of RFC 6750, section 3.

use std::fmt;
use std::time::Duration;

use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::serve::router::told;
use crate::token::Role;

/// Why a request is not answered. Nothing of the token is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::serve) enum Refused {
    /// A token or an answer would be known to whoever listens.
    PlainHttp { role: Role },
    /// It came through a proxy that is not configured.
    Proxied,
    /// Nobody has a token.
    NoTokens { role: Role },
    /// A page of somebody else's asks.
    CrossSite,
    /// The kernel does not say who is at the other end of the socket.
    UnknownPeer,
    /// There is no token.
    Missing,
    /// Who asks proves himself in another way.
    OtherScheme,
    /// What was sent is no token.
    Malformed(&'static str),
    /// The token is nobody's.
    Unknown,
    /// The token is somebody's who may not do this.
    Weak { name: String, has: Option<Role>, wants: Role },
    /// There were too many wrong tokens.
    TooMany { after: Duration },
    /// There were too many requests.
    TooManyRequests { after: Duration },
}

impl Refused {
    /// In a few words, for the log.
    pub(super) fn why(&self) -> String {
        match self {
            Self::PlainHttp { .. } => "plain http".into(),
            Self::Proxied => "came through a proxy, and http.public_url is not set".into(),
            Self::NoTokens { .. } => "no tokens are configured".into(),
            Self::CrossSite => "asked for by a page of another site".into(),
            Self::UnknownPeer => "an unknown user".into(),
            Self::Missing => "no token".into(),
            Self::OtherScheme => "not a bearer token".into(),
            Self::Malformed(what) => (*what).into(),
            Self::Unknown => "an unknown token".into(),
            Self::Weak { name, has, wants } => {
                let has = has.map_or("no role", |role| role.as_str());
                format!("{name} has {has}, and this requires {wants}")
            }
            Self::TooMany { .. } => "too many wrong tokens".into(),
            Self::TooManyRequests { .. } => "too many requests".into(),
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::PlainHttp { .. }
            | Self::Proxied
            | Self::NoTokens { .. }
            | Self::CrossSite
            | Self::UnknownPeer
            | Self::Weak { .. } => StatusCode::FORBIDDEN,
            Self::Missing | Self::OtherScheme | Self::Unknown => StatusCode::UNAUTHORIZED,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::TooMany { .. } | Self::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    /// What it takes, where a token would help. Who sent none is told no error code.
    fn challenge(&self) -> Option<&'static str> {
        match self {
            Self::PlainHttp { .. }
            | Self::Proxied
            | Self::NoTokens { .. }
            | Self::CrossSite
            | Self::UnknownPeer
            | Self::TooMany { .. }
            | Self::TooManyRequests { .. } => None,
            Self::Missing | Self::OtherScheme => Some("Bearer realm=\"keysweep\""),
            Self::Malformed(_) => Some("Bearer realm=\"keysweep\", error=\"invalid_request\""),
            Self::Unknown => Some("Bearer realm=\"keysweep\", error=\"invalid_token\""),
            Self::Weak { wants: Role::Viewer, .. } => {
                Some("Bearer realm=\"keysweep\", error=\"insufficient_scope\", scope=\"viewer\"")
            }
            Self::Weak { wants: Role::Approver, .. } => {
                Some("Bearer realm=\"keysweep\", error=\"insufficient_scope\", scope=\"approver\"")
            }
            Self::Weak { wants: Role::Operator, .. } => {
                Some("Bearer realm=\"keysweep\", error=\"insufficient_scope\", scope=\"operator\"")
            }
        }
    }

    fn text(&self) -> String {
        match self {
            Self::PlainHttp { role: Role::Viewer } => {
                "Without TLS, the page and the API are served on a loopback address only. Available here: /metrics, \
                 /-/healthy, and /-/ready. See http.tls and http.token in the configuration.\n"
                    .into()
            }
            Self::PlainHttp { role: Role::Approver | Role::Operator } => {
                "Without TLS, tokens are accepted on a loopback address only: anyone on the network path can read them. \
                 Replace a token that was sent here. See http.tls in the configuration, or use the command line on \
                 the machine of the daemon.\n"
                    .into()
            }
            Self::Proxied => {
                "This request came through a proxy; only this machine has read access without a token. To serve keysweep \
                 through a proxy, set http.public_url to the https URL of the proxy, and create a token with \
                 `keysweep token new`.\n"
                    .into()
            }
            Self::NoTokens { role: Role::Viewer } => {
                "No token and no http.oidc is configured, and requests from other machines need a login. `keysweep token new` \
                 creates a token.\n"
                    .into()
            }
            Self::NoTokens { role: Role::Approver | Role::Operator } => {
                "No token is configured, so this is not permitted over HTTP. Use the command line on the daemon's machine \
                 (`systemctl reload keysweep` reloads the configuration), or create an operator's token with \
                 `keysweep token new --role operator`.\n"
                    .into()
            }
            Self::CrossSite => "Cross-site requests are refused.\n".into(),
            Self::UnknownPeer => "The kernel does not say which user asks.\n".into(),
            Self::Missing => "Authentication required: send Authorization: Bearer TOKEN.\n".into(),
            Self::OtherScheme => "Send the token as Authorization: Bearer TOKEN.\n".into(),
            Self::Malformed(what) => format!("Invalid token: {what}. Send Authorization: Bearer TOKEN.\n"),
            Self::Unknown => "Unknown or revoked token.\n".into(),
            Self::Weak { name, has, wants } => {
                let has = has.map_or("no role".to_owned(), |role| format!("the role {role}"));
                format!("This requires the role {wants}; {name} has {has}.\n")
            }
            Self::TooManyRequests { after } => {
                format!("Too many requests of this caller; retry in {} s.\n", after.as_secs())
            }
            Self::TooMany { after } => {
                format!("Too many invalid tokens. A valid token is always accepted; otherwise, retry in {} s.\n", after.as_secs())
            }
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().trim_end())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = told(self.status(), self.text()).into_response();
        let headers = response.headers_mut();
        if let Some(challenge) = self.challenge() {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Self::TooMany { after } | Self::TooManyRequests { after } = self {
            headers.insert(RETRY_AFTER, HeaderValue::from(after.as_secs()));
        }
        response
    }
}
