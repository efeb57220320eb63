//! Logins at OpenID Connect providers that we did not write: oidc-provider for Node.js, which is certified by the OpenID
//! Foundation, and oidc-provider-mock for Python.

mod browser;
mod certified;
mod mock;
mod stage;
