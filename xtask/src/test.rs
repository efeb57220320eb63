//! `cargo xtask test`.

use crate::command::{cargo, run};
use crate::tools::{PROMTOOL, PYTHON, require};

/// Says what is missing before anything is compiled, then runs every test, those in the documentation included.
pub(crate) fn run_tests() -> anyhow::Result<()> {
    require(&[&PYTHON, &PROMTOOL])?;
    run(cargo().args(["test", "--workspace", "--all-features", "--locked"]))
}
