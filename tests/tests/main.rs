//! The whole daemon, as a program and in simulated time: all tests are one binary, which is linked once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code outside of test functions"
)]

mod answers;
mod bad_input;
mod browser;
mod call_budget;
mod canary;
mod channels;
mod configured;
mod conformance_calls;
mod conformance_moto;
mod coverage;
mod crashes;
mod daemon;
mod demo;
mod deploy_iam;
mod disks;
mod doctor;
mod evidence;
mod fence;
mod first_hour;
mod history;
mod http;
mod incident;
mod kubernetes;
mod lifecycle;
mod load;
mod logins;
mod nonsense;
mod notices;
mod official_clients;
#[path = "../../crates/keysweep/tests/organization.rs"]
mod organization;
mod owners;
mod privilege;
mod promises;
mod promtool;
mod restored;
mod restraints;
mod review;
mod slack;
mod telemetry;
mod terraform;
