//! Who may ask what over HTTP, with TLS and without, asked of a real daemon over real sockets.

mod answers;
mod api;
mod browser;
mod certificates;
mod directory;
mod forms;
mod handshakes;
#[allow(dead_code, reason = "these tests need less of the provider than those of its crate")]
#[path = "../../crates/keysweep-oidc/tests/hostile/jwt.rs"]
mod jwt;
mod logins;
#[allow(dead_code, reason = "these tests need less of the provider than those of its crate")]
#[path = "../../crates/keysweep-oidc/tests/hostile/op.rs"]
mod op;
mod owners;
mod queries;
mod reloads;
mod roles;
#[allow(dead_code, reason = "these tests need less of the provider than those of its crate")]
#[path = "../../crates/keysweep-oidc/tests/hostile/server.rs"]
mod server;
mod sessions;
mod sockets;
mod stage;
mod tokens;
mod world;
