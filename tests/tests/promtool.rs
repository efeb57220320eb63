//! What Prometheus and its own tool say of our metrics, rules and dashboards.

mod dashboards;
mod exposed;
mod files;
mod live;
mod metrics;
mod promql;
mod rules;
mod runbook;
pub(crate) mod tool;
