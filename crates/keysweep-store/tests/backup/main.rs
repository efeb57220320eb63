//! Backups and the way back: whole or refused, and cut off anywhere.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code outside of test functions"
)]

mod broken;
#[path = "../common/mod.rs"]
mod common;
mod killed;
mod made;
mod restored;
mod shelf;
mod support;
