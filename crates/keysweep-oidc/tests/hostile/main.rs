//! Logins at a provider of our own that breaks every rule on request.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod authority;
mod discovery;
mod jwt;
mod login;
mod op;
mod people;
mod server;
mod stage;
mod tokens;
mod transport;
