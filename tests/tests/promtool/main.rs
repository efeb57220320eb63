//! What Prometheus and its own tool say of our metrics, rules and dashboards.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod dashboards;
mod exposed;
mod files;
mod live;
mod metrics;
#[path = "../../../crates/keysweep/tests/http_support/organization.rs"]
mod organization;
mod promql;
mod rules;
mod runbook;
mod tool;
