//! The real SDK clients against the simulator, in memory, under tokio's paused clock.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "clippy allows these in test functions, and what helps them is no less a test"
)]

mod changes;
mod environment;
mod organization;
mod reads;
mod reports;
mod rewriting;
mod sessions;
mod socket;
mod support;
