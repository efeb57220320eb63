//! `cargo xtask chart`: the Helm chart as it is installed, with the rules and dashboards of the rest of the repository.

mod folder;

use anyhow::Context as _;

use crate::command::{root, say, target_dir};

/// Writes the chart and says where it is.
pub(crate) fn write() -> anyhow::Result<()> {
    let chart = target_dir()?.join("chart/keysweep");
    folder::write(root(), &chart).context("write the chart")?;
    say(&format!("the chart is {}", chart.display()));
    Ok(())
}
