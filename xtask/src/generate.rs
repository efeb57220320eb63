//! `cargo xtask gen-config`.

use crate::command::{cargo, run};

/// Builds the product and has it write what is generated from it.
pub(crate) fn generate() -> anyhow::Result<()> {
    run(cargo()
        .args(["run", "--quiet", "--package", "xtask", "--features", "product"])
        .args(["--", "product", "generate"]))
}
