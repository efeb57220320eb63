//! Who may ask what over HTTP, with TLS and without, asked of a real daemon over real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod answers;
mod api;
mod certificates;
mod directory;
mod handshakes;
mod queries;
mod reloads;
mod stage;
mod tokens;
