//! Each channel against small servers on loopback that refuse, drop, delay and lie.
#![allow(clippy::unwrap_used, clippy::panic, reason = "clippy does not recognize helpers of tests")]

mod authority;
mod http_server;
mod mail;
mod mail_tls;
mod slack;
mod smtp_server;
mod socket;
mod socket_server;
mod teams;
mod webhook;
mod webhook_tls;
