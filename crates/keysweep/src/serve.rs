//! What keysweep serves over HTTP: API, page, metrics, health, and reloads, in one router on every listener.
//!
//! A listener decides only how it is proven who asks. On the Unix socket in data_dir the kernel says it. On an address,
//! metrics and health are open; on a loopback address, so is looking; on any other, looking requires TLS and a token.
//! Decisions require an operator's token on every address.

mod app;
mod auth;
mod budget;
mod connection;
mod handshake;
mod page;
mod places;
mod replay;
mod router;
mod routes;
mod socket;
mod tcp;

pub use self::app::Serving;
pub use self::socket::{serve as serve_socket, serve_shared as serve_shared_socket};
pub use self::tcp::serve as serve_address;
