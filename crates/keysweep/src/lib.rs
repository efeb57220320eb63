//! keysweep: finds IAM access keys nobody needs across an AWS Organization and takes each through a recorded
//! lifecycle.
//!
//! `config` says what the operator wants, `cli` what he types, `daemon` builds and runs the whole, `sweep` is one
//! pass of collect, plan and act, `operator` answers what `keysweep-api` lets operators ask, `serve` does so over HTTP and
//! shows the page, `iam` says which permissions all of that needs, and `doctor` what is missing of them.

pub mod access;
mod causes;
mod change;
pub mod cli;
pub mod clock;
pub mod collect;
pub mod config;
pub mod connect;
pub mod daemon;
#[cfg(feature = "demo")]
pub mod demo;
pub mod doctor;
pub mod engine;
pub mod evidence;
mod export;
pub mod health;
pub mod iam;
pub mod logging;
pub mod metrics;
pub mod operator;
pub mod people;
pub mod reload;
mod safe;
pub mod serve;
pub mod signing;
pub mod socket;
pub mod sweep;
pub mod telemetry;
mod terms;
pub mod tls;
pub mod token;
pub mod trace;
