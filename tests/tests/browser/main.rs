//! The page in Chromium, and the API under generated requests: what a unit test of a template or a route cannot see.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr
)]

mod decisions;
mod driver;
mod entrance;
mod links;
mod live;
mod newcomer;
mod provider;
mod schema;
mod stage;
mod views;
mod walk;
