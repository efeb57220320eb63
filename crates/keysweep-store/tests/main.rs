//! Tests of the store from outside, in one binary: linked once, and helpers have one place.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code outside of test functions")]

mod backup;
mod bundles;
mod common;
mod faults;
mod form;
mod journal;
mod ledger;
mod projection;
mod replay;
mod size;
