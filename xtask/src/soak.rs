//! `cargo xtask soak`.

use clap::Args;

use crate::command::{cargo, run};

/// What is lived through: see `--help` of the program itself.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Passed on: `--seeds N --days M`, `--first-seed`, `--accounts`, `--tell`, `--kills N`, `--load N`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) arguments: Vec<String>,
}

/// Builds the histories with optimizations and lives through them, or through crashes.
pub(crate) fn soak(options: &Options) -> anyhow::Result<()> {
    let build =
        ["run", "--profile", "soak", "--locked", "--package", "keysweep-tests", "--bin", "soak", "--"];
    run(cargo().args(build).args(&options.arguments))
}
