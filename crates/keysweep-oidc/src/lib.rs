//! Logs one person in through an OpenID Connect provider.
//!
//! [`Provider::begin`] returns the URL that the browser visits and a [`Pending`] that the caller keeps. The provider sends
//! the browser back to the redirect URL; [`Answer::parse`] reads the query of that request, and [`Provider::finish`] turns
//! both into a [`Person`]. Cookies, sessions, and what a person is allowed to do are the caller's.
//!
//! The flow is the authorization code flow with PKCE (OpenID Connect Core 1.0, section 3.1; RFC 7636, method `S256`).
//! Requests follow no redirects and use no proxy. Nothing here reads the clock: the caller supplies it. Root certificates
//! come from the system, or from `SSL_CERT_FILE` and `SSL_CERT_DIR`.

mod answer;
mod claims;
mod discovery;
mod error;
mod http;
mod pending;
mod provider;
mod settings;
mod text;
mod tls;
mod token;
mod types;
mod url_rule;

pub use answer::Answer;
pub use claims::{MAX_GROUPS, Person};
pub use error::LoginError;
pub use pending::{Begun, PENDING_LIFETIME, Pending};
pub use provider::{Clock, Provider};
pub use settings::{DEFAULT_TIMEOUT, Settings, SettingsError};
