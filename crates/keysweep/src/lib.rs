//! keysweep: finds IAM access keys nobody needs across an AWS Organization and takes each through a recorded
//! lifecycle.
//!
//! `config` says what the operator wants, `cli` what he types, `daemon` builds and runs the whole, `sweep` is one
//! pass of collect, plan and act, `http` shows it.

pub mod config;
