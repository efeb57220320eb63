//! Seeded, made-up organizations: the same seed gives the same organization, ids and all.

mod bench;
mod demo;
mod names;
mod organization;
mod trouble;

pub use bench::{Bench, bench};
pub use demo::{Demo, demo};
pub use organization::{Shape, account_id, organization};
pub use trouble::Matter;

/// The role that scans, by name with path, in every account made here.
pub const SCAN_ROLE: &str = "keysweep/KeysweepScan";
/// The role that changes keys, by name with path, in every account made here.
pub const ENFORCE_ROLE: &str = "keysweep/KeysweepEnforce";
/// The ExternalId of both.
pub const EXTERNAL_ID: &str = "keysweep-sim-external-id";
