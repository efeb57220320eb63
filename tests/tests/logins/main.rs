//! Logins at OpenID Connect providers that we did not write: oidc-provider for Node.js, which is certified by the OpenID
//! Foundation, and oidc-provider-mock for Python.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod browser;
mod certified;
mod mock;
mod stage;
