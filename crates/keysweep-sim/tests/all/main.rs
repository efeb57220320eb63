//! The simulator judged from outside: by requests made by hand, and by AWS's own clients.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "the shared makers of tests may fail like tests"
)]

mod account;
mod faults;
mod organization;
mod people;
mod report;
mod sdk;
mod seeds;
mod server;
mod sessions;
mod support;
mod trail;
mod trail_changes;
mod wire;
