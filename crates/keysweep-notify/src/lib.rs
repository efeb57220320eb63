//! Delivers one message through one channel.
//!
//! * [`mail`]: SMTP, with TLS and authentication;
//! * [`webhook`]: JSON over HTTPS, signed as [Standard Webhooks](https://www.standardwebhooks.com) describes;
//! * [`teams`]: Adaptive Cards to a Microsoft Teams workflow;
//! * [`slack`]: messages, modals and answers of a Slack app; answers come through [`slack::socket`], without an inbound
//!   port.
//!
//! Each call is one attempt; only a socket reconnects by itself. Retries, schedules and what a message says are the caller's: a [`Failure`] says whether
//! another attempt can help. Nothing here reads the clock or the environment, except that root certificates come from
//! the system, or from `SSL_CERT_FILE` and `SSL_CERT_DIR`.

mod address;
mod dial;
mod failure;
mod http;
pub mod mail;
mod plain;
mod signature;
pub mod slack;
mod target;
pub mod teams;
mod tls;
pub mod webhook;

pub use failure::{Failure, FailureKind};
