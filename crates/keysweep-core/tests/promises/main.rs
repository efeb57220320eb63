//! What keysweep promises, as far as it is decided without IO.

// The exceptions that clippy.toml makes for tests reach `#[test]` functions, not their helpers.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod approval;
mod breaker;
mod counts;
mod coverage;
mod creations;
mod evidence;
mod exempted;
mod findings;
mod grace;
mod incidents;
mod interference;
mod journal;
mod lifecycle;
mod meant;
mod mk;
mod notices;
mod orders;
mod owners;
mod parts;
mod planner;
mod properties;
mod quarantine;
mod reactivated;
mod recheck;
mod records;
mod references;
mod restored;
mod rows;
mod scan_document;
mod told;
mod voided;
mod words;
mod worlds;
