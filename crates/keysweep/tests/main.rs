//! Tests of keysweep as a library and as a program, in one binary: linked once, and helpers have one place.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "test code outside of test functions"
)]

mod cli_bad_input;
mod cli_data_dir;
mod cli_help;
mod cli_iam;
mod cli_schemas;
mod cli_support;
mod cli_tables;
mod cli_token;
mod described;
mod english;
mod http_answers;
mod metrics;
mod metrics_reference;
mod organization;
